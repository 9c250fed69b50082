/* A build without MPI: one rank. */
#include "ranks/ranks.h"
#include "support/heap.h"

struct ranks {
    bool unused;
};

ranks_t *ranks_open(diag_t *d) {
    int size = ranks_launched();
    if (size > 1) {
        diag_error(d, NOWHERE,
                   "mpirun started %d processes, and this reformerc was built without MPI", size);
        diag_hint(d, "install Open MPI (Debian: libopenmpi-dev openmpi-bin) and build again");
        return NULL;
    }
    return heap_new(1, sizeof(ranks_t));
}

void ranks_close(ranks_t *r, bool well) {
    (void)well;
    heap_free(r);
}

int ranks_rank(const ranks_t *r) {
    (void)r;
    return 0;
}

int ranks_size(const ranks_t *r) {
    (void)r;
    return 1;
}

bool ranks_take(const ranks_t *r, size_t n, diag_t *d) {
    (void)r, (void)n, (void)d;
    return true;
}

static bool alone(void) {
    bug("ranks: there is only one");
}

bool ranks_begin(ranks_t *r, ranks_form_t form, float *gradient, const double *shares, size_t n,
                 bool last, diag_t *d) {
    (void)r, (void)form, (void)gradient, (void)shares, (void)n, (void)last, (void)d;
    return alone();
}

void ranks_ready(ranks_t *r, size_t first, size_t floats) {
    (void)r, (void)first, (void)floats;
    (void)alone();
}

bool ranks_end(ranks_t *r, diag_t *d) {
    (void)r, (void)d;
    return alone();
}

ranks_sent_t ranks_sent(const ranks_t *r) {
    (void)r;
    return (ranks_sent_t){0};
}

bool ranks_numbers(ranks_t *r, const double *mine, double *all, int n, diag_t *d) {
    (void)r, (void)d;
    for (int i = 0; i < n; i++) all[i] = mine[i];
    return true;
}

bool ranks_share(ranks_t *r, void *data, size_t bytes, diag_t *d) {
    (void)r, (void)data, (void)bytes, (void)d;
    return true;
}
