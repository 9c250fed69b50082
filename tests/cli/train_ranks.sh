#!/bin/sh
# Trainings by several processes: the bits of one that accumulates as many micro-batches, dropout on; one checkpoint, one file
# of metrics; a lost process ends the others, and what was saved last goes on.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
r=$REFORMERC
[ "${10}" = TRUE ] && command -v mpirun >/dev/null || exit 77
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
small_spec | sed 's/^attn_layers:.*/attn_layers: [local, lsh]/; s/, targets: .x86-64.//' >model.yaml
printf 'lsh_attn_chunk_length: 8\nnum_buckets: 4\nhash_seed: 1\nhidden_dropout_prob: 0.1\nlsh_attention_probs_dropout_prob: 0.1\n' >>model.yaml
seq 1000 1800 | tr '\n' ' ' >text
together() { n=$1; shift; timeout 300 mpirun --oversubscribe -n "$n" "$@"; }
learning() { # DIR STEPS ACCUMULATE
    printf '%s ' "$r" train model.yaml --no-warnings --threads 1 --text text --out "$1" --set "train.steps=$2" --set "train.accumulate=$3" \
        --set train.batch_size=2 --set train.eval_windows=2 --set train.eval_every=2 --set train.seed=5 --set train.schedule.type=linear --set train.schedule.total=1000
}
rows() { cut -d, -f1-12 "$1/metrics.csv"; }
check one 0 '' $(learning one 4 2)
check two 0 '' together 2 $(learning two 4 1)
grep -q 'steps of 2 x 2 x 32 tokens; .* 2 ranks, each 1 thread' .err || fail 'it does not say how many ranks'
early=$(sed -n 's/.*; \([0-9.]*\) % of gradients left before the backward pass was over.*/\1/p' .err)
holds 'gradients leave while others are computed' "${early:-0} >= 50 && ${early:-0} < 100"
same 'the weights' one/last/model.safetensors two/last/model.safetensors
same 'what the optimiser keeps' one/last/optimizer.safetensors two/last/optimizer.safetensors
equal 'the metrics' "$(rows two)" "$(rows one)"
equal 'one summary' "$(grep -c best_step .out)" 1

# ---- new rotations in every step, and micro-batches of which one has many labels, the other one, and one none
sed '/^hash_seed/d' model.yaml >drawn.yaml
tokens=$(seq 1 768 | awk '{ printf "%s%d", (NR > 1 ? "," : ""), $1 * 7 % 251 + 1 }')
labels=$(seq 1 768 | awk '{ m = int(($1 - 1) / 64); k = m % 4 == 0 || (m % 4 == 1 && $1 % 64 == 5) || (m % 4 == 2 && $1 % 5 == 0)
    printf "%s%d", (NR > 1 ? "," : ""), (k ? $1 * 11 % 251 + 1 : -100) }')
"$FORGE" make batches.st "input_ids:I32:12,2,32=$tokens" "labels:I32:12,2,32=$labels"
uneven() { # DIR ACCUMULATE
    printf '%s ' "$r" train drawn.yaml --no-warnings --threads 1 --batches batches.st --out "$1" --trajectory "$1.json" --set train.steps=3 --set "train.accumulate=$2" --set train.seed=5
}
check alone 0 '' $(uneven alone 4)
check both 0 '' together 2 $(uneven both 2)
same 'weights of uneven shares' alone/last/model.safetensors both/last/model.safetensors
same 'what the optimiser keeps of them' alone/last/optimizer.safetensors both/last/optimizer.safetensors
same 'losses, norms, labels' alone.json both.json
holds 'shares are uneven' "$(value alone.json items.0) > 70 && $(value alone.json items.0) < 90"
check 'the same rotations in every step' 0 '' $(uneven stay 4) --set hash_seed=1
checks=$((checks + 1))
cmp -s stay/last/model.safetensors alone/last/model.safetensors && fail 'nothing is drawn anew'

# ---- a process is lost: in the middle of many steps
mpirun --oversubscribe -n 2 $(learning lost 1000000 1) >lost.out 2>lost.err </dev/null &
launcher=$!
for i in $(seq 300); do [ -f lost/last/trainer_state.json ] && grep -q '^4,' lost/metrics.csv && break; sleep 0.1; done
victim=$(ps -o pid= --ppid $launcher | tail -n 1)
before=$(date +%s)
kill -9 $victim
wait $launcher
code=$?
name='a lost rank'
checks=$((checks + 2))
[ $code -ne 0 ] || fail 'exit 0'
took=$(($(date +%s) - before))
[ $took -lt 60 ] || fail "the others ended after $took s"
steps=$(($(tail -n 1 lost/metrics.csv | cut -d, -f1) + 4))
check 'others than before' 1 "'?ranks'? was '?2'?" $(learning lost $steps 1) --resume
check 'by as many' 0 '' together 2 $(learning lost $steps 1) --resume
check 'from the start' 0 '' $(learning whole $steps 2)
same 'the same in the end' lost/last/model.safetensors whole/last/model.safetensors
equal 'all rows once' "$(rows lost)" "$(rows whole)"

# ---- one of them would train something else: neither does it, nor do the others wait for it
others() { # NAME PATTERN SETTING…: of rank 1, behind the same command line
    title=$1 pattern=$2
    shift 2
    check "$title" 1 "$pattern" timeout 300 mpirun --oversubscribe -n 1 $(learning other 4 1) : -n 1 $(learning other 4 1) "$@"
    grep -q 'goes on\|step 1/' .err && fail 'a step was made'
}
others 'another seed' "error: 'train.seed' of rank 1 is 6, that of rank 0 is 5" --seed 6
others 'another rate' "^--lr: error: 'train.optimizer.lr' of rank 1 is 0.5, that of rank 0 is 0.001" --lr 0.5
others 'another number of steps' "^--steps: error: 'train.steps' of rank 1 is 9, that of rank 0 is 4" --steps 9
others 'more micro-batches' "'train.accumulate' of rank 1 is 2, that of rank 0 is 1" --accumulate 2
seq 2000 2800 | tr '\n' ' ' >text2
others 'another text' "'data' of rank 1 is .*, that of rank 0 is" --text text2
others 'another back end' "^--backend: error: '--backend' of rank 1 is reference, that of rank 0 is" --backend reference
others 'other weights' "'weights' of rank 1 is [0-9a-f]{16}, that of rank 0 is [0-9a-f]{16}" --weights random:77
others 'no training' "'--dry-run' of rank 1 is given, that of rank 0 is absent" --dry-run
check 'other threads and logs' 0 '' timeout 300 mpirun --oversubscribe -n 1 $(learning same 4 1) : -n 1 $(learning same 4 1) --threads 2 --log-every 2
same 'and the same weights' same/last/model.safetensors two/last/model.safetensors

# ---- none of them can
huge="--set vocab_size=16777216 --set compile.text=bytes --set hidden_size=64 --set axial_pos_embds=false --dry-run"
check 'more weights than MPI counts' 1 '[0-9]+ weights that are trained are too many for several ranks, 2147483647 at most' together 2 $(learning huge 4 1) $huge
check 'more rows than numbers' 1 "^--set train.(accumulate|batch_size): error: a step has 65535 micro-batches of each of 2 ranks, of 32768 sequences each: together 2147483647 at most" \
    together 2 $(learning rows 4 65535) --set train.batch_size=32768 --dry-run

# ---- one of them cannot
check 'a folder that cannot be made' 1 'text/out' together 2 $(learning text/out 4 1)
finish
