#!/bin/sh
# A .graph file is a model of every command: what -o and --dump write is read back, edits by hand are computed by all back
# ends as the reference says, and what a graph cannot be asked is refused.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
r=$REFORMERC
few='--no-warnings --threads 1'
cat >tiny.yaml <<END
attn_layers: [local, lsh, local, lsh]
is_decoder: true
hidden_size: 16
num_attention_heads: 2
attention_head_size: 8
feed_forward_size: 20
vocab_size: 258
num_buckets: 4
num_hashes: 2
hash_seed: 1
axial_pos_shape: [8, 8]
axial_pos_embds_dim: [4, 12]
max_position_embeddings: 64
local_attn_chunk_length: 8
lsh_attn_chunk_length: 8
compile: {targets: [x86-64]}
END
fixed='--set compile.sequence_length=64'
printf 'some bytes of a text that is read in windows, and no more than that, but more than one of them\n' >text.txt

# ---- there and back
check 'a graph for any length' 0 - "$r" tiny.yaml $few -o any.graph
check 'is read and written' 0 - "$r" any.graph $few -o again.graph
same 'to the byte' any.graph again.graph
equal 'graphs of it' "$(grep -c '^graph batch=' any.graph)" 2
check 'of one length' 0 - "$r" tiny.yaml $few $fixed -o tiny.graph
check 'dumped' 0 '^graph batch=1 length=64 padded=64$' "$r" tiny.yaml $few $fixed --dump graph
cp .err dumped.graph
check 'what is dumped is read' 0 - "$r" dumped.graph $few -o again.graph
same 'as what is written' tiny.graph again.graph
check 'on stdin' 0 - sh -c '"$0" - $1 -o again.graph <tiny.graph' "$r" "$few"
same 'as in a file' tiny.graph again.graph

# What comments say of files and lines, and the digest of the file, is all that differs.
code() { grep -v -e '^ *//' -e '^ *\*' -e '^ */\*' -e '^ *[a-z].*\*/$' "$1" | sed '/^    [.]version = /s/ spec [0-9a-f]*//'; }
mkdir spec graph
check 'C of the spec' 0 - "$r" tiny.yaml $few --weights random -o spec/m.c
check 'C of the graph' 0 - "$r" any.graph $few --weights random -o graph/m.c
code spec/m.c >spec.txt
code graph/m.c >graph.txt
same 'code' spec.txt graph.txt
same 'weights' spec/m.weights graph/m.weights

# ---- edits by hand
ids=$(awk 'BEGIN { for (i = 0; i < 64; i++) printf "%s%d", i ? "," : "", i * 37 % 258 }')
"$FORGE" make in.st "input_ids:I32:1,64=$ids"
run() { # NAME OPTION…, of NAME.graph: outputs in NAME.st
    graph=$1
    shift
    check "$graph: run $*" 0 - "$r" run "$graph.graph" $few --weights random:3 --input in.st --output "$graph.st" "$@"
}
run tiny
edited() { # NAME BACKENDS, of NAME.graph: another model than tiny.graph, and one that these compute alike
    check "$1: $2" 0 '' "$r" verify "$1.graph" $few --weights random:3 --backends "$2"
    says '^agree: .* tensors of reference'
    run "$1" --backend interpreter
    check "$1: another model" 1 '' cmp "$1.st" tiny.st
}
edit() { # NAME EXPRESSION-OF-SED
    sed "$2" tiny.graph >"$1.graph"
    check "$1: edited" 1 '' cmp tiny.graph "$1.graph"
    edited "$1" reference,interpreter
}
# two activations, changed in one layer and swapped between two
edit act '/^layers.1.feed_forward_act/s/act=relu/act=gelu/'
sed -e '/^layers.1.feed_forward_act/s/act=gelu/act=relu/' -e '/^layers.2.feed_forward_act/s/act=relu/act=gelu/' act.graph >swapped.graph
edited swapped reference,interpreter
check 'swapped is not as before' 1 '' cmp swapped.st act.st
# a norm is dropped: what read it reads what it read
edit norm '/^encoder.layers.2.attention.layer_norm/d; /^layers.2.attention_norm =/d; s/layers.2.attention_norm,/layers.1.y2,/'
# layers with other chunks, look-back, and rounding of their own
edit chunk '/^layers.3.self_attention/s/chunk=8/chunk=16/'
edit before '/^layers.2.self_attention/s/before=1/before=2/'
edit eps '/^layers.0.feed_forward_norm/s/eps=1e-12/eps=0.01/'
# what is shown of a sum onto an operand of its attention, and of one beside operands
edit operand 's/^layers.2.y1 = add(layers.1.y1, /layers.2.y1 = add(layers.2.key, /'
edit beside 's/^layers.1.y2 = add(layers.0.y2, layers.1.feed_forward)/layers.1.y2 = add(layers.0.y2, layers.1.attention_norm)/; /layers\.1\.feed_forward/d'
# names of nodes become names in C, and all edits at once, on all back ends
edit names 's/layers\.0\.y1\([ ,)]\)/int\1/g; s/layers\.0\.y2\([ ,)]\)/main\1/g; s/layers\.1\.y1\([ ,)]\)/layers_1.y1\1/g;
            s/layers\.1\.query_key\([ ,)]\)/_\/\1/g; s/_\//__/g; s/layers\.1\.value\([ ,)]\)/f32x8\1/g;
            /^layers.3.feed_forward_act/s/act=relu/act=silu/'
sed -e '/^layers.1.feed_forward_act/s/act=relu/act=gelu/' \
    -e '/^encoder.layers.2.attention.layer_norm/d; /^layers.2.attention_norm =/d; s/layers.2.attention_norm,/layers.1.y2,/' \
    -e '/^layers.3.self_attention/s/chunk=8/chunk=16/' -e '/^layers.2.self_attention/s/before=1/before=2/' -e '/^layers.0.feed_forward_norm/s/eps=1e-12/eps=0.01/' names.graph >all.graph
jit=jit,
"$r" --version | grep -q 'no LLVM' && jit=
edited all reference,interpreter,${jit}c
run all --verify --backend c
mv all.st c.st
run all --backend interpreter
same 'run by C and by the interpreter' c.st all.st
check 'its loops' 0 - "$r" all.graph $few -o all.rir
check 'its loops are read' 0 - "$r" all.rir $few -o again.rir
sed 's/encoder.layers.0.feed_forward.dense.dense.bias/a.b/g; s/encoder.layers.1.feed_forward.dense.dense.bias/a_b/g;
     /^layers.3.feed_forward_act/s/act=relu/act=silu/' tiny.graph >weights.graph
edited weights reference,interpreter # under names that are one in C

check 'never over itself' 1 '' "$r" tiny.graph $few -o tiny.graph
# ---- what is wrong, at its place
wrong() { # NAME PATTERN EXPRESSION-OF-SED
    sed "$3" tiny.graph >wrong.graph
    check "wrong: $1" 1 "$2" "$r" wrong.graph $few -o wrong.c
    absent wrong.c wrong.h
}
wrong 'no such op' '^wrong.graph:[0-9]+:[0-9]+: error: there is no operation .dence' 's/= dense(/= dence(/'
wrong 'a width of zero' 'wrong.graph:[0-9]+:1: error: .*dimension 0 is not positive' 's/f32\[20\]/f32[0]/'
wrong 'use before it is made' 'layers.3.y1. is not made above' '/^layers.0.y2/s/embeddings/layers.3.y1/'
wrong 'made twice' "'layers.0.y1' is made twice" 's/^layers.1.y1 =/layers.0.y1 =/'
wrong 'read by nobody' 'nobody reads layers.0.feed_forward_norm' '/^layers.0.feed_forward_in/s/layers.0.feed_forward_norm/layers.0.y1/'
wrong 'a NUL' 'error:' 's/^loss =/\x00 =/'
wrong 'key of the nodes' 'the nodes of a graph say .hidden_size' '1s/^/hidden_size: 16\n/'
wrong 'an attribute too many' "expected ':'" '/^layers.0.y1/s/ : / eps=1 : /'
wrong 'a quote' 'expected' 's/^layers.0.y1 /layers.0."y1 /'
check 'wrong: two at once' 1 'wrong.graph:1:1: error: ' sh -c 'sed "1s/^/hiden: 1\n/; s/^loss =/lost =/" tiny.graph >wrong.graph; "$0" wrong.graph -o wrong.c' "$r"
check 'and the other' 1 'wrong.graph:[1-9][0-9]+:1: error: nobody reads lost' "$r" wrong.graph -o wrong.c
check 'settings of nodes' 1 '^--set num_hashes: error: the nodes of a graph say .num_hashes' "$r" tiny.graph --set num_hashes=4 -o wrong.c
check 'a length beyond' 1 'takes 64 tokens at most, 65 are too many' "$r" tiny.graph --set compile.sequence_length=65 -o wrong.c
check 'spec of a graph' 1 'is a graph, which has no spec' "$r" tiny.graph --dump spec
check 'no graph in it' 1 'the text holds no graph' sh -c 'echo "pad_token_id: 1" >none.graph; "$0" none.graph -o wrong.c' "$r"
printf 'graph batch=1 length=1 padded=1\n' >empty.graph
check 'nothing in it' 1 'has no last_hidden_state' "$r" empty.graph -o wrong.c

# ---- every command
check 'eval of the spec' 0 '' "$r" eval tiny.yaml $few $fixed --weights random:3 --text text.txt
grep -v tokens_per_second .out >spec.txt
check 'eval' 0 '' "$r" eval tiny.graph $few --weights random:3 --text text.txt
grep -v tokens_per_second .out >graph.txt
same 'as of the spec' spec.txt graph.txt
check 'eval of the spec for any length' 0 '' "$r" eval tiny.yaml $few --set compile.sequence_length=dynamic --weights random:3 --text text.txt
grep -v tokens_per_second .out >spec.txt
check 'eval of any length' 0 '' "$r" eval any.graph $few --weights random:3 --text text.txt
grep -v tokens_per_second .out >graph.txt
same 'as of the spec' spec.txt graph.txt
check 'more rows' 0 - "$r" tiny.graph $few --set compile.batch_size=3 -o rows.graph
equal 'rows' "$(grep -c 'batch=3 length=64' rows.graph)" 1
check 'eval of rows' 0 '' "$r" eval tiny.graph $few --set compile.batch_size=3 --weights random:3 --text text.txt
check 'score' 0 '' "$r" score tiny.yaml $few --weights random:3 --text text.txt --output spec.json
check 'score' 0 '' "$r" score any.graph $few --weights random:3 --text text.txt --output graph.json
equal 'score of the graph' "$(value graph.json bits_per_byte)" "$(value spec.json bits_per_byte)"
check 'generate of the spec' 0 '' "$r" generate tiny.yaml $few --weights random:3 --prompt 'some bytes' --tokens 30
cp .out spec.txt
check 'generate' 0 '' "$r" generate any.graph $few --weights random:3 --prompt 'some bytes' --tokens 30
same 'as of the spec' spec.txt .out
check 'generate without a cache' 0 '' "$r" generate all.graph $few --weights random:3 --prompt 'some bytes that fill more than a chunk or two' --tokens 9 --no-cache --backend reference
check 'generate rows by the reference' 0 '' "$r" generate all.graph $few --weights random:3 --prompt 'some bytes that fill more than a chunk or two' --prompt 'some more' --tokens 9 --backend reference
cp .out spec.txt
check 'generate rows' 0 '' "$r" generate all.graph $few --weights random:3 --prompt 'some bytes that fill more than a chunk or two' --prompt 'some more' --tokens 9
same 'by the JIT' spec.txt .out
sed '/^layers.0.self_attention/s/causal=1/causal=0/' tiny.graph >ahead.graph
check 'code of what looks ahead' 0 'ahead.graph:[0-9]+:1: warning: layers.0.self_attention is not causal.* does not generate' "$r" ahead.graph -o ahead.c
check 'which does not generate' 1 'does not go on token by token' "$r" generate ahead.graph --weights random --prompt a --tokens 2
check 'explain' 0 - "$r" explain chunk.graph $few --peak 1 --bandwidth 1
says 'LSH  *2 heads of 8, causal: chunks of 8, each with 1 before and 0 after: 16 keys per query'
says ' 2 heads of 8, causal: chunks of 16, each with 1 before and 0 after: 32 keys per query'
says 'layers  *4: local, LSH, local, LSH'
check 'bench' 0 '' "$r" bench tiny.graph $few --repeat 2
says '64'
check 'bench of a length' 0 '' "$r" bench any.graph $few --repeat 2 --lengths 40
check 'sweep' 0 '' "$r" sweep any.graph $few --weights random:3 --text text.txt --set compile.batch_size=1,2
says 'compile.batch_size'
check 'sweep of nodes' 1 'the nodes of a graph say .num_hashes' "$r" sweep any.graph $few --weights random:3 --text text.txt --set num_hashes=1,2
check 'bench of steps' 0 '' "$r" bench any.graph $few --repeat 2 --decode --tokens 2 --lengths 20
check 'tune' 0 '' "$r" tune tiny.graph $few --repeat 1 --tuning tuning.txt
finish
