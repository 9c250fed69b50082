#!/bin/sh
# run --gradients: the gradients of one train step, whole or not at all; what has none is told why.
. "$(dirname "$0")/lib.sh"
TENSOR=$8
r=$REFORMERC
lm=$CASES/k_train_clm_lsh_1hash # causal, vocabulary 64, without dropout
classes=$CASES/f_cls_3labels_train
answers=$CASES/g_qa_train
base=$CASES/p_base_model_local_only
run="$r run $lm --no-warnings --backend reference --input $lm/inputs.safetensors"

# ---- what is written
show() { "$TENSOR" show "$1" "$2" 2>/dev/null; }
check alone 0 - $run --gradients g.st
check both 0 - $run --gradients both.st --output o.st
same both both.st g.st
equal 'the loss is that of the step' "$(show o.st loss | tail -n 1 | cut -c1-7)" \
    "$(show "$lm/outputs.safetensors" loss | tail -n 1 | cut -c1-7)"
check "Hugging Face's names, shapes and values" 0 '' "$TENSOR" near g.st "$lm/grads.safetensors" 2e-5
check 'no closer than that' 1 'off by' "$TENSOR" near g.st "$lm/grads.safetensors" 1e-9
check descriptor 0 - sh -c 'exec "$@" >piped' sh $run --gradients -
same descriptor piped g.st

# ---- dropout is on, and its masks are the seed's
drop="--set hidden_dropout_prob=0.2"
check dropped 0 - $run $drop --gradients d0.st --output d0.out
check again 0 - $run $drop --gradients d0again.st --output d0again.out --seed 0
check 'another seed' 0 - $run $drop --gradients d1.st --output d1.out --seed 1
same 'the same masks' d0.st d0again.st
same 'the same loss' d0.out d0again.out
cmp -s d0.st d1.st && fail 'two seeds drop alike'
cmp -s d0.st g.st && fail 'nothing is dropped'
[ "$(show d0.out loss)" = "$(show o.st loss)" ] && fail 'the loss drops nothing'
checks=$((checks + 3))
check 'a forward drops nothing' 0 - $run $drop --output plain.st
check 'none without rates' 0 - $run --output unrated.st
same 'a forward drops nothing' plain.st unrated.st

# ---- whatever is kept for the backward pass, gradients are the same but for roundings
dumped() { "$r" "$lm" --dump gradients --set compile.sequence_length=64 "$@" 2>&1 | grep -c '^again\.'; }
most=$(dumped --set train.memory=reversible)
for memory in auto 1GiB 450kB; do
    keeps="$drop --set lsh_attention_probs_dropout_prob=0.1 --set train.memory=$memory"
    fewer=$(dumped $keeps)
    [ "$fewer" -lt "$most" ] || fail "train.memory=$memory makes $fewer of $most nodes again"
    check "kept $memory" 0 - $run $keeps --gradients k.st
    check "kept $memory by the interpreter" 0 - $run $keeps --backend interpreter --gradients i.st
    check "nothing kept" 0 - $run $keeps --set train.memory=reversible --gradients n.st
    check "the same sums, $memory" 0 '' "$TENSOR" near k.st n.st 1e-7
    check "the same by the interpreter, $memory" 0 '' "$TENSOR" near i.st n.st 1e-5
done
check 'too little' 1 "train.memory: error: 'train.memory' is 0.06 MiB; a train step of 1 x 64 tokens takes 0.[0-9]+ MiB even" \
    $run --set train.memory=64KiB --gradients none.st
absent none.st

# ---- rows that begin at positions of their own: 50 of 64
row=$(seq -s, 50)
begin() { "$FORGE" make "at$1.st" "input_ids:I32:1,50=$row" "labels:I32:1,50=$row" positions:I32:1="$1"; }
begin 0
begin 14
begin 15
"$FORGE" make at.st "input_ids:I32:1,50=$row" "labels:I32:1,50=$row"
here="$r run $lm --no-warnings --backend reference"
there="$r run $lm --no-warnings --backend interpreter"
check 'the first' 0 - $here --input at.st --gradients g.st
check 'which is 0' 0 - $here --input at0.st --gradients g0.st
check 'the last' 0 - $here --input at14.st --gradients g14.st
check 'in loops' 0 - $there --input at14.st --gradients i14.st
same 'no positions are 0' g.st g0.st
check 'another row has other gradients' 1 'off by' "$TENSOR" near g14.st g.st 1e-2
check 'by the interpreter' 0 '' "$TENSOR" near g14.st i14.st 1e-5
check 'too far' 1 'at15.st: error: positions\[0\] = 15: rows of 50 tokens, and the model has 64 positions' \
    $here --input at15.st --gradients none.st
check 'a forward' 1 'positions: rows of a forward begin at the first position' $here --input at14.st --output none.st
absent none.st

# ---- freezing: those of the others are as they were, under their names and in their shapes
four=$CASES/k_train_clm_4layers
train="$r run $four --no-warnings --input $four/inputs.safetensors"
check 'all are trained' 0 - $train --backend reference --gradients all.st
for frozen in "'lm_head.*'" "'reformer.*'" "'*.layers.[0-2].*', 'reformer.embeddings.*'" "'*weights.0', '*attention*', '*.bias'"; do
    for backend in reference interpreter; do
        check "without $frozen" 0 - $train --backend $backend --set "train.freeze=[$frozen]" --gradients some.st
        check "$backend: others than $frozen" 0 '' "$TENSOR" some some.st all.st 1e-5
    done
done
check 'nothing is left' 1 "train.freeze: error: 'train.freeze' leaves no tensor to train" \
    $train --set "train.freeze=['*']" --gradients none.st
check 'no such tensor' 1 "train.freeze: error: .* no tensor of the model is called 'nothing'" \
    $train --set 'train.freeze=[nothing]' --gradients none.st
check 'decay may name what is frozen' 0 - $train --backend reference --set "train.freeze=['lm_head.*']" --set "train.no_decay=['lm_head.bias']" --gradients some.st
absent none.st

# ---- every head has its loss
"$FORGE" make classes.st 'input_ids:I32:2,64=1*' labels:I32:2=0,2
"$FORGE" make floats.st 'input_ids:I32:2,64=1*' 'labels:F32:2,3=0.5*'
"$FORGE" make answers.st 'input_ids:I32:2,64=1*' start_positions:I32:2=3,7 end_positions:I32:2=9,8
derive() { title=$1; model=$2; shift 2; check "$title" 0 - "$r" run "$model" --no-warnings --backend reference --gradients h.st "$@"; present h.st; rm -f h.st; }
derive classes "$classes" --input classes.st
derive numbers "$classes" --set problem_type=multi_label_classification --input floats.st
derive 'by the type of the labels' "$classes" --set problem_type=null --input floats.st
derive answers "$answers" --input answers.st

# ---- what has no gradients
none() { title=$1 text=$2; shift 2; check "$title" 1 "$text" "$@" --gradients none.st; absent none.st; }
"$FORGE" make ids.st 'input_ids:I32:1,64=1*'
none labels 'ids.st: error: labels: missing; gradients are those of a loss' "$r" run "$lm" --backend reference --input ids.st
none positions 'start_positions and end_positions: missing' "$r" run "$answers" --backend reference --input ids.st
none head 'a ReformerModel has no loss, and so no gradients' "$r" run "$base" --backend reference --input ids.st
none activations 'dump-activations: error: shows a forward' $run --dump-activations --output act.st
absent act.st
none token 'input_ids\[0\]\[0\] = 64: vocab_size is 64' "$r" run "$lm" --backend reference --input "$("$FORGE" make big.st 'input_ids:I32:1,64=64*' 'labels:I32:1,64=1*'; echo big.st)"
check usage 2 'missing --output' "$r" run "$lm" --input ids.st
check only-run 2 "unknown option '--gradients'" "$r" eval "$lm" --text ids.st --gradients none.st
check empty 1 'gradients: an empty argument' $run --gradients ''

# ---- files: over no input, two are apart, all or none of them
cp "$lm/inputs.safetensors" in.st
chmod u+w in.st
cp in.st kept.st
check over-input 1 'is an input of this run and would be overwritten' "$r" run "$lm" --backend reference --input in.st --gradients in.st
same over-input in.st kept.st
check one-file 1 'would go to this one file' $run --gradients one.st --output ./one.st
absent one.st
mkdir several
ln -s /dev/full several/full.st
for pair in "--gradients several/full.st --output several/x.st" "--output several/full.st --gradients several/x.st"; do
    echo old >several/x.st
    check full 1 'several/full.st: error: cannot write: No space left on device' $run $pair
    equal full "$(cat several/x.st)" old
    rm several/x.st
done
tidy several .
check limit 1 'cannot write: File too large' sh -c 'ulimit -f 8; exec "$@"' sh $run --gradients several/limit.st
absent several/limit.st
tidy several
finish
