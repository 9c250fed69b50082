#!/bin/sh
# score: a line's figure is what eval says of it, whatever lines stand beside it; order, files, interruption; what
# it refuses.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6 SHOW_TEXT=$7
r=$REFORMERC
small="--backend reference --no-warnings --threads 1"
s() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" score "$CHECKPOINT" $small "$@"
}
figures() { # FILE: log-likelihood, tokens, bits and windows of each line, without its number
    tail -n +2 "$1" | cut -f1-3,5
}

check help 0 - "$r" score --help
says '--sort'
check no-text 2 'missing --text' "$r" score "$CHECKPOINT"
check no-model 2 'missing MODEL' "$r" score

# ---- lines: what a line is ----
printf 'It was a dark night\n\na\nIt was a dark night\r\n\000\377\200\nab' >lines.txt
s lines 0 '^6 lines, 45 tokens, up to 4 rows at once; back end reference, ' --text lines.txt
cp .out lines.tsv
equal header "$(head -n 1 lines.tsv)" "$(printf 'log_likelihood\ttokens\tbits_per_token\tline\twindows')"
equal counts "$(tail -n +2 lines.tsv | cut -f2,4,5 | tr '\t\n' ' ;')" '18 1 1;0 2 0;0 3 0;19 4 1;2 5 1;1 6 1;'
equal nothing-to-score "$(sed -n 3,4p lines.tsv | cut -f1,3 | tr '\t\n' ' ;')" '0.000000 nan;0.000000 nan;'
checks=$((checks + 1))
name='bits are the mean'
awk 'NR > 1 && $2 > 0 { d = $1 + $2 * $3 * log(2); if (d < -1e-4 || d > 1e-4) exit 1 }' lines.tsv || fail 'they are not'
tail -n 1 lines.txt >last.txt
"$r" score "$CHECKPOINT" $small --text - <last.txt >last.tsv 2>/dev/null
equal 'the last line, from stdin' "$(figures last.tsv)" "$(tail -n 1 lines.tsv | cut -f1-3,5)"

# ---- a line is what eval says of it ----
dynamic="--set compile.sequence_length=dynamic"
head -c 150 "$CHECKPOINT/validation.txt" | tr '\n' ' ' >line.txt
agrees() { # NAME ARGUMENTS…: line.txt by score and by eval
    title=$1
    shift
    s "$title" 0 '' --text line.txt "$@"
    cp .out line.tsv
    check "$title, eval" 0 '' "$r" eval "$CHECKPOINT" $small --text line.txt ${dynamic_too:-} "$@"
    equal "$title: tokens" "$(sed -n 's/^scored_tokens //p' .out)" "$(tail -n 1 line.tsv | cut -f2)"
    checks=$((checks + 1))
    name="$title: bits"
    awk -v want="$(sed -n 's/^bits_per_byte //p' .out)" \
        'NR > 1 { d = $3 - want; exit !(d < 2e-6 && d > -2e-6) }' line.tsv || fail "$(tail -n 1 line.tsv)"
}
dynamic_too=$dynamic
agrees whole
dynamic_too=
agrees padded --set compile.sequence_length=256
agrees windows --set compile.sequence_length=32 --set compile.batch_size=3
equal 'five windows' "$(tail -n 1 line.tsv | cut -f2,5)" "$(printf '145\t5')"
head -c 129 line.txt >.line && mv .line line.txt
agrees 'a last window of one token' --set compile.sequence_length=32
equal 'four windows' "$(tail -n 1 line.tsv | cut -f2,5)" "$(printf '124\t4')"

# ---- company changes nothing ----
head -n 12 "$CHECKPOINT/validation.txt" >text.txt
printf '\nx\nshort\n%0200d\n%0130d\n' 1 2 >>text.txt
printf 'exactly sixty-four bytes, which is what a padded length is of..\n' >>text.txt
# Most of what eight rows of the trained model take are rows without a line. This one has both kinds of layers, too.
hashing_spec | sed 's/^attn_layers:.*/attn_layers: [local, lsh]/; s/^axial_pos_shape:.*/axial_pos_shape: [16, 16]/
    s/^max_position_embeddings:.*/max_position_embeddings: 256/' >tiny.yaml
echo 'local_attn_chunk_length: 8' >>tiny.yaml
company() { # NAME ARGUMENTS…: the default back end; a row, eight, one thread, other neighbours, by itself
    title=$1
    shift
    check "$title one by one" 0 'up to 1 row at once' "$r" score tiny.yaml --weights random:3 --text text.txt \
        --set compile.batch_size=1 "$@"
    cp .out one.tsv
    check "$title eight at once" 0 'up to 8 rows at once' "$r" score tiny.yaml --weights random:3 --text text.txt \
        --set compile.batch_size=8 "$@"
    cp .out eight.tsv
    same "$title: eight are one by one" one.tsv eight.tsv
    check "$title threads" 0 '1 thread$' "$r" score tiny.yaml --weights random:3 --text text.txt --threads 1 "$@"
    same "$title: one thread" .out eight.tsv
    check "$title odd" 0 '' "$r" score tiny.yaml --weights random:3 --text shuffled.txt --set compile.batch_size=5 "$@"
    tail -n +2 .out | paste order - | sort -n | cut -f2-4,6 >back.tsv
    figures eight.tsv >figures.tsv
    same "$title: shuffled, by fives" back.tsv figures.tsv
    for n in 1 7 15 16 18; do
        sed -n ${n}p text.txt >alone.txt
        check "$title line $n alone" 0 '' "$r" score tiny.yaml --weights random:3 --text alone.txt "$@"
        equal "$title: line $n alone" "$(figures .out)" "$(sed -n ${n}p figures.tsv)"
    done
}
n=$(wc -l <text.txt)
awk -v n="$n" 'BEGIN { for (i = 0; i < n; i++) print (i * 17 + 5) % n + 1 }' >order # 17 and 18 have no factor in common
equal 'a permutation' "$(sort -n order | uniq | wc -l)" 18
while read -r at; do sed -n "${at}p" text.txt; done <order >shuffled.txt
company dynamic
company fixed --set compile.sequence_length=128
equal 'longer than the model' "$(sed -n 17p eight.tsv | cut -f2,5)" "$(printf '198\t2')"

# Rows by default: eight where they are filled, one where no two lines go together.
head -n 14 "$CHECKPOINT/validation.txt" | grep . | cut -c1-40 >alike.txt
for i in 1 2 3; do head -c $((i * 64)) "$CHECKPOINT/validation.txt" | tr '\n' ' ' && echo; done >different.txt
check alike 0 'up to 8 rows at once' "$r" score "$CHECKPOINT" --text alike.txt
figures .out >figures.tsv
equal 'figures that differ' "$(sort -u figures.tsv | wc -l)" "$(wc -l <alike.txt)"
sed -n 5p alike.txt >alone.txt
check 'one of them alone' 0 'up to 1 row at once' "$r" score "$CHECKPOINT" --text alone.txt
equal 'one of them alone' "$(figures .out)" "$(sed -n 5p figures.tsv)"
check different 0 'up to 1 row at once' "$r" score "$CHECKPOINT" --text different.txt

# ---- what is odd comes first ----
head -n 12 "$CHECKPOINT/validation.txt" | cut -c1-30 | sed '7s/[eo]/0/g' >odd.txt
s sorted 0 '' --text odd.txt --sort
equal 'the odd line' "$(sed -n 2p .out | cut -f4)" 7
tail -n +2 .out | cut -f3 >bits
sort -rn bits >ordered
same 'falling bits' bits ordered
equal 'all lines' "$(tail -n +2 .out | cut -f4 | sort -n | tr '\n' ' ')" '1 2 3 4 5 6 7 8 9 10 11 12 '
s sorted-ties 0 '' --text lines.txt --sort
equal 'without figures: last, in their order' "$(tail -n 2 .out | cut -f4 | tr '\n' ' ')" '2 3 '

# ---- files ----
s files 0 '' --text lines.txt --output o.tsv --output o.csv --output o.json
equal 'stdout is free' "$(wc -c <.out)" 0
same tsv o.tsv lines.tsv
tr '\t' , <lines.tsv >want.csv
same csv o.csv want.csv
j() { json o.json "$@"; }
j complete true
j text '"lines.txt"'
j 'lines.#' 6
j lines.0.line 1
j lines.0.tokens 18
grep '"line": 4,' o.json >.out
says "\"log_likelihood\": $(sed -n 5p lines.tsv | cut -f1), .*\"bits_per_token\": $(sed -n 5p lines.tsv | cut -f3), "
j lines.1.bits_per_token null
j lines.5.windows 1
tidy .
s suffix 1 'o.svg: error: the suffix decides what is written: .tsv, .csv or .json' --text lines.txt --output o.svg
absent o.svg
s nowhere 1 'no/o.csv: error: cannot create' --text lines.txt --output no/o.csv
cp lines.txt text.csv
s over-the-text 1 'text.csv: error: is an input of this score' --text text.csv --output text.csv
same 'the text is there' lines.txt text.csv
if [ -e /dev/full ]; then
    ln -s /dev/full full.csv
    s full 1 'full.csv: error: cannot write' --text lines.txt --output full.csv
    name='full stdout'
    "$r" score "$CHECKPOINT" $small --text lines.txt >/dev/full 2>.err
    [ $? -eq 1 ] && grep -q 'stdout: error: cannot write' .err || fail 'a full stdout was not noticed'
fi

# ---- what is refused ----
: >empty.txt
s empty 1 'empty.txt: error: has no lines: nothing to score' --text empty.txt
printf '\n' >newline.txt
s 'an empty line' 0 '^1 line, 0 tokens' --text newline.txt
equal 'is a line' "$(figures .out)" "$(printf '0.000000\t0\tnan\t0')"
s missing 1 'nowhere.txt: error: cannot open' --text nowhere.txt
s folder 1 'is a directory' --text .
check not-causal 1 'score scores causal language models' "$r" score "$CASES/c_mlm_alt_attention_mask" --text lines.txt
check base 1 'score scores causal language models' "$r" score "$CASES/p_base_model_local_only" --text lines.txt
check vocabulary 1 'vocab_size is 64, not 258' "$r" score "$CASES/a_clm_lsh_1hash" --text lines.txt
check too-few-ids 1 'needs 258 tokens' "$r" score "$CASES/a_clm_lsh_1hash" --text lines.txt --set compile.text=bytes
check no-weights 1 'has no weights' "$r" score "$CHECKPOINT/config.json" --text lines.txt
s length 1 'sequence_length' --text lines.txt --set compile.sequence_length=0

# ---- Ctrl-C ----
# Lines that were scored are told, each with the figure that it has in the end.
head -n 100 "$CHECKPOINT/validation.txt" >long.txt
interrupt() { # SIGNAL ARGUMENTS…
    signal=$1
    shift
    "$r" score "$CHECKPOINT" $small --text long.txt "$@" >.out 2>.err </dev/null &
    pid=$!
    end_when "$signal" grep -q ' %  ' .err
}
name=interrupt
interrupt TERM
checks=$((checks + 1))
[ $code -eq 143 ] || fail "exit $code, not 143"
grep -Eq 'interrupted: [0-9]+ of 100 lines are scored' .err || fail 'it does not say how far it came'
cp .out part.tsv
told=$(tail -n +2 part.tsv | wc -l)
equal 'as many as it says' "$told" "$(sed -n 's/^interrupted: \([0-9]*\) of.*/\1/p' .err)"
checks=$((checks + 1))
name='a part'
[ "$told" -gt 0 ] && [ "$told" -lt 100 ] || fail "$told lines of 100"
n=$(tail -n 1 part.tsv | cut -f4)
sed -n "${n}p" long.txt >alone.txt
s 'the last of them' 0 '' --text alone.txt
equal 'the last of them: as when it is alone' "$(figures .out)" "$(tail -n 1 part.tsv | cut -f1-3,5)"
name='interrupt, to a file'
interrupt TERM --output part.json
checks=$((checks + 1))
[ $code -eq 143 ] || fail "exit $code, not 143"
equal 'not complete' "$("$SHOW_JSON" part.json complete)" false
tidy .

# ---- SentencePiece ----
if "$SHOW_TEXT" built-in && command -v spm_train >/dev/null 2>&1; then
    head -c 20000 "$CHECKPOINT/validation.txt" >train.txt
    name=spm_train
    spm_train --input=train.txt --model_prefix=pieces --vocab_size=200 --num_threads=1 >.out 2>.err || fail 'failed'
    sed -e 's/"vocab_size": *258/"vocab_size": 200/' "$CHECKPOINT/config.json" >pieces.json
    head -n 3 "$CHECKPOINT/validation.txt" >three.txt
    check pieces 0 '3 lines' "$r" score pieces.json --weights random:3 --text three.txt $small \
        --set compile.text=sentencepiece:pieces.model
    cp .out pieces.tsv
    for n in 1 2 3; do
        sed -n ${n}p three.txt | tr -d '\n' >piece.txt
        check "pieces $n, eval" 0 '' "$r" eval pieces.json --weights random:3 --text piece.txt $small $dynamic \
            --set compile.text=sentencepiece:pieces.model
        equal "pieces $n: tokens" "$(sed -n 's/^scored_tokens //p' .out)" "$(sed -n $((n + 1))p pieces.tsv | cut -f2)"
        equal "pieces $n: bits" "$(sed -n 's/^bits_per_token //p' .out | cut -c1-6)" \
            "$(sed -n $((n + 1))p pieces.tsv | cut -f3 | cut -c1-6)"
    done
fi
finish
