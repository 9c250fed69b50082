#!/bin/sh
# threads.sh REFORMERC [ROUNDS [THREADS…]]: which threads a product should run on, on this machine as busy as it is (threads.c).
# The default model, of 512 tokens, takes about 15 ms on a core.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
reformerc=$(command -v "$1")
case $reformerc in /*) ;; *) reformerc=$PWD/$reformerc ;; esac
rounds=${2-40}
if [ $# -gt 2 ]; then shift 2; else set -- 2 4; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$reformerc" "$here/../golden/checkpoint" --target native --set compile.sequence_length=512 -o model.c
rt=$here/../../runtime
cc -O2 -I"$rt" -fopenmp -DREFORMER_OPENMP -Dreformer_with_threads=openmp_with_threads -c "$rt/openmp.c" -o openmp.o
eval "cc -O2 -I. '$here/threads.c' model.c openmp.o $("$reformerc" --cflags --libs) -fopenmp -o threads"
./threads "$rounds" "$@"
