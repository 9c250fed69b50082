/* Helpers of the lowering: buffers, loads, reductions and transposes in registers. */
#include <string.h>

#include "lower/lower_int.h"
#include "support/file.h"

int64_t round_up(int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
}

void describe(lower_t *L, lfunc_t *f, srcloc_t at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(L->arena, fmt, ap);
    va_end(ap);
    const char *file = at.file ? file_name(at.file) : "defaults";
    f->comment = at.line > 0 ? arena_printf(L->arena, "%s:%d: %s", file, at.line, text)
                             : arena_printf(L->arena, "%s: %s", file, text);
}

bool no_kernel(lower_t *L, const gnode_t *n, const char *why) {
    diag_error(L->d, n->at, "%s: no kernel%s computes %s %s", n->name, L->few ? " of a step" : "",
               graph_op_name(n->op), why);
    return false;
}

const char *identifier(lower_t *L, const char *dotted) {
    char *name = arena_strdup(L->arena, dotted);
    for (char *p = name; *p; p++)
        if (*p == '.') *p = '_';
    return name;
}

const char *free_name(const lower_t *L, const char *base) {
    const char *name = base;
    for (int k = 2; module_find_func(L->m, name); k++)
        name = arena_printf(L->arena, "%s_%d", base, k);
    return name;
}

const char *free_buffer_name(const lower_t *L, const char *base) {
    const char *name = base;
    for (int k = 2; module_find_buffer(L->m, name); k++)
        name = arena_printf(L->arena, "%s_%d", base, k);
    return name;
}

buffer_t *workspace(lower_t *L, const char *name, elem_t e, int rank, const dim_t *dims,
                    const char *doc) {
    buffer_t *b = module_buffer(L->m, BUF_WORKSPACE, name, e, rank, dims);
    b->comment = doc;
    return b;
}

buffer_t *slot_buffer(lower_t *L, bufkind_t kind, int slot, const char *name, elem_t e, int rank,
                      const dim_t *dims) {
    buffer_t *b = module_buffer(L->m, kind, name, e, rank, dims);
    b->slot = slot;
    return b;
}

void set_range(buffer_t *b, dim_t lo, dim_t hi) {
    b->has_range = true;
    b->lo = lo;
    b->hi = hi;
}

elem_t elem_of(const lower_t *L, const gnode_t *n) {
    const target_t *t = L->o->target;
    if (n->type == G_I8) return t->dot4 ? E_U8 : E_F32;
    return n->type == G_BF16 && t->dot2 ? E_BF16 : E_F32;
}

value_t *bf16_valued(builder_t *b, value_t *x) {
    return b_convert(b, E_F32, b_convert(b, E_BF16, x));
}

value_t *rounded(builder_t *b, value_t *x) {
    return b->m->target->dot2 ? b_convert(b, E_BF16, x) : bf16_valued(b, x);
}

ltype_t vec(const lower_t *L) {
    return VECTOR(E_F32, L->lanes);
}

value_t *splat(builder_t *b, lower_t *L, double x) {
    return b_const(b, vec(L), x);
}

value_t *at_most(builder_t *b, affine_t x, dim_t max) {
    return b_binary(b, OP_MIN, b_index(b, x), b_index(b, (affine_t){.base = max}));
}

value_t *position_from(lower_t *L, builder_t *b, affine_t batch, affine_t row) {
    value_t *begin = b_convert(b, E_I64, b_load(b, L->begins, 1, &batch));
    return at_most(b, ax_add(ax_v(begin), row), dim(L->positions - 1));
}

value_t *load1(builder_t *b, buffer_t *buf, int rank, const affine_t *ix) {
    if (rank != buf->rank) bug("load of %s: rank %d, given %d", buf->name, buf->rank, rank);
    return b_load(b, buf, 1, ix);
}

value_t *control(builder_t *b, lower_t *L, int which) {
    affine_t ix[] = {ax(which)};
    return load1(b, L->control, 1, ix);
}

inst_t *if_wanted(lower_t *L, builder_t *b, unsigned wanted) {
    value_t *any = NULL;
    for (int c = 0; c < REFORMER_CONTROLS; c++) {
        if (!(wanted >> c & 1)) continue;
        value_t *one = control(b, L, c);
        any = any ? b_binary(b, OP_OR, any, one) : one;
    }
    return any ? b_if(b, any, 0, NULL) : NULL;
}

void end_if_wanted(builder_t *b, inst_t *branch) {
    if (branch) b_end_if(b, branch, NULL);
}

void launch(builder_t *b, lfunc_t *kernel, value_t *const *args, const char *label,
            value_t *layer) {
    b_label(b, b_launch(b, kernel, args), label, layer);
}

value_t *reduce(builder_t *b, lower_t *L, op_t op, value_t *v) {
    int lanes[64];
    for (int w = L->lanes / 2; w >= 1; w /= 2) {
        for (int i = 0; i < L->lanes; i++) lanes[i] = i ^ w;
        v = b_binary(b, op, v, b_shuffle(b, v, v, lanes));
    }
    return b_extract(b, v, 0);
}

/* log2(lanes) rounds of two-operand shuffles: in round w, rows i and i+w exchange the lanes whose
 * bit w differs from theirs. */
void transpose(builder_t *b, lower_t *L, value_t **rows) {
    int n = L->lanes, low[64], high[64];
    for (int w = 1; w < n; w *= 2) {
        for (int lane = 0; lane < n; lane++) {
            bool odd = lane & w;
            low[lane] = odd ? n + lane - w : lane;
            high[lane] = odd ? n + lane : lane + w;
        }
        for (int i = 0; i < n; i++) {
            if (i & w) continue;
            value_t *x = rows[i], *y = rows[i + w];
            rows[i] = b_shuffle(b, x, y, low);
            rows[i + w] = b_shuffle(b, x, y, high);
        }
    }
}

void for_span(lower_t *L, builder_t *b, int64_t n, span_fn *body, void *ctx) {
    int64_t full = n / L->lanes, rest = n % L->lanes;
    if (full > 0) {
        inst_t *loop = b_for(b, "v", dim(0), dim(full), 0, NULL);
        body(L, b, ctx, ax_scale(ax_v(loop_var(loop)), L->lanes), L->lanes);
        b_end_for(b, loop, NULL);
    }
    if (rest > 0) {
        inst_t *loop = b_for(b, "e", dim(0), dim(rest), 0, NULL);
        body(L, b, ctx, ax_plus(ax_v(loop_var(loop)), full * L->lanes), 1);
        b_end_for(b, loop, NULL);
    }
}

/* One loop of a fold: `steps` times `width` elements from `first`. */
static value_t *fold_loop(lower_t *L, builder_t *b, int64_t first, int64_t steps, int width,
                          value_t *acc, fold_fn *body, void *ctx) {
    inst_t *loop = b_for(b, width > 1 ? "v" : "e", dim(0), dim(steps), 1, &acc);
    affine_t at = ax_plus(ax_scale(ax_v(loop_var(loop)), width), first);
    value_t *next = body(L, b, ctx, at, width, loop_arg(loop, 0));
    b_end_for(b, loop, &next);
    return loop->results[0];
}

static value_t *fold(lower_t *L, builder_t *b, int64_t n, op_t op, value_t *one, value_t *many,
                     fold_fn *body, void *ctx) {
    int64_t full = n / L->lanes, rest = n % L->lanes;
    value_t *acc = one;
    if (full > 0) acc = reduce(b, L, op, fold_loop(L, b, 0, full, L->lanes, many, body, ctx));
    if (rest > 0) acc = fold_loop(L, b, full * L->lanes, rest, 1, acc, body, ctx);
    return acc;
}

value_t *fold_span(lower_t *L, builder_t *b, int64_t n, op_t op, double identity, fold_fn *body,
                   void *ctx) {
    value_t *one = b_const(b, SCALAR(E_F32), identity);
    value_t *many = n < L->lanes ? NULL : splat(b, L, identity);
    return fold(L, b, n, op, one, many, body, ctx);
}

value_t *fold_integers(lower_t *L, builder_t *b, int64_t n, op_t op, int32_t identity,
                       fold_fn *body, void *ctx) {
    value_t *one = b_iconst(b, SCALAR(E_I32), identity);
    value_t *many = b_iconst(b, VECTOR(E_I32, L->lanes), identity);
    return fold(L, b, n, op, one, many, body, ctx);
}
