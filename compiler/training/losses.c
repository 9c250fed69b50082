/* The drawing of losses.h. Every loss is a thin line, of many rows what lies between the least and
 * the greatest of a pixel; the smoothed loss and the evaluations stand over it. What a first few
 * steps lose, or a bad one, must not press all others flat: the greatest smoothed loss, or
 * evaluation, is the top. */
#include "training/losses.h"

#include <math.h>

#include "report/svg.h"

enum {
    WIDTH = 860,
    HEIGHT = 500,
    LEFT = 64,
    RIGHT = 24,
    TOP = 52,
    MIDDLE = 356,
    BELOW = 384,
    END = 452
};

typedef struct {
    const metrics_t *m;
    sbuf_t *out;
    double steps, low, high, rate; /* axes: 0 … steps; low … high; 0 … rate */
} loss_drawing_t;

static double x_of(const loss_drawing_t *g, double step) {
    return LEFT + (WIDTH - LEFT - RIGHT) * step / g->steps;
}

static double y_of(const loss_drawing_t *g, double loss) {
    double y = MIDDLE - (MIDDLE - TOP) * (loss - g->low) / (g->high - g->low);
    return fmin(fmax(y, TOP), MIDDLE);
}

static double y_of_rate(const loss_drawing_t *g, double rate) {
    return END - (END - BELOW) * rate / g->rate;
}

/* ---- axes ------------------------------------------------------------------------------------ */

static void extend(loss_drawing_t *g, double x) {
    if (!isfinite(x)) return;
    g->low = fmin(g->low, x);
    g->high = fmax(g->high, x);
}

static void measure(loss_drawing_t *g) {
    g->steps = 1;
    g->low = INFINITY;
    g->high = -INFINITY;
    for (int i = 0; i < g->m->n; i++) {
        const metric_t *r = &g->m->rows[i];
        g->steps = fmax(g->steps, r->step);
        extend(g, r->smoothed);
        extend(g, r->eval_loss);
        if (isfinite(r->loss)) g->low = fmin(g->low, r->loss);
        if (isfinite(r->rate)) g->rate = fmax(g->rate, r->rate);
    }
    if (!(g->high > g->low)) {
        g->low = isfinite(g->low) ? g->low - 0.5 : 0;
        g->high = g->low + 1;
    }
    double step = nice_step(g->high - g->low, 6);
    g->low = step * floor(g->low / step);
    g->high = step * ceil(g->high / step);
}

static void put_number(const loss_drawing_t *g, double x, double y, const char *anchor,
                       double value) {
    char text[32];
    snprintf(text, sizeof text, "%.6g", fabs(value) < 1e-12 ? 0 : value);
    svg_text(g->out, x, y, anchor, "dim", text);
}

static void draw_axes(const loss_drawing_t *g) {
    const double right = WIDTH - RIGHT, step = nice_step(g->high - g->low, 6);
    for (int k = 0; g->low + k * step <= g->high + step / 1000; k++) {
        double loss = g->low + k * step;
        svg_line(g->out, LEFT, y_of(g, loss), right, y_of(g, loss), "grid");
        put_number(g, LEFT - 6, y_of(g, loss) + 4, "end", loss);
    }
    const double across = fmax(1, nice_step(g->steps, 8));
    for (double s = 0; s <= g->steps; s += across) {
        svg_line(g->out, x_of(g, s), TOP, x_of(g, s), MIDDLE, "grid");
        put_number(g, x_of(g, s), END + 18, "middle", s);
    }
    svg_line(g->out, LEFT, MIDDLE, right, MIDDLE, "axis");
    svg_line(g->out, LEFT, TOP, LEFT, MIDDLE, "axis");
    svg_text(g->out, LEFT - 6, TOP - 12, "end", "dim", "nats");
    svg_text(g->out, right, END + 36, "end", "dim", "updates");
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Of all rows in a column of pixels one stroke. */
static void draw_raw(const loss_drawing_t *g) {
    sbuf_printf(g->out, "<path class=\"raw\" d=\"");
    char command = 'M';
    for (int i = 0; i < g->m->n;) {
        double x = floor(x_of(g, g->m->rows[i].step)), low = INFINITY, high = -INFINITY;
        for (; i < g->m->n && floor(x_of(g, g->m->rows[i].step)) <= x; i++) {
            if (!isfinite(g->m->rows[i].loss)) continue;
            low = fmin(low, g->m->rows[i].loss);
            high = fmax(high, g->m->rows[i].loss);
        }
        if (!isfinite(low)) continue;
        sbuf_printf(g->out, "%c%.1f %.1fV%.1f", command, x, y_of(g, low), y_of(g, high));
        command = 'L';
    }
    sbuf_puts(g->out, "\"/>\n");
}

/* Points, at least half a pixel from each other, of the values that `of` gives. */
static void draw_line(const loss_drawing_t *g, const char *class, double (*of)(const metric_t *),
                      double (*y)(const loss_drawing_t *, double)) {
    double last = -1;
    sbuf_printf(g->out, "<path class=\"%s\" d=\"", class);
    for (int i = 0; i < g->m->n; i++) {
        double value = of(&g->m->rows[i]), x = x_of(g, g->m->rows[i].step);
        if (!isfinite(value) || (x < last + 0.5 && i + 1 < g->m->n)) continue;
        sbuf_printf(g->out, "%c%.1f %.1f", last < 0 ? 'M' : 'L', x, y(g, value));
        last = x;
    }
    sbuf_puts(g->out, "\"/>\n");
}

static double smoothed_of(const metric_t *r) {
    return r->smoothed;
}

static double eval_of(const metric_t *r) {
    return r->eval_loss;
}

static double rate_of(const metric_t *r) {
    return r->rate;
}

static bool has_evaluations(const loss_drawing_t *g) {
    for (int i = 0; i < g->m->n; i++)
        if (isfinite(g->m->rows[i].eval_loss)) return true;
    return false;
}

static void draw_evaluations(const loss_drawing_t *g) {
    draw_line(g, "held", eval_of, y_of);
    double last = -10;
    for (int i = 0; i < g->m->n; i++) {
        const metric_t *r = &g->m->rows[i];
        double x = x_of(g, r->step);
        if (!isfinite(r->eval_loss) || x < last + 6) continue;
        svg_circle(g->out, x, y_of(g, r->eval_loss), 2.5, "mark");
        last = x;
    }
}

static void draw_rate(const loss_drawing_t *g) {
    const double right = WIDTH - RIGHT;
    svg_line(g->out, LEFT, END, right, END, "axis");
    svg_line(g->out, LEFT, BELOW, LEFT, END, "axis");
    svg_line(g->out, LEFT, BELOW, right, BELOW, "grid");
    if (!(g->rate > 0)) return;
    put_number(g, LEFT - 6, BELOW + 4, "end", g->rate);
    put_number(g, LEFT - 6, END + 4, "end", 0);
    draw_line(g, "rate", rate_of, y_of_rate);
    svg_text(g->out, right - 4, BELOW + 14, "end", "dim halo", "learning rate");
}

/* ---- the key --------------------------------------------------------------------------------- */

static void draw_key(const loss_drawing_t *g) {
    static const struct {
        const char *class, *name;
    } key[] = {{"raw", "loss of a step"}, {"smooth", "smoothed"}, {"held", "held-out text"}};
    double x = WIDTH - RIGHT;
    for (int i = has_evaluations(g) ? 2 : 1; i >= 0; i--) {
        x -= svg_text_width(key[i].name);
        svg_text(g->out, x, TOP - 12, "start", "dim", key[i].name);
        svg_line(g->out, x - 28, TOP - 16, x - 6, TOP - 16, key[i].class);
        x -= 46;
    }
}

void draw_losses(const metrics_t *m, const char *title, sbuf_t *out) {
    loss_drawing_t g = {.m = m, .out = out};
    measure(&g);
    svg_open(out, WIDTH, HEIGHT, title);
    svg_text(out, LEFT, 20, "start", "", title);
    draw_axes(&g);
    draw_raw(&g);
    draw_line(&g, "smooth", smoothed_of, y_of);
    draw_evaluations(&g);
    draw_rate(&g);
    draw_key(&g);
    sbuf_puts(out, "</svg>\n");
}
