/* Rows of tokens that the reference evaluator has read, and the two walks that fill them: a forward whose values
 * are looked at, and a step, whose attentions (evaluate_decode.c) read and append.
 *
 * In: graphs of graph_build and graph_build_step. Out: logits of what follows. */
#include "graph/decode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/evaluate_ops.h"
#include "support/heap.h"

/* Of a token in one layer: floats of its key, as many of its value, and buckets. */
typedef struct {
    int64_t width, hashes;
} kept_size_t;

struct graph_cache {
    const graph_t *step;
    int64_t capacity, vocab, hidden;
    kept_size_t *sizes; /* [n_layers] */
    cached_row_t *rows;
};

static void measure_layers(graph_cache_t *c) {
    for (size_t i = 0; i < c->step->n_nodes; i++) {
        const gnode_t *n = c->step->nodes[i];
        if (n->op != G_LSH_STEP && n->op != G_LOCAL_STEP) continue;
        c->sizes[n->layer].width = n->heads * n->head_size;
        if (n->op == G_LSH_STEP) c->sizes[n->layer].hashes = n->heads * n->rounds;
    }
}

graph_cache_t *graph_cache_new(const graph_t *step, int64_t capacity) {
    const spec_t *s = step->spec;
    graph_cache_t *c = eval_alloc(1, sizeof *c);
    *c = (graph_cache_t){
        .step = step, .capacity = capacity, .vocab = s->vocab_size, .hidden = 2 * s->hidden_size};
    c->sizes = eval_alloc(s->n_layers, sizeof *c->sizes);
    measure_layers(c);
    c->rows = eval_alloc(step->batch, sizeof *c->rows);
    for (int64_t b = 0; b < step->batch; b++)
        c->rows[b].layers = eval_alloc(s->n_layers, sizeof *c->rows[b].layers);
    return c;
}

void graph_cache_free(graph_cache_t *c) {
    if (!c) return;
    for (int64_t b = 0; b < c->step->batch; b++) {
        for (int k = 0; k < c->step->spec->n_layers; k++) {
            heap_free(c->rows[b].layers[k].keys);
            heap_free(c->rows[b].layers[k].values);
            heap_free(c->rows[b].layers[k].buckets);
        }
        heap_free(c->rows[b].layers);
    }
    heap_free(c->rows);
    heap_free(c->sizes);
    heap_free(c);
}

int64_t graph_cache_capacity(const graph_cache_t *c) {
    return c->capacity;
}

int64_t graph_cache_tokens(const graph_cache_t *c, int64_t row) {
    return c->rows[row].tokens;
}

double graph_cache_margin(const graph_cache_t *c, int64_t row) {
    return c->rows[row].margin;
}

/* ---- room -------------------------------------------------------------------------------------- */

/* The cache is older than the call: what it has by the time memory runs out stays its own, and `room` says no more
 * than all layers have. */
static void reserve(const graph_cache_t *c, cached_row_t *row, int64_t tokens) {
    if (tokens <= row->room) return;
    size_t room = (size_t)(tokens > 2 * row->room ? tokens : 2 * row->room);
    for (int k = 0; k < c->step->spec->n_layers; k++) {
        kept_t *x = &row->layers[k];
        size_t width = room * (size_t)c->sizes[k].width, hashes = room * (size_t)c->sizes[k].hashes;
        x->keys = heap_regrow(x->keys, width, sizeof *x->keys);
        x->values = heap_regrow(x->values, width, sizeof *x->values);
        x->buckets = heap_regrow(x->buckets, hashes, sizeof *x->buckets);
    }
    row->room = (int64_t)room;
}

void graph_cache_copy_row(graph_cache_t *c, int64_t from, int64_t to) {
    const cached_row_t *source = &c->rows[from];
    cached_row_t *row = &c->rows[to];
    if (from == to) return;
    reserve(c, row, source->tokens);
    row->tokens = source->tokens;
    row->margin = source->margin;
    if (row->tokens == 0) return;
    size_t tokens = (size_t)source->tokens;
    for (int k = 0; k < c->step->spec->n_layers; k++) {
        const kept_t *x = &source->layers[k];
        kept_t *y = &row->layers[k];
        size_t width = tokens * (size_t)c->sizes[k].width;
        size_t hashes = tokens * (size_t)c->sizes[k].hashes;
        memcpy(y->keys, x->keys, width * sizeof *y->keys);
        memcpy(y->values, x->values, width * sizeof *y->values);
        if (hashes) memcpy(y->buckets, x->buckets, hashes * sizeof *y->buckets);
        y->offset = x->offset;
    }
}

/* ---- prefill ----------------------------------------------------------------------------------- */

typedef struct {
    const graph_cache_t *c;
    const eval_t *e;
    cached_row_t *row;
} filling_t;

/* [heads][rounds][padded] of the forward → [token][heads][rounds]. Padding had a bucket of its own, and so
 * rounds lie further apart. */
static void keep_buckets(const filling_t *f, const gnode_t *n, const int32_t *buckets, kept_t *to) {
    int64_t hashes = n->heads * n->rounds;
    for (int64_t t = 0; t < f->e->length; t++)
        for (int64_t h = 0; h < hashes; h++)
            to->buckets[t * hashes + h] = buckets[h * f->e->padded + t];
    to->offset = eval_buckets(n) + (f->e->padded > f->e->length);
}

/* The part of "layers.3.value" after the layer. */
static bool is_called(const gnode_t *n, const char *what) {
    const char *dot = strrchr(n->name, '.');
    return dot && strcmp(dot + 1, what) == 0;
}

static void look(void *ctx, const gnode_t *n, const value_t *v) {
    const filling_t *f = ctx;
    if ((n->op != G_DENSE && n->op != G_LSH_HASH) || n->layer < 0) return;
    kept_t *to = &f->row->layers[n->layer];
    size_t bytes = (size_t)(f->e->length * f->c->sizes[n->layer].width) * sizeof(double);
    if (n->op == G_LSH_HASH) keep_buckets(f, n, v->i, to);
    else if (is_called(n, "query_key") || is_called(n, "key")) memcpy(to->keys, v->f, bytes);
    else if (is_called(n, "value")) memcpy(to->values, v->f, bytes);
}

/* Zero vectors have a margin that is no number, and the first bucket everywhere. */
static void note_margins(void *ctx, const gnode_t *hash, const float *margin, int64_t n) {
    cached_row_t *row = ctx;
    (void)hash;
    for (int64_t k = 0; k < n; k++) row->margin = fmin(row->margin, (double)margin[k]);
}

static void deliver(float *to, const float *of_tokens, int64_t length, int64_t width) {
    if (to) memcpy(to, of_tokens + (length - 1) * width, (size_t)width * sizeof *to);
}

/* The last hidden state is always asked for: every layer is run. */
int graph_prefill(graph_cache_t *c, int64_t row, const graph_t *g, graph_param_fn *param, void *ctx,
                  const int32_t *ids, int64_t length, const graph_next_t *next) {
    if (length < 1 || length > g->length.c) return REFORMER_E_LENGTH;
    if (length > c->capacity) return REFORMER_E_FULL;
    float *hidden = eval_alloc(length * c->hidden, sizeof *hidden);
    float *logits = next->logits ? eval_alloc(length * c->vocab, sizeof *logits) : NULL;
    reformer_io_t io = {.input_ids = ids,
                        .batch = 1,
                        .length = (size_t)length,
                        .last_hidden_state = hidden,
                        .logits = logits};
    eval_t e = eval_begin(g, param, ctx, &io);
    filling_t f = {c, &e, &c->rows[row]};
    e.visit = look;
    e.visit_ctx = &f;
    e.margin = note_margins;
    e.margin_ctx = f.row;
    f.row->tokens = 0;
    f.row->margin = INFINITY;
    reserve(c, f.row, length);
    for (int k = 0; k < g->spec->n_layers; k++) f.row->layers[k].offset = 0;
    int error = eval_outputs(&e);
    if (error == REFORMER_OK) {
        f.row->tokens = length;
        deliver(next->logits, logits, length, c->vocab);
        deliver(next->last_hidden_state, hidden, length, c->hidden);
    }
    heap_free(hidden);
    heap_free(logits);
    return error;
}

/* ---- step -------------------------------------------------------------------------------------- */

int graph_step(graph_cache_t *c, int64_t row, graph_param_fn *param, void *ctx, int32_t token,
               const graph_next_t *next) {
    cached_row_t *r = &c->rows[row];
    if (r->tokens == 0) return REFORMER_E_EMPTY;
    if (r->tokens >= c->capacity) return REFORMER_E_FULL;
    float *hidden = eval_alloc(c->hidden, sizeof *hidden);
    reformer_io_t io = {.input_ids = &token,
                        .batch = 1,
                        .length = 1,
                        .last_hidden_state = hidden,
                        .logits = next->logits};
    eval_t e = eval_begin(c->step, param, ctx, &io);
    e.cached = r;
    reserve(c, r, r->tokens + 1);
    int error = eval_outputs(&e);
    if (error == REFORMER_OK) {
        r->tokens++;
        deliver(next->last_hidden_state, hidden, 1, c->hidden);
    }
    heap_free(hidden);
    return error;
}
