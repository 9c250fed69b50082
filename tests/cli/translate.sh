#!/bin/sh
# Translation: which files appear, under which names, and that a failure leaves none of them.
. "$(dirname "$0")/lib.sh"
model=$CASES/a_clm_lsh_1hash
r=$REFORMERC
set_length='--set compile.sequence_length=64'

check checkpoint 0 - "$r" "$model" -o model.c
present model.c model.h model.weights
check no-weights 0 - "$r" "$model/config.json" -o alone.c
present alone.c alone.h
absent alone.weights
check random-weights 0 - "$r" "$model/config.json" --weights random:7 -o seven.c
present seven.weights
check stdin 0 - sh -c "\"$r\" - -o fromstdin.c <\"$model/config.json\""
present fromstdin.c
mkdir sub
check slash 0 - "$r" "$model/" -o slash.c
grep -q 'model of a_clm_lsh_1hash as C' slash.c || fail 'the folder has no name in the opening'
check folder 0 - "$r" "$model" -o sub/inner.c
present sub/inner.c sub/inner.h sub/inner.weights
grep -q '"inner.h"' sub/inner.c || fail 'the source includes its header by another name'

# Same input, same bytes.
check again 0 - "$r" "$model" -o sub/model.c
cmp -s model.c sub/model.c || fail 'model.c is not reproducible'
cmp -s model.h sub/model.h || fail 'model.h is not reproducible'
cmp -s model.weights sub/model.weights || fail 'model.weights is not reproducible'
if grep -n "$WORK" model.c model.h; then fail 'a path of this machine is in the output'; fi

# Nobody named a CPU or a length: every level of this machine's architecture, and any length. A .rir file
# holds one module.
case $(uname -m) in
x86_64) levels='x86-64-v4, x86-64-v3, x86-64' ;;
aarch64) levels=aarch64 ;;
esac
name=default-levels
grep -q "^ \* lengths: .*any up to .* targets: $levels\( \*/\)*$" alone.c || fail "the default translation is not for $levels"
check default-is-dynamic 0 - "$r" "$model/config.json" -o sub/alone.c --set compile.sequence_length=dynamic \
    --target "$(echo "$levels" | tr -d ' ')"
cmp -s alone.c sub/alone.c || fail 'the default is not `dynamic` for every level'
# A number type adds the targets with instructions for it, best first, and "native" is one of them where this CPU has it.
brain='--set compile.dtype=bfloat16'
check bfloat16-levels 0 - "$r" "$model/config.json" -o brain.c $brain $set_length
case $(uname -m) in x86_64) brains="x86-64-v4+bf16, $levels" ;; *) brains=$levels ;; esac
grep -q "^ \* lengths: .* targets: $brains\( \*/\)*$" brain.c || fail "a translation of bfloat16 is not for $brains"
check bfloat16-native 0 - "$r" "$model/config.json" -o native.c $brain $set_length --target native
if grep -q avx512_bf16 /proc/cpuinfo; then
    grep -q "^ \* lengths: .* targets: x86-64-v4+bf16\( \*/\)*$" native.c || fail 'native of bfloat16 does without its instructions'
else
    echo 'SKIPPED what is native of bfloat16: this CPU has no AVX512-BF16'
fi
check rir-has-one 0 - "$r" "$model/config.json" -o default.rir
present default.rir

# The prefix.
prefix() { # OUT PREFIX
    check "prefix of $1" 0 - "$r" "$model/config.json" -o "$1" $set_length
    grep -q "\b$2_forward(" "${1%.c}.h" || fail "the prefix is not $2"
}
prefix 'a b-c.c' a_b_c
prefix 524k.c m_524k
prefix int.c m_int
prefix class.c m_class
prefix size.c m_size
prefix mode.c m_mode
prefix uint8.c m_uint8
prefix reformer.c m_reformer
prefix _.c model
check compile-name 0 - "$r" "$model/config.json" -o named.c $set_length --set compile.name=shakespeare
grep -q 'shakespeare_forward(' named.h || fail 'compile.name is not the prefix'
check bad-name 1 'compile.name' "$r" "$model/config.json" -o named.c --set 'compile.name="a; int b"'
check keyword-name 1 'compile.name' "$r" "$model/config.json" -o named.c --set compile.name=while
check runtime-name 1 'clashes' "$r" "$model/config.json" -o named.c --set compile.name=reformer
check runtime-header 1 "runtime's own" "$r" "$model/config.json" -o reformer_rt.c $set_length
absent reformer_rt.h

# stdout
check stdout 0 - "$r" "$model/config.json" -o - $set_length
says 'config_forward'
check stdout-folder 0 - "$r" "$model" -o - $set_length
says 'a_clm_lsh_1hash_forward'
check stdout-weights 1 'no place for a weights file' "$r" "$model/config.json" --weights random -o -

# Suffixes.
check suffix-unknown 1 'the suffix decides' "$r" "$model" -o x.cpp
check suffix-none 1 'the suffix decides' "$r" "$model" -o x
absent x.cpp x

# Loop IR out, in, and again.
check rir 0 - "$r" "$model/config.json" -o one.rir $set_length
present one.rir
check rir-verify 0 - "$r" one.rir
check rir-round 0 - "$r" one.rir -o two.rir
check rir-round-again 0 - "$r" two.rir -o three.rir
cmp -s two.rir three.rir || fail 'a printed module does not print alike'
check rir-of-all-parts 0 - "$r" "$SOURCE/specs/tiny-shakespeare.yaml" --no-warnings -o all.rir
present all.rir all.step.rir all.train.rir all.update.rir
check rir-to-c 1 'code needs the spec' "$r" one.rir -o x.c
check rir-several 1 'holds one module' "$r" "$model/config.json" -o x.rir --set 'compile.sequence_length=[32,64]'
printf 'module broken (\n' >bad.rir
check rir-broken 1 '^bad.rir:1:[0-9]+: error' "$r" bad.rir
: >empty.rir
check rir-empty 1 'empty.rir' "$r" empty.rir
check rir-missing 1 'cannot open' "$r" nothing.rir
absent x.c x.rir

# Budgets.
check budget-kept 0 - "$r" "$model/config.json" -o b.c $set_length --set 'expect.workspace="<= 64 MiB"'
check budget-workspace 1 'workspace is [0-9]+ bytes .* the budget is 1024$' "$r" "$model/config.json" -o c.c $set_length \
    --set 'expect.workspace="<= 1 KiB"'
check budget-flops 1 'a token takes [0-9]+ flops .* the budget is 10$' "$r" "$model/config.json" -o c.c $set_length \
    --set 'expect.flops_per_token="<= 10"'
absent c.c c.h

# Whole or not at all.
check missing-model 1 'nowhere.yaml: error' "$r" nowhere.yaml -o y.c
check bad-spec 1 'error' "$r" "$model" -o y.c --set hidden_size=33
check missing-weights 1 'nowhere.safetensors' "$r" "$model/config.json" --weights nowhere.safetensors -o y.c
"$FORGE" cut "$model/model.safetensors" cut.safetensors 100
check bad-weights 1 'cut.safetensors' "$r" "$model/config.json" --weights cut.safetensors -o y.c
check bad-buckets 1 'nowhere' "$r" "$model/config.json" --buckets nowhere -o y.c
absent y.c y.h y.weights
check no-folder 1 'cannot create' "$r" "$model" -o nowhere/y.c
mkdir y.h
check header-is-folder 1 'y.h' "$r" "$model" -o y.c
absent y.c y.weights
rmdir y.h
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked
    chmod 500 locked
    check locked-folder 1 'cannot create' "$r" "$model" -o locked/y.c
fi
if [ -e /dev/full ]; then
    check full-stdout 1 'cannot write' sh -c "\"$r\" \"$model/config.json\" -o - $set_length >/dev/full"
fi
tidy . sub
finish
