/* Facts that follow from a spec and a length: its layers, padding, buckets, the greatest length.
 * Rules: Hugging Face's ReformerModel.forward (padding) and LSHSelfAttention._set_num_buckets. */
#include "spec/spec.h"

#include <math.h>

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

static int64_t gcd(int64_t a, int64_t b) {
    while (b) {
        int64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

int64_t spec_lcm(const spec_t *s) {
    int64_t lcm = 1;
    for (int i = 0; i < s->n_layers; i++) {
        int64_t chunk = spec_layer(s, i).chunk_length;
        lcm = lcm / gcd(lcm, chunk) * chunk;
    }
    return lcm;
}

int64_t spec_min_chunk(const spec_t *s) {
    int64_t least = INT64_MAX;
    for (int i = 0; i < s->n_layers; i++) {
        int64_t chunk = spec_layer(s, i).chunk_length;
        if (chunk < least) least = chunk;
    }
    return least;
}

int64_t spec_padded_length(const spec_t *s, int64_t length) {
    int64_t lcm = spec_lcm(s), rest = length % lcm;
    return rest != 0 && length > spec_min_chunk(s) ? length + lcm - rest : length;
}

int64_t spec_pad_token(const spec_t *s) {
    bool is = s->has_pad_token && s->pad_token_id >= 0 && s->pad_token_id < s->vocab_size;
    return is ? s->pad_token_id : -1;
}

/* Positions: the table of the absolute ones, and the axial grid. */
int64_t spec_positions(const spec_t *s) {
    int64_t most = s->max_position_embeddings, grid = 1;
    if (!s->axial_pos_embds) return most;
    for (int i = 0; i < s->n_axial && grid < most; i++)
        if (__builtin_mul_overflow(grid, s->axial_pos_shape[i], &grid)) grid = INT64_MAX;
    return grid < most ? grid : most;
}

/* Multiples of the lcm pad to themselves; sequences up to the shortest chunk are never padded. */
int64_t spec_max_length(const spec_t *s) {
    int64_t most = spec_positions(s), minc = spec_min_chunk(s);
    int64_t padded = most - most % spec_lcm(s), whole = minc < most ? minc : most;
    return padded > whole ? padded : whole;
}

static int64_t integer_root(int64_t v) {
    int64_t r = (int64_t)sqrt((double)v);
    while (r * r > v) r--;
    while ((r + 1) * (r + 1) <= v) r++;
    return r;
}

/* Hugging Face's choice: about two buckets per chunk, a power of two, in two factors once it is
 * large. A length of less than a chunk counts as one: there nothing is hashed before more come. */
static int automatic_buckets(const spec_t *s, int64_t chunk, int64_t padded_length,
                             int64_t factors[MAX_FACTORS]) {
    int64_t chunks = padded_length / chunk;
    int power = 0;
    if (chunks < 1) chunks = 1;
    while ((int64_t)2 << power <= 2 * chunks) power++;
    int64_t root = integer_root(s->max_position_embeddings / chunk);
    int64_t limit = 2 * (root > chunk ? root : chunk);
    if ((int64_t)1 << power <= limit) {
        factors[0] = (int64_t)1 << power;
        return 1;
    }
    factors[0] = (int64_t)1 << (power / 2);
    factors[1] = (int64_t)1 << (power - power / 2);
    return 2;
}

int spec_bucket_factors(const spec_t *s, int layer, int64_t padded_length,
                        int64_t factors[MAX_FACTORS]) {
    spec_layer_t l = spec_layer(s, layer);
    if (l.n_bucket_factors == 0)
        return automatic_buckets(s, l.chunk_length, padded_length, factors);
    for (int i = 0; i < l.n_bucket_factors; i++) factors[i] = l.num_buckets[i];
    return l.n_bucket_factors;
}
