/* Linked into tests around the function that loads LLVM (ld --wrap): where the variable QUICK_LLVM is set, machines' code
 * is made without optimisation, in a third of the time. quick.cmake says for which tests. */
#include <stdlib.h>

#include "emit/llvm.h"
#include "emit/llvm_api.h"

bool __real_llvm_load(char problem[LLVM_PROBLEM]);
bool __wrap_llvm_load(char problem[LLVM_PROBLEM]);

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
