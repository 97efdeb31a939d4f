#!/usr/bin/env bash
# Fails when the generated code is not what the generator makes of its sources.
set -euo pipefail
cd "$(dirname "$0")/.."

sums() { find graph/generated graph/model graph/schema.graphql clients/go docs/site/site.sum -type f -print0 | sort -z | xargs -0 sha256sum; }
before=$(sums)
go generate ./...
scripts/docs.sh
after=$(sums)
if [ "$before" != "$after" ]; then
	echo "generated code was out of date, and has been generated anew; review and commit:" >&2
	diff <(echo "$before") <(echo "$after") | awk '/^[<>]/ {print $3}' | sort -u >&2
	exit 1
fi
echo "generated code: up to date"
