/* Flops and bytes of a kernel, counted from the IR with literal trip counts and `units` for U.
 * After tinygrad: what the machine is asked to do, not what a model ought to need.
 * (schedule.c: of a whole.)
 *
 * A flop is a column of ops.def times the lanes, for floats and for DOT4. Bytes are those of every
 * load and store. Of an if, each figure is that of its likely branch, else of the dearer one: a
 * bound from above, exact where a branch does nothing or both do the same. */
#include "loops/rules.h"

void cost_add(cost_t *to, const cost_t *one, double times) {
    to->flops += one->flops * times;
    for (int p = 0; p < FACTOR_COUNT; p++) to->of[p] += one->of[p] * times;
    to->bytes_read += one->bytes_read * times;
    to->bytes_written += one->bytes_written * times;
}

static cost_t scale(cost_t a, double k) {
    cost_t c = {0};
    cost_add(&c, &a, k);
    return c;
}

static double larger(double a, double b) {
    return a > b ? a : b;
}

const double flops_at_once[FACTOR_COUNT] = {1, 2, 4};

static double fma_time(const cost_t *c) {
    double time = 0;
    for (int p = 0; p < FACTOR_COUNT; p++) time += c->of[p] / flops_at_once[p];
    return time;
}

/* Of the flops those of one branch, so that they stay the sum of their kinds. */
static cost_t dearer(cost_t a, cost_t b) {
    cost_t c = fma_time(&a) >= fma_time(&b) ? a : b;
    c.bytes_read = larger(a.bytes_read, b.bytes_read);
    c.bytes_written = larger(a.bytes_written, b.bytes_written);
    return c;
}

static cost_t of_block(const block_t *b, int64_t units);

static cost_t of_if(const inst_t *i, int64_t units) {
    cost_t rule = of_block(i->body, units);
    return i->likely ? rule : dearer(rule, of_block(i->otherwise, units));
}

/* All others are FACTOR_F32's. */
static const factor_t products[OP_COUNT] = {[OP_DOT2] = FACTOR_BF16, [OP_DOT4] = FACTOR_I8};

static void count_flops(const inst_t *i, cost_t *c) {
    ltype_t t = i->result->type;
    bool counts = elem_is_float(t.elem) || products[i->op] != FACTOR_F32;
    c->flops = counts ? (double)op_info[i->op].flops * t.lanes : 0;
    c->of[products[i->op]] = c->flops;
}

static double bytes_of(ltype_t t) {
    return (double)t.lanes * elem_bytes(t.elem);
}

static cost_t of_inst(const inst_t *i, int64_t units);

static cost_t of_launch(const lfunc_t *f, int64_t units) {
    double tasks = 1;
    for (int k = 0; k < f->n_tasks; k++) tasks *= (double)dim_at(f->task_dims[k], units);
    return scale(of_block(f->body, units), tasks);
}

static cost_t of_inst(const inst_t *i, int64_t units) {
    cost_t c = {0};
    switch (i->op) {
    case OP_LOAD: c.bytes_read = bytes_of(i->result->type); break;
    case OP_STORE: c.bytes_written = bytes_of(i->operand[0]->type); break;
    case OP_FOR: {
        int64_t trips = dim_at(i->e, units) - dim_at(i->d, units);
        c = scale(of_block(i->body, units), trips > 0 ? (double)trips : 0);
        break;
    }
    case OP_IF: c = of_if(i, units); break;
    case OP_CALL: c = of_block(i->callee->body, units); break;
    case OP_LAUNCH: c = of_launch(i->callee, units); break;
    default:
        if (i->result) count_flops(i, &c);
    }
    return c;
}

static cost_t of_block(const block_t *b, int64_t units) {
    cost_t sum = {0};
    for (size_t k = 0; k < b->n; k++) {
        cost_t one = of_inst(b->insts[k], units);
        cost_add(&sum, &one, 1);
    }
    return sum;
}

cost_t loops_kernel_cost(const module_t *m, const lfunc_t *f, int64_t units) {
    return of_launch(f, m->units.max ? units : 0);
}
