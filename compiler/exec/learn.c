/* Training on an executor, of any back end.
 *
 * Params, gradients and their sum have one layout, plan->gradients; states have their own. The
 * reference reads params where they stand, by a store that points to them; what runs loops reads
 * the weights file in memory, into which they are packed after each update. */
#include "exec/learn_int.h"

#include <string.h>

#include "support/heap.h"
#include "support/pages.h"

enum { PARTS = 8 }; /* tasks of a layer's rotations */

static const reformer_training_t *training_of(const exec_learner_t *l) {
    return &l->plan->training;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static float *zeros(const exec_learner_t *l, const char *what, const layout_t *of, diag_t *d) {
    size_t bytes = (size_t)of->data_end;
    float *room = exec_room(l->e, what, bytes ? bytes : 1, d);
    if (room) memset(room, 0, bytes);
    return room;
}

float *learner_part(float *array, const layout_t *of, const char *source) {
    int index;
    const layout_entry_t *e = layout_find(of, source, &index);
    if (!e || e->count == 0) return NULL;
    int64_t floats = e->bytes / (int64_t)sizeof *array / e->count;
    return array + e->offset / (int64_t)sizeof *array + index * floats;
}

static bool make_room(exec_learner_t *l, diag_t *d) {
    const plan_t *p = l->plan;
    l->params = zeros(l, "weights to train", p->gradients, d);
    l->sum = l->params ? zeros(l, "gradients", p->gradients, d) : NULL;
    bool ok = l->sum != NULL;
    for (int i = 0; ok && i < l->update->n_states; i++)
        ok = (l->states[i] = zeros(l, "the optimizer's state", p->states[i], d)) != NULL;
    return ok;
}

static void find_tensors(exec_learner_t *l) {
    const plan_t *p = l->plan;
    l->tensors = ARENA_ARRAY(l->arena, update_memory_t, l->update->n);
    for (int i = 0; i < l->update->n; i++) {
        const char *name = l->update->tensors[i].name;
        l->tensors[i].param = learner_part(l->params, p->gradients, name);
        l->tensors[i].gradient = learner_part(l->sum, p->gradients, name);
        for (int k = 0; k < l->update->n_states; k++)
            l->tensors[i].state[k] = learner_part(l->states[k], p->states[k], name);
    }
}

/* ---- arrays by name -------------------------------------------------------------------------- */

static int64_t product(int rank, const int64_t *shape) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    return n;
}

static void name_param(exec_learner_t *l, int i) {
    const plan_t *p = l->plan;
    const char *source = l->update->tensors[i].name;
    int index;
    const layout_entry_t *e = layout_find(p->gradients, source, &index);
    exec_array_t *a = &l->arrays[l->n_arrays++];
    a->name = weights_hf_name(l->arena, p->layout, source);
    a->rank = weights_hf_shape(p->layout, e, source, a->shape);
    a->elements = product(a->rank, a->shape);
    a->data = l->tensors[i].param;
}

/* Its part of a state, where it has one. */
static void name_state(exec_learner_t *l, int i, int k) {
    const update_tensor_t *t = &l->update->tensors[i];
    exec_array_t *a = &l->arrays[l->n_arrays];
    if (!l->tensors[i].state[k]) return;
    l->n_arrays++;
    a->name = arena_printf(l->arena, "%s.%s", l->update->states[k].name, l->arrays[i].name);
    a->state = true;
    a->rank = update_state_shape(l->update, k, t->rank, t->shape, a->shape);
    a->elements = product(a->rank, a->shape);
    a->data = l->tensors[i].state[k];
}

/* What is not trained: a copy of what the store has. */
static void name_frozen(exec_learner_t *l, const layout_entry_t *e, int i) {
    const plan_t *p = l->plan;
    int index;
    bool again = e->again && e->again[i];
    if (again || e->kind == PACK_ROTATIONS || layout_find(p->gradients, e->source[i], &index))
        return;
    const tensor_t *t = store_find(l->store, e->source[i]);
    if (!t) bug("no weights for '%s'", e->source[i]);
    exec_array_t *a = &l->arrays[l->n_arrays++];
    a->name = weights_hf_name(l->arena, p->layout, e->source[i]);
    a->rank = weights_hf_shape(p->layout, e, e->source[i], a->shape);
    a->elements = product(a->rank, a->shape);
    a->data = arena_copy(l->arena, t->data, (size_t)t->elements * sizeof *a->data);
}

static void name_arrays(exec_learner_t *l) {
    const layout_t *all = l->plan->layout;
    int n = l->update->n, weights = 0;
    for (int i = 0; i < all->n; i++) weights += all->entries[i].count;
    l->arrays = ARENA_ARRAY(l->arena, exec_array_t, n * (1 + l->update->n_states) + weights);
    for (int i = 0; i < n; i++) name_param(l, i);
    for (int i = 0; i < all->n; i++)
        for (int k = 0; k < all->entries[i].count; k++) name_frozen(l, &all->entries[i], k);
    for (int k = 0; k < l->update->n_states; k++)
        for (int i = 0; i < n; i++) name_state(l, i, k);
}

size_t exec_learner_arrays(const exec_learner_t *l) {
    return l->n_arrays;
}

void exec_learner_array(exec_learner_t *l, size_t i, exec_array_t *a) {
    *a = l->arrays[i];
}

/* ---- the weights that forwards read ---------------------------------------------------------- */

/* A pool is the caller's, and is lent for a step alone. */
static void give_threads_back(exec_learner_t *l) {
    l->threads = 1;
    l->pool = NULL;
}

bool exec_learner_restore(exec_learner_t *l, diag_t *d) {
    give_threads_back(l);
    return learner_pack(l, d);
}

static void take_params(exec_learner_t *l, const store_t *from) {
    for (int i = 0; i < l->update->n; i++) {
        const tensor_t *t = store_find(from, l->update->tensors[i].name);
        if (!t) bug("no weights for '%s'", l->update->tensors[i].name);
        memcpy(l->tensors[i].param, t->data, (size_t)t->elements * sizeof(float));
        store_point(l->store, t->name, l->tensors[i].param);
    }
}

/* ---- rotations ------------------------------------------------------------------------------- */

static void add_rotations(exec_learner_t *l, const layout_entry_t *e, int index) {
    const tensor_t *t = store_find(l->store, e->source[index]);
    if (e->kind != PACK_ROTATIONS || !t || !t->drawn) return;
    rotations_t *r = &l->rotations[l->n_rotations++];
    *r = (rotations_t){.name = t->name, .store = t->data, .entry = e, .index = index};
    r->of = (reformer_rotations_t){
        .heads = t->shape[0], .head_size = t->shape[1], .rounds = t->shape[2], .half = t->shape[3]};
    if (!names_rotations(t->name, &r->of.layer)) bug("'%s' says no layer", t->name);
    r->step = ARENA_ARRAY(l->arena, float, t->elements);
}

static void find_rotations(exec_learner_t *l) {
    const layout_t *from = l->plan->layout;
    int n = 0;
    for (int i = 0; i < from->n; i++) n += from->entries[i].count;
    l->rotations = ARENA_ARRAY(l->arena, rotations_t, n);
    for (int i = 0; i < from->n; i++)
        for (int k = 0; k < from->entries[i].count; k++) add_rotations(l, &from->entries[i], k);
    l->drawn = -1;
}

static void put_rotations(exec_learner_t *l, const rotations_t *r, const float *values) {
    store_point(l->store, r->name, values);
    if (l->e->weights) weights_pack_tensor(r->entry, r->index, values, l->e->weights);
}

static void draw(void *arg, int64_t i, int worker) {
    exec_learner_t *l = arg;
    const rotations_t *r = &l->rotations[i / PARTS];
    (void)worker;
    reformer_draw_rotations(&r->of, training_of(l)->seed, (uint32_t)l->step, 0, (int)(i % PARTS),
                            PARTS, r->step);
}

static void take_step_rotations(exec_learner_t *l) {
    int64_t tasks = (int64_t)PARTS * l->n_rotations;
    if (l->drawn == l->step) return;
    if (l->pool)
        l->pool->parallel_for(l->pool->ctx, tasks, l->threads > 1 ? l->threads : 1, draw, l);
    else
        for (int64_t i = 0; i < tasks; i++) draw(l, i, 0);
    for (int i = 0; i < l->n_rotations; i++)
        put_rotations(l, &l->rotations[i], l->rotations[i].step);
    l->drawn = l->step;
}

void exec_learner_evaluates(exec_learner_t *l, bool yes) {
    if (!yes) {
        take_step_rotations(l);
        return;
    }
    if (l->drawn < 0) return;
    for (int i = 0; i < l->n_rotations; i++)
        put_rotations(l, &l->rotations[i], l->rotations[i].store);
    l->drawn = -1;
}

/* ---- a step ---------------------------------------------------------------------------------- */

int exec_learn_run(exec_learner_t *l, const reformer_io_t *io, double share, bool first,
                   diag_t *d) {
    exec_t *e = l->e;
    reformer_io_t mine = *io;
    mine.dropout_seed = training_of(l)->seed;
    mine.dropout_step = (uint32_t)l->step;
    if (!first || share != 1) mine.ready = NULL; /* the sum is not done with them */
    l->threads = io->threads;
    l->pool = io->pool;
    take_step_rotations(l);
    if (!first && !l->gradients)
        l->gradients = zeros(l, "gradients of a micro-batch", l->plan->gradients, d);
    if (!first && !l->gradients) return EXEC_FAILED;
    if (!exec_make_room(e, exec_train_bytes(e, io->length, io->threads), d)) return EXEC_FAILED;
    int code = exec_run_gradients(e, &mine, first ? l->sum : l->gradients, e->workspace,
                                  e->workspace_bytes, d);
    if (code != REFORMER_OK || (first && share == 1)) return code;
    bool ok = first ? learner_set(l, share, d) : learner_add(l, share, d);
    return ok ? REFORMER_OK : EXEC_FAILED;
}

bool exec_learn_gradients(exec_learner_t *l, const reformer_io_t *io, double share, bool first,
                          diag_t *d) {
    return exec_went_well(exec_learn_run(l, io, share, first, d), d);
}

int64_t exec_learner_items(const exec_learner_t *l, const reformer_io_t *io) {
    return reformer_items(&l->desc, io);
}

bool exec_learner_half_items(const exec_learner_t *l, const reformer_io_t *io) {
    return reformer_half_items(&l->desc, io);
}

int exec_learner_step_items(const exec_learner_t *l, const reformer_io_t *io, size_t n,
                            int64_t *items, size_t *at) {
    return reformer_step_items(&l->desc, io, n, items, at);
}

typedef struct {
    exec_learner_t *l;
    diag_t *d;
} derivation_t;

static int derive(void *ctx, const reformer_io_t *io, double share, int first) {
    const derivation_t *x = ctx;
    return exec_learn_run(x->l, io, share, first, x->d);
}

int exec_learn_run_step(exec_learner_t *l, const reformer_io_t *io, size_t n, int64_t items,
                        double *loss, diag_t *d) {
    return reformer_step_derive(&l->desc, io, n, items, derive, &(derivation_t){l, d}, loss);
}

bool exec_learn_step(exec_learner_t *l, const reformer_io_t *io, size_t n, int64_t items,
                     double *loss, diag_t *d) {
    return exec_went_well(exec_learn_run_step(l, io, n, items, loss, d), d);
}

float *exec_learner_sum(exec_learner_t *l, size_t *floats) {
    *floats = (size_t)l->plan->gradients->data_end / sizeof(float);
    return l->sum;
}

static bool is_finite(double x) {
    return x - x == 0;
}

/* The first tensor that holds a NaN or an infinity; one does, since squares of finite numbers
 * do not overflow a double. */
static const char *bad_tensor(const exec_learner_t *l) {
    for (int i = 0; i < l->update->n; i++)
        for (int64_t k = 0; k < l->arrays[i].elements; k++)
            if (!is_finite((double)l->tensors[i].gradient[k])) return l->arrays[i].name;
    bug("a norm that is no finite number, of gradients that are");
}

static bool update(exec_learner_t *l, exec_update_t *done, diag_t *d) {
    *done = (exec_update_t){.rate = reformer_learning_rate(training_of(l), l->step)};
    if (!learner_norm(l, &done->norm, d)) return false;
    if (!is_finite(done->norm)) {
        done->bad = bad_tensor(l);
        return true;
    }
    if (!learner_update(l, done->norm, d)) return false;
    l->step++;
    return true;
}

bool exec_learn_update(exec_learner_t *l, exec_update_t *done, diag_t *d) {
    bool ok = update(l, done, d);
    give_threads_back(l);
    return ok;
}

int64_t exec_learner_step(const exec_learner_t *l) {
    return l->step;
}

void exec_learner_set_step(exec_learner_t *l, int64_t step) {
    l->step = step;
}

/* ---- a learner ------------------------------------------------------------------------------- */

const store_t *exec_learner_store(const exec_learner_t *l) {
    return l->store;
}

exec_learner_t *exec_learner_new(exec_t *e, const store_t *weights, diag_t *d) {
    if (!e->plan->update) bug("a learner of a plan that does not train");
    exec_learner_t *l = heap_new(1, sizeof *l);
    l->e = e;
    l->plan = e->plan;
    l->update = e->plan->update;
    plan_describe_labels(l->plan, &l->desc);
    l->arena = arena_new();
    l->store = store_view(weights);
    if (make_room(l, d)) {
        find_tensors(l);
        name_arrays(l);
        take_params(l, weights);
        find_rotations(l);
        if (exec_bind(e, l->store, d)) return l;
    }
    exec_learner_free(l);
    return NULL;
}

void exec_learner_free(exec_learner_t *l) {
    if (!l) return;
    heap_free(l->params);
    heap_free(l->sum);
    heap_free(l->gradients);
    for (int i = 0; i < REFORMER_STATES; i++) heap_free(l->states[i]);
    store_free(l->store);
    arena_free(l->arena);
    heap_free(l);
}
