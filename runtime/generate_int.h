/* Shared by the files that write text; products do not include it. */
#ifndef REFORMER_GENERATE_INT_H
#define REFORMER_GENERATE_INT_H

#include "reformer_generate.h"
#include "rt_int.h"

double reformer_exp(double x); /* x <= 0 */
double reformer_log(double x); /* x > 0, normal */
/* scores [vocab]: those of the history's tokens become what the penalty makes of their logits. */
void reformer_penalise(float penalty, const float *logits, const int32_t *history, size_t n,
                       float *scores);
/* The tokens of a prompt's row that are any, in order; history has room for g->length. */
size_t reformer_prompt(const reformer_generate_t *g, size_t row, int32_t *history);
/* Checks what generation and beam search have in common. */
int reformer_check_generate(const reformer_decoder_t *d, const reformer_generate_t *g);
size_t reformer_generate_rows(const reformer_decoder_t *d, const reformer_generate_t *g);

#endif
