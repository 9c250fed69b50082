/* LLVM modules: symbols, functions of a Loops module, and the units that the JIT compiles: every kernel
 * and every schedule on its own, named so that debuggers and profilers tell them apart. */
#include <stddef.h>
#include <string.h>

#include "emit/llvm_int.h"
#include "support/guard.h"

/* ---- types and constants ------------------------------------------------------------------------------ */

LLVMTypeRef llvm_type(const llvm_emitter_t *e, ltype_t t) {
    LLVMTypeRef scalar = e->type[t.elem];
    return t.lanes == 1 ? scalar : llvm.VectorType(scalar, (unsigned)t.lanes);
}

LLVMValueRef llvm_int64(const llvm_emitter_t *e, int64_t x) {
    return llvm.ConstInt(e->i64, (unsigned long long)x, true);
}

LLVMTypeRef llvm_kernel_type(const llvm_emitter_t *e) {
    LLVMTypeRef params[] = {e->pointer, e->pointer, e->pointer, e->i64};
    return llvm.FunctionType(e->nothing, params, 4, false);
}

static LLVMTypeRef schedule_type(const llvm_emitter_t *e) {
    LLVMTypeRef call = e->pointer;
    return llvm.FunctionType(e->nothing, &call, 1, false);
}

LLVMValueRef llvm_declare(llvm_emitter_t *e, const char *symbol, LLVMTypeRef type) {
    LLVMValueRef f = llvm.GetNamedFunction(e->module, symbol);
    return f ? f : llvm.AddFunction(e->module, symbol, type);
}

/* ---- an emitter ----------------------------------------------------------------------------------------- */

/* What a piece of work has of LLVM; no module or bytes yet: NULL. */
static void dispose_of(LLVMContextRef context, LLVMTargetMachineRef machine, LLVMModuleRef module,
                       LLVMMemoryBufferRef bytes) {
    if (module) llvm.DisposeModule(module);
    if (bytes) llvm.DisposeMemoryBuffer(bytes);
    llvm.DisposeTargetMachine(machine);
    llvm.ContextDispose(context);
}

static void dispose(void *emitter, size_t bytes) {
    llvm_emitter_t *e = emitter;
    (void)bytes;
    llvm.DisposeBuilder(e->builder);
    dispose_of(e->context, e->machine, e->module, e->written);
}

void llvm_open(llvm_emitter_t *e, const target_t *t) {
    llvm_initialize();
    LLVMContextRef c = llvm.ContextCreate();
    *e = (llvm_emitter_t){.context = c,
                          .machine = llvm_machine(t),
                          .builder = llvm.CreateBuilderInContext(c),
                          .i1 = llvm.Int1TypeInContext(c),
                          .i32 = llvm.Int32TypeInContext(c),
                          .i64 = llvm.Int64TypeInContext(c),
                          .target = t,
                          .pointer = llvm.PointerTypeInContext(c, 0),
                          .nothing = llvm.VoidTypeInContext(c)};
    guard_own(e, 0, dispose);
    e->arena = arena_new();
    e->type[E_F32] = llvm.FloatTypeInContext(c);
    e->type[E_F64] = llvm.DoubleTypeInContext(c);
    e->type[E_BF16] = llvm.Int16TypeInContext(c);
    e->type[E_I8] = e->type[E_U8] = llvm.Int8TypeInContext(c);
    e->type[E_I32] = e->i32;
    e->type[E_I64] = e->i64;
    e->size = llvm_address_bytes(t) == 4 ? e->i32 : e->i64;
}

void llvm_close(llvm_emitter_t *e) {
    guard_disown(e);
    dispose(e, 0);
    arena_free(e->arena);
}

void llvm_open_module(llvm_emitter_t *e, const char *name, const char *triple) {
    e->module = llvm.ModuleCreateWithNameInContext(name, e->context);
    LLVMTargetDataRef layout = llvm.CreateTargetDataLayout(e->machine);
    llvm.SetModuleDataLayout(e->module, layout);
    llvm.DisposeTargetData(layout);
    llvm.SetTarget(e->module, triple);
}

void llvm_close_module(llvm_emitter_t *e) {
    llvm.DisposeModule(e->module);
    e->module = NULL;
}

void llvm_use_module(llvm_emitter_t *e, const module_t *m, const char *suffix) {
    e->m = m;
    e->suffix = suffix;
    e->table = ARENA_ARRAY(e->arena, LLVMValueRef, m->n_buffers + 1);
}

/* ---- functions ------------------------------------------------------------------------------------------- */

static void add_attribute(const llvm_emitter_t *e, LLVMValueRef f, unsigned index, const char *name,
                          uint64_t value) {
    unsigned kind = llvm.GetEnumAttributeKindForName(name, strlen(name));
    llvm.AddAttributeAtIndex(f, (LLVMAttributeIndex)index,
                             llvm.CreateEnumAttribute(e->context, kind, value));
}

/* Nothing throws, and debuggers find their way up at every instruction, as in C. */
void llvm_mark_function(const llvm_emitter_t *e, LLVMValueRef f) {
    enum { EVERYWHERE = 2 };
    add_attribute(e, f, (unsigned)LLVMAttributeFunctionIndex, "nounwind", 0);
    add_attribute(e, f, (unsigned)LLVMAttributeFunctionIndex, "uwtable", EVERYWHERE);
}

/* "reformer.lsh_hash", with what tells lengths and targets of one artefact apart. */
static const char *symbol_of(llvm_emitter_t *e, const lfunc_t *fn) {
    return arena_printf(e->arena, "reformer.%s%s", fn->kind == FN_ENTRY ? "schedule" : fn->name,
                        e->suffix);
}

static LLVMValueRef declare_kernel(llvm_emitter_t *e, const lfunc_t *fn) {
    return llvm_declare(e, symbol_of(e, fn), llvm_kernel_type(e));
}

/* Parameters of kernels point at memory that nothing else writes while they run, and a call is only
 * read. */
static void mark_kernel(const llvm_emitter_t *e, LLVMValueRef f) {
    enum { CALL = 1, SCRATCH, ARG };
    add_attribute(e, f, CALL, "noalias", 0);
    add_attribute(e, f, CALL, "readonly", 0);
    add_attribute(e, f, SCRATCH, "noalias", 0);
    add_attribute(e, f, ARG, "noalias", 0);
    add_attribute(e, f, ARG, "readonly", 0);
}

LLVMValueRef llvm_define_function(llvm_emitter_t *e, const lfunc_t *fn, LLVMLinkage linkage) {
    bool kernel = fn->kind == FN_KERNEL;
    LLVMTypeRef type = kernel ? llvm_kernel_type(e) : schedule_type(e);
    LLVMValueRef f = llvm_declare(e, symbol_of(e, fn), type);
    llvm.SetLinkage(f, linkage);
    llvm_mark_function(e, f);
    llvm_mark_target(e, f, e->m->target);
    if (kernel) mark_kernel(e, f);
    llvm_define(e, fn, f);
    return f;
}

/* ---- labels ------------------------------------------------------------------------------------------------ */

/* "layer#.lsh.hash", 3 → "reformer.layer3.lsh.hash". Outside of layers one label may stand for several
 * kernels, and look like another's name, so the kernel goes with it: "reformer.trace.save_y1". */
static const char *label_symbol(llvm_emitter_t *e, const inst_t *launch, int64_t layer) {
    const char *label = launch->text, *hash = strchr(label, '#');
    if (!hash)
        return arena_printf(e->arena, "reformer.%s.%s%s", label, launch->callee->name, e->suffix);
    return arena_printf(e->arena, "reformer.%.*s%lld%s%s", (int)(hash - label), label,
                        (long long)layer, hash + 1, e->suffix);
}

/* Whether that is what a caller does. */
static bool calls(LLVMValueRef caller, LLVMValueRef kernel) {
    LLVMValueRef call = llvm.GetFirstInstruction(llvm.GetEntryBasicBlock(caller));
    return call && llvm.GetCalledValue(call) == kernel;
}

/* A function that bears the label's name, alone or with the kernel's, and calls the kernel, with a frame that debuggers and
 * profilers find. The kernel itself is one for all layers. */
static LLVMValueRef named_caller(llvm_emitter_t *e, const lfunc_t *kernel, const char *symbol) {
    LLVMValueRef f = llvm.GetNamedFunction(e->module, symbol);
    if (f && calls(f, declare_kernel(e, kernel))) return f;
    if (f) return named_caller(e, kernel, arena_printf(e->arena, "%s.%s", symbol, kernel->name));
    LLVMBasicBlockRef back = llvm.GetInsertBlock(e->builder);
    f = llvm.AddFunction(e->module, symbol, llvm_kernel_type(e));
    llvm_mark_function(e, f);
    llvm_add_text(e, f, "frame-pointer", "all");
    llvm_add_text(e, f, "disable-tail-calls", "true");
    llvm.PositionBuilderAtEnd(e->builder, llvm.AppendBasicBlockInContext(e->context, f, "entry"));
    LLVMValueRef args[4];
    llvm.GetParams(f, args);
    llvm.BuildCall2(e->builder, llvm_kernel_type(e), declare_kernel(e, kernel), args, 4, "");
    llvm.BuildRetVoid(e->builder);
    llvm.PositionBuilderAtEnd(e->builder, back);
    return f;
}

/* The callers of all layers, to be chosen from by the layer of a launch. */
static LLVMValueRef caller_table(llvm_emitter_t *e, const inst_t *launch, int64_t lo, int64_t hi) {
    int64_t n = hi - lo + 1;
    LLVMValueRef *all = ARENA_ARRAY(e->arena, LLVMValueRef, n);
    for (int64_t k = 0; k < n; k++)
        all[k] = named_caller(e, launch->callee, label_symbol(e, launch, lo + k));
    LLVMValueRef data = llvm.ConstArray(e->pointer, all, (unsigned)n);
    LLVMValueRef g = llvm.AddGlobal(e->module, llvm.TypeOf(data), launch->text);
    llvm.SetInitializer(g, data);
    llvm.SetGlobalConstant(g, true);
    llvm.SetLinkage(g, LLVMPrivateLinkage);
    return g;
}

LLVMValueRef llvm_launched(llvm_func_t *f, const inst_t *launch) {
    llvm_emitter_t *e = f->e;
    if (!e->labels || !launch->text) return declare_kernel(e, launch->callee);
    const value_t *layer = launch->n_operands ? launch->operand[0] : NULL;
    if (!layer && strcmp(launch->text, launch->callee->name) == 0)
        return declare_kernel(e, launch->callee); /* it bears the name itself */
    if (!layer) return named_caller(e, launch->callee, label_symbol(e, launch, 0));
    LLVMValueRef table = caller_table(e, launch, layer->lo.c, layer->hi.c);
    LLVMValueRef at =
        llvm.BuildNSWSub(e->builder, f->frame.value[layer->id], llvm_int64(e, layer->lo.c), "");
    LLVMValueRef p = llvm.BuildGEP2(e->builder, e->pointer, table, &at, 1, "");
    return llvm.BuildLoad2(e->builder, e->pointer, p, "");
}

/* ---- units -------------------------------------------------------------------------------------------------- */

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
    int n = plan_parts(p), most = 0;
    for (int k = 0; k < n; k++) most += (int)plan_module(p, k)->n_funcs;
    *u = (llvm_units_t){.unit = ARENA_ARRAY(a, llvm_unit_t, most + 1),
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
    dispose_of(j->context, j->machine, j->module, j->bitcode);
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
