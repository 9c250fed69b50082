/* libLLVM, loaded when it is needed. CMake tells which one was found: its name, under which the
 * system's loader knows it where it is installed, and its file. The variable REFORMERC_LLVM names
 * another file of the same version. */
#include <dlfcn.h>
#include <llvm/Config/llvm-config.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emit/llvm.h"
#include "emit/llvm_api.h"

#if !defined(REFORMERC_LLVM_NAME) || !defined(REFORMERC_LLVM_FILE)
#error "CMakeLists.txt defines where libLLVM is"
#endif

llvm_api_t llvm;

/* `function` is a pointer to a function's pointer. */
static bool find(void *library, const char *name, void *function) {
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static void *open_library(char problem[LLVM_PROBLEM]) {
    const char *said = getenv("REFORMERC_LLVM");
    const char *first = said && *said ? said : REFORMERC_LLVM_NAME;
    void *library = dlopen(first, RTLD_LAZY | RTLD_LOCAL);
    if (library) return library;
    snprintf(problem, LLVM_PROBLEM, "%s", dlerror());
    return first == said ? NULL : dlopen(REFORMERC_LLVM_FILE, RTLD_LAZY | RTLD_LOCAL);
}

/* Functions of the API change from one major version to the next. LLVM 15 cannot be asked. */
static bool check_version(void *library, char problem[LLVM_PROBLEM]) {
    void (*get)(unsigned *major, unsigned *minor, unsigned *patch);
    unsigned major = 15, minor, patch;
    if (find(library, "LLVMGetVersion", &get)) get(&major, &minor, &patch);
    if (major == LLVM_VERSION_MAJOR) return true;
    snprintf(problem, LLVM_PROBLEM, "it is %sLLVM %u, and this build needs %d",
             get ? "" : "older than ", get ? major : 16, LLVM_VERSION_MAJOR);
    return false;
}

static bool find_functions(void *library, llvm_api_t *found, char problem[LLVM_PROBLEM]) {
    static const struct {
        const char *name;
        size_t at;
    } wanted[] = {
#define X(name) {"LLVM" #name, offsetof(llvm_api_t, name)},
#include "emit/llvm_api.def"
#undef X
    };
    for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
        if (find(library, wanted[k].name, (char *)found + wanted[k].at)) continue;
        snprintf(problem, LLVM_PROBLEM, "it has no %s", wanted[k].name);
        return false;
    }
    return true;
}

/* Those of our architectures that this LLVM has; Debian's has all. */
static void initialize_targets(void *library) {
    static const char *const of[] = {"X86", "AArch64", "WebAssembly"};
    static const char *const part[] = {"TargetInfo", "Target", "TargetMC", "AsmPrinter"};
    for (size_t k = 0; k < sizeof of / sizeof *of * (sizeof part / sizeof *part); k++) {
        char name[64];
        void (*initialize)(void);
        snprintf(name, sizeof name, "LLVMInitialize%s%s", of[k / 4], part[k % 4]);
        if (find(library, name, &initialize)) initialize();
    }
}

bool llvm_load(char problem[LLVM_PROBLEM]) {
    void *library = open_library(problem);
    if (!library) return false;
    llvm_api_t found;
    if (!check_version(library, problem) || !find_functions(library, &found, problem)) {
        dlclose(library);
        return false;
    }
    initialize_targets(library);
    llvm = found;
    return true;
}
