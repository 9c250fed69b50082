/* --buckets: a safetensors file → buckets that are imposed on the layers that hash, every one
 * checked against the model. */
#include <stdlib.h>
#include <string.h>

#include "support/file.h"
#include "tensors/reader.h"

/* Round r has buckets r*N … (r+1)*N - 1; N counts one more for masked positions
 * when there are any. */
static bool check_buckets(const inputs_reader_t *r, const st_tensor_t *t, const int32_t *x,
                          int64_t n) {
    int64_t rounds = t->shape[2], padded = t->shape[3];
    for (int64_t i = 0; i < t->elements; i++) {
        int64_t round = i / padded % rounds, first = round * n, last = first + n - 1;
        if (x[i] >= first && x[i] <= last) continue;
        diag_error(r->d, IN_FILE(r->path), "%s = %d: round %lld has buckets %lld … %lld",
                   tensor_position_text(r->arena, t, i), x[i], (long long)round, (long long)first,
                   (long long)last);
        return false;
    }
    return true;
}

static bool read_layer_buckets(const inputs_reader_t *r, const gnode_t *hash, int64_t padded,
                               int32_t *out, bool *given) {
    const char *name = arena_printf(r->arena, "layers.%d.buckets", hash->layer);
    const st_tensor_t *t = st_find(r->file, name);
    int64_t want[4] = {r->in->batch, hash->heads, hash->rounds, padded};
    *given = t != NULL;
    if (!t) return true;
    if (t->rank != 4 || memcmp(t->shape, want, sizeof want) != 0)
        return tensor_wrong_shape(r, t, tensor_shape_text(r->arena, 4, want));
    int64_t n = 1;
    for (int i = 0; i < hash->n_factors; i++) n *= hash->factors[i];
    n += r->in->any_masked || padded > r->in->length;
    return st_to_i32(t, out, r->path, r->d) && check_buckets(r, t, out, n);
}

/* "layers.….buckets" */
static bool names_buckets(const char *name) {
    return strlen(name) > 15 && strncmp(name, "layers.", 7) == 0 && ends_with(name, ".buckets");
}

static bool names_lsh_layer(const inputs_reader_t *r, const char *name) {
    char *end;
    long layer = strtol(name + 7, &end, 10);
    return layer >= 0 && layer < r->facts->n_layers && facts_layer_is_lsh(r->facts, (int)layer) &&
           strcmp(name, arena_printf(r->arena, "layers.%ld.buckets", layer)) == 0;
}

static bool not_buckets(const inputs_reader_t *r, const char *name) {
    diag_error(r->d, IN_FILE(r->path), "%s: not layers.N.buckets of an LSH layer of this model",
               name);
    return false;
}

/* Buckets are those of LSH layers. What else `run --dump-activations` writes may stand beside them,
 * so that the outputs of one run impose their buckets on the next; a file without
 * any is a mistake. */
static bool check_bucket_names(const inputs_reader_t *r) {
    size_t found = 0;
    for (size_t i = 0; i < st_count(r->file); i++) {
        const char *name = st_at(r->file, i)->name;
        if (!names_buckets(name)) continue;
        if (!names_lsh_layer(r, name)) return not_buckets(r, name);
        found++;
    }
    return found > 0 || st_count(r->file) == 0 || not_buckets(r, st_at(r->file, 0)->name);
}

/* Layers that do not hash at this length have none to be imposed. */
static bool read_all_buckets(const inputs_reader_t *r, const graph_t *g, int64_t padded) {
    inputs_t *in = r->in;
    imposed_rows_t all = graph_imposed(g, NULL), before = {0, 0};
    in->buckets = ARENA_ARRAY(r->arena, int32_t, all.rows * padded + 1);
    in->buckets_given = ARENA_ARRAY(r->arena, uint8_t, all.hashes + 1);
    for (const gnode_t *n = NULL; (n = graph_next(g, G_LSH_HASH, n));) {
        bool given;
        if (!read_layer_buckets(r, n, padded, in->buckets + before.rows * padded, &given))
            return false;
        in->buckets_given[before.hashes] = given;
        graph_pass_imposed(g, n, &before);
    }
    return true;
}

bool inputs_read_buckets(inputs_t *in, arena_t *a, const plan_t *p, const char *path, diag_t *d) {
    st_file_t *file = st_open(path, d);
    if (!file) return false;
    inputs_reader_t r = {in, a, &p->facts, file, path, d};
    const variant_plan_t *v = plan_fitting(p, (size_t)in->length);
    if (!v) bug("an input of %lld tokens passed the checks", (long long)in->length);
    int64_t padded = variant_padded(v, in->length);
    bool ok = true, hashes = plan_hash(p) != NULL;
    if (!hashes && st_count(file) > 0) {
        diag_error(d, IN_FILE(path), "no layer of this model hashes");
        ok = false;
    }
    ok = ok && check_bucket_names(&r) && (!hashes || read_all_buckets(&r, v->graph, padded));
    st_close(file);
    return ok;
}
