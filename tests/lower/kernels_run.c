/* Runs a graph of kernels.h and compares what was observed, node by node, in the graph's order: each with what follows
 * from the values that were observed before it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "right.h"

typedef struct {
    kernels_t *k;
    const char *target, *executor;
    double *seen[MAX_NODES]; /* by node id: NULL, or what was observed */
} run_t;

static int64_t elements_of(const gnode_t *n) {
    int64_t elements = 1;
    for (int i = 0; i < n->rank; i++) elements *= n->shape[i].c;
    return elements;
}

static void must(const kernels_t *k, bool ok) {
    if (ok) return;
    diag_print(k->diag, stderr);
    fail_msg("%s: see the messages above", k->what);
}

/* ---- comparing --------------------------------------------------------------------------------------- */

static const char *index_text(const kernels_t *k, const gnode_t *n, int64_t i) {
    const char *text = "";
    for (int d = n->rank - 1; d >= 0; d--) {
        text = arena_printf(k->arena, "%lld%s%s", (long long)(i % n->shape[d].c), *text ? "," : "",
                            text);
        i /= n->shape[d].c;
    }
    return text;
}

/* Products of i8 are no selection of what was seen, as others are where attention begins: its operands may be rounded to
 * either side. Then its result is near all the same. */
static double max_off(const run_t *r, const gnode_t *n, const right_t *want) {
    if (right_is_sharp(want, n->op == G_QUANTIZE)) return INFINITY;
    if (!kernels_i8 || graph_kind(n) != K_MIX)
        fail_msg("%s, %s: the bound says nothing", r->k->what, n->name);
    return 0.02 * right_magnitude(want);
}

static bool is_near(double got, double want, double max) {
    return fabs(got - want) <= max || got == want || (isnan(got) && isnan(want));
}

static void compare(const run_t *r, const gnode_t *n, const right_t *want) {
    const double *got = r->seen[n->id];
    int64_t wrong = 0, first = 0;
    if (n->rank == 0 && isnan(*got) && isnan(*want->v)) return; /* a mean of nothing */
    double max = max_off(r, n, want);
    for (int64_t i = want->elements - 1; i >= 0; i--)
        if (!is_near(got[i], want->v[i], fmin(max, want->e[i]))) wrong++, first = i;
    if (wrong)
        fail_msg("%s, %s (%s), %s, %s: %lld of %lld differ, first [%s], which is %.9g, and should "
                 "be %.9g within %.2g",
                 r->k->what, n->name, graph_op_name(n->op), r->target, r->executor,
                 (long long)wrong, (long long)want->elements, index_text(r->k, n, first),
                 got[first], want->v[first], want->e[first]);
}

static bool has_bits_of_first(const run_t *r, const gnode_t *n) {
    size_t bytes = (size_t)elements_of(n) * sizeof(double);
    return memcmp(r->seen[n->id], r->k->first[n->id], bytes) == 0;
}

/* Of the same integers every target and executor makes the same sums, to the bit. */
static void compare_integers(const run_t *r, const gnode_t *n) {
    if (n->op != G_DENSE || n->in[1]->type != G_I8 || !r->seen[n->in[0]->id]) return;
    if (has_bits_of_first(r, n->in[0]) && !has_bits_of_first(r, n))
        fail_msg("%s, %s, %s, %s: other bits than those seen first", r->k->what, n->name, r->target,
                 r->executor);
}

/* What was observed is what the next ones read. */
static void compare_all(const run_t *r) {
    const graph_t *g = r->k->g;
    right_t *all = ARENA_ARRAY(r->k->arena, right_t, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        right_t *y = &all[i];
        y->elements = elements_of(n);
        y->v = ARENA_ARRAY(r->k->arena, double, y->elements);
        y->e = ARENA_ARRAY(r->k->arena, double, y->elements);
        right_value(r->k, all, n, r->seen[i], y);
        if (n->trace && !r->seen[i])
            fail_msg("%s, %s, %s, %s: not shown", r->k->what, n->name, r->target, r->executor);
        if (!r->seen[i]) continue;
        compare(r, n, y);
        compare_integers(r, n);
        memcpy(y->v, r->seen[i], (size_t)y->elements * sizeof *y->v);
        memset(y->e, 0, (size_t)y->elements * sizeof *y->e);
    }
}

/* ---- running ------------------------------------------------------------------------------------------- */

static double *room_for(run_t *r, const gnode_t *n) {
    return r->seen[n->id] = ARENA_ARRAY(r->k->arena, double, elements_of(n));
}

static void look(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                 int rank) {
    run_t *r = ctx;
    const gnode_t *n = graph_find(r->k->g, name);
    if (!n || !n->trace) return;
    assert_int_equal(rank, n->rank);
    for (int i = 0; i < rank; i++) assert_int_equal(shape[i], n->shape[i].c);
    double *x = room_for(r, n);
    for (int64_t i = 0; i < elements_of(n); i++)
        x[i] =
            dtype == REFORMER_I32 ? ((const int32_t *)data)[i] : (double)((const float *)data)[i];
}

/* Outputs by name: where the caller's array is given, and when. */
static const struct {
    const char *name;
    size_t field;
} outputs[] = {
    {"last_hidden_state", offsetof(reformer_io_t, last_hidden_state)},
    {"logits", offsetof(reformer_io_t, logits)},
    {"start_logits", offsetof(reformer_io_t, start_logits)},
    {"end_logits", offsetof(reformer_io_t, end_logits)},
    {"loss", offsetof(reformer_io_t, loss)},
};
enum { N_OUTPUTS = sizeof outputs / sizeof *outputs };

static void forward(run_t *r, exec_t *e) {
    kernels_t *k = r->k;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = k->ids,
                        .attention_mask = k->mask,
                        .batch = (size_t)k->g->batch,
                        .length = (size_t)k->g->length.c,
                        .labels = k->labels,
                        .labels_f32 = k->floats,
                        .start_positions = k->start,
                        .end_positions = k->end,
                        .dropout_seed = k->dropout_seed,
                        .dropout_step = k->dropout_step,
                        .dropout_row = k->dropout_row,
                        .trace = look,
                        .trace_ctx = r};
    float *out[N_OUTPUTS] = {NULL};
    for (int i = 0; i < N_OUTPUTS; i++) {
        const gnode_t *n = graph_find(k->g, outputs[i].name);
        if (!n) continue;
        out[i] = ARENA_ARRAY(k->arena, float, elements_of(n));
        memcpy((char *)&io + outputs[i].field, &out[i], sizeof out[i]);
    }
    must(k, exec_forward(e, &io, k->diag));
    for (int i = 0; i < N_OUTPUTS; i++) {
        const gnode_t *n = graph_find(k->g, outputs[i].name);
        double *x = out[i] ? room_for(r, n) : NULL;
        for (int64_t j = 0; x && j < elements_of(n); j++) x[j] = (double)out[i][j];
    }
}

/* A plan of any model with these lengths, whose graph is then this one. */
static plan_t *plan_of(kernels_t *k, const target_t *t) {
    long long length = k->g->length.c, padded = k->g->padded.c, labels = 2;
    const gnode_t *logits = graph_find(k->g, "logits");
    if (logits) labels = logits->shape[logits->rank - 1].c;
    const char *text =
        arena_printf(k->arena,
                     "architectures: [%s]\nis_decoder: %s\nnum_labels: %lld\nvocab_size: %lld\n"
                     "attn_layers: [local]\nlocal_attn_chunk_length: 1\nhidden_size: 8\n"
                     "axial_pos_embds: false\nmax_position_embeddings: %lld\npad_token_id: %lld\n",
                     k->architecture, strstr(k->architecture, "WithLMHead") ? "true" : "false",
                     labels, (long long)k->vocab, padded, (long long)k->given_ids->pad_token);
    spec_t *s = spec_parse(k->arena, "kernel.yaml", text, strlen(text), NULL, 0, k->diag);
    must(k, s && spec_resolve_architecture(s, true, false, false, k->diag));
    plan_options_t o = {.name = "kernel",
                        .exact_length = length,
                        .exact_batch = k->g->batch,
                        .trace = true,
                        .n_targets = 1,
                        .targets = {t}};
    plan_t *p = plan_make(k->arena, s, &o, k->diag);
    must(k, p && p->n_variants == 1);
    k->g->spec = s;
    p->variants[0].graph = k->g;
    p->variants[0].padded = padded;
    p->layout = layout_make(k->arena, k->g);
    return p;
}

static store_t *store_of(kernels_t *k) {
    store_options_t o = {.path = "random"};
    store_t *s = store_load(k->g, &o, k->diag);
    must(k, s != NULL);
    for (size_t i = 0; i < k->g->n_nodes; i++) {
        const gnode_t *n = k->g->nodes[i];
        if (n->op != G_PARAM) continue; /* values that were drawn lie in memory of its own */
        float *to = (float *)(uintptr_t)store_find(s, n->name)->data;
        memcpy(to, k->values[i], (size_t)elements_of(n) * sizeof *to);
    }
    return s;
}

static void run(kernels_t *k, const target_t *t, backend_t b) {
    run_t *r = ARENA_NEW(k->arena, run_t);
    *r = (run_t){.k = k, .target = t->name, .executor = backend_names[b]};
    plan_t *p = plan_of(k, t);
    store_t *s = store_of(k);
    exec_options_t o = {.backend = b};
    exec_t *e = exec_open(p, s, &o, k->diag);
    must(k, e != NULL);
    forward(r, e);
    if (!k->first) k->first = r->seen;
    exec_close(e);
    store_free(s);
    compare_all(r);
}

bool kernels_all, kernels_bf16, kernels_i8;

void kernels_options(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        kernels_all |= strcmp(argv[i], "all") == 0;
        kernels_i8 |= strcmp(argv[i], "i8") == 0;
        kernels_bf16 |= kernels_i8 || strcmp(argv[i], "bf16") == 0;
    }
}

/* Levels, and what a model of bf16 or i8 has a use for beyond them. */
bool kernels_target(int t) {
    return t < T_LEVELS || (kernels_bf16 && targets[t].dot2) || (kernels_i8 && targets[t].dot4);
}

static bool runs_here(int t) {
    return kernels_target(t) && reformer_cpu_supports(t);
}

/* Of those of this CPU, in turns. */
static const target_t *target_in_turn(int turn) {
    int n = 0, at = 0;
    for (int t = 0; t < T_COUNT; t++) n += runs_here(t);
    for (int left = turn % n; left > 0 || !runs_here(at); at++) left -= runs_here(at);
    return &targets[at];
}

static void run_compiled(kernels_t *k, backend_t b, int turn) {
    if (!backend_is_built_in(b)) return;
    if (!kernels_all) run(k, target_in_turn(turn), b);
    for (int t = 0; t < T_COUNT && kernels_all; t++)
        if (runs_here(t)) run(k, &targets[t], b);
}

void kernels_check(kernels_t *k, bool compiled) {
    must(k, graph_check(k->g, k->diag));
    for (int t = 0; t < T_COUNT; t++)
        if (kernels_target(t)) run(k, &targets[t], BACKEND_INTERPRETER);
    static int turn;
    if (compiled || kernels_all) {
        run_compiled(k, BACKEND_JIT, turn);
        run_compiled(k, BACKEND_C, ++turn);
    }
    diag_free(k->diag);
    arena_free(k->arena);
}
