/* The table of contents at the end of a packed file: what stands where, so that a person with a
 * pager can tell, and so that the file can be read without its model.
 *
 * In and out: a layout; print and parse share the file and its tables. A text that nobody vouches
 * for gives a layout only if each of its arrays lies within the data, has the shape that its
 * arrangement asks for, and the layout prints as that very text: so it holds no more than the table
 * says, and no second spelling of anything. */
#include <stdlib.h>
#include <string.h>

#include "reformer_rt.h"
#include "support/heap.h"
#include "support/sbuf.h"
#include "weights/packed_int.h"

static const char *const kind_names[] = {[PACK_ROWS] = "rows",
                                         [PACK_PANELS] = "panels",
                                         [PACK_HEAD_PANELS] = "head_panels",
                                         [PACK_ROTATIONS] = "rotations",
                                         [PACK_COLUMNS] = "columns"};
enum { KINDS = sizeof kind_names / sizeof *kind_names };

const char *contents_kind(pack_kind_t kind) {
    return kind_names[kind];
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_dims(sbuf_t *s, const char *key, int rank, const int64_t *dims) {
    sbuf_printf(s, " %s=", key);
    for (int i = 0; i < rank; i++) sbuf_printf(s, "%s%lld", i ? "x" : "", (long long)dims[i]);
}

static void print_entry(const layout_entry_t *e, sbuf_t *s) {
    sbuf_printf(s, "%s %s %s offset=%lld bytes=%lld", e->name, kind_names[e->kind],
                graph_type_name(e->type), (long long)e->offset, (long long)e->bytes);
    if (e->rows) sbuf_printf(s, " scales=%lld", (long long)e->scales_at);
    if (e->starts_at) sbuf_printf(s, " starts=%lld", (long long)e->starts_at);
    print_dims(s, "packed", e->packed_rank, e->packed);
    print_dims(s, "shape", e->rank, e->shape);
    if (e->heads) sbuf_printf(s, " heads=%lld", (long long)e->heads);
    sbuf_puts(s, "\n");
    for (int j = 0; j < e->count; j++) sbuf_printf(s, "  %s\n", e->source[j]);
}

static void print_head(sbuf_t *s) {
    sbuf_printf(s, "reformer weights %d, panels of %d\n", REFORMER_WEIGHTS_VERSION, PANEL);
}

void contents_print(const layout_t *l, sbuf_t *s) {
    print_head(s);
    for (int i = 0; i < l->n; i++) print_entry(&l->entries[i], s);
}

/* ---- parsing: words of a line ---------------------------------------------------------------- */

typedef struct {
    arena_t *arena;
    const char *at, *end;
    layout_t *l;
    size_t cap;
} contents_reader_t;

/* Up to a blank or the end of the line, at least a byte; NULL: there is none. */
static const char *read_word(contents_reader_t *r) {
    const char *from = r->at;
    while (r->at < r->end && *r->at != ' ' && *r->at != '\n') r->at++;
    return r->at > from ? arena_strndup(r->arena, from, (size_t)(r->at - from)) : NULL;
}

static bool skip(contents_reader_t *r, const char *text) {
    size_t n = strlen(text);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, text, n) != 0) return false;
    r->at += n;
    return true;
}

/* Digits, of a number that no file is as large as. */
static bool read_number(contents_reader_t *r, int64_t *n) {
    const int64_t max = INT64_C(1) << 50;
    const char *from = r->at;
    for (*n = 0; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        if ((*n = *n * 10 + (*r->at - '0')) > max) return false;
    return r->at > from;
}

static bool read_dims(contents_reader_t *r, const char *key, int max, int *rank, int64_t *dims) {
    if (!skip(r, key)) return false;
    do
        if (*rank == max || !read_number(r, &dims[*rank]) || dims[(*rank)++] == 0) return false;
    while (skip(r, "x"));
    return true;
}

static bool read_kind(contents_reader_t *r, pack_kind_t *kind) {
    const char *word = read_word(r);
    for (int i = 0; word && i < KINDS; i++)
        if (strcmp(word, kind_names[i]) == 0) return *kind = (pack_kind_t)i, true;
    return false;
}

static bool read_type(contents_reader_t *r, gtype_t *type) {
    static const gtype_t types[] = {G_F32, G_BF16, G_I8};
    const char *word = read_word(r);
    for (size_t i = 0; word && i < sizeof types / sizeof *types; i++)
        if (strcmp(word, graph_type_name(types[i])) == 0) return *type = types[i], true;
    return false;
}

/* ---- parsing: an entry ----------------------------------------------------------------------- */

static bool read_line(contents_reader_t *r, layout_entry_t *e) {
    e->name = read_word(r);
    return e->name && skip(r, " ") && read_kind(r, &e->kind) && skip(r, " ") &&
           read_type(r, &e->type) && skip(r, " offset=") && read_number(r, &e->offset) &&
           skip(r, " bytes=") && read_number(r, &e->bytes) &&
           (!skip(r, " scales=") || read_number(r, &e->scales_at)) &&
           (!skip(r, " starts=") || read_number(r, &e->starts_at)) &&
           read_dims(r, " packed=", UPDATE_RANK + 1, &e->packed_rank, e->packed) &&
           read_dims(r, " shape=", UPDATE_RANK, &e->rank, e->shape) &&
           (!skip(r, " heads=") || read_number(r, &e->heads)) && skip(r, "\n");
}

static bool read_sources(contents_reader_t *r, layout_entry_t *e) {
    while (skip(r, "  ")) {
        const char *name = read_word(r);
        if (!name || !skip(r, "\n")) return false;
        ARENA_PUSH(r->arena, e->source, e->count, e->room) = name;
    }
    return e->count > 0;
}

/* What layout_shape_entry() needs, and that it overflows nothing. */
static bool is_possible(const layout_entry_t *e) {
    const int64_t max = INT64_C(1) << 48;
    int64_t elements = e->count;
    for (int i = 0; i < e->rank; i++)
        if (__builtin_mul_overflow(elements, e->shape[i], &elements) || elements > max)
            return false;
    bool matrix = e->kind == PACK_PANELS || e->kind == PACK_HEAD_PANELS || e->kind == PACK_COLUMNS;
    if ((matrix || e->type == G_I8) && e->rank != 2) return false;
    if (e->type == G_I8 && (e->kind == PACK_COLUMNS || e->kind == PACK_ROTATIONS)) return false;
    if (e->kind == PACK_ROTATIONS && e->rank != 4) return false;
    if (e->kind != PACK_HEAD_PANELS) return e->heads == 0;
    return e->heads > 0 && e->heads <= e->shape[0] && e->shape[0] % e->heads == 0;
}

static bool lies_within(int64_t at, int64_t bytes, int64_t data_end) {
    return at % 64 == 0 && at >= REFORMER_WEIGHTS_HEADER && at <= data_end &&
           bytes <= data_end - at;
}

static bool is_right(const layout_entry_t *e, int64_t data_end) {
    if (!is_possible(e)) return false;
    layout_entry_t want = *e;
    layout_shape_entry(&want);
    int64_t own = 4 * want.rows * e->count;
    return want.bytes == e->bytes && lies_within(e->offset, e->bytes, data_end) &&
           (!want.rows || lies_within(e->scales_at, own, data_end)) &&
           (!e->starts_at || lies_within(e->starts_at, own, data_end)) &&
           (e->starts_at != 0) == (want.rows && e->kind != PACK_ROWS);
}

static bool read_entry(contents_reader_t *r) {
    layout_entry_t e = {0};
    if (!read_line(r, &e) || !read_sources(r, &e) || !is_right(&e, r->l->data_end)) return false;
    layout_shape_entry(&e); /* the rest of it; what was read is compared with what it prints as */
    ARENA_PUSH(r->arena, r->l->entries, r->l->n, r->cap) = e;
    return true;
}

/* ---- parsing: all of it ---------------------------------------------------------------------- */

/* A tensor of the table, in its order. */
typedef struct {
    const char *name;
    int entry, index;
} item_t;

static int by_name(const void *pa, const void *pb) {
    const item_t *a = pa, *b = pb;
    int order = strcmp(a->name, b->name);
    if (order) return order;
    return a->entry != b->entry ? (a->entry < b->entry ? -1 : 1) : a->index - b->index;
}

/* Whether it is there in an earlier arrangement. One of another shape would be another tensor. */
static bool find_again(arena_t *a, layout_t *l) {
    size_t n = 0, at = 0;
    for (int i = 0; i < l->n; i++) n += (size_t)l->entries[i].count;
    item_t *all = heap_new(n + 1, sizeof *all);
    for (int i = 0; i < l->n; i++) {
        l->entries[i].again = ARENA_ARRAY(a, bool, l->entries[i].count);
        for (int j = 0; j < l->entries[i].count; j++)
            all[at++] = (item_t){l->entries[i].source[j], i, j};
    }
    if (n) qsort(all, n, sizeof *all, by_name);
    bool ok = true;
    for (size_t k = 1; k < n; k++) {
        if (strcmp(all[k].name, all[k - 1].name) != 0) continue;
        const layout_entry_t *e = &l->entries[all[k].entry], *f = &l->entries[all[k - 1].entry];
        ok = ok && e != f && e->rank == f->rank &&
             memcmp(e->shape, f->shape, (size_t)e->rank * sizeof *e->shape) == 0;
        e->again[all[k].index] = true;
    }
    heap_free(all);
    return ok;
}

static bool prints_as(const layout_t *l, const char *text, size_t bytes) {
    sbuf_t s = {0};
    contents_print(l, &s);
    bool same = s.size == bytes && memcmp(s.data, text, bytes) == 0;
    sbuf_free(&s);
    return same;
}

layout_t *contents_parse(arena_t *a, const char *text, size_t bytes, int64_t data_end) {
    contents_reader_t r = {
        .arena = a, .at = text, .end = text + bytes, .l = ARENA_NEW(a, layout_t)};
    r.l->data_end = data_end;
    sbuf_t head = {0};
    print_head(&head);
    bool ok = skip(&r, head.data);
    sbuf_free(&head);
    while (ok && r.at < r.end) ok = read_entry(&r);
    return ok && find_again(a, r.l) && prints_as(r.l, text, bytes) && hf_names_are_right(r.l)
               ? r.l
               : NULL;
}
