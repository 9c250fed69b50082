/* Settings of points in tables and files, of both kinds of sweeps. */
#include <string.h>

#include "commands/sweep/sweep.h"
#include "report/fields.h"

static const char not_reached[] = "not evaluated: the sweep was interrupted";

const char *point_reason(const point_t *p) {
    return p->state == POINT_INVALID ? p->reason : not_reached;
}

/* ---- columns --------------------------------------------------------------------------------- */

int characters(const char *text) {
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

int wider(int width, const char *text) {
    int n = characters(text);
    return n > width ? n : width;
}

int field(int width, const char *text) {
    return width + (int)strlen(text) - characters(text);
}

/* Settings that never change are no columns. */
bool axis_shown(const sweep_t *s, int axis) {
    return s->grid.axes[axis].n > 1 || s->grid.n_points == 1;
}

static int axis_width(const axis_t *x) {
    int width = wider(0, x->key);
    for (int i = 0; i < x->n; i++) width = wider(width, x->values[i]);
    return width;
}

void put_axis(const axis_t *x, const char *text, sbuf_t *out) {
    sbuf_printf(out, "%*s  ", field(axis_width(x), text), text);
}

/* ---- files ----------------------------------------------------------------------------------- */

void put_csv_settings(const sweep_t *s, int point, sbuf_t *out) {
    const grid_t *g = &s->grid;
    for (int x = 0; x < g->n_axes; x++) {
        put_csv(out, point < 0 ? g->axes[x].key : grid_value(g, point, x));
        sbuf_puts(out, ",");
    }
}

void put_json_settings(const sweep_t *s, int point, sbuf_t *out) {
    const grid_t *g = &s->grid;
    sbuf_puts(out, "\"settings\": {");
    for (int x = 0; x < g->n_axes; x++) {
        if (x) sbuf_puts(out, ", ");
        put_json(out, g->axes[x].key);
        sbuf_puts(out, ": ");
        put_json_value(out, grid_value(g, point, x));
    }
    sbuf_puts(out, "}");
}
