#!/bin/sh
# What LLVM writes for products: model.o, .s, .ll and .so in the place of model.c, with the same header. Logits
# are those of the C file, to the bit, here and (where a cross compiler and an emulator are installed) on aarch64.
. "$(dirname "$0")/lib.sh"
SHOW_ROW=${5:?show_row}
r=$REFORMERC
ids='3 1 4 15 9 26 5 35 8 9 7 9 3 2 3 8 46 2 6 43 38 3 27 9 50 28 8 41 9 7'
# A small model of both kinds of layers: what is tested is each kind of file, at every level of the CPU.
translate() { "$r" "$CASES/l_decode_alt_2hash_prompt37" --set compile.sequence_length=64 "$@"; }
small_spec >small.yaml
small() { "$r" small.yaml --weights random:1 "$@"; } # for what fails when the code is made
sed 's/VOCAB = 258/VOCAB = 64/' "$SOURCE/tests/cli/product.c" >main.c
grep -q 'VOCAB = 64' main.c || exit 1
all=x86-64,x86-64-v3,x86-64-v4

same() {
    checks=$((checks + 1))
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

if "$r" --version | grep -q 'no LLVM'; then
    for suffix in ll s o so; do
        check ".$suffix" 1 'needs the LLVM back end' translate -o x.$suffix
        grep -q 'llvm-19-dev' .err || fail 'it does not say what to install'
    done
    absent x.ll x.s x.o x.so x.h x.weights
    finish
fi

# What runs is the best level; C of it alone says what must come out, compiled without optimisation as on aarch64: it is
# what others are compared with.
mkdir best
check 'translate for this CPU' 0 - translate -o best/product.c --target native
check build-c 0 - with_libs cc -O0 -Ibest main.c best/product.c -o from-c -Wl,-Map=linked
check run-c 0 - ./from-c best/product.weights $ids
cp .out want
check translate 0 - translate -o product.c --target $all
cp product.h c.h
cp product.weights c.weights
rm product.h product.weights

for suffix in o s; do
    check ".$suffix" 0 - translate -o product.$suffix --target $all
    present product.h product.weights
    same product.h c.h
    same product.weights c.weights
    check "build .$suffix" 0 - with_libs cc -O2 -I. main.c product.$suffix -o from-$suffix
    check "run .$suffix" 0 - ./from-$suffix product.weights $ids
    same .out want
done

# Layers that hash differently: the description has lists of them.
own='--target native --weights random:1 --set attn_layers=[lsh,lsh] --set extensions.layers.1.num_hashes=1'
mkdir own
# Options are words. shellcheck disable=SC2086
check 'layers of their own' 0 - translate -o own/product.o $own
check 'build them' 0 - with_libs cc -O2 -Iown main.c own/product.o -o from-own
check 'run them' 0 - ./from-own own/product.weights $ids
cp .out own.out
"$FORGE" make in.st "input_ids:I32:1,30=$(echo $ids | tr ' ' ,)"
check 'what run gives' 0 '' "$r" run "$CASES/l_decode_alt_2hash_prompt37" --set compile.sequence_length=64 $own \
    --input in.st --output own.st
"$SHOW_ROW" own.st >own.want
same own.out own.want

for target in x86-64 x86-64-v3 x86-64-v4; do
    check "$target" 0 - translate -o product.o --target $target
    cp product.o $target.o
    check "build $target" 0 - with_libs cc -O2 -I. main.c product.o -o one
    ./one product.weights $ids >.out 2>.err
    code=$?
    checks=$((checks + 1)) # a CPU without the target gets an error code, never SIGILL
    if [ $code -ne 0 ] && ! { [ $code -eq 1 ] && grep -q 'bind: .*CPU' .err; }; then fail "exit $code"; fi
done

# A library needs neither the runtime's library nor flags.
check .so 0 - translate -o product.so --target $all
check build-so 0 - cc -O2 -I. -I"$SOURCE/runtime" main.c ./product.so -o from-so
check run-so 0 - ./from-so product.weights $ids
same .out want
exported=$(nm -D --defined-only product.so | awk '{ print $3 }' | sort | tr '\n' ' ')
name=exported
checks=$((checks + 1))
want='bind cache_bytes cache_check cache_copy_row cache_init cache_tokens check_weights decode_bytes explain forward prefill step strerror target version workspace_bytes'
[ "$exported" = "$(printf 'product_%s ' $want)" ] ||
    fail "the library exports $exported"
check so-cc 1 'cannot run the C compiler' small -o other.so --cc no-such-compiler
check so-linker-fails 1 'failed' small -o other.so --cc 'cc -no-such-flag'
check so-arm 1 'needs a runtime' translate -o other.so --target aarch64
absent other.so other.h other.weights

# The text is LLVM's, and its own tools read it.
check .ll 0 - translate -o product.ll --target x86-64
name=text
grep -q '^define void @product\|^define .* @product_forward(' product.ll || fail 'no product_forward in product.ll'
if grep -Eq '(fast|contract|reassoc|nnan|ninf|arcp|afn) ' product.ll; then fail 'relaxed arithmetic in product.ll'; fi

# Again, byte for byte.
mkdir -p again
check again 0 - translate -o again/product.o --target x86-64
same again/product.o x86-64.o
check missing-folder 1 'cannot create' small -o nowhere/product.o
check full-disk 1 '' small -o /dev/full/product.o
tidy . again

# Another architecture: objects by triple and features, linked and run by its own tools.
check arm 0 - translate -o product.o --target aarch64
check arm-c 0 - translate -o product.c --target aarch64
cross=aarch64-linux-gnu-gcc
if command -v $cross >/dev/null && command -v qemu-aarch64 >/dev/null; then
    # Of the runtime what the products above took; the compiler only reads the rest of it.
    mkdir -p arm
    parts='' rest=''
    for file in "$SOURCE"/runtime/*.c; do
        part=$(basename "$file" .c)
        if grep -q "[(]$part\.c\.o)" linked; then parts="$parts ../runtime/$part.c"; else rest="$rest runtime/$part.c"; fi
    done
    ln -s "$SOURCE/runtime" runtime
    # They are words. shellcheck disable=SC2086
    check 'arm, the runtime' 0 - in_folder arm $cross -O0 -std=c11 -c $parts
    # shellcheck disable=SC2086
    check 'arm, the rest of it' 0 - $cross -std=c11 -fsyntax-only $rest
    present arm/forward.o
    for kind in o c; do
        check "arm-build-$kind" 0 - $cross -O0 -static -I. -I"$SOURCE/runtime" main.c \
            product.$kind arm/*.o -o arm-$kind
        check "arm-run-$kind" 0 - qemu-aarch64 ./arm-$kind product.weights $ids
        cp .out arm-$kind.out
    done
    same arm-o.out arm-c.out

    # bfloat16, with its instructions and without: one another's bits. A CPU that lacks them says so.
    for target in aarch64 aarch64+bf16; do
        mkdir -p "$target"
        for kind in o c; do
            check "$target" 0 - translate -o "$target/product.$kind" --target $target --set compile.dtype=bfloat16
            check "$target-build-$kind" 0 - $cross -O0 -static "-I$target" -I"$SOURCE/runtime" main.c \
                "$target/product.$kind" arm/*.o -o "$target/$kind"
            check "$target-run-$kind" 0 - qemu-aarch64 "$target/$kind" "$target/product.weights" $ids
            cp .out "$target/$kind.out"
        done
        same "$target/o.out" "$target/c.out"
    done
    same aarch64/c.out aarch64+bf16/c.out
    checks=$((checks + 1))
    cmp -s arm-c.out aarch64/c.out && fail 'bfloat16 gives what float32 does'
    grep -q 'bfmlalt' aarch64+bf16/product.c || fail 'no instruction for products of bfloat16'
    check arm-lacks-it 1 'bind: .*CPU' qemu-aarch64 -cpu cortex-a72 aarch64+bf16/c aarch64+bf16/product.weights $ids
else
    echo 'SKIPPED running aarch64 code: needs gcc-aarch64-linux-gnu and qemu-user'
fi
finish
