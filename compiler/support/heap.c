/* The allocator of heap.h, over malloc. */
#include "support/heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void release(void *p, size_t bytes) {
    (void)bytes;
    free(p);
}

static size_t product(size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes;
}

void *heap_take(void *p, size_t bytes) {
    if (!p) guard_no_memory(bytes);
    guard_own_plain(p, bytes, release);
    return p;
}

void *heap_new(size_t count, size_t size) {
    size_t bytes = product(count, size);
    void *p = calloc(count ? count : 1, size ? size : 1);
    return heap_take(p, bytes);
}

void *heap_new_thing(size_t size, guard_release_fn *release_thing) {
    void *p = calloc(1, size);
    if (!p) guard_no_memory(size);
    guard_own(p, size, release_thing);
    return p;
}

void *heap_aligned(size_t bytes) {
    enum { LINE = 64 };
    size_t rounded = (bytes + LINE - 1) / LINE * LINE;
    if (rounded < bytes) guard_no_memory(bytes);
    return heap_take(aligned_alloc(LINE, rounded ? rounded : LINE), bytes);
}

/* The record moves with the memory, so room for it comes first: afterwards nothing may fail. */
void *heap_resize(void *p, size_t bytes) {
    bool on_record = !p || guard_owns(p);
    if (on_record && !guard_make_room()) guard_no_memory(bytes);
    guard_disown(p);
    void *q = realloc(p, bytes ? bytes : 1);
    if (on_record) guard_own_plain(q ? q : p, bytes, release);
    if (!q) guard_no_memory(bytes);
    return q;
}

void *heap_regrow(void *p, size_t count, size_t size) {
    size_t bytes = product(count, size);
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q) guard_no_memory(bytes);
    return q;
}

char *heap_text(const char *s) {
    size_t n = strlen(s) + 1;
    return memcpy(heap_new(n, 1), s, n);
}

void heap_free(void *p) {
    guard_disown(p);
    free(p);
}
