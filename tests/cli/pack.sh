#!/bin/sh
# Weights alone: the bytes that a translation writes, other number types, and back; what rounding costs.
. "$(dirname "$0")/lib.sh"
TENSOR=$8
r=$REFORMERC
lm=$CASES/b_clm_alt_4hash_factorised
quiet='--no-warnings'
small_spec >small.yaml
head -c 300 "$CHECKPOINT/validation.txt" >text
SHOW_JSON=$6
look() { "$r" inspect "$1" --json >"$1.json"; }

# ---- the file that stands beside the code
translate="$r $lm $quiet --set compile.sequence_length=64 --target native -o"
for type in float32 bfloat16; do
    check "code of $type" 0 - $translate $type.c --set compile.dtype=$type
    check "packed as $type" 0 '^p.weights: [0-9]+ tensors, ' "$r" pack "$lm" $quiet --dtype $type -o p.weights
    same "what stands beside code of $type" p.weights $type.weights
    check "by the key" 0 '' "$r" pack "$lm" $quiet --set compile.dtype=$type -o k.weights
    same "the key is the same of $type" k.weights $type.weights
    mv p.weights $type.packed
done
check 'training layouts' 0 - $translate trained.c --set train.memory=reversible
check 'packed for training' 0 '' "$r" pack "$lm" $quiet --set train.memory=reversible -o t.weights
same 'with columns' t.weights trained.weights
check 'random' 0 '' "$r" pack small.yaml --weights random:3 -o random.weights
mv float32.packed f.weights
mv bfloat16.packed h.weights

# ---- and back: the same tensors, and packed again the same bytes
check 'back' 0 '^f.safetensors: [0-9]+ tensors' "$r" pack f.weights -o f.safetensors
check 'again' 0 '' "$r" pack "$lm" $quiet --weights f.safetensors -o again.weights
same 'floats' again.weights f.weights
check 'halves back' 0 '' "$r" pack h.weights -o h.safetensors
check 'halves again' 0 '' "$r" pack "$lm" $quiet --weights h.safetensors --dtype bfloat16 -o again.weights
same 'halves' again.weights h.weights
check 'another arrangement' 0 '' "$r" pack t.weights -o t.safetensors
same 'what stands there twice comes once' t.safetensors f.safetensors
check 'from packed to packed' 0 '' "$r" pack "$lm" $quiet --weights f.weights --dtype bfloat16 -o again.weights
same 'of the packed ones' again.weights h.weights
look h.safetensors
json h.safetensors.json types.0.type '"F32"'
json h.safetensors.json types.1.type '"BF16"'
run="$r run $lm $quiet --backend reference --input $lm/inputs.safetensors"
check 'of a checkpoint' 0 - $run --output a.out
check 'of a packed file' 0 - $run --weights f.weights --output b.out
same 'any command takes them' a.out b.out

# ---- safetensors in other numbers
for type in float32 bfloat16 float16; do
    check "as $type" 0 '' "$r" pack "$lm" $quiet --dtype $type -o $type.safetensors
    look $type.safetensors
    check "from packed as $type" 0 '' "$r" pack f.weights --dtype $type -o u.safetensors
done
json float32.safetensors.json types.0.type '"F32"'
json bfloat16.safetensors.json types.0.type '"BF16"'
json float16.safetensors.json types.0.type '"F16"'
near() { check "near: $1" 0 '' "$TENSOR" near "$1" float32.safetensors "$2"; }
near bfloat16.safetensors 0.004
near float16.safetensors 0.0005
check 'not that near' 1 '' "$TENSOR" near bfloat16.safetensors float32.safetensors 0.0005
grep -q rotations float32.safetensors && fail 'rotations that the spec draws are not weights'
grep -q rotations f.safetensors || fail 'those of a packed file are there'
check 'given rotations' 0 '' "$r" pack "$lm" $quiet --rotations "$lm/rotations.safetensors" --dtype float16 -o rot.safetensors
check 'are float32' 0 '' "$TENSOR" same rot.safetensors layers.1.rotations "$lm/rotations.safetensors" layers.1.rotations 0

# ---- what does not fit
norm=reformer.encoder.layers.0.attention.layer_norm.weight
"$FORGE" poke "$lm/model.safetensors" large $norm 3 477ff000 # 65520
"$FORGE" poke "$lm/model.safetensors" least $norm 3 477fefff
"$FORGE" poke "$lm/model.safetensors" nan $norm 3 7fc00001
refused() { # NAME CODE PATTERN ARGUMENTS…: nothing is written
    title=$1 code_=$2 pattern_=$3
    shift 3
    check "$title" "$code_" "$pattern_" "$r" pack "$@"
    absent no.safetensors no.weights
}
refused overflow 1 "^large: error: tensor '$norm': element 3 \(65520\) does not fit float16, whose greatest number is 65504" \
    "$lm" $quiet --weights large --dtype float16 -o no.safetensors
check 'just fits' 0 '' "$r" pack "$lm" $quiet --weights least --dtype float16 -o least.safetensors
check 'bfloat16 is as wide' 0 '' "$r" pack "$lm" $quiet --weights large --dtype bfloat16 -o wide.safetensors
check 'large' 0 '' "$r" pack "$lm" $quiet --weights large -o large.weights
refused 'overflow of packed' 1 "^large.weights: error: tensor '$norm': element 3 \(65520\) does not fit" large.weights --dtype float16 -o no.safetensors
refused 'not finite' 1 'is NaN' "$lm" --weights nan -o no.safetensors

# ---- wrong words, places, files
refused type 1 "^--dtype: error: 'flot16' is none of float32, bfloat16, float16" "$lm" -o no.safetensors --dtype flot16
grep -q "hint: did you mean 'float16'" .err || fail 'no hint'
refused 'type of packed' 1 "^--dtype: error: 'float16' is none of float32, bfloat16, int8" "$lm" -o no.weights --dtype float16
refused integers 1 '^--dtype: error: integers and their scales stand in packed files alone' "$lm" -o no.safetensors --dtype int8
refused suffix 1 '^no.bin: error: the suffix decides what is written: .weights or .safetensors' "$lm" -o no.bin
refused nowhere 2 'missing --output' "$lm"
refused nothing 2 'missing MODEL' -o no.weights
refused 'no weights' 1 'small.yaml: error: has no weights beside it' small.yaml -o no.weights
refused 'packed already' 1 '^f.weights: error: is packed already' f.weights -o no.weights
grep -q 'hint: .*reformerc pack MODEL --weights f.weights' .err || fail 'no hint'
refused 'packed, and no place' 1 '^f.weights: error: is packed already' f.weights --dtype bfloat16
refused 'no model' 1 "^--set: error: 'f.weights' is a packed weights file, which has no model" f.weights --set num_hashes=1 -o no.safetensors
refused 'another model' 1 '^f.weights: error: .*has shape' "$CASES/a_clm_lsh_1hash" --weights f.weights -o no.weights
cp f.weights own.weights
check itself 1 'own.weights: error: is an input of this pack and would be overwritten' "$r" pack "$lm" --weights own.weights -o own.weights
same 'stays' own.weights f.weights
ln -s own.weights link.weights
check 'itself by a link' 1 'is an input of this pack' "$r" pack "$lm" --weights own.weights -o link.weights
mkdir model
cp "$lm/config.json" "$lm/model.safetensors" model
check 'a folder itself' 1 'model/model.safetensors: error: is an input of this pack' "$r" pack model --dtype float16 -o model/model.safetensors
same 'a checkpoint stays' model/model.safetensors "$lm/model.safetensors"
cp text t.weights
check 'a text itself' 1 't.weights: error: is an input of this pack' "$r" pack small.yaml --weights random --dtype bfloat16 --calibrate t.weights -o t.weights
cp own.weights kept.weights
chmod a-w kept.weights
check read-only 1 'kept.weights: error: is read-only' "$r" pack "$lm" $quiet -o kept.weights
same 'stays, too' kept.weights own.weights
mkdir folder.weights
refused folder 1 '^folder.weights: error: is a directory|^folder.weights: error: cannot' "$lm" $quiet -o folder.weights
refused 'no folder' 1 '^nowhere/no.weights: error: cannot create' "$lm" -o nowhere/no.weights
head -c 9000 f.weights >cut.weights
refused cut 1 '^cut.weights: error: the packed weights file is truncated' cut.weights -o no.safetensors
refused 'cut, for a model' 1 '^cut.weights: error: the packed weights file is truncated' "$lm" --weights cut.weights -o no.weights
{ cat f.weights && echo; } >long.weights
refused longer 1 '^long.weights: error: the packed weights file is truncated, or longer' long.weights -o no.safetensors
{ head -c 5000 f.weights && printf 'XXXX' && tail -c +5005 f.weights; } >hurt.weights
refused damaged 1 '^hurt.weights: error: the packed weights file is damaged: its checksum differs' hurt.weights -o no.safetensors

# ---- what rounding costs
check table 0 - "$r" pack "$lm" $quiet --dtype bfloat16
says 'weights that are rounded'
says '^ +- +lm_head.decoder.weight +bf16 +[0-9]+x[0-9]+ +0\.1[0-9][0-9] %'
says '^ +3 +feed_forward.output.dense.weight +bf16 .* 0\.1[0-9][0-9] %'
trained='--set train.dtype=bfloat16'
check 'table of what is trained' 0 '' "$r" pack "$lm" $quiet $trained -o no.weights
says '^ +3 +feed_forward.output.dense.weight +bf16 .* 0\.1[0-9][0-9] %'
equal 'each once' "$(grep -c ' feed_forward.output.dense.weight ' .out)" 4
rm no.weights
check 'no table' 0 '' "$r" pack "$lm" $quiet --dtype float32 -o n.weights
[ -s .out ] && fail 'nothing was rounded'
calibrate="$r pack small.yaml --weights random:2 --backend reference --calibrate text"
check calibrate 0 '100 %' $calibrate --dtype bfloat16 -o c.weights
says 'layers, over 8 windows of 32 tokens'
says '^ +0 +0\.1[0-9][0-9] % +0\.[0-9]+ % +0\.[0-9]+ % +0\.[0-9]+ % +0\.[0-9]+ % +-$'
says '^ +[0-9.]+ bits per byte in float32, [0-9.]+ rounded: [+-]0\.[0-9]+$'
present c.weights
"$r" small.yaml $quiet -o small.graph
check 'a graph' 0 '' "$r" pack small.graph --weights random:2 --backend reference --calibrate text --dtype bfloat16 -o g.weights
says '^ +0 +0\.1[0-9][0-9] % +0\.[0-9]+ % '
refused 'nothing is rounded' 1 '^--calibrate: error: nothing of this model is rounded' small.yaml --weights random:2 --calibrate text -o no.weights
refused 'what is trained' 1 "^--calibrate: error: this model is packed for training, in 'train.dtype'" small.yaml --weights random:2 \
    --backend reference $trained --calibrate text -o no.weights
refused 'of safetensors' 1 '^--calibrate: error: ' small.yaml --weights random:2 --calibrate text --dtype bfloat16 -o no.safetensors
refused 'no text' 1 '^nowhere: error: cannot open' small.yaml --weights random:2 --backend reference --dtype bfloat16 --calibrate nowhere -o no.weights
refused 'weights as text' 1 'f.weights: error: is a packed weights file of reformerc, not text' small.yaml --weights random:2 --backend reference \
    --dtype bfloat16 --calibrate f.weights -o no.weights
refused 'no language' 1 'pack scores causal language models' small.yaml --weights random:2 --backend reference --dtype bfloat16 --calibrate text \
    --set 'architectures=[ReformerModel]' -o no.weights

# ---- integers: packed and back, and a layer that they are too coarse for
check 'integers' 0 '' "$r" pack "$lm" $quiet --dtype int8 -o i.weights
says ' feed_forward.dense.dense.weight +i8 .* 0\.[0-9]+ %$'
says ' attention.output.dense.weight +bf16 .* 0\.1[0-9]+ %$'
check 'integers back' 0 '' "$r" pack i.weights -o i.safetensors
look i.safetensors
json i.safetensors.json types.0.type '"F32"'
check 'integers again' 0 '' "$r" pack "$lm" $quiet --weights i.safetensors --dtype int8 -o again.weights
same 'integers' again.weights i.weights
"$TENSOR" near i.safetensors f.safetensors 0.005 2>.err || fail 'integers are near'
"$TENSOR" near i.safetensors f.safetensors 0.0005 2>/dev/null && fail 'integers are rounded'
check 'hurt integers' 0 '' "$r" pack small.yaml --weights random:2 -o s.safetensors
layer=reformer.encoder.layers.0.feed_forward
"$FORGE" poke s.safetensors coarse $layer.dense.dense.bias 0 447a0000 # 1000, which nobody reads:
row=0
while [ $row -lt 16 ]; do
    "$FORGE" poke coarse coarse $layer.output.dense.weight $((16 * row)) 0
    row=$((row + 1))
done
steps="$r pack small.yaml --backend reference --calibrate text --dtype int8"
check 'fine enough' 0 '' $steps --weights s.safetensors
grep -q 'too coarse' .out && fail 'nothing is to be said'
check 'too coarse' 0 '' $steps --weights coarse
says 'layers that integers are too coarse for'
says '^ +--set extensions.layers.0.dtype=bfloat16$'
check 'as it says' 0 '' $steps --weights coarse --set extensions.layers.0.dtype=bfloat16
grep -q 'too coarse' .out && fail 'nothing is to be said any more'
says '^ +- +lm_head.decoder.weight +i8 '
says '^ +0 +feed_forward.dense.dense.weight +bf16 '

if [ -e /dev/full ]; then
    name='full stdout'
    "$r" pack "$lm" $quiet --dtype bfloat16 >/dev/full 2>.err -o no.weights
    [ $? -eq 1 ] && grep -q 'stdout: error: cannot write' .err || fail 'a full stdout was not noticed'
    absent no.weights
fi
ulimit -f 8 # blocks of 512 bytes
refused full 1 '^no.weights: error: cannot write' "$lm" $quiet -o no.weights
refused 'full, too' 1 '^no.safetensors: error: cannot write' f.weights -o no.safetensors
tidy .
finish
