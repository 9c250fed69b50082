#!/bin/sh
# Products that train: NAME_gradients() in C by both compilers and in an object by LLVM gives what run --gradients does, to
# the bit; the header compiles as C++; models that do not train have none of it.
. "$(dirname "$0")/lib.sh"
TENSOR=${8:?tensor}
r=$REFORMERC
ids='75 118 34 121 99 117 34 99 34 102 99 116 109 34 99 112 102 34 117 118 113 116 111 123 34 112 107 105 106 118'
strict='-Wall -Wextra -Werror -Wconversion'
show() { "$TENSOR" show "$1" "$2" 2>/dev/null | tail -n 1; }
build() { # COMPILER SOURCE PROGRAM
    check "build $3" 0 - with_libs "$1" -O1 -I. "$SOURCE/tests/cli/gradients.c" "$2" -o "$3"
}

# What a program writes, beside what `run` does; loss and gradients.
agree() { # PROGRAM SEED
    check "$1, seed $2" 0 - "./$1" product.weights "$2" got.st $ids
    cp .out loss
    "$FORGE" make in.st "input_ids:I32:1,30=$(echo $ids | tr ' ' ,)" "labels:I32:1,30=$(echo $ids | tr ' ' ,)" positions:I32:1=$(($2 % 3))
    check "run, seed $2" 0 - "$r" run $model --no-warnings $set --seed "$2" --input in.st --output out.st --gradients want.st
    check "$1: the gradients" 0 '' "$TENSOR" near got.st want.st 0
    equal "$1: the loss" "$(cat loss)" "$(show out.st loss)"
}

products() { # MODEL OPTIONS…: in C and as an object
    model=$1
    shift
    set=$*
    check translate 0 - "$r" $model --no-warnings $set -o product.c
    grep -q product_gradients product.h || fail 'the header has no gradients'
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        check "strict $compiler" 0 - with_flags $compiler -std=c11 -O1 $strict -c product.c -o product-$compiler.o
        build $compiler product-$compiler.o in-$compiler
        agree in-$compiler 5
    done
    if command -v c++ >/dev/null; then
        echo '#include "product.h"' >header.cc
        check 'header' 0 - with_flags c++ -std=c++11 $strict -I. -c header.cc -o header.o
    fi
    "$r" --version | grep -q 'no LLVM' && return
    check object 0 - "$r" $model --no-warnings $set -o product.o
    build cc product.o in-llvm
    agree in-llvm 4
}

{ small_spec; printf 'train: {memory: reversible}\n'; } >small.yaml

# A graph without attention, of layers that are stacked.
{ small_spec | sed 's/\[local\]/[local, local, local]/'; printf 'train: {memory: reversible}\n'; } >layers.yaml
check graph 0 - "$r" layers.yaml --no-warnings -o layers.graph
sed -E -e '/^(encoder\.layers\.[0-9]\.attention|layers\.[0-9]\.(attention_norm|query|key|value|self_attention|attention|y1)|mask|attention_mask)[. ]/d' \
    -e 's/layers\.[0-9]\.y1/embeddings/g' layers.graph >plain.graph
products plain.graph --weights random:1

# ---- bench --train, and a trace of its launches
SHOW_JSON=$6
check bench 0 '[0-9]+ tokens/s' "$r" bench plain.graph --no-warnings --train --repeat 1 --threads 1,2 --output b.json
says '^ +length +target +threads +one train step +tokens/s +GFLOP/s +of peak +update +its share$'
says 'its share is that of a step with it'
holds 'an update takes time' "$(value b.json cases.0.update_seconds.median) > 0"
holds 'less than all of it' "$(value b.json cases.1.update_share.median) < 1"
says '^ +feed_forward.grad.weights +[0-9]+ '
says 'Workspace: with the gradients'
json b.json output '"gradients"'
holds 'gradients are in the workspace' "$(value b.json cases.0.workspace_bytes) > 63000"
says '^ +32 .* 0 B$'
check 'what a step keeps' 0 '' "$r" bench "$CASES/k_train_clm_lsh_1hash" --no-warnings --train --lengths 64 --repeat 1 --threads 1 --set train.memory=auto
says '^  length  target +threads  workspace +peak RSS +streamed +GB/s +kept$'
says '^ +64 .* [1-9][0-9.]+ KiB$'
check 'a train step is not decoding' 1 'measures train steps, and --decode those of generation' "$r" bench plain.graph --train --decode
check 'a base model has no gradients' 1 'has no loss, and so no gradients' "$r" bench "$CASES/p_base_model_local_only" --no-warnings --train
"$r" --version | grep -q 'no LLVM' || {
    check trace 0 - "$r" run plain.graph --no-warnings --weights random:1 --input in.st --gradients t.st --instrument t.trace
    grep -q '"train step"' t.trace && grep -q 'feed_forward.grad' t.trace || fail 'the trace has no train step'
    checks=$((checks + 1))
}

# Without the section: as it was.
small_spec >none.yaml
check none 0 - "$r" none.yaml --no-warnings -o none.c
grep -q -e gradient -e train none.c none.h && fail 'a model that does not train speaks of it'
check 'no loss' 1 'has no loss to train it by' "$r" small.yaml --no-warnings --set 'architectures=[ReformerModel]' -o base.c
absent base.c base.h
finish
