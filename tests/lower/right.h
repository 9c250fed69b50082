/* What is right: the value of a node in double, and by how much single precision may miss it.
 *
 * A few lines for each op, written from its definition (docs/semantics.md) and not from the reference evaluator. Bounds are
 * those of rounding: u = 2^-24 for each operation on a path, times the magnitude that the operands of that path sum up
 * to, and what the operands themselves may be off, carried on. Where nothing is rounded (sums of integers, a selected
 * column, places of a sort) a value must be met exactly. */
#ifndef REFORMERC_TESTS_RIGHT_H
#define REFORMERC_TESTS_RIGHT_H

#include "kernels.h"

typedef struct {
    double *v, *e; /* [elements]; e: most that a result may differ */
    int64_t elements;
} right_t;

/* Of node n, from those of its inputs in all[]; y has room. `got`, NULL: not known, is what a kernel found, which
 * decides where the argmax of a hash is within rounding. */
void right_value(const kernels_t *k, const right_t *all, const gnode_t *n, const double *got,
                 right_t *y);

/* A row of a cache, of a model with one layer: its tokens' keys and values as projected, [tokens][heads * head_size]. */
enum { MAX_TOKENS = 64 };
struct right_row {
    right_t k, v;
    int64_t tokens;
    bool hashed;
};

/* Whether the bounds are far below the values, or errors might hide in them. Of integers some may be the next ones. */
bool right_is_sharp(const right_t *y, bool integers);
double
right_magnitude(const right_t *y); /* root of the mean of squares, of those that are finite */

/* right_attention.c */
typedef struct {
    const kernels_t *k;
    const right_t *all;
    const gnode_t *n;
    const double *got;
    right_t *y;
    int64_t batch, length, padded;
} right_ctx_t;
void right_lsh_hash(const right_ctx_t *c);
void right_lsh_sort(const right_ctx_t *c);
void right_lsh_attention(const right_ctx_t *c);
void right_local_attention(const right_ctx_t *c);
void right_exact_attention(const right_ctx_t *c);
void right_lse(const right_ctx_t *c); /* right_gradient.c: nobody sees it but gradients */
void right_attention_grad(const right_ctx_t *c);

void right_lsh_step(const right_ctx_t *c); /* right_step.c */
void right_local_step(const right_ctx_t *c);

static inline const right_t *right_input(const right_ctx_t *c, int i) {
    return &c->all[c->n->in[i]->id];
}

/* A sum of products x * w, ex and ew: what they may be off. */
typedef struct {
    double v, e, size;
    int64_t n;
    bool whole, power; /* all products are whole; the last w was a power of two */
} sum_t;
#define SUM     ((sum_t){.whole = true})
#define RIGHT_U 0x1p-24
void sum_add(sum_t *s, double x, double ex, double w, double ew);
double sum_error(const sum_t *s); /* added up in single precision, in any order */

/* ---- parts of attention --------------------------------------------------------------------------- */

typedef struct {
    double s, e;
    int64_t key; /* token */
} score_t;

/* Where a head of a token begins, in arrays of heads. */
static inline int64_t right_at(const right_ctx_t *c, int64_t b, int64_t token, int64_t head) {
    return ((b * c->padded + token) * c->n->heads + head) * c->n->head_size;
}
double right_norm(const right_t *x, int64_t first, int64_t n);
score_t right_score(const right_ctx_t *c, const right_t *q, const right_t *k, int64_t b,
                    int64_t head, int64_t query, int64_t key, bool lsh);
/* From y[out] on: Σ exp(s) v / Σ exp(s) over n scores; `shift`: a bound of them that kernels may take off. */
void right_softmax(const right_ctx_t *c, const right_t *v, int64_t b, int64_t head,
                   const score_t *s, int64_t n, double shift, int64_t out);
/* The same of weights exp(s - shift) that are rounded to bf16; shift NAN: of several, or it is not known. */
void right_rounded_softmax(const right_ctx_t *c, const right_t *v, int64_t b, int64_t head,
                           const score_t *s, int64_t n, double shift, int64_t out);
/* Which shift that is: norm, of a row of an LSH layer, else infinite. */
double right_shift(const score_t *s, int64_t n, double norm, int64_t rounds);
/* Element i of x, rounded to bf16, into y. */
void right_round_element(const right_t *x, int64_t i, right_t *y);
bool right_is_masked(const right_ctx_t *c, const gnode_t *mask, int64_t b, int64_t token);
/* Chunk `chunk` + o of n on a ring; beyond one turn it is the chunk itself (6.4). */
int64_t right_neighbour(int64_t chunk, int64_t o, int64_t n);
/* Where token t stands among the places of a round, in the order of one head. */
int64_t right_place(const right_ctx_t *c, const double *order, int64_t round, int64_t t);
/* Q2: a row that sees itself alone, count[r] times in round r: the weight of its value. */
double right_self_weight(const int64_t *count, int64_t rounds);
/* Of token t; `got` ≥ 0 where it is one within rounding. */
int64_t right_bucket(const right_ctx_t *c, const right_t *qk, const gnode_t *rotations, int64_t b,
                     int64_t head, int64_t round, int64_t t, int64_t got);

#endif
