/* LLVM modules: functions of a Loops module, and the units that the JIT compiles: every kernel
 * and every schedule on its own, named so that debuggers and profilers tell them apart. */
#include <stddef.h>
#include <string.h>

#include "emit/llvm_int.h"
#include "support/guard.h"

static LLVMTypeRef schedule_type(const llvm_emitter_t *e) {
    LLVMTypeRef call = e->pointer;
    return llvm.FunctionType(e->nothing, &call, 1, false);
}

/* ---- functions ------------------------------------------------------------------------------- */

/* Parameters of kernels point at memory that nothing else writes while they run, and a call is only
 * read. */
static void mark_kernel(const llvm_emitter_t *e, LLVMValueRef f) {
    enum { CALL = 1, SCRATCH, ARG };
    llvm_add_attribute(e, f, CALL, "noalias", 0);
    llvm_add_attribute(e, f, CALL, "readonly", 0);
    llvm_add_attribute(e, f, SCRATCH, "noalias", 0);
    llvm_add_attribute(e, f, ARG, "noalias", 0);
    llvm_add_attribute(e, f, ARG, "readonly", 0);
}

LLVMValueRef llvm_define_function(llvm_emitter_t *e, const lfunc_t *fn, LLVMLinkage linkage) {
    bool kernel = fn->kind == FN_KERNEL;
    LLVMTypeRef type = kernel ? llvm_kernel_type(e) : schedule_type(e);
    LLVMValueRef f = llvm_declare(e, llvm_symbol(e, fn), type);
    llvm.SetLinkage(f, linkage);
    llvm_mark_function(e, f);
    llvm_mark_target(e, f, e->m->target);
    if (kernel) mark_kernel(e, f);
    llvm_define(e, fn, f);
    return f;
}

/* ---- units ----------------------------------------------------------------------------------- */

static llvm_unit_t close_unit(llvm_emitter_t *e, const char *name, arena_t *a) {
    e->written = llvm.WriteBitcodeToMemoryBuffer(e->module);
    if (!e->written) guard_no_memory(0);
    size_t n = llvm.GetBufferSize(e->written);
    llvm_unit_t u = {.name = arena_strdup(a, name),
                     .bitcode = arena_copy(a, llvm.GetBufferStart(e->written), n),
                     .bytes = n};
    llvm.DisposeMemoryBuffer(e->written);
    e->written = NULL;
    llvm_close_module(e);
    return u;
}

static bool is_unit(const lfunc_t *f) {
    return f->kind != FN_FUNC;
}

static void add_units(llvm_emitter_t *e, const module_t *m, const char *suffix, llvm_units_t *u,
                      arena_t *a) {
    for (size_t k = 0; k < m->n_funcs; k++) {
        const lfunc_t *fn = m->funcs[k];
        if (!is_unit(fn)) continue;
        llvm_open_module(e, fn->name, llvm_triple(m->target));
        llvm_use_module(e, m, suffix);
        llvm_define_function(e, fn, LLVMExternalLinkage);
        u->unit[u->n++] = close_unit(e, fn->name, a);
    }
}

const char *llvm_part_suffix(arena_t *a, const plan_t *p, int k) {
    const char *name = plan_part_name(p, k, a);
    return *name ? arena_printf(a, ".%s", name) : "";
}

void llvm_units_make(const plan_t *p, arena_t *a, llvm_units_t *u) {
    llvm_emitter_t e;
    llvm_open(&e, p->targets[0]);
    e.labels = true;
    e.instrument = p->instrument;
    int n = plan_parts(p), max = 0;
    for (int k = 0; k < n; k++) max += (int)plan_module(p, k)->n_funcs;
    *u = (llvm_units_t){.unit = ARENA_ARRAY(a, llvm_unit_t, max + 1),
                        .run = ARENA_ARRAY(a, const char *, n)};
    for (int k = 0; k < n; k++) {
        const char *suffix = llvm_part_suffix(a, p, k);
        add_units(&e, plan_module(p, k), suffix, u, a);
        u->run[k] = arena_printf(a, "reformer.schedule%s", suffix);
    }
    llvm_close(&e);
}

typedef struct {
    LLVMContextRef context;
    LLVMTargetMachineRef machine;
    LLVMMemoryBufferRef bitcode;
    LLVMModuleRef module;
} unit_job_t;

static void end_job(void *job, size_t bytes) {
    unit_job_t *j = job;
    (void)bytes;
    llvm_dispose_of(j->context, j->machine, j->module, j->bitcode);
}

bool llvm_unit_compile(const llvm_unit_t *unit, const target_t *target, sbuf_t *out, diag_t *d) {
    llvm_initialize();
    unit_job_t j = {.context = llvm.ContextCreate(), .machine = llvm_machine(target)};
    guard_own(&j, 0, end_job);
    j.bitcode =
        llvm.CreateMemoryBufferWithMemoryRange(unit->bitcode, unit->bytes, unit->name, false);
    if (!j.bitcode) guard_no_memory(unit->bytes);
    if (llvm.ParseBitcodeInContext2(j.context, j.bitcode, &j.module))
        bug("LLVM cannot read its own bitcode");
    bool ok = llvm_optimize(j.module, j.machine, d) &&
              llvm_write(j.module, j.machine, LLVMObjectFile, out, d);
    guard_disown(&j);
    end_job(&j, 0);
    return ok;
}
