/* Which of the targets this CPU and its operating system can run.
 *
 * x86-64: the feature bits that the psABI lists for the levels v3 and v4, and the register state
 * that the OS saves (XGETBV), so that a kernel booted without AVX-512 state is told apart from one
 * with it. aarch64: vectors of 128 bits are part of the architecture. Asked at bind time, not per
 * forward: under a hypervisor each CPUID costs microseconds, and there is no global to keep the
 * answer in. */
#include "reformer_rt.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>

#define BIT(n) (1u << (n))

enum { EAX, EBX, ECX, EDX, REGISTERS };

/* A row: all bits of `mask` in one register of one CPUID leaf. */
typedef struct {
    int target;
    unsigned leaf;
    int reg;
    unsigned mask;
} feature_t;

static const feature_t features[] = {
    /* FMA, CX16, SSE4.1, SSE4.2, MOVBE, POPCNT, OSXSAVE, AVX, F16C */
    {REFORMER_CPU_X86_64_V3, 1, ECX,
     BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(27) | BIT(28) | BIT(29)},
    {REFORMER_CPU_X86_64_V3, 7, EBX, BIT(3) | BIT(5) | BIT(8)}, /* BMI1 AVX2 BMI2 */
    {REFORMER_CPU_X86_64_V3, 0x80000001u, ECX, BIT(5)},         /* LZCNT */
    {REFORMER_CPU_X86_64_V4, 7, EBX,
     BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31)}, /* F DQ CD BW VL */
};

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
    return (r[f->reg] & f->mask) == f->mask;
}

static int supports_level(int target) {
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (features[i].target <= target && !has(&features[i])) return 0;
    /* OSXSAVE was among the features: XGETBV exists. */
    unsigned need = target >= REFORMER_CPU_X86_64_V4 ? XCR0_AVX512 : XCR0_AVX;
    return (xcr0() & need) == need;
}

int reformer_cpu_supports(int target) {
    if (target == REFORMER_CPU_X86_64) return 1;
    if (target != REFORMER_CPU_X86_64_V3 && target != REFORMER_CPU_X86_64_V4) return 0;
    return supports_level(target);
}

#elif defined(__aarch64__)

int reformer_cpu_supports(int target) {
    return target == REFORMER_CPU_AARCH64;
}

#else

int reformer_cpu_supports(int target) {
    (void)target;
    return 0;
}

#endif
