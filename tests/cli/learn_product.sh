#!/bin/sh
# Products that learn: adapt.c, built with a model in C by both compilers and with an object by LLVM, makes the steps that
# `reformerc train` makes, losses and weights to the bit, in one go or in two calls; the header compiles as C++.
# learn_product.sh … [DTYPE]: train.dtype.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
dtype=${10:-float32}
strict='-Wall -Wextra -Werror -Wconversion'
printf 'It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want.' >text
cat >adapt.yaml <<'END'
architectures: [ReformerModelWithLMHead]
attn_layers: [local, lsh]
is_decoder: true
hidden_size: 16
num_attention_heads: 2
attention_head_size: 8
feed_forward_size: 16
vocab_size: 258
axial_pos_shape: [4, 4]
axial_pos_embds_dim: [8, 8]
local_attn_chunk_length: 4
lsh_attn_chunk_length: 4
num_buckets: 4
max_position_embeddings: 16
hidden_dropout_prob: 0.1
initializer_range: 0.3
compile: {sequence_length: 16, batch_size: 2, targets: [x86-64]}
train:
  optimizer: {type: adamw, lr: 0.01, weight_decay: 0.1}
  schedule: {type: cosine, warmup: 2}
  steps: 4
  accumulate: 2
  batch_size: 2
  seed: 9
END
echo "  dtype: $dtype" >>adapt.yaml
steps=4
check translate 0 - "$r" adapt.yaml --no-warnings --weights random:1 -o adapt.c
cp adapt.weights first.weights
grep -q 'adapt_train_step' adapt.h || fail 'the header has no train step'

# The command's: the same windows, from the same weights.
count=$((steps * 2 * 2 * 16))
ids=$(od -An -v -tu1 -w1 text | awk -v n=$count '{ id[NR - 1] = $1 + 2 } END { for (i = 0; i < n; i++) printf "%s%d", i ? "," : "", id[i % NR] }')
"$FORGE" make batches.st "input_ids:I32:$((steps * 2)),2,16=$ids" "labels:I32:$((steps * 2)),2,16=$ids"
trainer="env QUICK_LLVM=1 REFORMERC_CACHE=$WORK/cache $r" # products are what is optimised here
check train 0 '4 steps in' $trainer train adapt.yaml --no-warnings --target x86-64 --weights random:1 --batches batches.st --trajectory t.json --out trained
check 'translate what was learnt' 0 - "$r" trained/last --no-warnings --set train.dtype=$dtype --set compile.sequence_length=16 --set compile.batch_size=2 --set train.steps=4 -o want.c --target x86-64

# A program's losses and norms against the trajectory, its weights against the command's.
agree() { # PROGRAM
    cp first.weights $1.weights
    check "$1" 0 - "./$1" $1.weights $1.state text $steps
    cp .out $1.said
    checks=$((checks + 1))
    cmp -s $1.weights want.weights || fail "$1: other weights than the command's"
    cp first.weights again.weights
    check "$1, one step" 0 - "./$1" again.weights again.state text 1
    check "$1, the others" 0 - "./$1" again.weights again.state text $((steps - 1))
    checks=$((checks + 1))
    cmp -s again.weights $1.weights && cmp -s again.state $1.state || fail "$1: two calls learn something else than one"
    rm again.state
    first=${first:-$1}
    equal "$1: losses and norms" "$(cat $1.said)" "$(cat $first.said)"
}

for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    check "strict $compiler" 0 - with_flags $compiler -std=c11 -O0 $strict -c adapt.c -o model-$compiler.o
    check "build $compiler" 0 - with_libs $compiler -std=c11 -O0 $strict -I. "$SOURCE/tests/cli/adapt.c" model-$compiler.o -o in-$compiler
    agree in-$compiler
done
if command -v c++ >/dev/null; then
    echo '#include "adapt.h"' >header.cc
    check 'header' 0 - with_flags c++ -std=c++11 $strict -I. -c header.cc -o header.o
fi
"$r" --version | grep -q 'no LLVM' || {
    check object 0 - "$r" adapt.yaml --no-warnings --weights random:1 -o adapt.o
    check 'build with the object' 0 - with_libs cc -std=c11 -O1 -I. "$SOURCE/tests/cli/adapt.c" adapt.o -o in-llvm
    agree in-llvm
}

# The trajectory says the same losses, rounded to what a float has.
checks=$((checks + 1))
tr -d ' \n' <t.json | sed 's/.*"loss":\[\([^]]*\)\].*/\1/' | tr , '\n' | paste - "$first.said" |
    awk '{ d = $1 - $3; if (d < 0) d = -d; if (d > 1e-6 * $3) bad++ } END { exit bad || NR != 4 }' || fail 'other losses than the trajectory says'

# Rotations from a file stay as they are in every step, the product's as the command's.
values=$(seq 1 32 | awk '{ printf "%s%.4f", (NR > 1 ? "," : ""), sin(7 * $1) }')
"$FORGE" make rotations.st "layers.1.rotations:F32:2,8,1,2=$values"
drawn=$first
first=
check 'translate with rotations' 0 - "$r" adapt.yaml --no-warnings --weights random:1 --rotations rotations.st -o adapt.c
mv first.weights drawn.weights
cp adapt.weights first.weights
check 'train with rotations' 0 '4 steps in' $trainer train adapt.yaml --no-warnings --target x86-64 --weights random:1 --rotations rotations.st --batches batches.st --out stays
check 'what was learnt with rotations' 0 - "$r" stays/last --no-warnings --set train.dtype=$dtype --rotations rotations.st --set compile.sequence_length=16 --set compile.batch_size=2 --set train.steps=4 -o want.c --target x86-64
check 'build with rotations' 0 - with_libs cc -std=c11 -O0 -I. "$SOURCE/tests/cli/adapt.c" adapt.c -o in-stays
agree in-stays
mv drawn.weights first.weights
first=$drawn
check 'rotations without weights' 1 'rotations: error: this product learns with the rotations of its weights file' "$r" adapt.yaml --no-warnings --rotations rotations.st -o none.c
absent none.c

# What is wrong is told, and nothing is written.
cp first.weights bad.weights
printf 'x' | dd of=bad.weights bs=1 seek=5000 conv=notrunc 2>/dev/null
check 'damaged weights' 1 'checksum differs' "./$first" bad.weights bad.state text 1
absent bad.state
finish
