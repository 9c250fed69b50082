/* One query panel against one window of keys: what local and LSH attention share.
 *
 * Scores are computed transposed, keys as rows and queries in the lanes, so that the softmax is
 * vertical and the probabilities come out as the broadcast operand of the product with V.
 *
 * Of bf16 the weights e^(score - shift) are rounded, too, and their sum is that of the rounded
 * ones. Both products go by pairs (order_t): of the head, and of keys of a chunk, 2i and 2i + 1,
 * the odd one first. With dot2 pairs of keys have the weights of a query side by side, and of a
 * value column; an odd chunk has a weight of 0 at its end. */
#ifndef REFORMERC_LOWER_WINDOW_H
#define REFORMERC_LOWER_WINDOW_H

#include "lower/attention_dropout.h"
#include "lower/panels.h"

typedef struct window window_t;
struct window {
    int64_t chunk, span; /* keys per chunk, chunks per window */
    int64_t width;       /* of a row of values, in whole tiles */
    /* Keys that stand together in memory: key = contiguous * stretch + lane;
     * even, or all of a chunk */
    int64_t contiguous;
    order_t order;     /* of products */
    buffer_t *queries; /* scratch made by query_panels: transposed */
    affine_t query_slot;
    affine_t panel;   /* which of the chunk's; its first query is tile * panel */
    buffer_t *scores; /* scratch [span * chunk][tile] */
    /* DOT_PAIRS: scratch bf16 [span * pairs of a chunk][tile * 2]; else weights go over scores */
    buffer_t *weights;
    buffer_t *query_pos; /* scratch i32 [slots][chunk rounded up]: positions of the queries */
    bool exclude_self;   /* LSH: a token is no key of its own but as a last resort */
    double masked;       /* score of a masked key */
    bool causal;
    bool absent; /* keys may be absent: they count for nothing, not even as masked keys */
    /* Where the keys of window chunk `o` are; set at the start of each window chunk. */
    void (*open_chunk)(lower_t *L, builder_t *b, window_t *w, value_t *o);
    /* K[key][k] for the key at `lane` of stretch `stretch`, its factor (1/norm), its position or
     * REFORMER_MASKED; V[key][tile * panel + col …]. DOT_PAIRS: the pair k of K, and of V
     * the pair of keys `key`. */
    value_t *(*key_at)(lower_t *L, builder_t *b, window_t *w, affine_t stretch, affine_t lane,
                       affine_t k);
    value_t *(*key_scale)(lower_t *L, builder_t *b, window_t *w, affine_t key);
    value_t *(*key_pos)(lower_t *L, builder_t *b, window_t *w, affine_t key);
    value_t *(*value_at)(lower_t *L, builder_t *b, window_t *w, affine_t key, affine_t panel,
                         int64_t col);
    /* With exclude_self: the key's position, masked or not; and of the panel's queries, for vector
     * j, the score as their own keys, and |q|. */
    value_t *(*key_own)(lower_t *L, builder_t *b, window_t *w, affine_t key);
    value_t *(*self_score)(lower_t *L, builder_t *b, window_t *w, int j);
    value_t *(*norm)(lower_t *L, builder_t *b, window_t *w, int j);
    /* Called for every lane of the panel, at even distances while scores are computed, to prefetch
     * what is needed next. NULL: nothing. */
    void (*ahead)(lower_t *L, builder_t *b, window_t *w, affine_t lane);
    /* Dropout of what comes out of the soft maximum, NULL: none; where its queries, and
     * its keys, stand among all. */
    const kept_t *kept;
    affine_t (*row)(lower_t *L, builder_t *b, window_t *w);   /* place of the panel's first query */
    affine_t (*first)(lower_t *L, builder_t *b, window_t *w); /* of the first key; NULL: 0 */
    void *ctx;
};

/* The order of an attention's products; pairs of a chunk's keys, one half empty
 * where that is odd. */
order_t order_of_products(const attention_t *a);
int64_t pairs_of(int64_t chunk);
/* Steps of a product of such an order over `depth` values; ODD_FIRST: one more
 * follows where that is odd. */
int64_t trips_of(order_t order, int64_t depth);
/* Splits n values into register tiles, as split_rows(); all but an odd one at the end are of whole
 * pairs. Returns up to 3. */
enum { MAX_SHAPES = 3 };
int split_pairs(const lower_t *L, int64_t n, int size[MAX_SHAPES], int64_t count[MAX_SHAPES]);
/* Scratch for scores and weights. */
void window_scratch(lower_t *L, builder_t *b, window_t *w);
/* Writes masked scores of the panel into w->scores; max[j]: their maxima, LOWEST without a key. */
void window_scores(lower_t *L, builder_t *b, window_t *w, value_t **max);
/* In one pass, for shifts near above all scores: 2^(score - shift[j]) into w->scores, 0 for keys
 * that may not be seen; sum[j]: their sums. key_scale has the factor log2 e here. */
void window_weights(lower_t *L, builder_t *b, window_t *w, value_t *const *shift, value_t **sum);
/* Scores become exp(score - shift[j]); sum[j]: their sums. */
void window_exp(lower_t *L, builder_t *b, window_t *w, value_t *const *shift, value_t **sum);
/* rows x (vectors of columns) of P·V for queries row … of the panel, columns col …. */
typedef void window_rows_fn(lower_t *L, builder_t *b, window_t *w, affine_t row, affine_t col,
                            int rows, value_t **acc);
void window_values(lower_t *L, builder_t *b, window_t *w, window_rows_fn *epilogue);
/* Whether lane `row` of the panel is a query at all: only when chunks do not fill their tiles. */
inst_t *window_guard(lower_t *L, builder_t *b, const window_t *w, affine_t row); /* NULL: always */
void window_end_guard(builder_t *b, inst_t *guard);

/* -1 in lanes whose query may see this key, by positions. A masked key has one
 * beyond all queries. */
value_t *may_see(lower_t *L, builder_t *b, const window_t *w, value_t *key, value_t *query);
/* An absent key is none, not even a masked one (Q1). */
value_t *drop_absent(lower_t *L, builder_t *b, const window_t *w, value_t *pos, value_t *x);

/* The first lane of the current panel. */
affine_t panel_lane(const lower_t *L, const window_t *w);
/* The chunk at `offset` (-before … after) from `chunk`, of `chunks` on a ring. */
affine_t window_chunk(lower_t *L, builder_t *b, const attention_t *a, dim_t chunks, affine_t chunk,
                      affine_t offset);
double inverse_root(int64_t n); /* 1 / sqrt(n) */

#define LOG2_E 1.44269504088896341
/* Greatest bound of |score| that may be the shift of window_weights: 2^(-2 bound
 * log2 e) = 2^-120. */
#define MAX_SHIFT (60 / LOG2_E)
/* Where |maximum| is greater, rounding of the log-sum-exp shows in Hugging Face's weights: they are
 * computed as it does. */
#define FAR 256
/* e^(max - fl(max + ln sum)), which takes a weight e^(score - max) to Hugging Face's. */
value_t *far_scale(lower_t *L, builder_t *b, value_t *max, value_t *sum);
/* The same where |max| > FAR, else 1 / sum. */
value_t *softmax_scale(lower_t *L, builder_t *b, value_t *max, value_t *sum);
/* Of LSH layers, the shift that decides how weights are rounded: |q| if that is not too great, nor
 * the token alone, else the greatest score. */
value_t *rounded_shift(builder_t *b, value_t *norm, value_t *top);
/* Greatest |key| whose square, and whose product with a query of at most MOST_SHIFT,
 * do not overflow. */
#define MAX_NORM 1e19
/* Queries beyond HUGE_NORM are kept times LESS, so that no product with a key overflows where
 * Hugging Face's, which normalises keys first, does not. */
#define HUGE_NORM 0x1p60
#define LESS      0x1p-80
/* Does so with the queries of one panel, whose norms these are. */
void lessen_queries(lower_t *L, builder_t *b, buffer_t *queries, affine_t slot, affine_t panel,
                    value_t *const *norms);
/* Of each lane whose norm is beyond HUGE_NORM `far`, of the others `near`. */
value_t *by_norm(builder_t *b, value_t *norm, double far, double near);
/* x, or the greatest finite number where x is greater or NaN: which comes first of two operands of
 * a maximum decides what becomes of a NaN, so none may get there where the maximum
 * chooses the way. */
value_t *comparable(builder_t *b, value_t *x);
/* The root of a sum of squares, comparable. */
value_t *row_norm(builder_t *b, value_t *squares);
/* A key's factor in LSH layers, of its sum of squares: rsqrt(mean + 1e-6) / sqrt(d),
 * as in Hugging Face. */
value_t *key_factor(builder_t *b, value_t *squares, int64_t head_size);

#endif
