/* --dump-activations: copies padded buffers into dense arrays and hands them to the caller's trace
 * function under Hugging Face's names. Attention and feed-forward show as what
 * they added to their stream. */
#include <string.h>

#include "lower/lower_int.h"

typedef struct {
    buffer_t *old_rows, *shown; /* [batch][rows][width]: before the stage; what is shown */
    lfunc_t *save, *rows, *delta;
} tracing_t;

struct trace {
    tracing_t *of; /* by home */
};

typedef struct {
    buffer_t *stream, *old, *dst;
    affine_t batch, row;
} trace_copy_t;

static void copy_span(lower_t *L, builder_t *b, void *ctx, affine_t at, int width) {
    (void)L;
    const trace_copy_t *c = ctx;
    affine_t ix[] = {c->batch, c->row, at};
    value_t *x = b_convert(b, E_F32, b_load(b, c->stream, width, ix));
    if (c->old) x = b_binary(b, OP_SUB, x, b_load(b, c->old, width, ix));
    b_store(b, c->dst, x, ix);
}

static lfunc_t *copy_kernel(lower_t *L, const char *name, buffer_t *stream, buffer_t *old,
                            buffer_t *dst) {
    dim_t tasks[] = {dim(L->batch), L->padded};
    const char *names[] = {"batch", "row"};
    builder_t b = build_kernel(L->m, name, 2, tasks, names);
    b.fn->comment = "copy for --dump-activations";
    trace_copy_t c = {stream, old, dst, ax_v(b.fn->task[0]), ax_v(b.fn->task[1])};
    for_span(L, &b, dst->dims[2].c, copy_span, &c);
    return b.fn;
}

/* Homes of one width show theirs in one place. */
static buffer_t *trace_buffer(lower_t *L, const char *name, int64_t width, const char *doc) {
    dim_t d[] = {dim(L->batch), L->padded, dim(width)};
    const char *own = name;
    buffer_t *made;
    for (int k = 2; (made = module_find_buffer(L->m, own)); k++) {
        if (dim_equal(made->dims[2], d[2])) return made;
        own = arena_printf(L->arena, "%s_%d", name, k);
    }
    return workspace(L, own, E_F32, 3, d, doc);
}

void make_trace_buffers(lower_t *L) {
    trace_t *t = L->trace = ARENA_NEW(L->arena, trace_t);
    t->of = ARENA_ARRAY(L->arena, tracing_t, L->regions->n_homes + 1);
    for (int i = 0; i < L->regions->n_homes; i++) {
        const gnode_t *n = L->regions->home_of[i];
        int64_t width = n->shape[n->rank - 1].c;
        t->of[i].old_rows = trace_buffer(L, "trace_old", width, "stream before the stage");
        t->of[i].shown = trace_buffer(L, "trace_rows", width, "what is shown");
    }
}

/* "layers.3.y1" → "layers.#.y1" */
static const char *label_of(lower_t *L, const gnode_t *n) {
    const char *number = arena_printf(L->arena, "layers.%d.", n->layer);
    size_t bytes = strlen(number);
    if (n->layer < 0 || strncmp(n->trace, number, bytes) != 0) return n->trace;
    return arena_printf(L->arena, "layers.#.%s", n->trace + bytes);
}

/* Whether another node of n's region writes the home. */
static bool is_written_too(const regions_t *r, const gnode_t *n, int home) {
    const region_t *region = r->of_node[n->id];
    for (int i = 0; i < region->nodes.n; i++) {
        const homes_t *homes = &r->homes[region->nodes.at[i]->id];
        for (int k = 0; k < homes->n && region->nodes.at[i] != n; k++)
            if (homes->of[k] == home) return true;
    }
    return false;
}

/* The sum that a traced addend goes into, where it is written over its stream; NULL: n is none. */
static const gnode_t *sum_of(const lower_t *L, const gnode_t *n) {
    const regions_t *r = L->regions;
    const nodes_t *readers = &r->readers[n->id];
    if (!n->trace || r->homes[n->id].n > 0 || readers->n != 1) return NULL;
    const gnode_t *sum = readers->at[0];
    if (sum->op != G_ADD || sum->in[1] != n || r->homes[sum->id].n == 0) return NULL;
    int home = r->homes[sum->id].of[0];
    bool alone = home_read_by(r, sum, sum->in[0]) == home && !is_written_too(r, sum, home);
    return alone ? sum : NULL;
}

/* n or the sum that it goes into stands behind its region where it was written; -1: neither does,
 * or it is no row per token. */
static int home_shown(const lower_t *L, const gnode_t *n, bool *sum) {
    const gnode_t *into = n->rank == 3 ? sum_of(L, n) : NULL;
    *sum = into != NULL;
    if (into) return L->regions->homes[into->id].of[0];
    if (n->type == G_I8) return -1; /* integers stand there, and what they mean is shown */
    int home = n->rank == 3 ? home_in(L->regions, NULL, n) : -1;
    return home >= 0 && !is_written_too(L->regions, n, home) ? home : -1;
}

bool is_shown_apart(const lower_t *L, const gnode_t *n) {
    bool sum;
    return L->o->trace && n->trace && graph_kind(n) == K_ROW && home_shown(L, n, &sum) < 0;
}

buffer_t *shown_buffer(lower_t *L, const gnode_t *n) {
    dim_t d[] = {dim(L->batch), L->padded, n->shape[n->rank - 1]};
    for (int k = 1;; k++) {
        const char *name = arena_printf(L->arena, "shown_%d", k);
        if (!module_find_buffer(L->m, name))
            return workspace(L, name, E_F32, 3, d, "[batch][rows][width]: what is shown");
    }
}

/* Whether something shows n. */
static bool is_shown(const lower_t *L, const gnode_t *n) {
    const region_t *region = L->regions->of_node[n->id];
    bool sum;
    if (!region || is_head(L, region)) return false;
    const part_t *p = &L->parts[region->class->id];
    if (n->op == G_LSH_HASH || n->op == G_LSH_SORT) return true;
    if (graph_kind(n) == K_MIX) return p->own != NULL;
    if (home_shown(L, n, &sum) >= 0) return p->kernel != NULL;
    return p->shown && p->shown[nodes_find(&region->nodes, n)];
}

static bool check_shown(lower_t *L) {
    bool ok = true;
    for (size_t i = 0; i < L->g->n_nodes; i++) {
        const gnode_t *n = L->g->nodes[i];
        if (!n->trace || is_shown(L, n)) continue;
        diag_error(L->d, n->at, "%s: no kernel shows it as %s", n->name, n->trace);
        ok = false;
    }
    return ok;
}

static void lower_copies(lower_t *L, tracing_t *t, buffer_t *rows) {
    const char *name = rows->name;
    t->save = copy_kernel(L, arena_printf(L->arena, "save_%s", name), rows, NULL, t->old_rows);
    t->rows = copy_kernel(L, arena_printf(L->arena, "dump_%s", name), rows, NULL, t->shown);
    t->delta =
        copy_kernel(L, arena_printf(L->arena, "delta_%s", name), rows, t->old_rows, t->shown);
}

trace_t *lower_trace(lower_t *L) {
    for (int i = 0; i < L->regions->n_homes; i++)
        if (L->regions->home_of[i]->rank == 3) lower_copies(L, &L->trace->of[i], L->homes[i]);
    return check_shown(L) ? L->trace : NULL;
}

void trace_before(lower_t *L, trace_t *t, builder_t *b, const region_t *region) {
    for (int i = 0; t && i < region->nodes.n; i++) {
        const gnode_t *sum = sum_of(L, region->nodes.at[i]);
        if (sum) launch(b, t->of[L->regions->homes[sum->id].of[0]].save, NULL, "trace", NULL);
    }
}

void trace_after(lower_t *L, trace_t *t, builder_t *b, const region_t *region, value_t *layer) {
    buffer_t **shown = L->parts[region->class->id].shown;
    for (int i = 0; t && i < region->nodes.n; i++) {
        const gnode_t *n = region->nodes.at[i];
        bool sum;
        if (!n->trace) continue;
        int home = home_shown(L, n, &sum);
        if (home >= 0) launch(b, sum ? t->of[home].delta : t->of[home].rows, NULL, "trace", NULL);
        b_trace(b, label_of(L, n), layer, home >= 0 ? t->of[home].shown : shown[i]);
    }
}

static void trace_mixed(lower_t *L, builder_t *b, const gnode_t *n, value_t *layer,
                        buffer_t *rows) {
    if (n->trace) b_trace(b, label_of(L, n), layer, rows);
}

void trace_attention(lower_t *L, trace_t *t, builder_t *b, const region_t *mix, value_t *layer) {
    if (!t) return;
    const gnode_t *n = mix->nodes.at[0];
    const attention_t *a = L->parts[mix->class->id].own;
    if (a->trace_buckets) {
        trace_mixed(L, b, n->in[2]->in[0], layer, a->trace_buckets);
        trace_mixed(L, b, n->in[2], layer, a->trace_order);
    }
    trace_mixed(L, b, n, layer, a->trace_self);
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
