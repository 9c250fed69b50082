/* Order statistics of statistics.h. */
#include "report/statistics.h"

#include <stdlib.h>
#include <string.h>

#include "support/diag.h"
#include "support/heap.h"

static int ascending(const void *pa, const void *pb) {
    double a = *(const double *)pa, b = *(const double *)pb;
    return a < b ? -1 : a > b;
}

static double quantile(const double *sorted, int n, double q) {
    double place = q * (n - 1);
    int at = (int)place;
    if (at >= n - 1) return sorted[n - 1];
    return sorted[at] + (place - at) * (sorted[at + 1] - sorted[at]);
}

spread_t spread_of(const double *samples, int n) {
    if (n < 1) bug("statistics of nothing");
    double *sorted = heap_new((size_t)n, sizeof *sorted);
    memcpy(sorted, samples, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    spread_t s = {quantile(sorted, n, 0.5), quantile(sorted, n, 0.25), quantile(sorted, n, 0.75)};
    heap_free(sorted);
    return s;
}

double spread_width(spread_t s) {
    return s.median == 0 ? 0 : (s.high - s.low) / 2 / s.median;
}
