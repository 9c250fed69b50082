/* Words: counter = (word / 4, index low, 512 + place, index high), key = seed.
 *
 * Orders: a Feistel network over the smallest even number of bits that hold n, walked until it
 * lands below n (Black, Rogaway: Ciphers with arbitrary finite domains, 2002): a permutation of 0 …
 * n - 1 that takes at most four steps on average. Its round function is Philox, counter = (half,
 * index low, 512 + place, round and index high). */
#include "data/random.h"

#include "philox.h"

enum { STREAM_DATA = 2 << 8, ROUNDS = 8 };

random_t random_at(uint64_t seed, uint32_t place, uint64_t index) {
    return (random_t){.seed = seed, .place = place, .index = index};
}

uint32_t random_word(random_t *r) {
    if (r->n % 4 == 0) {
        r->block[0] = (uint32_t)(r->n / 4);
        r->block[1] = (uint32_t)r->index;
        r->block[2] = STREAM_DATA | r->place;
        r->block[3] = (uint32_t)(r->index >> 32);
        philox4x32(r->block, (uint32_t)r->seed, (uint32_t)(r->seed >> 32));
    }
    return r->block[r->n++ % 4];
}

uint64_t random_below(random_t *r, uint64_t k) {
    return random_word(r) * k >> 32;
}

void random_block(random_t *r, uint64_t block) {
    r->n = 4 * block;
}

static uint32_t round_word(uint64_t seed, uint32_t place, uint64_t index, uint32_t round,
                           uint32_t half) {
    uint32_t c[4] = {half, (uint32_t)index, STREAM_DATA | place,
                     (uint32_t)(index >> 32) << 8 | round};
    philox4x32(c, (uint32_t)seed, (uint32_t)(seed >> 32));
    return c[0];
}

uint64_t random_order(uint64_t seed, uint32_t place, uint64_t index, uint64_t n, uint64_t at) {
    unsigned bits = 1; /* of a half */
    while (bits < 32 && n > UINT64_C(1) << 2 * bits) bits++;
    uint32_t mask = (uint32_t)((UINT64_C(1) << bits) - 1);
    do {
        uint32_t left = (uint32_t)(at >> bits), right = (uint32_t)at & mask;
        for (uint32_t round = 0; round < ROUNDS; round++) {
            uint32_t next = left ^ (round_word(seed, place, index, round, right) & mask);
            left = right;
            right = next;
        }
        at = (uint64_t)left << bits | right;
    } while (at >= n);
    return at;
}
