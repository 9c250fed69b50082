/* What of a function is needed, and who uses what. In: a function as it is, passed through the
 * passes or not. Out: state.live, state.uses and state.user of every value. Instructions that
 * nothing needs are not written: compilers would warn of unused variables. */
#include "emit/c_int.h"

/* ---- what is live ---------------------------------------------------------------------------- */

static void mark(func_t *f, const value_t *v);

/* Conditions around an instruction that is needed are needed. */
static void mark_around(func_t *f, const inst_t *i) {
    for (const inst_t *p = i->parent->parent; p; p = p->parent->parent)
        if (p->op == OP_IF) mark(f, p->operand[0]);
}

/* Labels of launches are written in instrumented code only; elsewhere their layer is no use. */
static int written_operands(const func_t *f, const inst_t *i) {
    return i->op == OP_LAUNCH && !f->c->plan->instrument ? 0 : i->n_operands;
}

static void mark_operands(func_t *f, const inst_t *i) {
    if (is_decided(i)) return;
    for (int k = 0; k < written_operands(f, i); k++) mark(f, i->operand[k]);
    if (i->op != OP_FOR)
        for (int k = 0; k < i->n_values; k++) mark(f, i->values[k]);
    for (int d = 0; d < i->n_index; d++)
        for (int k = 0; k < i->index[d].n; k++) mark(f, i->index[d].term[k].value);
}

/* One carried value of a loop: all its names live together. */
static void mark_carried(func_t *f, const inst_t *loop, int k) {
    mark(f, loop->body->args[k + 1]);
    mark(f, loop->results[k]);
    mark(f, loop->values[k]);
    mark(f, block_yield(loop->body)->values[k]);
}

int index_of(value_t *const *list, int n, const value_t *v) {
    int k = 0;
    while (k < n && list[k] != v) k++;
    return k;
}

static void mark(func_t *f, const value_t *v) {
    vstate_t *s = state_of(f, v);
    if (s->live) return;
    s->live = true;
    const inst_t *i = v->def;
    if (!i) return;
    mark_around(f, i);
    if (i->op == OP_FOR) {
        int k = index_of(i->results, i->n_results, v);
        if (k == i->n_results) k = index_of(i->body->args, i->body->n_args, v) - 1;
        if (k >= 0) mark_carried(f, i, k);
    } else if (i->op == OP_IF) {
        int k = index_of(i->results, i->n_results, v);
        mark(f, i->operand[0]);
        mark(f, block_yield(i->body)->values[k]);
        mark(f, block_yield(i->otherwise)->values[k]);
    } else {
        mark_operands(f, i);
    }
}

static bool has_effect(const inst_t *i) {
    return i->op == OP_STORE || i->op == OP_PREFETCH || i->op == OP_LAUNCH || i->op == OP_TRACE ||
           i->op == OP_READY || i->op == OP_RETURN;
}

static void mark_effects(func_t *f, const block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        if (has_effect(i)) {
            mark_operands(f, i);
            mark_around(f, i);
        }
        if (i->body) mark_effects(f, i->body);
        if (i->otherwise) mark_effects(f, i->otherwise);
    }
}

bool block_is_needed(const func_t *f, const block_t *b) {
    for (size_t k = 0; k < b->n; k++)
        if (is_needed(f, b->insts[k])) return true;
    return false;
}

bool is_needed(const func_t *f, const inst_t *i) {
    if (has_effect(i)) return true;
    if (i->result) return f->state[i->result->id].live;
    for (int k = 0; k < i->n_results; k++)
        if (f->state[i->results[k]->id].live) return true;
    return (i->body && block_is_needed(f, i->body)) ||
           (i->otherwise && block_is_needed(f, i->otherwise));
}

/* ---- uses ------------------------------------------------------------------------------------ */

typedef struct {
    func_t *f;
    const inst_t *user;
} use_count_t;

static void count_use(void *ctx, const value_t *v) {
    const use_count_t *c = ctx;
    vstate_t *s = state_of(c->f, v);
    s->uses++;
    s->user = c->user;
}

/* Calls use() for every value a live instruction uses but in its index; dead carried values and
 * results are left out. */
void each_operand(func_t *f, const inst_t *i, void (*use)(void *ctx, const value_t *v), void *ctx) {
    const inst_t *parent = i->parent->parent;
    if (is_decided(i)) return;
    for (int k = 0; k < written_operands(f, i); k++) use(ctx, i->operand[k]);
    for (int k = 0; k < i->n_values; k++) {
        if (i->op == OP_FOR && !state_of(f, i->results[k])->live) continue;
        if (i->op == OP_YIELD && !state_of(f, parent->results[k])->live) continue;
        use(ctx, i->values[k]);
    }
}

static void each_use(func_t *f, const inst_t *i, void (*use)(void *, const value_t *), void *ctx) {
    each_operand(f, i, use, ctx);
    for (int d = 0; d < i->n_index; d++)
        for (int k = 0; k < i->index[d].n; k++) use(ctx, i->index[d].term[k].value);
}

static void each_use_of_block(func_t *f, const block_t *b, void (*use)(void *, const value_t *),
                              void *ctx) {
    for (size_t k = 0; k < b->n; k++) each_use_inside(f, b->insts[k], use, ctx);
}

void each_use_inside(func_t *f, const inst_t *i, void (*use)(void *, const value_t *), void *ctx) {
    if (i->op != OP_YIELD && !is_needed(f, i)) return;
    each_use(f, i, use, ctx);
    if (i->body) each_use_of_block(f, i->body, use, ctx);
    if (i->otherwise) each_use_of_block(f, i->otherwise, use, ctx);
}

static void count_uses(func_t *f, const block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        if (i->op != OP_YIELD && !is_needed(f, i)) continue;
        use_count_t c = {f, i};
        each_use(f, i, count_use, &c);
        for (int d = 0; d < i->n_index; d++)
            for (int t = 0; t < i->index[d].n; t++)
                state_of(f, i->index[d].term[t].value)->index_uses++;
        if (i->body) count_uses(f, i->body);
        if (i->otherwise) count_uses(f, i->otherwise);
    }
}

void find_uses(func_t *f) {
    mark_effects(f, f->fn->body);
    count_uses(f, f->fn->body);
}
