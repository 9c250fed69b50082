/* What a bench of forwards or train steps found: tables for people, CSV and JSON for programs.
 *
 * In: a bench_t whose cases are done or were never reached. Out: sections, texts. */
#include "commands/bench/bench.h"

#include "report/fields.h"
#include "session/timed.h"

static double speed_of(const bench_case_t *c) {
    return case_tokens(c) / c->seconds.median;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static const char *text_of_peak(arena_t *a, spread_t s) {
    return arena_printf(a, "%.1f %%", 100 * s.median);
}

static bool some_case_is_mixed(const bench_t *b) {
    for (int k = 0; k < b->n_cases; k++)
        if (products_are_mixed(&b->cases[k].products)) return true;
    return false;
}

static void fill_cases(const bench_t *b, const bench_case_t *c, const char **cells) {
    arena_t *a = b->arena;
    cells[0] = arena_printf(a, "%s ±%.1f %%", text_seconds(a, c->seconds.median),
                            100 * spread_width(c->seconds));
    cells[1] = arena_printf(a, "%.0f", speed_of(c));
    cells[2] = bench_giga(a, c->flops / c->seconds.median);
    cells[3] = text_of_peak(a, c->of_peak);
    if (!timed_trains(b->o)) return;
    cells[4] = text_seconds(a, c->update.median);
    cells[5] = arena_printf(a, "%.2f %%", 100 * c->update_share.median);
}

static void add_cases(const bench_t *b, document_t *doc) {
    const char *one = arena_printf(b->arena, "one %s", timed_name(b->o));
    const char *const titles[] = {one, "tokens/s", "GFLOP/s", "of peak", "update", "its share"};
    int n = timed_trains(b->o) ? 6 : 4;
    section_t *s = bench_case_table(b, doc, "Speed", titles, n, fill_cases);
    s->note = arena_printf(
        b->arena,
        "Code as products get it, %s wanted, random tokens. GFLOP/s: counted from the loop IR, a "
        "multiply-add is two%s. Of peak: median over %d rounds of the ratio to the %s measured "
        "before and after that very run.%s",
        timed_trains(b->o) ? "gradients and the loss"
        : b->wants_loss    ? "the loss"
                           : "last_hidden_state",
        timed_trains(b->o) ? ", what the backward pass computes again is work" : "", b->repeat,
        some_case_is_mixed(b)
            ? "time that its products would take at their peaks, each kind at its own,"
            : "fma peak",
        timed_trains(b->o)
            ? " Update: the gradient's norm, the optimiser, the weights packed again; "
              "its share is that of a step with it."
            : "");
}

static void fill_memory(const bench_t *b, const bench_case_t *c, const char **cells) {
    arena_t *a = b->arena;
    cells[0] = text_bytes(a, (double)c->workspace);
    cells[1] = c->peak_rss ? text_bytes(a, (double)c->peak_rss) : "-";
    cells[2] = text_bytes(a, c->streams);
    cells[3] = bench_giga(a, c->streams / c->seconds.median);
    if (timed_trains(b->o)) cells[4] = text_bytes(a, c->kept);
}

static void add_memory(const bench_t *b, document_t *doc) {
    static const char *const titles[] = {"workspace", "peak RSS", "streamed", "GB/s", "kept"};
    int n = timed_trains(b->o) ? 5 : 4;
    section_t *s = bench_case_table(b, doc, "Memory", titles, n, fill_memory);
    s->note = arena_printf(
        b->arena,
        "%sPeak RSS: the whole process with compiler and weights. Streamed: distinct bytes of weights, "
        "workspace, inputs and outputs of each launch, once in and once out, whether or not a "
        "cache has them; loads and stores of the kernels are many times more.",
        timed_trains(b->o)
            ? "Workspace: with the gradients; kept: of it, values that train.memory keeps for "
              "the backward pass. "
            : "");
}

static const char *vs_title(const bench_t *b) {
    return arena_printf(b->arena, "Against %s", b->o->text[OPT_VS]);
}

/* In words. */
static const char *faster_side(spread_t ratio) {
    if (ratio.low > 1) return "MODEL";
    return ratio.high < 1 ? "the other" : "neither";
}

static void fill_vs(const bench_t *b, const bench_case_t *c, const char **cells) {
    arena_t *a = b->arena;
    cells[0] = arena_printf(a, "%.0f", speed_of(c));
    cells[1] = arena_printf(a, "%.0f", c->other_speed.median);
    cells[2] = arena_printf(a, "%.3f", c->ratio.median);
    cells[3] = arena_printf(a, "%.3f … %.3f", c->ratio.low, c->ratio.high);
    cells[4] = arena_printf(a, "%.3f", c->cpu_ratio.median);
    cells[5] = faster_side(c->ratio);
}

static void add_vs(const bench_t *b, document_t *doc) {
    static const char *const titles[] = {"tokens/s",  "theirs",    "ratio",
                                         "quartiles", "CPU ratio", "faster"};
    section_t *s = bench_case_table(b, doc, vs_title(b), titles, 6, fill_vs);
    s->note =
        "Ratio: tokens per second of MODEL by theirs, in turns, each pair by itself: above 1 MODEL "
        "is the faster one, below 1 the other; quartiles on both sides of 1 tell neither. CPU "
        "ratio: the same by the time of all threads on a processor, which leaves out most of what "
        "other programs on this machine take.";
}

static void add_kernel(const bench_t *b, table_t *t, const char *name, const bench_kernel_t *k,
                       double total) {
    arena_t *a = b->arena;
    bool computes = k->flops > 0;
    const char *cells[] = {name,
                           k->launches ? arena_printf(a, "%.0f", k->launches) : "",
                           text_seconds(a, k->seconds.median),
                           text_share(a, k->seconds.median / total),
                           computes ? bench_giga(a, k->flops / k->seconds.median) : "",
                           computes ? text_of_peak(a, k->of_peak) : "",
                           k->streams ? bench_giga(a, k->streams / k->seconds.median) : "",
                           computes ? products_text(a, &k->products) : ""};
    table_row(a, t, cells);
}

static bench_kernel_t total_of(const bench_case_t *c) {
    bench_kernel_t t = {.flops = c->flops,
                        .streams = c->streams,
                        .products = c->products,
                        .seconds = c->told_seconds};
    for (int k = 0; k < c->n_kernels; k++) t.launches += c->kernels[k].launches;
    t.of_peak.median = c->of_peak.median * c->seconds.median / c->told_seconds.median;
    return t;
}

static void add_kernels(const bench_t *b, const bench_case_t *c, document_t *doc) {
    static const column_t columns[] = {
        {"kernel", true},   {"launches", false}, {"time", false},        {"share", false},
        {"GFLOP/s", false}, {"of peak", false},  {"stream GB/s", false}, {"products", true}};
    section_t *s = document_section(doc, bench_case_title(b, c));
    s->table = table_new(b->arena, products_are_mixed(&c->products) ? 8 : 7, columns);
    s->table->totals = true;
    bench_kernel_t total = total_of(c);
    for (int k = 0; k < c->n_kernels; k++)
        add_kernel(b, s->table, c->kernels[k].name, &c->kernels[k], total.seconds.median);
    add_kernel(b, s->table, "instrumented", &total, total.seconds.median);
}

void forward_document(const bench_t *b, document_t *doc) {
    add_cases(b, doc);
    if (b->vs != VS_NOTHING) add_vs(b, doc);
    add_memory(b, doc);
    for (int k = 0; k < b->n_cases; k++)
        if (b->cases[k].done) add_kernels(b, &b->cases[k], doc);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void put_csv_row(sbuf_t *out, const bench_case_t *c, const char *name,
                        const bench_kernel_t *k) {
    sbuf_printf(out, "%lld,%lld,%s,%d,", (long long)c->length, (long long)c->batch, c->target->name,
                c->threads);
    put_csv(out, name);
    sbuf_printf(out, ",%.0f,%.9g,%.9g,%.9g,%.9g,%.9g,%.6f,%.9g,", k->launches, k->seconds.median,
                k->seconds.low, k->seconds.high, k->flops, c->peak.median, k->of_peak.median,
                k->streams);
}

static void put_csv_products(const bench_t *b, const products_t *work, sbuf_t *out) {
    sbuf_printf(out, ",%s,%.9g,%.9g\n", b->dtype ? b->dtype : "", work->of[FACTOR_BF16],
                work->of[FACTOR_I8]);
}

/* A row per case, and below it one per kind of kernel. */
void forward_csv(const bench_t *b, sbuf_t *out) {
    sbuf_puts(out, "length,batch,target,threads,kernel,launches,seconds,seconds_low,seconds_high,"
                   "flops,peak_flops_per_second,of_peak,stream_bytes,tokens_per_second,"
                   "workspace_bytes,peak_rss_bytes,vs_tokens_per_second,vs_ratio,"
                   "vs_cpu_ratio,dtype,bfloat16_flops,int8_flops\n");
    for (int k = 0; k < b->n_cases; k++) {
        const bench_case_t *c = &b->cases[k];
        if (!c->done) continue;
        bench_kernel_t all = total_of(c);
        all.seconds = c->seconds;
        all.of_peak = c->of_peak;
        put_csv_row(out, c, "", &all);
        sbuf_printf(out, "%.9g,%zu,", speed_of(c), c->workspace);
        if (c->peak_rss) sbuf_printf(out, "%zu", c->peak_rss);
        if (b->vs == VS_NOTHING) sbuf_puts(out, ",,,");
        else
            sbuf_printf(out, ",%.9g,%.6f,%.6f", c->other_speed.median, c->ratio.median,
                        c->cpu_ratio.median);
        put_csv_products(b, &c->products, out);
        for (int i = 0; i < c->n_kernels; i++) {
            put_csv_row(out, c, c->kernels[i].name, &c->kernels[i]);
            sbuf_puts(out, ",,,,,");
            put_csv_products(b, &c->kernels[i].products, out);
        }
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

void forward_json_case(const bench_t *b, const bench_case_t *c, sbuf_t *out) {
    sbuf_printf(out, "    {\"length\": %lld, \"batch\": %lld, \"target\": \"%s\", \"threads\": %d",
                (long long)c->length, (long long)c->batch, c->target->name, c->threads);
    bench_put_spread(out, "seconds", c->seconds);
    sbuf_printf(out, ", \"forwards_per_measurement\": %d, \"tokens_per_second\": %.9g", c->inner,
                speed_of(c));
    sbuf_printf(out, ", \"flops\": %.9g, \"stream_bytes\": %.9g", c->flops, c->streams);
    products_json(&c->products, out);
    bench_put_spread(out, "peak_flops_per_second", c->peak);
    bench_put_spread(out, "of_peak", c->of_peak);
    sbuf_printf(out, ", \"workspace_bytes\": %zu", c->workspace);
    if (c->peak_rss) sbuf_printf(out, ", \"peak_rss_bytes\": %zu", c->peak_rss);
    else sbuf_puts(out, ", \"peak_rss_bytes\": null");
    if (timed_trains(b->o)) {
        bench_put_spread(out, "update_seconds", c->update);
        bench_put_spread(out, "update_share", c->update_share);
    }
    if (b->vs != VS_NOTHING) {
        sbuf_printf(out, ", \"vs_length\": %lld", (long long)c->other_length);
        bench_put_spread(out, "vs_tokens_per_second", c->other_speed);
        bench_put_spread(out, "vs_ratio", c->ratio);
        bench_put_spread(out, "vs_cpu_ratio", c->cpu_ratio);
    }
    bench_put_kernels(c, out);
}
