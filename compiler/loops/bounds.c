/* The interval rules of bounds.h, one small function per op, in a table.
 *
 * Sound under wrapping: where a result might leave its type, or a bound might leave DIM_LIMIT, the
 * interval becomes that of the type. A missing end of an operand makes sums and products unknown,
 * because they might wrap; min, max, and, irem bring such values back into a known range. */
#include "loops/bounds.h"

interval_t interval_exact(dim_t lo, dim_t hi) {
    return (interval_t){true, true, lo, hi};
}

interval_t interval_of_elem(elem_t e) {
    switch (e) {
    case E_I8: return interval_exact(dim(INT8_MIN), dim(INT8_MAX));
    case E_U8: return interval_exact(dim(0), dim(UINT8_MAX));
    case E_I32: return interval_exact(dim(INT32_MIN), dim(INT32_MAX));
    default: return (interval_t){0};
    }
}

static bool both(interval_t a) {
    return a.has_lo && a.has_hi;
}

bool interval_within(interval_t a, dim_t lo, dim_t hi, units_t u) {
    return both(a) && dim_le(lo, a.lo, u) && dim_le(a.hi, hi, u);
}

bool interval_not_negative(interval_t a, units_t u) {
    return a.has_lo && dim_le(dim(0), a.lo, u);
}

/* The line of slope `slope` through `value` at the least U. */
static dim_t line_from(int64_t value, int64_t slope, units_t u) {
    return (dim_t){value - slope * u.min, slope};
}

/* Linear functions below and above two others for every U; where these cross: through the outer
 * value at the least U, with the outer slope. */
static dim_t lower(dim_t a, dim_t b, units_t u) {
    if (dim_le(a, b, u)) return a;
    if (dim_le(b, a, u)) return b;
    int64_t x = dim_at(a, u.min), y = dim_at(b, u.min);
    return line_from(x < y ? x : y, a.u < b.u ? a.u : b.u, u);
}

static dim_t upper(dim_t a, dim_t b, units_t u) {
    if (dim_le(a, b, u)) return b;
    if (dim_le(b, a, u)) return a;
    int64_t x = dim_at(a, u.min), y = dim_at(b, u.min);
    return line_from(x > y ? x : y, a.u > b.u ? a.u : b.u, u);
}

interval_t interval_join(interval_t a, interval_t b, units_t u) {
    interval_t r = {a.has_lo && b.has_lo, a.has_hi && b.has_hi, {0}, {0}};
    if (r.has_lo) r.lo = lower(a.lo, b.lo, u);
    if (r.has_hi) r.hi = upper(a.hi, b.hi, u);
    return r;
}

/* What is left of `a` when computed in the type e. */
static interval_t fit(interval_t a, elem_t e, units_t u) {
    interval_t all = interval_of_elem(e);
    if (both(a) && (!dim_fits(a.lo, u) || !dim_fits(a.hi, u))) return all;
    if (!all.has_lo) return a;
    return interval_within(a, all.lo, all.hi, u) ? a : all;
}

/* What a table says is there to be read. */
static interval_t of_table(const buffer_t *b) {
    int64_t n = buffer_bytes(b).c / elem_bytes(b->elem);
    int32_t lo = b->data[0], hi = lo;
    for (int64_t k = 1; k < n; k++) {
        if (b->data[k] < lo) lo = b->data[k];
        if (b->data[k] > hi) hi = b->data[k];
    }
    return interval_exact(dim(lo), dim(hi));
}

interval_t interval_of_load(const buffer_t *b, units_t u) {
    if (!buffer_is_integer(b)) return (interval_t){0};
    if (b->kind == BUF_TABLE) return of_table(b);
    return b->has_range ? fit(interval_exact(b->lo, b->hi), b->elem, u) : interval_of_elem(b->elem);
}

/* ---- sums and products ----------------------------------------------------------------------- */

static interval_t add(interval_t a, interval_t b, units_t u) {
    if (!both(a) || !both(b)) return (interval_t){0};
    interval_t r = interval_exact(dim_add(a.lo, b.lo), dim_add(a.hi, b.hi));
    return dim_fits(r.lo, u) && dim_fits(r.hi, u) ? r : (interval_t){0};
}

static interval_t negate(interval_t a) {
    if (!both(a)) return (interval_t){0};
    return interval_exact(dim_scale(a.hi, -1), dim_scale(a.lo, -1));
}

/* k * a, where k has one sign for every U. */
static interval_t scale(interval_t a, dim_t k, units_t u) {
    interval_t r = {true, true, {0}, {0}};
    bool up = dim_le(dim(0), k, u), down = dim_le(k, dim(0), u);
    if (!both(a) || !(up || down)) return (interval_t){0};
    if (!dim_mul(k, up ? a.lo : a.hi, u, &r.lo)) return (interval_t){0};
    if (!dim_mul(k, up ? a.hi : a.lo, u, &r.hi)) return (interval_t){0};
    return r;
}

static bool is_constant(interval_t a) {
    return both(a) && dim_equal(a.lo, a.hi);
}

static interval_t multiply(interval_t a, interval_t b, units_t u) {
    if (is_constant(b)) return scale(a, b.lo, u);
    if (is_constant(a)) return scale(b, a.lo, u);
    interval_t r = {true, true, {0}, {0}};
    if (!both(a) || !both(b)) return (interval_t){0};
    if (!interval_not_negative(a, u) || !interval_not_negative(b, u)) return (interval_t){0};
    if (!dim_mul(a.hi, b.hi, u, &r.hi)) return (interval_t){0};
    return r;
}

interval_t interval_of_affine(const affine_t *a, const interval_t *of, units_t u) {
    interval_t sum = interval_exact(a->base, a->base);
    for (int k = 0; k < a->n; k++)
        sum = add(sum, scale(of[a->term[k].value->id], a->term[k].coef, u), u);
    return sum;
}

/* ---- division by a positive literal or dimension --------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t k) {
    return a / k - (a % k < 0);
}

/* Ends of floor(a / k): linear in U where k divides the part in U, else the literal extreme. */
static interval_t divide(interval_t a, int64_t k, units_t u) {
    if (!both(a)) return (interval_t){0};
    dim_t lo = {floor_div(a.lo.c, k), a.lo.u / k}, hi = {floor_div(a.hi.c, k), a.hi.u / k};
    if (a.lo.u % k != 0) lo = dim(floor_div(dim_at(a.lo, a.lo.u > 0 ? u.min : u.max), k));
    if (a.hi.u % k != 0) hi = dim(floor_div(dim_at(a.hi, a.hi.u > 0 ? u.max : u.min), k));
    return interval_exact(lo, hi);
}

enum { NEAR = 16 };

/* a / d for a divisor in U: the smallest literal q with a < (q + 1) * d for every U, if near. */
static interval_t divide_by_dim(interval_t a, dim_t d, units_t u) {
    if (!a.has_hi || d.u <= 0) return (interval_t){true, a.has_hi, dim(0), a.hi};
    int64_t q = a.hi.u / d.u;
    for (int64_t k = q < NEAR ? 0 : q - NEAR; k <= q + 1; k++) {
        dim_t end;
        if (!dim_mul(dim(k + 1), d, u, &end)) break;
        if (dim_le(a.hi, dim_sub(end, dim(1)), u)) return interval_exact(dim(0), dim(k));
    }
    return interval_exact(dim(0), a.hi);
}

/* ---- ops ------------------------------------------------------------------------------------- */

typedef struct {
    const inst_t *inst;
    interval_t a, b, c; /* of the operands */
    units_t u;
} question_t;

static interval_t of_const(const question_t *q) {
    return interval_exact(dim(q->inst->i), dim(q->inst->i));
}

static interval_t of_add(const question_t *q) {
    return add(q->a, q->b, q->u);
}

static interval_t of_sub(const question_t *q) {
    return add(q->a, negate(q->b), q->u);
}

static interval_t of_mul(const question_t *q) {
    return multiply(q->a, q->b, q->u);
}

static interval_t of_neg(const question_t *q) {
    return negate(q->a);
}

/* One known end is enough: min(x, 7) is at most 7 whatever x is. */
static interval_t of_min(const question_t *q) {
    interval_t r = interval_join(q->a, q->b, q->u);
    r.has_hi = q->a.has_hi || q->b.has_hi;
    r.hi = !q->b.has_hi || (q->a.has_hi && dim_le(q->a.hi, q->b.hi, q->u)) ? q->a.hi : q->b.hi;
    return r;
}

static interval_t of_max(const question_t *q) {
    interval_t r = interval_join(q->a, q->b, q->u);
    r.has_lo = q->a.has_lo || q->b.has_lo;
    r.lo = !q->b.has_lo || (q->a.has_lo && dim_le(q->b.lo, q->a.lo, q->u)) ? q->a.lo : q->b.lo;
    return r;
}

/* A non-negative operand bounds the result from both sides. */
static interval_t of_and(const question_t *q) {
    bool a = interval_not_negative(q->a, q->u) && q->a.has_hi;
    bool b = interval_not_negative(q->b, q->u) && q->b.has_hi;
    if (!a && !b) return (interval_t){0};
    dim_t hi = !b || (a && dim_le(q->a.hi, q->b.hi, q->u)) ? q->a.hi : q->b.hi;
    return interval_exact(dim(0), hi);
}

/* Below the power of two above both. */
static interval_t of_or(const question_t *q) {
    if (!interval_not_negative(q->a, q->u) || !interval_not_negative(q->b, q->u))
        return (interval_t){0};
    if (!q->a.has_hi || !q->b.has_hi || !dim_literal(q->a.hi) || !dim_literal(q->b.hi))
        return (interval_t){0};
    int64_t bits = q->a.hi.c | q->b.hi.c;
    for (int shift = 1; shift < 64; shift *= 2) bits |= bits >> shift;
    return interval_exact(dim(0), dim(bits));
}

static interval_t of_shl(const question_t *q) {
    if (q->inst->i > 56) return (interval_t){0};
    return scale(q->a, dim((int64_t)1 << q->inst->i), q->u);
}

static interval_t of_sar(const question_t *q) {
    if (q->inst->i > 56) return (interval_t){0};
    return divide(q->a, (int64_t)1 << q->inst->i, q->u);
}

static interval_t of_shr(const question_t *q) {
    if (interval_not_negative(q->a, q->u) && q->a.has_hi) return of_sar(q);
    int64_t bits = 8 * elem_bytes(q->inst->result->type.elem) - q->inst->i;
    if (bits > 57 || q->inst->i == 0) return (interval_t){0};
    return interval_exact(dim(0), dim(((int64_t)1 << bits) - 1));
}

/* a < b, or a <= b: 1 whatever they are, 0 never, -1 it depends. */
static int below(interval_t a, interval_t b, bool or_equal, units_t u) {
    dim_t apart = dim(or_equal ? 0 : 1);
    if (a.has_hi && b.has_lo && dim_le(dim_add(a.hi, apart), b.lo, u)) return 1;
    if (b.has_hi && a.has_lo && dim_le(dim_add(b.hi, dim(1)), dim_add(a.lo, apart), u)) return 0;
    return -1;
}

static int equal(interval_t a, interval_t b, units_t u) {
    if (is_constant(a) && is_constant(b) && dim_equal(a.lo, b.lo)) return 1;
    return below(a, b, false, u) == 1 || below(b, a, false, u) == 1 ? 0 : -1;
}

static int decided(const question_t *q) {
    int same = equal(q->a, q->b, q->u);
    switch (q->inst->op) {
    case OP_EQ: return same;
    case OP_NE: return same < 0 ? same : !same;
    case OP_LT: return below(q->a, q->b, false, q->u);
    case OP_LE: return below(q->a, q->b, true, q->u);
    case OP_GT: return below(q->b, q->a, false, q->u);
    default: return below(q->b, q->a, true, q->u);
    }
}

static interval_t of_mask(const question_t *q) {
    int yes = decided(q);
    return interval_exact(dim(yes == 0 ? 0 : -1), dim(yes == 1 ? -1 : 0));
}

static interval_t of_select(const question_t *q) {
    return interval_join(q->b, q->c, q->u);
}

static interval_t of_convert(const question_t *q) {
    return elem_is_float(q->inst->operand[0]->type.elem) ? (interval_t){0} : q->a;
}

static interval_t of_idiv(const question_t *q) {
    if (!interval_not_negative(q->a, q->u)) return (interval_t){0};
    if (!dim_literal(q->inst->d)) return divide_by_dim(q->a, q->inst->d, q->u);
    return q->a.has_hi ? divide(q->a, q->inst->d.c, q->u) : (interval_t){true, false, {0}, {0}};
}

static interval_t of_irem(const question_t *q) {
    interval_t r = interval_exact(dim(0), dim_sub(q->inst->d, dim(1)));
    return interval_within(q->a, r.lo, r.hi, q->u) ? q->a : r;
}

typedef interval_t bound_fn(const question_t *q);
static bound_fn *const rules[OP_COUNT] = {
    [OP_CONST] = of_const,     [OP_ADD] = of_add,   [OP_SUB] = of_sub,   [OP_MUL] = of_mul,
    [OP_MIN] = of_min,         [OP_MAX] = of_max,   [OP_NEG] = of_neg,   [OP_AND] = of_and,
    [OP_OR] = of_or,           [OP_XOR] = of_or,    [OP_SHL] = of_shl,   [OP_SHR] = of_shr,
    [OP_SAR] = of_sar,         [OP_EQ] = of_mask,   [OP_NE] = of_mask,   [OP_LT] = of_mask,
    [OP_LE] = of_mask,         [OP_GT] = of_mask,   [OP_GE] = of_mask,   [OP_SELECT] = of_select,
    [OP_CONVERT] = of_convert, [OP_IDIV] = of_idiv, [OP_IREM] = of_irem,
};

static bool is_integer_scalar(const value_t *v) {
    return v->type.lanes == 1 && !elem_is_float(v->type.elem);
}

interval_t interval_of_inst(const inst_t *i, const interval_t *of, units_t u) {
    elem_t e = i->result->type.elem;
    if (i->op == OP_LOAD) return interval_of_load(i->buffer, u);
    if (i->op == OP_INDEX) return interval_of_affine(i->index, of, u);
    if (!rules[i->op]) return interval_of_elem(e);
    question_t q = {.inst = i, .u = u};
    interval_t *places[] = {&q.a, &q.b, &q.c};
    for (int k = 0; k < i->n_operands && k < 3; k++)
        if (is_integer_scalar(i->operand[k])) *places[k] = of[i->operand[k]->id];
    return fit(rules[i->op](&q), e, u);
}

const char *interval_text(arena_t *a, interval_t x) {
    return arena_printf(a, "[%s, %s]", x.has_lo ? dim_text(a, x.lo) : "-inf",
                        x.has_hi ? dim_text(a, x.hi) : "inf");
}
