#!/usr/bin/env bash
# The dashboard in a real browser. Installs what is missing (Debian's Chromium and a font, the test's own packages).
#
#   scripts/browser.sh            the page alone, against its mock host; and, where POINTSMAN_URL names a running host,
#                                 the page of that host (see tests/browser/dashboard.mjs for its other variables)
#   scripts/browser.sh host       the page of the running host only
#   scripts/browser.sh prepare    install only
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-all}

if [ ! -x "${CHROMIUM:-/usr/bin/chromium}" ] || ! fc-list 2>/dev/null | grep -qi dejavu; then
  apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core fontconfig >/dev/null
fi
[ -d tests/browser/node_modules/playwright-core ] || npm ci --prefix tests/browser --silent
[ "$what" != prepare ] || exit 0

status=0
if [ "$what" != host ]; then
  [ -d web/node_modules/ws ] || npm ci --prefix web --silent
  [ -f web/dist/index.html ] || npm run --prefix web --silent build
  node tests/browser/page.mjs || status=1
fi
if [ "$what" = host ] || [ -n "${POINTSMAN_URL:-}" ]; then
  node tests/browser/dashboard.mjs || status=1
fi
exit "$status"
