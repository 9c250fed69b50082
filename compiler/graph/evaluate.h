/* The reference evaluator: walks a Graph in double with the most obvious code there is. The
 * oracle.
 *
 * Single precision only where Hugging Face's rounding is part of the meaning: the log-sum-exp of
 * rows that see no key (Q1) and the combination of rounds for rows that see only themselves
 * (Q2). Where the square of a row's length overflows it, norms and keys are its
 * too: 1 / inf is 0. */
#ifndef REFORMERC_GRAPH_EVALUATE_H
#define REFORMERC_GRAPH_EVALUATE_H

#include "graph/dropout.h"
#include "graph/graph.h"
#include "reformer_rt.h"

/* Values of a param by its Hugging Face name (no prefix), row-major; never NULL for a param of the
 * graph. */
typedef const float *graph_param_fn(void *ctx, const char *name);

/* The graph must be literal. An io->length below the graph's length gives what Hugging Face
 * gives for the input padded to the graph's length with an attention mask. The QA loss runs over
 * the graph's length, or, with `unpadded_loss`, over io->length. io->batch (0: the graph's) rows
 * are evaluated; io->buckets is laid out for the graph's batch and padded length, without
 * io->buckets_given all of it is imposed. Fills the outputs of io; io->trace, io->buckets work
 * here always: traced tensors have the rows given and the padded length. Returns REFORMER_OK or
 * an error code. */
int graph_evaluate(const graph_t *g, graph_param_fn *param, void *ctx, const reformer_io_t *io,
                   bool unpadded_loss);

/* The loss, and the gradient of each param (n: a GRADIENT, n->in[1] the param),
 * as they are computed. */
typedef void graph_watch_fn(void *ctx, const gnode_t *n, const double *values, int64_t elements);
/* As graph_evaluate, of a train step (graph_gradient): the loss and its gradients go to `watch`, in
 * the graph's order; of a forward, the loss alone.
 * Where no label counts, the loss is NaN and its gradient 0. dropout NULL: none,
 * whatever the rates. */
int graph_evaluate_gradients(const graph_t *g, graph_param_fn *param, void *ctx,
                             const reformer_io_t *io, const graph_dropout_t *dropout,
                             bool unpadded_loss, graph_watch_fn *watch, void *watch_ctx);

/* The memory that the greediest op needs for its result and what it reads: an
 * evaluation takes no less. */
double graph_evaluate_bytes(const graph_t *g);

/* How far every hash was from falling into another bucket: called once per layer that hashes, with
 * margin [rows][heads][rounds][padded] = (largest - second largest rotated value) / ‖qk‖, the least
 * over the factors of num_buckets; infinite where masked. Below 1e-5 a last bit may decide. */
typedef void graph_margin_fn(void *ctx, const gnode_t *hash, const float *margin, int64_t n);
/* As graph_evaluate, but only runs what hashing needs; outputs of io are not filled. Of a train
 * step, whose forward drops: with `dropout`, NULL: none. */
int graph_hash_margins(const graph_t *g, graph_param_fn *param, void *ctx, const reformer_io_t *io,
                       const graph_dropout_t *dropout, graph_margin_fn *margin, void *margin_ctx);

/* A value that is shown, when it is there: traced, an output, or both. */
typedef struct {
    const gnode_t *node;
    const char *trace, *output; /* NULL: it is none */
    int rank;
    int64_t shape[G_MAX_RANK]; /* the rows given, the padded length */
    double *f;                 /* floats, */
    int32_t *i;                /* else integers: readers get what is written here */
} graph_shown_t;
typedef void graph_lead_fn(void *ctx, const graph_shown_t *x);
/* As graph_evaluate, but every value that is shown goes to `lead`, which may put another one in its
 * place: so what an executor shows is compared piece by piece, each of what that executor itself
 * had before. Of hashes, `margin` comes first. The outputs that io asks for are shown, none but
 * token losses is written. */
int graph_evaluate_led(const graph_t *g, graph_param_fn *param, void *ctx, const reformer_io_t *io,
                       bool unpadded_loss, graph_lead_fn *lead, graph_margin_fn *margin,
                       void *lead_ctx);

#endif
