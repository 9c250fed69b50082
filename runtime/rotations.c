/* New rotations for LSH layers: normals that are a function of seed, step, layer and
 * place, and of nothing else.
 *
 * A rotation is numbered row-major in Hugging Face's tensor [heads][head size][rounds][half the
 * buckets]. Four of them share one Philox4x32-10 (philox.h) of
 *     key       seed, low and high
 *     counter   number / 4, low 32 bits | layer << 16, its next 16 bits | stream << 8 | step
 * whose words make two pairs by Box and Muller, in double, rounded once. Dropout's masks are
 * stream 0 of the same seed. */
#include "philox.h"
#include "real.h"

enum { STREAM = 1 };

/* ---- blocks of normals -------------------------------------------------------------------------
 * Many at a time, in loops without branches, which compilers make vectors of: a step draws some
 * hundred thousand. A float needs less of the series than real.c's functions have: the first terms
 * left out are below 1e-10. */

enum { PAIRS = 32, BLOCK = 2 * PAIRS };

/* The middle of one of 2^32 equal parts of 0 … 1. */
static double uniform(uint32_t bits) {
    return ((double)bits + 0.5) * 0x1p-32;
}

static double product(double x, double y) {
    double xy = x * y;
    REFORMER_SETTLE(xy);
    return xy;
}

typedef union {
    double x;
    uint64_t bits;
} real_t;

/* -2 ln u. u = 2^k m, m in 1 … 2, or half of it; ln m = 2 artanh s, s = (m - 1) / (m + 1). */
static double minus_two_log(double u) {
    static const double ln2 = 0x1.62e42fefa39efp-1, two_to_52 = 0x1p52;
    real_t r = {u}, k = {0}, m = {0};
    k.bits = r.bits >> 52 | UINT64_C(0x4330000000000000);
    m.bits = (r.bits & UINT64_C(0x000FFFFFFFFFFFFF)) | UINT64_C(0x3FF0000000000000);
    double above = m.x > 0x1.6a09e667f3bcdp+0 ? 1 : 0;
    double exponent = k.x - (two_to_52 + 1023) + above, part = product(m.x, 1 - 0.5 * above);
    double s = (part - 1) / (part + 1), square = product(s, s), sum = 1.0 / 13;
    sum = product(sum, square) + 1.0 / 11;
    sum = product(sum, square) + 1.0 / 9;
    sum = product(sum, square) + 1.0 / 7;
    sum = product(sum, square) + 1.0 / 5;
    sum = product(sum, square) + 1.0 / 3;
    sum = product(sum, square) + 1;
    return -2 * (product(exponent, ln2) + product(2 * s, sum));
}

/* Of an eighth of a turn either way, in radians. */
static double sin_of(double y) {
    double square = product(y, y), sum = -1.0 / 39916800;
    sum = product(sum, square) + 1.0 / 362880;
    sum = product(sum, square) - 1.0 / 5040;
    sum = product(sum, square) + 1.0 / 120;
    sum = product(sum, square) - 1.0 / 6;
    return y + product(y, product(sum, square));
}

static double cos_of(double y) {
    double square = product(y, y), sum = 1.0 / 479001600;
    sum = product(sum, square) - 1.0 / 3628800;
    sum = product(sum, square) + 1.0 / 40320;
    sum = product(sum, square) - 1.0 / 720;
    sum = product(sum, square) + 1.0 / 24;
    sum = product(sum, square) - 0.5;
    return 1 + product(sum, square);
}

/* Box and Muller: of two uniforms, two normals. */
static void make_normals(const double u[PAIRS], const double turns[PAIRS], float out[BLOCK]) {
    double radius[PAIRS], x[PAIRS], y[PAIRS];
    int32_t quarter[PAIRS];
    for (int i = 0; i < PAIRS; i++) radius[i] = minus_two_log(u[i]);
    for (int i = 0; i < PAIRS; i++) radius[i] = reformer_sqrt(radius[i]);
    for (int i = 0; i < PAIRS; i++) quarter[i] = (int32_t)(4 * turns[i] + 0.5);
    for (int i = 0; i < PAIRS; i++) {
        double angle = product(0x1.921fb54442d18p+2, turns[i] - 0.25 * (double)quarter[i]);
        x[i] = product(radius[i], cos_of(angle));
        y[i] = product(radius[i], sin_of(angle));
    }
    for (int i = 0; i < PAIRS; i++) {
        int q = quarter[i];
        double c = q & 1 ? y[i] : x[i], s = q & 1 ? x[i] : y[i];
        out[2 * i] = (float)((q + 1) & 2 ? -c : c);
        out[2 * i + 1] = (float)(q & 2 ? -s : s);
    }
}

/* Normals number 64 * block … of a layer. */
static void draw_block(const reformer_rotations_t *r, uint64_t seed, uint32_t step, uint64_t block,
                       float out[BLOCK]) {
    double u[PAIRS], turns[PAIRS];
    for (uint64_t i = 0; i < PAIRS; i += 2) {
        uint64_t number = block * (BLOCK / 4) + i / 2;
        uint32_t c[4] = {(uint32_t)number,
                         (uint32_t)r->layer << 16 | (uint32_t)(number >> 32 & 0xFFFF), STREAM << 8,
                         step};
        philox4x32(c, (uint32_t)seed, (uint32_t)(seed >> 32));
        u[i] = uniform(c[0]);
        turns[i] = uniform(c[1]);
        u[i + 1] = uniform(c[2]);
        turns[i + 1] = uniform(c[3]);
    }
    make_normals(u, turns, out);
}

/* ---- where they stand ------------------------------------------------------------------------ */

/* A place in [heads][head size][rounds][half the buckets]. */
typedef struct {
    int64_t head, row, round, column;
} place_t;

static void advance(const reformer_rotations_t *r, place_t *p) {
    if (++p->column < r->half) return;
    p->column = 0;
    if (++p->round < r->rounds) return;
    p->round = 0;
    if (++p->row < r->head_size) return;
    p->row = 0;
    p->head++;
}

/* The same in weights: [heads][rounds][head size][half the buckets]. */
static int64_t packed(const reformer_rotations_t *r, const place_t *p) {
    return ((p->head * r->rounds + p->round) * r->head_size + p->row) * r->half + p->column;
}

static place_t place_of(const reformer_rotations_t *r, int64_t i) {
    int64_t round = i / r->half, row = round / r->rounds;
    return (place_t){row / r->head_size, row % r->head_size, round % r->rounds, i % r->half};
}

static void draw(const reformer_rotations_t *r, uint64_t seed, uint32_t step, int in_weights,
                 int64_t from, int64_t end, float *to) {
    place_t place = place_of(r, from);
    for (int64_t first = from; first < end; first += BLOCK) {
        float drawn[BLOCK];
        draw_block(r, seed, step, (uint64_t)first / BLOCK, drawn);
        for (int64_t i = 0; i < BLOCK && first + i < end; i++, advance(r, &place))
            to[in_weights ? packed(r, &place) : first + i] = drawn[i];
    }
}

void reformer_draw_rotations(const reformer_rotations_t *r, uint64_t seed, uint32_t step,
                             int in_weights, int part, int parts, float *to) {
    int64_t n = r->heads * r->head_size * r->rounds * r->half, blocks = (n + BLOCK - 1) / BLOCK;
    int64_t from = blocks * part / parts * BLOCK, end = blocks * (part + 1) / parts * BLOCK;
    uint64_t host = reformer_enter();
    draw(r, seed, step, in_weights, from, end < n ? end : n, to);
    reformer_leave(host);
}
