/* Which of the targets this CPU and its operating system can run.
 *
 * x86-64: the feature bits that the psABI lists for the levels v3 and v4, those of the extensions, and the register state
 * that the OS saves (XGETBV), so that a kernel booted without AVX-512 state is told apart from one
 * with it. aarch64: vectors of 128 bits are part of the architecture, what extends them the kernel tells. Asked at bind time, not per
 * forward: under a hypervisor each CPUID costs microseconds, and there is no global to keep the
 * answer in. */
#include "reformer_rt.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>

#define BIT(n) (1u << (n))

enum { EAX, EBX, ECX, EDX, REGISTERS };

/* A row: all bits of `mask` in one register of one CPUID leaf and its part. */
typedef struct {
    int target;
    unsigned leaf, part;
    int reg;
    unsigned mask;
} feature_t;

static const feature_t features[] = {
    /* FMA, CX16, SSE4.1, SSE4.2, MOVBE, POPCNT, OSXSAVE, AVX, F16C */
    {REFORMER_CPU_X86_64_V3, 1, 0, ECX,
     BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(27) | BIT(28) | BIT(29)},
    {REFORMER_CPU_X86_64_V3, 7, 0, EBX, BIT(3) | BIT(5) | BIT(8)}, /* BMI1 AVX2 BMI2 */
    {REFORMER_CPU_X86_64_V3, 0x80000001u, 0, ECX, BIT(5)},         /* LZCNT */
    {REFORMER_CPU_X86_64_V4, 7, 0, EBX,
     BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31)}, /* F DQ CD BW VL */
    {REFORMER_CPU_X86_64_V3_VNNI, 7, 1, EAX, BIT(4)},  /* AVX-VNNI */
    {REFORMER_CPU_X86_64_V4_VNNI, 7, 0, ECX, BIT(11)}, /* AVX512-VNNI */
    {REFORMER_CPU_X86_64_V4_BF16, 7, 1, EAX, BIT(5)},  /* AVX512-BF16 */
};

/* What a target has and more: the one that its own rows are added to. */
static int base_of(int target) {
    switch (target) {
    case REFORMER_CPU_X86_64_V4_BF16: return REFORMER_CPU_X86_64_V4_VNNI;
    case REFORMER_CPU_X86_64_V4_VNNI: return REFORMER_CPU_X86_64_V4;
    case REFORMER_CPU_X86_64_V4:
    case REFORMER_CPU_X86_64_V3_VNNI: return REFORMER_CPU_X86_64_V3;
    default: return REFORMER_CPU_X86_64;
    }
}

/* Register state the OS saves: bits of XCR0. */
enum { XCR0_AVX = 0x06, XCR0_AVX512 = 0xE6 };

static unsigned xcr0(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

static int has(const feature_t *f) {
    unsigned r[REGISTERS];
    if (!__get_cpuid_count(f->leaf, 0, &r[EAX], &r[EBX], &r[ECX], &r[EDX])) return 0;
    if (f->part > 0) { /* of leaf 7, which says how many it has */
        if (r[EAX] < f->part) return 0;
        __cpuid_count(f->leaf, f->part, r[EAX], r[EBX], r[ECX], r[EDX]);
    }
    return (r[f->reg] & f->mask) == f->mask;
}

static int has_all(int target) {
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (features[i].target == target && !has(&features[i])) return 0;
    return 1;
}

int reformer_cpu_supports(int target) {
    unsigned need = XCR0_AVX;
    if (target == REFORMER_CPU_X86_64) return 1;
    if (base_of(target) == REFORMER_CPU_X86_64 && target != REFORMER_CPU_X86_64_V3) return 0;
    for (int t = target; t != REFORMER_CPU_X86_64; t = base_of(t)) {
        if (!has_all(t)) return 0;
        if (t == REFORMER_CPU_X86_64_V4) need = XCR0_AVX512;
    }
    /* OSXSAVE was among the features: XGETBV exists. */
    return (xcr0() & need) == need;
}

#elif defined(__aarch64__)

#ifdef __linux__
#include <sys/auxv.h>

/* FEAT_BF16 and FEAT_I8MM: HWCAP2_BF16, HWCAP2_I8MM */
static int has_small_products(void) {
    const unsigned long mask = 1ul << 14 | 1ul << 13;
    return (getauxval(AT_HWCAP2) & mask) == mask;
}
#else
static int has_small_products(void) {
    return 0;
}
#endif

int reformer_cpu_supports(int target) {
    if (target == REFORMER_CPU_AARCH64_BF16) return has_small_products();
    return target == REFORMER_CPU_AARCH64;
}

#else

int reformer_cpu_supports(int target) {
    (void)target;
    return 0;
}

#endif
