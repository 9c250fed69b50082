/* Random models, random inputs: back ends against the reference, tensor by tensor.
 *
 *     differential BACKEND[,BACKEND] COUNT SEED [CC]     BACKEND: interpreter | c | jit
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

/* ---- a small generator of its own, so that seeds mean the same everywhere ---------------------------- */

static uint64_t rng;

static uint32_t draw(uint32_t n) { /* 0 … n-1 */
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((rng >> 33) % n);
}
static int64_t pick(const int64_t *from, size_t n) {
    return from[draw((uint32_t)n)];
}
#define PICK(...)                                                                                  \
    pick((const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* ---- a model and an input ------------------------------------------------------------------------------ */

typedef struct {
    char *text;
    arch_t arch;
    /* Exact attention over several blocks of keys; queries too long to bound the scores. One layer: sums of all
     * values (Q1) and sharp softmaxes leave the next one less than the tolerance. */
    bool longer, large, hashes;
    int64_t batch, length, vocab, labels, hidden;
    uint8_t *mask;
    int32_t *ids, *targets, *start, *end;
    float *floats;
} sample_t;

static int64_t gcd(int64_t a, int64_t b) {
    return b ? gcd(b, a % b) : a;
}

static void write_layers(sbuf_t *s, sample_t *m, int n) {
    sbuf_puts(s, "attn_layers: [");
    for (int i = 0; i < n; i++) {
        bool lsh = draw(2);
        m->hashes |= lsh;
        sbuf_printf(s, "%s%s", i ? ", " : "", lsh ? "lsh" : "local");
    }
    sbuf_puts(s, "]\n");
}

static void write_positions(sbuf_t *s, sample_t *m, int64_t longest) {
    int64_t a = 1 + draw(9), b = 1 + draw(6);
    m->hidden = m->large ? PICK(40, 67) : PICK(8, 19, 32, 40, 67);
    sbuf_printf(s, "hidden_size: %lld\nmax_position_embeddings: %lld\n", (long long)m->hidden,
                (long long)(longest + draw(20)));
    if (draw(4) == 0) {
        sbuf_puts(s, "axial_pos_embds: false\n");
    } else if (draw(3) == 0) {
        int64_t c = (longest + a * b - 1) / (a * b);
        sbuf_printf(s, "axial_pos_shape: [%lld, %lld, %lld]\naxial_pos_embds_dim: [3, 2, %lld]\n",
                    (long long)a, (long long)b, (long long)c, (long long)(m->hidden - 5));
    } else {
        int64_t c = (longest + a - 1) / a;
        sbuf_printf(s, "axial_pos_shape: [%lld, %lld]\naxial_pos_embds_dim: [5, %lld]\n",
                    (long long)a, (long long)c, (long long)(m->hidden - 5));
    }
}

static void write_buckets(sbuf_t *s) {
    static const char *const choices[] = {"2",      "4",         "6",    "10",  "[2, 4]",
                                          "[4, 6]", "[2, 2, 4]", "[34]", "null"};
    sbuf_printf(s, "num_buckets: %s\nnum_hashes: %u\nhash_seed: %u\n", choices[draw(9)],
                1 + draw(4), draw(1000));
}

static void write_chunks(sbuf_t *s, bool causal, int64_t local, int64_t lsh) {
    sbuf_printf(s, "local_attn_chunk_length: %lld\nlsh_attn_chunk_length: %lld\n", (long long)local,
                (long long)lsh);
    sbuf_printf(s, "local_num_chunks_before: %u\nlsh_num_chunks_before: %u\n", draw(4), draw(4));
    sbuf_printf(s, "local_num_chunks_after: %u\nlsh_num_chunks_after: %u\n", causal ? 0 : draw(3),
                causal ? 0 : draw(3));
}

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
    bool causal = m->arch == ARCH_CAUSAL_LM || (m->arch != ARCH_MASKED_LM && draw(2));
    sbuf_printf(s, "architectures: [%s]\nis_decoder: %s\nnum_labels: %lld\n", archs[which].name,
                causal ? "true" : "false", (long long)m->labels);
    int64_t local = PICK(2, 3, 4, 5, 8, 12, 16), lsh = PICK(2, 3, 4, 5, 8, 12, 16);
    if (m->longer) local = lsh = 320;
    write_chunks(s, causal, local, lsh);
    int64_t lcm = local / gcd(local, lsh) * lsh;
    m->length = m->longer ? 70 + draw(231) : 1 + draw(96);
    write_positions(s, m, (m->length + lcm - 1) / lcm * lcm);
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
    sample_t m = {.batch = 1 + draw(3), .vocab = PICK(11, 64, 258)};
    sbuf_t s = {0};
    uint32_t kind = draw(8);
    m.longer = kind <= 1;
    m.large = kind >= 1 && kind <= 3;
    write_layers(&s, &m, kind <= 3 ? 1 : 1 + (int)draw(4));
    write_head(&s, &m);
    write_buckets(&s);
    sbuf_printf(&s, "num_attention_heads: %u\nattention_head_size: %lld\nfeed_forward_size: %lld\n",
                1 + draw(4), (long long)PICK(4, 7, 16, 20, 33), (long long)PICK(8, 30, 64));
    sbuf_printf(&s, "vocab_size: %lld\nhidden_act: %s\n", (long long)m.vocab,
                act_name((act_t)draw(ACT_COUNT)));
    sbuf_printf(&s, "initializer_range: %s\n", !m.large ? "0.15" : m.hashes ? "1.5" : "0.6");
    sbuf_printf(&s, "layer_norm_eps: 1e-12\npad_token_id: %u\n", draw(5));
    write_compile(&s, &m);
    m.text = arena_strdup(a, s.data);
    sbuf_free(&s);
    make_input(a, &m);
    return m;
}

/* ---- back ends ----------------------------------------------------------------------------------------------- */

enum { MOST = 3 };

typedef struct {
    backend_t backend[MOST];
    int n;
    const char *cc;
} others_t;

/* ---- one model ---------------------------------------------------------------------------------------------- */

typedef struct {
    plan_t *plan;
    store_t *store;
    exec_t *reference, *other[MOST];
    side_t sides[1 + MOST]; /* the reference, the others */
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
    int best = T_X86_64;
    while (best < T_X86_64_V4 && reformer_cpu_supports(best + 1)) best++;
    po.targets[0] = &targets[draw((uint32_t)best + 1)];
    x->plan = plan_make(a, s, &po, d);
    if (!x->plan) return false;
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
    const side_t *all[1 + MOST] = {want};
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
    verdict_print(&v, x->plan->spec, NULL, &report);
    printf("%s", report.data);
    sbuf_free(&report);
    return false;
}

static bool run_one(int index, uint64_t seed, const others_t *o) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    rng = seed * 1000003 + (uint64_t)index;
    for (int i = 0; i < 8; i++) draw(2);
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

/* "jit,c": what is compared with the reference. */
static bool parse_others(const char *text, others_t *o) {
    diag_t *d = diag_new();
    bool ok = true;
    char name[32];
    for (const char *p = text; ok && *p; p += strcspn(p, ","), p += *p == ',') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(p, ","), p);
        ok = o->n < MOST && backend_parse(name, "differential", &o->backend[o->n++], d);
    }
    diag_print(d, stderr);
    diag_free(d);
    return ok && o->n > 0;
}

int main(int argc, char **argv) {
    others_t o = {.cc = argc > 4 ? argv[4] : NULL};
    if (argc < 4 || !parse_others(argv[1], &o)) {
        fprintf(stderr, "usage: differential BACKEND[,BACKEND] COUNT SEED [CC]\n");
        return 2;
    }
    int count = atoi(argv[2]), failed = 0;
    for (int i = 0; i < count; i++) failed += !run_one(i, strtoull(argv[3], NULL, 10), &o);
    printf("%d passed, %d failed\n", count - failed, failed);
    return failed > 0;
}
