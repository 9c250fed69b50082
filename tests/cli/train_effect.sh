#!/bin/sh
# train: options that have no effect are errors that say why, and what is wrong is told before the first step.
. "$(dirname "$0")/lib.sh"
small_spec >model.yaml
echo 'train: {batch_size: 2, steps: 4, optimizer: {lr: 0.01}, eval_windows: 4}' >>model.yaml
for i in 1 2 3 4 5 6 7 8 9 10; do
    printf 'The quick brown fox %d jumps over the lazy dog, %d times in all.\n' $i $((i * i))
done >text.txt
ids=2
for i in 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do ids=$ids,$i; done
make() { # FILE LAST-ID: three micro-batches of one row
    "$FORGE" make "$1" "input_ids:I32:3,1,16=$ids,$ids,${ids%,17},$2" "labels:I32:3,1,16=$ids,$ids,$ids"
}
make fine.st 17
make bad.st 258

# ---- a file of micro-batches
for option in '--batch-size 2' '--length 16' '--epochs 1' '--eval-text text.txt' '--eval-fraction 0.5' '--eval-every 2' \
    '--eval-windows 2' '--eval-hashes 2' '--patience 2'; do
    trains "batches $option" 1 "^${option% *}: error: has no effect: " model.yaml --batches fine.st --out x $option
done
trains batches-set 1 '^--set train.batch_size: error: has no effect: a micro-batch has the rows that the file' \
    model.yaml --batches fine.st --out x --set train.batch_size=3
trains bad-id 1 '^bad.st: micro-batch 3: error: input_ids\[0\]\[15\] = 258: vocab_size is 258' model.yaml --batches bad.st --out x
trains bad-id-unused 1 'micro-batch 3' model.yaml --batches bad.st --out x --steps 1
absent x
trains batches 0 '3 steps in' model.yaml --batches fine.st --out fine --set train.steps=3 --seed 2
# A file is known by its content.
trains batches-begun 0 '2 steps in' model.yaml --batches fine.st --out parts --set train.steps=2 --seed 2
mkdir elsewhere
cp fine.st elsewhere/moved.st
make other.st 16
trains batches-other 1 "^    'data' has another content, though it is again 3 micro-batches of 1 x 16 tokens$" \
    model.yaml --batches other.st --out parts --set train.steps=3 --seed 2 --resume
trains batches-moved 0 'goes on behind step 2' model.yaml --batches elsewhere/moved.st --out parts --set train.steps=3 --seed 2 --resume
same batches-moved parts/last/model.safetensors fine/last/model.safetensors

# ---- --eval-only, evaluations
trains run 0 '4 steps in' model.yaml --text text.txt --out run
for option in '--steps 2' '--epochs 1' '--minutes 1' '--accumulate 2' '--lr 1' '--eval-every 2' '--patience 2' '--log-every 2' \
    '--sample-every 2' '--sample-prompt a' '--sample-tokens 2' '--save-every 2' '--save-minutes 2' '--keep 2' '--out x' \
    '--trajectory x.json'; do
    trains "judging $option" 1 "^${option% *}: error: has no effect: " run/last --text text.txt --eval-only $option
done
trains judging-resumed 1 '^--resume: error: has no effect: ' run/last --text text.txt --eval-only --resume --out run
trains judging-batches 1 '^--batches: error: has no effect: ' run/last --eval-only --batches fine.st
trains judging-set 1 '^--set train.steps: error: has no effect: ' run/last --text text.txt --eval-only --set train.steps=2
trains judging 0 '' run/last --text text.txt --eval-only --batch-size 4 --length 16 --eval-windows 2 --seed 1
trains patience 1 "^--patience: error: 'train.patience' has no effect: there is no evaluation but the last one" \
    model.yaml --text text.txt --out x --patience 2
trains patience-of-nothing 1 "^--patience: error: 'train.patience' has no effect: nothing is held out" \
    model.yaml --text text.txt --out x --patience 2 --eval-every 2 --eval-fraction 0
sed 's/eval_windows: 4/eval_every: 2, patience: 2/' model.yaml >patient.yaml
trains patience-of-file 0 '' patient.yaml --text text.txt --out unjudged --eval-every 0
trains standard-input 1 "^--text: error: '-' \\(standard input\\) is read once" model.yaml --text - --out x
trains standard-eval 1 "^--eval-text: error: '-' \\(standard input\\) is read once" model.yaml --text text.txt --eval-text - --out x
printf 'label\ttext\n1\ta day\n0\ta night\n' >two.tsv
trains two-rows 1 '^two.tsv: error: of a table of 2 rows none is left' model.yaml --set 'architectures=[ReformerForSequenceClassification]' \
    --set is_decoder=false --text two.tsv --set train.eval_fraction=0.9 --out x
absent x

# ---- going on
trains in-checkpoint 1 '^run/last/: error: is a checkpoint of a training' model.yaml --text text.txt --out run/last/ --resume
grep -q 'hint: .*--out run --resume' .err || fail 'it does not say which folder'
trains below-checkpoint 1 '^run/last/more: error: would stand in a checkpoint' model.yaml --text text.txt --out run/last/more
absent run/last/more run/last/.lock
trains as-it-was 1 "hint: it goes on as it began with --set train.batch_size=2 --set train.optimizer.lr=0.01; " \
    model.yaml --text text.txt --out run --resume --batch-size 3 --lr 1
trains as-advised 0 'goes on behind step 4' model.yaml --text text.txt --out run --resume --steps 5 --batch-size 3 --lr 1 \
    --set train.optimizer.lr=0.01 --batch-size 2 --lr 0.01
tr a-z b-za <text.txt >other.txt
trains other-text 1 "^    'data' has another content, though it is again [0-9]+ tokens" model.yaml --text other.txt --out run --resume
head -c 400 text.txt >shorter.txt
trains shorter-text 1 "^    'data' was [^()]*, now it is [^()]*$" model.yaml --text shorter.txt --out run --resume

# ---- a run that diverges shows how
trains diverges 1 'step [0-9]+: the (gradient|loss) is not' model.yaml --text text.txt --out wild --steps 60 --eval-every 0 --lr 1000 \
    --set train.optimizer.type=sgd --set train.max_grad_norm=null
present wild/loss.svg
finish
