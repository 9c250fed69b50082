/* Random edits of a graph: what no spec can say, though every back end has to follow it. */
#ifndef REFORMERC_TESTS_RANDOM_GRAPH_H
#define REFORMERC_TESTS_RANDOM_GRAPH_H

#include "random_model.h"

/* Layers of a few forms: what is drawn for a form is done to all layers of it. */
enum { MAX_FORMS = 4 };
typedef struct {
    int n_layers, n_forms;
    bool lsh[MAX_FORMS];
    uint64_t seed[MAX_FORMS]; /* of the form's draws */
    int form[64];             /* by layer */
} forms_t;

/* One layer, a few of a form each, or `deep`: forty of three forms. Writes attn_layers; returns how many are LSH. */
int random_forms(sbuf_t *s, bool deep, forms_t *f);

/* Layers get norms, activations, windows, buckets, heads and widths of their own; they lose parts, or have them twice;
 * streams are normalised behind sums, skip layers, or are one; weights are shared; heads are other ones. The plan's layout is made anew, and
 * buckets can be imposed no longer where layers hash differently. False after errors in d: the edited graph is none. */
bool edit_graphs(plan_t *p, const forms_t *f, diag_t *d);
/* Dropout at rates of its own: of attentions and embeddings, and of what dense layers give. */
bool drop_graph(graph_t *g, diag_t *d);

#endif
