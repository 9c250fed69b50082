/* The evaluator's attentions: docs/semantics.md 6.4 to 6.7.
 *
 * All three are one: tokens stand in slots, slots are cut into chunks, and the query of a slot sees
 * the slots of its own chunk and of `before` and `after` chunks around it. LSH: slot = place in the
 * order of all rounds; local: slot = position; exact: one chunk that holds everything.
 *
 * Scores, masks, soft maximum are in double, except for the log-sum-exp of a query that sees no
 * key, or scores as far from 0: Hugging Face's rounding to single precision then decides the result
 * (Q1, Q2), so it is in float. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "graph/evaluate_attention.h"
#include "support/bf16.h"
#include "support/heap.h"

static const double MASKED = -1e9, SELF = EVAL_SELF; /* what scores are set to */

int64_t eval_flat(const eval_head_t *a, int64_t slot) {
    return a->order ? a->order[slot] : slot;
}

/* Four partial sums, so that the additions do not wait for each other. */
double eval_dot(const double *x, const double *y, int64_t n) {
    double s[4] = {0};
    int64_t k = 0;
    for (; k + 4 <= n; k += 4)
        for (int j = 0; j < 4; j++) s[j] += x[k + j] * y[k + j];
    for (; k < n; k++) s[0] += x[k] * y[k];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* Q3: chunk c + offset, around the ends; an offset of more than all chunks is no offset at all. */
static int64_t neighbour(int64_t c, int64_t offset, int64_t chunks) {
    if (offset > chunks || offset < -chunks) return c;
    return (c + offset + chunks) % chunks;
}

void eval_window(const eval_head_t *a, int64_t c, int64_t *positions) {
    for (int64_t o = -a->before; o <= a->after; o++) {
        int64_t from = neighbour(c, o, a->slots / a->chunk) * a->chunk;
        for (int64_t j = 0; j < a->chunk; j++) *positions++ = eval_flat(a, from + j) % a->length;
    }
}

double eval_score(const eval_head_t *a, int64_t query, int64_t key, bool *set) {
    *set = true;
    if (a->self_mask && query == key) return SELF;
    if ((a->mask && a->mask[key] == 0) || (a->causal && query < key)) return MASKED;
    *set = false;
    return eval_dot(a->q + query * a->stride, a->k + key * a->head_size, a->head_size);
}

/* Where |x| is greater, rounding of x to float is more than 1e-5. */
static const double FAR = 256;

/* log(sum) + max, rounded as Hugging Face rounds it where that shows. */
static double log_sum_exp(double sum, double max) {
    if (fabs(max) <= FAR) return log(sum) + max;
    return logf((float)sum) + (float)max;
}

double eval_soften(double *x, int64_t n) {
    double max = x[0], sum = 0;
    for (int64_t j = 1; j < n; j++)
        if (x[j] > max) max = x[j];
    for (int64_t j = 0; j < n; j++) sum += exp(x[j] - max);
    double lse = log_sum_exp(sum, max), top = fabs(max) <= FAR ? max : (double)(float)max;
    for (int64_t j = 0; j < n; j++) x[j] = exp((x[j] - max) + (top - lse));
    return lse;
}

double eval_kept_key(const eval_head_t *a, int64_t slot, int64_t width, int64_t j) {
    return eval_kept(a->e, a->n, PLACE_PROBABILITIES, a->n->rate,
                     dropout_element(a->first + slot, width, j));
}

/* Of bf16 the weights exp(score - shift) are factors of a product, and rounded as such; they are
 * divided by the sum of what is left of them. The shift decides what that is: the greatest score,
 * or in LSH layers |q|, which no score exceeds, while 2^-2|q| is a normal number and the row
 * sees others than itself. */
static const double MAX_SHIFT = 60 * 0.693147180559945309;

double eval_rounded_shift(double norm, double max) {
    return norm <= MAX_SHIFT && max > -FAR ? norm : max;
}

double eval_far(double x) {
    return fabs(x) <= FAR ? x : (double)(float)x;
}

double eval_soften_rounded(double *x, int64_t n, double norm) {
    double max = x[0], sum = 0;
    for (int64_t j = 1; j < n; j++)
        if (x[j] > max) max = x[j];
    double shift = eval_rounded_shift(norm, max);
    for (int64_t j = 0; j < n; j++) sum += x[j] = bf16_round((float)exp(x[j] - shift));
    double lse = log_sum_exp(sum, shift), top = eval_far(shift);
    for (int64_t j = 0; j < n; j++) x[j] *= exp(top - lse);
    return lse;
}

double eval_norm(const eval_head_t *a, int64_t query) {
    const double *q = a->q + query * a->stride;
    return a->self_mask ? sqrt(eval_dot(q, q, a->head_size)) : INFINITY;
}

static double soften_query(const eval_head_t *a, int64_t query, double *x, int64_t n) {
    return a->rounds ? eval_soften_rounded(x, n, eval_norm(a, query)) : eval_soften(x, n);
}

/* The query of a slot: `keys` are the positions of its window, p is room for as many numbers. */
static void attend_query(const eval_head_t *a, int64_t slot, const int64_t *keys, int64_t n,
                         double *p) {
    int64_t flat = eval_flat(a, slot), query = flat % a->length;
    bool set;
    for (int64_t j = 0; j < n; j++) p[j] = eval_score(a, query, keys[j], &set);
    a->lse[flat] = soften_query(a, query, p, n);
    if (!a->v) return;
    double *out = a->out + flat * a->head_size;
    memset(out, 0, sizeof *out * (size_t)a->head_size);
    for (int64_t j = 0; j < n; j++) {
        const double *v = a->v + keys[j] * a->stride;
        double weight = p[j] != 0 ? p[j] * eval_kept_key(a, slot, n, j) : 0;
        for (int64_t k = 0; weight != 0 && k < a->head_size; k++) out[k] += weight * v[k];
    }
}

static void attend(const eval_head_t *a) {
    int64_t width = (a->before + 1 + a->after) * a->chunk;
    int64_t *keys = eval_alloc(width, sizeof *keys);
    double *p = eval_alloc(width, sizeof *p);
    for (int64_t c = 0; c < a->slots / a->chunk; c++) {
        eval_window(a, c, keys);
        for (int64_t j = 0; j < a->chunk; j++) attend_query(a, c * a->chunk + j, keys, width, p);
    }
    heap_free(keys);
    heap_free(p);
}

/* ---- keys ---------------------------------------------------------------------------------- */

double eval_key_scale(const double *x, int64_t d, bool shared_qk) {
    double scale = 1 / sqrt((double)d);
    if (!shared_qk) return scale;
    double squares = eval_dot(x, x, d);
    if (squares > FLT_MAX && squares < INFINITY) return 0; /* Hugging Face's overflow: rsqrt(inf) */
    return scale / sqrt(squares / (double)d + 1e-6);
}

static void make_keys(const double *x, int64_t length, int64_t stride, int64_t d, bool shared_qk,
                      double *keys) {
    for (int64_t t = 0; t < length; t++) {
        double scale = eval_key_scale(x + t * stride, d, shared_qk);
        for (int64_t k = 0; k < d; k++) keys[t * d + k] = x[t * stride + k] * scale;
    }
}

/* ---- rounds -------------------------------------------------------------------------------- */

void eval_weigh_rounds(double *lse, int64_t rounds) {
    if (rounds == 1) {
        lse[0] = 1;
        return;
    }
    (void)eval_soften(lse, rounds);
}

/* to: [length] rows `stride` apart. */
static void combine_rounds(const eval_head_t *a, int64_t rounds, double *to) {
    double *weight = eval_alloc(rounds, sizeof *weight);
    for (int64_t t = 0; t < a->length; t++) {
        for (int64_t r = 0; r < rounds; r++) weight[r] = a->lse[r * a->length + t];
        eval_weigh_rounds(weight, rounds);
        for (int64_t r = 0; r < rounds; r++)
            for (int64_t k = 0; k < a->head_size; k++)
                to[t * a->stride + k] += weight[r] * a->out[(r * a->length + t) * a->head_size + k];
    }
    heap_free(weight);
}

/* ---- ops ----------------------------------------------------------------------------------- */

int64_t eval_head_at(const eval_t *e, const gnode_t *n, int64_t i) {
    return (i / n->heads * e->padded * n->heads + i % n->heads) * n->head_size;
}

eval_head_t eval_head(const eval_t *e, const gnode_t *n, const eval_heads_t *h, int64_t i,
                      double *keys) {
    int64_t d = n->head_size, stride = n->heads * d, slots = h->rounds * e->padded;
    int64_t row = i / n->heads, first = eval_head_at(e, n, i);
    make_keys(h->k->f + first, e->padded, stride, d, h->shared_qk, keys);
    return (eval_head_t){
        .slots = slots,
        .chunk = h->chunk,
        .before = h->before,
        .after = h->after,
        .head_size = d,
        .stride = stride,
        .order = h->order ? h->order->i + i * slots : NULL,
        .length = e->padded,
        .causal = n->causal,
        .self_mask = h->shared_qk,
        .rounds = h->rounded,
        .q = h->q->f + first,
        .k = keys,
        .v = h->v ? h->v->f + first : NULL,
        .mask = h->mask ? h->mask->i + row * e->padded : NULL,
        .e = e,
        .n = n,
        .first = (i + (e->dropout ? e->dropout->first_row * n->heads : 0)) * slots,
    };
}

/* lse [length]: of all rounds, `heads` apart. */
static void sum_rounds(const eval_head_t *a, int64_t rounds, int64_t heads, double *to) {
    double *lse = eval_alloc(rounds, sizeof *lse);
    for (int64_t t = 0; t < a->length; t++) {
        for (int64_t r = 0; r < rounds; r++) lse[r] = a->lse[r * a->length + t];
        to[t * heads] = rounds == 1 ? lse[0] : eval_soften(lse, rounds);
    }
    heap_free(lse);
}

static void run_heads(eval_t *e, const gnode_t *n, const eval_heads_t *h, eval_value_t *out) {
    int64_t d = n->head_size, slots = h->rounds * e->padded;
    double *keys = eval_alloc(e->padded * d, sizeof *keys);
    double *rounds_out = h->v ? eval_alloc(slots * d, sizeof *rounds_out) : NULL;
    double *lse = eval_alloc(slots, sizeof *lse);
    for (int64_t i = 0; i < e->rows * n->heads; i++) {
        eval_head_t a = eval_head(e, n, h, i, keys);
        a.out = rounds_out;
        a.lse = lse;
        attend(&a);
        if (h->v) combine_rounds(&a, h->rounds, out->f + eval_head_at(e, n, i));
        else
            sum_rounds(&a, h->rounds, n->heads,
                       out->f + i / n->heads * e->padded * n->heads + i % n->heads);
    }
    heap_free(keys);
    heap_free(rounds_out);
    heap_free(lse);
}

static const eval_value_t *next_if(const eval_t *e, const gnode_t *n, int *at, bool there) {
    return there ? eval_optional(e, n, (*at)++) : NULL;
}

eval_heads_t eval_lsh_heads(const eval_t *e, const gnode_t *n, int first, bool has_v) {
    eval_heads_t h = {.rounds = n->rounds,
                      .chunk = n->chunk,
                      .before = n->before,
                      .after = n->after,
                      .shared_qk = true,
                      .rounded = n->in[first]->type == G_BF16};
    h.q = h.k = eval_in(e, n, first++);
    h.v = next_if(e, n, &first, has_v);
    h.order = eval_in(e, n, first++);
    h.mask = eval_optional(e, n, first);
    return h;
}

static eval_heads_t apart(const eval_t *e, const gnode_t *n, int first, bool has_v) {
    eval_heads_t h = {.rounds = 1, .rounded = n->in[first]->type == G_BF16};
    h.q = eval_in(e, n, first++);
    h.k = eval_in(e, n, first++);
    h.v = next_if(e, n, &first, has_v);
    h.mask = eval_optional(e, n, first);
    return h;
}

eval_heads_t eval_local_heads(const eval_t *e, const gnode_t *n, int first, bool has_v) {
    eval_heads_t h = apart(e, n, first, has_v);
    h.chunk = n->chunk;
    h.before = n->before;
    h.after = n->after;
    return h;
}

eval_heads_t eval_exact_heads(const eval_t *e, const gnode_t *n, int first, bool has_v) {
    eval_heads_t h = apart(e, n, first, has_v);
    h.chunk = e->padded;
    h.shared_qk = n->shared_qk;
    return h;
}

typedef eval_heads_t heads_fn(const eval_t *e, const gnode_t *n, int first, bool has_v);

static int run_op(eval_t *e, const gnode_t *n, heads_fn *heads, bool has_v, eval_value_t *out) {
    eval_heads_t h = heads(e, n, 0, has_v);
    run_heads(e, n, &h, out);
    return REFORMER_OK;
}

int eval_lsh_attention(eval_t *e, const gnode_t *n, eval_value_t *out) {
    return run_op(e, n, eval_lsh_heads, true, out);
}
int eval_local_attention(eval_t *e, const gnode_t *n, eval_value_t *out) {
    return run_op(e, n, eval_local_heads, true, out);
}
int eval_exact_attention(eval_t *e, const gnode_t *n, eval_value_t *out) {
    return run_op(e, n, eval_exact_heads, true, out);
}
int eval_lsh_lse(eval_t *e, const gnode_t *n, eval_value_t *out) {
    return run_op(e, n, eval_lsh_heads, false, out);
}
int eval_local_lse(eval_t *e, const gnode_t *n, eval_value_t *out) {
    return run_op(e, n, eval_local_heads, false, out);
}
int eval_exact_lse(eval_t *e, const gnode_t *n, eval_value_t *out) {
    return run_op(e, n, eval_exact_heads, false, out);
}
