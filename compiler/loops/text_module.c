/* The text of buffers, functions and the module: print and parse. Instructions are text.c's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loops/text.h"

static const char *const kind_names[] = {
    [BUF_WEIGHTS] = "weights", [BUF_WORKSPACE] = "workspace", [BUF_SCRATCH] = "scratch",
    [BUF_INPUT] = "input",     [BUF_OUTPUT] = "output",       [BUF_STATE] = "state",
    [BUF_TABLE] = "table",
};
enum { KINDS = sizeof kind_names / sizeof *kind_names };

static const char legend[] =
    "# Loops, the loop IR of reformerc. A '#' starts a comment; one instruction per line.\n"
    "#   U                       run-time length of `dynamic`, in units; sizes are linear in it\n"
    "#   buffer B: kind elem [dims] at byte, slot number, range of values, scratch of kernel\n"
    "#   kernel K(%p < n) tasks(%t < n)  once for every point of the task space, in any order\n"
    "#   %x.3                    a value: name, number, or both where the name is not unique\n"
    "#   op.f32x16               the type is written where operands do not imply it\n"
    "#   B[%i, 12*%j + 3]        element of a buffer; a vector starts there, along the last dim\n"
    "#   %r = for %i = 0 .. 9 with %a = %z {   carries %a; `yield` gives the next, at last %r\n"
    "#   launch K(%p) as \"layer#.ff\" %l   runs K; the label says for what, '#' being %l\n";

/* ---- print: the module ----------------------------------------------------------------------- */

static void print_data(printer_t *p, const buffer_t *b) {
    int64_t n = buffer_bytes(b).c / elem_bytes(b->elem);
    sbuf_puts(p->out, " = {");
    for (int64_t k = 0; k < n; k++) {
        if (k) rir_print_comma(p);
        sbuf_printf(p->out, "%d", b->data[k]);
    }
    sbuf_puts(p->out, "}");
}

static void print_buffer(printer_t *p, const buffer_t *b) {
    rir_print_newline(p);
    sbuf_printf(p->out, "buffer %s: %s %s [", b->name, kind_names[b->kind], elem_name(b->elem));
    for (int k = 0; k < b->rank; k++) {
        if (k) sbuf_puts(p->out, ", ");
        print_dim(p->out, b->dims[k]);
    }
    sbuf_puts(p->out, "]");
    if (b->owner) sbuf_printf(p->out, " of %s", b->owner->name);
    bool within = b->kind == BUF_OUTPUT && (b->offset.c != 0 || b->offset.u != 0);
    if (b->kind == BUF_WEIGHTS || b->planned || within) {
        sbuf_puts(p->out, " at ");
        print_dim(p->out, b->offset);
    }
    if (buffer_has_slot(b)) sbuf_printf(p->out, " slot %d", b->slot);
    if (b->has_range) {
        sbuf_puts(p->out, " range ");
        print_dim(p->out, b->lo);
        sbuf_puts(p->out, " .. ");
        print_dim(p->out, b->hi);
    }
    if (b->comment) {
        sbuf_puts(p->out, " ");
        rir_print_string(p->out, b->comment);
    }
    if (b->kind == BUF_TABLE && b->data) print_data(p, b);
}

static void print_params(printer_t *p, const lfunc_t *f) {
    sbuf_puts(p->out, "(");
    for (int k = 0; k < f->n_params; k++) {
        if (k) rir_print_comma(p);
        if (f->kind == FN_FUNC) {
            rir_print_type(p->out, f->params[k]->type);
            sbuf_puts(p->out, " ");
        }
        rir_print_value(p, f->params[k]);
        if (f->kind == FN_KERNEL) sbuf_printf(p->out, " < %lld", (long long)f->params[k]->hi.c + 1);
    }
    sbuf_puts(p->out, ")");
}

static void print_tasks(printer_t *p, const lfunc_t *f) {
    sbuf_puts(p->out, " tasks(");
    for (int k = 0; k < f->n_tasks; k++) {
        if (k) rir_print_comma(p);
        rir_print_value(p, f->task[k]);
        sbuf_puts(p->out, " < ");
        print_dim(p->out, f->task_dims[k]);
    }
    sbuf_puts(p->out, ")");
}

static void print_some_dim(printer_t *p, const char *word, dim_t d) {
    if (d.c == 0 && d.u == 0) return;
    sbuf_printf(p->out, " %s ", word);
    print_dim(p->out, d);
}

static void print_func(printer_t *p, const lfunc_t *f) {
    static const char *const words[] = {
        [FN_FUNC] = "func", [FN_KERNEL] = "kernel", [FN_ENTRY] = "entry"};
    sbuf_puts(p->out, "\n");
    rir_print_newline(p);
    sbuf_printf(p->out, "%s %s", words[f->kind], f->name);
    if (f->kind != FN_ENTRY) print_params(p, f);
    for (int k = 0; k < f->n_results; k++) {
        sbuf_puts(p->out, k ? ", " : " -> ");
        rir_print_type(p->out, f->results[k]);
    }
    if (f->kind == FN_KERNEL) print_tasks(p, f);
    print_some_dim(p, "scratch", f->scratch_bytes);
    if (f->comment) {
        sbuf_puts(p->out, " ");
        rir_print_string(p->out, f->comment);
    }
    sbuf_puts(p->out, " {");
    rir_print_block(p, f->body);
    rir_print_newline(p);
    sbuf_puts(p->out, "}");
}

void module_print(const module_t *m, sbuf_t *out) {
    printer_t p = {.out = out};
    sbuf_puts(out, legend);
    sbuf_puts(out, "module ");
    rir_print_string(out, m->name);
    sbuf_puts(out, " target ");
    rir_print_string(out, m->target->name);
    if (m->units.max)
        sbuf_printf(out, " units %lld .. %lld", (long long)m->units.min, (long long)m->units.max);
    print_some_dim(&p, "workspace", m->workspace_bytes);
    print_some_dim(&p, "scratch", m->scratch_bytes);
    sbuf_puts(out, "\n");
    for (size_t k = 0; k < m->n_buffers; k++) print_buffer(&p, m->buffers[k]);
    for (size_t k = 0; k < m->n_funcs; k++) {
        arena_t *scratch = arena_new();
        rir_print_names(&p, scratch, m->funcs[k]);
        print_func(&p, m->funcs[k]);
        arena_free(scratch);
    }
    sbuf_puts(out, "\n");
}

/* ---- parse: the module ----------------------------------------------------------------------- */

static void take_data(parser_t *p, buffer_t *b) {
    int32_t *data = NULL;
    size_t n = 0, cap = 0;
    lex_expect(&p->x, '{');
    do {
        int64_t v = lex_take_int(&p->x);
        if (v < INT32_MIN || v > INT32_MAX) lex_error(&p->x, "a table holds i32");
        ARENA_PUSH(p->m->arena, data, n, cap) = (int32_t)v;
    } while (lex_accept(&p->x, ','));
    lex_expect(&p->x, '}');
    dim_t want = dim(1);
    for (int k = 0; k < b->rank; k++)
        if (!dim_mul(want, b->dims[k], p->m->units, &want)) want = dim(-1);
    if (!dim_equal(want, dim((int64_t)n)))
        lex_error(&p->x, "the table has %zu elements, its dimensions say otherwise", n);
    b->data = data;
}

static void take_dims(parser_t *p, buffer_t *b) {
    lex_expect(&p->x, '[');
    do {
        if (b->rank == MAX_RANK) lex_error(&p->x, "a buffer has at most %d dimensions", MAX_RANK);
        dim_t d = rir_take_dim(p);
        if (!p->x.failed) b->dims[b->rank++] = d;
    } while (lex_accept(&p->x, ','));
    lex_expect(&p->x, ']');
}

static bool take_buffer_attribute(parser_t *p, buffer_t *b) {
    if (lex_accept_name(&p->x, "of")) {
        ARENA_PUSH(p->scratch, p->scratches, p->n_scratches, p->cap_scratches).buffer = b;
        p->scratches[p->n_scratches - 1].owner = p->x.token;
        lex_take_name(&p->x, "the name of a kernel");
    } else if (lex_accept_name(&p->x, "at")) {
        b->offset = rir_take_dim(p);
        b->planned = b->kind != BUF_WEIGHTS && b->kind != BUF_OUTPUT;
    } else if (lex_accept_name(&p->x, "slot")) {
        int64_t slot = lex_take_int(&p->x);
        b->slot = slot < 0 || slot > 255 ? -1 : (int)slot;
    } else if (lex_accept_name(&p->x, "range")) {
        b->has_range = true;
        b->lo = rir_take_dim(p);
        lex_expect(&p->x, RANGE);
        b->hi = rir_take_dim(p);
    } else if (p->x.token.kind == TK_STRING) {
        b->comment = lex_take_string(&p->x, "a comment");
    } else if (lex_accept(&p->x, '=')) {
        take_data(p, b);
    } else {
        return false;
    }
    return true;
}

static const char *take_new_name(parser_t *p, const char *what, token_t *at) {
    *at = p->x.token;
    const char *name = lex_take_name(&p->x, what);
    if (!name_is_valid(name)) lex_error_at(&p->x, at, "a name is [a-z][a-z0-9_]*");
    return name;
}

static bufkind_t take_kind(parser_t *p) {
    for (int k = 0; k < KINDS; k++)
        if (lex_accept_name(&p->x, kind_names[k])) return (bufkind_t)k;
    lex_error(&p->x, "expected weights, workspace, scratch, input, output, state or table");
    return BUF_WORKSPACE;
}

static void parse_buffer(parser_t *p) {
    token_t at;
    const char *name = take_new_name(p, "the name of a buffer", &at);
    if (p->m->n_buffers >= MAX_PARTS) lex_error_at(&p->x, &at, "more than %d buffers", MAX_PARTS);
    if (p->x.failed) return;
    lex_expect(&p->x, ':');
    bufkind_t kind = take_kind(p);
    elem_t elem = rir_take_elem(p);
    buffer_t *b = buffer_new(p->m, kind, name, elem, 0, NULL);
    take_dims(p, b);
    while (!p->x.failed && take_buffer_attribute(p, b)) {
    }
    const char *wrong = p->x.failed ? NULL : buffer_error(b, p->m->units);
    if (wrong) lex_error_at(&p->x, &at, "%s %s", name, wrong);
    if (!p->x.failed && !rir_table_enter(p, &p->buffers, at.text, at.n, b))
        lex_error_at(&p->x, &at, "two buffers '%s'", name);
}

static value_t *declare_here(parser_t *p, ltype_t type, inst_t *def) {
    token_t t = p->x.token;
    value_t *v = rir_declare_value(p, &t, type, def);
    lex_next(&p->x);
    return v;
}

static void take_func_params(parser_t *p, lfunc_t *f) {
    size_t n = 0, cap = 0;
    lex_expect(&p->x, '(');
    if (!lex_is(&p->x, ')')) {
        do {
            ltype_t type = f->kind == FN_FUNC ? rir_take_type(p) : SCALAR(E_I64);
            value_t *v = declare_here(p, type, NULL);
            if (f->kind == FN_KERNEL) {
                lex_expect(&p->x, '<');
                v->bounded = true;
                v->hi = dim(lex_take_int(&p->x) - 1);
                if (v->hi.c < 0 || v->hi.c >= DIM_LIMIT)
                    lex_error(&p->x, "a parameter has at least one value");
            }
            ARENA_PUSH(p->m->arena, f->params, n, cap) = v;
        } while (lex_accept(&p->x, ','));
    }
    f->n_params = (int)n;
    lex_expect(&p->x, ')');
}

static void take_func_results(parser_t *p, lfunc_t *f) {
    size_t n = 0, cap = 0;
    if (!lex_accept(&p->x, ARROW)) return;
    do ARENA_PUSH(p->m->arena, f->results, n, cap) = rir_take_type(p);
    while (lex_accept(&p->x, ','));
    f->n_results = (int)n;
}

static void take_func_tasks(parser_t *p, lfunc_t *f) {
    lex_expect_name(&p->x, "tasks");
    lex_expect(&p->x, '(');
    do {
        if (f->n_tasks == 4) lex_error(&p->x, "a task space has at most 4 dimensions");
        if (p->x.failed) return;
        f->task[f->n_tasks] = declare_here(p, SCALAR(E_I64), NULL);
        lex_expect(&p->x, '<');
        f->task_dims[f->n_tasks++] = rir_take_dim(p);
    } while (lex_accept(&p->x, ','));
    lex_expect(&p->x, ')');
}

static bool number_value(const lfunc_t *f, char *taken, value_t *v, int *next) {
    if (v->id < 0) v->id = (*next)++;
    (void)f;
    bool fresh = !taken[v->id];
    taken[v->id] = 1;
    return fresh;
}

static bool number_block(const lfunc_t *f, char *taken, block_t *b, int *next) {
    bool fresh = true;
    for (int k = 0; k < b->n_args; k++) fresh &= number_value(f, taken, b->args[k], next);
    for (size_t k = 0; k < b->n; k++) {
        inst_t *i = b->insts[k];
        if (i->result) fresh &= number_value(f, taken, i->result, next);
        if (i->body) fresh &= number_block(f, taken, i->body, next);
        if (i->otherwise) fresh &= number_block(f, taken, i->otherwise, next);
        for (int r = 0; r < i->n_results; r++) fresh &= number_value(f, taken, i->results[r], next);
    }
    return fresh;
}

static void number_func(parser_t *p, lfunc_t *f, const token_t *at) {
    int next = p->largest_id + 1;
    f->n_values += next; /* as many as were made, beyond the largest that was written */
    char *taken = ARENA_ARRAY(p->scratch, char, f->n_values);
    bool fresh = true;
    for (int k = 0; k < f->n_params; k++) fresh &= number_value(f, taken, f->params[k], &next);
    for (int k = 0; k < f->n_tasks; k++) fresh &= number_value(f, taken, f->task[k], &next);
    fresh &= number_block(f, taken, f->body, &next);
    f->n_values = next;
    if (!fresh) lex_error_at(&p->x, at, "two values of %s have one number", f->name);
}

static void parse_func(parser_t *p, fnkind_t kind) {
    token_t at;
    const char *name = take_new_name(p, "the name of a function", &at);
    if (kind == FN_ENTRY && module_entry(p->m)) lex_error_at(&p->x, &at, "a second entry");
    if (p->m->n_funcs >= MAX_PARTS) lex_error_at(&p->x, &at, "more than %d functions", MAX_PARTS);
    if (p->x.failed) return;
    lfunc_t *f = func_new(p->m, kind, name);
    p->f = f;
    p->values = (symbol_table_t){0};
    p->largest_id = -1;
    if (kind != FN_ENTRY) take_func_params(p, f);
    if (kind == FN_FUNC) take_func_results(p, f);
    if (kind == FN_KERNEL) take_func_tasks(p, f);
    if (kind == FN_KERNEL && lex_accept_name(&p->x, "scratch")) f->scratch_bytes = rir_take_dim(p);
    if (p->x.token.kind == TK_STRING) f->comment = lex_take_string(&p->x, "a comment");
    rir_take_block(p, f->body);
    if (p->x.failed) return;
    number_func(p, f, &at);
    if (!rir_table_enter(p, &p->funcs, at.text, at.n, f))
        lex_error_at(&p->x, &at, "two functions '%s'", name);
}

static void parse_header(parser_t *p, const char *file) {
    lex_expect_name(&p->x, "module");
    const char *name = lex_take_string(&p->x, "the name of the module");
    lex_expect_name(&p->x, "target");
    token_t at = p->x.token;
    const target_t *target = target_find(lex_take_string(&p->x, "a target"));
    if (!target) lex_error_at(&p->x, &at, "unknown target");
    units_t units = {0, 0};
    if (lex_accept_name(&p->x, "units")) {
        units.min = lex_take_int(&p->x);
        lex_expect(&p->x, RANGE);
        units.max = lex_take_int(&p->x);
        if (units.min < 1 || units.max < units.min || units.max > UINT32_MAX)
            lex_error(&p->x, "units are 1 .. 2^32 at most, in order");
    }
    if (p->x.failed) return;
    p->m = module_new(p->x.arena, name, target, units);
    p->m->file = file;
    if (lex_accept_name(&p->x, "workspace")) p->m->workspace_bytes = rir_take_dim(p);
    if (lex_accept_name(&p->x, "scratch")) p->m->scratch_bytes = rir_take_dim(p);
}

static void resolve_owners(parser_t *p) {
    for (size_t k = 0; k < p->n_scratches && !p->x.failed; k++) {
        const token_t *t = &p->scratches[k].owner;
        lfunc_t *f = rir_table_find(&p->funcs, t->text, t->n);
        if (!f || f->kind != FN_KERNEL) lex_error_at(&p->x, t, "expected the name of a kernel");
        else p->scratches[k].buffer->owner = f;
    }
}

module_t *module_parse(arena_t *a, const char *file, const char *text, size_t bytes, diag_t *d) {
    parser_t p = {.scratch = arena_new()};
    lex_open(&p.x, a, file, text, bytes, d);
    parse_header(&p, file);
    while (!p.x.failed && p.x.token.kind != TK_END) {
        if (lex_accept_name(&p.x, "buffer")) parse_buffer(&p);
        else if (lex_accept_name(&p.x, "func")) parse_func(&p, FN_FUNC);
        else if (lex_accept_name(&p.x, "kernel")) parse_func(&p, FN_KERNEL);
        else if (lex_accept_name(&p.x, "entry")) parse_func(&p, FN_ENTRY);
        else lex_error(&p.x, "expected buffer, func, kernel or entry");
    }
    resolve_owners(&p);
    arena_free(p.scratch);
    return p.x.failed ? NULL : p.m;
}
