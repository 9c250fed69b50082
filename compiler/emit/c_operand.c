/* Operands: values that are written already, or wait to be written where they
 * are used; constants. */
#include "emit/c_int.h"

static expr_t constant(func_t *f, const inst_t *i) {
    ltype_t t = i->result->type;
    arena_t *a = f->c->arena;
    expr_t e = {.prec = P_PRIMARY};
    bool real = elem_is_float(t.elem);
    e.text = real ? c_float(a, t.elem, i->f) : c_integer(a, t.elem, i->i);
    if (t.lanes > 1) e.text = arena_printf(a, "%s(%s)", c_helper(f->c, H_SPLAT, t), e.text);
    else if (*e.text == '-') e.prec = P_UNARY;
    return e;
}

expr_t take(func_t *f, const value_t *v) {
    vstate_t *s = state_of(f, v);
    if (v->def && v->def->op == OP_CONST) return constant(f, v->def);
    if (!s->e.text) bug("%s: value %d is written after its use", f->fn->name, v->id);
    s->pending = false;
    return s->e;
}

void add_reads(expr_t *e, const expr_t *of) {
    e->loads = e->loads || of->loads;
    e->crowded = e->crowded || of->crowded;
    for (int i = 0; i < of->n_reads; i++) {
        if (e->n_reads < MAX_READS) e->reads[e->n_reads++] = of->reads[i];
        else e->crowded = true;
    }
}

const char *bracket(func_t *f, const char *text, prec_t prec, prec_t at_least) {
    return prec >= at_least ? text : arena_printf(f->c->arena, "(%s)", text);
}

const char *take_text(func_t *f, const value_t *v, prec_t at_least, expr_t *e) {
    expr_t x = take(f, v);
    add_reads(e, &x);
    if (!state_of(f, v)->wide) return bracket(f, x.text, x.prec, at_least);
    return bracket(f, arena_printf(f->c->arena, "(int32_t)%s", x.text), P_UNARY, at_least);
}

/* As an operand of int64_t arithmetic: C promotes what stands beside one. */
const char *take_wide(func_t *f, const value_t *v, prec_t at_least, bool promoted, expr_t *e) {
    expr_t x = take(f, v);
    add_reads(e, &x);
    if (v->type.elem == E_I64 || state_of(f, v)->wide || (promoted && x.prec >= at_least))
        return bracket(f, x.text, x.prec, at_least);
    return arena_printf(f->c->arena, "(int64_t)%s", bracket(f, x.text, x.prec, P_UNARY));
}

const char *operand(func_t *f, const inst_t *i, int k, prec_t at_least, expr_t *e) {
    return take_text(f, i->operand[k], at_least, e);
}

/* Function arguments bind loosest: no parentheses. */
const char *arguments(func_t *f, int n, value_t *const *v, expr_t *e) {
    const char *text = "";
    for (int k = 0; k < n; k++)
        text =
            arena_printf(f->c->arena, "%s%s%s", text, k ? ", " : "", take_text(f, v[k], P_COND, e));
    return text;
}

const char *c_value_type(const func_t *f, const value_t *v) {
    return f->state[v->id].mask ? c_mask_type(v->type) : c_type(f->c, v->type);
}
