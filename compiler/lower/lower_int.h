/* Shared by the files of lower/: what was read from the Graph, the buffers all kernels see, helpers.
 *
 * Layout of activations: streams and everything with one row per token are [batch][rows][width], where
 * rows is the padded length rounded up to the row block, and width is rounded up to a column tile. Rows
 * beyond the padded length hold finite values that no real token ever reads. */
#ifndef REFORMERC_LOWER_INT_H
#define REFORMERC_LOWER_INT_H

#include "lower/lower.h"
#include "lower/tiles.h"
#include "reformer_rt.h"

/* Added to the row length of scratch operands, so that rows do not share cache sets. */
enum { PADDING = 16 };
enum { LINE = 64 }; /* bytes of a cache line */
/* Score of a masked key, and the running maximum of a row that has seen no key: far below any dot
 * product, far above overflow when subtracted. */
#define NO_KEY (-1e30)
/* Score of a token as its own key in LSH attention: one of last resort. */
#define SELF_KEY (-1e5)
#define LOWEST   (-3.4028234663852886e38) /* of float */
#define GREATEST (-LOWEST)

/* One kind of attention layer; all layers of a kind share kernels and differ in weights only. */
typedef struct {
    bool present;
    layer_kind_t kind;
    int count;  /* layers of this kind: first dimension of their stacked weights */
    bool exact; /* every query against every key: no chunks, one round */
    bool causal;
    int64_t chunk, before, after, rounds;
    int n_factors;
    int64_t factors[MAX_FACTORS];
    int64_t buckets; /* product of factors */
    srcloc_t at;
    buffer_t *query, *key, *value, *output, *rotations; /* weights; key NULL for LSH */
    buffer_t *key_norm; /* exact: [batch][group][rows]; LSH: 1 / norm, local: norm / sqrt(head) */
    lfunc_t *project, *hash, *impose, *sort, *norms, *attend, *combine; /* kernels */
    lfunc_t *keep, *file; /* of prefills: into the cache; NULL: none */
} attention_t;

typedef struct cache cache_t; /* of generation: cache.h */

typedef struct {
    module_t *m;
    const graph_t *g;
    const layout_t *layout;
    const lower_options_t *o;
    const tiles_t *tiles; /* in force */
    arena_t *arena;
    bool is_step; /* else a forward, or a prefill */
    int lanes;    /* of the widest f32 vector */
    int64_t tile; /* columns of a register tile: lanes * tiles->vectors */

    int64_t batch;
    dim_t padded, rows, blocks; /* per batch element; rows = block * blocks */
    int64_t block;              /* rows per task of dense kernels */
    int64_t hidden, stream;     /* width, padded width */
    int64_t heads, head_size, head_stride, group, groups; /* heads per group, number of groups */
    int64_t ff;
    int n_layers;
    double eps;
    act_t act;
    attention_t attention[2]; /* by layer_kind_t */

    /* slots and weights */
    buffer_t *ids, *key, *row, *target, *control;
    buffer_t *att_norm_w, *att_norm_b, *ff_norm_w, *ff_norm_b, *w1, *b1, *w2, *b2;
    /* workspace */
    buffer_t *y1, *y2;           /* [batch][rows][stream] */
    buffer_t *q, *k, *v, *out;   /* [batch][group][rows][head_stride]; k: local only */
    buffer_t *run_max, *run_sum; /* [batch][group][rows]: online softmax over rounds */
    buffer_t *self_count;        /* [batch][group][rounds][rows]: Q2, keys equal to the query */
    buffer_t *buckets, *order;   /* [batch][group][rounds][rows + 1] */
    buffer_t *kind_table, *index_table; /* [n_layers] */
    cache_t *cache;                     /* NULL: this module neither fills nor reads one */
    buffer_t *last1, *last2; /* prefill: streams of the row's last token, [1][1][stream] */
    buffer_t *position;      /* step: [1][rows], each row's own; NULL: a row stands at its number */
    /* pure functions, made on demand */
    lfunc_t *fn[16];
    /* traces */
    buffer_t *trace_old, *trace_rows, *trace_self, *trace_buckets, *trace_order;
} lower_t;

/* Reads the graph; makes slots, weights, tables and pure functions (lower.c). */
lower_t *lower_begin(arena_t *arena, const graph_t *g, const layout_t *layout,
                     const lower_options_t *o);
void make_tables(lower_t *L); /* kind and number of each layer */
/* The number of a layer among its kind. */
value_t *layer_index(lower_t *L, builder_t *b, const attention_t *a, value_t *layer);

dim_t output_rows(const lower_t *L); /* rows of the caller's arrays: at most batch * padded */

/* ---- small helpers (lower_util.c) ---------------------------------------------------------- */
int64_t round_up(int64_t n, int64_t to);
srcloc_t where(const lower_t *L, spec_key_t key);
/* "encoder layers … (spec.yaml:12)": comment of a kernel. */
void describe(lower_t *L, lfunc_t *f, spec_key_t key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
const char *identifier(lower_t *L, const char *dotted); /* "lsh.value" → "lsh_value" */
buffer_t *weight(lower_t *L, const char *layout_name, int rank,
                 const int64_t *dims); /* NULL: absent */
buffer_t *workspace(lower_t *L, const char *name, elem_t e, int rank, const dim_t *dims,
                    const char *doc);
buffer_t *slot_buffer(lower_t *L, bufkind_t kind, int slot, const char *name, elem_t e, int rank,
                      const dim_t *dims);
void set_range(buffer_t *b, dim_t lo, dim_t hi);
ltype_t vec(const lower_t *L); /* f32 x lanes */
value_t *splat(builder_t *b, lower_t *L, double x);
value_t *at_most(builder_t *b, affine_t x, dim_t most); /* an index, held below an end */
value_t *load1(builder_t *b, buffer_t *buf, int rank, const affine_t *ix); /* scalar */
value_t *control(builder_t *b, lower_t *L, int which);
/* Launches a kernel as the part of the model that `label` names; layer NULL: outside of layers. */
void launch(builder_t *b, lfunc_t *kernel, value_t *const *args, const char *label, value_t *layer);
value_t *reduce(builder_t *b, lower_t *L, op_t op, value_t *v); /* vector → scalar, fixed tree */
/* Transposes lanes × lanes values in registers: rows[i] lane j → result[j] lane i. */
void transpose(builder_t *b, lower_t *L, value_t **rows);
/* Runs body for 0 … n-1 in steps of `lanes`, then once per remaining element with width 1. */
typedef void span_fn(lower_t *L, builder_t *b, void *ctx, affine_t at, int width);
void for_span(lower_t *L, builder_t *b, int64_t n, span_fn *body, void *ctx);

/* Folds 0 … n-1 into a scalar with `op`: body combines its elements with the accumulator, first in vectors
 * (reduced by a fixed tree), then one by one. */
typedef value_t *fold_fn(lower_t *L, builder_t *b, void *ctx, affine_t at, int width, value_t *acc);
value_t *fold_span(lower_t *L, builder_t *b, int64_t n, op_t op, double identity, fold_fn *body,
                   void *ctx);

/* ---- dense.c ---------------------------------------------------------------------------------- */
/* acc[r * vectors + j]: rows row … row+rows-1 of the block, columns col … of the tile. */
typedef void epilogue_fn(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                         value_t **acc);
/* Prefetches where the epilogue will write: `row` of the block, columns col … of the tile. */
typedef void target_fn(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col);
typedef struct {
    buffer_t *w; /* [prefix …][panel][k][PANEL] */
    int n_prefix;
    affine_t prefix[3];
} panels_t;
typedef struct {
    buffer_t *a; /* scratch [m][>= k] */
    int64_t m, k, n;
    panels_t w;
    const panels_t *next; /* what the next product reads, at least as deep; NULL: not known */
    affine_t k_base;      /* first k of w */
    affine_t first;       /* column tile to begin with */
    int64_t tiles;        /* how many of them; those beyond the last are left out; 0: all */
    epilogue_fn *epilogue;
    target_fn *target; /* NULL: what the epilogue writes is in the cache */
    /* NULL, or called dense_calls() times, at even distances, to prefetch what is needed later */
    void (*meanwhile)(lower_t *L, builder_t *b, void *ctx, affine_t call);
    void *ctx;
} dense_t;
/* Prefetches `width` elements; ix[rank - 1] is the first one's column. */
void prefetch_row(builder_t *b, buffer_t *buf, affine_t *ix, int64_t width);
void dense(lower_t *L, builder_t *b, const dense_t *d);
int64_t dense_calls(const lower_t *L, int64_t m, int64_t n, int64_t k);
int64_t column_tiles(const lower_t *L, int64_t n); /* register tiles over n columns */
/* A register tile by itself: rows of accumulators over columns, for attention and hashing. */
typedef value_t *tile_scalar_fn(lower_t *L, builder_t *b, void *ctx, int row, affine_t k);
typedef value_t *tile_vector_fn(lower_t *L, builder_t *b, void *ctx, int j, affine_t k);
typedef void tile_ahead_fn(lower_t *L, builder_t *b, void *ctx, affine_t step);
typedef struct {
    int rows, vectors;
    int64_t depth;
    tile_scalar_fn *x;
    tile_vector_fn *y;
    void *ctx;
    value_t *const *init; /* accumulators to start from; NULL: 0 */
    int64_t every;        /* `ahead` runs once per so many k, depth / every times; 0: never */
    tile_ahead_fn *ahead;
} product_t;
void tile_product(lower_t *L, builder_t *b, const product_t *p, value_t **acc);
int64_t row_tiles(const lower_t *L, int64_t m); /* register tiles over m rows */
/* Splits m rows into register tiles of nearly equal height: sizes size[i], count[i]; returns 1 or 2. */
int split_rows(const lower_t *L, int64_t m, int size[2], int64_t count[2]);
/* One tile after the other: `ordinal` counts them from 0. Returns how many there are. */
typedef void row_tile_fn(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                         affine_t ordinal);
void for_row_tiles(lower_t *L, builder_t *b, int64_t m, row_tile_fn *body, void *ctx);

/* ---- norm.c ------------------------------------------------------------------------------------ */
/* Layer norm of `m` rows, the concatenation of 1 or 2 streams, into scratch dst [m][>= width]. */
typedef struct {
    int n_src;
    buffer_t *src[2];
    affine_t batch, row0; /* rows row0 … of that batch element */
    int64_t m, width;     /* width of one source */
    double eps;
    buffer_t *weight, *bias; /* [prefix][padded width] */
    affine_t prefix;
    buffer_t *dst;
} norm_t;
void layer_norm_rows(lower_t *L, builder_t *b, const norm_t *n);

/* ---- kernels, one file each ---------------------------------------------------------------------- */
lfunc_t *lower_embed(lower_t *L);
void lower_projections(lower_t *L, attention_t *a);
void lower_hash(lower_t *L, attention_t *a);
void lower_lsh_attention(lower_t *L, attention_t *a);
void lower_local_attention(lower_t *L, attention_t *a);
void lower_exact_attention(lower_t *L, attention_t *a); /* `norms` and `attend`, of both kinds */
void lower_attention_output(lower_t *L, attention_t *a);
lfunc_t *lower_feed_forward(lower_t *L);

/* The head's kernels, launched in order by head_schedule. */
typedef struct head head_t;
head_t *lower_head(lower_t *L);
void head_schedule(lower_t *L, head_t *h, builder_t *entry);

/* --dump-activations: compact copies of padded buffers. */
typedef struct trace trace_t;
trace_t *lower_trace(lower_t *L);
/* Inside lsh_sort: copies buckets and order of one (batch, head, round), round offsets added. */
void lower_trace_order(lower_t *L, builder_t *b, const attention_t *a, value_t *group);
void trace_save(lower_t *L, trace_t *t, builder_t *entry, buffer_t *stream); /* before a stage */
void trace_delta(lower_t *L, trace_t *t, builder_t *entry, buffer_t *stream, const char *name,
                 value_t *layer);
void trace_stream(lower_t *L, trace_t *t, builder_t *entry, buffer_t *stream, const char *name,
                  value_t *layer);

#endif
