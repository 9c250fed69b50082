#!/bin/sh
# What shared libraries export that have a model and the runtime inside: the model's functions, none of the runtime's. So two
# of them, with runtimes of different versions, live in one process, however it opens them.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC rt=$SOURCE/runtime
small_spec >model.yaml
check translate 0 - "$r" model.yaml --weights random:1 --target native --set compile.sequence_length=32 -o model.c

# Another version: another number, other words.
mkdir other
cp "$rt"/*.[ch] other
sed -i 's/^\(#define REFORMER_ABI  *\)\([0-9]*\)/\1(\2 + 1)/' other/reformer_rt.h
sed -i 's/"ok"/"ok of the other"/' other/error.c
cmp -s "$rt/error.c" other/error.c && { name=other; fail 'error.c is the same'; }
cmp -s "$rt/reformer_rt.h" other/reformer_rt.h && { name=other; fail 'reformer_rt.h is the same'; }

exports() { nm -D --defined-only "$1" | awk '{ print $3 }' | sort; }
own_exports() { # LIBRARY: the model's functions and nothing else
    checks=$((checks + 1))
    name="exports of $1"
    exports "$1" >exported
    others=$(grep -v '^model_' exported)
    [ -z "$others" ] || fail "also exports: $others"
    grep -q '^model_forward$' exported || fail 'does not export model_forward'
}

hidden='-O1 -fPIC -shared -fvisibility=hidden'
for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    # shellcheck disable=SC2086
    check "hidden $compiler" 0 - with_libs $compiler $hidden model.c -o hidden-$compiler.so
    own_exports hidden-$compiler.so
done
mkdir inside
check 'translate with weights' 0 - "$r" model.yaml --weights random:1 --target native --set compile.sequence_length=32 \
    --embed-weights -o inside/model.c
# shellcheck disable=SC2086
check 'hidden with weights' 0 - with_libs cc $hidden -Iinside inside/model.c -o inside.so
own_exports inside.so
checks=$((checks + 1))
grep -q '^model_embedded_weights$' exported || fail 'does not export model_embedded_weights'
# shellcheck disable=SC2086
check plain 0 - with_libs cc -O1 -fPIC -shared model.c -o plain.so
own_exports plain.so
# shellcheck disable=SC2086
mkdir objects # its runtime, of which nobody has said hidden
check runtime 0 - in_folder objects sh -c 'cc -O1 -fPIC -I../other -c ../other/*.c -pthread'
# shellcheck disable=SC2086
check other 0 - cc $hidden -Iother model.c objects/*.o -pthread -o other.so
own_exports other.so
# shellcheck disable=SC2086
check sources 0 - cc -O1 -fPIC -shared -Iother model.c objects/*.o -pthread -o sources.so
own_exports sources.so
# shellcheck disable=SC2086
check none 0 - with_libs cc $hidden -DREFORMER_HIDE_MODELS model.c -o none.so
equal 'models hidden too' "$(exports none.so)" ''
libraries="$PWD/hidden-gcc.so $PWD/other.so $PWD/plain.so $PWD/sources.so"
[ -e hidden-gcc.so ] || libraries="$PWD/plain.so $PWD/other.so $PWD/sources.so"
if ! "$r" --version | grep -q 'no LLVM'; then
    mkdir llvm
    check library 0 - "$r" model.yaml --target native --set compile.sequence_length=32 -o llvm/model.so
    own_exports llvm/model.so
    check object 0 - "$r" model.yaml --target native --set compile.sequence_length=32 -o llvm/model.o
    check 'of an object' 0 - with_libs cc -shared -fvisibility=hidden llvm/model.o -o object.so
    own_exports object.so
    libraries="$libraries $PWD/llvm/model.so $PWD/object.so"
fi

# One process, in both orders, whoever comes first; the program has such names, too.
check program 0 - with_libs cc -std=gnu11 -O1 -I. -DOWN_NAMES -rdynamic "$SOURCE/tests/cli/visible.c" -ldl -o visible
for flags in local global; do
    for order in "$libraries" "$(echo "$libraries" | awk '{ for (i = NF; i; i--) printf "%s ", $i }')"; do
        # shellcheck disable=SC2086
        check "$flags" 0 - ./visible $flags model.weights $order
        cp .out said
        grep -q 'exported' said && fail 'a library exports its runtime'
        equal "$flags: all the same" "$(sed 's/.* //' said | sort -u | wc -l)" 1
        n=0
        for library in $order; do
            n=$((n + 1))
            want=ours
            case $library in *other.so | *sources.so) want=other ;; esac
            got=ours
            sed -n ${n}p said | grep -q 'of the other' && got=other
            equal "$flags: the runtime of $library" $got $want
        done
    done
done
finish
