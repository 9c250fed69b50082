/* One step of generation: graph_build_step() → Loops. A token per row goes through all layers; attention reads the
 * cache and the token joins it. Rows are rows of one batch element here, so streams are [1][rows][stream]. */
#include "lower/cache.h"
#include "lower/math.h"

static void make_step_slots(lower_t *L, step_rows_t *r) {
    dim_t rows[] = {dim(1), L->rows};
    r->position = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_POSITION, "position", E_I32, 2, rows);
    set_range(r->position, dim(0), dim(L->cache->positions - 1));
    r->hashed = slot_buffer(L, BUF_INPUT, REFORMER_SLOT_HASHED, "hashed", E_I32, 2, rows);
    L->position = r->position;
}

static void make_step_rows(lower_t *L, step_rows_t *r) {
    const attention_t *a = &L->attentions[0]; /* equal in what counts here */
    r->head = round_up(a->head_size, PANEL);
    dim_t heads[] = {L->rows, dim(a->heads * r->head)};
    dim_t out[] = {L->rows, dim(a->heads * a->head_size)};
    r->q = workspace(L, "q", E_F32, 2, heads, "[row][head]");
    r->v = workspace(L, "v", E_F32, 2, heads, "[row][head]");
    if (L->cache->rings) r->k = workspace(L, "k", E_F32, 2, heads, "[row][head]");
    dim_t one = dim(1);
    if (L->cache->upstream && L->cache->counts)
        r->forgot = workspace(L, "forgot", E_I32, 1, &one, "tokens are filed lower by their round");
    r->out = workspace(L, "mix", E_F32, 2, out, "[row][head]: output of attention");
}

static bool refuse(lower_t *L, const gnode_t *n) {
    diag_error(L->d, n->at, "%s: no kernel of a step computes this", n->name);
    return false;
}

static bool is(const gnode_t *n, gop_t op) {
    return n && n->op == op;
}

/* A product of the region: its weight, and where it goes. */
static void add_product(step_dense_t *s, const gnode_t *dense, buffer_t *dst) {
    s->part[s->n_parts].w = role_of(s->of, dense->in[1]);
    s->part[s->n_parts++].dst = dst;
}

static bool project_step(lower_t *L, attention_t *a, const step_rows_t *r) {
    const gnode_t *norm = a->query->in[0];
    if (!is(norm, G_LAYER_NORM) || a->project->class->pattern->nodes.n != (a->lsh ? 3 : 4))
        return refuse(L, a->query);
    step_dense_t s = {.name = arena_printf(L->arena, "%s_project", a->name),
                      .at = a->query->at,
                      .doc = a->lsh ? "LSH attention: norm and projections of one token"
                                    : "local attention: norm and projections of one token",
                      .of = a->project,
                      .m = L->block,
                      .k = norm->shape[2].c,
                      .n = a->heads * r->head,
                      .norm = norm};
    add_product(&s, a->query, r->q);
    if (a->key) add_product(&s, a->key, r->k);
    add_product(&s, a->value, r->v);
    a->project->kernel = step_dense(L, &s);
    a->project->used = true;
    return true;
}

/* The stream that a sum goes on with. */
static buffer_t *stream_of(const lower_t *L, const gnode_t *sum) {
    return L->homes[home_in(L->regions, NULL, sum)];
}

static bool output_step(lower_t *L, attention_t *a, const step_rows_t *r) {
    const nodes_t *nodes = &a->combine->class->pattern->nodes;
    const gnode_t *dense = nodes->at[0], *sum = nodes->at[1];
    if (nodes->n != 2 || !is(dense, G_DENSE) || !is(sum, G_ADD)) return refuse(L, dense);
    step_dense_t s = {.name = arena_printf(L->arena, "%s_output", a->name),
                      .at = dense->at,
                      .doc = a->lsh ? "LSH attention: output of all heads, added to its stream"
                                    : "local attention: output of all heads, added to its stream",
                      .of = a->combine,
                      .m = L->block,
                      .k = a->heads * a->head_size,
                      .n = dense->shape[2].c,
                      .a = r->out,
                      .add = true};
    add_product(&s, dense, stream_of(L, sum));
    a->combine->kernel = step_dense(L, &s);
    a->combine->used = true;
    return true;
}

/* LAYER_NORM, DENSE, ACTIVATION, DENSE, ADD */
static bool feed_forward_step(lower_t *L, part_t *p, lfunc_t **first, lfunc_t **second) {
    const nodes_t *nodes = &p->class->pattern->nodes;
    static const gop_t ops[] = {G_LAYER_NORM, G_DENSE, G_ACTIVATION, G_DENSE, G_ADD};
    for (int i = 0; i < 5; i++)
        if (nodes->n != 5 || nodes->at[i]->op != ops[i]) return refuse(L, nodes->at[0]);
    const gnode_t *in = nodes->at[1], *act = nodes->at[2], *out = nodes->at[3];
    dim_t hd[] = {L->rows, dim(round_up(in->shape[2].c, PANEL))};
    buffer_t *hidden = workspace(L, "hidden", E_F32, 2, hd, "[row][feed_forward_size]");
    step_dense_t a = {.name = "feed_forward_in",
                      .at = in->at,
                      .doc = "feed-forward: norm, first dense layer, activation",
                      .of = p,
                      .m = L->block,
                      .k = in->in[1]->shape[1].c,
                      .n = in->shape[2].c,
                      .norm = nodes->at[0],
                      .bias = role_of(p, in->in[2]),
                      .act = act};
    step_dense_t b = {.name = "feed_forward_out",
                      .at = out->at,
                      .doc = "feed-forward: second dense layer, added to stream 2",
                      .of = p,
                      .m = L->block,
                      .k = in->shape[2].c,
                      .n = out->shape[2].c,
                      .a = hidden,
                      .bias = role_of(p, out->in[2]),
                      .add = true};
    add_product(&a, in, hidden);
    add_product(&b, out, stream_of(L, nodes->at[4]));
    *first = step_dense(L, &a);
    *second = step_dense(L, &b);
    p->used = true;
    return true;
}

static last_head_t step_head(lower_t *L) {
    const gnode_t *logits = graph_output(L->g, "logits");
    int64_t vocab = logits->shape[2].c, width = logits->in[0]->shape[2].c;
    dim_t ld[] = {L->rows, dim(vocab)}, hd[] = {L->rows, dim(width)};
    last_rows_t rows = {
        .prefix = "step",
        .row = L->row,
        .logits_out = slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_LOGITS, "logits", E_F32, 2, ld),
        .hidden_out =
            slot_buffer(L, BUF_OUTPUT, REFORMER_SLOT_HIDDEN, "last_hidden_state", E_F32, 2, hd)};
    return lower_last_head(L, L->block, &rows);
}

static bool lower_step_classes(lower_t *L, const step_rows_t *rows) {
    for (int i = 0; i < L->regions->n_classes; i++) {
        part_t *p = &L->parts[i];
        const region_t *region = p->class->pattern;
        if (region->layer < 0 || region->kind != K_ROW || p->into || p->from) continue;
        if (!feed_forward_step(L, p, &p->kernel, &p->kernel_2)) return false;
    }
    for (int i = 0; i < L->n_attentions; i++) {
        attention_t *a = &L->attentions[i];
        if (!project_step(L, a, rows) || !output_step(L, a, rows)) return false;
        a->attend = a->lsh ? lower_lsh_step(L, a, rows) : lower_local_step(L, a, rows);
        if (a->lsh && rows->forgot) a->forgetting = lower_lsh_forgetting(L, a, rows);
    }
    return true;
}

module_t *lower_step(arena_t *arena, const graph_t *g, const layout_t *layout,
                     const lower_options_t *o, diag_t *d) {
    lower_t *L = lower_begin(arena, g, layout, o, d);
    if (!L) return NULL;
    step_rows_t rows = {0};
    make_step_slots(L, &rows);
    make_step_rows(L, &rows);
    lower_math(L);
    lfunc_t *embed = lower_embed(L, &L->parts[L->regions->of_node[L->embed->id]->class->id]);
    if (!lower_step_classes(L, &rows)) return NULL;
    last_head_t head = step_head(L);
    if (!embed || !every_part_is_used(L)) return NULL;
    builder_t b = build_entry(L->m, "step");
    launch(&b, embed, NULL, "embed", NULL);
    if (!schedule_layers(L, &b, NULL)) return NULL;
    schedule_last_head(L, &b, &head, "lm_head");
    return L->m;
}
