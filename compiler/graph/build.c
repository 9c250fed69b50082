/* Spec → Graph: what Hugging Face's Reformer computes for one padded length.
 *
 * In: a checked Spec with its architecture, and a length. Out: nodes in this order; whoever reads
 * the graph follows its edges. B batch, S length, P padded length; every name
 * below is a node's name.
 *
 *   input_ids, attention_mask          INPUT; the mask is always there, callers may leave it out
 *   ids  = PAD_IDS(input_ids)          mask = PAD_MASK(attention_mask)      (identities when S = P)
 *   embeddings = EMBED(ids, word, tables…)        both streams start from it: y1 = y2 = embeddings
 *   for every layer N:
 *     layers.N.attention_norm = LAYER_NORM(y2)
 *     lsh    layers.N.query_key, .value             DENSE(attention_norm), no bias
 *            layers.N.buckets       = LSH_HASH(query_key, layers.N.rotations, mask)
 *            layers.N.sorted_idx    = LSH_SORT(buckets)
 *            layers.N.self_attention = LSH_ATTENTION(query_key, value, sorted_idx, mask)
 *     local  layers.N.query, .key, .value           DENSE(attention_norm), no bias
 *            layers.N.self_attention = LOCAL_ATTENTION(query, key, value, mask)
 *     P <= the layer's chunk length: instead, without hashing,
 *            layers.N.self_attention = EXACT_ATTENTION(query|query_key, key|query_key, value, mask)
 *     layers.N.attention = DENSE(self_attention), no bias
 *     layers.N.y1 = ADD(y1, attention)
 *     layers.N.feed_forward_norm = LAYER_NORM(layers.N.y1)
 *     layers.N.feed_forward_in   = DENSE, .feed_forward_act = ACTIVATION, .feed_forward = DENSE;
 *       a gate: .feed_forward_gate = DENSE(feed_forward_norm), .feed_forward_gated =
 *       MUL(feed_forward_act, gate) before it
 *     layers.N.y2 = ADD(y2, feed_forward)
 *   (LAYER_NORM: with extensions.norm: rms RMS_NORM, which has no bias)
 *   streams = CONCAT(y1, y2); hidden = LAYER_NORM(streams); last_hidden_state = SLICE(hidden)
 *   causal and masked LM   logits = DENSE(last_hidden_state); loss = CROSS_ENTROPY(logits, labels)
 *   classifier             first_token = FIRST_TOKEN(last_hidden_state), classifier_in = DENSE,
 *                          classifier_act = ACTIVATION tanh, logits = DENSE;
 *                          loss = CROSS_ENTROPY, MSE_LOSS or BCE_LOSS; where the labels' type
 *                          decides, loss = CROSS_ENTROPY and loss_f32 = BCE_LOSS
 *   question answering     qa = DENSE(last_hidden_state); start_logits, end_logits = COLUMN(qa);
 *                          loss = QA_LOSS(start_logits, end_logits, start_positions, end_positions)
 *
 * To train by (graph_options_t.train), behind the nodes that dropout follows:
 * layers.N.attention_dropout, .feed_forward_in_dropout, .feed_forward_dropout, hidden_dropout,
 * first_token_dropout, classifier_act_dropout, each a DROPOUT; embeddings and attentions have
 * rates. A rate of 0 has no node.
 *
 * A step of generation (graph_build_step) is the same with P = S = 1 and positions as an INPUT:
 *   embeddings = EMBED_AT(input_ids, positions, word, tables…)
 *     lsh    layers.N.self_attention = LSH_STEP(query_key, value, positions,
 *            layers.N.state, rotations)
 *     local  layers.N.self_attention = LOCAL_STEP(query, key, value, positions, layers.N.state)
 *   logits as above, without a loss
 *
 * A param stands just before its first use. PARAM and INPUT nodes are the only ones without
 * inputs. */
#include "graph/dropout.h"
#include "graph/ops.h"

typedef struct {
    graph_t *g;
    const spec_t *s;
    diag_t *d;
    int layer;
    spec_layer_t facts; /* of the layer */
    srcloc_t at;
    bool ok, train;        /* train: with dropout */
    int64_t bucket_length; /* padded: decides automatic buckets */
    gnode_t *mask;
    gnode_t *positions; /* of a step; NULL: a forward */
    /* Of a step, by layer: LSH_HASH of the forward; NULL: it does not hash */
    const gnode_t **hashed;
} graph_builder_t;

/* ---- nodes --------------------------------------------------------------------------------- */

static void place(graph_builder_t *b, spec_key_t key) {
    b->at = b->layer < 0 ? b->s->at[key] : spec_layer_at(b->s, b->layer, key);
}

static const char *in_layer(graph_builder_t *b, const char *what) {
    return b->layer < 0 ? what : arena_printf(b->g->arena, "layers.%d.%s", b->layer, what);
}

static gnode_t *append(graph_builder_t *b, gop_t op, const char *name) {
    gnode_t *n = graph_append(b->g, op);
    n->name = name;
    n->layer = b->layer;
    n->at = b->at;
    return n;
}

static gnode_t *leaf(graph_builder_t *b, gop_t op, const char *name, gtype_t type, int rank,
                     const dim_t *shape) {
    gnode_t *n = append(b, op, name);
    n->type = type;
    n->rank = rank;
    for (int i = 0; i < rank; i++) n->shape[i] = shape[i];
    return n;
}

static gnode_t *input(graph_builder_t *b, const char *name, gtype_t type, int rank, dim_t width) {
    return leaf(b, G_INPUT, name, type, rank, (dim_t[]){dim(b->g->batch), width});
}

static gnode_t *param(graph_builder_t *b, const char *name, int rank, int64_t rows,
                      int64_t columns) {
    return leaf(b, G_PARAM, name, G_F32, rank, (dim_t[]){dim(rows), dim(columns)});
}

/* An op on x, y, z, w (NULL: none); attributes are the caller's to set before finish(). */
static gnode_t *node(graph_builder_t *b, gop_t op, const char *what, int n_in, gnode_t *const *in) {
    gnode_t *n = append(b, op, in_layer(b, what));
    n->n_in = n_in;
    for (int i = 0; i < n_in; i++) n->in[i] = in[i];
    return n;
}
#define NODE(b, op, what, ...)                                                                     \
    node(b, op, what, (int)(sizeof((gnode_t *[]){__VA_ARGS__}) / sizeof(gnode_t *)),               \
         (gnode_t *[]){__VA_ARGS__})

/* Infers the shape; after an error the node keeps rank 0 and building stops soon. */
static gnode_t *finish(graph_builder_t *b, gnode_t *n) {
    if (b->ok && !graph_infer(b->g, n, b->d)) b->ok = false;
    return n;
}

static gnode_t *traced(gnode_t *n) {
    n->trace = n->name;
    return n;
}

/* ---- parts --------------------------------------------------------------------------------- */

static gnode_t *norm(graph_builder_t *b, const char *what, gnode_t *x, const char *prefix,
                     int64_t width) {
    static const gop_t norms[] = {G_LAYER_NORM, G_RMS_NORM}; /* by extensions.norm */
    gop_t op = norms[b->s->extensions.norm];
    place(b, KEY_layer_norm_eps);
    arena_t *a = b->g->arena;
    gnode_t *in[] = {x, param(b, arena_printf(a, "%s.weight", prefix), 1, width, 0), NULL};
    if (op == G_LAYER_NORM) in[2] = param(b, arena_printf(a, "%s.bias", prefix), 1, width, 0);
    gnode_t *n = node(b, op, what, in[2] ? 3 : 2, in);
    n->eps = b->s->layer_norm_eps;
    return finish(b, n);
}

static gnode_t *dense(graph_builder_t *b, const char *what, gnode_t *x, const char *weight_name,
                      const char *bias_name, int64_t out, int64_t in) {
    gnode_t *weight = param(b, weight_name, 2, out, in);
    gnode_t *bias = bias_name ? param(b, bias_name, 1, out, 0) : NULL;
    return finish(b, NODE(b, G_DENSE, what, x, weight, bias));
}

/* "<prefix>.<part>.weight" and, if wanted, ".bias" */
static gnode_t *linear(graph_builder_t *b, const char *what, gnode_t *x, const char *prefix,
                       bool bias, int64_t out, int64_t in) {
    arena_t *a = b->g->arena;
    return dense(b, what, x, arena_printf(a, "%s.weight", prefix),
                 bias ? arena_printf(a, "%s.bias", prefix) : NULL, out, in);
}

static gnode_t *activation(graph_builder_t *b, const char *what, gnode_t *x, act_t act) {
    gnode_t *n = NODE(b, G_ACTIVATION, what, x);
    n->act = act;
    return finish(b, n);
}

/* x itself where nothing is dropped. */
static gnode_t *dropout(graph_builder_t *b, const char *what, gnode_t *x, spec_key_t key,
                        dropout_place_t at, double rate) {
    if (!b->train || rate == 0) return x;
    place(b, key);
    gnode_t *n = NODE(b, G_DROPOUT, what, x);
    n->rate = rate;
    n->place = at;
    return finish(b, n);
}

static gnode_t *hidden_dropout(graph_builder_t *b, const char *what, gnode_t *x,
                               dropout_place_t at) {
    return dropout(b, what, x, KEY_hidden_dropout_prob, at, b->s->hidden_dropout_prob);
}

static gnode_t *classifier_dropout(graph_builder_t *b, const char *what, gnode_t *x,
                                   dropout_place_t at) {
    const spec_t *s = b->s;
    if (!s->has_classifier_dropout) return hidden_dropout(b, what, x, at);
    return dropout(b, what, x, KEY_classifier_dropout, at, s->classifier_dropout);
}

/* positions NULL: token t stands at position t. */
static gnode_t *embed(graph_builder_t *b, gnode_t *ids, gnode_t *positions) {
    const spec_t *s = b->s;
    gnode_t *in[G_MAX_INPUTS] = {ids, positions};
    int n_in = positions ? 2 : 1;
    place(b, KEY_vocab_size);
    in[n_in++] = param(b, "embeddings.word_embeddings.weight", 2, s->vocab_size, s->hidden_size);
    place(b, s->axial_pos_embds ? KEY_axial_pos_shape : KEY_max_position_embeddings);
    if (!s->axial_pos_embds)
        in[n_in++] = param(b, "embeddings.position_embeddings.embedding.weight", 2,
                           s->max_position_embeddings, s->hidden_size);
    for (int a = 0; s->axial_pos_embds && a < s->n_axial; a++) {
        const char *name =
            arena_printf(b->g->arena, "embeddings.position_embeddings.weights.%d", a);
        in[n_in++] = param(b, name, 2, s->axial_pos_shape[a], s->axial_pos_embds_dim[a]);
    }
    gnode_t *n = node(b, positions ? G_EMBED_AT : G_EMBED, "embeddings", n_in, in);
    n->n_axial = s->axial_pos_embds ? s->n_axial : 0;
    for (int a = 0; a < n->n_axial; a++) n->axial_shape[a] = s->axial_pos_shape[a];
    if (b->train) n->rate = n->position_rate = s->hidden_dropout_prob;
    return traced(finish(b, n));
}

/* ---- attention ----------------------------------------------------------------------------- */

/* Of the probabilities of the layer's attention. */
static void set_rate(graph_builder_t *b, gnode_t *n) {
    const spec_t *s = b->s;
    if (!b->train) return;
    n->rate =
        b->facts.lsh ? s->lsh_attention_probs_dropout_prob : s->local_attention_probs_dropout_prob;
}

/* docs/semantics.md 6.2: a layer looks at every key when the padded length is within one chunk. A
 * dynamic graph has no such lengths in its range: they are literal graphs of their own. */
static bool is_exact(const graph_t *g, int64_t chunk) {
    bool all = dim_le(g->padded, dim(chunk), g->units);
    if (!all && dim_at(g->padded, g->units.min) <= chunk)
        bug("graph_build: lengths on both sides of the chunk length %lld", (long long)chunk);
    return all;
}

static void place_window(graph_builder_t *b) {
    place(b, spec_window_keys(b->facts.lsh).chunk);
}

static void set_heads(graph_builder_t *b, gnode_t *n) {
    n->heads = b->facts.num_attention_heads;
    n->head_size = b->facts.attention_head_size;
}

static int64_t heads_width(const graph_builder_t *b) {
    return b->facts.num_attention_heads * b->facts.attention_head_size;
}

static void set_window(graph_builder_t *b, gnode_t *n) {
    set_heads(b, n);
    n->chunk = b->facts.chunk_length;
    n->before = b->facts.num_chunks_before;
    n->after = b->facts.num_chunks_after;
    n->causal = b->s->is_decoder;
}

static gnode_t *projection(graph_builder_t *b, const char *what, gnode_t *x) {
    const char *prefix =
        arena_printf(b->g->arena, "encoder.layers.%d.attention.self_attention.%s", b->layer, what);
    return linear(b, what, x, prefix, false, heads_width(b), b->s->hidden_size);
}

static gnode_t *exact_attention(graph_builder_t *b, gnode_t *q, gnode_t *k, gnode_t *v) {
    gnode_t *n = NODE(b, G_EXACT_ATTENTION, "self_attention", q, k, v, b->mask);
    set_heads(b, n);
    n->causal = b->s->is_decoder;
    n->shared_qk = q == k;
    set_rate(b, n);
    return traced(finish(b, n));
}

/* The layer's buckets: a step has those of the forward. */
static int factors_of(const graph_builder_t *b, int64_t factors[MAX_FACTORS]) {
    if (!b->hashed) return spec_bucket_factors(b->s, b->layer, b->bucket_length, factors);
    const gnode_t *like = b->hashed[b->layer];
    for (int i = 0; like && i < like->n_factors; i++) factors[i] = like->factors[i];
    return like ? like->n_factors : 0;
}

static gnode_t *rotations(graph_builder_t *b) {
    int64_t columns = 0, factors[MAX_FACTORS];
    int n = factors_of(b, factors);
    for (int i = 0; i < n; i++) columns += factors[i] / 2;
    place(b, KEY_num_hashes);
    dim_t shape[] = {dim(b->facts.num_attention_heads), dim(b->facts.attention_head_size),
                     dim(b->facts.num_hashes), dim(columns)};
    return leaf(b, G_PARAM, in_layer(b, "rotations"), G_F32, 4, shape);
}

static void set_hash(graph_builder_t *b, gnode_t *n) {
    graph_t *g = b->g;
    set_heads(b, n);
    n->rounds = b->facts.num_hashes;
    n->n_factors = factors_of(b, n->factors);
    if (g->n_factors > 0) return;
    g->n_factors = n->n_factors;
    for (int i = 0; i < n->n_factors; i++) g->factors[i] = n->factors[i];
}

static gnode_t *sorted_idx(graph_builder_t *b, gnode_t *qk) {
    gnode_t *drawn = rotations(b);
    place(b, KEY_num_buckets);
    gnode_t *hash = NODE(b, G_LSH_HASH, "buckets", qk, drawn, b->mask);
    set_hash(b, hash);
    traced(finish(b, hash));
    return traced(finish(b, NODE(b, G_LSH_SORT, "sorted_idx", hash)));
}

/* What both kinds of step have in common. */
static void set_step(graph_builder_t *b, gnode_t *n) {
    set_window(b, n);
    n->causal = false; /* what is cached came before */
    n->as_huggingface = b->s->compile.decode == DECODE_HUGGINGFACE;
}

/* A state is told what its step is told. */
static void copy_state(graph_builder_t *b, gnode_t *state, const gnode_t *step) {
    state->heads = step->heads;
    state->head_size = step->head_size;
    state->rounds = step->rounds;
    state->n_factors = step->n_factors;
    for (int i = 0; i < step->n_factors; i++) state->factors[i] = step->factors[i];
    state->chunk = step->chunk;
    state->before = step->before;
    state->as_huggingface = step->as_huggingface;
    finish(b, state);
}

/* One token per row, against the cache. */
static gnode_t *lsh_step(graph_builder_t *b, gnode_t *qk, gnode_t *v) {
    gnode_t *drawn = b->hashed[b->layer] ? rotations(b) : NULL;
    place_window(b);
    gnode_t *state = append(b, G_LSH_STATE, in_layer(b, "state"));
    gnode_t *n = NODE(b, G_LSH_STEP, "self_attention", qk, v, b->positions, state, drawn);
    set_hash(b, n);
    if (!drawn) n->n_factors = 0;
    set_step(b, n);
    copy_state(b, state, n);
    return finish(b, n);
}

static gnode_t *local_step(graph_builder_t *b, gnode_t *q, gnode_t *k, gnode_t *v) {
    place_window(b);
    gnode_t *state = append(b, G_LOCAL_STATE, in_layer(b, "state"));
    gnode_t *n = NODE(b, G_LOCAL_STEP, "self_attention", q, k, v, b->positions, state);
    set_step(b, n);
    copy_state(b, state, n);
    return finish(b, n);
}

static gnode_t *lsh_attention(graph_builder_t *b, gnode_t *x) {
    gnode_t *qk = projection(b, "query_key", x), *v = projection(b, "value", x);
    if (b->positions) return lsh_step(b, qk, v);
    if (is_exact(b->g, b->facts.chunk_length)) return exact_attention(b, qk, qk, v);
    gnode_t *order = sorted_idx(b, qk);
    place_window(b);
    gnode_t *n = NODE(b, G_LSH_ATTENTION, "self_attention", qk, v, order, b->mask);
    set_window(b, n);
    n->rounds = b->facts.num_hashes;
    set_rate(b, n);
    return traced(finish(b, n));
}

static gnode_t *local_attention(graph_builder_t *b, gnode_t *x) {
    gnode_t *q = projection(b, "query", x), *k = projection(b, "key", x);
    gnode_t *v = projection(b, "value", x);
    if (b->positions) return local_step(b, q, k, v);
    if (is_exact(b->g, b->facts.chunk_length)) return exact_attention(b, q, k, v);
    place_window(b);
    gnode_t *n = NODE(b, G_LOCAL_ATTENTION, "self_attention", q, k, v, b->mask);
    set_window(b, n);
    set_rate(b, n);
    return traced(finish(b, n));
}

static gnode_t *attention(graph_builder_t *b, gnode_t *y2) {
    const spec_t *s = b->s;
    arena_t *a = b->g->arena;
    const char *prefix = arena_printf(a, "encoder.layers.%d.attention.layer_norm", b->layer);
    gnode_t *x = norm(b, "attention_norm", y2, prefix, s->hidden_size);
    place(b, KEY_attn_layers);
    gnode_t *self = b->facts.lsh ? lsh_attention(b, x) : local_attention(b, x);
    place(b, KEY_attn_layers);
    prefix = arena_printf(a, "encoder.layers.%d.attention.output.dense", b->layer);
    gnode_t *out =
        traced(linear(b, "attention", self, prefix, false, s->hidden_size, heads_width(b)));
    return hidden_dropout(b, "attention_dropout", out, PLACE_ATTENTION);
}

static gnode_t *feed_forward(graph_builder_t *b, gnode_t *y1) {
    int64_t hidden = b->s->hidden_size, inner = b->facts.feed_forward_size;
    arena_t *a = b->g->arena;
    const char *prefix = arena_printf(a, "encoder.layers.%d.feed_forward", b->layer);
    gnode_t *x = norm(b, "feed_forward_norm", y1, arena_printf(a, "%s.layer_norm", prefix), hidden);
    place(b, KEY_feed_forward_size);
    gnode_t *u = linear(b, "feed_forward_in", x, arena_printf(a, "%s.dense.dense", prefix), true,
                        inner, hidden);
    u = hidden_dropout(b, "feed_forward_in_dropout", u, PLACE_FEED_FORWARD_IN);
    place(b, KEY_hidden_act);
    u = activation(b, "feed_forward_act", u, b->facts.hidden_act);
    place(b, KEY_feed_forward_size);
    if (b->s->extensions.feed_forward_gate) {
        gnode_t *gate = linear(b, "feed_forward_gate", x, arena_printf(a, "%s.gate.dense", prefix),
                               true, inner, hidden);
        u = finish(b, NODE(b, G_MUL, "feed_forward_gated", u, gate));
    }
    u = traced(linear(b, "feed_forward", u, arena_printf(a, "%s.output.dense", prefix), true,
                      hidden, inner));
    return hidden_dropout(b, "feed_forward_dropout", u, PLACE_FEED_FORWARD);
}

/* ---- the stack ----------------------------------------------------------------------------- */

/* The stack on what embeds the tokens: last_hidden_state. */
static gnode_t *layers(graph_builder_t *b, gnode_t *embedded) {
    const spec_t *s = b->s;
    gnode_t *y1 = embedded, *y2 = y1;
    for (b->layer = 0; b->layer < s->n_layers && b->ok; b->layer++) {
        b->facts = spec_layer(s, b->layer);
        gnode_t *a = attention(b, y2);
        y1 = traced(finish(b, NODE(b, G_ADD, "y1", y1, a)));
        gnode_t *f = feed_forward(b, y1);
        y2 = traced(finish(b, NODE(b, G_ADD, "y2", y2, f)));
    }
    b->layer = -1;
    place(b, KEY_hidden_size);
    gnode_t *z = finish(b, NODE(b, G_CONCAT, "streams", y1, y2));
    z = norm(b, "hidden", z, "encoder.layer_norm", 2 * s->hidden_size);
    z = hidden_dropout(b, "hidden_dropout", z, PLACE_HIDDEN);
    return finish(b, NODE(b, G_SLICE, "last_hidden_state", z));
}

static gnode_t *encoder(graph_builder_t *b) {
    place(b, KEY_vocab_size);
    gnode_t *raw_ids = input(b, "input_ids", G_I32, 2, b->g->length);
    gnode_t *raw_mask = input(b, "attention_mask", G_I32, 2, b->g->length);
    place(b, KEY_pad_token_id);
    gnode_t *ids = NODE(b, G_PAD_IDS, "ids", raw_ids);
    int64_t pad = spec_pad_token(b->s);
    ids->pad_token = pad < 0 ? 0 : pad; /* masked: what it is never matters */
    finish(b, ids);
    b->mask = finish(b, NODE(b, G_PAD_MASK, "mask", raw_mask));
    return layers(b, embed(b, ids, NULL));
}

/* ---- heads --------------------------------------------------------------------------------- */

static gnode_t *lm_logits(graph_builder_t *b, gnode_t *z) {
    place(b, KEY_vocab_size);
    return dense(b, "logits", z, "lm_head.decoder.weight", "lm_head.bias", b->s->vocab_size,
                 2 * b->s->hidden_size);
}

static void head_lm(graph_builder_t *b, gnode_t *z) {
    gnode_t *logits = lm_logits(b, z);
    gnode_t *labels = input(b, "labels", G_I32, 2, b->g->length);
    gnode_t *loss = NODE(b, G_CROSS_ENTROPY, "loss", logits, labels);
    loss->shift = b->s->architecture == ARCH_CAUSAL_LM;
    finish(b, loss);
}

static void loss_of_classes(graph_builder_t *b, gnode_t *logits) {
    gnode_t *labels = input(b, "labels", G_I32, 1, dim(0));
    finish(b, NODE(b, G_CROSS_ENTROPY, "loss", logits, labels));
}

static void loss_of_numbers(graph_builder_t *b, gop_t op, const char *name, gnode_t *logits) {
    gnode_t *labels = input(b, "labels_f32", G_F32, 2, dim(b->s->num_labels));
    finish(b, NODE(b, op, name, logits, labels));
}

static void classifier_loss(graph_builder_t *b, gnode_t *logits) {
    place(b, b->s->problem_type == PROBLEM_UNSET ? KEY_num_labels : KEY_problem_type);
    switch (b->s->problem_type) {
    case PROBLEM_REGRESSION: loss_of_numbers(b, G_MSE_LOSS, "loss", logits); break;
    case PROBLEM_SINGLE_LABEL: loss_of_classes(b, logits); break;
    case PROBLEM_MULTI_LABEL: loss_of_numbers(b, G_BCE_LOSS, "loss", logits); break;
    case PROBLEM_UNSET:
        if (b->s->num_labels == 1) {
            loss_of_numbers(b, G_MSE_LOSS, "loss", logits);
        } else {
            loss_of_classes(b, logits);
            loss_of_numbers(b, G_BCE_LOSS, "loss_f32", logits);
        }
        break;
    }
}

static void head_classifier(graph_builder_t *b, gnode_t *z) {
    const spec_t *s = b->s;
    place(b, KEY_hidden_size);
    gnode_t *x = finish(b, NODE(b, G_FIRST_TOKEN, "first_token", z));
    x = classifier_dropout(b, "first_token_dropout", x, PLACE_CLASSIFIER_IN);
    x = linear(b, "classifier_in", x, "classifier.dense", true, s->hidden_size, 2 * s->hidden_size);
    x = activation(b, "classifier_act", x, ACT_TANH);
    x = classifier_dropout(b, "classifier_act_dropout", x, PLACE_CLASSIFIER_OUT);
    place(b, KEY_num_labels);
    x = linear(b, "logits", x, "classifier.out_proj", true, s->num_labels, s->hidden_size);
    classifier_loss(b, x);
}

static gnode_t *column(graph_builder_t *b, const char *name, gnode_t *x, int64_t which) {
    gnode_t *n = NODE(b, G_COLUMN, name, x);
    n->shift = which;
    return finish(b, n);
}

static void head_qa(graph_builder_t *b, gnode_t *z) {
    place(b, KEY_num_labels);
    gnode_t *qa = linear(b, "qa", z, "qa_outputs", true, 2, 2 * b->s->hidden_size);
    gnode_t *start = column(b, "start_logits", qa, 0), *end = column(b, "end_logits", qa, 1);
    gnode_t *first = input(b, "start_positions", G_I32, 1, dim(0));
    gnode_t *last = input(b, "end_positions", G_I32, 1, dim(0));
    finish(b, NODE(b, G_QA_LOSS, "loss", start, end, first, last));
}

static void head(graph_builder_t *b, gnode_t *z) {
    switch (b->s->architecture) {
    case ARCH_UNSET: bug("graph_build: the architecture is not resolved");
    case ARCH_BASE: break;
    case ARCH_CAUSAL_LM:
    case ARCH_MASKED_LM: head_lm(b, z); break;
    case ARCH_CLASSIFIER: head_classifier(b, z); break;
    case ARCH_QA: head_qa(b, z); break;
    }
}

/* ---- lengths ------------------------------------------------------------------------------- */

/* docs/semantics.md 3: the padded length must fit the position embeddings. */
static bool length_fits(const graph_t *g, const spec_t *s, diag_t *d) {
    int64_t length = dim_at(g->length, g->units.max), padded = dim_at(g->padded, g->units.max);
    int64_t positions = 1;
    for (int a = 0; a < s->n_axial; a++)
        if (__builtin_mul_overflow(positions, s->axial_pos_shape[a], &positions))
            positions = INT64_MAX;
    bool in_max = padded <= s->max_position_embeddings;
    if (in_max && (!s->axial_pos_embds || padded <= positions)) return true;
    diag_error(
        d, s->at[in_max ? KEY_axial_pos_shape : KEY_max_position_embeddings],
        "a sequence of %lld tokens, %lld with padding, is longer than the %lld positions of %s",
        (long long)length, (long long)padded,
        (long long)(in_max ? positions : s->max_position_embeddings),
        in_max ? "axial_pos_shape" : "max_position_embeddings");
    return false;
}

static void set_lengths(graph_t *g, const graph_options_t *o) {
    g->units = o->units;
    if (o->units.max > 0) {
        g->length = g->padded = (dim_t){0, spec_lcm(g->spec)};
    } else {
        g->length = dim(o->length);
        g->padded = dim(spec_padded_length(g->spec, o->length));
    }
}

graph_t *graph_build(arena_t *a, const spec_t *s, const graph_options_t *o, diag_t *d) {
    bool dynamic = o->units.max > 0;
    if (o->batch < 1 || (!dynamic && o->length < 1) || (dynamic && o->units.min < 1))
        bug("graph_build: no batch or no length");
    graph_t *g = ARENA_NEW(a, graph_t);
    *g = (graph_t){.arena = a, .spec = s, .batch = o->batch};
    set_lengths(g, o);
    if (!length_fits(g, s, d)) return NULL;
    graph_builder_t b = {.g = g, .s = s, .d = d, .layer = -1, .ok = true, .train = o->train};
    b.bucket_length = o->bucket_length ? o->bucket_length : dim_at(g->padded, g->units.max);
    gnode_t *z = encoder(&b);
    if (b.ok) head(&b, z);
    return b.ok && graph_check(g, d) ? g : NULL;
}

/* Hugging Face decodes batches wrongly (Q5): there is nothing to be equal to. */
static bool batch_decodes(const spec_t *s, int64_t batch, diag_t *d) {
    if (batch == 1 || s->compile.decode != DECODE_HUGGINGFACE) return true;
    diag_error(d, s->at[KEY_compile_decode],
               "'compile.decode: huggingface' is for one row, the batch has %lld",
               (long long)batch);
    diag_hint(
        d,
        "Hugging Face itself decodes several rows wrongly: every row sees the tokens of the first");
    return false;
}

graph_t *graph_build_step(arena_t *a, const graph_t *like, int64_t batch, diag_t *d) {
    const spec_t *s = like->spec;
    if (batch < 1 || (!s->of_graph && s->architecture != ARCH_CAUSAL_LM))
        bug("graph_build_step: nothing to generate");
    if (!batch_decodes(s, batch, d)) return NULL;
    if (s->of_graph) return graph_step_of(a, like, batch, d);
    graph_t *g = ARENA_NEW(a, graph_t);
    *g = (graph_t){.arena = a, .spec = s, .batch = batch, .length = dim(1), .padded = dim(1)};
    graph_builder_t b = {.g = g, .s = s, .d = d, .layer = -1, .ok = true};
    b.hashed = ARENA_ARRAY(a, const gnode_t *, s->n_layers);
    for (const gnode_t *n = NULL; (n = graph_next(like, G_LSH_HASH, n));) b.hashed[n->layer] = n;
    place(&b, KEY_vocab_size);
    gnode_t *ids = input(&b, "input_ids", G_I32, 2, dim(1));
    b.positions = input(&b, "positions", G_I32, 2, dim(1));
    gnode_t *z = layers(&b, embed(&b, ids, b.positions));
    if (b.ok) lm_logits(&b, z);
    return b.ok && graph_check(g, d) ? g : NULL;
}
