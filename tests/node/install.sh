#!/bin/sh
# Puts the FFI package for Node where the tests look for it: beside what cargo builds. Needs the network once.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${CARGO_TARGET_DIR:-$here/../../target}/node
mkdir -p "$folder"
cp "$here/package.json" "$here/package-lock.json" "$folder/"
npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund
