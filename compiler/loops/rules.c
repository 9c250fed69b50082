/* The rules of rules.h. In: one op, one type, one buffer. Out: NULL or the rule it breaks.
 * Columns come from ops.def; what the columns do not say (which element types an op takes) is the
 * table `accepts` below. After QBE's ops.h and the legal-form tables of tinygrad. */
#include "loops/rules.h"

#include <math.h>
#include <string.h>

enum { NAME_CHARACTERS = 200 };

const op_info_t op_info[OP_COUNT] = {
#define X(op, name, operands, result, flops, pure)                                                 \
    [OP_##op] = {name, operands, RULE_##result, flops, pure},
#include "loops/ops.def"
#undef X
};

static const char *const elem_names[E_COUNT] = {
    [E_F32] = "f32", [E_F64] = "f64", [E_BF16] = "bf16", [E_I8] = "i8",
    [E_U8] = "u8",   [E_I32] = "i32", [E_I64] = "i64",
};

const char *elem_name(elem_t e) {
    return elem_names[e];
}

bool buffer_is_integer(const buffer_t *b) {
    return !elem_is_float(b->elem);
}

/* ---- types ----------------------------------------------------------------------------------- */

/* bf16, i8 and u8 are types of storage: they are loaded, stored, moved and converted, while
 * arithmetic happens in the 32 and 64 bit types. */
#define FLOATS   (1u << E_F32 | 1u << E_F64)
#define INTEGERS (1u << E_I32 | 1u << E_I64)
#define NUMBERS  (FLOATS | INTEGERS)
#define ALL      ((1u << E_COUNT) - 1)

/* Which elements operand 0 (SELECT: operand 1; no operands: the result) may have. */
static const unsigned accepts[OP_COUNT] = {
    [OP_CONST] = ALL,        [OP_ADD] = NUMBERS,       [OP_SUB] = NUMBERS,
    [OP_MUL] = NUMBERS,      [OP_DIV] = FLOATS,        [OP_FMA] = FLOATS,
    [OP_MIN] = NUMBERS,      [OP_MAX] = NUMBERS,       [OP_NEG] = NUMBERS,
    [OP_SQRT] = FLOATS,      [OP_AND] = INTEGERS,      [OP_OR] = INTEGERS,
    [OP_XOR] = INTEGERS,     [OP_SHL] = INTEGERS,      [OP_SHR] = INTEGERS,
    [OP_SAR] = INTEGERS,     [OP_EQ] = NUMBERS,        [OP_NE] = NUMBERS,
    [OP_LT] = NUMBERS,       [OP_LE] = NUMBERS,        [OP_GT] = NUMBERS,
    [OP_GE] = NUMBERS,       [OP_SELECT] = NUMBERS,    [OP_CONVERT] = ALL,
    [OP_BITCAST] = ALL,      [OP_BROADCAST] = ALL,     [OP_SHUFFLE] = ALL,
    [OP_EXTRACT] = ALL,      [OP_MULHI] = 1u << E_I32, [OP_IDIV] = 1u << E_I64,
    [OP_IREM] = 1u << E_I64, [OP_INDEX] = 1u << E_I64, [OP_DOT2] = 1u << E_F32,
    [OP_DOT4] = 1u << E_I32,
};

const char *type_error(ltype_t t, const target_t *target) {
    if (t.lanes < 1 || t.lanes > MAX_LANES || (t.lanes & (t.lanes - 1)) != 0)
        return "has a number of lanes that is not a power of two up to 64";
    if (t.lanes > 1 && t.lanes * elem_bytes(t.elem) > target->vector_bytes)
        return "is wider than the vectors of the target";
    return NULL;
}

ltype_t implied_type(const inst_t *i) {
    switch (op_info[i->op].result) {
    case RULE_SAME:
    case RULE_FIRST: return i->operand[0]->type;
    case RULE_MASK: return VECTOR(E_I32, i->operand[0]->type.lanes);
    case RULE_SELECT: return i->operand[1]->type;
    default: bug("%s has no implied type", op_info[i->op].name);
    }
}

static bool vector_of_other_width(ltype_t t) {
    return t.lanes > 1 && elem_bytes(t.elem) != 4;
}

static const char *same_error(const inst_t *i) {
    for (int k = 1; k < i->n_operands; k++)
        if (!ltype_equal(i->operand[k]->type, i->operand[0]->type))
            return "operands must have one type";
    return NULL;
}

static const char *select_error(const inst_t *i) {
    ltype_t mask = i->operand[0]->type, x = i->operand[1]->type;
    if (mask.elem != E_I32 || mask.lanes != x.lanes)
        return "the mask must be i32 with the lanes of the others";
    if (!ltype_equal(x, i->operand[2]->type)) return "both choices must have one type";
    if (vector_of_other_width(x)) return "vectors must have 32-bit elements";
    return NULL;
}

static const char *convert_error(ltype_t from, ltype_t to) {
    if (from.lanes != to.lanes) return "the lanes must stay";
    if (from.elem == to.elem) return "it converts a type to itself";
    if ((from.elem == E_BF16 && to.elem != E_F32) || (to.elem == E_BF16 && from.elem != E_F32))
        return "bf16 converts from and to f32 only";
    return NULL;
}

static const char *bitcast_error(ltype_t from, ltype_t to) {
    if (from.elem == to.elem) return "it casts a type to itself";
    int bits = from.lanes * elem_bytes(from.elem);
    return bits == to.lanes * elem_bytes(to.elem) ? NULL : "all bits must stay, and no others come";
}

/* Below four lanes no target has an instruction. */
static const char *dot_error(const inst_t *i, bool legal, elem_t x, elem_t y, int each) {
    int n = i->operand[0]->type.lanes;
    if (!legal) return "the target does not have it";
    if (n < 4) return "the sum has four lanes at least";
    if (!ltype_equal(i->operand[1]->type, VECTOR(x, each * n)) ||
        !ltype_equal(i->operand[2]->type, VECTOR(y, each * n)))
        return "the factors have the wrong types";
    return NULL;
}

static const char *shuffle_error(const inst_t *i) {
    int n = i->operand[0]->type.lanes;
    if (n < 2) return "it takes vectors";
    for (int k = 0; k < n; k++)
        if (i->lanes[k] < 0 || i->lanes[k] >= 2 * n) return "a lane is out of range";
    return NULL;
}

static const char *const_error(const inst_t *i) {
    elem_t e = i->result->type.elem;
    if (!elem_is_float(e))
        return const_wrap(e, i->i) == i->i ? NULL : "the value does not fit its type";
    if (i->f != i->f) return NULL;
    return const_round(e, i->f) == i->f ? NULL : "the value is not one of its type";
}

/* The rules that only one op, or a few, have. */
static const char *special_error(const inst_t *i, const target_t *target, units_t units) {
    ltype_t from = i->n_operands ? i->operand[0]->type : i->result->type, to = i->result->type;
    switch (i->op) {
    case OP_CONST: return const_error(i);
    case OP_FMA: return target->fma ? NULL : "the target has no fma";
    case OP_DOT2: return dot_error(i, target->dot2, E_BF16, E_BF16, 2);
    case OP_DOT4: return dot_error(i, target->dot4, E_U8, E_I8, 4);
    case OP_SHL:
    case OP_SHR:
    case OP_SAR:
        return i->i >= 0 && i->i < 8 * elem_bytes(from.elem) ? NULL : "the count is out of range";
    case OP_CONVERT: return convert_error(from, to);
    case OP_BITCAST: return bitcast_error(from, to);
    case OP_BROADCAST:
        if (from.lanes != 1 || to.lanes < 2) return "it takes a scalar to a vector";
        return from.elem == to.elem ? NULL : "the element type must stay";
    case OP_SHUFFLE: return shuffle_error(i);
    case OP_EXTRACT:
        if (from.lanes < 2) return "it takes a vector";
        if (to.lanes != 1 || to.elem != from.elem) return "the result must be one element";
        return i->i >= 0 && i->i < from.lanes ? NULL : "the lane is out of range";
    case OP_IDIV:
    case OP_IREM:
        if (from.lanes != 1) return "it takes a scalar";
        if (!dim_fits(i->d, units) || !dim_le(dim(1), i->d, units))
            return "the divisor must be positive";
        return NULL;
    case OP_INDEX: return to.lanes == 1 ? NULL : "the result must be i64";
    default: return NULL;
    }
}

const char *op_error(const inst_t *i, const target_t *target, units_t units) {
    const op_info_t *info = &op_info[i->op];
    const char *e = NULL;
    if (info->result == RULE_SAME || info->result == RULE_MASK) e = same_error(i);
    if (info->result == RULE_SELECT) e = select_error(i);
    if (e) return e;
    const value_t *subject = i->n_operands == 0            ? i->result
                             : info->result == RULE_SELECT ? i->operand[1]
                                                           : i->operand[0];
    if (!(accepts[i->op] >> subject->type.elem & 1)) return "it does not take this type";
    if (info->result == RULE_MASK && vector_of_other_width(subject->type))
        return "vectors must have 32-bit elements";
    if (info->result != RULE_EXPLICIT && !ltype_equal(i->result->type, implied_type(i)))
        return "the result has the wrong type";
    e = special_error(i, target, units);
    return e ? e : type_error(i->result->type, target);
}

/* ---- sizes and names ------------------------------------------------------------------------- */

bool dim_fits(dim_t d, units_t u) {
    if (d.c <= -DIM_LIMIT || d.c >= DIM_LIMIT) return false;
    if (u.max == 0) return d.u == 0;
    int64_t bound = DIM_LIMIT / u.max;
    return d.u > -bound && d.u < bound;
}

bool dim_mul(dim_t a, dim_t b, units_t u, dim_t *c) {
    if (!dim_literal(a)) {
        dim_t t = a;
        a = b;
        b = t;
    }
    if (!dim_literal(a)) return false;
    return !__builtin_mul_overflow(a.c, b.c, &c->c) && !__builtin_mul_overflow(a.c, b.u, &c->u) &&
           dim_fits(*c, u);
}

static const char *size_error(const buffer_t *b, units_t u) {
    dim_t size = dim(elem_bytes(b->elem));
    for (int i = 0; i < b->rank; i++) {
        if (!dim_fits(b->dims[i], u) || !dim_le(dim(1), b->dims[i], u))
            return "has a dimension that is not positive";
        if (!dim_mul(size, b->dims[i], u, &size))
            return "has more than one dimension in U, or is too large";
    }
    return NULL;
}

const char *buffer_error(const buffer_t *b, units_t u) {
    if (b->rank < 1 || b->rank > MAX_RANK) return "has a rank that is not 1 to 6";
    const char *e = size_error(b, u);
    if (e) return e;
    if (b->has_range) {
        if (!buffer_is_integer(b)) return "has a range but no integer elements";
        if (!dim_fits(b->lo, u) || !dim_fits(b->hi, u) || !dim_le(b->lo, b->hi, u))
            return "has an empty range";
    }
    if (!dim_fits(b->offset, u) || !dim_le(dim(0), b->offset, u)) return "has a negative offset";
    if (buffer_has_slot(b) && (b->slot < 0 || b->slot > 255))
        return "has a slot that is not 0 to 255";
    if (b->kind != BUF_TABLE) return NULL;
    if (b->elem != E_I32 || !b->data) return "is a table, which has i32 data";
    for (int i = 0; i < b->rank; i++)
        if (!dim_literal(b->dims[i])) return "is a table, whose dimensions are literal";
    return NULL;
}

bool name_is_valid(const char *name) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && n <= NAME_CHARACTERS && !name[n] && *name >= 'a' && *name <= 'z';
}

const char *label_error(const char *text, bool layer) {
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.#");
    const char *mark = strchr(text, '#');
    if (n == 0 || n > NAME_CHARACTERS || text[n]) return "a label is [a-z0-9_.#]+, 200 at most";
    if (mark && strchr(mark + 1, '#')) return "a label has one '#' at most";
    return (mark != NULL) == layer ? NULL
                                   : "a layer is given exactly when the label has a '#' for it";
}

/* ---- literals -------------------------------------------------------------------------------- */

uint16_t bf16_from(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x) return (uint16_t)(bits >> 16 | 0x40);
    if (!(bits & 0x7F800000)) return (uint16_t)(bits >> 16 & 0x8000);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float bf16_to(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

float bf16_round(float x) {
    return bf16_to(bf16_from(x));
}

double const_round(elem_t e, double x) {
    if (x != x) return NAN; /* one NaN, so that text is exact */
    if (e == E_F64) return x;
    return e == E_F32 ? (float)x : bf16_round((float)x);
}

int64_t const_wrap(elem_t e, int64_t x) {
    switch (e) {
    case E_I8: return (int8_t)x;
    case E_U8: return (uint8_t)x;
    case E_I32: return (int32_t)x;
    default: return x;
    }
}

/* ---- walks ----------------------------------------------------------------------------------- */

void walk_block(block_t *b, inst_fn *f, void *ctx) {
    for (size_t k = 0; k < b->n; k++) {
        inst_t *i = b->insts[k];
        f(ctx, i);
        if (i->body) walk_block(i->body, f, ctx);
        if (i->otherwise) walk_block(i->otherwise, f, ctx);
    }
}

void walk_uses(inst_t *i, use_fn *f, void *ctx) {
    for (int k = 0; k < i->n_operands; k++) f(ctx, &i->operand[k]);
    for (int k = 0; k < i->n_values; k++) f(ctx, &i->values[k]);
    for (int d = 0; d < i->n_index; d++)
        for (int k = 0; k < i->index[d].n; k++) f(ctx, &i->index[d].term[k].value);
}
