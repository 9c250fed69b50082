/* Shared by the files of exec/ that are one executor: exec.c runs forwards, decode.c generates. */
#ifndef REFORMERC_EXEC_INT_H
#define REFORMERC_EXEC_INT_H

#include "exec/cc.h"
#include "exec/exec.h"
#include "exec/jit.h"

struct exec {
    backend_t backend;
    plan_t *plan;
    const store_t *store; /* reference; NULL: nothing bound */
    arena_t *arena;
    unsigned char *weights; /* packed; NULL: nothing bound */
    reformer_desc_t desc;   /* with its variants; of a reference: which gradients there are */
    reformer_variant_t *variants;
    compiled_t code;
    jit_t *jit;
    reformer_model_t model; /* c, jit */
    unsigned char *workspace;
    size_t workspace_bytes;
};

struct exec_cache {
    const exec_t *e;
    void *reference; /* graph_cache_t, of that back end */
    unsigned char *memory, *workspace;
    size_t workspace_bytes;
};

/* exec.c: a reference's params, for graph_evaluate() and its like; ctx is the store. */
const float *exec_param(void *ctx, const char *name);

/* exec.c: pages_alloc() for "a workspace" or the like, to free(); NULL after an
 * error at the length's key. */
void *exec_room(const exec_t *e, const char *what, size_t bytes, diag_t *d);

/* exec.c: false after an error in d, unless all went well or d knows (EXEC_FAILED). */
bool exec_went_well(int code, diag_t *d);
/* exec.c: room for so much in e->workspace; false after an error in d. */
bool exec_make_room(exec_t *e, size_t bytes, diag_t *d);

/* exec.c: a reference's walk of the graph of v (NULL: none takes the length) for this length.
 * Returns what the walk does, REFORMER_E_LENGTH, or EXEC_FAILED after an error in d. */
typedef int exec_walk_fn(void *ctx, const graph_t *g, void *store, bool unpadded);
int exec_evaluate(const exec_t *e, const variant_plan_t *v, size_t length, exec_walk_fn *walk,
                  void *ctx, diag_t *d);

/* exec.c: what a reference evaluates for this length. Variants that stand for any length have a
 * graph of exactly this one made, in a; NULL after errors in d. */
const graph_t *exec_graph(const exec_t *e, const variant_plan_t *v, size_t length, arena_t *a,
                          diag_t *d);

/* decode_reference.c: as exec.h says, of the back end `reference`. */
bool reference_cache_new(exec_cache_t *c, size_t length, diag_t *d);
void reference_cache_free(exec_cache_t *c);
int reference_prefill(exec_cache_t *c, const reformer_decode_t *io, diag_t *d);
int reference_step(exec_cache_t *c, const reformer_decode_t *io, diag_t *d);
int reference_copy_row(exec_cache_t *c, size_t from, size_t to);
size_t reference_tokens(const exec_cache_t *c, size_t row);
double reference_margin(const exec_cache_t *c, size_t row);

#endif
