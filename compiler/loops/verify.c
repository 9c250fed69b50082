/* The verifier. In: any module, built or parsed. Out: true, or errors that name the function and
 * the instruction. Proves: types (rules.c), scoping of SSA values, what each kind of function
 * may do, launch arguments in the range of their parameters, and that every access stays within
 * its buffer for every U (bounds.c). Leaves in each integer scalar what it found: bounded, lo,
 * hi. */
#include <stdarg.h>
#include <string.h>

#include "loops/bounds.h"

enum { MAX_ERRORS = 40 };

typedef struct {
    module_t *m;
    diag_t *d;
    arena_t *scratch;
    lfunc_t *f;
    size_t f_place;       /* of f in m->funcs */
    const value_t **live; /* [f->n_values]: the value of this id, while it is in scope */
    bool *numbered;       /* [f->n_values]: ids already taken */
    interval_t *interval; /* [f->n_values] */
    int depth, errors;
} verifier_t;

srcloc_t inst_place(const module_t *m, const inst_t *i) {
    if (!m->file || !i || i->line == 0) return IN_FILE(m->file ? m->file : m->name);
    return (srcloc_t){m->file, i->line, 1};
}

/* "kernel 'k': %x = add %a, %b: operands must have one type" */
static void error(verifier_t *v, const inst_t *i, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void error(verifier_t *v, const inst_t *i, const char *fmt, ...) {
    static const char *const kinds[] = {"function", "kernel", "entry"};
    if (++v->errors > MAX_ERRORS) return;
    va_list ap;
    va_start(ap, fmt);
    const char *what = arena_vprintf(v->scratch, fmt, ap);
    va_end(ap);
    const char *text = i ? inst_text(v->scratch, v->f, i) : NULL;
    srcloc_t at = inst_place(v->m, i);
    if (!v->f) diag_error(v->d, at, "%s", what);
    else if (!text) diag_error(v->d, at, "%s '%s' %s", kinds[v->f->kind], v->f->name, what);
    else diag_error(v->d, at, "%s '%s': %s: %s", kinds[v->f->kind], v->f->name, text, what);
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool is_integer_scalar(const value_t *x) {
    return x->type.lanes == 1 && !elem_is_float(x->type.elem);
}

/* The type is known to be legal. */
static void define_checked(verifier_t *v, const inst_t *i, value_t *x, interval_t what) {
    if (x->id < 0 || x->id >= v->f->n_values || v->numbered[x->id]) {
        error(v, i, "the number %d of a value is taken or out of range", x->id);
        return;
    }
    v->numbered[x->id] = true;
    v->live[x->id] = x;
    if (!is_integer_scalar(x)) what = (interval_t){0};
    v->interval[x->id] = what;
    x->bounded = what.has_lo && what.has_hi;
    x->lo = what.lo;
    x->hi = what.hi;
}

static void define(verifier_t *v, const inst_t *i, value_t *x, interval_t what) {
    const char *wrong = type_error(x->type, v->m->target);
    if (wrong) error(v, i, "a value %s", wrong);
    define_checked(v, i, x, what);
}

static void undefine(verifier_t *v, const value_t *x) {
    if (x && x->id >= 0 && x->id < v->f->n_values && v->live[x->id] == x) v->live[x->id] = NULL;
}

static bool in_scope(const verifier_t *v, const value_t *x) {
    return x && x->id >= 0 && x->id < v->f->n_values && v->live[x->id] == x;
}

typedef struct {
    verifier_t *v;
    bool fine;
} use_check_t;

static void check_use(void *ctx, value_t **use) {
    use_check_t *u = ctx;
    u->fine = u->fine && in_scope(u->v, *use);
}

/* Nothing else looks at the operands of an instruction for which this is false. */
static bool check_uses(verifier_t *v, inst_t *i) {
    use_check_t u = {v, true};
    walk_uses(i, check_use, &u);
    if (!u.fine) error(v, i, "uses a value that is not in scope");
    return u.fine;
}

static bool types_match(value_t *const *a, int n, value_t *const *b, int m) {
    if (n != m) return false;
    for (int k = 0; k < n; k++)
        if (!ltype_equal(a[k]->type, b[k]->type)) return false;
    return true;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool check_index_form(verifier_t *v, const inst_t *i) {
    for (int d = 0; d < i->n_index; d++) {
        const affine_t *a = &i->index[d];
        bool fine = a->n >= 0 && a->n <= AFFINE_TERMS && dim_fits(a->base, v->m->units);
        for (int k = 0; fine && k < a->n; k++) {
            ltype_t t = a->term[k].value->type;
            fine = t.lanes == 1 && (t.elem == E_I32 || t.elem == E_I64) &&
                   dim_fits(a->term[k].coef, v->m->units);
        }
        if (fine) continue;
        error(v, i, "an index is a sum of i32 and i64 scalars with small coefficients");
        return false;
    }
    return true;
}

static void check_bounds(verifier_t *v, const inst_t *i, int lanes) {
    const buffer_t *b = i->buffer;
    for (int d = 0; d < b->rank; d++) {
        interval_t x = interval_of_affine(&i->index[d], v->interval, v->m->units);
        int width = d == b->rank - 1 ? lanes : 1;
        dim_t last = dim_sub(b->dims[d], dim(width));
        if (interval_within(x, dim(0), last, v->m->units)) continue;
        error(v, i, "dimension %d of '%s': the index lies in %s, must lie in [0, %s]", d, b->name,
              interval_text(v->scratch, x), dim_text(v->scratch, last));
    }
}

static bool is_read_only(const buffer_t *b) {
    return b->kind == BUF_WEIGHTS || b->kind == BUF_INPUT || b->kind == BUF_TABLE;
}

static const char *access_error(const verifier_t *v, const inst_t *i, ltype_t t) {
    const buffer_t *b = i->buffer;
    if (i->n_index != b->rank) return "needs one index for each dimension";
    if (t.elem != b->elem) return "the element type is not that of the buffer";
    if (b->kind == BUF_SCRATCH && b->owner != v->f) return "the scratch belongs to another kernel";
    if (i->op == OP_STORE && is_read_only(b)) return "the buffer is read-only";
    if (v->f->kind == FN_FUNC) return "functions do not touch memory";
    if (v->f->kind != FN_ENTRY) return NULL;
    if (i->op != OP_LOAD || t.lanes != 1 || (b->kind != BUF_INPUT && b->kind != BUF_TABLE))
        return "the entry only loads scalars of inputs and tables";
    return NULL;
}

static void check_access(verifier_t *v, inst_t *i) {
    ltype_t t = i->op == OP_LOAD    ? i->result->type
                : i->op == OP_STORE ? i->operand[0]->type
                                    : SCALAR(i->buffer->elem);
    const char *wrong = access_error(v, i, t);
    if (!wrong) wrong = type_error(t, v->m->target);
    if (wrong) error(v, i, "%s", wrong);
    else if (check_index_form(v, i)) check_bounds(v, i, t.lanes);
}

/* ---- plain ops ------------------------------------------------------------------------------- */

static const char *entry_error(const inst_t *i) {
    if (i->op == OP_FMA) return "the entry has no fma";
    return i->result->type.lanes == 1 ? NULL : "the entry has no vectors";
}

static void check_plain(verifier_t *v, inst_t *i) {
    bool memory = i->op == OP_LOAD || i->op == OP_STORE || i->op == OP_PREFETCH;
    const char *wrong = memory ? NULL : op_error(i, v->m->target, v->m->units);
    if (!wrong && i->result && v->f->kind == FN_ENTRY) wrong = entry_error(i);
    if (wrong) error(v, i, "%s", wrong);
    else if (memory) check_access(v, i);
    else if (i->op == OP_INDEX && !check_index_form(v, i)) wrong = "";
    if ((i->op == OP_IDIV || i->op == OP_IREM) && !wrong &&
        !interval_not_negative(v->interval[i->operand[0]->id], v->m->units))
        error(v, i, "the operand lies in %s, must not be negative",
              interval_text(v->scratch, v->interval[i->operand[0]->id]));
    if (!i->result) return;
    interval_t what = {0};
    if (!wrong && is_integer_scalar(i->result))
        what = interval_of_inst(i, v->interval, v->m->units);
    define_checked(v, i, i->result, what);
}

/* ---- structure ------------------------------------------------------------------------------- */

static void check_block(verifier_t *v, block_t *b, inst_t *parent);

static void check_yield(verifier_t *v, const inst_t *i, const block_t *b) {
    const inst_t *y = block_yield(b);
    int n = y ? y->n_values : 0;
    if ((y != NULL) != (i->n_results > 0) ||
        !types_match(i->results, i->n_results, y ? y->values : NULL, n))
        error(v, y ? y : i, "a block must yield exactly the results of its %s",
              op_info[i->op].name);
}

static void leave_block(verifier_t *v, const block_t *b) {
    for (int k = 0; k < b->n_args; k++) undefine(v, b->args[k]);
    for (size_t k = 0; k < b->n; k++) {
        undefine(v, b->insts[k]->result);
        for (int r = 0; r < b->insts[k]->n_results; r++) undefine(v, b->insts[k]->results[r]);
    }
}

static void check_for(verifier_t *v, inst_t *i) {
    units_t u = v->m->units;
    block_t *b = i->body;
    if (!b || b->n_args != i->n_values + 1 || !ltype_equal(b->args[0]->type, SCALAR(E_I64)) ||
        !types_match(i->values, i->n_values, b->args + 1, b->n_args - 1) ||
        !types_match(i->values, i->n_values, i->results, i->n_results)) {
        error(v, i, "what is carried differs in number or type");
        return;
    }
    if (!dim_fits(i->d, u) || !dim_fits(i->e, u)) {
        error(v, i, "a bound is too large");
        return;
    }
    define(v, i, b->args[0], interval_exact(i->d, dim_sub(i->e, dim(1))));
    for (int k = 1; k < b->n_args; k++)
        define(v, i, b->args[k], interval_of_elem(b->args[k]->type.elem));
    check_block(v, b, i);
    check_yield(v, i, b);
    leave_block(v, b);
    for (int k = 0; k < i->n_results; k++)
        define(v, i, i->results[k], interval_of_elem(i->results[k]->type.elem));
}

/* Where both branches yield something known, the result lies in one or the other. */
static interval_t joined(const verifier_t *v, const inst_t *i, int k) {
    const inst_t *a = block_yield(i->body), *b = block_yield(i->otherwise);
    elem_t e = i->results[k]->type.elem;
    if (!a || !b || k >= a->n_values || k >= b->n_values) return interval_of_elem(e);
    int x = a->values[k]->id, y = b->values[k]->id;
    if (x < 0 || y < 0 || x >= v->f->n_values || y >= v->f->n_values) return interval_of_elem(e);
    return interval_join(v->interval[x], v->interval[y], v->m->units);
}

static void check_if(verifier_t *v, inst_t *i) {
    if (!ltype_equal(i->operand[0]->type, SCALAR(E_I32))) error(v, i, "the condition must be i32");
    check_block(v, i->body, i);
    check_yield(v, i, i->body);
    leave_block(v, i->body);
    check_block(v, i->otherwise, i);
    check_yield(v, i, i->otherwise);
    leave_block(v, i->otherwise);
    for (int k = 0; k < i->n_results; k++) define(v, i, i->results[k], joined(v, i, k));
}

static bool is_earlier(const verifier_t *v, const lfunc_t *callee, fnkind_t kind) {
    for (size_t k = 0; k < v->f_place; k++)
        if (v->m->funcs[k] == callee) return callee->kind == kind;
    return false;
}

static void check_call(verifier_t *v, inst_t *i) {
    const lfunc_t *c = i->callee;
    if (!is_earlier(v, c, FN_FUNC)) error(v, i, "calls what is no function before this one");
    else if (!types_match(i->values, i->n_values, c->params, c->n_params))
        error(v, i, "an argument has the wrong type");
    bool fine = i->n_results == c->n_results;
    for (int k = 0; fine && k < i->n_results; k++)
        fine = ltype_equal(i->results[k]->type, c->results[k]);
    if (!fine) error(v, i, "a result has the wrong type");
    for (int k = 0; k < i->n_results; k++)
        define(v, i, i->results[k], interval_of_elem(i->results[k]->type.elem));
}

/* Who lists the names that a label stands for needs its layers to be few and known. */
static void check_label(verifier_t *v, const inst_t *i) {
    const value_t *layer = i->n_operands ? i->operand[0] : NULL;
    const char *wrong = i->text ? label_error(i->text, layer != NULL) : NULL;
    if (i->n_operands > (i->text ? 1 : 0))
        wrong = "a launch has no operand but the layer of a label";
    if (!wrong && layer && !ltype_equal(layer->type, SCALAR(E_I64)))
        wrong = "the layer must be i64";
    if (wrong) error(v, i, "%s", wrong);
    if (wrong || !layer) return;
    interval_t what = v->interval[layer->id];
    if (!dim_literal(what.lo) || !dim_literal(what.hi) ||
        !interval_within(what, dim(0), dim(MAX_LAYER - 1), v->m->units))
        error(v, i, "the layer lies in %s, must lie in literal bounds within [0, %d]",
              interval_text(v->scratch, what), MAX_LAYER - 1);
}

static void check_launch(verifier_t *v, inst_t *i) {
    const lfunc_t *c = i->callee;
    if (v->f->kind != FN_ENTRY || !is_earlier(v, c, FN_KERNEL) || i->n_values != c->n_params) {
        error(v, i, "launches stand in the entry, of kernels before it, with all arguments");
        return;
    }
    for (int k = 0; k < i->n_values; k++) {
        const value_t *x = i->values[k], *p = c->params[k];
        interval_t what = v->interval[x->id];
        if (!ltype_equal(x->type, SCALAR(E_I64))) error(v, i, "argument %d must be i64", k);
        else if (!interval_within(what, p->lo, p->hi, v->m->units))
            error(v, i, "argument %d lies in %s, must lie in [%s, %s]", k,
                  interval_text(v->scratch, what), dim_text(v->scratch, p->lo),
                  dim_text(v->scratch, p->hi));
    }
    check_label(v, i);
}

static void check_trace(verifier_t *v, inst_t *i) {
    const buffer_t *b = i->buffer;
    if (v->f->kind != FN_ENTRY) error(v, i, "traces stand in the entry");
    if (b->kind == BUF_SCRATCH || (b->elem != E_F32 && b->elem != E_I32))
        error(v, i, "traces show f32 or i32, and no scratch");
    if (i->n_values > 1 || (i->n_values == 1 && !ltype_equal(i->values[0]->type, SCALAR(E_I64))))
        error(v, i, "the layer is one i64");
    if ((strchr(i->text, '#') != NULL) != (i->n_values == 1))
        error(v, i, "a layer is given exactly when the name has a '#' for it");
}

static void check_ready(verifier_t *v, inst_t *i) {
    const buffer_t *b = i->buffer;
    bool literal = dim_literal(b->offset);
    for (int k = 0; k < b->rank; k++) literal = literal && dim_literal(b->dims[k]);
    if (v->f->kind != FN_ENTRY) error(v, i, "what is ready is told in the entry");
    if (b->kind != BUF_OUTPUT || b->elem != E_F32 || b->rank == 0 || !literal) {
        error(v, i, "parts of an f32 output of literal shape are ready, and of nothing else");
        return;
    }
    if (i->n_values != 1 || !ltype_equal(i->values[0]->type, SCALAR(E_I64))) {
        error(v, i, "the part is one i64");
        return;
    }
    interval_t what = v->interval[i->values[0]->id];
    dim_t last = dim_sub(b->dims[0], dim(1));
    if (!interval_within(what, dim(0), last, v->m->units))
        error(v, i, "the part lies in %s, must lie in [0, %s]", interval_text(v->scratch, what),
              dim_text(v->scratch, last));
}

static void check_return(verifier_t *v, inst_t *i) {
    bool fine = v->f->kind == FN_FUNC && !i->parent->parent && i->n_values == v->f->n_results;
    for (int k = 0; fine && k < i->n_values; k++)
        fine = ltype_equal(i->values[k]->type, v->f->results[k]);
    if (!fine) error(v, i, "must return the results of its function, at the end of it");
}

typedef void check_fn(verifier_t *v, inst_t *i);
static check_fn *const checks[OP_COUNT] = {
    [OP_FOR] = check_for,       [OP_IF] = check_if,       [OP_CALL] = check_call,
    [OP_LAUNCH] = check_launch, [OP_TRACE] = check_trace, [OP_RETURN] = check_return,
    [OP_READY] = check_ready,
};

static void check_inst(verifier_t *v, inst_t *i) {
    if (!check_uses(v, i)) {
        if (i->result) define(v, i, i->result, (interval_t){0}); /* one message is enough */
        for (int k = 0; k < i->n_results; k++) define(v, i, i->results[k], (interval_t){0});
        return;
    }
    if (i->op == OP_YIELD || i->op == OP_COMMENT) return;
    (checks[i->op] ? checks[i->op] : check_plain)(v, i);
}

static void check_block(verifier_t *v, block_t *b, inst_t *parent) {
    if (++v->depth > MAX_BLOCK_DEPTH) error(v, parent, "blocks are nested too deep");
    if (b->parent != parent) error(v, parent, "a block has another parent");
    for (size_t k = 0; k < b->n && v->depth <= MAX_BLOCK_DEPTH; k++) {
        inst_t *i = b->insts[k];
        bool end = i->op == OP_YIELD || i->op == OP_RETURN;
        if (i->parent != b) error(v, i, "an instruction has another parent");
        if (end && (k + 1 < b->n || (i->op == OP_YIELD && !parent)))
            error(v, i, "stands where its block does not end");
        check_inst(v, i);
    }
    v->depth--;
}

/* ---- functions and buffers ------------------------------------------------------------------- */

static void check_kernel(verifier_t *v, lfunc_t *f) {
    for (int k = 0; k < f->n_params; k++) {
        value_t *p = f->params[k];
        if (!ltype_equal(p->type, SCALAR(E_I64)) || !p->bounded || !dim_literal(p->hi) ||
            !dim_equal(p->lo, dim(0)) || p->hi.c < 0)
            error(v, NULL, "has a parameter without a range");
        define(v, NULL, p, interval_exact(p->lo, p->hi));
    }
    if (f->n_tasks < 1 || f->n_tasks > 4) {
        error(v, NULL, "has a task space of rank %d", f->n_tasks);
        return;
    }
    for (int k = 0; k < f->n_tasks; k++) {
        dim_t n = f->task_dims[k];
        if (!dim_fits(n, v->m->units) || !dim_le(dim(1), n, v->m->units))
            error(v, NULL, "has an empty task dimension");
        define(v, NULL, f->task[k], interval_exact(dim(0), dim_sub(n, dim(1))));
    }
}

static void check_func(verifier_t *v, lfunc_t *f) {
    v->f = f;
    v->live = ARENA_ARRAY(v->scratch, const value_t *, f->n_values);
    v->numbered = ARENA_ARRAY(v->scratch, bool, f->n_values);
    v->interval = ARENA_ARRAY(v->scratch, interval_t, f->n_values);
    v->depth = 0;
    if (f->n_values > 2 * MAX_VALUES) error(v, NULL, "has too many values");
    if (f->kind == FN_KERNEL) check_kernel(v, f);
    for (int k = 0; f->kind == FN_FUNC && k < f->n_params; k++)
        define(v, NULL, f->params[k], interval_of_elem(f->params[k]->type.elem));
    check_block(v, f->body, NULL);
    bool returns = f->body->n && f->body->insts[f->body->n - 1]->op == OP_RETURN;
    if (returns != (f->kind == FN_FUNC)) error(v, NULL, "must end with a return if a function");
    v->f = NULL;
}

static void check_table(verifier_t *v, const buffer_t *b) {
    int64_t n = buffer_bytes(b).c / elem_bytes(b->elem);
    for (int64_t k = 0; b->has_range && k < n; k++)
        if (!dim_le(b->lo, dim(b->data[k]), v->m->units) ||
            !dim_le(dim(b->data[k]), b->hi, v->m->units)) {
            error(v, NULL, "buffer '%s': element %lld is out of its range", b->name, (long long)k);
            return;
        }
}

/* A planned buffer lies within the space that the module, or its kernel, asks for. */
static const char *plan_error(const verifier_t *v, const buffer_t *b) {
    dim_t end = dim_add(b->offset, buffer_bytes(b));
    if (!b->planned) return NULL;
    if (b->kind != BUF_WORKSPACE && b->kind != BUF_SCRATCH) return "is planned but has a place";
    if (!dim_divisible(b->offset, PLAN_ALIGN)) return "is not aligned";
    if (b->kind == BUF_WORKSPACE)
        return dim_le(end, v->m->workspace_bytes, v->m->units) ? NULL : "leaves the workspace";
    return dim_le(end, b->owner->scratch_bytes, v->m->units) ? NULL : "leaves the scratch";
}

static void check_buffer(verifier_t *v, const buffer_t *b) {
    const char *wrong = buffer_error(b, v->m->units);
    if (!wrong && !name_is_valid(b->name)) wrong = "has a bad name";
    if (!wrong && module_find_buffer(v->m, b->name) != b) wrong = "has the name of another";
    if (!wrong && (b->kind == BUF_SCRATCH) != (b->owner != NULL))
        wrong = "is scratch without a kernel, or the other way round";
    if (!wrong && !dim_divisible(b->offset, elem_bytes(b->elem))) wrong = "is not aligned";
    if (!wrong) wrong = plan_error(v, b);
    if (wrong) error(v, NULL, "buffer '%s' %s", b->name, wrong);
    else if (b->kind == BUF_TABLE) check_table(v, b);
}

/* So that no sum of offsets overflows, whatever the plan. */
static void check_sizes(verifier_t *v) {
    dim_t all = dim(0);
    for (size_t k = 0; k < v->m->n_buffers; k++) {
        all = dim_add(all, dim_add(buffer_bytes(v->m->buffers[k]), dim(PLAN_ALIGN)));
        all.u += all.u ? PLAN_ALIGN : 0;
        if (dim_fits(all, v->m->units)) continue;
        error(v, NULL, "the buffers are too large together");
        return;
    }
    if (!dim_le(dim(0), v->m->workspace_bytes, v->m->units) ||
        !dim_le(dim(0), v->m->scratch_bytes, v->m->units))
        error(v, NULL, "the workspace or the scratch is negative");
    for (size_t k = 0; k < v->m->n_funcs; k++)
        if (!dim_le(v->m->funcs[k]->scratch_bytes, v->m->scratch_bytes, v->m->units))
            error(v, NULL, "kernel '%s' has more scratch than the module", v->m->funcs[k]->name);
}

static void check_names(verifier_t *v) {
    module_t *m = v->m;
    for (size_t k = 0; k < m->n_funcs; k++) {
        const lfunc_t *f = m->funcs[k];
        if (!name_is_valid(f->name) || module_find_func(m, f->name) != f)
            error(v, NULL, "function '%s': the name is bad or that of another", f->name);
        if (f->kind == FN_ENTRY && k + 1 < m->n_funcs) error(v, NULL, "the entry must come last");
    }
    if (!module_entry(m)) error(v, NULL, "the module has no entry");
}

bool loops_verify(module_t *m, diag_t *d) {
    verifier_t v = {.m = m, .d = d, .scratch = arena_new()};
    for (size_t k = 0; k < m->n_buffers; k++) check_buffer(&v, m->buffers[k]);
    check_names(&v);
    if (v.errors == 0) check_sizes(&v);
    int outside = v.errors; /* functions are looked at only where buffers and names are right */
    for (size_t k = 0; k < m->n_funcs && outside == 0; k++) {
        v.f_place = k;
        check_func(&v, m->funcs[k]);
    }
    arena_free(v.scratch);
    return v.errors == 0;
}
