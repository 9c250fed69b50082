/* What each target's code uses of the CPU, all of it part of what reformer_cpu_supports()
 * asks for. */
#include "emit/emit.h"

#define V3 "avx2,fma,bmi,bmi2"
#define V4 "avx512f,avx512bw,avx512cd,avx512dq,avx512vl," V3

const char *const target_features[T_COUNT] = {
    [T_X86_64_V3] = V3,
    [T_X86_64_V4] = V4,
    [T_X86_64_V3_VNNI] = "avxvnni," V3,
    [T_X86_64_V4_VNNI] = "avx512vnni," V4,
    [T_X86_64_V4_BF16] = "avx512bf16,avx512vnni," V4,
    [T_AARCH64_BF16] = "bf16,i8mm",
    [T_WASM32] = "simd128",
};

bool target_is_arm(const target_t *t) {
    return target_family(t) == FAMILY_ARM;
}
