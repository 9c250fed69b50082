/* A set of float32 tensors under Hugging Face's names: one for each param of a
 * Graph, in the Graph's order.
 *
 * In: the params, then values for them (load.c, initial.c). Out: tensors whose values are all
 * finite. Aligned float32 data stay where they are, in the file's mapping; the
 * rest is converted once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/format.h"
#include "support/guard.h"
#include "support/pages.h"
#include "weights/names.h"
#include "weights/store_int.h"

/* ---- shapes --------------------------------------------------------------------------------- */

static int next_dim(int rank, const int64_t *shape, int i) {
    while (i < rank && shape[i] == 1) i++;
    return i;
}

/* Equal but for dimensions of 1. */
static bool same_layout(int rank, const int64_t *shape, int other_rank, const int64_t *other) {
    int i = next_dim(rank, shape, 0), j = next_dim(other_rank, other, 0);
    while (i < rank && j < other_rank && shape[i] == other[j]) {
        i = next_dim(rank, shape, i + 1);
        j = next_dim(other_rank, other, j + 1);
    }
    return i == rank && j == other_rank;
}

bool store_fits_shape(const tensor_t *want, const st_tensor_t *t) {
    if (t->rank > 8) return false; /* its shape is not all there */
    if (is_axial_table(want->name)) return same_layout(want->rank, want->shape, t->rank, t->shape);
    return want->rank == t->rank &&
           memcmp(want->shape, t->shape, (size_t)t->rank * sizeof *t->shape) == 0;
}

/* ---- values --------------------------------------------------------------------------------- */

float *store_room(store_t *s, const tensor_t *t, diag_t *d) {
    float *x = arena_try(s->arena, (size_t)t->elements * sizeof *x);
    if (!x)
        diag_no_memory(d, NOWHERE, "not enough memory for tensor '%s' of %lld numbers", t->name,
                       (long long)t->elements);
    return x;
}

static bool finite_bits(uint32_t bits) {
    return (bits & 0x7F800000u) != 0x7F800000u;
}

/* The first NaN or infinity, or n. Looks at blocks first: almost all are clean. */
static int64_t first_nonfinite(const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i += 1024) {
        int64_t end = i + 1024 < n ? i + 1024 : n;
        uint32_t bad = 0, bits;
        for (int64_t j = i; j < end; j++) {
            memcpy(&bits, x + j, sizeof bits);
            bad |= !finite_bits(bits);
        }
        if (!bad) continue;
        for (int64_t j = i; j < end; j++) {
            memcpy(&bits, x + j, sizeof bits);
            if (!finite_bits(bits)) return j;
        }
    }
    return n;
}

/* "[1, 3]" for element 7 of a [2, 4] */
static const char *shown_index(const tensor_t *t, int64_t at, char out[SHOWN_BYTES]) {
    int64_t index[8];
    for (int i = t->rank - 1; i >= 0; i--) {
        index[i] = at % t->shape[i];
        at /= t->shape[i];
    }
    return shown_shape(t->rank, index, out);
}

static bool check_finite(const tensor_t *t, const char *shown, const char *path, diag_t *d) {
    int64_t at = first_nonfinite(t->data, t->elements);
    if (at == t->elements) return true;
    char index[SHOWN_BYTES];
    uint32_t bits;
    memcpy(&bits, t->data + at, sizeof bits);
    diag_error(d, IN_FILE(path), "tensor '%s': element %lld (%s) is %s", shown, (long long)at,
               shown_index(t, at, index), (bits & 0x007FFFFF) ? "NaN" : "infinite");
    return false;
}

bool store_take(store_t *s, tensor_t *t, const st_tensor_t *from, const char *path, diag_t *d) {
    char name[SHOWN_BYTES];
    shown_name(from->name, name);
    if (!store_fits_shape(t, from)) {
        char is[SHOWN_BYTES], want[SHOWN_BYTES];
        diag_error(d, IN_FILE(path), "tensor '%s' has shape %s, this model needs %s", name,
                   shown_shape(from->rank, from->shape, is), shown_shape(t->rank, t->shape, want));
        return false;
    }
    if (from->dtype == ST_F32 && (uintptr_t)from->data % sizeof(float) == 0) {
        t->data = (const float *)(const void *)from->data;
    } else {
        float *copy = store_room(s, t, d);
        if (!copy || !st_to_f32(from, copy, path, d)) return false;
        t->data = copy;
    }
    t->from_file = true;
    return check_finite(t, name, path, d);
}

/* ---- the store ------------------------------------------------------------------------------ */

static int by_name(const void *pa, const void *pb) {
    const tensor_t *const *a = pa, *const *b = pb;
    return strcmp((*a)->name, (*b)->name);
}

store_t *store_new(const graph_t *g) {
    arena_t *a = arena_new();
    store_t *s = ARENA_NEW(a, store_t);
    s->arena = a;
    for (size_t i = 0; i < g->n_nodes; i++) s->n += g->nodes[i]->op == G_PARAM;
    s->tensors = ARENA_ARRAY(s->arena, tensor_t, s->n);
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *node = g->nodes[i];
        if (node->op != G_PARAM) continue;
        tensor_t *t = &s->tensors[n++];
        t->name = arena_strdup(s->arena, node->name);
        t->rank = node->rank;
        t->elements = 1;
        for (int j = 0; j < t->rank; j++) {
            t->shape[j] = node->shape[j].c;
            if (node->shape[j].u != 0 ||
                __builtin_mul_overflow(t->elements, t->shape[j], &t->elements))
                bug("param '%s' has no literal shape", t->name);
        }
    }
    s->by_name = ARENA_ARRAY(s->arena, tensor_t *, s->n);
    for (size_t i = 0; i < s->n; i++) s->by_name[i] = &s->tensors[i];
    if (s->n) qsort(s->by_name, s->n, sizeof *s->by_name, by_name);
    return s;
}

bool store_own(store_t *s, diag_t *d) {
    for (size_t i = 0; i < s->n; i++) {
        tensor_t *t = &s->tensors[i];
        float *own = store_room(s, t, d);
        if (!own) return false;
        memcpy(own, t->data, (size_t)t->elements * sizeof *own);
        t->data = own;
    }
    return true;
}

store_t *store_view(const store_t *s) {
    arena_t *a = arena_new();
    store_t *v = ARENA_NEW(a, store_t);
    *v = (store_t){.arena = a, .n = s->n};
    v->tensors = ARENA_ARRAY(a, tensor_t, s->n);
    v->by_name = ARENA_ARRAY(a, tensor_t *, s->n);
    for (size_t i = 0; i < s->n; i++) {
        v->tensors[i] = s->tensors[i];
        v->by_name[i] = v->tensors + (s->by_name[i] - s->tensors);
    }
    return v;
}

void store_point(store_t *view, const char *name, const float *data) {
    tensor_t *t = store_tensor(view, name);
    if (!t) bug("no tensor '%s' in the store", name);
    t->data = data;
}

void store_spend(store_t *s) {
    s->spent = true;
}

void store_forget(const store_t *s, const tensor_t *t) {
    if (s->spent && s->weights)
        st_forget(s->weights, t->data, (size_t)t->elements * sizeof *t->data);
}

void store_free(store_t *s) {
    if (!s) return;
    st_close(s->weights);
    st_close(s->rotations);
    arena_free(s->arena);
}

tensor_t *store_tensor(const store_t *s, const char *name) {
    tensor_t key = {.name = name}, *p = &key;
    tensor_t **found = s->n ? bsearch(&p, s->by_name, s->n, sizeof *s->by_name, by_name) : NULL;
    return found ? *found : NULL;
}

const tensor_t *store_find(const store_t *s, const char *name) {
    return store_tensor(s, name);
}
