/* How the sections of the report write rows and texts. */
#ifndef REFORMERC_COMMANDS_EXPLAIN_ROWS_H
#define REFORMERC_COMMANDS_EXPLAIN_ROWS_H

#include "commands/explain/explain.h"

#define TEXT(e, ...)   arena_printf((e)->arena, __VA_ARGS__)
#define ROW(e, t, ...) table_row((e)->arena, (t), (const char *const[]){__VA_ARGS__})

const char *number_of(const explanation_t *e, int64_t n, const char *what); /* "2 threads" */
table_t *facts_table(const explanation_t *e); /* what, and its value */

#endif
