/* Random models, random inputs: back ends against the reference, tensor by tensor.
 *
 *     differential BACKEND[,BACKEND] COUNT SEED|fresh [CC]     BACKEND: interpreter | c | jit
 *     random_graphs …                                    the same; graphs are edited before they are lowered, and a few of
 *                                                        them may be refused
 *
 * Sizes are drawn so that nothing divides nicely: heads of 7 or 33, chunks of 3 and 5, windows that reach
 * beyond all chunks, lengths that need padding, masks with holes or padding on the left. Chunks of 320 make
 * attention exact, over more keys than it takes at a time; large weights make queries longer than softmax may
 * take as a bound of the scores. A model whose buckets differ somewhere is
 * accepted only if every differing row is a near-tie of the hash; then it runs again with the reference's
 * buckets imposed (commands/sides.h, whose rules these are). One that misses the reference by more than its
 * tolerance is accepted only if roundings move the reference itself as far (condition.h). Compiled ones are
 * equal to the bit. Every model prints one line; a failing one prints its spec, so that it can be kept as a case. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/verdict.h"
#include "condition.h"
#include "plan_of.h"
#include "random_graph.h"
#include "random_model.h"

#ifndef EDITS
#define EDITS 0
#endif

/* ---- a model and an input ------------------------------------------------------------------------------ */

typedef struct {
    char *text;
    arch_t arch;
    /* Exact attention over several blocks of keys; queries too long to bound the scores. One layer: sums of all
     * values (Q1) and sharp softmaxes leave the next one less than the tolerance. */
    bool longer, large, hashes, causal, deep;
    int64_t unit; /* of chunks */
    forms_t forms;
    int64_t batch, length, vocab, labels, hidden;
    uint8_t *mask;
    int32_t *ids, *targets, *start, *end;
    float *floats;
} sample_t;

static const struct {
    arch_t arch;
    const char *name;
} archs[] = {{ARCH_BASE, "ReformerModel"},
             {ARCH_CAUSAL_LM, "ReformerModelWithLMHead"},
             {ARCH_MASKED_LM, "ReformerForMaskedLM"},
             {ARCH_CLASSIFIER, "ReformerForSequenceClassification"},
             {ARCH_QA, "ReformerForQuestionAnswering"}};

static void write_head(sbuf_t *s, sample_t *m) {
    uint32_t which = draw(5);
    m->arch = archs[which].arch;
    m->labels = m->arch == ARCH_CLASSIFIER ? PICK(1, 2, 5) : 2;
    bool causal = m->causal = m->arch == ARCH_CAUSAL_LM || (m->arch != ARCH_MASKED_LM && draw(2));
    sbuf_printf(s, "architectures: [%s]\nis_decoder: %s\nnum_labels: %lld\n", archs[which].name,
                causal ? "true" : "false", (long long)m->labels);
    int64_t local = PICK(2, 3, 4, 5, 8, 12, 16), lsh = PICK(2, 3, 4, 5, 8, 12, 16);
    if (m->longer) local = lsh = 320;
    if (m->deep) local = lsh = 4;
    random_chunks(s, causal, local, lsh);
    int64_t unit = m->unit = least_common_multiple(local, lsh);
    m->length = m->longer ? 70 + draw(231) : 1 + draw(m->deep ? 24 : 96);
    m->hidden = m->deep ? 8 : m->large ? PICK(40, 67) : PICK(8, 19, 32, 40, 67);
    random_positions(s, m->hidden, (m->length + unit - 1) / unit * unit);
}

static void write_compile(sbuf_t *s, const sample_t *m) {
    uint32_t mode = draw(8);
    if (mode == 0) sbuf_puts(s, "compile: {sequence_length: dynamic");
    else if (mode == 1) sbuf_printf(s, "compile: {sequence_length: %lld", (long long)m->length);
    else return;
    sbuf_printf(s, ", batch_size: %lld}\n", (long long)(m->batch + draw(2)));
}

static void make_input(arena_t *a, sample_t *m) {
    size_t n = (size_t)(m->batch * m->length), rows = (size_t)m->batch;
    m->ids = ARENA_ARRAY(a, int32_t, n);
    m->targets = ARENA_ARRAY(a, int32_t, n);
    m->start = ARENA_ARRAY(a, int32_t, rows);
    m->end = ARENA_ARRAY(a, int32_t, rows);
    m->floats = ARENA_ARRAY(a, float, rows *(size_t)m->labels);
    m->mask = draw(3) ? NULL : ARENA_ARRAY(a, uint8_t, n);
    uint32_t classes = (uint32_t)(m->arch == ARCH_CLASSIFIER ? m->labels : m->vocab);
    for (size_t i = 0; i < n; i++) {
        m->ids[i] = (int32_t)draw((uint32_t)m->vocab);
        m->targets[i] = draw(5) ? (int32_t)draw(classes) : -100;
        if (m->mask) m->mask[i] = draw(4) != 0;
    }
    bool left = draw(2);
    for (size_t b = 0; m->mask && left && b < rows; b++) /* the first one may mask all */
        memset(m->mask + b * (size_t)m->length, 0, draw((uint32_t)m->length + (b == 0)));
    m->targets[0] = (int32_t)draw(classes);
    if (n > 1) m->targets[1] = (int32_t)draw(classes);
    for (size_t i = 0; i < rows; i++) {
        m->start[i] = (int32_t)draw((uint32_t)m->length);
        m->end[i] = (int32_t)draw((uint32_t)m->length + 3); /* some beyond: ignored */
    }
    m->end[0] = 0;
    for (size_t i = 0; i < rows * (size_t)m->labels; i++) m->floats[i] = (float)draw(100) / 50 - 1;
}

static sample_t make_sample(arena_t *a) {
    sample_t m = {.batch = 1 + draw(3)};
    sbuf_t s = {0};
    uint32_t kind = draw(8);
    m.vocab = PICK(11, 64, 258);
    m.deep = EDITS && draw(24) == 0;
    m.longer = !m.deep && (EDITS ? kind == 0 : kind <= 1);
    m.large = !EDITS && kind >= 1 &&
              kind <= 3; /* edits try shapes: rows without a norm are large enough */
    m.hashes = EDITS ? random_forms(&s, m.deep, &m.forms) > 0
                     : random_layers(&s, kind <= 3 ? 1 : 1 + (int)draw(4)) > 0;
    write_head(&s, &m);
    random_buckets(&s);
    random_widths(&s);
    sbuf_printf(&s, "vocab_size: %lld\n", (long long)m.vocab);
    random_norms(&s, !m.large ? "0.15" : m.hashes ? "1.5" : "0.6");
    if (!EDITS && !m.large) random_extensions(&s, m.causal, m.unit, true);
    if (!EDITS) write_compile(&s, &m); /* edits are for one length */
    m.text = arena_strdup(a, s.data);
    sbuf_free(&s);
    make_input(a, &m);
    return m;
}

/* ---- one model ---------------------------------------------------------------------------------------------- */

typedef struct {
    plan_t *plan;
    store_t *store;
    exec_t *reference, *other[MOST_BACKENDS];
    bool refused;                    /* an edited graph, with a reason */
    bool ill;                        /* roundings move it too far to tell (condition.h) */
    side_t sides[1 + MOST_BACKENDS]; /* the reference, the others */
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

/* Vectors of weights are ones and zeros as Hugging Face draws them: no kernel would be caught with another layer's.
 * They are the store's own, in memory that may be written to. */
static void vary_vectors(const model_t *x) {
    const graph_t *g = x->plan->variants[x->plan->n_variants - 1].graph;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const tensor_t *t =
            g->nodes[i]->op == G_PARAM ? store_find(x->store, g->nodes[i]->name) : NULL;
        if (!t || t->rank != 1) continue;
        float *values = (float *)(uintptr_t)t->data;
        for (int64_t k = 0; k < t->elements; k++) values[k] += (float)draw(64) / 128 - 0.25F;
    }
}

static bool open_model(arena_t *a, const sample_t *m, const others_t *o, model_t *x, diag_t *d) {
    plan_options_t po = {.name = "model",
                         .exact_length = m->length,
                         .exact_batch = m->batch,
                         .trace = true,
                         .impose_buckets = true,
                         .n_targets = 1};
    po.targets[0] = random_target();
    x->plan = plan_of(a, m->text, &po, d);
    if (!x->plan || (EDITS && !edit_graphs(x->plan, &m->forms, d))) return false;
    store_options_t so = {.path = "random:7"};
    x->store = store_load(x->plan->variants[x->plan->n_variants - 1].graph, &so, d);
    if (!x->store) return false;
    if (EDITS) vary_vectors(x);
    exec_options_t ro = {.backend = BACKEND_REFERENCE};
    x->reference = exec_open(x->plan, x->store, &ro, d);
    x->sides[0] = (side_t){.label = "reference", .backend = BACKEND_REFERENCE};
    return x->reference && open_others(x, o, d);
}

/* Labels as the head takes them; the base model takes none. */
static inputs_t inputs_of(const sample_t *m) {
    inputs_t in = {.path = "random",
                   .batch = m->batch,
                   .length = m->length,
                   .input_ids = m->ids,
                   .attention_mask = m->mask};
    bool floats = m->arch == ARCH_CLASSIFIER && (m->labels == 1 || m->start[0] % 2);
    if (m->arch == ARCH_QA) {
        in.start_positions = m->start;
        in.end_positions = m->end;
    } else if (m->arch != ARCH_BASE && floats) {
        in.labels_f32 = m->floats;
    } else if (m->arch != ARCH_BASE) {
        in.labels = m->targets;
    }
    return in;
}

/* The largest difference of a float tensor, relative to its magnitude; where more is allowed, less of it counts. */
static double worst_of(const model_t *x) {
    const results_t *want = &x->sides[0].hashed, *got = side_results(&x->sides[1]);
    double worst = 0;
    for (size_t i = 0; i < want->n; i++) {
        difference_t y = compare_tensors(&want->items[i], results_find(got, want->items[i].name));
        double share = difference_share(&y, want->items[i].name);
        if (!y.integer) worst = fmax(worst, share * tolerance_of(want->items[i].name));
    }
    return worst;
}

/* Whether rounding may be all there is: buckets agree, and compiled sides have one another's bits. */
static bool may_be_rounding(const verdict_t *v) {
    for (int i = 0; i < v->n_departures; i++) {
        const departure_t *d = &v->departure[i];
        if (d->rule != RULE_REFERENCE || d->difference.integer) return false;
    }
    return v->n_departures > 0;
}

static bool check_model(const sample_t *m, const others_t *o, model_t *x, double *worst,
                        diag_t *d) {
    inputs_t in = inputs_of(m);
    side_t *want = &x->sides[0];
    const side_t *all[1 + MOST_BACKENDS] = {want};
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
    if (may_be_rounding(&v)) {
        double condition = condition_measure(&t, want, x->reference, x->store);
        printf("  roundings move it by %.1e\n", condition);
        v = verdict_of(all, 1 + o->n);
        x->ill = v.n_departures == 0 && condition > MOST_CONDITION;
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

/* Buckets that a last bit decides, of layers that hash in ways of their own: they cannot be imposed. */
static bool is_undecided(const model_t *x, const others_t *o) {
    for (int i = 0; i < o->n; i++)
        if (EDITS && x->plan && !x->plan->impose_buckets && x->sides[1 + i].near_ties > 0)
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
    sample_t m = make_sample(a);
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

/* Of a hundred graphs, so many may be refused. */
enum { MOST_REFUSED = 5 };

int main(int argc, char **argv) {
    int code = run_models(argc, argv, run_one);
    printf("%d refused, %d undecided of %d\n", n_refused, n_undecided, n_run);
    if (n_refused + n_undecided > n_run * MOST_REFUSED / 100 + 1) code = 1;
    return code;
}
