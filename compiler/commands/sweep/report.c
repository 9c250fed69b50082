/* What a sweep found, as text: the table for people, CSV and JSON for programs; and the files.
 *
 * In: a sweep_t whose points are done, invalid, or were never reached. Out: texts and files; each
 * file is whole or not there. */

#include "commands/sweep/sweep.h"

#include "cli/outputs.h"
#include "report/fields.h"

/* ---- the table ------------------------------------------------------------------------------- */

enum { MAX_CELL = 32 };

static void size_cell(char out[MAX_CELL], size_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double x = (double)bytes;
    int unit = 0;
    while (x >= 1024 && unit < 4) {
        x /= 1024;
        unit++;
    }
    if (bytes == 0) snprintf(out, MAX_CELL, "-");
    else snprintf(out, MAX_CELL, unit ? "%.1f %s" : "%.0f %s", x, units[unit]);
}

static void bits_cell(const point_t *p, char out[MAX_CELL]) {
    snprintf(out, MAX_CELL, "%.6f", score_bits(&p->score));
}

static void token_bits_cell(const point_t *p, char out[MAX_CELL]) {
    snprintf(out, MAX_CELL, "%.6f", score_token_bits(&p->score));
}

static void speed_cell(const point_t *p, char out[MAX_CELL]) {
    double speed = p->speed.median;
    int n = snprintf(out, MAX_CELL, speed < 100 ? "%.2f" : "%.0f", speed);
    if (p->n_passes > 1 && n > 0 && n < MAX_CELL)
        snprintf(out + n, (size_t)(MAX_CELL - n), " ±%.1f %%", 100 * spread_width(p->speed));
}

static void workspace_cell(const point_t *p, char out[MAX_CELL]) {
    size_cell(out, p->workspace);
}

static void peak_cell(const point_t *p, char out[MAX_CELL]) {
    size_cell(out, p->peak_rss);
}

static void compile_cell(const point_t *p, char out[MAX_CELL]) {
    snprintf(out, MAX_CELL, "%.2f s", p->compile_seconds);
}

static const struct {
    const char *title;
    void (*cell)(const point_t *p, char out[MAX_CELL]);
    bool per_token; /* of no interest where a token is a byte */
} columns[] = {{"bits/byte", bits_cell, false}, {"bits/token", token_bits_cell, true},
               {"tokens/s", speed_cell, false}, {"workspace", workspace_cell, false},
               {"peak RSS", peak_cell, false},  {"compile", compile_cell, false}};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

static int column_width(const sweep_t *s, int column) {
    char cell[MAX_CELL];
    int width = wider(0, columns[column].title);
    for (int i = 0; i < s->grid.n_points; i++) {
        if (s->points[i].state != POINT_DONE) continue;
        columns[column].cell(&s->points[i], cell);
        width = wider(width, cell);
    }
    return width;
}

static bool column_shown(const sweep_t *s, int column) {
    return !columns[column].per_token || !text_is_bytes(s->text);
}

static void put_figures(const sweep_t *s, const point_t *p, sbuf_t *out) {
    char cell[MAX_CELL];
    for (int c = 0; c < N_COLUMNS; c++) {
        if (!column_shown(s, c)) continue;
        columns[c].cell(p, cell);
        sbuf_printf(out, "%s%*s", c ? "  " : "", field(column_width(s, c), cell), cell);
    }
    const char *marks[] = {"", "  ~", "  *", "  *~"};
    sbuf_printf(out, "%s\n", marks[2 * p->front + p->unsettled]);
}

/* Says what "±" and "~" mean where they stand. */
static void put_legend(const sweep_t *s, sbuf_t *out) {
    bool spread = false, unsettled = false;
    for (int i = 0; i < s->grid.n_points; i++) {
        spread = spread || s->points[i].n_passes > 1;
        unsettled = unsettled || s->points[i].unsettled;
    }
    if (spread)
        sbuf_puts(out,
                  "Medians of passes that took turns; ±: half the distance of the quartiles.\n");
    if (unsettled)
        sbuf_puts(out,
                  "~ cannot be told: on the front or not is a matter of speeds whose quartiles "
                  "overlap.\n");
}

void render_table(const sweep_t *s, sbuf_t *out) {
    const grid_t *g = &s->grid;
    for (int x = 0; x < g->n_axes; x++)
        if (axis_shown(s, x)) put_axis(&g->axes[x], g->axes[x].key, out);
    for (int c = 0; c < N_COLUMNS; c++)
        if (column_shown(s, c)) sbuf_printf(out, "%*s  ", column_width(s, c), columns[c].title);
    sbuf_puts(out, "front\n");
    for (int i = 0; i < g->n_points; i++) {
        for (int x = 0; x < g->n_axes; x++)
            if (axis_shown(s, x)) put_axis(&g->axes[x], grid_value(g, i, x), out);
        if (s->points[i].state == POINT_DONE) put_figures(s, &s->points[i], out);
        else sbuf_printf(out, "%s\n", point_reason(&s->points[i]));
    }
    put_legend(s, out);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

/* Speeds have digits enough that two points are as fast on paper only if they are:
 * the front is made of them. */
static void put_csv_figures(const sweep_t *s, sbuf_t *out, const point_t *p) {
    sbuf_printf(out, "%.6f,%.6f,", score_bits(&p->score), score_nats(&p->score));
    if (!text_is_bytes(s->text))
        sbuf_printf(out, "%.6f,%.6f,", score_token_bits(&p->score), score_token_nats(&p->score));
    sbuf_printf(out, "%lld,%.4f,", (long long)p->score.scored, p->speed.median);
    if (p->n_passes > 1) sbuf_printf(out, "%.4f,%.4f,", p->speed.low, p->speed.high);
    else sbuf_puts(out, ",,");
    sbuf_printf(out, "%d,", p->n_passes);
    if (p->workspace) sbuf_printf(out, "%zu", p->workspace);
    sbuf_puts(out, ",");
    if (p->peak_rss) sbuf_printf(out, "%zu", p->peak_rss);
    sbuf_printf(out, ",%.6f,%lld,%s,%d,", p->compile_seconds, (long long)p->score.window, p->target,
                p->front);
    sbuf_puts(out, p->n_passes < 2 ? "," : p->unsettled ? "0," : "1,");
}

static void render_csv(const sweep_t *s, sbuf_t *out) {
    const grid_t *g = &s->grid;
    put_csv_settings(s, -1, out);
    sbuf_printf(out, "bits_per_byte,nats_per_byte,%s",
                text_is_bytes(s->text) ? "" : "bits_per_token,nats_per_token,");
    sbuf_puts(out, "scored_tokens,tokens_per_second,tokens_per_second_low,tokens_per_second_high,"
                   "passes,workspace_bytes,peak_rss_bytes,compile_seconds,window,target,pareto,"
                   "pareto_settled,error\n");
    for (int i = 0; i < g->n_points; i++) {
        put_csv_settings(s, i, out);
        if (s->points[i].state == POINT_DONE) put_csv_figures(s, out, &s->points[i]);
        else sbuf_puts(out, text_is_bytes(s->text) ? ",,,,,,,,,,,,,," : ",,,,,,,,,,,,,,,,");
        if (s->points[i].state != POINT_DONE) put_csv(out, point_reason(&s->points[i]));
        sbuf_puts(out, "\n");
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_json_bytes(sbuf_t *out, const char *key, size_t bytes) {
    if (bytes) sbuf_printf(out, ", \"%s\": %zu", key, bytes);
    else sbuf_printf(out, ", \"%s\": null", key);
}

static void put_json_figures(const sweep_t *s, sbuf_t *out, const point_t *p) {
    sbuf_printf(out, "\"bits_per_byte\": %.6f, \"nats_per_byte\": %.6f", score_bits(&p->score),
                score_nats(&p->score));
    if (!text_is_bytes(s->text))
        sbuf_printf(out, ", \"bits_per_token\": %.6f, \"nats_per_token\": %.6f",
                    score_token_bits(&p->score), score_token_nats(&p->score));
    sbuf_printf(out, ", \"scored_tokens\": %lld, \"tokens_per_second\": %.4f",
                (long long)p->score.scored, p->speed.median);
    if (p->n_passes > 1)
        sbuf_printf(out, ", \"tokens_per_second_low\": %.4f, \"tokens_per_second_high\": %.4f",
                    p->speed.low, p->speed.high);
    sbuf_printf(out, ", \"passes\": %d", p->n_passes);
    put_json_bytes(out, "workspace_bytes", p->workspace);
    put_json_bytes(out, "peak_rss_bytes", p->peak_rss);
    sbuf_printf(out, ", \"compile_seconds\": %.6f, \"window\": %lld, \"target\": \"%s\"",
                p->compile_seconds, (long long)p->score.window, p->target);
    sbuf_printf(out, ", \"pareto\": %s", p->front ? "true" : "false");
    sbuf_printf(out, ", \"pareto_settled\": %s",
                p->n_passes < 2 ? "null"
                : p->unsettled  ? "false"
                                : "true");
}

static void put_json_point(const sweep_t *s, int i, sbuf_t *out) {
    sbuf_puts(out, i ? ",\n    {" : "\n    {");
    put_json_settings(s, i, out);
    sbuf_puts(out, ", ");
    if (s->points[i].state == POINT_DONE) {
        put_json_figures(s, out, &s->points[i]);
    } else {
        sbuf_puts(out, "\"error\": ");
        put_json(out, point_reason(&s->points[i]));
    }
    sbuf_puts(out, "}");
}

static void render_json(const sweep_t *s, sbuf_t *out) {
    sbuf_puts(out, "{\n");
    put_json_member(out, "model", s->o->model);
    put_json_member(out, "weights", s->weights);
    put_json_member(out, "text", s->o->text[OPT_TEXT]);
    sbuf_printf(out, "  \"text_tokens\": %lld,\n", (long long)s->tokens.n);
    put_json_member(out, "backend", backend_names[s->o->backend]);
    sbuf_printf(out, "  \"threads\": %d,\n  \"repeat\": %d,\n  \"complete\": %s,\n  \"points\": [",
                s->threads, s->repeat, sweep_is_complete(s) ? "true" : "false");
    for (int i = 0; i < s->grid.n_points; i++) put_json_point(s, i, out);
    sbuf_puts(out, "\n  ]\n}\n");
}

/* ---- files ----------------------------------------------------------------------------------- */

static void csv_of(const void *sweep, sbuf_t *out) {
    const sweep_t *s = sweep;
    (s->trains ? learnt_csv : render_csv)(s, out);
}

static void json_of(const void *sweep, sbuf_t *out) {
    const sweep_t *s = sweep;
    (s->trains ? learnt_json : render_json)(s, out);
}

static void plot_of(const void *sweep, sbuf_t *out) {
    render_plot(sweep, out);
}

static void learnt_plot_of(const void *sweep, sbuf_t *out) {
    learnt_plot(sweep, out);
}

enum { N_FORMATS = 3 };
static const output_format_t formats[N_FORMATS] = {{".csv", csv_of, false},
                                                   {".json", json_of, false},
                                                   {".svg", plot_of, true}},
                             learnt_formats[N_FORMATS] = {{".csv", csv_of, false},
                                                          {".json", json_of, false},
                                                          {".svg", learnt_plot_of, false}};

static const output_format_t *formats_of(const sweep_t *s) {
    return s->trains ? learnt_formats : formats;
}

bool sweep_check_outputs(const sweep_t *s) {
    return outputs_check(s->o, formats_of(s), N_FORMATS, s->d);
}

bool sweep_write_outputs(const sweep_t *s) {
    return outputs_write(s->o, formats_of(s), N_FORMATS, s, s->d);
}
