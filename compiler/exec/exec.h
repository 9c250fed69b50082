/* Executors: a planned model and its weights, ready to run, whatever runs it.
 *
 * jit          machine code made by LLVM in this process      (exec/jit.c, emit/llvm.h)
 * reference    walks the Graph in double                     (graph/evaluate.c)
 * interpreter  walks the Loops, checking every access        (loops/interpret.c)
 * c            generated C, compiled by the user's compiler into a cache and loaded (exec/cc.c)
 *
 * All take the runtime's reformer_io_t, so commands need not know which one they have. */
#ifndef REFORMERC_EXEC_H
#define REFORMERC_EXEC_H

#include "emit/emit.h" /* plan_describe: what all of them run by */
#include "exec/pool.h"
#include "graph/evaluate.h"
#include "plan/plan.h"
#include "reformer_rt.h"
#include "weights/weights.h"

typedef enum {
    BACKEND_JIT,
    BACKEND_C,
    BACKEND_REFERENCE,
    BACKEND_INTERPRETER,
    BACKEND_COUNT
} backend_t;

extern const char *const backend_names[BACKEND_COUNT]; /* "jit" … as --backend takes them */
bool backend_is_built_in(backend_t b);                 /* jit: this build has LLVM */
backend_t backend_default(void);                       /* jit, else c */
/* A name → *b, which this build has; false after an error in d that blames `where`
 * ("--backend"). */
bool backend_parse(const char *name, const char *where, backend_t *b, diag_t *d);

typedef struct {
    backend_t backend;
    const char *cc; /* --cc, NULL: $CC, else cc */
    pool_t *pool;   /* compiles on these workers too; NULL: on this thread */
    bool time;      /* jit: times to stderr */
    bool no_cache;  /* neither read nor write the compile cache */
    bool perf_map;  /* jit: names for Linux perf */
    pass_options_t passes;
} exec_options_t;

typedef struct exec exec_t;

/* Lowers the plan if need be, compiles, packs and binds; weights NULL: does not bind yet. The plan
 * must outlive it, and so must the store of a reference evaluator. */
exec_t *exec_open(plan_t *p, const store_t *weights, const exec_options_t *o, diag_t *d);
/* Packs and binds other weights; false after an error in d, with the earlier ones still bound. No
 * forward may run meanwhile. */
bool exec_bind(exec_t *e, const store_t *weights, diag_t *d);
bool exec_bound(const exec_t *e);
void exec_unbind(exec_t *e); /* until the next exec_bind() */
/* One forward; io as in reformer_rt.h, pool and threads included. Allocates its workspace at need.
 * False after an error in d. One call at a time per exec_t. */
bool exec_forward(exec_t *e, const reformer_io_t *io, diag_t *d);
/* The same with a workspace of the caller's: `bytes`, exec_workspace_bytes() or more, aligned to
 * 64, not NULL. Any number of threads at once, each with its own workspace and d. Returns
 * REFORMER_OK, an error code of the runtime, or EXEC_FAILED after an error in d. */
enum { EXEC_FAILED = -1 };
int exec_run(const exec_t *e, const reformer_io_t *io, void *workspace, size_t bytes, diag_t *d);
/* Of a reference: how far each hash of this forward was from another bucket (graph/evaluate.h),
 * where the plan is of train steps alone of that of a step; layers whose buckets
 * io imposes are left out. */
bool exec_hash_margins(const exec_t *e, const reformer_io_t *io, graph_margin_fn *margin, void *ctx,
                       diag_t *d);
/* Of a reference: a forward whose shown values somebody leads (graph/evaluate.h). */
bool exec_lead(const exec_t *e, const reformer_io_t *io, graph_lead_fn *lead,
               graph_margin_fn *margin, void *ctx, diag_t *d);
/* ---- train steps: plans that train (plan_options_t) ------------------------------------------ */

/* As reformer_gradients, of exec_gradients_bytes(), where plan->gradients says. Allocates its
 * workspace at need; false after an error in d. One call at a time per exec_t. */
bool exec_gradients(exec_t *e, const reformer_io_t *io, float *gradients, diag_t *d);
/* The same with a workspace of the caller's, as exec_run(): exec_train_bytes() bytes. */
int exec_run_gradients(const exec_t *e, const reformer_io_t *io, float *gradients, void *workspace,
                       size_t bytes, diag_t *d);
/* Memory for them, to free(); NULL after an error in d. */
float *exec_gradients_new(const exec_t *e, diag_t *d);
size_t exec_gradients_bytes(const exec_t *e);                       /* 0: the plan does not train */
int exec_gradient(const exec_t *e, size_t i, reformer_tensor_t *t); /* as reformer_gradient */
/* For up to `length` tokens. 0: out of range, or none needed. */
size_t exec_train_bytes(const exec_t *e, size_t length, int threads);

/* ---- generation: plans that decode (plan_options_t) ------------------------------------------ */

/* Rows of tokens that a model has read, with what prefills and steps need besides: memory of its
 * own, for one thread at a time. Rows are the plan's batch. The executor outlives it. */
typedef struct exec_cache exec_cache_t;
/* For rows of up to `length` tokens, prompts of up to `prompt` and so many threads; empty. NULL
 * after an error in d. Steps of the back ends jit and c then allocate nothing. */
exec_cache_t *exec_cache_new(const exec_t *e, size_t length, size_t prompt, int threads, diag_t *d);
void exec_cache_free(exec_cache_t *c); /* NULL is fine */
/* As reformer_prefill and reformer_step: REFORMER_OK, an error code of the runtime, or EXEC_FAILED
 * after an error in d. */
int exec_prefill(exec_cache_t *c, const reformer_decode_t *io, diag_t *d);
int exec_step(exec_cache_t *c, const reformer_decode_t *io, diag_t *d);
int exec_cache_copy_row(exec_cache_t *c, size_t from, size_t to);
size_t exec_cache_tokens(const exec_cache_t *c, size_t row);
/* Of a reference: the least margin of any hash of the row (graph/decode.h). Below 1e-5 a last bit
 * may have decided what the row holds. */
double exec_cache_margin(const exec_cache_t *c, size_t row);
int64_t exec_positions(const exec_t *e); /* most tokens of a row; 0: the plan does not decode */

/* For up to `length` tokens. 0: out of range, or none needed. */
size_t exec_workspace_bytes(const exec_t *e, size_t length, int threads);
void exec_close(exec_t *e);

#endif
