/* Attention of a step, shared by its files: one query per row and head against
 * what the cache holds. */
#ifndef REFORMERC_LOWER_STEP_ATTENTION_H
#define REFORMERC_LOWER_STEP_ATTENTION_H

#include "lower/cache.h"

enum { MAX_HEAD_VECTORS = 32 };

typedef struct {
    const attention_t *a;
    affine_t row, head, index, round;
    affine_t drawn;    /* LSH: place among rotations */
    value_t *position; /* of the token, i64 */
    buffer_t *scores;  /* [keys in whole vectors] */
    /* The same, of LSH keys of bf16: their sums, -1 where it is the token's own */
    buffer_t *squares;
    buffer_t *keys;               /* LSH [rounds][window]: positions of keys */
    buffer_t *rotated;            /* LSH [columns] */
    buffer_t *outs;               /* LSH [rounds][width] */
    buffer_t *weights;            /* LSH [rounds]: log-sum-exp */
    buffer_t *out;                /* [width] */
    int n;                        /* vectors of a head */
    value_t *q[MAX_HEAD_VECTORS]; /* of wider heads: none */
    /* Of bf16, LSH: |q|; its factor that keeps products from overflowing, and what makes it good.
     * Both kinds, from soften() on: what sums of p · v are multiplied by. */
    value_t *norm, *lessen, *raise, *scale;
} decode_step_t;

static inline value_t *i64(builder_t *b, int64_t x) {
    return b_iconst(b, SCALAR(E_I64), x);
}
static inline value_t *f32(builder_t *b, double x) {
    return b_const(b, SCALAR(E_F32), x);
}

/* Element d of the row's head in q, k and v. */
static inline affine_t in_row(const decode_step_t *s, int64_t d) {
    return ax_plus(ax_scale(s->head, s->a->head_stride), d);
}

/* ---- step_attention.c ------------------------------------------------------------------------ */

/* What a list of keys is made of: `n` places, some of which may be empty, and where each stands. */
typedef struct {
    int64_t n;
    value_t *(*valid)(lower_t *L, builder_t *b, decode_step_t *s, value_t *j); /* NULL: all */
    void (*at)(lower_t *L, builder_t *b, decode_step_t *s, value_t *j, affine_t *ix);
    buffer_t *from; /* [… key, value][half] */
    bool masks_self;
    void (*ahead)(lower_t *L, builder_t *b, decode_step_t *s,
                  value_t *j); /* NULL, or asks for what comes later */
} keys_t;

/* scores = q · key. */
void key_scores(lower_t *L, builder_t *b, decode_step_t *s, const keys_t *k);
/* scores → probabilities exp(s - L), of bf16 weights exp(s - shift), rounded; returns the
 * log-sum-exp L, in single precision as Hugging Face has it: rows that see only themselves
 * depend on its rounding (Q2). */
value_t *soften(lower_t *L, builder_t *b, decode_step_t *s, int64_t n);
/* sum of p · v, into row `ix` of `to`, whose last index is overwritten. */
void key_values(lower_t *L, builder_t *b, decode_step_t *s, const keys_t *k, buffer_t *to,
                affine_t *to_ix);
/* `n` vectors of a row in parts that registers hold, a loop over them where there are several. */
typedef void vectors_t(lower_t *L, builder_t *b, void *ctx, affine_t first, int n);
void for_vectors(lower_t *L, builder_t *b, int n, vectors_t *body, void *ctx);
/* Into the cache; `to` lacks the last two indices. */
void store_token(lower_t *L, builder_t *b, decode_step_t *s, value_t *scale, buffer_t *key,
                 buffer_t *to, const affine_t *to_ix);

builder_t open_step(lower_t *L, const attention_t *a, decode_step_t *s, const char *name);
/* if (the row gets a token), with its position and query; ended by end_row(),
 * which copies `out`. */
inst_t *if_row(lower_t *L, builder_t *b, decode_step_t *s);
void end_row(lower_t *L, builder_t *b, decode_step_t *s, inst_t *some);

/* ---- step_rounded.c: of keys and values of bf16 ---------------------------------------------- */

/* A vector of the query, from element `at` of the head on; of bf16 rounded. */
value_t *query_part(lower_t *L, builder_t *b, const decode_step_t *s, affine_t at);
/* |q| of a query of an LSH layer, and its factors. */
void measure_query(lower_t *L, builder_t *b, decode_step_t *s);
void rounded_scores(lower_t *L, builder_t *b, decode_step_t *s, const keys_t *k);
value_t *rounded_weights(lower_t *L, builder_t *b, decode_step_t *s, int64_t n);

/* ---- step_buckets.c -------------------------------------------------------------------------- */

/* The token joins its bucket; keys[round]: the tokens of its window. */
void find_window(lower_t *L, builder_t *b, const decode_step_t *s, affine_t round);
/* The row has reached a chunk: all its tokens, this one among them, get buckets.
 * `max`: how many there can be. */
void hash_all(lower_t *L, builder_t *b, decode_step_t *s, int64_t max);

#endif
