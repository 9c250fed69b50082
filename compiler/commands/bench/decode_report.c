/* What `bench --decode` found: tables for people, CSV and JSON for programs.
 *
 * In: a bench_t whose cases are done or were never reached. Out: sections, texts. */
#include "commands/bench/decode.h"

#include "report/fields.h"

static double floor_bytes(const bench_case_t *c) {
    return c->weights + c->windows;
}

/* ---- how flat it is -------------------------------------------------------------------------- */

/* Over the contexts of one batch, target and number of threads. */
typedef struct {
    const bench_case_t *fastest, *slowest;
    int n; /* contexts that are done */
} flatness_t;

static double ratio_of(const flatness_t *f) {
    return f->slowest->seconds.median / f->fastest->seconds.median;
}

static flatness_t flatness_of(const bench_t *b, int series) {
    flatness_t f = {0};
    for (int l = 0; l < b->n_lengths; l++) {
        const bench_case_t *c = &b->cases[l * bench_series(b) + series];
        if (!c->done) continue;
        f.n++;
        if (!f.fastest || c->seconds.median < f.fastest->seconds.median) f.fastest = c;
        if (!f.slowest || c->seconds.median > f.slowest->seconds.median) f.slowest = c;
    }
    return f;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void fill_steps(const bench_t *b, const bench_case_t *c, const char **cells) {
    arena_t *a = b->arena;
    cells[0] = arena_printf(a, "%s ±%.1f %%", text_seconds(a, c->seconds.median),
                            100 * spread_width(c->seconds));
    cells[1] = text_seconds(a, c->best);
    cells[2] = arena_printf(a, "%.1f", decode_speed(c));
    cells[3] = bench_giga(a, floor_bytes(c) / c->seconds.median);
    cells[4] = bench_giga(a, c->read.median);
    cells[5] = text_share(a, c->of_floor.median);
}

static void add_steps(const bench_t *b, document_t *doc) {
    static const char *const titles[] = {"one step", "best", "tokens/s",
                                         "GB/s",     "read", "of floor"};
    section_t *s = bench_case_table(b, doc, "Generation", titles, 6, fill_steps);
    s->note = arena_printf(
        b->arena,
        "Code as products get it, logits wanted, random tokens, %d steps a round, each timed by "
        "itself. GB/s: of the weights and windows of keys and values that a step must read. Read: "
        "what memory gave at best on the same threads before and after each round. Of floor: median over "
        "the rounds of what these bytes take at that rate, by the median step; more than 100 %% "
        "where caches hold some of them.",
        b->tokens);
}

static void fill_memory(const bench_t *b, const bench_case_t *c, const char **cells) {
    arena_t *a = b->arena;
    cells[0] = text_bytes(a, c->weights);
    cells[1] = text_bytes(a, c->windows);
    cells[2] = text_bytes(a, c->cache);
    cells[3] = text_seconds(a, c->prefill);
    cells[4] = arena_printf(a, "%.0f", case_tokens(c) / c->prefill);
}

static void add_memory(const bench_t *b, document_t *doc) {
    static const char *const titles[] = {"weights", "windows", "cache", "prefill", "tokens/s"};
    section_t *s = bench_case_table(b, doc, "Read per step, and kept", titles, 5, fill_memory);
    s->note = "Weights: of embeddings only the rows. Cache: of all rows, with room for the steps "
              "measured. Prefill: once, on the most threads.";
}

static void add_flatness(const bench_t *b, document_t *doc) {
    column_t columns[MAX_COLUMNS] = {{"batch", false},   {"target", true}, {"threads", false},
                                     {"fastest", false}, {"after", false}, {"slowest", false},
                                     {"after", false},   {"ratio", false}};
    arena_t *a = b->arena;
    section_t *s = document_section(doc, "Flatness over the context");
    s->table = table_new(a, 8, columns);
    for (int k = 0; k < bench_series(b); k++) {
        flatness_t f = flatness_of(b, k);
        if (f.n == 0) continue;
        const char *cells[] = {arena_printf(a, "%lld", (long long)f.fastest->batch),
                               f.fastest->target->name,
                               arena_printf(a, "%d", f.fastest->threads),
                               text_seconds(a, f.fastest->seconds.median),
                               arena_printf(a, "%lld", (long long)f.fastest->length),
                               text_seconds(a, f.slowest->seconds.median),
                               arena_printf(a, "%lld", (long long)f.slowest->length),
                               arena_printf(a, "%.3f", ratio_of(&f))};
        table_row(a, s->table, cells);
    }
}

static void add_kernel(const bench_t *b, table_t *t, const char *name, const bench_kernel_t *k,
                       const bench_case_t *c) {
    arena_t *a = b->arena;
    double rate = k->seconds.median > 0 ? k->streams / k->seconds.median : 0;
    const char *cells[] = {name,
                           k->launches ? arena_printf(a, "%.0f", k->launches) : "",
                           text_seconds(a, k->seconds.median),
                           text_share(a, k->seconds.median / c->told_seconds.median),
                           k->streams ? text_bytes(a, k->streams) : "",
                           k->streams ? bench_giga(a, rate) : "",
                           k->streams ? text_share(a, rate / c->read.median) : ""};
    table_row(a, t, cells);
}

static void add_kernels(const bench_t *b, const bench_case_t *c, document_t *doc) {
    static const column_t columns[] = {{"kernel", true},  {"launches", false}, {"time", false},
                                       {"share", false},  {"streamed", false}, {"GB/s", false},
                                       {"of read", false}};
    section_t *s = document_section(doc, bench_case_title(b, c));
    s->table = table_new(b->arena, 7, columns);
    s->table->totals = true;
    bench_kernel_t total = {.streams = c->streams, .seconds = c->told_seconds};
    for (int k = 0; k < c->n_kernels; k++) {
        total.launches += c->kernels[k].launches;
        add_kernel(b, s->table, c->kernels[k].name, &c->kernels[k], c);
    }
    add_kernel(b, s->table, "instrumented", &total, c);
}

void decode_document(const bench_t *b, document_t *doc) {
    add_steps(b, doc);
    add_flatness(b, doc);
    add_memory(b, doc);
    for (int k = 0; k < b->n_cases; k++)
        if (b->cases[k].done) add_kernels(b, &b->cases[k], doc);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void put_row(sbuf_t *out, const bench_case_t *c, const char *kernel, double launches,
                    spread_t seconds, double streams) {
    sbuf_printf(out, "%lld,%lld,%s,%d,", (long long)c->length, (long long)c->batch, c->target->name,
                c->threads);
    put_csv(out, kernel);
    sbuf_printf(out, ",%.0f,%.9g,%.9g,%.9g,%.9g,", launches, seconds.median, seconds.low,
                seconds.high, streams);
}

/* A row per case, and below it one per kind of kernel. */
void decode_csv(const bench_t *b, sbuf_t *out) {
    sbuf_puts(out, "context,batch,target,threads,kernel,launches,seconds,seconds_low,seconds_high,"
                   "stream_bytes,seconds_best,tokens_per_second,weights_bytes,window_bytes,"
                   "read_bytes_per_second,of_floor,cache_bytes,prefill_seconds\n");
    for (int k = 0; k < b->n_cases; k++) {
        const bench_case_t *c = &b->cases[k];
        double launches = 0;
        if (!c->done) continue;
        for (int i = 0; i < c->n_kernels; i++) launches += c->kernels[i].launches;
        put_row(out, c, "", launches, c->seconds, c->streams);
        sbuf_printf(out, "%.9g,%.9g,%.0f,%.0f,%.9g,%.6f,%.0f,%.9g\n", c->best, decode_speed(c),
                    c->weights, c->windows, c->read.median, c->of_floor.median, c->cache,
                    c->prefill);
        for (int i = 0; i < c->n_kernels; i++) {
            const bench_kernel_t *x = &c->kernels[i];
            put_row(out, c, x->name, x->launches, x->seconds, x->streams);
            sbuf_puts(out, ",,,,,,,\n");
        }
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

void decode_json_case(const bench_case_t *c, sbuf_t *out) {
    sbuf_printf(out, "    {\"context\": %lld, \"batch\": %lld, \"target\": \"%s\", \"threads\": %d",
                (long long)c->length, (long long)c->batch, c->target->name, c->threads);
    bench_put_spread(out, "seconds", c->seconds);
    sbuf_printf(out, ", \"seconds_best\": %.9g, \"tokens_per_second\": %.9g", c->best,
                decode_speed(c));
    sbuf_printf(out, ", \"weights_bytes\": %.0f, \"window_bytes\": %.0f, \"stream_bytes\": %.0f",
                c->weights, c->windows, c->streams);
    bench_put_spread(out, "read_bytes_per_second", c->read);
    bench_put_spread(out, "of_floor", c->of_floor);
    sbuf_printf(out, ", \"flops\": %.9g, \"cache_bytes\": %.0f, \"prefill_seconds\": %.9g",
                c->flops, c->cache, c->prefill);
    bench_put_kernels(c, out);
}

void decode_json(const bench_t *b, sbuf_t *out) {
    bool first = true;
    sbuf_printf(out, ",\n  \"steps_per_round\": %d,\n  \"flatness\": [", b->tokens);
    for (int k = 0; k < bench_series(b); k++) {
        flatness_t f = flatness_of(b, k);
        if (f.n == 0) continue;
        sbuf_printf(
            out,
            "%s\n    {\"batch\": %lld, \"target\": \"%s\", \"threads\": %d, \"fastest_context\": %lld, "
            "\"slowest_context\": %lld, \"slowest_by_fastest\": %.6f}",
            first ? "" : ",", (long long)f.fastest->batch, f.fastest->target->name,
            f.fastest->threads, (long long)f.fastest->length, (long long)f.slowest->length,
            ratio_of(&f));
        first = false;
    }
    sbuf_puts(out, "\n  ]");
}
