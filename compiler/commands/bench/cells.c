/* What the tables and files of forwards and of steps have in common: which case a row is of, and
 * how figures are written. */
#include <string.h>

#include "commands/bench/bench.h"
#include "report/fields.h"

const char *bench_dtype_text(const bench_t *b) {
    bool told = b->dtype && strcmp(b->dtype, dtype_name(DTYPE_FLOAT32)) != 0;
    return told ? arena_printf(b->arena, "%s, ", b->dtype) : "";
}

const char *bench_giga(arena_t *a, double x) {
    double g = x / 1e9;
    return arena_printf(a, "%.*f", g < 10 ? 2 : 1, g);
}

static bool any_batches(const bench_t *b) {
    return b->n_batches > 1 || b->batches[0] != 1;
}

/* Columns that say which case it is; their number. */
static int case_columns(const bench_t *b, column_t *columns) {
    int n = 0;
    columns[n++] = (column_t){b->decodes ? "context" : "length", false};
    if (any_batches(b)) columns[n++] = (column_t){"batch", false};
    columns[n++] = (column_t){"target", true};
    columns[n++] = (column_t){"threads", false};
    return n;
}

static int case_cells(const bench_t *b, const bench_case_t *c, const char **cells) {
    int n = 0;
    cells[n++] = arena_printf(b->arena, "%lld", (long long)c->length);
    if (any_batches(b)) cells[n++] = arena_printf(b->arena, "%lld", (long long)c->batch);
    cells[n++] = c->target->name;
    cells[n++] = arena_printf(b->arena, "%d", c->threads);
    return n;
}

section_t *bench_case_table(const bench_t *b, document_t *doc, const char *heading,
                            const char *const *titles, int n_titles, bench_fill_fn *fill) {
    column_t columns[MAX_COLUMNS];
    const char *cells[MAX_COLUMNS];
    int n = case_columns(b, columns);
    for (int k = 0; k < n_titles; k++) columns[n++] = (column_t){titles[k], false};
    section_t *s = document_section(doc, heading);
    s->table = table_new(b->arena, n, columns);
    for (int k = 0; k < b->n_cases; k++) {
        const bench_case_t *c = &b->cases[k];
        if (!c->done) continue;
        fill(b, c, cells + case_cells(b, c, cells));
        table_row(b->arena, s->table, cells);
    }
    return s;
}

const char *bench_case_title(const bench_t *b, const bench_case_t *c) {
    const char *batch =
        c->batch == 1 ? "" : arena_printf(b->arena, ", batch %lld", (long long)c->batch);
    return arena_printf(b->arena, "Kernels: %s %lld%s, %s, %d thread%s",
                        b->decodes ? "context" : "length", (long long)c->length, batch,
                        c->target->name, c->threads, c->threads == 1 ? "" : "s");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

void bench_put_spread(sbuf_t *out, const char *key, spread_t s) {
    sbuf_printf(out, ", \"%s\": {\"median\": %.9g, \"low\": %.9g, \"high\": %.9g}", key, s.median,
                s.low, s.high);
}

static void put_kernel(const bench_kernel_t *k, sbuf_t *out) {
    sbuf_puts(out, "      {\"name\": ");
    put_json(out, k->name);
    sbuf_printf(out, ", \"launches\": %.9g, \"flops\": %.9g, \"stream_bytes\": %.9g", k->launches,
                k->flops, k->streams);
    products_json(&k->products, out);
    bench_put_spread(out, "seconds", k->seconds);
    bench_put_spread(out, "of_peak", k->of_peak);
    sbuf_puts(out, "}");
}

void bench_put_kernels(const bench_case_t *c, sbuf_t *out) {
    bench_put_spread(out, "instrumented_seconds", c->told_seconds);
    sbuf_puts(out, ", \"kernels\": [\n");
    for (int k = 0; k < c->n_kernels; k++) {
        if (k) sbuf_puts(out, ",\n");
        put_kernel(&c->kernels[k], out);
    }
    sbuf_puts(out, "]}");
}
