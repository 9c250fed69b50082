/* The evaluator's LSH hashing and sorting: docs/semantics.md 6.3 and 6.4.
 *
 * In: queries-and-keys, rotations, mask. Out: a bucket per head, round and token, and the order
 * of all rounds' tokens by bucket. Buckets can be imposed (io->buckets): then nothing is
 * computed. */
#include <math.h>
#include <string.h>

#include "graph/evaluate_ops.h"
#include "support/heap.h"

typedef struct {
    int64_t buckets; /* per round, the one for padding not counted */
    int64_t offset;  /* from round to round: buckets, plus one when anything is padding */
} hash_size_t;

int64_t eval_buckets(const gnode_t *n) {
    int64_t buckets = 1;
    for (int i = 0; i < n->n_factors; i++) buckets *= n->factors[i];
    return buckets;
}

static hash_size_t hash_size(const gnode_t *n, const eval_value_t *mask) {
    hash_size_t s = {eval_buckets(n), eval_buckets(n)};
    for (int64_t k = 0; mask && k < mask->elements; k++)
        if (mask->i[k] == 0) s.offset = s.buckets + 1;
    return s;
}

static double norm(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += x[k] * x[k];
    return sqrt(sum);
}

/* argmax over (c, -c), the first of equals; *gap: largest minus second largest. A NaN is never the
 * largest; the first element is where all are NaN. */
static int64_t largest(const double *c, int64_t half, double *gap) {
    int64_t best = 0;
    double first = -INFINITY, second = -INFINITY;
    for (int64_t k = 0; k < 2 * half; k++) {
        double x = k < half ? c[k] : -c[k - half];
        if (x > first) {
            second = first;
            first = x;
            best = k;
        } else if (x > second) {
            second = x;
        }
    }
    *gap = first - second;
    return best;
}

/* rotated[c] = sum over d of qk[d] * rotation[d][round][c] */
static void rotate(const gnode_t *n, const double *qk, const float *rotation, int64_t columns,
                   double *rotated) {
    memset(rotated, 0, sizeof *rotated * (size_t)columns);
    for (int64_t d = 0; d < n->head_size; d++)
        for (int64_t c = 0; c < columns; c++)
            rotated[c] += qk[d] * rotation[d * n->rounds * columns + c];
}

/* The bucket of a rotated vector, and the least gap over the factors. */
static int64_t rotated_bucket(const gnode_t *n, const double *rotated, double *margin) {
    int64_t bucket = 0, scale = 1;
    *margin = INFINITY;
    for (int i = 0; i < n->n_factors; i++) {
        double gap;
        bucket += scale * largest(rotated, n->factors[i] / 2, &gap);
        if (gap < *margin) *margin = gap;
        scale *= n->factors[i];
        rotated += n->factors[i] / 2;
    }
    return bucket;
}

int64_t eval_bucket(const gnode_t *n, const float *rotations, int64_t head, int64_t round,
                    const double *x, double *margin) {
    int64_t columns = 0;
    for (int i = 0; i < n->n_factors; i++) columns += n->factors[i] / 2;
    double *rotated = eval_alloc(columns, sizeof *rotated);
    const float *rotation = rotations + (head * n->head_size * n->rounds + round) * columns;
    rotate(n, x, rotation, columns, rotated);
    int64_t bucket = rotated_bucket(n, rotated, margin);
    *margin /= norm(x, n->head_size);
    heap_free(rotated);
    return bucket;
}

/* No buckets_given: all that buckets holds. */
static bool is_imposed(const eval_t *e, int number) {
    const uint8_t *given = e->io->buckets_given;
    return given ? given[number] != 0 : e->io->buckets != NULL;
}

/* Copies this layer's part of io->buckets, laid out for the graph's batch. Round r must hold
 * buckets of round r, so that sorting keeps the rounds apart. */
static int impose(eval_t *e, const gnode_t *n, const hash_size_t *s, int64_t first_row,
                  eval_value_t *out) {
    if (!e->io->buckets) return REFORMER_E_ARGUMENT;
    const int32_t *from = e->io->buckets + first_row * e->padded;
    for (int64_t k = 0; k < out->elements; k++) {
        int64_t low = k / e->padded % n->rounds * s->offset;
        if (from[k] < low || from[k] >= low + s->offset) return REFORMER_E_ARGUMENT;
        out->i[k] = from[k];
    }
    return REFORMER_OK;
}

/* out: [rows][heads][rounds][padded]; margin: the same, or NULL */
static void hash_all(eval_t *e, const gnode_t *n, const hash_size_t *s, eval_value_t *out,
                     float *margin) {
    const eval_value_t *qk = eval_in(e, n, 0), *rotations = eval_in(e, n, 1),
                       *mask = eval_optional(e, n, 2);
    double own;
    for (int64_t at = 0; at < out->elements; at++) {
        int64_t token = at % e->padded, round = at / e->padded % n->rounds;
        int64_t head = at / e->padded / n->rounds % n->heads;
        int64_t row = at / e->padded / n->rounds / n->heads;
        const double *x = qk->f + ((row * e->padded + token) * n->heads + head) * n->head_size;
        bool masked = mask && mask->i[row * e->padded + token] == 0;
        int64_t bucket = eval_bucket(n, rotations->w, head, round, x, &own);
        out->i[at] = (int32_t)((masked ? s->buckets : bucket) + round * s->offset);
        if (margin) margin[at] = masked ? INFINITY : (float)own;
    }
}

int eval_lsh_hash(eval_t *e, const gnode_t *n, eval_value_t *out) {
    hash_size_t s = hash_size(n, eval_optional(e, n, 2));
    imposed_rows_t before = e->imposed;
    if (is_imposed(e, before.hashes)) return impose(e, n, &s, before.rows, out);
    float *margin = e->margin ? eval_alloc(out->elements, sizeof *margin) : NULL;
    hash_all(e, n, &s, out, margin);
    if (margin) e->margin(e->margin_ctx, n, margin, out->elements);
    heap_free(margin);
    return REFORMER_OK;
}

/* Without round offsets. */
int eval_pack_buckets(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *buckets = eval_in(e, n, 0);
    hash_size_t s = hash_size(n, eval_optional(e, n, 1));
    int64_t rounds = out->shape[2];
    for (int64_t k = 0; k < out->elements; k++)
        out->i[k] = buckets->i[k] - (int32_t)(k / e->padded % rounds * s.offset);
    return REFORMER_OK;
}

/* As if anything were padding: that keeps rounds apart too. */
int eval_unpack_buckets(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *packed = eval_in(e, n, 0);
    int64_t rounds = out->shape[2], offset = eval_buckets(n) + 1;
    for (int64_t k = 0; k < out->elements; k++)
        out->i[k] = packed->i[k] + (int32_t)(k / e->padded % rounds * offset);
    return REFORMER_OK;
}

/* By counting. */
void eval_sort_stably(const int32_t *keys, int64_t n, int32_t *order) {
    int32_t max = 0;
    for (int64_t k = 0; k < n; k++)
        if (keys[k] > max) max = keys[k];
    int64_t *first = eval_alloc((int64_t)max + 2, sizeof *first);
    for (int64_t k = 0; k < n; k++) first[keys[k] + 1]++;
    for (int64_t v = 0; v < max; v++) first[v + 1] += first[v];
    for (int64_t k = 0; k < n; k++) order[first[keys[k]]++] = (int32_t)k;
    heap_free(first);
}

/* buckets [rows][heads][rounds][padded] → order [rows][heads][rounds * padded] */
int eval_lsh_sort(eval_t *e, const gnode_t *n, eval_value_t *out) {
    const eval_value_t *buckets = eval_in(e, n, 0);
    int64_t slots = out->shape[2];
    for (int64_t at = 0; at < buckets->elements; at += slots)
        eval_sort_stably(buckets->i + at, slots, out->i + at);
    return REFORMER_OK;
}
