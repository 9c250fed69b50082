/* The head of a prefill: of all tokens of the row, the last one's logits and hidden state. Rows of
 * streams that its regions read are put by themselves, and the regions are computed for
 * that one row (columns.c). */
#include "lower/cache.h"
#include "lower/columns.h"

typedef struct {
    buffer_t **of; /* by home: [1][1][width], NULL: nobody reads it */
    affine_t row;
    int home;
} last_token_t;

static void copy_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    const last_token_t *t = ctx;
    affine_t from[] = {ax(0), t->row, at}, to[] = {ax(0), ax(0), at};
    b_store(b, t->of[t->home], b_load(b, L->homes[t->home], width, from), to);
}

static void make_rows(lower_t *L, last_token_t *t, const region_t *region) {
    for (int i = 0; i < region->reads.n; i++) {
        int home = home_in(L->regions, NULL, region->reads.at[i]);
        if (home < 0 || t->of[home]) continue;
        dim_t d[] = {dim(1), dim(1), L->homes[home]->dims[2]};
        t->of[home] = workspace(L, arena_printf(L->arena, "last%d", home + 1), L->homes[home]->elem,
                                3, d, "stream of the last token");
    }
}

static lfunc_t *last_token_kernel(lower_t *L, last_token_t *t, srcloc_t at) {
    dim_t one = dim(1);
    const char *name = "once";
    builder_t b = build_kernel(L->m, "last_token", 1, &one, &name);
    describe(L, b.fn, at, "the streams of the row's last token");
    value_t *tokens = b_convert(&b, E_I64, control(&b, L, REFORMER_TOKENS));
    value_t *max = b_index(&b, (affine_t){.base = dim_sub(L->padded, dim(1))});
    value_t *last = b_index(&b, ax_plus(ax_v(tokens), -1));
    last = b_binary(&b, OP_MIN, b_binary(&b, OP_MAX, last, b_iconst(&b, SCALAR(E_I64), 0)), max);
    t->row = ax_v(last);
    for (t->home = 0; t->home < L->regions->n_homes; t->home++)
        if (t->of[t->home]) for_span(L, &b, t->of[t->home]->dims[2].c, copy_span, t);
    return b.fn;
}

static void append(lower_t *L, stages_t *all, const stages_t *more) {
    stage_t *at = ARENA_ARRAY(L->arena, stage_t, all->n + more->n);
    for (int i = 0; i < all->n; i++) at[i] = all->at[i];
    for (int i = 0; i < more->n; i++) {
        at[all->n + i] = more->at[i];
        if (!more->at[i].label) at[all->n + i].label = "lm_head";
    }
    all->at = at;
    all->n += more->n;
}

bool lower_last_token(lower_t *L, stages_t *stages) {
    const regions_t *r = L->regions;
    last_token_t t = {.of = ARENA_ARRAY(L->arena, buffer_t *, r->n_homes + 1)};
    const region_t *last = NULL;
    for (int i = 0; i < r->n_regions; i++)
        if (is_head(L, r->regions[i])) make_rows(L, &t, last = r->regions[i]);
    if (!last) {
        diag_error(L->d, NOWHERE, "the graph has no logits: there is nothing to generate");
        return false;
    }
    stage_t first = {last_token_kernel(L, &t, last->nodes.at[0]->at), NULL, "last_token", 0};
    *stages = (stages_t){arena_copy(L->arena, &first, sizeof first), 1, NULL};
    few_rows_t few = {.m = 1, .prefix = "last_", .instead = t.of};
    for (int i = 0; i < r->n_regions; i++) {
        stages_t more;
        if (!is_head(L, r->regions[i])) continue;
        if (!lower_columns(L, &L->parts[r->regions[i]->class->id], &few, &more)) return false;
        append(L, stages, &more);
    }
    return true;
}
