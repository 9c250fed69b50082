/* Addresses. In: buffers with literal or linear shapes, affine indices. Out: pointers, with what
 * the loop IR knows and LLVM could not find out: which accesses never meet (scoped noalias
 * metadata, a scope per buffer of a function) and how far an address is aligned. */
#include <string.h>

#include "emit/llvm_int.h"

enum { WIDEST = 64 }; /* weights, workspace and scratch are aligned to it */

/* ---- integers -------------------------------------------------------------------------------- */

LLVMValueRef llvm_dim(const llvm_func_t *f, dim_t d) {
    LLVMValueRef c = llvm_int64(f->e, d.c);
    if (d.u == 0) return c;
    if (!f->units) bug("%s: a symbolic size without a symbol", f->fn->name);
    LLVMBuilderRef b = f->e->builder;
    LLVMValueRef x = llvm.BuildNSWMul(b, f->units, llvm_int64(f->e, d.u), "");
    return d.c ? llvm.BuildNSWAdd(b, x, c, "") : x;
}

static LLVMValueRef as_index(llvm_func_t *f, const value_t *v) {
    LLVMValueRef x = f->frame.value[v->id];
    return v->type.elem == E_I64 ? x : llvm.BuildSExt(f->e->builder, x, f->e->i64, "");
}

static LLVMValueRef times(llvm_func_t *f, LLVMValueRef x, LLVMValueRef by) {
    bool one = llvm.IsAConstantInt(by) && llvm.ConstIntGetSExtValue(by) == 1;
    return one ? x : llvm.BuildNSWMul(f->e->builder, x, by, "");
}

static LLVMValueRef plus(llvm_func_t *f, LLVMValueRef sum, LLVMValueRef x) {
    return sum ? llvm.BuildNSWAdd(f->e->builder, sum, x, "") : x;
}

LLVMValueRef llvm_affine(llvm_func_t *f, const affine_t *x) {
    LLVMValueRef sum = NULL;
    for (int k = 0; k < x->n; k++)
        sum = plus(f, sum, times(f, as_index(f, x->term[k].value), llvm_dim(f, x->term[k].coef)));
    bool zero = x->base.c == 0 && x->base.u == 0;
    return sum && zero ? sum : plus(f, sum, llvm_dim(f, x->base));
}

/* ---- buffers --------------------------------------------------------------------------------- */

static llvm_place_t *place_of(const llvm_func_t *f, const buffer_t *b) {
    for (size_t k = 0; k < f->n_places; k++)
        if (f->place[k].buffer == b) return &f->place[k];
    bug("%s: buffer '%s' has no place", f->fn->name, b->name);
}

LLVMValueRef llvm_field(llvm_func_t *f, LLVMTypeRef type, size_t offset) {
    LLVMTypeRef byte = f->e->type[E_I8];
    size_t there = llvm_offset(&llvm_call_layout, offset, f->e->target);
    LLVMValueRef at = llvm_int64(f->e, (int64_t)there);
    LLVMValueRef p = llvm.BuildGEP2(f->e->builder, byte, f->call, &at, 1, "");
    LLVMValueRef load = llvm.BuildLoad2(f->e->builder, type, p, "");
    static const char invariant[] = "invariant.load"; /* a call does not change while it runs */
    unsigned kind = llvm.GetMDKindIDInContext(f->e->context, invariant, sizeof invariant - 1);
    LLVMMetadataRef none = llvm.MDNodeInContext2(f->e->context, NULL, 0);
    llvm.SetMetadata(load, kind, llvm.MetadataAsValue(f->e->context, none));
    return load;
}

static LLVMValueRef table_of(llvm_func_t *f, const buffer_t *b) {
    llvm_emitter_t *e = f->e;
    if (e->table[b->id]) return e->table[b->id];
    int64_t n = 1;
    for (int k = 0; k < b->rank; k++) n *= b->dims[k].c;
    LLVMValueRef *all = ARENA_ARRAY(e->arena, LLVMValueRef, n);
    for (int64_t k = 0; k < n; k++) all[k] = llvm.ConstInt(e->i32, (uint32_t)b->data[k], true);
    LLVMValueRef data = llvm.ConstArray(e->i32, all, (unsigned)n);
    LLVMValueRef g = llvm.AddGlobal(e->module, llvm.TypeOf(data),
                                    arena_printf(e->arena, "%s%s", b->name, e->suffix));
    llvm.SetInitializer(g, data);
    llvm.SetGlobalConstant(g, true);
    llvm.SetLinkage(g, LLVMInternalLinkage);
    llvm.SetAlignment(g, WIDEST);
    return e->table[b->id] = g;
}

static LLVMValueRef base_of(llvm_func_t *f, const buffer_t *b) {
    llvm_emitter_t *e = f->e;
    LLVMValueRef base;
    switch (b->kind) {
    case BUF_TABLE: return table_of(f, b);
    case BUF_INPUT:
    case BUF_OUTPUT:
    case BUF_STATE:
        base = llvm_field(f, e->pointer,
                          offsetof(reformer_call_t, slot) + (size_t)b->slot * sizeof(void *));
        if (b->offset.c == 0 && b->offset.u == 0) return base;
        break;
    case BUF_WEIGHTS: base = llvm_field(f, e->pointer, offsetof(reformer_call_t, weights)); break;
    case BUF_WORKSPACE:
        base = llvm_field(f, e->pointer, offsetof(reformer_call_t, workspace));
        break;
    default: base = f->scratch; break;
    }
    LLVMValueRef at = llvm_dim(f, b->offset);
    return llvm.BuildInBoundsGEP2(e->builder, e->type[E_I8], base, &at, 1, "");
}

/* ---- what never meets ------------------------------------------------------------------------ */

/* A scope is a node of its name and its domain; both are known by their names. */
static LLVMMetadataRef new_scope(llvm_func_t *f, LLVMMetadataRef domain, const char *name) {
    LLVMContextRef c = f->e->context;
    LLVMMetadataRef parts[] = {llvm.MDStringInContext2(c, name, strlen(name)), domain};
    return llvm.MDNodeInContext2(c, parts, domain ? 2 : 1);
}

static void make_scopes(llvm_func_t *f) {
    arena_t *a = f->e->arena;
    const char *own = llvm.GetValueName2(f->function, &(size_t){0});
    LLVMMetadataRef domain = new_scope(f, NULL, own);
    LLVMMetadataRef *scope = ARENA_ARRAY(a, LLVMMetadataRef, f->n_places + 1);
    LLVMMetadataRef *apart = ARENA_ARRAY(a, LLVMMetadataRef, f->n_places + 1);
    for (size_t k = 0; k < f->n_places; k++)
        scope[k] = new_scope(f, domain, arena_printf(a, "%s %s", own, f->place[k].buffer->name));
    for (size_t k = 0; k < f->n_places; k++) {
        size_t n = 0;
        for (size_t j = 0; j < f->n_places; j++)
            if (buffers_disjoint(f->place[k].buffer, f->place[j].buffer, f->e->m->units))
                apart[n++] = scope[j];
        f->place[k].scope = llvm.MDNodeInContext2(f->e->context, &scope[k], 1);
        f->place[k].apart = n ? llvm.MDNodeInContext2(f->e->context, apart, n) : NULL;
    }
}

static void mark(const llvm_func_t *f, LLVMValueRef access, const char *kind, LLVMMetadataRef md) {
    unsigned id = llvm.GetMDKindIDInContext(f->e->context, kind, (unsigned)strlen(kind));
    if (md) llvm.SetMetadata(access, id, llvm.MetadataAsValue(f->e->context, md));
}

void llvm_mark_access(llvm_func_t *f, const buffer_t *b, LLVMValueRef access) {
    const llvm_place_t *p = place_of(f, b);
    mark(f, access, "alias.scope", p->scope);
    mark(f, access, "noalias", p->apart);
}

static void add_places(llvm_func_t *f, const block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        size_t n = 0;
        while (n < f->n_places && f->place[n].buffer != i->buffer) n++;
        if (i->buffer && n == f->n_places)
            ARENA_PUSH(f->e->arena, f->place, f->n_places, f->cap_places) =
                (llvm_place_t){.buffer = i->buffer};
        if (i->body) add_places(f, i->body);
        if (i->otherwise) add_places(f, i->otherwise);
    }
}

void llvm_find_places(llvm_func_t *f) {
    add_places(f, f->fn->body);
    for (size_t k = 0; k < f->n_places; k++) f->place[k].base = base_of(f, f->place[k].buffer);
    make_scopes(f);
}

/* ---- elements -------------------------------------------------------------------------------- */

static int64_t gcd(int64_t a, int64_t b) {
    if (a < 0) a = -a;
    while (b) {
        int64_t r = a % (b < 0 ? -b : b);
        a = b < 0 ? -b : b;
        b = r;
    }
    return a;
}

/* An address as it grows: base + sum of values + constant, in elements; `known` divides the whole
 * of it, in bytes. The constant is kept apart, so that it ends up in the instruction. */
typedef struct {
    LLVMValueRef sum;
    int64_t constant, known;
} llvm_sum_t;

/* c + u * U, of the right number of bytes */
static void note(llvm_sum_t *x, dim_t d, int64_t stride_gcd, int64_t bytes) {
    x->known = gcd(x->known, d.c * stride_gcd * bytes);
    x->known = gcd(x->known, d.u * stride_gcd * bytes);
}

/* Literal product of the dimensions behind k, or the gcd of what it can be. */
static int64_t stride_divisor(const buffer_t *b, int k) {
    int64_t s = 1;
    for (int j = k + 1; j < b->rank; j++) s *= gcd(b->dims[j].c, b->dims[j].u);
    return s;
}

static LLVMValueRef stride_value(llvm_func_t *f, const buffer_t *b, int k) {
    LLVMValueRef s = llvm_int64(f->e, 1);
    for (int j = k + 1; j < b->rank; j++) s = times(f, llvm_dim(f, b->dims[j]), s);
    return s;
}

static void add_dimension(llvm_func_t *f, llvm_sum_t *x, const buffer_t *b, int k,
                          const affine_t *i) {
    LLVMValueRef stride = stride_value(f, b, k);
    int64_t divisor = stride_divisor(b, k), bytes = elem_bytes(b->elem);
    for (int t = 0; t < i->n; t++) {
        LLVMValueRef by = times(f, llvm_dim(f, i->term[t].coef), stride);
        x->sum = plus(f, x->sum, times(f, as_index(f, i->term[t].value), by));
        note(x, i->term[t].coef, divisor, bytes);
    }
    note(x, i->base, divisor, bytes);
    if (i->base.u == 0 && llvm.IsAConstantInt(stride))
        x->constant += i->base.c * llvm.ConstIntGetSExtValue(stride);
    else x->sum = plus(f, x->sum, times(f, llvm_dim(f, i->base), stride));
}

/* Memory of products is aligned to its type only, but for caches. */
static int64_t base_alignment(const buffer_t *b) {
    if (b->kind == BUF_STATE) return WIDEST;
    if (b->kind == BUF_INPUT || b->kind == BUF_OUTPUT) return elem_bytes(b->elem);
    return gcd(gcd(WIDEST, b->offset.c), b->offset.u);
}

LLVMValueRef llvm_address(llvm_func_t *f, const buffer_t *b, const affine_t *index,
                          unsigned *alignment) {
    LLVMTypeRef elem = f->e->type[b->elem];
    LLVMValueRef p = place_of(f, b)->base;
    llvm_sum_t x = {.known = base_alignment(b)};
    for (int k = 0; k < b->rank; k++) add_dimension(f, &x, b, k, &index[k]);
    /* the sum alone may lie outside: no promise about it */
    if (x.sum) p = llvm.BuildGEP2(f->e->builder, elem, p, &x.sum, 1, "");
    LLVMValueRef constant = llvm_int64(f->e, x.constant);
    if (x.constant) p = llvm.BuildGEP2(f->e->builder, elem, p, &constant, 1, "");
    *alignment = (unsigned)x.known;
    return p;
}
