/* Memory of one compilation: allocate freely, free once.
 *
 * Everything a compilation makes (Spec, Graph, Loops, their strings) lives in one arena.
 * Memory is zeroed and 16-byte aligned. Allocation never returns NULL: out of memory gives up the
 * guard of the call (guard.h), which releases the arenas made under it. One thread per arena. */
#ifndef REFORMERC_SUPPORT_ARENA_H
#define REFORMERC_SUPPORT_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct arena arena_t;

arena_t *arena_new(void);
void arena_free(arena_t *a); /* NULL is fine */

void *arena_alloc(arena_t *a, size_t bytes);
void *arena_try(arena_t *a, size_t bytes); /* NULL: so much is not to be had */
void *arena_copy(arena_t *a, const void *data, size_t bytes);
char *arena_strdup(arena_t *a, const char *s);
char *arena_strndup(arena_t *a, const char *s, size_t n);
char *arena_printf(arena_t *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(arena_t *a, const char *fmt, va_list ap);

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (size_t)(n)))

/* Makes room for one more element in an arena-backed array: ARENA_PUSH(a, list, n, cap) = x; */
void *arena_grow(arena_t *a, void *list, size_t n, size_t *cap, size_t elem);
#define ARENA_PUSH(a, list, n, cap)                                                                \
    (*((list) = arena_grow((a), (list), (size_t)(n), &(cap), sizeof *(list)), &(list)[(n)++]))

#endif
