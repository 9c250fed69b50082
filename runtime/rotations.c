/* New rotations for LSH layers: normals that are a function of seed, step, layer and place, and of nothing else.
 *
 * A rotation is numbered row-major in Hugging Face's tensor [heads][head size][rounds][half the buckets]. Four of them share
 * one Philox4x32-10 (Salmon and others, SC'11) of
 *     key       seed, low and high
 *     counter   number / 4, low 32 bits | layer << 16, its next 16 bits | stream << 8 | step
 * whose words make two pairs by Box and Muller, in double, rounded once. Dropout's masks are stream 0 of the same seed. */
#include "real.h"

enum { STREAM = 1 };

static void philox(uint32_t c[4], uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; round++) {
        uint64_t a = UINT64_C(0xD2511F53) * c[0], b = UINT64_C(0xCD9E8D57) * c[2];
        c[0] = (uint32_t)(b >> 32) ^ c[1] ^ key0;
        c[2] = (uint32_t)(a >> 32) ^ c[3] ^ key1;
        c[1] = (uint32_t)b;
        c[3] = (uint32_t)a;
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
}

/* The middle of one of 2^32 equal parts of 0 … 1. */
static double uniform(uint32_t bits) {
    return ((double)bits + 0.5) * 0x1p-32;
}

static void pair(const uint32_t bits[2], float out[2]) {
    double radius = reformer_sqrt(-2 * reformer_log(uniform(bits[0])));
    out[0] = (float)(radius * reformer_cos_turns(uniform(bits[1])));
    out[1] = (float)(radius * reformer_sin_turns(uniform(bits[1])));
}

static void four(const reformer_rotations_t *r, uint64_t seed, uint32_t step, uint64_t block,
                 float out[4]) {
    uint32_t c[4] = {(uint32_t)block, (uint32_t)r->layer << 16 | (uint32_t)(block >> 32 & 0xFFFF),
                     STREAM << 8, step};
    philox(c, (uint32_t)seed, (uint32_t)(seed >> 32));
    pair(c, out);
    pair(c + 2, out + 2);
}

/* Where weights hold number i: [heads][rounds][head size][half the buckets]. */
static uint64_t packed_place(const reformer_rotations_t *r, uint64_t i) {
    uint64_t half = (uint64_t)r->half, rounds = (uint64_t)r->rounds, size = (uint64_t)r->head_size;
    uint64_t column = i % half, round = i / half % rounds, row = i / half / rounds % size;
    uint64_t head = i / half / rounds / size;
    return ((head * rounds + round) * size + row) * half + column;
}

void reformer_draw_rotations(const reformer_rotations_t *r, uint64_t seed, uint32_t step,
                             int packed, float *to) {
    uint64_t host = reformer_enter();
    uint64_t n =
        (uint64_t)r->heads * (uint64_t)r->head_size * (uint64_t)r->rounds * (uint64_t)r->half;
    for (uint64_t block = 0; block < (n + 3) / 4; block++) {
        float drawn[4];
        four(r, seed, step, block, drawn);
        for (uint64_t k = 0, i = 4 * block; k < 4 && i < n; k++, i++)
            to[packed ? packed_place(r, i) : i] = drawn[k];
    }
    reformer_leave(host);
}
