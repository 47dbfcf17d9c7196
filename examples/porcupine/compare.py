#!/usr/bin/env python3
"""Runs growler's checker and others (Porcupine, say) on the same histories, side by side in one run.

    compare.py --peer Porcupine=/path/to/driver [--etcd FOLDER] [--write]

Every history is judged by one program after the other, each in a process of its own, pinned to one core, with
a limit on processor time and on memory. Of growler it is `cargo run -p growler-bench --bin linearize`; a peer is
any program that takes paths of such histories and prints a line of JSON for each: README.md says how.

What is printed, and with --write put into checker/BENCHMARKS.md: the processor seconds from parsed operations
to the verdict, the wall-clock time of it, the peak of the whole process's memory, and the verdict.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "checker" / "BENCHMARKS.md"
NAME = "porcupine"

# Name, engine of growler, and arguments of `histories`.
CASES = [
    ("100 ops, c=100, rw", "item", "--operations 100 --clients 100 --mix rw --unanswered 0"),
    ("1 k ops, c=20, rw", "item", "--operations 1000 --clients 20 --mix rw --unanswered 0"),
    ("1 k ops, c=20, casx", "item", "--operations 1000 --clients 20 --mix casx --unanswered 0"),
    ("the same, general engine", "general", "--operations 1000 --clients 20 --mix casx --unanswered 0"),
    ("1 k ops, c=20, item", "item", "--operations 1000 --clients 20 --mix item --unanswered 0"),
    ("1 k ops, c=5, item, 10 % unanswered", "item", "--operations 1000 --clients 5 --unanswered 0.1"),
    ("the same, one stale read", "item", "--operations 1000 --clients 5 --unanswered 0.1 --stale"),
    ("10 k ops, c=5, item, 10 % unanswered", "item", "--operations 10000 --clients 5 --unanswered 0.1"),
    ("100 k ops, c=5, rw", "item", "--operations 100000 --clients 5 --mix rw --unanswered 0"),
    ("1 M ops, c=100, item, 10 % unanswered", "item", "--operations 1000000"),
    ("1 M ops, c=100, over 10,000 keys", "item", "--operations 1000000 --keys 10000"),
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PROGRAM", help="another checker")
    parser.add_argument("--etcd", type=Path, metavar="FOLDER", help="logs of Jepsen's etcd runs (etcd_*.log)")
    parser.add_argument("--seconds", type=int, default=60, help="processor seconds per history (default 60)")
    parser.add_argument("--gigabytes", type=float, default=8, help="address space per process (default 8)")
    parser.add_argument("--core", type=int, default=0, help="which core (default 0)")
    parser.add_argument("--bin", type=Path, help="where `histories` and `linearize` are; they are built if not given")
    parser.add_argument("--write", action="store_true", help="rewrite the section of checker/BENCHMARKS.md")
    return parser.parse_args()


def build():
    subprocess.run(["cargo", "build", "--release", "-p", "growler-bench", "--bins"], cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return Path(target) / "release"


def judge(command, files, options):
    """One process's lines, its peak in bytes, and how it ended: 'done', 'time', or 'memory'."""

    def limits():
        os.sched_setaffinity(0, {options.core})
        size = int(options.gigabytes * 1e9)
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CPU, (options.seconds, options.seconds + 1))

    environment = dict(os.environ, GOMAXPROCS="1")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*command, *map(str, files)], stdout=out, stderr=errors, preexec_fn=limits, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        lines, complaint = [json.loads(line) for line in out], errors.read().decode(errors="replace")
    spent = usage.ru_utime + usage.ru_stime
    if process.returncode == 0:
        end = "done"
    elif spent >= options.seconds - 1:
        end = "time"
    elif "memory" in complaint or "alloc" in complaint:
        end = "memory"
    else:
        sys.exit(f"{command[0]} failed with {process.returncode} on {files[0]}:\n{complaint[:2000]}")
    return lines, usage.ru_maxrss * 1024, end


def duration(seconds):
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            break
    return f"{seconds / scale:.3g} {unit}"


def cell(lines, peak, end, files, options):
    # A process that has just been started is as large as the script that started it.
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    memory = f"{peak / 1e6:.0f} MB" if peak > 1.1 * floor else f"under {1.1 * floor / 1e6:.0f} MB"
    if end == "time":
        return f"**over {options.seconds} s** / {memory}"
    if end == "memory":
        return f"**out of memory** (over {options.gigabytes:g} GB)"
    assert len(lines) == len(files), "a line for each history"
    cpu, wall = (sum(line[name] for line in lines) for name in ("cpu_s", "wall_s"))
    verdicts = sorted({line["verdict"] for line in lines})
    return f"{duration(cpu)} (wall {duration(wall)}) / {memory} / {', '.join(verdicts)}"


def compare(options):
    binaries = options.bin or build()
    peers = [peer.partition("=")[::2] for peer in options.peer]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cases = []
        for name, engine, wanted in CASES:
            file = Path(folder) / f"{len(cases)}"
            subprocess.run([binaries / "histories", *wanted.split(), file], check=True)
            cases.append((name, engine, [file]))
        if options.etcd:
            logs = sorted(options.etcd.glob("etcd_*.log"))
            files = [Path(folder) / log.stem for log in logs]
            for log, file in zip(logs, files):
                subprocess.run([binaries / "histories", "--etcd", log, file], check=True)
            cases.append((f"{len(logs)} logs of etcd, general engine", "general", files))
        for name, engine, files in cases:
            programs = [[binaries / "linearize", "--engine", engine], *([program] for _, program in peers)]
            results = [judge(command, files, options) for command in programs]
            disagree(name, [lines for lines, _, end in results if end == "done"])
            row = [name, *(cell(*result, files, options) for result in results)]
            print("  ".join(row), file=sys.stderr, flush=True)
            rows.append(row)
    header = ["history", "growler", *(name for name, _ in peers)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])
    return f"Limits: {options.seconds} processor seconds and {options.gigabytes:g} GB a history.\n\n{table}"


def disagree(name, answers):
    """Ends the comparison if two programs that decided a history did so differently."""
    for lines in zip(*answers):
        verdicts = {line["verdict"] for line in lines} - {"unknown"}
        if len(verdicts) > 1:
            sys.exit(f"{name}: the verdicts on {lines[0]['file']} differ: {lines}")


def write(table):
    begin, end = f"<!-- {NAME}: measured, do not edit -->\n", f"<!-- {NAME}: end -->"
    before, _, rest = PAGE.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        sys.exit(f"{PAGE} has no section {NAME}: put its two marks back")
    PAGE.write_text(f"{before}{begin}\n{table}\n\n{end}{after}")


if __name__ == "__main__":
    OPTIONS = arguments()
    TABLE = compare(OPTIONS)
    print(TABLE)
    if OPTIONS.write:
        write(TABLE)
