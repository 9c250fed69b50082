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

#define lsh_attention_queries m_default_lsh_attention_queries
#define lsh_attention_scores m_default_lsh_attention_scores
#define lsh_attention_scores_1 m_default_lsh_attention_scores_1
#define lsh_attention_k_out m_default_lsh_attention_k_out
#define lsh_attention_k_out_1 m_default_lsh_attention_k_out_1
#define lsh_attention_scores_2 m_default_lsh_attention_scores_2
#define lsh_hash_queries m_default_lsh_hash_queries
#define lsh_hash_found m_default_lsh_hash_found
#define local_attention_queries m_default_local_attention_queries
#define local_attention_q m_default_local_attention_q
#define local_attention_q_1 m_default_local_attention_q_1
#define local_attention_scores m_default_local_attention_scores
#define final_norm_hidden m_default_final_norm_hidden
#define lsh_output_y1 m_default_lsh_output_y1
#define lsh_output_y1_1 m_default_lsh_output_y1_1
#define lsh_project_q m_default_lsh_project_q
#define lsh_project_q_1 m_default_lsh_project_q_1
#define lsh_project_v m_default_lsh_project_v
#define lsh_project_v_1 m_default_lsh_project_v_1
#define feed_forward_act m_default_feed_forward_act
#define feed_forward_act_1 m_default_feed_forward_act_1
#define feed_forward_y2 m_default_feed_forward_y2
#define feed_forward_y2_1 m_default_feed_forward_y2_1
#define local_output_y1 m_default_local_output_y1
#define local_output_y1_1 m_default_local_output_y1_1
#define local_project_q m_default_local_project_q
#define local_project_q_1 m_default_local_project_q_1
#define local_project_k_out m_default_local_project_k_out
#define local_project_k_out_1 m_default_local_project_k_out_1
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
#define load8 m_default_load8
#define load_i32x8 m_default_load_i32x8
#define store8 m_default_store8
#define store_i32x8 m_default_store_i32x8
#define prefetch m_default_prefetch
#define splat8 m_default_splat8
#define splat_i32x8 m_default_splat_i32x8
#define bits_f32 m_default_bits_f32
#define from_bits_f32 m_default_from_bits_f32
#define add_i32 m_default_add_i32
#define add_i32x8 m_default_add_i32x8
#define sub_i32 m_default_sub_i32
#define sub_i32x8 m_default_sub_i32x8
#define mul_f32 m_default_mul_f32
#define mul8 m_default_mul8
#define div_f32 m_default_div_f32
#define div8 m_default_div8
#define fma_f32 m_default_fma_f32
#define fma8 m_default_fma8
#define sqrt_f32 m_default_sqrt_f32
#define sqrt8 m_default_sqrt8
#define min_f32 m_default_min_f32
#define min8 m_default_min8
#define min_i64 m_default_min_i64
#define max_f32 m_default_max_f32
#define max8 m_default_max8
#define max_i32 m_default_max_i32
#define max_i64 m_default_max_i64
#define select8 m_default_select8
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

INLINE f32x8 load8(const float *p) {
    return *(const f32x8_u *)(const void *)p;
}
INLINE i32x8 load_i32x8(const int32_t *p) {
    return *(const i32x8_u *)(const void *)p;
}
INLINE void store8(float *p, f32x8 x) {
    *(f32x8_u *)(void *)p = x;
}
INLINE void store_i32x8(int32_t *p, i32x8 x) {
    *(i32x8_u *)(void *)p = x;
}
INLINE void prefetch(const void *p) {
    __builtin_prefetch(p, 0, 2);
}
INLINE f32x8 splat8(float x) {
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
INLINE f32x8 mul8(f32x8 x, f32x8 y) {
    f32x8 product = x * y;
    REFORMER_SETTLE(product);
    return product;
}
INLINE float div_f32(float x, float y) {
    float product = x / y;
    REFORMER_SETTLE(product);
    return product;
}
INLINE f32x8 div8(f32x8 x, f32x8 y) {
    f32x8 product = x / y;
    REFORMER_SETTLE(product);
    return product;
}
INLINE float fma_f32(float x, float y, float z) {
    return _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(x), _mm_set_ss(y), _mm_set_ss(z)));
}
INLINE f32x8 fma8(f32x8 x, f32x8 y, f32x8 z) {
    return _mm256_fmadd_ps(x, y, z);
}
INLINE float sqrt_f32(float x) {
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
}
INLINE f32x8 sqrt8(f32x8 x) {
    return _mm256_sqrt_ps(x);
}
INLINE float min_f32(float x, float y) {
    return x < y ? x : y;
}
INLINE f32x8 min8(f32x8 x, f32x8 y) {
    return _mm256_min_ps(x, y);
}
INLINE int64_t min_i64(int64_t x, int64_t y) {
    return x < y ? x : y;
}
INLINE float max_f32(float x, float y) {
    return x > y ? x : y;
}
INLINE f32x8 max8(f32x8 x, f32x8 y) {
    return _mm256_max_ps(x, y);
}
INLINE int32_t max_i32(int32_t x, int32_t y) {
    return x > y ? x : y;
}
INLINE int64_t max_i64(int64_t x, int64_t y) {
    return x > y ? x : y;
}
INLINE f32x8 select8(i32x8 m, f32x8 x, f32x8 y) {
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
    const float clamped = max_f32(-87.0f, x);
    const float clamped_1 = min_f32(88.0f, clamped);
    const float t = fma_f32(clamped_1, 1.442695f, 12582912.0f);
    const float diff = t - 12582912.0f;
    const float t_1 = fma_f32(diff, -0.6933594f, clamped_1);
    const float t_2 = fma_f32(diff, 0.00021219444f, t_1);
    const float t_3 = fma_f32(0.00019875691f, t_2, 0.0013981999f);
    const float t_4 = fma_f32(t_3, t_2, 0.008333452f);
    const float t_5 = fma_f32(t_4, t_2, 0.041665796f);
    const float t_6 = fma_f32(t_5, t_2, 0.16666666f);
    const float t_7 = fma_f32(t_6, t_2, 0.5f);
    const float t_8 = fma_f32(t_7, t_2 * t_2, t_2 + 1.0f);
    const int32_t sum = add_i32(bits_f32(t_8), (int32_t)((uint32_t)bits_f32(t) << 23));
    return x >= -87.0f ? from_bits_f32(sum) : clamped_1 - -87.0f;
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
    const f32x8 clamped = max8(splat8(-87.0f), x);
    const f32x8 clamped_1 = min8(splat8(88.0f), clamped);
    const f32x8 t = fma8(clamped_1, splat8(1.442695f), splat8(12582912.0f));
    const f32x8 diff = t - splat8(12582912.0f);
    const f32x8 t_1 = fma8(diff, splat8(-0.6933594f), clamped_1);
    const f32x8 t_2 = fma8(diff, splat8(0.00021219444f), t_1);
    const f32x8 t_3 = fma8(splat8(0.00019875691f), t_2, splat8(0.0013981999f));
    const f32x8 t_4 = fma8(t_3, t_2, splat8(0.008333452f));
    const f32x8 t_5 = fma8(t_4, t_2, splat8(0.041665796f));
    const f32x8 t_6 = fma8(t_5, t_2, splat8(0.16666666f));
    const f32x8 t_7 = fma8(t_6, t_2, splat8(0.5f));
    const f32x8 t_8 = fma8(t_7, t_2 * t_2, t_2 + splat8(1.0f));
    const i32x8 sum = add_i32x8((i32x8)t_8, (i32x8)((u32x8)(i32x8)t << 23));
    const f32x8 pick = select8((i32x8)(x >= splat8(-87.0f)), (f32x8)sum,
        clamped_1 - splat8(-87.0f));
    return pick;
}

static inline f32x8 exp2_f32x8(f32x8 x) {
    const f32x8 sum = x + splat8(12582912.0f);
    const f32x8 diff = x - (sum - splat8(12582912.0f));
    const f32x8 t = fma8(splat8(0.0013264727f), diff, splat8(0.009671513f));
    const f32x8 t_1 = fma8(t, diff, splat8(0.055507336f));
    const f32x8 t_2 = fma8(t_1, diff, splat8(0.24022242f));
    const f32x8 t_3 = fma8(t_2, diff, splat8(0.693147f));
    const f32x8 t_4 = fma8(t_3, diff, splat8(1.0f));
    const i32x8 sum_1 = add_i32x8((i32x8)t_4, (i32x8)((u32x8)(i32x8)sum << 23));
    return (f32x8)sum_1;
}

static inline f32x8 log_f32x8(f32x8 x) {
    const i32x8 bits = (i32x8)x;
    const i32x8 diff = sub_i32x8((i32x8)((u32x8)bits >> 23), splat_i32x8(126));
    const i32x8 bits_1 = (bits & splat_i32x8(8388607)) | splat_i32x8(1056964608);
    const f32x8 bits_2 = (f32x8)bits_1;
    const i32x8 less = (i32x8)(bits_2 < splat8(0.70710677f));
    const f32x8 pick = select8(less, splat8(-1.0f), splat8(0.0f));
    const f32x8 sum = __builtin_convertvector(diff, f32x8) + pick;
    const f32x8 pick_1 = select8(less, bits_2, splat8(0.0f));
    const f32x8 sum_1 = bits_2 - splat8(1.0f) + pick_1;
    const f32x8 prod = mul8(sum_1, sum_1);
    const f32x8 t = fma8(splat8(0.070376836f), sum_1, splat8(-0.1151461f));
    const f32x8 t_1 = fma8(t, sum_1, splat8(0.116769984f));
    const f32x8 t_2 = fma8(t_1, sum_1, splat8(-0.12420141f));
    const f32x8 t_3 = fma8(t_2, sum_1, splat8(0.14249323f));
    const f32x8 t_4 = fma8(t_3, sum_1, splat8(-0.16668057f));
    const f32x8 t_5 = fma8(t_4, sum_1, splat8(0.20000714f));
    const f32x8 t_6 = fma8(t_5, sum_1, splat8(-0.24999994f));
    const f32x8 t_7 = fma8(t_6, sum_1, splat8(0.3333333f));
    const f32x8 t_8 = fma8(sum, splat8(-0.00021219444f), t_7 * sum_1 * prod);
    const f32x8 t_9 = fma8(prod, splat8(-0.5f), t_8);
    const f32x8 t_10 = fma8(sum, splat8(0.6933594f), sum_1 + t_9);
    return select8((i32x8)(x <= splat8(3.4028235e+38f)), t_10, x);
}

static inline f32x8 relu_f32x8(f32x8 x) {
    return max8(splat8(0.0f), x);
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
    const float *w_embeddings_word_embeddings_weight = (const void *)(call->weights + 4096);
    /* [64][64] */
    const float *w_embeddings_position_embeddings_weights_0 =
        (const void *)(call->weights + 331776);
    /* [1][4096][256]: [batch][rows][width]: a stream */
    float *restrict y1 = (void *)call->workspace;
    /* [1][4096][256]: [batch][rows][width]: a stream */
    float *restrict y2 = (void *)(call->workspace + 4194304);
    /* [64][192] */
    const float *w_embeddings_position_embeddings_weights_1 =
        (const void *)(call->weights + 348160);
    for (int64_t i = 0; i < 64; i++) {
        const int64_t id = ids[block * 64 + i];
        for (int64_t v = 0; v < 8; v++) {
            const f32x8 sum = load8(w_embeddings_word_embeddings_weight + id * 256 + v * 8) +
                load8(w_embeddings_position_embeddings_weights_0 + block * 64 + v * 8);
            store8(y1 + (block * 64 + i) * 256 + v * 8, sum);
            store8(y2 + (block * 64 + i) * 256 + v * 8, sum);
        }
        for (int64_t v = 0; v < 24; v++) {
            const f32x8 sum = load8(w_embeddings_word_embeddings_weight + id * 256 + v * 8 + 64) +
                load8(w_embeddings_position_embeddings_weights_1 + i * 192 + v * 8);
            store8(y1 + (block * 64 + i) * 256 + v * 8 + 64, sum);
            store8(y2 + (block * 64 + i) * 256 + v * 8 + 64, sum);
        }
    }
}

INLINE void local_project_q(const float *y2, const float *attention_norm,
        const float *query_weight_group, const float *key_weight_group, float *q_column,
        const float *query_weight_rem, int32_t less, int64_t panel, int64_t rem, int64_t column,
        int64_t block) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *q_tile = q_column + tile * 384;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 32; step++) {
            if (less) {
                prefetch(query_weight_group + (panel * 256 + tile * 22 + step) * 32 + rem * 16);
            } else {
                prefetch(key_weight_group + (tile * 22 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 5);
            prefetch(q_tile + clamped * 64);
            const int64_t clamped_1 = min_i64(column * 352 + tile * 32 + step, 1023);
            const int64_t clamped_2 = min_i64(block * 64 + clamped_1 / 16 + 64, 4095);
            prefetch(y2 + clamped_2 * 256 + clamped_1 % 16 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1632 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(query_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(query_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[272]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[544]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[816]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[1088]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(attention_norm_k[1360]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(q_tile, acc0_0);
        store8(q_tile + 8, acc0_1);
        store8(q_tile + 64, acc1_0);
        store8(q_tile + 72, acc1_1);
        store8(q_tile + 128, acc2_0);
        store8(q_tile + 136, acc2_1);
        store8(q_tile + 192, acc3_0);
        store8(q_tile + 200, acc3_1);
        store8(q_tile + 256, acc4_0);
        store8(q_tile + 264, acc4_1);
        store8(q_tile + 320, acc5_0);
        store8(q_tile + 328, acc5_1);
    }
}

INLINE void local_project_q_1(const float *y2, const float *attention_norm,
        const float *query_weight_group, const float *key_weight_group, float *q_column,
        const float *query_weight_rem, int32_t less, int64_t panel, int64_t rem, int64_t column,
        int64_t block) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *q_tile = q_column + tile * 320;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 32; step++) {
            if (less) {
                prefetch(query_weight_group + (panel * 256 + tile * 22 + step) * 32 + rem * 16);
            } else {
                prefetch(key_weight_group + (tile * 22 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 4);
            prefetch(q_tile + clamped * 64);
            const int64_t clamped_1 = min_i64(column * 352 + tile * 32 + step + 288, 1023);
            const int64_t clamped_2 = min_i64(block * 64 + clamped_1 / 16 + 64, 4095);
            prefetch(y2 + clamped_2 * 256 + clamped_1 % 16 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1360 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(query_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(query_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[272]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[544]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[816]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[1088]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        store8(q_tile, acc0_0);
        store8(q_tile + 8, acc0_1);
        store8(q_tile + 64, acc1_0);
        store8(q_tile + 72, acc1_1);
        store8(q_tile + 128, acc2_0);
        store8(q_tile + 136, acc2_1);
        store8(q_tile + 192, acc3_0);
        store8(q_tile + 200, acc3_1);
        store8(q_tile + 256, acc4_0);
        store8(q_tile + 264, acc4_1);
    }
}

INLINE void local_project_k_out(const float *attention_norm, const float *key_weight_group,
        const float *value_weight_group, float *k_out_column, const float *key_weight_rem,
        int32_t less, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *k_out_tile = k_out_column + tile * 384;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 32; step++) {
            if (less) {
                prefetch(key_weight_group + (panel * 256 + tile * 22 + step) * 32 + rem * 16);
            } else {
                prefetch(value_weight_group + (tile * 22 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 5);
            prefetch(k_out_tile + clamped * 64);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1632 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(key_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(key_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[272]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[544]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[816]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[1088]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(attention_norm_k[1360]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(k_out_tile, acc0_0);
        store8(k_out_tile + 8, acc0_1);
        store8(k_out_tile + 64, acc1_0);
        store8(k_out_tile + 72, acc1_1);
        store8(k_out_tile + 128, acc2_0);
        store8(k_out_tile + 136, acc2_1);
        store8(k_out_tile + 192, acc3_0);
        store8(k_out_tile + 200, acc3_1);
        store8(k_out_tile + 256, acc4_0);
        store8(k_out_tile + 264, acc4_1);
        store8(k_out_tile + 320, acc5_0);
        store8(k_out_tile + 328, acc5_1);
    }
}

INLINE void local_project_k_out_1(float *k_out, const float *attention_norm,
        const float *key_weight_group, const float *value_weight_group, int64_t block) {
    for (int64_t column = 0; column < 4; column++) {
        const int64_t next = min_i64(column + 1, 3);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *key_weight_rem = key_weight_group + panel_1 * 8192 + rem_1 * 16;
        float *k_out_column = k_out + block * 4096 + column * 16;
        local_project_k_out(attention_norm, key_weight_group, value_weight_group, k_out_column,
            key_weight_rem, less, panel, rem);
        for (int64_t tile = 0; tile < 2; tile++) {
            float *k_out_tile = k_out_column + tile * 320;
            f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0},
                acc2_1 = {0}, acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    prefetch(key_weight_group + (panel * 256 + tile * 22 + step) * 32 + rem * 16 +
                        6336);
                } else {
                    prefetch(value_weight_group + (tile * 22 + step) * 32 + 6336);
                }
                const int64_t clamped = min_i64(step, 4);
                prefetch(k_out_tile + clamped * 64 + 3456);
                for (int64_t k = 0; k < 8; k++) {
                    const float *attention_norm_k = attention_norm + tile * 1360 + step * 8 + k;
                    const f32x8 s = splat8(attention_norm_k[14688]);
                    const f32x8 v = load8(key_weight_rem + (step * 8 + k) * 32);
                    acc0_0 = fma8(s, v, acc0_0);
                    const f32x8 v_1 = load8(key_weight_rem + (step * 8 + k) * 32 + 8);
                    acc0_1 = fma8(s, v_1, acc0_1);
                    const f32x8 s_1 = splat8(attention_norm_k[14960]);
                    acc1_0 = fma8(s_1, v, acc1_0);
                    acc1_1 = fma8(s_1, v_1, acc1_1);
                    const f32x8 s_2 = splat8(attention_norm_k[15232]);
                    acc2_0 = fma8(s_2, v, acc2_0);
                    acc2_1 = fma8(s_2, v_1, acc2_1);
                    const f32x8 s_3 = splat8(attention_norm_k[15504]);
                    acc3_0 = fma8(s_3, v, acc3_0);
                    acc3_1 = fma8(s_3, v_1, acc3_1);
                    const f32x8 s_4 = splat8(attention_norm_k[15776]);
                    acc4_0 = fma8(s_4, v, acc4_0);
                    acc4_1 = fma8(s_4, v_1, acc4_1);
                }
            }
            store8(k_out_tile + 3456, acc0_0);
            store8(k_out_tile + 3464, acc0_1);
            store8(k_out_tile + 3520, acc1_0);
            store8(k_out_tile + 3528, acc1_1);
            store8(k_out_tile + 3584, acc2_0);
            store8(k_out_tile + 3592, acc2_1);
            store8(k_out_tile + 3648, acc3_0);
            store8(k_out_tile + 3656, acc3_1);
            store8(k_out_tile + 3712, acc4_0);
            store8(k_out_tile + 3720, acc4_1);
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
    const float *restrict y2 = (const void *)(call->workspace + 4194304);
    /* [6][256] */
    const float *w_attention_layer_norm_weight = (const void *)(call->weights + 397312);
    /* [6][256] */
    const float *w_attention_layer_norm_bias = (const void *)(call->weights + 403456);
    float *restrict attention_norm = (void *)scratch; /* [64][272] */
    /* [3][12][2][256][32] */
    const float *w_attention_self_attention_query_weight = (const void *)(call->weights + 409600);
    /* [3][12][2][256][32] */
    const float *w_attention_self_attention_key_weight = (const void *)(call->weights + 2768896);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    float *restrict q = (void *)(call->workspace + 8388608);
    /* [6][12][2][256][32] */
    const float *w_attention_self_attention_value_weight = (const void *)(call->weights + 5128192);
    /* [1][1][4096][64]: [batch][group][rows][head]: keys, or an output apart from the queries */
    float *restrict k_out = (void *)(call->workspace + 10485760);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    float *restrict v = (void *)(call->workspace + 9437184);
    /* layer norm of 64 rows of 256 */
    for (int64_t i = 0; i < 64; i++) {
        const float *y2_i = y2 + (block * 64 + i) * 256;
        f32x8 sum = {0};
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            sum = sum + load8(y2_i + v_1 * 8);
        }
        const f32x8 mix = shuffle_swap4_f32x8(sum);
        const f32x8 sum_1 = sum + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
        const f32x8 sum_3 = sum_2 + mix_2;
        const float mean = div_f32(sum_3[0], 256.0f);
        f32x8 sum_4 = {0};
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            const f32x8 diff = load8(y2_i + v_1 * 8) - splat8(mean);
            sum_4 = fma8(diff, diff, sum_4);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
        const f32x8 sum_6 = sum_5 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
        const f32x8 sum_7 = sum_6 + mix_5;
        const float var = div_f32(sum_7[0], 256.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            const f32x8 prod = (load8(y2_i + v_1 * 8) - splat8(mean)) * splat8(scale);
            const f32x8 t = fma8(prod, load8(w_attention_layer_norm_weight + layer * 256 + v_1 * 8),
                load8(w_attention_layer_norm_bias + layer * 256 + v_1 * 8));
            store8(attention_norm + i * 272 + v_1 * 8, t);
        }
    }
    /* → q */
    const float *query_weight_group = w_attention_self_attention_query_weight + (index * 12 + group)
        * 2 * 256 * 32;
    const float *key_weight_group = w_attention_self_attention_key_weight + (index * 12 + group) * 2
        * 256 * 32;
    for (int64_t column = 0; column < 4; column++) {
        const int64_t next = min_i64(column + 1, 3);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *query_weight_rem = query_weight_group + panel_1 * 8192 + rem_1 * 16;
        float *q_column = q + block * 4096 + column * 16;
        local_project_q(y2, attention_norm, query_weight_group, key_weight_group, q_column,
            query_weight_rem, less, panel, rem, column, block);
        local_project_q_1(y2, attention_norm + 14688, query_weight_group + 6336,
            key_weight_group + 6336, q_column + 3456, query_weight_rem, less, panel, rem, column,
            block);
    }
    /* → k_out */
    const float *value_weight_group = w_attention_self_attention_value_weight + (layer * 12 + group)
        * 2 * 256 * 32;
    local_project_k_out_1(k_out, attention_norm, key_weight_group, value_weight_group, block);
    /* → v */
    local_project_k_out_1(v, attention_norm, value_weight_group, query_weight_group, block);
}

INLINE void local_output_y1(const float *heads, const float *dense_weight_group, float *y1_column,
        const float *dense_weight_rem, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *y1_tile = y1_column + tile * 1536;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 8; step++) {
            prefetch(dense_weight_group + (panel * 768 + tile * 5 + step) * 32 + rem * 16);
            const int64_t clamped = min_i64(step, 5);
            prefetch(y1_tile + clamped * 256);
            for (int64_t k = 0; k < 8; k++) {
                const float *heads_k = heads + tile * 480 + step * 8 + k;
                const f32x8 s = splat8(heads_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(heads_k[80]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(heads_k[160]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(heads_k[240]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(heads_k[320]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(heads_k[400]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(y1_tile, load8(y1_tile) + acc0_0);
        store8(y1_tile + 8, load8(y1_tile + 8) + acc0_1);
        store8(y1_tile + 256, load8(y1_tile + 256) + acc1_0);
        store8(y1_tile + 264, load8(y1_tile + 264) + acc1_1);
        store8(y1_tile + 512, load8(y1_tile + 512) + acc2_0);
        store8(y1_tile + 520, load8(y1_tile + 520) + acc2_1);
        store8(y1_tile + 768, load8(y1_tile + 768) + acc3_0);
        store8(y1_tile + 776, load8(y1_tile + 776) + acc3_1);
        store8(y1_tile + 1024, load8(y1_tile + 1024) + acc4_0);
        store8(y1_tile + 1032, load8(y1_tile + 1032) + acc4_1);
        store8(y1_tile + 1280, load8(y1_tile + 1280) + acc5_0);
        store8(y1_tile + 1288, load8(y1_tile + 1288) + acc5_1);
    }
}

INLINE void local_output_y1_1(const float *heads, const float *dense_weight_group, float *y1_column,
        const float *dense_weight_rem, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *y1_tile = y1_column + tile * 1280;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 8; step++) {
            prefetch(dense_weight_group + (panel * 768 + tile * 5 + step) * 32 + rem * 16);
            const int64_t clamped = min_i64(step, 4);
            prefetch(y1_tile + clamped * 256);
            for (int64_t k = 0; k < 8; k++) {
                const float *heads_k = heads + tile * 400 + step * 8 + k;
                const f32x8 s = splat8(heads_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(heads_k[80]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(heads_k[160]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(heads_k[240]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(heads_k[320]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        store8(y1_tile, load8(y1_tile) + acc0_0);
        store8(y1_tile + 8, load8(y1_tile + 8) + acc0_1);
        store8(y1_tile + 256, load8(y1_tile + 256) + acc1_0);
        store8(y1_tile + 264, load8(y1_tile + 264) + acc1_1);
        store8(y1_tile + 512, load8(y1_tile + 512) + acc2_0);
        store8(y1_tile + 520, load8(y1_tile + 520) + acc2_1);
        store8(y1_tile + 768, load8(y1_tile + 768) + acc3_0);
        store8(y1_tile + 776, load8(y1_tile + 776) + acc3_1);
        store8(y1_tile + 1024, load8(y1_tile + 1024) + acc4_0);
        store8(y1_tile + 1032, load8(y1_tile + 1032) + acc4_1);
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
    const float *restrict q = (const void *)(call->workspace + 8388608);
    float *restrict heads = (void *)scratch; /* [64][80] */
    /* [6][8][768][32] */
    const float *w_attention_output_dense_weight = (const void *)(call->weights + 9846784);
    /* [1][4096][256]: [batch][rows][width]: a stream */
    float *restrict y1 = (void *)call->workspace;
    for (int64_t i = 0; i < 64; i++) {
        for (int64_t v = 0; v < 8; v++) {
            store8(heads + i * 80 + v * 8, load8(q + (block * 64 + i) * 64 + v * 8));
        }
    }
    /* y1 */
    const float *dense_weight_group = w_attention_output_dense_weight + (layer * 6144 + group * 64)
        * 32;
    for (int64_t column = 0; column < 16; column++) {
        const int64_t next = min_i64(column + 1, 15);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *dense_weight_rem = dense_weight_group + panel_1 * 24576 + rem_1 * 16;
        float *y1_column = y1 + block * 16384 + column * 16;
        local_output_y1(heads, dense_weight_group, y1_column, dense_weight_rem, panel, rem);
        local_output_y1_1(heads + 4320, dense_weight_group + 1440, y1_column + 13824,
            dense_weight_rem, panel, rem);
    }
}

INLINE void feed_forward_act(const float *w_feed_forward_dense_dense_weight, const float *norm,
        float *act, const float *dense_weight_layer, const float *dense_weight_rem,
        const float *dense_dense_bias_column, int32_t less, int64_t layer, int64_t panel,
        int64_t rem, int64_t column) {
    for (int64_t tile = 0; tile < 9; tile++) {
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 32; step++) {
            if (less) {
                prefetch(w_feed_forward_dense_dense_weight +
                    ((layer * 16 + panel) * 256 + tile * 22 + step) * 32 + rem * 16);
            } else {
                prefetch(dense_weight_layer + (tile * 22 + step) * 32);
            }
            for (int64_t k = 0; k < 8; k++) {
                const float *norm_k = norm + tile * 1632 + step * 8 + k;
                const f32x8 s = splat8(norm_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(norm_k[272]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(norm_k[544]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(norm_k[816]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(norm_k[1088]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(norm_k[1360]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        const f32x8 v = load8(dense_dense_bias_column);
        const f32x8 y = relu_f32x8(acc0_0 + v);
        float *act_tile = act + tile * 3168 + column * 16;
        store8(act_tile, y);
        const f32x8 y_1 = relu_f32x8(acc1_0 + v);
        store8(act_tile + 528, y_1);
        const f32x8 y_2 = relu_f32x8(acc2_0 + v);
        store8(act_tile + 1056, y_2);
        const f32x8 y_3 = relu_f32x8(acc3_0 + v);
        store8(act_tile + 1584, y_3);
        const f32x8 y_4 = relu_f32x8(acc4_0 + v);
        store8(act_tile + 2112, y_4);
        const f32x8 y_5 = relu_f32x8(acc5_0 + v);
        store8(act_tile + 2640, y_5);
        const f32x8 v_1 = load8(dense_dense_bias_column + 8);
        const f32x8 y_6 = relu_f32x8(acc0_1 + v_1);
        store8(act_tile + 8, y_6);
        const f32x8 y_7 = relu_f32x8(acc1_1 + v_1);
        store8(act_tile + 536, y_7);
        const f32x8 y_8 = relu_f32x8(acc2_1 + v_1);
        store8(act_tile + 1064, y_8);
        const f32x8 y_9 = relu_f32x8(acc3_1 + v_1);
        store8(act_tile + 1592, y_9);
        const f32x8 y_10 = relu_f32x8(acc4_1 + v_1);
        store8(act_tile + 2120, y_10);
        const f32x8 y_11 = relu_f32x8(acc5_1 + v_1);
        store8(act_tile + 2648, y_11);
    }
}

INLINE void feed_forward_act_1(const float *w_feed_forward_dense_dense_weight, const float *norm,
        float *act, const float *dense_weight_layer, const float *dense_weight_rem,
        const float *dense_dense_bias_column, int32_t less, int64_t layer, int64_t panel,
        int64_t rem, int64_t column) {
    for (int64_t tile = 0; tile < 2; tile++) {
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 32; step++) {
            if (less) {
                prefetch(w_feed_forward_dense_dense_weight +
                    ((layer * 16 + panel) * 256 + tile * 22 + step) * 32 + rem * 16);
            } else {
                prefetch(dense_weight_layer + (tile * 22 + step) * 32);
            }
            for (int64_t k = 0; k < 8; k++) {
                const float *norm_k = norm + tile * 1360 + step * 8 + k;
                const f32x8 s = splat8(norm_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(norm_k[272]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(norm_k[544]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(norm_k[816]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(norm_k[1088]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        const f32x8 v = load8(dense_dense_bias_column);
        const f32x8 y = relu_f32x8(acc0_0 + v);
        float *act_tile = act + tile * 2640 + column * 16;
        store8(act_tile, y);
        const f32x8 y_1 = relu_f32x8(acc1_0 + v);
        store8(act_tile + 528, y_1);
        const f32x8 y_2 = relu_f32x8(acc2_0 + v);
        store8(act_tile + 1056, y_2);
        const f32x8 y_3 = relu_f32x8(acc3_0 + v);
        store8(act_tile + 1584, y_3);
        const f32x8 y_4 = relu_f32x8(acc4_0 + v);
        store8(act_tile + 2112, y_4);
        const f32x8 v_1 = load8(dense_dense_bias_column + 8);
        const f32x8 y_5 = relu_f32x8(acc0_1 + v_1);
        store8(act_tile + 8, y_5);
        const f32x8 y_6 = relu_f32x8(acc1_1 + v_1);
        store8(act_tile + 536, y_6);
        const f32x8 y_7 = relu_f32x8(acc2_1 + v_1);
        store8(act_tile + 1064, y_7);
        const f32x8 y_8 = relu_f32x8(acc3_1 + v_1);
        store8(act_tile + 1592, y_8);
        const f32x8 y_9 = relu_f32x8(acc4_1 + v_1);
        store8(act_tile + 2120, y_9);
    }
}

INLINE void feed_forward_y2(const float *act, const float *dense_weight_layer, float *y2_column,
        const float *dense_weight_rem, const float *dense_bias_column, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *y2_tile = y2_column + tile * 1536;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 64; step++) {
            prefetch(dense_weight_layer + (panel * 512 + tile * 44 + step) * 32 + rem * 16);
            const int64_t clamped = min_i64(step, 5);
            prefetch(y2_tile + clamped * 256);
            for (int64_t k = 0; k < 8; k++) {
                const float *act_k = act + tile * 3168 + step * 8 + k;
                const f32x8 s = splat8(act_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(act_k[528]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(act_k[1056]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(act_k[1584]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(act_k[2112]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(act_k[2640]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        const f32x8 v = load8(dense_bias_column);
        store8(y2_tile, load8(y2_tile) + (acc0_0 + v));
        store8(y2_tile + 256, load8(y2_tile + 256) + (acc1_0 + v));
        store8(y2_tile + 512, load8(y2_tile + 512) + (acc2_0 + v));
        store8(y2_tile + 768, load8(y2_tile + 768) + (acc3_0 + v));
        store8(y2_tile + 1024, load8(y2_tile + 1024) + (acc4_0 + v));
        store8(y2_tile + 1280, load8(y2_tile + 1280) + (acc5_0 + v));
        const f32x8 v_1 = load8(dense_bias_column + 8);
        store8(y2_tile + 8, load8(y2_tile + 8) + (acc0_1 + v_1));
        store8(y2_tile + 264, load8(y2_tile + 264) + (acc1_1 + v_1));
        store8(y2_tile + 520, load8(y2_tile + 520) + (acc2_1 + v_1));
        store8(y2_tile + 776, load8(y2_tile + 776) + (acc3_1 + v_1));
        store8(y2_tile + 1032, load8(y2_tile + 1032) + (acc4_1 + v_1));
        store8(y2_tile + 1288, load8(y2_tile + 1288) + (acc5_1 + v_1));
    }
}

INLINE void feed_forward_y2_1(const float *act, const float *dense_weight_layer, float *y2_column,
        const float *dense_weight_rem, const float *dense_bias_column, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *y2_tile = y2_column + tile * 1280;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 64; step++) {
            prefetch(dense_weight_layer + (panel * 512 + tile * 44 + step) * 32 + rem * 16);
            const int64_t clamped = min_i64(step, 4);
            prefetch(y2_tile + clamped * 256);
            for (int64_t k = 0; k < 8; k++) {
                const float *act_k = act + tile * 2640 + step * 8 + k;
                const f32x8 s = splat8(act_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(act_k[528]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(act_k[1056]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(act_k[1584]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(act_k[2112]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        const f32x8 v = load8(dense_bias_column);
        store8(y2_tile, load8(y2_tile) + (acc0_0 + v));
        store8(y2_tile + 256, load8(y2_tile + 256) + (acc1_0 + v));
        store8(y2_tile + 512, load8(y2_tile + 512) + (acc2_0 + v));
        store8(y2_tile + 768, load8(y2_tile + 768) + (acc3_0 + v));
        store8(y2_tile + 1024, load8(y2_tile + 1024) + (acc4_0 + v));
        const f32x8 v_1 = load8(dense_bias_column + 8);
        store8(y2_tile + 8, load8(y2_tile + 8) + (acc0_1 + v_1));
        store8(y2_tile + 264, load8(y2_tile + 264) + (acc1_1 + v_1));
        store8(y2_tile + 520, load8(y2_tile + 520) + (acc2_1 + v_1));
        store8(y2_tile + 776, load8(y2_tile + 776) + (acc3_1 + v_1));
        store8(y2_tile + 1032, load8(y2_tile + 1032) + (acc4_1 + v_1));
    }
}

/* default.yaml:7: on blocks of 64 rows
 * tasks [batch 1][block 64] */
REFORMER_KERNEL static void feed_forward(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 64;
    const int64_t layer = arg[0];
    /* [1][4096][256]: [batch][rows][width]: a stream */
    const float *restrict y1 = (const void *)call->workspace;
    /* [6][256] */
    const float *w_feed_forward_layer_norm_weight = (const void *)(call->weights + 14565376);
    /* [6][256] */
    const float *w_feed_forward_layer_norm_bias = (const void *)(call->weights + 14571520);
    float *restrict norm = (void *)scratch; /* [64][272] */
    /* [6][16][256][32] */
    const float *w_feed_forward_dense_dense_weight = (const void *)(call->weights + 14577664);
    /* [6][8][512][32] */
    const float *w_feed_forward_output_dense_weight = (const void *)(call->weights + 17735680);
    /* [6][512] */
    const float *w_feed_forward_dense_dense_bias = (const void *)(call->weights + 17723392);
    float *restrict act = (void *)(scratch + 69632); /* [64][528] */
    /* [1][4096][256]: [batch][rows][width]: a stream */
    float *restrict y2 = (void *)(call->workspace + 4194304);
    /* [6][256] */
    const float *w_feed_forward_output_dense_bias = (const void *)(call->weights + 20881408);
    /* layer norm of 64 rows of 256 */
    for (int64_t i = 0; i < 64; i++) {
        const float *y1_i = y1 + (block * 64 + i) * 256;
        f32x8 sum = {0};
        for (int64_t v = 0; v < 32; v++) {
            sum = sum + load8(y1_i + v * 8);
        }
        const f32x8 mix = shuffle_swap4_f32x8(sum);
        const f32x8 sum_1 = sum + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
        const f32x8 sum_3 = sum_2 + mix_2;
        const float mean = div_f32(sum_3[0], 256.0f);
        f32x8 sum_4 = {0};
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 diff = load8(y1_i + v * 8) - splat8(mean);
            sum_4 = fma8(diff, diff, sum_4);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
        const f32x8 sum_6 = sum_5 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
        const f32x8 sum_7 = sum_6 + mix_5;
        const float var = div_f32(sum_7[0], 256.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 prod = (load8(y1_i + v * 8) - splat8(mean)) * splat8(scale);
            const f32x8 t =
                fma8(prod, load8(w_feed_forward_layer_norm_weight + layer * 256 + v * 8),
                load8(w_feed_forward_layer_norm_bias + layer * 256 + v * 8));
            store8(norm + i * 272 + v * 8, t);
        }
    }
    /* feed_forward_act */
    const float *dense_weight_layer = w_feed_forward_output_dense_weight + layer * 131072;
    for (int64_t column = 0; column < 32; column++) {
        const int64_t next = min_i64(column + 1, 31);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *dense_weight_rem = w_feed_forward_dense_dense_weight + (layer * 16 + panel_1) *
            256 * 32 + rem_1 * 16;
        const float *dense_dense_bias_column = w_feed_forward_dense_dense_bias + layer * 512 +
            column * 16;
        feed_forward_act(w_feed_forward_dense_dense_weight, norm, act, dense_weight_layer,
            dense_weight_rem, dense_dense_bias_column, less, layer, panel, rem, column);
        feed_forward_act_1(w_feed_forward_dense_dense_weight + 6336, norm + 14688, act + 28512,
            dense_weight_layer + 6336, dense_weight_rem, dense_dense_bias_column, less, layer,
            panel, rem, column);
    }
    /* y2 */
    for (int64_t column = 0; column < 16; column++) {
        const int64_t next = min_i64(column + 1, 15);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *dense_weight_rem = dense_weight_layer + panel_1 * 16384 + rem_1 * 16;
        float *y2_column = y2 + block * 16384 + column * 16;
        const float *dense_bias_column = w_feed_forward_output_dense_bias + layer * 256 + column *
            16;
        feed_forward_y2(act, dense_weight_layer, y2_column, dense_weight_rem, dense_bias_column,
            panel, rem);
        feed_forward_y2_1(act + 28512, dense_weight_layer + 12672, y2_column + 13824,
            dense_weight_rem, dense_bias_column, panel, rem);
    }
}

INLINE void lsh_project_q(const float *y2, const float *attention_norm,
        const float *query_key_weight_group, const float *value_weight_group, float *q_column,
        const float *query_key_weight_rem, int32_t less, int64_t panel, int64_t rem, int64_t column,
        int64_t block) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *q_tile = q_column + tile * 384;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 32; step++) {
            if (less) {
                prefetch(query_key_weight_group + (panel * 256 + tile * 22 + step) * 32 + rem * 16);
            } else {
                prefetch(value_weight_group + (tile * 22 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 5);
            prefetch(q_tile + clamped * 64);
            const int64_t clamped_1 = min_i64(column * 352 + tile * 32 + step, 1023);
            const int64_t clamped_2 = min_i64(block * 64 + clamped_1 / 16 + 64, 4095);
            prefetch(y2 + clamped_2 * 256 + clamped_1 % 16 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1632 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(query_key_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(query_key_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[272]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[544]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[816]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[1088]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(attention_norm_k[1360]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(q_tile, acc0_0);
        store8(q_tile + 8, acc0_1);
        store8(q_tile + 64, acc1_0);
        store8(q_tile + 72, acc1_1);
        store8(q_tile + 128, acc2_0);
        store8(q_tile + 136, acc2_1);
        store8(q_tile + 192, acc3_0);
        store8(q_tile + 200, acc3_1);
        store8(q_tile + 256, acc4_0);
        store8(q_tile + 264, acc4_1);
        store8(q_tile + 320, acc5_0);
        store8(q_tile + 328, acc5_1);
    }
}

INLINE void lsh_project_q_1(const float *y2, const float *attention_norm,
        const float *query_key_weight_group, const float *value_weight_group, float *q_column,
        const float *query_key_weight_rem, int32_t less, int64_t panel, int64_t rem, int64_t column,
        int64_t block) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *q_tile = q_column + tile * 320;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 32; step++) {
            if (less) {
                prefetch(query_key_weight_group + (panel * 256 + tile * 22 + step) * 32 + rem * 16);
            } else {
                prefetch(value_weight_group + (tile * 22 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 4);
            prefetch(q_tile + clamped * 64);
            const int64_t clamped_1 = min_i64(column * 352 + tile * 32 + step + 288, 1023);
            const int64_t clamped_2 = min_i64(block * 64 + clamped_1 / 16 + 64, 4095);
            prefetch(y2 + clamped_2 * 256 + clamped_1 % 16 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1360 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(query_key_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(query_key_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[272]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[544]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[816]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[1088]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        store8(q_tile, acc0_0);
        store8(q_tile + 8, acc0_1);
        store8(q_tile + 64, acc1_0);
        store8(q_tile + 72, acc1_1);
        store8(q_tile + 128, acc2_0);
        store8(q_tile + 136, acc2_1);
        store8(q_tile + 192, acc3_0);
        store8(q_tile + 200, acc3_1);
        store8(q_tile + 256, acc4_0);
        store8(q_tile + 264, acc4_1);
    }
}

INLINE void lsh_project_v(const float *attention_norm, const float *value_weight_group,
        const float *query_key_weight_group, float *v_column, const float *value_weight_rem,
        int32_t less, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *v_tile = v_column + tile * 384;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 32; step++) {
            if (less) {
                prefetch(value_weight_group + (panel * 256 + tile * 22 + step) * 32 + rem * 16);
            } else {
                prefetch(query_key_weight_group + (tile * 22 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 5);
            prefetch(v_tile + clamped * 64);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1632 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(value_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(value_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[272]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[544]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[816]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[1088]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(attention_norm_k[1360]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(v_tile, acc0_0);
        store8(v_tile + 8, acc0_1);
        store8(v_tile + 64, acc1_0);
        store8(v_tile + 72, acc1_1);
        store8(v_tile + 128, acc2_0);
        store8(v_tile + 136, acc2_1);
        store8(v_tile + 192, acc3_0);
        store8(v_tile + 200, acc3_1);
        store8(v_tile + 256, acc4_0);
        store8(v_tile + 264, acc4_1);
        store8(v_tile + 320, acc5_0);
        store8(v_tile + 328, acc5_1);
    }
}

INLINE void lsh_project_v_1(float *v, const float *attention_norm, const float *value_weight_group,
        const float *query_key_weight_group, int64_t block) {
    for (int64_t column = 0; column < 4; column++) {
        const int64_t next = min_i64(column + 1, 3);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *value_weight_rem = value_weight_group + panel_1 * 8192 + rem_1 * 16;
        float *v_column = v + block * 4096 + column * 16;
        lsh_project_v(attention_norm, value_weight_group, query_key_weight_group, v_column,
            value_weight_rem, less, panel, rem);
        for (int64_t tile = 0; tile < 2; tile++) {
            float *v_tile = v_column + tile * 320;
            f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0},
                acc2_1 = {0}, acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
            for (int64_t step = 0; step < 32; step++) {
                if (less) {
                    prefetch(value_weight_group + (panel * 256 + tile * 22 + step) * 32 + rem * 16 +
                        6336);
                } else {
                    prefetch(query_key_weight_group + (tile * 22 + step) * 32 + 6336);
                }
                const int64_t clamped = min_i64(step, 4);
                prefetch(v_tile + clamped * 64 + 3456);
                for (int64_t k = 0; k < 8; k++) {
                    const float *attention_norm_k = attention_norm + tile * 1360 + step * 8 + k;
                    const f32x8 s = splat8(attention_norm_k[14688]);
                    const f32x8 v_1 = load8(value_weight_rem + (step * 8 + k) * 32);
                    acc0_0 = fma8(s, v_1, acc0_0);
                    const f32x8 v_2 = load8(value_weight_rem + (step * 8 + k) * 32 + 8);
                    acc0_1 = fma8(s, v_2, acc0_1);
                    const f32x8 s_1 = splat8(attention_norm_k[14960]);
                    acc1_0 = fma8(s_1, v_1, acc1_0);
                    acc1_1 = fma8(s_1, v_2, acc1_1);
                    const f32x8 s_2 = splat8(attention_norm_k[15232]);
                    acc2_0 = fma8(s_2, v_1, acc2_0);
                    acc2_1 = fma8(s_2, v_2, acc2_1);
                    const f32x8 s_3 = splat8(attention_norm_k[15504]);
                    acc3_0 = fma8(s_3, v_1, acc3_0);
                    acc3_1 = fma8(s_3, v_2, acc3_1);
                    const f32x8 s_4 = splat8(attention_norm_k[15776]);
                    acc4_0 = fma8(s_4, v_1, acc4_0);
                    acc4_1 = fma8(s_4, v_2, acc4_1);
                }
            }
            store8(v_tile + 3456, acc0_0);
            store8(v_tile + 3464, acc0_1);
            store8(v_tile + 3520, acc1_0);
            store8(v_tile + 3528, acc1_1);
            store8(v_tile + 3584, acc2_0);
            store8(v_tile + 3592, acc2_1);
            store8(v_tile + 3648, acc3_0);
            store8(v_tile + 3656, acc3_1);
            store8(v_tile + 3712, acc4_0);
            store8(v_tile + 3720, acc4_1);
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
    const float *restrict y2 = (const void *)(call->workspace + 4194304);
    /* [6][256] */
    const float *w_attention_layer_norm_weight = (const void *)(call->weights + 397312);
    /* [6][256] */
    const float *w_attention_layer_norm_bias = (const void *)(call->weights + 403456);
    float *restrict attention_norm = (void *)scratch; /* [64][272] */
    /* [3][12][2][256][32] */
    const float *w_attention_self_attention_query_key_weight =
        (const void *)(call->weights + 20887552);
    /* [6][12][2][256][32] */
    const float *w_attention_self_attention_value_weight = (const void *)(call->weights + 5128192);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    float *restrict q = (void *)(call->workspace + 8388608);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    float *restrict v = (void *)(call->workspace + 9437184);
    /* [1][1][4096]: [batch][group][rows]: largest score so far */
    float *restrict max_so_far = (void *)(call->workspace + 11550784);
    /* [1][1][4096]: [batch][group][rows]: sum of exponentials */
    float *restrict sum_so_far = (void *)(call->workspace + 11567168);
    /* layer norm of 64 rows of 256 */
    for (int64_t i = 0; i < 64; i++) {
        const float *y2_i = y2 + (block * 64 + i) * 256;
        f32x8 sum = {0};
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            sum = sum + load8(y2_i + v_1 * 8);
        }
        const f32x8 mix = shuffle_swap4_f32x8(sum);
        const f32x8 sum_1 = sum + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
        const f32x8 sum_3 = sum_2 + mix_2;
        const float mean = div_f32(sum_3[0], 256.0f);
        f32x8 sum_4 = {0};
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            const f32x8 diff = load8(y2_i + v_1 * 8) - splat8(mean);
            sum_4 = fma8(diff, diff, sum_4);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
        const f32x8 sum_6 = sum_5 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
        const f32x8 sum_7 = sum_6 + mix_5;
        const float var = div_f32(sum_7[0], 256.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v_1 = 0; v_1 < 32; v_1++) {
            const f32x8 prod = (load8(y2_i + v_1 * 8) - splat8(mean)) * splat8(scale);
            const f32x8 t = fma8(prod, load8(w_attention_layer_norm_weight + layer * 256 + v_1 * 8),
                load8(w_attention_layer_norm_bias + layer * 256 + v_1 * 8));
            store8(attention_norm + i * 272 + v_1 * 8, t);
        }
    }
    /* → q */
    const float *query_key_weight_group = w_attention_self_attention_query_key_weight +
        (index * 12 + group) * 2 * 256 * 32;
    const float *value_weight_group = w_attention_self_attention_value_weight + (layer * 12 + group)
        * 2 * 256 * 32;
    for (int64_t column = 0; column < 4; column++) {
        const int64_t next = min_i64(column + 1, 3);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *query_key_weight_rem = query_key_weight_group + panel_1 * 8192 + rem_1 * 16;
        float *q_column = q + block * 4096 + column * 16;
        lsh_project_q(y2, attention_norm, query_key_weight_group, value_weight_group, q_column,
            query_key_weight_rem, less, panel, rem, column, block);
        lsh_project_q_1(y2, attention_norm + 14688, query_key_weight_group + 6336,
            value_weight_group + 6336, q_column + 3456, query_key_weight_rem, less, panel, rem,
            column, block);
    }
    /* → v */
    lsh_project_v_1(v, attention_norm, value_weight_group, query_key_weight_group, block);
    for (int64_t i = 0; i < 64; i++) {
        max_so_far[block * 64 + i] = -3.4028235e+38f;
        sum_so_far[block * 64 + i] = 0.0f;
    }
}

INLINE void lsh_output_y1(const float *heads, const float *dense_weight_group, float *y1_column,
        const float *dense_weight_rem, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *y1_tile = y1_column + tile * 1536;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 8; step++) {
            prefetch(dense_weight_group + (panel * 768 + tile * 5 + step) * 32 + rem * 16);
            const int64_t clamped = min_i64(step, 5);
            prefetch(y1_tile + clamped * 256);
            for (int64_t k = 0; k < 8; k++) {
                const float *heads_k = heads + tile * 480 + step * 8 + k;
                const f32x8 s = splat8(heads_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(heads_k[80]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(heads_k[160]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(heads_k[240]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(heads_k[320]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(heads_k[400]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(y1_tile, load8(y1_tile) + acc0_0);
        store8(y1_tile + 8, load8(y1_tile + 8) + acc0_1);
        store8(y1_tile + 256, load8(y1_tile + 256) + acc1_0);
        store8(y1_tile + 264, load8(y1_tile + 264) + acc1_1);
        store8(y1_tile + 512, load8(y1_tile + 512) + acc2_0);
        store8(y1_tile + 520, load8(y1_tile + 520) + acc2_1);
        store8(y1_tile + 768, load8(y1_tile + 768) + acc3_0);
        store8(y1_tile + 776, load8(y1_tile + 776) + acc3_1);
        store8(y1_tile + 1024, load8(y1_tile + 1024) + acc4_0);
        store8(y1_tile + 1032, load8(y1_tile + 1032) + acc4_1);
        store8(y1_tile + 1280, load8(y1_tile + 1280) + acc5_0);
        store8(y1_tile + 1288, load8(y1_tile + 1288) + acc5_1);
    }
}

INLINE void lsh_output_y1_1(const float *heads, const float *dense_weight_group, float *y1_column,
        const float *dense_weight_rem, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *y1_tile = y1_column + tile * 1280;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 8; step++) {
            prefetch(dense_weight_group + (panel * 768 + tile * 5 + step) * 32 + rem * 16);
            const int64_t clamped = min_i64(step, 4);
            prefetch(y1_tile + clamped * 256);
            for (int64_t k = 0; k < 8; k++) {
                const float *heads_k = heads + tile * 400 + step * 8 + k;
                const f32x8 s = splat8(heads_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(heads_k[80]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(heads_k[160]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(heads_k[240]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(heads_k[320]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        store8(y1_tile, load8(y1_tile) + acc0_0);
        store8(y1_tile + 8, load8(y1_tile + 8) + acc0_1);
        store8(y1_tile + 256, load8(y1_tile + 256) + acc1_0);
        store8(y1_tile + 264, load8(y1_tile + 264) + acc1_1);
        store8(y1_tile + 512, load8(y1_tile + 512) + acc2_0);
        store8(y1_tile + 520, load8(y1_tile + 520) + acc2_1);
        store8(y1_tile + 768, load8(y1_tile + 768) + acc3_0);
        store8(y1_tile + 776, load8(y1_tile + 776) + acc3_1);
        store8(y1_tile + 1024, load8(y1_tile + 1024) + acc4_0);
        store8(y1_tile + 1032, load8(y1_tile + 1032) + acc4_1);
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
    const float *restrict sum_so_far = (const void *)(call->workspace + 11567168);
    /* [1][1][4096][64]: [batch][group][rows][head]: keys, or an output apart from the queries */
    const float *restrict k_out = (const void *)(call->workspace + 10485760);
    float *restrict heads = (void *)scratch; /* [64][80] */
    /* [1][1][1][4096]: [batch][group][round][rows]: self entries of rows without other keys */
    const int32_t *restrict self_count = (const void *)(call->workspace + 11583552);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    const float *restrict v = (const void *)(call->workspace + 9437184);
    /* [6][8][768][32] */
    const float *w_attention_output_dense_weight = (const void *)(call->weights + 9846784);
    /* [1][4096][256]: [batch][rows][width]: a stream */
    float *restrict y1 = (void *)call->workspace;
    for (int64_t i = 0; i < 64; i++) {
        const float sum = sum_so_far[block * 64 + i];
        if (sum != 0.0f) {
            const float quot = div_f32(1.0f, sum);
            for (int64_t v_1 = 0; v_1 < 8; v_1++) {
                store8(heads + i * 80 + v_1 * 8,
                    mul8(load8(k_out + (block * 64 + i) * 64 + v_1 * 8), splat8(quot)));
            }
        } else {
            const float x = (float)self_count[block * 64 + i];
            const float y = log_f32(x);
            const float y_1 = exp_f32(-1e+05f - (-1e+05f + y));
            const float weight = mul_f32(x, y_1);
            for (int64_t v_1 = 0; v_1 < 8; v_1++) {
                store8(heads + i * 80 + v_1 * 8, mul8(load8(v + (block * 64 + i) * 64 + v_1 * 8),
                    splat8(weight)));
            }
        }
    }
    /* y1 */
    const float *dense_weight_group = w_attention_output_dense_weight + (layer * 6144 + group * 64)
        * 32;
    for (int64_t column = 0; column < 16; column++) {
        const int64_t next = min_i64(column + 1, 15);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *dense_weight_rem = dense_weight_group + panel_1 * 24576 + rem_1 * 16;
        float *y1_column = y1 + block * 16384 + column * 16;
        lsh_output_y1(heads, dense_weight_group, y1_column, dense_weight_rem, panel, rem);
        lsh_output_y1_1(heads + 4320, dense_weight_group + 1440, y1_column + 13824,
            dense_weight_rem, panel, rem);
    }
}

INLINE void final_norm_hidden(const float *y1, const float *y2,
        const float *w_encoder_layer_norm_weight, const float *w_encoder_layer_norm_bias,
        float *hidden, int64_t block) {
    for (int64_t i = 0; i < 64; i++) {
        const float *y1_i = y1 + (block * 64 + i) * 256;
        f32x8 sum = {0};
        for (int64_t v = 0; v < 32; v++) {
            sum = sum + load8(y1_i + v * 8);
        }
        const f32x8 mix = shuffle_swap4_f32x8(sum);
        const f32x8 sum_1 = sum + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
        const f32x8 sum_3 = sum_2 + mix_2;
        const float *y2_i = y2 + (block * 64 + i) * 256;
        const float lane = sum_3[0];
        f32x8 sum_4 = {0};
        for (int64_t v = 0; v < 32; v++) {
            sum_4 = sum_4 + load8(y2_i + v * 8);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
        const f32x8 sum_6 = sum_5 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
        const f32x8 sum_7 = sum_6 + mix_5;
        const float mean = div_f32(lane + sum_7[0], 512.0f);
        f32x8 sum_8 = {0};
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 diff = load8(y1_i + v * 8) - splat8(mean);
            sum_8 = fma8(diff, diff, sum_8);
        }
        const f32x8 mix_6 = shuffle_swap4_f32x8(sum_8);
        const f32x8 sum_9 = sum_8 + mix_6;
        const f32x8 mix_7 = shuffle_swap2_f32x8(sum_9);
        const f32x8 sum_10 = sum_9 + mix_7;
        const f32x8 mix_8 = shuffle_swap1_f32x8(sum_10);
        const f32x8 sum_11 = sum_10 + mix_8;
        const float lane_1 = sum_11[0];
        f32x8 sum_12 = {0};
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 diff = load8(y2_i + v * 8) - splat8(mean);
            sum_12 = fma8(diff, diff, sum_12);
        }
        const f32x8 mix_9 = shuffle_swap4_f32x8(sum_12);
        const f32x8 sum_13 = sum_12 + mix_9;
        const f32x8 mix_10 = shuffle_swap2_f32x8(sum_13);
        const f32x8 sum_14 = sum_13 + mix_10;
        const f32x8 mix_11 = shuffle_swap1_f32x8(sum_14);
        const f32x8 sum_15 = sum_14 + mix_11;
        const float var = div_f32(lane_1 + sum_15[0], 512.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 prod = (load8(y1_i + v * 8) - splat8(mean)) * splat8(scale);
            const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8),
                load8(w_encoder_layer_norm_bias + v * 8));
            store8(hidden + i * 528 + v * 8, t);
        }
        for (int64_t v = 0; v < 32; v++) {
            const f32x8 prod = (load8(y2_i + v * 8) - splat8(mean)) * splat8(scale);
            const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8 + 256),
                load8(w_encoder_layer_norm_bias + v * 8 + 256));
            store8(hidden + i * 528 + v * 8 + 256, t);
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
    const float *restrict y1 = (const void *)call->workspace;
    /* [1][4096][256]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const void *)(call->workspace + 4194304);
    /* [1][512] */
    const float *w_encoder_layer_norm_weight = (const void *)(call->weights + 23836672);
    /* [1][512] */
    const float *w_encoder_layer_norm_bias = (const void *)(call->weights + 23838720);
    float *restrict hidden = (void *)scratch; /* [64][528] */
    const int32_t *restrict control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    const int32_t *restrict row = call->slot[REFORMER_SLOT_ROW]; /* [1][4096] */
    float *restrict last_hidden_state = call->slot[REFORMER_SLOT_HIDDEN]; /* [4096][512] */
    /* layer norm of 64 rows of 512 */
    final_norm_hidden(y1, y2, w_encoder_layer_norm_weight, w_encoder_layer_norm_bias, hidden,
        block);
    if (control[0]) {
        for (int64_t i = 0; i < 64; i++) {
            const int32_t out_row = row[block * 64 + i];
            if (out_row >= 0) {
                const int64_t clamped = max_i32(out_row, 0);
                for (int64_t v = 0; v < 64; v++) {
                    store8(last_hidden_state + clamped * 512 + v * 8,
                        load8(hidden + i * 528 + v * 8));
                }
            }
        }
    }
}

INLINE void local_attention_queries(const float *q, float *queries, int64_t chunk, int64_t panel,
        int64_t vector) {
    for (int64_t d = 0; d < 8; d++) {
        const float *q_d = q + (chunk * 64 + panel * 16 + vector * 8) * 64 + d * 8;
        const f32x8 v = load8(q_d);
        const f32x8 v_1 = load8(q_d + 64);
        const f32x8 mix = shuffle_low1_f32x8(v, v_1);
        const f32x8 v_2 = load8(q_d + 128);
        const f32x8 v_3 = load8(q_d + 192);
        const f32x8 mix_1 = shuffle_low1_f32x8(v_2, v_3);
        const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
        const f32x8 v_4 = load8(q_d + 256);
        const f32x8 v_5 = load8(q_d + 320);
        const f32x8 mix_3 = shuffle_low1_f32x8(v_4, v_5);
        const f32x8 v_6 = load8(q_d + 384);
        const f32x8 v_7 = load8(q_d + 448);
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
        float *queries_d = queries + (panel * 64 + d * 8) * 16 + vector * 8;
        store8(queries_d, shuffle_low4_f32x8(mix_2, mix_5));
        store8(queries_d + 16, shuffle_low4_f32x8(mix_8, mix_11));
        store8(queries_d + 32, shuffle_low4_f32x8(mix_12, mix_13));
        store8(queries_d + 48, shuffle_low4_f32x8(mix_14, mix_15));
        store8(queries_d + 64, shuffle_high4_f32x8(mix_2, mix_5));
        store8(queries_d + 80, shuffle_high4_f32x8(mix_8, mix_11));
        store8(queries_d + 96, shuffle_high4_f32x8(mix_12, mix_13));
        store8(queries_d + 112, shuffle_high4_f32x8(mix_14, mix_15));
    }
}

INLINE void local_attention_q(const float *scores, const float *v, const float *inverse,
        float *q_column, int64_t chunk, int64_t column) {
    for (int64_t tile = 0; tile < 2; tile++) {
        f32x8 sum = {0}, sum_1 = {0}, sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0},
            sum_6 = {0}, sum_7 = {0}, sum_8 = {0}, sum_9 = {0};
        for (int64_t o = 0; o < 2; o++) {
            const int64_t other = (chunk + o + 63) % 64;
            for (int64_t k = 0; k < 64; k++) {
                const float *scores_k = scores + (o * 64 + k) * 16 + tile * 5;
                const f32x8 s = splat8(scores_k[0]);
                const f32x8 v_1 = load8(v + (other * 64 + k) * 64 + column * 16);
                sum = fma8(s, v_1, sum);
                const f32x8 v_2 = load8(v + (other * 64 + k) * 64 + column * 16 + 8);
                sum_1 = fma8(s, v_2, sum_1);
                const f32x8 s_1 = splat8(scores_k[1]);
                sum_2 = fma8(s_1, v_1, sum_2);
                sum_3 = fma8(s_1, v_2, sum_3);
                const f32x8 s_2 = splat8(scores_k[2]);
                sum_4 = fma8(s_2, v_1, sum_4);
                sum_5 = fma8(s_2, v_2, sum_5);
                const f32x8 s_3 = splat8(scores_k[3]);
                sum_6 = fma8(s_3, v_1, sum_6);
                sum_7 = fma8(s_3, v_2, sum_7);
                const f32x8 s_4 = splat8(scores_k[4]);
                sum_8 = fma8(s_4, v_1, sum_8);
                sum_9 = fma8(s_4, v_2, sum_9);
            }
        }
        const float *inverse_tile = inverse + tile * 5;
        const f32x8 s = splat8(inverse_tile[0]);
        float *q_tile = q_column + tile * 320;
        store8(q_tile, mul8(sum, s));
        store8(q_tile + 8, mul8(sum_1, s));
        const f32x8 s_1 = splat8(inverse_tile[1]);
        store8(q_tile + 64, mul8(sum_2, s_1));
        store8(q_tile + 72, mul8(sum_3, s_1));
        const f32x8 s_2 = splat8(inverse_tile[2]);
        store8(q_tile + 128, mul8(sum_4, s_2));
        store8(q_tile + 136, mul8(sum_5, s_2));
        const f32x8 s_3 = splat8(inverse_tile[3]);
        store8(q_tile + 192, mul8(sum_6, s_3));
        store8(q_tile + 200, mul8(sum_7, s_3));
        const f32x8 s_4 = splat8(inverse_tile[4]);
        store8(q_tile + 256, mul8(sum_8, s_4));
        store8(q_tile + 264, mul8(sum_9, s_4));
    }
}

INLINE void local_attention_q_1(const float *scores, const float *v, const float *inverse,
        float *q_panel, int64_t chunk) {
    for (int64_t column = 0; column < 4; column++) {
        f32x8 sum = {0}, sum_1 = {0}, sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0},
            sum_6 = {0}, sum_7 = {0}, sum_8 = {0}, sum_9 = {0}, sum_10 = {0}, sum_11 = {0};
        for (int64_t o = 0; o < 2; o++) {
            const int64_t other = (chunk + o + 63) % 64;
            for (int64_t k = 0; k < 64; k++) {
                const float *scores_k = scores + (o * 64 + k) * 16;
                const f32x8 s = splat8(scores_k[0]);
                const f32x8 v_1 = load8(v + (other * 64 + k) * 64 + column * 16);
                sum = fma8(s, v_1, sum);
                const f32x8 v_2 = load8(v + (other * 64 + k) * 64 + column * 16 + 8);
                sum_1 = fma8(s, v_2, sum_1);
                const f32x8 s_1 = splat8(scores_k[1]);
                sum_2 = fma8(s_1, v_1, sum_2);
                sum_3 = fma8(s_1, v_2, sum_3);
                const f32x8 s_2 = splat8(scores_k[2]);
                sum_4 = fma8(s_2, v_1, sum_4);
                sum_5 = fma8(s_2, v_2, sum_5);
                const f32x8 s_3 = splat8(scores_k[3]);
                sum_6 = fma8(s_3, v_1, sum_6);
                sum_7 = fma8(s_3, v_2, sum_7);
                const f32x8 s_4 = splat8(scores_k[4]);
                sum_8 = fma8(s_4, v_1, sum_8);
                sum_9 = fma8(s_4, v_2, sum_9);
                const f32x8 s_5 = splat8(scores_k[5]);
                sum_10 = fma8(s_5, v_1, sum_10);
                sum_11 = fma8(s_5, v_2, sum_11);
            }
        }
        const f32x8 s = splat8(inverse[0]);
        float *q_column = q_panel + chunk * 4096 + column * 16;
        store8(q_column, mul8(sum, s));
        store8(q_column + 8, mul8(sum_1, s));
        const f32x8 s_1 = splat8(inverse[1]);
        store8(q_column + 64, mul8(sum_2, s_1));
        store8(q_column + 72, mul8(sum_3, s_1));
        const f32x8 s_2 = splat8(inverse[2]);
        store8(q_column + 128, mul8(sum_4, s_2));
        store8(q_column + 136, mul8(sum_5, s_2));
        const f32x8 s_3 = splat8(inverse[3]);
        store8(q_column + 192, mul8(sum_6, s_3));
        store8(q_column + 200, mul8(sum_7, s_3));
        const f32x8 s_4 = splat8(inverse[4]);
        store8(q_column + 256, mul8(sum_8, s_4));
        store8(q_column + 264, mul8(sum_9, s_4));
        const f32x8 s_5 = splat8(inverse[5]);
        store8(q_column + 320, mul8(sum_10, s_5));
        store8(q_column + 328, mul8(sum_11, s_5));
        local_attention_q(scores + 6, v, inverse + 6, q_column + 384, chunk, column);
    }
}

INLINE void local_attention_scores(float *q, const float *k_out, const float *v,
        const float *queries, const int32_t *key, float *scores, float *inverse, int64_t chunk) {
    for (int64_t panel = 0; panel < 4; panel++) {
        float *q_panel = q + panel * 1024;
        const float *queries_panel = queries + panel * 1024;
        const float *k_out_panel = k_out + panel * 1024;
        const float *v_panel = v + panel * 1024;
        f32x8 most = splat8(-3.4028235e+38f), most_1 = splat8(-3.4028235e+38f);
        for (int64_t o = 0; o < 2; o++) {
            const int64_t other = (chunk + o + 63) % 64;
            const float *k_out_other = k_out + other * 4096;
            const int32_t *key_other = key + other * 64;
            float *scores_o = scores + o * 1024;
            for (int64_t keys = 0; keys < 9; keys++) {
                const int64_t next = min_i64(chunk + 1, 63);
                const int64_t ahead = min_i64(o * 11 + keys, 15);
                const float *q_ahead = q_panel + (next * 64 + ahead) * 64;
                prefetch(q_ahead);
                prefetch(q_ahead + 16);
                prefetch(q_ahead + 32);
                prefetch(q_ahead + 48);
                const float *k_out_ahead = k_out_panel + (next * 64 + ahead) * 64;
                prefetch(k_out_ahead);
                prefetch(k_out_ahead + 16);
                prefetch(k_out_ahead + 32);
                prefetch(k_out_ahead + 48);
                const float *v_ahead = v_panel + (next * 64 + ahead) * 64;
                prefetch(v_ahead);
                prefetch(v_ahead + 16);
                prefetch(v_ahead + 32);
                prefetch(v_ahead + 48);
                f32x8 sum = {0}, sum_1 = {0}, sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0},
                    sum_6 = {0}, sum_7 = {0}, sum_8 = {0}, sum_9 = {0}, sum_10 = {0}, sum_11 = {0};
                for (int64_t k = 0; k < 64; k++) {
                    const float *k_out_k = k_out_other + keys * 384 + k;
                    const f32x8 s = splat8(k_out_k[0]);
                    const f32x8 v_1 = load8(queries_panel + k * 16);
                    sum = fma8(s, v_1, sum);
                    const f32x8 v_2 = load8(queries_panel + k * 16 + 8);
                    sum_1 = fma8(s, v_2, sum_1);
                    const f32x8 s_1 = splat8(k_out_k[64]);
                    sum_2 = fma8(s_1, v_1, sum_2);
                    sum_3 = fma8(s_1, v_2, sum_3);
                    const f32x8 s_2 = splat8(k_out_k[128]);
                    sum_4 = fma8(s_2, v_1, sum_4);
                    sum_5 = fma8(s_2, v_2, sum_5);
                    const f32x8 s_3 = splat8(k_out_k[192]);
                    sum_6 = fma8(s_3, v_1, sum_6);
                    sum_7 = fma8(s_3, v_2, sum_7);
                    const f32x8 s_4 = splat8(k_out_k[256]);
                    sum_8 = fma8(s_4, v_1, sum_8);
                    sum_9 = fma8(s_4, v_2, sum_9);
                    const f32x8 s_5 = splat8(k_out_k[320]);
                    sum_10 = fma8(s_5, v_1, sum_10);
                    sum_11 = fma8(s_5, v_2, sum_11);
                }
                const int32_t *key_keys = key_other + keys * 6;
                const i32x8 less = (i32x8)(splat_i32x8(key_keys[0]) < splat_i32x8(1073741824));
                const f32x8 pick = select8(less, mul8(sum, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger = max8(most, pick);
                float *scores_keys = scores_o + keys * 96;
                store8(scores_keys, pick);
                const f32x8 pick_1 = select8(less, mul8(sum_1, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_1 = max8(most_1, pick_1);
                store8(scores_keys + 8, pick_1);
                const i32x8 less_1 = (i32x8)(splat_i32x8(key_keys[1]) < splat_i32x8(1073741824));
                const f32x8 pick_2 = select8(less_1, mul8(sum_2, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_2 = max8(larger, pick_2);
                store8(scores_keys + 16, pick_2);
                const f32x8 pick_3 = select8(less_1, mul8(sum_3, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_3 = max8(larger_1, pick_3);
                store8(scores_keys + 24, pick_3);
                const i32x8 less_2 = (i32x8)(splat_i32x8(key_keys[2]) < splat_i32x8(1073741824));
                const f32x8 pick_4 = select8(less_2, mul8(sum_4, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_4 = max8(larger_2, pick_4);
                store8(scores_keys + 32, pick_4);
                const f32x8 pick_5 = select8(less_2, mul8(sum_5, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_5 = max8(larger_3, pick_5);
                store8(scores_keys + 40, pick_5);
                const i32x8 less_3 = (i32x8)(splat_i32x8(key_keys[3]) < splat_i32x8(1073741824));
                const f32x8 pick_6 = select8(less_3, mul8(sum_6, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_6 = max8(larger_4, pick_6);
                store8(scores_keys + 48, pick_6);
                const f32x8 pick_7 = select8(less_3, mul8(sum_7, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_7 = max8(larger_5, pick_7);
                store8(scores_keys + 56, pick_7);
                const i32x8 less_4 = (i32x8)(splat_i32x8(key_keys[4]) < splat_i32x8(1073741824));
                const f32x8 pick_8 = select8(less_4, mul8(sum_8, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_8 = max8(larger_6, pick_8);
                store8(scores_keys + 64, pick_8);
                const f32x8 pick_9 = select8(less_4, mul8(sum_9, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_9 = max8(larger_7, pick_9);
                store8(scores_keys + 72, pick_9);
                const i32x8 less_5 = (i32x8)(splat_i32x8(key_keys[5]) < splat_i32x8(1073741824));
                const f32x8 pick_10 = select8(less_5, mul8(sum_10, splat8(0.125f)),
                    splat8(-1e+09f));
                most = max8(larger_8, pick_10);
                store8(scores_keys + 80, pick_10);
                const f32x8 pick_11 = select8(less_5, mul8(sum_11, splat8(0.125f)),
                    splat8(-1e+09f));
                most_1 = max8(larger_9, pick_11);
                store8(scores_keys + 88, pick_11);
            }
            for (int64_t keys = 0; keys < 2; keys++) {
                const int64_t next = min_i64(chunk + 1, 63);
                const int64_t ahead = min_i64(o * 11 + keys + 9, 15);
                const float *q_ahead = q_panel + (next * 64 + ahead) * 64;
                prefetch(q_ahead);
                prefetch(q_ahead + 16);
                prefetch(q_ahead + 32);
                prefetch(q_ahead + 48);
                const float *k_out_ahead = k_out_panel + (next * 64 + ahead) * 64;
                prefetch(k_out_ahead);
                prefetch(k_out_ahead + 16);
                prefetch(k_out_ahead + 32);
                prefetch(k_out_ahead + 48);
                const float *v_ahead = v_panel + (next * 64 + ahead) * 64;
                prefetch(v_ahead);
                prefetch(v_ahead + 16);
                prefetch(v_ahead + 32);
                prefetch(v_ahead + 48);
                f32x8 sum = {0}, sum_1 = {0}, sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0},
                    sum_6 = {0}, sum_7 = {0}, sum_8 = {0}, sum_9 = {0};
                for (int64_t k = 0; k < 64; k++) {
                    const float *k_out_k = k_out_other + keys * 320 + k;
                    const f32x8 s = splat8(k_out_k[3456]);
                    const f32x8 v_1 = load8(queries_panel + k * 16);
                    sum = fma8(s, v_1, sum);
                    const f32x8 v_2 = load8(queries_panel + k * 16 + 8);
                    sum_1 = fma8(s, v_2, sum_1);
                    const f32x8 s_1 = splat8(k_out_k[3520]);
                    sum_2 = fma8(s_1, v_1, sum_2);
                    sum_3 = fma8(s_1, v_2, sum_3);
                    const f32x8 s_2 = splat8(k_out_k[3584]);
                    sum_4 = fma8(s_2, v_1, sum_4);
                    sum_5 = fma8(s_2, v_2, sum_5);
                    const f32x8 s_3 = splat8(k_out_k[3648]);
                    sum_6 = fma8(s_3, v_1, sum_6);
                    sum_7 = fma8(s_3, v_2, sum_7);
                    const f32x8 s_4 = splat8(k_out_k[3712]);
                    sum_8 = fma8(s_4, v_1, sum_8);
                    sum_9 = fma8(s_4, v_2, sum_9);
                }
                const int32_t *key_keys = key_other + keys * 5;
                const i32x8 less = (i32x8)(splat_i32x8(key_keys[54]) < splat_i32x8(1073741824));
                const f32x8 pick = select8(less, mul8(sum, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger = max8(most, pick);
                float *scores_keys = scores_o + keys * 80;
                store8(scores_keys + 864, pick);
                const f32x8 pick_1 = select8(less, mul8(sum_1, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_1 = max8(most_1, pick_1);
                store8(scores_keys + 872, pick_1);
                const i32x8 less_1 = (i32x8)(splat_i32x8(key_keys[55]) < splat_i32x8(1073741824));
                const f32x8 pick_2 = select8(less_1, mul8(sum_2, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_2 = max8(larger, pick_2);
                store8(scores_keys + 880, pick_2);
                const f32x8 pick_3 = select8(less_1, mul8(sum_3, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_3 = max8(larger_1, pick_3);
                store8(scores_keys + 888, pick_3);
                const i32x8 less_2 = (i32x8)(splat_i32x8(key_keys[56]) < splat_i32x8(1073741824));
                const f32x8 pick_4 = select8(less_2, mul8(sum_4, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_4 = max8(larger_2, pick_4);
                store8(scores_keys + 896, pick_4);
                const f32x8 pick_5 = select8(less_2, mul8(sum_5, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_5 = max8(larger_3, pick_5);
                store8(scores_keys + 904, pick_5);
                const i32x8 less_3 = (i32x8)(splat_i32x8(key_keys[57]) < splat_i32x8(1073741824));
                const f32x8 pick_6 = select8(less_3, mul8(sum_6, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_6 = max8(larger_4, pick_6);
                store8(scores_keys + 912, pick_6);
                const f32x8 pick_7 = select8(less_3, mul8(sum_7, splat8(0.125f)), splat8(-1e+09f));
                const f32x8 larger_7 = max8(larger_5, pick_7);
                store8(scores_keys + 920, pick_7);
                const i32x8 less_4 = (i32x8)(splat_i32x8(key_keys[58]) < splat_i32x8(1073741824));
                const f32x8 pick_8 = select8(less_4, mul8(sum_8, splat8(0.125f)), splat8(-1e+09f));
                most = max8(larger_6, pick_8);
                store8(scores_keys + 928, pick_8);
                const f32x8 pick_9 = select8(less_4, mul8(sum_9, splat8(0.125f)), splat8(-1e+09f));
                most_1 = max8(larger_7, pick_9);
                store8(scores_keys + 936, pick_9);
            }
        }
        f32x8 sum = {0}, sum_1 = {0};
        for (int64_t key_1 = 0; key_1 < 128; key_1++) {
            const f32x8 y = exp_f32x8(load8(scores + key_1 * 16) - most);
            store8(scores + key_1 * 16, y);
            const f32x8 y_1 = exp_f32x8(load8(scores + key_1 * 16 + 8) - most_1);
            sum = sum + y;
            store8(scores + key_1 * 16 + 8, y_1);
            sum_1 = sum_1 + y_1;
        }
        const f32x8 larger = max8(most, -most);
        const f32x8 y = log_f32x8(sum);
        const f32x8 y_1 = exp_f32x8(most - (y + most));
        store8(inverse, select8((i32x8)(larger > splat8(256.0f)), y_1, div8(splat8(1.0f), sum)));
        const f32x8 larger_1 = max8(most_1, -most_1);
        const f32x8 y_2 = log_f32x8(sum_1);
        const f32x8 y_3 = exp_f32x8(most_1 - (y_2 + most_1));
        const f32x8 pick = select8((i32x8)(larger_1 > splat8(256.0f)), y_3,
            div8(splat8(1.0f), sum_1));
        store8(inverse + 8, pick);
        local_attention_q_1(scores, v, inverse, q_panel, chunk);
    }
}

/* default.yaml:21: local attention: chunks of 64 against 1 before and 0 after
 * tasks [batch 1][head 1][chunk 64] */
REFORMER_KERNEL static void local_attention(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    const int64_t chunk = task % 64;
    /* [1][1][4096][64]: [batch][group][rows][head] */
    float *restrict q = (void *)(call->workspace + 8388608);
    float *restrict queries = (void *)scratch; /* [1][4][64][16] */
    int32_t *restrict query_pos = (void *)(scratch + 16384); /* [1][64] */
    /* [1][1][4096][64]: [batch][group][rows][head]: keys, or an output apart from the queries */
    const float *restrict k_out = (const void *)(call->workspace + 10485760);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    const float *restrict v = (const void *)(call->workspace + 9437184);
    const int32_t *restrict key = call->slot[REFORMER_SLOT_KEY]; /* [1][4096] */
    float *restrict scores = (void *)(scratch + 16640); /* [128][16] */
    float *restrict inverse = (void *)(scratch + 24832); /* [16] */
    for (int64_t panel = 0; panel < 4; panel++) {
        for (int64_t vector = 0; vector < 2; vector++) {
            local_attention_queries(q, queries, chunk, panel, vector);
        }
    }
    for (int64_t lane = 0; lane < 64; lane++) {
        query_pos[lane] = (int32_t)(chunk * 64 + lane);
    }
    local_attention_scores(q, k_out, v, queries, key, scores, inverse, chunk);
}

INLINE void lsh_hash_queries(const float *q, float *queries, int64_t block, int64_t panel,
        int64_t vector) {
    for (int64_t d = 0; d < 8; d++) {
        const float *q_d = q + (block * 64 + panel * 16 + vector * 8) * 64 + d * 8;
        const f32x8 v = load8(q_d);
        const f32x8 v_1 = load8(q_d + 64);
        const f32x8 mix = shuffle_low1_f32x8(v, v_1);
        const f32x8 v_2 = load8(q_d + 128);
        const f32x8 v_3 = load8(q_d + 192);
        const f32x8 mix_1 = shuffle_low1_f32x8(v_2, v_3);
        const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
        const f32x8 v_4 = load8(q_d + 256);
        const f32x8 v_5 = load8(q_d + 320);
        const f32x8 mix_3 = shuffle_low1_f32x8(v_4, v_5);
        const f32x8 v_6 = load8(q_d + 384);
        const f32x8 v_7 = load8(q_d + 448);
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
        float *queries_d = queries + (panel * 64 + d * 8) * 16 + vector * 8;
        store8(queries_d, shuffle_low4_f32x8(mix_2, mix_5));
        store8(queries_d + 16, shuffle_low4_f32x8(mix_8, mix_11));
        store8(queries_d + 32, shuffle_low4_f32x8(mix_12, mix_13));
        store8(queries_d + 48, shuffle_low4_f32x8(mix_14, mix_15));
        store8(queries_d + 64, shuffle_high4_f32x8(mix_2, mix_5));
        store8(queries_d + 80, shuffle_high4_f32x8(mix_8, mix_11));
        store8(queries_d + 96, shuffle_high4_f32x8(mix_12, mix_13));
        store8(queries_d + 112, shuffle_high4_f32x8(mix_14, mix_15));
    }
}

INLINE void lsh_hash_found(const float *q, const float *w_rotations, const float *queries,
        int32_t *found, int64_t block, int64_t index, int64_t group) {
    for (int64_t panel = 0; panel < 4; panel++) {
        for (int64_t lane = 0; lane < 16; lane++) {
            const int64_t clamped = min_i64(block * 64 + panel * 16 + lane + 64, 4095);
            prefetch(q + clamped * 64);
            prefetch(q + clamped * 64 + 16);
            prefetch(q + clamped * 64 + 32);
            prefetch(q + clamped * 64 + 48);
        }
        const float *queries_panel = queries + panel * 1024;
        f32x8 most = splat8(-3.4028235e+38f);
        i32x8 most_at = {0};
        f32x8 least = splat8(3.4028235e+38f);
        i32x8 least_at = {0};
        f32x8 most_1 = splat8(-3.4028235e+38f);
        i32x8 most_at_1 = {0};
        f32x8 least_1 = splat8(3.4028235e+38f);
        i32x8 least_at_1 = {0};
        for (int64_t columns = 0; columns < 9; columns++) {
            f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0},
                acc2_1 = {0}, acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0},
                acc5_1 = {0};
            for (int64_t k = 0; k < 64; k++) {
                const float *w_rotations_k = w_rotations + ((index * 12 + group) * 64 + k) * 64 +
                    columns * 6;
                const f32x8 s = splat8(w_rotations_k[0]);
                const f32x8 v = load8(queries_panel + k * 16);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(queries_panel + k * 16 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(w_rotations_k[1]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(w_rotations_k[2]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(w_rotations_k[3]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(w_rotations_k[4]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(w_rotations_k[5]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
            const f32x8 larger = max8(acc0_0, most);
            const f32x8 larger_1 = max8(acc1_0, larger);
            const f32x8 larger_2 = max8(acc2_0, larger_1);
            const f32x8 larger_3 = max8(acc3_0, larger_2);
            const f32x8 larger_4 = max8(acc4_0, larger_3);
            const i32x8 s = splat_i32x8((int32_t)(columns * 6 + 5));
            const i32x8 s_1 = splat_i32x8((int32_t)(columns * 6 + 4));
            const i32x8 s_2 = splat_i32x8((int32_t)(columns * 6 + 3));
            const i32x8 s_3 = splat_i32x8((int32_t)(columns * 6 + 2));
            const i32x8 s_4 = splat_i32x8((int32_t)(columns * 6 + 1));
            const i32x8 s_5 = splat_i32x8((int32_t)(columns * 6));
            const i32x8 pick = select_i32x8((i32x8)(acc0_0 > most), s_5, most_at);
            const i32x8 pick_1 = select_i32x8((i32x8)(acc1_0 > larger), s_4, pick);
            const i32x8 pick_2 = select_i32x8((i32x8)(acc2_0 > larger_1), s_3, pick_1);
            const i32x8 pick_3 = select_i32x8((i32x8)(acc3_0 > larger_2), s_2, pick_2);
            const i32x8 pick_4 = select_i32x8((i32x8)(acc4_0 > larger_3), s_1, pick_3);
            most_at = select_i32x8((i32x8)(acc5_0 > larger_4), s, pick_4);
            const f32x8 smaller = min8(acc0_0, least);
            const f32x8 smaller_1 = min8(acc1_0, smaller);
            const f32x8 smaller_2 = min8(acc2_0, smaller_1);
            const f32x8 smaller_3 = min8(acc3_0, smaller_2);
            const f32x8 smaller_4 = min8(acc4_0, smaller_3);
            const i32x8 pick_5 = select_i32x8((i32x8)(acc0_0 < least), s_5, least_at);
            const i32x8 pick_6 = select_i32x8((i32x8)(acc1_0 < smaller), s_4, pick_5);
            const i32x8 pick_7 = select_i32x8((i32x8)(acc2_0 < smaller_1), s_3, pick_6);
            const i32x8 pick_8 = select_i32x8((i32x8)(acc3_0 < smaller_2), s_2, pick_7);
            const i32x8 pick_9 = select_i32x8((i32x8)(acc4_0 < smaller_3), s_1, pick_8);
            least_at = select_i32x8((i32x8)(acc5_0 < smaller_4), s, pick_9);
            const f32x8 larger_5 = max8(acc0_1, most_1);
            const f32x8 larger_6 = max8(acc1_1, larger_5);
            const f32x8 larger_7 = max8(acc2_1, larger_6);
            const f32x8 larger_8 = max8(acc3_1, larger_7);
            const f32x8 larger_9 = max8(acc4_1, larger_8);
            const i32x8 pick_10 = select_i32x8((i32x8)(acc0_1 > most_1), s_5, most_at_1);
            const i32x8 pick_11 = select_i32x8((i32x8)(acc1_1 > larger_5), s_4, pick_10);
            const i32x8 pick_12 = select_i32x8((i32x8)(acc2_1 > larger_6), s_3, pick_11);
            const i32x8 pick_13 = select_i32x8((i32x8)(acc3_1 > larger_7), s_2, pick_12);
            const i32x8 pick_14 = select_i32x8((i32x8)(acc4_1 > larger_8), s_1, pick_13);
            most_at_1 = select_i32x8((i32x8)(acc5_1 > larger_9), s, pick_14);
            const f32x8 smaller_5 = min8(acc0_1, least_1);
            const f32x8 smaller_6 = min8(acc1_1, smaller_5);
            const f32x8 smaller_7 = min8(acc2_1, smaller_6);
            const f32x8 smaller_8 = min8(acc3_1, smaller_7);
            const f32x8 smaller_9 = min8(acc4_1, smaller_8);
            const i32x8 pick_15 = select_i32x8((i32x8)(acc0_1 < least_1), s_5, least_at_1);
            const i32x8 pick_16 = select_i32x8((i32x8)(acc1_1 < smaller_5), s_4, pick_15);
            const i32x8 pick_17 = select_i32x8((i32x8)(acc2_1 < smaller_6), s_3, pick_16);
            const i32x8 pick_18 = select_i32x8((i32x8)(acc3_1 < smaller_7), s_2, pick_17);
            const i32x8 pick_19 = select_i32x8((i32x8)(acc4_1 < smaller_8), s_1, pick_18);
            least_at_1 = select_i32x8((i32x8)(acc5_1 < smaller_9), s, pick_19);
            most = max8(acc5_0, larger_4);
            least = min8(acc5_0, smaller_4);
            most_1 = max8(acc5_1, larger_9);
            least_1 = min8(acc5_1, smaller_9);
        }
        for (int64_t columns = 0; columns < 2; columns++) {
            f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0},
                acc2_1 = {0}, acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
            for (int64_t k = 0; k < 64; k++) {
                const float *w_rotations_k = w_rotations + ((index * 12 + group) * 64 + k) * 64 +
                    columns * 5;
                const f32x8 s = splat8(w_rotations_k[54]);
                const f32x8 v = load8(queries_panel + k * 16);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(queries_panel + k * 16 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(w_rotations_k[55]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(w_rotations_k[56]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(w_rotations_k[57]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(w_rotations_k[58]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
            const f32x8 larger = max8(acc0_0, most);
            const f32x8 larger_1 = max8(acc1_0, larger);
            const f32x8 larger_2 = max8(acc2_0, larger_1);
            const f32x8 larger_3 = max8(acc3_0, larger_2);
            const i32x8 s = splat_i32x8((int32_t)(columns * 5 + 58));
            const i32x8 s_1 = splat_i32x8((int32_t)(columns * 5 + 57));
            const i32x8 s_2 = splat_i32x8((int32_t)(columns * 5 + 56));
            const i32x8 s_3 = splat_i32x8((int32_t)(columns * 5 + 55));
            const i32x8 s_4 = splat_i32x8((int32_t)(columns * 5 + 54));
            const i32x8 pick = select_i32x8((i32x8)(acc0_0 > most), s_4, most_at);
            const i32x8 pick_1 = select_i32x8((i32x8)(acc1_0 > larger), s_3, pick);
            const i32x8 pick_2 = select_i32x8((i32x8)(acc2_0 > larger_1), s_2, pick_1);
            const i32x8 pick_3 = select_i32x8((i32x8)(acc3_0 > larger_2), s_1, pick_2);
            most_at = select_i32x8((i32x8)(acc4_0 > larger_3), s, pick_3);
            const f32x8 smaller = min8(acc0_0, least);
            const f32x8 smaller_1 = min8(acc1_0, smaller);
            const f32x8 smaller_2 = min8(acc2_0, smaller_1);
            const f32x8 smaller_3 = min8(acc3_0, smaller_2);
            const i32x8 pick_4 = select_i32x8((i32x8)(acc0_0 < least), s_4, least_at);
            const i32x8 pick_5 = select_i32x8((i32x8)(acc1_0 < smaller), s_3, pick_4);
            const i32x8 pick_6 = select_i32x8((i32x8)(acc2_0 < smaller_1), s_2, pick_5);
            const i32x8 pick_7 = select_i32x8((i32x8)(acc3_0 < smaller_2), s_1, pick_6);
            least_at = select_i32x8((i32x8)(acc4_0 < smaller_3), s, pick_7);
            const f32x8 larger_4 = max8(acc0_1, most_1);
            const f32x8 larger_5 = max8(acc1_1, larger_4);
            const f32x8 larger_6 = max8(acc2_1, larger_5);
            const f32x8 larger_7 = max8(acc3_1, larger_6);
            const i32x8 pick_8 = select_i32x8((i32x8)(acc0_1 > most_1), s_4, most_at_1);
            const i32x8 pick_9 = select_i32x8((i32x8)(acc1_1 > larger_4), s_3, pick_8);
            const i32x8 pick_10 = select_i32x8((i32x8)(acc2_1 > larger_5), s_2, pick_9);
            const i32x8 pick_11 = select_i32x8((i32x8)(acc3_1 > larger_6), s_1, pick_10);
            most_at_1 = select_i32x8((i32x8)(acc4_1 > larger_7), s, pick_11);
            const f32x8 smaller_4 = min8(acc0_1, least_1);
            const f32x8 smaller_5 = min8(acc1_1, smaller_4);
            const f32x8 smaller_6 = min8(acc2_1, smaller_5);
            const f32x8 smaller_7 = min8(acc3_1, smaller_6);
            const i32x8 pick_12 = select_i32x8((i32x8)(acc0_1 < least_1), s_4, least_at_1);
            const i32x8 pick_13 = select_i32x8((i32x8)(acc1_1 < smaller_4), s_3, pick_12);
            const i32x8 pick_14 = select_i32x8((i32x8)(acc2_1 < smaller_5), s_2, pick_13);
            const i32x8 pick_15 = select_i32x8((i32x8)(acc3_1 < smaller_6), s_1, pick_14);
            least_at_1 = select_i32x8((i32x8)(acc4_1 < smaller_7), s, pick_15);
            most = max8(acc4_0, larger_3);
            least = min8(acc4_0, smaller_3);
            most_1 = max8(acc4_1, larger_7);
            least_1 = min8(acc4_1, smaller_7);
        }
        const i32x8 pick = select_i32x8((i32x8)(-least > most),
            add_i32x8(least_at, splat_i32x8(64)), most_at);
        const i32x8 pick_1 = select_i32x8((i32x8)(-least_1 > most_1),
            add_i32x8(least_at_1, splat_i32x8(64)), most_at_1);
        store_i32x8(found + panel * 16, pick);
        store_i32x8(found + panel * 16 + 8, pick_1);
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
    const float *restrict q = (const void *)(call->workspace + 8388608);
    float *restrict queries = (void *)scratch; /* [1][4][64][16] */
    const float *w_rotations = (const void *)(call->weights + 23246848); /* [3][12][1][64][64] */
    int32_t *restrict found = (void *)(scratch + 16384); /* [1][64] */
    const int32_t *restrict key = call->slot[REFORMER_SLOT_KEY]; /* [1][4096] */
    /* [1][1][1][4096]: [batch][group][round][rows] */
    int32_t *restrict lsh_buckets = (void *)(call->workspace + 11599936);
    for (int64_t panel = 0; panel < 4; panel++) {
        for (int64_t vector = 0; vector < 2; vector++) {
            lsh_hash_queries(q, queries, block, panel, vector);
        }
    }
    lsh_hash_found(q, w_rotations, queries, found, block, index, group);
    for (int64_t v = 0; v < 8; v++) {
        const i32x8 pick =
            select_i32x8((i32x8)(load_i32x8(key + block * 64 + v * 8) >= splat_i32x8(1073741824)),
            splat_i32x8(128), load_i32x8(found + v * 8));
        store_i32x8(lsh_buckets + block * 64 + v * 8, pick);
    }
}

/* default.yaml:18: stable counting sort of the tokens by bucket, per round
 * tasks [batch 1][head 1][round 1] */
REFORMER_KERNEL static void lsh_sort(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    (void)task;
    int32_t *restrict counts = (void *)scratch; /* [129] */
    /* [1][1][1][4096]: [batch][group][round][rows] */
    const int32_t *restrict lsh_buckets = (const void *)(call->workspace + 11599936);
    /* [1][1][1][4097]: [batch][group][round][place]: sorted tokens */
    int32_t *restrict order = (void *)(call->workspace + 11534336);
    for (int64_t bucket = 0; bucket < 129; bucket++) {
        counts[bucket] = 0;
    }
    for (int64_t t = 0; t < 4096; t++) {
        const int64_t bucket = lsh_buckets[t];
        counts[bucket] = counts[bucket] + 1;
    }
    int32_t sum = 0;
    for (int64_t bucket = 0; bucket < 129; bucket++) {
        const int32_t sum_1 = add_i32(sum, counts[bucket]);
        counts[bucket] = sum;
        sum = sum_1;
    }
    /* stable scatter */
    for (int64_t t = 0; t < 4096; t++) {
        const int64_t v = lsh_buckets[t];
        const int64_t place = counts[v];
        counts[v] = (int32_t)place + 1;
        order[place] = (int32_t)t;
    }
}

INLINE void lsh_attention_queries(const float *q, float *queries, int64_t token, int64_t token_1,
        int64_t token_2, int64_t token_3, int64_t token_4, int64_t token_5, int64_t token_6,
        int64_t token_7, int64_t slot_1, int64_t panel, int64_t vector) {
    for (int64_t d = 0; d < 8; d++) {
        const f32x8 v = load8(q + token * 64 + d * 8);
        const f32x8 v_1 = load8(q + token_1 * 64 + d * 8);
        const f32x8 mix = shuffle_low1_f32x8(v, v_1);
        const f32x8 v_2 = load8(q + token_2 * 64 + d * 8);
        const f32x8 v_3 = load8(q + token_3 * 64 + d * 8);
        const f32x8 mix_1 = shuffle_low1_f32x8(v_2, v_3);
        const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
        const f32x8 v_4 = load8(q + token_4 * 64 + d * 8);
        const f32x8 v_5 = load8(q + token_5 * 64 + d * 8);
        const f32x8 mix_3 = shuffle_low1_f32x8(v_4, v_5);
        const f32x8 v_6 = load8(q + token_6 * 64 + d * 8);
        const f32x8 v_7 = load8(q + token_7 * 64 + d * 8);
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
        float *queries_d = queries + ((slot_1 * 4 + panel) * 64 + d * 8) * 16 + vector * 8;
        store8(queries_d, shuffle_low4_f32x8(mix_2, mix_5));
        store8(queries_d + 16, shuffle_low4_f32x8(mix_8, mix_11));
        store8(queries_d + 32, shuffle_low4_f32x8(mix_12, mix_13));
        store8(queries_d + 48, shuffle_low4_f32x8(mix_14, mix_15));
        store8(queries_d + 64, shuffle_high4_f32x8(mix_2, mix_5));
        store8(queries_d + 80, shuffle_high4_f32x8(mix_8, mix_11));
        store8(queries_d + 96, shuffle_high4_f32x8(mix_12, mix_13));
        store8(queries_d + 112, shuffle_high4_f32x8(mix_14, mix_15));
    }
}

INLINE void lsh_attention_scores(const float *k_out, const int32_t *order, const float *q,
        const float *v, const float *queries, const float *key_scale2, const int32_t *key_pos,
        float *scores, float *total_sum, float *gain, float *sum_so_far, const int32_t *query_pos,
        int32_t *self_count, const float *norm_panel, const int32_t *query_pos_panel,
        const float *queries_panel, int64_t step, int64_t clamped, int64_t panel) {
    const f32x8 prod = mul8(load8(norm_panel), splat8(1.442695f));
    const f32x8 neg = -prod;
    const i32x8 query = load_i32x8(query_pos_panel);
    const f32x8 prod_1 = mul8(load8(norm_panel + 8), splat8(1.442695f));
    const f32x8 neg_1 = -prod_1;
    const i32x8 query_1 = load_i32x8(query_pos_panel + 8);
    f32x8 sum = {0}, sum_1 = {0};
    for (int64_t o = 0; o < 2; o++) {
        const int64_t slot_1 = (step + o + 1) % 2;
        for (int64_t run = 0; run < 4; run++) {
            const int64_t ahead = min_i64(o * 12 + run * 3, 15);
            const int64_t v_1 = query_pos_panel[ahead];
            prefetch(k_out + v_1 * 64);
            prefetch(k_out + v_1 * 64 + 16);
            prefetch(k_out + v_1 * 64 + 32);
            prefetch(k_out + v_1 * 64 + 48);
            const int64_t next = min_i64(clamped + 1, 63);
            const int64_t token = order[next * 64 + panel * 16 + ahead];
            prefetch(q + token * 64);
            prefetch(q + token * 64 + 16);
            prefetch(q + token * 64 + 32);
            prefetch(q + token * 64 + 48);
            prefetch(v + token * 64);
            prefetch(v + token * 64 + 16);
            prefetch(v + token * 64 + 32);
            prefetch(v + token * 64 + 48);
            const float *queries_run = queries + (slot_1 * 4 + run) * 64 * 16;
            f32x8 sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0}, sum_6 = {0}, sum_7 = {0},
                sum_8 = {0}, sum_9 = {0}, sum_10 = {0}, sum_11 = {0}, sum_12 = {0}, sum_13 = {0};
            for (int64_t k = 0; k < 64; k++) {
                const f32x8 s = splat8(queries_run[k * 16]);
                const f32x8 v_2 = load8(queries_panel + k * 16);
                sum_2 = fma8(s, v_2, sum_2);
                const f32x8 v_3 = load8(queries_panel + k * 16 + 8);
                sum_3 = fma8(s, v_3, sum_3);
                const f32x8 s_1 = splat8(queries_run[k * 16 + 1]);
                sum_4 = fma8(s_1, v_2, sum_4);
                sum_5 = fma8(s_1, v_3, sum_5);
                const f32x8 s_2 = splat8(queries_run[k * 16 + 2]);
                sum_6 = fma8(s_2, v_2, sum_6);
                sum_7 = fma8(s_2, v_3, sum_7);
                const f32x8 s_3 = splat8(queries_run[k * 16 + 3]);
                sum_8 = fma8(s_3, v_2, sum_8);
                sum_9 = fma8(s_3, v_3, sum_9);
                const f32x8 s_4 = splat8(queries_run[k * 16 + 4]);
                sum_10 = fma8(s_4, v_2, sum_10);
                sum_11 = fma8(s_4, v_3, sum_11);
                const f32x8 s_5 = splat8(queries_run[k * 16 + 5]);
                sum_12 = fma8(s_5, v_2, sum_12);
                sum_13 = fma8(s_5, v_3, sum_13);
            }
            const float *key_scale2_run = key_scale2 + slot_1 * 64 + run * 16;
            const f32x8 s = splat8(key_scale2_run[0]);
            const f32x8 t = fma8(sum_2, s, neg);
            const f32x8 y = exp2_f32x8(t);
            const int32_t *key_pos_run = key_pos + slot_1 * 64 + run * 16;
            const i32x8 s_1 = splat_i32x8(key_pos_run[0]);
            const i32x8 less = (i32x8)(s_1 < splat_i32x8(1073741824));
            const i32x8 bits = (i32x8)y & (less & (i32x8)(s_1 != query));
            const f32x8 bits_1 = (f32x8)bits;
            float *scores_run = scores + (o * 64 + run * 16) * 16;
            store8(scores_run, bits_1);
            const f32x8 t_1 = fma8(sum_3, s, neg_1);
            const f32x8 y_1 = exp2_f32x8(t_1);
            const i32x8 bits_2 = (i32x8)y_1 & (less & (i32x8)(s_1 != query_1));
            const f32x8 bits_3 = (f32x8)bits_2;
            store8(scores_run + 8, bits_3);
            const f32x8 s_2 = splat8(key_scale2_run[1]);
            const f32x8 t_2 = fma8(sum_4, s_2, neg);
            const f32x8 y_2 = exp2_f32x8(t_2);
            const i32x8 s_3 = splat_i32x8(key_pos_run[1]);
            const i32x8 less_1 = (i32x8)(s_3 < splat_i32x8(1073741824));
            const i32x8 bits_4 = (i32x8)y_2 & (less_1 & (i32x8)(s_3 != query));
            const f32x8 bits_5 = (f32x8)bits_4;
            store8(scores_run + 16, bits_5);
            const f32x8 t_3 = fma8(sum_5, s_2, neg_1);
            const f32x8 y_3 = exp2_f32x8(t_3);
            const i32x8 bits_6 = (i32x8)y_3 & (less_1 & (i32x8)(s_3 != query_1));
            const f32x8 bits_7 = (f32x8)bits_6;
            store8(scores_run + 24, bits_7);
            const f32x8 s_4 = splat8(key_scale2_run[2]);
            const f32x8 t_4 = fma8(sum_6, s_4, neg);
            const f32x8 y_4 = exp2_f32x8(t_4);
            const i32x8 s_5 = splat_i32x8(key_pos_run[2]);
            const i32x8 less_2 = (i32x8)(s_5 < splat_i32x8(1073741824));
            const i32x8 bits_8 = (i32x8)y_4 & (less_2 & (i32x8)(s_5 != query));
            const f32x8 bits_9 = (f32x8)bits_8;
            store8(scores_run + 32, bits_9);
            const f32x8 t_5 = fma8(sum_7, s_4, neg_1);
            const f32x8 y_5 = exp2_f32x8(t_5);
            const i32x8 bits_10 = (i32x8)y_5 & (less_2 & (i32x8)(s_5 != query_1));
            const f32x8 bits_11 = (f32x8)bits_10;
            store8(scores_run + 40, bits_11);
            const f32x8 s_6 = splat8(key_scale2_run[3]);
            const f32x8 t_6 = fma8(sum_8, s_6, neg);
            const f32x8 y_6 = exp2_f32x8(t_6);
            const i32x8 s_7 = splat_i32x8(key_pos_run[3]);
            const i32x8 less_3 = (i32x8)(s_7 < splat_i32x8(1073741824));
            const i32x8 bits_12 = (i32x8)y_6 & (less_3 & (i32x8)(s_7 != query));
            const f32x8 bits_13 = (f32x8)bits_12;
            store8(scores_run + 48, bits_13);
            const f32x8 t_7 = fma8(sum_9, s_6, neg_1);
            const f32x8 y_7 = exp2_f32x8(t_7);
            const i32x8 bits_14 = (i32x8)y_7 & (less_3 & (i32x8)(s_7 != query_1));
            const f32x8 bits_15 = (f32x8)bits_14;
            const f32x8 sum_14 = sum_1 + bits_3 + bits_7 + bits_11 + bits_15;
            store8(scores_run + 56, bits_15);
            const f32x8 s_8 = splat8(key_scale2_run[4]);
            const f32x8 t_8 = fma8(sum_10, s_8, neg);
            const f32x8 y_8 = exp2_f32x8(t_8);
            const i32x8 s_9 = splat_i32x8(key_pos_run[4]);
            const i32x8 less_4 = (i32x8)(s_9 < splat_i32x8(1073741824));
            const i32x8 bits_16 = (i32x8)y_8 & (less_4 & (i32x8)(s_9 != query));
            const f32x8 bits_17 = (f32x8)bits_16;
            const f32x8 sum_15 = sum + bits_1 + bits_5 + bits_9 + bits_13 + bits_17;
            store8(scores_run + 64, bits_17);
            const f32x8 t_9 = fma8(sum_11, s_8, neg_1);
            const f32x8 y_9 = exp2_f32x8(t_9);
            const i32x8 bits_18 = (i32x8)y_9 & (less_4 & (i32x8)(s_9 != query_1));
            const f32x8 bits_19 = (f32x8)bits_18;
            store8(scores_run + 72, bits_19);
            const f32x8 s_10 = splat8(key_scale2_run[5]);
            const f32x8 t_10 = fma8(sum_12, s_10, neg);
            const f32x8 y_10 = exp2_f32x8(t_10);
            const i32x8 s_11 = splat_i32x8(key_pos_run[5]);
            const i32x8 less_5 = (i32x8)(s_11 < splat_i32x8(1073741824));
            const i32x8 bits_20 = (i32x8)y_10 & (less_5 & (i32x8)(s_11 != query));
            const f32x8 bits_21 = (f32x8)bits_20;
            store8(scores_run + 80, bits_21);
            const f32x8 t_11 = fma8(sum_13, s_10, neg_1);
            const f32x8 y_11 = exp2_f32x8(t_11);
            const i32x8 bits_22 = (i32x8)y_11 & (less_5 & (i32x8)(s_11 != query_1));
            const f32x8 bits_23 = (f32x8)bits_22;
            store8(scores_run + 88, bits_23);
            f32x8 sum_16 = sum_15 + bits_21, sum_17 = sum_14 + bits_19 + bits_23;
            for (int64_t keys = 0; keys < 2; keys++) {
                const int64_t ahead_1 = min_i64(o * 12 + run * 3 + keys + 1, 15);
                const int64_t v_2 = query_pos_panel[ahead_1];
                prefetch(k_out + v_2 * 64);
                prefetch(k_out + v_2 * 64 + 16);
                prefetch(k_out + v_2 * 64 + 32);
                prefetch(k_out + v_2 * 64 + 48);
                const int64_t token_1 = order[next * 64 + panel * 16 + ahead_1];
                prefetch(q + token_1 * 64);
                prefetch(q + token_1 * 64 + 16);
                prefetch(q + token_1 * 64 + 32);
                prefetch(q + token_1 * 64 + 48);
                prefetch(v + token_1 * 64);
                prefetch(v + token_1 * 64 + 16);
                prefetch(v + token_1 * 64 + 32);
                prefetch(v + token_1 * 64 + 48);
                f32x8 sum_18 = {0}, sum_19 = {0}, sum_20 = {0}, sum_21 = {0}, sum_22 = {0},
                    sum_23 = {0}, sum_24 = {0}, sum_25 = {0}, sum_26 = {0}, sum_27 = {0};
                for (int64_t k = 0; k < 64; k++) {
                    const float *queries_k = queries_run + k * 16 + keys * 5;
                    const f32x8 s_12 = splat8(queries_k[6]);
                    const f32x8 v_3 = load8(queries_panel + k * 16);
                    sum_18 = fma8(s_12, v_3, sum_18);
                    const f32x8 v_4 = load8(queries_panel + k * 16 + 8);
                    sum_19 = fma8(s_12, v_4, sum_19);
                    const f32x8 s_13 = splat8(queries_k[7]);
                    sum_20 = fma8(s_13, v_3, sum_20);
                    sum_21 = fma8(s_13, v_4, sum_21);
                    const f32x8 s_14 = splat8(queries_k[8]);
                    sum_22 = fma8(s_14, v_3, sum_22);
                    sum_23 = fma8(s_14, v_4, sum_23);
                    const f32x8 s_15 = splat8(queries_k[9]);
                    sum_24 = fma8(s_15, v_3, sum_24);
                    sum_25 = fma8(s_15, v_4, sum_25);
                    const f32x8 s_16 = splat8(queries_k[10]);
                    sum_26 = fma8(s_16, v_3, sum_26);
                    sum_27 = fma8(s_16, v_4, sum_27);
                }
                const f32x8 s_12 = splat8(key_scale2_run[keys * 5 + 6]);
                const f32x8 t_12 = fma8(sum_18, s_12, neg);
                const f32x8 y_12 = exp2_f32x8(t_12);
                const i32x8 s_13 = splat_i32x8(key_pos_run[keys * 5 + 6]);
                const i32x8 less_6 = (i32x8)(s_13 < splat_i32x8(1073741824));
                const i32x8 bits_24 = (i32x8)y_12 & (less_6 & (i32x8)(s_13 != query));
                const f32x8 bits_25 = (f32x8)bits_24;
                float *scores_keys = scores_run + keys * 80;
                store8(scores_keys + 96, bits_25);
                const f32x8 t_13 = fma8(sum_19, s_12, neg_1);
                const f32x8 y_13 = exp2_f32x8(t_13);
                const i32x8 bits_26 = (i32x8)y_13 & (less_6 & (i32x8)(s_13 != query_1));
                const f32x8 bits_27 = (f32x8)bits_26;
                store8(scores_keys + 104, bits_27);
                const f32x8 s_14 = splat8(key_scale2_run[keys * 5 + 7]);
                const f32x8 t_14 = fma8(sum_20, s_14, neg);
                const f32x8 y_14 = exp2_f32x8(t_14);
                const i32x8 s_15 = splat_i32x8(key_pos_run[keys * 5 + 7]);
                const i32x8 less_7 = (i32x8)(s_15 < splat_i32x8(1073741824));
                const i32x8 bits_28 = (i32x8)y_14 & (less_7 & (i32x8)(s_15 != query));
                const f32x8 bits_29 = (f32x8)bits_28;
                store8(scores_keys + 112, bits_29);
                const f32x8 t_15 = fma8(sum_21, s_14, neg_1);
                const f32x8 y_15 = exp2_f32x8(t_15);
                const i32x8 bits_30 = (i32x8)y_15 & (less_7 & (i32x8)(s_15 != query_1));
                const f32x8 bits_31 = (f32x8)bits_30;
                store8(scores_keys + 120, bits_31);
                const f32x8 s_16 = splat8(key_scale2_run[keys * 5 + 8]);
                const f32x8 t_16 = fma8(sum_22, s_16, neg);
                const f32x8 y_16 = exp2_f32x8(t_16);
                const i32x8 s_17 = splat_i32x8(key_pos_run[keys * 5 + 8]);
                const i32x8 less_8 = (i32x8)(s_17 < splat_i32x8(1073741824));
                const i32x8 bits_32 = (i32x8)y_16 & (less_8 & (i32x8)(s_17 != query));
                const f32x8 bits_33 = (f32x8)bits_32;
                store8(scores_keys + 128, bits_33);
                const f32x8 t_17 = fma8(sum_23, s_16, neg_1);
                const f32x8 y_17 = exp2_f32x8(t_17);
                const i32x8 bits_34 = (i32x8)y_17 & (less_8 & (i32x8)(s_17 != query_1));
                const f32x8 bits_35 = (f32x8)bits_34;
                store8(scores_keys + 136, bits_35);
                const f32x8 s_18 = splat8(key_scale2_run[keys * 5 + 9]);
                const f32x8 t_18 = fma8(sum_24, s_18, neg);
                const f32x8 y_18 = exp2_f32x8(t_18);
                const i32x8 s_19 = splat_i32x8(key_pos_run[keys * 5 + 9]);
                const i32x8 less_9 = (i32x8)(s_19 < splat_i32x8(1073741824));
                const i32x8 bits_36 = (i32x8)y_18 & (less_9 & (i32x8)(s_19 != query));
                const f32x8 bits_37 = (f32x8)bits_36;
                const f32x8 sum_28 = sum_16 + bits_25 + bits_29 + bits_33 + bits_37;
                store8(scores_keys + 144, bits_37);
                const f32x8 t_19 = fma8(sum_25, s_18, neg_1);
                const f32x8 y_19 = exp2_f32x8(t_19);
                const i32x8 bits_38 = (i32x8)y_19 & (less_9 & (i32x8)(s_19 != query_1));
                const f32x8 bits_39 = (f32x8)bits_38;
                const f32x8 sum_29 = sum_17 + bits_27 + bits_31 + bits_35 + bits_39;
                store8(scores_keys + 152, bits_39);
                const f32x8 s_20 = splat8(key_scale2_run[keys * 5 + 10]);
                const f32x8 t_20 = fma8(sum_26, s_20, neg);
                const f32x8 y_20 = exp2_f32x8(t_20);
                const i32x8 s_21 = splat_i32x8(key_pos_run[keys * 5 + 10]);
                const i32x8 less_10 = (i32x8)(s_21 < splat_i32x8(1073741824));
                const i32x8 bits_40 = (i32x8)y_20 & (less_10 & (i32x8)(s_21 != query));
                const f32x8 bits_41 = (f32x8)bits_40;
                sum_16 = sum_28 + bits_41;
                store8(scores_keys + 160, bits_41);
                const f32x8 t_21 = fma8(sum_27, s_20, neg_1);
                const f32x8 y_21 = exp2_f32x8(t_21);
                const i32x8 bits_42 = (i32x8)y_21 & (less_10 & (i32x8)(s_21 != query_1));
                const f32x8 bits_43 = (f32x8)bits_42;
                sum_17 = sum_29 + bits_43;
                store8(scores_keys + 168, bits_43);
            }
            sum = sum_16;
            sum_1 = sum_17;
        }
    }
    store8(total_sum, sum);
    store8(gain, splat8(1.0f));
    store8(total_sum + 8, sum_1);
    store8(gain + 8, splat8(1.0f));
    for (int64_t lane = 0; lane < 16; lane++) {
        const int64_t token = query_pos_panel[lane];
        const float v_1 = total_sum[lane];
        sum_so_far[token] = sum_so_far[token] + v_1;
        if (v_1 == 0.0f) {
            int32_t count = 0;
            for (int64_t o = 0; o < 2; o++) {
                const int64_t slot_1 = (step + o + 1) % 2;
                for (int64_t key = 0; key < 64; key++) {
                    count = sub_i32(count, -(query_pos[slot_1 * 64 + key] == (int32_t)token));
                }
            }
            self_count[token] = count;
        }
    }
}

INLINE void lsh_attention_scores_1(const float *k_out, const int32_t *order, const float *q,
        const float *v, const float *queries, const int32_t *query_pos, const int32_t *key_pos,
        const float *key_scale, float *scores, float *max_so_far, float *top, float *sum_so_far,
        float *total_sum, float *round_sum, float *gain, int32_t *self_count,
        const int32_t *query_pos_panel, const float *norm_panel, const float *queries_panel,
        int64_t step, int64_t clamped, int64_t panel) {
    const i32x8 query = load_i32x8(query_pos_panel);
    const f32x8 raise = select8((i32x8)(load8(norm_panel) > splat8(1.1529215e+18f)),
        splat8(1.2089258e+24f), splat8(1.0f));
    const f32x8 self = select8((i32x8)(load8(norm_panel) > splat8(256.0f)), splat8(-1e+05f),
        splat8(-__builtin_inff()));
    const i32x8 query_1 = load_i32x8(query_pos_panel + 8);
    const f32x8 raise_1 = select8((i32x8)(load8(norm_panel + 8) > splat8(1.1529215e+18f)),
        splat8(1.2089258e+24f), splat8(1.0f));
    const f32x8 self_1 = select8((i32x8)(load8(norm_panel + 8) > splat8(256.0f)), splat8(-1e+05f),
        splat8(-__builtin_inff()));
    f32x8 most = splat8(-3.4028235e+38f), most_1 = splat8(-3.4028235e+38f);
    for (int64_t o = 0; o < 2; o++) {
        const int64_t slot_1 = (step + o + 1) % 2;
        for (int64_t run = 0; run < 4; run++) {
            const int64_t ahead = min_i64(o * 12 + run * 3, 15);
            const int64_t v_1 = query_pos_panel[ahead];
            prefetch(k_out + v_1 * 64);
            prefetch(k_out + v_1 * 64 + 16);
            prefetch(k_out + v_1 * 64 + 32);
            prefetch(k_out + v_1 * 64 + 48);
            const int64_t next = min_i64(clamped + 1, 63);
            const int64_t token = order[next * 64 + panel * 16 + ahead];
            prefetch(q + token * 64);
            prefetch(q + token * 64 + 16);
            prefetch(q + token * 64 + 32);
            prefetch(q + token * 64 + 48);
            prefetch(v + token * 64);
            prefetch(v + token * 64 + 16);
            prefetch(v + token * 64 + 32);
            prefetch(v + token * 64 + 48);
            const float *queries_run = queries + (slot_1 * 4 + run) * 64 * 16;
            f32x8 sum = {0}, sum_1 = {0}, sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0},
                sum_6 = {0}, sum_7 = {0}, sum_8 = {0}, sum_9 = {0}, sum_10 = {0}, sum_11 = {0};
            for (int64_t k = 0; k < 64; k++) {
                const f32x8 s = splat8(queries_run[k * 16]);
                const f32x8 v_2 = load8(queries_panel + k * 16);
                sum = fma8(s, v_2, sum);
                const f32x8 v_3 = load8(queries_panel + k * 16 + 8);
                sum_1 = fma8(s, v_3, sum_1);
                const f32x8 s_1 = splat8(queries_run[k * 16 + 1]);
                sum_2 = fma8(s_1, v_2, sum_2);
                sum_3 = fma8(s_1, v_3, sum_3);
                const f32x8 s_2 = splat8(queries_run[k * 16 + 2]);
                sum_4 = fma8(s_2, v_2, sum_4);
                sum_5 = fma8(s_2, v_3, sum_5);
                const f32x8 s_3 = splat8(queries_run[k * 16 + 3]);
                sum_6 = fma8(s_3, v_2, sum_6);
                sum_7 = fma8(s_3, v_3, sum_7);
                const f32x8 s_4 = splat8(queries_run[k * 16 + 4]);
                sum_8 = fma8(s_4, v_2, sum_8);
                sum_9 = fma8(s_4, v_3, sum_9);
                const f32x8 s_5 = splat8(queries_run[k * 16 + 5]);
                sum_10 = fma8(s_5, v_2, sum_10);
                sum_11 = fma8(s_5, v_3, sum_11);
            }
            const int32_t *query_pos_run = query_pos + slot_1 * 64 + run * 16;
            const i32x8 s = splat_i32x8(query_pos_run[0]);
            const int32_t *key_pos_run = key_pos + slot_1 * 64 + run * 16;
            const i32x8 s_1 = splat_i32x8(key_pos_run[0]);
            const i32x8 less = (i32x8)(s_1 < splat_i32x8(1073741824));
            const float *key_scale_run = key_scale + slot_1 * 64 + run * 16;
            const f32x8 s_2 = splat8(key_scale_run[0]);
            const i32x8 equal = (i32x8)(s_2 == splat8(0.0f));
            const f32x8 pick = select8(equal, splat8(0.0f), mul8(sum * s_2, raise));
            const f32x8 pick_1 = select8(less & (i32x8)(s_1 != query), pick,
                splat8(-__builtin_inff()));
            const f32x8 pick_2 = select8((i32x8)(s == query), self, pick_1);
            const f32x8 larger = max8(most, pick_2);
            float *scores_run = scores + (o * 64 + run * 16) * 16;
            store8(scores_run, pick_2);
            const f32x8 pick_3 = select8(equal, splat8(0.0f), mul8(sum_1 * s_2, raise_1));
            const f32x8 pick_4 = select8(less & (i32x8)(s_1 != query_1), pick_3,
                splat8(-__builtin_inff()));
            const f32x8 pick_5 = select8((i32x8)(s == query_1), self_1, pick_4);
            const f32x8 larger_1 = max8(most_1, pick_5);
            store8(scores_run + 8, pick_5);
            const i32x8 s_3 = splat_i32x8(query_pos_run[1]);
            const i32x8 s_4 = splat_i32x8(key_pos_run[1]);
            const i32x8 less_1 = (i32x8)(s_4 < splat_i32x8(1073741824));
            const f32x8 s_5 = splat8(key_scale_run[1]);
            const i32x8 equal_1 = (i32x8)(s_5 == splat8(0.0f));
            const f32x8 pick_6 = select8(equal_1, splat8(0.0f), mul8(sum_2 * s_5, raise));
            const f32x8 pick_7 = select8(less_1 & (i32x8)(s_4 != query), pick_6,
                splat8(-__builtin_inff()));
            const f32x8 pick_8 = select8((i32x8)(s_3 == query), self, pick_7);
            const f32x8 larger_2 = max8(larger, pick_8);
            store8(scores_run + 16, pick_8);
            const f32x8 pick_9 = select8(equal_1, splat8(0.0f), mul8(sum_3 * s_5, raise_1));
            const f32x8 pick_10 = select8(less_1 & (i32x8)(s_4 != query_1), pick_9,
                splat8(-__builtin_inff()));
            const f32x8 pick_11 = select8((i32x8)(s_3 == query_1), self_1, pick_10);
            const f32x8 larger_3 = max8(larger_1, pick_11);
            store8(scores_run + 24, pick_11);
            const i32x8 s_6 = splat_i32x8(query_pos_run[2]);
            const i32x8 s_7 = splat_i32x8(key_pos_run[2]);
            const i32x8 less_2 = (i32x8)(s_7 < splat_i32x8(1073741824));
            const f32x8 s_8 = splat8(key_scale_run[2]);
            const i32x8 equal_2 = (i32x8)(s_8 == splat8(0.0f));
            const f32x8 pick_12 = select8(equal_2, splat8(0.0f), mul8(sum_4 * s_8, raise));
            const f32x8 pick_13 = select8(less_2 & (i32x8)(s_7 != query), pick_12,
                splat8(-__builtin_inff()));
            const f32x8 pick_14 = select8((i32x8)(s_6 == query), self, pick_13);
            const f32x8 larger_4 = max8(larger_2, pick_14);
            store8(scores_run + 32, pick_14);
            const f32x8 pick_15 = select8(equal_2, splat8(0.0f), mul8(sum_5 * s_8, raise_1));
            const f32x8 pick_16 = select8(less_2 & (i32x8)(s_7 != query_1), pick_15,
                splat8(-__builtin_inff()));
            const f32x8 pick_17 = select8((i32x8)(s_6 == query_1), self_1, pick_16);
            const f32x8 larger_5 = max8(larger_3, pick_17);
            store8(scores_run + 40, pick_17);
            const i32x8 s_9 = splat_i32x8(query_pos_run[3]);
            const i32x8 s_10 = splat_i32x8(key_pos_run[3]);
            const i32x8 less_3 = (i32x8)(s_10 < splat_i32x8(1073741824));
            const f32x8 s_11 = splat8(key_scale_run[3]);
            const i32x8 equal_3 = (i32x8)(s_11 == splat8(0.0f));
            const f32x8 pick_18 = select8(equal_3, splat8(0.0f), mul8(sum_6 * s_11, raise));
            const f32x8 pick_19 = select8(less_3 & (i32x8)(s_10 != query), pick_18,
                splat8(-__builtin_inff()));
            const f32x8 pick_20 = select8((i32x8)(s_9 == query), self, pick_19);
            const f32x8 larger_6 = max8(larger_4, pick_20);
            store8(scores_run + 48, pick_20);
            const f32x8 pick_21 = select8(equal_3, splat8(0.0f), mul8(sum_7 * s_11, raise_1));
            const f32x8 pick_22 = select8(less_3 & (i32x8)(s_10 != query_1), pick_21,
                splat8(-__builtin_inff()));
            const f32x8 pick_23 = select8((i32x8)(s_9 == query_1), self_1, pick_22);
            const f32x8 larger_7 = max8(larger_5, pick_23);
            store8(scores_run + 56, pick_23);
            const i32x8 s_12 = splat_i32x8(query_pos_run[4]);
            const i32x8 s_13 = splat_i32x8(key_pos_run[4]);
            const i32x8 less_4 = (i32x8)(s_13 < splat_i32x8(1073741824));
            const f32x8 s_14 = splat8(key_scale_run[4]);
            const i32x8 equal_4 = (i32x8)(s_14 == splat8(0.0f));
            const f32x8 pick_24 = select8(equal_4, splat8(0.0f), mul8(sum_8 * s_14, raise));
            const f32x8 pick_25 = select8(less_4 & (i32x8)(s_13 != query), pick_24,
                splat8(-__builtin_inff()));
            const f32x8 pick_26 = select8((i32x8)(s_12 == query), self, pick_25);
            const f32x8 larger_8 = max8(larger_6, pick_26);
            store8(scores_run + 64, pick_26);
            const f32x8 pick_27 = select8(equal_4, splat8(0.0f), mul8(sum_9 * s_14, raise_1));
            const f32x8 pick_28 = select8(less_4 & (i32x8)(s_13 != query_1), pick_27,
                splat8(-__builtin_inff()));
            const f32x8 pick_29 = select8((i32x8)(s_12 == query_1), self_1, pick_28);
            const f32x8 larger_9 = max8(larger_7, pick_29);
            store8(scores_run + 72, pick_29);
            const i32x8 s_15 = splat_i32x8(query_pos_run[5]);
            const i32x8 s_16 = splat_i32x8(key_pos_run[5]);
            const i32x8 less_5 = (i32x8)(s_16 < splat_i32x8(1073741824));
            const f32x8 s_17 = splat8(key_scale_run[5]);
            const i32x8 equal_5 = (i32x8)(s_17 == splat8(0.0f));
            const f32x8 pick_30 = select8(equal_5, splat8(0.0f), mul8(sum_10 * s_17, raise));
            const f32x8 pick_31 = select8(less_5 & (i32x8)(s_16 != query), pick_30,
                splat8(-__builtin_inff()));
            const f32x8 pick_32 = select8((i32x8)(s_15 == query), self, pick_31);
            const f32x8 larger_10 = max8(larger_8, pick_32);
            store8(scores_run + 80, pick_32);
            const f32x8 pick_33 = select8(equal_5, splat8(0.0f), mul8(sum_11 * s_17, raise_1));
            const f32x8 pick_34 = select8(less_5 & (i32x8)(s_16 != query_1), pick_33,
                splat8(-__builtin_inff()));
            const f32x8 pick_35 = select8((i32x8)(s_15 == query_1), self_1, pick_34);
            const f32x8 larger_11 = max8(larger_9, pick_35);
            store8(scores_run + 88, pick_35);
            f32x8 most_2 = larger_10, most_3 = larger_11;
            for (int64_t keys = 0; keys < 2; keys++) {
                const int64_t ahead_1 = min_i64(o * 12 + run * 3 + keys + 1, 15);
                const int64_t v_2 = query_pos_panel[ahead_1];
                prefetch(k_out + v_2 * 64);
                prefetch(k_out + v_2 * 64 + 16);
                prefetch(k_out + v_2 * 64 + 32);
                prefetch(k_out + v_2 * 64 + 48);
                const int64_t token_1 = order[next * 64 + panel * 16 + ahead_1];
                prefetch(q + token_1 * 64);
                prefetch(q + token_1 * 64 + 16);
                prefetch(q + token_1 * 64 + 32);
                prefetch(q + token_1 * 64 + 48);
                prefetch(v + token_1 * 64);
                prefetch(v + token_1 * 64 + 16);
                prefetch(v + token_1 * 64 + 32);
                prefetch(v + token_1 * 64 + 48);
                f32x8 sum_12 = {0}, sum_13 = {0}, sum_14 = {0}, sum_15 = {0}, sum_16 = {0},
                    sum_17 = {0}, sum_18 = {0}, sum_19 = {0}, sum_20 = {0}, sum_21 = {0};
                for (int64_t k = 0; k < 64; k++) {
                    const float *queries_k = queries_run + k * 16 + keys * 5;
                    const f32x8 s_18 = splat8(queries_k[6]);
                    const f32x8 v_3 = load8(queries_panel + k * 16);
                    sum_12 = fma8(s_18, v_3, sum_12);
                    const f32x8 v_4 = load8(queries_panel + k * 16 + 8);
                    sum_13 = fma8(s_18, v_4, sum_13);
                    const f32x8 s_19 = splat8(queries_k[7]);
                    sum_14 = fma8(s_19, v_3, sum_14);
                    sum_15 = fma8(s_19, v_4, sum_15);
                    const f32x8 s_20 = splat8(queries_k[8]);
                    sum_16 = fma8(s_20, v_3, sum_16);
                    sum_17 = fma8(s_20, v_4, sum_17);
                    const f32x8 s_21 = splat8(queries_k[9]);
                    sum_18 = fma8(s_21, v_3, sum_18);
                    sum_19 = fma8(s_21, v_4, sum_19);
                    const f32x8 s_22 = splat8(queries_k[10]);
                    sum_20 = fma8(s_22, v_3, sum_20);
                    sum_21 = fma8(s_22, v_4, sum_21);
                }
                const i32x8 s_18 = splat_i32x8(query_pos_run[keys * 5 + 6]);
                const i32x8 s_19 = splat_i32x8(key_pos_run[keys * 5 + 6]);
                const i32x8 less_6 = (i32x8)(s_19 < splat_i32x8(1073741824));
                const f32x8 s_20 = splat8(key_scale_run[keys * 5 + 6]);
                const i32x8 equal_6 = (i32x8)(s_20 == splat8(0.0f));
                const f32x8 pick_36 = select8(equal_6, splat8(0.0f), mul8(sum_12 * s_20, raise));
                const f32x8 pick_37 = select8(less_6 & (i32x8)(s_19 != query), pick_36,
                    splat8(-__builtin_inff()));
                const f32x8 pick_38 = select8((i32x8)(s_18 == query), self, pick_37);
                const f32x8 larger_12 = max8(most_2, pick_38);
                float *scores_keys = scores_run + keys * 80;
                store8(scores_keys + 96, pick_38);
                const f32x8 pick_39 = select8(equal_6, splat8(0.0f), mul8(sum_13 * s_20, raise_1));
                const f32x8 pick_40 = select8(less_6 & (i32x8)(s_19 != query_1), pick_39,
                    splat8(-__builtin_inff()));
                const f32x8 pick_41 = select8((i32x8)(s_18 == query_1), self_1, pick_40);
                const f32x8 larger_13 = max8(most_3, pick_41);
                store8(scores_keys + 104, pick_41);
                const i32x8 s_21 = splat_i32x8(query_pos_run[keys * 5 + 7]);
                const i32x8 s_22 = splat_i32x8(key_pos_run[keys * 5 + 7]);
                const i32x8 less_7 = (i32x8)(s_22 < splat_i32x8(1073741824));
                const f32x8 s_23 = splat8(key_scale_run[keys * 5 + 7]);
                const i32x8 equal_7 = (i32x8)(s_23 == splat8(0.0f));
                const f32x8 pick_42 = select8(equal_7, splat8(0.0f), mul8(sum_14 * s_23, raise));
                const f32x8 pick_43 = select8(less_7 & (i32x8)(s_22 != query), pick_42,
                    splat8(-__builtin_inff()));
                const f32x8 pick_44 = select8((i32x8)(s_21 == query), self, pick_43);
                const f32x8 larger_14 = max8(larger_12, pick_44);
                store8(scores_keys + 112, pick_44);
                const f32x8 pick_45 = select8(equal_7, splat8(0.0f), mul8(sum_15 * s_23, raise_1));
                const f32x8 pick_46 = select8(less_7 & (i32x8)(s_22 != query_1), pick_45,
                    splat8(-__builtin_inff()));
                const f32x8 pick_47 = select8((i32x8)(s_21 == query_1), self_1, pick_46);
                const f32x8 larger_15 = max8(larger_13, pick_47);
                store8(scores_keys + 120, pick_47);
                const i32x8 s_24 = splat_i32x8(query_pos_run[keys * 5 + 8]);
                const i32x8 s_25 = splat_i32x8(key_pos_run[keys * 5 + 8]);
                const i32x8 less_8 = (i32x8)(s_25 < splat_i32x8(1073741824));
                const f32x8 s_26 = splat8(key_scale_run[keys * 5 + 8]);
                const i32x8 equal_8 = (i32x8)(s_26 == splat8(0.0f));
                const f32x8 pick_48 = select8(equal_8, splat8(0.0f), mul8(sum_16 * s_26, raise));
                const f32x8 pick_49 = select8(less_8 & (i32x8)(s_25 != query), pick_48,
                    splat8(-__builtin_inff()));
                const f32x8 pick_50 = select8((i32x8)(s_24 == query), self, pick_49);
                const f32x8 larger_16 = max8(larger_14, pick_50);
                store8(scores_keys + 128, pick_50);
                const f32x8 pick_51 = select8(equal_8, splat8(0.0f), mul8(sum_17 * s_26, raise_1));
                const f32x8 pick_52 = select8(less_8 & (i32x8)(s_25 != query_1), pick_51,
                    splat8(-__builtin_inff()));
                const f32x8 pick_53 = select8((i32x8)(s_24 == query_1), self_1, pick_52);
                const f32x8 larger_17 = max8(larger_15, pick_53);
                store8(scores_keys + 136, pick_53);
                const i32x8 s_27 = splat_i32x8(query_pos_run[keys * 5 + 9]);
                const i32x8 s_28 = splat_i32x8(key_pos_run[keys * 5 + 9]);
                const i32x8 less_9 = (i32x8)(s_28 < splat_i32x8(1073741824));
                const f32x8 s_29 = splat8(key_scale_run[keys * 5 + 9]);
                const i32x8 equal_9 = (i32x8)(s_29 == splat8(0.0f));
                const f32x8 pick_54 = select8(equal_9, splat8(0.0f), mul8(sum_18 * s_29, raise));
                const f32x8 pick_55 = select8(less_9 & (i32x8)(s_28 != query), pick_54,
                    splat8(-__builtin_inff()));
                const f32x8 pick_56 = select8((i32x8)(s_27 == query), self, pick_55);
                const f32x8 larger_18 = max8(larger_16, pick_56);
                store8(scores_keys + 144, pick_56);
                const f32x8 pick_57 = select8(equal_9, splat8(0.0f), mul8(sum_19 * s_29, raise_1));
                const f32x8 pick_58 = select8(less_9 & (i32x8)(s_28 != query_1), pick_57,
                    splat8(-__builtin_inff()));
                const f32x8 pick_59 = select8((i32x8)(s_27 == query_1), self_1, pick_58);
                const f32x8 larger_19 = max8(larger_17, pick_59);
                store8(scores_keys + 152, pick_59);
                const i32x8 s_30 = splat_i32x8(query_pos_run[keys * 5 + 10]);
                const i32x8 s_31 = splat_i32x8(key_pos_run[keys * 5 + 10]);
                const i32x8 less_10 = (i32x8)(s_31 < splat_i32x8(1073741824));
                const f32x8 s_32 = splat8(key_scale_run[keys * 5 + 10]);
                const i32x8 equal_10 = (i32x8)(s_32 == splat8(0.0f));
                const f32x8 pick_60 = select8(equal_10, splat8(0.0f), mul8(sum_20 * s_32, raise));
                const f32x8 pick_61 = select8(less_10 & (i32x8)(s_31 != query), pick_60,
                    splat8(-__builtin_inff()));
                const f32x8 pick_62 = select8((i32x8)(s_30 == query), self, pick_61);
                most_2 = max8(larger_18, pick_62);
                store8(scores_keys + 160, pick_62);
                const f32x8 pick_63 = select8(equal_10, splat8(0.0f), mul8(sum_21 * s_32, raise_1));
                const f32x8 pick_64 = select8(less_10 & (i32x8)(s_31 != query_1), pick_63,
                    splat8(-__builtin_inff()));
                const f32x8 pick_65 = select8((i32x8)(s_30 == query_1), self_1, pick_64);
                most_3 = max8(larger_19, pick_65);
                store8(scores_keys + 168, pick_65);
            }
            most = most_2;
            most_1 = most_3;
        }
    }
    const f32x8 v_1 = load8(norm_panel);
    const f32x8 pick = select8((i32x8)(v_1 <= splat8(41.58883f)), v_1, most);
    const f32x8 v_2 = load8(norm_panel + 8);
    const f32x8 pick_1 = select8((i32x8)(v_2 <= splat8(41.58883f)), v_2, most_1);
    f32x8 sum = {0}, sum_1 = {0};
    for (int64_t key = 0; key < 128; key++) {
        const f32x8 y = exp_f32x8(load8(scores + key * 16) - pick);
        store8(scores + key * 16, y);
        const f32x8 y_1 = exp_f32x8(load8(scores + key * 16 + 8) - pick_1);
        sum = sum + y;
        store8(scores + key * 16 + 8, y_1);
        sum_1 = sum_1 + y_1;
    }
    for (int64_t lane = 0; lane < 16; lane++) {
        const int64_t token = query_pos_panel[lane];
        top[lane] = max_so_far[token];
        total_sum[lane] = sum_so_far[token];
    }
    const i32x8 more = (i32x8)(load8(norm_panel) > splat8(256.0f));
    const f32x8 pick_2 = select8(more, splat8(1.0f), sum);
    const f32x8 v_3 = load8(top);
    const f32x8 y = log_f32x8(sum);
    const f32x8 sum_2 = y + most;
    const f32x8 pick_3 = select8(more, sum_2, most);
    const f32x8 larger = max8(v_3, pick_3);
    const i32x8 less = (i32x8)(load8(norm_panel) <= splat8(41.58883f));
    const f32x8 y_1 = exp_f32x8(v_3 - larger);
    const f32x8 pick_4 = select8(less, splat8(1.0f), y_1);
    const f32x8 y_2 = exp_f32x8(pick_3 - larger);
    const f32x8 pick_5 = select8(less, splat8(1.0f), y_2);
    const f32x8 t = fma8(load8(total_sum), pick_4, pick_2 * pick_5);
    const f32x8 y_3 = exp_f32x8(most - sum_2);
    const f32x8 pick_6 = select8(more, y_3, splat8(1.0f));
    const f32x8 y_4 = log_f32x8(t);
    const f32x8 y_5 = exp_f32x8(larger - (y_4 + larger));
    const f32x8 pick_7 = select8(more, mul8(t, y_5), splat8(1.0f));
    store8(round_sum, pick_2);
    store8(top, larger);
    store8(total_sum, t);
    store8(gain, mul8(pick_5 * pick_6, pick_7));
    const i32x8 more_1 = (i32x8)(load8(norm_panel + 8) > splat8(256.0f));
    const f32x8 pick_8 = select8(more_1, splat8(1.0f), sum_1);
    const f32x8 v_4 = load8(top + 8);
    const f32x8 y_6 = log_f32x8(sum_1);
    const f32x8 sum_3 = y_6 + most_1;
    const f32x8 pick_9 = select8(more_1, sum_3, most_1);
    const f32x8 larger_1 = max8(v_4, pick_9);
    const i32x8 less_1 = (i32x8)(load8(norm_panel + 8) <= splat8(41.58883f));
    const f32x8 y_7 = exp_f32x8(v_4 - larger_1);
    const f32x8 pick_10 = select8(less_1, splat8(1.0f), y_7);
    const f32x8 y_8 = exp_f32x8(pick_9 - larger_1);
    const f32x8 pick_11 = select8(less_1, splat8(1.0f), y_8);
    const f32x8 t_1 = fma8(load8(total_sum + 8), pick_10, pick_8 * pick_11);
    const f32x8 y_9 = exp_f32x8(most_1 - sum_3);
    const f32x8 pick_12 = select8(more_1, y_9, splat8(1.0f));
    const f32x8 y_10 = log_f32x8(t_1);
    const f32x8 y_11 = exp_f32x8(larger_1 - (y_10 + larger_1));
    const f32x8 pick_13 = select8(more_1, mul8(t_1, y_11), splat8(1.0f));
    store8(round_sum + 8, pick_8);
    store8(top + 8, larger_1);
    store8(total_sum + 8, t_1);
    store8(gain + 8, mul8(pick_11 * pick_12, pick_13));
    for (int64_t lane = 0; lane < 16; lane++) {
        const int64_t token = query_pos_panel[lane];
        max_so_far[token] = top[lane];
        sum_so_far[token] = total_sum[lane];
        if (round_sum[lane] == 0.0f) {
            int32_t count = 0;
            for (int64_t o = 0; o < 2; o++) {
                const int64_t slot_1 = (step + o + 1) % 2;
                for (int64_t key = 0; key < 64; key++) {
                    count = sub_i32(count, -(query_pos[slot_1 * 64 + key] == (int32_t)token));
                }
            }
            self_count[token] = count;
        }
    }
}

INLINE void lsh_attention_k_out(const float *scores, const float *values, const float *gain,
        const int32_t *query_pos_panel, float *k_out_column, int64_t step, int64_t column) {
    for (int64_t tile = 0; tile < 2; tile++) {
        f32x8 sum = {0}, sum_1 = {0}, sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0},
            sum_6 = {0}, sum_7 = {0}, sum_8 = {0}, sum_9 = {0};
        for (int64_t o = 0; o < 2; o++) {
            const int64_t slot_1 = (step + o + 1) % 2;
            for (int64_t k = 0; k < 64; k++) {
                const float *scores_k = scores + (o * 64 + k) * 16 + tile * 5;
                const f32x8 s = splat8(scores_k[0]);
                const f32x8 v = load8(values + ((slot_1 * 4 + column) * 64 + k) * 16);
                sum = fma8(s, v, sum);
                const f32x8 v_1 = load8(values + ((slot_1 * 4 + column) * 64 + k) * 16 + 8);
                sum_1 = fma8(s, v_1, sum_1);
                const f32x8 s_1 = splat8(scores_k[1]);
                sum_2 = fma8(s_1, v, sum_2);
                sum_3 = fma8(s_1, v_1, sum_3);
                const f32x8 s_2 = splat8(scores_k[2]);
                sum_4 = fma8(s_2, v, sum_4);
                sum_5 = fma8(s_2, v_1, sum_5);
                const f32x8 s_3 = splat8(scores_k[3]);
                sum_6 = fma8(s_3, v, sum_6);
                sum_7 = fma8(s_3, v_1, sum_7);
                const f32x8 s_4 = splat8(scores_k[4]);
                sum_8 = fma8(s_4, v, sum_8);
                sum_9 = fma8(s_4, v_1, sum_9);
            }
        }
        const f32x8 s = splat8(gain[tile * 5]);
        const int64_t token = query_pos_panel[tile * 5];
        store8(k_out_column + token * 64, mul8(sum, s));
        store8(k_out_column + token * 64 + 8, mul8(sum_1, s));
        const f32x8 s_1 = splat8(gain[tile * 5 + 1]);
        const int64_t token_1 = query_pos_panel[tile * 5 + 1];
        store8(k_out_column + token_1 * 64, mul8(sum_2, s_1));
        store8(k_out_column + token_1 * 64 + 8, mul8(sum_3, s_1));
        const f32x8 s_2 = splat8(gain[tile * 5 + 2]);
        const int64_t token_2 = query_pos_panel[tile * 5 + 2];
        store8(k_out_column + token_2 * 64, mul8(sum_4, s_2));
        store8(k_out_column + token_2 * 64 + 8, mul8(sum_5, s_2));
        const f32x8 s_3 = splat8(gain[tile * 5 + 3]);
        const int64_t token_3 = query_pos_panel[tile * 5 + 3];
        store8(k_out_column + token_3 * 64, mul8(sum_6, s_3));
        store8(k_out_column + token_3 * 64 + 8, mul8(sum_7, s_3));
        const f32x8 s_4 = splat8(gain[tile * 5 + 4]);
        const int64_t token_4 = query_pos_panel[tile * 5 + 4];
        store8(k_out_column + token_4 * 64, mul8(sum_8, s_4));
        store8(k_out_column + token_4 * 64 + 8, mul8(sum_9, s_4));
    }
}

INLINE void lsh_attention_k_out_1(const float *scores, const float *values, const float *gain,
        float *k_out, const int32_t *query_pos_panel, int64_t step) {
    for (int64_t column = 0; column < 4; column++) {
        f32x8 sum = {0}, sum_1 = {0}, sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0},
            sum_6 = {0}, sum_7 = {0}, sum_8 = {0}, sum_9 = {0}, sum_10 = {0}, sum_11 = {0};
        for (int64_t o = 0; o < 2; o++) {
            const int64_t slot_1 = (step + o + 1) % 2;
            for (int64_t k = 0; k < 64; k++) {
                const float *scores_k = scores + (o * 64 + k) * 16;
                const f32x8 s = splat8(scores_k[0]);
                const f32x8 v = load8(values + ((slot_1 * 4 + column) * 64 + k) * 16);
                sum = fma8(s, v, sum);
                const f32x8 v_1 = load8(values + ((slot_1 * 4 + column) * 64 + k) * 16 + 8);
                sum_1 = fma8(s, v_1, sum_1);
                const f32x8 s_1 = splat8(scores_k[1]);
                sum_2 = fma8(s_1, v, sum_2);
                sum_3 = fma8(s_1, v_1, sum_3);
                const f32x8 s_2 = splat8(scores_k[2]);
                sum_4 = fma8(s_2, v, sum_4);
                sum_5 = fma8(s_2, v_1, sum_5);
                const f32x8 s_3 = splat8(scores_k[3]);
                sum_6 = fma8(s_3, v, sum_6);
                sum_7 = fma8(s_3, v_1, sum_7);
                const f32x8 s_4 = splat8(scores_k[4]);
                sum_8 = fma8(s_4, v, sum_8);
                sum_9 = fma8(s_4, v_1, sum_9);
                const f32x8 s_5 = splat8(scores_k[5]);
                sum_10 = fma8(s_5, v, sum_10);
                sum_11 = fma8(s_5, v_1, sum_11);
            }
        }
        const f32x8 s = splat8(gain[0]);
        const int64_t token = query_pos_panel[0];
        float *k_out_column = k_out + column * 16;
        store8(k_out_column + token * 64, mul8(sum, s));
        store8(k_out_column + token * 64 + 8, mul8(sum_1, s));
        const f32x8 s_1 = splat8(gain[1]);
        const int64_t token_1 = query_pos_panel[1];
        store8(k_out_column + token_1 * 64, mul8(sum_2, s_1));
        store8(k_out_column + token_1 * 64 + 8, mul8(sum_3, s_1));
        const f32x8 s_2 = splat8(gain[2]);
        const int64_t token_2 = query_pos_panel[2];
        store8(k_out_column + token_2 * 64, mul8(sum_4, s_2));
        store8(k_out_column + token_2 * 64 + 8, mul8(sum_5, s_2));
        const f32x8 s_3 = splat8(gain[3]);
        const int64_t token_3 = query_pos_panel[3];
        store8(k_out_column + token_3 * 64, mul8(sum_6, s_3));
        store8(k_out_column + token_3 * 64 + 8, mul8(sum_7, s_3));
        const f32x8 s_4 = splat8(gain[4]);
        const int64_t token_4 = query_pos_panel[4];
        store8(k_out_column + token_4 * 64, mul8(sum_8, s_4));
        store8(k_out_column + token_4 * 64 + 8, mul8(sum_9, s_4));
        const f32x8 s_5 = splat8(gain[5]);
        const int64_t token_5 = query_pos_panel[5];
        store8(k_out_column + token_5 * 64, mul8(sum_10, s_5));
        store8(k_out_column + token_5 * 64 + 8, mul8(sum_11, s_5));
        lsh_attention_k_out(scores + 6, values, gain + 6, query_pos_panel + 6, k_out_column, step,
            column);
    }
}

INLINE void lsh_attention_scores_2(const int32_t *order, const float *q, float *queries,
        int32_t *query_pos, const int32_t *key, int32_t *key_pos, const float *v, float *values,
        float *key_scale, float *key_scale2, float *norm, float *most_norm, float *most_of_slot,
        float *k_out, float *scores, float *total_sum, float *gain, float *sum_so_far,
        int32_t *self_count, float *max_so_far, float *top, float *round_sum, int64_t run) {
    for (int64_t step = 0; step < 9; step++) {
        const int64_t other = (run * 8 + step + 63) % 64;
        const int64_t slot_1 = step % 2;
        for (int64_t panel = 0; panel < 4; panel++) {
            for (int64_t vector = 0; vector < 2; vector++) {
                const int32_t *order_vector = order + other * 64 + panel * 16 + vector * 8;
                const int64_t token = order_vector[0];
                const int64_t token_1 = order_vector[1];
                const int64_t token_2 = order_vector[2];
                const int64_t token_3 = order_vector[3];
                const int64_t token_4 = order_vector[4];
                const int64_t token_5 = order_vector[5];
                const int64_t token_6 = order_vector[6];
                const int64_t token_7 = order_vector[7];
                lsh_attention_queries(q, queries, token, token_1, token_2, token_3, token_4,
                    token_5, token_6, token_7, slot_1, panel, vector);
            }
        }
        for (int64_t lane = 0; lane < 64; lane++) {
            const int64_t token = order[other * 64 + lane];
            query_pos[slot_1 * 64 + lane] = (int32_t)token;
            key_pos[slot_1 * 64 + lane] = key[token];
            const float *v_token = v + token * 64;
            float *values_lane = values + (slot_1 * 256 + lane) * 16;
            store8(values_lane, load8(v_token));
            store8(values_lane + 8, load8(v_token + 8));
            store8(values_lane + 1024, load8(v_token + 16));
            store8(values_lane + 1032, load8(v_token + 24));
            store8(values_lane + 2048, load8(v_token + 32));
            store8(values_lane + 2056, load8(v_token + 40));
            store8(values_lane + 3072, load8(v_token + 48));
            store8(values_lane + 3080, load8(v_token + 56));
        }
        float most = 0.0f;
        for (int64_t panel = 0; panel < 4; panel++) {
            float *queries_panel = queries + (slot_1 * 4 + panel) * 64 * 16;
            f32x8 sum = {0}, sum_1 = {0};
            for (int64_t d = 0; d < 64; d++) {
                const f32x8 v_1 = load8(queries_panel + d * 16);
                sum = fma8(v_1, v_1, sum);
                const f32x8 v_2 = load8(queries_panel + d * 16 + 8);
                sum_1 = fma8(v_2, v_2, sum_1);
            }
            const f32x8 sum_2 = div8(sum, splat8(64.0f)) + splat8(1e-06f);
            const f32x8 root = sqrt8(sum_2);
            const f32x8 quot = div8(splat8(0.125f), root);
            const f32x8 root_1 = sqrt8(sum);
            const f32x8 clamped = min8(root_1, splat8(3.4028235e+38f));
            float *key_scale_panel = key_scale + slot_1 * 64 + panel * 16;
            store8(key_scale_panel, quot);
            float *key_scale2_panel = key_scale2 + slot_1 * 64 + panel * 16;
            store8(key_scale2_panel, mul8(quot, splat8(1.442695f)));
            store8(norm + slot_1 * 64 + panel * 16, clamped);
            const f32x8 sum_3 = div8(sum_1, splat8(64.0f)) + splat8(1e-06f);
            const f32x8 root_2 = sqrt8(sum_3);
            const f32x8 quot_1 = div8(splat8(0.125f), root_2);
            const f32x8 root_3 = sqrt8(sum_1);
            const f32x8 clamped_1 = min8(root_3, splat8(3.4028235e+38f));
            store8(key_scale_panel + 8, quot_1);
            store8(key_scale2_panel + 8, mul8(quot_1, splat8(1.442695f)));
            store8(norm + slot_1 * 64 + panel * 16 + 8, clamped_1);
            const f32x8 larger = max8(clamped, clamped_1);
            const f32x8 mix = shuffle_swap4_f32x8(larger);
            const f32x8 larger_1 = max8(larger, mix);
            const f32x8 mix_1 = shuffle_swap2_f32x8(larger_1);
            const f32x8 larger_2 = max8(larger_1, mix_1);
            const f32x8 mix_2 = shuffle_swap1_f32x8(larger_2);
            const f32x8 larger_3 = max8(larger_2, mix_2);
            const float lane = larger_3[0];
            most_norm[slot_1 * 4 + panel] = lane;
            if (!(lane <= 1.1529215e+18f)) {
                const i32x8 more = (i32x8)(clamped > splat8(1.1529215e+18f));
                const f32x8 pick = select8(more, splat8(8.271806e-25f), splat8(1.0f));
                const i32x8 more_1 = (i32x8)(clamped_1 > splat8(1.1529215e+18f));
                const f32x8 pick_1 = select8(more_1, splat8(8.271806e-25f), splat8(1.0f));
                for (int64_t k = 0; k < 64; k++) {
                    store8(queries_panel + k * 16, mul8(load8(queries_panel + k * 16), pick));
                    store8(queries_panel + k * 16 + 8,
                        mul8(load8(queries_panel + k * 16 + 8), pick_1));
                }
                const f32x8 pick_2 = select8(more, splat8(1.2089258e+24f), splat8(1.0f));
                store8(key_scale_panel, mul8(load8(key_scale_panel), pick_2));
                store8(key_scale2_panel, mul8(load8(key_scale2_panel), pick_2));
                const f32x8 pick_3 = select8(more_1, splat8(1.2089258e+24f), splat8(1.0f));
                store8(key_scale_panel + 8, mul8(load8(key_scale_panel + 8), pick_3));
                store8(key_scale2_panel + 8, mul8(load8(key_scale2_panel + 8), pick_3));
            }
            most = max_f32(most, lane);
        }
        most_of_slot[slot_1] = most;
        const int64_t clamped = max_i64(run * 8 + step - 1, 0);
        if (step - 1 >= 0) {
            const int64_t slot_2 = (step + 2) % 2;
            const float larger = max_f32(most_of_slot[0], most_of_slot[1]);
            const int32_t keys_square = -(larger <= 1e+19f);
            for (int64_t panel = 0; panel < 4; panel++) {
                const float most_norm_1 = most_norm[slot_2 * 4 + panel];
                const int32_t bits = -(most_norm_1 <= 41.58883f) & keys_square;
                const float *queries_panel = queries + (slot_2 * 4 + panel) * 64 * 16;
                const int32_t *query_pos_panel = query_pos + slot_2 * 64 + panel * 16;
                const float *norm_panel = norm + slot_2 * 64 + panel * 16;
                if (bits) {
                    lsh_attention_scores(k_out, order, q, v, queries, key_scale2, key_pos, scores,
                        total_sum, gain, sum_so_far, query_pos, self_count, norm_panel,
                        query_pos_panel, queries_panel, step, clamped, panel);
                } else {
                    lsh_attention_scores_1(k_out, order, q, v, queries, query_pos, key_pos,
                        key_scale, scores, max_so_far, top, sum_so_far, total_sum, round_sum, gain,
                        self_count, query_pos_panel, norm_panel, queries_panel, step, clamped,
                        panel);
                }
                lsh_attention_k_out_1(scores, values, gain, k_out, query_pos_panel, step);
            }
        }
    }
}

/* default.yaml:18: LSH attention: sorted chunks of 64 against 1 before and 0 after, one round
 * tasks [batch 1][head 1][run 8] */
REFORMER_KERNEL static void lsh_attention(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    const int64_t run = task % 8;
    /* [1][1][1][4097]: [batch][group][round][place]: sorted tokens */
    const int32_t *restrict order = (const void *)(call->workspace + 11534336);
    /* [1][1][4096][64]: [batch][group][rows][head] */
    const float *restrict q = (const void *)(call->workspace + 8388608);
    float *restrict queries = (void *)scratch; /* [2][4][64][16] */
    int32_t *restrict query_pos = (void *)(scratch + 65536); /* [2][64] */
    const int32_t *restrict key = call->slot[REFORMER_SLOT_KEY]; /* [1][4096] */
    int32_t *restrict key_pos = (void *)(scratch + 66048); /* [2][64] */
    /* [1][1][4096][64]: [batch][group][rows][head] */
    const float *restrict v = (const void *)(call->workspace + 9437184);
    float *restrict values = (void *)(scratch + 32768); /* [2][4][64][16] */
    float *restrict key_scale = (void *)(scratch + 66560); /* [2][64] */
    float *restrict key_scale2 = (void *)(scratch + 67072); /* [2][64] */
    float *restrict norm = (void *)(scratch + 67584); /* [2][64] */
    float *restrict most_norm = (void *)(scratch + 68096); /* [2][4] */
    float *restrict most_of_slot = (void *)(scratch + 68160); /* [2] */
    /* [1][1][4096][64]: [batch][group][rows][head]: keys, or an output apart from the queries */
    float *restrict k_out = (void *)(call->workspace + 10485760);
    float *restrict scores = (void *)(scratch + 68224); /* [128][16] */
    float *restrict total_sum = (void *)(scratch + 76544); /* [16] */
    float *restrict gain = (void *)(scratch + 76608); /* [16] */
    /* [1][1][4096]: [batch][group][rows]: sum of exponentials */
    float *restrict sum_so_far = (void *)(call->workspace + 11567168);
    /* [1][1][1][4096]: [batch][group][round][rows]: self entries of rows without other keys */
    int32_t *restrict self_count = (void *)(call->workspace + 11583552);
    /* [1][1][4096]: [batch][group][rows]: largest score so far */
    float *restrict max_so_far = (void *)(call->workspace + 11550784);
    float *restrict top = (void *)(scratch + 76480); /* [16] */
    float *restrict round_sum = (void *)(scratch + 76416); /* [16] */
    lsh_attention_scores_2(order, q, queries, query_pos, key, key_pos, v, values, key_scale,
        key_scale2, norm, most_norm, most_of_slot, k_out, scores, total_sum, gain, sum_so_far,
        self_count, max_so_far, top, round_sum, run);
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

#undef lsh_attention_queries
#undef lsh_attention_scores
#undef lsh_attention_scores_1
#undef lsh_attention_k_out
#undef lsh_attention_k_out_1
#undef lsh_attention_scores_2
#undef lsh_hash_queries
#undef lsh_hash_found
#undef local_attention_queries
#undef local_attention_q
#undef local_attention_q_1
#undef local_attention_scores
#undef final_norm_hidden
#undef lsh_output_y1
#undef lsh_output_y1_1
#undef lsh_project_q
#undef lsh_project_q_1
#undef lsh_project_v
#undef lsh_project_v_1
#undef feed_forward_act
#undef feed_forward_act_1
#undef feed_forward_y2
#undef feed_forward_y2_1
#undef local_output_y1
#undef local_output_y1_1
#undef local_project_q
#undef local_project_q_1
#undef local_project_k_out
#undef local_project_k_out_1
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
#undef load8
#undef load_i32x8
#undef store8
#undef store_i32x8
#undef prefetch
#undef splat8
#undef splat_i32x8
#undef bits_f32
#undef from_bits_f32
#undef add_i32
#undef add_i32x8
#undef sub_i32
#undef sub_i32x8
#undef mul_f32
#undef mul8
#undef div_f32
#undef div8
#undef fma_f32
#undef fma8
#undef sqrt_f32
#undef sqrt8
#undef min_f32
#undef min8
#undef min_i64
#undef max_f32
#undef max8
#undef max_i32
#undef max_i64
#undef select8
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
