#!/usr/bin/env python3
"""Measures `growler check` end to end: a history file of a million operations, from the command line to the verdict.

    bench/end_to_end.py [--write]

Builds growler and the program `histories`, writes a simulated run's history.jsonl (one key, and 10,000 keys), and
checks each some times over, on all cores and on one. The medians of wall-clock time and processor time, and the
greatest peak of memory, are printed, and with --write put into checker/BENCHMARKS.md.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "checker" / "BENCHMARKS.md"
NAME = "end to end"
CASES = [
    ("1 M ops, one key", []),
    ("1 M ops over 10,000 keys", ["--keys", "10000"]),
    ("1 M ops, one key, one stale read", ["--stale"]),
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=5, help="checks of each history (default 5)")
    parser.add_argument("--growler", type=Path, help="the program; it is built if not given")
    parser.add_argument("--histories", type=Path, help="the program; it is built if not given")
    parser.add_argument("--write", action="store_true", help="rewrite the section of checker/BENCHMARKS.md")
    return parser.parse_args()


def built(name, package):
    subprocess.run(["cargo", "build", "--release", "-p", package, "--bin", name], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / name


def check(growler, history, cores, expected):
    """One check: wall-clock seconds, processor seconds, peak bytes."""
    command = [growler, "check", history, "--model", "cas-register"]
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=output,
            stderr=output,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        code = process.returncode = os.waitstatus_to_exitcode(status)
        if code != expected:
            output.seek(0)
            sys.exit(f"growler check {history}: code {code}, expected {expected}:\n{output.read().decode()[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def measure(options):
    growler = options.growler or built("growler", "growler")
    histories = options.histories or built("histories", "growler-bench")
    rows = ["| history | file | cores | wall | processor | peak memory |", "|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        for name, wanted in CASES:
            history = Path(folder) / "history.jsonl"
            subprocess.run([histories, "--format", "jsonl", *wanted, history], check=True)
            for cores in (os.sched_getaffinity(0), {min(os.sched_getaffinity(0))}):
                expected = 1 if "--stale" in wanted else 0
                passes = [check(growler, history, cores, expected) for _ in range(options.passes)]
                wall, spent = (statistics.median(column) for column in list(zip(*passes))[:2])
                peak = max(peak for _, _, peak in passes)
                row = f"{name} | {history.stat().st_size / 1e6:.0f} MB | {len(cores)} | {wall:.2f} s | {spent:.2f} s"
                rows.append(f"| {row} | {peak / 1e6:.0f} MB |")
                print(rows[-1], file=sys.stderr, flush=True)
    load, cores = os.getloadavg()[0], os.cpu_count()
    busy = f"The load average was {load:.0f} on {cores} cores" + (": wall-clock times count others' work too." if load > cores else ".")
    return "\n".join(rows) + f"\n\n{busy}"


def write(table):
    begin, end = f"<!-- {NAME}: measured, do not edit -->\n", f"<!-- {NAME}: end -->"
    before, _, rest = PAGE.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        sys.exit(f"{PAGE} has no section {NAME}: put its two marks back")
    PAGE.write_text(f"{before}{begin}\n{table}\n\n{end}{after}")


if __name__ == "__main__":
    OPTIONS = arguments()
    TABLE = measure(OPTIONS)
    print(TABLE)
    if OPTIONS.write:
        write(TABLE)
