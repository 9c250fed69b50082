/* What Linux says of this process's memory, for resident.h. */
#include "support/resident.h"

#include <malloc.h> /* malloc_trim: memory that earlier work left behind is not this one's */
#include <stdio.h>

bool resident_reset_peak(void) {
    (void)malloc_trim(0);
    FILE *f = fopen("/proc/self/clear_refs", "we");
    if (!f) return false;
    bool written = fputs("5\n", f) >= 0;
    return fclose(f) == 0 && written;
}

size_t resident_peak(void) {
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long long kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kib) == 1) break;
    if (f) fclose(f);
    return (size_t)kib * 1024;
}
