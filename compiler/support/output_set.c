/* Sets of outputs, of file.h. In: paths and bytes. Out: files that are all there,
 * or none of them. */
#include "support/file.h"
#include "support/heap.h"

/* A folder in the way would only be found by its rename. */
output_t *output_set_open(output_set_t *s, const char *path, diag_t *d) {
    if (is_directory(path)) {
        diag_error(d, IN_FILE(path), "is a directory, a file is to be written here");
        return NULL;
    }
    output_t *o = output_open(path, d);
    if (!o) return NULL;
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 4;
        s->items = heap_resize(s->items, (size_t)s->cap * sizeof(output_t *));
    }
    return s->items[s->n++] = o;
}

bool output_set_write(output_set_t *s, const char *path, const void *data, size_t bytes,
                      diag_t *d) {
    output_t *o = output_set_open(s, path, d);
    return o && output_write(o, data, bytes);
}

bool output_set_finish(output_set_t *s) {
    bool ok = true;
    for (int i = 0; i < s->n; i++) ok = output_finish(s->items[i]) && ok;
    return ok;
}

bool output_set_commit(output_set_t *s) {
    bool ok = output_commit_all(s->items, s->n);
    heap_free(s->items);
    *s = (output_set_t){0};
    return ok;
}

void output_set_abort(output_set_t *s) {
    for (int i = 0; i < s->n; i++) output_abort(s->items[i]);
    heap_free(s->items);
    *s = (output_set_t){0};
}
