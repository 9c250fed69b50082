/* Spec or graphs → facts.h. Of graphs each fact has one place: the head is what outputs and losses
 * make it, sizes are shapes of outputs and tables; where graphs of one file differ, the line
 * that differs is at fault. */
#include <stdlib.h>
#include <string.h>

#include "graph/model.h"
#include "graph/ops.h"

/* ---- both ------------------------------------------------------------------------------------ */

static void sum_up(facts_t *f) {
    for (int i = 0; i < f->n_layers; i++) {
        const layer_facts_t *l = &f->layers[i];
        if (!l->lsh) continue;
        f->n_lsh++;
        if (l->heads > f->heads) f->heads = l->heads;
        if (l->rounds > f->rounds) f->rounds = l->rounds;
    }
    for (int i = 0; i < f->n_layers && f->n_lsh == 0 && f->heads == 0; i++) {
        f->heads = f->layers[i].heads;
        f->rounds = f->layers[i].rounds;
    }
    if (f->heads == 0) f->heads = 1;
    if (f->rounds == 0) f->rounds = 1;
}

bool facts_layer_is_lsh(const facts_t *f, int layer) {
    return layer >= 0 && layer < f->n_layers && f->layers[layer].lsh;
}

int facts_lsh_before(const facts_t *f, int layer) {
    int n = 0;
    for (int i = 0; i < layer; i++) n += f->layers[i].lsh;
    return n;
}

int64_t facts_classes(const facts_t *f) {
    return f->head == ARCH_CLASSIFIER ? f->labels : f->vocab;
}

/* ---- of a spec ------------------------------------------------------------------------------- */

facts_t facts_of_spec(arena_t *a, const spec_t *s) {
    facts_t f = {.head = s->architecture == ARCH_UNSET ? ARCH_BASE : s->architecture,
                 .problem = s->problem_type,
                 .hidden = s->hidden_size,
                 .vocab = s->vocab_size,
                 .labels = s->num_labels,
                 .pad_token = spec_pad_token(s),
                 .positions = spec_positions(s),
                 .longest = spec_max_length(s),
                 .n_layers = s->n_layers};
    layer_facts_t *layers = ARENA_ARRAY(a, layer_facts_t, s->n_layers);
    for (int i = 0; i < s->n_layers; i++) {
        spec_layer_t l = spec_layer(s, i);
        layers[i] =
            (layer_facts_t){true, l.lsh, l.num_attention_heads, l.num_hashes, l.chunk_length};
    }
    f.layers = layers;
    sum_up(&f);
    if (f.n_lsh > 0) return f;
    f.heads = s->num_attention_heads;
    f.rounds = s->num_hashes;
    return f;
}

/* ---- of graphs ------------------------------------------------------------------------------- */

/* At which lengths a layer hashes: the runtime asks one number, above which it does. */
typedef struct {
    const gnode_t *hashed;   /* in the graph of the least padded length; NULL: nowhere */
    int64_t min, max, chunk; /* padded: hashed at least; not hashed at most; of its attention */
} hashed_lengths_t;

typedef struct {
    const spec_t *head;
    const graph_t *g;
    facts_t *f;
    layer_facts_t *layers;     /* [MAX_LAYERS] */
    hashed_lengths_t *hashing; /* [MAX_LAYERS] */
    bool first, ok;            /* first: nothing is known yet */
    diag_t *d;
} finder_t;

#define WRONG(x, at, ...) ((x)->ok = false, diag_error((x)->d, (at), __VA_ARGS__))

/* Takes a fact that every graph says; n: who says it. */
static void agree(finder_t *x, const gnode_t *n, const char *what, int64_t *fact, int64_t value) {
    if (x->first) *fact = value;
    else if (*fact != value)
        WRONG(x, n->at, "%s: %s is %lld here, and %lld in the graph of a shorter length", n->name,
              what, (long long)value, (long long)*fact);
}

static const gnode_t *first_of(const graph_t *g, gop_t op) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == op) return g->nodes[i];
    return NULL;
}

static bool is_causal(const graph_t *g) {
    for (size_t i = 0; i < g->n_nodes; i++) {
        const gnode_t *n = g->nodes[i];
        bool attends = graph_is_attention(n);
        if (attends && !n->causal) return false;
    }
    return true;
}

static arch_t head_of(const graph_t *g) {
    const gnode_t *logits = graph_output(g, "logits"), *loss = graph_output(g, "loss");
    if (!logits) return graph_output(g, "start_logits") ? ARCH_QA : ARCH_BASE;
    if (logits->rank == 2) return ARCH_CLASSIFIER;
    bool causal = loss && loss->op == G_CROSS_ENTROPY ? loss->shift == 1 : is_causal(g);
    return causal ? ARCH_CAUSAL_LM : ARCH_MASKED_LM;
}

static problem_t problem_of(const graph_t *g) {
    const gnode_t *loss = graph_output(g, "loss"), *logits = graph_output(g, "logits");
    bool classifies = logits && logits->rank == 2;
    if (!classifies || !loss || graph_output(g, "loss_f32")) return PROBLEM_UNSET;
    return loss->op == G_MSE_LOSS   ? PROBLEM_REGRESSION
           : loss->op == G_BCE_LOSS ? PROBLEM_MULTI_LABEL
                                    : PROBLEM_SINGLE_LABEL;
}

/* "[B,S,w]" of an output: rank, rows and type are the runtime's. */
static bool has_form(finder_t *x, const gnode_t *n, int rank, bool per_token, bool has_width) {
    const graph_t *g = x->g;
    bool ok =
        n->type == G_F32 && n->rank == rank && (rank == 0 || dim_equal(n->shape[0], dim(g->batch)));
    if (ok && per_token) ok = dim_equal(n->shape[1], g->length);
    if (ok && has_width) ok = dim_literal(n->shape[rank - 1]);
    if (!ok)
        WRONG(x, n->at, "%s: the output is f32 %s", n->name,
              rank == 0   ? "[]"
              : rank == 3 ? "[batch, length, width]"
              : per_token ? "[batch, length]"
                          : "[batch, width]");
    return ok;
}

static void check_forms(finder_t *x) {
    static const struct {
        const char *name;
        int rank;
        bool per_token, has_width;
    } forms[] = {{"start_logits", 2, true, false},
                 {"end_logits", 2, true, false},
                 {"loss", 0, false, false},
                 {"loss_f32", 0, false, false}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const gnode_t *n = graph_output(x->g, forms[i].name);
        if (n) (void)has_form(x, n, forms[i].rank, forms[i].per_token, forms[i].has_width);
    }
    const gnode_t *start = graph_output(x->g, "start_logits"),
                  *end = graph_output(x->g, "end_logits");
    if (!start != !end)
        WRONG(x, (start ? start : end)->at, "%s stands without %s", (start ? start : end)->name,
              start ? "end_logits" : "start_logits");
    if (start && graph_output(x->g, "logits"))
        WRONG(x, start->at, "a model has logits, or start_logits and end_logits");
}

/* Callers get a loss of whatever has labels, and it is that of the outputs. */
static void check_loss(finder_t *x) {
    const graph_t *g = x->g;
    const gnode_t *logits = graph_output(g, "logits"), *start = graph_output(g, "start_logits");
    const gnode_t *loss = graph_output(g, "loss"), *other = graph_output(g, "loss_f32");
    const gnode_t *of = logits ? logits : start;
    if (!loss && of) WRONG(x, of->at, "%s: the graph has no loss of it", of->name);
    if (!loss || !of) {
        if (loss) WRONG(x, loss->at, "loss: the graph has no logits");
        return;
    }
    bool classifies = logits && logits->rank == 2, classes = loss->op == G_CROSS_ENTROPY;
    bool fits = start        ? loss->op == G_QA_LOSS
                : classifies ? classes || loss->op == G_MSE_LOSS || loss->op == G_BCE_LOSS
                             : classes;
    if (!fits) WRONG(x, loss->at, "loss: %s is no loss of this head", graph_op_name(loss->op));
    else if (loss->in[0] != of || (start && loss->in[1] != graph_output(g, "end_logits")))
        WRONG(x, loss->at, "loss: it reads other logits than the output's");
    if (other && (!classifies || !classes || other->op != G_BCE_LOSS || other->in[0] != logits))
        WRONG(x, other->at,
              "loss_f32: it is the bce_loss of a classifier's logits, beside their cross_entropy");
}

static void read_hidden(finder_t *x) {
    const gnode_t *n = graph_output(x->g, "last_hidden_state");
    if (!n) {
        WRONG(x, x->g->at, "the graph has no last_hidden_state");
        return;
    }
    if (!has_form(x, n, 3, true, true)) return;
    int64_t width = n->shape[2].c;
    if (width % 2)
        WRONG(x, n->at, "last_hidden_state is %lld wide, of both streams: an even number is needed",
              (long long)width);
    agree(x, n, "the width", &x->f->hidden, width / 2);
}

static void read_vocabulary(finder_t *x) {
    const gnode_t *embed = first_of(x->g, G_EMBED);
    if (!embed) {
        WRONG(x, x->g->at, "the graph has no embed: tokens do not get into it");
        return;
    }
    const gnode_t *word = embed->in[1];
    agree(x, word, "the number of tokens", &x->f->vocab, word->shape[0].c);
    int64_t positions = 1;
    for (int k = 2; k < embed->n_in; k++)
        if (__builtin_mul_overflow(positions, embed->in[k]->shape[0].c, &positions))
            positions = INT64_MAX;
    if (x->head->given[KEY_max_position_embeddings] && x->head->max_position_embeddings < positions)
        positions = x->head->max_position_embeddings;
    agree(x, embed, "the number of positions", &x->f->positions, positions);
    const gnode_t *ids = first_of(x->g, G_PAD_IDS);
    if (ids) agree(x, ids, "pad_token", &x->f->pad_token, ids->pad_token);
    if (ids && ids->pad_token >= x->f->vocab)
        WRONG(x, ids->at, "%s: pad_token %lld is none of the %lld tokens", ids->name,
              (long long)ids->pad_token, (long long)x->f->vocab);
}

static void read_head(finder_t *x) {
    const gnode_t *logits = graph_output(x->g, "logits");
    int64_t head = x->f->head, problem = x->f->problem;
    const gnode_t *says = logits ? logits : graph_output(x->g, "last_hidden_state");
    if (logits && !(logits->rank == 2 ? has_form(x, logits, 2, false, true)
                                      : has_form(x, logits, 3, true, true)))
        return;
    if (!says) return;
    agree(x, says, "the kind of head", &head, head_of(x->g));
    agree(x, says, "the kind of loss", &problem, problem_of(x->g));
    x->f->head = (arch_t)head;
    x->f->problem = (problem_t)problem;
    if (x->first) x->f->labels = 2;
    if (!logits) return;
    if (head == ARCH_CLASSIFIER)
        agree(x, logits, "the number of labels", &x->f->labels, logits->shape[1].c);
    else if (logits->shape[2].c != x->f->vocab)
        WRONG(x, logits->at, "logits: %lld classes, and %lld tokens", (long long)logits->shape[2].c,
              (long long)x->f->vocab);
}

static void read_attention(finder_t *x, const gnode_t *n, bool lsh) {
    layer_facts_t *l = &x->layers[n->layer];
    hashed_lengths_t *h = &x->hashing[n->layer];
    int64_t min = dim_at(x->g->padded, x->g->units.min),
            max = dim_at(x->g->padded, x->g->units.max);
    l->attends = true;
    l->lsh |= lsh;
    l->heads = n->heads;
    if (lsh && n->rounds) l->rounds = n->rounds;
    if (n->layer >= x->f->n_layers) x->f->n_layers = n->layer + 1;
    if (n->op == G_LSH_ATTENTION) h->chunk = n->chunk;
    if (n->op == G_LSH_HASH && (!h->hashed || min < h->min)) {
        h->hashed = n;
        h->min = min;
    }
    if (lsh && n->op == G_EXACT_ATTENTION && max > h->max) h->max = max;
}

static void read_layers(finder_t *x) {
    for (size_t i = 0; i < x->g->n_nodes; i++) {
        const gnode_t *n = x->g->nodes[i];
        bool lsh = n->op == G_LSH_ATTENTION || n->op == G_LSH_HASH ||
                   (n->op == G_EXACT_ATTENTION && n->shared_qk);
        bool local = n->op == G_LOCAL_ATTENTION || n->op == G_EXACT_ATTENTION;
        if ((!lsh && !local) || n->layer < 0) continue;
        read_attention(x, n, lsh);
    }
}

/* Of exact layers alone no round is known. */
static void finish_layers(finder_t *x) {
    for (int i = 0; i < x->f->n_layers; i++) {
        layer_facts_t *l = &x->layers[i];
        const hashed_lengths_t *h = &x->hashing[i];
        if (!l->rounds) l->rounds = 1;
        if (h->hashed && h->min <= h->max)
            WRONG(x, h->hashed->at,
                  "%s: the layer hashes %lld tokens, and in another graph it does not hash %lld",
                  h->hashed->name, (long long)h->min, (long long)h->max);
        bool between = h->chunk >= h->max && (!h->hashed || h->chunk < h->min);
        l->chunk = h->chunk && between ? h->chunk : h->max;
    }
}

/* By ascending length, and only the last for any. */
static void check_order(finder_t *x, graph_t *const *graphs, int n) {
    for (int i = 0; i + 1 < n; i++) {
        const graph_t *g = graphs[i], *next = graphs[i + 1];
        if (g->units.max > 0) WRONG(x, next->at, "a graph for any length is the last one");
        else if (graph_longest(next) <= graph_longest(g))
            WRONG(x, next->at, "graphs stand by ascending length: %lld follows %lld",
                  (long long)graph_longest(next), (long long)graph_longest(g));
        if (next->batch != g->batch)
            WRONG(x, next->at, "the batch is %lld, and %lld in the graph before",
                  (long long)next->batch, (long long)g->batch);
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(gnode_t *const *)a)->name, (*(gnode_t *const *)b)->name);
}

/* The params of a graph, by name. */
static gnode_t **params_of(arena_t *a, const graph_t *g, size_t *n) {
    gnode_t **list = ARENA_ARRAY(a, gnode_t *, g->n_nodes);
    *n = 0;
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == G_PARAM) list[(*n)++] = g->nodes[i];
    if (*n) qsort(list, *n, sizeof *list, by_name);
    return list;
}

/* Weights are one file for all lengths: the longest graph has them all, and no
 * two differ under one name. */
static void check_params(finder_t *x, gnode_t **params, size_t n_params) {
    for (size_t i = 0; i < x->g->n_nodes; i++) {
        gnode_t *n = x->g->nodes[i];
        if (n->op != G_PARAM) continue;
        gnode_t **same = n_params ? bsearch(&n, params, n_params, sizeof *params, by_name) : NULL;
        if (same && graph_same_op(n, *same)) continue;
        WRONG(x, n->at, "%s: the graph of the greatest length has no such param", n->name);
    }
}

bool facts_of_graphs(arena_t *a, const spec_t *head, graph_t *const *graphs, int n, facts_t *facts,
                     diag_t *d) {
    *facts = (facts_t){.pad_token = -1};
    finder_t x = {.head = head,
                  .f = facts,
                  .layers = ARENA_ARRAY(a, layer_facts_t, MAX_LAYERS),
                  .hashing = ARENA_ARRAY(a, hashed_lengths_t, MAX_LAYERS),
                  .ok = true,
                  .d = d};
    size_t n_params;
    gnode_t **params = params_of(a, graphs[n - 1], &n_params);
    check_order(&x, graphs, n);
    for (int i = 0; i < n; i++) {
        x.g = graphs[i];
        x.first = i == 0;
        read_hidden(&x);
        read_vocabulary(&x);
        read_head(&x);
        read_layers(&x);
        check_forms(&x);
        check_loss(&x);
        if (i + 1 < n) check_params(&x, params, n_params);
    }
    finish_layers(&x);
    facts->layers = x.layers;
    facts->longest = graph_longest(graphs[n - 1]);
    sum_up(facts);
    return x.ok;
}
