#!/bin/sh
# All tests, except those labelled `long`: installs what they need, builds, runs. Arguments go to ctest:
#   ./test.sh -R golden_c      ./test.sh -L long
set -eu
root=$(cd "$(dirname "$0")" && pwd)
"$root/scripts/packages.sh" gcc g++ libc6-dev clang libomp-dev cmake ninja-build pkg-config libyaml-dev \
    libjansson-dev libcmocka-dev llvm-19-dev gnuplot-nox clang-format binutils gdb lld python3-numpy mypy \
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
# What a test does not find it skips, and says so.
optional() {
    "$root/scripts/packages.sh" "$@" || echo "Going on without $*: what they would say is not known." >&2
}
optional libsentencepiece-dev sentencepiece
optional libopenmpi-dev openmpi-bin
optional musl-tools faketime locales
optional man-db zsh fish nodejs
case $* in
*long*) optional valgrind chromium lintian cppcheck clang-tidy rustc bindgen python3-venv ;;
esac
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
