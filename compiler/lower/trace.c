/* --dump-activations: copies padded buffers into dense arrays and hands them to the caller's trace
 * function under Hugging Face's names. Attention and feed-forward show as what they added to their stream. */
#include "lower/lower_int.h"

struct trace {
    lfunc_t *save[2], *rows[2], *delta[2]; /* by stream */
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
    for_span(L, &b, L->hidden, copy_span, &c);
    return b.fn;
}

static int stream_index(const lower_t *L, const buffer_t *stream) {
    return stream == L->y2;
}

trace_t *lower_trace(lower_t *L) {
    trace_t *t = ARENA_NEW(L->arena, trace_t);
    buffer_t *streams[] = {L->y1, L->y2};
    static const char *names[2][3] = {{"save_y1", "dump_y1", "delta_y1"},
                                      {"save_y2", "dump_y2", "delta_y2"}};
    for (int i = 0; i < 2; i++) {
        t->save[i] = copy_kernel(L, names[i][0], streams[i], NULL, L->trace_old);
        t->rows[i] = copy_kernel(L, names[i][1], streams[i], NULL, L->trace_rows);
        t->delta[i] = copy_kernel(L, names[i][2], streams[i], L->trace_old, L->trace_rows);
    }
    return t;
}

void trace_save(lower_t *L, trace_t *t, builder_t *entry, buffer_t *stream) {
    if (t) launch(entry, t->save[stream_index(L, stream)], NULL, "trace", NULL);
}

void trace_delta(lower_t *L, trace_t *t, builder_t *entry, buffer_t *stream, const char *name,
                 value_t *layer) {
    if (!t) return;
    launch(entry, t->delta[stream_index(L, stream)], NULL, "trace", NULL);
    b_trace(entry, name, layer, L->trace_rows);
}

void trace_stream(lower_t *L, trace_t *t, builder_t *entry, buffer_t *stream, const char *name,
                  value_t *layer) {
    if (!t) return;
    launch(entry, t->rows[stream_index(L, stream)], NULL, "trace", NULL);
    b_trace(entry, name, layer, L->trace_rows);
}

void lower_trace_order(lower_t *L, builder_t *b, const attention_t *a, value_t *group) {
    ltype_t i32 = SCALAR(E_I32);
    affine_t batch = ax_v(b->fn->task[0]), head = ax_v(b->fn->task[1]),
             round = ax_v(b->fn->task[2]);
    affine_t whole = ax_add(ax_scale(ax_v(group), L->group), head);
    value_t *r = b_convert(b, E_I32, b->fn->task[2]);
    value_t *n =
        b_binary(b, OP_ADD, control(b, L, REFORMER_ANY_MASKED), b_iconst(b, i32, a->buckets));
    value_t *offset = b_binary(b, OP_MUL, r, n);
    inst_t *loop = b_for(b, "t", dim(0), L->padded, 0, NULL);
    affine_t t = ax_v(loop_var(loop)), from[] = {batch, head, round, t};
    affine_t to[] = {batch, whole, round, t};
    value_t *x = b_binary(b, OP_ADD, load1(b, L->buckets, 4, from), offset);
    b_store(b, L->trace_buckets, x, to);
    affine_t flat = ax_scale_dim(round, L->padded);
    value_t *place = b_convert(b, E_I32, b_index(b, flat));
    affine_t sx[] = {batch, whole, ax_add(flat, t)};
    b_store(b, L->trace_order, b_binary(b, OP_ADD, load1(b, L->order, 4, from), place), sx);
    b_end_for(b, loop, NULL);
}
