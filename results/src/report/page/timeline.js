// The timeline of single operations: a lane for each client, node or key, a bar for each operation.
//
// Drawn on a canvas as wide as the window, whatever the zoom: only what is in view is drawn. Outcomes differ
// in shape as well as in colour: ok is a full bar, fail a thin outlined one, info a pointed one.
"use strict";

(() => {
  const HEIGHT_MAX = 420, LANE_MAX = 18, LANE_MIN = 3;
  const columns = data.operations;
  const count = columns.index.length;
  if (count === 0) return;

  const start = new Float64Array(count), end = new Float64Array(count), index = new Float64Array(count);
  let at = 0, number = 0, longest = 0;
  for (let i = 0; i < count; i++) {
    start[i] = at += columns.start[i];
    index[i] = number += columns.index[i];
    end[i] = columns.length[i] < 0 ? data.run_us : at + columns.length[i];
    if (columns.length[i] >= 0) longest = Math.max(longest, columns.length[i]);
  }
  const open = [];
  for (let i = 0; i < count; i++) if (columns.length[i] < 0) open.push(i);
  const proof = new Set(columns.proof);

  const track = document.querySelector(".timeline");
  const canvas = document.getElementById("timeline");
  const labels = document.getElementById("lanes");
  const pen = canvas.getContext("2d");
  const names = { client: columns.clients, node: columns.nodes, key: columns.keys };
  let by = "client", lane = LANE_MAX, lanes = 1;

  track.hidden = false;
  document.querySelector(".lanes-by").hidden = false;

  function layOut() {
    lanes = Math.max(names[by].length, 1);
    lane = Math.max(LANE_MIN, Math.min(LANE_MAX, Math.floor(HEIGHT_MAX / lanes)));
    labels.replaceChildren();
    const every = Math.ceil(13 / lane);
    names[by].forEach((name, i) => {
      if (i % every !== 0) return;
      const label = document.createElement("span");
      label.textContent = name || `no ${by}`;
      label.style.top = `${i * lane + Math.max(0, (lane - 12) / 2)}px`;
      labels.append(label);
    });
    track.style.height = `${lanes * lane + 4}px`;
    draw();
  }

  // The operations that may be in view: all that begin in it, and those before that may reach into it.
  function inView(v) {
    const first = (us) => {
      let low = 0, high = count;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (start[middle] < us) low = middle + 1; else high = middle;
      }
      return low;
    };
    return [first(v.from - longest), first(v.to + 1)];
  }

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const colour = name => style.getPropertyValue(name).trim();
    return { outcome: [colour("--ok"), colour("--fail"), colour("--info")], proof: colour("--bad"), pale: colour("--info-fill") };
  }

  function drawOne(i, v, colour) {
    const outcome = columns.outcome[i];
    const x = (start[i] - v.from) / v.perPixel;
    const width = Math.max((end[i] - start[i]) / v.perPixel, 1);
    const y = columns[by][i] * lane;
    const height = lane - (lane > 6 ? 3 : 1);
    pen.fillStyle = pen.strokeStyle = colour.outcome[outcome];
    if (outcome === 0) {
      pen.globalAlpha = width > 3 ? 0.75 : 0.35;
      pen.fillRect(x, y + 1, width, height);
      pen.globalAlpha = 1;
    } else if (outcome === 1) {
      const thin = Math.max(height * 0.5, 2);
      if (width > 4) pen.strokeRect(x + 0.5, y + 1.5 + (height - thin) / 2, width - 1, thin - 1);
      else pen.fillRect(x, y + 1 + (height - thin) / 2, width, thin);
    } else {
      const point = Math.min(width, 5);
      pen.beginPath();
      pen.moveTo(x, y + 1);
      pen.lineTo(x + width - point, y + 1);
      pen.lineTo(x + width, y + 1 + height / 2);
      pen.lineTo(x + width - point, y + 1 + height);
      pen.lineTo(x, y + 1 + height);
      pen.closePath();
      if (width > 6) pen.fillStyle = colour.pale;
      pen.fill();
      pen.stroke();
    }
    if (proof.has(i)) {
      pen.strokeStyle = colour.proof;
      pen.lineWidth = 2;
      pen.strokeRect(x - 2, y, Math.max(width, 4) + 4, height + 2);
      pen.lineWidth = 1;
    }
  }

  function draw() {
    const v = view(), scale = window.devicePixelRatio || 1, height = lanes * lane;
    canvas.width = Math.round(v.width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = `${v.width}px`;
    canvas.style.height = `${height}px`;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    const colour = colours();
    const [from, to] = inView(v);
    // ok first, so that what matters more lies on top.
    for (const outcome of [0, 1, 2]) {
      for (let i = from; i < to; i++) if (columns.outcome[i] === outcome && end[i] >= v.from && !proof.has(i)) drawOne(i, v, colour);
      if (outcome === 2) for (const i of open) if (i < from && end[i] >= v.from && !proof.has(i)) drawOne(i, v, colour);
    }
    for (const i of proof) if (start[i] <= v.to && end[i] >= v.from) drawOne(i, v, colour);
  }

  // The operation under the pointer, in words.
  window.operationAt = event => {
    const v = view(), box = canvas.getBoundingClientRect();
    const us = v.from + (event.clientX - box.left) * v.perPixel;
    const row = Math.floor((event.clientY - box.top) / lane);
    let best = -1, least = 4 * v.perPixel;
    const consider = i => {
      if (columns[by][i] !== row) return;
      const distance = Math.max(start[i] - us, us - end[i], 0);
      if (distance < least) { best = i; least = distance; }
    };
    const [from, to] = inView({ from: us - least, to: us + least });
    for (let i = from; i < to; i++) consider(i);
    if (best < 0) open.forEach(consider);
    if (best < 0) return "";
    const key = columns.keys[columns.key[best]], node = columns.nodes[columns.node[best]];
    const took = columns.length[best] < 0 ? "never answered" : `after ${length(columns.length[best])}`;
    return `${seconds(start[best])}: ${columns.clients[columns.client[best]]}, ${columns.label[best]}` +
      `${key ? " on " + key : ""}${node ? " through " + node : ""}: ` +
      `${["ok", "fail", "info"][columns.outcome[best]]} ${took} (index ${index[best]})`;
  };

  for (const radio of document.querySelectorAll("[name=lanes]")) {
    radio.addEventListener("change", () => { by = radio.value; layOut(); });
  }
  let asked = false;
  document.addEventListener("view", () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  layOut();
})();
