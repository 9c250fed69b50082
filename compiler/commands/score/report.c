/* What became of the lines, as a table: text with tabs, CSV, JSON.
 *
 * In: scored lines. Out: stdout or files by suffix, each whole or not there. A line without a
 * scored token has `nan` (in JSON null) bits per token and, sorted, comes last. */
#include <math.h>
#include <stdlib.h>

#include "cli/outputs.h"
#include "commands/score/lines.h"
#include "report/fields.h"

double line_log_likelihood(const line_t *l) {
    return 0 - l->nats; /* not -0 */
}

double line_bits(const line_t *l) {
    return l->scored ? l->nats / (double)l->scored / log(2.0) : (double)NAN;
}

/* ---- order ----------------------------------------------------------------------------------- */

typedef struct {
    const score_lines_t *s;
    const line_t **lines; /* [n] */
    int64_t n;
} report_t;

static int by_likelihood(const void *a, const void *b) {
    const line_t *x = *(const line_t *const *)a, *y = *(const line_t *const *)b;
    double p = x->scored ? line_bits(x) : -1, q = y->scored ? line_bits(y) : -1;
    if (p != q) return p > q ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static report_t in_order(const score_lines_t *s) {
    report_t r = {.s = s, .lines = ARENA_ARRAY(s->session->arena, const line_t *, s->n_lines)};
    for (int64_t i = 0; i < s->n_lines; i++)
        if (s->lines[i].missing == 0) r.lines[r.n++] = &s->lines[i];
    if (s->session->o->given[OPT_SORT])
        qsort(r.lines, (size_t)r.n, sizeof(const line_t *), by_likelihood);
    return r;
}

/* ---- text and CSV ---------------------------------------------------------------------------- */

static void put_table(const report_t *r, char separator, sbuf_t *out) {
    static const char *const columns[] = {"log_likelihood", "tokens", "bits_per_token", "line",
                                          "windows"};
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        if (c) sbuf_write(out, &separator, 1);
        sbuf_puts(out, columns[c]);
    }
    sbuf_puts(out, "\n");
    for (int64_t i = 0; i < r->n; i++) {
        const line_t *l = r->lines[i];
        sbuf_printf(out, "%.6f%c%lld%c", line_log_likelihood(l), separator, (long long)l->scored,
                    separator);
        if (l->scored) sbuf_printf(out, "%.6f", line_bits(l));
        else sbuf_puts(out, "nan");
        sbuf_printf(out, "%c%lld%c%lld\n", separator, (long long)l->number, separator,
                    (long long)l->windows);
    }
}

static void tsv_of(const void *report, sbuf_t *out) {
    put_table(report, '\t', out);
}

static void csv_of(const void *report, sbuf_t *out) {
    put_table(report, ',', out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_json_line(const line_t *l, sbuf_t *out) {
    sbuf_printf(out, "{\"log_likelihood\": %.6f, \"tokens\": %lld, \"bits_per_token\": ",
                line_log_likelihood(l), (long long)l->scored);
    if (l->scored) sbuf_printf(out, "%.6f", line_bits(l));
    else sbuf_puts(out, "null");
    sbuf_printf(out, ", \"line\": %lld, \"windows\": %lld}", (long long)l->number,
                (long long)l->windows);
}

static void json_of(const void *report, sbuf_t *out) {
    const report_t *r = report;
    const session_t *s = r->s->session;
    sbuf_puts(out, "{\n  \"model\": ");
    put_json(out, s->o->model);
    sbuf_puts(out, ",\n  \"weights\": ");
    put_json(out, s->weights);
    sbuf_puts(out, ",\n  \"text\": ");
    put_json(out, s->o->text[OPT_TEXT]);
    sbuf_printf(out, ",\n  \"complete\": %s,\n  \"lines\": [", r->s->rest ? "false" : "true");
    for (int64_t i = 0; i < r->n; i++) {
        sbuf_puts(out, i ? ",\n    " : "\n    ");
        put_json_line(r->lines[i], out);
    }
    sbuf_puts(out, "\n  ]\n}\n");
}

/* ---- files ----------------------------------------------------------------------------------- */

static const output_format_t formats[] = {
    {".tsv", tsv_of, false}, {".csv", csv_of, false}, {".json", json_of, false}};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

bool score_lines_check_outputs(const score_lines_t *s) {
    return outputs_check(s->session->o, formats, N_FORMATS, s->session->d);
}

bool score_lines_report(const score_lines_t *s, output_set_t *set) {
    report_t r = in_order(s);
    if (s->session->o->n_outputs)
        return outputs_put(s->session->o, formats, N_FORMATS, &r, set, s->session->d);
    sbuf_t out = {0};
    tsv_of(&r, &out);
    bool ok = output_set_finish(set) && print_out(&out, s->session->d);
    sbuf_free(&out);
    return ok;
}
