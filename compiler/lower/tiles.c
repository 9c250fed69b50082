/* Register tiles per target. 16 vector registers: 6 x 2 on AVX2, 4 x 2 where fma needs a register for
 * its product; 32: 14 x 2 on AVX-512, 6 x 4 with NEON. */
#include "lower/tiles.h"

static const tiles_t table[] = {
    {T_X86_64, 2, 4},
    {T_X86_64_V3, 2, 6},
    {T_X86_64_V4, 2, 14},
    {T_AARCH64, 4, 6},
};

const tiles_t *tiles_for(const target_t *t) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].target == t->id) return &table[i];
    bug("no tile table for target %s", t->name);
}
