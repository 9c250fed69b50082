/* Folding: constants, identities, indices.
 *
 * In: a verified module (value ranges are used). Out: the same, bit for bit, with ops on constants
 * computed, ops that change nothing removed, ifs of constants decided, index arithmetic gathered
 * into the affine expressions of accesses. Identities are exact ones only: x + 0.0 is no identity
 * (-0.0), x + -0.0 is; nothing is folded to a NaN, whose bits machines choose. One walk forwards:
 * in SSA what an instruction uses has been folded before it. */
#include <math.h>
#include <string.h>

#include "loops/arith.h"

typedef struct {
    module_t *m;
    arena_t *scratch;
    value_t **same; /* [n_values]: what a value was replaced by, or NULL */
} fold_t;

static void resolve(void *ctx, value_t **use) {
    fold_t *f = ctx;
    if (f->same[(*use)->id]) *use = f->same[(*use)->id];
}

/* The constant that a value is, or NULL. */
static const inst_t *constant(const value_t *v) {
    return v->def && v->def->op == OP_CONST && v->def->result == v ? v->def : NULL;
}

static bool is_int(const value_t *v, int64_t x) {
    const inst_t *c = constant(v);
    return c && !elem_is_float(v->type.elem) && c->i == x;
}

static bool is_float(const value_t *v, double x) {
    const inst_t *c = constant(v);
    return c && elem_is_float(v->type.elem) && c->f == x && signbit(c->f) == signbit(x);
}

/* ---- constants ------------------------------------------------------------------------------- */

static bool become_int(inst_t *i, int64_t x) {
    i->op = OP_CONST;
    i->n_operands = 0;
    i->n_index = 0;
    i->index = NULL;
    i->f = 0;
    i->d = dim(0);
    i->i = const_wrap(i->result->type.elem, x);
    return true;
}

static bool become_float(inst_t *i, double x) {
    if (isnan(x)) return false;
    become_int(i, 0);
    i->f = const_round(i->result->type.elem, x);
    return true;
}

static bool fold_arithmetic(inst_t *i, const inst_t *const *c) {
    elem_t e = i->result->type.elem;
    const inst_t *x = c[0], *y = i->n_operands > 1 ? c[1] : x, *z = i->n_operands > 2 ? c[2] : x;
    if (e == E_F32) return become_float(i, f32_op(i->op, (float)x->f, (float)y->f, (float)z->f));
    if (e == E_F64) return become_float(i, f64_op(i->op, x->f, y->f, z->f));
    return become_int(i, int_op(i->op, x->i, y->i, i->i, 8 * elem_bytes(e)));
}

static bool fold_compare(inst_t *i, const inst_t *const *c) {
    const inst_t *x = c[0], *y = c[1];
    bool yes = elem_is_float(i->operand[0]->type.elem)
                   ? compare_op(i->op, x->f<y->f, x->f == y->f, x->f> y->f)
                   : compare_op(i->op, x->i<y->i, x->i == y->i, x->i> y->i);
    return become_int(i, yes ? -1 : 0);
}

static bool fold_convert(inst_t *i, const inst_t *const *c) {
    elem_t from = i->operand[0]->type.elem, to = i->result->type.elem;
    const inst_t *x = c[0];
    if (elem_is_float(from) && elem_is_float(to)) return become_float(i, x->f);
    if (elem_is_float(from)) return fits_integer(x->f, to) && become_int(i, (int64_t)x->f);
    if (to == E_F32) return become_float(i, (float)x->i);
    return to == E_F64 ? become_float(i, (double)x->i) : become_int(i, x->i);
}

/* One element in memory, as often as it fits into eight bytes. */
typedef union {
    float f32;
    double f64;
    uint16_t bf16;
    int8_t i8;
    uint8_t u8;
    int32_t i32;
    int64_t i64;
    unsigned char bytes[8];
} bits_t;

static bits_t bits_of(elem_t e, const inst_t *c) {
    bits_t u = {.i64 = c->i};
    size_t n = (size_t)elem_bytes(e);
    if (e == E_F32) u.f32 = (float)c->f;
    if (e == E_F64) u.f64 = c->f;
    if (e == E_BF16) u.bf16 = bf16_from((float)c->f);
    for (size_t k = n; k < sizeof u; k++) u.bytes[k] = u.bytes[k - n];
    return u;
}

/* Only to what a literal can say: lanes that are all alike, no NaN, no denormal bf16. */
static bool become_bits(inst_t *i, const bits_t *u) {
    elem_t e = i->result->type.elem;
    size_t n = (size_t)elem_bytes(e);
    for (size_t k = n; k < sizeof *u; k++)
        if (u->bytes[k] != u->bytes[k - n]) return false;
    double f = e == E_F32 ? u->f32 : e == E_F64 ? u->f64 : bf16_to(u->bf16);
    switch (e) {
    case E_F32:
    case E_F64:
    case E_BF16: return const_round(e, f) == f && become_float(i, f);
    case E_I8: return become_int(i, u->i8);
    case E_U8: return become_int(i, u->u8);
    case E_I32: return become_int(i, u->i32);
    default: return become_int(i, u->i64);
    }
}

static bool fold_bitcast(inst_t *i, const inst_t *const *c) {
    elem_t from = i->operand[0]->type.elem;
    if (elem_is_float(from) && isnan(c[0]->f)) return false;
    bits_t u = bits_of(from, c[0]);
    return become_bits(i, &u);
}

/* Broadcast, extract: a constant of a vector type is the same in all lanes. */
static bool fold_copy(inst_t *i, const inst_t *const *c) {
    const inst_t *x = c[0];
    return elem_is_float(i->result->type.elem) ? become_float(i, x->f) : become_int(i, x->i);
}

static bool fold_divide(inst_t *i, const inst_t *const *c) {
    if (!dim_literal(i->d) || c[0]->i < 0) return false;
    return become_int(i, i->op == OP_IDIV ? c[0]->i / i->d.c : c[0]->i % i->d.c);
}

typedef bool fold_fn(inst_t *i, const inst_t *const *c);
static fold_fn *const folds[OP_COUNT] = {
    [OP_ADD] = fold_arithmetic,   [OP_SUB] = fold_arithmetic,  [OP_MUL] = fold_arithmetic,
    [OP_DIV] = fold_arithmetic,   [OP_FMA] = fold_arithmetic,  [OP_MIN] = fold_arithmetic,
    [OP_MAX] = fold_arithmetic,   [OP_NEG] = fold_arithmetic,  [OP_SQRT] = fold_arithmetic,
    [OP_AND] = fold_arithmetic,   [OP_OR] = fold_arithmetic,   [OP_XOR] = fold_arithmetic,
    [OP_SHL] = fold_arithmetic,   [OP_SHR] = fold_arithmetic,  [OP_SAR] = fold_arithmetic,
    [OP_MULHI] = fold_arithmetic, [OP_EQ] = fold_compare,      [OP_NE] = fold_compare,
    [OP_LT] = fold_compare,       [OP_LE] = fold_compare,      [OP_GT] = fold_compare,
    [OP_GE] = fold_compare,       [OP_CONVERT] = fold_convert, [OP_BITCAST] = fold_bitcast,
    [OP_BROADCAST] = fold_copy,   [OP_EXTRACT] = fold_copy,    [OP_IDIV] = fold_divide,
    [OP_IREM] = fold_divide,
};

static bool fold_constants(inst_t *i) {
    const inst_t *c[MAX_OPERANDS];
    if (!folds[i->op]) return false;
    for (int k = 0; k < i->n_operands; k++)
        if (!(c[k] = constant(i->operand[k]))) return false;
    return folds[i->op](i, c);
}

/* ---- identities: the value that the result equals, or NULL ----------------------------------- */

typedef value_t *same_fn(fold_t *f, inst_t *i);

static value_t *same_add(fold_t *f, inst_t *i) {
    value_t *x = i->operand[0], *y = i->operand[1];
    (void)f;
    if (is_int(y, 0) || is_float(y, -0.0)) return x;
    return is_int(x, 0) || is_float(x, -0.0) ? y : NULL;
}

static value_t *same_sub(fold_t *f, inst_t *i) {
    value_t *x = i->operand[0], *y = i->operand[1];
    (void)f;
    if (is_int(y, 0) || is_float(y, 0.0)) return x;
    if (x == y && !elem_is_float(x->type.elem)) become_int(i, 0);
    return NULL;
}

static value_t *same_mul(fold_t *f, inst_t *i) {
    value_t *x = i->operand[0], *y = i->operand[1];
    (void)f;
    if (is_int(y, 1) || is_float(y, 1.0) || is_int(x, 0)) return x;
    return is_int(x, 1) || is_float(x, 1.0) || is_int(y, 0) ? y : NULL;
}

static value_t *same_div(fold_t *f, inst_t *i) {
    (void)f;
    return is_float(i->operand[1], 1.0) ? i->operand[0] : NULL;
}

static void drop_operand(inst_t *i, int k, op_t op) {
    i->op = op;
    i->n_operands--;
    for (; k < i->n_operands; k++) i->operand[k] = i->operand[k + 1];
}

/* A factor of one, or a summand of -0.0, rounds nothing: x * 1 + z is x + z. */
static value_t *same_fma(fold_t *f, inst_t *i) {
    (void)f;
    if (is_float(i->operand[2], -0.0)) drop_operand(i, 2, OP_MUL);
    else if (is_float(i->operand[1], 1.0)) drop_operand(i, 1, OP_ADD);
    else if (is_float(i->operand[0], 1.0)) drop_operand(i, 0, OP_ADD);
    return NULL;
}

static value_t *same_if_equal(fold_t *f, inst_t *i) {
    (void)f;
    return i->operand[0] == i->operand[1] ? i->operand[0] : NULL;
}

static value_t *same_and(fold_t *f, inst_t *i) {
    value_t *x = i->operand[0], *y = i->operand[1];
    if (is_int(y, -1) || is_int(x, 0)) return x;
    return is_int(x, -1) || is_int(y, 0) ? y : same_if_equal(f, i);
}

static value_t *same_or(fold_t *f, inst_t *i) {
    value_t *x = i->operand[0], *y = i->operand[1];
    if (is_int(y, 0) || is_int(x, -1)) return x;
    return is_int(x, 0) || is_int(y, -1) ? y : same_if_equal(f, i);
}

static value_t *same_xor(fold_t *f, inst_t *i) {
    (void)f;
    if (is_int(i->operand[1], 0)) return i->operand[0];
    return is_int(i->operand[0], 0) ? i->operand[1] : NULL;
}

static value_t *same_shift(fold_t *f, inst_t *i) {
    (void)f;
    return i->i == 0 ? i->operand[0] : NULL;
}

/* neg(neg(x)); a bitcast back to the type it came from. */
static value_t *same_twice(fold_t *f, inst_t *i) {
    const inst_t *d = i->operand[0]->def;
    (void)f;
    if (!d || d->op != i->op || d->result != i->operand[0]) return NULL;
    return ltype_equal(d->operand[0]->type, i->result->type) ? d->operand[0] : NULL;
}

static value_t *same_select(fold_t *f, inst_t *i) {
    (void)f;
    if (i->operand[1] == i->operand[2] || is_int(i->operand[0], -1)) return i->operand[1];
    return is_int(i->operand[0], 0) ? i->operand[2] : NULL;
}

static value_t *same_shuffle(fold_t *f, inst_t *i) {
    int n = i->result->type.lanes;
    bool first = true, second = true;
    (void)f;
    for (int k = 0; k < n; k++) {
        first = first && i->lanes[k] == k;
        second = second && i->lanes[k] == n + k;
    }
    return first ? i->operand[0] : second ? i->operand[1] : NULL;
}

static value_t *same_extract(fold_t *f, inst_t *i) {
    const inst_t *d = i->operand[0]->def;
    (void)f;
    return d && d->op == OP_BROADCAST ? d->operand[0] : NULL;
}

/* A value known to be below the divisor is its own remainder. */
static value_t *same_divide(fold_t *f, inst_t *i) {
    const value_t *x = i->operand[0];
    units_t u = f->m->units;
    bool small = x->bounded && dim_le(dim(0), x->lo, u) && dim_le(x->hi, dim_sub(i->d, dim(1)), u);
    if (i->op == OP_IDIV && dim_equal(i->d, dim(1))) return i->operand[0];
    if (small && i->op == OP_IREM) return i->operand[0];
    if (small || (i->op == OP_IREM && dim_equal(i->d, dim(1)))) become_int(i, 0);
    return NULL;
}

static value_t *same_index(fold_t *f, inst_t *i) {
    const affine_t *a = i->index;
    (void)f;
    if (a->n == 0 && dim_literal(a->base)) become_int(i, a->base.c);
    else if (a->n == 1 && dim_equal(a->term[0].coef, dim(1)) && dim_equal(a->base, dim(0)) &&
             a->term[0].value->type.elem == E_I64)
        return a->term[0].value;
    return NULL;
}

static same_fn *const sames[OP_COUNT] = {
    [OP_ADD] = same_add,       [OP_SUB] = same_sub,         [OP_MUL] = same_mul,
    [OP_DIV] = same_div,       [OP_FMA] = same_fma,         [OP_MIN] = same_if_equal,
    [OP_MAX] = same_if_equal,  [OP_NEG] = same_twice,       [OP_BITCAST] = same_twice,
    [OP_AND] = same_and,       [OP_OR] = same_or,           [OP_XOR] = same_xor,
    [OP_SHL] = same_shift,     [OP_SHR] = same_shift,       [OP_SAR] = same_shift,
    [OP_SELECT] = same_select, [OP_SHUFFLE] = same_shuffle, [OP_EXTRACT] = same_extract,
    [OP_IDIV] = same_divide,   [OP_IREM] = same_divide,     [OP_INDEX] = same_index,
};

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
        if (constant(x)) *a = ax_scale(ax_v(y), constant(x)->i);
        else if (constant(y)) *a = ax_scale(ax_v(x), constant(y)->i);
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
    const inst_t *c = i->op == OP_IF ? constant(i->operand[0]) : NULL;
    if (!c) return false;
    const block_t *b = c->i ? i->body : i->otherwise;
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

static void fold_plain(fold_t *f, inst_t *i) {
    for (int d = 0; d < i->n_index; d++) gather_index(&i->index[d], f->m->units);
    if (fold_constants(i) || !sames[i->op]) return;
    value_t *v = sames[i->op](f, i);
    if (v) f->same[i->result->id] = v;
}

static void fold_into(fold_t *f, block_t *home, const block_t *b, insts_t *out) {
    for (size_t k = 0; k < b->n; k++) {
        inst_t *i = b->insts[k];
        if (home != b && i->op == OP_YIELD) break;
        walk_uses(i, resolve, f);
        if (decide_if(f, home, i, out) || drop_loop(f, i)) continue;
        if (i->body) fold_block(f, i->body);
        if (i->otherwise) fold_block(f, i->otherwise);
        if (!i->body) fold_plain(f, i);
        i->parent = home;
        if (i->result && f->same[i->result->id]) continue;
        ARENA_PUSH(f->m->arena, out->list, out->n, out->cap) = i;
    }
}

static void fold_block(fold_t *f, block_t *b) {
    insts_t out = {0};
    fold_into(f, b, b, &out);
    b->insts = out.list;
    b->n = out.n;
    b->cap = out.cap;
}

void pass_fold(module_t *m) {
    for (size_t k = 0; k < m->n_funcs; k++) {
        fold_t f = {.m = m, .scratch = arena_new()};
        f.same = ARENA_ARRAY(f.scratch, value_t *, m->funcs[k]->n_values);
        fold_block(&f, m->funcs[k]->body);
        arena_free(f.scratch);
    }
}
