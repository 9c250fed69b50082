/* Shared by the files that write C.
 *
 * the files
 *   c.c            model.c and model.h as wholes
 *   c_opening.c    opening comment, what compilers must not do
 *   c_module.c     a module, and the region of a target; c_target.c opens and closes it
 *   c_desc.c       the descriptor; c_training.c and c_workspace.c: of trainings, of memory
 *   c_interface.c  functions that a product calls
 *   c_header.c     model.h
 *   c_embed.c      weights inside of the object
 *   c_runtime.c    what the model needs of the runtime, inside of both (--standalone);
 *                  c_runtime_needs.c: which pieces, c_runtime_text.c: as text; c_scan.c: C text
 *                  as pieces at file scope
 *   c_selftest.c   a program that tests the model, at its end (--selftest)
 * functions
 *   c_func.c       functions and kernels; c_locals.c: what a kernel begins with
 *   c_live.c       what of a function is needed; c_mask.c: which values are mask registers
 *   c_base.c       base pointers; c_pointer.c: their declarations
 *   c_part.c       large loops and branches as functions of their own; c_need.c: their parameters;
 *                  c_range.c: pieces of long schedules, c_seam.c: of long kernels
 *   c_block.c      blocks and conditions
 *   c_loop.c       loops, and what they carry
 *   c_statement.c  values, stores, calls
 *   c_schedule.c   launches, traces
 *   c_expr.c       one op → one expression: the table c_ops; c_operand.c: its operands
 *   c_address.c    indices as sums of products, buffers
 * text
 *   c_prelude.c    helpers for ops that C lacks, as asked for; c_helpers.c: their names;
 *                  c_bodies.c: the table of intrinsics
 *   c_globals.c    names at file scope; c_names.c: names that clash with nothing
 *   c_text.c       lines of at most 100 columns, literals
 *
 * The text of functions is made first; it asks for helpers on the way (c_helper), so that the
 * prelude of a target defines exactly what is used. */
#ifndef REFORMERC_EMIT_C_INT_H
#define REFORMERC_EMIT_C_INT_H

#include "emit/emit.h"

/* ---- c_names.c, c_text.c --------------------------------------------------------------------- */

enum { COLUMNS = 100, INDENT = 4 };

/* Names in use. A scope ends with names_leave(), which gives back the names made since. */
typedef struct names names_t;
/* Locals: names of `outer` are in use too. Global names: NULL. */
names_t *names_new(arena_t *a, const names_t *outer);
/* `base`, or base_1, base_2 … where it is in use or reserved (keywords, types, helpers). */
const char *names_make(names_t *n, const char *base);
bool names_taken(const names_t *n, const char *name);
void names_reserve(names_t *n, const char *name);
size_t names_enter(const names_t *n);
void names_leave(names_t *n, size_t mark);

/* One statement or opening line, wrapped at spaces with deeper indentation. */
void put_line(sbuf_t *out, int depth, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A block comment; what would end it, or no compiler would read, is taken out of the text. */
void put_comment(sbuf_t *out, int depth, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
const char *c_string(arena_t *a, const char *text);  /* "quoted" */
const char *c_comment(arena_t *a, const char *text); /* one line, safe inside of a comment */
const char *c_float(arena_t *a, elem_t e, double x);
const char *c_integer(arena_t *a, elem_t e, int64_t x);
const char *c_dim(arena_t *a, dim_t d); /* 64 * U + 8, a sum; literal: 72 */
const char *upper_case(arena_t *a, const char *name);
const char *c_elem(elem_t e); /* "float", "int32_t" */

/* ---- c_prelude.c ----------------------------------------------------------------------------- */

typedef enum {
    H_LOAD,
    H_STORE,
    H_PREFETCH,
    H_SPLAT,
    H_BITS,
    H_FROM_BITS,
    H_TO_BF16,
    H_FROM_BF16,
    H_ADD,
    H_SUB,
    H_MUL,
    H_MULHI,
    H_DIV,
    H_NEG,
    H_FMA,
    H_DOT2,
    H_DOT4,
    H_SQRT,
    H_MIN,
    H_MAX,
    H_SELECT,
    H_BLEND,
    H_EQ,
    H_NE,
    H_LT,
    H_LE,
    H_GT,
    H_GE,
    H_SHUFFLE,
    H_COUNT
} helper_t;

typedef struct emitter emitter_t;

/* What a helper takes and gives: parameters, result. */
typedef enum {
    S_UNARY,
    S_BINARY,
    S_TERNARY,
    S_DOT2,
    S_DOT4,
    S_SELECT,
    S_BLEND,
    S_MASK,
    S_OWN
} shape_t;

typedef struct {
    const char *name;
    shape_t shape;
} helper_form_t;
extern const helper_form_t helpers[H_COUNT];
/* The result, or statements, where it holds a ';'; NULL: the target has no such instruction. */
const char *body_of(const emitter_t *c, helper_t h, ltype_t t);

/* The name of a type, which the prelude then declares. */
const char *c_type(emitter_t *c, ltype_t t);
const char *c_unsigned(emitter_t *c, ltype_t t); /* of an integer type: the same, unsigned */
/* The name of a helper, which the prelude then defines. */
const char *c_helper(emitter_t *c, helper_t h, ltype_t t);
const char *c_shuffle(emitter_t *c, ltype_t t, const int *lanes, bool *one_operand);
/* Comparisons and selections of this type have mask registers on this target. */
bool c_has_masks(const target_t *t, ltype_t type);
const char *c_mask_type(ltype_t t); /* "__mmask16" */
/* Typedefs and helpers asked for so far; their names join c->own. */
void put_prelude(emitter_t *c, sbuf_t *out);
void put_target_open(const target_t *t, sbuf_t *out);
void put_target_close(const target_t *t, sbuf_t *out);
bool is_short_helper(helper_t h, ltype_t t); /* fma8: its name says no more than lanes */
bool is_helper_name(const char *name);       /* "fma_i32x16": no function of a module may take it */
bool is_short_helper_name(const char *name); /* "fma16" */

/* ---- the emitter ----------------------------------------------------------------------------- */

typedef struct prelude prelude_t;
prelude_t *prelude_new(arena_t *a);

/* A function or table of a module, its C name, and whether the text mentions it. */
typedef struct {
    const void *what;
    const char *name;
    bool used;
} global_t;

struct emitter {
    const plan_t *plan;
    const emit_c_options_t *o;
    arena_t *lasting; /* of the emission */
    arena_t *arena;   /* of the function being written, else the same */
    names_t *globals;
    /* of the region being written */
    const target_t *target;
    const char *target_suffix; /* "_v4", "" where there is one target */
    prelude_t *prelude;
    const char **own; /* file-scope names, short */
    size_t n_own, cap_own;
    /* of the module being written */
    const module_t *m;
    const char *suffix; /* "_L4096_v4" */
    global_t *global;
    size_t n_globals, cap_globals;
};

/* c_module.c: all parts of one target; run: names of their entries. */
void put_region(emitter_t *c, int rank, const char **run, sbuf_t *out);
/* c_desc.c: the descriptor; its name. */
const char *put_descriptor(emitter_t *c, const reformer_desc_t *d, const reformer_variant_t *v,
                           const char *const *run, sbuf_t *out);

/* c_interface.c */
void put_interface(emitter_t *c, const char *desc, sbuf_t *out);
void reserve_interface(emitter_t *c); /* names that only the model's own have */

/* Both note that the name is used. */
const char *c_func_name(emitter_t *c, const lfunc_t *f);
const char *c_table_name(emitter_t *c, const buffer_t *b);
bool global_is_used(const emitter_t *c, const void *what);
void name_globals(emitter_t *c); /* of c->m */
/* A name with the model's prefix, which nothing else has. */
const char *own_name(emitter_t *c, const char *name);
/* A macro that makes it stand for that; the end of the macro. */
void put_own_name(emitter_t *c, const char *name, bool define, sbuf_t *out);
/* c_training.c: constants; their names, NULL: there is nothing of it. */
const char *put_training(emitter_t *c, const reformer_training_t *t, sbuf_t *out);
const char *put_drawn_rotations(emitter_t *c, const reformer_desc_t *d, sbuf_t *out);
/* c_workspace.c: MODEL_WORKSPACE_BYTES. */
void put_workspace_macro(const emitter_t *c, const reformer_desc_t *d, sbuf_t *out);
/* c_opening.c */
void put_opening(emitter_t *c, sbuf_t *out);
void put_guards(emitter_t *c, sbuf_t *out);
void put_end(sbuf_t *out);
const char *origin_text(const emitter_t *c); /* a line, where it is told */
const char *spec_name(const emitter_t *c);   /* base name, for comments */

/* ---- c_func.c, c_live.c, c_expr.c ------------------------------------------------------------ */

/* How tightly an expression binds: an operand of a looser kind goes in parentheses. */
typedef enum { P_COND, P_BITS, P_COMPARE, P_SUM, P_PRODUCT, P_UNARY, P_PRIMARY } prec_t;

typedef struct cut c_cut_t; /* c_part.c */

/* A mutable local: a value carried by a loop. */
typedef struct {
    const char *name;
    const c_cut_t *inside; /* the piece that declares it; NULL: none does */
} var_t;

enum { MAX_READS = 8 };

/* c_base.c */
typedef struct term term_t;
typedef struct address address_t;
typedef struct {
    const address_t *address;
    const block_t *block; /* declared there, in front of its instruction `at` */
    size_t at;
    const char *name; /* NULL: not yet */
    bool written;     /* through it */
    int64_t shift;    /* inside of a part: elements that it is ahead by */
} base_t;

typedef struct {
    const char *text;
    prec_t prec;
    const char *cond; /* scalar comparisons: the text as a condition, else NULL */
    bool loads;       /* reads memory, so it must not pass a store */
    bool crowded;     /* reads more variables than are listed */
    int n_reads;
    const var_t *reads[MAX_READS];
} expr_t;

/* What is known of a value. */
typedef struct {
    int uses;           /* by live instructions */
    const inst_t *user; /* the last one seen; the only one when uses == 1 */
    int index_uses;     /* of these, as a term of an index */
    bool live, mask;    /* mask: kept in a mask register */
    bool wide;          /* i32: the local is an int64_t, since indices use it */
    bool pending;       /* e is written where it is used, once */
    expr_t e;
    const var_t *var;        /* carried values: where they live */
    const var_t *update;     /* assigned to this variable where it is defined */
    int n_terms, first_term; /* of addresses that have it */
    int depth;               /* values of indices: of the block that knows them */
    bool at_entry;           /* from its start */
    int last_at, at_last;    /* arguments of loops: place of the last use in the body, uses there */
} vstate_t;

/* c_part.c */
typedef struct {
    const char *key, *name;
    int lines;
} cut_text_t;

typedef struct {
    emitter_t *c;
    const lfunc_t *fn;
    vstate_t *state; /* [fn->n_values] */
    names_t *names;
    sbuf_t out;
    int depth;
    const value_t **pending;
    size_t n_pending, cap_pending;
    const buffer_t **buffers; /* used, in order of first use */
    const char **buffer_names;
    bool *buffer_written;
    int64_t *buffer_shift;
    size_t n_buffers, cap_buffers, cap_names, cap_written, cap_shift;
    bool uses_units, uses_arg, uses_task;
    term_t *terms;
    size_t n_terms, cap_terms;
    address_t **addresses; /* of accesses */
    size_t n_addresses, cap_addresses;
    base_t **bases;
    size_t n_bases, cap_bases;
    c_cut_t **parts;
    size_t n_parts, cap_parts;
    const c_cut_t *inside; /* the piece that is being written: a range of instructions */
    cut_text_t *texts;     /* of parts that are written */
    size_t n_texts, cap_texts;
    sbuf_t before;  /* these */
    bool anonymous; /* locals get numbers for names */
} func_t;

static inline const char *local_name(func_t *f, const char *base) {
    return names_make(f->names, f->anonymous ? "x" : base);
}
static inline vstate_t *state_of(const func_t *f, const value_t *v) {
    return &f->state[v->id];
}

static inline bool is_logic(const inst_t *i) {
    return i->op == OP_AND || i->op == OP_OR || i->op == OP_XOR;
}
static inline bool is_comparison(const inst_t *i) {
    return i->op >= OP_EQ && i->op <= OP_GE;
}
/* An integer compared with itself: written out, compilers would warn. It needs no operands. */
static inline bool is_decided(const inst_t *i) {
    return is_comparison(i) && i->operand[0] == i->operand[1] &&
           !elem_is_float(i->operand[0]->type.elem) && i->result->type.lanes == 1;
}

/* c_base.c */
void find_bases(func_t *f);
void put_bases(func_t *f, const block_t *b, size_t at);
const address_t *address_of(const func_t *f, const inst_t *i); /* NULL: none */
const buffer_t *address_buffer(const address_t *x);
base_t *address_from(const address_t *x);                              /* NULL: the buffer */
const value_t *address_innermost(const func_t *f, const address_t *x); /* of its values */
const char *c_base_name(const func_t *f, const address_t *x);
void address_rest(const func_t *f, const address_t *x, affine_t *index); /* what its base leaves */

/* c_part.c */
void find_parts(func_t *f);
bool put_part(func_t *f, const block_t *b); /* a call instead of it; false: it is no part */
/* A call instead of the range of instructions that begins there; its end, or `from`: none does. */
size_t put_range(func_t *f, const block_t *b, size_t from);
c_cut_t *add_part(func_t *f, const block_t *b, size_t from, size_t to);

/* c_range.c */
void find_ranges(func_t *f);

/* c_seam.c */
/* lines: of each part, and of the kernel behind them; those of more than max are cut, into ones of
 * about aim. */
void find_seams(func_t *f, const int *lines, int max, int aim);

/* c_statement.c */
typedef enum { FLUSH_ALL, FLUSH_LOADS, FLUSH_READERS } flush_t;
/* Writes pending values that must not wait any longer as locals: all, those that
 * read memory, or var. */
void flush(func_t *f, flush_t which, const var_t *var);
bool reads(const expr_t *e, const var_t *var);
void put_value(func_t *f, const inst_t *i);
void put_store(func_t *f, const inst_t *i);
void put_prefetch(func_t *f, const inst_t *i);
void put_call(func_t *f, const inst_t *i);
void put_return(func_t *f, const inst_t *i);

/* c_schedule.c */
void put_launch(func_t *f, const inst_t *i);
void put_trace(func_t *f, const inst_t *i);
void put_ready(func_t *f, const inst_t *i);
const char *dim_product(func_t *f, const dim_t *d, int from, int to);

/* c_locals.c */
void put_locals(func_t *f, sbuf_t *out);

/* c_loop.c, c_block.c */
void put_yield(func_t *f, const block_t *b, const var_t *const *vars);
void put_loop(func_t *f, const inst_t *loop);
/* Where the loop leaves a result; *made: it is new, and nothing declares it yet. */
const var_t *carried_variable(func_t *f, const inst_t *loop, const value_t *result, bool *made);
void put_block(func_t *f, const block_t *b);
void put_insts(func_t *f, const block_t *b, size_t from, size_t to); /* of it */
void flush_all(func_t *f); /* pending values become locals */

/* c_live.c */
void find_uses(func_t *f); /* fills state.live, uses, user */
bool is_needed(const func_t *f, const inst_t *i);
bool block_is_needed(const func_t *f, const block_t *b);
int index_of(value_t *const *list, int n, const value_t *v); /* n: absent */
/* Calls use() for every value that an instruction uses but in its index. */
void each_operand(func_t *f, const inst_t *i, void (*use)(void *ctx, const value_t *v), void *ctx);
/* Calls use() for every value that needed instructions use, i itself and those inside of it. */
void each_use_inside(func_t *f, const inst_t *i, void (*use)(void *ctx, const value_t *v),
                     void *ctx);

/* The expression of a value at its use; a pending one is consumed. */
expr_t take(func_t *f, const value_t *v);
/* The same as text that binds at least as tightly as `at_least`; what it reads is added to e. */
const char *take_text(func_t *f, const value_t *v, prec_t at_least, expr_t *e);
expr_t expr_of(func_t *f, const inst_t *i); /* of an instruction with one result */
const char *default_name(const inst_t *i);
const char *carried_default(const value_t *next); /* by how the next value is made */
void add_reads(expr_t *e, const expr_t *of);
const char *operand(func_t *f, const inst_t *i, int k, prec_t at_least, expr_t *e);
const char *arguments(func_t *f, int n, value_t *const *v, expr_t *e); /* "x, y" */
const char *bracket(func_t *f, const char *text, prec_t prec, prec_t at_least);
/* As an operand of int64_t arithmetic: C promotes what stands beside one. */
const char *take_wide(func_t *f, const value_t *v, prec_t at_least, bool promoted, expr_t *e);

/* c_address.c */
const char *c_dim_of(func_t *f, dim_t d);
prec_t dim_prec(dim_t d);
/* Element of a buffer: name[index], and where it is: name + index; `e` as above. */
const char *element(func_t *f, const inst_t *i, expr_t *e);
const char *pointer(func_t *f, const inst_t *i, expr_t *e);
const char *buffer_base(const func_t *f, const buffer_t *b);   /* what its local is called after */
const char **buffer_local(const func_t *f, const buffer_t *b); /* no table */
int64_t *buffer_shift(const func_t *f, const buffer_t *b);     /* as of a base */
dim_t flat_constant(const buffer_t *b,
                    const affine_t *index); /* elements; not literal where strides are not */
const char *address_text(func_t *f, const address_t *x, expr_t *e);
/* The local (or table) that holds a buffer, made at the first call. */
const char *buffer_name(func_t *f, const buffer_t *b, bool written);
const char *affine_text(func_t *f, const affine_t *a, expr_t *e, prec_t *prec);
const char *c_value_type(const func_t *f, const value_t *v);
const char *c_local_type(const func_t *f, const value_t *v); /* of its local */
const char *c_value_name(const value_t *v);                  /* what its local is called after */
void find_masks(func_t *f);                                  /* fills state.mask */

/* A function or kernel as text, with its comment. */
void put_function(emitter_t *c, const lfunc_t *f, sbuf_t *out);

/* ---- c_runtime.c ----------------------------------------------------------------------------- */

typedef struct runtime runtime_t;
/* What `body`, the text of model.c, needs of the runtime. */
runtime_t *runtime_of(emitter_t *c, const char *body);
void put_runtime_features(const runtime_t *r, sbuf_t *out); /* before the first #include */
void put_runtime(runtime_t *r, sbuf_t *out);                /* before the body */
void put_runtime_end(const runtime_t *r, sbuf_t *out);      /* behind it */
void put_runtime_header(const emitter_t *c, sbuf_t *out);   /* in model.h */

/* ---- c_embed.c ------------------------------------------------------------------------------- */

void put_embedded_weights(emitter_t *c, sbuf_t *out); /* c->o->weights_file */

/* ---- c_selftest.c ---------------------------------------------------------------------------- */

extern const char selftest_text[];            /* selftest.txt */
void put_selftest(emitter_t *c, sbuf_t *out); /* c->o->selftest */

/* ---- c_header.c ------------------------------------------------------------------------------ */

void put_header(const emitter_t *c, const reformer_desc_t *d, const reformer_variant_t *v,
                sbuf_t *out);
const char *include_guard(arena_t *a, const char *header_name);

#endif
