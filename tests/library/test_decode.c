/* Generation through the library: every back end against the reference, rows of a batch against each alone, many
 * threads on one model, memory, errors. Models are small and their chunks short, so that windows wrap, buckets
 * overflow what is kept of them, and rows pass from "no buckets" to buckets within a few dozen tokens.
 *
 *     test_library_decode [long] */
#include <math.h>
#include <pthread.h>

#include "library_test.h"

enum { VOCAB = 40, MAX = 8, STEPS = 90 };

static const char spec_text[] = "architectures: [ReformerModelWithLMHead]\n"
                                "is_decoder: true\n"
                                "vocab_size: 40\n"
                                "attn_layers: [local, lsh, lsh]\n"
                                "hidden_size: 24\n"
                                "num_attention_heads: 3\n"
                                "attention_head_size: 10\n"
                                "feed_forward_size: 40\n"
                                "axial_pos_shape: [16, 16]\n"
                                "axial_pos_embds_dim: [8, 16]\n"
                                "max_position_embeddings: 256\n"
                                "local_attn_chunk_length: 6\n"
                                "lsh_attn_chunk_length: 4\n"
                                "local_num_chunks_before: 2\n"
                                "num_hashes: 3\n"
                                "num_buckets: [2, 4]\n"
                                "hash_seed: 11\n"
                                "initializer_range: 0.3\n";

/* ---- a model, and what it writes --------------------------------------------------------------------------- */

static reformerc_model_t *compile(const char *backend, const char *const *settings, size_t n) {
    reformerc_options_t o = {.size = sizeof o,
                             .backend = backend,
                             .settings = settings,
                             .n_settings = n,
                             .weights = "random:5",
                             .decode = 1};
    reformerc_model_t *m = NULL;
    char *message = NULL;
    int error = reformerc_compile(&m, "small.yaml", spec_text, &o, &message);
    if (error) fail_msg("%s: %s", reformerc_strerror(error), message);
    free(message);
    return m;
}

typedef struct {
    reformerc_context_t *context;
    reformerc_cache_t *cache;
    int batch;
} writer_t;

static writer_t writer_open(const reformerc_model_t *m, int threads) {
    writer_t w = {0};
    reformerc_info_t info = {.size = sizeof info};
    reformerc_info(m, &info);
    w.batch = (int)info.batch;
    assert_int_equal(reformerc_context_new(&w.context, m, threads), 0);
    size_t prompt = info.max_length < 100 ? (size_t)info.max_length : 100;
    assert_int_equal(reformerc_cache_new(&w.cache, w.context, 220, prompt), 0);
    return w;
}

static void writer_close(writer_t *w) {
    reformerc_cache_free(w->cache);
    reformerc_context_free(w->context);
}

static int32_t token_of(int row, int t) {
    uint32_t x = (uint32_t)(row * 977 + t + 1) * 2654435761u;
    return (int32_t)((x >> 13) % VOCAB);
}

/* Prompts of row r: its own tokens 0 … lengths[r] - 1, at the right end; then its own tokens go on. */
static void write_rows(writer_t *w, const int *lengths, int rows, int steps, int first_row,
                       float *logits /* [steps][MOST][VOCAB] */) {
    enum { LONGEST = 100 };
    static _Thread_local int32_t ids[MAX * LONGEST];
    static _Thread_local uint8_t mask[MAX * LONGEST];
    int length = 0;
    for (int r = 0; r < rows; r++)
        if (lengths[r] > length) length = lengths[r];
    for (int r = 0; r < rows; r++)
        for (int t = 0; t < length; t++) {
            int own = t - (length - lengths[r]);
            ids[r * length + t] = own < 0 ? VOCAB + 100 : token_of(first_row + r, own);
            mask[r * length + t] = own >= 0;
        }
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .attention_mask = mask,
                            .batch = (size_t)rows,
                            .length = (size_t)length,
                            .logits = logits};
    assert_int_equal(reformerc_prefill(w->cache, &io), 0);
    for (int s = 1; s < steps; s++) {
        int32_t next[MAX];
        for (int r = 0; r < rows; r++) next[r] = token_of(first_row + r, lengths[r] + s - 1);
        io = (reformer_decode_t){.size = sizeof(reformer_decode_t),
                                 .input_ids = next,
                                 .batch = (size_t)rows,
                                 .logits = logits + s * MAX * VOCAB};
        if (reformerc_step(w->cache, &io))
            fail_msg("step %d: %s", s, reformerc_context_message(w->context));
    }
    for (int r = 0; r < rows; r++)
        assert_int_equal(reformerc_cache_tokens(w->cache, (size_t)r), lengths[r] + steps - 1);
}

static float *new_logits(void) {
    float *x = calloc((size_t)STEPS * MAX * VOCAB, sizeof *x);
    assert_non_null(x);
    return x;
}

static const float *at(const float *logits, int step, int row) {
    return logits + (step * MAX + row) * VOCAB;
}

static void assert_close(const float *x, const float *y, const char *what, int length, int step) {
    float max = 1, worst = 0;
    for (int i = 0; i < VOCAB; i++) {
        if (fabsf(y[i]) > max) max = fabsf(y[i]);
        if (!(fabsf(x[i] - y[i]) <= worst)) worst = fabsf(x[i] - y[i]);
    }
    if (!(worst <= 2e-5F * max))
        fail_msg("%s, prompt of %d, step %d: differs by %g", what, length, step, (double)worst);
}

/* ---- back ends ------------------------------------------------------------------------------------------------ */

static const int some_lengths[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 24, 31, 60};
enum { SOME = sizeof some_lengths / sizeof *some_lengths };

enum { REFERENCE, INTERPRETER, DEFAULT, C_CODE, SIDES };
static bool long_form; /* C of every shape: a compiler takes seconds for each */

/* Compiled code against the oracle, and against other back ends to the bit. */
static void compare_backends(const char *const *settings, size_t n, const int *lengths, int count,
                             bool c_code) {
    static const char *const names[SIDES] = {"reference", "interpreter", NULL, "c"};
    reformerc_model_t *m[SIDES];
    float *logits[SIDES];
    int sides = c_code || long_form ? SIDES : C_CODE;
    for (int k = 0; k < sides; k++) {
        m[k] = compile(names[k], settings, n);
        logits[k] = new_logits();
    }
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < sides; k++) {
            writer_t w = writer_open(m[k], 2);
            write_rows(&w, &lengths[i], 1, STEPS, 0, logits[k]);
            writer_close(&w);
        }
        for (int s = 0; s < STEPS; s++) {
            for (int k = DEFAULT; k < sides; k++)
                assert_memory_equal(at(logits[k], s, 0), at(logits[INTERPRETER], s, 0),
                                    VOCAB * sizeof(float));
            assert_close(at(logits[DEFAULT], s, 0), at(logits[REFERENCE], s, 0), "compiled",
                         lengths[i], s);
        }
    }
    for (int k = 0; k < sides; k++) {
        free(logits[k]);
        reformerc_free(m[k]);
    }
}

static void back_ends_agree(void **state) {
    (void)state;
    compare_backends(NULL, 0, some_lengths, SOME, true);
}

/* Two buckets: most of their tokens are forgotten on the way. A window of one key. Exact lengths, of which the
 * smallest that holds the prompt is taken. */
static void of_other_shapes(void **state) {
    (void)state;
    static const int few[] = {3, 17};
    static const char *const crowded[] = {"num_buckets=2", "num_hashes=1",
                                          "lsh_num_chunks_before=2"};
    static const char *const lone[] = {"lsh_attn_chunk_length=1", "lsh_num_chunks_before=0",
                                       "num_hashes=2"};
    static const char *const lengths[] = {"compile.sequence_length=[4,12,36]"};
    static const char *const local[] = {"attn_layers=[local,local]", "local_num_chunks_before=1"};
    static const char *const wide[] = {"attn_layers=[lsh]", "attention_head_size=40",
                                       "num_buckets=null", "hidden_act=gelu"};
    compare_backends(crowded, 3, few, 2, false);
    compare_backends(lone, 3, few, 2, false);
    compare_backends(lengths, 1, few, 2, false);
    compare_backends(local, 2, few, 2, false);
    compare_backends(wide, 4, few, 2, false);
}

/* The defects of Hugging Face's bookkeeping, compiled: prompts that were padded, whose tokens are then filed by another
 * count of buckets, and windows that begin before the first token. */
static void with_upstream_bookkeeping(void **state) {
    (void)state;
    static const int few[] = {1, 7, 13, 17, 30};
    static const char *const usual[] = {"compile.decode=huggingface"};
    static const char *const crowded[] = {"compile.decode=huggingface", "num_buckets=4",
                                          "num_hashes=2"};
    compare_backends(usual, 1, few, 5, true);
    compare_backends(crowded, 3, few, 5, false);
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

/* Eight different prompts side by side, padded at the left, give bit for bit what each gives alone. */
static void rows_are_alone(void **state) {
    (void)state;
    static const char *const batch[] = {"compile.batch_size=8"};
    static const char *const backends[] = {NULL, "c", "reference"};
    static const int lengths[MAX] = {1, 3, 4, 5, 8, 13, 24, 61};
    for (int k = 0; k < 3; k++) {
        reformerc_model_t *many = compile(backends[k], batch, 1),
                          *one = compile(backends[k], NULL, 0);
        writer_t w = writer_open(many, 2);
        float *together = new_logits(), *alone = new_logits();
        write_rows(&w, lengths, MAX, STEPS, 0, together);
        writer_close(&w);
        for (int r = 0; r < MAX; r++) {
            w = writer_open(one, 1);
            write_rows(&w, &lengths[r], 1, STEPS, r, alone);
            writer_close(&w);
            for (int s = 0; s < STEPS; s++)
                assert_memory_equal(at(together, s, r), at(alone, s, 0), VOCAB * sizeof(float));
        }
        free(together);
        free(alone);
        reformerc_free(many);
        reformerc_free(one);
    }
}

/* A row that rests keeps what it holds, its outputs are not touched; a row is filled anew while others stay. */
static void rows_rest(void **state) {
    (void)state;
    static const char *const batch[] = {"compile.batch_size=3"};
    static const int lengths[] = {9, 5, 14};
    reformerc_model_t *m = compile(NULL, batch, 1);
    writer_t w = writer_open(m, 1), v = writer_open(m, 1);
    float *x = new_logits(), *y = new_logits();
    write_rows(&w, lengths, 3, 4, 0, x);
    write_rows(&v, lengths, 3, 4, 0, y);
    int32_t ids[] = {7, -1, 3}, fill[] = {0, 0, 1, 2, 0, 0};
    uint8_t mask[] = {1, 0, 0}, fill_mask[] = {0, 0, 1, 1, 0, 0};
    x[VOCAB] = 123;
    reformer_decode_t io = {
        .size = sizeof io, .input_ids = ids, .attention_mask = mask, .batch = 3, .logits = x};
    assert_int_equal(reformerc_step(w.cache, &io), 0);
    assert_true(x[VOCAB] == 123);
    assert_int_equal(reformerc_cache_tokens(w.cache, 0), 13);
    assert_int_equal(reformerc_cache_tokens(w.cache, 1), 8);
    io = (reformer_decode_t){.size = sizeof(reformer_decode_t),
                             .input_ids = fill,
                             .attention_mask = fill_mask,
                             .batch = 3,
                             .length = 2,
                             .logits = x};
    assert_int_equal(reformerc_prefill(w.cache, &io), 0);
    assert_int_equal(reformerc_cache_tokens(w.cache, 1), 2);
    int32_t next[] = {4, 5, 6}, only[] = {7, 0, 0};
    uint8_t first[] = {1, 0, 0};
    io = (reformer_decode_t){
        .size = sizeof(reformer_decode_t), .input_ids = next, .batch = 3, .logits = x};
    assert_int_equal(reformerc_step(w.cache, &io), 0);
    io = (reformer_decode_t){.size = sizeof(reformer_decode_t),
                             .input_ids = only,
                             .attention_mask = first,
                             .batch = 3,
                             .logits = y};
    assert_int_equal(reformerc_step(v.cache, &io), 0);
    io = (reformer_decode_t){
        .size = sizeof(reformer_decode_t), .input_ids = next, .batch = 3, .logits = y};
    assert_int_equal(reformerc_step(v.cache, &io), 0);
    assert_memory_equal(at(x, 0, 0), at(y, 0, 0), VOCAB * sizeof(float));
    assert_memory_equal(at(x, 0, 2), at(y, 0, 2), VOCAB * sizeof(float));
    assert_memory_not_equal(at(x, 0, 1), at(y, 0, 1), VOCAB * sizeof(float));
    writer_close(&w);
    writer_close(&v);
    free(x);
    free(y);
    reformerc_free(m);
}

/* Copies go their own ways, and a second copy of a row takes over what came since the first. */
static void rows_are_copied(void **state) {
    (void)state;
    static const char *const batch[] = {"compile.batch_size=3"};
    static const char *const backends[] = {NULL, "reference"};
    for (int k = 0; k < 2; k++) {
        reformerc_model_t *m = compile(backends[k], batch, 1);
        writer_t w = writer_open(m, 1);
        float *x = new_logits();
        int length = 11;
        write_rows(&w, &length, 1, 1, 0, x);
        assert_int_equal(reformerc_cache_copy_row(w.cache, 0, 1), 0);
        assert_int_equal(reformerc_cache_copy_row(w.cache, 0, 2), 0);
        for (int s = 0; s < 12; s++) {
            int32_t next[] = {token_of(0, s), token_of(0, s), token_of(9, s)};
            reformer_decode_t io = {.size = sizeof io, .input_ids = next, .batch = 3, .logits = x};
            assert_int_equal(reformerc_step(w.cache, &io), 0);
            assert_memory_equal(at(x, 0, 0), at(x, 0, 1), VOCAB * sizeof(float));
        }
        assert_memory_not_equal(at(x, 0, 0), at(x, 0, 2), VOCAB * sizeof(float));
        assert_int_equal(reformerc_cache_copy_row(w.cache, 2, 0), 0);
        assert_int_equal(reformerc_cache_tokens(w.cache, 0), 23);
        for (int s = 0; s < 12; s++) {
            int32_t next[] = {token_of(3, s), token_of(3, s), token_of(3, s)};
            reformer_decode_t io = {.size = sizeof io, .input_ids = next, .batch = 3, .logits = x};
            assert_int_equal(reformerc_step(w.cache, &io), 0);
            assert_memory_equal(at(x, 0, 0), at(x, 0, 2), VOCAB * sizeof(float));
        }
        assert_memory_not_equal(at(x, 0, 0), at(x, 0, 1), VOCAB * sizeof(float));
        assert_int_equal(reformerc_cache_copy_row(w.cache, 0, 3), REFORMER_E_BATCH);
        writer_close(&w);
        free(x);
        reformerc_free(m);
    }
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

typedef struct {
    const reformerc_model_t *m;
    int row, threads;
    float *logits;
} job_t;

static void *write_alone(void *arg) {
    job_t *j = arg;
    writer_t w = writer_open(j->m, j->threads);
    int length = 3 + 7 * j->row;
    write_rows(&w, &length, 1, STEPS, j->row, j->logits);
    writer_close(&w);
    return NULL;
}

static void eight_threads_on_one_model(void **state) {
    (void)state;
    reformerc_model_t *m = compile(NULL, NULL, 0);
    job_t jobs[MAX];
    pthread_t threads[MAX];
    for (int i = 0; i < MAX; i++) {
        jobs[i] = (job_t){m, i, 1 + i % 2, new_logits()};
        assert_int_equal(pthread_create(&threads[i], NULL, write_alone, &jobs[i]), 0);
    }
    for (int i = 0; i < MAX; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < MAX; i++) {
        job_t again = {m, i, 1, new_logits()};
        write_alone(&again);
        assert_memory_equal(again.logits, jobs[i].logits,
                            (size_t)STEPS * MAX * VOCAB * sizeof(float));
        free(again.logits);
        free(jobs[i].logits);
    }
    reformerc_free(m);
}

/* ---- memory -------------------------------------------------------------------------------------------------------- */

/* The linker sends every allocation of this program here (--wrap). */
static _Atomic long allocations;
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n) {
    allocations++;
    return __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size) {
    allocations++;
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n) {
    allocations++;
    return __real_realloc(p, n);
}
void *__wrap_aligned_alloc(size_t alignment, size_t n) {
    allocations++;
    return __real_aligned_alloc(alignment, n);
}

static void steps_allocate_nothing(void **state) {
    (void)state;
    static const char *const backends[] = {NULL, "c"};
    for (int k = 0; k < 2; k++) {
        reformerc_model_t *m = compile(backends[k], NULL, 0);
        long before = allocations;
        writer_t w = writer_open(m, 2);
        assert_true(allocations > before); /* they are counted */
        float *x = new_logits();
        int length = 30;
        before = allocations;
        write_rows(&w, &length, 1, STEPS, 0, x);
        assert_int_equal(allocations, before);
        writer_close(&w);
        free(x);
        reformerc_free(m);
    }
}

/* ---- errors ---------------------------------------------------------------------------------------------------------- */

static void errors_change_nothing(void **state) {
    (void)state;
    static const char *const backends[] = {NULL, "interpreter", "reference"};
    for (int k = 0; k < 3; k++) {
        reformerc_model_t *m = compile(backends[k], NULL, 0);
        reformerc_context_t *c;
        reformerc_cache_t *cache;
        assert_int_equal(reformerc_context_new(&c, m, 1), 0);
        assert_int_equal(reformerc_cache_new(&cache, c, 0, 4), REFORMER_E_LENGTH);
        assert_int_equal(reformerc_cache_new(&cache, c, 257, 4), REFORMER_E_LENGTH);
        assert_int_equal(reformerc_cache_new(&cache, c, 6, 5), 0);
        float x[VOCAB];
        int32_t ids[] = {1, 2, 3, 4, 5, 6, 7}, low = -1, high = VOCAB;
        reformer_decode_t io = {.size = sizeof io, .input_ids = ids, .batch = 1, .logits = x};
        assert_int_equal(reformerc_step(cache, &io), REFORMER_E_EMPTY);
        assert_int_equal(reformerc_prefill(cache, &io), REFORMER_E_LENGTH);
        io.length = 5;
        io.batch = 2;
        assert_int_equal(reformerc_prefill(cache, &io), REFORMER_E_BATCH);
        io.batch = 1;
        ids[4] = VOCAB;
        assert_int_equal(reformerc_prefill(cache, &io), REFORMER_E_TOKEN);
        assert_int_equal(reformerc_cache_tokens(cache, 0), 0);
        ids[4] = 5;
        io.length = 7;
        assert_int_equal(reformerc_prefill(cache, &io), REFORMER_E_FULL);
        io.length = 5;
        assert_int_equal(reformerc_prefill(cache, &io), 0);
        io.input_ids = &low;
        assert_int_equal(reformerc_step(cache, &io), REFORMER_E_TOKEN);
        io.input_ids = &high;
        assert_int_equal(reformerc_step(cache, &io), REFORMER_E_TOKEN);
        io.input_ids = NULL;
        assert_int_equal(reformerc_step(cache, &io), REFORMER_E_ARGUMENT);
        io.input_ids = ids;
        assert_int_equal(reformerc_step(cache, &io), 0);
        assert_int_equal(reformerc_step(cache, &io), REFORMER_E_FULL);
        assert_int_equal(reformerc_cache_tokens(cache, 0), 6);
        assert_int_equal(reformerc_cache_tokens(cache, 1), 0);
        reformerc_cache_free(cache);
        reformerc_context_free(c);
        reformerc_free(m);
    }
}

static void models_that_do_not_generate(void **state) {
    (void)state;
    reformerc_options_t o = {.size = sizeof o, .weights = "random"};
    reformerc_model_t *m;
    reformerc_context_t *c;
    reformerc_cache_t *cache;
    reformerc_info_t info = {.size = sizeof info};
    assert_int_equal(reformerc_compile(&m, "small.yaml", spec_text, &o, NULL), 0);
    reformerc_info(m, &info);
    assert_int_equal(info.positions, 0);
    assert_int_equal(reformerc_context_new(&c, m, 1), 0);
    assert_int_equal(reformerc_cache_new(&cache, c, 6, 5), REFORMER_E_DECODE);
    assert_null(cache);
    reformerc_context_free(c);
    reformerc_free(m);
}

int main(int argc, char **argv) {
    long_form = argc > 1 && strcmp(argv[1], "long") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(back_ends_agree),
        cmocka_unit_test(of_other_shapes),
        cmocka_unit_test(with_upstream_bookkeeping),
        cmocka_unit_test(rows_are_alone),
        cmocka_unit_test(rows_rest),
        cmocka_unit_test(rows_are_copied),
        cmocka_unit_test(eight_threads_on_one_model),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(errors_change_nothing),
        cmocka_unit_test(models_that_do_not_generate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
