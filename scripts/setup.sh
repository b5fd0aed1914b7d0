#!/bin/sh
# Make the virtual environment $1 with skypool and the tools of its developers in it.
# Where Debian's Python comes without its venv module, that is installed first.
set -eu
venv=$1
cd "$(dirname "$0")/.."

usable='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c "$usable" >/dev/null 2>&1; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    if ! python=$(find_python); then
        sh scripts/debian.sh --always python3 python3-venv
        if ! python=$(find_python); then
            echo "skypool needs Python 3.11 or newer, with its venv module" >&2
            exit 1
        fi
    fi
    echo "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
echo "installing skypool and its tools into $venv (a minute or two, the first time)"
log=$venv/install.log
if ! "$venv/bin/python" -m pip install --disable-pip-version-check --no-input -e '.[dev]' \
    >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "the installation failed; all of its output is in $log" >&2
    exit 1
fi
# Its modules compiled, as pip does for what it does not install from a folder in place: where
# PYTHONDONTWRITEBYTECODE is set, every start of the program would compile them again.
"$venv/bin/python" -m compileall -q src
