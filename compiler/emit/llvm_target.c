/* Targets as LLVM knows them: machines, function attributes, the passes it runs, what it writes.
 *
 * Everything that makes code fast was decided in the Loops. LLVM is asked for what any compiler
 * does: common subexpressions, invariants out of loops, strength of addresses, registers. No
 * vectorizer, no fast-math, and fma only where it is written. */
#include <llvm/Config/llvm-config.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "emit/llvm_int.h"
#include "support/guard.h"
#include "support/pages.h"

static const struct {
    const char *triple, *cpu;
    LLVMRelocMode relocations;
} kinds[] = {
    [FAMILY_X86] = {"x86_64-unknown-linux-gnu", "x86-64", LLVMRelocPIC},
    [FAMILY_ARM] = {"aarch64-unknown-linux-gnu", "generic", LLVMRelocPIC},
    [FAMILY_WASM] = {"wasm32-unknown-unknown", "generic",
                     LLVMRelocStatic}, /* a module is linked as a whole */
};

static char problem[LLVM_PROBLEM]; /* why not; where a second file was found, of the first */
static bool loaded;

static void load_once(void) {
    loaded = llvm_load(problem);
    if (!loaded && !*problem) strcpy(problem, "it cannot be loaded");
}

static bool is_loaded(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* ThreadSanitizer knows no call_once */
    (void)pthread_once(&once, load_once);
    return loaded;
}

static _Noreturn void no_memory(size_t bytes) {
    (void)guard_doing("starting LLVM, which back ends c, reference and interpreter do without");
    guard_no_memory(bytes);
}

bool llvm_ready(diag_t *d) {
    enum { LIBRARY = 160 << 20 }; /* addresses, of which 10 MB are its own */
    static atomic_bool asked;
    if (!atomic_load(&asked) && !pages_are_there(LIBRARY)) no_memory(LIBRARY);
    atomic_store(&asked, true);
    if (is_loaded()) return true;
    diag_error(d, NOWHERE, "LLVM cannot be loaded: %s", problem);
    diag_hint(d,
              "install libllvm%d, or name its file in the variable REFORMERC_LLVM; back ends c, "
              "reference and interpreter, and -o FILE.c, do without",
              LLVM_VERSION_MAJOR);
    return false;
}

void llvm_initialize(void) {
    if (!is_loaded()) bug("LLVM is used that cannot be loaded: %s", problem);
}

/* Measured over the specs of this project: 7 to 13 MB on one thread, about 4 MB more for each other
 * one; a whole module takes up to a quarter of a megabyte for each of its functions. */
void llvm_ensure_memory(int threads, size_t functions) {
    enum { FIRST = 32 << 20, EACH_MORE = 8 << 20, EACH_FUNCTION = 256 << 10 };
    size_t bytes =
        FIRST + (size_t)(threads > 1 ? threads - 1 : 0) * EACH_MORE + functions * EACH_FUNCTION;
    if (!pages_are_there(bytes)) no_memory(bytes);
}

const char *llvm_triple(const target_t *t) {
    return kinds[target_family(t)].triple;
}

bool llvm_has(const target_t *t, diag_t *d) {
    LLVMTargetRef target;
    char *error = NULL;
    llvm_initialize();
    if (!llvm.GetTargetFromTriple(llvm_triple(t), &target, &error)) return true;
    llvm.DisposeMessage(error);
    diag_error(d, NOWHERE, "this LLVM was built without %s", family_name(target_family(t)));
    diag_hint(d, "write a .c file and compile it");
    return false;
}

LLVMTargetMachineRef llvm_machine(const target_t *t) {
    LLVMTargetRef target;
    char *error = NULL;
    if (llvm.GetTargetFromTriple(llvm_triple(t), &target, &error)) bug("LLVM: %s", error);
    LLVMTargetMachineRef machine = llvm.CreateTargetMachine(
        target, llvm_triple(t), kinds[target_family(t)].cpu, "", LLVMCodeGenLevelDefault,
        kinds[target_family(t)].relocations, LLVMCodeModelDefault);
    if (!machine) bug("LLVM has no machine for %s", llvm_triple(t));
    return machine;
}

/* ---- attributes ------------------------------------------------------------------------------ */

void llvm_add_text(const llvm_emitter_t *e, LLVMValueRef f, const char *key, const char *value) {
    LLVMAttributeRef a = llvm.CreateStringAttribute(e->context, key, (unsigned)strlen(key), value,
                                                    (unsigned)strlen(value));
    llvm.AddAttributeAtIndex(f, LLVMAttributeFunctionIndex, a);
}

/* "avx2,fma" → "+avx2,+fma" */
static const char *with_signs(arena_t *a, const char *features) {
    const char *text = "+";
    for (const char *p = features; *p; p++)
        text = arena_printf(a, *p == ',' ? "%s%c+" : "%s%c", text, *p);
    return text;
}

void llvm_mark_target(const llvm_emitter_t *e, LLVMValueRef function, const target_t *t) {
    const char *bits = arena_printf(e->arena, "%d", 8 * t->vector_bytes);
    if (target_features[t->id])
        llvm_add_text(e, function, "target-features", with_signs(e->arena, target_features[t->id]));
    llvm_add_text(e, function, "min-legal-vector-width", bits);
    llvm_add_text(e, function, "prefer-vector-width", bits); /* else some CPUs get halves */
}

/* ---- passes ---------------------------------------------------------------------------------- */

#if LLVM_VERSION_MAJOR >= 18
#define INSTCOMBINE "instcombine<no-verify-fixpoint>" /* else not being done is an error */
#else
#define INSTCOMBINE "instcombine"
#endif
#define PIPELINE                                                                                   \
    "function(sroa,early-cse<memssa>,loop-mssa(licm)," INSTCOMBINE                                 \
    ",early-cse<memssa>,adce,simplifycfg)"

static void dispose_error(void *text, size_t bytes) {
    (void)bytes;
    llvm.DisposeErrorMessage(text);
}

bool llvm_failed(LLVMErrorRef error, const char *what, diag_t *d) {
    if (!error) return false;
    char *text = llvm.GetErrorMessage(error);
    guard_own(text, 0, dispose_error);
    diag_error(d, NOWHERE, "LLVM cannot %s: %s", what, text);
    guard_disown(text);
    llvm.DisposeErrorMessage(text);
    return true;
}

static void check(LLVMModuleRef module) {
#ifndef NDEBUG
    char *error = NULL;
    if (llvm.VerifyModule(module, LLVMReturnStatusAction, &error)) bug("LLVM: %s", error);
    llvm.DisposeMessage(error);
#else
    (void)module;
#endif
}

bool llvm_optimize(LLVMModuleRef module, LLVMTargetMachineRef machine, diag_t *d) {
    check(module);
    LLVMPassBuilderOptionsRef o = llvm.CreatePassBuilderOptions();
    bool ok = !llvm_failed(llvm.RunPasses(module, PIPELINE, machine, o), "optimise", d);
    llvm.DisposePassBuilderOptions(o);
    return ok;
}

static void dispose_buffer(void *buffer, size_t bytes) {
    (void)bytes;
    llvm.DisposeMemoryBuffer(buffer);
}

static void dispose_message(void *message, size_t bytes) {
    (void)bytes;
    llvm.DisposeMessage(message);
}

bool llvm_write(LLVMModuleRef module, LLVMTargetMachineRef machine, LLVMCodeGenFileType type,
                sbuf_t *out, diag_t *d) {
    char *error = NULL;
    LLVMMemoryBufferRef buffer = NULL;
    if (llvm.TargetMachineEmitToMemoryBuffer(machine, module, type, &error, &buffer)) {
        guard_own(error, 0, dispose_message);
        diag_error(d, NOWHERE, "LLVM: %s", error ? error : "no code");
        guard_disown(error);
        llvm.DisposeMessage(error);
        return false;
    }
    if (!buffer) guard_no_memory(0);
    guard_own(buffer, 0, dispose_buffer);
    sbuf_write(out, llvm.GetBufferStart(buffer), llvm.GetBufferSize(buffer));
    guard_disown(buffer);
    llvm.DisposeMemoryBuffer(buffer);
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

#define TEXT_OF(x)  #x
#define VALUE_OF(x) TEXT_OF(x)

const char *llvm_compile_key(const target_t *t) {
    static const char *const keys[] = {
        [FAMILY_X86] = VALUE_OF(REFORMERC_LLVM) " " PIPELINE " x86-64",
        [FAMILY_ARM] = VALUE_OF(REFORMERC_LLVM) " " PIPELINE " aarch64",
        [FAMILY_WASM] = VALUE_OF(REFORMERC_LLVM) " " PIPELINE " wasm32"};
    return keys[target_family(t)];
}

const char *llvm_version(void) {
    return VALUE_OF(REFORMERC_LLVM);
}
