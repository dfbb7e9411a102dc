#!/bin/sh
# Install the project, editable and exactly as locked, into a virtual environment.
#
#   sh scripts/install.sh [FOLDER]     default: the active environment, else .venv
#
# A second run with the same lock files does nothing. PYTHON names another interpreter.
set -eu
cd "$(dirname "$0")/.."

venv=${1:-${VIRTUAL_ENV:-.venv}}
python=${PYTHON:-python3}
locked="requirements-dev.lock pyproject.toml scripts/install.sh"
stamp="$venv/.installed-from-lock"

fail() {
    echo "install: $1" >&2
    exit 1
}

make_venv() {
    command -v "$python" >/dev/null ||
        fail "no $python here: install Python 3.11 or newer, or set PYTHON to one"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" --version) is too old: set PYTHON to a Python 3.11 or newer"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "this Python makes no virtual environments: on Debian or Ubuntu, install python3-venv"
    "$python" -m venv "$venv"
}

# shellcheck disable=SC2086 # a list of names
wanted="$(cat $locked | cksum) $PWD"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

echo "Installing into $venv what requirements-dev.lock pins (once; 0.8 GB, one to three minutes) ..."
[ -x "$venv/bin/python" ] || make_venv
pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet install --no-deps "$@"
}
# Wheels only: nothing is compiled, so no compiler is needed and no setup.py runs.
pip --require-hashes --only-binary :all: -r requirements-dev.lock
# The build backend is in the lock: without isolation, nothing else is fetched.
pip --no-build-isolation -e .
echo "$wanted" >"$stamp"
echo "Installed. Commands: $venv/bin/ls-active --help"
