/* /proc/cpuinfo → a name. x86 has a line for it; ARM has numbers, of which vendor
 * and part make the model. */
#include "support/cpu.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 512 };

const char *cpu_plain(arena_t *a, const char *name) {
    char *plain = arena_strdup(a, name), *to = plain;
    for (const char *p = name; *p; p++) {
        bool blank = *p == ' ' || (*p >= '\t' && *p <= '\r');
        if (blank && (to == plain || to[-1] == ' ')) continue;
        bool keep = *p > ' ' && *p < 0x7F && *p != '"' && *p != '\\';
        *to++ = (char)(blank ? ' ' : keep ? *p : '_');
    }
    if (to > plain && to[-1] == ' ') to--;
    *to = 0;
    return *plain ? plain : "unknown";
}

/* What stands behind "KEY : " in a line, or NULL. */
static const char *value_of(const char *line, const char *key) {
    size_t n = strlen(key);
    if (strncmp(line, key, n) != 0) return NULL;
    const char *p = line + n + strspn(line + n, " \t");
    return *p == ':' ? p + 1 : NULL;
}

const char *cpu_name(arena_t *a) {
    static const char *const keys[] = {"model name", "CPU implementer", "CPU part"};
    const char *found[3] = {NULL};
    char line[LINE];
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && fgets(line, sizeof line, f))
        for (int k = 0; k < 3; k++)
            if (!found[k] && value_of(line, keys[k]))
                found[k] = arena_strdup(a, value_of(line, keys[k]));
    if (f) fclose(f);
    if (found[0]) return cpu_plain(a, found[0]);
    if (!found[1] || !found[2]) return "unknown";
    return cpu_plain(a, arena_printf(a, "%s%s", found[1], found[2]));
}
