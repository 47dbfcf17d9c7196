#!/usr/bin/env bash
# What becomes of a run where few files may be open? Each must pass, or be refused with the numbers (exit code 4);
# none may blame the store. Prints a table, and fails where a run did neither.
#
#   examples/descriptors/run.sh [OPTION...]      options of `growler test` beside these
#
# Environment: GROWLER, a binary to use (default: a debug build of this checkout); TIME, the length of each run
# (default 8s); LIMITS and CLIENTS, what is tried (default "64 128 256 1024" and "10 100 500"); SEED (default 1).
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${GROWLER:-}" ]; then
    cargo build --quiet -p growler
    GROWLER=$PWD/target/debug/growler
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
bad=0
printf '%8s %8s %5s  %s\n' limit clients exit 'what it said'
for limit in ${LIMITS:-64 128 256 1024}; do
    for clients in ${CLIENTS:-10 100 500}; do
        code=0
        (ulimit -n "$limit" && exec "$GROWLER" test --time "${TIME:-8s}" --seed "${SEED:-1}" --min-ok 50 \
            --min-sensitivity 0 --concurrency "$clients" --out "$out" "$@") >"$out/said" 2>"$out/trouble" || code=$?
        case $code in
            0) said=$(grep '^operations' "$out/said") ;;
            4) said=$(grep -oh 'a process may open .* files here.*up to [0-9]*' "$out/trouble" | head -1) || true
               [ -n "$said" ] || { bad=1; said="no numbers: $(tail -2 "$out/trouble" | tr '\n' ' ')"; } ;;
            *) bad=1; said=$(head -3 "$out/said" | tr '\n' ' ') ;;
        esac
        printf '%8s %8s %5s  %s\n' "$limit" "$clients" "$code" "$said"
    done
done
exit $bad
