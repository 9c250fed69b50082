#!/bin/sh
# Products that hand in too little memory, structures of other sizes, or another spec's model are told so (borders.c); the
# variable REFORMER_CPU names the best target that may be taken; artefacts say where they come from.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
strict='-Wall -Wextra -Werror -Wconversion'
spec() { # TARGETS
    small_spec | sed -e 's/max_position_embeddings: 32/max_position_embeddings: 256/' \
        -e "s/sequence_length: 32, targets: .*/sequence_length: dynamic, targets: [$1]}/"
    echo 'train: {memory: reversible}'
}
spec x86-64-v3,x86-64 >product.yaml
spec x86-64 | sed -e 's/^hidden_size: 16/hidden_size: 32/' -e 's/dynamic/[64, 256]/' >other.yaml
case $(uname -m) in x86_64) ;; *) sed -i 's/targets: .*\]/targets: [aarch64]/' product.yaml other.yaml ;; esac
for model in product other; do
    check "translate $model" 0 - "$r" $model.yaml --weights random:1 -o $model.c
    check "compile $model" 0 - with_flags cc -std=c11 -O0 $strict -c $model.c -o $model.o
done
check 'compile borders' 0 - with_flags cc -std=c11 -O1 $strict -I. -c "$SOURCE/tests/cli/borders.c" -o borders.o
check link 0 - with_libs cc borders.o product.o other.o -o borders
check borders 0 - ./borders product.weights other.weights
cat .out

# ---- where it comes from
digest='spec [0-9a-f]{16}'
says_all() { name=$1; shift; for p in "$@"; do says "$p"; done; }
check versions 0 - ./borders product.weights other.weights target
says_all versions "^reformerc [0-9.]+, ABI [0-9]+, weights [0-9]+, $digest\$" '^[0-9.]+ [0-9]+$' \
    '^8 the weights file is of version 77, this runtime \([0-9.]+\) reads [0-9]+: pack the weights again' \
    '^9 the weights are of model 0000000000000abc \(float32\), this is model [0-9a-f]{16}; ' \
    '^7 .*: [0-9]+ bytes were given, the model.s weights file has [0-9]+$'
says_in() { checks=$((checks + 1)); name="opening of $1"; head -n 14 "$1" | grep -Eq -e "$2" || fail "no line $2"; }
says_in product.c "^ \* reformerc [0-9.]+, ABI [0-9]+, weights [0-9]+, $digest\$"
says_in product.c '^ \* lengths: 8, any up to 256; batch: 1; dtype: float32; targets: '
says_in product.c '^ \* with: generation, train steps, updates \*/$'
says_in product.h "$digest"
# The same spec has the same digest wherever it stands and however it is written; another one another.
mkdir elsewhere
cp product.yaml elsewhere
check elsewhere 0 - "$r" elsewhere/product.yaml --weights random:1 -o elsewhere/product.c
same 'the same from another folder' product.c elsewhere/product.c
{ echo '# a comment'; tac product.yaml; } >elsewhere/product.yaml
check 'written otherwise' 0 - "$r" elsewhere/product.yaml -o elsewhere/product.c
digest_of() { grep -oE "$digest" "$1" | head -n 1; }
equal digest "$(digest_of elsewhere/product.c)" "$(digest_of product.c)"
checks=$((checks + 1)) name='other digest'
[ "$(digest_of product.c)" != "$(digest_of other.c)" ] || fail 'two specs have one digest'

# ---- another model's type is refused by compilers
for call in 'forward(m, io, w, n)' 'check_weights(m)' 'step(m, d, w, w, n)'; do
    cat >mixed.c <<C
#include "product.h"
#include "other.h"
int f(const other_t *m, const other_io_t *io, const other_decode_t *d, void *w, size_t n);
int f(const other_t *m, const other_io_t *io, const other_decode_t *d, void *w, size_t n) {
    (void)m; (void)io; (void)d; (void)w; (void)n;
    return product_$call;
}
C
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        check "$compiler: $call" 1 'incompatible' with_flags $compiler -std=c11 -Werror -I. -c mixed.c -o mixed.o
        sed 's/return product_/return other_/' mixed.c >right.c
        check "$compiler: right $call" 0 - with_flags $compiler -std=c11 -Werror -I. -c right.c -o right.o
    done
    if command -v c++ >/dev/null; then
        check "c++: $call" 1 'cannot convert|no matching' with_flags c++ -I. -x c++ -c mixed.c -o mixed.o
    fi
done

# ---- the level taken
taken() { # NAME REFORMER_CPU TARGET
    checks=$((checks + 1)) name="REFORMER_CPU=$2: $1"
    got=$(REFORMER_CPU=$2 ./borders product.weights other.weights target | head -n 1)
    [ "$got" = "$3" ] || fail "takes $got, not $3"
}
if [ "$(uname -m)" = x86_64 ]; then
    best=$(./borders product.weights other.weights target | head -n 1)
    taken 'the least' x86-64 x86-64
    taken 'one that it has' x86-64-v3 "$best"
    taken 'more than the file has' x86-64-v4+bf16 "$best"
    taken 'no such name' x86-64-v9 "$best"
    taken 'nothing' '' "$best"
    taken 'another architecture' aarch64 "$best"
    if command -v qemu-x86_64 >/dev/null; then # a CPU that lacks what is named
        got=$(qemu-x86_64 -cpu Nehalem -E REFORMER_CPU=x86-64-v4 ./borders product.weights other.weights target | head -n 1)
        equal 'never what the CPU lacks' "$got" x86-64
    fi
    spec x86-64-v3 >product.yaml
    check 'one level' 0 - "$r" product.yaml -o product.c
    check 'compile it' 0 - with_flags cc -std=c11 -O0 -c product.c -o product.o
    check 'link it' 0 - with_libs cc borders.o product.o other.o -o one
    check 'no level is left' 1 - env REFORMER_CPU=x86-64 ./one product.weights other.weights
    says '^6 this CPU, or REFORMER_CPU, has none of x86-64-v3$'
fi
finish
