#!/bin/sh
# libLLVM is loaded when it makes code and not before; where it is not there, everything else runs, and what needs it says so.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
if "$r" --version | grep -q 'no LLVM'; then
    echo 'SKIPPED: no LLVM'
    exit 0
fi
small_spec >m.yaml
"$FORGE" make in.st "input_ids:I32:1,32=$(seq -s , 1 32)"
run() { "$r" run m.yaml --weights random:1 --input in.st --output out.st "$@"; }

loads() { # YES-OR-NO COMMAND…
    checks=$((checks + 1))
    name="whether it loads LLVM: $*"
    wanted=$1
    shift
    env LD_DEBUG=files "$@" >.out 2>.err </dev/null || fail "it fails"
    found=no
    grep -q 'calling init.*libLLVM' .err && found=yes
    [ $found = "$wanted" ] || fail "$found, not $wanted"
}
loads no "$r" --version
loads no "$r" m.yaml -o m.c
loads no "$r" run m.yaml --weights random:1 --input in.st --output want.st --backend interpreter
loads yes "$r" m.yaml -o m.o
loads yes "$r" run m.yaml --weights random:1 --input in.st --output out.st --backend jit
llvm=$(sed -n 's/.*file=\(libLLVM[^ ]*\) .*dynamically loaded.*/\1/p' .err | head -n 1)
rm m.* out.st
small_spec >m.yaml
# Where the loader has nothing good of that name, it is the file that CMake found.
mkdir wrong
: >"wrong/$llvm"
check 'the file in place of the name' 0 '' env LD_LIBRARY_PATH="$PWD/wrong" "$r" run m.yaml --weights random:1 \
    --input in.st --output out.st --backend jit
same 'and it gives the same' out.st want.st
rm out.st

missing() { # LIBRARY PATTERN
    check "jit with $1" 1 "error: LLVM cannot be loaded: $2" env REFORMERC_LLVM="$1" "$r" run m.yaml \
        --weights random:1 --input in.st --output out.st --backend jit
    check "hint with $1" 1 'hint: install libllvm[0-9]+, or name its file in the variable REFORMERC_LLVM; back ends c' \
        env REFORMERC_LLVM="$1" "$r" m.yaml -o m.o
    absent out.st m.o m.h m.weights
}
missing /no/libLLVM.so '/no/libLLVM.so: cannot open shared object file'
missing libc.so.6 'it (is older than LLVM|has no LLVM)'

export REFORMERC_LLVM=/no/libLLVM.so
check 'version without' 0 - "$r" --version
check 'C without' 0 - "$r" m.yaml -o m.c
check 'interpreter without' 0 '' run --backend interpreter
same 'and to the bit' out.st want.st
export REFORMERC_LLVM=
check 'an empty name is none' 0 '' run --backend jit
same 'and gives the same' out.st want.st
finish
