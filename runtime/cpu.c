/* Which of the targets this CPU and its operating system can run.
 *
 * x86-64: the feature bits that the psABI lists for the levels v3 and v4, those of the extensions,
 * and the register state that the OS saves (XGETBV), so that a kernel booted without AVX-512 state
 * is told apart from one with it. aarch64: vectors of 128 bits are part of the architecture, what
 * extends them the kernel tells. Asked at bind time, not per forward: under a hypervisor each CPUID
 * costs microseconds, and there is no global to keep the answer in. An environment variable may
 * take features away, which only bind asks for. */
#include "reformer_rt.h"

#ifdef __wasm__
#define VARIABLE(name) NULL /* a module has no environment, and needs no libc to ask it */
#else
#include <stdlib.h>
#define VARIABLE(name) getenv(name)
#endif

/* What a target has and more: the one that its own features are added to. */
enum { NONE = -1 };
static const struct {
    char name[16]; /* no pointer, which a loader would have to write */
    int base;
} targets[] = {
    [REFORMER_CPU_X86_64] = {"x86-64", NONE},
    [REFORMER_CPU_X86_64_V3] = {"x86-64-v3", REFORMER_CPU_X86_64},
    [REFORMER_CPU_X86_64_V4] = {"x86-64-v4", REFORMER_CPU_X86_64_V3},
    [REFORMER_CPU_AARCH64] = {"aarch64", NONE},
    [REFORMER_CPU_X86_64_V3_VNNI] = {"x86-64-v3+vnni", REFORMER_CPU_X86_64_V3},
    [REFORMER_CPU_X86_64_V4_VNNI] = {"x86-64-v4+vnni", REFORMER_CPU_X86_64_V4},
    [REFORMER_CPU_X86_64_V4_BF16] = {"x86-64-v4+bf16", REFORMER_CPU_X86_64_V4_VNNI},
    [REFORMER_CPU_AARCH64_BF16] = {"aarch64+bf16", REFORMER_CPU_AARCH64},
    [REFORMER_CPU_WASM32] = {"wasm32", NONE},
};
enum { TARGETS = (int)(sizeof targets / sizeof *targets) };

static int is_target(int t) {
    return t >= 0 && t < TARGETS && targets[t].name[0];
}

const char *reformer_target_name(int target) {
    return is_target(target) ? targets[target].name : NULL;
}

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
    int t = is_target(target) ? target : NONE;
    if (t == REFORMER_CPU_X86_64) return 1;
    for (; t != REFORMER_CPU_X86_64; t = targets[t].base) {
        if (t == NONE || !has_all(t)) return 0;
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

#elif defined(__wasm32__) /* what runs was taken by its host as a whole */

int reformer_cpu_supports(int target) {
    return target == REFORMER_CPU_WASM32;
}

#else

int reformer_cpu_supports(int target) {
    (void)target;
    return 0;
}

#endif

/* ---- what the environment takes away --------------------------------------------------------- */

static int has_within(int target, int within) {
    while (target != within && target != NONE) target = targets[target].base;
    return target == within;
}

static int same_text(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

/* The target that REFORMER_CPU names; NONE: none, or one of another architecture. */
static int max(void) {
    const char *name = VARIABLE("REFORMER_CPU");
    for (int t = 0; name && t < TARGETS; t++) {
        int root = t;
        if (!is_target(t) || !same_text(name, targets[t].name)) continue;
        while (targets[root].base != NONE) root = targets[root].base;
        return reformer_cpu_supports(root) ? t : NONE;
    }
    return NONE;
}

int reformer_cpu_takes(int target) {
    int cap = max();
    if (cap != NONE && !(is_target(target) && has_within(cap, target))) return 0;
    return reformer_cpu_supports(target);
}
