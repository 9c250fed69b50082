/* `--input random[:SEED]`: tokens for models that have no text at hand.
 *
 * In: the model and a seed. Out: what inputs_read() would have given for a file of such tensors;
 * the same on every machine. Labels of the head stand with them, so that the
 * loss is computed too. */
#include "tensors/tensors.h"

/* `open_length` is for code that takes several. */
static int64_t random_length(const loaded_model_t *m, int64_t open_length) {
    int64_t lengths[MAX_GRAPHS];
    int n = model_lengths(m, lengths);
    int64_t max = n > 0 ? lengths[n - 1] : m->facts.longest;
    if (n == 1) return max;
    if (open_length) return open_length < max ? open_length : max;
    return n > 0 || max < RANDOM_LENGTH ? max : RANDOM_LENGTH;
}

static int32_t *draw(arena_t *a, torch_rng_t *g, int64_t n, int64_t below) {
    int32_t *x = ARENA_ARRAY(a, int32_t, n);
    for (int64_t i = 0; i < n; i++) x[i] = (int32_t)(torch_u32(g) % (uint64_t)below);
    return x;
}

/* Which labels a classifier takes when problem_type leaves it open: inputs.c,
 * read_integer_labels. */
static void draw_classes(inputs_t *in, arena_t *a, const facts_t *f, torch_rng_t *g) {
    bool classes =
        f->problem == PROBLEM_SINGLE_LABEL || (f->problem == PROBLEM_UNSET && f->labels > 1);
    if (classes) {
        in->labels = draw(a, g, in->batch, f->labels);
        return;
    }
    bool several = f->problem == PROBLEM_MULTI_LABEL;
    int64_t n = in->batch * f->labels;
    in->labels_f32 = ARENA_ARRAY(a, float, n);
    for (int64_t i = 0; i < n; i++)
        in->labels_f32[i] = several ? (float)(torch_u32(g) % 2) : torch_uniform(g);
}

static void draw_labels(inputs_t *in, arena_t *a, const facts_t *f, torch_rng_t *g) {
    switch (f->head) {
    case ARCH_CAUSAL_LM:
    case ARCH_MASKED_LM: in->labels = draw(a, g, in->batch * in->length, f->vocab); break;
    case ARCH_CLASSIFIER: draw_classes(in, a, f, g); break;
    case ARCH_QA:
        in->start_positions = draw(a, g, in->batch, in->length);
        in->end_positions = draw(a, g, in->batch, in->length);
        break;
    case ARCH_BASE:
    case ARCH_UNSET: break;
    }
}

bool inputs_random(inputs_t *in, arena_t *a, const loaded_model_t *m, const char *text,
                   int64_t open_length, diag_t *d) {
    const facts_t *f = &m->facts;
    uint64_t seed;
    bool bad_seed;
    if (!names_random(text, &seed, &bad_seed)) bug("random input '%s'", text);
    if (bad_seed) {
        diag_error(d, IN_FILE("--input"),
                   "'%s': after 'random:' a whole number is needed, the seed", text);
        return false;
    }
    torch_rng_t g;
    torch_seed(&g, seed);
    *in = (inputs_t){
        .path = "--input", .batch = model_batch(m), .length = random_length(m, open_length)};
    in->input_ids = draw(a, &g, in->batch * in->length, f->vocab);
    draw_labels(in, a, f, &g);
    return true;
}

bool inputs_open(inputs_t *in, arena_t *a, const loaded_model_t *m, const char *path, diag_t *d) {
    uint64_t seed;
    bool bad_seed; /* said where the seed is used */
    return names_random(path, &seed, &bad_seed) ? inputs_random(in, a, m, path, 0, d)
                                                : inputs_read(in, a, &m->facts, path, d);
}
