/* One value of a spec: node → member of spec_t, by the kind of its key.
 *
 * In: the node of a key. Out: the member set and in the range of schema.def, or errors at the
 * value's own place. Rules: schema.h for the kinds; a quoted scalar is never a number; only true
 * and false are booleans. What joins two keys is check.c's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spec/numbers.h"
#include "spec/read.h"

static void *place(reader_t *r, size_t offset) {
    return (char *)r->spec + offset;
}

/* "'hidden_size' must be an integer, 1 … 65536, not 'x'" */
static bool wrong(reader_t *r, spec_key_t key, const node_t *n) {
    if (r->errors >= MAX_ERRORS) return r->errors++, false;
    sbuf_t range = {0};
    print_range(key, &range);
    const char *shown = node_show(r->arena, n);
    const char *quote = n->kind == NODE_SCALAR ? "'" : "";
    if (node_null(n)) shown = "null", quote = "";
    complain(r, n->at, "'%s' must be %s, not %s%s%s",
             r->of_layer ? schema[key].name : schema[key].full, range.data, quote, shown, quote);
    sbuf_free(&range);
    return false;
}

/* A scalar's text, or NULL where it cannot be a value: too long, or with a byte 0 in it. */
static const char *usable_text(reader_t *r, spec_key_t key, const node_t *n) {
    if (n->length < MAX_TEXT && strlen(n->text) == n->length) return n->text;
    complain(r, n->at, "'%s' has a value of %zu bytes%s", schema[key].full, n->length,
             n->length < MAX_TEXT ? " with a byte 0 in it" : "");
    return NULL;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool refuse_number(reader_t *r, spec_key_t key, const node_t *n, number_t why) {
    wrong(r, key, n);
    double v;
    if (why == NUMBER_FORM) suggest(r, "write it in plain decimal digits");
    if (why == NUMBER_FRACTION && parse_real(n->text, &v) == NUMBER_OK && v == floor(v) &&
        fabs(v) < 1e15)
        suggest(r, "write %.0f", v);
    return false;
}

/* A scalar that may be a number: without quotes, short. */
static bool number_text(reader_t *r, spec_key_t key, const node_t *n) {
    if (n->kind == NODE_SCALAR && n->plain && n->length < 128 && strlen(n->text) == n->length)
        return true;
    wrong(r, key, n);
    double v;
    if (n->kind == NODE_SCALAR && !n->plain && parse_real(n->text, &v) == NUMBER_OK)
        suggest(r, "remove the quotes: a quoted number is a text");
    return false;
}

static bool read_int(reader_t *r, spec_key_t key, const node_t *n, int64_t *out) {
    const key_info_t *k = &schema[key];
    if (!number_text(r, key, n)) return false;
    int64_t v = 0;
    number_t why = parse_int(n->text, &v);
    if (why != NUMBER_OK && why != NUMBER_RANGE) return refuse_number(r, key, n, why);
    if (why == NUMBER_RANGE || (double)v < k->low || (double)v > k->high) return wrong(r, key, n);
    *out = v;
    return true;
}

static bool read_real(reader_t *r, spec_key_t key, const node_t *n, double *out) {
    const key_info_t *k = &schema[key];
    if (!number_text(r, key, n)) return false;
    double v = 0;
    number_t why = parse_real(n->text, &v);
    if (why != NUMBER_OK && why != NUMBER_RANGE) return refuse_number(r, key, n, why);
    if (why == NUMBER_RANGE || v < k->low || v > k->high) return wrong(r, key, n);
    *out = v;
    return true;
}

static bool on_int(reader_t *r, spec_key_t key, const node_t *n) {
    return read_int(r, key, n, place(r, schema[key].at));
}

static bool on_int_null(reader_t *r, spec_key_t key, const node_t *n) {
    const key_info_t *k = &schema[key];
    int64_t *value = place(r, k->at);
    if (!node_null(n)) {
        if (k->extra != NO_PLACE) *(bool *)place(r, k->extra) = true;
        return read_int(r, key, n, value);
    }
    if (k->extra == NO_PLACE) *value = -1;
    return true;
}

static bool on_real(reader_t *r, spec_key_t key, const node_t *n) {
    return read_real(r, key, n, place(r, schema[key].at));
}

static bool on_real_null(reader_t *r, spec_key_t key, const node_t *n) {
    const key_info_t *k = &schema[key];
    if (!node_null(n)) {
        if (k->extra != NO_PLACE) *(bool *)place(r, k->extra) = true;
        return on_real(r, key, n);
    }
    if (k->extra == NO_PLACE) *(double *)place(r, k->at) = -1;
    return true;
}

/* Two numbers; with `one_too` one of them may do, and the other is -1. */
static bool read_pair(reader_t *r, spec_key_t key, const node_t *n, bool one_too) {
    double *out = place(r, schema[key].at);
    out[1] = -1;
    if (one_too && n->kind == NODE_SCALAR) return read_real(r, key, n, &out[0]);
    if (n->kind != NODE_LIST || n->n != 2) return wrong(r, key, n);
    bool ok = read_real(r, key, n->items[0], &out[0]);
    return read_real(r, key, n->items[1], &out[1]) && ok;
}

static bool on_pair(reader_t *r, spec_key_t key, const node_t *n) {
    return read_pair(r, key, n, false);
}

static bool on_eps(reader_t *r, spec_key_t key, const node_t *n) {
    return read_pair(r, key, n, true);
}

static bool on_bool(reader_t *r, spec_key_t key, const node_t *n) {
    static const struct {
        const char *word;
        bool value;
    } lookalikes[] = {{"yes", true}, {"on", true},   {"True", true},   {"TRUE", true},
                      {"no", false}, {"off", false}, {"False", false}, {"FALSE", false},
                      {"1", true},   {"0", false},   {"true", true},   {"false", false}};
    bool plain = n->kind == NODE_SCALAR && n->plain;
    if (plain && (node_is(n, "true") || node_is(n, "false"))) {
        *(bool *)place(r, schema[key].at) = node_is(n, "true");
        return true;
    }
    wrong(r, key, n);
    for (size_t i = 0; i < sizeof lookalikes / sizeof lookalikes[0]; i++)
        if (node_is(n, lookalikes[i].word))
            suggest(r, "write %s, without quotes", lookalikes[i].value ? "true" : "false");
    return false;
}

/* ---- words ----------------------------------------------------------------------------------- */

enum { MAX_WORDS = 32 };

static void suggest_word(reader_t *r, spec_key_t key, const char *text) {
    const char *candidates[MAX_WORDS];
    size_t n = 0;
    if (r->errors >= MAX_ERRORS) return;
    for (const word_t *w = schema[key].words; w->word && n < MAX_WORDS; w++)
        candidates[n++] = w->word;
    const char *near = did_you_mean(text, candidates, n);
    if (near) suggest(r, "did you mean '%s'?", near);
}

/* The row of the scalar's word, or NULL after an error. */
static const word_t *read_word(reader_t *r, spec_key_t key, const node_t *n) {
    for (const word_t *w = schema[key].words; w->word && n->kind == NODE_SCALAR; w++)
        if (node_is(n, w->word)) return w;
    wrong(r, key, n);
    if (n->kind == NODE_SCALAR) suggest_word(r, key, n->text);
    return NULL;
}

static bool on_word(reader_t *r, spec_key_t key, const node_t *n) {
    static const word_t null_word = {"null", 0};
    bool nullable = strcmp(schema[key].words->word, "null") == 0;
    if (key == KEY_hidden_act && (node_is(n, "prelu") || node_is(n, "xielu")))
        return complain(r, n->at,
                        "'hidden_act: %s' has learned parameters, no such activation is built",
                        n->text);
    const word_t *w = nullable && node_null(n) ? &null_word : read_word(r, key, n);
    if (!w) return false;
    int value = (int)w->value; /* every enum of spec.h is an int */
    memcpy(place(r, schema[key].at), &value, sizeof value);
    return true;
}

static bool add_factor(reader_t *r, spec_key_t key, const node_t *n) {
    reformer_schedule_t *schedule = &r->spec->train.schedule;
    const word_t *w = read_word(r, key, n);
    if (!w) return false;
    if (schedule->n_factors == REFORMER_FACTORS)
        return complain(r, n->at, "'%s' has more than %d factors", schema[key].full,
                        REFORMER_FACTORS);
    schedule->factors[schedule->n_factors++] = (reformer_factor_t)(int)w->value;
    return true;
}

/* "a * b", as trax writes it. */
static bool on_factors(reader_t *r, spec_key_t key, const node_t *n) {
    r->spec->train.schedule.n_factors = 0;
    if (n->kind == NODE_MAP || (n->kind == NODE_LIST && n->n == 0)) return wrong(r, key, n);
    bool ok = true;
    for (size_t i = 0; n->kind == NODE_LIST && i < n->n; i++)
        ok = add_factor(r, key, n->items[i]) && ok;
    if (n->kind == NODE_LIST) return ok;
    if (n->length >= MAX_TEXT || strlen(n->text) != n->length) return wrong(r, key, n);
    for (const char *p = n->text; ok; p++) {
        size_t length = strcspn(p, "*"), begin = strspn(p, " ");
        const char *end = p + length;
        while (end > p + begin && end[-1] == ' ') end--;
        begin = begin < length ? begin : length;
        char *word = arena_strndup(r->arena, p + begin, (size_t)(end - (p + begin)));
        ok = add_factor(r, key, tree_scalar(r->arena, n->at, word));
        p += length;
        if (!*p) break;
    }
    return ok;
}

static bool on_architectures(reader_t *r, spec_key_t key, const node_t *n) {
    if (node_null(n) || (n->kind == NODE_LIST && n->n == 0)) return true;
    if (n->kind == NODE_LIST && n->n > 1) {
        complain(r, n->items[1]->at, "'architectures' names %zu classes, one model has one", n->n);
        return false;
    }
    const word_t *w = read_word(r, key, n->kind == NODE_LIST ? n->items[0] : n);
    if (w) r->spec->architecture = (arch_t)(int)w->value;
    return w != NULL;
}

static bool on_layers(reader_t *r, spec_key_t key, const node_t *n) {
    if (n->kind != NODE_LIST || n->n == 0) return wrong(r, key, n);
    if (n->n > MAX_LAYERS)
        return complain(r, n->at, "'attn_layers' has %zu layers, the limit is %d", n->n,
                        MAX_LAYERS);
    r->spec->attn_layers = ARENA_ARRAY(r->arena, layer_kind_t, n->n);
    bool ok = true;
    for (size_t i = 0; i < n->n; i++) {
        const word_t *w = read_word(r, key, n->items[i]);
        if (w) r->spec->attn_layers[i] = (layer_kind_t)(int)w->value;
        ok = ok && w;
    }
    r->spec->n_layers = (int)n->n;
    return ok;
}

/* ---- lists of numbers ------------------------------------------------------------------------ */

static bool read_ints(reader_t *r, spec_key_t key, const node_t *n, int max, int64_t *out,
                      int *count) {
    if (n->kind != NODE_LIST || n->n == 0) return wrong(r, key, n);
    if (n->n > (size_t)max)
        return complain(r, n->at, "'%s' has %zu numbers, the limit is %d", schema[key].full, n->n,
                        max);
    bool ok = true;
    for (size_t i = 0; i < n->n; i++) ok = read_int(r, key, n->items[i], &out[i]) && ok;
    *count = (int)n->n;
    return ok;
}

static bool on_ints(reader_t *r, spec_key_t key, const node_t *n) {
    return read_ints(r, key, n, MAX_AXIAL, place(r, schema[key].at), place(r, schema[key].extra));
}

static bool on_buckets(reader_t *r, spec_key_t key, const node_t *n) {
    spec_t *s = r->spec;
    if (node_null(n)) return true;
    if (n->kind == NODE_LIST)
        return read_ints(r, key, n, MAX_FACTORS, s->num_buckets, &s->n_bucket_factors);
    s->n_bucket_factors = 1;
    return read_int(r, key, n, &s->num_buckets[0]);
}

static bool on_tokens(reader_t *r, spec_key_t key, const node_t *n) {
    int64_t **tokens = place(r, schema[key].at);
    int *count = place(r, schema[key].extra);
    bool list = n->kind == NODE_LIST, ok = true;
    if (node_null(n) || (list && n->n == 0)) return true;
    *count = list ? (int)n->n : 1; /* a text has fewer bytes than an int holds */
    *tokens = ARENA_ARRAY(r->arena, int64_t, *count);
    for (int i = 0; i < *count; i++)
        ok = read_int(r, key, list ? n->items[i] : n, &(*tokens)[i]) && ok;
    return ok;
}

static int ascending(const void *pa, const void *pb) {
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return a < b ? -1 : a > b;
}

static bool on_length(reader_t *r, spec_key_t key, const node_t *n) {
    spec_t *s = r->spec;
    if (node_null(n)) return true;
    s->compile.length_mode = node_is(n, "dynamic")  ? LENGTH_DYNAMIC
                             : n->kind == NODE_LIST ? LENGTH_LIST
                                                    : LENGTH_FIXED;
    if (s->compile.length_mode == LENGTH_DYNAMIC) return true;
    if (s->compile.length_mode == LENGTH_FIXED) {
        s->compile.n_lengths = 1;
        bool ok = read_int(r, key, n, &s->compile.lengths[0]);
        if (!ok && n->kind == NODE_SCALAR) suggest_word(r, key, n->text);
        return ok;
    }
    if (!read_ints(r, key, n, MAX_LENGTHS, s->compile.lengths, &s->compile.n_lengths)) return false;
    for (int i = 1; i < s->compile.n_lengths; i++)
        for (int j = 0; j < i; j++)
            if (s->compile.lengths[i] == s->compile.lengths[j]) {
                complain(r, n->items[i]->at, "length %lld stands twice",
                         (long long)s->compile.lengths[i]);
                break;
            }
    qsort(s->compile.lengths, (size_t)s->compile.n_lengths, sizeof s->compile.lengths[0],
          ascending);
    return true;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static bool is_name(const char *text) {
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    bool letter = (text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z');
    return letter && text[n] == 0 && n <= 63;
}

static bool on_name(reader_t *r, spec_key_t key, const node_t *n) {
    if (node_null(n)) return true;
    if (n->kind != NODE_SCALAR || n->length > 63 || strlen(n->text) != n->length ||
        !is_name(n->text))
        return wrong(r, key, n);
    if (is_c_keyword(n->text))
        return complain(r, n->at, "'%s' cannot be a name: it is a keyword of C or C++", n->text);
    r->spec->compile.name = n->text;
    return true;
}

static bool on_string(reader_t *r, spec_key_t key, const node_t *n) {
    if (n->kind != NODE_SCALAR || node_null(n) || n->length == 0) return wrong(r, key, n);
    const char *text = usable_text(r, key, n);
    if (text) *(const char **)place(r, schema[key].at) = text;
    return text != NULL;
}

static bool add_pattern(reader_t *r, spec_key_t key, const node_t *n, spec_patterns_t *to) {
    if (n->kind != NODE_SCALAR || node_null(n) || n->length == 0) return wrong(r, key, n);
    const char *text = usable_text(r, key, n);
    if (!text) return false;
    to->at[to->n] = n->at;
    to->items[to->n++] = text;
    return true;
}

static bool on_patterns(reader_t *r, spec_key_t key, const node_t *n) {
    spec_patterns_t *to = place(r, schema[key].at);
    *to = (spec_patterns_t){0};
    if (node_null(n)) return true;
    if (n->kind == NODE_MAP) return wrong(r, key, n);
    size_t count = n->kind == NODE_LIST ? n->n : 1;
    to->given = true;
    to->items = ARENA_ARRAY(r->arena, const char *, count + 1);
    to->at = ARENA_ARRAY(r->arena, srcloc_t, count + 1);
    bool ok = true;
    for (size_t i = 0; i < count; i++)
        ok = add_pattern(r, key, n->kind == NODE_LIST ? n->items[i] : n, to) && ok;
    return ok;
}

static bool on_text(reader_t *r, spec_key_t key, const node_t *n) {
    static const char prefix[] = "sentencepiece:";
    if (node_null(n)) return true;
    if (n->kind != NODE_SCALAR) return wrong(r, key, n);
    const char *text = usable_text(r, key, n);
    if (!text) return false;
    if (strcmp(text, "bytes") == 0) {
        r->spec->compile.text = TEXT_BYTES;
        return true;
    }
    if (strncmp(text, prefix, sizeof prefix - 1) != 0 || !text[sizeof prefix - 1])
        return wrong(r, key, n);
    r->spec->compile.text = TEXT_SENTENCEPIECE;
    r->spec->compile.sentencepiece = text + sizeof prefix - 1;
    return true;
}

/* Place in `architectures`; -1: native, whichever that is. */
static const char *const architectures[] = {"x86-64", "aarch64", "wasm32"};

static int architecture_of(const char *target) {
    for (int i = 0; i < (int)(sizeof architectures / sizeof *architectures); i++)
        if (strncmp(target, architectures[i], strlen(architectures[i])) == 0) return i;
    return -1;
}

static bool add_target(reader_t *r, spec_key_t key, const node_t *n) {
    spec_t *s = r->spec;
    const word_t *w = read_word(r, key, n);
    if (!w) return false;
    for (int i = 0; i < s->compile.n_targets; i++) {
        if (strcmp(s->compile.targets[i], w->word) == 0)
            return complain(r, n->at, "target '%s' stands twice", w->word);
        int own = architecture_of(w->word), other = architecture_of(s->compile.targets[i]);
        if (own != other && own >= 0 && other >= 0)
            return complain(r, n->at, "%s and %s do not fit into one artefact",
                            architectures[other], architectures[own]);
    }
    if (s->compile.n_targets == MAX_TARGETS) return complain(r, n->at, "too many targets");
    s->compile.targets[s->compile.n_targets++] = w->word;
    return true;
}

static bool on_targets(reader_t *r, spec_key_t key, const node_t *n) {
    if (node_null(n)) return true;
    if (n->kind == NODE_SCALAR) return add_target(r, key, n);
    if (n->kind == NODE_MAP || n->n == 0) return wrong(r, key, n);
    bool ok = true;
    for (size_t i = 0; i < n->n; i++) ok = add_target(r, key, n->items[i]) && ok;
    return ok;
}

static bool read_budget(reader_t *r, spec_key_t key, const node_t *n, double *value, bool *has,
                        bool *strict) {
    if (node_null(n)) return true;
    *has = n->kind == NODE_SCALAR && n->length < 128 && strlen(n->text) == n->length &&
           parse_budget(n->text, schema[key].words, value, strict);
    return *has || wrong(r, key, n);
}

static bool on_bytes(reader_t *r, spec_key_t key, const node_t *n) {
    spec_t *s = r->spec;
    return read_budget(r, key, n, &s->expect.workspace, &s->expect.has_workspace,
                       &s->expect.workspace_strict);
}

static bool on_flops(reader_t *r, spec_key_t key, const node_t *n) {
    spec_t *s = r->spec;
    return read_budget(r, key, n, &s->expect.flops_per_token, &s->expect.has_flops,
                       &s->expect.flops_strict);
}

/* A size is written like a budget, but it is no comparison. */
static bool on_memory(reader_t *r, spec_key_t key, const node_t *n) {
    spec_t *s = r->spec;
    bool strict, scalar = n->kind == NODE_SCALAR && n->length < 128 && strlen(n->text) == n->length;
    bool compares = scalar && strchr(n->text, '<');
    if (scalar && !compares && parse_budget(n->text, byte_units, &s->train.memory_bytes, &strict)) {
        s->train.memory = MEMORY_SIZE;
        if (s->train.memory_bytes >= 1) return true;
        wrong(r, key, n);
        suggest(r, "reversible takes the least memory");
        return false;
    }
    const word_t *w = read_word(r, key, n);
    if (w) s->train.memory = (train_memory_t)(int)w->value;
    return w != NULL;
}

/* ---- Hugging Face's bookkeeping that we look at ---------------------------------------------- */

static bool on_model_type(reader_t *r, spec_key_t key, const node_t *n) {
    (void)key;
    if (node_is(n, "reformer")) return true;
    const char *quote = n->kind == NODE_SCALAR ? "'" : "";
    return complain(r, n->at, "this is no Reformer: 'model_type' is %s%s%s", quote,
                    node_show(r->arena, n), quote);
}

static bool on_layer_count(reader_t *r, spec_key_t key, const node_t *n) {
    int64_t ignored; /* check.c compares */
    return node_null(n) || read_int(r, key, n, &ignored);
}

static bool on_labels(reader_t *r, spec_key_t key, const node_t *n) {
    if (node_null(n)) return true;
    if (n->kind != NODE_MAP || n->n == 0) return wrong(r, key, n);
    for (size_t i = 0; i < n->n; i++) {
        const node_t *name = n->items[2 * i];
        int64_t number;
        if (parse_int(name->text, &number) == NUMBER_OK) continue;
        return complain(r, name->at, "a key of 'id2label' must be a label's number, not '%s'",
                        node_show(r->arena, name));
    }
    if ((double)n->n > schema[KEY_num_labels].high) return complain(r, n->at, "%zu labels", n->n);
    return true;
}

static bool on_nothing(reader_t *r, spec_key_t key, const node_t *n) {
    if (node_null(n) || (n->kind != NODE_SCALAR && n->n == 0)) return true;
    return complain(r, n->at, "'%s' must be empty: pruned models are not supported",
                    schema[key].full);
}

static bool on_anything(reader_t *r, spec_key_t key, const node_t *n) {
    (void)r, (void)key, (void)n;
    return true;
}

static bool on_layer_settings(reader_t *r, spec_key_t key, const node_t *n) {
    (void)key;
    return convert_layer_settings(r, n);
}

typedef bool convert_fn(reader_t *r, spec_key_t key, const node_t *n);

static convert_fn *const converters[] = {
    [KIND_INT] = on_int,
    [KIND_INT_NULL] = on_int_null,
    [KIND_REAL] = on_real,
    [KIND_REAL_NULL] = on_real_null,
    [KIND_BOOL] = on_bool,
    [KIND_WORD] = on_word,
    [KIND_INTS] = on_ints,
    [KIND_BUCKETS] = on_buckets,
    [KIND_TOKENS] = on_tokens,
    [KIND_LAYERS] = on_layers,
    [KIND_ARCHITECTURES] = on_architectures,
    [KIND_LAYER_COUNT] = on_layer_count,
    [KIND_MODEL_TYPE] = on_model_type,
    [KIND_LAYER_SETTINGS] = on_layer_settings,
    [KIND_LABELS] = on_labels,
    [KIND_NAME] = on_name,
    [KIND_STRING] = on_string,
    [KIND_LENGTH] = on_length,
    [KIND_TARGETS] = on_targets,
    [KIND_TEXT] = on_text,
    [KIND_PATTERNS] = on_patterns,
    [KIND_PAIR] = on_pair,
    [KIND_EPS] = on_eps,
    [KIND_FACTORS] = on_factors,
    [KIND_MEMORY] = on_memory,
    [KIND_BYTES] = on_bytes,
    [KIND_FLOPS] = on_flops,
    [KIND_NOTHING] = on_nothing,
    [KIND_ANYTHING] = on_anything,
};

void convert_value(reader_t *r, spec_key_t key) {
    const node_t *n = r->nodes[key];
    if (n && !converters[schema[key].kind](r, key, n)) r->bad[key] = true;
}
