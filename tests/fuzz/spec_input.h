/* What must hold for any bytes read as a spec; shared by the fuzzer and by the seeded test. */
#ifndef REFORMERC_TESTS_FUZZ_SPEC_INPUT_H
#define REFORMERC_TESTS_FUZZ_SPEC_INPUT_H

#include "must.h"
#include "spec/spec.h"

/* Derived facts of an accepted spec are sane, and its config.json is the same spec. */
static void accepted_is_sane(arena_t *a, spec_t *s, diag_t *d) {
    int64_t max = spec_max_length(s), factors[MAX_FACTORS];
    MUST(max >= 1 && spec_padded_length(s, max) <= s->max_position_embeddings);
    MUST(spec_padded_length(s, max) >= max && spec_lcm(s) >= spec_min_chunk(s));
    int lsh = spec_first_layer(s, true);
    int n = lsh < 0 ? 1 : spec_bucket_factors(s, lsh, spec_padded_length(s, max), factors);
    MUST(n >= 1 && n <= MAX_FACTORS);
    sbuf_t first = {0}, second = {0};
    spec_to_config_json(s, &first);
    spec_t *again = spec_parse(a, "again.json", first.data, first.size, NULL, 0, d);
    MUST(again && diag_errors(d) == 0);
    spec_to_config_json(again, &second);
    MUST(strcmp(first.data, second.data) == 0);
    sbuf_free(&first);
    sbuf_free(&second);
    spec_resolve_architecture(s, false, false, false, d);
}

/* True when the bytes were accepted. */
static bool spec_one_input(const char *text, size_t bytes) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    spec_t *s = spec_parse(a, "fuzz.yaml", text, bytes, NULL, 0, d);
    bool accepted = s != NULL;
    MUST(accepted == (diag_errors(d) == 0));
    must_be_told_well(d, accepted);
    if (s && s->num_labels < 1000) accepted_is_sane(a, s, d);
    diag_free(d);
    arena_free(a);
    return accepted;
}

#endif
