/* The reference evaluator when products are of small numbers, against numpy's (bf16.py, int8.py).
 *
 *   golden_dtype CASE EXPECTED KEY=VALUE…    a folder of cases/, bf16/CASE.safetensors or int8/…, and settings of the spec
 *
 * Both compute in double but for what is rounded, so the loss is the same to 1e-12, and logits are the floats next to numpy's.
 * Exit 0: so it is; 1: not, or an error. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/exec.h"

static const double tolerance = 1e-12;

typedef struct {
    arena_t *a;
    diag_t *d;
    const char *folder;
    loaded_model_t model;
    st_file_t *inputs, *expected;
    graph_t *graph;
    store_t *store;
} case_t;

static const char *in_case(const case_t *c, const char *file) {
    return arena_printf(c->a, "%s/%s", c->folder, file);
}

enum { MAX_SETTINGS = 8 };

static int find_settings(arena_t *a, char *const *words, int n, setting_t *sets) {
    for (int i = 0; i < n; i++) {
        size_t key = strcspn(words[i], "=");
        sets[i] = (setting_t){.key = arena_strndup(a, words[i], key),
                              .value = words[i] + key + (words[i][key] != 0)};
    }
    return n;
}

static bool open_case(case_t *c, const char *expected, const setting_t *sets, int n_sets) {
    weights_kind_t kind;
    bool ok =
        model_load(c->a, &c->model, c->folder, sets, n_sets, c->d) &&
        weights_kind(in_case(c, "model.safetensors"), &kind, c->d) &&
        model_resolve(c->a, &c->model, kind.has_lm_head, kind.has_classifier, kind.has_qa, c->d) &&
        (c->inputs = st_open(in_case(c, "inputs.safetensors"), c->d)) &&
        (c->expected = st_open(expected, c->d));
    if (!ok) return false;
    const spec_t *s = c->model.spec;
    const st_tensor_t *ids = st_find(c->inputs, "input_ids");
    graph_options_t o = {.batch = ids->shape[0], .length = ids->shape[1]};
    graph_t *plain = graph_build(c->a, s, &o, c->d);
    c->graph = plain ? graph_with_dtypes(c->a, plain, s, c->d) : NULL;
    const char *rotations = in_case(c, "rotations.safetensors");
    store_options_t from = {.path = in_case(c, "model.safetensors"),
                            .rotations_path = file_exists(rotations) ? rotations : NULL};
    return c->graph && (c->store = store_load(c->graph, &from, c->d));
}

static int32_t *integers(const case_t *c, const char *name) {
    const st_tensor_t *t = st_find(c->inputs, name);
    if (!t) return NULL;
    int32_t *x = ARENA_ARRAY(c->a, int32_t, t->elements);
    return st_to_i32(t, x, name, c->d) ? x : NULL;
}

static const uint8_t *mask_of(const case_t *c) {
    const int32_t *mask = integers(c, "attention_mask");
    if (!mask) return NULL;
    int64_t n = st_find(c->inputs, "attention_mask")->elements;
    uint8_t *bytes = ARENA_ARRAY(c->a, uint8_t, n);
    for (int64_t i = 0; i < n; i++) bytes[i] = mask[i] != 0;
    return bytes;
}

static const float *param_of(void *store, const char *name) {
    return store_find(store, name)->data;
}

static void take_loss(void *ctx, const gnode_t *n, const double *values, int64_t elements) {
    (void)n, (void)elements;
    *(double *)ctx = values[0];
}

/* Doubles; NULL: there is no such tensor of as many. */
static const double *expected(const case_t *c, const char *name, int64_t elements) {
    const st_tensor_t *t = st_find(c->expected, name);
    if (!t || t->dtype != ST_F64 || t->elements != elements) return NULL;
    double *x = ARENA_ARRAY(c->a, double, elements);
    memcpy(x, t->data, sizeof *x * (size_t)elements);
    return x;
}

/* How far x is from the float nearest to `want`, beyond what doubles may differ; 0: it is that one. */
static double off(float x, double want) {
    double min = fabs((double)nextafterf(x, INFINITY) - x);
    double below = fabs((double)nextafterf(x, -INFINITY) - x);
    double half = (min > below ? min : below) / 2;
    return fmax(0, fabs(x - want) - half - tolerance * fmax(1, fabs(want)));
}

static bool compare(case_t *c) {
    const gnode_t *n = graph_output(c->graph, "logits");
    int64_t elements = 1, failed = 0;
    double loss = NAN, worst = 0;
    for (int i = 0; i < n->rank; i++) elements *= n->shape[i].c;
    float *logits = ARENA_ARRAY(c->a, float, elements);
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = integers(c, "input_ids"),
                        .attention_mask = mask_of(c),
                        .labels = integers(c, "labels"),
                        .batch = (size_t)c->graph->batch,
                        .length = (size_t)c->graph->length.c,
                        .logits = logits};
    const double *want = expected(c, "logits", elements), *want_loss = expected(c, "loss", 1);
    int code =
        graph_evaluate_gradients(c->graph, param_of, c->store, &io, NULL, false, take_loss, &loss);
    if (code || !want || !want_loss) {
        printf("%s\n", code ? reformer_strerror(code) : "logits or loss are not there");
        return false;
    }
    for (int64_t i = 0; i < elements; i++) {
        double e = off(logits[i], want[i]);
        if (!(e == 0)) failed++;
        worst = fmax(worst, e);
    }
    double error = fabs(loss / *want_loss - 1);
    printf("loss %.15g, numpy has %.15g (%.2g); %lld of %lld logits are off, by %.3g at most\n",
           loss, *want_loss, error, (long long)failed, (long long)elements, worst);
    return error <= tolerance && failed == 0;
}

int main(int argc, char **argv) {
    setting_t sets[MAX_SETTINGS];
    if (argc < 4 || argc > 3 + MAX_SETTINGS) {
        fputs("usage: golden_dtype CASE EXPECTED KEY=VALUE...\n", stderr);
        return 2;
    }
    case_t c = {.a = arena_new(), .d = diag_new(), .folder = argv[1]};
    int n_sets = find_settings(c.a, argv + 3, argc - 3, sets);
    bool ok = open_case(&c, argv[2], sets, n_sets) && compare(&c);
    diag_print(c.d, stderr);
    if (c.store) store_free(c.store);
    if (c.inputs) st_close(c.inputs);
    if (c.expected) st_close(c.expected);
    diag_free(c.d);
    arena_free(c.a);
    return ok ? 0 : 1;
}
