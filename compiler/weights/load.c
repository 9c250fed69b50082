/* The weights of one model out of files.
 *
 * In: the params of a Graph, which say what must be there; a safetensors file or checkpoint folder,
 * or "random[:SEED]"; perhaps a file of rotations. Out: the store (store.c) with a value for each.
 * Names (docs/semantics.md 2): `reformer.` present or absent, the mask-value buffers ignored, the
 * bias of the LM head under either or both of its names, axial tables with Hugging
 * Face's dimensions of 1. */
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

/* Scalar buffers that Hugging Face saves with the weights; their values are constants. */
static bool is_mask_buffer(const char *name) {
    const char *last = strrchr(name, '.');
    last = last ? last + 1 : name;
    return starts_with(last, "mask_value_float") || starts_with(last, "self_mask_value_float");
}

/* One parameter with two names: first the one that counts where both stand. Transformers 5 trains
 * the second's namesake no more, and saves what it was at the start. */
static const char *const bias_names[] = {"lm_head.decoder.bias", "lm_head.bias"};

static bool has_two_names(const char *name) {
    return strcmp(name, bias_names[0]) == 0 || strcmp(name, bias_names[1]) == 0;
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
    if (!is_of_head(t->name) || store_fits_shape(t, from)) return;
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

/* ---- all of them ---------------------------------------------------------------------------- */

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
    double sum = 0, max = 0, limit = (double)memory_limit();
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        if (n->op != G_PARAM) continue;
        double bytes = sizeof(float);
        for (int k = 0; k < n->rank; k++) bytes *= (double)n->shape[k].c;
        sum += bytes;
        if (bytes > max) max = bytes, largest = n;
    }
    if (sum <= limit) return true;
    diag_error(d, largest->at,
               "the weights take %.1f GiB (%.1f of them '%s'), there are %.1f GiB of memory",
               sum / GIB, max / GIB, largest->name, limit / GIB);
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
    store_t *s = store_new(g);
    int before = diag_errors(d);
    if (load_tensors(s, g, o, d)) store_rotations(s, g->spec, o, d);
    (void)guard_doing(doing);
    if (diag_errors(d) == before) return s;
    store_free(s);
    return NULL;
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
