/* The targets: one row each. What a vector may be, how many there are, whether fma is legal; which tiles
 * follow from that is the lowering's choice (lower/tiles.h), which flags the back ends'. */
#include <string.h>

#include "loops/loops.h"

const target_t targets[T_COUNT] = {
    [T_X86_64] = {T_X86_64, "x86-64", "x86_64", 16, 16, false},
    [T_X86_64_V3] = {T_X86_64_V3, "x86-64-v3", "v3", 32, 16, true},
    [T_X86_64_V4] = {T_X86_64_V4, "x86-64-v4", "v4", 64, 32, true},
    [T_AARCH64] = {T_AARCH64, "aarch64", "aarch64", 16, 32, true},
};

const target_t *target_find(const char *name) {
    for (int i = 0; i < T_COUNT; i++)
        if (strcmp(targets[i].name, name) == 0) return &targets[i];
    return NULL;
}
