/* Weights in several files.
 *
 * In: an index (JSON: {"weight_map": {"tensor name": "file name"}}) that nobody vouches for. Its
 * files lie beside it or below: a name that leads elsewhere is an error before anything is opened.
 * Out: one table of tensors over all of them. Each tensor of the map must be in its file; a name in
 * two files is that of the map. */
#include <jansson.h>
#include <string.h>

#include "support/format.h"
#include "support/heap.h"
#include "weights/json.h"
#include "weights/names.h"
#include "weights/packed_int.h"

enum { INDEX_LIMIT = 256 << 20, MAX_SHARDS = 4096 };

typedef struct {
    st_file_t *f;
    const char *folder; /* with its slash, or "" */
    const char **names; /* [n_shards] as in the index */
    size_t cap_shards, cap_names, cap_tensors, n_names;
    bool values;
    diag_t *d;
} index_t;

static bool refuse(const index_t *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(const index_t *x, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    diag_error(x->d, IN_FILE(x->f->path), "%s", arena_vprintf(x->f->arena, fmt, ap));
    va_end(ap);
    return false;
}

/* A relative path without "..". */
static bool stays_inside(const char *name) {
    if (*name == 0 || *name == '/') return false;
    for (const char *p = name; p; p = strchr(p, '/')) {
        if (*p == '/') p++;
        if (p[0] == '.' && p[1] == '.' && (p[2] == 0 || p[2] == '/')) return false;
    }
    return true;
}

/* The number of the file in the table, opened at first sight; -1 after an error. */
static long shard_named(index_t *x, const char *name) {
    char shown[SHOWN_BYTES];
    for (size_t i = x->f->n_shards; i-- > 0;) /* neighbours in the map stand in one file */
        if (strcmp(x->names[i], name) == 0) return (long)i;
    if (!stays_inside(name))
        return refuse(x, "names the file '%s', which does not lie in its folder",
                      shown_name(name, shown)),
               -1;
    if (x->f->n_shards == MAX_SHARDS) return refuse(x, "names more than %d files", MAX_SHARDS), -1;
    const char *path = arena_printf(x->f->arena, "%s%s", x->folder, name);
    if (!file_exists(path))
        return refuse(x, "names the file '%s', which is missing", shown_name(name, shown)), -1;
    st_file_t *shard = st_open_one(path, x->values, x->d);
    if (!shard) return -1;
    ARENA_PUSH(x->f->arena, x->names, x->n_names, x->cap_names) = arena_strdup(x->f->arena, name);
    ARENA_PUSH(x->f->arena, x->f->shards, x->f->n_shards, x->cap_shards) = shard;
    return (long)x->f->n_shards - 1;
}

static bool take(index_t *x, const char *name, const json_t *where) {
    char shown[SHOWN_BYTES], file[SHOWN_BYTES];
    if (!json_is_string(where))
        return refuse(x, "tensor '%s': its file is no text", shown_name(name, shown));
    long i = shard_named(x, json_string_value(where));
    if (i < 0) return false;
    const st_tensor_t *t = st_find(x->f->shards[i], name);
    if (!t)
        return refuse(x, "tensor '%s' is not in '%s', where the index has it",
                      shown_name(name, shown), shown_name(x->names[i], file));
    ARENA_PUSH(x->f->arena, x->f->tensors, x->f->n, x->cap_tensors) = *t;
    return true;
}

static bool is_listed(const json_t *map, const char *name) {
    return json_object_get(map, name) != NULL;
}

/* What the files hold beyond the map is theirs too, as for Hugging Face. */
static void take_unlisted(index_t *x, const json_t *map) {
    for (size_t i = 0; i < x->f->n_shards; i++)
        for (size_t k = 0; k < st_count(x->f->shards[i]); k++) {
            const st_tensor_t *t = st_at(x->f->shards[i], k);
            if (!is_listed(map, t->name))
                ARENA_PUSH(x->f->arena, x->f->tensors, x->f->n, x->cap_tensors) = *t;
        }
}

static bool check_twins(index_t *x) {
    char shown[SHOWN_BYTES];
    for (size_t i = 1; i < x->f->n; i++)
        if (strcmp(x->f->by_name[i - 1]->name, x->f->by_name[i]->name) == 0)
            return refuse(x, "tensor '%s' stands in two files and not in the index",
                          shown_name(x->f->by_name[i]->name, shown));
    return true;
}

static bool read_map(index_t *x, const json_t *map) {
    const char *name;
    json_t *where;
    if (!json_is_object(map) || json_object_size(map) == 0)
        return refuse(x, "has no 'weight_map': it is no index of weights in several files");
    int before = diag_errors(x->d);
    json_object_foreach((json_t *)(uintptr_t)map, name, where) {
        (void)take(x, name, where);
        if (diag_errors(x->d) - before >= MAX_REPORTS) break;
    }
    if (diag_errors(x->d) > before) return false;
    take_unlisted(x, map);
    st_sort(x->f);
    return check_twins(x);
}

static bool read_index(index_t *x, const char *text, size_t bytes) {
    json_error_t error;
    json_t *root = json_load_bounded(text, bytes, &error);
    char shown[SHOWN_BYTES];
    if (!root) return refuse(x, "is not valid JSON: %s", shown_name(error.text, shown));
    bool ok = read_map(x, json_object_get(root, "weight_map"));
    json_free(root);
    return ok;
}

st_file_t *st_open_index(const char *path, bool values, diag_t *d) {
    arena_t *a = arena_new();
    st_file_t *f = ARENA_NEW(a, st_file_t);
    *f = (st_file_t){.arena = a, .path = arena_strdup(a, path)};
    const char *slash = strrchr(f->path, '/');
    index_t x = {.f = f,
                 .folder = slash ? arena_strndup(a, f->path, (size_t)(slash - f->path) + 1) : "",
                 .values = values,
                 .d = d};
    size_t bytes;
    char *text = file_read(path, INDEX_LIMIT, &bytes, d);
    bool ok = text && read_index(&x, text, bytes);
    heap_free(text);
    if (ok) return f;
    st_close(f);
    return NULL;
}
