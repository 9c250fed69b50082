/* Base pointers. In: a function whose buffers have names. Out: for accesses whose addresses begin
 * alike, a pointer to where they differ, declared in the block that knows all of the common part;
 * c_address.c writes the rest as its subscript.
 *
 * A base is chosen where it makes the text shorter, the best one first, and is then an address like
 * any other: a block around it may have a base for a part of it. It always points into its buffer,
 * as what is known of its values says; where that is not enough to tell, there is none. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "emit/c_int.h"

/* At least so many addresses share one; columns that its declaration takes but
 * for what it holds. */
enum { USES_MIN = 3, DECLARATION = 34, DEPTH_MAX = 24, TERMS_MAX = 16 };

/* A term of a dimension of a buffer; the same one is one number in all addresses. */
struct term {
    const buffer_t *buffer;
    int d;
    value_t *value;
    dim_t coef;
    int next; /* of the same value; -1: none */
};

typedef struct {
    int n;
    short term[TERMS_MAX]; /* numbers, rising */
} base_terms_t;

struct address {
    const inst_t *inst; /* whose it is; NULL: a base's */
    const base_t *own;
    const buffer_t *buffer;
    base_terms_t rest, held; /* by its base: the latter */
    base_t *base;            /* NULL: the buffer */
    int depth;
    struct {
        const block_t *block;
        size_t at;
    } path
        [DEPTH_MAX]; /* [depth]: the blocks around it, the outermost first, and its place in each */
};

/* ---- addresses ------------------------------------------------------------------------------- */

static int block_depth(const block_t *b) {
    int n = 0;
    for (; b->parent; b = b->parent->parent) n++;
    return n;
}

/* Of the block that knows a value: 0 for the function's own. */
static void find_depth(func_t *f, const value_t *v) {
    vstate_t *s = state_of(f, v);
    const inst_t *i = v->def;
    s->at_entry = true;
    s->depth = 0;
    if (!i) return;
    s->at_entry = i->op == OP_FOR && index_of(i->body->args, i->body->n_args, v) < i->body->n_args;
    s->depth = block_depth(i->parent) + s->at_entry;
}

static short term_number(func_t *f, const buffer_t *b, int d, value_t *v, dim_t coef) {
    vstate_t *s = state_of(f, v);
    int first = s->n_terms ? s->first_term : -1;
    for (int k = first; k >= 0; k = f->terms[k].next) {
        const term_t *t = &f->terms[k];
        if (t->buffer == b && t->d == d && dim_equal(t->coef, coef)) return (short)k;
    }
    if (!s->n_terms++) find_depth(f, v);
    s->first_term = (int)f->n_terms;
    ARENA_PUSH(f->c->arena, f->terms, f->n_terms, f->cap_terms) = (term_t){b, d, v, coef, first};
    return (short)s->first_term;
}

static void add_term(base_terms_t *x, short term) {
    int k = x->n++;
    for (; k > 0 && x->term[k - 1] > term; k--) x->term[k] = x->term[k - 1];
    x->term[k] = term;
}

static bool find_terms(func_t *f, address_t *x, const inst_t *i) {
    for (int d = 0; d < i->n_index; d++)
        for (int k = 0; k < i->index[d].n; k++) {
            if (x->rest.n == TERMS_MAX || f->n_terms == SHRT_MAX) return false;
            value_t *v = i->index[d].term[k].value;
            add_term(&x->rest, term_number(f, x->buffer, d, v, i->index[d].term[k].coef));
        }
    return x->rest.n > 0;
}

static void find_address(func_t *f, const inst_t *i, address_t *around) {
    arena_t *a = f->c->arena;
    address_t x = *around;
    x.inst = i;
    x.buffer = i->buffer;
    if (find_terms(f, &x, i))
        *(ARENA_PUSH(a, f->addresses, f->n_addresses, f->cap_addresses) = ARENA_NEW(a, address_t)) =
            x;
}

/* around: where the block stands. */
static void find_addresses(func_t *f, const block_t *b, address_t *around) {
    if (around->depth == DEPTH_MAX) return;
    int level = around->depth++;
    around->path[level].block = b;
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        around->path[level].at = k;
        if (!is_needed(f, i)) continue;
        if (i->op == OP_LOAD || i->op == OP_STORE || i->op == OP_PREFETCH)
            find_address(f, i, around);
        if (i->body) find_addresses(f, i->body, around);
        if (i->otherwise) find_addresses(f, i->otherwise, around);
    }
    around->depth--;
}

/* ---- parts of them --------------------------------------------------------------------------- */

/* A part of an address that a block knows: all that is known in its place there,
 * or at the block's entry. */
typedef struct {
    const address_t *of; /* NULL: none */
    int level, gain;
    base_terms_t part;
} choice_t;

static bool find_part(const func_t *f, choice_t *c, bool at_entry) {
    for (int k = 0; k < c->of->rest.n; k++) {
        short t = c->of->rest.term[k];
        const vstate_t *s = state_of(f, f->terms[t].value);
        if (s->depth > c->level || (s->depth == c->level && at_entry && !s->at_entry)) continue;
        c->part.term[c->part.n++] = t;
    }
    return c->part.n > 0;
}

static bool holds(const base_terms_t *x, const base_terms_t *part) {
    int k = 0;
    for (int m = 0; m < x->n && k < part->n; m++) k += x->term[m] == part->term[k];
    return k == part->n;
}

static bool shares(const address_t *x, const choice_t *c) {
    return x->base == c->of->base && x->depth > c->level &&
           x->path[c->level].block == c->of->path[c->level].block && holds(&x->rest, &c->part);
}

static bool same_choice(const choice_t *a, const choice_t *b) {
    return a->level == b->level && a->part.n == b->part.n && shares(a->of, b) &&
           holds(&a->part, &b->part);
}

/* ---- what they save -------------------------------------------------------------------------- */

static int columns_of(const func_t *f, const buffer_t *b, const base_terms_t *part) {
    int n = 0, first = b->rank, last = 0;
    for (int k = 0; k < part->n; k++) {
        const term_t *t = &f->terms[part->term[k]];
        bool one = dim_equal(t->coef, dim(1));
        n += (t->value->name ? (int)strlen(t->value->name) : 5) + (one ? 3 : 8);
        if (t->d < first) first = t->d;
        if (t->d > last) last = t->d;
    }
    return n + 8 * (last - first) + (last + 1 < b->rank ? 6 : 0);
}

static bool term_range(const term_t *t, dim_t *lo, dim_t *hi) {
    const value_t *v = t->value;
    dim_t coef = t->coef;
    if (!v->bounded) return false;
    if (dim_literal(coef)) {
        *lo = dim_scale(coef.c < 0 ? v->hi : v->lo, coef.c);
        *hi = dim_scale(coef.c < 0 ? v->lo : v->hi, coef.c);
        return true;
    }
    if (coef.c < 0 || coef.u < 0 || !dim_literal(v->lo) || !dim_literal(v->hi) || v->lo.c < 0)
        return false;
    *lo = dim_scale(coef, v->lo.c);
    *hi = dim_scale(coef, v->hi.c);
    return true;
}

/* In bounds, dimension by dimension, whatever the values are. */
static bool points_inside(const func_t *f, const choice_t *c) {
    units_t u = f->c->m->units;
    const base_terms_t *sums[] = {&c->of->held, &c->part};
    dim_t low[MAX_RANK] = {{0, 0}}, high[MAX_RANK] = {{0, 0}}, lo, hi;
    for (int s = 0; s < 2; s++)
        for (int k = 0; k < sums[s]->n; k++) {
            const term_t *t = &f->terms[sums[s]->term[k]];
            if (!term_range(t, &lo, &hi)) return false;
            low[t->d] = dim_add(low[t->d], lo);
            high[t->d] = dim_add(high[t->d], hi);
        }
    for (int d = 0; d < c->of->buffer->rank; d++)
        if (!dim_le(dim(0), low[d], u) ||
            !dim_le(dim_add(high[d], dim(1)), c->of->buffer->dims[d], u))
            return false;
    return true;
}

static void weigh(const func_t *f, address_t *const *x, size_t n, choice_t *c) {
    int uses = 0;
    for (size_t k = 0; k < n; k++) uses += shares(x[k], c);
    c->gain = (uses - 1) * columns_of(f, c->of->buffer, &c->part) - DECLARATION - INDENT * c->level;
    if (uses < USES_MIN || c->gain <= 0 || !points_inside(f, c)) c->gain = 0;
}

/* ---- the choice ------------------------------------------------------------------------------ */

typedef struct {
    choice_t *at;
    size_t n, cap;
} choices_t;

static bool is_new(const choices_t *all, const choice_t *c) {
    for (size_t k = all->n; k-- > 0;)
        if (same_choice(&all->at[k], c)) return false;
    return true;
}

/* What goes on from a base stands where that is known. */
static int first_level(const address_t *x) {
    return x->base ? block_depth(x->base->block) : 0;
}

static choice_t find_best(const func_t *f, address_t *const *x, size_t n, choices_t *all) {
    choice_t best = {0};
    all->n = 0;
    for (size_t k = 0; k < n; k++)
        for (int level = first_level(x[k]); level < x[k]->depth; level++)
            for (int entry = 0; entry < 2; entry++) {
                choice_t c = {.of = x[k], .level = level};
                if (!find_part(f, &c, entry) || !is_new(all, &c)) continue;
                weigh(f, x, n, &c);
                ARENA_PUSH(f->c->arena, all->at, all->n, all->cap) = c;
                if (c.gain > best.gain) best = c;
            }
    return best;
}

static void take_out(base_terms_t *x, const base_terms_t *part) {
    int n = 0, k = 0;
    for (int m = 0; m < x->n; m++) {
        if (k < part->n && x->term[m] == part->term[k]) k++;
        else x->term[n++] = x->term[m];
    }
    x->n = n;
}

static bool writes(const address_t *x) {
    return x->inst ? x->inst->op == OP_STORE : x->own->written;
}

/* The address of a new base that the others which share the part go on from. */
static address_t *add_base(func_t *f, address_t *const *x, size_t n, const choice_t *c) {
    arena_t *a = f->c->arena;
    address_t *of = ARENA_NEW(a, address_t);
    *of = *c->of;
    choice_t model = *c;
    model.of = of;
    base_t *base = ARENA_NEW(a, base_t);
    *base = (base_t){.address = of, .block = of->path[c->level].block, .at = SIZE_MAX};
    for (size_t k = 0; k < n; k++) {
        if (!shares(x[k], &model)) continue;
        take_out(&x[k]->rest, &c->part);
        for (int t = 0; t < c->part.n; t++) add_term(&x[k]->held, c->part.term[t]);
        x[k]->base = base;
        base->written = base->written || writes(x[k]);
        if (x[k]->path[c->level].at < base->at) base->at = x[k]->path[c->level].at;
    }
    of->rest = c->part;
    of->inst = NULL;
    of->own = base;
    of->depth = c->level + 1;
    of->path[c->level].at = base->at;
    ARENA_PUSH(a, f->bases, f->n_bases, f->cap_bases) = base;
    return of;
}

static void choose_for(func_t *f, const buffer_t *b, choices_t *all) {
    address_t **x = NULL;
    size_t n = 0, cap = 0;
    for (size_t k = 0; k < f->n_addresses; k++)
        if (f->addresses[k]->buffer == b) ARENA_PUSH(f->c->arena, x, n, cap) = f->addresses[k];
    while (n >= USES_MIN) {
        choice_t best = find_best(f, x, n, all);
        if (!best.of) return;
        address_t *made = add_base(f, x, n, &best);
        ARENA_PUSH(f->c->arena, x, n, cap) = made;
    }
}

static int compare_addresses(const void *x, const void *y) {
    uintptr_t a = (uintptr_t)(*(address_t *const *)x)->inst;
    uintptr_t b = (uintptr_t)(*(address_t *const *)y)->inst;
    return (a > b) - (a < b);
}

void find_bases(func_t *f) {
    address_t around = {.inst = NULL};
    choices_t all = {0};
    find_addresses(f, f->fn->body, &around);
    for (size_t k = 0; k < f->n_buffers; k++) choose_for(f, f->buffers[k], &all);
    if (f->n_addresses)
        qsort(f->addresses, f->n_addresses, sizeof *f->addresses, compare_addresses);
}

/* ---- what is left of an access --------------------------------------------------------------- */

const address_t *address_of(const func_t *f, const inst_t *i) {
    size_t low = 0, high = f->n_addresses;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const address_t *x = f->addresses[middle];
        if (x->inst == i) return x;
        if ((uintptr_t)x->inst < (uintptr_t)i) low = middle + 1;
        else high = middle;
    }
    return NULL;
}

const buffer_t *address_buffer(const address_t *x) {
    return x->buffer;
}

void address_rest(const func_t *f, const address_t *x, affine_t *index) {
    for (int d = 0; d < x->buffer->rank; d++)
        index[d] = (affine_t){.base = x->inst ? x->inst->index[d].base : dim(0)};
    for (int k = 0; k < x->rest.n; k++) {
        const term_t *t = &f->terms[x->rest.term[k]];
        affine_t *sum = &index[t->d];
        sum->term[sum->n].value = t->value;
        sum->term[sum->n++].coef = t->coef;
    }
}

base_t *address_from(const address_t *x) {
    return x->base;
}

const value_t *address_innermost(const func_t *f, const address_t *x) {
    const value_t *last = NULL;
    int depth = -1;
    for (int k = 0; k < x->rest.n; k++) {
        const value_t *v = f->terms[x->rest.term[k]].value;
        if (state_of(f, v)->depth >= depth) last = v, depth = state_of(f, v)->depth;
    }
    return last;
}
