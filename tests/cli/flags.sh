#!/bin/sh
# What flags and neighbours may do to generated code: parts of -ffast-math are refused or change no bit of the logits;
# two models in one translation unit compute what each does alone.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
ids='3 1 4 15 9 26 5 35 8 9 7 9'
cat >tiny.yaml <<'SPEC'
architectures: [ReformerModelWithLMHead]
is_decoder: true
vocab_size: 40
attn_layers: [lsh]
hidden_size: 16
num_attention_heads: 2
attention_head_size: 8
feed_forward_size: 24
axial_pos_shape: [4, 8]
axial_pos_embds_dim: [8, 8]
max_position_embeddings: 32
local_attn_chunk_length: 8
lsh_attn_chunk_length: 8
num_buckets: 4
initializer_range: 0.3
SPEC
sed 's/product/second/g; s/PRODUCT/SECOND/g' "$SOURCE/tests/cli/product.c" >second_main.c
check product 0 '' "$r" tiny.yaml --weights random:1 -o product.c --target x86-64-v3
check second 0 '' "$r" tiny.yaml --weights random:2 -o second.c --target x86-64 --set num_hashes=2

logits() { # MODEL MAIN OBJECT OUT
    check "link $3" 0 '' with_libs "$compiler" -I. "$2" "$3" -o "$3.program"
    check "run $3" 0 - "./$3.program" "$1.weights" $ids
    cp .out "$4"
}

for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    for model in product second; do
        main=$SOURCE/tests/cli/product.c
        [ $model = product ] || main=second_main.c
        check "plain $model" 0 - with_flags $compiler -O1 -c $model.c -o $model-$compiler.o
        logits $model "$main" $model-$compiler.o $model-$compiler.txt
    done
    for flags in '-Ofast -fno-finite-math-only' -funsafe-math-optimizations -freciprocal-math -ffinite-math-only \
        '-fassociative-math -fno-signed-zeros -fno-trapping-math' -fno-signed-zeros -fno-honor-nans \
        -fno-honor-infinities -fapprox-func -ffp-model=fast -ffp-contract=fast -mfpmath=387 \
        -fsingle-precision-constant; do
        name="$compiler $flags"
        checks=$((checks + 1))
        if with_flags $compiler -O1 $flags -c product.c -o flags.o >.out 2>.err; then
            if [ $compiler = gcc ] && [ "$flags" != -ffp-contract=fast ]; then fail 'compiled'; fi
            logits product "$SOURCE/tests/cli/product.c" flags.o flags.txt
            same "$compiler $flags" flags.txt product-$compiler.txt
        elif ! grep -Eq 'compile (without|for)|unrecognized|unknown|not supported' .err; then
            fail 'refused for another reason'
        fi
    done

    printf '#define INLINE 7\n#include "product.c"\n#include "second.c"\nint after[INLINE == 7 ? 1 : -1];\n' >unity.c
    check "unity $compiler" 0 - with_flags $compiler -std=c11 -O1 -Wall -Wextra -Werror -Wconversion -c unity.c \
        -o unity-$compiler.o
    logits product "$SOURCE/tests/cli/product.c" unity-$compiler.o unity.txt
    same "first of two, $compiler" unity.txt product-$compiler.txt
    logits second second_main.c unity-$compiler.o unity.txt
    same "second of two, $compiler" unity.txt second-$compiler.txt
done
finish
