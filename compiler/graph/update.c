/* What an update is of: tensors, and what its rule keeps of them. See update.h. */
#include "graph/update.h"

#include <string.h>

static const gnode_t *embedding_of(const graph_t *g) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (graph_is_embed(g->nodes[i])) return g->nodes[i];
    return NULL;
}

/* Of an axial table, one of the embedding's last inputs: which axis it is of, and how many
 * there are; 0: it is none. */
static int axes_of(const graph_t *g, const gnode_t *param, int *axis) {
    const gnode_t *embed = embedding_of(g);
    int axes = embed ? embed->n_axial : 0;
    for (*axis = 0; *axis < axes; ++*axis)
        if (embed->in[embed->n_in - axes + *axis] == param) return axes;
    return 0;
}

static update_tensor_t tensor_of(const graph_t *g, const gnode_t *param) {
    update_tensor_t t = {.name = param->name, .rank = param->rank, .decays = param->rank >= 2};
    int axis, axes = axes_of(g, param, &axis);
    for (int i = 0; i < t.rank; i++) t.shape[i] = param->shape[i].c;
    if (axes == 0) return t;
    for (int i = 0; i < axes; i++) t.shape[i] = i == axis ? param->shape[0].c : 1;
    t.shape[axes] = param->shape[1].c;
    t.rank = axes + 1;
    return t;
}

static void take_tensors(arena_t *a, update_t *u, const graph_t *train) {
    u->tensors = ARENA_ARRAY(a, update_tensor_t, train->n_nodes);
    for (const gnode_t *g = NULL; (g = graph_next(train, G_GRADIENT, g));)
        u->tensors[u->n++] = tensor_of(train, g->in[1]);
}

static void add_state(update_t *u, const char *name, state_form_t form) {
    u->states[u->n_states++] = (update_state_t){name, form};
}

static void take_states(update_t *u) {
    switch (u->rule.type) {
    case REFORMER_ADAMW:
    case REFORMER_ADAM:
        add_state(u, "exp_avg", STATE_LIKE);
        add_state(u, "exp_avg_sq", STATE_LIKE);
        break;
    case REFORMER_SGD:
        if (u->rule.momentum != 0) add_state(u, "momentum_buffer", STATE_LIKE);
        break;
    case REFORMER_ADAFACTOR:
        add_state(u, "exp_avg_sq_row", STATE_ROWS);
        add_state(u, "exp_avg_sq_col", STATE_COLUMNS);
        if (u->rule.beta1 >= 0) add_state(u, "exp_avg", STATE_LIKE);
        break;
    }
}

update_t *update_make(arena_t *a, const graph_t *train, const reformer_optimizer_t *rule,
                      double max_norm) {
    update_t *u = ARENA_NEW(a, update_t);
    u->rule = *rule;
    u->max_norm = max_norm;
    take_tensors(a, u, train);
    take_states(u);
    return u;
}

int update_state_shape(const update_t *u, int state, int rank, const int64_t *shape,
                       int64_t part[UPDATE_RANK]) {
    state_form_t form = u->states[state].form;
    if (form == STATE_COLUMNS && rank < 2) return 0;
    memcpy(part, shape, (size_t)rank * sizeof *shape);
    if (form == STATE_LIKE || rank < 2) return rank;
    if (form == STATE_COLUMNS) part[rank - 2] = shape[rank - 1];
    return rank - 1;
}

const update_tensor_t *update_find(const update_t *u, const char *param) {
    for (int i = 0; i < u->n; i++)
        if (strcmp(u->tensors[i].name, param) == 0) return &u->tensors[i];
    return NULL;
}
