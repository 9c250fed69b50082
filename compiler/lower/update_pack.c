/* Params into the weights file, in every arrangement that weights/layout.h gives them there, and
 * back. Panels are transposed in registers, a square of lanes at a time, whole lines of the rows
 * that they are of; columns keep their order and move in runs of a panel's width. Padding is what
 * the file's writer left there: zeros. Of bf16 a pair stands where a float would, and is written as
 * one that has its bits; back go the floats that stand beside (weights/layout.h).
 *
 * An entry of the file's layout takes its members from one stack of params; which of them from
 * where, tables say, since there may be members that are not trained. */
#include "lower/update_int.h"

enum { MAX_LANES_F32 = 16, LINE_FLOATS = LINE / (int)sizeof(float) };

/* An entry, in one direction: `pairs` of members, in the tables from `at` on. */
typedef struct move {
    const layout_entry_t *e;
    const layout_entry_t *params; /* the stack */
    bool unpack;
    int pairs, at;
} move_t;

/* ---- what is moved --------------------------------------------------------------------------- */

typedef struct {
    int32_t *param, *packed;
    int n;
} pairs_t;

static bool is_moved(const updater_t *U, const layout_entry_t *e, int k, bool unpack, int *at,
                     const layout_entry_t **stack) {
    if (unpack && e->again && e->again[k]) return false;
    const layout_entry_t *found = layout_find(U->o->gradients, e->source[k], at);
    if (!found) return false;
    if (*stack && *stack != found) bug("%s: params of one entry stand apart", e->name);
    *stack = found;
    return true;
}

static move_t move_of(const updater_t *U, const layout_entry_t *e, bool unpack, pairs_t *pairs) {
    move_t m = {.e = e, .unpack = unpack, .at = pairs->n};
    for (int k = 0; k < e->count && e->kind != PACK_ROTATIONS; k++) {
        int at;
        if (!is_moved(U, e, k, unpack, &at, &m.params)) continue;
        pairs->param[pairs->n] = at;
        pairs->packed[pairs->n++] = k;
        m.pairs++;
    }
    return m;
}

static buffer_t *table(updater_t *U, const char *name, const int32_t *data, int n) {
    dim_t d = dim(n);
    int32_t max = 0;
    for (int i = 0; i < n; i++) max = data[i] > max ? data[i] : max;
    buffer_t *b = module_buffer(U->L.m, BUF_TABLE, name, E_I32, 1, &d);
    b->data = data;
    set_range(b, dim(0), dim(max));
    return b;
}

void make_moves(updater_t *U) {
    const layout_t *l = U->o->weights;
    int max = 0;
    for (int i = 0; i < l->n; i++) max += 2 * l->entries[i].count;
    pairs_t pairs = {ARENA_ARRAY(U->L.arena, int32_t, max), ARENA_ARRAY(U->L.arena, int32_t, max),
                     0};
    U->moves = ARENA_ARRAY(U->L.arena, move_t, 2 * l->n);
    for (int i = 0; i < 2 * l->n; i++) {
        move_t m = move_of(U, &l->entries[i % l->n], i >= l->n, &pairs);
        if (m.pairs > 0) U->moves[U->n_moves++] = m;
    }
    U->param_at = table(U, "param_at", pairs.param, pairs.n);
    U->packed_at = table(U, "packed_at", pairs.packed, pairs.n);
}

/* ---- kernels --------------------------------------------------------------------------------- */

typedef struct {
    updater_t *U;
    const move_t *m;
    lfunc_t *kernel;
    affine_t param, packed; /* of the task's members: the first element */
    affine_t from, to;      /* of what is at work: in params, packed */
    slices_t slices;
    int64_t rows, width; /* of the matrix of a head, or of all: [rows][width] */
    int64_t each;        /* elements of a param that stand where a float does: 2 of bf16 */
} mover_t;

static void copy(const mover_t *c, builder_t *b, affine_t param, affine_t packed, int width) {
    buffer_t *params = c->U->params, *file = c->U->packed;
    if (c->m->unpack) b_store(b, params, b_load(b, file, width, &packed), &param);
    else b_store(b, file, b_load(b, params, width, &param), &packed);
}

/* Two floats, rounded to bf16, in the place of one; second NULL: it is 0. */
static value_t *pair_of(builder_t *b, value_t *first, value_t *second) {
    second = second ? bf16_valued(b, second) : b_const(b, first->type, 0);
    return b_bitcast(b, E_F32, pair_bits(b, bf16_valued(b, first), second));
}

/* Elements at `second`, NULL: zeros, beside those at `param`. */
static void copy_pair(const mover_t *c, builder_t *b, affine_t param, const affine_t *second,
                      affine_t packed, int width) {
    value_t *first = b_load(b, c->U->params, width, &param);
    value_t *other = second ? b_load(b, c->U->params, width, second) : NULL;
    b_store(b, c->U->packed, pair_of(b, first, other), &packed);
}

static int64_t elements_of(const move_t *m) {
    return m->params->bytes / (int64_t)sizeof(float) / m->params->count;
}

static int64_t packed_of(const move_t *m) {
    return m->e->bytes / (int64_t)sizeof(float) / m->e->count;
}

static affine_t member(builder_t *b, buffer_t *table, affine_t at, int count) {
    return ax_v(at_most(b, ax_v(load1(b, table, 1, &at)), dim(count - 1)));
}

/* Tasks are pairs of members, and pieces of them: heads and slices. */
static bool open_move(mover_t *c, const char *what, int64_t heads, builder_t *b) {
    static const char *const names[] = {"pair", "head", "slice"};
    static const char *const docs[] = {"params into the weights file",
                                       "params from the weights file"};
    const move_t *m = c->m;
    updater_t *U = c->U;
    int64_t sizes[] = {m->pairs, m->params->count, m->e->count, heads, c->rows, c->width};
    int64_t tasks[] = {m->pairs, heads, c->slices.n};
    const char *verb = m->unpack ? "unpack" : "pack", *type = m->e->type == G_BF16 ? "bf16_" : "";
    const char *base = arena_printf(U->L.arena, "%s_%s%s", verb, type, what);
    const char *name = shape_name(U, base, 6, sizes);
    if (!open_kernel(U, name, docs[m->unpack], 3, tasks, names, b, &c->kernel)) return false;
    int64_t elements = elements_of(m), packed = packed_of(m);
    affine_t first = place_param(b, "first", m->params->count * elements, U->elements);
    affine_t to = place_param(b, "to", m->e->count * packed, U->packed->dims[0].c);
    affine_t at = place_param(b, "at", m->pairs, U->param_at->dims[0].c);
    at = ax_add(at, ax_v(b->fn->task[0]));
    affine_t param = member(b, U->param_at, at, m->params->count);
    affine_t file = member(b, U->packed_at, at, m->e->count);
    c->param = ax_v(b_index(b, ax_add(first, ax_scale(param, elements))));
    c->packed = ax_v(b_index(b, ax_add(to, ax_scale(file, packed))));
    return true;
}

static void launch_move(const mover_t *c) {
    const move_t *m = c->m;
    int64_t size = (int64_t)sizeof(float);
    int64_t args[] = {m->params->offset / size, m->e->offset / size, m->at};
    launch_update(c->U, c->kernel, 3, args, m->unpack ? "update.unpack" : "update.pack");
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void copy_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const mover_t *c = ctx;
    (void)L;
    copy(c, b, ax_add(c->from, at), ax_add(c->to, at), width);
}

static void copy_slice(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    mover_t *c = ctx;
    c->from = ax_v(b_index(b, ax_add(c->param, first)));
    c->to = ax_v(b_index(b, ax_add(c->packed, first)));
    for_span(&U->L, b, n, copy_span, c);
}

static void move_rows(mover_t *c) {
    builder_t b;
    c->rows = 1;
    c->width = elements_of(c->m);
    c->slices = slices_of(c->width, SLICE);
    if (open_move(c, "rows", 1, &b)) in_slice(c->U, &b, &c->slices, b.fn->task[2], copy_slice, c);
}

/* ---- panels ---------------------------------------------------------------------------------- */

/* Row `row` of a panel, element k of it; of bf16 pair k. */
static affine_t in_params(const mover_t *c, affine_t row, affine_t k) {
    return ax_add(c->from, ax_add(ax_scale(row, c->width), k));
}
static affine_t in_panel(const mover_t *c, affine_t row, affine_t k) {
    return ax_add(c->to, ax_add(ax_scale(k, PANEL), row));
}

/* A square in registers, [k][row], as pairs of k, from pair `k` on. */
static void put_pairs(const mover_t *c, builder_t *b, affine_t row, affine_t k, value_t **x) {
    for (int i = 0; i < c->U->L.lanes; i += 2) {
        affine_t at = in_panel(c, row, ax_plus(k, i / 2));
        b_store(b, c->U->packed, pair_of(b, x[i], x[i + 1]), &at);
    }
}

/* k: in steps of c->each elements. */
static void transpose_square(const mover_t *c, builder_t *b, affine_t row, affine_t k) {
    value_t *x[MAX_LANES_F32];
    lower_t *L = &c->U->L;
    buffer_t *from = c->m->unpack ? c->U->packed : c->U->params;
    buffer_t *to = c->m->unpack ? c->U->params : c->U->packed;
    for (int i = 0; i < L->lanes; i++) {
        affine_t at = c->m->unpack ? in_panel(c, row, ax_plus(k, i))
                                   : in_params(c, ax_plus(row, i), ax_scale(k, c->each));
        x[i] = b_load(b, from, L->lanes, &at);
    }
    transpose(b, L, x);
    if (c->each > 1) {
        put_pairs(c, b, row, k, x);
        return;
    }
    for (int i = 0; i < L->lanes; i++) {
        affine_t at =
            c->m->unpack ? in_params(c, ax_plus(row, i), k) : in_panel(c, row, ax_plus(k, i));
        b_store(b, to, x[i], &at);
    }
}

/* Elements k … k + width - 1 of so many rows, in squares; k in steps of c->each. */
static void transpose_squares(const mover_t *c, builder_t *b, int64_t rows, affine_t k, int width) {
    int lanes = c->U->L.lanes;
    inst_t *squares = b_for(b, "square", dim(0), dim(rows / lanes), 0, NULL);
    affine_t row = ax_scale(ax_v(loop_var(squares)), lanes);
    for (int at = 0; at < width; at += lanes) transpose_square(c, b, row, ax_plus(k, at / c->each));
    b_end_for(b, squares, NULL);
}

/* The same of bf16, pair by pair; the last may be half of one. */
static void copy_pairs_apart(const mover_t *c, builder_t *b, affine_t row, int64_t k) {
    int64_t whole = c->width / 2;
    affine_t at, second;
    if (k < 2 * whole) {
        inst_t *pairs = b_for(b, "pair", dim(k / 2), dim(whole), 0, NULL);
        affine_t pair = ax_v(loop_var(pairs));
        at = in_params(c, row, ax_scale(pair, 2));
        second = ax_plus(at, 1);
        copy_pair(c, b, at, &second, in_panel(c, row, pair), 1);
        b_end_for(b, pairs, NULL);
    }
    if (c->width % 2 == 0) return;
    copy_pair(c, b, in_params(c, row, ax(2 * whole)), NULL, in_panel(c, row, ax(whole)), 1);
}

/* Rows first … first + n - 1, elements from k on, one by one. */
static void copy_apart(const mover_t *c, builder_t *b, int64_t first, int64_t n, int64_t k) {
    if (n == 0 || k == c->width) return;
    if (c->each > 1) {
        inst_t *rows = b_for(b, "row", dim(0), dim(n), 0, NULL);
        copy_pairs_apart(c, b, ax_plus(ax_v(loop_var(rows)), first), k);
        b_end_for(b, rows, NULL);
        return;
    }
    inst_t *rows = b_for(b, "row", dim(0), dim(n), 0, NULL);
    inst_t *elements = b_for(b, "k", dim(k), dim(c->width), 0, NULL);
    affine_t row = ax_plus(ax_v(loop_var(rows)), first), at = ax_v(loop_var(elements));
    copy(c, b, in_params(c, row, at), in_panel(c, row, at), 1);
    b_end_for(b, elements, NULL);
    b_end_for(b, rows, NULL);
}

static void move_panel(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    mover_t *c = ctx;
    int lanes = U->L.lanes, step = lanes < LINE_FLOATS ? LINE_FLOATS : lanes;
    int64_t square = n / lanes * lanes, whole = c->width / step, done = 0;
    affine_t head = ax_v(b->fn->task[1]), panel = ax_v(b->fn->task[2]);
    affine_t from = ax_add(ax_scale(head, c->rows * c->width), ax_scale(first, c->width));
    affine_t to = ax_add(ax_scale(head, c->slices.n), panel);
    c->from = ax_v(b_index(b, ax_add(c->param, from)));
    int64_t deep = (c->width + c->each - 1) / c->each;
    c->to = ax_v(b_index(b, ax_add(c->packed, ax_scale(to, deep * PANEL))));
    if (square > 0 && whole > 0) {
        inst_t *lines = b_for(b, "line", dim(0), dim(whole), 0, NULL);
        transpose_squares(c, b, square, ax_scale(ax_v(loop_var(lines)), step / c->each), step);
        b_end_for(b, lines, NULL);
        done = whole * step;
    }
    for (; square > 0 && done + lanes <= c->width; done += lanes)
        transpose_squares(c, b, square, ax(done / c->each), lanes);
    copy_apart(c, b, 0, square, done);
    copy_apart(c, b, square, n - square, 0);
}

static void move_panels(mover_t *c) {
    int64_t heads = c->m->e->kind == PACK_HEAD_PANELS ? c->m->e->heads : 1;
    builder_t b;
    c->rows = c->m->e->shape[0] / heads;
    c->width = c->m->e->shape[1];
    c->slices = slices_of_size(c->rows, PANEL);
    if (open_move(c, "panels", heads, &b))
        in_slice(c->U, &b, &c->slices, b.fn->task[2], move_panel, c);
}

/* ---- columns --------------------------------------------------------------------------------- */

/* Rows of one panel, `width` wide, of bf16 in pairs. */
static void pair_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const mover_t *c = ctx;
    affine_t from = ax_add(c->from, at), second = ax_plus(from, c->width);
    (void)L;
    copy_pair(c, b, from, &second, ax_add(c->to, at), width);
}

static void half_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const mover_t *c = ctx;
    (void)L;
    copy_pair(c, b, ax_add(c->from, at), NULL, ax_add(c->to, at), width);
}

/* Two rows, from row `row` on, or the last by itself. */
static void pair_rows(mover_t *c, builder_t *b, affine_t row, affine_t pair, affine_t panel,
                      int64_t width, bool half) {
    affine_t from = ax_add(ax_scale(row, c->width), ax_scale(panel, PANEL));
    affine_t to = ax_add(ax_scale(panel, (c->rows + 1) / 2 * PANEL), ax_scale(pair, PANEL));
    c->from = ax_v(b_index(b, ax_add(c->param, from)));
    c->to = ax_v(b_index(b, ax_add(c->packed, to)));
    for_span(&c->U->L, b, width, half ? half_span : pair_span, c);
}

static void pair_panel(mover_t *c, builder_t *b, affine_t first, int64_t n, affine_t panel,
                       int64_t width) {
    affine_t before = ax_v(b_idiv(b, b_index(b, first), dim(2)));
    if (n > 1) {
        inst_t *pairs = b_for(b, "pair", dim(0), dim(n / 2), 0, NULL);
        affine_t pair = ax_v(loop_var(pairs));
        pair_rows(c, b, ax_add(first, ax_scale(pair, 2)), ax_add(before, pair), panel, width,
                  false);
        b_end_for(b, pairs, NULL);
    }
    if (n % 2) pair_rows(c, b, ax_plus(first, n - 1), ax_plus(before, n / 2), panel, width, true);
}

/* Rows of one panel, `width` wide. */
static void copy_panel(mover_t *c, builder_t *b, affine_t first, int64_t n, affine_t panel,
                       int64_t width) {
    if (c->each > 1) {
        pair_panel(c, b, first, n, panel, width);
        return;
    }
    inst_t *rows = b_for(b, "row", dim(0), dim(n), 0, NULL);
    affine_t row = ax_add(first, ax_v(loop_var(rows)));
    affine_t from = ax_add(ax_scale(row, c->width), ax_scale(panel, PANEL));
    affine_t to = ax_add(ax_scale(panel, c->rows * PANEL), ax_scale(row, PANEL));
    c->from = ax_v(b_index(b, ax_add(c->param, from)));
    c->to = ax_v(b_index(b, ax_add(c->packed, to)));
    for_span(&c->U->L, b, width, copy_span, c);
    b_end_for(b, rows, NULL);
}

static void move_column_rows(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    mover_t *c = ctx;
    int64_t whole = c->width / PANEL, rest = c->width % PANEL;
    (void)U;
    if (whole > 0) {
        inst_t *panels = b_for(b, "panel", dim(0), dim(whole), 0, NULL);
        copy_panel(c, b, first, n, ax_v(loop_var(panels)), PANEL);
        b_end_for(b, panels, NULL);
    }
    if (rest > 0) copy_panel(c, b, first, n, ax(whole), rest);
}

static void move_columns(mover_t *c) {
    builder_t b;
    c->rows = c->m->e->shape[0];
    c->width = c->m->e->shape[1];
    c->slices = slices_of_size(c->rows, PANEL);
    if (open_move(c, "columns", 1, &b))
        in_slice(c->U, &b, &c->slices, b.fn->task[2], move_column_rows, c);
}

void lower_moves(updater_t *U, bool unpack) {
    static void (*const kinds[])(mover_t * c) = {[PACK_ROWS] = move_rows,
                                                 [PACK_PANELS] = move_panels,
                                                 [PACK_HEAD_PANELS] = move_panels,
                                                 [PACK_COLUMNS] = move_columns};
    for (int i = 0; i < U->n_moves; i++) {
        const move_t *m = &U->moves[i];
        if (m->unpack != unpack) continue;
        mover_t c = {.U = U, .m = m, .each = m->e->type == G_BF16 ? 2 : 1};
        kinds[m->e->kind](&c);
        launch_move(&c);
    }
}
