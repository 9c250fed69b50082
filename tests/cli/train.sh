#!/bin/sh
# train: what it refuses, what it writes, how it ends, and that nothing it does depends on how often it was interrupted.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
cat >model.yaml <<'END'
architectures: [ReformerModelWithLMHead]
attn_layers: [local, lsh]
is_decoder: true
hidden_size: 16
num_attention_heads: 1
attention_head_size: 16
feed_forward_size: 16
vocab_size: 258
axial_pos_shape: [8, 4]
axial_pos_embds_dim: [8, 8]
axial_norm_std: 0.02
max_position_embeddings: 32
local_attn_chunk_length: 8
lsh_attn_chunk_length: 8
num_buckets: 4
num_hashes: 1
hidden_dropout_prob: 0.1
train: {batch_size: 2, steps: 12, optimizer: {lr: 0.01}, eval_every: 4, eval_windows: 8}
END
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    printf 'The quick brown fox %d jumps over the lazy dog, %d times in all.\n' $i $((i * i))
done >text.txt
# Columns that no clock decides.
rows() { cut -d, -f1-14 "$1/metrics.csv"; }

# ---- what it refuses
check no-model 2 'missing MODEL' "$REFORMERC" train
check seed-of-train 0 '' "$REFORMERC" train --help
says '^ *of fresh weights, the order of the data|--seed N .*of fresh weights, the order of the data'
check no-out 2 'missing --out' "$REFORMERC" train model.yaml --text text.txt
check unknown 2 "did you mean '--steps'" "$REFORMERC" train model.yaml --step5 3
trains no-data 1 'model.yaml: error: says no data to learn' model.yaml --out x
trains two-sources 1 '^--task: error: excludes --text' model.yaml --text text.txt --task copy --out x
trains bad-steps 1 '^--steps: error:' model.yaml --text text.txt --steps 0 --out x
trains bad-steps-text 1 "^--steps: error:" model.yaml --text text.txt --steps many --out x
trains missing-text 1 'nowhere.txt: error: cannot open' model.yaml --text nowhere.txt --out x
trains too-long 1 '^--length: error: .*64 tokens.*32 at most' model.yaml --text text.txt --length 64 --out x
trains too-short 1 '^--length: error: rows of one token: .* 2 at least' model.yaml --text text.txt --length 1 --out x
trains short-masked 0 '' model.yaml --set 'architectures=[ReformerForMaskedLM]' --set is_decoder=false --text text.txt --length 1 --out short --steps 1
trains base 1 'has no loss' model.yaml --set 'architectures=[ReformerModel]' --text text.txt --out x
trains no-end 1 'the schedule cosine ends' model.yaml --text text.txt --minutes 1 --set train.steps=null \
    --set train.schedule.type=cosine --out x
trains epochs-of-task 1 'a task has no epochs' model.yaml --task duplicate --epochs 1 --out x
trains wrong-task 1 'the task listops is one for a ReformerForSequenceClassification' model.yaml --task listops --out x
trains too-few-classes 1 "the task listops has 10 classes; 'num_labels' is 2" model.yaml --set vocab_size=17 --task listops \
    --set 'architectures=[ReformerForSequenceClassification]' --set is_decoder=false --out x
absent x

# ---- a run
trains run 0 'step 12/12, epoch [0-9.]+  held out: loss [0-9.]+, [0-9.]+ bits per byte, accuracy [0-9.]+ %; buckets: [0-9.]+ % empty' \
    model.yaml --text text.txt --out run
says '^steps 12$'
says '^tokens 768$'
says '^eval_bits_per_byte [0-9.]+$'
says '^best_step (4|8|12)$'
present run/last/config.json run/last/model.safetensors run/last/optimizer.safetensors run/best/model.safetensors \
    run/metrics.csv run/loss.svg
tidy run
equal rows-of-metrics "$(wc -l <run/metrics.csv | tr -d ' ')" 13
equal header "$(head -n 1 run/metrics.csv)" \
    step,epoch,tokens,loss,smoothed_loss,grad_norm,learning_rate,eval_loss,eval_bits_per_byte,eval_accuracy,eval_sequence_accuracy,eval_f1,empty_buckets,largest_bucket,tokens_per_second,seconds,peak_rss_mib
equal evaluated-steps "$(awk -F, 'NR > 1 && $8 != "" { printf "%s ", $1 }' run/metrics.csv)" '4 8 12 '
grep -q '<path class="held"' run/loss.svg || fail 'loss.svg has no line of evaluations'
awk -F, 'NR == 2 { first = $4 } END { exit !($4 < first - 0.3) }' run/metrics.csv || fail 'it has learnt nothing'
trains again 1 '--resume' model.yaml --text text.txt --out run
# Without `last` what else is there is neither begun anew nor written over.
cp -r run lost
rm -r lost/last
cp lost/metrics.csv lost.csv
best=$(value lost/best/trainer_state.json step)
trains lost 1 "^lost: error: holds a training already \(best, metrics.csv with 12 rows\), but no 'last'" model.yaml --text text.txt --out lost
trains lost-resume 1 'hint: mv lost/best lost/last, and --resume .* --weights lost/best$' model.yaml --text text.txt --out lost --resume
same lost-rows lost/metrics.csv lost.csv
cp -r lost renamed
mv renamed/best renamed/last
trains renamed 0 '' model.yaml --text text.txt --out renamed --resume
same renamed-weights renamed/last/model.safetensors run/last/model.safetensors
mv lost/best lost/step-$best
trains lost-step 1 "holds a training already \(step-$best, metrics.csv" model.yaml --text text.txt --out lost
rm -r lost/step-$best
trains lost-rows 1 "already \(metrics.csv with 12 rows\)" model.yaml --text text.txt --out lost
mkdir foreign
echo 'day,sales' >foreign/metrics.csv
trains foreign 1 '^foreign/metrics.csv: error: has other columns' model.yaml --text text.txt --out foreign
trains foreign-resume 1 '^foreign/metrics.csv: error: has other columns' model.yaml --text text.txt --out foreign --resume
equal foreign-file "$(cat foreign/metrics.csv)" 'day,sales'
absent foreign/last

# What it said of its last weights is what eval says of them, on the held-out end of the text.
size=$(wc -c <text.txt)
trains all-windows 0 '' model.yaml --text text.txt --out all --steps 2 --set train.eval_windows=null
bits=$(sed -n 's/^eval_bits_per_byte //p' .out)
tail -c $(((size + 9) / 10)) text.txt >held.txt
check eval-of-it 0 '' "$REFORMERC" eval all/last --backend reference --text held.txt
holds eval-agrees "($(sed -n 's/^bits_per_byte //p' .out) - $bits) ^ 2 < 1e-10"

# ---- going on
trains four 0 '' model.yaml --text text.txt --out part --steps 12 --save-every 3
same as-without-checkpoints part/last/model.safetensors run/last/model.safetensors
trains part 0 '' model.yaml --text text.txt --out cut --steps 5
trains resume 0 'goes on behind step 5' model.yaml --text text.txt --out cut --steps 12 --resume
same resumed-weights cut/last/model.safetensors run/last/model.safetensors
same resumed-state cut/last/optimizer.safetensors run/last/optimizer.safetensors
rows run >want.csv
rows cut | awk -F, '!($1 == 5)' >got.csv # the end of five steps was evaluated
awk -F, '!($1 == 5)' want.csv >want5.csv
same resumed-rows got.csv want5.csv
trains resume-done 0 '' model.yaml --text text.txt --out cut --steps 12 --resume
grep -q '^nothing is left to do: 12 steps in ' .err || fail 'it does not say that nothing is left to do'
trains resume-fewer 0 '^nothing is left to do, there are more steps than asked for: 12 steps in ' model.yaml --text text.txt --out cut --steps 3 --resume
same resumed-once-more cut/last/model.safetensors run/last/model.safetensors
trains other-batch 1 'batch_size' model.yaml --text text.txt --out cut --steps 12 --resume --batch-size 4
trains other-text 1 'data' model.yaml --text held.txt --out cut --steps 12 --resume --set train.eval_fraction=0
trains resume-and-weights 1 '^--resume: error: excludes --weights' model.yaml --text text.txt --out cut --resume --weights random

# What cannot be read is neither gone on with nor replaced, and the advice can be followed.
cp -r run damaged
printf '{' >damaged/last/trainer_state.json
for again in '' --resume; do
    trains damaged 1 '^damaged/last/trainer_state.json:1:[0-9]+: error: ' model.yaml --text text.txt --out damaged $again
    grep -q 'hint: .*--weights damaged/best' .err || fail 'it does not say what to do'
    if grep -q 'of -1 steps' .err; then fail 'steps below 0'; fi
done
trains as-advised 0 '' model.yaml --text text.txt --out advised --weights damaged/best --steps 1

# Killed at any moment, and rows behind the last checkpoint: they are written once.
"$REFORMERC" train model.yaml --backend reference --threads 1 --text text.txt --out killed --save-every 1 >/dev/null 2>&1 &
pid=$!
end_when KILL grep -qs '^5,' killed/metrics.csv
printf '11,1,2,3,' >>killed/metrics.csv
trains resume-killed 0 '' model.yaml --text text.txt --out killed --save-every 1 --resume
same killed-weights killed/last/model.safetensors run/last/model.safetensors
rows killed >got.csv
same killed-rows got.csv want.csv
tidy killed

# Saved by the clock, at whatever step: the same run.
trains clock 0 '' model.yaml --text text.txt --out clock --save-every 0 --save-minutes 1e-9 --eval-every 0 --keep 100
equal saved-by-the-clock "$(ls -d clock/step-* | wc -l | tr -d ' ')" 12
same clock-weights clock/last/model.safetensors run/last/model.safetensors
same clock-state clock/last/optimizer.safetensors run/last/optimizer.safetensors
trains never 0 '' model.yaml --text text.txt --out never --save-minutes 0 --eval-every 0 --keep 100
equal not-by-the-clock "$(ls -d never/step-*)" never/step-0
check by-default 0 '' "$REFORMERC" --help-spec
says '^  train.save_minutes = 10$'
rm -r clock/last
mv clock/step-7 clock/last
trains clock-resume 0 'goes on behind step 7, after 448 tokens; drops 5 rows of metrics.csv behind that$' model.yaml --text text.txt \
    --out clock --resume --eval-every 0
same clock-resumed clock/last/model.safetensors run/last/model.safetensors
rm -r clock/last
mv never/step-0 clock/last
trains from-step-0 0 '^begins at step 1; drops 12 rows of metrics.csv behind that$' model.yaml --text text.txt --out clock --resume --eval-every 0
same from-step-0-weights clock/last/model.safetensors run/last/model.safetensors

# A signal finishes the step and saves. (A shell's children in the background do not hear Ctrl-C.)
"$REFORMERC" train model.yaml --backend reference --threads 1 --text text.txt --out stopped --steps 100000 --eval-every 0 \
    >/dev/null 2>stopped.err &
pid=$!
end_when TERM grep -qs '^3,' stopped/metrics.csv
equal interrupted "$code" 143
grep -q '^interrupted: ' stopped.err || fail 'it does not say so'
equal saved-step "$(value stopped/last/trainer_state.json step)" "$(tail -n 1 stopped/metrics.csv | cut -d, -f1)"

# ---- how micro-batches are cut, and other ends
trains whole 0 '' model.yaml --text text.txt --out one --steps 3 --batch-size 4 --accumulate 1 --trajectory one.json
trains in-parts 0 '' model.yaml --text text.txt --out two --steps 3 --batch-size 2 --accumulate 2 --trajectory two.json
for i in 0 1 2; do
    holds "accumulated-$i" "($(value one.json loss.$i) - $(value two.json loss.$i)) ^ 2 < 1e-10"
    holds "accumulated-norm-$i" "($(value one.json grad_norm.$i) - $(value two.json grad_norm.$i)) ^ 2 < 1e-8"
done
trains nothing-held-out 0 'step 6/6, epoch [0-9.]+  buckets: [0-9.]+ % empty, largest [0-9.]+ times the mean$' model.yaml --text text.txt \
    --out unheld --steps 6 --eval-every 2 --eval-fraction 0 --log-every 100
equal looked-at "$(awk -F, 'NR > 1 && $8 == "" && $13 != "" && $14 >= 1 { printf "%s ", $1 }' unheld/metrics.csv)" '2 4 6 '
absent unheld/best
trains patience 0 'no better for a while: 12 steps' model.yaml --text text.txt --out patient --steps 100 --lr 0 --patience 2 --set train.optimizer.weight_decay=0
cp patient/last/model.safetensors patient.st
trains patience-again 0 '^nothing is left to do, no better for a while: 12 steps in ' model.yaml --text text.txt --out patient --steps 100 --lr 0 \
    --patience 2 --set train.optimizer.weight_decay=0 --resume
same patience-once patient/last/model.safetensors patient.st
equal patience-rows "$(tail -n 1 patient/metrics.csv | cut -d, -f1)" 12
trains patience-longer 0 '^no better for a while: 16 steps' model.yaml --text text.txt --out patient --steps 100 --lr 0 \
    --patience 3 --set train.optimizer.weight_decay=0 --resume
trains minutes 0 'time is up: ' model.yaml --text text.txt --out minutes --set train.steps=null --minutes 0.01
steps=$(value minutes/last/trainer_state.json step)
trains minutes-again 0 "^nothing is left to do, time is up: $steps steps? in " model.yaml --text text.txt --out minutes --set train.steps=null \
    --minutes 0.01 --resume
equal minutes-once "$(value minutes/last/trainer_state.json step)" "$steps"
trains minutes-more 0 "goes on behind step $steps," model.yaml --text text.txt --out minutes --set train.steps=null --minutes 0.02 --resume
# Nearly all of this time goes into checkpoints: wherever it is up, the last step is evaluated.
trains minutes-of-saving 0 'time is up: ' model.yaml --text text.txt --out minutes-of-saving --set train.steps=null --minutes 0.01 --eval-every 0 \
    --length 2 --batch-size 1 --save-every 1 --log-every 1000000
equal evaluated-last "$(awk -F, 'END { print $8 != "" }' minutes-of-saving/metrics.csv)" 1
trains epochs 0 'step 18/18, epoch 1' model.yaml --text text.txt --out epochs --set train.steps=null --epochs 1 --eval-every 0
trains outlasts 0 '^--set train.schedule.total: warning: the schedule ends after 2 steps, the training after 4: behind that end its wave goes on' \
    model.yaml --text text.txt --out outlasts --steps 4 --eval-every 0 --set train.schedule.type=cosine --set train.schedule.total=2
grep -q 'hint: train.schedule.total=4, or fewer steps' .err || fail 'no hint'
trains by-heart 0 '' model.yaml --text text.txt --out heart --overfit-batch --steps 60 --lr 0.03 --set hidden_dropout_prob=0 --eval-every 0
awk -F, 'END { exit !($4 < 2.5) }' heart/metrics.csv || fail 'one batch is not learnt by heart'
cp run/last/model.safetensors huge.st
"$FORGE" poke huge.st huge.st lm_head.decoder.weight 0 7f7fffff
"$FORGE" poke huge.st huge.st lm_head.decoder.weight 40 ff7fffff
trains diverges 1 'step [0-9]+: the (gradient|loss) is not' model.yaml --text text.txt --out wild --steps 50 --lr 1000 \
    --set train.optimizer.type=sgd --set train.max_grad_norm=null --save-every 1
present wild/last/model.safetensors
trains diverges-at-once 1 'step 1: the ' model.yaml --text text.txt --out at-once --weights huge.st
trains begins-anew 0 '' model.yaml --text text.txt --out at-once --steps 1
trains dry 0 '' model.yaml --text text.txt --dry-run
says 'parameters +[0-9,]+$'
says 'workspace of a train step'

# ---- a sample, a classifier, a masked model, tokens
trains sample 0 '^--- step 2 ---$' model.yaml --text text.txt --out sample --steps 2 --sample-every 2 --sample-prompt 'The ' --sample-tokens 8
grep -q '^The ' .err || fail 'the sample does not begin with its prompt'
# Ends of lines, quotes and backslashes are no less text than the rest.
odd=$(printf 'A\n\nB "q" \\n it\047s\302\205C\342\200\250D ')
trains sample-of-lines 0 '' model.yaml --text text.txt --out lines --steps 1 --sample-every 1 --sample-prompt "$odd" --sample-tokens 1
printf '%s' "$odd" >want.txt
sed '1,/^--- step 1 ---$/d' .err | head -c "$(wc -c <want.txt)" >got.txt
same sample-of-lines got.txt want.txt
trains sample-of-bytes 1 '^--sample-prompt: error: byte 0xe9 is not UTF-8' model.yaml --text text.txt --out x --sample-prompt "$(printf 'caf\351')"
trains no-room 1 '^--sample-prompt: error: 32 tokens; a sample of this model has 32, its prompt included$' model.yaml --text text.txt \
    --out no-room --sample-every 2 --sample-prompt 'The quick brown fox jumps over t'
trains far-too-long 1 '^--sample-prompt: error: 44 tokens; ' model.yaml --text text.txt \
    --out no-room --sample-every 2 --sample-prompt 'The quick brown fox jumps over the lazy dog.'
absent no-room
trains own-prompt 0 '^--- step 2 ---$' model.yaml --text text.txt --out own-prompt --steps 2 --sample-every 2
printf 'label\ttext\n' >table.tsv
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    printf 'good\ta lovely day %d\nbad\ta horrid day %d\n' $i $i
done >>table.tsv
trains classifier 0 'accuracy 100.00 %, F1 1.0000' model.yaml --set 'architectures=[ReformerForSequenceClassification]' --set is_decoder=false \
    --text table.tsv --out classes --steps 40 --eval-every 20 --lr 0.02 --set train.eval_fraction=0.3
json classes/last/config.json id2label.1 '"good"'
# Padding is no token: an epoch has the bytes of the texts, however it is cut.
bytes=$(awk -F '\t' 'NR > 1 { n += length($2) } END { print n }' table.tsv)
for cut in '--accumulate 1' '--accumulate 4'; do
    trains "tokens $cut" 0 '' model.yaml --set 'architectures=[ReformerForSequenceClassification]' --set is_decoder=false --text table.tsv \
        --out "tokens${cut#* }" $cut --set train.steps=null --epochs 1 --set train.eval_fraction=0 --eval-every 0
    says "^tokens $bytes\$"
    equal "column $cut" "$(awk -F, 'END { print $3 }' "tokens${cut#* }/metrics.csv")" "$bytes"
done
trains dry-of-table 0 '' model.yaml --set 'architectures=[ReformerForSequenceClassification]' --set is_decoder=false --text table.tsv --dry-run
says '^ *tokens of a step, with padding +64$'
# A table of one class teaches nothing, and says of a model what there is to say: no F1 of a class that nobody has or finds.
grep -v good table.tsv >one.tsv
trains one-class 1 "^one.tsv: error: has 1 class, the model 2 \\('num_labels'\\)$" model.yaml --set 'architectures=[ReformerForSequenceClassification]' \
    --set is_decoder=false --text one.tsv --out x
trains one-of-them 1 "^one.tsv: error: all of its rows are of class 'bad': nothing can be told apart$" classes/last --text one.tsv --out x
trains one-judged 0 '' classes/last --text table.tsv --eval-text one.tsv --eval-only
says '^eval_accuracy 1.000000$'
if grep -q eval_f1 .out; then fail 'F1 of a class that is not there'; fi
printf 'label\ttext\nj\344\ta day\nno\ta night\n' >latin.tsv
trains not-utf-8 1 '^latin.tsv:2:1: error: byte 2 of column 1, 0xe4, is not UTF-8$' model.yaml --set 'architectures=[ReformerForSequenceClassification]' \
    --set is_decoder=false --text latin.tsv --out x
# Numbers, and several labels for a row, are no classes.
for other in problem_type=regression problem_type=multi_label_classification num_labels=1; do
    trains "table-of-$other" 1 "^--set ${other%=*}: error: .*: rows of one class each cannot teach it$" model.yaml \
        --set 'architectures=[ReformerForSequenceClassification]' --set is_decoder=false --set $other --text table.tsv --out x
done
# A head for other labels is not taken, nor is it drawn anew without a word.
sed -e 's/^good/0/' -e 's/^bad/1/' table.tsv >three.tsv
printf '2\tno day at all\n2\tnone\n2\tnothing\n' >>three.tsv
three() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    trains "$title" "$want_code" "$text" model.yaml --set 'architectures=[ReformerForSequenceClassification]' --set is_decoder=false \
        --text three.tsv --set train.eval_fraction=0.3 --steps 2 "$@"
}
three other-labels 1 "tensor 'classifier.out_proj.weight' has shape \\[2, 16\\], this model needs \\[3, 16\\]" --set num_labels=3 --weights classes/last --out x
grep -q 'hint: --set num_labels=2 takes the head as it is; --set train.new_head=true draws another head' .err || fail 'no hint'
three fewer-labels 1 "^three.tsv.*error: .*" --weights classes/last --out x
absent x/last
three new-head 0 'drawn at random: classifier.dense.weight, .*classifier.out_proj.bias$' --set num_labels=3 --weights classes/last \
    --set train.new_head=true --out three
three of-nothing 1 '^--set train.new_head: error: has no effect: all weights are drawn' --set num_labels=3 --set train.new_head=true --out x
trains judged 1 '^--set train.new_head: error: has no effect: --eval-only' three/last --text three.tsv --set train.new_head=true --eval-only
# Killed before the first checkpoint: it begins with the weights that it would have begun with, a new head included.
tunes() { # DIR ARGUMENTS…
    dir=$1
    shift
    trains "tune-$dir" 0 "$begins" model.yaml --set 'architectures=[ReformerForSequenceClassification]' --set is_decoder=false \
        --text table.tsv --out "$dir" --steps 2 --set train.eval_fraction=0.3 "$@"
}
begins='drawn at random: .*classifier'
tunes tuned --weights run/last
mkdir early early-spec
begins='holds no checkpoint to resume'
tunes early --resume --weights run/last
same resumed-from-weights early/last/model.safetensors tuned/last/model.safetensors
tunes early-spec --resume --set train.weights=run/last
same resumed-from-train.weights early-spec/last/model.safetensors tuned/last/model.safetensors
trains masked 0 'held out: loss' model.yaml --set 'architectures=[ReformerForMaskedLM]' --set is_decoder=false --text text.txt --out masked --steps 4
# A last window of which nothing may be masked has no loss; the rest has one.
printf '%064dbb' 0 >few.txt
printf '%064d' 0 | tr 0 b >none.txt
masks() { # NAME CODE PATTERN EVALUATION
    trains "$1" "$2" "$3" model.yaml --set 'architectures=[ReformerForMaskedLM]' --set is_decoder=false --set 'train.never_masked=[100]' \
        --text text.txt --eval-text "$4" --out "$1" --steps 4
}
masks no-label-in-a-window 0 'step 4/4.* held out: loss [0-9.]+, .*accuracy [0-9.]+ %' few.txt
masks no-label-at-all 1 'step 4: no label of what is held out counts' none.txt
trains task 0 'of whole rows' model.yaml --set vocab_size=16 --task duplicate --out task --steps 4
trains eval-of-task 0 '' task/last --task duplicate --eval-only --set num_hashes=2
says '^eval_sequence_accuracy [0-9.]+$'
trains eval-of-text 0 '' run/last --text text.txt --eval-only --set train.eval_windows=8
equal evaluated-as-at-the-end "$(grep ^eval_loss .out)" "eval_loss $(awk -F, 'END { printf "%.6f", $8 }' run/metrics.csv)"
# Shares of buckets are of the rounds that it evaluates with.
shares() { grep _bucket .out; }
trains buckets-of-one 0 '' run/last --text text.txt --eval-only
shares >one.shares
trains buckets-of-four 0 '' run/last --text text.txt --eval-only --eval-hashes 4
shares >four.shares
trains buckets-of-four-set 0 '' run/last --text text.txt --eval-only --set num_hashes=4
shares >want.shares
same buckets-of-all-rounds four.shares want.shares
equal buckets-are-there "$(wc -l <want.shares | tr -d ' ')" 2
cmp -s one.shares four.shares && fail 'four rounds fill buckets as one does: the test tests nothing'
trains eval-of-nothing 1 '^--eval-only: error: nothing is held out' run/last --text text.txt --eval-only --eval-fraction 0
trains eval-without-weights 1 'has no weights beside it' model.yaml --text text.txt --eval-only
check tokenize 0 '' "$REFORMERC" tokenize model.yaml --text text.txt -o text.bin
trains of-tokens 0 '' model.yaml --text text.bin --out tokens --steps 12
same tokens-as-text tokens/last/model.safetensors run/last/model.safetensors
finish
