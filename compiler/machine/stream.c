#include "machine/stream.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { MIN_ARRAY = 32 << 20, MAX_ARRAY = 256 << 20 };

/* Bytes of the last cache that the first CPU sees, 0: unknown. sysconf() tells that of the whole
 * package on some CPUs, of which a core reaches only a part. */
static int64_t last_cache(void) {
    FILE *f = fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "re");
    long long kib = 0;
    bool known = f && fscanf(f, "%lldK", &kib) == 1;
    if (f) fclose(f);
    return known ? kib * 1024 : sysconf(_SC_LEVEL3_CACHE_SIZE);
}

int64_t stream_array_bytes(void) {
    int64_t cache = last_cache(), bytes = cache > 0 ? 2 * cache : 4 * (int64_t)MIN_ARRAY;
    if (bytes < MIN_ARRAY) bytes = MIN_ARRAY;
    return bytes > MAX_ARRAY ? MAX_ARRAY : bytes;
}
