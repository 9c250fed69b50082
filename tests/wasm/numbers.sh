#!/bin/sh
# WebAssembly, run by node: C of target wasm32, and LLVM's object, compute what the interpreter of loops does, to the bit;
# what cannot be is refused.
. "$(dirname "$0")/../cli/lib.sh"
. "$SOURCE/tests/wasm/lib_wasm.sh"
r=$REFORMERC

# ---- what is refused, and needs no tools
cat >model.yaml <<'END'
architectures: [ReformerModelWithLMHead]
attn_layers: [local, lsh]
is_decoder: true
hidden_size: 24
num_attention_heads: 2
attention_head_size: 12
feed_forward_size: 40
hidden_act: gelu
vocab_size: 258
axial_pos_embds_dim: [8, 16]
axial_pos_shape: [8, 8]
max_position_embeddings: 64
local_attn_chunk_length: 8
lsh_attn_chunk_length: 8
num_hashes: 2
num_buckets: 8
hash_seed: 5
hidden_dropout_prob: 0.1
lsh_attention_probs_dropout_prob: 0.1
local_attention_probs_dropout_prob: 0.1
compile: {sequence_length: 48, text: bytes}
END
model="model.yaml --weights random:1 --no-warnings"
learns='--set train.memory=reversible --set train.steps=3 --set train.optimizer.type=adamw --set train.max_grad_norm=1'
ids=$(seq -s, 3 43)
"$FORGE" make in.st "input_ids:I32:1,41=$ids" "labels:I32:1,41=$ids"
check 'a library' 1 'a library for wasm32' "$r" $model -o x.so --target wasm32
check 'a module' 1 'runtime/web/build.sh' "$r" $model -o x.wasm --target wasm32
check run 1 'this CPU runs none of the targets' "$r" run $model --input in.st --output o.st --target wasm32
check generate 1 'this CPU runs none of the targets' "$r" generate $model -p a -n 1 --target wasm32 --backend c
check mixed 1 'and wasm32 do not fit into one C file' "$r" $model -o x.c --target native,wasm32
check 'mixed in a spec' 1 'x86-64 and wasm32 do not fit into one artefact' \
    "$r" $model -o x.c --set 'compile.targets=[x86-64,wasm32]'
check 'more than 4 GiB' 1 'wasm32 has addresses of 32 bits' "$r" model.yaml -o x.c --target wasm32 \
    --set max_position_embeddings=4194304 --set 'axial_pos_shape=[2048,2048]' --set compile.sequence_length=4194304 \
    --set hidden_size=4096 --set 'axial_pos_embds_dim=[2048,2048]' --no-warnings
check 'explain' 0 '' "$r" explain model.yaml --no-warnings --target wasm32
check 'weights inside of C' 1 'for wasm32 is for .o alone' "$r" $model -o x.c --target wasm32 --embed-weights
absent x.so x.wasm x.c x.h x.weights o.st

needs clang clang wasm-ld lld node nodejs

# ---- numbers
check translate 0 - "$r" $model $learns -o model.c --target wasm32
check 'another machine' 1 'translated for wasm32' with_flags cc -c model.c -o model.o
check 'relaxed SIMD' 1 'mrelaxed-simd' clang --target=wasm32 -D__wasm_relaxed_simd__ -isystem "$web/libc" \
    -I"$SOURCE/runtime" -c model.c -o model.o
check runtime 0 - runtime_objects
check build 0 - module numbers.wasm "$SOURCE/tests/wasm/numbers.c" model.c
interpreted="$r run $model --target wasm32 --backend interpreter --input in.st"
check 'the interpreter' 0 '' $interpreted --output out.st
check 'its gradients' 0 '' $interpreted --gradients g.st --seed 3
"$FORGE" make batches.st "input_ids:I32:3,1,41=$ids,$ids,$ids" "labels:I32:3,1,41=$ids,$ids,$ids"
check 'its steps' 0 '' "$r" train $model $learns --target wasm32 --backend interpreter --batches batches.st \
    --trajectory steps.json --out trained
check numbers 0 - node "$SOURCE/tests/wasm/numbers.mjs" numbers.wasm model.weights in.st out.st g.st steps.json
says '^10578 logits, [0-9]+ gradients, 3 steps$'
check 'another seed' 0 '' $interpreted --gradients other.st --seed 4
check 'has others' 1 'is .*, not' node "$SOURCE/tests/wasm/numbers.mjs" numbers.wasm model.weights in.st out.st other.st steps.json

# ---- the same through LLVM
if ! "$r" --version | grep -q 'no LLVM'; then
    cp model.h c.h
    check 'an object' 0 - "$r" $model $learns -o model.o --target wasm32
    same 'the same header' model.h c.h
    check 'link it' 0 - module llvm.wasm "$SOURCE/tests/wasm/numbers.c" model.o
    check 'its numbers' 0 - node "$SOURCE/tests/wasm/numbers.mjs" llvm.wasm model.weights in.st out.st g.st steps.json
    says '^10578 logits, [0-9]+ gradients, 3 steps$'
fi

# ---- writing, with what a page calls
"$FORGE" make prompt.st "input_ids:I32:1,5=84,81,79,71,81"
check folder 0 '' "$web/build.sh" model.yaml site --weights random:1 --no-warnings
for file in index.html worker.js reformer.js model.wasm model.weights; do present site/$file; done
check 'the interpreter writes' 0 '' "$r" generate $model --target wasm32 --backend interpreter --input prompt.st \
    --output written.st -n 40
check writing 0 - node "$SOURCE/tests/wasm/writer.mjs" site prompt.st written.st
says '^40 tokens and their logits$'

# ---- wrong use of the script
check usage 2 'build.sh MODEL OUT' "$web/build.sh" model.yaml
check 'no weights' 1 'has no weights' "$web/build.sh" model.yaml none
check 'no text' 1 'no causal language model' "$web/build.sh" model.yaml none --weights random:1 --no-warnings \
    --set 'architectures=[ReformerModel]'
check 'no model' 1 'there is no such file' "$web/build.sh" nothing.yaml none
check 'no compiler' 1 'no such-compiler' env CLANG=such-compiler "$web/build.sh" model.yaml none
check 'no folder' 1 'no folder' "$web/build.sh" model.yaml in.st
absent none
finish
