#!/usr/bin/env bash
# Tests real DynamoDB-compatible servers that growler's authors did not write: dynalite (npm), moto (PyPI, plain
# and behind TLS) and ministack (PyPI), all in memory, on loopback, started and stopped here.
#
#   examples/endpoints/run.sh [SECONDS] [SEED]      each test's length (default 10) and seed (default 1)
#   GROWLER=path/to/growler examples/endpoints/run.sh     with a binary that is there, rather than building one
#
# It installs the servers from their registries into target/endpoints, and needs node with npm, python3 with
# venv, openssl, and the ports 4566, 4567, 5000 and 5443. It prints one line a test: server, workload, verdict,
# exit code, operations, anomalies. A violation is a finding about that server, not a failure of this script;
# it exits 1 only when a test could not be run where it should have been, or a server is not what it was taken
# for.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-10} seed=${2:-1}
work=$PWD/target/endpoints
mkdir -p "$work"
if [ -z "${GROWLER:-}" ]; then
  cargo build --release --quiet
  GROWLER=$PWD/target/release/growler
fi

# A virtual environment counts as installed once its last step is done.
python_server() { # name requirement
  [ -f "$work/$1/installed" ] && return
  rm -rf "${work:?}/$1"
  python3 -m venv "$work/$1"
  "$work/$1/bin/pip" install --quiet --disable-pip-version-check "$2"
  touch "$work/$1/installed"
}

install() {
  [ -f "$work/node_modules/dynalite/cli.js" ] ||
    npm install --silent --no-audit --no-fund --prefix "$work" dynalite@4.0.0
  python_server moto 'moto[server]==5.2.5'
  python_server ministack ministack==1.5.33
  [ -f "$work/key.pem" ] || openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
}

servers=()
stop() {
  for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
  wait 2>/dev/null || true
}
trap stop EXIT

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() { # name port command...
  local name=$1 port=$2
  shift 2
  if listens "$port"; then
    echo "port $port, which $name needs, is in use" >&2
    exit 1
  fi
  "$@" >"$work/$name.log" 2>&1 &
  servers+=($!)
  for _ in $(seq 600); do
    listens "$port" && return
    kill -0 "${servers[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  echo "$name did not start; see $work/$name.log" >&2
  exit 1
}

failed=0
report() { # server workload expected-code... -- growler options...
  local server=$1 workload=$2 expected=()
  shift 2
  while [ "$1" != -- ]; do expected+=("$1"); shift; done
  shift
  local code=0
  "$GROWLER" test --workload "$workload" --time "${seconds}s" --seed "$seed" --out "$work/runs" --json "$@" \
    >"$work/verdict.json" 2>"$work/stderr.log" || code=$?
  printf '%-16s %-13s %s\n' "$server" "$workload" "$(summary "$code")"
  case " ${expected[*]} " in *" $code "*) return ;; esac
  failed=1
  echo "  expected one of these exit codes: ${expected[*]}"
}

# The verdict, in one line.
summary() { # exit-code
  python3 - "$1" "$work/verdict.json" "$work/stderr.log" <<'PYTHON'
import json, sys
code, verdict, stderr = sys.argv[1:]
try:
    results = json.load(open(verdict))
except ValueError:
    sys.exit(print("no verdict, exit", code, open(stderr).read().strip()))
anomalies = sorted({a["type"] for check in results["checks"].values() for a in check["anomalies"]})
stats = results["stats"]
counts = " ".join("%d %s" % (stats[kind], kind) for kind in ("ok", "fail", "info"))
print(results["verdict"], "exit " + code, counts, " ".join(anomalies), *results["reasons"][:1], sep="  ")
PYTHON
}

install
start dynalite 4567 node "$work/node_modules/dynalite/cli.js" --host 127.0.0.1 --port 4567 --createTableMs 20
start moto 5000 "$work/moto/bin/moto_server" -H 127.0.0.1 -p 5000
start moto-tls 5443 "$work/moto/bin/moto_server" -H 127.0.0.1 -p 5443 -s -c "$work/cert.pem" -k "$work/key.pem"
start ministack 4566 env BIND_HOST=127.0.0.1 GATEWAY_PORT=4566 "$work/ministack/bin/python" -m ministack

dynalite=(--endpoint http://127.0.0.1:4567)
moto=(--endpoint http://127.0.0.1:5000)
moto_tls=(--endpoint https://localhost:5443 --cacert "$work/cert.pem")
ministack=(--endpoint http://127.0.0.1:4566)
faults=(--faults partition,delay)

for workload in register cas-register; do
  report dynalite $workload 0 -- "${dynalite[@]}"
  report moto $workload 0 1 -- "${moto[@]}"
  report moto-tls $workload 0 1 -- "${moto_tls[@]}"
  report ministack $workload 0 -- "${ministack[@]}"
  report dynalite+faults $workload 0 -- "${dynalite[@]}" "${faults[@]}"
  report moto+faults $workload 0 1 -- "${moto[@]}" "${faults[@]}"
  report moto-tls+faults $workload 0 1 -- "${moto_tls[@]}" "${faults[@]}"
  report ministack+faults $workload 0 -- "${ministack[@]}" "${faults[@]}"
done
# ConsistentRead=false: judged by values, and in the end by repeated reads, since no replica can be asked by itself.
for workload in register set session lww; do
  report dynalite $workload 0 -- "${dynalite[@]}" --promise eventual
  report moto $workload 0 1 -- "${moto[@]}" --promise eventual
  report ministack $workload 0 -- "${ministack[@]}" --promise eventual
  report dynalite+faults $workload 0 -- "${dynalite[@]}" "${faults[@]}" --promise eventual
  report ministack+faults $workload 0 -- "${ministack[@]}" "${faults[@]}" --promise eventual
done
# dynalite has no transactions: the bank is refused by name. moto serves requests on threads that share its
# tables without a lock, so its transactions are not isolated; they are slow, too, hence the smaller loads.
report dynalite bank 4 -- "${dynalite[@]}"
report moto bank 0 1 -- "${moto[@]}" --min-ok 100
report moto-tls bank 0 1 -- "${moto_tls[@]}" --min-ok 50 --concurrency 4 --timeout 5s
report ministack bank 0 -- "${ministack[@]}"
report ministack+faults bank 0 -- "${ministack[@]}" "${faults[@]}"
exit $failed
