/* The bar and the lines of progress.h. */
#include "report/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "support/clock.h"

enum { WIDTH = 40, TENTHS = 10, LINE = 256 };

progress_t progress_new(const char *unit, double quiet) {
    return (progress_t){
        .terminal = isatty(STDERR_FILENO) != 0, .unit = unit, .quiet = quiet, .spoke = clock_now()};
}

/* A line that is longer than the terminal's could not be drawn over. */
static int columns_of_terminal(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return LINE - 1;
    return size.ws_col < LINE ? size.ws_col - 1 : LINE - 1;
}

/* Blanks over what a longer bar left behind. */
static void draw(progress_t *p, int64_t done, int64_t total, const char *said) {
    static const char full[] = "########################################";
    char line[LINE];
    int max = columns_of_terminal(), width = max < 2 * WIDTH ? WIDTH / 4 : WIDTH;
    int n = (int)(width * done / total), before = p->columns;
    int wanted = snprintf(line, sizeof line, "[%-*.*s] %3d %%  %s", width, n, full,
                          (int)(100 * done / total), said);
    p->columns = wanted < max ? wanted : max;
    fprintf(stderr, "\r%.*s", p->columns, line);
    if (before > p->columns) fprintf(stderr, "%*s", before - p->columns, "");
    fflush(stderr);
}

void progress_show(progress_t *p, int64_t done, int64_t total, const char *said) {
    int64_t before = p->done;
    p->done = done;
    if (p->terminal) {
        draw(p, done, total, said);
    } else if (TENTHS * done / total > TENTHS * before / total) {
        double now = clock_now();
        if (now - p->spoke < p->quiet) return;
        p->spoke = now;
        fprintf(stderr, "%3d %%  %lld of %lld %s  %s\n", (int)(100 * done / total), (long long)done,
                (long long)total, p->unit, said);
    }
}

void progress_finish(progress_t *p) {
    if (p->columns) fputc('\n', stderr);
    p->columns = 0;
}

void progress_clear(progress_t *p) {
    if (p->columns) fprintf(stderr, "\r%*s\r", p->columns, "");
    p->columns = 0;
}

void progress_line(progress_t *p, const char *fmt, ...) {
    progress_clear(p);
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    p->done = 0;
    p->spoke = clock_now();
}
