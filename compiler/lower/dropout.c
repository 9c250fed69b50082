/* Dropout in kernels: see dropout.h. */
#include "lower/dropout.h"

enum { ROUNDS = 10, WORDS = 4, HALF = 16 };

static ltype_t ints(int lanes) {
    return (ltype_t){E_I32, lanes};
}

/* A word of 32 bits, whatever its sign there. */
static value_t *word(builder_t *b, int lanes, uint32_t x) {
    return b_iconst(b, ints(lanes), (int32_t)x);
}

/* ---- Philox4x32-10 --------------------------------------------------------------------------- */

/* As runtime/philox.h has it. */
static lfunc_t *make_philox(lower_t *L, int lanes) {
    const char *names[] = {"c0", "c1", "c2", "c3", "key0", "key1"};
    ltype_t types[WORDS + 2];
    for (int i = 0; i < WORDS + 2; i++) types[i] = ints(lanes);
    const char *name = lanes > 1 ? arena_printf(L->arena, "philox_i32x%d", lanes) : "philox_i32";
    builder_t b = build_func(L->m, name, WORDS + 2, types, names, WORDS, types);
    value_t *c[WORDS], **p = b.fn->params, *key[] = {p[WORDS], p[WORDS + 1]};
    for (int i = 0; i < WORDS; i++) c[i] = p[i];
    for (int round = 0; round < ROUNDS; round++) {
        value_t *m0 = word(&b, lanes, 0xD2511F53), *m1 = word(&b, lanes, 0xCD9E8D57);
        value_t *high0 = b_binary(&b, OP_MULHI, m0, c[0]), *low0 = b_binary(&b, OP_MUL, m0, c[0]);
        value_t *high1 = b_binary(&b, OP_MULHI, m1, c[2]), *low1 = b_binary(&b, OP_MUL, m1, c[2]);
        c[0] = b_binary(&b, OP_XOR, b_binary(&b, OP_XOR, high1, c[1]), key[0]);
        c[2] = b_binary(&b, OP_XOR, b_binary(&b, OP_XOR, high0, c[3]), key[1]);
        c[1] = low1;
        c[3] = low0;
        key[0] = b_binary(&b, OP_ADD, key[0], word(&b, lanes, 0x9E3779B9));
        key[1] = b_binary(&b, OP_ADD, key[1], word(&b, lanes, 0xBB67AE85));
    }
    b_return(&b, c);
    return b.fn;
}

/* ---- what is drawn → factors ----------------------------------------------------------------- */

static double scale_of(const dropout_t *d) {
    return (double)DROPOUT_ONE / (double)(DROPOUT_ONE - d->below);
}

/* 0 below the limit. */
static value_t *choose(builder_t *b, value_t *drawn, value_t *limit, value_t *scale) {
    return b_select(b, b_compare(b, OP_LT, drawn, limit), b_const(b, scale->type, 0), scale);
}

static value_t *half_of(builder_t *b, value_t *x, bool high) {
    return high ? b_shift(b, OP_SHR, x, HALF)
                : b_binary(b, OP_AND, x, word(b, x->type.lanes, 0xFFFF));
}

/* The words that the elements of vector v are halves of: element e's is word e
 * % 8 / 2 of block e / 8. */
static value_t *words_of(lower_t *L, builder_t *b, value_t **words, int v) {
    int n = L->lanes, lanes[64], join[64];
    value_t *pair[2] = {NULL};
    for (int p = 0; p < 2; p++) {
        bool any = false;
        for (int l = 0; l < n; l++) {
            int e = v * n + l, w = e % BLOCK / 2;
            any = any || w / 2 == p;
            lanes[l] = w % 2 * n + e / BLOCK;
            join[l] = w / 2 * n + l;
        }
        if (any) pair[p] = b_shuffle(b, words[2 * p], words[2 * p + 1], lanes);
    }
    if (!pair[0] || !pair[1]) return pair[0] ? pair[0] : pair[1];
    return b_shuffle(b, pair[0], pair[1], join);
}

/* The words' halves in the order of their elements, compared. */
static lfunc_t *make_columns(lower_t *L) {
    const char *names[] = {"word0", "word1", "word2", "word3", "limit", "scale"};
    ltype_t i = ints(L->lanes), f = vec(L), types[] = {i, i, i, i, i, f}, results[BLOCK];
    for (int v = 0; v < BLOCK; v++) results[v] = f;
    const char *name = arena_printf(L->arena, "kept_f32x%d", L->lanes);
    builder_t b = build_func(L->m, name, WORDS + 2, types, names, BLOCK, results);
    int n = L->lanes, halves[64];
    value_t **p = b.fn->params, *factor[BLOCK];
    for (int l = 0; l < n; l++) halves[l] = l % 2 * n + l;
    for (int v = 0; v < BLOCK; v++) {
        value_t *x = words_of(L, &b, p, v);
        x = b_shuffle(&b, half_of(&b, x, false), half_of(&b, x, true), halves);
        factor[v] = choose(&b, x, p[WORDS], p[WORDS + 1]);
    }
    b_return(&b, factor);
    return b.fn;
}

static bool is_train_step(const lower_t *L) {
    return L->regions->backward < (int)L->g->n_nodes;
}

bool is_dropping(const lower_t *L, const gnode_t *n) {
    return (n->rate > 0 || n->position_rate > 0) && is_train_step(L);
}

void lower_dropout(lower_t *L) {
    bool any = false;
    for (size_t i = 0; i < L->g->n_nodes; i++) any = any || is_dropping(L, L->g->nodes[i]);
    if (!any) return;
    L->philox[0] = make_philox(L, 1);
    L->philox[1] = make_philox(L, L->lanes);
    L->kept = make_columns(L);
}

/* ---- layers ---------------------------------------------------------------------------------- */

static const int32_t *layers_of(arena_t *a, const part_t *p, int node) {
    int32_t *at = ARENA_ARRAY(a, int32_t, p->class->count);
    for (int m = 0; m < p->class->count; m++) at[m] = p->class->members[m]->nodes.at[node]->layer;
    return at;
}

static bool tell_layers(lower_t *L, part_t *p) {
    const nodes_t *nodes = &p->class->pattern->nodes;
    for (int i = 0; i < nodes->n; i++)
        if (is_dropping(L, nodes->at[i]) && nodes->at[i]->layer >= 0)
            part_vector(p, layers_of(L->arena, p, i), DROPOUT_OUTSIDE);
    return !part_is_crowded(L, p);
}

bool tell_dropout(lower_t *L) {
    bool ok = true;
    for (int i = 0; i < L->regions->n_classes; i++) ok = tell_layers(L, &L->parts[i]) && ok;
    return ok;
}

value_t *layer_of_dropout(builder_t *b, const part_t *p, value_t *const *index, const gnode_t *n) {
    if (n->layer < 0) return NULL;
    int node = nodes_find(&p->class->pattern->nodes, n);
    if (node < 0) bug("%s is no node of its part", n->name);
    for (int i = 0; i < p->n_vectors; i++) {
        bool same = true;
        for (int m = 0; same && m < p->class->count; m++)
            same = p->vector[i][m] == p->class->members[m]->nodes.at[node]->layer;
        if (same) return index[i] ? index[i] : b_iconst(b, SCALAR(E_I64), n->layer);
    }
    bug("%s: nobody tells its layer", n->name);
}

bool drops_alike(const part_t *p, int a, int b) {
    const gnode_t *x = p->class->pattern->nodes.at[a], *y = p->class->pattern->nodes.at[b];
    bool alike = x->place == y->place && x->rate == y->rate && x->rank == y->rank &&
                 x->n_axial == y->n_axial && width_of(x) == width_of(y) &&
                 graph_positions(x) == graph_positions(y);
    for (int i = 0; alike && i < x->n_axial; i++) alike = x->axial_shape[i] == y->axial_shape[i];
    for (int m = 0; alike && m < p->class->count; m++) {
        const nodes_t *nodes = &p->class->members[m]->nodes;
        alike = nodes->at[a]->layer == nodes->at[b]->layer;
    }
    return alike;
}

/* ---- draws ----------------------------------------------------------------------------------- */

static void both(builder_t *b, lower_t *L, value_t *x, value_t *to[2]) {
    to[0] = x;
    to[1] = b_broadcast(b, x, L->lanes);
}

dropout_t begin_dropout(lower_t *L, builder_t *b, dropout_place_t place, double rate,
                        value_t *layer) {
    dropout_t d = {.below = dropout_threshold(rate)};
    value_t *number = layer ? b_convert(b, E_I32, layer) : word(b, 1, DROPOUT_OUTSIDE);
    for (int i = 0; i < 2; i++) {
        value_t *key = control(b, L, i ? REFORMER_SEED_HIGH : REFORMER_SEED_LOW);
        value_t *vectors[2];
        both(b, L, key, vectors);
        d.key[0][i] = vectors[0];
        d.key[1][i] = vectors[1];
    }
    both(b, L, b_shift(b, OP_SHL, number, HALF), d.layer);
    both(b, L, word(b, 1, DROPOUT_STREAM << 8 | (uint32_t)place), d.place);
    both(b, L, control(b, L, REFORMER_DROPOUT_STEP), d.step);
    return d;
}

value_t *lane_numbers(lower_t *L, builder_t *b) {
    dim_t n = dim(L->lanes);
    buffer_t *table = module_find_buffer(L->m, "lane_numbers");
    if (!table) {
        int32_t *data = ARENA_ARRAY(L->arena, int32_t, L->lanes);
        for (int i = 0; i < L->lanes; i++) data[i] = i;
        table = module_buffer(L->m, BUF_TABLE, "lane_numbers", E_I32, 1, &n);
        table->data = data;
    }
    affine_t first = ax(0);
    return b_load(b, table, L->lanes, &first);
}

value_t *first_row_of_step(lower_t *L, builder_t *b) {
    ltype_t i64 = SCALAR(E_I64);
    value_t *first = b_convert(b, E_I64, control(b, L, REFORMER_FIRST_ROW));
    return b_binary(b, OP_AND, first, b_iconst(b, i64, UINT32_MAX));
}

/* What stands behind an input that nothing fills up is no position: masks are those
 * of code for that length. */
value_t *masked_positions(lower_t *L, builder_t *b) {
    if (!L->o->absent_keys) return NULL;
    value_t *tokens = b_convert(b, E_I64, control(b, L, REFORMER_TOKENS));
    return b_binary(b, OP_MAX, tokens, b_index(b, ax(0)));
}

affine_t ax_scale_positions(lower_t *L, builder_t *b, affine_t x, value_t *positions) {
    if (!positions) return ax_scale_dim(x, L->padded);
    return ax_v(b_binary(b, OP_MUL, b_index(b, x), positions));
}

/* Whether x is below y, both without sign. */
static value_t *below(builder_t *b, value_t *x, value_t *y) {
    value_t *sign = word(b, x->type.lanes, 0x80000000);
    return b_compare(b, OP_LT, b_binary(b, OP_XOR, x, sign), b_binary(b, OP_XOR, y, sign));
}

/* The words of block + offset; offset NULL: a scalar's, of block alone. */
static value_t **draw(lower_t *L, builder_t *b, const dropout_t *d, value_t *block,
                      value_t *offset) {
    int form = offset != NULL;
    value_t *low = b_convert(b, E_I32, block);
    value_t *high = b_convert(b, E_I32, b_shift(b, OP_SHR, block, 32));
    if (offset) {
        low = b_binary(b, OP_ADD, b_broadcast(b, low, L->lanes), offset);
        high = b_binary(b, OP_SUB, b_broadcast(b, high, L->lanes), below(b, low, offset));
    }
    high = b_binary(b, OP_AND, high, word(b, high->type.lanes, 0xFFFF));
    high = b_binary(b, OP_OR, high, d->layer[form]);
    value_t *args[] = {low, high, d->place[form], d->step[form], d->key[form][0], d->key[form][1]};
    return b_call(b, L->philox[form], args);
}

/* What is drawn → the factor. */
static value_t *factor_of(builder_t *b, const dropout_t *d, value_t *drawn) {
    ltype_t f = {E_F32, drawn->type.lanes};
    value_t *limit = b_iconst(b, drawn->type, d->below);
    return choose(b, drawn, limit, b_const(b, f, scale_of(d)));
}

void dropout_lanes(lower_t *L, builder_t *b, const dropout_t *d, value_t *block, value_t *offset,
                   value_t *factor[BLOCK]) {
    value_t **words = draw(L, b, d, block, offset);
    for (int i = 0; i < BLOCK; i++) factor[i] = factor_of(b, d, half_of(b, words[i / 2], i % 2));
}

void dropout_columns(lower_t *L, builder_t *b, const dropout_t *d, value_t *block,
                     value_t *factor[BLOCK]) {
    value_t **words = draw(L, b, d, block, lane_numbers(L, b)), *args[WORDS + 2];
    for (int i = 0; i < WORDS; i++) args[i] = words[i];
    args[WORDS] = b_iconst(b, ints(L->lanes), d->below);
    args[WORDS + 1] = b_const(b, vec(L), scale_of(d));
    value_t **results = b_call(b, L->kept, args);
    for (int v = 0; v < BLOCK; v++) factor[v] = results[v];
}

value_t *dropout_one(lower_t *L, builder_t *b, const dropout_t *d, value_t *block, value_t *which) {
    value_t **words = draw(L, b, d, block, NULL), *drawn = half_of(b, words[0], false);
    for (int i = 1; i < BLOCK; i++) {
        value_t *own = b_compare(b, OP_EQ, which, word(b, 1, (uint32_t)i));
        drawn = b_select(b, own, half_of(b, words[i / 2], i % 2), drawn);
    }
    return factor_of(b, d, drawn);
}

/* ---- rows ------------------------------------------------------------------------------------ */

dropped_t dropped_of(const gnode_t *n) {
    return (dropped_t){.place = (dropout_place_t)n->place,
                       .rate = n->rate,
                       .width = width_of(n),
                       .by_position = n->rank == 3,
                       .n_axial = n->n_axial,
                       .axial_shape = n->axial_shape,
                       .begins = graph_positions(n) != NULL};
}

static const char *own_name(lower_t *L, const builder_t *b, const char *base) {
    for (int k = 1;; k++) {
        const char *name = k > 1 ? arena_printf(L->arena, "%s_%d", base, k) : base;
        const char *own = arena_printf(L->arena, "%s_%s", b->fn->name, name);
        if (!module_find_buffer(L->m, name) && !module_find_buffer(L->m, own)) return name;
    }
}

typedef struct {
    const dropped_t *of;
    const dropout_t *d;
    buffer_t *to;
    affine_t row; /* of the block */
    affine_t batch;
    value_t *element;  /* the batch element's number in the step */
    affine_t first;    /* and that of its first row */
    value_t *position; /* the row's */
    value_t *factor;   /* of all of the row */
} mask_t;

/* Vector after vector of a row, as many at once as one draw gives. */
static void draw_row(lower_t *L, builder_t *b, mask_t *m) {
    int64_t blocks = round_up(m->of->width, BLOCK) / BLOCK;
    affine_t row = ax_add(m->first, ax_v(m->position));
    value_t *number = b_index(b, row), *factor[BLOCK];
    inst_t *loop = b_for(b, "v", dim(0), dim_div(m->to->dims[1], BLOCK * L->lanes), 0, NULL);
    affine_t v = ax_v(loop_var(loop));
    affine_t first = ax_add(ax_scale(ax_v(number), blocks), ax_scale(v, L->lanes));
    dropout_columns(L, b, m->d, b_index(b, first), factor);
    for (int i = 0; i < BLOCK; i++) {
        affine_t ix[] = {m->row, ax_plus(ax_scale(v, BLOCK * L->lanes), (int64_t)i * L->lanes)};
        b_store(b, m->to, factor[i], ix);
    }
    b_end_for(b, loop, NULL);
}

static void same_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const mask_t *m = ctx;
    affine_t ix[] = {m->row, at};
    (void)L;
    b_store(b, m->to, width > 1 ? b_broadcast(b, m->factor, width) : m->factor, ix);
}

/* One decision for all positions of a column of the grid. */
static void draw_column(lower_t *L, builder_t *b, mask_t *m) {
    int64_t below = 1, columns = m->of->axial_shape[1];
    for (int a = 2; a < m->of->n_axial; a++) below *= m->of->axial_shape[a];
    value_t *place = m->of->begins ? position_from(L, b, m->batch, ax_v(m->position)) : m->position;
    value_t *column = b_irem(b, b_idiv(b, place, dim(below)), dim(columns));
    value_t *which = b_convert(b, E_I32, b_irem(b, column, dim(BLOCK)));
    affine_t block = ax_add(ax_scale(ax_v(m->element), round_up(columns, BLOCK) / BLOCK),
                            ax_v(b_idiv(b, column, dim(BLOCK))));
    m->factor = dropout_one(L, b, m->d, b_index(b, block), which);
    for_span(L, b, m->to->dims[1].c, same_span, m);
}

buffer_t *dropout_rows(lower_t *L, builder_t *b, const rows_at_t *at, const dropped_t *of,
                       value_t *layer, const char *name) {
    dim_t dims[] = {dim(at->m), dim(round_up(of->width, (int64_t)BLOCK * L->lanes))};
    dropout_t d = begin_dropout(L, b, of->place, of->rate, layer);
    mask_t m = {.of = of, .d = &d, .batch = at->batch};
    m.to = kernel_scratch(b, own_name(L, b, name), E_F32, 2, dims);
    m.element = b_index(b, ax_add(ax_v(first_row_of_step(L, b)), at->batch));
    m.first = ax_v(m.element);
    if (of->by_position) m.first = ax_scale_positions(L, b, m.first, masked_positions(L, b));
    inst_t *loop = b_for(b, "i", dim(0), dim(at->m), 0, NULL);
    m.row = ax_v(loop_var(loop));
    m.position = b_index(b, ax_add(at->row0, m.row));
    (of->n_axial ? draw_column : draw_row)(L, b, &m);
    b_end_for(b, loop, NULL);
    return m.to;
}
