/* Dropout, place by place: what each element is multiplied by follows from where it stands in the step. See kernels.h.
 *
 * Every graph has a loss and its seed, for only a train step drops anything. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph/dropout.h"
#include "kernels.h"
#include "random_model.h"

static int64_t width_of(const gnode_t *n) {
    return n->shape[n->rank - 1].c;
}

static gnode_t *dropped(kernels_t *k, const char *name, gnode_t *x, dropout_place_t place,
                        double rate) {
    gnode_t *n = K_NODE(k, G_DROPOUT, name, x);
    n->place = place;
    n->rate = rate;
    return k_finish(k, n);
}

/* A layer: reads the stream s, which it may write over, and the rows x, which stay. */
typedef gnode_t *layer_fn(kernels_t *k, gnode_t *s, gnode_t *x);

/* Of what stands, into the stream; of a norm; twice. */
static gnode_t *of_stream(kernels_t *k, gnode_t *s, gnode_t *x) {
    return k_add(k, "of_stream", s, dropped(k, "kept", x, PLACE_ATTENTION, 0.5));
}

static gnode_t *of_norm(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = dropped(k, "kept", k_norm(k, "norm", x, 0.1), PLACE_FEED_FORWARD, 0.1);
    return k_add(k, "of_norm", s, dropped(k, "kept_again", y, PLACE_HIDDEN, 0.25));
}

/* On accumulators, with what comes before and behind. */
static gnode_t *of_product(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = k_dense(k, "dense", x, width_of(s), true);
    return k_add(k, "of_product", s, dropped(k, "kept", y, PLACE_ATTENTION, 0.25));
}

static gnode_t *feed_forward(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *y = k_dense(k, "in", k_norm(k, "norm", x, 1e-2), width_of(s) + 139, true);
    y = k_act(k, "act", dropped(k, "in_kept", y, PLACE_FEED_FORWARD_IN, 0.5), ACT_GELU);
    y = k_dense(k, "out", y, width_of(s), true);
    return k_add(k, "feed_forward", s, dropped(k, "kept", y, PLACE_FEED_FORWARD, 0.05));
}

static layer_fn *const layers[] = {of_stream,    of_norm,      of_product,
                                   feed_forward, feed_forward, of_product};
enum { N_LAYERS = sizeof layers / sizeof *layers };

/* A loss of the rows, and its seed; nothing goes back. */
static void end(kernels_t *k, gnode_t *s, gnode_t *x) {
    gnode_t *labels = k_node(k, G_INPUT, "labels", 0, (gnode_t *[]){NULL});
    int64_t n = k->g->batch * k->g->length.c;
    k->architecture = "ReformerForMaskedLM";
    k->labels = ARENA_ARRAY(k->arena, int32_t, n);
    labels->name = "labels";
    labels->layer = -1;
    labels->type = G_I32;
    labels->rank = 2;
    labels->shape[0] = dim(k->g->batch);
    labels->shape[1] = k->g->length;
    gnode_t *logits = k_dense(k, "logits", k_hidden(k, s, x), k->vocab, false);
    gnode_t *loss = k_finish(k, K_NODE(k, G_CROSS_ENTROPY, "loss", logits, labels));
    k_finish(k, K_NODE(k, G_SEED, "seed", loss));
}

typedef struct {
    const char *what;
    int64_t batch, length, padded, width;
    uint64_t seed;
    uint32_t step, row;
} rows_t;

static const rows_t shapes[] = {
    {"5 rows of 33", 1, 5, 5, 33, 1, 0, 0},
    {"3 times 7 rows of 1", 3, 7, 7, 1, 0x123456789abcdef0, 4, 2},
    {"97 rows of 24", 1, 97, 97, 24, UINT64_MAX, 77, 0},
    {"2 times 13 rows of 131, filled up to 24", 2, 13, 24, 131, 99, UINT32_MAX, 5},
    /* numbers beyond 32 bits, and one of 33 among the blocks of a vector: 2825636378 * 40 * 38 + 1440 = 1000 * 2^32 */
    {"40 rows of 300, late in a step", 1, 40, 40, 300, 7, 1, 2825636378},
};

/* Rows of numbers with dropout of words and of positions by themselves. */
static gnode_t *begin(kernels_t *k, const rows_t *r) {
    k->dropout_seed = r->seed;
    k->dropout_step = r->step;
    k->dropout_row = r->row;
    gnode_t *x = k_rows(k, r->width);
    x->rate = 0.3;
    x->position_rate = 0.1;
    return x;
}

static void every_place(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const rows_t *r = &shapes[i];
        draw_begin(30, (int)i);
        kernels_t *k = kernels_begin(r->what, r->batch, r->length, r->padded);
        gnode_t *x = begin(k, r), *s = x;
        for (int f = 0; f < N_LAYERS; f++) {
            k->layer++;
            s = k_observed(layers[f](k, s, x));
        }
        end(k, s, x);
        kernels_check(k, i % 3 == 0);
    }
}

int main(int argc, char **argv) {
    kernels_options(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
