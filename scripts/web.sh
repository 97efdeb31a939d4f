#!/usr/bin/env bash
# Checks the pages that are part of the binary, the shop front and the playground: types, lint, unit tests; and
# builds them anew: what is committed must be what their sources make. "build" leaves what was built.
set -euo pipefail
cd "$(dirname "$0")/.."
task=${1:-check}

# page NAME DIRECTORY SCRIPT...: builds a page, which depends on its sources, its lock file and the schema alone.
page() {
	local name=$1 directory=$2 before after
	shift 2
	pushd "$directory" >/dev/null
	sums() { find dist $(ls persisted-query-manifest.json 2>/dev/null) -type f -print0 | sort -z | xargs -0 sha256sum; }
	npm ci --prefer-offline --no-audit --no-fund --loglevel=error >/dev/null
	before=$(sums)
	npm run --silent build -- --logLevel=error
	after=$(sums)
	for script in "$@"; do npm run --silent "$script"; done
	popd >/dev/null
	if [ "$before" != "$after" ] && [ "$task" != build ]; then
		echo "$name was out of date, and has been built anew; review and commit $directory:" >&2
		diff <(echo "$before") <(echo "$after") | awk '/^[<>]/ {print $3}' | sort -u >&2
		exit 1
	fi
	echo "$name: up to date"
}

page "the shop front" clients/web typecheck lint test
page "the playground" gateway/playground
