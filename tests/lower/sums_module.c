/* See sums_module.h. */
#include "sums_module.h"

#include "lower/sums.h"

static buffer_t *slot_of(module_t *m, bufkind_t kind, int slot, const char *name, int rank,
                         const dim_t *dims) {
    buffer_t *b = module_buffer(m, kind, name, E_F32, rank, dims);
    b->slot = slot;
    return b;
}

module_t *sums_module(arena_t *a, const target_t *t, const tiles_t *tiles) {
    lower_t L = {.arena = a, .tiles = tiles, .lanes = t->vector_bytes / 4};
    L.m = module_new(a, "sums", t, (units_t){0, 0});
    L.tile = (int64_t)L.lanes * tiles->vectors;
    dim_t dy[] = {dim(OUT_PANELS), dim(ROWS), dim(PANEL)};
    dim_t x[] = {dim(IN_PANELS), dim(ROWS), dim(PANEL)};
    dim_t outer[] = {dim(PLACES), dim(OUT), dim(IN)};
    row_sums_t s[CHUNKS] = {{.dy = slot_of(L.m, BUF_INPUT, DY, "dy", 3, dy),
                             .x = slot_of(L.m, BUF_INPUT, X, "x", 3, x)},
                            {.dy = slot_of(L.m, BUF_INPUT, DY_2, "dy_2", 3, dy),
                             .x = slot_of(L.m, BUF_INPUT, X_2, "x_2", 3, x)}};
    buffer_t *weight = slot_of(L.m, BUF_OUTPUT, RESULTS, "weight", 3, outer);
    buffer_t *bias = slot_of(L.m, BUF_OUTPUT, RESULTS, "bias", 2, outer);
    bias->offset = dim(BIAS_AT);
    lfunc_t *kernels[2 * CHUNKS];
    for (int i = 0; i < CHUNKS; i++) {
        s[i].to = weight;
        if (tiles->vectors > 1) s[i].outs = OUT_PANELS, s[i].ins = IN_PANELS;
        kernels[2 * i] = lower_row_sums(&L, arena_printf(a, "outer_%d", i), &s[i]);
        row_sums_t rows = {.dy = s[i].dy, .to = bias};
        kernels[2 * i + 1] = lower_row_sums(&L, arena_printf(a, "rows_%d", i), &rows);
    }
    builder_t e = build_entry(L.m, "forward");
    for (int i = 0; i < 2 * CHUNKS; i++) {
        value_t *args[] = {b_iconst(&e, SCALAR(E_I64), PLACE), b_iconst(&e, SCALAR(E_I64), i / 2)};
        b_launch(&e, kernels[i], args);
    }
    return L.m;
}
