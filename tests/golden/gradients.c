/* Gradients against Hugging Face's: of the reference evaluator, or of back ends, which are equal to the bit.
 *
 *   golden_gradients [--bf16] FOLDER [ACCUMULATE [BACKEND…]]
 *                                            grads.safetensors and the loss in outputs.safetensors; or, where FOLDER is a
 *                                            trajectory of training, first_gradients.safetensors and the first loss in
 *                                            trajectory.json, of ACCUMULATE micro-batches; or, where it says masks
 *                                            of dropout, grads.safetensors and the loss in masks.json
 *
 *   BACKEND: interpreter, jit, c:gcc … (c and a compiler): each runs its best target on one thread and two
 *
 *   --bf16: of train.dtype: bfloat16. The reference is near Hugging Face's float32, back ends are near the reference: as the
 *           lengths of all gradients together go, since a factor that is rounded to the other side moves whole tensors
 *
 * The loss to 1e-5, every gradient to 2e-5 of its tensor's largest magnitude; tensors whose largest is below 1e-7 are
 * noise around a zero, and ours must be as small. What the backward pass keeps and what it computes again makes no
 * difference. Exit 0: so it is; 1: not, or an error. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/exec.h"
#include "exec/targets.h"
#include "support/hash.h"
#include "support/heap.h"
#include "support/pages.h"

static const double loss_tolerance = 1e-5, tolerance = 2e-5, noise = 1e-7, same = 1e-9;
/* Of --bf16: measured were 7.2e-2, most of it from tokens that hash to other buckets, and 2.0e-3 */
static const double near_float32 = 0.1, near_reference = 5e-3;
/* A value that lies between two numbers of bf16 goes either way by its last bit. So a back end that is not near the reference is
 * to be near that of weights which differ by as much as their last bit, of one of so many; as near as any other is. */
enum { STIRS = 16 };
static const double last_bit = 1e-7;

typedef struct {
    const char *name;
    double *values;
    int64_t n;
} gradient_t;

typedef struct {
    gradient_t *list;
    size_t n, cap;
    double loss, weight; /* weight: of the batch that is being added */
} gradients_t;

typedef struct {
    arena_t *a;
    diag_t *d;
    const char *folder;
    int accumulate;
    bool rounds; /* --bf16 */
    uint64_t
        stirred; /* 0: the weights as they are; else the number of those that differ in their last bit */
    loaded_model_t model;
    st_file_t *inputs;
    graph_t *forward;
    store_t *store;
    char *masks; /* masks.json; NULL: nothing is dropped */
    graph_dropout_t dropout;
} case_t;

/* ---- the case ------------------------------------------------------------------------------------- */

static const char *in_case(const case_t *c, const char *file) {
    return arena_printf(c->a, "%s/%s", c->folder, file);
}

static const st_tensor_t *ids_of(const case_t *c) {
    return st_find(c->inputs, "input_ids");
}

/* What stands behind "NAME": in a text; NULL: it is not there. */
static const char *value_of(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at ? at + strlen(name) : NULL;
}

static bool read_masks(case_t *c) {
    const char *path = in_case(c, "masks.json");
    size_t bytes;
    if (!file_exists(path)) return true;
    char *text = c->masks = file_read(path, 0, &bytes, c->d);
    const char *seed = text ? value_of(text, "\"seed\":") : NULL;
    const char *step = text ? value_of(text, "\"step\":") : NULL;
    const char *row = text ? value_of(text, "\"first_row\":") : NULL;
    if (!seed || !step || !row) return false;
    c->dropout = (graph_dropout_t){.seed = strtoull(seed, NULL, 10),
                                   .step = (uint32_t)strtoul(step, NULL, 10),
                                   .first_row = strtoll(row, NULL, 10)};
    return true;
}

static bool open_case(case_t *c) {
    static const setting_t bf16 = {.key = "train.dtype", .value = "bfloat16"};
    weights_kind_t kind;
    bool ok =
        model_load(c->a, &c->model, c->folder, &bf16, c->rounds, c->d) &&
        weights_kind(in_case(c, "model.safetensors"), &kind, c->d) &&
        model_resolve(c->a, &c->model, kind.has_lm_head, kind.has_classifier, kind.has_qa, c->d) &&
        (c->inputs = st_open(in_case(c, "inputs.safetensors"), c->d)) && read_masks(c);
    if (!ok) return false;
    const st_tensor_t *ids = ids_of(c);
    graph_options_t o = {.batch = ids->shape[ids->rank - 2],
                         .length = ids->shape[ids->rank - 1],
                         .train = c->masks != NULL};
    c->forward = graph_build(c->a, c->model.spec, &o, c->d);
    if (c->forward)
        c->forward = graph_with_train_dtype(c->a, c->forward, c->model.spec->train.dtype, c->d);
    if (!c->forward) return false;
    const char *rotations = in_case(c, "rotations.safetensors");
    store_options_t from = {.path = in_case(c, "model.safetensors"),
                            .rotations_path = file_exists(rotations) ? rotations : NULL};
    c->store = store_load(c->forward, &from, c->d);
    return c->store != NULL;
}

/* Batch `number` of a tensor that has a dimension of batches, else all of it; NULL: the case has none. */
static int32_t *integers(const case_t *c, const char *name, int number) {
    const st_tensor_t *t = st_find(c->inputs, name);
    if (!t || t->dtype == ST_F32) return NULL;
    int32_t *x = ARENA_ARRAY(c->a, int32_t, t->elements);
    if (!st_to_i32(t, x, name, c->d)) return NULL;
    return ids_of(c)->rank == 3 ? x + number * (t->elements / t->shape[0]) : x;
}

static reformer_io_t input_of(const case_t *c, int number) {
    size_t batch = (size_t)c->forward->batch, length = (size_t)c->forward->length.c;
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = integers(c, "input_ids", number),
                        .batch = batch,
                        .length = length,
                        .labels = integers(c, "labels", number),
                        .start_positions = integers(c, "start_positions", number),
                        .end_positions = integers(c, "end_positions", number)};
    const int32_t *mask = integers(c, "attention_mask", number);
    if (!mask) return io;
    uint8_t *bytes = ARENA_ARRAY(c->a, uint8_t, batch * length);
    for (size_t i = 0; i < batch * length; i++) bytes[i] = mask[i] != 0;
    io.attention_mask = bytes;
    return io;
}

/* ---- ours ------------------------------------------------------------------------------------------ */

static const float *param_of(void *case_, const char *name) {
    const case_t *c = case_;
    const tensor_t *t = store_find(c->store, name);
    if (!c->stirred) return t->data;
    float *x = ARENA_ARRAY(c->a, float, t->elements);
    for (int64_t i = 0; i < t->elements; i++) {
        uint64_t chance = hash64(hash64(c->stirred, name, strlen(name)), &i, sizeof i);
        x[i] = (float)((double)t->data[i] * (1 + (chance & 1 ? last_bit : -last_bit)));
    }
    return x;
}

static gradient_t *find(const gradients_t *g, const char *name) {
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->list[i].name, name) == 0) return &g->list[i];
    return NULL;
}

static gradient_t *find_or_add(arena_t *a, gradients_t *g, const char *name, int64_t elements) {
    gradient_t *own = find(g, name);
    if (own) return own;
    gradient_t new = {name, ARENA_ARRAY(a, double, elements), elements};
    ARENA_PUSH(a, g->list, g->n, g->cap) = new;
    return &g->list[g->n - 1];
}

typedef struct {
    arena_t *a;
    gradients_t *g;
} taking_t;

static void take(void *ctx, const gnode_t *n, const double *values, int64_t elements) {
    taking_t *t = ctx;
    gradients_t *g = t->g;
    if (n->op != G_GRADIENT) {
        g->loss += g->weight * values[0];
        return;
    }
    gradient_t *own = find_or_add(t->a, g, n->in[1]->name, elements);
    for (int64_t i = 0; i < elements; i++) own->values[i] += g->weight * values[i];
}

/* Labels that count: what a micro-batch of a language model weighs. */
static double items(const case_t *c, const reformer_io_t *io) {
    const gnode_t *loss = graph_output(c->forward, "loss");
    double count = 0;
    for (size_t i = 0; i < io->batch * io->length; i++)
        count += io->labels[i] != -100 && (int64_t)(i % io->length) >= loss->shift;
    return count;
}

static double weight_of(const case_t *c, int number) {
    double all = 0;
    if (c->accumulate < 2) return 1;
    for (int i = 0; i < c->accumulate; i++) {
        reformer_io_t io = input_of(c, i);
        all += items(c, &io);
    }
    reformer_io_t io = input_of(c, number);
    return items(c, &io) / all;
}

static bool compute(const case_t *c, const bool *keep, gradients_t *g) {
    graph_gradient_options_t o = {.keep = keep};
    graph_t *train = graph_gradient(c->a, c->forward, &o, c->d);
    taking_t taking = {c->a, g};
    if (!train) return false;
    for (int i = 0; i < c->accumulate; i++) {
        reformer_io_t io = input_of(c, i);
        g->weight = weight_of(c, i);
        int code = graph_evaluate_gradients(train, param_of, (void *)c, &io,
                                            c->masks ? &c->dropout : NULL, false, take, &taking);
        if (code) printf("%s\n", reformer_strerror(code));
        if (code) return false;
    }
    return true;
}

/* ---- theirs ---------------------------------------------------------------------------------------- */

/* trajectory.json: "loss": [4.8, … */
static bool first_loss(const case_t *c, double *loss) {
    size_t bytes;
    char *text = file_read(in_case(c, "trajectory.json"), 0, &bytes, c->d);
    const char *at = text ? strstr(text, "\"loss\"") : NULL;
    at = at ? strchr(at, '[') : NULL;
    if (at) *loss = strtod(at + 1, NULL);
    free(text);
    return at != NULL;
}

static bool want_loss(const case_t *c, double *loss) {
    if (ids_of(c)->rank == 3) return first_loss(c, loss);
    if (c->masks) {
        const char *at = value_of(c->masks, "\"loss\":");
        if (at) *loss = strtod(at, NULL);
        return at != NULL;
    }
    st_file_t *f = st_open(in_case(c, "outputs.safetensors"), c->d);
    const st_tensor_t *t = f ? st_find(f, "loss") : NULL;
    float value = NAN;
    bool ok = t && st_to_f32(t, &value, "loss", c->d);
    *loss = value;
    if (f) st_close(f);
    return ok;
}

/* As the graph names them. */
static const char *short_name(const char *name) {
    static const char prefix[] = "reformer.";
    if (strncmp(name, prefix, sizeof prefix - 1) == 0) name += sizeof prefix - 1;
    return strcmp(name, "lm_head.decoder.bias") == 0 ? "lm_head.bias" : name;
}

typedef struct {
    int compared, failed;
    double worst; /* over the largest magnitude of its tensor */
    const char *of;
} tally_t;

static void compare(const case_t *c, const st_tensor_t *theirs, const gradient_t *ours,
                    tally_t *t) {
    float *want = ARENA_ARRAY(c->a, float, theirs->elements);
    double largest = 0, error = 0, own = 0;
    t->compared++;
    if (!ours || ours->n != theirs->elements || !st_to_f32(theirs, want, theirs->name, c->d)) {
        printf("  %-60s is missing, or has another size\n", theirs->name);
        t->failed++;
        return;
    }
    for (int64_t i = 0; i < ours->n; i++) {
        largest = fmax(largest, fabs((double)want[i]));
        own = fmax(own, fabs(ours->values[i]));
        double e = fabs(ours->values[i] - (double)want[i]);
        if (!(e <= error)) error = e; /* a NaN too */
    }
    bool zero = largest < noise;
    bool ok = zero ? own < noise : error <= tolerance * largest;
    if (!ok) printf("  %-60s off by %.3g of %.3g\n", theirs->name, error, largest);
    t->failed += !ok;
    if (!zero && !(error / largest <= t->worst)) t->worst = error / largest, t->of = theirs->name;
}

static bool compare_all(const case_t *c, const gradients_t *g) {
    bool steps = ids_of(c)->rank == 3;
    st_file_t *f =
        st_open(in_case(c, steps ? "first_gradients.safetensors" : "grads.safetensors"), c->d);
    tally_t t = {.of = "none"};
    double loss = NAN;
    if (!f || !want_loss(c, &loss)) return false;
    for (size_t i = 0; i < st_count(f); i++) {
        const st_tensor_t *theirs = st_at(f, i);
        const char *name = short_name(theirs->name);
        bool again = strcmp(theirs->name, "lm_head.decoder.bias") == 0 &&
                     st_find(f, "lm_head.bias"); /* the same tensor twice */
        if (!again) compare(c, theirs, find(g, name), &t);
    }
    double off = fabs(g->loss - loss);
    bool ok = t.failed == 0 && off <= loss_tolerance && (size_t)t.compared == g->n;
    printf("%s %d of %zu gradients, worst %.2e of its largest (%s); loss %.7f off by %.1e\n",
           ok ? "ok  " : "FAIL", t.compared, g->n, t.worst, t.of, g->loss, off);
    st_close(f);
    return ok;
}

/* ---- of bf16 --------------------------------------------------------------------------------------- */

static bool is_near(const gradients_t *ours, const gradients_t *want, double max) {
    double apart = 0, length = 0;
    bool ok = ours->n == want->n;
    for (size_t i = 0; i < want->n; i++) {
        const gradient_t *x = &want->list[i], *y = find(ours, x->name);
        ok = ok && y && y->n == x->n;
        for (int64_t k = 0; ok && k < x->n; k++) {
            apart += (y->values[k] - x->values[k]) * (y->values[k] - x->values[k]);
            length += x->values[k] * x->values[k];
        }
    }
    double off = sqrt(apart / length);
    ok = ok && off <= max && fabs(ours->loss - want->loss) <= max;
    printf("%s %zu gradients, off by %.1e of their length; loss %.7f off by %.1e\n",
           ok ? "ok  " : "far ", ours->n, off, ours->loss, fabs(ours->loss - want->loss));
    return ok;
}

static bool is_near_theirs(const case_t *c, const gradients_t *g) {
    st_file_t *f = st_open(in_case(c, "grads.safetensors"), c->d);
    gradients_t want = {0};
    if (!f || !want_loss(c, &want.loss)) return false;
    for (size_t i = 0; i < st_count(f); i++) {
        const st_tensor_t *t = st_at(f, i);
        float *values = ARENA_ARRAY(c->a, float, t->elements);
        if (!st_to_f32(t, values, t->name, c->d)) return false;
        gradient_t *to = find_or_add(c->a, &want, short_name(t->name), t->elements);
        for (int64_t k = 0; k < t->elements; k++) to->values[k] = (double)values[k];
    }
    bool near = is_near(g, &want, near_float32); /* whose names are the file's */
    st_close(f);
    return near;
}

static bool is_near_reference(const case_t *c, const gradients_t *g) {
    case_t other = *c;
    for (; other.stirred <= STIRS; other.stirred++) {
        gradients_t want = {0};
        if (!compute(&other, NULL, &want)) return false;
        if (is_near(g, &want, near_reference)) return true;
    }
    return false;
}

/* All that can be is kept, or nothing. */
static bool compare_kept(const case_t *c, gradients_t *g) {
    bool *keep = ARENA_ARRAY(c->a, bool, c->forward->n_nodes), ok = true;
    gradients_t kept = {0};
    memset(keep, true, c->forward->n_nodes * sizeof *keep);
    if (!compute(c, keep, &kept)) return false;
    double worst = 0;
    for (size_t i = 0; i < g->n; i++) {
        const gradient_t *x = &g->list[i], *y = find(&kept, x->name);
        double largest = noise, error = 0;
        for (int64_t k = 0; y && k < x->n; k++) {
            largest = fmax(largest, fabs(x->values[k]));
            error = fmax(error, fabs(x->values[k] - y->values[k]));
        }
        ok = ok && y && error <= same * largest;
        worst = fmax(worst, error / largest);
    }
    printf("%s kept and computed again differ by %.1e\n", ok ? "ok  " : "FAIL", worst);
    return ok;
}

/* ---- back ends ------------------------------------------------------------------------------------- */

/* Adds what one step gave; *bits: of all of it. */
static void add_step(const case_t *c, const plan_t *p, const float *gradients, gradients_t *g,
                     uint64_t *bits) {
    for (int i = 0; i < p->gradients->n; i++) {
        const layout_entry_t *e = &p->gradients->entries[i];
        const float *at = gradients + e->offset / (int64_t)sizeof *at;
        int64_t n = e->bytes / (int64_t)sizeof *at / e->count;
        *bits = hash64(*bits, at, (size_t)e->bytes);
        for (int k = 0; k < e->count; k++, at += n) {
            gradient_t *own = find_or_add(c->a, g, e->source[k], n);
            for (int64_t j = 0; j < n; j++) own->values[j] += g->weight * (double)at[j];
        }
    }
}

/* In memory that holds NaN: nothing may be read that the step has not written. */
static bool run_step(const case_t *c, exec_t *e, const reformer_io_t *io, float *gradients) {
    size_t bytes = exec_train_bytes(e, io->length, io->threads);
    void *workspace = pages_alloc(bytes ? bytes : 1);
    if (!workspace) return false;
    memset(workspace, 0xFF, bytes);
    int code = exec_run_gradients(e, io, gradients, workspace, bytes, c->d);
    if (code > REFORMER_OK) printf("%s\n", reformer_strerror(code));
    heap_free(workspace);
    return code == REFORMER_OK;
}

static bool run_steps(const case_t *c, const plan_t *p, exec_t *e, int threads, gradients_t *g,
                      uint64_t *bits) {
    float *gradients = exec_gradients_new(e, c->d), loss;
    bool ok = gradients != NULL;
    for (int i = 0; ok && i < c->accumulate; i++) {
        reformer_io_t io = input_of(c, i);
        io.threads = threads;
        io.loss = &loss;
        io.dropout_seed = c->dropout.seed;
        io.dropout_step = c->dropout.step;
        io.dropout_row = (uint32_t)c->dropout.first_row;
        ok = run_step(c, e, &io, gradients);
        g->weight = weight_of(c, i);
        if (!ok) break;
        add_step(c, p, gradients, g, bits);
        g->loss += g->weight * (double)loss;
        *bits = hash64(*bits, &loss, sizeof loss);
    }
    heap_free(gradients);
    return ok;
}

/* "c:clang": back end c by this compiler. */
static bool run_backend(const case_t *c, plan_t *p, const char *name, uint64_t *bits) {
    const char *cc = strchr(name, ':');
    exec_options_t o = {.cc = cc ? cc + 1 : NULL};
    size_t n = strcspn(name, ":");
    if (!backend_parse(arena_strndup(c->a, name, n), "golden_gradients", &o.backend, c->d))
        return false;
    exec_t *e = exec_open(p, c->store, &o, c->d);
    bool ok = e != NULL;
    for (int threads = 1; ok && threads <= 2; threads++) {
        gradients_t g = {0};
        uint64_t own = HASH64_INIT;
        ok = run_steps(c, p, e, threads, &g, &own) &&
             (c->rounds ? is_near_reference : compare_all)(c, &g);
        if (*bits == 0) *bits = own;
        bool equal = own == *bits;
        printf("%s %s, %d thread%s: %s\n", ok && equal ? "ok  " : "FAIL", name, threads,
               threads == 1 ? "" : "s", equal ? "the same bits" : "other bits than the first");
        ok = ok && equal;
    }
    exec_close(e);
    return ok;
}

static bool run_backends(const case_t *c, int n, char **names) {
    plan_options_t po = {.name = "model",
                         .exact_length = c->forward->length.c,
                         .exact_batch = c->forward->batch,
                         .train = TRAIN_ALONE};
    target_request_t asked = {.where = "golden_gradients",
                              .otherwise = TARGET_NATIVE,
                              .runs = true,
                              .backend = BACKEND_C};
    if (!targets_choose(&po, c->model.spec, &asked, c->d)) return false;
    plan_t *p = plan_of_model(c->a, &c->model, &po, c->d);
    uint64_t bits = 0;
    bool ok = p != NULL;
    for (int i = 0; i < n && ok; i++) ok = run_backend(c, p, names[i], &bits);
    return ok;
}

int main(int argc, char **argv) {
    bool rounds = argc > 1 && strcmp(argv[1], "--bf16") == 0;
    argc -= rounds;
    argv += rounds;
    if (argc < 2) {
        fputs("usage: golden_gradients [--bf16] FOLDER [ACCUMULATE [BACKEND…]]\n", stderr);
        return 2;
    }
    case_t c = {.a = arena_new(),
                .d = diag_new(),
                .folder = argv[1],
                .rounds = rounds,
                .accumulate = argc > 2 ? atoi(argv[2]) : 1};
    gradients_t g = {0};
    bool ok = open_case(&c);
    if (argc > 3) ok = ok && run_backends(&c, argc - 3, argv + 3);
    else
        ok = ok && compute(&c, NULL, &g) && (rounds ? is_near_theirs : compare_all)(&c, &g) &&
             compare_kept(&c, &g);
    diag_print(c.d, stderr);
    if (c.store) store_free(c.store);
    if (c.inputs) st_close(c.inputs);
    free(c.masks);
    diag_free(c.d);
    arena_free(c.a);
    return !ok;
}
