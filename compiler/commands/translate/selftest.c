/* The recording of selftest.h.
 *
 * The input is one row, as short as a model allows that its LSH layers still hash; its tokens are
 * drawn anew where a last bit would decide a bucket, since targets differ in last bits. */
#include "commands/translate/selftest.h"

#include <math.h>
#include <string.h>

#include "compare/compare.h"

enum { MAX_TOKENS = 400, FEW_TOKENS = 96, TRIES = 8 };

/* The reference rounds as the graph says, but a last bit decides now and then which of two numbers
 * of a small type a factor becomes. */
static double tolerance_of_spec(const spec_t *s) {
    if (spec_has_dtype(s, DTYPE_INT8)) return 0.03;
    return spec_has_dtype(s, DTYPE_BFLOAT16) ? 0.01 : TENSOR_TOLERANCE;
}

/* One and a half units are padded to two, of which one is a chunk that another looks back to; what
 * is compiled for one length pads to that. */
static int64_t choose_length(const plan_t *p) {
    const variant_plan_t *v = &p->variants[0];
    for (int k = 0; k < p->n_variants && !v->hashes; k++) v = &p->variants[k];
    int64_t length = v->unit ? v->unit + v->unit / 2 : FEW_TOKENS;
    if (length > MAX_TOKENS) length = FEW_TOKENS;
    return length < v->max_length ? length : v->max_length;
}

static void min_margin(void *ctx, const gnode_t *hash, const float *margin, int64_t n) {
    double *min = ctx;
    (void)hash;
    for (int64_t i = 0; i < n; i++)
        if ((double)margin[i] < *min) *min = (double)margin[i];
}

/* The input whose closest hash is clearest, of a few. */
static bool choose_ids(session_t *s, const exec_t *reference, inputs_t *in) {
    const double clear = 2 * NEAR_TIE;
    double best = -1;
    int32_t *ids = ARENA_ARRAY(s->arena, int32_t, in->length);
    for (uint64_t seed = 0; seed < TRIES && best < clear; seed++) {
        torch_rng_t g;
        torch_seed(&g, seed);
        for (int64_t i = 0; i < in->length; i++)
            ids[i] = (int32_t)(torch_u32(&g) % (uint64_t)s->model.facts.vocab);
        reformer_io_t io = {
            .size = sizeof io, .input_ids = ids, .batch = 1, .length = (size_t)in->length};
        double min = HUGE_VAL;
        if (!exec_hash_margins(reference, &io, min_margin, &min, s->d)) return false;
        if (min <= best) continue;
        best = min;
        memcpy(in->input_ids, ids, (size_t)in->length * sizeof *ids);
    }
    return true;
}

/* Places all over an output, the same for the same number of elements. */
static void sample(const result_t *r, int places, recorded_t *to) {
    const float *values = r->data;
    int64_t n = (int64_t)(r->bytes / sizeof *values);
    to->name = r->name;
    to->elements = n;
    to->n = (int)(n < places ? n : places);
    for (int i = 0; i < to->n; i++) {
        int64_t at = n * i / to->n + (to->n < n ? (i * 7919) % (n / to->n) : 0);
        to->at[i] = (int32_t)at;
        to->want[i] = values[at];
    }
    for (int64_t i = 0; i < n; i++)
        if (fabs((double)values[i]) > to->magnitude) to->magnitude = fabs((double)values[i]);
}

static bool record(session_t *s, exec_t *reference, selftest_t *t) {
    inputs_t in = {.path = "--selftest", .batch = 1, .length = choose_length(s->plan)};
    results_t outputs = {0};
    reformer_io_t io = {.size = sizeof io};
    in.input_ids = ARENA_ARRAY(s->arena, int32_t, in.length);
    bool ok = choose_ids(s, reference, &in) &&
              results_prepare(&outputs, &in, &s->plan->facts, &io, s->d) &&
              exec_forward(reference, &io, s->d);
    t->ids = in.input_ids;
    t->length = in.length;
    t->tolerance = tolerance_of_spec(s->spec);
    for (size_t i = 0; ok && i < outputs.n; i++) {
        sample(&outputs.items[i], SELFTEST_PLACES, &t->output[t->n_outputs]);
        recorded_t *r = &t->output[t->n_outputs++];
        r->name = arena_strdup(s->arena, r->name);
    }
    results_free(&outputs);
    return ok;
}

const selftest_t *selftest_record(session_t *s) {
    if (!s->weights) {
        diag_error(s->d, IN_FILE("--selftest"), "there are no weights to run the model with");
        diag_hint(s->d, "--weights FILE, or --weights random");
        return NULL;
    }
    selftest_t *t = ARENA_NEW(s->arena, selftest_t);
    exec_options_t o = {.backend = BACKEND_REFERENCE};
    exec_t *reference = exec_open(s->plan, s->store, &o, s->d);
    bool ok = reference && record(s, reference, t);
    exec_close(reference);
    return ok ? t : NULL;
}
