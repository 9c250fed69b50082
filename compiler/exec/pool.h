/* The runtime's pool (reformer_rt.h), on the heap. */
#ifndef REFORMERC_EXEC_POOL_H
#define REFORMERC_EXEC_POOL_H

#include "reformer_rt.h"

typedef struct pool pool_t;

/* NULL for 1 thread. */
pool_t *pool_new(int threads);
void pool_free(pool_t *p); /* NULL is fine */
/* Workers it really has: fewer than asked for when the system gave fewer threads; 1 for NULL. */
int pool_threads(const pool_t *p);
const reformer_pool_t *pool_interface(const pool_t *p); /* NULL for NULL */

#endif
