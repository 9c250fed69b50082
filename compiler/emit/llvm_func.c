/* Functions and kernels of a Loops module → LLVM functions. Values are SSA on both sides: a carried
 * value is a phi, a yield its incoming value. Pure functions are transcribed
 * where they are called. */
#include <stddef.h>
#include <string.h>

#include "emit/llvm_int.h"

static void put_block(llvm_func_t *f, const block_t *b);

static LLVMBuilderRef at(const llvm_func_t *f) {
    return f->e->builder;
}

static LLVMValueRef value_of(const llvm_func_t *f, const value_t *v) {
    return f->frame.value[v->id];
}

static void set_value(llvm_func_t *f, const value_t *v, LLVMValueRef x) {
    f->frame.value[v->id] = x;
}

static llvm_frame_t new_frame(const llvm_func_t *f, const lfunc_t *fn) {
    arena_t *a = f->e->arena;
    return (llvm_frame_t){.value = ARENA_ARRAY(a, LLVMValueRef, fn->n_values + 1),
                          .mask = ARENA_ARRAY(a, LLVMValueRef, fn->n_values + 1)};
}

static LLVMBasicBlockRef new_block(const llvm_func_t *f, const char *name) {
    return llvm.AppendBasicBlockInContext(f->e->context, f->function, name);
}

static LLVMBasicBlockRef here(const llvm_func_t *f) {
    return llvm.GetInsertBlock(at(f));
}

static void enter(const llvm_func_t *f, LLVMBasicBlockRef b) {
    llvm.PositionBuilderAtEnd(at(f), b);
}

static LLVMValueRef phi_of(const llvm_func_t *f, const value_t *v) {
    return llvm.BuildPhi(at(f), llvm_type(f->e, v->type), v->name ? v->name : "");
}

static void incoming(LLVMValueRef phi, LLVMValueRef v, LLVMBasicBlockRef from) {
    llvm.AddIncoming(phi, &v, &from, 1);
}

/* ---- loops ----------------------------------------------------------------------------------- */

/* How often a loop runs, as far as it is known. */
typedef enum { NEVER, PERHAPS, SURELY } trips_t;

static trips_t trips_of(const llvm_func_t *f, const inst_t *loop) {
    units_t u = f->e->m->units;
    if (dim_le(dim_add(loop->d, dim(1)), loop->e, u)) return SURELY;
    return dim_le(loop->e, loop->d, u) ? NEVER : PERHAPS;
}

/* The body, entered from here; leaves to `after` once next == hi. The results
 * get the yielded values. */
static void put_body(llvm_func_t *f, const inst_t *loop, LLVMValueRef lo, LLVMValueRef hi,
                     LLVMBasicBlockRef body, LLVMBasicBlockRef before, LLVMBasicBlockRef after) {
    value_t *const *args = loop->body->args;
    enter(f, body);
    set_value(f, args[0], phi_of(f, args[0]));
    incoming(value_of(f, args[0]), lo, before);
    for (int k = 0; k < loop->n_results; k++) {
        set_value(f, args[k + 1], phi_of(f, args[k + 1]));
        incoming(value_of(f, args[k + 1]), value_of(f, loop->values[k]), before);
    }
    put_block(f, loop->body);
    LLVMValueRef next = llvm.BuildNSWAdd(at(f), value_of(f, args[0]), llvm_int64(f->e, 1), "");
    LLVMValueRef more = llvm.BuildICmp(at(f), LLVMIntSLT, next, hi, "");
    LLVMBasicBlockRef last = here(f);
    llvm.BuildCondBr(at(f), more, body, after);
    incoming(value_of(f, args[0]), next, last);
    const inst_t *yield = block_yield(loop->body);
    for (int k = 0; k < loop->n_results; k++) {
        incoming(value_of(f, args[k + 1]), value_of(f, yield->values[k]), last);
        set_value(f, loop->results[k], value_of(f, yield->values[k]));
    }
}

/* Of a loop that may not run at all: what its results are then. */
static void join_results(llvm_func_t *f, const inst_t *loop, LLVMBasicBlockRef skipped,
                         LLVMBasicBlockRef ran) {
    for (int k = 0; k < loop->n_results; k++) {
        LLVMValueRef both = phi_of(f, loop->results[k]);
        incoming(both, value_of(f, loop->values[k]), skipped);
        incoming(both, value_of(f, loop->results[k]), ran);
        set_value(f, loop->results[k], both);
    }
}

static void put_for(llvm_func_t *f, const inst_t *loop) {
    trips_t trips = trips_of(f, loop);
    if (trips == NEVER) {
        for (int k = 0; k < loop->n_results; k++)
            set_value(f, loop->results[k], value_of(f, loop->values[k]));
        return;
    }
    const char *name = loop_var(loop)->name ? loop_var(loop)->name : "loop";
    LLVMBasicBlockRef before = here(f), body = new_block(f, name), after = new_block(f, "");
    LLVMValueRef lo = llvm_dim(f, loop->d), hi = llvm_dim(f, loop->e);
    if (trips == SURELY) llvm.BuildBr(at(f), body);
    else llvm.BuildCondBr(at(f), llvm.BuildICmp(at(f), LLVMIntSLT, lo, hi, ""), body, after);
    put_body(f, loop, lo, hi, body, before, after);
    LLVMBasicBlockRef last = here(f);
    llvm.MoveBasicBlockAfter(after, last);
    enter(f, after);
    if (trips == PERHAPS) join_results(f, loop, before, last);
}

/* ---- conditions ------------------------------------------------------------------------------ */

static LLVMBasicBlockRef put_branch(llvm_func_t *f, const block_t *b, LLVMBasicBlockRef begin,
                                    LLVMBasicBlockRef after) {
    llvm.MoveBasicBlockAfter(begin, here(f));
    enter(f, begin);
    if (b) put_block(f, b);
    LLVMBasicBlockRef last = here(f);
    llvm.BuildBr(at(f), after);
    return last;
}

static void put_if(llvm_func_t *f, const inst_t *i) {
    LLVMBasicBlockRef begin[2] = {new_block(f, "then"), new_block(f, "else")};
    LLVMBasicBlockRef after = new_block(f, ""), last[2];
    llvm.BuildCondBr(at(f), llvm_condition(f, i->operand[0]), begin[0], begin[1]);
    last[0] = put_branch(f, i->body, begin[0], after);
    last[1] = put_branch(f, i->otherwise, begin[1], after);
    llvm.MoveBasicBlockAfter(after, last[1]);
    enter(f, after);
    for (int k = 0; k < i->n_results; k++) {
        LLVMValueRef phi = phi_of(f, i->results[k]);
        incoming(phi, value_of(f, block_yield(i->body)->values[k]), last[0]);
        incoming(phi, value_of(f, block_yield(i->otherwise)->values[k]), last[1]);
        set_value(f, i->results[k], phi);
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void put_call(llvm_func_t *f, const inst_t *i) {
    llvm_frame_t outer = f->frame, inner = new_frame(f, i->callee);
    for (int k = 0; k < i->n_values; k++)
        inner.value[i->callee->params[k]->id] = outer.value[i->values[k]->id];
    f->frame = inner;
    put_block(f, i->callee->body);
    const block_t *body = i->callee->body;
    const inst_t *back = body->insts[body->n - 1];
    for (int k = 0; k < i->n_results; k++)
        outer.value[i->results[k]->id] = inner.value[back->values[k]->id];
    f->frame = outer;
}

static LLVMValueRef product(llvm_func_t *f, const dim_t *d, int from, int to) {
    LLVMValueRef n = llvm_int64(f->e, 1);
    for (int k = from; k < to; k++) n = llvm.BuildNSWMul(at(f), n, llvm_dim(f, d[k]), "");
    return n;
}

/* Room on the stack, one for all launches: the schedule is serial. */
static LLVMValueRef launch_args(llvm_func_t *f, const inst_t *i) {
    if (i->n_values == 0) return llvm.ConstNull(f->e->pointer);
    for (int k = 0; k < i->n_values; k++) {
        LLVMValueRef n = llvm_int64(f->e, k);
        LLVMValueRef to = llvm.BuildGEP2(at(f), f->e->i64, f->launch_args, &n, 1, "");
        llvm.BuildStore(at(f), value_of(f, i->values[k]), to);
    }
    return f->launch_args;
}

static void put_launch(llvm_func_t *f, const inst_t *i) {
    enum { PLAIN = 4, LABELLED = 6 };
    llvm_emitter_t *e = f->e;
    LLVMTypeRef params[] = {e->pointer, e->pointer, e->i64, e->pointer, e->pointer, e->i64};
    LLVMValueRef args[LABELLED] = {f->call, llvm_launched(f, i),
                                   product(f, i->callee->task_dims, 0, i->callee->n_tasks),
                                   launch_args(f, i)};
    unsigned n = e->instrument ? LABELLED : PLAIN;
    if (e->instrument) {
        const char *label = i->text ? i->text : i->callee->name;
        args[PLAIN] = llvm.BuildGlobalStringPtr(at(f), label, "label");
        args[PLAIN + 1] = i->n_operands ? value_of(f, i->operand[0]) : llvm_int64(e, -1);
    }
    const char *callee = e->instrument ? "reformer_launch_labelled" : "reformer_launch";
    LLVMTypeRef type = llvm.FunctionType(e->nothing, params, n, false);
    llvm.BuildCall2(at(f), type, llvm_declare(e, callee, type), args, n, "");
}

static LLVMValueRef shape_of(llvm_func_t *f, const buffer_t *b) {
    LLVMTypeRef type = llvm.ArrayType(f->e->i64, (unsigned)b->rank);
    LLVMBasicBlockRef now = here(f), entry = llvm.GetEntryBasicBlock(f->function);
    llvm.PositionBuilderBefore(at(f), llvm.GetFirstInstruction(entry));
    LLVMValueRef shape = llvm.BuildAlloca(at(f), type, "shape");
    enter(f, now);
    for (int k = 0; k < b->rank; k++) {
        LLVMValueRef n = llvm_int64(f->e, k);
        LLVMValueRef to = llvm.BuildGEP2(at(f), f->e->i64, shape, &n, 1, "");
        llvm.BuildStore(at(f), llvm_dim(f, b->dims[k]), to);
    }
    return shape;
}

static void put_trace(llvm_func_t *f, const inst_t *i) {
    llvm_emitter_t *e = f->e;
    LLVMTypeRef params[] = {e->pointer, e->pointer, e->i64, e->pointer, e->i32, e->pointer, e->i32};
    LLVMTypeRef type = llvm.FunctionType(e->nothing, params, 7, false);
    affine_t zero[MAX_RANK] = {{0}};
    unsigned alignment;
    const buffer_t *b = i->buffer;
    LLVMValueRef name = llvm.BuildGlobalStringPtr(at(f), i->text, "name");
    LLVMValueRef layer = i->n_values ? value_of(f, i->values[0]) : llvm_int64(e, -1);
    int dtype = b->elem == E_I32 ? REFORMER_I32 : REFORMER_F32;
    LLVMValueRef args[] = {f->call,
                           name,
                           layer,
                           llvm_address(f, b, zero, &alignment),
                           llvm.ConstInt(e->i32, (unsigned)dtype, false),
                           shape_of(f, b),
                           llvm.ConstInt(e->i32, (unsigned)b->rank, false)};
    llvm.BuildCall2(at(f), type, llvm_declare(e, "reformer_trace", type), args, 7, "");
}

static void put_ready(llvm_func_t *f, const inst_t *i) {
    llvm_emitter_t *e = f->e;
    LLVMTypeRef params[] = {e->pointer, e->i64, e->i64};
    LLVMTypeRef type = llvm.FunctionType(e->nothing, params, 3, false);
    LLVMValueRef n = llvm_int64(e, ready_elements(i->buffer));
    LLVMValueRef at_part = llvm.BuildNSWMul(at(f), value_of(f, i->values[0]), n, "");
    LLVMValueRef first =
        llvm.BuildNSWAdd(at(f), at_part, llvm_int64(e, ready_offset(i->buffer)), "");
    LLVMValueRef args[] = {f->call, first, n};
    llvm.BuildCall2(at(f), type, llvm_declare(e, "reformer_ready", type), args, 3, "");
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void put_store(llvm_func_t *f, const inst_t *i) {
    unsigned alignment;
    LLVMValueRef to = llvm_address(f, i->buffer, i->index, &alignment);
    LLVMValueRef store = llvm.BuildStore(at(f), value_of(f, i->operand[0]), to);
    llvm.SetAlignment(store, alignment);
    llvm_mark_access(f, i->buffer, store);
}

/* For reading, into the second cache: what comes next must not displace what
 * the first one is used for. */
static void put_prefetch(llvm_func_t *f, const inst_t *i) {
    enum { READ = 0, KEEP = 2, DATA = 1 };
    unsigned alignment;
    LLVMTypeRef i32 = f->e->i32;
    LLVMValueRef args[] = {llvm_address(f, i->buffer, i->index, &alignment),
                           llvm.ConstInt(i32, READ, false), llvm.ConstInt(i32, KEEP, false),
                           llvm.ConstInt(i32, DATA, false)};
    llvm_intrinsic(f, "llvm.prefetch", f->e->pointer, 4, args);
}

static void put_inst(llvm_func_t *f, const inst_t *i) {
    switch (i->op) {
    case OP_COMMENT: break;
    case OP_STORE: put_store(f, i); break;
    case OP_PREFETCH: put_prefetch(f, i); break;
    case OP_FOR: put_for(f, i); break;
    case OP_IF: put_if(f, i); break;
    case OP_CALL: put_call(f, i); break;
    case OP_LAUNCH: put_launch(f, i); break;
    case OP_TRACE: put_trace(f, i); break;
    case OP_READY: put_ready(f, i); break;
    case OP_YIELD: break;  /* the owner's */
    case OP_RETURN: break; /* the caller's */
    default: llvm_value(f, i); break;
    }
}

static void put_block(llvm_func_t *f, const block_t *b) {
    for (size_t k = 0; k < b->n; k++) put_inst(f, b->insts[k]);
}

/* ---- functions ------------------------------------------------------------------------------- */

/* task → coordinates, first dimension slowest */
static void put_tasks(llvm_func_t *f) {
    const lfunc_t *fn = f->fn;
    for (int k = 0; k < fn->n_tasks; k++) {
        LLVMValueRef inner = product(f, fn->task_dims, k + 1, fn->n_tasks);
        LLVMValueRef x = llvm.BuildUDiv(at(f), f->task, inner, "");
        if (k > 0) x = llvm.BuildURem(at(f), x, llvm_dim(f, fn->task_dims[k]), "");
        set_value(f, fn->task[k], x);
    }
}

static void put_params(llvm_func_t *f) {
    for (int k = 0; k < f->fn->n_params; k++) {
        LLVMValueRef n = llvm_int64(f->e, k);
        LLVMValueRef from = llvm.BuildGEP2(at(f), f->e->i64, f->arg, &n, 1, "");
        set_value(f, f->fn->params[k], llvm.BuildLoad2(at(f), f->e->i64, from, ""));
    }
}

static int max_launch_args(const block_t *b) {
    int max = 0;
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        int n = i->op == OP_LAUNCH ? i->n_values : 0;
        for (int branch = 0; branch < 2; branch++) {
            const block_t *inner = branch ? i->otherwise : i->body;
            int m = inner ? max_launch_args(inner) : 0;
            if (m > n) n = m;
        }
        if (n > max) max = n;
    }
    return max;
}

static void put_head(llvm_func_t *f) {
    llvm_emitter_t *e = f->e;
    if (e->m->units.max > 0) f->units = llvm_field(f, e->i64, offsetof(reformer_call_t, units));
    if (f->fn->kind == FN_KERNEL) {
        put_tasks(f);
        put_params(f);
    } else {
        unsigned n = (unsigned)max_launch_args(f->fn->body);
        f->launch_args = llvm.BuildAlloca(at(f), llvm.ArrayType(e->i64, n ? n : 1), "arg");
    }
    llvm_find_places(f);
}

void llvm_define(llvm_emitter_t *e, const lfunc_t *fn, LLVMValueRef function) {
    llvm_func_t f = {.e = e, .fn = fn, .function = function, .call = llvm.GetParam(function, 0)};
    if (fn->kind == FN_KERNEL) {
        f.scratch = llvm.GetParam(function, 1);
        f.arg = llvm.GetParam(function, 2);
        f.task = llvm.GetParam(function, 3);
    }
    f.frame = new_frame(&f, fn);
    enter(&f, new_block(&f, "entry"));
    put_head(&f);
    put_block(&f, fn->body);
    llvm.BuildRetVoid(at(&f));
}
