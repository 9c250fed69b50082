/* Facts of a model that callers, weights and descriptions need and that no single node says: which
 * head it has, how wide its outputs are, which of its layers hash.
 *
 * In: a spec, or the graphs of a .graph file. Out: facts_t. Those of graphs are read off their
 * nodes, so that nothing can say otherwise than what is computed. */
#ifndef REFORMERC_GRAPH_FACTS_H
#define REFORMERC_GRAPH_FACTS_H

#include "graph/graph.h"

typedef struct {
    bool attends, lsh;     /* has an attention; one whose queries are its keys */
    int64_t heads, rounds; /* of its attention; rounds of hashing */
    int64_t chunk;         /* LSH: it hashes what is padded to more tokens */
} layer_facts_t;

typedef struct {
    arch_t head;       /* never ARCH_UNSET */
    problem_t problem; /* of a classifier */
    int64_t hidden;    /* half the width of last_hidden_state */
    int64_t vocab;     /* tokens */
    int64_t labels;    /* of a classifier, else Hugging Face's 2 */
    int64_t pad_token; /* fills rows up; -1: there is none */
    int64_t positions; /* most tokens of a row that grows */
    int64_t longest;   /* row of a forward */
    int n_layers;
    const layer_facts_t *layers; /* [n_layers] */
    int n_lsh;                   /* LSH layers */
    /* The most that an LSH layer has; without any those of the first layer */
    int64_t heads, rounds;
} facts_t;

facts_t facts_of_spec(arena_t *a, const spec_t *s);
/* `graphs` [n] by ascending length; `head` is what their file says beside them. False after errors
 * in d: the graphs contradict each other, or are no model. */
bool facts_of_graphs(arena_t *a, const spec_t *head, graph_t *const *graphs, int n, facts_t *facts,
                     diag_t *d);
bool facts_layer_is_lsh(const facts_t *f, int layer);
/* The number of a layer among those that hash, of all when it is n_layers. */
int facts_lsh_before(const facts_t *f, int layer);
/* The widths of classes that `logits` has. */
int64_t facts_classes(const facts_t *f);

#endif
