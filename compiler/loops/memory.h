/* The interpreter's memory: where each buffer's bytes are, and what is known about them.
 *
 * All of workspace, scratch and outputs has shadows: the buffer that wrote it last, and the
 * task of the present launch that wrote it and those that read it. That finds reads of memory never
 * written, or written through a buffer that shares the place, and races between tasks. */
#ifndef REFORMERC_LOOPS_MEMORY_H
#define REFORMERC_LOOPS_MEMORY_H

#include "loops/rules.h"

struct reformer_call;

typedef struct {
    unsigned char *base;
    size_t shadows;
    int32_t *owner;   /* [shadows] 1 + id of the buffer written through last, 0: never    */
    uint32_t *writer; /* [shadows] stamp of the task that wrote it, as of memory_t.stamp   */
    uint32_t *reader; /* [shadows] of the task that read it; launch stamp itself: several */
    bool allocated;   /* base is ours */
} memory_region_t;

typedef struct {
    memory_region_t *region; /* NULL: read-only */
    unsigned char *base;     /* NULL: not bound at this call */
    int64_t offset;          /* in the region */
    int64_t dims[MAX_RANK];
} memory_place_t;

typedef struct {
    const module_t *m;
    const struct reformer_call *call;
    memory_place_t *places; /* [m->n_buffers] */
    /* One each for planned workspace and scratch, one for each other buffer */
    memory_region_t *regions;
    size_t n_regions;
    unsigned grain;  /* bytes that have a shadow */
    uint32_t launch; /* stamp of the present launch; its tasks are launch + 1 + number */
    uint32_t task;   /* stamp of the present task, 0: none */
    uint32_t next_launch;
} memory_t;

bool memory_open(memory_t *s, const module_t *m, const struct reformer_call *call, diag_t *d);
void memory_close(memory_t *s);
void memory_begin_launch(memory_t *s, int64_t tasks);
/* What the scratch of the kernel held is unknown again. */
void memory_begin_task(memory_t *s, const lfunc_t *kernel, int64_t task);
void memory_end_launch(memory_t *s);
/* NULL, or what is wrong with reading or writing `lanes` elements from element `at` on. */
const char *memory_read(memory_t *s, const buffer_t *b, int64_t at, int lanes);
const char *memory_write(memory_t *s, const buffer_t *b, int64_t at, int lanes);
/* Whole buffer: no byte of it was last written through another one. */
const char *memory_intact(const memory_t *s, const buffer_t *b);

#endif
