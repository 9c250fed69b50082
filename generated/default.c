/* default.c: the Reformer model of default.yaml as C, by reformerc.
 *
 *     cc -O2 -std=c11 $(reformerc --cflags) -c default.c
 *     cc … default.o $(reformerc --libs)
 *
 * reformerc 0.1.0, ABI 6, weights 2, spec 3f9443037a72674c
 * lengths: 4096; batch: 1; dtype: float32; targets: x86-64-v3 */
#include "default.h"
#include "reformer_rt.h"

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \
    defined(__NO_SIGNED_ZEROS__) || \
    (defined(__GCC_IEC_559) && !defined(__clang__) && __GNUC__ < 12 && __GCC_IEC_559 == 0)
#error "compile without -ffast-math or parts of it: results would differ from the model's"
#endif
#if __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16 /* 16: but for _Float16 */
#error "compile for arithmetic in float and double, without -mfpmath=387"
#endif
_Static_assert(sizeof 1.0 == sizeof(double), "compile without -fsingle-precision-constant");
#if !defined(__x86_64__)
#error "translated for x86-64-v3: choose another --target"
#endif
REFORMER_REFUSE_FAST_MATH(m_default_flags)
#ifdef __clang__ /* its intrinsics are functions: they are compiled as this file says */
#ifdef __x86_64__
#pragma float_control(push)
#pragma float_control(precise, on)
#else
#pragma clang fp reassociate(off)
#endif
#pragma STDC FP_CONTRACT OFF
#endif
#ifdef __x86_64__
#include <immintrin.h>
#endif
#ifndef __clang__
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif
#pragma push_macro("INLINE")
#undef INLINE
#define INLINE static inline __attribute__((always_inline))

/* ---- x86-64-v3 ------------------------------------------------------------- */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target( \
    "avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif

#define exp_f32 m_default_exp_f32
#define log_f32 m_default_log_f32
#define exp_f32x8 m_default_exp_f32x8
#define exp2_f32x8 m_default_exp2_f32x8
#define log_f32x8 m_default_log_f32x8
#define relu_f32x8 m_default_relu_f32x8
#define embed_kernel m_default_embed_kernel
#define local_project m_default_local_project
#define local_output m_default_local_output
#define feed_forward m_default_feed_forward
#define lsh_project m_default_lsh_project
#define lsh_output m_default_lsh_output
#define final_norm m_default_final_norm
#define local_attention m_default_local_attention
#define lsh_hash m_default_lsh_hash
#define lsh_sort m_default_lsh_sort
#define lsh_attention m_default_lsh_attention
#define layer_form m_default_layer_form
#define layer_index m_default_layer_index
#define f32x8 m_default_f32x8
#define f32x8_u m_default_f32x8_u
#define i32x8 m_default_i32x8
#define u32x8 m_default_u32x8
#define i32x8_u m_default_i32x8_u
#define load_f32x8 m_default_load_f32x8
#define load_i32x8 m_default_load_i32x8
#define store_f32x8 m_default_store_f32x8
#define store_i32x8 m_default_store_i32x8
#define splat_f32x8 m_default_splat_f32x8
#define splat_i32x8 m_default_splat_i32x8
#define bits_f32 m_default_bits_f32
#define from_bits_f32 m_default_from_bits_f32
#define add_i32 m_default_add_i32
#define add_i32x8 m_default_add_i32x8
#define sub_i32 m_default_sub_i32
#define sub_i32x8 m_default_sub_i32x8
#define mul_f32 m_default_mul_f32
#define mul_f32x8 m_default_mul_f32x8
#define div_f32 m_default_div_f32
#define div_f32x8 m_default_div_f32x8
#define fma_f32 m_default_fma_f32
#define fma_f32x8 m_default_fma_f32x8
#define sqrt_f32 m_default_sqrt_f32
#define sqrt_f32x8 m_default_sqrt_f32x8
#define min_f32 m_default_min_f32
#define min_f32x8 m_default_min_f32x8
#define min_i64 m_default_min_i64
#define max_f32 m_default_max_f32
#define max_f32x8 m_default_max_f32x8
#define max_i32 m_default_max_i32
#define select_f32x8 m_default_select_f32x8
#define select_i32x8 m_default_select_i32x8
#define shuffle_high1_f32x8 m_default_shuffle_high1_f32x8
#define shuffle_high2_f32x8 m_default_shuffle_high2_f32x8
#define shuffle_high4_f32x8 m_default_shuffle_high4_f32x8
#define shuffle_low1_f32x8 m_default_shuffle_low1_f32x8
#define shuffle_low2_f32x8 m_default_shuffle_low2_f32x8
#define shuffle_low4_f32x8 m_default_shuffle_low4_f32x8
#define shuffle_swap1_f32x8 m_default_shuffle_swap1_f32x8
#define shuffle_swap2_f32x8 m_default_shuffle_swap2_f32x8
#define shuffle_swap4_f32x8 m_default_shuffle_swap4_f32x8

typedef float f32x8 __attribute__((vector_size(32)));
typedef float f32x8_u __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t i32x8 __attribute__((vector_size(32)));
typedef uint32_t u32x8 __attribute__((vector_size(32)));
typedef int32_t i32x8_u __attribute__((vector_size(32), aligned(4), may_alias));

INLINE f32x8 load_f32x8(const float *p) {
    return *(const f32x8_u *)(const void *)p;
}
INLINE i32x8 load_i32x8(const int32_t *p) {
    return *(const i32x8_u *)(const void *)p;
}
INLINE void store_f32x8(float *p, f32x8 x) {
    *(f32x8_u *)(void *)p = x;
}
INLINE void store_i32x8(int32_t *p, i32x8 x) {
    *(i32x8_u *)(void *)p = x;
}
INLINE f32x8 splat_f32x8(float x) {
    return (f32x8){x, x, x, x, x, x, x, x};
}
INLINE i32x8 splat_i32x8(int32_t x) {
    return (i32x8){x, x, x, x, x, x, x, x};
}
INLINE int32_t bits_f32(float x) {
    union { float x; int32_t i; } u = {x};
    return u.i;
}
INLINE float from_bits_f32(int32_t i) {
    union { int32_t i; float x; } u = {i};
    return u.x;
}
INLINE int32_t add_i32(int32_t x, int32_t y) {
    return (int32_t)((uint32_t)x + (uint32_t)y);
}
INLINE i32x8 add_i32x8(i32x8 x, i32x8 y) {
    return (i32x8)((u32x8)x + (u32x8)y);
}
INLINE int32_t sub_i32(int32_t x, int32_t y) {
    return (int32_t)((uint32_t)x - (uint32_t)y);
}
INLINE i32x8 sub_i32x8(i32x8 x, i32x8 y) {
    return (i32x8)((u32x8)x - (u32x8)y);
}
INLINE float mul_f32(float x, float y) {
    float product = x * y;
    REFORMER_SETTLE(product);
    return product;
}
INLINE f32x8 mul_f32x8(f32x8 x, f32x8 y) {
    f32x8 product = x * y;
    REFORMER_SETTLE(product);
    return product;
}
INLINE float div_f32(float x, float y) {
    float product = x / y;
    REFORMER_SETTLE(product);
    return product;
}
INLINE f32x8 div_f32x8(f32x8 x, f32x8 y) {
    f32x8 product = x / y;
    REFORMER_SETTLE(product);
    return product;
}
INLINE float fma_f32(float x, float y, float z) {
    return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(x), _mm_set_ss(y), _mm_set_ss(z)));
}
INLINE f32x8 fma_f32x8(f32x8 x, f32x8 y, f32x8 z) {
    return _mm256_fmadd_ps(x, y, z);
}
INLINE float sqrt_f32(float x) {
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
}
INLINE f32x8 sqrt_f32x8(f32x8 x) {
    return _mm256_sqrt_ps(x);
}
INLINE float min_f32(float x, float y) {
    return x < y ? x : y;
}
INLINE f32x8 min_f32x8(f32x8 x, f32x8 y) {
    return _mm256_min_ps(x, y);
}
INLINE int64_t min_i64(int64_t x, int64_t y) {
    return x < y ? x : y;
}
INLINE float max_f32(float x, float y) {
    return x > y ? x : y;
}
INLINE f32x8 max_f32x8(f32x8 x, f32x8 y) {
    return _mm256_max_ps(x, y);
}
INLINE int32_t max_i32(int32_t x, int32_t y) {
    return x > y ? x : y;
}
INLINE f32x8 select_f32x8(i32x8 m, f32x8 x, f32x8 y) {
    return _mm256_blendv_ps(y, x, (__m256)m);
}
INLINE i32x8 select_i32x8(i32x8 m, i32x8 x, i32x8 y) {
    return (i32x8)_mm256_blendv_ps((__m256)y, (__m256)x, (__m256)m);
}
INLINE f32x8 shuffle_high1_f32x8(f32x8 x, f32x8 y) {
    return __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15);
}
INLINE f32x8 shuffle_high2_f32x8(f32x8 x, f32x8 y) {
    return __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15);
}
INLINE f32x8 shuffle_high4_f32x8(f32x8 x, f32x8 y) {
    return __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15);
}
INLINE f32x8 shuffle_low1_f32x8(f32x8 x, f32x8 y) {
    return __builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14);
}
INLINE f32x8 shuffle_low2_f32x8(f32x8 x, f32x8 y) {
    return __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13);
}
INLINE f32x8 shuffle_low4_f32x8(f32x8 x, f32x8 y) {
    return __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11);
}
INLINE f32x8 shuffle_swap1_f32x8(f32x8 x) {
    return __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
}
INLINE f32x8 shuffle_swap2_f32x8(f32x8 x) {
    return __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5);
}
INLINE f32x8 shuffle_swap4_f32x8(f32x8 x) {
    return __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3);
}

static const int32_t layer_form[6] = {
    0, 1, 0, 1, 0, 1,
};

static const int32_t layer_index[6] = {
    0, 0, 1, 1, 2, 2,
};

static inline float exp_f32(float x) {
    const float high = max_f32(-87.0f, x);
    const float low = min_f32(88.0f, high);
    const float t = fma_f32(low, 1.442695f, 12582912.0f);
    const float diff = t - 12582912.0f;
    const float t_1 = fma_f32(diff, -0.6933594f, low);
    const float t_2 = fma_f32(diff, 0.00021219444f, t_1);
    const float t_3 = fma_f32(0.00019875691f, t_2, 0.0013981999f);
    const float t_4 = fma_f32(t_3, t_2, 0.008333452f);
    const float t_5 = fma_f32(t_4, t_2, 0.041665796f);
    const float t_6 = fma_f32(t_5, t_2, 0.16666666f);
    const float t_7 = fma_f32(t_6, t_2, 0.5f);
    const float t_8 = fma_f32(t_7, t_2 * t_2, t_2 + 1.0f);
    const int32_t sum = add_i32(bits_f32(t_8), (int32_t)((uint32_t)bits_f32(t) << 23));
    return x >= -87.0f ? from_bits_f32(sum) : low - -87.0f;
}

static inline float log_f32(float x) {
    const int32_t bits = bits_f32(x);
    const float bits_1 = from_bits_f32((bits & 8388607) | 1056964608);
    const int32_t less = -(bits_1 < 0.70710677f);
    const float pick = less ? -1.0f : 0.0f;
    const float sum = (float)((int32_t)((uint32_t)bits >> 23) - 126) + pick;
    const float pick_1 = less ? bits_1 : 0.0f;
    const float sum_1 = bits_1 - 1.0f + pick_1;
    const float prod = mul_f32(sum_1, sum_1);
    const float t = fma_f32(0.070376836f, sum_1, -0.1151461f);
    const float t_1 = fma_f32(t, sum_1, 0.116769984f);
    const float t_2 = fma_f32(t_1, sum_1, -0.12420141f);
    const float t_3 = fma_f32(t_2, sum_1, 0.14249323f);
    const float t_4 = fma_f32(t_3, sum_1, -0.16668057f);
    const float t_5 = fma_f32(t_4, sum_1, 0.20000714f);
    const float t_6 = fma_f32(t_5, sum_1, -0.24999994f);
    const float t_7 = fma_f32(t_6, sum_1, 0.3333333f);
    const float t_8 = fma_f32(sum, -0.00021219444f, t_7 * sum_1 * prod);
    const float t_9 = fma_f32(prod, -0.5f, t_8);
    const float t_10 = fma_f32(sum, 0.6933594f, sum_1 + t_9);
    return x <= 3.4028235e+38f ? t_10 : x;
}

static inline f32x8 exp_f32x8(f32x8 x) {
    const f32x8 high = max_f32x8(splat_f32x8(-87.0f), x);
    const f32x8 low = min_f32x8(splat_f32x8(88.0f), high);
    const f32x8 t = fma_f32x8(low, splat_f32x8(1.442695f), splat_f32x8(12582912.0f));
    const f32x8 diff = t - splat_f32x8(12582912.0f);
    const f32x8 t_1 = fma_f32x8(diff, splat_f32x8(-0.6933594f), low);
    const f32x8 t_2 = fma_f32x8(diff, splat_f32x8(0.00021219444f), t_1);
    const f32x8 t_3 = fma_f32x8(splat_f32x8(0.00019875691f), t_2, splat_f32x8(0.0013981999f));
    const f32x8 t_4 = fma_f32x8(t_3, t_2, splat_f32x8(0.008333452f));
    const f32x8 t_5 = fma_f32x8(t_4, t_2, splat_f32x8(0.041665796f));
    const f32x8 t_6 = fma_f32x8(t_5, t_2, splat_f32x8(0.16666666f));
    const f32x8 t_7 = fma_f32x8(t_6, t_2, splat_f32x8(0.5f));
    const f32x8 t_8 = fma_f32x8(t_7, t_2 * t_2, t_2 + splat_f32x8(1.0f));
    const i32x8 sum = add_i32x8((i32x8)t_8, (i32x8)((u32x8)(i32x8)t << 23));
    const f32x8 pick = select_f32x8((i32x8)(x >= splat_f32x8(-87.0f)), (f32x8)sum,
        low - splat_f32x8(-87.0f));
    return pick;
}

static inline f32x8 exp2_f32x8(f32x8 x) {
    const f32x8 sum = x + splat_f32x8(12582912.0f);
    const f32x8 diff = x - (sum - splat_f32x8(12582912.0f));
    const f32x8 t = fma_f32x8(splat_f32x8(0.0013264727f), diff, splat_f32x8(0.009671513f));
    const f32x8 t_1 = fma_f32x8(t, diff, splat_f32x8(0.055507336f));
    const f32x8 t_2 = fma_f32x8(t_1, diff, splat_f32x8(0.24022242f));
    const f32x8 t_3 = fma_f32x8(t_2, diff, splat_f32x8(0.693147f));
    const f32x8 t_4 = fma_f32x8(t_3, diff, splat_f32x8(1.0f));
    const i32x8 sum_1 = add_i32x8((i32x8)t_4, (i32x8)((u32x8)(i32x8)sum << 23));
    return (f32x8)sum_1;
}

static inline f32x8 log_f32x8(f32x8 x) {
    const i32x8 bits = (i32x8)x;
    const i32x8 diff = sub_i32x8((i32x8)((u32x8)bits >> 23), splat_i32x8(126));
    const i32x8 bits_1 = (bits & splat_i32x8(8388607)) | splat_i32x8(1056964608);
    const f32x8 bits_2 = (f32x8)bits_1;
    const i32x8 less = (i32x8)(bits_2 < splat_f32x8(0.70710677f));
    const f32x8 pick = select_f32x8(less, splat_f32x8(-1.0f), splat_f32x8(0.0f));
    const f32x8 sum = __builtin_convertvector(diff, f32x8) + pick;
    const f32x8 pick_1 = select_f32x8(less, bits_2, splat_f32x8(0.0f));
    const f32x8 sum_1 = bits_2 - splat_f32x8(1.0f) + pick_1;
    const f32x8 prod = mul_f32x8(sum_1, sum_1);
    const f32x8 t = fma_f32x8(splat_f32x8(0.070376836f), sum_1, splat_f32x8(-0.1151461f));
    const f32x8 t_1 = fma_f32x8(t, sum_1, splat_f32x8(0.116769984f));
    const f32x8 t_2 = fma_f32x8(t_1, sum_1, splat_f32x8(-0.12420141f));
    const f32x8 t_3 = fma_f32x8(t_2, sum_1, splat_f32x8(0.14249323f));
    const f32x8 t_4 = fma_f32x8(t_3, sum_1, splat_f32x8(-0.16668057f));
    const f32x8 t_5 = fma_f32x8(t_4, sum_1, splat_f32x8(0.20000714f));
    const f32x8 t_6 = fma_f32x8(t_5, sum_1, splat_f32x8(-0.24999994f));
    const f32x8 t_7 = fma_f32x8(t_6, sum_1, splat_f32x8(0.3333333f));
    const f32x8 t_8 = fma_f32x8(sum, splat_f32x8(-0.00021219444f), t_7 * sum_1 * prod);
    const f32x8 t_9 = fma_f32x8(prod, splat_f32x8(-0.5f), t_8);
    const f32x8 t_10 = fma_f32x8(sum, splat_f32x8(0.6933594f), sum_1 + t_9);
    return select_f32x8((i32x8)(x <= splat_f32x8(3.4028235e+38f)), t_10, x);
}

static inline f32x8 relu_f32x8(f32x8 x) {
    return max_f32x8(splat_f32x8(0.0f), x);
}

/* default.yaml:15: word and position embeddings into both streams
 * tasks [batch 1][block 64] */
REFORMER_KERNEL static void embed_kernel(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    (void)arg;
    const int64_t block = task % 64;
    const int32_t *restrict ids = call->slot[REFORMER_SLOT_IDS]; /* [1][4096] */
    /* [320][256] */
    const float *w_embeddings_word_embeddings_weight =
        (const float *)(const void *)(call->weights + 4096);
    /* [64][64] */
    const float *w_embeddings_position_embeddings_weights_0 =
        (const float *)(const void *)(call->weights + 331776);
    /* [1][4096][256]: [batch][rows][width]: a stream */
    float *restrict y1 = (float *)(void *)call->workspace;
    /* [1][4096][256]: [batch][rows][width]: a stream */
    float *restrict y2 = (float *)(void *)(call->workspace + 4194304);
    /* [64][192] */
    const float *w_embeddings_position_embeddings_weights_1 =
        (const float *)(const void *)(call->weights + 348160);
    for (int64_t i = 0; i < 64; i++) {
        const int32_t id = ids[block * 64 + i];
        const int64_t position = block * 64 + i;
        const int64_t axis = position / 64;
        for (int64_t v = 0; v < 8; v++) {
            const f32x8 v_1 =
                load_f32x8(&w_embeddings_word_embeddings_weight[(int64_t)id * 256 + v * 8]);
            const f32x8 v_2 =
                load_f32x8(&w_embeddings_position_embeddings_weights_0[axis * 64 + v * 8]);
            const f32x8 sum = v_1 + v_2;
            store_f32x8(&y1[(block * 64 + i) * 256 + v * 8], sum);
            store_f32x8(&y2[(block * 64 + i) * 256 + v * 8], sum);
        }
        const int64_t axis_1 = position % 64;
        for (int64_t v = 0; v < 24; v++) {
            const f32x8 v_1 =
                load_f32x8(&w_embeddings_word_embeddings_weight[(int64_t)id * 256 + v * 8 + 64]);
            const f32x8 v_2 =
                load_f32x8(&w_embeddings_position_embeddings_weights_1[axis_1 * 192 + v * 8]);
            const f32x8 sum = v_1 + v_2;
            store_f32x8(&y1[(block * 64 + i) * 256 + v * 8 + 64], sum);
            store_f32x8(&y2[(block * 64 + i) * 256 + v * 8 + 64], sum);
        }
    }
}

/* default.yaml:3: local attention: norm and projections of a group of 1 heads
 * tasks [batch 1][block 64] */
REFORMER_KERNEL static void local_project(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 64;
    const int64_t layer = arg[0];
    const int64_t index = arg[1];
    const int64_t group = arg[2];
    /* [1][4096][256]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const float *)(const void *)(call->workspace + 4194304);
    /* [6][256] */
    const float *w_attention_layer_norm_weight =
        (const float *)(const void *)(call->weights + 397312);
    /* [6][256] */
    const float *w_attention_layer_norm_bias =
        (const float *)(const void *)(call->weights + 403456);
    float *restrict attention_norm = (float *)(void *)scratch; /* [64][272] */
    /* [3][12][2][256][32] */
    const float *w_attention_self_attention_query_weight =
        (const float *)(const void *)(call->weights + 409600);
    /* [3][12][2][256][32] */
    const float *w_attention_self_attention_key_weight =
        (const float *)(const void *)(call->weights + 2768896);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    float *restrict q = (float *)(void *)(call->workspace + 8388608);
    /* [6][12][2][256][32] */
    const float *w_attention_self_attention_value_weight =
        (const float *)(const void *)(call->weights + 5128192);
    /* [1][1][4096][64]: [batch][group][rows][head]: keys, or an output apart from the queries */
    float *restrict k_out = (float *)(void *)(call->workspace + 10485760);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    float *restrict v = (float *)(void *)(call->workspace + 9437184);
    /* layer norm of 64 rows of 256 */
    for (int64_t i = 0; i < 64; i++) {
        f32x8 carried = splat_f32x8(0.0f);
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            carried = carried + load_f32x8(&y2[(block * 64 + i) * 256 + v_1 * 8]);
        }
        const f32x8 mix = shuffle_swap4_f32x8(carried);
        const f32x8 sum = carried + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum);
        const f32x8 sum_1 = sum + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_2;
        const float mean = div_f32(sum_2[0], 256.0f);
        f32x8 carried_1 = splat_f32x8(0.0f);
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            const f32x8 diff = load_f32x8(&y2[(block * 64 + i) * 256 + v_1 * 8]) -
                splat_f32x8(mean);
            carried_1 = fma_f32x8(diff, diff, carried_1);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(carried_1);
        const f32x8 sum_3 = carried_1 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_3);
        const f32x8 sum_4 = sum_3 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_5;
        const float var = div_f32(sum_5[0], 256.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            const f32x8 diff = load_f32x8(&y2[(block * 64 + i) * 256 + v_1 * 8]) -
                splat_f32x8(mean);
            const f32x8 t =
                fma_f32x8(diff * splat_f32x8(scale),
                load_f32x8(&w_attention_layer_norm_weight[layer * 256 + v_1 * 8]),
                load_f32x8(&w_attention_layer_norm_bias[layer * 256 + v_1 * 8]));
            store_f32x8(&attention_norm[i * 272 + v_1 * 8], t);
        }
    }
    /* → q */
    for (int64_t column = 0; column < 4; column++) {
        const int64_t next = min_i64(column + 1, 3);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        for (int64_t tile = 0; tile < 9; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            f32x8 acc5_0 = splat_f32x8(0.0f);
            f32x8 acc5_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(
                        &w_attention_self_attention_query_weight[(((index * 12 + group) * 2 + panel)
                        * 256 + tile * 22 + step) * 32 + rem * 16], 0, 2);
                } else {
                    __builtin_prefetch(&w_attention_self_attention_key_weight[((index * 12 + group)
                        * 2 * 256 + tile * 22 + step) * 32], 0, 2);
                }
                const int64_t low = min_i64(step, 5);
                __builtin_prefetch(&q[(block * 64 + tile * 6 + low) * 64 + column * 16], 0, 2);
                const int64_t low_1 = min_i64(column * 352 + tile * 32 + step, 1023);
                const int64_t low_2 = min_i64(block * 64 + low_1 / 16 + 64, 4095);
                __builtin_prefetch(&y2[low_2 * 256 + low_1 % 16 * 16], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s = splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k]);
                    const f32x8 v_1 =
                        load_f32x8(
                        &w_attention_self_attention_query_weight[(((index * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(
                        &w_attention_self_attention_query_weight[(((index * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 272]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 544]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 816]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 1088]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                    const f32x8 s_5 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 1360]);
                    acc5_0 = fma_f32x8(s_5, v_1, acc5_0);
                    acc5_1 = fma_f32x8(s_5, v_2, acc5_1);
                }
            }
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16], acc0_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 8], acc0_1);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 64], acc1_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 72], acc1_1);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 128], acc2_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 136], acc2_1);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 192], acc3_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 200], acc3_1);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 256], acc4_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 264], acc4_1);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 320], acc5_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 328], acc5_1);
        }
        for (int64_t tile = 0; tile < 2; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(
                        &w_attention_self_attention_query_weight[(((index * 12 + group) * 2 + panel)
                        * 256 + tile * 22 + step) * 32 + rem * 16 + 6336], 0, 2);
                } else {
                    __builtin_prefetch(&w_attention_self_attention_key_weight[((index * 12 + group)
                        * 2 * 256 + tile * 22 + step) * 32 + 6336], 0, 2);
                }
                const int64_t low = min_i64(step, 4);
                __builtin_prefetch(&q[(block * 64 + tile * 5 + low) * 64 + column * 16 + 3456], 0,
                    2);
                const int64_t low_1 = min_i64(column * 352 + tile * 32 + step + 288, 1023);
                const int64_t low_2 = min_i64(block * 64 + low_1 / 16 + 64, 4095);
                __builtin_prefetch(&y2[low_2 * 256 + low_1 % 16 * 16], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 14688]);
                    const f32x8 v_1 =
                        load_f32x8(
                        &w_attention_self_attention_query_weight[(((index * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(
                        &w_attention_self_attention_query_weight[(((index * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 14960]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 15232]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 15504]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 15776]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                }
            }
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3456], acc0_0);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3464], acc0_1);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3520], acc1_0);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3528], acc1_1);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3584], acc2_0);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3592], acc2_1);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3648], acc3_0);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3656], acc3_1);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3712], acc4_0);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3720], acc4_1);
        }
    }
    /* → k_out */
    for (int64_t column = 0; column < 4; column++) {
        const int64_t next = min_i64(column + 1, 3);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        for (int64_t tile = 0; tile < 9; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            f32x8 acc5_0 = splat_f32x8(0.0f);
            f32x8 acc5_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(
                        &w_attention_self_attention_key_weight[(((index * 12 + group) * 2 + panel) *
                        256 + tile * 22 + step) * 32 + rem * 16], 0, 2);
                } else {
                    __builtin_prefetch(
                        &w_attention_self_attention_value_weight[((layer * 12 + group) * 2 * 256 +
                        tile * 22 + step) * 32], 0, 2);
                }
                const int64_t low = min_i64(step, 5);
                __builtin_prefetch(&k_out[(block * 64 + tile * 6 + low) * 64 + column * 16], 0, 2);
                const int64_t low_1 = min_i64(block * 64 + 127, 4095);
                __builtin_prefetch(&y2[low_1 * 256 + 240], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s = splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k]);
                    const f32x8 v_1 =
                        load_f32x8(
                        &w_attention_self_attention_key_weight[(((index * 12 + group) * 2 + panel_1)
                        * 256 + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(
                        &w_attention_self_attention_key_weight[(((index * 12 + group) * 2 + panel_1)
                        * 256 + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 272]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 544]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 816]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 1088]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                    const f32x8 s_5 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 1360]);
                    acc5_0 = fma_f32x8(s_5, v_1, acc5_0);
                    acc5_1 = fma_f32x8(s_5, v_2, acc5_1);
                }
            }
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16], acc0_0);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 8], acc0_1);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 64], acc1_0);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 72], acc1_1);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 128], acc2_0);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 136], acc2_1);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 192], acc3_0);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 200], acc3_1);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 256], acc4_0);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 264], acc4_1);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 320], acc5_0);
            store_f32x8(&k_out[(block * 64 + tile * 6) * 64 + column * 16 + 328], acc5_1);
        }
        for (int64_t tile = 0; tile < 2; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(
                        &w_attention_self_attention_key_weight[(((index * 12 + group) * 2 + panel) *
                        256 + tile * 22 + step) * 32 + rem * 16 + 6336], 0, 2);
                } else {
                    __builtin_prefetch(
                        &w_attention_self_attention_value_weight[((layer * 12 + group) * 2 * 256 +
                        tile * 22 + step) * 32 + 6336], 0, 2);
                }
                const int64_t low = min_i64(step, 4);
                __builtin_prefetch(&k_out[(block * 64 + tile * 5 + low) * 64 + column * 16 + 3456],
                    0, 2);
                const int64_t low_1 = min_i64(block * 64 + 127, 4095);
                __builtin_prefetch(&y2[low_1 * 256 + 240], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 14688]);
                    const f32x8 v_1 =
                        load_f32x8(
                        &w_attention_self_attention_key_weight[(((index * 12 + group) * 2 + panel_1)
                        * 256 + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(
                        &w_attention_self_attention_key_weight[(((index * 12 + group) * 2 + panel_1)
                        * 256 + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 14960]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 15232]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 15504]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 15776]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                }
            }
            store_f32x8(&k_out[(block * 64 + tile * 5) * 64 + column * 16 + 3456], acc0_0);
            store_f32x8(&k_out[(block * 64 + tile * 5) * 64 + column * 16 + 3464], acc0_1);
            store_f32x8(&k_out[(block * 64 + tile * 5) * 64 + column * 16 + 3520], acc1_0);
            store_f32x8(&k_out[(block * 64 + tile * 5) * 64 + column * 16 + 3528], acc1_1);
            store_f32x8(&k_out[(block * 64 + tile * 5) * 64 + column * 16 + 3584], acc2_0);
            store_f32x8(&k_out[(block * 64 + tile * 5) * 64 + column * 16 + 3592], acc2_1);
            store_f32x8(&k_out[(block * 64 + tile * 5) * 64 + column * 16 + 3648], acc3_0);
            store_f32x8(&k_out[(block * 64 + tile * 5) * 64 + column * 16 + 3656], acc3_1);
            store_f32x8(&k_out[(block * 64 + tile * 5) * 64 + column * 16 + 3712], acc4_0);
            store_f32x8(&k_out[(block * 64 + tile * 5) * 64 + column * 16 + 3720], acc4_1);
        }
    }
    /* → v */
    for (int64_t column = 0; column < 4; column++) {
        const int64_t next = min_i64(column + 1, 3);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        for (int64_t tile = 0; tile < 9; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            f32x8 acc5_0 = splat_f32x8(0.0f);
            f32x8 acc5_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 + panel)
                        * 256 + tile * 22 + step) * 32 + rem * 16], 0, 2);
                } else {
                    __builtin_prefetch(
                        &w_attention_self_attention_query_weight[((index * 12 + group) * 2 * 256 +
                        tile * 22 + step) * 32], 0, 2);
                }
                const int64_t low = min_i64(step, 5);
                __builtin_prefetch(&v[(block * 64 + tile * 6 + low) * 64 + column * 16], 0, 2);
                const int64_t low_1 = min_i64(block * 64 + 127, 4095);
                __builtin_prefetch(&y2[low_1 * 256 + 240], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s = splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k]);
                    const f32x8 v_1 =
                        load_f32x8(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 272]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 544]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 816]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 1088]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                    const f32x8 s_5 =
                        splat_f32x8(attention_norm[tile * 6 * 272 + step * 8 + k + 1360]);
                    acc5_0 = fma_f32x8(s_5, v_1, acc5_0);
                    acc5_1 = fma_f32x8(s_5, v_2, acc5_1);
                }
            }
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16], acc0_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 8], acc0_1);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 64], acc1_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 72], acc1_1);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 128], acc2_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 136], acc2_1);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 192], acc3_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 200], acc3_1);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 256], acc4_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 264], acc4_1);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 320], acc5_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 328], acc5_1);
        }
        for (int64_t tile = 0; tile < 2; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 + panel)
                        * 256 + tile * 22 + step) * 32 + rem * 16 + 6336], 0, 2);
                } else {
                    __builtin_prefetch(
                        &w_attention_self_attention_query_weight[((index * 12 + group) * 2 * 256 +
                        tile * 22 + step) * 32 + 6336], 0, 2);
                }
                const int64_t low = min_i64(step, 4);
                __builtin_prefetch(&v[(block * 64 + tile * 5 + low) * 64 + column * 16 + 3456], 0,
                    2);
                const int64_t low_1 = min_i64(block * 64 + 127, 4095);
                __builtin_prefetch(&y2[low_1 * 256 + 240], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 14688]);
                    const f32x8 v_1 =
                        load_f32x8(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 14960]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 15232]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 15504]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(attention_norm[tile * 5 * 272 + step * 8 + k + 15776]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                }
            }
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3456], acc0_0);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3464], acc0_1);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3520], acc1_0);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3528], acc1_1);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3584], acc2_0);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3592], acc2_1);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3648], acc3_0);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3656], acc3_1);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3712], acc4_0);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3720], acc4_1);
        }
    }
}

/* default.yaml:3: local attention: output of a group of heads, added to its stream
 * tasks [batch 1][block 64] */
REFORMER_KERNEL static void local_output(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 64;
    const int64_t layer = arg[0];
    const int64_t group = arg[1];
    /* [1][1][4096][64]: [batch][group][rows][head] */
    const float *restrict q = (const float *)(const void *)(call->workspace + 8388608);
    float *restrict heads = (float *)(void *)scratch; /* [64][80] */
    /* [6][8][768][32] */
    const float *w_attention_output_dense_weight =
        (const float *)(const void *)(call->weights + 9846784);
    /* [1][4096][256]: [batch][rows][width]: a stream */
    float *restrict y1 = (float *)(void *)call->workspace;
    for (int64_t i = 0; i < 64; i++) {
        for (int64_t v = 0; v < 8; v++) {
            store_f32x8(&heads[i * 80 + v * 8], load_f32x8(&q[(block * 64 + i) * 64 + v * 8]));
        }
    }
    /* y1 */
    for (int64_t column = 0; column < 16; column++) {
        const int64_t next = min_i64(column + 1, 15);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        for (int64_t tile = 0; tile < 9; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            f32x8 acc5_0 = splat_f32x8(0.0f);
            f32x8 acc5_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 8; step++) {
                __builtin_prefetch(&w_attention_output_dense_weight[((layer * 8 + panel) * 768 +
                    tile * 5 + step + group * 64) * 32 + rem * 16], 0, 2);
                const int64_t low = min_i64(step, 5);
                __builtin_prefetch(&y1[(block * 64 + tile * 6 + low) * 256 + column * 16], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s = splat_f32x8(heads[tile * 6 * 80 + step * 8 + k]);
                    const f32x8 v =
                        load_f32x8(&w_attention_output_dense_weight[((layer * 8 + panel_1) * 768 +
                        step * 8 + k + group * 64) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v, acc0_0);
                    const f32x8 v_1 =
                        load_f32x8(&w_attention_output_dense_weight[((layer * 8 + panel_1) * 768 +
                        step * 8 + k + group * 64) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_1, acc0_1);
                    const f32x8 s_1 = splat_f32x8(heads[tile * 6 * 80 + step * 8 + k + 80]);
                    acc1_0 = fma_f32x8(s_1, v, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_1, acc1_1);
                    const f32x8 s_2 = splat_f32x8(heads[tile * 6 * 80 + step * 8 + k + 160]);
                    acc2_0 = fma_f32x8(s_2, v, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_1, acc2_1);
                    const f32x8 s_3 = splat_f32x8(heads[tile * 6 * 80 + step * 8 + k + 240]);
                    acc3_0 = fma_f32x8(s_3, v, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_1, acc3_1);
                    const f32x8 s_4 = splat_f32x8(heads[tile * 6 * 80 + step * 8 + k + 320]);
                    acc4_0 = fma_f32x8(s_4, v, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_1, acc4_1);
                    const f32x8 s_5 = splat_f32x8(heads[tile * 6 * 80 + step * 8 + k + 400]);
                    acc5_0 = fma_f32x8(s_5, v, acc5_0);
                    acc5_1 = fma_f32x8(s_5, v_1, acc5_1);
                }
            }
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16],
                load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16]) + acc0_0);
            const f32x8 sum = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 8]) +
                acc0_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 8], sum);
            const f32x8 sum_1 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 256]) +
                acc1_0;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 256], sum_1);
            const f32x8 sum_2 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 264]) +
                acc1_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 264], sum_2);
            const f32x8 sum_3 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 512]) +
                acc2_0;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 512], sum_3);
            const f32x8 sum_4 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 520]) +
                acc2_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 520], sum_4);
            const f32x8 sum_5 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 768]) +
                acc3_0;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 768], sum_5);
            const f32x8 sum_6 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 776]) +
                acc3_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 776], sum_6);
            const f32x8 sum_7 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1024])
                + acc4_0;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1024], sum_7);
            const f32x8 sum_8 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1032])
                + acc4_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1032], sum_8);
            const f32x8 sum_9 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1280])
                + acc5_0;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1280], sum_9);
            const f32x8 sum_10 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1288])
                + acc5_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1288], sum_10);
        }
        for (int64_t tile = 0; tile < 2; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 8; step++) {
                __builtin_prefetch(&w_attention_output_dense_weight[((layer * 8 + panel) * 768 +
                    tile * 5 + step + group * 64) * 32 + rem * 16 + 1440], 0, 2);
                const int64_t low = min_i64(step, 4);
                __builtin_prefetch(&y1[(block * 64 + tile * 5 + low) * 256 + column * 16 + 13824],
                    0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s = splat_f32x8(heads[tile * 5 * 80 + step * 8 + k + 4320]);
                    const f32x8 v =
                        load_f32x8(&w_attention_output_dense_weight[((layer * 8 + panel_1) * 768 +
                        step * 8 + k + group * 64) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v, acc0_0);
                    const f32x8 v_1 =
                        load_f32x8(&w_attention_output_dense_weight[((layer * 8 + panel_1) * 768 +
                        step * 8 + k + group * 64) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_1, acc0_1);
                    const f32x8 s_1 = splat_f32x8(heads[tile * 5 * 80 + step * 8 + k + 4400]);
                    acc1_0 = fma_f32x8(s_1, v, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_1, acc1_1);
                    const f32x8 s_2 = splat_f32x8(heads[tile * 5 * 80 + step * 8 + k + 4480]);
                    acc2_0 = fma_f32x8(s_2, v, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_1, acc2_1);
                    const f32x8 s_3 = splat_f32x8(heads[tile * 5 * 80 + step * 8 + k + 4560]);
                    acc3_0 = fma_f32x8(s_3, v, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_1, acc3_1);
                    const f32x8 s_4 = splat_f32x8(heads[tile * 5 * 80 + step * 8 + k + 4640]);
                    acc4_0 = fma_f32x8(s_4, v, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_1, acc4_1);
                }
            }
            const f32x8 sum = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 13824]) +
                acc0_0;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 13824], sum);
            const f32x8 sum_1 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 13832])
                + acc0_1;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 13832], sum_1);
            const f32x8 sum_2 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14080])
                + acc1_0;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14080], sum_2);
            const f32x8 sum_3 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14088])
                + acc1_1;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14088], sum_3);
            const f32x8 sum_4 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14336])
                + acc2_0;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14336], sum_4);
            const f32x8 sum_5 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14344])
                + acc2_1;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14344], sum_5);
            const f32x8 sum_6 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14592])
                + acc3_0;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14592], sum_6);
            const f32x8 sum_7 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14600])
                + acc3_1;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14600], sum_7);
            const f32x8 sum_8 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14848])
                + acc4_0;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14848], sum_8);
            const f32x8 sum_9 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14856])
                + acc4_1;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14856], sum_9);
        }
    }
}

/* default.yaml:7: on blocks of 64 rows
 * tasks [batch 1][block 64] */
REFORMER_KERNEL static void feed_forward(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 64;
    const int64_t layer = arg[0];
    /* [1][4096][256]: [batch][rows][width]: a stream */
    const float *restrict y1 = (const float *)(const void *)call->workspace;
    /* [6][256] */
    const float *w_feed_forward_layer_norm_weight =
        (const float *)(const void *)(call->weights + 14565376);
    /* [6][256] */
    const float *w_feed_forward_layer_norm_bias =
        (const float *)(const void *)(call->weights + 14571520);
    float *restrict feed_forward_norm = (float *)(void *)scratch; /* [64][272] */
    /* [6][16][256][32] */
    const float *w_feed_forward_dense_dense_weight =
        (const float *)(const void *)(call->weights + 14577664);
    /* [6][8][512][32] */
    const float *w_feed_forward_output_dense_weight =
        (const float *)(const void *)(call->weights + 17735680);
    /* [6][512] */
    const float *w_feed_forward_dense_dense_bias =
        (const float *)(const void *)(call->weights + 17723392);
    float *restrict feed_forward_act = (float *)(void *)(scratch + 69632); /* [64][528] */
    /* [1][4096][256]: [batch][rows][width]: a stream */
    float *restrict y2 = (float *)(void *)(call->workspace + 4194304);
    /* [6][256] */
    const float *w_feed_forward_output_dense_bias =
        (const float *)(const void *)(call->weights + 20881408);
    /* layer norm of 64 rows of 256 */
    for (int64_t i = 0; i < 64; i++) {
        f32x8 carried = splat_f32x8(0.0f);
        for (int64_t v = 0; v < 32; v++) {
            carried = carried + load_f32x8(&y1[(block * 64 + i) * 256 + v * 8]);
        }
        const f32x8 mix = shuffle_swap4_f32x8(carried);
        const f32x8 sum = carried + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum);
        const f32x8 sum_1 = sum + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_2;
        const float mean = div_f32(sum_2[0], 256.0f);
        f32x8 carried_1 = splat_f32x8(0.0f);
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 diff = load_f32x8(&y1[(block * 64 + i) * 256 + v * 8]) - splat_f32x8(mean);
            carried_1 = fma_f32x8(diff, diff, carried_1);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(carried_1);
        const f32x8 sum_3 = carried_1 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_3);
        const f32x8 sum_4 = sum_3 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_5;
        const float var = div_f32(sum_5[0], 256.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 diff = load_f32x8(&y1[(block * 64 + i) * 256 + v * 8]) - splat_f32x8(mean);
            const f32x8 t =
                fma_f32x8(diff * splat_f32x8(scale),
                load_f32x8(&w_feed_forward_layer_norm_weight[layer * 256 + v * 8]),
                load_f32x8(&w_feed_forward_layer_norm_bias[layer * 256 + v * 8]));
            store_f32x8(&feed_forward_norm[i * 272 + v * 8], t);
        }
    }
    /* feed_forward_act */
    for (int64_t column = 0; column < 32; column++) {
        const int64_t next = min_i64(column + 1, 31);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        for (int64_t tile = 0; tile < 9; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            f32x8 acc5_0 = splat_f32x8(0.0f);
            f32x8 acc5_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(&w_feed_forward_dense_dense_weight[((layer * 16 + panel) *
                        256 + tile * 22 + step) * 32 + rem * 16], 0, 2);
                } else {
                    __builtin_prefetch(&w_feed_forward_output_dense_weight[(layer * 8 * 512 + tile *
                        22 + step) * 32], 0, 2);
                }
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s = splat_f32x8(feed_forward_norm[tile * 6 * 272 + step * 8 + k]);
                    const f32x8 v =
                        load_f32x8(&w_feed_forward_dense_dense_weight[((layer * 16 + panel_1) * 256
                        + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v, acc0_0);
                    const f32x8 v_1 =
                        load_f32x8(&w_feed_forward_dense_dense_weight[((layer * 16 + panel_1) * 256
                        + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_1, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(feed_forward_norm[tile * 6 * 272 + step * 8 + k + 272]);
                    acc1_0 = fma_f32x8(s_1, v, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_1, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(feed_forward_norm[tile * 6 * 272 + step * 8 + k + 544]);
                    acc2_0 = fma_f32x8(s_2, v, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_1, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(feed_forward_norm[tile * 6 * 272 + step * 8 + k + 816]);
                    acc3_0 = fma_f32x8(s_3, v, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_1, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(feed_forward_norm[tile * 6 * 272 + step * 8 + k + 1088]);
                    acc4_0 = fma_f32x8(s_4, v, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_1, acc4_1);
                    const f32x8 s_5 =
                        splat_f32x8(feed_forward_norm[tile * 6 * 272 + step * 8 + k + 1360]);
                    acc5_0 = fma_f32x8(s_5, v, acc5_0);
                    acc5_1 = fma_f32x8(s_5, v_1, acc5_1);
                }
            }
            const f32x8 v = load_f32x8(&w_feed_forward_dense_dense_bias[layer * 512 + column * 16]);
            const f32x8 y = relu_f32x8(acc0_0 + v);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16], y);
            const f32x8 y_1 = relu_f32x8(acc1_0 + v);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 528], y_1);
            const f32x8 y_2 = relu_f32x8(acc2_0 + v);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 1056], y_2);
            const f32x8 y_3 = relu_f32x8(acc3_0 + v);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 1584], y_3);
            const f32x8 y_4 = relu_f32x8(acc4_0 + v);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 2112], y_4);
            const f32x8 y_5 = relu_f32x8(acc5_0 + v);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 2640], y_5);
            const f32x8 v_1 =
                load_f32x8(&w_feed_forward_dense_dense_bias[layer * 512 + column * 16 + 8]);
            const f32x8 y_6 = relu_f32x8(acc0_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 8], y_6);
            const f32x8 y_7 = relu_f32x8(acc1_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 536], y_7);
            const f32x8 y_8 = relu_f32x8(acc2_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 1064], y_8);
            const f32x8 y_9 = relu_f32x8(acc3_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 1592], y_9);
            const f32x8 y_10 = relu_f32x8(acc4_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 2120], y_10);
            const f32x8 y_11 = relu_f32x8(acc5_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 6 * 528 + column * 16 + 2648], y_11);
        }
        for (int64_t tile = 0; tile < 2; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(&w_feed_forward_dense_dense_weight[((layer * 16 + panel) *
                        256 + tile * 22 + step) * 32 + rem * 16 + 6336], 0, 2);
                } else {
                    __builtin_prefetch(&w_feed_forward_output_dense_weight[(layer * 8 * 512 + tile *
                        22 + step) * 32 + 6336], 0, 2);
                }
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s =
                        splat_f32x8(feed_forward_norm[tile * 5 * 272 + step * 8 + k + 14688]);
                    const f32x8 v =
                        load_f32x8(&w_feed_forward_dense_dense_weight[((layer * 16 + panel_1) * 256
                        + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v, acc0_0);
                    const f32x8 v_1 =
                        load_f32x8(&w_feed_forward_dense_dense_weight[((layer * 16 + panel_1) * 256
                        + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_1, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(feed_forward_norm[tile * 5 * 272 + step * 8 + k + 14960]);
                    acc1_0 = fma_f32x8(s_1, v, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_1, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(feed_forward_norm[tile * 5 * 272 + step * 8 + k + 15232]);
                    acc2_0 = fma_f32x8(s_2, v, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_1, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(feed_forward_norm[tile * 5 * 272 + step * 8 + k + 15504]);
                    acc3_0 = fma_f32x8(s_3, v, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_1, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(feed_forward_norm[tile * 5 * 272 + step * 8 + k + 15776]);
                    acc4_0 = fma_f32x8(s_4, v, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_1, acc4_1);
                }
            }
            const f32x8 v = load_f32x8(&w_feed_forward_dense_dense_bias[layer * 512 + column * 16]);
            const f32x8 y = relu_f32x8(acc0_0 + v);
            store_f32x8(&feed_forward_act[tile * 5 * 528 + column * 16 + 28512], y);
            const f32x8 y_1 = relu_f32x8(acc1_0 + v);
            store_f32x8(&feed_forward_act[tile * 5 * 528 + column * 16 + 29040], y_1);
            const f32x8 y_2 = relu_f32x8(acc2_0 + v);
            store_f32x8(&feed_forward_act[tile * 5 * 528 + column * 16 + 29568], y_2);
            const f32x8 y_3 = relu_f32x8(acc3_0 + v);
            store_f32x8(&feed_forward_act[tile * 5 * 528 + column * 16 + 30096], y_3);
            const f32x8 y_4 = relu_f32x8(acc4_0 + v);
            store_f32x8(&feed_forward_act[tile * 5 * 528 + column * 16 + 30624], y_4);
            const f32x8 v_1 =
                load_f32x8(&w_feed_forward_dense_dense_bias[layer * 512 + column * 16 + 8]);
            const f32x8 y_5 = relu_f32x8(acc0_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 5 * 528 + column * 16 + 28520], y_5);
            const f32x8 y_6 = relu_f32x8(acc1_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 5 * 528 + column * 16 + 29048], y_6);
            const f32x8 y_7 = relu_f32x8(acc2_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 5 * 528 + column * 16 + 29576], y_7);
            const f32x8 y_8 = relu_f32x8(acc3_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 5 * 528 + column * 16 + 30104], y_8);
            const f32x8 y_9 = relu_f32x8(acc4_1 + v_1);
            store_f32x8(&feed_forward_act[tile * 5 * 528 + column * 16 + 30632], y_9);
        }
    }
    /* y2 */
    for (int64_t column = 0; column < 16; column++) {
        const int64_t next = min_i64(column + 1, 15);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        for (int64_t tile = 0; tile < 9; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            f32x8 acc5_0 = splat_f32x8(0.0f);
            f32x8 acc5_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 64; step++) {
                __builtin_prefetch(&w_feed_forward_output_dense_weight[((layer * 8 + panel) * 512 +
                    tile * 44 + step) * 32 + rem * 16], 0, 2);
                const int64_t low = min_i64(step, 5);
                __builtin_prefetch(&y2[(block * 64 + tile * 6 + low) * 256 + column * 16], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s = splat_f32x8(feed_forward_act[tile * 6 * 528 + step * 8 + k]);
                    const f32x8 v =
                        load_f32x8(&w_feed_forward_output_dense_weight[((layer * 8 + panel_1) * 512
                        + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v, acc0_0);
                    const f32x8 v_1 =
                        load_f32x8(&w_feed_forward_output_dense_weight[((layer * 8 + panel_1) * 512
                        + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_1, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(feed_forward_act[tile * 6 * 528 + step * 8 + k + 528]);
                    acc1_0 = fma_f32x8(s_1, v, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_1, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(feed_forward_act[tile * 6 * 528 + step * 8 + k + 1056]);
                    acc2_0 = fma_f32x8(s_2, v, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_1, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(feed_forward_act[tile * 6 * 528 + step * 8 + k + 1584]);
                    acc3_0 = fma_f32x8(s_3, v, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_1, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(feed_forward_act[tile * 6 * 528 + step * 8 + k + 2112]);
                    acc4_0 = fma_f32x8(s_4, v, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_1, acc4_1);
                    const f32x8 s_5 =
                        splat_f32x8(feed_forward_act[tile * 6 * 528 + step * 8 + k + 2640]);
                    acc5_0 = fma_f32x8(s_5, v, acc5_0);
                    acc5_1 = fma_f32x8(s_5, v_1, acc5_1);
                }
            }
            const f32x8 v =
                load_f32x8(&w_feed_forward_output_dense_bias[layer * 256 + column * 16]);
            const f32x8 sum = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16]) +
                (acc0_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16], sum);
            const f32x8 sum_1 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 256]) +
                (acc1_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 256], sum_1);
            const f32x8 sum_2 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 512]) +
                (acc2_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 512], sum_2);
            const f32x8 sum_3 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 768]) +
                (acc3_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 768], sum_3);
            const f32x8 sum_4 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 1024])
                + (acc4_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 1024], sum_4);
            const f32x8 sum_5 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 1280])
                + (acc5_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 1280], sum_5);
            const f32x8 v_1 =
                load_f32x8(&w_feed_forward_output_dense_bias[layer * 256 + column * 16 + 8]);
            const f32x8 sum_6 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 8]) +
                (acc0_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 8], sum_6);
            const f32x8 sum_7 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 264]) +
                (acc1_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 264], sum_7);
            const f32x8 sum_8 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 520]) +
                (acc2_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 520], sum_8);
            const f32x8 sum_9 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 776]) +
                (acc3_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 776], sum_9);
            const f32x8 sum_10 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 1032])
                + (acc4_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 1032], sum_10);
            const f32x8 sum_11 = load_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 1288])
                + (acc5_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 6) * 256 + column * 16 + 1288], sum_11);
        }
        for (int64_t tile = 0; tile < 2; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 64; step++) {
                __builtin_prefetch(&w_feed_forward_output_dense_weight[((layer * 8 + panel) * 512 +
                    tile * 44 + step) * 32 + rem * 16 + 12672], 0, 2);
                const int64_t low = min_i64(step, 4);
                __builtin_prefetch(&y2[(block * 64 + tile * 5 + low) * 256 + column * 16 + 13824],
                    0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s =
                        splat_f32x8(feed_forward_act[tile * 5 * 528 + step * 8 + k + 28512]);
                    const f32x8 v =
                        load_f32x8(&w_feed_forward_output_dense_weight[((layer * 8 + panel_1) * 512
                        + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v, acc0_0);
                    const f32x8 v_1 =
                        load_f32x8(&w_feed_forward_output_dense_weight[((layer * 8 + panel_1) * 512
                        + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_1, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(feed_forward_act[tile * 5 * 528 + step * 8 + k + 29040]);
                    acc1_0 = fma_f32x8(s_1, v, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_1, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(feed_forward_act[tile * 5 * 528 + step * 8 + k + 29568]);
                    acc2_0 = fma_f32x8(s_2, v, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_1, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(feed_forward_act[tile * 5 * 528 + step * 8 + k + 30096]);
                    acc3_0 = fma_f32x8(s_3, v, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_1, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(feed_forward_act[tile * 5 * 528 + step * 8 + k + 30624]);
                    acc4_0 = fma_f32x8(s_4, v, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_1, acc4_1);
                }
            }
            const f32x8 v =
                load_f32x8(&w_feed_forward_output_dense_bias[layer * 256 + column * 16]);
            const f32x8 sum = load_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 13824]) +
                (acc0_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 13824], sum);
            const f32x8 sum_1 = load_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14080])
                + (acc1_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14080], sum_1);
            const f32x8 sum_2 = load_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14336])
                + (acc2_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14336], sum_2);
            const f32x8 sum_3 = load_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14592])
                + (acc3_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14592], sum_3);
            const f32x8 sum_4 = load_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14848])
                + (acc4_0 + v);
            store_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14848], sum_4);
            const f32x8 v_1 =
                load_f32x8(&w_feed_forward_output_dense_bias[layer * 256 + column * 16 + 8]);
            const f32x8 sum_5 = load_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 13832])
                + (acc0_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 13832], sum_5);
            const f32x8 sum_6 = load_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14088])
                + (acc1_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14088], sum_6);
            const f32x8 sum_7 = load_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14344])
                + (acc2_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14344], sum_7);
            const f32x8 sum_8 = load_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14600])
                + (acc3_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14600], sum_8);
            const f32x8 sum_9 = load_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14856])
                + (acc4_1 + v_1);
            store_f32x8(&y2[(block * 64 + tile * 5) * 256 + column * 16 + 14856], sum_9);
        }
    }
}

/* default.yaml:3: LSH attention: norm and projections of a group of 1 heads
 * tasks [batch 1][block 64] */
REFORMER_KERNEL static void lsh_project(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 64;
    const int64_t layer = arg[0];
    const int64_t index = arg[1];
    const int64_t group = arg[2];
    /* [1][4096][256]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const float *)(const void *)(call->workspace + 4194304);
    /* [6][256] */
    const float *w_attention_layer_norm_weight =
        (const float *)(const void *)(call->weights + 397312);
    /* [6][256] */
    const float *w_attention_layer_norm_bias =
        (const float *)(const void *)(call->weights + 403456);
    float *restrict lsh_project_attention_norm = (float *)(void *)scratch; /* [64][272] */
    /* [3][12][2][256][32] */
    const float *w_attention_self_attention_query_key_weight =
        (const float *)(const void *)(call->weights + 20887552);
    /* [6][12][2][256][32] */
    const float *w_attention_self_attention_value_weight =
        (const float *)(const void *)(call->weights + 5128192);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    float *restrict q = (float *)(void *)(call->workspace + 8388608);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    float *restrict v = (float *)(void *)(call->workspace + 9437184);
    /* [1][1][4096]: [batch][group][rows]: largest score so far */
    float *restrict run_max = (float *)(void *)(call->workspace + 11550784);
    /* [1][1][4096]: [batch][group][rows]: sum of exponentials */
    float *restrict run_sum = (float *)(void *)(call->workspace + 11567168);
    /* layer norm of 64 rows of 256 */
    for (int64_t i = 0; i < 64; i++) {
        f32x8 carried = splat_f32x8(0.0f);
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            carried = carried + load_f32x8(&y2[(block * 64 + i) * 256 + v_1 * 8]);
        }
        const f32x8 mix = shuffle_swap4_f32x8(carried);
        const f32x8 sum = carried + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum);
        const f32x8 sum_1 = sum + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_2;
        const float mean = div_f32(sum_2[0], 256.0f);
        f32x8 carried_1 = splat_f32x8(0.0f);
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            const f32x8 diff = load_f32x8(&y2[(block * 64 + i) * 256 + v_1 * 8]) -
                splat_f32x8(mean);
            carried_1 = fma_f32x8(diff, diff, carried_1);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(carried_1);
        const f32x8 sum_3 = carried_1 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_3);
        const f32x8 sum_4 = sum_3 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_5;
        const float var = div_f32(sum_5[0], 256.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            const f32x8 diff = load_f32x8(&y2[(block * 64 + i) * 256 + v_1 * 8]) -
                splat_f32x8(mean);
            const f32x8 t =
                fma_f32x8(diff * splat_f32x8(scale),
                load_f32x8(&w_attention_layer_norm_weight[layer * 256 + v_1 * 8]),
                load_f32x8(&w_attention_layer_norm_bias[layer * 256 + v_1 * 8]));
            store_f32x8(&lsh_project_attention_norm[i * 272 + v_1 * 8], t);
        }
    }
    /* → q */
    for (int64_t column = 0; column < 4; column++) {
        const int64_t next = min_i64(column + 1, 3);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        for (int64_t tile = 0; tile < 9; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            f32x8 acc5_0 = splat_f32x8(0.0f);
            f32x8 acc5_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(
                        &w_attention_self_attention_query_key_weight[(((index * 12 + group) * 2 +
                        panel) * 256 + tile * 22 + step) * 32 + rem * 16], 0, 2);
                } else {
                    __builtin_prefetch(
                        &w_attention_self_attention_value_weight[((layer * 12 + group) * 2 * 256 +
                        tile * 22 + step) * 32], 0, 2);
                }
                const int64_t low = min_i64(step, 5);
                __builtin_prefetch(&q[(block * 64 + tile * 6 + low) * 64 + column * 16], 0, 2);
                const int64_t low_1 = min_i64(column * 352 + tile * 32 + step, 1023);
                const int64_t low_2 = min_i64(block * 64 + low_1 / 16 + 64, 4095);
                __builtin_prefetch(&y2[low_2 * 256 + low_1 % 16 * 16], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k]);
                    const f32x8 v_1 =
                        load_f32x8(
                        &w_attention_self_attention_query_key_weight[(((index * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(
                        &w_attention_self_attention_query_key_weight[(((index * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k +
                        272]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k +
                        544]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k +
                        816]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k +
                        1088]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                    const f32x8 s_5 =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k +
                        1360]);
                    acc5_0 = fma_f32x8(s_5, v_1, acc5_0);
                    acc5_1 = fma_f32x8(s_5, v_2, acc5_1);
                }
            }
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16], acc0_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 8], acc0_1);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 64], acc1_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 72], acc1_1);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 128], acc2_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 136], acc2_1);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 192], acc3_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 200], acc3_1);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 256], acc4_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 264], acc4_1);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 320], acc5_0);
            store_f32x8(&q[(block * 64 + tile * 6) * 64 + column * 16 + 328], acc5_1);
        }
        for (int64_t tile = 0; tile < 2; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(
                        &w_attention_self_attention_query_key_weight[(((index * 12 + group) * 2 +
                        panel) * 256 + tile * 22 + step) * 32 + rem * 16 + 6336], 0, 2);
                } else {
                    __builtin_prefetch(
                        &w_attention_self_attention_value_weight[((layer * 12 + group) * 2 * 256 +
                        tile * 22 + step) * 32 + 6336], 0, 2);
                }
                const int64_t low = min_i64(step, 4);
                __builtin_prefetch(&q[(block * 64 + tile * 5 + low) * 64 + column * 16 + 3456], 0,
                    2);
                const int64_t low_1 = min_i64(column * 352 + tile * 32 + step + 288, 1023);
                const int64_t low_2 = min_i64(block * 64 + low_1 / 16 + 64, 4095);
                __builtin_prefetch(&y2[low_2 * 256 + low_1 % 16 * 16], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s =
                        splat_f32x8(lsh_project_attention_norm[tile * 5 * 272 + step * 8 + k +
                        14688]);
                    const f32x8 v_1 =
                        load_f32x8(
                        &w_attention_self_attention_query_key_weight[(((index * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(
                        &w_attention_self_attention_query_key_weight[(((index * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(lsh_project_attention_norm[tile * 5 * 272 + step * 8 + k +
                        14960]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(lsh_project_attention_norm[tile * 5 * 272 + step * 8 + k +
                        15232]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(lsh_project_attention_norm[tile * 5 * 272 + step * 8 + k +
                        15504]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(lsh_project_attention_norm[tile * 5 * 272 + step * 8 + k +
                        15776]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                }
            }
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3456], acc0_0);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3464], acc0_1);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3520], acc1_0);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3528], acc1_1);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3584], acc2_0);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3592], acc2_1);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3648], acc3_0);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3656], acc3_1);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3712], acc4_0);
            store_f32x8(&q[(block * 64 + tile * 5) * 64 + column * 16 + 3720], acc4_1);
        }
    }
    /* → v */
    for (int64_t column = 0; column < 4; column++) {
        const int64_t next = min_i64(column + 1, 3);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        for (int64_t tile = 0; tile < 9; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            f32x8 acc5_0 = splat_f32x8(0.0f);
            f32x8 acc5_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 + panel)
                        * 256 + tile * 22 + step) * 32 + rem * 16], 0, 2);
                } else {
                    __builtin_prefetch(
                        &w_attention_self_attention_query_key_weight[((index * 12 + group) * 2 * 256
                        + tile * 22 + step) * 32], 0, 2);
                }
                const int64_t low = min_i64(step, 5);
                __builtin_prefetch(&v[(block * 64 + tile * 6 + low) * 64 + column * 16], 0, 2);
                const int64_t low_1 = min_i64(block * 64 + 127, 4095);
                __builtin_prefetch(&y2[low_1 * 256 + 240], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k]);
                    const f32x8 v_1 =
                        load_f32x8(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k +
                        272]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k +
                        544]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k +
                        816]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k +
                        1088]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                    const f32x8 s_5 =
                        splat_f32x8(lsh_project_attention_norm[tile * 6 * 272 + step * 8 + k +
                        1360]);
                    acc5_0 = fma_f32x8(s_5, v_1, acc5_0);
                    acc5_1 = fma_f32x8(s_5, v_2, acc5_1);
                }
            }
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16], acc0_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 8], acc0_1);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 64], acc1_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 72], acc1_1);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 128], acc2_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 136], acc2_1);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 192], acc3_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 200], acc3_1);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 256], acc4_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 264], acc4_1);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 320], acc5_0);
            store_f32x8(&v[(block * 64 + tile * 6) * 64 + column * 16 + 328], acc5_1);
        }
        for (int64_t tile = 0; tile < 2; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    __builtin_prefetch(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 + panel)
                        * 256 + tile * 22 + step) * 32 + rem * 16 + 6336], 0, 2);
                } else {
                    __builtin_prefetch(
                        &w_attention_self_attention_query_key_weight[((index * 12 + group) * 2 * 256
                        + tile * 22 + step) * 32 + 6336], 0, 2);
                }
                const int64_t low = min_i64(step, 4);
                __builtin_prefetch(&v[(block * 64 + tile * 5 + low) * 64 + column * 16 + 3456], 0,
                    2);
                const int64_t low_1 = min_i64(block * 64 + 127, 4095);
                __builtin_prefetch(&y2[low_1 * 256 + 240], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s =
                        splat_f32x8(lsh_project_attention_norm[tile * 5 * 272 + step * 8 + k +
                        14688]);
                    const f32x8 v_1 =
                        load_f32x8(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(
                        &w_attention_self_attention_value_weight[(((layer * 12 + group) * 2 +
                        panel_1) * 256 + step * 8 + k) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(lsh_project_attention_norm[tile * 5 * 272 + step * 8 + k +
                        14960]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(lsh_project_attention_norm[tile * 5 * 272 + step * 8 + k +
                        15232]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(lsh_project_attention_norm[tile * 5 * 272 + step * 8 + k +
                        15504]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(lsh_project_attention_norm[tile * 5 * 272 + step * 8 + k +
                        15776]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                }
            }
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3456], acc0_0);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3464], acc0_1);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3520], acc1_0);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3528], acc1_1);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3584], acc2_0);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3592], acc2_1);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3648], acc3_0);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3656], acc3_1);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3712], acc4_0);
            store_f32x8(&v[(block * 64 + tile * 5) * 64 + column * 16 + 3720], acc4_1);
        }
    }
    for (int64_t i = 0; i < 64; i++) {
        run_max[block * 64 + i] = -3.4028235e+38f;
        run_sum[block * 64 + i] = 0.0f;
    }
}

/* default.yaml:3: LSH attention: output of a group of heads, added to its stream
 * tasks [batch 1][block 64] */
REFORMER_KERNEL static void lsh_output(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 64;
    const int64_t layer = arg[0];
    const int64_t group = arg[1];
    /* [1][1][4096]: [batch][group][rows]: sum of exponentials */
    const float *restrict run_sum = (const float *)(const void *)(call->workspace + 11567168);
    /* [1][1][4096][64]: [batch][group][rows][head]: keys, or an output apart from the queries */
    const float *restrict k_out = (const float *)(const void *)(call->workspace + 10485760);
    float *restrict lsh_output_heads = (float *)(void *)scratch; /* [64][80] */
    /* [1][1][1][4096]: [batch][group][round][rows]: self entries of rows without other keys */
    const int32_t *restrict self_count =
        (const int32_t *)(const void *)(call->workspace + 11583552);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    const float *restrict v = (const float *)(const void *)(call->workspace + 9437184);
    /* [6][8][768][32] */
    const float *w_attention_output_dense_weight =
        (const float *)(const void *)(call->weights + 9846784);
    /* [1][4096][256]: [batch][rows][width]: a stream */
    float *restrict y1 = (float *)(void *)call->workspace;
    for (int64_t i = 0; i < 64; i++) {
        const float sum = run_sum[block * 64 + i];
        if (sum != 0.0f) {
            const float quot = div_f32(1.0f, sum);
            for (int64_t v_1 = 0; v_1 < 8; v_1++) {
                const f32x8 prod = mul_f32x8(load_f32x8(&k_out[(block * 64 + i) * 64 + v_1 * 8]),
                    splat_f32x8(quot));
                store_f32x8(&lsh_output_heads[i * 80 + v_1 * 8], prod);
            }
        } else {
            const float x = (float)self_count[block * 64 + i];
            const float y = log_f32(x);
            const float y_1 = exp_f32(-1e+05f - (-1e+05f + y));
            const float weight = mul_f32(x, y_1);
            for (int64_t v_1 = 0; v_1 < 8; v_1++) {
                const f32x8 prod = mul_f32x8(load_f32x8(&v[(block * 64 + i) * 64 + v_1 * 8]),
                    splat_f32x8(weight));
                store_f32x8(&lsh_output_heads[i * 80 + v_1 * 8], prod);
            }
        }
    }
    /* y1 */
    for (int64_t column = 0; column < 16; column++) {
        const int64_t next = min_i64(column + 1, 15);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        for (int64_t tile = 0; tile < 9; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            f32x8 acc5_0 = splat_f32x8(0.0f);
            f32x8 acc5_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 8; step++) {
                __builtin_prefetch(&w_attention_output_dense_weight[((layer * 8 + panel) * 768 +
                    tile * 5 + step + group * 64) * 32 + rem * 16], 0, 2);
                const int64_t low = min_i64(step, 5);
                __builtin_prefetch(&y1[(block * 64 + tile * 6 + low) * 256 + column * 16], 0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s = splat_f32x8(lsh_output_heads[tile * 6 * 80 + step * 8 + k]);
                    const f32x8 v_1 =
                        load_f32x8(&w_attention_output_dense_weight[((layer * 8 + panel_1) * 768 +
                        step * 8 + k + group * 64) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(&w_attention_output_dense_weight[((layer * 8 + panel_1) * 768 +
                        step * 8 + k + group * 64) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(lsh_output_heads[tile * 6 * 80 + step * 8 + k + 80]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(lsh_output_heads[tile * 6 * 80 + step * 8 + k + 160]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(lsh_output_heads[tile * 6 * 80 + step * 8 + k + 240]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(lsh_output_heads[tile * 6 * 80 + step * 8 + k + 320]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                    const f32x8 s_5 =
                        splat_f32x8(lsh_output_heads[tile * 6 * 80 + step * 8 + k + 400]);
                    acc5_0 = fma_f32x8(s_5, v_1, acc5_0);
                    acc5_1 = fma_f32x8(s_5, v_2, acc5_1);
                }
            }
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16],
                load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16]) + acc0_0);
            const f32x8 sum = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 8]) +
                acc0_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 8], sum);
            const f32x8 sum_1 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 256]) +
                acc1_0;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 256], sum_1);
            const f32x8 sum_2 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 264]) +
                acc1_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 264], sum_2);
            const f32x8 sum_3 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 512]) +
                acc2_0;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 512], sum_3);
            const f32x8 sum_4 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 520]) +
                acc2_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 520], sum_4);
            const f32x8 sum_5 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 768]) +
                acc3_0;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 768], sum_5);
            const f32x8 sum_6 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 776]) +
                acc3_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 776], sum_6);
            const f32x8 sum_7 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1024])
                + acc4_0;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1024], sum_7);
            const f32x8 sum_8 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1032])
                + acc4_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1032], sum_8);
            const f32x8 sum_9 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1280])
                + acc5_0;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1280], sum_9);
            const f32x8 sum_10 = load_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1288])
                + acc5_1;
            store_f32x8(&y1[(block * 64 + tile * 6) * 256 + column * 16 + 1288], sum_10);
        }
        for (int64_t tile = 0; tile < 2; tile++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            for (int64_t step = 0; step < 8; step++) {
                __builtin_prefetch(&w_attention_output_dense_weight[((layer * 8 + panel) * 768 +
                    tile * 5 + step + group * 64) * 32 + rem * 16 + 1440], 0, 2);
                const int64_t low = min_i64(step, 4);
                __builtin_prefetch(&y1[(block * 64 + tile * 5 + low) * 256 + column * 16 + 13824],
                    0, 2);
                for (int64_t k = 0; k < 8; k++) {
                    const f32x8 s =
                        splat_f32x8(lsh_output_heads[tile * 5 * 80 + step * 8 + k + 4320]);
                    const f32x8 v_1 =
                        load_f32x8(&w_attention_output_dense_weight[((layer * 8 + panel_1) * 768 +
                        step * 8 + k + group * 64) * 32 + rem_1 * 16]);
                    acc0_0 = fma_f32x8(s, v_1, acc0_0);
                    const f32x8 v_2 =
                        load_f32x8(&w_attention_output_dense_weight[((layer * 8 + panel_1) * 768 +
                        step * 8 + k + group * 64) * 32 + rem_1 * 16 + 8]);
                    acc0_1 = fma_f32x8(s, v_2, acc0_1);
                    const f32x8 s_1 =
                        splat_f32x8(lsh_output_heads[tile * 5 * 80 + step * 8 + k + 4400]);
                    acc1_0 = fma_f32x8(s_1, v_1, acc1_0);
                    acc1_1 = fma_f32x8(s_1, v_2, acc1_1);
                    const f32x8 s_2 =
                        splat_f32x8(lsh_output_heads[tile * 5 * 80 + step * 8 + k + 4480]);
                    acc2_0 = fma_f32x8(s_2, v_1, acc2_0);
                    acc2_1 = fma_f32x8(s_2, v_2, acc2_1);
                    const f32x8 s_3 =
                        splat_f32x8(lsh_output_heads[tile * 5 * 80 + step * 8 + k + 4560]);
                    acc3_0 = fma_f32x8(s_3, v_1, acc3_0);
                    acc3_1 = fma_f32x8(s_3, v_2, acc3_1);
                    const f32x8 s_4 =
                        splat_f32x8(lsh_output_heads[tile * 5 * 80 + step * 8 + k + 4640]);
                    acc4_0 = fma_f32x8(s_4, v_1, acc4_0);
                    acc4_1 = fma_f32x8(s_4, v_2, acc4_1);
                }
            }
            const f32x8 sum = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 13824]) +
                acc0_0;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 13824], sum);
            const f32x8 sum_1 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 13832])
                + acc0_1;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 13832], sum_1);
            const f32x8 sum_2 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14080])
                + acc1_0;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14080], sum_2);
            const f32x8 sum_3 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14088])
                + acc1_1;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14088], sum_3);
            const f32x8 sum_4 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14336])
                + acc2_0;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14336], sum_4);
            const f32x8 sum_5 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14344])
                + acc2_1;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14344], sum_5);
            const f32x8 sum_6 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14592])
                + acc3_0;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14592], sum_6);
            const f32x8 sum_7 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14600])
                + acc3_1;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14600], sum_7);
            const f32x8 sum_8 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14848])
                + acc4_0;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14848], sum_8);
            const f32x8 sum_9 = load_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14856])
                + acc4_1;
            store_f32x8(&y1[(block * 64 + tile * 5) * 256 + column * 16 + 14856], sum_9);
        }
    }
}

/* default.yaml:10: final norm: 512 wide
 * tasks [batch 1][block 64] */
REFORMER_KERNEL static void final_norm(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    const int64_t block = task % 64;
    /* [1][4096][256]: [batch][rows][width]: a stream */
    const float *restrict y1 = (const float *)(const void *)call->workspace;
    /* [1][4096][256]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const float *)(const void *)(call->workspace + 4194304);
    /* [1][512] */
    const float *w_encoder_layer_norm_weight =
        (const float *)(const void *)(call->weights + 23836672);
    /* [1][512] */
    const float *w_encoder_layer_norm_bias =
        (const float *)(const void *)(call->weights + 23838720);
    float *restrict hidden = (float *)(void *)scratch; /* [64][528] */
    const int32_t *restrict control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    const int32_t *restrict row = call->slot[REFORMER_SLOT_ROW]; /* [1][4096] */
    float *restrict last_hidden_state = call->slot[REFORMER_SLOT_HIDDEN]; /* [4096][512] */
    /* layer norm of 64 rows of 512 */
    for (int64_t i = 0; i < 64; i++) {
        f32x8 carried = splat_f32x8(0.0f);
        for (int64_t v = 0; v < 32; v++) {
            carried = carried + load_f32x8(&y1[(block * 64 + i) * 256 + v * 8]);
        }
        const f32x8 mix = shuffle_swap4_f32x8(carried);
        const f32x8 sum = carried + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum);
        const f32x8 sum_1 = sum + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_2;
        const float lane = sum_2[0];
        f32x8 carried_1 = splat_f32x8(0.0f);
        for (int64_t v = 0; v < 32; v++) {
            carried_1 = carried_1 + load_f32x8(&y2[(block * 64 + i) * 256 + v * 8]);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(carried_1);
        const f32x8 sum_3 = carried_1 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_3);
        const f32x8 sum_4 = sum_3 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_5;
        const float mean = div_f32(lane + sum_5[0], 512.0f);
        f32x8 carried_2 = splat_f32x8(0.0f);
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 diff = load_f32x8(&y1[(block * 64 + i) * 256 + v * 8]) - splat_f32x8(mean);
            carried_2 = fma_f32x8(diff, diff, carried_2);
        }
        const f32x8 mix_6 = shuffle_swap4_f32x8(carried_2);
        const f32x8 sum_6 = carried_2 + mix_6;
        const f32x8 mix_7 = shuffle_swap2_f32x8(sum_6);
        const f32x8 sum_7 = sum_6 + mix_7;
        const f32x8 mix_8 = shuffle_swap1_f32x8(sum_7);
        const f32x8 sum_8 = sum_7 + mix_8;
        const float lane_1 = sum_8[0];
        f32x8 carried_3 = splat_f32x8(0.0f);
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 diff = load_f32x8(&y2[(block * 64 + i) * 256 + v * 8]) - splat_f32x8(mean);
            carried_3 = fma_f32x8(diff, diff, carried_3);
        }
        const f32x8 mix_9 = shuffle_swap4_f32x8(carried_3);
        const f32x8 sum_9 = carried_3 + mix_9;
        const f32x8 mix_10 = shuffle_swap2_f32x8(sum_9);
        const f32x8 sum_10 = sum_9 + mix_10;
        const f32x8 mix_11 = shuffle_swap1_f32x8(sum_10);
        const f32x8 sum_11 = sum_10 + mix_11;
        const float var = div_f32(lane_1 + sum_11[0], 512.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 diff = load_f32x8(&y1[(block * 64 + i) * 256 + v * 8]) - splat_f32x8(mean);
            const f32x8 t =
                fma_f32x8(diff * splat_f32x8(scale),
                load_f32x8(&w_encoder_layer_norm_weight[v * 8]),
                load_f32x8(&w_encoder_layer_norm_bias[v * 8]));
            store_f32x8(&hidden[i * 528 + v * 8], t);
        }
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 diff = load_f32x8(&y2[(block * 64 + i) * 256 + v * 8]) - splat_f32x8(mean);
            const f32x8 t =
                fma_f32x8(diff * splat_f32x8(scale),
                load_f32x8(&w_encoder_layer_norm_weight[v * 8 + 256]),
                load_f32x8(&w_encoder_layer_norm_bias[v * 8 + 256]));
            store_f32x8(&hidden[i * 528 + v * 8 + 256], t);
        }
    }
    if (control[0]) {
        for (int64_t i = 0; i < 64; i++) {
            const int32_t out_row = row[block * 64 + i];
            if (out_row >= 0) {
                const int32_t high = max_i32(out_row, 0);
                for (int64_t v = 0; v < 64; v++) {
                    store_f32x8(&last_hidden_state[(int64_t)high * 512 + v * 8],
                        load_f32x8(&hidden[i * 528 + v * 8]));
                }
            }
        }
    }
}

/* default.yaml:21: local attention: chunks of 64 against 1 before and 0 after
 * tasks [batch 1][head 1][chunk 64] */
REFORMER_KERNEL static void local_attention(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    const int64_t chunk = task % 64;
    /* [1][1][4096][64]: [batch][group][rows][head] */
    float *restrict q = (float *)(void *)(call->workspace + 8388608);
    float *restrict queries = (float *)(void *)scratch; /* [1][4][64][16] */
    int32_t *restrict query_pos = (int32_t *)(void *)(scratch + 16384); /* [1][64] */
    /* [1][1][4096][64]: [batch][group][rows][head]: keys, or an output apart from the queries */
    const float *restrict k_out = (const float *)(const void *)(call->workspace + 10485760);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    const float *restrict v = (const float *)(const void *)(call->workspace + 9437184);
    const int32_t *restrict key = call->slot[REFORMER_SLOT_KEY]; /* [1][4096] */
    float *restrict scores = (float *)(void *)(scratch + 16640); /* [128][16] */
    float *restrict inverse = (float *)(void *)(scratch + 24832); /* [16] */
    for (int64_t panel = 0; panel < 4; panel++) {
        for (int64_t d = 0; d < 8; d++) {
            const f32x8 v_1 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8]);
            const f32x8 v_2 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 64]);
            const f32x8 mix = shuffle_low1_f32x8(v_1, v_2);
            const f32x8 v_3 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 128]);
            const f32x8 v_4 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 192]);
            const f32x8 mix_1 = shuffle_low1_f32x8(v_3, v_4);
            const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
            const f32x8 v_5 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 256]);
            const f32x8 v_6 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 320]);
            const f32x8 mix_3 = shuffle_low1_f32x8(v_5, v_6);
            const f32x8 v_7 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 384]);
            const f32x8 v_8 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 448]);
            const f32x8 mix_4 = shuffle_low1_f32x8(v_7, v_8);
            const f32x8 mix_5 = shuffle_low2_f32x8(mix_3, mix_4);
            const f32x8 mix_6 = shuffle_high1_f32x8(v_1, v_2);
            const f32x8 mix_7 = shuffle_high1_f32x8(v_3, v_4);
            const f32x8 mix_8 = shuffle_low2_f32x8(mix_6, mix_7);
            const f32x8 mix_9 = shuffle_high1_f32x8(v_5, v_6);
            const f32x8 mix_10 = shuffle_high1_f32x8(v_7, v_8);
            const f32x8 mix_11 = shuffle_low2_f32x8(mix_9, mix_10);
            const f32x8 mix_12 = shuffle_high2_f32x8(mix, mix_1);
            const f32x8 mix_13 = shuffle_high2_f32x8(mix_3, mix_4);
            const f32x8 mix_14 = shuffle_high2_f32x8(mix_6, mix_7);
            const f32x8 mix_15 = shuffle_high2_f32x8(mix_9, mix_10);
            store_f32x8(&queries[(panel * 64 + d * 8) * 16], shuffle_low4_f32x8(mix_2, mix_5));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 16],
                shuffle_low4_f32x8(mix_8, mix_11));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 32],
                shuffle_low4_f32x8(mix_12, mix_13));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 48],
                shuffle_low4_f32x8(mix_14, mix_15));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 64],
                shuffle_high4_f32x8(mix_2, mix_5));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 80],
                shuffle_high4_f32x8(mix_8, mix_11));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 96],
                shuffle_high4_f32x8(mix_12, mix_13));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 112],
                shuffle_high4_f32x8(mix_14, mix_15));
        }
        for (int64_t d = 0; d < 8; d++) {
            const f32x8 v_1 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 512]);
            const f32x8 v_2 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 576]);
            const f32x8 mix = shuffle_low1_f32x8(v_1, v_2);
            const f32x8 v_3 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 640]);
            const f32x8 v_4 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 704]);
            const f32x8 mix_1 = shuffle_low1_f32x8(v_3, v_4);
            const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
            const f32x8 v_5 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 768]);
            const f32x8 v_6 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 832]);
            const f32x8 mix_3 = shuffle_low1_f32x8(v_5, v_6);
            const f32x8 v_7 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 896]);
            const f32x8 v_8 = load_f32x8(&q[(chunk * 64 + panel * 16) * 64 + d * 8 + 960]);
            const f32x8 mix_4 = shuffle_low1_f32x8(v_7, v_8);
            const f32x8 mix_5 = shuffle_low2_f32x8(mix_3, mix_4);
            const f32x8 mix_6 = shuffle_high1_f32x8(v_1, v_2);
            const f32x8 mix_7 = shuffle_high1_f32x8(v_3, v_4);
            const f32x8 mix_8 = shuffle_low2_f32x8(mix_6, mix_7);
            const f32x8 mix_9 = shuffle_high1_f32x8(v_5, v_6);
            const f32x8 mix_10 = shuffle_high1_f32x8(v_7, v_8);
            const f32x8 mix_11 = shuffle_low2_f32x8(mix_9, mix_10);
            const f32x8 mix_12 = shuffle_high2_f32x8(mix, mix_1);
            const f32x8 mix_13 = shuffle_high2_f32x8(mix_3, mix_4);
            const f32x8 mix_14 = shuffle_high2_f32x8(mix_6, mix_7);
            const f32x8 mix_15 = shuffle_high2_f32x8(mix_9, mix_10);
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 8], shuffle_low4_f32x8(mix_2, mix_5));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 24],
                shuffle_low4_f32x8(mix_8, mix_11));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 40],
                shuffle_low4_f32x8(mix_12, mix_13));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 56],
                shuffle_low4_f32x8(mix_14, mix_15));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 72],
                shuffle_high4_f32x8(mix_2, mix_5));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 88],
                shuffle_high4_f32x8(mix_8, mix_11));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 104],
                shuffle_high4_f32x8(mix_12, mix_13));
            store_f32x8(&queries[(panel * 64 + d * 8) * 16 + 120],
                shuffle_high4_f32x8(mix_14, mix_15));
        }
    }
    for (int64_t lane = 0; lane < 64; lane++) {
        query_pos[lane] = (int32_t)(chunk * 64 + lane);
    }
    for (int64_t panel = 0; panel < 4; panel++) {
        f32x8 most = splat_f32x8(-3.4028235e+38f);
        f32x8 most_1 = splat_f32x8(-3.4028235e+38f);
        for (int64_t o = 0; o < 2; o++) {
            const int64_t other = (chunk + o + 63) % 64;
            f32x8 carried = most;
            f32x8 carried_1 = most_1;
            for (int64_t keys = 0; keys < 9; keys++) {
                const int64_t next = min_i64(chunk + 1, 63);
                const int64_t ahead = min_i64(o * 11 + keys, 15);
                __builtin_prefetch(&q[(next * 64 + panel * 16 + ahead) * 64], 0, 2);
                __builtin_prefetch(&q[(next * 64 + panel * 16 + ahead) * 64 + 16], 0, 2);
                __builtin_prefetch(&q[(next * 64 + panel * 16 + ahead) * 64 + 32], 0, 2);
                __builtin_prefetch(&q[(next * 64 + panel * 16 + ahead) * 64 + 48], 0, 2);
                __builtin_prefetch(&k_out[(next * 64 + panel * 16 + ahead) * 64], 0, 2);
                __builtin_prefetch(&k_out[(next * 64 + panel * 16 + ahead) * 64 + 16], 0, 2);
                __builtin_prefetch(&k_out[(next * 64 + panel * 16 + ahead) * 64 + 32], 0, 2);
                __builtin_prefetch(&k_out[(next * 64 + panel * 16 + ahead) * 64 + 48], 0, 2);
                __builtin_prefetch(&v[(next * 64 + panel * 16 + ahead) * 64], 0, 2);
                __builtin_prefetch(&v[(next * 64 + panel * 16 + ahead) * 64 + 16], 0, 2);
                __builtin_prefetch(&v[(next * 64 + panel * 16 + ahead) * 64 + 32], 0, 2);
                __builtin_prefetch(&v[(next * 64 + panel * 16 + ahead) * 64 + 48], 0, 2);
                f32x8 carried_2 = splat_f32x8(0.0f);
                f32x8 carried_3 = splat_f32x8(0.0f);
                f32x8 carried_4 = splat_f32x8(0.0f);
                f32x8 carried_5 = splat_f32x8(0.0f);
                f32x8 carried_6 = splat_f32x8(0.0f);
                f32x8 carried_7 = splat_f32x8(0.0f);
                f32x8 carried_8 = splat_f32x8(0.0f);
                f32x8 carried_9 = splat_f32x8(0.0f);
                f32x8 carried_10 = splat_f32x8(0.0f);
                f32x8 carried_11 = splat_f32x8(0.0f);
                f32x8 carried_12 = splat_f32x8(0.0f);
                f32x8 carried_13 = splat_f32x8(0.0f);
                for (int64_t k = 0; k < 64; k++) {
                    const f32x8 s = splat_f32x8(k_out[(other * 64 + keys * 6) * 64 + k]);
                    const f32x8 v_1 = load_f32x8(&queries[(panel * 64 + k) * 16]);
                    carried_2 = fma_f32x8(s, v_1, carried_2);
                    const f32x8 v_2 = load_f32x8(&queries[(panel * 64 + k) * 16 + 8]);
                    carried_3 = fma_f32x8(s, v_2, carried_3);
                    const f32x8 s_1 = splat_f32x8(k_out[(other * 64 + keys * 6) * 64 + k + 64]);
                    carried_4 = fma_f32x8(s_1, v_1, carried_4);
                    carried_5 = fma_f32x8(s_1, v_2, carried_5);
                    const f32x8 s_2 = splat_f32x8(k_out[(other * 64 + keys * 6) * 64 + k + 128]);
                    carried_6 = fma_f32x8(s_2, v_1, carried_6);
                    carried_7 = fma_f32x8(s_2, v_2, carried_7);
                    const f32x8 s_3 = splat_f32x8(k_out[(other * 64 + keys * 6) * 64 + k + 192]);
                    carried_8 = fma_f32x8(s_3, v_1, carried_8);
                    carried_9 = fma_f32x8(s_3, v_2, carried_9);
                    const f32x8 s_4 = splat_f32x8(k_out[(other * 64 + keys * 6) * 64 + k + 256]);
                    carried_10 = fma_f32x8(s_4, v_1, carried_10);
                    carried_11 = fma_f32x8(s_4, v_2, carried_11);
                    const f32x8 s_5 = splat_f32x8(k_out[(other * 64 + keys * 6) * 64 + k + 320]);
                    carried_12 = fma_f32x8(s_5, v_1, carried_12);
                    carried_13 = fma_f32x8(s_5, v_2, carried_13);
                }
                const i32x8 less =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 6]) < splat_i32x8(1073741824));
                const f32x8 prod = mul_f32x8(carried_2, splat_f32x8(0.125f));
                const f32x8 pick = select_f32x8(less, prod, splat_f32x8(-1e+09f));
                const f32x8 high = max_f32x8(carried, pick);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16], pick);
                const f32x8 prod_1 = mul_f32x8(carried_3, splat_f32x8(0.125f));
                const f32x8 pick_1 = select_f32x8(less, prod_1, splat_f32x8(-1e+09f));
                const f32x8 high_1 = max_f32x8(carried_1, pick_1);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 8], pick_1);
                const i32x8 less_1 =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 6 + 1]) < splat_i32x8(1073741824));
                const f32x8 prod_2 = mul_f32x8(carried_4, splat_f32x8(0.125f));
                const f32x8 pick_2 = select_f32x8(less_1, prod_2, splat_f32x8(-1e+09f));
                const f32x8 high_2 = max_f32x8(high, pick_2);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 16], pick_2);
                const f32x8 prod_3 = mul_f32x8(carried_5, splat_f32x8(0.125f));
                const f32x8 pick_3 = select_f32x8(less_1, prod_3, splat_f32x8(-1e+09f));
                const f32x8 high_3 = max_f32x8(high_1, pick_3);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 24], pick_3);
                const i32x8 less_2 =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 6 + 2]) < splat_i32x8(1073741824));
                const f32x8 prod_4 = mul_f32x8(carried_6, splat_f32x8(0.125f));
                const f32x8 pick_4 = select_f32x8(less_2, prod_4, splat_f32x8(-1e+09f));
                const f32x8 high_4 = max_f32x8(high_2, pick_4);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 32], pick_4);
                const f32x8 prod_5 = mul_f32x8(carried_7, splat_f32x8(0.125f));
                const f32x8 pick_5 = select_f32x8(less_2, prod_5, splat_f32x8(-1e+09f));
                const f32x8 high_5 = max_f32x8(high_3, pick_5);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 40], pick_5);
                const i32x8 less_3 =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 6 + 3]) < splat_i32x8(1073741824));
                const f32x8 prod_6 = mul_f32x8(carried_8, splat_f32x8(0.125f));
                const f32x8 pick_6 = select_f32x8(less_3, prod_6, splat_f32x8(-1e+09f));
                const f32x8 high_6 = max_f32x8(high_4, pick_6);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 48], pick_6);
                const f32x8 prod_7 = mul_f32x8(carried_9, splat_f32x8(0.125f));
                const f32x8 pick_7 = select_f32x8(less_3, prod_7, splat_f32x8(-1e+09f));
                const f32x8 high_7 = max_f32x8(high_5, pick_7);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 56], pick_7);
                const i32x8 less_4 =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 6 + 4]) < splat_i32x8(1073741824));
                const f32x8 prod_8 = mul_f32x8(carried_10, splat_f32x8(0.125f));
                const f32x8 pick_8 = select_f32x8(less_4, prod_8, splat_f32x8(-1e+09f));
                const f32x8 high_8 = max_f32x8(high_6, pick_8);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 64], pick_8);
                const f32x8 prod_9 = mul_f32x8(carried_11, splat_f32x8(0.125f));
                const f32x8 pick_9 = select_f32x8(less_4, prod_9, splat_f32x8(-1e+09f));
                const f32x8 high_9 = max_f32x8(high_7, pick_9);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 72], pick_9);
                const i32x8 less_5 =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 6 + 5]) < splat_i32x8(1073741824));
                const f32x8 prod_10 = mul_f32x8(carried_12, splat_f32x8(0.125f));
                const f32x8 pick_10 = select_f32x8(less_5, prod_10, splat_f32x8(-1e+09f));
                carried = max_f32x8(high_8, pick_10);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 80], pick_10);
                const f32x8 prod_11 = mul_f32x8(carried_13, splat_f32x8(0.125f));
                const f32x8 pick_11 = select_f32x8(less_5, prod_11, splat_f32x8(-1e+09f));
                carried_1 = max_f32x8(high_9, pick_11);
                store_f32x8(&scores[(o * 64 + keys * 6) * 16 + 88], pick_11);
            }
            f32x8 carried_2 = carried;
            f32x8 carried_3 = carried_1;
            for (int64_t keys = 0; keys < 2; keys++) {
                const int64_t next = min_i64(chunk + 1, 63);
                const int64_t ahead = min_i64(o * 11 + keys + 9, 15);
                __builtin_prefetch(&q[(next * 64 + panel * 16 + ahead) * 64], 0, 2);
                __builtin_prefetch(&q[(next * 64 + panel * 16 + ahead) * 64 + 16], 0, 2);
                __builtin_prefetch(&q[(next * 64 + panel * 16 + ahead) * 64 + 32], 0, 2);
                __builtin_prefetch(&q[(next * 64 + panel * 16 + ahead) * 64 + 48], 0, 2);
                __builtin_prefetch(&k_out[(next * 64 + panel * 16 + ahead) * 64], 0, 2);
                __builtin_prefetch(&k_out[(next * 64 + panel * 16 + ahead) * 64 + 16], 0, 2);
                __builtin_prefetch(&k_out[(next * 64 + panel * 16 + ahead) * 64 + 32], 0, 2);
                __builtin_prefetch(&k_out[(next * 64 + panel * 16 + ahead) * 64 + 48], 0, 2);
                __builtin_prefetch(&v[(next * 64 + panel * 16 + ahead) * 64], 0, 2);
                __builtin_prefetch(&v[(next * 64 + panel * 16 + ahead) * 64 + 16], 0, 2);
                __builtin_prefetch(&v[(next * 64 + panel * 16 + ahead) * 64 + 32], 0, 2);
                __builtin_prefetch(&v[(next * 64 + panel * 16 + ahead) * 64 + 48], 0, 2);
                f32x8 carried_4 = splat_f32x8(0.0f);
                f32x8 carried_5 = splat_f32x8(0.0f);
                f32x8 carried_6 = splat_f32x8(0.0f);
                f32x8 carried_7 = splat_f32x8(0.0f);
                f32x8 carried_8 = splat_f32x8(0.0f);
                f32x8 carried_9 = splat_f32x8(0.0f);
                f32x8 carried_10 = splat_f32x8(0.0f);
                f32x8 carried_11 = splat_f32x8(0.0f);
                f32x8 carried_12 = splat_f32x8(0.0f);
                f32x8 carried_13 = splat_f32x8(0.0f);
                for (int64_t k = 0; k < 64; k++) {
                    const f32x8 s = splat_f32x8(k_out[(other * 64 + keys * 5) * 64 + k + 3456]);
                    const f32x8 v_1 = load_f32x8(&queries[(panel * 64 + k) * 16]);
                    carried_4 = fma_f32x8(s, v_1, carried_4);
                    const f32x8 v_2 = load_f32x8(&queries[(panel * 64 + k) * 16 + 8]);
                    carried_5 = fma_f32x8(s, v_2, carried_5);
                    const f32x8 s_1 = splat_f32x8(k_out[(other * 64 + keys * 5) * 64 + k + 3520]);
                    carried_6 = fma_f32x8(s_1, v_1, carried_6);
                    carried_7 = fma_f32x8(s_1, v_2, carried_7);
                    const f32x8 s_2 = splat_f32x8(k_out[(other * 64 + keys * 5) * 64 + k + 3584]);
                    carried_8 = fma_f32x8(s_2, v_1, carried_8);
                    carried_9 = fma_f32x8(s_2, v_2, carried_9);
                    const f32x8 s_3 = splat_f32x8(k_out[(other * 64 + keys * 5) * 64 + k + 3648]);
                    carried_10 = fma_f32x8(s_3, v_1, carried_10);
                    carried_11 = fma_f32x8(s_3, v_2, carried_11);
                    const f32x8 s_4 = splat_f32x8(k_out[(other * 64 + keys * 5) * 64 + k + 3712]);
                    carried_12 = fma_f32x8(s_4, v_1, carried_12);
                    carried_13 = fma_f32x8(s_4, v_2, carried_13);
                }
                const i32x8 less =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 5 + 54]) < splat_i32x8(1073741824));
                const f32x8 prod = mul_f32x8(carried_4, splat_f32x8(0.125f));
                const f32x8 pick = select_f32x8(less, prod, splat_f32x8(-1e+09f));
                const f32x8 high = max_f32x8(carried_2, pick);
                store_f32x8(&scores[(o * 64 + keys * 5) * 16 + 864], pick);
                const f32x8 prod_1 = mul_f32x8(carried_5, splat_f32x8(0.125f));
                const f32x8 pick_1 = select_f32x8(less, prod_1, splat_f32x8(-1e+09f));
                const f32x8 high_1 = max_f32x8(carried_3, pick_1);
                store_f32x8(&scores[(o * 64 + keys * 5) * 16 + 872], pick_1);
                const i32x8 less_1 =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 5 + 55]) < splat_i32x8(1073741824));
                const f32x8 prod_2 = mul_f32x8(carried_6, splat_f32x8(0.125f));
                const f32x8 pick_2 = select_f32x8(less_1, prod_2, splat_f32x8(-1e+09f));
                const f32x8 high_2 = max_f32x8(high, pick_2);
                store_f32x8(&scores[(o * 64 + keys * 5) * 16 + 880], pick_2);
                const f32x8 prod_3 = mul_f32x8(carried_7, splat_f32x8(0.125f));
                const f32x8 pick_3 = select_f32x8(less_1, prod_3, splat_f32x8(-1e+09f));
                const f32x8 high_3 = max_f32x8(high_1, pick_3);
                store_f32x8(&scores[(o * 64 + keys * 5) * 16 + 888], pick_3);
                const i32x8 less_2 =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 5 + 56]) < splat_i32x8(1073741824));
                const f32x8 prod_4 = mul_f32x8(carried_8, splat_f32x8(0.125f));
                const f32x8 pick_4 = select_f32x8(less_2, prod_4, splat_f32x8(-1e+09f));
                const f32x8 high_4 = max_f32x8(high_2, pick_4);
                store_f32x8(&scores[(o * 64 + keys * 5) * 16 + 896], pick_4);
                const f32x8 prod_5 = mul_f32x8(carried_9, splat_f32x8(0.125f));
                const f32x8 pick_5 = select_f32x8(less_2, prod_5, splat_f32x8(-1e+09f));
                const f32x8 high_5 = max_f32x8(high_3, pick_5);
                store_f32x8(&scores[(o * 64 + keys * 5) * 16 + 904], pick_5);
                const i32x8 less_3 =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 5 + 57]) < splat_i32x8(1073741824));
                const f32x8 prod_6 = mul_f32x8(carried_10, splat_f32x8(0.125f));
                const f32x8 pick_6 = select_f32x8(less_3, prod_6, splat_f32x8(-1e+09f));
                const f32x8 high_6 = max_f32x8(high_4, pick_6);
                store_f32x8(&scores[(o * 64 + keys * 5) * 16 + 912], pick_6);
                const f32x8 prod_7 = mul_f32x8(carried_11, splat_f32x8(0.125f));
                const f32x8 pick_7 = select_f32x8(less_3, prod_7, splat_f32x8(-1e+09f));
                const f32x8 high_7 = max_f32x8(high_5, pick_7);
                store_f32x8(&scores[(o * 64 + keys * 5) * 16 + 920], pick_7);
                const i32x8 less_4 =
                    (i32x8)(splat_i32x8(key[other * 64 + keys * 5 + 58]) < splat_i32x8(1073741824));
                const f32x8 prod_8 = mul_f32x8(carried_12, splat_f32x8(0.125f));
                const f32x8 pick_8 = select_f32x8(less_4, prod_8, splat_f32x8(-1e+09f));
                carried_2 = max_f32x8(high_6, pick_8);
                store_f32x8(&scores[(o * 64 + keys * 5) * 16 + 928], pick_8);
                const f32x8 prod_9 = mul_f32x8(carried_13, splat_f32x8(0.125f));
                const f32x8 pick_9 = select_f32x8(less_4, prod_9, splat_f32x8(-1e+09f));
                carried_3 = max_f32x8(high_7, pick_9);
                store_f32x8(&scores[(o * 64 + keys * 5) * 16 + 936], pick_9);
            }
            most = carried_2;
            most_1 = carried_3;
        }
        f32x8 sum = splat_f32x8(0.0f);
        f32x8 sum_1 = splat_f32x8(0.0f);
        for (int64_t key_1 = 0; key_1 < 128; key_1++) {
            const f32x8 y = exp_f32x8(load_f32x8(&scores[key_1 * 16]) - most);
            store_f32x8(&scores[key_1 * 16], y);
            const f32x8 diff = load_f32x8(&scores[key_1 * 16 + 8]) - most_1;
            const f32x8 y_1 = exp_f32x8(diff);
            sum = sum + y;
            store_f32x8(&scores[key_1 * 16 + 8], y_1);
            sum_1 = sum_1 + y_1;
        }
        const f32x8 high = max_f32x8(most, -most);
        const f32x8 y = log_f32x8(sum);
        const f32x8 y_1 = exp_f32x8(most - (y + most));
        const f32x8 pick = select_f32x8((i32x8)(high > splat_f32x8(256.0f)), y_1,
            div_f32x8(splat_f32x8(1.0f), sum));
        store_f32x8(&inverse[0], pick);
        const f32x8 high_1 = max_f32x8(most_1, -most_1);
        const f32x8 y_2 = log_f32x8(sum_1);
        const f32x8 y_3 = exp_f32x8(most_1 - (y_2 + most_1));
        const f32x8 pick_1 = select_f32x8((i32x8)(high_1 > splat_f32x8(256.0f)), y_3,
            div_f32x8(splat_f32x8(1.0f), sum_1));
        store_f32x8(&inverse[8], pick_1);
        for (int64_t column = 0; column < 4; column++) {
            f32x8 carried = splat_f32x8(0.0f);
            f32x8 carried_1 = splat_f32x8(0.0f);
            f32x8 carried_2 = splat_f32x8(0.0f);
            f32x8 carried_3 = splat_f32x8(0.0f);
            f32x8 carried_4 = splat_f32x8(0.0f);
            f32x8 carried_5 = splat_f32x8(0.0f);
            f32x8 carried_6 = splat_f32x8(0.0f);
            f32x8 carried_7 = splat_f32x8(0.0f);
            f32x8 carried_8 = splat_f32x8(0.0f);
            f32x8 carried_9 = splat_f32x8(0.0f);
            f32x8 carried_10 = splat_f32x8(0.0f);
            f32x8 carried_11 = splat_f32x8(0.0f);
            for (int64_t o = 0; o < 2; o++) {
                const int64_t other = (chunk + o + 63) % 64;
                for (int64_t k = 0; k < 64; k++) {
                    const f32x8 s = splat_f32x8(scores[(o * 64 + k) * 16]);
                    const f32x8 v_1 = load_f32x8(&v[(other * 64 + k) * 64 + column * 16]);
                    carried = fma_f32x8(s, v_1, carried);
                    const f32x8 v_2 = load_f32x8(&v[(other * 64 + k) * 64 + column * 16 + 8]);
                    carried_1 = fma_f32x8(s, v_2, carried_1);
                    const f32x8 s_1 = splat_f32x8(scores[(o * 64 + k) * 16 + 1]);
                    carried_2 = fma_f32x8(s_1, v_1, carried_2);
                    carried_3 = fma_f32x8(s_1, v_2, carried_3);
                    const f32x8 s_2 = splat_f32x8(scores[(o * 64 + k) * 16 + 2]);
                    carried_4 = fma_f32x8(s_2, v_1, carried_4);
                    carried_5 = fma_f32x8(s_2, v_2, carried_5);
                    const f32x8 s_3 = splat_f32x8(scores[(o * 64 + k) * 16 + 3]);
                    carried_6 = fma_f32x8(s_3, v_1, carried_6);
                    carried_7 = fma_f32x8(s_3, v_2, carried_7);
                    const f32x8 s_4 = splat_f32x8(scores[(o * 64 + k) * 16 + 4]);
                    carried_8 = fma_f32x8(s_4, v_1, carried_8);
                    carried_9 = fma_f32x8(s_4, v_2, carried_9);
                    const f32x8 s_5 = splat_f32x8(scores[(o * 64 + k) * 16 + 5]);
                    carried_10 = fma_f32x8(s_5, v_1, carried_10);
                    carried_11 = fma_f32x8(s_5, v_2, carried_11);
                }
            }
            const f32x8 s = splat_f32x8(inverse[0]);
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16], mul_f32x8(carried, s));
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 8],
                mul_f32x8(carried_1, s));
            const f32x8 s_1 = splat_f32x8(inverse[1]);
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 64],
                mul_f32x8(carried_2, s_1));
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 72],
                mul_f32x8(carried_3, s_1));
            const f32x8 s_2 = splat_f32x8(inverse[2]);
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 128],
                mul_f32x8(carried_4, s_2));
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 136],
                mul_f32x8(carried_5, s_2));
            const f32x8 s_3 = splat_f32x8(inverse[3]);
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 192],
                mul_f32x8(carried_6, s_3));
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 200],
                mul_f32x8(carried_7, s_3));
            const f32x8 s_4 = splat_f32x8(inverse[4]);
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 256],
                mul_f32x8(carried_8, s_4));
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 264],
                mul_f32x8(carried_9, s_4));
            const f32x8 s_5 = splat_f32x8(inverse[5]);
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 320],
                mul_f32x8(carried_10, s_5));
            store_f32x8(&q[(chunk * 64 + panel * 16) * 64 + column * 16 + 328],
                mul_f32x8(carried_11, s_5));
            for (int64_t tile = 0; tile < 2; tile++) {
                f32x8 carried_12 = splat_f32x8(0.0f);
                f32x8 carried_13 = splat_f32x8(0.0f);
                f32x8 carried_14 = splat_f32x8(0.0f);
                f32x8 carried_15 = splat_f32x8(0.0f);
                f32x8 carried_16 = splat_f32x8(0.0f);
                f32x8 carried_17 = splat_f32x8(0.0f);
                f32x8 carried_18 = splat_f32x8(0.0f);
                f32x8 carried_19 = splat_f32x8(0.0f);
                f32x8 carried_20 = splat_f32x8(0.0f);
                f32x8 carried_21 = splat_f32x8(0.0f);
                for (int64_t o = 0; o < 2; o++) {
                    const int64_t other = (chunk + o + 63) % 64;
                    for (int64_t k = 0; k < 64; k++) {
                        const f32x8 s_6 = splat_f32x8(scores[(o * 64 + k) * 16 + tile * 5 + 6]);
                        const f32x8 v_1 = load_f32x8(&v[(other * 64 + k) * 64 + column * 16]);
                        carried_12 = fma_f32x8(s_6, v_1, carried_12);
                        const f32x8 v_2 = load_f32x8(&v[(other * 64 + k) * 64 + column * 16 + 8]);
                        carried_13 = fma_f32x8(s_6, v_2, carried_13);
                        const f32x8 s_7 = splat_f32x8(scores[(o * 64 + k) * 16 + tile * 5 + 7]);
                        carried_14 = fma_f32x8(s_7, v_1, carried_14);
                        carried_15 = fma_f32x8(s_7, v_2, carried_15);
                        const f32x8 s_8 = splat_f32x8(scores[(o * 64 + k) * 16 + tile * 5 + 8]);
                        carried_16 = fma_f32x8(s_8, v_1, carried_16);
                        carried_17 = fma_f32x8(s_8, v_2, carried_17);
                        const f32x8 s_9 = splat_f32x8(scores[(o * 64 + k) * 16 + tile * 5 + 9]);
                        carried_18 = fma_f32x8(s_9, v_1, carried_18);
                        carried_19 = fma_f32x8(s_9, v_2, carried_19);
                        const f32x8 s_10 = splat_f32x8(scores[(o * 64 + k) * 16 + tile * 5 + 10]);
                        carried_20 = fma_f32x8(s_10, v_1, carried_20);
                        carried_21 = fma_f32x8(s_10, v_2, carried_21);
                    }
                }
                const f32x8 s_6 = splat_f32x8(inverse[tile * 5 + 6]);
                store_f32x8(&q[(chunk * 64 + panel * 16 + tile * 5) * 64 + column * 16 + 384],
                    mul_f32x8(carried_12, s_6));
                store_f32x8(&q[(chunk * 64 + panel * 16 + tile * 5) * 64 + column * 16 + 392],
                    mul_f32x8(carried_13, s_6));
                const f32x8 s_7 = splat_f32x8(inverse[tile * 5 + 7]);
                store_f32x8(&q[(chunk * 64 + panel * 16 + tile * 5) * 64 + column * 16 + 448],
                    mul_f32x8(carried_14, s_7));
                store_f32x8(&q[(chunk * 64 + panel * 16 + tile * 5) * 64 + column * 16 + 456],
                    mul_f32x8(carried_15, s_7));
                const f32x8 s_8 = splat_f32x8(inverse[tile * 5 + 8]);
                store_f32x8(&q[(chunk * 64 + panel * 16 + tile * 5) * 64 + column * 16 + 512],
                    mul_f32x8(carried_16, s_8));
                store_f32x8(&q[(chunk * 64 + panel * 16 + tile * 5) * 64 + column * 16 + 520],
                    mul_f32x8(carried_17, s_8));
                const f32x8 s_9 = splat_f32x8(inverse[tile * 5 + 9]);
                store_f32x8(&q[(chunk * 64 + panel * 16 + tile * 5) * 64 + column * 16 + 576],
                    mul_f32x8(carried_18, s_9));
                store_f32x8(&q[(chunk * 64 + panel * 16 + tile * 5) * 64 + column * 16 + 584],
                    mul_f32x8(carried_19, s_9));
                const f32x8 s_10 = splat_f32x8(inverse[tile * 5 + 10]);
                store_f32x8(&q[(chunk * 64 + panel * 16 + tile * 5) * 64 + column * 16 + 640],
                    mul_f32x8(carried_20, s_10));
                store_f32x8(&q[(chunk * 64 + panel * 16 + tile * 5) * 64 + column * 16 + 648],
                    mul_f32x8(carried_21, s_10));
            }
        }
    }
}

/* default.yaml:18: LSH hash: argmax over random rotations, 128 buckets, 1 rounds
 * tasks [batch 1][head 1][block 64] */
REFORMER_KERNEL static void lsh_hash(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 64;
    const int64_t index = arg[0];
    const int64_t group = arg[1];
    /* [1][1][4096][64]: [batch][group][rows][head] */
    const float *restrict q = (const float *)(const void *)(call->workspace + 8388608);
    float *restrict lsh_hash_queries = (float *)(void *)scratch; /* [1][4][64][16] */
    /* [3][12][1][64][64] */
    const float *w_rotations = (const float *)(const void *)(call->weights + 23246848);
    int32_t *restrict found = (int32_t *)(void *)(scratch + 16384); /* [1][64] */
    const int32_t *restrict key = call->slot[REFORMER_SLOT_KEY]; /* [1][4096] */
    /* [1][1][1][4096]: [batch][group][round][rows] */
    int32_t *restrict lsh_buckets = (int32_t *)(void *)(call->workspace + 11599936);
    for (int64_t panel = 0; panel < 4; panel++) {
        for (int64_t d = 0; d < 8; d++) {
            const f32x8 v = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8]);
            const f32x8 v_1 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 64]);
            const f32x8 mix = shuffle_low1_f32x8(v, v_1);
            const f32x8 v_2 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 128]);
            const f32x8 v_3 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 192]);
            const f32x8 mix_1 = shuffle_low1_f32x8(v_2, v_3);
            const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
            const f32x8 v_4 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 256]);
            const f32x8 v_5 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 320]);
            const f32x8 mix_3 = shuffle_low1_f32x8(v_4, v_5);
            const f32x8 v_6 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 384]);
            const f32x8 v_7 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 448]);
            const f32x8 mix_4 = shuffle_low1_f32x8(v_6, v_7);
            const f32x8 mix_5 = shuffle_low2_f32x8(mix_3, mix_4);
            const f32x8 mix_6 = shuffle_high1_f32x8(v, v_1);
            const f32x8 mix_7 = shuffle_high1_f32x8(v_2, v_3);
            const f32x8 mix_8 = shuffle_low2_f32x8(mix_6, mix_7);
            const f32x8 mix_9 = shuffle_high1_f32x8(v_4, v_5);
            const f32x8 mix_10 = shuffle_high1_f32x8(v_6, v_7);
            const f32x8 mix_11 = shuffle_low2_f32x8(mix_9, mix_10);
            const f32x8 mix_12 = shuffle_high2_f32x8(mix, mix_1);
            const f32x8 mix_13 = shuffle_high2_f32x8(mix_3, mix_4);
            const f32x8 mix_14 = shuffle_high2_f32x8(mix_6, mix_7);
            const f32x8 mix_15 = shuffle_high2_f32x8(mix_9, mix_10);
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16],
                shuffle_low4_f32x8(mix_2, mix_5));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 16],
                shuffle_low4_f32x8(mix_8, mix_11));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 32],
                shuffle_low4_f32x8(mix_12, mix_13));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 48],
                shuffle_low4_f32x8(mix_14, mix_15));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 64],
                shuffle_high4_f32x8(mix_2, mix_5));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 80],
                shuffle_high4_f32x8(mix_8, mix_11));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 96],
                shuffle_high4_f32x8(mix_12, mix_13));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 112],
                shuffle_high4_f32x8(mix_14, mix_15));
        }
        for (int64_t d = 0; d < 8; d++) {
            const f32x8 v = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 512]);
            const f32x8 v_1 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 576]);
            const f32x8 mix = shuffle_low1_f32x8(v, v_1);
            const f32x8 v_2 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 640]);
            const f32x8 v_3 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 704]);
            const f32x8 mix_1 = shuffle_low1_f32x8(v_2, v_3);
            const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
            const f32x8 v_4 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 768]);
            const f32x8 v_5 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 832]);
            const f32x8 mix_3 = shuffle_low1_f32x8(v_4, v_5);
            const f32x8 v_6 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 896]);
            const f32x8 v_7 = load_f32x8(&q[(block * 64 + panel * 16) * 64 + d * 8 + 960]);
            const f32x8 mix_4 = shuffle_low1_f32x8(v_6, v_7);
            const f32x8 mix_5 = shuffle_low2_f32x8(mix_3, mix_4);
            const f32x8 mix_6 = shuffle_high1_f32x8(v, v_1);
            const f32x8 mix_7 = shuffle_high1_f32x8(v_2, v_3);
            const f32x8 mix_8 = shuffle_low2_f32x8(mix_6, mix_7);
            const f32x8 mix_9 = shuffle_high1_f32x8(v_4, v_5);
            const f32x8 mix_10 = shuffle_high1_f32x8(v_6, v_7);
            const f32x8 mix_11 = shuffle_low2_f32x8(mix_9, mix_10);
            const f32x8 mix_12 = shuffle_high2_f32x8(mix, mix_1);
            const f32x8 mix_13 = shuffle_high2_f32x8(mix_3, mix_4);
            const f32x8 mix_14 = shuffle_high2_f32x8(mix_6, mix_7);
            const f32x8 mix_15 = shuffle_high2_f32x8(mix_9, mix_10);
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 8],
                shuffle_low4_f32x8(mix_2, mix_5));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 24],
                shuffle_low4_f32x8(mix_8, mix_11));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 40],
                shuffle_low4_f32x8(mix_12, mix_13));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 56],
                shuffle_low4_f32x8(mix_14, mix_15));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 72],
                shuffle_high4_f32x8(mix_2, mix_5));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 88],
                shuffle_high4_f32x8(mix_8, mix_11));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 104],
                shuffle_high4_f32x8(mix_12, mix_13));
            store_f32x8(&lsh_hash_queries[(panel * 64 + d * 8) * 16 + 120],
                shuffle_high4_f32x8(mix_14, mix_15));
        }
    }
    for (int64_t panel = 0; panel < 4; panel++) {
        for (int64_t lane = 0; lane < 16; lane++) {
            const int64_t low = min_i64(block * 64 + panel * 16 + lane + 64, 4095);
            __builtin_prefetch(&q[low * 64], 0, 2);
            __builtin_prefetch(&q[low * 64 + 16], 0, 2);
            __builtin_prefetch(&q[low * 64 + 32], 0, 2);
            __builtin_prefetch(&q[low * 64 + 48], 0, 2);
        }
        f32x8 carried = splat_f32x8(-3.4028235e+38f);
        i32x8 carried_1 = splat_i32x8(0);
        f32x8 carried_2 = splat_f32x8(3.4028235e+38f);
        i32x8 carried_3 = splat_i32x8(0);
        f32x8 carried_4 = splat_f32x8(-3.4028235e+38f);
        i32x8 carried_5 = splat_i32x8(0);
        f32x8 carried_6 = splat_f32x8(3.4028235e+38f);
        i32x8 carried_7 = splat_i32x8(0);
        for (int64_t columns = 0; columns < 9; columns++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            f32x8 acc5_0 = splat_f32x8(0.0f);
            f32x8 acc5_1 = splat_f32x8(0.0f);
            for (int64_t k = 0; k < 64; k++) {
                const f32x8 s =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 6]);
                const f32x8 v = load_f32x8(&lsh_hash_queries[(panel * 64 + k) * 16]);
                acc0_0 = fma_f32x8(s, v, acc0_0);
                const f32x8 v_1 = load_f32x8(&lsh_hash_queries[(panel * 64 + k) * 16 + 8]);
                acc0_1 = fma_f32x8(s, v_1, acc0_1);
                const f32x8 s_1 =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 6 +
                    1]);
                acc1_0 = fma_f32x8(s_1, v, acc1_0);
                acc1_1 = fma_f32x8(s_1, v_1, acc1_1);
                const f32x8 s_2 =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 6 +
                    2]);
                acc2_0 = fma_f32x8(s_2, v, acc2_0);
                acc2_1 = fma_f32x8(s_2, v_1, acc2_1);
                const f32x8 s_3 =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 6 +
                    3]);
                acc3_0 = fma_f32x8(s_3, v, acc3_0);
                acc3_1 = fma_f32x8(s_3, v_1, acc3_1);
                const f32x8 s_4 =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 6 +
                    4]);
                acc4_0 = fma_f32x8(s_4, v, acc4_0);
                acc4_1 = fma_f32x8(s_4, v_1, acc4_1);
                const f32x8 s_5 =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 6 +
                    5]);
                acc5_0 = fma_f32x8(s_5, v, acc5_0);
                acc5_1 = fma_f32x8(s_5, v_1, acc5_1);
            }
            const f32x8 high = max_f32x8(acc0_0, carried);
            const f32x8 high_1 = max_f32x8(acc1_0, high);
            const f32x8 high_2 = max_f32x8(acc2_0, high_1);
            const f32x8 high_3 = max_f32x8(acc3_0, high_2);
            const f32x8 high_4 = max_f32x8(acc4_0, high_3);
            const i32x8 s = splat_i32x8((int32_t)(columns * 6 + 5));
            const i32x8 s_1 = splat_i32x8((int32_t)(columns * 6 + 4));
            const i32x8 s_2 = splat_i32x8((int32_t)(columns * 6 + 3));
            const i32x8 s_3 = splat_i32x8((int32_t)(columns * 6 + 2));
            const i32x8 s_4 = splat_i32x8((int32_t)(columns * 6 + 1));
            const i32x8 s_5 = splat_i32x8((int32_t)(columns * 6));
            const i32x8 pick = select_i32x8((i32x8)(acc0_0 > carried), s_5, carried_1);
            const i32x8 pick_1 = select_i32x8((i32x8)(acc1_0 > high), s_4, pick);
            const i32x8 pick_2 = select_i32x8((i32x8)(acc2_0 > high_1), s_3, pick_1);
            const i32x8 pick_3 = select_i32x8((i32x8)(acc3_0 > high_2), s_2, pick_2);
            const i32x8 pick_4 = select_i32x8((i32x8)(acc4_0 > high_3), s_1, pick_3);
            carried_1 = select_i32x8((i32x8)(acc5_0 > high_4), s, pick_4);
            const f32x8 low = min_f32x8(acc0_0, carried_2);
            const f32x8 low_1 = min_f32x8(acc1_0, low);
            const f32x8 low_2 = min_f32x8(acc2_0, low_1);
            const f32x8 low_3 = min_f32x8(acc3_0, low_2);
            const f32x8 low_4 = min_f32x8(acc4_0, low_3);
            const i32x8 pick_5 = select_i32x8((i32x8)(acc0_0 < carried_2), s_5, carried_3);
            const i32x8 pick_6 = select_i32x8((i32x8)(acc1_0 < low), s_4, pick_5);
            const i32x8 pick_7 = select_i32x8((i32x8)(acc2_0 < low_1), s_3, pick_6);
            const i32x8 pick_8 = select_i32x8((i32x8)(acc3_0 < low_2), s_2, pick_7);
            const i32x8 pick_9 = select_i32x8((i32x8)(acc4_0 < low_3), s_1, pick_8);
            carried_3 = select_i32x8((i32x8)(acc5_0 < low_4), s, pick_9);
            const f32x8 high_5 = max_f32x8(acc0_1, carried_4);
            const f32x8 high_6 = max_f32x8(acc1_1, high_5);
            const f32x8 high_7 = max_f32x8(acc2_1, high_6);
            const f32x8 high_8 = max_f32x8(acc3_1, high_7);
            const f32x8 high_9 = max_f32x8(acc4_1, high_8);
            const i32x8 pick_10 = select_i32x8((i32x8)(acc0_1 > carried_4), s_5, carried_5);
            const i32x8 pick_11 = select_i32x8((i32x8)(acc1_1 > high_5), s_4, pick_10);
            const i32x8 pick_12 = select_i32x8((i32x8)(acc2_1 > high_6), s_3, pick_11);
            const i32x8 pick_13 = select_i32x8((i32x8)(acc3_1 > high_7), s_2, pick_12);
            const i32x8 pick_14 = select_i32x8((i32x8)(acc4_1 > high_8), s_1, pick_13);
            carried_5 = select_i32x8((i32x8)(acc5_1 > high_9), s, pick_14);
            const f32x8 low_5 = min_f32x8(acc0_1, carried_6);
            const f32x8 low_6 = min_f32x8(acc1_1, low_5);
            const f32x8 low_7 = min_f32x8(acc2_1, low_6);
            const f32x8 low_8 = min_f32x8(acc3_1, low_7);
            const f32x8 low_9 = min_f32x8(acc4_1, low_8);
            const i32x8 pick_15 = select_i32x8((i32x8)(acc0_1 < carried_6), s_5, carried_7);
            const i32x8 pick_16 = select_i32x8((i32x8)(acc1_1 < low_5), s_4, pick_15);
            const i32x8 pick_17 = select_i32x8((i32x8)(acc2_1 < low_6), s_3, pick_16);
            const i32x8 pick_18 = select_i32x8((i32x8)(acc3_1 < low_7), s_2, pick_17);
            const i32x8 pick_19 = select_i32x8((i32x8)(acc4_1 < low_8), s_1, pick_18);
            carried_7 = select_i32x8((i32x8)(acc5_1 < low_9), s, pick_19);
            carried = max_f32x8(acc5_0, high_4);
            carried_2 = min_f32x8(acc5_0, low_4);
            carried_4 = max_f32x8(acc5_1, high_9);
            carried_6 = min_f32x8(acc5_1, low_9);
        }
        f32x8 carried_8 = carried;
        i32x8 carried_9 = carried_1;
        f32x8 carried_10 = carried_2;
        i32x8 carried_11 = carried_3;
        f32x8 carried_12 = carried_4;
        i32x8 carried_13 = carried_5;
        f32x8 carried_14 = carried_6;
        i32x8 carried_15 = carried_7;
        for (int64_t columns = 0; columns < 2; columns++) {
            f32x8 acc0_0 = splat_f32x8(0.0f);
            f32x8 acc0_1 = splat_f32x8(0.0f);
            f32x8 acc1_0 = splat_f32x8(0.0f);
            f32x8 acc1_1 = splat_f32x8(0.0f);
            f32x8 acc2_0 = splat_f32x8(0.0f);
            f32x8 acc2_1 = splat_f32x8(0.0f);
            f32x8 acc3_0 = splat_f32x8(0.0f);
            f32x8 acc3_1 = splat_f32x8(0.0f);
            f32x8 acc4_0 = splat_f32x8(0.0f);
            f32x8 acc4_1 = splat_f32x8(0.0f);
            for (int64_t k = 0; k < 64; k++) {
                const f32x8 s =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 5 +
                    54]);
                const f32x8 v = load_f32x8(&lsh_hash_queries[(panel * 64 + k) * 16]);
                acc0_0 = fma_f32x8(s, v, acc0_0);
                const f32x8 v_1 = load_f32x8(&lsh_hash_queries[(panel * 64 + k) * 16 + 8]);
                acc0_1 = fma_f32x8(s, v_1, acc0_1);
                const f32x8 s_1 =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 5 +
                    55]);
                acc1_0 = fma_f32x8(s_1, v, acc1_0);
                acc1_1 = fma_f32x8(s_1, v_1, acc1_1);
                const f32x8 s_2 =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 5 +
                    56]);
                acc2_0 = fma_f32x8(s_2, v, acc2_0);
                acc2_1 = fma_f32x8(s_2, v_1, acc2_1);
                const f32x8 s_3 =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 5 +
                    57]);
                acc3_0 = fma_f32x8(s_3, v, acc3_0);
                acc3_1 = fma_f32x8(s_3, v_1, acc3_1);
                const f32x8 s_4 =
                    splat_f32x8(w_rotations[((index * 12 + group) * 64 + k) * 64 + columns * 5 +
                    58]);
                acc4_0 = fma_f32x8(s_4, v, acc4_0);
                acc4_1 = fma_f32x8(s_4, v_1, acc4_1);
            }
            const f32x8 high = max_f32x8(acc0_0, carried_8);
            const f32x8 high_1 = max_f32x8(acc1_0, high);
            const f32x8 high_2 = max_f32x8(acc2_0, high_1);
            const f32x8 high_3 = max_f32x8(acc3_0, high_2);
            const i32x8 s = splat_i32x8((int32_t)(columns * 5 + 58));
            const i32x8 s_1 = splat_i32x8((int32_t)(columns * 5 + 57));
            const i32x8 s_2 = splat_i32x8((int32_t)(columns * 5 + 56));
            const i32x8 s_3 = splat_i32x8((int32_t)(columns * 5 + 55));
            const i32x8 s_4 = splat_i32x8((int32_t)(columns * 5 + 54));
            const i32x8 pick = select_i32x8((i32x8)(acc0_0 > carried_8), s_4, carried_9);
            const i32x8 pick_1 = select_i32x8((i32x8)(acc1_0 > high), s_3, pick);
            const i32x8 pick_2 = select_i32x8((i32x8)(acc2_0 > high_1), s_2, pick_1);
            const i32x8 pick_3 = select_i32x8((i32x8)(acc3_0 > high_2), s_1, pick_2);
            carried_9 = select_i32x8((i32x8)(acc4_0 > high_3), s, pick_3);
            const f32x8 low = min_f32x8(acc0_0, carried_10);
            const f32x8 low_1 = min_f32x8(acc1_0, low);
            const f32x8 low_2 = min_f32x8(acc2_0, low_1);
            const f32x8 low_3 = min_f32x8(acc3_0, low_2);
            const i32x8 pick_4 = select_i32x8((i32x8)(acc0_0 < carried_10), s_4, carried_11);
            const i32x8 pick_5 = select_i32x8((i32x8)(acc1_0 < low), s_3, pick_4);
            const i32x8 pick_6 = select_i32x8((i32x8)(acc2_0 < low_1), s_2, pick_5);
            const i32x8 pick_7 = select_i32x8((i32x8)(acc3_0 < low_2), s_1, pick_6);
            carried_11 = select_i32x8((i32x8)(acc4_0 < low_3), s, pick_7);
            const f32x8 high_4 = max_f32x8(acc0_1, carried_12);
            const f32x8 high_5 = max_f32x8(acc1_1, high_4);
            const f32x8 high_6 = max_f32x8(acc2_1, high_5);
            const f32x8 high_7 = max_f32x8(acc3_1, high_6);
            const i32x8 pick_8 = select_i32x8((i32x8)(acc0_1 > carried_12), s_4, carried_13);
            const i32x8 pick_9 = select_i32x8((i32x8)(acc1_1 > high_4), s_3, pick_8);
            const i32x8 pick_10 = select_i32x8((i32x8)(acc2_1 > high_5), s_2, pick_9);
            const i32x8 pick_11 = select_i32x8((i32x8)(acc3_1 > high_6), s_1, pick_10);
            carried_13 = select_i32x8((i32x8)(acc4_1 > high_7), s, pick_11);
            const f32x8 low_4 = min_f32x8(acc0_1, carried_14);
            const f32x8 low_5 = min_f32x8(acc1_1, low_4);
            const f32x8 low_6 = min_f32x8(acc2_1, low_5);
            const f32x8 low_7 = min_f32x8(acc3_1, low_6);
            const i32x8 pick_12 = select_i32x8((i32x8)(acc0_1 < carried_14), s_4, carried_15);
            const i32x8 pick_13 = select_i32x8((i32x8)(acc1_1 < low_4), s_3, pick_12);
            const i32x8 pick_14 = select_i32x8((i32x8)(acc2_1 < low_5), s_2, pick_13);
            const i32x8 pick_15 = select_i32x8((i32x8)(acc3_1 < low_6), s_1, pick_14);
            carried_15 = select_i32x8((i32x8)(acc4_1 < low_7), s, pick_15);
            carried_8 = max_f32x8(acc4_0, high_3);
            carried_10 = min_f32x8(acc4_0, low_3);
            carried_12 = max_f32x8(acc4_1, high_7);
            carried_14 = min_f32x8(acc4_1, low_7);
        }
        const i32x8 pick = select_i32x8((i32x8)(-carried_10 > carried_8),
            add_i32x8(carried_11, splat_i32x8(64)), carried_9);
        const i32x8 pick_1 = select_i32x8((i32x8)(-carried_14 > carried_12),
            add_i32x8(carried_15, splat_i32x8(64)), carried_13);
        store_i32x8(&found[panel * 16], pick);
        store_i32x8(&found[panel * 16 + 8], pick_1);
    }
    for (int64_t v = 0; v < 8; v++) {
        const i32x8 pick =
            select_i32x8((i32x8)(load_i32x8(&key[block * 64 + v * 8]) >= splat_i32x8(1073741824)),
            splat_i32x8(128), load_i32x8(&found[v * 8]));
        store_i32x8(&lsh_buckets[block * 64 + v * 8], pick);
    }
}

/* default.yaml:18: stable counting sort of the tokens by bucket, per round
 * tasks [batch 1][head 1][round 1] */
REFORMER_KERNEL static void lsh_sort(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    (void)task;
    int32_t *restrict counts = (int32_t *)(void *)scratch; /* [129] */
    /* [1][1][1][4096]: [batch][group][round][rows] */
    const int32_t *restrict lsh_buckets =
        (const int32_t *)(const void *)(call->workspace + 11599936);
    /* [1][1][1][4097]: [batch][group][round][place]: sorted tokens */
    int32_t *restrict order = (int32_t *)(void *)(call->workspace + 11534336);
    for (int64_t bucket = 0; bucket < 129; bucket++) {
        counts[bucket] = 0;
    }
    for (int64_t t = 0; t < 4096; t++) {
        const int32_t bucket = lsh_buckets[t];
        counts[(int64_t)bucket] = counts[(int64_t)bucket] + 1;
    }
    int32_t carried = 0;
    for (int64_t bucket = 0; bucket < 129; bucket++) {
        const int32_t sum = add_i32(carried, counts[bucket]);
        counts[bucket] = carried;
        carried = sum;
    }
    /* stable scatter */
    for (int64_t t = 0; t < 4096; t++) {
        const int32_t v = lsh_buckets[t];
        const int32_t place = counts[(int64_t)v];
        counts[(int64_t)v] = place + 1;
        order[(int64_t)place] = (int32_t)t;
    }
}

/* default.yaml:18: LSH attention: sorted chunks of 64 against 1 before and 0 after, one round
 * tasks [batch 1][head 1][run 8] */
REFORMER_KERNEL static void lsh_attention(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    const int64_t run = task % 8;
    /* [1][1][1][4097]: [batch][group][round][place]: sorted tokens */
    const int32_t *restrict order = (const int32_t *)(const void *)(call->workspace + 11534336);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    const float *restrict q = (const float *)(const void *)(call->workspace + 8388608);
    float *restrict lsh_attention_queries = (float *)(void *)scratch; /* [2][4][64][16] */
    int32_t *restrict lsh_attention_query_pos = (int32_t *)(void *)(scratch + 65536); /* [2][64] */
    const int32_t *restrict key = call->slot[REFORMER_SLOT_KEY]; /* [1][4096] */
    int32_t *restrict key_pos = (int32_t *)(void *)(scratch + 66048); /* [2][64] */
    /* [1][1][4096][64]: [batch][group][rows][head] */
    const float *restrict v = (const float *)(const void *)(call->workspace + 9437184);
    float *restrict values = (float *)(void *)(scratch + 32768); /* [2][4][64][16] */
    float *restrict key_scale = (float *)(void *)(scratch + 66560); /* [2][64] */
    float *restrict key_scale2 = (float *)(void *)(scratch + 67072); /* [2][64] */
    float *restrict norm = (float *)(void *)(scratch + 67584); /* [2][64] */
    float *restrict most_norm = (float *)(void *)(scratch + 68096); /* [2][4] */
    float *restrict most_of_slot = (float *)(void *)(scratch + 68160); /* [2] */
    /* [1][1][4096][64]: [batch][group][rows][head]: keys, or an output apart from the queries */
    float *restrict k_out = (float *)(void *)(call->workspace + 10485760);
    float *restrict lsh_attention_scores = (float *)(void *)(scratch + 68224); /* [128][16] */
    float *restrict total_sum = (float *)(void *)(scratch + 76544); /* [16] */
    /* [1][1][4096]: [batch][group][rows]: sum of exponentials */
    float *restrict run_sum = (float *)(void *)(call->workspace + 11567168);
    /* [1][1][1][4096]: [batch][group][round][rows]: self entries of rows without other keys */
    int32_t *restrict self_count = (int32_t *)(void *)(call->workspace + 11583552);
    /* [1][1][4096]: [batch][group][rows]: largest score so far */
    float *restrict run_max = (float *)(void *)(call->workspace + 11550784);
    float *restrict top = (float *)(void *)(scratch + 76480); /* [16] */
    float *restrict round_sum = (float *)(void *)(scratch + 76416); /* [16] */
    float *restrict keep = (float *)(void *)(scratch + 76608); /* [16] */
    float *restrict gain = (float *)(void *)(scratch + 76672); /* [16] */
    const int64_t other = (run * 8 + 63) % 64;
    for (int64_t panel = 0; panel < 4; panel++) {
        const int32_t token = order[other * 64 + panel * 16];
        const int32_t token_1 = order[other * 64 + panel * 16 + 1];
        const int32_t token_2 = order[other * 64 + panel * 16 + 2];
        const int32_t token_3 = order[other * 64 + panel * 16 + 3];
        const int32_t token_4 = order[other * 64 + panel * 16 + 4];
        const int32_t token_5 = order[other * 64 + panel * 16 + 5];
        const int32_t token_6 = order[other * 64 + panel * 16 + 6];
        const int32_t token_7 = order[other * 64 + panel * 16 + 7];
        for (int64_t d = 0; d < 8; d++) {
            const f32x8 v_1 = load_f32x8(&q[(int64_t)token * 64 + d * 8]);
            const f32x8 v_2 = load_f32x8(&q[(int64_t)token_1 * 64 + d * 8]);
            const f32x8 mix = shuffle_low1_f32x8(v_1, v_2);
            const f32x8 v_3 = load_f32x8(&q[(int64_t)token_2 * 64 + d * 8]);
            const f32x8 v_4 = load_f32x8(&q[(int64_t)token_3 * 64 + d * 8]);
            const f32x8 mix_1 = shuffle_low1_f32x8(v_3, v_4);
            const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
            const f32x8 v_5 = load_f32x8(&q[(int64_t)token_4 * 64 + d * 8]);
            const f32x8 v_6 = load_f32x8(&q[(int64_t)token_5 * 64 + d * 8]);
            const f32x8 mix_3 = shuffle_low1_f32x8(v_5, v_6);
            const f32x8 v_7 = load_f32x8(&q[(int64_t)token_6 * 64 + d * 8]);
            const f32x8 v_8 = load_f32x8(&q[(int64_t)token_7 * 64 + d * 8]);
            const f32x8 mix_4 = shuffle_low1_f32x8(v_7, v_8);
            const f32x8 mix_5 = shuffle_low2_f32x8(mix_3, mix_4);
            const f32x8 mix_6 = shuffle_high1_f32x8(v_1, v_2);
            const f32x8 mix_7 = shuffle_high1_f32x8(v_3, v_4);
            const f32x8 mix_8 = shuffle_low2_f32x8(mix_6, mix_7);
            const f32x8 mix_9 = shuffle_high1_f32x8(v_5, v_6);
            const f32x8 mix_10 = shuffle_high1_f32x8(v_7, v_8);
            const f32x8 mix_11 = shuffle_low2_f32x8(mix_9, mix_10);
            const f32x8 mix_12 = shuffle_high2_f32x8(mix, mix_1);
            const f32x8 mix_13 = shuffle_high2_f32x8(mix_3, mix_4);
            const f32x8 mix_14 = shuffle_high2_f32x8(mix_6, mix_7);
            const f32x8 mix_15 = shuffle_high2_f32x8(mix_9, mix_10);
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16],
                shuffle_low4_f32x8(mix_2, mix_5));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 16],
                shuffle_low4_f32x8(mix_8, mix_11));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 32],
                shuffle_low4_f32x8(mix_12, mix_13));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 48],
                shuffle_low4_f32x8(mix_14, mix_15));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 64],
                shuffle_high4_f32x8(mix_2, mix_5));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 80],
                shuffle_high4_f32x8(mix_8, mix_11));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 96],
                shuffle_high4_f32x8(mix_12, mix_13));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 112],
                shuffle_high4_f32x8(mix_14, mix_15));
        }
        const int32_t token_8 = order[other * 64 + panel * 16 + 8];
        const int32_t token_9 = order[other * 64 + panel * 16 + 9];
        const int32_t token_10 = order[other * 64 + panel * 16 + 10];
        const int32_t token_11 = order[other * 64 + panel * 16 + 11];
        const int32_t token_12 = order[other * 64 + panel * 16 + 12];
        const int32_t token_13 = order[other * 64 + panel * 16 + 13];
        const int32_t token_14 = order[other * 64 + panel * 16 + 14];
        const int32_t token_15 = order[other * 64 + panel * 16 + 15];
        for (int64_t d = 0; d < 8; d++) {
            const f32x8 v_1 = load_f32x8(&q[(int64_t)token_8 * 64 + d * 8]);
            const f32x8 v_2 = load_f32x8(&q[(int64_t)token_9 * 64 + d * 8]);
            const f32x8 mix = shuffle_low1_f32x8(v_1, v_2);
            const f32x8 v_3 = load_f32x8(&q[(int64_t)token_10 * 64 + d * 8]);
            const f32x8 v_4 = load_f32x8(&q[(int64_t)token_11 * 64 + d * 8]);
            const f32x8 mix_1 = shuffle_low1_f32x8(v_3, v_4);
            const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
            const f32x8 v_5 = load_f32x8(&q[(int64_t)token_12 * 64 + d * 8]);
            const f32x8 v_6 = load_f32x8(&q[(int64_t)token_13 * 64 + d * 8]);
            const f32x8 mix_3 = shuffle_low1_f32x8(v_5, v_6);
            const f32x8 v_7 = load_f32x8(&q[(int64_t)token_14 * 64 + d * 8]);
            const f32x8 v_8 = load_f32x8(&q[(int64_t)token_15 * 64 + d * 8]);
            const f32x8 mix_4 = shuffle_low1_f32x8(v_7, v_8);
            const f32x8 mix_5 = shuffle_low2_f32x8(mix_3, mix_4);
            const f32x8 mix_6 = shuffle_high1_f32x8(v_1, v_2);
            const f32x8 mix_7 = shuffle_high1_f32x8(v_3, v_4);
            const f32x8 mix_8 = shuffle_low2_f32x8(mix_6, mix_7);
            const f32x8 mix_9 = shuffle_high1_f32x8(v_5, v_6);
            const f32x8 mix_10 = shuffle_high1_f32x8(v_7, v_8);
            const f32x8 mix_11 = shuffle_low2_f32x8(mix_9, mix_10);
            const f32x8 mix_12 = shuffle_high2_f32x8(mix, mix_1);
            const f32x8 mix_13 = shuffle_high2_f32x8(mix_3, mix_4);
            const f32x8 mix_14 = shuffle_high2_f32x8(mix_6, mix_7);
            const f32x8 mix_15 = shuffle_high2_f32x8(mix_9, mix_10);
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 8],
                shuffle_low4_f32x8(mix_2, mix_5));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 24],
                shuffle_low4_f32x8(mix_8, mix_11));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 40],
                shuffle_low4_f32x8(mix_12, mix_13));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 56],
                shuffle_low4_f32x8(mix_14, mix_15));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 72],
                shuffle_high4_f32x8(mix_2, mix_5));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 88],
                shuffle_high4_f32x8(mix_8, mix_11));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 104],
                shuffle_high4_f32x8(mix_12, mix_13));
            store_f32x8(&lsh_attention_queries[(panel * 64 + d * 8) * 16 + 120],
                shuffle_high4_f32x8(mix_14, mix_15));
        }
    }
    for (int64_t lane = 0; lane < 64; lane++) {
        const int32_t token = order[other * 64 + lane];
        lsh_attention_query_pos[lane] = token;
        key_pos[lane] = key[(int64_t)token];
        store_f32x8(&values[lane * 16], load_f32x8(&v[(int64_t)token * 64]));
        store_f32x8(&values[lane * 16 + 8], load_f32x8(&v[(int64_t)token * 64 + 8]));
        store_f32x8(&values[lane * 16 + 1024], load_f32x8(&v[(int64_t)token * 64 + 16]));
        store_f32x8(&values[lane * 16 + 1032], load_f32x8(&v[(int64_t)token * 64 + 24]));
        store_f32x8(&values[lane * 16 + 2048], load_f32x8(&v[(int64_t)token * 64 + 32]));
        store_f32x8(&values[lane * 16 + 2056], load_f32x8(&v[(int64_t)token * 64 + 40]));
        store_f32x8(&values[lane * 16 + 3072], load_f32x8(&v[(int64_t)token * 64 + 48]));
        store_f32x8(&values[lane * 16 + 3080], load_f32x8(&v[(int64_t)token * 64 + 56]));
    }
    float carried = 0.0f;
    for (int64_t panel = 0; panel < 4; panel++) {
        f32x8 carried_1 = splat_f32x8(0.0f);
        f32x8 carried_2 = splat_f32x8(0.0f);
        for (int64_t d = 0; d < 64; d++) {
            const f32x8 v_1 = load_f32x8(&lsh_attention_queries[(panel * 64 + d) * 16]);
            carried_1 = fma_f32x8(v_1, v_1, carried_1);
            const f32x8 v_2 = load_f32x8(&lsh_attention_queries[(panel * 64 + d) * 16 + 8]);
            carried_2 = fma_f32x8(v_2, v_2, carried_2);
        }
        const f32x8 sum = div_f32x8(carried_1, splat_f32x8(64.0f)) + splat_f32x8(1e-06f);
        const f32x8 root = sqrt_f32x8(sum);
        const f32x8 quot = div_f32x8(splat_f32x8(0.125f), root);
        const f32x8 root_1 = sqrt_f32x8(carried_1);
        const f32x8 low = min_f32x8(root_1, splat_f32x8(3.4028235e+38f));
        store_f32x8(&key_scale[panel * 16], quot);
        store_f32x8(&key_scale2[panel * 16], mul_f32x8(quot, splat_f32x8(1.442695f)));
        store_f32x8(&norm[panel * 16], low);
        const f32x8 sum_1 = div_f32x8(carried_2, splat_f32x8(64.0f)) + splat_f32x8(1e-06f);
        const f32x8 root_2 = sqrt_f32x8(sum_1);
        const f32x8 quot_1 = div_f32x8(splat_f32x8(0.125f), root_2);
        const f32x8 root_3 = sqrt_f32x8(carried_2);
        const f32x8 low_1 = min_f32x8(root_3, splat_f32x8(3.4028235e+38f));
        store_f32x8(&key_scale[panel * 16 + 8], quot_1);
        store_f32x8(&key_scale2[panel * 16 + 8], mul_f32x8(quot_1, splat_f32x8(1.442695f)));
        store_f32x8(&norm[panel * 16 + 8], low_1);
        const f32x8 high = max_f32x8(low, low_1);
        const f32x8 mix = shuffle_swap4_f32x8(high);
        const f32x8 high_1 = max_f32x8(high, mix);
        const f32x8 mix_1 = shuffle_swap2_f32x8(high_1);
        const f32x8 high_2 = max_f32x8(high_1, mix_1);
        const f32x8 mix_2 = shuffle_swap1_f32x8(high_2);
        const f32x8 high_3 = max_f32x8(high_2, mix_2);
        const float lane = high_3[0];
        most_norm[panel] = lane;
        if (lane <= 1.1529215e+18f) {
        } else {
            const i32x8 more = (i32x8)(low > splat_f32x8(1.1529215e+18f));
            const f32x8 pick = select_f32x8(more, splat_f32x8(8.271806e-25f), splat_f32x8(1.0f));
            const i32x8 more_1 = (i32x8)(low_1 > splat_f32x8(1.1529215e+18f));
            const f32x8 pick_1 = select_f32x8(more_1, splat_f32x8(8.271806e-25f),
                splat_f32x8(1.0f));
            for (int64_t k = 0; k < 64; k++) {
                const f32x8 prod =
                    mul_f32x8(load_f32x8(&lsh_attention_queries[(panel * 64 + k) * 16]), pick);
                store_f32x8(&lsh_attention_queries[(panel * 64 + k) * 16], prod);
                const f32x8 prod_1 =
                    mul_f32x8(load_f32x8(&lsh_attention_queries[(panel * 64 + k) * 16 + 8]),
                    pick_1);
                store_f32x8(&lsh_attention_queries[(panel * 64 + k) * 16 + 8], prod_1);
            }
            const f32x8 pick_2 = select_f32x8(more, splat_f32x8(1.2089258e+24f), splat_f32x8(1.0f));
            store_f32x8(&key_scale[panel * 16], mul_f32x8(load_f32x8(&key_scale[panel * 16]),
                pick_2));
            store_f32x8(&key_scale2[panel * 16], mul_f32x8(load_f32x8(&key_scale2[panel * 16]),
                pick_2));
            const f32x8 pick_3 = select_f32x8(more_1, splat_f32x8(1.2089258e+24f),
                splat_f32x8(1.0f));
            store_f32x8(&key_scale[panel * 16 + 8],
                mul_f32x8(load_f32x8(&key_scale[panel * 16 + 8]), pick_3));
            store_f32x8(&key_scale2[panel * 16 + 8],
                mul_f32x8(load_f32x8(&key_scale2[panel * 16 + 8]), pick_3));
        }
        carried = max_f32(carried, lane);
    }
    most_of_slot[0] = carried;
    for (int64_t step = 0; step < 8; step++) {
        const int64_t other_1 = (run * 8 + step + 64) % 64;
        const int64_t slot_1 = (step + 1) % 2;
        for (int64_t panel = 0; panel < 4; panel++) {
            const int32_t token = order[other_1 * 64 + panel * 16];
            const int32_t token_1 = order[other_1 * 64 + panel * 16 + 1];
            const int32_t token_2 = order[other_1 * 64 + panel * 16 + 2];
            const int32_t token_3 = order[other_1 * 64 + panel * 16 + 3];
            const int32_t token_4 = order[other_1 * 64 + panel * 16 + 4];
            const int32_t token_5 = order[other_1 * 64 + panel * 16 + 5];
            const int32_t token_6 = order[other_1 * 64 + panel * 16 + 6];
            const int32_t token_7 = order[other_1 * 64 + panel * 16 + 7];
            for (int64_t d = 0; d < 8; d++) {
                const f32x8 v_1 = load_f32x8(&q[(int64_t)token * 64 + d * 8]);
                const f32x8 v_2 = load_f32x8(&q[(int64_t)token_1 * 64 + d * 8]);
                const f32x8 mix = shuffle_low1_f32x8(v_1, v_2);
                const f32x8 v_3 = load_f32x8(&q[(int64_t)token_2 * 64 + d * 8]);
                const f32x8 v_4 = load_f32x8(&q[(int64_t)token_3 * 64 + d * 8]);
                const f32x8 mix_1 = shuffle_low1_f32x8(v_3, v_4);
                const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
                const f32x8 v_5 = load_f32x8(&q[(int64_t)token_4 * 64 + d * 8]);
                const f32x8 v_6 = load_f32x8(&q[(int64_t)token_5 * 64 + d * 8]);
                const f32x8 mix_3 = shuffle_low1_f32x8(v_5, v_6);
                const f32x8 v_7 = load_f32x8(&q[(int64_t)token_6 * 64 + d * 8]);
                const f32x8 v_8 = load_f32x8(&q[(int64_t)token_7 * 64 + d * 8]);
                const f32x8 mix_4 = shuffle_low1_f32x8(v_7, v_8);
                const f32x8 mix_5 = shuffle_low2_f32x8(mix_3, mix_4);
                const f32x8 mix_6 = shuffle_high1_f32x8(v_1, v_2);
                const f32x8 mix_7 = shuffle_high1_f32x8(v_3, v_4);
                const f32x8 mix_8 = shuffle_low2_f32x8(mix_6, mix_7);
                const f32x8 mix_9 = shuffle_high1_f32x8(v_5, v_6);
                const f32x8 mix_10 = shuffle_high1_f32x8(v_7, v_8);
                const f32x8 mix_11 = shuffle_low2_f32x8(mix_9, mix_10);
                const f32x8 mix_12 = shuffle_high2_f32x8(mix, mix_1);
                const f32x8 mix_13 = shuffle_high2_f32x8(mix_3, mix_4);
                const f32x8 mix_14 = shuffle_high2_f32x8(mix_6, mix_7);
                const f32x8 mix_15 = shuffle_high2_f32x8(mix_9, mix_10);
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16],
                    shuffle_low4_f32x8(mix_2, mix_5));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 16],
                    shuffle_low4_f32x8(mix_8, mix_11));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 32],
                    shuffle_low4_f32x8(mix_12, mix_13));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 48],
                    shuffle_low4_f32x8(mix_14, mix_15));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 64],
                    shuffle_high4_f32x8(mix_2, mix_5));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 80],
                    shuffle_high4_f32x8(mix_8, mix_11));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 96],
                    shuffle_high4_f32x8(mix_12, mix_13));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 112],
                    shuffle_high4_f32x8(mix_14, mix_15));
            }
            const int32_t token_8 = order[other_1 * 64 + panel * 16 + 8];
            const int32_t token_9 = order[other_1 * 64 + panel * 16 + 9];
            const int32_t token_10 = order[other_1 * 64 + panel * 16 + 10];
            const int32_t token_11 = order[other_1 * 64 + panel * 16 + 11];
            const int32_t token_12 = order[other_1 * 64 + panel * 16 + 12];
            const int32_t token_13 = order[other_1 * 64 + panel * 16 + 13];
            const int32_t token_14 = order[other_1 * 64 + panel * 16 + 14];
            const int32_t token_15 = order[other_1 * 64 + panel * 16 + 15];
            for (int64_t d = 0; d < 8; d++) {
                const f32x8 v_1 = load_f32x8(&q[(int64_t)token_8 * 64 + d * 8]);
                const f32x8 v_2 = load_f32x8(&q[(int64_t)token_9 * 64 + d * 8]);
                const f32x8 mix = shuffle_low1_f32x8(v_1, v_2);
                const f32x8 v_3 = load_f32x8(&q[(int64_t)token_10 * 64 + d * 8]);
                const f32x8 v_4 = load_f32x8(&q[(int64_t)token_11 * 64 + d * 8]);
                const f32x8 mix_1 = shuffle_low1_f32x8(v_3, v_4);
                const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
                const f32x8 v_5 = load_f32x8(&q[(int64_t)token_12 * 64 + d * 8]);
                const f32x8 v_6 = load_f32x8(&q[(int64_t)token_13 * 64 + d * 8]);
                const f32x8 mix_3 = shuffle_low1_f32x8(v_5, v_6);
                const f32x8 v_7 = load_f32x8(&q[(int64_t)token_14 * 64 + d * 8]);
                const f32x8 v_8 = load_f32x8(&q[(int64_t)token_15 * 64 + d * 8]);
                const f32x8 mix_4 = shuffle_low1_f32x8(v_7, v_8);
                const f32x8 mix_5 = shuffle_low2_f32x8(mix_3, mix_4);
                const f32x8 mix_6 = shuffle_high1_f32x8(v_1, v_2);
                const f32x8 mix_7 = shuffle_high1_f32x8(v_3, v_4);
                const f32x8 mix_8 = shuffle_low2_f32x8(mix_6, mix_7);
                const f32x8 mix_9 = shuffle_high1_f32x8(v_5, v_6);
                const f32x8 mix_10 = shuffle_high1_f32x8(v_7, v_8);
                const f32x8 mix_11 = shuffle_low2_f32x8(mix_9, mix_10);
                const f32x8 mix_12 = shuffle_high2_f32x8(mix, mix_1);
                const f32x8 mix_13 = shuffle_high2_f32x8(mix_3, mix_4);
                const f32x8 mix_14 = shuffle_high2_f32x8(mix_6, mix_7);
                const f32x8 mix_15 = shuffle_high2_f32x8(mix_9, mix_10);
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 8],
                    shuffle_low4_f32x8(mix_2, mix_5));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 24],
                    shuffle_low4_f32x8(mix_8, mix_11));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 40],
                    shuffle_low4_f32x8(mix_12, mix_13));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 56],
                    shuffle_low4_f32x8(mix_14, mix_15));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 72],
                    shuffle_high4_f32x8(mix_2, mix_5));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 88],
                    shuffle_high4_f32x8(mix_8, mix_11));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 104],
                    shuffle_high4_f32x8(mix_12, mix_13));
                store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d * 8) * 16 + 120],
                    shuffle_high4_f32x8(mix_14, mix_15));
            }
        }
        for (int64_t lane = 0; lane < 64; lane++) {
            const int32_t token = order[other_1 * 64 + lane];
            lsh_attention_query_pos[slot_1 * 64 + lane] = token;
            key_pos[slot_1 * 64 + lane] = key[(int64_t)token];
            store_f32x8(&values[(slot_1 * 4 * 64 + lane) * 16],
                load_f32x8(&v[(int64_t)token * 64]));
            store_f32x8(&values[(slot_1 * 4 * 64 + lane) * 16 + 8],
                load_f32x8(&v[(int64_t)token * 64 + 8]));
            store_f32x8(&values[(slot_1 * 4 * 64 + lane) * 16 + 1024],
                load_f32x8(&v[(int64_t)token * 64 + 16]));
            store_f32x8(&values[(slot_1 * 4 * 64 + lane) * 16 + 1032],
                load_f32x8(&v[(int64_t)token * 64 + 24]));
            store_f32x8(&values[(slot_1 * 4 * 64 + lane) * 16 + 2048],
                load_f32x8(&v[(int64_t)token * 64 + 32]));
            store_f32x8(&values[(slot_1 * 4 * 64 + lane) * 16 + 2056],
                load_f32x8(&v[(int64_t)token * 64 + 40]));
            store_f32x8(&values[(slot_1 * 4 * 64 + lane) * 16 + 3072],
                load_f32x8(&v[(int64_t)token * 64 + 48]));
            store_f32x8(&values[(slot_1 * 4 * 64 + lane) * 16 + 3080],
                load_f32x8(&v[(int64_t)token * 64 + 56]));
        }
        float carried_1 = 0.0f;
        for (int64_t panel = 0; panel < 4; panel++) {
            f32x8 carried_2 = splat_f32x8(0.0f);
            f32x8 carried_3 = splat_f32x8(0.0f);
            for (int64_t d = 0; d < 64; d++) {
                const f32x8 v_1 =
                    load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d) * 16]);
                carried_2 = fma_f32x8(v_1, v_1, carried_2);
                const f32x8 v_2 =
                    load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + d) * 16 + 8]);
                carried_3 = fma_f32x8(v_2, v_2, carried_3);
            }
            const f32x8 sum = div_f32x8(carried_2, splat_f32x8(64.0f)) + splat_f32x8(1e-06f);
            const f32x8 root = sqrt_f32x8(sum);
            const f32x8 quot = div_f32x8(splat_f32x8(0.125f), root);
            const f32x8 root_1 = sqrt_f32x8(carried_2);
            const f32x8 low = min_f32x8(root_1, splat_f32x8(3.4028235e+38f));
            store_f32x8(&key_scale[slot_1 * 64 + panel * 16], quot);
            store_f32x8(&key_scale2[slot_1 * 64 + panel * 16],
                mul_f32x8(quot, splat_f32x8(1.442695f)));
            store_f32x8(&norm[slot_1 * 64 + panel * 16], low);
            const f32x8 sum_1 = div_f32x8(carried_3, splat_f32x8(64.0f)) + splat_f32x8(1e-06f);
            const f32x8 root_2 = sqrt_f32x8(sum_1);
            const f32x8 quot_1 = div_f32x8(splat_f32x8(0.125f), root_2);
            const f32x8 root_3 = sqrt_f32x8(carried_3);
            const f32x8 low_1 = min_f32x8(root_3, splat_f32x8(3.4028235e+38f));
            store_f32x8(&key_scale[slot_1 * 64 + panel * 16 + 8], quot_1);
            store_f32x8(&key_scale2[slot_1 * 64 + panel * 16 + 8],
                mul_f32x8(quot_1, splat_f32x8(1.442695f)));
            store_f32x8(&norm[slot_1 * 64 + panel * 16 + 8], low_1);
            const f32x8 high = max_f32x8(low, low_1);
            const f32x8 mix = shuffle_swap4_f32x8(high);
            const f32x8 high_1 = max_f32x8(high, mix);
            const f32x8 mix_1 = shuffle_swap2_f32x8(high_1);
            const f32x8 high_2 = max_f32x8(high_1, mix_1);
            const f32x8 mix_2 = shuffle_swap1_f32x8(high_2);
            const f32x8 high_3 = max_f32x8(high_2, mix_2);
            const float lane = high_3[0];
            most_norm[slot_1 * 4 + panel] = lane;
            if (lane <= 1.1529215e+18f) {
            } else {
                const i32x8 more = (i32x8)(low > splat_f32x8(1.1529215e+18f));
                const f32x8 pick = select_f32x8(more, splat_f32x8(8.271806e-25f),
                    splat_f32x8(1.0f));
                const i32x8 more_1 = (i32x8)(low_1 > splat_f32x8(1.1529215e+18f));
                const f32x8 pick_1 = select_f32x8(more_1, splat_f32x8(8.271806e-25f),
                    splat_f32x8(1.0f));
                for (int64_t k = 0; k < 64; k++) {
                    const f32x8 prod =
                        mul_f32x8(load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + k)
                        * 16]), pick);
                    store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + k) * 16], prod);
                    const f32x8 v_1 =
                        load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + k) * 16 +
                        8]);
                    store_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + k) * 16 + 8],
                        mul_f32x8(v_1, pick_1));
                }
                const f32x8 pick_2 = select_f32x8(more, splat_f32x8(1.2089258e+24f),
                    splat_f32x8(1.0f));
                store_f32x8(&key_scale[slot_1 * 64 + panel * 16],
                    mul_f32x8(load_f32x8(&key_scale[slot_1 * 64 + panel * 16]), pick_2));
                store_f32x8(&key_scale2[slot_1 * 64 + panel * 16],
                    mul_f32x8(load_f32x8(&key_scale2[slot_1 * 64 + panel * 16]), pick_2));
                const f32x8 pick_3 = select_f32x8(more_1, splat_f32x8(1.2089258e+24f),
                    splat_f32x8(1.0f));
                store_f32x8(&key_scale[slot_1 * 64 + panel * 16 + 8],
                    mul_f32x8(load_f32x8(&key_scale[slot_1 * 64 + panel * 16 + 8]), pick_3));
                store_f32x8(&key_scale2[slot_1 * 64 + panel * 16 + 8],
                    mul_f32x8(load_f32x8(&key_scale2[slot_1 * 64 + panel * 16 + 8]), pick_3));
            }
            carried_1 = max_f32(carried_1, lane);
        }
        most_of_slot[slot_1] = carried_1;
        const float high = max_f32(most_of_slot[0], most_of_slot[1]);
        const int32_t keys_square = -(high <= 1e+19f);
        for (int64_t panel = 0; panel < 4; panel++) {
            const float most_norm_1 = most_norm[slot_1 * 4 + panel];
            const int32_t bits = -(most_norm_1 <= 41.58883f) & keys_square;
            if (bits) {
                const f32x8 prod = mul_f32x8(load_f32x8(&norm[slot_1 * 64 + panel * 16]),
                    splat_f32x8(1.442695f));
                const f32x8 neg = -prod;
                const i32x8 query = load_i32x8(&lsh_attention_query_pos[slot_1 * 64 + panel * 16]);
                const f32x8 prod_1 = mul_f32x8(load_f32x8(&norm[slot_1 * 64 + panel * 16 + 8]),
                    splat_f32x8(1.442695f));
                const f32x8 neg_1 = -prod_1;
                const i32x8 query_1 =
                    load_i32x8(&lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 8]);
                f32x8 sum = splat_f32x8(0.0f);
                f32x8 sum_1 = splat_f32x8(0.0f);
                for (int64_t o = 0; o < 2; o++) {
                    const int64_t slot_2 = (step + o) % 2;
                    for (int64_t run_1 = 0; run_1 < 4; run_1++) {
                        const int64_t ahead = min_i64(o * 12 + run_1 * 3, 15);
                        const int32_t v_1 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + ahead];
                        __builtin_prefetch(&k_out[(int64_t)v_1 * 64], 0, 2);
                        __builtin_prefetch(&k_out[(int64_t)v_1 * 64 + 16], 0, 2);
                        __builtin_prefetch(&k_out[(int64_t)v_1 * 64 + 32], 0, 2);
                        __builtin_prefetch(&k_out[(int64_t)v_1 * 64 + 48], 0, 2);
                        const int64_t next = min_i64(run * 8 + step + 1, 63);
                        const int32_t token = order[next * 64 + panel * 16 + ahead];
                        __builtin_prefetch(&q[(int64_t)token * 64], 0, 2);
                        __builtin_prefetch(&q[(int64_t)token * 64 + 16], 0, 2);
                        __builtin_prefetch(&q[(int64_t)token * 64 + 32], 0, 2);
                        __builtin_prefetch(&q[(int64_t)token * 64 + 48], 0, 2);
                        __builtin_prefetch(&v[(int64_t)token * 64], 0, 2);
                        __builtin_prefetch(&v[(int64_t)token * 64 + 16], 0, 2);
                        __builtin_prefetch(&v[(int64_t)token * 64 + 32], 0, 2);
                        __builtin_prefetch(&v[(int64_t)token * 64 + 48], 0, 2);
                        f32x8 carried_2 = splat_f32x8(0.0f);
                        f32x8 carried_3 = splat_f32x8(0.0f);
                        f32x8 carried_4 = splat_f32x8(0.0f);
                        f32x8 carried_5 = splat_f32x8(0.0f);
                        f32x8 carried_6 = splat_f32x8(0.0f);
                        f32x8 carried_7 = splat_f32x8(0.0f);
                        f32x8 carried_8 = splat_f32x8(0.0f);
                        f32x8 carried_9 = splat_f32x8(0.0f);
                        f32x8 carried_10 = splat_f32x8(0.0f);
                        f32x8 carried_11 = splat_f32x8(0.0f);
                        f32x8 carried_12 = splat_f32x8(0.0f);
                        f32x8 carried_13 = splat_f32x8(0.0f);
                        for (int64_t k = 0; k < 64; k++) {
                            const f32x8 s =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16]);
                            const f32x8 v_2 =
                                load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + k) *
                                16]);
                            carried_2 = fma_f32x8(s, v_2, carried_2);
                            const f32x8 v_3 =
                                load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + k) *
                                16 + 8]);
                            carried_3 = fma_f32x8(s, v_3, carried_3);
                            const f32x8 s_1 =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16 + 1]);
                            carried_4 = fma_f32x8(s_1, v_2, carried_4);
                            carried_5 = fma_f32x8(s_1, v_3, carried_5);
                            const f32x8 s_2 =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16 + 2]);
                            carried_6 = fma_f32x8(s_2, v_2, carried_6);
                            carried_7 = fma_f32x8(s_2, v_3, carried_7);
                            const f32x8 s_3 =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16 + 3]);
                            carried_8 = fma_f32x8(s_3, v_2, carried_8);
                            carried_9 = fma_f32x8(s_3, v_3, carried_9);
                            const f32x8 s_4 =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16 + 4]);
                            carried_10 = fma_f32x8(s_4, v_2, carried_10);
                            carried_11 = fma_f32x8(s_4, v_3, carried_11);
                            const f32x8 s_5 =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16 + 5]);
                            carried_12 = fma_f32x8(s_5, v_2, carried_12);
                            carried_13 = fma_f32x8(s_5, v_3, carried_13);
                        }
                        const f32x8 s = splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16]);
                        const f32x8 t = fma_f32x8(carried_2, s, neg);
                        const f32x8 y = exp2_f32x8(t);
                        const i32x8 s_1 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16]);
                        const i32x8 less = (i32x8)(s_1 < splat_i32x8(1073741824));
                        const i32x8 bits_1 = (i32x8)y & (less & (i32x8)(s_1 != query));
                        const f32x8 bits_2 = (f32x8)bits_1;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16], bits_2);
                        const f32x8 t_1 = fma_f32x8(carried_3, s, neg_1);
                        const f32x8 y_1 = exp2_f32x8(t_1);
                        const i32x8 bits_3 = (i32x8)y_1 & (less & (i32x8)(s_1 != query_1));
                        const f32x8 bits_4 = (f32x8)bits_3;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 8], bits_4);
                        const f32x8 s_2 = splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16 + 1]);
                        const f32x8 t_2 = fma_f32x8(carried_4, s_2, neg);
                        const f32x8 y_2 = exp2_f32x8(t_2);
                        const i32x8 s_3 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + 1]);
                        const i32x8 less_1 = (i32x8)(s_3 < splat_i32x8(1073741824));
                        const i32x8 bits_5 = (i32x8)y_2 & (less_1 & (i32x8)(s_3 != query));
                        const f32x8 bits_6 = (f32x8)bits_5;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 16], bits_6);
                        const f32x8 t_3 = fma_f32x8(carried_5, s_2, neg_1);
                        const f32x8 y_3 = exp2_f32x8(t_3);
                        const i32x8 bits_7 = (i32x8)y_3 & (less_1 & (i32x8)(s_3 != query_1));
                        const f32x8 bits_8 = (f32x8)bits_7;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 24], bits_8);
                        const f32x8 s_4 = splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16 + 2]);
                        const f32x8 t_4 = fma_f32x8(carried_6, s_4, neg);
                        const f32x8 y_4 = exp2_f32x8(t_4);
                        const i32x8 s_5 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + 2]);
                        const i32x8 less_2 = (i32x8)(s_5 < splat_i32x8(1073741824));
                        const i32x8 bits_9 = (i32x8)y_4 & (less_2 & (i32x8)(s_5 != query));
                        const f32x8 bits_10 = (f32x8)bits_9;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 32],
                            bits_10);
                        const f32x8 t_5 = fma_f32x8(carried_7, s_4, neg_1);
                        const f32x8 y_5 = exp2_f32x8(t_5);
                        const i32x8 bits_11 = (i32x8)y_5 & (less_2 & (i32x8)(s_5 != query_1));
                        const f32x8 bits_12 = (f32x8)bits_11;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 40],
                            bits_12);
                        const f32x8 s_6 = splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16 + 3]);
                        const f32x8 t_6 = fma_f32x8(carried_8, s_6, neg);
                        const f32x8 y_6 = exp2_f32x8(t_6);
                        const i32x8 s_7 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + 3]);
                        const i32x8 less_3 = (i32x8)(s_7 < splat_i32x8(1073741824));
                        const i32x8 bits_13 = (i32x8)y_6 & (less_3 & (i32x8)(s_7 != query));
                        const f32x8 bits_14 = (f32x8)bits_13;
                        const f32x8 sum_2 = sum + bits_2 + bits_6 + bits_10 + bits_14;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 48],
                            bits_14);
                        const f32x8 t_7 = fma_f32x8(carried_9, s_6, neg_1);
                        const f32x8 y_7 = exp2_f32x8(t_7);
                        const i32x8 bits_15 = (i32x8)y_7 & (less_3 & (i32x8)(s_7 != query_1));
                        const f32x8 bits_16 = (f32x8)bits_15;
                        const f32x8 sum_3 = sum_1 + bits_4 + bits_8 + bits_12 + bits_16;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 56],
                            bits_16);
                        const f32x8 s_8 = splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16 + 4]);
                        const f32x8 t_8 = fma_f32x8(carried_10, s_8, neg);
                        const f32x8 y_8 = exp2_f32x8(t_8);
                        const i32x8 s_9 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + 4]);
                        const i32x8 less_4 = (i32x8)(s_9 < splat_i32x8(1073741824));
                        const i32x8 bits_17 = (i32x8)y_8 & (less_4 & (i32x8)(s_9 != query));
                        const f32x8 bits_18 = (f32x8)bits_17;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 64],
                            bits_18);
                        const f32x8 t_9 = fma_f32x8(carried_11, s_8, neg_1);
                        const f32x8 y_9 = exp2_f32x8(t_9);
                        const i32x8 bits_19 = (i32x8)y_9 & (less_4 & (i32x8)(s_9 != query_1));
                        const f32x8 bits_20 = (f32x8)bits_19;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 72],
                            bits_20);
                        const f32x8 s_10 = splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16 + 5]);
                        const f32x8 t_10 = fma_f32x8(carried_12, s_10, neg);
                        const f32x8 y_10 = exp2_f32x8(t_10);
                        const i32x8 s_11 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + 5]);
                        const i32x8 less_5 = (i32x8)(s_11 < splat_i32x8(1073741824));
                        const i32x8 bits_21 = (i32x8)y_10 & (less_5 & (i32x8)(s_11 != query));
                        const f32x8 bits_22 = (f32x8)bits_21;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 80],
                            bits_22);
                        const f32x8 t_11 = fma_f32x8(carried_13, s_10, neg_1);
                        const f32x8 y_11 = exp2_f32x8(t_11);
                        const i32x8 bits_23 = (i32x8)y_11 & (less_5 & (i32x8)(s_11 != query_1));
                        const f32x8 bits_24 = (f32x8)bits_23;
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 88],
                            bits_24);
                        f32x8 carried_14 = sum_2 + bits_18 + bits_22;
                        f32x8 carried_15 = sum_3 + bits_20 + bits_24;
                        for (int64_t keys = 0; keys < 2; keys++) {
                            const int64_t ahead_1 = min_i64(o * 12 + run_1 * 3 + keys + 1, 15);
                            const int32_t v_2 =
                                lsh_attention_query_pos[slot_1 * 64 + panel * 16 + ahead_1];
                            __builtin_prefetch(&k_out[(int64_t)v_2 * 64], 0, 2);
                            __builtin_prefetch(&k_out[(int64_t)v_2 * 64 + 16], 0, 2);
                            __builtin_prefetch(&k_out[(int64_t)v_2 * 64 + 32], 0, 2);
                            __builtin_prefetch(&k_out[(int64_t)v_2 * 64 + 48], 0, 2);
                            const int32_t token_1 = order[next * 64 + panel * 16 + ahead_1];
                            __builtin_prefetch(&q[(int64_t)token_1 * 64], 0, 2);
                            __builtin_prefetch(&q[(int64_t)token_1 * 64 + 16], 0, 2);
                            __builtin_prefetch(&q[(int64_t)token_1 * 64 + 32], 0, 2);
                            __builtin_prefetch(&q[(int64_t)token_1 * 64 + 48], 0, 2);
                            __builtin_prefetch(&v[(int64_t)token_1 * 64], 0, 2);
                            __builtin_prefetch(&v[(int64_t)token_1 * 64 + 16], 0, 2);
                            __builtin_prefetch(&v[(int64_t)token_1 * 64 + 32], 0, 2);
                            __builtin_prefetch(&v[(int64_t)token_1 * 64 + 48], 0, 2);
                            f32x8 carried_16 = splat_f32x8(0.0f);
                            f32x8 carried_17 = splat_f32x8(0.0f);
                            f32x8 carried_18 = splat_f32x8(0.0f);
                            f32x8 carried_19 = splat_f32x8(0.0f);
                            f32x8 carried_20 = splat_f32x8(0.0f);
                            f32x8 carried_21 = splat_f32x8(0.0f);
                            f32x8 carried_22 = splat_f32x8(0.0f);
                            f32x8 carried_23 = splat_f32x8(0.0f);
                            f32x8 carried_24 = splat_f32x8(0.0f);
                            f32x8 carried_25 = splat_f32x8(0.0f);
                            for (int64_t k = 0; k < 64; k++) {
                                const float v_3 =
                                    lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) * 16 +
                                    keys * 5 + 6];
                                const f32x8 s_12 = splat_f32x8(v_3);
                                const f32x8 v_4 =
                                    load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 +
                                    k) * 16]);
                                carried_16 = fma_f32x8(s_12, v_4, carried_16);
                                const f32x8 v_5 =
                                    load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 +
                                    k) * 16 + 8]);
                                carried_17 = fma_f32x8(s_12, v_5, carried_17);
                                const float v_6 =
                                    lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) * 16 +
                                    keys * 5 + 7];
                                const f32x8 s_13 = splat_f32x8(v_6);
                                carried_18 = fma_f32x8(s_13, v_4, carried_18);
                                carried_19 = fma_f32x8(s_13, v_5, carried_19);
                                const float v_7 =
                                    lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) * 16 +
                                    keys * 5 + 8];
                                const f32x8 s_14 = splat_f32x8(v_7);
                                carried_20 = fma_f32x8(s_14, v_4, carried_20);
                                carried_21 = fma_f32x8(s_14, v_5, carried_21);
                                const float v_8 =
                                    lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) * 16 +
                                    keys * 5 + 9];
                                const f32x8 s_15 = splat_f32x8(v_8);
                                carried_22 = fma_f32x8(s_15, v_4, carried_22);
                                carried_23 = fma_f32x8(s_15, v_5, carried_23);
                                const float v_9 =
                                    lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) * 16 +
                                    keys * 5 + 10];
                                const f32x8 s_16 = splat_f32x8(v_9);
                                carried_24 = fma_f32x8(s_16, v_4, carried_24);
                                carried_25 = fma_f32x8(s_16, v_5, carried_25);
                            }
                            const f32x8 s_12 =
                                splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16 + keys * 5 + 6]);
                            const f32x8 t_12 = fma_f32x8(carried_16, s_12, neg);
                            const f32x8 y_12 = exp2_f32x8(t_12);
                            const i32x8 s_13 =
                                splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + keys * 5 + 6]);
                            const i32x8 less_6 = (i32x8)(s_13 < splat_i32x8(1073741824));
                            const i32x8 bits_25 = (i32x8)y_12 & (less_6 & (i32x8)(s_13 != query));
                            const f32x8 bits_26 = (f32x8)bits_25;
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 96], bits_26);
                            const f32x8 t_13 = fma_f32x8(carried_17, s_12, neg_1);
                            const f32x8 y_13 = exp2_f32x8(t_13);
                            const i32x8 bits_27 = (i32x8)y_13 & (less_6 & (i32x8)(s_13 != query_1));
                            const f32x8 bits_28 = (f32x8)bits_27;
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 104], bits_28);
                            const f32x8 s_14 =
                                splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16 + keys * 5 + 7]);
                            const f32x8 t_14 = fma_f32x8(carried_18, s_14, neg);
                            const f32x8 y_14 = exp2_f32x8(t_14);
                            const i32x8 s_15 =
                                splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + keys * 5 + 7]);
                            const i32x8 less_7 = (i32x8)(s_15 < splat_i32x8(1073741824));
                            const i32x8 bits_29 = (i32x8)y_14 & (less_7 & (i32x8)(s_15 != query));
                            const f32x8 bits_30 = (f32x8)bits_29;
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 112], bits_30);
                            const f32x8 t_15 = fma_f32x8(carried_19, s_14, neg_1);
                            const f32x8 y_15 = exp2_f32x8(t_15);
                            const i32x8 bits_31 = (i32x8)y_15 & (less_7 & (i32x8)(s_15 != query_1));
                            const f32x8 bits_32 = (f32x8)bits_31;
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 120], bits_32);
                            const f32x8 s_16 =
                                splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16 + keys * 5 + 8]);
                            const f32x8 t_16 = fma_f32x8(carried_20, s_16, neg);
                            const f32x8 y_16 = exp2_f32x8(t_16);
                            const i32x8 s_17 =
                                splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + keys * 5 + 8]);
                            const i32x8 less_8 = (i32x8)(s_17 < splat_i32x8(1073741824));
                            const i32x8 bits_33 = (i32x8)y_16 & (less_8 & (i32x8)(s_17 != query));
                            const f32x8 bits_34 = (f32x8)bits_33;
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 128], bits_34);
                            const f32x8 t_17 = fma_f32x8(carried_21, s_16, neg_1);
                            const f32x8 y_17 = exp2_f32x8(t_17);
                            const i32x8 bits_35 = (i32x8)y_17 & (less_8 & (i32x8)(s_17 != query_1));
                            const f32x8 bits_36 = (f32x8)bits_35;
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 136], bits_36);
                            const f32x8 s_18 =
                                splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16 + keys * 5 + 9]);
                            const f32x8 t_18 = fma_f32x8(carried_22, s_18, neg);
                            const f32x8 y_18 = exp2_f32x8(t_18);
                            const i32x8 s_19 =
                                splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + keys * 5 + 9]);
                            const i32x8 less_9 = (i32x8)(s_19 < splat_i32x8(1073741824));
                            const i32x8 bits_37 = (i32x8)y_18 & (less_9 & (i32x8)(s_19 != query));
                            const f32x8 bits_38 = (f32x8)bits_37;
                            const f32x8 sum_4 = carried_14 + bits_26 + bits_30 + bits_34 + bits_38;
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 144], bits_38);
                            const f32x8 t_19 = fma_f32x8(carried_23, s_18, neg_1);
                            const f32x8 y_19 = exp2_f32x8(t_19);
                            const i32x8 bits_39 = (i32x8)y_19 & (less_9 & (i32x8)(s_19 != query_1));
                            const f32x8 bits_40 = (f32x8)bits_39;
                            const f32x8 sum_5 = carried_15 + bits_28 + bits_32 + bits_36 + bits_40;
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 152], bits_40);
                            const f32x8 s_20 =
                                splat_f32x8(key_scale2[slot_2 * 64 + run_1 * 16 + keys * 5 + 10]);
                            const f32x8 t_20 = fma_f32x8(carried_24, s_20, neg);
                            const f32x8 y_20 = exp2_f32x8(t_20);
                            const i32x8 s_21 =
                                splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + keys * 5 + 10]);
                            const i32x8 less_10 = (i32x8)(s_21 < splat_i32x8(1073741824));
                            const i32x8 bits_41 = (i32x8)y_20 & (less_10 & (i32x8)(s_21 != query));
                            const f32x8 bits_42 = (f32x8)bits_41;
                            carried_14 = sum_4 + bits_42;
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 160], bits_42);
                            const f32x8 t_21 = fma_f32x8(carried_25, s_20, neg_1);
                            const f32x8 y_21 = exp2_f32x8(t_21);
                            const i32x8 bits_43 = (i32x8)y_21 &
                                (less_10 & (i32x8)(s_21 != query_1));
                            const f32x8 bits_44 = (f32x8)bits_43;
                            carried_15 = sum_5 + bits_44;
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 168], bits_44);
                        }
                        sum = carried_14;
                        sum_1 = carried_15;
                    }
                }
                store_f32x8(&total_sum[0], sum);
                store_f32x8(&total_sum[8], sum_1);
                for (int64_t lane = 0; lane < 16; lane++) {
                    const int32_t token = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + lane];
                    const float v_1 = total_sum[lane];
                    run_sum[(int64_t)token] = run_sum[(int64_t)token] + v_1;
                    if (v_1 == 0.0f) {
                        int32_t carried_2 = 0;
                        for (int64_t o = 0; o < 2; o++) {
                            const int64_t slot_2 = (step + o) % 2;
                            for (int64_t key_1 = 0; key_1 < 64; key_1++) {
                                carried_2 =
                                    sub_i32(carried_2,
                                    -(lsh_attention_query_pos[slot_2 * 64 + key_1] == token));
                            }
                        }
                        self_count[(int64_t)token] = carried_2;
                    }
                }
                for (int64_t column = 0; column < 4; column++) {
                    f32x8 carried_2 = splat_f32x8(0.0f);
                    f32x8 carried_3 = splat_f32x8(0.0f);
                    f32x8 carried_4 = splat_f32x8(0.0f);
                    f32x8 carried_5 = splat_f32x8(0.0f);
                    f32x8 carried_6 = splat_f32x8(0.0f);
                    f32x8 carried_7 = splat_f32x8(0.0f);
                    f32x8 carried_8 = splat_f32x8(0.0f);
                    f32x8 carried_9 = splat_f32x8(0.0f);
                    f32x8 carried_10 = splat_f32x8(0.0f);
                    f32x8 carried_11 = splat_f32x8(0.0f);
                    f32x8 carried_12 = splat_f32x8(0.0f);
                    f32x8 carried_13 = splat_f32x8(0.0f);
                    for (int64_t o = 0; o < 2; o++) {
                        const int64_t slot_2 = (step + o) % 2;
                        for (int64_t k = 0; k < 64; k++) {
                            const f32x8 s = splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16]);
                            const f32x8 v_1 =
                                load_f32x8(&values[((slot_2 * 4 + column) * 64 + k) * 16]);
                            carried_2 = fma_f32x8(s, v_1, carried_2);
                            const f32x8 v_2 =
                                load_f32x8(&values[((slot_2 * 4 + column) * 64 + k) * 16 + 8]);
                            carried_3 = fma_f32x8(s, v_2, carried_3);
                            const f32x8 s_1 =
                                splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + 1]);
                            carried_4 = fma_f32x8(s_1, v_1, carried_4);
                            carried_5 = fma_f32x8(s_1, v_2, carried_5);
                            const f32x8 s_2 =
                                splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + 2]);
                            carried_6 = fma_f32x8(s_2, v_1, carried_6);
                            carried_7 = fma_f32x8(s_2, v_2, carried_7);
                            const f32x8 s_3 =
                                splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + 3]);
                            carried_8 = fma_f32x8(s_3, v_1, carried_8);
                            carried_9 = fma_f32x8(s_3, v_2, carried_9);
                            const f32x8 s_4 =
                                splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + 4]);
                            carried_10 = fma_f32x8(s_4, v_1, carried_10);
                            carried_11 = fma_f32x8(s_4, v_2, carried_11);
                            const f32x8 s_5 =
                                splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + 5]);
                            carried_12 = fma_f32x8(s_5, v_1, carried_12);
                            carried_13 = fma_f32x8(s_5, v_2, carried_13);
                        }
                    }
                    const int32_t token = lsh_attention_query_pos[slot_1 * 64 + panel * 16];
                    store_f32x8(&k_out[(int64_t)token * 64 + column * 16], carried_2);
                    store_f32x8(&k_out[(int64_t)token * 64 + column * 16 + 8], carried_3);
                    const int32_t token_1 = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 1];
                    store_f32x8(&k_out[(int64_t)token_1 * 64 + column * 16], carried_4);
                    store_f32x8(&k_out[(int64_t)token_1 * 64 + column * 16 + 8], carried_5);
                    const int32_t token_2 = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 2];
                    store_f32x8(&k_out[(int64_t)token_2 * 64 + column * 16], carried_6);
                    store_f32x8(&k_out[(int64_t)token_2 * 64 + column * 16 + 8], carried_7);
                    const int32_t token_3 = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 3];
                    store_f32x8(&k_out[(int64_t)token_3 * 64 + column * 16], carried_8);
                    store_f32x8(&k_out[(int64_t)token_3 * 64 + column * 16 + 8], carried_9);
                    const int32_t token_4 = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 4];
                    store_f32x8(&k_out[(int64_t)token_4 * 64 + column * 16], carried_10);
                    store_f32x8(&k_out[(int64_t)token_4 * 64 + column * 16 + 8], carried_11);
                    const int32_t token_5 = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 5];
                    store_f32x8(&k_out[(int64_t)token_5 * 64 + column * 16], carried_12);
                    store_f32x8(&k_out[(int64_t)token_5 * 64 + column * 16 + 8], carried_13);
                    for (int64_t tile = 0; tile < 2; tile++) {
                        f32x8 carried_14 = splat_f32x8(0.0f);
                        f32x8 carried_15 = splat_f32x8(0.0f);
                        f32x8 carried_16 = splat_f32x8(0.0f);
                        f32x8 carried_17 = splat_f32x8(0.0f);
                        f32x8 carried_18 = splat_f32x8(0.0f);
                        f32x8 carried_19 = splat_f32x8(0.0f);
                        f32x8 carried_20 = splat_f32x8(0.0f);
                        f32x8 carried_21 = splat_f32x8(0.0f);
                        f32x8 carried_22 = splat_f32x8(0.0f);
                        f32x8 carried_23 = splat_f32x8(0.0f);
                        for (int64_t o = 0; o < 2; o++) {
                            const int64_t slot_2 = (step + o) % 2;
                            for (int64_t k = 0; k < 64; k++) {
                                const f32x8 s =
                                    splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + tile * 5 +
                                    6]);
                                const f32x8 v_1 =
                                    load_f32x8(&values[((slot_2 * 4 + column) * 64 + k) * 16]);
                                carried_14 = fma_f32x8(s, v_1, carried_14);
                                const f32x8 v_2 =
                                    load_f32x8(&values[((slot_2 * 4 + column) * 64 + k) * 16 + 8]);
                                carried_15 = fma_f32x8(s, v_2, carried_15);
                                const f32x8 s_1 =
                                    splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + tile * 5 +
                                    7]);
                                carried_16 = fma_f32x8(s_1, v_1, carried_16);
                                carried_17 = fma_f32x8(s_1, v_2, carried_17);
                                const f32x8 s_2 =
                                    splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + tile * 5 +
                                    8]);
                                carried_18 = fma_f32x8(s_2, v_1, carried_18);
                                carried_19 = fma_f32x8(s_2, v_2, carried_19);
                                const f32x8 s_3 =
                                    splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + tile * 5 +
                                    9]);
                                carried_20 = fma_f32x8(s_3, v_1, carried_20);
                                carried_21 = fma_f32x8(s_3, v_2, carried_21);
                                const f32x8 s_4 =
                                    splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + tile * 5 +
                                    10]);
                                carried_22 = fma_f32x8(s_4, v_1, carried_22);
                                carried_23 = fma_f32x8(s_4, v_2, carried_23);
                            }
                        }
                        const int32_t token_6 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + tile * 5 + 6];
                        store_f32x8(&k_out[(int64_t)token_6 * 64 + column * 16], carried_14);
                        store_f32x8(&k_out[(int64_t)token_6 * 64 + column * 16 + 8], carried_15);
                        const int32_t token_7 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + tile * 5 + 7];
                        store_f32x8(&k_out[(int64_t)token_7 * 64 + column * 16], carried_16);
                        store_f32x8(&k_out[(int64_t)token_7 * 64 + column * 16 + 8], carried_17);
                        const int32_t token_8 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + tile * 5 + 8];
                        store_f32x8(&k_out[(int64_t)token_8 * 64 + column * 16], carried_18);
                        store_f32x8(&k_out[(int64_t)token_8 * 64 + column * 16 + 8], carried_19);
                        const int32_t token_9 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + tile * 5 + 9];
                        store_f32x8(&k_out[(int64_t)token_9 * 64 + column * 16], carried_20);
                        store_f32x8(&k_out[(int64_t)token_9 * 64 + column * 16 + 8], carried_21);
                        const int32_t token_10 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + tile * 5 + 10];
                        store_f32x8(&k_out[(int64_t)token_10 * 64 + column * 16], carried_22);
                        store_f32x8(&k_out[(int64_t)token_10 * 64 + column * 16 + 8], carried_23);
                    }
                }
            } else {
                const i32x8 query = load_i32x8(&lsh_attention_query_pos[slot_1 * 64 + panel * 16]);
                const i32x8 more =
                    (i32x8)(load_f32x8(&norm[slot_1 * 64 + panel * 16]) >
                    splat_f32x8(1.1529215e+18f));
                const f32x8 raise = select_f32x8(more, splat_f32x8(1.2089258e+24f),
                    splat_f32x8(1.0f));
                const i32x8 more_1 =
                    (i32x8)(load_f32x8(&norm[slot_1 * 64 + panel * 16]) > splat_f32x8(256.0f));
                const f32x8 self =
                    select_f32x8(more_1, splat_f32x8(-1e+05f), splat_f32x8(-__builtin_inff()));
                const i32x8 query_1 =
                    load_i32x8(&lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 8]);
                const i32x8 more_2 =
                    (i32x8)(load_f32x8(&norm[slot_1 * 64 + panel * 16 + 8]) >
                    splat_f32x8(1.1529215e+18f));
                const f32x8 raise_1 = select_f32x8(more_2, splat_f32x8(1.2089258e+24f),
                    splat_f32x8(1.0f));
                const i32x8 more_3 =
                    (i32x8)(load_f32x8(&norm[slot_1 * 64 + panel * 16 + 8]) > splat_f32x8(256.0f));
                const f32x8 self_1 =
                    select_f32x8(more_3, splat_f32x8(-1e+05f), splat_f32x8(-__builtin_inff()));
                f32x8 most = splat_f32x8(-3.4028235e+38f);
                f32x8 most_1 = splat_f32x8(-3.4028235e+38f);
                for (int64_t o = 0; o < 2; o++) {
                    const int64_t slot_2 = (step + o) % 2;
                    for (int64_t run_1 = 0; run_1 < 4; run_1++) {
                        const int64_t ahead = min_i64(o * 12 + run_1 * 3, 15);
                        const int32_t v_1 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + ahead];
                        __builtin_prefetch(&k_out[(int64_t)v_1 * 64], 0, 2);
                        __builtin_prefetch(&k_out[(int64_t)v_1 * 64 + 16], 0, 2);
                        __builtin_prefetch(&k_out[(int64_t)v_1 * 64 + 32], 0, 2);
                        __builtin_prefetch(&k_out[(int64_t)v_1 * 64 + 48], 0, 2);
                        const int64_t next = min_i64(run * 8 + step + 1, 63);
                        const int32_t token = order[next * 64 + panel * 16 + ahead];
                        __builtin_prefetch(&q[(int64_t)token * 64], 0, 2);
                        __builtin_prefetch(&q[(int64_t)token * 64 + 16], 0, 2);
                        __builtin_prefetch(&q[(int64_t)token * 64 + 32], 0, 2);
                        __builtin_prefetch(&q[(int64_t)token * 64 + 48], 0, 2);
                        __builtin_prefetch(&v[(int64_t)token * 64], 0, 2);
                        __builtin_prefetch(&v[(int64_t)token * 64 + 16], 0, 2);
                        __builtin_prefetch(&v[(int64_t)token * 64 + 32], 0, 2);
                        __builtin_prefetch(&v[(int64_t)token * 64 + 48], 0, 2);
                        f32x8 carried_2 = splat_f32x8(0.0f);
                        f32x8 carried_3 = splat_f32x8(0.0f);
                        f32x8 carried_4 = splat_f32x8(0.0f);
                        f32x8 carried_5 = splat_f32x8(0.0f);
                        f32x8 carried_6 = splat_f32x8(0.0f);
                        f32x8 carried_7 = splat_f32x8(0.0f);
                        f32x8 carried_8 = splat_f32x8(0.0f);
                        f32x8 carried_9 = splat_f32x8(0.0f);
                        f32x8 carried_10 = splat_f32x8(0.0f);
                        f32x8 carried_11 = splat_f32x8(0.0f);
                        f32x8 carried_12 = splat_f32x8(0.0f);
                        f32x8 carried_13 = splat_f32x8(0.0f);
                        for (int64_t k = 0; k < 64; k++) {
                            const f32x8 s =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16]);
                            const f32x8 v_2 =
                                load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + k) *
                                16]);
                            carried_2 = fma_f32x8(s, v_2, carried_2);
                            const f32x8 v_3 =
                                load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 + k) *
                                16 + 8]);
                            carried_3 = fma_f32x8(s, v_3, carried_3);
                            const f32x8 s_1 =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16 + 1]);
                            carried_4 = fma_f32x8(s_1, v_2, carried_4);
                            carried_5 = fma_f32x8(s_1, v_3, carried_5);
                            const f32x8 s_2 =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16 + 2]);
                            carried_6 = fma_f32x8(s_2, v_2, carried_6);
                            carried_7 = fma_f32x8(s_2, v_3, carried_7);
                            const f32x8 s_3 =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16 + 3]);
                            carried_8 = fma_f32x8(s_3, v_2, carried_8);
                            carried_9 = fma_f32x8(s_3, v_3, carried_9);
                            const f32x8 s_4 =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16 + 4]);
                            carried_10 = fma_f32x8(s_4, v_2, carried_10);
                            carried_11 = fma_f32x8(s_4, v_3, carried_11);
                            const f32x8 s_5 =
                                splat_f32x8(lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) *
                                16 + 5]);
                            carried_12 = fma_f32x8(s_5, v_2, carried_12);
                            carried_13 = fma_f32x8(s_5, v_3, carried_13);
                        }
                        const i32x8 s =
                            splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16]);
                        const i32x8 s_1 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16]);
                        const i32x8 less = (i32x8)(s_1 < splat_i32x8(1073741824));
                        const f32x8 s_2 = splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16]);
                        const i32x8 equal = (i32x8)(s_2 == splat_f32x8(0.0f));
                        const f32x8 pick =
                            select_f32x8(equal, splat_f32x8(0.0f),
                            mul_f32x8(carried_2 * s_2, raise));
                        const f32x8 pick_1 = select_f32x8(less & (i32x8)(s_1 != query), pick,
                            splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_2 = select_f32x8((i32x8)(s == query), self, pick_1);
                        const f32x8 high_1 = max_f32x8(most, pick_2);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16], pick_2);
                        const f32x8 pick_3 =
                            select_f32x8(equal, splat_f32x8(0.0f),
                            mul_f32x8(carried_3 * s_2, raise_1));
                        const f32x8 pick_4 = select_f32x8(less & (i32x8)(s_1 != query_1), pick_3,
                            splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_5 = select_f32x8((i32x8)(s == query_1), self_1, pick_4);
                        const f32x8 high_2 = max_f32x8(most_1, pick_5);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 8], pick_5);
                        const i32x8 s_3 =
                            splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16 + 1]);
                        const i32x8 s_4 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + 1]);
                        const i32x8 less_1 = (i32x8)(s_4 < splat_i32x8(1073741824));
                        const f32x8 s_5 = splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16 + 1]);
                        const i32x8 equal_1 = (i32x8)(s_5 == splat_f32x8(0.0f));
                        const f32x8 pick_6 =
                            select_f32x8(equal_1, splat_f32x8(0.0f),
                            mul_f32x8(carried_4 * s_5, raise));
                        const f32x8 pick_7 = select_f32x8(less_1 & (i32x8)(s_4 != query), pick_6,
                            splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_8 = select_f32x8((i32x8)(s_3 == query), self, pick_7);
                        const f32x8 high_3 = max_f32x8(high_1, pick_8);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 16], pick_8);
                        const f32x8 pick_9 =
                            select_f32x8(equal_1, splat_f32x8(0.0f),
                            mul_f32x8(carried_5 * s_5, raise_1));
                        const f32x8 pick_10 = select_f32x8(less_1 & (i32x8)(s_4 != query_1), pick_9,
                            splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_11 = select_f32x8((i32x8)(s_3 == query_1), self_1,
                            pick_10);
                        const f32x8 high_4 = max_f32x8(high_2, pick_11);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 24],
                            pick_11);
                        const i32x8 s_6 =
                            splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16 + 2]);
                        const i32x8 s_7 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + 2]);
                        const i32x8 less_2 = (i32x8)(s_7 < splat_i32x8(1073741824));
                        const f32x8 s_8 = splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16 + 2]);
                        const i32x8 equal_2 = (i32x8)(s_8 == splat_f32x8(0.0f));
                        const f32x8 pick_12 =
                            select_f32x8(equal_2, splat_f32x8(0.0f),
                            mul_f32x8(carried_6 * s_8, raise));
                        const f32x8 pick_13 = select_f32x8(less_2 & (i32x8)(s_7 != query), pick_12,
                            splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_14 = select_f32x8((i32x8)(s_6 == query), self, pick_13);
                        const f32x8 high_5 = max_f32x8(high_3, pick_14);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 32],
                            pick_14);
                        const f32x8 pick_15 =
                            select_f32x8(equal_2, splat_f32x8(0.0f),
                            mul_f32x8(carried_7 * s_8, raise_1));
                        const f32x8 pick_16 = select_f32x8(less_2 & (i32x8)(s_7 != query_1),
                            pick_15, splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_17 = select_f32x8((i32x8)(s_6 == query_1), self_1,
                            pick_16);
                        const f32x8 high_6 = max_f32x8(high_4, pick_17);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 40],
                            pick_17);
                        const i32x8 s_9 =
                            splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16 + 3]);
                        const i32x8 s_10 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + 3]);
                        const i32x8 less_3 = (i32x8)(s_10 < splat_i32x8(1073741824));
                        const f32x8 s_11 = splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16 + 3]);
                        const i32x8 equal_3 = (i32x8)(s_11 == splat_f32x8(0.0f));
                        const f32x8 pick_18 =
                            select_f32x8(equal_3, splat_f32x8(0.0f),
                            mul_f32x8(carried_8 * s_11, raise));
                        const f32x8 pick_19 = select_f32x8(less_3 & (i32x8)(s_10 != query), pick_18,
                            splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_20 = select_f32x8((i32x8)(s_9 == query), self, pick_19);
                        const f32x8 high_7 = max_f32x8(high_5, pick_20);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 48],
                            pick_20);
                        const f32x8 pick_21 =
                            select_f32x8(equal_3, splat_f32x8(0.0f),
                            mul_f32x8(carried_9 * s_11, raise_1));
                        const f32x8 pick_22 = select_f32x8(less_3 & (i32x8)(s_10 != query_1),
                            pick_21, splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_23 = select_f32x8((i32x8)(s_9 == query_1), self_1,
                            pick_22);
                        const f32x8 high_8 = max_f32x8(high_6, pick_23);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 56],
                            pick_23);
                        const i32x8 s_12 =
                            splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16 + 4]);
                        const i32x8 s_13 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + 4]);
                        const i32x8 less_4 = (i32x8)(s_13 < splat_i32x8(1073741824));
                        const f32x8 s_14 = splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16 + 4]);
                        const i32x8 equal_4 = (i32x8)(s_14 == splat_f32x8(0.0f));
                        const f32x8 pick_24 =
                            select_f32x8(equal_4, splat_f32x8(0.0f),
                            mul_f32x8(carried_10 * s_14, raise));
                        const f32x8 pick_25 = select_f32x8(less_4 & (i32x8)(s_13 != query), pick_24,
                            splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_26 = select_f32x8((i32x8)(s_12 == query), self, pick_25);
                        const f32x8 high_9 = max_f32x8(high_7, pick_26);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 64],
                            pick_26);
                        const f32x8 pick_27 =
                            select_f32x8(equal_4, splat_f32x8(0.0f),
                            mul_f32x8(carried_11 * s_14, raise_1));
                        const f32x8 pick_28 = select_f32x8(less_4 & (i32x8)(s_13 != query_1),
                            pick_27, splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_29 = select_f32x8((i32x8)(s_12 == query_1), self_1,
                            pick_28);
                        const f32x8 high_10 = max_f32x8(high_8, pick_29);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 72],
                            pick_29);
                        const i32x8 s_15 =
                            splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16 + 5]);
                        const i32x8 s_16 = splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + 5]);
                        const i32x8 less_5 = (i32x8)(s_16 < splat_i32x8(1073741824));
                        const f32x8 s_17 = splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16 + 5]);
                        const i32x8 equal_5 = (i32x8)(s_17 == splat_f32x8(0.0f));
                        const f32x8 pick_30 =
                            select_f32x8(equal_5, splat_f32x8(0.0f),
                            mul_f32x8(carried_12 * s_17, raise));
                        const f32x8 pick_31 = select_f32x8(less_5 & (i32x8)(s_16 != query), pick_30,
                            splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_32 = select_f32x8((i32x8)(s_15 == query), self, pick_31);
                        const f32x8 high_11 = max_f32x8(high_9, pick_32);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 80],
                            pick_32);
                        const f32x8 pick_33 =
                            select_f32x8(equal_5, splat_f32x8(0.0f),
                            mul_f32x8(carried_13 * s_17, raise_1));
                        const f32x8 pick_34 = select_f32x8(less_5 & (i32x8)(s_16 != query_1),
                            pick_33, splat_f32x8(-__builtin_inff()));
                        const f32x8 pick_35 = select_f32x8((i32x8)(s_15 == query_1), self_1,
                            pick_34);
                        const f32x8 high_12 = max_f32x8(high_10, pick_35);
                        store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16) * 16 + 88],
                            pick_35);
                        f32x8 carried_14 = high_11;
                        f32x8 carried_15 = high_12;
                        for (int64_t keys = 0; keys < 2; keys++) {
                            const int64_t ahead_1 = min_i64(o * 12 + run_1 * 3 + keys + 1, 15);
                            const int32_t v_2 =
                                lsh_attention_query_pos[slot_1 * 64 + panel * 16 + ahead_1];
                            __builtin_prefetch(&k_out[(int64_t)v_2 * 64], 0, 2);
                            __builtin_prefetch(&k_out[(int64_t)v_2 * 64 + 16], 0, 2);
                            __builtin_prefetch(&k_out[(int64_t)v_2 * 64 + 32], 0, 2);
                            __builtin_prefetch(&k_out[(int64_t)v_2 * 64 + 48], 0, 2);
                            const int32_t token_1 = order[next * 64 + panel * 16 + ahead_1];
                            __builtin_prefetch(&q[(int64_t)token_1 * 64], 0, 2);
                            __builtin_prefetch(&q[(int64_t)token_1 * 64 + 16], 0, 2);
                            __builtin_prefetch(&q[(int64_t)token_1 * 64 + 32], 0, 2);
                            __builtin_prefetch(&q[(int64_t)token_1 * 64 + 48], 0, 2);
                            __builtin_prefetch(&v[(int64_t)token_1 * 64], 0, 2);
                            __builtin_prefetch(&v[(int64_t)token_1 * 64 + 16], 0, 2);
                            __builtin_prefetch(&v[(int64_t)token_1 * 64 + 32], 0, 2);
                            __builtin_prefetch(&v[(int64_t)token_1 * 64 + 48], 0, 2);
                            f32x8 carried_16 = splat_f32x8(0.0f);
                            f32x8 carried_17 = splat_f32x8(0.0f);
                            f32x8 carried_18 = splat_f32x8(0.0f);
                            f32x8 carried_19 = splat_f32x8(0.0f);
                            f32x8 carried_20 = splat_f32x8(0.0f);
                            f32x8 carried_21 = splat_f32x8(0.0f);
                            f32x8 carried_22 = splat_f32x8(0.0f);
                            f32x8 carried_23 = splat_f32x8(0.0f);
                            f32x8 carried_24 = splat_f32x8(0.0f);
                            f32x8 carried_25 = splat_f32x8(0.0f);
                            for (int64_t k = 0; k < 64; k++) {
                                const float v_3 =
                                    lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) * 16 +
                                    keys * 5 + 6];
                                const f32x8 s_18 = splat_f32x8(v_3);
                                const f32x8 v_4 =
                                    load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 +
                                    k) * 16]);
                                carried_16 = fma_f32x8(s_18, v_4, carried_16);
                                const f32x8 v_5 =
                                    load_f32x8(&lsh_attention_queries[((slot_1 * 4 + panel) * 64 +
                                    k) * 16 + 8]);
                                carried_17 = fma_f32x8(s_18, v_5, carried_17);
                                const float v_6 =
                                    lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) * 16 +
                                    keys * 5 + 7];
                                const f32x8 s_19 = splat_f32x8(v_6);
                                carried_18 = fma_f32x8(s_19, v_4, carried_18);
                                carried_19 = fma_f32x8(s_19, v_5, carried_19);
                                const float v_7 =
                                    lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) * 16 +
                                    keys * 5 + 8];
                                const f32x8 s_20 = splat_f32x8(v_7);
                                carried_20 = fma_f32x8(s_20, v_4, carried_20);
                                carried_21 = fma_f32x8(s_20, v_5, carried_21);
                                const float v_8 =
                                    lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) * 16 +
                                    keys * 5 + 9];
                                const f32x8 s_21 = splat_f32x8(v_8);
                                carried_22 = fma_f32x8(s_21, v_4, carried_22);
                                carried_23 = fma_f32x8(s_21, v_5, carried_23);
                                const float v_9 =
                                    lsh_attention_queries[((slot_2 * 4 + run_1) * 64 + k) * 16 +
                                    keys * 5 + 10];
                                const f32x8 s_22 = splat_f32x8(v_9);
                                carried_24 = fma_f32x8(s_22, v_4, carried_24);
                                carried_25 = fma_f32x8(s_22, v_5, carried_25);
                            }
                            const i32x8 s_18 =
                                splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16 + keys
                                * 5 + 6]);
                            const i32x8 s_19 =
                                splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + keys * 5 + 6]);
                            const i32x8 less_6 = (i32x8)(s_19 < splat_i32x8(1073741824));
                            const f32x8 s_20 =
                                splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16 + keys * 5 + 6]);
                            const i32x8 equal_6 = (i32x8)(s_20 == splat_f32x8(0.0f));
                            const f32x8 pick_36 =
                                select_f32x8(equal_6, splat_f32x8(0.0f),
                                mul_f32x8(carried_16 * s_20, raise));
                            const f32x8 pick_37 = select_f32x8(less_6 & (i32x8)(s_19 != query),
                                pick_36, splat_f32x8(-__builtin_inff()));
                            const f32x8 pick_38 =
                                select_f32x8((i32x8)(s_18 == query), self, pick_37);
                            const f32x8 high_13 = max_f32x8(carried_14, pick_38);
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 96], pick_38);
                            const f32x8 pick_39 =
                                select_f32x8(equal_6, splat_f32x8(0.0f),
                                mul_f32x8(carried_17 * s_20, raise_1));
                            const f32x8 pick_40 = select_f32x8(less_6 & (i32x8)(s_19 != query_1),
                                pick_39, splat_f32x8(-__builtin_inff()));
                            const f32x8 pick_41 = select_f32x8((i32x8)(s_18 == query_1), self_1,
                                pick_40);
                            const f32x8 high_14 = max_f32x8(carried_15, pick_41);
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 104], pick_41);
                            const i32x8 s_21 =
                                splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16 + keys
                                * 5 + 7]);
                            const i32x8 s_22 =
                                splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + keys * 5 + 7]);
                            const i32x8 less_7 = (i32x8)(s_22 < splat_i32x8(1073741824));
                            const f32x8 s_23 =
                                splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16 + keys * 5 + 7]);
                            const i32x8 equal_7 = (i32x8)(s_23 == splat_f32x8(0.0f));
                            const f32x8 pick_42 =
                                select_f32x8(equal_7, splat_f32x8(0.0f),
                                mul_f32x8(carried_18 * s_23, raise));
                            const f32x8 pick_43 = select_f32x8(less_7 & (i32x8)(s_22 != query),
                                pick_42, splat_f32x8(-__builtin_inff()));
                            const f32x8 pick_44 =
                                select_f32x8((i32x8)(s_21 == query), self, pick_43);
                            const f32x8 high_15 = max_f32x8(high_13, pick_44);
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 112], pick_44);
                            const f32x8 pick_45 =
                                select_f32x8(equal_7, splat_f32x8(0.0f),
                                mul_f32x8(carried_19 * s_23, raise_1));
                            const f32x8 pick_46 = select_f32x8(less_7 & (i32x8)(s_22 != query_1),
                                pick_45, splat_f32x8(-__builtin_inff()));
                            const f32x8 pick_47 = select_f32x8((i32x8)(s_21 == query_1), self_1,
                                pick_46);
                            const f32x8 high_16 = max_f32x8(high_14, pick_47);
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 120], pick_47);
                            const i32x8 s_24 =
                                splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16 + keys
                                * 5 + 8]);
                            const i32x8 s_25 =
                                splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + keys * 5 + 8]);
                            const i32x8 less_8 = (i32x8)(s_25 < splat_i32x8(1073741824));
                            const f32x8 s_26 =
                                splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16 + keys * 5 + 8]);
                            const i32x8 equal_8 = (i32x8)(s_26 == splat_f32x8(0.0f));
                            const f32x8 pick_48 =
                                select_f32x8(equal_8, splat_f32x8(0.0f),
                                mul_f32x8(carried_20 * s_26, raise));
                            const f32x8 pick_49 = select_f32x8(less_8 & (i32x8)(s_25 != query),
                                pick_48, splat_f32x8(-__builtin_inff()));
                            const f32x8 pick_50 =
                                select_f32x8((i32x8)(s_24 == query), self, pick_49);
                            const f32x8 high_17 = max_f32x8(high_15, pick_50);
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 128], pick_50);
                            const f32x8 pick_51 =
                                select_f32x8(equal_8, splat_f32x8(0.0f),
                                mul_f32x8(carried_21 * s_26, raise_1));
                            const f32x8 pick_52 = select_f32x8(less_8 & (i32x8)(s_25 != query_1),
                                pick_51, splat_f32x8(-__builtin_inff()));
                            const f32x8 pick_53 = select_f32x8((i32x8)(s_24 == query_1), self_1,
                                pick_52);
                            const f32x8 high_18 = max_f32x8(high_16, pick_53);
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 136], pick_53);
                            const i32x8 s_27 =
                                splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16 + keys
                                * 5 + 9]);
                            const i32x8 s_28 =
                                splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + keys * 5 + 9]);
                            const i32x8 less_9 = (i32x8)(s_28 < splat_i32x8(1073741824));
                            const f32x8 s_29 =
                                splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16 + keys * 5 + 9]);
                            const i32x8 equal_9 = (i32x8)(s_29 == splat_f32x8(0.0f));
                            const f32x8 pick_54 =
                                select_f32x8(equal_9, splat_f32x8(0.0f),
                                mul_f32x8(carried_22 * s_29, raise));
                            const f32x8 pick_55 = select_f32x8(less_9 & (i32x8)(s_28 != query),
                                pick_54, splat_f32x8(-__builtin_inff()));
                            const f32x8 pick_56 =
                                select_f32x8((i32x8)(s_27 == query), self, pick_55);
                            const f32x8 high_19 = max_f32x8(high_17, pick_56);
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 144], pick_56);
                            const f32x8 pick_57 =
                                select_f32x8(equal_9, splat_f32x8(0.0f),
                                mul_f32x8(carried_23 * s_29, raise_1));
                            const f32x8 pick_58 = select_f32x8(less_9 & (i32x8)(s_28 != query_1),
                                pick_57, splat_f32x8(-__builtin_inff()));
                            const f32x8 pick_59 = select_f32x8((i32x8)(s_27 == query_1), self_1,
                                pick_58);
                            const f32x8 high_20 = max_f32x8(high_18, pick_59);
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 152], pick_59);
                            const i32x8 s_30 =
                                splat_i32x8(lsh_attention_query_pos[slot_2 * 64 + run_1 * 16 + keys
                                * 5 + 10]);
                            const i32x8 s_31 =
                                splat_i32x8(key_pos[slot_2 * 64 + run_1 * 16 + keys * 5 + 10]);
                            const i32x8 less_10 = (i32x8)(s_31 < splat_i32x8(1073741824));
                            const f32x8 s_32 =
                                splat_f32x8(key_scale[slot_2 * 64 + run_1 * 16 + keys * 5 + 10]);
                            const i32x8 equal_10 = (i32x8)(s_32 == splat_f32x8(0.0f));
                            const f32x8 pick_60 =
                                select_f32x8(equal_10, splat_f32x8(0.0f),
                                mul_f32x8(carried_24 * s_32, raise));
                            const f32x8 pick_61 = select_f32x8(less_10 & (i32x8)(s_31 != query),
                                pick_60, splat_f32x8(-__builtin_inff()));
                            const f32x8 pick_62 =
                                select_f32x8((i32x8)(s_30 == query), self, pick_61);
                            carried_14 = max_f32x8(high_19, pick_62);
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 160], pick_62);
                            const f32x8 pick_63 =
                                select_f32x8(equal_10, splat_f32x8(0.0f),
                                mul_f32x8(carried_25 * s_32, raise_1));
                            const f32x8 pick_64 = select_f32x8(less_10 & (i32x8)(s_31 != query_1),
                                pick_63, splat_f32x8(-__builtin_inff()));
                            const f32x8 pick_65 = select_f32x8((i32x8)(s_30 == query_1), self_1,
                                pick_64);
                            carried_15 = max_f32x8(high_20, pick_65);
                            store_f32x8(&lsh_attention_scores[(o * 64 + run_1 * 16 + keys * 5) * 16
                                + 168], pick_65);
                        }
                        most = carried_14;
                        most_1 = carried_15;
                    }
                }
                const f32x8 v_1 = load_f32x8(&norm[slot_1 * 64 + panel * 16]);
                const f32x8 pick = select_f32x8((i32x8)(v_1 <= splat_f32x8(41.58883f)), v_1, most);
                const f32x8 v_2 = load_f32x8(&norm[slot_1 * 64 + panel * 16 + 8]);
                const f32x8 pick_1 = select_f32x8((i32x8)(v_2 <= splat_f32x8(41.58883f)), v_2,
                    most_1);
                f32x8 sum = splat_f32x8(0.0f);
                f32x8 sum_1 = splat_f32x8(0.0f);
                for (int64_t key_1 = 0; key_1 < 128; key_1++) {
                    const f32x8 diff = load_f32x8(&lsh_attention_scores[key_1 * 16]) - pick;
                    const f32x8 y = exp_f32x8(diff);
                    store_f32x8(&lsh_attention_scores[key_1 * 16], y);
                    const f32x8 diff_1 = load_f32x8(&lsh_attention_scores[key_1 * 16 + 8]) - pick_1;
                    const f32x8 y_1 = exp_f32x8(diff_1);
                    sum = sum + y;
                    store_f32x8(&lsh_attention_scores[key_1 * 16 + 8], y_1);
                    sum_1 = sum_1 + y_1;
                }
                for (int64_t lane = 0; lane < 16; lane++) {
                    const int32_t token = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + lane];
                    top[lane] = run_max[(int64_t)token];
                    total_sum[lane] = run_sum[(int64_t)token];
                }
                const i32x8 more_4 =
                    (i32x8)(load_f32x8(&norm[slot_1 * 64 + panel * 16]) > splat_f32x8(256.0f));
                const f32x8 pick_2 = select_f32x8(more_4, splat_f32x8(1.0f), sum);
                const f32x8 v_3 = load_f32x8(&top[0]);
                const f32x8 y = log_f32x8(sum);
                const f32x8 sum_2 = y + most;
                const f32x8 pick_3 = select_f32x8(more_4, sum_2, most);
                const f32x8 high_1 = max_f32x8(v_3, pick_3);
                const i32x8 less =
                    (i32x8)(load_f32x8(&norm[slot_1 * 64 + panel * 16]) <= splat_f32x8(41.58883f));
                const f32x8 y_1 = exp_f32x8(v_3 - high_1);
                const f32x8 pick_4 = select_f32x8(less, splat_f32x8(1.0f), y_1);
                const f32x8 y_2 = exp_f32x8(pick_3 - high_1);
                const f32x8 pick_5 = select_f32x8(less, splat_f32x8(1.0f), y_2);
                const f32x8 t = fma_f32x8(load_f32x8(&total_sum[0]), pick_4, pick_2 * pick_5);
                const f32x8 y_3 = log_f32x8(t);
                const f32x8 y_4 = exp_f32x8(high_1 - (y_3 + high_1));
                const f32x8 pick_6 = select_f32x8(more_4, mul_f32x8(t, y_4), splat_f32x8(1.0f));
                const f32x8 y_5 = exp_f32x8(most - sum_2);
                const f32x8 pick_7 = select_f32x8(more_4, y_5, splat_f32x8(1.0f));
                store_f32x8(&round_sum[0], pick_2);
                store_f32x8(&top[0], high_1);
                store_f32x8(&total_sum[0], t);
                store_f32x8(&keep[0], mul_f32x8(pick_4, pick_6));
                store_f32x8(&gain[0], mul_f32x8(pick_5 * pick_7, pick_6));
                const i32x8 more_5 =
                    (i32x8)(load_f32x8(&norm[slot_1 * 64 + panel * 16 + 8]) > splat_f32x8(256.0f));
                const f32x8 pick_8 = select_f32x8(more_5, splat_f32x8(1.0f), sum_1);
                const f32x8 v_4 = load_f32x8(&top[8]);
                const f32x8 y_6 = log_f32x8(sum_1);
                const f32x8 sum_3 = y_6 + most_1;
                const f32x8 pick_9 = select_f32x8(more_5, sum_3, most_1);
                const f32x8 high_2 = max_f32x8(v_4, pick_9);
                const i32x8 less_1 =
                    (i32x8)(load_f32x8(&norm[slot_1 * 64 + panel * 16 + 8]) <=
                    splat_f32x8(41.58883f));
                const f32x8 y_7 = exp_f32x8(v_4 - high_2);
                const f32x8 pick_10 = select_f32x8(less_1, splat_f32x8(1.0f), y_7);
                const f32x8 y_8 = exp_f32x8(pick_9 - high_2);
                const f32x8 pick_11 = select_f32x8(less_1, splat_f32x8(1.0f), y_8);
                const f32x8 t_1 = fma_f32x8(load_f32x8(&total_sum[8]), pick_10, pick_8 * pick_11);
                const f32x8 y_9 = log_f32x8(t_1);
                const f32x8 y_10 = exp_f32x8(high_2 - (y_9 + high_2));
                const f32x8 pick_12 = select_f32x8(more_5, mul_f32x8(t_1, y_10), splat_f32x8(1.0f));
                const f32x8 y_11 = exp_f32x8(most_1 - sum_3);
                const f32x8 pick_13 = select_f32x8(more_5, y_11, splat_f32x8(1.0f));
                store_f32x8(&round_sum[8], pick_8);
                store_f32x8(&top[8], high_2);
                store_f32x8(&total_sum[8], t_1);
                store_f32x8(&keep[8], mul_f32x8(pick_10, pick_12));
                store_f32x8(&gain[8], mul_f32x8(pick_11 * pick_13, pick_12));
                for (int64_t lane = 0; lane < 16; lane++) {
                    const int32_t token = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + lane];
                    run_max[(int64_t)token] = top[lane];
                    run_sum[(int64_t)token] = total_sum[lane];
                    if (round_sum[lane] == 0.0f) {
                        int32_t carried_2 = 0;
                        for (int64_t o = 0; o < 2; o++) {
                            const int64_t slot_2 = (step + o) % 2;
                            for (int64_t key_1 = 0; key_1 < 64; key_1++) {
                                carried_2 =
                                    sub_i32(carried_2,
                                    -(lsh_attention_query_pos[slot_2 * 64 + key_1] == token));
                            }
                        }
                        self_count[(int64_t)token] = carried_2;
                    }
                }
                for (int64_t column = 0; column < 4; column++) {
                    f32x8 carried_2 = splat_f32x8(0.0f);
                    f32x8 carried_3 = splat_f32x8(0.0f);
                    f32x8 carried_4 = splat_f32x8(0.0f);
                    f32x8 carried_5 = splat_f32x8(0.0f);
                    f32x8 carried_6 = splat_f32x8(0.0f);
                    f32x8 carried_7 = splat_f32x8(0.0f);
                    f32x8 carried_8 = splat_f32x8(0.0f);
                    f32x8 carried_9 = splat_f32x8(0.0f);
                    f32x8 carried_10 = splat_f32x8(0.0f);
                    f32x8 carried_11 = splat_f32x8(0.0f);
                    f32x8 carried_12 = splat_f32x8(0.0f);
                    f32x8 carried_13 = splat_f32x8(0.0f);
                    for (int64_t o = 0; o < 2; o++) {
                        const int64_t slot_2 = (step + o) % 2;
                        for (int64_t k = 0; k < 64; k++) {
                            const f32x8 s = splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16]);
                            const f32x8 v_5 =
                                load_f32x8(&values[((slot_2 * 4 + column) * 64 + k) * 16]);
                            carried_2 = fma_f32x8(s, v_5, carried_2);
                            const f32x8 v_6 =
                                load_f32x8(&values[((slot_2 * 4 + column) * 64 + k) * 16 + 8]);
                            carried_3 = fma_f32x8(s, v_6, carried_3);
                            const f32x8 s_1 =
                                splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + 1]);
                            carried_4 = fma_f32x8(s_1, v_5, carried_4);
                            carried_5 = fma_f32x8(s_1, v_6, carried_5);
                            const f32x8 s_2 =
                                splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + 2]);
                            carried_6 = fma_f32x8(s_2, v_5, carried_6);
                            carried_7 = fma_f32x8(s_2, v_6, carried_7);
                            const f32x8 s_3 =
                                splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + 3]);
                            carried_8 = fma_f32x8(s_3, v_5, carried_8);
                            carried_9 = fma_f32x8(s_3, v_6, carried_9);
                            const f32x8 s_4 =
                                splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + 4]);
                            carried_10 = fma_f32x8(s_4, v_5, carried_10);
                            carried_11 = fma_f32x8(s_4, v_6, carried_11);
                            const f32x8 s_5 =
                                splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + 5]);
                            carried_12 = fma_f32x8(s_5, v_5, carried_12);
                            carried_13 = fma_f32x8(s_5, v_6, carried_13);
                        }
                    }
                    const f32x8 s = splat_f32x8(gain[0]);
                    const int32_t token = lsh_attention_query_pos[slot_1 * 64 + panel * 16];
                    store_f32x8(&k_out[(int64_t)token * 64 + column * 16], mul_f32x8(carried_2, s));
                    store_f32x8(&k_out[(int64_t)token * 64 + column * 16 + 8],
                        mul_f32x8(carried_3, s));
                    const f32x8 s_1 = splat_f32x8(gain[1]);
                    const int32_t token_1 = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 1];
                    store_f32x8(&k_out[(int64_t)token_1 * 64 + column * 16],
                        mul_f32x8(carried_4, s_1));
                    store_f32x8(&k_out[(int64_t)token_1 * 64 + column * 16 + 8],
                        mul_f32x8(carried_5, s_1));
                    const f32x8 s_2 = splat_f32x8(gain[2]);
                    const int32_t token_2 = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 2];
                    store_f32x8(&k_out[(int64_t)token_2 * 64 + column * 16],
                        mul_f32x8(carried_6, s_2));
                    store_f32x8(&k_out[(int64_t)token_2 * 64 + column * 16 + 8],
                        mul_f32x8(carried_7, s_2));
                    const f32x8 s_3 = splat_f32x8(gain[3]);
                    const int32_t token_3 = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 3];
                    store_f32x8(&k_out[(int64_t)token_3 * 64 + column * 16],
                        mul_f32x8(carried_8, s_3));
                    store_f32x8(&k_out[(int64_t)token_3 * 64 + column * 16 + 8],
                        mul_f32x8(carried_9, s_3));
                    const f32x8 s_4 = splat_f32x8(gain[4]);
                    const int32_t token_4 = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 4];
                    store_f32x8(&k_out[(int64_t)token_4 * 64 + column * 16],
                        mul_f32x8(carried_10, s_4));
                    store_f32x8(&k_out[(int64_t)token_4 * 64 + column * 16 + 8],
                        mul_f32x8(carried_11, s_4));
                    const f32x8 s_5 = splat_f32x8(gain[5]);
                    const int32_t token_5 = lsh_attention_query_pos[slot_1 * 64 + panel * 16 + 5];
                    store_f32x8(&k_out[(int64_t)token_5 * 64 + column * 16],
                        mul_f32x8(carried_12, s_5));
                    store_f32x8(&k_out[(int64_t)token_5 * 64 + column * 16 + 8],
                        mul_f32x8(carried_13, s_5));
                    for (int64_t tile = 0; tile < 2; tile++) {
                        f32x8 carried_14 = splat_f32x8(0.0f);
                        f32x8 carried_15 = splat_f32x8(0.0f);
                        f32x8 carried_16 = splat_f32x8(0.0f);
                        f32x8 carried_17 = splat_f32x8(0.0f);
                        f32x8 carried_18 = splat_f32x8(0.0f);
                        f32x8 carried_19 = splat_f32x8(0.0f);
                        f32x8 carried_20 = splat_f32x8(0.0f);
                        f32x8 carried_21 = splat_f32x8(0.0f);
                        f32x8 carried_22 = splat_f32x8(0.0f);
                        f32x8 carried_23 = splat_f32x8(0.0f);
                        for (int64_t o = 0; o < 2; o++) {
                            const int64_t slot_2 = (step + o) % 2;
                            for (int64_t k = 0; k < 64; k++) {
                                const f32x8 s_6 =
                                    splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + tile * 5 +
                                    6]);
                                const f32x8 v_5 =
                                    load_f32x8(&values[((slot_2 * 4 + column) * 64 + k) * 16]);
                                carried_14 = fma_f32x8(s_6, v_5, carried_14);
                                const f32x8 v_6 =
                                    load_f32x8(&values[((slot_2 * 4 + column) * 64 + k) * 16 + 8]);
                                carried_15 = fma_f32x8(s_6, v_6, carried_15);
                                const f32x8 s_7 =
                                    splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + tile * 5 +
                                    7]);
                                carried_16 = fma_f32x8(s_7, v_5, carried_16);
                                carried_17 = fma_f32x8(s_7, v_6, carried_17);
                                const f32x8 s_8 =
                                    splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + tile * 5 +
                                    8]);
                                carried_18 = fma_f32x8(s_8, v_5, carried_18);
                                carried_19 = fma_f32x8(s_8, v_6, carried_19);
                                const f32x8 s_9 =
                                    splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + tile * 5 +
                                    9]);
                                carried_20 = fma_f32x8(s_9, v_5, carried_20);
                                carried_21 = fma_f32x8(s_9, v_6, carried_21);
                                const f32x8 s_10 =
                                    splat_f32x8(lsh_attention_scores[(o * 64 + k) * 16 + tile * 5 +
                                    10]);
                                carried_22 = fma_f32x8(s_10, v_5, carried_22);
                                carried_23 = fma_f32x8(s_10, v_6, carried_23);
                            }
                        }
                        const f32x8 s_6 = splat_f32x8(gain[tile * 5 + 6]);
                        const int32_t token_6 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + tile * 5 + 6];
                        store_f32x8(&k_out[(int64_t)token_6 * 64 + column * 16],
                            mul_f32x8(carried_14, s_6));
                        store_f32x8(&k_out[(int64_t)token_6 * 64 + column * 16 + 8],
                            mul_f32x8(carried_15, s_6));
                        const f32x8 s_7 = splat_f32x8(gain[tile * 5 + 7]);
                        const int32_t token_7 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + tile * 5 + 7];
                        store_f32x8(&k_out[(int64_t)token_7 * 64 + column * 16],
                            mul_f32x8(carried_16, s_7));
                        store_f32x8(&k_out[(int64_t)token_7 * 64 + column * 16 + 8],
                            mul_f32x8(carried_17, s_7));
                        const f32x8 s_8 = splat_f32x8(gain[tile * 5 + 8]);
                        const int32_t token_8 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + tile * 5 + 8];
                        store_f32x8(&k_out[(int64_t)token_8 * 64 + column * 16],
                            mul_f32x8(carried_18, s_8));
                        store_f32x8(&k_out[(int64_t)token_8 * 64 + column * 16 + 8],
                            mul_f32x8(carried_19, s_8));
                        const f32x8 s_9 = splat_f32x8(gain[tile * 5 + 9]);
                        const int32_t token_9 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + tile * 5 + 9];
                        store_f32x8(&k_out[(int64_t)token_9 * 64 + column * 16],
                            mul_f32x8(carried_20, s_9));
                        store_f32x8(&k_out[(int64_t)token_9 * 64 + column * 16 + 8],
                            mul_f32x8(carried_21, s_9));
                        const f32x8 s_10 = splat_f32x8(gain[tile * 5 + 10]);
                        const int32_t token_10 =
                            lsh_attention_query_pos[slot_1 * 64 + panel * 16 + tile * 5 + 10];
                        store_f32x8(&k_out[(int64_t)token_10 * 64 + column * 16],
                            mul_f32x8(carried_22, s_10));
                        store_f32x8(&k_out[(int64_t)token_10 * 64 + column * 16 + 8],
                            mul_f32x8(carried_23, s_10));
                    }
                }
            }
        }
    }
}

static void m_default_run(const reformer_call_t *call) {
    const int32_t *control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    reformer_launch(call, embed_kernel, 64, NULL);
    for (int64_t layer = 0; layer < 6; layer++) {
        const int32_t form = layer_form[layer];
        if (form) {
            const int64_t index = (int64_t)layer_index[layer];
            for (int64_t group = 0; group < 12; group++) {
                reformer_launch(call, lsh_project, 64, (const int64_t[]){layer, index, group});
                reformer_launch(call, lsh_hash, 64, (const int64_t[]){index, group});
                reformer_launch(call, lsh_sort, 1, NULL);
                reformer_launch(call, lsh_attention, 8, (const int64_t[]){0});
                reformer_launch(call, lsh_output, 64, (const int64_t[]){layer, group});
            }
        } else {
            const int64_t index = (int64_t)layer_index[layer];
            for (int64_t group = 0; group < 12; group++) {
                reformer_launch(call, local_project, 64, (const int64_t[]){layer, index, group});
                reformer_launch(call, local_attention, 64, NULL);
                reformer_launch(call, local_output, 64, (const int64_t[]){layer, group});
            }
        }
        reformer_launch(call, feed_forward, 64, (const int64_t[]){layer});
    }
    if (control[0]) {
        reformer_launch(call, final_norm, 64, NULL);
    }
}

#undef exp_f32
#undef log_f32
#undef exp_f32x8
#undef exp2_f32x8
#undef log_f32x8
#undef relu_f32x8
#undef embed_kernel
#undef local_project
#undef local_output
#undef feed_forward
#undef lsh_project
#undef lsh_output
#undef final_norm
#undef local_attention
#undef lsh_hash
#undef lsh_sort
#undef lsh_attention
#undef layer_form
#undef layer_index
#undef f32x8
#undef f32x8_u
#undef i32x8
#undef u32x8
#undef i32x8_u
#undef load_f32x8
#undef load_i32x8
#undef store_f32x8
#undef store_i32x8
#undef splat_f32x8
#undef splat_i32x8
#undef bits_f32
#undef from_bits_f32
#undef add_i32
#undef add_i32x8
#undef sub_i32
#undef sub_i32x8
#undef mul_f32
#undef mul_f32x8
#undef div_f32
#undef div_f32x8
#undef fma_f32
#undef fma_f32x8
#undef sqrt_f32
#undef sqrt_f32x8
#undef min_f32
#undef min_f32x8
#undef min_i64
#undef max_f32
#undef max_f32x8
#undef max_i32
#undef select_f32x8
#undef select_i32x8
#undef shuffle_high1_f32x8
#undef shuffle_high2_f32x8
#undef shuffle_high4_f32x8
#undef shuffle_low1_f32x8
#undef shuffle_low2_f32x8
#undef shuffle_low4_f32x8
#undef shuffle_swap1_f32x8
#undef shuffle_swap2_f32x8
#undef shuffle_swap4_f32x8

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/* ---- description ----------------------------------------------------------- */
static const reformer_variant_t m_default_variants[] = {
    {
        .target = REFORMER_CPU_X86_64_V3,
        .max_length = 4096,
        .padded = 4096,
        .rows = 4096,
        .hashes = 1,
        .workspace_bytes = 11616320,
        .scratch_bytes = 204800,
        .run = m_default_run,
    },
};
static const reformer_desc_t m_default_description = {
    .size = sizeof(reformer_desc_t),
    .abi = REFORMER_ABI,
    .sizes = REFORMER_SIZES,
    .version = "reformerc 0.1.0, ABI 6, weights 2, spec 3f9443037a72674c",
    .name = "m_default",
    .fingerprint = UINT64_C(0xb5ea77fcfbbce102),
    .weights_bytes = UINT64_C(23846458),
    .head = REFORMER_HEAD_NONE,
    .batch = 1,
    .hidden = 256,
    .vocab = 320,
    .labels = 2,
    .max_length = 4096,
    .lsh_layers = 3,
    .heads = 12,
    .rounds = 1,
    .max_bucket = 129,
    .float_loss = REFORMER_LOSS_BCE,
    .n_variants = (int)(sizeof m_default_variants / sizeof m_default_variants[0]),
    .variants = m_default_variants,
};

size_t m_default_workspace_bytes(size_t length, int threads) {
    return reformer_workspace_bytes(&m_default_description, length, threads);
}
int m_default_bind(m_default_t *m, const void *weights, size_t bytes) {
    return reformer_bind((reformer_model_t *)m, &m_default_description, weights, bytes);
}
int m_default_explain(const void *weights, size_t bytes, char *text, size_t room) {
    return reformer_explain(&m_default_description, weights, bytes, text, room);
}
int m_default_check_weights(const m_default_t *m) {
    return reformer_check_weights(&m_default_description, (const reformer_model_t *)m);
}
const char *m_default_target(const m_default_t *m) {
    return reformer_target((const reformer_model_t *)m);
}
int m_default_forward(const m_default_t *m, const m_default_io_t *io, void *workspace,
        size_t bytes) {
    return reformer_forward(&m_default_description, (const reformer_model_t *)m, io, workspace,
        bytes);
}
const char *m_default_strerror(int code) {
    return reformer_strerror(code);
}
const char *m_default_version(void) {
    return reformer_translator(&m_default_description);
}

#pragma pop_macro("INLINE")
#if defined(__clang__) && defined(__x86_64__)
#pragma float_control(pop)
#elif !defined(__clang__)
#pragma GCC pop_options
#endif
