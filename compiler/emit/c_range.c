/* Pieces of schedules that are too long for one function. In: an entry. Out: its instructions in
 * rows, each of which becomes a function (c_part.c).
 *
 * A piece launches something and leaves no value that is read behind it. */
#include <string.h>

#include "emit/c_int.h"

/* Of a piece, about: a launch is two, being a line to four. What is larger by itself is an OP_IF
 * whose blocks are not. */
enum { PIECE_MIN = 8, PIECE_MAX = 120 };

typedef struct {
    func_t *f;
    size_t *last; /* by id of values: the instruction of the block that uses it last */
    size_t at;
} last_use_t;

static void note_use(void *ctx, const value_t *v) {
    last_use_t *u = ctx;
    u->last[v->id] = u->at;
}

static bool launches(const inst_t *i) {
    bool any = i->op == OP_LAUNCH;
    for (size_t k = 0; i->body && k < i->body->n; k++) any = any || launches(i->body->insts[k]);
    for (size_t k = 0; i->otherwise && k < i->otherwise->n; k++)
        any = any || launches(i->otherwise->insts[k]);
    return any;
}

/* Constants are written where they are used. */
static bool leaves_values(const last_use_t *u, const block_t *b, size_t from, size_t to) {
    for (size_t k = from; k < to; k++) {
        const inst_t *i = b->insts[k];
        if (i->op == OP_CONST) continue;
        if (i->result && u->last[i->result->id] >= to) return true;
        for (int n = 0; n < i->n_results; n++)
            if (u->last[i->results[n]->id] >= to) return true;
    }
    return false;
}

static bool declares_bases(const func_t *f, const block_t *b, size_t from, size_t to) {
    for (size_t k = 0; k < f->n_bases; k++) {
        const base_t *base = f->bases[k];
        if (base->block == b && base->at >= from && base->at < to) return true;
    }
    return false;
}

static bool is_piece(const last_use_t *u, const block_t *b, size_t from, size_t to) {
    bool any = false;
    for (size_t k = from; k < to; k++) {
        const inst_t *i = b->insts[k];
        if (i->op == OP_YIELD || i->op == OP_RETURN) return false;
        any = any || launches(i);
    }
    return any && !leaves_values(u, b, from, to) && !declares_bases(u->f, b, from, to);
}

/* The largest piece that begins there; `from`: there is none. */
static size_t end_of_piece(const last_use_t *u, const block_t *b, const int *size, size_t from) {
    size_t to = from + 1;
    int n = size[from];
    while (to < b->n && n + size[to] <= PIECE_MAX) n += size[to++];
    for (; to > from; n -= size[--to]) {
        if (n < PIECE_MIN) return from;
        if (is_piece(u, b, from, to)) return to;
    }
    return from;
}

static int cut_block(func_t *f, const block_t *b);

/* When its own blocks have been cut. */
static int size_of(func_t *f, const inst_t *i) {
    if (!is_needed(f, i)) return i->op == OP_COMMENT;
    int n = i->op == OP_LAUNCH ? 2 : i->op != OP_CONST;
    if (i->body) n += cut_block(f, i->body);
    if (i->otherwise) n += cut_block(f, i->otherwise);
    return n;
}

/* Cuts what is too large into pieces; returns the size of what is left. */
static int cut_block(func_t *f, const block_t *b) {
    arena_t *a = f->c->arena;
    int *size = ARENA_ARRAY(a, int, b->n + 1), sum = 0, left = 0;
    for (size_t k = 0; k < b->n; k++) sum += size[k] = size_of(f, b->insts[k]);
    if (sum <= PIECE_MAX) return sum;
    last_use_t u = {.f = f, .last = ARENA_ARRAY(a, size_t, (size_t)f->fn->n_values + 1)};
    for (u.at = 0; u.at < b->n; u.at++) each_use_inside(f, b->insts[u.at], note_use, &u);
    for (size_t k = 0, to; k < b->n; k = to) {
        to = end_of_piece(&u, b, size, k);
        if (to > k) add_part(f, b, k, to);
        left += to > k ? 1 : size[k];
        if (to == k) to++;
    }
    return left;
}

void find_ranges(func_t *f) {
    cut_block(f, f->fn->body);
}
