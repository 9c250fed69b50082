/* The checks and writers of outputs.h. */
#include "cli/outputs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/name.h"
#include "report/gnuplot.h"
#include "support/heap.h"

typedef struct {
    const options_t *o;
    const output_format_t *formats;
    int n_formats;
    diag_t *d;
} outputs_t;

static const output_format_t *format_of(const outputs_t *s, const char *path) {
    for (int f = 0; f < s->n_formats; f++)
        if (strcmp(path_suffix(path), s->formats[f].suffix) == 0) return &s->formats[f];
    return NULL;
}

bool output_place_check(const char *path, diag_t *d) {
    if (is_directory(path)) {
        diag_error(d, IN_FILE(path), "is a directory, a file is to be written here");
        return false;
    }
    output_t *probe = output_open(path, d);
    output_abort(probe);
    return probe != NULL;
}

/* The nearest folder that is there, "." of a path that begins in the current one. */
static const char *folder_above(arena_t *a, const char *path) {
    const char *at = path;
    struct stat st;
    while (*at && stat(at, &st) != 0 && errno == ENOENT) {
        size_t n = strlen(at);
        while (n > 0 && at[n - 1] == '/') n--;
        while (n > 0 && at[n - 1] != '/') n--;
        if (n == 1 && *at == '/') return "/";
        at = arena_strndup(a, at, n);
    }
    return *at ? at : ".";
}

bool output_folder_check(const char *path, diag_t *d) {
    arena_t *a = arena_new();
    const char *at = folder_above(a, path);
    bool folder = is_directory(at), fine = folder && access(at, W_OK | X_OK) == 0;
    if (!folder) diag_error(d, IN_FILE(path), "cannot make this folder: %s is none", at);
    else if (!fine)
        diag_error(d, IN_FILE(path), "cannot write into this folder: %s: %s", at, strerror(errno));
    arena_free(a);
    return fine;
}

static void say_suffixes(const outputs_t *s, const char *path) {
    sbuf_t known = {0};
    for (int f = 0; f < s->n_formats; f++)
        sbuf_printf(&known, "%s%s",
                    f == 0                  ? ""
                    : f == s->n_formats - 1 ? " or "
                                            : ", ",
                    s->formats[f].suffix);
    diag_error(s->d, IN_FILE(path),
               "the suffix decides what is written: %s; without --output the table is on stdout",
               known.data);
    sbuf_free(&known);
}

static bool check_output(const outputs_t *s, const char *path) {
    const output_format_t *f = format_of(s, path);
    if (!f) {
        say_suffixes(s, path);
        return false;
    }
    return output_place_check(path, s->d) && (!f->picture || gnuplot_check(path, s->d));
}

bool outputs_check(const options_t *o, const output_format_t *formats, int n_formats, diag_t *d) {
    outputs_t s = {o, formats, n_formats, d};
    bool ok = true;
    for (int i = 0; i < o->n_outputs; i++) ok = check_output(&s, o->outputs[i]) && ok;
    return ok;
}

static bool draw_output(const outputs_t *s, const sbuf_t *script, const char *path,
                        output_set_t *set) {
    size_t n = 0;
    char *picture = gnuplot_draw(s->o->arena, script, &n, s->d);
    bool ok = picture && output_set_write(set, path, picture, n, s->d);
    heap_free(picture);
    return ok;
}

static bool put_output(const outputs_t *s, const char *path, const void *results,
                       output_set_t *set) {
    const output_format_t *f = format_of(s, path);
    sbuf_t out = {0};
    f->render(results, &out);
    bool ok = f->picture ? draw_output(s, &out, path, set)
                         : output_set_write(set, path, out.data, out.size, s->d);
    sbuf_free(&out);
    return ok;
}

bool outputs_put(const options_t *o, const output_format_t *formats, int n_formats,
                 const void *results, output_set_t *set, diag_t *d) {
    outputs_t s = {o, formats, n_formats, d};
    bool ok = true;
    for (int i = 0; ok && i < o->n_outputs; i++) ok = put_output(&s, o->outputs[i], results, set);
    return ok;
}

bool outputs_write(const options_t *o, const output_format_t *formats, int n_formats,
                   const void *results, diag_t *d) {
    output_set_t set = {0};
    if (outputs_put(o, formats, n_formats, results, &set, d)) return output_set_commit(&set);
    output_set_abort(&set);
    return false;
}
