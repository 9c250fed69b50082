/* Chunks of rows: what sums over rows (sums.h) go through one after the other, each a
 * launch of tasks by blocks.
 *
 * Of short batch elements a chunk takes several, of long ones a part. Its rows follow from the
 * graph alone, so that sums depend neither on threads nor on a target or its tiles: blocks are
 * chosen to fill chunks, and rows that only fill blocks up count as zeros. */
#ifndef REFORMERC_LOWER_CHUNKS_H
#define REFORMERC_LOWER_CHUNKS_H

#include "lower/lower_int.h"

/* Before blocks are chosen: where chunks end. Returns what blocks have to divide. */
dim_t choose_chunks(lower_t *L);
void count_chunks(lower_t *L); /* behind that */
int64_t rows_of_chunk(const lower_t *L);

/* In a kernel whose tasks are a chunk's blocks: which rows of which batch element a task has. */
typedef struct {
    affine_t batch, row0, chunk_row; /* its first row: of the batch element, and of the chunk */
    value_t *inside;                 /* whether there is such a block; NULL: always */
} chunk_task_t;
chunk_task_t task_of_chunk(lower_t *L, builder_t *b, value_t *chunk, value_t *task);

/* In an entry: a loop over chunks, of which those that a length does not have are left out. */
typedef struct {
    inst_t *loop, *branch;
    value_t *chunk;
} chunk_loop_t;
chunk_loop_t for_chunks(lower_t *L, builder_t *b);
void end_chunks(builder_t *b, const chunk_loop_t *c);

#endif
