#!/bin/sh
# train.dtype: bfloat16, all the way: gradients of every back end, a training beside one of float32, where it goes on, what it
# evaluates, and what may not be said beside it.
. "$(dirname "$0")/lib.sh"
TENSOR=$8
r=$REFORMERC
lm=$CASES/k_train_clm_lsh_1hash
bf16='--set train.dtype=bfloat16'

# ---- gradients: of floats by default; back ends have one another's bits, and so have targets with fma
run="$r run $lm --no-warnings --rotations $lm/rotations.safetensors --input $lm/inputs.safetensors"
check 'by default' 0 - $run --backend reference --gradients d.st
check 'float32' 0 - $run --backend reference --set train.dtype=float32 --gradients f.st
same 'by default' d.st f.st
check 'bfloat16' 0 - $run $bf16 --backend reference --gradients b.st
check 'they differ' 1 'off by' "$TENSOR" near b.st f.st 1e-3
check 'interpreter' 0 - $run $bf16 --backend interpreter --gradients i.st
check 'as the reference' 0 '' "$TENSOR" near i.st b.st 1e-2
check 'v4' 0 - $run $bf16 --backend interpreter --target x86-64-v4 --gradients v4.st
check 'with dot2' 0 - $run $bf16 --backend interpreter --target x86-64-v4+bf16 --gradients dot2.st
same 'pairs of rows are summed alike' v4.st dot2.st
# by these sums no factor is on the other side of the reference's; one that is rounded elsewhere is seen by 4e-3 and more
check 'the same factors' 0 '' "$TENSOR" near v4.st b.st 1e-3
check 'compiled' 0 - $run $bf16 --gradients n.st
same 'native' n.st i.st
check 'what is kept' 0 - $run $bf16 --set train.memory=auto --gradients k.st
check 'is nearly what is made again' 0 '' "$TENSOR" near k.st n.st 2e-2

# ---- a graph
rounds() { grep -c " = $1" "$2"; }
dump="$r $lm --set compile.sequence_length=64 --dump gradients $bf16"
check 'dump' 0 '' $dump
cp .err dumped
equal 'every gradient of a weight is of rounded factors' "$(rounds 'outer(rounded\.' dumped)" "$(rounds 'outer(' dumped)"
equal 'every attention, and gradient of one, is of rounded operands' \
    "$(grep -c '_attention\(_grad\)\{0,1\}(.*rounded' dumped)" "$(grep -c '= [a-z]*_attention' dumped)"
check 'a graph keeps the key' 0 - "$r" $lm --set compile.sequence_length=64 $bf16 -o kept.graph
equal 'kept' "$(grep -c 'dtype: "bfloat16"' kept.graph)" 1
check 'derived' 0 - "$r" run kept.graph --weights $lm/model.safetensors --rotations $lm/rotations.safetensors \
    --no-warnings --backend reference --input $lm/inputs.safetensors --gradients g.st
same 'as the spec has it' g.st b.st

# ---- a training
small_spec | sed -e 's/\[local\]/[local, lsh]/' >model.yaml
cat >>model.yaml <<'END'
lsh_attn_chunk_length: 8
num_buckets: 4
num_hashes: 2
hidden_dropout_prob: 0.1
train: {steps: 24, batch_size: 2, accumulate: 2, sequence_length: 24, seed: 5, eval_every: 12, eval_windows: 4, optimizer: {lr: 0.01}}
END
awk 'BEGIN { for (i = 0; i < 900; i++) printf "%d words, %d more; ", i * i % 97, i % 7 }' >text.txt
train() { # NAME DIR ARGUMENT…
    what=$1 to=$2
    shift 2
    check "$what" 0 '' "$r" train model.yaml --text text.txt --no-warnings --set compile.targets=native --out "$to" "$@"
}
losses() { awk -F, 'NR > 1 { print $4 }' "$1/metrics.csv"; }
train 'of floats' floats --threads 1
train 'of bfloat16' halves --threads 1 $bf16
losses floats >floats.txt
losses halves >halves.txt
paste -d ' ' floats.txt halves.txt >both
equal 'all steps' "$(grep -c . both)" 24
holds 'the losses lie on each other' "$(awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > m) m = d } END { print m }' both) < 0.05"
cmp -s floats/last/model.safetensors halves/last/model.safetensors && fail 'nothing was rounded'
equal 'weights are floats' "$("$TENSOR" show halves/last/model.safetensors lm_head.decoder.weight 2>/dev/null | grep -c F32)" \
    "$("$TENSOR" show floats/last/model.safetensors lm_head.decoder.weight 2>/dev/null | grep -c F32)"
train 'two threads' two --threads 2 $bf16
same 'whatever the threads' two/last/model.safetensors halves/last/model.safetensors
same 'and what is kept of them' two/last/optimizer.safetensors halves/last/optimizer.safetensors
train 'interpreter' interpreted --backend interpreter --steps 4 --eval-every 4 $bf16
train 'compiled' compiled --steps 4 --eval-every 4 $bf16
same 'the same weights' interpreted/last/model.safetensors compiled/last/model.safetensors

# ---- it goes on as it began
train 'the first part' parts --threads 1 --steps 12 $bf16
check 'another type' 1 "'train.dtype' was \"bfloat16\", now it is \"float32\"" \
    "$r" train model.yaml --text text.txt --no-warnings --out parts --resume
train 'the second part' parts --threads 1 --resume $bf16
same 'as in one' parts/last/model.safetensors halves/last/model.safetensors
same 'with its state' parts/last/optimizer.safetensors halves/last/optimizer.safetensors

# ---- evaluations are of the type that is trained
evaluated=$(awk -F, 'NR == 1 { for (n = 1; $n != "eval_loss"; n++); } NR > 1 { last = $n } END { print last }' halves/metrics.csv)
judge="$r train halves/last --text text.txt --no-warnings --eval-only --eval-windows 4 --length 24 --batch-size 2 --seed 5"
check 'by itself' 0 '' $judge $bf16
says "^eval_loss $(printf %.6f "$evaluated")"
check 'of floats' 0 '' $judge --set train.dtype=float32
grep -q "^eval_loss $(printf %.6f "$evaluated")" .out && fail 'it is not that of floats'
error="compile.dtype: error: 'compile.dtype' has no effect where gradients are computed: 'train.dtype' is the number type"
check 'another type beside it' 1 "$error" "$r" train model.yaml --text text.txt --set compile.dtype=bfloat16 --out no
check 'of an evaluation' 1 "$error" "$r" train halves/last --text text.txt --eval-only --set compile.dtype=bfloat16
check 'the same type beside it' 0 '' "$r" train model.yaml --text text.txt --no-warnings --set compile.dtype=bfloat16 $bf16 --dry-run
hinted() {
    checks=$((checks + 1))
    grep -q -e "hint: $1\$" .err || fail "no hint: $1"
}
layer="extensions.layers.1.dtype: error: 'extensions.layers.1.dtype' has no effect where gradients are computed: 'train.dtype' is"
set_layer='--set extensions.layers.1.dtype'
check 'a layer of floats' 1 "$layer the number type there, bfloat16" "$r" train model.yaml --text text.txt $bf16 $set_layer=float32 --out no
hinted '--set train.dtype=float32, or --set extensions.layers.1.dtype=bfloat16'
check 'a layer of integers' 1 "$layer the number type there, bfloat16" "$r" train model.yaml --text text.txt $bf16 $set_layer=int8 --out no
hinted '--set extensions.layers.1.dtype=bfloat16'
check 'a layer of bfloat16' 1 "$layer the number type there, float32" "$r" train model.yaml --text text.txt $set_layer=bfloat16 --out no
hinted '--set train.dtype=bfloat16, or --set extensions.layers.1.dtype=float32'
check 'layers of the type' 0 '' "$r" train model.yaml --text text.txt --no-warnings $bf16 $set_layer=bfloat16 --dry-run
check 'no such type' 1 "'train.dtype' must be one of float32, bfloat16" "$r" train model.yaml --text text.txt --set train.dtype=half --out no
absent no

finish
