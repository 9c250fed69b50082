#!/bin/sh
# build.sh PRESET [-DNAME=VALUE] [TARGET…]: configures and builds, whatever state the build folder is in.
set -eu
cd "$(dirname "$0")/.."
preset=$1
shift
define=
case ${1-} in -D*) define=$1; shift ;; esac
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A cache of another place or generator makes the first try fail; then start afresh.
if ! cmake --preset "$preset" $define >"$log" 2>&1 && ! cmake --fresh --preset "$preset" $define >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
if [ $# -gt 0 ]; then set -- --target "$@"; fi
cmake --build --preset "$preset" "$@"
