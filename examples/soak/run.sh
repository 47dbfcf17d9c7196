#!/usr/bin/env bash
# The main job, seed after seed: every one must pass.
#
#   examples/soak/run.sh [SEEDS] [FIRST] [growler test options...]     seeds (default 20), the first (default 1)
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-20} first=${2:-1}
shift $(( $# < 2 ? $# : 2 ))
cargo build --release --quiet
failed=0
for seed in $(seq "$first" $((first + seeds - 1))); do
  code=0
  out=$(target/release/growler test --seed "$seed" "$@" 2>/dev/null) || code=$?
  echo "seed $seed: exit $code  $(grep -E '^operations' <<<"$out")"
  if [ "$code" != 0 ]; then failed=1; echo "$out"; fi
done
exit $failed
