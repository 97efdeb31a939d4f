#!/usr/bin/env bash
# Checks the shop front: types, lint, unit tests; and builds it anew: what is committed must be what its sources make.
set -euo pipefail
cd "$(dirname "$0")/../clients/web"

# What is built depends on the sources, the lock file and the schema alone, and stands in these.
sums() { find dist persisted-query-manifest.json -type f -print0 | sort -z | xargs -0 sha256sum; }

npm ci --prefer-offline --no-audit --no-fund --loglevel=error >/dev/null
before=$(sums)
npm run --silent build -- --logLevel=error
after=$(sums)
npm run --silent typecheck
npm run --silent lint
npm run --silent test -- --reporter=dot
if [ "$before" != "$after" ] && [ "${1:-}" != build ]; then
	echo "the shop front was out of date, and has been built anew; review and commit clients/web:" >&2
	diff <(echo "$before") <(echo "$after") | awk '/^[<>]/ {print $3}' | sort -u >&2
	exit 1
fi
echo "shop front: up to date"
