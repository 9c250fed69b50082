#!/bin/sh
# generate: Hugging Face's tokens and logits, rows that do not know of each other, text as it comes, what ends it,
# what it refuses.
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
equal() { # NAME GOT WANT
    checks=$((checks + 1))
    name=$1
    [ "$2" = "$3" ] || fail "is $2, not $3"
}
same() { # NAME FILE FILE
    checks=$((checks + 1))
    name=$1
    cmp -s "$2" "$3" || fail "$2 and $3 differ"
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
for backend in $backends; do
    g "$backend" 0 '256 tokens in .*; prompt of 100 tokens in .*; back end '$backend', ' --backend "$backend" \
        --tokens 256 --input prompt.st --output "$backend.st"
    equal "$backend: nothing on stdout" "$(wc -c <.out)" 0
    tensors "$backend: tokens" "$backend.st" tokens "$decode" tokens 0
    tensors "$backend: logits" "$backend.st" logits "$decode" logits 2e-5
    equal "$backend: shapes" "$(shape "$backend.st" tokens) $(shape "$backend.st" logits)" '1,256 1,256,258'
done
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
g text 0 '^256 tokens in ' --tokens 256 --prompt-file prompt.txt
same 'a stream is its tokens' .out want.txt
g echo 0 '' --tokens 256 --prompt "$(cat prompt.txt)" --echo
cat prompt.txt want.txt >both.txt
same 'the prompt, then its text' .out both.txt
for dash in '' '--prompt-file -'; do
    name="stdin $dash"
    checks=$((checks + 1))
    "$r" generate "$CHECKPOINT" --tokens 256 $dash <prompt.txt >.out 2>.err || fail "exit $?"
    same "stdin $dash: the same" .out want.txt
done
g one 0 '^1 token in [0-9.]* s; prompt of 100 tokens' --tokens 1 --prompt-file prompt.txt
equal 'one byte' "$(cat .out)" "$(head -c 1 want.txt)"
printf 'e' >e.txt
g 'one token of a prompt' 0 'prompt of 1 token in' --tokens 40 --prompt-file e.txt
g 'as many as there are positions' 0 '^413 tokens' --tokens 413 --prompt-file prompt.txt
equal '413 bytes' "$(wc -c <.out)" 413
g threads 0 ' 1 thread$' --tokens 256 --prompt-file prompt.txt --threads 1
same 'one thread' .out want.txt

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
    g "$title" 0 '' --tokens 80 --prompt-file prompt.txt "$@"
}
head -c 80 want.txt >greedy.txt
draw seed --temperature 0.9 --top-p 0.95 --seed 7
cp .out seed7.txt
draw 'seed again' --temperature 0.9 --top-p 0.95 --seed 7 --threads 1
same 'a seed repeats' .out seed7.txt
draw 'seed without a cache' --temperature 0.9 --top-p 0.95 --seed 8
checks=$((checks + 1))
name='another seed'
cmp -s .out seed7.txt && fail 'gives the same text'
checks=$((checks + 1))
name='a drawn text'
cmp -s greedy.txt seed7.txt && fail 'is the greedy one'
for option in '--temperature 0' '--temperature 0 --top-k 5' '--top-k 1' '--top-p 0.000001' '--beams 1' \
    '--repetition-penalty 1'; do
    draw "$option" $option
    same "$option is greedy" .out greedy.txt
done
draw penalty --repetition-penalty 1.5
checks=$((checks + 1))
name='repetition penalty'
cmp -s .out greedy.txt && fail 'changes nothing'
draw top-k --temperature 5 --top-k 3 --output topk.st
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
    END { exit !(NR == 80 * 258 && lower > 10) }' || fail 'a token is not among them, or always the first'

# ---- beams ----
for backend in $backends reference; do
    draw "beams, $backend" --beams 4 --backend $backend --output "beams-$backend.st"
    if [ "$backend" != reference ]; then continue; fi
    for other in $backends; do
        tensors "beams: $other as the reference" "beams-$other.st" tokens beams-reference.st tokens 0
        tensors "score: $other as the reference" "beams-$other.st" scores beams-reference.st scores 1e-5
    done
done
draw 'beams, text' --beams 4
"$TENSOR" text beams-reference.st tokens >beams.txt
same 'the text of beams' .out beams.txt
draw 'beams without a cache' --beams 3 --no-cache --tokens 12 --output uncached.st
draw 'beams, several prompts' --beams 4 --prompt x --output x.st # --prompt beside --prompt-file is refused
