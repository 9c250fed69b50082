/* Graph → Loops: cuts the graph into regions, gives stored values and weights their buffers, has a
 * kernel made for every class of regions, and writes the schedule. Weights of a class are stacked
 * and the schedule is a loop over layers, of a train step a second one backwards, so that code size
 * depends on how many classes there are, and not on depth. */
#include "lower/cache.h"
#include "lower/chunks.h"
#include "lower/columns.h"
#include "lower/dropout.h"
#include "lower/loss_gradients.h"
#include "lower/math.h"
#include "lower/outputs.h"
#include "lower/totals.h"

static const gnode_t *first_of(const graph_t *g, gop_t op) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == op) return g->nodes[i];
    return NULL;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The greatest power of two up to n. */
static int64_t power_below(int64_t n) {
    int64_t p = 1;
    while (2 * p <= n) p *= 2;
    return p;
}

/* Rows per task: the largest divisor of the padded length, or of a chunk of it, that the tiles
 * allow; where it is less than a third of that, rows are padded up. Question answering keeps its
 * two targets in the first two rows (REFORMER_SLOT_TARGET). */
static void choose_block(lower_t *L) {
    dim_t p = choose_chunks(L);
    int64_t max = L->tiles->block;
    if (dim_literal(p) && p.c <= max) {
        bool two = first_of(L->g, G_QA_LOSS) && p.c < 2;
        L->block = two ? 2 : p.c;
    } else {
        L->block = 1;
        for (int64_t d = 1; d <= max; d++)
            if (dim_divisible(p, d)) L->block = d;
        bool free = dim_literal(p) && L->chunks.rows == 0;
        if (free && 3 * L->block < max) L->block = power_below(max);
    }
    p = L->padded;
    L->rows = dim_literal(p) ? dim(round_up(p.c, L->block)) : p;
    L->blocks = dim_div(L->rows, L->block);
    count_chunks(L);
}

/* Few rows are rows of one batch element: each dense layer takes them all at once. */
static void choose_few_rows(lower_t *L) {
    L->block = L->g->batch;
    L->rows = dim(L->block);
    L->batch = 1;
    L->blocks = dim(1);
}

/* ---- buffers --------------------------------------------------------------------------------- */

/* Classes of what has labels; of answers, positions. */
static dim_t largest_target(const lower_t *L) {
    const gnode_t *logits = graph_output(L->g, "logits");
    if (graph_output(L->g, "start_logits")) return dim_sub(L->padded, dim(1));
    if (!logits) logits = L->embed->in[graph_word_input(L->embed)]; /* nobody asks */
    return dim_sub(logits->op == G_PARAM ? logits->shape[0] : logits->shape[logits->rank - 1],
                   dim(1));
}

static void make_slots(lower_t *L) {
    dim_t rows[] = {dim(L->batch), L->rows}, controls = dim(REFORMER_CONTROLS);
    dim_t length = L->few ? L->rows : output_rows(L);
    const gnode_t *word = L->embed->in[graph_word_input(L->embed)];
    L->ids = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_IDS, "ids", E_I32, 2, rows);
    set_range(L->ids, dim(0), dim(word->shape[0].c - 1));
    L->key_position = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_KEY, "key", E_I32, 2, rows);
    L->output_row = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_ROW, "row", E_I32, 2, rows);
    set_range(L->output_row, dim(-1), dim_sub(length, dim(1)));
    L->target = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_TARGET, "target", E_I32, 2, rows);
    set_range(L->target, dim(-1), largest_target(L));
    L->control = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_CONTROL, "control", E_I32, 1, &controls);
}

/* Where rows begin. */
static void make_begins(lower_t *L) {
    const gnode_t *e = L->embed;
    dim_t rows = dim(L->batch);
    L->positions = 1;
    for (int k = graph_word_input(e) + 1; k < e->n_in; k++) L->positions *= e->in[k]->shape[0].c;
    L->begins = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_POSITION, "begins", E_I32, 1, &rows);
    L->begins->comment = "[batch]: position of the row's first token";
    set_range(L->begins, dim(0), dim(L->positions - 1));
}

/* What a cache's owner tells of each row. */
static void make_few_slots(lower_t *L) {
    dim_t rows[] = {dim(1), L->rows};
    L->position = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_POSITION, "position", E_I32, 2, rows);
    set_range(L->position, dim(0), dim(L->o->positions - 1));
    L->hashed = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_HASHED, "hashed", E_I32, 2, rows);
}

static void make_homes(lower_t *L) {
    const regions_t *r = L->regions;
    int n_stacks = 0;
    L->homes = ARENA_ARRAY(L->arena, buffer_t *, r->n_homes);
    for (int i = 0; i < r->n_homes; i++) {
        const gnode_t *n = r->home_of[i];
        dim_t rows = n->rank == 2 ? dim(1) : L->rows; /* picked: one */
        dim_t d[] = {dim(L->batch), rows, dim(stored_width(L, n))};
        const char *name = arena_printf(L->arena, "y%d", i + 1 - n_stacks);
        const char *doc = "[batch][rows][width]: a stream";
        if (r->places[i]) {
            d[0] = dim(L->batch * r->places[i]);
            name = arena_printf(L->arena, "kept_%d", ++n_stacks);
            doc = "[place * batch][rows][width]: kept for the backward pass";
        }
        L->homes[i] = workspace(L, name, elem_of(L, n), 3, d, doc);
    }
}

/* Few rows read every weight once and are bound by that: their tile takes whole panels, as far as
 * there are registers for that, and as many rows at once as then fit. */
static tiles_t few_tiles(const target_t *t) {
    tiles_t tiles = tiles_for(t);
    for (int v = MAX_VECTORS; v > tiles.vectors; v--) {
        if (tile_rows(t, v) < 1) continue;
        tiles.vectors = v;
        tiles.rows = tile_rows(t, v);
    }
    return tiles;
}

static bool find_embedding(lower_t *L) {
    for (size_t i = 0; i < L->g->n_nodes && !L->embed; i++)
        if (graph_is_embed(L->g->nodes[i])) L->embed = L->g->nodes[i];
    if (L->embed) return true;
    diag_error(L->d, NOWHERE, "the graph has no embedding: tokens do not get into it");
    return false;
}

/* Cuts the graph; makes slots, parts with their weights, attentions, homes. NULL
 * after errors in d. */
static lower_t *lower_begin(arena_t *arena, const graph_t *g, const layout_t *layout,
                            const lower_options_t *o, diag_t *d) {
    lower_t *L = ARENA_NEW(arena, lower_t);
    *L = (lower_t){.g = g, .layout = layout, .o = o, .arena = arena, .d = d};
    if (!find_embedding(L)) return NULL;
    L->few = L->embed->op == G_EMBED_AT;
    bool chosen = o->tiles && !L->few; /* tuning measures forwards */
    tiles_t tiles = chosen ? *o->tiles : L->few ? few_tiles(o->target) : tiles_for(o->target);
    if (!tiles_are_legal(o->target, &tiles)) bug("tiles that %s has no room for", o->target->name);
    L->tiles = arena_copy(arena, &tiles, sizeof tiles);
    L->m = module_new(arena, o->name, o->target, g->units);
    L->lanes = o->target->vector_bytes / (int)sizeof(float);
    L->tile = (int64_t)L->lanes * L->tiles->vectors;
    L->regions = regions_cut(arena, g, d);
    if (!L->regions) return NULL;
    L->batch = g->batch;
    L->padded = g->padded;
    if (L->regions->backward < (int)g->n_nodes) L->gradients = layout_gradients(arena, g);
    if (L->few) choose_few_rows(L);
    else choose_block(L);
    make_slots(L);
    if (L->few) make_few_slots(L);
    if (L->embed->op == G_EMBED_FROM) make_begins(L);
    if (L->few && o->cache_batch == 0) {
        diag_error(d, L->embed->at, "%s: a step of generation is computed with a cache alone",
                   L->embed->name);
        return NULL;
    }
    if (o->cache_batch > 0 && !make_caches(L, o->cache_batch, o->positions)) return NULL;
    if (!make_parts(L) || !tell_dropout(L) || !read_attentions(L)) return NULL;
    make_homes(L);
    return L;
}

/* ---- kernels --------------------------------------------------------------------------------- */

static bool lower_class(lower_t *L, part_t *p, const few_rows_t *few) {
    const region_t *region = p->class->pattern;
    gop_t op = region->nodes.at[0]->op;
    if (region->nodes.at[0] == L->embed) return (p->kernel = lower_embed(L, p)) != NULL;
    if (op == G_SEED) return lower_seed(L, p);
    if (op == G_QA_LOSS_GRAD) return lower_answer_gradient(L, p);
    if (region->kind == K_ROW && L->few) return lower_columns(L, p, few, &p->stages);
    if (only_prefills(L) && (is_head(L, region) || region->kind == K_REDUCE)) return true;
    if (op == G_TOTAL) return lower_total(L, p);
    bool rows = region->kind == K_ROW || region->kind == K_PICK || region->kind == K_SUM;
    if (rows) return lower_rows(L, p);
    return region->kind != K_REDUCE || lower_loss(L, p);
}

static bool lower_classes(lower_t *L) {
    bool ok = true;
    few_rows_t few = {.m = L->block, .prefix = "", .row = L->output_row};
    int errors = diag_errors(L->d);
    for (int i = 0; i < L->regions->n_classes; i++) ok = lower_class(L, &L->parts[i], &few) && ok;
    for (int i = 0; i < L->n_attentions; i++) lower_attention(L, &L->attentions[i]);
    return ok && diag_errors(L->d) == errors;
}

/* ---- the module ------------------------------------------------------------------------------ */

/* A prefill has none. */
static void leave_losses(lower_t *L) {
    for (int i = 0; i < L->regions->n_classes; i++)
        if (L->parts[i].class->pattern->kind == K_REDUCE) L->parts[i].used = true;
}

static bool is_loss(const region_t *region) {
    return region->kind == K_REDUCE && region->nodes.at[0]->op != G_SEED;
}

/* What stands behind the layers: of a forward its outputs and losses, of a prefill
 * the last token's alone. */
static bool lower_heads(lower_t *L, head_stages_t *heads, int *n) {
    const regions_t *r = L->regions;
    *n = 0;
    for (int i = 0; i < r->n_regions && !only_prefills(L); i++)
        if (is_head(L, r->regions[i]) || is_loss(r->regions[i]))
            heads[(*n)++] = (head_stages_t){L->parts[r->regions[i]->class->id].stages,
                                            is_prefill(L) ? FORWARD : ANY_CALL};
    if (only_prefills(L)) leave_losses(L);
    if (!is_prefill(L)) return true;
    heads[*n].mode = only_prefills(L) ? ANY_CALL : PREFILL;
    return lower_last_token(L, &heads[(*n)++].stages);
}

module_t *lower_graph(arena_t *arena, const graph_t *g, const layout_t *layout,
                      const lower_options_t *o, diag_t *d) {
    lower_t *L = lower_begin(arena, graph_with_own_operands(arena, g), layout, o, d);
    if (!L) return NULL;
    bool traced = o->trace && !L->few;
    for (int i = 0; i < L->n_attentions; i++) make_attention_workspace(L, &L->attentions[i]);
    if (traced) make_trace_buffers(L);
    lower_math(L);
    lower_dropout(L);
    if (!lower_classes(L)) return NULL;
    for (int i = 0; i < L->n_attentions; i++)
        if (L->attentions[i].kept) lower_keep(L, &L->attentions[i]);
    head_stages_t *heads = ARENA_ARRAY(arena, head_stages_t, L->regions->n_regions + 2);
    int n_heads;
    if (!lower_heads(L, heads, &n_heads)) return NULL;
    trace_t *t = traced ? lower_trace(L) : NULL;
    if (traced && !t) return NULL;
    if (!every_part_is_used(L) || !schedule(L, t, heads, n_heads)) return NULL;
    return L->m;
}
