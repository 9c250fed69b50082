/* Parts: what c_part.c, which writes them, shares with what finds them and what they need. */
#ifndef REFORMERC_EMIT_C_PART_H
#define REFORMERC_EMIT_C_PART_H

#include "emit/c_int.h"

typedef struct {
    const value_t *value; /* or */
    const buffer_t *buffer;
    base_t *base;
    /* of pointers */
    bool written, shifts;
    int64_t shift; /* the least of the constants that are added to it inside: the argument has it */
} param_t;

struct cut {
    const block_t *block; /* a loop's body, or a branch */
    size_t from, to;      /* of it these instructions alone; 0, 0: all, and the loop */
    const char *name;     /* NULL: not written yet */
    int lines;            /* of its function */
    param_t *params;
    size_t n, cap;
    bool units;             /* U too */
    const value_t **leaves; /* of a range: what is read behind it */
    size_t n_leaves, cap_leaves;
};

/* c_part.c */
c_cut_t *whole_part(const func_t *f, const block_t *b); /* all of it, not a range; NULL: none */
bool is_statement(const func_t *f, const inst_t *i);    /* not written where it is used */
int count_lines(const char *text);

/* c_need.c */
void find_params(func_t *f, c_cut_t *p);
/* i: an instruction of b; NULL: b's arguments. */
bool is_within(const block_t *b, const inst_t *i, const c_cut_t *p);
bool base_is_within(const base_t *base, const c_cut_t *p);
bool is_argument(const value_t *v); /* of a loop's body */

#endif
