/* The roofline as a picture: flops per streamed byte to the right, flops per second upwards, both
 * logarithmic; a roof per kind of products, and every kernel as a point where it is predicted to
 * run. The larger the point, the larger its share of the time. */
#include <math.h>

#include "commands/explain/explain.h"
#include "report/svg.h"

enum {
    WIDTH = 900,
    HEIGHT = 460,
    LEFT = 84,
    RIGHT = WIDTH - 30,
    TOP = 46, /* the legend above it */
    BOTTOM = HEIGHT - 58,
    BIGGEST = 17,   /* radius of a kernel that takes all the time */
    MAX_LABELS = 11 /* for more there is no room: those that take most of the time have them */
};

static const double min = 0.0005; /* of the time, to be drawn */

typedef struct {
    const explanation_t *e;
    sbuf_t *out;
    double x0, x1, y0, y1; /* decades: log10 of flop/byte and of flop/s */
    svg_box_t *taken;      /* [n] points, then labels */
    int n;
} roof_t;

static double x_of(const roof_t *r, double intensity) {
    return LEFT + (RIGHT - LEFT) * (log10(intensity) - r->x0) / (r->x1 - r->x0);
}

static double y_of(const roof_t *r, double rate) {
    return BOTTOM - (BOTTOM - TOP) * (log10(rate) - r->y0) / (r->y1 - r->y0);
}

/* What takes no time is no point; the table has it. */
static bool is_drawn(const explanation_t *e, const kernel_cost_t *k) {
    double all = kernels_seconds(&e->costs, &e->machine);
    return k->flops > 0 && k->streams > 0 && kernel_seconds(k, &e->machine) >= min * all;
}

static double intensity_of(const kernel_cost_t *k) {
    return k->flops / k->streams;
}

static double rate_of(const roof_t *r, const kernel_cost_t *k) {
    return k->flops / kernel_seconds(k, &r->e->machine);
}

/* Kinds of products that have a roof: those that occur, and always float32, which
 * all kernels have some of. */
static bool has_roof(const roof_t *r, int p) {
    return p == FACTOR_F32 || r->e->costs.total.products.of[p] > 0;
}

static double highest_roof(const roof_t *r) {
    double max = 0;
    for (int p = 0; p < FACTOR_COUNT; p++)
        if (has_roof(r, p)) max = fmax(max, r->e->machine.flops.of[p]);
    return max;
}

/* A fifth of the width stays free at the right, for the label of the last point. */
static void choose_ranges(roof_t *r) {
    const machine_t *m = &r->e->machine;
    double low = m->flops.of[FACTOR_F32], high = highest_roof(r);
    double ridge = log10(low / m->bandwidth), max = log10(high / m->bandwidth) + 0.3,
           slowest = log10(low) - 1;
    r->x0 = ridge - 0.8;
    for (int k = 0; k < r->e->costs.n; k++) {
        const kernel_cost_t *x = &r->e->costs.kernels[k];
        if (!is_drawn(r->e, x)) continue;
        r->x0 = fmin(r->x0, log10(intensity_of(x)) - 0.2);
        max = fmax(max, log10(intensity_of(x)));
        slowest = fmin(slowest, log10(rate_of(r, x)));
    }
    r->x1 = r->x0 + (max - r->x0) / 0.8;
    r->y0 = slowest - 0.6;
    r->y1 = log10(high) + 0.25;
}

/* ---- axes and roof --------------------------------------------------------------------------- */

static void draw_axes(roof_t *r) {
    static const double steps[] = {1, 2, 5};
    arena_t *a = r->e->arena;
    for (double decade = floor(fmin(r->x0, r->y0 - 9)); decade <= fmax(r->x1, r->y1); decade++)
        for (int k = 0; k < 3; k++) {
            double value = steps[k] * pow(10, decade), x = x_of(r, value), y = y_of(r, value * 1e9);
            const char *label = arena_printf(a, "%g", value);
            if (x >= LEFT && x <= RIGHT) svg_line(r->out, x, TOP, x, BOTTOM, "grid");
            if (x >= LEFT && x <= RIGHT) svg_text(r->out, x, BOTTOM + 18, "middle", "dim", label);
            if (y >= TOP && y <= BOTTOM) svg_line(r->out, LEFT, y, RIGHT, y, "grid");
            if (y >= TOP && y <= BOTTOM) svg_text(r->out, LEFT - 8, y + 4, "end", "dim", label);
        }
    svg_line(r->out, LEFT, TOP, LEFT, BOTTOM, "axis");
    svg_line(r->out, LEFT, BOTTOM, RIGHT, BOTTOM, "axis");
    svg_text(r->out, (LEFT + RIGHT) / 2.0, BOTTOM + 42, "middle", "dim",
             "flops per streamed byte (flop/B)");
    sbuf_printf(r->out,
                "<text class=\"dim\" transform=\"translate(20,%d) rotate(-90)\" "
                "text-anchor=\"middle\">GFLOP/s, predicted</text>\n",
                (TOP + BOTTOM) / 2);
}

static void draw_roof(const roof_t *r, double peak, const char *class) {
    const machine_t *m = &r->e->machine;
    double ridge = peak / m->bandwidth, left = pow(10, r->x0), low = left * m->bandwidth;
    double from = low < pow(10, r->y0) ? pow(10, r->y0) / m->bandwidth : left;
    sbuf_printf(r->out, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1fH%d\"/>\n", class,
                x_of(r, from), y_of(r, from * m->bandwidth), x_of(r, ridge), y_of(r, peak), RIGHT);
}

/* Above its roof, and above the label of a lower one that is as high. */
static double label_peak(const roof_t *r, int p, double below) {
    const machine_t *m = &r->e->machine;
    double peak = m->flops.of[p], y = fmin(y_of(r, peak) - 7, below - SVG_LINE);
    svg_text(r->out, RIGHT - 4, y, "end", "dim",
             arena_printf(r->e->arena,
                          "%.1f GFLOP/s: %s peak of %d thread%s; dashed: %.0f %% of it", peak / 1e9,
                          p == FACTOR_F32 ? "fma" : product_name(p), r->e->threads,
                          r->e->threads == 1 ? "" : "s", 100 * m->efficiency));
    return y;
}

static void draw_roofs(const roof_t *r) {
    const machine_t *m = &r->e->machine;
    double below = BOTTOM;
    for (int p = 0; p < FACTOR_COUNT; p++) {
        if (!has_roof(r, p)) continue;
        draw_roof(r, m->flops.of[p], "roof");
        draw_roof(r, m->efficiency * m->flops.of[p], "assumed");
        below = label_peak(r, p, below);
    }
}

static void label_slope(const roof_t *r) {
    const machine_t *m = &r->e->machine;
    double slope = atan2(y_of(r, 1e9) - y_of(r, 1e10), x_of(r, 10) - x_of(r, 1));
    double ridge = log10(m->flops.of[FACTOR_F32] / m->bandwidth),
           left = fmax(r->x0, r->y0 - log10(m->bandwidth));
    double x = pow(10, (ridge + left) / 2);
    sbuf_printf(r->out,
                "<text class=\"dim\" transform=\"translate(%.1f,%.1f) rotate(%.1f)\" "
                "text-anchor=\"middle\">%.1f GB/s</text>\n",
                x_of(r, x) - 5, y_of(r, x * m->bandwidth) - 6, -slope * 180 / M_PI,
                m->bandwidth / 1e9);
}

/* ---- kernels --------------------------------------------------------------------------------- */

static double radius_of(const roof_t *r, const kernel_cost_t *k) {
    double all = kernels_seconds(&r->e->costs, &r->e->machine);
    return fmax(3.5, BIGGEST * sqrt(kernel_seconds(k, &r->e->machine) / all));
}

static bool is_free(const roof_t *r, svg_box_t b) {
    for (int k = 0; k < r->n; k++)
        if (boxes_meet(b, r->taken[k])) return false;
    return true;
}

/* Under the roof there is room: below the point and to its right, as deep as need be. Points come
 * from right to left, so that no line down crosses an earlier label. */
static void label_point(roof_t *r, const kernel_cost_t *k, const char *text) {
    double x = x_of(r, intensity_of(k)), bottom = y_of(r, rate_of(r, k)) + radius_of(r, k);
    double base = bottom + SVG_LINE, width = svg_text_width(text);
    while (!is_free(r, (svg_box_t){x + 4, base - SVG_LINE + 2, x + 4 + width, base + 3}) &&
           base < BOTTOM - SVG_LINE)
        base += SVG_LINE;
    svg_line(r->out, x, bottom, x, base + 2, "leader");
    svg_text(r->out, x + 4, base, "start", "halo", text);
    r->taken[r->n++] = (svg_box_t){x - 1, base - SVG_LINE + 2, x + 4 + width, base + 3};
    r->taken[r->n++] = (svg_box_t){x - 1, bottom, x + 1, base}; /* the line */
}

static const kernel_cost_t **from_the_right(const roof_t *r, int *n) {
    const kernel_costs_t *c = &r->e->costs;
    const kernel_cost_t **order = ARENA_ARRAY(r->e->arena, const kernel_cost_t *, c->n + 1);
    *n = 0;
    for (int k = 0; k < c->n; k++) {
        const kernel_cost_t *x = &c->kernels[k];
        int at = *n;
        if (!is_drawn(r->e, x)) continue;
        for (; at > 0 && intensity_of(x) > intensity_of(order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = x;
        ++*n;
    }
    return order;
}

static int rank_of(const roof_t *r, const kernel_cost_t *const *kernels, int n, int k) {
    double mine = kernel_seconds(kernels[k], &r->e->machine);
    int rank = 0;
    for (int i = 0; i < n; i++) {
        double other = kernel_seconds(kernels[i], &r->e->machine);
        rank += other > mine || (other == mine && i < k);
    }
    return rank;
}

static void draw_kernels(roof_t *r) {
    const explanation_t *e = r->e;
    double all = kernels_seconds(&e->costs, &e->machine);
    int n;
    const kernel_cost_t **kernels = from_the_right(r, &n);
    for (int k = 0; k < n; k++) {
        double x = x_of(r, intensity_of(kernels[k])), y = y_of(r, rate_of(r, kernels[k]));
        double size = radius_of(r, kernels[k]);
        svg_circle(r->out, x, y, size, "point");
        r->taken[r->n++] = (svg_box_t){x - size, y - size, x + size, y + size};
    }
    for (int k = 0; k < n; k++) {
        double share = kernel_seconds(kernels[k], &e->machine) / all;
        if (rank_of(r, kernels, n, k) >= MAX_LABELS) continue;
        label_point(
            r, kernels[k],
            arena_printf(e->arena, "%s  %s", kernels[k]->name, text_share(e->arena, share)));
    }
}

/* What is known and what is not. */
static void draw_legend(const roof_t *r) {
    static const int y = 18;
    svg_circle(r->out, LEFT + 5, y - 4, 5, "point");
    svg_text(r->out, LEFT + 16, y, "start", "dim",
             "predicted, not measured: where a kernel would run, and its share of the "
             "predicted time");
}

const char *draw_roofline(const explanation_t *e) {
    sbuf_t out = {0};
    roof_t r = {.e = e, .out = &out};
    r.taken = arena_alloc(e->arena, sizeof *r.taken * (size_t)(4 * e->costs.n + 1));
    choose_ranges(&r);
    svg_open(&out, WIDTH, HEIGHT, "roofline");
    draw_axes(&r);
    draw_roofs(&r);
    label_slope(&r);
    draw_kernels(&r);
    draw_legend(&r);
    return svg_close(&out, e->arena);
}
