#!/bin/sh
# compile.dtype: bfloat16, all the way: from a spec, from a graph's text, in generation and its caches; what is not built for
# it is refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_dtype.sh"
gate=$CASES/q_clm_gate
bf16='--set compile.dtype=bfloat16'

# ---- the numbers are those of numpy (golden/bf16.py), and not those of float32
for case in $lm $gate; do
    theirs=$SOURCE/tests/golden/bf16/$(basename "$case").safetensors
    run=$(run_case "$case")
    check 'bfloat16' 0 - $run $bf16 --output b.st
    check 'float32' 0 - $run --set compile.dtype=float32 --output f.st
    check 'by default' 0 - $run --output d.st
    same 'by default' d.st f.st
    check "numpy's" 0 '' near b.st "$theirs" 1e-7
    # a factor may be rounded to the other side: far less than what float32 is off by
    check 'in loops' 0 - $run $bf16 --backend interpreter --output i.st
    check 'near' 0 '' near i.st "$theirs" 1e-2
    check 'they differ' 1 '' near f.st "$theirs" 1e-2
done

# ---- a graph says its roundings itself
rounds() { grep -c '= round(' "$1"; }
"$r" "$lm" --set compile.sequence_length=64 -o plain.graph
"$r" "$lm" --set compile.sequence_length=64 $bf16 -o rounded.graph
equal 'none' "$(rounds plain.graph)" 0
equal 'four of each layer, three of local attention, two of LSH attention, one of the head' "$(rounds rounded.graph)" 27
equal 'weights, and the words' "$(grep -c '= param() : bf16' rounded.graph)" 24
run=$(run_case "$lm")
check 'of the spec' 0 - $run $bf16 --output b.st
graph rounded.graph g.st
same 'as the spec has it' g.st b.st
graph rounded.graph again.st $bf16
same 'nothing is rounded twice' again.st b.st
graph plain.graph set.st $bf16
same 'a graph of floats, rounded' set.st b.st
sed 's/round(layers.0.self_attention) : bf16/round(layers.0.self_attention) : f32/' rounded.graph >wrong.graph
check 'mixed' 1 'wrong.graph:[0-9]+:1: error: layers.0.self_attention.rounded' \
    "$r" run wrong.graph --weights random --input "$lm/inputs.safetensors" --output no.st
absent no.st

# ---- queries, keys and values with biases, which no spec has: pairs of rounded sums, on every kind of target
cat >biased.awk <<'END'
/^layers\.[0-9]+\.(query|key|value|query_key) = dense\(/ {
    bias = $4; sub(/weight,$/, "shift.weight", bias) # a name that is drawn
    match($0, /layer=[0-9]+/); layer = substr($0, RSTART, RLENGTH)
    width = $0; sub(/.*,/, "", width); sub(/\].*/, "", width)
    printf "%s = param() : f32[%s] %s\n", bias, width, layer
    sub(/, _\)/, ", " bias ")")
}
{ print }
END
awk -f biased.awk rounded.graph >biased.graph
equal 'biases' "$(grep -c 'shift.weight = param' biased.graph)" 10
drawn='--no-warnings --weights random:3 --backends reference,interpreter'
check 'without biases' 0 '' "$r" verify rounded.graph $drawn
sed -n 's/^layers.0.self_attention *\([^ ]*\).*/\1/p' .out >without
for target in x86-64 x86-64-v3 x86-64-v4 x86-64-v4+bf16 aarch64 aarch64+bf16; do
    check "biases, $target" 0 '' "$r" verify biased.graph $drawn --target $target
    says '^agree: '
    sed -n 's/^layers.0.self_attention *\([^ ]*\).*/\1/p' .out >with
    cmp -s with without && fail 'a bias changes nothing'
done
# of one chunk no token is hashed: nobody reads query_key as it was
"$r" "$lm" --set compile.sequence_length=4 $bf16 -o chunk.graph
awk -f biased.awk chunk.graph >biased.graph
equal 'exact' "$(grep -c 'exact_attention(.*shared_qk=1' biased.graph)" 2
for target in x86-64-v3 x86-64-v4+bf16; do
    check "biases in one chunk, $target" 0 '' "$r" verify biased.graph $drawn --target $target
    says '^agree: '
done

# ---- generation rounds prompts and steps alike
write="$r generate $CHECKPOINT --backend reference --prompt Raskolnikov --tokens 12 --no-warnings"
check 'generation' 0 '' $write $bf16 --output w.st
check 'of floats' 0 '' $write --output wf.st
check 'they differ' 1 '' near w.st wf.st 1e-5
check 'but not by much' 0 '' near w.st wf.st 0.05

# ---- back ends: one another's bits, those of every target with fma, and the reference's numbers
for case in $lm $gate; do
    run="$r run $case --no-warnings $bf16 --input $case/inputs.safetensors"
    check 'reference' 0 - $run --backend reference --output b.st
    check 'interpreter' 0 - $run --backend interpreter --output i.st
    check 'as the reference' 0 '' near i.st b.st 1e-2 # as above
    check 'v4' 0 - $run --backend interpreter --target x86-64-v4 --output v4.st
    check 'with dot2' 0 - $run --backend interpreter --target x86-64-v4+bf16 --output dot2.st
    same 'pairs are summed alike' v4.st dot2.st
    check 'compiled' 0 - $run --output n.st
    same 'native' n.st i.st
    check 'C' 0 - $run --backend c --output c.st
    same 'of C' c.st i.st
done
write="$r generate $CHECKPOINT --prompt Raskolnikov --tokens 12 --no-warnings $bf16"
check 'steps' 0 '' $write --output n.st
check 'of the interpreter' 0 '' $write --backend interpreter --output i.st
same 'the same steps' n.st i.st
check 'of the reference' 0 '' near n.st w.st 2e-2

# ---- caches
cached() { # NAME SETTING…
    name=$1
    shift
    for key; do set -- "$@" --set "compile.$key"; shift; done
    check "$name" 0 '' "$r" generate $CHECKPOINT --prompt Raskolnikov --tokens 12 --no-warnings "$@" --output $name.st
}
cached both dtype=bfloat16 cache_dtype=bfloat16
same 'the default is that of the forward' both.st n.st
# a row of a chunk sees all of it, in steps and in forwards
for backend in reference interpreter; do
    tokens=20
    [ $backend = interpreter ] && tokens=2 # it takes half a second for each forward
    write="$r generate $CHECKPOINT --backend $backend --prompt Raskolnikov --tokens $tokens --no-warnings $bf16"
    check "steps, $backend" 0 '' $write --output steps.st
    check "forwards, $backend" 0 '' $write --no-cache --output forwards.st
    check 'steps are forwards' 0 '' near steps.st forwards.st 1e-6
done
cached null dtype=bfloat16 cache_dtype=null
same 'asked for' null.st n.st
cached plain dtype=bfloat16 cache_dtype=float32
check 'a cache that is not rounded' 1 '' near plain.st n.st 1e-5
check 'not by much' 0 '' near plain.st n.st 0.05
cached half cache_dtype=bfloat16
cached floats cache_dtype=float32
check 'a forward that is not rounded' 1 '' near half.st floats.st 1e-5
check 'its steps by little' 0 '' near half.st floats.st 0.05
"$r" $CHECKPOINT --no-warnings --set compile.sequence_length=128 -o plain_lm.graph
"$r" $CHECKPOINT --no-warnings --set compile.sequence_length=128 $bf16 -o rounded_lm.graph
of_graph() { # GRAPH NAME FURTHER…
    of=$1 name=$2
    shift 2
    check "$of $*" 0 '' "$r" generate "$of" --weights $CHECKPOINT/model.safetensors --prompt Raskolnikov --tokens 12 \
        --no-warnings "$@" --output $name.st
}
of_graph rounded_lm.graph said
of_graph rounded_lm.graph asked --set compile.cache_dtype=bfloat16
same 'a graph whose attention is rounded' said.st asked.st
of_graph rounded_lm.graph unrounded --set compile.cache_dtype=float32
check 'or not' 1 '' near said.st unrounded.st 1e-5
of_graph plain_lm.graph all $bf16
same 'a graph of floats, rounded' all.st said.st
check 'it says so itself' 0 - "$r" $CHECKPOINT --no-warnings --set compile.cache_dtype=bfloat16 --set compile.sequence_length=128 -o says.graph
grep -q 'cache_dtype: "bfloat16"' says.graph || fail 'the head of a graph has no cache_dtype'
of_graph says.graph itself
of_graph plain_lm.graph told --set compile.cache_dtype=bfloat16
same 'and is read' itself.st told.st
# what a token takes: keys and values of the layers that hash
token() { sed -n 's/.*UINT64_C(\([0-9]*\)) \* (length).*/\1/p' "$1"; }
shape='--no-warnings --set compile.sequence_length=64 --target native -o'
check 'of floats' 0 - "$r" $lm $shape cache_f.c
for key in dtype cache_dtype; do
    check "$key" 0 - "$r" $lm --set compile.$key=bfloat16 $shape cache_$key.c
    equal "a token's bytes with $key" "$(($(token cache_$key.h) * 2))" "$(token cache_f.h)"
done
printf 'is_decoder: true\ncompile: {cache_dtype: float16}\n' >cache.yaml
check 'no such cache' 1 "cache.yaml:2:24: error: 'compile.cache_dtype' must be one of null, float32, bfloat16, not 'float16'" \
    "$r" cache.yaml --dump spec
check 'no cache' 1 "'compile.cache_dtype' is for models that generate, the causal LM" \
    "$r" $CASES/f_cls_3labels_train --set compile.cache_dtype=bfloat16 -o no.c
"$r" $CASES/f_cls_3labels_train --no-warnings --set compile.sequence_length=64 -o class.graph
check 'nor of a graph' 1 "'compile.cache_dtype' is for models that generate, the causal LM" \
    "$r" class.graph --set compile.cache_dtype=bfloat16 -o no.c
absent no.c no.h

# ---- packed weights are of one number type
size() { wc -c <"$1"; }
pack="$r $lm --no-warnings --set compile.sequence_length=64 --target native -o"
check 'packed floats' 0 - $pack floats.c
check 'packed' 0 - $pack halves.c $bf16
[ "$(size halves.weights)" -lt "$(($(size floats.weights) * 2 / 3))" ] || fail 'half as large'

# ---- gradients have a key of their own
key="compile.dtype: error: 'compile.dtype' has no effect where gradients are computed: 'train.dtype' is the number type"
train=$CASES/k_train_clm_lsh_1hash
check 'gradients' 1 "$key" "$r" run $train $bf16 --backend reference --input $train/inputs.safetensors --gradients no.st
small_spec >small.yaml
head -c 4096 "$CHECKPOINT/validation.txt" >text
check 'training' 1 "$key" "$r" train small.yaml $bf16 --text text --out no
"$r" "$train" --set compile.sequence_length=64 $bf16 -o train.graph
check 'gradients of a graph that rounds' 0 - "$r" run train.graph --weights $train/model.safetensors --backend reference \
    --no-warnings --input $train/inputs.safetensors --gradients rounded.st
printf 'compile: {dtype: int4}\n' >int4.yaml
check 'int4' 1 "int4.yaml:1:18: error: 'compile.dtype' must be one of float32, bfloat16, int8, not 'int4'" "$r" int4.yaml --dump spec
absent no.st no.c no.h no.weights no

finish
