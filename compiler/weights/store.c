/* The weights of one model as float32 tensors under Hugging Face's names.
 *
 * In: the params of a Graph, which say what must be there; a safetensors file or checkpoint folder,
 * or "random[:SEED]"; perhaps a file of rotations. Out: one tensor per param, in the Graph's order,
 * all finite. Aligned float32 data stay in the mapping, the rest is converted once. Names
 * (docs/semantics.md 2): `reformer.` present or absent, the mask-value buffers ignored, the bias of the
 * LM head under either or both of its names, axial tables with Hugging Face's dimensions of 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/format.h"
#include "support/guard.h"
#include "support/pages.h"
#include "weights/names.h"
#include "weights/store_int.h"

#define PREFIX "reformer."
#define GIB    1073741824.0

/* ---- names ---------------------------------------------------------------------------------- */

static bool starts_with(const char *s, const char *prefix) {
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static const char *without_prefix(const char *name) {
    return starts_with(name, PREFIX) ? name + strlen(PREFIX) : name;
}

bool is_axial_table(const char *name) {
    return starts_with(name, "embeddings.position_embeddings.weights.");
}

int layer_of_name(const char *name, const char **behind) {
    int layer, end = 0;
    bool number = starts_with(name, "layers.") && name[7] >= '0' && name[7] <= '9';
    if (!number || sscanf(name + 7, "%9d.%n", &layer, &end) != 1 || end == 0) return -1;
    if (behind) *behind = name + 7 + end;
    return layer;
}

bool names_rotations(const char *name, int *layer) {
    const char *behind = name;
    *layer = layer_of_name(name, &behind);
    return *layer >= 0 && strcmp(behind, "rotations") == 0;
}

/* Scalar buffers that Hugging Face saves with the weights; their values are constants. */
static bool is_mask_buffer(const char *name) {
    const char *last = strrchr(name, '.');
    last = last ? last + 1 : name;
    return starts_with(last, "mask_value_float") || starts_with(last, "self_mask_value_float");
}

/* One parameter with two names: first the one that counts where both stand. Transformers 5 trains the second's
 * namesake no more, and saves what it was at the start. */
static const char *const bias_names[] = {"lm_head.decoder.bias", "lm_head.bias"};

static bool has_two_names(const char *name) {
    return strcmp(name, bias_names[0]) == 0 || strcmp(name, bias_names[1]) == 0;
}

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

static bool shape_fits(const tensor_t *want, const st_tensor_t *t) {
    if (t->rank > 8) return false; /* its shape is not all there */
    if (is_axial_table(want->name)) return same_layout(want->rank, want->shape, t->rank, t->shape);
    return want->rank == t->rank &&
           memcmp(want->shape, t->shape, (size_t)t->rank * sizeof *t->shape) == 0;
}

/* ---- values --------------------------------------------------------------------------------- */

float *store_room(store_t *s, const tensor_t *t, diag_t *d) {
    float *x = arena_try(s->arena, (size_t)t->elements * sizeof *x);
    if (!x)
        diag_error(d, NOWHERE, "not enough memory for tensor '%s' of %lld numbers", t->name,
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
    if (!shape_fits(t, from)) {
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

/* ---- from a file ---------------------------------------------------------------------------- */

typedef struct {
    store_t *s;
    const st_file_t *f;
    bool *used; /* per tensor of the file */
    diag_t *d;
    const store_options_t *o;
    int missing;   /* params that the file lacks */
    sbuf_t listed; /* where they are drawn: their names */
} load_t;

static const st_tensor_t *take_name(load_t *l, const char *name) {
    const st_tensor_t *t = st_find(l->f, name);
    if (t) l->used[t - st_at(l->f, 0)] = true;
    return t;
}

/* With the prefix or without; both would be two tensors for one param. */
static const st_tensor_t *take_either(load_t *l, const char *name) {
    const st_tensor_t *bare = take_name(l, name);
    const st_tensor_t *full = take_name(l, arena_printf(l->s->arena, PREFIX "%s", name));
    if (bare && full)
        diag_error(l->d, IN_FILE(st_path(l->f)), "holds both '%s' and '" PREFIX "%s'", name, name);
    return full ? full : bare;
}

static const st_tensor_t *find_param(load_t *l, const char *name) {
    if (!has_two_names(name)) return take_either(l, name);
    const st_tensor_t *first = take_either(l, bias_names[0]),
                      *second = take_either(l, bias_names[1]);
    return first ? first : second;
}

/* What is a task's own, and not the model's below. */
static bool is_of_head(const char *name) {
    static const char *const heads[] = {"lm_head.", "classifier.", "qa_outputs."};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (starts_with(name, heads[i])) return true;
    return false;
}

/* Of a head that was made for something else, a classifier's number of labels most of all. */
static void explain_head(const load_t *l, const tensor_t *t, const st_tensor_t *from) {
    if (!is_of_head(t->name) || shape_fits(t, from)) return;
    bool labels = starts_with(t->name, "classifier.out_proj.") && from->rank == t->rank &&
                  (t->rank < 2 || from->shape[1] == t->shape[1]);
    const char *fresh = l->o->fills ? "--set train.new_head=true draws another head" : "";
    if (labels)
        diag_hint(l->d, "--set num_labels=%lld takes the head as it is%s%s",
                  (long long)from->shape[0], *fresh ? "; " : "", fresh);
    else if (*fresh) diag_hint(l->d, "%s", fresh);
}

static void load_param(load_t *l, tensor_t *t) {
    const st_tensor_t *from = find_param(l, t->name);
    if (from && !(l->o->new_head && is_of_head(t->name))) {
        if (!store_take(l->s, t, from, st_path(l->f), l->d)) explain_head(l, t, from);
        return;
    }
    if (l->missing++ >= MAX_REPORTS) return;
    if (l->o->fills) sbuf_printf(&l->listed, "%s%s", l->missing > 1 ? ", " : "", t->name);
    else diag_error(l->d, IN_FILE(st_path(l->f)), "tensor '%s' is missing", t->name);
}

/* What load_param() found missing: errors, or new values for it. */
static void settle_missing(load_t *l, const spec_t *spec) {
    if (l->missing == 0) return;
    const char *path = st_path(l->f);
    int more = l->missing > MAX_REPORTS ? l->missing - MAX_REPORTS : 0;
    if (l->o->fills) {
        sbuf_t rest = {0};
        if (more) sbuf_printf(&rest, " and %d more", more);
        diag_warning(l->d, IN_FILE(path), "%s %d tensor%s of this model, drawn at random: %s%s",
                     l->o->new_head ? "is not taken for" : "lacks", l->missing,
                     l->missing > 1 ? "s" : "", l->listed.data, more ? rest.data : "");
        sbuf_free(&rest);
        (void)store_random(l->s, spec, l->o->fill_seed, l->d);
        return;
    }
    if (more) diag_error(l->d, IN_FILE(path), "%d more tensors are missing", more);
    diag_hint(l->d, "is this a checkpoint of the model that the spec describes?");
}

/* Tensors that nobody asked for: one warning, however many there are. */
static void report_unknown(const load_t *l) {
    size_t n = 0, first = 0;
    for (size_t i = st_count(l->f); i-- > 0;) {
        const char *name = st_at(l->f, i)->name;
        if (l->used[i] || is_mask_buffer(name)) continue;
        n++;
        first = i;
    }
    if (n == 0) return;
    char name[SHOWN_BYTES];
    shown_name(st_at(l->f, first)->name, name);
    if (n == 1)
        diag_warning(l->d, IN_FILE(st_path(l->f)), "tensor '%s' has no place in this model", name);
    else
        diag_warning(l->d, IN_FILE(st_path(l->f)),
                     "%zu tensors have no place in this model, the first is '%s'", n, name);
}

static bool is_there(const load_t *l, const char *name) {
    return st_find(l->f, name) || st_find(l->f, arena_printf(l->s->arena, PREFIX "%s", name));
}

/* A file of another model altogether: one line, not one for every tensor. */
static bool has_any(load_t *l) {
    const char *wanted = NULL;
    for (size_t i = 0; i < l->s->n; i++) {
        const char *name = l->s->tensors[i].name;
        int layer;
        if (names_rotations(name, &layer)) continue;
        if (is_there(l, name) || (has_two_names(name) && is_there(l, bias_names[0]))) return true;
        if (!wanted) wanted = name;
    }
    if (!wanted) return true;
    char name[SHOWN_BYTES];
    if (st_count(l->f) == 0)
        diag_error(l->d, IN_FILE(st_path(l->f)),
                   "holds no tensors, this model needs '%s' and others", wanted);
    else
        diag_error(l->d, IN_FILE(st_path(l->f)),
                   "none of its tensors is of this model: it has '%s' …, needed are '%s' …",
                   shown_name(st_at(l->f, 0)->name, name), wanted);
    return false;
}

static void load_all(store_t *s, const st_file_t *f, const spec_t *spec, const store_options_t *o,
                     diag_t *d) {
    load_t l = {.s = s, .f = f, .d = d, .o = o};
    int before = diag_errors(d);
    l.used = ARENA_ARRAY(s->arena, bool, st_count(l.f));
    if (st_unwrapped(f))
        diag_warning(d, IN_FILE(st_path(f)), "a wrapper's '%s' is taken off the tensors' names",
                     st_unwrapped(f));
    if (!has_any(&l)) return;
    for (size_t i = 0; i < s->n; i++) {
        int layer;
        if (!names_rotations(s->tensors[i].name, &layer)) {
            load_param(&l, &s->tensors[i]);
        } else {
            /* Files that `reformerc pack` wrote carry them; Hugging Face's do not. */
            const st_tensor_t *t = take_name(&l, s->tensors[i].name);
            if (t) (void)store_take(s, &s->tensors[i], t, st_path(f), d);
        }
    }
    if (!o->fills || diag_errors(d) == before) settle_missing(&l, spec);
    sbuf_free(&l.listed);
    report_unknown(&l);
}

static bool load_file(store_t *s, const char *path, const spec_t *spec, const store_options_t *o,
                      diag_t *d) {
    s->weights = st_open_weights(path, d);
    if (s->weights) load_all(s, s->weights, spec, o, d);
    return s->weights != NULL; /* store_load counts the errors */
}

/* A checkpoint folder stands for the file in it. NULL after an error. */
static const char *resolve(arena_t *a, const char *path, diag_t *d) {
    if (!is_directory(path)) return path;
    const char *file;
    if (!folder_weights(a, path, &file, d)) return NULL;
    if (!file) diag_error(d, IN_FILE(path), "holds no model.safetensors");
    return file;
}

/* ---- the store ------------------------------------------------------------------------------ */

static int by_name(const void *pa, const void *pb) {
    const tensor_t *const *a = pa, *const *b = pb;
    return strcmp((*a)->name, (*b)->name);
}

static void list_params(store_t *s, const graph_t *g) {
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
}

bool names_random(const char *text, uint64_t *seed, bool *bad_seed) {
    *seed = 0;
    *bad_seed = false;
    if (!starts_with(text, "random")) return false;
    const char *p = text + strlen("random");
    if (*p == 0) return true;
    if (*p++ != ':') return false;
    *bad_seed = *p == 0;
    for (; *p; p++) {
        if (*p < '0' || *p > '9' || __builtin_mul_overflow(*seed, UINT64_C(10), seed) ||
            __builtin_add_overflow(*seed, (uint64_t)(*p - '0'), seed))
            return *bad_seed = true;
    }
    return true;
}

/* What a file holds is in memory already, or fails there. */
bool store_fits(const graph_t *g, const char *path, diag_t *d) {
    uint64_t seed;
    bool bad_seed;
    if (!path || !names_random(path, &seed, &bad_seed)) return true;
    const gnode_t *largest = NULL;
    double sum = 0, most = 0, limit = (double)memory_limit();
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        if (n->op != G_PARAM) continue;
        double bytes = sizeof(float);
        for (int k = 0; k < n->rank; k++) bytes *= (double)n->shape[k].c;
        sum += bytes;
        if (bytes > most) most = bytes, largest = n;
    }
    if (sum <= limit) return true;
    diag_error(d, largest->at,
               "the weights take %.1f GiB (%.1f of them '%s'), there are %.1f GiB of memory",
               sum / GIB, most / GIB, largest->name, limit / GIB);
    return false;
}

static bool load_tensors(store_t *s, const graph_t *g, const store_options_t *o, diag_t *d) {
    const char *path = o->path;
    if (o->tensors) {
        load_all(s, o->tensors, g->spec, o, d);
        return true;
    }
    if (!path) {
        diag_error(d, NOWHERE, "no weights given");
        return false;
    }
    uint64_t seed;
    bool bad_seed;
    if (names_random(path, &seed, &bad_seed)) {
        if (bad_seed) {
            diag_error(d, NOWHERE,
                       "weights '%s': after 'random:' a whole number is needed, the seed", path);
            return false;
        }
        return store_random(s, g->spec, seed, d);
    }
    const char *file = resolve(s->arena, path, d);
    return file && load_file(s, file, g->spec, o, d);
}

store_t *store_load(const graph_t *g, const store_options_t *o, diag_t *d) {
    const char *doing = guard_doing("making room for the weights");
    arena_t *a = arena_new();
    store_t *s = ARENA_NEW(a, store_t);
    s->arena = a;
    list_params(s, g);
    int before = diag_errors(d);
    if (load_tensors(s, g, o, d)) store_rotations(s, g->spec, o, d);
    (void)guard_doing(doing);
    if (diag_errors(d) == before) return s;
    store_free(s);
    return NULL;
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

/* ---- what a file is ------------------------------------------------------------------------- */

weights_kind_t weights_kind_of(const st_file_t *f) {
    weights_kind_t k = {0};
    for (size_t i = 0; i < st_count(f); i++) {
        const char *name = st_at(f, i)->name, *bare = without_prefix(name);
        k.has_prefix |= bare != name;
        k.has_lm_head |= starts_with(bare, "lm_head.");
        k.has_classifier |= starts_with(bare, "classifier.");
        k.has_qa |= starts_with(bare, "qa_outputs.");
    }
    return k;
}

bool weights_kind(const char *path, weights_kind_t *k, diag_t *d) {
    *k = (weights_kind_t){0};
    uint64_t seed;
    bool bad_seed;
    if (names_random(path, &seed, &bad_seed))
        return true; /* a bad seed is reported when it is used */
    arena_t *a = arena_new();
    const char *file = resolve(a, path, d);
    st_file_t *f = file ? st_open_names(file, d) : NULL;
    if (f) *k = weights_kind_of(f);
    bool ok = f != NULL;
    st_close(f);
    arena_free(a);
    return ok;
}
