/* In: a row of n tokens, and the words of its place and number. Word i chooses token i or not.
 * Behind these words, from block b = n / 4 + 1 on, token i has block b + i: its first word says
 * what becomes of it, the second is the random id. Block b + n tells which one is chosen
 * where chance takes none. */
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

/* Token i of n, or with i = n what comes behind all of them. */
static void own_block(random_t *words, int64_t n, int64_t i) {
    random_block(words, (uint64_t)(n / 4 + 1 + i));
}

static int32_t instead(const data_masking_t *m, int64_t vocabulary, random_t *words, int32_t id) {
    uint32_t fate = random_word(words);
    if (chance(fate, m->masked)) return m->mask_id;
    if (chance(fate, m->masked + m->random))
        return (int32_t)random_below(words, (uint64_t)vocabulary);
    return id;
}

/* One of those that may be masked. */
static void choose_one(const data_masking_t *m, random_t words, int64_t n, int64_t maskable,
                       const int32_t *ids, int32_t *labels) {
    own_block(&words, n, n);
    int64_t rest = (int64_t)random_below(&words, (uint64_t)maskable);
    for (int64_t i = 0; i < n; i++)
        if (may_be_masked(m, ids[i]) && rest-- == 0) labels[i] = ids[i];
}

int64_t mask_row(const data_masking_t *m, int64_t vocabulary, random_t words, int64_t n,
                 int32_t *ids, int32_t *labels) {
    int64_t chosen = 0, maskable = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t word = random_word(&words);
        bool may = may_be_masked(m, ids[i]), is = may && chance(word, m->share);
        labels[i] = is ? ids[i] : DATA_IGNORED;
        maskable += may;
        chosen += is;
    }
    if (chosen == 0 && maskable > 0) {
        choose_one(m, words, n, maskable, ids, labels);
        chosen = 1;
    }
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] == DATA_IGNORED) continue;
        own_block(&words, n, i);
        ids[i] = instead(m, vocabulary, &words, ids[i]);
    }
    return chosen;
}
