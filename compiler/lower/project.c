/* Into and out of attention, one group of heads at a time:
 *   project   norm(y2) · W → q, k, v of the group, head by head         [batch][group][rows][head_stride]
 *   combine   out of the group · W_o, added to y1; hashed: divides by the sum of weights over rounds first
 * so that no array is ever heads * head_size wide (DESIGN: memory). */
#include "lower/lower_int.h"
#include "lower/math.h"

typedef struct {
    affine_t batch, row0;
    value_t *head; /* within the group */
    buffer_t *dst;
    affine_t first_call; /* of this product's */
    int64_t all_calls;   /* of the task's products */
} project_t;

static void into_heads(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                       value_t **acc) {
    const project_t *p = ctx;
    int nv = L->tiles->vectors;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < nv; j++) {
            affine_t qx[] = {p->batch, ax_v(p->head), ax_plus(ax_add(p->row0, row), i),
                             ax_plus(col, (int64_t)j * L->lanes)};
            b_store(b, p->dst, acc[i * nv + j], qx);
        }
}

static void fetch_heads(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col) {
    const project_t *p = ctx;
    affine_t qx[] = {p->batch, ax_v(p->head), ax_add(p->row0, row), col};
    prefetch_row(b, p->dst, qx, L->tile);
}

/* The next block's rows of the stream, whose task most likely comes next: each call asks for a line or a few. */
static void fetch_next_block(lower_t *L, builder_t *b, void *ctx, affine_t call) {
    const project_t *p = ctx;
    int64_t floats = LINE / (int64_t)sizeof(float), per_row = (L->hidden + floats - 1) / floats;
    int64_t lines = L->block * per_row, at_once = (lines - 1) / p->all_calls + 1;
    affine_t at = ax_scale(ax_add(call, p->first_call), at_once);
    for (int64_t i = 0; i < at_once; i++) {
        value_t *line = at_most(b, ax_plus(at, i), dim(lines - 1));
        affine_t row = ax_plus(ax_add(p->row0, ax_v(b_idiv(b, line, dim(per_row)))), L->block);
        row = ax_v(at_most(b, row, dim_sub(L->rows, dim(1))));
        affine_t yx[] = {p->batch, row, ax_scale(ax_v(b_irem(b, line, dim(per_row))), floats)};
        b_prefetch(b, L->y2, yx);
    }
}

static void zero_head_row(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const affine_t *row = ctx;
    affine_t ix[] = {row[0], row[1], row[2], at};
    b_store(b, L->out, b_const(b, (ltype_t){E_F32, width}, 0), ix);
}

/* LSH: softmax state of the block starts empty; the first round writes the output. Filler rows get the output 0 and
 * the sum 1, so that combine never takes them for rows that see only themselves. Exact attention has no state. */
static void clear_state(lower_t *L, builder_t *b, const attention_t *a, const project_t *p) {
    inst_t *loop = b_for(b, "i", dim(0), dim(L->block), 0, NULL);
    affine_t row = ax_add(p->row0, ax_v(loop_var(loop)));
    affine_t ix[] = {p->batch, ax_v(p->head), row};
    ltype_t f = SCALAR(E_F32);
    value_t *sum = b_const(b, f, 0);
    if (!dim_equal(L->rows, L->padded)) {
        value_t *filler =
            b_compare(b, OP_GE, b_index(b, row), b_index(b, (affine_t){.base = L->padded}));
        sum = b_select(b, filler, b_const(b, f, 1), sum);
        inst_t *fill = b_if(b, filler, 0, NULL);
        for_span(L, b, L->head_stride, zero_head_row, ix);
        b_end_if(b, fill, NULL);
    }
    if (!a->exact) {
        b_store(b, L->run_max, b_const(b, f, NO_KEY), ix);
        b_store(b, L->run_sum, sum, ix);
    }
    b_end_for(b, loop, NULL);
}

void lower_projections(lower_t *L, attention_t *a) {
    bool lsh = a->kind == LAYER_LSH;
    dim_t tasks[] = {dim(L->batch), L->blocks};
    const char *names[] = {"batch", "block"};
    builder_t b = build_kernel(L->m, lsh ? "lsh_project" : "local_project", 2, tasks, names);
    describe(L, b.fn, KEY_attn_layers,
             "%s attention: norm and projections of a group of %lld heads", lsh ? "LSH" : "local",
             (long long)L->group);
    value_t *layer = kernel_param(&b, "layer", L->n_layers);
    value_t *index = kernel_param(&b, "index", a->count);
    value_t *group = kernel_param(&b, "group", L->groups);
    dim_t xd[] = {dim(L->block), dim(round_up(L->hidden, L->tile) + PADDING)};
    buffer_t *x = kernel_scratch(&b, "x", E_F32, 2, xd);
    project_t p = {.batch = ax_v(b.fn->task[0]), .row0 = ax_scale(ax_v(b.fn->task[1]), L->block)};
    norm_t norm = {.n_src = 1,
                   .src = {L->y2},
                   .batch = p.batch,
                   .row0 = p.row0,
                   .m = L->block,
                   .width = L->hidden,
                   .eps = L->eps,
                   .weight = L->att_norm_w,
                   .bias = L->att_norm_b,
                   .prefix = ax_v(layer),
                   .dst = x};
    layer_norm_rows(L, &b, &norm);
    inst_t *loop = b_for(&b, "head", dim(0), dim(L->group), 0, NULL);
    p.head = loop_var(loop);
    affine_t head = ax_add(ax_scale(ax_v(group), L->group), ax_v(p.head));
    value_t *following = at_most(&b, ax_plus(ax_v(p.head), 1), dim(L->group - 1));
    affine_t next_head = ax_add(ax_scale(ax_v(group), L->group), ax_v(following));
    struct {
        buffer_t *w, *dst;
    } parts[3];
    int n = 0;
    parts[n].w = a->query, parts[n++].dst = L->q;
    if (a->key) parts[n].w = a->key, parts[n++].dst = L->k;
    parts[n].w = a->value, parts[n++].dst = L->v;
    int64_t calls = dense_calls(L, L->block, L->head_size, L->hidden);
    p.all_calls = L->group * n * calls;
    for (int i = 0; i < n; i++) {
        bool last = i + 1 == n;
        panels_t next = {parts[last ? 0 : i + 1].w, 2, {ax_v(index), last ? next_head : head}};
        p.dst = parts[i].dst;
        p.first_call = ax_plus(ax_scale(ax_v(p.head), n * calls), i * calls);
        dense_t d = {.a = x,
                     .m = L->block,
                     .k = L->hidden,
                     .n = L->head_size,
                     .w = {parts[i].w, 2, {ax_v(index), head}},
                     .next = &next,
                     .epilogue = into_heads,
                     .target = fetch_heads,
                     .meanwhile = calls > 0 ? fetch_next_block : NULL,
                     .ctx = &p};
        b_comment(&b, "→ %s", parts[i].dst->name);
        dense(L, &b, &d);
    }
    if (lsh) clear_state(L, &b, a, &p);
    b_end_for(&b, loop, NULL);
    a->project = b.fn;
}

/* ---- out of attention ----------------------------------------------------------------------------- */

typedef struct {
    affine_t batch, row0, row; /* row: of the block */
    value_t *head, *scale;
    buffer_t *src, *a;
} gather_t;

static affine_t global_row(const gather_t *c) {
    return ax_add(c->row0, c->row);
}

static void copy_head(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const gather_t *c = ctx;
    affine_t ox[] = {c->batch, ax_v(c->head), global_row(c), at};
    affine_t ax_[] = {c->row, ax_add(ax_scale(ax_v(c->head), L->head_size), at)};
    value_t *x = b_load(b, c->src, width, ox);
    if (c->scale) {
        value_t *s = width > 1 ? b_broadcast(b, c->scale, width) : c->scale;
        x = b_binary(b, OP_MUL, x, s);
    }
    b_store(b, c->a, x, ax_);
}

/* HF_SEMANTICS Q2: a row that sees only itself, k_r times in round r, has L_r = fl(-1e5 + fl(log k_r));
 * its output is v times sum_r exp(L_r - lse(L)) k_r exp(-1e5 - L_r), every step in single precision. */
static value_t *self_only_weight(lower_t *L, builder_t *b, const attention_t *a,
                                 const gather_t *c) {
    ltype_t f = SCALAR(E_F32);
    value_t *self = b_const(b, f, SELF_KEY), *most = NULL;
    value_t **count = ARENA_ARRAY(L->m->arena, value_t *, a->rounds);
    value_t **lse = ARENA_ARRAY(L->m->arena, value_t *, a->rounds);
    for (int r = 0; r < a->rounds; r++) {
        affine_t ix[] = {c->batch, ax_v(c->head), ax(r), global_row(c)};
        count[r] = b_convert(b, E_F32, load1(b, L->self_count, 4, ix));
        lse[r] = b_binary(b, OP_ADD, self, m_log(L, b, count[r]));
        most = most ? b_binary(b, OP_MAX, most, lse[r]) : lse[r];
    }
    value_t *total = NULL;
    for (int r = 0; r < a->rounds; r++) {
        value_t *e = m_exp(L, b, b_binary(b, OP_SUB, lse[r], most));
        total = total ? b_binary(b, OP_ADD, total, e) : e;
    }
    total = b_binary(b, OP_ADD, m_log(L, b, total), most);
    value_t *sum = NULL;
    for (int r = 0; r < a->rounds; r++) {
        value_t *p = m_exp(L, b, b_binary(b, OP_SUB, self, lse[r]));
        value_t *w = b_binary(b, OP_MUL, count[r], p);
        if (a->rounds > 1)
            w = b_binary(b, OP_MUL, w, m_exp(L, b, b_binary(b, OP_SUB, lse[r], total)));
        sum = sum ? b_binary(b, OP_ADD, sum, w) : w;
    }
    return sum;
}

static void gather_lsh_row(lower_t *L, builder_t *b, const attention_t *a, gather_t *c) {
    ltype_t f = SCALAR(E_F32);
    affine_t ix[] = {c->batch, ax_v(c->head), global_row(c)};
    value_t *sum = b_name(load1(b, L->run_sum, 3, ix), "sum");
    inst_t *seen = b_if(b, b_compare(b, OP_NE, sum, b_const(b, f, 0)), 0, NULL); /* NaN: seen */
    c->src = L->out;
    c->scale = b_binary(b, OP_DIV, b_const(b, f, 1), sum);
    for_span(L, b, L->head_stride, copy_head, c);
    b_else(b, seen, NULL);
    c->src = L->v;
    c->scale = b_name(self_only_weight(L, b, a, c), "weight");
    for_span(L, b, L->head_stride, copy_head, c);
    b_end_if(b, seen, NULL);
}

static void add_to_stream(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col, int rows,
                          value_t **acc) {
    const gather_t *c = ctx;
    int nv = L->tiles->vectors;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < nv; j++) {
            affine_t yx[] = {c->batch, ax_plus(ax_add(c->row0, row), i),
                             ax_plus(col, (int64_t)j * L->lanes)};
            value_t *y = b_load(b, L->y1, L->lanes, yx);
            b_store(b, L->y1, b_binary(b, OP_ADD, y, acc[i * nv + j]), yx);
        }
}

static void fetch_stream(lower_t *L, builder_t *b, void *ctx, affine_t row, affine_t col) {
    const gather_t *c = ctx;
    affine_t yx[] = {c->batch, ax_add(c->row0, row), col};
    prefetch_row(b, L->y1, yx, L->tile);
}

typedef struct {
    gather_t *c;
    affine_t first, row; /* of the group in trace_self; filler rows are left out */
} self_trace_t;

static void trace_self_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const self_trace_t *t = ctx;
    affine_t from[] = {t->c->row, at}, to[] = {t->c->batch, t->row, ax_add(t->first, at)};
    b_store(b, L->trace_self, b_load(b, t->c->a, width, from), to);
}

void lower_attention_output(lower_t *L, attention_t *a) {
    bool lsh = a->kind == LAYER_LSH;
    dim_t tasks[] = {dim(L->batch), L->blocks};
    const char *names[] = {"batch", "block"};
    builder_t b = build_kernel(L->m, lsh ? "lsh_output" : "local_output", 2, tasks, names);
    describe(L, b.fn, KEY_attn_layers,
             "%s attention: output of a group of heads, added to stream 1", lsh ? "LSH" : "local");
    value_t *index = kernel_param(&b, "index", a->count);
    value_t *group = kernel_param(&b, "group", L->groups);
    int64_t depth = L->group * L->head_size;
    dim_t ad[] = {dim(L->block), dim(depth + L->head_stride - L->head_size + PADDING)};
    gather_t c = {.batch = ax_v(b.fn->task[0]), .row0 = ax_scale(ax_v(b.fn->task[1]), L->block)};
    c.a = kernel_scratch(&b, "heads", E_F32, 2, ad);
    inst_t *rows = b_for(&b, "i", dim(0), dim(L->block), 0, NULL);
    c.row = ax_v(loop_var(rows));
    inst_t *heads = b_for(&b, "head", dim(0), dim(L->group), 0, NULL);
    c.head = loop_var(heads);
    c.src = lsh ? L->out : L->q; /* local attention writes over its queries */
    if (lsh && !a->exact) gather_lsh_row(L, &b, a, &c);
    else for_span(L, &b, L->head_stride, copy_head, &c);
    b_end_for(&b, heads, NULL);
    if (L->o->trace) {
        self_trace_t t = {&c, ax_scale(ax_v(group), depth), global_row(&c)};
        inst_t *real = NULL;
        if (!dim_equal(L->rows, L->padded)) {
            value_t *row = b_index(&b, t.row), *n = b_index(&b, (affine_t){.base = L->padded});
            value_t *last = b_index(&b, (affine_t){.base = dim_sub(L->padded, dim(1))});
            real = b_if(&b, b_compare(&b, OP_LT, row, n), 0, NULL);
            t.row = ax_v(b_binary(&b, OP_MIN, row, last));
        }
        for_span(L, &b, depth, trace_self_span, &t);
        if (real) b_end_if(&b, real, NULL);
    }
    b_end_for(&b, rows, NULL);
    dense_t d = {.a = c.a,
                 .m = L->block,
                 .k = depth,
                 .n = L->hidden,
                 .w = {a->output, 1, {ax_v(index)}},
                 .k_base = ax_scale(ax_v(group), depth),
                 .epilogue = add_to_stream,
                 .target = fetch_stream,
                 .ctx = &c};
    dense(L, &b, &d);
    a->combine = b.fn;
}
