/* Random edits of what stands behind the layers: see random_graph.h. */
#ifndef REFORMERC_TESTS_RANDOM_HEAD_H
#define REFORMERC_TESTS_RANDOM_HEAD_H

#include "graph_edit.h"

/* The final norm is another, or none, or two; logits are made of more than one dense layer, without a bias, or squashed;
 * answers are other columns. Outputs keep their shapes. */
void edit_head(edit_t *e);

#endif
