/* The layers of a spec: what each is, by the model's keys and by extensions.layers.
 *
 * In: the values of keys, and those that layers have of their own (layer_settings.c). Out: what
 * each layer is (spec_layer_t), where its values stood, which layers are alike. */
#include <string.h>

#include "spec/layers_int.h"

const spec_key_t layer_keys[] = {KEY_num_attention_heads,
                                 KEY_attention_head_size,
                                 KEY_feed_forward_size,
                                 KEY_hidden_act,
                                 KEY_lsh_attn_chunk_length,
                                 KEY_lsh_num_chunks_before,
                                 KEY_lsh_num_chunks_after,
                                 KEY_num_hashes,
                                 KEY_num_buckets,
                                 KEY_local_attn_chunk_length,
                                 KEY_local_num_chunks_before,
                                 KEY_local_num_chunks_after,
                                 KEY_compile_dtype,
                                 KEY_COUNT};
_Static_assert(sizeof layer_keys / sizeof *layer_keys == N_LAYER_KEYS + 1, "N_LAYER_KEYS");

/* By key: the kind of layer that has it, and the bytes of spec_layer_t that it says. */
#define PART(kind, member)                                                                         \
    { kind, offsetof(spec_layer_t, member), sizeof(((spec_layer_t *)0)->member) }
static const struct {
    layer_of_t kind;
    size_t at, size;
} parts[N_LAYER_KEYS] = {
    PART(ANY_LAYER, num_attention_heads),
    PART(ANY_LAYER, attention_head_size),
    PART(ANY_LAYER, feed_forward_size),
    PART(ANY_LAYER, hidden_act),
    PART(LSH_LAYER, chunk_length),
    PART(LSH_LAYER, num_chunks_before),
    PART(LSH_LAYER, num_chunks_after),
    PART(LSH_LAYER, num_hashes),
    /* the last two members */
    {LSH_LAYER, offsetof(spec_layer_t, n_bucket_factors),
     sizeof(spec_layer_t) - offsetof(spec_layer_t, n_bucket_factors)},
    PART(LOCAL_LAYER, chunk_length),
    PART(LOCAL_LAYER, num_chunks_before),
    PART(LOCAL_LAYER, num_chunks_after),
    PART(ANY_LAYER, dtype),
};

layer_of_t layer_of_key(int k) {
    return parts[k].kind;
}

const layer_own_t *layer_own(const spec_t *s, int layer) {
    const struct layer_settings *l = s->extensions.layers;
    return l && layer < l->n ? l->of[layer] : NULL;
}

/* ---- what a layer is ------------------------------------------------------------------------- */

spec_layer_t layer_of_model(const spec_t *s, int layer) {
    bool lsh = s->attn_layers[layer] == LAYER_LSH;
    spec_layer_t l = {
        .lsh = lsh,
        .num_attention_heads = s->num_attention_heads,
        .attention_head_size = s->attention_head_size,
        .feed_forward_size = s->feed_forward_size,
        .hidden_act = s->hidden_act,
        .dtype = s->compile.dtype,
        .chunk_length = lsh ? s->lsh_attn_chunk_length : s->local_attn_chunk_length,
        .num_chunks_before = lsh ? s->lsh_num_chunks_before : s->local_num_chunks_before,
        .num_chunks_after = lsh ? s->lsh_num_chunks_after : s->local_num_chunks_after,
        .num_hashes = lsh ? s->num_hashes : 1,
    };
    if (!lsh) return l;
    l.n_bucket_factors = s->n_bucket_factors;
    memcpy(l.num_buckets, s->num_buckets, sizeof s->num_buckets);
    return l;
}

spec_layer_t spec_layer(const spec_t *s, int layer) {
    spec_layer_t l = layer_of_model(s, layer);
    const layer_own_t *own = layer_own(s, layer);
    for (int k = 0; own && k < N_LAYER_KEYS; k++)
        if (own->given[k])
            memcpy((char *)&l + parts[k].at, (const char *)&own->values + parts[k].at,
                   parts[k].size);
    return l;
}

dtype_t spec_dtype(const spec_t *s, int layer) {
    return layer < 0 || layer >= s->n_layers ? s->compile.dtype : spec_layer(s, layer).dtype;
}

bool spec_has_dtype(const spec_t *s, dtype_t dtype) {
    for (int i = -1; i < s->n_layers; i++)
        if (spec_dtype(s, i) == dtype) return true;
    return false;
}

/* NULL: the layer has no value of its own. */
static const srcloc_t *own_at(const spec_t *s, int layer, spec_key_t key) {
    const layer_own_t *own = layer_own(s, layer);
    for (int k = 0; own && k < N_LAYER_KEYS; k++)
        if (layer_keys[k] == key && own->given[k]) return &own->at[k];
    return NULL;
}

bool spec_layer_has(const spec_t *s, int layer, spec_key_t key) {
    return own_at(s, layer, key) != NULL;
}

srcloc_t spec_layer_at(const spec_t *s, int layer, spec_key_t key) {
    const srcloc_t *own = own_at(s, layer, key);
    return own ? *own : s->at[key];
}

window_keys_t spec_window_keys(bool lsh) {
    static const window_keys_t keys[] = {
        {KEY_local_attn_chunk_length, KEY_local_num_chunks_before, KEY_local_num_chunks_after},
        {KEY_lsh_attn_chunk_length, KEY_lsh_num_chunks_before, KEY_lsh_num_chunks_after}};
    return keys[lsh];
}

int spec_layers_of(const spec_t *s, bool lsh) {
    int n = 0;
    for (int i = 0; i < s->n_layers; i++) n += (s->attn_layers[i] == LAYER_LSH) == lsh;
    return n;
}

int spec_first_layer(const spec_t *s, bool lsh) {
    for (int i = 0; i < s->n_layers; i++)
        if ((s->attn_layers[i] == LAYER_LSH) == lsh) return i;
    return -1;
}

static bool same_layers(const spec_layer_t *a, const spec_layer_t *b) {
    for (int i = 0; i < a->n_bucket_factors && a->n_bucket_factors == b->n_bucket_factors; i++)
        if (a->num_buckets[i] != b->num_buckets[i]) return false;
    return a->lsh == b->lsh && a->num_attention_heads == b->num_attention_heads &&
           a->attention_head_size == b->attention_head_size &&
           a->feed_forward_size == b->feed_forward_size && a->hidden_act == b->hidden_act &&
           a->dtype == b->dtype && a->chunk_length == b->chunk_length &&
           a->num_chunks_before == b->num_chunks_before &&
           a->num_chunks_after == b->num_chunks_after && a->num_hashes == b->num_hashes &&
           a->n_bucket_factors == b->n_bucket_factors;
}

int spec_layer_forms(const spec_t *s, int *first) {
    int n = 0;
    for (int i = 0; i < s->n_layers; i++) {
        spec_layer_t l = spec_layer(s, i);
        int k = 0;
        for (; k < n; k++) {
            spec_layer_t other = spec_layer(s, first[k]);
            if (same_layers(&l, &other)) break;
        }
        if (k == n) first[n++] = i;
    }
    return n;
}

void layer_to_model(spec_t *s, const spec_layer_t *l) {
    s->num_attention_heads = l->num_attention_heads;
    s->attention_head_size = l->attention_head_size;
    s->feed_forward_size = l->feed_forward_size;
    s->hidden_act = l->hidden_act;
    s->compile.dtype = l->dtype;
    *(l->lsh ? &s->lsh_attn_chunk_length : &s->local_attn_chunk_length) = l->chunk_length;
    *(l->lsh ? &s->lsh_num_chunks_before : &s->local_num_chunks_before) = l->num_chunks_before;
    *(l->lsh ? &s->lsh_num_chunks_after : &s->local_num_chunks_after) = l->num_chunks_after;
    if (!l->lsh) return;
    s->num_hashes = l->num_hashes;
    s->n_bucket_factors = l->n_bucket_factors;
    memcpy(s->num_buckets, l->num_buckets, sizeof s->num_buckets);
}

spec_t spec_of_layer(arena_t *a, const spec_t *s, int layer) {
    spec_t one = *s;
    spec_layer_t l = spec_layer(s, layer);
    layer_to_model(&one, &l);
    one.extensions.layers = NULL;
    one.n_layers = 1;
    one.attn_layers = ARENA_ARRAY(a, layer_kind_t, 1);
    one.attn_layers[0] = s->attn_layers[layer];
    return one;
}
