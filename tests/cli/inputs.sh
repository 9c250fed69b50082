#!/bin/sh
# Wrong inputs of run: each message names the tensor and the position.
. "$(dirname "$0")/lib.sh"
TENSOR=$8
model=$CASES/a_clm_lsh_1hash # causal, vocabulary 64, up to 64 tokens
classes=$CASES/f_cls_3labels_train
answers=$CASES/g_qa_train
base=$CASES/p_base_model_local_only

run() { # NAME CODE PATTERN MODEL TENSORS…
    title=$1 want_code=$2 text=$3 folder=$4
    shift 4
    "$FORGE" make in.st "$@"
    check "$title" "$want_code" "$text" "$REFORMERC" run "$folder" --backend reference $extra --input in.st --output out.st
    if [ "$want_code" -ne 0 ]; then absent out.st; else present out.st; rm -f out.st; fi
}
extra=
run fine 0 '' "$model" input_ids:I32:1,4=1,2,3,4
run fine-64-bit 0 '' "$model" 'input_ids:I64:2,8=5*' 'attention_mask:U8:2,8=1*' 'labels:I64:2,8=-100*'
"$FORGE" make in.st 'input_ids:I32:1,8=5*' labels:I32:1,8=1,2,3,-100,5,6,7,8
check 'losses of tokens' 0 '' "$REFORMERC" run "$model" --backend reference --input in.st --output out.st
"$TENSOR" show out.st token_losses >losses.txt
equal 'their shape' "$(head -n 1 losses.txt)" 1,8
equal 'their mean is the loss' "$(tail -n 1 losses.txt | tr , '\n' | awk '{ s += $1 } END { printf "%.4f", s / 6 }')" \
    "$("$TENSOR" show out.st loss | tail -n 1 | awk '{ printf "%.4f", $1 }')"
check 'random input' 0 '' "$REFORMERC" run "$model" --backend reference --input random:3 --output drawn.st
check 'as of the same seed' 0 '' "$REFORMERC" run "$model" --backend reference --input random:3 --output again.st
same 'the same input' drawn.st again.st
check 'as of another seed' 0 '' "$REFORMERC" run "$model" --backend reference --input random --output again.st
! cmp -s drawn.st again.st || fail 'the seed changes nothing'
check 'a seed that is none' 1 "^--input: error: 'random:x'" "$REFORMERC" run "$model" --input random:x --output no.st
absent no.st
check 'no labels, no losses' 1 '' "$TENSOR" show in.st token_losses
rm -f out.st
extra='--set pad_token_id=null'
run pad-not-needed 0 '' "$model" 'input_ids:I32:1,16=1*'
extra='--set pad_token_id=64'
run pad-beyond-not-needed 0 '' "$model" 'input_ids:I32:1,16=1*'
extra=
run id-too-large 1 'in.st: error: input_ids\[0\]\[3\] = 64: vocab_size is 64' "$model" input_ids:I32:1,4=1,2,3,64
run id-negative 1 'input_ids\[1\]\[0\] = -1: vocab_size is 64' "$model" input_ids:I32:2,2=1,2,-1,3
run id-64-bit 1 'input_ids' "$model" input_ids:I64:1,2=1,4294967297
run ids-missing 1 'input_ids: missing' "$model" 'labels:I32:1,4=1*'
run ids-rank-1 1 'input_ids: shape \[4\]; \[batch, length\]' "$model" 'input_ids:I32:4=1*'
run ids-rank-3 1 'input_ids: shape \[1, 2, 2\]' "$model" 'input_ids:I32:1,2,2=1*'
run ids-empty 1 'input_ids: shape \[1, 0\]' "$model" 'input_ids:I32:1,0=1*'
run ids-no-rows 1 'input_ids: shape \[0, 4\]' "$model" 'input_ids:I32:0,4=1*'
run ids-float 1 'input_ids: dtype F32' "$model" 'input_ids:F32:1,4=1*'
run ids-byte 1 'input_ids: dtype U8' "$model" 'input_ids:U8:1,4=1*'
run too-long 1 'input_ids: 65 tokens per row; the longest this model takes is 64' "$model" 'input_ids:I32:1,65=1*'
run name-typo 1 "input_id: no such input" "$model" 'input_id:I32:1,4=1*'
grep -q "did you mean 'input_ids'" .err || fail 'no hint'
run mask-value 1 'attention_mask\[0\]\[2\] = 2: a mask is 0 or 1' "$model" 'input_ids:I32:1,4=1*' attention_mask:I32:1,4=1,1,2,0
run mask-shape 1 'attention_mask: shape \[1, 3\]; input_ids has \[1, 4\]' "$model" 'input_ids:I32:1,4=1*' 'attention_mask:I32:1,3=1*'
run mask-float 1 'attention_mask: dtype F32' "$model" 'input_ids:I32:1,4=1*' 'attention_mask:F32:1,4=1*'
run label-value 1 'labels\[0\]\[1\] = 64: vocab_size is 64' "$model" 'input_ids:I32:1,4=1*' labels:I32:1,4=1,64,3,4
run label-minus-1 1 'labels\[0\]\[0\] = -1: ' "$model" 'input_ids:I32:1,4=1*' labels:I32:1,4=-1,2,3,4
run label-shape 1 'labels: shape \[4\]' "$model" 'input_ids:I32:1,4=1*' 'labels:I32:4=1*'
run label-float 1 'labels: dtype F32' "$model" 'input_ids:I32:1,4=1*' 'labels:F32:1,4=1*'
run positions-of-lm 1 'start_positions: a ReformerModelWithLMHead does not take it' "$model" 'input_ids:I32:1,4=1*' start_positions:I32:1=1
run labels-of-base 1 'labels: a ReformerModel does not take it' "$base" 'input_ids:I32:1,8=1*' 'labels:I32:1,8=1*'

run class 0 '' "$classes" 'input_ids:I32:2,64=1*' labels:I32:2=0,2
run class-ignored 0 '' "$classes" 'input_ids:I32:2,64=1*' labels:I32:2=0,-100
run class-column 0 '' "$classes" 'input_ids:I32:2,64=1*' labels:I64:2,1=0,2
run class-value 1 'labels\[1\] = 3: num_labels is 3' "$classes" 'input_ids:I32:2,64=1*' labels:I32:2=0,3
run class-shape 1 'labels: shape \[3\]; \[batch\] is needed' "$classes" 'input_ids:I32:2,64=1*' 'labels:I32:3=0*'
run class-several 0 '' "$classes" 'input_ids:I32:2,64=1*' labels:F32:2,3=0,1,0,1,1,0
run class-several-shape 1 'labels: shape \[2\]; \[2, 3\]' "$classes" 'input_ids:I32:2,64=1*' labels:F32:2=0,1
run class-nan 1 'labels\[0\]\[1\] is not a finite number' "$classes" 'input_ids:I32:2,64=1*' labels:F32:2,3=0,nan,0,1,1,0
run answer 0 '' "$answers" 'input_ids:I32:2,64=1*' start_positions:I32:2=1,2 end_positions:I64:2=3,4
run answer-half 1 'end_positions: missing' "$answers" 'input_ids:I32:2,64=1*' start_positions:I32:2=1,2
run answer-clamped 0 '' "$answers" 'input_ids:I32:2,64=1*' start_positions:I32:2=-5,64 end_positions:I32:2=3,99
run answer-shape 1 'start_positions: shape \[3\]' "$answers" 'input_ids:I32:2,64=1*' 'start_positions:I32:3=1*' 'end_positions:I32:2=1*'

# Lengths of the spec.
extra='--set compile.sequence_length=32'
run shorter-than-fixed 0 '' "$model" 'input_ids:I32:1,7=1*' 'labels:I32:1,7=3*'
run longer-than-fixed 1 'input_ids: 33 tokens per row; .* is 32 \(compile.sequence_length\)' "$model" 'input_ids:I32:1,33=1*'
extra='--set compile.sequence_length=32 --set compile.batch_size=2'
run fewer-rows 0 '' "$model" 'input_ids:I32:1,32=1*'
run more-rows 1 'input_ids: 3 rows; compile.batch_size is 2' "$model" 'input_ids:I32:3,8=1*'

# Imposed buckets.
"$FORGE" make ids.st 'input_ids:I32:1,64=1*'
buckets() { # NAME CODE PATTERN TENSORS…
    title=$1 want_code=$2 text=$3
    shift 3
    "$FORGE" make buckets.st "$@"
    check "$title" "$want_code" "$text" "$REFORMERC" run "$model" --backend reference --buckets buckets.st --input ids.st --output b.out
}
buckets buckets 0 '' 'layers.1.buckets:I32:1,2,1,64=3*'
buckets buckets-none 0 ''
buckets buckets-of-a-dump 0 '' 'layers.1.buckets:I32:1,2,1,64=3*' 'layers.1.y1:F32:1,64,4=0*' 'logits:F32:1,64,4=0*'
buckets buckets-range 1 'layers.1.buckets\[0\]\[0\]\[0\]\[0\] = 4: round 0 has buckets 0 … 3' 'layers.1.buckets:I32:1,2,1,64=4*'
buckets buckets-negative 1 'layers.1.buckets\[0\]\[0\]\[0\]\[0\] = -1' 'layers.1.buckets:I32:1,2,1,64=-1*'
buckets buckets-shape 1 'layers.0.buckets: shape \[1, 2, 64\]; \[1, 2, 1, 64\]' 'layers.0.buckets:I32:1,2,64=1*'
buckets buckets-layer 1 'layers.2.buckets: not layers.N.buckets of an LSH layer' 'layers.2.buckets:I32:1,2,1,64=1*'
buckets buckets-name 1 'not layers.N.buckets' 'bucket:I32:1,2,1,64=1*'
check buckets-file 1 'nowhere' "$REFORMERC" run "$model" --backend reference --buckets nowhere --input ids.st --output b.out

# The output.
check unwritable 1 'cannot create' "$REFORMERC" run "$model" --backend reference --input ids.st --output nowhere/out.st
check missing-input 1 'nowhere' "$REFORMERC" run "$model" --backend reference --input nowhere --output out.st
if [ -e /dev/full ]; then
    check full-output 1 'cannot write' "$REFORMERC" run "$model" --backend reference --input ids.st --output /dev/full
fi
absent out.st
tidy .
finish
