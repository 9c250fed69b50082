#!/bin/sh
# sweep: what it measures is what eval says; tables and files agree; bad points are skipped and bad arguments
# refused; whatever ends a sweep, the same command continues it.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
r=$REFORMERC
head -c 100 "$CHECKPOINT/validation.txt" >text.txt
small="--backend reference --threads 1 --set compile.sequence_length=64"
s() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" sweep "$CHECKPOINT" $small --text text.txt "$@"
}
column() { # FILE NAME: the values of a column without commas in its fields, one a line
    awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$1"
}

# ---- what it finds ----
check help 0 - "$r" sweep --help
says 'KEY=A,B,C'
s figures 0 '4 points, 100 tokens each; back end reference, 1 thread' --set num_hashes=1,2 \
    --set lsh_attn_chunk_length=32,64 --output r.csv --output r.json
says '^num_hashes  lsh_attn_chunk_length  bits/byte  tokens/s  workspace +peak RSS +compile  front$'
says '^         2                     64   [0-9.]+ +[0-9.]+ +- '
present r.csv r.json
absent r.csv.partial r.json.partial
tidy .
grep -q 'point 4 of 4: num_hashes=2 lsh_attn_chunk_length=64: [0-9.]* bits per byte' .err || fail 'no line per point'
[ "$(wc -l <r.csv)" -eq 5 ] || fail 'not a line per point'
[ "$(column r.csv num_hashes | tr '\n' ' ')" = '1 1 2 2 ' ] || fail 'the first key does not vary slowest'
[ "$(column r.csv compile.sequence_length | sort -u)" = 64 ] || fail 'a fixed setting is missing in the CSV'
json r.json complete true
json r.json 'points.#' 4
json r.json points.2.settings '{"compile.sequence_length":64,"num_hashes":2,"lsh_attn_chunk_length":32}'
json r.json points.2.workspace_bytes null
json r.json points.2.window 64
json r.json points.2.scored_tokens "$(column r.csv scored_tokens | sed -n 3p)"
json r.json text_tokens 100

# Each point is what eval says of these settings.
number=0
for point in '1 32' '1 64' '2 32' '2 64'; do
    number=$((number + 1))
    set -- $point
    check "eval $point" 0 '' "$r" eval "$CHECKPOINT" $small --text text.txt --set num_hashes="$1" \
        --set lsh_attn_chunk_length="$2"
    says "^bits_per_byte $(column r.csv bits_per_byte | sed -n ${number}p)\$"
    says "^scored_tokens $(column r.csv scored_tokens | sed -n ${number}p)\$"
done
[ "$(column r.csv bits_per_byte | sort -u | wc -l)" -gt 1 ] || fail 'settings change nothing: the test tests nothing'

# One layer by itself: with as many rounds as all layers have it is the model as it was trained.
s 'a layer' 0 '3 points' --set extensions.layers.1.num_hashes=1,2,4 --output layer.csv
says '^extensions.layers.1.num_hashes  bits/byte '
[ "$(column layer.csv extensions.layers.1.num_hashes | tr '\n' ' ')" = '1 2 4 ' ] || fail 'no column of the layer'
[ "$(column layer.csv bits_per_byte | sort -u | wc -l)" -eq 3 ] || fail 'rounds of one layer change nothing'
check 'eval of the model' 0 '' "$r" eval "$CHECKPOINT" $small --text text.txt
says "^bits_per_byte $(column layer.csv bits_per_byte | sed -n 2p)\$"
check 'eval of a layer' 0 '' "$r" eval "$CHECKPOINT" $small --text text.txt --set extensions.layers.1.num_hashes=4
says "^bits_per_byte $(column layer.csv bits_per_byte | sed -n 3p)\$"
s 'a local layer' 1 "'num_hashes' has no effect: layer 0 is local" --set extensions.layers.0.num_hashes=1,2

# The front, from the figures alone; the table and the JSON mark the same points.
front() { # FILE: the lines that should be marked
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $(at["error"]) == "" { b[NR - 1] = $(at["bits_per_byte"]); v[NR - 1] = $(at["tokens_per_second"]) }
        END { for (i in b) { ok = 1
            for (j in b) if (b[j] <= b[i] && v[j] >= v[i] && (b[j] < b[i] || v[j] > v[i])) ok = 0
            if (ok) print i } }' "$1" | sort -n | tr '\n' ' '
}
marked() { column "$1" pareto | awk '$1 == 1 { print NR }' | tr '\n' ' '; }
[ -n "$(front r.csv)" ] && [ "$(front r.csv)" = "$(marked r.csv)" ] || fail "front $(front r.csv), marked $(marked r.csv)"
for i in 1 2 3 4; do
    json r.json "points.$((i - 1)).pareto" "$(column r.csv pareto | sed -n ${i}p | sed 's/1/true/; s/0/false/')"
done

# A back end that compiles: workspace and compile time are figures, and nothing comes from the cache.
for back in jit c; do
    "$r" eval --help --backend $back 2>&1 | grep -q 'not built in' && continue
    check "compiled by $back" 0 "back end $back" "$r" sweep "$CHECKPOINT" --backend $back --text text.txt \
        --set num_hashes=2 --set compile.sequence_length=64 --output $back.csv
    says '^         2 +(64 +)?[0-9.]+ +[0-9]+ +[0-9.]+ [KM]iB .*[0-9.]+ s'
    column $back.csv compile_seconds | awk '$1 < 0.02 { exit 1 }' || fail 'compiled in no time'
    column $back.csv workspace_bytes | awk '$1 < 1024 { exit 1 }' || fail 'no workspace'
    column r.csv bits_per_byte | sed -n 3p >want
    column $back.csv bits_per_byte | paste -d' ' - want |
        awk '{ d = $1 - $2; if (d < -2e-5 || d > 2e-5) exit 1 }' || fail "$back and the reference differ"
done
[ -e c.csv ] || fail 'back end c was not tried'
if [ -r /proc/self/clear_refs ] && [ -w /proc/self/clear_refs ]; then
    column c.csv peak_rss_bytes | awk '$1 < 1e6 { exit 1 }' || fail 'no peak memory'
fi

# One setting, none, and values with commas.
s one 0 '1 point,' --set num_hashes=2
says '^compile.sequence_length  num_hashes  bits/byte'
check none 0 '1 point,' "$r" sweep "$CHECKPOINT" --backend reference --text text.txt
says '^bits/byte'
s buckets 0 '2 points,' --set 'num_buckets=null,[2,4]' --output b.csv --output b.json
says '^      \[2,4\]   [0-9.]+'
grep -q '^64,"\[2,4\]",' b.csv || fail 'a value with a comma is not quoted in CSV'
json b.json points.0.settings.num_buckets null
json b.json points.1.settings.num_buckets '"[2,4]"'
s last-wins 0 '2 points,' --set num_hashes=1,2,3,4 --set num_hashes=1,2

# ---- repetition ----
# Passes take turns, every other round backwards; times are medians, with quartiles, and bits do not change.
s repeated 0 '2 points, 3 passes of 100 tokens each' --set num_hashes=1,2 --repeat 3 --output rep.csv --output rep.json
says '^num_hashes  bits/byte +tokens/s  workspace'
says '^         2   [0-9.]+ +[0-9.]+ ±[0-9.]+ % +- '
says '^Medians of passes that took turns; ±: half the distance of the quartiles.$'
grep -o '^pass [0-9] of 3, point [0-9]' .err | tr -d 'a-z ' | tr '\n' ' ' >order
[ "$(cat order)" = '13,1 13,2 23,2 23,1 33,1 33,2 ' ] || fail "passes in the order $(cat order)"
[ "$(column rep.csv passes | tr '\n' ' ')" = '3 3 ' ] || fail 'not three passes each'
[ "$(column rep.csv bits_per_byte)" = "$(column r.csv bits_per_byte | sed -n '1p;3p')" ] || fail 'bits are not those of one pass'
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next } { m = $(at["tokens_per_second"])
    if (!($(at["tokens_per_second_low"]) > 0 && $(at["tokens_per_second_low"]) <= m && m <= $(at["tokens_per_second_high"]))) exit 1
    if ($(at["pareto_settled"]) !~ /^[01]$/) exit 1 }' rep.csv || fail 'quartiles do not hold the median'
json rep.json repeat 3
json rep.json points.0.passes 3
grep -q '"pareto_settled": \(true\|false\)' rep.json || fail 'the JSON does not say what is settled'
json r.json points.0.pareto_settled null
[ "$(column r.csv tokens_per_second_low | sort -u)" = '' ] || fail 'one pass has quartiles'
for bad in 0 -1 1.5 often 1001 ''; do
    s "repeat-$bad" 1 "(--repeat: error: '$bad' is not a number from 1 to 1000|--repeat: an empty argument)" \
        --set num_hashes=1,2 --repeat "$bad" --output none.csv
done
check repeat-without 2 "option '--repeat' needs an argument" "$r" sweep "$CHECKPOINT" --repeat
absent none.csv none.csv.partial

# ---- bad points ----
s invalid 0 '^skipped: num_buckets=7$' --set num_buckets=7,8 --output i.csv --output i.json
grep -q "^--set num_buckets: error" .err || fail 'no message'
says '^          7  --set num_buckets: error: '
json i.json points.1.settings.num_buckets 8
"$SHOW_JSON" i.json points.0.error | grep -q '^"--set num_buckets: error: ' || fail 'no reason in JSON'
sed -n 2p i.csv | grep -Eq '^64,7,,,,,,,,,,,,,,,"?--set num_buckets: error: ' || fail 'no reason in CSV'
[ "$(front i.csv)" = '2 ' ] && [ "$(marked i.csv)" = '2 ' ] || fail 'a lone point is the front'
s weights-do-not-fit 0 '^skipped: feed_forward_size=512$' --set feed_forward_size=768,512 --output w.csv
grep -q "tensor '.*' has shape" .err || fail 'no message of the weights'
s all-invalid 1 'none of the 2 points can be evaluated' --set num_hashes=0,-1 --output none.csv
absent none.csv none.csv.partial
s unknown-key 1 '^--set num_hashs: error: unknown key' --set num_hashs=1,2,3 --output none.csv
[ "$(grep -c 'unknown key' .err)" -eq 1 ] || fail 'one mistake, several messages'
s weights-missing 1 'nowhere.safetensors' --weights nowhere.safetensors --set num_hashes=1,2
s weights-fit-nowhere 1 'none of the 2 points' --set feed_forward_size=512,256 --output none.csv
absent none.csv none.csv.partial

# ---- bad arguments ----
check no-model 2 'missing MODEL' "$r" sweep --text text.txt
check no-text 2 'missing --text' "$r" sweep "$CHECKPOINT"
s unknown-option 2 "unknown option '--outptu'" --outptu x.csv
s empty-alternative 1 "^--set num_hashes: error: an alternative in '1,,2' is empty" --set num_hashes=1,,2
s twice 1 "^--set num_hashes: error: the alternative '2' stands twice" --set num_hashes=2,2
s open-bracket 1 "^--set num_buckets: error: a ']' is missing" --set 'num_buckets=[2,4'
s open-quote 1 "^--set compile.name: error: a quote" --set "compile.name='a,b"
s no-value 1 "'num_hashes' is not KEY=VALUE" --set num_hashes
many=$(seq -s, 1 101)
s too-many 1 'more than 10000 points' --set num_hashes="$many" --set num_buckets="$many"
s suffix 1 "r.txt: error: the suffix decides" --set num_hashes=1,2 --output r.txt
s no-suffix 1 "the suffix decides" --set num_hashes=1,2 --output -
s no-folder 1 'nowhere/r.csv: error: cannot create' --set num_hashes=1,2 --output nowhere/r.csv
mkdir -p d.csv
s folder 1 'd.csv: error: is a directory' --set num_hashes=1,2 --output d.csv
s output-twice 1 'stands twice' --set num_hashes=1,2 --output x.csv --output x.csv
s empty-output 1 '^reformerc: error: --output: an empty argument' --output ''
check text-missing 1 'nowhere.txt: error: cannot open' "$r" sweep "$CHECKPOINT" $small --text nowhere.txt --output x.csv
: >empty.txt
check text-empty 1 'empty.txt: error: has 0 bytes' "$r" sweep "$CHECKPOINT" $small --text empty.txt --output x.csv
check not-causal 1 'sweep scores causal language models' "$r" sweep "$CASES/c_mlm_alt_attention_mask" --text text.txt
check stdin-model 1 "'-' can be read once only" "$r" sweep - --text text.txt
cp "$CHECKPOINT/config.json" config.json
check over-the-model 1 'config.json: error: is an input' "$r" sweep config.json $small --weights "$CHECKPOINT" \
    --text text.txt --output config.json
cmp -s config.json "$CHECKPOINT/config.json" || fail 'the model was overwritten'
cp text.txt text.csv
check over-the-text 1 'text.csv: error: is an input' "$r" sweep "$CHECKPOINT" $small --text text.csv --output text.csv
absent x.csv x.csv.partial config.json.partial
tidy .

# ---- full disk ----
if [ -e /dev/full ]; then
    ln -s /dev/full full.csv
    s full 1 'full.csv: error: cannot write' --set num_hashes=1,2 --output full.csv
    says '^         2   [0-9.]+' # the table is there all the same
    present full.csv.partial     # and what was measured
    rm full.csv
    s after-full 0 '2 of them are done already' --set num_hashes=1,2 --output full.csv
    present full.csv
    absent full.csv.partial
    name='full stdout'
    "$r" sweep "$CHECKPOINT" $small --text text.txt --set num_hashes=1 --output o.csv >/dev/full 2>.err
    [ $? -eq 1 ] && grep -q 'stdout: error: cannot write' .err || fail 'a full stdout was not noticed'
    present o.csv o.csv.partial
    rm -f o.csv o.csv.partial
fi

# ---- going on ----
head -c 500 "$CHECKPOINT/validation.txt" >long.txt
long() { "$r" sweep "$CHECKPOINT" $small --text long.txt --output go.csv --output go.json "$@"; }
start() { # SIGNAL LINES: starts a sweep of eight points and ends it when its record has more lines
    "$r" sweep "$CHECKPOINT" $small --text long.txt --output go.csv --output go.json \
        --set num_hashes=1,2,3,4,5,6,7,8 >.out 2>.err </dev/null &
    pid=$!
    end_when "$1" recorded "$2"
}
recorded() { [ "$(wc -l 2>/dev/null <go.csv.partial || echo 0)" -gt "$1" ]; }
name=interrupt
start HUP 5
[ $code -eq 129 ] || fail "exit $code, not 129"
grep -q 'interrupted: [1-7] of 8 points are done; the same command continues (go.csv.partial)' .err ||
    fail 'it does not say how far it came'
says '  not evaluated: the sweep was interrupted$'
present go.csv go.json go.csv.partial
tidy .
json go.json complete false
json go.json 'points.#' 8
[ "$(wc -l <go.csv)" -eq 9 ] || fail 'the partial CSV is not whole'
sed -n 2p go.csv | cut -d, -f1-6 >first
have=$(($(wc -l <go.csv.partial) - 5))
name=kill
start KILL $((5 + have))
[ $code -eq 137 ] || fail "exit $code, not 137"
grep -q "$have of them are done already (go.csv.partial)" .err || fail 'the second run starts over'
cp go.csv.partial kept.partial
have=$(($(wc -l <go.csv.partial) - 5))

# The record is of these inputs and options only.
check other-text 1 'go.csv.partial: error: holds an unfinished sweep with other text' "$r" sweep "$CHECKPOINT" \
    $small --text text.txt --output go.csv
check other-threads 1 'an unfinished sweep with other options' long --threads 2
check other-weights 1 'an unfinished sweep with other weights' long --weights random:1
cp -r "$CHECKPOINT" other-model
printf '\n' >>other-model/config.json
check other-model 1 'an unfinished sweep with other model' "$r" sweep other-model $small --text long.txt --output go.csv
cmp -s go.csv.partial kept.partial || fail 'a refusal touched the record'
rm -r other-model
for figure in nan inf -0x1p+3; do # what no sweep measures
    sed "6s/ 0x[^ ]* / $figure /" kept.partial >go.csv.partial
    check "record-$figure" 1 'go.csv.partial:6:1: error: is a damaged line' long --set num_hashes=1
done
for field in 6=0 7=0x1p+1023 8=0x1p-1074 8=inf 8=0 9=nan 9=-1 10=-1; do # bytes, nats, seconds, seconds of compilation, workspace
    awk -v at="${field%=*}" -v to="${field#*=}" 'NR == 6 { $at = to } { print }' kept.partial >go.csv.partial
    check "record-field-$field" 1 'go.csv.partial:6:1: error: is a damaged line' long --set num_hashes=1
done
cp kept.partial go.csv.partial
echo damaged >>go.csv.partial
check damaged 1 "go.csv.partial:$((6 + have)):1: error: is a damaged line" long --set num_hashes=1
echo hello >go.csv.partial
check no-record 1 'go.csv.partial:1:1: error: is no record of a sweep' long --set num_hashes=1
: >go.csv.partial
check empty-record 1 'is no record of a sweep' long --set num_hashes=1

# A line per pass: what an earlier run did counts, of whatever number of passes.
head -n 6 kept.partial >go.csv.partial
check more-passes 0 '^1 passes are done already' long --set num_hashes=1 --repeat 2
[ "$(column go.csv passes)" = 2 ] || fail 'the pass of the record does not count'
[ "$(grep -c '^pass ' .err)" -eq 1 ] || fail 'more was measured than was missing'
absent go.csv.partial
{ head -n 6 kept.partial; sed -n 6p kept.partial | sed 's/\(\( 0x[^ ]*\)\{1\}\) 0x[^ ]*/\1 0x1p+3/'; } >go.csv.partial
check fewer-passes 0 '^1 of them are done already' long --set num_hashes=1
[ "$(column go.csv passes)" = 2 ] || fail 'a pass of the record is thrown away'
[ "$(column go.csv tokens_per_second_low)" != "$(column go.csv tokens_per_second_high)" ] || fail 'passes are not told apart'
{ head -n 6 kept.partial; sed -n 6p kept.partial | sed 's/ 0x[^ ]*/ 0x1p+3/'; } >go.csv.partial
check other-sums 1 'go.csv.partial:7:1: error: has other sums than an earlier line' long --set num_hashes=1

# Another grid takes what it shares; what it does not share is kept.
cp kept.partial go.csv.partial
check smaller 0 '1 of them are done already' long --set num_hashes=1
present go.csv.partial
check finish 0 "$have of them are done already" long --set num_hashes=1,2,3,4
absent go.csv.partial
sed -n 2p go.csv | cut -d, -f1-6 | cmp -s - first || fail 'the first point was measured again'
json go.json complete true
[ "$(column go.csv error | sort -u)" = '' ] || fail 'a point is missing'
[ "$(front go.csv)" = "$(marked go.csv)" ] || fail 'the front of a continued sweep'
check anew 0 '^1 point' long --set num_hashes=1
grep -q 'done already' .err && fail 'a finished sweep does not start anew'

# ---- the picture ----
check no-gnuplot 1 'p.svg: error: is drawn by gnuplot' env PATH=/dev/null "$r" sweep "$CHECKPOINT" $small \
    --text text.txt --output p.svg
grep -q 'hint: apt-get install gnuplot-nox' .err || fail 'no hint'
absent p.svg p.svg.partial
if command -v gnuplot >/dev/null 2>&1; then
    s picture 0 '' --set num_hashes=1,2 --set lsh_attn_chunk_length=32,64,7 --output p.svg
    present p.svg
    for word in '</svg>' 'Pareto front' 'tokens per second' 'bits per byte' '>1 / 32<' '>2 / 64<' \
        'labels: num_hashes / lsh_attn_chunk_length' '1 thread'; do
        grep -q "$word" p.svg || fail "the picture lacks $word"
    done
    s bars 0 '' --set num_hashes=1,2 --repeat 2 --output p.svg
    grep -q 'medians of 2 passes, bars: quartiles' p.svg || fail 'the picture does not say what the bars are'
    mkdir -p "it's <a> & b"
    cp config.json "it's <a> & b/config.json"
    check awkward 0 '' "$r" sweep "it's <a> & b" $small --weights "$CHECKPOINT" --text text.txt \
        --output "it's <a> & b/p.svg" --output q.json
    grep -q "it's &lt;a> &amp; b: quality" "it's <a> & b/p.svg" || fail 'names are not escaped'
    json q.json model "\"it's <a> & b\""
else
    echo 'no gnuplot: pictures are not tested'
fi
tidy .
finish
