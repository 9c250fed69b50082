/* The cases of a bench: where each stands, and what is said of it by its figures alone. */
#include <stdio.h>

#include "commands/bench/decode.h"

double case_tokens(const bench_case_t *c) {
    return (double)c->length * (double)c->batch;
}

bench_case_t *bench_case(const bench_t *b, int length, int batch, int target, int threads) {
    int k = (length * b->n_batches + batch) * b->n_targets + target;
    return &b->cases[k * b->n_threads + threads];
}

int bench_series(const bench_t *b) {
    return b->n_batches * b->n_targets * b->n_threads;
}

bool some_case_is_done(const bench_t *b) {
    for (int k = 0; k < b->n_cases; k++)
        if (b->cases[k].done) return true;
    return false;
}

const bench_machine_t *bench_machine(const bench_t *b, const target_t *t, int threads) {
    for (int k = 0; k < b->n_machines; k++)
        if (b->machines[k].target == t && b->machines[k].threads == threads) return &b->machines[k];
    return NULL;
}

double decode_speed(const bench_case_t *c) {
    return (double)c->batch / c->seconds.median;
}

void bench_say(bench_t *b, const bench_case_t *c, const char *what) {
    char text[96];
    (void)snprintf(text, sizeof text, "%s %lld, %s, %d thread%s: %s",
                   b->decodes ? "context" : "length", (long long)c->length, c->target->name,
                   c->threads, c->threads == 1 ? "" : "s", what);
    progress_show(&b->bar, b->step, b->steps, text);
}
