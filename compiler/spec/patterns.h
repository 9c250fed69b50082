/* Names and patterns of tensors, as no_decay and freeze list them.
 *
 * In: a list of the spec, the model's names (Hugging Face's). Out: which names it chooses. */
#ifndef REFORMERC_SPEC_PATTERNS_H
#define REFORMERC_SPEC_PATTERNS_H

#include "spec/spec.h"

/* As a shell matches names: * any text, ? one character, [a-z] one of these, [!a-z] none of these,
 * \x x itself. A * goes over dots, too: `reformer.encoder.*.bias` has every layer's. */
bool pattern_matches(const char *pattern, const char *name);

/* Sets chosen[i] for each of names[n] that the key's list chooses; none where it is not given. A
 * pattern without a name is an error at its place, with the nearest name; false after errors. */
bool spec_choose(arena_t *a, const spec_t *s, spec_key_t key, const char *const *names, size_t n,
                 bool *chosen, diag_t *d);

#endif
