/* Row programs: a region of ROW nodes on a block of rows at a time.
 *
 * Norms go into scratch rows, dense layers run on scratch rows by register tiles, and what follows
 * a dense layer element by element (bias, activation, sums) is done on its accumulators before they
 * are stored: into scratch for the next layer, into the rows of a stream, or head by head into the
 * operands of attention. The result of attention comes in the same way, a group of heads at a time,
 * and its product is added to a stream group after group, so that no array is ever heads *
 * head_size wide (docs/design.md, memory). */
#include <string.h>

#include "lower/attention_gradient.h"
#include "lower/loss_gradients.h"
#include "lower/outputs.h"
#include "lower/quantize.h"
#include "lower/rows_chain.h"
#include "lower/rows_sums.h"

/* ---- nodes ----------------------------------------------------------------------------------- */

/* Where a norm, or a copy, finds the rows of x: scratch, or a home. NULL: nowhere. */
static buffer_t *source_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n,
                             const gnode_t *x) {
    buffer_t *rows = tile_of(r, x);
    if (!rows) rows = mixed_rows(L, b, r, x);
    return rows ? rows : home_for(L, r, n, x);
}

/* Where it is only rounded, it is stored so, and has no rows of its own. */
static bool norm_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    norm_t norm = {.n_src = 1, .at = &r->at};
    const gnode_t *x = normed(n), *dy = norm_dy(n);
    const gnode_t *round = dy ? NULL : only_round_of(L, r->region, n), *result = round ? round : n;
    bool small = result->type == G_I8;
    if (goes_into_norm(L, r->region, x)) norm.n_src = 2;
    for (int i = 0; i < norm.n_src; i++) {
        norm.src[i] = source_rows(L, b, r, n, norm.n_src == 2 ? x->in[i] : x);
        if (!norm.src[i]) return is_missing(L, n);
    }
    if (dy && !(norm.dy = source_rows(L, b, r, n, dy))) return is_missing(L, n);
    read_norm(r->part, r->index, n, &norm);
    norm.dst = small ? scratch_rows(L, b, n, 1) : scratch_tile(L, b, r, result);
    norm.quantized = small ? scratch_tile(L, b, r, result) : NULL;
    norm.rounds = round && !small;
    layer_norm_rows(L, b, &norm);
    r->done[place_of(r, n)] = true;
    finish_tile(L, b, r, result);
    return true;
}

/* Rows of x by another name: those of a slice, or the one that is picked. */
static bool same_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    buffer_t *rows = rows_at_hand(L, b, r, n, n->in[0]);
    if (!rows) return is_missing(L, n);
    r->tiles[place_of(r, n)] = rows;
    finish_tile(L, b, r, n);
    return true;
}

/* Where the gradient that a PART picks stands by heads: parts follow each other as the op has them.
 * NULL: it is no whole one. */
static buffer_t *gradient_rows(const rows_t *r, const gnode_t *n) {
    const attention_t *a = r->part->from;
    int64_t width = a ? a->heads * a->head_size : 0;
    if (!a || n->in[0] != a->gradient || n->width != width || n->first % width) return NULL;
    buffer_t *two[] = {a->dq, a->dv, NULL}, *three[] = {a->dq, a->dk, a->dv};
    return (is_sorted(a) ? two : three)[n->first / width];
}

/* Columns of rows that stand somewhere, or those of a slice with zeros behind them. */
static bool copied_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    bool apart = graph_is_attention_gradient(n->in[0]);
    buffer_t *from = apart ? gradient_rows(r, n) : source_rows(L, b, r, n, n->in[0]);
    if (!from) return is_missing(L, n);
    buffer_t *to = scratch_tile(L, b, r, n);
    if (apart) gradient_of_heads(L, b, r->part->from, r->at.batch, r->at.row0, from, to);
    else (n->op == G_PART ? part_rows : filled_rows)(L, b, &r->at, n, from, to);
    finish_tile(L, b, r, n);
    return true;
}

/* Whether every reader in the region puts the column n back among others. */
static bool is_put_back(const lower_t *L, const rows_t *r, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    for (int i = 0; i < readers->n; i++)
        if (place_of(r, readers->at[i]) >= 0 && readers->at[i]->op != G_UNCOLUMN) return false;
    return true;
}

/* Who wants a column takes it from the rows that it is of. */
static bool column_rows(lower_t *L, rows_t *r, const gnode_t *n) {
    if (L->regions->stored[n->id] || !is_put_back(L, r, n)) return no_kernel(L, n, "here");
    r->done[place_of(r, n)] = r->ready[place_of(r, n)] = true;
    return true;
}

/* A column among zeros. */
static bool uncolumn_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    const gnode_t *column = n->in[0];
    if (column->op != G_COLUMN) return no_kernel(L, n, "of these values");
    buffer_t *from = source_rows(L, b, r, n, column->in[0]);
    if (!from) return is_missing(L, n);
    column_among_zeros(L, b, &r->at, n, from, scratch_tile(L, b, r, n));
    finish_tile(L, b, r, n);
    return true;
}

/* Of wide logits there is one tile, which becomes their gradient's. */
static bool loss_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    buffer_t *from = source_rows(L, b, r, n, n->in[1]);
    if (!from) return is_missing(L, n);
    if (is_read_last(L, r, n->in[1], n)) r->tiles[place_of(r, n)] = from;
    else scratch_tile(L, b, r, n);
    if (!loss_gradient_rows(L, b, &r->at, n, from, tile_of(r, n))) return false;
    finish_tile(L, b, r, n);
    return true;
}

/* Of several groups of heads, the part of one. */
static bool mix_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    r->tiles[place_of(r, n)] = rounded_mix(L, b, r, n);
    settle(L, r, n);
    show_rows(L, b, r, n);
    return true;
}

/* Elementwise, with no dense layer before it. */
static bool value_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    buffer_t *from[G_MAX_INPUTS] = {NULL};
    if (is_rounded_mix(L, r, n)) return mix_rows(L, b, r, n);
    if (n->op == G_DROPOUT) from[1] = factor_rows(L, b, r, n);
    for (int k = 0; k < element_operands(n); k++) {
        from[k] = mixed_rows(L, b, r, n->in[k]);
        if (!from[k]) from[k] = operand_of(L, r, n, n->in[k]);
        if (!from[k]) return is_missing(L, n);
    }
    element_rows(L, b, &r->at, n, from, scratch_tile(L, b, r, n));
    finish_tile(L, b, r, n);
    return true;
}

/* Whole rows: of attention's result they are there where all heads are one group. */
static bool quantized_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    const attention_t *a = is_mixed(r, n->in[0]) ? r->part->from : NULL;
    if (a && a->groups > 1) return no_kernel(L, n, "of heads, which are there a group at a time");
    buffer_t *from = source_rows(L, b, r, n, n->in[0]);
    if (!from) return is_missing(L, n);
    quantize_rows(L, b, &r->at, from, scratch_tile(L, b, r, n), width_of(n));
    finish_tile(L, b, r, n);
    return true;
}

static bool joined_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    buffer_t *from[2];
    if (goes_into_norm(L, r->region, n)) return r->done[place_of(r, n)] = true;
    for (int k = 0; k < 2; k++)
        if (!(from[k] = rows_at_hand(L, b, r, n, n->in[k]))) return is_missing(L, n);
    concat_rows(L, b, &r->at, n, from, scratch_tile(L, b, r, n));
    finish_tile(L, b, r, n);
    return true;
}

/* What the next dense layer after `place` reads first, if it is as deep as this one; what
 * goes by heads comes later. */
static bool next_panels(const lower_t *L, const rows_t *r, int place, int64_t depth,
                        panels_t *next) {
    for (int i = place + 1; i < r->region->nodes.n; i++) {
        const gnode_t *n = r->region->nodes.at[i];
        if (!is_product(n) || goes_by_heads(L->regions, n)) continue;
        *next = panels_of(r->part, r->index, n);
        return panel_rows(next, width_of(n->in[0])) >= depth;
    }
    return false;
}

static bool dense_rows(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    const attention_t *a = is_mixed(r, n->in[0]) ? r->part->from : NULL;
    panels_t next;
    dense_t d = {.a = rows_at_hand(L, b, r, n, n->in[0]),
                 .m = r->at.m,
                 .k = a ? a->group * a->head_size : width_of(n->in[0]),
                 .n = width_of(n),
                 .w = panels_of(r->part, r->index, n),
                 .epilogue = put_tile};
    if (!d.a) return is_missing(L, n);
    if (a) d.base = ax_scale(ax_v(r->group), panel_rows(&d.w, d.k));
    chain_t c = chain_from(L, b, r, n);
    d.once = r->region->kind == K_SUM;
    if (d.once) d.target = fetch_stored;
    else if (c.target) d.target = fetch_home;
    int64_t depth = panel_rows(&d.w, width_of(n->in[0]));
    if (next_panels(L, r, place_of(r, c.last), depth, &next)) d.next = &next;
    d.ctx = &c;
    b_comment(b, "%s", base_name(c.last));
    dense(L, b, &d);
    settle_chain(L, b, r, &c);
    return true;
}

/* The operand that is n, or n rounded. */
static const gnode_t *operand_of_product(const attention_t *a, const gnode_t *n) {
    const gnode_t *all[] = {a->query, a->key, a->value};
    for (int i = 0; i < 3; i++)
        if (all[i] && graph_unrounded(all[i]) == n) return all[i];
    return n;
}

/* A dense layer that is computed head by head, at last: what it reads may be
 * written over before. */
static bool prepare_operand(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    if (n->op != G_ROUND && !rows_at_hand(L, b, r, n, n->in[0])) return is_missing(L, n);
    r->done[place_of(r, n)] = true;
    return true;
}

/* The rows that the task began with, as far as they are known. */
static buffer_t *source_of(const lower_t *L, const rows_t *r, const into_heads_t *into) {
    for (int i = 0; i < r->region->nodes.n; i++) {
        const gnode_t *n = r->region->nodes.at[i];
        int home = is_norm(n) ? home_in(L->regions, r->region, n->in[0]) : -1;
        if (home >= 0 && !L->regions->places[home])
            return into->operands[0].k <= L->homes[home]->dims[2].c ? L->homes[home] : NULL;
    }
    return NULL;
}

/* All operands of the region's attention at once. */
static bool operands(lower_t *L, builder_t *b, rows_t *r) {
    const attention_t *a = r->part->into;
    into_heads_t into = {.a = a,
                         .batch = r->at.batch,
                         .row0 = r->at.row0,
                         .group = r->group,
                         .place = place_in_stacks(r)};
    for (int i = 0; i < r->region->nodes.n; i++) {
        const gnode_t *n = r->region->nodes.at[i];
        if (!is_operand(a, n) || !goes_by_heads(L->regions, n) || n->op == G_ROUND) continue;
        const gnode_t *operand = operand_of_product(a, n);
        into.operands[into.n++] = (head_operand_t){
            rows_at_hand(L, b, r, n, n->in[0]), width_of(n->in[0]), panels_of(r->part, r->index, n),
            operand_buffer(a, n), operand == n ? NULL : operand_buffer(a, operand)};
    }
    into.source = into.n ? source_of(L, r, &into) : NULL;
    into.clears = place_of(r, a->query) >= 0;
    into_heads(L, b, &into);
    for (int i = 0; i < r->region->nodes.n; i++) {
        const gnode_t *n = r->region->nodes.at[i];
        if (!is_operand(a, n) || goes_by_heads(L->regions, n)) continue;
        buffer_t *to = operand_buffer(a, n), *rows = to ? rows_at_hand(L, b, r, a->node, n) : NULL;
        if (!to) continue;
        if (!rows) return is_missing(L, n);
        spread_heads(L, b, &into, rows, to);
    }
    return true;
}

static bool compute(lower_t *L, builder_t *b, rows_t *r, const gnode_t *n) {
    if (is_operand(r->part->into, n) && goes_by_heads(L->regions, n))
        return prepare_operand(L, b, r, n);
    if (n->op == G_CONCAT) return joined_rows(L, b, r, n);
    if (is_product(n)) return dense_rows(L, b, r, n);
    if (is_norm_form(n)) return norm_rows(L, b, r, n);
    if (n->op == G_QUANTIZE) return quantized_rows(L, b, r, n);
    if (n->op == G_SLICE || n->op == G_FIRST_TOKEN) return same_rows(L, b, r, n);
    if (n->op == G_PAD_ROWS || n->op == G_PART) return copied_rows(L, b, r, n);
    if (n->op == G_COLUMN) return column_rows(L, r, n);
    if (n->op == G_UNCOLUMN) return uncolumn_rows(L, b, r, n);
    if (is_loss_gradient(n)) return loss_rows(L, b, r, n);
    if (graph_kind(n) == K_SUM) return summed_rows(L, b, r, n);
    return is_elementwise(n) ? value_rows(L, b, r, n) : no_kernel(L, n, "here");
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* The attention at one of its ends, or what it adds to a stream, names a region; of a head, its
 * weight or its norm. A graph's own names get a prefix, as no other kernel has. */
const char *rows_name(lower_t *L, const part_t *p) {
    static const char *const known[] = {"feed_forward", "lm_head", "classifier", "qa_outputs",
                                        "final_norm"};
    const nodes_t *results = &p->class->pattern->results;
    const gnode_t *last = results->at[results->n - 1];
    if (p->class->pattern->kind == K_SUM) return identifier(L, sums_name(L, p));
    while (last->op == G_COLUMN || last->op == G_SLICE || last->op == G_DROPOUT) last = last->in[0];
    const gnode_t *own = last->op == G_ADD ? last->in[1] : last;
    while (own->op == G_DROPOUT) own = own->in[0];
    const char *name = base_name(own);
    if (last->layer < 0 && is_norm(last)) name = "final_norm";
    if (last->layer < 0 && last->op == G_DENSE) { /* "lm_head.decoder.weight" */
        const char *weight = last->in[1]->name;
        name = arena_printf(L->arena, "%.*s", (int)strcspn(weight, "."), weight);
    }
    if (p->into) return identifier(L, arena_printf(L->arena, "%s_project", p->into->name));
    if (p->from) return identifier(L, arena_printf(L->arena, "%s_output", p->from->name));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) return name;
    return identifier(L, arena_printf(L->arena, "rows_%s", name));
}

/* "final norm, logits: 320 wide": what a head computes. */
static const char *head_doc(lower_t *L, const region_t *region) {
    const char *text = "";
    for (int i = 0; i < region->nodes.n; i++) {
        const gnode_t *n = region->nodes.at[i];
        if (n->op == G_CONCAT || n->op == G_SLICE) continue;
        const char *name = is_norm(n) ? "final norm" : base_name(n);
        text = arena_printf(L->arena, "%s%s%s", text, *text ? ", " : "", name);
    }
    return arena_printf(L->arena, "%s: %lld wide", text,
                        (long long)width_of(region->results.at[region->results.n - 1]));
}

static const char *rows_doc(lower_t *L, const part_t *p) {
    if (is_head(L, p->class->pattern)) return head_doc(L, p->class->pattern);
    if (p->into)
        return arena_printf(L->arena, "%s attention: norm and projections of a group of %lld heads",
                            p->into->lsh ? "LSH" : "local", (long long)p->into->group);
    if (p->from)
        return arena_printf(L->arena,
                            "%s attention: output of a group of heads, added to its stream",
                            p->from->lsh ? "LSH" : "local");
    return arena_printf(L->arena, "on blocks of %lld rows", (long long)L->block);
}

/* Rows of which batch element, and which of them: a block, of a chunk where sums are made of them,
 * or the first one where rows are picked. */
static builder_t begin_rows(lower_t *L, const part_t *p, rows_t *r) {
    bool picked = picks_rows(r->region), summed = r->region->kind == K_SUM;
    dim_t tasks[] = {dim(L->batch), L->blocks}, blocks[] = {dim(L->chunks.blocks)};
    const char *names[] = {"batch", "block"}, *own[] = {"own"};
    const char *name = free_name(L, rows_name(L, p));
    r->at.m = picked ? 1 : L->block;
    if (summed && !picked) return build_kernel(L->m, name, 1, blocks, own);
    builder_t b = build_kernel(L->m, name, picked ? 1 : 2, tasks, names);
    r->at.batch = ax_v(b.fn->task[0]);
    r->at.row0 = picked ? ax(0) : ax_scale(ax_v(b.fn->task[1]), L->block);
    return b;
}

static rows_t rows_of(lower_t *L, part_t *p) {
    const region_t *region = p->class->pattern;
    return (rows_t){.part = p,
                    .region = region,
                    .tiles = ARENA_ARRAY(L->arena, buffer_t *, region->nodes.n),
                    .done = ARENA_ARRAY(L->arena, bool, region->nodes.n),
                    .ready = ARENA_ARRAY(L->arena, bool, region->nodes.n),
                    .given = ARENA_ARRAY(L->arena, bool, region->nodes.n),
                    .factors = ARENA_ARRAY(L->arena, buffer_t *, region->nodes.n),
                    .copies = ARENA_ARRAY(L->arena, buffer_t *, region->reads.n + 1),
                    .holds = ARENA_ARRAY(L->arena, const gnode_t *, L->regions->n_homes + 1)};
}

/* Results that are there, and were not given yet. */
static bool give_results(lower_t *L, builder_t *b, rows_t *r) {
    const nodes_t *results = &r->region->results;
    for (int i = 0; i < results->n; i++) {
        int place = place_of(r, results->at[i]);
        if (!r->ready[place] || r->given[place]) continue;
        r->given[place] = true;
        if (!give_rows(L, b, r, results->at[i])) return false;
    }
    return true;
}

/* Node after node, each in a branch of what wants it where that is not what wants the kernel. What
 * is copied in a branch is there in it alone. */
static bool compute_all(lower_t *L, builder_t *b, rows_t *r, const unsigned *wants, unsigned any) {
    size_t n_reads = (size_t)r->region->reads.n;
    buffer_t **outside = ARENA_ARRAY(L->arena, buffer_t *, n_reads + 1);
    inst_t *open = NULL;
    unsigned now = any;
    bool ok = true;
    for (int i = 0; i < r->region->nodes.n && ok; i++) {
        if (r->done[i]) continue;
        if (wants[i] != now) {
            end_if_wanted(b, open);
            if (open) memcpy(r->copies, outside, n_reads * sizeof *outside);
            now = wants[i];
            memset(r->factors, 0, (size_t)r->region->nodes.n * sizeof *r->factors);
            open = now == any || now & ANYWAY ? NULL : if_wanted(L, b, now);
            memcpy(outside, r->copies, n_reads * sizeof *outside);
        }
        ok = compute(L, b, r, r->region->nodes.at[i]) && give_results(L, b, r);
    }
    end_if_wanted(b, open);
    return ok;
}

bool lower_rows(lower_t *L, part_t *p) {
    rows_t r = rows_of(L, p);
    bool head = is_head(L, r.region), summed = r.region->kind == K_SUM;
    if (summed && !plan_sums(L, p, &r)) return false;
    builder_t b = begin_rows(L, p, &r);
    const nodes_t *results = &r.region->results;
    describe(L, b.fn, results->at[head ? results->n - 1 : 0]->at, "%s", rows_doc(L, p));
    if (!head) index_params(L, &b, p, r.index);
    const attention_t *a = p->into ? p->into : p->from;
    if (a && !summed) r.group = kernel_param(&b, "group", a->groups);
    if (summed) begin_chunk(L, &b, &r, kernel_param(&b, "chunk", chunks_of(L, r.region)));
    find_kept_rows(L, p, r.index, &r.at);
    const unsigned *wants = wants_of(L, r.region, true);
    unsigned any = any_of(r.region, wants);
    if (!compute_all(L, &b, &r, wants, any)) return false;
    if (p->into && !operands(L, &b, &r)) return false;
    if (summed) end_chunk(L, &b, &r);
    p->used = true;
    stage_t stage = {b.fn, NULL, NULL, any & ANYWAY ? 0 : any};
    if (head) p->stages = (stages_t){arena_copy(L->arena, &stage, sizeof stage), 1, b.fn->name};
    else p->kernel = b.fn;
    if (!summed) return true;
    p->stages.name = sums_name(L, p);
    return lower_sums(L, p, &r);
}
