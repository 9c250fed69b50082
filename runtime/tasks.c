/* Tasks, handed out to workers: each takes as many at a time as leave the others enough to do. What
 * tasks write is handed over when a launch ends, so handing them out needs no order of its own. */
#include "reformer_rt.h"

enum { SHARES = 8, MAX_AT_ONCE = 16 }; /* of what is left, a worker takes 1 / SHARES of its part */

int64_t reformer_take_tasks(int64_t *next, int64_t n, int workers, int64_t *first) {
    int64_t at = __atomic_load_n(next, __ATOMIC_RELAXED), some;
    do {
        if (at >= n) return 0;
        some = (n - at) / ((int64_t)workers * SHARES);
        some = some < 1 ? 1 : some > MAX_AT_ONCE ? MAX_AT_ONCE : some;
    } while (
        !__atomic_compare_exchange_n(next, &at, at + some, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    *first = at;
    return some;
}
