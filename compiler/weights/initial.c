/* Values that are drawn: random weights as Hugging Face initialises them, and hash rotations.
 *
 * Weights: Linear and Embedding N(0, initializer_range), biases 0, layer norms 1 and 0, axial
 * tables N(0, axial_norm_std); one stream of torch's generator through the params in the Graph's
 * order, those alone that a file lacks where it is to be filled up. Rotations (docs/semantics.md
 * 6.3): with hash_seed the generator is seeded before every layer, so layers of one shape have
 * equal ones; without it one stream serves the layers that draw, in order. */
#include <string.h>

#include "support/file.h"
#include "weights/names.h"
#include "weights/store_int.h"

static void fill(float *x, int64_t n, float value) {
    for (int64_t i = 0; i < n; i++) x[i] = value;
}

static void draw(torch_rng_t *g, float *x, int64_t n, double std) {
    torch_randn(g, x, (size_t)n);
    for (int64_t i = 0; i < n; i++) x[i] *= (float)std;
}

static bool initialise(store_t *s, tensor_t *t, torch_rng_t *g, const spec_t *spec, diag_t *d) {
    float *x = store_room(s, t, d);
    if (!x) return false;
    if (ends_with(t->name, "layer_norm.weight")) fill(x, t->elements, 1);
    else if (ends_with(t->name, ".bias")) fill(x, t->elements, 0);
    else if (is_axial_table(t->name)) draw(g, x, t->elements, spec->axial_norm_std);
    else draw(g, x, t->elements, spec->initializer_range);
    t->data = x;
    return true;
}

bool store_random(store_t *s, const spec_t *spec, uint64_t seed, diag_t *d) {
    torch_rng_t g;
    torch_seed(&g, seed);
    for (size_t i = 0; i < s->n; i++) {
        tensor_t *t = &s->tensors[i];
        int layer;
        if (t->data || names_rotations(t->name, &layer)) continue;
        if (!initialise(s, t, &g, spec, d)) return false;
    }
    return true;
}

/* ---- rotations ------------------------------------------------------------------------------ */

static bool hashes(const spec_t *spec, int layer) {
    return layer >= 0 && layer < spec->n_layers && spec_layer(spec, layer).lsh;
}

static const char *nearest(store_t *s, const char *name) {
    const char **names = ARENA_ARRAY(s->arena, const char *, s->n);
    size_t n = 0;
    int layer;
    for (size_t i = 0; i < s->n; i++)
        if (names_rotations(s->tensors[i].name, &layer)) names[n++] = s->tensors[i].name;
    return did_you_mean(name, names, n);
}

/* Rotations of an LSH layer that does not hash at this length are no mistake. */
static void take_rotations(store_t *s, const spec_t *spec, const st_tensor_t *from,
                           const char *path, diag_t *d) {
    int layer;
    tensor_t *t = store_tensor(s, from->name);
    if (names_rotations(from->name, &layer) && (t || hashes(spec, layer))) {
        if (t) (void)store_take(s, t, from, path, d);
        return;
    }
    char name[SHOWN_BYTES];
    diag_error(d, IN_FILE(path), "tensor '%s' is not the rotations of an LSH layer of this model",
               shown_name(from->name, name));
    const char *near = nearest(s, from->name);
    if (near) diag_hint(d, "did you mean '%s'?", near);
}

static bool read_rotations(store_t *s, const spec_t *spec, const char *path, diag_t *d) {
    int before = diag_errors(d);
    s->rotations = st_open(path, d);
    if (!s->rotations) return false;
    for (size_t i = 0; i < st_count(s->rotations) && diag_errors(d) - before < MAX_REPORTS; i++)
        take_rotations(s, spec, st_at(s->rotations, i), path, d);
    return diag_errors(d) == before;
}

bool store_rotations(store_t *s, const spec_t *spec, const store_options_t *o, diag_t *d) {
    if (o->rotations_path && !read_rotations(s, spec, o->rotations_path, d)) return false;
    torch_rng_t g;
    torch_seed(&g, o->seed);
    for (size_t i = 0; i < s->n; i++) {
        tensor_t *t = &s->tensors[i];
        int layer;
        if (t->data || !names_rotations(t->name, &layer)) continue;
        if (spec->has_hash_seed) torch_seed(&g, (uint64_t)spec->hash_seed);
        float *x = store_room(s, t, d);
        if (!x) return false;
        torch_randn(&g, x, (size_t)t->elements);
        t->data = x;
        t->drawn = !spec->has_hash_seed;
    }
    return true;
}
