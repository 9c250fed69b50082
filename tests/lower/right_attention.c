/* Hash, sort and the attentions. See right.h.
 *
 * A softmax is right to a factor of exp of what its scores may be off: twice the largest such error, and what the
 * exponential, its argument (a score less a shift: the largest score, or |q| |k|), the sums over keys and the products
 * with the values round.
 *
 * Of bf16 the weights exp(score - shift) are rounded. Where what one may be off, to a factor, does not reach the next
 * number that is as near to two bfloat16, the rounded one is exact; where it does, it may be the other. */
#include "right.h"

#include <float.h>
#include <math.h>

#include "support/bf16.h"

bool right_is_masked(const right_ctx_t *c, const gnode_t *mask, int64_t b, int64_t token) {
    return mask && c->all[mask->id].v[b * c->padded + token] == 0;
}

double right_norm(const right_t *x, int64_t first, int64_t n) {
    double squares = 0;
    for (int64_t i = first; i < first + n; i++) squares += x->v[i] * x->v[i];
    return sqrt(squares);
}

/* ---- softmax ----------------------------------------------------------------------------------------- */

score_t right_score(const right_ctx_t *c, const right_t *q, const right_t *k, int64_t b,
                    int64_t head, int64_t query, int64_t key, bool lsh) {
    int64_t d = c->n->head_size, qi = right_at(c, b, query, head), ki = right_at(c, b, key, head);
    double size = right_norm(k, ki, d);
    double factor = (lsh ? 1 / sqrt(size * size / (double)d + 1e-6) : 1) / sqrt((double)d);
    sum_t s = SUM;
    for (int64_t i = 0; i < d; i++)
        sum_add(&s, q->v[qi + i], q->e[qi + i], k->v[ki + i], k->e[ki + i]);
    double e = (sum_error(&s) + RIGHT_U * s.size * (double)(4 + (lsh ? d + 8 : 0))) * factor;
    return (score_t){s.v * factor, e, key};
}

void right_softmax(const right_ctx_t *c, const right_t *v, int64_t b, int64_t head,
                   const score_t *s, int64_t n, double shift, int64_t out) {
    double max = -INFINITY, e = 0, total = 0, size = shift;
    for (int64_t i = 0; i < n; i++) {
        max = fmax(max, s[i].s);
        e = fmax(e, s[i].e);
        size = fmax(size, fabs(s[i].s));
    }
    for (int64_t i = 0; i < n; i++) total += exp(s[i].s - max);
    double relative = 2 * e + RIGHT_U * (16 * size + 4 * (double)n + 64);
    for (int64_t j = 0; j < c->n->head_size; j++) {
        double sum = 0, off = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t vi = right_at(c, b, s[i].key, head) + j;
            double p = exp(s[i].s - max) / total;
            sum += p * v->v[vi];
            off += p * (fabs(v->v[vi]) * relative + v->e[vi]);
        }
        c->y->v[out + j] = sum;
        c->y->e[out + j] = off + FLT_MIN;
    }
}

/* What a weight is, and what it may be off. */
typedef struct {
    double v, e;
} weight_t;

static weight_t rounded_weight(double w, double relative, bool known) {
    double v = (double)bf16_round((float)w), min = 2 * FLT_MIN;
    if (!known) return (weight_t){w, w * (0x1p-8 + relative) + min};
    double above = (double)bf16_round((float)(w * (1 + relative))) - v;
    double below = v - (double)bf16_round((float)(w * (1 - relative)));
    return (weight_t){v, fmax(above, below) + min};
}

void right_rounded_softmax(const right_ctx_t *c, const right_t *v, int64_t b, int64_t head,
                           const score_t *s, int64_t n, double shift, int64_t out) {
    double max = -INFINITY, e = 0, total = 0, loose = 0, size = isnan(shift) ? 0 : fabs(shift);
    for (int64_t i = 0; i < n; i++) {
        max = fmax(max, s[i].s);
        e = fmax(e, s[i].e);
        size = fmax(size, fabs(s[i].s));
    }
    double from = isnan(shift) ? max : shift, relative = 2 * e + RIGHT_U * (16 * size + 64);
    weight_t *w = ARENA_ARRAY(c->k->arena, weight_t, n);
    for (int64_t i = 0; i < n; i++) {
        w[i] = rounded_weight(exp(s[i].s - from), relative, !isnan(shift));
        total += w[i].v;
        loose += w[i].e;
    }
    for (int64_t j = 0; j < c->n->head_size; j++) {
        double sum = 0, off = 0;
        for (int64_t i = 0; i < n; i++)
            sum += w[i].v / total * v->v[right_at(c, b, s[i].key, head) + j];
        for (int64_t i = 0; i < n; i++) {
            int64_t vi = right_at(c, b, s[i].key, head) + j;
            double sums = RIGHT_U * (double)(4 * n + 64) * fabs(v->v[vi]);
            off += w[i].v / total * (sums + v->e[vi]);
            off += w[i].e * (fabs(v->v[vi] - sum) + v->e[vi]) / (total - loose);
        }
        c->y->v[out + j] = sum;
        c->y->e[out + j] = total > loose ? off + FLT_MIN : INFINITY;
    }
}

/* The greatest score, or in LSH layers |q|, as long as 2^-2|q| is a normal number; every round has a greatest of its own. */
double right_shift(const score_t *s, int64_t n, double norm, int64_t rounds) {
    static const double max_norm = 60 * 0.693147180559945309;
    double max = -INFINITY;
    for (int64_t i = 0; i < n; i++) max = fmax(max, s[i].s);
    if (norm < max_norm * (1 - 1e-6)) return norm;
    return rounds == 1 && norm > max_norm * (1 + 1e-6) ? max : NAN;
}

/* A weight for all of these keys: of rows that see none. */
static void weigh(const right_ctx_t *c, const right_t *v, int64_t b, int64_t head, double weight,
                  const int64_t *keys, int64_t n, int64_t out) {
    for (int64_t j = 0; j < c->n->head_size; j++) {
        double sum = 0, off = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t vi = right_at(c, b, keys[i], head) + j;
            sum += weight * v->v[vi];
            off += weight * (v->e[vi] + RIGHT_U * (double)(n + 15) * fabs(v->v[vi]));
        }
        c->y->v[out + j] = sum;
        c->y->e[out + j] = n == 1 && weight == 1 ? v->e[right_at(c, b, keys[0], head) + j] : off;
    }
}

int64_t right_neighbour(int64_t chunk, int64_t o, int64_t n) {
    if (o > n || o < -n) return chunk;
    return (chunk + o + n) % n;
}

/* ---- local and exact ------------------------------------------------------------------------------------ */

/* Query t against these keys. A row that sees none of them: all weigh 1 (local, Q1), it sees itself (LSH). */
static void attend(const right_ctx_t *c, int64_t b, int64_t head, int64_t t, const int64_t *keys,
                   int64_t n, score_t *seen) {
    const gnode_t *node = c->n;
    bool lsh = node->op == G_EXACT_ATTENTION && node->shared_qk;
    const right_t *q = right_input(c, 0), *k = right_input(c, 1), *v = right_input(c, 2);
    int64_t count = 0, d = node->head_size;
    double longest = 0;
    for (int64_t i = 0; i < n; i++) {
        longest = fmax(longest, right_norm(k, right_at(c, b, keys[i], head), d));
        if (right_is_masked(c, node->in[3], b, keys[i]) || (node->causal && keys[i] > t)) continue;
        if (!lsh || keys[i] != t) seen[count++] = right_score(c, q, k, b, head, t, keys[i], lsh);
    }
    double norm = right_norm(q, right_at(c, b, t, head), d);
    double shift = norm * (lsh ? 1 : longest / sqrt((double)d));
    int64_t out = right_at(c, b, t, head);
    if (count && node->in[0]->type == G_BF16)
        right_rounded_softmax(c, v, b, head, seen, count,
                              right_shift(seen, count, lsh ? norm : INFINITY, 1), out);
    else if (count) right_softmax(c, v, b, head, seen, count, shift, out);
    else if (lsh) weigh(c, v, b, head, 1, &t, 1, out);
    else weigh(c, v, b, head, 1, keys, n, out);
}

static void for_queries(const right_ctx_t *c,
                        int64_t (*window)(const right_ctx_t *c, int64_t t, int64_t *keys)) {
    const gnode_t *n = c->n;
    int64_t max = c->padded * (1 + n->before + n->after);
    int64_t *keys = ARENA_ARRAY(c->k->arena, int64_t, max);
    score_t *seen = ARENA_ARRAY(c->k->arena, score_t, max);
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t head = 0; head < n->heads; head++)
            for (int64_t t = 0; t < c->padded; t++)
                attend(c, b, head, t, keys, window(c, t, keys), seen);
}

static int64_t local_window(const right_ctx_t *c, int64_t t, int64_t *keys) {
    int64_t chunk = c->n->chunk, count = 0;
    for (int64_t o = -c->n->before; o <= c->n->after; o++)
        for (int64_t i = 0; i < chunk; i++)
            keys[count++] = right_neighbour(t / chunk, o, c->padded / chunk) * chunk + i;
    return count;
}

static int64_t whole_window(const right_ctx_t *c, int64_t t, int64_t *keys) {
    (void)t;
    for (int64_t i = 0; i < c->padded; i++) keys[i] = i;
    return c->padded;
}

void right_local_attention(const right_ctx_t *c) {
    for_queries(c, local_window);
}

void right_exact_attention(const right_ctx_t *c) {
    for_queries(c, whole_window);
}

/* ---- hash and sort ---------------------------------------------------------------------------------------- */

static int64_t buckets_of(const gnode_t *hash) {
    int64_t n = 1;
    for (int f = 0; f < hash->n_factors; f++) n *= hash->factors[f];
    return n;
}

/* Digit `found`, if it is a largest one within rounding, else the first largest of x·R and -x·R. */
static int64_t digit(const right_ctx_t *c, const right_t *qk, const gnode_t *rotations, int64_t x,
                     int64_t head, int64_t round, int64_t first, int64_t factor, int64_t found) {
    const gnode_t *n = c->n;
    int64_t columns = rotations->shape[3].c, best = 0;
    double max = -INFINITY, off = 0, at_found = -INFINITY, off_found = 0, next = -INFINITY;
    for (int64_t j = 0; j < factor; j++) {
        int64_t column = first + j % (factor / 2);
        sum_t s = SUM;
        for (int64_t i = 0; i < n->head_size; i++) {
            int64_t r = ((head * n->head_size + i) * n->rounds + round) * columns + column;
            sum_add(&s, qk->v[x + i], qk->e[x + i], c->k->values[rotations->id][r], 0);
        }
        double v = j < factor / 2 ? s.v : -s.v;
        if (v > max) next = max, max = v, best = j, off = sum_error(&s);
        else if (v > next) next = v;
        if (j == found) at_found = v, off_found = sum_error(&s);
    }
    if (c->k->near_tie && off > 0 && next + 4 * off >= max) *c->k->near_tie = true;
    bool tie = off + off_found > 0 && at_found + off_found >= max - off;
    return tie ? found : best;
}

int64_t right_bucket(const right_ctx_t *c, const right_t *qk, const gnode_t *rotations, int64_t b,
                     int64_t head, int64_t round, int64_t t, int64_t got) {
    int64_t first = 0, scale = 1, result = 0;
    for (int f = 0; f < c->n->n_factors; f++) {
        int64_t factor = c->n->factors[f], found = got < 0 ? -1 : got / scale % factor;
        result += scale * digit(c, qk, rotations, right_at(c, b, t, head), head, round, first,
                                factor, found);
        scale *= factor;
        first += factor / 2;
    }
    return result;
}

/* A masked token anywhere gives each round one more bucket, for all of them. */
void right_lsh_hash(const right_ctx_t *c) {
    const gnode_t *n = c->n;
    int64_t buckets = buckets_of(n), apart = buckets;
    for (int64_t i = 0; i < c->batch * c->padded; i++)
        if (right_is_masked(c, n->in[2], 0, i)) apart = buckets + 1;
    for (int64_t i = 0; i < c->y->elements; i++) {
        int64_t t = i % c->padded, round = i / c->padded % n->rounds;
        int64_t head = i / (c->padded * n->rounds) % n->heads;
        int64_t b = i / (c->padded * n->rounds * n->heads);
        int64_t got = c->got ? (int64_t)c->got[i] - round * apart : -1;
        bool none = right_is_masked(c, n->in[2], b, t);
        int64_t own = buckets;
        if (!none) own = right_bucket(c, right_input(c, 0), n->in[1], b, head, round, t, got);
        c->y->v[i] = (double)(own + round * apart);
        c->y->e[i] = 0;
    }
}

/* Insertion from behind is stable. */
void right_lsh_sort(const right_ctx_t *c) {
    const right_t *x = right_input(c, 0);
    int64_t all = c->n->shape[2].c;
    for (int64_t first = 0; first < c->y->elements; first += all) {
        double *y = c->y->v + first;
        for (int64_t i = 0; i < all; i++) {
            int64_t to = i;
            for (; to > 0 && x->v[first + (int64_t)y[to - 1]] > x->v[first + i]; to--)
                y[to] = y[to - 1];
            y[to] = (double)i;
            c->y->e[first + i] = 0;
        }
    }
}

/* ---- LSH attention ------------------------------------------------------------------------------------------ */

/* Q2: a row that sees itself alone, count[r] times in round r: every step in single precision. */
double right_self_weight(const int64_t *count, int64_t rounds) {
    float self = -1e5F, max = -INFINITY, sum = 0;
    double weight = 0;
    for (int64_t r = 0; r < rounds; r++) max = fmaxf(max, self + logf((float)count[r]));
    for (int64_t r = 0; r < rounds; r++) sum += expf(self + logf((float)count[r]) - max);
    float all = max + logf(sum);
    for (int64_t r = 0; r < rounds; r++) {
        float own = self + logf((float)count[r]);
        weight += (double)count[r] * exp((double)(self - own)) *
                  (rounds > 1 ? exp((double)(own - all)) : 1);
    }
    return weight;
}

typedef struct {
    int64_t *keys, *count; /* of a token: the keys of all rounds, itself among those of each */
    score_t *seen;
} room_t;

int64_t right_place(const right_ctx_t *c, const double *order, int64_t round, int64_t t) {
    int64_t i = round * c->padded;
    while ((int64_t)order[i] != round * c->padded + t) i++;
    return i;
}

/* The rounds' softmaxes, weighted by their sums of exponentials, are one over the keys of all rounds. */
static void lsh_row(const right_ctx_t *c, int64_t b, int64_t head, int64_t t, const room_t *room) {
    const gnode_t *n = c->n;
    const double *order = right_input(c, 2)->v + (b * n->heads + head) * n->rounds * c->padded;
    const right_t *qk = right_input(c, 0), *v = right_input(c, 1);
    int64_t chunks = n->rounds * c->padded / n->chunk, seen = 0, out = right_at(c, b, t, head);
    for (int64_t r = 0; r < n->rounds; r++) {
        int64_t chunk = right_place(c, order, r, t) / n->chunk;
        room->count[r] = 0;
        for (int64_t o = -n->before; o <= n->after; o++)
            for (int64_t i = 0; i < n->chunk; i++) {
                int64_t place = right_neighbour(chunk, o, chunks) * n->chunk + i;
                int64_t key = (int64_t)order[place] % c->padded;
                room->count[r] += key == t;
                if (key == t || right_is_masked(c, n->in[3], b, key) || (n->causal && key > t))
                    continue;
                room->seen[seen++] = right_score(c, qk, qk, b, head, t, key, true);
            }
    }
    double norm = right_norm(qk, out, n->head_size);
    if (seen && n->in[0]->type == G_BF16) {
        double shift = right_shift(room->seen, seen, norm, n->rounds);
        right_rounded_softmax(c, v, b, head, room->seen, seen, shift, out);
        return;
    }
    if (seen) {
        right_softmax(c, v, b, head, room->seen, seen, norm, out);
        return;
    }
    weigh(c, v, b, head, right_self_weight(room->count, n->rounds), &t, 1, out);
}

void right_lsh_attention(const right_ctx_t *c) {
    const gnode_t *n = c->n;
    int64_t max = n->rounds * n->chunk * (1 + n->before + n->after);
    room_t room = {.count = ARENA_ARRAY(c->k->arena, int64_t, n->rounds),
                   .seen = ARENA_ARRAY(c->k->arena, score_t, max)};
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t head = 0; head < n->heads; head++)
            for (int64_t t = 0; t < c->padded; t++) lsh_row(c, b, head, t, &room);
}
