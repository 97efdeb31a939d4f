#!/bin/sh
# Fetches the explorer's built files from npm into assets/, compressed as they are served.
# Run it after changing a version; the files are committed.
set -eu
graphiql=3.8.3 react=18.3.1
out=$(cd "$(dirname "$0")" && pwd)/assets
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

# take PACKAGE VERSION FILE NAME
take() {
	tgz=$(npm pack --silent "$1@$2")
	tar xzf "$tgz" "package/$3"
	gzip -9 -n -c "package/$3" >"$out/$4.gz"
}
take graphiql $graphiql graphiql.min.js graphiql.js
take graphiql $graphiql graphiql.min.css graphiql.css
take react $react umd/react.production.min.js react.js
take react-dom $react umd/react-dom.production.min.js react-dom.js
ls -l "$out"
