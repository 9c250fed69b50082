#!/bin/sh
# The installed library from another language: its example says what the example in C says.
#   languages.sh cxx|rust CMAKE BUILD SOURCE WORK
set -u
language=$1 cmake=$2 build=$3 source=$4 work=$5
fails=0
fail() { echo "FAIL $*"; fails=$((fails + 1)); }
must() { "$@" >out 2>err || { fail "$*"; cat out err; }; }
skip() { echo "$1"; exit 77; }
case $language in
cxx) command -v c++ >/dev/null || skip 'there is no C++ compiler: install g++' ;;
rust)
    command -v rustc >/dev/null || skip 'there is no Rust compiler: install rustc'
    command -v bindgen >/dev/null || skip 'there is no bindgen: install bindgen'
    ;;
esac

rm -rf "$work" && mkdir -p "$work" && cd "$work" || exit 1
must "$cmake" --install "$build" --prefix "$work/installed"
PKG_CONFIG_PATH=$(dirname "$(find "$work/installed" -name reformerc.pc)")
export PKG_CONFIG_PATH
LD_LIBRARY_PATH=$(pkg-config --variable=libdir reformerc)
export LD_LIBRARY_PATH
flags=$(pkg-config --cflags reformerc) libs=$(pkg-config --libs reformerc)
model=$source/tests/golden/checkpoint
ids='75 118 34 121 99 117 34 99 34 102 99 116 109'
# shellcheck disable=SC2086
must cc -O2 "$source/tests/library/example.c" -o example $flags $libs
must ./example "$model" "$model" $ids
cp out want
[ -s want ] || fail 'the example in C says nothing'

# The same id, and a text of 8 tokens that begins with it; an error is told, and no crash.
try() {
    must "$1" "$model" "$model" $ids
    head -n 1 out | cmp -s - want || fail "$1 says $(cat out), C $(cat want)"
    [ "$(sed -n 2p out | wc -w)" -eq 8 ] || fail "$1 writes $(sed -n 2p out)"
    [ "$(sed -n 2p out | cut -d' ' -f1)" = "$(cat want)" ] || fail "$1 begins with another token"
    "$1" missing.yaml random 1 >out 2>err
    [ $? -eq 1 ] || fail "$1: a missing spec is no error"
    grep -q '^100: missing.yaml: error: ' err || fail "$1: no message about the missing spec"
    "$1" "$model" "$model" 99999 >out 2>err
    [ $? -eq 1 ] || fail "$1: a token outside of the vocabulary is no error"
    grep -q '^2: an input id' err || fail "$1: no message about the token"
}

case $language in
cxx)
    for cxx in c++ clang++; do
        command -v $cxx >/dev/null || continue
        for standard in 11 17 20; do
            # shellcheck disable=SC2086
            must $cxx -std=c++$standard -O1 -Wall -Wextra -Werror -Wconversion -Wshadow -pedantic \
                "$source/tests/library/example.cc" -o $cxx-$standard $flags $libs
        done
        try ./$cxx-11
    done
    ;;
rust)
    # shellcheck disable=SC2086
    must bindgen "$work/installed/include/reformerc.h" --with-derive-default --no-layout-tests \
        --allowlist-function 'reformerc_.*' -o bindings.rs -- $flags
    # shellcheck disable=SC2086
    BINDINGS=$work/bindings.rs must rustc --edition 2021 -O -D warnings "$source/tests/library/example.rs" \
        -o rust $(echo "$libs" | sed 's/-L\([^ ]*\)/-L \1/g; s/-l\([^ ]*\)/-l \1/g')
    try ./rust
    ;;
esac
[ $fails -eq 0 ] && echo ok
exit $((fails > 0))
