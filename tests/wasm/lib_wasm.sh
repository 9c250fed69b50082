# Sourced behind tests/cli/lib.sh: WebAssembly.
#
#   needs PROGRAM PACKAGE…      ends the test, as skipped, where a program is missing
#   module OUT SOURCE OPTION…   links SOURCE with model.c (or model.o) of this folder and the runtime
web=$SOURCE/runtime/web
export REFORMERC

needs() {
    while [ $# -gt 0 ]; do
        if ! command -v "$1" >/dev/null; then
            echo "SKIPPED: needs $1 (Debian: $2)"
            exit 77
        fi
        shift 2
    done
}

module() {
    wasm=$1 source=$2 object=$3
    shift 3
    clang --target=wasm32 -std=c11 -O1 -mbulk-memory -ffreestanding -nostdlib -isystem "$web/libc" -I. -I"$web" \
        -I"$SOURCE/runtime" -Wall -Wextra -Wconversion -Werror "$@" "$source" "$object" "$web/memory.c" \
        "$SOURCE"/runtime/*.c -Wl,--no-entry,--stack-first,-z,stack-size=1048576 -o "$wasm"
}
