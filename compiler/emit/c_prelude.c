/* The prelude of a target: vector types, and a static inline function for every op that C does not
 * have or has differently. In: the requests of the text written so far. Out: exactly those.
 *
 * The table `bodies` says how: one row per helper, type and set of targets, first match wins; rows
 * without a type are written for any, in plain C over vectors. Nothing calls libm: sqrt and fma are
 * intrinsics for scalars too. Placeholders in a body:
 *     $T the type   $I the signed integer type of its shape   $U the unsigned one   $E an element
 *     $H bf16 of as many lanes   $P of twice as many   $B, $C u8 and i8 of four times as many */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

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

/* What a helper takes and gives: parameters, result. */
typedef enum {
    S_UNARY,
    S_BINARY,
    S_TERNARY,
    S_DOT2,
    S_DOT4,
    S_SELECT,
    S_BLEND,
    S_MASK,
    S_OWN
} shape_t;

static const struct {
    const char *name;
    shape_t shape;
} helpers[H_COUNT] = {
    [H_LOAD] = {"load", S_OWN},
    [H_STORE] = {"store", S_OWN},
    [H_PREFETCH] = {"prefetch", S_OWN},
    [H_SPLAT] = {"splat", S_OWN},
    [H_BITS] = {"bits", S_OWN},
    [H_FROM_BITS] = {"from_bits", S_OWN},
    [H_TO_BF16] = {"to_bf16", S_OWN},
    [H_FROM_BF16] = {"from_bf16", S_OWN},
    [H_ADD] = {"add", S_BINARY},
    [H_SUB] = {"sub", S_BINARY},
    [H_MUL] = {"mul", S_BINARY},
    [H_MULHI] = {"mulhi", S_BINARY},
    [H_DIV] = {"div", S_BINARY},
    [H_NEG] = {"neg", S_UNARY},
    [H_FMA] = {"fma", S_TERNARY},
    [H_DOT2] = {"dot2", S_DOT2},
    [H_DOT4] = {"dot4", S_DOT4},
    [H_SQRT] = {"sqrt", S_UNARY},
    [H_MIN] = {"min", S_BINARY},
    [H_MAX] = {"max", S_BINARY},
    [H_SELECT] = {"select", S_SELECT},
    [H_BLEND] = {"blend", S_BLEND},
    [H_EQ] = {"eq", S_MASK},
    [H_NE] = {"ne", S_MASK},
    [H_LT] = {"lt", S_MASK},
    [H_LE] = {"le", S_MASK},
    [H_GT] = {"gt", S_MASK},
    [H_GE] = {"ge", S_MASK},
    [H_SHUFFLE] = {"shuffle", S_OWN},
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

    /* Intrinsics, and not assembly with a "+v": 14 rows of 32 columns, 512 deep, all in the first cache, give 226 Gflop/s
     * of gcc 12 and 233 of clang 14 for bf16, 465 Gop/s of both for 8 bits, with either form (Zen 4).
     * gcc keeps accumulators where they are as long as their type is this one, lanes of 32 bits: accumulators of type
     * __m512i it copies at every step, 167 Gop/s. */
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

/* ---- what was asked for ------------------------------------------------------------------------------ */

typedef struct {
    helper_t helper;
    ltype_t type;
    const int *lanes; /* H_SHUFFLE */
    const char *name;
} request_t;

typedef struct {
    ltype_t type;
    bool used, is_unsigned, unaligned;
} vector_t;

struct prelude {
    request_t *request;
    size_t n, cap;
    vector_t *vector;
    size_t n_vectors, cap_vectors;
};

prelude_t *prelude_new(arena_t *a) {
    return ARENA_NEW(a, prelude_t);
}

static vector_t *vector_of(emitter_t *c, ltype_t t) {
    prelude_t *p = c->prelude;
    for (size_t i = 0; i < p->n_vectors; i++)
        if (ltype_equal(p->vector[i].type, t)) return &p->vector[i];
    vector_t *v = &ARENA_PUSH(c->lasting, p->vector, p->n_vectors, p->cap_vectors);
    *v = (vector_t){.type = t};
    return v;
}

static const char *type_suffix(emitter_t *c, ltype_t t) {
    if (t.lanes == 1) return elem_name(t.elem);
    return arena_printf(c->arena, "%sx%d", elem_name(t.elem), t.lanes);
}

const char *c_type(emitter_t *c, ltype_t t) {
    if (t.lanes == 1) return c_elem(t.elem);
    vector_of(c, t)->used = true;
    return type_suffix(c, t);
}

const char *c_unsigned(emitter_t *c, ltype_t t) {
    if (t.lanes == 1) return t.elem == E_I64 ? "uint64_t" : "uint32_t";
    vector_of(c, t)->is_unsigned = true;
    return arena_printf(c->arena, "u%s", type_suffix(c, t) + 1);
}

static ltype_t integer_type(ltype_t t) {
    return VECTOR(elem_bytes(t.elem) == 8 ? E_I64 : E_I32, t.lanes);
}

bool c_has_masks(const target_t *t, ltype_t type) {
    return t->level == T_X86_64_V4 && type.lanes >= 4 && (type.elem == E_F32 || type.elem == E_I32);
}

const char *c_mask_type(ltype_t t) {
    return t.lanes == 16 ? "__mmask16" : "__mmask8";
}

/* fma8: of vectors of floats, the type of most, a helper is called by their lanes alone. */
static bool is_short(helper_t h, ltype_t t) {
    const char *name = helpers[h].name;
    return t.elem == E_F32 && t.lanes > 1 && !isdigit((unsigned char)name[strlen(name) - 1]);
}

bool is_helper_name(const char *name) {
    const char *last = strrchr(name, '_');
    for (int h = 0; last && h < H_COUNT; h++) {
        size_t n = strlen(helpers[h].name);
        if (strncmp(name, helpers[h].name, n) != 0) continue;
        if (h == H_SHUFFLE || (size_t)(last - name) == n) return true;
    }
    return false;
}

bool is_short_helper_name(const char *name) {
    for (int h = 0; h < H_COUNT; h++) {
        if (*name != *helpers[h].name) continue; /* of nearly all */
        size_t n = strlen(helpers[h].name), digits;
        if (strncmp(name, helpers[h].name, n) != 0) continue;
        digits = strspn(name + n, "0123456789");
        if ((digits > 0 || h == H_PREFETCH) && (!name[n + digits] || name[n + digits] == '_'))
            return true;
    }
    return false;
}

/* ---- bodies -------------------------------------------------------------------------------------------- */

static const char *body_of(const emitter_t *c, helper_t h, ltype_t t) {
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const body_t *b = &bodies[i];
        if (b->helper != h || !(b->targets >> c->target->id & 1)) continue;
        if (b->integer == elem_is_float(t.elem)) continue;
        if (b->elem != E_COUNT && b->elem != t.elem) continue;
        if (b->lanes == -1 || (b->lanes == 0 ? t.lanes > 1 : b->lanes == t.lanes)) return b->body;
    }
    return NULL;
}

/* Lane by lane through the scalar helper: shapes that the target has no instruction for. */
static const char *body_by_lanes(emitter_t *c, helper_t h, ltype_t t) {
    static const char *const args[] = {
        [S_UNARY] = "x[%d]", [S_BINARY] = "x[%d], y[%d]", [S_TERNARY] = "x[%d], y[%d], z[%d]"};
    if (t.lanes == 1) bug("%s has no helper %s", c->target->name, helpers[h].name);
    const char *name = c_helper(c, h, SCALAR(t.elem)), *body = "($T){", *sep = "";
    for (int i = 0; i < t.lanes; i++, sep = ", ") {
        char *lane = arena_strdup(c->arena, args[helpers[h].shape]);
        for (char *p; (p = strstr(lane, "%d"));)
            lane = arena_printf(c->arena, "%.*s%d%s", (int)(p - lane), lane, i, p + 2);
        body = arena_printf(c->arena, "%s%s%s(%s)", body, sep, name, lane);
    }
    return arena_printf(c->arena, "%s}", body);
}

/* x, x, x … or lane numbers */
static const char *lane_list(emitter_t *c, int n, const int *lanes) {
    const char *text = "";
    for (int i = 0; i < n; i++)
        text = lanes ? arena_printf(c->arena, "%s, %d", text, lanes[i])
                     : arena_printf(c->arena, "%s%sx", text, i ? ", " : "");
    return text;
}

static bool one_source(const int *lanes, int n) {
    for (int i = 0; i < n; i++)
        if (lanes[i] >= n) return false;
    return true;
}

/* bf16 is the upper half of f32, rounded to nearest, ties to even; denormals become 0, NaN quiet. */
static const char to_bf16_scalar[] =
    "union { float x; uint32_t b; } u = {x}; "
    "const uint32_t r = (u.b + 0x7fffU + ((u.b >> 16) & 1U)) >> 16; "
    "const uint32_t number = (u.b & 0x7f800000U) ? r : (u.b >> 16) & 0x8000U; "
    "return (uint16_t)(x != x ? (u.b >> 16) | 0x40U : number);";
static const char to_bf16_vector[] =
    "const $U b = ($U)x; const $U nan = ($U)(x != x); "
    "const $U normal = ($U)((b & 0x7f800000U) != 0U); "
    "const $U r = (((b + 0x7fffU + ((b >> 16U) & 1U)) >> 16U) & normal) | ((b >> 16U) & 0x8000U); "
    "return __builtin_convertvector((nan & ((b >> 16U) | 0x40U)) | (~nan & r), $H);";
static const char from_bf16_scalar[] =
    "union { uint32_t b; float x; } u = {(uint32_t)x << 16}; return u.x;";
static const char from_bf16_vector[] = "($T)(__builtin_convertvector(x, $U) << 16U)";

/* Helpers whose parameters are their own. $N: the name. */
static const struct {
    const char *head, *scalar, *vector;
} own[H_COUNT] = {
    [H_LOAD] = {"$T $N(const $E *p)", NULL, "*(const $A *)(const void *)p"},
    [H_STORE] = {"void $N($E *p, $T x)", NULL, "*($A *)(void *)p = x;"},
    [H_PREFETCH] = {"void $N(const void *p)", "__builtin_prefetch(p, 0, 2);", NULL},
    [H_SPLAT] = {"$T $N($E x)", NULL, "($T){$L}"},
    [H_BITS] = {"$I $N($T x)", "union { $T x; $I i; } u = {x}; return u.i;", NULL},
    [H_FROM_BITS] = {"$T $N($I i)", "union { $I i; $T x; } u = {i}; return u.x;", NULL},
    [H_TO_BF16] = {"$H $N($T x)", to_bf16_scalar, to_bf16_vector},
    [H_FROM_BF16] = {"$T $N($H x)", from_bf16_scalar, from_bf16_vector},
};
static const char *const heads[] = {
    [S_UNARY] = "$T $N($T x)",
    [S_BINARY] = "$T $N($T x, $T y)",
    [S_TERNARY] = "$T $N($T x, $T y, $T z)",
    [S_DOT2] = "$T $N($T acc, $P x, $P y)",
    [S_DOT4] = "$T $N($T acc, $B x, $C y)",
    [S_SELECT] = "$T $N($I m, $T x, $T y)",
    [S_BLEND] = "$T $N($M m, $T x, $T y)",
    [S_MASK] = "$M $N($T x, $T y)",
};

static const char *placeholder(emitter_t *c, char what, const request_t *r) {
    ltype_t t = r->type;
    switch (what) {
    case 'T': return c_type(c, t);
    case 'I': return c_type(c, integer_type(t));
    case 'U': return c_unsigned(c, integer_type(t));
    case 'H': return c_type(c, VECTOR(E_BF16, t.lanes));
    case 'P': return c_type(c, VECTOR(E_BF16, 2 * t.lanes));
    case 'B': return c_type(c, VECTOR(E_U8, 4 * t.lanes));
    case 'C': return c_type(c, VECTOR(E_I8, 4 * t.lanes));
    case 'E': return c_elem(t.elem);
    case 'M': return c_mask_type(t);
    case 'N': return r->name;
    case 'L': return lane_list(c, t.lanes, NULL);
    case 'A':
        vector_of(c, t)->unaligned = true;
        return arena_printf(c->arena, "%s_u", c_type(c, t));
    default: bug("placeholder $%c", what);
    }
}

static const char *expand(emitter_t *c, const char *template, const request_t *r) {
    sbuf_t s = {0};
    for (const char *p = template; *p; p++) {
        if (*p == '$') sbuf_puts(&s, placeholder(c, *++p, r));
        else sbuf_write(&s, p, 1);
    }
    const char *text = arena_strdup(c->arena, s.data ? s.data : "");
    sbuf_free(&s);
    return text;
}

static void shuffle_form(emitter_t *c, const request_t *r, const char **head, const char **body) {
    bool one = one_source(r->lanes, r->type.lanes);
    *head = expand(c, one ? "$T $N($T x)" : "$T $N($T x, $T y)", r);
    *body = arena_printf(c->arena, "__builtin_shufflevector(x, %s%s)", one ? "x" : "y",
                         lane_list(c, r->type.lanes, r->lanes));
}

static void form(emitter_t *c, const request_t *r, const char **head, const char **body) {
    shape_t shape = helpers[r->helper].shape;
    if (r->helper == H_SHUFFLE) {
        shuffle_form(c, r, head, body);
        return;
    }
    *head = shape == S_OWN ? own[r->helper].head : heads[shape];
    *body = body_of(c, r->helper, r->type);
    if (!*body && shape == S_OWN)
        *body = r->type.lanes > 1 ? own[r->helper].vector : own[r->helper].scalar;
    if (!*body) *body = body_by_lanes(c, r->helper, r->type);
    *head = expand(c, *head, r);
    *body = expand(c, *body, r);
}

/* ---- requests ------------------------------------------------------------------------------------------ */

static request_t *request(emitter_t *c, helper_t h, ltype_t t, const int *lanes) {
    prelude_t *p = c->prelude;
    for (size_t i = 0; i < p->n; i++) {
        request_t *r = &p->request[i];
        if (r->helper != h || !ltype_equal(r->type, t)) continue;
        if (!lanes || memcmp(r->lanes, lanes, (size_t)t.lanes * sizeof *lanes) == 0) return r;
    }
    request_t *r = &ARENA_PUSH(c->lasting, p->request, p->n, p->cap);
    *r = (request_t){.helper = h, .type = t, .lanes = lanes};
    return r;
}

const char *c_helper(emitter_t *c, helper_t h, ltype_t t) {
    request_t *r = request(c, h, t, NULL);
    if (r->name) return r->name;
    const char *name = helpers[h].name;
    if (h == H_PREFETCH) r->name = arena_printf(c->lasting, "%s%s", name, c->target_suffix);
    else if (is_short(h, t))
        r->name = arena_printf(c->lasting, "%s%d%s", name, t.lanes, c->target_suffix);
    else r->name = arena_printf(c->lasting, "%s_%s%s", name, type_suffix(c, t), c->target_suffix);
    return r->name;
}

/* Butterflies of reductions and transposes have names; other patterns are numbered.
 *   swapW   lane i gets lane i^W
 *   lowW, highW   the two results when rows W apart exchange the lanes whose bit W differs */
static const char *pattern_name(emitter_t *c, const int *lanes, int n) {
    for (int w = 1; w < n; w *= 2) {
        bool swap = true, low = true, high = true;
        for (int i = 0; i < n; i++) {
            bool odd = i & w;
            swap = swap && lanes[i] == (i ^ w);
            low = low && lanes[i] == (odd ? n + i - w : i);
            high = high && lanes[i] == (odd ? n + i : i + w);
        }
        if (swap || low || high)
            return arena_printf(c->arena, "shuffle_%s%d", swap ? "swap" : low ? "low" : "high", w);
    }
    int number = 0;
    for (size_t i = 0; i < c->prelude->n; i++) number += c->prelude->request[i].helper == H_SHUFFLE;
    return arena_printf(c->arena, "shuffle%d", number);
}

const char *c_shuffle(emitter_t *c, ltype_t t, const int *lanes, bool *one_operand) {
    request_t *r = request(c, H_SHUFFLE, t, lanes);
    if (!r->name)
        r->name = arena_printf(c->lasting, "%s_%s%s", pattern_name(c, lanes, t.lanes),
                               type_suffix(c, t), c->target_suffix);
    *one_operand = one_source(lanes, t.lanes);
    return r->name;
}

/* ---- output --------------------------------------------------------------------------------------------- */

static int compare_vectors(const void *x, const void *y) {
    const vector_t *a = x, *b = y;
    if (a->type.elem != b->type.elem) return a->type.elem < b->type.elem ? -1 : 1;
    return a->type.lanes - b->type.lanes;
}

static int compare_requests(const void *x, const void *y) {
    const request_t *a = x, *b = y;
    if (a->helper != b->helper) return a->helper < b->helper ? -1 : 1;
    if (a->type.elem != b->type.elem) return a->type.elem < b->type.elem ? -1 : 1;
    if (a->type.lanes != b->type.lanes) return a->type.lanes - b->type.lanes;
    return strcmp(a->name, b->name);
}

static void note_name(emitter_t *c, const char *name) {
    ARENA_PUSH(c->arena, c->own, c->n_own, c->cap_own) = name;
}

static void note_vector(emitter_t *c, const vector_t *v) {
    const char *name = type_suffix(c, v->type);
    if (v->used) note_name(c, name);
    if (v->is_unsigned) note_name(c, arena_printf(c->arena, "u%s", name + 1));
    if (v->unaligned) note_name(c, arena_printf(c->arena, "%s_u", name));
}

static void put_vector(emitter_t *c, const vector_t *v, sbuf_t *out) {
    int bytes = elem_bytes(v->type.elem) * v->type.lanes;
    const char *name = type_suffix(c, v->type), *elem = c_elem(v->type.elem);
    if (v->used)
        put_line(out, 0, "typedef %s %s __attribute__((vector_size(%d)));", elem, name, bytes);
    if (v->is_unsigned)
        put_line(out, 0, "typedef u%s u%s __attribute__((vector_size(%d)));", elem, name + 1,
                 bytes);
    if (v->unaligned)
        put_line(out, 0,
                 "typedef %s %s_u __attribute__((vector_size(%d), aligned(%d), may_alias));", elem,
                 name, bytes, elem_bytes(v->type.elem));
}

/* One statement per line: "a; b; c;" */
static void put_body(sbuf_t *out, char *body) {
    if (!strchr(body, ';')) {
        put_line(out, 1, "return %s;", body);
        return;
    }
    int braces = 0;
    for (char *p = body, *start = body; *p; p++) {
        if (*p == '{') braces++;
        if (*p == '}') braces--;
        if (*p != ';' || braces) continue;
        put_line(out, 1, "%.*s", (int)(p + 1 - start), start);
        start = p + 1 + strspn(p + 1, " ");
    }
}

void put_prelude(emitter_t *c, sbuf_t *out) {
    prelude_t *p = c->prelude;
    const char *head, *body;
    for (size_t i = 0; i < p->n; i++) { /* asks for types and for scalar helpers */
        request_t r = p->request[i];
        form(c, &r, &head, &body);
    }
    if (p->n_vectors) qsort(p->vector, p->n_vectors, sizeof *p->vector, compare_vectors);
    if (p->n) qsort(p->request, p->n, sizeof *p->request, compare_requests);
    for (size_t i = 0; i < p->n_vectors; i++) {
        note_vector(c, &p->vector[i]);
        put_vector(c, &p->vector[i], out);
    }
    sbuf_puts(out, "\n");
    for (size_t i = 0; i < p->n; i++) {
        form(c, &p->request[i], &head, &body);
        note_name(c, p->request[i].name);
        put_line(out, 0, "INLINE %s {", head);
        put_body(out, arena_strdup(c->arena, body));
        sbuf_puts(out, "}\n");
    }
}

/* ---- regions -------------------------------------------------------------------------------------------- */

/* What gcc calls them. Of arm "+bf16+i8mm" behind the first architecture that may have them: gcc 12 passes them on to the
 * assembler, which refuses usdot for an older one. */
static void put_gcc_features(const target_t *t, sbuf_t *out) {
    const char *p = target_features[t->id];
    if (!target_is_arm(t)) {
        sbuf_puts(out, p);
        return;
    }
    sbuf_puts(out, "arch=armv8.2-a+");
    for (; *p; p++) sbuf_printf(out, "%c", *p == ',' ? '+' : *p);
}

void put_target_open(const target_t *t, sbuf_t *out) {
    if (!target_features[t->id]) return;
    sbuf_printf(out,
                "#ifdef __clang__\n"
                "#pragma clang attribute push(__attribute__((target( \\\n"
                "    \"%s\"))), apply_to = function)\n"
                "#else\n"
                "#pragma GCC push_options\n"
                "#pragma GCC target(\"",
                target_features[t->id]);
    put_gcc_features(t, out);
    sbuf_puts(out, "\")\n#endif\n");
}

void put_target_close(const target_t *t, sbuf_t *out) {
    if (!target_features[t->id]) return;
    sbuf_puts(out, "#ifdef __clang__\n#pragma clang attribute pop\n#else\n"
                   "#pragma GCC pop_options\n#endif\n");
}
