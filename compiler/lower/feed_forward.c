/* Feed-forward: y2 += W2 act(W1 norm(y1) + b1) + b2, a block of rows at a time, so that the hidden layer
 * never leaves the cache. Chunking of Hugging Face's kind has no numeric effect and no place here. */
#include "lower/lower_int.h"
#include "lower/math.h"

typedef struct {
    affine_t layer, batch, row0;
    buffer_t *hidden;
} ff_t;

static void into_hidden(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                        value_t **acc) {
    const ff_t *f = ctx;
    int nv = L->tiles->vectors;
    for (int j = 0; j < nv; j++) {
        affine_t bx[] = {f->layer, ax_plus(col, (int64_t)j * L->lanes)};
        value_t *bias = b_load(b, L->b1, L->lanes, bx);
        for (int i = 0; i < rows; i++) {
            value_t *x = b_binary(b, OP_ADD, acc[i * nv + j], bias);
            affine_t hx[] = {ax_plus(row, i), bx[1]};
            b_store(b, f->hidden, m_activation(L, b, x), hx);
        }
    }
}

static void into_stream(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                        value_t **acc) {
    const ff_t *f = ctx;
    int nv = L->tiles->vectors;
    for (int j = 0; j < nv; j++) {
        affine_t bx[] = {f->layer, ax_plus(col, (int64_t)j * L->lanes)};
        value_t *bias = b_load(b, L->b2, L->lanes, bx);
        for (int i = 0; i < rows; i++) {
            affine_t yx[] = {f->batch, ax_plus(ax_add(f->row0, row), i), bx[1]};
            value_t *x = b_binary(b, OP_ADD, acc[i * nv + j], bias);
            b_store(b, L->y2, b_binary(b, OP_ADD, b_load(b, L->y2, L->lanes, yx), x), yx);
        }
    }
}

static void fetch_stream(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col) {
    const ff_t *f = ctx;
    affine_t yx[] = {f->batch, ax_add(f->row0, row), col};
    prefetch_row(b, L->y2, yx, L->tile);
}

lfunc_t *lower_feed_forward(lower_t *L) {
    dim_t tasks[] = {dim(L->batch), L->blocks};
    const char *names[] = {"batch", "block"};
    builder_t b = build_kernel(L->m, "feed_forward", 2, tasks, names);
    describe(L, b.fn, KEY_feed_forward_size, "feed-forward of width %lld on blocks of %lld rows",
             (long long)L->ff, (long long)L->block);
    ff_t f = {.layer = ax_v(kernel_param(&b, "layer", L->n_layers)),
              .batch = ax_v(b.fn->task[0]),
              .row0 = ax_scale(ax_v(b.fn->task[1]), L->block)};
    dim_t xd[] = {dim(L->block), dim(round_up(L->hidden, L->tile) + PADDING)};
    dim_t hd[] = {dim(L->block), dim(round_up(L->ff, L->tile) + PADDING)};
    buffer_t *x = kernel_scratch(&b, "x", E_F32, 2, xd);
    f.hidden = kernel_scratch(&b, "hidden", E_F32, 2, hd);
    norm_t norm = {.n_src = 1,
                   .src = {L->y1},
                   .batch = f.batch,
                   .row0 = f.row0,
                   .m = L->block,
                   .width = L->hidden,
                   .eps = L->eps,
                   .weight = L->ff_norm_w,
                   .bias = L->ff_norm_b,
                   .prefix = f.layer,
                   .dst = x};
    layer_norm_rows(L, &b, &norm);
    panels_t second = {L->w2, 1, {f.layer}};
    b_comment(&b, "first dense layer, bias, activation");
    dense_t in = {.a = x,
                  .m = L->block,
                  .k = L->hidden,
                  .n = L->ff,
                  .w = {L->w1, 1, {f.layer}},
                  .next = L->ff >= L->hidden ? &second : NULL,
                  .epilogue = into_hidden,
                  .ctx = &f};
    dense(L, &b, &in);
    b_comment(&b, "second dense layer, bias, added to the stream");
    dense_t out = {.a = f.hidden,
                   .m = L->block,
                   .k = L->ff,
                   .n = L->hidden,
                   .w = second,
                   .epilogue = into_stream,
                   .target = fetch_stream,
                   .ctx = &f};
    dense(L, &b, &out);
    return b.fn;
}
