#!/usr/bin/env bash
# docs.sh: builds the pages at /docs (docs/site/site.zip) where their sources have changed since.
set -euo pipefail
cd "$(dirname "$0")/.."

# What the pages are made of; the sum of it all is in the archive's neighbour.
sources() { find docs -name '*.md' -not -path 'docs/site/*' -print0; find docs/examples graph/schema -type f -print0; find docs/site -type f -not -path '*/node_modules/*' -not -path '*/.build*' -not -path '*/.vitepress/cache/*' -not -name 'site.*' -not -name '*.go' -print0; }
sum=$(sources | sort -zu | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
if [ "$(cat docs/site/site.sum 2>/dev/null)" = "$sum" ] && [ -e docs/site/site.zip ]; then
	exit 0
fi
(
	cd docs/site
	mark=$(sha256sum package-lock.json)
	if [ "$(cat node_modules/.docs 2>/dev/null)" != "$mark" ]; then
		npm ci --prefer-offline --no-audit --no-fund --loglevel=error >&2
		echo "$mark" >node_modules/.docs
	fi
	node build.mjs >.build.log 2>&1 || { cat .build.log >&2; exit 1; }
)
go run ./scripts/archive docs/site/.build/dist docs/site/site.zip
echo "$sum" >docs/site/site.sum
echo "the pages at /docs were built" >&2
