/* Seams of kernels. In: a kernel whose function, or a part of it, is too long. Out: ranges of its
 * instructions that become parts (c_part.c), where few values cross.
 *
 * Long functions are tiles one after the other, each with what is made of its sums: between them
 * hardly anything crosses, within them all the sums. Sizes are statements, which stand for lines as
 * they did in the function when it was whole. */
#include <limits.h>

#include "emit/c_part.h"

/* A piece has so many lines, about. A value that leaves costs as much as some that enter. */
enum { PIECE_MIN = 60, LEAVES_MAX = 8, LEAVE_COST = 6 };

typedef struct {
    const block_t *block; /* NULL: none */
    size_t from, to;
    int cost, size;
} seam_t;

/* A function: what of it may be cut, and how. */
typedef struct {
    func_t *f;
    int min, max; /* of a piece */
    seam_t best;
} search_t;

/* ---- sizes ----------------------------------------------------------------------------------- */

static bool is_cut(const func_t *f, const block_t *b, size_t at) {
    for (size_t k = 0; k < f->n_parts; k++) {
        const c_cut_t *p = f->parts[k];
        if (p->block == b && at >= p->from && at < p->to) return true;
    }
    return false;
}

static int size_of_block(const func_t *f, const block_t *b);

static int size_of(const func_t *f, const inst_t *i) {
    if (i->op == OP_YIELD || !is_needed(f, i)) return 0;
    int n = is_statement(f, i) + i->n_results / 4;
    if (i->body) n += whole_part(f, i->body) ? 1 : 1 + size_of_block(f, i->body);
    if (i->otherwise) n += whole_part(f, i->otherwise) ? 1 : 1 + size_of_block(f, i->otherwise);
    return n;
}

static int size_of_block(const func_t *f, const block_t *b) {
    int n = 0;
    for (size_t k = 0; k < b->n; k++) n += is_cut(f, b, k) ? 0 : size_of(f, b->insts[k]);
    return n;
}

/* ---- what crosses ---------------------------------------------------------------------------- */

/* Of a block: what each instruction uses of what is known outside of it, and where values and bases
 * are used last. */
typedef struct {
    func_t *f;
    const block_t *b;
    const value_t **uses;
    size_t n_uses, cap_uses;
    size_t *first;      /* [b->n + 1]: of an instruction's uses */
    size_t *known;      /* [values]: 1 + the instruction whose result it is */
    size_t *last;       /* [values] */
    size_t *seen;       /* [values]: 1 + the beginning of the range that it entered last */
    size_t *base_until; /* [b->n]: of bases that are declared there, the last use */
    int *size;          /* [b->n] */
    size_t at;
} crossings_t;

static bool is_inside(const block_t *b, const value_t *v) {
    const inst_t *i = v->def;
    const block_t *of = !i ? NULL : is_argument(v) ? i->body : i->parent;
    if (of == b) return false;
    while (of && of != b) of = of->parent ? of->parent->parent : NULL;
    return of != NULL;
}

static void note_use(void *ctx, const value_t *v) {
    crossings_t *w = ctx;
    if ((v->def && v->def->op == OP_CONST) || is_inside(w->b, v)) return;
    for (size_t k = w->first[w->at]; k < w->n_uses; k++)
        if (w->uses[k] == v) return;
    ARENA_PUSH(w->f->c->arena, w->uses, w->n_uses, w->cap_uses) = v;
    w->last[v->id] = w->at;
}

static void note_bases(crossings_t *w, const inst_t *i) {
    const address_t *x = i->buffer && i->n_index ? address_of(w->f, i) : NULL;
    for (const base_t *base = x ? address_from(x) : NULL; base; base = address_from(base->address))
        if (base->block == w->b && base->at < w->b->n) w->base_until[base->at] = w->at;
    for (size_t k = 0; i->body && k < i->body->n; k++) note_bases(w, i->body->insts[k]);
    for (size_t k = 0; i->otherwise && k < i->otherwise->n; k++)
        note_bases(w, i->otherwise->insts[k]);
}

static crossings_t find_crossings(func_t *f, const block_t *b) {
    arena_t *a = f->c->arena;
    crossings_t w = {.f = f, .b = b, .first = ARENA_ARRAY(a, size_t, b->n + 1)};
    w.known = ARENA_ARRAY(a, size_t, (size_t)f->fn->n_values + 1);
    w.last = ARENA_ARRAY(a, size_t, (size_t)f->fn->n_values + 1);
    w.seen = ARENA_ARRAY(a, size_t, (size_t)f->fn->n_values + 1);
    w.base_until = ARENA_ARRAY(a, size_t, b->n + 1);
    w.size = ARENA_ARRAY(a, int, b->n + 1);
    for (; w.at < b->n; w.at++) {
        const inst_t *i = b->insts[w.at];
        w.first[w.at] = w.n_uses;
        w.size[w.at] = size_of(f, i);
        if (i->result) w.known[i->result->id] = w.at + 1;
        for (int k = 0; k < i->n_results; k++) w.known[i->results[k]->id] = w.at + 1;
        each_use_inside(f, i, note_use, &w);
        note_bases(&w, i);
    }
    w.first[b->n] = w.n_uses;
    return w;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* What crosses where a range begins and ends. */
typedef struct {
    size_t from, to;
    int size, enter, leave;
    int stuck; /* of what leaves: not through a pointer */
    size_t base_until;
} range_t;

static bool may_leave(const func_t *f, const value_t *v) {
    return !state_of(f, v)->mask && (v->type.lanes > 1 || elem_is_float(v->type.elem));
}

static void see_use(const crossings_t *w, range_t *r, const value_t *v) {
    if (w->known[v->id] > r->from) {
        if (w->last[v->id] > r->to) return;
        r->leave--;
        r->stuck -= !may_leave(w->f, v);
    } else if (w->seen[v->id] != r->from + 1) {
        w->seen[v->id] = r->from + 1;
        r->enter++;
    }
}

static void see_result(const crossings_t *w, range_t *r, const value_t *v) {
    if (v->def->op == OP_CONST || w->last[v->id] <= r->to) return;
    r->leave++;
    r->stuck += !may_leave(w->f, v);
}

/* By one instruction more. */
static void extend(const crossings_t *w, range_t *r) {
    const inst_t *i = w->b->insts[r->to];
    for (size_t k = w->first[r->to]; k < w->first[r->to + 1]; k++) see_use(w, r, w->uses[k]);
    if (i->result) see_result(w, r, i->result);
    for (int k = 0; k < i->n_results; k++) see_result(w, r, i->results[k]);
    if (w->base_until[r->to] > r->base_until) r->base_until = w->base_until[r->to];
    r->size += w->size[r->to++];
}

static bool may_border(const crossings_t *w, size_t at) {
    const inst_t *i = w->b->insts[at];
    return i->op != OP_CONST && i->op != OP_COMMENT && is_needed(w->f, i);
}

static bool ends_block(const inst_t *i) {
    return i->op == OP_YIELD || i->op == OP_RETURN;
}

static void try_from(search_t *s, const crossings_t *w, size_t from) {
    range_t r = {.from = from, .to = from};
    while (r.to < w->b->n && !ends_block(w->b->insts[r.to]) && !is_cut(s->f, w->b, r.to)) {
        extend(w, &r);
        if (r.size > s->max) return;
        if (r.size < s->min || r.stuck || r.leave > LEAVES_MAX || r.base_until >= r.to) continue;
        int cost = r.leave * LEAVE_COST + r.enter;
        bool better = cost < s->best.cost || (cost == s->best.cost && r.size > s->best.size);
        if (better && may_border(w, r.to - 1)) s->best = (seam_t){w->b, r.from, r.to, cost, r.size};
    }
}

static void search_block(search_t *s, const block_t *b) {
    crossings_t w = find_crossings(s->f, b);
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        if (is_cut(s->f, b, k) || !is_needed(s->f, i)) continue;
        if (may_border(&w, k)) try_from(s, &w, k);
        if (i->body && !whole_part(s->f, i->body)) search_block(s, i->body);
        if (i->otherwise && !whole_part(s->f, i->otherwise)) search_block(s, i->otherwise);
    }
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void add_leaving(const crossings_t *w, c_cut_t *p, const value_t *v) {
    if (v->def->op == OP_CONST || w->last[v->id] < p->to) return;
    ARENA_PUSH(w->f->c->arena, p->leaves, p->n_leaves, p->cap_leaves) = v;
}

static void add_piece(func_t *f, const seam_t *s) {
    crossings_t w = find_crossings(f, s->block);
    c_cut_t *p = add_part(f, s->block, s->from, s->to);
    for (size_t k = s->from; k < s->to; k++) {
        const inst_t *i = s->block->insts[k];
        if (i->result) add_leaving(&w, p, i->result);
        for (int n = 0; n < i->n_results; n++) add_leaving(&w, p, i->results[n]);
    }
}

/* b: of a function of so many lines, which shall have `most`. */
static void cut_function(func_t *f, const block_t *b, int lines, int most) {
    int size = size_of_block(f, b), max = size * most / lines, least = size * PIECE_MIN / lines;
    for (int left = size; left > max; left = size_of_block(f, b)) {
        search_t s = {.f = f, .min = left - max, .max = max, .best = {.cost = INT_MAX}};
        if (s.min > max / 2) s.min = max / 2;
        if (s.min < least) s.min = least;
        search_block(&s, b);
        if (!s.best.block) return;
        add_piece(f, &s.best);
    }
}

void find_seams(func_t *f, const int *lines, int max, int aim) {
    for (size_t k = 0, n = f->n_parts; k <= n; k++)
        if (lines[k] > max)
            cut_function(f, k < n ? f->parts[k]->block : f->fn->body, lines[k], aim);
}
