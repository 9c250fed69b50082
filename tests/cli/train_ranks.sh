#!/bin/sh
# Trainings by several processes: the bits of one that accumulates as many micro-batches, dropout on; one checkpoint, one file
# of metrics; a lost process ends the others, and what was saved last goes on.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
[ "${10}" = TRUE ] && command -v mpirun >/dev/null || exit 77
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
small_spec | sed 's/^attn_layers:.*/attn_layers: [local, lsh]/; s/, targets: .x86-64.//' >model.yaml
printf 'lsh_attn_chunk_length: 8\nnum_buckets: 4\nhash_seed: 1\nhidden_dropout_prob: 0.1\nlsh_attention_probs_dropout_prob: 0.1\n' >>model.yaml
seq 1000 1800 | tr '\n' ' ' >text
together() { n=$1; shift; timeout 60 mpirun --oversubscribe -n "$n" "$@"; }
learning() { # DIR STEPS ACCUMULATE
    printf '%s ' "$r" train model.yaml --no-warnings --threads 1 --text text --out "$1" --set "train.steps=$2" --set "train.accumulate=$3" \
        --set train.batch_size=2 --set train.eval_windows=2 --set train.eval_every=2 --set train.seed=5 --set train.schedule.type=linear --set train.schedule.total=1000
}
rows() { cut -d, -f1-12 "$1/metrics.csv"; }
check one 0 '' $(learning one 4 2)
check two 0 '' together 2 $(learning two 4 1)
grep -q 'steps of 2 x 2 x 32 tokens; .* 2 ranks, each 1 thread' .err || fail 'it does not say how many ranks'
same 'the weights' one/last/model.safetensors two/last/model.safetensors
same 'what the optimiser keeps' one/last/optimizer.safetensors two/last/optimizer.safetensors
equal 'the metrics' "$(rows two)" "$(rows one)"
equal 'one summary' "$(grep -c best_step .out)" 1

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

# ---- one of them cannot
check 'a folder that cannot be made' 1 'text/out' together 2 $(learning text/out 4 1)
finish
