/* What pages.h says, over the system's calls. */
#define _GNU_SOURCE /* MADV_HUGEPAGE, memfd_create */
#include "support/pages.h"

#include "support/guard.h"
#include "support/heap.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    LINE = 64,
    HUGE_PAGE = 2 << 20,
    FEW = 4
}; /* pages below which advice is not worth rounding up */

static void lower_to(size_t *limit, uintmax_t value) {
    if (value < *limit) *limit = (size_t)value;
}

/* Of a container, where there is one; "max" is none. */
static void lower_to_group(size_t *limit) {
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "re");
    uintmax_t value;
    if (!f) return;
    if (fscanf(f, "%ju", &value) == 1) lower_to(limit, value);
    fclose(f);
}

size_t memory_limit(void) {
    static const int kinds[] = {RLIMIT_AS, RLIMIT_DATA};
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    size_t limit = SIZE_MAX / 2;
    struct rlimit r;
    if (pages > 0 && bytes > 0) lower_to(&limit, (uintmax_t)pages * (uintmax_t)bytes);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (getrlimit(kinds[i], &r) == 0 && r.rlim_cur != RLIM_INFINITY)
            lower_to(&limit, r.rlim_cur);
    lower_to_group(&limit);
    return limit;
}

void *pages_alloc(size_t bytes) {
    if (bytes > HUGE_PAGE && bytes > memory_limit()) return NULL;
    size_t align = bytes >= (size_t)FEW * HUGE_PAGE ? HUGE_PAGE : LINE;
    size_t rounded = (bytes + align - 1) / align * align;
    if (rounded < bytes) return NULL;
    if (!guard_make_room()) return NULL;
    void *room = aligned_alloc(align, rounded ? rounded : align);
    if (room) (void)heap_take(room, rounded);
    /* advice only: without it everything works */
    if (room && align == HUGE_PAGE) (void)madvise(room, rounded, MADV_HUGEPAGE);
    return room;
}

bool pages_are_there(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED && munmap(p, bytes) == 0;
}

/* As LLVM's linker does it: writable first, then executable. */
int pages_forbid_code(const char **call) {
    enum { BYTES = 4096 };
    *call = "mmap";
    void *page = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return errno;
    *call = "mprotect";
    int error = mprotect(page, BYTES, PROT_READ | PROT_EXEC) == 0 ? 0 : errno;
    munmap(page, BYTES);
    return error;
}

int pages_file(const void *data, size_t bytes) {
    int fd = memfd_create("reformerc", MFD_CLOEXEC);
    const char *p = data;
    while (fd >= 0 && bytes > 0) {
        ssize_t some = write(fd, p, bytes);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0) {
            close(fd);
            return -1;
        }
        p += some;
        bytes -= (size_t)some;
    }
    return fd;
}
