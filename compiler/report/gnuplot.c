/* Running gnuplot, for gnuplot.h. */
#include "report/gnuplot.h"

#include <string.h>
#include <unistd.h>

#include "support/file.h"
#include "support/heap.h"
#include "support/printable.h"
#include "support/process.h"

static const char missing[] = "apt-get install gnuplot-nox, or choose a .csv or .json file";

bool gnuplot_check(const char *path, diag_t *d) {
    static const char *const argv[] = {"gnuplot", "--version", NULL};
    sbuf_t said = {0};
    int status = 0, e = process_run(argv, &said, &status);
    sbuf_free(&said);
    if (e == 0 && status == 0) return true;
    diag_error(d, IN_FILE(path), "is drawn by gnuplot, which cannot be run: %s",
               e ? strerror(e) : "it failed");
    diag_hint(d, "%s", missing);
    return false;
}

/* Between single quotes nothing is special but the quote, which is doubled; at the beginning two of
 * them would be an empty string, so those that lead stand apart. */
void put_gnuplot(sbuf_t *out, const char *text) {
    size_t leading = strspn(text, "'");
    if (leading) sbuf_printf(out, "\"%.*s\" . ", (int)leading, text);
    text += leading;
    sbuf_puts(out, "'");
    for (const char *p = text, *end = p + strlen(p); p < end;) {
        bool ok;
        size_t n = printable(p, end, &ok);
        if (!ok) sbuf_puts(out, "?");
        else sbuf_printf(out, "%s%.*s", *p == '\'' ? "'" : "", (int)n, p);
        p += n;
    }
    sbuf_puts(out, "'");
}

/* Script and picture, both in a folder of our own. */
static char *draw(arena_t *a, const sbuf_t *script, const char *dir, size_t *bytes, diag_t *d) {
    const char *from = arena_printf(a, "%s/plot.gp", dir),
               *to = arena_printf(a, "%s/plot.svg", dir);
    const char *const argv[] = {"gnuplot", "--default-settings", "-c", from, to, NULL};
    sbuf_t said = {0};
    bool ok = file_write(from, script->data, script->size, d) &&
              process_must(a, argv, "gnuplot", missing, &said, d);
    char *svg = ok ? file_read(to, 0, bytes, d) : NULL;
    sbuf_free(&said);
    (void)unlink(from);
    (void)unlink(to);
    return svg;
}

char *gnuplot_draw(arena_t *a, const sbuf_t *script, size_t *bytes, diag_t *d) {
    const char *dir = temporary_folder(a, "to draw in", d);
    if (!dir) return NULL;
    char *svg = draw(a, script, dir, bytes, d);
    temporary_folder_end(dir);
    return svg;
}
