#!/usr/bin/env bash
# fuzz.sh [SECONDS [PACKAGE...]]: runs every fuzz target of the repository, or of the packages named,
# for so many seconds each (5 unless told). An input that fails is written below testdata/fuzz of its
# package, where it is a test from then on: commit it with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-5}
shift || true

# grep narrows what is compiled; the compiled tests say which targets there are.
packages=("$@")
[ $# -gt 0 ] || mapfile -t packages < <(grep -rlE --include='*_test.go' --exclude-dir=.data --exclude-dir=node_modules '^func Fuzz' . | xargs -n1 dirname | sort -u)
[ ${#packages[@]} -gt 0 ] || { echo "there is no fuzz target" >&2; exit 1; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# fuzz PACKAGE TARGET; beside its time the target has the time to build it and to run its seeds.
fuzz() { timeout $((seconds + 300)) go test -run '^$' -fuzz "^$2\$" -fuzztime "${seconds}s" -parallel 2 "$1" >"$log" 2>&1; }

count=0
for package in "${packages[@]}"; do
	listed=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$listed" || true); do
		# The engine may report its own end of time as a failure: that is tried again, a failing input never is.
		if ! fuzz "$package" "$target" && { ! grep -q '^ *context deadline exceeded$' "$log" || grep -q 'Failing input' "$log" || ! fuzz "$package" "$target"; }; then
			cat "$log" >&2
			echo "fuzz: $package $target failed" >&2
			exit 1
		fi
		count=$((count + 1))
		echo "fuzz: $package $target: $(grep -o 'execs: [0-9]*' "$log" | tail -1), ${seconds} s"
	done
done
[ "$count" -gt 0 ] || { echo "there is no fuzz target in ${packages[*]}" >&2; exit 1; }
