#!/bin/sh
# Models that need nothing else: --standalone, --embed-weights and --selftest, by gcc and clang, in every kind of model; two
# of them in one program beside one that uses the library; static with musl; the same bytes wherever, whenever and in
# whatever language they are written. standalone.sh … long: more kinds of models.
. "$(dirname "$0")/lib.sh"
SHOW_ROW=${5:?show_row} TENSOR=${8:?tensor} form=${10:-short}
r=$REFORMERC
strict='-std=c11 -Wall -Wextra -Werror -Wconversion -Wshadow -Wpedantic'
compilers=
for compiler in gcc clang; do
    command -v $compiler >/dev/null && compilers="$compilers $compiler"
done
hashing_spec >small.yaml
more=cc # where one compiler says as much as the other
[ "$form" = long ] && more=$compilers
small="small.yaml --set compile.sequence_length=16"
ids='75 118 34 121 99 117 34 99 34 102'

# ---- one file, no other ----
mkdir alone
check translate 0 - "$r" $small --weights random:1 --target native --standalone --embed-weights --selftest -o alone/product.c
equal 'what is written' "$(ls alone | tr '\n' ' ')" 'product.c product.h product.weights '
"$FORGE" make in.st "input_ids:I32:1,10=$(echo $ids | tr ' ' ,)"
check run 0 '' "$r" run $small --weights random:1 --input in.st --output out.st
"$SHOW_ROW" out.st >want
for compiler in $compilers; do
    check "compile $compiler" 0 - $compiler $strict -O0 -Ialone -c alone/product.c -o $compiler.o
    check "link $compiler" 0 - $compiler -Ialone "$SOURCE/tests/cli/product.c" $compiler.o -o $compiler-product
    check "run $compiler" 0 - ./$compiler-product alone/product.weights $ids
    same "logits $compiler" want .out
    checks=$((checks + 1))
    name="symbols of $compiler.o"
    others=$(nm "$compiler.o" | awk '$2 ~ /[A-TV-Z]/ && $3 !~ /^product_/ { print $3 }')
    [ -z "$others" ] || fail "defines $others"
done
echo '#include "product.h"' >header.c
check 'header as C99' 0 - cc -std=c99 -Wall -Wextra -Wpedantic -Werror -Ialone -c header.c -o header.o
if command -v c++ >/dev/null; then
    cp header.c header.cc
    check 'header as C++' 0 - c++ -std=c++11 -Wall -Wextra -Wconversion -Werror -Ialone -c header.cc -o header.o
fi

# ---- weights inside, and a test that knows them ----
check 'compile the test' 0 - in_folder alone cc $strict -O1 -DPRODUCT_SELFTEST product.c -o test
check self-test 0 - alone/test
says '^logits: largest error .* of 64 values'
says '^target [a-z0-9+-]*, 1 thread: .* tokens/s$'
says '^ok$'
check 'self-test of a file, on threads' 0 - alone/test alone/product.weights 2
says '2 threads'
check pack 0 '' "$r" pack small.yaml --weights random:2 -o other.weights
check 'self-test of other weights' 1 - alone/test other.weights
says '^WRONG$'
grep '^logits' .out >others
overflow() { "$FORGE" poke "$1" "$1" reformer.embeddings.position_embeddings.weights.1 $2 7f7fffff; }
check unpack 0 '' "$r" pack small.yaml --weights random:1 -o huge.safetensors
overflow huge.safetensors 0 && overflow huge.safetensors 1
check 'pack what overflows' 0 '' "$r" pack small.yaml --weights huge.safetensors -o huge.weights
check 'self-test of what is no number' 1 - alone/test huge.weights
says '^logits: largest error NaN of 64 values, .* is -?nan, recorded -?[0-9.]*\)$'
says '^WRONG$'
check 'self-test of no weights' 1 'bind: not a weights file' alone/test alone/product.c
check 'self-test of no file' 1 'nothing: cannot be read' alone/test nothing
check 'no weights to be found' 1 'product.weights' cc -O0 -c alone/product.c -o nothing.o
# What needs the file of another tool: an assembler's own, here.
cat >weights.S <<'END'
        .section .rodata, "a"
        .balign 64
        .globl product_weights_begin, product_weights_end
product_weights_begin:
        .incbin "alone/product.weights"
product_weights_end:
        .section .note.GNU-stack, "", %progbits
END
check elsewhere 0 - cc -O0 -DPRODUCT_WEIGHTS_ELSEWHERE -DPRODUCT_SELFTEST alone/product.c weights.S -o elsewhere
check 'self-test of weights elsewhere' 0 - ./elsewhere
for compiler in $more; do # of weights in another folder, of which those inside say what they say in a file
    check "$compiler -flto" 0 '' $compiler -O0 -flto "-DPRODUCT_WEIGHTS_FILE=\"$PWD/other.weights\"" -DPRODUCT_SELFTEST alone/product.c -o lto
    check "self-test of $compiler -flto" 1 - ./lto
    says '^WRONG$'
    equal "logits of $compiler -flto" "$(grep '^logits' .out)" "$(cat others)"
done
if command -v musl-gcc >/dev/null; then
    check musl 0 - musl-gcc $strict -static -O0 -Ialone -DPRODUCT_SELFTEST alone/product.c -o musl
    check 'self-test of musl' 0 - ./musl
else
    echo 'no musl-gcc: static programs are not known to be right'
fi

# ---- weights in what LLVM writes ----
if ! "$r" --version | grep -q 'no LLVM'; then
    cat >embedded.c <<'END'
#include <stdio.h>
#include "embedded.h"
int main(void) {
    size_t bytes;
    const void *weights = embedded_embedded_weights(&bytes);
    embedded_t m = {0};
    int error = embedded_bind(&m, weights, bytes);
    if (!error) error = embedded_check_weights(&m);
    puts(embedded_strerror(error));
    return error || weights != embedded_embedded_weights(NULL);
}
END
    for kind in o s so; do
        mkdir $kind
        check "embed in .$kind" 0 - "$r" $small --weights random:1 --target native --embed-weights -o $kind/embedded.$kind
        libs=$("$r" --libs)
        [ $kind = so ] && libs="-Wl,-rpath,$PWD/so"
        check "link .$kind" 0 - cc $("$r" --cflags) -I$kind -Wa,-I$kind embedded.c $kind/embedded.$kind $libs -o embedded-$kind
        check "weights of .$kind" 0 - ./embedded-$kind
        says '^ok$'
    done
    absent o/embedded.weights so/embedded.weights
    present s/embedded.weights
    check 'embed in .ll' 0 - "$r" $small --weights random:1 --target native --embed-weights -o embedded.ll
    checks=$((checks + 1))
    grep -q '^module asm.*incbin .22embedded.weights' embedded.ll || fail 'the text does not name the file'
fi

# ---- several models in one program ----
mkdir three
set -- $small --target native
check first 0 - "$r" "$@" --weights random:1 --standalone -o three/first.c
check second 0 - "$r" "$@" --weights random:2 --set num_hashes=2 --standalone -o three/second.c
check third 0 - "$r" "$@" --weights random:3 -o three/third.c
cat >three/three.c <<'END'
#include "first.h"
#include "second.h"
#include "third.h"
#include <stdio.h>
#include <stdlib.h>
static void *load(const char *path, size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    FILE *f = fopen(path, "rb");
    if (!p || !f || fread(p, 1, bytes, f) != bytes) exit(1);
    fclose(f);
    return p;
}
#define RUN(n, N)                                                                                  \
    do {                                                                                           \
        static float x[4 * N##_VOCAB];                                                             \
        static const int32_t ids[4] = {75, 118, 34, 121};                                          \
        n##_t m = {0};                                                                             \
        size_t bytes = n##_workspace_bytes(4, 2);                                                  \
        void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);                               \
        n##_io_t io = {.size = sizeof io, .input_ids = ids, .batch = 1, .length = 4, .logits = x, .threads = 2}; \
        if (n##_bind(&m, load(#n ".weights", N##_WEIGHTS_BYTES), N##_WEIGHTS_BYTES)) exit(1);      \
        if (n##_forward(&m, &io, workspace, bytes)) exit(1);                                       \
        if (ONE == 0 || ONE == N##_NUMBER)                                                         \
            for (int i = 0; i < 4 * N##_VOCAB; i++) printf("%a\n", (double)x[i]);                  \
    } while (0)
enum { FIRST_NUMBER = 1, SECOND_NUMBER, THIRD_NUMBER };
int main(int argc, char **argv) {
    int64_t next = 0, at;
    int ONE = argc > 1 ? atoi(argv[1]) : 0;
    if (reformer_default_threads() < 1) return 2;
    RUN(first, FIRST);
    RUN(second, SECOND);
    RUN(third, THIRD);
    return reformer_take_tasks(&next, 1, 1, &at) != 1;
}
END
"$FORGE" make four.st "input_ids:I32:1,4=75,118,34,121"
run_one() { # NUMBER SEED ARGUMENTS…
    number=$1 seed=$2
    shift 2
    check "run model $number" 0 - "$r" run "$@" --weights random:$seed --input four.st --output four.out.st
    "$SHOW_ROW" four.out.st >row
    check "model $number" 0 - sh -c "cd three && ./program $number"
    tail -n 258 .out >got
    same "logits of model $number" row got
}
for compiler in $more; do
    check "three models, $compiler" 0 - in_folder three with_libs $compiler -O0 three.c first.c second.c third.c -o program
    run_one 1 1 "$@"
    run_one 2 2 "$@" --set num_hashes=2
    run_one 3 3 "$@"
done
for order in 'first.c second.c third.c three.c' 'third.c three.c second.c first.c'; do
    [ "$form" = short ] && [ "${order%%.*}" = first ] && continue
    (cd three && cat $order >one.c)
    check "one file of $order" 0 - in_folder three with_libs cc -O0 -Wall -Wextra -Werror -I. one.c -o program
    run_one 2 2 "$@" --set num_hashes=2
done

# ---- every kind of model ----
mkdir kinds
kind() { # NAME ARGUMENTS…
    model=$1
    shift
    check "$model" 0 '' "$r" $small --weights random:1 --standalone -o kinds/$model.c "$@"
    check "compile $model" 0 - cc $strict -O0 -c kinds/$model.c -o kinds/$model.o
    check "compile $model without threads" 0 - cc $strict -O0 -DREFORMER_SERIAL -c kinds/$model.c -o kinds/serial.o
    checks=$((checks + 1))
    name="what $model needs without threads"
    needs=$(nm -u kinds/serial.o | awk '{ print $2 }' | grep -vE '^(mem(cpy|set|move|cmp)|getenv|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail)$')
    [ -z "$needs" ] || fail "it needs $needs"
}
kind told --target native --instrument --dump-activations --set 'compile.sequence_length=[16,32]'
[ "$form" = long ] && kind learns --target x86-64-v3 --set train.optimizer.type=adafactor --set hash_seed=null
if [ "$form" = long ]; then
    "$r" run $small --weights random:1 --input four.st --dump-activations --output buckets.st 2>.err
    kind levels
    kind buckets --target native --buckets buckets.st
    kind base --target native --set 'architectures=[ReformerModel]' --set is_decoder=false
    kind qa --target native --set 'architectures=[ReformerForQuestionAnswering]' --set is_decoder=false --set train.memory=reversible
    kind classes --target native --set 'architectures=[ReformerForSequenceClassification]' --set is_decoder=false --selftest
    kind bf16 --target native --set compile.dtype=bfloat16 --selftest
    kind int8 --target native --set compile.dtype=int8 --selftest
    # text, from a file of its own
    mkdir text
    check 'translate a writer' 0 - "$r" "$CHECKPOINT" --target native --standalone -o text/writer.c
    grep -v '"reformer_generate.h"' "$SOURCE/tests/cli/writer.c" >text/main.c # it stands in writer.h
    check 'build a writer' 0 - cc -O1 -Itext text/main.c text/writer.c -o write
    "$TENSOR" text "$CHECKPOINT/decode.safetensors" input_ids >prompt
    "$TENSOR" text "$CHECKPOINT/decode.safetensors" tokens >text.want
    ./write text/writer.weights 256 <prompt >text.got || fail 'the writer ended with an error'
    same text text.want text.got
fi

# ---- the same bytes ----
output() { # FOLDER COMMAND…: what it writes there
    folder=$1
    shift
    mkdir -p "$folder"
    cp small.yaml "$folder/"
    (cd "$folder" && "$@" "$r" $small --weights random:1 --target native --standalone --embed-weights --selftest -o m.c &&
        "$@" "$r" $small --weights random:1 --target native -o m.rir) >"$WORK/.out" 2>"$WORK/.err" || fail "$folder: ended with an error"
}
name='the same bytes'
output here env
output 'a folder with blanks/deeper' env
mkdir locales
localedef -i tr_TR -f UTF-8 "$PWD/locales/tr_TR.UTF-8" >.out 2>&1 || echo 'no localedef: another language is not known to change nothing'
output turkish env LOCPATH="$PWD/locales" LC_ALL=tr_TR.UTF-8
output another-zone env TZ=Asia/Kolkata
if command -v faketime >/dev/null; then
    output then faketime '1999-12-31 23:59:59' env
    output later faketime '2031-07-01 12:00:00' env
else
    echo 'no faketime: another date is not known to change nothing'
    output then env
    output later env
fi
for folder in 'a folder with blanks/deeper' turkish another-zone then later; do
    for file in m.c m.h m.weights m.rir; do same "$folder/$file" "here/$file" "$folder/$file"; done
done

# ---- wrong ----
for option in --standalone --selftest; do
    check "$option of an object" 1 "$option: error: is for C" "$r" small.yaml --weights random:1 $option -o wrong.o
    check "$option of loops" 1 "$option: error: is for C" "$r" small.yaml --weights random:1 $option -o wrong.rir
done
check 'weights in loops' 1 'embed-weights: error: is for' "$r" small.yaml --weights random:1 --embed-weights -o wrong.rir
check 'no weights to embed' 1 'embed-weights: error: there are no weights' "$r" small.yaml --embed-weights -o wrong.c
check 'no weights to test' 1 'selftest: error: there are no weights' "$r" small.yaml --selftest -o wrong.c
absent wrong.c wrong.h wrong.o wrong.rir wrong.weights
finish
