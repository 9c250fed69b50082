/* torch's CPU generator, bit for bit: torch.manual_seed, torch.randn of contiguous float32.
 *
 * MT19937 (Matsumoto and Nishimura, 1998) seeded by the low 32 bits; uniforms of 24 bits; 16 or
 * more normals at once by Box-Muller on blocks of 16 with the logarithm, sine and cosine of the
 * Cephes library in single precision and fused multiply-adds (torch's AVX2 kernels); fewer one by
 * one in double. The same bits with and without vector units: fmaf is exact wherever it is
 * computed. */
#include <math.h>
#include <string.h>

#include "reformer_rt.h"
#include "weights/weights.h"

enum { STATE = 624, SHIFT = 397, BLOCK = 16, HALF = 8 };

/* ---- the engine ----------------------------------------------------------------------------- */

void torch_seed(torch_rng_t *g, uint64_t seed) {
    g->state[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < STATE; i++)
        g->state[i] = 1812433253u * (g->state[i - 1] ^ (g->state[i - 1] >> 30)) + i;
    g->at = STATE;
    g->has_next = 0;
    g->next = 0;
}

static uint32_t twist(uint32_t high, uint32_t low) {
    uint32_t y = (high & 0x80000000u) | (low & 0x7FFFFFFFu);
    return (y >> 1) ^ ((low & 1) ? 0x9908B0DFu : 0);
}

static void refill(torch_rng_t *g) {
    uint32_t *s = g->state;
    for (int i = 0; i < STATE - SHIFT; i++) s[i] = s[i + SHIFT] ^ twist(s[i], s[i + 1]);
    for (int i = STATE - SHIFT; i < STATE - 1; i++)
        s[i] = s[i + SHIFT - STATE] ^ twist(s[i], s[i + 1]);
    s[STATE - 1] = s[SHIFT - 1] ^ twist(s[STATE - 1], s[0]);
    g->at = 0;
}

static uint32_t temper(uint32_t y) {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9D2C5680u;
    y ^= (y << 15) & 0xEFC60000u;
    return y ^ (y >> 18);
}

uint32_t torch_u32(torch_rng_t *g) {
    if (g->at == STATE) refill(g);
    return temper(g->state[g->at++]);
}

static float uniform_of(uint32_t u) {
    return (float)(u & 0xFFFFFF) * 0x1p-24f;
}

float torch_uniform(torch_rng_t *g) {
    return uniform_of(torch_u32(g));
}

/* n uniforms, as many at a time as the state holds. */
static void fill_uniform(torch_rng_t *g, float *out, size_t n) {
    while (n > 0) {
        if (g->at == STATE) refill(g);
        size_t now = (size_t)(STATE - g->at) < n ? (size_t)(STATE - g->at) : n;
        for (size_t i = 0; i < now; i++) out[i] = uniform_of(temper(g->state[g->at + (int)i]));
        g->at += (int)now;
        out += now;
        n -= now;
    }
}

/* ---- sixteen or more: single precision ------------------------------------------------------ */

/* Cephes' coefficients, highest power first. */
static const float log_poly[] = {7.0376836292E-2f,  -1.1514610310E-1f, 1.1676998740E-1f,
                                 -1.2420140846E-1f, 1.4249322787E-1f,  -1.6668057665E-1f,
                                 2.0000714765E-1f,  -2.4999993993E-1f, 3.3333331174E-1f};
static const float cos_poly[] = {2.443315711809948E-5f, -1.388731625493765E-3f,
                                 4.166664568298827E-2f};
static const float sin_poly[] = {-1.9515295891E-4f, 8.3321608736E-3f, -1.6666654611E-1f};
enum { LOG_TERMS = 9, SINCOS_TERMS = 3 };

static const float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f; /* ln 2 in two parts */
static const float sqrt_half = 0.70710678118654752f, two_pi = 6.283185307179586f;
static const float four_over_pi = 1.27323954473516f;
static const float quarter_pi[] = {-0.78515625f, -2.4187564849853515625e-4f,
                                   -3.77489497744594108e-8f};

static float horner(const float *c, int n, float x) {
    float y = c[0];
    for (int i = 1; i < n; i++) y = fmaf(y, x, c[i]);
    return y;
}

/* x in (0, 1], normal. */
static float log_one(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    float e = (float)((int)(bits >> 23) - 126), m;
    bits = (bits & 0x007FFFFFu) | 0x3F000000u; /* mantissa in [0.5, 1) */
    memcpy(&m, &bits, sizeof m);
    float less = m - 1.0f;
    if (m < sqrt_half) {
        e -= 1.0f;
        m = less + m;
    } else {
        m = less;
    }
    float z = m * m, y = horner(log_poly, LOG_TERMS, m) * m;
    float low = e * ln2_low;
    y = fmaf(y, z, low);
    y = fmaf(-z, 0.5f, y);
    return fmaf(e, ln2_high, m + y);
}

/* t in [0, 2 pi]. */
static void sincos_one(float t, float *sine, float *cosine) {
    int j = ((int)(t * four_over_pi) + 1) & ~1;
    float y = (float)j;
    for (int i = 0; i < 3; i++) t = fmaf(y, quarter_pi[i], t);
    float z = t * t, half = z * 0.5f;
    float c = horner(cos_poly, SINCOS_TERMS, z) * z;
    c = fmaf(c, z, -half) + 1.0f;
    float s = horner(sin_poly, SINCOS_TERMS, z) * z;
    s = fmaf(s, t, t);
    float even = (j & 2) ? c : s, odd = (j & 2) ? s : c;
    *sine = (j & 4) ? -even : even;
    *cosine = ((j - 2) & 4) ? odd : -odd;
}

static void blocks_scalar(float *data, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, data += BLOCK)
        for (int j = 0; j < HALF; j++) {
            float u = 1.0f - data[j], t = two_pi * data[j + HALF], sine, cosine;
            float r = sqrtf(-2.0f * log_one(u));
            sincos_one(t, &sine, &cosine);
            data[j] = r * cosine;
            data[j + HALF] = r * sine;
        }
}

typedef void blocks_fn(float *data, size_t blocks);

#if defined(__x86_64__)
#include <immintrin.h>

/* The same operations in the same order, the eight pairs of a block in the eight lanes. */
#define AVX2 __attribute__((target("avx2,fma")))

AVX2 static inline __m256 horner8(const float *c, int n, __m256 x) {
    __m256 y = _mm256_set1_ps(c[0]);
    for (int i = 1; i < n; i++) y = _mm256_fmadd_ps(y, x, _mm256_set1_ps(c[i]));
    return y;
}

AVX2 static inline __m256 log8(__m256 x) {
    const __m256 one = _mm256_set1_ps(1.0f);
    __m256i bits = _mm256_castps_si256(x);
    __m256i exponent = _mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(126));
    __m256 e = _mm256_cvtepi32_ps(exponent);
    bits = _mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi32(0x007FFFFF)),
                           _mm256_set1_epi32(0x3F000000));
    __m256 m = _mm256_castsi256_ps(bits), less = _mm256_sub_ps(m, one);
    __m256 small = _mm256_cmp_ps(m, _mm256_set1_ps(sqrt_half), _CMP_LT_OQ);
    e = _mm256_sub_ps(e, _mm256_and_ps(small, one));
    m = _mm256_add_ps(less, _mm256_and_ps(small, m));
    __m256 z = _mm256_mul_ps(m, m);
    __m256 y = _mm256_mul_ps(horner8(log_poly, LOG_TERMS, m), m);
    y = _mm256_fmadd_ps(y, z, _mm256_mul_ps(e, _mm256_set1_ps(ln2_low)));
    y = _mm256_fnmadd_ps(z, _mm256_set1_ps(0.5f), y);
    return _mm256_fmadd_ps(e, _mm256_set1_ps(ln2_high), _mm256_add_ps(m, y));
}

/* All ones in the lanes where j & bit is zero. */
AVX2 static inline __m256 without_bit(__m256i j, int bit) {
    return _mm256_castsi256_ps(
        _mm256_cmpeq_epi32(_mm256_and_si256(j, _mm256_set1_epi32(bit)), _mm256_setzero_si256()));
}

AVX2 static inline void sincos8(__m256 t, __m256 *sine, __m256 *cosine) {
    const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
    __m256i j = _mm256_cvttps_epi32(_mm256_mul_ps(t, _mm256_set1_ps(four_over_pi)));
    j = _mm256_andnot_si256(_mm256_set1_epi32(1), _mm256_add_epi32(j, _mm256_set1_epi32(1)));
    __m256 y = _mm256_cvtepi32_ps(j);
    for (int i = 0; i < 3; i++) t = _mm256_fmadd_ps(y, _mm256_set1_ps(quarter_pi[i]), t);
    __m256 z = _mm256_mul_ps(t, t), half = _mm256_mul_ps(z, _mm256_set1_ps(0.5f));
    __m256 c = _mm256_mul_ps(horner8(cos_poly, SINCOS_TERMS, z), z);
    c = _mm256_add_ps(_mm256_fmsub_ps(c, z, half), one);
    __m256 s = _mm256_mul_ps(horner8(sin_poly, SINCOS_TERMS, z), z);
    s = _mm256_fmadd_ps(s, t, t);
    __m256 straight = without_bit(j, 2);
    __m256 even = _mm256_blendv_ps(c, s, straight), odd = _mm256_blendv_ps(s, c, straight);
    *sine = _mm256_xor_ps(even, _mm256_andnot_ps(without_bit(j, 4), sign));
    __m256i shifted = _mm256_sub_epi32(j, _mm256_set1_epi32(2));
    *cosine = _mm256_xor_ps(odd, _mm256_and_ps(without_bit(shifted, 4), sign));
}

AVX2 static void blocks_avx2(float *data, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, data += BLOCK) {
        __m256 u = _mm256_sub_ps(_mm256_set1_ps(1.0f), _mm256_loadu_ps(data)), sine, cosine;
        __m256 t = _mm256_mul_ps(_mm256_set1_ps(two_pi), _mm256_loadu_ps(data + HALF));
        __m256 r = _mm256_sqrt_ps(_mm256_mul_ps(_mm256_set1_ps(-2.0f), log8(u)));
        sincos8(t, &sine, &cosine);
        _mm256_storeu_ps(data, _mm256_mul_ps(r, cosine));
        _mm256_storeu_ps(data + HALF, _mm256_mul_ps(r, sine));
    }
}

static blocks_fn *best_blocks(void) {
    return reformer_cpu_supports(REFORMER_CPU_X86_64_V3) ? blocks_avx2 : blocks_scalar;
}
#else
static blocks_fn *best_blocks(void) {
    return blocks_scalar;
}
#endif

/* Whole blocks, then, where n is no multiple of 16, the last 16 values once more from fresh
 * uniforms. Blocks are transformed while their uniforms are in the cache. */
static void fill_normal(torch_rng_t *g, float *out, size_t n, blocks_fn *blocks) {
    enum { CHUNK = 4096 };
    for (size_t i = 0; i < n; i += CHUNK) {
        size_t now = n - i < CHUNK ? n - i : CHUNK;
        fill_uniform(g, out + i, now);
        blocks(out + i, now / BLOCK);
    }
    if (n % BLOCK == 0) return;
    fill_uniform(g, out + n - BLOCK, BLOCK);
    blocks(out + n - BLOCK, 1);
}

/* ---- fewer: one by one, in double ----------------------------------------------------------- */

static double uniform_double(torch_rng_t *g) {
    uint64_t high = torch_u32(g), low = torch_u32(g);
    return (double)((high << 32 | low) & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

static double normal_double(torch_rng_t *g) {
    if (g->has_next) {
        g->has_next = 0;
        return g->next;
    }
    double u1 = uniform_double(g), u2 = uniform_double(g);
    double r = sqrt(-2.0 * log1p(-u2)), angle = 2.0 * 3.14159265358979323846 * u1;
    g->next = r * sin(angle);
    g->has_next = 1;
    return r * cos(angle);
}

static void randn(torch_rng_t *g, float *out, size_t n, blocks_fn *blocks) {
    if (n >= BLOCK) fill_normal(g, out, n, blocks);
    else
        for (size_t i = 0; i < n; i++) out[i] = (float)normal_double(g);
}

void torch_randn(torch_rng_t *g, float *out, size_t n) {
    randn(g, out, n, best_blocks());
}

void torch_randn_scalar(torch_rng_t *g, float *out, size_t n) {
    randn(g, out, n, blocks_scalar);
}
