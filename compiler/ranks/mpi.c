/* Messages by MPI: see messages.h. No other file includes <mpi.h>. */
#include <mpi.h>
#include <stdio.h>

#include "ranks/messages.h"

static int begin(void) {
    int threads;
    return MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &threads);
}

static int place(int *rank, int *size) {
    int code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (code == MPI_SUCCESS) code = MPI_Comm_rank(MPI_COMM_WORLD, rank);
    if (code == MPI_SUCCESS) code = MPI_Comm_size(MPI_COMM_WORLD, size);
    return code;
}

static void end(void) {
    (void)MPI_Finalize();
}

static void end_all(void) {
    (void)MPI_Abort(MPI_COMM_WORLD, 1);
}

static void explain(int code, char text[MESSAGES_TEXT]) {
    char said[MPI_MAX_ERROR_STRING];
    int n = 0;
    if (MPI_Error_string(code, said, &n) != MPI_SUCCESS) n = 0;
    snprintf(text, MESSAGES_TEXT, "%.*s", n, said);
}

static void clear(void *requests, int n) {
    MPI_Request *r = requests;
    for (int i = 0; i < n; i++) r[i] = MPI_REQUEST_NULL;
}

static int send(void *requests, int i, const float *from, int n, int tag, int to) {
    return MPI_Isend(from, n, MPI_FLOAT, to, tag, MPI_COMM_WORLD, (MPI_Request *)requests + i);
}

static int receive(void *requests, int i, float *to, int n, int tag, int from) {
    return MPI_Irecv(to, n, MPI_FLOAT, from, tag, MPI_COMM_WORLD, (MPI_Request *)requests + i);
}

static int ended(void *requests, int n, bool wait, int *n_done, int *done) {
    int code = (wait ? MPI_Waitsome : MPI_Testsome)(n, requests, n_done, done, MPI_STATUSES_IGNORE);
    if (code == MPI_SUCCESS && *n_done == MPI_UNDEFINED) *n_done = -1;
    return code;
}

static int gather(const double *mine, int n, double *all) {
    return MPI_Allgather(mine, n, MPI_DOUBLE, all, n, MPI_DOUBLE, MPI_COMM_WORLD);
}

static int share(void *data, int bytes) {
    return MPI_Bcast(data, bytes, MPI_BYTE, 0, MPI_COMM_WORLD);
}

MODULE_TABLE extern const messages_t reformerc_module;
const messages_t reformerc_module = {
    .head = {REFORMERC_MODULE_VERSION},
    .begin = begin,
    .place = place,
    .end = end,
    .abort = end_all,
    .explain = explain,
    .request_bytes = sizeof(MPI_Request),
    .clear = clear,
    .send = send,
    .receive = receive,
    .ended = ended,
    .gather = gather,
    .share = share,
};
