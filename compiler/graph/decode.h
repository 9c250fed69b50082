/* The reference evaluator generates: docs/semantics.md 11, step by step as it
 * stands there, in double.
 *
 * A cache holds rows of tokens: per state of the step the projected query_key or key and the value
 * of every token, and of LSH states its bucket of every head and round. A prefill is a forward over
 * a row; a step appends a token, and looks at all of the row again to place it. Rows
 * know nothing of each other. */
#ifndef REFORMERC_GRAPH_DECODE_H
#define REFORMERC_GRAPH_DECODE_H

#include "graph/evaluate.h"

typedef struct graph_cache graph_cache_t;

/* As many empty rows as `step` (graph_build_step) has, for up to `capacity` tokens each. The graph
 * outlives it. Memory grows with the tokens. */
graph_cache_t *graph_cache_new(const graph_t *step, int64_t capacity);
void graph_cache_free(graph_cache_t *c); /* NULL is fine */
int64_t graph_cache_capacity(const graph_cache_t *c);
int64_t graph_cache_tokens(const graph_cache_t *c, int64_t row);
/* The least margin (evaluate.h) of any hash of the row since its prefill, which must
 * have been; infinite: none. */
double graph_cache_margin(const graph_cache_t *c, int64_t row);
void graph_cache_copy_row(graph_cache_t *c, int64_t from, int64_t to);

/* What comes out, of the row's last token; NULL: not wanted. */
typedef struct {
    float *logits;            /* [vocab] */
    float *last_hidden_state; /* [2 * hidden] */
} graph_next_t;

/* The row becomes the `length` tokens of ids, read by g, a literal forward of the same model that
 * holds as many and keeps what the step has states for (graph_keep).
 * REFORMER_OK or an error code, after which the row is empty if it was not refused as
 * it stood: _LENGTH, _FULL. */
int graph_prefill(graph_cache_t *c, int64_t row, const graph_t *g, graph_param_fn *param, void *ctx,
                  const int32_t *ids, int64_t length, const graph_next_t *next);
/* Appends a token. REFORMER_OK, or _EMPTY, _FULL, _TOKEN with the row as it was. */
int graph_step(graph_cache_t *c, int64_t row, graph_param_fn *param, void *ctx, int32_t token,
               const graph_next_t *next);

#endif
