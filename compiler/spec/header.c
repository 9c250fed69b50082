/* What stands before the graphs of a .graph file: keys of a spec that no node says.
 *
 * In: a spec, or the text of such a head. Out: the head as YAML, which reads back as the same head;
 * what is read is a spec_t of those keys alone (spec_t.of_graph): whoever wants the model's sizes
 * asks the graph (graph/facts.h). */
#include <string.h>

#include "spec/numbers.h"
#include "spec/read.h"

static const spec_key_t keys[] = {
    KEY_max_position_embeddings,
    KEY_pad_token_id,
    KEY_eos_token_id,
    KEY_hash_seed,
    KEY_axial_norm_std,
    KEY_initializer_range,
    KEY_compile_name,
    KEY_compile_targets,
    KEY_compile_text,
    KEY_compile_decode,
    KEY_compile_cache_dtype,
    KEY_train_memory,
    KEY_train_dtype,
    KEY_expect_workspace,
    KEY_expect_flops_per_token,
    KEY_compile_dtype,
    KEY_compile_batch_size,
    KEY_compile_sequence_length,
};
/* Those behind here are told by the graphs' own lines, or by every build alike: they are read, and
 * not written, like all of train: but memory and number type. */
enum { N_KEYS = sizeof keys / sizeof *keys, N_WRITTEN = 15 };

const spec_key_t spec_generation_keys[N_GENERATION_KEYS] = {KEY_compile_decode,
                                                            KEY_compile_cache_dtype};

const char *spec_key_name(spec_key_t key) {
    return schema[key].full;
}

static bool trains(spec_key_t key) {
    return strncmp(schema[key].section, "train", 5) == 0;
}

bool spec_trains(const spec_t *s) {
    for (int k = 0; k < KEY_COUNT; k++)
        if (s->given[k] && trains((spec_key_t)k)) return true;
    return false;
}

/* How a model is trained is no part of it, so all of that may be asked for. */
bool spec_key_of_graph(spec_key_t key) {
    if (trains(key)) return true;
    for (int i = 0; i < N_KEYS; i++)
        if (keys[i] == key) return true;
    return false;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_list(const spec_t *s, sbuf_t *out) {
    sbuf_puts(out, "[");
    for (int i = 0; i < s->compile.n_targets; i++)
        sbuf_printf(out, "%s%s", i ? ", " : "", s->compile.targets[i]);
    sbuf_puts(out, "]");
}

static void put_budget(double max, bool strict, const char *unit, sbuf_t *out) {
    sbuf_printf(out, "\"%s ", strict ? "<" : "<=");
    print_real(out, max);
    sbuf_printf(out, "%s\"", unit);
}

static void put_text(const spec_t *s, sbuf_t *out) {
    if (s->compile.text == TEXT_BYTES) {
        sbuf_puts(out, "bytes");
        return;
    }
    sbuf_t text = {0};
    sbuf_printf(&text, "sentencepiece:%s", s->compile.sentencepiece);
    print_quoted(out, text.data);
    sbuf_free(&text);
}

static void put_value(const spec_t *s, spec_key_t key, sbuf_t *out) {
    switch (key) {
    case KEY_compile_name: print_quoted(out, s->compile.name); return;
    case KEY_compile_targets: put_list(s, out); return;
    case KEY_compile_text: put_text(s, out); return;
    case KEY_expect_workspace:
        put_budget(s->expect.workspace, s->expect.workspace_strict, " B", out);
        return;
    case KEY_expect_flops_per_token:
        put_budget(s->expect.flops_per_token, s->expect.flops_strict, "", out);
        return;
    default:
        if (!print_key_value(s, key, out)) bug("no value of '%s'", schema[key].full);
    }
}

/* A setting of a section is there when somebody gave it, and not when it was given as null. */
static bool is_there(const spec_t *s, spec_key_t key) {
    switch (key) {
    case KEY_compile_name: return s->compile.name != NULL;
    case KEY_compile_targets: return s->compile.n_targets > 0;
    case KEY_compile_text: return s->compile.text != TEXT_UNSET;
    case KEY_compile_decode: return s->compile.decode != DECODE_CORRECTED;
    case KEY_compile_cache_dtype: return s->compile.cache_dtype != CACHE_LIKE_ATTENTION;
    case KEY_train_memory: return spec_trains(s);
    case KEY_train_dtype: return s->train.dtype != DTYPE_FLOAT32;
    case KEY_expect_workspace: return s->expect.has_workspace;
    case KEY_expect_flops_per_token: return s->expect.has_flops;
    /* of a graph: as many as its tables have, unless it says less */
    case KEY_max_position_embeddings: return !s->of_graph || s->given[key];
    default: return true;
    }
}

void spec_print_head(const spec_t *s, sbuf_t *out) {
    const char *section = "";
    for (int i = 0; i < N_WRITTEN; i++) {
        const key_info_t *k = &schema[keys[i]];
        if (!is_there(s, keys[i])) continue;
        if (strcmp(k->section, section) != 0) sbuf_printf(out, "%s:\n", k->section);
        section = k->section;
        sbuf_printf(out, "%s%s: ", *section ? "  " : "", k->name);
        put_value(s, keys[i], out);
        sbuf_puts(out, "\n");
    }
}
