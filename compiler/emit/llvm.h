/* The LLVM back end: a lowered plan → LLVM modules → IR text, assembly, objects; objects → code in
 * this process. It transcribes Loops as the C back end does and decides nothing: the same bits come
 * out. The only user of <llvm-c/…>, through the files llvm_*.c; a build without LLVM has
 * llvm_none.c in their place.
 *
 * No state is shared between calls but what LLVM initialises once: any thread may call. It is
 * loaded by the first call that makes or links code; who has a diag_t for it
 * asks llvm_ready() before. */
#ifndef REFORMERC_EMIT_LLVM_H
#define REFORMERC_EMIT_LLVM_H

#include "emit/emit.h"

const char *llvm_version(void); /* "19.1.7"; NULL: this build has no LLVM */
/* Loads libLLVM where nothing did yet. False, with an error in d: it is not there. */
bool llvm_ready(diag_t *d);
/* What to do about a build without it, for a hint. */
#define LLVM_MISSING "install llvm-19-dev (or llvm-15-dev and later) and build again"

/* ---- files ----------------------------------------------------------------------------------- */

typedef enum { LLVM_TEXT, LLVM_ASSEMBLY, LLVM_OBJECT } llvm_form_t; /* .ll .s .o */

/* The whole plan as one module, optimised, with the functions that a product calls: what model.c
 * is, with the same header, and with weights, NULL: without. Position-independent.
 * False after an error in d. */
bool emit_llvm(const plan_t *p, llvm_form_t form, const emit_weights_t *weights, sbuf_t *out,
               diag_t *d);

/* LLVM ends the process where it gets no memory. So, before it is called, as much is asked for as
 * it is likely to need on so many threads, for so many functions in one module, and where that is
 * not to be had the call is given up (support/guard.h). */
void llvm_ensure_memory(int threads, size_t functions);

/* ---- units: what is compiled on its own ------------------------------------------------------ */

/* A kernel, or the schedule of one variant, as a module that is not optimised yet. */
typedef struct {
    const char *name; /* "feed_forward", "schedule" */
    void *bitcode;    /* the text of its key, too */
    size_t bytes;
} llvm_unit_t;

typedef struct {
    llvm_unit_t *unit; /* [n] */
    int n;
    const char **run; /* [plan_parts(p)]: symbol of each part's schedule */
} llvm_units_t;

/* All units of a plan of one target that this CPU runs. Memory: a. */
void llvm_units_make(const plan_t *p, arena_t *a, llvm_units_t *u);
/* Optimises and compiles one unit to an object file in `out`. Any thread, several at once. */
bool llvm_unit_compile(const llvm_unit_t *unit, const target_t *target, sbuf_t *out, diag_t *d);
/* What an object depends on besides its bitcode: versions, target, pipeline. */
const char *llvm_compile_key(const target_t *target);

/* ---- code in this process -------------------------------------------------------------------- */

typedef struct jit jit_t;
typedef void schedule_fn(const reformer_call_t *call);

/* Links objects; what they ask of the runtime is this process's one. The objects are copied.
 * Debuggers see the symbols; with `perf_map` Linux perf does, through /tmp/perf-PID.map. */
jit_t *jit_link(const sbuf_t *objects, int n, bool perf_map, diag_t *d);
schedule_fn *jit_schedule(const jit_t *j, const char *symbol, diag_t *d); /* NULL after an error */
void jit_free(jit_t *j);                                                  /* NULL is fine */

#endif
