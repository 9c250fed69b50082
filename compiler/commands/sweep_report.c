/* What a sweep found, as text: the table for people, CSV and JSON for programs; and the files.
 *
 * In: a sweep_t whose points are done, invalid, or were never reached. Out: texts and files; each file is
 * whole or not there. Points on the Pareto front: no other is at least as fast and predicts at least as
 * well, and is better in one of the two. */
#include <string.h>

#include "commands/fields.h"
#include "commands/outputs.h"
#include "commands/sweep.h"

static const char not_reached[] = "not evaluated: the sweep was interrupted";

/* Why a point has no figures. */
static const char *reason(const point_t *p) {
    return p->state == POINT_INVALID ? p->reason : not_reached;
}

/* ---- the front -------------------------------------------------------------------------------- */

static bool dominates(const point_t *a, const point_t *b) {
    double bits_a = score_bits(&a->score), bits_b = score_bits(&b->score);
    double speed_a = score_speed(&a->score), speed_b = score_speed(&b->score);
    return bits_a <= bits_b && speed_a >= speed_b && (bits_a < bits_b || speed_a > speed_b);
}

void sweep_mark_front(sweep_t *s) {
    for (int i = 0; i < s->grid.n_points; i++) {
        point_t *p = &s->points[i];
        p->front = p->state == POINT_DONE;
        for (int j = 0; p->front && j < s->grid.n_points; j++)
            p->front = s->points[j].state != POINT_DONE || !dominates(&s->points[j], p);
    }
}

/* ---- the table -------------------------------------------------------------------------------- */

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
    double speed = score_speed(&p->score);
    snprintf(out, MAX_CELL, speed < 100 ? "%.2f" : "%.0f", speed);
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

static int wider(int width, const char *text) {
    int n = (int)strlen(text);
    return n > width ? n : width;
}

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

/* Settings that never change are no columns. */
static bool shown(const sweep_t *s, int axis) {
    return s->grid.axes[axis].n > 1 || s->grid.n_points == 1;
}

static int axis_width(const axis_t *x) {
    int width = wider(0, x->key);
    for (int i = 0; i < x->n; i++) width = wider(width, x->values[i]);
    return width;
}

static void put_figures(const sweep_t *s, const point_t *p, sbuf_t *out) {
    char cell[MAX_CELL];
    for (int c = 0; c < N_COLUMNS; c++) {
        if (!column_shown(s, c)) continue;
        columns[c].cell(p, cell);
        sbuf_printf(out, "%s%*s", c ? "  " : "", column_width(s, c), cell);
    }
    sbuf_puts(out, p->front ? "  *\n" : "\n");
}

void render_table(const sweep_t *s, sbuf_t *out) {
    const grid_t *g = &s->grid;
    for (int x = 0; x < g->n_axes; x++)
        if (shown(s, x)) sbuf_printf(out, "%*s  ", axis_width(&g->axes[x]), g->axes[x].key);
    for (int c = 0; c < N_COLUMNS; c++)
        if (column_shown(s, c)) sbuf_printf(out, "%*s  ", column_width(s, c), columns[c].title);
    sbuf_puts(out, "front\n");
    for (int i = 0; i < g->n_points; i++) {
        for (int x = 0; x < g->n_axes; x++)
            if (shown(s, x))
                sbuf_printf(out, "%*s  ", axis_width(&g->axes[x]), grid_value(g, i, x));
        if (s->points[i].state == POINT_DONE) put_figures(s, &s->points[i], out);
        else sbuf_printf(out, "%s\n", reason(&s->points[i]));
    }
}

/* ---- CSV -------------------------------------------------------------------------------------- */

static void put_csv_figures(const sweep_t *s, sbuf_t *out, const point_t *p) {
    sbuf_printf(out, "%.6f,%.6f,", score_bits(&p->score), score_nats(&p->score));
    if (!text_is_bytes(s->text))
        sbuf_printf(out, "%.6f,%.6f,", score_token_bits(&p->score), score_token_nats(&p->score));
    sbuf_printf(out, "%lld,%.1f,", (long long)p->score.scored, score_speed(&p->score));
    if (p->workspace) sbuf_printf(out, "%zu", p->workspace);
    sbuf_puts(out, ",");
    if (p->peak_rss) sbuf_printf(out, "%zu", p->peak_rss);
    sbuf_printf(out, ",%.6f,%lld,%s,%d,", p->compile_seconds, (long long)p->score.window, p->target,
                p->front);
}

static void render_csv(const sweep_t *s, sbuf_t *out) {
    const grid_t *g = &s->grid;
    for (int x = 0; x < g->n_axes; x++) {
        put_csv(out, g->axes[x].key);
        sbuf_puts(out, ",");
    }
    sbuf_printf(out, "bits_per_byte,nats_per_byte,%s",
                text_is_bytes(s->text) ? "" : "bits_per_token,nats_per_token,");
    sbuf_puts(out, "scored_tokens,tokens_per_second,workspace_bytes,peak_rss_bytes,compile_seconds,"
                   "window,target,pareto,error\n");
    for (int i = 0; i < g->n_points; i++) {
        for (int x = 0; x < g->n_axes; x++) {
            put_csv(out, grid_value(g, i, x));
            sbuf_puts(out, ",");
        }
        if (s->points[i].state == POINT_DONE) put_csv_figures(s, out, &s->points[i]);
        else sbuf_puts(out, text_is_bytes(s->text) ? ",,,,,,,,,," : ",,,,,,,,,,,,");
        if (s->points[i].state != POINT_DONE) put_csv(out, reason(&s->points[i]));
        sbuf_puts(out, "\n");
    }
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static void put_json_member(sbuf_t *out, const char *key, const char *value) {
    sbuf_printf(out, "  \"%s\": ", key);
    put_json(out, value);
    sbuf_puts(out, ",\n");
}

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
    sbuf_printf(out, ", \"scored_tokens\": %lld, \"tokens_per_second\": %.1f",
                (long long)p->score.scored, score_speed(&p->score));
    put_json_bytes(out, "workspace_bytes", p->workspace);
    put_json_bytes(out, "peak_rss_bytes", p->peak_rss);
    sbuf_printf(out, ", \"compile_seconds\": %.6f, \"window\": %lld, \"target\": \"%s\"",
                p->compile_seconds, (long long)p->score.window, p->target);
    sbuf_printf(out, ", \"pareto\": %s", p->front ? "true" : "false");
}

static void put_json_point(const sweep_t *s, int i, sbuf_t *out) {
    const grid_t *g = &s->grid;
    sbuf_printf(out, "%s    {\"settings\": {", i ? ",\n" : "\n");
    for (int x = 0; x < g->n_axes; x++) {
        if (x) sbuf_puts(out, ", ");
        put_json(out, g->axes[x].key);
        sbuf_puts(out, ": ");
        put_json_value(out, grid_value(g, i, x));
    }
    sbuf_puts(out, "}, ");
    if (s->points[i].state == POINT_DONE) {
        put_json_figures(s, out, &s->points[i]);
    } else {
        sbuf_puts(out, "\"error\": ");
        put_json(out, reason(&s->points[i]));
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
    sbuf_printf(out, "  \"threads\": %d,\n  \"complete\": %s,\n  \"points\": [", s->threads,
                sweep_count(s, POINT_WAITING) ? "false" : "true");
    for (int i = 0; i < s->grid.n_points; i++) put_json_point(s, i, out);
    sbuf_puts(out, "\n  ]\n}\n");
}

/* ---- files ------------------------------------------------------------------------------------ */

static void csv_of(const void *sweep, sbuf_t *out) {
    render_csv(sweep, out);
}

static void json_of(const void *sweep, sbuf_t *out) {
    render_json(sweep, out);
}

static void plot_of(const void *sweep, sbuf_t *out) {
    render_plot(sweep, out);
}

static const output_format_t formats[] = {
    {".csv", csv_of, false}, {".json", json_of, false}, {".svg", plot_of, true}};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

bool sweep_check_outputs(const sweep_t *s) {
    return outputs_check(s->o, formats, N_FORMATS, s->d);
}

bool sweep_write_outputs(const sweep_t *s) {
    return outputs_write(s->o, formats, N_FORMATS, s, s->d);
}
