#!/bin/sh
# A product from outside: plain `cc -O2`, the header in C and C++, what --cflags and --libs say. Its logits are
# those of `reformerc run`, to the bit, with mapped or read weights, the built-in threads or its own.
. "$(dirname "$0")/lib.sh"
SHOW_ROW=${5:?show_row}
r=$REFORMERC
ids='75 118 34 121 99 117 34 99 34 102 99 116 109 34 99 112 102 34 117 118 113 116 111 123 34 112 107 105 106 118'
strict='-Wall -Wextra -Werror -Wconversion'

# The default translation (all levels of the CPU, any length) once, by the default compiler; compilers take half a
# minute for it. What the others build is translated for this CPU alone.
check translate 0 - "$r" "$CHECKPOINT" -o product.c
check strict 0 - with_flags cc -std=c11 -O2 $strict -c product.c -o strict-cc.o
check build 0 - with_libs cc -O2 -I. "$SOURCE/tests/cli/product.c" strict-cc.o -o c-cc
check run 0 - ./c-cc product.weights $ids
cp .out logits-c-cc

mkdir native
check 'translate for this CPU' 0 - "$r" "$CHECKPOINT" -o native/product.c --target native
for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    # OpenMP of the runtime's compiler is in --libs; clang needs libomp for it.
    check "strict $compiler" 0 - with_flags $compiler -std=c11 -O2 $strict -c native/product.c -o strict-$compiler.o
    check "build $compiler" 0 - with_libs $compiler -O2 -Inative "$SOURCE/tests/cli/product.c" strict-$compiler.o -o c-$compiler
    check "run $compiler" 0 - ./c-$compiler native/product.weights $ids
    cp .out logits-c-$compiler
done
for compiler in c++ g++ clang++; do
    command -v $compiler >/dev/null || continue
    echo '#include "product.h"' >header.cc
    check "header $compiler" 0 - with_flags $compiler -std=c++11 $strict -I. -c header.cc -o header.o
    check "build $compiler" 0 - with_libs $compiler -O2 -std=c++17 -I. "$SOURCE/tests/cli/product.cc" strict-cc.o -o cpp-$compiler
    check "run $compiler" 0 - ./cpp-$compiler product.weights $ids
    cp .out logits-cpp-$compiler
done

values=$(echo $ids | tr ' ' ,)
"$FORGE" make in.st "input_ids:I32:1,30=$values"
# No length was named, so the product is the `dynamic` form, bit for bit.
check run 0 '' "$r" run "$CHECKPOINT" --set compile.sequence_length=dynamic --input in.st --output out.st
"$SHOW_ROW" out.st >want
name=logits
[ "$(wc -l <want)" -eq 258 ] || fail 'no logits to compare with'
for file in logits-*; do
    checks=$((checks + 1))
    cmp -s want "$file" || fail "$file differs from what run gives"
done

# No libc beyond memory functions, no libm, no state.
name=symbols
if command -v nm >/dev/null; then
    undefined=$(nm -u strict-cc.o | awk '{ print $2 }' | grep -vE '^(reformer_[a-z_]+|mem(cpy|set|move|cmp)|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail)$')
    [ -z "$undefined" ] || fail "generated code needs: $undefined"
    state=$(size -A strict-cc.o | awk '$1 == ".data" || $1 == ".bss" { n += $2 } END { print n + 0 }')
    [ "$state" -eq 0 ] || fail "generated code has $state bytes of writable data"
fi

# Errors instead of surprises.
check wrong-weights 1 'bind' ./c-cc product.c $ids
check bad-id 1 'forward' ./c-cc product.weights 1 2 258
head -c 100000 product.weights >cut.weights
check cut-weights 1 'bind' ./c-cc cut.weights $ids
{ head -c 50000 product.weights; printf 'xxxx'; tail -c +50005 product.weights; } >spoilt.weights
check spoilt-weights 1 'check' ./c-cc spoilt.weights $ids
check fast-math 1 '' with_flags cc -O2 -ffast-math -c product.c -o fast.o
finish
