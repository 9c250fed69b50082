/* Symbols of kernels and schedules, and what a launch calls: the kernel, or where labels are wanted
 * a function that bears the label's name. */
#include <string.h>

#include "emit/llvm_int.h"

/* "reformer.lsh_hash", with what tells lengths and targets of one artefact apart. */
const char *llvm_symbol(llvm_emitter_t *e, const lfunc_t *fn) {
    return arena_printf(e->arena, "reformer.%s%s", fn->kind == FN_ENTRY ? "schedule" : fn->name,
                        e->suffix);
}

static LLVMValueRef declare_kernel(llvm_emitter_t *e, const lfunc_t *fn) {
    return llvm_declare(e, llvm_symbol(e, fn), llvm_kernel_type(e));
}

/* "layer#.lsh.hash", 3 → "reformer.layer3.lsh.hash". Outside of layers one label may stand for
 * several kernels, and look like another's name, so the kernel goes with it:
 * "reformer.trace.save_y1". */
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

/* A function that bears the label's name, alone or with the kernel's, and calls the kernel, with a
 * frame that debuggers and profilers find. The kernel itself is one for all layers. */
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
