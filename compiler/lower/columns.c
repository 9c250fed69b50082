/* Row programs on few rows: a region of ROW nodes for as many rows as a batch has.
 *
 * Few rows against all weights: each weight is read once, and reading is what it costs. So tasks
 * are groups of column panels, enough of them to keep every worker busy to the end, and a region is
 * cut once more wherever a node needs whole rows of what was computed by columns: into stages, one
 * after the other. What needs whole rows itself (a norm) is computed in every task anew, which is
 * cheaper than to wait for one worker to do it for all. Sums run over k in the order of rows.c:
 * values are equal to a forward's to the bit.
 *
 * A value is kept where a later stage reads it: in its homes, in the operands of attention,
 * else in rows of its own. */
#include "lower/columns.h"

#include <string.h>

#include "lower/columns_plan.h"

enum { MAX_TASKS = 32 };

/* ---- chains: what is computed and stored at once --------------------------------------------- */

/* Whether an earlier node has yet to read what n writes over. */
static bool may_write(const columns_t *c, const gnode_t *n) {
    const homes_t *homes = homes_of(c, n);
    for (int i = 0; i < c->region->nodes.n && c->region->nodes.at[i] != n; i++)
        for (int k = 0; k < c->region->nodes.at[i]->n_in; k++)
            for (int h = 0; h < homes->n; h++)
                if (!c->place[i].done && c->place[i].by_columns &&
                    c->place[i].home[k] == homes->of[h])
                    return false;
    return true;
}

static bool in_cut(const columns_t *c, const gnode_t *n) {
    const column_place_t *p = place_in(c, n);
    return p && p->stage == c->cut->stage && (p->by_columns || p->stored) &&
           shared_width(c, n) == c->cut->width && !is_view(c, n);
}

/* The one reader that goes on with the chain's last where it was computed; its other
 * operands are made ready. */
static const gnode_t *next_link(columns_t *c, builder_t *b, chain_t *chain) {
    const gnode_t *n = chain->last;
    const nodes_t *readers = &c->L->regions->readers[n->id];
    if (chain->n_links == MAX_LINKS || readers->n != 1) return NULL;
    if (nodes_find(&c->region->results, n) >= 0) return NULL;
    const gnode_t *next = readers->at[0];
    if (!is_elementwise(next) || !in_cut(c, next) || !may_write(c, next)) return NULL;
    for (int k = 0; k < next->n_in; k++) {
        if (next->in[k] == n) continue;
        chain->with[chain->n_links][k] = own_columns(c, b, next, k);
        if (!chain->with[chain->n_links][k]) return NULL;
    }
    return next;
}

/* Where the chain's last value goes. */
static void find_places(columns_t *c, chain_t *chain) {
    const gnode_t *n = chain->last;
    const homes_t *homes = homes_of(c, n);
    column_place_t *p = place_in(c, n);
    stored_t *stored = &chain->stored[chain->n_links];
    stored->to = ARENA_ARRAY(c->L->arena, buffer_t *, homes->n + 1);
    for (int i = 0; i < homes->n; i++) stored->to[stored->n_to++] = home_buffer(c, homes->of[i]);
    if (feeds_attention(c->L, n)) stored->to[stored->n_to++] = operand_buffer(c->part->into, n);
    if (stored->n_to == 0) stored->to[stored->n_to++] = p->kept = keep_rows(c, n);
    p->done = true;
}

static chain_t chain_from(columns_t *c, builder_t *b, const gnode_t *dense) {
    chain_t chain = begin_chain(c->part, c->index, &c->at, dense);
    for (const gnode_t *n; (n = next_link(c, b, &chain));) {
        place_in(c, chain.last)->done = true;
        chain.links[chain.n_links++] = chain.last = n;
    }
    find_places(c, &chain);
    return chain;
}

static bool dense_columns(columns_t *c, builder_t *b, const gnode_t *n) {
    const gnode_t *x = behind_slice(c, n->in[0]);
    buffer_t *a = whole_rows(c, b, n, 0, x);
    if (!a) return false;
    chain_t chain = chain_from(c, b, n);
    dense_t d = {.a = a,
                 .m = c->at.m,
                 .k = width_of(x),
                 .n = shared_width(c, n),
                 .w = panels_of(c->part, c->index, n),
                 .first = c->first,
                 .tiles = c->tiles,
                 .epilogue = put_tile,
                 .ctx = &chain};
    dense(c->L, b, &d);
    return true;
}

/* ---- own columns without a dense layer ------------------------------------------------------- */

/* Each task its own columns of the chain, of whole rows or of what its link reads. */
static void put_columns(columns_t *c, builder_t *b, const chain_t *chain, buffer_t *whole) {
    lower_t *L = c->L;
    inst_t *loop = b_for(b, "column", dim(0), dim(c->tiles), 0, NULL);
    value_t *own = b_index(b, ax_add(c->first, ax_v(loop_var(loop))));
    value_t *t = at_most(b, ax_v(own), dim(column_tiles(L, c->cut->width) - 1));
    inst_t *inside = b_if(b, b_compare(b, OP_EQ, own, t), 0, NULL);
    inst_t *rows = b_for(b, "i", dim(0), dim(c->at.m), 0, NULL);
    affine_t row = ax_v(loop_var(rows));
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t col = ax_plus(ax_scale(ax_v(t), L->tile), (int64_t)j * L->lanes);
        value_t *x = whole ? load_at(b, &c->at, whole, row, col, L->lanes) : NULL;
        put_vector(L, b, chain, row, col, x);
    }
    b_end_for(b, rows, NULL);
    b_end_if(b, inside, NULL);
    b_end_for(b, loop, NULL);
}

/* Rows with what stands behind them: by the first task. */
static void put_rows(columns_t *c, builder_t *b, const chain_t *chain, buffer_t *whole) {
    const stored_t *stored = &chain->stored[0];
    value_t *first = b_compare(b, OP_EQ, b_index(b, c->first), b_index(b, ax(0)));
    inst_t *mine = b_if(b, first, 0, NULL);
    for (int i = 0; i < stored->n_to; i++)
        copy_rows(c->L, b, &c->at, whole, stored->to[i], read_width(c->L, chain->first));
    b_end_if(b, mine, NULL);
}

/* An elementwise node, or a copy of whole rows. */
static bool element_columns(columns_t *c, builder_t *b, const gnode_t *n) {
    column_place_t *p = place_in(c, n);
    chain_t chain = begin_chain(c->part, c->index, &c->at, n);
    if (p->by_columns) {
        chain.links[chain.n_links++] = n;
        for (int k = 0; k < n->n_in; k++) {
            chain.with[0][k] = own_columns(c, b, n, k);
            if (!chain.with[0][k])
                return no_kernel(c->L, n, "of what is neither stored nor at hand");
        }
    } else if (!p->rows && !compute_whole(c, b, n)) return false;
    find_places(c, &chain);
    if (n->type == G_I8) put_rows(c, b, &chain, p->rows);
    else put_columns(c, b, &chain, p->by_columns ? NULL : p->rows);
    return true;
}

/* ---- to the caller --------------------------------------------------------------------------- */

/* Rows that `row` does not leave out. */
static bool deliver(columns_t *c, builder_t *b, const gnode_t *result) {
    const gnode_t *x = behind_slice(c, result);
    const column_place_t *p = place_in(c, x);
    if (p->by_columns && !p->kept) return no_kernel(c->L, x, "both as an output and as a stream");
    if (!p->by_columns && !compute_whole(c, b, x)) return false;
    buffer_t *to = output_array(c->L, result, dim(c->at.m));
    inst_t *loop = b_for(b, "row", dim(0), dim(c->at.m), 0, NULL), *real = NULL;
    affine_t ix[] = {ax(0), ax_v(loop_var(loop))};
    value_t *zero = b_iconst(b, SCALAR(E_I32), 0);
    if (c->few->row)
        real = b_if(b, b_compare(b, OP_GE, load1(b, c->few->row, 2, ix), zero), 0, NULL);
    copy_row(c->L, b, &c->at, ix[1], p->by_columns ? p->kept : p->rows, to, 0, width_of(x));
    if (real) b_end_if(b, real, NULL);
    b_end_for(b, loop, NULL);
    return true;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static void begin_kernel(columns_t *c, const column_cut_t *cut) {
    c->cut = cut;
    for (int i = 0; i < c->region->nodes.n; i++) c->place[i].rows = NULL;
    memset(c->copies, 0, (size_t)c->L->regions->n_homes * sizeof *c->copies);
    memset(c->index, 0, sizeof c->index);
    c->mixed = NULL;
}

/* The head's weights stand alone, and its kernels have no indices. */
static void take_indices(columns_t *c, builder_t *b) {
    if (!is_head(c->L, c->region)) index_params(c->L, b, c->part, c->index);
}

/* "feed_forward_in, feed_forward_act": what it computes. */
static void describe_cut(const columns_t *c, lfunc_t *f) {
    const gnode_t *first = NULL;
    const char *text = "";
    for (int i = 0; i < c->region->nodes.n; i++) {
        const gnode_t *n = c->region->nodes.at[i];
        if (!in_cut(c, n)) continue;
        text = arena_printf(c->L->arena, "%s%s%s", text, first ? ", " : "", base_name(n));
        if (!first) first = n;
    }
    describe(c->L, f, first->at, "%lld rows of %s", (long long)c->at.m, text);
}

static lfunc_t *columns_kernel(columns_t *c, const column_cut_t *cut, const char *name) {
    lower_t *L = c->L;
    int64_t panels = round_up(cut->width, PANEL) / PANEL;
    int64_t each = (panels + MAX_TASKS - 1) / MAX_TASKS;
    dim_t tasks = dim((panels + each - 1) / each);
    const char *columns = "columns";
    begin_kernel(c, cut);
    builder_t b = build_kernel(L->m, name, 1, &tasks, &columns);
    describe_cut(c, b.fn);
    take_indices(c, &b);
    c->tiles = each * (PANEL / L->tile);
    c->first = ax_scale(ax_v(b.fn->task[0]), c->tiles);
    for (int i = 0; i < c->region->nodes.n; i++) {
        const gnode_t *n = c->region->nodes.at[i];
        if (c->place[i].done || !in_cut(c, n)) continue;
        if (!(n->op == G_DENSE ? dense_columns : element_columns)(c, &b, n)) return NULL;
    }
    return b.fn;
}

static lfunc_t *delivery_kernel(columns_t *c, const column_cut_t *cut, const char *name) {
    lower_t *L = c->L;
    dim_t one = dim(1);
    const char *once = "once";
    begin_kernel(c, cut);
    builder_t b = build_kernel(L->m, name, 1, &one, &once);
    describe(L, b.fn, cut->deliver->at, "%s to the caller's rows", cut->deliver->name);
    take_indices(c, &b);
    return deliver(c, &b, cut->deliver) ? b.fn : NULL;
}

/* Of several kernels of a region: "in", "mid", "mid_2" …, "out"; each has a label of its own. */
static const char *suffix(const columns_t *c, int i) {
    int before = 0, n = 0;
    for (int k = 0; k < c->n_cuts; k++) {
        n += !c->cuts[k].deliver;
        before += k < i && !c->cuts[k].deliver;
    }
    if (n == 1) return NULL;
    if (before == 0) return "in";
    if (before == n - 1) return "out";
    return before == 1 ? "mid" : arena_printf(c->L->arena, "mid_%d", before);
}

static lfunc_t *kernel(columns_t *c, int i, const char *base, stage_t *stage) {
    const column_cut_t *cut = &c->cuts[i];
    arena_t *a = c->L->arena;
    const char *name = base;
    stage->wanted = cut->when & ANYWAY ? 0 : cut->when;
    if (cut->deliver) {
        const char *output = identifier(c->L, base_name(cut->deliver));
        name = arena_printf(a, "%s%s_out", c->few->prefix, output);
        if (!place_in(c, behind_slice(c, cut->deliver))->by_columns) stage->label = output;
        return delivery_kernel(c, cut, free_name(c->L, name));
    }
    stage->suffix = suffix(c, i);
    if (stage->suffix) name = arena_printf(a, "%s_%s", base, stage->suffix);
    return columns_kernel(c, cut, free_name(c->L, name));
}

static const char *base_for(lower_t *L, const part_t *p, const few_rows_t *few) {
    const char *base = arena_printf(L->arena, "%s%s", few->prefix, rows_name(L, p)), *name = base;
    for (int k = 2; module_find_func(L->m, name) ||
                    module_find_func(L->m, arena_printf(L->arena, "%s_in", name));
         k++)
        name = arena_printf(L->arena, "%s_%d", base, k);
    return name;
}

bool lower_columns(lower_t *L, part_t *p, const few_rows_t *few, stages_t *stages) {
    columns_t c = {.L = L,
                   .part = p,
                   .region = p->class->pattern,
                   .few = few,
                   .at = {.batch = ax(0), .row0 = ax(0), .m = few->m},
                   .copies = ARENA_ARRAY(L->arena, buffer_t *, L->regions->n_homes + 1)};
    if (!plan_columns(&c)) return false;
    const char *base = base_for(L, p, few);
    *stages = (stages_t){ARENA_ARRAY(L->arena, stage_t, c.n_cuts + 1), 0, base};
    for (int i = 0; i < c.n_cuts; i++) {
        stage_t *stage = &stages->at[stages->n++];
        stage->kernel = kernel(&c, i, base, stage);
        if (!stage->kernel) return false;
    }
    p->used = true;
    return true;
}
