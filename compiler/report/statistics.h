/* What repeated measurements say: the median, and the quartiles around it. */
#ifndef REFORMERC_REPORT_STATISTICS_H
#define REFORMERC_REPORT_STATISTICS_H

typedef struct {
    double median, low, high; /* low, high: quartiles, half of the samples lie between them */
} spread_t;

/* Of n >= 1 samples, in any order; quantiles between two samples are interpolated. */
spread_t spread_of(const double *samples, int n);
/* Half the way from low to high as a share of the median: the number after "±".
 * 0 for a median of 0. */
double spread_width(spread_t s);

#endif
