/* One op → one C expression. In: an instruction whose operands are written already, or wait to be
 * written where they are used. Out: text, how tightly it binds, what it reads. The table c_ops has
 * a row per op; addresses are flattened row by row, [(i * 12 + 3) * 528 + k],
 * with literal strides. */
#include <string.h>

#include "emit/c_int.h"

/* ---- forms of ops ---------------------------------------------------------------------------- */

typedef struct op_form op_form_t;
typedef expr_t c_write_fn(func_t *f, const inst_t *i, const op_form_t *form);

struct op_form {
    c_write_fn *write;
    const char *sign; /* infix or prefix */
    prec_t prec;
    helper_t helper;
    const char *name; /* of locals without a name */
};

static expr_t call_text(func_t *f, expr_t e, const char *name, const char *args) {
    e.text = arena_printf(f->c->arena, "%s(%s)", name, args);
    e.prec = P_PRIMARY;
    return e;
}

static expr_t write_helper(func_t *f, const inst_t *i, const op_form_t *form) {
    expr_t e = {0};
    const char *args = arguments(f, i->n_operands, i->operand, &e);
    return call_text(f, e, c_helper(f->c, form->helper, i->operand[0]->type), args);
}

static expr_t write_infix(func_t *f, const inst_t *i, const op_form_t *form) {
    expr_t e = {.prec = form->prec};
    prec_t left = form->prec == P_BITS ? P_UNARY : form->prec, right = (prec_t)(form->prec + 1);
    const char *x = operand(f, i, 0, left, &e);
    const char *y = operand(f, i, 1, form->prec == P_BITS ? P_UNARY : right, &e);
    e.text = arena_printf(f->c->arena, "%s %s %s", x, form->sign, y);
    return e;
}

/* True where verification has shown that a sum or product stays far from overflow. */
static bool never_wraps(const func_t *f, const value_t *v) {
    if (!v->bounded || v->type.lanes > 1) return false;
    int64_t limit = v->type.elem == E_I64 ? INT64_C(1) << 60 : 1 << 30;
    units_t u = f->c->m->units;
    dim_t low = dim(-limit), high = dim(limit);
    return dim_le(low, v->lo, u) && dim_le(v->hi, high, u);
}

/* A product (compilers divide by powers of two with one) that may meet a sum, here or behind a
 * call, a loop or memory. clang's -ffp-contract=fast would make one fma of the two
 * whatever the file says. */
static bool may_fuse(const func_t *f, const inst_t *i) {
    static const bool never[OP_COUNT] = {
        [OP_MUL] = true, [OP_DIV] = true, [OP_FMA] = true, [OP_SQRT] = true, [OP_EQ] = true,
        [OP_NE] = true,  [OP_LT] = true,  [OP_LE] = true,  [OP_GT] = true,   [OP_GE] = true};
    const vstate_t *s = state_of(f, i->result);
    bool product = i->op == OP_MUL || i->op == OP_DIV;
    return product && !(s->uses == 1 && never[s->user->op]);
}

/* Floats: C's operator, but where two could become one. Integers wrap, which
 * C's signed ones do not. */
static expr_t write_arithmetic(func_t *f, const inst_t *i, const op_form_t *form) {
    bool real = elem_is_float(i->result->type.elem);
    bool plain = real ? !may_fuse(f, i) : never_wraps(f, i->result);
    return plain ? write_infix(f, i, form) : write_helper(f, i, form);
}

static expr_t write_neg(func_t *f, const inst_t *i, const op_form_t *form) {
    if (!elem_is_float(i->result->type.elem)) return write_helper(f, i, form);
    expr_t e = {.prec = P_UNARY};
    e.text = arena_printf(f->c->arena, "-%s", operand(f, i, 0, P_PRIMARY, &e));
    return e;
}

/* Operand of a mask operation: a mask, or all lanes, or none. */
static const char *mask_operand(func_t *f, const value_t *v, expr_t *e) {
    if (state_of(f, v)->mask) return take_text(f, v, P_UNARY, e);
    return v->def->i ? arena_printf(f->c->arena, "%s",
                                    v->type.lanes == 16  ? "0xffff"
                                    : v->type.lanes == 8 ? "0xff"
                                                         : "0xf")
                     : "0";
}

static expr_t write_bits(func_t *f, const inst_t *i, const op_form_t *form) {
    if (!state_of(f, i->result)->mask) return write_infix(f, i, form);
    expr_t e = {.prec = P_UNARY};
    const char *x = mask_operand(f, i->operand[0], &e), *y = mask_operand(f, i->operand[1], &e);
    e.text =
        arena_printf(f->c->arena, "(%s)(%s %s %s)", c_mask_type(i->result->type), x, form->sign, y);
    return e;
}

static expr_t write_decided(const inst_t *i) {
    bool yes = i->op == OP_EQ || i->op == OP_LE || i->op == OP_GE;
    return (expr_t){
        .text = yes ? "-1" : "0", .prec = yes ? P_UNARY : P_PRIMARY, .cond = yes ? "1" : "0"};
}

static expr_t write_compare(func_t *f, const inst_t *i, const op_form_t *form) {
    if (state_of(f, i->result)->mask) return write_helper(f, i, form);
    if (is_decided(i)) return write_decided(i);
    expr_t e = {.prec = P_UNARY};
    arena_t *a = f->c->arena;
    const char *x = operand(f, i, 0, P_SUM, &e), *y = operand(f, i, 1, P_SUM, &e);
    const char *test = arena_printf(a, "%s %s %s", x, form->sign, y);
    if (i->result->type.lanes > 1) {
        e.text = arena_printf(a, "(%s)(%s)", c_type(f->c, i->result->type), test);
    } else {
        e.text = arena_printf(a, "-(%s)", test);
        e.cond = test;
    }
    return e;
}

static expr_t write_select(func_t *f, const inst_t *i, const op_form_t *form) {
    const value_t *m = i->operand[0];
    ltype_t t = i->result->type;
    expr_t e = {.prec = P_COND};
    if (t.lanes > 1) {
        helper_t h = state_of(f, m)->mask ? H_BLEND : form->helper;
        const char *args = arguments(f, 3, i->operand, &e);
        return call_text(f, e, c_helper(f->c, h, t), args);
    }
    expr_t mask = take(f, m);
    add_reads(&e, &mask);
    const char *test = mask.cond ? mask.cond : bracket(f, mask.text, mask.prec, P_UNARY);
    const char *x = operand(f, i, 1, P_SUM, &e), *y = operand(f, i, 2, P_SUM, &e);
    e.text = arena_printf(f->c->arena, "%s ? %s : %s", test, x, y);
    return e;
}

static expr_t write_shift(func_t *f, const inst_t *i, const op_form_t *form) {
    ltype_t t = i->result->type;
    expr_t e = {.prec = P_BITS};
    arena_t *a = f->c->arena;
    const char *x = operand(f, i, 0, P_UNARY, &e);
    if (i->op == OP_SAR) {
        e.text = arena_printf(a, "%s >> %d", x, (int)i->i);
    } else { /* unsigned: no overflow, no sign; binds like a cast */
        e.text = arena_printf(a, "(%s)((%s)%s %s %d)", c_type(f->c, t), c_unsigned(f->c, t), x,
                              form->sign, (int)i->i);
        e.prec = P_UNARY;
    }
    return e;
}

static expr_t write_cast(func_t *f, const inst_t *i) {
    expr_t e = {.prec = P_UNARY};
    const char *x = operand(f, i, 0, P_UNARY, &e);
    e.text = arena_printf(f->c->arena, "(%s)%s", c_type(f->c, i->result->type), x);
    return e;
}

static expr_t write_convert(func_t *f, const inst_t *i, const op_form_t *form) {
    ltype_t from = i->operand[0]->type, to = i->result->type;
    (void)form;
    expr_t e = {0};
    if (from.elem == E_BF16 || to.elem == E_BF16) {
        helper_t h = to.elem == E_BF16 ? H_TO_BF16 : H_FROM_BF16;
        const char *args = arguments(f, 1, i->operand, &e);
        return call_text(f, e, c_helper(f->c, h, VECTOR(E_F32, to.lanes)), args);
    }
    if (to.lanes == 1) return write_cast(f, i);
    const char *x = operand(f, i, 0, P_COND, &e);
    const char *args = arena_printf(f->c->arena, "%s, %s", x, c_type(f->c, to));
    return call_text(f, e, "__builtin_convertvector", args);
}

/* C casts vectors to integers of their size, and back; of a scalar float a cast takes the value. */
static bool is_real_scalar(ltype_t t) {
    return t.lanes == 1 && (t.elem == E_F32 || t.elem == E_F64);
}

static ltype_t bits_type(ltype_t t) {
    return SCALAR(t.elem == E_F64 ? E_I64 : E_I32);
}

static expr_t write_bitcast(func_t *f, const inst_t *i, const op_form_t *form) {
    ltype_t from = i->operand[0]->type, to = i->result->type;
    (void)form;
    if (!is_real_scalar(from) && !is_real_scalar(to)) return write_cast(f, i);
    expr_t e = {0};
    if (is_real_scalar(to)) {
        bool vector = from.lanes > 1;
        const char *x = operand(f, i, 0, vector ? P_UNARY : P_COND, &e);
        if (vector) x = arena_printf(f->c->arena, "(%s)%s", c_type(f->c, bits_type(to)), x);
        return call_text(f, e, c_helper(f->c, H_FROM_BITS, to), x);
    }
    e = call_text(f, e, c_helper(f->c, H_BITS, from), arguments(f, 1, i->operand, &e));
    if (to.lanes == 1) return e;
    e.text = arena_printf(f->c->arena, "(%s)%s", c_type(f->c, to), e.text);
    e.prec = P_UNARY;
    return e;
}

static expr_t write_broadcast(func_t *f, const inst_t *i, const op_form_t *form) {
    expr_t e = {0};
    const char *args = arguments(f, 1, i->operand, &e);
    return call_text(f, e, c_helper(f->c, form->helper, i->result->type), args);
}

static expr_t write_shuffle(func_t *f, const inst_t *i, const op_form_t *form) {
    expr_t e = {0};
    bool one;
    (void)form;
    const char *name = c_shuffle(f->c, i->result->type, i->lanes, &one);
    const char *args = arguments(f, one ? 1 : 2, i->operand, &e);
    return call_text(f, e, name, args);
}

static expr_t write_extract(func_t *f, const inst_t *i, const op_form_t *form) {
    expr_t e = {.prec = P_PRIMARY};
    (void)form;
    const char *x = operand(f, i, 0, P_PRIMARY, &e);
    e.text = arena_printf(f->c->arena, "%s[%d]", x, (int)i->i);
    return e;
}

static expr_t write_divide(func_t *f, const inst_t *i, const op_form_t *form) {
    expr_t e = {.prec = P_PRODUCT};
    const char *x = operand(f, i, 0, P_PRODUCT, &e);
    e.text = arena_printf(f->c->arena, "%s %s %s", x, form->sign,
                          bracket(f, c_dim_of(f, i->d), dim_prec(i->d), P_UNARY));
    return e;
}

static expr_t write_index(func_t *f, const inst_t *i, const op_form_t *form) {
    expr_t e = {0};
    (void)form;
    e.text = affine_text(f, &i->index[0], &e, &e.prec);
    return e;
}

static expr_t write_load(func_t *f, const inst_t *i, const op_form_t *form) {
    ltype_t t = i->result->type;
    expr_t e = {.prec = P_PRIMARY};
    const char *x = t.lanes == 1 ? element(f, i, &e) : pointer(f, i, &e);
    bufkind_t kind = i->buffer->kind;
    e.loads = e.loads || kind == BUF_WORKSPACE || kind == BUF_SCRATCH || kind == BUF_OUTPUT ||
              kind == BUF_STATE;
    e.text = x;
    if (t.lanes == 1) return e;
    return call_text(f, e, c_helper(f->c, form->helper, t), x);
}

static expr_t write_call(func_t *f, const inst_t *i, const op_form_t *form) {
    expr_t e = {0};
    (void)form;
    const char *args = arguments(f, i->n_values, i->values, &e);
    return call_text(f, e, c_func_name(f->c, i->callee), args);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* clang-format off */
static const op_form_t c_ops[OP_COUNT] = {
    /*                write             sign  binds      helper    local */
    [OP_CONST]     = {NULL,             NULL, P_PRIMARY, H_COUNT,  "c"}, /* an operand */
    [OP_ADD]       = {write_arithmetic, "+",  P_SUM,     H_ADD,    "sum"},
    [OP_SUB]       = {write_arithmetic, "-",  P_SUM,     H_SUB,    "diff"},
    [OP_MUL]       = {write_arithmetic, "*",  P_PRODUCT, H_MUL,    "prod"},
    [OP_MULHI]     = {write_helper,     NULL, P_PRIMARY, H_MULHI,  "upper"},
    [OP_DIV]       = {write_arithmetic, "/",  P_PRODUCT, H_DIV,    "quot"},
    [OP_FMA]       = {write_helper,     NULL, P_PRIMARY, H_FMA,    "t"},
    [OP_DOT2]      = {write_helper,     NULL, P_PRIMARY, H_DOT2,   "t"},
    [OP_DOT4]      = {write_helper,     NULL, P_PRIMARY, H_DOT4,   "t"},
    [OP_MIN]       = {write_helper,     NULL, P_PRIMARY, H_MIN,    "smaller"},
    [OP_MAX]       = {write_helper,     NULL, P_PRIMARY, H_MAX,    "larger"},
    [OP_NEG]       = {write_neg,        "-",  P_UNARY,   H_NEG,    "neg"},
    [OP_SQRT]      = {write_helper,     NULL, P_PRIMARY, H_SQRT,   "root"},
    [OP_AND]       = {write_bits,       "&",  P_BITS,    H_COUNT,  "bits"},
    [OP_OR]        = {write_bits,       "|",  P_BITS,    H_COUNT,  "bits"},
    [OP_XOR]       = {write_bits,       "^",  P_BITS,    H_COUNT,  "bits"},
    [OP_SHL]       = {write_shift,      "<<", P_BITS,    H_COUNT,  "bits"},
    [OP_SHR]       = {write_shift,      ">>", P_BITS,    H_COUNT,  "bits"},
    [OP_SAR]       = {write_shift,      ">>", P_BITS,    H_COUNT,  "bits"},
    [OP_EQ]        = {write_compare,    "==", P_COMPARE, H_EQ,     "equal"},
    [OP_NE]        = {write_compare,    "!=", P_COMPARE, H_NE,     "differ"},
    [OP_LT]        = {write_compare,    "<",  P_COMPARE, H_LT,     "less"},
    [OP_LE]        = {write_compare,    "<=", P_COMPARE, H_LE,     "less"},
    [OP_GT]        = {write_compare,    ">",  P_COMPARE, H_GT,     "more"},
    [OP_GE]        = {write_compare,    ">=", P_COMPARE, H_GE,     "more"},
    [OP_SELECT]    = {write_select,     NULL, P_COND,    H_SELECT, "pick"},
    [OP_CONVERT]   = {write_convert,    NULL, P_UNARY,   H_COUNT,  "x"},
    [OP_BITCAST]   = {write_bitcast,    NULL, P_UNARY,   H_COUNT,  "bits"},
    [OP_BROADCAST] = {write_broadcast,  NULL, P_PRIMARY, H_SPLAT,  "s"},
    [OP_SHUFFLE]   = {write_shuffle,    NULL, P_PRIMARY, H_COUNT,  "mix"},
    [OP_EXTRACT]   = {write_extract,    NULL, P_PRIMARY, H_COUNT,  "lane"},
    [OP_IDIV]      = {write_divide,     "/",  P_PRODUCT, H_COUNT,  "quot"},
    [OP_IREM]      = {write_divide,     "%",  P_PRODUCT, H_COUNT,  "rem"},
    [OP_INDEX]     = {write_index,      NULL, P_SUM,     H_COUNT,  "at"},
    [OP_LOAD]      = {write_load,       NULL, P_PRIMARY, H_LOAD,   "v"},
    [OP_CALL]      = {write_call,       NULL, P_PRIMARY, H_COUNT,  "y"},
};
/* clang-format on */

expr_t expr_of(func_t *f, const inst_t *i) {
    const op_form_t *form = &c_ops[i->op];
    if (!form->write) bug("%s: op %d is no expression", f->fn->name, i->op);
    return form->write(f, i, form);
}

static bool is_constant(const value_t *v) {
    const inst_t *i = v->def;
    if (i && i->op == OP_BROADCAST) return is_constant(i->operand[0]);
    return i && i->op == OP_CONST;
}

/* A limit is a constant: the other operand is held above it, or below. */
static bool is_clamp(const inst_t *i) {
    return (i->op == OP_MIN || i->op == OP_MAX) &&
           (is_constant(i->operand[0]) || is_constant(i->operand[1]));
}

const char *default_name(const inst_t *i) {
    if (is_clamp(i)) return "clamped";
    return c_ops[i->op].name ? c_ops[i->op].name : "v";
}

const char *carried_default(const value_t *next) {
    const inst_t *i = next->def;
    if (!i) return "carried";
    int k = i->op == OP_FOR ? index_of(i->results, i->n_results, next) : i->n_results;
    if (k < i->n_results) return carried_default(block_yield(i->body)->values[k]);
    switch (i->op) {
    case OP_ADD:
    case OP_FMA:
    case OP_DOT2:
    case OP_DOT4: return "sum";
    case OP_MAX: return "most";
    case OP_MIN: return "least";
    default: return "carried";
    }
}
