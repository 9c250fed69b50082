/* Which keys a training has for good (spec_fixed_values). Everything that decides a number of a
 * later step is one of them; what decides when the training ends and what is told
 * and kept of it is none. */
#include <string.h>

#include "spec/schema.h"
#include "support/hash.h"

/* Of train:, what may change. Files may move: what stands in them is compared by others. */
static const spec_key_t may_change[] = {
    KEY_train_text,
    KEY_train_eval_text,
    KEY_train_weights,
    KEY_train_new_head, /* of the weights that it began with */
    KEY_train_steps,
    KEY_train_epochs,
    KEY_train_minutes,
    KEY_train_eval_every,
    KEY_train_patience,
    KEY_train_save_every, /* steps */
    KEY_train_save_minutes,
    KEY_train_keep,
    KEY_train_log_every,
    KEY_train_sample_every,
    KEY_train_sample_prompt,
    KEY_train_sample_tokens,
    KEY_train_schedule_warmup_steps, /* `warmup` is the same number */
};

static bool is_fixed(spec_key_t key) {
    const key_info_t *k = &schema[key];
    if (k->role == ROLE_MODEL || k->role == ROLE_TRAIN) return true;
    if (strncmp(k->section, "train", 5) != 0) return false;
    for (size_t i = 0; i < sizeof may_change / sizeof *may_change; i++)
        if (may_change[i] == key) return false;
    return true;
}

/* Where no schedule reads it, the number of steps stands in `total` all the same. */
static bool counts(const spec_t *s, spec_key_t key) {
    return key != KEY_train_schedule_total || schedule_ends(s->train.schedule.type);
}

void spec_free_keys(sbuf_t *out) {
    for (size_t i = 0; i < sizeof may_change / sizeof *may_change; i++)
        sbuf_printf(out, "%s%s", i ? ", " : "", schema[may_change[i]].full + strlen("train."));
}

/* As print_key_value() has it. */
static const char *default_of(arena_t *a, spec_key_t key) {
    const key_info_t *k = &schema[key];
    bool word = k->kind == KIND_WORD && k->standard && strcmp(k->standard, "null") != 0;
    return word ? arena_printf(a, "\"%s\"", k->standard) : NULL;
}

/* Names of files are left out, so that a spec means the same wherever it stands. */
uint64_t spec_digest(const spec_t *s) {
    uint64_t h = HASH64_INIT;
    for (int k = 0; k < KEY_COUNT; k++) {
        const key_info_t *key = &schema[k];
        bool compiles = strcmp(key->section, "compile") == 0;
        if (!is_fixed((spec_key_t)k) && !(compiles && s->given[k])) continue;
        if (key->kind == KIND_STRING || key->kind == KIND_TEXT) continue;
        sbuf_t value = {0};
        if (print_key_value(s, (spec_key_t)k, &value)) {
            h = hash64(h, key->full, strlen(key->full) + 1);
            h = hash64(h, value.data, value.size + 1);
        }
        sbuf_free(&value);
    }
    return h;
}

size_t spec_fixed_values(arena_t *a, const spec_t *s, spec_value_t **values) {
    spec_value_t *all = ARENA_ARRAY(a, spec_value_t, KEY_COUNT);
    size_t n = 0;
    for (int k = 0; k < KEY_COUNT; k++) {
        if (!is_fixed((spec_key_t)k) || !counts(s, (spec_key_t)k)) continue;
        sbuf_t value = {0};
        if (print_key_value(s, (spec_key_t)k, &value))
            all[n++] = (spec_value_t){schema[k].full, arena_strdup(a, value.data), s->at[k],
                                      default_of(a, (spec_key_t)k)};
        sbuf_free(&value);
    }
    *values = all;
    return n;
}
