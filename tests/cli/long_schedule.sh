#!/bin/sh
# A model whose layers all differ has schedules of a thousand launches: no function of its C is that long, compilers take it
# without a word, and it trains to the bit as the interpreter does, whose schedules are whole.
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

{
    small_spec
    printf 'extensions:\n  layers:\n'
    i=0
    kinds=local
    while [ $i -lt 11 ]; do
        printf '    - {feed_forward_size: %d}\n' $((8 * i + 8))
        [ $i -eq 0 ] || kinds=$kinds,local
        i=$((i + 1))
    done
} >many.yaml
layers="--set attn_layers=[$kinds] --set train.optimizer.type=adafactor --set train.steps=1"
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

head -c 2000 "$CHECKPOINT/validation.txt" >text
for backend in interpreter c; do
    check "train, $backend" 0 '' "$r" train many.yaml $layers --backend $backend --target x86-64 --text text --out $backend \
        --no-warnings --threads 1
done
same 'weights' interpreter/last/model.safetensors c/last/model.safetensors
finish
