/* LLVM's C API as a table of functions, `llvm`: llvm.BuildAdd is LLVMBuildAdd. libLLVM costs 20 ms
 * and 40 MB to load, so nothing links it: it is loaded when the first module is made (llvm_load.c),
 * which most commands never do, and who has no libLLVM runs everything else. Another function of
 * the API gets an X in llvm_api.def. */
#ifndef REFORMERC_EMIT_LLVM_API_H
#define REFORMERC_EMIT_LLVM_API_H

#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/BitWriter.h>
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/ExecutionEngine.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Object.h>
#include <llvm-c/Orc.h>
#include <llvm-c/OrcEE.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

typedef struct {
#define X(name) __typeof__(LLVM##name) *name;
#include "emit/llvm_api.def"
#undef X
} llvm_api_t;
extern llvm_api_t llvm;

enum { LLVM_PROBLEM = 512 };
/* Fills the table. False: `problem` says why, and the table is as it was; after true it says
 * nothing. Not called by two threads at once, nor twice. */
bool llvm_load(char problem[LLVM_PROBLEM]);

#endif
