/* The packed weights file (runtime/reformer_rt.h): store → file for the kernels, and back.
 *
 * In: the layout's table and a tensor per source. Out: header, arrays in the arrangement that
 * weights/layout.h gives each (zeros where a panel is not full), and a table of contents in text
 * (contents.c). Header, data and contents depend on nothing but layout and weights: same weights,
 * same bytes. Unpacking inverts it exactly. */
#include <stdlib.h>
#include <string.h>

#include "reformer_rt.h"
#include "support/bf16.h"
#include "support/heap.h"
#include "support/pages.h"
#include "weights/pack_int.h"
#include "weights/packed_int.h"
#include "weights/store_int.h"

/* ---- arrangements ------------------------------------------------------------------------------
 * Each function moves one stacked tensor; `packed` is its place in the array. Both directions share
 * one walk over the elements, so that they cannot disagree. */

typedef struct {
    bool unpack;
    float *packed;
    uint16_t *halves; /* of a packed array of bf16, in the place of `packed` */
    float *plain;
} packing_t;

/* bf16 are rounded on their way into the file, and come out as they are there. */
static void move_half(const packing_t *m, int64_t packed, int64_t plain) {
    if (m->unpack) m->plain[plain] = bf16_value(m->halves[packed]);
    else m->halves[packed] = bf16_bits(m->plain[plain]);
}

static void move_row(const packing_t *m, int64_t packed, int64_t plain, int64_t n) {
    size_t bytes = (size_t)n * sizeof(float);
    if (m->halves)
        for (int64_t i = 0; i < n; i++) move_half(m, packed + i, plain + i);
    else if (m->unpack) memcpy(m->plain + plain, m->packed + packed, bytes);
    else memcpy(m->packed + packed, m->plain + plain, bytes);
}

/* Elements of a panel that is `depth` deep. */
static int64_t panel_elements(const packing_t *m, int64_t depth) {
    return (m->halves ? (depth + 1) / 2 * 2 : depth) * PANEL;
}

/* From row `k` of a panel of pairs on: where element `k` of column `j` stands. */
static int64_t in_pairs(int64_t k, int64_t j) {
    return k / 2 * 2 * PANEL + 2 * j + k % 2;
}

/* Elements from `k` to `end` of column j of a panel ↔ those of a row. */
static void move_run(const packing_t *m, int64_t panel, int64_t row, int64_t j, int64_t k,
                     int64_t end) {
    if (m->halves) {
        for (; k < end; k++) move_half(m, panel + in_pairs(k, j), row + k);
        return;
    }
    float *a = m->packed + panel + j, *b = m->plain + row;
    if (m->unpack)
        for (; k < end; k++) b[k] = a[k * PANEL];
    else
        for (; k < end; k++) a[k * PANEL] = b[k];
}

/* `rows` rows of length `depth` (row-major, from `plain`) ↔ panels of 32 rows, K-major. 16 values
 * of K at a time: a panel's 32 rows are often a power of two apart and would evict each other line
 * by line. */
static void move_panels(const packing_t *m, int64_t packed, int64_t plain, int64_t rows,
                        int64_t depth) {
    enum { STEP = 16 };
    for (int64_t p = 0; p < rows; p += PANEL, packed += panel_elements(m, depth))
        for (int64_t k = 0; k < depth; k += STEP)
            for (int64_t j = 0; j < PANEL && p + j < rows; j++) {
                int64_t end = k + STEP < depth ? k + STEP : depth;
                move_run(m, packed, plain + (p + j) * depth, j, k, end);
            }
}

/* The same of columns: 32 of them follow each other in every row. */
static void move_columns(const packing_t *m, int64_t rows, int64_t width) {
    int64_t packed = 0;
    for (int64_t p = 0; p < width; p += PANEL, packed += panel_elements(m, rows)) {
        int64_t n = width - p < PANEL ? width - p : PANEL;
        for (int64_t k = 0; k < rows; k++)
            if (m->halves)
                for (int64_t j = 0; j < n; j++)
                    move_half(m, packed + in_pairs(k, j), k * width + p + j);
            else move_row(m, packed + k * PANEL, k * width + p, n);
    }
}

static int64_t panels_elements(const packing_t *m, int64_t rows, int64_t depth) {
    return (rows + PANEL - 1) / PANEL * panel_elements(m, depth);
}

/* [H, d, n, R] ↔ [H][n][d][R] */
static void move_rotations(const packing_t *m, const int64_t *s) {
    int64_t d = s[1], n = s[2], r = s[3];
    for (int64_t h = 0; h < s[0]; h++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < d; j++)
                move_row(m, ((h * n + i) * d + j) * r, ((h * d + j) * n + i) * r, r);
}

static int64_t elements_of(const layout_entry_t *e) {
    int64_t n = 1;
    for (int i = 0; i < e->rank; i++) n *= e->shape[i];
    return n;
}

static void move_tensor(const layout_entry_t *e, const packing_t *m) {
    switch (e->kind) {
    case PACK_ROWS: move_row(m, 0, 0, elements_of(e)); break;
    case PACK_PANELS: move_panels(m, 0, 0, e->shape[0], e->shape[1]); break;
    case PACK_COLUMNS: move_columns(m, e->shape[0], e->shape[1]); break;
    case PACK_HEAD_PANELS: {
        int64_t d = e->shape[0] / e->heads, depth = e->shape[1];
        for (int64_t h = 0; h < e->heads; h++)
            move_panels(m, h * panels_elements(m, d, depth), h * d * depth, d, depth);
        break;
    }
    case PACK_ROTATIONS: move_rotations(m, e->shape); break;
    }
}

/* Bytes from one stacked tensor to the next. */
static size_t stride_of(const layout_entry_t *e) {
    return (size_t)(e->bytes / e->count);
}

/* Of one tensor of an entry. A file that is unpacked is only read. */
static packing_t move_of(const layout_entry_t *e, int index, const unsigned char *file) {
    void *at = (void *)(uintptr_t)(file + e->offset + (size_t)index * stride_of(e));
    return (packing_t){.packed = e->type == G_BF16 ? NULL : at,
                       .halves = e->type == G_BF16 ? at : NULL};
}

/* ---- packing -------------------------------------------------------------------------------- */

size_t weights_packed_bytes(const layout_t *l) {
    sbuf_t s = {0};
    contents_print(l, &s);
    size_t bytes = (size_t)l->data_end + s.size;
    sbuf_free(&s);
    return bytes;
}

static bool fits_entry(const layout_entry_t *e, const tensor_t *t) {
    return t->rank == e->rank &&
           memcmp(t->shape, e->shape, (size_t)e->rank * sizeof *e->shape) == 0;
}

void weights_pack_tensor(const layout_entry_t *e, int index, const float *values,
                         unsigned char *file) {
    if (e->type == G_I8) {
        pack_i8(e, index, values, file);
        return;
    }
    packing_t m = move_of(e, index, file);
    m.plain = (float *)(uintptr_t)values; /* only read */
    move_tensor(e, &m);
}

/* What packing knows besides the layout: how many reads of each tensor are yet to come, and up to
 * where the file's bytes were written. What no tensor fills is zero, so that equal
 * weights are equal bytes. */
typedef struct {
    const store_t *s;
    int *readers; /* [s->n] */
    unsigned char *file;
    size_t zeroed;
} packer_t;

static size_t source_index(const store_t *s, const char *name) {
    const tensor_t *t = store_find(s, name);
    if (!t) bug("no weights for '%s'", name);
    return (size_t)(t - s->tensors);
}

static void zero_to(packer_t *p, size_t end) {
    if (end <= p->zeroed) return;
    memset(p->file + p->zeroed, 0, end - p->zeroed);
    p->zeroed = end;
}

/* Where all that stands of tensor `index` ends in the file; what is in arrays beside it does for
 * all of its entry at once. */
static size_t end_of_tensor(const layout_entry_t *e, int index) {
    int64_t end = e->offset + (int64_t)stride_of(e) * (index + 1);
    int64_t last = e->scales_at > e->starts_at ? e->scales_at : e->starts_at;
    if (e->rows && last + 4 * e->count * e->rows > end) end = last + 4 * e->count * e->rows;
    return (size_t)end;
}

/* Tensor by tensor the file's memory is taken, and that of its sources given back. */
static void pack_source(packer_t *p, const layout_entry_t *e, int i) {
    size_t at = source_index(p->s, e->source[i]);
    const tensor_t *t = &p->s->tensors[at];
    if (!t->data || !fits_entry(e, t)) bug("no weights for '%s'", e->source[i]);
    zero_to(p, end_of_tensor(e, i));
    weights_pack_tensor(e, i, t->data, p->file);
    if (--p->readers[at] == 0) store_forget(p->s, t);
}

/* s NULL: the layout has no entries. */
static void pack_entries(const layout_t *l, const store_t *s, unsigned char *file) {
    packer_t p = {.s = s, .readers = heap_new(s ? s->n + 1 : 1, sizeof *p.readers), .file = file};
    for (int i = 0; i < l->n; i++)
        for (int j = 0; j < l->entries[i].count; j++)
            p.readers[source_index(s, l->entries[i].source[j])]++;
    for (int i = 0; i < l->n; i++)
        for (int j = 0; j < l->entries[i].count; j++) pack_source(&p, &l->entries[i], j);
    zero_to(&p, (size_t)l->data_end);
    heap_free(p.readers);
}

/* Of little-endian floats of either type their last two bytes tell. */
static uint64_t count_floats(const unsigned char *at, int64_t bytes, int64_t each) {
    uint64_t n = 0;
    for (const unsigned char *end = at + bytes; at < end; at += each) {
        unsigned top = (unsigned)at[each - 2] | (unsigned)at[each - 1] << 8;
        n += (top & 0x7F80) == 0x7F80;
    }
    return n;
}

/* A row of integers that was not finite is one by its scale. */
static uint64_t count_nonfinite(const layout_t *l, const unsigned char *file) {
    uint64_t n = 0;
    for (int i = 0; i < l->n; i++) {
        const layout_entry_t *e = &l->entries[i];
        if (e->type == G_I8) n += count_floats(file + e->scales_at, 4 * e->count * e->rows, 4);
        else n += count_floats(file + e->offset, e->bytes, layout_element_bytes(e->type));
    }
    return n;
}

unsigned char *weights_pack(const layout_t *l, const store_t *s, size_t *bytes, diag_t *d) {
    sbuf_t contents = {0};
    contents_print(l, &contents);
    size_t data_end = (size_t)l->data_end, total = data_end + contents.size;
    unsigned char *file = pages_alloc(total);
    if (!file) {
        diag_no_memory(d, NOWHERE, "not enough memory for %zu bytes of packed weights", total);
        sbuf_free(&contents);
        return NULL;
    }
    pack_entries(l, s, file);
    memcpy(file + data_end, contents.data, contents.size);
    sbuf_free(&contents);
    reformer_weights_header_t h = {.version = REFORMER_WEIGHTS_VERSION,
                                   .fingerprint = l->fingerprint,
                                   .bytes = total,
                                   .data_end = data_end,
                                   .nonfinite = count_nonfinite(l, file),
                                   .bf16_at = (uint64_t)l->bf16_at,
                                   .integers_at = (uint64_t)l->integers_at};
    memcpy(h.magic, REFORMER_WEIGHTS_MAGIC, sizeof h.magic);
    h.checksum = reformer_checksum(file + REFORMER_WEIGHTS_HEADER, total - REFORMER_WEIGHTS_HEADER);
    memcpy(file, &h, sizeof h);
    *bytes = total;
    return file;
}

/* ---- unpacking ------------------------------------------------------------------------------ */

void weights_unpack_tensor(const layout_entry_t *e, int index, const unsigned char *file,
                           float *values) {
    if (e->type == G_I8) {
        unpack_i8(e, index, file, values);
        return;
    }
    packing_t m = move_of(e, index, file);
    m.unpack = true;
    m.plain = values;
    move_tensor(e, &m);
}
