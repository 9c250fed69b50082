/* Random models with inputs, as the differential tests draw them. */
#ifndef REFORMERC_TESTS_SAMPLE_H
#define REFORMERC_TESTS_SAMPLE_H

#include "random_graph.h"
#include "random_model.h"
#include "tensors/tensors.h"

/* What they are for: graphs that are edited before they are lowered; train steps, with dropout in half of them; factors of
 * products that are rounded. */
enum { SAMPLE_EDITS = 1, SAMPLE_TRAINS = 2, SAMPLE_BF16 = 4, SAMPLE_INT8 = 8 };

typedef struct {
    unsigned kind; /* SAMPLE_… */
    char *text;
    arch_t arch;
    /* Exact attention over several blocks of keys; queries too long to bound the scores. One layer: sums of all
     * values (Q1) and sharp softmaxes leave the next one less than the tolerance. */
    bool longer, large, hashes, causal, deep, drops;
    int64_t unit;  /* of chunks */
    forms_t forms; /* of edits */
    int64_t batch, length, vocab, labels, hidden;
    uint8_t *mask;
    int32_t *ids, *targets, *start, *end;
    float *floats;
} sample_t;

/* By the draws that draw_begin() began. */
sample_t sample_make(arena_t *a, unsigned kind);
/* Labels as the head takes them; the base model takes none. */
inputs_t sample_inputs(const sample_t *m);
/* Moves the store's vectors, in memory that may be written to. */
void sample_vary(const plan_t *p, const store_t *s);

#endif
