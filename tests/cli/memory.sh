#!/bin/sh
# Too little memory is an error of one line that says what was too large: exit 1, nothing half-written.
. "$(dirname "$0")/lib.sh"
LIMIT=700000 # KiB of addresses: enough to start, far from enough for what follows

cat >spec.yaml <<'EOF'
architectures: [ReformerModelWithLMHead]
is_decoder: true
vocab_size: 258
attn_layers: [local, lsh]
hidden_size: 32
num_attention_heads: 2
attention_head_size: 16
feed_forward_size: 64
axial_pos_embds: false
max_position_embeddings: 262144
local_attn_chunk_length: 64
lsh_attn_chunk_length: 64
num_buckets: 64
hash_seed: 1
compile: {text: bytes}
EOF
yes "A line of text." | head -c 300000 >text
limited() (
    ulimit -v $LIMIT
    exec "$REFORMERC" "$@"
)
short() { # NAME PATTERN ARGUMENTS…
    name=$1 pattern=$2
    shift 2
    check "$name" 1 "$pattern" limited "$@"
}

large="vocab_size=400000 hidden_size=1024 num_attention_heads=2 attention_head_size=16 compile.text=null"
settings=$(for s in $large; do printf -- '--set %s ' "$s"; done)
# A table of 1.6 GB: random, and in a file (which has no data on the disk).
header='{"reformer.embeddings.word_embeddings.weight":{"dtype":"F32","shape":[400000,1024],"data_offsets":[0,1638400000]}}'
printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header" >large.safetensors
truncate -s $((8 + ${#header} + 1638400000)) large.safetensors
# shellcheck disable=SC2086 # words
short 'random weights' 'vocab_size: error: the weights take [0-9.]+ GiB .*, there are [0-9.]+ GiB of memory' \
    bench spec.yaml $settings --weights random
# shellcheck disable=SC2086
short 'weights of a file' 'large.safetensors: error: has 1638400[0-9]+ bytes, too many for the memory' \
    bench spec.yaml $settings --weights large.safetensors
# shellcheck disable=SC2086
short 'packing them' 'large.safetensors: error: has 1638400[0-9]+ bytes, too many for the memory' \
    spec.yaml $settings --weights large.safetensors -o packed.c
absent packed.c packed.h packed.weights
[ -z "$(find . -name '*.tmp-*')" ] || fail 'temporary files are left'

# A length whose values do not fit; the weights do.
long="attn_layers=[local,lsh] hidden_size=512 axial_pos_embds=true axial_pos_shape=[512,512] axial_pos_embds_dim=[256,256]
    compile.sequence_length=262144"
settings=$(for s in $long; do printf -- '--set %s ' "$s"; done)
# shellcheck disable=SC2086
short 'the reference' 'sequence_length: error: not enough memory for a workspace of [0-9.]+ GiB' \
    eval spec.yaml $settings --backend reference --weights random --text text
# shellcheck disable=SC2086
short 'a workspace' 'error: no memory for a workspace of [0-9]+ bytes|error: not enough memory' \
    bench spec.yaml $settings --backend c --weights random
finish
