/* Printable forms of untrusted names (names.h). */
#include "weights/names.h"

#include <stdio.h>
#include <string.h>

/* Length of a printable UTF-8 character at p, 0 if there is none (names are valid UTF-8 already;
 * the controls U+0080 … U+009F drive terminals like those below U+0020 do). */
static size_t printable(const char *p) {
    const unsigned char *s = (const unsigned char *)p;
    if (s[0] < 0x80) return s[0] >= 0x20 && s[0] != 0x7F;
    if (s[0] == 0xC2 && s[1] < 0xA0) return 0;
    size_t n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC2 ? 2 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    return n;
}

const char *shown_name(const char *name, char out[SHOWN_BYTES]) {
    size_t at = 0;
    while (*name && at < SHOWN_BYTES - 8) {
        size_t n = printable(name);
        if (n) memcpy(out + at, name, n);
        else out[at] = '?';
        at += n ? n : 1;
        name += n ? n : 1;
        while (n == 0 && ((unsigned char)*name & 0xC0) == 0x80) name++;
    }
    memcpy(out + at, *name ? "..." : "", *name ? 4 : 1);
    return out;
}

const char *shown_shape(int rank, const int64_t *shape, char out[SHOWN_BYTES]) {
    int at = snprintf(out, SHOWN_BYTES, "[");
    for (int i = 0; i < rank; i++)
        at += snprintf(out + at, (size_t)(SHOWN_BYTES - at), "%s%lld", i ? ", " : "",
                       (long long)shape[i]);
    snprintf(out + at, (size_t)(SHOWN_BYTES - at), "]");
    return out;
}
