/* The schema for programs: a JSON Schema (draft-07) for editors, a dictionary for fuzzers. */
#include <math.h>
#include <string.h>

#include "spec/numbers.h"
#include "spec/schema.h"

static void quoted(sbuf_t *out, const char *text) {
    sbuf_puts(out, "\"");
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') sbuf_puts(out, "\\");
        if (*p != '`') sbuf_write(out, p, 1);
    }
    sbuf_puts(out, "\"");
}

static void bounded(const key_info_t *k, const char *type, sbuf_t *out) {
    sbuf_printf(out, "\"type\": \"%s\"", type);
    if (isfinite(k->low)) sbuf_printf(out, ", \"minimum\": %.17g", k->low);
    if (isfinite(k->high)) sbuf_printf(out, ", \"maximum\": %.17g", k->high);
    if (k->kind == KIND_BUCKETS) sbuf_puts(out, ", \"multipleOf\": 2");
}

static void choice(const word_t *words, sbuf_t *out) {
    sbuf_puts(out, "\"enum\": [");
    for (const word_t *w = words; w->word; w++) {
        if (w != words) sbuf_puts(out, ", ");
        if (strcmp(w->word, "null") == 0) sbuf_puts(out, "null");
        else quoted(out, w->word);
    }
    sbuf_puts(out, "]");
}

/* { number } or { list of them, max 0: of any length } or { what else } */
static void number_or_list(const key_info_t *k, int max, const char *other, sbuf_t *out) {
    sbuf_puts(out, "\"anyOf\": [{");
    bounded(k, "integer", out);
    sbuf_puts(out, "}, {\"type\": \"array\", ");
    if (max) sbuf_printf(out, "\"minItems\": 1, \"maxItems\": %d, ", max);
    sbuf_puts(out, "\"items\": {");
    bounded(k, "integer", out);
    sbuf_printf(out, "}}, %s]", other);
}

static void word_or_list(const key_info_t *k, int max, sbuf_t *out) {
    sbuf_puts(out, "\"anyOf\": [{");
    choice(k->words, out);
    sbuf_printf(out, "}, {\"type\": \"array\", \"maxItems\": %d, \"items\": {", max);
    choice(k->words, out);
    sbuf_puts(out, "}}, {\"type\": \"null\"}]");
}

static void pair(const key_info_t *k, sbuf_t *out) {
    sbuf_puts(out, "\"type\": \"array\", \"minItems\": 2, \"maxItems\": 2, \"items\": {");
    bounded(k, "number", out);
    sbuf_puts(out, "}");
}

static void list_of_integers(const key_info_t *k, sbuf_t *out) {
    sbuf_printf(out, "\"type\": \"array\", \"minItems\": 1, \"maxItems\": %d, \"items\": {",
                MAX_AXIAL);
    bounded(k, "integer", out);
    sbuf_puts(out, "}");
}

static void list_of_words(const key_info_t *k, int max, sbuf_t *out) {
    sbuf_printf(out, "\"type\": \"array\", \"minItems\": 1, \"maxItems\": %d, \"items\": {", max);
    choice(k->words, out);
    sbuf_puts(out, "}");
}

static void or_null(const key_info_t *k, const char *type, sbuf_t *out) {
    sbuf_puts(out, "\"anyOf\": [{");
    bounded(k, type, out);
    sbuf_puts(out, "}, {\"type\": \"null\"}]");
}

static void number_or_pair(const key_info_t *k, sbuf_t *out) {
    sbuf_puts(out, "\"anyOf\": [{");
    bounded(k, "number", out);
    sbuf_puts(out, "}, {");
    pair(k, out);
    sbuf_puts(out, "}]");
}

static void product_or_list(const key_info_t *k, sbuf_t *out) {
    sbuf_puts(out, "\"anyOf\": [{\"type\": \"string\", \"pattern\": \"^[a-z_ *]+$\"}, {");
    list_of_words(k, REFORMER_FACTORS, out);
    sbuf_puts(out, "}]");
}

static void word_or_size(const key_info_t *k, sbuf_t *out) {
    sbuf_puts(out, "\"anyOf\": [{");
    choice(k->words, out);
    sbuf_puts(out, "}, {\"type\": \"string\", \"pattern\": \"^ *[0-9.]\"}, "
                   "{\"type\": \"number\", \"minimum\": 1}]");
}

static void type_of(const key_info_t *k, sbuf_t *out);

static void layer_settings(sbuf_t *out) {
    sbuf_printf(out,
                "\"type\": [\"array\", \"null\"], \"maxItems\": %d, \"items\": {\"type\": "
                "[\"object\", \"null\"], \"additionalProperties\": false, \"properties\": {",
                MAX_LAYERS);
    for (int i = 0; layer_keys[i] != KEY_COUNT; i++) {
        sbuf_printf(out, "%s\"%s\": {", i ? ", " : "", schema[layer_keys[i]].name);
        type_of(&schema[layer_keys[i]], out);
        sbuf_puts(out, "}");
    }
    sbuf_puts(out, "}}");
}

/* Of kinds whose keys are all alike. */
static const char *const same_types[] = {
    [KIND_BOOL] = "\"type\": \"boolean\"",
    [KIND_MODEL_TYPE] = "\"const\": \"reformer\"",
    [KIND_LABELS] =
        "\"type\": [\"object\", \"null\"], \"propertyNames\": {\"pattern\": \"^[0-9]+$\"}",
    [KIND_NAME] = "\"type\": [\"string\", \"null\"], \"pattern\": \"^[A-Za-z][A-Za-z0-9_]{0,62}$\"",
    [KIND_STRING] = "\"type\": \"string\", \"minLength\": 1",
    [KIND_TEXT] = "\"type\": [\"string\", \"null\"], \"pattern\": \"^(bytes|sentencepiece:.+)$\"",
    [KIND_PATTERNS] = "\"type\": [\"string\", \"array\", \"null\"], \"minLength\": 1, "
                      "\"items\": {\"type\": \"string\", \"minLength\": 1}",
    [KIND_BYTES] = "\"type\": [\"string\", \"number\", \"null\"]",
    [KIND_FLOPS] = "\"type\": [\"string\", \"number\", \"null\"]",
    [KIND_NOTHING] = "\"maxProperties\": 0, \"maxItems\": 0",
    [KIND_ANYTHING] = ""};

static void type_of(const key_info_t *k, sbuf_t *out) {
    if ((size_t)k->kind < sizeof same_types / sizeof *same_types && same_types[k->kind]) {
        sbuf_puts(out, same_types[k->kind]);
        return;
    }
    switch (k->kind) {
    case KIND_INT: bounded(k, "integer", out); break;
    case KIND_REAL: bounded(k, "number", out); break;
    case KIND_INT_NULL:
    case KIND_LAYER_COUNT: or_null(k, "integer", out); break;
    case KIND_REAL_NULL: or_null(k, "number", out); break;
    case KIND_WORD: choice(k->words, out); break;
    case KIND_INTS: list_of_integers(k, out); break;
    case KIND_BUCKETS: number_or_list(k, MAX_FACTORS, "{\"type\": \"null\"}", out); break;
    case KIND_TOKENS: number_or_list(k, 0, "{\"type\": \"null\"}", out); break;
    case KIND_LENGTH: number_or_list(k, MAX_LENGTHS, "{\"enum\": [\"dynamic\", null]}", out); break;
    case KIND_LAYERS: list_of_words(k, MAX_LAYERS, out); break;
    case KIND_ARCHITECTURES: word_or_list(k, 1, out); break;
    case KIND_TARGETS: word_or_list(k, MAX_TARGETS, out); break;
    case KIND_LAYER_SETTINGS: layer_settings(out); break;
    case KIND_PAIR: pair(k, out); break;
    case KIND_EPS: number_or_pair(k, out); break;
    case KIND_FACTORS: product_or_list(k, out); break;
    case KIND_MEMORY: word_or_size(k, out); break;
    default: bug("kind %d of '%s' has no type", (int)k->kind, k->name);
    }
}

static void property(sbuf_t *out, spec_key_t key, int indent, bool first) {
    const key_info_t *k = &schema[key];
    sbuf_t type = {0};
    sbuf_puts(&type, "");
    type_of(k, &type);
    sbuf_printf(out, "%s\n%*s\"%s\": {%s%s\"description\": ", first ? "" : ",", indent, "", k->name,
                type.data, type.size ? ", " : "");
    quoted(out, k->doc);
    sbuf_puts(out, "}");
    sbuf_free(&type);
}

static void open_section(sbuf_t *out, const char *name, int indent) {
    sbuf_printf(out, ",\n%*s\"%s\": {\n%*s\"type\": [\"object\", \"null\"],\n%*s\"properties\": {",
                indent, "", name, indent + 2, "", indent + 2, "");
}

static void properties(sbuf_t *out, const char *section, int indent);

/* The sections inside this one, "": those of the top level. */
static void sections_of(sbuf_t *out, const char *outer, int indent) {
    for (int i = 1; sections[i]; i++) {
        const char *dot = strrchr(sections[i], '.'), *name = dot ? dot + 1 : sections[i];
        if (section_inside(outer, name) != sections[i]) continue;
        open_section(out, name, indent);
        properties(out, sections[i], indent + 4);
        sbuf_printf(out, "\n%*s},\n%*s\"additionalProperties\": false\n%*s}", indent + 2, "",
                    indent + 2, "", indent, "");
    }
}

static void properties(sbuf_t *out, const char *section, int indent) {
    bool first = true;
    for (int k = 0; k < KEY_COUNT; k++) {
        if (strcmp(schema[k].section, section) != 0) continue;
        property(out, (spec_key_t)k, indent, first);
        first = false;
    }
    sections_of(out, section, indent);
}

/* Unknown keys are allowed beside model_type: reformer, where they only earn a warning. */
void spec_json_schema(sbuf_t *out) {
    sbuf_puts(out,
              "{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
              "  \"title\": \"reformerc spec\",\n  \"type\": \"object\",\n  \"properties\": {");
    properties(out, "", 4);
    sbuf_puts(out, "\n  },\n"
                   "  \"if\": {\"required\": [\"model_type\"]},\n  \"then\": {},\n"
                   "  \"else\": {\"propertyNames\": {\"enum\": [");
    for (int k = 0; k < KEY_COUNT; k++)
        if (!*schema[k].section) sbuf_printf(out, "%s\"%s\"", k ? ", " : "", schema[k].name);
    for (int i = 1; sections[i]; i++)
        if (!is_nested(sections[i])) sbuf_printf(out, ", \"%s\"", sections[i]);
    sbuf_puts(out, "]}}\n}\n");
}

/* ---- libFuzzer's and AFL's dictionary -------------------------------------------------------- */

static void entry(sbuf_t *out, const char *before, const char *text, const char *after) {
    sbuf_printf(out, "\"%s", before);
    for (const char *p = text; *p; p++)
        sbuf_printf(out, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
    sbuf_printf(out, "%s\"\n", after);
}

void spec_fuzz_dictionary(sbuf_t *out) {
    static const char *const syntax[] = {"&a ",
                                         "*a",
                                         "<<: ",
                                         "---\\x0a",
                                         "...\\x0a",
                                         "? ",
                                         "- ",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         ", ",
                                         "null",
                                         "true",
                                         "false",
                                         "1e-12",
                                         "|\\x0a",
                                         ">\\x0a",
                                         "!!int ",
                                         "\\x09",
                                         "\\xef\\xbb\\xbf",
                                         "\\xe2\\x80\\xa8"};
    static const char *const escapes[] = {
        "\\u0041",   "\\ud83d\\ude00", "\\/",     "\\x00",         "\"",
        "<= 64 MiB", "< 50 M",         "512 MiB", "sentencepiece:"};
    for (int k = 0; k < KEY_COUNT; k++) {
        entry(out, "", schema[k].name, ": ");
        if (schema[k].standard) entry(out, "", schema[k].standard, "");
        for (const word_t *w = schema[k].words; w && w->word; w++) entry(out, "", w->word, "");
    }
    for (int i = 1; sections[i]; i++) {
        const char *dot = strrchr(sections[i], '.');
        entry(out, "", dot ? dot + 1 : sections[i], ":\\x0a  ");
    }
    for (size_t i = 0; i < sizeof syntax / sizeof syntax[0]; i++)
        sbuf_printf(out, "\"%s\"\n", syntax[i]);
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) entry(out, "", escapes[i], "");
}
