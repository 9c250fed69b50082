/* Synthetic tasks, whose every example is a pure function of seed, split and number.
 *
 *   duplicate   0 w 0 w, w of symbols 1 … vocabulary - 1, |w| = length / 2 - 1; labels on the
 *               second w (Reformer paper, table 2)
 *   reverse     0 w 0 w backwards
 *   copy        0 w 0 w with |w| from least to most, symbols 1 … vocabulary - 2, padded
 *               (trax, reformer_copy.gin)
 *   addition    <S> x + y <S> z, z = x + y, digits little endian as 1 … base, '+' is base + 1, <S>
 *               base + 2, base = vocabulary - 3; labels on z; the lengths of x and y are from least
 *               to most together (trax, reformer_addition.gin)
 *   listops     Long Range Arena's, of least to most tokens: 0 padding, 1 the first token, 2 … 5
 *               [MIN [MAX [MED [SM, 6 ], 7 … 16 digits; a class 0 … 9 for each row
 *
 * Words of Philox4x32-10: key = seed, counter = (word / 4, example low, 512 + number * 16
 * + split, example high). */
#ifndef REFORMERC_DATA_TASK_H
#define REFORMERC_DATA_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "support/diag.h"

typedef enum { /* their numbers in the counter */
               TASK_NONE,
               TASK_DUPLICATE,
               TASK_REVERSE,
               TASK_COPY,
               TASK_ADDITION,
               TASK_LISTOPS,
               TASK_COUNT
} task_kind_t;

typedef enum { SPLIT_TRAIN, SPLIT_VALIDATION } task_split_t;

typedef struct {
    task_kind_t kind;
    int64_t length; /* that rows are padded to */
    /* Of the task: duplicate, reverse 2 …; copy 3 …; addition 5 …; listops 17 */
    int64_t vocabulary;
    /* copy: symbols of w; addition: trax's min_length and max_length; listops:
     * tokens without the first */
    int64_t min, max;
    int depth;     /* listops: of a tree, the root's is 1 */
    int arguments; /* listops: most of an operator */
} task_t;

const char *task_name(task_kind_t kind);
const char *task_measure(
    task_kind_t kind); /* what least … most count, "symbols"; NULL: it has no such numbers */
/* The task as published, as far as rows of this length and a model of so many ids allow: of listops
 * trees of 501 … 1999 tokens where they fit, else of 60 … 120 and depth 5; copy,
 * addition: the longest that fit. */
task_t task_of(task_kind_t kind, int64_t length, int64_t vocabulary);
/* False after an error in d: no example fits into these numbers. */
bool task_check(const task_t *t, diag_t *d);
enum { TASK_CLASSES = 10 };            /* digits */
bool task_classifies(const task_t *t); /* one label for each row, of TASK_CLASSES */

/* ids[length], mask[length] (1: token), labels[length]; listops: label[1] is its value. False after
 * an error in d: no tree of the wanted size is found. */
bool task_example(const task_t *t, uint64_t seed, task_split_t split, uint64_t example,
                  int32_t *ids, uint8_t *mask, int32_t *labels, diag_t *d);

#endif
