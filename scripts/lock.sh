#!/bin/sh
# Pin what pyproject.toml allows, each version with its hashes; the locks name no index.
#
#   sh scripts/lock.sh [--upgrade]     keeps the pins there are, unless told to move them
#
# Three locks: what runs, what develops and tests, and what builds a wheel for the image.
set -eu
cd "$(dirname "$0")/.."

lock() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links "$@"
}

lock "$@" pyproject.toml --output-file requirements.lock
lock "$@" pyproject.toml --extra dev --constraint requirements.lock \
    --output-file requirements-dev.lock
lock "$@" --group build --constraint requirements-dev.lock --output-file requirements-build.lock
