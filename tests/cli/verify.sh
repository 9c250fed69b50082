#!/bin/sh
# verify: what it refuses, what it prints when all agree, and whom it blames when a compiler gets the code wrong.
. "$(dirname "$0")/lib.sh"
model=$CASES/b_clm_alt_4hash_factorised # layers local, lsh, local, lsh; relu; up to 64 tokens
v() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$REFORMERC" verify "$@"
}
nothing() { # stdout of the last check is empty
    checks=$((checks + 1))
    if [ -s "$WORK/.out" ]; then fail 'stdout is not empty'; fi
}
small='--set compile.sequence_length=24'
# C, which a compiler takes a second for, is of few of these: recorded inputs, bfloat16, and compilers that are wrong.
uncompiled=reference,interpreter
"$REFORMERC" --version | grep -q 'no LLVM' || uncompiled=$uncompiled,jit

# What cannot be compared.
v no-model 2 'missing MODEL'
v unknown-option 2 "unknown option '--output'" "$model" --output x
v backends-typo 1 "did you mean 'reference'" "$model" --backends refrence,c
v backends-empty 1 '--backends: an empty argument' "$model" --backends ''
v backends-one 1 "'c' is one back end: there is nothing to compare" "$model" --backends c
v backends-same 1 "'c,c' is one back end" "$model" --backends c,c
nothing
v too-many-compilers 1 'more than 4 compilers' "$model" --cc a --cc b --cc c --cc d --cc e
v compiler-missing 1 'no-such-compiler' "$model" $small --backends reference,c --cc no-such-compiler
nothing
v no-weights 1 'has no weights' "$model/config.json" --backends reference,interpreter
v missing-model 1 'nowhere' nowhere
v missing-input 1 'nowhere.st' "$model" --input nowhere.st
v missing-weights 1 'nowhere.st' "$model" --weights nowhere.st
v missing-rotations 1 'nowhere.st' "$model" --rotations nowhere.st --backends reference,interpreter
v missing-buckets 1 'nowhere.st' "$model" --buckets nowhere.st
v seed-of-input 1 "^--input: error: 'random:x': after 'random:' a whole number" "$model" --input random:x
v seed-of-input-empty 1 "^--input: error: 'random:'" "$model" --input random:
v seed-of-input-large 1 "^--input: error" "$model" --input random:18446744073709551616
v threads 1 '^--threads: error' "$model" --threads 0
v target-typo 1 "did you mean 'x86-64-v3'" "$model" --target x86-64-v33
"$FORGE" make bad.st input_ids:I32:1,4=1,2,3,64
v wrong-id 1 'bad.st: error: input_ids\[0\]\[3\] = 64: vocab_size is 64' "$model" --input bad.st
"$FORGE" make long.st 'input_ids:I32:1,65=1*'
v too-long 1 'long.st: error: input_ids: 65 tokens per row; the longest this model takes is 64' "$model" --input long.st
nothing
if [ -e /dev/full ]; then
    name=full-output checks=$((checks + 1))
    "$REFORMERC" verify "$model" $small --backends reference,interpreter >/dev/full 2>.err </dev/null
    [ $? -eq 1 ] && grep -q 'stdout: error: cannot write' .err || fail 'a full disk is not reported'
fi

# All agree: recorded inputs with labels, random ones, other targets, masks, several rows, imposed buckets.
v recorded 0 '1 row of 64 tokens; target' "$model" --input "$model/inputs.safetensors"
says '^tensor +magnitude +interpreter +'
says '^layers.1.buckets +31 +equal +equal'
says '^layers.3.y2 +[0-9.]+ +[0-9.]+e-0[78] +'
says '^untraced logits +equal +equal'
says '^untraced token_losses +equal +equal'
says '^agree: 29 tensors of reference, interpreter.*, all but the reference to the bit; nearest to its tolerance: '
v random 0 '1 row of 24 random tokens' "$model" $small --backends reference,interpreter
says '^agree: 29 tensors of reference and interpreter; nearest'
cp .out first
v random-0 0 '' "$model" $small --backends reference,interpreter --input random:0
cmp -s .out first || fail 'the seed of random is not 0'
v random-1 0 '' "$model" $small --backends reference,interpreter --input random:1
if cmp -s .out first; then fail 'another seed gives the same tokens'; fi
v dynamic 0 '1 row of 64 random' "$model" --set compile.sequence_length=dynamic --backends $uncompiled
says '^agree: '
v rows 0 '3 rows of 24 random' "$model" $small --set compile.batch_size=3 --backends reference,interpreter
says '^agree: '
v masked 0 '' "$CASES/c_mlm_alt_attention_mask" --backends $uncompiled --input "$CASES/c_mlm_alt_attention_mask/inputs.safetensors"
says '^agree: '
for case in f_cls_3labels_train g_qa_train p_base_model_local_only; do
    v "random $case" 0 'random tokens' "$CASES/$case" --backends $uncompiled
    says '^agree: '
done
v random-weights 0 '' "$model/config.json" $small --weights random:3 --backends reference,interpreter
says '^agree: '
case $(uname -m) in
x86_64 | amd64)
    v foreign-target 0 'target aarch64' "$model" $small --target aarch64 --backends reference,interpreter
    says '^agree: '
    v foreign-target-compiled 1 'runs none of the targets' "$model" $small --target aarch64 --backends reference,c ;;
esac
"$REFORMERC" run "$model" --backend reference --dump-activations --input "$model/inputs.safetensors" --output dump.st
v imposed 0 '' "$model" --backends $uncompiled --buckets dump.st --input "$model/inputs.safetensors"
says '^agree: '
v 'large, two compilers of one back end' 0 '' "$model" --set max_position_embeddings=2048 --set axial_pos_shape='[32,64]' --weights random \
    --set compile.sequence_length=2048 --backends c --cc cc --cc 'cc -pipe'
says '^agree: .* tensors of c \(cc\) and c \(cc -pipe\), to the bit'

# A compiler that edits what it is given: an activation that is no activation, one that is a last bit off, and the
# latter only in code without traces.
cat >badcc <<'EOF'
#!/bin/sh
# badcc FAULT: cc with a fault.   far: relu does nothing; near: times 1 + 2^-23; untraced: so without traces
fault=$1
shift
for word; do
    case $word in *model.c) ;; *) continue ;; esac
    if [ "$fault" = untraced ] && grep -q 'reformer_trace(' "$word"; then continue; fi
    case $fault in
    far) edit='s/return max[0-9]*(splat[0-9]*(0\.0f), x);/return x;/' ;;
    *) edit='s/return \(max\([0-9]*\)(splat[0-9]*(0\.0f), x)\);/return \1 * splat\2(1.00000012f);/' ;;
    esac
    sed "$edit" "$word" >"$word.new"
    if cmp -s "$word" "$word.new"; then echo 'badcc: nothing to break' >&2; exit 1; fi
    mv "$word.new" "$word"
done
exec cc "$@"
EOF
chmod +x badcc

# bfloat16: each tensor against what the reference makes of the side's own before it.
half='--set compile.dtype=bfloat16'
v bfloat16 0 '1 row of 64 tokens; target' "$model" $half --input "$model/inputs.safetensors"
says '^layers.1.buckets +31 +equal'
says '^agree: 29 tensors of reference, interpreter.*, all but the reference to the bit; nearest to its tolerance: '
for case in c_mlm_alt_attention_mask f_cls_3labels_train g_qa_train q_clm_gate; do
    v "bfloat16 $case" 0 '' "$CASES/$case" $half --backends reference,interpreter --input "$CASES/$case/inputs.safetensors"
    says '^agree: '
done
# A conversion that truncates, and one that rounds halves up.
level=$(uname -m | sed 's/.*86.*\|amd64/x86-64/')
cat >cutcc <<'EOF'
#!/bin/sh
# cutcc HOW: cc whose bfloat16 are cut off, or rounded up in the middle
how=$1
shift
for word; do
    case $word in *model.c) ;; *) continue ;; esac
    case $how in
    cut) edit='s/b + 0x7fffU + ((b >> 16U) & 1U)/b/' ;;
    *) edit='s/0x7fffU + ((b >> 16U) & 1U)/0x8000U/' ;;
    esac
    sed "$edit" "$word" >"$word.new"
    if cmp -s "$word" "$word.new"; then echo 'cutcc: nothing to break' >&2; exit 1; fi
    mv "$word.new" "$word"
done
exec cc "$@"
EOF
chmod +x cutcc
v cut 1 '' "$model" $half --target "$level" --backends reference,c --cc "$PWD/cutcc cut"
says '^layers.0.attention .*!$'
says '^logits .*!$'
says '^first departure: layer 0 \(local\), layers\.0\.self_attention, back end c: '
v up 1 '' "$model" $half --target "$level" --backends interpreter,c --cc "$PWD/cutcc up"
# Buckets that are imposed have no margins: those of the layer before, all near-ties here, excuse none that differ.
hashes=$CASES/k_train_clm_lsh_1hash
"$FORGE" make ties.st "layers.0.rotations:F32:2,16,1,4=$(awk 'BEGIN { for (h = 0; h < 2; h++) for (d = 0; d < 16; d++)
    for (r = 0; r < 4; r++) printf "%s%.9g", n++ ? "," : "", (1 + (7 * d + 3 * h) % 11) / 8 + 1e-7 * ((5 * d + 3 * r + h) % 7) }')"
"$FORGE" make imposed.st "layers.1.buckets:I32:1,2,1,64=3*"
cat >offcc <<'EOF'
#!/bin/sh
# cc of code that makes another bucket of the last ones that are imposed
for word; do
    case $word in *model.c) ;; *) continue ;; esac
    grep -q '^REFORMER_KERNEL.*lsh_impose' "$word" || continue
    sed '/^REFORMER_KERNEL.*lsh_impose/,/^}/s/min_i32(clamped, [0-9]*)/min_i32(clamped, 2)/' "$word" >"$word.new"
    if cmp -s "$word" "$word.new"; then echo 'offcc: nothing to break' >&2; exit 1; fi
    mv "$word.new" "$word"
done
exec cc "$@"
EOF
chmod +x offcc
tied="$half --rotations ties.st --buckets imposed.st --input $hashes/inputs.safetensors --backends reference,c"
v imposed-halves 0 '' "$hashes" $tied
v imposed-fault 1 '' "$hashes" $tied --cc "$PWD/offcc"
says '^first departure: layer 1 \(lsh\), layers\.1\.buckets, back end c: '
input=$model/inputs.safetensors
v far 1 '' "$model" --input "$input" --backends reference,interpreter,c --cc "$PWD/badcc far"
says '^first departure: layer 0 \(local\), layers\.0\.feed_forward, back end c: .* of magnitude .* at \[0, [0-9]+, [0-9]+\]: '
says '^cause: back end c: the interpreter of the same loops says otherwise$'
says '^layers\.0\.feed_forward .*!$'
v far-among-good 1 '' "$model" --input "$input" --backends reference,interpreter,c --cc cc --cc "$PWD/badcc far"
says '^first departure: layer 0 \(local\), layers\.0\.feed_forward, back end c \(.*badcc far\): '
if grep -q 'departs.*back end c (cc)' .out; then fail 'it blames the good compiler'; fi
v near 1 '' "$model" --input "$input" --backends reference,interpreter,c --cc "$PWD/badcc near"
says '^first departure: layer 0 \(local\), layers\.0\.feed_forward, back end c: .*, interpreter has '
says '^~ allowed, but other bits than interpreter$'
v near-unknown 1 '' "$model" --input "$input" --backends c --cc cc --cc "$PWD/badcc near"
says '^first departure: layer 0 \(local\), layers\.0\.feed_forward, back end c \(.*badcc near\): '
says '^cause: the interpreter, left out, would tell lowering from back ends$'
v untraced 1 '' "$model" --input "$input" --backends reference,interpreter,c --cc "$PWD/badcc untraced"
says '^first departure: untraced last_hidden_state, back end c: .*, c with traces has '
says '^cause: back end c: '
tidy .
finish
