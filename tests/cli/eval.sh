#!/bin/sh
# eval: what it refuses, and small texts whose score is known from run.
. "$(dirname "$0")/lib.sh"
model=$CHECKPOINT # 512 tokens, vocabulary 258
e() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$REFORMERC" eval --backend reference "$@"
}
: >empty.txt
printf a >one.txt
printf 'It was a dark night' >night.txt
e empty 1 'empty.txt: error: has 0 bytes' "$model" --text empty.txt
e one-byte 1 'one.txt: error: has 1 byte' "$model" --text one.txt
e missing-text 1 'cannot open' "$model" --text nowhere.txt
e text-is-folder 1 'is a directory' "$model" --text .
e not-causal 1 'eval scores causal language models' "$CASES/c_mlm_alt_attention_mask" --text night.txt
e not-causal-base 1 'eval scores causal language models' "$CASES/p_base_model_local_only" --text night.txt
e vocabulary 1 'vocab_size is 64, not 258' "$CASES/a_clm_lsh_1hash" --text night.txt
e too-few-ids 1 "needs 258 tokens" "$CASES/a_clm_lsh_1hash" --text night.txt --set compile.text=bytes
e no-weights 1 'has no weights' "$model/config.json" --text night.txt
e threads 0 'back end reference.*, 2 threads' "$model" --text night.txt --threads 2 --set compile.sequence_length=32
says '^scored_tokens 18$'
says '^nats_per_byte [0-9]+\.[0-9]{6}$'
says '^bits_per_byte [0-9]+\.[0-9]{6}$'
says '^tokens_per_second [0-9]+\.[0-9]{6}$'

# Weights whose products overflow give no figures.
cp "$model/model.safetensors" huge.st
for i in 0 1 2 3 4 5 6 7; do # of token 0 and, the other way round, of token 1: one of them is +infinity
    "$FORGE" poke huge.st huge.st lm_head.decoder.weight $i 7f7fffff
    "$FORGE" poke huge.st huge.st lm_head.decoder.weight $((384 + i)) ff7fffff
done
e overflow 1 'error: the loss is not a finite number: these weights overflow' "$model" --text night.txt --weights huge.st
[ ! -s .out ] || fail 'there are figures'
rm huge.st

# Windows: two of 32 and a last one of 2 tokens count, a last one of 1 does not. Rows at once change nothing.
head -c 66 "$model/validation.txt" >66.txt
head -c 65 "$model/validation.txt" >65.txt
head -c 64 "$model/validation.txt" >64.txt
e two-and-a-pair 0 '' "$model" --text 66.txt --set compile.sequence_length=32
says '^scored_tokens 63$'
e two-and-one 0 '' "$model" --text 65.txt --set compile.sequence_length=32
says '^scored_tokens 62$'
grep per_byte .out >two-and-one
e two 0 '' "$model" --text 64.txt --set compile.sequence_length=32
grep per_byte .out >two
cmp -s two two-and-one || fail 'a last window of one token changed the score'
e two-at-once 0 '' "$model" --text 64.txt --set compile.sequence_length=32 --set compile.batch_size=2
grep per_byte .out >at-once
awk 'NR == FNR { want[$1] = $2; next } { d = $2 - want[$1]; if (d < -2e-6 || d > 2e-6) exit 1 }' two at-once ||
    fail 'two rows at once give another score'
finish
