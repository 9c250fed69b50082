/* Memory that a kernel streams: distinct bytes, estimated from its accesses.
 *
 * In: a module that passes have run on. Out: bytes per buffer. Accesses name places by loops and
 * tasks, and by values that data decide (the row of a gather). What loops and tasks reach is a box,
 * the hull of all accesses that share the decided values; there are as many boxes as the access
 * runs, but no more than the buffer holds. */
#include "loops/rules.h"

typedef struct box box_t;
struct box {
    const inst_t *like;                      /* the first access of it */
    unsigned decided;                        /* dimensions that data have a part in, as bits */
    int64_t first[MAX_RANK], last[MAX_RANK]; /* inclusive, without what data decide */
    double runs;
    box_t *next;
};

typedef struct {
    arena_t *arena;
    const lfunc_t *f;
    int64_t units;
    box_t **read, **written; /* [n_buffers] */
} streams_t;

/* ---- values ---------------------------------------------------------------------------------- */

typedef enum { FIXED, COUNTED, DECIDED } origin_t; /* parameter; loop or task; anything else */

static origin_t origin_of(const lfunc_t *f, const value_t *v) {
    for (int k = 0; k < f->n_params; k++)
        if (f->params[k] == v) return FIXED;
    for (int k = 0; k < f->n_tasks; k++)
        if (f->task[k] == v) return COUNTED;
    const inst_t *loop = v->def;
    return loop && loop->op == OP_FOR && loop->body->args[0] == v ? COUNTED : DECIDED;
}

static bool is_decided(const lfunc_t *f, const affine_t *a) {
    for (int k = 0; k < a->n; k++)
        if (origin_of(f, a->term[k].value) == DECIDED) return true;
    return false;
}

static bool names(const affine_t *a, const value_t *v) {
    for (int k = 0; k < a->n; k++)
        if (a->term[k].value == v) return true;
    return false;
}

/* ---- one access ------------------------------------------------------------------------------ */

static int lanes_of(const inst_t *i) {
    return i->op == OP_LOAD ? i->result->type.lanes : i->operand[0]->type.lanes;
}

/* What loops and tasks reach of one dimension. */
static void span(const streams_t *s, const affine_t *a, int lanes, int64_t *first, int64_t *last) {
    *first = *last = dim_at(a->base, s->units);
    for (int k = 0; k < a->n; k++) {
        const value_t *v = a->term[k].value;
        if (origin_of(s->f, v) != COUNTED) continue;
        int64_t coef = dim_at(a->term[k].coef, s->units);
        int64_t low = coef * dim_at(v->lo, s->units), high = coef * dim_at(v->hi, s->units);
        *first += coef < 0 ? high : low;
        *last += coef < 0 ? low : high;
    }
    *last += lanes - 1;
}

static bool access_names(const inst_t *i, const value_t *v) {
    for (int d = 0; d < i->n_index; d++)
        if (names(&i->index[d], v)) return true;
    return false;
}

/* How often it runs, apart from loops and tasks that are in its box already. */
static double runs_of(const streams_t *s, const inst_t *i) {
    double runs = 1;
    for (const block_t *b = i->parent; b && b->parent; b = b->parent->parent) {
        const inst_t *loop = b->parent;
        if (loop->op == OP_FOR && !access_names(i, loop->body->args[0]))
            runs *= (double)(dim_at(loop->e, s->units) - dim_at(loop->d, s->units));
    }
    for (int k = 0; k < s->f->n_tasks; k++)
        if (!access_names(i, s->f->task[k])) runs *= (double)dim_at(s->f->task_dims[k], s->units);
    return runs;
}

static box_t box_of(const streams_t *s, const inst_t *i) {
    box_t x = {.like = i, .runs = runs_of(s, i)};
    for (int d = 0; d < i->n_index; d++) {
        int lanes = d == i->n_index - 1 ? lanes_of(i) : 1;
        span(s, &i->index[d], lanes, &x.first[d], &x.last[d]);
        if (is_decided(s->f, &i->index[d])) x.decided |= 1U << d;
    }
    return x;
}

/* ---- all of a buffer ------------------------------------------------------------------------- */

static bool same_decisions(const streams_t *s, const inst_t *i, const inst_t *j) {
    for (int d = 0; d < i->n_index; d++) {
        const affine_t *a = &i->index[d], *b = &j->index[d];
        for (int k = 0; k < a->n; k++)
            if (origin_of(s->f, a->term[k].value) == DECIDED && !names(b, a->term[k].value))
                return false;
    }
    return true;
}

static void join(box_t *to, const box_t *x) {
    for (int d = 0; d < x->like->n_index; d++) {
        if (x->first[d] < to->first[d]) to->first[d] = x->first[d];
        if (x->last[d] > to->last[d]) to->last[d] = x->last[d];
    }
    if (x->runs > to->runs) to->runs = x->runs;
}

/* Scratch stays in the caches, tables are tiny. */
static bool is_streamed(const buffer_t *b) {
    return b->kind != BUF_SCRATCH && b->kind != BUF_TABLE;
}

static void stream(void *ctx, inst_t *i) {
    streams_t *s = ctx;
    if ((i->op != OP_LOAD && i->op != OP_STORE) || !is_streamed(i->buffer)) return;
    box_t **list = &(i->op == OP_LOAD ? s->read : s->written)[i->buffer->id], x = box_of(s, i);
    for (box_t *to = *list; to; to = to->next) {
        if (to->decided != x.decided || !same_decisions(s, i, to->like)) continue;
        join(to, &x);
        return;
    }
    x.next = *list;
    *list = ARENA_NEW(s->arena, box_t);
    **list = x;
}

static double extent(const box_t *x, int d) {
    return (double)(x->last[d] - x->first[d] + 1);
}

/* Elements of all boxes in whose dimensions `decided` data have a part. */
static double elements(const streams_t *s, const buffer_t *b, const box_t *list, unsigned decided) {
    double sum = 0, max = 1;
    box_t hull = {0};
    for (const box_t *x = list; x; x = x->next) {
        if (x->decided != decided) continue;
        double n = decided ? x->runs : 1;
        for (int d = 0; d < b->rank; d++) n *= extent(x, d);
        sum += n;
        if (hull.like) join(&hull, x);
        else hull = *x;
    }
    for (int d = 0; d < b->rank; d++) {
        double size = (double)dim_at(b->dims[d], s->units);
        max *= decided & 1U << d || extent(&hull, d) > size ? size : extent(&hull, d);
    }
    return sum < max ? sum : max;
}

/* A buffer that is gathered from in one branch and read through in another counts as
 * the dearer one of both. */
static double bytes_of(const streams_t *s, const buffer_t *b, const box_t *list) {
    double max = 0;
    for (const box_t *x = list; x; x = x->next) {
        double n = elements(s, b, list, x->decided);
        if (n > max) max = n;
    }
    return max * elem_bytes(b->elem);
}

void loops_each_stream(const module_t *m, const lfunc_t *f, int64_t units, stream_fn *fn,
                       void *ctx) {
    arena_t *scratch = arena_new();
    streams_t s = {.arena = scratch, .f = f, .units = m->units.max ? units : 0};
    s.read = ARENA_ARRAY(scratch, box_t *, m->n_buffers + 1);
    s.written = ARENA_ARRAY(scratch, box_t *, m->n_buffers + 1);
    walk_block(f->body, stream, &s);
    for (size_t k = 0; k < m->n_buffers; k++) {
        const buffer_t *b = m->buffers[k];
        if (s.read[k] || s.written[k])
            fn(ctx, b, bytes_of(&s, b, s.read[k]), bytes_of(&s, b, s.written[k]));
    }
    arena_free(scratch);
}

static void add_stream(void *ctx, const buffer_t *b, double read, double written) {
    (void)b;
    *(double *)ctx += read + written;
}

double loops_kernel_streams(const module_t *m, const lfunc_t *f, int64_t units) {
    double sum = 0;
    loops_each_stream(m, f, units, add_stream, &sum);
    return sum;
}
