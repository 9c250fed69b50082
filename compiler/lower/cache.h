/* The cache of generation, as kernels of prefills and steps see it: of all states with the same
 * attributes, parts that their layers share. Prefills and steps list their states in one order, so
 * they find them at the same places.
 *
 *   rings    a local layer's latest keys and values: position p stands at p mod window, so that the
 *            chunk of the next token and those before it are there, whatever came earlier
 *   records  an LSH layer's keys and values of all tokens
 *   early    of records that are rounded: a row's first tokens as they were projected. They get
 *            their buckets together, when there is a chunk of them
 *   places   an LSH layer's tokens by bucket. A new token is the last of its bucket, and its window
 *            reaches back by less than (1 + before) chunks and ahead by less than one: so of every
 *            bucket the first chunk of tokens and the latest (1 + before) chunks are all that any
 *            step will ask for, and appending costs the same however many there are. Token i of a
 *            bucket stands at i while i < first, at first + (i - first) mod latest beyond
 *   counts   tokens per bucket
 *
 * Keys of f32 are kept with their factor in the scores, of bf16 rounded, without it: rounded once
 * more they would not be those of a forward. Rows of the cache are computed apart and stand first
 * in every shape, within a token in records. */
#ifndef REFORMERC_LOWER_CACHE_H
#define REFORMERC_LOWER_CACHE_H

#include "lower/lower_int.h"

struct cache {
    const gnode_t *state;                        /* the first one */
    int count;                                   /* layers */
    buffer_t *rings, *counts, *places, *records; /* NULL: not of this kind, or no buckets */
    buffer_t *early;                             /* NULL: records are not rounded, or no buckets */
    bool rounded;                                /* keys and values are bf16, on every target */
    int64_t batch, positions;
    /* Elements from keys to values: head size in whole lines, of bf16 in halves of one */
    int64_t half;
    int64_t ring;          /* tokens */
    int64_t first, latest; /* tokens of a bucket that places keeps */
    int64_t window;        /* keys of a step in an LSH layer, per round */
    /* Hugging Face forgets how far the rounds' buckets lie apart (Q6). With its bookkeeping a token
     * may stand up to `shift` = rounds - 1 buckets lower than it hashed to, so there are so many
     * more, the first ones; behind the counts stands whether padding had buckets too. */
    bool as_huggingface;
    int64_t shift, buckets;
};

/* Makes the buffers of all states. False after errors in L->d: more kinds of them
 * than there are slots for. */
bool make_caches(lower_t *L, int64_t batch, int64_t positions);
/* Where a state stands: its kind, and its number there. */
const cache_t *cache_of(const lower_t *L, const gnode_t *state, int32_t *number);

int64_t key_width(const lower_t *L,
                  const attention_t *a); /* head size in whole vectors: beyond the head, zeros */

/* x, held between 0 and max, as an index that is provably so. */
value_t *within(builder_t *b, value_t *x, int64_t max);

/* Scale of the keys of LSH layers: `qk` is a row of at least key_width() floats. */
value_t *lsh_key_scale(lower_t *L, builder_t *b, const attention_t *a, buffer_t *qk,
                       const affine_t *ix);
/* to = [key * scale, value], of bf16 [key, value]: rows of key_width() elements at the indices,
 * whose last one is overwritten; `to` lacks the last two. scale NULL: of bf16. */
void put_key_value(lower_t *L, builder_t *b, const attention_t *a, buffer_t *key, affine_t *key_ix,
                   value_t *scale, buffer_t *value, affine_t *value_ix, buffer_t *to,
                   const affine_t *to_ix);

/* Puts a token's query_key, a row of key_width() floats as projected, among the early
 * ones, of which it must be. */
void put_early(lower_t *L, builder_t *b, const attention_t *a, buffer_t *qk, affine_t *qk_ix,
               const affine_t *to_ix);

/* One list of buckets: row of the cache, layer, head, round. */
typedef struct {
    affine_t row, index, head, round;
} bucket_at_t;
/* `padding`: whether padding has buckets too, i32; of Hugging Face's bookkeeping. */
void clear_buckets(builder_t *b, const cache_t *c, const bucket_at_t *at, value_t *padding);
/* Appends the token; both are i64, in range. */
void append_to_bucket(builder_t *b, const cache_t *c, const bucket_at_t *at, value_t *bucket,
                      value_t *token);
/* Where token `i` of a bucket stands in places, an index in range. */
value_t *place_in_bucket(builder_t *b, const cache_t *c, value_t *i);

/* ---- keep.c: what a prefill leaves in the cache ---------------------------------------------- */

/* Kernels `store_kv` and `append_to_buckets` of what a prefill keeps. */
void lower_keep(lower_t *L, attention_t *a);

#endif
