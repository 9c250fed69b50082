/* The picture of a sweep that trains: a line for each point, over the hashing
 * that it was evaluated with.
 *
 * In: the points that are done. Out: SVG, drawn here. The figure is the table's; names stand behind
 * the ends of lines, and are moved apart where lines end close to each other. */
#include <math.h>
#include <stdlib.h>

#include "cli/name.h"
#include "commands/sweep/sweep.h"
#include "report/svg.h"

enum { WIDTH = 860, LEFT = 72, TOP = 60, HEIGHT = 360, BELOW = 56, GAP = 14, MAX_NAME = 320 };

static const char *const colours[] = {"#2f6db5", "#b03a2e", "#2e8b57",
                                      "#8e5bb5", "#b8860b", "#56606e"};
static const char *const dashes[] = {"none", "7 4", "2 3"};
enum { N_COLOURS = sizeof colours / sizeof *colours, N_DASHES = sizeof dashes / sizeof *dashes };

typedef struct {
    const point_t *point;
    int number; /* of its look */
    double y;   /* of its name */
} learnt_line_t;

typedef struct {
    const sweep_t *s;
    sbuf_t *out;
    learnt_line_t *lines;
    int n;
    double low, high;     /* of the figure */
    double right, bottom; /* of the field */
} learnt_drawing_t;

static double x_of(const learnt_drawing_t *g, int eval) {
    double width = g->right - LEFT, n = g->s->n_evals;
    return LEFT + width * (eval + 0.5) / n;
}

static double y_of(const learnt_drawing_t *g, double value) {
    return g->bottom - (g->bottom - TOP) * (value - g->low) / (g->high - g->low);
}

static double value_at(const learnt_drawing_t *g, const learnt_line_t *l, int eval) {
    return learnt_value(g->s, &l->point->trained.evals[eval]);
}

/* ---- what there is to draw ------------------------------------------------------------------- */

static void take_lines(learnt_drawing_t *g) {
    const sweep_t *s = g->s;
    g->lines = ARENA_ARRAY(s->arena, learnt_line_t, s->grid.n_points);
    for (int i = 0; i < s->grid.n_points; i++)
        if (s->points[i].state == POINT_DONE) {
            g->lines[g->n] = (learnt_line_t){&s->points[i], g->n, 0};
            g->n++;
        }
}

static void measure(learnt_drawing_t *g) {
    double names = 0;
    g->low = INFINITY;
    g->high = -INFINITY;
    for (int i = 0; i < g->n; i++) {
        names = fmax(names, svg_text_width(g->lines[i].point->label));
        for (int k = 0; k < g->s->n_evals; k++) {
            double x = value_at(g, &g->lines[i], k);
            if (!isfinite(x)) continue;
            g->low = fmin(g->low, x);
            g->high = fmax(g->high, x);
        }
    }
    if (!isfinite(g->low)) g->low = g->high = 0;
    if (g->high - g->low < 1e-9 * fmax(1, fabs(g->high))) {
        g->low -= 0.5;
        g->high += 0.5;
    }
    double step = nice_step(g->high - g->low, 6);
    g->low = step * floor(g->low / step);
    g->high = step * ceil(g->high / step);
    g->right = WIDTH - 2 * GAP - fmin(names, MAX_NAME);
    g->bottom = TOP + fmax(HEIGHT, (double)g->n * SVG_LINE);
}

static int by_place(const void *pa, const void *pb) {
    const learnt_line_t *a = pa, *b = pb;
    if (a->y != b->y) return a->y < b->y ? -1 : 1;
    return a->number - b->number;
}

/* Names from above, each below the one before; then from below, so that the last
 * stays within the field. */
static void place_names(learnt_drawing_t *g) {
    for (int i = 0; i < g->n; i++) {
        double last = value_at(g, &g->lines[i], g->s->n_evals - 1);
        g->lines[i].y = isfinite(last) ? y_of(g, last) : g->bottom;
    }
    qsort(g->lines, (size_t)g->n, sizeof *g->lines, by_place);
    for (int i = 1; i < g->n; i++)
        g->lines[i].y = fmax(g->lines[i].y, g->lines[i - 1].y + SVG_LINE);
    double max = g->bottom;
    for (int i = g->n - 1; i >= 0; i--, max -= SVG_LINE) g->lines[i].y = fmin(g->lines[i].y, max);
}

/* ---- drawing --------------------------------------------------------------------------------- */

static void draw_axes(const learnt_drawing_t *g) {
    double step = nice_step(g->high - g->low, 6);
    for (int k = 0; g->low + k * step <= g->high + step / 1000; k++) {
        char text[32];
        double value = g->low + k * step, y = y_of(g, value);
        snprintf(text, sizeof text, "%.6g", fabs(value) < 1e-12 ? 0 : value);
        svg_line(g->out, LEFT, y, g->right, y, "grid");
        svg_text(g->out, LEFT - 6, y + 4, "end", "dim", text);
    }
    svg_line(g->out, LEFT, TOP, LEFT, g->bottom, "axis");
    svg_line(g->out, LEFT, g->bottom, g->right, g->bottom, "axis");
    for (int k = 0; k < g->s->n_evals; k++)
        svg_text(g->out, x_of(g, k), g->bottom + 18, "middle", "dim",
                 learnt_title(g->s, g->s->evals[k]));
    svg_text(g->out, (LEFT + g->right) / 2, g->bottom + 40, "middle", "dim", "evaluated with");
}

static void draw_line(const learnt_drawing_t *g, const learnt_line_t *l) {
    const char *colour = colours[l->number % N_COLOURS];
    char command = 'M';
    sbuf_printf(g->out,
                "<path style=\"stroke:%s;stroke-width:2;stroke-dasharray:%s;fill:none\" d=\"",
                colour, dashes[l->number / N_COLOURS % N_DASHES]);
    for (int k = 0; k < g->s->n_evals; k++) {
        double value = value_at(g, l, k);
        if (!isfinite(value)) continue;
        sbuf_printf(g->out, "%c%.1f %.1f", command, x_of(g, k), y_of(g, value));
        command = 'L';
    }
    sbuf_puts(g->out, "\"/>\n");
    for (int k = 0; k < g->s->n_evals; k++)
        if (isfinite(value_at(g, l, k)))
            sbuf_printf(g->out, "<circle style=\"fill:%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
                        colour, x_of(g, k), y_of(g, value_at(g, l, k)));
    double last = value_at(g, l, g->s->n_evals - 1);
    if (isfinite(last))
        svg_line(g->out, x_of(g, g->s->n_evals - 1) + 4, y_of(g, last), g->right + GAP - 4, l->y,
                 "leader");
    svg_text(g->out, g->right + GAP, l->y + 4, "start", "", l->point->label);
}

void learnt_plot(const sweep_t *s, sbuf_t *out) {
    learnt_drawing_t g = {.s = s, .out = out};
    take_lines(&g);
    measure(&g);
    place_names(&g);
    const char *title =
        arena_printf(s->arena, "%s: %s", path_stem(s->arena, s->o->model), learnt_says(s));
    svg_open(out, WIDTH, g.bottom + BELOW, title);
    svg_text(out, LEFT, 22, "start", "", title);
    draw_axes(&g);
    for (int i = 0; i < g.n; i++) draw_line(&g, &g.lines[i]);
    sbuf_puts(out, "</svg>\n");
}
