#!/usr/bin/env bash
# Installs Debian's PostgreSQL server where none is, for the tests and benchmarks that want a real one. Those start
# clusters of their own, each in a folder of its own; the service of the package is not used.
#   scripts/postgres.sh        needs root, or sudo that asks nothing
set -euo pipefail
if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "postgres.sh: no apt-get here; install PostgreSQL 15 or later by hand" >&2
  exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends postgresql >/dev/null
