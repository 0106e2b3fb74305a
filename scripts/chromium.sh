#!/usr/bin/env bash
# Installs Debian's Chromium where none is, for the tests that want a real browser.
#   scripts/chromium.sh        needs root, or sudo that asks nothing
set -euo pipefail
for browser in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
  if [ -n "$browser" ] && command -v "$browser" >/dev/null; then exit 0; fi
done
if ! command -v apt-get >/dev/null; then
  echo "chromium.sh: no apt-get here; install Chromium by hand, and name it in CHROMIUM where it is not in /usr/bin" >&2
  exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium >/dev/null
