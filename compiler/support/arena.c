/* A bump allocator over a list of blocks. Paper: none; the textbook region allocator. */
#include "support/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/bug.h"
#include "support/guard.h"

typedef struct block {
    struct block *next;
    size_t used, size;
    /* the bytes follow, 16-byte aligned */
} block_t;

struct arena {
    block_t *head;
};

enum { BLOCK_BYTES = 1 << 16, ALIGN = 16 };
static const size_t header = (sizeof(block_t) + ALIGN - 1) / ALIGN * ALIGN;

static void release_blocks(arena_t *a) {
    for (block_t *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

/* Blocks are the arena's, whichever call adds them: only the arena itself is on record. */
static void release(void *a, size_t bytes) {
    (void)bytes;
    release_blocks(a);
}

arena_t *arena_new(void) {
    arena_t *a = calloc(1, sizeof *a);
    if (!a) guard_no_memory(sizeof *a);
    guard_own_plain(a, 0, release);
    return a;
}

void arena_free(arena_t *a) {
    if (!a) return;
    guard_disown(a);
    release_blocks(a);
}

void *arena_try(arena_t *a, size_t bytes) {
    if (bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (!a->head || a->head->size - a->head->used < bytes) {
        size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        block_t *b = calloc(1, header + size);
        if (!b) return NULL;
        b->size = size;
        b->next = a->head;
        a->head = b;
    }
    void *p = (char *)a->head + header + a->head->used;
    a->head->used += bytes;
    return p;
}

void *arena_alloc(arena_t *a, size_t bytes) {
    void *p = arena_try(a, bytes);
    if (!p) guard_no_memory(bytes);
    return p;
}

void *arena_copy(arena_t *a, const void *data, size_t bytes) {
    void *p = arena_alloc(a, bytes);
    if (bytes) memcpy(p, data, bytes);
    return p;
}

char *arena_strndup(arena_t *a, const char *s, size_t n) {
    char *p = arena_alloc(a, n + 1);
    if (n) memcpy(p, s, n);
    return p;
}

char *arena_strdup(arena_t *a, const char *s) {
    return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(arena_t *a, const char *fmt, va_list ap) {
    char first[256]; /* most texts are names, formatted once */
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(first, sizeof first, fmt, ap);
    if (n < 0) bug("bad format '%s'", fmt);
    char *p = arena_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof first) memcpy(p, first, (size_t)n);
    else vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

char *arena_printf(arena_t *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *p = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}

void *arena_grow(arena_t *a, void *list, size_t n, size_t *cap, size_t elem) {
    if (n < *cap) return list;
    size_t want = *cap ? *cap * 2 : 8;
    void *bigger = arena_alloc(a, want * elem);
    if (n) memcpy(bigger, list, n * elem);
    *cap = want;
    return bigger;
}
