#!/usr/bin/env bash
# Is every planted bug found, and only when it is there? Runs each bug of `growler list bugs` with its own
# options and prints a detection table.
#
#   examples/bugs/run.sh [SEEDS] [BUG...]      seeds a bug (default 10), bugs (default: all)
#
# For each bug: how many seeds ended with exit code 1 and one of the anomalies that its entry names, the
# largest certificate, and, for bugs that need a fault, how many seeds passed with `--faults none`.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-10}; shift || true
cargo build --release --quiet
exec python3 - "$PWD/target/release/growler" "$seeds" "${TIME:-30s}" "$@" <<'PY'
import json, subprocess, sys, tempfile

growler, seeds, time, only = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
bugs = json.loads(subprocess.check_output([growler, "list", "bugs", "--json"]))
anomalies = json.loads(subprocess.check_output([growler, "list", "anomalies", "--json"]))
parents = {a["name"]: a.get("parent") for a in anomalies}

def admits(expected, found):
    while found:
        if found in expected:
            return True
        found = parents.get(found)
    return False

def test(options):
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([growler, "test", "--json", "--time", time, "--out", out, *options],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        results = json.loads(done.stdout)
    except ValueError:
        results = {"checks": {}, "reasons": ["no verdict"]}
    found = [a for c in results["checks"].values() for a in c["anomalies"]]
    return done.returncode, found, results["reasons"]

bad = False
print(f"{'bug':20} {'found':>7} {'cert':>5} {'quiet':>7}  anomalies")
for bug in bugs:
    if only and bug["name"] not in only:
        continue
    found_in, largest, kinds = 0, 0, {}
    for seed in range(1, seeds + 1):
        code, found, reasons = test(["--bug", bug["name"], "--seed", str(seed), *bug["options"]])
        named = [a for a in found if admits(bug["expect"], a["type"])]
        if code == 1 and named:
            found_in += 1
            largest = max(largest, max(len(a["ops"]) for a in named))
        else:
            print(f"  seed {seed}: exit {code} {reasons[:2]}", flush=True)
        for a in found:
            kinds[a["type"]] = kinds.get(a["type"], 0) + 1
    quiet = "-"
    if "none" not in bug["options"]:
        options, skip = [], False
        for word in bug["options"]:
            if skip:
                skip = False
            elif word == "--faults":
                skip = True
            else:
                options.append(word)
        passed = 0
        for seed in range(1, seeds + 1):
            code, found, reasons = test(["--bug", bug["name"], "--seed", str(seed), *options, "--faults", "none"])
            passed += code == 0
            if code:
                print(f"  seed {seed} without faults: exit {code} {reasons[:2]}", flush=True)
        quiet = f"{passed}/{seeds}"
        bad |= passed < seeds
    bad |= found_in * 10 < seeds * 9
    print(f"{bug['name']:20} {found_in:>4}/{seeds} {largest:>5} {quiet:>7}  {kinds}", flush=True)
sys.exit(bad)
PY
