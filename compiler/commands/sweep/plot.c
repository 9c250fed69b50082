/* The picture of a sweep: bits per byte against tokens per second, the Pareto
 * front drawn as a line.
 *
 * In: the points that are done. Out: a script for gnuplot (gnuplot.h). gnuplot draws; where the
 * labels go is decided here, since it has no way to keep them apart: each takes the place around
 * its point that covers least. Bars span the quartiles of the speed where a point
 * has several passes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/name.h"
#include "commands/sweep/sweep.h"
#include "report/gnuplot.h"

/* Pixels; y grows upwards, as in gnuplot. */
enum {
    WIDTH = 960,
    HEIGHT = 640,
    LEFT = 100,
    RIGHT = 930,
    BOTTOM = 140,
    TOP = 570,
    LETTER = 7, /* of the labels: width, height */
    LINE = 14,
    DOT = 6,              /* half the room that a point takes */
    BAR = 4,              /* half the height of a bar's ends */
    MAX_LABELS = 60,      /* with more points only those on the front are labelled */
    LOGARITHMIC_FROM = 20 /* greatest speed by smallest */
};

typedef struct {
    double x0, y0, x1, y1;
} label_box_t;

typedef struct {
    double low, high;
    bool logarithmic;
} axis_range_t;

typedef struct {
    const sweep_t *s;
    axis_range_t x, y;
    const point_t **front; /* [n_front] slowest first */
    size_t n_front;
    label_box_t *taken; /* [n] points, the front's line, then labels */
    int n;
} plot_t;

/* ---- the axes -------------------------------------------------------------------------------- */

static double speed_of(const point_t *p) {
    return p->speed.median;
}

static double min_speed_of(const point_t *p) {
    return p->speed.low;
}

static double max_speed_of(const point_t *p) {
    return p->speed.high;
}

static double bits_of(const point_t *p) {
    return score_bits(&p->score);
}

/* What holds all points, with room around them. */
static axis_range_t range_of(const sweep_t *s, double (*min)(const point_t *p),
                             double (*max)(const point_t *p), bool may_be_log) {
    axis_range_t r = {HUGE_VAL, -HUGE_VAL, false};
    for (int i = 0; i < s->grid.n_points; i++) {
        if (s->points[i].state != POINT_DONE) continue;
        r.low = fmin(r.low, min(&s->points[i]));
        r.high = fmax(r.high, max(&s->points[i]));
    }
    r.logarithmic = may_be_log && r.low > 0 && r.high > LOGARITHMIC_FROM * r.low;
    if (r.logarithmic) {
        double room = pow(r.high / r.low, 0.1);
        return (axis_range_t){r.low / room, r.high * room, true};
    }
    double room = 0.12 * (r.high - r.low);
    if (room < 1e-4 * fabs(r.high)) room = 1e-4 * fabs(r.high);
    if (room == 0) room = 1;
    return (axis_range_t){r.low - room, r.high + room, false};
}

static double pixel(const axis_range_t *r, double value, double from, double to) {
    double at = r->logarithmic ? log(value / r->low) / log(r->high / r->low)
                               : (value - r->low) / (r->high - r->low);
    return from + at * (to - from);
}

static int by_speed(const void *pa, const void *pb) {
    const point_t *const *a = pa, *const *b = pb;
    double x = speed_of(*a), y = speed_of(*b);
    return x < y ? -1 : x > y;
}

/* Never empty: of the points that are done, one is the fastest and one the best. */
static void find_front(plot_t *p) {
    const sweep_t *s = p->s;
    p->front = ARENA_ARRAY(s->arena, const point_t *, s->grid.n_points);
    for (int i = 0; i < s->grid.n_points; i++)
        if (s->points[i].front) p->front[p->n_front++] = &s->points[i];
    qsort(p->front, p->n_front, sizeof *p->front, by_speed);
}

static double x_pixel(const plot_t *p, const point_t *point) {
    return pixel(&p->x, speed_of(point), LEFT, RIGHT);
}

static double y_pixel(const plot_t *p, const point_t *point) {
    return pixel(&p->y, bits_of(point), BOTTOM, TOP);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void put_text(sbuf_t *out, const char *text, double x, double y, const char *style) {
    sbuf_puts(out, "set label ");
    put_gnuplot(out, text);
    sbuf_printf(out, " at screen %.5f, screen %.5f %s\n", x / WIDTH, y / HEIGHT, style);
}

/* "4 / 64": the values of what varies; with `names`, the keys. */
static const char *point_text(const sweep_t *s, int point, bool names) {
    const char *text = "";
    for (int x = 0; x < s->grid.n_axes; x++) {
        const axis_t *a = &s->grid.axes[x];
        if (a->n == 1 && s->grid.n_points > 1) continue;
        text = arena_printf(s->arena, "%s%s%s", text, *text ? " / " : "",
                            names ? a->key : grid_value(&s->grid, point, x));
    }
    return text;
}

/* ---- labels ---------------------------------------------------------------------------------- */

static double overlap(const label_box_t *a, const label_box_t *b) {
    double w = fmin(a->x1, b->x1) - fmax(a->x0, b->x0);
    double h = fmin(a->y1, b->y1) - fmax(a->y0, b->y0);
    return w > 0 && h > 0 ? w * h : 0;
}

static label_box_t box_around(double x, double y, double width, double height) {
    return (label_box_t){x - width / 2, y - height / 2, x + width / 2, y + height / 2};
}

static double area_outside(const label_box_t *b) {
    static const label_box_t canvas = {LEFT, BOTTOM, RIGHT, TOP};
    return (b->x1 - b->x0) * (b->y1 - b->y0) - overlap(b, &canvas);
}

static double cost_of(const plot_t *p, const label_box_t *b) {
    double cost = 4 * area_outside(b);
    for (int i = 0; i < p->n; i++) cost += overlap(b, &p->taken[i]);
    return cost;
}

/* Directions, best first. The side below and to the right of the front is empty by its definition;
 * the others look away from it. */
static const double towards_empty[][2] = {{1, -1},  {1, 0}, {0, -1}, {1, 1},
                                          {-1, -1}, {0, 1}, {-1, 0}, {-1, 1}};
static const double away[][2] = {{-1, 1}, {0, 1},   {-1, 0}, {1, 1},
                                 {1, 0},  {-1, -1}, {0, -1}, {1, -1}};
enum { N_DIRECTIONS = 8 };

static label_box_t label_box(const plot_t *p, int point, double width) {
    const point_t *at = &p->s->points[point];
    const double(*towards)[2] = at->front ? towards_empty : away;
    label_box_t best = {0};
    double min = HUGE_VAL;
    for (int ring = 0; ring < 4; ring++) {
        for (int i = 0; i < N_DIRECTIONS; i++) {
            double gap = DOT + 1 + 9 * ring, dx = towards[i][0], dy = towards[i][1];
            label_box_t b = box_around(x_pixel(p, at) + dx * (gap + width / 2),
                                       y_pixel(p, at) + dy * (gap + LINE / 2.0), width, LINE);
            double cost = cost_of(p, &b) + 10 * ring + i; /* near and early is better */
            if (cost >= min) continue;
            min = cost;
            best = b;
        }
    }
    return best;
}

/* A thin line from a point to a label that had to step aside. */
static void put_leader(const plot_t *p, const point_t *at, const label_box_t *b, sbuf_t *out) {
    double x = x_pixel(p, at), y = y_pixel(p, at);
    double to_x = fmin(fmax(x, b->x0), b->x1), to_y = fmin(fmax(y, b->y0 + 2), b->y1 - 2);
    if (hypot(to_x - x, to_y - y) < 2 * DOT) return;
    sbuf_printf(out,
                "set arrow from screen %.5f, screen %.5f to screen %.5f, screen %.5f nohead "
                "lw 0.7 lc rgb '#bbbbbb' back\n",
                x / WIDTH, y / HEIGHT, to_x / WIDTH, to_y / HEIGHT);
}

static void put_label(plot_t *p, int point, sbuf_t *out) {
    const point_t *at = &p->s->points[point];
    const char *text = point_text(p->s, point, false);
    if (!*text) return;
    label_box_t b = label_box(p, point, LETTER * characters(text));
    p->taken[p->n++] = b;
    put_leader(p, at, &b, out);
    put_text(out, text, (b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2,
             at->front ? "center font ',12' textcolor rgb '#0b5345' front"
                       : "center font ',12' textcolor rgb '#666666' front");
}

/* Dots and bars. */
static void take_points(plot_t *p) {
    const sweep_t *s = p->s;
    for (int i = 0; i < s->grid.n_points; i++) {
        const point_t *at = &s->points[i];
        if (at->state != POINT_DONE) continue;
        double y = y_pixel(p, at);
        p->taken[p->n++] = box_around(x_pixel(p, at), y, 2 * DOT, 2 * DOT);
        p->taken[p->n++] = (label_box_t){pixel(&p->x, at->speed.low, LEFT, RIGHT), y - BAR,
                                         pixel(&p->x, at->speed.high, LEFT, RIGHT), y + BAR};
    }
}

/* Left of each point on the front its step, and the rise from the one before. */
static void take_front(plot_t *p) {
    enum { THICK = 4 };
    double x = LEFT, y = 0;
    for (size_t i = 0; i < p->n_front; i++) {
        double to_x = x_pixel(p, p->front[i]), to_y = y_pixel(p, p->front[i]);
        p->taken[p->n++] = (label_box_t){x, to_y - THICK / 2.0, to_x, to_y + THICK / 2.0};
        if (i) p->taken[p->n++] = (label_box_t){x - THICK / 2.0, y, x + THICK / 2.0, to_y};
        x = to_x;
        y = to_y;
    }
    p->taken[p->n++] = (label_box_t){x - THICK / 2.0, y, x + THICK / 2.0, TOP};
}

/* The front's labels first: they may choose. */
static void put_labels(plot_t *p, sbuf_t *out) {
    const sweep_t *s = p->s;
    bool all = sweep_count(s, POINT_DONE) <= MAX_LABELS;
    p->taken = ARENA_ARRAY(s->arena, label_box_t, 5 * s->grid.n_points + 1);
    take_points(p);
    take_front(p);
    for (int front = 1; front >= (all ? 0 : 1); front--)
        for (int i = 0; i < s->grid.n_points; i++)
            if (s->points[i].state == POINT_DONE && s->points[i].front == front)
                put_label(p, i, out);
}

/* ---- the script ------------------------------------------------------------------------------ */

/* Steps: what a given speed can have at best. They begin at the left edge and
 * end at the upper one. */
static void put_front(const plot_t *p, sbuf_t *out) {
    sbuf_puts(out, "$steps << END\n");
    sbuf_printf(out, "%.9g %.9g\n", p->x.low, bits_of(p->front[0]));
    for (size_t i = 0; i < p->n_front; i++)
        sbuf_printf(out, "%.9g %.9g\n", speed_of(p->front[i]), bits_of(p->front[i]));
    sbuf_printf(out, "%.9g %.9g\nEND\n", speed_of(p->front[p->n_front - 1]), p->y.high);
}

/* What a point looks like. What cannot be told from the front is hollow, on it or not. */
typedef enum { LOOK_OTHER, LOOK_UNSETTLED, LOOK_FRONT, LOOK_COUNT } look_t;

static const struct {
    const char *name, *style, *title;
} looks[LOOK_COUNT] = {[LOOK_OTHER] = {"$others", "pt 7 ps 0.8 lc rgb '#999999'", "other points"},
                       [LOOK_UNSETTLED] = {"$unsettled", "pt 6 ps 0.9 lw 1.5 lc rgb '#0e8a6a'",
                                           "cannot be told: speeds overlap"},
                       [LOOK_FRONT] = {"$front", "pt 7 ps 0.9 lc rgb '#0e8a6a'", "points on it"}};

static look_t look_of(const point_t *p) {
    return p->unsettled ? LOOK_UNSETTLED : p->front ? LOOK_FRONT : LOOK_OTHER;
}

static bool has_look(const sweep_t *s, look_t look) {
    for (int i = 0; i < s->grid.n_points; i++)
        if (s->points[i].state == POINT_DONE && look_of(&s->points[i]) == look) return true;
    return false;
}

static bool has_spread(const sweep_t *s) {
    for (int i = 0; i < s->grid.n_points; i++)
        if (s->points[i].n_passes > 1) return true;
    return false;
}

static void put_points(const sweep_t *s, look_t look, sbuf_t *out) {
    if (!has_look(s, look)) return;
    sbuf_printf(out, "%s << END\n", looks[look].name);
    for (int i = 0; i < s->grid.n_points; i++) {
        const point_t *p = &s->points[i];
        if (p->state == POINT_DONE && look_of(p) == look)
            sbuf_printf(out, "%.9g %.9g %.9g %.9g\n", speed_of(p), bits_of(p), p->speed.low,
                        p->speed.high);
    }
    sbuf_puts(out, "END\n");
}

/* Of all points, in their order: types of products have targets of their own. */
static const char *targets_text(const sweep_t *s) {
    const char *all = "", *said[MAX_TARGETS];
    int n = 0;
    for (int i = 0; i < s->grid.n_points; i++) {
        const point_t *p = &s->points[i];
        int k = 0;
        while (k < n && (p->state != POINT_DONE || strcmp(said[k], p->target) != 0)) k++;
        if (p->state != POINT_DONE || k < n || n == MAX_TARGETS) continue;
        said[n++] = p->target;
        all = arena_printf(s->arena, "%s%s%s", all, n > 1 ? " and " : "", p->target);
    }
    return all;
}

static void put_title(const plot_t *p, sbuf_t *out) {
    const sweep_t *s = p->s;
    arena_t *a = s->arena;
    const char *names = point_text(s, 0, true);
    put_text(out, arena_printf(a, "%s: quality against speed", path_stem(a, s->o->model)), LEFT,
             TOP + 45, "left font ',18'");
    put_text(out,
             arena_printf(a, "%s%s, %lld tokens; back end %s, %s, %d thread%s%s",
                          path_stem(a, s->o->text[OPT_TEXT]), path_suffix(s->o->text[OPT_TEXT]),
                          (long long)s->tokens.n, backend_names[s->o->backend], targets_text(s),
                          s->threads, s->threads == 1 ? "" : "s",
                          has_spread(s) ? arena_printf(a, "; medians of %d passes, bars: quartiles",
                                                       s->repeat)
                                        : ""),
             LEFT, TOP + 20, "left font ',13' textcolor rgb '#555555'");
    if (*names)
        put_text(out, arena_printf(a, "labels: %s", names), (LEFT + RIGHT) / 2.0, 18,
                 "center font ',13'");
}

static void put_frame(const plot_t *p, sbuf_t *out) {
    sbuf_printf(out,
                "set terminal svg size %d,%d font 'sans-serif,14' background '#ffffff' noenhanced\n"
                "set encoding utf8\nset output ARG1\n"
                "set lmargin at screen %.5f\nset rmargin at screen %.5f\n"
                "set bmargin at screen %.5f\nset tmargin at screen %.5f\n",
                WIDTH, HEIGHT, (double)LEFT / WIDTH, (double)RIGHT / WIDTH, (double)BOTTOM / HEIGHT,
                (double)TOP / HEIGHT);
    sbuf_printf(out,
                "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n%sset format x '%s'\n"
                "set format y '%%g'\nset tics out nomirror\nset border 3 lc rgb '#444444'\n"
                "set grid lc rgb '#e4e4e4'\n",
                p->x.low, p->x.high, p->y.low, p->y.high,
                p->x.logarithmic ? "set logscale x\n" : "", p->x.high < 100 ? "%g" : "%.0f");
    sbuf_puts(out, "set xlabel 'tokens per second (more is better)'\n"
                   "set ylabel 'bits per byte (less is better)'\n");
    sbuf_printf(
        out,
        "set key at screen %.5f, screen %.5f center horizontal Left reverse samplen 2 width 2\n",
        (LEFT + RIGHT) / 2.0 / WIDTH, 48.0 / HEIGHT);
}

static void put_plot(const sweep_t *s, sbuf_t *out) {
    sbuf_puts(out, "set bars 0.6\n"
                   "plot $steps using 1:2 with fsteps lw 2 lc rgb '#7dcea0' title 'Pareto front'");
    for (int k = 0; k < LOOK_COUNT && has_spread(s); k++)
        if (has_look(s, k))
            sbuf_printf(out,
                        ", %s using 1:2:3:4 with xerrorbars pt -1 lw 1 lc rgb '#777777' notitle",
                        looks[k].name);
    for (int k = 0; k < LOOK_COUNT; k++)
        if (has_look(s, k))
            sbuf_printf(out, ", %s using 1:2 with points %s title '%s'", looks[k].name,
                        looks[k].style, looks[k].title);
    sbuf_puts(out, "\nset output\n");
}

void render_plot(const sweep_t *s, sbuf_t *out) {
    plot_t p = {.s = s,
                .x = range_of(s, min_speed_of, max_speed_of, true),
                .y = range_of(s, bits_of, bits_of, false)};
    find_front(&p);
    put_frame(&p, out);
    put_title(&p, out);
    put_labels(&p, out);
    put_front(&p, out);
    for (int k = 0; k < LOOK_COUNT; k++) put_points(s, k, out);
    put_plot(s, out);
}
