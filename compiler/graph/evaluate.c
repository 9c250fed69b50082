/* The reference evaluator: walks the nodes in order, one function per op (evaluate_*.c).
 *
 * In: a literal graph, its params, an io. Out: the outputs io asks for. Only nodes that a wanted
 * output or a trace needs are run; a value is freed after its last use. Everything is double,
 * converted to float at the very end. */
#include "graph/evaluate.h"

#include <string.h>

#include "graph/evaluate_ops.h"
#include "support/bf16.h"
#include "support/heap.h"

/* INPUT has no value of its own: the ops that read one read io. PARAM: the caller's array. */
int eval_input(eval_t *e, const gnode_t *n, eval_value_t *out) {
    (void)e, (void)n, (void)out;
    return REFORMER_OK;
}

/* What a cache holds is read and written where it stands, by those who have the
 * state as an input. */
int eval_state(eval_t *e, const gnode_t *n, eval_value_t *out) {
    (void)e, (void)n, (void)out;
    return REFORMER_OK;
}

/* As the caller has it, or rounded. */
int eval_param(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const float *w = e->param(e->param_ctx, n->name);
    if (!w) bug("param %s has no value", n->name);
    if (n->type == G_I8) {
        out->f = eval_alloc(out->elements, sizeof *out->f);
        eval_quantize_rows(w, out->elements, out->shape[1], out->f);
        return REFORMER_OK;
    }
    out->w = w;
    if (n->type != G_BF16) return REFORMER_OK;
    out->rounded = eval_alloc(out->elements, sizeof *out->rounded);
    for (int64_t k = 0; k < out->elements; k++) out->rounded[k] = bf16_round(w[k]);
    out->w = out->rounded;
    return REFORMER_OK;
}

static eval_fn *const functions[G_COUNT] = {
#define X(op, name, kind, inputs, attributes, doc, shape, evaluate, grad)                          \
    [G_##op] = eval_##evaluate,
#include "graph/ops.def"
#undef X
};

/* ---- values -------------------------------------------------------------------------------- */

static void make_value(const eval_t *e, const gnode_t *n, eval_value_t *v) {
    v->rank = n->rank;
    v->elements = 1;
    bool sum = graph_kind(n) == K_REDUCE || graph_kind(n) == K_SUM;
    bool per_row = n->op != G_PARAM && !sum && n->rank > 0;
    for (int i = 0; i < n->rank; i++) {
        v->shape[i] = i == 0 && per_row ? e->rows : n->shape[i].c;
        v->elements *= v->shape[i];
    }
    if (n->op == G_PARAM || n->op == G_INPUT) return;
    if (eval_has_floats(n)) v->f = eval_alloc(v->elements, sizeof *v->f);
    else v->i = eval_alloc(v->elements, sizeof *v->i);
}

static void drop_value(eval_value_t *v) {
    heap_free(v->f);
    heap_free(v->i);
    heap_free(v->rounded);
    v->f = NULL;
    v->i = NULL;
    v->rounded = NULL;
}

static float *as_floats(const eval_value_t *v) {
    float *f = eval_alloc(v->elements, sizeof *f);
    for (int64_t k = 0; k < v->elements; k++) f[k] = (float)v->f[k];
    return f;
}

static void trace(const eval_t *e, const gnode_t *n, const eval_value_t *v) {
    if (!eval_has_floats(n)) {
        e->io->trace(e->io->trace_ctx, n->trace, v->i, REFORMER_I32, v->shape, v->rank);
        return;
    }
    float *f = as_floats(v);
    e->io->trace(e->io->trace_ctx, n->trace, f, REFORMER_F32, v->shape, v->rank);
    heap_free(f);
}

/* ---- outputs ------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    const gnode_t *node;
    float *to;      /* NULL: it is run for what it tells besides (token losses) */
    bool per_token; /* [rows][length]…: only the tokens given */
} wanted_t;
enum { MAX_WANTED = 5, LOSS = MAX_WANTED - 1 };

/* Which loss the labels ask for, where both kinds could be. */
static const gnode_t *loss_node(const graph_t *g, const reformer_io_t *io) {
    const gnode_t *numbers = graph_output(g, "loss_f32");
    return numbers && !io->labels ? numbers : graph_output(g, "loss");
}

static int list_wanted(const graph_t *g, const reformer_io_t *io, wanted_t *list, int *n) {
    const gnode_t *logits = graph_output(g, "logits");
    const wanted_t all[MAX_WANTED] = {
        {"last_hidden_state", graph_output(g, "last_hidden_state"), io->last_hidden_state, true},
        {"logits", logits, io->logits, logits && logits->rank == 3},
        {"start_logits", graph_output(g, "start_logits"), io->start_logits, true},
        {"end_logits", graph_output(g, "end_logits"), io->end_logits, true},
        {"loss", loss_node(g, io), io->loss, false},
    };
    *n = 0;
    if (io->token_losses && (!logits || logits->rank != 3)) return REFORMER_E_OUTPUT;
    if (io->loss && io->labels && io->labels_f32) return REFORMER_E_ARGUMENT;
    for (int i = 0; i < MAX_WANTED; i++) {
        bool makes_losses = i == LOSS && io->token_losses;
        if (!all[i].to && !makes_losses) continue;
        if (!all[i].node) return REFORMER_E_OUTPUT;
        list[(*n)++] = all[i];
    }
    return REFORMER_OK;
}

static void deliver(const eval_t *e, const wanted_t *w) {
    if (!w->to) return;
    const eval_value_t *v = &e->values[w->node->id];
    int64_t rows = w->per_token ? v->shape[0] : 1;
    int64_t row = v->elements / rows;
    int64_t kept = w->per_token ? row / v->shape[1] * e->length : row;
    for (int64_t b = 0; b < rows; b++)
        for (int64_t k = 0; k < kept; k++) w->to[b * kept + k] = (float)v->f[b * row + k];
}

/* ---- the walk ------------------------------------------------------------------------------ */

/* last_use[n]: the last node that reads n, -1: n is not needed, n_nodes: keep to the end. */
static void mark(const graph_t *g, int *last_use, int id) {
    for (int i = id; i >= 0; i--) {
        const gnode_t *n = g->nodes[i];
        for (int k = 0; last_use[i] >= 0 && k < n->n_in; k++)
            if (n->in[k] && last_use[n->in[k]->id] < i) last_use[n->in[k]->id] = i;
    }
}

/* The loss, and what the caller gets of it. */
static bool is_watched(const eval_t *e, const gnode_t *n) {
    return n->op == G_GRADIENT || n == e->loss;
}

/* The name that the caller knows it by, NULL: it is no output that is wanted. */
static const char *output_name(const eval_t *e, const gnode_t *n) {
    wanted_t wanted[MAX_WANTED];
    int n_wanted = 0;
    if (list_wanted(e->g, e->led_io, wanted, &n_wanted) != REFORMER_OK) return NULL;
    for (int k = 0; k < n_wanted; k++)
        if (wanted[k].node == n && wanted[k].to) return wanted[k].name;
    return NULL;
}

static bool is_led(const eval_t *e, const gnode_t *n) {
    return e->lead && (n->trace || output_name(e, n));
}

static void lead(const eval_t *e, const gnode_t *n, const eval_value_t *v) {
    graph_shown_t x = {.node = n,
                       .trace = n->trace,
                       .output = output_name(e, n),
                       .rank = v->rank,
                       .f = v->f,
                       .i = v->i};
    memcpy(x.shape, v->shape, sizeof x.shape);
    e->lead(e->margin_ctx, &x);
}

static int *plan_uses(const eval_t *e, const wanted_t *wanted, int n_wanted) {
    const graph_t *g = e->g;
    int n = (int)g->n_nodes;
    int *last_use = eval_alloc(n, sizeof *last_use);
    for (int i = 0; i < n; i++) {
        const gnode_t *node = g->nodes[i];
        bool root = (node->trace && e->io->trace) || (e->watch && is_watched(e, node)) ||
                    (e->margin && node->op == G_LSH_HASH) || (e->cached && graph_is_keep(node)) ||
                    is_led(e, node);
        last_use[i] = root ? i : -1;
    }
    for (int i = 0; i < n_wanted; i++) last_use[wanted[i].node->id] = n;
    mark(g, last_use, n - 1);
    return last_use;
}

static void drop_inputs(eval_t *e, const gnode_t *n, const int *last_use) {
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] && last_use[n->in[k]->id] == n->id) drop_value(&e->values[n->in[k]->id]);
}

static int run(eval_t *e, const int *last_use) {
    int error = REFORMER_OK;
    for (size_t i = 0; i < e->g->n_nodes && error == REFORMER_OK; i++) {
        const gnode_t *n = e->g->nodes[i];
        eval_value_t *v = &e->values[i];
        if (last_use[i] >= 0) {
            make_value(e, n, v);
            error = functions[n->op](e, n, v);
        }
        if (n->op == G_LSH_HASH) graph_pass_imposed(e->g, n, &e->imposed);
        if (last_use[i] < 0) continue;
        if (error == REFORMER_OK && n->trace && e->io->trace) trace(e, n, v);
        if (error == REFORMER_OK && e->watch && is_watched(e, n))
            e->watch(e->watch_ctx, n, v->f, v->elements);
        if (error == REFORMER_OK && is_led(e, n)) lead(e, n, v);
        drop_inputs(e, n, last_use);
        if (last_use[i] == (int)i) drop_value(v);
    }
    return error;
}

static int evaluate(eval_t *e, const wanted_t *wanted, int n_wanted) {
    e->values = eval_alloc((int64_t)e->g->n_nodes, sizeof *e->values);
    int *last_use = plan_uses(e, wanted, n_wanted);
    int error = run(e, last_use);
    for (int i = 0; i < n_wanted && error == REFORMER_OK; i++) deliver(e, &wanted[i]);
    for (size_t i = 0; i < e->g->n_nodes; i++) drop_value(&e->values[i]);
    heap_free(e->values);
    heap_free(last_use);
    return error;
}

/* Rows that begin elsewhere end within the positions. */
static int check_positions(const graph_t *g, const reformer_io_t *io) {
    const gnode_t *embed = graph_next(g, G_EMBED_FROM, NULL);
    int64_t rows = io->batch ? (int64_t)io->batch : g->batch, positions = 1;
    if (!io->positions) return REFORMER_OK;
    if (!embed) return REFORMER_E_ARGUMENT;
    for (int k = graph_word_input(embed) + 1; k < embed->n_in; k++)
        positions *= embed->in[k]->shape[0].c;
    for (int64_t b = 0; b < rows; b++)
        if (io->positions[b] < 0 || io->positions[b] + (int64_t)io->length > positions)
            return REFORMER_E_POSITION;
    return REFORMER_OK;
}

/* Ids are checked by the embedding. */
static int check_io(const graph_t *g, const reformer_io_t *io) {
    if (g->units.max > 0) bug("graph_evaluate: the graph is not literal");
    if (!io->input_ids) return REFORMER_E_ARGUMENT;
    if (io->length < 1 || io->length > (size_t)g->length.c) return REFORMER_E_LENGTH;
    if (io->batch > (size_t)g->batch) return REFORMER_E_BATCH;
    return check_positions(g, io);
}

eval_t eval_begin(const graph_t *g, graph_param_fn *param, void *ctx, const reformer_io_t *io) {
    return (eval_t){.g = g,
                    .io = io,
                    .param = param,
                    .param_ctx = ctx,
                    .rows = io->batch ? (int64_t)io->batch : g->batch,
                    .length = (int64_t)io->length,
                    .padded = g->padded.c,
                    .loss_length = g->length.c};
}

int eval_outputs(eval_t *e) {
    wanted_t wanted[MAX_WANTED];
    int n_wanted, error = check_io(e->g, e->io);
    if (error == REFORMER_OK) error = list_wanted(e->g, e->io, wanted, &n_wanted);
    if (error != REFORMER_OK) return error;
    const char *doing = guard_doing("evaluating the reference, which keeps every value in double");
    error = evaluate(e, wanted, n_wanted);
    (void)guard_doing(doing);
    return error;
}

static double value_bytes(const gnode_t *n) {
    double bytes = n->op == G_PARAM || n->op == G_INPUT ? 0 : sizeof(double);
    for (int i = 0; i < n->rank; i++) bytes *= (double)n->shape[i].c;
    return bytes;
}

double graph_evaluate_bytes(const graph_t *g) {
    double max = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        double sum = value_bytes(g->nodes[i]);
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k]) sum += value_bytes(g->nodes[i]->in[k]);
        if (sum > max) max = sum;
    }
    return max;
}

int graph_evaluate(const graph_t *g, graph_param_fn *param, void *ctx, const reformer_io_t *io,
                   bool unpadded_loss) {
    eval_t e = eval_begin(g, param, ctx, io);
    if (unpadded_loss) e.loss_length = e.length;
    return eval_outputs(&e);
}

int graph_evaluate_led(const graph_t *g, graph_param_fn *param, void *ctx, const reformer_io_t *io,
                       bool unpadded_loss, graph_lead_fn *lead_fn, graph_margin_fn *margin,
                       void *lead_ctx) {
    reformer_io_t losses = *io;
    losses.last_hidden_state = losses.logits = losses.start_logits = losses.end_logits = NULL;
    losses.loss = NULL;
    losses.trace = NULL;
    eval_t e = eval_begin(g, param, ctx, &losses);
    if (unpadded_loss) e.loss_length = e.length;
    e.lead = lead_fn;
    e.led_io = io;
    e.margin = margin;
    e.margin_ctx = lead_ctx;
    return eval_outputs(&e);
}

int graph_evaluate_gradients(const graph_t *g, graph_param_fn *param, void *ctx,
                             const reformer_io_t *io, const graph_dropout_t *dropout,
                             bool unpadded_loss, graph_watch_fn *watch, void *watch_ctx) {
    eval_t e = eval_begin(g, param, ctx, io);
    const gnode_t *seed = graph_next(g, G_SEED, NULL);
    if (unpadded_loss) e.loss_length = e.length;
    e.loss = seed ? seed->in[0] : loss_node(g, io);
    e.dropout = dropout;
    e.watch = watch;
    e.watch_ctx = watch_ctx;
    return eval_outputs(&e);
}

int graph_hash_margins(const graph_t *g, graph_param_fn *param, void *ctx, const reformer_io_t *io,
                       const graph_dropout_t *dropout, graph_margin_fn *margin, void *margin_ctx) {
    int error = check_io(g, io);
    if (error != REFORMER_OK) return error;
    reformer_io_t silent = *io;
    silent.trace = NULL;
    eval_t e = eval_begin(g, param, ctx, &silent);
    e.dropout = dropout;
    e.margin = margin;
    e.margin_ctx = margin_ctx;
    return evaluate(&e, NULL, 0);
}
