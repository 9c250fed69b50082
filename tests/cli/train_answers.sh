#!/bin/sh
# Trainings of question answering: rows without an answer weigh nothing, however a step is cut into micro-batches; a row of
# which the start counts and the end does not is no part of several.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
r=$REFORMERC
small_spec | sed 's/ReformerModelWithLMHead/ReformerForQuestionAnswering/; /is_decoder/d' >model.yaml
tokens=$(seq 1 128 | tr '\n' ',' | sed 's/,$//')
batches() { # FILE MICRO-BATCHES ROWS STARTS ENDS
    "$FORGE" make "$1" "input_ids:I32:$2,$3,32=$tokens" "start_positions:I32:$2,$3=$4" "end_positions:I32:$2,$3=$5"
}
for starts in 3,7,32,9 32,32,7,9; do
    batches whole.st 1 4 $starts $starts
    batches halves.st 2 2 $starts $starts
    for backend in reference interpreter; do
        learn() { # FILE ACCUMULATE TRAJECTORY
            "$r" train model.yaml --no-warnings --backend $backend --weights random:1 --batches "$1" --set "train.accumulate=$2" --trajectory "$3"
        }
        check "whole $starts" 0 '' learn whole.st 1 whole.json
        check "halves $starts" 0 '' learn halves.st 2 halves.json
        for key in loss grad_norm; do
            a=$(value whole.json $key.0) b=$(value halves.json $key.0)
            holds "$key of $starts by $backend" "$a > 0.1 && ($a - $b) ^ 2 < 1e-10"
        done
        json halves.json items.0 "$(value whole.json items.0)"
    done
done
batches whole.st 1 4 3,7,32,9 3,7,5,9
batches halves.st 2 2 3,7,32,9 3,7,5,9
check 'half a row in one' 0 '' learn whole.st 1 whole.json
rm -f halves.json
check 'half a row in two' 1 'halves.st: error: micro-batch 2: a row of which the start counts or the end, and the other' \
    learn halves.st 2 halves.json
absent halves.json
batches none.st 1 4 32,32,99,40 32,32,99,40
check 'none counts' 1 'step 1: no label of it counts' learn none.st 1 none.json
finish
