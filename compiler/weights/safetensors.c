/* The safetensors format: 8 bytes of header length (little-endian), a JSON header, then raw data.
 *
 * In: a file that nobody vouches for. Every field of its header is checked before any
 * tensor can be reached: lengths, JSON, types, shapes (products with overflow checks), and that the
 * tensors cover the data without overlap, hole or rest, as the format demands. Unknown fields of an
 * entry are ignored, like the reference implementation does; an unknown dtype or a tensor of more
 * than eight dimensions is an error only for whoever uses it. Out: a table of tensors that point
 * into a copy of the file. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "support/format.h"
#include "support/guard.h"
#include "support/heap.h"
#include "weights/json.h"
#include "weights/names.h"
#include "weights/st_int.h"

/* The limit of the reference implementation; real headers have a few hundred kilobytes. */
static const uint64_t max_header = 100u * 1000 * 1000;

/* ---- reading: one entry --------------------------------------------------------------------- */

typedef struct {
    st_file_t *f;
    diag_t *d;
    size_t bytes; /* after the header */
} header_reader_t;

/* One name per line of the message, printable whatever the file holds. */
static bool refuse(header_reader_t *r, const char *tensor, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse(header_reader_t *r, const char *tensor, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *text = arena_vprintf(r->f->arena, fmt, ap);
    va_end(ap);
    char name[SHOWN_BYTES];
    diag_error(r->d, IN_FILE(r->f->path), "tensor '%s': %s", shown_name(tensor, name), text);
    return false;
}

/* A JSON integer >= 0; numbers with a fraction or an exponent are none. */
static bool read_count(const json_t *j, int64_t *out) {
    if (!json_is_integer(j) || json_integer_value(j) < 0) return false;
    *out = json_integer_value(j);
    return true;
}

static bool read_dtype(header_reader_t *r, const json_t *entry, st_tensor_t *t) {
    const json_t *dtype = json_object_get(entry, "dtype");
    if (!json_is_string(dtype)) return refuse(r, t->name, "'dtype' is missing or not a string");
    t->dtype_name = arena_strdup(r->f->arena, json_string_value(dtype));
    const dtype_info_t *info = st_dtype_named(t->dtype_name);
    t->dtype = info ? info->dtype : ST_OTHER;
    return true;
}

static bool read_shape(header_reader_t *r, const json_t *entry, st_tensor_t *t) {
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape)) return refuse(r, t->name, "'shape' is missing or not a list");
    size_t rank = json_array_size(shape);
    if (rank > MAX_RANK) return refuse(r, t->name, "has %zu dimensions", rank);
    t->rank = (int)rank;
    t->elements = 1;
    for (int i = 0; i < t->rank; i++) {
        int64_t n;
        if (!read_count(json_array_get(shape, (size_t)i), &n))
            return refuse(r, t->name, "dimension %d of 'shape' is not a whole number >= 0", i);
        if (__builtin_mul_overflow(t->elements, n, &t->elements))
            return refuse(r, t->name, "'shape' has more elements than fit 63 bits");
        if (i < ST_RANK) t->shape[i] = n;
    }
    return true;
}

static bool read_offsets(header_reader_t *r, const json_t *entry, st_tensor_t *t) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    int64_t begin, end;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !read_count(json_array_get(offsets, 0), &begin) ||
        !read_count(json_array_get(offsets, 1), &end))
        return refuse(r, t->name, "'data_offsets' is not a pair of whole numbers >= 0");
    if (begin > end)
        return refuse(r, t->name, "'data_offsets' end (%lld) before they begin (%lld)",
                      (long long)end, (long long)begin);
    if ((uint64_t)end > r->bytes)
        return refuse(r, t->name,
                      "'data_offsets' end at %lld, but the file has only %zu bytes of data",
                      (long long)end, r->bytes);
    t->offset = (size_t)begin;
    t->bytes = (size_t)(end - begin);
    return true;
}

static bool check_size(header_reader_t *r, const st_tensor_t *t) {
    const dtype_info_t *info = st_dtype_named(t->dtype_name);
    if (!info) return true; /* size unknown */
    uint64_t bytes;
    if (__builtin_mul_overflow((uint64_t)t->elements, info->size, &bytes) || bytes != t->bytes) {
        char shape[SHOWN_BYTES];
        return refuse(r, t->name,
                      "%s %s needs %lld elements of %zu bytes, but 'data_offsets' hold %zu bytes",
                      info->name, shown_shape(t->rank, t->shape, shape), (long long)t->elements,
                      info->size, t->bytes);
    }
    return true;
}

static bool read_entry(header_reader_t *r, const char *name, const json_t *entry, st_tensor_t *t) {
    t->name = arena_strdup(r->f->arena, name);
    if (!json_is_object(entry)) return refuse(r, name, "its entry is not an object");
    return read_dtype(r, entry, t) && read_shape(r, entry, t) && read_offsets(r, entry, t) &&
           check_size(r, t);
}

/* ---- reading: the whole header -------------------------------------------------------------- */

static int by_data(const void *pa, const void *pb) {
    const st_tensor_t *a = pa, *b = pb;
    if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Sorted tensors must follow each other exactly. */
static bool check_cover(header_reader_t *r) {
    size_t at = 0;
    for (size_t i = 0; i < r->f->n; i++) {
        const st_tensor_t *t = &r->f->tensors[i];
        if (t->offset < at) {
            char other[SHOWN_BYTES];
            return refuse(r, t->name, "its data overlap those of '%s'",
                          shown_name(r->f->tensors[i - 1].name, other));
        }
        if (t->offset > at)
            return refuse(r, t->name, "%zu bytes before its data belong to no tensor",
                          t->offset - at);
        at += t->bytes;
    }
    size_t rest = r->bytes - at;
    if (rest == 0) return true;
    diag_error(r->d, IN_FILE(r->f->path), "%zu bytes after the last tensor belong to no tensor",
               rest);
    return false;
}

static bool check_metadata(header_reader_t *r, const json_t *metadata) {
    if (json_is_null(metadata)) return true; /* the reference reads it as none */
    bool ok = json_is_object(metadata);
    const char *key;
    json_t *value;
    if (ok)
        json_object_foreach((json_t *)(uintptr_t)metadata, key, value) ok =
            ok && json_is_string(value);
    if (!ok) diag_error(r->d, IN_FILE(r->f->path), "'__metadata__' is not an object of strings");
    return ok;
}

static bool read_entries(header_reader_t *r, json_t *header) {
    st_file_t *f = r->f;
    size_t n = json_object_size(header);
    f->tensors = ARENA_ARRAY(f->arena, st_tensor_t, n);
    bool ok = true;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) ok = check_metadata(r, entry) && ok;
        else if (read_entry(r, name, entry, &f->tensors[f->n])) f->n++;
        else ok = false;
        if (diag_errors(r->d) >= MAX_REPORTS) break;
    }
    if (!ok) return false;
    qsort(f->tensors, f->n, sizeof *f->tensors, by_data);
    st_sort(f);
    return check_cover(r);
}

/* Where the header lies; all checks that need no JSON. `begin`: the file's first bytes. */
static bool find_header(header_reader_t *r, const unsigned char *begin, size_t n_begin,
                        uint64_t file_bytes, size_t *header) {
    srcloc_t at = IN_FILE(r->f->path);
    if (!format_fits(r->f->path, begin, n_begin, WANT_SAFETENSORS, r->d)) return false;
    if (file_bytes < 8) {
        diag_error(r->d, at, "is not a safetensors file: it has %llu bytes",
                   (unsigned long long)file_bytes);
        return false;
    }
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) n |= (uint64_t)begin[i] << (8 * i);
    if (n > max_header || n > file_bytes - 8) {
        diag_error(
            r->d, at,
            "is not a safetensors file, or truncated: a header of %llu bytes is announced, the file "
            "has %llu after that (and %llu are the most allowed)",
            (unsigned long long)n, (unsigned long long)file_bytes - 8,
            (unsigned long long)max_header);
        return false;
    }
    if (n == 0 || n_begin < 9 || begin[8] != '{') {
        diag_error(r->d, at, "is not a safetensors file: its header does not begin with '{'");
        return false;
    }
    *header = (size_t)n;
    r->bytes = (size_t)(file_bytes - 8 - n);
    return true;
}

static bool read_header(header_reader_t *r, const char *text, size_t bytes) {
    json_error_t error;
    json_t *header = json_load_bounded(text, bytes, &error);
    if (!header) {
        char shown[SHOWN_BYTES];
        diag_error(r->d, IN_FILE(r->f->path),
                   "the header is not valid JSON: %s (byte %d of the header)",
                   shown_name(error.text, shown), error.position);
        return false;
    }
    bool ok = read_entries(r, header);
    json_free(header);
    return ok;
}

/* The header alone, then, where values are wanted, what stands behind it. */
static bool read_file(st_file_t *f, const input_t *in, bool values, diag_t *d) {
    header_reader_t r = {.f = f, .d = d};
    unsigned char begin[FORMAT_BYTES];
    size_t n = in->bytes < sizeof begin ? (size_t)in->bytes : sizeof begin, header;
    if (!input_read(in, 0, begin, n, d) || !find_header(&r, begin, n, in->bytes, &header))
        return false;
    char *text = heap_new(header, 1);
    bool ok = input_read(in, 8, text, header, d) && read_header(&r, text, header);
    heap_free(text);
    f->data_at = 8 + (uint64_t)header;
    if (!ok || !values) return ok;
    if (!input_load(in, &f->content, d)) return false;
    for (size_t i = 0; i < f->n; i++)
        f->tensors[i].data = f->content.data + f->data_at + f->tensors[i].offset;
    return true;
}

st_file_t *st_open_one(const char *path, bool values, diag_t *d) {
    arena_t *a = arena_new();
    st_file_t *f = ARENA_NEW(a, st_file_t);
    f->arena = a;
    f->path = arena_strdup(a, path);
    input_t in;
    bool opened = input_open(path, &in, d), ok = opened && read_file(f, &in, values, d);
    if (opened) input_close(&in);
    if (ok) return f;
    st_close(f);
    return NULL;
}

st_file_t *st_open(const char *path, diag_t *d) {
    return st_open_one(path, true, d);
}

/* ---- tensors in memory ---------------------------------------------------------------------- */

/* Fills in what follows from dtype and shape. */
static bool take_tensor(header_reader_t *r, st_tensor_t *t, bool values) {
    if (t->rank < 0 || t->rank > (int)(sizeof t->shape / sizeof *t->shape))
        return refuse(r, t->name, "has %d dimensions, 0 to 8 are possible", t->rank);
    const dtype_info_t *info = st_dtype_info(t->dtype);
    t->name = arena_strdup(r->f->arena, t->name);
    t->dtype_name = info->name;
    t->elements = 1;
    for (int i = 0; i < t->rank; i++) {
        if (t->shape[i] < 0) return refuse(r, t->name, "dimension %d is negative", i);
        if (__builtin_mul_overflow(t->elements, t->shape[i], &t->elements))
            return refuse(r, t->name, "its shape has more elements than fit 63 bits");
    }
    if (__builtin_mul_overflow((size_t)t->elements, info->size, &t->bytes) ||
        t->bytes > PTRDIFF_MAX)
        return refuse(r, t->name, "its shape has more elements than fit the memory");
    if (values && !t->data && t->bytes) return refuse(r, t->name, "has no data");
    return true;
}

static bool check_twins(header_reader_t *r) {
    bool ok = true;
    for (size_t i = 1; i < r->f->n; i++)
        if (strcmp(r->f->by_name[i - 1]->name, r->f->by_name[i]->name) == 0)
            ok = refuse(r, r->f->by_name[i]->name, "stands twice in the list");
    return ok;
}

st_file_t *st_from_arena(const char *shown, const st_tensor_t *tensors, size_t n, bool values,
                         arena_t *owned, diag_t *d) {
    arena_t *a = arena_new();
    st_file_t *f = ARENA_NEW(a, st_file_t);
    *f = (st_file_t){.arena = a, .path = arena_strdup(a, shown), .n = n};
    f->tensors = arena_copy(a, tensors, n * sizeof *tensors);
    header_reader_t r = {.f = f, .d = d};
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) ok = take_tensor(&r, &f->tensors[i], values);
    if (ok) st_sort(f);
    if (ok && check_twins(&r)) {
        f->owned = owned;
        return f;
    }
    st_close(f);
    return NULL;
}

st_file_t *st_from_memory(const char *shown, const st_tensor_t *tensors, size_t n, diag_t *d) {
    return st_from_arena(shown, tensors, n, true, NULL, d);
}

void st_close(st_file_t *f) {
    if (!f) return;
    for (size_t i = 0; i < f->n_shards; i++) st_close(f->shards[i]);
    file_unload(&f->content);
    arena_free(f->owned);
    arena_free(f->arena);
}

static bool lies_in(const content_t *c, const unsigned char *data) {
    return c->bytes && data >= c->data && data < c->data + c->bytes;
}

void st_forget(const st_file_t *f, const void *data, size_t bytes) {
    if (lies_in(&f->content, data)) file_forget(&f->content, data, bytes);
    for (size_t i = 0; i < f->n_shards; i++) st_forget(f->shards[i], data, bytes);
}

size_t st_count(const st_file_t *f) {
    return f->n;
}

const st_tensor_t *st_at(const st_file_t *f, size_t i) {
    return i < f->n ? &f->tensors[i] : NULL;
}

static int by_name(const void *pa, const void *pb) {
    const st_tensor_t *const *a = pa, *const *b = pb;
    return strcmp((*a)->name, (*b)->name);
}

void st_sort(st_file_t *f) {
    f->by_name = ARENA_ARRAY(f->arena, const st_tensor_t *, f->n);
    for (size_t i = 0; i < f->n; i++) f->by_name[i] = &f->tensors[i];
    if (f->n) qsort(f->by_name, f->n, sizeof *f->by_name, by_name);
}

const st_tensor_t *st_find(const st_file_t *f, const char *name) {
    if (f->n == 0) return NULL;
    st_tensor_t key = {.name = name};
    const st_tensor_t *p = &key;
    const st_tensor_t **found =
        (const st_tensor_t **)bsearch(&p, f->by_name, f->n, sizeof *f->by_name, by_name);
    return found ? *found : NULL;
}

const char *st_path(const st_file_t *f) {
    return f->path;
}
