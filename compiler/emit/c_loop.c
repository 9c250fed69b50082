/* Loops, and what they carry.
 *
 * A carried value is a mutable local; where its next value is computed and the old one is not used
 * any more, it is updated on the spot (acc = fma(a, b, acc)), else at the end of the body, as one
 * parallel copy. */
#include <math.h>
#include <string.h>

#include "emit/c_int.h"

typedef struct {
    func_t *f;
    const inst_t *loop;
    int at;
} last_t;

static void see_last(void *ctx, const value_t *v) {
    const last_t *l = ctx;
    vstate_t *s = state_of(l->f, v);
    if (v->def != l->loop) return;
    s->at_last = s->last_at == l->at ? s->at_last + 1 : 1;
    s->last_at = l->at;
}

/* Fills last_at and at_last of a loop's arguments. */
static void find_last_uses(func_t *f, const inst_t *loop) {
    for (int k = 0; k < loop->body->n_args; k++) state_of(f, loop->body->args[k])->last_at = -1;
    last_t l = {f, loop, 0};
    for (size_t k = 0; k < loop->body->n; k++) {
        l.at = (int)k;
        each_use_inside(f, loop->body->insts[k], see_last, &l);
    }
}

static int place_in(const block_t *b, const inst_t *i) {
    int k = 0;
    while (b->insts[k] != i) k++;
    return k;
}

/* A plain value that becomes carried value k next: may it be assigned where it is defined? */
static bool updates_in_place(func_t *f, const inst_t *loop, const inst_t *yield, int k) {
    const value_t *next = yield->values[k], *arg = loop->body->args[k + 1];
    const inst_t *def = next->def;
    if (!def || def->parent != loop->body || def->op == OP_CONST) return false;
    if (def->result != next && !(def->op == OP_CALL && def->n_results == 1)) return false;
    return state_of(f, arg)->last_at <= place_in(loop->body, def);
}

/* The loop of the same block that goes on with result k, which nobody else looks at; *k is the
 * carried value there. NULL: there is none. */
static const inst_t *next_loop(const func_t *f, const inst_t *loop, int *k) {
    const value_t *result = loop->results[*k];
    const vstate_t *s = state_of(f, result);
    if (s->uses != 1 || s->user->op != OP_FOR || s->user->parent != loop->parent) return NULL;
    *k = index_of(s->user->values, s->user->n_values, result);
    return s->user;
}

/* Where the enclosing loop's carried value becomes ours and comes back as its next value, through
 * loops behind this one or not, and nobody else looks at it: one variable serves all. */
static const var_t *outer_variable(const func_t *f, const inst_t *loop, int k) {
    const inst_t *outer = loop->parent->parent;
    const value_t *init = loop->values[k];
    if (!outer || outer->op != OP_FOR || init->def != outer) return NULL;
    int j = index_of(outer->body->args, outer->body->n_args, init) - 1, m = k;
    const inst_t *yield = block_yield(outer->body), *last = loop;
    for (const inst_t *n = loop; n; n = next_loop(f, n, &m)) last = n;
    if (j < 0 || j >= outer->n_results || !yield || yield->values[j] != last->results[m])
        return NULL;
    const vstate_t *s = state_of(f, init);
    return s->last_at == place_in(outer->body, loop) && s->at_last == 1 ? s->var : NULL;
}

/* The variable of a loop that this one goes on from. */
static const var_t *earlier_variable(const func_t *f, const inst_t *loop, int k) {
    const value_t *init = loop->values[k];
    const inst_t *from = init->def;
    if (!from || from->op != OP_FOR || from->parent != loop->parent) return NULL;
    int j = index_of(from->results, from->n_results, init);
    if (j == from->n_results || state_of(f, init)->uses != 1) return NULL;
    return state_of(f, from->body->args[j + 1])->var;
}

/* NULL: there is none; a function does not see those of another one. */
static const var_t *shared_variable(const func_t *f, const inst_t *loop, int k) {
    const var_t *var = outer_variable(f, loop, k);
    if (!var) var = earlier_variable(f, loop, k);
    return var && var->inside == f->inside ? var : NULL;
}

/* What a carried value is called: by itself, by its result, or as where its result goes. */
static const char *carried_name(const func_t *f, const inst_t *loop, int k) {
    const value_t *arg = loop->body->args[k + 1], *result = loop->results[k];
    if (arg->name) return arg->name;
    if (result->name) return result->name;
    const vstate_t *s = state_of(f, result);
    const inst_t *outer = loop->parent->parent, *next = next_loop(f, loop, &k);
    if (next) return carried_name(f, next, k);
    bool passed = s->uses == 1 && s->user->op == OP_YIELD && s->user->parent == loop->parent;
    if (passed && outer->op == OP_FOR)
        return carried_name(f, outer, index_of(s->user->values, s->user->n_values, result));
    return carried_default(block_yield(loop->body)->values[k]);
}

static const var_t *variable_of(func_t *f, const inst_t *loop, int k, bool *made) {
    const var_t *var = shared_variable(f, loop, k);
    *made = !var;
    if (!var) {
        var_t *new = ARENA_NEW(f->c->arena, var_t);
        *new = (var_t){local_name(f, carried_name(f, loop, k)), f->inside};
        var = new;
    }
    state_of(f, loop->body->args[k + 1])->var = var;
    return var;
}

const var_t *carried_variable(func_t *f, const inst_t *loop, const value_t *result, bool *made) {
    return variable_of(f, loop, index_of(loop->results, loop->n_results, result), made);
}

static bool carried_live(const func_t *f, const inst_t *loop, int k) {
    return f->state[loop->results[k]->id].live;
}

static bool is_zero(const value_t *v) {
    const inst_t *i = v->def;
    if (!i || i->op != OP_CONST) return false;
    return elem_is_float(v->type.elem) ? i->f == 0 && !signbit(i->f) : i->i == 0;
}

/* f32x8 sum = {0}, most = splat_f32x8(-1.0f); : those of one type together, until done() */
typedef struct {
    func_t *f;
    ltype_t type;
    sbuf_t text;
} declaration_t;

static void end_declaration(declaration_t *d) {
    if (d->text.size) put_line(&d->f->out, d->f->depth, "%s;", d->text.data);
    sbuf_free(&d->text);
    d->text = (sbuf_t){0};
}

static void declare_carried(declaration_t *d, const char *name, const value_t *init,
                            const char *text) {
    if (!ltype_equal(d->type, init->type)) end_declaration(d);
    d->type = init->type;
    if (d->text.size) sbuf_puts(&d->text, ", ");
    else sbuf_printf(&d->text, "%s ", c_type(d->f->c, init->type));
    sbuf_printf(&d->text, "%s = %s", name, text);
}

static const char *initial_text(func_t *f, const value_t *v) {
    expr_t e = {0};
    return v->type.lanes > 1 && is_zero(v) ? "{0}" : take_text(f, v, P_COND, &e);
}

/* Gives every live carried value its variable, with the initial value in it. */
static void open_carried(func_t *f, const inst_t *loop) {
    int n = loop->n_results;
    const char **init = ARENA_ARRAY(f->c->arena, const char *, n + 1);
    declaration_t made = {.f = f};
    for (int k = 0; k < n; k++)
        if (carried_live(f, loop, k)) init[k] = initial_text(f, loop->values[k]);
    flush(f, FLUSH_ALL, NULL);
    for (int k = 0; k < n; k++) {
        const value_t *arg = loop->body->args[k + 1], *result = loop->results[k];
        if (!carried_live(f, loop, k)) continue;
        bool is_new;
        const var_t *var = variable_of(f, loop, k, &is_new);
        if (is_new) declare_carried(&made, var->name, loop->values[k], init[k]);
        vstate_t *s = state_of(f, arg);
        s->e = (expr_t){.text = var->name, .prec = P_PRIMARY, .n_reads = 1, .reads = {var}};
        state_of(f, result)->e = (expr_t){.text = var->name, .prec = P_PRIMARY};
    }
    end_declaration(&made);
}

/* ---- what a body yields: one parallel copy --------------------------------------------------- */

typedef struct {
    const char *to, *type;
    const var_t *var;
    expr_t from;
    bool done;
} assignment_t;

static bool is_read(const assignment_t *m, int n, int by_others_than) {
    for (int k = 0; k < n; k++)
        if (k != by_others_than && !m[k].done && reads(&m[k].from, m[by_others_than].var))
            return true;
    return false;
}

/* A cycle: one source is kept in a local first. */
static void break_cycle(func_t *f, assignment_t *m, int n) {
    int k = 0;
    while (m[k].done) k++;
    (void)n;
    const char *name = local_name(f, "next");
    put_line(&f->out, f->depth, "const %s %s = %s;", m[k].type, name, m[k].from.text);
    m[k].from = (expr_t){.text = name, .prec = P_PRIMARY};
}

static void put_moves(func_t *f, assignment_t *m, int n) {
    int left = 0;
    for (int k = 0; k < n; k++) {
        m[k].done = strcmp(m[k].to, m[k].from.text) == 0;
        left += !m[k].done;
    }
    while (left > 0) {
        int before = left;
        for (int k = 0; k < n; k++) {
            if (m[k].done || is_read(m, n, k)) continue;
            put_line(&f->out, f->depth, "%s = %s;", m[k].to, m[k].from.text);
            m[k].done = true;
            left--;
        }
        if (left == before) break_cycle(f, m, n);
    }
}

void put_yield(func_t *f, const block_t *b, const var_t *const *vars) {
    const inst_t *yield = block_yield(b);
    if (!yield) return;
    assignment_t *m = ARENA_ARRAY(f->c->arena, assignment_t, yield->n_values + 1);
    int n = 0;
    for (int k = 0; k < yield->n_values; k++) {
        if (!vars[k]) continue;
        const value_t *v = yield->values[k];
        m[n] = (assignment_t){.to = vars[k]->name, .type = c_type(f->c, v->type), .var = vars[k]};
        m[n].from.text = take_text(f, v, P_COND, &m[n].from);
        n++;
    }
    put_moves(f, m, n);
}

void put_loop(func_t *f, const inst_t *loop) {
    arena_t *a = f->c->arena;
    find_last_uses(f, loop);
    open_carried(f, loop);
    const inst_t *yield = block_yield(loop->body);
    const var_t **vars = ARENA_ARRAY(a, const var_t *, loop->n_results + 1);
    for (int k = 0; k < loop->n_results; k++) {
        if (!carried_live(f, loop, k)) continue;
        vars[k] = state_of(f, loop->body->args[k + 1])->var;
        if (updates_in_place(f, loop, yield, k)) state_of(f, yield->values[k])->update = vars[k];
    }
    size_t scope = names_enter(f->names);
    const value_t *var = loop_var(loop);
    const char *i = local_name(f, var->name ? var->name : "i");
    state_of(f, var)->e = (expr_t){.text = i, .prec = P_PRIMARY};
    if (!dim_literal(loop->d) || !dim_literal(loop->e)) f->uses_units = true;
    put_line(&f->out, f->depth, "for (int64_t %s = %s; %s < %s; %s++) {", i, c_dim(a, loop->d), i,
             c_dim(a, loop->e), i);
    f->depth++;
    put_block(f, loop->body);
    put_yield(f, loop->body, vars);
    flush(f, FLUSH_ALL, NULL);
    f->depth--;
    put_line(&f->out, f->depth, "}");
    names_leave(f->names, scope);
}
