#!/bin/sh
# verify, of specs that train: gradients of a train step by every back end, with dropout, whose masks are the seed's.
. "$(dirname "$0")/lib.sh"
train=$CASES/k_train_clm_lsh_1hash # layers lsh, lsh; one row of 64 tokens
drop='--set train.memory=reversible --set hidden_dropout_prob=0.1 --set lsh_attention_probs_dropout_prob=0.1'
both='--backends reference,interpreter'
small='--set compile.sequence_length=24'
v() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$REFORMERC" verify "$@"
}
verdicts() { equal "verdicts, $title" "$(grep -c '^agree: ' .out)" "$1"; }

v untrained 0 '' "$train" $small $both
if grep -q gradients .out; then fail 'gradients that nobody asked for'; fi
v train 0 '' "$train" $drop --input "$train/inputs.safetensors" $both
says '^gradients of a train step, dropout of seed 0$'
says '^lm_head\.decoder\.weight  +[0-9.]+ +[0-9.]+e-0[78]$'
says '^reformer\.encoder\.layers\.1\.attention\.self_attention\.query_key\.weight +[0-9.]+ +[0-9.]+e-0[678]$'
says '^reformer\.embeddings\.position_embeddings\.weights\.1 '
says '^agree: 30 tensors of reference and interpreter; nearest to its tolerance: (lm_head|reformer)\.'
verdicts 2
grep '^loss ' .out | tail -n 1 >loss-0
v seed 0 '' "$train" $drop --input "$train/inputs.safetensors" $both --seed 1
says '^gradients of a train step, dropout of seed 1$'
if grep '^loss ' .out | tail -n 1 | cmp -s - loss-0; then fail 'two seeds drop alike'; fi
v auto 0 '' "$train" $small $drop --set train.memory=auto $both
verdicts 2
v dynamic 0 '' "$train" --set compile.sequence_length=dynamic $drop $both
verdicts 2
for case in f_cls_3labels_train g_qa_train; do
    v $case 0 '' "$CASES/$case" --set train.steps=1 $both
    verdicts 2
done

# Nothing to compare.
v no-loss 1 'a ReformerModel has no loss, and so no gradients' "$CASES/p_base_model_local_only" --set train.steps=1 $both
equal 'stdout without a loss' "$(cat .out)" ''
"$FORGE" make unlabelled.st 'input_ids:I32:1,24=1*'
v no-labels 0 '' "$train" $drop --input unlabelled.st $both
says '^left out: gradients, the input has no labels$'
verdicts 1

# Buckets that are imposed are those of the step, too.
"$REFORMERC" run "$train" --backend reference --dump-activations --input "$train/inputs.safetensors" --output dump.st
v imposed 0 '' "$train" --set train.steps=1 --buckets dump.st --input "$train/inputs.safetensors" $both
verdicts 2

# Columns of rotations that differ by roundings: every hash is a near-tie, and float32 decides otherwise than double.
"$FORGE" make ties.st "layers.0.rotations:F32:2,16,1,4=$(awk 'BEGIN { for (h = 0; h < 2; h++) for (d = 0; d < 16; d++)
    for (r = 0; r < 4; r++) printf "%s%.9g", n++ ? "," : "", (1 + (7 * d + 3 * h) % 11) / 8 + 1e-7 * ((5 * d + 3 * r + h) % 7) }')"
v near-ties 0 '' "$train" $drop --rotations ties.st --input "$train/inputs.safetensors" $both
says "^near-ties: interpreter was given the reference's buckets from layer 0 on, where a last bit may decide [1-9][0-9]* rows\$"
verdicts 2

# Roundings that a last bit decides: code and the interpreter, whose bits are one another's.
bf16='--set train.dtype=bfloat16'
v bfloat16 0 '' "$train" $small $drop $bf16 --backends reference,interpreter,c
says '^agree: 30 tensors of interpreter and c, to the bit'
says '^left out: reference, whose roundings are others \(train\.dtype\)$'
verdicts 2
v bfloat16-alone 0 '' "$train" $drop $bf16 --input "$train/inputs.safetensors" $both
says '^left out: gradients, of fewer than two back ends$'
says '^left out: reference, whose roundings are others \(train\.dtype\)$'
verdicts 1

# A compiler that turns a sign in the sum for the gradient of a bias, alone, and beside one that is right.
cat >badcc <<'END'
#!/bin/sh
for word; do
    case $word in *model.c) ;; *) continue ;; esac
    grep -q '^REFORMER_KERNEL.*_of_g_lm_head_bias' "$word" || continue
    sed '/^REFORMER_KERNEL.*_of_g_lm_head_bias/,/^}/s/^\( *sum[_0-9]*\) = \(sum[_0-9]* + \)/\1 = -\2/' "$word" >"$word.new"
    if cmp -s "$word" "$word.new"; then echo 'badcc: nothing to break' >&2; exit 1; fi
    mv "$word.new" "$word"
done
exec cc "$@"
END
chmod +x badcc
v fault 1 '' "$train" $small $drop --backends reference,interpreter,c --cc "$PWD/badcc"
says '^agree: .* tensors of reference, interpreter and c, all but the reference to the bit'
says '^first departure: lm_head.bias, back end c: .* of magnitude .* at \[[0-9]+\]: '
says '^cause: back end c: the interpreter of the same loops says otherwise$'
if grep -q 'departs:' .out; then fail 'it blames more than one'; fi
v fault-bfloat16 1 '' "$train" $small $drop $bf16 --backends reference,interpreter,c --cc cc --cc "$PWD/badcc"
says '^agree: .* tensors of reference, interpreter, c \(cc\) and c \(.*badcc\), all but the reference to the bit'
says '^first departure: lm_head.bias, back end c \(.*badcc\): .*, interpreter has '
says '^left out: reference, '
if grep -q 'departs:' .out; then fail 'it blames more than one'; fi
tidy .
finish
