#!/bin/sh
# Install Debian packages for the programs that are missing:
#   sh scripts/debian.sh [--always] PROGRAM[:PACKAGE] ...
# The package has the program's name unless given; --always does not look for a program.
# Never fails: where a package cannot be had, it says what will be skipped.
set -u
always=
if [ "${1:-}" = --always ]; then
    always=yes
    shift
fi

missing=
for item in "$@"; do
    program=${item%%:*}
    if [ -n "$always" ] || ! command -v "$program" >/dev/null 2>&1; then
        missing="$missing ${item#*:}"
    fi
done
[ -n "$missing" ] || exit 0

skip() {
    echo "not installed:$missing ($1); what needs it is skipped" >&2
    exit 0
}

command -v apt-get >/dev/null 2>&1 || skip "this system has no apt-get"
if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null 2>&1 && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    root=sudo
else
    skip "needs root: apt-get install$missing"
fi

echo "installing Debian packages:$missing" >&2
install() {
    # shellcheck disable=SC2086  # a list of words is meant
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install >"$log" 2>&1 </dev/null && exit 0
# The lists of packages may be absent or old.
{ $root apt-get update -q && install; } >"$log" 2>&1 </dev/null && exit 0
tail -n 5 "$log" >&2
skip "apt-get failed"
