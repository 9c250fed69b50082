/* Objects → code in this process, by ORC's LLJIT. The objects come compiled (llvm_unit_compile), so
 * all that happens here is linking: to each other, to the runtime of this process, to libc's memory
 * functions. Names: gdb learns them through LLVM's registration listener, perf through a map. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "emit/llvm_int.h"
#include "support/guard.h"
#include "support/heap.h"

struct jit {
    LLVMOrcLLJITRef lljit;
};

/* ---- what compiled code calls ---------------------------------------------------------------- */

typedef void function_t(void);

static const struct {
    const char *name;
    function_t *function;
} provided[] = {
    {"reformer_launch", (function_t *)reformer_launch},
    {"reformer_launch_labelled", (function_t *)reformer_launch_labelled},
    {"reformer_trace", (function_t *)reformer_trace},
    {"reformer_ready", (function_t *)reformer_ready},
    {"memcpy", (function_t *)memcpy},
    {"memmove", (function_t *)memmove},
    {"memset", (function_t *)memset},
};
enum { N_PROVIDED = sizeof provided / sizeof *provided };

static bool provide(LLVMOrcLLJITRef j, diag_t *d) {
    LLVMOrcCSymbolMapPair pairs[N_PROVIDED];
    for (int k = 0; k < N_PROVIDED; k++) {
        LLVMJITEvaluatedSymbol s = {
            .Address = (LLVMOrcExecutorAddress)(uintptr_t)provided[k].function,
            .Flags = {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0}};
        pairs[k] = (LLVMOrcCSymbolMapPair){llvm.OrcLLJITMangleAndIntern(j, provided[k].name), s};
    }
    LLVMOrcMaterializationUnitRef unit = llvm.OrcAbsoluteSymbols(pairs, N_PROVIDED);
    return !llvm_failed(llvm.OrcJITDylibDefine(llvm.OrcLLJITGetMainJITDylib(j), unit), "link", d);
}

/* ---- the linker ------------------------------------------------------------------------------ */

static LLVMOrcObjectLayerRef new_layer(void *ctx, LLVMOrcExecutionSessionRef session,
                                       const char *triple) {
    (void)ctx, (void)triple;
    LLVMOrcObjectLayerRef layer =
        llvm.OrcCreateRTDyldObjectLinkingLayerWithSectionMemoryManager(session);
    llvm.OrcRTDyldObjectLinkingLayerRegisterJITEventListener(layer,
                                                             llvm.CreateGDBRegistrationListener());
    return layer;
}

static LLVMOrcLLJITRef new_lljit(diag_t *d) {
    llvm_initialize();
    LLVMOrcLLJITBuilderRef builder = llvm.OrcCreateLLJITBuilder();
    llvm.OrcLLJITBuilderSetObjectLinkingLayerCreator(builder, new_layer, NULL);
    LLVMOrcLLJITRef j = NULL;
    return llvm_failed(llvm.OrcCreateLLJIT(&j, builder), "start", d) ? NULL : j;
}

/* LLVM's own copy, never NULL. */
static LLVMMemoryBufferRef copy_of(const sbuf_t *object) {
    LLVMMemoryBufferRef copy =
        llvm.CreateMemoryBufferWithMemoryRangeCopy(object->data, object->size, "unit");
    if (!copy) guard_no_memory(object->size);
    return copy;
}

static bool add_object(LLVMOrcLLJITRef j, const sbuf_t *object, diag_t *d) {
    LLVMMemoryBufferRef copy = copy_of(object);
    return !llvm_failed(llvm.OrcLLJITAddObjectFile(j, llvm.OrcLLJITGetMainJITDylib(j), copy),
                        "link", d);
}

static bool find_address(LLVMOrcLLJITRef j, const char *symbol, uint64_t *address, diag_t *d) {
    LLVMOrcExecutorAddress a = 0;
    if (llvm_failed(llvm.OrcLLJITLookup(j, &a, symbol), "link", d)) return false;
    *address = a;
    return true;
}

/* ---- names for perf -------------------------------------------------------------------------- */

/* A line per exported function: address, size, name. Objects tell sizes, the linker addresses. */
static bool map_object(LLVMOrcLLJITRef j, const sbuf_t *object, FILE *out, diag_t *d) {
    LLVMMemoryBufferRef copy = copy_of(object);
    char *error = NULL;
    LLVMBinaryRef binary = llvm.CreateBinary(copy, NULL, &error);
    if (!binary) bug("LLVM: an object of ours: %s", error);
    LLVMSymbolIteratorRef s = llvm.ObjectFileCopySymbolIterator(binary);
    bool ok = true;
    for (; ok && !llvm.ObjectFileIsSymbolIteratorAtEnd(binary, s); llvm.MoveToNextSymbol(s)) {
        const char *name = llvm.GetSymbolName(s);
        uint64_t at, size = llvm.GetSymbolSize(s);
        if (strncmp(name, "reformer.", 9) != 0 || size == 0) continue;
        ok = find_address(j, name, &at, d);
        if (ok) fprintf(out, "%" PRIx64 " %" PRIx64 " %s\n", at, size, name);
    }
    llvm.DisposeSymbolIterator(s);
    llvm.DisposeBinary(binary);
    llvm.DisposeMemoryBuffer(copy);
    return ok;
}

static bool write_map(LLVMOrcLLJITRef j, const sbuf_t *objects, int n, diag_t *d) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    /* several models of one process share it; in a folder of everybody's, no link is followed */
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "a");
    if (!out) {
        diag_error(d, IN_FILE(path), "cannot write: %s", strerror(errno));
        return false;
    }
    bool ok = true;
    for (int k = 0; ok && k < n; k++) ok = map_object(j, &objects[k], out, d);
    if (fclose(out) == 0 || !ok) return ok;
    diag_error(d, IN_FILE(path), "cannot write: %s", strerror(errno));
    return false;
}

/* ---- the interface --------------------------------------------------------------------------- */

static void give_up(void *jit, size_t bytes) {
    (void)bytes;
    jit_free(jit);
}

jit_t *jit_link(const sbuf_t *objects, int n, bool perf_map, diag_t *d) {
    jit_t *j = heap_new_thing(sizeof *j, give_up);
    j->lljit = new_lljit(d);
    bool ok = j->lljit && provide(j->lljit, d);
    for (int k = 0; ok && k < n; k++) ok = add_object(j->lljit, &objects[k], d);
    ok = ok && (!perf_map || write_map(j->lljit, objects, n, d));
    if (ok) return j;
    jit_free(j);
    return NULL;
}

schedule_fn *jit_schedule(const jit_t *j, const char *symbol, diag_t *d) {
    uint64_t address;
    if (!find_address(j->lljit, symbol, &address, d)) return NULL;
    return (schedule_fn *)(uintptr_t)address;
}

void jit_free(jit_t *j) {
    if (!j) return;
    if (j->lljit) {
        LLVMErrorRef e = llvm.OrcDisposeLLJIT(j->lljit);
        if (e) llvm.ConsumeError(e); /* there is nothing that anybody could do about it */
    }
    heap_free(j);
}
