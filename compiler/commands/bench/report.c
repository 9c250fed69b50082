/* What a bench found: tables for people, CSV and JSON for programs.
 *
 * In: a bench_t whose cases are done or were never reached. Out: texts and files. */
#include <string.h>

#include "commands/bench/decode.h"

#include "cli/outputs.h"
#include "report/fields.h"
#include "session/timed.h"

static const char *const rate_names[RATE_COUNT] = {
    [RATE_FMA] = "fma_flops_per_second",   [RATE_DOT2] = "dot2_flops_per_second",
    [RATE_DOT4] = "dot4_flops_per_second", [RATE_CLOCK] = "cycles_per_second",
    [RATE_READ] = "read_bytes_per_second", [RATE_TRIAD] = "triad_bytes_per_second"};

static double speed_of(const bench_case_t *c) {
    return case_tokens(c) / c->seconds.median;
}

static const char *weights_of(const bench_t *b) {
    return b->o->text[OPT_WEIGHTS] ? b->o->text[OPT_WEIGHTS] : "random";
}

/* ---- tables ---------------------------------------------------------------------------------------- */

/* "117.2 ±0.4 %" */
static const char *spread_text(arena_t *a, spread_t s, double unit) {
    return arena_printf(a, "%.1f ±%.1f %%", s.median / unit, 100 * spread_width(s));
}

const char *bench_dtype_text(const bench_t *b) {
    bool told = b->dtype && strcmp(b->dtype, dtype_name(DTYPE_FLOAT32)) != 0;
    return told ? arena_printf(b->arena, "%s, ", b->dtype) : "";
}

const char *bench_giga(arena_t *a, double x) {
    double g = x / 1e9;
    return arena_printf(a, "%.*f", g < 10 ? 2 : 1, g);
}

static const char *clock_text(arena_t *a, const bench_machine_t *m) {
    return arena_printf(a, "%.2f", m->rate[RATE_CLOCK].median / 1e9);
}

static const char *vectors_text(arena_t *a, const bench_machine_t *m) {
    double clock = m->rate[RATE_CLOCK].median, fma = m->rate[RATE_FMA].median;
    return arena_printf(a, "%.2f", vector_fmas_per_cycle(m->target, fma, m->threads, clock));
}

/* Columns behind target and threads: a rate, or what is made of some. */
static const struct {
    const char *title;
    rate_t rate;
    const char *(*text)(arena_t *a, const bench_machine_t *m);
} machine_columns[] = {{"peak GFLOP/s", RATE_FMA, NULL},
                       {"bfloat16", RATE_DOT2, NULL},
                       {"int8", RATE_DOT4, NULL},
                       {"clock GHz", RATE_CLOCK, clock_text},
                       {"vectors/cycle", RATE_FMA, vectors_text},
                       {"read GB/s", RATE_READ, NULL},
                       {"triad GB/s", RATE_TRIAD, NULL}};
enum { N_MACHINE_COLUMNS = sizeof machine_columns / sizeof *machine_columns };

static bool some_machine_has(const bench_t *b, rate_t which) {
    for (int k = 0; k < b->n_machines; k++)
        if (rate_exists(b->machines[k].target, which)) return true;
    return false;
}

static void add_machine_row(const bench_t *b, table_t *t, const bench_machine_t *m) {
    arena_t *a = b->arena;
    const char *cells[2 + N_MACHINE_COLUMNS] = {m->target->name, arena_printf(a, "%d", m->threads)};
    int n = 2;
    for (int k = 0; k < N_MACHINE_COLUMNS; k++) {
        rate_t rate = machine_columns[k].rate;
        if (!some_machine_has(b, rate)) continue;
        cells[n++] = !rate_exists(m->target, rate) ? ""
                     : machine_columns[k].text     ? machine_columns[k].text(a, m)
                                                   : spread_text(a, m->rate[rate], 1e9);
    }
    table_row(a, t, cells);
}

static void add_machine(const bench_t *b, document_t *doc) {
    column_t columns[2 + N_MACHINE_COLUMNS] = {{"target", true}, {"threads", false}};
    arena_t *a = b->arena;
    section_t *s = document_section(doc, "Machine");
    int n = 2;
    for (int k = 0; k < N_MACHINE_COLUMNS; k++)
        if (some_machine_has(b, machine_columns[k].rate))
            columns[n++] = (column_t){machine_columns[k].title, false};
    s->table = table_new(a, n, columns);
    for (int k = 0; k < b->n_machines; k++) add_machine_row(b, s->table, &b->machines[k]);
    s->note = arena_printf(
        a,
        "Median ± half the distance of the quartiles. Peak: multiply-adds in registers, compiled by "
        "the same back end%s; vectors/cycle is what one core does of them in a cycle of that clock, "
        "which a chain of dependent instructions tells. Read and triad: %s of memory; what a cache "
        "reads in order to write is not counted.",
        some_machine_has(b, RATE_DOT2) || some_machine_has(b, RATE_DOT4)
            ? ", and instructions that add products of bfloat16 or of int8 (an addition counts one, a "
              "product one)"
            : "",
        text_bytes(a, (double)calibration_array_bytes()));
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

static bool some_case_is_mixed(const bench_t *b) {
    for (int k = 0; k < b->n_cases; k++)
        if (products_are_mixed(&b->cases[k].products)) return true;
    return false;
}

static const char *text_of_peak(arena_t *a, spread_t s) {
    return arena_printf(a, "%.1f %%", 100 * s.median);
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

const char *bench_case_title(const bench_t *b, const bench_case_t *c) {
    const char *batch =
        c->batch == 1 ? "" : arena_printf(b->arena, ", batch %lld", (long long)c->batch);
    return arena_printf(b->arena, "Kernels: %s %lld%s, %s, %d thread%s",
                        b->decodes ? "context" : "length", (long long)c->length, batch,
                        c->target->name, c->threads, c->threads == 1 ? "" : "s");
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

static void add_forwards(const bench_t *b, document_t *doc) {
    add_cases(b, doc);
    if (b->vs != VS_NOTHING) add_vs(b, doc);
    add_memory(b, doc);
    for (int k = 0; k < b->n_cases; k++)
        if (b->cases[k].done) add_kernels(b, &b->cases[k], doc);
}

void render_bench(const bench_t *b, sbuf_t *out) {
    document_t doc = {.arena = b->arena};
    doc.title =
        arena_printf(b->arena, "%s, weights %s, %sback end %s, %d rounds", b->o->model,
                     weights_of(b), bench_dtype_text(b), backend_names[b->o->backend], b->repeat);
    add_machine(b, &doc);
    if (b->decodes) decode_document(b, &doc);
    else add_forwards(b, &doc);
    document_text(&doc, out);
}

/* ---- CSV ------------------------------------------------------------------------------------------- */

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
static void render_csv(const bench_t *b, sbuf_t *out) {
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

/* ---- JSON ------------------------------------------------------------------------------------------ */

static void put_member(sbuf_t *out, const char *key, const char *value) {
    sbuf_printf(out, "  \"%s\": ", key);
    put_json(out, value);
    sbuf_puts(out, ",\n");
}

void bench_put_spread(sbuf_t *out, const char *key, spread_t s) {
    sbuf_printf(out, ", \"%s\": {\"median\": %.9g, \"low\": %.9g, \"high\": %.9g}", key, s.median,
                s.low, s.high);
}

static void put_machine(const bench_machine_t *m, sbuf_t *out) {
    sbuf_printf(out, "    {\"target\": \"%s\", \"threads\": %d", m->target->name, m->threads);
    for (int k = 0; k < RATE_COUNT; k++)
        if (rate_exists(m->target, (rate_t)k)) bench_put_spread(out, rate_names[k], m->rate[k]);
    sbuf_printf(out, ", \"vector_fmas_per_cycle\": %.4f}",
                vector_fmas_per_cycle(m->target, m->rate[RATE_FMA].median, m->threads,
                                      m->rate[RATE_CLOCK].median));
}

void bench_put_kernel(const bench_kernel_t *k, sbuf_t *out) {
    sbuf_puts(out, "      {\"name\": ");
    put_json(out, k->name);
    sbuf_printf(out, ", \"launches\": %.9g, \"flops\": %.9g, \"stream_bytes\": %.9g", k->launches,
                k->flops, k->streams);
    products_json(&k->products, out);
    bench_put_spread(out, "seconds", k->seconds);
    bench_put_spread(out, "of_peak", k->of_peak);
    sbuf_puts(out, "}");
}

static void put_case(const bench_t *b, const bench_case_t *c, sbuf_t *out) {
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
    bench_put_spread(out, "instrumented_seconds", c->told_seconds);
    sbuf_puts(out, ", \"kernels\": [\n");
    for (int k = 0; k < c->n_kernels; k++) {
        if (k) sbuf_puts(out, ",\n");
        bench_put_kernel(&c->kernels[k], out);
    }
    sbuf_puts(out, "]}");
}

static void render_json(const bench_t *b, sbuf_t *out) {
    bool first = true;
    sbuf_puts(out, "{\n");
    put_member(out, "model", b->o->model);
    put_member(out, "weights", weights_of(b));
    if (b->dtype) put_member(out, "dtype", b->dtype);
    else sbuf_puts(out, "  \"dtype\": null,\n");
    put_member(out, "backend", backend_names[b->o->backend]);
    put_member(out, "output",
               timed_trains(b->o) ? "gradients"
               : b->decodes       ? "logits"
               : b->wants_loss    ? "loss"
                                  : "last_hidden_state");
    if (b->vs != VS_NOTHING) put_member(out, "vs", b->o->text[OPT_VS]);
    sbuf_printf(out, "  \"rounds\": %d,\n  \"streamed_bytes_of_calibration\": %lld,\n", b->repeat,
                (long long)calibration_array_bytes());
    sbuf_puts(out, "  \"machine\": [");
    for (int k = 0; k < b->n_machines; k++) {
        sbuf_puts(out, k ? ",\n" : "\n");
        put_machine(&b->machines[k], out);
    }
    sbuf_puts(out, "\n  ],\n  \"cases\": [");
    for (int k = 0; k < b->n_cases; k++) {
        if (!b->cases[k].done) continue;
        sbuf_puts(out, first ? "\n" : ",\n");
        if (b->decodes) decode_json_case(&b->cases[k], out);
        else put_case(b, &b->cases[k], out);
        first = false;
    }
    sbuf_puts(out, "\n  ]");
    if (b->decodes) decode_json(b, out);
    sbuf_puts(out, "\n}\n");
}

/* ---- files ------------------------------------------------------------------------------------------- */

static void csv_of(const void *bench, sbuf_t *out) {
    const bench_t *b = bench;
    if (b->decodes) decode_csv(b, out);
    else render_csv(b, out);
}

static void json_of(const void *bench, sbuf_t *out) {
    render_json(bench, out);
}

static void plot_of(const void *bench, sbuf_t *out) {
    render_bench_plot(bench, out);
}

static const output_format_t formats[] = {
    {".csv", csv_of, false}, {".json", json_of, false}, {".svg", plot_of, true}};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

bool bench_check_outputs(const bench_t *b) {
    return outputs_check(b->o, formats, N_FORMATS, b->d);
}

bool bench_write_outputs(const bench_t *b) {
    return outputs_write(b->o, formats, N_FORMATS, b, b->d);
}
