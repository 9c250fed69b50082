/* What stands on top, one by one: the final norm of one stream and of two, the heads and their losses. See kernels.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels.h"
#include "random_model.h"

/* Two streams, the second one observed after a layer. */
static gnode_t *hidden(kernels_t *k, int64_t width, bool both) {
    gnode_t *x = k_rows(k, width);
    k->layer++;
    gnode_t *y = k_observed(k_dense(k, "second", x, width, true));
    return k_hidden(k, y, both ? x : NULL);
}

static gnode_t *given(kernels_t *k, const char *name, gtype_t type, int rank, int64_t width) {
    gnode_t *n = k_node(k, G_INPUT, name, 0, (gnode_t *[]){NULL});
    n->type = type;
    n->rank = rank;
    n->shape[0] = dim(k->g->batch);
    n->shape[1] = dim(width);
    return n;
}

static void final_norms(void **state) {
    static const struct {
        const char *what;
        int64_t batch, length, padded, width;
        bool both;
    } all[] = {{"final norm of one stream", 2, 5, 5, 33, false},
               {"final norm of two streams", 1, 7, 8, 33, true},
               {"final norm of two columns", 1, 98, 100, 1, true},
               {"final norm of 2 x 70", 3, 1, 1, 70, true}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        draw_begin(8, (int)i);
        kernels_t *k = kernels_begin(all[i].what, all[i].batch, all[i].length, all[i].padded);
        hidden(k, all[i].width, all[i].both);
        kernels_check(k, i == 1);
    }
}

/* Some labels are ignored; of a causal model row t is asked for label t + 1. */
static void language_models(void **state) {
    static const struct {
        const char *what, *architecture;
        int64_t batch, length, padded, width, vocab;
    } all[] = {{"causal head, 70 tokens", "ReformerModelWithLMHead", 2, 9, 9, 20, 70},
               {"causal head, 211 tokens, filled up", "ReformerModelWithLMHead", 1, 13, 16, 9, 211},
               {"masked head, 33 tokens", "ReformerForMaskedLM", 3, 5, 6, 33, 33},
               {"masked head, one row", "ReformerForMaskedLM", 1, 1, 1, 8, 5}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        draw_begin(9, (int)i);
        int64_t n = all[i].batch * all[i].length, classes = all[i].vocab;
        kernels_t *k = kernels_begin(all[i].what, all[i].batch, all[i].length, all[i].padded);
        k->architecture = all[i].architecture;
        k->vocab = classes;
        bool causal = i < 2;
        k->labels = ARENA_ARRAY(k->arena, int32_t, n);
        for (int64_t t = 0; t < n; t++)
            k->labels[t] = t > 1 && draw(4) == 0 ? -100 : (int32_t)draw((uint32_t)classes);
        gnode_t *logits = k_dense(k, "logits", hidden(k, all[i].width, true), classes, true);
        gnode_t *labels = given(k, "labels", G_I32, 2, all[i].length);
        gnode_t *loss = K_NODE(k, G_CROSS_ENTROPY, "loss", logits, labels);
        loss->shift = causal;
        k_finish(k, loss);
        kernels_check(k, i % 2 == 0);
    }
}

/* DENSE(tanh(DENSE(first token))). */
static void classifiers(void **state) {
    static const struct {
        const char *what;
        gop_t loss;
        int64_t batch, length, width, classes;
    } all[] = {{"classifier, 5 classes", G_CROSS_ENTROPY, 3, 4, 9, 5},
               {"classifier, 33 classes", G_CROSS_ENTROPY, 1, 7, 20, 33},
               {"regression", G_MSE_LOSS, 4, 3, 16, 1},
               {"several labels at once", G_BCE_LOSS, 2, 98, 5, 7}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        draw_begin(10, (int)i);
        int64_t classes = all[i].classes, batch = all[i].batch;
        kernels_t *k = kernels_begin(all[i].what, batch, all[i].length, all[i].length);
        k->architecture = "ReformerForSequenceClassification";
        gnode_t *first = K_NODE(k, G_FIRST_TOKEN, "first_token", hidden(k, all[i].width, true));
        gnode_t *y = k_dense(k, "classifier_in", k_finish(k, first), all[i].width + 2, true);
        y = k_dense(k, "logits", k_act(k, "classifier_act", y, ACT_TANH), classes, true);
        bool of_classes = all[i].loss == G_CROSS_ENTROPY;
        k->labels = of_classes ? ARENA_ARRAY(k->arena, int32_t, batch) : NULL;
        k->floats = of_classes ? NULL : ARENA_ARRAY(k->arena, float, batch *classes);
        for (int64_t b = 0; b < batch; b++)
            if (of_classes) k->labels[b] = b == 1 ? -100 : (int32_t)draw((uint32_t)classes);
        for (int64_t b = 0; b < batch * classes && !of_classes; b++) k->floats[b] = k_random();
        gnode_t *labels = of_classes ? given(k, "labels", G_I32, 1, 0)
                                     : given(k, "labels_f32", G_F32, 2, classes);
        k_finish(k, K_NODE(k, all[i].loss, "loss", y, labels));
        kernels_check(k, i % 2 == 1);
    }
}

/* Ends beyond the text are ignored, starts before it are its first token; positions that fill up do not count. */
static void question_answering(void **state) {
    static const struct {
        const char *what;
        int64_t batch, length, padded, width;
    } all[] = {{"question answering", 3, 11, 11, 20},
               {"question answering, filled up", 2, 5, 8, 7}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        draw_begin(11, (int)i);
        int64_t batch = all[i].batch, length = all[i].length;
        kernels_t *k = kernels_begin(all[i].what, batch, length, all[i].padded);
        k->architecture = "ReformerForQuestionAnswering";
        k->start = ARENA_ARRAY(k->arena, int32_t, batch);
        k->end = ARENA_ARRAY(k->arena, int32_t, batch);
        for (int64_t b = 0; b < batch; b++) {
            k->start[b] = b == 1 ? -2 : (int32_t)draw((uint32_t)length);
            k->end[b] = (int32_t)(b == 1 ? length : draw((uint32_t)length));
        }
        gnode_t *qa = k_dense(k, "qa", hidden(k, all[i].width, true), 2, true);
        gnode_t *start = k_finish(k, K_NODE(k, G_COLUMN, "start_logits", qa));
        gnode_t *end = K_NODE(k, G_COLUMN, "end_logits", qa);
        end->shift = 1;
        k_finish(k, end);
        gnode_t *from = given(k, "start_positions", G_I32, 1, 0);
        gnode_t *to = given(k, "end_positions", G_I32, 1, 0);
        k_finish(k, K_NODE(k, G_QA_LOSS, "loss", start, end, from, to));
        kernels_check(k, i == 0);
    }
}

/* ---- gradients of losses ------------------------------------------------------------------------- */

/* Some of the labels, at random, but for those that are ignored; `which` 1: none, 2: one alone. */
static void draw_labels(int32_t *labels, int64_t n, int64_t classes, int which) {
    for (int64_t t = 0; t < n; t++) {
        bool ignored = which == 1 || (which == 2 ? t != n - 1 : t > 1 && draw(4) == 0);
        labels[t] = ignored ? -100 : (int32_t)draw((uint32_t)classes);
    }
}

/* The gradient of the rows that logits are made of is what callers get, normed. */
static void give(kernels_t *k, gnode_t *dx, bool to_padded) {
    if (dx->rank == 2) dx = k_finish(k, K_NODE(k, G_PAD_ROWS, "unpicked", dx));
    gnode_t *padded = K_NODE(k, G_PAD_ROWS, "padded", dx);
    padded->to_padded = to_padded;
    k_hidden(k, k_finish(k, padded), NULL);
}

static gnode_t *some_hidden(kernels_t *k, int64_t width) {
    gnode_t *x = k_rows(k, width);
    k->layer++;
    gnode_t *y = k_observed(k_dense(k, "second", x, width, true));
    k->layer = -1;
    return k_finish(k, K_NODE(k, G_SLICE, "given", k_norm(k, "norm", y, 1e-3)));
}

/* Rows of the gradient go back through the matrix that made the logits. */
static void language_model_gradients(void **state) {
    static const struct {
        const char *what, *architecture;
        int64_t batch, length, padded, width, vocab;
        int labels;
    } all[] = {{"causal, 70 tokens", "ReformerModelWithLMHead", 2, 9, 9, 20, 70, 0},
               {"causal, 211 tokens, filled up", "ReformerModelWithLMHead", 1, 13, 16, 9, 211, 0},
               {"masked, 33 tokens", "ReformerForMaskedLM", 3, 5, 6, 33, 33, 0},
               {"masked, one row", "ReformerForMaskedLM", 1, 1, 1, 8, 5, 0},
               {"masked, one label", "ReformerForMaskedLM", 2, 5, 5, 8, 50, 2},
               {"masked, no label", "ReformerForMaskedLM", 2, 5, 8, 8, 50, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        draw_begin(12, (int)i);
        int64_t n = all[i].batch * all[i].length, classes = all[i].vocab;
        kernels_t *k = kernels_begin(all[i].what, all[i].batch, all[i].length, all[i].padded);
        k->architecture = all[i].architecture;
        k->vocab = classes;
        k->labels = ARENA_ARRAY(k->arena, int32_t, n);
        draw_labels(k->labels, n, classes, all[i].labels);
        gnode_t *x = some_hidden(k, all[i].width);
        gnode_t *logits = k_dense(k, "logits", x, classes, true);
        gnode_t *labels = given(k, "labels", G_I32, 2, all[i].length);
        gnode_t *loss = K_NODE(k, G_CROSS_ENTROPY, "loss", logits, labels);
        loss->shift = i < 2;
        k_finish(k, loss);
        gnode_t *seed = k_finish(k, K_NODE(k, G_SEED, "seed", loss));
        gnode_t *grad = K_NODE(k, G_CROSS_ENTROPY_GRAD, "grad", seed, logits, labels);
        grad->shift = i < 2;
        k_finish(k, grad);
        give(k, k_finish(k, K_NODE(k, G_DENSE_T, "dx", grad, logits->in[1])), true);
        kernels_check(k, i % 2 == 0);
    }
}

/* DENSE(tanh(DENSE(first token))), and back. */
static void classifier_gradients(void **state) {
    static const struct {
        const char *what;
        gop_t loss, grad;
        int64_t batch, length, width, classes;
    } all[] = {{"classifier, 5 classes", G_CROSS_ENTROPY, G_CROSS_ENTROPY_GRAD, 3, 4, 9, 5},
               {"classifier, 33 classes", G_CROSS_ENTROPY, G_CROSS_ENTROPY_GRAD, 1, 7, 20, 33},
               {"regression", G_MSE_LOSS, G_MSE_LOSS_GRAD, 4, 3, 16, 1},
               {"several labels at once", G_BCE_LOSS, G_BCE_LOSS_GRAD, 2, 98, 5, 7},
               {"many labels at once", G_BCE_LOSS, G_BCE_LOSS_GRAD, 3, 2, 5, 37}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        draw_begin(13, (int)i);
        int64_t classes = all[i].classes, batch = all[i].batch;
        kernels_t *k = kernels_begin(all[i].what, batch, all[i].length, all[i].length);
        k->architecture = "ReformerForSequenceClassification";
        gnode_t *x = some_hidden(k, all[i].width);
        x = k_finish(k, K_NODE(k, G_FIRST_TOKEN, "first_token", x));
        gnode_t *in = k_dense(k, "classifier_in", x, all[i].width + 2, true);
        gnode_t *y = k_dense(k, "logits", k_act(k, "act", in, ACT_TANH), classes, true);
        bool of_classes = all[i].loss == G_CROSS_ENTROPY;
        k->labels = of_classes ? ARENA_ARRAY(k->arena, int32_t, batch) : NULL;
        k->floats = of_classes ? NULL : ARENA_ARRAY(k->arena, float, batch *classes);
        if (of_classes) draw_labels(k->labels, batch, classes, 0);
        for (int64_t b = 0; b < batch * classes && !of_classes; b++) k->floats[b] = k_random();
        gnode_t *labels = of_classes ? given(k, "labels", G_I32, 1, 0)
                                     : given(k, "labels_f32", G_F32, 2, classes);
        gnode_t *loss = k_finish(k, K_NODE(k, all[i].loss, "loss", y, labels));
        gnode_t *seed = k_finish(k, K_NODE(k, G_SEED, "seed", loss));
        gnode_t *dx = k_finish(k, K_NODE(k, all[i].grad, "grad", seed, y, labels));
        dx = k_finish(k, K_NODE(k, G_DENSE_T, "d_act", dx, y->in[1]));
        dx = k_act_grad(k, "d_in", dx, in, ACT_TANH);
        give(k, k_finish(k, K_NODE(k, G_DENSE_T, "dx", dx, in->in[1])), true);
        kernels_check(k, i % 2 == 1);
    }
}

static gnode_t *column_of(kernels_t *k, const char *name, gnode_t *x, int shift) {
    gnode_t *n = K_NODE(k, G_COLUMN, name, x);
    n->shift = shift;
    return k_finish(k, n);
}

static gnode_t *uncolumn_of(kernels_t *k, const char *name, gnode_t *x, int shift, int64_t width) {
    gnode_t *n = K_NODE(k, G_UNCOLUMN, name, x);
    n->shift = shift;
    n->width = width;
    return k_finish(k, n);
}

/* As in question_answering; where the second is beyond the text, for both of its ends. */
static void answer_gradients(void **state) {
    static const struct {
        const char *what;
        int64_t batch, length, padded, width;
        bool beyond;
    } all[] = {{"answers", 3, 11, 11, 20, false},
               {"answers, filled up", 2, 5, 8, 7, true},
               {"answers, none within", 1, 98, 100, 5, true}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        draw_begin(14, (int)i);
        int64_t batch = all[i].batch, length = all[i].length;
        kernels_t *k = kernels_begin(all[i].what, batch, length, all[i].padded);
        k->architecture = "ReformerForQuestionAnswering";
        k->start = ARENA_ARRAY(k->arena, int32_t, batch);
        k->end = ARENA_ARRAY(k->arena, int32_t, batch);
        for (int64_t b = 0; b < batch; b++) {
            bool last = b == batch - 1;
            k->start[b] =
                last ? (all[i].beyond ? (int)length + 3 : -2) : (int)draw((uint32_t)length);
            k->end[b] = (int32_t)(last ? length : draw((uint32_t)length));
        }
        gnode_t *qa = k_dense(k, "qa", some_hidden(k, all[i].width), 2, true);
        gnode_t *start = column_of(k, "start_logits", qa, 0);
        gnode_t *end = column_of(k, "end_logits", qa, 1);
        gnode_t *from = given(k, "start_positions", G_I32, 1, 0);
        gnode_t *to = given(k, "end_positions", G_I32, 1, 0);
        gnode_t *loss = k_finish(k, K_NODE(k, G_QA_LOSS, "loss", start, end, from, to));
        gnode_t *seed = k_finish(k, K_NODE(k, G_SEED, "seed", loss));
        gnode_t *both = K_NODE(k, G_QA_LOSS_GRAD, "both", seed, start, end, from, to);
        k_finish(k, both);
        gnode_t *first = uncolumn_of(k, "first", column_of(k, "d_start", both, 0), 0, 2);
        gnode_t *second = uncolumn_of(k, "second", column_of(k, "d_end", both, 1), 1, 2);
        gnode_t *dx = k_add(k, "d_qa", second, first);
        give(k, k_finish(k, K_NODE(k, G_DENSE_T, "dx", dx, qa->in[1])), true);
        kernels_check(k, i != 1);
    }
}

int main(int argc, char **argv) {
    kernels_options(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(final_norms), cmocka_unit_test(language_models),
        cmocka_unit_test(classifiers), cmocka_unit_test(question_answering)};
    const struct CMUnitTest backward[] = {cmocka_unit_test(language_model_gradients),
                                          cmocka_unit_test(classifier_gradients),
                                          cmocka_unit_test(answer_gradients)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return kernels_bf16 ? failed : failed + cmocka_run_group_tests(backward, NULL, NULL);
}
