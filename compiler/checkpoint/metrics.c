/* The file of metrics.h. In: rows, a file of an earlier part of the run. Out: lines. */
#include "checkpoint/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/file.h"
#include "support/heap.h"
#include "support/sbuf.h"

/* As they stand in a line. */
static const struct {
    const char *name;
    size_t offset;
    int digits;
    bool fixed; /* behind the point; else in all */
} columns[] = {
    {"step", offsetof(metric_t, step), 0, true},
    {"epoch", offsetof(metric_t, epoch), 9, false},
    {"tokens", offsetof(metric_t, tokens), 0, true},
    {"loss", offsetof(metric_t, loss), 9, false},
    {"smoothed_loss", offsetof(metric_t, smoothed), 9, false},
    {"grad_norm", offsetof(metric_t, norm), 9, false},
    {"learning_rate", offsetof(metric_t, rate), 9, false},
    {"eval_loss", offsetof(metric_t, eval_loss), 9, false},
    {"eval_bits_per_byte", offsetof(metric_t, eval_bits), 9, false},
    {"eval_accuracy", offsetof(metric_t, accuracy), 9, false},
    {"eval_sequence_accuracy", offsetof(metric_t, sequences), 9, false},
    {"eval_f1", offsetof(metric_t, f1), 9, false},
    {"empty_buckets", offsetof(metric_t, empty), 6, false},
    {"largest_bucket", offsetof(metric_t, largest), 6, false},
    {"tokens_per_second", offsetof(metric_t, speed), 6, false},
    {"seconds", offsetof(metric_t, seconds), 3, true},
    {"peak_rss_mib", offsetof(metric_t, peak), 1, true},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

static double *cell(metric_t *row, int column) {
    return (double *)(void *)((char *)row + columns[column].offset);
}

metric_t metric_none(void) {
    metric_t row;
    for (int c = 0; c < N_COLUMNS; c++) *cell(&row, c) = NAN;
    return row;
}

static void put_header(sbuf_t *out) {
    for (int c = 0; c < N_COLUMNS; c++) sbuf_printf(out, "%s%s", c ? "," : "", columns[c].name);
    sbuf_puts(out, "\n");
}

static void put_row(const metric_t *row, sbuf_t *out) {
    metric_t r = *row;
    for (int c = 0; c < N_COLUMNS; c++) {
        if (c) sbuf_puts(out, ",");
        if (isnan(*cell(&r, c))) continue;
        if (columns[c].fixed) sbuf_printf(out, "%.*f", columns[c].digits, *cell(&r, c));
        else sbuf_printf(out, "%.*g", columns[c].digits, *cell(&r, c));
    }
    sbuf_puts(out, "\n");
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A line without its end → a row. */
static bool read_row(const char *line, metric_t *row) {
    for (int c = 0; c < N_COLUMNS; c++) {
        char *end = (char *)line;
        *cell(row, c) = *line == ',' || !*line ? NAN : strtod(line, &end);
        if (*end != (c + 1 < N_COLUMNS ? ',' : '\0')) return false;
        line = end + 1;
    }
    return row->step >= 1;
}

static bool refuse(const metrics_t *m, int line, const char *why, diag_t *d) {
    diag_error(d, (srcloc_t){m->path, line, line ? 1 : 0}, "%s", why);
    diag_hint(d, "it is not what train has written here: move it away, and the rows begin anew");
    return false;
}

/* What stands behind the last end of a line was being written when the run ended. */
static bool read_rows(metrics_t *m, char *text, int64_t step, diag_t *d) {
    int line = 1;
    for (char *end; (end = strchr(text, '\n')); text = end + 1, line++) {
        metric_t row;
        *end = 0;
        if (line == 1) continue;
        if (!m->dropped && !read_row(text, &row)) return refuse(m, line, "not a row of metrics", d);
        if (m->dropped || row.step > (double)step) m->dropped++;
        else ARENA_PUSH(m->arena, m->rows, m->n, m->cap) = row;
    }
    return true;
}

static bool read_file(metrics_t *m, int64_t step, diag_t *d) {
    size_t bytes;
    sbuf_t header = {0};
    char *text = file_read(m->path, 0, &bytes, d);
    if (!text) return false;
    put_header(&header);
    bool ours = bytes >= header.size && memcmp(text, header.data, header.size) == 0;
    bool ok = ours ? read_rows(m, text, step, d) : refuse(m, 0, "has other columns", d);
    sbuf_free(&header);
    heap_free(text);
    return ok;
}

int64_t metrics_rows(const char *path, diag_t *d) {
    arena_t *a = arena_new();
    metrics_t m = {.arena = a, .path = path, .file = -1};
    int64_t rows = 0;
    if (file_exists(path)) rows = read_file(&m, 0, d) ? m.dropped : -1;
    arena_free(a);
    return rows;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool cannot(const metrics_t *m, diag_t *d) {
    diag_error(d, IN_FILE(m->path), "cannot write: %s", strerror(errno));
    return false;
}

/* The rows that are kept, in a file of their own that takes the name. */
static bool begin_file(metrics_t *m, diag_t *d) {
    sbuf_t out = {0};
    put_header(&out);
    for (int i = 0; i < m->n; i++) put_row(&m->rows[i], &out);
    bool ok = file_write(m->path, out.data, out.size, d);
    sbuf_free(&out);
    if (!ok) return false;
    m->file = open(m->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    return m->file >= 0 || cannot(m, d);
}

bool metrics_open(metrics_t *m, arena_t *a, const char *path, int64_t step, diag_t *d) {
    *m = (metrics_t){.arena = a, .path = path, .file = -1};
    if (!path) return true;
    if (file_exists(path) && !read_file(m, step, d)) return false;
    return begin_file(m, d);
}

static bool write_all(metrics_t *m, const char *data, size_t bytes, diag_t *d) {
    while (bytes > 0) {
        ssize_t n = write(m->file, data, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cannot(m, d);
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

bool metrics_add(metrics_t *m, const metric_t *row, diag_t *d) {
    ARENA_PUSH(m->arena, m->rows, m->n, m->cap) = *row;
    if (m->file < 0) return true;
    sbuf_t out = {0};
    put_row(row, &out);
    bool ok = write_all(m, out.data, out.size, d);
    sbuf_free(&out);
    return ok;
}

bool metrics_sync(metrics_t *m, diag_t *d) {
    return m->file < 0 || fsync(m->file) == 0 || cannot(m, d);
}

void metrics_close(metrics_t *m) {
    if (m->file >= 0) (void)close(m->file);
    m->file = -1;
}
