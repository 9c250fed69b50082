/* `bench --decode`: what a step of generation takes after how much context.
 *
 *   decode_plan.c    what is asked for, checks
 *   decode.c         contexts, rounds of steps that take turns, kernels
 *   decode_report.c  tables, CSV, JSON */
#ifndef REFORMERC_COMMANDS_BENCH_DECODE_H
#define REFORMERC_COMMANDS_BENCH_DECODE_H

#include "commands/bench/bench.h"

/* ---- decode_plan.c --------------------------------------------------------------------------- */

/* --tokens, else as many as usual; false after an error in b->d. */
bool decode_tokens(bench_t *b);
/* Contexts where --lengths does not name any. */
void decode_lengths(bench_t *b, int64_t positions);
/* Plans everything without compiling, and fills in the cases' targets. False
 * after errors in b->d. */
bool decode_check(bench_t *b);
/* Steps that follow a context, one of every round and turn unmeasured. */
int64_t decode_steps(const bench_t *b);
/* One artefact holds contexts of all lengths: no length is compiled in. */
options_t decode_options(const bench_t *b, arena_t *a, int batch, int target);
bool decode_plan(session_t *s); /* false after errors in its d */
/* Of each batch and target, until one says false. */
typedef bool decode_plan_fn(bench_t *b, int batch, int target);
bool decode_each_plan(bench_t *b, decode_plan_fn *fn);

/* ---- decode.c -------------------------------------------------------------------------------- */

/* Fills in the cases. False after an error in b->d, or when interrupted. */
bool decode_measure(bench_t *b);

double decode_speed(const bench_case_t *c); /* (cases.c) tokens per second, of all rows */

/* ---- decode_report.c ------------------------------------------------------------------------- */

void decode_document(const bench_t *b, document_t *doc);
void decode_csv(const bench_t *b, sbuf_t *out);
void decode_json_case(const bench_case_t *c, sbuf_t *out);
void decode_json(const bench_t *b, sbuf_t *out); /* more members of the whole */

#endif
