/* The targets: one row each. What a vector may be, how many there are, whether fma, dot2, dot4
 * are legal; which tiles
 * follow from that is the lowering's choice (lower/tiles.h), which flags the back ends'. */
#include <string.h>

#include "loops/loops.h"

#define ROW(id, name, suffix, bytes, registers, fma, dot2, dot4, level)                            \
    [T_##id] = {T_##id, name, suffix, bytes, registers, fma, DOT2_##dot2, dot4, T_##level}

const target_t targets[T_COUNT] = {
    /* bytes and number of vectors; fma, dot2, dot4 */
    ROW(X86_64, "x86-64", "x86_64", 16, 16, false, NONE, false, X86_64),
    ROW(X86_64_V3, "x86-64-v3", "v3", 32, 16, true, NONE, false, X86_64_V3),
    ROW(X86_64_V4, "x86-64-v4", "v4", 64, 32, true, NONE, false, X86_64_V4),
    ROW(AARCH64, "aarch64", "aarch64", 16, 32, true, NONE, false, AARCH64),
    ROW(X86_64_V3_VNNI, "x86-64-v3+vnni", "v3_vnni", 32, 16, true, NONE, true, X86_64_V3),
    ROW(X86_64_V4_VNNI, "x86-64-v4+vnni", "v4_vnni", 64, 32, true, NONE, true, X86_64_V4),
    ROW(X86_64_V4_BF16, "x86-64-v4+bf16", "v4_bf16", 64, 32, true, FLUSHES, true, X86_64_V4),
    ROW(AARCH64_BF16, "aarch64+bf16", "aarch64_bf16", 16, 32, true, KEEPS, true, AARCH64),
    /* simd128: locals without end, which the engine keeps in 16 registers of x86-64 or 32 of arm.
     * No fma: that of relaxed SIMD rounds once or twice, as the engine likes. */
    ROW(WASM32, "wasm32", "wasm32", 16, 16, false, NONE, false, WASM32),
};

family_t target_family(const target_t *t) {
    return t->level == T_AARCH64 ? FAMILY_ARM : t->level == T_WASM32 ? FAMILY_WASM : FAMILY_X86;
}

const char *family_name(family_t f) {
    static const char *const names[] = {
        [FAMILY_X86] = "x86-64", [FAMILY_ARM] = "aarch64", [FAMILY_WASM] = "wasm32"};
    return names[f];
}

const target_t *target_find(const char *name) {
    for (int i = 0; i < T_COUNT; i++)
        if (strcmp(targets[i].name, name) == 0) return &targets[i];
    return NULL;
}
