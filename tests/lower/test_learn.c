/* Executors that learn: the same steps to the bit by interpreter, C and JIT, whatever the threads, and close to the
 * reference's; forwards that read what was learnt; arrays that a training goes on from; rotations of steps and of
 * evaluation; gradients that are no numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec/learn.h"
#include "plan_of.h"

enum { ROWS = 2, LENGTH = 32, TOKENS = ROWS * LENGTH, VOCAB = 19, MICRO = 2 };

static const char model_text[] = "architectures: [ReformerModelWithLMHead]\n"
                                 "is_decoder: true\n"
                                 "vocab_size: 19\n"
                                 "attn_layers: [local, lsh, lsh]\n"
                                 "hidden_size: 16\n"
                                 "num_attention_heads: 2\n"
                                 "attention_head_size: 8\n"
                                 "feed_forward_size: 24\n"
                                 "axial_pos_shape: [4, 8]\n"
                                 "axial_pos_embds_dim: [8, 8]\n"
                                 "max_position_embeddings: 32\n"
                                 "local_attn_chunk_length: 8\n"
                                 "lsh_attn_chunk_length: 8\n"
                                 "num_buckets: 4\n"
                                 "hidden_act: gelu\n"
                                 "hidden_dropout_prob: 0.1\n"
                                 "initializer_range: 0.3\n";

typedef struct {
    arena_t *a;
    diag_t *d;
    plan_t *plan;
    store_t *store;
    exec_t *e;
    exec_learner_t *l;
    int32_t *ids, *labels; /* [MICRO][ROWS][LENGTH] */
    int threads;
    float loss;
} run_t;

static void must(run_t *r, bool ok) {
    if (ok) return;
    diag_print(r->d, stderr);
    fail_msg("see the messages above");
}

/* Every third label counts in the first half, every second one in the other. */
static void draw_inputs(run_t *r) {
    uint32_t seed = 11;
    r->ids = ARENA_ARRAY(r->a, int32_t, MICRO * TOKENS);
    r->labels = ARENA_ARRAY(r->a, int32_t, MICRO * TOKENS);
    for (int i = 0; i < MICRO * TOKENS; i++) {
        seed = seed * 1664525 + 1013904223;
        r->ids[i] = (int32_t)((seed >> 8) % VOCAB);
        r->labels[i] = i % (i < TOKENS ? 3 : 2) ? -100 : r->ids[i];
    }
}

static run_t begin(backend_t backend, const char *train, int threads) {
    run_t r = {.a = arena_new(), .d = diag_new(), .threads = threads};
    const char *text =
        arena_printf(r.a, "%strain: %s\ncompile: {batch_size: %d, sequence_length: %d}\n",
                     model_text, train, ROWS, LENGTH);
    const target_t *native = target_find("x86-64-v3");
    plan_options_t o = {
        .name = "model", .n_targets = 1, .targets = {native}, .train = TRAIN_TOO, .updates = true};
    r.plan = plan_of(r.a, text, &o, r.d);
    must(&r, r.plan != NULL);
    store_options_t so = {.path = "random:3", .seed = 4};
    r.store = store_load(r.plan->trains[0].graph, &so, r.d);
    must(&r, r.store != NULL);
    exec_options_t eo = {.backend = backend};
    r.e = exec_open(r.plan, NULL, &eo, r.d);
    must(&r, r.e != NULL);
    r.l = exec_learner_new(r.e, r.store, r.d);
    must(&r, r.l != NULL);
    draw_inputs(&r);
    return r;
}

static void end(run_t *r) {
    exec_learner_free(r->l);
    exec_close(r->e);
    store_free(r->store);
    diag_free(r->d);
    arena_free(r->a);
}

static double share_of(const run_t *r, int k) {
    int n[MICRO] = {0};
    for (int i = 0; i < MICRO * TOKENS; i++) n[i / TOKENS] += i % LENGTH && r->labels[i] != -100;
    return (double)n[k] / (n[0] + n[1]);
}

static reformer_io_t io_of(run_t *r, int k) {
    return (reformer_io_t){.size = sizeof(reformer_io_t),
                           .input_ids = r->ids + k * TOKENS,
                           .labels = r->labels + k * TOKENS,
                           .batch = ROWS,
                           .length = LENGTH,
                           .threads = r->threads,
                           .loss = &r->loss,
                           .dropout_row = (uint32_t)(k * ROWS)};
}

static exec_update_t step(run_t *r) {
    exec_update_t done;
    for (int k = 0; k < MICRO; k++) {
        reformer_io_t io = io_of(r, k);
        must(r, exec_learn_gradients(r->l, &io, share_of(r, k), k == 0, r->d));
    }
    must(r, exec_learn_update(r->l, &done, r->d));
    return done;
}

static void all_close(const exec_array_t *a, const exec_array_t *b, double within) {
    double largest = 1e-12, worst = 0;
    assert_int_equal(a->elements, b->elements);
    if (within == 0 && memcmp(a->data, b->data, (size_t)a->elements * sizeof *a->data) != 0)
        fail_msg("%s: other bits", a->name);
    for (int64_t i = 0; i < a->elements; i++) {
        if (!isfinite(a->data[i]) || !isfinite(b->data[i]))
            fail_msg("%s: no number at %lld", a->name, (long long)i);
        largest = fmax(largest, fabs((double)b->data[i]));
        worst = fmax(worst, fabs((double)a->data[i] - (double)b->data[i]));
    }
    if (!(worst <= within * largest)) fail_msg("%s: off by %g of %g", a->name, worst, largest);
}

/* within 0: to the bit. */
static void same_arrays(const run_t *r, const run_t *want, double within) {
    exec_array_t a, b;
    assert_int_equal(exec_learner_arrays(r->l), exec_learner_arrays(want->l));
    for (size_t i = 0; i < exec_learner_arrays(r->l); i++) {
        exec_learner_array(r->l, i, &a);
        exec_learner_array(want->l, i, &b);
        assert_string_equal(a.name, b.name);
        all_close(&a, &b, within);
    }
}

/* Of the second micro-batch, by what evaluation reads. */
static float evaluated(run_t *r, exec_t *e) {
    reformer_io_t io = io_of(r, 1);
    must(r, exec_forward(e, &io, r->d));
    return r->loss;
}

/* ---- the same steps ------------------------------------------------------------------------------- */

static const char adamw[] =
    "{optimizer: {type: adamw, lr: 0.01, weight_decay: 0.1}, max_grad_norm: 1, "
    "schedule: {type: linear, warmup: 2, total: 9}, seed: 5, steps: 9}";

static const struct {
    backend_t backend;
    int threads;
} others[] = {{BACKEND_INTERPRETER, 1}, {BACKEND_C, 1}, {BACKEND_JIT, 3}};

static void every_back_end_learns_the_same(void **state) {
    (void)state;
    enum { STEPS = 3 };
    run_t want = begin(BACKEND_REFERENCE, adamw, 1), first = {0};
    exec_update_t done[STEPS];
    for (int k = 0; k < STEPS; k++) done[k] = step(&want);
    assert_true(done[0].rate == 0 && done[1].rate == 0.005 && done[2].rate == 0.01);
    assert_true(!done[0].bad && done[0].norm > 1);
    exec_learner_evaluates(want.l, true);
    float loss = evaluated(&want, want.e);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (!backend_is_built_in(others[i].backend)) continue;
        run_t r = begin(others[i].backend, adamw, others[i].threads);
        for (int k = 0; k < STEPS; k++) {
            exec_update_t own = step(&r);
            assert_true(fabs(own.norm - done[k].norm) < 2e-5 * done[k].norm);
            assert_true(own.rate == done[k].rate);
        }
        same_arrays(&r, &want, 2e-4); /* Adam makes full steps of gradients that are all rounding */
        exec_learner_evaluates(r.l, true);
        assert_true(fabsf(evaluated(&r, r.e) - loss) < 1e-4F);
        if (first.l) same_arrays(&r, &first, 0);
        if (first.l) end(&r);
        else first = r;
    }
    end(&first);
    end(&want);
}

/* What the executor's forwards read is what anybody packs from the learner's store. */
static void forwards_read_what_was_learnt(void **state) {
    (void)state;
    for (backend_t b = BACKEND_C; b < BACKEND_COUNT; b++) {
        run_t r = begin(b, adamw, 1);
        float before = evaluated(&r, r.e);
        for (int k = 0; k < 2; k++) (void)step(&r);
        exec_learner_evaluates(r.l, true);
        float after = evaluated(&r, r.e);
        assert_true(after != before);
        exec_options_t o = {.backend = b};
        exec_t *e = exec_open(r.plan, exec_learner_store(r.l), &o, r.d);
        must(&r, e != NULL);
        assert_true(evaluated(&r, e) == after);
        exec_close(e);
        end(&r);
    }
}

/* ---- going on -------------------------------------------------------------------------------------- */

static void goes_on_from_its_arrays(void **state) {
    (void)state;
    static const char *const rules[] = {
        adamw, "{optimizer: {type: sgd, lr: 0.1, momentum: 0.9, dampening: 0.5}, seed: 1}",
        "{optimizer: {type: adafactor, beta1: 0.9}, seed: 1}"};
    for (int rule = 0; rule < 3; rule++) {
        run_t whole = begin(BACKEND_INTERPRETER, rules[rule], 1);
        run_t half = begin(BACKEND_INTERPRETER, rules[rule], 1);
        for (int k = 0; k < 3; k++) (void)step(&whole);
        for (int k = 0; k < 2; k++) (void)step(&half);
        run_t on = begin(BACKEND_INTERPRETER, rules[rule], 1);
        exec_array_t a, b;
        for (size_t i = 0; i < exec_learner_arrays(on.l); i++) {
            exec_learner_array(half.l, i, &a);
            exec_learner_array(on.l, i, &b);
            memcpy(b.data, a.data, (size_t)a.elements * sizeof(float));
        }
        must(&on, exec_learner_restore(on.l, on.d));
        exec_learner_set_step(on.l, exec_learner_step(half.l));
        (void)step(&on);
        assert_int_equal(exec_learner_step(on.l), 3);
        same_arrays(&on, &whole, 0);
        end(&whole);
        end(&half);
        end(&on);
    }
}

/* ---- names ----------------------------------------------------------------------------------------- */

static void arrays_have_hugging_faces_names(void **state) {
    (void)state;
    run_t r = begin(BACKEND_REFERENCE, "{optimizer: {type: adafactor}}", 1);
    static const struct {
        const char *name;
        int rank;
        int64_t shape[3];
    } want[] = {
        {"reformer.embeddings.position_embeddings.weights.0", 3, {4, 1, 8}},
        {"exp_avg_sq_row.reformer.embeddings.position_embeddings.weights.0", 2, {4, 1}},
        {"exp_avg_sq_col.reformer.embeddings.position_embeddings.weights.0", 2, {4, 8}},
        {"exp_avg_sq_row.reformer.embeddings.position_embeddings.weights.1", 2, {1, 8}},
        {"exp_avg_sq_col.reformer.embeddings.position_embeddings.weights.1", 2, {1, 8}},
        {"reformer.encoder.layers.2.attention.self_attention.query_key.weight", 2, {16, 16}},
        {"exp_avg_sq_row.lm_head.decoder.weight", 1, {VOCAB}},
        {"exp_avg_sq_col.lm_head.decoder.weight", 1, {32}},
        {"exp_avg_sq_row.reformer.encoder.layer_norm.bias", 1, {32}},
    };
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        exec_array_t a;
        size_t i = 0, n = exec_learner_arrays(r.l);
        for (; i < n; i++) {
            exec_learner_array(r.l, i, &a);
            if (strcmp(a.name, want[k].name) == 0) break;
        }
        if (i == n) fail_msg("no array %s", want[k].name);
        assert_int_equal(a.state, strncmp(a.name, "exp_", 4) == 0);
        if (a.rank != want[k].rank) fail_msg("%s: rank %d", a.name, a.rank);
        for (int j = 0; j < a.rank; j++) assert_int_equal(a.shape[j], want[k].shape[j]);
    }
    end(&r);
}

static float decayed(run_t *r, const char *name) {
    exec_array_t a;
    for (size_t i = 0; i < exec_learner_arrays(r->l); i++) {
        exec_learner_array(r->l, i, &a);
        if (strcmp(a.name, name) == 0) return a.data[0];
    }
    fail_msg("no array %s", name);
    return 0;
}

/* Where rate times decay (in trax decay alone) is 1, decay leaves nothing of a weight: there stands Adam's step alone, of
 * the size of the rate. */
static void decay_follows_the_list(void **state) {
    (void)state;
    static const char norm[] = "reformer.encoder.layer_norm.weight"; /* 1 at the start */
    static const struct {
        const char *train;
        float left;
    } cases[] = {
        {"{optimizer: {type: adamw, lr: 0.01, weight_decay: 100}}", 1},
        {"{optimizer: {type: adamw, lr: 0.01, weight_decay: 100}, no_decay: ['*.bias']}", 0},
        {"{optimizer: {type: adam, dialect: trax, lr: 0.01, weight_decay: 1}}", 0},
        {"{optimizer: {type: adam, dialect: trax, lr: 0.01, weight_decay: 1}, no_decay: ['*norm*']}",
         1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run_t r = begin(BACKEND_REFERENCE, cases[i].train, 1);
        (void)step(&r);
        float is = decayed(&r, norm);
        if (!(fabsf(is - cases[i].left) < 0.011F)) fail_msg("%s: %g", cases[i].train, (double)is);
        end(&r);
    }
}

/* ---- rotations ------------------------------------------------------------------------------------- */

static void rotations_are_a_steps_own(void **state) {
    (void)state;
    static const char name[] = "layers.2.rotations";
    run_t r = begin(BACKEND_INTERPRETER, adamw, 1);
    const tensor_t *own = store_find(r.store, name);
    assert_true(own->drawn);
    size_t bytes = (size_t)own->elements * sizeof(float);
    float *first = arena_alloc(r.a, bytes);
    float before = evaluated(&r, r.e);
    reformer_io_t io = io_of(&r, 0);
    must(&r, exec_learn_gradients(r.l, &io, 1, true, r.d));
    memcpy(first, store_find(exec_learner_store(r.l), name)->data, bytes);
    assert_memory_not_equal(first, own->data, bytes);
    reformer_rotations_t of = {.layer = 2, .heads = 2, .head_size = 8, .rounds = 1, .half = 2};
    assert_int_equal(own->elements, 2 * 8 * 2);
    float *want = arena_alloc(r.a, bytes);
    reformer_draw_rotations(&of, 5, 0, 0, 0, 1, want);
    assert_memory_equal(first, want, bytes);
    assert_true(evaluated(&r, r.e) != before); /* by a step's rotations */
    exec_learner_evaluates(r.l, true);
    assert_true(evaluated(&r, r.e) == before);
    exec_learner_set_step(r.l, 1);
    exec_learner_evaluates(r.l, false);
    assert_memory_not_equal(store_find(exec_learner_store(r.l), name)->data, first, bytes);
    end(&r);
}

static void rotations_of_a_seed_stay(void **state) {
    (void)state;
    run_t r = begin(BACKEND_REFERENCE, "{seed: 5}\nhash_seed: 7", 1);
    const tensor_t *own = store_find(r.store, "layers.1.rotations");
    assert_false(own->drawn);
    (void)step(&r);
    assert_ptr_equal(store_find(exec_learner_store(r.l), "layers.1.rotations")->data, own->data);
    end(&r);
}

/* ---- no numbers ------------------------------------------------------------------------------------ */

static void what_is_no_number_changes_nothing(void **state) {
    (void)state;
    for (backend_t b = BACKEND_REFERENCE; b < BACKEND_COUNT; b++) {
        run_t r = begin(b, adamw, 1), untouched = begin(b, adamw, 1);
        size_t n;
        reformer_io_t io = io_of(&r, 0);
        must(&r, exec_learn_gradients(r.l, &io, 1, true, r.d));
        exec_array_t a;
        exec_learner_array(r.l, 5, &a);
        float *sum = exec_learner_sum(r.l, &n);
        for (size_t i = 0; i < n; i++) sum[i] = 0;
        reformer_tensor_t t = {.size = sizeof t};
        for (size_t i = 0; exec_gradient(r.e, i, &t) == REFORMER_OK; i++)
            if (strcmp(t.name, a.name) == 0) sum[t.offset + 1] = NAN;
        exec_update_t done;
        must(&r, exec_learn_update(r.l, &done, r.d));
        assert_false(isfinite(done.norm));
        assert_non_null(done.bad);
        assert_string_equal(done.bad, a.name);
        assert_int_equal(exec_learner_step(r.l), 0);
        same_arrays(&r, &untouched, 0);
        end(&r);
        end(&untouched);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_back_end_learns_the_same),
        cmocka_unit_test(forwards_read_what_was_learnt),
        cmocka_unit_test(goes_on_from_its_arrays),
        cmocka_unit_test(arrays_have_hugging_faces_names),
        cmocka_unit_test(decay_follows_the_list),
        cmocka_unit_test(rotations_are_a_steps_own),
        cmocka_unit_test(rotations_of_a_seed_stay),
        cmocka_unit_test(what_is_no_number_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
