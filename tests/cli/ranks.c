/* Ranks by themselves, run by mpirun or alone:  ranks sum | lost | failed
 *
 *   sum      sums of gradients have the bits of one process that accumulates all micro-batches in their order
 *   lost     rank 1 is killed in the middle of a sum
 *   failed   rank 1 gives up with an error */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/ranks.h"

enum { MICROS = 3, MOST = 3 * (1 << 20) + 1000 };

static diag_t *d;

static void must(bool ok, const char *what) {
    if (ok && diag_errors(d) == 0) return;
    diag_print(d, stderr);
    fprintf(stderr, "wrong: %s\n", what);
    exit(1);
}

/* Of micro-batch m of the step: what is rounded differently in another order. */
static void draw(int m, size_t n, float *x) {
    uint32_t state = (uint32_t)m * 2654435761U + 12345;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        x[i] = (float)(int32_t)state / (float)(1 << (state >> 8 & 15));
    }
}

static double share_of(int m) {
    return 1.0 / (3 + m % 5);
}

static void sum(ranks_t *r, ranks_form_t form, size_t n) {
    int size = ranks_size(r);
    float *own = malloc(n * sizeof *own), *want = calloc(n, sizeof *want),
          *other = calloc(n, sizeof *other);
    double *shares = malloc((size_t)size * sizeof *shares);
    must(own && want && other && shares, "memory");
    for (int k = 0; k < MICROS; k++) {
        for (int q = 0; q < size; q++) {
            int m = k * size + q;
            shares[q] = share_of(m);
            draw(m, n, own);
            ranks_add_floats(form, m == 0, shares[q], own, want, n);
            draw(MICROS * size - 1 - m, n, own);
            ranks_add_floats(form, m == 0, shares[q], own, other, n);
        }
        draw(k * size + ranks_rank(r), n, own);
        must(ranks_add(r, form, own, shares, n, d), "ranks_add");
    }
    must(ranks_sum(r, own, n, d), "ranks_sum");
    must(memcmp(own, want, n * sizeof *own) == 0, "the sum");
    must(n < 100 || memcmp(own, other, n * sizeof *own) != 0, "that order matters here");
    free(own);
    free(want);
    free(other);
    free(shares);
}

static void numbers(ranks_t *r) {
    int size = ranks_size(r), rank = ranks_rank(r);
    double mine[2] = {rank + 0.5, -rank}, *all = calloc((size_t)size * 2, sizeof *all);
    must(all && ranks_numbers(r, mine, all, 2, d), "ranks_numbers");
    for (int q = 0; q < size; q++) must(all[2 * q] == q + 0.5 && all[2 * q + 1] == -q, "numbers");
    int told = rank == 0 ? 77 : rank;
    must(ranks_share(r, &told, sizeof told, d) && told == 77, "ranks_share");
    free(all);
}

/* MPI counts in 32 bits. */
static void most(const ranks_t *r) {
    diag_t *quiet = diag_new();
    bool alone = ranks_size(r) == 1;
    must(ranks_take(r, INT32_MAX, d), "the most");
    must(ranks_take(r, (size_t)INT32_MAX + 1, quiet) == alone, "more than that");
    must((diag_errors(quiet) == 0) == alone, "an error of it");
    diag_free(quiet);
}

static ranks_form_t first_form(void) {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("fma")) return RANKS_TWICE;
#endif
    return RANKS_FUSED;
}

int main(int argc, char **argv) {
    static const size_t sizes[] = {1, 15, 16, 17, 1000, MOST};
    d = diag_new();
    if (argc < 2) return 2;
    ranks_t *r = ranks_open(d);
    must(r != NULL, "ranks_open");
    if (strcmp(argv[1], "sum") == 0) {
        for (size_t i = 0; ranks_size(r) > 1 && i < sizeof sizes / sizeof *sizes; i++)
            for (ranks_form_t form = first_form(); form <= RANKS_DOUBLE; form++)
                sum(r, form, sizes[i]);
        numbers(r);
        most(r);
        printf("rank %d of %d\n", ranks_rank(r), ranks_size(r));
    } else {
        static float x[1000];
        double shares[64] = {1};
        must(ranks_size(r) > 1 && ranks_add(r, RANKS_TWICE, x, shares, 1000, d), "ranks_add");
        if (ranks_rank(r) == 1 && strcmp(argv[1], "lost") == 0) kill(getpid(), SIGKILL);
        if (ranks_rank(r) == 1) ranks_close(r, false);
        (void)ranks_add(r, RANKS_TWICE, x, shares, 1000, d);
        puts("went on without rank 1");
    }
    ranks_close(r, true);
    diag_free(d);
    return 0;
}
