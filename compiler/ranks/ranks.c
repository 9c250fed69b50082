/* Ranks, and their sums, by messages.h: see ranks.h. What sends messages is loaded when a launcher
 * has started several of us.
 *
 * A sum is cut into pieces, which ranks own in turn. Gradients go to the owners piece by piece, as
 * soon as all of a piece is there; who adds them up in the order of the ranks, and sends the sum to
 * everybody. So a rank sends and receives what the best of all-reduces does where a step has one
 * micro-batch per rank, and the order of additions is that of the ranks, whatever arrives first.
 * Messages go on when somebody calls: no thread of ours waits for them. */
#include "ranks/ranks.h"

#include <stdint.h>
#include <string.h>

#include "ranks/messages.h"
#include "support/heap.h"

#ifndef REFORMERC_MPI
#error "CMakeLists.txt defines whether MPI was found"
#endif

enum { MIN = 1024, MAX = 1 << 18, LINE = 16 }; /* floats of a piece; what they are rounded up to */
enum { PARTS = 4 };        /* pieces of each rank, where they are not too large */
enum { WINDOW = 4 };       /* own pieces, the gradients of which come in at once */
enum { MAX_TAGS = 32767 }; /* that every MPI has */

typedef struct {
    int piece, waits; /* -1: none; gradients that are to come */
} sum_window_t;

struct ranks {
    int rank, size;
    const messages_t *mpi; /* NULL: alone */
    bool started;
    int code; /* of MPI: the first error, in between */
    /* the sum: of n floats in pieces */
    size_t n, piece;
    int n_pieces, n_own;  /* n_own: that a rank owns, at most */
    float *slice, *inbox; /* [n_own][piece]: sums; [WINDOW][size][piece] */
    bool added;           /* micro-batches before this one */
    /* of each rank's micro-batch that is being added */
    ranks_form_t form;
    float *gradient;      /* [n] */
    const double *shares; /* [size] */
    bool summing, first, last;
    int *left;       /* [n_pieces]: floats that are not ready */
    bool *sums_come; /* [n_pieces] of others: the gradient is with its owner, and the sum is next */
    int *queue;      /* [n_own]: own pieces as they became ready */
    int queued, opened;
    sum_window_t window[WINDOW];
    /* [n_pieces]: gradients that go out, then sums that come; [WINDOW][size]: gradients that come;
     * [n_own][size]: sums that go */
    void *requests;
    int n_requests, *done;
    /* Pieces that were sent: so far, before the latest call, and are there */
    int begun, before, arrived;
    ranks_sent_t sent;
};

static bool went_well(const ranks_t *r, int code, diag_t *d) {
    if (code == 0) return true;
    char text[MESSAGES_TEXT];
    r->mpi->explain(code, text);
    diag_error(d, NOWHERE, "MPI: %s", text);
    return false;
}

static void free_sum(ranks_t *r) {
    heap_free(r->slice);
    heap_free(r->inbox);
    heap_free(r->left);
    heap_free(r->sums_come);
    heap_free(r->queue);
    heap_free(r->requests);
    heap_free(r->done);
}

/* ---- processes ------------------------------------------------------------------------------- */

static const messages_t *find_messages(int size, diag_t *d) {
    static const module_file_t module = {
        .name = "mpi", .needs = "MPI", .package = "libopenmpi3", .global = true};
    if (REFORMERC_MPI) return module_load(&module, d);
    diag_error(d, NOWHERE, "mpirun started %d processes, and this reformerc was built without MPI",
               size);
    diag_hint(d, "install Open MPI (Debian: libopenmpi-dev openmpi-bin) and build again");
    return NULL;
}

static bool join(ranks_t *r, diag_t *d) {
    r->mpi = find_messages(ranks_launched(), d);
    if (!r->mpi) return false;
    r->started = went_well(r, r->mpi->begin(), d);
    return r->started && went_well(r, r->mpi->place(&r->rank, &r->size), d);
}

ranks_t *ranks_open(diag_t *d) {
    ranks_t *r = heap_new(1, sizeof *r);
    r->size = 1;
    if (ranks_launched() == 1 || join(r, d)) return r;
    ranks_close(r, false);
    return NULL;
}

void ranks_close(ranks_t *r, bool well) {
    if (!r) return;
    /* first of all: messages may be on their way */
    if (r->started) (well ? r->mpi->end : r->mpi->abort)();
    free_sum(r);
    heap_free(r);
}

int ranks_rank(const ranks_t *r) {
    return r ? r->rank : 0;
}

int ranks_size(const ranks_t *r) {
    return r ? r->size : 1;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static size_t round_up_to(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

/* PARTS for each rank, but not so small that messages cost more than what is in them, nor so large
 * that they wait for much. */
static size_t piece_size(size_t n, int size) {
    size_t piece = n / ((size_t)size * PARTS) + 1;
    if (piece < MIN) piece = MIN;
    if (piece > MAX) piece = MAX;
    if (piece < n / MAX_TAGS + 1) piece = n / MAX_TAGS + 1;
    return round_up_to(piece, LINE);
}

static float *at_piece(const ranks_t *r, float *of, int p) {
    return of + (size_t)p * r->piece;
}

static int floats_of(const ranks_t *r, int p) {
    size_t from = (size_t)p * r->piece;
    return (int)(r->n - from < r->piece ? r->n - from : r->piece);
}

static int owner_of(const ranks_t *r, int p) {
    return p % r->size;
}

static int own_of(const ranks_t *r, int p) { /* the number among its owner's */
    return p / r->size;
}

bool ranks_take(const ranks_t *r, size_t n, diag_t *d) {
    if (ranks_size(r) == 1 || n <= INT32_MAX) return true;
    diag_error(d, NOWHERE,
               "%zu weights that are trained are too many for several ranks, %d at most", n,
               INT32_MAX);
    diag_hint(d, "'train.freeze' leaves tensors out; one process has no such limit");
    return false;
}

static void make_sum(ranks_t *r, size_t n) {
    free_sum(r);
    r->n = n;
    r->piece = piece_size(n, r->size);
    r->n_pieces = (int)((n + r->piece - 1) / r->piece);
    r->n_own = (r->n_pieces + r->size - 1) / r->size;
    r->n_requests = r->n_pieces + (WINDOW + r->n_own) * r->size;
    r->slice = heap_new((size_t)r->n_own * r->piece, sizeof *r->slice);
    r->inbox = heap_new((size_t)WINDOW * (size_t)r->size * r->piece, sizeof *r->inbox);
    r->left = heap_new((size_t)r->n_pieces, sizeof *r->left);
    r->sums_come = heap_new((size_t)r->n_pieces, sizeof *r->sums_come);
    r->queue = heap_new((size_t)r->n_own, sizeof *r->queue);
    r->requests = heap_new((size_t)r->n_requests, r->mpi->request_bytes);
    r->done = heap_new((size_t)r->n_requests, sizeof *r->done);
    r->mpi->clear(r->requests, r->n_requests);
    for (int w = 0; w < WINDOW; w++) r->window[w].piece = -1;
}

/* ---- messages -------------------------------------------------------------------------------- */

/* The first error stays, and nothing begins behind it. A message's tag is its piece: of a pair of
 * ranks the owner gets a gradient, the other one the sum. */
static void send(ranks_t *r, int request, const float *from, int p, int to) {
    if (r->code == 0) r->code = r->mpi->send(r->requests, request, from, floats_of(r, p), p, to);
}

static void receive(ranks_t *r, int request, float *to, int p, int from) {
    if (r->code == 0) r->code = r->mpi->receive(r->requests, request, to, floats_of(r, p), p, from);
}

static float *inbox_of(const ranks_t *r, int w, int rank) {
    return r->inbox + ((size_t)w * (size_t)r->size + (size_t)rank) * r->piece;
}

static int inbox_request(const ranks_t *r, int w, int rank) {
    return r->n_pieces + w * r->size + rank;
}

static int sum_request(const ranks_t *r, int p, int rank) {
    return r->n_pieces + (WINDOW + own_of(r, p)) * r->size + rank;
}

/* Own pieces that are ready, in that order, as long as there is room for what
 * the others have of them. */
static void open_windows(ranks_t *r) {
    for (int w = 0; w < WINDOW && r->opened < r->queued; w++) {
        if (r->window[w].piece >= 0) continue;
        int p = r->queue[r->opened++];
        r->window[w] = (sum_window_t){p, r->size - 1};
        for (int k = 1; k < r->size; k++) {
            int from = (r->rank + r->size - k) % r->size;
            receive(r, inbox_request(r, w, from), inbox_of(r, w, from), p, from);
        }
    }
}

/* All ranks' gradients of an own piece are here. */
static void add_piece(ranks_t *r, int w) {
    int p = r->window[w].piece;
    size_t n = (size_t)floats_of(r, p);
    float *own = at_piece(r, r->gradient, p), *sum = at_piece(r, r->slice, own_of(r, p));
    for (int k = 0; k < r->size; k++)
        ranks_add_floats(r->form, r->first && k == 0, r->shares[k],
                         k == r->rank ? own : inbox_of(r, w, k), sum, n);
    r->window[w].piece = -1;
    if (!r->last) return;
    memcpy(own, sum, n * sizeof *own);
    for (int k = 1; k < r->size; k++) {
        int to = (r->rank + k) % r->size;
        send(r, sum_request(r, p, to), sum, p, to);
    }
}

/* What follows a message: of the last micro-batch's piece that is with its owner, the sum
 * comes back to where it was. */
static void ended(ranks_t *r, int request) {
    int p = request, w = (request - r->n_pieces) / r->size;
    if (p < r->n_pieces) {
        if (r->sums_come[p]) return;
        r->sums_come[p] = true;
        r->arrived++;
        if (r->last) receive(r, p, at_piece(r, r->gradient, p), p, owner_of(r, p));
    } else if (w < WINDOW && --r->window[w].waits == 0) {
        add_piece(r, w);
    }
}

/* False: no message is on its way. */
static bool progress(ranks_t *r, bool wait) {
    int n = 0;
    if (r->code != 0) return false;
    r->code = r->mpi->ended(r->requests, r->n_requests, wait, &n, r->done);
    if (r->code != 0 || n < 0) return false;
    for (int i = 0; i < n; i++) ended(r, r->done[i]);
    open_windows(r);
    return true;
}

/* ---- sums ------------------------------------------------------------------------------------ */

static void begin_piece(ranks_t *r, int p) {
    if (owner_of(r, p) == r->rank) {
        r->queue[r->queued++] = p;
        open_windows(r);
        return;
    }
    send(r, p, at_piece(r, r->gradient, p), p, owner_of(r, p));
    r->begun++;
}

bool ranks_begin(ranks_t *r, ranks_form_t form, float *gradient, const double *shares, size_t n,
                 bool last, diag_t *d) {
    if (!r->mpi || r->summing || n > INT32_MAX) bug("ranks_begin: %zu floats", n);
    if (!r->added) {
        if (r->n != n || !r->slice) make_sum(r, n);
    } else if (r->n != n) {
        bug("ranks_begin: %zu floats on top of %zu", n, r->n);
    }
    r->form = form;
    r->gradient = gradient;
    r->shares = shares;
    r->first = !r->added;
    r->last = last;
    r->summing = r->added = true;
    r->queued = r->opened = r->begun = r->before = r->arrived = 0;
    for (int p = 0; p < r->n_pieces; p++) {
        r->left[p] = floats_of(r, p);
        r->sums_come[p] = false;
    }
    return went_well(r, r->code, d);
}

void ranks_ready(ranks_t *r, size_t first, size_t floats) {
    size_t end = first + floats;
    if (!r->summing || end > r->n) bug("ranks_ready: float %zu of %zu", end, r->n);
    r->before = r->begun;
    while (first < end) {
        int p = (int)(first / r->piece);
        size_t to = ((size_t)p + 1) * r->piece;
        if (to > end) to = end;
        r->left[p] -= (int)(to - first);
        if (r->left[p] < 0) bug("ranks_ready: a float of piece %d is ready twice", p);
        if (r->left[p] == 0) begin_piece(r, p);
        first = to;
    }
    (void)progress(r, false);
}

/* Everybody sends everything, whatever the order in which it became ready, so that whoever
 * waits for a piece gets it. */
bool ranks_end(ranks_t *r, diag_t *d) {
    if (!r->summing) bug("ranks_end: nothing has begun");
    (void)progress(r, false);
    r->sent.begun += r->before;
    r->sent.ended += r->arrived;
    for (int p = 0; p < r->n_pieces; p++)
        if (r->left[p] > 0) begin_piece(r, p);
    while (progress(r, true)) {
    }
    r->sent.all += r->begun;
    r->summing = false;
    r->added = !r->last;
    return went_well(r, r->code, d);
}

ranks_sent_t ranks_sent(const ranks_t *r) {
    return r ? r->sent : (ranks_sent_t){0};
}

/* ---- numbers --------------------------------------------------------------------------------- */

bool ranks_numbers(ranks_t *r, const double *mine, double *all, int n, diag_t *d) {
    if (ranks_size(r) == 1) {
        memcpy(all, mine, (size_t)n * sizeof *all);
        return true;
    }
    return went_well(r, r->mpi->gather(mine, n, all), d);
}

bool ranks_share(ranks_t *r, void *data, size_t bytes, diag_t *d) {
    if (ranks_size(r) == 1) return true;
    if (bytes > INT32_MAX) bug("ranks_share: %zu bytes at once", bytes);
    return went_well(r, r->mpi->share(data, (int)bytes), d);
}
