#!/bin/sh
# huggingface_loss.py as far as it goes without PyTorch, and with it where it is there: a model that was trained here has the
# same loss in Hugging Face.
. "$(dirname "$0")/../cli/lib.sh"
script=$SOURCE/tests/bench/huggingface_loss.py
small_spec | sed -e 's/\[local\]/[local, lsh]/' -e 's/^compile.*/lsh_attn_chunk_length: 8\nnum_hashes: 2\nnum_buckets: 4/' >model.yaml
awk 'BEGIN { for (i = 0; i < 400; i++) printf "%d words, %d more; ", i * i % 97, i % 7 }' >text.txt
check trained 0 '' "$REFORMERC" train model.yaml --text text.txt --out run --steps 20 --batch-size 2 --lr 0.01 --threads 1 \
    --backend reference --no-warnings
l() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 pattern_=$3
    shift 3
    check "$title" "$want_code" "$pattern_" "$python3" -B "$script" run/last --reformerc "$REFORMERC" "$@"
}
python3=$5
l short 1 '^text.txt: error: is shorter than one window of 100000 bytes' text.txt --length 100000
l window 1 '^--length: error: a window has two bytes' text.txt --length 1
l nowhere 1 '^nowhere: error: No such file' nowhere --length 32
if "$python3" -c 'import torch; from transformers import ReformerModelWithLMHead' 2>/dev/null; then
    l same 0 '' text.txt --length 32 --bytes 1600
    says '^50 windows of 32 bytes: reformerc .* difference '
    l other 1 '' text.txt --length 32 --bytes 1600 --within -1
fi
finish
