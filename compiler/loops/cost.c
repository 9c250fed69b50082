/* Flops and bytes of a kernel, counted from the IR with literal trip counts and `units` for U. After
 * tinygrad: what the machine is asked to do, not what a model ought to need. (schedule.c: of a whole.)
 *
 * A flop is a column of ops.def times the lanes, for floats and DOT4 only. Bytes are those of every load and
 * store. Of an if, each figure is that of its likely branch, else of the dearer one: a bound from above,
 * exact where a branch does nothing or both do the same. */
#include "loops/rules.h"

static cost_t add(cost_t a, cost_t b) {
    return (cost_t){a.flops + b.flops, a.effort + b.effort, a.bytes_read + b.bytes_read,
                    a.bytes_written + b.bytes_written};
}

static cost_t scale(cost_t a, double k) {
    return (cost_t){a.flops * k, a.effort * k, a.bytes_read * k, a.bytes_written * k};
}

static double larger(double a, double b) {
    return a > b ? a : b;
}

static cost_t dearer(cost_t a, cost_t b) {
    return (cost_t){larger(a.flops, b.flops), larger(a.effort, b.effort),
                    larger(a.bytes_read, b.bytes_read), larger(a.bytes_written, b.bytes_written)};
}

static cost_t of_block(const block_t *b, int64_t units);

/* Flops of an op for one of an fma in the same time, where CPUs have it: as many as its factors are smaller. */
static double at_once(op_t op) {
    return op == OP_DOT2 ? 2 : op == OP_DOT4 ? 4 : 1;
}

static cost_t of_if(const inst_t *i, int64_t units) {
    cost_t rule = of_block(i->body, units);
    return i->likely ? rule : dearer(rule, of_block(i->otherwise, units));
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
        if (i->result && (elem_is_float(i->result->type.elem) || i->op == OP_DOT4))
            c.flops = (double)op_info[i->op].flops * i->result->type.lanes;
        c.effort = c.flops / at_once(i->op);
    }
    return c;
}

static cost_t of_block(const block_t *b, int64_t units) {
    cost_t sum = {0};
    for (size_t k = 0; k < b->n; k++) sum = add(sum, of_inst(b->insts[k], units));
    return sum;
}

cost_t loops_kernel_cost(const module_t *m, const lfunc_t *f, int64_t units) {
    return of_launch(f, m->units.max ? units : 0);
}
