/* Chunks of rows: see chunks.h. */
#include "lower/chunks.h"

/* Enough blocks for many threads; what stands in panels for a chunk stays small
 * beside the streams. */
enum { MAX_ROWS = 2048, WELL_CUT = 32 };

/* A multiple of `of`; 0: none. */
static int64_t largest_divisor(int64_t n, int64_t of) {
    int64_t d = MAX_ROWS / of * of;
    while (d > 0 && n % d) d -= of;
    return d;
}

/* Lengths without a divisor that will do are filled up with rows that count for nothing. */
dim_t choose_chunks(lower_t *L) {
    dim_t p = L->padded;
    bool trained = L->regions->backward < (int)L->g->n_nodes;
    if (!trained) return p;
    if (dim_literal(p) && p.c <= MAX_ROWS) {
        L->chunks.elements = MAX_ROWS / p.c < L->batch ? MAX_ROWS / p.c : L->batch;
        return p;
    }
    if (dim_literal(p)) {
        L->chunks.rows = largest_divisor(p.c, WELL_CUT);
        if (3 * L->chunks.rows < MAX_ROWS) L->chunks.rows = MAX_ROWS;
        return dim(L->chunks.rows);
    }
    bool small = p.u <= MAX_ROWS; /* the unit of lengths */
    L->chunks.rows = small ? MAX_ROWS / p.u * p.u : largest_divisor(p.u, 1);
    return small ? p : dim(L->chunks.rows);
}

void count_chunks(lower_t *L) {
    chunks_t *c = &L->chunks;
    int64_t blocks = dim_at(L->blocks, L->g->units.max);
    if (c->elements > 0) {
        c->blocks = c->elements * blocks;
        c->n = (L->batch + c->elements - 1) / c->elements;
    } else if (c->rows > 0) {
        c->blocks = c->rows / L->block;
        c->parts = (blocks + c->blocks - 1) / c->blocks;
        c->n = L->batch * c->parts;
    }
}

int64_t rows_of_chunk(const lower_t *L) {
    return L->chunks.blocks * L->block;
}

/* own, held below an end; *inside: whether it was. */
static value_t *held(builder_t *b, value_t *own, dim_t end, value_t **inside) {
    value_t *at = at_most(b, ax_v(own), dim_sub(end, dim(1)));
    *inside = b_compare(b, OP_EQ, own, at);
    return at;
}

chunk_task_t task_of_chunk(lower_t *L, builder_t *b, value_t *chunk, value_t *task) {
    const chunks_t *c = &L->chunks;
    chunk_task_t t = {.chunk_row = ax_scale(ax_v(task), L->block)};
    value_t *first = chunk, *block;
    if (c->elements == 0) first = b_irem(b, chunk, dim(c->parts));
    block = b_index(b, ax_add(ax_scale(ax_v(first), c->blocks), ax_v(task)));
    if (c->elements > 0) {
        if (L->batch % c->elements)
            block = held(b, block, dim_scale(L->blocks, L->batch), &t.inside);
        t.batch = ax_v(b_name(b_idiv(b, block, L->blocks), "batch"));
        block = b_irem(b, block, L->blocks);
    } else {
        if (!dim_equal(L->blocks, dim(c->parts * c->blocks)))
            block = held(b, block, L->blocks, &t.inside);
        t.batch = ax_v(b_name(b_idiv(b, chunk, dim(c->parts)), "batch"));
    }
    t.row0 = ax_scale(ax_v(b_name(block, "block")), L->block);
    return t;
}

chunk_loop_t for_chunks(lower_t *L, builder_t *b) {
    const chunks_t *c = &L->chunks;
    chunk_loop_t l = {.loop = b_for(b, "chunk", dim(0), dim(c->n), 0, NULL)};
    l.chunk = loop_var(l.loop);
    if (dim_literal(L->blocks)) return l;
    value_t *part = b_irem(b, l.chunk, dim(c->parts));
    value_t *first = b_index(b, ax_scale(ax_v(part), c->blocks));
    value_t *there = b_compare(b, OP_LT, first, b_index(b, (affine_t){.base = L->blocks}));
    l.branch = b_if(b, there, 0, NULL);
    return l;
}

void end_chunks(builder_t *b, const chunk_loop_t *c) {
    if (c->branch) b_end_if(b, c->branch, NULL);
    b_end_for(b, c->loop, NULL);
}
