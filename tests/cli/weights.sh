#!/bin/sh
# Wrong weights files: each is refused with a message that names the tensor (or the file, where there is none).
. "$(dirname "$0")/lib.sh"
model=$CASES/a_clm_lsh_1hash
good=$model/model.safetensors
word=reformer.embeddings.word_embeddings.weight
norm=reformer.encoder.layers.0.attention.layer_norm.weight

refused() { # NAME PATTERN FILE
    check "$1" 1 "$2" "$REFORMERC" run "$model/config.json" --weights "$3" --backend reference \
        --input "$model/inputs.safetensors" --output out.safetensors
    check "$1 (translation)" 1 "$2" "$REFORMERC" "$model/config.json" --weights "$3" -o out.c
    absent out.safetensors out.c out.h out.weights
}

check good 0 '' "$REFORMERC" run "$model/config.json" --weights "$good" --backend reference \
    --input "$model/inputs.safetensors" --output good.out
present good.out

refused missing-file 'nowhere.*cannot open' nowhere
: >empty
refused empty '^empty: error' empty
printf 'abc' >short
refused short '^short: error' short
"$FORGE" cut "$good" truncated 4
refused truncated '^truncated: error.*' truncated
"$FORGE" length "$good" huge 8000000000000000
refused header-of-2^63 '^huge: error' huge
"$FORGE" length "$good" allones ffffffffffffffff
refused header-of-2^64-1 '^allones: error' allones
"$FORGE" length "$good" zero 0
refused header-of-0 '^zero: error' zero
"$FORGE" length "$good" shorter 100
refused header-cut '^shorter: error' shorter
"$FORGE" header notjson 'this is not JSON'
refused not-json '^notjson: error' notjson
"$FORGE" header array '[1, 2]'
refused not-an-object '^array: error' array

"$FORGE" set "$good" overlap $norm data_offsets '[0,128]'
refused overlapping-offsets "layers.0.attention.layer_norm.weight|$word" overlap
"$FORGE" set "$good" beyond $norm data_offsets '[99999900,100000028]'
refused offsets-beyond-the-end 'layer_norm.weight' beyond
"$FORGE" set "$good" backwards $norm data_offsets '[9344,9216]'
refused offsets-backwards 'layer_norm.weight' backwards
"$FORGE" set "$good" negative $norm data_offsets '[-128,0]'
refused negative-offset 'layer_norm.weight' negative
"$FORGE" set "$good" fraction $norm data_offsets '[9216.0,9344.5]'
refused fractional-offset 'layer_norm.weight' fraction
"$FORGE" set "$good" wrap $norm shape '[4294967296,4294967296]'
refused shape-that-overflows 'layer_norm.weight' wrap
"$FORGE" set "$good" unequal $norm shape '[31]'
refused shape-unequal-to-bytes 'layer_norm.weight' unequal
"$FORGE" set "$good" reshaped $word shape '[32,64]'
refused wrong-shape 'embeddings.word_embeddings.weight.*\[32, ?64\]' reshaped
"$FORGE" set "$good" integers $word dtype '"I32"'
refused wrong-dtype 'word_embeddings.weight.*I32' integers
"$FORGE" set "$good" half $word dtype '"F16"'
refused dtype-unequal-to-bytes 'word_embeddings.weight' half
"$FORGE" set "$good" strange $word dtype '"Q4"'
refused unknown-dtype 'word_embeddings.weight' strange
"$FORGE" rename "$good" lost $norm reformer.encoder.layers.0.attention.layer_norm.wait
refused missing-tensor 'encoder.layers.0.attention.layer_norm.weight.*missing|missing.*encoder.layers.0.attention.layer_norm.weight' lost
"$FORGE" rename "$good" twice $norm $word
refused name-twice 'duplicate' twice
"$FORGE" poke "$good" nan $norm 3 7fc00000
refused NaN 'layer_norm.weight.*(NaN|nan)|(NaN|nan).*layer_norm.weight' nan
"$FORGE" poke "$good" infinite $norm 31 ff800000
refused infinity 'layer_norm.weight.*inf|inf.*layer_norm.weight' infinite

# Rotations.
lsh=$model/rotations.safetensors
with_rotations() { # NAME CODE PATTERN FILE
    check "$1" "$2" "$3" "$REFORMERC" run "$model" --backend reference --rotations "$4" \
        --input "$model/inputs.safetensors" --output rot.out
}
with_rotations rotations 0 '' "$lsh"
"$FORGE" make none.st
with_rotations no-rotations 0 '' none.st
"$FORGE" set "$lsh" turned layers.1.rotations shape '[2,16,2,1]'
with_rotations rotations-shape 1 'layers.1.rotations' turned
with_rotations rotations-missing 1 'nowhere' nowhere

# A folder with nothing but a pickle says how to convert it; random weights take a seed.
mkdir pickled
cp "$model/config.json" pickled
: >pickled/pytorch_model.bin
check pickle 1 'pytorch_model.bin' "$REFORMERC" run pickled --backend reference \
    --input "$model/inputs.safetensors" --output out.safetensors
check random-seed 1 'random' "$REFORMERC" run "$model/config.json" --weights random:x --backend reference \
    --input "$model/inputs.safetensors" --output out.safetensors
check no-weights 1 'has no weights' "$REFORMERC" run "$model/config.json" --backend reference \
    --input "$model/inputs.safetensors" --output out.safetensors
for seed in 1 1 2; do
    check "random:$seed" 0 '' "$REFORMERC" run "$model/config.json" --weights random:$seed --backend reference \
        --input "$model/inputs.safetensors" --output random.$seed
    if [ -e first ]; then mv first before; fi
    cp random.$seed first
    if [ "$seed" = 1 ] && [ -e before ] && ! cmp -s before first; then fail 'a seed gives other weights each time'; fi
    if [ "$seed" = 2 ] && cmp -s before first; then fail 'two seeds give the same weights'; fi
done
absent out.safetensors
finish
