/* What a tune_t found, as tables: a row for everything that was measured. */
#include "commands/tune/tune.h"

#include "report/document.h"

static const char *const what_names[] = {[TRIED_TILE] = "tile",
                                         [TRIED_BLOCK] = "block",
                                         [TRIED_RUN] = "run",
                                         [TRIED_AGAIN] = "once more"};

static const char *verdict_of(const tried_t *y) {
    if (y->what == TRIED_AGAIN) return y->taken ? "kept" : "within the noise";
    return y->taken ? "chosen" : "";
}

static void add_row(arena_t *a, table_t *t, const char *what, const tiles_t *c, const char *time,
                    const char *quartiles, const char *verdict) {
    const char *cells[] = {what,
                           arena_printf(a, "%dx%d", c->vectors, c->rows),
                           arena_printf(a, "%d", c->block),
                           arena_printf(a, "%d", c->chunks_per_task),
                           time,
                           quartiles,
                           verdict};
    table_row(a, t, cells);
}

static void add_tried(arena_t *a, table_t *t, const tried_t *y) {
    const char *time = arena_printf(a, "%.3f", y->ratio.median);
    const char *quartiles = arena_printf(a, "%.3f … %.3f", y->ratio.low, y->ratio.high);
    add_row(a, t, what_names[y->what], &y->tiles, time, quartiles, verdict_of(y));
}

static void add_target(const tune_t *t, const tuned_t *x, document_t *doc) {
    static const column_t columns[] = {{"tried", true}, {"tile", false}, {"block", false},
                                       {"run", false},  {"time", false}, {"quartiles", false},
                                       {"", true}};
    arena_t *a = t->arena;
    section_t *s = document_section(
        doc, arena_printf(a, "%s, %s on \"%s\"", x->target->name, x->shapes, t->cpu));
    s->table = table_new(a, 7, columns);
    add_row(a, s->table, "analytic", &x->analytic, "1.000", "", x->better ? "" : "stays");
    int same = 0;
    for (int k = 0; k < x->n; k++) {
        same += x->tried[k].same;
        if (!x->tried[k].same) add_tried(a, s->table, &x->tried[k]);
    }
    s->note = x->better ? arena_printf(a, "%.1f %% faster than the analytic choice.", x->entry.gain)
                        : "Nothing is better than the analytic choice.";
    if (same)
        s->note =
            arena_printf(a, "%s Alternatives that make the code of another: %d.", s->note, same);
}

static const char *lengths_text(const tune_t *t) {
    const char *text = "";
    for (int l = 0; l < t->n_lengths; l++)
        text = arena_printf(t->arena, "%s%s%lld", text, l ? ", " : "", (long long)t->lengths[l]);
    return text;
}

/* What a file would hold, unwrapped. */
static void add_entries(const tune_t *t, sbuf_t *out) {
    tuning_t found = {.arena = t->arena};
    for (int k = 0; k < t->n_targets; k++)
        if (t->targets[k].better) tuning_put(&found, &t->targets[k].entry);
    if (found.n == 0) return;
    sbuf_puts(out, "\n");
    tuning_print(&found, out);
}

void render_tune(const tune_t *t, sbuf_t *out) {
    arena_t *a = t->arena;
    document_t doc = {.arena = a};
    doc.title = arena_printf(a, "%s, length %s, batch %lld, %d thread%s, back end %s, %d round%s",
                             t->o->model, lengths_text(t), (long long)t->batch, t->threads,
                             t->threads == 1 ? "" : "s", backend_names[t->o->backend], t->repeat,
                             t->repeat == 1 ? "" : "s");
    for (int k = 0; k < t->n_targets; k++)
        if (t->targets[k].done) add_target(t, &t->targets[k], &doc);
    section_t *s = document_section(&doc, "How it was decided");
    s->text = arena_printf(
        a,
        "Time: of one forward, by that of the analytic choice in the same round. A row is chosen when "
        "it takes %.0f %% less than the best row above by the median, and less in three of four "
        "rounds; what is left is measured once more, in %d rounds, and kept when the same holds "
        "against the analytic choice. Tile: vectors x rows.",
        100 * min_gain, AGAIN * t->repeat);
    document_text(&doc, out);
    if (!t->o->given[OPT_TUNING_FILE]) add_entries(t, out);
}
