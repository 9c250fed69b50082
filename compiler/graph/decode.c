/* Rows of tokens that the reference evaluator has read, and the two walks that fill them: a
 * prefill, and a step, whose attentions read and append (evaluate_decode.c).
 *
 * In: graphs of graph_build and graph_build_step. Out: logits of what follows. */
#include "graph/decode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/evaluate_ops.h"
#include "support/heap.h"

struct graph_cache {
    const graph_t *step;
    int64_t capacity, vocab, hidden;
    int n_states;
    const gnode_t **states; /* [n_states], of the step */
    int *state_at;          /* by id of the step's nodes */
    cached_row_t *rows;
};

static void find_states(graph_cache_t *c) {
    const graph_t *g = c->step;
    c->states = eval_alloc((int64_t)g->n_nodes, sizeof *c->states);
    c->state_at = eval_alloc((int64_t)g->n_nodes, sizeof *c->state_at);
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (!graph_is_state(g->nodes[i])) continue;
        c->state_at[i] = c->n_states;
        c->states[c->n_states++] = g->nodes[i];
    }
}

static void make_row(const graph_cache_t *c, cached_row_t *row) {
    row->states = eval_alloc(c->n_states, sizeof *row->states);
    for (int k = 0; k < c->n_states; k++) {
        const gnode_t *n = c->states[k];
        row->states[k].width = n->heads * n->head_size;
        row->states[k].hashes = n->heads * n->rounds;
    }
}

graph_cache_t *graph_cache_new(const graph_t *step, int64_t capacity) {
    graph_cache_t *c = eval_alloc(1, sizeof *c);
    *c = (graph_cache_t){.step = step,
                         .capacity = capacity,
                         .vocab = graph_output(step, "logits")->shape[2].c,
                         .hidden = graph_output(step, "last_hidden_state")->shape[2].c};
    find_states(c);
    c->rows = eval_alloc(step->batch, sizeof *c->rows);
    for (int64_t b = 0; b < step->batch; b++) make_row(c, &c->rows[b]);
    return c;
}

void graph_cache_free(graph_cache_t *c) {
    if (!c) return;
    for (int64_t b = 0; b < c->step->batch; b++) {
        for (int k = 0; k < c->n_states; k++) {
            heap_free(c->rows[b].states[k].keys);
            heap_free(c->rows[b].states[k].values);
            heap_free(c->rows[b].states[k].buckets);
        }
        heap_free(c->rows[b].states);
    }
    heap_free(c->rows);
    heap_free(c->states);
    heap_free(c->state_at);
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

/* ---- room ------------------------------------------------------------------------------------ */

/* The cache is older than the call: what it has by the time memory runs out stays its own, and
 * `room` says no more than all states have. */
static void reserve(const graph_cache_t *c, cached_row_t *row, int64_t tokens) {
    if (tokens <= row->room) return;
    size_t room = (size_t)(tokens > 2 * row->room ? tokens : 2 * row->room);
    for (int k = 0; k < c->n_states; k++) {
        eval_kept_t *x = &row->states[k];
        size_t width = room * (size_t)x->width, hashes = room * (size_t)x->hashes;
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
    for (int k = 0; k < c->n_states; k++) {
        const eval_kept_t *x = &source->states[k];
        eval_kept_t *y = &row->states[k];
        size_t width = tokens * (size_t)x->width;
        memcpy(y->keys, x->keys, width * sizeof *y->keys);
        memcpy(y->values, x->values, width * sizeof *y->values);
        memcpy(y->buckets, x->buckets, tokens * (size_t)x->hashes * sizeof *y->buckets);
        y->offset = x->offset;
    }
}

/* ---- prefill --------------------------------------------------------------------------------- */

/* By id of the prefill's nodes: which of the step's states has its name. Both
 * have them in one order. */
static int *match_states(const graph_cache_t *c, const graph_t *g) {
    int *at = eval_alloc((int64_t)g->n_nodes, sizeof *at), next = 0, found = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (!graph_is_state(g->nodes[i])) continue;
        int k = next, tried = 0;
        while (tried < c->n_states && strcmp(c->states[k]->name, g->nodes[i]->name) != 0)
            k = (k + 1) % c->n_states, tried++;
        if (tried == c->n_states) bug("%s is no state of the cache", g->nodes[i]->name);
        at[i] = k;
        next = (k + 1) % c->n_states;
        found++;
    }
    if (found != c->n_states) bug("a prefill that keeps %d of %d states", found, c->n_states);
    return at;
}

/* Zero vectors have a margin that is no number, and the first bucket everywhere. (No fmin: gcc 12.2
 * for aarch64 breaks down at -O3 where a loop of it has floats to widen.) */
static void note_margins(void *ctx, const gnode_t *hash, const float *margin, int64_t n) {
    cached_row_t *row = ctx;
    (void)hash;
    for (int64_t k = 0; k < n; k++)
        if ((double)margin[k] < row->margin) row->margin = (double)margin[k];
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
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = ids,
                        .batch = 1,
                        .length = (size_t)length,
                        .last_hidden_state = hidden,
                        .logits = logits};
    eval_t e = eval_begin(g, param, ctx, &io);
    cached_row_t *r = &c->rows[row];
    int *state_at = match_states(c, g);
    e.cached = r;
    e.state_at = state_at;
    e.margin = note_margins;
    e.margin_ctx = r;
    r->tokens = 0;
    r->margin = INFINITY;
    reserve(c, r, length);
    int error = eval_outputs(&e);
    if (error == REFORMER_OK) {
        r->tokens = length;
        deliver(next->logits, logits, length, c->vocab);
        deliver(next->last_hidden_state, hidden, length, c->hidden);
    }
    heap_free(state_at);
    heap_free(hidden);
    heap_free(logits);
    return error;
}

/* ---- step ------------------------------------------------------------------------------------ */

int graph_step(graph_cache_t *c, int64_t row, graph_param_fn *param, void *ctx, int32_t token,
               const graph_next_t *next) {
    cached_row_t *r = &c->rows[row];
    if (r->tokens == 0) return REFORMER_E_EMPTY;
    if (r->tokens >= c->capacity) return REFORMER_E_FULL;
    float *hidden = eval_alloc(c->hidden, sizeof *hidden);
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = &token,
                        .batch = 1,
                        .length = 1,
                        .last_hidden_state = hidden,
                        .logits = next->logits};
    eval_t e = eval_begin(c->step, param, ctx, &io);
    e.cached = r;
    e.state_at = c->state_at;
    reserve(c, r, r->tokens + 1);
    int error = eval_outputs(&e);
    if (error == REFORMER_OK) {
        r->tokens++;
        deliver(next->last_hidden_state, hidden, 1, c->hidden);
    }
    heap_free(hidden);
    return error;
}
