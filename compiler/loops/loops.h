/* Loops: the loop IR. What a compiled model does, spelled out: loops with literal bounds, explicit
 * vectors, explicit fma, explicit parallel kernels, buffers with literal shapes. It knows nothing
 * of Reformers; both back ends transcribe it and decide nothing.
 *
 * A module has
 *   buffers   named, typed, with literal shapes (dim_t: literal, or linear in the symbol U);
 *   funcs     pure functions from SSA values to SSA values (exp of a vector), inlined by back ends;
 *   kernels   parallel regions: the body runs once for every point of a literal task space, in any
 *             order, on any worker; it reads and writes buffers, and scratch buffers of its worker;
 *   entry     the serial schedule: loops, conditions and launches of kernels.
 * Values are SSA; loops carry values (accumulators stay in registers); nothing else is mutable but
 * buffers. The text form (.rir) is printed and parsed by text.c; ops are the rows of ops.def.
 *
 * Everything lives in the module's arena. Not thread-safe while being built. */
#ifndef REFORMERC_LOOPS_H
#define REFORMERC_LOOPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "support/arena.h"
#include "support/diag.h"
#include "support/dim.h"
#include "support/sbuf.h"

/* ---- types ------------------------------------------------------------------------------- */

typedef enum { E_F32, E_F64, E_BF16, E_I8, E_U8, E_I32, E_I64, E_COUNT } elem_t;

typedef struct {
    elem_t elem;
    int lanes; /* 1: scalar */
} ltype_t;

#define SCALAR(e)    ((ltype_t){(e), 1})
#define VECTOR(e, n) ((ltype_t){(e), (n)})

static inline int elem_bytes(elem_t e) { /* here, since interpreters ask at every access */
    if (e == E_BF16) return 2;
    if (e == E_I8 || e == E_U8) return 1;
    return e == E_F64 || e == E_I64 ? 8 : 4;
}
const char *elem_name(elem_t e); /* "f32" */
static inline bool elem_is_float(elem_t e) {
    return e == E_F32 || e == E_F64 || e == E_BF16;
}
static inline bool ltype_equal(ltype_t a, ltype_t b) {
    return a.elem == b.elem && a.lanes == b.lanes;
}

/* ---- targets: which vectors and which ops are legal ---------------------------------------- */

/* Levels of an architecture first; then levels with instructions that not every CPU of them has,
 * and that not every model has a use for; then what no CPU runs but a host of its own. The
 * runtime's numbers (REFORMER_CPU_*) are the same. */
typedef enum {
    T_X86_64,
    T_X86_64_V3,
    T_X86_64_V4,
    T_AARCH64,
    T_LEVELS,
    T_X86_64_V3_VNNI = T_LEVELS,
    T_X86_64_V4_VNNI,
    T_X86_64_V4_BF16,
    T_AARCH64_BF16,
    T_WASM32,
    T_COUNT
} target_id_t;

/* Targets whose code one artefact may hold. */
typedef enum { FAMILY_X86, FAMILY_ARM, FAMILY_WASM } family_t;

/* OP_DOT2, and what it does with denormal numbers: x86's takes and gives 0 for them, arm's
 * keeps them as fma does. */
typedef enum { DOT2_NONE, DOT2_FLUSHES, DOT2_KEEPS } dot2_t;

typedef struct {
    target_id_t id;
    const char *name;   /* "x86-64-v3" */
    const char *suffix; /* of C names: "v3" */
    int vector_bytes;   /* widest legal vector */
    int registers;      /* of vectors */
    bool fma;           /* OP_FMA is legal */
    dot2_t dot2;        /* OP_DOT2 is, */
    bool dot4;          /* and OP_DOT4 */
    target_id_t level;  /* what it is without these two */
} target_t;

extern const target_t targets[T_COUNT];
family_t target_family(const target_t *t);
const char *family_name(family_t f);           /* "x86-64" */
const target_t *target_find(const char *name); /* NULL: unknown ("native" is resolved by the CLI) */

/* ---- values and instructions --------------------------------------------------------------- */

typedef enum {
#define X(op, name, ...) OP_##op,
#include "loops/ops.def"
#undef X
    OP_COUNT
} op_t;

typedef struct inst inst_t;
typedef struct block block_t;
typedef struct lfunc lfunc_t;
typedef struct buffer buffer_t;

typedef struct value {
    ltype_t type;
    int id;           /* unique in its function, assigned in order of creation */
    const char *name; /* optional, for readable output: [a-z][a-z0-9_]*; need not be unique */
    /* The defining instruction; for block arguments and parameters the owner or NULL */
    inst_t *def;
    /* integer scalars: what loops_verify() derived, inclusive */
    bool bounded;
    dim_t lo, hi;
} value_t;

/* sum of coef * value + base; values are i32 or i64 scalars. One per dimension of an access. */
enum { AFFINE_TERMS = 6 };
typedef struct {
    int n;
    struct {
        value_t *value;
        dim_t coef;
    } term[AFFINE_TERMS];
    dim_t base;
} affine_t;

enum { MAX_RANK = 6, MAX_OPERANDS = 4 };

struct block {
    value_t **args; /* OP_FOR: [0] is the induction variable (i64), then the carried values */
    int n_args;
    inst_t **insts;
    size_t n, cap;
    inst_t *parent; /* the OP_FOR or OP_IF, NULL for a function body */
};
/* The body of an OP_FOR and both blocks of an OP_IF end with OP_YIELD exactly when the op has
 * results; the body of an FN_FUNC ends with OP_RETURN; bodies of kernels and of the entry just
 * end. */

struct inst {
    op_t op;
    value_t *result;   /* ops with one result; NULL otherwise */
    value_t **results; /* OP_FOR, OP_IF, OP_CALL: their results */
    int n_results;
    value_t *operand[MAX_OPERANDS]; /* fixed operands of plain ops; OP_LAUNCH: [layer] or none */
    int n_operands;
    value_t **values; /* OP_FOR: initial carried values; OP_YIELD/OP_RETURN: what is passed;
                                        OP_CALL/OP_LAUNCH: arguments; OP_TRACE: [layer] or none;
                                        OP_READY: [part of the buffer] */
    int n_values;
    /* literals */
    double f;         /* OP_CONST of a float type */
    int64_t i;        /* OP_CONST of an integer type; OP_EXTRACT: lane; OP_SHIFT*: count */
    dim_t d, e;       /* OP_FOR: lower and upper bound; OP_IDIV/OP_IREM: divisor in d */
    const int *lanes; /* OP_SHUFFLE: result lanes, 0 … 2n-1 over the two operands joined */
    /* memory */
    buffer_t *buffer;
    affine_t *index; /* [buffer->rank]; OP_INDEX: one element */
    int n_index;
    /* regions and callees */
    /* OP_FOR: body; OP_IF: both (otherwise may be empty without results) */
    block_t *body, *otherwise;
    bool likely; /* OP_IF: `body` is the rule, `otherwise` an exception: costs are the rule's */
    lfunc_t *callee;
    /* OP_COMMENT. OP_TRACE: the tensor's name, '#' stands for the layer. OP_LAUNCH: its label, or
     * NULL: the region of the model that this launch belongs to, '#' stands for operand[0]. One
     * kernel serves many regions, and profilers tell them apart by it; it changes no result. */
    const char *text;
    block_t *parent;
    int line; /* of the .rir text it was parsed from; 0: made by a builder */
};

/* The yield at the end of a block; NULL: there is none. */
static inline const inst_t *block_yield(const block_t *b) {
    const inst_t *last = b->n ? b->insts[b->n - 1] : NULL;
    return last && last->op == OP_YIELD ? last : NULL;
}

/* ---- buffers -------------------------------------------------------------------------------- */

typedef enum {
    BUF_WEIGHTS,   /* read-only, at a fixed byte offset of the weights file                      */
    BUF_WORKSPACE, /* lives between kernels of one forward; offset chosen by the plan pass        */
    BUF_SCRATCH,   /* of one kernel, private to a worker; offset chosen by the plan pass          */
    BUF_INPUT,     /* read-only, bound to a numbered slot at call time (runtime/reformer_rt.h)    */
    /* Written, bound to a slot, at a byte offset of its memory; may be NULL when
     * its `want` flag is 0 */
    BUF_OUTPUT,
    BUF_STATE, /* read and written, bound to a slot; holds what earlier calls left there      */
    BUF_TABLE  /* constant i32 data in the module                                             */
} bufkind_t;

struct buffer {
    const char *name; /* unique in the module; becomes a C identifier: [a-z][a-z0-9_]* */
    bufkind_t kind;
    elem_t elem;
    int rank;
    dim_t dims[MAX_RANK];
    /* Integer buffers whose loads are used as indices: every stored value v has lo <= v <= hi.
     * The verifier believes it, the interpreter checks each store and each load of an input. */
    bool has_range;
    dim_t lo, hi;
    /* BUF_WEIGHTS: bytes into the file; BUF_OUTPUT: into the slot's memory, of which several
     * buffers may be parts; workspace, scratch: set by the plan pass */
    dim_t offset;
    bool planned;
    int slot;            /* BUF_INPUT, BUF_OUTPUT, BUF_STATE */
    const int32_t *data; /* BUF_TABLE */
    lfunc_t *owner;      /* BUF_SCRATCH */
    const char *comment; /* what the shape means: "[batch][rows][hidden]" */
    int id;              /* its place in module->buffers */
};

/* ---- functions ------------------------------------------------------------------------------ */

typedef enum { FN_FUNC, FN_KERNEL, FN_ENTRY } fnkind_t;

struct lfunc {
    fnkind_t kind;
    const char *name;    /* C identifier, unique in the module */
    const char *comment; /* the spec lines it came from, for the head of the emitted function */
    value_t **params;    /* FN_FUNC: any types. FN_KERNEL: i64 scalars with a literal range */
    int n_params;
    ltype_t *results; /* FN_FUNC */
    int n_results;
    int n_tasks;      /* FN_KERNEL: rank of the task space, 1 … 4 */
    value_t *task[4]; /* i64, 0 <= task[i] < task_dims[i] */
    dim_t task_dims[4];
    block_t *body;
    int n_values;
    dim_t scratch_bytes; /* FN_KERNEL: set by the plan pass */
};

typedef struct {
    arena_t *arena;
    const char *name;
    const char *file; /* the .rir it was parsed from, else NULL: where messages point */
    const target_t *target;
    units_t units; /* of U; {0,0}: everything is literal */
    buffer_t **buffers;
    size_t n_buffers, cap_buffers;
    lfunc_t **funcs; /* callees before callers; the entry last */
    size_t n_funcs, cap_funcs;
    dim_t workspace_bytes; /* set by the plan pass: without scratch, multiple of 64 */
    dim_t scratch_bytes;   /* per worker: largest of the kernels, multiple of 64 */
} module_t;

module_t *module_new(arena_t *a, const char *name, const target_t *target, units_t units);
buffer_t *module_buffer(module_t *m, bufkind_t kind, const char *name, elem_t elem, int rank,
                        const dim_t *dims);
buffer_t *module_find_buffer(const module_t *m, const char *name); /* NULL: none */
lfunc_t *module_find_func(const module_t *m, const char *name);
lfunc_t *module_entry(const module_t *m);
bool buffer_is_integer(const buffer_t *b);
static inline bool buffer_has_slot(const buffer_t *b) {
    return b->kind == BUF_INPUT || b->kind == BUF_OUTPUT || b->kind == BUF_STATE;
}
dim_t buffer_bytes(const buffer_t *b); /* of all elements; at most one dimension mentions U */
/* The bytes of two planned buffers of one kernel never meet. */
bool buffers_disjoint(const buffer_t *a, const buffer_t *b, units_t u);

/* ---- building ------------------------------------------------------------------------------- */
/* A builder appends to one block of one function. All functions check types and call bug() when
 * the caller breaks a rule: a wrong call is our fault, never the user's. */

typedef struct {
    module_t *m;
    lfunc_t *fn;
    block_t *at;
} builder_t;

/* Opens a function. Kernel parameters: kernel_param() before the first instruction. */
builder_t build_func(module_t *m, const char *name, int n_params, const ltype_t *params,
                     const char *const *names, int n_results, const ltype_t *results);
builder_t build_kernel(module_t *m, const char *name, int n_tasks, const dim_t *dims,
                       const char *const *task_names);
value_t *kernel_param(builder_t *b, const char *name, int64_t count); /* 0 <= value < count */
/* The name is prefixed with the kernel's where another buffer has it. */
buffer_t *kernel_scratch(builder_t *b, const char *name, elem_t elem, int rank, const dim_t *dims);
builder_t build_entry(module_t *m, const char *name);

value_t *b_const(builder_t *b, ltype_t t, double x);   /* floats; a vector is a splat */
value_t *b_iconst(builder_t *b, ltype_t t, int64_t x); /* integers */
value_t *b_unary(builder_t *b, op_t op, value_t *x);   /* NEG SQRT */
value_t *b_not(builder_t *b, value_t *x);              /* of integers and masks: xor with -1 */
value_t *b_binary(builder_t *b, op_t op, value_t *x, value_t *y);
/* x*y+z, rounded once where the target has fma, else emitted as mul and add: the choice is made
 * here, so that the IR always says what happens. */
value_t *b_fma(builder_t *b, value_t *x, value_t *y, value_t *z);
/* Of targets with dot2, dot4: acc f32 x N, x and y bf16 x 2N; acc i32 x N, x u8 x 4N, y i8 x 4N. */
value_t *b_dot2(builder_t *b, value_t *acc, value_t *x, value_t *y);
value_t *b_dot4(builder_t *b, value_t *acc, value_t *x, value_t *y);
value_t *b_shift(builder_t *b, op_t op, value_t *x, int count); /* SHL SHR SAR by a literal */
/* EQ NE LT LE GT GE: i32 lanes (or scalar), -1 where true, 0 where false. */
value_t *b_compare(builder_t *b, op_t op, value_t *x, value_t *y);
value_t *b_select(builder_t *b, value_t *mask, value_t *x, value_t *y); /* mask ? x : y, per lane */
value_t *b_convert(builder_t *b, elem_t to, value_t *x); /* value conversion, same lanes */
value_t *b_bitcast(builder_t *b, elem_t to, value_t *x); /* same bits; lanes follow */
value_t *b_broadcast(builder_t *b, value_t *scalar, int lanes);
value_t *b_shuffle(builder_t *b, value_t *x, value_t *y, const int *lanes); /* n = lanes of x */
value_t *b_extract(builder_t *b, value_t *x, int lane);
value_t *b_idiv(builder_t *b, value_t *x, dim_t by); /* i64 x >= 0 */
value_t *b_irem(builder_t *b, value_t *x, dim_t by);
value_t *b_index(builder_t *b, affine_t x); /* an affine expression as an i64 value */

value_t *b_load(builder_t *b, buffer_t *buf, int lanes, const affine_t *index);
void b_store(builder_t *b, buffer_t *buf, value_t *x, const affine_t *index);
/* Asks for a line that is read or written much later, into the second-level cache: in the first it
 * would displace what the loops in between work on. */
void b_prefetch(builder_t *b, buffer_t *buf, const affine_t *index);

/* for (i = lo; i < hi; i++) with carried values. b_for moves the builder into the body and returns
 * the loop; carried values of the body are loop->body->args[1…]. b_end_for yields the next values,
 * moves the builder back; the results are loop->results[0…n-1]. */
inst_t *b_for(builder_t *b, const char *var, dim_t lo, dim_t hi, int n, value_t *const *init);
void b_end_for(builder_t *b, inst_t *loop, value_t *const *next);
static inline value_t *loop_var(const inst_t *loop);
static inline value_t *loop_arg(const inst_t *loop, int i);

/* if (cond != 0), cond an i32 scalar. b_if enters the then-block; b_else (optional) the other;
 * b_end_if leaves. With n results both blocks must yield n values of these types. */
inst_t *b_if(builder_t *b, value_t *cond, int n, const ltype_t *types);
void b_likely(inst_t *branch); /* marks an `if` */
void b_else(builder_t *b, inst_t *branch, value_t *const *yield);
void b_end_if(builder_t *b, inst_t *branch, value_t *const *yield);

value_t **b_call(builder_t *b, lfunc_t *callee, value_t *const *args); /* results */
value_t *b_call1(builder_t *b, lfunc_t *callee, value_t *x); /* one argument, one result */
void b_return(builder_t *b, value_t *const *results);        /* ends a FN_FUNC */
inst_t *b_launch(builder_t *b, lfunc_t *kernel, value_t *const *args); /* FN_ENTRY only */
/* Labels a launch; text is [a-z0-9_.#]+. layer: the i64 that the '#' stands for; NULL: no '#'. */
void b_label(builder_t *b, inst_t *launch, const char *text, value_t *layer);
void b_trace(builder_t *b, const char *name, value_t *layer, buffer_t *buf); /* FN_ENTRY only */
void b_ready(builder_t *b, buffer_t *output, value_t *part);                 /* FN_ENTRY only */
/* Elements of one part of the buffer, and of what stands before part 0 in its slot's memory. */
int64_t ready_elements(const buffer_t *b);
int64_t ready_offset(const buffer_t *b);
void b_comment(builder_t *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
value_t *b_name(value_t *v, const char *name); /* names a value for readers; returns it */

static inline value_t *loop_var(const inst_t *loop) {
    return loop->body->args[0];
}
static inline value_t *loop_arg(const inst_t *loop, int i) {
    return loop->body->args[i + 1];
}

/* Affine expressions. */
static inline affine_t ax(int64_t c) {
    return (affine_t){.base = {c, 0}};
}
affine_t ax_v(value_t *v);
affine_t ax_add(affine_t a, affine_t b);
affine_t ax_plus(affine_t a, int64_t c);
affine_t ax_scale(affine_t a, int64_t k);
affine_t ax_scale_dim(affine_t a, dim_t k); /* only one of the two may mention U */

/* ---- text, checks, execution, passes -------------------------------------------------------- */

/* print(parse(print(m))) == print(m). Parsing checks syntax, names, types of ops; the rest is
 * loops_verify()'s, which every caller runs next. `file` must outlive the diag_t. */
void module_print(const module_t *m, sbuf_t *out);
module_t *module_parse(arena_t *a, const char *file, const char *text, size_t bytes, diag_t *d);

/* Types, dominance, legality for the target, every access in bounds (affine or declared range),
 * every launch argument in the range of its parameter, the layer of every label in a literal one.
 * Errors go to d (file = module name). */
bool loops_verify(module_t *m, diag_t *d);

/* Of what products are: a machine does more of the smaller ones. A row more: here, in cost.c and in
 * cost/products.c. */
typedef enum { FACTOR_F32, FACTOR_BF16, FACTOR_I8, FACTOR_COUNT } factor_t;
/* Flops of each in the time of one of f32, where CPUs have the instruction: a vector holds twice as
 * many bf16, four times as many i8. */
extern const double flops_at_once[FACTOR_COUNT];

/* Counted from the IR for `units` (ignored when literal): one forward. */
typedef struct {
    double flops; /* fma counts two, dot2 four, dot4 eight; moves, other integer ops none */
    double of[FACTOR_COUNT];          /* flops of dot2, of dot4, and of all others */
    double bytes_read, bytes_written; /* loads and stores, every one */
} cost_t;
cost_t loops_cost(const module_t *m, int64_t units);                          /* whole entry */
cost_t loops_kernel_cost(const module_t *m, const lfunc_t *f, int64_t units); /* one launch */
/* Distinct bytes of weights, workspace and slots that one launch reads and writes: what must cross
 * the memory bus where nothing of it was in a cache. A gather of rows counts no more of them than
 * it loads. */
double loops_kernel_streams(const module_t *m, const lfunc_t *f, int64_t units);
/* The same of every buffer that it touches. */
typedef void stream_fn(void *ctx, const buffer_t *b, double read, double written);
void loops_each_stream(const module_t *m, const lfunc_t *f, int64_t units, stream_fn *fn,
                       void *ctx);
/* Calls fn for the launches of one forward, with how often each runs; one launch may come more than
 * once. Tables decide branches; where an input does, the dearer side runs. */
typedef void launch_fn(void *ctx, const inst_t *launch, int64_t times);
void loops_schedule(const module_t *m, int64_t units, launch_fn *fn, void *ctx);

/* Passes: each takes a verified module and leaves a verified one. */
typedef struct {
    bool verify_each;       /* after every pass; always on in debug builds */
    bool time;              /* --time-passes, to stderr */
    const char *dump_after; /* NULL, or the name of a pass, or "all": prints to stderr */
    const char *stop_after; /* NULL, or the name of a pass: none of the later ones runs; "": none at
                               all. Only the interpreter runs what is left unplanned. */
} pass_options_t;
bool loops_run_passes(module_t *m, const pass_options_t *o, diag_t *d);
const char *loops_pass_name(int i); /* in order; NULL past the last */
void pass_fold(module_t *m);        /* constants, exact identities, known ranges, affine indices */
void pass_cse(module_t *m);         /* equal pure instructions in one block or its ancestors */
void pass_dce(
    module_t *m); /* unused pure instructions, empty loops, uncalled functions, unused buffers */
void pass_order(module_t *m); /* text independent of the order of building; numbers values anew */
void pass_plan_memory(
    module_t *m); /* liveness over the entry → workspace offsets; scratch offsets */

/* A map of the workspace: which buffer lives when, where. Times are the launches and traces of the
 * entry as they stand there, each once. */
typedef struct {
    const buffer_t *buffer;
    int64_t offset, bytes; /* in the schedule's own part of the workspace */
    int first, last;       /* times, inclusive; first > last: never used */
    const bool *lives;     /* [times]: not in branches between the two that have no use for it */
} memory_life_t;
typedef struct {
    memory_life_t *lives; /* [n], in the order of the module */
    int n;
    const inst_t **at; /* [times] OP_LAUNCH or OP_TRACE */
    int times;
    int64_t bytes, unshared, scratch; /* of all; were nothing shared; of each worker */
} memory_map_t;
memory_map_t loops_memory_map(const module_t *m, int64_t units, arena_t *a);
void loops_print_plan(const module_t *m, sbuf_t *out); /* the same at the largest U, for readers */

/* The interpreter: runs the entry, checks every access (bounds, ranges, reads of never-written
 * memory). Slots as in runtime/reformer_rt.h. False after an error in d. Slow by design. */
struct reformer_call;
bool loops_interpret(const module_t *m, const struct reformer_call *call, diag_t *d);

#endif
