/* Order: pure instructions and loads stand where the first instruction with an
 * effect asks for them.
 *
 * The lowering builds expressions as nested calls, and C leaves the order of evaluating arguments
 * to the compiler that reformerc is built with; the text we write must not depend on it. What has
 * an effect or a block of its own (an anchor) keeps its place. Between two anchors everything else
 * is sorted by demand: operands first, left to right, as a depth-first walk from the anchors meets
 * them. Loads never cross an anchor, so no store. Values are numbered anew in
 * the order of the text. */
#include <stdlib.h>

#include "loops/rules.h"

typedef struct {
    inst_t *inst;
    bool operands_done;
} visit_t;

typedef struct {
    arena_t *arena;
    int *rank; /* [n_values] by an instruction's first result; 0: nobody asked yet */
    int next;
    const block_t *block;
    visit_t *stack;
    size_t depth, cap;
} ordering_t;

static const value_t *first_result(const inst_t *i) {
    if (i->result) return i->result;
    return i->n_results > 0 ? i->results[0] : NULL;
}

static bool is_anchor(const inst_t *i) {
    if (i->body || !first_result(i)) return true;
    switch (i->op) {
    case OP_STORE:
    case OP_PREFETCH:
    case OP_YIELD:
    case OP_RETURN:
    case OP_LAUNCH:
    case OP_TRACE:
    case OP_READY:
    case OP_COMMENT: return true;
    default: return false;
    }
}

static void push(ordering_t *o, inst_t *i, bool operands_done) {
    ARENA_PUSH(o->arena, o->stack, o->depth, o->cap) = (visit_t){i, operands_done};
}

/* Uses arrive left to right; the stack takes them that way and is turned round by demand(). */
static void push_use(void *ctx, value_t **use) {
    ordering_t *o = ctx;
    inst_t *def = (*use)->def;
    if (def && def->parent == o->block && !is_anchor(def) && !o->rank[first_result(def)->id])
        push(o, def, false);
}

static void push_uses(void *ctx, inst_t *i) {
    walk_uses(i, push_use, ctx);
}

static void demand(ordering_t *o, inst_t *i) {
    size_t from = o->depth;
    push_uses(o, i);
    if (i->body) walk_block(i->body, push_uses, o);
    if (i->otherwise) walk_block(i->otherwise, push_uses, o);
    for (size_t a = from, b = o->depth; a + 1 < b; a++, b--) {
        visit_t t = o->stack[a];
        o->stack[a] = o->stack[b - 1];
        o->stack[b - 1] = t;
    }
}

static void rank_block(ordering_t *o, block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        if (!is_anchor(b->insts[k])) continue;
        demand(o, b->insts[k]);
        while (o->depth > 0) {
            visit_t v = o->stack[--o->depth];
            int *rank = &o->rank[first_result(v.inst)->id];
            if (*rank) continue;
            if (v.operands_done) {
                *rank = o->next++;
            } else {
                push(o, v.inst, true);
                demand(o, v.inst);
            }
        }
    }
}

typedef struct {
    inst_t *inst;
    int rank;
    size_t at;
} ranked_t;

static int by_rank(const void *pa, const void *pb) {
    const ranked_t *a = pa, *b = pb;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Sorts the instructions between two anchors; what nobody asks for comes last, as it stood. */
static void sort_segment(ordering_t *o, inst_t **insts, size_t n) {
    if (n < 2) return;
    ranked_t *places = ARENA_ARRAY(o->arena, ranked_t, n);
    for (size_t k = 0; k < n; k++) {
        int rank = o->rank[first_result(insts[k])->id];
        places[k] = (ranked_t){insts[k], rank ? rank : o->next, k};
    }
    qsort(places, n, sizeof *places, by_rank);
    for (size_t k = 0; k < n; k++) insts[k] = places[k].inst;
}

/* Inner blocks first: the order of their uses decides here. */
static void order_block(ordering_t *o, block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        if (b->insts[k]->body) order_block(o, b->insts[k]->body);
        if (b->insts[k]->otherwise) order_block(o, b->insts[k]->otherwise);
    }
    o->block = b;
    rank_block(o, b);
    size_t from = 0;
    for (size_t k = 0; k <= b->n; k++) {
        if (k < b->n && !is_anchor(b->insts[k])) continue;
        if (k > from) sort_segment(o, b->insts + from, k - from);
        from = k + 1;
    }
}

static void number_block(lfunc_t *f, block_t *b) {
    for (int k = 0; k < b->n_args; k++) b->args[k]->id = f->n_values++;
    for (size_t k = 0; k < b->n; k++) {
        inst_t *i = b->insts[k];
        if (i->result) i->result->id = f->n_values++;
        for (int r = 0; r < i->n_results; r++) i->results[r]->id = f->n_values++;
        if (i->body) number_block(f, i->body);
        if (i->otherwise) number_block(f, i->otherwise);
    }
}

static void number(lfunc_t *f) {
    f->n_values = 0;
    for (int k = 0; k < f->n_params; k++) f->params[k]->id = f->n_values++;
    for (int k = 0; k < f->n_tasks; k++) f->task[k]->id = f->n_values++;
    number_block(f, f->body);
}

void pass_order(module_t *m) {
    for (size_t k = 0; k < m->n_funcs; k++) {
        lfunc_t *f = m->funcs[k];
        ordering_t o = {.arena = arena_new(), .next = 1};
        o.rank = ARENA_ARRAY(o.arena, int, f->n_values + 1);
        order_block(&o, f->body);
        arena_free(o.arena);
        number(f);
    }
}
