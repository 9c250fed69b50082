#!/bin/sh
# What is in a file of weights, in words and as JSON; files that are none, or not whole.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
r=$REFORMERC
lm=$CASES/b_clm_alt_4hash_factorised
look() { # NAME FILE: as text, and as JSON in NAME.json
    check "$1 as JSON" 0 - "$r" inspect "$2" --json
    mv .out "$1.json"
    check "$1" 0 - "$r" inspect "$2"
}

# ---- numbers
"$FORGE" make numbers.st 'encoder.layers.1.a:F32:2,2=-3,1,4,2' 'layers.0.rotations:F32:1=0.5' 'ids:I64:3=-9,2,1' 'flags:U8:4=0,255,1,1' 'none:F32:0=0'
look numbers numbers.st
says '^ +safetensors, 48 B of values'
says '^ +encoder.layers.1.a +F32 +2x2 +-3 +4 +1 +2.739 +0$'
says '^ +ids +I64 +3 +-9 +2 +-2 '
says '^ +flags +U8 +4 +0 +255 '
says '^ +none +F32 +0 +- +- +- +- +0$'
says '^ +none +3 +7 +28 B +0$'
says '^ +0 +1 +1 +4 B +0$'
says '^ +1 +1 +4 +16 B +0$'
json numbers.json format '"safetensors"'
json numbers.json bytes 48
"$FORGE" poke numbers.st nan.st encoder.layers.1.a 0 7fc00000
"$FORGE" poke nan.st nan.st encoder.layers.1.a 2 ff800000
look nan nan.st
says '^ +encoder.layers.1.a +F32 +2x2 +1 +2 +1.5 +1.581 +2$'
says '^ +F32 +3 +5 +20 B +2$'

"$FORGE" make negative.st 'encoder.layers.-5.a:F32:1=1' 'last:F32:2=1,2'
look negative negative.st
says '^ +none +2 +3 +12 B +0$'

# ---- packed files, folders
check 'packed' 0 '' "$r" pack "$lm" --no-warnings -o f.weights
check 'halves' 0 '' "$r" pack "$lm" --no-warnings --dtype bfloat16 -o h.weights
check 'twice' 0 '' "$r" pack "$lm" --no-warnings --set train.memory=reversible -o t.weights
look f f.weights
says '^ +packed weights, version [0-9]+, of the model [0-9a-f]{16}, .*; its checksum is right'
says 'reformer.encoder.layers.0.feed_forward.dense.dense.weight +f32 +[0-9]+x[0-9]+ .* panels$'
says 'head_panels of [0-9]+$'
says 'layers.1.rotations +f32 .* rotations$'
json f.json format '"packed"'
json f.json types.0.type '"f32"'
json f.json nonfinite 0
look h h.weights
says '^ +bf16 +[0-9]+ '
json h.json types.0.type '"bf16"' # words
json h.json types.1.type '"f32"'
[ "$("$SHOW_JSON" f.json fingerprint)" != "$("$SHOW_JSON" h.json fingerprint)" ] || fail 'other types are another model'
look t t.weights
says ' columns, again$'
equal 'twice is once' "$("$SHOW_JSON" t.json types.0.numbers)" "$("$SHOW_JSON" f.json types.0.numbers)"
look folder "$lm"
says "^$lm/model.safetensors$"
mkdir parts
cp "$lm/model.safetensors" parts/one
printf '{"weight_map": {"reformer.encoder.layers.0.attention.layer_norm.weight": "one"}}' >parts/model.safetensors.index.json
look parts parts
equal 'of an index' "$("$SHOW_JSON" parts.json bytes)" "$("$SHOW_JSON" folder.json bytes)"
"$FORGE" rename numbers.st wrapped.st encoder.layers.1.a module.encoder.layers.1.a
look wrapped wrapped.st
says 'taken off the names: module.'

# ---- what is no file of weights, or not whole: an error, and nothing on stdout
refused() { # NAME PATTERN FILE
    check "$1" 1 "$2" "$r" inspect "$3"
    [ -s .out ] && fail 'something was told'
    check "$1 (JSON)" 1 "$2" "$r" inspect "$3" --json
    [ -s .out ] && fail 'something was told'
}
: >empty
mkdir bare
printf 'some text\n' >text
"$FORGE" cut numbers.st cut.st 4
"$FORGE" set numbers.st overlap.st ids data_offsets '[0,24]'
refused missing '^nowhere: error: cannot open' nowhere
refused empty '^empty: error: is not a safetensors file' empty
refused text '^text: error: is text, not safetensors' text
refused folder '^bare: error: holds no model.safetensors' bare
refused cut '^cut.st: error: ' cut.st
refused overlap "^overlap.st: error: tensor '" overlap.st
for n in 8 71 72 4095 4096 9000 $(($(wc -c <h.weights) - 1)); do
    head -c "$n" h.weights >part.weights
    refused "first $n bytes" '^part.weights: error: the packed weights file is truncated' part.weights
done
for at in 9 17 24 33 41 5000 40000 $(($(wc -c <h.weights) - 2)); do # version … checksum, values, contents
    { head -c "$at" h.weights && printf '\377' && tail -c +$((at + 2)) h.weights; } >hurt.weights
    [ "$at" = 17 ] || refused "byte $at" '^hurt.weights: error: the packed weights file is ' hurt.weights
done
check help 0 - "$r" inspect --help
says '^reformerc inspect FILE \[--json\]'
check nothing 2 'missing MODEL' "$r" inspect
check two 2 "unexpected argument 'b'" "$r" inspect a b
if [ -e /dev/full ]; then
    name='full stdout'
    "$r" inspect h.weights >/dev/full 2>.err
    [ $? -eq 1 ] && grep -q 'stdout: error: cannot write' .err || fail 'a full stdout was not noticed'
fi
finish
