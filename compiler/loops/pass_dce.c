/* Dead code: removes what computes values that nobody uses.
 *
 * In: a verified module. Out: one without unused instructions (loads too: reading has no effect),
 * loops and ifs that neither yield nor store anything, functions that the entry does not reach and
 * buffers that nothing mentions. One walk backwards: in SSA, uses stand after definitions. Comments
 * stay, unless all around them goes. */
#include <string.h>

#include "loops/rules.h"

typedef struct {
    bool *live; /* [n_values] of the function */
} dce_t;

static bool has_effect(const inst_t *i) {
    switch (i->op) {
    case OP_STORE:
    case OP_PREFETCH:
    case OP_LAUNCH:
    case OP_TRACE:
    case OP_READY: return true;
    default: return false;
    }
}

static bool block_has_effect(const block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        if (has_effect(i) || (i->body && block_has_effect(i->body)) ||
            (i->otherwise && block_has_effect(i->otherwise)))
            return true;
    }
    return false;
}

static bool is_needed(const dce_t *d, const inst_t *i) {
    if (has_effect(i) || i->op == OP_COMMENT || i->op == OP_YIELD || i->op == OP_RETURN)
        return true;
    if (i->result && d->live[i->result->id]) return true;
    for (int k = 0; k < i->n_results; k++)
        if (d->live[i->results[k]->id]) return true;
    return (i->body && block_has_effect(i->body)) ||
           (i->otherwise && block_has_effect(i->otherwise));
}

static void mark(void *ctx, value_t **use) {
    ((dce_t *)ctx)->live[(*use)->id] = true;
}

/* Backwards; what is kept moves to the end, then to the front. */
static void sweep_block(dce_t *d, block_t *b) {
    size_t to = b->n;
    for (size_t k = b->n; k-- > 0;) {
        inst_t *i = b->insts[k];
        if (!is_needed(d, i)) continue;
        walk_uses(i, mark, d);
        if (i->otherwise) sweep_block(d, i->otherwise);
        if (i->body) sweep_block(d, i->body);
        b->insts[--to] = i;
    }
    if (to) memmove(b->insts, b->insts + to, (b->n - to) * sizeof *b->insts);
    b->n -= to;
}

/* ---- functions and buffers ------------------------------------------------------------------- */

typedef struct {
    const module_t *m;
    bool *func, *buffer; /* reached, by place in the module */
} reached_t;

static void reach_inst(void *ctx, inst_t *i) {
    reached_t *r = ctx;
    if (i->buffer) r->buffer[i->buffer->id] = true;
    for (size_t k = 0; i->callee && k < r->m->n_funcs; k++)
        if (r->m->funcs[k] == i->callee) r->func[k] = true;
}

static void keep_reached(module_t *m, const reached_t *r) {
    size_t n = 0;
    for (size_t k = 0; k < m->n_funcs; k++)
        if (r->func[k]) m->funcs[n++] = m->funcs[k];
    m->n_funcs = n;
    n = 0;
    for (size_t k = 0; k < m->n_buffers; k++)
        if (r->buffer[k]) {
            m->buffers[k]->id = (int)n;
            m->buffers[n++] = m->buffers[k];
        }
    m->n_buffers = n;
}

void pass_dce(module_t *m) {
    arena_t *scratch = arena_new();
    for (size_t k = 0; k < m->n_funcs; k++) {
        dce_t d = {ARENA_ARRAY(scratch, bool, m->funcs[k]->n_values)};
        sweep_block(&d, m->funcs[k]->body);
    }
    reached_t r = {m, ARENA_ARRAY(scratch, bool, m->n_funcs),
                   ARENA_ARRAY(scratch, bool, m->n_buffers)};
    if (m->n_funcs) r.func[m->n_funcs - 1] = true;
    for (size_t k = m->n_funcs; k-- > 0;) /* callees stand before callers */
        if (r.func[k]) walk_block(m->funcs[k]->body, reach_inst, &r);
    if (module_entry(m)) keep_reached(m, &r);
    arena_free(scratch);
}
