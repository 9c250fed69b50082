/* Linked into tests in place of LLVM's own function (ld --wrap): where the variable QUICK_LLVM is set, machines whose code
 * is made without optimisation, in a third of the time. quick.cmake says for which tests. */
#include <llvm-c/TargetMachine.h>
#include <stdlib.h>

typedef LLVMTargetMachineRef machine_fn(LLVMTargetRef t, const char *triple, const char *cpu,
                                        const char *features, LLVMCodeGenOptLevel level,
                                        LLVMRelocMode reloc, LLVMCodeModel model);
machine_fn __real_LLVMCreateTargetMachine, __wrap_LLVMCreateTargetMachine;

LLVMTargetMachineRef __wrap_LLVMCreateTargetMachine(LLVMTargetRef t, const char *triple,
                                                    const char *cpu, const char *features,
                                                    LLVMCodeGenOptLevel level, LLVMRelocMode reloc,
                                                    LLVMCodeModel model) {
    if (getenv("QUICK_LLVM")) level = LLVMCodeGenLevelNone;
    return __real_LLVMCreateTargetMachine(t, triple, cpu, features, level, reloc, model);
}
