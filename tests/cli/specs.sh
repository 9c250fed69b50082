#!/bin/sh
# Every model in specs/ translates, compiles cleanly as C, and runs with random weights on a short input, of which a row is as
# long as the model takes, 192 tokens at most. A row that would be filled up to thousands is run as a shorter one; of a wide
# model two layers run, of either kind: making up and packing its 600 MB of weights would be most of this test.
. "$(dirname "$0")/lib.sh"
for spec in "$SOURCE"/specs/*.yaml; do
    model=$(basename "$spec" .yaml)
    said=-
    if grep -q '^num_buckets: null' "$spec" && ! grep -q '^ *sequence_length:' "$spec"; then said="warning: 'num_buckets' is null: [0-9]+ is taken at every length"; fi
    check "$model translates" 0 "$said" "$REFORMERC" "$spec" -o "$model.c"
    check "$model translates for this CPU" 0 "$said" "$REFORMERC" "$spec" -o "$model.c" --target native
    # What warns only when it optimises is slow: one model alone, beside the products of product.sh.
    how=-fsyntax-only
    [ "$model" = torch-benchmark ] && how='-O1 -o torch-benchmark.o'
    # They are words. shellcheck disable=SC2086
    check "$model compiles" 0 - with_flags cc -std=c11 $how -Wall -Wextra -Werror -Wconversion -c "$model.c"
    most=$(sed -n 's/^max_position_embeddings: *\([0-9]*\).*/\1/p' "$spec")
    [ "${most:-192}" -lt 192 ] || most=192
    "$FORGE" make in.st "input_ids:I32:1,$most=5*"
    shorter=
    grep -Eq '^ *sequence_length: *[0-9]{4}' "$spec" && shorter='--set compile.sequence_length=512'
    layers=
    wide=$(sed -n 's/^hidden_size: *\([0-9]*\).*/\1/p' "$spec")
    [ "${wide:-0}" -lt 512 ] || layers='--set attn_layers=[local,lsh]'
    # shellcheck disable=SC2086
    check "$model runs" 0 '' "$REFORMERC" run "$spec" $shorter $layers --weights random:1 --input in.st --output "$model.st"
    present "$model.st"
    rm -f "$model.st"
done
finish
