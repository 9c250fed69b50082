/* trainer_state.json: what a training has counted, and what it must not change (checkpoint.h).
 *
 * Out: JSON. In: the same, which is YAML, read by the spec's reader. Numbers keep their bits: the
 * shortest decimal that reads back as the same double; JSON has no infinities,
 * they and NaN are texts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/checkpoint_int.h"
#include "report/fields.h"
#include "spec/numbers.h"
#include "spec/tree.h"
#include "support/file.h"
#include "support/hash.h"
#include "support/heap.h"
#include "support/printable.h"

#define FORMAT "reformerc trainer state 1"
enum { STATE_LIMIT = 64 << 20, WHOLE = 400, SHOWN = 60 };

/* ---- writing --------------------------------------------------------------------------------- */

/* Eight bytes at a time, in four lanes: hash64() byte by byte would take longer than writing. */
uint64_t arrays_hash(const checkpoint_array_t *arrays, size_t n) {
    uint64_t lanes[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < n; i++) {
        const float *x = arrays[i].data;
        int64_t elements = 1, at = 0;
        for (int k = 0; k < arrays[i].rank; k++) elements *= arrays[i].shape[k];
        for (; at + 8 <= elements; at += 8)
            for (int lane = 0; lane < 4; lane++) {
                uint64_t word;
                memcpy(&word, x + at + 2 * lane, sizeof word);
                lanes[lane] = (lanes[lane] ^ word) * UINT64_C(0x9E3779B97F4A7C15);
                lanes[lane] ^= lanes[lane] >> 29;
            }
        for (; at < elements; at++) {
            uint32_t word;
            memcpy(&word, x + at, sizeof word);
            lanes[0] = (lanes[0] ^ word) * UINT64_C(0x9E3779B97F4A7C15);
            lanes[0] ^= lanes[0] >> 29;
        }
    }
    uint64_t hash = 0;
    for (int lane = 0; lane < 4; lane++) hash = (hash ^ lanes[lane]) * UINT64_C(0xD1342543DE82EF95);
    return hash ^ hash >> 32;
}

/* What JSON keeps of a text. */
static const char *kept_text(arena_t *a, const char *text) {
    sbuf_t out = {0};
    sbuf_puts(&out, "");
    for (const char *p = text, *end = p + strlen(p); p < end;) {
        bool ok;
        size_t n = printable(p, end, &ok);
        if (!ok && (unsigned char)*p >= 0x20) sbuf_puts(&out, "\xef\xbf\xbd");
        else sbuf_write(&out, p, n);
        p += n;
    }
    const char *kept = arena_strdup(a, out.data);
    sbuf_free(&out);
    return kept;
}

const char *state_text(arena_t *a, const char *value) {
    size_t n = strlen(value), shown = SHOWN;
    if (n <= WHOLE) return kept_text(a, value);
    while (((unsigned char)value[shown] & 0xC0) == 0x80) shown--;
    return arena_printf(a, "%s… (%016llx)", kept_text(a, arena_strndup(a, value, shown)),
                        (unsigned long long)hash64(HASH64_INIT, value, n));
}

static void put_number(sbuf_t *out, double v) {
    if (isnan(v)) sbuf_puts(out, "\"nan\"");
    else if (isinf(v)) sbuf_puts(out, v > 0 ? "\"inf\"" : "\"-inf\"");
    else print_real(out, v);
}

static void put_fact(sbuf_t *out, const char *key, const char *text, bool first) {
    sbuf_puts(out, first ? "\n    " : ",\n    ");
    put_json(out, key);
    sbuf_puts(out, ": ");
    put_json(out, text);
}

void state_print(const checkpoint_t *state, uint64_t hash, sbuf_t *out) {
    sbuf_printf(out,
                "{\n  \"format\": \"" FORMAT "\",\n  \"step\": %lld,\n  \"tensors\": \"%016llx\",",
                (long long)state->step, (unsigned long long)hash);
    sbuf_puts(out, "\n  \"numbers\": {");
    for (size_t i = 0; i < state->n_numbers; i++) {
        sbuf_puts(out, i ? ",\n    " : "\n    ");
        put_json(out, state->numbers[i].key);
        sbuf_puts(out, ": ");
        put_number(out, state->numbers[i].value);
    }
    sbuf_puts(out, "\n  },\n  \"facts\": {");
    arena_t *a = arena_new();
    for (size_t i = 0; i < state->n_facts; i++)
        put_fact(out, state->facts[i].key, state_text(a, state->facts[i].text), i == 0);
    sbuf_puts(out, "\n  },\n  \"keys\": {");
    spec_value_t *values;
    size_t n = spec_fixed_values(a, state->spec, &values);
    for (size_t i = 0; i < n; i++)
        put_fact(out, values[i].key, state_text(a, values[i].value), i == 0);
    arena_free(a);
    sbuf_puts(out, "\n  }\n}\n");
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool refuse(srcloc_t at, const char *what, diag_t *d) {
    diag_error(d, at, "is no trainer state that reformerc wrote: %s", what);
    return false;
}

static const node_t *member(const node_t *map, const char *name) {
    for (size_t i = 0; map->kind == NODE_MAP && i < map->n; i++)
        if (node_is(map->items[2 * i], name)) return map->items[2 * i + 1];
    return NULL;
}

static bool read_number(const node_t *n, double *value) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (node_is(n, words[i].word)) {
            *value = words[i].value;
            return true;
        }
    return n->kind == NODE_SCALAR && n->plain && parse_real(n->text, value) == NUMBER_OK;
}

static bool read_numbers(arena_t *a, const node_t *map, saved_state_t *out, diag_t *d) {
    out->n_numbers = map->n;
    out->numbers = ARENA_ARRAY(a, checkpoint_number_t, map->n + 1);
    for (size_t i = 0; i < map->n; i++) {
        out->numbers[i].key = map->items[2 * i]->text;
        if (!read_number(map->items[2 * i + 1], &out->numbers[i].value))
            return refuse(map->items[2 * i + 1]->at, "a number is needed", d);
    }
    return true;
}

static bool read_facts(arena_t *a, const node_t *map, checkpoint_fact_t **facts, size_t *n,
                       diag_t *d) {
    *n = map->n;
    *facts = ARENA_ARRAY(a, checkpoint_fact_t, map->n + 1);
    for (size_t i = 0; i < map->n; i++) {
        const node_t *value = map->items[2 * i + 1];
        if (value->kind != NODE_SCALAR) return refuse(value->at, "a text is needed", d);
        (*facts)[i] = (checkpoint_fact_t){map->items[2 * i]->text, value->text};
    }
    return true;
}

static bool read_tree(arena_t *a, const char *path, const node_t *root, saved_state_t *out,
                      diag_t *d) {
    const node_t *format = member(root, "format"), *step = member(root, "step"),
                 *hash = member(root, "tensors"), *numbers = member(root, "numbers"),
                 *facts = member(root, "facts"), *keys = member(root, "keys");
    if (!format || !node_is(format, FORMAT))
        return refuse(format ? format->at : IN_FILE(path), "'format' must be '" FORMAT "'", d);
    if (!step || step->kind != NODE_SCALAR || parse_int(step->text, &out->step) != NUMBER_OK ||
        out->step < 0)
        return refuse(step ? step->at : IN_FILE(path), "'step' must be a whole number", d);
    char *end = NULL;
    if (hash && hash->kind == NODE_SCALAR) out->hash = strtoull(hash->text, &end, 16);
    if (!end || *end || !*hash->text)
        return refuse(hash ? hash->at : IN_FILE(path), "'tensors' must be a hash", d);
    if (!numbers || numbers->kind != NODE_MAP || !facts || facts->kind != NODE_MAP || !keys ||
        keys->kind != NODE_MAP)
        return refuse(IN_FILE(path), "'numbers', 'facts' and 'keys' must be mappings", d);
    return read_numbers(a, numbers, out, d) &&
           read_facts(a, facts, &out->facts, &out->n_facts, d) &&
           read_facts(a, keys, &out->keys, &out->n_keys, d);
}

bool state_load(arena_t *a, const char *path, saved_state_t *out, diag_t *d) {
    size_t bytes;
    char *text = file_read(path, STATE_LIMIT, &bytes, d);
    if (!text) return false;
    char *kept = arena_copy(a, text, bytes + 1);
    heap_free(text);
    *out = (saved_state_t){0};
    const char *shown = arena_strdup(a, path);
    int before = diag_errors(d);
    node_t *root = tree_read(a, shown, kept, bytes, true, d);
    return root && diag_errors(d) == before && read_tree(a, shown, root, out, d);
}
