#!/bin/sh
# No function of generated C has more than 600 lines. A model whose layers all differ has a kernel for each, and schedules of
# a thousand launches: compilers take them in pieces without a word, and it trains to the bit as the interpreter does, whose
# schedules are whole. Kernels of AVX-512 are the longest; what their pieces leave for each other arrives.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
# FILE…: "lines file: first line" of the longest function
longest() {
    awk '/^[a-zA-Z].*[(]/ && !/;$/ { name = $0; from = FNR }
        /^}/ && name != "" { n = FNR - from + 1; if (n > most) { most = n; what = FILENAME ": " name }; name = "" }
        END { print most, what }' "$@"
}
is_short() { # NAME FILE…
    name=$1
    shift
    checks=$((checks + 1))
    found=$(longest "$@")
    [ "${found%% *}" -gt 3 ] || fail "a longest function of ${found%% *} lines: the test tests nothing"
    [ "${found%% *}" -le 600 ] || fail "$found"
}
is_short 'generated code' "$SOURCE"/generated/*.c

# SPEC OPTIONS…: its kernels are cut, for the widest registers, with tiles as wide as these allow
unset QUICK_TILES
kernels_are_short() {
    check "$*" 0 - "$r" "$SOURCE/specs/$@" --target x86-64-v4 --no-warnings -o kernels.c
    is_short "$*" kernels.c
}
kernels_are_short tiny-shakespeare.yaml
kernels_are_short torch-benchmark.yaml --set compile.dtype=bfloat16
if command -v gcc >/dev/null && [ "$(uname -m)" = x86_64 ]; then
    check 'gcc, kernels' 0 - gcc -std=c11 -Wall -Wextra -Wconversion -Werror -fsyntax-only -I"$SOURCE/runtime" kernels.c
fi
hashing_spec | sed '/^initializer_range/d; s/^\(hidden_size\|attention_head_size\):.*/\1: 64/; s/^num_attention_heads:.*/num_attention_heads: 1/
    s/^axial_pos_shape:.*/axial_pos_shape: [16, 16]/; s/^axial_pos_embds_dim:.*/axial_pos_embds_dim: [32, 32]/
    s/^max_position_embeddings:.*/max_position_embeddings: 256/; s/^lsh_attn_chunk_length:.*/lsh_attn_chunk_length: 64/' >wide.yaml
printf 'num_hashes: 2\ninitializer_range: 3\n' >>wide.yaml # scores beyond the bound that needs no maximum
wide="wide.yaml --target x86-64-v4 --no-warnings --set compile.sequence_length=256"
check 'a kernel in pieces' 0 - "$r" $wide -o wide.c
is_short 'a kernel in pieces' wide.c
checks=$((checks + 1))
grep -q '^ *\*[a-z_0-9]*_out = ' wide.c || fail 'no piece leaves a value: the test tests nothing'
"$r" verify $wide --weights random:3 --backends interpreter,c --threads 1 >.out 2>.err
code=$?
name='what pieces leave'
checks=$((checks + 1))
[ $code -eq 0 ] || grep -q 'this CPU runs none' .err || fail "exit $code"
export QUICK_TILES=1

layers_of_their_own() { # COUNT: on stdout, a model of so many layers, whose feed-forwards differ
    small_spec | sed "s/^attn_layers:.*/attn_layers: [local$(printf ', local%.0s' $(seq 2 "$1"))]/"
    printf 'extensions:\n  layers:\n'
    for i in $(seq "$1"); do printf '    - {feed_forward_size: %d}\n' $((4 * i)); done
}
layers_of_their_own 11 >many.yaml
layers="--set train.optimizer.type=adafactor --set train.steps=1"
translated() { # COMPILER LENGTH OPTIONS…
    cc=$1 length=$2
    shift 2
    check "$length $*" 0 - "$r" many.yaml $layers "$@" --set compile.sequence_length=$length --target x86-64 --no-warnings \
        -o many.c
    is_short "$length $*" many.c
    for part in train update; do
        pieces=$(grep -c "^static void launches_${part}[_A-Z0-9]*(" many.c)
        [ "$pieces" -gt 1 ] || fail "$pieces pieces of $part"
    done
    command -v $cc >/dev/null || cc=cc
    check "$cc $length $*" 0 - $cc -std=c11 -Wall -Wextra -Wconversion -Werror -fsyntax-only -I"$SOURCE/runtime" many.c
}
translated gcc 32
translated clang dynamic --instrument
# Blocks do not nest as deep as there are kinds of layers; each layer takes its own one.
layers_of_their_own 150 >most.yaml
check 'a hundred and fifty layers' 0 - "$r" most.yaml -o most.c --no-warnings
check 'each is computed' 0 '' "$r" verify most.yaml --weights random:3 --backends reference,interpreter --threads 1

head -c 2000 "$CHECKPOINT/validation.txt" >text
for backend in interpreter c; do
    check "train, $backend" 0 '' "$r" train many.yaml $layers --backend $backend --target x86-64 --text text --out $backend \
        --no-warnings --threads 1
done
same 'weights' interpreter/last/model.safetensors c/last/model.safetensors
finish
