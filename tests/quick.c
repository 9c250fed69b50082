/* Linked into tests around functions that decide how long compilers take (ld --wrap); the environment says where:
 *
 *   QUICK_LLVM    machine code is made without optimisation, in a third of the time
 *   QUICK_TILES   tiles are two rows of one vector, which no result depends on: loops that are not unrolled make a third of
 *                 the code
 *   QUICK_CLOCK   measurements are one run of what is measured, peaks are measured once, and memory is measured by arrays
 *                 that caches hold: figures are wrong, and what is made of them is as it would be
 *
 * quick.cmake says for which tests. */
#include <stdlib.h>

#include "emit/llvm.h"
#include "emit/llvm_api.h"
#include "lower/tiles.h"
#include "machine/calibrate.h"
#include "machine/stream.h"
#include "session/timed.h"

bool __real_llvm_load(char problem[LLVM_PROBLEM]);
bool __wrap_llvm_load(char problem[LLVM_PROBLEM]);
tiles_t __real_tiles_for(const target_t *t);
tiles_t __wrap_tiles_for(const target_t *t);
int64_t __real_stream_array_bytes(void);
int64_t __wrap_stream_array_bytes(void);
double __real_calibration_rate(calibration_t *c, rate_t which, int threads, const pool_t *pool,
                               double seconds, diag_t *d);
double __wrap_calibration_rate(calibration_t *c, rate_t which, int threads, const pool_t *pool,
                               double seconds, diag_t *d);
int __real_timed_inner(double seconds);
int __wrap_timed_inner(double seconds);

#ifdef REFORMERC_QUICK_LLVM
static __typeof__(LLVMCreateTargetMachine) *create;

static LLVMTargetMachineRef create_quick(LLVMTargetRef t, const char *triple, const char *cpu,
                                         const char *features, LLVMCodeGenOptLevel level,
                                         LLVMRelocMode reloc, LLVMCodeModel model) {
    (void)level;
    return create(t, triple, cpu, features, LLVMCodeGenLevelNone, reloc, model);
}

bool __wrap_llvm_load(char problem[LLVM_PROBLEM]) {
    if (!__real_llvm_load(problem)) return false;
    create = llvm.CreateTargetMachine;
    if (getenv("QUICK_LLVM")) llvm.CreateTargetMachine = create_quick;
    return true;
}
#endif

tiles_t __wrap_tiles_for(const target_t *t) {
    tiles_t tiles = __real_tiles_for(t);
    if (!getenv("QUICK_TILES")) return tiles;
    tiles.vectors = 1;
    tiles.rows = 2;
    return tiles;
}

int64_t __wrap_stream_array_bytes(void) {
    return getenv("QUICK_CLOCK") ? 1 << 20 : __real_stream_array_bytes();
}

double __wrap_calibration_rate(calibration_t *c, rate_t which, int threads, const pool_t *pool,
                               double seconds, diag_t *d) {
    static struct {
        const calibration_t *of;
        int threads;
        double rate;
    } measured[RATE_COUNT];
    if (!getenv("QUICK_CLOCK")) return __real_calibration_rate(c, which, threads, pool, seconds, d);
    if (measured[which].of != c || measured[which].threads != threads) {
        measured[which].of = c;
        measured[which].threads = threads;
        measured[which].rate = __real_calibration_rate(c, which, threads, pool, 0, d);
    }
    return measured[which].rate;
}

int __wrap_timed_inner(double seconds) {
    int inner = __real_timed_inner(seconds);
    return inner > 1 && getenv("QUICK_CLOCK") ? 1 : inner;
}
