/* What the drawings of a report share: the head of an <svg>, text of a known width, axes. */
#ifndef REFORMERC_REPORT_SVG_H
#define REFORMERC_REPORT_SVG_H

#include <stdbool.h>

#include "support/arena.h"
#include "support/sbuf.h"

typedef struct {
    double x0, y0, x1, y1;
} svg_box_t;

/* Pixels that a line of text takes at most, in the font and size of svg_open(). */
double svg_text_width(const char *text);
enum { SVG_LINE = 15 }; /* height of a line */

void svg_open(sbuf_t *out, double width, double height, const char *title);
const char *svg_close(sbuf_t *out, arena_t *a); /* the text, in the arena; frees out */
void svg_rect(sbuf_t *out, svg_box_t b, const char *class);
void svg_line(sbuf_t *out, double x0, double y0, double x1, double y1, const char *class);
void svg_circle(sbuf_t *out, double x, double y, double radius, const char *class);
/* anchor: "start", "middle", "end"; x, y: of the base line. */
void svg_text(sbuf_t *out, double x, double y, const char *anchor, const char *class,
              const char *text);

/* 1, 2 or 5 times a power of ten, such that `range` has at most `max` of them. */
double nice_step(double range, int max);
bool boxes_meet(svg_box_t a, svg_box_t b);

#endif
