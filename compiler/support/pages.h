/* Room for arrays that are read all over: workspaces and weights. */
#ifndef REFORMERC_SUPPORT_PAGES_H
#define REFORMERC_SUPPORT_PAGES_H

#include <stddef.h>

/* At least `bytes` bytes, aligned to 64, uninitialised, for free(); NULL: no memory. Large rooms ask for large
 * pages where the system gives them on demand (transparent_hugepage: madvise): LSH attention reads rows in
 * the order of a sort, and a translation per 4 KiB page costs it two to three per cent. */
void *pages_alloc(size_t bytes);

#endif
