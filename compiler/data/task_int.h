/* Between task.c and task_listops.c. */
#ifndef REFORMERC_DATA_TASK_INT_H
#define REFORMERC_DATA_TASK_INT_H

#include "data/random.h"
#include "data/task.h"

enum { TASK_IGNORED = -100, LISTOPS_IDS = 17 };

task_t listops_of(task_t t); /* least, most, depth, arguments for its length */
void listops_check(const task_t *t, diag_t *d);
/* ids[t->length], of which *n are written; false after an error in d. */
bool listops_row(const task_t *t, random_t *words, int32_t *ids, int64_t *n, int32_t *value,
                 diag_t *d);

#endif
