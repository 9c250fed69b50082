/* In: a row, and the words of its place and number. Token i has block i of Philox: word 0 chooses it, word 1 says what
 * becomes of it, word 2 is the random id, so that no token's fate depends on another's. */
#include "data/masking.h"

static bool may_be_masked(const data_masking_t *m, int32_t id) {
    for (int i = 0; i < m->n_never; i++)
        if (m->never[i] == id) return false;
    return true;
}

/* True with this probability. */
static bool chance(uint32_t word, double probability) {
    return (double)word < probability * 4294967296.0;
}

static int32_t instead(const data_masking_t *m, int64_t vocabulary, random_t *words, int64_t i,
                       int32_t id) {
    random_block(words, (uint64_t)i);
    (void)random_word(words);
    uint32_t fate = random_word(words);
    if (chance(fate, m->masked)) return m->mask_id;
    if (chance(fate, m->masked + m->random))
        return (int32_t)random_below(words, (uint64_t)vocabulary);
    return id;
}

/* One of those that may be masked, by the first word behind all tokens' own. */
static void choose_one(const data_masking_t *m, random_t words, int64_t n, int64_t maskable,
                       const int32_t *ids, int32_t *labels) {
    random_block(&words, (uint64_t)n);
    int64_t rest = (int64_t)random_below(&words, (uint64_t)maskable);
    for (int64_t i = 0; i < n; i++)
        if (may_be_masked(m, ids[i]) && rest-- == 0) labels[i] = ids[i];
}

int64_t mask_row(const data_masking_t *m, int64_t vocabulary, random_t words, int64_t n,
                 int32_t *ids, int32_t *labels) {
    int64_t chosen = 0, maskable = 0;
    for (int64_t i = 0; i < n; i++) {
        random_block(&words, (uint64_t)i);
        bool may = may_be_masked(m, ids[i]), is = may && chance(random_word(&words), m->share);
        labels[i] = is ? ids[i] : DATA_IGNORED;
        maskable += may;
        chosen += is;
    }
    if (chosen == 0 && maskable > 0) {
        choose_one(m, words, n, maskable, ids, labels);
        chosen = 1;
    }
    for (int64_t i = 0; i < n; i++)
        if (labels[i] != DATA_IGNORED) ids[i] = instead(m, vocabulary, &words, i, ids[i]);
    return chosen;
}
