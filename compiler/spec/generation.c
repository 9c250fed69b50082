/* generation_config.json of a checkpoint folder → what ends texts.
 *
 * In: a spec that was read from a folder. Out: its end and padding tokens as Hugging Face's
 * `generate` has them: where that file is, it alone says them, and a key that it lacks is null. Its
 * other keys ask for ways of choosing tokens, which are the command line's here: a warning names
 * those that ask for something. */
#include <stdlib.h>
#include <string.h>

#include "spec/read.h"
#include "support/file.h"
#include "support/heap.h"

enum { GENERATION_LIMIT = 1 << 20 };

/* Keys with an effect in `generate`: a value that asks for nothing; the option that
 * says the same, or NULL. */
static const struct {
    const char *key, *nothing, *option;
} choices[] = {
    {"do_sample", "false", "--temperature, --top-k or --top-p"},
    {"temperature", "1.0", "--temperature"},
    {"top_k", "50", "--top-k"},
    {"top_p", "1.0", "--top-p"},
    {"num_beams", "1", "--beams"},
    {"length_penalty", "1.0", "--length-penalty"},
    {"early_stopping", "false", "--early-stopping"},
    {"repetition_penalty", "1.0", "--repetition-penalty"},
    {"max_new_tokens", "null", "--tokens"},
    {"max_length", "20", "--tokens"},
    {"min_length", "0", NULL},
    {"min_new_tokens", "null", NULL},
    {"stop_strings", "null", "--stop"},
    {"use_cache", "true", "--no-cache"},
    {"num_beam_groups", "1", NULL},
    {"diversity_penalty", "0.0", NULL},
    {"penalty_alpha", "null", NULL},
    {"typical_p", "1.0", NULL},
    {"min_p", "null", NULL},
    {"epsilon_cutoff", "0.0", NULL},
    {"eta_cutoff", "0.0", NULL},
    {"no_repeat_ngram_size", "0", NULL},
    {"bad_words_ids", "null", NULL},
    {"suppress_tokens", "null", NULL},
    {"begin_suppress_tokens", "null", NULL},
    {"sequence_bias", "null", NULL},
    {"forced_bos_token_id", "null", NULL},
    {"forced_eos_token_id", "null", NULL},
    {"exponential_decay_length_penalty", "null", NULL},
    {"num_return_sequences", "1", NULL},
};
enum { N_CHOICES = sizeof choices / sizeof choices[0] };

static const node_t *find(const node_t *map, const char *name) {
    for (size_t i = 0; i < map->n; i++)
        if (node_is(map->items[2 * i], name)) return map->items[2 * i + 1];
    return NULL;
}

/* "1", "1.0" and "1e0" are the same. */
static bool is_nothing(const node_t *n, const char *nothing) {
    if (node_null(n) || node_is(n, nothing)) return true;
    char *end, *other;
    if (n->kind != NODE_SCALAR || !n->plain || n->length == 0) return false;
    double x = strtod(n->text, &end), y = strtod(nothing, &other);
    return !*end && !*other && x == y;
}

static void warn(const node_t *root, diag_t *d) {
    for (size_t i = 0; i < N_CHOICES; i++) {
        const node_t *n = find(root, choices[i].key);
        if (!n || is_nothing(n, choices[i].nothing)) continue;
        diag_warning(d, n->at, "'%s' is not followed%s", choices[i].key,
                     choices[i].option ? ": tokens are chosen as the options say" : "");
        if (choices[i].option) diag_hint(d, "%s", choices[i].option);
    }
}

/* Both keys convert as in config.json, with their ranges and messages. */
static bool read_ends(arena_t *a, const char *path, const node_t *root, spec_t *said, diag_t *d) {
    static const spec_key_t keys[] = {KEY_eos_token_id, KEY_pad_token_id};
    reader_t *r = ARENA_NEW(a, reader_t);
    *r = (reader_t){.arena = a, .diag = d, .spec = said};
    if (root->kind != NODE_MAP)
        return complain(r, root->at, "%s must be a mapping, not %s", path, node_show(a, root));
    for (int i = 0; i < 2; i++) {
        r->nodes[keys[i]] = (node_t *)(uintptr_t)find(root, schema[keys[i]].name);
        convert_value(r, keys[i]);
    }
    return r->errors == 0;
}

static bool read_file(arena_t *a, const char *path, spec_t *said, diag_t *d) {
    size_t bytes;
    char *text = file_read(path, GENERATION_LIMIT, &bytes, d);
    if (!text) return false;
    char *kept = arena_copy(a, text, bytes + 1); /* diagnostics quote it later */
    heap_free(text);
    diag_source(d, path, kept, bytes);
    int before = diag_errors(d);
    node_t *root = tree_read(a, path, kept, bytes, true, d);
    if (!root || diag_errors(d) != before) return false;
    if (!read_ends(a, path, root, said, d)) return false;
    warn(root, d);
    return true;
}

bool spec_ends(arena_t *a, const spec_t *s, ends_t *ends, diag_t *d) {
    const spec_t *eos = s, *pad = s;
    if (s->generation_path) {
        spec_t *said = ARENA_NEW(a, spec_t);
        *said = (spec_t){0};
        if (!read_file(a, s->generation_path, said, d)) return false;
        if (!s->set[KEY_eos_token_id]) eos = said;
        if (!s->set[KEY_pad_token_id]) pad = said;
    }
    *ends = (ends_t){.n_eos_tokens = eos->n_eos_tokens,
                     .eos_tokens = eos->eos_tokens,
                     .has_pad_token = pad->has_pad_token,
                     .pad_token = pad->pad_token_id};
    return true;
}
