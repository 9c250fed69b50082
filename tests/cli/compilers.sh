#!/bin/sh
# Generated code as compilers see it: headers in every standard of C and C++, model.c with every warning that we know of; its
# example; a host whose floating point traps, on no more stack than the header asks for (trapping.c).
# compilers.sh … long: at every level of optimisation by gcc and clang, each a program that proves itself, here and under
# qemu on older CPUs; cppcheck, clang-tidy, gcc -fanalyzer; the compiler's own files by gcc for aarch64 at -O3.
. "$(dirname "$0")/lib.sh"
form=${10:-short}
r=$REFORMERC
warn='-Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror'
there() { command -v "$1" >/dev/null; }
compilers=
for compiler in gcc clang; do there $compiler && compilers="$compilers $compiler"; done
case $(uname -m) in x86_64) levels=x86-64-v3,x86-64 one=x86-64 ;; *) levels=aarch64 one=aarch64 ;; esac
# Most functions: generation, steps of training.
hashing_spec >small.yaml
{ cat small.yaml && echo 'train: {memory: reversible}'; } >learns.yaml
mkdir one library
check translate 0 - "$r" learns.yaml --set compile.sequence_length=dynamic --weights random:1 --target $one --standalone --embed-weights --selftest -o one/model.c
check 'translate for the library' 0 - "$r" learns.yaml --set compile.sequence_length=16 --target $one -o library/model.c

# ---- warnings ----
for folder in one library; do
    printf '#include "model.h"\nint length(void);\nint length(void) { return MODEL_MAX_LENGTH; }\n' >$folder/header.c
    cp $folder/header.c $folder/header.cc
    for compiler in $compilers; do
        for standard in c99 c11 c17; do
            check "header, $compiler -std=$standard, $folder" 0 - with_flags $compiler -std=$standard $warn -I$folder -fsyntax-only $folder/header.c
        done
        check "model.c, $compiler, $folder" 0 - with_flags $compiler -std=c11 $warn -I$folder -fsyntax-only $folder/model.c
    done
    for compiler in g++ clang++; do
        there $compiler || continue
        for standard in c++11 c++17 c++20; do
            check "header, $compiler -std=$standard, $folder" 0 - with_flags $compiler -std=$standard $warn -Wold-style-cast -I$folder -fsyntax-only $folder/header.cc
        done
    done
done

# ---- the header's example, of every architecture ----
for architecture in ReformerModel ReformerModelWithLMHead ReformerForMaskedLM ReformerForSequenceClassification ReformerForQuestionAnswering; do
    decoder=false
    [ $architecture = ReformerModelWithLMHead ] && decoder=true
    check "$architecture" 0 - "$r" small.yaml --set "architectures=[$architecture]" --set is_decoder=$decoder --set compile.sequence_length=16 --weights random:1 --target $one -o example.c
    {
        echo '#include <stdlib.h>'
        echo '#include "example.h"'
        echo 'static float hidden[16 * EXAMPLE_HIDDEN], logits[16 * EXAMPLE_VOCAB], start[16], end[16];'
        echo 'static int first(const int32_t *ids, size_t length, int threads, const void *weights, size_t weights_bytes, void *workspace) {'
        sed -n '/^ \*  *example_t m = /,/^ \*$/s/^ \*//p' example.h
        echo '    return error; }'
        echo 'int main(void) { static int32_t ids[9]; size_t n; void *room = aligned_alloc(64, 1 << 20);'
        echo '    const void *w = example_embedded_weights(&n);'
        echo '    int code = room ? first(ids, 9, 1, w, n, room) : 1;'
        echo '    return code || (hidden[1] == 0 && logits[1] == 0 && (start[1] == 0 || end[1] == 0)); }'
    } >first.c
    check "$architecture, with its weights" 0 - "$r" small.yaml --set "architectures=[$architecture]" --set is_decoder=$decoder --set compile.sequence_length=16 --weights random:1 --target $one --embed-weights -o example.c
    check "example of $architecture" 0 - with_libs cc -std=c11 -O0 -Wall -Wextra -Werror first.c example.c -o first
    check "what it computes" 0 - ./first
done

# ---- floating point that traps; stacks ----
optimised=$(sed -n 's/^ \* \([0-9]*\) KiB of stack .*/\1/p' one/model.h)
plain=$(sed -n 's/.* KiB of stack (\([0-9]*\) KiB .*/\1/p' one/model.h)
equal 'stacks in the header' "$optimised $plain" '128 2048'
if [ "$(uname -m)" = x86_64 ]; then # other CPUs need not be able to trap
    runs_trapping() { # FOLDER COMPILER LEVEL STACK
        check "host that traps, $2 $3" 0 - in_folder "$1" $2 -std=c11 $3 -DSTACK_KIB=$4 -I. "$SOURCE/tests/cli/trapping.c" model.c -pthread -lm -o trapping
        check "without traps, $2 $3" 0 - in_folder "$1" ./trapping
        cp .out "$1/quiet"
        check "with traps, $2 $3" 0 - in_folder "$1" ./trapping trap
        same "the same numbers, $2 $3" "$1/quiet" .out
    }
    runs_trapping one cc -O0 $plain
fi
[ "$form" = long ] || finish

# ---- everything ----
if [ "$(uname -m)" = x86_64 ]; then
    for compiler in $compilers; do
        for level in -O1 -O2 -O3; do runs_trapping one $compiler $level $optimised; done
    done
    mkdir v4 # the largest frames
    check 'translate for v4' 0 - "$r" learns.yaml --weights random:1 --target x86-64-v4 --standalone --embed-weights -o v4/model.c
    if grep -q avx512dq /proc/cpuinfo; then
        for compiler in $compilers; do runs_trapping v4 $compiler -O0 $plain; done
    fi
fi
mkdir levels
check 'translate several levels' 0 - "$r" small.yaml --set compile.sequence_length=16 --weights random:1 --target $levels --standalone --embed-weights --selftest -o levels/model.c
for compiler in $compilers; do
    for level in -O0 -O1 -O2 -O3 -Os '-O2 -flto=auto'; do
        program=levels/test
        check "$compiler $level" 0 - $compiler -std=c11 $warn $level "-DMODEL_WEIGHTS_FILE=\"$PWD/levels/model.weights\"" -DMODEL_SELFTEST levels/model.c -pthread -o $program
        check "$compiler $level, here" 0 - $program
        says '^ok$'
        there qemu-x86_64 && [ "$(uname -m)" = x86_64 ] || continue
        check "$compiler $level, Nehalem" 0 '' qemu-x86_64 -cpu Nehalem $program
        says '^target x86-64,'
        check "$compiler $level, Haswell" 0 '' qemu-x86_64 -cpu Haswell $program
        says '^target x86-64-v3,'
    done
done
there qemu-x86_64 || echo 'no qemu-x86_64: older CPUs are not known to be right'

# ---- bits ----
# In float32 a level's additions change nothing (docs/stability.md).
"$FORGE" make in.st "input_ids:I32:1,10=75,118,34,121,99,117,34,99,34,102"
for pair in x86-64-v3+vnni:x86-64-v3 x86-64-v4+vnni:x86-64-v4 x86-64-v4+bf16:x86-64-v4 aarch64+bf16:aarch64; do
    for target in ${pair%:*} ${pair#*:}; do
        check "run $target" 0 '' "$r" run small.yaml --weights random:1 --backend interpreter --target $target --input in.st --output $target.st
    done
    same "bits of $pair" ${pair%:*}.st ${pair#*:}.st
done

# ---- readers ----
# Not those of taste: names of reserved form (_POSIX_C_SOURCE), parameters of one type, and memcpy, for which the C library
# that we are to work with has no "secure" form. The path analyser of clang-tidy does not end on kernels of some 1,000 lines.
tidy='-*,clang-diagnostic-*,bugprone-*,cert-*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,-cert-dcl37-c,-cert-dcl51-cpp'
there cppcheck && check cppcheck 0 - in_folder levels cppcheck -q --std=c11 --enable=warning,portability --suppress=toomanyconfigs --error-exitcode=1 model.c
there clang-tidy && check clang-tidy 0 '' in_folder levels clang-tidy -quiet "-checks=$tidy" -warnings-as-errors='*' model.c -- -std=c11
# Nor does that of gcc, which therefore has the runtime alone.
if there gcc; then
    for file in "$SOURCE"/runtime/*.c; do check "-fanalyzer $file" 0 - gcc -std=c11 -O0 -fanalyzer -Werror -c "$file" -o analysed.o; done
fi

# ---- the compiler itself ----
arm=aarch64-linux-gnu-gcc
if there $arm && [ -e /usr/include/yaml.h ] && [ -e /usr/include/jansson.h ]; then
    mkdir include
    cp /usr/include/yaml.h /usr/include/jansson*.h include/
    find "$SOURCE/compiler" "$SOURCE/runtime" -name '*.c' ! -path '*/web/*' | sort >files
    while read -r file; do
        case $file in */llvm_*|*/ranks.c|*/mpi.c|*/pieces.c|*/cli/product.c|*/install.c|*/module.c) continue ;; esac # what others' headers or CMake define
        check "$arm -O3 $file" 0 - $arm -std=gnu11 -O3 -Wall -Wextra -Werror -Iinclude -I"$SOURCE/compiler" -I"$SOURCE/runtime" -c "$file" -o arm.o
    done <files
    holds 'files of every folder' "$(wc -l <files) > 350"
else
    echo 'no aarch64-linux-gnu-gcc: the compiler is not known to build on that machine'
fi
finish
