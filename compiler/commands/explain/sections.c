/* Sections of the report that a forward and a train step both have: work, time, workspace. */
#include "commands/explain/rows.h"

/* ---- work ------------------------------------------------------------------------------------ */

static const char *intensity(const explanation_t *e, const kernel_cost_t *k) {
    return k->streams > 0
               ? TEXT(e, "%.*f", k->flops < 10 * k->streams ? 2 : 1, k->flops / k->streams)
               : "-";
}

static void work_row(const explanation_t *e, table_t *t, const kernel_cost_t *k, double seconds,
                     const char *bound) {
    double n = e->tokens;
    const char *cells[MAX_COLUMNS] = {k->name,
                                      text_integer(e->arena, k->launches),
                                      TEXT(e, "%.4f", k->flops / n / 1e6),
                                      text_share(e->arena, k->flops / e->costs.total.flops),
                                      text_integer(e->arena, k->bytes / n),
                                      text_integer(e->arena, k->streams / n),
                                      intensity(e, k)};
    int column = 7;
    if (products_are_mixed(&e->costs.total.products))
        cells[column++] = k->flops > 0 ? products_text(e->arena, &k->products) : "";
    if (e->has_machine) {
        cells[column++] = text_seconds(e->arena, seconds);
        cells[column] = bound;
    }
    table_row(e->arena, t, cells);
}

void work_section(const explanation_t *e, document_t *doc, bool figures) {
    section_t *section = document_section(doc, TEXT(e, "work of one %s, per token", e->what));
    column_t columns[MAX_COLUMNS] = {
        {"kernel", true},       {"launches", false}, {"Mflop", false},    {"share", false},
        {"bytes moved", false}, {"streamed", false}, {"flop/byte", false}};
    int n = 7;
    if (products_are_mixed(&e->costs.total.products)) columns[n++] = (column_t){"products", true};
    if (e->has_machine) {
        columns[n++] = (column_t){"predicted", false};
        columns[n++] = (column_t){"bound by", true};
    }
    table_t *t = section->table = table_new(e->arena, n, columns);
    for (int k = 0; k < e->costs.n; k++) {
        const kernel_cost_t *x = &e->costs.kernels[k];
        double seconds = e->has_machine ? kernel_seconds(x, &e->machine) : 0;
        bool memory = e->has_machine && kernel_is_bound_by_memory(x, &e->machine);
        work_row(e, t, x, seconds, memory ? "memory" : "arithmetic");
    }
    work_row(e, t, &e->costs.total, e->has_machine ? kernels_seconds(&e->costs, &e->machine) : 0,
             "");
    t->totals = true;
    section->note = TEXT(
        e,
        "Counted from the loop IR; a token is one of batch x length = %s. Bytes moved are those "
        "of every load and store, caches included; streamed are the distinct bytes of weights "
        "and workspace that a launch reads and writes. flop/byte is of the latter%s.",
        text_integer(e->arena, e->tokens),
        e->has_machine ? TEXT(e, "; predicted is per %s", e->what) : "");
    if (figures && e->has_machine) section->figure = draw_roofline(e);
}

/* ---- time ------------------------------------------------------------------------------------ */

void time_section(const explanation_t *e, document_t *doc) {
    section_t *section =
        document_section(doc, e->kept ? "predicted time of a train step" : "predicted time");
    if (!e->has_machine) {
        section->text =
            TEXT(e,
                 "not predicted: this CPU does not run %s; --peak GFLOPS and --bandwidth "
                 "GBS say what another one does",
                 e->m->target->name);
        return;
    }
    double seconds = kernels_seconds(&e->costs, &e->machine);
    table_t *t = section->table = facts_table(e);
    ROW(e, t, TEXT(e, "one %s, predicted", e->what), text_seconds(e->arena, seconds));
    ROW(e, t, "tokens per second, predicted", text_integer(e->arena, e->tokens / seconds));
    for (int p = 0; p < FACTOR_COUNT; p++)
        if (p == FACTOR_F32 || e->costs.total.products.of[p] > 0)
            ROW(e, t, p == FACTOR_F32 ? "fma peak" : TEXT(e, "%s peak", product_name(p)),
                TEXT(e, "%.1f GFLOP/s on %s", e->machine.flops.of[p] / 1e9,
                     number_of(e, e->threads, "thread")));
    ROW(e, t, "memory", TEXT(e, "%.1f GB/s", e->machine.bandwidth / 1e9));
    ROW(e, t, "these are", e->machine.how);
    bool measured;
    (void)target_efficiency(e->m->target, &measured);
    section->note = TEXT(
        e,
        "A roofline: every kernel takes the longer of flops / (%.0f %% of the %s) and "
        "streamed bytes / bandwidth. The %.0f %% is an assumption for %s, %s; kernels that do no "
        "arithmetic, such as the sort, take longer than this says.",
        100 * e->machine.efficiency,
        products_are_mixed(&e->costs.total.products) ? "peak of its products, each kind at its own"
                                                     : "fma peak",
        100 * e->machine.efficiency, e->m->target->name,
        measured ? "what a model of 6 layers and width 512 reached on one machine"
                 : "which was never measured");
}

/* ---- workspace ------------------------------------------------------------------------------- */

/* By address, then by time. */
static bool stands_before(const memory_life_t *a, const memory_life_t *b) {
    return a->offset != b->offset ? a->offset < b->offset : a->first < b->first;
}

static const memory_life_t **by_address(const explanation_t *e) {
    const memory_life_t **order = ARENA_ARRAY(e->arena, const memory_life_t *, e->map.n + 1);
    for (int k = 0; k < e->map.n; k++) {
        int at = k;
        for (; at > 0 && stands_before(&e->map.lives[k], order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = &e->map.lives[k];
    }
    return order;
}

static void life_row(const explanation_t *e, table_t *t, const memory_life_t *l) {
    const memory_map_t *map = &e->map;
    bool used = l->first <= l->last;
    ROW(e, t, text_integer(e->arena, e->prepared + (double)l->offset),
        text_integer(e->arena, (double)l->bytes), l->buffer->name,
        used ? TEXT(e, "%d %s", l->first + 1, launch_kind(map->at[l->first])) : "never used",
        used ? TEXT(e, "%d %s", l->last + 1, launch_kind(map->at[l->last])) : "",
        l->buffer->comment ? l->buffer->comment : "");
}

void workspace_section(const explanation_t *e, document_t *doc, bool figures) {
    const memory_map_t *map = &e->map;
    section_t *section =
        document_section(doc, e->kept ? "workspace of a train step, bytes" : "workspace, bytes");
    table_t *t = section->table = table_new(e->arena, 6,
                                            (column_t[]){{"offset", false},
                                                         {"bytes", false},
                                                         {"buffer", true},
                                                         {"from launch", true},
                                                         {"to launch", true},
                                                         {"holds", true}});
    ROW(e, t, "0", text_integer(e->arena, e->prepared), "prepared", "always", "",
        "ids, positions, rows, labels, controls: filled before the first launch");
    const memory_life_t **order = by_address(e);
    for (int k = 0; k < map->n; k++) life_row(e, t, order[k]);
    double scratch = (double)map->scratch, all = (double)e->threads * scratch;
    ROW(e, t, text_integer(e->arena, e->prepared + (double)map->bytes), text_integer(e->arena, all),
        "scratch", "always", "",
        TEXT(e, "%s of each of %s", text_integer(e->arena, scratch),
             number_of(e, e->threads, "thread")));
    ROW(e, t, "total", text_integer(e->arena, e->workspace), "", "", "", "");
    t->totals = true;
    double own = (double)map->bytes;
    section->note = TEXT(
        e,
        "%s in all. The two residual streams alone are %s, so the whole is %.2f times as much; "
        "without sharing, the buffers of the schedule would take %s instead of %s.",
        text_bytes(e->arena, e->workspace), text_bytes(e->arena, e->streams),
        e->workspace / e->streams, text_bytes(e->arena, (double)map->unshared),
        text_bytes(e->arena, own));
    if (figures) section->figure = draw_memory(e);
}
