/* The interpreter of Loops: the fourth executor, for testing lowering and passes.
 *
 * In: a verified module and a call with slots, weights and (where planned) workspace bound. Out:
 * the outputs, or an error that names function, task, instruction, buffer and indices. It trusts no
 * proof: every index, declared range, first read and race is looked at while it runs (memory.c).
 * Tasks of a launch run in a scrambled order that depends on nothing but the launch's number. */
#include <stdlib.h>
#include <string.h>

#include "loops/arith.h"
#include "loops/memory.h"
#include "reformer_rt.h"
#include "support/heap.h"

enum { CELL_BYTES = 64 };

/* One value: a scalar or a vector of at most 64 bytes. */
typedef union {
    float f32[16];
    double f64[8];
    uint16_t bf16[32];
    int8_t i8[64];
    uint8_t u8[64];
    int32_t i32[16];
    int64_t i64[8];
    unsigned char bytes[CELL_BYTES];
} cell_t;

typedef struct {
    const module_t *m;
    const reformer_call_t *call;
    diag_t *d;
    memory_t memory;
    /* [m->n_funcs][n_values]: functions do not recurse, one frame each is enough */
    cell_t **frames;
    const lfunc_t *f; /* the one that runs */
    cell_t *frame;    /* its values */
    int64_t task[4];
    bool in_task;
    uint64_t launches;
    bool failed;
} simulation_t;

static void run_block(simulation_t *r, const block_t *b);

static cell_t *cell(const simulation_t *r, const value_t *v) {
    return &r->frame[v->id];
}

/* ---- errors ---------------------------------------------------------------------------------- */

static const char *task_text(const simulation_t *r, arena_t *a) {
    const char *text = "";
    for (int k = 0; r->in_task && k < r->f->n_tasks; k++)
        text = arena_printf(a, "%s%s%lld", text, k ? ", " : " at task ", (long long)r->task[k]);
    return text;
}

static void fail(simulation_t *r, const inst_t *i, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void fail(simulation_t *r, const inst_t *i, const char *fmt, ...) {
    if (r->failed) return;
    arena_t *a = arena_new();
    va_list ap;
    va_start(ap, fmt);
    const char *what = arena_vprintf(a, fmt, ap);
    va_end(ap);
    diag_error(r->d, inst_place(r->m, i), "'%s'%s: %s: %s", r->f->name, task_text(r, a),
               inst_text(a, r->f, i), what);
    arena_free(a);
    r->failed = true;
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static double get_float(const cell_t *c, elem_t e, int lane) {
    switch (e) {
    case E_F32: return c->f32[lane];
    case E_BF16: return bf16_to(c->bf16[lane]);
    default: return c->f64[lane];
    }
}

static void set_float(cell_t *c, elem_t e, int lane, double x) {
    switch (e) {
    case E_F32: c->f32[lane] = (float)x; break;
    case E_BF16: c->bf16[lane] = bf16_from((float)x); break;
    default: c->f64[lane] = x; break;
    }
}

static int64_t get_int(const cell_t *c, elem_t e, int lane) {
    switch (e) {
    case E_I8: return c->i8[lane];
    case E_U8: return c->u8[lane];
    case E_I32: return c->i32[lane];
    default: return c->i64[lane];
    }
}

static void set_int(cell_t *c, elem_t e, int lane, int64_t x) {
    switch (e) {
    case E_I8: c->i8[lane] = (int8_t)x; break;
    case E_U8: c->u8[lane] = (uint8_t)x; break;
    case E_I32: c->i32[lane] = (int32_t)x; break;
    default: c->i64[lane] = x; break;
    }
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

static void do_arithmetic(simulation_t *r, const inst_t *i) {
    ltype_t t = i->result->type;
    const cell_t *x = cell(r, i->operand[0]);
    const cell_t *y = i->n_operands > 1 ? cell(r, i->operand[1]) : x;
    const cell_t *z = i->n_operands > 2 ? cell(r, i->operand[2]) : x;
    cell_t *out = cell(r, i->result);
    if (t.elem == E_F32) {
        f32_lanes(i->op, out->f32, x->f32, y->f32, z->f32, t.lanes);
        return;
    }
    for (int k = 0; k < t.lanes; k++) {
        if (t.elem == E_F64) out->f64[k] = f64_op(i->op, x->f64[k], y->f64[k], z->f64[k]);
        else
            set_int(out, t.elem, k,
                    int_op(i->op, get_int(x, t.elem, k), get_int(y, t.elem, k), i->i,
                           8 * elem_bytes(t.elem)));
    }
}

static void do_dot2(simulation_t *r, const inst_t *i) {
    const cell_t *acc = cell(r, i->operand[0]);
    const cell_t *x = cell(r, i->operand[1]), *y = cell(r, i->operand[2]);
    cell_t out = {.i64 = {0}};
    for (int k = 0; k < i->result->type.lanes; k++)
        out.f32[k] = dot2_op(r->m->target->dot2, acc->f32[k], &x->bf16[2 * k], &y->bf16[2 * k]);
    *cell(r, i->result) = out;
}

static void do_dot4(simulation_t *r, const inst_t *i) {
    const cell_t *acc = cell(r, i->operand[0]);
    const cell_t *x = cell(r, i->operand[1]), *y = cell(r, i->operand[2]);
    cell_t out = {.i64 = {0}};
    for (int k = 0; k < i->result->type.lanes; k++)
        out.i32[k] = dot4_op(acc->i32[k], &x->u8[4 * k], &y->i8[4 * k]);
    *cell(r, i->result) = out;
}

static void do_compare(simulation_t *r, const inst_t *i) {
    ltype_t t = i->operand[0]->type;
    const cell_t *x = cell(r, i->operand[0]), *y = cell(r, i->operand[1]);
    for (int k = 0; k < t.lanes; k++) {
        bool true_;
        if (elem_is_float(t.elem)) {
            double a = get_float(x, t.elem, k), b = get_float(y, t.elem, k);
            true_ = compare_op(i->op, a<b, a == b, a> b);
        } else {
            int64_t a = get_int(x, t.elem, k), b = get_int(y, t.elem, k);
            true_ = compare_op(i->op, a<b, a == b, a> b);
        }
        cell(r, i->result)->i32[k] = true_ ? -1 : 0;
    }
}

static void copy_lane(cell_t *to, int k, const cell_t *from, int lane, elem_t e) {
    size_t n = (size_t)elem_bytes(e);
    if (n == sizeof *to->i32) to->i32[k] = from->i32[lane]; /* the rule, and no call */
    else memcpy(&to->bytes[(size_t)k * n], &from->bytes[(size_t)lane * n], n);
}

static void do_select(simulation_t *r, const inst_t *i) {
    ltype_t t = i->result->type;
    const cell_t *mask = cell(r, i->operand[0]);
    for (int k = 0; k < t.lanes; k++) {
        int32_t m = mask->i32[k];
        if (m != 0 && m != -1) fail(r, i, "lane %d of the mask is %d, not 0 or -1", k, m);
        copy_lane(cell(r, i->result), k, cell(r, i->operand[m ? 1 : 2]), k, t.elem);
    }
}

static void do_convert(simulation_t *r, const inst_t *i) {
    elem_t from = i->operand[0]->type.elem, to = i->result->type.elem;
    const cell_t *x = cell(r, i->operand[0]);
    cell_t *out = cell(r, i->result);
    for (int k = 0; k < i->result->type.lanes; k++) {
        if (from == E_BF16) {
            out->f32[k] = bf16_to(x->bf16[k]); /* bits stay: no way through double */
        } else if (to == E_BF16) {
            out->bf16[k] = bf16_from(x->f32[k]);
        } else if (!elem_is_float(from)) {
            int64_t v = get_int(x, from, k);
            if (to == E_F32) out->f32[k] = (float)v; /* rounded once, not through double */
            else if (to == E_F64) out->f64[k] = (double)v;
            else set_int(out, to, k, v);
        } else if (elem_is_float(to)) {
            set_float(out, to, k, get_float(x, from, k));
        } else {
            double v = get_float(x, from, k);
            if (!fits_integer(v, to)) fail(r, i, "lane %d, %g, does not fit", k, v);
            else set_int(out, to, k, (int64_t)v);
        }
    }
}

/* ---- plain ops that move values -------------------------------------------------------------- */

static void do_const(simulation_t *r, const inst_t *i) {
    ltype_t t = i->result->type;
    for (int k = 0; k < t.lanes; k++) {
        if (elem_is_float(t.elem)) set_float(cell(r, i->result), t.elem, k, i->f);
        else set_int(cell(r, i->result), t.elem, k, i->i);
    }
}

static void do_bitcast(simulation_t *r, const inst_t *i) {
    *cell(r, i->result) = *cell(r, i->operand[0]);
}

static void do_broadcast(simulation_t *r, const inst_t *i) {
    ltype_t t = i->result->type;
    const cell_t *x = cell(r, i->operand[0]);
    cell_t *out = cell(r, i->result);
    int32_t one = x->i32[0];
    if (elem_bytes(t.elem) == sizeof one) /* a store of a vector */
        for (int k = 0; k < t.lanes; k++) out->i32[k] = one;
    else
        for (int k = 0; k < t.lanes; k++) copy_lane(out, k, x, 0, t.elem);
}

static void do_shuffle(simulation_t *r, const inst_t *i) {
    int n = i->result->type.lanes;
    for (int k = 0; k < n; k++) {
        int lane = i->lanes[k];
        const cell_t *from = cell(r, i->operand[lane < n ? 0 : 1]);
        copy_lane(cell(r, i->result), k, from, lane % n, i->result->type.elem);
    }
}

static void do_extract(simulation_t *r, const inst_t *i) {
    copy_lane(cell(r, i->result), 0, cell(r, i->operand[0]), (int)i->i, i->result->type.elem);
}

static void do_divide(simulation_t *r, const inst_t *i) {
    int64_t x = cell(r, i->operand[0])->i64[0], by = dim_at(i->d, r->call->units);
    if (x < 0) fail(r, i, "the operand is %lld", (long long)x);
    cell(r, i->result)->i64[0] = i->op == OP_IDIV ? x / by : x % by;
}

static int64_t affine(const simulation_t *r, const affine_t *a) {
    uint64_t sum = (uint64_t)dim_at(a->base, r->call->units);
    for (int k = 0; k < a->n; k++) {
        const value_t *v = a->term[k].value;
        uint64_t x = (uint64_t)get_int(cell(r, v), v->type.elem, 0);
        sum += (uint64_t)dim_at(a->term[k].coef, r->call->units) * x;
    }
    return (int64_t)sum;
}

static void do_index(simulation_t *r, const inst_t *i) {
    cell(r, i->result)->i64[0] = affine(r, i->index);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The element an access starts at, row-major; -1 after an error. */
static int64_t element(simulation_t *r, const inst_t *i, int lanes) {
    const buffer_t *b = i->buffer;
    const memory_place_t *p = &r->memory.places[b->id];
    int64_t at = 0;
    for (int d = 0; d < b->rank; d++) {
        int64_t x = affine(r, &i->index[d]), n = p->dims[d];
        int64_t width = d == b->rank - 1 ? lanes : 1;
        if (x < 0 || x > n - width) {
            fail(r, i, "index %lld of dimension %d is outside of '%s', which has %lld there",
                 (long long)x, d, b->name, (long long)n);
            return -1;
        }
        at = at * n + x;
    }
    return at;
}

static void check_range(simulation_t *r, const inst_t *i, const cell_t *c, int lanes) {
    const buffer_t *b = i->buffer;
    if (!b->has_range) return;
    int64_t lo = dim_at(b->lo, r->call->units), hi = dim_at(b->hi, r->call->units);
    for (int k = 0; k < lanes; k++) {
        int64_t x = get_int(c, b->elem, k);
        if (x < lo || x > hi)
            fail(r, i, "lane %d, %lld, is outside of the range %lld .. %lld of '%s'", k,
                 (long long)x, (long long)lo, (long long)hi, b->name);
    }
}

static void do_load(simulation_t *r, const inst_t *i) {
    const buffer_t *b = i->buffer;
    int lanes = i->result->type.lanes;
    size_t size = (size_t)elem_bytes(b->elem);
    int64_t at = element(r, i, lanes);
    if (at < 0) return;
    const char *wrong = memory_read(&r->memory, b, at, lanes);
    if (wrong) {
        fail(r, i, "'%s', element %lld: %s", b->name, (long long)at, wrong);
        return;
    }
    cell_t *out = cell(r, i->result);
    memcpy(out->bytes, r->memory.places[b->id].base + (size_t)at * size, (size_t)lanes * size);
    if (b->kind == BUF_INPUT || b->kind == BUF_STATE) check_range(r, i, out, lanes);
}

static void do_store(simulation_t *r, const inst_t *i) {
    const buffer_t *b = i->buffer;
    int lanes = i->operand[0]->type.lanes;
    size_t size = (size_t)elem_bytes(b->elem);
    int64_t at = element(r, i, lanes);
    if (at < 0) return;
    const char *wrong = memory_write(&r->memory, b, at, lanes);
    if (wrong) {
        fail(r, i, "'%s', element %lld: %s", b->name, (long long)at, wrong);
        return;
    }
    const cell_t *x = cell(r, i->operand[0]);
    check_range(r, i, x, lanes);
    memcpy(r->memory.places[b->id].base + (size_t)at * size, x->bytes, (size_t)lanes * size);
}

static void do_prefetch(simulation_t *r, const inst_t *i) {
    element(r, i, 1);
}

/* ---- structure ------------------------------------------------------------------------------- */

/* Values passed all at once: an argument may be among what is passed. */
static void pass(simulation_t *r, value_t *const *to, value_t *const *from, int n, cell_t *buffer) {
    if (n == 1) { /* the most that most loops carry */
        *cell(r, to[0]) = *cell(r, from[0]);
        return;
    }
    for (int k = 0; k < n; k++) buffer[k] = *cell(r, from[k]);
    for (int k = 0; k < n; k++) *cell(r, to[k]) = buffer[k];
}

static cell_t *new_cells(int n) {
    return heap_new((size_t)n, sizeof(cell_t));
}

/* Loops stand in loops: most carry so few values that what they are passed through need not
 * be allocated each time. */
enum { FEW = 16 };

static cell_t *room_for(int n, cell_t few[FEW]) {
    return n > FEW ? new_cells(n) : few;
}

static void give_back(cell_t *buffer, const cell_t few[FEW]) {
    if (buffer != few) heap_free(buffer);
}

static const inst_t *last_of(const block_t *b) {
    return b->insts[b->n - 1];
}

static void do_for(simulation_t *r, const inst_t *i) {
    int64_t lo = dim_at(i->d, r->call->units), hi = dim_at(i->e, r->call->units);
    cell_t few[FEW], *buffer = room_for(i->n_values, few);
    value_t **args = i->body->args + 1;
    pass(r, args, i->values, i->n_values, buffer);
    for (int64_t k = lo; k < hi && !r->failed; k++) {
        cell(r, loop_var(i))->i64[0] = k;
        run_block(r, i->body);
        if (i->n_values) pass(r, args, last_of(i->body)->values, i->n_values, buffer);
    }
    pass(r, i->results, args, i->n_values, buffer);
    give_back(buffer, few);
}

static void do_if(simulation_t *r, const inst_t *i) {
    const block_t *b = cell(r, i->operand[0])->i32[0] ? i->body : i->otherwise;
    run_block(r, b);
    if (i->n_results == 0 || r->failed) return;
    cell_t few[FEW], *buffer = room_for(i->n_results, few);
    pass(r, i->results, last_of(b)->values, i->n_results, buffer);
    give_back(buffer, few);
}

static cell_t *frame_of(const simulation_t *r, const lfunc_t *f) {
    size_t k = 0;
    while (r->m->funcs[k] != f) k++;
    return r->frames[k];
}

static void do_call(simulation_t *r, const inst_t *i) {
    const lfunc_t *f = i->callee, *caller = r->f;
    cell_t *outer = r->frame, *inner = frame_of(r, f);
    for (int k = 0; k < i->n_values; k++) inner[f->params[k]->id] = outer[i->values[k]->id];
    r->f = f;
    r->frame = inner;
    run_block(r, f->body);
    r->f = caller;
    r->frame = outer;
    if (r->failed) return;
    const inst_t *back = last_of(f->body);
    for (int k = 0; k < i->n_results; k++) outer[i->results[k]->id] = inner[back->values[k]->id];
}

/* ---- launches -------------------------------------------------------------------------------- */

static int64_t gcd(int64_t a, int64_t b) {
    return b ? gcd(b, a % b) : a;
}

static void run_task(simulation_t *r, const lfunc_t *f, int64_t task) {
    int64_t rest = task;
    for (int k = f->n_tasks - 1; k >= 0; k--) {
        int64_t n = dim_at(f->task_dims[k], r->call->units);
        r->task[k] = rest % n;
        cell(r, f->task[k])->i64[0] = rest % n;
        rest /= n;
    }
    memory_begin_task(&r->memory, f, task);
    run_block(r, f->body);
}

/* Tasks in the order start, start + stride, … modulo their number, to which stride is coprime. */
static void run_tasks(simulation_t *r, const lfunc_t *f) {
    int64_t n = 1;
    for (int k = 0; k < f->n_tasks; k++) n *= dim_at(f->task_dims[k], r->call->units);
    uint64_t seed = ++r->launches * UINT64_C(0x9E3779B97F4A7C15);
    int64_t start = (int64_t)(seed >> 33) % n, stride = (int64_t)(seed >> 40) % n;
    while (gcd(stride, n) != 1) stride++;
    stride %= n > 1 ? n : 2;
    memory_begin_launch(&r->memory, n);
    r->in_task = true;
    for (int64_t k = 0, at = start; k < n && !r->failed; k++, at = (at + stride) % n)
        run_task(r, f, at);
    r->in_task = false;
    memory_end_launch(&r->memory);
}

static void do_launch(simulation_t *r, const inst_t *i) {
    const lfunc_t *f = i->callee, *caller = r->f;
    cell_t *outer = r->frame, *inner = frame_of(r, f);
    for (int k = 0; k < i->n_values; k++) {
        int64_t x = outer[i->values[k]->id].i64[0];
        if (x < f->params[k]->lo.c || x > f->params[k]->hi.c)
            fail(r, i, "argument %d, %lld, is out of range", k, (long long)x);
        inner[f->params[k]->id] = outer[i->values[k]->id];
    }
    r->f = f;
    r->frame = inner;
    if (!r->failed) run_tasks(r, f);
    r->f = caller;
    r->frame = outer;
}

static void do_trace(simulation_t *r, const inst_t *i) {
    const buffer_t *b = i->buffer;
    if (!r->call->trace) return;
    const char *wrong = memory_intact(&r->memory, b);
    if (wrong) {
        fail(r, i, "'%s': %s", b->name, wrong);
        return;
    }
    const memory_place_t *p = &r->memory.places[b->id];
    int64_t layer = i->n_values ? cell(r, i->values[0])->i64[0] : -1;
    reformer_trace(r->call, i->text, layer, p->base, b->elem == E_F32 ? REFORMER_F32 : REFORMER_I32,
                   p->dims, b->rank);
}

static void do_ready(simulation_t *r, const inst_t *i) {
    const buffer_t *b = i->buffer;
    int64_t part = cell(r, i->values[0])->i64[0], n = ready_elements(b);
    if (part < 0 || part >= b->dims[0].c)
        fail(r, i, "part %lld of '%s' is out of range", (long long)part, b->name);
    else reformer_ready(r->call, ready_offset(b) + part * n, n);
}

static void do_nothing(simulation_t *r, const inst_t *i) {
    (void)r;
    (void)i;
}

/* ---- the table of ops ------------------------------------------------------------------------ */

typedef void do_fn(simulation_t *r, const inst_t *i);
static do_fn *const does[OP_COUNT] = {
    [OP_CONST] = do_const,       [OP_ADD] = do_arithmetic,   [OP_SUB] = do_arithmetic,
    [OP_MUL] = do_arithmetic,    [OP_MULHI] = do_arithmetic, [OP_DIV] = do_arithmetic,
    [OP_FMA] = do_arithmetic,    [OP_MIN] = do_arithmetic,   [OP_MAX] = do_arithmetic,
    [OP_NEG] = do_arithmetic,    [OP_SQRT] = do_arithmetic,  [OP_AND] = do_arithmetic,
    [OP_OR] = do_arithmetic,     [OP_XOR] = do_arithmetic,   [OP_SHL] = do_arithmetic,
    [OP_SHR] = do_arithmetic,    [OP_SAR] = do_arithmetic,   [OP_EQ] = do_compare,
    [OP_NE] = do_compare,        [OP_LT] = do_compare,       [OP_LE] = do_compare,
    [OP_GT] = do_compare,        [OP_GE] = do_compare,       [OP_SELECT] = do_select,
    [OP_CONVERT] = do_convert,   [OP_BITCAST] = do_bitcast,  [OP_BROADCAST] = do_broadcast,
    [OP_SHUFFLE] = do_shuffle,   [OP_EXTRACT] = do_extract,  [OP_IDIV] = do_divide,
    [OP_DOT2] = do_dot2,         [OP_DOT4] = do_dot4,        [OP_IREM] = do_divide,
    [OP_INDEX] = do_index,       [OP_LOAD] = do_load,        [OP_STORE] = do_store,
    [OP_PREFETCH] = do_prefetch, [OP_FOR] = do_for,          [OP_IF] = do_if,
    [OP_YIELD] = do_nothing,     [OP_CALL] = do_call,        [OP_RETURN] = do_nothing,
    [OP_LAUNCH] = do_launch,     [OP_TRACE] = do_trace,      [OP_COMMENT] = do_nothing,
    [OP_READY] = do_ready,
};

static void run_block(simulation_t *r, const block_t *b) {
    for (size_t k = 0; k < b->n && !r->failed; k++) does[b->insts[k]->op](r, b->insts[k]);
}

bool loops_interpret(const module_t *m, const struct reformer_call *call, diag_t *d) {
    simulation_t r = {.m = m, .call = call, .d = d, .f = module_entry(m)};
    if (!r.f) {
        diag_error(d, IN_FILE(m->name), "the module has no entry");
        return false;
    }
    const char *doing = guard_doing("interpreting, which keeps records of every byte");
    if (!memory_open(&r.memory, m, call, d)) {
        (void)guard_doing(doing);
        return false;
    }
    r.frames = heap_new(m->n_funcs, sizeof *r.frames);
    for (size_t k = 0; k < m->n_funcs; k++) r.frames[k] = new_cells(m->funcs[k]->n_values);
    r.frame = frame_of(&r, r.f);
    run_block(&r, r.f->body);
    for (size_t k = 0; k < m->n_funcs; k++) heap_free(r.frames[k]);
    heap_free(r.frames);
    memory_close(&r.memory);
    (void)guard_doing(doing);
    return !r.failed;
}
