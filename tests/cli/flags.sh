#!/bin/sh
# What flags, hosts and neighbours may do to generated code: parts of -ffast-math are refused or change no bit of the
# logits, nor of the code for processors that this one may not be; a host's rounding mode and flushing of denormals change
# nothing; two models in one translation unit compute what each does alone.
#
# Flags are refused by what stands before the code: it is compiled by itself, under each of them. The code is compiled
# under all those at once that it takes, and what it computes compared.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
# What --cflags prints does not change.
cflags=$("$r" --cflags)
with_flags() { eval "\"\$@\" $cflags"; }
ids='3 1 4 15 9 26 5 35 8 9 7 9'
cat >tiny.yaml <<'SPEC'
architectures: [ReformerForMaskedLM]
vocab_size: 40
attn_layers: [lsh]
hidden_size: 16
num_attention_heads: 2
attention_head_size: 8
feed_forward_size: 24
axial_pos_shape: [4, 8]
axial_pos_embds_dim: [8, 8]
max_position_embeddings: 32
local_attn_chunk_length: 8
lsh_attn_chunk_length: 8
num_buckets: 4
initializer_range: 0.3
SPEC
sed 's/product/second/g; s/PRODUCT/SECOND/g' "$SOURCE/tests/cli/product.c" >second_main.c
check product 0 '' "$r" tiny.yaml --weights random:1 -o product.c --target x86-64-v3 --set compile.sequence_length=32
check second 0 '' "$r" tiny.yaml --weights random:2 -o second.c --target x86-64 --set num_hashes=2 --set compile.sequence_length=32

# A host that rounds upwards and flushes denormals, on the thread that calls and on those it starts.
cat >host.c <<'HOST'
__attribute__((constructor)) static void set_mode(void) {
#ifdef __x86_64__
    unsigned mode = 0xdfc0;
    __asm__ volatile("ldmxcsr %0" ::"m"(mode));
#elif defined(__aarch64__)
    unsigned long mode = 1UL << 24 | 1UL << 22;
    __asm__ volatile("msr fpcr, %0" ::"r"(mode));
#endif
}
HOST

logits() { # MODEL MAIN OBJECT OUT; with $with: more for the linker
    check "link $3 $with" 0 '' with_libs "$compiler" $with -I. "$2" "$3" -o "$3.program"
    check "run $3" 0 - "./$3.program" "$1.weights" $ids
    cp .out "$4"
}

# What refuses stands before the intrinsics' header, which takes a compiler most of its time.
guards() { sed '/^\/\* ---- /,$d; /^#include <immintrin.h>/d' "$1"; }
guards product.c >guard.c
with=
for target in x86-64-v4 aarch64; do
    check "other $target" 0 '' "$r" tiny.yaml -o other-$target.c --target $target \
        --set compile.sequence_length=32
done

for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    check "main $compiler" 0 - with_flags $compiler -I. -c "$SOURCE/tests/cli/product.c" -o main.o
    check "plain $compiler" 0 - with_flags $compiler -O1 -c product.c -o product-$compiler.o
    logits product main.o product-$compiler.o product-$compiler.txt
    if [ ! -e second.txt ]; then # the bits are the same
        check "plain second" 0 - with_flags $compiler -O0 -c second.c -o second.o
        logits second second_main.c second.o second.txt
    fi
    for with in -ffast-math host.c; do
        logits product "$SOURCE/tests/cli/product.c" product-$compiler.o host.txt
        same "$compiler, host with $with" host.txt product-$compiler.txt
    done
    with=

    # clang that does not optimise proves nothing: there the code takes all flags, and computes the same.
    for level in -O1 -O0; do
        taken=
        for flags in '-Ofast -fno-finite-math-only' -ffast-math -funsafe-math-optimizations -freciprocal-math \
            -ffinite-math-only '-fassociative-math -fno-signed-zeros -fno-trapping-math' -fno-signed-zeros \
            -fno-honor-nans -fno-honor-infinities -fapprox-func -ffp-model=fast -ffp-contract=fast -mfpmath=387 \
            -fsingle-precision-constant -mrecip=all -fdenormal-fp-math=preserve-sign \
            '-fno-trapping-math -fno-math-errno'; do
            name="$compiler $level $flags"
            checks=$((checks + 1))
            if with_flags $compiler $level $flags -c guard.c -o guard.o >.out 2>.err; then
                # with -fno-honor-nans it is -ffinite-math-only
                [ "$flags" = -fno-honor-infinities ] || taken="$taken $flags"
                case "$name" in
                *' -ffp-contract=fast' | *' -mrecip=all' | *' -fno-trapping-math -fno-math-errno' | 'clang -O0 '*) ;;
                'clang '*' -fapprox-func' | 'clang '*' -fdenormal-fp-math=preserve-sign') ;;
                'clang '*' -fsingle-precision-constant') ;;
                *) fail 'compiled' ;;
                esac
            elif ! grep -Eq 'compile (without|for)|unrecognized|unknown|not supported' .err; then
                fail 'refused for another reason'
            fi
        done
        # gcc that does not optimise neither contracts nor reorders anything
        [ "$compiler $level" = 'gcc -O0' ] && continue
        check "taken: $compiler $level$taken" 0 '' with_flags $compiler $level $taken -c product.c -o flags.o
        logits product main.o flags.o flags.txt
        same "$compiler $level$taken" flags.txt product-$compiler.txt
    done
    check "whole $compiler" 1 'compile without -ffast-math' with_flags $compiler -O1 -freciprocal-math -c product.c -o flags.o
    # What a linker optimises was compiled under flags of its own.
    name="lto $compiler"
    checks=$((checks + 1))
    if with_flags $compiler -O1 -flto -c product.c -o lto.o >.out 2>.err &&
        with_libs $compiler -O2 -flto -ffast-math -I. "$SOURCE/tests/cli/product.c" lto.o -o lto.program >.out 2>.err; then
        check "run lto $compiler" 0 - ./lto.program product.weights $ids
        same "lto $compiler" .out product-$compiler.txt
        if with_flags $compiler -O1 -flto -freciprocal-math -c guard.c -o lto.o >.out 2>.err; then
            printf 'int main(void) { return 0; }\n' >nothing.c
            check "lto refused, $compiler" 1 'compile without -ffast-math' with_flags $compiler -O1 -flto nothing.c lto.o -o lto.program
        fi
    else
        echo "no link-time optimisation of $compiler: $(head -n 1 .err)"
    fi

    for target in x86-64-v4 aarch64; do
        cross=$compiler
        case "$target $compiler $(uname -m)" in
        'aarch64 gcc x86_64' | 'x86-64-v4 '*' aarch64') continue ;;
        'aarch64 clang x86_64') cross='clang --target=aarch64-linux-gnu' ;;
        esac
        for flags in '' -ffp-contract=fast; do
            check "other $target, $cross $flags" 0 '' with_flags $cross -O1 $flags -S -o "other$flags.s" other-$target.c
        done
        same "code for $target, $compiler -ffp-contract=fast" other-ffp-contract=fast.s other.s
        guards other-$target.c >other-guard.c
        check "other $target, refused" 1 'compile without -ffast-math' with_flags $cross -O1 -freciprocal-math -S \
            -o other.s other-guard.c
    done

    printf '#define INLINE 7\n#include "product.c"\n#include "second.c"\nint after[INLINE == 7 ? 1 : -1];\n' >unity.c
    check "unity $compiler" 0 - with_flags $compiler -std=c11 -O0 -Wall -Wextra -Werror -Wconversion -c unity.c \
        -o unity-$compiler.o
    logits product main.o unity-$compiler.o unity.txt
    same "first of two, $compiler" unity.txt product-$compiler.txt
    logits second second_main.c unity-$compiler.o unity.txt
    same "second of two, $compiler" unity.txt second.txt
done

# The compiler and its flags may come from outside: by one of the two each, where there are two.
small_spec >small.yaml
one=gcc other=clang
command -v $one >/dev/null || one=$other
command -v $other >/dev/null || other=$one
check "--cc $one" 1 'compile without -ffast-math' "$r" verify small.yaml --weights random:1 --backends reference,c \
    --cc "$one -funsafe-math-optimizations"
check "CC=$other" 1 'compile without -ffast-math' env CC="$other -freciprocal-math" "$r" verify small.yaml \
    --weights random:1 --backends reference,c
finish
