/* Generation of a model with one layer: prefills and steps of every kind of attention, through every executor, against
 * doubles that are carried from the tokens to the logits (right.h). Bounds grow with every sum that they go through, so
 * dense layers select columns, and attention is between two norms and little else. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random_model.h"
#include "right.h"

enum { ROWS = 2, VOCAB = 41, STEPS = 9, CHUNK = 4 };
/* A number of bf16 whose products are none: there is something to be rounded. */
#define OPERANDS_BF16 1.3046875
/* Of bf16, of logits' magnitude; and of how many rows bounds are so small. */
#define SHARP 2e-5
enum { FEWEST_SHARP = ROWS * (1 + STEPS) * 3 / 10 };

typedef struct {
    const char *what, *lengths, *keys; /* of the spec */
    int64_t prompt[ROWS];
    int bf16; /* which weights are drawn then: those of which few factors are near to the middle of two numbers */
} case_t;

static const case_t cases[] = {
    {"local step, one chunk before",
     "13",
     "attn_layers: [local]\nlocal_num_chunks_before: 1\n",
     {1, 9},
     2},
    {"local step, two chunks before",
     "13",
     "attn_layers: [local]\nlocal_num_chunks_before: 2\n",
     {5, 3},
     29},
    {"local step, its own chunk",
     "13",
     "attn_layers: [local]\nlocal_num_chunks_before: 0\n",
     {4, 13},
     36},
    {"lsh step, one round",
     "13",
     "attn_layers: [lsh]\nnum_hashes: 1\nnum_buckets: 4\nlsh_num_chunks_before: 1\n",
     {12, 13},
     8},
    {"lsh step, rounds, factors",
     "13",
     "attn_layers: [lsh]\nnum_hashes: 3\nnum_buckets: [2, 4]\nlsh_num_chunks_before: 2\n",
     {7, 13},
     21},
    {"lsh step, before there are buckets",
     "[4, 13]",
     "attn_layers: [lsh]\nnum_hashes: 2\nnum_buckets: 6\nlsh_num_chunks_before: 1\n",
     {1, 4},
     62},
};
enum { N_CASES = sizeof cases / sizeof *cases };

static const char model[] =
    "architectures: [ReformerModelWithLMHead]\nis_decoder: true\nhidden_size: 37\n"
    "num_attention_heads: 2\nattention_head_size: 7\nfeed_forward_size: 33\nvocab_size: 41\n"
    "axial_pos_shape: [5, 6]\naxial_pos_embds_dim: [5, 32]\nmax_position_embeddings: 30\n"
    "local_attn_chunk_length: 4\nlsh_attn_chunk_length: 4\nhash_seed: 3\nlayer_norm_eps: 1e-3\n"
    "initializer_range: 0.25\nhidden_act: gelu\n"
    "compile: {batch_size: 2, dtype: %s, sequence_length: %s}\n%s";

/* ---- what is right ----------------------------------------------------------------------------------- */

typedef struct {
    double v[ROWS][VOCAB], e[ROWS][VOCAB];
} logits_t;

typedef struct {
    const case_t *c;
    arena_t *arena;
    diag_t *diag;
    spec_t *spec;
    store_t *store;
    logits_t right[1 + STEPS]; /* of the prompts, of the steps */
    bool rounding;             /* a hash would be another if it were of rounded numbers */
} test_t;

/* Of i8 attention is of bf16, too. */
static bool is_bf16(void) {
    return kernels_bf16 && !kernels_i8;
}

static void must(const test_t *t, bool ok) {
    if (ok) return;
    diag_print(t->diag, stderr);
    fail_msg("%s: see the messages above", t->c->what);
}

static int32_t token(int64_t row, int64_t at) {
    return (int32_t)((row * 17 + at * 11 + at * at % 7) % VOCAB);
}

static plan_t *plan_of(test_t *t, const target_t *target) {
    plan_options_t o = {.name = "model", .decodes = true, .n_targets = 1, .targets = {target}};
    plan_t *p = plan_make(t->arena, t->spec, &o, t->diag);
    must(t, p && p->step);
    return p;
}

static kernels_t graph_of(test_t *t, graph_t *g, bool *near_tie) {
    kernels_t k = {.what = t->c->what, .arena = t->arena, .g = g, .near_tie = near_tie};
    assert_true(g->n_nodes <= MAX_NODES);
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == G_PARAM)
            k.values[i] = (float *)(uintptr_t)store_find(t->store, g->nodes[i]->name)->data;
    return k;
}

static right_t *evaluate(const kernels_t *k) {
    right_t *all = ARENA_ARRAY(k->arena, right_t, k->g->n_nodes);
    for (size_t i = 0; i < k->g->n_nodes; i++) {
        const gnode_t *n = k->g->nodes[i];
        int64_t elements = 1;
        for (int d = 0; d < n->rank; d++) elements *= n->shape[d].c;
        all[i] = (right_t){ARENA_ARRAY(k->arena, double, elements),
                           ARENA_ARRAY(k->arena, double, elements), elements};
        if (n->op != G_CROSS_ENTROPY) right_value(k, all, n, NULL, &all[i]);
    }
    return all;
}

static void keep_logits(const kernels_t *k, const right_t *all, int64_t from, logits_t *to,
                        int64_t row) {
    const right_t *logits = &all[graph_find(k->g, "logits")->id];
    memcpy(to->v[row], logits->v + from * VOCAB, sizeof to->v[row]);
    memcpy(to->e[row], logits->e + from * VOCAB, sizeof to->e[row]);
}

static void keep(const kernels_t *k, const right_t *all, const char *const *names, int64_t tokens,
                 right_t *to) {
    const gnode_t *n = graph_find(k->g, names[0]);
    if (!n) n = graph_find(k->g, names[1]);
    size_t bytes = (size_t)(tokens * n->shape[2].c) * sizeof(double);
    to->v = ARENA_ARRAY(k->arena, double, MAX_TOKENS * n->shape[2].c);
    to->e = ARENA_ARRAY(k->arena, double, MAX_TOKENS * n->shape[2].c);
    memcpy(to->v, all[n->id].v, bytes);
    memcpy(to->e, all[n->id].e, bytes);
}

/* A prompt alone: a forward of the variant that it fits in, filled up with masked tokens. */
static void right_prefill(test_t *t, const plan_t *p, int64_t row, struct right_row *to,
                          bool *near_tie) {
    static const char *const keys[] = {"layers.0.query_key", "layers.0.key"};
    static const char *const values[] = {"layers.0.value", ""};
    int64_t tokens = t->c->prompt[row];
    const variant_plan_t *v = plan_prefill_fitting(p, (size_t)tokens);
    kernels_t k = graph_of(t, v->graph, near_tie);
    k.ids = ARENA_ARRAY(t->arena, int32_t, v->max_length);
    k.mask = ARENA_ARRAY(t->arena, uint8_t, v->max_length);
    for (int64_t i = 0; i < tokens; i++) k.ids[i] = token(row, i), k.mask[i] = 1;
    right_t *all = evaluate(&k);
    keep_logits(&k, all, tokens - 1, &t->right[0], row);
    keep(&k, all, keys, tokens, &to->k);
    keep(&k, all, values, tokens, &to->v);
    to->tokens = tokens;
    to->hashed = v->hashes;
}

/* The weights' names end like this; scale 0: the feed-forward adds nothing but its bias. */
static void simplify(const store_t *s, const graph_t *g) {
    static const struct {
        const char *name;
        int64_t first, step;
        double scale;
    } dense[] = {{"query.weight", 0, 7, 1},
                 {"query_key.weight", 0, 7, 1},
                 {"key.weight", 3, 5, 1},
                 {"value.weight", 1, 11, 1},
                 {"attention.output.dense.weight", 2, 3, 1},
                 {"feed_forward.output.dense.weight", 0, 1, 0},
                 {"decoder.weight", 5, 9, 1}};
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        if (n->op != G_PARAM) continue;
        float *w = (float *)(uintptr_t)store_find(s, n->name)->data;
        for (int64_t j = 0; n->rank == 1 && j < n->shape[0].c; j++) w[j] = 1 + 0.5F * k_random();
        for (size_t d = 0; d < sizeof dense / sizeof *dense; d++) {
            size_t bytes = strlen(n->name), end = strlen(dense[d].name);
            if (bytes < end || strcmp(n->name + bytes - end, dense[d].name) != 0) continue;
            bool other =
                strcmp(dense[d].name, "key.weight") == 0 && n->name[bytes - end - 1] == '_';
            bool operand = strstr(n->name, "self_attention") != NULL;
            double scale = operand && is_bf16() ? OPERANDS_BF16 : dense[d].scale;
            if (!other)
                k_selection(w, n->shape[0].c, n->shape[1].c, dense[d].first, dense[d].step, scale);
        }
    }
}

static void find_right(test_t *t) {
    bool near_tie = false;
    plan_t *p = plan_of(t, &targets[T_X86_64]);
    struct right_row rows[ROWS];
    store_options_t o = {.path = "random:5"};
    t->store = store_load(p->variants[p->n_variants - 1].graph, &o, t->diag);
    must(t, t->store != NULL);
    draw_begin(12, is_bf16() ? t->c->bf16 : 0);
    simplify(t->store, p->variants[p->n_variants - 1].graph);
    for (int64_t row = 0; row < ROWS; row++) right_prefill(t, p, row, &rows[row], &near_tie);
    for (int64_t s = 0; s < STEPS; s++) {
        kernels_t k = graph_of(t, p->step, &near_tie);
        int32_t ids[ROWS], positions[ROWS];
        for (int64_t row = 0; row < ROWS; row++) {
            positions[row] = (int32_t)rows[row].tokens;
            ids[row] = token(row, rows[row].tokens);
        }
        k.ids = ids;
        k.positions = positions;
        k.rows = rows;
        k.rounding = &t->rounding;
        right_t *all = evaluate(&k);
        for (int64_t row = 0; row < ROWS; row++) keep_logits(&k, all, row, &t->right[1 + s], row);
    }
    if (near_tie) fail_msg("%s: a last bit decides a hash; take other weights", t->c->what);
}

/* ---- what executors say -------------------------------------------------------------------------------- */

/* Through all layers any integer may be the next one: then the bound says nothing, and the logits are near all the same. */
static double at_max_off(const right_t *all) {
    return kernels_i8 ? 0.05 * right_magnitude(all) : INFINITY;
}

/* Rows of all calls whose logits are known to single precision; of bf16 there are others, in which a factor lies so near to
 * the middle of two numbers that a kernel may round it to either. */
static int count_sharp(const test_t *t) {
    int n = 0;
    for (int call = 0; call <= STEPS; call++)
        for (int row = 0; row < ROWS; row++) {
            double squares = 0, max = 0;
            for (int i = 0; i < VOCAB; i++) {
                squares += t->right[call].v[row][i] * t->right[call].v[row][i];
                max = fmax(max, t->right[call].e[row][i]);
            }
            n += max <= SHARP * sqrt(squares / VOCAB);
        }
    return n;
}

static void compare(const test_t *t, int call, float got[ROWS][VOCAB], const char *target,
                    const char *executor) {
    const logits_t *right = &t->right[call];
    right_t all = {(double *)(uintptr_t)right->v, (double *)(uintptr_t)right->e, ROWS * VOCAB};
    if (!kernels_i8 && !kernels_bf16 && !right_is_sharp(&all, false))
        fail_msg("%s: the bound says nothing", t->c->what);
    double near = at_max_off(&all);
    for (int row = 0; row < ROWS; row++)
        for (int i = 0; i < VOCAB; i++) {
            double max = fmin(near, right->e[row][i]);
            if (!(fabs((double)got[row][i] - right->v[row][i]) <= max))
                fail_msg(
                    "%s, %s, %s: %s %d, logits [%d,%d] is %.9g, and should be %.9g within %.2g",
                    t->c->what, target, executor, call ? "step" : "prefill", call, row, i,
                    (double)got[row][i], right->v[row][i], max);
        }
}

static void generate(test_t *t, const target_t *target, backend_t b) {
    enum { LONGEST = 13 };
    exec_options_t o = {.backend = b};
    exec_t *e = exec_open(plan_of(t, target), t->store, &o, t->diag);
    must(t, e != NULL);
    exec_cache_t *cache = exec_cache_new(e, LONGEST + STEPS, LONGEST, 1, t->diag);
    must(t, cache != NULL);
    int32_t ids[ROWS * LONGEST] = {0};
    uint8_t mask[ROWS * LONGEST] = {0};
    float logits[ROWS][VOCAB];
    for (int row = 0; row < ROWS; row++)
        for (int64_t i = 0; i < t->c->prompt[row]; i++) {
            ids[row * LONGEST + i] = token(row, i);
            mask[row * LONGEST + i] = 1;
        }
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .attention_mask = mask,
                            .batch = ROWS,
                            .length = LONGEST,
                            .logits = logits[0]};
    must(t, exec_prefill(cache, &io, t->diag) == REFORMER_OK);
    compare(t, 0, logits, target->name, backend_names[b]);
    for (int s = 0; s < STEPS; s++) {
        for (int row = 0; row < ROWS; row++) ids[row] = token(row, t->c->prompt[row] + s);
        io = (reformer_decode_t){.size = sizeof(reformer_decode_t),
                                 .input_ids = ids,
                                 .batch = ROWS,
                                 .logits = logits[0]};
        must(t, exec_step(cache, &io, t->diag) == REFORMER_OK);
        compare(t, 1 + s, logits, target->name, backend_names[b]);
    }
    exec_cache_free(cache);
    exec_close(e);
}

static void steps(void **state) {
    int rounding = 0;
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        test_t *t = calloc(1, sizeof *t);
        *t = (test_t){.c = &cases[i], .arena = arena_new(), .diag = diag_new()};
        const char *dtype = kernels_i8 ? "int8" : kernels_bf16 ? "bfloat16" : "float32";
        const char *text = arena_printf(t->arena, model, dtype, t->c->lengths, t->c->keys);
        t->spec = spec_parse(t->arena, "decode.yaml", text, strlen(text), NULL, 0, t->diag);
        must(t, t->spec && spec_resolve_architecture(t->spec, true, false, false, t->diag));
        find_right(t);
        if (is_bf16() && count_sharp(t) < FEWEST_SHARP)
            fail_msg("%s: the bounds say nothing; take other weights", t->c->what);
        for (int target = 0; target < T_COUNT; target++) {
            if (!kernels_target(target)) continue;
            bool here = reformer_cpu_supports(target), due = target == i % 2 || kernels_all;
            generate(t, &targets[target], BACKEND_INTERPRETER);
            if (!here || !due || (i != 1 && i != 4 && !kernels_all)) continue;
            if (backend_is_built_in(BACKEND_JIT)) generate(t, &targets[target], BACKEND_JIT);
            if (i == 4 || kernels_all) generate(t, &targets[target], BACKEND_C);
        }
        rounding += t->rounding;
        store_free(t->store);
        diag_free(t->diag);
        arena_free(t->arena);
        free(t);
    }
    if (is_bf16() && rounding < 2)
        fail_msg("hashes of rounded numbers would be the same; take other weights");
}

int main(int argc, char **argv) {
    kernels_options(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
