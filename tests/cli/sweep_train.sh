#!/bin/sh
# sweep that trains: each point is what `train` learns with its settings, each evaluation what `eval` says of it; what is
# interrupted goes on; wrong inputs are refused before anything is trained.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
r=$REFORMERC
cat >model.yaml <<'END'
architectures: [ReformerModelWithLMHead]
attn_layers: [lsh]
is_decoder: true
hidden_size: 32
num_attention_heads: 2
attention_head_size: 16
feed_forward_size: 32
vocab_size: 4
axial_pos_embds: false
max_position_embeddings: 16
lsh_attn_chunk_length: 4
local_attn_chunk_length: 4
num_buckets: 4
hidden_dropout_prob: 0
train: {batch_size: 16, steps: 80, eval_windows: 256, optimizer: {lr: 0.02, weight_decay: 0}, schedule: {type: linear, warmup: 10}}
END
column() { # FILE NAME: the values of a column without commas in its fields, one a line
    awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$1"
}
cell() { column "$1" "$3" | sed -n "$2p"; } # FILE ROW COLUMN
# Columns that no clock decides.
decided() { cut -d, -f1-5,8-12 "$1"; }
s() { # NAME CODE PATTERN ARGUMENTS…: the reference, which compiles nothing
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" sweep model.yaml --backend reference --threads 1 "$@"
}
t() {
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" train model.yaml --backend reference --threads 1 --task duplicate "$@"
}

# ---- what it refuses, before anything is trained
s untrained 1 '^--steps: error: is for sweeps that train' --text model.yaml --steps 3
s untrained-hashes 1 '^--eval-hashes: error: is for sweeps that train' --text model.yaml --eval-hashes 1,2
s untrained-full 1 "^--set num_hashes: error: 'num_hashes' must be an integer" --set vocab_size=258 --text model.yaml --set num_hashes=full
s repeat 1 '^--repeat: error: a training is not repeated' --task duplicate --repeat 2
s both 1 '^--task: error: excludes --text' --task duplicate --text model.yaml
s no-data 1 'model.yaml: error: says no data to learn' --train
s none-held 1 'no part of the data is held out' --train --text model.yaml --set vocab_size=258 --eval-fraction 0
s hashes-0 1 "^--eval-hashes: error: '0' is neither a number of rounds" --task duplicate --eval-hashes 0
s hashes-257 1 "^--eval-hashes: error: '257' is neither" --task duplicate --eval-hashes 1,257
s hashes-word 1 "^--eval-hashes: error: 'ful' is neither" --task duplicate --eval-hashes 1,ful
s hashes-none 1 "^--eval-hashes: error: '' is neither" --task duplicate --eval-hashes 1,,2
s hashes-twice 1 "^--eval-hashes: error: '01' stands twice" --task duplicate --eval-hashes 1,01
check ranks 1 '^mpirun: error: a sweep is one process' env OMPI_COMM_WORLD_SIZE=2 "$r" sweep model.yaml --task duplicate
s suffix 1 "^out.pdf: error: the suffix decides what is written: .csv, .json or .svg" --task duplicate --output out.pdf
s nowhere 1 '^no/such/out.csv: error: ' --task duplicate --output no/such/out.csv
s out-is-file 1 '^model.yaml/x: error: cannot make this folder: ' --task duplicate --out model.yaml/x
if unshare -rm true 2>/dev/null; then
    mkdir read-only
    check out-read-only 1 '^read-only/new/x: error: cannot write into this folder: read-only/?: Read-only file system' unshare -rm sh -c '
        mount -t tmpfs -o ro tmpfs read-only && "$@"' sh "$r" sweep model.yaml --backend reference --threads 1 --task duplicate --out read-only/new/x
fi
s exact-anyway 1 '^--eval-hashes: error: 2: no layer takes its rounds of hashing from num_hashes for rows of 16 tokens' \
    --task duplicate --set lsh_attn_chunk_length=16 --eval-hashes 2
s own-chunk 1 '^--eval-hashes: error: full: not all attention' --task duplicate --eval-hashes full \
    --set 'extensions.layers=[{lsh_attn_chunk_length: 8}]'
t eval-hashes-0 1 '^--eval-hashes: error:' --eval-hashes 0 --out x
t eval-hashes-local 1 '^--eval-hashes: error: 2: no layer' --set 'attn_layers=[local]' --eval-hashes 2 --out x
absent x out.svg

# ---- what it finds
s table 0 '2 points, trained one after the other' --task duplicate --set num_hashes=1,full --eval-hashes 1,2,full \
    --out points --output r.csv --output r.json --output r.svg
says '^num_hashes +steps +loss +tokens/s +minutes +1 hash +2 hashes +full$'
says '^ +1 +80 +0\.[0-9]+ +[0-9]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+$'
says '^ +full +80 +0\.'
says '^Columns 1 hash … full: accuracy in % of the labels held out, by this hashing\.$'
present r.csv r.json r.svg points/num_hashes=1/last/model.safetensors points/num_hashes=full/metrics.csv
absent r.csv.partial
[ "$(wc -l <r.csv)" -eq 7 ] || fail 'not a line per point and evaluation'
[ "$(column r.csv num_hashes | tr '\n' ' ')" = '1 1 1 full full full ' ] || fail 'points'
[ "$(column r.csv eval_hashes | tr '\n' ' ')" = '1 2 full 1 2 full ' ] || fail 'evaluations'
# One symbol in three is right by chance; the second half can be told.
column r.csv eval_accuracy | awk '$1 < 0.85 || $1 > 1 { exit 1 }' || fail 'it has not learnt to duplicate'
[ "$(column r.csv eval_loss | sort -u | wc -l)" -eq 6 ] || fail 'hashing changes nothing: the test tests nothing'
equal 'lines of the picture' "$(grep -c '<path' r.svg)" 2
equal 'places on them' "$(grep -c '<circle' r.svg)" 6
for text in 'num_hashes=1' 'num_hashes=full' '1 hash' '2 hashes' 'accuracy in % of the labels held out'; do
    grep -q ">[^<]*$text<" r.svg || fail "the picture lacks: $text"
done
if command -v xmllint >/dev/null 2>&1; then xmllint --noout r.svg 2>.err || fail 'the picture is no XML'; fi
json r.json complete true
json r.json task '"duplicate"'
json r.json 'points.#' 2
json r.json points.1.settings '{"num_hashes":"full"}'
json r.json points.1.steps 80
json r.json points.0.evaluations.1.hashes 2
json r.json points.0.evaluations.2.hashes '"full"'
equal 'loss in JSON' "$(printf %.6f "$(value r.json points.0.evaluations.1.loss)")" "$(cell r.csv 2 eval_loss)"
json r.json points.0.evaluations.0.bits_per_byte null

# Each row is what `train` learns with these settings, to the bit; `train` evaluates with other rounds, too.
t as-train 0 '' --set num_hashes=1 --eval-hashes 2 --out one
says "^loss $(cell r.csv 2 loss)\$"
says "^eval_loss $(cell r.csv 2 eval_loss)\$"
says "^eval_accuracy $(cell r.csv 2 eval_accuracy)\$"
name=best
cmp -s one/best/model.safetensors one/last/model.safetensors || fail 'the only evaluation is not the best'
same weights one/last/model.safetensors points/num_hashes=1/last/model.safetensors
[ "$(cell one/metrics.csv 80 eval_loss)" != "$(cell points/num_hashes=1/metrics.csv 80 eval_loss)" ] ||
    fail 'evaluations with other rounds find the same'
t eval-only 0 '' --eval-only --weights one/last --eval-hashes 2 --set num_hashes=1
says "^eval_loss $(cell r.csv 2 eval_loss)\$"
t eval-only-set 0 '' --eval-only --weights one/last --set num_hashes=2
says "^eval_loss $(cell r.csv 2 eval_loss)\$"
t as-full 0 '' --set lsh_attn_chunk_length=16 --set local_attn_chunk_length=16 --out full
says "^eval_loss $(cell r.csv 6 eval_loss)\$"
says "^eval_sequence_accuracy $(cell r.csv 6 eval_sequence_accuracy)\$"
same weights full/last/model.safetensors points/num_hashes=full/last/model.safetensors

# Fewer steps by the default back end: the same but for roundings; one evaluation, as trained.
s fewer-steps 0 '1 point' --task duplicate --set num_hashes=1 --eval-hashes 1,full --steps 15 --output few.csv
check default-back-end 0 '' "$r" sweep model.yaml --task duplicate --set num_hashes=1 --threads 1 --steps 15 --output d.csv
says '^num_hashes +steps .* as trained$'
[ "$(column d.csv eval_hashes)" = 'as trained' ] || fail 'the name of the evaluation'
echo "$(column d.csv eval_loss) $(cell few.csv 1 eval_loss)" |
    awk '{ d = $1 - $2; if (d < -1e-3 || d > 1e-3) exit 1 }' || fail 'back ends differ'

# Compiled by a C compiler: what another back end learns, but for roundings.
check back-end-c 0 'back end c' "$r" sweep model.yaml --backend c --task duplicate --set num_hashes=1 --eval-hashes 1,full --threads 1 \
    --steps 15 --out c-points --output c.csv
says '^num_hashes +steps .* 1 hash +full$'
[ "$(column c.csv steps | sort -u)" = 15 ] || fail 'steps'
echo "$(column c.csv eval_loss | tr '\n' ' ')$(cell few.csv 1 eval_loss) $(cell few.csv 2 eval_loss)" |
    awk '{ for (i = 1; i < 3; i++) { d = $i - $(i + 2); if (d < -1e-3 || d > 1e-3) exit 1 } }' || fail 'back ends differ'
present c-points/num_hashes=1/last/model.safetensors

# ---- a text: bits per byte are those of `eval`
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
    printf 'The quick brown fox %d jumps over the lazy dog, %d times in all.\n' $i $((i * i))
done >text.txt
tail -c 320 text.txt >held.txt
bytes="--set vocab_size=258 --set num_buckets=2"
s text 0 '' --train --text text.txt --eval-text held.txt --steps 20 $bytes --set num_hashes=1,2 --eval-hashes 1,full \
    --out texts --output t.csv
says '^Columns 1 hash … full: bits per byte of the text held out, by this hashing\.$'
e() { check "eval of $1" 0 '' "$r" eval "texts/$1/last" --text held.txt --backend reference --set compile.batch_size=16 \
    --set compile.sequence_length=16 "$2" "$3" "$4" "$5"; }
e num_hashes=2 --set num_hashes=1 --threads 1
says "^bits_per_byte $(cell t.csv 3 eval_bits_per_byte)\$"
e num_hashes=1 --set lsh_attn_chunk_length=16 --threads 1
says "^bits_per_byte $(cell t.csv 2 eval_bits_per_byte)\$"

# ---- going on
# A point that cannot be is skipped; all others are learnt.
s skipped 0 'skipped: num_hashes=0' --task duplicate --set num_hashes=0,full --steps 2 --output k.csv
says "^ +0 +.*num_hashes"
[ "$(column k.csv error | grep -c num_hashes)" -eq 1 ] || fail 'no error in the CSV'
[ "$(head -n 1 k.csv | tr -cd , | wc -c)" -eq "$(sed -n 2p k.csv | cut -d '"' -f 1 | tr -cd , | wc -c)" ] || fail 'columns of an error'

# Killed while the second point is trained: the first one is kept, the second one goes on where it was saved.
"$r" sweep model.yaml --backend reference --threads 1 --task duplicate --set num_hashes=1,full --eval-hashes 1,2,full \
    --save-every 5 --out again --output again.csv >.out 2>.err </dev/null &
pid=$!
far() { [ "$(wc -l 2>/dev/null <again/num_hashes=full/metrics.csv || echo 0)" -gt 20 ]; }
end_when KILL far
name=killed
[ $code -eq 137 ] || fail "exit $code, not 137"
present again.csv.partial
s other-steps 1 'other options' --task duplicate --set num_hashes=1,full --eval-hashes 1,2,full --steps 7 --output again.csv
s other-task 1 'again.csv.partial: error: holds an unfinished sweep with other text' --task reverse \
    --set num_hashes=1,full --eval-hashes 1,2,full --output again.csv
s goes-on 0 '1 of them are done already' --task duplicate --set num_hashes=1,full --eval-hashes 1,2,full --save-every 5 \
    --out again --output again.csv
grep -q 'goes on behind step [0-9]*[05],' .err || fail 'the second point begins anew'
absent again.csv.partial
decided r.csv >want
decided again.csv >got
same figures want got
same weights again/num_hashes=full/last/model.safetensors points/num_hashes=full/last/model.safetensors

# Interrupted while the first point is trained: it is saved; without --output, too.
rm -r again
"$r" sweep model.yaml --backend reference --threads 1 --task duplicate --set num_hashes=full --out again >.out 2>.err </dev/null &
pid=$!
end_when HUP far
name=interrupted
[ $code -eq 129 ] || fail "exit $code, not 129"
grep -q 'interrupted: 0 of 1 points are done; the same command continues (again)' .err || fail 'it does not say how far it came'
present again/num_hashes=full/last/trainer_state.json

# Other trainings in its folders are told before any is trained.
s other-training 0 "skipped: num_hashes=1\$" --task duplicate --set num_hashes=1,full,2 --steps 2 --out points --output o.csv --lr 0.5
grep -q "^points/num_hashes=1/last: error: is of another training, 2 things differ:" .err || fail 'it does not say what differs'
awk '/is of another training/ { told = NR } /^2 of them cannot be trained/ { after = NR } /^point 3 of 3/ { first = first ? first : NR }
    END { exit !(told && told < after && after < first) }' .err || fail 'it is told too late'
rm -r points/num_hashes=2
# What is learnt already is evaluated in another way without a step.
s more-hashes 0 'goes on behind step 80,' --task duplicate --set num_hashes=1,full --eval-hashes 4,2 --out points --output more.csv
[ "$(column more.csv steps | sort -u)" = 80 ] || fail 'it learns on'
[ "$(cell more.csv 2 eval_loss)" = "$(cell r.csv 2 eval_loss)" ] || fail 'it is evaluated otherwise'
tidy .
finish
