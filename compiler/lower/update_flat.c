/* Updates of single elements: sums over micro-batches, AdamW, Adam, SGD. Each rounding is torch's,
 * whose order of operations and fused multiply-adds these are. State has the shapes of the
 * weights and stands as they do. */
#include "lower/update_int.h"

/* A kernel over all elements of a group: scalars are loaded once, at the beginning. */
typedef struct {
    const char *name, *doc, *label;
    void (*begin)(updater_t *U, builder_t *b, void *ctx, affine_t number);
    element_fn *each;
    void *ctx;
} flat_t;

typedef struct {
    const flat_t *f;
    affine_t base;
} flat_at_t;

static void flat_slice(updater_t *U, builder_t *b, void *ctx, affine_t first, int64_t n) {
    const flat_at_t *c = ctx;
    each_element(U, b, ax_add(c->base, first), n, c->f->each, c->f->ctx);
}

static void lower_flat(updater_t *U, const group_t *g, const flat_t *f) {
    static const char *const names[] = {"tensor", "slice"};
    slices_t s = slices_of(g->elements, SLICE);
    int64_t tasks[] = {g->count, s.n}, args[] = {g->first, g->number};
    const char *name = shape_name(U, f->name, 2, (int64_t[]){g->count, g->elements});
    int n_args = U->decays ? 2 : 1;
    builder_t b;
    lfunc_t *made;
    if (open_kernel(U, name, f->doc, 2, tasks, names, &b, &made)) {
        affine_t first = place_param(&b, "first", g->count * g->elements, U->elements);
        affine_t number = ax(0), tensor = ax_v(b.fn->task[0]);
        if (U->decays) number = place_param(&b, "number", g->count, U->decays->dims[0].c);
        flat_at_t c = {f, ax_add(first, ax_scale(tensor, g->elements))};
        f->begin(U, &b, f->ctx, ax_add(number, tensor));
        in_slice(U, &b, &s, b.fn->task[1], flat_slice, &c);
    }
    launch_update(U, made, n_args, args, f->label);
}

/* ---- sums over micro-batches ----------------------------------------------------------------- */

static void begin_accumulate(updater_t *U, builder_t *b, void *ctx, affine_t number) {
    value_t **share = ctx;
    (void)number;
    *share = coefficient(U, b, REFORMER_RATE_SHARE);
}

static void scale(updater_t *U, builder_t *b, void *ctx, affine_t at, int width) {
    value_t *share = b_broadcast(b, *(value_t **)ctx, width);
    b_store(b, U->sum, b_binary(b, OP_MUL, b_load(b, U->sum, width, &at), share), &at);
}

static void add(updater_t *U, builder_t *b, void *ctx, affine_t at, int width) {
    value_t *share = b_broadcast(b, *(value_t **)ctx, width);
    value_t *g = b_load(b, U->gradients, width, &at), *sum = b_load(b, U->sum, width, &at);
    b_store(b, U->sum, b_fma(b, g, share, sum), &at);
}

void lower_accumulate(updater_t *U, bool more) {
    value_t *share;
    flat_t f = {.name = more ? "add" : "scale",
                .doc = more ? "sum += share * gradients" : "sum *= share",
                .label = "update.accumulate",
                .begin = begin_accumulate,
                .each = more ? add : scale,
                .ctx = &share};
    for (int i = 0; i < U->n; i++) lower_flat(U, &U->groups[i], &f);
}

/* ---- decay ----------------------------------------------------------------------------------- */

/* NULL: none. What a weight is multiplied by; what of it joins its gradient. */
typedef struct {
    value_t *kept, *coupled;
} decay_t;

static decay_t decay_of(updater_t *U, builder_t *b, affine_t number) {
    const reformer_optimizer_t *o = &U->update->rule;
    bool apart = o->type == REFORMER_ADAMW || o->dialect == REFORMER_TRAX;
    decay_t d = {0};
    if (!U->decays) return d;
    value_t *x = apart ? coefficient(U, b, REFORMER_RATE_KEPT) : real(b, o->weight_decay, 1);
    *(apart ? &d.kept : &d.coupled) = where_decays(U, b, number, x, apart ? 1 : 0);
    return d;
}

/* The weight less its decay; *g, with what of it joins. */
static value_t *decayed(builder_t *b, const decay_t *d, value_t *p, value_t **g) {
    int width = p->type.lanes;
    if (d->coupled) *g = b_fma(b, p, b_broadcast(b, d->coupled, width), *g);
    return d->kept ? b_binary(b, OP_MUL, p, b_broadcast(b, d->kept, width)) : p;
}

/* ---- Adam ------------------------------------------------------------------------------------ */

typedef struct {
    value_t *clip, *step, *root;
    decay_t decay;
} adam_t;

static void begin_adam(updater_t *U, builder_t *b, void *ctx, affine_t number) {
    adam_t *c = ctx;
    c->clip = clip_of(U, b);
    c->step = coefficient(U, b, REFORMER_RATE_STEP);
    c->root = coefficient(U, b, REFORMER_RATE_ROOT);
    c->decay = decay_of(U, b, number);
}

/* torch.lerp: from m, or back from g, whichever is nearer. */
static value_t *lerp(builder_t *b, value_t *m, value_t *g, double weight) {
    int width = m->type.lanes;
    value_t *way = b_binary(b, OP_SUB, g, m);
    if (weight < 0.5) return b_fma(b, way, real(b, weight, width), m);
    float back = 1.0F - (float)weight;
    return b_fma(b, b_unary(b, OP_NEG, way), real(b, (double)back, width), g);
}

static void adam(updater_t *U, builder_t *b, void *ctx, affine_t at, int width) {
    const adam_t *c = ctx;
    const reformer_optimizer_t *o = &U->update->rule;
    value_t *g = gradient_at(U, b, c->clip, at, width), *p = b_load(b, U->params, width, &at);
    p = decayed(b, &c->decay, p, &g);
    value_t *m = lerp(b, b_load(b, U->state[0], width, &at), g, 1 - o->betas[0]);
    b_store(b, U->state[0], m, &at);
    value_t *v = b_load(b, U->state[1], width, &at);
    v = b_binary(b, OP_MUL, v, real(b, o->betas[1], width));
    v = b_fma(b, b_binary(b, OP_MUL, real(b, 1 - o->betas[1], width), g), g, v);
    b_store(b, U->state[1], v, &at);
    value_t *d = b_binary(b, OP_DIV, b_unary(b, OP_SQRT, v), b_broadcast(b, c->root, width));
    d = b_binary(b, OP_ADD, d, real(b, o->eps[0], width));
    value_t *step = b_binary(b, OP_MUL, b_broadcast(b, c->step, width), m);
    b_store(b, U->params, b_binary(b, OP_ADD, p, b_binary(b, OP_DIV, step, d)), &at);
}

void lower_adam(updater_t *U, const group_t *g) {
    adam_t c = {0};
    flat_t f = {.name = "adam",
                .doc = "Adam",
                .label = "update.weights",
                .begin = begin_adam,
                .each = adam,
                .ctx = &c};
    lower_flat(U, g, &f);
}

/* ---- SGD ------------------------------------------------------------------------------------- */

typedef struct {
    value_t *clip, *step, *old, *joining;
    decay_t decay;
} sgd_t;

static void begin_sgd(updater_t *U, builder_t *b, void *ctx, affine_t number) {
    sgd_t *c = ctx;
    c->clip = clip_of(U, b);
    c->step = coefficient(U, b, REFORMER_RATE_STEP);
    if (U->state[0]) {
        c->old = coefficient(U, b, REFORMER_RATE_OLD);
        c->joining = coefficient(U, b, REFORMER_RATE_NEW);
    }
    c->decay = decay_of(U, b, number);
}

static value_t *momentum(updater_t *U, builder_t *b, const sgd_t *c, affine_t at, value_t *g) {
    const reformer_optimizer_t *o = &U->update->rule;
    int width = g->type.lanes;
    value_t *m = b_load(b, U->state[0], width, &at);
    m = b_binary(b, OP_MUL, m, b_broadcast(b, c->old, width));
    m = b_fma(b, g, b_broadcast(b, c->joining, width), m);
    b_store(b, U->state[0], m, &at);
    return o->nesterov ? b_fma(b, m, real(b, o->momentum, width), g) : m;
}

static void sgd(updater_t *U, builder_t *b, void *ctx, affine_t at, int width) {
    const sgd_t *c = ctx;
    value_t *g = gradient_at(U, b, c->clip, at, width), *p = b_load(b, U->params, width, &at);
    p = decayed(b, &c->decay, p, &g);
    if (U->state[0]) g = momentum(U, b, c, at, g);
    b_store(b, U->params, b_fma(b, g, b_broadcast(b, c->step, width), p), &at);
}

void lower_sgd(updater_t *U, const group_t *g) {
    sgd_t c = {0};
    flat_t f = {.name = "sgd",
                .doc = "SGD",
                .label = "update.weights",
                .begin = begin_sgd,
                .each = sgd,
                .ctx = &c};
    lower_flat(U, g, &f);
}
