/* Linked into tests around functions that decide how long compilers take (ld --wrap); the environment says where:
 *
 *   QUICK_LLVM    machine code is made without optimisation, in a third of the time
 *   QUICK_TILES   tiles are two rows of one vector, which no result depends on: loops that are not unrolled make a third of
 *                 the code
 *
 * quick.cmake says for which tests. */
#include <stdlib.h>

#include "emit/llvm.h"
#include "emit/llvm_api.h"
#include "lower/tiles.h"

bool __real_llvm_load(char problem[LLVM_PROBLEM]);
bool __wrap_llvm_load(char problem[LLVM_PROBLEM]);
tiles_t __real_tiles_for(const target_t *t);
tiles_t __wrap_tiles_for(const target_t *t);

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
