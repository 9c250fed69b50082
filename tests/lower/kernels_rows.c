/* Kernels of rows, one by one: embeddings, layer norms, dense layers of many shapes with what follows them on their
 * accumulators, activations, sums. See kernels.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels.h"
#include "random_model.h"

/* A layer: reads the stream s, which it may write over, and the rows x, which stay. */
typedef gnode_t *layer_fn(kernels_t *k, gnode_t *s, gnode_t *x);

static int64_t width_of(const gnode_t *n) {
    return n->shape[n->rank - 1].c;
}

/* ---- layers ------------------------------------------------------------------------------------------ */

static gnode_t *dense(kernels_t *k, gnode_t *s, gnode_t *x) {
    (void)x;
    return k_dense(k, "dense", s, width_of(s), false);
}

static gnode_t *dense_bias(kernels_t *k, gnode_t *s, gnode_t *x) {
    (void)x;
    return k_dense(k, "dense_bias", s, width_of(s), true);
}

static gnode_t *dense_act(kernels_t *k, gnode_t *s, gnode_t *x) {
    (void)x;
    return k_act(k, "dense_act", k_dense(k, "dense", s, width_of(s), false), ACT_GELU);
}

static gnode_t *dense_bias_act(kernels_t *k, gnode_t *s, gnode_t *x) {
    (void)x;
    return k_act(k, "dense_bias_act", k_dense(k, "dense", s, width_of(s), true), ACT_SILU);
}

/* Into the stream that it does not read. */
static gnode_t *dense_add(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_add(k, "dense_add", s, k_dense(k, "dense", x, width_of(s), false));
}

static gnode_t *dense_bias_add(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_add(k, "dense_bias_add", s, k_dense(k, "dense", x, width_of(s), true));
}

/* Not over the stream: the other operand comes first. */
static gnode_t *add_turned(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_add(k, "add_turned", k_dense(k, "dense", x, width_of(s), true), s);
}

static gnode_t *dense_act_add(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = k_act(k, "act", k_dense(k, "dense", x, width_of(s), true), ACT_GELU_NEW);
    return k_add(k, "dense_act_add", s, y);
}

static gnode_t *dense_add_act(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = k_add(k, "add", k_dense(k, "dense", x, width_of(s), true), s);
    return k_act(k, "dense_add_act", y, ACT_TANH);
}

/* A chain of all of them. */
static gnode_t *chain(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = k_act(k, "act", k_dense(k, "dense", x, width_of(s), true), ACT_RELU);
    y = k_act(k, "act_2", k_add(k, "add", y, s), ACT_SIGMOID);
    return k_add(k, "chain", y, x);
}

static gnode_t *feed_forward(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = k_dense(k, "in", k_norm(k, "norm", x, 1e-2), width_of(s) + 27, true);
    y = k_dense(k, "out", k_act(k, "act", y, ACT_RELU), width_of(s), true);
    return k_add(k, "feed_forward", s, y);
}

static gnode_t *norm(kernels_t *k, gnode_t *s, gnode_t *x) {
    (void)x;
    return k_norm(k, "norm", s, 0.25);
}

static gnode_t *norm_of_norm(kernels_t *k, gnode_t *s, gnode_t *x) {
    (void)x;
    return k_norm(k, "norm_of_norm", k_norm(k, "norm", s, 1e-5), 0.5);
}

static gnode_t *norm_act(kernels_t *k, gnode_t *s, gnode_t *x) {
    (void)x;
    return k_act(k, "norm_act", k_norm(k, "norm", s, 1e-5), ACT_HARDSWISH);
}

static gnode_t *norm_add(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_add(k, "norm_add", s, k_norm(k, "norm", x, 1e-5));
}

/* Both of their widths. */
static gnode_t *norm_of_two(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *both = k_finish(k, K_NODE(k, G_CONCAT, "both", s, x));
    return k_dense(k, "norm_of_two", k_norm(k, "norm", both, 0.25), width_of(s), false);
}

static gnode_t *rms_norm(kernels_t *k, gnode_t *s, gnode_t *x) {
    (void)x;
    return k_rms_norm(k, "rms_norm", s, 0.25);
}

static gnode_t *rms_norm_of_two(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *both = k_finish(k, K_NODE(k, G_CONCAT, "both", s, x));
    return k_dense(k, "rms_norm_of_two", k_rms_norm(k, "rms", both, 0.25), width_of(s), true);
}

static gnode_t *mul(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_mul(k, "mul", s, x);
}

/* The product of two dense layers, one of them activated, on its way into a third. */
static gnode_t *gate(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = k_rms_norm(k, "norm", x, 1e-2);
    gnode_t *a = k_act(k, "act", k_dense(k, "in", y, width_of(s) + 5, true), ACT_SILU);
    gnode_t *b = k_dense(k, "gate", y, width_of(s) + 5, true);
    y = k_dense(k, "out", k_mul(k, "product", a, b), width_of(s), true);
    return k_add(k, "gate_add", s, y);
}

static gnode_t *act(kernels_t *k, gnode_t *s, gnode_t *x) {
    (void)x;
    return k_act(k, "act", s, ACT_MISH);
}

static gnode_t *add(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_add(k, "add", s, x);
}

/* ---- of the backward pass ------------------------------------------------------------------------------ */

static gnode_t *sub(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_sub(k, "sub", s, x);
}

/* From the stream what was added to it. */
static gnode_t *dense_sub(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_sub(k, "dense_sub", s, k_dense(k, "dense", x, width_of(s), true));
}

static gnode_t *act_grad(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_act_grad(k, "act_grad", x, s, ACT_GELU);
}

/* On a product's accumulators, as dy and as what is derived at. */
static gnode_t *dense_act_grad(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = k_dense(k, "in", s, width_of(s), true);
    gnode_t *dy = k_act_grad(k, "in_grad", k_dense(k, "dy", x, width_of(s), false), y, ACT_SILU);
    gnode_t *z = k_act_grad(k, "out_grad", dy, k_dense(k, "out", x, width_of(s), false), ACT_TANH);
    return k_add(k, "dense_act_grad", s, z);
}

static gnode_t *dense_t(kernels_t *k, gnode_t *s, gnode_t *x) {
    (void)x;
    return k_dense_t(k, "dense_t", s, width_of(s));
}

/* A matrix in both arrangements at once, and the way back of a feed-forward. */
static gnode_t *dense_both_ways(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = k_dense(k, "in", k_norm(k, "norm", x, 1e-2), width_of(s) + 27, true);
    gnode_t *dy = k_dense_t(k, "dy", s, width_of(y));
    dy = k_act_grad(k, "grad", dy, y, ACT_GELU);
    gnode_t *dx = k_finish(k, K_NODE(k, G_DENSE_T, "dx", dy, y->in[1]));
    return k_add(k, "dense_both_ways", s, dx);
}

/* From columns that begin anywhere, of a product and of what stands. */
static gnode_t *part_of(kernels_t *k, const char *name, gnode_t *x, int64_t first, int64_t width) {
    gnode_t *n = K_NODE(k, G_PART, name, x);
    n->first = first;
    n->width = width;
    return k_finish(k, n);
}

static gnode_t *part(kernels_t *k, gnode_t *s, gnode_t *x) {
    int64_t w = width_of(s);
    gnode_t *y = k_dense(k, "dense", x, 2 * w + 3, false);
    return k_add(k, "part", s,
                 k_add(k, "sum", part_of(k, "first", y, 0, w), part_of(k, "last", y, w + 3, w)));
}

static gnode_t *part_of_stream(kernels_t *k, gnode_t *s, gnode_t *x) {
    int64_t w = width_of(s);
    gnode_t *y = part_of(k, "columns", s, w / 2, w - w / 2);
    return k_add(k, "part_of_stream", x, k_dense(k, "dense", y, w, true));
}

static gnode_t *pad_rows(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = K_NODE(k, G_PAD_ROWS, "padded", k_finish(k, K_NODE(k, G_SLICE, "given", s)));
    y->to_padded = true;
    return k_add(k, "pad_rows", x, k_finish(k, y));
}

static gnode_t *layer_unit(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_add(k, "layer_unit", x, k_unit(k, "unit", G_LAYER_NORM_UNIT, s, 0.25));
}

static gnode_t *rms_unit(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_mul(k, "rms_unit", x, k_unit(k, "unit", G_RMS_NORM_UNIT, s, 1e-3));
}

/* Of stored rows, and of a product's. */
static gnode_t *layer_norm_grad(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = k_norm_grad(k, "grad", G_LAYER_NORM_GRAD, x, s, 0.25);
    return k_add(k, "layer_norm_grad", x, y);
}

static gnode_t *norm_grad_add(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *dy = k_dense(k, "dy", s, width_of(s), false);
    return k_add(k, "norm_grad_add", s, k_norm_grad(k, "grad", G_LAYER_NORM_GRAD, dy, x, 0.5));
}

static gnode_t *rms_norm_grad(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *dy = k_dense(k, "dy", x, width_of(s), false);
    return k_add(k, "rms_norm_grad", s, k_norm_grad(k, "grad", G_RMS_NORM_GRAD, dy, x, 0.5));
}

/* Layers of the backward pass, and what reads a dense layer's weights in another way than that. */
static bool is_left_out(layer_fn *f) {
    static layer_fn *const backward[] = {dense_act_grad, layer_norm_grad, norm_grad_add,
                                         rms_norm_grad,  dense_both_ways, dense_t,
                                         act_grad};
    bool found = false;
    for (size_t i = 0; i < sizeof backward / sizeof *backward; i++) found |= f == backward[i];
    return kernels_bf16 && found;
}

/* Simple ones first: where one fails, those that are made of it need not be looked at. */
static layer_fn *const layers[] = {
    dense,
    dense_bias,
    norm,
    add,
    act,
    norm_of_norm,
    norm_act,
    norm_add,
    dense_act,
    dense_bias_act,
    dense_add,
    dense_bias_add,
    add_turned,
    dense_act_add,
    dense_add_act,
    chain,
    norm_of_two,
    feed_forward,
    mul,
    rms_norm,
    rms_norm_of_two,
    gate,
    sub,
    dense_sub,
    act_grad,
    dense_act_grad,
    layer_unit,
    rms_unit,
    layer_norm_grad,
    norm_grad_add,
    rms_norm_grad,
    dense_t,
    dense_both_ways,
    part,
    part_of_stream,
    pad_rows,
};
enum { N_LAYERS = sizeof layers / sizeof *layers };

/* ---- graphs -------------------------------------------------------------------------------------------- */

typedef struct {
    const char *what;
    int64_t batch, length, padded, width;
} rows_t;

static gnode_t *append(kernels_t *k, layer_fn *f, gnode_t *s, gnode_t *x) {
    k->layer++;
    return k_observed(f(k, s, x));
}

/* One row, one column, several blocks of rows, rows that only fill up, widths below, above and between panels. */
static void every_layer(void **state) {
    static const rows_t shapes[] = {{"5 rows of 33", 1, 5, 5, 33},
                                    {"1 row of 70", 1, 1, 1, 70},
                                    {"3 times 7 rows of 1", 3, 7, 7, 1},
                                    {"97 rows of 9", 1, 97, 97, 9},
                                    {"2 times 13 rows, filled up to 24, of 32", 2, 13, 24, 32}};
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const rows_t *r = &shapes[i];
        draw_begin(1, (int)i);
        kernels_t *k = kernels_begin(r->what, r->batch, r->length, r->padded);
        gnode_t *x = k_rows(k, r->width), *s = x;
        for (int f = 0; f < N_LAYERS; f++)
            if (!is_left_out(layers[f])) s = append(k, layers[f], s, x);
        k_hidden(k, s, x);
        kernels_check(k, i == 0);
    }
}

/* Dense layers of k × n between two that select columns, which is exact. */
static void dense_of_every_shape(void **state) {
    static const struct {
        const char *name;
        int64_t rows;
        struct {
            int64_t k, n;
        } shape[5];
    } sizes[] = {{"5 rows", 5, {{33, 70}, {1, 1}, {70, 33}, {31, 1}, {1, 65}}},
                 {"1 row", 1, {{32, 64}, {64, 32}, {2, 31}, {17, 33}, {70, 70}}},
                 {"13 rows", 13, {{16, 16}, {3, 70}, {65, 5}, {48, 8}, {7, 15}}}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        draw_begin(2, (int)i);
        kernels_t *k = kernels_begin(sizes[i].name, 1, sizes[i].rows, sizes[i].rows);
        gnode_t *x = k_rows(k, 70), *s = x;
        for (int j = 0; j < 5; j++) {
            int64_t depth = sizes[i].shape[j].k, n = sizes[i].shape[j].n;
            k->layer++;
            const char *name =
                arena_printf(k->arena, "dense_%lldx%lldx%lld", (long long)sizes[i].rows,
                             (long long)depth, (long long)n);
            gnode_t *y = k_select(k, "narrow", s, depth, j, 3, 1);
            y = k_dense(k, "dense", y, n, j % 2 == 1);
            if (j % 3 == 2) y = k_act(k, "act", y, ACT_GELU);
            s = k_observed(k_add(k, name, k_select(k, "wide", y, 70, 0, 1, 0.5), x));
        }
        k_hidden(k, s, NULL);
        kernels_check(k, i == 0);
    }
}

/* Rows of i8 whose scale is none, or the least there is; elements in the middle between two integers; what
 * is no number. */
static void rows_without_a_rule(void **state) {
    enum { ROWS = 9, WIDTH = 37 };
    static const float greatest[ROWS] = {0, 0x1p-101F, 0x1p-100F, 127, 127, 1e18F, 1, INFINITY, 1};
    (void)state;
    if (!kernels_i8) skip();
    draw_begin(7, 0);
    kernels_t *k = kernels_begin("rows without a rule", 1, ROWS, ROWS);
    gnode_t *x = k_rows(k, WIDTH);
    float *word = k_values(k, x->in[1]), *position = k_values(k, x->in[2]);
    x->in[1]->type = G_F32;
    memset(position, 0, sizeof *position * ROWS * WIDTH);
    for (int row = 0; row < ROWS; row++)
        for (int i = 0; i < WIDTH; i++) word[row * WIDTH + i] = greatest[row] * k_random() / 2;
    for (int row = 0; row < ROWS; row++)
        word[row * WIDTH + row * 4] = row % 2 ? -greatest[row] : greatest[row];
    for (int i = 0; i < WIDTH; i++) word[3 * WIDTH + i] = (float)i - 18.5F;
    word[3 * WIDTH] = -127;
    for (int i = 0; i < WIDTH; i += 2) word[6 * WIDTH + i] *= 0x1p-127F;
    word[6 * WIDTH + 1] = 1;
    word[8 * WIDTH + 5] = NAN;
    k->layer++;
    gnode_t *y = k_observed(k_dense(k, "dense", x, 70, false));
    k->layer++;
    y = k_observed(k_dense(k, "dense_of_norm", k_norm(k, "norm", y, 1e-2), WIDTH, true));
    k_hidden(k, y, NULL);
    kernels_check(k, true);
}

/* Each over ±30, far below and above, and at 0. */
static void every_activation(void **state) {
    enum { ROWS = 16, WIDTH = 21 };
    (void)state;
    draw_begin(3, 0);
    kernels_t *k = kernels_begin("activations", 1, ROWS, ROWS);
    gnode_t *x = k_rows(k, WIDTH), *s = x, *y = NULL;
    float *word = k_values(k, x->in[1]), *position = k_values(k, x->in[2]);
    memset(position, 0, sizeof *position * ROWS * WIDTH);
    for (int i = 0; i < ROWS * WIDTH; i++) word[i] = 60.0F * (float)i / (ROWS * WIDTH - 1) - 30;
    word[0] = -1e4F, word[1] = 1e4F, word[2] = 0, word[3] = -0.0F, word[4] = 1e-6F,
    word[5] = -1e-6F;
    for (int a = 0; a < ACT_COUNT; a++) { /* the sum of the others: all are read */
        k->layer++;
        if (a) s = k_add(k, "sum", y, s);
        y = k_observed(k_act(k, act_name((act_t)a), x, (act_t)a));
    }
    k_hidden(k, s, y);
    kernels_check(k, true);
}

/* Derivatives at the same places and at their corners, of a dy that is no power of two. */
static void every_derivative(void **state) {
    enum { ROWS = 16, WIDTH = 21 };
    static const float corners[] = {-1e4F, 1e4F, 0,     -0.0F, 1e-6F, -1e-6F, 6,    3, -3,
                                    10,    20,   -1e9F, 1e9F,  -87,   -88,    -100, 88};
    (void)state;
    draw_begin(6, 0);
    kernels_t *k = kernels_begin("derivatives", 1, ROWS, ROWS);
    gnode_t *x = k_rows(k, WIDTH), *s = x, *y = NULL;
    float *word = k_values(k, x->in[1]), *position = k_values(k, x->in[2]);
    memset(position, 0, sizeof *position * ROWS * WIDTH);
    for (int i = 0; i < ROWS * WIDTH; i++) word[i] = 60.0F * (float)i / (ROWS * WIDTH - 1) - 30;
    memcpy(word, corners, sizeof corners);
    k->layer++;
    gnode_t *dy = k_observed(k_act(k, "dy", x, ACT_TANH));
    for (int a = 0; a < ACT_COUNT; a++) {
        k->layer++;
        if (a) s = k_add(k, "sum", y, s);
        y = k_observed(k_act_grad(k, act_name((act_t)a), dy, x, (act_t)a));
    }
    k_hidden(k, s, y);
    kernels_check(k, true);
}

/* Tables of axes, row-major, and one table of positions; rows that fill up stand at the last position. */
static void embeddings(void **state) {
    static const struct {
        const char *what;
        int64_t batch, length, padded, vocab;
        int axes;
        int64_t shape[3], width[3];
    } all[] = {{"axes of 5 and 3", 2, 13, 13, 40, 2, {5, 3}, {7, 26}},
               {"axes of 1, 4 and 9", 1, 30, 33, 31, 3, {1, 4, 9}, {1, 16, 5}},
               {"axes of 101 and 1", 1, 101, 101, 102, 2, {101, 1}, {3, 2}},
               {"one axis", 1, 9, 9, 50, 1, {9}, {35}},
               {"a table", 3, 5, 6, 16, 0, {6}, {41}},
               {"a table of one column", 1, 97, 97, 98, 0, {120}, {1}}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        draw_begin(4, (int)i);
        kernels_t *k = kernels_begin(all[i].what, all[i].batch, all[i].length, all[i].padded);
        k->vocab = all[i].vocab;
        int64_t word[] = {k->vocab, 0};
        for (int a = 0; a < 3; a++) word[1] += all[i].width[a];
        gnode_t *in[] = {k->given_ids, k_param(k, "word", 2, word, 1), NULL, NULL, NULL};
        in[1]->type = k_type();
        int tables = all[i].axes ? all[i].axes : 1;
        for (int a = 0; a < tables; a++) {
            int64_t shape[] = {all[i].shape[a], all[i].width[a]};
            in[2 + a] = k_param(k, arena_printf(k->arena, "table_%d", a), 2, shape, 1);
        }
        gnode_t *x = k_node(k, G_EMBED, "embedding", 2 + tables, in);
        x->n_axial = all[i].axes;
        memcpy(x->axial_shape, all[i].shape, sizeof all[i].shape);
        k_observed(k_finish(k, x));
        k_hidden(k, i == 2 ? x : append(k, act, x, x), NULL);
        kernels_check(k, i % 2 == 0);
    }
}

/* Layers one after the other in any order, of any shape. */
static void random_rows(void **state) {
    enum { GRAPHS = 8 };
    (void)state;
    for (int i = 0; i < GRAPHS; i++) {
        draw_begin(5, i);
        int64_t batch = 1 + draw(2), length = PICK(1, 2, 6, 11, 40), more = draw(3);
        int64_t width = PICK(2, 7, 16, 31, 40, 65);
        const char *what = "random rows";
        kernels_t *k = kernels_begin(what, batch, length, length + more);
        k->what =
            arena_printf(k->arena, "random rows %d: %lld times %lld + %lld rows of %lld", i,
                         (long long)batch, (long long)length, (long long)more, (long long)width);
        gnode_t *x = k_rows(k, width), *s = x;
        int n = 3 + (int)draw(3);
        for (int j = 0; j < n; j++) {
            layer_fn *f = layers[draw(N_LAYERS)];
            if (!is_left_out(f)) s = append(k, f, s, x);
        }
        k_hidden(k, s, draw(2) ? x : NULL);
        kernels_check(k, false);
    }
}

int main(int argc, char **argv) {
    kernels_options(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer),         cmocka_unit_test(dense_of_every_shape),
        cmocka_unit_test(every_activation),    cmocka_unit_test(every_derivative),
        cmocka_unit_test(embeddings),          cmocka_unit_test(random_rows),
        cmocka_unit_test(rows_without_a_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
