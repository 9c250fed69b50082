/* Memory by the page: room for arrays that are read all over (workspaces, weights),
 * and for code. */
#ifndef REFORMERC_SUPPORT_PAGES_H
#define REFORMERC_SUPPORT_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* At least `bytes` bytes, aligned to 64, uninitialised, on record (guard.h) until heap_free();
 * NULL: no memory. Large rooms ask for large pages where the system gives them on demand
 * (transparent_hugepage: madvise): LSH attention reads rows in the order of a sort, and a
 * translation per 4 KiB page costs it two to three per cent. */
void *pages_alloc(size_t bytes);

/* What this machine and its limits give a process at most, in bytes: beyond it the system says yes
 * and ends the process later. pages_alloc() keeps to it. */
size_t memory_limit(void);

/* Whether so many bytes could be had now: they are asked for and given back untouched. */
bool pages_are_there(size_t bytes);

/* 0, or the errno with which `call` ("mprotect") refused to make memory of this
 * process executable. */
int pages_forbid_code(const char **call);

/* A file in memory that holds the data, nameless and this process's alone; close() it. -1:
 * there is none to be had. */
int pages_file(const void *data, size_t bytes);

#endif
