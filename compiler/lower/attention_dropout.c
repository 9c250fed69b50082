/* Dropout of attention's probabilities. See attention_dropout.h. */
#include "lower/attention_dropout.h"

bool drops_probabilities(const lower_t *L, const attention_t *a) {
    return is_dropping(L, a->node);
}

value_t *times_kept(const lower_t *L, builder_t *b, const attention_t *a, value_t *x) {
    if (!a->rounded || !drops_probabilities(L, a)) return x;
    int64_t kept = DROPOUT_ONE - dropout_threshold(a->node->rate);
    return b_binary(b, OP_MUL, x, b_const(b, x->type, (double)DROPOUT_ONE / (double)kept));
}

static told_t tell(lower_t *L, builder_t *b, const attention_t *a, const gnode_t *node,
                   bool drops) {
    value_t *index[MAX_INDICES];
    told_t told = {NULL, NULL, NULL};
    const part_t *p = part_of_node(L, node);
    if (!drops && !p->stacked) return told;
    index_params(L, b, p, index);
    if (drops) told.layer = layer_of_dropout(b, p, index, node);
    if (p->stacked) told.place = index[p->stack_vector];
    told.group = kernel_param(b, "group", a->groups);
    return told;
}

told_t tell_attention(lower_t *L, builder_t *b, const attention_t *a, const gnode_t *node) {
    return tell(L, b, a, node, drops_probabilities(L, a));
}

told_t tell_stacks(lower_t *L, builder_t *b, const attention_t *a, const gnode_t *node) {
    return tell(L, b, a, node, false);
}

heads_t told_heads(const lower_t *L, const attention_t *a, const told_t *told, affine_t batch,
                   affine_t head) {
    return heads_at(L, a, batch, head, told->place, told->group);
}

/* Keys that a query sees in one round, or all. */
static int64_t window_of(const lower_t *L, const attention_t *a) {
    return a->exact ? L->padded.c : (a->before + 1 + a->after) * a->chunk;
}

kept_t *begin_kept(lower_t *L, builder_t *b, const attention_t *a, const told_t *told,
                   affine_t batch, affine_t head) {
    if (!drops_probabilities(L, a)) return NULL;
    kept_t *k = ARENA_NEW(L->arena, kept_t);
    k->draws = begin_dropout(L, b, PLACE_PROBABILITIES, a->node->rate, told->layer);
    k->blocks = round_up(window_of(L, a), BLOCK) / BLOCK;
    k->positions = masked_positions(L, b);
    if (a->exact && k->positions)
        k->own_blocks = b_idiv(b, b_index(b, ax_plus(ax_v(k->positions), BLOCK - 1)), dim(BLOCK));
    value_t *step = first_row_of_step(L, b);
    affine_t heads = ax_add(ax_scale(ax_v(told->group), a->group), head);
    k->first = b_index(b, ax_add(ax_scale(ax_add(ax_v(step), batch), a->heads), heads));
    value_t *blocks = k->own_blocks ? b_broadcast(b, b_convert(b, E_I32, k->own_blocks), L->lanes)
                                    : b_iconst(b, VECTOR(E_I32, L->lanes), k->blocks);
    k->offsets = b_binary(b, OP_MUL, lane_numbers(L, b), blocks);
    return k;
}

void kept_of_round(lower_t *L, builder_t *b, const attention_t *a, kept_t *k, affine_t round) {
    if (!k) return;
    value_t *all = b_index(b, ax_add(ax_scale(ax_v(k->first), a->rounds), round));
    k->first = b_index(b, ax_scale_positions(L, b, ax_v(all), k->positions));
}

/* The first block of a row. */
static affine_t block_of(builder_t *b, const kept_t *k, affine_t row) {
    value_t *at = b_index(b, ax_add(ax_v(k->first), row));
    if (k->own_blocks) return ax_v(b_binary(b, OP_MUL, at, k->own_blocks));
    return ax_scale(ax_v(at), k->blocks);
}

/* A block of keys that may begin before the first, or end behind the last. */
static void give_inside(lower_t *L, builder_t *b, affine_t key, int64_t n, int j, value_t *factor,
                        kept_fn *body, void *ctx) {
    value_t *at = b_index(b, key), *last = b_index(b, ax(n - 1)), *zero = b_index(b, ax(0));
    value_t *inside =
        b_binary(b, OP_AND, b_compare(b, OP_GE, at, zero), b_compare(b, OP_LE, at, last));
    inst_t *guard = b_if(b, inside, 0, NULL);
    value_t *own = b_binary(b, OP_MAX, b_binary(b, OP_MIN, at, last), zero);
    body(L, b, ctx, ax_v(own), j, factor);
    b_end_if(b, guard, NULL);
}

void for_kept(lower_t *L, builder_t *b, const kept_t *k, affine_t row, affine_t first, int64_t n,
              bool aligned, kept_fn *body, void *ctx) {
    value_t *from = b_index(b, first), *factor[BLOCK];
    affine_t begin = ax_v(b_idiv(b, from, dim(BLOCK)));
    affine_t phase = aligned ? ax(0) : ax_v(b_irem(b, from, dim(BLOCK)));
    int64_t steps = aligned ? n / BLOCK : (n + BLOCK - 1) / BLOCK + 1;
    inst_t *loop = b_for(b, "block", dim(0), dim(steps), 0, NULL);
    affine_t block = ax_v(loop_var(loop));
    for (int j = 0; j < L->tiles->vectors; j++) {
        affine_t at = block_of(b, k, ax_plus(row, (int64_t)j * L->lanes));
        dropout_lanes(L, b, &k->draws, b_index(b, ax_add(ax_add(at, begin), block)), k->offsets,
                      factor);
        for (int i = 0; i < BLOCK; i++) {
            affine_t key = ax_plus(ax_add(ax_scale(block, BLOCK), ax_scale(phase, -1)), i);
            if (aligned) body(L, b, ctx, key, j, factor[i]);
            else give_inside(L, b, key, n, j, factor[i], body, ctx);
        }
    }
    b_end_for(b, loop, NULL);
}

value_t *kept_one(lower_t *L, builder_t *b, const kept_t *k, affine_t row, affine_t place) {
    value_t *at = b_index(b, place);
    affine_t block = ax_add(block_of(b, k, row), ax_v(b_idiv(b, at, dim(BLOCK))));
    value_t *which = b_convert(b, E_I32, b_irem(b, at, dim(BLOCK)));
    return dropout_one(L, b, &k->draws, b_index(b, block), which);
}
