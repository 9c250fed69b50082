/* Memory planning: who lives when, and so who may share a place.
 *
 * In: a verified module. Out: an offset for every workspace and scratch buffer, multiples of 64 and
 * linear in U, such that buffers that live at once never overlap for any U; the peak.
 * A buffer lives from the first launch or trace of the entry that touches it to the last, but for
 * branches that touch it no more, or not yet: what only one kind of layer needs has no place in
 * another kind's. A loop keeps it for all its rounds when a round may read what an earlier one left
 * (a read that no write of the whole buffer surely comes before), or when it is touched outside too
 * and a round need not write it. What kernels read and write is computed from their bodies.
 * Placement is greedy best fit, largest first (as in register allocation by first fit). */
#include <string.h>

#include "loops/rules.h"

enum { READS = 1, WRITES = 2, PARTLY = 4 /* where it writes depends on its arguments */ };

typedef struct {
    const buffer_t *buffer;
    dim_t bytes;
    uint64_t *times; /* a bit for each at which it lives */
} life_t;

typedef struct {
    const module_t *m;
    arena_t *scratch;
    unsigned char **touches; /* [n_funcs][n_buffers]: of kernels */
    life_t *lives;           /* [n]: of workspace buffers */
    int n;
    const inst_t **launch; /* [times]: the instruction of each time, for the map */
    int times, words;      /* words: of as many bits */
} memory_plan_t;

static int64_t round_up(int64_t x) {
    int64_t r = x % PLAN_ALIGN;
    return r == 0 ? x : x - r + (r > 0 ? PLAN_ALIGN : 0);
}

/* Both parts rounded up: linear, and at least as large for every U. */
static dim_t aligned_bytes(const buffer_t *b) {
    dim_t d = buffer_bytes(b);
    return (dim_t){round_up(d.c), round_up(d.u)};
}

/* ---- what kernels touch ---------------------------------------------------------------------- */

typedef struct {
    unsigned char *touches;
    bool *tainted; /* [n_values]: depends on an argument of the kernel; only ever set */
    bool found;
} touch_t;

static void find_taint(void *ctx, value_t **use) {
    touch_t *t = ctx;
    t->found = t->found || t->tainted[(*use)->id];
}

static void taint_results(touch_t *t, const inst_t *i) {
    if (i->result) t->tainted[i->result->id] = true;
    for (int k = 0; k < i->n_results; k++) t->tainted[i->results[k]->id] = true;
    for (int k = 1; i->body && k < i->body->n_args; k++) t->tainted[i->body->args[k]->id] = true;
}

static bool inside_if(const inst_t *i) {
    const inst_t *outer = i->parent->parent;
    for (; outer; outer = outer->parent->parent)
        if (outer->op == OP_IF) return true;
    return false;
}

static unsigned char touch_of(touch_t *t, const inst_t *i) {
    if (i->op != OP_STORE) return READS;
    t->found = inside_if(i);
    for (int d = 0; d < i->n_index; d++)
        for (int k = 0; k < i->index[d].n; k++)
            t->found = t->found || t->tainted[i->index[d].term[k].value->id];
    return t->found ? WRITES | PARTLY : WRITES;
}

static void touch_inst(void *ctx, inst_t *i) {
    touch_t *t = ctx;
    t->found = false;
    walk_uses(i, find_taint, t);
    if (t->found) taint_results(t, i);
    if (t->found && i->op == OP_YIELD) taint_results(t, i->parent->parent);
    /* a prefetch moves no value: it neither reads nor keeps the buffer alive */
    if (i->buffer && i->op != OP_PREFETCH) t->touches[i->buffer->id] |= touch_of(t, i);
}

/* A parameter may be there for the sake of kernels of its kind that need it:
 * of one group of heads. */
static bool varies(const value_t *param) {
    return !param->bounded || !dim_equal(param->lo, param->hi);
}

/* Again while taint spreads: what a loop carries round comes back to its top. */
static void find_touches(memory_plan_t *p, size_t k) {
    const lfunc_t *f = p->m->funcs[k];
    size_t bytes = (size_t)f->n_values * sizeof(bool);
    touch_t t = {p->touches[k], ARENA_ARRAY(p->scratch, bool, f->n_values), false};
    bool *before = ARENA_ARRAY(p->scratch, bool, f->n_values);
    for (int i = 0; i < f->n_params; i++) t.tainted[f->params[i]->id] = varies(f->params[i]);
    do {
        if (bytes) memcpy(before, t.tainted, bytes);
        walk_block(f->body, touch_inst, &t);
    } while (bytes && memcmp(before, t.tainted, bytes) != 0);
}

/* What one instruction of the entry does to a buffer. */
static unsigned touches(const memory_plan_t *p, const inst_t *i, const buffer_t *b) {
    if (i->op == OP_TRACE) return i->buffer == b ? READS : 0;
    if (i->op != OP_LAUNCH) return 0;
    size_t k = 0;
    while (p->m->funcs[k] != i->callee) k++;
    return p->touches[k][b->id];
}

/* ---- lives ----------------------------------------------------------------------------------- */

typedef struct {
    const memory_plan_t *p;
    life_t *life;
    int time;
} life_walk_t;

static bool runs_always(const memory_plan_t *p, const inst_t *loop) {
    return dim_le(dim_add(loop->d, dim(1)), loop->e, p->m->units);
}

/* Whether a run of the block may read the buffer before anything wrote all of it; *written: surely
 * written by now. */
static bool may_read_first(const memory_plan_t *p, const block_t *b, const buffer_t *x,
                           bool *written) {
    bool exposed = false;
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        unsigned what = touches(p, i, x);
        if (i->body) {
            bool then = *written, other = *written;
            exposed = exposed || may_read_first(p, i->body, x, &then);
            if (i->otherwise) exposed = may_read_first(p, i->otherwise, x, &other) || exposed;
            *written = i->op == OP_IF ? then && other : runs_always(p, i) ? then : *written;
        }
        if (!*written && (what & (READS | PARTLY))) exposed = true;
        if ((what & WRITES) && !(what & PARTLY)) *written = true;
    }
    return exposed;
}

static int count_times(const block_t *b) {
    int n = 0;
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        n += i->op == OP_LAUNCH || i->op == OP_TRACE;
        if (i->body) n += count_times(i->body);
        if (i->otherwise) n += count_times(i->otherwise);
    }
    return n;
}

static int count_touches(const memory_plan_t *p, const block_t *b, const buffer_t *x) {
    int n = 0;
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        n += touches(p, i, x) != 0;
        if (i->body) n += count_touches(p, i->body, x);
        if (i->otherwise) n += count_touches(p, i->otherwise, x);
    }
    return n;
}

/* Whether what a round leaves in the buffer matters after it: to a later round, which may read it
 * before writing; or outside, where a later round need not have written it anew. */
static bool outlives_round(const memory_plan_t *p, const inst_t *loop, const buffer_t *x) {
    bool written = false;
    int inside = count_touches(p, loop->body, x);
    if (inside == 0) return false;
    if (may_read_first(p, loop->body, x, &written)) return true;
    return !written && inside < count_touches(p, module_entry(p->m)->body, x);
}

static int touches_of(const memory_plan_t *p, const inst_t *i, const buffer_t *x) {
    int n = touches(p, i, x) != 0;
    if (i->body) n += count_touches(p, i->body, x);
    if (i->otherwise) n += count_touches(p, i->otherwise, x);
    return n;
}

/* before, after: whether something that runs before the block, or behind it, touches the buffer. */
static void live_in(life_walk_t *w, const block_t *b, bool before, bool after) {
    const buffer_t *x = w->life->buffer;
    int left = count_touches(w->p, b, x);
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        int own = touches_of(w->p, i, x);
        left -= own;
        bool later = after || left > 0;
        if (i->op == OP_LAUNCH || i->op == OP_TRACE) {
            bool lives = own > 0 || (before && later);
            if (lives) w->life->times[w->time / 64] |= (uint64_t)1 << w->time % 64;
            w->time++;
        }
        bool stays = i->op == OP_FOR && outlives_round(w->p, i, x);
        if (i->body) live_in(w, i->body, before || stays, later || stays);
        if (i->otherwise) live_in(w, i->otherwise, before, later);
        before = before || own > 0;
    }
}

static void note_launches(memory_plan_t *p, const block_t *b) {
    for (size_t k = 0; k < b->n; k++) {
        const inst_t *i = b->insts[k];
        if (i->op == OP_LAUNCH || i->op == OP_TRACE) p->launch[p->times++] = i;
        if (i->body) note_launches(p, i->body);
        if (i->otherwise) note_launches(p, i->otherwise);
    }
}

static memory_plan_t analyse(const module_t *m, arena_t *scratch) {
    memory_plan_t p = {.m = m, .scratch = scratch};
    const block_t *entry = module_entry(m)->body;
    p.touches = ARENA_ARRAY(scratch, unsigned char *, m->n_funcs);
    p.lives = ARENA_ARRAY(scratch, life_t, m->n_buffers);
    p.launch = ARENA_ARRAY(scratch, const inst_t *, count_times(entry));
    for (size_t k = 0; k < m->n_funcs; k++) {
        p.touches[k] = ARENA_ARRAY(scratch, unsigned char, m->n_buffers);
        if (m->funcs[k]->kind == FN_KERNEL) find_touches(&p, k);
    }
    note_launches(&p, entry);
    p.words = p.times / 64 + 1;
    for (size_t k = 0; k < m->n_buffers; k++) {
        const buffer_t *b = m->buffers[k];
        if (b->kind != BUF_WORKSPACE) continue;
        p.lives[p.n] = (life_t){b, aligned_bytes(b), ARENA_ARRAY(scratch, uint64_t, p.words)};
        life_walk_t w = {&p, &p.lives[p.n++], 0};
        live_in(&w, entry, false, false);
    }
    return p;
}

static bool live_at_once(const memory_plan_t *p, const life_t *a, const life_t *b) {
    for (int k = 0; k < p->words; k++)
        if (a->times[k] & b->times[k]) return true;
    return false;
}

/* ---- places ---------------------------------------------------------------------------------- */

/* At least as large as both for every U, and a multiple of 64 where both are. */
static dim_t envelope(dim_t a, dim_t b, units_t u) {
    if (dim_le(a, b, u)) return b;
    if (dim_le(b, a, u)) return a;
    return (dim_t){a.c > b.c ? a.c : b.c, a.u > b.u ? a.u : b.u};
}

static dim_t end_of(const life_t *l) {
    return dim_add(l->buffer->offset, l->bytes);
}

typedef struct {
    const memory_plan_t *p;
    life_t **placed; /* those placed already */
    int n;
} placed_lives_t;

static bool fits_at(const placed_lives_t *s, const life_t *l, dim_t at) {
    units_t u = s->p->m->units;
    for (int k = 0; k < s->n; k++) {
        const life_t *o = s->placed[k];
        if (!live_at_once(s->p, l, o) || dim_le(end_of(o), at, u)) continue;
        if (!dim_le(dim_add(at, l->bytes), o->buffer->offset, u)) return false;
    }
    return true;
}

/* Lowest at the largest U: at zero, after one of the others, or after all of them. */
static dim_t best_place(const placed_lives_t *s, const life_t *l) {
    units_t u = s->p->m->units;
    dim_t best = dim(0);
    if (fits_at(s, l, best)) return best;
    for (int k = 0; k < s->n; k++)
        if (live_at_once(s->p, l, s->placed[k])) best = envelope(best, end_of(s->placed[k]), u);
    for (int k = 0; k < s->n; k++) {
        dim_t at = end_of(s->placed[k]);
        if (dim_at(at, u.max) < dim_at(best, u.max) && fits_at(s, l, at)) best = at;
    }
    return best;
}

static bool goes_first(const life_t *a, const life_t *b, int64_t units) {
    return dim_at(a->bytes, units) > dim_at(b->bytes, units);
}

/* Stable, so that equal sizes keep the order of the module. */
static life_t **by_size(memory_plan_t *p) {
    life_t **list = ARENA_ARRAY(p->scratch, life_t *, p->n);
    for (int k = 0; k < p->n; k++) {
        int at = k;
        for (; at > 0 && goes_first(&p->lives[k], list[at - 1], p->m->units.max); at--)
            list[at] = list[at - 1];
        list[at] = &p->lives[k];
    }
    return list;
}

static void place(buffer_t *b, dim_t at) {
    b->offset = at;
    b->planned = true;
}

static void plan_workspace(module_t *m) {
    arena_t *scratch = arena_new();
    memory_plan_t p = analyse(m, scratch);
    placed_lives_t s = {&p, by_size(&p), 0};
    m->workspace_bytes = dim(0);
    for (; s.n < p.n; s.n++) {
        const life_t *l = s.placed[s.n];
        place(m->buffers[l->buffer->id], best_place(&s, l));
        m->workspace_bytes = envelope(m->workspace_bytes, end_of(l), m->units);
    }
    arena_free(scratch);
}

static void plan_scratch(module_t *m, lfunc_t *f) {
    f->scratch_bytes = dim(0);
    for (size_t k = 0; k < m->n_buffers; k++) {
        buffer_t *b = m->buffers[k];
        if (b->owner != f) continue;
        place(b, f->scratch_bytes);
        f->scratch_bytes = dim_add(f->scratch_bytes, aligned_bytes(b));
    }
    m->scratch_bytes = envelope(m->scratch_bytes, f->scratch_bytes, m->units);
}

void pass_plan_memory(module_t *m) {
    m->scratch_bytes = dim(0);
    if (module_entry(m)) plan_workspace(m);
    for (size_t k = 0; k < m->n_funcs; k++)
        if (m->funcs[k]->kind == FN_KERNEL) plan_scratch(m, m->funcs[k]);
}

/* ---- the map --------------------------------------------------------------------------------- */

static memory_life_t life_of(const memory_plan_t *p, const life_t *l, arena_t *a) {
    bool *lives = ARENA_ARRAY(a, bool, p->times + 1);
    memory_life_t life = {.buffer = l->buffer, .lives = lives, .first = 0, .last = -1};
    for (int t = 0; t < p->times; t++) {
        lives[t] = l->times[t / 64] >> t % 64 & 1;
        if (lives[t] && life.last < 0) life.first = t;
        if (lives[t]) life.last = t;
    }
    return life;
}

memory_map_t loops_memory_map(const module_t *m, int64_t units, arena_t *a) {
    memory_map_t map = {0};
    if (!module_entry(m)) return map;
    if (!m->units.max) units = 0;
    memory_plan_t p = analyse(m, a);
    map = (memory_map_t){.lives = ARENA_ARRAY(a, memory_life_t, p.n),
                         .n = p.n,
                         .at = p.launch,
                         .times = p.times,
                         .bytes = dim_at(m->workspace_bytes, units),
                         .scratch = dim_at(m->scratch_bytes, units)};
    for (int k = 0; k < p.n; k++) {
        const life_t *l = &p.lives[k];
        int64_t bytes = dim_at(l->bytes, units);
        map.lives[k] = life_of(&p, l, a);
        map.lives[k].offset = dim_at(l->buffer->offset, units);
        map.lives[k].bytes = bytes;
        map.unshared += bytes;
    }
    return map;
}

static const char *time_name(const memory_map_t *map, int time) {
    const inst_t *i = map->at[time];
    return i->op == OP_LAUNCH ? i->callee->name : "trace";
}

static void print_life(const memory_map_t *map, const memory_life_t *l, sbuf_t *out) {
    sbuf_printf(out, "%14lld %14lld  %-28s ", (long long)l->offset, (long long)l->bytes,
                l->buffer->name);
    if (l->first > l->last) sbuf_puts(out, "never used");
    else
        sbuf_printf(out, "%d %s .. %d %s", l->first, time_name(map, l->first), l->last,
                    time_name(map, l->last));
    sbuf_puts(out, "\n");
}

/* The ends linear in U stand in the .rir text. */
void loops_print_plan(const module_t *m, sbuf_t *out) {
    if (!module_entry(m)) return;
    arena_t *scratch = arena_new();
    memory_map_t map = loops_memory_map(m, m->units.max, scratch);
    sbuf_printf(out, "%14s %14s  %-28s %s\n", "offset", "bytes", "buffer",
                "from launch .. to launch");
    for (int k = 0; k < map.n; k++) print_life(&map, &map.lives[k], out);
    sbuf_printf(out, "workspace %lld bytes, %lld without sharing; scratch %lld per worker\n",
                (long long)map.bytes, (long long)map.unshared, (long long)map.scratch);
    arena_free(scratch);
}
