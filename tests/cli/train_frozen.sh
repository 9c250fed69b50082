#!/bin/sh
# Trainings with frozen tensors: what is saved is a whole model, with the frozen ones as they were; they are not in the
# optimiser's file; a run that goes on keeps them.
. "$(dirname "$0")/lib.sh"
TENSOR=$8
r=$REFORMERC
small_spec | sed 's/\[local\]/[local, local]/' >model.yaml
seq 1000 1800 | tr '\n' ' ' >text
learn() { # DIR STEPS OPTIONS…
    dir=$1 steps=$2
    shift 2
    check "$dir" 0 '' "$r" train model.yaml --no-warnings --backend interpreter --text text --out "$dir" --set "train.steps=$steps" --set train.batch_size=1 --set train.schedule.type=linear --set train.schedule.total=3 \
        --set train.eval_windows=1 --set "train.freeze=['lm_head.*', '*.layers.0.*']" "$@"
}
learn one 1
learn three 3
same_as() { "$TENSOR" same one/last/model.safetensors "$1" three/last/model.safetensors "$1" 0; }
for frozen in lm_head.bias lm_head.decoder.weight reformer.encoder.layers.0.feed_forward.dense.dense.weight; do
    check "$frozen is frozen" 0 '' same_as $frozen
done
for trained in reformer.embeddings.word_embeddings.weight reformer.encoder.layers.1.feed_forward.dense.dense.weight; do
    check "$trained is trained" 1 '' same_as $trained
done
grep -q lm_head three/last/optimizer.safetensors && fail 'the optimiser keeps something of a frozen tensor'
check 'a whole model' 0 '' "$r" eval three/last --no-warnings --backend interpreter --text text
learn two 2
check 'goes on' 0 '' "$r" train model.yaml --no-warnings --backend interpreter --resume --text text --out two --set train.steps=3 --set train.batch_size=1 --set train.schedule.type=linear --set train.schedule.total=3 \
    --set train.eval_windows=1 --set "train.freeze=['lm_head.*', '*.layers.0.*']"
same 'as if it had not stopped' two/last/model.safetensors three/last/model.safetensors
finish
