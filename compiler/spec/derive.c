/* Facts that follow from a spec and a length: padding, buckets, the greatest length.
 * Rules: Hugging Face's ReformerModel.forward (padding) and LSHSelfAttention._set_num_buckets. */
#include "spec/spec.h"

#include <math.h>

#define MAX_LCM (INT64_C(1) << 41) /* above what two keys make; 2^20 times it is no overflow */

static int64_t gcd(int64_t a, int64_t b) {
    while (b) {
        int64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/* Chunks of many lengths have no common multiple that counts: it ends at the limit. */
int64_t spec_lcm(const spec_t *s) {
    int64_t lcm = 1;
    for (int i = 0; i < s->n_layers && lcm < MAX_LCM; i++) {
        int64_t chunk = spec_layer(s, i).chunk_length;
        lcm = lcm / gcd(lcm, chunk) * chunk;
    }
    return lcm < MAX_LCM ? lcm : MAX_LCM;
}

int64_t spec_min_chunk(const spec_t *s) {
    int64_t min = INT64_MAX;
    for (int i = 0; i < s->n_layers; i++) {
        int64_t chunk = spec_layer(s, i).chunk_length;
        if (chunk < min) min = chunk;
    }
    return min;
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
    int64_t max = s->max_position_embeddings, grid = 1;
    if (!s->axial_pos_embds) return max;
    for (int i = 0; i < s->n_axial && grid < max; i++)
        if (__builtin_mul_overflow(grid, s->axial_pos_shape[i], &grid)) grid = INT64_MAX;
    return grid < max ? grid : max;
}

/* Multiples of the lcm pad to themselves; sequences up to the shortest chunk are never padded. */
int64_t spec_max_length(const spec_t *s) {
    int64_t max = spec_positions(s), minc = spec_min_chunk(s);
    int64_t padded = max - max % spec_lcm(s), whole = minc < max ? minc : max;
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
