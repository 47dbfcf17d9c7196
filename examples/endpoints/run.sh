#!/usr/bin/env bash
# Tests real DynamoDB-compatible servers that growler's authors did not write: dynalite (npm), moto (PyPI, plain
# and behind TLS) and ministack (PyPI), all in memory, on loopback, started and stopped here.
#
#   examples/endpoints/run.sh [SECONDS] [SEED]      each test's length (default 10) and seed (default 1)
#
# It installs the servers from their registries into target/endpoints, and needs node with npm, python3 with
# venv, and openssl. It prints one line a test: server, workload, verdict, exit code, operations. A violation
# is a finding about that server, not a failure of this script; it exits 1 only when a test could not be run
# where it should have been.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-10} seed=${2:-1}
work=$PWD/target/endpoints
mkdir -p "$work"
cargo build --release --quiet
growler=$PWD/target/release/growler

install() {
  [ -x "$work/node_modules/.bin/dynalite" ] || npm install --silent --no-audit --no-fund --prefix "$work" dynalite@4.0.0
  [ -x "$work/moto/bin/moto_server" ] || { python3 -m venv "$work/moto"; "$work/moto/bin/pip" install --quiet 'moto[server]==5.2.5'; }
  [ -x "$work/ministack/bin/python" ] || { python3 -m venv "$work/ministack"; "$work/ministack/bin/pip" install --quiet ministack==1.5.33; }
  [ -f "$work/key.pem" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:TRUE \
    -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
}

servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; wait 2>/dev/null || true' EXIT

start() { # name port command...
  local name=$1 port=$2; shift 2
  "$@" >"$work/$name.log" 2>&1 &
  servers+=($!)
  for _ in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    sleep 0.1
  done
  echo "$name did not start; see $work/$name.log" >&2
  exit 1
}

failed=0
report() { # server workload expected-code... -- growler options...
  local server=$1 workload=$2; shift 2
  local expected=()
  while [ "$1" != -- ]; do expected+=("$1"); shift; done
  shift
  local code=0 out
  out=$("$growler" test --workload "$workload" --time "${seconds}s" --seed "$seed" --out "$work/runs" --json "$@" 2>"$work/stderr.log") || code=$?
  printf '%-16s %-13s %s\n' "$server" "$workload" "$(python3 -c '
import json, sys
try:
    r = json.loads(sys.argv[1])
except ValueError:
    print("no verdict:", open(sys.argv[2]).read().strip()); sys.exit()
kinds = sorted({a["type"] for c in r["checks"].values() for a in c["anomalies"]})
s = r["stats"]
print(r["verdict"], "exit", sys.argv[3], f"{s[\"ok\"]} ok {s[\"fail\"]} fail {s[\"info\"]} info", *kinds, *r["reasons"][:1], sep="  ")
' "$out" "$work/stderr.log" "$code")"
  case " ${expected[*]} " in *" $code "*) ;; *) failed=1; echo "  expected one of: ${expected[*]}" ;; esac
}

install
start dynalite 4567 node "$work/node_modules/dynalite/cli.js" --host 127.0.0.1 --port 4567 --createTableMs 20
start moto 5000 "$work/moto/bin/moto_server" -H 127.0.0.1 -p 5000
start moto-tls 5443 "$work/moto/bin/moto_server" -H 127.0.0.1 -p 5443 -s -c "$work/cert.pem" -k "$work/key.pem"
BIND_HOST=127.0.0.1 GATEWAY_PORT=4566 start ministack 4566 "$work/ministack/bin/python" -m ministack

for workload in register cas-register bank; do
  # dynalite has no transactions: the bank is refused by name (exit 4).
  case $workload in bank) expected="4" ;; *) expected="0 1" ;; esac
  # shellcheck disable=SC2086
  report dynalite $workload $expected -- --endpoint http://127.0.0.1:4567
  report moto $workload 0 1 -- --endpoint http://127.0.0.1:5000
  report moto-tls $workload 0 1 -- --endpoint https://localhost:5443 --cacert "$work/cert.pem"
  report ministack $workload 0 1 -- --endpoint http://127.0.0.1:4566
done
report dynalite+faults cas-register 0 1 -- --endpoint http://127.0.0.1:4567 --faults partition,delay
report moto-tls+faults register 0 1 -- --endpoint https://localhost:5443 --cacert "$work/cert.pem" --faults partition,delay
exit $failed
