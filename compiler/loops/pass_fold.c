/* Folding: constants, identities, ranges, indices.
 *
 * In: a verified module (value ranges are used). Out: the same, bit for bit, with ops on constants
 * computed, ops that change nothing removed, ifs of constants decided, loops of one trip dissolved,
 * index arithmetic gathered into the affine expressions of accesses. An integer whose range is one
 * point is that constant: a task of one, a comparison that ranges decide. Identities are exact ones
 * only: x + 0.0 is no identity (-0.0), x + -0.0 is; nothing is folded to a NaN, whose bits machines
 * choose. One walk forwards: in SSA what an instruction uses has been folded before it. */
#include "loops/fold.h"

typedef struct {
    module_t *m;
    lfunc_t *fn;
    arena_t *scratch;
    value_t **same; /* by id: what a value was replaced by, or NULL */
} fold_t;

static void resolve(void *ctx, value_t **use) {
    fold_t *f = ctx;
    if (f->same[(*use)->id]) *use = f->same[(*use)->id];
}

/* ---- indices --------------------------------------------------------------------------------- */

static affine_t difference(affine_t a, affine_t b) {
    return ax_add(a, ax_scale(b, -1));
}

/* The affine expression that a value is, of values defined before it. i64 sums wrap as indices do;
 * those of i32 do not, and are left alone. */
static bool expand(const value_t *v, affine_t *a) {
    const inst_t *d = v->def;
    if (!d || d->result != v) return false;
    if (d->op == OP_CONST) {
        *a = ax(d->i);
        return true;
    }
    if (v->type.elem != E_I64) return false;
    value_t *x = d->operand[0], *y = d->operand[1];
    switch (d->op) {
    case OP_INDEX: *a = *d->index; return true;
    case OP_ADD: *a = ax_add(ax_v(x), ax_v(y)); return true;
    case OP_SUB: *a = difference(ax_v(x), ax_v(y)); return true;
    case OP_NEG: *a = ax_scale(ax_v(x), -1); return true;
    case OP_MUL:
        if (fold_constant(x)) *a = ax_scale(ax_v(y), fold_constant(x)->i);
        else if (fold_constant(y)) *a = ax_scale(ax_v(x), fold_constant(y)->i);
        else return false;
        return true;
    case OP_SHL:
        if (d->i > 40) return false;
        *a = ax_scale(ax_v(x), (int64_t)1 << d->i);
        return true;
    case OP_CONVERT:
        if (x->type.elem != E_I32) return false;
        *a = ax_v(x);
        return true;
    default: return false;
    }
}

static bool scale_fits(affine_t *a, dim_t k, units_t u) {
    bool fits = dim_mul(a->base, k, u, &a->base);
    for (int t = 0; t < a->n; t++) fits = fits && dim_mul(a->term[t].coef, k, u, &a->term[t].coef);
    return fits;
}

static bool affine_fits(const affine_t *a, units_t u) {
    bool fits = dim_fits(a->base, u);
    for (int t = 0; t < a->n; t++) fits = fits && dim_fits(a->term[t].coef, u);
    return fits;
}

/* Puts what a term's value is in place of the term. False: there is nothing to put, or no room. */
static bool absorb_term(affine_t *a, int t, units_t u) {
    affine_t inner = {0}, rest = *a;
    if (!expand(a->term[t].value, &inner) || a->n - 1 + inner.n > AFFINE_TERMS) return false;
    if (!scale_fits(&inner, a->term[t].coef, u)) return false;
    rest.n--;
    for (int k = t; k < rest.n; k++) rest.term[k] = a->term[k + 1];
    rest = ax_add(rest, inner);
    if (!affine_fits(&rest, u)) return false;
    *a = rest;
    return true;
}

static void gather_index(affine_t *a, units_t u) {
    for (int t = 0; t < a->n;) {
        if (absorb_term(a, t, u)) t = 0; /* ends: what is put in was defined earlier */
        else t++;
    }
}

/* ---- the walk -------------------------------------------------------------------------------- */

typedef struct {
    inst_t **list;
    size_t n, cap;
} insts_t;

static void fold_block(fold_t *f, block_t *b);
static void fold_into(fold_t *f, block_t *home, const block_t *b, insts_t *out);

static void equate(fold_t *f, value_t *const *results, value_t *const *values, int n) {
    for (int k = 0; k < n; k++) {
        value_t *v = values[k];
        resolve(f, &v);
        f->same[results[k]->id] = v;
    }
}

/* An if of a constant becomes the instructions of the block it takes. */
static bool decide_if(fold_t *f, block_t *home, inst_t *i, insts_t *out) {
    const inst_t *c = i->op == OP_IF ? fold_constant(i->operand[0]) : NULL;
    if (!c) return false;
    const block_t *b = c->i ? i->body : i->otherwise;
    fold_into(f, home, b, out);
    if (i->n_results) equate(f, i->results, b->insts[b->n - 1]->values, i->n_results);
    return true;
}

/* A constant of the value of `v`, at the end of what has been folded so far. */
static value_t *put_known(fold_t *f, block_t *home, const value_t *v, dim_t is, insts_t *out) {
    inst_t *c = ARENA_NEW(f->m->arena, inst_t);
    c->op = dim_literal(is) ? OP_CONST : OP_INDEX;
    c->parent = home;
    c->result = value_new(f->m, f->fn, v->type, c, NULL);
    if (dim_literal(is)) {
        c->i = is.c;
    } else {
        c->index = ARENA_NEW(f->m->arena, affine_t);
        c->index->base = is;
        c->n_index = 1;
    }
    c->result->bounded = true;
    c->result->lo = c->result->hi = is;
    ARENA_PUSH(f->m->arena, out->list, out->n, out->cap) = c;
    return c->result;
}

/* The integer that a value always is. */
static bool is_point(const value_t *v) {
    return v->bounded && dim_literal(v->lo) && dim_equal(v->lo, v->hi);
}

/* Parameters, tasks and results of structure that can only be one integer are that integer. */
static void pin(fold_t *f, block_t *home, value_t *const *v, int n, insts_t *out) {
    for (int k = 0; k < n; k++)
        if (!f->same[v[k]->id] && is_point(v[k]))
            f->same[v[k]->id] = put_known(f, home, v[k], v[k]->lo, out);
}

/* A loop of one trip becomes its body. */
static bool dissolve_loop(fold_t *f, block_t *home, inst_t *i, insts_t *out) {
    if (i->op != OP_FOR || !dim_equal(dim_add(i->d, dim(1)), i->e)) return false;
    const block_t *b = i->body;
    f->same[b->args[0]->id] = put_known(f, home, b->args[0], i->d, out);
    equate(f, b->args + 1, i->values, i->n_results);
    fold_into(f, home, b, out);
    if (i->n_results) equate(f, i->results, b->insts[b->n - 1]->values, i->n_results);
    return true;
}

/* A loop that never runs passes on what it got. */
static bool drop_loop(fold_t *f, inst_t *i) {
    if (i->op != OP_FOR || !dim_le(i->e, i->d, f->m->units)) return false;
    equate(f, i->results, i->values, i->n_results);
    return true;
}

/* What stands at a place of a table that is the same for every U. */
static bool read_table(inst_t *i) {
    const buffer_t *b = i->buffer;
    int64_t at = 0;
    if (i->op != OP_LOAD || b->kind != BUF_TABLE || i->result->type.lanes > 1) return false;
    for (int d = 0; d < i->n_index; d++) {
        if (i->index[d].n > 0 || !dim_literal(i->index[d].base)) return false;
        at = at * b->dims[d].c + i->index[d].base.c;
    }
    i->buffer = NULL;
    return fold_become_int(i, b->data[at]);
}

/* An index in place of a division. */
static void divide_sum(fold_t *f, inst_t *i) {
    affine_t is;
    if ((i->op != OP_IDIV && i->op != OP_IREM) || !fold_quotient(i, &is)) return;
    i->op = OP_INDEX;
    i->n_operands = 0;
    i->d = dim(0);
    i->index = arena_copy(f->m->arena, &is, sizeof is);
    i->n_index = 1;
}

static void fold_plain(fold_t *f, inst_t *i) {
    for (int d = 0; d < i->n_index; d++) gather_index(&i->index[d], f->m->units);
    if (fold_constants(i) || read_table(i)) return;
    divide_sum(f, i);
    value_t *v = fold_identity(i, f->m->units);
    if (v) f->same[i->result->id] = v;
    else if (i->result && op_info[i->op].pure && is_point(i->result))
        fold_become_int(i, i->result->lo.c);
}

static void fold_into(fold_t *f, block_t *home, const block_t *b, insts_t *out) {
    for (size_t k = 0; k < b->n; k++) {
        inst_t *i = b->insts[k];
        if (home != b && i->op == OP_YIELD) break;
        walk_uses(i, resolve, f);
        if (decide_if(f, home, i, out) || drop_loop(f, i) || dissolve_loop(f, home, i, out))
            continue;
        if (i->body) fold_block(f, i->body);
        if (i->otherwise) fold_block(f, i->otherwise);
        if (!i->body) fold_plain(f, i);
        i->parent = home;
        if (i->result && f->same[i->result->id]) continue;
        ARENA_PUSH(f->m->arena, out->list, out->n, out->cap) = i;
        pin(f, home, i->results, i->n_results, out);
    }
}

static void close_block(block_t *b, const insts_t *out) {
    b->insts = out->list;
    b->n = out->n;
    b->cap = out->cap;
}

static void fold_block(fold_t *f, block_t *b) {
    insts_t out = {0};
    fold_into(f, b, b, &out);
    close_block(b, &out);
}

static void fold_func(fold_t *f) {
    insts_t out = {0};
    block_t *body = f->fn->body;
    pin(f, body, f->fn->params, f->fn->n_params, &out);
    pin(f, body, f->fn->task, f->fn->n_tasks, &out);
    fold_into(f, body, body, &out);
    close_block(body, &out);
}

/* Each value may ask for one constant that stands for it. */
void pass_fold(module_t *m) {
    for (size_t k = 0; k < m->n_funcs; k++) {
        fold_t f = {.m = m, .fn = m->funcs[k], .scratch = arena_new()};
        f.same = ARENA_ARRAY(f.scratch, value_t *, 2 * f.fn->n_values);
        fold_func(&f);
        arena_free(f.scratch);
    }
}
