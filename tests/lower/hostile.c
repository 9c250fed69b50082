/* Random models with hostile weights: products that overflow, NaN and infinities, zeros of either sign, numbers too
 * small to be normal, huge ones beside tiny ones.
 *
 *     hostile BACKEND[,BACKEND] COUNT SEED [CC]     BACKEND: interpreter | c | jit
 *
 * What comes out is a function of what goes in: a forward gives the same bytes whatever its workspace held, and all
 * back ends give the same bits, in forwards and in generation. NaN equals NaN: which one it is, IEEE 754 leaves open.
 * The reference computes in double, where other products overflow; it has to run. Every model prints one line; a
 * failing one prints its spec. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan_of.h"
#include "random_model.h"

enum { STEPS = 12, VOCAB = 23, SIDES = 1 + MAX_BACKENDS };

typedef struct {
    char *text;
    int64_t batch, length, hidden;
    bool causal;
} sample_t;

typedef struct {
    const sample_t *m;
    plan_t *plan;
    store_t *store;
    exec_t *reference, *other[MAX_BACKENDS];
    int n, threads;
    diag_t *d;
    int32_t *ids;
    float *out[SIDES]; /* [batch][length][VOCAB], the reference's last */
    size_t floats;
    int nans;
} run_t;

/* ---- a model ------------------------------------------------------------------------------------------- */

static sample_t make_sample(arena_t *a) {
    sample_t m = {.causal = draw(3) != 0};
    sbuf_t s = {0};
    bool exact = draw(4) == 0;
    int64_t local = PICK(2, 3, 4, 8), lsh = PICK(2, 3, 4, 8);
    if (exact) local = lsh = 128;
    m.batch = PICK(1, 2);
    m.length = exact ? PICK(20, 70) : PICK(5, 17, 40);
    m.hidden = PICK(8, 19, 40);
    sbuf_printf(&s, "architectures: [%s]\nis_decoder: %s\nvocab_size: %d\n",
                m.causal ? "ReformerModelWithLMHead" : "ReformerForMaskedLM",
                m.causal ? "true" : "false", VOCAB);
    random_layers(&s, 1 + (int)draw(2));
    random_chunks(&s, m.causal, local, lsh);
    random_positions(&s, m.hidden, m.length + STEPS + 2 * local * lsh);
    random_buckets(&s);
    random_widths(&s);
    random_norms(&s, draw(2) ? "0.15" : "1.5");
    sbuf_printf(&s, "compile: {batch_size: %lld, sequence_length: %s}\n", (long long)m.batch,
                exact ? "70" : "dynamic");
    m.text = arena_strdup(a, s.data);
    sbuf_free(&s);
    return m;
}

/* ---- hostile weights ------------------------------------------------------------------------------------- */

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float hostile(void) {
    static const uint32_t bits[] = {
        0x7F800000, 0xFF800000,                         /* infinities */
        0x7FC00000, 0xFFC00000, 0xFFFFFFFF, 0x7F800001, /* NaN */
        0x7F7FFFFF, 0xFF7FFFFF,                         /* the greatest */
        0x00000000, 0x80000000, 0x00000001, 0x807FFFFF, /* zeros, not normal */
    };
    if (draw(2)) return from_bits(bits[draw(sizeof bits / sizeof *bits)]);
    return ldexpf(draw(2) ? 1.0F : -1.0F, (int)draw(270) - 140);
}

/* Random weights are the store's own, in memory that may be written to. */
static void poison(float *x, int64_t n) {
    uint32_t kind = draw(5);
    float by = ldexpf(1, 5 + (int)draw(115));
    int64_t some = 1 + draw(3);
    if (kind == 0)
        for (int64_t i = 0; i < some; i++) x[draw((uint32_t)n)] = hostile();
    for (int64_t i = 0; i < n; i++) {
        if (kind == 1) x[i] *= by;
        if (kind == 2) x[i] = 0;
        if (kind == 3) x[i] = ldexpf(x[i], (int)draw(120) - 60);
        if (kind == 4 && draw(2)) x[i] *= by;
    }
}

static void poison_some(const run_t *r) {
    const graph_t *g = r->plan->variants[r->plan->n_variants - 1].graph;
    uint32_t one_in = (uint32_t)PICK(2, 6, 20);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        const tensor_t *t = n->op == G_PARAM ? store_find(r->store, n->name) : NULL;
        if (t && draw(one_in) == 0) poison((float *)(uintptr_t)t->data, t->elements);
    }
}

static bool open_model(arena_t *a, run_t *r, const others_t *o) {
    const sample_t *m = r->m;
    plan_options_t po = {.name = "model", .decodes = m->causal, .n_targets = 1};
    po.targets[0] = random_target(DTYPE_FLOAT32);
    r->plan = plan_of(a, m->text, &po, r->d);
    if (!r->plan) return false;
    store_options_t so = {.path = "random:7"};
    r->store = store_load(r->plan->variants[r->plan->n_variants - 1].graph, &so, r->d);
    if (!r->store) return false;
    poison_some(r);
    exec_options_t eo = {.backend = BACKEND_REFERENCE};
    r->reference = exec_open(r->plan, r->store, &eo, r->d);
    for (r->n = 0; r->reference && r->n < o->n; r->n++) {
        eo = (exec_options_t){.backend = o->backend[r->n], .cc = o->cc};
        r->other[r->n] = exec_open(r->plan, r->store, &eo, r->d);
        if (!r->other[r->n]) return false;
    }
    r->floats = (size_t)(m->batch * m->length) * VOCAB;
    for (int i = 0; i < SIDES; i++) r->out[i] = ARENA_ARRAY(a, float, r->floats);
    r->ids = ARENA_ARRAY(a, int32_t, m->batch * m->length);
    for (int64_t i = 0; i < m->batch * m->length; i++) r->ids[i] = (int32_t)draw(VOCAB);
    return r->reference != NULL;
}

/* ---- comparing ------------------------------------------------------------------------------------------- */

static bool same(float x, float y) {
    return memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y));
}

static bool sides_agree(run_t *r, const char *what, size_t n) {
    for (size_t k = 0; k < n; k++) {
        r->nans += isnan(r->out[0][k]) != 0;
        for (int i = 1; i < r->n; i++) {
            if (same(r->out[0][k], r->out[i][k])) continue;
            printf("  %s, element %zu: %a on side 0, %a on side %d\n", what, k,
                   (double)r->out[0][k], (double)r->out[i][k], i);
            return false;
        }
    }
    return true;
}

/* ---- forwards ---------------------------------------------------------------------------------------------- */

static bool forward(const run_t *r, const exec_t *e, int fill, float *logits) {
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = r->ids,
                        .batch = (size_t)r->m->batch,
                        .length = (size_t)r->m->length,
                        .threads = r->threads,
                        .logits = logits};
    size_t bytes = exec_workspace_bytes(e, io.length, io.threads);
    bytes = (bytes + 63) / 64 * 64 + 64;
    void *workspace = aligned_alloc(64, bytes);
    if (!workspace) return false;
    memset(workspace, fill, bytes);
    int code = exec_run(e, &io, workspace, bytes, r->d);
    free(workspace);
    if (code > REFORMER_OK) printf("  a forward returned %s\n", reformer_strerror(code));
    return code == REFORMER_OK;
}

static bool check_forward(arena_t *a, run_t *r) {
    static const int fills[] = {0x00, 0x01, 0x40, 0xFF};
    float *again = ARENA_ARRAY(a, float, r->floats);
    if (!forward(r, r->reference, 0, r->out[SIDES - 1])) return false;
    for (int i = 0; i < r->n; i++)
        for (size_t k = 0; k < sizeof fills / sizeof *fills; k++) {
            if (!forward(r, r->other[i], fills[k], k ? again : r->out[i])) return false;
            if (!k || memcmp(again, r->out[i], r->floats * sizeof(float)) == 0) continue;
            printf("  side %d depends on what its workspace held\n", i);
            return false;
        }
    return sides_agree(r, "logits of a forward", r->floats);
}

/* ---- generation -------------------------------------------------------------------------------------------- */

typedef int call_fn(exec_cache_t *c, const reformer_decode_t *io, diag_t *d);

static bool call_all(run_t *r, exec_cache_t **caches, call_fn *call, reformer_decode_t io,
                     const char *what) {
    io.batch = (size_t)r->m->batch;
    io.threads = r->threads;
    for (int i = 0; i <= r->n; i++) {
        io.logits = i < r->n ? r->out[i] : r->out[SIDES - 1];
        int code = call(caches[i], &io, r->d);
        if (code == REFORMER_OK) continue;
        printf("  %s of side %d returned %d\n", what, i, code);
        return false;
    }
    return sides_agree(r, what, (size_t)r->m->batch * VOCAB);
}

static bool generate(run_t *r, exec_cache_t **caches) {
    int64_t length = draw(2) ? r->m->length : 1;
    reformer_decode_t io = {.size = sizeof io, .input_ids = r->ids, .length = (size_t)length};
    if (!call_all(r, caches, exec_prefill, io, "logits of a prompt")) return false;
    for (int s = 0; s < STEPS; s++) {
        int32_t ids[2] = {(int32_t)draw(VOCAB), (int32_t)draw(VOCAB)};
        io = (reformer_decode_t){.size = sizeof(reformer_decode_t), .input_ids = ids};
        if (!call_all(r, caches, exec_step, io, "logits of a step")) return false;
    }
    return true;
}

static bool check_generation(run_t *r) {
    exec_cache_t *caches[SIDES] = {NULL};
    bool ok = true;
    for (int i = 0; ok && i <= r->n; i++) {
        const exec_t *e = i < r->n ? r->other[i] : r->reference;
        size_t prompt = (size_t)r->m->length;
        caches[i] = exec_cache_new(e, prompt + STEPS, prompt, r->threads, r->d);
        ok = caches[i] != NULL;
    }
    ok = ok && generate(r, caches);
    for (int i = 0; i <= r->n; i++) exec_cache_free(caches[i]);
    return ok;
}

static bool run_one(int index, uint64_t seed, const others_t *o) {
    arena_t *a = arena_new();
    draw_begin(seed, index);
    run_t r = {.d = diag_new(), .threads = 1 + (int)draw(2)};
    sample_t m = make_sample(a);
    r.m = &m;
    bool ok = open_model(a, &r, o) && check_forward(a, &r);
    ok = ok && (!m.causal || check_generation(&r));
    printf("%s %4d  %s, length %lld, batch %lld: %d NaN\n", ok ? "ok  " : "FAIL", index,
           r.plan ? r.plan->targets[0]->name : "?", (long long)m.length, (long long)m.batch,
           r.nans);
    if (!ok) {
        printf("%s\n", m.text);
        diag_print(r.d, stdout);
    }
    for (int i = 0; i < r.n; i++) exec_close(r.other[i]);
    exec_close(r.reference);
    store_free(r.store);
    diag_free(r.d);
    arena_free(a);
    return ok;
}

int main(int argc, char **argv) {
    return run_models(argc, argv, run_one);
}
