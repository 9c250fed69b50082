#!/bin/sh
# Code size depends on the kinds of layers, not on their number, nor on the length or the buckets; translation is quick
# (it takes a twentieth of a second; the limit allows for sanitizers and a busy machine). What no memory holds is an
# error at once.
. "$(dirname "$0")/lib.sh"
spec=$SOURCE/specs/bench.yaml

translate() { # FILE LAYERS LENGTH GRID
    layers=local,lsh
    i=2
    while [ $i -lt "$2" ]; do layers=$layers,local,lsh i=$((i + 2)); done
    start=$(date +%s%N)
    check "$2 layers, $3 tokens" 0 - "$REFORMERC" "$spec" --target x86-64-v4 -o "$1.c" --set "attn_layers=[$layers]" \
        --set "compile.sequence_length=$3" --set "axial_pos_shape=[$4,$4]" --set compile.name=sized
    milliseconds=$((($(date +%s%N) - start) / 1000000))
    printf '%2d layers, %5d tokens: %s lines, %s bytes, translated in %s ms\n' "$2" "$3" "$(wc -l <"$1.c")" \
        "$(wc -c <"$1.c")" $milliseconds
    [ $milliseconds -lt 5000 ] || fail "took $milliseconds ms"
}
translate a 2 4096 64
translate b 12 4096 64
translate c 2 65536 256
translate d 12 65536 256

# Longer numbers, and a second factor of num_buckets at 64k: within 3 %.
for file in b c d; do
    for unit in l c; do
        name="size of $file (wc -$unit)"
        checks=$((checks + 1))
        base=$(wc -$unit <a.c)
        d=$(($(wc -$unit <$file.c) - base))
        [ $((${d#-} * 100)) -lt $((base * 3)) ] || fail "$base and $d more"
    done
done

# Three forms of layers: as much for 3 layers as for 12.
forms() { # FILE TIMES
    layers='' own='' i=0
    while [ $i -lt "$2" ]; do
        layers="$layers${layers:+,}local,lsh,lsh"
        own="$own${own:+,}null,null,{num_hashes: 2, lsh_attn_chunk_length: 128, feed_forward_size: 1024}"
        i=$((i + 1))
    done
    check "three forms, $2 times" 0 - "$REFORMERC" "$spec" --target x86-64-v4 -o "$1.c" --set "attn_layers=[$layers]" \
        --set "extensions.layers=[$own]" --set compile.sequence_length=4096 --set compile.name=sized
    printf '3 forms, %2d layers: %s lines, %s bytes\n' $(($2 * 3)) "$(wc -l <"$1.c")" "$(wc -c <"$1.c")"
}
forms e 1
forms f 4
checks=$((checks + 1))
d=$(($(wc -c <f.c) - $(wc -c <e.c)))
[ $((${d#-} * 100)) -lt $(($(wc -c <e.c) * 3)) ] || fail "three forms of layers: $d bytes more for 12 layers than for 3"

# A step, too: a loop over the buckets.
step() { # FILE BUCKETS
    check "a step, $2 buckets" 0 '' "$REFORMERC" "$spec" --no-warnings --target x86-64-v3 -o "$1.c" \
        --set compile.name=sized --set "num_buckets=$2"
}
step e 64
step f 1048576
holds "size of a step" "$(wc -c <f.c) < 1.03 * $(wc -c <e.c)"

# Thousands of layers: names are found by an index, kernels measured once.
layers=$(awk 'BEGIN { for (i = 0; i < 2048; i++) printf "%slocal,lsh", i ? "," : "" }')
start=$(date +%s)
check '4096 layers' 0 '' "$REFORMERC" "$spec" --no-warnings --target x86-64-v4 -o g.c --set "attn_layers=[$layers]" \
    --set compile.name=sized
holds 'time of 4096 layers' "$(($(date +%s) - start)) < 60"

# Memory: named by its key, exit code 1, and nothing written.
huge='--set vocab_size=16777216 --set hidden_size=16384 --set axial_pos_embds=false'
check 'weights for a file' 1 '^--set (vocab_size|hidden_size): error: the weights take [0-9.]+ GiB' \
    "$REFORMERC" "$spec" --weights random -o h.c $huge
absent h.c h.h h.weights
check 'weights for eval' 1 '^--set (vocab_size|hidden_size): error: the weights take' \
    "$REFORMERC" eval "$spec" --weights random --text "$spec" $huge --set compile.text=bytes
check 'weights for bench' 1 '^--set (vocab_size|hidden_size): error: the weights take' "$REFORMERC" bench "$spec" $huge
long='--set axial_pos_shape=[16384,16384] --set max_position_embeddings=268435456 --set num_hashes=1'
check 'a workspace' 1 '^--set compile.sequence_length: error: not enough memory for a workspace of' \
    "$REFORMERC" eval "$spec" --weights random --text "$spec" $long --set compile.sequence_length=268435456 \
    --set vocab_size=258
check 'a workspace of the reference' 1 '^--set compile.sequence_length: error: not enough memory for a workspace of' \
    "$REFORMERC" eval "$spec" --weights random --text "$spec" $long --set compile.sequence_length=268435456 \
    --set vocab_size=258 --backend reference
finish
