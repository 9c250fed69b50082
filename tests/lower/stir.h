/* The reference, stirred: a forward by the reference's ops in which every float that an op gives is moved by
 * a few roundings of single precision, up or down by chance. */
#ifndef REFORMERC_TESTS_STIR_H
#define REFORMERC_TESTS_STIR_H

#include "graph/evaluate.h"

typedef struct {
    const graph_t *g; /* literal */
    bool unpadded;    /* its loss is over the tokens given */
    graph_param_fn *param;
    /* Buckets are not hashed anew, but these, by the name under which they are shown:
     * [rows][heads][rounds][padded]. */
    const int32_t *(*buckets)(void *ctx, const char *name);
    void *ctx;        /* of both */
    double roundings; /* how many a value is moved by */
    double to_bf16;   /* by how many more one that is rounded to bf16 is moved before; 0: by none */
    uint64_t seed;    /* of the chances */
    /* Of train steps: as graph_evaluate_gradients() takes them. */
    const graph_dropout_t *dropout;
    graph_watch_fn *watch;
    void *watch_ctx;
} stir_t;

/* Shows io->trace (NULL: nobody) what is traced, and the outputs under their names: those with a row per token have the
 * padded length. What io wants besides (token_losses) it gets. False after an error. */
bool stir_forward(const stir_t *s, const reformer_io_t *io);

#endif
