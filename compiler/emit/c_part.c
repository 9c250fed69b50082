/* Parts of kernels. In: a function with its base pointers. Out: large loops and branches as
 * functions of their own, in front of it, which are compiled into it: a kernel reads as what is
 * done, one after the other. What is too long is cut at any of its instructions: a schedule
 * (c_range.c) into functions that are called, what is left of a kernel (c_seam.c) into more parts.
 *
 * A part leaves nothing but what it stores, unless it was cut: then through pointers. What it needs
 * from around it are parameters (c_need.c). A pointer among them goes to the first element that is
 * reached from it. What differs in parameters only is one part, called more than once. */
#include <string.h>

#include "emit/c_part.h"

/* Statements of a part, about. */
enum { LOOP_MIN = 36, BRANCH_MIN = 100 };

/* ---- which loops ----------------------------------------------------------------------------- */

c_cut_t *whole_part(const func_t *f, const block_t *b) {
    for (size_t k = 0; k < f->n_parts; k++)
        if (f->parts[k]->block == b && f->parts[k]->to == 0) return f->parts[k];
    return NULL;
}

c_cut_t *add_part(func_t *f, const block_t *b, size_t from, size_t to) {
    c_cut_t *p = ARENA_NEW(f->c->arena, c_cut_t);
    *p = (c_cut_t){.block = b, .from = from, .to = to};
    ARENA_PUSH(f->c->arena, f->parts, f->n_parts, f->cap_parts) = p;
    return p;
}

bool is_statement(const func_t *f, const inst_t *i) {
    switch (i->op) {
    case OP_CONST:
    case OP_COMMENT:
    case OP_YIELD: return false;
    case OP_LOAD:
    case OP_INDEX:
    case OP_CONVERT:
    case OP_BITCAST:
    case OP_BROADCAST: return f->state[i->result->id].uses > 1;
    default: return true;
    }
}

static bool leaves_values(const func_t *f, const inst_t *i) {
    for (int k = 0; k < i->n_results; k++)
        if (f->state[i->results[k]->id].live) return true;
    return false;
}

static int measure_block(func_t *f, const block_t *b);

/* Statements of a region of i; 0: it is a part. */
static int measure(func_t *f, const inst_t *i, const block_t *b) {
    int n = b ? measure_block(f, b) : 0;
    if (n < (i->op == OP_FOR ? LOOP_MIN : BRANCH_MIN) || leaves_values(f, i)) return n;
    add_part(f, b, 0, 0);
    return 0;
}

static int measure_block(func_t *f, const block_t *b) {
    int n = 0;
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        if (!is_needed(f, i)) continue;
        n += measure(f, i, i->body) + measure(f, i, i->otherwise) + is_statement(f, i);
    }
    return n;
}

void find_parts(func_t *f) {
    if (f->fn->kind == FN_KERNEL) measure_block(f, f->fn->body);
}

/* ---- the function ---------------------------------------------------------------------------- */

static const char *now(const func_t *f, const param_t *x) {
    if (x->value) return state_of(f, x->value)->e.text;
    return x->base ? x->base->name : *buffer_local(f, x->buffer);
}

static void set_name(const func_t *f, const param_t *x, const char *name) {
    if (x->value) state_of(f, x->value)->e.text = name;
    else if (x->base) x->base->name = name;
    else *buffer_local(f, x->buffer) = name;
}

static int64_t *shift_now(const func_t *f, const param_t *x) {
    if (x->value) return NULL;
    return x->base ? &x->base->shift : buffer_shift(f, x->buffer);
}

static const char *argument(func_t *f, const param_t *x) {
    const char *name = now(f, x);
    int64_t by = x->shifts && !x->value ? x->shift - *shift_now(f, x) : 0;
    return by ? arena_printf(f->c->arena, "%s + %lld", name, (long long)by) : name;
}

static const char *type_of(func_t *f, const param_t *x) {
    const char *end = x->value ? " " : " *";
    if (x->value) return arena_printf(f->c->arena, "%s%s", c_local_type(f, x->value), end);
    const buffer_t *b = x->base ? address_buffer(x->base->address) : x->buffer;
    return arena_printf(f->c->arena, "%s%s *", x->written ? "" : "const ", c_elem(b->elem));
}

static const char *param_name(func_t *f, const param_t *x) {
    if (x->value) return c_value_name(x->value);
    return x->base ? c_base_name(f, x->base->address) : buffer_base(f, x->buffer);
}

static void forget_bases(func_t *f, const c_cut_t *p) {
    for (size_t k = 0; k < f->n_bases; k++)
        if (base_is_within(f->bases[k], p)) f->bases[k]->name = NULL;
}

static bool is_called(const func_t *f) { /* its pieces are, and look at what it is called with */
    return f->fn->kind == FN_ENTRY;
}

int count_lines(const char *text) {
    int n = 0;
    for (; *text; text++) n += *text == '\n';
    return n;
}

/* *most_out = most; : at its end. Returns its parameters, `params` and these pointers. */
static const char *put_leaves(func_t *f, const c_cut_t *p, const char *params) {
    for (size_t k = 0; k < p->n_leaves; k++) {
        const value_t *v = p->leaves[k];
        const char *text = state_of(f, v)->e.text;
        const char *name = local_name(f, arena_printf(f->c->arena, "%s_out", text));
        params = arena_printf(f->c->arena, "%s%s%s *%s", params, *params ? ", " : "",
                              c_local_type(f, v), name);
        put_line(&f->out, f->depth, "*%s = %s;", name, text);
    }
    return params;
}

/* "const float *q, int64_t tile) {" and the body. Without names, equal parts are equal texts. */
static const char *part_text(func_t *f, c_cut_t *p, bool with_names) {
    arena_t *a = f->c->arena;
    func_t around = *f;
    const char **before = ARENA_ARRAY(a, const char *, p->n + 1);
    const char *params = is_called(f) ? "const reformer_call_t *call" : "";
    const var_t **update = ARENA_ARRAY(a, const var_t *, p->n_leaves + 1);
    int64_t *shift = ARENA_ARRAY(a, int64_t, p->n + 1);
    f->names = names_new(a, f->c->globals);
    f->anonymous = !with_names;
    f->out = (sbuf_t){0};
    f->depth = 1;
    f->uses_units = false;
    if (p->to) f->inside = p;
    names_reserve(f->names, "U");
    for (size_t k = 0; k < p->n; k++) {
        before[k] = now(f, &p->params[k]);
        const char *name = local_name(f, param_name(f, &p->params[k]));
        set_name(f, &p->params[k], name);
        shift[k] = p->params[k].value ? 0 : *shift_now(f, &p->params[k]);
        if (p->params[k].shifts) *shift_now(f, &p->params[k]) = p->params[k].shift;
        params = arena_printf(a, "%s%s%s%s", params, *params ? ", " : "", type_of(f, &p->params[k]),
                              name);
    }
    for (size_t k = 0; k < p->n_leaves; k++) {
        update[k] = state_of(f, p->leaves[k])->update;
        state_of(f, p->leaves[k])->update = NULL;
    }
    forget_bases(f, p);
    if (p->to) put_insts(f, p->block, p->from, p->to);
    else if (p->block->parent->op == OP_FOR) put_loop(f, p->block->parent);
    else put_block(f, p->block);
    flush_all(f);
    params = put_leaves(f, p, params);
    for (size_t k = 0; k < p->n_leaves; k++) state_of(f, p->leaves[k])->update = update[k];
    for (size_t k = 0; k < p->n; k++) {
        set_name(f, &p->params[k], before[k]);
        if (!p->params[k].value) *shift_now(f, &p->params[k]) = shift[k];
    }
    p->units = f->uses_units;
    const char *units = !p->units ? "" : *params ? ", int64_t U" : "int64_t U";
    const char *text = arena_printf(a, "%s%s) {\n%s", params, units, f->out.data);
    sbuf_free(&f->out);
    f->names = around.names;
    f->inside = around.inside;
    f->anonymous = around.anonymous;
    f->out = around.out;
    f->depth = around.depth;
    f->uses_units = around.uses_units || p->units;
    return text;
}

typedef struct {
    const buffer_t *buffer;
    int stores;
} max_t;

static int count_stores(const block_t *b, const buffer_t *of, size_t from, size_t to) {
    int n = 0;
    for (size_t k = from; k < to; k++) {
        const inst_t *i = b->insts[k];
        n += i->op == OP_STORE && i->buffer == of;
        if (i->body) n += count_stores(i->body, of, 0, i->body->n);
        if (i->otherwise) n += count_stores(i->otherwise, of, 0, i->otherwise->n);
    }
    return n;
}

/* It is called after what it writes most of. */
static const char *part_name(func_t *f, const c_cut_t *p) {
    const buffer_t *max = NULL;
    int stores = 0;
    if (is_called(f)) return arena_printf(f->c->arena, "launches%s", f->c->suffix);
    for (size_t k = 0; k < f->n_buffers; k++) {
        int n = count_stores(p->block, f->buffers[k], p->from, p->to ? p->to : p->block->n);
        if (n > stores) max = f->buffers[k], stores = n;
    }
    const char *what = max ? buffer_base(f, max) : "part";
    return arena_printf(f->c->arena, "%s_%s%s", f->fn->name, what, f->c->suffix);
}

static void make_part(func_t *f, c_cut_t *p) {
    emitter_t *c = f->c;
    find_params(f, p);
    const char *key = part_text(f, p, false);
    for (size_t k = 0; k < f->n_texts; k++)
        if (strcmp(f->texts[k].key, key) == 0) {
            p->name = f->texts[k].name;
            p->lines = f->texts[k].lines;
            return;
        }
    const char *text = part_text(f, p, true);
    p->name = names_make(c->globals, part_name(f, p));
    ARENA_PUSH(c->lasting, c->own, c->n_own, c->cap_own) = p->name;
    ARENA_PUSH(c->arena, f->texts, f->n_texts, f->cap_texts) = (cut_text_t){key, p->name, 0};
    const char *body = strstr(text, ") {\n") + strlen(") {\n");
    size_t start = f->before.size;
    put_line(&f->before, 0, "%s void %s(%.*s", is_called(f) ? "static" : "INLINE", p->name,
             (int)(body - 1 - text), text);
    sbuf_printf(&f->before, "%s}\n\n", body);
    p->lines = f->texts[f->n_texts - 1].lines = count_lines(f->before.data + start) - 1;
}

/* The variable that a value is left in; true: it is new. */
static bool is_left_in_new(func_t *f, const value_t *v) {
    vstate_t *s = state_of(f, v);
    bool made = !s->update;
    const char *name = s->update ? s->update->name : NULL;
    if (made && v->def->op == OP_FOR) name = carried_variable(f, v->def, v, &made)->name;
    else if (made) name = local_name(f, c_value_name(v));
    s->e = (expr_t){.text = name, .prec = P_PRIMARY};
    s->pending = false;
    return made;
}

/* f32x16 most, sum; : variables for what a part leaves, those of one type together. Returns the
 * arguments that point to them, behind `args`. */
static const char *declare_leaves(func_t *f, const c_cut_t *p, const char *args) {
    arena_t *a = f->c->arena;
    const char *line = "", *last = "";
    for (size_t k = 0; k < p->n_leaves; k++) {
        const value_t *v = p->leaves[k];
        bool made = is_left_in_new(f, v);
        const char *name = state_of(f, v)->e.text, *type = c_local_type(f, v);
        args = arena_printf(a, "%s%s&%s", args, *args ? ", " : "", name);
        if (!made) continue;
        bool same = strcmp(type, last) == 0;
        if (*line && !same) put_line(&f->out, f->depth, "%s;", line);
        line = same ? arena_printf(a, "%s, %s", line, name) : arena_printf(a, "%s %s", type, name);
        last = type;
    }
    if (*line) put_line(&f->out, f->depth, "%s;", line);
    return args;
}

static void put_call_of(func_t *f, c_cut_t *p) {
    arena_t *a = f->c->arena;
    flush_all(f);
    if (!p->name) make_part(f, p);
    const char *args = is_called(f) ? "call" : "";
    for (size_t k = 0; k < p->n; k++)
        args = arena_printf(a, "%s%s%s", args, *args ? ", " : "", argument(f, &p->params[k]));
    args = declare_leaves(f, p, args);
    if (p->units) f->uses_units = true;
    put_line(&f->out, f->depth, "%s(%s%s);", p->name, args, p->units ? *args ? ", U" : "U" : "");
}

bool put_part(func_t *f, const block_t *b) {
    c_cut_t *p = whole_part(f, b);
    if (p) put_call_of(f, p);
    return p != NULL;
}

size_t put_range(func_t *f, const block_t *b, size_t from) {
    for (size_t k = 0; k < f->n_parts; k++) {
        c_cut_t *p = f->parts[k];
        if (p->block != b || p->from != from || p->to == 0 || p == f->inside) continue;
        put_call_of(f, p);
        return p->to;
    }
    return from;
}
