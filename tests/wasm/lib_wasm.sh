# Sourced behind tests/cli/lib.sh: WebAssembly.
#
#   needs PROGRAM PACKAGE…      ends the test, as skipped, where a program is missing
#   runtime_objects             the runtime, to rt/
#   module OUT FILE…            compiles without optimisation, and links with it
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

for_wasm() {
    clang --target=wasm32 -std=c11 -mbulk-memory -ffreestanding -nostdlib -isystem "$web/libc" -I. -I"$web" \
        -I"$SOURCE/runtime" -Wall -Wextra -Wconversion -Werror "$@"
}

runtime_objects() {
    mkdir -p rt
    set -- "$web/host.c"
    for file in "$SOURCE"/runtime/*.c; do
        case ${file##*/} in cpus.c | openmp.c | pool.c | threads.c) continue ;; esac
        set -- "$@" "$file"
    done
    (cd rt && for_wasm -O0 -c "$@")
}

module() {
    wasm=$1
    shift
    for_wasm -O0 "$@" rt/*.o -Wl,--no-entry,--stack-first,-z,stack-size=1048576 -o "$wasm"
}
