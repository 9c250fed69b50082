/* The reference evaluator: walks a Graph in double with the most obvious code there is. The oracle.
 *
 * Single precision only where Hugging Face's rounding is part of the meaning: the log-sum-exp of rows that
 * see no key (Q1) and the combination of rounds for rows that see only themselves (Q2). */
#ifndef REFORMERC_GRAPH_EVALUATE_H
#define REFORMERC_GRAPH_EVALUATE_H

#include "graph/graph.h"
#include "reformer_rt.h"

/* Values of a param by its Hugging Face name (no prefix), row-major; never NULL for a param of the graph. */
typedef const float *graph_param_fn(void *ctx, const char *name);

/* The graph must be literal. An io->length below the graph's length gives what Hugging Face gives for the input
 * padded to the graph's length with an attention mask; `unpadded_loss`: the QA loss runs over io->length.
 * Fills the outputs of io; io->trace, io->buckets work here always. Returns REFORMER_OK or an error code. */
int graph_evaluate(const graph_t *g, graph_param_fn *param, void *ctx, const reformer_io_t *io);

#endif
