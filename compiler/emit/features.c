/* What each target's code uses of the CPU, all of it part of what reformer_cpu_supports() asks for. */
#include "emit/emit.h"

const char *const target_features[T_COUNT] = {
    [T_X86_64_V3] = "avx2,fma,bmi,bmi2",
    [T_X86_64_V4] = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi,bmi2",
};

bool target_is_arm(const target_t *t) {
    return t->id == T_AARCH64;
}
