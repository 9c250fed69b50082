/* Philox4x32-10, a random number generator without state: 128 bits that are a function of a counter
 * and a key (Salmon, Moraes, Dror, Shaw: Parallel random numbers, as easy as 1, 2, 3; SC'11). The
 * compiler uses it, too; products see none of it. */
#ifndef REFORMER_PHILOX_H
#define REFORMER_PHILOX_H

#include <stdint.h>

/* counter [4] becomes the output. */
static inline void philox4x32(uint32_t counter[4], uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; round++) {
        uint64_t a = UINT64_C(0xD2511F53) * counter[0], b = UINT64_C(0xCD9E8D57) * counter[2];
        counter[0] = (uint32_t)(b >> 32) ^ counter[1] ^ key0;
        counter[2] = (uint32_t)(a >> 32) ^ counter[3] ^ key1;
        counter[1] = (uint32_t)b;
        counter[3] = (uint32_t)a;
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
}

#endif
