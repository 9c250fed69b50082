/* Random models, random inputs: a back end against the reference, tensor by tensor.
 *
 *     differential BACKEND COUNT SEED [CC]     BACKEND: interpreter | c
 *
 * Sizes are drawn so that nothing divides nicely: heads of 7 or 33, chunks of 3 and 5, windows that reach
 * beyond all chunks, lengths that need padding, masks with holes. A model whose buckets differ somewhere is
 * accepted only if every differing row is a near-tie of the hash (margin below 1e-5 of the norm); then both
 * sides run again with the reference's buckets imposed. Every model prints one line; a failing one prints its
 * spec, so that it can be kept as a case. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/exec.h"
#include "graph/evaluate.h"

enum { MAX_TENSORS = 256 };
static const double tolerance = 2e-5, loss_tolerance = 1e-5, near_tie = 1e-5;

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
    int64_t batch, length, vocab, labels, hidden;
    uint8_t *mask;
    int32_t *ids, *targets, *start, *end;
    float *floats;
} sample_t;

static int64_t gcd(int64_t a, int64_t b) {
    return b ? gcd(b, a % b) : a;
}

static void write_layers(sbuf_t *s, int n) {
    sbuf_puts(s, "attn_layers: [");
    for (int i = 0; i < n; i++) sbuf_printf(s, "%s%s", i ? ", " : "", draw(2) ? "lsh" : "local");
    sbuf_puts(s, "]\n");
}

static void write_positions(sbuf_t *s, sample_t *m, int64_t longest) {
    int64_t a = 1 + draw(9), b = 1 + draw(6);
    m->hidden = PICK(8, 19, 32, 40, 67);
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
    write_chunks(s, causal, local, lsh);
    int64_t lcm = local / gcd(local, lsh) * lsh;
    m->length = 1 + draw(96);
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
    write_layers(&s, 1 + (int)draw(4));
    write_head(&s, &m);
    write_buckets(&s);
    sbuf_printf(&s, "num_attention_heads: %u\nattention_head_size: %lld\nfeed_forward_size: %lld\n",
                1 + draw(4), (long long)PICK(4, 7, 16, 20, 33), (long long)PICK(8, 30, 64));
    sbuf_printf(&s, "vocab_size: %lld\nhidden_act: %s\n", (long long)m.vocab,
                act_name((act_t)draw(ACT_COUNT)));
    sbuf_printf(&s, "initializer_range: 0.15\nlayer_norm_eps: 1e-12\npad_token_id: %u\n", draw(5));
    write_compile(&s, &m);
    m.text = arena_strdup(a, s.data);
    sbuf_free(&s);
    make_input(a, &m);
    return m;
}

/* ---- running ------------------------------------------------------------------------------------------- */

typedef struct {
    char *name;
    int dtype, rank;
    int64_t shape[4], n;
    void *data;
} kept_t;

typedef struct {
    arena_t *arena;
    kept_t tensors[MAX_TENSORS];
    int n;
} result_t;

static void keep(void *ctx, const char *name, const void *data, int dtype, const int64_t *shape,
                 int rank) {
    result_t *r = ctx;
    if (r->n == MAX_TENSORS || rank > 4) bug("more than %d tensors, or rank %d", MAX_TENSORS, rank);
    kept_t *k = &r->tensors[r->n++];
    *k = (kept_t){.name = arena_strdup(r->arena, name), .dtype = dtype, .rank = rank, .n = 1};
    for (int i = 0; i < rank; i++) k->n *= k->shape[i] = shape[i];
    k->data = arena_copy(r->arena, data, (size_t)k->n * 4);
}

static void keep_flat(result_t *r, const char *name, const float *data, size_t n) {
    int64_t shape = (int64_t)n;
    if (data) keep(r, name, data, REFORMER_F32, &shape, 1);
}

typedef struct {
    int32_t *all; /* [lsh layers][batch][heads][rounds][padded] */
    uint8_t *given;
} imposed_t;

static bool forward(exec_t *e, const sample_t *m, const imposed_t *imposed, result_t *r,
                    diag_t *d) {
    size_t n = (size_t)(m->batch * m->length), rows = (size_t)m->batch;
    size_t classes = (size_t)(m->arch == ARCH_CLASSIFIER ? m->labels : m->vocab);
    size_t logits = m->arch == ARCH_CLASSIFIER ? rows * classes : n * classes;
    reformer_io_t io = {.input_ids = m->ids,
                        .attention_mask = m->mask,
                        .batch = rows,
                        .length = (size_t)m->length,
                        .threads = 1 + (int)draw(2)};
    io.last_hidden_state = ARENA_ARRAY(r->arena, float, n * 2 * (size_t)m->hidden);
    io.trace = keep;
    io.trace_ctx = r;
    if (m->arch != ARCH_BASE) io.loss = ARENA_ARRAY(r->arena, float, 1);
    if (m->arch == ARCH_QA) {
        io.start_logits = ARENA_ARRAY(r->arena, float, n);
        io.end_logits = ARENA_ARRAY(r->arena, float, n);
        io.start_positions = m->start;
        io.end_positions = m->end;
    } else if (m->arch != ARCH_BASE) {
        io.logits = ARENA_ARRAY(r->arena, float, logits);
        bool floats = m->arch == ARCH_CLASSIFIER && (m->labels == 1 || m->start[0] % 2);
        if (floats) io.labels_f32 = m->floats;
        else io.labels = m->targets;
    }
    if (imposed) {
        io.buckets = imposed->all;
        io.buckets_given = imposed->given;
    }
    if (!exec_forward(e, &io, d)) return false;
    keep_flat(r, "last_hidden_state", io.last_hidden_state, n * 2 * (size_t)m->hidden);
    keep_flat(r, "logits", io.logits, logits);
    keep_flat(r, "start_logits", io.start_logits, n);
    keep_flat(r, "end_logits", io.end_logits, n);
    keep_flat(r, "loss", io.loss, 1);
    return true;
}

/* ---- comparing ------------------------------------------------------------------------------------------ */

static const kept_t *find(const result_t *r, const char *name) {
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->tensors[i].name, name) == 0) return &r->tensors[i];
    return NULL;
}

/* Code compiled for more rows or tokens than were given traces them all, the given ones first. */
static bool comparable(const kept_t *want, const kept_t *got) {
    if (!got || got->rank != want->rank || got->dtype != want->dtype) return false;
    for (int i = 0; i < want->rank; i++)
        if (got->shape[i] < want->shape[i]) return false;
    return true;
}

/* Where element i of `want` stands in `got`. */
static int64_t place(const kept_t *want, const kept_t *got, int64_t i) {
    int64_t at = 0, stride = 1;
    for (int k = want->rank - 1; k >= 0; k--) {
        at += i % want->shape[k] * stride;
        i /= want->shape[k];
        stride *= got->shape[k];
    }
    return at;
}

static bool equal(const kept_t *want, const kept_t *got) {
    if (!comparable(want, got)) return false;
    const int32_t *x = want->data, *y = got->data;
    for (int64_t i = 0; i < want->n; i++)
        if (x[i] != y[place(want, got, i)]) return false;
    return true;
}

/* Largest difference over max(1, magnitude); infinite where shapes or NaNs differ. */
static double difference(const kept_t *want, const kept_t *got) {
    if (!comparable(want, got)) return INFINITY;
    const float *x = want->data, *y = got->data;
    double most = 1, worst = 0;
    for (int64_t i = 0; i < want->n; i++)
        if (fabs(x[i]) > most) most = fabs(x[i]);
    for (int64_t i = 0; i < want->n; i++) {
        float other = y[place(want, got, i)];
        if (isnan(x[i]) && isnan(other)) continue;
        double e = fabs((double)x[i] - other);
        if (!(e <= worst)) worst = e;
    }
    return isnan(worst) ? INFINITY : worst / most;
}

static bool is_buckets(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".buckets") == 0;
}

static bool same_buckets(const result_t *want, const result_t *got) {
    for (int i = 0; i < want->n; i++) {
        const kept_t *x = &want->tensors[i];
        if (is_buckets(x->name) && !equal(x, find(got, x->name))) return false;
    }
    return true;
}

static bool compare(const result_t *want, const result_t *got, double *worst) {
    for (int i = 0; i < want->n; i++) {
        const kept_t *x = &want->tensors[i], *y = find(got, x->name);
        double e = x->dtype == REFORMER_F32 ? difference(x, y) : equal(x, y) ? 0 : INFINITY;
        if (e > *worst) *worst = e;
        if (e > (strcmp(x->name, "loss") == 0 ? loss_tolerance : tolerance)) {
            printf("  %s differs by %g\n", x->name, e);
            return false;
        }
    }
    return true;
}

/* ---- near-ties -------------------------------------------------------------------------------------------- */

typedef struct {
    const result_t *want, *got;
    bool decided, excused;
    long rows;
} ties_t;

/* The first layer that departs decides: below it nothing is comparable. */
static void check_margin(void *ctx, const gnode_t *hash, const float *margin, int64_t n) {
    ties_t *t = ctx;
    if (t->decided) return;
    const kept_t *x = find(t->want, hash->trace), *y = find(t->got, hash->trace);
    if (!x || x->n != n || !comparable(x, y)) return;
    const int32_t *a = x->data, *b = y->data;
    bool excused = true;
    for (int64_t i = 0; i < n; i++)
        if (a[i] != b[place(x, y, i)]) {
            t->decided = true;
            t->rows++;
            if (!(margin[i] < near_tie)) excused = false;
        }
    if (t->decided) t->excused = excused;
}

static const float *param(void *ctx, const char *name) {
    return store_find(ctx, name)->data;
}

static imposed_t impose(arena_t *a, const result_t *r) {
    imposed_t x = {NULL, NULL};
    sbuf_t all = {0};
    size_t layers = 0;
    for (int i = 0; i < r->n; i++)
        if (is_buckets(r->tensors[i].name)) {
            sbuf_write(&all, r->tensors[i].data, (size_t)r->tensors[i].n * 4);
            layers++;
        }
    if (layers) x.all = arena_copy(a, all.data, all.size);
    x.given = ARENA_ARRAY(a, uint8_t, layers + 1);
    memset(x.given, 1, layers + 1);
    sbuf_free(&all);
    return x;
}

/* ---- one model ---------------------------------------------------------------------------------------------- */

typedef struct {
    plan_t *plan;
    store_t *store;
    exec_t *reference, *other;
} model_t;

static bool open_model(arena_t *a, const sample_t *m, const exec_options_t *o, model_t *x,
                       diag_t *d) {
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
    x->other = x->reference ? exec_open(x->plan, x->store, o, d) : NULL;
    return x->other != NULL;
}

static bool check_model(arena_t *a, const sample_t *m, model_t *x, double *worst, diag_t *d) {
    result_t want = {.arena = a}, got = {.arena = a};
    if (!forward(x->reference, m, NULL, &want, d) || !forward(x->other, m, NULL, &got, d))
        return false;
    if (same_buckets(&want, &got)) return compare(&want, &got, worst);
    ties_t t = {.want = &want, .got = &got};
    const graph_t *g = x->plan->variants[x->plan->n_variants - 1].graph;
    reformer_io_t io = {.input_ids = m->ids,
                        .attention_mask = m->mask,
                        .batch = (size_t)m->batch,
                        .length = (size_t)m->length};
    if (!dim_literal(g->padded) || m->batch != g->batch) t.decided = t.excused = true;
    else graph_hash_margins(g, param, x->store, &io, check_margin, &t);
    if (!t.excused) {
        printf("  buckets differ beyond near-ties\n");
        return false;
    }
    printf("  %ld near-ties: imposed\n", t.rows);
    imposed_t imposed = impose(a, &want);
    result_t want2 = {.arena = a}, got2 = {.arena = a};
    return forward(x->reference, m, &imposed, &want2, d) &&
           forward(x->other, m, &imposed, &got2, d) && compare(&want2, &got2, worst);
}

static bool run_one(int index, uint64_t seed, const exec_options_t *o) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    rng = seed * 1000003 + (uint64_t)index;
    for (int i = 0; i < 8; i++) draw(2);
    sample_t m = make_sample(a);
    model_t x = {0};
    double worst = 0;
    bool ok = open_model(a, &m, o, &x, d) && check_model(a, &m, &x, &worst, d);
    printf("%s %4d  %s, length %lld, batch %lld: %.1e\n", ok ? "ok  " : "FAIL", index,
           x.plan ? x.plan->targets[0]->name : "?", (long long)m.length, (long long)m.batch, worst);
    if (!ok) {
        printf("%s\n", m.text);
        diag_print(d, stdout);
    }
    exec_close(x.other);
    exec_close(x.reference);
    store_free(x.store);
    diag_free(d);
    arena_free(a);
    return ok;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: differential interpreter|c COUNT SEED [CC]\n");
        return 2;
    }
    exec_options_t o = {.backend = strcmp(argv[1], "c") == 0 ? BACKEND_C : BACKEND_INTERPRETER,
                        .cc = argc > 4 ? argv[4] : NULL};
    int count = atoi(argv[2]), failed = 0;
    for (int i = 0; i < count; i++) failed += !run_one(i, strtoull(argv[3], NULL, 10), &o);
    printf("%d passed, %d failed\n", count - failed, failed);
    return failed > 0;
}
