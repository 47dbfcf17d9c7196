#!/usr/bin/env bash
# Breaks each rule of the linearizability checker in turn, in a copy of it, and sees whether the comparison
# with the oracle notices. Prints one line a rule: after how many histories it was caught, or that it was not;
# exits 1 if any was not.
#
#   examples/mutations/run.sh [--histories N] [--only TEXT] [--file TEXT]
#
# The rules are in rules.txt beside this script. It needs no network, and writes below target/ only.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo run --quiet --release -p growler-checker --example mutations -- "$@"
