/* Files and texts → model.h. */
#include "graph/model.h"

#include <string.h>

#include "support/file.h"
#include "support/heap.h"

enum { FILE_LIMIT = 256 << 20 }; /* a device or a wrong file ends here, not with the memory */

int64_t model_batch(const loaded_model_t *m) {
    if (m->spec->compile.has_batch) return m->spec->compile.batch_size;
    return m->graphs ? m->graphs[0]->batch : 1;
}

int model_lengths(const loaded_model_t *m, int64_t lengths[MAX_GRAPHS]) {
    const spec_t *s = m->spec;
    int n = s->compile.n_lengths;
    for (int i = 0; i < n; i++) lengths[i] = s->compile.lengths[i];
    bool any = n > 0 || !m->graphs || m->graphs[m->n_graphs - 1]->shorter != SHORTER_PADDED;
    for (int i = 0; i < m->n_graphs && !any; i++) lengths[n++] = graph_longest(m->graphs[i]);
    return n;
}

/* ---- a text of graphs ------------------------------------------------------------------------ */

/* What the head says of text and vocabulary. */
static bool check_head(const loaded_model_t *m, diag_t *d) {
    const spec_t *s = m->spec;
    bool ok = true;
    if (s->compile.text == TEXT_BYTES && m->facts.vocab < 258) {
        diag_error(d, s->at[KEY_compile_text],
                   "'bytes' needs 258 tokens (id = byte + 2), the graph has %lld",
                   (long long)m->facts.vocab);
        ok = false;
    }
    for (int i = 0; i < N_GENERATION_KEYS && m->facts.head != ARCH_CAUSAL_LM; i++) {
        spec_key_t key = spec_generation_keys[i];
        if (!s->given[key]) continue;
        diag_error(d, s->at[key], "'%s' is for models that generate, the causal LM",
                   spec_key_name(key));
        ok = false;
    }
    return ok;
}

static bool parse_graphs(arena_t *a, loaded_model_t *m, const char *path, const char *text,
                         size_t bytes, size_t from, const setting_t *sets, int n_sets, diag_t *d) {
    diag_source(d, path, text, bytes);
    m->spec = spec_parse_head(a, path, text, from, sets, n_sets, d);
    m->graphs = graph_parse_all(a, path, text, bytes, from, MAX_GRAPHS, &m->n_graphs, d);
    if (!m->graphs) return false;
    bool ok = m->spec != NULL;
    for (int i = 0; i < m->n_graphs; i++) {
        m->graphs[i]->spec = m->spec;
        ok = graph_check_model(m->graphs[i], d) && ok;
    }
    return ok && facts_of_graphs(a, m->spec, m->graphs, m->n_graphs, &m->facts, d) &&
           check_head(m, d);
}

static bool take_spec(arena_t *a, loaded_model_t *m, spec_t *s) {
    m->spec = s;
    if (s) m->facts = facts_of_spec(a, s);
    return s != NULL;
}

bool model_parse(arena_t *a, loaded_model_t *m, const char *path, const char *text, size_t bytes,
                 const setting_t *sets, int n_sets, diag_t *d) {
    *m = (loaded_model_t){0};
    size_t from = bytes;
    if (graph_text_begins(text, bytes, &from) || ends_with(path, ".graph"))
        return parse_graphs(a, m, path, text, bytes, from, sets, n_sets, d);
    return take_spec(a, m, spec_from_text(a, path, text, bytes, sets, n_sets, d));
}

/* ---- a path ---------------------------------------------------------------------------------- */

/* Folders, and what does not exist, are the spec's. */
bool model_load(arena_t *a, loaded_model_t *m, const char *path, const setting_t *sets, int n_sets,
                diag_t *d) {
    bool piped = strcmp(path, "-") == 0;
    *m = (loaded_model_t){0};
    if (!piped && (is_directory(path) || !file_exists(path))) {
        return take_spec(a, m, spec_load(a, path, sets, n_sets, d));
    }
    size_t bytes;
    char *read = file_read(piped ? "/dev/stdin" : path, FILE_LIMIT, &bytes, d);
    if (!read) return false;
    char *text = arena_copy(a, read, bytes + 1); /* diagnostics quote it later */
    heap_free(read);
    return model_parse(a, m, piped ? "<stdin>" : path, text, bytes, sets, n_sets, d);
}

bool model_resolve(arena_t *a, loaded_model_t *m, bool has_lm_head, bool has_classifier,
                   bool has_qa, diag_t *d) {
    if (m->graphs) return true;
    if (!spec_resolve_architecture(m->spec, has_lm_head, has_classifier, has_qa, d)) return false;
    m->facts = facts_of_spec(a, m->spec);
    return true;
}

/* ---- printing -------------------------------------------------------------------------------- */

void model_print(const spec_t *head, graph_t *const *graphs, int n, sbuf_t *out) {
    spec_print_head(head, out);
    for (int i = 0; i < n; i++) {
        sbuf_puts(out, "\n");
        graph_print_forward(graphs[i], out);
    }
}
