/* cycles N: N times compile, run, free. After the first tenth, memory does not grow: neither what malloc has given
 * out, nor the pages of the process (machine code stands in pages of its own). Exit 1 when it does.
 * Chunks that glibc keeps at hand for a thread count as given out: GLIBC_TUNABLES=glibc.malloc.tcache_count=0 turns
 * that off, and growth is 0 bytes. */
#include <malloc.h>
#include <unistd.h>

#include "library_test.h"

enum { KIB = 1024, HEAP_SLACK = 4 * KIB, PAGES_SLACK = 8 * KIB * KIB };

static size_t heap_bytes(void) {
    return mallinfo2().uordblks;
}

static size_t resident_bytes(void) {
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long size = 0, resident = 0;
    if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2) bug("no /proc/self/statm");
    fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static bool cycle(const char *backend) {
    case_t c = case_open("e_clm_short_full_attention_7");
    reformerc_model_t *m = case_compile(
        &c, (reformerc_options_t){.size = sizeof(reformerc_options_t), .backend = backend});
    bool ok = m && case_run(&c, m, 2) == 0;
    ok = ok && reformerc_bind(m, "random", NULL) == REFORMER_OK;
    reformerc_free(m);
    case_close(&c);
    return ok;
}

static bool repeat(const char *backend, int n) {
    for (int i = 0; i < n; i++)
        if (!cycle(backend)) return false;
    return true;
}

static bool holds(const char *backend, int n) {
    if (!repeat(backend, 1 + n / 10)) return false;
    size_t heap = heap_bytes(), pages = resident_bytes();
    if (!repeat(backend, n)) return false;
    long heap_grew = (long)(heap_bytes() - heap), pages_grew = (long)(resident_bytes() - pages);
    printf("%-10s %d cycles: heap %+ld bytes, resident %+ld bytes\n", backend ? backend : "default",
           n, heap_grew, pages_grew);
#ifdef __SANITIZE_ADDRESS__
    return true; /* keeps freed memory on purpose, and looks for leaks itself */
#else
    return heap_grew <= HEAP_SLACK && pages_grew <= PAGES_SLACK;
#endif
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 200;
    return holds(NULL, n) && holds("reference", n) ? 0 : 1;
}
