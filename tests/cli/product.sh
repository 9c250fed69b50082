#!/bin/sh
# Products from outside: plain `cc -O2`, the header in C and C++, what --cflags and --libs say. Logits are those of
# `reformerc run`, to the bit, with mapped or read weights, the built-in threads or its own; the product that writes text
# (writer.c) writes what Hugging Face wrote with the same weights and prompt, from C and from an object.
. "$(dirname "$0")/lib.sh"
SHOW_ROW=${5:?show_row} TENSOR=${8:?tensor}
r=$REFORMERC
ids='75 118 34 121 99 117 34 99 34 102 99 116 109 34 99 112 102 34 117 118 113 116 111 123 34 112 107 105 106 118'
strict='-Wall -Wextra -Werror -Wconversion'
"$FORGE" make in.st "input_ids:I32:1,30=$(echo $ids | tr ' ' ,)"

# What programs print, in the files KIND-*, against what `run` gives.
agree() { # KIND MODEL ARGUMENTS…
    kind=$1
    shift
    check "run, $kind" 0 '' "$r" run "$@" --input in.st --output out.st
    "$SHOW_ROW" out.st >want
    name=logits
    [ "$(wc -l <want)" -eq 258 ] || fail 'no logits to compare with'
    for file in "$kind"-*; do
        checks=$((checks + 1))
        cmp -s want "$file" || fail "$file differs from what run gives"
    done
}

# The default translation: all levels of the CPU, any length. Compilers take long for it, so the model is small.
hashing_spec >small.yaml
check translate 0 - "$r" small.yaml --weights random:1 -o product.c
check strict 0 - with_flags cc -std=c11 -O2 $strict -c product.c -o strict-cc.o
check build 0 - with_libs cc -O2 -I. "$SOURCE/tests/cli/product.c" strict-cc.o -o c-cc
check run 0 - ./c-cc product.weights $ids
cp .out small-c-cc
first=
for compiler in c++ g++ clang++; do
    command -v $compiler >/dev/null || continue
    whose=$(readlink -f "$(command -v $compiler)")
    case " $first " in *" $whose "*) continue ;; esac # one of them by two names
    first="$first $whose"
    echo '#include "product.h"' >header.cc
    check "header $compiler" 0 - with_flags $compiler -std=c++11 $strict -I. -c header.cc -o header.o
    check "build $compiler" 0 - with_libs $compiler -O2 -std=c++17 -I. "$SOURCE/tests/cli/product.cc" strict-cc.o -o cpp-$compiler
    check "run $compiler" 0 - ./cpp-$compiler product.weights $ids
    cp .out small-cpp-$compiler
done
# No length was named, so the product is the `dynamic` form, bit for bit.
agree small small.yaml --weights random:1 --set compile.sequence_length=dynamic

# A trained model for this CPU, by both compilers, whose object serves both programs.
mkdir native
sed 's/product/writer/g' "$SOURCE/tests/cli/product.c" >native/show.c
check 'translate for this CPU' 0 - "$r" "$CHECKPOINT" -o native/writer.c --target native
for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    level=-O2
    [ $compiler = gcc ] && level=-O0 # the other model is compiled with its -O2
    check "strict $compiler" 0 - with_flags $compiler -std=c11 $level $strict -c native/writer.c -o native/$compiler.o
    check "build $compiler" 0 - with_libs $compiler -O2 -Inative native/show.c native/$compiler.o -o show-$compiler
    check "run $compiler" 0 - ./show-$compiler native/writer.weights $ids
    cp .out trained-$compiler
    check "build writer $compiler" 0 - with_libs $compiler -O2 $strict -Inative "$SOURCE/tests/cli/writer.c" native/$compiler.o -o write-$compiler
done
agree trained "$CHECKPOINT" --set compile.sequence_length=dynamic

# ---- text ----
if ! "$r" --version | grep -q 'no LLVM'; then
    mkdir object
    check object 0 - "$r" "$CHECKPOINT" --target native -o object/writer.o
    check 'build object' 0 - with_libs cc -O2 -Inative "$SOURCE/tests/cli/writer.c" object/writer.o -o write-object
    same 'header of an object' object/writer.h native/writer.h
fi
"$TENSOR" text "$CHECKPOINT/decode.safetensors" input_ids >prompt
"$TENSOR" text "$CHECKPOINT/decode.safetensors" tokens >text
[ "$(wc -c <text)" -eq 256 ] || fail 'no text to compare with'
for program in write-*; do
    checks=$((checks + 1))
    name=$program
    ./$program native/writer.weights 256 <prompt >got || fail 'ended with an error'
    cmp -s text got || fail 'wrote something else'
    ./$program native/writer.weights 256 0.8 <prompt >got || fail 'ended with an error'
    cmp -s text got && fail 'a temperature changes nothing'
done
check no-prompt 1 'generate: the length is 0' ./$program native/writer.weights 4 </dev/null
check too-many 1 'prompt and tokens' ./$program native/writer.weights 1000 <prompt
check no-weights 1 'nothing: ' ./$program nothing 4 <prompt

# ---- what generated code needs ----
# No libc beyond memory functions, no libm, no state.
for object in strict-cc.o native/*.o; do
    command -v nm >/dev/null || continue
    checks=$((checks + 1))
    name="symbols of $object"
    undefined=$(nm -u "$object" | awk '{ print $2 }' | grep -vE '^(reformer_[a-z_]+|mem(cpy|set|move|cmp)|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail)$')
    [ -z "$undefined" ] || fail "generated code needs: $undefined"
    state=$(size -A "$object" | awk '$1 == ".data" || $1 == ".bss" { n += $2 } END { print n + 0 }')
    [ "$state" -eq 0 ] || fail "generated code has $state bytes of writable data"
done

# Errors instead of surprises.
check wrong-weights 1 'bind' ./c-cc product.c $ids
check bad-id 1 'forward' ./c-cc product.weights 1 2 258
half=$(($(wc -c <product.weights) / 2))
head -c $half product.weights >cut.weights
check cut-weights 1 'bind' ./c-cc cut.weights $ids
{ head -c $half product.weights; printf 'xxxx'; tail -c +$((half + 5)) product.weights; } >spoilt.weights
check spoilt-weights 1 'check' ./c-cc spoilt.weights $ids
check fast-math 1 'error: .*fast-math' with_flags cc -O2 -ffast-math -E product.c -o fast.i
finish
