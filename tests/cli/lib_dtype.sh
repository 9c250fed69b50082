# Sourced by the scripts about number types, behind lib.sh: a golden case by the reference, from its spec and from a graph.
#
#   near FILE FILE DISTANCE            their logits are
#   graph GRAPH OUTPUT FURTHER…        a check: what GRAPH, a text, makes of the case's weights and inputs
#   $run FURTHER…                      the same of the case itself
TENSOR=$8
r=$REFORMERC
lm=$CASES/b_clm_alt_4hash_factorised
reference='--no-warnings --backend reference'
near() { "$TENSOR" same "$1" logits "$2" logits "$3"; }
run_case() { echo "$r run $1 $reference --rotations $1/rotations.safetensors --input $1/inputs.safetensors"; }
run=$(run_case "$lm")
graph() {
    of=$1 to=$2
    shift 2
    check "$of $*" 0 - "$r" run "$of" $reference --weights "$lm/model.safetensors" \
        --rotations "$lm/rotations.safetensors" --input "$lm/inputs.safetensors" --output "$to" "$@"
}
