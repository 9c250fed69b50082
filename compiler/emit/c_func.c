/* Functions and kernels of a module → C functions.
 *
 * A value that is used once is written where it is used, when it is short and its operands are still
 * the same there: a load does not move across a store, and nothing moves into a loop. All others are
 * const locals. A carried value is a mutable local; where its next value is computed and the old one
 * is not used any more, it is updated on the spot (acc = fma(a, b, acc)), else at the end of the body,
 * as one parallel copy. */
#include <math.h>
#include <string.h>

#include "emit/c_int.h"

/* Longest expression that is written inside another, by what it is. */
enum { LONG_ACCESS = 72, LONG_SUM = 40 };

/* ---- statements ------------------------------------------------------------------------------------------ */

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

typedef enum { FLUSH_ALL, FLUSH_LOADS, FLUSH_READERS } flush_t;

static bool reads(const expr_t *e, const var_t *var) {
    if (e->crowded) return true;
    for (int i = 0; i < e->n_reads; i++)
        if (e->reads[i] == var) return true;
    return false;
}

/* Writes pending values that must not wait any longer as locals. */
static void flush(func_t *f, flush_t which, const var_t *var) {
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

static void put_value(func_t *f, const inst_t *i) {
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

static void put_store(func_t *f, const inst_t *i) {
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

static void put_prefetch(func_t *f, const inst_t *i) {
    expr_t e = {0};
    const char *name = c_helper(f->c, H_PREFETCH, SCALAR(E_F32));
    put_line(&f->out, f->depth, "%s(%s);", name, pointer(f, i, &e));
}

/* Several results: the callee writes through pointers. */
static void put_call(func_t *f, const inst_t *i) {
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

static void put_return(func_t *f, const inst_t *i) {
    expr_t e = {0};
    for (int k = 0; k < i->n_values; k++) {
        const char *x = take_text(f, i->values[k], P_COND, &e);
        if (i->n_values == 1) put_line(&f->out, f->depth, "return %s;", x);
        else put_line(&f->out, f->depth, "*result_%d = %s;", k, x);
    }
}

/* ---- the schedule -------------------------------------------------------------------------------------- */

static const char *dim_product(func_t *f, const dim_t *d, int from, int to) {
    dim_t known = dim(1);
    const char *text = NULL;
    for (int k = from; k < to; k++) {
        if (dim_literal(d[k]) || dim_literal(known)) {
            known = dim_literal(d[k]) ? dim_scale(known, d[k].c) : dim_scale(d[k], known.c);
            continue;
        }
        text = arena_printf(f->c->arena, "%s%s(%s)", text ? text : "", text ? " * " : "",
                            c_dim(f->c->arena, d[k]));
    }
    if (!dim_literal(known) || text) f->uses_units = true;
    const char *k = c_dim(f->c->arena, known);
    if (!text) return dim_literal(known) ? k : arena_printf(f->c->arena, "(%s)", k);
    return arena_printf(f->c->arena, "((%s) * %s)", k, text);
}

static const char *strip(arena_t *a, const char *text) {
    size_t n = strlen(text);
    return *text == '(' && text[1] != '(' ? arena_strndup(a, text + 1, n - 2) : text;
}

/* What an instrumented launch passes on: its label, or else its kernel's name, and the layer. */
static const char *label_args(func_t *f, const inst_t *i, expr_t *e) {
    const char *layer = i->n_operands ? take_text(f, i->operand[0], P_COND, e) : "-1";
    return arena_printf(f->c->arena, ", %s, %s",
                        c_string(f->c->arena, i->text ? i->text : i->callee->name), layer);
}

static void put_launch(func_t *f, const inst_t *i) {
    expr_t e = {0};
    arena_t *a = f->c->arena;
    const lfunc_t *k = i->callee;
    bool labelled = f->c->plan->instrument;
    const char *args = "", *label = labelled ? label_args(f, i, &e) : "";
    for (int n = 0; n < i->n_values; n++)
        args =
            arena_printf(a, "%s%s%s", args, n ? ", " : "", take_text(f, i->values[n], P_COND, &e));
    flush(f, FLUSH_ALL, NULL);
    args = i->n_values ? arena_printf(a, "(const int64_t[]){%s}", args) : "NULL";
    put_line(&f->out, f->depth, "reformer_launch%s(call, %s, %s, %s%s);",
             labelled ? "_labelled" : "", c_func_name(f->c, k),
             strip(a, dim_product(f, k->task_dims, 0, k->n_tasks)), args, label);
}

static void put_trace(func_t *f, const inst_t *i) {
    expr_t e = {0};
    arena_t *a = f->c->arena;
    const buffer_t *b = i->buffer;
    inst_t first = {.buffer = i->buffer, .n_index = b->rank};
    affine_t zero[MAX_RANK] = {{0}};
    first.index = zero;
    const char *layer = i->n_values ? take_text(f, i->values[0], P_COND, &e) : "-1", *shape = "";
    for (int k = 0; k < b->rank; k++) {
        if (!dim_literal(b->dims[k])) f->uses_units = true;
        shape = arena_printf(a, "%s%s%s", shape, k ? ", " : "", c_dim(a, b->dims[k]));
    }
    put_line(&f->out, f->depth, "reformer_trace(call, %s, %s, &%s, %s, (const int64_t[]){%s}, %d);",
             c_string(a, i->text), layer, element(f, &first, &e),
             b->elem == E_I32 ? "REFORMER_I32" : "REFORMER_F32", shape, b->rank);
}

static void put_ready(func_t *f, const inst_t *i) {
    expr_t e = {0};
    arena_t *a = f->c->arena;
    const buffer_t *b = i->buffer;
    long long n = (long long)ready_elements(b), first = (long long)ready_offset(b);
    const inst_t *part = i->values[0]->def;
    const char *at = take_text(f, i->values[0], P_PRODUCT, &e);
    if (part && part->op == OP_CONST) at = arena_printf(a, "%lld", first + n * (long long)part->i);
    else at = arena_printf(a, "%lld + %s * %lld", first, at, n);
    flush(f, FLUSH_ALL, NULL);
    put_line(&f->out, f->depth, "reformer_ready(call, %s, %lld);", at, n);
}

/* ---- loops ----------------------------------------------------------------------------------------------- */

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

/* The loop of the same block that goes on with result k, which nobody else looks at; *k is the carried
 * value there. NULL: there is none. */
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

static const var_t *shared_variable(const func_t *f, const inst_t *loop, int k) {
    const var_t *var = outer_variable(f, loop, k);
    return var ? var : earlier_variable(f, loop, k);
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
        const var_t *var = shared_variable(f, loop, k);
        if (!var) {
            var_t *new = ARENA_NEW(f->c->arena, var_t);
            new->name = local_name(f, carried_name(f, loop, k));
            declare_carried(&made, new->name, loop->values[k], init[k]);
            var = new;
        }
        vstate_t *s = state_of(f, arg);
        s->var = var;
        s->e = (expr_t){.text = var->name, .prec = P_PRIMARY, .n_reads = 1, .reads = {var}};
        state_of(f, result)->e = (expr_t){.text = var->name, .prec = P_PRIMARY};
    }
    end_declaration(&made);
}

/* ---- what a body yields: one parallel copy ----------------------------------------------------------- */

typedef struct {
    const char *to, *type;
    const var_t *var;
    expr_t from;
    bool done;
} move_t;

static bool is_read(const move_t *m, int n, int by_others_than) {
    for (int k = 0; k < n; k++)
        if (k != by_others_than && !m[k].done && reads(&m[k].from, m[by_others_than].var))
            return true;
    return false;
}

/* A cycle: one source is kept in a local first. */
static void break_cycle(func_t *f, move_t *m, int n) {
    int k = 0;
    while (m[k].done) k++;
    (void)n;
    const char *name = local_name(f, "next");
    put_line(&f->out, f->depth, "const %s %s = %s;", m[k].type, name, m[k].from.text);
    m[k].from = (expr_t){.text = name, .prec = P_PRIMARY};
}

static void put_moves(func_t *f, move_t *m, int n) {
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

static void put_yield(func_t *f, const block_t *b, const var_t *const *vars) {
    const inst_t *yield = block_yield(b);
    if (!yield) return;
    move_t *m = ARENA_ARRAY(f->c->arena, move_t, yield->n_values + 1);
    int n = 0;
    for (int k = 0; k < yield->n_values; k++) {
        if (!vars[k]) continue;
        const value_t *v = yield->values[k];
        m[n] = (move_t){.to = vars[k]->name, .type = c_type(f->c, v->type), .var = vars[k]};
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

static void put_branch(func_t *f, const block_t *b, const var_t *const *vars) {
    size_t scope = names_enter(f->names);
    f->depth++;
    if (!put_part(f, b)) put_block(f, b);
    put_yield(f, b, vars);
    flush(f, FLUSH_ALL, NULL);
    f->depth--;
    names_leave(f->names, scope);
}

static void put_if(func_t *f, const inst_t *i) {
    arena_t *a = f->c->arena;
    expr_t cond = take(f, i->operand[0]);
    flush(f, FLUSH_ALL, NULL);
    const var_t **vars = ARENA_ARRAY(a, const var_t *, i->n_results + 1);
    for (int k = 0; k < i->n_results; k++) {
        const value_t *v = i->results[k];
        if (!state_of(f, v)->live) continue;
        var_t *var = ARENA_NEW(a, var_t);
        var->name = local_name(f, v->name ? v->name : "chosen");
        vars[k] = var;
        put_line(&f->out, f->depth, "%s %s;", c_type(f->c, v->type), var->name);
        state_of(f, v)->e = (expr_t){.text = var->name, .prec = P_PRIMARY};
    }
    const char *test = cond.cond ? cond.cond : cond.text;
    if (!block_is_needed(f, i->body) && i->n_results == 0) {
        put_line(&f->out, f->depth, "if (!(%s)) {", test);
        put_branch(f, i->otherwise, vars);
        put_line(&f->out, f->depth, "}");
        return;
    }
    put_line(&f->out, f->depth, "if (%s) {", test);
    put_branch(f, i->body, vars);
    if (i->otherwise && (block_is_needed(f, i->otherwise) || i->n_results > 0)) {
        put_line(&f->out, f->depth, "} else {");
        put_branch(f, i->otherwise, vars);
    }
    put_line(&f->out, f->depth, "}");
}

static void put_inst(func_t *f, const inst_t *i) {
    switch (i->op) {
    case OP_COMMENT: put_comment(&f->out, f->depth, "%s", i->text); break;
    case OP_STORE: put_store(f, i); break;
    case OP_PREFETCH: put_prefetch(f, i); break;
    case OP_FOR:
        if (!put_part(f, i->body)) put_loop(f, i);
        break;
    case OP_IF: put_if(f, i); break;
    case OP_LAUNCH: put_launch(f, i); break;
    case OP_TRACE: put_trace(f, i); break;
    case OP_READY: put_ready(f, i); break;
    case OP_RETURN: put_return(f, i); break;
    case OP_YIELD: break; /* the parent's */
    case OP_CALL:
        if (i->n_results != 1) put_call(f, i);
        else put_value(f, i);
        break;
    default: put_value(f, i); break;
    }
}

void put_block(func_t *f, const block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        put_bases(f, b, k);
        if (i->op == OP_COMMENT || is_needed(f, i)) put_inst(f, i);
    }
}

/* ---- functions ------------------------------------------------------------------------------------------- */

static void put_params(func_t *f) {
    const lfunc_t *fn = f->fn;
    for (int k = 0; k < fn->n_params; k++) {
        const value_t *v = fn->params[k];
        const char *name = local_name(f, v->name ? v->name : "x");
        state_of(f, v)->e = (expr_t){.text = name, .prec = P_PRIMARY};
    }
    for (int k = 0; k < fn->n_tasks; k++) {
        const value_t *v = fn->task[k];
        const char *name = local_name(f, v->name ? v->name : "i");
        state_of(f, v)->e = (expr_t){.text = name, .prec = P_PRIMARY};
    }
}

static const char *offset_text(func_t *f, const char *base, dim_t offset) {
    if (!dim_literal(offset)) f->uses_units = true;
    if (offset.c == 0 && offset.u == 0) return base;
    return arena_printf(f->c->arena, "(%s + %s)", base, c_dim(f->c->arena, offset));
}

static const char *slot_name(emitter_t *c, int slot) {
    static const char *const names[REFORMER_SLOTS] = {
        [REFORMER_SLOT_IDS] = "IDS",
        [REFORMER_SLOT_KEY] = "KEY",
        [REFORMER_SLOT_ROW] = "ROW",
        [REFORMER_SLOT_TARGET] = "TARGET",
        [REFORMER_SLOT_CONTROL] = "CONTROL",
        [REFORMER_SLOT_HIDDEN] = "HIDDEN",
        [REFORMER_SLOT_LOGITS] = "LOGITS",
        [REFORMER_SLOT_START] = "START",
        [REFORMER_SLOT_END] = "END",
        [REFORMER_SLOT_LOSS] = "LOSS",
        [REFORMER_SLOT_LABELS_F32] = "LABELS_F32",
        [REFORMER_SLOT_BUCKETS] = "BUCKETS",
        [REFORMER_SLOT_GIVEN] = "GIVEN",
        [REFORMER_SLOT_POSITION] = "POSITION",
        [REFORMER_SLOT_HASHED] = "HASHED",
        [REFORMER_SLOT_TOKEN_LOSSES] = "TOKEN_LOSSES",
        [REFORMER_SLOT_GRADIENTS] = "GRADIENTS",
        [REFORMER_SLOT_PARAMS] = "PARAMS",
        [REFORMER_SLOT_SUM] = "SUM",
        [REFORMER_SLOT_STATE] = "STATE",
        [REFORMER_SLOT_PHASES] = "PHASES",
        [REFORMER_SLOT_COEFFICIENTS] = "COEFFICIENTS",
        [REFORMER_SLOT_PACKED] = "PACKED",
        [REFORMER_SLOT_NORM] = "NORM",
    };
    if (slot < 0 || slot >= REFORMER_SLOTS) bug("slot %d", slot);
    if (names[slot]) return arena_printf(c->arena, "REFORMER_SLOT_%s", names[slot]);
    if (slot > REFORMER_SLOT_STATE)
        return arena_printf(c->arena, "REFORMER_SLOT_STATE + %d", slot - REFORMER_SLOT_STATE);
    if (slot >= REFORMER_SLOT_RECORDS)
        return arena_printf(c->arena, "REFORMER_SLOT_RECORDS + %d", slot - REFORMER_SLOT_RECORDS);
    return arena_printf(c->arena, "REFORMER_SLOT_CACHE + %d", slot - REFORMER_SLOT_CACHE);
}

static bool is_alone(const func_t *f, size_t k) {
    for (size_t i = 0; i < f->n_buffers; i++)
        if (i != k && !buffers_disjoint(f->buffers[i], f->buffers[k], f->c->m->units)) return false;
    return true;
}

static const char *shape_text(emitter_t *c, const buffer_t *b) {
    const char *text = "";
    for (int k = 0; k < b->rank; k++)
        text = arena_printf(c->arena, "%s[%s]", text, c_dim(c->arena, b->dims[k]));
    if (!b->comment) return text;
    return arena_printf(c->arena, "%s: %s", text, b->comment);
}

/* const float *restrict x = (const void *)(call->weights + 4096); */
static void put_buffer(func_t *f, size_t k, sbuf_t *out) {
    static const char *const bases[] = {[BUF_WEIGHTS] = "call->weights",
                                        [BUF_WORKSPACE] = "call->workspace",
                                        [BUF_SCRATCH] = "scratch"};
    const buffer_t *b = f->buffers[k];
    arena_t *a = f->c->arena;
    const char *constant = f->buffer_written[k] ? "" : "const ", *elem = c_elem(b->elem), *from;
    if (buffer_has_slot(b)) {
        from = arena_printf(a, "call->slot[%s]", slot_name(f->c, b->slot));
        const char *within =
            offset_text(f, arena_printf(a, "(unsigned char *)%s", from), b->offset);
        bool whole = b->offset.c == 0 && b->offset.u == 0;
        if (!whole) from = arena_printf(a, "(%svoid *)%s", constant, within);
    } else {
        from = arena_printf(a, "(%svoid *)%s", constant, offset_text(f, bases[b->kind], b->offset));
    }
    bool alone = b->kind != BUF_WEIGHTS && f->fn->kind == FN_KERNEL && is_alone(f, k);
    const char *line = arena_printf(a, "%s%s *%s%s = %s;", constant, elem, alone ? "restrict " : "",
                                    f->buffer_names[k], from);
    const char *shape = c_comment(a, shape_text(f->c, b));
    if (INDENT + strlen(line) + strlen(shape) + strlen(" /*  */") <= COLUMNS) {
        put_line(out, 1, "%s /* %s */", line, shape);
        return;
    }
    put_comment(out, 1, "%s", shape);
    put_line(out, 1, "%s", line);
}

/* task → coordinates, first dimension slowest */
static void put_tasks(func_t *f, sbuf_t *out) {
    const lfunc_t *fn = f->fn;
    for (int k = 0; k < fn->n_tasks; k++) {
        const vstate_t *s = state_of(f, fn->task[k]);
        if (!s->live) continue;
        if (dim_equal(fn->task_dims[k], dim(1))) {
            put_line(out, 1, "const int64_t %s = 0;", s->e.text);
            continue;
        }
        const char *inner = dim_product(f, fn->task_dims, k + 1, fn->n_tasks);
        const char *outer = dim_product(f, fn->task_dims, k, k + 1);
        const char *divide = strcmp(inner, "1") ? arena_printf(f->c->arena, " / %s", inner) : "";
        const char *modulo = k > 0 ? arena_printf(f->c->arena, " %% %s", outer) : "";
        put_line(out, 1, "const int64_t %s = task%s%s;", s->e.text, divide, modulo);
        f->uses_task = true;
    }
}

static void put_kernel_params(func_t *f, sbuf_t *out) {
    for (int k = 0; k < f->fn->n_params; k++) {
        const vstate_t *s = state_of(f, f->fn->params[k]);
        if (!s->live) continue;
        put_line(out, 1, "const int64_t %s = arg[%d];", s->e.text, k);
        f->uses_arg = true;
    }
}

static void put_units(const func_t *f, sbuf_t *out) {
    if (f->uses_units) put_line(out, 1, "const int64_t U = call->units;");
}

static bool uses_kind(const func_t *f, bool scratch) {
    for (size_t k = 0; k < f->n_buffers; k++)
        if ((f->buffers[k]->kind == BUF_SCRATCH) == scratch) return true;
    return false;
}

/* Parameters that a kernel has no use for. */
static void put_unused(const func_t *f, sbuf_t *out) {
    const char *unused[4];
    int n = 0;
    bool entry = f->fn->kind == FN_ENTRY;
    bool calls = entry && f->out.size > 0;
    if (!uses_kind(f, false) && !f->uses_units && !calls) unused[n++] = "call";
    if (!uses_kind(f, true) && !entry) unused[n++] = "scratch";
    if (!f->uses_arg && !entry) unused[n++] = "arg";
    if (!f->uses_task && !entry) unused[n++] = "task";
    for (int k = 0; k < n; k++) put_line(out, 1, "(void)%s;", unused[k]);
}

static void put_locals(func_t *f, sbuf_t *out) {
    sbuf_t text = {0};
    put_tasks(f, &text);
    put_kernel_params(f, &text);
    for (size_t k = 0; k < f->n_buffers; k++) put_buffer(f, k, &text);
    put_unused(f, out);
    put_units(f, out);
    if (text.size) sbuf_write(out, text.data, text.size);
    sbuf_free(&text);
}

static const char *signature(func_t *f) {
    const lfunc_t *fn = f->fn;
    arena_t *a = f->c->arena;
    const char *name = c_func_name(f->c, fn), *params = "";
    if (fn->kind == FN_ENTRY)
        return arena_printf(a, "static void %s(const reformer_call_t *call)", name);
    if (fn->kind == FN_KERNEL)
        return arena_printf(
            a,
            "REFORMER_KERNEL static void %s(const reformer_call_t *call, unsigned char *scratch, "
            "const int64_t *arg, int64_t task)",
            name);
    for (int k = 0; k < fn->n_params; k++)
        params =
            arena_printf(a, "%s%s%s %s", params, k ? ", " : "", c_type(f->c, fn->params[k]->type),
                         state_of(f, fn->params[k])->e.text);
    if (fn->n_results != 1)
        for (int k = 0; k < fn->n_results; k++)
            params = arena_printf(a, "%s%s%s *result_%d", params, *params ? ", " : "",
                                  c_type(f->c, fn->results[k]), k);
    return arena_printf(a, "static inline %s %s(%s)",
                        fn->n_results == 1 ? c_type(f->c, fn->results[0]) : "void", name,
                        *params ? params : "void");
}

static void put_head_comment(func_t *f, sbuf_t *out) {
    const lfunc_t *fn = f->fn;
    arena_t *a = f->c->arena;
    const char *tasks = "";
    for (int k = 0; k < fn->n_tasks; k++)
        tasks = arena_printf(a, "%s[%s %s]", tasks, state_of(f, fn->task[k])->e.text,
                             c_dim(a, fn->task_dims[k]));
    if (fn->kind == FN_KERNEL)
        put_comment(out, 0, "%s%stasks %s", fn->comment ? fn->comment : "", fn->comment ? "\n" : "",
                    tasks);
    else if (fn->comment) put_comment(out, 0, "%s", fn->comment);
}

static void put_unused_params(const func_t *f, sbuf_t *out) {
    for (int k = 0; k < f->fn->n_params; k++) {
        const vstate_t *s = state_of(f, f->fn->params[k]);
        if (!s->live) put_line(out, 1, "(void)%s;", s->e.text);
    }
}

/* Names of buffers belong to the whole function, so they are made before any scope opens. */
static void name_buffers(func_t *f, const block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        if (!is_needed(f, i)) continue;
        if (i->buffer && i->op != OP_READY) buffer_name(f, i->buffer, i->op == OP_STORE);
        if (i->body) name_buffers(f, i->body);
        if (i->otherwise) name_buffers(f, i->otherwise);
    }
}

/* Texts of expressions are many times what is written of them: they go with the function. */
void put_function(emitter_t *c, const lfunc_t *fn, sbuf_t *out) {
    c->arena = arena_new();
    func_t f = {.c = c, .fn = fn, .names = names_new(c->arena, c->globals), .depth = 1};
    f.state = ARENA_ARRAY(c->arena, vstate_t, fn->n_values + 1);
    names_reserve(f.names, "U");
    for (int k = 0; fn->n_results != 1 && k < fn->n_results; k++)
        names_reserve(f.names, arena_printf(c->arena, "result_%d", k));
    find_uses(&f);
    find_masks(&f);
    put_params(&f);
    name_buffers(&f, fn->body);
    find_bases(&f);
    find_parts(&f);
    put_block(&f, fn->body);
    flush(&f, FLUSH_ALL, NULL);
    if (f.before.size) sbuf_write(out, f.before.data, f.before.size);
    sbuf_free(&f.before);
    put_head_comment(&f, out);
    put_line(out, 0, "%s {", signature(&f));
    if (fn->kind == FN_FUNC) put_unused_params(&f, out);
    else put_locals(&f, out);
    if (f.out.size) sbuf_write(out, f.out.data, f.out.size);
    sbuf_puts(out, "}\n\n");
    sbuf_free(&f.out);
    arena_free(c->arena);
    c->arena = c->lasting;
}
