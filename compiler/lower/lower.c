/* Graph → Loops: reads the model off the Graph, makes the buffers, has every family of ops make its
 * kernels, and writes the schedule. Weights of the layers of a kind are stacked, so the schedule is a loop
 * over layers and code size does not depend on their number. */
#include "lower/cache.h"
#include "lower/math.h"

/* ---- reading the Graph ------------------------------------------------------------------------------ */

static const gnode_t *first_of(const graph_t *g, gop_t op, int layer) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == op && (layer < 0 || g->nodes[i]->layer == layer)) return g->nodes[i];
    return NULL;
}

static bool is_attention(const gnode_t *n) {
    return n->op == G_LSH_ATTENTION || n->op == G_LOCAL_ATTENTION || n->op == G_EXACT_ATTENTION ||
           n->op == G_LSH_STEP || n->op == G_LOCAL_STEP;
}

static void read_attention(lower_t *L, const gnode_t *n) {
    bool lsh = n->op == G_LSH_ATTENTION || n->op == G_LSH_STEP ||
               (n->op == G_EXACT_ATTENTION && n->shared_qk);
    attention_t *a = &L->attention[lsh ? LAYER_LSH : LAYER_LOCAL];
    a->count++;
    if (a->present) return;
    a->present = true;
    a->kind = lsh ? LAYER_LSH : LAYER_LOCAL;
    a->exact = n->op == G_EXACT_ATTENTION;
    a->causal = n->causal;
    a->chunk = n->chunk;
    a->before = n->before;
    a->after = n->after;
    a->rounds = n->rounds > 0 ? n->rounds : 1; /* local and exact attention have none */
    a->at = n->at;
    L->heads = n->heads;
    L->head_size = n->head_size;
    if (n->op != G_LSH_ATTENTION && n->op != G_LSH_STEP) return;
    const gnode_t *hash = n->op == G_LSH_STEP ? n : first_of(L->g, G_LSH_HASH, n->layer);
    a->n_factors = hash->n_factors;
    a->buckets = hash->n_factors > 0;
    for (int f = 0; f < hash->n_factors; f++) {
        a->factors[f] = hash->factors[f];
        a->buckets *= hash->factors[f];
    }
}

/* Heads per group: as many as keep q, k, v and their output below half the two streams (DESIGN, memory).
 * Groups are added up one after the other, so they must not depend on tiles: widths count in panels. */
static int64_t heads_per_group(const lower_t *L) {
    int64_t best = 1, head = round_up(L->head_size, PANEL), stream = round_up(L->hidden, PANEL);
    for (int64_t g = 1; g <= L->heads; g++)
        if (L->heads % g == 0 && 3 * g * head <= stream * 9 / 10) best = g;
    return best;
}

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
        bool two = L->g->spec->architecture == ARCH_QA && p.c < 2;
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

/* The rows of a step are rows of one batch element: each dense layer takes them all at once. */
static void choose_step_rows(lower_t *L) {
    L->block = L->g->batch;
    L->rows = dim(L->block);
    L->batch = 1;
    L->blocks = dim(1);
}

static void read_graph(lower_t *L) {
    const graph_t *g = L->g;
    const gnode_t *embed = first_of(g, L->is_step ? G_EMBED_AT : G_EMBED, -1),
                  *norm = first_of(g, G_LAYER_NORM, -1);
    const gnode_t *act = first_of(g, G_ACTIVATION, -1);
    if (!embed || !norm || !act) bug("the graph lacks embedding, norm or activation");
    L->batch = g->batch;
    L->padded = g->padded;
    L->hidden = embed->shape[2].c;
    L->stream = round_up(L->hidden, L->tile);
    L->eps = norm->eps;
    L->act = act->act;
    L->ff = act->shape[2].c;
    L->n_layers = g->spec->n_layers;
    for (size_t i = 0; i < g->n_nodes; i++) /* one walk: there may be thousands of layers */
        if (is_attention(g->nodes[i])) read_attention(L, g->nodes[i]);
    L->head_stride = round_up(L->head_size, L->tile);
    L->group = heads_per_group(L);
    L->groups = L->heads / L->group;
    if (L->is_step) choose_step_rows(L);
    else choose_block(L);
}

dim_t output_rows(const lower_t *L) {
    return dim_scale(L->padded, L->batch);
}

/* ---- buffers -------------------------------------------------------------------------------------------- */

/* Classes of the head; for question answering, positions. */
static dim_t largest_target(const lower_t *L) {
    const spec_t *s = L->g->spec;
    if (s->architecture == ARCH_QA) return dim_sub(L->padded, dim(1));
    return dim((s->architecture == ARCH_CLASSIFIER ? s->num_labels : s->vocab_size) - 1);
}

static void make_slots(lower_t *L) {
    dim_t rows[] = {dim(L->batch), L->rows}, controls = dim(REFORMER_CONTROLS);
    dim_t length = L->is_step ? L->rows : output_rows(L);
    int64_t vocab = L->g->spec->vocab_size;
    L->ids = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_IDS, "ids", E_I32, 2, rows);
    set_range(L->ids, dim(0), dim(vocab - 1));
    L->key = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_KEY, "key", E_I32, 2, rows);
    L->row = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_ROW, "row", E_I32, 2, rows);
    set_range(L->row, dim(-1), dim_sub(length, dim(1)));
    L->target = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_TARGET, "target", E_I32, 2, rows);
    set_range(L->target, dim(-1), largest_target(L));
    L->control = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_CONTROL, "control", E_I32, 1, &controls);
}

static buffer_t *stacked(lower_t *L, const char *name, int64_t width) {
    int64_t dims[] = {L->n_layers, round_up(width, PANEL)};
    return weight(L, name, 2, dims);
}

static buffer_t *stacked_panels(lower_t *L, const char *name, int64_t count, int64_t out,
                                int64_t in) {
    int64_t dims[] = {count, round_up(out, PANEL) / PANEL, in, PANEL};
    return weight(L, name, 4, dims);
}

/* A step takes the panels of all heads as one row of them. */
static buffer_t *head_panels(lower_t *L, const char *name, int64_t count) {
    int64_t each = round_up(L->head_size, PANEL) / PANEL;
    int64_t dims[] = {count, L->heads, each, L->hidden, PANEL};
    int64_t flat[] = {count, L->heads * each, L->hidden, PANEL};
    return L->is_step ? weight(L, name, 4, flat) : weight(L, name, 5, dims);
}

static void make_weights(lower_t *L) {
    L->att_norm_w = stacked(L, "attention.norm.weight", L->hidden);
    L->att_norm_b = stacked(L, "attention.norm.bias", L->hidden);
    L->ff_norm_w = stacked(L, "ff.norm.weight", L->hidden);
    L->ff_norm_b = stacked(L, "ff.norm.bias", L->hidden);
    L->w1 = stacked_panels(L, "ff.in.weight", L->n_layers, L->ff, L->hidden);
    L->b1 = stacked(L, "ff.in.bias", L->ff);
    L->w2 = stacked_panels(L, "ff.out.weight", L->n_layers, L->hidden, L->ff);
    L->b2 = stacked(L, "ff.out.bias", L->hidden);
    attention_t *lsh = &L->attention[LAYER_LSH], *local = &L->attention[LAYER_LOCAL];
    if (lsh->present) {
        lsh->query = head_panels(L, "lsh.query_key", lsh->count);
        lsh->value = head_panels(L, "lsh.value", lsh->count);
        lsh->output =
            stacked_panels(L, "lsh.output", lsh->count, L->hidden, L->heads * L->head_size);
        int64_t columns = 0;
        for (int f = 0; f < lsh->n_factors; f++) columns += lsh->factors[f] / 2;
        int64_t rd[] = {lsh->count, L->heads, lsh->rounds, L->head_size, columns};
        if (lsh->n_factors > 0) lsh->rotations = weight(L, "lsh.rotations", 5, rd);
    }
    if (local->present) {
        local->query = head_panels(L, "local.query", local->count);
        local->key = head_panels(L, "local.key", local->count);
        local->value = head_panels(L, "local.value", local->count);
        local->output =
            stacked_panels(L, "local.output", local->count, L->hidden, L->heads * L->head_size);
    }
}

static void make_lsh_workspace(lower_t *L, const attention_t *a) {
    dim_t batch = dim(L->batch), group = dim(L->group), rounds = dim(a->rounds);
    dim_t state[] = {batch, group, L->rows}, per_round[] = {batch, group, rounds, L->rows};
    dim_t order[] = {batch, group, rounds, dim_add(L->padded, dim(1))};
    L->run_max =
        workspace(L, "run_max", E_F32, 3, state, "[batch][group][rows]: largest score so far");
    L->run_sum =
        workspace(L, "run_sum", E_F32, 3, state, "[batch][group][rows]: sum of exponentials");
    L->self_count =
        workspace(L, "self_count", E_I32, 4, per_round,
                  "[batch][group][round][rows]: self entries of rows without other keys");
    L->buckets = workspace(L, "buckets", E_I32, 4, per_round, "[batch][group][round][rows]");
    set_range(L->buckets, dim(0), dim(a->buckets));
    L->order =
        workspace(L, "order", E_I32, 4, order, "[batch][group][round][place]: sorted tokens");
    set_range(L->order, dim(0), dim_sub(L->padded, dim(1)));
}

/* One place for both: no layer has keys apart and an output apart. The plan would not find that out, since it cannot
 * know that the first round writes all of the output. */
static void make_keys_and_output(lower_t *L, const dim_t *heads) {
    bool local = L->attention[LAYER_LOCAL].present, lsh = L->attention[LAYER_LSH].present;
    const char *name = !lsh ? "k" : !local ? "out" : "k_out";
    const char *doc = !lsh || !local ? "[batch][group][rows][head]"
                                     : "[batch][group][rows][head]: keys (local), output (LSH)";
    buffer_t *b = workspace(L, name, E_F32, 4, heads, doc);
    if (local) L->k = b;
    if (lsh) L->out = b;
}

static void make_workspace(lower_t *L) {
    dim_t stream[] = {dim(L->batch), L->rows, dim(L->stream)};
    dim_t heads[] = {dim(L->batch), dim(L->group), L->rows, dim(L->head_stride)};
    L->y1 = workspace(L, "y1", E_F32, 3, stream, "[batch][rows][hidden]: attention stream");
    L->y2 = workspace(L, "y2", E_F32, 3, stream, "[batch][rows][hidden]: feed-forward stream");
    L->q = workspace(L, "q", E_F32, 4, heads, "[batch][group][rows][head]");
    L->v = workspace(L, "v", E_F32, 4, heads, "[batch][group][rows][head]");
    make_keys_and_output(L, heads);
    for (int kind = 0; kind < 2; kind++) {
        attention_t *a = &L->attention[kind];
        if (!a->present || !a->exact) continue;
        a->key_norm = workspace(L, kind == LAYER_LSH ? "lsh_norm" : "local_norm", E_F32, 3, heads,
                                "[batch][group][rows]: of keys");
    }
    const attention_t *lsh = &L->attention[LAYER_LSH];
    if (lsh->present && !lsh->exact) make_lsh_workspace(L, lsh);
}

static void make_trace_buffers(lower_t *L) {
    const attention_t *a = &L->attention[LAYER_LSH];
    dim_t batch = dim(L->batch), heads = dim(L->heads), rows[] = {batch, L->padded, dim(L->hidden)};
    dim_t self[] = {batch, L->padded, dim(L->heads * L->head_size)};
    L->trace_old = workspace(L, "trace_old", E_F32, 3, rows, "stream before the stage");
    L->trace_rows = workspace(L, "trace_rows", E_F32, 3, rows, "what is shown");
    L->trace_self = workspace(L, "trace_self", E_F32, 3, self, "self-attention, all heads");
    if (!a->present || a->exact) return;
    dim_t buckets[] = {batch, heads, dim(a->rounds), L->padded};
    dim_t order[] = {batch, heads, dim_scale(L->padded, a->rounds)};
    L->trace_buckets = workspace(L, "trace_buckets", E_I32, 4, buckets, "with round offsets");
    L->trace_order = workspace(L, "trace_order", E_I32, 3, order, "over all rounds");
}

/* Which kind each layer is, and its number among its kind. */
void make_tables(lower_t *L) {
    int32_t *kind = ARENA_ARRAY(L->arena, int32_t, L->n_layers);
    int32_t *index = ARENA_ARRAY(L->arena, int32_t, L->n_layers);
    int seen[2] = {0, 0};
    for (int i = 0; i < L->n_layers; i++) {
        kind[i] = (int32_t)L->g->spec->attn_layers[i];
        index[i] = seen[kind[i]]++;
    }
    dim_t n = dim(L->n_layers);
    L->kind_table = module_buffer(L->m, BUF_TABLE, "layer_kind", E_I32, 1, &n);
    L->index_table = module_buffer(L->m, BUF_TABLE, "layer_index", E_I32, 1, &n);
    L->kind_table->data = kind;
    L->index_table->data = index;
    set_range(L->kind_table, dim(0), dim(1));
}

/* ---- the schedule ------------------------------------------------------------------------------------------ */

/* What launches are called in profiles and debuggers, '#' being the layer. */
static const struct {
    const char *project, *keep, *hash, *impose, *sort, *file, *norms, *attend, *combine;
} labels[] = {
    [LAYER_LSH] = {"layer#.lsh.project", "layer#.lsh.keep", "layer#.lsh.hash", "layer#.lsh.impose",
                   "layer#.lsh.sort", "layer#.lsh.file", "layer#.lsh.norms", "layer#.lsh.attention",
                   "layer#.lsh.output"},
    [LAYER_LOCAL] = {.project = "layer#.local.project",
                     .keep = "layer#.local.keep",
                     .norms = "layer#.local.norms",
                     .attend = "layer#.local.attention",
                     .combine = "layer#.local.output"},
};

/* The number of this layer among its kind: the table holds both kinds, the bound makes it provable. */
value_t *layer_index(lower_t *L, builder_t *b, const attention_t *a, value_t *layer) {
    affine_t ix = ax_v(layer);
    value_t *i = load1(b, L->index_table, 1, &ix);
    i = b_binary(b, OP_MIN, i, b_iconst(b, SCALAR(E_I32), a->count - 1));
    i = b_binary(b, OP_MAX, i, b_iconst(b, SCALAR(E_I32), 0));
    return b_name(b_convert(b, E_I64, i), "index");
}

static void schedule_hash(lower_t *L, builder_t *b, const attention_t *a, value_t *layer,
                          value_t *index, value_t *group) {
    value_t *args[] = {index, group};
    if (!a->impose) {
        launch(b, a->hash, args, labels[a->kind].hash, layer);
    } else {
        dim_t n = dim(a->count);
        buffer_t *given = module_find_buffer(L->m, "buckets_given");
        if (!given)
            given = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_GIVEN, "buckets_given", E_I32, 1, &n);
        affine_t ix = ax_v(index);
        inst_t *branch = b_if(b, load1(b, given, 1, &ix), 0, NULL);
        launch(b, a->impose, args, labels[a->kind].impose, layer);
        b_else(b, branch, NULL);
        launch(b, a->hash, args, labels[a->kind].hash, layer);
        b_end_if(b, branch, NULL);
    }
    launch(b, a->sort, L->o->trace ? &group : NULL, labels[a->kind].sort, layer);
}

/* A cache of several rows is filled row by row, by modules of their own; one of a single row by the forward. */
static bool only_prefills(const lower_t *L) {
    return L->cache && L->o->cache_batch > 1;
}

/* if (not a prefill): the rule, by which costs are told. */
static inst_t *if_forward(lower_t *L, builder_t *b) {
    value_t *none = b_iconst(b, SCALAR(E_I32), 0);
    value_t *forward = b_compare(b, OP_EQ, control(b, L, REFORMER_WANT_CACHE), none);
    inst_t *branch = b_if(b, forward, 0, NULL);
    b_likely(branch);
    return branch;
}

static void schedule_keep(lower_t *L, builder_t *b, lfunc_t *kernel, value_t *const *args,
                          const char *label, value_t *layer) {
    if (!kernel) return;
    inst_t *forward = only_prefills(L) ? NULL : if_forward(L, b);
    if (forward) b_else(b, forward, NULL);
    launch(b, kernel, args, label, layer);
    if (forward) b_end_if(b, forward, NULL);
}

static void schedule_attention(lower_t *L, builder_t *b, const attention_t *a, value_t *layer) {
    value_t *index = layer_index(L, b, a, layer);
    inst_t *groups = b_for(b, "group", dim(0), dim(L->groups), 0, NULL);
    value_t *group = loop_var(groups), *project[] = {layer, index, group}, *args[] = {index, group};
    launch(b, a->project, project, labels[a->kind].project, layer);
    schedule_keep(L, b, a->keep, args, labels[a->kind].keep, layer);
    if (a->exact) launch(b, a->norms, NULL, labels[a->kind].norms, layer);
    if (a->exact || a->kind == LAYER_LOCAL) {
        launch(b, a->attend, NULL, labels[a->kind].attend, layer);
    } else {
        schedule_hash(L, b, a, layer, index, group);
        schedule_keep(L, b, a->file, args, labels[a->kind].file, layer);
        inst_t *rounds = b_for(b, "round", dim(0), dim(a->rounds), 0, NULL);
        value_t *round = loop_var(rounds);
        launch(b, a->attend, &round, labels[a->kind].attend, layer);
        b_end_for(b, rounds, NULL);
    }
    launch(b, a->combine, args, labels[a->kind].combine, layer);
    b_end_for(b, groups, NULL);
    if (!L->o->trace) return;
    if (a->kind == LAYER_LSH && !a->exact) {
        b_trace(b, "layers.#.buckets", layer, L->trace_buckets);
        b_trace(b, "layers.#.sorted_idx", layer, L->trace_order);
    }
    b_trace(b, "layers.#.self_attention", layer, L->trace_self);
}

static void schedule_layers(lower_t *L, builder_t *b, lfunc_t *feed_forward, trace_t *t) {
    const attention_t *local = &L->attention[LAYER_LOCAL], *lsh = &L->attention[LAYER_LSH];
    inst_t *layers = b_for(b, "layer", dim(0), dim(L->n_layers), 0, NULL);
    value_t *layer = loop_var(layers);
    trace_save(L, t, b, L->y1);
    if (local->present && lsh->present) {
        affine_t ix = ax_v(layer);
        inst_t *branch = b_if(b, b_name(load1(b, L->kind_table, 1, &ix), "is_lsh"), 0, NULL);
        schedule_attention(L, b, lsh, layer);
        b_else(b, branch, NULL);
        schedule_attention(L, b, local, layer);
        b_end_if(b, branch, NULL);
    } else {
        schedule_attention(L, b, lsh->present ? lsh : local, layer);
    }
    trace_delta(L, t, b, L->y1, "layers.#.attention", layer);
    trace_stream(L, t, b, L->y1, "layers.#.y1", layer);
    trace_save(L, t, b, L->y2);
    launch(b, feed_forward, &layer, "layer#.feed_forward", layer);
    trace_delta(L, t, b, L->y2, "layers.#.feed_forward", layer);
    trace_stream(L, t, b, L->y2, "layers.#.y2", layer);
    b_end_for(b, layers, NULL);
}

static void lower_attention(lower_t *L, attention_t *a) {
    if (!a->present) return;
    lower_projections(L, a);
    if (a->exact) {
        lower_exact_attention(L, a);
    } else if (a->kind == LAYER_LSH) {
        lower_hash(L, a);
        lower_lsh_attention(L, a);
    } else {
        lower_local_attention(L, a);
    }
    lower_attention_output(L, a);
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

lower_t *lower_begin(arena_t *arena, const graph_t *g, const layout_t *layout,
                     const lower_options_t *o) {
    lower_t *L = ARENA_NEW(arena, lower_t);
    *L = (lower_t){.g = g, .layout = layout, .o = o, .arena = arena};
    L->is_step = first_of(g, G_EMBED_AT, -1) != NULL;
    bool chosen = o->tiles && !L->is_step; /* tuning measures forwards */
    tiles_t tiles = chosen ? *o->tiles : L->is_step ? step_tiles(o->target) : tiles_for(o->target);
    if (!tiles_are_legal(o->target, &tiles)) bug("tiles that %s has no room for", o->target->name);
    L->tiles = arena_copy(arena, &tiles, sizeof tiles);
    L->m = module_new(arena, o->name, o->target, g->units);
    L->lanes = o->target->vector_bytes / (int)sizeof(float);
    L->tile = (int64_t)L->lanes * L->tiles->vectors;
    read_graph(L);
    make_slots(L);
    make_weights(L);
    if (o->cache_batch > 0) L->cache = make_cache(L, o->cache_batch, o->positions);
    return L;
}

/* ---- the head of a prefill ---------------------------------------------------------------------------------- */

static void last_token_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const affine_t *row = ctx;
    affine_t from[] = {ax(0), *row, at}, to[] = {ax(0), ax(0), at};
    b_store(b, L->last1, b_load(b, L->y1, width, from), to);
    b_store(b, L->last2, b_load(b, L->y2, width, from), to);
}

/* The streams of the row's last token. */
static lfunc_t *last_token_kernel(lower_t *L) {
    dim_t one = dim(1), d[] = {one, one, dim(L->stream)};
    const char *name = "once";
    L->last1 = workspace(L, "last1", E_F32, 3, d, "y1 of the last token");
    L->last2 = workspace(L, "last2", E_F32, 3, d, "y2 of the last token");
    builder_t b = build_kernel(L->m, "last_token", 1, &one, &name);
    describe(L, b.fn, KEY_hidden_size, "the streams of the row's last token");
    value_t *tokens = b_convert(&b, E_I64, control(&b, L, REFORMER_TOKENS));
    value_t *most = b_index(&b, (affine_t){.base = dim_sub(L->padded, dim(1))});
    value_t *last = b_index(&b, ax_plus(ax_v(tokens), -1));
    last = b_binary(&b, OP_MIN, b_binary(&b, OP_MAX, last, b_iconst(&b, SCALAR(E_I64), 0)), most);
    affine_t row = ax_v(last);
    for_span(L, &b, L->stream, last_token_span, &row);
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
    prefill_head_t p = {.last_token = last_token_kernel(L)};
    last_rows_t rows = {
        .prefix = "last",
        .y1 = L->last1,
        .y2 = L->last2,
        .logits_out = row_output(L, REFORMER_SLOT_LOGITS, "logits", L->g->spec->vocab_size),
        .hidden_out = row_output(L, REFORMER_SLOT_HIDDEN, "last_hidden_state", 2 * L->hidden)};
    p.head = lower_last_head(L, 1, &rows);
    return p;
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
                      const lower_options_t *o) {
    lower_t *L = lower_begin(arena, g, layout, o);
    make_workspace(L);
    if (o->trace) make_trace_buffers(L);
    make_tables(L);
    lower_math(L);
    lfunc_t *embed = lower_embed(L);
    lower_attention(L, &L->attention[LAYER_LOCAL]);
    lower_attention(L, &L->attention[LAYER_LSH]);
    if (L->cache) lower_keep(L);
    lfunc_t *feed_forward = lower_feed_forward(L);
    head_t *head = only_prefills(L) ? NULL : lower_head(L);
    prefill_head_t prefill = {0};
    if (L->cache) prefill = lower_prefill_head(L);
    trace_t *t = o->trace ? lower_trace(L) : NULL;
    builder_t b = build_entry(L->m, "forward");
    launch(&b, embed, NULL, "embed", NULL);
    trace_stream(L, t, &b, L->y2, "embeddings", NULL);
    schedule_layers(L, &b, feed_forward, t);
    schedule_head(L, head, L->cache ? &prefill : NULL, &b);
    return L->m;
}
