/* The builder: how lowering and tests make Loops.
 *
 * In: calls that name ops, values, buffers. Out: instructions at the end of the builder's block.
 * Whatever a call gets wrong is a bug() here and now, where the stack still shows who asked. Only
 * b_fma decides anything: a target without fma gets a mul and an add. */
#include <string.h>

#include "loops/rules.h"

/* ---- plain instructions ---------------------------------------------------------------------- */

inst_t *inst_append(module_t *m, block_t *at, op_t op) {
    inst_t *i = ARENA_NEW(m->arena, inst_t);
    i->op = op;
    i->parent = at;
    ARENA_PUSH(m->arena, at->insts, at->n, at->cap) = i;
    return i;
}

static bool block_is_closed(const block_t *b) {
    return b->n > 0 && (b->insts[b->n - 1]->op == OP_YIELD || b->insts[b->n - 1]->op == OP_RETURN);
}

static inst_t *append(builder_t *b, op_t op, int n, value_t *const *operands) {
    if (n != op_info[op].operands) bug("%s with %d operands", op_info[op].name, n);
    if (block_is_closed(b->at))
        bug("%s: %s after the end of a block", b->fn->name, op_info[op].name);
    inst_t *i = inst_append(b->m, b->at, op);
    i->n_operands = n;
    for (int k = 0; k < n; k++) {
        if (!operands[k]) bug("%s: %s without operand %d", b->fn->name, op_info[op].name, k);
        i->operand[k] = operands[k];
    }
    return i;
}

static value_t *check(builder_t *b, inst_t *i) {
    const char *e = op_error(i, b->m->target, b->m->units);
    if (e) bug("%s: %s: %s", b->fn->name, op_info[i->op].name, e);
    return i->result;
}

static value_t *define(builder_t *b, inst_t *i, ltype_t t) {
    i->result = value_new(b->m, b->fn, t, i, NULL);
    return i->result;
}

static value_t *implied(builder_t *b, op_t op, int n, value_t *const *operands) {
    inst_t *i = append(b, op, n, operands);
    define(b, i, implied_type(i));
    return check(b, i);
}

static value_t *explicit_unary(builder_t *b, op_t op, value_t *x, ltype_t t, int64_t literal) {
    inst_t *i = append(b, op, 1, &x);
    i->i = literal;
    define(b, i, t);
    return check(b, i);
}

value_t *b_const(builder_t *b, ltype_t t, double x) {
    if (!elem_is_float(t.elem)) bug("b_const of an integer type");
    inst_t *i = append(b, OP_CONST, 0, NULL);
    i->f = const_round(t.elem, x);
    define(b, i, t);
    return check(b, i);
}

value_t *b_iconst(builder_t *b, ltype_t t, int64_t x) {
    if (elem_is_float(t.elem)) bug("b_iconst of a float type");
    inst_t *i = append(b, OP_CONST, 0, NULL);
    i->i = x;
    define(b, i, t);
    return check(b, i);
}

value_t *b_unary(builder_t *b, op_t op, value_t *x) {
    if (op != OP_NEG && op != OP_SQRT) bug("%s is not unary", op_info[op].name);
    return implied(b, op, 1, &x);
}

value_t *b_not(builder_t *b, value_t *x) {
    return b_binary(b, OP_XOR, x, b_iconst(b, x->type, -1));
}

value_t *b_binary(builder_t *b, op_t op, value_t *x, value_t *y) {
    if (op_info[op].result != RULE_SAME || op_info[op].operands != 2 || op == OP_SHUFFLE)
        bug("%s is not binary", op_info[op].name);
    return implied(b, op, 2, (value_t *[]){x, y});
}

value_t *b_fma(builder_t *b, value_t *x, value_t *y, value_t *z) {
    if (b->m->target->fma) return implied(b, OP_FMA, 3, (value_t *[]){x, y, z});
    return b_binary(b, OP_ADD, b_binary(b, OP_MUL, x, y), z);
}

value_t *b_dot2(builder_t *b, value_t *acc, value_t *x, value_t *y) {
    return implied(b, OP_DOT2, 3, (value_t *[]){acc, x, y});
}

value_t *b_dot4(builder_t *b, value_t *acc, value_t *x, value_t *y) {
    return implied(b, OP_DOT4, 3, (value_t *[]){acc, x, y});
}

value_t *b_shift(builder_t *b, op_t op, value_t *x, int count) {
    if (op != OP_SHL && op != OP_SHR && op != OP_SAR) bug("%s is no shift", op_info[op].name);
    return explicit_unary(b, op, x, x->type, count);
}

value_t *b_compare(builder_t *b, op_t op, value_t *x, value_t *y) {
    if (op_info[op].result != RULE_MASK) bug("%s does not compare", op_info[op].name);
    return implied(b, op, 2, (value_t *[]){x, y});
}

value_t *b_select(builder_t *b, value_t *mask, value_t *x, value_t *y) {
    return implied(b, OP_SELECT, 3, (value_t *[]){mask, x, y});
}

value_t *b_convert(builder_t *b, elem_t to, value_t *x) {
    if (to == x->type.elem) return x;
    return explicit_unary(b, OP_CONVERT, x, VECTOR(to, x->type.lanes), 0);
}

value_t *b_bitcast(builder_t *b, elem_t to, value_t *x) {
    if (to == x->type.elem) return x;
    int lanes = x->type.lanes * elem_bytes(x->type.elem) / elem_bytes(to);
    return explicit_unary(b, OP_BITCAST, x, VECTOR(to, lanes), 0);
}

value_t *b_broadcast(builder_t *b, value_t *scalar, int lanes) {
    if (lanes == 1) return scalar;
    return explicit_unary(b, OP_BROADCAST, scalar, VECTOR(scalar->type.elem, lanes), 0);
}

value_t *b_shuffle(builder_t *b, value_t *x, value_t *y, const int *lanes) {
    inst_t *i = append(b, OP_SHUFFLE, 2, (value_t *[]){x, y});
    i->lanes = arena_copy(b->m->arena, lanes, (size_t)x->type.lanes * sizeof *lanes);
    define(b, i, x->type);
    return check(b, i);
}

value_t *b_extract(builder_t *b, value_t *x, int lane) {
    return explicit_unary(b, OP_EXTRACT, x, SCALAR(x->type.elem), lane);
}

static value_t *divide(builder_t *b, op_t op, value_t *x, dim_t by) {
    inst_t *i = append(b, op, 1, &x);
    i->d = by;
    define(b, i, x->type);
    return check(b, i);
}

value_t *b_idiv(builder_t *b, value_t *x, dim_t by) {
    return divide(b, OP_IDIV, x, by);
}

value_t *b_irem(builder_t *b, value_t *x, dim_t by) {
    return divide(b, OP_IREM, x, by);
}

value_t *b_index(builder_t *b, affine_t x) {
    inst_t *i = append(b, OP_INDEX, 0, NULL);
    i->index = arena_copy(b->m->arena, &x, sizeof x);
    i->n_index = 1;
    define(b, i, SCALAR(E_I64));
    return check(b, i);
}

value_t *b_name(value_t *v, const char *name) {
    v->name = name;
    return v;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void set_index(builder_t *b, inst_t *i, buffer_t *buf, const affine_t *index) {
    if (buf->owner && buf->owner != b->fn) bug("%s: scratch '%s'", b->fn->name, buf->name);
    i->buffer = buf;
    i->n_index = buf->rank;
    i->index = arena_copy(b->m->arena, index, (size_t)buf->rank * sizeof *index);
}

value_t *b_load(builder_t *b, buffer_t *buf, int lanes, const affine_t *index) {
    inst_t *i = append(b, OP_LOAD, 0, NULL);
    set_index(b, i, buf, index);
    const char *e = type_error(VECTOR(buf->elem, lanes), b->m->target);
    if (e) bug("%s: load of '%s' %s", b->fn->name, buf->name, e);
    return define(b, i, VECTOR(buf->elem, lanes));
}

void b_store(builder_t *b, buffer_t *buf, value_t *x, const affine_t *index) {
    inst_t *i = append(b, OP_STORE, 1, &x);
    set_index(b, i, buf, index);
    if (x->type.elem != buf->elem)
        bug("%s: store to '%s' of %s", b->fn->name, buf->name, elem_name(x->type.elem));
    if (buf->kind == BUF_INPUT || buf->kind == BUF_WEIGHTS || buf->kind == BUF_TABLE)
        bug("%s: store to '%s', which is read-only", b->fn->name, buf->name);
}

void b_prefetch(builder_t *b, buffer_t *buf, const affine_t *index) {
    set_index(b, append(b, OP_PREFETCH, 0, NULL), buf, index);
}

/* ---- structure ------------------------------------------------------------------------------- */

static value_t **copy_values(builder_t *b, int n, value_t *const *v) {
    return n ? arena_copy(b->m->arena, v, (size_t)n * sizeof *v) : NULL;
}

static void define_many(builder_t *b, inst_t *i, int n, const ltype_t *types) {
    i->n_results = n;
    i->results = ARENA_ARRAY(b->m->arena, value_t *, n);
    for (int k = 0; k < n; k++) i->results[k] = value_new(b->m, b->fn, types[k], i, NULL);
}

/* Ends a block: what it yields, unless that is nothing. */
static void yield(builder_t *b, const inst_t *parent, value_t *const *values) {
    if (parent->n_results == 0) return;
    for (int k = 0; k < parent->n_results; k++)
        if (!ltype_equal(values[k]->type, parent->results[k]->type))
            bug("%s: value %d yielded to %s has another type", b->fn->name, k,
                op_info[parent->op].name);
    inst_t *y = append(b, OP_YIELD, 0, NULL);
    y->n_values = parent->n_results;
    y->values = copy_values(b, y->n_values, values);
}

inst_t *b_for(builder_t *b, const char *var, dim_t lo, dim_t hi, int n, value_t *const *init) {
    if (!dim_fits(lo, b->m->units) || !dim_fits(hi, b->m->units))
        bug("%s: for %s", b->fn->name, var ? var : "");
    inst_t *loop = append(b, OP_FOR, 0, NULL);
    loop->d = lo;
    loop->e = hi;
    loop->n_values = n;
    loop->values = copy_values(b, n, init);
    loop->body = block_new(b->m, loop);
    loop->body->n_args = n + 1;
    loop->body->args = ARENA_ARRAY(b->m->arena, value_t *, n + 1);
    loop->body->args[0] = value_new(b->m, b->fn, SCALAR(E_I64), loop, var);
    loop->n_results = n;
    loop->results = ARENA_ARRAY(b->m->arena, value_t *, n);
    for (int k = 0; k < n; k++) {
        loop->body->args[k + 1] = value_new(b->m, b->fn, init[k]->type, loop, NULL);
        loop->results[k] = value_new(b->m, b->fn, init[k]->type, loop, NULL);
    }
    b->at = loop->body;
    return loop;
}

void b_end_for(builder_t *b, inst_t *loop, value_t *const *next) {
    if (b->at != loop->body) bug("%s: end of a loop that is not the innermost", b->fn->name);
    yield(b, loop, next);
    b->at = loop->parent;
}

inst_t *b_if(builder_t *b, value_t *cond, int n, const ltype_t *types) {
    if (!ltype_equal(cond->type, SCALAR(E_I32))) bug("%s: if without an i32", b->fn->name);
    inst_t *branch = append(b, OP_IF, 1, &cond);
    define_many(b, branch, n, types);
    branch->body = block_new(b->m, branch);
    branch->otherwise = block_new(b->m, branch);
    b->at = branch->body;
    return branch;
}

void b_likely(inst_t *branch) {
    if (branch->op != OP_IF) bug("only an if is likely");
    branch->likely = true;
}

void b_else(builder_t *b, inst_t *branch, value_t *const *values) {
    if (b->at != branch->body) bug("%s: else without its if", b->fn->name);
    yield(b, branch, values);
    b->at = branch->otherwise;
}

void b_end_if(builder_t *b, inst_t *branch, value_t *const *values) {
    if (b->at != branch->otherwise && (b->at != branch->body || branch->n_results > 0))
        bug("%s: end of an if that is not the innermost, or lacks its else", b->fn->name);
    yield(b, branch, values);
    b->at = branch->parent;
}

value_t **b_call(builder_t *b, lfunc_t *callee, value_t *const *args) {
    if (callee->kind != FN_FUNC || callee == b->fn)
        bug("%s: call of '%s'", b->fn->name, callee->name);
    for (int k = 0; k < callee->n_params; k++)
        if (!ltype_equal(args[k]->type, callee->params[k]->type))
            bug("%s: argument %d of '%s' has another type", b->fn->name, k, callee->name);
    inst_t *i = append(b, OP_CALL, 0, NULL);
    i->callee = callee;
    i->n_values = callee->n_params;
    i->values = copy_values(b, i->n_values, args);
    define_many(b, i, callee->n_results, callee->results);
    return i->results;
}

value_t *b_call1(builder_t *b, lfunc_t *callee, value_t *x) {
    if (callee->n_params != 1 || callee->n_results != 1) bug("'%s' is not unary", callee->name);
    return b_call(b, callee, &x)[0];
}

void b_return(builder_t *b, value_t *const *results) {
    lfunc_t *f = b->fn;
    if (f->kind != FN_FUNC || b->at != f->body) bug("%s: return", f->name);
    for (int k = 0; k < f->n_results; k++)
        if (!ltype_equal(results[k]->type, f->results[k]))
            bug("%s: result %d has another type", f->name, k);
    inst_t *i = append(b, OP_RETURN, 0, NULL);
    i->n_values = f->n_results;
    i->values = copy_values(b, i->n_values, results);
}

inst_t *b_launch(builder_t *b, lfunc_t *kernel, value_t *const *args) {
    if (b->fn->kind != FN_ENTRY || kernel->kind != FN_KERNEL) bug("launch of '%s'", kernel->name);
    inst_t *i = append(b, OP_LAUNCH, 0, NULL);
    i->callee = kernel;
    i->n_values = kernel->n_params;
    i->values = copy_values(b, i->n_values, args);
    return i;
}

void b_label(builder_t *b, inst_t *launch, const char *text, value_t *layer) {
    const char *wrong = label_error(text, layer != NULL);
    if (launch->op != OP_LAUNCH) wrong = "only launches have one";
    if (!wrong && layer && !ltype_equal(layer->type, SCALAR(E_I64))) wrong = "the layer is an i64";
    if (wrong) bug("label '%s': %s", text, wrong);
    launch->text = arena_strdup(b->m->arena, text);
    launch->n_operands = layer ? 1 : 0;
    launch->operand[0] = layer;
}

void b_trace(builder_t *b, const char *name, value_t *layer, buffer_t *buf) {
    if (b->fn->kind != FN_ENTRY) bug("trace outside of the entry");
    inst_t *i = append(b, OP_TRACE, 0, NULL);
    i->text = arena_strdup(b->m->arena, name);
    i->n_values = layer ? 1 : 0;
    i->values = copy_values(b, i->n_values, &layer);
    i->buffer = buf;
}

void b_ready(builder_t *b, buffer_t *output, value_t *part) {
    if (b->fn->kind != FN_ENTRY) bug("ready outside of the entry");
    inst_t *i = append(b, OP_READY, 0, NULL);
    i->buffer = output;
    i->n_values = 1;
    i->values = copy_values(b, 1, &part);
}

int64_t ready_elements(const buffer_t *b) {
    int64_t n = 1;
    for (int k = 1; k < b->rank; k++) n *= b->dims[k].c;
    return n;
}

int64_t ready_offset(const buffer_t *b) {
    return b->offset.c / (int64_t)sizeof(float);
}

void b_comment(builder_t *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    inst_t *i = append(b, OP_COMMENT, 0, NULL);
    i->text = arena_vprintf(b->m->arena, fmt, ap);
    va_end(ap);
}

/* ---- affine expressions ---------------------------------------------------------------------- */

affine_t ax_v(value_t *v) {
    affine_t a = {.n = 1};
    a.term[0].value = v;
    a.term[0].coef = dim(1);
    return a;
}

static void add_term(affine_t *a, value_t *v, dim_t coef) {
    int k = 0;
    while (k < a->n && a->term[k].value != v) k++;
    if (k == a->n) {
        if (a->n == AFFINE_TERMS) bug("an affine expression of more than %d terms", AFFINE_TERMS);
        a->term[a->n].value = v;
        a->term[a->n++].coef = coef;
        return;
    }
    a->term[k].coef = dim_add(a->term[k].coef, coef);
    if (a->term[k].coef.c != 0 || a->term[k].coef.u != 0) return;
    for (a->n--; k < a->n; k++) a->term[k] = a->term[k + 1];
}

affine_t ax_add(affine_t a, affine_t b) {
    for (int k = 0; k < b.n; k++) add_term(&a, b.term[k].value, b.term[k].coef);
    a.base = dim_add(a.base, b.base);
    return a;
}

affine_t ax_plus(affine_t a, int64_t c) {
    a.base.c += c;
    return a;
}

affine_t ax_scale(affine_t a, int64_t k) {
    return ax_scale_dim(a, dim(k));
}

static dim_t product(dim_t a, dim_t b) {
    dim_t c;
    if (!dim_mul(a, b, (units_t){0, 1}, &c)) bug("a product of two dimensions that mention U");
    return c;
}

affine_t ax_scale_dim(affine_t a, dim_t k) {
    if (k.c == 0 && k.u == 0) return ax(0);
    for (int i = 0; i < a.n; i++) a.term[i].coef = product(a.term[i].coef, k);
    a.base = product(a.base, k);
    return a;
}
