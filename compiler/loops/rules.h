/* What the builder, the parser, the verifier and the passes agree on: the columns of ops.def as a
 * table, the type rule of every plain op, size limits, the making of values and instructions. */
#ifndef REFORMERC_LOOPS_RULES_H
#define REFORMERC_LOOPS_RULES_H

#include "loops/loops.h"

typedef enum {
    RULE_NONE,
    RULE_SAME,
    RULE_MASK,
    RULE_FIRST,
    RULE_SELECT,
    RULE_EXPLICIT,
    RULE_MANY
} result_rule_t;

typedef struct {
    const char *name;
    int operands; /* fixed SSA operands */
    result_rule_t result;
    int flops; /* per lane */
    bool pure;
} op_info_t;
extern const op_info_t op_info[OP_COUNT];

enum {
    MAX_LANES = 64,
    MAX_BLOCK_DEPTH = 64,
    MAX_VALUES = 1 << 20,
    MAX_PARTS =
        1024, /* buffers, and functions, of a text: lowering makes dozens, passes look at all pairs */
    PLAN_ALIGN = 64,
    MAX_LAYER = 1 << 16 /* below it lies the layer of a label: who lists the names needs few */
};

/* NULL, or what is wrong with it, as the end of a sentence. */
const char *type_error(ltype_t t, const target_t *target);
/* The type of the result of a RULE_SAME, RULE_FIRST, RULE_MASK or RULE_SELECT
 * op over checked operands. */
ltype_t implied_type(const inst_t *i);
/* Operands, literals and result of a plain op (no memory, region or call). NULL: all is well. */
const char *op_error(const inst_t *i, const target_t *target, units_t units);

/* Every literal and dimension must stay below this, at both ends of U, so that sums of a few of
 * them never overflow; sizes of buffers too. */
#define DIM_LIMIT ((int64_t)1 << 58)
bool dim_fits(dim_t d, units_t u);
/* c = a * b, where one of both is literal; false: neither is, or the result does not fit. */
bool dim_mul(dim_t a, dim_t b, units_t u, dim_t *c);
/* Shape, kind and size of a buffer. NULL: all is well. */
const char *buffer_error(const buffer_t *b, units_t u);
bool name_is_valid(const char *name); /* [a-z][a-z0-9_]*, at most 200 characters */
/* The text of a label, with or without a layer. NULL: all is well. */
const char *label_error(const char *text, bool layer);

/* Instructions that a walk of structure treats alike. */
static inline bool has_many_results(const inst_t *i) {
    return op_info[i->op].result == RULE_MANY;
}

value_t *value_new(module_t *m, lfunc_t *f, ltype_t t, inst_t *def, const char *name);
block_t *block_new(module_t *m, inst_t *parent);
inst_t *inst_append(module_t *m, block_t *at, op_t op);
lfunc_t *func_new(module_t *m, fnkind_t kind, const char *name);
buffer_t *buffer_new(module_t *m, bufkind_t kind, const char *name, elem_t elem, int rank,
                     const dim_t *dims);
/* Rounds to the type, as a literal of it is stored. */
double const_round(elem_t e, double x);
/* Wraps to the type. */
int64_t const_wrap(elem_t e, int64_t x);
/* CONVERT f32 → bf16 and back, as ops.def says. */
uint16_t bf16_from(float x);
float bf16_to(uint16_t x);
float bf16_round(float x); /* there and back */

void cost_add(cost_t *to, const cost_t *one, double times);

/* One instruction as text, without what stands in its blocks: for messages. */
char *inst_text(arena_t *a, const lfunc_t *f, const inst_t *i);
void print_dim(sbuf_t *s, dim_t d); /* 64*U + 8 */
const char *dim_text(arena_t *a, dim_t d);
/* Where messages about an instruction (NULL: the module) point. */
srcloc_t inst_place(const module_t *m, const inst_t *i);

/* Calls f for every instruction of a block and the blocks inside, outer before inner. */
typedef void inst_fn(void *ctx, inst_t *i);
void walk_block(block_t *b, inst_fn *f, void *ctx);
/* Calls f for the place of every value an instruction uses: operands, values, terms of indices. */
typedef void use_fn(void *ctx, value_t **use);
void walk_uses(inst_t *i, use_fn *f, void *ctx);

#endif
