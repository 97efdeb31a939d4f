#!/usr/bin/env bash
# All checks and tests, as CI runs them: on real servers of their own, with the
# race detector, and with the coverage of hand-written code. Every fuzz target
# runs for some seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
minimum=80

scripts/test-deps.sh
scripts/lint.sh
scripts/drift.sh
scripts/web.sh
scripts/contract.sh test

packages=$(go list -f '{{if ne .Name "main"}}{{.ImportPath}}{{end}}' ./... | grep -v '/graph/generated$' | paste -sd,)
# go vet ran already. Two test binaries at a time leave the servers some room.
go run ./devstack/cmd/teststack run -- \
	go test -race -vet=off -p 2 -timeout 60m -covermode=atomic -coverpkg="$packages" -coverprofile=coverage.out ./... 2>&1 |
	sed -E '/^\t.*\tcoverage: 0\.0%/d; s/\tcoverage: .*$//'
scripts/fuzz.sh 5
scripts/coverage.sh coverage.out "$minimum"
