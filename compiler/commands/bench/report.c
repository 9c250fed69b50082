/* What a bench found, in one document or file: the machine, then what forward_report.c
 * or decode_report.c says.
 *
 * In: a bench_t whose cases are done or were never reached. Out: texts and files. */

#include "commands/bench/decode.h"

#include "cli/outputs.h"
#include "report/fields.h"
#include "session/timed.h"

static const char *const rate_names[RATE_COUNT] = {
    [RATE_FMA] = "fma_flops_per_second",   [RATE_DOT2] = "dot2_flops_per_second",
    [RATE_DOT4] = "dot4_flops_per_second", [RATE_CLOCK] = "cycles_per_second",
    [RATE_READ] = "read_bytes_per_second", [RATE_TRIAD] = "triad_bytes_per_second"};

static const char *weights_of(const bench_t *b) {
    return b->o->text[OPT_WEIGHTS] ? b->o->text[OPT_WEIGHTS] : "random";
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* "117.2 ±0.4 %" */
static const char *spread_text(arena_t *a, spread_t s, double unit) {
    return arena_printf(a, "%.1f ±%.1f %%", s.median / unit, 100 * spread_width(s));
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

void render_bench(const bench_t *b, sbuf_t *out) {
    document_t doc = {.arena = b->arena};
    doc.title =
        arena_printf(b->arena, "%s, weights %s, %sback end %s, %d rounds", b->o->model,
                     weights_of(b), bench_dtype_text(b), backend_names[b->o->backend], b->repeat);
    add_machine(b, &doc);
    if (b->decodes) decode_document(b, &doc);
    else forward_document(b, &doc);
    document_text(&doc, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_machine(const bench_machine_t *m, sbuf_t *out) {
    sbuf_printf(out, "    {\"target\": \"%s\", \"threads\": %d", m->target->name, m->threads);
    for (int k = 0; k < RATE_COUNT; k++)
        if (rate_exists(m->target, (rate_t)k)) bench_put_spread(out, rate_names[k], m->rate[k]);
    sbuf_printf(out, ", \"vector_fmas_per_cycle\": %.4f}",
                vector_fmas_per_cycle(m->target, m->rate[RATE_FMA].median, m->threads,
                                      m->rate[RATE_CLOCK].median));
}

static void render_json(const bench_t *b, sbuf_t *out) {
    bool first = true;
    sbuf_puts(out, "{\n");
    put_json_member(out, "model", b->o->model);
    put_json_member(out, "weights", weights_of(b));
    if (b->dtype) put_json_member(out, "dtype", b->dtype);
    else sbuf_puts(out, "  \"dtype\": null,\n");
    put_json_member(out, "backend", backend_names[b->o->backend]);
    put_json_member(out, "output",
                    timed_trains(b->o) ? "gradients"
                    : b->decodes       ? "logits"
                    : b->wants_loss    ? "loss"
                                       : "last_hidden_state");
    if (b->vs != VS_NOTHING) put_json_member(out, "vs", b->o->text[OPT_VS]);
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
        else forward_json_case(b, &b->cases[k], out);
        first = false;
    }
    sbuf_puts(out, "\n  ]");
    if (b->decodes) decode_json(b, out);
    sbuf_puts(out, "\n}\n");
}

/* ---- files ----------------------------------------------------------------------------------- */

static void csv_of(const void *bench, sbuf_t *out) {
    const bench_t *b = bench;
    if (b->decodes) decode_csv(b, out);
    else forward_csv(b, out);
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
