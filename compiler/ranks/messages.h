/* What ranks.c needs of MPI: a module of the program, mpi.c. Functions return a code, 0: it went
 * well. */
#ifndef REFORMERC_RANKS_MESSAGES_H
#define REFORMERC_RANKS_MESSAGES_H

#include <stddef.h>

#include "support/module.h"

enum { MESSAGES_TEXT = 512 };

typedef struct {
    module_head_t head;
    int (*begin)(void); /* once in a process's life */
    int (*place)(int *rank, int *size);
    void (*end)(void);   /* all ranks */
    void (*abort)(void); /* ends all of them, and this one at once */
    void (*explain)(int code, char text[MESSAGES_TEXT]);

    /* Messages of floats that are on their way: number `i` of the caller's [n] requests, each
     * request_bytes large. */
    size_t request_bytes;
    void (*clear)(void *requests, int n);
    int (*send)(void *requests, int i, const float *from, int n, int tag, int to);
    int (*receive)(void *requests, int i, float *to, int n, int tag, int from);
    /* Which have ended, done[*n_done]; wait: one at least. *n_done < 0: none is on its way. */
    int (*ended)(void *requests, int n, bool wait, int *n_done, int *done);

    int (*gather)(const double *mine, int n, double *all); /* all[size][n] */
    int (*share)(void *data, int bytes);                   /* rank 0's, to all */
} messages_t;

#endif
