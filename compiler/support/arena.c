/* A bump allocator over a list of blocks. Paper: none; the textbook region allocator.
 *
 * Blocks double, up to a size that malloc() still cuts from its heap: many arenas are of one short
 * task. Memory is zeroed where it is handed out, since what comes back from the
 * last task is not. */
#include "support/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/bug.h"
#include "support/guard.h"
#include "support/print.h"

typedef struct arena_block {
    struct arena_block *next;
    size_t used, size;
    /* the bytes follow, 16-byte aligned */
} arena_block_t;

struct arena {
    arena_block_t *head; /* what is left of it is used next */
};

enum { FIRST_BYTES = 1 << 12, BLOCK_BYTES = 1 << 16, ALIGN = 16 };
static const size_t header = (sizeof(arena_block_t) + ALIGN - 1) / ALIGN * ALIGN;

static void release_blocks(arena_t *a) {
    for (arena_block_t *b = a->head, *next; b; b = next) {
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

/* Becomes the block that is used next; a large one stands behind that. */
static arena_block_t *add_block(arena_t *a, size_t size, bool zero) {
    arena_block_t *b = zero ? calloc(1, header + size) : malloc(header + size);
    if (!b) return NULL;
    bool large = a->head && size > BLOCK_BYTES;
    arena_block_t **place = large ? &a->head->next : &a->head;
    b->size = size;
    b->used = 0;
    b->next = *place;
    *place = b;
    return b;
}

static size_t next_size(const arena_t *a) {
    if (!a->head) return FIRST_BYTES;
    return a->head->size < BLOCK_BYTES / 2 ? 2 * a->head->size : BLOCK_BYTES;
}

/* NULL: so much is not to be had. Pages of a large block are zero, and are there,
 * when they are touched. */
static void *take(arena_t *a, size_t bytes, bool zero) {
    if (bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    arena_block_t *b = a->head;
    bool large = bytes > BLOCK_BYTES;
    if (!b || b->size - b->used < bytes) {
        size_t size = next_size(a);
        b = add_block(a, bytes > size ? bytes : size, zero && large);
    }
    if (!b) return NULL;
    void *p = (char *)b + header + b->used;
    b->used += bytes;
    return zero && !large ? memset(p, 0, bytes) : p;
}

static void *must_take(arena_t *a, size_t bytes, bool zero) {
    void *p = take(a, bytes, zero);
    if (!p) guard_no_memory(bytes);
    return p;
}

void *arena_try(arena_t *a, size_t bytes) {
    return take(a, bytes, true);
}

void *arena_alloc(arena_t *a, size_t bytes) {
    return must_take(a, bytes, true);
}

void *arena_copy(arena_t *a, const void *data, size_t bytes) {
    void *p = must_take(a, bytes, false);
    if (bytes) memcpy(p, data, bytes);
    return p;
}

char *arena_strndup(arena_t *a, const char *s, size_t n) {
    char *p = must_take(a, n + 1, false);
    if (n) memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *arena_strdup(arena_t *a, const char *s) {
    return arena_strndup(a, s, strlen(s));
}

/* Into what is left of the block; where that is too short, its length is known. */
char *arena_vprintf(arena_t *a, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    size_t room = a->head ? a->head->size - a->head->used : 0;
    char *p = room ? (char *)a->head + header + a->head->used : NULL;
    int n = print_text(p, room, fmt, ap);
    if (n < 0) bug("bad format '%s'", fmt);
    bool fits = (size_t)n < room;
    p = must_take(a, (size_t)n + 1, false);
    if (!fits) (void)print_text(p, (size_t)n + 1, fmt, again);
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
    char *bigger = must_take(a, want * elem, false);
    if (n) memcpy(bigger, list, n * elem);
    memset(bigger + n * elem, 0, (want - n) * elem);
    *cap = want;
    return bigger;
}
