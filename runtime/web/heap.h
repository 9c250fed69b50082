/* Memory of a module: taken from its end, 64-byte aligned, given back all at once. */
#ifndef REFORMER_WEB_HEAP_H
#define REFORMER_WEB_HEAP_H

#include <stdint.h>

extern unsigned char __heap_base; /* where the linker's own data end */

enum { WASM_PAGE = 65536, HEAP_ALIGNMENT = 64 };

typedef struct {
    uint64_t top; /* first free byte; 0: nothing was taken yet */
} heap_t;

/* NULL: the engine gives no more, or bytes is 0. */
static inline void *heap_take(heap_t *h, uint64_t bytes) {
    uint64_t at = h->top ? h->top : (uintptr_t)&__heap_base;
    at = (at + HEAP_ALIGNMENT - 1) / HEAP_ALIGNMENT * HEAP_ALIGNMENT;
    uint64_t end = at + bytes, have = (uint64_t)__builtin_wasm_memory_size(0) * WASM_PAGE;
    if (bytes == 0 || end < bytes || end > UINT32_MAX) return 0;
    if (end > have) {
        uint64_t pages = (end - have + WASM_PAGE - 1) / WASM_PAGE;
        if (__builtin_wasm_memory_grow(0, (uintptr_t)pages) == (uintptr_t)-1) return 0;
    }
    h->top = end;
    return (void *)(uintptr_t)at;
}

#endif
