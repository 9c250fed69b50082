#!/bin/sh
# Code size depends on the kinds of layers, not on their number nor on the length; translation is quick (it
# takes a twentieth of a second; the limit allows for sanitizers and a busy machine).
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
finish
