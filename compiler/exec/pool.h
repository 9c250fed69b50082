/* Worker threads of this process, as the runtime's reformer_pool_t.
 *
 * Waiting workers look for work for some microseconds, then sleep. OpenMP's default is to spin much
 * longer, which on a machine with other things to do costs far more than waking up: the trained
 * checkpoint's eval on two busy cores ran 8 to 17 times slower that way. */
#ifndef REFORMERC_COMMANDS_POOL_H
#define REFORMERC_COMMANDS_POOL_H

#include "reformer_rt.h"

typedef struct pool pool_t;

/* The caller's thread is one of them; NULL for 1, or without memory. After fork() a child may go on with a pool that
 * was not at work: its first job there starts threads anew. */
pool_t *pool_new(int threads);
void pool_free(pool_t *p); /* NULL is fine */
/* Workers it really has: fewer than asked for when the system gave fewer threads; 1 for NULL. */
int pool_threads(const pool_t *p);
const reformer_pool_t *pool_interface(const pool_t *p); /* NULL for NULL */

#endif
