/* The clocks of clock.h. */
#include "support/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double read_clock(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double clock_now(void) {
    return read_clock(CLOCK_MONOTONIC);
}

double clock_cpu(void) {
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* Field 22 of /proc/self/stat: when it began, in ticks since the system did. The second field is
 * the program's name and may hold anything, but ends with the last ')'. */
double clock_process(void) {
    char text[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    if (!f) return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    const char *p = strrchr(text, ')');
    unsigned long long ticks = 0;
    enum { FROM = 2, STARTED = 22 };
    for (int field = FROM; p && field < STARTED; field++) p = strchr(p + 1, ' ');
    if (!p || sscanf(p, "%llu", &ticks) != 1) return 0;
    return read_clock(CLOCK_BOOTTIME) - (double)ticks / (double)sysconf(_SC_CLK_TCK);
}
