/* reformerc verify, of specs that train: the gradients of one train step by every
 * back end, dropout on.
 *
 * In: sides that have run a forward, the plan of a train step. Out: a table as that of the forward,
 * a row per tensor in the order of the backward pass: the loss, then gradients by their distance
 * from it. They are held to 2e-5 of their tensor's largest magnitude (a thousandth of the largest
 * of all at least; of one that is zero but for roundings, as the bias of a question's answers by
 * symmetry, of the largest of all).
 *
 * A step hashes for itself, and what it drops moves its buckets. Where a last bit may decide a
 * bucket (the reference's margins say where), a side that departs runs again with the reference's
 * buckets imposed, from the first layer on that has such rows; where none has any, it departs.
 *
 * Where a step rounds factors to a smaller type, the reference is left out: a last bit decides
 * which number a factor becomes, as in a forward, but a step shows no tensors by which the
 * reference could be led (lead.h). Gradients of the two then differ by some 2e-3, with buckets by
 * more. Code is compared with code, to the bit. */
#include <math.h>
#include <string.h>

#include "commands/verify/verify.h"
#include "compare/imposed.h"
#include "compare/lead.h"
#include "session/gradients.h"
#include "session/stages.h"
#include "support/heap.h"

static const double min_share = 1e-3, noise = 1e-7;

typedef struct {
    verify_t *v;
    plan_t *plan, *imposing; /* imposing: made when it is needed */
    side_t side[MAX_SIDES];
    side_choice_t choice[MAX_SIDES];
    int n;
    exec_t *oracle;
    results_t buckets; /* the reference's, by the name of the trace */
    bool knows;        /* the margins */
    int first;         /* layer with near-ties; -1: none has any */
    int64_t near_ties; /* rows of all layers */
} verify_step_t;

/* ---- plans ----------------------------------------------------------------------------------- */

plan_t *verify_train_plan(verify_t *v, bool imposes) {
    session_t *s = &v->s;
    session_plan_t want = {.name = "model",
                           .exact_length = v->in.length,
                           .exact_batch = v->in.batch,
                           .runs = true,
                           .impose_buckets = imposes,
                           .train = TRAIN_ALONE,
                           .train_loss = gradients_loss(&s->model.facts, &v->in)};
    return session_plan(s, &want) && session_lower(s) ? s->plan : NULL;
}

static const graph_t *graph_of(const verify_step_t *x) {
    return plan_train_fitting(x->plan, (size_t)x->v->in.length)->graph;
}

static double count_flops(const verify_step_t *x) {
    const plan_t *p = x->plan;
    const variant_plan_t *v = plan_train_fitting(p, (size_t)x->v->in.length);
    int64_t units = v->unit ? variant_padded(v, x->v->in.length) / v->unit : 0;
    return loops_cost(p->modules[(v - p->trains) * p->n_targets], units).flops;
}

/* ---- one step -------------------------------------------------------------------------------- */

static reformer_io_t io_of(const verify_step_t *x) {
    reformer_io_t io = {
        .size = sizeof io, .threads = x->v->s.threads, .pool = pool_interface(x->v->s.pool)};
    inputs_give(&x->v->in, &io);
    gradients_seed(x->v->s.o, &io);
    io.positions = x->v->in.positions;
    return io;
}

static void keep_buckets(void *ctx, const char *name, const void *data, int dtype,
                         const int64_t *shape, int rank) {
    verify_step_t *x = ctx;
    const graph_t *g = graph_of(x);
    for (const gnode_t *n = NULL; (n = graph_next(g, G_LSH_HASH, n));) {
        if (!n->trace || strcmp(n->trace, name) != 0) continue;
        trace_sink_t into = {&x->buckets, x->v->s.d};
        results_trace(&into, name, data, dtype, shape, rank);
    }
}

static void set_sizes(results_t *r) {
    double largest = 0;
    for (size_t i = 1; i < r->n; i++)
        largest = fmax(largest, compare_tensors(&r->items[i], &r->items[i]).magnitude);
    for (size_t i = 1; i < r->n; i++) {
        double own = compare_tensors(&r->items[i], &r->items[i]).magnitude;
        r->items[i].min = own < noise * largest ? largest : largest * min_share;
    }
}

/* By the graph's order: that of the backward pass. The loss is there already. */
static bool gather(const verify_step_t *x, const plan_t *p, const float *gradients, results_t *r) {
    const graph_t *g = plan_train_fitting(p, (size_t)x->v->in.length)->graph;
    for (const gnode_t *n = NULL; (n = graph_next(g, G_GRADIENT, n));) {
        int64_t shape[8];
        int index;
        const layout_entry_t *e = layout_find(p->gradients, n->in[1]->name, &index);
        int rank = weights_hf_shape(p->layout, e, n->in[1]->name, shape);
        const char *name = weights_hf_name(p->arena, p->layout, n->in[1]->name);
        result_t *t = results_add(r, name, REFORMER_F32, rank, shape, x->v->s.d);
        if (!t) return false;
        int64_t at = e->offset / (int64_t)sizeof *gradients + index * result_elements(t);
        memcpy(t->data, gradients + at, t->bytes);
    }
    set_sizes(r);
    return true;
}

static bool derive(verify_step_t *x, plan_t *p, exec_t *e, const imposed_t *imposed, results_t *r) {
    diag_t *d = x->v->s.d;
    reformer_io_t io = io_of(x);
    result_t *loss = results_add(r, "loss", REFORMER_F32, 0, NULL, d);
    float *gradients = exec_gradients_new(e, d);
    if (loss) io.loss = loss->data;
    if (imposed) imposed_give(imposed, &io);
    if (e == x->oracle) io.trace = keep_buckets, io.trace_ctx = x;
    bool ok = loss && gradients && exec_gradients(e, &io, gradients, d) && diag_errors(d) == 0 &&
              gather(x, p, gradients, r);
    heap_free(gradients);
    return ok;
}

/* ---- near-ties ------------------------------------------------------------------------------- */

static void count_near_ties(void *ctx, const gnode_t *hash, const float *margin, int64_t n) {
    verify_step_t *x = ctx;
    int64_t before = x->near_ties;
    for (int64_t i = 0; i < n; i++) x->near_ties += (double)margin[i] < NEAR_TIE;
    if (x->near_ties > before && x->first < 0) x->first = hash->layer;
}

/* Once, when a side departs. */
static bool know_margins(verify_step_t *x) {
    reformer_io_t io = io_of(x);
    if (x->knows) return true;
    x->knows = true;
    return exec_hash_margins(x->oracle, &io, count_near_ties, x, x->v->s.d);
}

/* The user's and, from the first layer with near-ties on, the reference's. */
static imposed_t impose_all(const verify_step_t *x) {
    const graph_t *g = graph_of(x);
    imposed_t to = imposed_new(g, &x->v->in, &x->buckets.items[0]);
    imposed_rows_t next = {0, 0};
    for (const gnode_t *n = NULL; (n = graph_next(g, G_LSH_HASH, n));) {
        const result_t *r = results_find(&x->buckets, n->trace);
        imposed_rows_t before = next;
        graph_pass_imposed(g, n, &next);
        if (r && n->layer >= x->first) impose(&to, before, r);
    }
    return to;
}

static bool departs(const side_t *reference, const results_t *got) {
    for (size_t i = 0; i < reference->hashed.n; i++) {
        const result_t *want = &reference->hashed.items[i];
        difference_t d = compare_tensors(want, results_find(got, want->name));
        if (!difference_allowed(&d, want->name)) return true;
    }
    return false;
}

static bool settle(verify_step_t *x, int i) {
    if (!know_margins(x)) return false;
    if (x->first < 0) return true;
    if (!x->imposing) x->imposing = verify_train_plan(x->v, true);
    exec_t *e = x->imposing ? verify_open(x->v, &x->choice[i], x->imposing) : NULL;
    imposed_t buckets = impose_all(x);
    bool ok = e && derive(x, x->imposing, e, &buckets, &x->side[i].settled);
    imposed_free(&buckets);
    exec_close(e);
    return ok;
}

/* ---- all sides ------------------------------------------------------------------------------- */

static const side_t *reference_of(const verify_step_t *x) {
    return x->side[0].backend == BACKEND_REFERENCE ? &x->side[0] : NULL;
}

static bool run_side(verify_step_t *x, int i) {
    side_t *s = &x->side[i];
    const side_t *reference = reference_of(x);
    x->v->running = s->label;
    verify_show(x->v, "train step");
    exec_t *e = verify_open(x->v, &x->choice[i], x->plan);
    if (s == reference) x->oracle = e;
    bool ok = e && derive(x, x->plan, e, NULL, &s->hashed);
    if (ok && reference && s != reference && departs(reference, &s->hashed)) ok = settle(x, i);
    if (s != reference) exec_close(e);
    x->v->done++;
    return ok;
}

/* Why the side is none of the train step's; NULL: it is one. */
static const char *reason_against(const verify_step_t *x, const side_choice_t *c, double flops) {
    if (c->backend == BACKEND_REFERENCE && lead_rounds(graph_of(x)))
        return "reference, whose roundings are others (train.dtype)";
    if (verify_interprets(x->v, c, flops)) return NULL;
    return arena_printf(x->v->s.arena, "interpreter, %.2g flops are too many by default", flops);
}

/* Those of the forward, and the interpreter only where it takes no longer than is asked of it.
 * Returns a line for each that is left out. */
static const char *choose_sides(verify_step_t *x) {
    double flops = count_flops(x);
    const char *left_out = "";
    for (int i = 0; i < x->v->n; i++) {
        const side_choice_t *c = &x->v->choice[i];
        const char *why = reason_against(x, c, flops);
        if (why) {
            left_out = arena_printf(x->v->s.arena, "%sleft out: %s\n", left_out, why);
            continue;
        }
        x->choice[x->n] = *c;
        x->side[x->n++] = (side_t){.label = c->label, .backend = c->backend};
    }
    return left_out;
}

/* ---- bisecting the passes -------------------------------------------------------------------- */

static prefix_t try_prefix(void *ctx, const char *stop_after) {
    verify_step_t *x = ctx;
    verify_show(x->v, *stop_after ? stop_after : "before any pass");
    plan_t p = *x->plan;
    p.modules = p.train_modules = NULL;
    exec_options_t o = {.backend = BACKEND_INTERPRETER, .passes.stop_after = stop_after};
    diag_t *d = diag_new(), *own = x->v->s.d;
    results_t r = {0};
    exec_t *e = exec_open(&p, x->v->s.store, &o, d);
    x->v->s.d = d; /* what it refuses to run departs */
    bool ok = e && derive(x, &p, e, NULL, &r);
    bool apart = !ok || departs(reference_of(x), &r);
    x->v->s.d = own;
    exec_close(e);
    results_free(&r);
    diag_free(d);
    return apart ? PREFIX_DEPARTS : PREFIX_AGREES;
}

/* Near-ties would be imposed on every prefix: what departs with them is not looked into. */
static bisection_t bisect(verify_step_t *x, const verdict_t *verdict) {
    for (int i = 0; i < verdict->n_departures && x->first < 0; i++) {
        const departure_t *d = &verdict->departure[i];
        if (d->rule != RULE_REFERENCE || d->side->backend != BACKEND_INTERPRETER) continue;
        x->v->running = "interpreter";
        return bisect_passes(try_prefix, x);
    }
    return (bisection_t){false, ""};
}

/* ---- the report ------------------------------------------------------------------------------ */

static void report(verify_step_t *x, const char *left_out, sbuf_t *out, bool *agree) {
    const side_t *sides[MAX_SIDES];
    for (int i = 0; i < x->n; i++) sides[i] = &x->side[i];
    verdict_t verdict = verdict_of(sides, x->n);
    bisection_t b = bisect(x, &verdict);
    if (verdict.n_departures > 0) *agree = false;
    sbuf_printf(out, "\ngradients of a train step, dropout of seed %llu\n",
                (unsigned long long)x->v->s.o->seed);
    verdict_print(&verdict, &x->v->s.model.facts, &b, out);
    for (int i = 0; i < x->n; i++)
        if (x->side[i].settled.n)
            sbuf_printf(
                out,
                "near-ties: %s was given the reference's buckets from layer %d on, where a last bit may "
                "decide %lld rows\n",
                x->side[i].label, x->first, (long long)x->near_ties);
    sbuf_puts(out, left_out);
}

bool verify_train(verify_t *v, sbuf_t *out, bool *agree) {
    verify_step_t x = {.v = v, .plan = v->train, .first = -1};
    const char *left_out = choose_sides(&x);
    if (x.n < 2) { /* nothing to compare */
        sbuf_printf(out, "left out: gradients, of fewer than two back ends\n%s", left_out);
        return true;
    }
    bool ok = true;
    for (int i = 0; i < x.n && ok; i++) ok = run_side(&x, i);
    if (ok) report(&x, left_out, out, agree);
    exec_close(x.oracle);
    results_free(&x.buckets);
    for (int i = 0; i < x.n; i++) side_free(&x.side[i]);
    return ok;
}
