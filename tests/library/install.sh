#!/bin/sh
# The installed library, from outside: pkg-config finds it, C programs link the archive or the shared library, C++ reads the
# header, it works wherever the tree was moved to, and neither form has global names but reformerc_*.
#   install.sh CMAKE BUILD SOURCE WORK REFORMERC FORGE SHOW_ROW
set -u
cmake=$1 build=$2 source=$3 work=$4 reformerc=$5 forge=$6 show_row=$7
fails=0
fail() { echo "FAIL $*"; fails=$((fails + 1)); }
must() { "$@" >out 2>err || { fail "$*"; cat out err; }; }

rm -rf "$work" && mkdir -p "$work" && cd "$work" || exit 1
must "$cmake" --install "$build" --prefix "$work/first"
mv first moved
PKG_CONFIG_PATH=$(dirname "$(find "$work/moved" -name reformerc.pc)")
export PKG_CONFIG_PATH
must pkg-config --print-errors --exists reformerc
flags=$(pkg-config --cflags reformerc)
static=$(pkg-config --cflags --libs reformerc-static) shared=$(pkg-config --cflags --libs reformerc)
libraries=$(pkg-config --variable=libdir reformerc)
strict='-Wall -Wextra -Werror -Wconversion -pedantic'

model=$source/tests/golden/checkpoint
ids='75 118 34 121 99 117 34 99 34 102 99 116 109'
for cc in cc gcc clang; do
    command -v $cc >/dev/null || continue
    # shellcheck disable=SC2086
    must $cc -std=c11 -O2 $strict "$source/tests/library/example.c" -o example-$cc $static
    must ./example-$cc "$model" "$model" $ids
    cp out said-$cc
done
# shellcheck disable=SC2086
must cc -O2 "$source/tests/library/example.c" -o example-shared $shared
must env LD_LIBRARY_PATH="$libraries" ./example-shared "$model" "$model" $ids
cp out said-shared
needed=$(readelf -d example-shared | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -v '^libc\.' | tr '\n' ' ')
major=$(pkg-config --modversion reformerc | cut -d. -f1)
[ "$needed" = "libreformerc.so.$major " ] || fail "a program needs $needed"
[ "$(wc -l <said-cc)" -eq 1 ] || fail 'the example said something else'
for said in said-*; do cmp -s said-cc "$said" || fail "$said differs"; done

# The command line's likeliest token is the same.
must "$forge" make in.st "input_ids:I32:1,13=$(echo $ids | tr ' ' ,)"
must "$reformerc" run "$model" --input in.st --output out.st
must "$show_row" out.st
while read -r x; do printf '%.17g\n' "$x"; done <out >row # from hexadecimal
awk 'NR == 1 || $1 > best { best = $1; at = NR - 1 } END { print at }' row >want
cmp -s want said-cc || fail "the example says $(cat said-cc), the command line $(cat want)"

printf '#include <reformerc.h>\n#include <reformer_generate.h>\n' >header.cc
echo 'int main() { reformerc_options_t o = reformerc_options_t(); return o.threads + (reformerc_version() == nullptr); }' >>header.cc
for cxx in c++ g++ clang++; do
    command -v $cxx >/dev/null || continue
    # shellcheck disable=SC2086
    must $cxx -std=c++11 $strict header.cc -o header-$cxx $static
    must ./header-$cxx
done

# A program's own functions may have the names that the compiler uses inside, and are not called by it.
cat >names.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
#define NAME(f) void f(void); void f(void) { puts("the program's own " #f " was called"); exit(3); }
NAME(bug) NAME(store_load) NAME(file_read) NAME(arena_new) NAME(diag_new) NAME(pool_new) NAME(spec_load)
NAME(exec_open) NAME(plan_make) NAME(did_you_mean)
int targets = 7;
EOF
# shellcheck disable=SC2086
must cc -O2 "$source/tests/library/example.c" names.c -o names $static
must ./names "$model" "$model" $ids
cmp -s out said-cc || fail 'a program with names of its own says something else'
# What the header declares, and nothing else.
grep -o 'reformerc_[a-z_]*(' "$source/compiler/reformerc.h" | tr -d '(' | sort -u >declared
for library in -g:libreformerc.a -D:libreformerc.so; do
    nm "${library%%:*}" --defined-only "$libraries/${library#*:}" | awk 'NF == 3 { print $3 }' | sort >shown
    cmp -s declared shown || fail "${library#*:} has other names than reformerc.h: $(diff declared shown)"
done

# Errors, and what the environment lacks: no cache, no home, no source tree.
./example-cc missing.yaml random 1 >out 2>err
[ $? -eq 1 ] || fail 'a missing spec is no error'
grep -q '^missing.yaml: error: ' err || fail 'no message about the missing spec'
must env -i PATH="$PATH" HOME=/dev/null ./example-cc "$model" "$model" $ids
cmp -s out said-cc || fail 'without a cache it says something else'

[ $fails -eq 0 ] && echo ok
exit $((fails > 0))
