/* How the processor rounds, for the time of a call: to nearest, denormal numbers
 * kept, no exceptions.
 *
 * It is a register of each thread, and others write it: a host by fesetround(), a library linked
 * with -ffast-math, whose start-up code has every thread flush denormals to zero. Results must not
 * depend on that; so whoever computes, computes between enter and leave, and the host
 * finds its own mode again. */
#include "reformer_rt.h"

#if defined(__x86_64__)
enum { FLAGS = 0x3f, OWN = 0x1f80 }; /* MXCSR: what has happened; all exceptions masked */

static uint64_t mode(void) {
    uint32_t m;
    __asm__ volatile("stmxcsr %0" : "=m"(m)::"memory");
    return m;
}

static void set_mode(uint64_t mode) {
    uint32_t m = (uint32_t)mode;
    __asm__ volatile("ldmxcsr %0" ::"m"(m) : "memory");
}
#elif defined(__aarch64__)
enum { FLAGS = 0, OWN = 0 }; /* FPCR; what has happened is elsewhere */

static uint64_t mode(void) {
    uint64_t m;
    __asm__ volatile("mrs %0, fpcr" : "=r"(m)::"memory");
    return m;
}

static void set_mode(uint64_t mode) {
    __asm__ volatile("msr fpcr, %0" ::"r"(mode) : "memory");
}
#else
enum { FLAGS = 0, OWN = 0 };

static uint64_t mode(void) {
    return OWN;
}

static void set_mode(uint64_t mode) {
    (void)mode;
}
#endif

uint64_t reformer_enter(void) {
    uint64_t host = mode();
    if ((host & ~(uint64_t)FLAGS) != OWN) set_mode(OWN);
    return host;
}

void reformer_leave(uint64_t host) {
    if ((host & ~(uint64_t)FLAGS) != OWN) set_mode(host);
}
