#!/usr/bin/env bash
# The tests of those packages whose tests need no server.
set -euo pipefail
cd "$(dirname "$0")/.."

go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... |
	grep -vE '/devstack(/stacktest)?( |$)|/e2e ' | cut -d' ' -f1 | xargs go test
