/* Sections of the report that only a train step has: its parts, and what it keeps
 * for its backward pass. */
#include <math.h>

#include "commands/explain/rows.h"

/* ---- its parts ------------------------------------------------------------------------------- */

static void part_row(const explanation_t *e, table_t *t, const char *part, double flops,
                     double forward, double all) {
    ROW(e, t, part, TEXT(e, "%.4f", flops / e->tokens / 1e6), TEXT(e, "%.2f", flops / forward),
        text_share(e->arena, flops / all));
}

static void parts_section(const explanation_t *e, document_t *doc) {
    const train_work_t *w = &e->keeping[KEEPS_CHOSEN].work;
    section_t *section = document_section(doc, "parts of a train step, per token");
    table_t *t = section->table = table_new(
        e->arena, 4,
        (column_t[]){{"part", true}, {"Mflop", false}, {"forwards", false}, {"share", false}});
    double all = work_total(w);
    part_row(e, t, "forward", w->forward, w->forward, all);
    part_row(e, t, "made again for the backward pass", w->again, w->forward, all);
    part_row(e, t, "gradients of what ops read", w->inputs, w->forward, all);
    part_row(e, t, "gradients of weights", w->weights, w->forward, all);
    part_row(e, t, "total", all, w->forward, all);
    t->totals = true;
    section->note =
        "Counted on the graph, where parts can be told apart: one kernel may do several. What "
        "kernels ask for beyond that, such as exponentials at their full price and what fills up tiles, "
        "stands in the table above alone.";
}

/* ---- what it keeps --------------------------------------------------------------------------- */

static const char *memory_text(const explanation_t *e) {
    const spec_t *s = e->spec;
    const char *bytes = text_bytes(e->arena, s->train.memory_bytes);
    switch (s->train.memory) {
    case MEMORY_AUTO:
        return TEXT(e, "train.memory: auto, up to %s of values",
                    text_bytes(e->arena, KEPT_BY_AUTO));
    case MEMORY_SIZE:
        return TEXT(e, "train.memory: a workspace of %s, which leaves %s for values", bytes,
                    text_bytes(e->arena, fmax(0, e->kept->room)));
    case MEMORY_REVERSIBLE: break;
    }
    return "train.memory: reversible";
}

static double step_seconds(const explanation_t *e, const keeping_t *k) {
    return kernels_seconds(&k->costs, &e->machine);
}

/* Written once and read once, instead of made again. */
static double seconds_with(const explanation_t *e, const kept_row_t *row) {
    double saved =
        arithmetic_seconds(&e->machine, &(products_t){.of = {[FACTOR_F32] = row->saves}});
    double moved = 2 * row->bytes / e->machine.bandwidth;
    return step_seconds(e, &e->keeping[KEEPS_NOTHING]) - saved + moved;
}

static void add_cells(const explanation_t *e, table_t *t, const char *name, double bytes,
                      double workspace, double saves, double seconds, const char *last) {
    const char *cells[MAX_COLUMNS] = {name, text_integer(e->arena, bytes),
                                      workspace > 0 ? text_integer(e->arena, workspace) : "",
                                      TEXT(e, "%.4f", saves / e->tokens / 1e6), last};
    if (e->has_machine) {
        cells[4] = text_seconds(e->arena, seconds);
        cells[5] = last;
    }
    table_row(e->arena, t, cells);
}

static const char *decision(const explanation_t *e, const kept_row_t *row) {
    if (row->kept) return "yes";
    if (!row->lowered) return "no: not lowered";
    if (e->spec->train.memory == MEMORY_REVERSIBLE) return "no";
    return kept_pays(row) ? "no: no room" : "no: saves no time";
}

static void choice_section(const explanation_t *e, document_t *doc) {
    section_t *section = document_section(doc, "what a train step keeps");
    const column_t with[] = {{"kept", true},        {"bytes", false},     {"workspace", false},
                             {"Mflop less", false}, {"predicted", false}, {"chosen", true}};
    const column_t without[] = {{"kept", true},
                                {"bytes", false},
                                {"workspace", false},
                                {"Mflop less", false},
                                {"chosen", true}};
    bool machine = e->has_machine;
    table_t *t = section->table = table_new(e->arena, machine ? 6 : 5, machine ? with : without);
    section->text = memory_text(e);
    for (int i = 0; i < e->kept->n; i++) {
        const kept_row_t *row = &e->kept->rows[i];
        double seconds = machine ? seconds_with(e, row) : 0;
        add_cells(e, t, row->name, row->bytes, 0, row->saves, seconds, decision(e, row));
    }
    double all = work_total(&e->keeping[KEEPS_NOTHING].work);
    for (int i = 0; i < N_KEEPING; i++) {
        const keeping_t *k = &e->keeping[i];
        if (!k->name) continue;
        double seconds = machine ? step_seconds(e, k) : 0;
        add_cells(e, t, k->name, k->kept, k->workspace, all - work_total(&k->work), seconds, "");
    }
    section->note = TEXT(
        e,
        "Mflop less: per token, of a step that keeps these alone and makes all else again%s. The last three rows are "
        "whole steps, lowered; workspace is that of %d thread%s. What saves most per byte is kept first, "
        "and nothing that saves less than %d flops for a byte, which is written and read once more.",
        machine ? "; predicted: the time of a step that does" : "", e->threads,
        e->threads == 1 ? "" : "s", 2 * KEPT_FLOPS_PER_BYTE);
}

void train_sections(const explanation_t *e, document_t *doc) {
    parts_section(e, doc);
    choice_section(e, doc);
}
