/* Statements: values, stores, calls.
 *
 * A value that is used once is written where it is used, when it is short and its operands are
 * still the same there: a load does not move across a store, and nothing moves into a loop. All
 * others are const locals. */
#include <string.h>

#include "emit/c_int.h"

/* Longest expression that is written inside another, by what it is. */
enum { LONG_ACCESS = 72, LONG_SUM = 40 };

static void declare(func_t *f, const value_t *v, const char *base) {
    vstate_t *s = state_of(f, v);
    const char *name = local_name(f, base);
    bool word = ltype_equal(v->type, SCALAR(E_I32)) && !s->mask;
    s->wide = word && s->index_uses > 0 && 2 * s->index_uses >= s->uses;
    put_line(&f->out, f->depth, "const %s %s = %s;", c_local_type(f, v), name, s->e.text);
    s->e = (expr_t){.text = name, .prec = P_PRIMARY};
    s->pending = false;
}

const char *c_local_type(const func_t *f, const value_t *v) {
    return state_of(f, v)->wide ? "int64_t" : c_value_type(f, v);
}

const char *c_value_name(const value_t *v) {
    if (v->name) return v->name;
    return v->def ? default_name(v->def) : "at";
}

bool reads(const expr_t *e, const var_t *var) {
    if (e->crowded) return true;
    for (int i = 0; i < e->n_reads; i++)
        if (e->reads[i] == var) return true;
    return false;
}

/* Writes pending values that must not wait any longer as locals. */
void flush(func_t *f, flush_t which, const var_t *var) {
    size_t kept = 0;
    for (size_t k = 0; k < f->n_pending; k++) {
        const value_t *v = f->pending[k];
        const vstate_t *s = state_of(f, v);
        if (!s->pending) continue;
        bool now = which == FLUSH_ALL || (which == FLUSH_LOADS && s->e.loads) ||
                   (which == FLUSH_READERS && reads(&s->e, var));
        if (now) declare(f, v, c_value_name(v));
        else f->pending[kept++] = v;
    }
    f->n_pending = kept;
}

void flush_all(func_t *f) {
    flush(f, FLUSH_ALL, NULL);
}

/* Whether a value may wait to be written inside the expression that uses it. */
static bool may_wait(const func_t *f, const inst_t *i, const expr_t *e) {
    const vstate_t *s = &f->state[i->result->id];
    if (s->uses != 1 || i->result->name || s->user->parent != i->parent) return false;
    if (s->user->op == OP_EXTRACT || e->crowded) return false;
    bool last = s->user->op == OP_STORE || s->user->op == OP_RETURN || s->user->op == OP_YIELD;
    switch (i->op) {
    case OP_FMA:
    case OP_DOT2:
    case OP_DOT4:
    case OP_SELECT:
    case OP_SHUFFLE:
    case OP_SQRT:
    case OP_CALL:
    case OP_MIN:
    case OP_MAX: return last && strlen(e->text) <= LONG_ACCESS;
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE: return strlen(e->text) <= LONG_ACCESS;
    case OP_LOAD:
    case OP_BROADCAST:
    case OP_CONVERT:
    case OP_INDEX:
    case OP_BITCAST: return strlen(e->text) <= LONG_ACCESS;
    default: return strlen(e->text) <= (last ? LONG_ACCESS : LONG_SUM);
    }
}

void put_value(func_t *f, const inst_t *i) {
    const value_t *v = i->op == OP_CALL ? i->results[0] : i->result;
    vstate_t *s = state_of(f, v);
    if (i->op == OP_CONST) return; /* take() writes it */
    s->e = expr_of(f, i);
    if (s->update) {
        flush(f, FLUSH_READERS, s->update);
        put_line(&f->out, f->depth, "%s = %s;", s->update->name, s->e.text);
        s->e = (expr_t){.text = s->update->name, .prec = P_PRIMARY};
    } else if (i->op != OP_CALL && may_wait(f, i, &s->e)) {
        s->pending = true;
        ARENA_PUSH(f->c->arena, f->pending, f->n_pending, f->cap_pending) = v;
    } else {
        declare(f, v, c_value_name(v));
    }
}

void put_store(func_t *f, const inst_t *i) {
    expr_t e = {0};
    arena_t *a = f->c->arena;
    ltype_t t = i->operand[0]->type;
    const char *x = take_text(f, i->operand[0], P_COND, &e);
    const char *to = t.lanes == 1 ? element(f, i, &e) : pointer(f, i, &e);
    flush(f, FLUSH_LOADS, NULL);
    if (t.lanes == 1) put_line(&f->out, f->depth, "%s = %s;", to, x);
    else
        put_line(&f->out, f->depth, "%s;",
                 arena_printf(a, "%s(%s, %s)", c_helper(f->c, H_STORE, t), to, x));
}

void put_prefetch(func_t *f, const inst_t *i) {
    expr_t e = {0};
    const char *name = c_helper(f->c, H_PREFETCH, SCALAR(E_F32));
    put_line(&f->out, f->depth, "%s(%s);", name, pointer(f, i, &e));
}

/* Several results: the callee writes through pointers. */
void put_call(func_t *f, const inst_t *i) {
    expr_t e = {0};
    const char *args = "";
    for (int k = 0; k < i->n_values; k++)
        args = arena_printf(f->c->arena, "%s%s, ", args, take_text(f, i->values[k], P_COND, &e));
    for (int k = 0; k < i->n_results; k++) {
        const value_t *v = i->results[k];
        const char *name = local_name(f, c_value_name(v));
        put_line(&f->out, f->depth, "%s %s;", c_type(f->c, v->type), name);
        state_of(f, v)->e = (expr_t){.text = name, .prec = P_PRIMARY};
        args = arena_printf(f->c->arena, "%s&%s%s", args, name, k + 1 < i->n_results ? ", " : "");
    }
    put_line(&f->out, f->depth, "%s(%s);", c_func_name(f->c, i->callee), args);
}

void put_return(func_t *f, const inst_t *i) {
    expr_t e = {0};
    for (int k = 0; k < i->n_values; k++) {
        const char *x = take_text(f, i->values[k], P_COND, &e);
        if (i->n_values == 1) put_line(&f->out, f->depth, "return %s;", x);
        else put_line(&f->out, f->depth, "*result_%d = %s;", k, x);
    }
}
