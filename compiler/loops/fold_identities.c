/* Folding, its identities: ops that change nothing. */
#include "loops/fold.h"

typedef value_t *same_fn(inst_t *i, units_t u);

static value_t *same_add(inst_t *i, units_t u) {
    value_t *x = i->operand[0], *y = i->operand[1];
    (void)u;
    if (fold_is_int(y, 0) || fold_is_float(y, -0.0)) return x;
    return fold_is_int(x, 0) || fold_is_float(x, -0.0) ? y : NULL;
}

static value_t *same_sub(inst_t *i, units_t u) {
    value_t *x = i->operand[0], *y = i->operand[1];
    (void)u;
    if (fold_is_int(y, 0) || fold_is_float(y, 0.0)) return x;
    if (x == y && !elem_is_float(x->type.elem)) fold_become_int(i, 0);
    return NULL;
}

static value_t *same_mul(inst_t *i, units_t u) {
    value_t *x = i->operand[0], *y = i->operand[1];
    (void)u;
    if (fold_is_int(y, 1) || fold_is_float(y, 1.0) || fold_is_int(x, 0)) return x;
    return fold_is_int(x, 1) || fold_is_float(x, 1.0) || fold_is_int(y, 0) ? y : NULL;
}

static value_t *same_div(inst_t *i, units_t u) {
    (void)u;
    return fold_is_float(i->operand[1], 1.0) ? i->operand[0] : NULL;
}

static void drop_operand(inst_t *i, int k, op_t op) {
    i->op = op;
    i->n_operands--;
    for (; k < i->n_operands; k++) i->operand[k] = i->operand[k + 1];
}

/* A factor of one, or a summand of -0.0, rounds nothing: x * 1 + z is x + z. */
static value_t *same_fma(inst_t *i, units_t u) {
    (void)u;
    if (fold_is_float(i->operand[2], -0.0)) drop_operand(i, 2, OP_MUL);
    else if (fold_is_float(i->operand[1], 1.0)) drop_operand(i, 1, OP_ADD);
    else if (fold_is_float(i->operand[0], 1.0)) drop_operand(i, 0, OP_ADD);
    return NULL;
}

static value_t *same_if_equal(inst_t *i, units_t u) {
    (void)u;
    return i->operand[0] == i->operand[1] ? i->operand[0] : NULL;
}

/* The lesser of two whose ranges do not overlap is known. */
static bool never_above(const value_t *x, const value_t *y, units_t u) {
    return x->bounded && y->bounded && dim_le(x->hi, y->lo, u);
}

static value_t *same_min(inst_t *i, units_t u) {
    value_t *x = i->operand[0], *y = i->operand[1];
    if (never_above(x, y, u)) return x;
    return never_above(y, x, u) ? y : same_if_equal(i, u);
}

static value_t *same_max(inst_t *i, units_t u) {
    value_t *x = i->operand[0], *y = i->operand[1];
    if (never_above(x, y, u)) return y;
    return never_above(y, x, u) ? x : same_if_equal(i, u);
}

static value_t *same_and(inst_t *i, units_t u) {
    value_t *x = i->operand[0], *y = i->operand[1];
    if (fold_is_int(y, -1) || fold_is_int(x, 0)) return x;
    return fold_is_int(x, -1) || fold_is_int(y, 0) ? y : same_if_equal(i, u);
}

static value_t *same_or(inst_t *i, units_t u) {
    value_t *x = i->operand[0], *y = i->operand[1];
    if (fold_is_int(y, 0) || fold_is_int(x, -1)) return x;
    return fold_is_int(x, 0) || fold_is_int(y, -1) ? y : same_if_equal(i, u);
}

static value_t *same_xor(inst_t *i, units_t u) {
    (void)u;
    if (fold_is_int(i->operand[1], 0)) return i->operand[0];
    return fold_is_int(i->operand[0], 0) ? i->operand[1] : NULL;
}

static value_t *same_shift(inst_t *i, units_t u) {
    (void)u;
    return i->i == 0 ? i->operand[0] : NULL;
}

/* neg(neg(x)); a bitcast back to the type it came from. */
static value_t *same_twice(inst_t *i, units_t u) {
    const inst_t *d = i->operand[0]->def;
    (void)u;
    if (!d || d->op != i->op || d->result != i->operand[0]) return NULL;
    return ltype_equal(d->operand[0]->type, i->result->type) ? d->operand[0] : NULL;
}

static value_t *same_select(inst_t *i, units_t u) {
    (void)u;
    if (i->operand[1] == i->operand[2] || fold_is_int(i->operand[0], -1)) return i->operand[1];
    return fold_is_int(i->operand[0], 0) ? i->operand[2] : NULL;
}

static value_t *same_shuffle(inst_t *i, units_t u) {
    int n = i->result->type.lanes;
    bool first = true, second = true;
    (void)u;
    for (int k = 0; k < n; k++) {
        first = first && i->lanes[k] == k;
        second = second && i->lanes[k] == n + k;
    }
    return first ? i->operand[0] : second ? i->operand[1] : NULL;
}

static value_t *same_extract(inst_t *i, units_t u) {
    const inst_t *d = i->operand[0]->def;
    (void)u;
    return d && d->op == OP_BROADCAST ? d->operand[0] : NULL;
}

/* Moves what the divisor divides, for every U, from `rest` to `quotient`. */
static void take_quotient(dim_t *rest, dim_t *quotient, int64_t by) {
    if (rest->u % by != 0) return;
    int64_t down = rest->c / by - (rest->c % by < 0);
    *quotient = (dim_t){down, rest->u / by};
    *rest = dim(rest->c - down * by);
}

static bool lies_below(const affine_t *a, int64_t end) {
    int64_t lo = a->base.c, hi = lo;
    for (int t = 0; t < a->n; t++) {
        const value_t *v = a->term[t].value;
        int64_t k = a->term[t].coef.c, x, y;
        if (!v->bounded || !dim_literal(v->lo) || !dim_literal(v->hi)) return false;
        if (!dim_literal(a->term[t].coef) || k < 0) return false;
        if (__builtin_mul_overflow(k, v->lo.c, &x) || __builtin_add_overflow(lo, x, &lo))
            return false;
        if (__builtin_mul_overflow(k, v->hi.c, &y) || __builtin_add_overflow(hi, y, &hi))
            return false;
    }
    return dim_literal(a->base) && lo >= 0 && hi < end;
}

bool fold_quotient(const inst_t *i, affine_t *is) {
    const inst_t *d = i->operand[0]->def;
    if (!dim_literal(i->d) || !d || d->op != OP_INDEX || d->result != i->operand[0]) return false;
    affine_t rest = ax(0), quotient = ax(0);
    const affine_t *a = d->index;
    for (int t = 0; t < a->n; t++) {
        dim_t coef = a->term[t].coef;
        bool whole = dim_divisible(coef, i->d.c);
        affine_t *to = whole ? &quotient : &rest;
        to->term[to->n].value = a->term[t].value;
        to->term[to->n++].coef = whole ? dim_div(coef, i->d.c) : coef;
    }
    rest.base = a->base;
    take_quotient(&rest.base, &quotient.base, i->d.c);
    *is = i->op == OP_IDIV ? quotient : rest;
    return lies_below(&rest, i->d.c);
}

/* A value known to be below the divisor is its own remainder. */
static value_t *same_divide(inst_t *i, units_t u) {
    const value_t *x = i->operand[0];
    bool small = x->bounded && dim_le(dim(0), x->lo, u) && dim_le(x->hi, dim_sub(i->d, dim(1)), u);
    if (i->op == OP_IDIV && dim_equal(i->d, dim(1))) return i->operand[0];
    if (small && i->op == OP_IREM) return i->operand[0];
    if (small || (i->op == OP_IREM && dim_equal(i->d, dim(1)))) fold_become_int(i, 0);
    return NULL;
}

/* The one value that an index or a conversion widens, unchanged. */
static value_t *widened(const value_t *v) {
    const inst_t *d = v->def;
    if (!d || d->result != v || v->type.elem != E_I64) return NULL;
    if (d->op == OP_CONVERT) return elem_is_float(d->operand[0]->type.elem) ? NULL : d->operand[0];
    if (d->op != OP_INDEX || d->index->n != 1 || !dim_equal(d->index->base, dim(0))) return NULL;
    return dim_equal(d->index->term[0].coef, dim(1)) ? d->index->term[0].value : NULL;
}

/* Back to the type it came from, of an integer. */
static value_t *same_convert(inst_t *i, units_t u) {
    value_t *x = widened(i->operand[0]);
    (void)u;
    return x && ltype_equal(x->type, i->result->type) ? x : NULL;
}

static value_t *same_index(inst_t *i, units_t u) {
    const affine_t *a = i->index;
    (void)u;
    if (a->n == 0 && dim_literal(a->base)) fold_become_int(i, a->base.c);
    else if (a->n == 1 && dim_equal(a->term[0].coef, dim(1)) && dim_equal(a->base, dim(0)) &&
             a->term[0].value->type.elem == E_I64)
        return a->term[0].value;
    return NULL;
}

static same_fn *const sames[OP_COUNT] = {
    [OP_ADD] = same_add,         [OP_SUB] = same_sub,         [OP_MUL] = same_mul,
    [OP_DIV] = same_div,         [OP_FMA] = same_fma,         [OP_MIN] = same_min,
    [OP_MAX] = same_max,         [OP_NEG] = same_twice,       [OP_BITCAST] = same_twice,
    [OP_AND] = same_and,         [OP_OR] = same_or,           [OP_XOR] = same_xor,
    [OP_SHL] = same_shift,       [OP_SHR] = same_shift,       [OP_SAR] = same_shift,
    [OP_SELECT] = same_select,   [OP_SHUFFLE] = same_shuffle, [OP_EXTRACT] = same_extract,
    [OP_IDIV] = same_divide,     [OP_IREM] = same_divide,     [OP_INDEX] = same_index,
    [OP_CONVERT] = same_convert,
};

value_t *fold_identity(inst_t *i, units_t u) {
    return sames[i->op] ? sames[i->op](i, u) : NULL;
}
