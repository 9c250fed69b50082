/* The led reference of lead.h: a row per type for what its roundings may do, a walk back from a
 * tensor for whether there are any, and the callbacks of graph_evaluate_led(). */
#include "compare/lead.h"

#include <math.h>
#include <string.h>

#include "support/heap.h"

/* What values of a type that are rounded to the other side may do: to a tensor's largest error, to
 * the root mean square of all of its errors, and to that of a row, each of the tensor's magnitude;
 * to a hash, of the norm of what is hashed. Other types round nothing. */
static const struct {
    double max, mean, row, tie;
} rules[G_TYPES] = {[G_BF16] = {LEAD_MAX, LEAD_MEAN, LEAD_ROW, LEAD_MAX},
                    /* the next integer is twice as far, of the row's greatest number */
                    [G_I8] = {2 * LEAD_MAX, 2 * LEAD_MEAN, 2 * LEAD_ROW, 2 * LEAD_MAX}};

static bool is_rounding(const gnode_t *n) {
    return n->op != G_PARAM && rules[n->type].max > 0;
}

bool lead_rounds(const graph_t *g) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (is_rounding(g->nodes[i])) return true;
    return false;
}

/* ---- what is rounded unseen ------------------------------------------------------------------ */

static bool is_shown(const graph_t *g, const gnode_t *n) {
    return n->trace || n->op == G_PARAM || n->op == G_INPUT || graph_output(g, n->name) == n;
}

/* By id: the type of a rounding between what is shown and the node, of something that is not;
 * G_F32: none. An attention of rounded values rounds its weights, too. */
static gtype_t *unseen_types(const graph_t *g) {
    gtype_t *unseen = heap_new(g->n_nodes, sizeof *unseen);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            const gnode_t *x = n->in[k];
            if (!x) continue;
            bool weighs = graph_kind(n) == K_MIX && is_rounding(x);
            if (weighs) unseen[i] = x->type;
            if (!is_shown(g, x) && unseen[x->id] != G_F32) unseen[i] = unseen[x->id];
            if (!is_shown(g, x) && is_rounding(n)) unseen[i] = n->type;
        }
    }
    return unseen;
}

/* ---- one forward ----------------------------------------------------------------------------- */

typedef struct {
    const trial_t *t;
    side_t *s;
    const gtype_t *unseen;
    float *margin;     /* of the last hash that was computed */
    const gnode_t *of; /* that hash: one whose buckets are imposed has no margins */
} led_t;

static void keep_margin(void *ctx, const gnode_t *hash, const float *margin, int64_t n) {
    led_t *x = ctx;
    heap_free(x->margin);
    x->of = hash;
    x->margin = heap_new((size_t)n, sizeof *x->margin);
    memcpy(x->margin, margin, (size_t)n * sizeof *margin);
}

static result_t shape_of(const graph_shown_t *v) {
    result_t r = {.dtype = v->f ? REFORMER_F32 : REFORMER_I32, .rank = v->rank};
    memcpy(r.shape, v->shape, sizeof v->shape);
    return r;
}

/* Another bucket where the hash was near to two is as good as the reference's. */
static void keep_integers(led_t *x, result_t *to, const graph_shown_t *v, const result_t *got) {
    double tie = rules[x->unseen[v->node->id]].tie;
    bool computed = v->node->op == G_LSH_HASH && v->node == x->of;
    bool hash = computed && got && got->dtype == to->dtype;
    int32_t *kept = to->data;
    for (int64_t k = 0, n = result_elements(to); k < n; k++) {
        kept[k] = v->i[k];
        if (!hash) continue;
        int32_t other = ((const int32_t *)got->data)[compare_place(to, got, k)];
        if (other == kept[k] || !((double)x->margin[k] < fmax(tie, NEAR_TIE))) continue;
        kept[k] = other;
        x->s->near_ties++;
    }
}

/* The share of a tensor that one factor is in. */
static double one_factor(const gnode_t *n, double rows) {
    return fmax(1 / rows, graph_is_attention(n) ? 1 / (double)n->heads : 0);
}

static void keep_floats(const led_t *x, result_t *to, const graph_shown_t *v) {
    result_t whole = shape_of(v);
    float *kept = to->data;
    gtype_t type = x->unseen[v->node->id];
    double magnitude = 1, rows = 1;
    for (int64_t k = 0, n = result_elements(to); k < n; k++) {
        kept[k] = (float)v->f[compare_place(to, &whole, k)];
        if (isfinite(kept[k])) magnitude = fmax(magnitude, fabs((double)kept[k]));
    }
    for (int k = 0; k + 1 < to->rank; k++) rows *= (double)to->shape[k];
    to->rounding = rules[type].max * magnitude;
    if (type != G_F32) to->many = LEAD_MANY + one_factor(v->node, rows);
    to->mean = (rules[type].mean + rules[type].row / sqrt(rows)) * magnitude;
}

/* The side's values, as far as it has any, for all that read it. */
static void give(const graph_shown_t *v, const result_t *got) {
    result_t whole = shape_of(v);
    if (!got || got->dtype != whole.dtype || got->rank != whole.rank) return;
    bool cut = false; /* of an output, which has the tokens given */
    for (int k = 0; k < v->rank; k++) cut |= got->shape[k] < whole.shape[k];
    const result_t *less = cut ? got : &whole;
    for (int64_t k = 0, n = result_elements(less); k < n; k++) {
        int64_t from = compare_place(less, got, k), to = compare_place(less, &whole, k);
        if (v->f) v->f[to] = (double)((const float *)got->data)[from];
        else v->i[to] = ((const int32_t *)got->data)[from];
    }
}

static void keep(led_t *x, result_t *to, const graph_shown_t *v, const result_t *got) {
    if (v->f) keep_floats(x, to, v);
    else keep_integers(x, to, v, got);
}

static void lead(void *ctx, const graph_shown_t *v) {
    led_t *x = ctx;
    const result_t *traced = v->trace ? results_find(&x->s->hashed, v->trace) : NULL;
    const result_t *put = v->output ? results_find(&x->s->hashed, v->output) : NULL;
    result_t whole = shape_of(v);
    if (v->trace) {
        result_t *to = results_add(&x->s->led, v->trace, whole.dtype, v->rank, v->shape, x->t->d);
        if (to) keep(x, to, v, traced);
    }
    if (put) {
        result_t *to =
            results_add(&x->s->led, v->output, put->dtype, put->rank, put->shape, x->t->d);
        if (to) keep(x, to, v, put);
    }
    give(v, traced ? traced : put);
}

static void keep_losses(const trial_t *t, side_t *s, const result_t *x) {
    result_t *to = results_add(&s->led, x->name, x->dtype, x->rank, x->shape, t->d);
    if (to) memcpy(to->data, x->data, x->bytes);
}

bool lead_run(const trial_t *t, side_t *s, const exec_t *oracle) {
    const graph_t *g = plan_fitting(t->plan, (size_t)t->inputs->length)->graph;
    reformer_io_t io = {.size = sizeof io};
    results_t outputs = {0};
    gtype_t *unseen = unseen_types(g);
    led_t x = {.t = t, .s = s, .unseen = unseen};
    results_free(&s->led);
    bool ok = results_prepare(&outputs, t->inputs, &t->plan->facts, &io, t->d) &&
              exec_lead(oracle, &io, lead, keep_margin, &x, t->d);
    const result_t *losses = results_find(&outputs, "token_losses");
    if (ok && losses) keep_losses(t, s, losses);
    heap_free(x.margin);
    heap_free(unseen);
    results_free(&outputs);
    return ok && diag_errors(t->d) == 0;
}
