/* What parts need from around them. In: a part's instructions. Out: its parameters: pointers to
 * buffers, pointers into them, values. */
#include "emit/c_part.h"

bool is_within(const block_t *b, const inst_t *i, const c_cut_t *p) {
    while (b && b != p->block) {
        i = b->parent;
        b = i ? i->parent : NULL;
    }
    if (!b || p->to == 0) return b != NULL;
    for (size_t k = p->from; k < p->to; k++)
        if (b->insts[k] == i) return true;
    return false;
}

bool base_is_within(const base_t *base, const c_cut_t *p) {
    const block_t *b = base->block;
    return is_within(b, base->at < b->n ? b->insts[base->at] : NULL, p);
}

typedef struct {
    func_t *f;
    c_cut_t *part;
} need_t;

static void join(param_t *y, const param_t *x) {
    y->written = y->written || x->written;
    y->shifts = y->shifts && x->shifts;
    if (x->shift < y->shift) y->shift = x->shift;
}

static void add_param(func_t *f, c_cut_t *p, param_t x) {
    for (size_t k = 0; k < p->n; k++) {
        param_t *y = &p->params[k];
        if (x.value != y->value || x.buffer != y->buffer || x.base != y->base) continue;
        join(y, &x);
        return;
    }
    ARENA_PUSH(f->c->arena, p->params, p->n, p->cap) = x;
}

bool is_argument(const value_t *v) {
    const inst_t *i = v->def;
    return i->op == OP_FOR && index_of(i->body->args, i->body->n_args, v) < i->body->n_args;
}

static void need_value(void *ctx, const value_t *v) {
    const need_t *need = ctx;
    const inst_t *i = v->def;
    bool argument = i && is_argument(v);
    const block_t *of = !i ? NULL : argument ? i->body : i->parent;
    if (i && (i->op == OP_CONST || is_within(of, argument ? NULL : i, need->part))) return;
    add_param(need->f, need->part, (param_t){.value = v});
}

static void need_terms(need_t *need, const buffer_t *b, const affine_t *index) {
    for (int d = 0; d < (b ? b->rank : 1); d++)
        for (int k = 0; k < index[d].n; k++) need_value(need, index[d].term[k].value);
}

/* Nothing is subtracted: what points to the least constant that is added points into the buffer. */
static bool only_adds(const buffer_t *b, const affine_t *index) {
    for (int d = 0; d < b->rank; d++)
        for (int k = 0; k < index[d].n; k++) {
            const value_t *v = index[d].term[k].value;
            dim_t coef = index[d].term[k].coef;
            if (!v->bounded || !dim_literal(v->lo) || v->lo.c < 0 || coef.c < 0 || coef.u < 0)
                return false;
        }
    return true;
}

/* Through bases that are declared inside, which take the move over. */
static void need_address(need_t *need, const address_t *x, param_t pointer) {
    func_t *f = need->f;
    const buffer_t *b = address_buffer(x);
    base_t *base = address_from(x);
    affine_t rest[MAX_RANK];
    address_rest(f, x, rest);
    need_terms(need, b, rest);
    pointer.shifts = pointer.shifts && only_adds(b, rest);
    if (base && base_is_within(base, need->part)) {
        need_address(need, base->address, pointer);
        return;
    }
    if (base) pointer.base = base;
    else pointer.buffer = b;
    if (b->kind != BUF_TABLE || base) add_param(f, need->part, pointer);
}

static void need_inst(need_t *need, const inst_t *i) {
    const address_t *x = i->buffer && i->n_index ? address_of(need->f, i) : NULL;
    if (i->op == OP_TRACE) { /* from its first element */
        if (i->buffer->kind != BUF_TABLE)
            add_param(need->f, need->part, (param_t){.buffer = i->buffer});
    } else if (i->buffer && i->op != OP_READY) {
        dim_t constant = flat_constant(i->buffer, i->index);
        param_t pointer = {.written = i->op == OP_STORE, .buffer = x ? NULL : i->buffer};
        pointer.shifts = dim_literal(constant) && constant.c >= 0;
        pointer.shift = constant.c;
        if (x) need_address(need, x, pointer);
        else if (i->buffer->kind != BUF_TABLE) add_param(need->f, need->part, pointer);
    }
    if (!x && i->n_index) need_terms(need, i->buffer, i->index);
    each_operand(need->f, i, need_value, need);
}

static void need_insts(need_t *need, const block_t *b, size_t from, size_t to) {
    for (size_t k = from; k < to; k++) {
        const inst_t *i = b->insts[k];
        if (i->op != OP_YIELD && !is_needed(need->f, i)) continue;
        need_inst(need, i);
        if (i->body) need_insts(need, i->body, 0, i->body->n);
        if (i->otherwise) need_insts(need, i->otherwise, 0, i->otherwise->n);
    }
}

static int kind_of(const param_t *x) {
    return x->value ? 2 : x->base ? 1 : 0;
}

/* Buffers first, then pointers into them, then values. */
void find_params(func_t *f, c_cut_t *p) {
    need_t need = {f, p};
    need_insts(&need, p->block, p->from, p->to ? p->to : p->block->n);
    for (size_t k = 1; k < p->n; k++)
        for (size_t m = k; m > 0 && kind_of(&p->params[m - 1]) > kind_of(&p->params[m]); m--) {
            param_t x = p->params[m];
            p->params[m] = p->params[m - 1];
            p->params[m - 1] = x;
        }
}
