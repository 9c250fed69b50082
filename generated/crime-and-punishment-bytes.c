/* crime-and-punishment-bytes.c: the Reformer model of crime-and-punishment-bytes.yaml as C, by
 * reformerc.
 *
 *     cc -O2 -std=c11 $(reformerc --cflags) -c crime-and-punishment-bytes.c
 *     cc … crime-and-punishment-bytes.o $(reformerc --libs)
 *
 * reformerc 0.1.0, ABI 6, weights 2, spec f6b1ece06c3d0dd0
 * lengths: 512; batch: 1; dtype: float32; targets: x86-64-v3
 * with: generation */
#include "crime-and-punishment-bytes.h"
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
REFORMER_REFUSE_FAST_MATH(crime_and_punishment_bytes_flags)
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

#define lsh_attention_queries crime_and_punishment_bytes_lsh_attention_queries
#define lsh_attention_scores crime_and_punishment_bytes_lsh_attention_scores
#define lsh_attention_scores_1 crime_and_punishment_bytes_lsh_attention_scores_1
#define lsh_attention_k_out crime_and_punishment_bytes_lsh_attention_k_out
#define lsh_attention_k_out_1 crime_and_punishment_bytes_lsh_attention_k_out_1
#define lsh_attention_scores_2 crime_and_punishment_bytes_lsh_attention_scores_2
#define lsh_hash_queries crime_and_punishment_bytes_lsh_hash_queries
#define lsh_hash_found crime_and_punishment_bytes_lsh_hash_found
#define local_attention_queries crime_and_punishment_bytes_local_attention_queries
#define local_attention_q crime_and_punishment_bytes_local_attention_q
#define local_attention_q_1 crime_and_punishment_bytes_local_attention_q_1
#define local_attention_scores crime_and_punishment_bytes_local_attention_scores
#define lm_head_hidden crime_and_punishment_bytes_lm_head_hidden
#define lm_head_of_logits crime_and_punishment_bytes_lm_head_of_logits
#define lm_head_of_logits_1 crime_and_punishment_bytes_lm_head_of_logits_1
#define lm_head_row_loss crime_and_punishment_bytes_lm_head_row_loss
#define lsh_output_heads crime_and_punishment_bytes_lsh_output_heads
#define lsh_output_y1 crime_and_punishment_bytes_lsh_output_y1
#define lsh_output_y1_1 crime_and_punishment_bytes_lsh_output_y1_1
#define lsh_project_q crime_and_punishment_bytes_lsh_project_q
#define lsh_project_q_1 crime_and_punishment_bytes_lsh_project_q_1
#define lsh_project_v crime_and_punishment_bytes_lsh_project_v
#define lsh_project_v_1 crime_and_punishment_bytes_lsh_project_v_1
#define feed_forward_act crime_and_punishment_bytes_feed_forward_act
#define feed_forward_act_1 crime_and_punishment_bytes_feed_forward_act_1
#define feed_forward_y2 crime_and_punishment_bytes_feed_forward_y2
#define feed_forward_y2_1 crime_and_punishment_bytes_feed_forward_y2_1
#define local_output_y1 crime_and_punishment_bytes_local_output_y1
#define local_output_y1_1 crime_and_punishment_bytes_local_output_y1_1
#define local_project_q crime_and_punishment_bytes_local_project_q
#define local_project_q_1 crime_and_punishment_bytes_local_project_q_1
#define local_project_k_out crime_and_punishment_bytes_local_project_k_out
#define local_project_k_out_1 crime_and_punishment_bytes_local_project_k_out_1
#define local_project_v crime_and_punishment_bytes_local_project_v
#define local_project_v_1 crime_and_punishment_bytes_local_project_v_1
#define exp_f32 crime_and_punishment_bytes_exp_f32
#define log_f32 crime_and_punishment_bytes_log_f32
#define exp_f32x8 crime_and_punishment_bytes_exp_f32x8
#define exp2_f32x8 crime_and_punishment_bytes_exp2_f32x8
#define log_f32x8 crime_and_punishment_bytes_log_f32x8
#define relu_f32x8 crime_and_punishment_bytes_relu_f32x8
#define embed_kernel crime_and_punishment_bytes_embed_kernel
#define local_project crime_and_punishment_bytes_local_project
#define local_output crime_and_punishment_bytes_local_output
#define feed_forward crime_and_punishment_bytes_feed_forward
#define lsh_project crime_and_punishment_bytes_lsh_project
#define lsh_output crime_and_punishment_bytes_lsh_output
#define lm_head crime_and_punishment_bytes_lm_head
#define lm_loss crime_and_punishment_bytes_lm_loss
#define local_attention crime_and_punishment_bytes_local_attention
#define lsh_hash crime_and_punishment_bytes_lsh_hash
#define lsh_sort crime_and_punishment_bytes_lsh_sort
#define lsh_attention crime_and_punishment_bytes_lsh_attention
#define local_store_kv crime_and_punishment_bytes_local_store_kv
#define lsh_store_kv crime_and_punishment_bytes_lsh_store_kv
#define lsh_append_to_buckets crime_and_punishment_bytes_lsh_append_to_buckets
#define last_token crime_and_punishment_bytes_last_token
#define last_lm_head crime_and_punishment_bytes_last_lm_head
#define last_logits_out crime_and_punishment_bytes_last_logits_out
#define last_last_hidden_state_out crime_and_punishment_bytes_last_last_hidden_state_out
#define layer_form crime_and_punishment_bytes_layer_form
#define layer_index crime_and_punishment_bytes_layer_index
#define lsh_step_keys_step crime_and_punishment_bytes_lsh_step_keys_step
#define lsh_step_outs_step crime_and_punishment_bytes_lsh_step_outs_step
#define lsh_step_scores_step crime_and_punishment_bytes_lsh_step_scores_step
#define exp_f32_step crime_and_punishment_bytes_exp_f32_step
#define log_f32_step crime_and_punishment_bytes_log_f32_step
#define exp_f32x8_step crime_and_punishment_bytes_exp_f32x8_step
#define relu_f32x8_step crime_and_punishment_bytes_relu_f32x8_step
#define embed_step crime_and_punishment_bytes_embed_step
#define local_project_step crime_and_punishment_bytes_local_project_step
#define local_output_step crime_and_punishment_bytes_local_output_step
#define feed_forward_in_step crime_and_punishment_bytes_feed_forward_in_step
#define feed_forward_out_step crime_and_punishment_bytes_feed_forward_out_step
#define lsh_project_step crime_and_punishment_bytes_lsh_project_step
#define lsh_output_step crime_and_punishment_bytes_lsh_output_step
#define lm_head_step crime_and_punishment_bytes_lm_head_step
#define logits_out_step crime_and_punishment_bytes_logits_out_step
#define last_hidden_state_out_step crime_and_punishment_bytes_last_hidden_state_out_step
#define local_step_step crime_and_punishment_bytes_local_step_step
#define lsh_step_step crime_and_punishment_bytes_lsh_step_step
#define layer_form_step crime_and_punishment_bytes_layer_form_step
#define layer_index_step crime_and_punishment_bytes_layer_index_step
#define f32x8 crime_and_punishment_bytes_f32x8
#define f32x8_u crime_and_punishment_bytes_f32x8_u
#define i32x8 crime_and_punishment_bytes_i32x8
#define u32x8 crime_and_punishment_bytes_u32x8
#define i32x8_u crime_and_punishment_bytes_i32x8_u
#define load8 crime_and_punishment_bytes_load8
#define load_i32x8 crime_and_punishment_bytes_load_i32x8
#define store8 crime_and_punishment_bytes_store8
#define store_i32x8 crime_and_punishment_bytes_store_i32x8
#define prefetch crime_and_punishment_bytes_prefetch
#define splat8 crime_and_punishment_bytes_splat8
#define splat_i32x8 crime_and_punishment_bytes_splat_i32x8
#define bits_f32 crime_and_punishment_bytes_bits_f32
#define from_bits_f32 crime_and_punishment_bytes_from_bits_f32
#define add_i32 crime_and_punishment_bytes_add_i32
#define add_i32x8 crime_and_punishment_bytes_add_i32x8
#define add_i64 crime_and_punishment_bytes_add_i64
#define sub_i32 crime_and_punishment_bytes_sub_i32
#define sub_i32x8 crime_and_punishment_bytes_sub_i32x8
#define sub_i64 crime_and_punishment_bytes_sub_i64
#define mul_f32 crime_and_punishment_bytes_mul_f32
#define mul8 crime_and_punishment_bytes_mul8
#define div_f32 crime_and_punishment_bytes_div_f32
#define div8 crime_and_punishment_bytes_div8
#define div_f64 crime_and_punishment_bytes_div_f64
#define fma_f32 crime_and_punishment_bytes_fma_f32
#define fma8 crime_and_punishment_bytes_fma8
#define sqrt_f32 crime_and_punishment_bytes_sqrt_f32
#define sqrt8 crime_and_punishment_bytes_sqrt8
#define min_f32 crime_and_punishment_bytes_min_f32
#define min8 crime_and_punishment_bytes_min8
#define min_i32 crime_and_punishment_bytes_min_i32
#define min_i64 crime_and_punishment_bytes_min_i64
#define max_f32 crime_and_punishment_bytes_max_f32
#define max8 crime_and_punishment_bytes_max8
#define max_i32 crime_and_punishment_bytes_max_i32
#define max_i64 crime_and_punishment_bytes_max_i64
#define select8 crime_and_punishment_bytes_select8
#define select_i32x8 crime_and_punishment_bytes_select_i32x8
#define shuffle_high1_f32x8 crime_and_punishment_bytes_shuffle_high1_f32x8
#define shuffle_high2_f32x8 crime_and_punishment_bytes_shuffle_high2_f32x8
#define shuffle_high4_f32x8 crime_and_punishment_bytes_shuffle_high4_f32x8
#define shuffle_low1_f32x8 crime_and_punishment_bytes_shuffle_low1_f32x8
#define shuffle_low2_f32x8 crime_and_punishment_bytes_shuffle_low2_f32x8
#define shuffle_low4_f32x8 crime_and_punishment_bytes_shuffle_low4_f32x8
#define shuffle_swap1_f32x8 crime_and_punishment_bytes_shuffle_swap1_f32x8
#define shuffle_swap2_f32x8 crime_and_punishment_bytes_shuffle_swap2_f32x8
#define shuffle_swap4_f32x8 crime_and_punishment_bytes_shuffle_swap4_f32x8
#define shuffle10_i32x8 crime_and_punishment_bytes_shuffle10_i32x8
#define shuffle11_i32x8 crime_and_punishment_bytes_shuffle11_i32x8
#define shuffle12_i32x8 crime_and_punishment_bytes_shuffle12_i32x8
#define shuffle_swap1_i32x8 crime_and_punishment_bytes_shuffle_swap1_i32x8
#define shuffle_swap2_i32x8 crime_and_punishment_bytes_shuffle_swap2_i32x8
#define shuffle_swap4_i32x8 crime_and_punishment_bytes_shuffle_swap4_i32x8

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
INLINE int64_t add_i64(int64_t x, int64_t y) {
    return (int64_t)((uint64_t)x + (uint64_t)y);
}
INLINE int32_t sub_i32(int32_t x, int32_t y) {
    return (int32_t)((uint32_t)x - (uint32_t)y);
}
INLINE i32x8 sub_i32x8(i32x8 x, i32x8 y) {
    return (i32x8)((u32x8)x - (u32x8)y);
}
INLINE int64_t sub_i64(int64_t x, int64_t y) {
    return (int64_t)((uint64_t)x - (uint64_t)y);
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
INLINE double div_f64(double x, double y) {
    double product = x / y;
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
INLINE int32_t min_i32(int32_t x, int32_t y) {
    return x < y ? x : y;
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
INLINE i32x8 shuffle10_i32x8(i32x8 x, i32x8 y) {
    return __builtin_shufflevector(x, y, 0, 9, 2, 11, 4, 13, 6, 15);
}
INLINE i32x8 shuffle11_i32x8(i32x8 x, i32x8 y) {
    return __builtin_shufflevector(x, y, 0, 1, 10, 11, 4, 5, 14, 15);
}
INLINE i32x8 shuffle12_i32x8(i32x8 x, i32x8 y) {
    return __builtin_shufflevector(x, y, 0, 1, 2, 3, 12, 13, 14, 15);
}
INLINE i32x8 shuffle_swap1_i32x8(i32x8 x) {
    return __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
}
INLINE i32x8 shuffle_swap2_i32x8(i32x8 x) {
    return __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5);
}
INLINE i32x8 shuffle_swap4_i32x8(i32x8 x) {
    return __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3);
}

static const int32_t layer_form[4] = {
    0, 1, 0, 1,
};

static const int32_t layer_index[4] = {
    0, 0, 1, 1,
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

/* crime-and-punishment-bytes.yaml:16: word and position embeddings into both streams
 * tasks [batch 1][block 8] */
REFORMER_KERNEL static void embed_kernel(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    (void)arg;
    const int64_t block = task % 8;
    const int32_t *restrict ids = call->slot[REFORMER_SLOT_IDS]; /* [1][512] */
    /* [258][192] */
    const float *w_embeddings_word_embeddings_weight = (const void *)(call->weights + 4096);
    /* [16][64] */
    const float *w_embeddings_position_embeddings_weights_0 =
        (const void *)(call->weights + 202240);
    /* [1][512][192]: [batch][rows][width]: a stream */
    float *restrict y1 = (void *)call->workspace;
    /* [1][512][192]: [batch][rows][width]: a stream */
    float *restrict y2 = (void *)(call->workspace + 393216);
    /* [32][128] */
    const float *w_embeddings_position_embeddings_weights_1 =
        (const void *)(call->weights + 206336);
    for (int64_t i = 0; i < 64; i++) {
        const int64_t id = ids[block * 64 + i];
        const int64_t position = block * 64 + i;
        const int64_t axis = position / 32;
        for (int64_t v = 0; v < 8; v++) {
            const f32x8 sum = load8(w_embeddings_word_embeddings_weight + id * 192 + v * 8) +
                load8(w_embeddings_position_embeddings_weights_0 + axis * 64 + v * 8);
            store8(y1 + (block * 64 + i) * 192 + v * 8, sum);
            store8(y2 + (block * 64 + i) * 192 + v * 8, sum);
        }
        const int64_t axis_1 = position % 32;
        for (int64_t v = 0; v < 16; v++) {
            const f32x8 sum = load8(w_embeddings_word_embeddings_weight + id * 192 + v * 8 + 64) +
                load8(w_embeddings_position_embeddings_weights_1 + axis_1 * 128 + v * 8);
            store8(y1 + (block * 64 + i) * 192 + v * 8 + 64, sum);
            store8(y2 + (block * 64 + i) * 192 + v * 8 + 64, sum);
        }
    }
}

INLINE void local_project_q(const float *y2, const float *attention_norm,
        const float *query_weight_group, const float *key_weight_group, float *q_column,
        const float *query_weight_column, int32_t less, int64_t column, int64_t block) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *q_tile = q_column + tile * 192;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(query_weight_group + (tile * 16 + step) * 32);
            } else {
                prefetch(key_weight_group + (tile * 16 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 5);
            prefetch(q_tile + clamped * 32);
            const int64_t at = column * 264 + tile * 24 + step;
            const int64_t clamped_1 = min_i64(block * 64 + at / 12 + 64, 511);
            prefetch(y2 + clamped_1 * 192 + at % 12 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1248 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(query_weight_column + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(query_weight_column + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(attention_norm_k[1040]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(q_tile, acc0_0);
        store8(q_tile + 8, acc0_1);
        store8(q_tile + 32, acc1_0);
        store8(q_tile + 40, acc1_1);
        store8(q_tile + 64, acc2_0);
        store8(q_tile + 72, acc2_1);
        store8(q_tile + 96, acc3_0);
        store8(q_tile + 104, acc3_1);
        store8(q_tile + 128, acc4_0);
        store8(q_tile + 136, acc4_1);
        store8(q_tile + 160, acc5_0);
        store8(q_tile + 168, acc5_1);
    }
}

INLINE void local_project_q_1(const float *y2, const float *attention_norm,
        const float *query_weight_group, const float *key_weight_group, float *q_column,
        const float *query_weight_column, int32_t less, int64_t column, int64_t block) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *q_tile = q_column + tile * 160;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(query_weight_group + (tile * 16 + step) * 32);
            } else {
                prefetch(key_weight_group + (tile * 16 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 4);
            prefetch(q_tile + clamped * 32);
            const int64_t at = column * 264 + tile * 24 + step + 216;
            const int64_t clamped_1 = min_i64(block * 64 + at / 12 + 64, 511);
            prefetch(y2 + clamped_1 * 192 + at % 12 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1040 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(query_weight_column + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(query_weight_column + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        store8(q_tile, acc0_0);
        store8(q_tile + 8, acc0_1);
        store8(q_tile + 32, acc1_0);
        store8(q_tile + 40, acc1_1);
        store8(q_tile + 64, acc2_0);
        store8(q_tile + 72, acc2_1);
        store8(q_tile + 96, acc3_0);
        store8(q_tile + 104, acc3_1);
        store8(q_tile + 128, acc4_0);
        store8(q_tile + 136, acc4_1);
    }
}

INLINE void local_project_k_out(const float *y2, const float *attention_norm,
        const float *key_weight_group, const float *value_weight_group, float *k_out_column,
        const float *key_weight_column, int32_t less, int64_t column, int64_t block) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *k_out_tile = k_out_column + tile * 192;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(key_weight_group + (tile * 16 + step) * 32);
            } else {
                prefetch(value_weight_group + (tile * 16 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 5);
            prefetch(k_out_tile + clamped * 32);
            const int64_t clamped_1 = min_i64(column * 264 + tile * 24 + step + 528, 767);
            const int64_t clamped_2 = min_i64(block * 64 + clamped_1 / 12 + 64, 511);
            prefetch(y2 + clamped_2 * 192 + clamped_1 % 12 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1248 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(key_weight_column + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(key_weight_column + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(attention_norm_k[1040]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(k_out_tile, acc0_0);
        store8(k_out_tile + 8, acc0_1);
        store8(k_out_tile + 32, acc1_0);
        store8(k_out_tile + 40, acc1_1);
        store8(k_out_tile + 64, acc2_0);
        store8(k_out_tile + 72, acc2_1);
        store8(k_out_tile + 96, acc3_0);
        store8(k_out_tile + 104, acc3_1);
        store8(k_out_tile + 128, acc4_0);
        store8(k_out_tile + 136, acc4_1);
        store8(k_out_tile + 160, acc5_0);
        store8(k_out_tile + 168, acc5_1);
    }
}

INLINE void local_project_k_out_1(const float *y2, const float *attention_norm,
        const float *key_weight_group, const float *value_weight_group, float *k_out_column,
        const float *key_weight_column, int32_t less, int64_t column, int64_t block) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *k_out_tile = k_out_column + tile * 160;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(key_weight_group + (tile * 16 + step) * 32);
            } else {
                prefetch(value_weight_group + (tile * 16 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 4);
            prefetch(k_out_tile + clamped * 32);
            const int64_t clamped_1 = min_i64(column * 264 + tile * 24 + step + 744, 767);
            const int64_t clamped_2 = min_i64(block * 64 + clamped_1 / 12 + 64, 511);
            prefetch(y2 + clamped_2 * 192 + clamped_1 % 12 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1040 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(key_weight_column + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(key_weight_column + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        store8(k_out_tile, acc0_0);
        store8(k_out_tile + 8, acc0_1);
        store8(k_out_tile + 32, acc1_0);
        store8(k_out_tile + 40, acc1_1);
        store8(k_out_tile + 64, acc2_0);
        store8(k_out_tile + 72, acc2_1);
        store8(k_out_tile + 96, acc3_0);
        store8(k_out_tile + 104, acc3_1);
        store8(k_out_tile + 128, acc4_0);
        store8(k_out_tile + 136, acc4_1);
    }
}

INLINE void local_project_v(const float *attention_norm, const float *value_weight_group,
        const float *query_weight_group, float *v_column, const float *value_weight_column,
        int32_t less) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *v_tile = v_column + tile * 192;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(value_weight_group + (tile * 16 + step) * 32);
            } else {
                prefetch(query_weight_group + (tile * 16 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 5);
            prefetch(v_tile + clamped * 32);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1248 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(value_weight_column + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(value_weight_column + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(attention_norm_k[1040]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(v_tile, acc0_0);
        store8(v_tile + 8, acc0_1);
        store8(v_tile + 32, acc1_0);
        store8(v_tile + 40, acc1_1);
        store8(v_tile + 64, acc2_0);
        store8(v_tile + 72, acc2_1);
        store8(v_tile + 96, acc3_0);
        store8(v_tile + 104, acc3_1);
        store8(v_tile + 128, acc4_0);
        store8(v_tile + 136, acc4_1);
        store8(v_tile + 160, acc5_0);
        store8(v_tile + 168, acc5_1);
    }
}

INLINE void local_project_v_1(float *v, const float *attention_norm,
        const float *value_weight_group, const float *query_weight_group, int64_t block) {
    for (int64_t column = 0; column < 2; column++) {
        const int32_t less = -(column < 1);
        const float *value_weight_column = value_weight_group + column * 16;
        float *v_column = v + block * 2048 + column * 16;
        local_project_v(attention_norm, value_weight_group + 16, query_weight_group, v_column,
            value_weight_column, less);
        for (int64_t tile = 0; tile < 2; tile++) {
            float *v_tile = v_column + tile * 160;
            f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0},
                acc2_1 = {0}, acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
            for (int64_t step = 0; step < 24; step++) {
                if (less) {
                    prefetch(value_weight_group + (tile * 16 + step) * 32 + 4624);
                } else {
                    prefetch(query_weight_group + (tile * 16 + step) * 32 + 4608);
                }
                const int64_t clamped = min_i64(step, 4);
                prefetch(v_tile + clamped * 32 + 1728);
                for (int64_t k = 0; k < 8; k++) {
                    const float *attention_norm_k = attention_norm + tile * 1040 + step * 8 + k;
                    const f32x8 s = splat8(attention_norm_k[11232]);
                    const f32x8 v_1 = load8(value_weight_column + (step * 8 + k) * 32);
                    acc0_0 = fma8(s, v_1, acc0_0);
                    const f32x8 v_2 = load8(value_weight_column + (step * 8 + k) * 32 + 8);
                    acc0_1 = fma8(s, v_2, acc0_1);
                    const f32x8 s_1 = splat8(attention_norm_k[11440]);
                    acc1_0 = fma8(s_1, v_1, acc1_0);
                    acc1_1 = fma8(s_1, v_2, acc1_1);
                    const f32x8 s_2 = splat8(attention_norm_k[11648]);
                    acc2_0 = fma8(s_2, v_1, acc2_0);
                    acc2_1 = fma8(s_2, v_2, acc2_1);
                    const f32x8 s_3 = splat8(attention_norm_k[11856]);
                    acc3_0 = fma8(s_3, v_1, acc3_0);
                    acc3_1 = fma8(s_3, v_2, acc3_1);
                    const f32x8 s_4 = splat8(attention_norm_k[12064]);
                    acc4_0 = fma8(s_4, v_1, acc4_0);
                    acc4_1 = fma8(s_4, v_2, acc4_1);
                }
            }
            store8(v_tile + 1728, acc0_0);
            store8(v_tile + 1736, acc0_1);
            store8(v_tile + 1760, acc1_0);
            store8(v_tile + 1768, acc1_1);
            store8(v_tile + 1792, acc2_0);
            store8(v_tile + 1800, acc2_1);
            store8(v_tile + 1824, acc3_0);
            store8(v_tile + 1832, acc3_1);
            store8(v_tile + 1856, acc4_0);
            store8(v_tile + 1864, acc4_1);
        }
    }
}

/* crime-and-punishment-bytes.yaml:5: local attention: norm and projections of a group of 1 heads
 * tasks [batch 1][block 8] */
REFORMER_KERNEL static void local_project(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 8;
    const int64_t layer = arg[0];
    const int64_t index = arg[1];
    const int64_t group = arg[2];
    /* [1][512][192]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const void *)(call->workspace + 393216);
    /* [4][192] */
    const float *w_attention_layer_norm_weight = (const void *)(call->weights + 222720);
    /* [4][192] */
    const float *w_attention_layer_norm_bias = (const void *)(call->weights + 225792);
    float *restrict attention_norm = (void *)scratch; /* [64][208] */
    /* [2][6][1][192][32] */
    const float *w_attention_self_attention_query_weight = (const void *)(call->weights + 228864);
    /* [2][6][1][192][32] */
    const float *w_attention_self_attention_key_weight = (const void *)(call->weights + 523776);
    /* [1][1][512][32]: [batch][group][rows][head] */
    float *restrict q = (void *)(call->workspace + 786432);
    /* [4][6][1][192][32] */
    const float *w_attention_self_attention_value_weight = (const void *)(call->weights + 818688);
    /* [1][1][512][32]: [batch][group][rows][head]: keys, or an output apart from the queries */
    float *restrict k_out = (void *)(call->workspace + 917504);
    /* [1][1][512][32]: [batch][group][rows][head] */
    float *restrict v = (void *)(call->workspace + 851968);
    /* layer norm of 64 rows of 192 */
    for (int64_t i = 0; i < 64; i++) {
        const float *y2_i = y2 + (block * 64 + i) * 192;
        f32x8 sum = {0};
        for (int64_t v_1 = 0; v_1 < 24; v_1++) {
            sum = sum + load8(y2_i + v_1 * 8);
        }
        const f32x8 mix = shuffle_swap4_f32x8(sum);
        const f32x8 sum_1 = sum + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
        const f32x8 sum_3 = sum_2 + mix_2;
        const float mean = div_f32(sum_3[0], 192.0f);
        f32x8 sum_4 = {0};
        for (int64_t v_1 = 0; v_1 < 24; v_1++) {
            const f32x8 diff = load8(y2_i + v_1 * 8) - splat8(mean);
            sum_4 = fma8(diff, diff, sum_4);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
        const f32x8 sum_6 = sum_5 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
        const f32x8 sum_7 = sum_6 + mix_5;
        const float var = div_f32(sum_7[0], 192.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v_1 = 0; v_1 < 24; v_1++) {
            const f32x8 prod = (load8(y2_i + v_1 * 8) - splat8(mean)) * splat8(scale);
            const f32x8 t = fma8(prod, load8(w_attention_layer_norm_weight + layer * 192 + v_1 * 8),
                load8(w_attention_layer_norm_bias + layer * 192 + v_1 * 8));
            store8(attention_norm + i * 208 + v_1 * 8, t);
        }
    }
    /* → q */
    const float *query_weight_group = w_attention_self_attention_query_weight + (index * 6 + group)
        * 192 * 32;
    const float *key_weight_group = w_attention_self_attention_key_weight + (index * 6 + group) *
        192 * 32;
    for (int64_t column = 0; column < 2; column++) {
        const int32_t less = -(column < 1);
        const float *query_weight_column = query_weight_group + column * 16;
        float *q_column = q + block * 2048 + column * 16;
        local_project_q(y2, attention_norm, query_weight_group + 16, key_weight_group, q_column,
            query_weight_column, less, column, block);
        local_project_q_1(y2, attention_norm + 11232, query_weight_group + 4624,
            key_weight_group + 4608, q_column + 1728, query_weight_column, less, column, block);
    }
    /* → k_out */
    const float *value_weight_group = w_attention_self_attention_value_weight + (layer * 6 + group)
        * 192 * 32;
    for (int64_t column = 0; column < 2; column++) {
        const int32_t less = -(column < 1);
        const float *key_weight_column = key_weight_group + column * 16;
        float *k_out_column = k_out + block * 2048 + column * 16;
        local_project_k_out(y2, attention_norm, key_weight_group + 16, value_weight_group,
            k_out_column, key_weight_column, less, column, block);
        local_project_k_out_1(y2, attention_norm + 11232, key_weight_group + 4624,
            value_weight_group + 4608, k_out_column + 1728, key_weight_column, less, column, block);
    }
    /* → v */
    local_project_v_1(v, attention_norm, value_weight_group, query_weight_group, block);
}

INLINE void local_output_y1(const float *heads, const float *dense_weight_group, float *y1_column,
        const float *dense_weight_rem, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *y1_tile = y1_column + tile * 1152;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 4; step++) {
            prefetch(dense_weight_group + (panel * 192 + tile * 2 + step) * 32 + rem * 16);
            prefetch(y1_tile + step * 192);
            for (int64_t k = 0; k < 8; k++) {
                const float *heads_k = heads + tile * 288 + step * 8 + k;
                const f32x8 s = splat8(heads_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(heads_k[48]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(heads_k[96]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(heads_k[144]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(heads_k[192]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(heads_k[240]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(y1_tile, load8(y1_tile) + acc0_0);
        store8(y1_tile + 8, load8(y1_tile + 8) + acc0_1);
        store8(y1_tile + 192, load8(y1_tile + 192) + acc1_0);
        store8(y1_tile + 200, load8(y1_tile + 200) + acc1_1);
        store8(y1_tile + 384, load8(y1_tile + 384) + acc2_0);
        store8(y1_tile + 392, load8(y1_tile + 392) + acc2_1);
        store8(y1_tile + 576, load8(y1_tile + 576) + acc3_0);
        store8(y1_tile + 584, load8(y1_tile + 584) + acc3_1);
        store8(y1_tile + 768, load8(y1_tile + 768) + acc4_0);
        store8(y1_tile + 776, load8(y1_tile + 776) + acc4_1);
        store8(y1_tile + 960, load8(y1_tile + 960) + acc5_0);
        store8(y1_tile + 968, load8(y1_tile + 968) + acc5_1);
    }
}

INLINE void local_output_y1_1(const float *heads, const float *dense_weight_group, float *y1_column,
        const float *dense_weight_rem, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *y1_tile = y1_column + tile * 960;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 4; step++) {
            prefetch(dense_weight_group + (panel * 192 + tile * 2 + step) * 32 + rem * 16);
            prefetch(y1_tile + step * 192);
            for (int64_t k = 0; k < 8; k++) {
                const float *heads_k = heads + tile * 240 + step * 8 + k;
                const f32x8 s = splat8(heads_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(heads_k[48]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(heads_k[96]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(heads_k[144]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(heads_k[192]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        store8(y1_tile, load8(y1_tile) + acc0_0);
        store8(y1_tile + 8, load8(y1_tile + 8) + acc0_1);
        store8(y1_tile + 192, load8(y1_tile + 192) + acc1_0);
        store8(y1_tile + 200, load8(y1_tile + 200) + acc1_1);
        store8(y1_tile + 384, load8(y1_tile + 384) + acc2_0);
        store8(y1_tile + 392, load8(y1_tile + 392) + acc2_1);
        store8(y1_tile + 576, load8(y1_tile + 576) + acc3_0);
        store8(y1_tile + 584, load8(y1_tile + 584) + acc3_1);
        store8(y1_tile + 768, load8(y1_tile + 768) + acc4_0);
        store8(y1_tile + 776, load8(y1_tile + 776) + acc4_1);
    }
}

/* crime-and-punishment-bytes.yaml:5: local attention: output of a group of heads, added to its
 * stream
 * tasks [batch 1][block 8] */
REFORMER_KERNEL static void local_output(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 8;
    const int64_t layer = arg[0];
    const int64_t group = arg[1];
    /* [1][1][512][32]: [batch][group][rows][head] */
    const float *restrict q = (const void *)(call->workspace + 786432);
    float *restrict heads = (void *)scratch; /* [64][48] */
    /* [4][6][192][32] */
    const float *w_attention_output_dense_weight = (const void *)(call->weights + 1408512);
    /* [1][512][192]: [batch][rows][width]: a stream */
    float *restrict y1 = (void *)call->workspace;
    for (int64_t i = 0; i < 64; i++) {
        for (int64_t v = 0; v < 4; v++) {
            store8(heads + i * 48 + v * 8, load8(q + (block * 64 + i) * 32 + v * 8));
        }
    }
    /* y1 */
    const float *dense_weight_group = w_attention_output_dense_weight + (layer * 1152 + group * 32)
        * 32;
    for (int64_t column = 0; column < 12; column++) {
        const int64_t next = min_i64(column + 1, 11);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *dense_weight_rem = dense_weight_group + panel_1 * 6144 + rem_1 * 16;
        float *y1_column = y1 + block * 12288 + column * 16;
        local_output_y1(heads, dense_weight_group, y1_column, dense_weight_rem, panel, rem);
        local_output_y1_1(heads + 2592, dense_weight_group + 576, y1_column + 10368,
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
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(w_feed_forward_dense_dense_weight +
                    ((layer * 24 + panel) * 192 + tile * 16 + step) * 32 + rem * 16);
            } else {
                prefetch(dense_weight_layer + (tile * 16 + step) * 32);
            }
            for (int64_t k = 0; k < 8; k++) {
                const float *norm_k = norm + tile * 1248 + step * 8 + k;
                const f32x8 s = splat8(norm_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(norm_k[1040]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        const f32x8 v = load8(dense_dense_bias_column);
        const f32x8 y = relu_f32x8(acc0_0 + v);
        float *act_tile = act + tile * 4704 + column * 16;
        store8(act_tile, y);
        const f32x8 y_1 = relu_f32x8(acc1_0 + v);
        store8(act_tile + 784, y_1);
        const f32x8 y_2 = relu_f32x8(acc2_0 + v);
        store8(act_tile + 1568, y_2);
        const f32x8 y_3 = relu_f32x8(acc3_0 + v);
        store8(act_tile + 2352, y_3);
        const f32x8 y_4 = relu_f32x8(acc4_0 + v);
        store8(act_tile + 3136, y_4);
        const f32x8 y_5 = relu_f32x8(acc5_0 + v);
        store8(act_tile + 3920, y_5);
        const f32x8 v_1 = load8(dense_dense_bias_column + 8);
        const f32x8 y_6 = relu_f32x8(acc0_1 + v_1);
        store8(act_tile + 8, y_6);
        const f32x8 y_7 = relu_f32x8(acc1_1 + v_1);
        store8(act_tile + 792, y_7);
        const f32x8 y_8 = relu_f32x8(acc2_1 + v_1);
        store8(act_tile + 1576, y_8);
        const f32x8 y_9 = relu_f32x8(acc3_1 + v_1);
        store8(act_tile + 2360, y_9);
        const f32x8 y_10 = relu_f32x8(acc4_1 + v_1);
        store8(act_tile + 3144, y_10);
        const f32x8 y_11 = relu_f32x8(acc5_1 + v_1);
        store8(act_tile + 3928, y_11);
    }
}

INLINE void feed_forward_act_1(const float *w_feed_forward_dense_dense_weight, const float *norm,
        float *act, const float *dense_weight_layer, const float *dense_weight_rem,
        const float *dense_dense_bias_column, int32_t less, int64_t layer, int64_t panel,
        int64_t rem, int64_t column) {
    for (int64_t tile = 0; tile < 2; tile++) {
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(w_feed_forward_dense_dense_weight +
                    ((layer * 24 + panel) * 192 + tile * 16 + step) * 32 + rem * 16);
            } else {
                prefetch(dense_weight_layer + (tile * 16 + step) * 32);
            }
            for (int64_t k = 0; k < 8; k++) {
                const float *norm_k = norm + tile * 1040 + step * 8 + k;
                const f32x8 s = splat8(norm_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        const f32x8 v = load8(dense_dense_bias_column);
        const f32x8 y = relu_f32x8(acc0_0 + v);
        float *act_tile = act + tile * 3920 + column * 16;
        store8(act_tile, y);
        const f32x8 y_1 = relu_f32x8(acc1_0 + v);
        store8(act_tile + 784, y_1);
        const f32x8 y_2 = relu_f32x8(acc2_0 + v);
        store8(act_tile + 1568, y_2);
        const f32x8 y_3 = relu_f32x8(acc3_0 + v);
        store8(act_tile + 2352, y_3);
        const f32x8 y_4 = relu_f32x8(acc4_0 + v);
        store8(act_tile + 3136, y_4);
        const f32x8 v_1 = load8(dense_dense_bias_column + 8);
        const f32x8 y_5 = relu_f32x8(acc0_1 + v_1);
        store8(act_tile + 8, y_5);
        const f32x8 y_6 = relu_f32x8(acc1_1 + v_1);
        store8(act_tile + 792, y_6);
        const f32x8 y_7 = relu_f32x8(acc2_1 + v_1);
        store8(act_tile + 1576, y_7);
        const f32x8 y_8 = relu_f32x8(acc3_1 + v_1);
        store8(act_tile + 2360, y_8);
        const f32x8 y_9 = relu_f32x8(acc4_1 + v_1);
        store8(act_tile + 3144, y_9);
    }
}

INLINE void feed_forward_y2(const float *act, const float *dense_weight_layer, float *y2_column,
        const float *dense_weight_rem, const float *dense_bias_column, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *y2_tile = y2_column + tile * 1152;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 96; step++) {
            prefetch(dense_weight_layer + (panel * 768 + tile * 67 + step) * 32 + rem * 16);
            const int64_t clamped = min_i64(step, 5);
            prefetch(y2_tile + clamped * 192);
            for (int64_t k = 0; k < 8; k++) {
                const float *act_k = act + tile * 4704 + step * 8 + k;
                const f32x8 s = splat8(act_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(act_k[784]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(act_k[1568]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(act_k[2352]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(act_k[3136]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(act_k[3920]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        const f32x8 v = load8(dense_bias_column);
        store8(y2_tile, load8(y2_tile) + (acc0_0 + v));
        store8(y2_tile + 192, load8(y2_tile + 192) + (acc1_0 + v));
        store8(y2_tile + 384, load8(y2_tile + 384) + (acc2_0 + v));
        store8(y2_tile + 576, load8(y2_tile + 576) + (acc3_0 + v));
        store8(y2_tile + 768, load8(y2_tile + 768) + (acc4_0 + v));
        store8(y2_tile + 960, load8(y2_tile + 960) + (acc5_0 + v));
        const f32x8 v_1 = load8(dense_bias_column + 8);
        store8(y2_tile + 8, load8(y2_tile + 8) + (acc0_1 + v_1));
        store8(y2_tile + 200, load8(y2_tile + 200) + (acc1_1 + v_1));
        store8(y2_tile + 392, load8(y2_tile + 392) + (acc2_1 + v_1));
        store8(y2_tile + 584, load8(y2_tile + 584) + (acc3_1 + v_1));
        store8(y2_tile + 776, load8(y2_tile + 776) + (acc4_1 + v_1));
        store8(y2_tile + 968, load8(y2_tile + 968) + (acc5_1 + v_1));
    }
}

INLINE void feed_forward_y2_1(const float *act, const float *dense_weight_layer, float *y2_column,
        const float *dense_weight_rem, const float *dense_bias_column, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *y2_tile = y2_column + tile * 960;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 96; step++) {
            prefetch(dense_weight_layer + (panel * 768 + tile * 67 + step) * 32 + rem * 16);
            const int64_t clamped = min_i64(step, 4);
            prefetch(y2_tile + clamped * 192);
            for (int64_t k = 0; k < 8; k++) {
                const float *act_k = act + tile * 3920 + step * 8 + k;
                const f32x8 s = splat8(act_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(act_k[784]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(act_k[1568]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(act_k[2352]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(act_k[3136]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        const f32x8 v = load8(dense_bias_column);
        store8(y2_tile, load8(y2_tile) + (acc0_0 + v));
        store8(y2_tile + 192, load8(y2_tile + 192) + (acc1_0 + v));
        store8(y2_tile + 384, load8(y2_tile + 384) + (acc2_0 + v));
        store8(y2_tile + 576, load8(y2_tile + 576) + (acc3_0 + v));
        store8(y2_tile + 768, load8(y2_tile + 768) + (acc4_0 + v));
        const f32x8 v_1 = load8(dense_bias_column + 8);
        store8(y2_tile + 8, load8(y2_tile + 8) + (acc0_1 + v_1));
        store8(y2_tile + 200, load8(y2_tile + 200) + (acc1_1 + v_1));
        store8(y2_tile + 392, load8(y2_tile + 392) + (acc2_1 + v_1));
        store8(y2_tile + 584, load8(y2_tile + 584) + (acc3_1 + v_1));
        store8(y2_tile + 776, load8(y2_tile + 776) + (acc4_1 + v_1));
    }
}

/* crime-and-punishment-bytes.yaml:9: on blocks of 64 rows
 * tasks [batch 1][block 8] */
REFORMER_KERNEL static void feed_forward(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 8;
    const int64_t layer = arg[0];
    /* [1][512][192]: [batch][rows][width]: a stream */
    const float *restrict y1 = (const void *)call->workspace;
    /* [4][192] */
    const float *w_feed_forward_layer_norm_weight = (const void *)(call->weights + 1998336);
    /* [4][192] */
    const float *w_feed_forward_layer_norm_bias = (const void *)(call->weights + 2001408);
    float *restrict norm = (void *)scratch; /* [64][208] */
    /* [4][24][192][32] */
    const float *w_feed_forward_dense_dense_weight = (const void *)(call->weights + 2004480);
    /* [4][6][768][32] */
    const float *w_feed_forward_output_dense_weight = (const void *)(call->weights + 4376064);
    /* [4][768] */
    const float *w_feed_forward_dense_dense_bias = (const void *)(call->weights + 4363776);
    float *restrict act = (void *)(scratch + 53248); /* [64][784] */
    /* [1][512][192]: [batch][rows][width]: a stream */
    float *restrict y2 = (void *)(call->workspace + 393216);
    /* [4][192] */
    const float *w_feed_forward_output_dense_bias = (const void *)(call->weights + 6735360);
    /* layer norm of 64 rows of 192 */
    for (int64_t i = 0; i < 64; i++) {
        const float *y1_i = y1 + (block * 64 + i) * 192;
        f32x8 sum = {0};
        for (int64_t v = 0; v < 24; v++) {
            sum = sum + load8(y1_i + v * 8);
        }
        const f32x8 mix = shuffle_swap4_f32x8(sum);
        const f32x8 sum_1 = sum + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
        const f32x8 sum_3 = sum_2 + mix_2;
        const float mean = div_f32(sum_3[0], 192.0f);
        f32x8 sum_4 = {0};
        for (int64_t v = 0; v < 24; v++) {
            const f32x8 diff = load8(y1_i + v * 8) - splat8(mean);
            sum_4 = fma8(diff, diff, sum_4);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
        const f32x8 sum_6 = sum_5 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
        const f32x8 sum_7 = sum_6 + mix_5;
        const float var = div_f32(sum_7[0], 192.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v = 0; v < 24; v++) {
            const f32x8 prod = (load8(y1_i + v * 8) - splat8(mean)) * splat8(scale);
            const f32x8 t =
                fma8(prod, load8(w_feed_forward_layer_norm_weight + layer * 192 + v * 8),
                load8(w_feed_forward_layer_norm_bias + layer * 192 + v * 8));
            store8(norm + i * 208 + v * 8, t);
        }
    }
    /* feed_forward_act */
    const float *dense_weight_layer = w_feed_forward_output_dense_weight + layer * 147456;
    for (int64_t column = 0; column < 48; column++) {
        const int64_t next = min_i64(column + 1, 47);
        const int32_t less = -(column < next);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *dense_weight_rem = w_feed_forward_dense_dense_weight + (layer * 24 + panel_1) *
            192 * 32 + rem_1 * 16;
        const float *dense_dense_bias_column = w_feed_forward_dense_dense_bias + layer * 768 +
            column * 16;
        feed_forward_act(w_feed_forward_dense_dense_weight, norm, act, dense_weight_layer,
            dense_weight_rem, dense_dense_bias_column, less, layer, panel, rem, column);
        feed_forward_act_1(w_feed_forward_dense_dense_weight + 4608, norm + 11232, act + 42336,
            dense_weight_layer + 4608, dense_weight_rem, dense_dense_bias_column, less, layer,
            panel, rem, column);
    }
    /* y2 */
    for (int64_t column = 0; column < 12; column++) {
        const int64_t next = min_i64(column + 1, 11);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *dense_weight_rem = dense_weight_layer + panel_1 * 24576 + rem_1 * 16;
        float *y2_column = y2 + block * 12288 + column * 16;
        const float *dense_bias_column = w_feed_forward_output_dense_bias + layer * 192 + column *
            16;
        feed_forward_y2(act, dense_weight_layer, y2_column, dense_weight_rem, dense_bias_column,
            panel, rem);
        feed_forward_y2_1(act + 42336, dense_weight_layer + 19296, y2_column + 10368,
            dense_weight_rem, dense_bias_column, panel, rem);
    }
}

INLINE void lsh_project_q(const float *y2, const float *attention_norm,
        const float *query_key_weight_group, const float *value_weight_group, float *q_column,
        const float *query_key_weight_column, int32_t less, int64_t column, int64_t block) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *q_tile = q_column + tile * 192;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(query_key_weight_group + (tile * 16 + step) * 32);
            } else {
                prefetch(value_weight_group + (tile * 16 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 5);
            prefetch(q_tile + clamped * 32);
            const int64_t at = column * 264 + tile * 24 + step;
            const int64_t clamped_1 = min_i64(block * 64 + at / 12 + 64, 511);
            prefetch(y2 + clamped_1 * 192 + at % 12 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1248 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(query_key_weight_column + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(query_key_weight_column + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(attention_norm_k[1040]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(q_tile, acc0_0);
        store8(q_tile + 8, acc0_1);
        store8(q_tile + 32, acc1_0);
        store8(q_tile + 40, acc1_1);
        store8(q_tile + 64, acc2_0);
        store8(q_tile + 72, acc2_1);
        store8(q_tile + 96, acc3_0);
        store8(q_tile + 104, acc3_1);
        store8(q_tile + 128, acc4_0);
        store8(q_tile + 136, acc4_1);
        store8(q_tile + 160, acc5_0);
        store8(q_tile + 168, acc5_1);
    }
}

INLINE void lsh_project_q_1(const float *y2, const float *attention_norm,
        const float *query_key_weight_group, const float *value_weight_group, float *q_column,
        const float *query_key_weight_column, int32_t less, int64_t column, int64_t block) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *q_tile = q_column + tile * 160;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(query_key_weight_group + (tile * 16 + step) * 32);
            } else {
                prefetch(value_weight_group + (tile * 16 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 4);
            prefetch(q_tile + clamped * 32);
            const int64_t at = column * 264 + tile * 24 + step + 216;
            const int64_t clamped_1 = min_i64(block * 64 + at / 12 + 64, 511);
            prefetch(y2 + clamped_1 * 192 + at % 12 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1040 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(query_key_weight_column + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(query_key_weight_column + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        store8(q_tile, acc0_0);
        store8(q_tile + 8, acc0_1);
        store8(q_tile + 32, acc1_0);
        store8(q_tile + 40, acc1_1);
        store8(q_tile + 64, acc2_0);
        store8(q_tile + 72, acc2_1);
        store8(q_tile + 96, acc3_0);
        store8(q_tile + 104, acc3_1);
        store8(q_tile + 128, acc4_0);
        store8(q_tile + 136, acc4_1);
    }
}

INLINE void lsh_project_v(const float *y2, const float *attention_norm,
        const float *value_weight_group, const float *query_key_weight_group, float *v_column,
        const float *value_weight_column, int32_t less, int64_t column, int64_t block) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *v_tile = v_column + tile * 192;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(value_weight_group + (tile * 16 + step) * 32);
            } else {
                prefetch(query_key_weight_group + (tile * 16 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 5);
            prefetch(v_tile + clamped * 32);
            const int64_t clamped_1 = min_i64(column * 264 + tile * 24 + step + 528, 767);
            const int64_t clamped_2 = min_i64(block * 64 + clamped_1 / 12 + 64, 511);
            prefetch(y2 + clamped_2 * 192 + clamped_1 % 12 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1248 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(value_weight_column + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(value_weight_column + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(attention_norm_k[1040]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(v_tile, acc0_0);
        store8(v_tile + 8, acc0_1);
        store8(v_tile + 32, acc1_0);
        store8(v_tile + 40, acc1_1);
        store8(v_tile + 64, acc2_0);
        store8(v_tile + 72, acc2_1);
        store8(v_tile + 96, acc3_0);
        store8(v_tile + 104, acc3_1);
        store8(v_tile + 128, acc4_0);
        store8(v_tile + 136, acc4_1);
        store8(v_tile + 160, acc5_0);
        store8(v_tile + 168, acc5_1);
    }
}

INLINE void lsh_project_v_1(const float *y2, const float *attention_norm,
        const float *value_weight_group, const float *query_key_weight_group, float *v_column,
        const float *value_weight_column, int32_t less, int64_t column, int64_t block) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *v_tile = v_column + tile * 160;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 24; step++) {
            if (less) {
                prefetch(value_weight_group + (tile * 16 + step) * 32);
            } else {
                prefetch(query_key_weight_group + (tile * 16 + step) * 32);
            }
            const int64_t clamped = min_i64(step, 4);
            prefetch(v_tile + clamped * 32);
            const int64_t clamped_1 = min_i64(column * 264 + tile * 24 + step + 744, 767);
            const int64_t clamped_2 = min_i64(block * 64 + clamped_1 / 12 + 64, 511);
            prefetch(y2 + clamped_2 * 192 + clamped_1 % 12 * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *attention_norm_k = attention_norm + tile * 1040 + step * 8 + k;
                const f32x8 s = splat8(attention_norm_k[0]);
                const f32x8 v = load8(value_weight_column + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(value_weight_column + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(attention_norm_k[208]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(attention_norm_k[416]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(attention_norm_k[624]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(attention_norm_k[832]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        store8(v_tile, acc0_0);
        store8(v_tile + 8, acc0_1);
        store8(v_tile + 32, acc1_0);
        store8(v_tile + 40, acc1_1);
        store8(v_tile + 64, acc2_0);
        store8(v_tile + 72, acc2_1);
        store8(v_tile + 96, acc3_0);
        store8(v_tile + 104, acc3_1);
        store8(v_tile + 128, acc4_0);
        store8(v_tile + 136, acc4_1);
    }
}

/* crime-and-punishment-bytes.yaml:5: LSH attention: norm and projections of a group of 1 heads
 * tasks [batch 1][block 8] */
REFORMER_KERNEL static void lsh_project(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 8;
    const int64_t layer = arg[0];
    const int64_t index = arg[1];
    const int64_t group = arg[2];
    /* [1][512][192]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const void *)(call->workspace + 393216);
    /* [4][192] */
    const float *w_attention_layer_norm_weight = (const void *)(call->weights + 222720);
    /* [4][192] */
    const float *w_attention_layer_norm_bias = (const void *)(call->weights + 225792);
    float *restrict attention_norm = (void *)scratch; /* [64][208] */
    /* [2][6][1][192][32] */
    const float *w_attention_self_attention_query_key_weight =
        (const void *)(call->weights + 6738432);
    /* [4][6][1][192][32] */
    const float *w_attention_self_attention_value_weight = (const void *)(call->weights + 818688);
    /* [1][1][512][32]: [batch][group][rows][head] */
    float *restrict q = (void *)(call->workspace + 786432);
    /* [1][1][512][32]: [batch][group][rows][head] */
    float *restrict v = (void *)(call->workspace + 851968);
    /* [1][1][512]: [batch][group][rows]: largest score so far */
    float *restrict max_so_far = (void *)(call->workspace + 995392);
    /* [1][1][512]: [batch][group][rows]: sum of exponentials */
    float *restrict sum_so_far = (void *)(call->workspace + 997440);
    /* layer norm of 64 rows of 192 */
    for (int64_t i = 0; i < 64; i++) {
        const float *y2_i = y2 + (block * 64 + i) * 192;
        f32x8 sum = {0};
        for (int64_t v_1 = 0; v_1 < 24; v_1++) {
            sum = sum + load8(y2_i + v_1 * 8);
        }
        const f32x8 mix = shuffle_swap4_f32x8(sum);
        const f32x8 sum_1 = sum + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
        const f32x8 sum_3 = sum_2 + mix_2;
        const float mean = div_f32(sum_3[0], 192.0f);
        f32x8 sum_4 = {0};
        for (int64_t v_1 = 0; v_1 < 24; v_1++) {
            const f32x8 diff = load8(y2_i + v_1 * 8) - splat8(mean);
            sum_4 = fma8(diff, diff, sum_4);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
        const f32x8 sum_6 = sum_5 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
        const f32x8 sum_7 = sum_6 + mix_5;
        const float var = div_f32(sum_7[0], 192.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v_1 = 0; v_1 < 24; v_1++) {
            const f32x8 prod = (load8(y2_i + v_1 * 8) - splat8(mean)) * splat8(scale);
            const f32x8 t = fma8(prod, load8(w_attention_layer_norm_weight + layer * 192 + v_1 * 8),
                load8(w_attention_layer_norm_bias + layer * 192 + v_1 * 8));
            store8(attention_norm + i * 208 + v_1 * 8, t);
        }
    }
    /* → q */
    const float *query_key_weight_group = w_attention_self_attention_query_key_weight +
        (index * 6 + group) * 192 * 32;
    const float *value_weight_group = w_attention_self_attention_value_weight + (layer * 6 + group)
        * 192 * 32;
    for (int64_t column = 0; column < 2; column++) {
        const int32_t less = -(column < 1);
        const float *query_key_weight_column = query_key_weight_group + column * 16;
        float *q_column = q + block * 2048 + column * 16;
        lsh_project_q(y2, attention_norm, query_key_weight_group + 16, value_weight_group, q_column,
            query_key_weight_column, less, column, block);
        lsh_project_q_1(y2, attention_norm + 11232, query_key_weight_group + 4624,
            value_weight_group + 4608, q_column + 1728, query_key_weight_column, less, column,
            block);
    }
    /* → v */
    for (int64_t column = 0; column < 2; column++) {
        const int32_t less = -(column < 1);
        const float *value_weight_column = value_weight_group + column * 16;
        float *v_column = v + block * 2048 + column * 16;
        lsh_project_v(y2, attention_norm, value_weight_group + 16, query_key_weight_group, v_column,
            value_weight_column, less, column, block);
        lsh_project_v_1(y2, attention_norm + 11232, value_weight_group + 4624,
            query_key_weight_group + 4608, v_column + 1728, value_weight_column, less, column,
            block);
    }
    for (int64_t i = 0; i < 64; i++) {
        max_so_far[block * 64 + i] = -3.4028235e+38f;
        sum_so_far[block * 64 + i] = 0.0f;
    }
}

INLINE void lsh_output_heads(const float *sum_so_far, const float *k_out, float *heads,
        const int32_t *self_count, const float *v, int64_t block) {
    for (int64_t i = 0; i < 64; i++) {
        const float sum = sum_so_far[block * 64 + i];
        if (sum != 0.0f) {
            const float quot = div_f32(1.0f, sum);
            for (int64_t v_1 = 0; v_1 < 4; v_1++) {
                store8(heads + i * 48 + v_1 * 8,
                    mul8(load8(k_out + (block * 64 + i) * 32 + v_1 * 8), splat8(quot)));
            }
        } else {
            const float x = (float)self_count[block * 64 + i];
            const float y = log_f32(x);
            const float sum_1 = -1e+05f + y;
            const float y_1 = exp_f32(-1e+05f - sum_1);
            const float x_1 = (float)self_count[block * 64 + i + 512];
            const float y_2 = log_f32(x_1);
            const float sum_2 = -1e+05f + y_2;
            const float larger = max_f32(sum_1, sum_2);
            const float y_3 = exp_f32(sum_1 - larger);
            const float y_4 = exp_f32(sum_2 - larger);
            const float y_5 = log_f32(y_3 + y_4);
            const float sum_3 = y_5 + larger;
            const float y_6 = exp_f32(sum_1 - sum_3);
            const float y_7 = exp_f32(-1e+05f - sum_2);
            const float y_8 = exp_f32(sum_2 - sum_3);
            const float weight = mul_f32(x * y_1, y_6) + mul_f32(x_1 * y_7, y_8);
            for (int64_t v_1 = 0; v_1 < 4; v_1++) {
                store8(heads + i * 48 + v_1 * 8, mul8(load8(v + (block * 64 + i) * 32 + v_1 * 8),
                    splat8(weight)));
            }
        }
    }
}

INLINE void lsh_output_y1(const float *heads, const float *dense_weight_group, float *y1_column,
        const float *dense_weight_rem, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 9; tile++) {
        float *y1_tile = y1_column + tile * 1152;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 4; step++) {
            prefetch(dense_weight_group + (panel * 192 + tile * 2 + step) * 32 + rem * 16);
            prefetch(y1_tile + step * 192);
            for (int64_t k = 0; k < 8; k++) {
                const float *heads_k = heads + tile * 288 + step * 8 + k;
                const f32x8 s = splat8(heads_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(heads_k[48]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(heads_k[96]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(heads_k[144]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(heads_k[192]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(heads_k[240]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        store8(y1_tile, load8(y1_tile) + acc0_0);
        store8(y1_tile + 8, load8(y1_tile + 8) + acc0_1);
        store8(y1_tile + 192, load8(y1_tile + 192) + acc1_0);
        store8(y1_tile + 200, load8(y1_tile + 200) + acc1_1);
        store8(y1_tile + 384, load8(y1_tile + 384) + acc2_0);
        store8(y1_tile + 392, load8(y1_tile + 392) + acc2_1);
        store8(y1_tile + 576, load8(y1_tile + 576) + acc3_0);
        store8(y1_tile + 584, load8(y1_tile + 584) + acc3_1);
        store8(y1_tile + 768, load8(y1_tile + 768) + acc4_0);
        store8(y1_tile + 776, load8(y1_tile + 776) + acc4_1);
        store8(y1_tile + 960, load8(y1_tile + 960) + acc5_0);
        store8(y1_tile + 968, load8(y1_tile + 968) + acc5_1);
    }
}

INLINE void lsh_output_y1_1(const float *heads, const float *dense_weight_group, float *y1_column,
        const float *dense_weight_rem, int64_t panel, int64_t rem) {
    for (int64_t tile = 0; tile < 2; tile++) {
        float *y1_tile = y1_column + tile * 960;
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 4; step++) {
            prefetch(dense_weight_group + (panel * 192 + tile * 2 + step) * 32 + rem * 16);
            prefetch(y1_tile + step * 192);
            for (int64_t k = 0; k < 8; k++) {
                const float *heads_k = heads + tile * 240 + step * 8 + k;
                const f32x8 s = splat8(heads_k[0]);
                const f32x8 v = load8(dense_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(dense_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(heads_k[48]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(heads_k[96]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(heads_k[144]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(heads_k[192]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        store8(y1_tile, load8(y1_tile) + acc0_0);
        store8(y1_tile + 8, load8(y1_tile + 8) + acc0_1);
        store8(y1_tile + 192, load8(y1_tile + 192) + acc1_0);
        store8(y1_tile + 200, load8(y1_tile + 200) + acc1_1);
        store8(y1_tile + 384, load8(y1_tile + 384) + acc2_0);
        store8(y1_tile + 392, load8(y1_tile + 392) + acc2_1);
        store8(y1_tile + 576, load8(y1_tile + 576) + acc3_0);
        store8(y1_tile + 584, load8(y1_tile + 584) + acc3_1);
        store8(y1_tile + 768, load8(y1_tile + 768) + acc4_0);
        store8(y1_tile + 776, load8(y1_tile + 776) + acc4_1);
    }
}

/* crime-and-punishment-bytes.yaml:5: LSH attention: output of a group of heads, added to its
 * stream
 * tasks [batch 1][block 8] */
REFORMER_KERNEL static void lsh_output(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 8;
    const int64_t layer = arg[0];
    const int64_t group = arg[1];
    /* [1][1][512]: [batch][group][rows]: sum of exponentials */
    const float *restrict sum_so_far = (const void *)(call->workspace + 997440);
    /* [1][1][512][32]: [batch][group][rows][head]: keys, or an output apart from the queries */
    const float *restrict k_out = (const void *)(call->workspace + 917504);
    float *restrict heads = (void *)scratch; /* [64][48] */
    /* [1][1][2][512]: [batch][group][round][rows]: self entries of rows without other keys */
    const int32_t *restrict self_count = (const void *)(call->workspace + 987200);
    /* [1][1][512][32]: [batch][group][rows][head] */
    const float *restrict v = (const void *)(call->workspace + 851968);
    /* [4][6][192][32] */
    const float *w_attention_output_dense_weight = (const void *)(call->weights + 1408512);
    /* [1][512][192]: [batch][rows][width]: a stream */
    float *restrict y1 = (void *)call->workspace;
    lsh_output_heads(sum_so_far, k_out, heads, self_count, v, block);
    /* y1 */
    const float *dense_weight_group = w_attention_output_dense_weight + (layer * 1152 + group * 32)
        * 32;
    for (int64_t column = 0; column < 12; column++) {
        const int64_t next = min_i64(column + 1, 11);
        const int64_t panel = next / 2;
        const int64_t rem = next % 2;
        const int64_t panel_1 = column / 2;
        const int64_t rem_1 = column % 2;
        const float *dense_weight_rem = dense_weight_group + panel_1 * 6144 + rem_1 * 16;
        float *y1_column = y1 + block * 12288 + column * 16;
        lsh_output_y1(heads, dense_weight_group, y1_column, dense_weight_rem, panel, rem);
        lsh_output_y1_1(heads + 2592, dense_weight_group + 576, y1_column + 10368, dense_weight_rem,
            panel, rem);
    }
}

INLINE void lm_head_hidden(const float *y1, const float *y2,
        const float *w_encoder_layer_norm_weight, const float *w_encoder_layer_norm_bias,
        float *hidden, int64_t block) {
    for (int64_t i = 0; i < 64; i++) {
        const float *y1_i = y1 + (block * 64 + i) * 192;
        f32x8 sum = {0};
        for (int64_t v = 0; v < 24; v++) {
            sum = sum + load8(y1_i + v * 8);
        }
        const f32x8 mix = shuffle_swap4_f32x8(sum);
        const f32x8 sum_1 = sum + mix;
        const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_1;
        const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
        const f32x8 sum_3 = sum_2 + mix_2;
        const float *y2_i = y2 + (block * 64 + i) * 192;
        const float lane = sum_3[0];
        f32x8 sum_4 = {0};
        for (int64_t v = 0; v < 24; v++) {
            sum_4 = sum_4 + load8(y2_i + v * 8);
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
        const f32x8 sum_6 = sum_5 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
        const f32x8 sum_7 = sum_6 + mix_5;
        const float mean = div_f32(lane + sum_7[0], 384.0f);
        f32x8 sum_8 = {0};
        for (int64_t v = 0; v < 24; v++) {
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
        for (int64_t v = 0; v < 24; v++) {
            const f32x8 diff = load8(y2_i + v * 8) - splat8(mean);
            sum_12 = fma8(diff, diff, sum_12);
        }
        const f32x8 mix_9 = shuffle_swap4_f32x8(sum_12);
        const f32x8 sum_13 = sum_12 + mix_9;
        const f32x8 mix_10 = shuffle_swap2_f32x8(sum_13);
        const f32x8 sum_14 = sum_13 + mix_10;
        const f32x8 mix_11 = shuffle_swap1_f32x8(sum_14);
        const f32x8 sum_15 = sum_14 + mix_11;
        const float var = div_f32(lane_1 + sum_15[0], 384.0f);
        const float root = sqrt_f32(var + 1e-12f);
        const float scale = div_f32(1.0f, root);
        for (int64_t v = 0; v < 24; v++) {
            const f32x8 prod = (load8(y1_i + v * 8) - splat8(mean)) * splat8(scale);
            const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8),
                load8(w_encoder_layer_norm_bias + v * 8));
            store8(hidden + i * 400 + v * 8, t);
        }
        for (int64_t v = 0; v < 24; v++) {
            const f32x8 prod = (load8(y2_i + v * 8) - splat8(mean)) * splat8(scale);
            const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8 + 192),
                load8(w_encoder_layer_norm_bias + v * 8 + 192));
            store8(hidden + i * 400 + v * 8 + 192, t);
        }
    }
}

INLINE void lm_head_of_logits(const float *w_lm_head_decoder_weight, const float *hidden,
        const float *w_lm_head_bias, float *of_logits, const float *decoder_weight_rem,
        int64_t panel, int64_t rem, int64_t column) {
    for (int64_t tile = 0; tile < 9; tile++) {
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0}, acc5_1 = {0};
        for (int64_t step = 0; step < 48; step++) {
            prefetch(w_lm_head_decoder_weight + (panel * 384 + tile * 33 + step) * 32 + rem * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *hidden_k = hidden + tile * 2400 + step * 8 + k;
                const f32x8 s = splat8(hidden_k[0]);
                const f32x8 v = load8(decoder_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(decoder_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(hidden_k[400]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(hidden_k[800]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(hidden_k[1200]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(hidden_k[1600]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
                const f32x8 s_5 = splat8(hidden_k[2000]);
                acc5_0 = fma8(s_5, v, acc5_0);
                acc5_1 = fma8(s_5, v_1, acc5_1);
            }
        }
        const f32x8 v = load8(w_lm_head_bias + column * 16);
        float *of_logits_tile = of_logits + tile * 1728 + column * 16;
        store8(of_logits_tile, acc0_0 + v);
        store8(of_logits_tile + 288, acc1_0 + v);
        store8(of_logits_tile + 576, acc2_0 + v);
        store8(of_logits_tile + 864, acc3_0 + v);
        store8(of_logits_tile + 1152, acc4_0 + v);
        store8(of_logits_tile + 1440, acc5_0 + v);
        const f32x8 v_1 = load8(w_lm_head_bias + column * 16 + 8);
        store8(of_logits_tile + 8, acc0_1 + v_1);
        store8(of_logits_tile + 296, acc1_1 + v_1);
        store8(of_logits_tile + 584, acc2_1 + v_1);
        store8(of_logits_tile + 872, acc3_1 + v_1);
        store8(of_logits_tile + 1160, acc4_1 + v_1);
        store8(of_logits_tile + 1448, acc5_1 + v_1);
    }
}

INLINE void lm_head_of_logits_1(const float *w_lm_head_decoder_weight, const float *hidden,
        const float *w_lm_head_bias, float *of_logits, const float *decoder_weight_rem,
        int64_t panel, int64_t rem, int64_t column) {
    for (int64_t tile = 0; tile < 2; tile++) {
        f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0}, acc2_1 = {0},
            acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
        for (int64_t step = 0; step < 48; step++) {
            prefetch(w_lm_head_decoder_weight + (panel * 384 + tile * 33 + step) * 32 + rem * 16);
            for (int64_t k = 0; k < 8; k++) {
                const float *hidden_k = hidden + tile * 2000 + step * 8 + k;
                const f32x8 s = splat8(hidden_k[0]);
                const f32x8 v = load8(decoder_weight_rem + (step * 8 + k) * 32);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(decoder_weight_rem + (step * 8 + k) * 32 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
                const f32x8 s_1 = splat8(hidden_k[400]);
                acc1_0 = fma8(s_1, v, acc1_0);
                acc1_1 = fma8(s_1, v_1, acc1_1);
                const f32x8 s_2 = splat8(hidden_k[800]);
                acc2_0 = fma8(s_2, v, acc2_0);
                acc2_1 = fma8(s_2, v_1, acc2_1);
                const f32x8 s_3 = splat8(hidden_k[1200]);
                acc3_0 = fma8(s_3, v, acc3_0);
                acc3_1 = fma8(s_3, v_1, acc3_1);
                const f32x8 s_4 = splat8(hidden_k[1600]);
                acc4_0 = fma8(s_4, v, acc4_0);
                acc4_1 = fma8(s_4, v_1, acc4_1);
            }
        }
        const f32x8 v = load8(w_lm_head_bias + column * 16);
        float *of_logits_tile = of_logits + tile * 1440 + column * 16;
        store8(of_logits_tile, acc0_0 + v);
        store8(of_logits_tile + 288, acc1_0 + v);
        store8(of_logits_tile + 576, acc2_0 + v);
        store8(of_logits_tile + 864, acc3_0 + v);
        store8(of_logits_tile + 1152, acc4_0 + v);
        const f32x8 v_1 = load8(w_lm_head_bias + column * 16 + 8);
        store8(of_logits_tile + 8, acc0_1 + v_1);
        store8(of_logits_tile + 296, acc1_1 + v_1);
        store8(of_logits_tile + 584, acc2_1 + v_1);
        store8(of_logits_tile + 872, acc3_1 + v_1);
        store8(of_logits_tile + 1160, acc4_1 + v_1);
    }
}

INLINE void lm_head_row_loss(const int32_t *target, const float *of_logits, float *row_loss,
        const int32_t *control, const int32_t *row, float *token_losses, int64_t block) {
    for (int64_t i = 0; i < 64; i++) {
        const int32_t v = target[block * 64 + i];
        float chosen;
        if (v >= 0) {
            const int64_t clamped = max_i32(v, 0);
            f32x8 most = splat8(-3.4028235e+38f);
            for (int64_t v_1 = 0; v_1 < 32; v_1++) {
                most = max8(load8(of_logits + i * 288 + v_1 * 8), most);
            }
            const f32x8 mix = shuffle_swap4_f32x8(most);
            const f32x8 larger = max8(most, mix);
            const f32x8 mix_1 = shuffle_swap2_f32x8(larger);
            const f32x8 larger_1 = max8(larger, mix_1);
            const f32x8 mix_2 = shuffle_swap1_f32x8(larger_1);
            const f32x8 larger_2 = max8(larger_1, mix_2);
            float most_1 = larger_2[0];
            for (int64_t e = 0; e < 2; e++) {
                most_1 = max_f32(of_logits[i * 288 + e + 256], most_1);
            }
            f32x8 sum = {0};
            for (int64_t v_1 = 0; v_1 < 32; v_1++) {
                const f32x8 diff = load8(of_logits + i * 288 + v_1 * 8) - splat8(most_1);
                const f32x8 y = exp_f32x8(diff);
                sum = sum + y;
            }
            const f32x8 mix_3 = shuffle_swap4_f32x8(sum);
            const f32x8 sum_1 = sum + mix_3;
            const f32x8 mix_4 = shuffle_swap2_f32x8(sum_1);
            const f32x8 sum_2 = sum_1 + mix_4;
            const f32x8 mix_5 = shuffle_swap1_f32x8(sum_2);
            const f32x8 sum_3 = sum_2 + mix_5;
            float sum_4 = sum_3[0];
            for (int64_t e = 0; e < 2; e++) {
                const float y = exp_f32(of_logits[i * 288 + e + 256] - most_1);
                sum_4 = sum_4 + y;
            }
            const float y = log_f32(sum_4);
            const float sum_5 = y + (most_1 - of_logits[i * 288 + clamped]);
            row_loss[block * 64 + i] = sum_5;
            chosen = sum_5;
        } else {
            chosen = 0.0f;
        }
        if (control[0]) {
            const int32_t out_row = row[block * 64 + i];
            if (out_row >= 0) {
                token_losses[(int64_t)max_i32(out_row, 0)] = chosen;
            }
        }
    }
}

/* crime-and-punishment-bytes.yaml:11: final norm, logits: 258 wide
 * tasks [batch 1][block 8] */
REFORMER_KERNEL static void lm_head(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    const int64_t block = task % 8;
    /* [1][512][192]: [batch][rows][width]: a stream */
    const float *restrict y1 = (const void *)call->workspace;
    /* [1][512][192]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const void *)(call->workspace + 393216);
    /* [1][384] */
    const float *w_encoder_layer_norm_weight = (const void *)(call->weights + 7057920);
    const float *w_encoder_layer_norm_bias = (const void *)(call->weights + 7059456); /* [1][384] */
    float *restrict hidden = (void *)scratch; /* [64][400] */
    const int32_t *restrict control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    const int32_t *restrict row = call->slot[REFORMER_SLOT_ROW]; /* [1][512] */
    float *restrict last_hidden_state = call->slot[REFORMER_SLOT_HIDDEN]; /* [512][384] */
    /* [1][9][384][32] */
    const float *w_lm_head_decoder_weight = (const void *)(call->weights + 7060992);
    const float *w_lm_head_bias = (const void *)(call->weights + 7503360); /* [1][288] */
    float *restrict of_logits = (void *)(scratch + 102400); /* [64][288] */
    float *restrict logits = call->slot[REFORMER_SLOT_LOGITS]; /* [512][258] */
    const int32_t *restrict target = call->slot[REFORMER_SLOT_TARGET]; /* [1][512] */
    /* [1][512]: [batch][rows]: where there is a target */
    float *restrict row_loss = (void *)(call->workspace + 786432);
    float *restrict token_losses = call->slot[REFORMER_SLOT_TOKEN_LOSSES]; /* [512] */
    /* layer norm of 64 rows of 384 */
    lm_head_hidden(y1, y2, w_encoder_layer_norm_weight, w_encoder_layer_norm_bias, hidden, block);
    if (control[0]) {
        for (int64_t i = 0; i < 64; i++) {
            const int32_t out_row = row[block * 64 + i];
            if (out_row >= 0) {
                const int64_t clamped = max_i32(out_row, 0);
                for (int64_t v = 0; v < 48; v++) {
                    store8(last_hidden_state + clamped * 384 + v * 8,
                        load8(hidden + i * 400 + v * 8));
                }
            }
        }
    }
    if ((control[1] | control[2]) | control[11]) {
        /* logits */
        for (int64_t column = 0; column < 17; column++) {
            const int64_t next = min_i64(column + 1, 16);
            const int64_t panel = next / 2;
            const int64_t rem = next % 2;
            const int64_t panel_1 = column / 2;
            const int64_t rem_1 = column % 2;
            const float *decoder_weight_rem = w_lm_head_decoder_weight + panel_1 * 12288 + rem_1 *
                16;
            lm_head_of_logits(w_lm_head_decoder_weight, hidden, w_lm_head_bias, of_logits,
                decoder_weight_rem, panel, rem, column);
            lm_head_of_logits_1(w_lm_head_decoder_weight + 9504, hidden + 21600, w_lm_head_bias,
                of_logits + 15552, decoder_weight_rem, panel, rem, column);
        }
        if (control[1]) {
            for (int64_t i = 0; i < 64; i++) {
                const int32_t out_row = row[block * 64 + i];
                if (out_row >= 0) {
                    const int64_t clamped = max_i32(out_row, 0);
                    for (int64_t v = 0; v < 32; v++) {
                        store8(logits + clamped * 258 + v * 8, load8(of_logits + i * 288 + v * 8));
                    }
                    for (int64_t e = 0; e < 2; e++) {
                        logits[clamped * 258 + e + 256] = of_logits[i * 288 + e + 256];
                    }
                }
            }
        }
        if (control[2] | control[11]) {
            lm_head_row_loss(target, of_logits, row_loss, control + 11, row, token_losses, block);
        }
    }
}

/* crime-and-punishment-bytes.yaml:11: loss: mean cross-entropy over the rows, in their order
 * tasks [once 1] */
REFORMER_KERNEL static void lm_loss(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    (void)arg;
    (void)task;
    const int32_t *restrict control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    const int32_t *restrict target = call->slot[REFORMER_SLOT_TARGET]; /* [1][512] */
    /* [1][512]: [batch][rows]: where there is a target */
    const float *restrict row_loss = (const void *)(call->workspace + 786432);
    float *restrict loss = call->slot[REFORMER_SLOT_LOSS]; /* [1] */
    if (control[2] == 1) {
        double sum = 0.0;
        int32_t sum_1 = 0;
        for (int64_t row = 0; row < 512; row++) {
            double chosen;
            int32_t chosen_1;
            if (target[row] >= 0) {
                chosen = (double)row_loss[row];
                chosen_1 = 1;
            } else {
                chosen = 0.0;
                chosen_1 = 0;
            }
            sum = sum + chosen;
            sum_1 = add_i32(sum_1, chosen_1);
        }
        loss[0] = (float)div_f64(sum, (double)sum_1);
    }
}

INLINE void local_attention_queries(const float *q, float *queries, int64_t chunk, int64_t panel,
        int64_t vector) {
    for (int64_t d = 0; d < 4; d++) {
        const float *q_d = q + (chunk * 32 + panel * 16 + vector * 8) * 32 + d * 8;
        const f32x8 v = load8(q_d);
        const f32x8 v_1 = load8(q_d + 32);
        const f32x8 mix = shuffle_low1_f32x8(v, v_1);
        const f32x8 v_2 = load8(q_d + 64);
        const f32x8 v_3 = load8(q_d + 96);
        const f32x8 mix_1 = shuffle_low1_f32x8(v_2, v_3);
        const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
        const f32x8 v_4 = load8(q_d + 128);
        const f32x8 v_5 = load8(q_d + 160);
        const f32x8 mix_3 = shuffle_low1_f32x8(v_4, v_5);
        const f32x8 v_6 = load8(q_d + 192);
        const f32x8 v_7 = load8(q_d + 224);
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
        float *queries_d = queries + (panel * 32 + d * 8) * 16 + vector * 8;
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
            const int64_t other = (chunk + o + 15) % 16;
            for (int64_t k = 0; k < 32; k++) {
                const float *scores_k = scores + (o * 32 + k) * 16 + tile * 5;
                const f32x8 s = splat8(scores_k[0]);
                const f32x8 v_1 = load8(v + (other * 32 + k) * 32 + column * 16);
                sum = fma8(s, v_1, sum);
                const f32x8 v_2 = load8(v + (other * 32 + k) * 32 + column * 16 + 8);
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
        float *q_tile = q_column + tile * 160;
        store8(q_tile, mul8(sum, s));
        store8(q_tile + 8, mul8(sum_1, s));
        const f32x8 s_1 = splat8(inverse_tile[1]);
        store8(q_tile + 32, mul8(sum_2, s_1));
        store8(q_tile + 40, mul8(sum_3, s_1));
        const f32x8 s_2 = splat8(inverse_tile[2]);
        store8(q_tile + 64, mul8(sum_4, s_2));
        store8(q_tile + 72, mul8(sum_5, s_2));
        const f32x8 s_3 = splat8(inverse_tile[3]);
        store8(q_tile + 96, mul8(sum_6, s_3));
        store8(q_tile + 104, mul8(sum_7, s_3));
        const f32x8 s_4 = splat8(inverse_tile[4]);
        store8(q_tile + 128, mul8(sum_8, s_4));
        store8(q_tile + 136, mul8(sum_9, s_4));
    }
}

INLINE void local_attention_q_1(const float *scores, const float *v, const float *inverse,
        float *q_panel, int64_t chunk) {
    for (int64_t column = 0; column < 2; column++) {
        f32x8 sum = {0}, sum_1 = {0}, sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0},
            sum_6 = {0}, sum_7 = {0}, sum_8 = {0}, sum_9 = {0}, sum_10 = {0}, sum_11 = {0};
        for (int64_t o = 0; o < 2; o++) {
            const int64_t other = (chunk + o + 15) % 16;
            for (int64_t k = 0; k < 32; k++) {
                const float *scores_k = scores + (o * 32 + k) * 16;
                const f32x8 s = splat8(scores_k[0]);
                const f32x8 v_1 = load8(v + (other * 32 + k) * 32 + column * 16);
                sum = fma8(s, v_1, sum);
                const f32x8 v_2 = load8(v + (other * 32 + k) * 32 + column * 16 + 8);
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
        float *q_column = q_panel + chunk * 1024 + column * 16;
        store8(q_column, mul8(sum, s));
        store8(q_column + 8, mul8(sum_1, s));
        const f32x8 s_1 = splat8(inverse[1]);
        store8(q_column + 32, mul8(sum_2, s_1));
        store8(q_column + 40, mul8(sum_3, s_1));
        const f32x8 s_2 = splat8(inverse[2]);
        store8(q_column + 64, mul8(sum_4, s_2));
        store8(q_column + 72, mul8(sum_5, s_2));
        const f32x8 s_3 = splat8(inverse[3]);
        store8(q_column + 96, mul8(sum_6, s_3));
        store8(q_column + 104, mul8(sum_7, s_3));
        const f32x8 s_4 = splat8(inverse[4]);
        store8(q_column + 128, mul8(sum_8, s_4));
        store8(q_column + 136, mul8(sum_9, s_4));
        const f32x8 s_5 = splat8(inverse[5]);
        store8(q_column + 160, mul8(sum_10, s_5));
        store8(q_column + 168, mul8(sum_11, s_5));
        local_attention_q(scores + 6, v, inverse + 6, q_column + 192, chunk, column);
    }
}

INLINE void local_attention_scores(const int32_t *query_pos, float *q, const float *k_out,
        const float *v, const float *queries, const int32_t *key, float *scores, float *inverse,
        int64_t chunk) {
    for (int64_t panel = 0; panel < 2; panel++) {
        const i32x8 query = load_i32x8(query_pos + panel * 16);
        const i32x8 query_1 = load_i32x8(query_pos + panel * 16 + 8);
        float *q_panel = q + panel * 512;
        const float *queries_panel = queries + panel * 512;
        const float *k_out_panel = k_out + panel * 512;
        const float *v_panel = v + panel * 512;
        f32x8 most = splat8(-3.4028235e+38f), most_1 = splat8(-3.4028235e+38f);
        for (int64_t o = 0; o < 2; o++) {
            const int64_t other = (chunk + o + 15) % 16;
            const int32_t *key_other = key + other * 32;
            float *scores_o = scores + o * 512;
            for (int64_t keys = 0; keys < 2; keys++) {
                f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0},
                    acc2_1 = {0}, acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0},
                    acc5_0 = {0}, acc5_1 = {0};
                for (int64_t step = 0; step < 2; step++) {
                    const int64_t next = min_i64(chunk + 1, 15);
                    prefetch(q_panel + (next * 32 + o * 12 + keys * 2 + step) * 32);
                    prefetch(q_panel + (next * 32 + o * 12 + keys * 2 + step) * 32 + 16);
                    prefetch(k_out_panel + (next * 32 + o * 12 + keys * 2 + step) * 32);
                    prefetch(k_out_panel + (next * 32 + o * 12 + keys * 2 + step) * 32 + 16);
                    prefetch(v_panel + (next * 32 + o * 12 + keys * 2 + step) * 32);
                    prefetch(v_panel + (next * 32 + o * 12 + keys * 2 + step) * 32 + 16);
                    for (int64_t k = 0; k < 16; k++) {
                        const float *k_out_k = k_out + (other * 32 + keys * 6) * 32 + step * 16 + k;
                        const f32x8 s = splat8(k_out_k[0]);
                        const f32x8 v_1 = load8(queries_panel + (step * 16 + k) * 16);
                        acc0_0 = fma8(s, v_1, acc0_0);
                        const f32x8 v_2 = load8(queries_panel + (step * 16 + k) * 16 + 8);
                        acc0_1 = fma8(s, v_2, acc0_1);
                        const f32x8 s_1 = splat8(k_out_k[32]);
                        acc1_0 = fma8(s_1, v_1, acc1_0);
                        acc1_1 = fma8(s_1, v_2, acc1_1);
                        const f32x8 s_2 = splat8(k_out_k[64]);
                        acc2_0 = fma8(s_2, v_1, acc2_0);
                        acc2_1 = fma8(s_2, v_2, acc2_1);
                        const f32x8 s_3 = splat8(k_out_k[96]);
                        acc3_0 = fma8(s_3, v_1, acc3_0);
                        acc3_1 = fma8(s_3, v_2, acc3_1);
                        const f32x8 s_4 = splat8(k_out_k[128]);
                        acc4_0 = fma8(s_4, v_1, acc4_0);
                        acc4_1 = fma8(s_4, v_2, acc4_1);
                        const f32x8 s_5 = splat8(k_out_k[160]);
                        acc5_0 = fma8(s_5, v_1, acc5_0);
                        acc5_1 = fma8(s_5, v_2, acc5_1);
                    }
                }
                const int32_t *key_keys = key_other + keys * 6;
                const i32x8 s = splat_i32x8(key_keys[0]);
                const f32x8 pick = select8((i32x8)(s <= query), mul8(acc0_0, splat8(0.17677669f)),
                    splat8(-1e+09f));
                const f32x8 larger = max8(most, pick);
                float *scores_keys = scores_o + keys * 96;
                store8(scores_keys, pick);
                const f32x8 pick_1 = select8((i32x8)(s <= query_1),
                    mul8(acc0_1, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_1 = max8(most_1, pick_1);
                store8(scores_keys + 8, pick_1);
                const i32x8 s_1 = splat_i32x8(key_keys[1]);
                const f32x8 pick_2 = select8((i32x8)(s_1 <= query),
                    mul8(acc1_0, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_2 = max8(larger, pick_2);
                store8(scores_keys + 16, pick_2);
                const f32x8 pick_3 = select8((i32x8)(s_1 <= query_1),
                    mul8(acc1_1, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_3 = max8(larger_1, pick_3);
                store8(scores_keys + 24, pick_3);
                const i32x8 s_2 = splat_i32x8(key_keys[2]);
                const f32x8 pick_4 = select8((i32x8)(s_2 <= query),
                    mul8(acc2_0, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_4 = max8(larger_2, pick_4);
                store8(scores_keys + 32, pick_4);
                const f32x8 pick_5 = select8((i32x8)(s_2 <= query_1),
                    mul8(acc2_1, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_5 = max8(larger_3, pick_5);
                store8(scores_keys + 40, pick_5);
                const i32x8 s_3 = splat_i32x8(key_keys[3]);
                const f32x8 pick_6 = select8((i32x8)(s_3 <= query),
                    mul8(acc3_0, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_6 = max8(larger_4, pick_6);
                store8(scores_keys + 48, pick_6);
                const f32x8 pick_7 = select8((i32x8)(s_3 <= query_1),
                    mul8(acc3_1, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_7 = max8(larger_5, pick_7);
                store8(scores_keys + 56, pick_7);
                const i32x8 s_4 = splat_i32x8(key_keys[4]);
                const f32x8 pick_8 = select8((i32x8)(s_4 <= query),
                    mul8(acc4_0, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_8 = max8(larger_6, pick_8);
                store8(scores_keys + 64, pick_8);
                const f32x8 pick_9 = select8((i32x8)(s_4 <= query_1),
                    mul8(acc4_1, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_9 = max8(larger_7, pick_9);
                store8(scores_keys + 72, pick_9);
                const i32x8 s_5 = splat_i32x8(key_keys[5]);
                const f32x8 pick_10 = select8((i32x8)(s_5 <= query),
                    mul8(acc5_0, splat8(0.17677669f)), splat8(-1e+09f));
                most = max8(larger_8, pick_10);
                store8(scores_keys + 80, pick_10);
                const f32x8 pick_11 = select8((i32x8)(s_5 <= query_1),
                    mul8(acc5_1, splat8(0.17677669f)), splat8(-1e+09f));
                most_1 = max8(larger_9, pick_11);
                store8(scores_keys + 88, pick_11);
            }
            for (int64_t keys = 0; keys < 4; keys++) {
                f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0},
                    acc2_1 = {0}, acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0};
                for (int64_t step = 0; step < 2; step++) {
                    const int64_t next = min_i64(chunk + 1, 15);
                    const int64_t ahead = min_i64(o * 12 + keys * 2 + step + 4, 15);
                    prefetch(q_panel + (next * 32 + ahead) * 32);
                    prefetch(q_panel + (next * 32 + ahead) * 32 + 16);
                    prefetch(k_out_panel + (next * 32 + ahead) * 32);
                    prefetch(k_out_panel + (next * 32 + ahead) * 32 + 16);
                    prefetch(v_panel + (next * 32 + ahead) * 32);
                    prefetch(v_panel + (next * 32 + ahead) * 32 + 16);
                    for (int64_t k = 0; k < 16; k++) {
                        const float *k_out_k = k_out + (other * 32 + keys * 5) * 32 + step * 16 + k;
                        const f32x8 s = splat8(k_out_k[384]);
                        const f32x8 v_1 = load8(queries_panel + (step * 16 + k) * 16);
                        acc0_0 = fma8(s, v_1, acc0_0);
                        const f32x8 v_2 = load8(queries_panel + (step * 16 + k) * 16 + 8);
                        acc0_1 = fma8(s, v_2, acc0_1);
                        const f32x8 s_1 = splat8(k_out_k[416]);
                        acc1_0 = fma8(s_1, v_1, acc1_0);
                        acc1_1 = fma8(s_1, v_2, acc1_1);
                        const f32x8 s_2 = splat8(k_out_k[448]);
                        acc2_0 = fma8(s_2, v_1, acc2_0);
                        acc2_1 = fma8(s_2, v_2, acc2_1);
                        const f32x8 s_3 = splat8(k_out_k[480]);
                        acc3_0 = fma8(s_3, v_1, acc3_0);
                        acc3_1 = fma8(s_3, v_2, acc3_1);
                        const f32x8 s_4 = splat8(k_out_k[512]);
                        acc4_0 = fma8(s_4, v_1, acc4_0);
                        acc4_1 = fma8(s_4, v_2, acc4_1);
                    }
                }
                const int32_t *key_keys = key_other + keys * 5;
                const i32x8 s = splat_i32x8(key_keys[12]);
                const f32x8 pick = select8((i32x8)(s <= query), mul8(acc0_0, splat8(0.17677669f)),
                    splat8(-1e+09f));
                const f32x8 larger = max8(most, pick);
                float *scores_keys = scores_o + keys * 80;
                store8(scores_keys + 192, pick);
                const f32x8 pick_1 = select8((i32x8)(s <= query_1),
                    mul8(acc0_1, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_1 = max8(most_1, pick_1);
                store8(scores_keys + 200, pick_1);
                const i32x8 s_1 = splat_i32x8(key_keys[13]);
                const f32x8 pick_2 = select8((i32x8)(s_1 <= query),
                    mul8(acc1_0, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_2 = max8(larger, pick_2);
                store8(scores_keys + 208, pick_2);
                const f32x8 pick_3 = select8((i32x8)(s_1 <= query_1),
                    mul8(acc1_1, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_3 = max8(larger_1, pick_3);
                store8(scores_keys + 216, pick_3);
                const i32x8 s_2 = splat_i32x8(key_keys[14]);
                const f32x8 pick_4 = select8((i32x8)(s_2 <= query),
                    mul8(acc2_0, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_4 = max8(larger_2, pick_4);
                store8(scores_keys + 224, pick_4);
                const f32x8 pick_5 = select8((i32x8)(s_2 <= query_1),
                    mul8(acc2_1, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_5 = max8(larger_3, pick_5);
                store8(scores_keys + 232, pick_5);
                const i32x8 s_3 = splat_i32x8(key_keys[15]);
                const f32x8 pick_6 = select8((i32x8)(s_3 <= query),
                    mul8(acc3_0, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_6 = max8(larger_4, pick_6);
                store8(scores_keys + 240, pick_6);
                const f32x8 pick_7 = select8((i32x8)(s_3 <= query_1),
                    mul8(acc3_1, splat8(0.17677669f)), splat8(-1e+09f));
                const f32x8 larger_7 = max8(larger_5, pick_7);
                store8(scores_keys + 248, pick_7);
                const i32x8 s_4 = splat_i32x8(key_keys[16]);
                const f32x8 pick_8 = select8((i32x8)(s_4 <= query),
                    mul8(acc4_0, splat8(0.17677669f)), splat8(-1e+09f));
                most = max8(larger_6, pick_8);
                store8(scores_keys + 256, pick_8);
                const f32x8 pick_9 = select8((i32x8)(s_4 <= query_1),
                    mul8(acc4_1, splat8(0.17677669f)), splat8(-1e+09f));
                most_1 = max8(larger_7, pick_9);
                store8(scores_keys + 264, pick_9);
            }
        }
        f32x8 sum = {0}, sum_1 = {0};
        for (int64_t key_1 = 0; key_1 < 64; key_1++) {
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

/* crime-and-punishment-bytes.yaml:22: local attention: chunks of 32 against 1 before and 0 after
 * tasks [batch 1][head 1][chunk 16] */
REFORMER_KERNEL static void local_attention(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    const int64_t chunk = task % 16;
    /* [1][1][512][32]: [batch][group][rows][head] */
    float *restrict q = (void *)(call->workspace + 786432);
    float *restrict queries = (void *)scratch; /* [1][2][32][16] */
    int32_t *restrict query_pos = (void *)(scratch + 4096); /* [1][32] */
    /* [1][1][512][32]: [batch][group][rows][head]: keys, or an output apart from the queries */
    const float *restrict k_out = (const void *)(call->workspace + 917504);
    /* [1][1][512][32]: [batch][group][rows][head] */
    const float *restrict v = (const void *)(call->workspace + 851968);
    const int32_t *restrict key = call->slot[REFORMER_SLOT_KEY]; /* [1][512] */
    float *restrict scores = (void *)(scratch + 4224); /* [64][16] */
    float *restrict inverse = (void *)(scratch + 8320); /* [16] */
    for (int64_t panel = 0; panel < 2; panel++) {
        for (int64_t vector = 0; vector < 2; vector++) {
            local_attention_queries(q, queries, chunk, panel, vector);
        }
    }
    for (int64_t lane = 0; lane < 32; lane++) {
        query_pos[lane] = (int32_t)(chunk * 32 + lane);
    }
    local_attention_scores(query_pos, q, k_out, v, queries, key, scores, inverse, chunk);
}

INLINE void lsh_hash_queries(const float *q, float *queries, int64_t block, int64_t panel,
        int64_t vector) {
    for (int64_t d = 0; d < 4; d++) {
        const float *q_d = q + (block * 64 + panel * 16 + vector * 8) * 32 + d * 8;
        const f32x8 v = load8(q_d);
        const f32x8 v_1 = load8(q_d + 32);
        const f32x8 mix = shuffle_low1_f32x8(v, v_1);
        const f32x8 v_2 = load8(q_d + 64);
        const f32x8 v_3 = load8(q_d + 96);
        const f32x8 mix_1 = shuffle_low1_f32x8(v_2, v_3);
        const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
        const f32x8 v_4 = load8(q_d + 128);
        const f32x8 v_5 = load8(q_d + 160);
        const f32x8 mix_3 = shuffle_low1_f32x8(v_4, v_5);
        const f32x8 v_6 = load8(q_d + 192);
        const f32x8 v_7 = load8(q_d + 224);
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
        float *queries_d = queries + (panel * 32 + d * 8) * 16 + vector * 8;
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
        int32_t *found, int64_t block, int64_t panel, int64_t index, int64_t group) {
    for (int64_t round = 0; round < 2; round++) {
        for (int64_t lane = 0; lane < 8; lane++) {
            const int64_t clamped = min_i64(block * 64 + panel * 16 + round * 8 + lane + 64, 511);
            prefetch(q + clamped * 32);
            prefetch(q + clamped * 32 + 16);
        }
        f32x8 most = splat8(-3.4028235e+38f);
        i32x8 most_at = {0};
        f32x8 least = splat8(3.4028235e+38f);
        i32x8 least_at = {0};
        f32x8 most_1 = splat8(-3.4028235e+38f);
        i32x8 most_at_1 = {0};
        f32x8 least_1 = splat8(3.4028235e+38f);
        i32x8 least_at_1 = {0};
        for (int64_t columns = 0; columns < 2; columns++) {
            f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0},
                acc2_1 = {0}, acc3_0 = {0}, acc3_1 = {0};
            for (int64_t k = 0; k < 32; k++) {
                const float *w_rotations_k = w_rotations +
                    (((index * 6 + group) * 2 + round) * 32 + k) * 8 + columns * 4;
                const f32x8 s = splat8(w_rotations_k[0]);
                const f32x8 v = load8(queries + (panel * 32 + k) * 16);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(queries + (panel * 32 + k) * 16 + 8);
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
            }
            const f32x8 larger = max8(acc0_0, most);
            const f32x8 larger_1 = max8(acc1_0, larger);
            const f32x8 larger_2 = max8(acc2_0, larger_1);
            const i32x8 s = splat_i32x8((int32_t)(columns * 4 + 3));
            const i32x8 s_1 = splat_i32x8((int32_t)(columns * 4 + 2));
            const i32x8 s_2 = splat_i32x8((int32_t)(columns * 4 + 1));
            const i32x8 s_3 = splat_i32x8((int32_t)(columns * 4));
            const i32x8 pick = select_i32x8((i32x8)(acc0_0 > most), s_3, most_at);
            const i32x8 pick_1 = select_i32x8((i32x8)(acc1_0 > larger), s_2, pick);
            const i32x8 pick_2 = select_i32x8((i32x8)(acc2_0 > larger_1), s_1, pick_1);
            most_at = select_i32x8((i32x8)(acc3_0 > larger_2), s, pick_2);
            const f32x8 smaller = min8(acc0_0, least);
            const f32x8 smaller_1 = min8(acc1_0, smaller);
            const f32x8 smaller_2 = min8(acc2_0, smaller_1);
            const i32x8 pick_3 = select_i32x8((i32x8)(acc0_0 < least), s_3, least_at);
            const i32x8 pick_4 = select_i32x8((i32x8)(acc1_0 < smaller), s_2, pick_3);
            const i32x8 pick_5 = select_i32x8((i32x8)(acc2_0 < smaller_1), s_1, pick_4);
            least_at = select_i32x8((i32x8)(acc3_0 < smaller_2), s, pick_5);
            const f32x8 larger_3 = max8(acc0_1, most_1);
            const f32x8 larger_4 = max8(acc1_1, larger_3);
            const f32x8 larger_5 = max8(acc2_1, larger_4);
            const i32x8 pick_6 = select_i32x8((i32x8)(acc0_1 > most_1), s_3, most_at_1);
            const i32x8 pick_7 = select_i32x8((i32x8)(acc1_1 > larger_3), s_2, pick_6);
            const i32x8 pick_8 = select_i32x8((i32x8)(acc2_1 > larger_4), s_1, pick_7);
            most_at_1 = select_i32x8((i32x8)(acc3_1 > larger_5), s, pick_8);
            const f32x8 smaller_3 = min8(acc0_1, least_1);
            const f32x8 smaller_4 = min8(acc1_1, smaller_3);
            const f32x8 smaller_5 = min8(acc2_1, smaller_4);
            const i32x8 pick_9 = select_i32x8((i32x8)(acc0_1 < least_1), s_3, least_at_1);
            const i32x8 pick_10 = select_i32x8((i32x8)(acc1_1 < smaller_3), s_2, pick_9);
            const i32x8 pick_11 = select_i32x8((i32x8)(acc2_1 < smaller_4), s_1, pick_10);
            least_at_1 = select_i32x8((i32x8)(acc3_1 < smaller_5), s, pick_11);
            most = max8(acc3_0, larger_2);
            least = min8(acc3_0, smaller_2);
            most_1 = max8(acc3_1, larger_5);
            least_1 = min8(acc3_1, smaller_5);
        }
        const i32x8 pick = select_i32x8((i32x8)(-least > most), add_i32x8(least_at, splat_i32x8(8)),
            most_at);
        const i32x8 pick_1 = select_i32x8((i32x8)(-least_1 > most_1),
            add_i32x8(least_at_1, splat_i32x8(8)), most_at_1);
        store_i32x8(found + round * 64 + panel * 16, pick);
        store_i32x8(found + round * 64 + panel * 16 + 8, pick_1);
    }
}

/* crime-and-punishment-bytes.yaml:19: LSH hash: argmax over random rotations, 16 buckets, 2
 * rounds
 * tasks [batch 1][head 1][block 8] */
REFORMER_KERNEL static void lsh_hash(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t block = task % 8;
    const int64_t index = arg[0];
    const int64_t group = arg[1];
    /* [1][1][512][32]: [batch][group][rows][head] */
    const float *restrict q = (const void *)(call->workspace + 786432);
    float *restrict queries = (void *)scratch; /* [1][4][32][16] */
    const float *w_rotations = (const void *)(call->weights + 7033344); /* [2][6][2][32][8] */
    int32_t *restrict found = (void *)(scratch + 8192); /* [2][64] */
    const int32_t *restrict key = call->slot[REFORMER_SLOT_KEY]; /* [1][512] */
    /* [1][1][2][512]: [batch][group][round][rows] */
    int32_t *restrict lsh_buckets = (void *)(call->workspace + 991296);
    for (int64_t panel = 0; panel < 4; panel++) {
        for (int64_t vector = 0; vector < 2; vector++) {
            lsh_hash_queries(q, queries, block, panel, vector);
        }
    }
    for (int64_t panel = 0; panel < 4; panel++) {
        lsh_hash_found(q, w_rotations, queries, found, block, panel, index, group);
    }
    for (int64_t round = 0; round < 2; round++) {
        for (int64_t v = 0; v < 8; v++) {
            const i32x8 pick =
                select_i32x8((i32x8)(load_i32x8(key + block * 64 + v * 8) >=
                splat_i32x8(1073741824)), splat_i32x8(16), load_i32x8(found + round * 64 + v * 8));
            store_i32x8(lsh_buckets + round * 512 + block * 64 + v * 8, pick);
        }
    }
}

/* crime-and-punishment-bytes.yaml:19: stable counting sort of the tokens by bucket, per round
 * tasks [batch 1][head 1][round 2] */
REFORMER_KERNEL static void lsh_sort(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    const int64_t round = task % 2;
    int32_t *restrict counts = (void *)scratch; /* [17] */
    /* [1][1][2][512]: [batch][group][round][rows] */
    const int32_t *restrict lsh_buckets = (const void *)(call->workspace + 991296);
    /* [1][1][2][513]: [batch][group][round][place]: sorted tokens */
    int32_t *restrict order = (void *)(call->workspace + 983040);
    for (int64_t bucket = 0; bucket < 17; bucket++) {
        counts[bucket] = 0;
    }
    for (int64_t t = 0; t < 512; t++) {
        const int64_t bucket = lsh_buckets[round * 512 + t];
        counts[bucket] = counts[bucket] + 1;
    }
    int32_t sum = 0;
    for (int64_t bucket = 0; bucket < 17; bucket++) {
        const int32_t sum_1 = add_i32(sum, counts[bucket]);
        counts[bucket] = sum;
        sum = sum_1;
    }
    /* stable scatter */
    for (int64_t t = 0; t < 512; t++) {
        const int64_t v = lsh_buckets[round * 512 + t];
        const int64_t place = counts[v];
        counts[v] = (int32_t)place + 1;
        order[round * 513 + place] = (int32_t)t;
    }
}

INLINE void lsh_attention_queries(const float *q, float *queries, int64_t token, int64_t token_1,
        int64_t token_2, int64_t token_3, int64_t token_4, int64_t token_5, int64_t token_6,
        int64_t token_7, int64_t slot_1, int64_t panel, int64_t vector) {
    for (int64_t d = 0; d < 4; d++) {
        const f32x8 v = load8(q + token * 32 + d * 8);
        const f32x8 v_1 = load8(q + token_1 * 32 + d * 8);
        const f32x8 mix = shuffle_low1_f32x8(v, v_1);
        const f32x8 v_2 = load8(q + token_2 * 32 + d * 8);
        const f32x8 v_3 = load8(q + token_3 * 32 + d * 8);
        const f32x8 mix_1 = shuffle_low1_f32x8(v_2, v_3);
        const f32x8 mix_2 = shuffle_low2_f32x8(mix, mix_1);
        const f32x8 v_4 = load8(q + token_4 * 32 + d * 8);
        const f32x8 v_5 = load8(q + token_5 * 32 + d * 8);
        const f32x8 mix_3 = shuffle_low1_f32x8(v_4, v_5);
        const f32x8 v_6 = load8(q + token_6 * 32 + d * 8);
        const f32x8 v_7 = load8(q + token_7 * 32 + d * 8);
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
        float *queries_d = queries + ((slot_1 * 2 + panel) * 32 + d * 8) * 16 + vector * 8;
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

INLINE void lsh_attention_scores(const float *k_out, const float *q, const float *v,
        const float *queries, const float *key_scale2, const int32_t *key_pos, float *scores,
        float *total_sum, float *rescale, float *gain, float *sum_so_far, const int32_t *query_pos,
        int32_t *self_count, const float *norm_panel, const int32_t *query_pos_panel,
        const int32_t *order_panel, const float *queries_panel, int64_t step, int64_t clamped,
        int64_t round) {
    const f32x8 prod = mul8(load8(norm_panel), splat8(1.442695f));
    const f32x8 neg = -prod;
    const i32x8 query = load_i32x8(query_pos_panel);
    const f32x8 prod_1 = mul8(load8(norm_panel + 8), splat8(1.442695f));
    const f32x8 neg_1 = -prod_1;
    const i32x8 query_1 = load_i32x8(query_pos_panel + 8);
    f32x8 sum = {0}, sum_1 = {0};
    for (int64_t o = 0; o < 2; o++) {
        const int64_t slot_1 = (step + o + 1) % 2;
        for (int64_t run = 0; run < 2; run++) {
            const float *queries_run = queries + (slot_1 * 2 + run) * 32 * 16;
            f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0},
                acc2_1 = {0}, acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0},
                acc5_1 = {0};
            for (int64_t step_1 = 0; step_1 < 2; step_1++) {
                const int64_t ahead = min_i64(o * 12 + run * 6 + step_1, 15);
                const int64_t v_1 = query_pos_panel[ahead];
                prefetch(k_out + v_1 * 32);
                prefetch(k_out + v_1 * 32 + 16);
                const int64_t next = min_i64(clamped + 1, 15);
                const int64_t token = order_panel[next * 32 + ahead];
                prefetch(q + token * 32);
                prefetch(q + token * 32 + 16);
                prefetch(v + token * 32);
                prefetch(v + token * 32 + 16);
                for (int64_t k = 0; k < 16; k++) {
                    const float *queries_k = queries_run + (step_1 * 16 + k) * 16;
                    const f32x8 s = splat8(queries_k[0]);
                    const f32x8 v_2 = load8(queries_panel + (step_1 * 16 + k) * 16);
                    acc0_0 = fma8(s, v_2, acc0_0);
                    const f32x8 v_3 = load8(queries_panel + (step_1 * 16 + k) * 16 + 8);
                    acc0_1 = fma8(s, v_3, acc0_1);
                    const f32x8 s_1 = splat8(queries_k[1]);
                    acc1_0 = fma8(s_1, v_2, acc1_0);
                    acc1_1 = fma8(s_1, v_3, acc1_1);
                    const f32x8 s_2 = splat8(queries_k[2]);
                    acc2_0 = fma8(s_2, v_2, acc2_0);
                    acc2_1 = fma8(s_2, v_3, acc2_1);
                    const f32x8 s_3 = splat8(queries_k[3]);
                    acc3_0 = fma8(s_3, v_2, acc3_0);
                    acc3_1 = fma8(s_3, v_3, acc3_1);
                    const f32x8 s_4 = splat8(queries_k[4]);
                    acc4_0 = fma8(s_4, v_2, acc4_0);
                    acc4_1 = fma8(s_4, v_3, acc4_1);
                    const f32x8 s_5 = splat8(queries_k[5]);
                    acc5_0 = fma8(s_5, v_2, acc5_0);
                    acc5_1 = fma8(s_5, v_3, acc5_1);
                }
            }
            const float *key_scale2_run = key_scale2 + slot_1 * 32 + run * 16;
            const f32x8 s = splat8(key_scale2_run[0]);
            const f32x8 t = fma8(acc0_0, s, neg);
            const f32x8 y = exp2_f32x8(t);
            const int32_t *key_pos_run = key_pos + slot_1 * 32 + run * 16;
            const i32x8 s_1 = splat_i32x8(key_pos_run[0]);
            const f32x8 bits = (f32x8)((i32x8)y & (i32x8)(s_1 < query));
            float *scores_run = scores + (o * 32 + run * 16) * 16;
            store8(scores_run, bits);
            const f32x8 t_1 = fma8(acc0_1, s, neg_1);
            const f32x8 y_1 = exp2_f32x8(t_1);
            const f32x8 bits_1 = (f32x8)((i32x8)y_1 & (i32x8)(s_1 < query_1));
            store8(scores_run + 8, bits_1);
            const f32x8 s_2 = splat8(key_scale2_run[1]);
            const f32x8 t_2 = fma8(acc1_0, s_2, neg);
            const f32x8 y_2 = exp2_f32x8(t_2);
            const i32x8 s_3 = splat_i32x8(key_pos_run[1]);
            const f32x8 bits_2 = (f32x8)((i32x8)y_2 & (i32x8)(s_3 < query));
            store8(scores_run + 16, bits_2);
            const f32x8 t_3 = fma8(acc1_1, s_2, neg_1);
            const f32x8 y_3 = exp2_f32x8(t_3);
            const f32x8 bits_3 = (f32x8)((i32x8)y_3 & (i32x8)(s_3 < query_1));
            store8(scores_run + 24, bits_3);
            const f32x8 s_4 = splat8(key_scale2_run[2]);
            const f32x8 t_4 = fma8(acc2_0, s_4, neg);
            const f32x8 y_4 = exp2_f32x8(t_4);
            const i32x8 s_5 = splat_i32x8(key_pos_run[2]);
            const f32x8 bits_4 = (f32x8)((i32x8)y_4 & (i32x8)(s_5 < query));
            store8(scores_run + 32, bits_4);
            const f32x8 t_5 = fma8(acc2_1, s_4, neg_1);
            const f32x8 y_5 = exp2_f32x8(t_5);
            const f32x8 bits_5 = (f32x8)((i32x8)y_5 & (i32x8)(s_5 < query_1));
            store8(scores_run + 40, bits_5);
            const f32x8 s_6 = splat8(key_scale2_run[3]);
            const f32x8 t_6 = fma8(acc3_0, s_6, neg);
            const f32x8 y_6 = exp2_f32x8(t_6);
            const i32x8 s_7 = splat_i32x8(key_pos_run[3]);
            const f32x8 bits_6 = (f32x8)((i32x8)y_6 & (i32x8)(s_7 < query));
            store8(scores_run + 48, bits_6);
            const f32x8 t_7 = fma8(acc3_1, s_6, neg_1);
            const f32x8 y_7 = exp2_f32x8(t_7);
            const f32x8 bits_7 = (f32x8)((i32x8)y_7 & (i32x8)(s_7 < query_1));
            const f32x8 sum_2 = sum_1 + bits_1 + bits_3 + bits_5 + bits_7;
            store8(scores_run + 56, bits_7);
            const f32x8 s_8 = splat8(key_scale2_run[4]);
            const f32x8 t_8 = fma8(acc4_0, s_8, neg);
            const f32x8 y_8 = exp2_f32x8(t_8);
            const i32x8 s_9 = splat_i32x8(key_pos_run[4]);
            const f32x8 bits_8 = (f32x8)((i32x8)y_8 & (i32x8)(s_9 < query));
            const f32x8 sum_3 = sum + bits + bits_2 + bits_4 + bits_6 + bits_8;
            store8(scores_run + 64, bits_8);
            const f32x8 t_9 = fma8(acc4_1, s_8, neg_1);
            const f32x8 y_9 = exp2_f32x8(t_9);
            const f32x8 bits_9 = (f32x8)((i32x8)y_9 & (i32x8)(s_9 < query_1));
            store8(scores_run + 72, bits_9);
            const f32x8 s_10 = splat8(key_scale2_run[5]);
            const f32x8 t_10 = fma8(acc5_0, s_10, neg);
            const f32x8 y_10 = exp2_f32x8(t_10);
            const i32x8 s_11 = splat_i32x8(key_pos_run[5]);
            const f32x8 bits_10 = (f32x8)((i32x8)y_10 & (i32x8)(s_11 < query));
            store8(scores_run + 80, bits_10);
            const f32x8 t_11 = fma8(acc5_1, s_10, neg_1);
            const f32x8 y_11 = exp2_f32x8(t_11);
            const f32x8 bits_11 = (f32x8)((i32x8)y_11 & (i32x8)(s_11 < query_1));
            store8(scores_run + 88, bits_11);
            f32x8 sum_4 = sum_3 + bits_10, sum_5 = sum_2 + bits_9 + bits_11;
            for (int64_t keys = 0; keys < 2; keys++) {
                f32x8 acc0_0_1 = {0}, acc0_1_1 = {0}, acc1_0_1 = {0}, acc1_1_1 = {0},
                    acc2_0_1 = {0}, acc2_1_1 = {0}, acc3_0_1 = {0}, acc3_1_1 = {0}, acc4_0_1 = {0},
                    acc4_1_1 = {0};
                for (int64_t step_1 = 0; step_1 < 2; step_1++) {
                    const int64_t ahead = min_i64(o * 12 + run * 6 + keys * 2 + step_1 + 2, 15);
                    const int64_t v_1 = query_pos_panel[ahead];
                    prefetch(k_out + v_1 * 32);
                    prefetch(k_out + v_1 * 32 + 16);
                    const int64_t next = min_i64(clamped + 1, 15);
                    const int64_t token = order_panel[next * 32 + ahead];
                    prefetch(q + token * 32);
                    prefetch(q + token * 32 + 16);
                    prefetch(v + token * 32);
                    prefetch(v + token * 32 + 16);
                    for (int64_t k = 0; k < 16; k++) {
                        const float *queries_k = queries_run + (step_1 * 16 + k) * 16 + keys * 5;
                        const f32x8 s_12 = splat8(queries_k[6]);
                        const f32x8 v_2 = load8(queries_panel + (step_1 * 16 + k) * 16);
                        acc0_0_1 = fma8(s_12, v_2, acc0_0_1);
                        const f32x8 v_3 = load8(queries_panel + (step_1 * 16 + k) * 16 + 8);
                        acc0_1_1 = fma8(s_12, v_3, acc0_1_1);
                        const f32x8 s_13 = splat8(queries_k[7]);
                        acc1_0_1 = fma8(s_13, v_2, acc1_0_1);
                        acc1_1_1 = fma8(s_13, v_3, acc1_1_1);
                        const f32x8 s_14 = splat8(queries_k[8]);
                        acc2_0_1 = fma8(s_14, v_2, acc2_0_1);
                        acc2_1_1 = fma8(s_14, v_3, acc2_1_1);
                        const f32x8 s_15 = splat8(queries_k[9]);
                        acc3_0_1 = fma8(s_15, v_2, acc3_0_1);
                        acc3_1_1 = fma8(s_15, v_3, acc3_1_1);
                        const f32x8 s_16 = splat8(queries_k[10]);
                        acc4_0_1 = fma8(s_16, v_2, acc4_0_1);
                        acc4_1_1 = fma8(s_16, v_3, acc4_1_1);
                    }
                }
                const f32x8 s_12 = splat8(key_scale2_run[keys * 5 + 6]);
                const f32x8 t_12 = fma8(acc0_0_1, s_12, neg);
                const f32x8 y_12 = exp2_f32x8(t_12);
                const i32x8 s_13 = splat_i32x8(key_pos_run[keys * 5 + 6]);
                const f32x8 bits_12 = (f32x8)((i32x8)y_12 & (i32x8)(s_13 < query));
                float *scores_keys = scores_run + keys * 80;
                store8(scores_keys + 96, bits_12);
                const f32x8 t_13 = fma8(acc0_1_1, s_12, neg_1);
                const f32x8 y_13 = exp2_f32x8(t_13);
                const f32x8 bits_13 = (f32x8)((i32x8)y_13 & (i32x8)(s_13 < query_1));
                store8(scores_keys + 104, bits_13);
                const f32x8 s_14 = splat8(key_scale2_run[keys * 5 + 7]);
                const f32x8 t_14 = fma8(acc1_0_1, s_14, neg);
                const f32x8 y_14 = exp2_f32x8(t_14);
                const i32x8 s_15 = splat_i32x8(key_pos_run[keys * 5 + 7]);
                const f32x8 bits_14 = (f32x8)((i32x8)y_14 & (i32x8)(s_15 < query));
                store8(scores_keys + 112, bits_14);
                const f32x8 t_15 = fma8(acc1_1_1, s_14, neg_1);
                const f32x8 y_15 = exp2_f32x8(t_15);
                const f32x8 bits_15 = (f32x8)((i32x8)y_15 & (i32x8)(s_15 < query_1));
                store8(scores_keys + 120, bits_15);
                const f32x8 s_16 = splat8(key_scale2_run[keys * 5 + 8]);
                const f32x8 t_16 = fma8(acc2_0_1, s_16, neg);
                const f32x8 y_16 = exp2_f32x8(t_16);
                const i32x8 s_17 = splat_i32x8(key_pos_run[keys * 5 + 8]);
                const f32x8 bits_16 = (f32x8)((i32x8)y_16 & (i32x8)(s_17 < query));
                store8(scores_keys + 128, bits_16);
                const f32x8 t_17 = fma8(acc2_1_1, s_16, neg_1);
                const f32x8 y_17 = exp2_f32x8(t_17);
                const f32x8 bits_17 = (f32x8)((i32x8)y_17 & (i32x8)(s_17 < query_1));
                store8(scores_keys + 136, bits_17);
                const f32x8 s_18 = splat8(key_scale2_run[keys * 5 + 9]);
                const f32x8 t_18 = fma8(acc3_0_1, s_18, neg);
                const f32x8 y_18 = exp2_f32x8(t_18);
                const i32x8 s_19 = splat_i32x8(key_pos_run[keys * 5 + 9]);
                const f32x8 bits_18 = (f32x8)((i32x8)y_18 & (i32x8)(s_19 < query));
                const f32x8 sum_6 = sum_4 + bits_12 + bits_14 + bits_16 + bits_18;
                store8(scores_keys + 144, bits_18);
                const f32x8 t_19 = fma8(acc3_1_1, s_18, neg_1);
                const f32x8 y_19 = exp2_f32x8(t_19);
                const f32x8 bits_19 = (f32x8)((i32x8)y_19 & (i32x8)(s_19 < query_1));
                const f32x8 sum_7 = sum_5 + bits_13 + bits_15 + bits_17 + bits_19;
                store8(scores_keys + 152, bits_19);
                const f32x8 s_20 = splat8(key_scale2_run[keys * 5 + 10]);
                const f32x8 t_20 = fma8(acc4_0_1, s_20, neg);
                const f32x8 y_20 = exp2_f32x8(t_20);
                const i32x8 s_21 = splat_i32x8(key_pos_run[keys * 5 + 10]);
                const f32x8 bits_20 = (f32x8)((i32x8)y_20 & (i32x8)(s_21 < query));
                sum_4 = sum_6 + bits_20;
                store8(scores_keys + 160, bits_20);
                const f32x8 t_21 = fma8(acc4_1_1, s_20, neg_1);
                const f32x8 y_21 = exp2_f32x8(t_21);
                const f32x8 bits_21 = (f32x8)((i32x8)y_21 & (i32x8)(s_21 < query_1));
                sum_5 = sum_7 + bits_21;
                store8(scores_keys + 168, bits_21);
            }
            sum = sum_4;
            sum_1 = sum_5;
        }
    }
    store8(total_sum, sum);
    store8(rescale, splat8(1.0f));
    store8(gain, splat8(1.0f));
    store8(total_sum + 8, sum_1);
    store8(rescale + 8, splat8(1.0f));
    store8(gain + 8, splat8(1.0f));
    for (int64_t lane = 0; lane < 16; lane++) {
        const int64_t token = query_pos_panel[lane];
        const float v_1 = total_sum[lane];
        sum_so_far[token] = sum_so_far[token] + v_1;
        if (v_1 == 0.0f) {
            int32_t count = 0;
            for (int64_t o = 0; o < 2; o++) {
                const int64_t slot_1 = (step + o + 1) % 2;
                for (int64_t key = 0; key < 32; key++) {
                    count = sub_i32(count, -(query_pos[slot_1 * 32 + key] == (int32_t)token));
                }
            }
            self_count[round * 512 + token] = count;
        }
    }
}

INLINE void lsh_attention_scores_1(const float *k_out, const float *q, const float *v,
        const float *queries, const int32_t *query_pos, const int32_t *key_pos,
        const float *key_scale, float *scores, float *max_so_far, float *top, float *sum_so_far,
        float *total_sum, float *round_sum, float *rescale, float *gain, int32_t *self_count,
        const int32_t *query_pos_panel, const float *norm_panel, const int32_t *order_panel,
        const float *queries_panel, int64_t step, int64_t clamped, int64_t round) {
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
        for (int64_t run = 0; run < 2; run++) {
            const float *queries_run = queries + (slot_1 * 2 + run) * 32 * 16;
            f32x8 acc0_0 = {0}, acc0_1 = {0}, acc1_0 = {0}, acc1_1 = {0}, acc2_0 = {0},
                acc2_1 = {0}, acc3_0 = {0}, acc3_1 = {0}, acc4_0 = {0}, acc4_1 = {0}, acc5_0 = {0},
                acc5_1 = {0};
            for (int64_t step_1 = 0; step_1 < 2; step_1++) {
                const int64_t ahead = min_i64(o * 12 + run * 6 + step_1, 15);
                const int64_t v_1 = query_pos_panel[ahead];
                prefetch(k_out + v_1 * 32);
                prefetch(k_out + v_1 * 32 + 16);
                const int64_t next = min_i64(clamped + 1, 15);
                const int64_t token = order_panel[next * 32 + ahead];
                prefetch(q + token * 32);
                prefetch(q + token * 32 + 16);
                prefetch(v + token * 32);
                prefetch(v + token * 32 + 16);
                for (int64_t k = 0; k < 16; k++) {
                    const float *queries_k = queries_run + (step_1 * 16 + k) * 16;
                    const f32x8 s = splat8(queries_k[0]);
                    const f32x8 v_2 = load8(queries_panel + (step_1 * 16 + k) * 16);
                    acc0_0 = fma8(s, v_2, acc0_0);
                    const f32x8 v_3 = load8(queries_panel + (step_1 * 16 + k) * 16 + 8);
                    acc0_1 = fma8(s, v_3, acc0_1);
                    const f32x8 s_1 = splat8(queries_k[1]);
                    acc1_0 = fma8(s_1, v_2, acc1_0);
                    acc1_1 = fma8(s_1, v_3, acc1_1);
                    const f32x8 s_2 = splat8(queries_k[2]);
                    acc2_0 = fma8(s_2, v_2, acc2_0);
                    acc2_1 = fma8(s_2, v_3, acc2_1);
                    const f32x8 s_3 = splat8(queries_k[3]);
                    acc3_0 = fma8(s_3, v_2, acc3_0);
                    acc3_1 = fma8(s_3, v_3, acc3_1);
                    const f32x8 s_4 = splat8(queries_k[4]);
                    acc4_0 = fma8(s_4, v_2, acc4_0);
                    acc4_1 = fma8(s_4, v_3, acc4_1);
                    const f32x8 s_5 = splat8(queries_k[5]);
                    acc5_0 = fma8(s_5, v_2, acc5_0);
                    acc5_1 = fma8(s_5, v_3, acc5_1);
                }
            }
            const int32_t *query_pos_run = query_pos + slot_1 * 32 + run * 16;
            const i32x8 s = splat_i32x8(query_pos_run[0]);
            const int32_t *key_pos_run = key_pos + slot_1 * 32 + run * 16;
            const i32x8 s_1 = splat_i32x8(key_pos_run[0]);
            const float *key_scale_run = key_scale + slot_1 * 32 + run * 16;
            const f32x8 s_2 = splat8(key_scale_run[0]);
            const i32x8 equal = (i32x8)(s_2 == splat8(0.0f));
            const f32x8 pick = select8(equal, splat8(0.0f), mul8(acc0_0 * s_2, raise));
            const f32x8 pick_1 = select8((i32x8)(s_1 < query), pick, splat8(-__builtin_inff()));
            const f32x8 pick_2 = select8((i32x8)(s == query), self, pick_1);
            const f32x8 larger = max8(most, pick_2);
            float *scores_run = scores + (o * 32 + run * 16) * 16;
            store8(scores_run, pick_2);
            const f32x8 pick_3 = select8(equal, splat8(0.0f), mul8(acc0_1 * s_2, raise_1));
            const f32x8 pick_4 = select8((i32x8)(s_1 < query_1), pick_3, splat8(-__builtin_inff()));
            const f32x8 pick_5 = select8((i32x8)(s == query_1), self_1, pick_4);
            const f32x8 larger_1 = max8(most_1, pick_5);
            store8(scores_run + 8, pick_5);
            const i32x8 s_3 = splat_i32x8(query_pos_run[1]);
            const i32x8 s_4 = splat_i32x8(key_pos_run[1]);
            const f32x8 s_5 = splat8(key_scale_run[1]);
            const i32x8 equal_1 = (i32x8)(s_5 == splat8(0.0f));
            const f32x8 pick_6 = select8(equal_1, splat8(0.0f), mul8(acc1_0 * s_5, raise));
            const f32x8 pick_7 = select8((i32x8)(s_4 < query), pick_6, splat8(-__builtin_inff()));
            const f32x8 pick_8 = select8((i32x8)(s_3 == query), self, pick_7);
            const f32x8 larger_2 = max8(larger, pick_8);
            store8(scores_run + 16, pick_8);
            const f32x8 pick_9 = select8(equal_1, splat8(0.0f), mul8(acc1_1 * s_5, raise_1));
            const f32x8 pick_10 = select8((i32x8)(s_4 < query_1), pick_9,
                splat8(-__builtin_inff()));
            const f32x8 pick_11 = select8((i32x8)(s_3 == query_1), self_1, pick_10);
            const f32x8 larger_3 = max8(larger_1, pick_11);
            store8(scores_run + 24, pick_11);
            const i32x8 s_6 = splat_i32x8(query_pos_run[2]);
            const i32x8 s_7 = splat_i32x8(key_pos_run[2]);
            const f32x8 s_8 = splat8(key_scale_run[2]);
            const i32x8 equal_2 = (i32x8)(s_8 == splat8(0.0f));
            const f32x8 pick_12 = select8(equal_2, splat8(0.0f), mul8(acc2_0 * s_8, raise));
            const f32x8 pick_13 = select8((i32x8)(s_7 < query), pick_12, splat8(-__builtin_inff()));
            const f32x8 pick_14 = select8((i32x8)(s_6 == query), self, pick_13);
            const f32x8 larger_4 = max8(larger_2, pick_14);
            store8(scores_run + 32, pick_14);
            const f32x8 pick_15 = select8(equal_2, splat8(0.0f), mul8(acc2_1 * s_8, raise_1));
            const f32x8 pick_16 = select8((i32x8)(s_7 < query_1), pick_15,
                splat8(-__builtin_inff()));
            const f32x8 pick_17 = select8((i32x8)(s_6 == query_1), self_1, pick_16);
            const f32x8 larger_5 = max8(larger_3, pick_17);
            store8(scores_run + 40, pick_17);
            const i32x8 s_9 = splat_i32x8(query_pos_run[3]);
            const i32x8 s_10 = splat_i32x8(key_pos_run[3]);
            const f32x8 s_11 = splat8(key_scale_run[3]);
            const i32x8 equal_3 = (i32x8)(s_11 == splat8(0.0f));
            const f32x8 pick_18 = select8(equal_3, splat8(0.0f), mul8(acc3_0 * s_11, raise));
            const f32x8 pick_19 = select8((i32x8)(s_10 < query), pick_18,
                splat8(-__builtin_inff()));
            const f32x8 pick_20 = select8((i32x8)(s_9 == query), self, pick_19);
            const f32x8 larger_6 = max8(larger_4, pick_20);
            store8(scores_run + 48, pick_20);
            const f32x8 pick_21 = select8(equal_3, splat8(0.0f), mul8(acc3_1 * s_11, raise_1));
            const f32x8 pick_22 = select8((i32x8)(s_10 < query_1), pick_21,
                splat8(-__builtin_inff()));
            const f32x8 pick_23 = select8((i32x8)(s_9 == query_1), self_1, pick_22);
            const f32x8 larger_7 = max8(larger_5, pick_23);
            store8(scores_run + 56, pick_23);
            const i32x8 s_12 = splat_i32x8(query_pos_run[4]);
            const i32x8 s_13 = splat_i32x8(key_pos_run[4]);
            const f32x8 s_14 = splat8(key_scale_run[4]);
            const i32x8 equal_4 = (i32x8)(s_14 == splat8(0.0f));
            const f32x8 pick_24 = select8(equal_4, splat8(0.0f), mul8(acc4_0 * s_14, raise));
            const f32x8 pick_25 = select8((i32x8)(s_13 < query), pick_24,
                splat8(-__builtin_inff()));
            const f32x8 pick_26 = select8((i32x8)(s_12 == query), self, pick_25);
            const f32x8 larger_8 = max8(larger_6, pick_26);
            store8(scores_run + 64, pick_26);
            const f32x8 pick_27 = select8(equal_4, splat8(0.0f), mul8(acc4_1 * s_14, raise_1));
            const f32x8 pick_28 = select8((i32x8)(s_13 < query_1), pick_27,
                splat8(-__builtin_inff()));
            const f32x8 pick_29 = select8((i32x8)(s_12 == query_1), self_1, pick_28);
            const f32x8 larger_9 = max8(larger_7, pick_29);
            store8(scores_run + 72, pick_29);
            const i32x8 s_15 = splat_i32x8(query_pos_run[5]);
            const i32x8 s_16 = splat_i32x8(key_pos_run[5]);
            const f32x8 s_17 = splat8(key_scale_run[5]);
            const i32x8 equal_5 = (i32x8)(s_17 == splat8(0.0f));
            const f32x8 pick_30 = select8(equal_5, splat8(0.0f), mul8(acc5_0 * s_17, raise));
            const f32x8 pick_31 = select8((i32x8)(s_16 < query), pick_30,
                splat8(-__builtin_inff()));
            const f32x8 pick_32 = select8((i32x8)(s_15 == query), self, pick_31);
            const f32x8 larger_10 = max8(larger_8, pick_32);
            store8(scores_run + 80, pick_32);
            const f32x8 pick_33 = select8(equal_5, splat8(0.0f), mul8(acc5_1 * s_17, raise_1));
            const f32x8 pick_34 = select8((i32x8)(s_16 < query_1), pick_33,
                splat8(-__builtin_inff()));
            const f32x8 pick_35 = select8((i32x8)(s_15 == query_1), self_1, pick_34);
            const f32x8 larger_11 = max8(larger_9, pick_35);
            store8(scores_run + 88, pick_35);
            f32x8 most_2 = larger_10, most_3 = larger_11;
            for (int64_t keys = 0; keys < 2; keys++) {
                f32x8 acc0_0_1 = {0}, acc0_1_1 = {0}, acc1_0_1 = {0}, acc1_1_1 = {0},
                    acc2_0_1 = {0}, acc2_1_1 = {0}, acc3_0_1 = {0}, acc3_1_1 = {0}, acc4_0_1 = {0},
                    acc4_1_1 = {0};
                for (int64_t step_1 = 0; step_1 < 2; step_1++) {
                    const int64_t ahead = min_i64(o * 12 + run * 6 + keys * 2 + step_1 + 2, 15);
                    const int64_t v_1 = query_pos_panel[ahead];
                    prefetch(k_out + v_1 * 32);
                    prefetch(k_out + v_1 * 32 + 16);
                    const int64_t next = min_i64(clamped + 1, 15);
                    const int64_t token = order_panel[next * 32 + ahead];
                    prefetch(q + token * 32);
                    prefetch(q + token * 32 + 16);
                    prefetch(v + token * 32);
                    prefetch(v + token * 32 + 16);
                    for (int64_t k = 0; k < 16; k++) {
                        const float *queries_k = queries_run + (step_1 * 16 + k) * 16 + keys * 5;
                        const f32x8 s_18 = splat8(queries_k[6]);
                        const f32x8 v_2 = load8(queries_panel + (step_1 * 16 + k) * 16);
                        acc0_0_1 = fma8(s_18, v_2, acc0_0_1);
                        const f32x8 v_3 = load8(queries_panel + (step_1 * 16 + k) * 16 + 8);
                        acc0_1_1 = fma8(s_18, v_3, acc0_1_1);
                        const f32x8 s_19 = splat8(queries_k[7]);
                        acc1_0_1 = fma8(s_19, v_2, acc1_0_1);
                        acc1_1_1 = fma8(s_19, v_3, acc1_1_1);
                        const f32x8 s_20 = splat8(queries_k[8]);
                        acc2_0_1 = fma8(s_20, v_2, acc2_0_1);
                        acc2_1_1 = fma8(s_20, v_3, acc2_1_1);
                        const f32x8 s_21 = splat8(queries_k[9]);
                        acc3_0_1 = fma8(s_21, v_2, acc3_0_1);
                        acc3_1_1 = fma8(s_21, v_3, acc3_1_1);
                        const f32x8 s_22 = splat8(queries_k[10]);
                        acc4_0_1 = fma8(s_22, v_2, acc4_0_1);
                        acc4_1_1 = fma8(s_22, v_3, acc4_1_1);
                    }
                }
                const i32x8 s_18 = splat_i32x8(query_pos_run[keys * 5 + 6]);
                const i32x8 s_19 = splat_i32x8(key_pos_run[keys * 5 + 6]);
                const f32x8 s_20 = splat8(key_scale_run[keys * 5 + 6]);
                const i32x8 equal_6 = (i32x8)(s_20 == splat8(0.0f));
                const f32x8 pick_36 = select8(equal_6, splat8(0.0f), mul8(acc0_0_1 * s_20, raise));
                const f32x8 pick_37 = select8((i32x8)(s_19 < query), pick_36,
                    splat8(-__builtin_inff()));
                const f32x8 pick_38 = select8((i32x8)(s_18 == query), self, pick_37);
                const f32x8 larger_12 = max8(most_2, pick_38);
                float *scores_keys = scores_run + keys * 80;
                store8(scores_keys + 96, pick_38);
                const f32x8 pick_39 = select8(equal_6, splat8(0.0f),
                    mul8(acc0_1_1 * s_20, raise_1));
                const f32x8 pick_40 = select8((i32x8)(s_19 < query_1), pick_39,
                    splat8(-__builtin_inff()));
                const f32x8 pick_41 = select8((i32x8)(s_18 == query_1), self_1, pick_40);
                const f32x8 larger_13 = max8(most_3, pick_41);
                store8(scores_keys + 104, pick_41);
                const i32x8 s_21 = splat_i32x8(query_pos_run[keys * 5 + 7]);
                const i32x8 s_22 = splat_i32x8(key_pos_run[keys * 5 + 7]);
                const f32x8 s_23 = splat8(key_scale_run[keys * 5 + 7]);
                const i32x8 equal_7 = (i32x8)(s_23 == splat8(0.0f));
                const f32x8 pick_42 = select8(equal_7, splat8(0.0f), mul8(acc1_0_1 * s_23, raise));
                const f32x8 pick_43 = select8((i32x8)(s_22 < query), pick_42,
                    splat8(-__builtin_inff()));
                const f32x8 pick_44 = select8((i32x8)(s_21 == query), self, pick_43);
                const f32x8 larger_14 = max8(larger_12, pick_44);
                store8(scores_keys + 112, pick_44);
                const f32x8 pick_45 = select8(equal_7, splat8(0.0f),
                    mul8(acc1_1_1 * s_23, raise_1));
                const f32x8 pick_46 = select8((i32x8)(s_22 < query_1), pick_45,
                    splat8(-__builtin_inff()));
                const f32x8 pick_47 = select8((i32x8)(s_21 == query_1), self_1, pick_46);
                const f32x8 larger_15 = max8(larger_13, pick_47);
                store8(scores_keys + 120, pick_47);
                const i32x8 s_24 = splat_i32x8(query_pos_run[keys * 5 + 8]);
                const i32x8 s_25 = splat_i32x8(key_pos_run[keys * 5 + 8]);
                const f32x8 s_26 = splat8(key_scale_run[keys * 5 + 8]);
                const i32x8 equal_8 = (i32x8)(s_26 == splat8(0.0f));
                const f32x8 pick_48 = select8(equal_8, splat8(0.0f), mul8(acc2_0_1 * s_26, raise));
                const f32x8 pick_49 = select8((i32x8)(s_25 < query), pick_48,
                    splat8(-__builtin_inff()));
                const f32x8 pick_50 = select8((i32x8)(s_24 == query), self, pick_49);
                const f32x8 larger_16 = max8(larger_14, pick_50);
                store8(scores_keys + 128, pick_50);
                const f32x8 pick_51 = select8(equal_8, splat8(0.0f),
                    mul8(acc2_1_1 * s_26, raise_1));
                const f32x8 pick_52 = select8((i32x8)(s_25 < query_1), pick_51,
                    splat8(-__builtin_inff()));
                const f32x8 pick_53 = select8((i32x8)(s_24 == query_1), self_1, pick_52);
                const f32x8 larger_17 = max8(larger_15, pick_53);
                store8(scores_keys + 136, pick_53);
                const i32x8 s_27 = splat_i32x8(query_pos_run[keys * 5 + 9]);
                const i32x8 s_28 = splat_i32x8(key_pos_run[keys * 5 + 9]);
                const f32x8 s_29 = splat8(key_scale_run[keys * 5 + 9]);
                const i32x8 equal_9 = (i32x8)(s_29 == splat8(0.0f));
                const f32x8 pick_54 = select8(equal_9, splat8(0.0f), mul8(acc3_0_1 * s_29, raise));
                const f32x8 pick_55 = select8((i32x8)(s_28 < query), pick_54,
                    splat8(-__builtin_inff()));
                const f32x8 pick_56 = select8((i32x8)(s_27 == query), self, pick_55);
                const f32x8 larger_18 = max8(larger_16, pick_56);
                store8(scores_keys + 144, pick_56);
                const f32x8 pick_57 = select8(equal_9, splat8(0.0f),
                    mul8(acc3_1_1 * s_29, raise_1));
                const f32x8 pick_58 = select8((i32x8)(s_28 < query_1), pick_57,
                    splat8(-__builtin_inff()));
                const f32x8 pick_59 = select8((i32x8)(s_27 == query_1), self_1, pick_58);
                const f32x8 larger_19 = max8(larger_17, pick_59);
                store8(scores_keys + 152, pick_59);
                const i32x8 s_30 = splat_i32x8(query_pos_run[keys * 5 + 10]);
                const i32x8 s_31 = splat_i32x8(key_pos_run[keys * 5 + 10]);
                const f32x8 s_32 = splat8(key_scale_run[keys * 5 + 10]);
                const i32x8 equal_10 = (i32x8)(s_32 == splat8(0.0f));
                const f32x8 pick_60 = select8(equal_10, splat8(0.0f), mul8(acc4_0_1 * s_32, raise));
                const f32x8 pick_61 = select8((i32x8)(s_31 < query), pick_60,
                    splat8(-__builtin_inff()));
                const f32x8 pick_62 = select8((i32x8)(s_30 == query), self, pick_61);
                most_2 = max8(larger_18, pick_62);
                store8(scores_keys + 160, pick_62);
                const f32x8 pick_63 = select8(equal_10, splat8(0.0f),
                    mul8(acc4_1_1 * s_32, raise_1));
                const f32x8 pick_64 = select8((i32x8)(s_31 < query_1), pick_63,
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
    for (int64_t key = 0; key < 64; key++) {
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
    const i32x8 s = splat_i32x8(-(round == 1));
    const f32x8 y_3 = log_f32x8(t);
    const f32x8 y_4 = exp_f32x8(larger - (y_3 + larger));
    const f32x8 pick_6 = select8(more & s, mul8(t, y_4), splat8(1.0f));
    const f32x8 y_5 = exp_f32x8(most - sum_2);
    const f32x8 pick_7 = select8(more, y_5, splat8(1.0f));
    store8(round_sum, pick_2);
    store8(top, larger);
    store8(total_sum, t);
    store8(rescale, mul8(pick_4, pick_6));
    store8(gain, mul8(pick_5 * pick_7, pick_6));
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
    const f32x8 y_9 = log_f32x8(t_1);
    const f32x8 y_10 = exp_f32x8(larger_1 - (y_9 + larger_1));
    const f32x8 pick_12 = select8(more_1 & s, mul8(t_1, y_10), splat8(1.0f));
    const f32x8 y_11 = exp_f32x8(most_1 - sum_3);
    const f32x8 pick_13 = select8(more_1, y_11, splat8(1.0f));
    store8(round_sum + 8, pick_8);
    store8(top + 8, larger_1);
    store8(total_sum + 8, t_1);
    store8(rescale + 8, mul8(pick_10, pick_12));
    store8(gain + 8, mul8(pick_11 * pick_13, pick_12));
    for (int64_t lane = 0; lane < 16; lane++) {
        const int64_t token = query_pos_panel[lane];
        max_so_far[token] = top[lane];
        sum_so_far[token] = total_sum[lane];
        if (round_sum[lane] == 0.0f) {
            int32_t count = 0;
            for (int64_t o = 0; o < 2; o++) {
                const int64_t slot_1 = (step + o + 1) % 2;
                for (int64_t key = 0; key < 32; key++) {
                    count = sub_i32(count, -(query_pos[slot_1 * 32 + key] == (int32_t)token));
                }
            }
            self_count[round * 512 + token] = count;
        }
    }
}

INLINE void lsh_attention_k_out(const float *scores, const float *values, const float *gain,
        const float *rescale, const int32_t *query_pos_panel, float *k_out_column, int64_t step,
        int64_t column, int32_t equal) {
    for (int64_t tile = 0; tile < 2; tile++) {
        f32x8 sum = {0}, sum_1 = {0}, sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0},
            sum_6 = {0}, sum_7 = {0}, sum_8 = {0}, sum_9 = {0};
        for (int64_t o = 0; o < 2; o++) {
            const int64_t slot_1 = (step + o + 1) % 2;
            for (int64_t k = 0; k < 32; k++) {
                const float *scores_k = scores + (o * 32 + k) * 16 + tile * 5;
                const f32x8 s = splat8(scores_k[0]);
                const f32x8 v = load8(values + ((slot_1 * 2 + column) * 32 + k) * 16);
                sum = fma8(s, v, sum);
                const f32x8 v_1 = load8(values + ((slot_1 * 2 + column) * 32 + k) * 16 + 8);
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
        const int32_t *query_pos_tile = query_pos_panel + tile * 5;
        const float *gain_tile = gain + tile * 5;
        if (equal) {
            const f32x8 s = splat8(gain_tile[0]);
            const int64_t token = query_pos_tile[0];
            store8(k_out_column + token * 32, mul8(sum, s));
            store8(k_out_column + token * 32 + 8, mul8(sum_1, s));
            const f32x8 s_1 = splat8(gain_tile[1]);
            const int64_t token_1 = query_pos_tile[1];
            store8(k_out_column + token_1 * 32, mul8(sum_2, s_1));
            store8(k_out_column + token_1 * 32 + 8, mul8(sum_3, s_1));
            const f32x8 s_2 = splat8(gain_tile[2]);
            const int64_t token_2 = query_pos_tile[2];
            store8(k_out_column + token_2 * 32, mul8(sum_4, s_2));
            store8(k_out_column + token_2 * 32 + 8, mul8(sum_5, s_2));
            const f32x8 s_3 = splat8(gain_tile[3]);
            const int64_t token_3 = query_pos_tile[3];
            store8(k_out_column + token_3 * 32, mul8(sum_6, s_3));
            store8(k_out_column + token_3 * 32 + 8, mul8(sum_7, s_3));
            const f32x8 s_4 = splat8(gain_tile[4]);
            const int64_t token_4 = query_pos_tile[4];
            store8(k_out_column + token_4 * 32, mul8(sum_8, s_4));
            store8(k_out_column + token_4 * 32 + 8, mul8(sum_9, s_4));
        } else {
            const f32x8 s = splat8(gain_tile[0]);
            const int64_t token = query_pos_tile[0];
            const f32x8 s_1 = splat8(rescale[tile * 5]);
            store8(k_out_column + token * 32, fma8(sum, s, load8(k_out_column + token * 32) * s_1));
            const f32x8 prod = load8(k_out_column + token * 32 + 8) * s_1;
            store8(k_out_column + token * 32 + 8, fma8(sum_1, s, prod));
            const f32x8 s_2 = splat8(gain_tile[1]);
            const int64_t token_1 = query_pos_tile[1];
            const f32x8 s_3 = splat8(rescale[tile * 5 + 1]);
            store8(k_out_column + token_1 * 32,
                fma8(sum_2, s_2, load8(k_out_column + token_1 * 32) * s_3));
            const f32x8 prod_1 = load8(k_out_column + token_1 * 32 + 8) * s_3;
            store8(k_out_column + token_1 * 32 + 8, fma8(sum_3, s_2, prod_1));
            const f32x8 s_4 = splat8(gain_tile[2]);
            const int64_t token_2 = query_pos_tile[2];
            const f32x8 s_5 = splat8(rescale[tile * 5 + 2]);
            store8(k_out_column + token_2 * 32,
                fma8(sum_4, s_4, load8(k_out_column + token_2 * 32) * s_5));
            const f32x8 prod_2 = load8(k_out_column + token_2 * 32 + 8) * s_5;
            store8(k_out_column + token_2 * 32 + 8, fma8(sum_5, s_4, prod_2));
            const f32x8 s_6 = splat8(gain_tile[3]);
            const int64_t token_3 = query_pos_tile[3];
            const f32x8 s_7 = splat8(rescale[tile * 5 + 3]);
            store8(k_out_column + token_3 * 32,
                fma8(sum_6, s_6, load8(k_out_column + token_3 * 32) * s_7));
            const f32x8 prod_3 = load8(k_out_column + token_3 * 32 + 8) * s_7;
            store8(k_out_column + token_3 * 32 + 8, fma8(sum_7, s_6, prod_3));
            const f32x8 s_8 = splat8(gain_tile[4]);
            const int64_t token_4 = query_pos_tile[4];
            const f32x8 s_9 = splat8(rescale[tile * 5 + 4]);
            store8(k_out_column + token_4 * 32,
                fma8(sum_8, s_8, load8(k_out_column + token_4 * 32) * s_9));
            const f32x8 prod_4 = load8(k_out_column + token_4 * 32 + 8) * s_9;
            store8(k_out_column + token_4 * 32 + 8, fma8(sum_9, s_8, prod_4));
        }
    }
}

INLINE void lsh_attention_k_out_1(const float *scores, const float *values, const float *gain,
        float *k_out, const float *rescale, const int32_t *query_pos_panel, int64_t step,
        int64_t round) {
    for (int64_t column = 0; column < 2; column++) {
        f32x8 sum = {0}, sum_1 = {0}, sum_2 = {0}, sum_3 = {0}, sum_4 = {0}, sum_5 = {0},
            sum_6 = {0}, sum_7 = {0}, sum_8 = {0}, sum_9 = {0}, sum_10 = {0}, sum_11 = {0};
        for (int64_t o = 0; o < 2; o++) {
            const int64_t slot_1 = (step + o + 1) % 2;
            for (int64_t k = 0; k < 32; k++) {
                const float *scores_k = scores + (o * 32 + k) * 16;
                const f32x8 s = splat8(scores_k[0]);
                const f32x8 v = load8(values + ((slot_1 * 2 + column) * 32 + k) * 16);
                sum = fma8(s, v, sum);
                const f32x8 v_1 = load8(values + ((slot_1 * 2 + column) * 32 + k) * 16 + 8);
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
        const int32_t equal = -(round == 0);
        float *k_out_column = k_out + column * 16;
        if (equal) {
            const f32x8 s = splat8(gain[0]);
            const int64_t token = query_pos_panel[0];
            store8(k_out_column + token * 32, mul8(sum, s));
            store8(k_out_column + token * 32 + 8, mul8(sum_1, s));
            const f32x8 s_1 = splat8(gain[1]);
            const int64_t token_1 = query_pos_panel[1];
            store8(k_out_column + token_1 * 32, mul8(sum_2, s_1));
            store8(k_out_column + token_1 * 32 + 8, mul8(sum_3, s_1));
            const f32x8 s_2 = splat8(gain[2]);
            const int64_t token_2 = query_pos_panel[2];
            store8(k_out_column + token_2 * 32, mul8(sum_4, s_2));
            store8(k_out_column + token_2 * 32 + 8, mul8(sum_5, s_2));
            const f32x8 s_3 = splat8(gain[3]);
            const int64_t token_3 = query_pos_panel[3];
            store8(k_out_column + token_3 * 32, mul8(sum_6, s_3));
            store8(k_out_column + token_3 * 32 + 8, mul8(sum_7, s_3));
            const f32x8 s_4 = splat8(gain[4]);
            const int64_t token_4 = query_pos_panel[4];
            store8(k_out_column + token_4 * 32, mul8(sum_8, s_4));
            store8(k_out_column + token_4 * 32 + 8, mul8(sum_9, s_4));
            const f32x8 s_5 = splat8(gain[5]);
            const int64_t token_5 = query_pos_panel[5];
            store8(k_out_column + token_5 * 32, mul8(sum_10, s_5));
            store8(k_out_column + token_5 * 32 + 8, mul8(sum_11, s_5));
        } else {
            const f32x8 s = splat8(gain[0]);
            const int64_t token = query_pos_panel[0];
            const f32x8 s_1 = splat8(rescale[0]);
            store8(k_out_column + token * 32, fma8(sum, s, load8(k_out_column + token * 32) * s_1));
            const f32x8 prod = load8(k_out_column + token * 32 + 8) * s_1;
            store8(k_out_column + token * 32 + 8, fma8(sum_1, s, prod));
            const f32x8 s_2 = splat8(gain[1]);
            const int64_t token_1 = query_pos_panel[1];
            const f32x8 s_3 = splat8(rescale[1]);
            store8(k_out_column + token_1 * 32,
                fma8(sum_2, s_2, load8(k_out_column + token_1 * 32) * s_3));
            const f32x8 prod_1 = load8(k_out_column + token_1 * 32 + 8) * s_3;
            store8(k_out_column + token_1 * 32 + 8, fma8(sum_3, s_2, prod_1));
            const f32x8 s_4 = splat8(gain[2]);
            const int64_t token_2 = query_pos_panel[2];
            const f32x8 s_5 = splat8(rescale[2]);
            store8(k_out_column + token_2 * 32,
                fma8(sum_4, s_4, load8(k_out_column + token_2 * 32) * s_5));
            const f32x8 prod_2 = load8(k_out_column + token_2 * 32 + 8) * s_5;
            store8(k_out_column + token_2 * 32 + 8, fma8(sum_5, s_4, prod_2));
            const f32x8 s_6 = splat8(gain[3]);
            const int64_t token_3 = query_pos_panel[3];
            const f32x8 s_7 = splat8(rescale[3]);
            store8(k_out_column + token_3 * 32,
                fma8(sum_6, s_6, load8(k_out_column + token_3 * 32) * s_7));
            const f32x8 prod_3 = load8(k_out_column + token_3 * 32 + 8) * s_7;
            store8(k_out_column + token_3 * 32 + 8, fma8(sum_7, s_6, prod_3));
            const f32x8 s_8 = splat8(gain[4]);
            const int64_t token_4 = query_pos_panel[4];
            const f32x8 s_9 = splat8(rescale[4]);
            store8(k_out_column + token_4 * 32,
                fma8(sum_8, s_8, load8(k_out_column + token_4 * 32) * s_9));
            const f32x8 prod_4 = load8(k_out_column + token_4 * 32 + 8) * s_9;
            store8(k_out_column + token_4 * 32 + 8, fma8(sum_9, s_8, prod_4));
            const f32x8 s_10 = splat8(gain[5]);
            const int64_t token_5 = query_pos_panel[5];
            const f32x8 s_11 = splat8(rescale[5]);
            const f32x8 prod_5 = load8(k_out_column + token_5 * 32) * s_11;
            store8(k_out_column + token_5 * 32, fma8(sum_10, s_10, prod_5));
            const f32x8 prod_6 = load8(k_out_column + token_5 * 32 + 8) * s_11;
            store8(k_out_column + token_5 * 32 + 8, fma8(sum_11, s_10, prod_6));
        }
        lsh_attention_k_out(scores + 6, values, gain + 6, rescale + 6, query_pos_panel + 6,
            k_out_column, step, column, equal);
    }
}

INLINE void lsh_attention_scores_2(const int32_t *order, const float *q, float *queries,
        int32_t *query_pos, const int32_t *key, int32_t *key_pos, const float *v, float *values,
        float *key_scale, float *key_scale2, float *norm, float *most_norm, float *most_of_slot,
        float *k_out, float *scores, float *total_sum, float *rescale, float *gain,
        float *sum_so_far, int32_t *self_count, float *max_so_far, float *top, float *round_sum,
        int64_t round, int64_t run) {
    for (int64_t step = 0; step < 9; step++) {
        const int64_t other = (round * 16 + run * 8 + step + 31) % 32;
        const int64_t from_round = other / 16;
        const int64_t from_chunk = other % 16;
        const int64_t slot_1 = step % 2;
        for (int64_t panel = 0; panel < 2; panel++) {
            for (int64_t vector = 0; vector < 2; vector++) {
                const int32_t *order_vector = order + from_round * 513 + from_chunk * 32 + panel *
                    16 + vector * 8;
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
        for (int64_t lane = 0; lane < 32; lane++) {
            const int64_t token = order[from_round * 513 + from_chunk * 32 + lane];
            query_pos[slot_1 * 32 + lane] = (int32_t)token;
            key_pos[slot_1 * 32 + lane] = key[token];
            float *values_lane = values + (slot_1 * 64 + lane) * 16;
            store8(values_lane, load8(v + token * 32));
            store8(values_lane + 8, load8(v + token * 32 + 8));
            store8(values_lane + 512, load8(v + token * 32 + 16));
            store8(values_lane + 520, load8(v + token * 32 + 24));
        }
        float most = 0.0f;
        for (int64_t panel = 0; panel < 2; panel++) {
            float *queries_panel = queries + (slot_1 * 2 + panel) * 32 * 16;
            f32x8 sum = {0}, sum_1 = {0};
            for (int64_t d = 0; d < 32; d++) {
                const f32x8 v_1 = load8(queries_panel + d * 16);
                sum = fma8(v_1, v_1, sum);
                const f32x8 v_2 = load8(queries_panel + d * 16 + 8);
                sum_1 = fma8(v_2, v_2, sum_1);
            }
            const f32x8 sum_2 = div8(sum, splat8(32.0f)) + splat8(1e-06f);
            const f32x8 root = sqrt8(sum_2);
            const f32x8 quot = div8(splat8(0.17677669f), root);
            const f32x8 root_1 = sqrt8(sum);
            const f32x8 clamped = min8(root_1, splat8(3.4028235e+38f));
            float *key_scale_panel = key_scale + slot_1 * 32 + panel * 16;
            store8(key_scale_panel, quot);
            float *key_scale2_panel = key_scale2 + slot_1 * 32 + panel * 16;
            store8(key_scale2_panel, mul8(quot, splat8(1.442695f)));
            store8(norm + slot_1 * 32 + panel * 16, clamped);
            const f32x8 sum_3 = div8(sum_1, splat8(32.0f)) + splat8(1e-06f);
            const f32x8 root_2 = sqrt8(sum_3);
            const f32x8 quot_1 = div8(splat8(0.17677669f), root_2);
            const f32x8 root_3 = sqrt8(sum_1);
            const f32x8 clamped_1 = min8(root_3, splat8(3.4028235e+38f));
            store8(key_scale_panel + 8, quot_1);
            store8(key_scale2_panel + 8, mul8(quot_1, splat8(1.442695f)));
            store8(norm + slot_1 * 32 + panel * 16 + 8, clamped_1);
            const f32x8 larger = max8(clamped, clamped_1);
            const f32x8 mix = shuffle_swap4_f32x8(larger);
            const f32x8 larger_1 = max8(larger, mix);
            const f32x8 mix_1 = shuffle_swap2_f32x8(larger_1);
            const f32x8 larger_2 = max8(larger_1, mix_1);
            const f32x8 mix_2 = shuffle_swap1_f32x8(larger_2);
            const f32x8 larger_3 = max8(larger_2, mix_2);
            const float lane = larger_3[0];
            most_norm[slot_1 * 2 + panel] = lane;
            if (!(lane <= 1.1529215e+18f)) {
                const i32x8 more = (i32x8)(clamped > splat8(1.1529215e+18f));
                const f32x8 pick = select8(more, splat8(8.271806e-25f), splat8(1.0f));
                const i32x8 more_1 = (i32x8)(clamped_1 > splat8(1.1529215e+18f));
                const f32x8 pick_1 = select8(more_1, splat8(8.271806e-25f), splat8(1.0f));
                for (int64_t k = 0; k < 32; k++) {
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
            for (int64_t panel = 0; panel < 2; panel++) {
                const float most_norm_1 = most_norm[slot_2 * 2 + panel];
                const int32_t bits = -(most_norm_1 <= 41.58883f) & keys_square;
                const int32_t *order_panel = order + round * 513 + panel * 16;
                const float *queries_panel = queries + (slot_2 * 2 + panel) * 32 * 16;
                const int32_t *query_pos_panel = query_pos + slot_2 * 32 + panel * 16;
                const float *norm_panel = norm + slot_2 * 32 + panel * 16;
                if (bits) {
                    lsh_attention_scores(k_out, q, v, queries, key_scale2, key_pos, scores,
                        total_sum, rescale, gain, sum_so_far, query_pos, self_count, norm_panel,
                        query_pos_panel, order_panel, queries_panel, step, clamped, round);
                } else {
                    lsh_attention_scores_1(k_out, q, v, queries, query_pos, key_pos, key_scale,
                        scores, max_so_far, top, sum_so_far, total_sum, round_sum, rescale, gain,
                        self_count, query_pos_panel, norm_panel, order_panel, queries_panel, step,
                        clamped, round);
                }
                lsh_attention_k_out_1(scores, values, gain, k_out, rescale, query_pos_panel, step,
                    round);
            }
        }
    }
}

/* crime-and-punishment-bytes.yaml:19: LSH attention: sorted chunks of 32 against 1 before and 0
 * after, one round
 * tasks [batch 1][head 1][run 2] */
REFORMER_KERNEL static void lsh_attention(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t run = task % 2;
    const int64_t round = arg[0];
    /* [1][1][2][513]: [batch][group][round][place]: sorted tokens */
    const int32_t *restrict order = (const void *)(call->workspace + 983040);
    /* [1][1][512][32]: [batch][group][rows][head] */
    const float *restrict q = (const void *)(call->workspace + 786432);
    float *restrict queries = (void *)scratch; /* [2][2][32][16] */
    int32_t *restrict query_pos = (void *)(scratch + 16384); /* [2][32] */
    const int32_t *restrict key = call->slot[REFORMER_SLOT_KEY]; /* [1][512] */
    int32_t *restrict key_pos = (void *)(scratch + 16640); /* [2][32] */
    /* [1][1][512][32]: [batch][group][rows][head] */
    const float *restrict v = (const void *)(call->workspace + 851968);
    float *restrict values = (void *)(scratch + 8192); /* [2][2][32][16] */
    float *restrict key_scale = (void *)(scratch + 16896); /* [2][32] */
    float *restrict key_scale2 = (void *)(scratch + 17152); /* [2][32] */
    float *restrict norm = (void *)(scratch + 17408); /* [2][32] */
    float *restrict most_norm = (void *)(scratch + 17664); /* [2][2] */
    float *restrict most_of_slot = (void *)(scratch + 17728); /* [2] */
    /* [1][1][512][32]: [batch][group][rows][head]: keys, or an output apart from the queries */
    float *restrict k_out = (void *)(call->workspace + 917504);
    float *restrict scores = (void *)(scratch + 17792); /* [64][16] */
    float *restrict total_sum = (void *)(scratch + 22016); /* [16] */
    float *restrict rescale = (void *)(scratch + 22080); /* [16] */
    float *restrict gain = (void *)(scratch + 22144); /* [16] */
    /* [1][1][512]: [batch][group][rows]: sum of exponentials */
    float *restrict sum_so_far = (void *)(call->workspace + 997440);
    /* [1][1][2][512]: [batch][group][round][rows]: self entries of rows without other keys */
    int32_t *restrict self_count = (void *)(call->workspace + 987200);
    /* [1][1][512]: [batch][group][rows]: largest score so far */
    float *restrict max_so_far = (void *)(call->workspace + 995392);
    float *restrict top = (void *)(scratch + 21952); /* [16] */
    float *restrict round_sum = (void *)(scratch + 21888); /* [16] */
    lsh_attention_scores_2(order, q, queries, query_pos, key, key_pos, v, values, key_scale,
        key_scale2, norm, most_norm, most_of_slot, k_out, scores, total_sum, rescale, gain,
        sum_so_far, self_count, max_so_far, top, round_sum, round, run);
}

/* crime-and-punishment-bytes.yaml:22: local attention: keys and values into the cache
 * tasks [head 1][block 8] */
REFORMER_KERNEL static void local_store_kv(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    const int64_t block = task % 8;
    const int64_t index = arg[0];
    const int64_t group = arg[1];
    const int32_t *restrict control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    /* [1][1][512][32]: [batch][group][rows][head]: keys, or an output apart from the queries */
    const float *restrict k_out = (const void *)(call->workspace + 917504);
    /* [1][2][6][64][2][32]: [row][layer][head][position mod window][key, value] */
    float *restrict rings = call->slot[REFORMER_SLOT_CACHE + 0];
    /* [1][1][512][32]: [batch][group][rows][head] */
    const float *restrict v = (const void *)(call->workspace + 851968);
    const int64_t tokens = (int64_t)control[10];
    for (int64_t i = 0; i < 64; i++) {
        const int64_t at = block * 64 + i;
        const float *k_out_i = k_out + (block * 64 + i) * 32;
        float *rings_i = rings + ((index * 6 + group) * 64 + i) * 2 * 32;
        const float *v_i = v + (block * 64 + i) * 32;
        if (at < tokens) {
            const int64_t clamped = max_i64(tokens, 0);
            const int64_t clamped_1 = min_i64(clamped, 512);
            if (at >= clamped_1 / 32 * 32 - 32) {
                store8(rings_i, mul8(load8(k_out_i), splat8(0.17677669f)));
                store8(rings_i + 32, load8(v_i));
                store8(rings_i + 8, mul8(load8(k_out_i + 8), splat8(0.17677669f)));
                store8(rings_i + 40, load8(v_i + 8));
                store8(rings_i + 16, mul8(load8(k_out_i + 16), splat8(0.17677669f)));
                store8(rings_i + 48, load8(v_i + 16));
                store8(rings_i + 24, mul8(load8(k_out_i + 24), splat8(0.17677669f)));
                store8(rings_i + 56, load8(v_i + 24));
            }
        }
    }
}

/* crime-and-punishment-bytes.yaml:19: LSH attention: keys and values into the cache
 * tasks [head 1][block 8] */
REFORMER_KERNEL static void lsh_store_kv(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    const int64_t block = task % 8;
    const int64_t index = arg[0];
    const int64_t group = arg[1];
    const int32_t *restrict control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    /* [1][1][512][32]: [batch][group][rows][head] */
    const float *restrict q = (const void *)(call->workspace + 786432);
    /* [512][1][2][6][2][32]: [position][row][layer][head][key, value] */
    float *restrict records = call->slot[REFORMER_SLOT_RECORDS + 0];
    /* [1][1][512][32]: [batch][group][rows][head] */
    const float *restrict v = (const void *)(call->workspace + 851968);
    const int64_t tokens = (int64_t)control[10];
    for (int64_t i = 0; i < 64; i++) {
        const float *q_i = q + (block * 64 + i) * 32;
        float *records_i = records + (((block * 64 + i) * 2 + index) * 6 + group) * 2 * 32;
        const float *v_i = v + (block * 64 + i) * 32;
        if (block * 64 + i < tokens) {
            const f32x8 v_1 = load8(q_i + 24);
            const f32x8 v_2 = load8(q_i + 16);
            const f32x8 v_3 = load8(q_i + 8);
            const f32x8 v_4 = load8(q_i);
            const f32x8 t = fma8(v_3, v_3, v_4 * v_4);
            const f32x8 t_1 = fma8(v_2, v_2, t);
            const f32x8 t_2 = fma8(v_1, v_1, t_1);
            const f32x8 mix = shuffle_swap4_f32x8(t_2);
            const f32x8 sum = t_2 + mix;
            const f32x8 mix_1 = shuffle_swap2_f32x8(sum);
            const f32x8 sum_1 = sum + mix_1;
            const f32x8 mix_2 = shuffle_swap1_f32x8(sum_1);
            const f32x8 sum_2 = sum_1 + mix_2;
            const float root = sqrt_f32(div_f32(sum_2[0], 32.0f) + 1e-06f);
            const float scale = div_f32(0.17677669f, root);
            const f32x8 s = splat8(scale);
            store8(records_i, mul8(load8(q_i), s));
            store8(records_i + 32, load8(v_i));
            store8(records_i + 8, mul8(load8(q_i + 8), s));
            store8(records_i + 40, load8(v_i + 8));
            store8(records_i + 16, mul8(load8(q_i + 16), s));
            store8(records_i + 48, load8(v_i + 16));
            store8(records_i + 24, mul8(load8(q_i + 24), s));
            store8(records_i + 56, load8(v_i + 24));
        }
    }
}

/* crime-and-punishment-bytes.yaml:19: tokens into the cache's buckets, in order
 * tasks [head 1][round 2] */
REFORMER_KERNEL static void lsh_append_to_buckets(const reformer_call_t *call,
        unsigned char *scratch, const int64_t *arg, int64_t task) {
    (void)scratch;
    const int64_t round = task % 2;
    const int64_t index = arg[0];
    const int64_t group = arg[1];
    const int32_t *restrict control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    /* [1][2][6][2][16]: [row][layer][head][round][bucket]: tokens in it */
    int32_t *restrict counts = call->slot[REFORMER_SLOT_CACHE + 1];
    /* [1][1][2][512]: [batch][group][round][rows] */
    const int32_t *restrict lsh_buckets = (const void *)(call->workspace + 991296);
    /* [1][2][6][2][16][96]: [row][layer][head][round][bucket][first and latest]: which tokens */
    int32_t *restrict places = call->slot[REFORMER_SLOT_CACHE + 2];
    const int64_t tokens = (int64_t)control[10];
    int32_t *counts_round = counts + ((index * 6 + group) * 2 + round) * 16;
    for (int64_t bucket = 0; bucket < 16; bucket++) {
        counts_round[bucket] = 0;
    }
    for (int64_t t = 0; t < 512; t++) {
        if (t < tokens) {
            const int64_t clamped = min_i64((int64_t)lsh_buckets[round * 512 + t], 15);
            const int32_t count = counts_round[clamped];
            const int64_t x = (int64_t)count;
            const int64_t clamped_1 = max_i64(x - 32, 0);
            const int64_t pick = x < 32 ? x : clamped_1 % 64 + 32;
            places[(((index * 6 + group) * 2 + round) * 16 + clamped) * 96 + min_i64(pick, 95)] =
                (int32_t)t;
            counts_round[clamped] = min_i32(count + 1, 512);
        }
    }
}

/* crime-and-punishment-bytes.yaml:6: the streams of the row's last token
 * tasks [once 1] */
REFORMER_KERNEL static void last_token(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    (void)arg;
    (void)task;
    const int32_t *restrict control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    /* [1][512][192]: [batch][rows][width]: a stream */
    const float *restrict y1 = (const void *)call->workspace;
    /* [1][1][192]: stream of the last token */
    float *restrict last1 = (void *)(call->workspace + 786432);
    /* [1][512][192]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const void *)(call->workspace + 393216);
    /* [1][1][192]: stream of the last token */
    float *restrict last2 = (void *)(call->workspace + 787200);
    const int64_t clamped = max_i64((int64_t)control[10] - 1, 0);
    const int64_t clamped_1 = min_i64(clamped, 511);
    for (int64_t v = 0; v < 24; v++) {
        store8(last1 + v * 8, load8(y1 + clamped_1 * 192 + v * 8));
    }
    for (int64_t v = 0; v < 24; v++) {
        store8(last2 + v * 8, load8(y2 + clamped_1 * 192 + v * 8));
    }
}

/* crime-and-punishment-bytes.yaml:11: 1 rows of logits
 * tasks [columns 9] */
REFORMER_KERNEL static void last_lm_head(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    const int64_t columns = task;
    /* [1][1][192]: stream of the last token */
    const float *restrict last1 = (const void *)(call->workspace + 786432);
    /* [1][1][192]: stream of the last token */
    const float *restrict last2 = (const void *)(call->workspace + 787200);
    /* [1][384] */
    const float *w_encoder_layer_norm_weight = (const void *)(call->weights + 7057920);
    const float *w_encoder_layer_norm_bias = (const void *)(call->weights + 7059456); /* [1][384] */
    float *restrict hidden = (void *)scratch; /* [1][400] */
    /* [1][9][384][32] */
    const float *w_lm_head_decoder_weight = (const void *)(call->weights + 7060992);
    const float *w_lm_head_bias = (const void *)(call->weights + 7503360); /* [1][288] */
    /* [1][288]: [row][column]: for the next stage */
    float *restrict last_logits_rows = (void *)call->workspace;
    /* layer norm of 1 rows of 384 */
    f32x8 sum = {0};
    for (int64_t v = 0; v < 24; v++) {
        sum = sum + load8(last1 + v * 8);
    }
    const f32x8 mix = shuffle_swap4_f32x8(sum);
    const f32x8 sum_1 = sum + mix;
    const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
    const f32x8 sum_2 = sum_1 + mix_1;
    const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
    const f32x8 sum_3 = sum_2 + mix_2;
    const float lane = sum_3[0];
    f32x8 sum_4 = {0};
    for (int64_t v = 0; v < 24; v++) {
        sum_4 = sum_4 + load8(last2 + v * 8);
    }
    const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
    const f32x8 sum_5 = sum_4 + mix_3;
    const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
    const f32x8 sum_6 = sum_5 + mix_4;
    const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
    const f32x8 sum_7 = sum_6 + mix_5;
    const float mean = div_f32(lane + sum_7[0], 384.0f);
    f32x8 sum_8 = {0};
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 diff = load8(last1 + v * 8) - splat8(mean);
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
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 diff = load8(last2 + v * 8) - splat8(mean);
        sum_12 = fma8(diff, diff, sum_12);
    }
    const f32x8 mix_9 = shuffle_swap4_f32x8(sum_12);
    const f32x8 sum_13 = sum_12 + mix_9;
    const f32x8 mix_10 = shuffle_swap2_f32x8(sum_13);
    const f32x8 sum_14 = sum_13 + mix_10;
    const f32x8 mix_11 = shuffle_swap1_f32x8(sum_14);
    const f32x8 sum_15 = sum_14 + mix_11;
    const float var = div_f32(lane_1 + sum_15[0], 384.0f);
    const float root = sqrt_f32(var + 1e-12f);
    const float scale = div_f32(1.0f, root);
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 prod = (load8(last1 + v * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8),
            load8(w_encoder_layer_norm_bias + v * 8));
        store8(hidden + v * 8, t);
    }
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 prod = (load8(last2 + v * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8 + 192),
            load8(w_encoder_layer_norm_bias + v * 8 + 192));
        store8(hidden + v * 8 + 192, t);
    }
    for (int64_t column = 0; column < 2; column++) {
        const int64_t at = columns * 2 + column;
        const int64_t clamped = min_i64(at, 16);
        if (at == clamped) {
            const int64_t next = min_i64(clamped + 1, 16);
            const int64_t panel = next / 2;
            const int64_t rem = next % 2;
            const int64_t panel_1 = clamped / 2;
            const int64_t rem_1 = clamped % 2;
            f32x8 acc0_0 = {0}, acc0_1 = {0};
            for (int64_t step = 0; step < 384; step++) {
                prefetch(w_lm_head_decoder_weight + (panel * 384 + step) * 32 + rem * 16);
                const f32x8 s = splat8(hidden[step]);
                const f32x8 v = load8(w_lm_head_decoder_weight + (panel_1 * 384 + step) * 32 + rem_1
                    * 16);
                acc0_0 = fma8(s, v, acc0_0);
                const f32x8 v_1 = load8(w_lm_head_decoder_weight + (panel_1 * 384 + step) * 32 +
                    rem_1 * 16 + 8);
                acc0_1 = fma8(s, v_1, acc0_1);
            }
            store8(last_logits_rows + clamped * 16, acc0_0 + load8(w_lm_head_bias + clamped * 16));
            store8(last_logits_rows + clamped * 16 + 8,
                acc0_1 + load8(w_lm_head_bias + clamped * 16 + 8));
        }
    }
}

/* crime-and-punishment-bytes.yaml:11: logits to the caller's rows
 * tasks [once 1] */
REFORMER_KERNEL static void last_logits_out(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    (void)arg;
    (void)task;
    /* [1][288]: [row][column]: for the next stage */
    const float *restrict last_logits_rows = (const void *)call->workspace;
    float *restrict logits = call->slot[REFORMER_SLOT_LOGITS]; /* [512][258] */
    for (int64_t v = 0; v < 32; v++) {
        store8(logits + v * 8, load8(last_logits_rows + v * 8));
    }
    for (int64_t e = 0; e < 2; e++) {
        logits[e + 256] = last_logits_rows[e + 256];
    }
}

/* crime-and-punishment-bytes.yaml: last_hidden_state to the caller's rows
 * tasks [once 1] */
REFORMER_KERNEL static void last_last_hidden_state_out(const reformer_call_t *call,
        unsigned char *scratch, const int64_t *arg, int64_t task) {
    (void)arg;
    (void)task;
    /* [1][1][192]: stream of the last token */
    const float *restrict last1 = (const void *)(call->workspace + 786432);
    /* [1][1][192]: stream of the last token */
    const float *restrict last2 = (const void *)(call->workspace + 787200);
    /* [1][384] */
    const float *w_encoder_layer_norm_weight = (const void *)(call->weights + 7057920);
    const float *w_encoder_layer_norm_bias = (const void *)(call->weights + 7059456); /* [1][384] */
    float *restrict hidden = (void *)scratch; /* [1][400] */
    float *restrict last_hidden_state = call->slot[REFORMER_SLOT_HIDDEN]; /* [512][384] */
    /* layer norm of 1 rows of 384 */
    f32x8 sum = {0};
    for (int64_t v = 0; v < 24; v++) {
        sum = sum + load8(last1 + v * 8);
    }
    const f32x8 mix = shuffle_swap4_f32x8(sum);
    const f32x8 sum_1 = sum + mix;
    const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
    const f32x8 sum_2 = sum_1 + mix_1;
    const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
    const f32x8 sum_3 = sum_2 + mix_2;
    const float lane = sum_3[0];
    f32x8 sum_4 = {0};
    for (int64_t v = 0; v < 24; v++) {
        sum_4 = sum_4 + load8(last2 + v * 8);
    }
    const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
    const f32x8 sum_5 = sum_4 + mix_3;
    const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
    const f32x8 sum_6 = sum_5 + mix_4;
    const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
    const f32x8 sum_7 = sum_6 + mix_5;
    const float mean = div_f32(lane + sum_7[0], 384.0f);
    f32x8 sum_8 = {0};
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 diff = load8(last1 + v * 8) - splat8(mean);
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
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 diff = load8(last2 + v * 8) - splat8(mean);
        sum_12 = fma8(diff, diff, sum_12);
    }
    const f32x8 mix_9 = shuffle_swap4_f32x8(sum_12);
    const f32x8 sum_13 = sum_12 + mix_9;
    const f32x8 mix_10 = shuffle_swap2_f32x8(sum_13);
    const f32x8 sum_14 = sum_13 + mix_10;
    const f32x8 mix_11 = shuffle_swap1_f32x8(sum_14);
    const f32x8 sum_15 = sum_14 + mix_11;
    const float var = div_f32(lane_1 + sum_15[0], 384.0f);
    const float root = sqrt_f32(var + 1e-12f);
    const float scale = div_f32(1.0f, root);
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 prod = (load8(last1 + v * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8),
            load8(w_encoder_layer_norm_bias + v * 8));
        store8(hidden + v * 8, t);
    }
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 prod = (load8(last2 + v * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8 + 192),
            load8(w_encoder_layer_norm_bias + v * 8 + 192));
        store8(hidden + v * 8 + 192, t);
    }
    for (int64_t v = 0; v < 48; v++) {
        store8(last_hidden_state + v * 8, load8(hidden + v * 8));
    }
}

static void crime_and_punishment_bytes_run(const reformer_call_t *call) {
    const int32_t *control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    reformer_launch(call, embed_kernel, 8, NULL);
    for (int64_t layer = 0; layer < 4; layer++) {
        const int32_t form = layer_form[layer];
        if (form) {
            const int64_t index = (int64_t)layer_index[layer];
            for (int64_t group = 0; group < 6; group++) {
                reformer_launch(call, lsh_project, 8, (const int64_t[]){layer, index, group});
                if (!(control[8] == 0)) {
                    reformer_launch(call, lsh_store_kv, 8, (const int64_t[]){index, group});
                }
                reformer_launch(call, lsh_hash, 8, (const int64_t[]){index, group});
                reformer_launch(call, lsh_sort, 2, NULL);
                if (!(control[8] == 0)) {
                    reformer_launch(call, lsh_append_to_buckets, 2,
                        (const int64_t[]){index, group});
                }
                for (int64_t round = 0; round < 2; round++) {
                    reformer_launch(call, lsh_attention, 2, (const int64_t[]){round});
                }
                reformer_launch(call, lsh_output, 8, (const int64_t[]){layer, group});
            }
        } else {
            const int64_t index = (int64_t)layer_index[layer];
            for (int64_t group = 0; group < 6; group++) {
                reformer_launch(call, local_project, 8, (const int64_t[]){layer, index, group});
                if (!(control[8] == 0)) {
                    reformer_launch(call, local_store_kv, 8, (const int64_t[]){index, group});
                }
                reformer_launch(call, local_attention, 16, NULL);
                reformer_launch(call, local_output, 8, (const int64_t[]){layer, group});
            }
        }
        reformer_launch(call, feed_forward, 8, (const int64_t[]){layer});
    }
    if (control[8] == 0) {
        const int32_t bits = ((control[0] | control[1]) | control[2]) | control[11];
        if (bits) {
            reformer_launch(call, lm_head, 8, NULL);
        }
        if (control[2]) {
            reformer_launch(call, lm_loss, 1, NULL);
        }
    } else {
        reformer_launch(call, last_token, 1, NULL);
        if (control[1]) {
            reformer_launch(call, last_lm_head, 9, NULL);
            reformer_launch(call, last_logits_out, 1, NULL);
        }
        if (control[0]) {
            reformer_launch(call, last_last_hidden_state_out, 1, NULL);
        }
    }
}

static const int32_t layer_form_step[4] = {
    0, 1, 0, 1,
};

static const int32_t layer_index_step[4] = {
    0, 0, 1, 1,
};

static inline float exp_f32_step(float x) {
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

static inline float log_f32_step(float x) {
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

static inline f32x8 exp_f32x8_step(f32x8 x) {
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

static inline f32x8 relu_f32x8_step(f32x8 x) {
    return max8(splat8(0.0f), x);
}

/* crime-and-punishment-bytes.yaml:16: word and position embeddings into both streams
 * tasks [batch 1][block 1] */
REFORMER_KERNEL static void embed_step(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    (void)arg;
    (void)task;
    const int32_t *restrict ids = call->slot[REFORMER_SLOT_IDS]; /* [1][1] */
    const int32_t *restrict position = call->slot[REFORMER_SLOT_POSITION]; /* [1][1] */
    /* [258][192] */
    const float *w_embeddings_word_embeddings_weight = (const void *)(call->weights + 4096);
    /* [16][64] */
    const float *w_embeddings_position_embeddings_weights_0 =
        (const void *)(call->weights + 202240);
    /* [1][1][192]: [batch][rows][width]: a stream */
    float *restrict y1 = (void *)(call->workspace + 3072);
    /* [1][1][192]: [batch][rows][width]: a stream */
    float *restrict y2 = (void *)(call->workspace + 3840);
    /* [32][128] */
    const float *w_embeddings_position_embeddings_weights_1 =
        (const void *)(call->weights + 206336);
    const int64_t id = ids[0];
    const int64_t position_1 = (int64_t)position[0];
    const int64_t axis = position_1 / 32;
    for (int64_t v = 0; v < 8; v++) {
        const f32x8 sum = load8(w_embeddings_word_embeddings_weight + id * 192 + v * 8) +
            load8(w_embeddings_position_embeddings_weights_0 + axis * 64 + v * 8);
        store8(y1 + v * 8, sum);
        store8(y2 + v * 8, sum);
    }
    const int64_t axis_1 = position_1 % 32;
    for (int64_t v = 0; v < 16; v++) {
        const f32x8 sum = load8(w_embeddings_word_embeddings_weight + id * 192 + v * 8 + 64) +
            load8(w_embeddings_position_embeddings_weights_1 + axis_1 * 128 + v * 8);
        store8(y1 + v * 8 + 64, sum);
        store8(y2 + v * 8 + 64, sum);
    }
}

/* crime-and-punishment-bytes.yaml:5: 1 rows of query, key, value
 * tasks [columns 6] */
REFORMER_KERNEL static void local_project_step(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t columns = task;
    const int64_t layer = arg[0];
    const int64_t index = arg[1];
    /* [1][1][192]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const void *)(call->workspace + 3840);
    /* [4][192] */
    const float *w_attention_layer_norm_weight = (const void *)(call->weights + 222720);
    /* [4][192] */
    const float *w_attention_layer_norm_bias = (const void *)(call->weights + 225792);
    float *restrict attention_norm = (void *)scratch; /* [1][208] */
    /* [2][6][192][32] */
    const float *w_attention_self_attention_query_weight = (const void *)(call->weights + 228864);
    float *restrict q = (void *)call->workspace; /* [1][192]: [row][head] */
    /* [2][6][192][32] */
    const float *w_attention_self_attention_key_weight = (const void *)(call->weights + 523776);
    float *restrict k = (void *)(call->workspace + 1536); /* [1][192]: [row][head] */
    /* [4][6][192][32] */
    const float *w_attention_self_attention_value_weight = (const void *)(call->weights + 818688);
    float *restrict v = (void *)(call->workspace + 768); /* [1][192]: [row][head] */
    /* layer norm of 1 rows of 192 */
    f32x8 sum = {0};
    for (int64_t v_1 = 0; v_1 < 24; v_1++) {
        sum = sum + load8(y2 + v_1 * 8);
    }
    const f32x8 mix = shuffle_swap4_f32x8(sum);
    const f32x8 sum_1 = sum + mix;
    const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
    const f32x8 sum_2 = sum_1 + mix_1;
    const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
    const f32x8 sum_3 = sum_2 + mix_2;
    const float mean = div_f32(sum_3[0], 192.0f);
    f32x8 sum_4 = {0};
    for (int64_t v_1 = 0; v_1 < 24; v_1++) {
        const f32x8 diff = load8(y2 + v_1 * 8) - splat8(mean);
        sum_4 = fma8(diff, diff, sum_4);
    }
    const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
    const f32x8 sum_5 = sum_4 + mix_3;
    const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
    const f32x8 sum_6 = sum_5 + mix_4;
    const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
    const f32x8 sum_7 = sum_6 + mix_5;
    const float var = div_f32(sum_7[0], 192.0f);
    const float root = sqrt_f32(var + 1e-12f);
    const float scale = div_f32(1.0f, root);
    for (int64_t v_1 = 0; v_1 < 24; v_1++) {
        const f32x8 prod = (load8(y2 + v_1 * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_attention_layer_norm_weight + layer * 192 + v_1 * 8),
            load8(w_attention_layer_norm_bias + layer * 192 + v_1 * 8));
        store8(attention_norm + v_1 * 8, t);
    }
    const int64_t next = min_i64(columns + 1, 5);
    f32x8 acc0_0 = {0}, acc0_1 = {0}, acc0_2 = {0}, acc0_3 = {0};
    for (int64_t step = 0; step < 192; step++) {
        prefetch(w_attention_self_attention_query_weight + ((index * 6 + next) * 192 + step) * 32);
        prefetch(w_attention_self_attention_query_weight + ((index * 6 + next) * 192 + step) * 32 +
            16);
        const f32x8 s = splat8(attention_norm[step]);
        const float *query_weight_step = w_attention_self_attention_query_weight +
            ((index * 6 + columns) * 192 + step) * 32;
        acc0_0 = fma8(s, load8(query_weight_step), acc0_0);
        acc0_1 = fma8(s, load8(query_weight_step + 8), acc0_1);
        acc0_2 = fma8(s, load8(query_weight_step + 16), acc0_2);
        acc0_3 = fma8(s, load8(query_weight_step + 24), acc0_3);
    }
    float *q_columns = q + columns * 32;
    store8(q_columns, acc0_0);
    store8(q_columns + 8, acc0_1);
    store8(q_columns + 16, acc0_2);
    store8(q_columns + 24, acc0_3);
    f32x8 acc0_0_1 = {0}, acc0_1_1 = {0}, acc0_2_1 = {0}, acc0_3_1 = {0};
    for (int64_t step = 0; step < 192; step++) {
        prefetch(w_attention_self_attention_key_weight + ((index * 6 + next) * 192 + step) * 32);
        prefetch(w_attention_self_attention_key_weight + ((index * 6 + next) * 192 + step) * 32 +
            16);
        const f32x8 s = splat8(attention_norm[step]);
        const float *key_weight_step = w_attention_self_attention_key_weight +
            ((index * 6 + columns) * 192 + step) * 32;
        acc0_0_1 = fma8(s, load8(key_weight_step), acc0_0_1);
        acc0_1_1 = fma8(s, load8(key_weight_step + 8), acc0_1_1);
        acc0_2_1 = fma8(s, load8(key_weight_step + 16), acc0_2_1);
        acc0_3_1 = fma8(s, load8(key_weight_step + 24), acc0_3_1);
    }
    float *k_columns = k + columns * 32;
    store8(k_columns, acc0_0_1);
    store8(k_columns + 8, acc0_1_1);
    store8(k_columns + 16, acc0_2_1);
    store8(k_columns + 24, acc0_3_1);
    f32x8 acc0_0_2 = {0}, acc0_1_2 = {0}, acc0_2_2 = {0}, acc0_3_2 = {0};
    for (int64_t step = 0; step < 192; step++) {
        prefetch(w_attention_self_attention_value_weight + ((layer * 6 + next) * 192 + step) * 32);
        prefetch(w_attention_self_attention_value_weight + ((layer * 6 + next) * 192 + step) * 32 +
            16);
        const f32x8 s = splat8(attention_norm[step]);
        const float *value_weight_step = w_attention_self_attention_value_weight +
            ((layer * 6 + columns) * 192 + step) * 32;
        acc0_0_2 = fma8(s, load8(value_weight_step), acc0_0_2);
        acc0_1_2 = fma8(s, load8(value_weight_step + 8), acc0_1_2);
        acc0_2_2 = fma8(s, load8(value_weight_step + 16), acc0_2_2);
        acc0_3_2 = fma8(s, load8(value_weight_step + 24), acc0_3_2);
    }
    float *v_columns = v + columns * 32;
    store8(v_columns, acc0_0_2);
    store8(v_columns + 8, acc0_1_2);
    store8(v_columns + 16, acc0_2_2);
    store8(v_columns + 24, acc0_3_2);
}

/* crime-and-punishment-bytes.yaml:5: 1 rows of attention, y1
 * tasks [columns 6] */
REFORMER_KERNEL static void local_output_step(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    const int64_t columns = task;
    const int64_t layer = arg[0];
    /* [4][6][192][32] */
    const float *w_attention_output_dense_weight = (const void *)(call->weights + 1408512);
    /* [1][192]: [row][head]: output of attention */
    const float *restrict mix = (const void *)(call->workspace + 4608);
    /* [1][1][192]: [batch][rows][width]: a stream */
    float *restrict y1 = (void *)(call->workspace + 3072);
    const int64_t next = min_i64(columns + 1, 5);
    f32x8 acc0_0 = {0}, acc0_1 = {0}, acc0_2 = {0}, acc0_3 = {0};
    for (int64_t step = 0; step < 192; step++) {
        prefetch(w_attention_output_dense_weight + ((layer * 6 + next) * 192 + step) * 32);
        prefetch(w_attention_output_dense_weight + ((layer * 6 + next) * 192 + step) * 32 + 16);
        const f32x8 s = splat8(mix[step]);
        const float *dense_weight_step = w_attention_output_dense_weight +
            ((layer * 6 + columns) * 192 + step) * 32;
        acc0_0 = fma8(s, load8(dense_weight_step), acc0_0);
        acc0_1 = fma8(s, load8(dense_weight_step + 8), acc0_1);
        acc0_2 = fma8(s, load8(dense_weight_step + 16), acc0_2);
        acc0_3 = fma8(s, load8(dense_weight_step + 24), acc0_3);
    }
    float *y1_columns = y1 + columns * 32;
    store8(y1_columns, load8(y1_columns) + acc0_0);
    store8(y1_columns + 8, load8(y1_columns + 8) + acc0_1);
    store8(y1_columns + 16, load8(y1_columns + 16) + acc0_2);
    store8(y1_columns + 24, load8(y1_columns + 24) + acc0_3);
}

/* crime-and-punishment-bytes.yaml:9: 1 rows of feed_forward_in, feed_forward_act
 * tasks [columns 24] */
REFORMER_KERNEL static void feed_forward_in_step(const reformer_call_t *call,
        unsigned char *scratch, const int64_t *arg, int64_t task) {
    const int64_t columns = task;
    const int64_t layer = arg[0];
    /* [1][1][192]: [batch][rows][width]: a stream */
    const float *restrict y1 = (const void *)(call->workspace + 3072);
    /* [4][192] */
    const float *w_feed_forward_layer_norm_weight = (const void *)(call->weights + 1998336);
    /* [4][192] */
    const float *w_feed_forward_layer_norm_bias = (const void *)(call->weights + 2001408);
    float *restrict feed_forward_norm = (void *)scratch; /* [1][208] */
    /* [4][24][192][32] */
    const float *w_feed_forward_dense_dense_weight = (const void *)(call->weights + 2004480);
    /* [4][768] */
    const float *w_feed_forward_dense_dense_bias = (const void *)(call->weights + 4363776);
    /* [1][768]: [row][column]: for the next stage */
    float *restrict feed_forward_act_rows = (void *)call->workspace;
    /* layer norm of 1 rows of 192 */
    f32x8 sum = {0};
    for (int64_t v = 0; v < 24; v++) {
        sum = sum + load8(y1 + v * 8);
    }
    const f32x8 mix = shuffle_swap4_f32x8(sum);
    const f32x8 sum_1 = sum + mix;
    const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
    const f32x8 sum_2 = sum_1 + mix_1;
    const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
    const f32x8 sum_3 = sum_2 + mix_2;
    const float mean = div_f32(sum_3[0], 192.0f);
    f32x8 sum_4 = {0};
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 diff = load8(y1 + v * 8) - splat8(mean);
        sum_4 = fma8(diff, diff, sum_4);
    }
    const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
    const f32x8 sum_5 = sum_4 + mix_3;
    const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
    const f32x8 sum_6 = sum_5 + mix_4;
    const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
    const f32x8 sum_7 = sum_6 + mix_5;
    const float var = div_f32(sum_7[0], 192.0f);
    const float root = sqrt_f32(var + 1e-12f);
    const float scale = div_f32(1.0f, root);
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 prod = (load8(y1 + v * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_feed_forward_layer_norm_weight + layer * 192 + v * 8),
            load8(w_feed_forward_layer_norm_bias + layer * 192 + v * 8));
        store8(feed_forward_norm + v * 8, t);
    }
    const int64_t next = min_i64(columns + 1, 23);
    f32x8 acc0_0 = {0}, acc0_1 = {0}, acc0_2 = {0}, acc0_3 = {0};
    for (int64_t step = 0; step < 192; step++) {
        prefetch(w_feed_forward_dense_dense_weight + ((layer * 24 + next) * 192 + step) * 32);
        prefetch(w_feed_forward_dense_dense_weight + ((layer * 24 + next) * 192 + step) * 32 + 16);
        const f32x8 s = splat8(feed_forward_norm[step]);
        const float *dense_weight_step = w_feed_forward_dense_dense_weight +
            ((layer * 24 + columns) * 192 + step) * 32;
        acc0_0 = fma8(s, load8(dense_weight_step), acc0_0);
        acc0_1 = fma8(s, load8(dense_weight_step + 8), acc0_1);
        acc0_2 = fma8(s, load8(dense_weight_step + 16), acc0_2);
        acc0_3 = fma8(s, load8(dense_weight_step + 24), acc0_3);
    }
    const float *dense_dense_bias_columns = w_feed_forward_dense_dense_bias + layer * 768 + columns
        * 32;
    const f32x8 y = relu_f32x8_step(acc0_0 + load8(dense_dense_bias_columns));
    float *forward_act_rows_columns = feed_forward_act_rows + columns * 32;
    store8(forward_act_rows_columns, y);
    const f32x8 sum_8 = acc0_1 + load8(dense_dense_bias_columns + 8);
    const f32x8 y_1 = relu_f32x8_step(sum_8);
    store8(forward_act_rows_columns + 8, y_1);
    const f32x8 sum_9 = acc0_2 + load8(dense_dense_bias_columns + 16);
    const f32x8 y_2 = relu_f32x8_step(sum_9);
    store8(forward_act_rows_columns + 16, y_2);
    const f32x8 sum_10 = acc0_3 + load8(dense_dense_bias_columns + 24);
    const f32x8 y_3 = relu_f32x8_step(sum_10);
    store8(forward_act_rows_columns + 24, y_3);
}

/* crime-and-punishment-bytes.yaml:9: 1 rows of feed_forward, y2
 * tasks [columns 6] */
REFORMER_KERNEL static void feed_forward_out_step(const reformer_call_t *call,
        unsigned char *scratch, const int64_t *arg, int64_t task) {
    (void)scratch;
    const int64_t columns = task;
    const int64_t layer = arg[0];
    /* [4][6][768][32] */
    const float *w_feed_forward_output_dense_weight = (const void *)(call->weights + 4376064);
    /* [1][768]: [row][column]: for the next stage */
    const float *restrict feed_forward_act_rows = (const void *)call->workspace;
    /* [1][1][192]: [batch][rows][width]: a stream */
    float *restrict y2 = (void *)(call->workspace + 3840);
    /* [4][192] */
    const float *w_feed_forward_output_dense_bias = (const void *)(call->weights + 6735360);
    const int64_t next = min_i64(columns + 1, 5);
    f32x8 acc0_0 = {0}, acc0_1 = {0}, acc0_2 = {0}, acc0_3 = {0};
    for (int64_t step = 0; step < 768; step++) {
        prefetch(w_feed_forward_output_dense_weight + ((layer * 6 + next) * 768 + step) * 32);
        prefetch(w_feed_forward_output_dense_weight + ((layer * 6 + next) * 768 + step) * 32 + 16);
        const f32x8 s = splat8(feed_forward_act_rows[step]);
        const float *dense_weight_step = w_feed_forward_output_dense_weight +
            ((layer * 6 + columns) * 768 + step) * 32;
        acc0_0 = fma8(s, load8(dense_weight_step), acc0_0);
        acc0_1 = fma8(s, load8(dense_weight_step + 8), acc0_1);
        acc0_2 = fma8(s, load8(dense_weight_step + 16), acc0_2);
        acc0_3 = fma8(s, load8(dense_weight_step + 24), acc0_3);
    }
    float *y2_columns = y2 + columns * 32;
    const float *dense_bias_columns = w_feed_forward_output_dense_bias + layer * 192 + columns * 32;
    store8(y2_columns, load8(y2_columns) + (acc0_0 + load8(dense_bias_columns)));
    store8(y2_columns + 8, load8(y2_columns + 8) + (acc0_1 + load8(dense_bias_columns + 8)));
    store8(y2_columns + 16, load8(y2_columns + 16) + (acc0_2 + load8(dense_bias_columns + 16)));
    store8(y2_columns + 24, load8(y2_columns + 24) + (acc0_3 + load8(dense_bias_columns + 24)));
}

/* crime-and-punishment-bytes.yaml:5: 1 rows of query_key, value
 * tasks [columns 6] */
REFORMER_KERNEL static void lsh_project_step(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t columns = task;
    const int64_t layer = arg[0];
    const int64_t index = arg[1];
    /* [1][1][192]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const void *)(call->workspace + 3840);
    /* [4][192] */
    const float *w_attention_layer_norm_weight = (const void *)(call->weights + 222720);
    /* [4][192] */
    const float *w_attention_layer_norm_bias = (const void *)(call->weights + 225792);
    float *restrict attention_norm = (void *)scratch; /* [1][208] */
    /* [2][6][192][32] */
    const float *w_attention_self_attention_query_key_weight =
        (const void *)(call->weights + 6738432);
    float *restrict q = (void *)call->workspace; /* [1][192]: [row][head] */
    /* [4][6][192][32] */
    const float *w_attention_self_attention_value_weight = (const void *)(call->weights + 818688);
    float *restrict v = (void *)(call->workspace + 768); /* [1][192]: [row][head] */
    /* layer norm of 1 rows of 192 */
    f32x8 sum = {0};
    for (int64_t v_1 = 0; v_1 < 24; v_1++) {
        sum = sum + load8(y2 + v_1 * 8);
    }
    const f32x8 mix = shuffle_swap4_f32x8(sum);
    const f32x8 sum_1 = sum + mix;
    const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
    const f32x8 sum_2 = sum_1 + mix_1;
    const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
    const f32x8 sum_3 = sum_2 + mix_2;
    const float mean = div_f32(sum_3[0], 192.0f);
    f32x8 sum_4 = {0};
    for (int64_t v_1 = 0; v_1 < 24; v_1++) {
        const f32x8 diff = load8(y2 + v_1 * 8) - splat8(mean);
        sum_4 = fma8(diff, diff, sum_4);
    }
    const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
    const f32x8 sum_5 = sum_4 + mix_3;
    const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
    const f32x8 sum_6 = sum_5 + mix_4;
    const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
    const f32x8 sum_7 = sum_6 + mix_5;
    const float var = div_f32(sum_7[0], 192.0f);
    const float root = sqrt_f32(var + 1e-12f);
    const float scale = div_f32(1.0f, root);
    for (int64_t v_1 = 0; v_1 < 24; v_1++) {
        const f32x8 prod = (load8(y2 + v_1 * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_attention_layer_norm_weight + layer * 192 + v_1 * 8),
            load8(w_attention_layer_norm_bias + layer * 192 + v_1 * 8));
        store8(attention_norm + v_1 * 8, t);
    }
    const int64_t next = min_i64(columns + 1, 5);
    f32x8 acc0_0 = {0}, acc0_1 = {0}, acc0_2 = {0}, acc0_3 = {0};
    for (int64_t step = 0; step < 192; step++) {
        prefetch(w_attention_self_attention_query_key_weight + ((index * 6 + next) * 192 + step) *
            32);
        prefetch(w_attention_self_attention_query_key_weight + ((index * 6 + next) * 192 + step) *
            32 + 16);
        const f32x8 s = splat8(attention_norm[step]);
        const float *query_key_weight_step = w_attention_self_attention_query_key_weight +
            ((index * 6 + columns) * 192 + step) * 32;
        acc0_0 = fma8(s, load8(query_key_weight_step), acc0_0);
        acc0_1 = fma8(s, load8(query_key_weight_step + 8), acc0_1);
        acc0_2 = fma8(s, load8(query_key_weight_step + 16), acc0_2);
        acc0_3 = fma8(s, load8(query_key_weight_step + 24), acc0_3);
    }
    float *q_columns = q + columns * 32;
    store8(q_columns, acc0_0);
    store8(q_columns + 8, acc0_1);
    store8(q_columns + 16, acc0_2);
    store8(q_columns + 24, acc0_3);
    f32x8 acc0_0_1 = {0}, acc0_1_1 = {0}, acc0_2_1 = {0}, acc0_3_1 = {0};
    for (int64_t step = 0; step < 192; step++) {
        prefetch(w_attention_self_attention_value_weight + ((layer * 6 + next) * 192 + step) * 32);
        prefetch(w_attention_self_attention_value_weight + ((layer * 6 + next) * 192 + step) * 32 +
            16);
        const f32x8 s = splat8(attention_norm[step]);
        const float *value_weight_step = w_attention_self_attention_value_weight +
            ((layer * 6 + columns) * 192 + step) * 32;
        acc0_0_1 = fma8(s, load8(value_weight_step), acc0_0_1);
        acc0_1_1 = fma8(s, load8(value_weight_step + 8), acc0_1_1);
        acc0_2_1 = fma8(s, load8(value_weight_step + 16), acc0_2_1);
        acc0_3_1 = fma8(s, load8(value_weight_step + 24), acc0_3_1);
    }
    float *v_columns = v + columns * 32;
    store8(v_columns, acc0_0_1);
    store8(v_columns + 8, acc0_1_1);
    store8(v_columns + 16, acc0_2_1);
    store8(v_columns + 24, acc0_3_1);
}

/* crime-and-punishment-bytes.yaml:5: 1 rows of attention, y1
 * tasks [columns 6] */
REFORMER_KERNEL static void lsh_output_step(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    const int64_t columns = task;
    const int64_t layer = arg[0];
    /* [4][6][192][32] */
    const float *w_attention_output_dense_weight = (const void *)(call->weights + 1408512);
    /* [1][192]: [row][head]: output of attention */
    const float *restrict mix = (const void *)(call->workspace + 4608);
    /* [1][1][192]: [batch][rows][width]: a stream */
    float *restrict y1 = (void *)(call->workspace + 3072);
    const int64_t next = min_i64(columns + 1, 5);
    f32x8 acc0_0 = {0}, acc0_1 = {0}, acc0_2 = {0}, acc0_3 = {0};
    for (int64_t step = 0; step < 192; step++) {
        prefetch(w_attention_output_dense_weight + ((layer * 6 + next) * 192 + step) * 32);
        prefetch(w_attention_output_dense_weight + ((layer * 6 + next) * 192 + step) * 32 + 16);
        const f32x8 s = splat8(mix[step]);
        const float *dense_weight_step = w_attention_output_dense_weight +
            ((layer * 6 + columns) * 192 + step) * 32;
        acc0_0 = fma8(s, load8(dense_weight_step), acc0_0);
        acc0_1 = fma8(s, load8(dense_weight_step + 8), acc0_1);
        acc0_2 = fma8(s, load8(dense_weight_step + 16), acc0_2);
        acc0_3 = fma8(s, load8(dense_weight_step + 24), acc0_3);
    }
    float *y1_columns = y1 + columns * 32;
    store8(y1_columns, load8(y1_columns) + acc0_0);
    store8(y1_columns + 8, load8(y1_columns + 8) + acc0_1);
    store8(y1_columns + 16, load8(y1_columns + 16) + acc0_2);
    store8(y1_columns + 24, load8(y1_columns + 24) + acc0_3);
}

/* crime-and-punishment-bytes.yaml:11: 1 rows of logits
 * tasks [columns 9] */
REFORMER_KERNEL static void lm_head_step(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)arg;
    const int64_t columns = task;
    /* [1][1][192]: [batch][rows][width]: a stream */
    const float *restrict y1 = (const void *)(call->workspace + 3072);
    /* [1][1][192]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const void *)(call->workspace + 3840);
    /* [1][384] */
    const float *w_encoder_layer_norm_weight = (const void *)(call->weights + 7057920);
    const float *w_encoder_layer_norm_bias = (const void *)(call->weights + 7059456); /* [1][384] */
    float *restrict hidden = (void *)scratch; /* [1][400] */
    /* [1][9][384][32] */
    const float *w_lm_head_decoder_weight = (const void *)(call->weights + 7060992);
    const float *w_lm_head_bias = (const void *)(call->weights + 7503360); /* [1][288] */
    /* [1][288]: [row][column]: for the next stage */
    float *restrict logits_rows = (void *)call->workspace;
    /* layer norm of 1 rows of 384 */
    f32x8 sum = {0};
    for (int64_t v = 0; v < 24; v++) {
        sum = sum + load8(y1 + v * 8);
    }
    const f32x8 mix = shuffle_swap4_f32x8(sum);
    const f32x8 sum_1 = sum + mix;
    const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
    const f32x8 sum_2 = sum_1 + mix_1;
    const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
    const f32x8 sum_3 = sum_2 + mix_2;
    const float lane = sum_3[0];
    f32x8 sum_4 = {0};
    for (int64_t v = 0; v < 24; v++) {
        sum_4 = sum_4 + load8(y2 + v * 8);
    }
    const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
    const f32x8 sum_5 = sum_4 + mix_3;
    const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
    const f32x8 sum_6 = sum_5 + mix_4;
    const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
    const f32x8 sum_7 = sum_6 + mix_5;
    const float mean = div_f32(lane + sum_7[0], 384.0f);
    f32x8 sum_8 = {0};
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 diff = load8(y1 + v * 8) - splat8(mean);
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
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 diff = load8(y2 + v * 8) - splat8(mean);
        sum_12 = fma8(diff, diff, sum_12);
    }
    const f32x8 mix_9 = shuffle_swap4_f32x8(sum_12);
    const f32x8 sum_13 = sum_12 + mix_9;
    const f32x8 mix_10 = shuffle_swap2_f32x8(sum_13);
    const f32x8 sum_14 = sum_13 + mix_10;
    const f32x8 mix_11 = shuffle_swap1_f32x8(sum_14);
    const f32x8 sum_15 = sum_14 + mix_11;
    const float var = div_f32(lane_1 + sum_15[0], 384.0f);
    const float root = sqrt_f32(var + 1e-12f);
    const float scale = div_f32(1.0f, root);
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 prod = (load8(y1 + v * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8),
            load8(w_encoder_layer_norm_bias + v * 8));
        store8(hidden + v * 8, t);
    }
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 prod = (load8(y2 + v * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8 + 192),
            load8(w_encoder_layer_norm_bias + v * 8 + 192));
        store8(hidden + v * 8 + 192, t);
    }
    const int64_t next = min_i64(columns + 1, 8);
    f32x8 acc0_0 = {0}, acc0_1 = {0}, acc0_2 = {0}, acc0_3 = {0};
    for (int64_t step = 0; step < 384; step++) {
        prefetch(w_lm_head_decoder_weight + (next * 384 + step) * 32);
        prefetch(w_lm_head_decoder_weight + (next * 384 + step) * 32 + 16);
        const f32x8 s = splat8(hidden[step]);
        const float *decoder_weight_step = w_lm_head_decoder_weight + (columns * 384 + step) * 32;
        acc0_0 = fma8(s, load8(decoder_weight_step), acc0_0);
        acc0_1 = fma8(s, load8(decoder_weight_step + 8), acc0_1);
        acc0_2 = fma8(s, load8(decoder_weight_step + 16), acc0_2);
        acc0_3 = fma8(s, load8(decoder_weight_step + 24), acc0_3);
    }
    const float *w_lm_head_bias_columns = w_lm_head_bias + columns * 32;
    float *logits_rows_columns = logits_rows + columns * 32;
    store8(logits_rows_columns, acc0_0 + load8(w_lm_head_bias_columns));
    store8(logits_rows_columns + 8, acc0_1 + load8(w_lm_head_bias_columns + 8));
    store8(logits_rows_columns + 16, acc0_2 + load8(w_lm_head_bias_columns + 16));
    store8(logits_rows_columns + 24, acc0_3 + load8(w_lm_head_bias_columns + 24));
}

/* crime-and-punishment-bytes.yaml:11: logits to the caller's rows
 * tasks [once 1] */
REFORMER_KERNEL static void logits_out_step(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    (void)scratch;
    (void)arg;
    (void)task;
    const int32_t *restrict row = call->slot[REFORMER_SLOT_ROW]; /* [1][1] */
    /* [1][288]: [row][column]: for the next stage */
    const float *restrict logits_rows = (const void *)call->workspace;
    float *restrict logits = call->slot[REFORMER_SLOT_LOGITS]; /* [1][258] */
    if (row[0] >= 0) {
        for (int64_t v = 0; v < 32; v++) {
            store8(logits + v * 8, load8(logits_rows + v * 8));
        }
        for (int64_t e = 0; e < 2; e++) {
            logits[e + 256] = logits_rows[e + 256];
        }
    }
}

/* crime-and-punishment-bytes.yaml: last_hidden_state to the caller's rows
 * tasks [once 1] */
REFORMER_KERNEL static void last_hidden_state_out_step(const reformer_call_t *call,
        unsigned char *scratch, const int64_t *arg, int64_t task) {
    (void)arg;
    (void)task;
    /* [1][1][192]: [batch][rows][width]: a stream */
    const float *restrict y1 = (const void *)(call->workspace + 3072);
    /* [1][1][192]: [batch][rows][width]: a stream */
    const float *restrict y2 = (const void *)(call->workspace + 3840);
    /* [1][384] */
    const float *w_encoder_layer_norm_weight = (const void *)(call->weights + 7057920);
    const float *w_encoder_layer_norm_bias = (const void *)(call->weights + 7059456); /* [1][384] */
    float *restrict hidden = (void *)scratch; /* [1][400] */
    const int32_t *restrict row = call->slot[REFORMER_SLOT_ROW]; /* [1][1] */
    float *restrict last_hidden_state = call->slot[REFORMER_SLOT_HIDDEN]; /* [1][384] */
    /* layer norm of 1 rows of 384 */
    f32x8 sum = {0};
    for (int64_t v = 0; v < 24; v++) {
        sum = sum + load8(y1 + v * 8);
    }
    const f32x8 mix = shuffle_swap4_f32x8(sum);
    const f32x8 sum_1 = sum + mix;
    const f32x8 mix_1 = shuffle_swap2_f32x8(sum_1);
    const f32x8 sum_2 = sum_1 + mix_1;
    const f32x8 mix_2 = shuffle_swap1_f32x8(sum_2);
    const f32x8 sum_3 = sum_2 + mix_2;
    const float lane = sum_3[0];
    f32x8 sum_4 = {0};
    for (int64_t v = 0; v < 24; v++) {
        sum_4 = sum_4 + load8(y2 + v * 8);
    }
    const f32x8 mix_3 = shuffle_swap4_f32x8(sum_4);
    const f32x8 sum_5 = sum_4 + mix_3;
    const f32x8 mix_4 = shuffle_swap2_f32x8(sum_5);
    const f32x8 sum_6 = sum_5 + mix_4;
    const f32x8 mix_5 = shuffle_swap1_f32x8(sum_6);
    const f32x8 sum_7 = sum_6 + mix_5;
    const float mean = div_f32(lane + sum_7[0], 384.0f);
    f32x8 sum_8 = {0};
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 diff = load8(y1 + v * 8) - splat8(mean);
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
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 diff = load8(y2 + v * 8) - splat8(mean);
        sum_12 = fma8(diff, diff, sum_12);
    }
    const f32x8 mix_9 = shuffle_swap4_f32x8(sum_12);
    const f32x8 sum_13 = sum_12 + mix_9;
    const f32x8 mix_10 = shuffle_swap2_f32x8(sum_13);
    const f32x8 sum_14 = sum_13 + mix_10;
    const f32x8 mix_11 = shuffle_swap1_f32x8(sum_14);
    const f32x8 sum_15 = sum_14 + mix_11;
    const float var = div_f32(lane_1 + sum_15[0], 384.0f);
    const float root = sqrt_f32(var + 1e-12f);
    const float scale = div_f32(1.0f, root);
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 prod = (load8(y1 + v * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8),
            load8(w_encoder_layer_norm_bias + v * 8));
        store8(hidden + v * 8, t);
    }
    for (int64_t v = 0; v < 24; v++) {
        const f32x8 prod = (load8(y2 + v * 8) - splat8(mean)) * splat8(scale);
        const f32x8 t = fma8(prod, load8(w_encoder_layer_norm_weight + v * 8 + 192),
            load8(w_encoder_layer_norm_bias + v * 8 + 192));
        store8(hidden + v * 8 + 192, t);
    }
    if (row[0] >= 0) {
        for (int64_t v = 0; v < 48; v++) {
            store8(last_hidden_state + v * 8, load8(hidden + v * 8));
        }
    }
}

/* crime-and-punishment-bytes.yaml:22: local attention of one token: its chunk of 32 and 1 before
 * tasks [row 1][head 6] */
REFORMER_KERNEL static void local_step_step(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t head = task % 6;
    const int64_t index = arg[0];
    const int32_t *restrict row_1 = call->slot[REFORMER_SLOT_ROW]; /* [1][1] */
    const float *restrict k = (const void *)(call->workspace + 1536); /* [1][192]: [row][head] */
    const int32_t *restrict position = call->slot[REFORMER_SLOT_POSITION]; /* [1][1] */
    const float *restrict q = (const void *)call->workspace; /* [1][192]: [row][head] */
    /* [1][2][6][64][2][32]: [row][layer][head][position mod window][key, value] */
    float *restrict rings = call->slot[REFORMER_SLOT_CACHE + 0];
    const float *restrict v = (const void *)(call->workspace + 768); /* [1][192]: [row][head] */
    float *restrict scores = (void *)(scratch + 128); /* [64] */
    float *restrict mixed = (void *)scratch; /* [32] */
    /* [1][192]: [row][head]: output of attention */
    float *restrict mix = (void *)(call->workspace + 4608);
    const float *k_head = k + head * 32;
    const float *q_head = q + head * 32;
    float *rings_head = rings + (index * 6 + head) * 64 * 2 * 32;
    const float *v_head = v + head * 32;
    if (row_1[0] >= 0) {
        const int64_t position_1 = (int64_t)position[0];
        const int64_t rem = position_1 % 64;
        const f32x8 v_1 = load8(q_head);
        const f32x8 v_2 = load8(q_head + 8);
        const f32x8 v_3 = load8(q_head + 16);
        const f32x8 v_4 = load8(q_head + 24);
        float *rings_rem = rings_head + rem * 64;
        store8(rings_rem, mul8(load8(k_head), splat8(0.17677669f)));
        store8(rings_rem + 32, load8(v_head));
        store8(rings_rem + 8, mul8(load8(k_head + 8), splat8(0.17677669f)));
        store8(rings_rem + 40, load8(v_head + 8));
        store8(rings_rem + 16, mul8(load8(k_head + 16), splat8(0.17677669f)));
        store8(rings_rem + 48, load8(v_head + 16));
        store8(rings_rem + 24, mul8(load8(k_head + 24), splat8(0.17677669f)));
        store8(rings_rem + 56, load8(v_head + 24));
        for (int64_t j = 0; j < 64; j++) {
            const int64_t at = position_1 / 32 * 32 + j - 32;
            const int32_t more = -(at >= 0);
            float chosen;
            if ((more & more) & -(at <= position_1)) {
                const int64_t clamped = max_i64(at, 0);
                const int64_t rem_1 = clamped % 64;
                const f32x8 t = fma8(v_2, load8(rings_head + rem_1 * 64 + 8),
                    v_1 * load8(rings_head + rem_1 * 64));
                const f32x8 t_1 = fma8(v_3, load8(rings_head + rem_1 * 64 + 16), t);
                const f32x8 t_2 = fma8(v_4, load8(rings_head + rem_1 * 64 + 24), t_1);
                const f32x8 mix_1 = shuffle_swap4_f32x8(t_2);
                const f32x8 sum = t_2 + mix_1;
                const f32x8 mix_2 = shuffle_swap2_f32x8(sum);
                const f32x8 sum_1 = sum + mix_2;
                const f32x8 mix_3 = shuffle_swap1_f32x8(sum_1);
                const f32x8 sum_2 = sum_1 + mix_3;
                chosen = sum_2[0];
            } else {
                chosen = -__builtin_inff();
            }
            scores[j] = chosen;
        }
        f32x8 most = splat8(-3.4028235e+38f);
        for (int64_t v_5 = 0; v_5 < 8; v_5++) {
            most = max8(load8(scores + v_5 * 8), most);
        }
        const f32x8 mix_1 = shuffle_swap4_f32x8(most);
        const f32x8 larger = max8(most, mix_1);
        const f32x8 mix_2 = shuffle_swap2_f32x8(larger);
        const f32x8 larger_1 = max8(larger, mix_2);
        const f32x8 mix_3 = shuffle_swap1_f32x8(larger_1);
        const f32x8 larger_2 = max8(larger_1, mix_3);
        const float most_1 = larger_2[0];
        const f32x8 s = splat8(most_1);
        f32x8 sum = {0};
        for (int64_t v_5 = 0; v_5 < 8; v_5++) {
            const f32x8 y = exp_f32x8_step(load8(scores + v_5 * 8) - s);
            sum = sum + y;
        }
        const f32x8 mix_4 = shuffle_swap4_f32x8(sum);
        const f32x8 sum_1 = sum + mix_4;
        const f32x8 mix_5 = shuffle_swap2_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_5;
        const f32x8 mix_6 = shuffle_swap1_f32x8(sum_2);
        const f32x8 sum_3 = sum_2 + mix_6;
        const float y = log_f32_step(sum_3[0]);
        const float lse = y + most_1;
        const f32x8 s_1 = splat8(lse);
        for (int64_t v_5 = 0; v_5 < 8; v_5++) {
            const f32x8 y_1 = exp_f32x8_step(load8(scores + v_5 * 8) - s_1);
            store8(scores + v_5 * 8, y_1);
        }
        f32x8 acc = {0}, acc_1 = {0}, acc_2 = {0}, acc_3 = {0};
        for (int64_t j = 0; j < 64; j++) {
            const int64_t at = position_1 / 32 * 32 + j - 32;
            const int32_t more = -(at >= 0);
            f32x8 chosen;
            f32x8 chosen_1;
            f32x8 chosen_2;
            f32x8 chosen_3;
            if ((more & more) & -(at <= position_1)) {
                const f32x8 s_2 = splat8(scores[j]);
                const int64_t clamped = max_i64(at, 0);
                const int64_t rem_1 = clamped % 64;
                chosen = fma8(s_2, load8(rings_head + rem_1 * 64 + 32), acc);
                chosen_1 = fma8(s_2, load8(rings_head + rem_1 * 64 + 40), acc_1);
                chosen_2 = fma8(s_2, load8(rings_head + rem_1 * 64 + 48), acc_2);
                chosen_3 = fma8(s_2, load8(rings_head + rem_1 * 64 + 56), acc_3);
            } else {
                chosen = acc;
                chosen_1 = acc_1;
                chosen_2 = acc_2;
                chosen_3 = acc_3;
            }
            acc = chosen;
            acc_1 = chosen_1;
            acc_2 = chosen_2;
            acc_3 = chosen_3;
        }
        store8(mixed, acc);
        store8(mixed + 8, acc_1);
        store8(mixed + 16, acc_2);
        store8(mixed + 24, acc_3);
        for (int64_t v_5 = 0; v_5 < 4; v_5++) {
            store8(mix + head * 32 + v_5 * 8, load8(mixed + v_5 * 8));
        }
    } else {
        for (int64_t v_1 = 0; v_1 < 4; v_1++) {
            store8(mix + head * 32 + v_1 * 8, splat8(0.0f));
        }
    }
}

INLINE void lsh_step_keys_step(const float *w_rotations, float *rotated, int32_t *places,
        int32_t *keys, const float *q_head, int32_t *counts_head, const float *records_head,
        int64_t index, int64_t head, int64_t v) {
    for (int64_t round = 0; round < 2; round++) {
        f32x8 sum = {0};
        for (int64_t d = 0; d < 32; d++) {
            sum = fma8(load8(w_rotations + (((index * 6 + head) * 2 + round) * 32 + d) * 8),
                splat8(q_head[d]), sum);
        }
        store8(rotated, sum);
        float most = -3.4028235e+38f;
        int64_t most_at = 0;
        float least = 3.4028235e+38f;
        int64_t least_at = 0;
        for (int64_t column = 0; column < 8; column++) {
            const float v_1 = rotated[column];
            most_at = v_1 > most ? column : most_at;
            least_at = v_1 < least ? column : least_at;
            most = max_f32(v_1, most);
            least = min_f32(v_1, least);
        }
        const int64_t pick = -least > most ? add_i64(least_at, 8) : most_at;
        const int64_t clamped = max_i64(pick, 0);
        const int64_t bucket = min_i64(clamped, 15);
        int32_t *counts_round = counts_head + round * 16;
        const int32_t count = counts_round[bucket];
        const int64_t x = (int64_t)count;
        const int64_t clamped_1 = max_i64(x - 32, 0);
        const int64_t pick_1 = x < 32 ? x : clamped_1 % 64 + 32;
        int32_t *places_round = places + ((index * 6 + head) * 2 + round) * 16 * 96;
        places_round[bucket * 96 + min_i64(pick_1, 95)] = (int32_t)v;
        counts_round[bucket] = min_i32(count + 1, 512);
        const i32x8 mix = shuffle10_i32x8(splat_i32x8(0), splat_i32x8(1));
        const i32x8 mix_1 = shuffle11_i32x8(mix, add_i32x8(mix, splat_i32x8(2)));
        const i32x8 mix_2 = shuffle12_i32x8(mix_1, add_i32x8(mix_1, splat_i32x8(4)));
        const i32x8 s = splat_i32x8((int32_t)bucket);
        const int64_t v_1 = counts_round[bucket];
        const int64_t x_1 = (int64_t)(int32_t)v_1;
        i32x8 sum_1 = {0}, sum_2 = mix_2;
        for (int64_t v_2 = 0; v_2 < 2; v_2++) {
            const i32x8 bits = load_i32x8(counts_round + v_2 * 8) & (i32x8)(sum_2 < s);
            sum_1 = add_i32x8(sum_1, bits);
            sum_2 = add_i32x8(sum_2, splat_i32x8(8));
        }
        const i32x8 mix_3 = shuffle_swap4_i32x8(sum_1);
        const i32x8 sum_3 = add_i32x8(sum_1, mix_3);
        const i32x8 mix_4 = shuffle_swap2_i32x8(sum_3);
        const i32x8 sum_4 = add_i32x8(sum_3, mix_4);
        const i32x8 mix_5 = shuffle_swap1_i32x8(sum_4);
        const i32x8 sum_5 = add_i32x8(sum_4, mix_5);
        const int64_t clamped_2 = max_i64((int64_t)sum_5[0] + v_1 - 1, 0);
        const int64_t clamped_3 = min_i64(clamped_2, 511);
        const int64_t at = clamped_3 % 32 + 32;
        const int64_t at_1 = v + 1;
        int64_t back;
        if (at >= at_1) {
            int64_t left = at;
            for (int64_t turn = 0; turn < 64; turn++) {
                left = left >= at_1 ? sub_i64(left, at_1) : left;
            }
            back = left;
        } else {
            back = at;
        }
        int64_t chosen;
        int64_t chosen_1;
        int64_t chosen_2;
        if (back >= x_1) {
            int64_t in_bucket = bucket, tokens_to_here = x_1, to_go = back;
            for (int64_t move = 0; move < 32; move++) {
                int64_t chosen_3;
                int64_t chosen_4;
                int64_t chosen_5;
                if (to_go >= tokens_to_here) {
                    const int64_t pick_2 = in_bucket == 0 ? 15 : in_bucket - 1;
                    const int64_t clamped_4 = max_i64(pick_2, 0);
                    const int64_t clamped_5 = min_i64(clamped_4, 15);
                    const int64_t v_2 = counts_round[clamped_5];
                    const int64_t clamped_6 = max_i64(v_2 - 1, 0);
                    const int64_t clamped_7 = max_i64(clamped_6 - 32, 0);
                    const int64_t pick_3 = clamped_6 < 32 ? clamped_6 : clamped_7 % 64 + 32;
                    const int64_t clamped_8 = min_i64(pick_3, 95);
                    prefetch(places_round + clamped_5 * 96 + clamped_8);
                    chosen_3 = clamped_5;
                    chosen_4 = (int64_t)(int32_t)v_2;
                    chosen_5 = sub_i64(to_go, tokens_to_here);
                } else {
                    chosen_3 = in_bucket;
                    chosen_4 = tokens_to_here;
                    chosen_5 = to_go;
                }
                in_bucket = chosen_3;
                tokens_to_here = chosen_4;
                to_go = chosen_5;
            }
            chosen = in_bucket;
            chosen_1 = tokens_to_here;
            chosen_2 = to_go;
        } else {
            chosen = bucket;
            chosen_1 = x_1;
            chosen_2 = back;
        }
        const int64_t clamped_4 = max_i64(chosen, 0);
        const int64_t clamped_5 = min_i64(clamped_4, 15);
        const int64_t distinct = min_i64(at_1, 64);
        int64_t in_bucket = chosen, token = chosen_1 - chosen_2 - 1,
            tokens = (int64_t)counts_round[clamped_5], found = 0;
        for (int64_t leg = 0; leg < 3; leg++) {
            int64_t chosen_3;
            int64_t chosen_4;
            int64_t chosen_5;
            int64_t chosen_6;
            if (found < distinct) {
                int64_t in_bucket_1 = in_bucket, token_1 = token, tokens_1 = tokens,
                    found_1 = found;
                for (int64_t move = 0; move < 32; move++) {
                    int64_t chosen_7;
                    int64_t chosen_8;
                    int64_t chosen_9;
                    int64_t chosen_10;
                    if (found_1 < distinct) {
                        const int64_t clamped_6 = max_i64(in_bucket_1, 0);
                        const int64_t clamped_7 = min_i64(clamped_6, 15);
                        int64_t chosen_11;
                        int64_t chosen_12;
                        int64_t chosen_13;
                        int64_t chosen_14;
                        if (token_1 < tokens_1) {
                            const int64_t clamped_8 = max_i64(token_1, 0);
                            const int64_t clamped_9 = min_i64(clamped_8, 511);
                            const int64_t clamped_10 = max_i64(clamped_9 - 32, 0);
                            const int64_t pick_2 = clamped_9 < 32 ? clamped_9 : clamped_10 % 64 +
                                32;
                            const int64_t clamped_11 = min_i64(pick_2, 95);
                            const int64_t clamped_12 = max_i64(found_1, 0);
                            keys[round * 64 + min_i64(clamped_12, 63)] =
                                places_round[clamped_7 * 96 + clamped_11];
                            chosen_11 = clamped_7;
                            chosen_12 = clamped_9 + 1;
                            chosen_13 = tokens_1;
                            chosen_14 = found_1 + 1;
                        } else {
                            const int64_t clamped_8 = min_i64(clamped_7 + 12, 15);
                            const int64_t pick_2 = clamped_7 == 15 ? 0 : clamped_7 + 1;
                            const int64_t clamped_9 = min_i64(pick_2, 15);
                            prefetch(places_round + clamped_8 * 96);
                            chosen_11 = clamped_9;
                            chosen_12 = 0;
                            chosen_13 = (int64_t)counts_round[clamped_9];
                            chosen_14 = found_1;
                        }
                        chosen_7 = chosen_11;
                        chosen_8 = chosen_12;
                        chosen_9 = chosen_13;
                        chosen_10 = chosen_14;
                    } else {
                        chosen_7 = in_bucket_1;
                        chosen_8 = token_1;
                        chosen_9 = tokens_1;
                        chosen_10 = found_1;
                    }
                    in_bucket_1 = chosen_7;
                    token_1 = chosen_8;
                    tokens_1 = chosen_9;
                    found_1 = chosen_10;
                }
                chosen_3 = in_bucket_1;
                chosen_4 = token_1;
                chosen_5 = tokens_1;
                chosen_6 = found_1;
            } else {
                chosen_3 = in_bucket;
                chosen_4 = token;
                chosen_5 = tokens;
                chosen_6 = found;
            }
            in_bucket = chosen_3;
            token = chosen_4;
            tokens = chosen_5;
            found = chosen_6;
        }
        if (at_1 < 64) {
            for (int64_t j = 0; j < 64; j++) {
                if (j >= at_1) {
                    const int64_t clamped_6 = max_i64(j - at_1, 0);
                    keys[round * 64 + j] = keys[round * 64 + clamped_6];
                }
            }
        }
        if (round == 0) {
            for (int64_t j = 0; j < 64; j++) {
                const int64_t v_2 = keys[round * 64 + j];
                prefetch(records_head + v_2 * 768);
                prefetch(records_head + v_2 * 768 + 16);
                prefetch(records_head + v_2 * 768 + 32);
                prefetch(records_head + v_2 * 768 + 48);
            }
        }
    }
}

INLINE void lsh_step_outs_step(const int32_t *keys, float *scores, float *weights_1, float *outs,
        const float *records_head, int64_t position, f32x8 v, f32x8 v_1, f32x8 v_2, f32x8 v_3) {
    for (int64_t round = 0; round < 2; round++) {
        for (int64_t j = 0; j < 64; j++) {
            const int64_t v_4 = keys[j + 64];
            prefetch(records_head + v_4 * 768);
            prefetch(records_head + v_4 * 768 + 16);
            prefetch(records_head + v_4 * 768 + 32);
            prefetch(records_head + v_4 * 768 + 48);
            const int64_t token = keys[round * 64 + j];
            const f32x8 t = fma8(v_1, load8(records_head + token * 768 + 8),
                v * load8(records_head + token * 768));
            const f32x8 t_1 = fma8(v_2, load8(records_head + token * 768 + 16), t);
            const f32x8 t_2 = fma8(v_3, load8(records_head + token * 768 + 24), t_1);
            const f32x8 mix = shuffle_swap4_f32x8(t_2);
            const f32x8 sum = t_2 + mix;
            const f32x8 mix_1 = shuffle_swap2_f32x8(sum);
            const f32x8 sum_1 = sum + mix_1;
            const f32x8 mix_2 = shuffle_swap1_f32x8(sum_1);
            const f32x8 sum_2 = sum_1 + mix_2;
            scores[j] = token == position ? -1e+05f : sum_2[0];
        }
        f32x8 most = splat8(-3.4028235e+38f);
        for (int64_t v_4 = 0; v_4 < 8; v_4++) {
            most = max8(load8(scores + v_4 * 8), most);
        }
        const f32x8 mix = shuffle_swap4_f32x8(most);
        const f32x8 larger = max8(most, mix);
        const f32x8 mix_1 = shuffle_swap2_f32x8(larger);
        const f32x8 larger_1 = max8(larger, mix_1);
        const f32x8 mix_2 = shuffle_swap1_f32x8(larger_1);
        const f32x8 larger_2 = max8(larger_1, mix_2);
        const float most_1 = larger_2[0];
        const f32x8 s = splat8(most_1);
        f32x8 sum = {0};
        for (int64_t v_4 = 0; v_4 < 8; v_4++) {
            const f32x8 y = exp_f32x8_step(load8(scores + v_4 * 8) - s);
            sum = sum + y;
        }
        const f32x8 mix_3 = shuffle_swap4_f32x8(sum);
        const f32x8 sum_1 = sum + mix_3;
        const f32x8 mix_4 = shuffle_swap2_f32x8(sum_1);
        const f32x8 sum_2 = sum_1 + mix_4;
        const f32x8 mix_5 = shuffle_swap1_f32x8(sum_2);
        const f32x8 sum_3 = sum_2 + mix_5;
        const float y = log_f32_step(sum_3[0]);
        const float lse = y + most_1;
        const f32x8 s_1 = splat8(lse);
        for (int64_t v_4 = 0; v_4 < 8; v_4++) {
            const f32x8 y_1 = exp_f32x8_step(load8(scores + v_4 * 8) - s_1);
            store8(scores + v_4 * 8, y_1);
        }
        weights_1[round] = lse;
        f32x8 acc = {0}, acc_1 = {0}, acc_2 = {0}, acc_3 = {0};
        for (int64_t j = 0; j < 64; j++) {
            const f32x8 s_2 = splat8(scores[j]);
            const int64_t token = keys[round * 64 + j];
            acc = fma8(s_2, load8(records_head + token * 768 + 32), acc);
            acc_1 = fma8(s_2, load8(records_head + token * 768 + 40), acc_1);
            acc_2 = fma8(s_2, load8(records_head + token * 768 + 48), acc_2);
            acc_3 = fma8(s_2, load8(records_head + token * 768 + 56), acc_3);
        }
        store8(outs + round * 32, acc);
        store8(outs + round * 32 + 8, acc_1);
        store8(outs + round * 32 + 16, acc_2);
        store8(outs + round * 32 + 24, acc_3);
    }
}

INLINE void lsh_step_scores_step(const int32_t *position, const int32_t *hashed,
        const float *w_rotations, float *rotated, int32_t *places, int32_t *keys, float *scores,
        float *weights_1, float *outs, float *mixed, float *mix, const float *q_head,
        float *records_head, const float *v_head, int32_t *counts_head, int64_t index,
        int64_t head) {
    const f32x8 v = load8(q_head + 24);
    const f32x8 v_1 = load8(q_head + 16);
    const f32x8 v_2 = load8(q_head + 8);
    const f32x8 v_3 = load8(q_head);
    const f32x8 t = fma8(v_2, v_2, v_3 * v_3);
    const f32x8 t_1 = fma8(v_1, v_1, t);
    const f32x8 t_2 = fma8(v, v, t_1);
    const f32x8 mix_1 = shuffle_swap4_f32x8(t_2);
    const f32x8 sum = t_2 + mix_1;
    const f32x8 mix_2 = shuffle_swap2_f32x8(sum);
    const f32x8 sum_1 = sum + mix_2;
    const f32x8 mix_3 = shuffle_swap1_f32x8(sum_1);
    const f32x8 sum_2 = sum_1 + mix_3;
    const float root = sqrt_f32(div_f32(sum_2[0], 32.0f) + 1e-06f);
    const float scale = div_f32(0.17677669f, root);
    const f32x8 s = splat8(scale);
    const int64_t v_4 = position[0];
    const int64_t position_1 = (int64_t)(int32_t)v_4;
    const f32x8 v_5 = load8(q_head);
    const f32x8 v_6 = load8(q_head + 8);
    const f32x8 v_7 = load8(q_head + 16);
    const f32x8 v_8 = load8(q_head + 24);
    float *records_v = records_head + v_4 * 768;
    store8(records_v, mul8(load8(q_head), s));
    store8(records_v + 32, load8(v_head));
    store8(records_v + 8, mul8(load8(q_head + 8), s));
    store8(records_v + 40, load8(v_head + 8));
    store8(records_v + 16, mul8(load8(q_head + 16), s));
    store8(records_v + 48, load8(v_head + 16));
    store8(records_v + 24, mul8(load8(q_head + 24), s));
    store8(records_v + 56, load8(v_head + 24));
    if (hashed[0] > 32) {
        lsh_step_keys_step(w_rotations, rotated, places, keys, q_head, counts_head, records_head,
            index, head, v_4);
        lsh_step_outs_step(keys, scores, weights_1, outs, records_head, position_1, v_5, v_6, v_7,
            v_8);
        float most = -3.4028235e+38f;
        for (int64_t round = 0; round < 2; round++) {
            most = max_f32(weights_1[round], most);
        }
        float sum_3 = 0.0f;
        for (int64_t round = 0; round < 2; round++) {
            const float y = exp_f32_step(weights_1[round] - most);
            sum_3 = sum_3 + y;
        }
        const float y = log_f32_step(sum_3);
        const float sum_4 = y + most;
        for (int64_t round = 0; round < 2; round++) {
            const float y_1 = exp_f32_step(weights_1[round] - sum_4);
            weights_1[round] = y_1;
        }
        f32x8 sum_5 = {0}, sum_6 = {0}, sum_7 = {0}, sum_8 = {0};
        for (int64_t round = 0; round < 2; round++) {
            const f32x8 s_1 = splat8(weights_1[round]);
            sum_5 = fma8(s_1, load8(outs + round * 32), sum_5);
            sum_6 = fma8(s_1, load8(outs + round * 32 + 8), sum_6);
            sum_7 = fma8(s_1, load8(outs + round * 32 + 16), sum_7);
            sum_8 = fma8(s_1, load8(outs + round * 32 + 24), sum_8);
        }
        store8(mixed, sum_5);
        store8(mixed + 8, sum_6);
        store8(mixed + 16, sum_7);
        store8(mixed + 24, sum_8);
    } else {
        scores[33] = -__builtin_inff();
        scores[34] = -__builtin_inff();
        scores[35] = -__builtin_inff();
        scores[36] = -__builtin_inff();
        scores[37] = -__builtin_inff();
        scores[38] = -__builtin_inff();
        scores[39] = -__builtin_inff();
        for (int64_t j = 0; j < 33; j++) {
            float chosen;
            if (j <= position_1) {
                const f32x8 t_3 = fma8(v_6, load8(records_head + j * 768 + 8),
                    v_5 * load8(records_head + j * 768));
                const f32x8 t_4 = fma8(v_7, load8(records_head + j * 768 + 16), t_3);
                const f32x8 t_5 = fma8(v_8, load8(records_head + j * 768 + 24), t_4);
                const f32x8 mix_4 = shuffle_swap4_f32x8(t_5);
                const f32x8 sum_3 = t_5 + mix_4;
                const f32x8 mix_5 = shuffle_swap2_f32x8(sum_3);
                const f32x8 sum_4 = sum_3 + mix_5;
                const f32x8 mix_6 = shuffle_swap1_f32x8(sum_4);
                const f32x8 sum_5 = sum_4 + mix_6;
                chosen = j == position_1 ? -1e+05f : sum_5[0];
            } else {
                chosen = -__builtin_inff();
            }
            scores[j] = chosen;
        }
        f32x8 most = splat8(-3.4028235e+38f);
        for (int64_t v_9 = 0; v_9 < 5; v_9++) {
            most = max8(load8(scores + v_9 * 8), most);
        }
        const f32x8 mix_4 = shuffle_swap4_f32x8(most);
        const f32x8 larger = max8(most, mix_4);
        const f32x8 mix_5 = shuffle_swap2_f32x8(larger);
        const f32x8 larger_1 = max8(larger, mix_5);
        const f32x8 mix_6 = shuffle_swap1_f32x8(larger_1);
        const f32x8 larger_2 = max8(larger_1, mix_6);
        const float most_1 = larger_2[0];
        const f32x8 s_1 = splat8(most_1);
        f32x8 sum_3 = {0};
        for (int64_t v_9 = 0; v_9 < 5; v_9++) {
            const f32x8 y = exp_f32x8_step(load8(scores + v_9 * 8) - s_1);
            sum_3 = sum_3 + y;
        }
        const f32x8 mix_7 = shuffle_swap4_f32x8(sum_3);
        const f32x8 sum_4 = sum_3 + mix_7;
        const f32x8 mix_8 = shuffle_swap2_f32x8(sum_4);
        const f32x8 sum_5 = sum_4 + mix_8;
        const f32x8 mix_9 = shuffle_swap1_f32x8(sum_5);
        const f32x8 sum_6 = sum_5 + mix_9;
        const float y = log_f32_step(sum_6[0]);
        const float lse = y + most_1;
        const f32x8 s_2 = splat8(lse);
        for (int64_t v_9 = 0; v_9 < 5; v_9++) {
            const f32x8 y_1 = exp_f32x8_step(load8(scores + v_9 * 8) - s_2);
            store8(scores + v_9 * 8, y_1);
        }
        f32x8 acc = {0}, acc_1 = {0}, acc_2 = {0}, acc_3 = {0};
        for (int64_t j = 0; j < 33; j++) {
            f32x8 chosen;
            f32x8 chosen_1;
            f32x8 chosen_2;
            f32x8 chosen_3;
            if (j <= position_1) {
                const f32x8 s_3 = splat8(scores[j]);
                chosen = fma8(s_3, load8(records_head + j * 768 + 32), acc);
                chosen_1 = fma8(s_3, load8(records_head + j * 768 + 40), acc_1);
                chosen_2 = fma8(s_3, load8(records_head + j * 768 + 48), acc_2);
                chosen_3 = fma8(s_3, load8(records_head + j * 768 + 56), acc_3);
            } else {
                chosen = acc;
                chosen_1 = acc_1;
                chosen_2 = acc_2;
                chosen_3 = acc_3;
            }
            acc = chosen;
            acc_1 = chosen_1;
            acc_2 = chosen_2;
            acc_3 = chosen_3;
        }
        store8(mixed, acc);
        store8(mixed + 8, acc_1);
        store8(mixed + 16, acc_2);
        store8(mixed + 24, acc_3);
        if (position_1 >= 31) {
            for (int64_t round = 0; round < 2; round++) {
                for (int64_t bucket = 0; bucket < 16; bucket++) {
                    counts_head[round * 16 + bucket] = 0;
                }
                for (int64_t t_3 = 0; t_3 < 33; t_3++) {
                    if (t_3 <= position_1) {
                        f32x8 sum_7 = {0};
                        for (int64_t d = 0; d < 32; d++) {
                            sum_7 =
                                fma8(load8(w_rotations + (((index * 6 + head) * 2 + round) * 32 + d)
                                * 8), splat8(records_head[t_3 * 768 + d]), sum_7);
                        }
                        store8(rotated, sum_7);
                        float most_2 = -3.4028235e+38f;
                        int64_t most_at = 0;
                        float least = 3.4028235e+38f;
                        int64_t least_at = 0;
                        for (int64_t column = 0; column < 8; column++) {
                            const float v_9 = rotated[column];
                            most_at = v_9 > most_2 ? column : most_at;
                            least_at = v_9 < least ? column : least_at;
                            most_2 = max_f32(v_9, most_2);
                            least = min_f32(v_9, least);
                        }
                        const int64_t pick = -least > most_2 ? add_i64(least_at, 8) : most_at;
                        const int64_t clamped = max_i64(pick, 0);
                        const int64_t bucket = min_i64(clamped, 15);
                        const int32_t count = counts_head[round * 16 + bucket];
                        const int64_t x = (int64_t)count;
                        const int64_t clamped_1 = max_i64(x - 32, 0);
                        const int64_t pick_1 = x < 32 ? x : clamped_1 % 64 + 32;
                        places[(((index * 6 + head) * 2 + round) * 16 + bucket) * 96 +
                            min_i64(pick_1, 95)] = (int32_t)t_3;
                        counts_head[round * 16 + bucket] = min_i32(count + 1, 512);
                    }
                }
            }
        }
    }
    for (int64_t v_9 = 0; v_9 < 4; v_9++) {
        store8(mix + head * 32 + v_9 * 8, load8(mixed + v_9 * 8));
    }
}

/* crime-and-punishment-bytes.yaml:19: LSH attention of one token: 2 rounds, windows of 64 tokens
 * tasks [row 1][head 6] */
REFORMER_KERNEL static void lsh_step_step(const reformer_call_t *call, unsigned char *scratch,
        const int64_t *arg, int64_t task) {
    const int64_t head = task % 6;
    const int64_t index = arg[0];
    const int32_t *restrict row_1 = call->slot[REFORMER_SLOT_ROW]; /* [1][1] */
    const float *restrict q = (const void *)call->workspace; /* [1][192]: [row][head] */
    const int32_t *restrict position = call->slot[REFORMER_SLOT_POSITION]; /* [1][1] */
    /* [512][1][2][6][2][32]: [position][row][layer][head][key, value] */
    float *restrict records = call->slot[REFORMER_SLOT_RECORDS + 0];
    const float *restrict v = (const void *)(call->workspace + 768); /* [1][192]: [row][head] */
    const int32_t *restrict hashed = call->slot[REFORMER_SLOT_HASHED]; /* [1][1] */
    const float *w_rotations = (const void *)(call->weights + 7033344); /* [2][6][2][32][8] */
    float *restrict rotated = (void *)(scratch + 896); /* [8] */
    /* [1][2][6][2][16]: [row][layer][head][round][bucket]: tokens in it */
    int32_t *restrict counts = call->slot[REFORMER_SLOT_CACHE + 1];
    /* [1][2][6][2][16][96]: [row][layer][head][round][bucket][first and latest]: which tokens */
    int32_t *restrict places = call->slot[REFORMER_SLOT_CACHE + 2];
    int32_t *restrict keys = (void *)(scratch + 384); /* [2][64] */
    float *restrict scores = (void *)(scratch + 128); /* [64] */
    float *restrict weights_1 = (void *)(scratch + 1216); /* [2] */
    float *restrict outs = (void *)(scratch + 960); /* [2][32] */
    float *restrict mixed = (void *)scratch; /* [32] */
    /* [1][192]: [row][head]: output of attention */
    float *restrict mix = (void *)(call->workspace + 4608);
    const float *q_head = q + head * 32;
    float *records_head = records + (index * 6 + head) * 2 * 32;
    const float *v_head = v + head * 32;
    int32_t *counts_head = counts + (index * 6 + head) * 2 * 16;
    if (row_1[0] >= 0) {
        lsh_step_scores_step(position, hashed, w_rotations, rotated, places, keys, scores,
            weights_1, outs, mixed, mix, q_head, records_head, v_head, counts_head, index, head);
    } else {
        for (int64_t v_1 = 0; v_1 < 4; v_1++) {
            store8(mix + head * 32 + v_1 * 8, splat8(0.0f));
        }
    }
}

static void crime_and_punishment_bytes_run_step(const reformer_call_t *call) {
    const int32_t *control = call->slot[REFORMER_SLOT_CONTROL]; /* [16] */
    reformer_launch(call, embed_step, 1, NULL);
    for (int64_t layer = 0; layer < 4; layer++) {
        const int32_t form = layer_form_step[layer];
        if (form) {
            const int64_t index = (int64_t)layer_index_step[layer];
            reformer_launch(call, lsh_project_step, 6, (const int64_t[]){layer, index});
            reformer_launch(call, lsh_step_step, 6, (const int64_t[]){index});
            reformer_launch(call, lsh_output_step, 6, (const int64_t[]){layer});
        } else {
            const int64_t index = (int64_t)layer_index_step[layer];
            reformer_launch(call, local_project_step, 6, (const int64_t[]){layer, index});
            reformer_launch(call, local_step_step, 6, (const int64_t[]){index});
            reformer_launch(call, local_output_step, 6, (const int64_t[]){layer});
        }
        reformer_launch(call, feed_forward_in_step, 24, (const int64_t[]){layer});
        reformer_launch(call, feed_forward_out_step, 6, (const int64_t[]){layer});
    }
    if (control[1]) {
        reformer_launch(call, lm_head_step, 9, NULL);
        reformer_launch(call, logits_out_step, 1, NULL);
    }
    if (control[0]) {
        reformer_launch(call, last_hidden_state_out_step, 1, NULL);
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
#undef lm_head_hidden
#undef lm_head_of_logits
#undef lm_head_of_logits_1
#undef lm_head_row_loss
#undef lsh_output_heads
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
#undef local_project_v
#undef local_project_v_1
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
#undef lm_head
#undef lm_loss
#undef local_attention
#undef lsh_hash
#undef lsh_sort
#undef lsh_attention
#undef local_store_kv
#undef lsh_store_kv
#undef lsh_append_to_buckets
#undef last_token
#undef last_lm_head
#undef last_logits_out
#undef last_last_hidden_state_out
#undef layer_form
#undef layer_index
#undef lsh_step_keys_step
#undef lsh_step_outs_step
#undef lsh_step_scores_step
#undef exp_f32_step
#undef log_f32_step
#undef exp_f32x8_step
#undef relu_f32x8_step
#undef embed_step
#undef local_project_step
#undef local_output_step
#undef feed_forward_in_step
#undef feed_forward_out_step
#undef lsh_project_step
#undef lsh_output_step
#undef lm_head_step
#undef logits_out_step
#undef last_hidden_state_out_step
#undef local_step_step
#undef lsh_step_step
#undef layer_form_step
#undef layer_index_step
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
#undef add_i64
#undef sub_i32
#undef sub_i32x8
#undef sub_i64
#undef mul_f32
#undef mul8
#undef div_f32
#undef div8
#undef div_f64
#undef fma_f32
#undef fma8
#undef sqrt_f32
#undef sqrt8
#undef min_f32
#undef min8
#undef min_i32
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
#undef shuffle10_i32x8
#undef shuffle11_i32x8
#undef shuffle12_i32x8
#undef shuffle_swap1_i32x8
#undef shuffle_swap2_i32x8
#undef shuffle_swap4_i32x8

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/* ---- description ----------------------------------------------------------- */
static const reformer_variant_t crime_and_punishment_bytes_variants[] = {
    {
        .target = REFORMER_CPU_X86_64_V3,
        .max_length = 512,
        .padded = 512,
        .rows = 512,
        .hashes = 1,
        .workspace_bytes = 999488,
        .scratch_bytes = 253952,
        .run = crime_and_punishment_bytes_run,
    },
};
static const reformer_variant_t crime_and_punishment_bytes_steps[] = {
    {
        .target = REFORMER_CPU_X86_64_V3,
        .max_length = 1,
        .padded = 1,
        .rows = 1,
        .workspace_bytes = 5376,
        .scratch_bytes = 1600,
        .run = crime_and_punishment_bytes_run_step,
    },
};
static const size_t crime_and_punishment_bytes_cache_parts[] = {
    196608,
    1536,
    147456,
};
static const size_t crime_and_punishment_bytes_record_parts[] = {
    3072,
};
static const reformer_desc_t crime_and_punishment_bytes_description = {
    .size = sizeof(reformer_desc_t),
    .abi = REFORMER_ABI,
    .sizes = REFORMER_SIZES,
    .version = "reformerc 0.1.0, ABI 6, weights 2, spec f6b1ece06c3d0dd0",
    .name = "crime_and_punishment_bytes",
    .fingerprint = UINT64_C(0x5a792c25df34c58a),
    .weights_bytes = UINT64_C(7509185),
    .head = REFORMER_HEAD_CAUSAL_LM,
    .batch = 1,
    .hidden = 192,
    .vocab = 258,
    .labels = 2,
    .max_length = 512,
    .lsh_layers = 2,
    .heads = 6,
    .rounds = 2,
    .max_bucket = 17,
    .float_loss = REFORMER_LOSS_BCE,
    .n_variants = (int)(sizeof crime_and_punishment_bytes_variants / sizeof
        crime_and_punishment_bytes_variants[0]),
    .variants = crime_and_punishment_bytes_variants,
    .prefills = crime_and_punishment_bytes_variants,
    .steps = crime_and_punishment_bytes_steps,
    .positions = 512,
    .cache_parts = crime_and_punishment_bytes_cache_parts,
    .record_parts = crime_and_punishment_bytes_record_parts,
    .n_cache_parts = 3,
    .n_record_parts = 1,
};

size_t crime_and_punishment_bytes_workspace_bytes(size_t length, int threads) {
    return reformer_workspace_bytes(&crime_and_punishment_bytes_description, length, threads);
}
int crime_and_punishment_bytes_bind(crime_and_punishment_bytes_t *m, const void *weights,
        size_t bytes) {
    return reformer_bind((reformer_model_t *)m, &crime_and_punishment_bytes_description, weights,
        bytes);
}
int crime_and_punishment_bytes_explain(const void *weights, size_t bytes, char *text, size_t room) {
    return reformer_explain(&crime_and_punishment_bytes_description, weights, bytes, text, room);
}
int crime_and_punishment_bytes_check_weights(const crime_and_punishment_bytes_t *m) {
    return reformer_check_weights(&crime_and_punishment_bytes_description,
        (const reformer_model_t *)m);
}
const char *crime_and_punishment_bytes_target(const crime_and_punishment_bytes_t *m) {
    return reformer_target((const reformer_model_t *)m);
}
int crime_and_punishment_bytes_forward(const crime_and_punishment_bytes_t *m,
        const crime_and_punishment_bytes_io_t *io, void *workspace, size_t bytes) {
    return reformer_forward(&crime_and_punishment_bytes_description, (const reformer_model_t *)m,
        io, workspace, bytes);
}
const char *crime_and_punishment_bytes_strerror(int code) {
    return reformer_strerror(code);
}
const char *crime_and_punishment_bytes_version(void) {
    return reformer_translator(&crime_and_punishment_bytes_description);
}
size_t crime_and_punishment_bytes_cache_bytes(size_t length) {
    return reformer_cache_bytes(&crime_and_punishment_bytes_description, length);
}
int crime_and_punishment_bytes_cache_init(void *cache, size_t bytes, size_t length) {
    return reformer_cache_init(&crime_and_punishment_bytes_description, cache, bytes, length);
}
int crime_and_punishment_bytes_cache_check(const void *cache, size_t bytes) {
    return reformer_cache_check(&crime_and_punishment_bytes_description, cache, bytes);
}
size_t crime_and_punishment_bytes_cache_tokens(const void *cache, size_t row) {
    return reformer_cache_tokens(cache, row);
}
int crime_and_punishment_bytes_cache_copy_row(void *cache, size_t from, size_t to) {
    return reformer_cache_copy_row(&crime_and_punishment_bytes_description, cache, from, to);
}
size_t crime_and_punishment_bytes_decode_bytes(size_t length, int threads) {
    return reformer_decode_bytes(&crime_and_punishment_bytes_description, length, threads);
}
int crime_and_punishment_bytes_prefill(const crime_and_punishment_bytes_t *m,
        const crime_and_punishment_bytes_decode_t *io, void *cache, void *workspace, size_t bytes) {
    return reformer_prefill(&crime_and_punishment_bytes_description, (const reformer_model_t *)m,
        io, cache, workspace, bytes);
}
int crime_and_punishment_bytes_step(const crime_and_punishment_bytes_t *m,
        const crime_and_punishment_bytes_decode_t *io, void *cache, void *workspace, size_t bytes) {
    return reformer_step(&crime_and_punishment_bytes_description, (const reformer_model_t *)m, io,
        cache, workspace, bytes);
}

#pragma pop_macro("INLINE")
#if defined(__clang__) && defined(__x86_64__)
#pragma float_control(pop)
#elif !defined(__clang__)
#pragma GCC pop_options
#endif
