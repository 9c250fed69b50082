/* The schedule, counted: which launches one forward makes, and how often. (streams.c:
 * over which memory.)
 *
 * In: a module that passes have run on. Out: every launch of the entry with the number of times it
 * runs; the cost of the whole. The entry is walked as a program: what literals, loop variables and
 * tables decide (is this layer local or LSH?) is decided, and of a branch that an input decides the
 * likely side counts, else the dearer one. */
#include <string.h>

#include "loops/arith.h"

/* ---- launches -------------------------------------------------------------------------------- */

/* Launches of one kernel cost the same, in however many layers. */
typedef struct {
    arena_t *arena;
    struct {
        const lfunc_t *f;
        cost_t cost;
    } * kernels;
    size_t n, cap;
} costs_t;

typedef struct {
    const module_t *m;
    int64_t units;
    launch_fn *fn;
    void *ctx;
    int64_t *known; /* [n_values] of integers that need no input */
    bool *is_known; /* [n_values] */
    costs_t *costs;
} schedule_walk_t;

static void walk(schedule_walk_t *w, const block_t *b, int64_t times);

static bool eval_affine(const schedule_walk_t *w, const affine_t *a, int64_t *x) {
    *x = dim_at(a->base, w->units);
    for (int k = 0; k < a->n; k++) {
        int id = a->term[k].value->id;
        if (!w->is_known[id]) return false;
        *x += w->known[id] * dim_at(a->term[k].coef, w->units);
    }
    return true;
}

/* Of two integers that are known: whether they compare so. */
static bool eval_compare(const schedule_walk_t *w, const inst_t *i, int64_t *x) {
    if (i->op < OP_EQ || i->op > OP_GE || elem_is_float(i->operand[0]->type.elem)) return false;
    int a = i->operand[0]->id, b = i->operand[1]->id;
    int64_t p = w->known[a], q = w->known[b];
    *x = compare_op(i->op, p<q, p == q, p> q);
    return w->is_known[a] && w->is_known[b];
}

/* What conditions of a schedule are made of; all else counts as unknown. */
static void eval(schedule_walk_t *w, const inst_t *i) {
    if (!i->result) return;
    int64_t x = 0, at = 0;
    bool ok = false;
    if (i->op == OP_CONST && !elem_is_float(i->result->type.elem)) {
        x = i->i;
        ok = true;
    } else if (i->op == OP_INDEX) {
        ok = eval_affine(w, i->index, &x);
    } else if (i->op == OP_IREM && w->is_known[i->operand[0]->id]) {
        x = w->known[i->operand[0]->id] % dim_at(i->d, w->units);
        ok = true;
    } else if (i->op == OP_LOAD && i->buffer->kind == BUF_TABLE && i->n_index == 1) {
        ok = eval_affine(w, i->index, &at);
        if (ok) x = i->buffer->data[at];
    } else {
        ok = eval_compare(w, i, &x);
    }
    w->known[i->result->id] = x;
    w->is_known[i->result->id] = ok;
}

static void find_if(void *ctx, inst_t *i) {
    *(bool *)ctx |= i->op == OP_IF;
}

/* Rounds differ only where something is decided. */
static void walk_loop(schedule_walk_t *w, const inst_t *i, int64_t times) {
    int64_t from = dim_at(i->d, w->units), to = dim_at(i->e, w->units);
    bool decides = false;
    walk_block(i->body, find_if, &decides);
    int var = i->body->args[0]->id;
    w->is_known[var] = decides;
    for (int k = 1; k < i->body->n_args; k++) w->is_known[i->body->args[k]->id] = false;
    if (!decides && to > from) walk(w, i->body, times * (to - from));
    for (int64_t x = from; decides && x < to; x++) {
        w->known[var] = x;
        walk(w, i->body, times);
    }
}

typedef struct {
    const module_t *m;
    int64_t units;
    costs_t *costs;
    cost_t sum;
} cost_total_t;

static cost_t cost_once(costs_t *c, const module_t *m, const lfunc_t *f, int64_t units) {
    for (size_t k = 0; k < c->n; k++)
        if (c->kernels[k].f == f) return c->kernels[k].cost;
    cost_t cost = loops_kernel_cost(m, f, units);
    ARENA_PUSH(c->arena, c->kernels, c->n, c->cap).f = f;
    c->kernels[c->n - 1].cost = cost;
    return cost;
}

static void add_launch(void *ctx, const inst_t *launch, int64_t times) {
    cost_total_t *t = ctx;
    cost_t c = cost_once(t->costs, t->m, launch->callee, t->units);
    cost_add(&t->sum, &c, (double)times);
}

static double flops_of(const schedule_walk_t *w, const block_t *b) {
    cost_total_t t = {.m = w->m, .units = w->units, .costs = w->costs};
    schedule_walk_t counts = *w;
    counts.fn = add_launch;
    counts.ctx = &t;
    walk(&counts, b, 1);
    return t.sum.flops;
}

static void walk_if(schedule_walk_t *w, const inst_t *i, int64_t times) {
    int id = i->operand[0]->id;
    bool taken = w->is_known[id] ? w->known[id] != 0
                                 : i->likely || flops_of(w, i->body) >= flops_of(w, i->otherwise);
    walk(w, taken ? i->body : i->otherwise, times);
}

static void walk(schedule_walk_t *w, const block_t *b, int64_t times) {
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        for (int r = 0; r < i->n_results; r++) w->is_known[i->results[r]->id] = false;
        switch (i->op) {
        case OP_FOR: walk_loop(w, i, times); break;
        case OP_IF: walk_if(w, i, times); break;
        case OP_LAUNCH: w->fn(w->ctx, i, times); break;
        default: eval(w, i);
        }
    }
}

void loops_schedule(const module_t *m, int64_t units, launch_fn *fn, void *ctx) {
    const lfunc_t *entry = module_entry(m);
    if (!entry) return;
    arena_t *scratch = arena_new();
    costs_t costs = {.arena = scratch};
    schedule_walk_t w = {
        .m = m, .units = m->units.max ? units : 0, .fn = fn, .ctx = ctx, .costs = &costs};
    w.known = ARENA_ARRAY(scratch, int64_t, entry->n_values + 1);
    w.is_known = ARENA_ARRAY(scratch, bool, entry->n_values + 1);
    walk(&w, entry->body, 1);
    arena_free(scratch);
}

cost_t loops_cost(const module_t *m, int64_t units) {
    arena_t *scratch = arena_new();
    costs_t costs = {.arena = scratch};
    cost_total_t t = {.m = m, .units = units, .costs = &costs};
    loops_schedule(m, units, add_launch, &t);
    arena_free(scratch);
    return t.sum;
}
