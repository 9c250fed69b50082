#!/bin/sh
# generate: Hugging Face's tokens and logits, rows that do not know of each other, text as it comes, what ends it,
# what it refuses. With a further argument, `long`, by C too wherever that computes what the JIT does.
. "$(dirname "$0")/lib.sh"
SHOW_TEXT=$7 TENSOR=$8
r=$REFORMERC
small="--backend reference --no-warnings --threads 1"
cases="$CASES/l_decode_lsh_1hash_prompt5 $CASES/l_decode_alt_2hash_prompt37"
g() { # NAME CODE PATTERN ARGUMENTS…: the trained model, default back end
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" generate "$CHECKPOINT" "$@"
}
# A model of a moment, for what is of any: what is chosen from logits, and how texts stand.
hashing_spec | sed 's/^axial_pos_shape:.*/axial_pos_shape: [8, 16]/; s/^max_position_embeddings:.*/max_position_embeddings: 128/' >tiny.yaml
tiny() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" generate tiny.yaml --weights random:3 $small "$@"
}
tensors() { # NAME A TENSOR B TENSOR WITHIN
    title=$1
    shift
    check "$title" 0 '' "$TENSOR" same "$@"
}
ids() { "$TENSOR" show "$1" "$2" | tail -n 1; } # FILE NAME
shape() { "$TENSOR" show "$1" "$2" | head -n 1; }

check help 0 - "$r" generate --help
says '--repetition-penalty'
check no-tokens 2 'missing --tokens' "$r" generate "$CHECKPOINT" --prompt x
check no-model 2 'missing MODEL' "$r" generate --prompt x --tokens 1

# ---- Hugging Face's tokens and logits ----
backends=c
"$r" run "$CHECKPOINT" --input nowhere --output x --backend jit 2>&1 | grep -q 'not built in' || backends='c jit'
decode=$CHECKPOINT/decode.safetensors
"$FORGE" make prompt.st "input_ids:I32:1,100=$(ids "$decode" input_ids)"
"$TENSOR" text "$decode" tokens >want.txt
"$TENSOR" text "$decode" input_ids >prompt.txt
form=${10:-short}
for backend in $backends; do
    n=256
    [ "$backend $form" = 'c short' ] && n=60 # golden_decode_checkpoint_c has all of them
    g "$backend" 0 "$n"' tokens in .*; prompt of 100 tokens in .*; back end '$backend', ' --backend "$backend" \
        --tokens $n --input prompt.st --output "$backend.st"
    equal "$backend: nothing on stdout" "$(wc -c <.out)" 0
    tensors "$backend: tokens" "$backend.st" tokens "$decode" tokens:$n 0
    tensors "$backend: logits" "$backend.st" logits "$decode" logits:$((258 * n)) 2e-5
    equal "$backend: shapes" "$(shape "$backend.st" tokens) $(shape "$backend.st" logits)" "1,$n 1,$n,258"
done
# A compiler takes a minute for the C of all models below; golden_decode has that of these cases, and their machine code.
if [ $form = short ]; then backends=${backends##* } cases=${cases%% *}; fi
for case in $cases; do
    n=$(shape "$case/inputs.safetensors" input_ids)
    "$FORGE" make case.st "input_ids:I64:$n=$(ids "$case/inputs.safetensors" input_ids)"
    for backend in $backends reference; do
        for path in cached uncached; do
            option=
            if [ $path = uncached ]; then option=--no-cache; fi
            check "$backend $path" 0 '^64 tokens in ' "$r" generate "$case" --backend $backend --tokens 64 \
                --input case.st --output case.out $option
            tensors "$backend: $path tokens" case.out tokens "$case/outputs.safetensors" ${path}_tokens 0
            tensors "$backend: $path logits" case.out logits "$case/outputs.safetensors" ${path}_logits 2e-5
        done
    done
done
tidy .

# ---- text ----
g 'as many as there are positions' 0 '^413 tokens in ' --tokens 413 --prompt-file prompt.txt
equal '413 bytes' "$(wc -c <.out)" 413
head -c 256 .out >stream.txt
same 'a stream is its tokens' stream.txt want.txt
# The rest of this script is about its beginning, as far as that says as much.
head -c 60 want.txt >begins.txt
g echo 0 '' --tokens 60 --prompt "$(cat prompt.txt)" --echo
cat prompt.txt begins.txt >both.txt
same 'the prompt, then its text' .out both.txt
for dash in '' '--prompt-file -'; do
    name="stdin $dash"
    checks=$((checks + 1))
    "$r" generate "$CHECKPOINT" --tokens 60 $dash <prompt.txt >.out 2>.err || fail "exit $?"
    same "stdin $dash: the same" .out begins.txt
done
g one 0 '^1 token in [0-9.]* s; prompt of 100 tokens' --tokens 1 --prompt-file prompt.txt
equal 'one byte' "$(cat .out)" "$(head -c 1 want.txt)"
printf 'e' >e.txt
g 'one token of a prompt' 0 'prompt of 1 token in' --tokens 40 --prompt-file e.txt
g threads 0 ' 1 thread$' --tokens 60 --prompt-file prompt.txt --threads 1
same 'one thread' .out begins.txt

# It comes while the rest is computed: what reads it ends the program.
name='a reader that goes'
checks=$((checks + 1))
{
    "$r" generate "$CHECKPOINT" $small --tokens 413 --prompt-file prompt.txt --no-cache 2>.err
    echo $? >code
} | head -c 3 >first
equal 'the first bytes' "$(cat first)" "$(head -c 3 want.txt)"
equal 'as SIGPIPE would end it' "$(cat code)" 141
name='a closed pipe'
grep -q 'error' .err && fail 'is no error'
told=$(sed -n 's/^\([0-9]*\) tokens* in .*/\1/p' .err)
[ "${told:-413}" -lt 100 ] || fail "all of it was computed: $(cat .err)"
name='closed stdout'
"$r" generate "$CHECKPOINT" --tokens 9 --prompt x >&- 2>.err
[ $? -eq 1 ] && grep -q 'stdout: error: cannot write' .err || fail 'a closed stdout was not noticed'
if [ -e /dev/full ]; then
    name='full stdout'
    "$r" generate "$CHECKPOINT" --tokens 9 --prompt x >/dev/full 2>.err
    [ $? -eq 1 ] && grep -q 'stdout: error: cannot write' .err || fail 'a full stdout was not noticed'
    g 'full output' 1 'cannot write' --tokens 9 --prompt x --output /dev/full
fi

# ---- drawing ----
draw() { # NAME ARGUMENTS…
    title=$1
    shift
    g "$title" 0 '' --tokens 40 --prompt-file prompt.txt "$@"
}
choose() { # NAME ARGUMENTS…
    title=$1
    shift
    tiny "$title" 0 '^40 tokens in ' --tokens 40 --prompt 'He had' "$@"
}
head -c 40 want.txt >greedy.txt
draw seed --temperature 0.9 --top-p 0.95 --seed 7
cp .out seed7.txt
draw 'seed again' --temperature 0.9 --top-p 0.95 --seed 7 --threads 1
same 'a seed repeats' .out seed7.txt
draw 'another seed' --threads 1 --temperature 0.9 --top-p 0.95 --seed 8
checks=$((checks + 1))
name='another seed'
cmp -s .out seed7.txt && fail 'gives the same text'
checks=$((checks + 1))
name='a drawn text'
cmp -s greedy.txt seed7.txt && fail 'is the greedy one'
choose greedy
cp .out chosen.txt
for option in '--temperature 0' '--temperature 0 --top-k 5' '--top-k 1' '--top-p 0.000001' '--beams 1' \
    '--repetition-penalty 1'; do
    choose "$option" $option
    same "$option is greedy" .out chosen.txt
done
choose penalty --repetition-penalty 1.5
checks=$((checks + 1))
name='repetition penalty'
cmp -s .out chosen.txt && fail 'changes nothing'
choose top-k --temperature 5 --top-k 3 --output topk.st
checks=$((checks + 1))
name='top-k: one of three'
"$TENSOR" show topk.st logits | tail -n 1 | tr , '\n' | awk -v ids="$(ids topk.st tokens)" '
    BEGIN { split(ids, id, ",") }
    { x[(NR - 1) % 258] = $1 }
    NR % 258 == 0 {
        s = NR / 258; above = 0
        for (i = 0; i < 258; i++) above += x[i] > x[id[s]]
        if (above > 2) exit 1
        lower += above > 0
    }
    END { exit !(NR == 40 * 258 && lower > 10) }' || fail 'a token is not among them, or always the first'

# ---- beams ----
beams() { # NAME ARGUMENTS…
    title=$1
    shift
    g "$title" 0 '^24 tokens in ' --tokens 24 --prompt-file prompt.txt --beams 4 "$@"
}
for backend in $backends reference; do
    beams "beams, $backend" --backend $backend --output "beams-$backend.st"
    if [ "$backend" != reference ]; then continue; fi
    for other in $backends; do
        tensors "beams: $other as the reference" "beams-$other.st" tokens beams-reference.st tokens 0
        tensors "score: $other as the reference" "beams-$other.st" scores beams-reference.st scores 1e-5
    done
done
beams 'beams, text'
"$TENSOR" text beams-reference.st tokens >beams.txt
same 'the text of beams' .out beams.txt
# Two prompts of two beams are four rows, as above and below: the same code.
g 'beams, two prompts' 0 '' --tokens 12 --prompt x --prompt "$(cat prompt.txt)" --beams 2 --output two.st
g 'beams, one of them' 0 '' --tokens 12 --prompt-file prompt.txt --beams 2 --output second.st --backend reference
tensors 'beams: the second prompt' two.st tokens@1 second.st tokens 0
g 'beams, short' 0 '' --tokens 3 --prompt-file prompt.txt --beams 4 --output cached.st
g 'beams without a cache' 0 '' --tokens 3 --prompt-file prompt.txt --beams 4 --output uncached.st --no-cache
tensors 'beams without a cache: scores' uncached.st scores cached.st scores 0.05
g 'beams, one token' 0 '' --tokens 1 --prompt-file prompt.txt --beams 4
equal 'beams, one token: the likeliest' "$(cat .out)" "$(head -c 1 want.txt)"

# ---- rows ----
# Four prompts, padded in front, behind, and on both sides: each is what it is alone.
row() { # FIRST COUNT: ids of the prompt
    ids prompt.st input_ids | cut -d, -f"$1-$(($1 + $2 - 1))"
}
repeat() { # VALUE COUNT
    awk -v x="$1" -v n="$2" 'BEGIN { for (i = 0; i < n; i++) printf "%s%s", i ? "," : "", x }'
}
"$FORGE" make rows.st "input_ids:I32:4,64=$(repeat 7 59),$(row 3 5),$(row 1 37),$(repeat 0 27),$(row 30 64),$(repeat 9 20),$(row 60 20),$(repeat 9 24)" \
    "attention_mask:U8:4,64=$(repeat 0 59),$(repeat 1 5),$(repeat 1 37),$(repeat 0 27),$(repeat 1 64),$(repeat 0 20),$(repeat 1 20),$(repeat 0 24)"
"$FORGE" make row0.st "input_ids:I32:1,5=$(row 3 5)"
"$FORGE" make row1.st "input_ids:I32:1,37=$(row 1 37)"
"$FORGE" make row2.st "input_ids:I32:1,64=$(row 30 64)"
"$FORGE" make row3.st "input_ids:I32:1,20=$(row 60 20)"
rows() { # NAME TOKENS ARGUMENTS…
    name_of=$1 tokens=$2
    shift 2
    g "$name_of: together" 0 "^$((4 * tokens)) tokens in .*prompt of 126 tokens" --tokens "$tokens" --input rows.st \
        --output rows.out "$@"
    for i in 0 1 2 3; do
        g "$name_of: row $i" 0 '' --tokens "$tokens" --input row$i.st --output alone.out "$@"
        tensors "$name_of: row $i's tokens" rows.out tokens@$i alone.out tokens 0
        tensors "$name_of: row $i's logits" rows.out logits@$i alone.out logits 0
    done
}
for backend in $backends; do rows "$backend" 70 --backend $backend; done
cp rows.out full.out
rows 'reference, penalty' 12 --backend reference --repetition-penalty 1.3
rows 'no cache' 3 --no-cache
# The default back end for rows that draw: row 0 alone draws as row 0.
g 'rows that draw' 0 '' --tokens 30 --input rows.st --output drawn.out --temperature 1 --seed 4
g 'row 0 draws alone' 0 '' --tokens 30 --input row0.st --output alone.out --temperature 1 --seed 4
tensors 'row 0 alone draws the same' drawn.out tokens@0 alone.out tokens 0

# Texts of several prompts stand one after the other.
for prompt in He 'The old woman' 'in the'; do
    tiny "alone: $prompt" 0 '' --tokens 50 --prompt "$prompt" --echo
    cp .out "alone.$prompt"
done
{
    n=1
    for prompt in He 'The old woman' 'in the'; do
        echo "==> prompt $n <=="
        cat "alone.$prompt"
        [ "$(tail -c 1 "alone.$prompt" | wc -l)" -eq 1 ] || echo
        n=$((n + 1))
    done
} >several.txt
tiny several 0 '^150 tokens in .*prompt of 21 tokens' --tokens 50 --echo -p He -p 'The old woman' -p 'in the'
same 'several prompts' .out several.txt
g 'rows of a file as text' 0 '' --tokens 20 --input rows.st
says '^==> row 4 <==$'
g 'one row of a file as text, an eos that nothing asks for' 0 '^60 tokens' --tokens 60 --input prompt.st --set eos_token_id=34
same 'one row of a file' .out begins.txt

# ---- ends ----
before() { # TEXT: what of want.txt stands before its first occurrence
    awk -v stop="$1" 'BEGIN { RS = "\001" } { at = index($0, stop); printf "%s", at ? substr($0, 1, at - 1) : $0 }' want.txt
}
stop='the stairs' # after "the strange" and "the streets", which begin like it
before "$stop" >stopped.txt
checks=$((checks + 1))
name='a stop within the text'
[ "$(wc -c <stopped.txt)" -gt 30 ] && [ "$(wc -c <stopped.txt)" -lt 200 ] || fail "'$stop'"
g stops 0 "^$(($(wc -c <stopped.txt) + ${#stop})) tokens in" --tokens 256 --prompt-file prompt.txt --stop 'Zossimov!' --stop "${stop}x" --stop "$stop"
same 'one of several' .out stopped.txt
g 'no stop' 0 '^256 tokens' --tokens 256 --prompt-file prompt.txt --stop "${stop}~" --stop '~'
same 'what only began as a stop is written' .out want.txt
end=$(tail -c 3 begins.txt)
g 'a stop that begins at the end, one in the prompt' 0 '^60 tokens' --tokens 60 --prompt-file prompt.txt \
    --stop "$end!" --stop "$(head -c 30 prompt.txt)"
same 'the end is written, the prompt stops nothing' .out begins.txt
g 'stop, tensors' 0 '' --tokens 256 --input prompt.st --output stop.st --stop "$stop"
n=$(($(wc -c <stopped.txt) + ${#stop}))
tensors 'tokens up to the stop' stop.st tokens:$n "$decode" tokens:$n 0
equal 'then padding' "$(ids stop.st tokens | cut -d, -f$((n + 1))- | tr -d ,)" "$(repeat 0 $((256 - n)) | tr -d ,)"
equal 'in full shape' "$(shape stop.st tokens) $(shape stop.st logits)" '1,256 1,256,258'

space=34 # a blank
blank=$(before ' ' | wc -c)
g eos 0 "^$((blank + 1)) tokens? in" --tokens 256 --prompt-file prompt.txt --stop-at-eos --set eos_token_id=$space
equal 'up to the eos' "$(cat .out)" "$(before ' ')"
g 'eos of rows' 0 '' --tokens 40 --input rows.st --output eos.out --stop-at-eos --set eos_token_id=$space \
    --set pad_token_id=1
for i in 0 1 2 3; do
    n=$("$TENSOR" show full.out tokens | tail -n 1 | tr , '\n' | awk -v r=$i -v eos=$space \
        'NR > r * 70 && NR <= r * 70 + 40 { n++; if ($1 == eos) exit } END { print n }')
    tensors "eos of row $i" eos.out tokens@$i:$n full.out tokens@$i:$n 0
    equal "padding of row $i" "$("$TENSOR" show eos.out "tokens@$i" | tail -n 1 | cut -d, -s -f$((n + 1))- | tr -d ,)" \
        "$(repeat 1 $((40 - n)) | tr -d ,)"
done
# Any of a list ends a row; tokens outside the vocabulary and a missing padding token stop nothing.
comma=46
first=$(sed 's/[ ,].*//' want.txt | head -n 1)
equal 'a blank or a comma comes' "$([ ${#first} -lt 200 ] && echo yes)" yes
g 'list of ends' 0 '' --tokens 256 --prompt-file prompt.txt --stop-at-eos --set "eos_token_id=[$comma,-1,999,$space]" \
    --set pad_token_id=null
equal 'up to the first of them' "$(cat .out)" "$first"
g 'no padding token' 0 '' --tokens 40 --input rows.st --output list.out --stop-at-eos --set "eos_token_id=[$space]" \
    --set pad_token_id=null
equal 'rows are filled up with the end' "$(ids list.out tokens@0 | tr , '\n' | tail -n 1)" $space
g 'beams, list of ends' 0 '' --tokens 20 --prompt Raskolnikov --beams 4 --stop-at-eos --set "eos_token_id=[$space,$comma]" \
    --set pad_token_id=320

# generation_config.json says the ends of a folder, alone; settings come before it.
mkdir folder
cp "$CHECKPOINT/config.json" "$CHECKPOINT/model.safetensors" folder
f() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" generate folder --tokens 20 --prompt-file prompt.txt "$@"
}
echo "{\"eos_token_id\": $space, \"temperature\": 1.0}" >folder/generation_config.json
f 'generation_config.json' 0 "^$((blank + 1)) tokens? in" --stop-at-eos
f 'setting before it' 1 'has no eos_token_id' --stop-at-eos --set eos_token_id=null
f 'only where asked for' 0 '^20 tokens in'
echo '{"pad_token_id": 0, "do_sample": true, "top_k": 50, "no_repeat_ngram_size": 2}' >folder/generation_config.json
f 'no end there is none' 1 'generation_config.json: error: has no eos_token_id' --stop-at-eos
f 'ways of choosing' 0 "warning: 'do_sample' is not followed: tokens are chosen as the options say"
grep -q "warning: 'no_repeat_ngram_size' is not followed" .err || fail 'no warning of what is not there'
grep -q "warning: 'top_k'" .err && fail "a warning of Hugging Face's default"
echo '{"eos_token_id": "x"}' >folder/generation_config.json
f 'no number there' 1 "generation_config.json:1:18: error: 'eos_token_id' must be an integer"
echo '{"eos_token_id": 34' >folder/generation_config.json
f 'damaged' 1 'generation_config.json:.*error'
check 'other commands do not need it' 0 - "$r" run folder --input prompt.st --output run.st $small
tidy .

# ---- lengths of the spec ----
# Prefills padded to 64 and 128, as Hugging Face pads; the reference knows nothing of how.
lengths='--set compile.sequence_length=[64,128]'
for backend in $backends reference; do
    g "lengths, $backend" 0 '' $lengths --tokens 30 --input prompt.st --output "lengths-$backend.st" --backend $backend
    tensors "lengths, $backend: tokens" "lengths-$backend.st" tokens "lengths-${backends%% *}.st" tokens 0
    tensors "lengths, $backend: logits" "lengths-$backend.st" logits "lengths-${backends%% *}.st" logits 2e-5
done
g 'beyond the longest prefill' 0 '^42 tokens' $lengths --tokens 42 --prompt-file prompt.txt
g 'no cache beyond the longest' 1 '45 too many for the 128 positions' $lengths --tokens 74 --prompt-file prompt.txt \
    --no-cache
g 'prompt too long for lengths' 1 'a prompt of 100 tokens: the longest this model takes is 64' --tokens 3 \
    --prompt-file prompt.txt --set compile.sequence_length=64
g 'more rows than prompts' 0 '' --tokens 60 --prompt-file prompt.txt --set compile.batch_size=4
same 'rows without a prompt' .out begins.txt
g 'more prompts than rows' 1 '--prompt: error: 3 prompts; compile.batch_size is 2' --tokens 3 -p a -p b -p c \
    --set compile.batch_size=2
g 'more beams than rows' 1 '--beams: error: 4; compile.batch_size is 2' --tokens 3 -p a --beams 4 \
    --set compile.batch_size=2

# ---- what is refused ----
e() { # NAME PATTERN ARGUMENTS…: exit 1, nothing on stdout
    title=$1 text=$2
    shift 2
    g "$title" 1 "$text" --output refused.st "$@"
    equal "$title: no text" "$(wc -c <.out)" 0
    absent refused.st
}
head -c 600 "$CHECKPOINT/validation.txt" >long.txt
e too-long 'long.txt: error: a prompt of 600 tokens: the longest this model takes is 512' --tokens 1 --prompt-file long.txt
e too-many '--tokens: error: 414 tokens behind a prompt of 100: 1 too many for the 512 positions' --tokens 414 \
    --prompt-file prompt.txt
grep -q 'hint: --tokens 413 at most, or a shorter prompt' .err || fail 'no hint'
e empty '--prompt: error: is empty: a model needs at least one token' --tokens 3 --prompt ''
e 'one is empty' '--prompt: error: is empty' --tokens 3 --prompt x --prompt ''
: >empty.txt
e empty-file 'empty.txt: error: is empty' --tokens 3 --prompt-file empty.txt
e empty-stdin '/dev/stdin: error: is empty' --tokens 3
e missing-file 'nowhere: error: cannot open' --tokens 3 --prompt-file nowhere
e folder 'is a directory' --tokens 3 --prompt-file .
"$FORGE" make no-row.st "input_ids:I32:2,3=$(repeat 5 6)" attention_mask:I32:2,3=1,1,1,0,0,0
e no-token 'no-row.st: error: attention_mask\[1\] leaves no token of this row' --tokens 3 --input no-row.st
"$FORGE" make bad-id.st input_ids:I32:1,2=1,258
"$FORGE" make hole.st "input_ids:I32:2,5=$(repeat 5 10)" attention_mask:I32:2,5=0,1,1,1,0,0,1,0,1,1
e hole 'hole.st: error: attention_mask\[1\]\[2\] leaves out a token between others' --tokens 3 --input hole.st
e bad-id 'input_ids\[0\]\[1\] = 258: vocab_size is 258' --tokens 3 --input bad-id.st
e two-prompts '--prompt: error: another prompt beside --prompt-file: leave one out' --tokens 3 -p x --prompt-file prompt.txt
e prompt-and-input '--prompt: error: another prompt beside --input' --tokens 3 -p x --input prompt.st
e echo '--echo: error: is for text on stdout' --tokens 3 -p x --echo
for n in 0 -1 x 1.5 '' 99999999999999999999; do
    e "tokens '$n'" '--tokens: ' --tokens "$n" -p x
done
e temperature "--temperature: error: '-1' is not a number from 0 to 1e9" --tokens 3 -p x --temperature -1
e temperature-nan "--temperature: error: 'nan'" --tokens 3 -p x --temperature nan
e top-k "--top-k: error: '0' is not a number from 1" --tokens 3 -p x --top-k 0
e top-p-0 "--top-p: error: '0' is not a number above 0, up to 1" --tokens 3 -p x --top-p 0
e top-p-2 "--top-p: error: '1.1'" --tokens 3 -p x --top-p 1.1
e penalty "--repetition-penalty: error: '0' is not a number above 0" --tokens 3 -p x --repetition-penalty 0
e beams "--beams: error: '0' is not a number from 1" --tokens 3 -p x --beams 0
e beams-draw '--top-k: error: is not of beam search' --tokens 3 -p x --beams 2 --top-k 3
e beams-stop '--stop: error: is not of beam search' --tokens 3 -p x --beams 2 --stop y
e no-beams '--length-penalty: error: is of beam search: give --beams too' --tokens 3 -p x --length-penalty 2
e several-errors '--top-p: error' --tokens 3 -p x --temperature -1 --top-p 2
grep -q -e '--temperature: error' .err || fail 'one of two errors is told'
e no-stop '--stop: an empty argument' --tokens 3 -p x --stop ''
e beams-early '--early-stopping-never: error: is the opposite of --early-stopping' --tokens 3 -p x --beams 2 \
    --early-stopping --early-stopping-never
e eos-beyond 'has an eos_token_id outside the vocabulary' --tokens 3 -p x --stop-at-eos --set eos_token_id=[-1,258]
e eos-unset 'has no eos_token_id for --stop-at-eos' --tokens 3 -p x --stop-at-eos --set eos_token_id=null
g no-place 1 'nowhere/x.st: error: cannot create' --tokens 3 -p x --output nowhere/x.st
check not-causal 1 'only causal language models continue texts' "$r" generate "$CASES/c_mlm_alt_attention_mask" -p x --tokens 3
check base 1 'only causal language models continue texts' "$r" generate "$CASES/p_base_model_local_only" -p x --tokens 3
check vocabulary 1 'vocab_size is 64, not 258' "$r" generate "$CASES/a_clm_lsh_1hash" -p x --tokens 3
check too-few-ids 1 'needs 258 tokens' "$r" generate "$CASES/a_clm_lsh_1hash" -p x --tokens 3 --set compile.text=bytes
check no-weights 1 'has no weights' "$r" generate "$CHECKPOINT/config.json" -p x --tokens 3
cp "$CHECKPOINT/model.safetensors" huge.st
for i in 0 1 2 3 4 5 6 7; do # of token 0 and, the other way round, of token 1: one of them is +infinity
    "$FORGE" poke huge.st huge.st lm_head.decoder.weight $i 7f7fffff
    "$FORGE" poke huge.st huge.st lm_head.decoder.weight $((384 + i)) ff7fffff
done
for how in '' '--beams 4' '--backend reference --temperature 1' '--backend reference --top-k 2 --no-cache' \
    '--backend reference --beams 2'; do
    e "not-finite $how" 'hint: the weights overflow' --tokens 3 -p x --weights huge.st $how
    equal "not-finite $how: once" "$(grep -c 'the logits hold a NaN or an infinity' .err)" 1
done
# A token whose embedding overflows: what was written before it stands, the error says where it came.
cp "$CHECKPOINT/model.safetensors" huge.st
for i in 0 1 2 3; do # of the letter e
    "$FORGE" poke huge.st huge.st reformer.embeddings.word_embeddings.weight $((103 * 192 + i)) 7f7fffff
done
g late 1 'error: prompt 2: after 1 token the logits hold a NaN' --tokens 50 -p T -p x -p T -p T --weights huge.st --output late.st
absent late.st
e late-beams 'error: prompt 1: the logits hold a NaN' --tokens 50 -p T -p x --beams 2 --weights huge.st
tidy .

# ---- Ctrl-C ----
# What was written stays, and is what it would have been.
# With --output, when it has computed for a while, of which loading is a tenth.
some_text() { [ "$(wc -c <.out)" -ge 3 ] || [ "$(awk '{ print $14 }' /proc/$pid/stat 2>/dev/null || echo 0)" -ge "$ticks" ]; }
interrupt() { # SIGNAL ARGUMENTS…
    signal=$1
    shift
    : >.err # of the run before: on a busy machine this one may end before it begins
    "$r" generate "$CHECKPOINT" $small --no-cache --tokens 413 --prompt-file prompt.txt "$@" >.out 2>.err </dev/null &
    pid=$!
    end_when "$signal" some_text
    checks=$((checks + 1))
}
name=interrupt
ticks=1000
interrupt TERM
[ $code -eq 143 ] || fail "exit $code, not 143"
n=$(sed -n 's/^interrupted: \([0-9]*\) tokens in.*/\1/p' .err)
equal 'as many as it says' "$(wc -c <.out)" "$n"
checks=$((checks + 1))
name='a part'
[ "${n:-0}" -ge 3 ] && [ "$n" -lt 413 ] || fail "$n tokens of 413"
head -c "$n" want.txt >part.txt
same 'the text so far' .out part.txt
name='interrupt, tensors'
ticks=$(($(getconf CLK_TCK) * 4 / 10))
patience=40
interrupt TERM --output part.st
[ $code -eq 143 ] || fail "exit $code, not 143"
n=$(sed -n 's/^interrupted: \([0-9]*\) tokens* in.*/\1/p' .err)
if [ "${n:-0}" -eq 0 ]; then
    absent part.st
else
    equal 'the tensors so far' "$(shape part.st tokens) $(shape part.st logits)" "1,$n 1,$n,258"
    tensors 'the tokens so far' part.st tokens "$decode" tokens:"$n" 0
fi
tidy .

# ---- profile ----
g profile 0 '' --tokens 5 -p 'He went' --instrument trace.json
grep -c '"name":"step"\|"name": "step"' trace.json >.out
says '^4$'

# ---- SentencePiece ----
# What a piece is decoded to depends on those before it: the text is that of prompt and tokens together, less the prompt.
pieces() { # MODEL TRAINING…: MODEL.model, a spec that reads it; generates with it
    model=$1
    shift
    name="spm_train $model"
    spm_train --input=train.txt --model_prefix="$model" --vocab_size=400 --num_threads=1 "$@" >.out 2>.err || fail 'failed'
    { sed 's/^vocab_size:.*/vocab_size: 400/' tiny.yaml && echo "compile: {text: 'sentencepiece:$model.model'}"; } >"$model.yaml"
    p() { # NAME ARGUMENTS…
        title="$model: $1"
        shift
        check "$title" 0 '^60 tokens' "$r" generate "$model.yaml" $small --weights random:3 --temperature 1 --seed 5 --tokens 60 \
            --prompt 'the old woman said' "$@"
    }
    p tensors --output pieces.st
    {
        printf 'the old woman said' | "$SHOW_TEXT" encode "$model.yaml"
        ids pieces.st tokens | tr , '\n'
    } >ids.txt
    "$SHOW_TEXT" decode "$model.yaml" <ids.txt >whole.txt
    p 'with the prompt' --echo
    same "$model: all of it" .out whole.txt
    head -n "$(($(wc -l <ids.txt) - 60))" ids.txt | "$SHOW_TEXT" decode "$model.yaml" >prompt-text.txt
    tail -c +$(($(wc -c <prompt-text.txt) + 1)) whole.txt >rest.txt
    p text
    same "$model: what follows the prompt" .out rest.txt
}
if "$SHOW_TEXT" built-in && command -v spm_train >/dev/null 2>&1; then
    head -c 20000 "$CHECKPOINT/validation.txt" >train.txt
    printf '61 62\t51\n65\t45\n' >rewrite.tsv # ab is decoded as Q, e as E: nothing is certain before the end
    pieces plain --byte_fallback=true
    "$r" generate plain.yaml $small --weights random:3 --temperature 1 --seed 5 --tokens 60 --prompt 'the old woman said' \
        --stop "$(tail -c +20 rest.txt | head -c 4)" >.out 2>.err
    name='pieces before a stop'
    cut=$(wc -c <.out)
    [ "$cut" -gt 0 ] && [ "$cut" -le 19 ] || fail "$cut bytes"
    head -c "$cut" rest.txt | cmp -s - .out || fail 'differ'
    pieces rewritten --denormalization_rule_tsv=rewrite.tsv
fi
finish
