#!/usr/bin/env bash
# Is every planted bug found, and only when it is there? Runs each bug of `growler list bugs` with its own
# options, on every store that has it, and prints a detection table.
#
#   examples/bugs/run.sh [SEEDS] [BUG...]      seeds a bug (default 10), bugs (default: all)
#
# For each bug: how many seeds ended with exit code 1 and one of the anomalies that its entry names, the
# largest certificate, and how many seeds passed with the same bug under its `quiet` options, where it must
# not show.
#
# Environment: GROWLER, a binary to use (default: a release build of this checkout); TIME, the length of
# each run (default 30s); STORES, the stores to run, separated by blanks (default: all that have the bug);
# FIRST, the first seed (default 1); KEEP, a folder in which runs that did not end as they should are kept.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-10}; shift || true
if [ -z "${GROWLER:-}" ]; then
    cargo build --release --quiet
    GROWLER=$PWD/target/release/growler
fi
exec python3 - "$GROWLER" "$seeds" "${TIME:-30s}" "$@" <<'PY'
import json, os, shutil, subprocess, sys, tempfile

growler, seeds, time, only = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
first, keep = int(os.environ.get("FIRST", "1")), os.environ.get("KEEP")
wanted = os.environ.get("STORES", "").split()
bugs = json.loads(subprocess.check_output([growler, "list", "bugs", "--json"]))
anomalies = json.loads(subprocess.check_output([growler, "list", "anomalies", "--json"]))
parents = {a["name"]: a.get("parent") for a in anomalies}
if unknown := set(only) - {bug["name"] for bug in bugs}:
    sys.exit(f"no planted bug is called {', '.join(sorted(unknown))}: `growler list bugs` names them")

def admits(expected, found):
    while found:
        if found in expected:
            return True
        found = parents.get(found)
    return False

def test(options, good):
    """One run; its exit code, anomalies and reasons. It is kept if it is not `good` and KEEP says where."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([growler, "test", "--json", "--time", time, "--out", out, *options],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            results = json.loads(done.stdout)
        except ValueError:
            results = {"checks": {}, "reasons": ["no verdict"]}
        found = [a for c in results["checks"].values() for a in c["anomalies"]]
        if keep and not good(done.returncode, found):
            shutil.copytree(out, keep, dirs_exist_ok=True)
    return done.returncode, found, results["reasons"]

bad = False
print(f"{'bug':26} {'store':7} {'found':>7} {'cert':>5} {'quiet':>7}  anomalies")
for bug, store in ((bug, store) for bug in bugs for store in bug["stores"]):
    if (only and bug["name"] not in only) or (wanted and store not in wanted):
        continue
    named = lambda found: [a for a in found if admits(bug["expect"], a["type"])]
    shows = lambda code, found: code == 1 and bool(named(found))
    passes = lambda code, found: code == 0
    found_in, passed, largest, kinds = 0, 0, 0, {}
    for seed in range(first, first + seeds):
        run = ["--store", store, "--bug", bug["name"], "--seed", str(seed)]
        code, found, reasons = test([*run, *bug["options"]], shows)
        if shows(code, found):
            found_in += 1
            largest = max(largest, max(len(a["ops"]) for a in named(found)))
        else:
            print(f"  seed {seed}: exit {code} {reasons[:2]}", flush=True)
        for a in found:
            kinds[a["type"]] = kinds.get(a["type"], 0) + 1
        code, _, reasons = test([*run, *bug["quiet"]], passes)
        passed += code == 0
        if code:
            print(f"  seed {seed} with its quiet options: exit {code} {reasons[:2]}", flush=True)
    bad |= passed < seeds or found_in * 10 < seeds * 9
    quiet = f"{passed}/{seeds}"
    print(f"{bug['name']:26} {store:7} {found_in:>4}/{seeds} {largest:>5} {quiet:>7}  {kinds}", flush=True)
sys.exit(bad)
PY
