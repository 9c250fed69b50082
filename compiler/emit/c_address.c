/* Addresses → C. In: affine indices, one per dimension. Out: sums of products, flattened row by
 * row, (i * 12 + 3) * 528 + k, with literal strides; what a base pointer (c_base.c)
 * holds already is left out. */
#include <ctype.h>
#include <string.h>

#include "emit/c_int.h"

const char *c_dim_of(func_t *f, dim_t d) {
    if (d.u != 0) f->uses_units = true;
    return c_dim(f->c->arena, d);
}

prec_t dim_prec(dim_t d) {
    if (dim_literal(d)) return d.c < 0 ? P_UNARY : P_PRIMARY;
    if (d.c != 0) return P_SUM;
    return d.u == 1 ? P_PRIMARY : P_PRODUCT;
}

/* What is subtracted binds tighter than a sum: a - (x + y). */
static const char *term_text(func_t *f, const value_t *v, dim_t coef, bool minus, bool promoted,
                             expr_t *e) {
    arena_t *a = f->c->arena;
    bool one = dim_literal(coef) && coef.c == 1;
    const char *x = take_wide(f, v, one && !minus ? P_SUM : P_PRODUCT, one && promoted, e);
    if (one) return x;
    return arena_printf(a, "%s * %s", x, bracket(f, c_dim_of(f, coef), dim_prec(coef), P_UNARY));
}

/* sum, or `+`-joined onto it; a dim that is negative is subtracted */
static const char *plus_dim(func_t *f, const char *sum, dim_t d) {
    arena_t *a = f->c->arena;
    if (dim_literal(d) && d.c == 0) return sum;
    if (dim_literal(d) && d.c < 0) return arena_printf(a, "%s - %s", sum, c_dim_of(f, dim(-d.c)));
    return arena_printf(a, "%s + %s", sum, c_dim_of(f, d));
}

/* The terms of an affine expression without its base; NULL: there are none. joined: what they are
 * added to is an int64_t. */
static const char *terms_text(func_t *f, const affine_t *x, bool joined, expr_t *e, prec_t *prec) {
    const char *sum = NULL;
    *prec = P_PRODUCT;
    for (int k = 0; k < x->n; k++) {
        dim_t coef = x->term[k].coef;
        bool minus = dim_literal(coef) && coef.c < 0;
        const char *t =
            term_text(f, x->term[k].value, minus ? dim(-coef.c) : coef, minus, joined || k > 0, e);
        const char *sign = sum ? (minus ? " - " : " + ") : (minus ? "-" : "");
        sum = arena_printf(f->c->arena, "%s%s%s", sum ? sum : "", sign, t);
        if (k > 0 || minus) *prec = P_SUM;
    }
    if (x->n == 1 && dim_equal(x->term[0].coef, dim(1))) {
        const value_t *v = x->term[0].value;
        bool plain = v->type.elem == E_I64 || state_of(f, v)->wide || joined;
        *prec = plain ? state_of(f, v)->e.prec : P_UNARY;
    }
    return sum;
}

const char *affine_text(func_t *f, const affine_t *x, expr_t *e, prec_t *prec) {
    const char *sum = terms_text(f, x, false, e, prec);
    if (!sum) {
        *prec = dim_prec(x->base);
        return c_dim_of(f, x->base);
    }
    if (x->base.c != 0 || x->base.u != 0) *prec = P_SUM;
    return plus_dim(f, sum, x->base);
}

/* text + constant; text NULL: a constant only. The constant is kept apart while strides multiply,
 * so that accesses of one loop differ in a literal only: compilers then use one pointer for all. A
 * single product takes strides into its literal. */
typedef struct {
    const char *text;
    prec_t prec;
    const char *single; /* NULL: text is more than single * times */
    int64_t times;
    dim_t constant;
} c_address_t;

static const char *flat_text(func_t *f, const c_address_t *x, prec_t at_least) {
    if (!x->text) return bracket(f, c_dim_of(f, x->constant), dim_prec(x->constant), at_least);
    bool plain = dim_equal(x->constant, dim(0));
    return bracket(f, plus_dim(f, x->text, x->constant), plain ? x->prec : P_SUM, at_least);
}

static void set_single(func_t *f, c_address_t *x, const char *single, int64_t times) {
    x->single = single;
    x->times = times;
    x->prec = P_PRODUCT;
    x->text = times == 1 ? single
                         : arena_printf(f->c->arena, "%s * %s", single,
                                        c_integer(f->c->arena, E_I64, times));
}

/* x = x * by */
static void flat_scale(func_t *f, c_address_t *x, dim_t by) {
    if (dim_equal(by, dim(1))) return;
    bool apart = dim_literal(x->constant) || dim_literal(by);
    if (x->single && dim_literal(by)) {
        set_single(f, x, x->single, x->times * by.c);
    } else if (x->text || !apart) {
        const char *stride = bracket(f, c_dim_of(f, by), dim_prec(by), P_UNARY);
        const char *text =
            apart ? bracket(f, x->text, x->prec, P_PRODUCT) : flat_text(f, x, P_PRODUCT);
        x->text = arena_printf(f->c->arena, "%s * %s", text, stride);
        x->prec = P_PRODUCT;
        x->single = NULL;
    }
    if (!apart) x->constant = dim(0);
    else
        x->constant = dim_literal(by) ? dim_scale(x->constant, by.c) : dim_scale(by, x->constant.c);
}

static bool is_single(const affine_t *x) {
    return x->n == 1 && dim_literal(x->term[0].coef) && x->term[0].coef.c > 0;
}

/* x = x * by + index */
static void flat_step(func_t *f, c_address_t *x, dim_t by, const affine_t *index, expr_t *e) {
    flat_scale(f, x, by);
    x->constant = dim_add(x->constant, index->base);
    if (index->n == 0) return;
    if (!x->text && is_single(index)) {
        set_single(f, x, take_wide(f, index->term[0].value, P_PRODUCT, false, e),
                   index->term[0].coef.c);
        return;
    }
    prec_t prec;
    const char *terms = terms_text(f, index, x->text != NULL, e, &prec);
    x->single = NULL;
    if (!x->text) {
        x->text = terms;
        x->prec = prec;
        return;
    }
    x->text = *terms == '-' ? arena_printf(f->c->arena, "%s - %s", x->text, terms + 1)
                            : arena_printf(f->c->arena, "%s + %s", x->text, terms);
    x->prec = P_SUM;
}

static c_address_t flatten(func_t *f, const buffer_t *b, const affine_t *index, expr_t *e) {
    c_address_t x = {.prec = P_PRIMARY};
    for (int k = 0; k < b->rank; k++) flat_step(f, &x, b->dims[k], &index[k], e);
    return x;
}

dim_t flat_constant(const buffer_t *b, const affine_t *index) {
    dim_t sum = dim(0);
    for (int k = 0; k < b->rank; k++) {
        bool literal = dim_literal(b->dims[k]);
        if (!literal && !dim_literal(sum)) return (dim_t){0, 1};
        sum = literal ? dim_scale(sum, b->dims[k].c) : dim_scale(b->dims[k], sum.c);
        sum = dim_add(sum, index[k].base);
    }
    return sum;
}

/* ---- buffers --------------------------------------------------------------------------------- */

static size_t buffer_place(const func_t *f, const buffer_t *b) {
    size_t k = 0;
    while (k < f->n_buffers && f->buffers[k] != b) k++;
    return k;
}

/* lsh_attention_scores of lsh_attention: scores */
const char *buffer_base(const func_t *f, const buffer_t *b) {
    size_t n = strlen(f->fn->name);
    bool of_kernel = b->kind == BUF_SCRATCH && strncmp(b->name, f->fn->name, n) == 0 &&
                     b->name[n] == '_' && isalpha((unsigned char)b->name[n + 1]);
    return of_kernel ? b->name + n + 1 : b->name;
}

const char *buffer_name(func_t *f, const buffer_t *b, bool written) {
    if (b->kind == BUF_TABLE) return c_table_name(f->c, b);
    size_t k = buffer_place(f, b);
    if (k == f->n_buffers) {
        size_t n = f->n_buffers, m = n, l = n;
        ARENA_PUSH(f->c->arena, f->buffers, f->n_buffers, f->cap_buffers) = b;
        ARENA_PUSH(f->c->arena, f->buffer_names, n, f->cap_names) = NULL;
        ARENA_PUSH(f->c->arena, f->buffer_written, m, f->cap_written) = false;
        ARENA_PUSH(f->c->arena, f->buffer_shift, l, f->cap_shift) = 0;
        f->buffer_names[k] = local_name(f, buffer_base(f, b));
    }
    f->buffer_written[k] = f->buffer_written[k] || written;
    return f->buffer_names[k];
}

const char **buffer_local(const func_t *f, const buffer_t *b) {
    return &f->buffer_names[buffer_place(f, b)];
}

int64_t *buffer_shift(const func_t *f, const buffer_t *b) {
    return &f->buffer_shift[buffer_place(f, b)];
}

/* ---- accesses -------------------------------------------------------------------------------- */

/* What a parameter has already been moved by. */
static void take_shift(const func_t *f, const buffer_t *b, const base_t *base, affine_t *index) {
    int64_t by = base ? base->shift : b->kind == BUF_TABLE ? 0 : *buffer_shift(f, b);
    if (by) index[b->rank - 1].base = dim_sub(index[b->rank - 1].base, dim(by));
}

/* Where an access is written from: a base and the rest, or the buffer and all of it. */
static const char *start(func_t *f, const inst_t *i, affine_t *index) {
    const address_t *x = address_of(f, i);
    const base_t *base = x ? address_from(x) : NULL;
    if (base) address_rest(f, x, index);
    else memcpy(index, i->index, (size_t)i->n_index * sizeof *index);
    take_shift(f, i->buffer, base, index);
    return base ? base->name : buffer_name(f, i->buffer, false);
}

const char *element(func_t *f, const inst_t *i, expr_t *e) {
    affine_t index[MAX_RANK];
    const char *from = start(f, i, index);
    c_address_t x = flatten(f, i->buffer, index, e);
    return arena_printf(f->c->arena, "%s[%s]", from, flat_text(f, &x, P_COND));
}

static const char *plus(func_t *f, const char *from, const buffer_t *b, const affine_t *index,
                        expr_t *e) {
    c_address_t x = flatten(f, b, index, e);
    if (!x.text) return plus_dim(f, from, x.constant);
    return arena_printf(f->c->arena, "%s + %s", from, flat_text(f, &x, P_SUM));
}

const char *pointer(func_t *f, const inst_t *i, expr_t *e) {
    affine_t index[MAX_RANK];
    const char *from = start(f, i, index);
    return plus(f, from, i->buffer, index, e);
}

const char *address_text(func_t *f, const address_t *x, expr_t *e) {
    affine_t index[MAX_RANK];
    const base_t *base = address_from(x);
    const char *from = base ? base->name : buffer_name(f, address_buffer(x), false);
    address_rest(f, x, index);
    return plus(f, from, address_buffer(x), index, e);
}
