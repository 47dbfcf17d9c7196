// Zoom, the readout under the pointer, and the buttons. The page is whole without it.
//
// All tracks live in one scrolling box, and zooming only widens what is inside: panning is the browser's own
// scrolling, and what is placed in per cent stays in its place.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const tracks = document.getElementById("tracks");
const wide = tracks.querySelector(".wide");
const readout = document.getElementById("readout");
// A box may be some thirty million pixels wide, and no wider.
const ZOOM_MAX = 10000;
let zoom = 1;

// Where the plots lie in the scrolling box, in pixels.
function plotBox() {
  const style = getComputedStyle(tracks.querySelector(".track"));
  const [gutter, , right] = style.gridTemplateColumns.split(" ").map(parseFloat);
  return { gutter, width: tracks.clientWidth - gutter - right };
}

// The part of the run that is in view, in microseconds.
function view() {
  const { gutter, width } = plotBox();
  const perPixel = data.run_us / (width * zoom);
  return { from: tracks.scrollLeft * perPixel, to: (tracks.scrollLeft + width) * perPixel, perPixel, gutter, width };
}

// Shows a part of the run.
function show(from, to) {
  const length = Math.max(to - from, data.run_us / ZOOM_MAX);
  setZoom(data.run_us / length);
  tracks.scrollLeft = from / data.run_us * plotBox().width * zoom;
  document.dispatchEvent(new Event("view"));
}

function setZoom(value) {
  zoom = Math.min(Math.max(value, 1), ZOOM_MAX);
  tracks.style.setProperty("--zoom", zoom);
}

// Zooms, and keeps the moment at a pixel of the plot where it is.
function zoomAt(factor, pixel) {
  const before = view();
  const moment = before.from + pixel * before.perPixel;
  setZoom(zoom * factor);
  tracks.scrollLeft = moment / data.run_us * before.width * zoom - pixel;
  document.dispatchEvent(new Event("view"));
}

function seconds(us) {
  return (us / 1e6).toFixed(view().to - view().from < 1e6 ? 6 : 3) + " s";
}

function length(us) {
  if (us < 1e3) return us + " µs";
  return us < 1e6 ? (us / 1e3).toPrecision(3) + " ms" : (us / 1e6).toPrecision(3) + " s";
}

// Names round moments of what is in view; the page itself names those of the whole run.
function nameMoments() {
  const v = view(), length = v.to - v.from;
  const power = 10 ** Math.floor(Math.log10(length / 8));
  const step = Math.max(1, power * [1, 2, 5, 10].find(n => n * power >= length / 8));
  const digits = Math.max(0, 6 - Math.floor(Math.log10(step)));
  const names = [];
  for (let us = Math.ceil(v.from / step) * step; us <= Math.min(v.to, data.run_us); us += step) {
    const name = document.createElement("span");
    name.textContent = `${(us / 1e6).toFixed(digits)} s`;
    name.style.left = `${us / data.run_us * 100}%`;
    names.push(name);
  }
  tracks.querySelector(".axis .plot").replaceChildren(...names);
}

// What the charts say of a moment.
function describe(us) {
  const slot = Math.min(Math.floor(us / data.bucket_us), data.ok.length - 1);
  const rate = n => Math.round(n * 1e6 / data.bucket_us);
  const latency = data.p50[slot] === null ? "" :
    `, p50 ${length(data.p50[slot])}, p99 ${length(data.p99[slot])}`;
  return `${seconds(us)}: ${rate(data.ok[slot])} ok, ${rate(data.fail[slot])} fail, ` +
    `${rate(data.info[slot])} info a second${latency}`;
}

document.addEventListener("view", nameMoments);

const cursor = document.createElement("div");
cursor.className = "cursor";
cursor.hidden = true;
wide.append(cursor);

tracks.addEventListener("pointermove", event => {
  const v = view();
  const pixel = event.clientX - tracks.getBoundingClientRect().left - v.gutter;
  cursor.hidden = pixel < 0 || pixel > v.width;
  if (cursor.hidden) return;
  cursor.style.left = `${tracks.scrollLeft + pixel + v.gutter}px`;
  readout.textContent = document.getElementById("timeline").contains(event.target) && window.operationAt ?
    window.operationAt(event) || describe(v.from + pixel * v.perPixel) : describe(v.from + pixel * v.perPixel);
});
tracks.addEventListener("pointerleave", () => { cursor.hidden = true; });

tracks.addEventListener("wheel", event => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const v = view();
  zoomAt(Math.exp(-event.deltaY / 200), event.clientX - tracks.getBoundingClientRect().left - v.gutter);
}, { passive: false });

tracks.addEventListener("keydown", event => {
  const factor = { "+": 2, "=": 2, "-": 0.5 }[event.key];
  if (factor) zoomAt(factor, plotBox().width / 2);
  else if (event.key === "0") show(0, data.run_us);
});

document.querySelector(".zoom").hidden = false;
for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => {
    if (button.dataset.zoom === "all") show(0, data.run_us);
    else zoomAt(button.dataset.zoom === "in" ? 2 : 0.5, plotBox().width / 2);
  });
}

for (const button of document.querySelectorAll("[data-show-from]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const [from, to] = [Number(button.dataset.showFrom), Number(button.dataset.showTo)];
    const margin = Math.max((to - from) * 0.1, 1000);
    show(Math.max(0, from - margin), Math.min(data.run_us, to + margin));
    tracks.scrollIntoView({ block: "start" });
    tracks.focus({ preventScroll: true });
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

tracks.addEventListener("scroll", () => document.dispatchEvent(new Event("view")), { passive: true });
window.addEventListener("resize", () => document.dispatchEvent(new Event("view")));
