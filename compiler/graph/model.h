/* MODEL as the user names it: a spec, or a .graph file.
 *
 * In: a path ("-": stdin) or a text. Out: a loaded_model_t. A text is one of graphs when a line of
 * it begins like a graph's first (`graph batch=`), or when its path ends in .graph; anything else
 * is a spec. What stands before the first graph is its head: a spec of the keys that no node says
 * (spec/header.c), which settings may replace. */
#ifndef REFORMERC_GRAPH_MODEL_H
#define REFORMERC_GRAPH_MODEL_H

#include "graph/facts.h"

typedef struct {
    spec_t *spec;     /* of graphs: their head, spec->of_graph */
    graph_t **graphs; /* [n_graphs] by ascending length; NULL: the spec makes them */
    int n_graphs;
    facts_t facts; /* of a spec: without its head until that is known (model_resolve) */
} loaded_model_t;

enum { MAX_GRAPHS = MAX_LENGTHS + 2 };

/* False after errors, all of them in d. */
bool model_load(arena_t *a, loaded_model_t *m, const char *path, const setting_t *sets, int n_sets,
                diag_t *d);
/* text[bytes] is NUL; path and text live as long as d. */
bool model_parse(arena_t *a, loaded_model_t *m, const char *path, const char *text, size_t bytes,
                 const setting_t *sets, int n_sets, diag_t *d);
/* What weights hold decides what the spec leaves open: spec_resolve_architecture,
 * then the facts. */
bool model_resolve(arena_t *a, loaded_model_t *m, bool has_lm_head, bool has_classifier,
                   bool has_qa, diag_t *d);
/* Head and graphs as a text that model_parse reads back. */
void model_print(const spec_t *head, graph_t *const *graphs, int n, sbuf_t *out);
/* Rows of a batch, where nothing else asks for a number: of the settings, of the graphs, or one. */
int64_t model_batch(const loaded_model_t *m);
/* Lengths that the model is made for, ascending, and their number; 0: for any
 * up to facts.longest. */
int model_lengths(const loaded_model_t *m, int64_t lengths[MAX_GRAPHS]);

#endif
