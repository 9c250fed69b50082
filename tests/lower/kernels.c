/* Graphs of a few nodes; see kernels.h. */
#include "kernels.h"

#include <math.h>
#include <string.h>

#include "graph/ops.h"
#include "random_model.h"

float k_random(void) {
    return (float)draw(1 << 24) * 0x1p-23F - 1;
}

/* ---- nodes ------------------------------------------------------------------------------------------- */

static gnode_t *append(kernels_t *k, gop_t op, const char *name) {
    if (k->g->n_nodes == MAX_NODES) bug("%s: more than %d nodes", k->what, MAX_NODES);
    gnode_t *n = graph_append(k->g, op);
    n->name = arena_strdup(k->arena, name);
    if (k->layer >= 0) n->name = arena_printf(k->arena, "layers.%d.%s", k->layer, name);
    n->layer = k->layer;
    return n;
}

gnode_t *k_param(kernels_t *k, const char *name, int rank, const int64_t *shape, double scale) {
    gnode_t *n = append(k, G_PARAM, name);
    int64_t elements = 1;
    n->rank = rank;
    for (int i = 0; i < rank; i++) {
        n->shape[i] = dim(shape[i]);
        elements *= shape[i];
    }
    float *x = k->values[n->id] = ARENA_ARRAY(k->arena, float, elements);
    for (int64_t i = 0; i < elements; i++) x[i] = (float)scale * k_random();
    return n;
}

float *k_values(kernels_t *k, const gnode_t *param) {
    return k->values[param->id];
}

gnode_t *k_node(kernels_t *k, gop_t op, const char *name, int n_in, gnode_t *const *in) {
    gnode_t *n = append(k, op, name);
    n->n_in = n_in;
    memcpy(n->in, in, (size_t)n_in * sizeof *in);
    return n;
}

gnode_t *k_finish(kernels_t *k, gnode_t *n) {
    if (graph_infer(k->g, n, k->diag)) return n;
    diag_print(k->diag, stderr);
    bug("%s: %s is no node", k->what, n->name);
}

gnode_t *k_observed(gnode_t *n) {
    n->trace = n->name;
    return n;
}

static int64_t width_of(const gnode_t *n) {
    return n->shape[n->rank - 1].c;
}

static const char *part(kernels_t *k, const char *name, const char *what) {
    return arena_printf(k->arena, "%s.%s", name, what);
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

gnode_t *k_rows(kernels_t *k, int64_t width) {
    int64_t word[] = {k->vocab, width}, positions[] = {k->g->padded.c, width};
    gnode_t *w = k_param(k, "word", 2, word, 1), *p = k_param(k, "positions", 2, positions, 1);
    if (kernels_i8) w->type = G_I8; /* of bf16 tables `embeddings` has more than one */
    return k_observed(k_finish(k, K_NODE(k, G_EMBED, "rows", k->given_ids, w, p)));
}

static gnode_t *made_small(kernels_t *k, gnode_t *x, gop_t op, const char *what) {
    for (size_t i = 0; i < k->g->n_nodes; i++)
        if (k->g->nodes[i]->op == op && k->g->nodes[i]->in[0] == x) return k->g->nodes[i];
    gnode_t *n = K_NODE(k, op, "", x);
    n->name = arena_printf(k->arena, "%s.%s", x->name, what);
    n->layer = x->layer;
    return k_finish(k, n);
}

gnode_t *k_round(kernels_t *k, gnode_t *x) {
    return made_small(k, x, G_ROUND, "rounded");
}

gtype_t k_type(void) {
    return kernels_i8 ? G_I8 : kernels_bf16 ? G_BF16 : G_F32;
}

/* As a factor: attention's result is never i8. */
static gnode_t *factor(kernels_t *k, gnode_t *x, gtype_t *type) {
    *type = k_type() == G_I8 && graph_kind(x) == K_MIX ? G_BF16 : k_type();
    if (*type == G_I8) {
        gnode_t *n = made_small(k, x, G_QUANTIZE, "quantized");
        return x->rank == 3 && x->op != G_SLICE ? k_observed(n) : n;
    }
    return *type == G_BF16 ? k_round(k, x) : x;
}

/* Weights that keep the variance. */
gnode_t *k_dense(kernels_t *k, const char *name, gnode_t *x, int64_t n, bool bias) {
    int64_t shape[] = {n, width_of(x)};
    gtype_t type;
    x = factor(k, x, &type);
    gnode_t *w = k_param(k, part(k, name, "weight"), 2, shape, sqrt(3.0 / (double)width_of(x)));
    gnode_t *b = bias ? k_param(k, part(k, name, "bias"), 1, shape, 1) : NULL;
    w->type = type;
    return k_finish(k, K_NODE(k, G_DENSE, name, x, w, b));
}

gnode_t *k_dense_t(kernels_t *k, const char *name, gnode_t *dy, int64_t n) {
    int64_t shape[] = {width_of(dy), n};
    gnode_t *w = k_param(k, part(k, name, "weight"), 2, shape, sqrt(3.0 / (double)width_of(dy)));
    return k_finish(k, K_NODE(k, G_DENSE_T, name, dy, w));
}

void k_selection(float *w, int64_t n, int64_t depth, int64_t first, int64_t step, double scale) {
    memset(w, 0, (size_t)(n * depth) * sizeof *w);
    for (int64_t j = 0; j < n; j++)
        w[j * depth + (first + j * step) % depth] = (float)(j % 3 == 1 ? -scale : scale);
}

gnode_t *k_select(kernels_t *k, const char *name, gnode_t *x, int64_t n, int64_t first,
                  int64_t step, double scale) {
    gnode_t *y = k_dense(k, name, x, n, false);
    k_selection(k_values(k, y->in[1]), n, width_of(x), first, step, scale);
    return y;
}

gnode_t *k_norm(kernels_t *k, const char *name, gnode_t *x, double eps) {
    int64_t shape[] = {width_of(x)};
    gnode_t *w = k_param(k, part(k, name, "weight"), 1, shape, 2);
    gnode_t *b = k_param(k, part(k, name, "bias"), 1, shape, 1);
    gnode_t *n = K_NODE(k, G_LAYER_NORM, name, x, w, b);
    n->eps = eps;
    return k_finish(k, n);
}

gnode_t *k_rms_norm(kernels_t *k, const char *name, gnode_t *x, double eps) {
    int64_t shape[] = {width_of(x)};
    gnode_t *n = K_NODE(k, G_RMS_NORM, name, x, k_param(k, part(k, name, "weight"), 1, shape, 2));
    n->eps = eps;
    return k_finish(k, n);
}

gnode_t *k_unit(kernels_t *k, const char *name, gop_t op, gnode_t *x, double eps) {
    gnode_t *n = K_NODE(k, op, name, x);
    n->eps = eps;
    return k_finish(k, n);
}

gnode_t *k_norm_grad(kernels_t *k, const char *name, gop_t op, gnode_t *dy, gnode_t *x,
                     double eps) {
    int64_t shape[] = {width_of(x)};
    gnode_t *n = K_NODE(k, op, name, dy, x, k_param(k, part(k, name, "weight"), 1, shape, 2));
    n->eps = eps;
    return k_finish(k, n);
}

gnode_t *k_act(kernels_t *k, const char *name, gnode_t *x, act_t act) {
    gnode_t *n = K_NODE(k, G_ACTIVATION, name, x);
    n->act = act;
    return k_finish(k, n);
}

gnode_t *k_act_grad(kernels_t *k, const char *name, gnode_t *dy, gnode_t *x, act_t act) {
    gnode_t *n = K_NODE(k, G_ACTIVATION_GRAD, name, dy, x);
    n->act = act;
    return k_finish(k, n);
}

gnode_t *k_sub(kernels_t *k, const char *name, gnode_t *x, gnode_t *y) {
    return k_finish(k, K_NODE(k, G_SUB, name, x, y));
}

gnode_t *k_add(kernels_t *k, const char *name, gnode_t *x, gnode_t *y) {
    return k_finish(k, K_NODE(k, G_ADD, name, x, y));
}

gnode_t *k_mul(kernels_t *k, const char *name, gnode_t *x, gnode_t *y) {
    return k_finish(k, K_NODE(k, G_MUL, name, x, y));
}

gnode_t *k_hidden(kernels_t *k, gnode_t *x, gnode_t *y) {
    k->layer = -1;
    if (y) x = k_finish(k, K_NODE(k, G_CONCAT, "streams", x, y));
    gnode_t *norm = k_norm(k, "final_norm", x, 1e-3);
    return k_finish(k, K_NODE(k, G_SLICE, "last_hidden_state", norm));
}

static gnode_t *tokens(kernels_t *k, const char *name) {
    gnode_t *n = append(k, G_INPUT, name);
    n->type = G_I32;
    n->rank = 2;
    n->shape[0] = dim(k->g->batch);
    n->shape[1] = k->g->length;
    return n;
}

gnode_t *k_mask(kernels_t *k) {
    int layer = k->layer;
    k->layer = -1;
    gnode_t *n = k_finish(k, K_NODE(k, G_PAD_MASK, "mask", tokens(k, "attention_mask")));
    k->layer = layer;
    return n;
}

/* ---- a graph --------------------------------------------------------------------------------------------- */

/* Every token is a word of its own, so that rows are random throughout; one more word fills up. */
kernels_t *kernels_begin(const char *what, int64_t batch, int64_t length, int64_t padded) {
    arena_t *a = arena_new();
    kernels_t *k = ARENA_NEW(a, kernels_t);
    *k = (kernels_t){.what = what,
                     .arena = a,
                     .diag = diag_new(),
                     .g = ARENA_NEW(a, graph_t),
                     .layer = -1,
                     .vocab = batch * length + 1,
                     .architecture = "ReformerModel"};
    *k->g = (graph_t){.arena = a, .batch = batch, .length = dim(length), .padded = dim(padded)};
    k->ids = ARENA_ARRAY(a, int32_t, batch * length);
    for (int64_t i = 0; i < batch * length; i++) k->ids[i] = (int32_t)(i * 7 % (batch * length));
    k->given_ids = K_NODE(k, G_PAD_IDS, "ids", tokens(k, "input_ids"));
    k->given_ids->pad_token = batch * length;
    k_finish(k, k->given_ids);
    return k;
}
