/* The layers of a spec. In: its keys. Out: what each layer is (spec_layer_t), where its values stood, which layers are alike. */
#include "spec/spec.h"

spec_layer_t spec_layer(const spec_t *s, int layer) {
    bool lsh = s->attn_layers[layer] == LAYER_LSH;
    spec_layer_t l = {
        .lsh = lsh,
        .num_attention_heads = s->num_attention_heads,
        .attention_head_size = s->attention_head_size,
        .feed_forward_size = s->feed_forward_size,
        .hidden_act = s->hidden_act,
        .chunk_length = lsh ? s->lsh_attn_chunk_length : s->local_attn_chunk_length,
        .num_chunks_before = lsh ? s->lsh_num_chunks_before : s->local_num_chunks_before,
        .num_chunks_after = lsh ? s->lsh_num_chunks_after : s->local_num_chunks_after,
        .num_hashes = lsh ? s->num_hashes : 1,
        .n_bucket_factors = lsh ? s->n_bucket_factors : 0,
    };
    for (int i = 0; i < l.n_bucket_factors; i++) l.num_buckets[i] = s->num_buckets[i];
    return l;
}

srcloc_t spec_layer_at(const spec_t *s, int layer, spec_key_t key) {
    (void)layer; /* all layers have the model's keys */
    return s->at[key];
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
           a->chunk_length == b->chunk_length && a->num_chunks_before == b->num_chunks_before &&
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

spec_t spec_of_layer(arena_t *a, const spec_t *s, int layer) {
    spec_t one = *s;
    one.n_layers = 1;
    one.attn_layers = ARENA_ARRAY(a, layer_kind_t, 1);
    one.attn_layers[0] = s->attn_layers[layer];
    return one;
}
