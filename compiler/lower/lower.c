/* Graph → Loops: cuts the graph into regions, gives stored values and weights their buffers, has a kernel made for every
 * class of regions, and writes the schedule. Weights of a class are stacked and the schedule is a loop over layers, so
 * that code size depends on how many classes there are, and not on depth. */
#include "lower/cache.h"
#include "lower/math.h"
#include "lower/rows.h"

static const gnode_t *first_of(const graph_t *g, gop_t op) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == op) return g->nodes[i];
    return NULL;
}

/* ---- rows --------------------------------------------------------------------------------------- */

/* The greatest power of two up to n. */
static int64_t power_below(int64_t n) {
    int64_t p = 1;
    while (2 * p <= n) p *= 2;
    return p;
}

/* Rows per task: the largest divisor of the padded length that the tiles allow; where it is less than a
 * third of that, rows are padded up. Question answering keeps its two targets in the first two rows
 * (REFORMER_SLOT_TARGET). */
static void choose_block(lower_t *L) {
    dim_t p = L->padded;
    int64_t most = L->tiles->block;
    if (dim_literal(p) && p.c <= most) {
        bool two = first_of(L->g, G_QA_LOSS) && p.c < 2;
        L->block = two ? 2 : p.c;
    } else {
        L->block = 1;
        for (int64_t d = 1; d <= most; d++)
            if (dim_divisible(p, d)) L->block = d;
        if (dim_literal(p) && 3 * L->block < most) L->block = power_below(most);
    }
    L->rows = dim_literal(p) ? dim(round_up(p.c, L->block)) : p;
    L->blocks = dim_div(L->rows, L->block);
}

bool is_step(const lower_t *L) {
    return L->embed->op == G_EMBED_AT;
}

/* The rows of a step are rows of one batch element: each dense layer takes them all at once. */
static void choose_step_rows(lower_t *L) {
    L->block = L->g->batch;
    L->rows = dim(L->block);
    L->batch = 1;
    L->blocks = dim(1);
}

dim_t output_rows(const lower_t *L) {
    return dim_scale(L->padded, L->batch);
}

/* ---- buffers -------------------------------------------------------------------------------------------- */

static void make_slots(lower_t *L) {
    dim_t rows[] = {dim(L->batch), L->rows}, controls = dim(REFORMER_CONTROLS);
    dim_t length = is_step(L) ? L->rows : output_rows(L);
    const gnode_t *word = L->embed->in[is_step(L) ? 2 : 1];
    L->ids = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_IDS, "ids", E_I32, 2, rows);
    set_range(L->ids, dim(0), dim(word->shape[0].c - 1));
    L->key = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_KEY, "key", E_I32, 2, rows);
    L->row = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_ROW, "row", E_I32, 2, rows);
    set_range(L->row, dim(-1), dim_sub(length, dim(1)));
    L->target = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_TARGET, "target", E_I32, 2, rows);
    set_range(L->target, dim(-1), largest_target(L));
    L->control = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_CONTROL, "control", E_I32, 1, &controls);
}

static void make_homes(lower_t *L) {
    const regions_t *r = L->regions;
    L->homes = ARENA_ARRAY(L->arena, buffer_t *, r->n_homes);
    for (int i = 0; i < r->n_homes; i++) {
        const gnode_t *n = r->home_of[i];
        dim_t d[] = {dim(L->batch), L->rows, dim(round_up(n->shape[n->rank - 1].c, L->tile))};
        L->homes[i] = workspace(L, arena_printf(L->arena, "y%d", i + 1), E_F32, 3, d,
                                "[batch][rows][width]: a stream");
    }
}

static void make_trace_buffers(lower_t *L) {
    const gnode_t *n = L->regions->home_of[0];
    dim_t rows[] = {dim(L->batch), L->padded, n->shape[n->rank - 1]};
    L->trace_old = workspace(L, "trace_old", E_F32, 3, rows, "stream before the stage");
    L->trace_rows = workspace(L, "trace_rows", E_F32, 3, rows, "what is shown");
}

/* A step reads every weight once and is bound by that: its tile takes whole panels, as far as there are registers for
 * that, and as many rows at once as then fit. */
static tiles_t step_tiles(const target_t *t) {
    tiles_t tiles = tiles_for(t);
    for (int v = MAX_VECTORS; v > tiles.vectors; v--) {
        if (tile_rows(t, v) < 1) continue;
        tiles.vectors = v;
        tiles.rows = tile_rows(t, v);
    }
    return tiles;
}

static bool find_embedding(lower_t *L) {
    L->embed = first_of(L->g, G_EMBED);
    if (!L->embed) L->embed = first_of(L->g, G_EMBED_AT);
    if (L->embed) return true;
    diag_error(L->d, NOWHERE, "the graph has no embedding: tokens do not get into it");
    return false;
}

lower_t *lower_begin(arena_t *arena, const graph_t *g, const layout_t *layout,
                     const lower_options_t *o, diag_t *d) {
    lower_t *L = ARENA_NEW(arena, lower_t);
    *L = (lower_t){.g = g, .layout = layout, .o = o, .arena = arena, .d = d};
    if (!find_embedding(L)) return NULL;
    bool chosen = o->tiles && !is_step(L); /* tuning measures forwards */
    tiles_t tiles = chosen ? *o->tiles : is_step(L) ? step_tiles(o->target) : tiles_for(o->target);
    if (!tiles_are_legal(o->target, &tiles)) bug("tiles that %s has no room for", o->target->name);
    L->tiles = arena_copy(arena, &tiles, sizeof tiles);
    L->m = module_new(arena, o->name, o->target, g->units);
    L->lanes = o->target->vector_bytes / (int)sizeof(float);
    L->tile = (int64_t)L->lanes * L->tiles->vectors;
    L->regions = regions_cut(arena, g, d);
    if (!L->regions) return NULL;
    L->batch = g->batch;
    L->padded = g->padded;
    if (is_step(L)) choose_step_rows(L);
    else choose_block(L);
    make_slots(L);
    if (!make_parts(L) || !read_attentions(L)) return NULL;
    if (o->cache_batch > 0 && !make_cache(L, o->cache_batch, o->positions)) return NULL;
    make_homes(L);
    return L;
}

/* ---- kernels ------------------------------------------------------------------------------------------------ */

static bool is_head(const region_t *region) {
    return region->layer < 0 && region->nodes.at[0]->op != G_EMBED;
}

static bool lower_classes(lower_t *L) {
    bool ok = true;
    int errors = diag_errors(L->d);
    for (int i = 0; i < L->regions->n_classes; i++) {
        part_t *p = &L->parts[i];
        const region_t *region = p->class->pattern;
        if (region->nodes.at[0] == L->embed) ok = (p->kernel = lower_embed(L, p)) && ok;
        else if (region->kind == K_ROW && !is_head(region)) ok = lower_rows(L, p) && ok;
    }
    for (int i = 0; i < L->n_attentions; i++) lower_attention(L, &L->attentions[i]);
    return ok && diag_errors(L->d) == errors;
}

/* ---- the head of a prefill ---------------------------------------------------------------------------------- */

typedef struct {
    buffer_t *from[2], *to[2];
    int n;
    affine_t row;
} last_token_t;

static void last_token_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const last_token_t *t = ctx;
    affine_t from[] = {ax(0), t->row, at}, to[] = {ax(0), ax(0), at};
    (void)L;
    for (int i = 0; i < t->n; i++) b_store(b, t->to[i], b_load(b, t->from[i], width, from), to);
}

/* The streams of the row's last token. */
static lfunc_t *last_token_kernel(lower_t *L, last_token_t *t) {
    const gnode_t *streams = graph_output(L->g, "last_hidden_state")->in[0]->in[0];
    dim_t one = dim(1);
    const char *name = "once";
    builder_t b = build_kernel(L->m, "last_token", 1, &one, &name);
    describe(L, b.fn, streams->at, "the streams of the row's last token");
    t->n = streams->op == G_CONCAT ? 2 : 1;
    for (int i = 0; i < t->n; i++) {
        const gnode_t *x = streams->op == G_CONCAT ? streams->in[i] : streams;
        t->from[i] = L->homes[home_in(L->regions, NULL, x)];
        dim_t d[] = {one, one, t->from[i]->dims[2]};
        t->to[i] = workspace(L, arena_printf(L->arena, "last%d", i + 1), E_F32, 3, d,
                             "stream of the last token");
    }
    value_t *tokens = b_convert(&b, E_I64, control(&b, L, REFORMER_TOKENS));
    value_t *most = b_index(&b, (affine_t){.base = dim_sub(L->padded, dim(1))});
    value_t *last = b_index(&b, ax_plus(ax_v(tokens), -1));
    last = b_binary(&b, OP_MIN, b_binary(&b, OP_MAX, last, b_iconst(&b, SCALAR(E_I64), 0)), most);
    t->row = ax_v(last);
    for_span(L, &b, t->from[0]->dims[2].c, last_token_span, t);
    return b.fn;
}

typedef struct {
    lfunc_t *last_token;
    last_head_t head;
} prefill_head_t;

/* The caller's array, which a forward's head may have made. */
static buffer_t *row_output(lower_t *L, int slot, const char *name, int64_t width) {
    buffer_t *made = module_find_buffer(L->m, name);
    dim_t d[] = {dim(1), dim(width)};
    return made ? made : slot_buffer(L, BUF_OUTPUT, slot, name, E_F32, 2, d);
}

static prefill_head_t lower_prefill_head(lower_t *L) {
    const gnode_t *logits = graph_output(L->g, "logits");
    last_token_t t = {0};
    prefill_head_t p = {.last_token = last_token_kernel(L, &t)};
    last_rows_t rows = {
        .prefix = "last",
        .src = {t.to[0], t.to[1]},
        .logits_out = row_output(L, REFORMER_SLOT_LOGITS, "logits", logits->shape[2].c),
        .hidden_out =
            row_output(L, REFORMER_SLOT_HIDDEN, "last_hidden_state", logits->in[0]->shape[2].c)};
    p.head = lower_last_head(L, 1, &rows);
    return p;
}

/* A prefill has none. */
static void leave_losses(lower_t *L) {
    for (int i = 0; i < L->regions->n_classes; i++)
        if (L->parts[i].class->pattern->kind == K_REDUCE) L->parts[i].used = true;
}

/* head NULL: a prefill; p NULL: a forward; both: what the call asks for. */
static void schedule_head(lower_t *L, head_t *head, const prefill_head_t *p, builder_t *b) {
    inst_t *forward = p && head ? if_forward(L, b) : NULL;
    if (head) head_schedule(L, head, b);
    if (forward) b_else(b, forward, NULL);
    if (p) launch(b, p->last_token, NULL, "last_token", NULL);
    if (p) schedule_last_head(L, b, &p->head, "lm_head");
    if (forward) b_end_if(b, forward, NULL);
}

module_t *lower_graph(arena_t *arena, const graph_t *g, const layout_t *layout,
                      const lower_options_t *o, diag_t *d) {
    lower_t *L = lower_begin(arena, g, layout, o, d);
    if (!L) return NULL;
    for (int i = 0; i < L->n_attentions; i++) make_attention_workspace(L, &L->attentions[i]);
    if (o->trace) make_trace_buffers(L);
    lower_math(L);
    if (!lower_classes(L)) return NULL;
    if (L->cache) lower_keep(L);
    head_t *head = only_prefills(L) ? NULL : lower_head(L);
    if (only_prefills(L)) leave_losses(L);
    else if (!head) return NULL;
    prefill_head_t prefill = {0};
    if (L->cache) prefill = lower_prefill_head(L);
    trace_t *t = o->trace ? lower_trace(L) : NULL;
    const region_t *embed = L->regions->of_node[L->embed->id];
    builder_t b = build_entry(L->m, "forward");
    launch(&b, L->parts[embed->class->id].kernel, NULL, "embed", NULL);
    trace_after(L, t, &b, embed, NULL);
    if (!every_part_is_used(L) || !schedule_layers(L, &b, t)) return NULL;
    schedule_head(L, head, L->cache ? &prefill : NULL, &b);
    return L->m;
}
