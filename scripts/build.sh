#!/usr/bin/env bash
# Builds the program, and says how far it is: a first build takes a minute or two.
set -euo pipefail
cd "$(dirname "$0")/.."
# -v names each package that is compiled; what is not a name is for people to read.
go build -v -o bin/techmart ./cmd/techmart 2>&1 | awk '
	/^go: downloading / { if (!downloads++) print "downloading the libraries (once)"; if (downloads % 10 == 0) print "  " downloads " downloaded"; fflush(); next }
	/^[a-z0-9][^ :]*$/  { if (!packages++) print "compiling (the first time takes a minute or two)"; if (packages % 100 == 0) print "  " packages " packages compiled"; fflush(); next }
	{ print; fflush() }' >&2
