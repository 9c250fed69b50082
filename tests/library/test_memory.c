/* Memory that runs out, allocation by allocation: whatever call meets it returns an error, keeps nothing, and the
 * library works afterwards. The allocations are those of our own code (the linker's --wrap: see ../CMakeLists.txt);
 * LLVM's abort the process by its own rules. Leaks are found by sanitizer builds, open descriptors and folders here. */
#include <dirent.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "library_test.h"
#include "support/file.h"

/* ---- allocations that fail ----------------------------------------------------------------------- */

static atomic_long left;      /* until one fails; below 0: none does */
static atomic_bool from_then; /* all later ones fail too */
static atomic_bool failed;

static bool fails(void) {
    long now = atomic_load(&left);
    if (now < 0) return false;
    if (now > 0 && atomic_fetch_sub(&left, 1) > 1) return false;
    if (!atomic_load(&from_then)) atomic_store(&left, -1);
    atomic_store(&failed, true);
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
char *__real_strdup(const char *s);
FILE *__real_open_memstream(char **text, size_t *n);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
char *__wrap_strdup(const char *s);
FILE *__wrap_open_memstream(char **text, size_t *n);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t n) {
    return fails() ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size) {
    return fails() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n) {
    return fails() ? NULL : __real_realloc(p, n);
}
void *__wrap_aligned_alloc(size_t align, size_t n) {
    return fails() ? NULL : __real_aligned_alloc(align, n);
}
char *__wrap_strdup(const char *s) {
    return fails() ? NULL : __real_strdup(s);
}
FILE *__wrap_open_memstream(char **text, size_t *n) {
    return fails() ? NULL : __real_open_memstream(text, n);
}
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset) {
    return fails() ? MAP_FAILED : __real_mmap(at, n, prot, flags, fd, offset);
}

/* ---- what a program does ---------------------------------------------------------------------------- */

enum { VOCAB = 40, LENGTH = 9, PROMPT = 5, ROOM = 24 };

static const char spec_text[] =
    "architectures: [ReformerModelWithLMHead]\n"
    "is_decoder: true\n"
    "vocab_size: 40\n"
    "attn_layers: [local, lsh]\n"
    "hidden_size: 16\n"
    "num_attention_heads: 2\n"
    "attention_head_size: 6\n"
    "feed_forward_size: 20\n"
    "axial_pos_embds: false\n"
    "max_position_embeddings: 2048\n" /* a table that has a block of memory of its own */
    "local_attn_chunk_length: 4\n"
    "lsh_attn_chunk_length: 4\n"
    "num_hashes: 2\n"
    "num_buckets: 4\n"
    "hash_seed: 11\n"
    "initializer_range: 0.3\n"
    "compile: {sequence_length: 16}\n";

typedef struct {
    float logits[LENGTH * VOCAB], after_bind[LENGTH * VOCAB];
    float next[VOCAB], step[VOCAB], copied[VOCAB];
} results_t;

typedef struct {
    reformerc_model_t *m;
    reformerc_context_t *context;
    reformerc_cache_t *cache;
} things_t;

static const int32_t ids[2 * LENGTH] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3};

static int compile(things_t *x, const char *backend, bool no_cache) {
    static const char *const settings[] = {"compile.batch_size=2"};
    reformerc_options_t o = {.size = sizeof o,
                             .backend = backend,
                             .settings = settings,
                             .n_settings = 1,
                             .weights = "random:5",
                             .no_cache = no_cache,
                             .threads = 2,
                             .decode = 1};
    char *message = NULL;
    int code = reformerc_compile(&x->m, "small.yaml", spec_text, &o, &message);
    if (code == REFORMERC_E_MEMORY && message) assert_non_null(strstr(message, "memory"));
    if (code && code != REFORMERC_E_MEMORY) print_error("%s\n", message ? message : "no message");
    assert_true((code == REFORMER_OK) == (x->m != NULL));
    free(message);
    return code;
}

static int forward(things_t *x, float *logits) {
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = LENGTH, .logits = logits};
    int code = reformerc_forward(x->context, &io);
    if (code) assert_non_null(reformerc_context_message(x->context));
    return code;
}

static int decode(things_t *x, results_t *r) {
    static const int32_t next[2] = {7, 7};
    float both[2 * VOCAB];
    reformer_decode_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = PROMPT, .logits = r->next};
    int code = reformerc_prefill(x->cache, &io);
    if (!code) code = reformerc_cache_copy_row(x->cache, 0, 1);
    reformer_decode_t step = {
        .size = sizeof step, .input_ids = next, .batch = 2, .length = 1, .logits = both};
    if (!code) code = reformerc_step(x->cache, &step);
    if (code) return code;
    memcpy(r->step, both, sizeof r->step);
    memcpy(r->copied, both + VOCAB, sizeof r->copied);
    return REFORMER_OK;
}

/* Everything once; the first error. What there is is freed by the caller. */
static int run(things_t *x, const char *backend, bool no_cache, results_t *r) {
    int code = compile(x, backend, no_cache);
    if (!code) code = reformerc_context_new(&x->context, x->m, 2);
    if (!code) code = reformerc_reserve(x->context, LENGTH);
    if (!code) code = forward(x, r->logits);
    if (!code) code = reformerc_cache_new(&x->cache, x->context, ROOM, PROMPT);
    if (!code) code = decode(x, r);
    char *message = NULL;
    if (!code) code = reformerc_bind(x->m, "random:6", &message);
    free(message);
    if (!code) code = forward(x, r->after_bind);
    return code;
}

static void end(things_t *x) {
    reformerc_cache_free(x->cache);
    reformerc_context_free(x->context);
    reformerc_free(x->m);
    *x = (things_t){0};
}

/* ---- what must not stay ------------------------------------------------------------------------------- */

static int entries(const char *folder) {
    DIR *d = opendir(folder);
    int n = 0;
    assert_non_null(d);
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static int open_files(void) {
    return entries("/proc/self/fd");
}

/* ---- one after the other ------------------------------------------------------------------------------- */

/* After a failure the same things work: what a failed call was given is as it was. */
static void check_again(things_t *x, const char *backend, const results_t *want) {
    results_t *r = calloc(1, sizeof *r);
    assert_non_null(r);
    if (x->m && x->context) {
        if (forward(x, r->logits) == REFORMER_OK) /* bound to the one or the other */
            assert_true(memcmp(r->logits, want->logits, sizeof r->logits) == 0 ||
                        memcmp(r->logits, want->after_bind, sizeof r->logits) == 0);
        else
            fail_msg("%s: a forward after a failure: %s", backend,
                     reformerc_context_message(x->context));
    }
    free(r);
}

typedef struct {
    const char *backend;
    bool no_cache;
    long step_divisor; /* 1, …, N, N + 1 + N / step_divisor, … */
    bool once;         /* only with all later ones failing too */
} way_t;

/* True: an allocation failed. */
static bool run_failing(const way_t *w, long n, bool all, const results_t *want) {
    things_t x = {0};
    results_t *r = calloc(1, sizeof *r);
    assert_non_null(r);
    int before = open_files();
    atomic_store(&from_then, all);
    atomic_store(&failed, false);
    atomic_store(&left, n);
    int code = run(&x, w->backend, w->no_cache, r);
    atomic_store(&left, -1);
    if (code != REFORMER_OK && code != REFORMERC_E_MEMORY)
        fail_msg("%s, allocation %ld: %s", w->backend, n, reformerc_strerror(code));
    if (code == REFORMER_OK) assert_memory_equal(r, want, sizeof *r);
    else check_again(&x, w->backend, want);
    end(&x);
    assert_int_equal(open_files(), before);
    free(r);
    return atomic_load(&failed);
}

static void run_way(const way_t *w) {
    results_t *want = calloc(1, sizeof *want);
    things_t x = {0};
    assert_non_null(want);
    assert_int_equal(run(&x, w->backend, w->no_cache, want), REFORMER_OK);
    end(&x);
    long tried = 0, n = 1;
    for (bool more = true; more; n += 1 + n / w->step_divisor, tried++) {
        more = run_failing(w, n, true, want);
        if (more && !w->once) (void)run_failing(w, n, false, want);
    }
    print_message("%s: %ld of %ld allocations failed\n", w->backend, tried, n);
    assert_true(tried > 8);
    free(want);
}

static void test_reference(void **state) {
    (void)state;
    run_way(&(way_t){.backend = "reference", .step_divisor = 40});
}

static void test_interpreter(void **state) {
    (void)state;
    run_way(&(way_t){.backend = "interpreter", .step_divisor = 4});
}

static void test_c(void **state) {
    (void)state;
    run_way(&(way_t){.backend = "c", .step_divisor = 4});
}

/* Compiling itself, with folders and files of its own. */
static void test_c_compiling(void **state) {
    (void)state;
    char folder[] = "/tmp/reformerc-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    setenv("TMPDIR", folder, 1);
    run_way(&(way_t){.backend = "c", .no_cache = true, .once = true, .step_divisor = 1});
    assert_int_equal(entries(folder), 2);
    unsetenv("TMPDIR");
    assert_int_equal(rmdir(folder), 0);
}

static void test_jit(void **state) {
    (void)state;
    reformerc_model_t *m = NULL;
    reformerc_options_t o = {.size = sizeof o, .backend = "jit"};
    char *message = NULL;
    int code = reformerc_compile(&m, "small.yaml", spec_text, &o, &message);
    free(message);
    if (code == REFORMERC_E_OPTION) skip(); /* this build has no LLVM */
    reformerc_free(m);
    run_way(&(way_t){.backend = "jit", .step_divisor = 8});
    run_way(&(way_t){.backend = "jit", .no_cache = true, .once = true, .step_divisor = 1});
}

int main(void) {
    atomic_store(&left, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference), cmocka_unit_test(test_interpreter),
        cmocka_unit_test(test_c), cmocka_unit_test(test_c_compiling), cmocka_unit_test(test_jit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
