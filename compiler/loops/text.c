/* The text form of Loops, .rir: print and parse, so that what one writes the other reads.
 *
 * In: a module, or bytes from anywhere. Out: text that parses back to the same text, or a module
 * and diagnostics. Names and operand counts are the columns of ops.def; what else an op carries is
 * the table `parts`; the ops with blocks and lists of their own are the rows of `special`.
 * One instruction per line, after QBE's text form. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loops/lex.h"
#include "loops/rules.h"
#include "support/hash.h"

enum { WRAP_COLUMN = 88, INDENT = 2, WRAP_INDENT = 6 };

/* What an op carries besides operands, in this order:  name.type literal access operands count … */
enum {
    LITERAL = 1, /* a number of the type         const.f32x16 1.5            */
    ACCESS = 2,  /* a buffer's element           load.f32x16 w[%p, 16*%i]    */
    COUNT = 4,   /* an integer                   shl %x, 3                   */
    DIVISOR = 8, /* a dimension                  idiv %x, 64*U + 8           */
    LANES = 16,  /* as many as the operand has   shuffle %x, %y, {0, 2, 1, 3} */
    AFFINE = 32  /* an affine expression         index.i64 12*%i + 3         */
};
static const unsigned parts[OP_COUNT] = {
    [OP_CONST] = LITERAL, [OP_LOAD] = ACCESS,  [OP_STORE] = ACCESS,  [OP_PREFETCH] = ACCESS,
    [OP_SHL] = COUNT,     [OP_SHR] = COUNT,    [OP_SAR] = COUNT,     [OP_EXTRACT] = COUNT,
    [OP_IDIV] = DIVISOR,  [OP_IREM] = DIVISOR, [OP_SHUFFLE] = LANES, [OP_INDEX] = AFFINE,
};

static const char *const kind_names[] = {
    [BUF_WEIGHTS] = "weights", [BUF_WORKSPACE] = "workspace", [BUF_SCRATCH] = "scratch",
    [BUF_INPUT] = "input",     [BUF_OUTPUT] = "output",       [BUF_TABLE] = "table",
};
enum { KINDS = sizeof kind_names / sizeof *kind_names };

static const char legend[] =
    "# Loops, the loop IR of reformerc. A '#' starts a comment; one instruction per line.\n"
    "#   U                       run-time length of `dynamic`, in units; sizes are linear in it\n"
    "#   buffer B: kind elem [dims] at byte, slot number, range of values, scratch of kernel\n"
    "#   kernel K(%p < n) tasks(%t < n)  runs once for every point of the task space, in any order\n"
    "#   %x.3                    a value: name, number, or both where the name is not unique\n"
    "#   op.f32x16               the type is written where operands do not imply it\n"
    "#   B[%i, 12*%j + 3]        element of a buffer; a vector starts there, along the last dim\n"
    "#   %r = for %i = 0 .. 9 with %a = %z {   carries %a; `yield` gives the next, at last %r\n";

/* ---- print: values and numbers -------------------------------------------------------------- */

typedef struct {
    sbuf_t *out;
    const value_t **unique; /* [n_values]: at its id, a value whose name no other one has */
    int n_unique;
    int depth;
    size_t line_start;
} printer_t;

typedef struct {
    const value_t **list;
    size_t n, cap;
    arena_t *arena;
} values_t;

static void collect(values_t *all, const value_t *v) {
    if (v->name && name_is_valid(v->name)) ARENA_PUSH(all->arena, all->list, all->n, all->cap) = v;
}

static void collect_block(values_t *all, const block_t *b);

static void collect_inst(values_t *all, const inst_t *i) {
    if (i->result) collect(all, i->result);
    for (int k = 0; k < i->n_results; k++) collect(all, i->results[k]);
    if (i->body) collect_block(all, i->body);
    if (i->otherwise) collect_block(all, i->otherwise);
}

static void collect_block(values_t *all, const block_t *b) {
    for (int k = 0; k < b->n_args; k++) collect(all, b->args[k]);
    for (size_t k = 0; k < b->n; k++) collect_inst(all, b->insts[k]);
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const value_t *const *)a)->name, (*(const value_t *const *)b)->name);
}

static void find_unique(printer_t *p, arena_t *scratch, const lfunc_t *f) {
    values_t all = {.arena = scratch};
    for (int k = 0; k < f->n_params; k++) collect(&all, f->params[k]);
    for (int k = 0; k < f->n_tasks; k++) collect(&all, f->task[k]);
    collect_block(&all, f->body);
    p->n_unique = f->n_values;
    p->unique = ARENA_ARRAY(scratch, const value_t *, f->n_values);
    if (all.n) qsort(all.list, all.n, sizeof *all.list, by_name);
    for (size_t k = 0; k < all.n; k++) {
        const value_t *v = all.list[k];
        bool shared = (k > 0 && by_name(&all.list[k - 1], &all.list[k]) == 0) ||
                      (k + 1 < all.n && by_name(&all.list[k], &all.list[k + 1]) == 0);
        if (!shared && v->id < f->n_values) p->unique[v->id] = v;
    }
}

static void print_value(printer_t *p, const value_t *v) {
    if (!v) sbuf_puts(p->out, "%?");
    else if (!v->name || !name_is_valid(v->name)) sbuf_printf(p->out, "%%%d", v->id);
    else if (v->id < p->n_unique && p->unique[v->id] == v) sbuf_printf(p->out, "%%%s", v->name);
    else sbuf_printf(p->out, "%%%s.%d", v->name, v->id);
}

static void print_type(sbuf_t *s, ltype_t t) {
    sbuf_puts(s, elem_name(t.elem));
    if (t.lanes > 1) sbuf_printf(s, "x%d", t.lanes);
}

/* The shortest decimal that reads back as the same number. */
static void print_float(sbuf_t *s, elem_t e, double x) {
    char text[40];
    if (isnan(x)) sbuf_puts(s, "nan");
    else if (isinf(x)) sbuf_puts(s, x < 0 ? "-inf" : "inf");
    else {
        for (int digits = 1; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, x);
            if (const_round(e, strtod(text, NULL)) == x) break;
        }
        sbuf_puts(s, text);
    }
}

static void print_string(sbuf_t *s, const char *text) {
    sbuf_puts(s, "\"");
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') sbuf_printf(s, "\\%c", *c);
        else if (*c == '\n') sbuf_puts(s, "\\n");
        else if ((unsigned char)*c < 0x20 || *c == 0x7F) sbuf_printf(s, "\\x%02x", (unsigned)*c);
        else sbuf_write(s, c, 1);
    }
    sbuf_puts(s, "\"");
}

/* ---- print: sums ----------------------------------------------------------------------------- */

static unsigned long long magnitude(int64_t x) {
    return x < 0 ? 0 - (unsigned long long)x : (unsigned long long)x;
}

/* One term of a sum: k, k*U, k*%v, k*U*%v. A factor of 1 is left out where something follows. */
static void print_term(sbuf_t *s, bool *first, int64_t k, bool times_u, bool more) {
    sbuf_puts(s, *first ? (k < 0 ? "-" : "") : (k < 0 ? " - " : " + "));
    *first = false;
    bool one = magnitude(k) == 1;
    if (!one || !(times_u || more)) sbuf_printf(s, "%llu%s", magnitude(k), times_u ? "*" : "");
    if (times_u) sbuf_puts(s, "U");
    if (more && !(one && !times_u)) sbuf_puts(s, "*");
}

static void print_dim_terms(sbuf_t *s, bool *first, dim_t d) {
    if (d.u) print_term(s, first, d.u, true, false);
    if (d.c || *first) print_term(s, first, d.c, false, false);
}

void print_dim(sbuf_t *s, dim_t d) {
    bool first = true;
    print_dim_terms(s, &first, d);
}

const char *dim_text(arena_t *a, dim_t d) {
    sbuf_t s = {0};
    print_dim(&s, d);
    const char *text = arena_strdup(a, s.data);
    sbuf_free(&s);
    return text;
}

static void print_affine(printer_t *p, const affine_t *a) {
    bool first = true;
    for (int k = 0; k < a->n; k++) {
        dim_t c = a->term[k].coef;
        if (c.c && c.u) {
            sbuf_puts(p->out, first ? "(" : " + (");
            print_dim(p->out, c);
            sbuf_puts(p->out, ")*");
            first = false;
        } else {
            print_term(p->out, &first, c.u ? c.u : c.c, c.u != 0, true);
        }
        print_value(p, a->term[k].value);
    }
    if (first || a->base.c || a->base.u) print_dim_terms(p->out, &first, a->base);
}

/* ---- print: instructions --------------------------------------------------------------------- */

static void newline(printer_t *p) {
    sbuf_printf(p->out, "\n%*s", p->depth * INDENT, "");
    p->line_start = p->out->size - (size_t)(p->depth * INDENT);
}

/* Between the elements of a list; long lists go on in the next line. */
static void comma(printer_t *p) {
    if (p->out->size - p->line_start < WRAP_COLUMN) {
        sbuf_puts(p->out, ", ");
        return;
    }
    sbuf_puts(p->out, ",");
    p->depth += WRAP_INDENT / INDENT;
    newline(p);
    p->depth -= WRAP_INDENT / INDENT;
}

static void print_values(printer_t *p, value_t *const *values, int n) {
    for (int k = 0; k < n; k++) {
        if (k) comma(p);
        print_value(p, values[k]);
    }
}

static void print_types(printer_t *p, value_t *const *values, int n) {
    for (int k = 0; k < n; k++) {
        if (k) comma(p);
        print_type(p->out, values[k]->type);
    }
}

static void print_access(printer_t *p, const inst_t *i) {
    sbuf_printf(p->out, "%s[", i->buffer->name);
    for (int d = 0; d < i->n_index; d++) {
        if (d) sbuf_puts(p->out, ", ");
        print_affine(p, &i->index[d]);
    }
    sbuf_puts(p->out, "]");
}

static void separate(printer_t *p, bool *first) {
    if (*first) sbuf_puts(p->out, " ");
    else comma(p);
    *first = false;
}

static void print_part(printer_t *p, const inst_t *i, unsigned part) {
    switch (part) {
    case LITERAL:
        if (!elem_is_float(i->result->type.elem)) sbuf_printf(p->out, "%lld", (long long)i->i);
        else print_float(p->out, i->result->type.elem, i->f);
        break;
    case ACCESS: print_access(p, i); break;
    case COUNT: sbuf_printf(p->out, "%lld", (long long)i->i); break;
    case DIVISOR: print_dim(p->out, i->d); break;
    case LANES:
        for (int k = 0; k < i->result->type.lanes; k++)
            sbuf_printf(p->out, "%s%d", k ? ", " : "{", i->lanes[k]);
        sbuf_puts(p->out, "}");
        break;
    default: print_affine(p, i->index); break;
    }
}

static void print_plain(printer_t *p, const inst_t *i) {
    unsigned has = parts[i->op];
    bool first = true;
    if (op_info[i->op].result == RULE_EXPLICIT) {
        sbuf_puts(p->out, ".");
        print_type(p->out, i->result->type);
    }
    for (unsigned part = LITERAL; part <= ACCESS; part *= 2)
        if (has & part) {
            separate(p, &first);
            print_part(p, i, part);
        }
    for (int k = 0; k < i->n_operands; k++) {
        separate(p, &first);
        print_value(p, i->operand[k]);
    }
    for (unsigned part = COUNT; part <= AFFINE; part *= 2)
        if (has & part) {
            separate(p, &first);
            print_part(p, i, part);
        }
}

static void print_for(printer_t *p, const inst_t *i) {
    sbuf_puts(p->out, " ");
    print_value(p, loop_var(i));
    sbuf_puts(p->out, " = ");
    print_dim(p->out, i->d);
    sbuf_puts(p->out, " .. ");
    print_dim(p->out, i->e);
    for (int k = 0; k < i->n_values; k++) {
        if (k) comma(p);
        else sbuf_puts(p->out, " with ");
        print_value(p, loop_arg(i, k));
        sbuf_puts(p->out, " = ");
        print_value(p, i->values[k]);
    }
    sbuf_puts(p->out, " {");
}

static void print_if(printer_t *p, const inst_t *i) {
    sbuf_puts(p->out, " ");
    print_value(p, i->operand[0]);
    if (i->n_results) sbuf_puts(p->out, " -> ");
    print_types(p, i->results, i->n_results);
    sbuf_puts(p->out, " {");
}

static void print_list(printer_t *p, const inst_t *i) {
    if (i->n_values) sbuf_puts(p->out, " ");
    print_values(p, i->values, i->n_values);
}

static void print_call(printer_t *p, const inst_t *i) {
    sbuf_printf(p->out, " %s(", i->callee->name);
    print_values(p, i->values, i->n_values);
    sbuf_puts(p->out, ")");
}

static void print_trace(printer_t *p, const inst_t *i) {
    sbuf_puts(p->out, " ");
    print_string(p->out, i->text);
    sbuf_printf(p->out, ", %s", i->buffer->name);
    if (i->n_values) sbuf_puts(p->out, ", ");
    print_values(p, i->values, i->n_values);
}

static void print_comment(printer_t *p, const inst_t *i) {
    sbuf_puts(p->out, " ");
    print_string(p->out, i->text);
}

typedef struct parser parser_t;
typedef struct {
    token_t *list;
    int n;
} targets_t; /* what stands left of '=' */
typedef void parse_fn(parser_t *p, inst_t *i, const targets_t *t);
static parse_fn parse_for, parse_if, parse_list, parse_call, parse_trace, parse_comment;

/* Ops whose form is their own. */
static const struct {
    void (*print)(printer_t *p, const inst_t *i);
    parse_fn *parse;
} special[OP_COUNT] = {
    [OP_FOR] = {print_for, parse_for},       [OP_IF] = {print_if, parse_if},
    [OP_YIELD] = {print_list, parse_list},   [OP_RETURN] = {print_list, parse_list},
    [OP_CALL] = {print_call, parse_call},    [OP_LAUNCH] = {print_call, parse_call},
    [OP_TRACE] = {print_trace, parse_trace}, [OP_COMMENT] = {print_comment, parse_comment},
};

static void print_head(printer_t *p, const inst_t *i) {
    if (i->result) print_value(p, i->result);
    print_values(p, i->results, i->n_results);
    if (i->result || i->n_results) sbuf_puts(p->out, " = ");
    sbuf_puts(p->out, op_info[i->op].name);
    if (special[i->op].print) special[i->op].print(p, i);
    else print_plain(p, i);
}

static void print_block(printer_t *p, const block_t *b) {
    p->depth++;
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        newline(p);
        print_head(p, i);
        if (i->body) print_block(p, i->body);
        if (i->otherwise && (i->otherwise->n || i->n_results)) {
            newline(p);
            sbuf_puts(p->out, "} else {");
            print_block(p, i->otherwise);
        }
        if (i->body) {
            newline(p);
            sbuf_puts(p->out, "}");
        }
    }
    p->depth--;
}

char *inst_text(arena_t *a, const lfunc_t *f, const inst_t *i) {
    sbuf_t s = {0};
    printer_t p = {.out = &s};
    if (f) find_unique(&p, a, f);
    print_head(&p, i);
    char *text = arena_strdup(a, s.data);
    sbuf_free(&s);
    return text;
}

/* ---- print: the module ------------------------------------------------------------------------ */

static void print_data(printer_t *p, const buffer_t *b) {
    int64_t n = buffer_bytes(b).c / elem_bytes(b->elem);
    sbuf_puts(p->out, " = {");
    for (int64_t k = 0; k < n; k++) {
        if (k) comma(p);
        sbuf_printf(p->out, "%d", b->data[k]);
    }
    sbuf_puts(p->out, "}");
}

static void print_buffer(printer_t *p, const buffer_t *b) {
    newline(p);
    sbuf_printf(p->out, "buffer %s: %s %s [", b->name, kind_names[b->kind], elem_name(b->elem));
    for (int k = 0; k < b->rank; k++) {
        if (k) sbuf_puts(p->out, ", ");
        print_dim(p->out, b->dims[k]);
    }
    sbuf_puts(p->out, "]");
    if (b->owner) sbuf_printf(p->out, " of %s", b->owner->name);
    if (b->kind == BUF_WEIGHTS || b->planned) {
        sbuf_puts(p->out, " at ");
        print_dim(p->out, b->offset);
    }
    if (b->kind == BUF_INPUT || b->kind == BUF_OUTPUT) sbuf_printf(p->out, " slot %d", b->slot);
    if (b->has_range) {
        sbuf_puts(p->out, " range ");
        print_dim(p->out, b->lo);
        sbuf_puts(p->out, " .. ");
        print_dim(p->out, b->hi);
    }
    if (b->comment) {
        sbuf_puts(p->out, " ");
        print_string(p->out, b->comment);
    }
    if (b->kind == BUF_TABLE && b->data) print_data(p, b);
}

static void print_params(printer_t *p, const lfunc_t *f) {
    sbuf_puts(p->out, "(");
    for (int k = 0; k < f->n_params; k++) {
        if (k) comma(p);
        if (f->kind == FN_FUNC) {
            print_type(p->out, f->params[k]->type);
            sbuf_puts(p->out, " ");
        }
        print_value(p, f->params[k]);
        if (f->kind == FN_KERNEL) sbuf_printf(p->out, " < %lld", (long long)f->params[k]->hi.c + 1);
    }
    sbuf_puts(p->out, ")");
}

static void print_tasks(printer_t *p, const lfunc_t *f) {
    sbuf_puts(p->out, " tasks(");
    for (int k = 0; k < f->n_tasks; k++) {
        if (k) comma(p);
        print_value(p, f->task[k]);
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
    newline(p);
    sbuf_printf(p->out, "%s %s", words[f->kind], f->name);
    if (f->kind != FN_ENTRY) print_params(p, f);
    for (int k = 0; k < f->n_results; k++) {
        sbuf_puts(p->out, k ? ", " : " -> ");
        print_type(p->out, f->results[k]);
    }
    if (f->kind == FN_KERNEL) print_tasks(p, f);
    print_some_dim(p, "scratch", f->scratch_bytes);
    if (f->comment) {
        sbuf_puts(p->out, " ");
        print_string(p->out, f->comment);
    }
    sbuf_puts(p->out, " {");
    print_block(p, f->body);
    newline(p);
    sbuf_puts(p->out, "}");
}

void module_print(const module_t *m, sbuf_t *out) {
    printer_t p = {.out = out};
    sbuf_puts(out, legend);
    sbuf_puts(out, "module ");
    print_string(out, m->name);
    sbuf_puts(out, " target ");
    print_string(out, m->target->name);
    if (m->units.max)
        sbuf_printf(out, " units %lld .. %lld", (long long)m->units.min, (long long)m->units.max);
    print_some_dim(&p, "workspace", m->workspace_bytes);
    print_some_dim(&p, "scratch", m->scratch_bytes);
    sbuf_puts(out, "\n");
    for (size_t k = 0; k < m->n_buffers; k++) print_buffer(&p, m->buffers[k]);
    for (size_t k = 0; k < m->n_funcs; k++) {
        arena_t *scratch = arena_new();
        find_unique(&p, scratch, m->funcs[k]);
        print_func(&p, m->funcs[k]);
        arena_free(scratch);
    }
    sbuf_puts(out, "\n");
}

/* ---- parse: names ---------------------------------------------------------------------------- */

typedef struct {
    const char *key;
    size_t n;
    void *what;
} symbol_t;

typedef struct {
    symbol_t *slots; /* open addressing; at most half of them taken */
    size_t size, taken;
} table_t;

struct parser {
    lexer_t x;
    arena_t *scratch; /* gone after the parse */
    module_t *m;
    lfunc_t *f;
    block_t *at;
    int depth, largest_id;
    table_t values, buffers, funcs;
    struct {
        buffer_t *buffer;
        token_t owner;
    } * scratches; /* buffers whose kernel comes later in the text */
    size_t n_scratches, cap_scratches;
};

static symbol_t *probe(const table_t *t, const char *key, size_t n) {
    size_t k = hash64(HASH64_INIT, key, n) & (t->size - 1);
    while (t->slots[k].key && (t->slots[k].n != n || memcmp(t->slots[k].key, key, n) != 0))
        k = (k + 1) & (t->size - 1);
    return &t->slots[k];
}

static void *look_up(const table_t *t, const char *key, size_t n) {
    return t->size ? probe(t, key, n)->what : NULL;
}

/* False when the key is there already. */
static bool enter(parser_t *p, table_t *t, const char *key, size_t n, void *what) {
    if (t->taken * 2 >= t->size) {
        table_t old = *t;
        t->size = old.size ? old.size * 2 : 64;
        t->slots = ARENA_ARRAY(p->scratch, symbol_t, t->size);
        for (size_t k = 0; k < old.size; k++)
            if (old.slots[k].key) *probe(t, old.slots[k].key, old.slots[k].n) = old.slots[k];
    }
    symbol_t *s = probe(t, key, n);
    if (s->key) return false;
    *s = (symbol_t){key, n, what};
    t->taken++;
    return true;
}

static value_t *take_value(parser_t *p) {
    token_t *t = &p->x.token;
    if (t->kind != TK_VALUE) {
        lex_error(&p->x, "expected a value");
        return NULL;
    }
    value_t *v = look_up(&p->values, t->text, t->n);
    if (!v) lex_error(&p->x, "%%%.*s is not defined before this", (int)t->n, t->text);
    lex_next(&p->x);
    return v;
}

/* Splits name.12, name, 12; the number is -1 where there is none. */
static bool split_value(parser_t *p, const token_t *t, const char **name, int *id) {
    size_t n = 0;
    while (n < t->n && t->text[n] != '.') n++;
    bool number_only = t->text[0] >= '0' && t->text[0] <= '9';
    size_t digits = number_only ? 0 : n + 1;
    *name = number_only ? NULL : arena_strndup(p->m->arena, t->text, n);
    *id = -1;
    if (*name && !name_is_valid(*name)) return false;
    if (digits >= t->n) return true;
    int64_t v = 0;
    for (size_t k = digits; k < t->n; k++) {
        if (t->text[k] < '0' || t->text[k] > '9' || v >= MAX_VALUES) return false;
        v = v * 10 + (t->text[k] - '0');
    }
    *id = (int)v;
    return v < MAX_VALUES;
}

/* Values without a number get one at the end of the function, beyond those that have. */
static value_t *declare(parser_t *p, const token_t *t, ltype_t type, inst_t *def) {
    const char *name = NULL;
    int id = -1;
    if (p->x.failed || t->kind != TK_VALUE) {
        lex_error_at(&p->x, t, "expected a value to define");
        t = NULL;
    } else if (!split_value(p, t, &name, &id)) {
        lex_error_at(&p->x, t, "bad name of a value");
    }
    value_t *v = value_new(p->m, p->f, type, def, name);
    v->id = id;
    if (id > p->largest_id) p->largest_id = id;
    if (t && !enter(p, &p->values, t->text, t->n, v))
        lex_error_at(&p->x, t, "%%%.*s is defined twice", (int)t->n, t->text);
    return v;
}

static value_t *declare_here(parser_t *p, ltype_t type, inst_t *def) {
    token_t t = p->x.token;
    value_t *v = declare(p, &t, type, def);
    lex_next(&p->x);
    return v;
}

/* ---- parse: types, sums ---------------------------------------------------------------------- */

static elem_t take_elem(parser_t *p) {
    for (int e = 0; e < E_COUNT; e++)
        if (lex_accept_name(&p->x, elem_name((elem_t)e))) return (elem_t)e;
    lex_error(&p->x, "expected an element type (f32, f64, bf16, i8, u8, i32, i64)");
    return E_F32;
}

static ltype_t take_type(parser_t *p) {
    const token_t *t = &p->x.token;
    for (int e = 0; t->kind == TK_NAME && e < E_COUNT; e++) {
        const char *name = elem_name((elem_t)e);
        size_t n = strlen(name), lanes = 0;
        if (t->n < n || memcmp(t->text, name, n) != 0 || (t->n > n && t->text[n] != 'x')) continue;
        for (size_t k = n + 1; k < t->n && lanes <= MAX_LANES; k++)
            lanes = t->text[k] >= '0' && t->text[k] <= '9' ? lanes * 10 + (size_t)(t->text[k] - '0')
                                                           : MAX_LANES + 1;
        ltype_t type = {(elem_t)e, t->n > n ? (int)lanes : 1};
        const char *wrong = type_error(type, p->m->target);
        if (wrong) lex_error(&p->x, "%.*s %s", (int)t->n, t->text, wrong);
        else if (t->n > n && lanes == 1) lex_error(&p->x, "a scalar is written %s", name);
        lex_next(&p->x);
        return p->x.failed ? SCALAR((elem_t)e) : type;
    }
    lex_error(&p->x, "expected a type such as f32x16 or i64");
    return SCALAR(E_F32);
}

static bool starts_factor(const parser_t *p) {
    return p->x.token.kind == TK_NUMBER || p->x.token.kind == TK_VALUE || lex_is(&p->x, '(') ||
           lex_is_name(&p->x, "U");
}

static affine_t take_sum(parser_t *p, bool with_values);

/* number, U, value, or a sum in parentheses without values */
static void take_factor(parser_t *p, bool with_values, dim_t *coef, value_t **value) {
    dim_t factor = dim(1);
    if (p->x.token.kind == TK_VALUE) {
        if (!with_values) lex_error(&p->x, "a dimension has no values in it");
        else if (*value) lex_error(&p->x, "a product of values is not affine");
        *value = take_value(p);
        return;
    }
    if (lex_accept_name(&p->x, "U")) factor = (dim_t){0, 1};
    else if (lex_is(&p->x, '(') && p->depth < MAX_BLOCK_DEPTH) {
        lex_next(&p->x);
        p->depth++;
        factor = take_sum(p, false).base;
        p->depth--;
        lex_expect(&p->x, ')');
    } else {
        factor.c = lex_take_int(&p->x);
    }
    if (!p->x.failed && !dim_mul(*coef, factor, p->m->units, coef))
        lex_error(&p->x, "the product is too large, or not linear in U (which needs `units`)");
}

static void add_to_sum(parser_t *p, affine_t *sum, dim_t coef, value_t *value) {
    if (p->x.failed) return;
    affine_t term = {.base = coef};
    if (value) {
        term = (affine_t){.n = 1};
        term.term[0].value = value;
        term.term[0].coef = coef;
        if (sum->n == AFFINE_TERMS) {
            lex_error(&p->x, "an affine expression has at most %d terms", AFFINE_TERMS);
            return;
        }
        if (coef.c == 0 && coef.u == 0) return;
    }
    affine_t s = ax_add(*sum, term);
    bool fits = dim_fits(s.base, p->m->units);
    for (int k = 0; k < s.n; k++) fits = fits && dim_fits(s.term[k].coef, p->m->units);
    if (!fits) lex_error(&p->x, "the sum is too large");
    else *sum = s;
}

static affine_t take_sum(parser_t *p, bool with_values) {
    affine_t sum = ax(0);
    bool minus = lex_accept(&p->x, '-');
    do {
        dim_t coef = dim(minus ? -1 : 1);
        value_t *value = NULL;
        if (!starts_factor(p))
            lex_error(&p->x, "expected a number, U%s", with_values ? ", or a value" : "");
        do take_factor(p, with_values, &coef, &value);
        while (lex_accept(&p->x, '*'));
        add_to_sum(p, &sum, coef, value);
        minus = lex_is(&p->x, '-');
    } while (lex_accept(&p->x, '+') || lex_accept(&p->x, '-'));
    return sum;
}

static dim_t take_dim(parser_t *p) {
    return take_sum(p, false).base;
}

/* ---- parse: instructions --------------------------------------------------------------------- */

static value_t **take_values(parser_t *p, int *n) {
    value_t **list = NULL;
    size_t count = 0, cap = 0;
    if (p->x.token.kind == TK_VALUE) {
        do ARENA_PUSH(p->m->arena, list, count, cap) = take_value(p);
        while (lex_accept(&p->x, ','));
    }
    *n = (int)count;
    return list;
}

static targets_t take_targets(parser_t *p) {
    token_t *list = NULL;
    size_t n = 0, cap = 0;
    if (p->x.token.kind != TK_VALUE) return (targets_t){0};
    do {
        ARENA_PUSH(p->scratch, list, n, cap) = p->x.token;
        if (p->x.token.kind != TK_VALUE) lex_error(&p->x, "expected a value to define");
        lex_next(&p->x);
    } while (lex_accept(&p->x, ','));
    lex_expect(&p->x, '=');
    return (targets_t){list, (int)n};
}

/* The results of for, if and call: one name for each type. */
static void declare_results(parser_t *p, inst_t *i, const targets_t *t, int n,
                            const ltype_t *types) {
    if (t->n != n) lex_error(&p->x, "%s has %d results, not %d", op_info[i->op].name, n, t->n);
    if (p->x.failed) return;
    i->results = ARENA_ARRAY(p->m->arena, value_t *, n);
    i->n_results = n;
    for (int k = 0; k < n; k++) i->results[k] = declare(p, &t->list[k], types[k], i);
}

static void take_block(parser_t *p, block_t *b);

static void parse_for(parser_t *p, inst_t *i, const targets_t *t) {
    token_t *names = NULL;
    size_t n = 0, cap = 0, cap_values = 0, n_values = 0;
    token_t var = p->x.token;
    lex_next(&p->x);
    lex_expect(&p->x, '=');
    i->d = take_dim(p);
    lex_expect(&p->x, RANGE);
    i->e = take_dim(p);
    if (lex_accept_name(&p->x, "with")) {
        do {
            ARENA_PUSH(p->scratch, names, n, cap) = p->x.token;
            lex_next(&p->x);
            lex_expect(&p->x, '=');
            ARENA_PUSH(p->m->arena, i->values, n_values, cap_values) = take_value(p);
        } while (lex_accept(&p->x, ','));
    }
    i->body = block_new(p->m, i);
    if (p->x.failed) return;
    i->n_values = (int)n;
    i->body->args = ARENA_ARRAY(p->m->arena, value_t *, n + 1);
    i->body->n_args = (int)n + 1;
    i->body->args[0] = declare(p, &var, SCALAR(E_I64), i);
    ltype_t *types = ARENA_ARRAY(p->scratch, ltype_t, n);
    for (size_t k = 0; k < n; k++) {
        types[k] = i->values[k]->type;
        i->body->args[k + 1] = declare(p, &names[k], types[k], i);
    }
    take_block(p, i->body);
    declare_results(p, i, t, (int)n, types);
}

static void parse_if(parser_t *p, inst_t *i, const targets_t *t) {
    ltype_t *types = NULL;
    size_t n = 0, cap = 0;
    i->operand[0] = take_value(p);
    i->n_operands = 1;
    if (lex_accept(&p->x, ARROW)) {
        do ARENA_PUSH(p->scratch, types, n, cap) = take_type(p);
        while (lex_accept(&p->x, ','));
    }
    i->body = block_new(p->m, i);
    i->otherwise = block_new(p->m, i);
    take_block(p, i->body);
    if (lex_accept_name(&p->x, "else")) take_block(p, i->otherwise);
    declare_results(p, i, t, (int)n, types);
}

static void parse_list(parser_t *p, inst_t *i, const targets_t *t) {
    i->values = take_values(p, &i->n_values);
    declare_results(p, i, t, 0, NULL);
}

static void parse_call(parser_t *p, inst_t *i, const targets_t *t) {
    token_t at = p->x.token;
    fnkind_t kind = i->op == OP_CALL ? FN_FUNC : FN_KERNEL;
    lfunc_t *f = look_up(&p->funcs, at.text, at.n);
    if (at.kind != TK_NAME || !f || f->kind != kind)
        lex_error(&p->x, "expected a %s defined before this",
                  kind == FN_FUNC ? "function" : "kernel");
    lex_next(&p->x);
    lex_expect(&p->x, '(');
    i->values = take_values(p, &i->n_values);
    lex_expect(&p->x, ')');
    if (p->x.failed) return;
    i->callee = f;
    if (i->n_values != f->n_params)
        lex_error_at(&p->x, &at, "%s takes %d arguments, not %d", f->name, f->n_params,
                     i->n_values);
    declare_results(p, i, t, f->n_results, f->results);
}

static buffer_t *take_buffer(parser_t *p) {
    buffer_t *b = look_up(&p->buffers, p->x.token.text, p->x.token.n);
    if (p->x.token.kind != TK_NAME || !b) lex_error(&p->x, "expected the name of a buffer");
    lex_next(&p->x);
    return b;
}

static void parse_trace(parser_t *p, inst_t *i, const targets_t *t) {
    i->text = lex_take_string(&p->x, "the name of a tensor");
    lex_expect(&p->x, ',');
    i->buffer = take_buffer(p);
    if (lex_accept(&p->x, ',')) i->values = take_values(p, &i->n_values);
    declare_results(p, i, t, 0, NULL);
}

static void parse_comment(parser_t *p, inst_t *i, const targets_t *t) {
    i->text = lex_take_string(&p->x, "a text");
    declare_results(p, i, t, 0, NULL);
}

static void take_literal(parser_t *p, inst_t *i, ltype_t type) {
    token_t at = p->x.token;
    if (!elem_is_float(type.elem)) {
        i->i = lex_take_int(&p->x);
        return;
    }
    double x = lex_take_number(&p->x);
    i->f = const_round(type.elem, x);
    if (isinf(i->f) && !isinf(x)) lex_error_at(&p->x, &at, "the number is too large for its type");
}

static void take_access(parser_t *p, inst_t *i) {
    token_t at = p->x.token;
    i->buffer = take_buffer(p);
    if (!i->buffer) return;
    i->index = ARENA_ARRAY(p->m->arena, affine_t, i->buffer->rank);
    i->n_index = i->buffer->rank;
    lex_expect(&p->x, '[');
    int n = 0;
    do {
        affine_t a = take_sum(p, true);
        if (n < i->n_index) i->index[n] = a;
        n++;
    } while (lex_accept(&p->x, ','));
    lex_expect(&p->x, ']');
    if (n != i->n_index)
        lex_error_at(&p->x, &at, "%s has %d dimensions, not %d", i->buffer->name, i->n_index, n);
}

static void take_lanes(parser_t *p, inst_t *i) {
    int *lanes = ARENA_ARRAY(p->m->arena, int, MAX_LANES), n = 0;
    lex_expect(&p->x, '{');
    do {
        int64_t lane = lex_take_int(&p->x);
        if (n == MAX_LANES || lane < 0 || lane >= 2 * MAX_LANES) lex_error(&p->x, "bad lanes");
        else lanes[n++] = (int)lane;
    } while (lex_accept(&p->x, ','));
    lex_expect(&p->x, '}');
    i->lanes = lanes;
    if (!p->x.failed && i->operand[0]->type.lanes != n)
        lex_error(&p->x, "as many lanes as the operand has: %d", i->operand[0]->type.lanes);
}

static void take_part(parser_t *p, inst_t *i, unsigned part, ltype_t type) {
    switch (part) {
    case LITERAL: take_literal(p, i, type); break;
    case ACCESS: take_access(p, i); break;
    case COUNT: i->i = lex_take_int(&p->x); break;
    case DIVISOR: i->d = take_dim(p); break;
    case LANES: take_lanes(p, i); break;
    default:
        i->index = ARENA_NEW(p->m->arena, affine_t);
        i->n_index = 1;
        *i->index = take_sum(p, true);
        break;
    }
}

static void take_separator(parser_t *p, bool *first) {
    if (!*first) lex_expect(&p->x, ',');
    *first = false;
}

static void take_parts(parser_t *p, inst_t *i, unsigned from, unsigned to, ltype_t type,
                       bool *first) {
    for (unsigned part = from; part <= to; part *= 2) {
        if (!(parts[i->op] & part)) continue;
        take_separator(p, first);
        take_part(p, i, part, type);
    }
}

static void parse_plain(parser_t *p, inst_t *i, const targets_t *t, const token_t *at) {
    const op_info_t *info = &op_info[i->op];
    ltype_t type = SCALAR(E_F32);
    bool first = true;
    if (info->result == RULE_EXPLICIT) {
        lex_expect(&p->x, '.');
        type = take_type(p);
    }
    take_parts(p, i, LITERAL, ACCESS, type, &first);
    for (int k = 0; k < info->operands; k++) {
        take_separator(p, &first);
        i->operand[k] = take_value(p);
    }
    i->n_operands = info->operands;
    take_parts(p, i, COUNT, AFFINE, type, &first);
    int results = info->result == RULE_NONE ? 0 : 1;
    if (t->n != results)
        lex_error_at(&p->x, at, "%s has %d results, not %d", info->name, results, t->n);
    if (p->x.failed || results == 0) return;
    if (info->result != RULE_EXPLICIT) type = implied_type(i);
    i->result = declare(p, &t->list[0], type, i);
    const char *wrong = i->op == OP_LOAD ? NULL : op_error(i, p->m->target, p->m->units);
    if (wrong) lex_error_at(&p->x, at, "%s: %s", info->name, wrong);
}

static op_t find_op(parser_t *p) {
    const char *names[OP_COUNT];
    for (int op = 0; op < OP_COUNT; op++) {
        names[op] = op_info[op].name;
        if (lex_is_name(&p->x, names[op])) return (op_t)op;
    }
    bool fresh = !p->x.failed;
    token_t *t = &p->x.token;
    const char *word = arena_strndup(p->scratch, t->text, t->kind == TK_NAME ? t->n : 0);
    const char *near = did_you_mean(word, names, OP_COUNT);
    lex_error(&p->x, "expected an instruction or '}'");
    if (fresh && near) diag_hint(p->x.diag, "did you mean '%s'?", near);
    return OP_COUNT;
}

static void take_inst(parser_t *p) {
    targets_t t = take_targets(p);
    token_t at = p->x.token;
    op_t op = find_op(p);
    if (p->x.failed) return;
    lex_next(&p->x);
    inst_t *i = inst_append(p->m, p->at, op);
    i->line = at.line;
    if (special[op].parse) special[op].parse(p, i, &t);
    else parse_plain(p, i, &t, &at);
}

static void take_block(parser_t *p, block_t *b) {
    block_t *outer = p->at;
    p->at = b;
    lex_expect(&p->x, '{');
    if (++p->depth > MAX_BLOCK_DEPTH) lex_error(&p->x, "blocks are nested too deep");
    while (!p->x.failed && !lex_is(&p->x, '}')) {
        if (p->x.token.line == p->x.last_line) lex_error(&p->x, "expected the end of the line");
        take_inst(p);
    }
    p->depth--;
    lex_expect(&p->x, '}');
    p->at = outer;
}

/* ---- parse: the module ------------------------------------------------------------------------ */

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
        dim_t d = take_dim(p);
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
        b->offset = take_dim(p);
        b->planned = b->kind != BUF_WEIGHTS;
    } else if (lex_accept_name(&p->x, "slot")) {
        int64_t slot = lex_take_int(&p->x);
        b->slot = slot < 0 || slot > 255 ? -1 : (int)slot;
    } else if (lex_accept_name(&p->x, "range")) {
        b->has_range = true;
        b->lo = take_dim(p);
        lex_expect(&p->x, RANGE);
        b->hi = take_dim(p);
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
    lex_error(&p->x, "expected weights, workspace, scratch, input, output or table");
    return BUF_WORKSPACE;
}

static void parse_buffer(parser_t *p) {
    token_t at;
    const char *name = take_new_name(p, "the name of a buffer", &at);
    lex_expect(&p->x, ':');
    bufkind_t kind = take_kind(p);
    elem_t elem = take_elem(p);
    buffer_t *b = buffer_new(p->m, kind, name, elem, 0, NULL);
    take_dims(p, b);
    while (!p->x.failed && take_buffer_attribute(p, b)) {
    }
    const char *wrong = p->x.failed ? NULL : buffer_error(b, p->m->units);
    if (wrong) lex_error_at(&p->x, &at, "%s %s", name, wrong);
    if (!p->x.failed && !enter(p, &p->buffers, at.text, at.n, b))
        lex_error_at(&p->x, &at, "two buffers '%s'", name);
}

static void take_func_params(parser_t *p, lfunc_t *f) {
    size_t n = 0, cap = 0;
    lex_expect(&p->x, '(');
    if (!lex_is(&p->x, ')')) {
        do {
            ltype_t type = f->kind == FN_FUNC ? take_type(p) : SCALAR(E_I64);
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
    do ARENA_PUSH(p->m->arena, f->results, n, cap) = take_type(p);
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
        f->task_dims[f->n_tasks++] = take_dim(p);
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
    if (p->x.failed) return;
    lfunc_t *f = func_new(p->m, kind, name);
    p->f = f;
    p->values = (table_t){0};
    p->largest_id = -1;
    if (kind != FN_ENTRY) take_func_params(p, f);
    if (kind == FN_FUNC) take_func_results(p, f);
    if (kind == FN_KERNEL) take_func_tasks(p, f);
    if (kind == FN_KERNEL && lex_accept_name(&p->x, "scratch")) f->scratch_bytes = take_dim(p);
    if (p->x.token.kind == TK_STRING) f->comment = lex_take_string(&p->x, "a comment");
    take_block(p, f->body);
    if (p->x.failed) return;
    number_func(p, f, &at);
    if (!enter(p, &p->funcs, at.text, at.n, f))
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
    if (lex_accept_name(&p->x, "workspace")) p->m->workspace_bytes = take_dim(p);
    if (lex_accept_name(&p->x, "scratch")) p->m->scratch_bytes = take_dim(p);
}

static void resolve_owners(parser_t *p) {
    for (size_t k = 0; k < p->n_scratches && !p->x.failed; k++) {
        const token_t *t = &p->scratches[k].owner;
        lfunc_t *f = look_up(&p->funcs, t->text, t->n);
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
