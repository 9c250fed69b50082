/* Into and out of attention, a group of heads at a time: q, k and v head by head as the attention
 * kernels read them, and its result back in rows; hashed: divided by the sum
 * of weights over rounds. */
#include "lower/attention_dropout.h"
#include "lower/math.h"
#include "lower/rows.h"

/* ---- into attention -------------------------------------------------------------------------- */

typedef struct {
    const into_heads_t *p;
    value_t *head; /* within the group */
    heads_t in;
    buffer_t *dst, *rounded_dst; /* NULL: not so */
    affine_t first_call;         /* of this product's */
    int64_t all_calls;           /* of the task's products */
} project_t;

static void store_head(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                       value_t **acc) {
    const project_t *p = ctx;
    int nv = L->tiles->vectors;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < nv; j++) {
            affine_t qx[] = {ax(0), ax(0), ax_plus(ax_add(p->p->row0, row), i),
                             ax_plus(col, (int64_t)j * L->lanes)};
            value_t *x = acc[i * nv + j];
            if (p->dst) b_store(b, p->dst, x, in_heads(&p->in, p->dst, qx));
            if (!p->rounded_dst) continue;
            b_store(b, p->rounded_dst, rounded(b, x), in_heads(&p->in, p->rounded_dst, qx));
        }
}

static void fetch_heads(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col) {
    const project_t *p = ctx;
    buffer_t *to[] = {p->dst, p->rounded_dst};
    for (int i = 0; i < 2; i++) {
        affine_t qx[] = {ax(0), ax(0), ax_add(p->p->row0, row), col};
        if (to[i]) prefetch_row(b, to[i], in_heads(&p->in, to[i], qx), L->tile);
    }
}

static int64_t lines_of_block(const lower_t *L, const into_heads_t *into) {
    int64_t floats = line_of(into->source->elem);
    return L->block * ((into->operands[0].k + floats - 1) / floats);
}

/* Whether lines are left to fetch for the product whose calls begin behind `before`, of a single
 * head; heads of a group go on where the last one ended. */
static bool fetches_block(const lower_t *L, const into_heads_t *into, int64_t before) {
    return into->source && (into->a->group > 1 || before < lines_of_block(L, into));
}

/* The next block's rows of the stream, whose task most likely comes next: each call
 * asks for a line or a few. */
static void fetch_next_block(lower_t *L, builder_t *b, void *ctx, affine_t call) {
    const project_t *p = ctx;
    int64_t width = p->p->operands[0].k;
    int64_t floats = line_of(p->p->source->elem), per_row = (width + floats - 1) / floats;
    int64_t lines = lines_of_block(L, p->p), at_once = (lines - 1) / p->all_calls + 1;
    affine_t at = ax_scale(ax_add(call, p->first_call), at_once);
    for (int64_t i = 0; i < at_once; i++) {
        value_t *line = at_most(b, ax_plus(at, i), dim(lines - 1));
        affine_t row = ax_plus(ax_add(p->p->row0, ax_v(b_idiv(b, line, dim(per_row)))), L->block);
        row = ax_v(at_most(b, row, dim_sub(L->rows, dim(1))));
        affine_t yx[] = {p->p->batch, row, ax_scale(ax_v(b_irem(b, line, dim(per_row))), floats)};
        b_prefetch(b, p->p->source, yx);
    }
}

typedef struct {
    const attention_t *a;
    const heads_t *in;
    affine_t row;
} zero_t;

static void zero_head_row(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const zero_t *z = ctx;
    affine_t ix[] = {ax(0), ax(0), z->row, at};
    b_store(b, z->a->out, b_const(b, (ltype_t){E_F32, width}, 0), in_heads(z->in, z->a->out, ix));
}

/* LSH: softmax state of the block starts empty; the first round writes the output. Filler rows get
 * the output 0 and the sum 1, so that combine never takes them for rows that see only themselves.
 * Exact attention has no state. Where there is a gradient, filler rows have something to be read
 * everywhere, and the output is written as a whole: else nobody could tell that no layer reads what
 * another has left in it, and it would have its place for all of them. */
void clear_state(lower_t *L, builder_t *b, const attention_t *a, const heads_t *in, affine_t row0) {
    inst_t *loop = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    affine_t row = ax_add(row0, ax_v(loop_var(loop)));
    affine_t ix[] = {in->batch, in->head, row}, sx[] = {ax(0), ax(0), row};
    ltype_t f = SCALAR(E_F32);
    value_t *sum = b_const(b, f, 0);
    zero_t z = {a, in, row};
    bool sorted = a->lsh && !a->exact;
    if (sorted && a->gradient) for_span(L, b, a->head_stride, zero_head_row, &z);
    if (!dim_equal(L->rows, L->padded)) {
        value_t *filler =
            b_compare(b, OP_GE, b_index(b, row), b_index(b, (affine_t){.base = L->padded}));
        sum = b_select(b, filler, b_const(b, f, 1), sum);
        inst_t *fill = b_if(b, filler, 0, NULL);
        if (!sorted || !a->gradient) for_span(L, b, a->head_stride, zero_head_row, &z);
        if (a->row_scale)
            b_store(b, a->row_scale, b_const(b, f, 1), in_heads(in, a->row_scale, sx));
        b_end_if(b, fill, NULL);
    }
    if (sorted) {
        b_store(b, a->max_so_far, b_const(b, f, LOWEST), ix);
        b_store(b, a->sum_so_far, sum, ix);
    }
    b_end_for(b, loop, NULL);
}

/* Its output stands apart from its queries, whose filler rows it else has. */
static bool is_apart(const attention_t *a) {
    return a->lsh || a->out != a->q;
}

bool has_state(const lower_t *L, const attention_t *a) {
    bool sorted = a->lsh && !a->exact;
    return !a->stands && (sorted || (is_apart(a) && !dim_equal(L->rows, L->padded)));
}

void into_heads(lower_t *L, builder_t *b, const into_heads_t *into) {
    const attention_t *a = into->a;
    project_t p = {.p = into};
    inst_t *loop = b_for(b, "head", dim(0), dim(a->group), 0, NULL);
    p.head = loop_var(loop);
    p.in = heads_at(L, a, into->batch, ax_v(p.head), into->place, into->group);
    affine_t head = ax_add(ax_scale(ax_v(into->group), a->group), ax_v(p.head));
    value_t *following = at_most(b, ax_plus(ax_v(p.head), 1), dim(a->group - 1));
    affine_t next_head = ax_add(ax_scale(ax_v(into->group), a->group), ax_v(following));
    int64_t depth = into->n ? panel_rows(&into->operands[0].w, into->operands[0].k) : 0;
    int64_t width = a->pairs ? a->head_stride : a->head_size; /* pairs are read in whole vectors */
    int64_t calls = into->n ? dense_calls(L, L->block, width, depth) : 0;
    p.all_calls = a->group * into->n * calls;
    for (int i = 0; i < into->n; i++) {
        bool last = i + 1 == into->n;
        const head_operand_t *o = &into->operands[i], *then = &into->operands[last ? 0 : i + 1];
        panels_t w = o->w, next = then->w;
        w.prefix[w.n_prefix++] = head;
        next.prefix[next.n_prefix++] = last ? next_head : head;
        p.dst = o->to;
        p.rounded_dst = o->rounded_to;
        p.first_call = ax_plus(ax_scale(ax_v(p.head), into->n * calls), i * calls);
        dense_t d = {.a = o->tile,
                     .m = L->block,
                     .k = o->k,
                     .n = width,
                     .w = w,
                     .next = panel_rows(&next, then->k) >= panel_rows(&w, o->k) ? &next : NULL,
                     .epilogue = store_head,
                     .target = fetch_heads,
                     .meanwhile =
                         calls > 0 && fetches_block(L, into, i * calls) ? fetch_next_block : NULL,
                     .ctx = &p};
        b_comment(b, "→ %s", (o->rounded_to ? o->rounded_to : o->to)->name);
        dense(L, b, &d);
    }
    if (into->clears && !a->stands && is_apart(a)) clear_state(L, b, a, &p.in, into->row0);
    b_end_for(b, loop, NULL);
}

typedef struct {
    const into_heads_t *p;
    buffer_t *rows, *to;
    affine_t row, head;
    heads_t in;
} head_spread_t;

static void spread_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const head_spread_t *s = ctx;
    affine_t from[] = {s->row, ax_add(ax_scale(s->head, s->p->a->head_size), at)};
    affine_t to[] = {ax(0), ax(0), ax_add(s->p->row0, s->row), at};
    (void)L;
    b_store(b, s->to, b_load(b, s->rows, width, from), in_heads(&s->in, s->to, to));
}

/* Beyond the head. */
static void blank_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const head_spread_t *s = ctx;
    affine_t to[] = {ax(0), ax(0), ax_add(s->p->row0, s->row), ax_plus(at, s->p->a->head_size)};
    (void)L;
    b_store(b, s->to, b_const(b, (ltype_t){s->to->elem, width}, 0), in_heads(&s->in, s->to, to));
}

void spread_heads(lower_t *L, builder_t *b, const into_heads_t *p, buffer_t *rows, buffer_t *to) {
    const attention_t *a = p->a;
    b_comment(b, "→ %s", to->name);
    inst_t *block = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    inst_t *heads = b_for(b, "head", dim(0), dim(a->heads), 0, NULL);
    head_spread_t s = {.p = p, .rows = rows, .to = to, .row = ax_v(loop_var(block))};
    s.head = ax_v(loop_var(heads));
    s.in = heads_at(L, a, p->batch, s.head, p->place, NULL);
    for_span(L, b, a->head_size, spread_span, &s);
    for_span(L, b, a->head_stride - a->head_size, blank_span, &s);
    b_end_for(b, heads, NULL);
    b_end_for(b, block, NULL);
}

/* ---- out of attention ------------------------------------------------------------------------ */

typedef struct {
    affine_t batch, row0, row; /* row: of the block */
    value_t *head, *scale;
    heads_t in;
    buffer_t *src, *a, *kept; /* kept: where the result stays; NULL: it has been used */
    bool rounds;              /* what goes into `a` */
    const attention_t *of;
} gather_t;

static affine_t global_row(const gather_t *c) {
    return ax_add(c->row0, c->row);
}

static void copy_head(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const gather_t *c = ctx;
    affine_t ox[] = {ax(0), ax(0), global_row(c), at};
    affine_t ax_[] = {c->row, ax_add(ax_scale(ax_v(c->head), c->of->head_size), at)};
    value_t *x = b_convert(b, E_F32, b_load(b, c->src, width, in_heads(&c->in, c->src, ox)));
    if (c->scale) {
        value_t *s = width > 1 ? b_broadcast(b, c->scale, width) : c->scale;
        x = b_binary(b, OP_MUL, x, s);
    }
    b_store(b, c->a, c->rounds ? rounded(b, x) : x, ax_);
    if (c->kept) b_store(b, c->kept, x, in_heads(&c->in, c->kept, ox));
}

/* docs/semantics.md Q2: a row that sees only itself, k_r times in round r, has L_r = fl(-1e5 +
 * fl(log k_r)); its output is v times sum_r exp(L_r - lse(L)) k_r exp(-1e5 - L_r), every
 * step in single precision. */
value_t *self_only_weight(lower_t *L, builder_t *b, const attention_t *a, affine_t batch,
                          affine_t head, affine_t row) {
    ltype_t f = SCALAR(E_F32);
    value_t *self = b_const(b, f, SELF_KEY), *max = NULL;
    value_t **count = ARENA_ARRAY(L->m->arena, value_t *, a->rounds);
    value_t **lse = ARENA_ARRAY(L->m->arena, value_t *, a->rounds);
    for (int r = 0; r < a->rounds; r++) {
        affine_t ix[] = {batch, head, ax(r), row};
        count[r] = b_convert(b, E_F32, load1(b, a->self_count, 4, ix));
        lse[r] = b_binary(b, OP_ADD, self, m_log(L, b, count[r]));
        max = max ? b_binary(b, OP_MAX, max, lse[r]) : lse[r];
    }
    value_t *total = NULL;
    for (int r = 0; r < a->rounds; r++) {
        value_t *e = m_exp(L, b, b_binary(b, OP_SUB, lse[r], max));
        total = total ? b_binary(b, OP_ADD, total, e) : e;
    }
    total = b_binary(b, OP_ADD, m_log(L, b, total), max);
    value_t *sum = NULL;
    for (int r = 0; r < a->rounds; r++) {
        value_t *p = m_exp(L, b, b_binary(b, OP_SUB, self, lse[r]));
        affine_t ix[] = {batch, head, ax(r), row};
        value_t *times = a->self_kept ? load1(b, a->self_kept, 4, ix) : count[r];
        value_t *w = b_binary(b, OP_MUL, times, p);
        if (a->rounds > 1)
            w = b_binary(b, OP_MUL, w, m_exp(L, b, b_binary(b, OP_SUB, lse[r], total)));
        sum = sum ? b_binary(b, OP_ADD, sum, w) : w;
    }
    return sum;
}

static void gather_lsh_row(lower_t *L, builder_t *b, const attention_t *a, gather_t *c) {
    ltype_t f = SCALAR(E_F32);
    affine_t ix[] = {c->batch, ax_v(c->head), global_row(c)};
    value_t *sum = b_name(load1(b, a->sum_so_far, 3, ix), "sum");
    inst_t *seen = b_if(b, b_compare(b, OP_NE, sum, b_const(b, f, 0)), 0, NULL); /* NaN: seen */
    c->src = a->out;
    c->scale = times_kept(L, b, a, b_binary(b, OP_DIV, b_const(b, f, 1), sum));
    for_span(L, b, a->head_stride, copy_head, c);
    b_else(b, seen, NULL);
    c->src = a->v;
    value_t *weight = self_only_weight(L, b, a, c->batch, ax_v(c->head), global_row(c));
    c->scale = b_name(weight, "weight");
    for_span(L, b, a->head_stride, copy_head, c);
    b_end_if(b, seen, NULL);
}

typedef struct {
    gather_t *c;
    affine_t first, row; /* of the group in trace_self; filler rows are left out */
} self_trace_t;

static void trace_self_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const self_trace_t *t = ctx;
    affine_t from[] = {t->c->row, at}, to[] = {t->c->batch, t->row, ax_add(t->first, at)};
    b_store(b, t->c->of->trace_self, b_load(b, t->c->a, width, from), to);
}

static void trace_heads(lower_t *L, builder_t *b, const attention_t *a, gather_t *c,
                        value_t *group) {
    int64_t depth = a->group * a->head_size;
    self_trace_t t = {c, ax_scale(ax_v(group), depth), global_row(c)};
    inst_t *real = NULL;
    if (!dim_equal(L->rows, L->padded)) {
        value_t *row = b_index(b, t.row), *n = b_index(b, (affine_t){.base = L->padded});
        value_t *last = b_index(b, (affine_t){.base = dim_sub(L->padded, dim(1))});
        real = b_if(b, b_compare(b, OP_LT, row, n), 0, NULL);
        t.row = ax_v(b_binary(b, OP_MIN, row, last));
    }
    for_span(L, b, depth, trace_self_span, &t);
    if (real) b_end_if(b, real, NULL);
}

buffer_t *out_of_heads(lower_t *L, builder_t *b, const attention_t *a, affine_t batch,
                       affine_t row0, value_t *group, value_t *place, bool rounds) {
    bool sums = a->lsh && !a->exact && !a->stands;
    int64_t depth = a->group * a->head_size;
    elem_t e = rounds && L->o->target->dot2 ? E_BF16 : E_F32;
    dim_t ad[] = {dim(L->block), dim(depth + a->head_stride - a->head_size + padding_of(e))};
    gather_t c = {.of = a, .batch = batch, .row0 = row0, .src = a->out, .rounds = rounds};
    if (sums && a->stacked & KEPT_RESULT) c.kept = a->out;
    c.a = kernel_scratch(b, "heads", e, 2, ad);
    inst_t *rows = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    c.row = ax_v(loop_var(rows));
    inst_t *heads = b_for(b, "head", dim(0), dim(a->group), 0, NULL);
    c.head = loop_var(heads);
    c.in = heads_at(L, a, batch, ax_v(c.head), place, group);
    if (sums) gather_lsh_row(L, b, a, &c);
    else for_span(L, b, a->head_stride, copy_head, &c);
    b_end_for(b, heads, NULL);
    if (L->o->trace && !rounds) trace_heads(L, b, a, &c, group);
    b_end_for(b, rows, NULL);
    return c.a;
}

void gradient_of_heads(lower_t *L, builder_t *b, const attention_t *a, affine_t batch,
                       affine_t row0, buffer_t *from, buffer_t *to) {
    gather_t c = {.of = a, .batch = batch, .row0 = row0, .src = from, .a = to};
    inst_t *rows = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    c.row = ax_v(loop_var(rows));
    inst_t *heads = b_for(b, "head", dim(0), dim(a->group), 0, NULL);
    c.head = loop_var(heads);
    c.in = heads_at(L, a, batch, ax_v(c.head), NULL, NULL);
    for_span(L, b, a->head_size, copy_head, &c);
    b_end_for(b, heads, NULL);
    b_end_for(b, rows, NULL);
}
