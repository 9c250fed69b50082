/* What random_graph.h promises. In: a plan that is not lowered, of one literal length. */
#include "random_graph.h"

#include <string.h>

#include "random_head.h"
#include "weights/layout.h"

static bool same_shape(const gnode_t *a, const gnode_t *b) {
    return a && b && a->rank == b->rank && dim_equal(a->shape[0], b->shape[0]) &&
           (a->rank < 2 || dim_equal(a->shape[1], b->shape[1]));
}

/* ---- forms ---------------------------------------------------------------------------------------------- */

int random_forms(sbuf_t *s, bool deep, forms_t *f) {
    int hashed = 0;
    f->n_layers = deep ? 40 : 1 + (int)draw(4);
    f->n_forms = deep ? 3 : f->n_layers;
    for (int i = 0; i < f->n_forms; i++) {
        f->lsh[i] = draw(2);
        f->seed[i] = draw(1000000);
    }
    sbuf_puts(s, "attn_layers: [");
    for (int i = 0; i < f->n_layers; i++) {
        f->form[i] = deep ? (int)draw(3) : i;
        hashed += f->lsh[f->form[i]];
        sbuf_printf(s, "%s%s", i ? ", " : "", f->lsh[f->form[i]] ? "lsh" : "local");
    }
    sbuf_puts(s, "]\n");
    return hashed;
}

/* ---- norms, activations, widths ------------------------------------------------------------------------ */

static int64_t width_of(const edit_t *e) {
    return e->g->spec->hidden_size;
}

static void vary_norm(edit_t *e, const char *what) {
    gnode_t *norm = edit_node(e, what), *second;
    if (draw(6) == 0) { /* no mean is taken off, no bias added */
        norm->op = G_RMS_NORM;
        norm->n_in = 2;
    }
    switch (draw(8)) {
    case 0: norm->eps = 1e-5; break;
    case 1: norm->eps = 1e-3; break;
    case 2: edit_replace(e, norm, norm->in[0], NULL); break;
    case 3:
        second = edit_norm(e, arena_printf(e->g->arena, "%s_again", what), norm, width_of(e));
        edit_replace(e, norm, second, second);
        break;
    default: break;
    }
}

/* What goes through the activation is multiplied by another matrix's result. */
static void vary_gate(edit_t *e) {
    gnode_t *act = edit_node(e, "feed_forward_act"), *in = edit_node(e, "feed_forward_in");
    bool bias = draw(2), first = draw(2);
    if (draw(5)) return;
    gnode_t *gate =
        edit_dense(e, "feed_forward_gate", in->in[0], in->in[1]->shape[0].c, width_of(e), bias);
    gnode_t *both =
        edit_add(e, G_MUL, "feed_forward_gated", first ? act : gate, first ? gate : act, NULL);
    edit_replace(e, act, both, gate);
}

static void vary_activation(edit_t *e) {
    gnode_t *act = edit_node(e, "feed_forward_act"), *second;
    switch (draw(6)) {
    case 0: edit_replace(e, act, act->in[0], NULL); break;
    case 1:
        second = edit_add(e, G_ACTIVATION, "feed_forward_act_again", act, NULL, NULL);
        second->act = (act_t)draw(ACT_COUNT);
        edit_replace(e, act, second, second);
        break;
    case 2:
    case 3: act->act = (act_t)draw(ACT_COUNT); break;
    default: break;
    }
}

/* A width of its own; where the words are as many as the layer is wide, their table is its matrix. */
static void vary_width(edit_t *e) {
    gnode_t *in = edit_node(e, "feed_forward_in"), *out = edit_node(e, "feed_forward");
    gnode_t *words = graph_find(e->g, "embeddings.word_embeddings.weight");
    int64_t width = PICK(5, 16, 33, 70);
    uint32_t how = draw(6);
    if (how > 3) return;
    bool tied = how == 0 && words && words->shape[0].c <= 64;
    if (tied) width = words->shape[0].c;
    in->in[1]->shape[0] = in->in[2]->shape[0] = out->in[1]->shape[1] = dim(width);
    if (tied) in->in[1] = words;
}

/* Biases go, or come where there were none. */
static void vary_bias(edit_t *e) {
    static const char *const operands[] = {"query_key", "value", "query", "key", "attention"};
    gnode_t *out = edit_node(e, "feed_forward"), *in = edit_node(e, "feed_forward_in");
    if (draw(6) == 0) out->in[2] = NULL;
    if (draw(6) == 0) in->in[2] = NULL;
    uint32_t which = draw(12);
    gnode_t *n = which < 5 ? edit_node(e, operands[which]) : NULL;
    if (!n) return;
    n->in[2] = edit_param(e, arena_printf(e->g->arena, "%s.bias", operands[which]),
                          n->in[1]->shape[0].c, 0);
    n->n_in = 3;
}

/* ---- attention ----------------------------------------------------------------------------------------- */

/* A chunk length of its own, which divides the padded length, and as many chunks at its sides. */
static void vary_window(edit_t *e) {
    gnode_t *n = edit_node(e, "self_attention");
    bool keep = draw(2);
    int64_t wanted = PICK(2, 3, 4, 6, 8, 12), padded = e->g->padded.c;
    uint32_t before = draw(3), after = draw(2);
    if (n->op == G_EXACT_ATTENTION || keep) return;
    while (padded % wanted) wanted--;
    if (wanted < 2 || wanted == padded) return;
    n->chunk = wanted;
    n->before = 1 + before;
    n->after = n->causal ? 0 : after;
}

static gnode_t *hash_of(const gnode_t *self) {
    return self->op == G_LSH_ATTENTION ? self->in[2]->in[0] : NULL;
}

static void set_rotations(gnode_t *hash) {
    int64_t columns = 0;
    for (int i = 0; i < hash->n_factors; i++) columns += hash->factors[i] / 2;
    dim_t shape[] = {dim(hash->heads), dim(hash->head_size), dim(hash->rounds), dim(columns)};
    memcpy(hash->in[1]->shape, shape, sizeof shape);
}

static void vary_buckets(edit_t *e) {
    static const int64_t factors[][3] = {{2}, {4}, {6}, {2, 2}, {4, 2}, {2, 2, 4}, {34}};
    gnode_t *self = edit_node(e, "self_attention"), *hash = hash_of(self);
    uint32_t rounds = draw(4), which = draw(14);
    if (!hash) return;
    if (rounds) self->rounds = hash->rounds = rounds;
    if (which < 7) {
        for (hash->n_factors = 0; hash->n_factors < 3 && factors[which][hash->n_factors];)
            hash->factors[hash->n_factors] = factors[which][hash->n_factors], hash->n_factors++;
    }
    set_rotations(hash);
}

static void vary_heads(edit_t *e) {
    static const char *const operands[] = {"query_key", "value", "query", "key"};
    gnode_t *self = edit_node(e, "self_attention"), *hash = hash_of(self);
    uint32_t heads = 1 + draw(4), keep = draw(2);
    int64_t size = PICK(4, 7, 16, 20, 33);
    if (keep) return;
    self->heads = heads;
    self->head_size = size;
    for (int i = 0; i < 4; i++) {
        gnode_t *n = edit_node(e, operands[i]);
        if (n) n->in[1]->shape[0] = dim(heads * size);
    }
    edit_node(e, "attention")->in[1]->shape[1] = dim(heads * size);
    if (!hash) return;
    hash->heads = heads;
    hash->head_size = size;
    set_rotations(hash);
}

/* What goes into attention is more than a dense layer, or somebody else reads it, too. */
static void vary_operands(edit_t *e) {
    gnode_t *v = edit_node(e, "value"), *out = edit_node(e, "attention"), *more;
    switch (draw(10)) {
    case 0:
        more = edit_add(e, G_ACTIVATION, "value_act", v, NULL, NULL);
        more->act = (act_t)draw(ACT_COUNT);
        edit_replace(e, v, more, more);
        break;
    case 1:
        more = edit_dense(e, "value_beside", v, width_of(e), out->in[1]->shape[1].c, draw(2));
        edit_replace(e, out, edit_add(e, G_ADD, "attention_beside", out, more, NULL), more);
        break;
    case 2: /* attention's result through more than a dense layer */
        more = edit_norm(e, "mixed", out->in[0], out->in[1]->shape[1].c);
        out->in[0] = more;
        break;
    default: break;
    }
}

/* Another attention of the same kind on the same rows: with operands of its own, or the first one's, or of its matrices. */
static void vary_number(edit_t *e) {
    static const char *const operands[] = {"query_key", "value", "query", "key"};
    gnode_t *self = edit_node(e, "self_attention"), *out = edit_node(e, "attention");
    if (draw(10)) return;
    gnode_t *more = edit_copy(e, self, "second_attention");
    uint32_t shared = draw(3) ? 0 : draw(16), tied = draw(3) ? 0 : draw(16);
    for (int i = 0; i < 4; i++) {
        gnode_t *n = edit_node(e, operands[i]);
        if (!n || shared >> i & 1) continue;
        gnode_t *own = edit_copy(e, n, arena_printf(e->g->arena, "second_%s", operands[i]));
        if (!(tied >> i & 1))
            own->in[1] =
                edit_copy(e, n->in[1], arena_printf(e->g->arena, "second.%s", operands[i]));
        for (int k = 0; k < more->n_in; k++)
            if (more->in[k] == n) more->in[k] = own;
    }
    if (self->op == G_LSH_ATTENTION) {
        gnode_t *hash = edit_copy(e, self->in[2]->in[0], "second_buckets");
        more->in[2] = edit_copy(e, self->in[2], "second_sorted_idx");
        more->in[2]->in[0] = hash;
        hash->in[0] = more->in[0];
    }
    gnode_t *sum = edit_node(e, "y1");
    gnode_t *own = edit_copy(e, out, "second_output");
    own->in[0] = more;
    own->in[1] = edit_copy(e, out->in[1], "second.output");
    gnode_t *both = edit_add(e, G_ADD, "y1_second", sum, own, NULL);
    edit_replace(e, sum, both, both);
}

/* ---- streams --------------------------------------------------------------------------------------------- */

/* y + x for x + y: no longer written over the stream. */
static void turn_sum(edit_t *e, const char *sum) {
    gnode_t *n = edit_node(e, sum), *x = n->in[0];
    if (draw(5)) return;
    n->in[0] = n->in[1];
    n->in[1] = x;
}

static void normalise_sum(edit_t *e, const char *sum) {
    gnode_t *n = edit_node(e, sum);
    if (draw(7)) return;
    gnode_t *norm = edit_norm(e, arena_printf(e->g->arena, "%s_norm", sum), n, width_of(e));
    edit_replace(e, n, norm, norm);
}

/* An addend counts twice. */
static void add_twice(edit_t *e, const char *sum, const char *addend) {
    gnode_t *n = edit_node(e, sum), *x = edit_node(e, addend), *more;
    switch (draw(10)) {
    case 0:
        more = edit_add(e, G_ADD, arena_printf(e->g->arena, "%s_again", sum), n, x, NULL);
        edit_replace(e, n, more, more);
        break;
    case 1:
        more = edit_add(e, G_ADD, arena_printf(e->g->arena, "%s_twice", addend), x, x, NULL);
        for (int k = 0; k < 2; k++)
            if (n->in[k] == x) n->in[k] = more;
        break;
    default: break;
    }
}

/* Another feed-forward behind the first one: with weights of its own, the same, or those of another layer. */
static void add_feed_forward(edit_t *e) {
    edit_t other = {e->g, (int)draw(4)};
    bool tied = draw(2), elsewhere = draw(2), normed = draw(2), gelu = draw(2), beside = draw(2);
    if (draw(6)) return;
    if (!elsewhere || !same_shape(edit_weight(&other, "feed_forward.dense.dense.weight"),
                                  edit_weight(e, "feed_forward.dense.dense.weight")))
        other = *e;
    gnode_t *sum = edit_node(e, "y2"), *in = edit_node(&other, "feed_forward_in");
    gnode_t *norm = edit_node(&other, "feed_forward_norm"),
            *out = edit_node(&other, "feed_forward");
    gnode_t *read = beside ? edit_node(e, "feed_forward_norm")->in[0] : sum;
    gnode_t *x = edit_norm(e, "second_norm", read, width_of(e));
    int64_t width = in->in[1]->shape[0].c;
    gnode_t *u = tied ? edit_add(e, G_DENSE, "second_in", x, in->in[1], in->in[2])
                      : edit_dense(e, "second_in", x, width, width_of(e), true);
    gnode_t *act = edit_add(e, G_ACTIVATION, "second_act", u, NULL, NULL);
    act->act = gelu ? ACT_GELU : edit_node(e, "feed_forward_act")->act;
    gnode_t *y = tied ? edit_add(e, G_DENSE, "second", act, out->in[1], out->in[2])
                      : edit_dense(e, "second", act, width_of(e), width, true);
    if (tied && normed) {
        x->in[1] = norm->in[1];
        x->in[2] = norm->in[2];
        x->eps = edit_node(e, "feed_forward_norm")->eps;
    }
    gnode_t *both = edit_add(e, G_ADD, "y2_second", sum, y, NULL);
    edit_replace(e, sum, both, x);
}

/* The stream that a sum goes on with, turned round or not. */
static gnode_t *stream_of(const edit_t *e, const char *sum, const char *addend) {
    const gnode_t *n = edit_node(e, sum);
    return n->in[n->in[0] == edit_node(e, addend)];
}

/* One stream instead of two; or an older one, as it was a layer before. */
static void vary_streams(edit_t *e) {
    gnode_t *y1 = edit_node(e, "y1"), *y2 = edit_node(e, "y2"), *older = NULL;
    edit_t before = {e->g, e->layer - 2};
    switch (draw(10)) {
    case 0:
        y1->in[0] = stream_of(e, "y2", "feed_forward");
        y2->in[0] = y1;
        break;
    case 1: y1->in[0] = stream_of(e, "y2", "feed_forward"); break;
    case 2:
        older = e->layer >= 2 ? edit_node(&before, "y2") : graph_find(e->g, "embeddings");
        break;
    case 3:
        older = e->layer >= 2 ? edit_node(&before, "y1") : graph_find(e->g, "embeddings");
        break;
    default: break;
    }
    if (!older) return;
    gnode_t *norm = edit_node(e, draw(2) ? "attention_norm" : "feed_forward_norm");
    if (draw(2)) norm->in[0] = older;
    else y1->in[0] = older;
}

static void drop_parts(edit_t *e) {
    uint32_t what = draw(14);
    if (what == 0 || what == 2)
        edit_replace(e, edit_node(e, "y2"), stream_of(e, "y2", "feed_forward"), NULL);
    if (what == 1 || what == 2)
        edit_replace(e, edit_node(e, "y1"), stream_of(e, "y1", "attention"), NULL);
}

/* ---- weights that several read ---------------------------------------------------------------------------- */

/* The layer has weights of an earlier one. */
static void share_weights(edit_t *e) {
    static const char *const nodes[] = {"attention_norm",    "value",           "attention",
                                        "feed_forward_norm", "feed_forward_in", "feed_forward"};
    uint32_t from = draw(4), which = draw(64);
    if (draw(4) || (int)from >= e->layer) return;
    edit_t other = {e->g, (int)from};
    for (int i = 0; i < 6; i++) {
        gnode_t *own = edit_node(e, nodes[i]);
        const gnode_t *its = edit_node(&other, nodes[i]);
        if (!(which >> i & 1) || !own || !its) continue;
        uint32_t parts = 1 + draw(3); /* weight, bias, both */
        for (int k = 1; k < own->n_in && k < its->n_in; k++)
            if ((parts >> (k - 1) & 1) && own->in[k] && same_shape(own->in[k], its->in[k]))
                own->in[k] = its->in[k];
    }
}

/* ---- a graph ----------------------------------------------------------------------------------------------- */

static void edit_layer(edit_t *e) {
    vary_width(e);
    vary_window(e);
    vary_buckets(e);
    vary_heads(e);
    vary_bias(e);
    share_weights(e);
    vary_operands(e);
    vary_norm(e, "attention_norm");
    vary_norm(e, "feed_forward_norm");
    vary_gate(e);
    vary_activation(e);
    vary_streams(e);
    turn_sum(e, "y1");
    turn_sum(e, "y2");
    add_twice(e, "y1", "attention");
    add_twice(e, "y2", "feed_forward");
    vary_number(e);
    normalise_sum(e, "y1");
    normalise_sum(e, "y2");
    add_feed_forward(e);
    drop_parts(e);
}

static void edit_embedding(edit_t *e) {
    gnode_t *n = graph_find(e->g, "embeddings");
    if (draw(8)) return;
    gnode_t *norm = edit_norm(e, "embeddings.layer_norm", n, width_of(e));
    edit_replace(e, n, norm, norm);
}

static bool edit_graph(graph_t *g, const forms_t *f, diag_t *d) {
    edit_t e = {g, -1};
    edit_embedding(&e);
    for (e.layer = 0; e.layer < f->n_layers; e.layer++) {
        draw_begin(f->seed[f->form[e.layer]], f->form[e.layer]);
        edit_layer(&e);
    }
    e.layer = -1;
    draw_begin(f->seed[0], f->n_layers);
    edit_head(&e);
    return edit_finish(&e, d);
}

/* Whether all layers hash as the spec says: buckets can be imposed. */
static bool hashes_alike(const graph_t *g) {
    const spec_t *s = g->spec;
    int hashes = 0, lsh = 0;
    for (int i = 0; i < s->n_layers; i++) lsh += s->attn_layers[i] == LAYER_LSH;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        if (n->op != G_LSH_HASH) continue;
        hashes++;
        if (n->heads != s->num_attention_heads || n->rounds != s->num_hashes ||
            n->n_factors != g->n_factors ||
            memcmp(n->factors, g->factors, sizeof *n->factors * (size_t)n->n_factors) != 0)
            return false;
    }
    return hashes == lsh;
}

bool edit_graphs(plan_t *p, const forms_t *f, diag_t *d) {
    for (int v = 0; v < p->n_variants; v++) {
        if (!edit_graph(p->variants[v].graph, f, d)) return false;
        if (!hashes_alike(p->variants[v].graph)) p->impose_buckets = false;
    }
    p->layout = layout_make(p->arena, p->variants[p->n_variants - 1].graph);
    return true;
}

/* ---- dropout ----------------------------------------------------------------------------------------------- */

bool drop_graph(graph_t *g, diag_t *d) {
    edit_t e = {g, -1};
    size_t n = g->n_nodes;
    for (size_t i = 0; i < n; i++) {
        gnode_t *x = g->nodes[i];
        bool rated = x->op == G_EMBED || x->op == G_LSH_ATTENTION || x->op == G_LOCAL_ATTENTION ||
                     x->op == G_EXACT_ATTENTION;
        if (rated && draw(2)) x->rate = 0.05 + 0.05 * draw(5);
        if (x->op == G_EMBED && draw(2)) x->position_rate = 0.2;
        if (x->op != G_DENSE || x->layer < 0 || draw(3)) continue;
        gnode_t *dropped =
            edit_add(&e, G_DROPOUT, arena_printf(g->arena, "%s.dropped", x->name), x, NULL, NULL);
        dropped->layer = x->layer;
        dropped->rate = 0.2;
        dropped->place = draw(2) ? PLACE_ATTENTION : PLACE_FEED_FORWARD;
        edit_replace(&e, x, dropped, dropped);
    }
    return edit_finish(&e, d);
}
