#!/bin/sh
# Install what the page of the Product Browser is built and tested with, if it is not there as
# the lock file has it. Never fails: without Node's npm, what needs it is skipped.
set -u
cd "$(dirname "$0")/../frontend" || exit 0
if ! command -v npm >/dev/null 2>&1; then
    echo "npm is missing (Node 20.19 or newer): building the page again is skipped" >&2
    exit 0
fi
# npm writes this file when it is done.
[ node_modules/.package-lock.json -nt package-lock.json ] && exit 0
echo "installing the packages of the front end" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
npm ci --no-audit --no-fund >"$log" 2>&1 </dev/null && exit 0
tail -n 5 "$log" >&2
echo "npm ci failed; what needs it is skipped" >&2
exit 0
