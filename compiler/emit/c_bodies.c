/* What helpers do, per target. The table `bodies` has one row per helper, type and set of targets,
 * first match wins; rows without a type are written for any, in plain C over vectors. Nothing calls
 * libm: sqrt and fma are intrinsics for scalars too. Placeholders in a body:
 *     $T the type   $I the signed integer type of its shape   $U the unsigned one   $E an element
 *     $H bf16 of as many lanes   $P of twice as many   $B, $C u8 and i8 of four times as many */
#include "emit/c_int.h"

enum {
    SSE = 1 << T_X86_64,
    VNNI3 = 1 << T_X86_64_V3_VNNI,
    VNNI4 = 1 << T_X86_64_V4_VNNI,
    BF16 = 1 << T_X86_64_V4_BF16,
    VNNI = VNNI4 | BF16,
    V3 = 1 << T_X86_64_V3 | VNNI3,
    V4 = 1 << T_X86_64_V4 | VNNI,
    ARM_BF16 = 1 << T_AARCH64_BF16,
    ARM = 1 << T_AARCH64 | ARM_BF16,
    WASM = 1 << T_WASM32,
    FMA3 = V3 | V4,
    X86 = SSE | V3 | V4,
    ANY = X86 | ARM | WASM
};

typedef struct {
    helper_t helper;
    elem_t elem; /* E_COUNT: any float, or any integer where `integer` */
    int lanes;   /* 0: any vector; 1: scalar; -1: scalars too */
    bool integer;
    unsigned targets;
    const char *body; /* the result; or statements, where it holds a ';' */
} body_t;

#define FLOAT(h, n, t, b)                                                                          \
    { h, E_F32, n, false, t, b }
#define DOUBLE(h, n, t, b)                                                                         \
    { h, E_F64, n, false, t, b }
#define INT(h, n, t, b)                                                                            \
    { h, E_I32, n, true, t, b }
#define LONG(h, n, t, b)                                                                           \
    { h, E_I64, n, true, t, b }
#define ANY_FLOAT(h, n, t, b)                                                                      \
    { h, E_COUNT, n, false, t, b }
#define ANY_INT(h, n, t, b)                                                                        \
    { h, E_COUNT, n, true, t, b }

/* clang-format off */
static const body_t bodies[] = {
    ANY_INT(H_ADD, -1, ANY, "($T)(($U)x + ($U)y)"), /* unsigned: wraps */
    ANY_INT(H_SUB, -1, ANY, "($T)(($U)x - ($U)y)"),
    ANY_INT(H_MUL, -1, ANY, "($T)(($U)x * ($U)y)"),
    ANY_INT(H_NEG, 1, ANY, "($T)(0U - ($U)x)"),
    ANY_INT(H_NEG, 0, ANY, "($T)(-($U)x)"),

    /* the products of even lanes, and of odd ones: 64 bits each */
#define HALVES(bits, of)                                                                      \
    "const __m" bits "i even = " of "_mul_epu32((__m" bits "i)x, (__m" bits "i)y); "          \
    "const __m" bits "i odd = " of "_mul_epu32(" of "_srli_epi64((__m" bits "i)x, 32), "      \
    of "_srli_epi64((__m" bits "i)y, 32)); "
    INT(H_MULHI, 16, V4, HALVES("512", "_mm512") "return ($T)_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);"),
    INT(H_MULHI, 8, FMA3, HALVES("256", "_mm256") "return ($T)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);"),
    INT(H_MULHI, 4, FMA3, HALVES("128", "_mm") "return ($T)_mm_blend_epi32(_mm_srli_epi64(even, 32), odd, 0xa);"),
    INT(H_MULHI, 4, SSE, HALVES("128", "_mm") "return ($T)_mm_or_si128(_mm_srli_epi64(even, 32), _mm_slli_epi64(_mm_srli_epi64(odd, 32), 32));"),
    INT(H_MULHI, 4, WASM, "const $T low = ($T)wasm_u64x2_extmul_low_u32x4((v128_t)x, (v128_t)y); "
        "const $T high = ($T)wasm_u64x2_extmul_high_u32x4((v128_t)x, (v128_t)y); "
        "return __builtin_shufflevector(low, high, 1, 3, 5, 7);"),
    INT(H_MULHI, 1, ANY, "($T)(uint32_t)(((uint64_t)($U)x * ($U)y) >> 32)"),

    /* half of a register goes into one as a number of its size */
    FLOAT(H_MUL, 2, X86, "union { $T x; double whole; } product = {x * y}; REFORMER_SETTLE(product.whole); return product.x;"),
    FLOAT(H_DIV, 2, X86, "union { $T x; double whole; } product = {x / y}; REFORMER_SETTLE(product.whole); return product.x;"),
    ANY_FLOAT(H_MUL, -1, ANY, "$T product = x * y; REFORMER_SETTLE(product); return product;"),
    ANY_FLOAT(H_DIV, -1, ANY, "$T product = x / y; REFORMER_SETTLE(product); return product;"),

    FLOAT(H_FMA, 16, V4, "_mm512_fmadd_ps(x, y, z)"),
    FLOAT(H_FMA, 8, FMA3, "_mm256_fmadd_ps(x, y, z)"),
    FLOAT(H_FMA, 4, FMA3, "_mm_fmadd_ps(x, y, z)"),
    FLOAT(H_FMA, 1, FMA3, "_mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(x), _mm_set_ss(y), _mm_set_ss(z)))"),
    DOUBLE(H_FMA, 8, V4, "_mm512_fmadd_pd(x, y, z)"),
    DOUBLE(H_FMA, 4, FMA3, "_mm256_fmadd_pd(x, y, z)"),
    DOUBLE(H_FMA, 2, FMA3, "_mm_fmadd_pd(x, y, z)"),
    DOUBLE(H_FMA, 1, FMA3, "_mm_cvtsd_f64(_mm_fmadd_sd(_mm_set_sd(x), _mm_set_sd(y), _mm_set_sd(z)))"),
    FLOAT(H_FMA, 4, ARM, "vfmaq_f32(z, x, y)"),
    FLOAT(H_FMA, 1, ARM, "vget_lane_f32(vfma_f32(vdup_n_f32(z), vdup_n_f32(x), vdup_n_f32(y)), 0)"),
    DOUBLE(H_FMA, 2, ARM, "vfmaq_f64(z, x, y)"),
    DOUBLE(H_FMA, 1, ARM, "vget_lane_f64(vfma_f64(vdup_n_f64(z), vdup_n_f64(x), vdup_n_f64(y)), 0)"),

    /* Intrinsics, and not assembly with a "+v": 14 rows of 32 columns, 512 deep, all in the first
     * cache, give 226 Gflop/s of gcc 12 and 233 of clang 14 for bf16, 465 Gop/s of both for 8 bits,
     * with either form (Zen 4). gcc keeps accumulators where they are as long as their type is this
     * one, lanes of 32 bits: accumulators of type __m512i it copies at every step, 167 Gop/s. */
    FLOAT(H_DOT2, 16, BF16, "_mm512_dpbf16_ps(acc, (__m512bh)x, (__m512bh)y)"),
    FLOAT(H_DOT2, 8, BF16, "_mm256_dpbf16_ps(acc, (__m256bh)x, (__m256bh)y)"),
    FLOAT(H_DOT2, 4, BF16, "_mm_dpbf16_ps(acc, (__m128bh)x, (__m128bh)y)"),
    INT(H_DOT4, 16, VNNI, "($T)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)x, (__m512i)y)"),
    INT(H_DOT4, 8, VNNI, "($T)_mm256_dpbusd_epi32((__m256i)acc, (__m256i)x, (__m256i)y)"),
    INT(H_DOT4, 4, VNNI, "($T)_mm_dpbusd_epi32((__m128i)acc, (__m128i)x, (__m128i)y)"),
    INT(H_DOT4, 8, VNNI3, "($T)_mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)x, (__m256i)y)"),
    INT(H_DOT4, 4, VNNI3, "($T)_mm_dpbusd_avx_epi32((__m128i)acc, (__m128i)x, (__m128i)y)"),
    /* Here assembly: clang 14 has these intrinsics only where all of the file is for such a CPU. */
    FLOAT(H_DOT2, 4, ARM_BF16, "$T sum = acc; __asm__(\"bfmlalt %0.4s, %1.8h, %2.8h\\n\\tbfmlalb %0.4s, %1.8h, %2.8h\" : \"+w\"(sum) : \"w\"(x), \"w\"(y)); return sum;"),
    INT(H_DOT4, 4, ARM_BF16, "$T sum = acc; __asm__(\"usdot %0.4s, %1.16b, %2.16b\" : \"+w\"(sum) : \"w\"(x), \"w\"(y)); return sum;"),
    FLOAT(H_TO_BF16, 16, BF16, "($H)_mm512_cvtneps_pbh(x)"),
    FLOAT(H_TO_BF16, 8, BF16, "($H)_mm256_cvtneps_pbh(x)"),

    FLOAT(H_SQRT, 16, V4, "_mm512_sqrt_ps(x)"),
    FLOAT(H_SQRT, 8, FMA3, "_mm256_sqrt_ps(x)"),
    FLOAT(H_SQRT, 4, X86, "_mm_sqrt_ps(x)"),
    FLOAT(H_SQRT, 1, X86, "_mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)))"),
    DOUBLE(H_SQRT, 8, V4, "_mm512_sqrt_pd(x)"),
    DOUBLE(H_SQRT, 4, FMA3, "_mm256_sqrt_pd(x)"),
    DOUBLE(H_SQRT, 2, X86, "_mm_sqrt_pd(x)"),
    DOUBLE(H_SQRT, 1, X86, "_mm_cvtsd_f64(_mm_sqrt_pd(_mm_set_sd(x)))"),
    FLOAT(H_SQRT, 4, ARM, "vsqrtq_f32(x)"),
    FLOAT(H_SQRT, 1, ARM, "vget_lane_f32(vsqrt_f32(vdup_n_f32(x)), 0)"),
    DOUBLE(H_SQRT, 2, ARM, "vsqrtq_f64(x)"),
    DOUBLE(H_SQRT, 1, ARM, "vget_lane_f64(vsqrt_f64(vdup_n_f64(x)), 0)"),
    FLOAT(H_SQRT, 4, WASM, "($T)wasm_f32x4_sqrt((v128_t)x)"),
    FLOAT(H_SQRT, 1, WASM, "wasm_f32x4_extract_lane(wasm_f32x4_sqrt(wasm_f32x4_splat(x)), 0)"),
    DOUBLE(H_SQRT, 2, WASM, "($T)wasm_f64x2_sqrt((v128_t)x)"),
    DOUBLE(H_SQRT, 1, WASM, "wasm_f64x2_extract_lane(wasm_f64x2_sqrt(wasm_f64x2_splat(x)), 0)"),

    /* maxps gives its second operand when either is NaN or both are zeros: x > y ? x : y */
    FLOAT(H_MAX, 16, V4, "_mm512_max_ps(x, y)"),
    FLOAT(H_MAX, 8, FMA3, "_mm256_max_ps(x, y)"),
    FLOAT(H_MAX, 4, X86, "_mm_max_ps(x, y)"),
    DOUBLE(H_MAX, 8, V4, "_mm512_max_pd(x, y)"),
    DOUBLE(H_MAX, 4, FMA3, "_mm256_max_pd(x, y)"),
    DOUBLE(H_MAX, 2, X86, "_mm_max_pd(x, y)"),
    INT(H_MAX, 16, V4, "($T)_mm512_max_epi32((__m512i)x, (__m512i)y)"),
    INT(H_MAX, 8, FMA3, "($T)_mm256_max_epi32((__m256i)x, (__m256i)y)"),
    INT(H_MAX, 4, FMA3, "($T)_mm_max_epi32((__m128i)x, (__m128i)y)"),
    /* pmax(y, x) is y < x ? x : y */
    FLOAT(H_MAX, 4, WASM, "($T)wasm_f32x4_pmax((v128_t)y, (v128_t)x)"),
    DOUBLE(H_MAX, 2, WASM, "($T)wasm_f64x2_pmax((v128_t)y, (v128_t)x)"),
    INT(H_MAX, 4, WASM, "($T)wasm_i32x4_max((v128_t)x, (v128_t)y)"),
    ANY_FLOAT(H_MAX, 1, ANY, "x > y ? x : y"),
    ANY_INT(H_MAX, 1, ANY, "x > y ? x : y"),
    ANY_FLOAT(H_MAX, 0, ANY, "const $I m = ($I)(x > y); return ($T)((m & ($I)x) | (~m & ($I)y));"),
    ANY_INT(H_MAX, 0, ANY, "const $I m = ($I)(x > y); return (m & x) | (~m & y);"),
    FLOAT(H_MIN, 16, V4, "_mm512_min_ps(x, y)"),
    FLOAT(H_MIN, 8, FMA3, "_mm256_min_ps(x, y)"),
    FLOAT(H_MIN, 4, X86, "_mm_min_ps(x, y)"),
    DOUBLE(H_MIN, 8, V4, "_mm512_min_pd(x, y)"),
    DOUBLE(H_MIN, 4, FMA3, "_mm256_min_pd(x, y)"),
    DOUBLE(H_MIN, 2, X86, "_mm_min_pd(x, y)"),
    INT(H_MIN, 16, V4, "($T)_mm512_min_epi32((__m512i)x, (__m512i)y)"),
    INT(H_MIN, 8, FMA3, "($T)_mm256_min_epi32((__m256i)x, (__m256i)y)"),
    INT(H_MIN, 4, FMA3, "($T)_mm_min_epi32((__m128i)x, (__m128i)y)"),
    FLOAT(H_MIN, 4, WASM, "($T)wasm_f32x4_pmin((v128_t)y, (v128_t)x)"),
    DOUBLE(H_MIN, 2, WASM, "($T)wasm_f64x2_pmin((v128_t)y, (v128_t)x)"),
    INT(H_MIN, 4, WASM, "($T)wasm_i32x4_min((v128_t)x, (v128_t)y)"),
    ANY_FLOAT(H_MIN, 1, ANY, "x < y ? x : y"),
    ANY_INT(H_MIN, 1, ANY, "x < y ? x : y"),
    ANY_FLOAT(H_MIN, 0, ANY, "const $I m = ($I)(x < y); return ($T)((m & ($I)x) | (~m & ($I)y));"),
    ANY_INT(H_MIN, 0, ANY, "const $I m = ($I)(x < y); return (m & x) | (~m & y);"),

    /* lanes of m are -1 or 0 */
    FLOAT(H_SELECT, 16, V4, "_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)m), y, x)"),
    INT(H_SELECT, 16, V4, "($T)_mm512_mask_blend_epi32(_mm512_movepi32_mask((__m512i)m), (__m512i)y, (__m512i)x)"),
    FLOAT(H_SELECT, 8, FMA3, "_mm256_blendv_ps(y, x, (__m256)m)"),
    INT(H_SELECT, 8, FMA3, "($T)_mm256_blendv_ps((__m256)y, (__m256)x, (__m256)m)"),
    FLOAT(H_SELECT, 4, FMA3, "_mm_blendv_ps(y, x, (__m128)m)"),
    INT(H_SELECT, 4, FMA3, "($T)_mm_blendv_ps((__m128)y, (__m128)x, (__m128)m)"),
    ANY_FLOAT(H_SELECT, 0, ANY, "($T)((m & ($I)x) | (~m & ($I)y))"),
    ANY_INT(H_SELECT, 0, ANY, "(m & x) | (~m & y)"),

    FLOAT(H_BLEND, 16, V4, "_mm512_mask_blend_ps(m, y, x)"),
    FLOAT(H_BLEND, 8, V4, "_mm256_mask_blend_ps(m, y, x)"),
    FLOAT(H_BLEND, 4, V4, "_mm_mask_blend_ps(m, y, x)"),
    INT(H_BLEND, 16, V4, "($T)_mm512_mask_blend_epi32(m, (__m512i)y, (__m512i)x)"),
    INT(H_BLEND, 8, V4, "($T)_mm256_mask_blend_epi32(m, (__m256i)y, (__m256i)x)"),
    INT(H_BLEND, 4, V4, "($T)_mm_mask_blend_epi32(m, (__m128i)y, (__m128i)x)"),
#define MASKS(h, float_test, int_test)                                                        \
    FLOAT(h, 16, V4, "_mm512_cmp_ps_mask(x, y, " float_test ")"),                             \
    FLOAT(h, 8, V4, "_mm256_cmp_ps_mask(x, y, " float_test ")"),                              \
    FLOAT(h, 4, V4, "_mm_cmp_ps_mask(x, y, " float_test ")"),                                 \
    INT(h, 16, V4, "_mm512_" int_test "_epi32_mask((__m512i)x, (__m512i)y)"),                 \
    INT(h, 8, V4, "_mm256_" int_test "_epi32_mask((__m256i)x, (__m256i)y)"),                  \
    INT(h, 4, V4, "_mm_" int_test "_epi32_mask((__m128i)x, (__m128i)y)")
    MASKS(H_EQ, "_CMP_EQ_OQ", "cmpeq"),
    MASKS(H_NE, "_CMP_NEQ_UQ", "cmpneq"),
    MASKS(H_LT, "_CMP_LT_OQ", "cmplt"),
    MASKS(H_LE, "_CMP_LE_OQ", "cmple"),
    MASKS(H_GT, "_CMP_GT_OQ", "cmpgt"),
    MASKS(H_GE, "_CMP_GE_OQ", "cmpge"),
};
/* clang-format on */

const char *body_of(const emitter_t *c, helper_t h, ltype_t t) {
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const body_t *b = &bodies[i];
        if (b->helper != h || !(b->targets >> c->target->id & 1)) continue;
        if (b->integer == elem_is_float(t.elem)) continue;
        if (b->elem != E_COUNT && b->elem != t.elem) continue;
        if (b->lanes == -1 || (b->lanes == 0 ? t.lanes > 1 : b->lanes == t.lanes)) return b->body;
    }
    return NULL;
}
