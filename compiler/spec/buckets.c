/* The warnings of buckets.h. In: what an artefact takes, and the length of an input. Out: a warning
 * at the key, with both numbers and what to write.
 *
 * Hugging Face's rule (LSHSelfAttention._set_num_buckets) looks at the padded length of the first
 * input that is long enough to be hashed, and keeps what it found there. An artefact's number is
 * part of its weights' fingerprint (the rotations are drawn for it), so that it is one for all
 * lengths. An artefact for one length is equal to Hugging Face's model for inputs padded to it:
 * nothing is to be said of it. */
#include "spec/buckets.h"

#include <string.h>

typedef struct {
    int n; /* 0: nothing is hashed */
    int64_t factors[MAX_FACTORS];
} bucket_choice_t;

static bucket_choice_t of_huggingface(const buckets_taken_t *t, int64_t length) {
    const spec_t *s = t->spec;
    bucket_choice_t c = {0};
    int64_t padded = spec_padded_length(s, length);
    if (padded > spec_layer(s, t->layer).chunk_length)
        c.n = spec_bucket_factors(s, t->layer, padded, c.factors);
    return c;
}

static bucket_choice_t chosen(const buckets_taken_t *t) {
    bucket_choice_t c = {.n = t->n};
    memcpy(c.factors, t->factors, sizeof *t->factors * (size_t)t->n);
    return c;
}

static bool same(const bucket_choice_t *x, const bucket_choice_t *y) {
    return x->n == y->n && memcmp(x->factors, y->factors, sizeof *x->factors * (size_t)x->n) == 0;
}

/* "64", "[8, 16]" */
static const char *value_of(arena_t *a, const bucket_choice_t *c) {
    const char *text = c->n > 1 ? "[" : "";
    for (int i = 0; i < c->n; i++)
        text = arena_printf(a, "%s%s%lld", text, i ? ", " : "", (long long)c->factors[i]);
    return c->n > 1 ? arena_printf(a, "%s]", text) : text;
}

/* What a shell takes as one word. */
static const char *setting_of(arena_t *a, const bucket_choice_t *c) {
    const char *quote = c->n > 1 ? "'" : "";
    return arena_printf(a, "--set %snum_buckets=%s%s", quote, value_of(a, c), quote);
}

/* Whether the spec leaves the number open, and inputs of several lengths meet. */
static bool open_to_all(const buckets_taken_t *t) {
    const spec_t *s = t->spec;
    bool listed = s->compile.length_mode == LENGTH_FIXED || s->compile.length_mode == LENGTH_LIST;
    return !s->of_graph && t->n > 0 && spec_layer(s, t->layer).n_bucket_factors == 0 &&
           !(listed && s->compile.n_lengths == 1);
}

bool buckets_warn(const buckets_taken_t *t, int64_t length, const char *of, diag_t *d) {
    if (!open_to_all(t)) return false;
    bucket_choice_t here = chosen(t), theirs = of_huggingface(t, length);
    if (theirs.n == 0 || same(&here, &theirs)) return false;
    arena_t *a = arena_new();
    diag_warning(d, t->spec->at[KEY_num_buckets],
                 "'num_buckets' is null: %s is taken, the number for %lld tokens; Hugging Face "
                 "takes %s for the %lld token%s of %s",
                 value_of(a, &here), (long long)t->longest, value_of(a, &theirs), (long long)length,
                 length == 1 ? "" : "s", of);
    diag_hint(d, "%s is Hugging Face's choice; %s settles this one", setting_of(a, &theirs),
              setting_of(a, &here));
    arena_free(a);
    return true;
}

/* With mixed chunks, what is longer than the shortest one may be padded beyond an LSH chunk. */
int64_t buckets_first_hashed(const buckets_taken_t *t, int64_t from) {
    const spec_t *s = t->spec;
    int64_t min = spec_min_chunk(s) + 1, chunk = spec_layer(s, t->layer).chunk_length;
    if (spec_padded_length(s, min) <= chunk) min = chunk + 1;
    return from > min ? from : min;
}

/* The shortest input that is meant to come and is hashed; 0: none is shorter than others. */
static int64_t shortest(const buckets_taken_t *t) {
    const spec_t *s = t->spec;
    if (s->compile.length_mode == LENGTH_DYNAMIC) return buckets_first_hashed(t, 1);
    for (int i = 0; s->compile.length_mode == LENGTH_LIST && i < s->compile.n_lengths; i++)
        if (of_huggingface(t, s->compile.lengths[i]).n) return s->compile.lengths[i];
    return 0;
}

void buckets_warn_ahead(const buckets_taken_t *t, diag_t *d) {
    int64_t length = open_to_all(t) ? shortest(t) : 0;
    if (length == 0) return;
    bucket_choice_t here = chosen(t), theirs = of_huggingface(t, length);
    if (theirs.n == 0 || same(&here, &theirs)) return;
    arena_t *a = arena_new();
    diag_warning(d, t->spec->at[KEY_num_buckets],
                 "'num_buckets' is null: %s is taken at every length, the number for %lld tokens; "
                 "Hugging Face takes that of each input, from %s for %lld tokens on",
                 value_of(a, &here), (long long)t->longest, value_of(a, &theirs),
                 (long long)length);
    diag_hint(d, "--set num_buckets=N, as in training; %s settles this one", setting_of(a, &here));
    arena_free(a);
}
