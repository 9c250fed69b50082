/* Printable forms of untrusted names (names.h). */
#include "weights/names.h"

#include <stdio.h>
#include <string.h>

#include "support/printable.h"

const char *shown_name(const char *name, char out[SHOWN_BYTES]) {
    const char *end = name + strlen(name);
    size_t at = 0;
    while (name < end && at < SHOWN_BYTES - 8) {
        bool ok;
        size_t n = printable(name, end, &ok);
        if (ok) memcpy(out + at, name, n);
        else out[at] = '?';
        at += ok ? n : 1;
        name += n;
    }
    const char *rest = name < end ? "..." : "";
    memcpy(out + at, rest, strlen(rest) + 1);
    return out;
}

const char *shown_shape(int rank, const int64_t *shape, char out[SHOWN_BYTES]) {
    int at = snprintf(out, SHOWN_BYTES, "[");
    for (int i = 0; i < rank && i < 8; i++)
        at += snprintf(out + at, (size_t)(SHOWN_BYTES - at), "%s%lld", i ? ", " : "",
                       (long long)shape[i]);
    snprintf(out + at, (size_t)(SHOWN_BYTES - at), "%s]", rank > 8 ? ", …" : "");
    return out;
}
