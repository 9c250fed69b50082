#!/bin/sh
# num_buckets: null. One artefact has one number, that of its greatest length: where Hugging Face would take another
# for the input at hand, each command names both, and what it says to set gives what a run for this length alone gives.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
cat >config.json <<'JSON'
{"architectures": ["ReformerModelWithLMHead"], "model_type": "reformer", "is_decoder": true,
 "attn_layers": ["lsh", "lsh"], "hidden_size": 16, "num_attention_heads": 2, "attention_head_size": 8,
 "feed_forward_size": 16, "vocab_size": 258, "hash_seed": 3, "num_hashes": 1, "lsh_attn_chunk_length": 16,
 "axial_pos_shape": [32, 32], "axial_pos_embds_dim": [8, 8], "max_position_embeddings": 1024,
 "num_buckets": null}
JSON
model="config.json --weights random"
open="warning: 'num_buckets' is null: "
c() { # NAME PATTERN COMMAND ARGUMENTS…: fine, and says this on stderr
    title=$1 text=$2 command=$3
    shift 3
    check "$title" 0 "$text" "$r" $command $model --backend reference "$@"
}
quiet() { # NAME COMMAND ARGUMENTS…: nothing is said of it
    title=$1
    shift
    c "$title" '' "$@"
    checks=$((checks + 1))
    if grep -q "num_buckets" .err; then fail 'warns where there is nothing to warn of'; fi
}
ids=$(awk 'BEGIN { for (i = 0; i < 96; i++) printf "%s%d", i ? "," : "", 2 + (i * i * 7 + i) % 256 }')
"$FORGE" make in.st "input_ids:I32:1,96=$ids"
"$FORGE" make short.st "input_ids:I32:1,16=$(printf %s "$ids" | cut -d, -f1-16)"

# ---- run: 96 tokens are 6 chunks of 16, of 1024 tokens there are 64 ----
quiet alone run --input in.st --output alone.st
c dynamic "$open\[8, 16\] is taken, the number for 1024 tokens; Hugging Face takes 8 for the 96 tokens of in.st" \
    run --input in.st --output dynamic.st --set compile.sequence_length=dynamic
grep -q "hint: --set num_buckets=8 is Hugging Face's choice; --set 'num_buckets=\[8, 16\]' settles this one" .err ||
    fail 'no way out'
[ "$(grep -c "is null" .err)" -eq 1 ] || fail 'said more than once'
grep -q '^config.json:5:' .err || fail 'not at the key'
cmp -s alone.st dynamic.st && fail 'the number changes nothing: the test tests nothing'
quiet theirs run --input in.st --output theirs.st --set compile.sequence_length=dynamic --set num_buckets=8
same 'what the hint settles' alone.st theirs.st
quiet ours run --input in.st --output ours.st --set compile.sequence_length=dynamic --set 'num_buckets=[8, 16]'
same 'what the other one settles' dynamic.st ours.st
quiet silenced run --input in.st --output o.st --set compile.sequence_length=dynamic --no-warnings
quiet 'exact attention' run --input short.st --output o.st --set compile.sequence_length=dynamic
quiet 'a length' run --input in.st --output o.st --set compile.sequence_length=96
quiet 'a list of one' run --input in.st --output o.st --set 'compile.sequence_length=[96]'
c list "${open}16 is taken, the number for 128 tokens; Hugging Face takes 8 for the 96 tokens" \
    run --input in.st --output o.st --set 'compile.sequence_length=[64,128]'
quiet 'a list, the same number' run --input in.st --output o.st --set 'compile.sequence_length=[64,112]'
"$FORGE" make b.st "layers.0.buckets:I32:1,2,1,96=$(yes 1 | head -n 192 | paste -sd, -)"
quiet imposed run --input in.st --output o.st --set compile.sequence_length=dynamic --buckets b.st
quiet 'local layers' run --input in.st --output o.st --set compile.sequence_length=dynamic \
    --set 'attn_layers=[local,local]' --set local_attn_chunk_length=16

# ---- texts ----
printf 'short\n%s\n' "$(yes abc | head -n 20 | tr '\n' ' ')" >lines.txt
c score "$open\[8, 16\] is taken, .* takes 8 for the 80 tokens of line 2" score --text lines.txt
quiet 'score, settled' score --text lines.txt --set num_buckets=8
c generate "$open\[8, 16\] is taken, .* takes 8 for the 96 tokens of the row" generate --input in.st --tokens 1 --output o.st
c prompts ' takes 4 for the 20 tokens of prompt 2' generate --prompt ab --prompt abcdefghijklmnopqrst --tokens 1
quiet 'a prompt of a chunk' generate --input short.st --tokens 1 --output o.st
c recomputed ' takes 4 for the 17 tokens of the first text' generate --input short.st --tokens 2 --output o.st --no-cache
quiet 'recomputed, never hashed' generate --input short.st --tokens 1 --output o.st --no-cache
c eval ' takes 8 for the 87 tokens of the text' eval --text lines.txt
yes abcdefg | head -n 140 | head -c 1100 >long.txt
quiet 'eval, a whole window' eval --text long.txt

# ---- what is translated for inputs to come ----
translate() { # NAME PATTERN ARGUMENTS…
    title=$1 text=$2
    shift 2
    check "$title" 0 "$text" "$r" config.json -o m.c "$@"
}
translate 'translated, dynamic' \
    "$open\[8, 16\] is taken at every length, the number for 1024 tokens; Hugging Face takes .*from 4 for 17 tokens on" \
    --set compile.sequence_length=dynamic
grep -q "with num_buckets \[8, 16\] at every length, the number for 1024 tokens" m.h || fail 'the header promises more'
translate 'translated, a list' "${open}16 is taken at every length, the number for 128 .* from 8 for 64 tokens on" \
    --set 'compile.sequence_length=[64,128]'
translate 'translated, a length' - --set compile.sequence_length=96
grep -q num_buckets m.h && fail 'a single length needs no word'
translate 'translated, settled' - --set compile.sequence_length=dynamic --set num_buckets=8
grep -q num_buckets m.h && fail 'a given number needs no word'
translate 'translated, silenced' - --set compile.sequence_length=dynamic --no-warnings

# ---- buckets to impose on layers whose heads, rounds and chunks differ ----
case=$CASES/q_clm_layers
own() { # NAME CODE PATTERN OUTPUT ARGUMENTS…
    title=$1 want_code=$2 text=$3 output=$4
    shift 4
    check "$title" "$want_code" "$text" "$r" run "$case/config.json" --weights "$case/model.safetensors" \
        --input "$case/inputs.safetensors" --output "$output" "$@"
}
for backend in reference interpreter; do
    own "$backend" 0 '' hashed.st --backend $backend
    own "$backend, another seed" 0 '' other.st --backend $backend --set hash_seed=9
    own "$backend, imposed" 0 '' imposed.st --backend $backend --set hash_seed=9 --buckets "$case/outputs.safetensors"
    cmp -s hashed.st other.st && fail 'the seed changes nothing: the test tests nothing'
    same "$backend, imposed" hashed.st imposed.st
done
"$FORGE" make b.st "layers.1.buckets:I32:2,2,2,48=$(yes 1 | head -n 384 | paste -sd, -)"
own 'of other rounds' 1 'layers.1.buckets: shape \[2, 2, 2, 48\]|layers.1.buckets.*\[2, 2, 3, 48\]' o.st \
    --backend reference --buckets b.st
"$FORGE" make b.st "layers.5.buckets:I32:2,1,1,48=$(yes 4 | head -n 96 | paste -sd, -)"
own 'of more buckets than the layer has' 1 'round 0 has buckets 0 … 3' o.st --backend reference --buckets b.st
finish
