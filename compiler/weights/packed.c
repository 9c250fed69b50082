/* Packed files, read: by their own table of contents, with no model at hand.
 *
 * In: a path, or bytes and a layout. Out: what stands in the file (packed_open), or its tensors
 * under Hugging Face's names and in Hugging Face's shapes, as if they had come in safetensors
 * (st_open_packed). Of bf16 a tensor is BF16, of everything else F32: integers come back as what
 * they mean, each times its row's scale. */
#include <stdlib.h>
#include <string.h>

#include "reformer_rt.h"
#include "support/bf16.h"
#include "support/heap.h"
#include "weights/names.h"
#include "weights/packed_int.h"
#include "weights/store_int.h"

/* ---- the file -------------------------------------------------------------------------------- */

static bool refuse(const packed_file_t *p, diag_t *d, const char *what) {
    diag_error(d, IN_FILE(p->path), "the packed weights file %s", what);
    return false;
}

/* What the header alone shows; *size of the file. */
static bool check_header(packed_file_t *p, const void *begin, size_t n, uint64_t size, diag_t *d) {
    reformer_weights_header_t *h = &p->header;
    if (n < sizeof *h) return refuse(p, d, "is truncated: not even its header is there");
    memcpy(h, begin, sizeof *h);
    if (h->version != REFORMER_WEIGHTS_VERSION || h->reserved != 0)
        return refuse(p, d, "is of another version: pack the weights again");
    if (size < REFORMER_WEIGHTS_HEADER || h->bytes != size) {
        diag_error(d, IN_FILE(p->path),
                   "the packed weights file is truncated, or longer than it should be: it has %llu "
                   "bytes, its header says %llu",
                   (unsigned long long)size, (unsigned long long)h->bytes);
        return false;
    }
    if (h->data_end < REFORMER_WEIGHTS_HEADER || h->data_end > size || h->data_end % 64)
        return refuse(p, d, "is damaged: its header says that its data end outside of it");
    return true;
}

static bool check_sum(const packed_file_t *p, diag_t *d) {
    size_t from = REFORMER_WEIGHTS_HEADER;
    return reformer_checksum(p->content.data + from, p->content.bytes - from) ==
               p->header.checksum ||
           refuse(p, d, "is damaged: its checksum differs");
}

static bool parse_contents(packed_file_t *p, const void *text, size_t bytes, diag_t *d) {
    p->layout = contents_parse(p->arena, text, bytes, (int64_t)p->header.data_end);
    if (!p->layout) return refuse(p, d, "is damaged: its table of contents is not one");
    p->layout->fingerprint = p->header.fingerprint;
    p->layout->bf16_at = (int64_t)p->header.bf16_at;
    p->layout->integers_at = (int64_t)p->header.integers_at;
    return true;
}

/* The table alone. */
static bool read_contents(packed_file_t *p, const input_t *in, diag_t *d) {
    enum { MAX = 256 << 20 };
    uint64_t at = p->header.data_end;
    size_t n = (size_t)(in->bytes - at);
    if (n > MAX) return refuse(p, d, "is damaged: its table of contents is too large");
    char *text = heap_new(n + 1, 1);
    bool ok = input_read(in, at, text, n, d) && parse_contents(p, text, n, d);
    heap_free(text);
    return ok;
}

static bool read_packed(packed_file_t *p, const input_t *in, bool values, diag_t *d) {
    unsigned char begin[sizeof p->header];
    size_t n = in->bytes < sizeof begin ? (size_t)in->bytes : sizeof begin;
    if (!input_read(in, 0, begin, n, d) || !check_header(p, begin, n, in->bytes, d)) return false;
    if (!values) return read_contents(p, in, d);
    if (!input_load(in, &p->content, d)) return false;
    size_t at = (size_t)p->header.data_end;
    return check_sum(p, d) && parse_contents(p, p->content.data + at, p->content.bytes - at, d);
}

packed_file_t *packed_open(const char *path, bool values, diag_t *d) {
    arena_t *a = arena_new();
    packed_file_t *p = ARENA_NEW(a, packed_file_t);
    *p = (packed_file_t){.arena = a, .path = arena_strdup(a, path)};
    input_t in;
    bool opened = input_open(path, &in, d), ok = opened && read_packed(p, &in, values, d);
    if (opened) input_close(&in);
    if (ok) return p;
    packed_close(p);
    return NULL;
}

void packed_close(packed_file_t *p) {
    if (!p) return;
    file_unload(&p->content);
    arena_free(p->arena);
}

bool is_packed_file(const char *path) {
    static const char magic[] = REFORMER_WEIGHTS_MAGIC;
    diag_t *quiet = diag_new();
    input_t in;
    char begin[sizeof magic - 1];
    bool packed = false;
    if (input_open(path, &in, quiet)) {
        packed = in.bytes >= sizeof begin && input_read(&in, 0, begin, sizeof begin, quiet) &&
                 memcmp(begin, magic, sizeof begin) == 0;
        input_close(&in);
    }
    diag_free(quiet);
    return packed;
}

/* ---- its tensors ----------------------------------------------------------------------------- */

/* Two bytes each in the place of floats, which the first of them does not read again. */
static void narrow(float *x, int64_t n) {
    uint16_t *to = (uint16_t *)(void *)x;
    for (int64_t k = 0; k < n; k++) {
        uint16_t half = bf16_bits(x[k]);
        memcpy(to + k, &half, sizeof half);
    }
}

static bool take_tensor(const packed_file_t *p, const layout_entry_t *e, int i, bool values,
                        arena_t *a, st_tensor_t *t, diag_t *d) {
    const char *source = e->source[i];
    *t = (st_tensor_t){.name = weights_hf_name(a, p->layout, source),
                       .dtype = e->type == G_BF16 ? ST_BF16 : ST_F32};
    t->rank = weights_hf_shape(p->layout, e, source, t->shape);
    t->elements = 1;
    for (int k = 0; k < t->rank; k++) t->elements *= t->shape[k];
    if (!values) return true;
    float *x = arena_try(a, (size_t)t->elements * sizeof *x);
    if (!x) {
        diag_no_memory(d, IN_FILE(p->path), "not enough memory for tensor '%s' of %lld numbers",
                       source, (long long)t->elements);
        return false;
    }
    weights_unpack_tensor(e, i, p->content.data, x);
    if (t->dtype == ST_BF16) narrow(x, t->elements);
    t->data = (const unsigned char *)x;
    return true;
}

/* Every tensor once; Hugging Face saves the head's bias under both of its names. */
static st_tensor_t *take_tensors(const packed_file_t *p, bool values, arena_t *a, size_t *n,
                                 diag_t *d) {
    st_tensor_t *list = NULL;
    size_t cap = 0;
    for (int i = 0; i < p->layout->n; i++) {
        const layout_entry_t *e = &p->layout->entries[i];
        for (int j = 0; j < e->count; j++) {
            st_tensor_t t;
            if (e->again[j]) continue;
            if (!take_tensor(p, e, j, values, a, &t, d)) return NULL;
            ARENA_PUSH(a, list, *n, cap) = t;
            if (strcmp(e->source[j], "lm_head.bias") != 0) continue;
            t.name = "lm_head.decoder.bias";
            ARENA_PUSH(a, list, *n, cap) = t;
        }
    }
    return list;
}

st_file_t *st_open_packed(const char *path, bool values, diag_t *d) {
    packed_file_t *p = packed_open(path, values, d);
    if (!p) return NULL;
    arena_t *a = arena_new();
    size_t n = 0;
    int before = diag_errors(d);
    st_tensor_t *list = take_tensors(p, values, a, &n, d);
    st_file_t *f = diag_errors(d) == before ? st_from_arena(path, list, n, values, a, d) : NULL;
    if (!f) arena_free(a);
    packed_close(p);
    return f;
}
