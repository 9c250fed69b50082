/* The text form of Loops, .rir: print and parse, so that what one writes the other reads.
 *
 * In: a module, or bytes from anywhere. Out: text that parses back to the same text, or a module
 * and diagnostics. Here: instructions; values are text_values.c's, the rest text_module.c's.
 * Names and operand counts are the columns of ops.def; what else an op carries is the table
 * `parts`; the ops with blocks and lists of their own are the rows of `special`. One instruction
 * per line, after QBE's text form. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loops/text.h"

enum { WRAP_COLUMN = 88, INDENT = 2, WRAP_INDENT = 6 };

/* What an op carries besides operands, in this order: name.type literal access operands count … */
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

/* ---- print: instructions --------------------------------------------------------------------- */

void rir_print_newline(printer_t *p) {
    sbuf_printf(p->out, "\n%*s", p->depth * INDENT, "");
    p->line_start = p->out->size - (size_t)(p->depth * INDENT);
}

/* Between the elements of a list; long lists go on in the next line. */
void rir_print_comma(printer_t *p) {
    if (p->out->size - p->line_start < WRAP_COLUMN) {
        sbuf_puts(p->out, ", ");
        return;
    }
    sbuf_puts(p->out, ",");
    p->depth += WRAP_INDENT / INDENT;
    rir_print_newline(p);
    p->depth -= WRAP_INDENT / INDENT;
}

static void print_values(printer_t *p, value_t *const *values, int n) {
    for (int k = 0; k < n; k++) {
        if (k) rir_print_comma(p);
        rir_print_value(p, values[k]);
    }
}

static void print_types(printer_t *p, value_t *const *values, int n) {
    for (int k = 0; k < n; k++) {
        if (k) rir_print_comma(p);
        rir_print_type(p->out, values[k]->type);
    }
}

static void print_access(printer_t *p, const inst_t *i) {
    sbuf_printf(p->out, "%s[", i->buffer->name);
    for (int d = 0; d < i->n_index; d++) {
        if (d) sbuf_puts(p->out, ", ");
        rir_print_affine(p, &i->index[d]);
    }
    sbuf_puts(p->out, "]");
}

static void separate(printer_t *p, bool *first) {
    if (*first) sbuf_puts(p->out, " ");
    else rir_print_comma(p);
    *first = false;
}

/* A module that a pass broke still prints, for the message about it. */
static ltype_t result_type(const inst_t *i) {
    return i->result ? i->result->type : SCALAR(E_F32);
}

static void print_part(printer_t *p, const inst_t *i, unsigned part) {
    switch (part) {
    case LITERAL:
        if (!elem_is_float(result_type(i).elem)) sbuf_printf(p->out, "%lld", (long long)i->i);
        else rir_print_float(p->out, result_type(i).elem, i->f);
        break;
    case ACCESS: print_access(p, i); break;
    case COUNT: sbuf_printf(p->out, "%lld", (long long)i->i); break;
    case DIVISOR: print_dim(p->out, i->d); break;
    case LANES:
        for (int k = 0; k < result_type(i).lanes; k++)
            sbuf_printf(p->out, "%s%d", k ? ", " : "{", i->lanes[k]);
        sbuf_puts(p->out, "}");
        break;
    default: rir_print_affine(p, i->index); break;
    }
}

static void print_plain(printer_t *p, const inst_t *i) {
    unsigned has = parts[i->op];
    bool first = true;
    if (op_info[i->op].result == RULE_EXPLICIT) {
        sbuf_puts(p->out, ".");
        rir_print_type(p->out, result_type(i));
    }
    for (unsigned part = LITERAL; part <= ACCESS; part *= 2)
        if (has & part) {
            separate(p, &first);
            print_part(p, i, part);
        }
    for (int k = 0; k < i->n_operands; k++) {
        separate(p, &first);
        rir_print_value(p, i->operand[k]);
    }
    for (unsigned part = COUNT; part <= AFFINE; part *= 2)
        if (has & part) {
            separate(p, &first);
            print_part(p, i, part);
        }
}

static void print_for(printer_t *p, const inst_t *i) {
    sbuf_puts(p->out, " ");
    rir_print_value(p, loop_var(i));
    sbuf_puts(p->out, " = ");
    print_dim(p->out, i->d);
    sbuf_puts(p->out, " .. ");
    print_dim(p->out, i->e);
    for (int k = 0; k < i->n_values; k++) {
        if (k) rir_print_comma(p);
        else sbuf_puts(p->out, " with ");
        rir_print_value(p, loop_arg(i, k));
        sbuf_puts(p->out, " = ");
        rir_print_value(p, i->values[k]);
    }
    sbuf_puts(p->out, " {");
}

static void print_if(printer_t *p, const inst_t *i) {
    sbuf_puts(p->out, " ");
    rir_print_value(p, i->operand[0]);
    if (i->likely) sbuf_puts(p->out, " likely");
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

static void print_launch(printer_t *p, const inst_t *i) {
    print_call(p, i);
    if (!i->text) return;
    sbuf_puts(p->out, " as ");
    rir_print_string(p->out, i->text);
    if (i->n_operands) sbuf_puts(p->out, " ");
    print_values(p, i->operand, i->n_operands);
}

static void print_trace(printer_t *p, const inst_t *i) {
    sbuf_puts(p->out, " ");
    rir_print_string(p->out, i->text);
    sbuf_printf(p->out, ", %s", i->buffer->name);
    if (i->n_values) sbuf_puts(p->out, ", ");
    print_values(p, i->values, i->n_values);
}

static void print_ready(printer_t *p, const inst_t *i) {
    sbuf_printf(p->out, " %s, ", i->buffer->name);
    print_values(p, i->values, i->n_values);
}

static void print_comment(printer_t *p, const inst_t *i) {
    sbuf_puts(p->out, " ");
    rir_print_string(p->out, i->text);
}

typedef struct {
    token_t *list;
    int n;
} targets_t; /* what stands left of '=' */
typedef void parse_fn(parser_t *p, inst_t *i, const targets_t *t);
static parse_fn parse_for, parse_if, parse_list, parse_call, parse_launch, parse_trace, parse_ready,
    parse_comment;

/* Ops whose form is their own. */
static const struct {
    void (*print)(printer_t *p, const inst_t *i);
    parse_fn *parse;
} special[OP_COUNT] = {
    [OP_FOR] = {print_for, parse_for},       [OP_IF] = {print_if, parse_if},
    [OP_YIELD] = {print_list, parse_list},   [OP_RETURN] = {print_list, parse_list},
    [OP_CALL] = {print_call, parse_call},    [OP_LAUNCH] = {print_launch, parse_launch},
    [OP_TRACE] = {print_trace, parse_trace}, [OP_COMMENT] = {print_comment, parse_comment},
    [OP_READY] = {print_ready, parse_ready},
};

static void print_head(printer_t *p, const inst_t *i) {
    if (i->result) rir_print_value(p, i->result);
    print_values(p, i->results, i->n_results);
    if (i->result || i->n_results) sbuf_puts(p->out, " = ");
    sbuf_puts(p->out, op_info[i->op].name);
    if (special[i->op].print) special[i->op].print(p, i);
    else print_plain(p, i);
}

void rir_print_block(printer_t *p, const block_t *b) {
    p->depth++;
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        rir_print_newline(p);
        print_head(p, i);
        if (i->body) rir_print_block(p, i->body);
        if (i->otherwise && (i->otherwise->n || i->n_results)) {
            rir_print_newline(p);
            sbuf_puts(p->out, "} else {");
            rir_print_block(p, i->otherwise);
        }
        if (i->body) {
            rir_print_newline(p);
            sbuf_puts(p->out, "}");
        }
    }
    p->depth--;
}

char *inst_text(arena_t *a, const lfunc_t *f, const inst_t *i) {
    sbuf_t s = {0};
    printer_t p = {.out = &s};
    if (f) rir_print_names(&p, a, f);
    print_head(&p, i);
    char *text = arena_strdup(a, s.data);
    sbuf_free(&s);
    return text;
}

/* ---- parse: instructions --------------------------------------------------------------------- */

static value_t **take_values(parser_t *p, int *n) {
    value_t **list = NULL;
    size_t count = 0, cap = 0;
    if (p->x.token.kind == TK_VALUE) {
        do ARENA_PUSH(p->m->arena, list, count, cap) = rir_take_value(p);
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
    for (int k = 0; k < n; k++) i->results[k] = rir_declare_value(p, &t->list[k], types[k], i);
}

static void parse_for(parser_t *p, inst_t *i, const targets_t *t) {
    token_t *names = NULL;
    size_t n = 0, cap = 0, cap_values = 0, n_values = 0;
    token_t var = p->x.token;
    lex_next(&p->x);
    lex_expect(&p->x, '=');
    i->d = rir_take_dim(p);
    lex_expect(&p->x, RANGE);
    i->e = rir_take_dim(p);
    if (lex_accept_name(&p->x, "with")) {
        do {
            ARENA_PUSH(p->scratch, names, n, cap) = p->x.token;
            lex_next(&p->x);
            lex_expect(&p->x, '=');
            ARENA_PUSH(p->m->arena, i->values, n_values, cap_values) = rir_take_value(p);
        } while (lex_accept(&p->x, ','));
    }
    i->body = block_new(p->m, i);
    if (p->x.failed) return;
    i->n_values = (int)n;
    i->body->args = ARENA_ARRAY(p->m->arena, value_t *, n + 1);
    i->body->n_args = (int)n + 1;
    i->body->args[0] = rir_declare_value(p, &var, SCALAR(E_I64), i);
    ltype_t *types = ARENA_ARRAY(p->scratch, ltype_t, n);
    for (size_t k = 0; k < n; k++) {
        types[k] = i->values[k]->type;
        i->body->args[k + 1] = rir_declare_value(p, &names[k], types[k], i);
    }
    rir_take_block(p, i->body);
    declare_results(p, i, t, (int)n, types);
}

static void parse_if(parser_t *p, inst_t *i, const targets_t *t) {
    ltype_t *types = NULL;
    size_t n = 0, cap = 0;
    i->operand[0] = rir_take_value(p);
    i->n_operands = 1;
    i->likely = lex_accept_name(&p->x, "likely");
    if (lex_accept(&p->x, ARROW)) {
        do ARENA_PUSH(p->scratch, types, n, cap) = rir_take_type(p);
        while (lex_accept(&p->x, ','));
    }
    i->body = block_new(p->m, i);
    i->otherwise = block_new(p->m, i);
    rir_take_block(p, i->body);
    if (lex_accept_name(&p->x, "else")) rir_take_block(p, i->otherwise);
    declare_results(p, i, t, (int)n, types);
}

static void parse_list(parser_t *p, inst_t *i, const targets_t *t) {
    i->values = take_values(p, &i->n_values);
    declare_results(p, i, t, 0, NULL);
}

static void parse_call(parser_t *p, inst_t *i, const targets_t *t) {
    token_t at = p->x.token;
    fnkind_t kind = i->op == OP_CALL ? FN_FUNC : FN_KERNEL;
    lfunc_t *f = rir_table_find(&p->funcs, at.text, at.n);
    if (at.kind != TK_NAME || !f || f->kind != kind)
        lex_error(&p->x, "expected a %s defined before this",
                  kind == FN_FUNC ? "function" : "kernel");
    lex_next(&p->x);
    lex_expect(&p->x, '(');
    i->values = take_values(p, &i->n_values);
    lex_expect(&p->x, ')');
    if (p->x.failed || !f) return;
    i->callee = f;
    if (i->n_values != f->n_params)
        lex_error_at(&p->x, &at, "%s takes %d arguments, not %d", f->name, f->n_params,
                     i->n_values);
    declare_results(p, i, t, f->n_results, f->results);
}

/* The layer stands in the line of its label; a value in the next line begins an instruction. */
static void parse_launch(parser_t *p, inst_t *i, const targets_t *t) {
    parse_call(p, i, t);
    if (!lex_accept_name(&p->x, "as")) return;
    i->text = lex_take_string(&p->x, "a label");
    if (p->x.token.kind != TK_VALUE || p->x.token.line != p->x.last_line) return;
    i->operand[0] = rir_take_value(p);
    i->n_operands = 1;
}

static buffer_t *take_buffer(parser_t *p) {
    buffer_t *b = rir_table_find(&p->buffers, p->x.token.text, p->x.token.n);
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

static void parse_ready(parser_t *p, inst_t *i, const targets_t *t) {
    i->buffer = take_buffer(p);
    lex_expect(&p->x, ',');
    i->values = take_values(p, &i->n_values);
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
        affine_t a = rir_take_sum(p, true);
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
    case DIVISOR: i->d = rir_take_dim(p); break;
    case LANES: take_lanes(p, i); break;
    default:
        i->index = ARENA_NEW(p->m->arena, affine_t);
        i->n_index = 1;
        *i->index = rir_take_sum(p, true);
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
        type = rir_take_type(p);
    }
    take_parts(p, i, LITERAL, ACCESS, type, &first);
    for (int k = 0; k < info->operands; k++) {
        take_separator(p, &first);
        i->operand[k] = rir_take_value(p);
    }
    i->n_operands = info->operands;
    take_parts(p, i, COUNT, AFFINE, type, &first);
    int results = info->result == RULE_NONE ? 0 : 1;
    if (t->n != results)
        lex_error_at(&p->x, at, "%s has %d results, not %d", info->name, results, t->n);
    if (p->x.failed || results == 0) return;
    if (info->result != RULE_EXPLICIT) type = implied_type(i);
    i->result = rir_declare_value(p, &t->list[0], type, i);
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

void rir_take_block(parser_t *p, block_t *b) {
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
