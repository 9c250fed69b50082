/* Rows of the report's tables (rows.h). */
#include "commands/explain/rows.h"

const char *number_of(const explanation_t *e, int64_t n, const char *what) {
    return TEXT(e, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s");
}

table_t *facts_table(const explanation_t *e) {
    return table_new(e->arena, 2, (column_t[]){{NULL, true}, {NULL, true}});
}
