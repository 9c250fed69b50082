/* Values → text: what a key has, the canonical text, a Hugging Face config.json.
 *
 * Out: JSON values, which are YAML too. Same spec, same bytes. */
#include <math.h>
#include <string.h>

#include "spec/numbers.h"
#include "spec/schema.h"

/* ---- what a key has -------------------------------------------------------------------------- */

static const void *member(const spec_t *s, size_t offset) {
    return (const char *)s + offset;
}

void print_quoted(sbuf_t *out, const char *text) {
    sbuf_puts(out, "\"");
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') sbuf_printf(out, "\\%c", *p);
        else if ((unsigned char)*p < 0x20) sbuf_printf(out, "\\u%04x", (unsigned char)*p);
        else sbuf_write(out, p, 1);
    }
    sbuf_puts(out, "\"");
}

static void print_ints(sbuf_t *out, const int64_t *v, int n) {
    sbuf_puts(out, "[");
    for (int i = 0; i < n; i++) sbuf_printf(out, "%s%lld", i ? ", " : "", (long long)v[i]);
    sbuf_puts(out, "]");
}

static void print_layers(const spec_t *s, sbuf_t *out) {
    sbuf_puts(out, "[");
    for (int i = 0; i < s->n_layers; i++)
        sbuf_printf(out, "%s\"%s\"", i ? ", " : "", word_of(layer_words, s->attn_layers[i]));
    sbuf_puts(out, "]");
}

static void print_factors(sbuf_t *out, const int64_t *v, int n) {
    if (n == 0) sbuf_puts(out, "null");
    else if (n == 1) sbuf_printf(out, "%lld", (long long)v[0]);
    else print_ints(out, v, n);
}

static bool print_architecture(const spec_t *s, sbuf_t *out) {
    if (s->architecture == ARCH_UNSET) return false;
    sbuf_printf(out, "[\"%s\"]", arch_hf_name(s->architecture));
    return true;
}

static void print_word(const word_t *words, int value, sbuf_t *out) {
    const char *word = word_of(words, value);
    if (strcmp(word, "null") == 0) sbuf_puts(out, word);
    else print_quoted(out, word);
}

static void print_memory(const spec_t *s, const key_info_t *k, sbuf_t *out) {
    if (s->train.memory != MEMORY_SIZE) {
        print_word(k->words, (int)s->train.memory, out);
        return;
    }
    sbuf_puts(out, "\"");
    print_real(out, s->train.memory_bytes);
    sbuf_puts(out, " B\"");
}

/* A list in the value itself, its count beside it. */
static void print_list(const spec_t *s, const key_info_t *k, sbuf_t *out) {
    print_ints(out, member(s, k->at), *(const int *)member(s, k->extra));
}

static bool absent(const spec_t *s, const key_info_t *k) {
    if (k->extra != NO_PLACE) return !*(const bool *)member(s, k->extra);
    return k->kind == KIND_INT_NULL ? *(const int64_t *)member(s, k->at) < 0
                                    : *(const double *)member(s, k->at) < 0;
}

static void print_patterns(const spec_patterns_t *p, sbuf_t *out) {
    sbuf_puts(out, p->given ? "[" : "null");
    for (int i = 0; i < p->n; i++) {
        sbuf_puts(out, i ? ", " : "");
        print_quoted(out, p->items[i]);
    }
    sbuf_puts(out, p->given ? "]" : "");
}

static void print_pair(const double *v, bool one, sbuf_t *out) {
    sbuf_puts(out, one ? "" : "[");
    print_real(out, v[0]);
    if (one) return;
    sbuf_puts(out, ", ");
    print_real(out, v[1]);
    sbuf_puts(out, "]");
}

static void print_schedule_factors(const spec_t *s, sbuf_t *out) {
    const reformer_schedule_t *c = &s->train.schedule;
    for (int i = 0; i < c->n_factors; i++) {
        sbuf_puts(out, i ? ", " : "[");
        print_quoted(out, word_of(factor_words, c->factors[i]));
    }
    sbuf_puts(out, c->n_factors ? "]" : "null");
}

static void print_string(const char *text, sbuf_t *out) {
    if (text) print_quoted(out, text);
    else sbuf_puts(out, "null");
}

/* The kinds that Hugging Face's keys have; our sections never go into a config.json. */
bool print_key_value(const spec_t *s, spec_key_t key, sbuf_t *out) {
    const key_info_t *k = &schema[key];
    const void *at = k->at == NO_PLACE ? NULL : member(s, k->at);
    switch (k->kind) {
    case KIND_INT:
    case KIND_INT_NULL:
        if (k->kind == KIND_INT_NULL && absent(s, k)) sbuf_puts(out, "null");
        else sbuf_printf(out, "%lld", (long long)*(const int64_t *)at);
        return true;
    case KIND_REAL:
    case KIND_REAL_NULL:
        if (k->kind == KIND_REAL_NULL && absent(s, k)) sbuf_puts(out, "null");
        else print_real(out, *(const double *)at);
        return true;
    case KIND_BOOL: sbuf_puts(out, *(const bool *)at ? "true" : "false"); return true;
    case KIND_WORD: print_word(k->words, *(const int *)at, out); return true;
    case KIND_MEMORY: print_memory(s, k, out); return true;
    case KIND_INTS: print_list(s, k, out); return true;
    case KIND_BUCKETS: print_factors(out, at, s->n_bucket_factors); return true;
    case KIND_TOKENS:
        print_factors(out, *(int64_t *const *)at, *(const int *)member(s, k->extra));
        return true;
    case KIND_PATTERNS: print_patterns(at, out); return true;
    case KIND_PAIR: print_pair(at, false, out); return true;
    case KIND_EPS: print_pair(at, ((const double *)at)[1] <= 0, out); return true;
    case KIND_FACTORS: print_schedule_factors(s, out); return true;
    case KIND_STRING: print_string(*(const char *const *)at, out); return true;
    case KIND_LAYERS: print_layers(s, out); return true;
    case KIND_LAYER_SETTINGS: return print_layer_settings(s, out);
    case KIND_ARCHITECTURES: return print_architecture(s, out);
    case KIND_LAYER_COUNT: sbuf_printf(out, "%d", s->n_layers); return true;
    case KIND_MODEL_TYPE: sbuf_puts(out, "\"reformer\""); return true;
    default: return false;
    }
}

static bool is_extension(spec_key_t key) {
    return strcmp(schema[key].section, "extensions") == 0;
}

/* An extension that is used: its value is not the one that stands for Hugging Face's model. */
static bool print_extension(const spec_t *s, spec_key_t key, sbuf_t *out) {
    const char *standard = schema[key].standard;
    size_t before = out->size, n = standard ? strlen(standard) : 0;
    if (!print_key_value(s, key, out)) return false;
    const char *value = out->data + before;
    value += *value == '"';
    if (!standard || strncmp(value, standard, n) != 0 ||
        strspn(value + n, "\"") != strlen(value + n))
        return true;
    out->size = before;
    out->data[before] = 0;
    return false;
}

/* One line for each key of ROLE_MODEL, in the order of the table; the bucket factors are those that
 * the caller has settled, since a null would stand for different rotations. */
void spec_canonical(const spec_t *s, int n_factors, const int64_t *factors, sbuf_t *out) {
    for (int k = 0; k < KEY_COUNT; k++) {
        if (schema[k].role != ROLE_MODEL) continue;
        size_t before = out->size;
        sbuf_printf(out, "%s: ", schema[k].name);
        if (k == KEY_num_buckets) print_factors(out, factors, n_factors);
        else if (is_extension((spec_key_t)k) ? !print_extension(s, (spec_key_t)k, out)
                                             : !print_key_value(s, (spec_key_t)k, out)) {
            out->size = before;
            out->data[before] = 0;
            continue;
        }
        sbuf_puts(out, "\n");
    }
}

static void print_label(const spec_t *s, int64_t i, sbuf_t *out) {
    if (s->label_names) print_quoted(out, s->label_names[i]);
    else sbuf_printf(out, "\"LABEL_%lld\"", (long long)i);
}

/* Hugging Face writes no num_labels: two are its default, others stand as id2label. */
static void print_labels(const spec_t *s, sbuf_t *out) {
    sbuf_puts(out, ",\n  \"id2label\": {");
    for (int64_t i = 0; i < s->num_labels; i++) {
        sbuf_printf(out, "%s\"%lld\": ", i ? ", " : "", (long long)i);
        print_label(s, i, out);
    }
    sbuf_puts(out, "},\n  \"label2id\": {");
    for (int64_t i = 0; i < s->num_labels; i++) {
        sbuf_puts(out, i ? ", " : "");
        print_label(s, i, out);
        sbuf_printf(out, ": %lld", (long long)i);
    }
    sbuf_puts(out, "}");
}

static void print_extensions(const spec_t *s, sbuf_t *out) {
    int n = 0;
    for (int k = 0; k < KEY_COUNT; k++) {
        sbuf_t value = {0};
        if (is_extension((spec_key_t)k) && print_extension(s, (spec_key_t)k, &value))
            sbuf_printf(out, "%s\"%s\": %s", n++ ? ", " : ",\n  \"extensions\": {", schema[k].name,
                        value.data);
        sbuf_free(&value);
    }
    if (n) sbuf_puts(out, "}");
}

/* Our own section, which Hugging Face keeps and never reads: without it nobody knew
 * how text becomes tokens. */
static void print_text(const spec_t *s, const char *pieces, sbuf_t *out) {
    if (s->compile.text == TEXT_UNSET) return;
    sbuf_puts(out, ",\n  \"compile\": {\"text\": \"");
    if (s->compile.text == TEXT_BYTES) sbuf_puts(out, "bytes");
    else sbuf_printf(out, "sentencepiece:%s", pieces);
    sbuf_puts(out, "\"}");
}

static void print_config(const spec_t *s, const char *pieces, sbuf_t *out) {
    sbuf_puts(out, "{");
    bool first = true;
    for (int k = 0; k < KEY_COUNT; k++) {
        if (schema[k].role == ROLE_OWN || schema[k].role == ROLE_IGNORED || k == KEY_num_labels ||
            is_extension((spec_key_t)k))
            continue;
        sbuf_t value = {0};
        if (print_key_value(s, (spec_key_t)k, &value))
            sbuf_printf(out, "%s\n  \"%s\": %s", first ? "" : ",", schema[k].name, value.data);
        first = first && value.size == 0;
        sbuf_free(&value);
    }
    if (s->num_labels != 2 || s->label_names) print_labels(s, out);
    print_extensions(s, out);
    if (pieces) print_text(s, pieces, out);
    sbuf_puts(out, ",\n  \"torch_dtype\": \"float32\"\n}\n");
}

void spec_to_config_json(const spec_t *s, sbuf_t *out) {
    print_config(s, NULL, out);
}

void spec_to_checkpoint_json(const spec_t *s, const char *pieces, sbuf_t *out) {
    print_config(s, pieces, out);
}
