/* Shared by the files of lower/: what was read from the Graph, the buffers all
 * kernels see, helpers.
 *
 * Layout of activations: streams and everything with one row per token are [batch][rows][width],
 * where rows is the padded length rounded up to the row block, and width is rounded up to a column
 * tile. Rows beyond the padded length hold finite values that no real token ever reads. */
#ifndef REFORMERC_LOWER_INT_H
#define REFORMERC_LOWER_INT_H

#include <math.h>

#include "lower/lower.h"
#include "lower/regions.h"
#include "lower/tiles.h"
#include "reformer_rt.h"

/* Bytes: of a cache line; added to the row length of scratch operands, so that rows
 * do not share cache sets. */
enum { LINE = 64, PADDING = 64 };
/* The same in elements. */
static inline int64_t line_of(elem_t e) {
    return LINE / elem_bytes(e);
}
static inline int64_t padding_of(elem_t e) {
    return PADDING / elem_bytes(e);
}
/* Scores that Hugging Face sets: of a token as its own key in LSH attention, and of a masked key. A
 * score of keys may be lower, and then these outweigh it. */
#define SELF_KEY   (-1e5)
#define MASKED_KEY (-1e9)
/* The score of a place that holds no key: none of a key is lower. */
#define NOTHING (-(double)INFINITY)
#define LOWEST  (-3.4028234663852886e38) /* of float */
/* Of places beyond the end that a loss of questions sees: no score is lower. */
#define NO_KEY   LOWEST
#define GREATEST (-LOWEST)

/* A weight of a class: all its members' stand in one stack of the layout. */
typedef struct {
    buffer_t *w;               /* [in the stack][packed …] */
    buffer_t *scales, *starts; /* of i8: [in the stack][…][column]; NULL: none */
    int vector;                /* which index vector of the part tells a member's place */
} role_t;

/* When a launch runs, of what a call asks for: `mode` is that of its module, `wanted` has a bit for
 * each control (REFORMER_WANT_LOGITS …) of which one must be set; 0: whatever is wanted. */
typedef enum { ANY_CALL, FORWARD, PREFILL } call_t;
enum { ANYWAY = 1u << 31 }; /* among bits of controls: it is computed whatever is wanted */
typedef struct {
    call_t mode;
    unsigned wanted;
} when_t;

/* A kernel among those of a part: its label is the part's and the suffix, or its own. */
typedef struct {
    lfunc_t *kernel;
    const char *suffix, *label; /* NULL: none */
    unsigned wanted;
} stage_t;
typedef struct {
    stage_t *at;
    int n;
    const char *name;
} stages_t;

/* What is added up of each chunk of rows, behind the row program of a K_SUM region: kernels whose
 * params are the place in the stack of what is summed up, a vector of the part, and
 * the number of the chunk. */
typedef struct {
    const gnode_t *node;
    buffer_t *to;
    int vector;
    lfunc_t *kernel;
    const char *suffix; /* of its label */
} row_sum_t;
typedef struct {
    row_sum_t *at;
    int n;
} row_sums_of_t;

/* A kept value that a class has to do with: the stack that it stands in, and which index vector of
 * the part tells a member's place there. */
typedef struct {
    int home, vector;
} kept_in_t;

/* A class of regions as it is lowered. Its kernels take their place in stacks as parameters, one
 * for each list of indices that differs; the schedule passes the layer's. */
enum { MAX_INDICES = 24 };
typedef struct part {
    const class_t *class;
    /* [pattern->params.n]: as most read it, as DENSE_T does; w NULL: nobody */
    role_t *roles, *turned;
    int n_vectors;
    const int32_t *vector[MAX_INDICES]; /* [class->count] */
    int64_t bound[MAX_INDICES];         /* all are below */
    struct attention *into, *from;      /* whose operands it makes; whose result it reads */
    kept_in_t *kept; /* [n_kept]: what its regions leave to the backward pass, or read of it */
    int n_kept;
    lfunc_t *kernel;
    row_sums_of_t sums;    /* of a K_SUM region, whose kernel takes the number of a chunk, too */
    stages_t stages;       /* of few rows: instead of `kernel` */
    buffer_t **shown;      /* traces, by node of the pattern; NULL: see is_shown_apart */
    struct attention *own; /* whose mixer it is */
    /* It reads or writes what is kept of an attention, at the place that `stack_vector` says */
    bool stacked;
    int stack_vector;
    bool used;    /* a kernel computes it */
    bool crowded; /* it has more lists than there is room for */
} part_t;

/* Of an attention, what the forward keeps for the backward pass (attention_stacks.h). */
enum { KEPT_QUERY = 1, KEPT_KEY = 2, KEPT_VALUE = 4, KEPT_RESULT = 8 };

/* A class of attention ops, with what leads to it and away from it. Operands and result stand by
 * heads, a group of heads at a time. */
typedef struct attention {
    const class_t *class;
    const gnode_t *node;                         /* of its pattern */
    const char *name;                            /* "lsh", "local", "lsh_2" … */
    const gnode_t *query, *key, *value;          /* key NULL: the queries are keys too */
    part_t *own, *project, *hash_part, *combine; /* hash_part NULL: it does not hash */
    /* Of a backward pass, NULL: none. Its gradient, and that of its result; buckets that a
     * PACK_BUCKETS keeps of it, or that it takes from there (`unpacks`), and the vector of
     * `packed` that says where. */
    const gnode_t *gradient, *dy;
    unsigned stacked;          /* KEPT_…: stands in stacks; */
    struct attention *forward; /* whose they are; NULL: its own, of the forward */
    bool stands;               /* its result is kept from the forward: this is its gradient alone */
    part_t *packed;
    bool unpacks;
    int packed_number;
    const role_t *rotations;   /* of hash_part; NULL: none */
    part_t *kept;              /* of prefills: the *_KEEP of its operands; NULL: none */
    const struct cache *cache; /* of steps and prefills: where tokens are kept */
    /* Vectors of `hash_part`: place among all layers that hash, and among the rows of imposed
     * buckets (-1: none are imposed) */
    int hash_number, hash_rows;
    int number, kept_number; /* vectors of `own` and `kept`: place in the cache */
    bool lsh, exact;         /* exact: every query against every key: no chunks, one round */
    bool apart;              /* its buffers are its own: others run while they are in use */
    bool together;           /* nothing else runs between its operands and its result */
    int count;               /* layers */
    bool causal;
    bool rounded, pairs; /* products are of bf16; that stand as such, for dot2: else as f32 */
    int64_t chunk, before, after, rounds;
    int n_factors;
    int64_t factors[MAX_FACTORS];
    int64_t buckets;                                      /* product of factors */
    int64_t heads, head_size, head_stride, group, groups; /* heads per group, number of groups */
    /* [batch][group][rows][head_stride]; k: NULL where keys are the queries; out: may be q */
    buffer_t *q, *k, *v, *out;
    /* Of operands that are rounded, what they were before, f32, for those who hash or keep them.
     * NULL: nobody. Of others: q, k and v. */
    buffer_t *plain_q, *plain_k, *plain_v;
    buffer_t *max_so_far, *sum_so_far; /* [batch][group][rows]: online softmax over rounds */
    buffer_t *self_count;        /* [batch][group][rounds][rows]: Q2, keys equal to the query */
    buffer_t *self_kept;         /* the same: what dropout multiplies them by, in all; NULL: none */
    buffer_t *bucket_of, *order; /* [batch][group][rounds][rows + 1] */
    /* [batch][group][rows], of exact attention and gradients; LSH: 1 / norm,
     * local: norm / sqrt(head) */
    buffer_t *key_norm;
    /* Gradients, as q: of the result, of the operands; [batch][group][rows]: probabilities are
     * exp(s - shift) * scale, and <dy, y> */
    buffer_t *dy_heads, *dq, *dk, *dv;
    buffer_t *dy_factor; /* what products read of it: dy, or of bf16 dy * scale, rounded */
    buffer_t *row_shift, *row_scale, *row_mean;
    buffer_t *pack; /* kept buckets: [place][byte][batch][heads][rounds][padded] */
    lfunc_t *hash, *impose, *sort, *norms, *attend; /* kernels */
    lfunc_t *keep_buckets; /* packs them, or unpacks; NULL: none are kept */
    lfunc_t *clear;        /* its state, where what makes its queries did not; NULL: not needed */
    /* What its gradient needs of its sums over rounds, beside a kept result; NULL: nothing */
    lfunc_t *keep_sums;
    /* NULL: not needed */
    lfunc_t *gradient_begin, *gradient_chunks, *gradient_edges, *gradient_end;
    lfunc_t *find_lost_offset;             /* of steps; NULL: nothing is forgotten */
    lfunc_t *store_kv, *append_to_buckets; /* of prefills: into the cache; NULL: none */
    buffer_t *trace_self, *trace_buckets, *trace_order;
} attention_t;

typedef struct cache cache_t; /* of generation: cache.h */
typedef struct trace trace_t; /* of --dump-activations: trace.c */

/* Rows of a backward pass, whose sums are added up chunk after chunk (chunks.h). */
typedef struct {
    int64_t n;    /* in all, at the greatest length; 0: nothing is added up */
    int64_t rows; /* of a chunk that is part of a batch element; 0: a chunk is several of them */
    int64_t elements; /* how many */
    int64_t parts;    /* of a batch element */
    int64_t blocks;   /* of a chunk */
} chunks_t;

typedef struct {
    module_t *m;
    const graph_t *g;
    const layout_t *layout, *gradients; /* NULL: there is no backward pass */
    const lower_options_t *o;
    const tiles_t *tiles; /* in force */
    arena_t *arena;
    diag_t *d;
    int lanes;    /* of the widest f32 vector */
    int64_t tile; /* columns of a register tile: lanes * tiles->vectors */

    /* a row of the batch is one token, at a position of its own: all rows are computed at once */
    bool few;
    int64_t batch;
    dim_t padded, rows, blocks; /* per batch element; rows = block * blocks */
    int64_t block;              /* rows per task of dense kernels */
    chunks_t chunks;
    const gnode_t *embed; /* the node */
    const regions_t *regions;
    part_t *parts; /* by class id */
    attention_t *attentions;
    int n_attentions;
    int n_hashes;     /* layers that hash */
    buffer_t **homes; /* [regions->n_homes]: [batch][rows][width in whole tiles] */
    /* slots */
    buffer_t *ids, *key_position, *output_row, *target, *control;
    /* of indices by layer, and which layers have one in each: schedule_launch.c */
    buffer_t **tables;
    int32_t **index, **said;
    int n_tables;
    size_t cap_tables, cap_index, cap_said;
    cache_t *caches; /* by kind; none: this module neither fills nor reads any */
    int n_caches;
    int32_t *cache_number;             /* by id of a state: its place among its kind */
    int n_cache_slots, n_record_slots; /* taken */
    /* Steps: [1][rows], each row's own, NULL: a row stands at its number; whether its tokens are in
     * buckets; [1]: 1 = tokens stand lower by their round: the offset of rounds was lost
     * (as_huggingface), NULL: none are. */
    buffer_t *position, *hashed, *lost_offset;
    buffer_t *begins;  /* of a train step; NULL: rows begin at the first position */
    int64_t positions; /* of the tables, with `begins` */
    /* pure functions, made on demand */
    lfunc_t *fn[2 * (5 + 2 * ACT_COUNT)];
    /* dropout.c: of scalars, of vectors; factors. NULL: nothing is dropped */
    lfunc_t *philox[2], *kept;
    trace_t *trace;
} lower_t;

/* It makes what callers are given, and nothing else: it stands behind all layers,
 * with weights of its own. */
bool is_head(const lower_t *L, const region_t *region);

/* ---- stacks.c -------------------------------------------------------------------------------- */
bool make_parts(lower_t *L); /* false after errors in L->d */
bool counts_layers(const part_t *p,
                   int vector); /* each member is found at the number of its layer */
int part_vector(part_t *p, const int32_t *at, int64_t bound); /* too many: p is crowded */
bool part_is_crowded(lower_t *L, const part_t *p);            /* true after an error in L->d */
/* A dense layer without bias that only attention reads, or what rounds it: computed
 * head by head. */
bool goes_by_heads(const regions_t *r, const gnode_t *n);
part_t *part_of_node(lower_t *L, const gnode_t *n); /* the part that computes it */
bool every_part_is_used(lower_t *L);                /* false after errors in L->d */
const role_t *role_of(const part_t *p, const gnode_t *param);
/* A product with a matrix, or with its transpose, and the one that it takes as panels. */
bool is_product(const gnode_t *n);
const role_t *matrix_of(const part_t *p, const gnode_t *product);
void index_params(lower_t *L, builder_t *b, const part_t *p, value_t **values); /* opens a kernel */
/* The member's place in a weight's stack, by those params; without them, of the
 * one member that there is. */
affine_t stack_index(const part_t *p, value_t *const *index, const role_t *role);

/* ---- attention.c ----------------------------------------------------------------------------- */
bool read_attentions(lower_t *L); /* false after errors in L->d */
/* The *_KEEP that takes an operand into the cache; NULL: none does. */
const gnode_t *keeper_of(const regions_t *r, const gnode_t *operand);
bool find_band(lower_t *L, attention_t *a);                /* attention_band.c; the same */
bool find_gradient_band(lower_t *L, attention_t *a);       /* attention_gradient_band.c; the same */
void make_attention_workspace(lower_t *L, attention_t *a); /* attention_workspace.c */
void lower_attention(lower_t *L, attention_t *a);

/* ---- schedule.c ------------------------------------------------------------------------------ */

typedef struct {
    stages_t stages; /* of parts that stand in no layer */
    call_t mode;
} head_stages_t;
/* The entry: embedding, layers, heads in their order. False after errors in L->d. */
bool schedule(lower_t *L, trace_t *t, const head_stages_t *heads, int n_heads);

/* ---- facts.c --------------------------------------------------------------------------------- */
bool is_prefill(const lower_t *L); /* it may be one */
bool only_prefills(const lower_t *L);
dim_t output_rows(const lower_t *L); /* rows of the caller's arrays: at most batch * padded */
const char *kernel_of(lower_t *L, const attention_t *a, const char *what); /* "lsh_hash" */
bool is_sorted(const attention_t *a); /* in chunks of the order of its buckets */
bool is_norm(const gnode_t *n);

/* ---- small helpers (lower_util.c) ---------------------------------------------------------- */
int64_t round_up(int64_t n, int64_t to);
/* "encoder layers … (spec.yaml:12)": comment of a kernel. */
void describe(lower_t *L, lfunc_t *f, srcloc_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* "NAME: no kernel computes OP WHY", an error in L->d at the node's line; always false. */
bool no_kernel(lower_t *L, const gnode_t *n, const char *why);
const char *identifier(lower_t *L, const char *dotted); /* "lsh.value" → "lsh_value" */
const char *free_name(const lower_t *L,
                      const char *base); /* base, or numbered: of a new function */
const char *free_buffer_name(const lower_t *L, const char *base); /* the same of a new buffer */
buffer_t *workspace(lower_t *L, const char *name, elem_t e, int rank, const dim_t *dims,
                    const char *doc);
buffer_t *slot_buffer(lower_t *L, bufkind_t kind, int slot, const char *name, elem_t e, int rank,
                      const dim_t *dims);
void set_range(buffer_t *b, dim_t lo, dim_t hi);
/* Of the buffer that a value stands in. bf16 stands as f32 with rounded values where the target
 * multiplies those; of i8 see small.c. */
elem_t elem_of(const lower_t *L, const gnode_t *n);
value_t *rounded(builder_t *b, value_t *x);     /* f32 as a bf16 value stands */
value_t *bf16_valued(builder_t *b, value_t *x); /* f32, rounded to values of bf16 */
ltype_t vec(const lower_t *L);                  /* f32 x lanes */
value_t *splat(builder_t *b, lower_t *L, double x);
value_t *at_most(builder_t *b, affine_t x, dim_t max); /* an index, held below an end */
/* Where a row of a batch element stands, by L->begins; rows behind the last position
 * repeat that one. */
value_t *position_from(lower_t *L, builder_t *b, affine_t batch, affine_t row);
value_t *load1(builder_t *b, buffer_t *buf, int rank, const affine_t *ix); /* scalar */
value_t *control(builder_t *b, lower_t *L, int which);
/* A block for what one of the controls in `wanted` asks for; NULL: none is there, and
 * what follows runs always. */
inst_t *if_wanted(lower_t *L, builder_t *b, unsigned wanted);
void end_if_wanted(builder_t *b, inst_t *branch);
/* Launches a kernel as the part of the model that `label` names; layer NULL: outside of layers. */
void launch(builder_t *b, lfunc_t *kernel, value_t *const *args, const char *label, value_t *layer);
value_t *reduce(builder_t *b, lower_t *L, op_t op, value_t *v); /* vector → scalar, fixed tree */
/* Transposes lanes × lanes values in registers: rows[i] lane j → result[j] lane i. */
void transpose(builder_t *b, lower_t *L, value_t **rows);
/* Runs body for 0 … n-1 in steps of `lanes`, then once per remaining element with width 1. */
typedef void span_fn(lower_t *L, builder_t *b, void *ctx, affine_t at, int width);
void for_span(lower_t *L, builder_t *b, int64_t n, span_fn *body, void *ctx);

/* Folds 0 … n-1 into a scalar with `op`: body combines its elements with the accumulator, first in
 * vectors (reduced by a fixed tree), then one by one. */
typedef value_t *fold_fn(lower_t *L, builder_t *b, void *ctx, affine_t at, int width, value_t *acc);
value_t *fold_span(lower_t *L, builder_t *b, int64_t n, op_t op, double identity, fold_fn *body,
                   void *ctx);
value_t *fold_integers(lower_t *L, builder_t *b, int64_t n, op_t op, int32_t identity,
                       fold_fn *body, void *ctx);

/* ---- dense.c --------------------------------------------------------------------------------- */
/* acc[r * vectors + j]: rows row … row+rows-1 of the block, columns col … of the tile. */
typedef void epilogue_fn(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                         value_t **acc);
/* Prefetches where the epilogue will write: `row` of the block, columns col … of the tile. */
typedef void target_fn(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col);
typedef struct {
    /* [prefix …][panel][k][PANEL], of bf16 [prefix …][panel][pair of k][PANEL * 2], of i8 [prefix
     * …][panel][four k][PANEL * 4] */
    buffer_t *w;
    int n_prefix;
    affine_t prefix[3];
    /* Of i8, else NULL: [prefix …][column], f32 and i32: by what a column is multiplied, and -128
     * times the sum of its weights. */
    buffer_t *scales, *starts;
} panels_t;
int64_t panel_rows(const panels_t *w, int64_t k); /* rows of a panel that k of a product take */
typedef struct {
    /* Scratch [m][>= k], of a value of w's type, then with something finite behind an odd k */
    buffer_t *a;
    int64_t m, k, n;
    panels_t w;
    const panels_t *next; /* what the next product reads, at least as deep; NULL: not known */
    affine_t base;        /* first row of w's panels */
    affine_t first;       /* column tile to begin with */
    int64_t tiles;        /* how many of them; those beyond the last are left out; 0: all */
    epilogue_fn *epilogue;
    target_fn *target; /* NULL: what the epilogue writes is in the cache */
    bool once;         /* it fetches much of each row, and is asked for none twice */
    /* NULL, or called dense_calls() times, at even distances, to prefetch what is needed later */
    void (*meanwhile)(lower_t *L, builder_t *b, void *ctx, affine_t call);
    void *ctx;
} dense_t;
/* Prefetches `width` elements; ix[rank - 1] is the first one's column. */
void prefetch_row(builder_t *b, buffer_t *buf, affine_t *ix, int64_t width);
void dense(lower_t *L, builder_t *b, const dense_t *d);
int64_t dense_calls(const lower_t *L, int64_t m, int64_t n, int64_t depth);
int64_t column_tiles(const lower_t *L, int64_t n); /* register tiles over n columns */
/* A register tile by itself: rows of accumulators over columns, for attention and hashing. */
typedef value_t *tile_scalar_fn(lower_t *L, builder_t *b, void *ctx, int row, affine_t k);
typedef value_t *tile_vector_fn(lower_t *L, builder_t *b, void *ctx, int j, affine_t k);
typedef void tile_ahead_fn(lower_t *L, builder_t *b, void *ctx, affine_t step);
/* next[i] = acc[i] + what comes to it at k */
typedef void tile_at_k_fn(lower_t *L, builder_t *b, void *ctx, affine_t k, value_t *const *acc,
                          value_t **next);
/* How k is gone through: one by one; of bf16, whose sums dot2 defines, by pairs, `depth` counting
 * those: x and y give the pairs, or without dot2 what they hold, as f32, each by
 * itself: the odd k first. */
typedef enum { ONE_BY_ONE, DOT_PAIRS, ODD_FIRST } order_t;
typedef struct {
    int rows, vectors;
    int64_t depth;
    order_t order;
    bool odd; /* ODD_FIRST: one k follows that is in no pair */
    tile_scalar_fn *x;
    tile_vector_fn *y;
    tile_at_k_fn *at_k; /* NULL: one product of x and y each */
    void *ctx;
    value_t *const *init; /* accumulators to start from; NULL: 0 */
    int64_t every;        /* `ahead` runs once per so many k, depth / every times; 0: never */
    tile_ahead_fn *ahead;
} product_t;
void tile_product(lower_t *L, builder_t *b, const product_t *p, value_t **acc);
/* `max`, or a little less where that divides the depth, so that no k are left over, which would be
 * a loop of their own: a value for `every`. */
int64_t cadence(int64_t depth, int64_t max);
/* Pairs of bf16: one in all lanes; the first or the second of each of a vector, as f32: a bf16 is
 * its upper half; and back, of f32 that are bf16. */
value_t *broadcast_pair(lower_t *L, builder_t *b, value_t *pair);
value_t *widened(lower_t *L, builder_t *b, value_t *pairs, int second);
value_t *paired(builder_t *b, value_t *first, value_t *second);
value_t *pair_bits(builder_t *b, value_t *first, value_t *second); /* the same pairs as i32 */
int64_t row_tiles(const lower_t *L, int64_t m);                    /* register tiles over m rows */
/* Splits m rows into register tiles of nearly equal height: sizes size[i], count[i];
 * returns 1 or 2. */
int split_rows(const lower_t *L, int64_t m, int size[2], int64_t count[2]);
/* One tile after the other: `ordinal` counts them from 0. Returns how many there are. */
typedef void row_tile_fn(lower_t *L, builder_t *b, void *ctx, affine_t row, int rows,
                         affine_t ordinal);
void for_row_tiles(lower_t *L, builder_t *b, int64_t m, row_tile_fn *body, void *ctx);

/* ---- small.c --------------------------------------------------------------------------------- */
/* Rows of i8: u8, each 128 more than it is, where the target has dot4; else integers in f32. Of a
 * row that is `width` wide the scale stands behind it, in this column: as f32, or the
 * bits of one in four u8. */
int64_t scale_column(const lower_t *L, int64_t width);
value_t *scale_at(builder_t *b, buffer_t *rows, affine_t row, int64_t column);

/* ---- rows in memory (elements.c) ------------------------------------------------------------- */
/* A stack of kept values (kept.c), [place * batch][rows][width], and the batch of it that
 * a kernel has to do with. */
typedef struct {
    const buffer_t *stack;
    affine_t batch;
} kept_at_t;
/* Rows 0 … m-1 of a kernel: of buffers [batch][rows][width], those of one batch element from row0
 * on; of scratch and others [rows][width], the first. */
typedef struct {
    affine_t batch, row0;
    int64_t m;
    const kept_at_t *kept; /* [n_kept] */
    int n_kept;
} rows_at_t;

/* Where a kernel of the part finds its kept values, by its params; at->batch is known. */
void find_kept_rows(lower_t *L, const part_t *p, value_t *const *index, rows_at_t *at);

/* ---- norm.c ---------------------------------------------------------------------------------- */
/* A norm, or what the backward pass makes of one: of which rows, and of a gradient's
 * dy; NULL: it is none. */
bool is_norm_form(const gnode_t *n);
const gnode_t *normed(const gnode_t *n);
const gnode_t *norm_dy(const gnode_t *n);
/* The norm of a kernel's rows, the concatenation of 1 or 2 streams, into scratch
 * dst [m][>= width]. */
typedef struct {
    int n_src;
    buffer_t *src[2]; /* stored rows, or scratch [m][>= width] */
    const rows_at_t *at;
    int64_t width; /* of one source */
    double eps;
    bool centred;            /* the mean is taken off */
    buffer_t *weight, *bias; /* [prefix][padded width]; NULL: none */
    affine_t prefix;
    affine_t bias_prefix;
    buffer_t *dy; /* as src, of one source: the gradient of its norm; NULL: the norm */
    buffer_t *dst;
    bool rounds;         /* the norm, to bf16 */
    buffer_t *quantized; /* rows of i8, of dst, which has one row for all of them; NULL: of none */
} norm_t;
void layer_norm_rows(lower_t *L, builder_t *b, const norm_t *n);
/* Eps, weights and the width of a source: those of a norm's node. */
void read_norm(const part_t *p, value_t *const *index, const gnode_t *n, norm_t *norm);

/* ---- kernels, one file each ------------------------------------------------------------------ */
lfunc_t *lower_embed(lower_t *L, part_t *p);
void lower_hash(lower_t *L, attention_t *a);
void lower_unpacked(lower_t *L, attention_t *a); /* the same of buckets that were kept: pack.c */
void lower_pack(lower_t *L, attention_t *a);
bool find_packed(lower_t *L, attention_t *a); /* false after errors in L->d */
void make_pack(lower_t *L, attention_t *a);
void lower_sort(lower_t *L, attention_t *a);
void lower_lsh_attention(lower_t *L, attention_t *a);
void lower_local_attention(lower_t *L, attention_t *a);
void lower_attention_gradient(lower_t *L, attention_t *a);
dim_t gradient_offsets(const lower_t *L, const attention_t *a); /* launches of a round */
void lower_lsh_step(lower_t *L, attention_t *a);
void lower_local_step(lower_t *L, attention_t *a);
void lower_exact_attention(lower_t *L, attention_t *a); /* `norms` and `attend`, of both kinds */
/* Local layers of bf16 shift by the greatest score, and ask for no bound, nor for norms of keys. */
bool has_exact_bound(const attention_t *a);

bool lower_last_token(lower_t *L, stages_t *stages); /* the head of a prefill */

/* --dump-activations: compact copies of padded buffers. */
void make_trace_buffers(lower_t *L);
/* Whether a kernel has to show a value itself: it stands in no home behind its region, nor
 * goes into a stream there. */
bool is_shown_apart(const lower_t *L, const gnode_t *n);
buffer_t *shown_buffer(lower_t *L, const gnode_t *n); /* [batch][padded][width]: of such a value */
trace_t *lower_trace(lower_t *L);                     /* NULL after errors in L->d */
/* Inside lsh_sort: copies buckets and order of one (batch, head, round), round offsets added. */
void lower_trace_order(lower_t *L, builder_t *b, const attention_t *a, value_t *group);
/* Around a region: what it adds to a stream shows as the difference. */
void trace_before(lower_t *L, trace_t *t, builder_t *b, const region_t *region);
void trace_after(lower_t *L, trace_t *t, builder_t *b, const region_t *region, value_t *layer);
void trace_attention(lower_t *L, trace_t *t, builder_t *b, const region_t *mix, value_t *layer);

#endif
