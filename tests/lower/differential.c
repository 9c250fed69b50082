/* Random models, random inputs: back ends against the reference, tensor by tensor.
 *
 *     differential BACKEND[,BACKEND] COUNT SEED [CC]     BACKEND: interpreter | c | jit
 *     random_graphs …                                    the same; graphs are edited before they are lowered
 *
 * Sizes are drawn so that nothing divides nicely: heads of 7 or 33, chunks of 3 and 5, windows that reach
 * beyond all chunks, lengths that need padding, masks with holes or padding on the left. Chunks of 320 make
 * attention exact, over more keys than it takes at a time; large weights make queries longer than softmax may
 * take as a bound of the scores. A model whose buckets differ somewhere is
 * accepted only if every differing row is a near-tie of the hash; then it runs again with the reference's
 * buckets imposed (commands/sides.h, whose rules these are). Compiled ones are equal to the bit. Every model
 * prints one line; a failing one prints its spec, so that it can be kept as a case. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/verdict.h"
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
    bool longer, large, hashes, causal;
    int64_t unit; /* of chunks */
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
    random_chunks(s, causal, local, lsh);
    int64_t unit = m->unit = least_common_multiple(local, lsh);
    m->length = m->longer ? 70 + draw(231) : 1 + draw(96);
    m->hidden = m->large ? PICK(40, 67) : PICK(8, 19, 32, 40, 67);
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
    m.longer = kind <= 1;
    m.large = !EDITS && kind >= 1 &&
              kind <= 3; /* edits try shapes: rows without a norm are large enough */
    m.hashes = random_layers(&s, kind <= 3 ? 1 : 1 + (int)draw(4)) > 0;
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
    side_t sides[1 + MOST_BACKENDS]; /* the reference, the others */
} model_t;

static bool open_others(model_t *x, const others_t *o, diag_t *d) {
    for (int i = 0; i < o->n; i++) {
        exec_options_t eo = {.backend = o->backend[i], .cc = o->cc};
        x->other[i] = exec_open(x->plan, x->store, &eo, d);
        if (!x->other[i]) return false;
        x->sides[1 + i] = (side_t){.label = backend_names[eo.backend], .backend = eo.backend};
    }
    return true;
}

static bool open_model(arena_t *a, const sample_t *m, const others_t *o, model_t *x, diag_t *d) {
    spec_t *s = spec_parse(a, "random.yaml", m->text, strlen(m->text), NULL, 0, d);
    if (!s || !spec_resolve_architecture(s, false, false, false, d)) return false;
    plan_options_t po = {.name = "model",
                         .exact_length = m->length,
                         .exact_batch = m->batch,
                         .trace = true,
                         .impose_buckets = true,
                         .n_targets = 1};
    po.targets[0] = random_target();
    x->plan = plan_make(a, s, &po, d);
    if (!x->plan || (EDITS && !edit_graphs(x->plan, d))) return false;
    store_options_t so = {.path = "random:7"};
    x->store = store_load(x->plan->variants[x->plan->n_variants - 1].graph, &so, d);
    if (!x->store) return false;
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

/* The largest difference of a float tensor, relative to its magnitude. */
static double worst_of(const model_t *x) {
    const results_t *want = &x->sides[0].hashed, *got = side_results(&x->sides[1]);
    double worst = 0;
    for (size_t i = 0; i < want->n; i++) {
        difference_t y = compare_tensors(&want->items[i], results_find(got, want->items[i].name));
        if (!y.integer) worst = fmax(worst, difference_relative(&y));
    }
    return worst;
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
    if (v.n_departures == 0) return want->hashed.n > 0;
    sbuf_t report = {0};
    verdict_print(&v, &x->plan->facts, NULL, &report);
    printf("%s", report.data);
    sbuf_free(&report);
    return false;
}

static bool run_one(int index, uint64_t seed, const others_t *o) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    draw_begin(seed, index);
    sample_t m = make_sample(a);
    model_t x = {0};
    double worst = 0;
    bool ok = open_model(a, &m, o, &x, d) && check_model(&m, o, &x, &worst, d);
    printf("%s %4d  %s, length %lld, batch %lld: %.1e\n", ok ? "ok  " : "FAIL", index,
           x.plan ? x.plan->targets[0]->name : "?", (long long)m.length, (long long)m.batch, worst);
    if (!ok) {
        printf("%s\n", m.text);
        diag_print(d, stdout);
    }
    for (int i = 0; i <= o->n; i++) side_free(&x.sides[i]);
    for (int i = 0; i < o->n; i++) exec_close(x.other[i]);
    exec_close(x.reference);
    store_free(x.store);
    diag_free(d);
    arena_free(a);
    return ok;
}

int main(int argc, char **argv) {
    return run_models(argc, argv, run_one);
}
