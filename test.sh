#!/bin/sh
# All tests, except those labelled `long`: installs what they need, builds, runs. Arguments go to ctest:
#   ./test.sh -R golden_c      ./test.sh -L long
set -eu
root=$(cd "$(dirname "$0")" && pwd)
"$root/scripts/packages.sh" gcc g++ libc6-dev clang libomp-dev cmake ninja-build pkg-config libyaml-dev \
    libjansson-dev libcmocka-dev llvm-19-dev gnuplot-nox clang-format binutils gdb lld python3-numpy mypy \
    gcc-aarch64-linux-gnu \
    libc6-dev-arm64-cross qemu-user
"$root/scripts/packages.sh" libsentencepiece-dev sentencepiece || echo "Going on without SentencePiece." >&2
"$root/scripts/packages.sh" man-db zsh fish valgrind || echo "Going on without man, zsh, fish, valgrind: what they would say is not known." >&2
"$root/scripts/packages.sh" musl-tools faketime locales || echo "Going on without musl, faketime, locales: what they would say is not known." >&2
"$root/scripts/packages.sh" nodejs chromium || echo "Going on without node and Chromium, which run WebAssembly." >&2
"$root/scripts/packages.sh" libopenmpi-dev openmpi-bin || echo "Going on without MPI." >&2
"$root/scripts/build.sh" release
cd "$root"
if [ $# -eq 0 ]; then set -- -LE long; fi
code=0
ctest --preset release --parallel "$(nproc)" "$@" || code=$?
times=build/release/Testing/Temporary/CTestCostData.txt
if [ "$code" -eq 0 ] && [ -e "$times" ]; then
    echo 'The slowest ten, in seconds:'
    sed '/^---/,$d' "$times" | sort -k 3 -rn | awk 'NR <= 10 { printf "%8.1f  %s\n", $3, $1 }'
fi
exit "$code"
