/* Embedding: word row plus position row, into both streams (they start equal, docs/semantics.md 4
 * and 5). Axial positions: position p is the row-major multi-index over the axes; each
 * table gives its columns. */
#include "lower/dropout.h"

typedef struct {
    buffer_t *word, *table;
    value_t *id;
    affine_t batch, row, index; /* of the stream; of the table */
    int64_t first, width;       /* column where this table's part begins; of a row */
    homes_t to;
    affine_t kept_batch;                    /* of the stack that it is kept in */
    buffer_t *word_factors, *table_factors; /* by row of the block; NULL: nothing is dropped */
    affine_t of_block;                      /* the row */
    value_t *scale;                         /* of the word's row; NULL: none */
} embed_t;

/* What is left of an element of the word or of the position. */
static value_t *left_of(builder_t *b, const embed_t *e, buffer_t *factors, affine_t at, int width,
                        value_t *x) {
    affine_t fx[] = {e->of_block, ax_plus(at, e->first)};
    return factors ? b_binary(b, OP_MUL, x, b_load(b, factors, width, fx)) : x;
}

/* Of a table of small numbers what they are. */
static value_t *word_at(builder_t *b, const embed_t *e, int width, const affine_t *ix) {
    value_t *x = b_load(b, e->word, width, ix);
    if (e->word->elem == E_I8) x = b_convert(b, E_I32, x);
    x = b_convert(b, E_F32, x);
    if (!e->scale) return x;
    return b_binary(b, OP_MUL, x, width > 1 ? b_broadcast(b, e->scale, width) : e->scale);
}

static void put_in_homes(lower_t *L, builder_t *b, const embed_t *e, value_t *x, affine_t *yx) {
    for (int i = 0; i < e->to.n; i++) b_store(b, L->homes[e->to.of[i]], x, yx);
    if (e->to.kept < 0) return;
    yx[0] = e->kept_batch;
    b_store(b, L->homes[e->to.kept], x, yx);
}

static void embed_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const embed_t *e = ctx;
    affine_t wx[] = {ax_v(e->id), ax_plus(at, e->first)}, tx[] = {e->index, at};
    affine_t yx[] = {e->batch, e->row, ax_plus(at, e->first)};
    value_t *word = left_of(b, e, e->word_factors, at, width, word_at(b, e, width, wx));
    value_t *place = left_of(b, e, e->table_factors, at, width, b_load(b, e->table, width, tx));
    value_t *sum = b_binary(b, OP_ADD, word, place);
    put_in_homes(L, b, e, sum, yx);
}

/* Positions of filler rows repeat the last real one, so that they stay within the tables. */
static value_t *position(lower_t *L, builder_t *b, affine_t batch, affine_t row) {
    if (L->position) {
        affine_t ix[] = {ax(0), row};
        return b_name(b_convert(b, E_I64, load1(b, L->position, 2, ix)), "position");
    }
    if (L->begins) return b_name(position_from(L, b, batch, row), "position");
    value_t *p = b_index(b, row);
    if (!dim_equal(L->rows, L->padded))
        p = b_binary(b, OP_MIN, p, b_index(b, (affine_t){.base = dim_sub(L->padded, dim(1))}));
    return b_name(p, "position");
}

static void zero_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const embed_t *e = ctx;
    affine_t yx[] = {e->batch, e->row, ax_plus(at, e->width)};
    value_t *zero = b_const(b, (ltype_t){E_F32, width}, 0);
    put_in_homes(L, b, e, zero, yx);
}

static bool is_alone(lower_t *L, const class_t *class) {
    const gnode_t *node = class->pattern->nodes.at[0];
    if (class->pattern->nodes.n == 1 && class->count == 1 && L->regions->homes[node->id].n > 0)
        return true;
    diag_error(L->d, node->at,
               "%s: tokens are embedded once, straight into streams: no kernel does more",
               node->name);
    return false;
}

/* The sum of the word's row and those of the position's tables, which stand from
 * input `first` on. */
static void embed_row(lower_t *L, builder_t *b, const part_t *part, const gnode_t *node, int first,
                      embed_t *e) {
    int axes = node->n_axial;
    value_t *p = position(L, b, e->batch, e->row);
    int64_t inner = 1;
    for (int a = 0; a < axes; a++) inner *= node->axial_shape[a];
    for (int a = 0; a < (axes ? axes : 1); a++) {
        const gnode_t *table = node->in[first + a];
        e->table = role_of(part, table)->w;
        value_t *index = p;
        if (axes) {
            inner /= node->axial_shape[a];
            index = inner > 1 ? b_idiv(b, p, dim(inner)) : p;
            if (a > 0) index = b_irem(b, index, dim(node->axial_shape[a]));
        }
        e->index = ax_v(b_name(index, axes ? "axis" : "position"));
        for_span(L, b, table->shape[1].c, embed_span, e);
        e->first += table->shape[1].c;
    }
}

/* Words and positions are dropped by themselves. */
static void draw_factors(lower_t *L, builder_t *b, const gnode_t *node, const rows_at_t *at,
                         embed_t *e) {
    dropped_t of = {.width = e->width, .by_position = true, .axial_shape = node->axial_shape};
    if (!is_dropping(L, node)) return;
    of.rate = node->rate;
    of.place = PLACE_WORD;
    if (of.rate > 0) e->word_factors = dropout_rows(L, b, at, &of, NULL, "kept_words");
    of.rate = node->position_rate;
    of.place = PLACE_POSITION;
    of.n_axial = node->n_axial;
    of.begins = graph_positions(node) != NULL;
    if (of.rate > 0) e->table_factors = dropout_rows(L, b, at, &of, NULL, "kept_positions");
}

lfunc_t *lower_embed(lower_t *L, part_t *part) {
    const gnode_t *node = part->class->pattern->nodes.at[0];
    if (!is_alone(L, part->class)) return NULL;
    part->used = true;
    int words = graph_word_input(node);
    embed_t e = {.word = role_of(part, node->in[words])->w,
                 .width = node->shape[2].c,
                 .to = L->regions->homes[node->id]};
    dim_t tasks[] = {dim(L->batch), L->blocks};
    const char *names[] = {"batch", "block"};
    builder_t b = build_kernel(L->m, "embed", 2, tasks, names);
    describe(L, b.fn, node->at, "word and position embeddings into both streams");
    e.batch = ax_v(b.fn->task[0]);
    rows_at_t at = {
        .batch = e.batch, .row0 = ax_scale(ax_v(b.fn->task[1]), L->block), .m = L->block};
    e.kept_batch = ax_plus(e.batch, L->regions->place[node->id] * L->batch);
    draw_factors(L, &b, node, &at, &e);
    inst_t *loop = b_for(&b, "i", dim(0), dim(L->block), 0, NULL);
    e.of_block = ax_v(loop_var(loop));
    e.row = ax_add(at.row0, e.of_block);
    affine_t idx[] = {e.batch, e.row};
    e.id = b_name(b_load(&b, L->ids, 1, idx), "id");
    affine_t sx[] = {ax_v(e.id)};
    buffer_t *scales = role_of(part, node->in[words])->scales;
    if (scales) e.scale = b_name(load1(&b, scales, 1, sx), "scale");
    embed_row(L, &b, part, node, words + 1, &e);
    for_span(L, &b, round_up(e.width, L->tile) - e.width, zero_span, &e);
    b_end_for(&b, loop, NULL);
    return b.fn;
}
