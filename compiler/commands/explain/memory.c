/* The memory plan as a picture: the schedule from left to right, addresses from bottom to top, a
 * rectangle for every life of a buffer.
 *
 * Buffers too thin for a label have it at the right, led to by a line; no two of these lines cross.
 * What every launch may use (prepared slots, scratch) spans the whole width. */
#include <math.h>
#include <string.h>

#include "commands/explain/explain.h"
#include "report/svg.h"

enum {
    LEFT = 84,
    MARGIN = 24, /* from the plot to the labels of thin buffers */
    PLOT_WIDTH = 800,
    PLOT_HEIGHT = 430,
    NARROWEST = 62, /* columns: room for "group x 4" */
    WIDEST = 100,
    BRACKET = 21, /* a level of loops above the plot */
    LABELS = 104  /* room for the slanted names of launches and the legend */
};

/* A buffer whose label stands at the right. */
typedef struct {
    double x, y;    /* where the line to it begins */
    double label_y; /* and ends */
    const char *text;
} thin_t;

typedef struct {
    const explanation_t *e;
    sbuf_t *out;
    double top, bottom, right, column; /* pixels */
    double bytes;
    thin_t *thin; /* [n_thin] */
    int n_thin;
} picture_t;

/* ---- axes ------------------------------------------------------------------------------------ */

static double x_of(const picture_t *p, int time) {
    return LEFT + p->column * time;
}

static double y_of(const picture_t *p, double bytes) {
    return p->bottom - (p->bottom - p->top) * bytes / p->bytes;
}

static void draw_addresses(picture_t *p) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double scale = 1;
    int unit = 0;
    for (; p->bytes / scale >= 1024 && unit < 4; unit++) scale *= 1024;
    double step = nice_step(p->bytes / scale, 8);
    for (double x = 0; x <= p->bytes / scale * (1 + 1e-9); x += step) {
        double y = y_of(p, x * scale);
        svg_line(p->out, LEFT - 5, y, LEFT, y, "axis");
        svg_text(p->out, LEFT - 9, y + 4, "end", "dim",
                 arena_printf(p->e->arena, "%g %s", x, units[unit]));
    }
    svg_line(p->out, LEFT, p->top, LEFT, p->bottom, "axis");
    sbuf_printf(p->out,
                "<text class=\"dim\" transform=\"translate(14,%.0f) rotate(-90)\" "
                "text-anchor=\"middle\">address</text>\n",
                (p->top + p->bottom) / 2);
}

static void draw_launches(picture_t *p) {
    for (int t = 0; t < p->e->map.times; t++) {
        double x = x_of(p, t) + p->column / 2;
        svg_line(p->out, x_of(p, t + 1), p->top, x_of(p, t + 1), p->bottom, "grid");
        sbuf_printf(p->out,
                    "<text class=\"dim\" transform=\"translate(%.1f,%.1f) rotate(-35)\" "
                    "text-anchor=\"end\">",
                    x + 4, p->bottom + 14);
        put_escaped(p->out, launch_kind(p->e->map.at[t]));
        sbuf_puts(p->out, "</text>\n");
    }
}

/* ---- loops ----------------------------------------------------------------------------------- */

static void draw_loop(picture_t *p, const inst_t *i, int from, int to, int depth) {
    const value_t *var = i->body->args[0];
    long long trips = dim_at(i->e, p->e->units) - dim_at(i->d, p->e->units);
    double y = p->top - 14, x0 = x_of(p, from) + 2, x1 = x_of(p, to) - 2;
    y -= BRACKET * depth;
    sbuf_printf(p->out, "<path class=\"leader\" d=\"M%.1f %.1fV%.1fH%.1fV%.1f\"/>\n", x0, y + 9,
                y + 4, x1, y + 9);
    svg_text(p->out, (x0 + x1) / 2, y, "middle", "dim",
             arena_printf(p->e->arena, "%s x %lld", var->name ? var->name : "loop", trips));
}

/* How deep loops stand in each other. */
static int depth_of(const block_t *b) {
    int max = 0;
    for (size_t k = 0; b && k < b->n; k++) {
        const inst_t *i = b->insts[k];
        int body = depth_of(i->body), other = depth_of(i->otherwise);
        int d = (body > other ? body : other) + (i->op == OP_FOR);
        if (d > max) max = d;
    }
    return max;
}

/* The innermost loops stand nearest to the plot. Returns the time after the block. */
static int draw_loops(picture_t *p, const block_t *b, int time) {
    for (size_t k = 0; b && k < b->n; k++) {
        const inst_t *i = b->insts[k];
        int from = time;
        time += i->op == OP_LAUNCH || i->op == OP_TRACE;
        time = draw_loops(p, i->body, time);
        time = draw_loops(p, i->otherwise, time);
        if (i->op == OP_FOR && time > from) draw_loop(p, i, from, time, depth_of(i->body));
    }
    return time;
}

/* ---- buffers --------------------------------------------------------------------------------- */

/* `named`: with its name beside it, not just when pointed at. */
static void draw_buffer(picture_t *p, const char *name, double at, double bytes, int from, int to,
                        const char *class, bool named) {
    arena_t *a = p->e->arena;
    double end = fmin(at + bytes, p->bytes);
    svg_box_t b = {x_of(p, from), y_of(p, end), x_of(p, to), y_of(p, at)};
    const char *cut = at + bytes > p->bytes * (1 + 1e-9) ? " (not to scale)" : "";
    const char *label = arena_printf(a, "%s  %s%s", name, text_bytes(a, bytes), cut);
    if (b.y1 - b.y0 < 1.5) b.y0 = b.y1 - 1.5; /* to be seen at all */
    sbuf_puts(p->out, "<g><title>");
    put_escaped(p->out, label);
    sbuf_puts(p->out, "</title>\n");
    svg_rect(p->out, b, class);
    sbuf_puts(p->out, "</g>\n");
    if (!named) return;
    double room = b.x1 - b.x0 - 10, y = (b.y0 + b.y1) / 2;
    if (b.y1 - b.y0 >= SVG_LINE && svg_text_width(label) <= room) {
        svg_text(p->out, b.x0 + 6, y + 4, "start", "", label);
    } else if (b.y1 - b.y0 >= 2 * SVG_LINE && svg_text_width(name) <= room) {
        svg_text(p->out, b.x0 + 6, y - 3, "start", "", name);
        svg_text(p->out, b.x0 + 6, y + 11, "start", "", text_bytes(a, bytes));
    } else {
        p->thin[p->n_thin++] = (thin_t){.x = b.x1, .y = y, .text = label};
    }
}

/* From `from` on, as long as it is as it is there. */
static int end_of_run(const memory_life_t *l, int from) {
    int to = from;
    while (to <= l->last && l->lives[to] == l->lives[from]) to++;
    return to;
}

/* One box for each time in which it lives; the longest has its name. */
static void draw_life(picture_t *p, const memory_life_t *l, const char *class) {
    int longest = 0;
    for (int from = l->first, to; from <= l->last; from = to) {
        to = end_of_run(l, from);
        if (l->lives[from] && to - from > longest) longest = to - from;
    }
    for (int from = l->first, to; from <= l->last; from = to) {
        to = end_of_run(l, from);
        bool named = l->lives[from] && to - from == longest;
        if (l->lives[from])
            draw_buffer(p, l->buffer->name, p->e->prepared + (double)l->offset, (double)l->bytes,
                        from, to, class, named);
        if (named) longest = 0;
    }
}

static void draw_buffers(picture_t *p) {
    const explanation_t *e = p->e;
    int all = e->map.times;
    draw_buffer(p, "prepared", 0, e->prepared, 0, all, "side", true);
    for (int k = 0; k < e->map.n; k++) {
        const memory_life_t *l = &e->map.lives[k];
        if (l->first > l->last) continue;
        bool whole = l->first == 0 && l->last >= all - 2;
        const char *class = buffer_is_integer(l->buffer) ? "integer" : whole ? "whole" : "part";
        draw_life(p, l, class);
    }
    double scratch = (double)e->map.scratch * e->threads;
    draw_buffer(
        p, e->threads > 1 ? arena_printf(e->arena, "scratch of %d threads", e->threads) : "scratch",
        e->prepared + (double)e->map.bytes, scratch, 0, all, "side", true);
}

static void sort_thin(picture_t *p) {
    for (int i = 1; i < p->n_thin; i++)
        for (int k = i; k > 0 && p->thin[k].y > p->thin[k - 1].y; k--) {
            thin_t t = p->thin[k];
            p->thin[k] = p->thin[k - 1];
            p->thin[k - 1] = t;
        }
}

/* Places for the labels, a line apart and near to the heights of the buffers. */
static void place_labels(picture_t *p) {
    double next = p->bottom, start = p->top - SVG_LINE * 2;
    for (int k = 0; k < p->n_thin; k++) {
        double y = p->thin[k].y, left = start + SVG_LINE * (p->n_thin - 1 - k);
        if (y > next) y = next;
        if (y < left) y = left;
        p->thin[k].label_y = y;
        next = y - SVG_LINE;
    }
}

static double leader_length(const picture_t *p, const thin_t *t, double label_y) {
    return hypot(p->right + 8 - t->x, label_y - t->y);
}

/* Two lines that cross are shortened by trading their ends (the triangle inequality, twice): where
 * no trade shortens anything, no two lines cross. Each trade shortens the sum, so
 * there is an end to them. */
static bool trade_ends(const picture_t *p, thin_t *a, thin_t *b) {
    static const double gain = 1e-6;
    double now = leader_length(p, a, a->label_y) + leader_length(p, b, b->label_y);
    if (leader_length(p, a, b->label_y) + leader_length(p, b, a->label_y) > now - gain)
        return false;
    double y = a->label_y;
    a->label_y = b->label_y;
    b->label_y = y;
    return true;
}

static void uncross(picture_t *p) {
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < p->n_thin; i++)
            for (int k = 0; k < i; k++) again = trade_ends(p, &p->thin[i], &p->thin[k]) || again;
    }
}

static void draw_thin(picture_t *p) {
    sort_thin(p);
    place_labels(p);
    uncross(p);
    for (int k = 0; k < p->n_thin; k++) {
        const thin_t *t = &p->thin[k];
        sbuf_printf(p->out, "<path class=\"leader\" d=\"M%.1f %.1fL%.1f %.1fH%.1f\"/>\n", t->x,
                    t->y, p->right + 8, t->label_y, p->right + 16);
        svg_text(p->out, p->right + MARGIN - 4, t->label_y + 4, "start", "", t->text);
    }
}

static void draw_legend(picture_t *p, double y) {
    static const struct {
        const char *class, *text;
    } items[] = {{"whole", "floats, all the time"},
                 {"part", "floats, for a while"},
                 {"integer", "integers"},
                 {"side", "any launch may use it"}};
    double x = LEFT;
    for (int k = 0; k < 4; k++) {
        svg_rect(p->out, (svg_box_t){x, y - 10, x + 14, y + 1}, items[k].class);
        svg_text(p->out, x + 20, y, "start", "dim", items[k].text);
        x += 40 + svg_text_width(items[k].text);
    }
}

static double width_of(const picture_t *p) {
    double width = 640; /* the legend */
    for (int k = 0; k < p->n_thin; k++)
        width = fmax(width, p->right + MARGIN + svg_text_width(p->thin[k].text));
    return fmax(width, p->right + MARGIN);
}

/* Scratch of many threads would press everything else flat: at most half of the picture is its. */
static double shown_bytes(const explanation_t *e) {
    return fmin(e->workspace, 2 * (e->prepared + (double)e->map.bytes));
}

/* The body first: how wide the picture is depends on the labels that it leaves at the right. */
const char *draw_memory(const explanation_t *e) {
    sbuf_t out = {0}, body = {0};
    int times = e->map.times;
    if (times == 0 || e->workspace <= 0) return NULL;
    const block_t *entry = module_entry(e->m)->body;
    picture_t p = {.e = e, .out = &body, .bytes = shown_bytes(e)};
    p.column = fmin(fmax((double)PLOT_WIDTH / times, NARROWEST), WIDEST);
    p.right = LEFT + p.column * times;
    p.top = 14 + BRACKET * depth_of(entry);
    p.bottom = p.top + fmax(PLOT_HEIGHT, SVG_LINE * (e->map.n + 2)); /* a line for each label */
    p.thin = arena_alloc(e->arena, sizeof *p.thin * (size_t)(e->map.n + 2));
    draw_launches(&p);
    draw_buffers(&p);
    draw_addresses(&p);
    (void)draw_loops(&p, entry, 0);
    draw_thin(&p);
    draw_legend(&p, p.bottom + LABELS - 10);
    svg_open(&out, width_of(&p), p.bottom + LABELS,
             arena_printf(e->arena, "workspace of %s", text_bytes(e->arena, e->workspace)));
    sbuf_write(&out, body.data, body.size);
    sbuf_free(&body);
    return svg_close(&out, e->arena);
}
