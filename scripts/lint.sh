#!/usr/bin/env bash
# Formatting, go vet and staticcheck over all packages.
set -euo pipefail
cd "$(dirname "$0")/.."

unformatted=$(find . -name '*.go' -not -path './.data/*' -not -path '*/node_modules/*' -print0 | xargs -0 gofmt -l)
if [ -n "$unformatted" ]; then
	echo "not formatted, run gofmt -w on:" >&2
	echo "$unformatted" >&2
	exit 1
fi
echo "gofmt: ok"
go vet ./...
echo "go vet: ok"
go tool staticcheck ./...
echo "staticcheck: ok"
