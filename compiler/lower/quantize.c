/* Rows of f32 → rows of i8, each with one scale: QUANTIZE (support/i8.h is the rule).
 *
 * m, the greatest of a row, is found on the bits without their sign, as integers: NaN is greater
 * than infinity there. Then scale = m / 127 and inverse = 127 / m, and each element is the integer
 * nearest to x * inverse: a number is added that leaves no room for a fraction, and the sum's last
 * bits are the integer. A row with m < 2^-100 is all 0, one whose m is not finite has a scale that
 * is NaN, and whatever bytes: as floats they have to be numbers, too, which sums become i32.
 *
 * A row stands as u8, each 128 more than it is, where the target has dot4; else as f32. Zeros fill
 * it up to a tile, and behind them stands the scale (lower_int.h). */
#include "lower/quantize.h"

/* 1.5 * 2^23: in the sum with it the last bit counts ones. */
#define NO_FRACTION 0x1.8p23
enum { OFFSET = 128 };

typedef struct {
    const rows_at_t *at;
    buffer_t *from, *to;
    affine_t from_row, to_row;
    value_t *inverse; /* scalars */
    value_t *whole;   /* -1; 0 where the row is not finite */
} quantize_t;

static value_t *in_lanes(builder_t *b, value_t *scalar, int width) {
    return width > 1 ? b_broadcast(b, scalar, width) : scalar;
}

/* ---- the greatest ---------------------------------------------------------------------------- */

static value_t *greater_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width,
                             value_t *acc) {
    const quantize_t *q = ctx;
    value_t *x = load_at(b, q->at, q->from, q->from_row, at, width);
    value_t *bits = b_bitcast(b, E_I32, x);
    (void)L;
    value_t *size = b_iconst(b, (ltype_t){E_I32, width}, INT32_MAX);
    return b_binary(b, OP_MAX, b_binary(b, OP_AND, bits, size), acc);
}

/* ---- elements -------------------------------------------------------------------------------- */

static value_t *as_bytes(builder_t *b, const quantize_t *q, value_t *x, int width) {
    value_t *sum = b_binary(b, OP_ADD, x, b_const(b, x->type, NO_FRACTION + OFFSET));
    (void)q;
    (void)width;
    return b_convert(b, E_U8, b_bitcast(b, E_I32, sum));
}

static value_t *as_floats(builder_t *b, const quantize_t *q, value_t *x, int width) {
    value_t *much = b_const(b, x->type, NO_FRACTION);
    value_t *y = b_binary(b, OP_SUB, b_binary(b, OP_ADD, x, much), much);
    value_t *bits = b_bitcast(b, E_I32, y);
    return b_bitcast(b, E_F32, b_binary(b, OP_AND, bits, in_lanes(b, q->whole, width)));
}

static void write_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const quantize_t *q = ctx;
    affine_t ix[] = {q->to_row, at};
    value_t *x = load_at(b, q->at, q->from, q->from_row, at, width);
    (void)L;
    x = b_binary(b, OP_MUL, x, in_lanes(b, q->inverse, width));
    b_store(b, q->to, (q->to->elem == E_U8 ? as_bytes : as_floats)(b, q, x, width), ix);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void store_scale(lower_t *L, builder_t *b, const quantize_t *q, value_t *scale,
                        int64_t width) {
    affine_t ix[] = {q->to_row, ax(scale_column(L, width))};
    b_store(b, q->to, q->to->elem == E_U8 ? b_bitcast(b, E_U8, scale) : scale, ix);
}

/* What products read with the last ones of a row, and copies up to its scale. */
static void fill_last(lower_t *L, builder_t *b, const quantize_t *q, int64_t width) {
    bool bytes = q->to->elem == E_U8;
    ltype_t t = SCALAR(q->to->elem);
    for (int64_t at = width; at < scale_column(L, width); at++) {
        affine_t ix[] = {q->to_row, ax(at)};
        b_store(b, q->to, bytes ? b_iconst(b, t, OFFSET) : b_const(b, t, 0), ix);
    }
}

void quantize_row(lower_t *L, builder_t *b, const rows_at_t *at, buffer_t *from, affine_t from_row,
                  buffer_t *to, affine_t to_row, int64_t width) {
    ltype_t f = SCALAR(E_F32), i = SCALAR(E_I32);
    quantize_t q = {.at = at, .from = from, .to = to, .from_row = from_row, .to_row = to_row};
    value_t *bits = fold_integers(L, b, width, OP_MAX, 0, greater_span, &q);
    value_t *max = b_name(b_bitcast(b, E_F32, bits), "most"), *all = b_const(b, f, 127);
    value_t *tiny = b_compare(b, OP_LT, bits, b_iconst(b, i, (127 - 100) << 23));
    q.whole = b_name(b_compare(b, OP_LT, bits, b_iconst(b, i, 0x7f800000)), "finite");
    value_t *zero = b_const(b, f, 0), *nan = b_const(b, f, (double)NAN);
    value_t *scale = b_select(b, q.whole, b_binary(b, OP_DIV, max, all), nan);
    q.inverse = b_select(b, tiny, zero, b_binary(b, OP_DIV, all, max));
    store_scale(L, b, &q, b_name(b_select(b, tiny, zero, scale), "scale"), width);
    b_name(q.inverse, "inverse");
    for_span(L, b, width, write_span, &q);
    fill_last(L, b, &q, width);
}

void quantize_rows(lower_t *L, builder_t *b, const rows_at_t *at, buffer_t *from, buffer_t *to,
                   int64_t width) {
    inst_t *loop = b_for(b, "i", dim(0), dim(at->m), 0, NULL);
    affine_t row = ax_v(loop_var(loop));
    quantize_row(L, b, at, from, row, to, row, width);
    b_end_for(b, loop, NULL);
}

value_t *quantized_value(lower_t *L, builder_t *b, buffer_t *rows, affine_t row, int64_t width,
                         value_t *x) {
    int lanes = x->type.lanes;
    if (rows->rank != 2) bug("%s: rows of i8 are shown from scratch", rows->name);
    if (x->type.elem == E_U8) {
        x = b_convert(b, E_I32, x);
        x = b_binary(b, OP_SUB, x, b_iconst(b, x->type, OFFSET));
        x = b_convert(b, E_F32, x);
    }
    value_t *scale = scale_at(b, rows, row, scale_column(L, width));
    return b_binary(b, OP_MUL, x, in_lanes(b, scale, lanes));
}
