#!/usr/bin/env bash
# contract.sh [check|test|release]: checks graph/schema.graphql against the schema that was last released and
# the documents that clients have published, and lints it. "test" tries the checks on samples first; "release"
# makes the schema the released one.
set -euo pipefail
cd "$(dirname "$0")/../graph/contract"
task=${1:-check}

mark=$(sha256sum package-lock.json)
if [ "$(cat node_modules/.contract 2>/dev/null)" != "$mark" ]; then
	npm ci --prefer-offline --no-audit --no-fund --loglevel=error
	echo "$mark" >node_modules/.contract
fi
case $task in
check) ;;
test) NODE_ENV=test node --test --test-reporter=dot test/*.test.mjs ;;
release) ;;
*) echo "usage: contract.sh [check|test|release]" >&2; exit 2 ;;
esac
node manifests.mjs --check
node lint.mjs
node check.mjs "$task"
