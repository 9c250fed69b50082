/* What random_head.h promises, of whatever head the graph has. */
#include "random_head.h"

#include "random_model.h"

static int64_t width_of(const gnode_t *n) {
    return n->shape[n->rank - 1].c;
}

static void vary_final_norm(edit_t *e) {
    gnode_t *norm = graph_find(e->g, "hidden"), *second;
    switch (draw(8)) {
    case 0:
        norm->op = G_RMS_NORM;
        norm->n_in = 2;
        break;
    case 1: edit_replace(e, norm, norm->in[0], NULL); break;
    case 2:
        second = edit_norm(e, "hidden_again", norm, width_of(norm));
        edit_replace(e, norm, second, second);
        break;
    case 3: norm->eps = 1e-3; break;
    default: break;
    }
}

/* Between what the head reads and its dense layer n: another one, with an activation and perhaps a norm. */
static void deepen(edit_t *e, gnode_t *n) {
    int64_t width = PICK(5, 16, 33, 70), in = width_of(n->in[0]);
    bool bias = draw(2), normed = draw(2);
    gnode_t *x = edit_dense(e, "head_in", n->in[0], width, in, bias);
    x = edit_add(e, G_ACTIVATION, "head_act", x, NULL, NULL);
    x->act = (act_t)draw(ACT_COUNT);
    if (normed) x = edit_norm(e, "head_norm", x, width);
    n->in[0] = x;
    n->in[1]->shape[1] = dim(width);
}

/* What n makes goes through an activation; as logits it has their name. */
static void squash(edit_t *e, gnode_t *n) {
    gnode_t *more = edit_add(e, G_ACTIVATION, "squashed", n, NULL, NULL);
    more->act = draw(2) ? ACT_TANH : ACT_SIGMOID;
    edit_replace(e, n, more, more);
    if (graph_output(e->g, n->name) != n) return;
    more->name = n->name;
    n->name = "scores";
}

static void vary_answers(edit_t *e) {
    gnode_t *start = graph_find(e->g, "start_logits"), *end = graph_find(e->g, "end_logits");
    uint32_t which = draw(8);
    if (!start || which > 3) return;
    start->shift = which & 1;
    end->shift = which >> 1;
}

void edit_head(edit_t *e) {
    gnode_t *scores = graph_find(e->g, "qa");
    if (!scores) scores = graph_find(e->g, "logits");
    vary_final_norm(e);
    vary_answers(e);
    if (!scores) return;
    if (draw(4) == 0) scores->in[2] = NULL;
    if (draw(4) == 0) deepen(e, scores);
    if (draw(6) == 0) squash(e, scores);
}
