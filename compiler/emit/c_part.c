/* Parts of kernels. In: a function with its base pointers. Out: large loops and branches as
 * functions of their own, in front of it, which are compiled into it: a kernel reads as what is
 * done, one after the other. A schedule that is too long is cut at any of its instructions
 * (c_range.c), into functions that are called.
 *
 * A part leaves nothing but what it stores; what it needs from around it are parameters. A pointer
 * among them goes to the first element that is reached from it. What differs in parameters only is
 * one part, called more than once. */
#include <string.h>

#include "emit/c_int.h"

/* Statements of a part, about. */
enum { LOOP_MIN = 36, BRANCH_MIN = 100 };

typedef struct {
    const value_t *value; /* or */
    const buffer_t *buffer;
    base_t *base;
    /* of pointers */
    bool written, shifts;
    int64_t shift; /* the least of the constants that are added to it inside: the argument has it */
} param_t;

struct cut {
    const block_t *block; /* a loop's body, or a branch */
    size_t from, to;      /* of it these instructions alone; 0, 0: all, and the loop */
    const char *name;     /* NULL: not written yet */
    param_t *params;
    size_t n, cap;
    bool units; /* U too */
};

/* ---- which loops ----------------------------------------------------------------------------- */

static c_cut_t *part_of(const func_t *f, const block_t *b) {
    for (size_t k = 0; k < f->n_parts; k++)
        if (f->parts[k]->block == b && f->parts[k]->to == 0) return f->parts[k];
    return NULL;
}

/* i: an instruction of b; NULL: b's arguments. */
static bool is_within(const block_t *b, const inst_t *i, const c_cut_t *p) {
    while (b && b != p->block) {
        i = b->parent;
        b = i ? i->parent : NULL;
    }
    if (!b || p->to == 0) return b != NULL;
    for (size_t k = p->from; k < p->to; k++)
        if (b->insts[k] == i) return true;
    return false;
}

static bool base_is_within(const base_t *base, const c_cut_t *p) {
    const block_t *b = base->block;
    return is_within(b, base->at < b->n ? b->insts[base->at] : NULL, p);
}

void add_part(func_t *f, const block_t *b, size_t from, size_t to) {
    c_cut_t *p = ARENA_NEW(f->c->arena, c_cut_t);
    *p = (c_cut_t){.block = b, .from = from, .to = to};
    ARENA_PUSH(f->c->arena, f->parts, f->n_parts, f->cap_parts) = p;
}

/* Not written where it is used. */
static bool is_statement(const func_t *f, const inst_t *i) {
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

/* ---- what they need -------------------------------------------------------------------------- */

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

static bool is_argument(const value_t *v) {
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
static void find_params(func_t *f, c_cut_t *p) {
    need_t need = {f, p};
    need_insts(&need, p->block, p->from, p->to ? p->to : p->block->n);
    for (size_t k = 1; k < p->n; k++)
        for (size_t m = k; m > 0 && kind_of(&p->params[m - 1]) > kind_of(&p->params[m]); m--) {
            param_t x = p->params[m];
            p->params[m] = p->params[m - 1];
            p->params[m - 1] = x;
        }
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

/* "const float *q, int64_t tile) {" and the body. Without names, equal parts are equal texts. */
static const char *part_text(func_t *f, c_cut_t *p, bool with_names) {
    arena_t *a = f->c->arena;
    func_t around = *f;
    const char **before = ARENA_ARRAY(a, const char *, p->n + 1);
    const char *params = p->to ? "const reformer_call_t *call" : "";
    int64_t *shift = ARENA_ARRAY(a, int64_t, p->n + 1);
    f->names = names_new(a, f->c->globals);
    f->anonymous = !with_names;
    f->out = (sbuf_t){0};
    f->depth = 1;
    f->uses_units = false;
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
    forget_bases(f, p);
    if (p->to) put_insts(f, p->block, p->from, p->to);
    else if (p->block->parent->op == OP_FOR) put_loop(f, p->block->parent);
    else put_block(f, p->block);
    flush_all(f);
    for (size_t k = 0; k < p->n; k++) {
        set_name(f, &p->params[k], before[k]);
        if (!p->params[k].value) *shift_now(f, &p->params[k]) = shift[k];
    }
    p->units = f->uses_units;
    const char *units = !p->units ? "" : *params ? ", int64_t U" : "int64_t U";
    const char *text = arena_printf(a, "%s%s) {\n%s", params, units, f->out.data);
    sbuf_free(&f->out);
    f->names = around.names;
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

static void count_stores(const block_t *b, const buffer_t *of, int *n) {
    for (size_t k = 0; b && k < b->n; k++) {
        const inst_t *i = b->insts[k];
        *n += i->op == OP_STORE && i->buffer == of;
        count_stores(i->body, of, n);
        count_stores(i->otherwise, of, n);
    }
}

/* It is called after what it writes most of. */
static const char *part_name(func_t *f, const c_cut_t *p) {
    const buffer_t *max = NULL;
    int stores = 0;
    if (p->to) return arena_printf(f->c->arena, "launches%s", f->c->suffix);
    for (size_t k = 0; k < f->n_buffers; k++) {
        int n = 0;
        count_stores(p->block, f->buffers[k], &n);
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
            return;
        }
    const char *text = part_text(f, p, true);
    p->name = names_make(c->globals, part_name(f, p));
    ARENA_PUSH(c->lasting, c->own, c->n_own, c->cap_own) = p->name;
    ARENA_PUSH(c->arena, f->texts, f->n_texts, f->cap_texts) = (cut_text_t){key, p->name};
    const char *body = strstr(text, ") {\n") + strlen(") {\n");
    put_line(&f->before, 0, "%s void %s(%.*s", p->to ? "static" : "INLINE", p->name,
             (int)(body - 1 - text), text);
    sbuf_printf(&f->before, "%s}\n\n", body);
}

static void put_call_of(func_t *f, c_cut_t *p) {
    flush_all(f);
    if (!p->name) make_part(f, p);
    const char *args = p->to ? "call" : "";
    for (size_t k = 0; k < p->n; k++)
        args = arena_printf(f->c->arena, "%s%s%s", args, *args ? ", " : "",
                            argument(f, &p->params[k]));
    if (p->units) f->uses_units = true;
    put_line(&f->out, f->depth, "%s(%s%s);", p->name, args, p->units ? *args ? ", U" : "U" : "");
}

bool put_part(func_t *f, const block_t *b) {
    c_cut_t *p = part_of(f, b);
    if (p) put_call_of(f, p);
    return p != NULL;
}

size_t put_range(func_t *f, const block_t *b, size_t from) {
    for (size_t k = 0; k < f->n_parts; k++) {
        c_cut_t *p = f->parts[k];
        if (p->block != b || p->from != from || p->to == 0 || p == f->inside) continue;
        const c_cut_t *around = f->inside;
        f->inside = p;
        put_call_of(f, p);
        f->inside = around;
        return p->to;
    }
    return from;
}
