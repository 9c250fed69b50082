/* The shadow memory of memory.h. A shadow stands for as many bytes as the narrowest element has that
 * the module writes, four at most: an element is written whole, so its parts never differ. */
#include "loops/memory.h"

#include <string.h>

#include "reformer_rt.h"
#include "support/heap.h"

/* ---- places ---------------------------------------------------------------------------------- */

static memory_region_t *new_region(memory_t *s, unsigned char *base, int64_t bytes) {
    memory_region_t *r = &s->regions[s->n_regions++];
    size_t n = (size_t)bytes;
    *r = (memory_region_t){.base = base};
    if (!base) {
        /* 64-byte aligned, as the runtime's; filled with NaN, so that a missed check shows */
        size_t rounded = (n + 63) / 64 * 64;
        r->base = heap_aligned(rounded);
        memset(r->base, 0xFF, rounded);
        r->allocated = true;
    }
    r->shadows = (n + s->grain - 1) / s->grain;
    r->owner = heap_new(r->shadows, sizeof *r->owner);
    r->writer = heap_new(r->shadows, sizeof *r->writer);
    r->reader = heap_new(r->shadows, sizeof *r->reader);
    return r;
}

static void place_in(memory_place_t *p, memory_region_t *r, int64_t offset) {
    p->region = r;
    p->offset = offset;
    p->base = r->base + offset;
}

static void place_buffer(memory_t *s, const buffer_t *b, memory_region_t *workspace,
                         memory_region_t *scratch) {
    memory_place_t *p = &s->places[b->id];
    int64_t units = s->call->units, bytes = dim_at(buffer_bytes(b), units);
    for (int k = 0; k < b->rank; k++) p->dims[k] = dim_at(b->dims[k], units);
    bool record =
        b->slot >= REFORMER_SLOT_RECORDS && b->slot < REFORMER_SLOT_RECORDS + REFORMER_RECORD_PARTS;
    if (b->kind == BUF_STATE && record) { /* as many as there is room for */
        bytes = bytes / p->dims[0] * s->call->capacity;
        p->dims[0] = s->call->capacity;
    }
    switch (b->kind) {
    case BUF_WEIGHTS:
        if (s->call->weights)
            p->base = (unsigned char *)(uintptr_t)s->call->weights + dim_at(b->offset, units);
        break;
    case BUF_TABLE: p->base = (unsigned char *)(uintptr_t)b->data; break;
    case BUF_INPUT: p->base = s->call->slot[b->slot]; break;
    case BUF_OUTPUT:
        if (!s->call->slot[b->slot]) break;
        place_in(p,
                 new_region(s, (unsigned char *)s->call->slot[b->slot] + dim_at(b->offset, units),
                            bytes),
                 0);
        break;
    case BUF_STATE: /* earlier calls wrote it */
        if (!s->call->slot[b->slot]) break;
        place_in(p, new_region(s, s->call->slot[b->slot], bytes), 0);
        for (size_t k = 0; k < p->region->shadows; k++) p->region->owner[k] = b->id + 1;
        break;
    case BUF_WORKSPACE:
    case BUF_SCRATCH:
        if (b->planned)
            place_in(p, b->kind == BUF_SCRATCH ? scratch : workspace, dim_at(b->offset, units));
        else place_in(p, new_region(s, NULL, bytes), 0);
    }
}

static unsigned grain_of(const module_t *m) {
    int grain = 4;
    for (size_t k = 0; k < m->n_buffers; k++) {
        const buffer_t *b = m->buffers[k];
        bool read_only = b->kind == BUF_WEIGHTS || b->kind == BUF_TABLE || b->kind == BUF_INPUT;
        if (!read_only && elem_bytes(b->elem) < grain) grain = elem_bytes(b->elem);
    }
    return (unsigned)grain;
}

bool memory_open(memory_t *s, const module_t *m, const struct reformer_call *call, diag_t *d) {
    *s = (memory_t){.m = m, .call = call, .next_launch = 1, .grain = grain_of(m)};
    if (call->units < m->units.min || call->units > m->units.max) {
        diag_error(d, IN_FILE(m->name), "length of %lld units, the module is for %lld .. %lld",
                   (long long)call->units, (long long)m->units.min, (long long)m->units.max);
        return false;
    }
    for (size_t k = 0; k < m->n_buffers; k++)
        if (m->buffers[k]->slot >= REFORMER_SLOTS) {
            diag_error(d, IN_FILE(m->name), "buffer '%s': there is no slot %d", m->buffers[k]->name,
                       m->buffers[k]->slot);
            return false;
        }
    s->places = heap_new(m->n_buffers, sizeof *s->places);
    s->regions = heap_new(m->n_buffers + 2, sizeof *s->regions);
    memory_region_t *workspace =
        new_region(s, call->workspace, dim_at(m->workspace_bytes, call->units));
    memory_region_t *scratch = new_region(s, NULL, dim_at(m->scratch_bytes, call->units));
    for (size_t k = 0; k < m->n_buffers; k++) place_buffer(s, m->buffers[k], workspace, scratch);
    return true;
}

void memory_close(memory_t *s) {
    for (size_t k = 0; k < s->n_regions; k++) {
        memory_region_t *r = &s->regions[k];
        if (r->allocated) heap_free(r->base);
        heap_free(r->owner);
        heap_free(r->writer);
        heap_free(r->reader);
    }
    heap_free(s->regions);
    heap_free(s->places);
}

/* Shadows of so many bytes of a buffer. */
typedef struct {
    size_t from, to;
} span_t;

static span_t span_of(const memory_t *s, const buffer_t *b, int64_t at, int64_t bytes) {
    size_t from = (size_t)(s->places[b->id].offset + at);
    return (span_t){from / s->grain, (from + (size_t)bytes) / s->grain};
}

/* ---- launches -------------------------------------------------------------------------------- */

void memory_begin_launch(memory_t *s, int64_t tasks) {
    if (tasks >=
        UINT32_MAX - s->next_launch) { /* stamps run out: forget those of earlier launches */
        for (size_t k = 0; k < s->n_regions; k++) {
            size_t n = s->regions[k].shadows * sizeof(uint32_t);
            memset(s->regions[k].writer, 0, n);
            memset(s->regions[k].reader, 0, n);
        }
        s->next_launch = 1;
    }
    s->launch = s->next_launch;
    s->next_launch += (uint32_t)tasks + 1;
}

void memory_begin_task(memory_t *s, const lfunc_t *kernel, int64_t task) {
    s->task = s->launch + 1 + (uint32_t)task;
    for (size_t k = 0; k < s->m->n_buffers; k++) {
        const buffer_t *b = s->m->buffers[k];
        if (b->owner != kernel) continue;
        span_t all = span_of(s, b, 0, dim_at(buffer_bytes(b), s->call->units));
        memset(s->places[k].region->owner + all.from, 0, (all.to - all.from) * sizeof(int32_t));
    }
}

void memory_end_launch(memory_t *s) {
    s->task = 0;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static const char *owner_error(const memory_t *s, const buffer_t *b, int32_t owner) {
    static _Thread_local char text[300];
    if (owner == b->id + 1) return NULL;
    if (owner == 0) return "the memory was never written";
    snprintf(text, sizeof text, "the memory was last written through '%s'",
             s->m->buffers[owner - 1]->name);
    return text;
}

static span_t span_of_lanes(const memory_t *s, const buffer_t *b, int64_t at, int lanes) {
    int size = elem_bytes(b->elem);
    return span_of(s, b, at * size, (int64_t)lanes * size);
}

static size_t first_of_others(const memory_region_t *r, const buffer_t *b, span_t at) {
    while (at.from < at.to && r->owner[at.from] == b->id + 1) at.from++;
    return at.from;
}

const char *memory_read(memory_t *s, const buffer_t *b, int64_t at, int lanes) {
    memory_place_t *p = &s->places[b->id];
    if (!p->base) return "the buffer is not bound in this call";
    memory_region_t *r = p->region;
    if (!r) return NULL;
    span_t span = span_of_lanes(s, b, at, lanes);
    size_t other = first_of_others(r, b, span);
    if (other < span.to) return owner_error(s, b, r->owner[other]);
    if (!s->task || b->kind == BUF_SCRATCH) return NULL; /* no other task sees it */
    for (size_t k = span.from; k < span.to; k++) {
        if (r->writer[k] > s->launch && r->writer[k] != s->task)
            return "another task of this launch writes it";
        bool by_other = r->reader[k] >= s->launch && r->reader[k] != s->task;
        r->reader[k] = by_other ? s->launch : s->task;
    }
    return NULL;
}

const char *memory_write(memory_t *s, const buffer_t *b, int64_t at, int lanes) {
    memory_place_t *p = &s->places[b->id];
    if (!p->base) return "the buffer is not bound in this call";
    memory_region_t *r = p->region;
    span_t span = span_of_lanes(s, b, at, lanes);
    for (size_t k = span.from; k < span.to; k++) r->owner[k] = b->id + 1;
    if (!s->task || b->kind == BUF_SCRATCH) return NULL;
    for (size_t k = span.from; k < span.to; k++) {
        if (r->writer[k] > s->launch && r->writer[k] != s->task)
            return "another task of this launch writes it too";
        if (r->reader[k] >= s->launch && r->reader[k] != s->task)
            return "another task of this launch reads it";
        r->writer[k] = s->task;
    }
    return NULL;
}

const char *memory_intact(const memory_t *s, const buffer_t *b) {
    const memory_place_t *p = &s->places[b->id];
    if (!p->base) return "the buffer is not bound in this call";
    span_t all = span_of(s, b, 0, dim_at(buffer_bytes(b), s->call->units));
    for (size_t k = all.from; p->region && k < all.to; k++) {
        int32_t owner = p->region->owner[k];
        if (owner) {
            const char *wrong = owner_error(s, b, owner);
            if (wrong) return wrong;
        }
    }
    return NULL;
}
