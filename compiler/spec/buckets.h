/* `num_buckets: null`: an artefact for several lengths takes the number for its greatest one at all
 * of them, where a fresh model of Hugging Face takes the number for the input at hand.
 * Said where the two differ. */
#ifndef REFORMERC_SPEC_BUCKETS_H
#define REFORMERC_SPEC_BUCKETS_H

#include "spec/spec.h"

/* What an artefact hashes into, and the length that decided it. */
typedef struct {
    const spec_t *spec;
    int layer; /* the first that hashes into what the length decided */
    int n;     /* factors; 0: none does */
    const int64_t *factors;
    int64_t longest;
} buckets_taken_t;

/* For an input of `length` tokens, `of` whom the message speaks: "line 3". True
 * where a warning was due. */
bool buckets_warn(const buckets_taken_t *t, int64_t length, const char *of, diag_t *d);
/* For code whose inputs are to come. */
void buckets_warn_ahead(const buckets_taken_t *t, diag_t *d);
/* The least length, of `from` or more, at which Hugging Face hashes: shorter
 * inputs see every key. */
int64_t buckets_first_hashed(const buckets_taken_t *t, int64_t from);

#endif
