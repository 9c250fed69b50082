/* Aligned room with advice on pages, for pages.h. */
#define _DEFAULT_SOURCE /* MADV_HUGEPAGE */
#include "support/pages.h"

#include <stdlib.h>
#include <sys/mman.h>

enum {
    LINE = 64,
    HUGE_PAGE = 2 << 20,
    FEW = 4
}; /* pages below which advice is not worth rounding up */

void *pages_alloc(size_t bytes) {
    size_t align = bytes >= (size_t)FEW * HUGE_PAGE ? HUGE_PAGE : LINE;
    size_t rounded = (bytes + align - 1) / align * align;
    if (rounded < bytes) return NULL;
    void *room = aligned_alloc(align, rounded ? rounded : align);
    /* advice only: without it everything works */
    if (room && align == HUGE_PAGE) (void)madvise(room, rounded, MADV_HUGEPAGE);
    return room;
}
