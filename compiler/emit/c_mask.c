/* Mask registers. Where the target has them, a comparison that only selects, or meets others that
 * only select, stays a mask; anything else is lanes of -1 and 0. In: a function.
 * Out: state.mask. */
#include "emit/c_int.h"

static void propose(func_t *f, const block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        if (is_comparison(i) || is_logic(i))
            state_of(f, i->result)->mask =
                i->result->type.elem == E_I32 && c_has_masks(f->c->target, i->operand[0]->type);
        if (i->body) propose(f, i->body);
        if (i->otherwise) propose(f, i->otherwise);
    }
}

static bool mask_or_constant(const func_t *f, const value_t *v) {
    if (f->state[v->id].mask) return true;
    return v->def && v->def->op == OP_CONST && (v->def->i == 0 || v->def->i == -1);
}

static bool reject(func_t *f, const value_t *v) {
    bool was = state_of(f, v)->mask;
    state_of(f, v)->mask = false;
    return was;
}

static bool reject_uses(func_t *f, const inst_t *i) {
    bool changed = false;
    if (is_logic(i) && state_of(f, i->result)->mask)
        for (int k = 0; k < 2; k++)
            if (!mask_or_constant(f, i->operand[k])) changed = reject(f, i->result) || changed;
    bool joins = is_logic(i) && state_of(f, i->result)->mask;
    for (int k = 0; k < i->n_operands; k++)
        if (!joins && !(i->op == OP_SELECT && k == 0))
            changed = reject(f, i->operand[k]) || changed;
    for (int k = 0; k < i->n_values; k++) changed = reject(f, i->values[k]) || changed;
    return changed;
}

static bool refine(func_t *f, const block_t *b) {
    bool changed = false;
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        changed = reject_uses(f, i) || changed;
        if (i->body) changed = refine(f, i->body) || changed;
        if (i->otherwise) changed = refine(f, i->otherwise) || changed;
    }
    return changed;
}

void find_masks(func_t *f) {
    propose(f, f->fn->body);
    while (refine(f, f->fn->body)) continue;
}
