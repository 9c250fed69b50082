/* The schedule: launches of kernels, traces, parts of outputs that are done. */
#include <string.h>

#include "emit/c_int.h"

const char *dim_product(func_t *f, const dim_t *d, int from, int to) {
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

void put_launch(func_t *f, const inst_t *i) {
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

void put_trace(func_t *f, const inst_t *i) {
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

void put_ready(func_t *f, const inst_t *i) {
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
