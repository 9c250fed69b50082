/* Ranks by MPI: see ranks.h. No other file includes <mpi.h>.
 *
 * Each rank owns a slice of the sum. Gradients go to the owners piece by piece, who add them up in the order of the ranks;
 * in the end each has everybody's slices. So a rank sends and receives what the best of all-reduces does where a step has one
 * micro-batch per rank, and the order of additions is that of the ranks, whatever arrives first. */
#include "commands/ranks.h"

#include <mpi.h>
#include <stdint.h>
#include <string.h>

#include "support/heap.h"

enum { PIECE = 1 << 20, LINE = 16 }; /* floats that are on their way from one rank; of a slice */

struct ranks {
    int rank, size;
    bool started;
    float *slice, *inbox;  /* [each], [size][piece] */
    MPI_Request *requests; /* [2 * size] */
    int *count, *first;    /* [size]: of slices */
    size_t each, n;        /* floats of a slice, of the sum that has begun */
    bool begun;
};

static bool went_well(int code, diag_t *d) {
    char text[MPI_MAX_ERROR_STRING];
    int n = 0;
    if (code == MPI_SUCCESS) return true;
    if (MPI_Error_string(code, text, &n) != MPI_SUCCESS) n = 0;
    diag_error(d, NOWHERE, "MPI: %.*s", n, text);
    return false;
}

/* ---- processes --------------------------------------------------------------------------------- */

ranks_t *ranks_open(diag_t *d) {
    ranks_t *r = heap_new(1, sizeof *r);
    int threads;
    r->size = 1;
    if (ranks_launched() == 1) return r;
    bool ok = went_well(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &threads), d);
    r->started = ok;
    ok = ok && went_well(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), d);
    ok = ok && went_well(MPI_Comm_rank(MPI_COMM_WORLD, &r->rank), d);
    ok = ok && went_well(MPI_Comm_size(MPI_COMM_WORLD, &r->size), d);
    if (ok) {
        r->requests = heap_new((size_t)r->size * 2, sizeof *r->requests);
        r->count = heap_new((size_t)r->size, sizeof *r->count);
        r->first = heap_new((size_t)r->size, sizeof *r->first);
        return r;
    }
    ranks_close(r, false);
    return NULL;
}

void ranks_close(ranks_t *r, bool well) {
    if (!r) return;
    bool started = r->started;
    heap_free(r->slice);
    heap_free(r->inbox);
    heap_free(r->requests);
    heap_free(r->count);
    heap_free(r->first);
    heap_free(r);
    if (!started) return;
    if (well) (void)MPI_Finalize();
    else (void)MPI_Abort(MPI_COMM_WORLD, 1);
}

int ranks_rank(const ranks_t *r) {
    return r ? r->rank : 0;
}

int ranks_size(const ranks_t *r) {
    return r ? r->size : 1;
}

/* ---- slices ------------------------------------------------------------------------------------ */

static size_t slice_of(size_t n, int size) {
    size_t lines = (n + LINE - 1) / LINE, each = (lines + (size_t)size - 1) / (size_t)size;
    return (each > 0 ? each : 1) * LINE;
}

/* Floats of the piece at `at` of a rank's slice: those that there are. */
static int piece_of(const ranks_t *r, int rank, size_t at) {
    size_t from = (size_t)rank * r->each + at, end = ((size_t)rank + 1) * r->each;
    if (end > r->n) end = r->n;
    if (from >= end) return 0;
    return (int)(end - from < PIECE ? end - from : PIECE);
}

bool ranks_take(const ranks_t *r, size_t n, diag_t *d) {
    if (ranks_size(r) == 1 || n <= INT32_MAX) return true;
    diag_error(d, NOWHERE,
               "%zu weights that are trained are too many for several ranks, %d at most", n,
               INT32_MAX);
    diag_hint(d, "'train.freeze' leaves tensors out; one process has no such limit");
    return false;
}

static void begin_sum(ranks_t *r, size_t n) {
    if (r->n != n || !r->slice) {
        heap_free(r->slice);
        heap_free(r->inbox);
        r->n = n;
        r->each = slice_of(n, r->size);
        r->slice = heap_new(r->each, sizeof *r->slice);
        size_t piece = r->each < PIECE ? r->each : PIECE;
        r->inbox = heap_new((size_t)r->size * piece, sizeof *r->inbox);
    }
}

static float *inbox_of(const ranks_t *r, int rank) {
    return r->inbox + (size_t)rank * (r->each < PIECE ? r->each : PIECE);
}

/* Everybody's piece of the own slice comes in, and pieces of theirs go out. */
static bool exchange(ranks_t *r, const float *gradient, size_t at, diag_t *d) {
    int n = 0, code = MPI_SUCCESS, own = piece_of(r, r->rank, at);
    for (int k = 1; k < r->size && code == MPI_SUCCESS; k++) {
        int from = (r->rank + r->size - k) % r->size;
        if (own > 0)
            code = MPI_Irecv(inbox_of(r, from), own, MPI_FLOAT, from, 0, MPI_COMM_WORLD,
                             &r->requests[n++]);
    }
    for (int k = 1; k < r->size && code == MPI_SUCCESS; k++) {
        int to = (r->rank + k) % r->size, theirs = piece_of(r, to, at);
        if (theirs > 0)
            code = MPI_Isend(gradient + (size_t)to * r->each + at, theirs, MPI_FLOAT, to, 0,
                             MPI_COMM_WORLD, &r->requests[n++]);
    }
    if (code == MPI_SUCCESS) code = MPI_Waitall(n, r->requests, MPI_STATUSES_IGNORE);
    return went_well(code, d);
}

bool ranks_add(ranks_t *r, ranks_form_t form, const float *gradient, const double *shares, size_t n,
               diag_t *d) {
    if (n > INT32_MAX) bug("ranks_add: %zu floats", n);
    if (!r->begun) begin_sum(r, n);
    if (r->n != n) bug("ranks_add: %zu floats on top of %zu", n, r->n);
    for (size_t at = 0; at < r->each; at += PIECE) {
        int own = piece_of(r, r->rank, at);
        if (!exchange(r, gradient, at, d)) return false;
        for (int k = 0; k < r->size && own > 0; k++) {
            const float *x = k == r->rank ? gradient + (size_t)k * r->each + at : inbox_of(r, k);
            ranks_add_floats(form, !r->begun && k == 0, shares[k], x, r->slice + at, (size_t)own);
        }
    }
    r->begun = true;
    return true;
}

bool ranks_sum(ranks_t *r, float *sum, size_t n, diag_t *d) {
    if (!r->begun || r->n != n) bug("ranks_sum: %zu floats, and %zu were added", n, r->n);
    r->begun = false;
    for (int k = 0; k < r->size; k++) {
        size_t from = (size_t)k * r->each < n ? (size_t)k * r->each : n;
        r->first[k] = (int)from;
        r->count[k] = (int)(n - from < r->each ? n - from : r->each);
    }
    memcpy(sum + r->first[r->rank], r->slice, (size_t)r->count[r->rank] * sizeof *sum);
    return went_well(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_FLOAT, sum, r->count, r->first, MPI_FLOAT,
                                    MPI_COMM_WORLD),
                     d);
}

/* ---- numbers ----------------------------------------------------------------------------------- */

bool ranks_numbers(ranks_t *r, const double *mine, double *all, int n, diag_t *d) {
    if (ranks_size(r) == 1) {
        memcpy(all, mine, (size_t)n * sizeof *all);
        return true;
    }
    return went_well(MPI_Allgather(mine, n, MPI_DOUBLE, all, n, MPI_DOUBLE, MPI_COMM_WORLD), d);
}

bool ranks_share(ranks_t *r, void *data, size_t bytes, diag_t *d) {
    if (ranks_size(r) == 1) return true;
    if (bytes > INT32_MAX) bug("ranks_share: %zu bytes at once", bytes);
    return went_well(MPI_Bcast(data, (int)bytes, MPI_BYTE, 0, MPI_COMM_WORLD), d);
}
