/* Updates of a few tensors, by the reference and by modules: what test_update.c and its like share. */
#ifndef REFORMERC_TESTS_UPDATE_MACHINE_H
#define REFORMERC_TESTS_UPDATE_MACHINE_H

#include "../emit/emit_test.h"

#include "lower/update.h"

enum { FLOATS = 1 << 15, MAX_TENSORS = 16 };

/* A graph that says which tensors there are, and how they are read. */
typedef struct {
    const char *name;
    int rank;
    int64_t shape[3];
    int heads;          /* > 0: a dense layer that attention of so many heads reads */
    bool dense, turned; /* read by a dense layer, by the transpose of one; else as it is */
    bool frozen;        /* it has no gradient */
    bool rounds;        /* a dense layer's, of bf16 */
} tensor_say_t;

typedef struct {
    arena_t *arena;
    diag_t *diag;
    graph_t *graph;
    update_t *update;
    layout_t *weights, *gradients, *states[REFORMER_STATES];
} updates_t;

updates_t *updates_new(const tensor_say_t *say, int n, const reformer_optimizer_t *rule,
                       double max_norm);
void updates_free(updates_t *u);
module_t *updates_module(const updates_t *u, const target_t *t, const char *name);
module_t *verified(const updates_t *u, const target_t *t);            /* and through all passes */
int64_t tensor_at(const updates_t *u, int tensor, int64_t *elements); /* among params */

/* Memory of all slots, gaps between tensors filled with NaN. */
typedef struct {
    float params[FLOATS], gradients[FLOATS], sum[FLOATS], state[REFORMER_STATES][FLOATS];
    float packed[FLOATS];
    int32_t phases[REFORMER_PHASES];
    float coefficients[REFORMER_COEFFICIENTS];
    double norm;
} update_slots_t;
update_slots_t *slots_new(const updates_t *u); /* the arena's; states zeros */

/* Runs some phases: by the interpreter, or by code. */
typedef void update_run_fn(void *ctx, const reformer_call_t *call);
void slots_run(update_slots_t *s, const module_t *m, unsigned phases, int threads,
               update_run_fn *run, void *ctx);
typedef struct {
    const module_t *m;
    diag_t *diag;
} interpreted_t;
void run_interpreted(void *ctx, const reformer_call_t *call); /* an interpreted_t */
/* One step: norm, then the update at this rate, clipped, and the weights file; t from 1 on. */
void slots_step(const updates_t *u, update_slots_t *s, const module_t *m, double rate, int64_t t,
                int threads, update_run_fn *run, void *ctx);
/* The same by the reference, of the same memory. */
void slots_reference(const updates_t *u, update_slots_t *s, double rate, int64_t t);

#endif
