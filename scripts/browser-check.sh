#!/usr/bin/env bash
# The page alone against its mock, then the page of a host that really runs: browser-check.sh PROGRAM
set -eu
cd "$(dirname "$0")/.."
program=${1:?usage: browser-check.sh PROGRAM}

env -u POINTSMAN_URL scripts/browser.sh

directory=$(mktemp -d)
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
cp -r policies "$directory/policies"
"$program" up --demo --data "$directory/data" --listen "127.0.0.1:$port" --policies "$directory/policies" >"$directory/host.log" 2>&1 &
host=$!
finish() {
  status=$?
  kill "$host" 2>/dev/null || true
  wait "$host" 2>/dev/null || true
  if [ "$status" != 0 ]; then
    echo "--- the host's last words" >&2
    tail -n 30 "$directory/host.log" >&2
  fi
  rm -rf "$directory"
}
trap finish EXIT

export POINTSMAN_URL="http://127.0.0.1:$port"
node -e '
  const until = Date.now() + 60_000;
  const ask = () => fetch(process.env.POINTSMAN_URL + "/readyz").then((answer) => answer.ok, () => false).then((ready) => {
    if (ready) return;
    if (Date.now() > until) { console.error("the host did not become ready within 60 s"); process.exit(1); }
    setTimeout(ask, 100);
  });
  ask();'
POINTSMAN_SWAP_CMD="'$program' policy activate plugins/dist/retry_backoff.wasm --reason 'browser-check swaps it'" \
POINTSMAN_SWAP_KIND=retry scripts/browser.sh host
