/* The picture of a bench: time of a forward and memory over the length, both axes logarithmic; of
 * --decode tokens per second over the context.
 *
 * In: the cases that are done. Out: a script for gnuplot (gnuplot.h). A series is a batch, a target
 * and a number of threads. */
#include <math.h>

#include "cli/name.h"
#include "commands/bench/decode.h"
#include "report/gnuplot.h"

enum { WIDTH = 1100, HEIGHT = 520 };

static const bench_case_t *case_of(const bench_t *b, int length, int series) {
    return &b->cases[length * bench_series(b) + series];
}

static bool series_is_empty(const bench_t *b, int series) {
    for (int l = 0; l < b->n_lengths; l++)
        if (case_of(b, l, series)->done) return false;
    return true;
}

/* Lengths as given need not ascend; lines must. */
static int next_length(const bench_t *b, int64_t above) {
    int best = -1;
    for (int l = 0; l < b->n_lengths; l++)
        if (b->lengths[l] > above && (best < 0 || b->lengths[l] < b->lengths[best])) best = l;
    return best;
}

static void put_data(const bench_t *b, int series, sbuf_t *out) {
    enum { MIB = 1 << 20 };
    sbuf_printf(out, "$s%d << END\n", series);
    for (int l = next_length(b, 0); l >= 0; l = next_length(b, b->lengths[l])) {
        const bench_case_t *c = case_of(b, l, series);
        if (!c->done) continue;
        sbuf_printf(out, "%lld %.9g %.9g %.9g %.6f ", (long long)c->length, c->seconds.median,
                    c->seconds.low, c->seconds.high, (double)c->workspace / MIB);
        if (c->peak_rss) sbuf_printf(out, "%.6f\n", (double)c->peak_rss / MIB);
        else sbuf_puts(out, "NaN\n");
    }
    sbuf_puts(out, "END\n");
}

/* ---- ranges ---------------------------------------------------------------------------------- */

typedef struct {
    double low, high;
} plot_range_t;

static void extend(plot_range_t *r, double x) {
    if (x <= 0) return;
    if (r->low == 0 || x < r->low) r->low = x;
    if (x > r->high) r->high = x;
}

static void put_ranges(const bench_t *b, bool memory, sbuf_t *out) {
    enum { MIB = 1 << 20 };
    plot_range_t x = {0, 0}, y = {0, 0};
    for (int k = 0; k < b->n_cases; k++) {
        const bench_case_t *c = &b->cases[k];
        if (!c->done) continue;
        extend(&x, (double)c->length);
        extend(&y, memory ? (double)c->workspace / MIB : c->seconds.low);
        extend(&y, memory ? (double)c->peak_rss / MIB : c->seconds.high);
    }
    /* the key takes a share of the height, above all lines */
    double key = fmin(0.06 * (1 + bench_series(b) * (memory ? 2 : 1)), 0.6), low = y.low / 1.5;
    sbuf_printf(out, "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n", x.low / 1.3, x.high * 1.3,
                low, y.high * pow(1.2 * y.high / low, key / (1 - key)));
}

/* ---- the script ------------------------------------------------------------------------------ */

static const char *series_title(const bench_t *b, int series) {
    const bench_case_t *c = case_of(b, 0, series);
    const char *batch =
        b->n_batches == 1 ? "" : arena_printf(b->arena, ", batch %lld", (long long)c->batch);
    return arena_printf(b->arena, "%s, %d thread%s%s", c->target->name, c->threads,
                        c->threads == 1 ? "" : "s", batch);
}

static void put_frame(const bench_t *b, sbuf_t *out) {
    sbuf_printf(
        out,
        "set terminal svg size %d,%d font 'sans-serif,14' background '#ffffff' noenhanced\n"
        "set encoding utf8\nset output ARG1\nset logscale xy\nset border 3 lc rgb '#444444'\n"
        "set tics out nomirror\nset grid lc rgb '#e4e4e4'\nset format x '%%.0f'\n"
        "set xlabel '%s'\nset key left top Left reverse samplen 2\n"
        "set style data linespoints\nset tmargin 5\n",
        WIDTH, HEIGHT, b->decodes ? "tokens of context" : "tokens");
    int first = next_length(b, 0), l = first;
    sbuf_puts(out, "set xtics (");
    for (; l >= 0; l = next_length(b, b->lengths[l]))
        sbuf_printf(out, "%s%lld", l == first ? "" : ", ", (long long)b->lengths[l]);
    sbuf_puts(out, ")\n");
}

static void put_title(const bench_t *b, sbuf_t *out) {
    sbuf_puts(out, "set label ");
    put_gnuplot(out,
                arena_printf(b->arena, "%s: %s, %sback end %s", path_stem(b->arena, b->o->model),
                             b->decodes ? "generation over context" : "time and memory over length",
                             bench_dtype_text(b), backend_names[b->o->backend]));
    sbuf_puts(out, " at screen 0.05, screen 0.95 left font ',18'\n");
}

/* `using` and, behind the series, what the line shows. */
typedef struct {
    const char *columns, *suffix, *style;
} plot_line_t;

static void put_lines(const bench_t *b, const plot_line_t *lines, int n, sbuf_t *out) {
    const char *separator = "plot ";
    for (int s = 0; s < bench_series(b); s++) {
        if (series_is_empty(b, s)) continue;
        for (int k = 0; k < n; k++) {
            sbuf_printf(out, "%s$s%d using %s %s lw 2 pt 7 ps 0.6 lc %d title ", separator, s,
                        lines[k].columns, lines[k].style, s + 1);
            put_gnuplot(out, arena_printf(b->arena, "%s%s", series_title(b, s), lines[k].suffix));
            separator = ", ";
        }
    }
    sbuf_puts(out, "\n");
}

/* Speeds stand over each other from zero, so that what is flat looks flat. */
static void put_speeds(const bench_t *b, int series, plot_range_t *y, sbuf_t *out) {
    sbuf_printf(out, "$s%d << END\n", series);
    for (int l = next_length(b, 0); l >= 0; l = next_length(b, b->lengths[l])) {
        const bench_case_t *c = case_of(b, l, series);
        if (!c->done) continue;
        double tokens = (double)c->batch, high = tokens / c->seconds.low;
        extend(y, high);
        sbuf_printf(out, "%lld %.9g %.9g %.9g\n", (long long)c->length, decode_speed(c),
                    tokens / c->seconds.high, high);
    }
    sbuf_puts(out, "END\n");
}

static void render_decode_plot(const bench_t *b, sbuf_t *out) {
    static const plot_line_t speed[] = {{"1:2:3:4", "", "with yerrorlines"}};
    plot_range_t x = {0, 0}, y = {0, 0};
    put_frame(b, out);
    for (int s = 0; s < bench_series(b); s++) put_speeds(b, s, &y, out);
    for (int l = 0; l < b->n_lengths; l++) extend(&x, (double)b->lengths[l]);
    put_title(b, out);
    double key = fmin(0.06 * (1 + bench_series(b)), 0.6);
    sbuf_printf(out,
                "unset logscale y\nset ylabel 'tokens per second'\nset format y '%%g'\n"
                "set xrange [%.9g:%.9g]\nset yrange [0:%.9g]\n",
                x.low / 1.3, x.high * 1.3, y.high / (1 - key));
    put_lines(b, speed, 1, out);
    sbuf_puts(out, "set output\n");
}

void render_bench_plot(const bench_t *b, sbuf_t *out) {
    if (b->decodes) {
        render_decode_plot(b, out);
        return;
    }
    static const plot_line_t time[] = {{"1:2:3:4", "", "with yerrorlines"}};
    static const plot_line_t memory[] = {{"1:6", ": peak RSS", "dt 2"}, {"1:5", ": workspace", ""}};
    put_frame(b, out);
    for (int s = 0; s < bench_series(b); s++) put_data(b, s, out);
    put_title(b, out);
    sbuf_puts(out, "set multiplot layout 1,2\nset ylabel 'seconds of one forward'\n"
                   "set format y '%g'\n");
    put_ranges(b, false, out);
    put_lines(b, time, 1, out);
    sbuf_puts(out, "unset label\nset ylabel 'MiB'\n");
    put_ranges(b, true, out);
    put_lines(b, memory, 2, out);
    sbuf_puts(out, "unset multiplot\nset output\n");
}
