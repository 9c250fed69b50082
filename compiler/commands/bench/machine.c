/* What the machine does with a target on so many threads: the rates that shares are of. */
#include "commands/bench/bench.h"

static const double machine_seconds = 0.02; /* of each rate of the machine's own table */
enum { MACHINE_REPEATS = 7 };

/* Once per target and number of threads; the rates take turns too. */
bool bench_measure_machine(bench_t *b, const bench_case_t *c, calibration_t *calibration,
                           const pool_t *pool, diag_t *d) {
    double rates[RATE_COUNT][MACHINE_REPEATS];
    if (bench_machine(b, c->target, c->threads)) return true;
    bench_say(b, c, "calibrating");
    for (int r = -1; r < MACHINE_REPEATS; r++) { /* round -1 warms up */
        for (int k = 0; k < RATE_COUNT; k++) {
            if (!rate_exists(c->target, (rate_t)k)) continue;
            double rate = calibration_rate(calibration, (rate_t)k, c->threads, pool,
                                           r < 0 ? 0 : machine_seconds, d);
            if (rate <= 0) return false;
            if (r >= 0) rates[k][r] = rate;
        }
    }
    bench_machine_t *m = &b->machines[b->n_machines++];
    *m = (bench_machine_t){.target = c->target, .threads = c->threads};
    for (int k = 0; k < RATE_COUNT; k++)
        if (rate_exists(c->target, (rate_t)k)) m->rate[k] = spread_of(rates[k], MACHINE_REPEATS);
    return true;
}
