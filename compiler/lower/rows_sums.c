/* Operands of sums in panels, and the kernels that add them up: see rows_sums.h. */
#include "lower/rows_sums.h"

#include <string.h>

#include "lower/tables.h"
#include "lower/totals.h"

bool is_row_sum(const gnode_t *n) {
    return graph_kind(n) == K_SUM && n->op != G_TOTAL && n->op != G_GRADIENT;
}

/* The second input of OUTER is rows, too; of others it is ids. */
static int operands_of(const gnode_t *sum) {
    return sum->op == G_OUTER ? 2 : 1;
}

/* ---- panels ---------------------------------------------------------------------------------- */

static bool is_summed(const rows_t *r, const gnode_t *x) {
    for (int i = 0; i < r->region->nodes.n; i++) {
        const gnode_t *n = r->region->nodes.at[i];
        for (int k = 0; is_row_sum(n) && k < operands_of(n); k++)
            if (n->in[k] == x) return true;
    }
    return false;
}

static buffer_t **panels_place(rows_t *r, const gnode_t *x) {
    int place = place_of(r, x), read = nodes_find(&r->region->reads, x);
    return &r->panels[place >= 0 ? place : r->region->nodes.n + read];
}

static int64_t rows_of_panels(const lower_t *L, const rows_t *r) {
    return picks_rows(r->region) ? L->batch : rows_of_chunk(L);
}

/* Rows that stand in one of a panel. */
static int64_t rows_at_once(elem_t e) {
    return e == E_BF16 ? 2 : 1;
}

static buffer_t *make_panels(lower_t *L, rows_t *r, const gnode_t *x) {
    elem_t e = elem_of(L, x);
    int64_t each = rows_at_once(e), rows = round_up(rows_of_panels(L, r), each) / each;
    dim_t d[] = {dim((width_of(x) + PANEL - 1) / PANEL), dim(rows), dim(PANEL * each)};
    const char *base = arena_printf(L->arena, "sum_of_%s", identifier(L, base_name(x)));
    const char *name = free_buffer_name(L, base);
    buffer_t **place = panels_place(r, x);
    const char *doc = each > 1 ? "[panel][pair of rows of a chunk][column][row of the pair]"
                               : "[panel][row of a chunk][column]";
    return *place = workspace(L, name, e, 3, d, doc);
}

typedef struct {
    const rows_t *r;
    buffer_t *from, *to;        /* from NULL: zeros */
    affine_t row, panel, first; /* column of the panel */
    affine_t pair;              /* of rows of the chunk */
} panel_t;

static void panel_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const panel_t *p = ctx;
    affine_t lane = ax_add(p->first, at);
    affine_t col = ax_add(ax_scale(p->panel, PANEL), lane);
    affine_t ix[] = {p->panel, ax_add(p->r->task.chunk_row, p->row), lane};
    value_t *x = p->from ? load_at(b, &p->r->at, p->from, p->row, col, width)
                         : b_const(b, (ltype_t){E_F32, width}, 0);
    (void)L;
    b_store(b, p->to, x, ix);
}

static void zero_lanes(lower_t *L, builder_t *b, panel_t p, int64_t first, int64_t end) {
    p.from = NULL;
    p.first = ax(first);
    if (end > first) for_span(L, b, end - first, panel_span, &p);
}

/* A row of x, zeros behind it. */
static void copy_to_panels(lower_t *L, builder_t *b, panel_t *p, int64_t width) {
    int64_t whole = width / PANEL, rest = width % PANEL;
    if (whole > 0) {
        inst_t *loop = b_for(b, "panel", dim(0), dim(whole), 0, NULL);
        p->panel = ax_v(loop_var(loop));
        for_span(L, b, PANEL, panel_span, p);
        b_end_for(b, loop, NULL);
    }
    if (rest == 0) return;
    p->panel = ax(whole);
    for_span(L, b, rest, panel_span, p);
    zero_lanes(L, b, *p, rest, PANEL);
}

/* What a register tile does not reach of the last panel. */
static void fill_last_panel(lower_t *L, builder_t *b, const rows_t *r, buffer_t *to,
                            int64_t width) {
    int64_t written = round_up(width, L->tile), whole = round_up(width, PANEL);
    if (written == whole) return;
    inst_t *rows = b_for(b, "i", dim(0), dim(r->at.m), 0, NULL);
    panel_t p = {.r = r, .to = to, .row = ax_v(loop_var(rows)), .panel = ax(whole / PANEL - 1)};
    zero_lanes(L, b, p, written - (whole - PANEL), PANEL);
    b_end_for(b, rows, NULL);
}

bool is_summed_in_pairs(const lower_t *L, const rows_t *r, const gnode_t *x) {
    return elem_of(L, x) == E_BF16 && is_summed(r, x);
}

buffer_t *panels_for(lower_t *L, rows_t *r, const gnode_t *x) {
    bool along = r->region->kind == K_SUM && is_summed(r, x) && elem_of(L, x) != E_BF16;
    return along ? make_panels(L, r, x) : NULL;
}

void finish_panels(lower_t *L, builder_t *b, rows_t *r, const gnode_t *x) {
    buffer_t *panels = *panels_place(r, x);
    if (panels) fill_last_panel(L, b, r, panels, width_of(x));
}

/* ---- pairs of rows
 * ---------------------------------------------------------------------------------- A register
 * tile has rows of any number, so that its rows are brought together behind it, from scratch. */

/* Where a row of the chunk stands among pairs: in which, and whether it is the second. */
typedef struct {
    affine_t pair, second;
} half_t;

static half_t half_of(const rows_t *r, builder_t *b, affine_t row) {
    value_t *own = b_index(b, ax_add(r->task.chunk_row, row));
    return (half_t){ax_v(b_idiv(b, own, dim(2))), ax_v(b_irem(b, own, dim(2)))};
}

static void put_half(builder_t *b, buffer_t *to, affine_t panel, const half_t *h, affine_t lane,
                     value_t *x) {
    affine_t ix[] = {panel, h->pair, ax_add(ax_scale(lane, 2), h->second)};
    b_store(b, to, x, ix);
}

/* Zeros in the place of a row, as in others. */
static void zero_half(lower_t *L, builder_t *b, buffer_t *to, const half_t *h) {
    inst_t *panels = b_for(b, "panel", dim(0), to->dims[0], 0, NULL);
    inst_t *lanes = b_for(b, "lane", dim(0), dim(PANEL), 0, NULL);
    value_t *zero = b_const(b, SCALAR(E_BF16), 0);
    (void)L;
    put_half(b, to, ax_v(loop_var(panels)), h, ax_v(loop_var(lanes)), zero);
    b_end_for(b, lanes, NULL);
    b_end_for(b, panels, NULL);
}

/* A row by itself, where blocks are not of whole pairs; the last one of an odd
 * number has none beside it. */
static void put_row_apart(lower_t *L, builder_t *b, const panel_t *p, int64_t width) {
    const rows_t *r = p->r;
    half_t h = half_of(r, b, p->row);
    zero_half(L, b, p->to, &h);
    inst_t *columns = b_for(b, "column", dim(0), dim(width), 0, NULL);
    value_t *at = loop_var(columns);
    value_t *x = load_at(b, &r->at, p->from, p->row, ax_v(at), 1);
    put_half(b, p->to, ax_v(b_idiv(b, at, dim(PANEL))), &h, ax_v(b_irem(b, at, dim(PANEL))), x);
    b_end_for(b, columns, NULL);
    int64_t rows = rows_of_panels(L, r);
    if (rows % 2 == 0) return;
    value_t *own = b_index(b, ax_add(r->task.chunk_row, p->row));
    inst_t *last = b_if(b, b_compare(b, OP_EQ, own, b_index(b, ax(rows - 1))), 0, NULL);
    h.second = ax(1);
    zero_half(L, b, p->to, &h);
    b_end_if(b, last, NULL);
}

/* Of rows p->row and the next one, which are pair p->pair. */
static void pair_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const panel_t *p = ctx;
    affine_t lane = ax_add(p->first, at), col = ax_add(ax_scale(p->panel, PANEL), lane);
    affine_t ix[] = {p->panel, p->pair, ax_scale(lane, 2)};
    value_t *x[2];
    for (int i = 0; i < 2; i++) {
        affine_t row = ax_plus(p->row, i);
        x[i] = b_convert(b, E_F32, load_at(b, &p->r->at, p->from, row, col, width));
    }
    (void)L;
    b_store(b, p->to, paired(b, x[0], x[1]), ix);
}

static void zero_pair_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const panel_t *p = ctx;
    affine_t ix[] = {p->panel, p->pair, ax_scale(ax_add(p->first, at), 2)};
    (void)L;
    b_store(b, p->to, b_const(b, (ltype_t){E_BF16, 2 * width}, 0), ix);
}

static void put_pair(lower_t *L, builder_t *b, panel_t *p, int64_t width) {
    int64_t whole = width / PANEL, rest = width % PANEL;
    if (whole > 0) {
        inst_t *loop = b_for(b, "panel", dim(0), dim(whole), 0, NULL);
        p->panel = ax_v(loop_var(loop));
        for_span(L, b, PANEL, pair_span, p);
        b_end_for(b, loop, NULL);
    }
    if (rest == 0) return;
    p->panel = ax(whole);
    for_span(L, b, rest, pair_span, p);
    p->first = ax(rest);
    for_span(L, b, PANEL - rest, zero_pair_span, p);
    p->first = ax(0);
}

static void put_pairs(lower_t *L, builder_t *b, panel_t *p, int64_t width) {
    const rows_t *r = p->r;
    bool whole = r->at.m % 2 == 0 && !picks_rows(r->region);
    inst_t *rows = b_for(b, "i", dim(0), dim(whole ? r->at.m / 2 : r->at.m), 0, NULL);
    p->row = ax_v(loop_var(rows));
    if (whole) {
        p->pair = ax_add(ax_scale(ax_v(b->fn->task[0]), r->at.m / 2), p->row);
        p->row = ax_scale(p->row, 2);
        put_pair(L, b, p, width);
    } else {
        put_row_apart(L, b, p, width);
    }
    b_end_for(b, rows, NULL);
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool put_in_panels(lower_t *L, builder_t *b, rows_t *r, const gnode_t *sum,
                          const gnode_t *x) {
    bool known = place_of(r, x) >= 0 || nodes_find(&r->region->reads, x) >= 0;
    if (!known) return no_kernel(L, sum, "of anything but rows");
    if (*panels_place(r, x)) return true;
    buffer_t *from = mixed_rows(L, b, r, x);
    if (!from) from = operand_of(L, r, sum, x);
    if (!from) return is_missing(L, sum);
    panel_t p = {.r = r, .from = from, .to = make_panels(L, r, x), .first = ax(0)};
    if (p.to->elem == E_BF16) {
        put_pairs(L, b, &p, width_of(x));
        return true;
    }
    inst_t *rows = b_for(b, "i", dim(0), dim(r->at.m), 0, NULL);
    p.row = ax_v(loop_var(rows));
    copy_to_panels(L, b, &p, width_of(x));
    b_end_for(b, rows, NULL);
    return true;
}

bool summed_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *sum) {
    for (int k = 0; is_row_sum(sum) && k < operands_of(sum); k++)
        if (!put_in_panels(L, b, r, sum, sum->in[k])) return false;
    return r->done[place_of(r, sum)] = true;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

int64_t chunks_of(const lower_t *L, const region_t *region) {
    return picks_rows(region) ? 1 : L->chunks.n;
}

/* Attention at one of its ends goes through in one group. */
void begin_chunk(lower_t *L, builder_t *b, rows_t *r, value_t *chunk) {
    size_t n = (size_t)(r->region->nodes.n + r->region->reads.n);
    r->panels = ARENA_ARRAY(L->arena, buffer_t *, n + 1);
    if (r->part->into || r->part->from) r->group = b_iconst(b, SCALAR(E_I64), 0);
    if (picks_rows(r->region)) {
        r->task.chunk_row = r->at.batch;
        return;
    }
    r->task = task_of_chunk(L, b, chunk, b->fn->task[0]);
    r->at.batch = r->task.batch;
    r->at.row0 = r->task.row0;
    r->branch = r->task.inside ? b_if(b, r->task.inside, 0, NULL) : NULL;
}

static void zero_row(lower_t *L, builder_t *b, rows_t *r, affine_t row) {
    for (int i = 0; i < r->region->nodes.n + r->region->reads.n; i++) {
        if (!r->panels[i]) continue;
        if (r->panels[i]->elem == E_BF16) {
            half_t h = half_of(r, b, row);
            zero_half(L, b, r->panels[i], &h);
            continue;
        }
        panel_t p = {.r = r, .to = r->panels[i], .row = row};
        inst_t *loop = b_for(b, "panel", dim(0), r->panels[i]->dims[0], 0, NULL);
        p.panel = ax_v(loop_var(loop));
        zero_lanes(L, b, p, 0, PANEL);
        b_end_for(b, loop, NULL);
    }
}

/* Rows that fill the last block of a batch element up. */
static void zero_fillers(lower_t *L, builder_t *b, rows_t *r) {
    inst_t *rows = b_for(b, "i", dim(0), dim(r->at.m), 0, NULL);
    affine_t row = ax_v(loop_var(rows));
    value_t *own = b_index(b, ax_add(r->at.row0, row));
    value_t *real = at_most(b, ax_v(own), dim_sub(L->padded, dim(1)));
    inst_t *filler = b_if(b, b_compare(b, OP_NE, own, real), 0, NULL);
    zero_row(L, b, r, row);
    b_end_if(b, filler, NULL);
    b_end_for(b, rows, NULL);
}

void end_chunk(lower_t *L, builder_t *b, rows_t *r) {
    if (picks_rows(r->region)) return;
    if (!dim_equal(L->rows, L->padded)) zero_fillers(L, b, r);
    if (!r->branch) return;
    b_else(b, r->branch, NULL);
    inst_t *rows = b_for(b, "i", dim(0), dim(r->at.m), 0, NULL);
    zero_row(L, b, r, ax_v(loop_var(rows)));
    b_end_for(b, rows, NULL);
    b_end_if(b, r->branch, NULL);
}

/* ---- results --------------------------------------------------------------------------------- */

bool plan_sums(lower_t *L, part_t *p, rows_t *r) {
    const nodes_t *nodes = &r->region->nodes;
    p->sums.at = ARENA_ARRAY(L->arena, row_sum_t, nodes->n);
    for (int i = 0; i < nodes->n; i++) {
        row_sum_t s = {.node = nodes->at[i]};
        if (!is_row_sum(s.node)) continue;
        s.to = sum_array(L, p, i, &s.vector);
        p->sums.at[p->sums.n++] = s;
    }
    return !part_is_crowded(L, p);
}

/* Panels of both operands that a task takes: as many as leave tasks for many threads. */
static int64_t panels_of_task(const row_sums_t *s) {
    enum { MAX_PANELS = 4, ENOUGH_TASKS = 64 };
    int64_t outs = s->dy->dims[0].c, ins = s->x->dims[0].c, n = MAX_PANELS;
    while (n > 1 && (outs % n || ins % n || outs / n * (ins / n) < ENOUGH_TASKS)) n /= 2;
    return n;
}

static lfunc_t *lower_sum(lower_t *L, const char *name, rows_t *r, const row_sum_t *s) {
    row_sums_t of = {.dy = *panels_place(r, s->node->in[0]),
                     .rounded = s->node->in[0]->type == G_BF16,
                     .to = s->to};
    if (s->node->op == G_OUTER) {
        of.x = *panels_place(r, s->node->in[1]);
        of.outs = of.ins = panels_of_task(&of);
    }
    bool table = s->node->op == G_WORD_GRAD || s->node->op == G_POSITION_GRAD;
    return table ? lower_table_sums(L, name, s->node, &of) : lower_row_sums(L, name, &of);
}

bool lower_sums(lower_t *L, part_t *p, rows_t *r) {
    for (int i = 0; i < p->sums.n; i++) {
        row_sum_t *s = &p->sums.at[i];
        const char *name = arena_printf(L->arena, "%s_of_%s", p->kernel->name, s->to->name);
        s->kernel = lower_sum(L, free_name(L, name), r, s);
        if (!s->kernel) return false;
        s->suffix = s->node->op == G_SUM_ROWS ? "biases" : "weights";
        describe(L, s->kernel, s->node->at, "%s of a chunk of rows", s->to->name);
    }
    return true;
}

/* "feed_forward.grad": after the params whose gradients they are. */
const char *sums_name(lower_t *L, const part_t *p) {
    static const char *const known[] = {"feed_forward", "attention",  "lm_head",
                                        "classifier",   "qa_outputs", "embeddings"};
    const nodes_t *nodes = &p->class->pattern->nodes;
    int i = 0;
    while (i < nodes->n && nodes->at[i]->op != G_GRADIENT) i++;
    if (i == nodes->n) return "rows.grad";
    const gnode_t *param = nodes->at[i]->in[1];
    const char *number = arena_printf(L->arena, "layers.%d.", param->layer);
    const char *at = strstr(param->name, number), *name = at ? at + strlen(number) : param->name;
    size_t n = strcspn(name, ".");
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (strlen(known[k]) == n && memcmp(known[k], name, n) == 0)
            return arena_printf(L->arena, "%s.grad", known[k]);
    return "rows.grad";
}
