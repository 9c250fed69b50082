/* One step of generation: graph_build_step() → Loops. A token per row goes through all layers; attention reads the
 * cache and the token joins it. Rows are rows of one batch element here, so streams are [1][rows][stream]. */
#include "lower/cache.h"
#include "lower/math.h"

typedef struct {
    lfunc_t *project[2], *attend[2], *output[2]; /* by layer_kind_t */
    lfunc_t *forgetting;                         /* NULL: nothing is forgotten */
    lfunc_t *in, *out;                           /* of the feed-forward layer */
} step_kernels_t;

static void make_step_slots(lower_t *L, step_rows_t *r) {
    dim_t rows[] = {dim(1), L->rows};
    r->position = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_POSITION, "position", E_I32, 2, rows);
    set_range(r->position, dim(0), dim(L->cache->positions - 1));
    r->hashed = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_HASHED, "hashed", E_I32, 2, rows);
    L->position = r->position;
}

static void make_step_rows(lower_t *L, step_rows_t *r) {
    dim_t stream[] = {dim(1), L->rows, dim(L->stream)};
    r->head = round_up(L->head_size, PANEL);
    dim_t heads[] = {L->rows, dim(L->heads * r->head)};
    dim_t out[] = {L->rows, dim(L->heads * L->head_size)};
    L->y1 = workspace(L, "y1", E_F32, 3, stream, "[row][hidden]: attention stream");
    L->y2 = workspace(L, "y2", E_F32, 3, stream, "[row][hidden]: feed-forward stream");
    r->q = workspace(L, "q", E_F32, 2, heads, "[row][head]");
    r->v = workspace(L, "v", E_F32, 2, heads, "[row][head]");
    if (L->attention[LAYER_LOCAL].present) r->k = workspace(L, "k", E_F32, 2, heads, "[row][head]");
    dim_t one = dim(1);
    if (L->cache->upstream && L->cache->counts)
        r->forgot = workspace(L, "forgot", E_I32, 1, &one, "tokens are filed lower by their round");
    r->out = workspace(L, "mix", E_F32, 2, out, "[row][head]: output of attention");
}

static lfunc_t *project_step(lower_t *L, const attention_t *a, const step_rows_t *r) {
    bool lsh = a->kind == LAYER_LSH;
    step_dense_t s = {.name = lsh ? "lsh_project" : "local_project",
                      .key = KEY_attn_layers,
                      .doc = lsh ? "LSH attention: norm and projections of one token"
                                 : "local attention: norm and projections of one token",
                      .m = L->block,
                      .k = L->hidden,
                      .n = L->heads * r->head,
                      .n_src = 1,
                      .src = {L->y2},
                      .norm_w = L->att_norm_w,
                      .norm_b = L->att_norm_b,
                      .layers = L->n_layers,
                      .count = a->count};
    s.part[s.n_parts].w = a->query, s.part[s.n_parts++].dst = r->q;
    if (!lsh) s.part[s.n_parts].w = a->key, s.part[s.n_parts++].dst = r->k;
    s.part[s.n_parts].w = a->value, s.part[s.n_parts++].dst = r->v;
    return step_dense(L, &s);
}

static lfunc_t *output_step(lower_t *L, const attention_t *a, const step_rows_t *r) {
    bool lsh = a->kind == LAYER_LSH;
    step_dense_t s = {.name = lsh ? "lsh_output" : "local_output",
                      .key = KEY_attn_layers,
                      .doc = lsh ? "LSH attention: output of all heads, added to stream 1"
                                 : "local attention: output of all heads, added to stream 1",
                      .m = L->block,
                      .k = L->heads * L->head_size,
                      .n = L->hidden,
                      .a = r->out,
                      .n_parts = 1,
                      .part = {{a->output, L->y1}},
                      .add = true,
                      .count = a->count};
    return step_dense(L, &s);
}

static void feed_forward_step(lower_t *L, step_kernels_t *k) {
    dim_t hd[] = {L->rows, dim(round_up(L->ff, PANEL))};
    buffer_t *hidden = workspace(L, "hidden", E_F32, 2, hd, "[row][feed_forward_size]");
    step_dense_t in = {.name = "feed_forward_in",
                       .key = KEY_feed_forward_size,
                       .doc = "feed-forward: norm, first dense layer, activation",
                       .m = L->block,
                       .k = L->hidden,
                       .n = L->ff,
                       .n_src = 1,
                       .src = {L->y1},
                       .norm_w = L->ff_norm_w,
                       .norm_b = L->ff_norm_b,
                       .n_parts = 1,
                       .part = {{L->w1, hidden}},
                       .bias = L->b1,
                       .activate = true,
                       .layers = L->n_layers};
    step_dense_t out = {.name = "feed_forward_out",
                        .key = KEY_feed_forward_size,
                        .doc = "feed-forward: second dense layer, added to stream 2",
                        .m = L->block,
                        .k = L->ff,
                        .n = L->hidden,
                        .a = hidden,
                        .n_parts = 1,
                        .part = {{L->w2, L->y2}},
                        .bias = L->b2,
                        .add = true,
                        .layers = L->n_layers};
    k->in = step_dense(L, &in);
    k->out = step_dense(L, &out);
}

static void schedule_attention(lower_t *L, builder_t *b, const step_kernels_t *k, layer_kind_t kind,
                               value_t *layer) {
    static const char *const labels[2][3] = {
        [LAYER_LSH] = {"layer#.lsh.project", "layer#.lsh.attention", "layer#.lsh.output"},
        [LAYER_LOCAL] = {"layer#.local.project", "layer#.local.attention", "layer#.local.output"},
    };
    value_t *index = layer_index(L, b, &L->attention[kind], layer), *both[] = {layer, index};
    launch(b, k->project[kind], both, labels[kind][0], layer);
    if (kind == LAYER_LSH && k->forgetting)
        launch(b, k->forgetting, &index, "layer#.lsh.forgetting", layer);
    launch(b, k->attend[kind], &index, labels[kind][1], layer);
    launch(b, k->output[kind], &index, labels[kind][2], layer);
}

static void schedule_layers(lower_t *L, builder_t *b, const step_kernels_t *k) {
    bool local = L->attention[LAYER_LOCAL].present, lsh = L->attention[LAYER_LSH].present;
    inst_t *layers = b_for(b, "layer", dim(0), dim(L->n_layers), 0, NULL);
    value_t *layer = loop_var(layers);
    if (local && lsh) {
        affine_t ix = ax_v(layer);
        inst_t *branch = b_if(b, b_name(load1(b, L->kind_table, 1, &ix), "is_lsh"), 0, NULL);
        schedule_attention(L, b, k, LAYER_LSH, layer);
        b_else(b, branch, NULL);
        schedule_attention(L, b, k, LAYER_LOCAL, layer);
        b_end_if(b, branch, NULL);
    } else {
        schedule_attention(L, b, k, lsh ? LAYER_LSH : LAYER_LOCAL, layer);
    }
    launch(b, k->in, &layer, "layer#.feed_forward.in", layer);
    launch(b, k->out, &layer, "layer#.feed_forward.out", layer);
    b_end_for(b, layers, NULL);
}

static last_head_t step_head(lower_t *L) {
    int64_t vocab = L->g->spec->vocab_size;
    dim_t ld[] = {L->rows, dim(vocab)}, hd[] = {L->rows, dim(2 * L->hidden)};
    last_rows_t rows = {
        .prefix = "step",
        .y1 = L->y1,
        .y2 = L->y2,
        .row = L->row,
        .logits_out = slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_LOGITS, "logits", E_F32, 2, ld),
        .hidden_out =
            slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_HIDDEN, "last_hidden_state", E_F32, 2, hd)};
    return lower_last_head(L, L->block, &rows);
}

module_t *lower_step(arena_t *arena, const graph_t *g, const layout_t *layout,
                     const lower_options_t *o) {
    lower_t *L = lower_begin(arena, g, layout, o);
    step_rows_t rows = {0};
    step_kernels_t k = {0};
    make_step_slots(L, &rows);
    make_step_rows(L, &rows);
    make_tables(L);
    lower_math(L);
    lfunc_t *embed = lower_embed(L);
    for (int kind = 0; kind < 2; kind++) {
        const attention_t *a = &L->attention[kind];
        if (!a->present) continue;
        k.project[kind] = project_step(L, a, &rows);
        k.attend[kind] =
            kind == LAYER_LSH ? lower_lsh_step(L, a, &rows) : lower_local_step(L, a, &rows);
        k.output[kind] = output_step(L, a, &rows);
    }
    if (rows.forgot) k.forgetting = lower_lsh_forgetting(L, &L->attention[LAYER_LSH], &rows);
    feed_forward_step(L, &k);
    last_head_t head = step_head(L);
    builder_t b = build_entry(L->m, "step");
    launch(&b, embed, NULL, "embed", NULL);
    schedule_layers(L, &b, &k);
    schedule_last_head(L, &b, &head, "lm_head");
    return L->m;
}
