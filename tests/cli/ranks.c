/* Ranks by themselves, run by mpirun or alone:  ranks sum | lost | failed
 *
 *   sum      sums of gradients have the bits of one process that accumulates all micro-batches in their order, whatever is
 *            ready first; pieces leave while others are not
 *   lost     rank 1 is killed in the middle of a sum
 *   failed   rank 1 gives up with an error */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ranks/ranks.h"

enum { MICROS = 3, MAX = 3 * (1 << 20) + 1000 };

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

/* A rank's k-th micro-batch of the step; parts of it become ready in an order that is the rank's own, the first one
 * not before the end. */
static void add(ranks_t *r, ranks_form_t form, float *own, const double *shares, size_t n, int k) {
    enum { AT_ONCE = 700 };
    size_t parts = (n + AT_ONCE - 1) / AT_ONCE;
    must(ranks_begin(r, form, own, shares, n, k + 1 == MICROS, d), "ranks_begin");
    for (size_t i = 1; i < parts; i++) {
        size_t part = (ranks_rank(r) + k) % 2 ? i : parts - i, from = part * AT_ONCE;
        ranks_ready(r, from, n - from < AT_ONCE ? n - from : AT_ONCE);
    }
    must(ranks_end(r, d), "ranks_end");
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
        add(r, form, own, shares, n, k);
    }
    must(memcmp(own, want, n * sizeof *own) == 0, "the sum");
    must(n < 100 || memcmp(own, other, n * sizeof *own) != 0, "that order matters here");
    free(own);
    free(want);
    free(other);
    free(shares);
}

/* Whole pieces go out while other parts are not ready, and get through to a rank that is as far. */
static void leaves_early(ranks_t *r) {
    enum { N = 100000, AT_ONCE = 1000 };
    double shares[64] = {1};
    float *x = calloc(N, sizeof *x);
    ranks_sent_t before = ranks_sent(r);
    must(x && ranks_size(r) <= 64 && ranks_begin(r, RANKS_TWICE, x, shares, N, true, d),
         "ranks_begin");
    for (size_t at = AT_ONCE; at < N; at += AT_ONCE) ranks_ready(r, at, AT_ONCE);
    must(ranks_sent(r).all == before.all, "what is sent counts at the end");
    must(ranks_end(r, d), "ranks_end");
    ranks_sent_t sent = ranks_sent(r);
    int64_t all = sent.all - before.all, begun = sent.begun - before.begun;
    /* the first piece waits for its first part, the last one was begun by the last call */
    must(all > 2 && begun < all && begun >= all - 2, "pieces leave as they are ready");
    must(sent.ended - before.ended <= all, "no more than all");
    free(x);
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
static void max(const ranks_t *r) {
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
    static const size_t sizes[] = {1, 15, 16, 17, 1000, MAX};
    d = diag_new();
    if (argc < 2) return 2;
    ranks_t *r = ranks_open(d);
    must(r != NULL, "ranks_open");
    if (strcmp(argv[1], "sum") == 0) {
        for (size_t i = 0; ranks_size(r) > 1 && i < sizeof sizes / sizeof *sizes; i++)
            for (ranks_form_t form = first_form(); form <= RANKS_DOUBLE; form++)
                sum(r, form, sizes[i]);
        if (ranks_size(r) > 1) leaves_early(r);
        numbers(r);
        max(r);
        printf("rank %d of %d\n", ranks_rank(r), ranks_size(r));
    } else {
        static float x[5000];
        double shares[64] = {1};
        must(ranks_size(r) > 1, "several ranks");
        must(ranks_begin(r, RANKS_TWICE, x, shares, 5000, true, d), "ranks_begin");
        must(ranks_end(r, d), "ranks_end");
        must(ranks_begin(r, RANKS_TWICE, x, shares, 5000, true, d), "ranks_begin");
        ranks_ready(r, 1000, 3000); /* some of it is on its way */
        if (ranks_rank(r) == 1 && strcmp(argv[1], "lost") == 0) kill(getpid(), SIGKILL);
        if (ranks_rank(r) == 1) ranks_close(r, false);
        (void)ranks_end(r, d);
        puts("went on without rank 1");
    }
    ranks_close(r, true);
    diag_free(d);
    return 0;
}
