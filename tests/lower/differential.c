/* Random models, random inputs: back ends against the reference, tensor by tensor.
 *
 *     differential BACKEND[,BACKEND] COUNT SEED|fresh [CC]     BACKEND: interpreter | c | jit
 *     random_graphs …                                    the same; graphs are edited before they are lowered, and a few of
 *                                                        them may be refused
 *     differential_bf16, random_graphs_bf16 …            the same of compile.dtype: bfloat16 (docs/dtype.md)
 *     differential_int8, random_graphs_int8 …            the same of compile.dtype: int8
 *
 * Sizes are drawn so that nothing divides nicely: heads of 7 or 33, chunks of 3 and 5, windows that reach
 * beyond all chunks, lengths that need padding, masks with holes or padding on the left. Chunks of 320 make
 * attention exact, over more keys than it takes at a time; large weights make queries longer than softmax may
 * take as a bound of the scores. A model whose buckets differ somewhere is
 * accepted only if every differing row is a near-tie of the hash; then it runs again with the reference's
 * buckets imposed (compare/sides.h, whose rules these are). One that misses the reference by more than its
 * tolerance is accepted only if roundings move the reference itself as far (condition.h). Compiled ones are
 * equal to the bit. Every model prints one line; a failing one prints its spec, so that it can be kept as a case.
 *
 * Where factors are rounded the reference is led by each back end (compare/lead.h). What stands behind roundings that
 * nobody sees may miss by much then, of few rows and narrow ones by as much as a factor does that is rounded where it
 * should not be, or is not. But that one does it to all elements, and not to the few whose factors a last bit decides: so
 * they are counted. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/verdict.h"
#include "condition.h"
#include "plan_of.h"
#include "sample.h"

#ifndef EDITS
#define EDITS 0
#endif
#ifndef DTYPE
#define DTYPE DTYPE_FLOAT32
#endif
enum {
    SMALL = DTYPE != DTYPE_FLOAT32,
    TYPES = DTYPE == DTYPE_INT8 ? SAMPLE_INT8 : SAMPLE_BF16,
    KIND = (EDITS ? SAMPLE_EDITS : 0) | (SMALL ? TYPES : 0)
};

/* ---- one model ---------------------------------------------------------------------------------------------- */

typedef struct {
    plan_t *plan;
    store_t *store;
    exec_t *reference, *other[MAX_BACKENDS];
    bool refused;                   /* an edited graph, with a reason */
    bool ill;                       /* roundings move it too far to tell (condition.h) */
    side_t sides[1 + MAX_BACKENDS]; /* the reference, the others */
} model_t;

static bool open_others(model_t *x, const others_t *o, diag_t *d) {
    for (int i = 0; i < o->n; i++) {
        exec_options_t eo = {.backend = o->backend[i], .cc = o->cc};
        x->other[i] = exec_open(x->plan, x->store, &eo, d);
        x->refused = EDITS && !x->other[i];
        if (!x->other[i]) return false;
        x->sides[1 + i] = (side_t){.label = backend_names[eo.backend], .backend = eo.backend};
    }
    return true;
}

/* Edits are of float32. */
static bool edit(plan_t *p, const sample_t *m, diag_t *d) {
    if (!edit_graphs(p, &m->forms, d)) return false;
    for (int v = 0; v < p->n_variants && SMALL; v++) {
        graph_t **g = &p->variants[v].graph;
        if (!(*g = graph_with_dtype(p->arena, *g, DTYPE, d))) return false;
    }
    p->layout = layout_make(p->arena, p->variants[p->n_variants - 1].graph);
    return true;
}

static bool open_model(arena_t *a, const sample_t *m, const others_t *o, model_t *x, diag_t *d) {
    plan_options_t po = {.name = "model",
                         .exact_length = m->length,
                         .exact_batch = m->batch,
                         .trace = true,
                         .impose_buckets = true,
                         .n_targets = 1};
    po.targets[0] = random_target(DTYPE);
    x->plan = plan_of(a, m->text, &po, d);
    if (!x->plan || (EDITS && !edit(x->plan, m, d))) return false;
    store_options_t so = {.path = "random:7"};
    x->store = store_load(x->plan->variants[x->plan->n_variants - 1].graph, &so, d);
    if (!x->store) return false;
    if (EDITS) sample_vary(x->plan, x->store);
    exec_options_t ro = {.backend = BACKEND_REFERENCE};
    x->reference = exec_open(x->plan, x->store, &ro, d);
    x->sides[0] = (side_t){.label = "reference", .backend = BACKEND_REFERENCE};
    return x->reference && open_others(x, o, d);
}

/* The largest difference of a float tensor, relative to its magnitude; where more is allowed, less of it counts. */
static double worst_of(const model_t *x) {
    const side_t *s = &x->sides[1];
    const results_t *want = side_expected(s, &x->sides[0]), *got = side_results(s);
    double worst = 0;
    for (size_t i = 0; i < want->n; i++) {
        difference_t y = compare_tensors(&want->items[i], results_find(got, want->items[i].name));
        double share = difference_share(&y, want->items[i].name);
        if (!y.integer) worst = fmax(worst, share * tolerance_of(want->items[i].name));
    }
    return worst;
}

/* Elements behind roundings that nobody sees, and those that miss the reference by more than the tolerance. */
static int64_t n_elements, n_beyond;

static void count_beyond(const model_t *x) {
    const side_t *s = &x->sides[1];
    const results_t *want = side_expected(s, &x->sides[0]), *got = side_results(s);
    for (size_t i = 0; i < want->n; i++) {
        const result_t *r = &want->items[i], *of = results_find(got, r->name);
        difference_t y = compare_tensors(r, of);
        if (r->mean <= 0 || !y.comparable) continue; /* of others none may */
        double allowed = tolerance_of(r->name) * fmax(y.min, y.magnitude);
        n_elements += result_elements(r);
        for (int64_t k = 0; k < result_elements(r); k++) {
            double a = (double)((const float *)r->data)[k];
            double b = (double)((const float *)of->data)[compare_place(r, of, k)];
            n_beyond += !(fabs(a - b) <= allowed) && !(isnan(a) && isnan(b)) && a != b;
        }
    }
}

/* Whether rounding may be all there is: buckets agree, and compiled sides have one another's bits. A led reference goes on
 * from the side's own tensors, and no rounding before them is left to tell. */
static bool may_be_rounding(const verdict_t *v) {
    for (int i = 0; i < v->n_departures; i++) {
        const departure_t *d = &v->departure[i];
        if (d->rule != RULE_REFERENCE || d->difference.integer || d->side->led.n) return false;
    }
    return v->n_departures > 0;
}

static bool check_model(const sample_t *m, const others_t *o, model_t *x, double *worst,
                        diag_t *d) {
    inputs_t in = sample_inputs(m);
    side_t *want = &x->sides[0];
    const side_t *all[1 + MAX_BACKENDS] = {want};
    trial_t t = {.plan = x->plan, .inputs = &in, .threads = 1 + (int)draw(2), .d = d};
    if (!side_run(&t, want, x->reference, NULL, NULL)) return false;
    for (int i = 0; i < o->n; i++) {
        side_t *got = &x->sides[1 + i];
        if (!side_run(&t, got, x->other[i], want, x->reference)) return false;
        if (got->near_ties) printf("  %lld near-ties: imposed\n", (long long)got->near_ties);
        all[1 + i] = got;
    }
    verdict_t v = verdict_of(all, 1 + o->n); /* compiled sides: equal to the bit */
    *worst = worst_of(x);
    if (SMALL) count_beyond(x);
    if (may_be_rounding(&v)) {
        double condition = condition_measure(&t, want, x->reference, x->store);
        printf("  roundings move it by %.1e\n", condition);
        v = verdict_of(all, 1 + o->n);
        x->ill = v.n_departures == 0 && condition > MAX_CONDITION;
    }
    if (v.n_departures == 0) return want->hashed.n > 0 && !x->ill;
    sbuf_t report = {0};
    verdict_print(&v, &x->plan->facts, NULL, &report);
    printf("%s", report.data);
    sbuf_free(&report);
    return false;
}

static void print_graph(const plan_t *p) {
    sbuf_t text = {0};
    graph_print(p->variants[p->n_variants - 1].graph, &text);
    printf("%s\n", text.data);
    sbuf_free(&text);
}

static int n_run, n_refused, n_undecided;

/* Buckets that a last bit decides, of layers that hash in ways of their own: they cannot be imposed. A led reference takes
 * the side's. */
static bool is_undecided(const model_t *x, const others_t *o) {
    for (int i = 0; i < o->n; i++)
        if (EDITS && x->plan && !x->plan->impose_buckets && x->sides[1 + i].near_ties > 0 &&
            !x->sides[1 + i].led.n)
            return true;
    return false;
}

/* What a graph is refused with stands at a line, and says which node it is. */
static void print_refusal(const model_t *x, diag_t *d, int index) {
    printf("refused %d\n", index);
    print_graph(x->plan);
    diag_print(d, stdout);
    n_refused++;
}

static bool run_one(int index, uint64_t seed, const others_t *o) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    draw_begin(seed, index);
    sample_t m = sample_make(a, KIND);
    model_t x = {0};
    double worst = 0;
    bool ok = open_model(a, &m, o, &x, d) && check_model(&m, o, &x, &worst, d);
    const char *how = ok                    ? "ok  "
                      : x.refused           ? "no  "
                      : x.ill               ? "ill "
                      : is_undecided(&x, o) ? "tie "
                                            : "FAIL";
    n_run++;
    n_undecided += how[0] == 't' || how[0] == 'i';
    printf("%s %4d  %s, length %lld, batch %lld: %.1e\n", how, index,
           x.plan ? x.plan->targets[0]->name : "?", (long long)m.length, (long long)m.batch, worst);
    if (how[0] == 'F') {
        printf("%s\n", m.text);
        if (EDITS && x.plan) print_graph(x.plan);
        diag_print(d, stdout);
    }
    if (how[0] == 'n') print_refusal(&x, d, index);
    for (int i = 0; i <= o->n; i++) side_free(&x.sides[i]);
    for (int i = 0; i < o->n; i++) exec_close(x.other[i]);
    exec_close(x.reference);
    store_free(x.store);
    diag_free(d);
    arena_free(a);
    return how[0] != 'F';
}

/* Of a hundred graphs, so many may be refused; of a hundred elements, so many may be beyond: 0.05 to 0.2 are, and of weights
 * of attention that are not rounded, which the verdict allows, 25. */
enum { MAX_REFUSED = 5, MAX_BEYOND = 1 };

int main(int argc, char **argv) {
    int code = run_models(argc, argv, run_one);
    printf("%d refused, %d undecided of %d\n", n_refused, n_undecided, n_run);
    if (SMALL)
        printf("%lld of %lld elements behind roundings beyond the tolerance\n", (long long)n_beyond,
               (long long)n_elements);
    if (100 * n_beyond > MAX_BEYOND * n_elements) code = 1;
    if (n_refused + n_undecided > n_run * MAX_REFUSED / 100 + 1) code = 1;
    return code;
}
