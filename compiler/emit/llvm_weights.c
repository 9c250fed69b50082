/* Weights in the object (--embed-weights) of what LLVM writes: objects hold their bytes, texts take
 * them from the file when they are assembled. */
#include <string.h>

#include "emit/llvm_int.h"

static LLVMValueRef bytes_constant(llvm_emitter_t *e, const char *prefix, const emit_weights_t *w) {
    LLVMValueRef data = llvm.ConstStringInContext(e->context, w->data, (unsigned)w->bytes, true);
    LLVMValueRef g = llvm.AddGlobal(e->module, llvm.TypeOf(data),
                                    arena_printf(e->arena, "%s_weights_begin", prefix));
    llvm.SetInitializer(g, data);
    llvm.SetGlobalConstant(g, true);
    llvm.SetLinkage(g, LLVMInternalLinkage);
    llvm.SetAlignment(g, 64);
    llvm.SetSection(g, arena_printf(e->arena, ".rodata.%s_weights", prefix));
    return g;
}

static LLVMValueRef outer_symbol(llvm_emitter_t *e, const char *name) {
    LLVMValueRef g = llvm.AddGlobal(e->module, e->type[E_I8], name);
    llvm.SetGlobalConstant(g, true);
    llvm.SetLinkage(g, LLVMExternalLinkage);
    llvm.SetVisibility(g, LLVMHiddenVisibility);
    return g;
}

static LLVMValueRef address(llvm_emitter_t *e, LLVMValueRef symbol) {
    return llvm.BuildPtrToInt(e->builder, symbol, e->i64, "");
}

void llvm_put_weights(llvm_emitter_t *e, const char *prefix, llvm_form_t form,
                      const emit_weights_t *w) {
    LLVMTypeRef type = llvm.FunctionType(e->pointer, &e->pointer, 1, false);
    LLVMValueRef f =
        llvm.AddFunction(e->module, arena_printf(e->arena, "%s_embedded_weights", prefix), type);
    llvm_mark_function(e, f);
    LLVMBasicBlockRef entry = llvm.AppendBasicBlockInContext(e->context, f, "entry");
    LLVMBasicBlockRef tell = llvm.AppendBasicBlockInContext(e->context, f, "tell");
    LLVMBasicBlockRef done = llvm.AppendBasicBlockInContext(e->context, f, "done");
    llvm.PositionBuilderAtEnd(e->builder, entry);
    LLVMValueRef begin, bytes, to = llvm.GetParam(f, 0);
    if (form == LLVM_OBJECT) {
        begin = bytes_constant(e, prefix, w);
        bytes = llvm.ConstInt(e->i64, w->bytes, false);
    } else {
        begin = outer_symbol(e, arena_printf(e->arena, "%s_weights_begin", prefix));
        LLVMValueRef end = outer_symbol(e, arena_printf(e->arena, "%s_weights_end", prefix));
        bytes = llvm.BuildSub(e->builder, address(e, end), address(e, begin), "");
    }
    LLVMValueRef none = llvm.BuildICmp(e->builder, LLVMIntEQ, to, llvm.ConstNull(e->pointer), "");
    llvm.BuildCondBr(e->builder, none, done, tell);
    llvm.PositionBuilderAtEnd(e->builder, tell);
    llvm.BuildStore(e->builder, bytes, to);
    llvm.BuildBr(e->builder, done);
    llvm.PositionBuilderAtEnd(e->builder, done);
    llvm.BuildRet(e->builder, begin);
}

void llvm_put_weights_section(llvm_emitter_t *e, const char *prefix, const emit_weights_t *w) {
    const char *text = emit_weights_section(e->arena, prefix, w->file);
    llvm.AppendModuleInlineAsm(e->module, text, strlen(text));
}
