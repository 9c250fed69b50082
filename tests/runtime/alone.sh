#!/bin/sh
# The runtime without the compiler: configured, installed and found by pkg-config where there is no libyaml, no LLVM and no
# cmocka; what links it, on which threads.   alone.sh CMAKE SOURCE WORK CC LAUNCHER
set -u
cmake=$1 source=$2 work=$3 cc=$4 launcher=$5
fails=0
fail() { echo "FAIL $*"; fails=$((fails + 1)); }
must() { "$@" >out 2>err || { fail "$*"; tail -n 30 out err; }; }
rm -rf "$work" && mkdir -p "$work" && cd "$work" || exit 1

# Nothing that only the compiler needs can be found.
must env PKG_CONFIG_LIBDIR=/nowhere PKG_CONFIG_PATH= "$cmake" -S "$source" -B b -DREFORMERC_COMPILER=OFF \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_COMPILER_LAUNCHER="$launcher" -DCMAKE_C_FLAGS=-O1 -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
grep -q -e -Werror b/compile_commands.json && fail 'warnings are errors without a preset'
must "$cmake" --build b
must "$cmake" --install b --prefix "$work/first"
mv first moved
pc=$(find "$PWD/moved" -name reformer_rt.pc)
[ -n "$pc" ] || fail 'no reformer_rt.pc'
[ -e moved/share/reformerc/runtime/pool.c ] || fail 'no sources'
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs reformer_rt)
case $flags in *LLVM* | *yaml* | *reformerc* | *gomp*) fail "pkg-config says $flags" ;; esac

cat >program.c <<'END'
#include <reformer_rt.h>
#ifdef OWN
REFORMER_WITHOUT_THREADS;
#endif
static void count(void *arg, int64_t i, int worker) {
    (void)i, (void)worker;
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
}
static void job(void *ctx, const reformer_pool_t *pool) {
    if (pool) pool->parallel_for(pool->ctx, 9, 3, count, ctx);
}
int main(void) {
    int n = 0;
    reformer_with_threads(3, job, &n);
    return n != (WANT);
}
END
strict='-std=c11 -Wall -Wextra -Werror -Wpedantic'
# shellcheck disable=SC2086
must "$cc" $strict -DWANT=9 program.c -o threads $flags
must ./threads
# shellcheck disable=SC2086
must "$cc" $strict -DWANT=0 -DOWN program.c -o none $flags
must ./none
# The product's object brings what threads.c would; no member of the archive that knows threads is linked for it.
nm none 2>/dev/null | grep -Eq 'pthread_create|GOMP|reformer_pool_begin' && fail 'threads are linked'
nm threads 2>/dev/null | grep -q 'reformer_pool_begin' || fail 'there are no threads to be left out'
# From sources: without threads, and with OpenMP's where the compiler has it.
rt=moved/share/reformerc/runtime
must "$cc" $strict -DWANT=0 -DREFORMER_SERIAL -I$rt program.c $rt/*.c -o serial
must ./serial
if "$cc" -fopenmp program.c -DWANT=0 -I$rt -fsyntax-only 2>err && echo 'int main(void){return 0;}' >x.c && "$cc" -fopenmp x.c -o x 2>err; then
    must "$cc" $strict -DWANT=9 -DREFORMER_OPENMP -fopenmp -I$rt program.c $rt/*.c -o openmp
    must ./openmp
    nm openmp | grep -Eq 'GOMP|kmpc' || fail 'OpenMP is not there'
fi
[ $fails -eq 0 ] && echo ok
exit $((fails > 0))
