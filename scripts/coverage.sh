#!/usr/bin/env bash
# coverage.sh FILE [MINIMUM]: shows statement coverage by package over
# hand-written code, and fails when the total is under MINIMUM percent.
# A statement is covered when the tests of any package run it.
set -euo pipefail
profile=$1
minimum=${2:-0}

grep -vE '^mode:|/graph/generated/|models_gen\.go:|_gen\.go:|/cmd/' "$profile" |
	awk -v minimum="$minimum" '
	{
		split($1, at, ":")
		statements[$1] = $2
		if ($3 > 0) hit[$1] = 1
		file[$1] = at[1]
	}
	END {
		for (block in statements) {
			package = file[block]
			sub("/[^/]*$", "", package)
			all[package] += statements[block]; total += statements[block]
			if (block in hit) { covered[package] += statements[block]; total_covered += statements[block] }
		}
		if (total == 0) { print "coverage: the profile is empty"; exit 1 }
		for (package in all) printf "%6.1f %%  %s\n", 100 * covered[package] / all[package], package | "sort -k3"
		close("sort -k3")
		percent = 100 * total_covered / total
		printf "total coverage of hand-written code: %.1f %% of %d statements\n", percent, total
		if (percent < minimum) { printf "coverage is under %s %%\n", minimum; exit 1 }
	}'
