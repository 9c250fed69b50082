/* Memory that may run out. Who cannot go on without it asks here: there is no NULL to check, the
 * guard of the call (guard.h) is given up instead, and what it had made is released. Memory of one
 * compilation is in an arena (arena.h); large rooms, whose size a user chose, come from
 * pages.h, which returns NULL. */
#ifndef REFORMERC_SUPPORT_HEAP_H
#define REFORMERC_SUPPORT_HEAP_H

#include <stddef.h>

#include "support/guard.h"

/* Zeroed, for malloc's alignment; never NULL. On record until heap_free(). */
void *heap_new(size_t count, size_t size);
void *heap_resize(void *p, size_t bytes); /* NULL: new, uninitialised */
char *heap_text(const char *s);           /* a copy */
void heap_free(void *p);                  /* NULL is fine; memory of plain malloc() too */

/* A thing that is released by more than heap_free(), which frees it in the end. */
void *heap_new_thing(size_t size, guard_release_fn *release);

/* Of an owner that is older than the call and releases it: not on record. Never NULL. */
void *heap_regrow(void *p, size_t count, size_t size);

void *heap_aligned(size_t bytes); /* to 64, uninitialised */

/* Takes what malloc() or its like gave: on record from here on, NULL gives up. */
void *heap_take(void *p, size_t bytes);

#endif
