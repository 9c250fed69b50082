/* Between command.c, which compares forwards, train.c, which compares the gradients of a train
 * step, and sides.c, which both ask. */
#ifndef REFORMERC_COMMANDS_VERIFY_VERIFY_H
#define REFORMERC_COMMANDS_VERIFY_VERIFY_H

#include "compare/verdict.h"
#include "report/progress.h"
#include "session/session.h"

typedef struct {
    backend_t backend;
    const char *cc, *label;
} side_choice_t;

typedef struct {
    options_t options; /* those of the command, with the back end that decides about targets */
    session_t s;
    inputs_t in;
    plan_t *traced, *plain, *train; /* train: NULL: the spec does not, or the input has no labels */
    trial_t trial;
    side_choice_t choice[MAX_SIDES];
    side_t side[MAX_SIDES];
    int n;
    const char *left_out; /* a line for the table, NULL: everything ran */
    exec_t *oracle;
    side_t *reference; /* NULL: left out */
    progress_t progress;
    int64_t done, total; /* tensors of traced runs, and steps without any */
    const char *running;
} verify_t;

/* (sides.c) The sides that were asked for; false after errors. The interpreter is left out again
 * where it takes too long. */
bool verify_choose(verify_t *v);
void verify_leave_interpreter(verify_t *v, double flops);
void verify_show(verify_t *v, const char *what);
exec_t *verify_open(verify_t *v, const side_choice_t *c, plan_t *p);
/* As the command does by default: what takes the interpreter too long. */
bool verify_interprets(const verify_t *v, const side_choice_t *c, double flops);

/* The plan of a train step of the input, lowered; imposes: with room for buckets.
 * NULL after errors. */
plan_t *verify_train_plan(verify_t *v, bool imposes);
/* Runs the step by every side and writes the table; *agree becomes false where one
 * departs. False after errors. */
bool verify_train(verify_t *v, sbuf_t *out, bool *agree);

#endif
