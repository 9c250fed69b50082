/* Train steps, lowered: every gradient from the interpreter, C and the JIT against the reference in double; all of them to
 * the bit for one and for several threads, for other tiles, and for other targets' vectors of the same arithmetic.
 *
 *     test_lower_train_steps [kept|long]
 *
 *     kept   what attentions and layers keep for the backward pass, the rest without it
 *     long   both; every target of each model, other tiles and code for any length at every size of chunks, all that is kept
 *            for every target */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec/exec_int.h"
#include "graph_edit.h"
#include "plan_of.h"
#include "support/file.h"

enum { MAX_GRADIENTS = 256 };

static bool long_form;

typedef struct {
    const char *text; /* of the spec */
    int64_t batch, length;
    bool plain;            /* without attention: dense layers in its place */
    bool tied;             /* all layers have the first one's feed-forward */
    bool turned;           /* y + x for x + y in layer 1: its first stream is not written over */
    unsigned second;       /* another attention in each layer, with these of the first one's */
    bool drops;            /* at the spec's rates */
    uint32_t labels;       /* classes */
    uint32_t first_row;    /* less 5, of the step */
    const int32_t *begins; /* positions of the rows' first tokens; NULL: 0 */
    bool compiled;
    bool brief;                      /* of the best target alone */
    bool untiled;                    /* without other tiles */
    bool (*keeps)(const gnode_t *n); /* for the backward pass; NULL: nothing */
} model_t;

typedef struct {
    const model_t *model;
    arena_t *a;
    diag_t *d;
    graph_t *g; /* the train step */
    layout_t *gradients;
    store_t *store;
    reformer_io_t io;
    double *want[MAX_GRADIENTS]; /* by the GRADIENTs of the graph */
    const gnode_t *node[MAX_GRADIENTS];
    int n;
    double loss;
    bool any; /* what runs is made for any length */
    graph_dropout_t dropout;
} sample_t;

static void must(const sample_t *t, bool ok) {
    if (ok) return;
    diag_print(t->d, stderr);
    fail_msg("see the messages above");
}

static uint32_t draw_of(uint32_t *seed, uint32_t n) {
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % n;
}

/* ---- the model ------------------------------------------------------------------------------------ */

static bool is_attention(const gnode_t *n) {
    return n &&
           (n->op == G_LOCAL_ATTENTION || n->op == G_LSH_ATTENTION || n->op == G_EXACT_ATTENTION);
}

/* What follows an attention reads its norm instead. */
static void make_plain(sample_t *t, graph_t *g) {
    edit_t e = {g, -1};
    for (size_t i = 0; i < g->n_nodes; i++)
        if (is_attention(g->nodes[i]))
            edit_replace(&e, g->nodes[i], g->nodes[i]->in[0]->in[0], NULL);
    must(t, edit_finish(&e, t->d));
}

static void tie(sample_t *t, graph_t *g) {
    static const char *const weights[] = {"feed_forward.dense.dense.weight",
                                          "feed_forward.dense.dense.bias",
                                          "feed_forward.output.dense.weight"};
    edit_t first = {g, 0}, e = {g, 1};
    for (; edit_weight(&e, weights[0]); e.layer++)
        for (int i = 0; i < 3; i++)
            edit_replace(&e, edit_weight(&e, weights[i]), edit_weight(&first, weights[i]), NULL);
    must(t, edit_finish(&e, t->d));
}

static void turn(sample_t *t, graph_t *g) {
    edit_t e = {g, 1};
    gnode_t *sum = edit_node(&e, "y1"), *x = sum->in[0];
    sum->in[0] = sum->in[1];
    sum->in[1] = x;
    must(t, edit_finish(&e, t->d));
}

enum {
    OPERAND_0 = 1, /* the projected value of query_key, or query */
    OPERAND_1 = 2, /* of key */
    OPERAND_2 = 4, /* of value */
    WEIGHTS = 8,   /* the matrices of what it projects itself */
    RESULT = 16,   /* both results are added up, and their sum goes through one matrix */
    WINDOW = 32,   /* all that it may see; else it sees fewer keys */
    SECOND = 64
};

static void share_operands(edit_t *e, gnode_t *more, unsigned second) {
    static const struct {
        const char *name;
        unsigned bit;
    } operands[] = {
        {"query_key", OPERAND_0}, {"query", OPERAND_0}, {"key", OPERAND_1}, {"value", OPERAND_2}};
    for (int i = 0; i < 4; i++) {
        gnode_t *n = edit_node(e, operands[i].name);
        if (!n || second & operands[i].bit) continue;
        gnode_t *own = edit_copy(e, n, arena_printf(e->g->arena, "second_%s", operands[i].name));
        if (!(second & WEIGHTS))
            own->in[1] =
                edit_copy(e, n->in[1], arena_printf(e->g->arena, "second.%s", operands[i].name));
        for (int k = 0; k < more->n_in; k++)
            if (more->in[k] == n) more->in[k] = own;
    }
    if (more->op != G_LSH_ATTENTION) return;
    gnode_t *hash = edit_copy(e, more->in[2]->in[0], "second_buckets");
    more->in[2] = edit_copy(e, more->in[2], "second_sorted_idx");
    more->in[2]->in[0] = hash;
    hash->in[0] = more->in[0];
}

static void add_second(sample_t *t, graph_t *g, unsigned second) {
    edit_t e = {g, 0};
    for (gnode_t *self; (self = edit_node(&e, "self_attention")); e.layer++) {
        gnode_t *more = edit_copy(&e, self, "second_attention"), *out = edit_node(&e, "attention");
        share_operands(&e, more, second);
        if (!(second & WINDOW)) more->before = 0;
        if (second & RESULT) {
            out->in[0] = edit_add(&e, G_ADD, "both", self, more, NULL);
            continue;
        }
        gnode_t *sum = edit_node(&e, "y1"), *own = edit_copy(&e, out, "second_output");
        own->in[0] = more;
        own->in[1] = edit_copy(&e, out->in[1], "second.output");
        gnode_t *both = edit_add(&e, G_ADD, "y1_second", sum, own, NULL);
        edit_replace(&e, sum, both, both);
    }
    must(t, edit_finish(&e, t->d));
}

/* Its train step in place of a forward. */
static graph_t *derive(sample_t *t, graph_t *g) {
    graph_options_t o = {.batch = g->batch,
                         .length = dim_at(g->length, g->units.max),
                         .units = g->units,
                         .train = true};
    if (t->model->drops) g = graph_build(t->a, g->spec, &o, t->d);
    must(t, g != NULL);
    if (t->model->begins) g = graph_with_positions(t->a, g, t->d);
    must(t, g != NULL);
    if (t->model->plain) make_plain(t, g);
    if (t->model->tied) tie(t, g);
    if (t->model->turned) turn(t, g);
    if (t->model->second) add_second(t, g, t->model->second);
    graph_gradient_options_t by = {0};
    bool *keep = ARENA_ARRAY(t->a, bool, g->n_nodes);
    for (size_t i = 0; t->model->keeps && i < g->n_nodes; i++)
        keep[i] = t->model->keeps(g->nodes[i]);
    if (t->model->keeps) by.keep = keep;
    g = graph_gradient(t->a, g, &by, t->d);
    must(t, g != NULL);
    return g;
}

/* Of exactly this length, or of any. */
static plan_t *plan(sample_t *t, const target_t *target, const tiles_t *tiles, bool any) {
    plan_options_t o = {.name = "model",
                        .exact_length = any ? 0 : t->model->length,
                        .exact_batch = any ? 0 : t->model->batch,
                        .n_targets = 1,
                        .targets = {target},
                        .tiles = {tiles}};
    const char *size =
        arena_printf(t->a, "%scompile: {batch_size: %lld, sequence_length: dynamic}\n",
                     t->model->text, (long long)t->model->batch);
    plan_t *p = plan_of(t->a, any ? size : t->model->text, &o, t->d);
    must(t, p != NULL);
    for (int i = 0; i < p->n_variants; i++)
        p->variants[i].graph = !any && t->g ? t->g : derive(t, p->variants[i].graph);
    if (!t->g) {
        t->g = p->variants[0].graph;
        t->gradients = layout_gradients(t->a, t->g);
    }
    p->layout = layout_make(t->a, p->variants[p->n_variants - 1].graph);
    return p;
}

static void draw_inputs(sample_t *t) {
    size_t n = (size_t)(t->model->batch * t->model->length);
    int32_t *ids = ARENA_ARRAY(t->a, int32_t, n), *labels = ARENA_ARRAY(t->a, int32_t, n);
    uint32_t seed = 5;
    for (size_t i = 0; i < n; i++) {
        ids[i] = (int32_t)draw_of(&seed, 19);
        labels[i] = draw_of(&seed, 4) ? (int32_t)draw_of(&seed, t->model->labels) : -100;
    }
    t->io = (reformer_io_t){.size = sizeof(reformer_io_t),
                            .input_ids = ids,
                            .labels = labels,
                            .start_positions = labels,
                            .end_positions = labels + 1,
                            .batch = (size_t)t->model->batch,
                            .length = (size_t)t->model->length,
                            .dropout_seed = 0x123456789abcdef,
                            .dropout_step = 3,
                            .dropout_row = 5 + t->model->first_row,
                            .positions = t->model->begins,
                            .loss = ARENA_ARRAY(t->a, float, 1)};
    t->dropout = (graph_dropout_t){t->io.dropout_seed, t->io.dropout_step, t->io.dropout_row};
}

static void take(void *ctx, const gnode_t *n, const double *values, int64_t elements) {
    sample_t *t = ctx;
    if (n->op != G_GRADIENT) {
        t->loss = values[0];
        return;
    }
    assert_true(t->n < MAX_GRADIENTS);
    t->node[t->n] = n;
    t->want[t->n++] = arena_copy(t->a, values, sizeof *values * (size_t)elements);
}

/* ---- running -------------------------------------------------------------------------------------- */

/* All gradients; what lies between them is left alone. */
static float *run(sample_t *t, const target_t *target, const tiles_t *tiles, backend_t backend,
                  const char *cc, int threads) {
    plan_t *p = plan(t, target, tiles, t->any);
    exec_options_t o = {.backend = backend, .cc = cc, .passes = {.verify_each = true}};
    exec_t *e = exec_open(p, t->store, &o, t->d);
    must(t, e != NULL);
    size_t floats = (size_t)t->gradients->data_end / sizeof(float);
    float *gradients = ARENA_ARRAY(t->a, float, floats);
    for (size_t i = 0; i < floats; i++) gradients[i] = NAN;
    reformer_io_t io = t->io;
    io.threads = threads;
    io.positions = NULL; /* those of a train step stand where its schedule looks for them */
    const reformer_variant_t *variants = e->model.desc ? e->model.desc->variants : e->variants, *v;
    size_t bytes = reformer_prepare_bytes(&e->desc, variants, p->n_variants, io.length, threads);
    void *room = exec_room(e, "a workspace", bytes, t->d);
    reformer_call_t call;
    assert_int_equal(reformer_prepare(&e->desc, variants, p->n_variants, e->weights, &io, room,
                                      bytes, &call, &v),
                     0);
    call.slot[REFORMER_SLOT_GRADIENTS] = gradients;
    call.slot[REFORMER_SLOT_POSITION] = (void *)(uintptr_t)t->model->begins;
    if (backend == BACKEND_INTERPRETER)
        must(t, loops_interpret(p->modules[v - variants], &call, t->d));
    else v->run(&call);
    free(room);
    exec_close(e);
    return gradients;
}

static const float *gradient_in(const sample_t *t, const float *all, const gnode_t *n) {
    int index;
    const layout_entry_t *e = layout_find(t->gradients, n->in[1]->name, &index);
    assert_non_null(e);
    return all + (e->offset + e->bytes / e->count * index) / (int64_t)sizeof(float);
}

static int64_t elements_of(const gnode_t *n) {
    int64_t elements = 1;
    for (int i = 0; i < n->rank; i++) elements *= n->shape[i].c;
    return elements;
}

static void compare(const sample_t *t, const float *all, const char *what) {
    if (!(fabs((double)t->io.loss[0] - t->loss) <= 1e-5))
        fail_msg("%s: loss %.9g, should be %.9g", what, (double)t->io.loss[0], t->loss);
    for (int i = 0; i < t->n; i++) {
        const float *got = gradient_in(t, all, t->node[i]);
        double largest = 0, error = 0;
        for (int64_t k = 0; k < elements_of(t->node[i]); k++) {
            largest = fmax(largest, fabs(t->want[i][k]));
            double e = fabs((double)got[k] - t->want[i][k]);
            if (!(e <= error)) error = e;
        }
        if (!(error <= (largest < 1e-7 ? 1e-7 : 2e-5 * largest))) /* some are zero by symmetry */
            fail_msg("%s, %s: wrong by %g of %g", what, t->node[i]->name, error, largest);
    }
}

static void same(const sample_t *t, const float *a, const float *b, const char *what) {
    for (int i = 0; i < t->n; i++)
        if (memcmp(gradient_in(t, a, t->node[i]), gradient_in(t, b, t->node[i]),
                   sizeof(float) * (size_t)elements_of(t->node[i])) != 0)
            fail_msg("%s: %s has other bits", what, t->node[i]->name);
}

/* Compilers take turns: what is compiled costs a hundred times what is interpreted. In the short form either C or the JIT
 * does. */
static void check_compiled(sample_t *t, int target, const float *want) {
    static int turn;
    bool has_jit = backend_is_built_in(BACKEND_JIT), by_jit = turn % 2 == 0;
    const char *cc = turn++ / (long_form ? 1 : 2) % 2 ? "clang" : "gcc";
    if (long_form || !has_jit || !by_jit)
        same(t, want, run(t, &targets[target], NULL, BACKEND_C, cc, 2), cc);
    if (!has_jit || !(long_form || by_jit)) return;
    for (int threads = 1; threads <= 3; threads += long_form ? 1 : 2)
        same(t, want, run(t, &targets[target], NULL, BACKEND_JIT, NULL, threads), "jit");
}

/* any: code for any length is to run, too, and may hash where this length does not. */
static sample_t begin(const model_t *m, bool any) {
    sample_t t = {.model = m, .a = arena_new(), .d = diag_new()};
    const plan_t *p = plan(&t, &targets[0], NULL, false);
    if (any) p = plan(&t, &targets[0], NULL, true);
    store_options_t o = {.path = "random"};
    t.store = store_load(p->variants[p->n_variants - 1].graph, &o, t.d);
    must(&t, t.store != NULL);
    draw_inputs(&t);
    assert_int_equal(
        graph_evaluate_gradients(t.g, exec_param, t.store, &t.io, &t.dropout, false, take, &t), 0);
    return t;
}

static void end(sample_t *t) {
    store_free(t->store);
    diag_free(t->d);
    arena_free(t->a);
}

static tiles_t narrow_tiles(int target) {
    tiles_t narrow = tiles_for(&targets[target]);
    narrow.vectors = 1;
    narrow.rows = 3;
    narrow.block = 24;
    return narrow;
}

static int last_target(void) {
    int k = T_LEVELS - 1;
    while (!reformer_cpu_takes(k)) k--;
    return k;
}

/* Beside what is made for one length: each is compiled. */
enum { TILES = 1, ANY_LENGTH = 2, BOTH = TILES | ANY_LENGTH };

/* What takes an interpreter long. In the short form it walks the short ones: it is rather compilers that take long for them. */
static void check_long(const model_t *m, int forms) {
    sample_t t = begin(m, true);
    bool compiled = long_form || m->plain || m->length > 200;
    backend_t b = compiled ? backend_default() : BACKEND_INTERPRETER;
    int k = last_target();
    tiles_t narrow = narrow_tiles(k);
    float *all = run(&t, &targets[k], NULL, b, NULL, 1);
    compare(&t, all, "long");
    if (compiled) /* the interpreter has one */
        same(&t, all, run(&t, &targets[k], NULL, b, NULL, 3), "more threads");
    if (forms & TILES) same(&t, all, run(&t, &targets[k], &narrow, b, NULL, 2), "other tiles");
    t.any = true;
    if (forms & ANY_LENGTH) compare(&t, run(&t, &targets[k], NULL, b, NULL, 2), "of any length");
    end(&t);
}

/* In the short form the best target alone has other tiles and is compiled. */
static void check_target(sample_t *t, int k) {
    float *all = run(t, &targets[k], NULL, BACKEND_INTERPRETER, NULL, 1);
    compare(t, all, targets[k].name);
    if (!long_form && k != last_target()) return;
    tiles_t narrow = narrow_tiles(k);
    if (!t->model->untiled)
        same(t, all, run(t, &targets[k], &narrow, BACKEND_INTERPRETER, NULL, 1), "other tiles");
    if (t->model->compiled && reformer_cpu_supports(k)) check_compiled(t, k, all);
}

/* This CPU's best target, and in the short form one of the others, which take turns. */
static void check(const model_t *m) {
    static int turn;
    sample_t t = begin(m, false);
    int last = last_target(), other = turn++ % (T_LEVELS - 1);
    if (other >= last) other++;
    for (int k = 0; k < T_LEVELS; k++)
        if (k == last || (!m->brief && (long_form || k == other))) check_target(&t, k);
    end(&t);
}

/* ---- tests ---------------------------------------------------------------------------------------- */

#define LM                                                                                         \
    "architectures: [ReformerModelWithLMHead]\nis_decoder: true\nvocab_size: 19\nhidden_act: gelu\n"
#define HEADS                                                                                      \
    "num_attention_heads: 2\nattention_head_size: 12\nhidden_size: 24\nfeed_forward_size: 45\n"
#define SIZES                                                                                      \
    HEADS "local_attn_chunk_length: 8\nlsh_attn_chunk_length: 8\nmax_position_embeddings: 64\n"
#define TABLE "axial_pos_embds: false\n"
#define DROPS "local_attention_probs_dropout_prob: 0.2\nlsh_attention_probs_dropout_prob: 0.3\n"
#define GRID  "axial_pos_shape: [8, 4]\naxial_pos_embds_dim: [7, 17]\n"

static void dense_layers(void **state) {
    (void)state;
    check(&(model_t){.text = LM SIZES GRID "attn_layers: [local, local, local]\n",
                     .batch = 2,
                     .length = 32,
                     .labels = 19,
                     .plain = true,
                     .compiled = true});
}

/* Products so deep that a block goes through them in slices: of 346, three. */
static void deep_layers(void **state) {
    (void)state;
    check(&(model_t){.text =
                         LM TABLE "num_attention_heads: 1\nattention_head_size: 8\nhidden_size: 8\n"
                                  "feed_forward_size: 1038\nlocal_attn_chunk_length: 4\n"
                                  "max_position_embeddings: 16\nattn_layers: [local, local]\n",
                     .batch = 1,
                     .length = 8,
                     .labels = 19,
                     .plain = true,
                     .compiled = true});
}

/* Heads of one row per batch element, of two columns, of all tokens without a shift. */
static void heads(void **state) {
    (void)state;
    static const char *const of[] = {"ReformerForSequenceClassification",
                                     "ReformerForQuestionAnswering", "ReformerForMaskedLM"};
    for (int i = 0; i < 3; i++) {
        char text[1000];
        snprintf(text, sizeof text,
                 "architectures: [%s]\nvocab_size: 19\nnum_labels: %d\n" SIZES TABLE
                 "attn_layers: [local]\n",
                 of[i], i == 0 ? 3 : 2);
        check(&(model_t){
            .text = text, .batch = 3, .length = 26, .labels = i == 2 ? 19 : 3, .plain = true});
    }
}

/* Whole models: layers of both kinds. */
static void attention_layers(void **state) {
    (void)state;
    check(&(model_t){.text = LM SIZES GRID
                     "attn_layers: [local, lsh, local, lsh, local]\nnum_hashes: 2\n"
                     "num_buckets: 4\n",
                     .batch = 2,
                     .length = 32,
                     .labels = 19,
                     .compiled = true});
}

/* At every place outside of attention, in kernels that layers share: what the forward dropped is dropped again, also where it
 * is computed again. */
static void dropout(void **state) {
    (void)state;
    static const char *const of[] = {"ReformerForSequenceClassification",
                                     "ReformerForQuestionAnswering", "ReformerForMaskedLM"};
    for (int i = 0; i < 3; i++) {
        char text[1000];
        snprintf(text, sizeof text,
                 "architectures: [%s]\nvocab_size: 19\nnum_labels: %d\nhidden_dropout_prob: 0.3\n"
                 "classifier_dropout: 0.5\nextensions: {feed_forward_gate: %s}\n" SIZES
                 "%sattn_layers: [local, local]\n",
                 of[i], i == 0 ? 3 : 2, i == 1 ? "true" : "false", i == 1 ? TABLE : GRID);
        check(&(model_t){.text = text,
                         .batch = 2,
                         .length = 26,
                         .labels = i == 2 ? 19 : 3,
                         .plain = true,
                         .drops = true});
    }
}

/* What is made again of a stream that is still there waits for no gradient of the head. */
static void a_stream_that_stays(void **state) {
    (void)state;
    check(&(model_t){.text = LM SIZES TABLE
                     "attn_layers: [local, lsh]\nnum_hashes: 2\nnum_buckets: 4\n",
                     .batch = 2,
                     .length = 24,
                     .labels = 19,
                     .turned = true,
                     .brief = true});
}

static bool keeps_all_of_attention(const gnode_t *n);

/* Two attentions of a layer with one projection, or two of one matrix: gradients of both are added up. */
static void attentions_that_share(void **state) {
    (void)state;
    static const unsigned shared[] = {OPERAND_2, OPERAND_0 | WINDOW, WEIGHTS,
                                      OPERAND_0 | OPERAND_1 | OPERAND_2 | WINDOW,
                                      OPERAND_2 | RESULT};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i += long_form ? 1 : 2)
        check(&(model_t){.text = LM SIZES GRID DROPS "attn_layers: [local, lsh]\n"
                                                     "num_hashes: 2\nnum_buckets: 4\n",
                         .batch = 2,
                         .length = 16,
                         .labels = 19,
                         .second = SECOND | shared[i],
                         .drops = i == 2 || i == 3,
                         .keeps = i >= 3 ? keeps_all_of_attention : NULL,
                         .brief = true,
                         .compiled = i == 0});
}

/* One param of several layers: sums of sums. */
static void tied_layers(void **state) {
    (void)state;
    check(&(model_t){.text = LM SIZES TABLE "attn_layers: [local, local, local]\n",
                     .batch = 2,
                     .length = 32,
                     .labels = 19,
                     .plain = true,
                     .tied = true});
}

/* Blocks that are filled up; chunks of several batch elements, and of parts of one; the last of them not whole. */
static void chunks(void **state) {
    (void)state;
    static const struct {
        int64_t batch, length;
        int forms; /* of the short test */
    } sizes[] = {{2, 101, ANY_LENGTH}, {3, 1000, TILES}, {2, 2120, ANY_LENGTH}, {1, 4096, TILES}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_long(&(model_t){.text = LM
                              "hidden_size: 11\nnum_attention_heads: 1\nattention_head_size: 11\n"
                              "feed_forward_size: 33\nlocal_attn_chunk_length: 1\n"
                              "max_position_embeddings: 4096\nattn_layers: [local, local]\n" TABLE,
                              .batch = sizes[i].batch,
                              .length = sizes[i].length,
                              .labels = 19,
                              .plain = true},
                   long_form ? BOTH : sizes[i].forms);
}

/* Of each kind, with dropout of probabilities: more chunks before than there are, none, and one chunk that is all. */
static void attentions(void **state) {
    (void)state;
    static const struct {
        const char *rest;
        int64_t length;
    } of[] = {
        {"attn_layers: [lsh, local]\nnum_hashes: 2\nnum_buckets: [2, 4]\n"
         "lsh_num_chunks_before: 2\nlocal_num_chunks_before: 0\n" TABLE,
         24},
        {"attn_layers: [lsh, local]\nnum_buckets: 2\n" TABLE, 7}, /* one chunk: exact */
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char text[1000];
        snprintf(text, sizeof text, LM SIZES DROPS "%s", of[i].rest);
        check(&(model_t){.text = text,
                         .batch = 2,
                         .length = of[i].length,
                         .labels = 19,
                         .drops = true,
                         .compiled = i == 0});
    }
}

/* A length that is filled up to whole chunks, and a kernel for any. */
static void attentions_of_any_length(void **state) {
    (void)state;
    check_long(&(model_t){.text = LM
                          "hidden_size: 20\nnum_attention_heads: 2\nattention_head_size: 9\n"
                          "feed_forward_size: 33\nlocal_attn_chunk_length: 12\n"
                          "lsh_attn_chunk_length: 6\nnum_hashes: 2\nnum_buckets: [2, 6]\n"
                          "max_position_embeddings: 240\nattn_layers: [local, lsh, lsh]\n" TABLE,
                          .batch = 2,
                          .length = 53,
                          .labels = 19},
               BOTH);
}

/* Masks are those of code for exactly this length, of rows far into a step too: of inputs that nothing fills up, of such as
 * are filled up to one chunk of some layers, and of longer ones. */
static void dropout_of_any_length(void **state) {
    (void)state;
    static const int64_t lengths[] = {5, 9, 29};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        check_long(&(model_t){.text = LM DROPS
                              "hidden_dropout_prob: 0.2\nhidden_size: 20\nnum_attention_heads: 2\n"
                              "attention_head_size: 9\nfeed_forward_size: 33\n"
                              "local_attn_chunk_length: 12\nlsh_attn_chunk_length: 6\n"
                              "num_hashes: 2\nnum_buckets: [2, 4]\nmax_position_embeddings: 96\n"
                              "axial_pos_shape: [8, 12]\naxial_pos_embds_dim: [7, 13]\n"
                              "attn_layers: [local, lsh, lsh]\n",
                              .batch = 2,
                              .length = lengths[i],
                              .labels = 19,
                              .first_row = i == 1 ? UINT32_C(2825636378) : 0,
                              .drops = true},
                   long_form ? BOTH : ANY_LENGTH);
}

/* Rows of crops: each begins at a position of its own, the last one where its padding lies beyond all positions. */
static void rows_that_begin_anywhere(void **state) {
    (void)state;
    static const int32_t begins[] = {3, 0, 42};
    static const char *const of[] = {
        TABLE, "axial_pos_shape: [8, 8]\naxial_pos_embds_dim: [7, 17]\n",
        "axial_pos_shape: [4, 8, 2]\naxial_pos_embds_dim: [7, 9, 8]\n"};
    for (int i = 0; i < 3; i++) {
        char text[1000];
        snprintf(text, sizeof text,
                 LM SIZES DROPS "hidden_dropout_prob: 0.3\nattn_layers: [lsh, local]\n"
                                "num_buckets: 4\n%s",
                 of[i]);
        model_t m = {.text = text,
                     .batch = 3,
                     .length = 18,
                     .labels = 19,
                     .begins = begins,
                     .drops = true,
                     .brief = i != 1,
                     .compiled = i == 2};
        check(&m);
        if (long_form || i == 1) check_long(&m, long_form ? BOTH : ANY_LENGTH);
    }
}

/* ---- what is kept for the backward pass --------------------------------------------------------- */

static bool keeps_streams(const gnode_t *n) {
    return n->op == G_EMBED || ends_with(n->name, ".y1") || ends_with(n->name, ".y2");
}

/* What an activation is of, dropped or not yet. */
static bool keeps_hidden(const gnode_t *n) {
    return ends_with(n->name, ".feed_forward_in_dropout");
}

static bool keeps_products(const gnode_t *n) {
    return ends_with(n->name, ".feed_forward_in");
}

static bool keeps_norms(const gnode_t *n) {
    return n->op == G_LAYER_NORM && n->layer >= 0;
}

static bool keeps_max(const gnode_t *n) {
    return keeps_streams(n) || keeps_products(n) || keeps_norms(n);
}

typedef bool keeps_fn(const gnode_t *n);
static keeps_fn *const kinds[] = {keeps_streams, keeps_products, keeps_norms, keeps_max,
                                  keeps_hidden};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Bytes of workspace and kernels of so many pairs of layers. */
static int64_t size_of(int pairs, keeps_fn *keeps, size_t *kernels) {
    char text[2000] = LM SIZES TABLE "num_hashes: 1\nnum_buckets: 4\nattn_layers: [local, lsh";
    for (int i = 1; i < pairs; i++) strcat(text, ", local, lsh");
    strcat(text, "]\n");
    model_t m = {.text = text, .batch = 1, .length = 64, .labels = 19, .keeps = keeps};
    sample_t t = {.model = &m, .a = arena_new(), .d = diag_new()};
    plan_t *p = plan(&t, &targets[0], NULL, false);
    must(&t, plan_lower(p, &(pass_options_t){.verify_each = false}, t.d));
    int64_t bytes = p->modules[0]->workspace_bytes.c;
    *kernels = p->modules[0]->n_funcs;
    diag_free(t.d);
    arena_free(t.a);
    return bytes;
}

/* But for buckets, which are kept: a byte for each token and head of a layer that hashes. */
static void depth_adds_no_memory(void **state) {
    (void)state;
    size_t few, many;
    int64_t min = size_of(2, NULL, &few), max = size_of(12, NULL, &many);
    assert_int_equal(many, few);
    assert_in_range(max, min, min + 10 * (2 * 64 + 64));
}

/* ---- what is kept of attention -------------------------------------------------------------------- */

static const char *operand_of(const gnode_t *n) {
    static const char *const known[] = {"query_key", "query", "key", "value"};
    const char *at = strrchr(n->name, '.');
    for (int i = 0; at && i < 4; i++)
        if (strcmp(at + 1, known[i]) == 0) return known[i];
    return NULL;
}

static bool keeps_operands(const gnode_t *n) {
    return operand_of(n) != NULL;
}

static bool keeps_queries(const gnode_t *n) {
    return operand_of(n) && operand_of(n)[0] == 'q';
}

static bool keeps_keys(const gnode_t *n) {
    return operand_of(n) && operand_of(n)[0] == 'k';
}

static bool keeps_values(const gnode_t *n) {
    return operand_of(n) && operand_of(n)[0] == 'v';
}

static bool keeps_results(const gnode_t *n) {
    return is_attention(n);
}

static bool keeps_results_and_values(const gnode_t *n) {
    return keeps_results(n) || keeps_values(n);
}

static bool keeps_all_of_attention(const gnode_t *n) {
    return keeps_results(n) || keeps_operands(n);
}

static bool (*const of_attention[])(const gnode_t *) = {
    keeps_queries,          keeps_keys,     keeps_values,
    keeps_results,          keeps_operands, keeps_results_and_values,
    keeps_all_of_attention,
};

/* Each kind of value alone, and with others, or every other of these; all of them with other tiles and in compiled code, too. */
static void check_kept(const model_t *m, size_t step) {
    size_t n = sizeof of_attention / sizeof *of_attention;
    for (size_t i = 0; i < n; i += step) {
        model_t own = *m;
        own.keeps = of_attention[i];
        own.brief = !long_form;
        own.untiled = !long_form && i + 1 < n;
        own.compiled = m->compiled && i + 1 == n;
        check(&own);
    }
}

/* Several layers of a class, batch elements and groups of heads; rounds, and keys of the one before. */
static void kept_attentions(void **state) {
    (void)state;
    check_kept(&(model_t){.text = LM SIZES GRID
                          "attn_layers: [local, lsh, local, lsh, local]\nnum_hashes: 2\n"
                          "num_buckets: 4\n",
                          .batch = 2,
                          .length = 32,
                          .labels = 19,
                          .compiled = true},
               1);
}

/* A kernel for any length, of one that is filled up. */
static void kept_attentions_of_any_length(void **state) {
    (void)state;
    check_long(&(model_t){.text = LM HEADS TABLE
                          "local_attn_chunk_length: 12\nlsh_attn_chunk_length: 6\nnum_hashes: 2\n"
                          "num_buckets: 4\nmax_position_embeddings: 60\n"
                          "attn_layers: [local, lsh, lsh]\n",
                          .batch = 2,
                          .length = 41,
                          .labels = 19,
                          .keeps = keeps_all_of_attention},
               ANY_LENGTH);
}

/* With dropout of probabilities: of one round and of two, where a row may see only itself; one chunk that is all; blocks that
 * are filled up. */
static void kept_attentions_that_drop(void **state) {
    (void)state;
    static const struct {
        const char *rest;
        int64_t length;
    } of[] = {
        {"attn_layers: [lsh, local, lsh]\nnum_hashes: 2\nnum_buckets: [2, 4]\n"
         "lsh_num_chunks_before: 0\nlsh_attn_chunk_length: 4\nlocal_attn_chunk_length: 8\n"
         "local_num_chunks_before: 0\nmax_position_embeddings: 64\n" TABLE,
         24},
        {"attn_layers: [lsh, lsh]\nnum_hashes: 1\nnum_buckets: 4\nlsh_attn_chunk_length: 8\n"
         "max_position_embeddings: 64\n" TABLE,
         40},
        {"attn_layers: [lsh, local]\nnum_buckets: 2\nlsh_attn_chunk_length: 8\n"
         "local_attn_chunk_length: 8\nmax_position_embeddings: 64\n" TABLE,
         7},
        {"attn_layers: [lsh, local, local]\nnum_buckets: 2\nlsh_attn_chunk_length: 128\n"
         "local_attn_chunk_length: 128\nmax_position_embeddings: 128\n" TABLE,
         101},
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char text[1000];
        snprintf(text, sizeof text, LM HEADS DROPS "%s", of[i].rest);
        check_kept(&(model_t){.text = text,
                              .batch = 2,
                              .length = of[i].length,
                              .labels = 19,
                              .drops = true,
                              .compiled = i == 0},
                   i == 0 ? 1 : 2);
    }
}

/* Whole layers: nothing but norms and activation functions is computed again. */
static bool keeps_all(const gnode_t *n) {
    return keeps_max(n) || keeps_all_of_attention(n);
}

static void kept_values(void **state) {
    (void)state;
    for (int i = 0; i <= KINDS; i++)
        check(&(model_t){.text = LM SIZES GRID "attn_layers: [local, lsh, local]\nnum_buckets: 4\n"
                                               "hidden_dropout_prob: 0.3\n",
                         .batch = 2,
                         .length = 32,
                         .labels = 19,
                         .drops = true,
                         .keeps = i < KINDS ? kinds[i] : keeps_all,
                         .brief = true,
                         .compiled = i == KINDS});
}

/* Chunks of parts of batch elements, blocks that are filled up, lengths that are known when it runs; gates. */
static void kept_chunks(void **state) {
    (void)state;
    check_long(&(model_t){.text =
                              LM "hidden_size: 20\nnum_attention_heads: 2\nattention_head_size: 9\n"
                                 "feed_forward_size: 33\nlocal_attn_chunk_length: 12\n"
                                 "lsh_attn_chunk_length: 6\nnum_hashes: 2\nnum_buckets: [2, 6]\n"
                                 "max_position_embeddings: 2400\nattn_layers: [local, lsh]\n"
                                 "extensions: {feed_forward_gate: true}\n" TABLE,
                          .batch = 1,
                          .length = 2101,
                          .labels = 19,
                          .keeps = keeps_all},
               long_form ? BOTH : ANY_LENGTH);
}

/* Heads of whole tiles; what the gradient makes probabilities of. */
static void depth_adds_what_is_kept_of_attention(void **state) {
    (void)state;
    static const int64_t floats = 2 * (4 * 16 + 2) + 2 * (3 * 16 + 3); /* of two layers */
    size_t few, many;
    int64_t min = size_of(2, keeps_all_of_attention, &few);
    int64_t max = size_of(12, keeps_all_of_attention, &many);
    int64_t kept = 10 * 64 * floats * (int64_t)sizeof(float);
    assert_int_equal(many, few);
    assert_in_range(max - min, kept, kept + 10 * (2 * 64 + 64));
}

/* One place for each value of each layer, and no more kernels. */
static void depth_adds_what_is_kept(void **state) {
    (void)state;
    static const int64_t floats[] = {2 * 24, 48, 2 * 24, 4 * 24 + 48, 0}; /* of a token and layer */
    for (int i = 0; i < KINDS; i++) {
        size_t few, many;
        int64_t min = size_of(2, kinds[i], &few), max = size_of(12, kinds[i], &many);
        int64_t kept = 20 * 64 * floats[i] * (int64_t)sizeof(float);
        assert_int_equal(many, few);
        assert_in_range(max - min, kept, kept + 10 * (2 * 64 + 64));
    }
}

int main(int argc, char **argv) {
    bool kept = argc > 1 && strcmp(argv[1], "kept") == 0;
    long_form = argc > 1 && strcmp(argv[1], "long") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_adds_no_memory),
        cmocka_unit_test(depth_adds_what_is_kept),
        cmocka_unit_test(depth_adds_what_is_kept_of_attention),
        cmocka_unit_test(dense_layers),
        cmocka_unit_test(deep_layers),
        cmocka_unit_test(a_stream_that_stays),
        cmocka_unit_test(tied_layers),
        cmocka_unit_test(attentions_that_share),
        cmocka_unit_test(attention_layers),
        cmocka_unit_test(attentions),
        cmocka_unit_test(attentions_of_any_length),
        cmocka_unit_test(dropout_of_any_length),
        cmocka_unit_test(rows_that_begin_anywhere),
        cmocka_unit_test(heads),
        cmocka_unit_test(dropout),
        cmocka_unit_test(chunks),
        cmocka_unit_test(kept_attentions),
        cmocka_unit_test(kept_attentions_that_drop),
        cmocka_unit_test(kept_attentions_of_any_length),
        cmocka_unit_test(kept_values),
        cmocka_unit_test(kept_chunks),
    };
    if (kept) cmocka_set_test_filter("kept_*");
    else if (!long_form) cmocka_set_skip_filter("kept_*");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
