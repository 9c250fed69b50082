#!/bin/sh
# compile.dtype: int8, and a dtype for each layer: from a spec, from a graph's text, in generation; what is not built for it is
# refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_dtype.sh"
int8='--set compile.dtype=int8'
mixed="$int8 --set extensions.layers.0.dtype=float32 --set extensions.layers.1.dtype=bfloat16"

# ---- the numbers are those of numpy (golden/int8.py), and not those of another type
golden=$SOURCE/tests/golden
check 'int8' 0 - $run $int8 --output q.st
check 'mixed' 0 - $run $mixed --output m.st
check 'bfloat16' 0 - $run --set compile.dtype=bfloat16 --output b.st
check "numpy's" 0 '' near q.st "$golden/int8/b_clm_alt_4hash_factorised.safetensors" 1e-7
check "numpy's, mixed" 0 '' near m.st "$golden/mixed/b_clm_alt_4hash_factorised.safetensors" 1e-7
check 'they differ' 1 '' near q.st m.st 1e-2
check 'as other types do' 1 '' near q.st b.st 1e-2

# ---- a graph says its roundings itself
"$r" "$lm" --set compile.sequence_length=64 -o plain.graph
"$r" "$lm" --set compile.sequence_length=64 $int8 -o int8.graph
"$r" "$lm" --set compile.sequence_length=64 $mixed -o mixed.graph
lines() { grep -c "$1" "$2"; }
equal 'three of each layer, one of the head' "$(lines '= quantize(' int8.graph)" 13
equal 'those of attention, and what it gives' "$(lines '= round(' int8.graph)" 14
equal 'integers: of each layer all but one, the head, the words' "$(lines '= param() : i8' int8.graph)" 20
equal 'the layer of floats' "$(grep -c 'layer=0.*\(bf16\|i8\)\|\(bf16\|i8\)\[.*layer=0' mixed.graph)" 0
equal 'the layer of bfloat16' "$(grep -c 'i8\[.*layer=1' mixed.graph)" 0
graph int8.graph g.st
same 'as the spec has it' g.st q.st
graph mixed.graph h.st
same 'mixed, as the spec has it' h.st m.st
graph plain.graph s.st $int8
same 'a graph of floats, rounded' s.st q.st
graph int8.graph again.st --set compile.dtype=bfloat16
same 'what is rounded stays' again.st q.st
sed '/= quantize(layers.0.attention_norm)/s/: i8/: bf16/' int8.graph >wrong.graph
check 'wrong' 1 'wrong.graph:[0-9]+:1: error: layers.0.attention_norm.quantized' \
    "$r" run wrong.graph $reference --weights random --input "$lm/inputs.safetensors" --output no.st
absent no.st

# ---- generation: prompts and steps alike
write="$r generate $CHECKPOINT --backend reference --prompt Raskolnikov --tokens 12 --no-warnings"
check 'generation' 0 '' $write $int8 --output w.st
check 'of floats' 0 '' $write --output wf.st
check 'they differ' 1 '' near w.st wf.st 1e-4
check 'but not by much' 0 '' near w.st wf.st 0.5

# ---- back ends: one another's bits, those of every target of one width, and the reference's numbers
gate=$CASES/q_clm_gate
for case in $gate $lm; do
    types=$int8
    [ $case = $lm ] || types=$mixed # it hashes before anything is rounded
    run="$r run $case --no-warnings $types --rotations $case/rotations.safetensors --input $case/inputs.safetensors"
    check 'reference' 0 - $run --backend reference --output b.st
    check 'compiled' 0 - $run --output n.st
    check 'as the reference' 0 '' near n.st b.st 1e-2 # a factor may be rounded to the other side
    check 'interpreter' 0 - $run --backend interpreter --output i.st
    same 'of the interpreter' i.st n.st
    check 'C' 0 - $run --backend c --output c.st
    same 'of C' c.st i.st
    for pair in x86-64-v4:x86-64-v4+vnni x86-64-v4:x86-64-v4+bf16 x86-64-v3:x86-64-v3+vnni; do
        check "${pair%:*}" 0 - $run --backend interpreter --target "${pair%:*}" --output plain.st
        check "${pair#*:}" 0 - $run --backend interpreter --target "${pair#*:}" --output dot.st
        same "four at a time, $pair" dot.st plain.st
    done
done
write="$r generate $CHECKPOINT --prompt Raskolnikov --tokens 12 --no-warnings $int8"
check 'steps' 0 '' $write --output s.st
check 'of the interpreter' 0 '' $write --backend interpreter --output t.st
same 'the same steps' s.st t.st
check 'of the reference' 0 '' near s.st w.st 2e-2

# ---- packed weights are of one number type
size() { wc -c <"$1"; }
pack="$r $lm --no-warnings --set compile.sequence_length=64 --target native -o"
check 'packed floats' 0 - $pack floats.c
check 'packed' 0 - $pack fours.c $int8
[ "$(size fours.weights)" -lt "$(($(size floats.weights) / 2))" ] || fail 'half as large'
check 'floats become integers' 0 - $run --weights floats.weights --output floats.st
check 'and stay' 0 - $run --weights fours.weights --output fours.st
check 'the same' 0 '' near floats.st n.st 0
check 'nearly' 0 '' near fours.st n.st 1e-2 # a scale may be off by its last bit

# ---- what is not built, and what is no type
key="compile.dtype: error: 'compile.dtype' has no effect where gradients are computed: 'train.dtype' is the number type"
train=$CASES/k_train_clm_lsh_1hash
check 'gradients' 1 "$key" "$r" run $train $int8 --backend reference --input $train/inputs.safetensors --gradients no.st
check 'gradients of a layer' 1 "layers.1.dtype: error: 'extensions.layers.1.dtype' has no effect where gradients" \
    "$r" run $train --set extensions.layers.1.dtype=int8 --backend reference --input $train/inputs.safetensors --gradients no.st
small_spec >small.yaml
head -c 4096 "$CHECKPOINT/validation.txt" >text
check 'training' 1 "$key" "$r" train small.yaml $int8 --text text --out no
check 'training of it' 1 "'train.dtype' must be one of float32, bfloat16, not 'int8'" \
    "$r" train small.yaml --set train.dtype=int8 --text text --out no
"$r" "$train" --set compile.sequence_length=64 $int8 -o train.graph
check 'gradients of a graph' 1 'train.graph:[0-9]+:1: error: .* is not built|gradients of .* are not built' \
    "$r" run train.graph --weights $train/model.safetensors --backend reference --input $train/inputs.safetensors --gradients no.st
check 'no such layer' 1 "extensions.layers.9.dtype: error: 'extensions.layers' has 10 layers, 'attn_layers' 4" \
    "$r" "$lm" --set extensions.layers.9.dtype=int8 --dump spec
check 'no such type' 1 "extensions.layers.1.dtype: error: 'dtype' must be one of float32, bfloat16, int8, not 'int4'" \
    "$r" "$lm" --set extensions.layers.1.dtype=int4 --dump spec
check 'a layer of a graph' 1 "the nodes of a graph say 'extensions.layers'" \
    "$r" run plain.graph --set extensions.layers.0.dtype=int8 --weights random --input "$lm/inputs.safetensors" --output no.st
absent no.st no

finish
