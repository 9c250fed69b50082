/* Folding, its constants: ops whose operands are all constants, computed by the arithmetic that the
 * interpreter has. */
#include <math.h>

#include "loops/arith.h"
#include "loops/fold.h"

bool fold_is_int(const value_t *v, int64_t x) {
    const inst_t *c = fold_constant(v);
    return c && !elem_is_float(v->type.elem) && c->i == x;
}

bool fold_is_float(const value_t *v, double x) {
    const inst_t *c = fold_constant(v);
    return c && elem_is_float(v->type.elem) && c->f == x && signbit(c->f) == signbit(x);
}

bool fold_become_int(inst_t *i, int64_t x) {
    i->op = OP_CONST;
    i->n_operands = 0;
    i->n_index = 0;
    i->index = NULL;
    i->f = 0;
    i->d = dim(0);
    i->i = const_wrap(i->result->type.elem, x);
    return true;
}

bool fold_become_float(inst_t *i, double x) {
    if (isnan(x)) return false;
    fold_become_int(i, 0);
    i->f = const_round(i->result->type.elem, x);
    return true;
}

static bool fold_arithmetic(inst_t *i, const inst_t *const *c) {
    elem_t e = i->result->type.elem;
    const inst_t *x = c[0], *y = i->n_operands > 1 ? c[1] : x, *z = i->n_operands > 2 ? c[2] : x;
    if (e == E_F32)
        return fold_become_float(i, f32_op(i->op, (float)x->f, (float)y->f, (float)z->f));
    if (e == E_F64) return fold_become_float(i, f64_op(i->op, x->f, y->f, z->f));
    return fold_become_int(i, int_op(i->op, x->i, y->i, i->i, 8 * elem_bytes(e)));
}

static bool fold_compare(inst_t *i, const inst_t *const *c) {
    const inst_t *x = c[0], *y = c[1];
    bool yes = elem_is_float(i->operand[0]->type.elem)
                   ? compare_op(i->op, x->f<y->f, x->f == y->f, x->f> y->f)
                   : compare_op(i->op, x->i<y->i, x->i == y->i, x->i> y->i);
    return fold_become_int(i, yes ? -1 : 0);
}

static bool fold_convert(inst_t *i, const inst_t *const *c) {
    elem_t from = i->operand[0]->type.elem, to = i->result->type.elem;
    const inst_t *x = c[0];
    if (elem_is_float(from) && elem_is_float(to)) return fold_become_float(i, x->f);
    if (elem_is_float(from)) return fits_integer(x->f, to) && fold_become_int(i, (int64_t)x->f);
    if (to == E_F32) return fold_become_float(i, (float)x->i);
    return to == E_F64 ? fold_become_float(i, (double)x->i) : fold_become_int(i, x->i);
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
    case E_BF16: return const_round(e, f) == f && fold_become_float(i, f);
    case E_I8: return fold_become_int(i, u->i8);
    case E_U8: return fold_become_int(i, u->u8);
    case E_I32: return fold_become_int(i, u->i32);
    default: return fold_become_int(i, u->i64);
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
    return elem_is_float(i->result->type.elem) ? fold_become_float(i, x->f)
                                               : fold_become_int(i, x->i);
}

static bool fold_divide(inst_t *i, const inst_t *const *c) {
    if (!dim_literal(i->d) || c[0]->i < 0) return false;
    return fold_become_int(i, i->op == OP_IDIV ? c[0]->i / i->d.c : c[0]->i % i->d.c);
}

typedef bool folder_fn(inst_t *i, const inst_t *const *c);
static folder_fn *const folds[OP_COUNT] = {
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

bool fold_constants(inst_t *i) {
    const inst_t *c[MAX_OPERANDS];
    if (!folds[i->op]) return false;
    for (int k = 0; k < i->n_operands; k++)
        if (!(c[k] = fold_constant(i->operand[k]))) return false;
    return folds[i->op](i, c);
}
