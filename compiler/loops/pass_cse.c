/* Common subexpressions: an instruction that a block or one around it has computed already is
 * replaced by the first.
 *
 * In: a verified module. Out: the same without repeated pure instructions (calls included, loads
 * not: memory may change between two). Nesting of blocks is dominance here, so a table that forgets
 * what a block entered when the block ends is all it takes. */
#include <math.h>
#include <string.h>

#include "loops/rules.h"
#include "support/hash.h"

enum { BUCKETS = 1024 };

typedef struct known {
    inst_t *inst;
    struct known *next;
} known_value_t;

typedef struct {
    arena_t *scratch;
    known_value_t *bucket[BUCKETS];
    value_t **same; /* [n_values]: what a value was replaced by, or NULL */
} cse_t;

static void resolve(void *ctx, value_t **use) {
    cse_t *c = ctx;
    if (c->same[(*use)->id]) *use = c->same[(*use)->id];
}

static uint64_t hash_of(const inst_t *i) {
    uint64_t h = hash64(HASH64_INIT, &i->op, sizeof i->op);
    h = hash64(h, i->operand, sizeof *i->operand * (size_t)i->n_operands);
    if (i->n_values) h = hash64(h, i->values, sizeof *i->values * (size_t)i->n_values);
    for (int d = 0; d < i->n_index; d++)
        for (int k = 0; k < i->index[d].n; k++)
            h = hash64(h, &i->index[d].term[k].value, sizeof(value_t *));
    return hash64(h, &i->i, sizeof i->i);
}

static bool affine_equal(const affine_t *a, const affine_t *b) {
    if (a->n != b->n || !dim_equal(a->base, b->base)) return false;
    for (int k = 0; k < a->n; k++)
        if (a->term[k].value != b->term[k].value || !dim_equal(a->term[k].coef, b->term[k].coef))
            return false;
    return true;
}

static bool results_equal(const inst_t *a, const inst_t *b) {
    if ((a->result != NULL) != (b->result != NULL) || a->n_results != b->n_results) return false;
    return !a->result || ltype_equal(a->result->type, b->result->type);
}

/* 0 and -0 differ; there is one NaN (const_round). */
static bool float_equal(double a, double b) {
    return a == b ? signbit(a) == signbit(b) : isnan(a) && isnan(b);
}

static bool lanes_equal(const inst_t *a, const inst_t *b) {
    if (!a->lanes || !b->lanes) return a->lanes == b->lanes;
    return memcmp(a->lanes, b->lanes, sizeof(int) * (size_t)a->result->type.lanes) == 0;
}

static bool inst_equal(const inst_t *a, const inst_t *b) {
    if (a->op != b->op || a->i != b->i || !float_equal(a->f, b->f) || !dim_equal(a->d, b->d))
        return false;
    if (a->callee != b->callee || a->n_operands != b->n_operands || a->n_values != b->n_values ||
        a->n_index != b->n_index || !results_equal(a, b) || !lanes_equal(a, b))
        return false;
    for (int k = 0; k < a->n_operands; k++)
        if (a->operand[k] != b->operand[k]) return false;
    for (int k = 0; k < a->n_values; k++)
        if (a->values[k] != b->values[k]) return false;
    for (int k = 0; k < a->n_index; k++)
        if (!affine_equal(&a->index[k], &b->index[k])) return false;
    return true;
}

static void replace(cse_t *c, const inst_t *i, const inst_t *by) {
    if (i->result) c->same[i->result->id] = by->result;
    for (int k = 0; k < i->n_results; k++) c->same[i->results[k]->id] = by->results[k];
}

static void share_block(cse_t *c, block_t *b);

/* True when an earlier one does the same. */
static bool share(cse_t *c, inst_t *i, known_value_t ***entered, size_t *n, size_t *cap) {
    walk_uses(i, resolve, c);
    if (i->body) share_block(c, i->body);
    if (i->otherwise) share_block(c, i->otherwise);
    if (!op_info[i->op].pure) return false;
    known_value_t **bucket = &c->bucket[hash_of(i) % BUCKETS];
    for (known_value_t *k = *bucket; k; k = k->next)
        if (inst_equal(k->inst, i)) {
            replace(c, i, k->inst);
            return true;
        }
    known_value_t *k = ARENA_NEW(c->scratch, known_value_t);
    *k = (known_value_t){i, *bucket};
    *bucket = k;
    ARENA_PUSH(c->scratch, *entered, *n, *cap) = k;
    return false;
}

static void share_block(cse_t *c, block_t *b) {
    known_value_t **entered = NULL;
    size_t n = 0, cap = 0, kept = 0;
    for (size_t k = 0; k < b->n; k++)
        if (!share(c, b->insts[k], &entered, &n, &cap)) b->insts[kept++] = b->insts[k];
    b->n = kept;
    while (n-- > 0) /* in reverse, each is still the head of its bucket */
        c->bucket[hash_of(entered[n]->inst) % BUCKETS] = entered[n]->next;
}

void pass_cse(module_t *m) {
    for (size_t k = 0; k < m->n_funcs; k++) {
        arena_t *scratch = arena_new();
        cse_t *c = ARENA_NEW(scratch, cse_t);
        c->scratch = scratch;
        c->same = ARENA_ARRAY(scratch, value_t *, m->funcs[k]->n_values);
        share_block(c, m->funcs[k]->body);
        arena_free(scratch);
    }
}
