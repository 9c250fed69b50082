#!/bin/sh
# train_resume.sh … [KILLS]: reformerc train that is cut off: by signals, by kill -9 at any moment, by a full disk; what goes on from there ends with the
# bytes of the run that nobody interrupted. Two runs into one folder, folders that cannot be written to, what may change.
SHOW_JSON=$6
. "$(dirname "$0")/lib.sh"
kills=${10:-12}
r=$REFORMERC

# Local and LSH layers, dropout, new rotations in every step, micro-batches, evaluations, a rate that falls.
small_spec | sed -e 's/\[local\]/[local, lsh]/' -e 's/^compile.*/compile: {targets: [x86-64]}/' >model.yaml
cat >>model.yaml <<'END'
lsh_attn_chunk_length: 8
num_buckets: 4
num_hashes: 2
hidden_dropout_prob: 0.1
train:
  steps: 24
  batch_size: 2
  accumulate: 2
  sequence_length: 24
  seed: 5
  optimizer: {type: adamw, lr: 0.01}
  schedule: {type: linear, warmup: 4}
  eval_every: 6
  eval_windows: 4
  save_every: 2
END
awk 'BEGIN { for (i = 0; i < 900; i++) printf "%d words, %d more; ", i * i % 97, i % 7 }' >text.txt
# The reference begins without compiling anything, so that a kill meets steps and checkpoints.
train() { "$r" train model.yaml --text text.txt --no-warnings --threads 1 --backend reference "$@"; }
start() { # ARGUMENT… its number is $pid
    (exec "$r" train model.yaml --text text.txt --no-warnings --threads 1 --backend reference "$@") >start.out 2>start.err </dev/null &
    pid=$!
}

# What the data and the seed decide: the columns before those that are measured.
decided() { awk -F, 'NR == 1 { for (n = 1; n <= NF && $n != "tokens_per_second"; n++); } { for (i = 1; i < n; i++) printf "%s,", $i; print "" }' "$1"; }
same_run() { # NAME DIR
    for file in last/model.safetensors last/optimizer.safetensors best/model.safetensors last/config.json; do
        same "$1: $file" "whole/$file" "$2/$file"
    done
    decided whole/metrics.csv >whole.rows
    decided "$2/metrics.csv" >"$2.rows"
    same "$1: metrics.csv" whole.rows "$2.rows"
    json "$2/last/trainer_state.json" step 24
}

check whole 0 '' train --out whole
present whole/last/config.json whole/last/model.safetensors whole/last/optimizer.safetensors whole/metrics.csv
json whole/last/trainer_state.json step 24
equal rows "$(wc -l <whole/metrics.csv | tr -d ' ')" 25

# ---- interrupted ------------------------------------------------------------------------------------------

# Ctrl-C and its like end the step, save, and say so. (What a script starts with & ignores Ctrl-C unless env says otherwise.)
name=Ctrl-C
env --default-signal=INT "$r" train model.yaml --text text.txt --threads 1 --backend reference --out stopped --steps 100000 \
    --set train.schedule.total=24 >.out 2>.err </dev/null &
pid=$!
end_when INT grep -qs '^3,' stopped/metrics.csv
equal Ctrl-C $code 130
grep -q '^interrupted: ' .err || fail 'it does not say so'
present stopped/last/model.safetensors
steps=$(value stopped/last/trainer_state.json step)
check 'goes on' 0 "goes on behind step $steps" \
    train --out stopped --resume --steps $((steps + 2)) --set train.schedule.total=24
json stopped/last/trainer_state.json step $((steps + 2))

# In parts, on other threads, with other intervals of saving.
check part-1 0 '' train --out parts --set train.schedule.total=24 --steps 9
check part-2 0 '' train --out parts --set train.schedule.total=24 --steps 17 --resume --threads 2 --save-every 5
check part-3 0 '' train --out parts --resume
same parts whole/last/model.safetensors parts/last/model.safetensors
same states whole/last/optimizer.safetensors parts/last/optimizer.safetensors
check again 0 '' train --out parts --resume # nothing is left to do
same again whole/last/model.safetensors parts/last/model.safetensors

# Compiled: the same, by other steps.
check compiled-whole 0 '' train --backend jit --out compiled-whole
equal 'parts of the peak' "$(sed -n 's/.*, \([0-9]*\) % of peak.*/\1/p' .err | awk '$1 > 100 { n++ } END { print (NR > 0), n + 0 }')" '1 0'
check compiled-1 0 '' train --backend jit --out compiled --set train.schedule.total=24 --steps 13
check compiled-2 0 '' train --backend jit --out compiled --resume --threads 2
same compiled compiled-whole/last/model.safetensors compiled/last/model.safetensors
same compiled-states compiled-whole/last/optimizer.safetensors compiled/last/optimizer.safetensors

# kill -9 at any moment, the beginning and the writing of checkpoints included; a run that gets to its end is compared, and
# the next one begins.
mkdir killed
i=0
while [ $i -lt "$kills" ]; do
    start --out killed --resume --save-every 1
    sleep "0.$((i * 7 % 5))$((i * 53 % 10))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    code=$?
    i=$((i + 1))
    checks=$((checks + 1))
    name="kill $i"
    [ $code -eq 137 ] || [ $code -eq 0 ] || fail "exit $code"
    [ $code -eq 0 ] || continue
    same_run "after kill $i" killed
    rm -r killed
    mkdir killed
done
check 'after kills' 0 '' train --out killed --resume --save-every 1
same_run 'after kills' killed

# ---- what may not change, and who may write ---------------------------------------------------------------

check seed 1 "^    'train.seed' was 5, now it is 6 \(--seed\)$" train --out whole --resume --seed 6
grep -q '^whole/last: error: is of another training, 1 thing differs:$' .err || fail 'the error does not say where'
check batch 1 "'train.batch_size' was 2, now it is 3 \(--batch-size\)$" train --out whole --resume --batch-size 3
check key 1 "^    'num_hashes' was 2, now it is 1 \(--set num_hashes\)$" \
    train --out whole --resume --set num_hashes=1
check three 1 '^whole/last: error: is of another training, 3 things differ:$' train --out whole --resume --seed 6 --batch-size 3 \
    --set num_hashes=1
equal three-in-one "$(grep -c 'error: ' .err)" 1
equal three-lines "$(grep -c "^    '.* was .*, now it is " .err)" 3
grep -q 'hint: it goes on as it began with .*; what may change of train: text, .*, steps, .*patience' .err ||
    fail 'it does not say what may change'
tail -c 3000 text.txt >other.txt
check data 1 "^    'data' was .*, now it is " \
    train --text other.txt --out whole --resume
# Evaluations are compared with each other: another text, of as many bytes, is another training; a moved one is not.
head -c 600 text.txt >judge.txt
tail -c 600 text.txt >other-judge.txt
cp judge.txt moved-judge.txt
judged() { train --out judged --set train.schedule.total=24 "$@"; }
check judged 0 '' judged --eval-text judge.txt --steps 2
check judged-moved 0 '' judged --eval-text moved-judge.txt --steps 3 --resume
check judged-otherwise 1 "^    'evaluation' has another content, though it is again 4 windows$" \
    judged --eval-text other-judge.txt --steps 4 --resume
check total 1 "hint: train.schedule.total=24 keeps the course of the rate" train --out whole --resume --steps 30
check longer 0 '' train --out parts --resume --steps 26 --set train.schedule.total=24
json parts/last/trainer_state.json step 26
check 'behind the end' 0 "^--set train.schedule.total: warning: the schedule ends after 24 steps, the training after 27: behind that end its rate stays" \
    "$r" train model.yaml --text text.txt --threads 1 --backend reference --out parts --resume --steps 27 --set train.schedule.total=24
grep -q 'hint: a longer course is one of a new training: --weights parts/last, ' .err || fail 'no hint'
check anew 1 '^parts: error: holds a training already, of 27 steps' train --out parts
check nowhere 1 '^nowhere: error: there is no such folder' train --out nowhere --resume
absent nowhere
check file 1 '^text.txt: error: cannot make this folder: a file stands there' train --out text.txt
start --out busy --steps 100000
tries=0
until test -s busy/metrics.csv || [ $tries -gt $patience ]; do
    sleep 0.05
    tries=$((tries + 1))
done
check busy 1 "^busy: error: another training writes into this folder \(process $pid\)" train --out busy --resume
kill -TERM $pid
wait $pid
equal terminated $? 143
present busy/last/model.safetensors

# ---- no room, no right ------------------------------------------------------------------------------------

if unshare -rm true 2>/dev/null; then
    mkdir disk
    check full-disk 1 'last\.new/.*error: cannot write: No space left on device' unshare -rm sh -c '
        mount -t tmpfs -o size=1m tmpfs disk && "$@" --save-every 1 --keep 1000; code=$?
        cp -r disk kept; exit $code' sh \
        "$r" train model.yaml --text text.txt --no-warnings --threads 1 --backend reference --out disk/run
    absent kept/run/.last.new
    check 'room again' 0 '' train --out kept/run --resume
    same_run 'room again' kept/run
    mkdir read-only
    check read-only 1 '^read-only: error: cannot write into this folder: Read-only file system' unshare -rm sh -c '
        mount -t tmpfs -o ro tmpfs read-only && "$@"' sh \
        "$r" train model.yaml --text text.txt --no-warnings --threads 1 --backend reference --out read-only
else
    echo "no mounts here, small disks and those that nobody may write to are not tried"
fi

# A model made of graphs has no config.json; its checkpoints have its text.
check graph 0 '' "$r" model.yaml -o model.graph --no-warnings --set compile.sequence_length=32
trained() { "$r" train model.graph --text text.txt --no-warnings --threads 1 --backend reference --batch-size 2 --length 24 "$@"; }
check graph-1 0 '' trained --out graph --steps 3
present graph/last/model.graph graph/last/model.safetensors
absent graph/last/config.json
check graph-2 0 'goes on behind step 3' trained --out graph --steps 5 --resume
sed 's/eps=1e-12/eps=1e-6/' model.graph >other.graph
check graph-edited 1 "^    'graph' has another content$" "$r" train other.graph --text text.txt --no-warnings \
    --threads 1 --backend reference --batch-size 2 --length 24 --out graph --steps 7 --resume
check graph-eval 0 '' "$r" eval model.graph --weights graph/last --text other.txt --no-warnings --threads 1 --backend reference

# Files that a spec names start in its folder, those of options in the current one.
mkdir -p away/there
cp model.yaml away/there
cp text.txt away/there/input.txt
printf '  text: input.txt\n  eval_text: input.txt\n' >>away/there/model.yaml
run() { "$r" train away/there/model.yaml --no-warnings --threads 1 --backend reference --steps 1 "$@"; }
check named 0 '' run --out named
check option 1 '^input.txt: error: ' run --out named-2 --text input.txt
check setting 0 '' run --out named-3 --set train.text=text.txt
check folder 0 '' run --out named-4 --set train.weights=named/last

# What was trained is a checkpoint folder like any other.
check eval 0 '' "$r" eval whole/last --text other.txt --no-warnings --threads 1 --backend reference
says '^bits_per_byte '
check tuned 0 'lacks 4 tensors of this model, drawn at random: classifier' "$r" train model.yaml --task listops \
    --weights whole/last --set 'architectures=[ReformerForSequenceClassification]' --set is_decoder=false --set num_labels=10 \
    --set train.eval_every=0 --steps 2 --out tuned --threads 1 --backend reference
finish
