/* What a piece of work has of LLVM: a context, a module, types, declarations. */
#include <string.h>

#include "emit/llvm_int.h"
#include "support/guard.h"

/* ---- types and constants --------------------------------------------------------------------- */

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

LLVMValueRef llvm_declare(llvm_emitter_t *e, const char *symbol, LLVMTypeRef type) {
    LLVMValueRef f = llvm.GetNamedFunction(e->module, symbol);
    return f ? f : llvm.AddFunction(e->module, symbol, type);
}

void llvm_add_attribute(const llvm_emitter_t *e, LLVMValueRef f, unsigned index, const char *name,
                        uint64_t value) {
    unsigned kind = llvm.GetEnumAttributeKindForName(name, strlen(name));
    llvm.AddAttributeAtIndex(f, (LLVMAttributeIndex)index,
                             llvm.CreateEnumAttribute(e->context, kind, value));
}

/* Nothing throws, and debuggers find their way up at every instruction, as in C. */
void llvm_mark_function(const llvm_emitter_t *e, LLVMValueRef f) {
    enum { EVERYWHERE = 2 };
    llvm_add_attribute(e, f, (unsigned)LLVMAttributeFunctionIndex, "nounwind", 0);
    llvm_add_attribute(e, f, (unsigned)LLVMAttributeFunctionIndex, "uwtable", EVERYWHERE);
}

/* ---- an emitter ------------------------------------------------------------------------------ */

/* What a piece of work has of LLVM; no module or bytes yet: NULL. */
void llvm_dispose_of(LLVMContextRef context, LLVMTargetMachineRef machine, LLVMModuleRef module,
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
    llvm_dispose_of(e->context, e->machine, e->module, e->written);
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
