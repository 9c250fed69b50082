/* --dump-activations: copies padded buffers into dense arrays and hands them to the caller's trace
 * function under Hugging Face's names. Attention and feed-forward show as what they added to their stream. */
#include <string.h>

#include "lower/lower_int.h"

typedef struct {
    lfunc_t *save, *rows, *delta;
} tracing_t;

struct trace {
    tracing_t *of; /* by home */
};

typedef struct {
    buffer_t *stream, *old, *dst;
    affine_t batch, row;
} copy_t;

static void copy_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const copy_t *c = ctx;
    affine_t ix[] = {c->batch, c->row, at};
    value_t *x = b_load(b, c->stream, width, ix);
    if (c->old) x = b_binary(b, OP_SUB, x, b_load(b, c->old, width, ix));
    b_store(b, c->dst, x, ix);
}

static lfunc_t *copy_kernel(lower_t *L, const char *name, buffer_t *stream, buffer_t *old,
                            buffer_t *dst) {
    dim_t tasks[] = {dim(L->batch), L->padded};
    const char *names[] = {"batch", "row"};
    builder_t b = build_kernel(L->m, name, 2, tasks, names);
    b.fn->comment = "copy for --dump-activations";
    copy_t c = {stream, old, dst, ax_v(b.fn->task[0]), ax_v(b.fn->task[1])};
    for_span(L, &b, dst->dims[2].c, copy_span, &c);
    return b.fn;
}

trace_t *lower_trace(lower_t *L) {
    trace_t *t = ARENA_NEW(L->arena, trace_t);
    t->of = ARENA_ARRAY(L->arena, tracing_t, L->regions->n_homes);
    for (int i = 0; i < L->regions->n_homes; i++) {
        buffer_t *rows = L->homes[i];
        const char *name = rows->name;
        t->of[i].save =
            copy_kernel(L, arena_printf(L->arena, "save_%s", name), rows, NULL, L->trace_old);
        t->of[i].rows =
            copy_kernel(L, arena_printf(L->arena, "dump_%s", name), rows, NULL, L->trace_rows);
        t->of[i].delta = copy_kernel(L, arena_printf(L->arena, "delta_%s", name), rows,
                                     L->trace_old, L->trace_rows);
    }
    return t;
}

/* "layers.3.y1" → "layers.#.y1" */
static const char *label_of(lower_t *L, const gnode_t *n) {
    const char *number = arena_printf(L->arena, "layers.%d.", n->layer);
    size_t bytes = strlen(number);
    if (n->layer < 0 || strncmp(n->trace, number, bytes) != 0) return n->trace;
    return arena_printf(L->arena, "layers.#.%s", n->trace + bytes);
}

/* The sum that a traced addend goes into, where it is written over its stream; NULL: n is none. */
static const gnode_t *sum_of(const lower_t *L, const gnode_t *n) {
    const nodes_t *readers = &L->regions->readers[n->id];
    if (!n->trace || L->regions->stored[n->id] || readers->n != 1) return NULL;
    return readers->at[0]->op == G_ADD ? readers->at[0] : NULL;
}

void trace_before(lower_t *L, trace_t *t, builder_t *b, const region_t *region) {
    for (int i = 0; t && i < region->nodes.n; i++) {
        const gnode_t *sum = sum_of(L, region->nodes.at[i]);
        if (sum) launch(b, t->of[home_in(L->regions, region, sum)].save, NULL, "trace", NULL);
    }
}

void trace_after(lower_t *L, trace_t *t, builder_t *b, const region_t *region, value_t *layer) {
    for (int i = 0; t && i < region->nodes.n; i++) {
        const gnode_t *n = region->nodes.at[i], *sum = sum_of(L, n);
        int home = home_in(L->regions, NULL, sum ? sum : n);
        if (!n->trace || home < 0) continue;
        launch(b, sum ? t->of[home].delta : t->of[home].rows, NULL, "trace", NULL);
        b_trace(b, label_of(L, n), layer, L->trace_rows);
    }
}

void trace_attention(trace_t *t, builder_t *b, const attention_t *a, value_t *layer) {
    if (!t) return;
    if (a->trace_buckets) {
        b_trace(b, "layers.#.buckets", layer, a->trace_buckets);
        b_trace(b, "layers.#.sorted_idx", layer, a->trace_order);
    }
    b_trace(b, "layers.#.self_attention", layer, a->trace_self);
}

void lower_trace_order(lower_t *L, builder_t *b, const attention_t *a, value_t *group) {
    ltype_t i32 = SCALAR(E_I32);
    affine_t batch = ax_v(b->fn->task[0]), head = ax_v(b->fn->task[1]),
             round = ax_v(b->fn->task[2]);
    affine_t whole = ax_add(ax_scale(ax_v(group), a->group), head);
    value_t *r = b_convert(b, E_I32, b->fn->task[2]);
    value_t *n =
        b_binary(b, OP_ADD, control(b, L, REFORMER_ANY_MASKED), b_iconst(b, i32, a->buckets));
    value_t *offset = b_binary(b, OP_MUL, r, n);
    inst_t *loop = b_for(b, "t", dim(0), L->padded, 0, NULL);
    affine_t t = ax_v(loop_var(loop)), from[] = {batch, head, round, t};
    affine_t to[] = {batch, whole, round, t};
    value_t *x = b_binary(b, OP_ADD, load1(b, a->bucket_of, 4, from), offset);
    b_store(b, a->trace_buckets, x, to);
    affine_t flat = ax_scale_dim(round, L->padded);
    value_t *place = b_convert(b, E_I32, b_index(b, flat));
    affine_t sx[] = {batch, whole, ax_add(flat, t)};
    b_store(b, a->trace_order, b_binary(b, OP_ADD, load1(b, a->order, 4, from), place), sx);
    b_end_for(b, loop, NULL);
}
