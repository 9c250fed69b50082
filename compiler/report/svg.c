/* Primitives of our drawings. Styles stand in the <svg> itself, so that it may leave the page. */
#include "report/svg.h"

#include <math.h>
#include <string.h>

#include "report/document.h"
#include "support/printable.h"

/* Wide enough for the usual sans-serif fonts at 12 pixels. */
static const double letter_width = 6.7;

static const char style[] =
    "text{font:12px 'DejaVu Sans',Verdana,sans-serif;fill:#1c2430}"
    ".dim{fill:#56606e}.halo{paint-order:stroke;stroke:#fff;stroke-width:3px;"
    "stroke-linejoin:round}"
    ".axis{stroke:#56606e;stroke-width:1;fill:none}.grid{stroke:#e3e7ec;stroke-width:1}"
    ".leader{stroke:#7b8592;stroke-width:.8;fill:none}"
    ".whole{fill:#9dbfe6;stroke:#fff;stroke-width:1}.part{fill:#a5d3a7;stroke:#fff;stroke-width:1}"
    ".integer{fill:#f2c879;stroke:#fff;stroke-width:1}.side{fill:#dfe3e8;stroke:#fff;stroke-width:1}"
    ".roof{stroke:#b03a2e;stroke-width:2;fill:none}"
    ".assumed{stroke:#b03a2e;stroke-width:1.2;stroke-dasharray:5 4;fill:none}"
    ".point{fill:#2f6db5;fill-opacity:.75;stroke:#fff;stroke-width:1}"
    ".raw{stroke:#a9c4e4;stroke-width:1;fill:none}.smooth{stroke:#2f6db5;stroke-width:2;fill:none}"
    ".held{stroke:#b03a2e;stroke-width:1.6;fill:none}.mark{fill:#b03a2e}"
    ".rate{stroke:#56606e;stroke-width:1.4;fill:none}";

double svg_text_width(const char *text) {
    int n = 0;
    bool ok;
    for (const char *p = text, *end = p + strlen(p); p < end; n++) p += printable(p, end, &ok);
    return letter_width * n;
}

void svg_open(sbuf_t *out, double width, double height, const char *title) {
    sbuf_printf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                "viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n<title>",
                width, height, width, height);
    put_escaped(out, title);
    sbuf_printf(out, "</title>\n<style>%s</style>\n", style);
    sbuf_printf(out, "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n", width, height);
}

const char *svg_close(sbuf_t *out, arena_t *a) {
    sbuf_puts(out, "</svg>\n");
    const char *text = arena_strndup(a, out->data, out->size);
    sbuf_free(out);
    return text;
}

void svg_rect(sbuf_t *out, svg_box_t b, const char *class) {
    sbuf_printf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                class, b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0);
}

void svg_line(sbuf_t *out, double x0, double y0, double x1, double y1, const char *class) {
    sbuf_printf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                class, x0, y0, x1, y1);
}

void svg_circle(sbuf_t *out, double x, double y, double radius, const char *class) {
    sbuf_printf(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", class, x, y,
                radius);
}

void svg_text(sbuf_t *out, double x, double y, const char *anchor, const char *class,
              const char *text) {
    sbuf_printf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y,
                anchor);
    put_escaped(out, text);
    sbuf_puts(out, "</text>\n");
}

double nice_step(double range, int max) {
    double step = pow(10, floor(log10(range / max)));
    static const double times[] = {1, 2, 5, 10};
    for (int k = 0; k < 4; k++)
        if (range / (step * times[k]) <= max) return step * times[k];
    return step * 10;
}

bool boxes_meet(svg_box_t a, svg_box_t b) {
    return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;
}
