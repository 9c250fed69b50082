#include "stir.h"

#include <string.h>

#include "graph/evaluate_ops.h"
#include "support/heap.h"

static const double UNIT = 0x1p-24;

static eval_fn *const ops[G_COUNT] = {
#define X(op, name, kind, inputs, attributes, doc, shape, evaluate, ...) [G_##op] = eval_##evaluate,
#include "graph/ops.def"
#undef X
};

static void make_value(const eval_t *e, const gnode_t *n, eval_value_t *v) {
    v->rank = n->rank;
    v->elements = 1;
    bool sum = graph_kind(n) == K_REDUCE || graph_kind(n) == K_SUM;
    for (int i = 0; i < n->rank; i++) {
        v->shape[i] = i == 0 && n->op != G_PARAM && !sum ? e->rows : n->shape[i].c;
        v->elements *= v->shape[i];
    }
    if (n->op == G_PARAM || n->op == G_INPUT) return;
    if (eval_has_floats(n)) v->f = eval_alloc(v->elements, sizeof *v->f);
    else v->i = eval_alloc(v->elements, sizeof *v->i);
}

/* A log-sum-exp of scores that were set, which are constants: nobody's roundings are in them, and exp(score - lse), of a float
 * as far from 0 as they are, would be moved beyond all bounds. */
static bool is_constant(const gnode_t *n, double x) {
    bool lse = n->op == G_LSH_LSE || n->op == G_LOCAL_LSE || n->op == G_EXACT_LSE;
    return lse && x <= EVAL_SELF / 2;
}

static void move(const gnode_t *n, eval_value_t *v, double roundings, uint64_t *chance) {
    for (int64_t k = 0; v->f && k < v->elements; k++) {
        *chance = *chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        if (is_constant(n, v->f[k])) continue;
        v->f[k] *= 1 + (*chance >> 63 ? roundings : -roundings) * UNIT;
    }
}

/* ---- what is shown ------------------------------------------------------------------------------------- */

/* The loss that the labels ask for. */
static const gnode_t *loss_of(const eval_t *e) {
    const gnode_t *numbers = graph_output(e->g, "loss_f32");
    if (!e->io->loss) return NULL;
    return numbers && !e->io->labels ? numbers : graph_output(e->g, "loss");
}

static const char *output_name(const eval_t *e, const gnode_t *n) {
    static const char *const names[] = {"last_hidden_state", "logits", "start_logits",
                                        "end_logits"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (n == graph_output(e->g, names[i])) return names[i];
    return n == loss_of(e) ? "loss" : NULL;
}

static void show(const eval_t *e, const char *name, const eval_value_t *v) {
    if (!name || !v->f || !e->io->trace) return;
    float *f = eval_alloc(v->elements, sizeof *f);
    for (int64_t k = 0; k < v->elements; k++) f[k] = (float)v->f[k];
    e->io->trace(e->io->trace_ctx, name, f, REFORMER_F32, v->shape, v->rank);
    heap_free(f);
}

/* ---- the walk ------------------------------------------------------------------------------------------ */

/* Of a ROUND what it reads is moved, for it alone. */
static int evaluate(eval_t *e, const stir_t *s, const gnode_t *n, uint64_t *chance) {
    if (n->op != G_ROUND || s->to_bf16 == 0) return ops[n->op](e, n, &e->values[n->id]);
    eval_value_t *x = &e->values[n->in[0]->id];
    double *own = x->f;
    size_t bytes = sizeof *own * (size_t)x->elements;
    x->f = memcpy(eval_alloc(x->elements, sizeof *own), own, bytes);
    move(n, x, s->to_bf16, chance);
    int code = ops[n->op](e, n, &e->values[n->id]);
    heap_free(x->f);
    x->f = own;
    return code;
}

static bool run_node(eval_t *e, const stir_t *s, const gnode_t *n, uint64_t *chance) {
    eval_value_t *v = &e->values[n->id];
    if (graph_kind(n) == K_REDUCE && !graph_is_backward(n) && n != loss_of(e)) return true;
    make_value(e, n, v);
    if (n->op == G_LSH_HASH) {
        memcpy(v->i, s->buckets(s->ctx, n->trace), sizeof *v->i * (size_t)v->elements);
        return true;
    }
    if (evaluate(e, s, n, chance) != REFORMER_OK) return false;
    move(n, v, s->roundings, chance);
    if (s->watch && n->op == G_GRADIENT) s->watch(s->watch_ctx, n, v->f, v->elements);
    show(e, n->trace, v);
    show(e, output_name(e, n), v);
    return true;
}

bool stir_forward(const stir_t *s, const reformer_io_t *io) {
    const graph_t *g = s->g;
    eval_t e = eval_begin(g, s->param, s->ctx, io);
    if (s->unpadded) e.loss_length = e.length;
    e.dropout = s->dropout;
    uint64_t chance = s->seed;
    bool ok = true;
    e.values = eval_alloc((int64_t)g->n_nodes, sizeof *e.values);
    for (size_t i = 0; i < g->n_nodes && ok; i++) ok = run_node(&e, s, g->nodes[i], &chance);
    for (size_t i = 0; i < g->n_nodes; i++) {
        heap_free(e.values[i].f);
        heap_free(e.values[i].i);
        heap_free(e.values[i].rounded);
    }
    heap_free(e.values);
    return ok;
}
