/* The report of `reformerc explain`: figures → headings, lines and tables. */
#include <math.h>

#include "commands/explain/rows.h"
#include "weights/weights.h"

/* ---- parameters ------------------------------------------------------------------------------ */

static double elements(const layout_entry_t *x) {
    double n = x->count;
    for (int k = 0; k < x->rank; k++) n *= (double)x->shape[k];
    return n;
}

static const char *shape_text(const explanation_t *e, const layout_entry_t *x) {
    const char *text = "";
    for (int k = 0; k < x->rank; k++)
        text = TEXT(e, "%s%s%lld", text, k ? " x " : "", (long long)x->shape[k]);
    return text;
}

/* Of a stack, or part of it, that is packed a second way for the backward pass. */
static int packed_again(const layout_entry_t *x) {
    int n = 0;
    for (int k = 0; x->again && k < x->count; k++) n += x->again[k];
    return n;
}

/* Rotations are drawn, not learnt: bytes of the file, but no parameters. What is packed a
 * second way is none again. */
static void parameters_section(const explanation_t *e, document_t *doc) {
    const layout_t *l = e->plan->layout;
    section_t *section = document_section(doc, "parameters");
    table_t *t = section->table = table_new(e->arena, 5,
                                            (column_t[]){{"tensor", true},
                                                         {"layers", false},
                                                         {"shape", false},
                                                         {"parameters", false},
                                                         {"bytes in the file", false}});
    double sum = 0, file = (double)weights_packed_bytes(l), data = 0;
    for (int k = 0; k < l->n; k++) {
        const layout_entry_t *x = &l->entries[k];
        double fresh = 1 - (double)packed_again(x) / x->count;
        double learnt = x->kind == PACK_ROTATIONS ? 0 : fresh * elements(x);
        ROW(e, t, x->name, TEXT(e, "%d", x->count), shape_text(e, x),
            learnt > 0  ? text_integer(e->arena, learnt)
            : fresh > 0 ? "-"
                        : "packed again",
            text_integer(e->arena, (double)layout_entry_bytes(x)));
        sum += learnt;
        data += (double)layout_entry_bytes(x);
    }
    ROW(e, t, "header, alignment, contents", "", "", "-", text_integer(e->arena, file - data));
    ROW(e, t, "total", "", "", text_integer(e->arena, sum), text_integer(e->arena, file));
    t->totals = true;
}

/* ---- LSH against exact attention ------------------------------------------------------------- */

static const char *crossover_text(const explanation_t *e) {
    const crossover_t *c = &e->crossover;
    if (c->n == 0) return "this model has no positions for two chunks: it never hashes";
    if (!c->from)
        return TEXT(e, "LSH attention never costs less, up to %lld tokens",
                    (long long)c->points[c->n - 1].length);
    return TEXT(e, "LSH attention costs less from %lld tokens on", (long long)c->from);
}

static void crossover_section(const explanation_t *e, document_t *doc) {
    const crossover_t *c = &e->crossover;
    if (spec_first_layer(e->spec, true) < 0) return;
    section_t *section = document_section(doc, "LSH against exact attention");
    section->text = crossover_text(e);
    if (c->n == 0) return;
    table_t *t = section->table = table_new(e->arena, 4,
                                            (column_t[]){{"length", false},
                                                         {"LSH Mflop", false},
                                                         {"exact Mflop", false},
                                                         {"exact / LSH", false}});
    for (int k = 0; k < c->n; k++) {
        const crossing_t *x = &c->points[k];
        ROW(e, t, text_integer(e->arena, (double)x->length), TEXT(e, "%.4f", x->lsh / 1e6),
            TEXT(e, "%.4f", x->exact / 1e6), TEXT(e, "%.2f", x->exact / x->lsh));
    }
    section->note = TEXT(
        e,
        "Of one layer's attention, per token: hash, scores and values; counted from the loop IR of "
        "this model and of one that differs only in a chunk as long as the sequence%s.",
        e->spec->is_decoder ? ", which takes no block of keys that causality masks" : "");
}

document_t explain_document(const explanation_t *e, bool figures) {
    document_t doc = {.arena = e->arena,
                      .title = TEXT(e, "%s: %s", e->spec->path, arch_hf_name(e->plan->facts.head))};
    model_section(e, &doc);
    parameters_section(e, &doc);
    work_section(e, &doc, figures);
    time_section(e, &doc);
    workspace_section(e, &doc, figures);
    crossover_section(e, &doc);
    if (e->train) {
        work_section(e->train, &doc, figures);
        train_sections(e->train, &doc);
        time_section(e->train, &doc);
        workspace_section(e->train, &doc, figures);
    }
    return doc;
}
