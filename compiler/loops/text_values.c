/* The text of values, types, numbers and sums: print and parse.
 *
 * A value is written %name where the name is unique in its function, %name.number where it is not,
 * %number where it has none, so that text keeps numbers wherever they can be seen. Numbers print as
 * the shortest decimal that reads back to the same bits. A sum is k*U*%v + … + k*U + k. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loops/text.h"
#include "support/hash.h"

/* ---- print: values and numbers --------------------------------------------------------------- */

typedef struct {
    const value_t **list;
    size_t n, cap;
    arena_t *arena;
} value_list_t;

static void collect(value_list_t *all, const value_t *v) {
    if (v->name && name_is_valid(v->name)) ARENA_PUSH(all->arena, all->list, all->n, all->cap) = v;
}

static void collect_block(value_list_t *all, const block_t *b);

static void collect_inst(value_list_t *all, const inst_t *i) {
    if (i->result) collect(all, i->result);
    for (int k = 0; k < i->n_results; k++) collect(all, i->results[k]);
    if (i->body) collect_block(all, i->body);
    if (i->otherwise) collect_block(all, i->otherwise);
}

static void collect_block(value_list_t *all, const block_t *b) {
    for (int k = 0; k < b->n_args; k++) collect(all, b->args[k]);
    for (size_t k = 0; k < b->n; k++) collect_inst(all, b->insts[k]);
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const value_t *const *)a)->name, (*(const value_t *const *)b)->name);
}

void rir_print_names(printer_t *p, arena_t *scratch, const lfunc_t *f) {
    value_list_t all = {.arena = scratch};
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

void rir_print_value(printer_t *p, const value_t *v) {
    if (!v) sbuf_puts(p->out, "%?");
    else if (!v->name || !name_is_valid(v->name)) sbuf_printf(p->out, "%%%d", v->id);
    else if (v->id < p->n_unique && p->unique[v->id] == v) sbuf_printf(p->out, "%%%s", v->name);
    else sbuf_printf(p->out, "%%%s.%d", v->name, v->id);
}

void rir_print_type(sbuf_t *s, ltype_t t) {
    sbuf_puts(s, elem_name(t.elem));
    if (t.lanes > 1) sbuf_printf(s, "x%d", t.lanes);
}

/* The shortest decimal that reads back as the same number. */
void rir_print_float(sbuf_t *s, elem_t e, double x) {
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

void rir_print_string(sbuf_t *s, const char *text) {
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

void rir_print_affine(printer_t *p, const affine_t *a) {
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
        rir_print_value(p, a->term[k].value);
    }
    if (first || a->base.c || a->base.u) print_dim_terms(p->out, &first, a->base);
}

/* ---- parse: names ---------------------------------------------------------------------------- */

static symbol_t *probe(const symbol_table_t *t, const char *key, size_t n) {
    size_t k = hash64(HASH64_INIT, key, n) & (t->size - 1);
    while (t->slots[k].key && (t->slots[k].n != n || memcmp(t->slots[k].key, key, n) != 0))
        k = (k + 1) & (t->size - 1);
    return &t->slots[k];
}

void *rir_table_find(const symbol_table_t *t, const char *key, size_t n) {
    return t->size ? probe(t, key, n)->what : NULL;
}

/* False when the key is there already. */
bool rir_table_enter(parser_t *p, symbol_table_t *t, const char *key, size_t n, void *what) {
    if (t->taken * 2 >= t->size) {
        symbol_table_t old = *t;
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

value_t *rir_take_value(parser_t *p) {
    token_t *t = &p->x.token;
    if (t->kind != TK_VALUE) {
        lex_error(&p->x, "expected a value");
        return NULL;
    }
    value_t *v = rir_table_find(&p->values, t->text, t->n);
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
value_t *rir_declare_value(parser_t *p, const token_t *t, ltype_t type, inst_t *def) {
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
    if (t && !rir_table_enter(p, &p->values, t->text, t->n, v))
        lex_error_at(&p->x, t, "%%%.*s is defined twice", (int)t->n, t->text);
    return v;
}

/* ---- parse: types, sums ---------------------------------------------------------------------- */

elem_t rir_take_elem(parser_t *p) {
    for (int e = 0; e < E_COUNT; e++)
        if (lex_accept_name(&p->x, elem_name((elem_t)e))) return (elem_t)e;
    lex_error(&p->x, "expected an element type (f32, f64, bf16, i8, u8, i32, i64)");
    return E_F32;
}

ltype_t rir_take_type(parser_t *p) {
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

/* number, U, value, or a sum in parentheses without values */
static void take_factor(parser_t *p, bool with_values, dim_t *coef, value_t **value) {
    dim_t factor = dim(1);
    if (p->x.token.kind == TK_VALUE) {
        if (!with_values) lex_error(&p->x, "a dimension has no values in it");
        else if (*value) lex_error(&p->x, "a product of values is not affine");
        *value = rir_take_value(p);
        return;
    }
    if (lex_accept_name(&p->x, "U")) factor = (dim_t){0, 1};
    else if (lex_is(&p->x, '(') && p->depth < MAX_BLOCK_DEPTH) {
        lex_next(&p->x);
        p->depth++;
        factor = rir_take_sum(p, false).base;
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

affine_t rir_take_sum(parser_t *p, bool with_values) {
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

dim_t rir_take_dim(parser_t *p) {
    return rir_take_sum(p, false).base;
}
