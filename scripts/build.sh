#!/usr/bin/env bash
# Builds the program, and says how far it is: a first build takes a minute or two.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v go >/dev/null; then
	echo "Go was not found: install version $(awk '$1 == "go" {print $2}' go.mod) or newer from https://go.dev/dl/, and put it into PATH" >&2
	exit 1
fi
# -v names each package that is compiled; what is not a name is for people to read.
go build -v -o bin/techmart ./cmd/techmart 2>&1 | awk '
	/^go: downloading / { if (!downloads++) print "downloading the libraries (once)"; if (downloads % 10 == 0) print "  " downloads " downloaded"; fflush(); next }
	/^[a-z0-9][^ :]*$/  { if (!packages++) print "compiling (the first time takes a minute or two)"; if (packages % 100 == 0) print "  " packages " packages compiled"; fflush(); next }
	{ print; fflush() }' >&2
