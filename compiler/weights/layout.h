/* Where each weight stands in the packed weights file, and in which arrangement.
 *
 * One layout serves all targets, and all graphs of a model. Weights that differ in the number of
 * their layer only, and have one shape, are stacked under one name, so that kernels index them and
 * code does not grow with depth; how they are arranged follows from the node that reads them.
 * Numbers of one type stand together, in a section. Offsets are bytes from the start of the file,
 * multiples of 64, after the header of runtime/reformer_rt.h. The packer (weights/pack.c) and the
 * lowering read the same table. REFORMER_WEIGHTS_VERSION rises when the arrangement of float32
 * changes; where other types alone are arranged anew, their files' fingerprints do. */
#ifndef REFORMERC_WEIGHTS_LAYOUT_H
#define REFORMERC_WEIGHTS_LAYOUT_H

#include "graph/update.h"

enum { PANEL = 32 };

typedef enum {
    /* [count][elements], elements padded with zeros to a multiple of PANEL, of
     * i8 twice: vectors, tables */
    PACK_ROWS,
    /* Dense weight [out, in] → [count][ceil(out/32)][in][32]: K-major panels, zero-padded */
    PACK_PANELS,
    PACK_HEAD_PANELS, /* [H*d, in] → [count][H][ceil(d/32)][in][32]: every head starts a panel */
    PACK_ROTATIONS,   /* [H, d, n, R] → [count][H][n][d][R] */
    PACK_COLUMNS      /* [out, in] → [count][ceil(in/32)][out][32]: panels of its transpose */
} pack_kind_t;

/* Panels of bf16 hold K in pairs, as instructions that multiply them take both of a pair at once:
 * [ceil(in/2)][32][2] in the place of [in][32], and so of columns; the second of a pair beyond the
 * last is 0. Those of i8 hold it in fours, [ceil(in/4)][32][4], and have two arrays of their own,
 * with a number for each row of a panel, that is for each output: its scale, f32; and where its sum
 * of products begins if the other factor is held as q + 128: -128 times the sum of its integers,
 * i32. Tables of i8 have a scale for each of their rows. What is no row has 0. */

/* Of a train step a matrix of bf16 stands there a third time, before both, as PACK_ROWS of f32: the
 * values that are trained, of which the others are the roundings. */

/* Matrices of dense layers become panels; of whole heads, where the result goes by heads into
 * attention and nowhere else. Where a train step multiplies by the transpose (DENSE_T), the matrix
 * is packed a second time, as columns: then that product is the forward's, register tile for
 * register tile, at its speed. It costs a second copy of these matrices in memory, and packing each
 * twice when weights change: some bytes per weight and step, where products with it are two flops
 * per weight and token. Reading the forward's panels instead would need a transposed tile
 * per panel in every block. */
typedef struct {
    pack_kind_t kind;
    int64_t heads; /* PACK_HEAD_PANELS */
    gtype_t type;  /* G_F32, G_BF16, G_I8 */
} arrangement_t;

typedef struct {
    /* "feed_forward.dense.dense.weight": unique; '.' becomes '_' in buffer names */
    const char *name;
    pack_kind_t kind;
    int count;               /* stacked layers; 1 for what exists once */
    size_t room, room_again; /* of source, of again */
    const char **source;     /* [count] Hugging Face names (no prefix), or "layers.N.rotations" */
    bool *again;             /* [count]: it stands in another arrangement before; NULL: none does */
    int rank;                /* of the source tensor */
    int64_t shape[UPDATE_RANK]; /* of the source tensor */
    int64_t heads;              /* PACK_HEAD_PANELS */
    gtype_t type;               /* of the packed array: G_F32, G_BF16, G_I8 */
    int packed_rank;            /* of the packed array, count included */
    int64_t packed[UPDATE_RANK + 1];
    int64_t offset, bytes; /* of the packed array */
    /* G_I8: numbers per tensor in the arrays of its own, a multiple of PANEL; else 0 */
    int64_t rows;
    int64_t scales_at; /* of f32 [count][rows], in the file */
    int64_t starts_at; /* of i32 [count][rows]; 0: none, it is a table */
} layout_entry_t;

typedef struct {
    layout_entry_t *entries;
    int n;
    struct place *places; /* by the source's name, and by name and arrangement: a hash table */
    size_t n_places;
    int64_t data_end; /* header + data, multiple of 64 */
    /* where the sections of these begin, behind that of f32, in this order; 0: there is none */
    int64_t bf16_at, integers_at;
    uint64_t fingerprint; /* of params, of what reads them, and REFORMER_WEIGHTS_VERSION */
} layout_t;

/* From the params of a graph, the one with the most of them where there are several; every graph of
 * one model then gives the same layout. */
layout_t *layout_make(arena_t *a, const graph_t *g);
/* As what a node reads a PARAM, its input number `input`; heads: of the attention that alone takes
 * the node's result, 0: somebody else does. */
arrangement_t layout_arrangement(const gnode_t *reader, int input, int64_t heads);
static inline int64_t layout_element_bytes(gtype_t type) {
    return type == G_BF16 ? 2 : type == G_I8 ? 1 : (int64_t)sizeof(float);
}
/* What panels hold side by side of each row. */
static inline int64_t layout_side_by_side(gtype_t type) {
    return type == G_BF16 ? 2 : type == G_I8 ? 4 : 1;
}
/* With the arrays of its own. */
static inline int64_t layout_entry_bytes(const layout_entry_t *e) {
    return e->bytes + e->count * e->rows * (e->starts_at ? 8 : 4);
}
/* What `packed`, packed_rank and bytes of a weights file's entry are, from the rest of it. */
void layout_shape_entry(layout_entry_t *e);
bool layout_is_read(const gnode_t *reader); /* the values of its PARAMs, not just which they are */
/* Where each gradient stands in the memory that a train step fills, from the GRADIENTs of its
 * graph: [count][shape …] row-major without padding, so that every tensor is dense in the shape
 * that it has at Hugging Face. Stacks begin at multiples of 64 bytes from the start, data_end is
 * the size of all; `kind` means nothing. Found by the PARAM's name. */
layout_t *layout_gradients(arena_t *a, const graph_t *g);
/* The same of a state that an optimiser keeps, by the number of its entry in `gradients`: entries
 * that have none of it count no layers. */
layout_t *layout_state(arena_t *a, const layout_t *gradients, const update_t *u, int state);
/* Where a source stands, first of all or in this arrangement: its entry, and its
 * number there. NULL: nowhere. */
const layout_entry_t *layout_find(const layout_t *l, const char *source, int *index);
const layout_entry_t *layout_find_as(const layout_t *l, const char *source, arrangement_t as,
                                     int *index);

#endif
