/* The runs of sides.h. The reference never runs twice: its own buckets imposed on itself would
 * change nothing. */
#include "compare/sides.h"

#include <string.h>

#include "compare/imposed.h"
#include "compare/lead.h"
#include "support/heap.h"

void side_free(side_t *s) {
    results_free(&s->hashed);
    results_free(&s->settled);
    results_free(&s->untraced);
    results_free(&s->led);
    results_free(&s->margins);
}

const results_t *side_results(const side_t *s) {
    return s->settled.n ? &s->settled : &s->hashed;
}

const results_t *side_expected(const side_t *s, const side_t *reference) {
    return s->led.n ? &s->led : &reference->hashed;
}

static const graph_t *graph_of(const trial_t *t) {
    return plan_fitting(t->plan, (size_t)t->inputs->length)->graph;
}

static const gnode_t *shown_as(const graph_t *g, const char *name) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->trace && strcmp(g->nodes[i]->trace, name) == 0) return g->nodes[i];
    return NULL;
}

/* ---- addends of streams ---------------------------------------------------------------------- */

/* The sum that n is added by to what stands there, as its only reader; NULL: it is none of that. */
static const gnode_t *sum_of(const graph_t *g, const gnode_t *n) {
    const gnode_t *sum = NULL;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++) {
            if (g->nodes[i]->in[k] != n) continue;
            if (sum || g->nodes[i]->op != G_ADD || k != 1) return NULL;
            sum = g->nodes[i];
        }
    return sum;
}

/* No more than this; 0: not known. What is not traced may be a sum of what is,
 * `depth` sums deep at most. */
static double magnitude_of(const results_t *r, const gnode_t *n, int depth) {
    const result_t *t = n->trace ? results_find(r, n->trace) : NULL;
    if (t) return compare_tensors(t, t).magnitude;
    if (n->op != G_ADD || depth == 0) return 0;
    return magnitude_of(r, n->in[0], depth - 1) + magnitude_of(r, n->in[1], depth - 1);
}

/* The stream is rounded as it is added to, by attention at most once per head,
 * and the difference is. */
static double rounding_of(const graph_t *g, const results_t *r, const gnode_t *n) {
    enum { DEPTH = 4 };
    const double unit = 0x1p-24;
    const gnode_t *sum = sum_of(g, n), *from = n->in[0];
    if (!sum) return 0;
    int64_t parts = graph_kind(from) == K_MIX ? from->heads : 1;
    return (double)(parts + 1) * unit * (magnitude_of(r, sum, DEPTH) + magnitude_of(r, n, 0));
}

static void know_roundings(const graph_t *g, const results_t *r) {
    for (size_t i = 0; i < r->n; i++) {
        result_t *t = &r->items[i];
        const gnode_t *n = shown_as(g, t->name);
        if (n && graph_kind(n) == K_ROW) t->rounding += rounding_of(g, r, n);
    }
}

/* ---- one forward ----------------------------------------------------------------------------- */

typedef struct {
    trace_sink_t into;
    const trial_t *trial;
} tap_t;

static void tap(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                int rank) {
    tap_t *x = ctx;
    results_trace(&x->into, name, data, dtype, shape, rank);
    if (x->trial->tick) x->trial->tick(x->trial->tick_ctx, name);
}

/* Outputs were made room for first, but are computed last. */
static void order_by_computation(results_t *r, size_t n_outputs) {
    result_t *outputs = heap_new(n_outputs + 1, sizeof *outputs);
    size_t traced = r->n - n_outputs;
    memcpy(outputs, r->items, n_outputs * sizeof *outputs);
    memmove(r->items, r->items + n_outputs, traced * sizeof *outputs);
    memcpy(r->items + traced, outputs, n_outputs * sizeof *outputs);
    heap_free(outputs);
}

static bool forward(const trial_t *t, exec_t *e, bool traced, const imposed_t *imposed,
                    results_t *r) {
    reformer_io_t io = {.size = sizeof io, .threads = t->threads, .pool = t->pool};
    tap_t x = {{r, t->d}, t};
    results_free(r);
    if (!results_prepare(r, t->inputs, &t->plan->facts, &io, t->d)) return false;
    size_t n_outputs = r->n;
    if (traced) {
        io.trace = tap;
        io.trace_ctx = &x;
    }
    if (imposed) imposed_give(imposed, &io);
    if (!exec_forward(e, &io, t->d) || diag_errors(t->d) > 0) return false;
    order_by_computation(r, n_outputs);
    return true;
}

bool side_run_untraced(const trial_t *t, side_t *s, exec_t *e) {
    return forward(t, e, false, NULL, &s->untraced);
}

/* ---- near-ties ------------------------------------------------------------------------------- */

typedef struct {
    results_t *into;
    diag_t *d;
} margins_t;

static void keep_margin(void *ctx, const gnode_t *hash, const float *margin, int64_t n) {
    margins_t *m = ctx;
    result_t *r = hash->trace ? results_add(m->into, hash->trace, REFORMER_F32, 1, &n, m->d) : NULL;
    if (r) memcpy(r->data, margin, r->bytes);
}

static bool know_margins(const trial_t *t, side_t *reference, const exec_t *oracle) {
    if (reference->margins.n) return true;
    margins_t m = {&reference->margins, t->d};
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = t->inputs->input_ids,
                        .attention_mask = t->inputs->attention_mask,
                        .batch = (size_t)t->inputs->batch,
                        .length = (size_t)t->inputs->length,
                        .buckets = t->inputs->buckets,
                        .buckets_given = t->inputs->buckets_given};
    return exec_hash_margins(oracle, &io, keep_margin, &m, t->d) && diag_errors(t->d) == 0;
}

/* The first buckets that differ, as the reference has them; NULL: none do. What they are
 * called is the graph's affair. */
static const result_t *differing_buckets(const graph_t *g, const results_t *want,
                                         const results_t *got) {
    for (size_t i = 0; i < want->n; i++) {
        const gnode_t *n = shown_as(g, want->items[i].name);
        if (!n || n->op != G_LSH_HASH) continue;
        difference_t x = compare_tensors(&want->items[i], results_find(got, want->items[i].name));
        if (!difference_none(&x)) return &want->items[i];
    }
    return NULL;
}

/* Rows of `want` that `got` hashes otherwise; -1 where one of them was no near-tie. */
static int64_t near_ties(const side_t *reference, const result_t *want, const result_t *got) {
    const result_t *margin = results_find(&reference->margins, want->name);
    int64_t n = result_elements(want), rows = 0;
    if (!got || !margin || result_elements(margin) != n) return -1;
    difference_t x = compare_tensors(want, got);
    if (!x.comparable) return -1;
    const int32_t *a = want->data, *b = got->data;
    const float *m = margin->data;
    for (int64_t i = 0; i < n; i++) {
        if (a[i] == b[compare_place(want, got, i)]) continue;
        if (!((double)m[i] < NEAR_TIE)) return -1;
        rows++;
    }
    return rows;
}

/* ---- imposing -------------------------------------------------------------------------------- */

/* Imposes layer by layer until no near-tie is left; `at`: the first layer that differs. */
static bool settle(const trial_t *t, side_t *s, exec_t *e, side_t *reference, const exec_t *oracle,
                   const result_t *at) {
    if (!know_margins(t, reference, oracle)) return false;
    const graph_t *g = graph_of(t);
    imposed_t imposed = imposed_new(g, t->inputs, at);
    bool ok = true;
    while (ok && at) {
        int64_t rows = near_ties(reference, at, results_find(side_results(s), at->name));
        imposed_rows_t before = graph_imposed(g, shown_as(g, at->name));
        if (rows < 0 || !impose(&imposed, before, at)) break; /* or it does not take them */
        s->near_ties += rows;
        ok = forward(t, e, true, &imposed, &s->settled);
        at = ok ? differing_buckets(g, &reference->hashed, &s->settled) : NULL;
    }
    imposed_free(&imposed);
    return ok;
}

bool side_run(const trial_t *t, side_t *s, exec_t *e, side_t *reference, const exec_t *oracle) {
    if (!forward(t, e, true, NULL, &s->hashed)) return false;
    if (s->backend == BACKEND_REFERENCE) know_roundings(graph_of(t), &s->hashed);
    if (!reference) return true;
    if (lead_rounds(graph_of(t))) {
        if (!lead_run(t, s, oracle)) return false;
        know_roundings(graph_of(t), &s->led);
        return true;
    }
    const result_t *at = differing_buckets(graph_of(t), &reference->hashed, &s->hashed);
    return !at || settle(t, s, e, reference, oracle, at);
}
