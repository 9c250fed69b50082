/* What a product may get wrong is refused with a code, and nothing is written: memory that is too small, structures of other
 * sizes, models of other specs. Of two models, `product` and `other`, that learn and generate.
 *
 *   borders WEIGHTS OTHER_WEIGHTS           runs all of that; exit code 1 and a line for the first that is not so
 *   borders WEIGHTS OTHER_WEIGHTS target    prints the target taken, the versions, what explains the failures */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "other.h"
#include "product.h"

enum { LONG = 200, SHORT = 64, PROMPT = 5 };
#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            printf("%d: %s\n", __LINE__, #x);                                                      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
#define REFUSED(code, call)                                                                        \
    do {                                                                                           \
        int got = (call);                                                                          \
        if (got != (code)) printf("%d: %s\n", __LINE__, product_strerror(got));                    \
        CHECK(got == (code));                                                                      \
    } while (0)

/* A constant expression. */
static _Alignas(64) unsigned char room[PRODUCT_WORKSPACE_BYTES(SHORT, 2)];

/* Memory of exactly so many bytes, in a pattern, with a guard of the same behind it. */
enum { PATTERN = 0x5A, GUARD = 1 << 16 };
static unsigned char *patterned(size_t bytes) {
    unsigned char *p = aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64);
    if (!p) exit(1);
    return memset(p, PATTERN, bytes + GUARD);
}

static int untouched(const unsigned char *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != PATTERN) return 0;
    return 1;
}

static void *load(const char *path, size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    FILE *f = fopen(path, "rb");
    if (!p || !f || fread(p, 1, bytes, f) != bytes) exit(1);
    fclose(f);
    return p;
}

static int32_t ids[LONG];
static float logits[LONG * PRODUCT_VOCAB], loss;

static product_io_t io_of(size_t length) {
    return (product_io_t){.size = sizeof(product_io_t),
                          .input_ids = ids,
                          .labels = ids,
                          .batch = 1,
                          .length = length,
                          .threads = 2,
                          .logits = logits,
                          .loss = &loss};
}

/* ---- memory ------------------------------------------------------------------------------------- */

static void macro_is_enough(void) {
    for (size_t n = 1; n <= PRODUCT_MAX_LENGTH; n++)
        for (int threads = 0; threads < 9; threads += 1 + threads / 3) {
            CHECK(PRODUCT_WORKSPACE_BYTES(n, threads) >= product_workspace_bytes(n, threads));
            CHECK(OTHER_WORKSPACE_BYTES(n, threads) >= other_workspace_bytes(n, threads));
        }
    CHECK(PRODUCT_WORKSPACE_BYTES(SHORT, 2) < 2 * product_workspace_bytes(SHORT, 2));
}

static void forwards(const product_t *m) {
    product_io_t io = io_of(LONG);
    size_t few = product_workspace_bytes(SHORT, 2), enough = product_workspace_bytes(LONG, 2);
    unsigned char *w = patterned(few);
    REFUSED(REFORMER_E_WORKSPACE, product_forward(m, &io, w, few));
    CHECK(untouched(w, few + GUARD));
    REFUSED(REFORMER_E_WORKSPACE, product_forward(m, &io, w, 0));
    io.length = SHORT;
    REFUSED(0, product_forward(m, &io, w, few));
    CHECK(untouched(w + few, GUARD));
    io.threads = 3; /* more than it was asked for */
    REFUSED(REFORMER_E_WORKSPACE, product_forward(m, &io, w, few));
    io = io_of(SHORT);
    REFUSED(0, product_forward(m, &io, room, sizeof room));
    free(w);
    w = patterned(enough);
    io = io_of(LONG);
    REFUSED(0, product_forward(m, &io, w, enough));
    CHECK(untouched(w + enough, GUARD));
    free(w);
}

static void texts(const product_t *m) {
    enum { ROOM = 40 };
    size_t cache_bytes = PRODUCT_CACHE_BYTES(ROOM), bytes = product_decode_bytes(PROMPT, 1);
    size_t for_steps = product_decode_bytes(0, 1);
    unsigned char *cache = patterned(cache_bytes), *w = patterned(bytes);
    REFUSED(REFORMER_E_WORKSPACE, product_cache_init(cache, cache_bytes - 1, ROOM));
    CHECK(untouched(cache, cache_bytes + GUARD));
    REFUSED(0, product_cache_init(cache, cache_bytes, ROOM));
    REFUSED(0, product_cache_check(cache, cache_bytes));
    REFUSED(REFORMER_E_WORKSPACE, product_cache_check(cache, cache_bytes - 1));
    REFUSED(REFORMER_E_WORKSPACE, product_cache_check(cache, 8));
    REFUSED(REFORMER_E_CACHE, other_cache_check(cache, cache_bytes));
    product_decode_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = PROMPT, .logits = logits};
    REFUSED(REFORMER_E_WORKSPACE, product_prefill(m, &io, cache, w, 64));
    CHECK(untouched(w, bytes + GUARD) && product_cache_tokens(cache, 0) == 0);
    io.size = 0;
    REFUSED(REFORMER_E_SIZE, product_prefill(m, &io, cache, w, bytes));
    io.size = sizeof io;
    REFUSED(0, product_prefill(m, &io, cache, w, bytes));
    CHECK(untouched(w + bytes, GUARD) && product_cache_tokens(cache, 0) == PROMPT);
    REFUSED(REFORMER_E_WORKSPACE, product_step(m, &io, cache, w, for_steps - 64));
    CHECK(product_cache_tokens(cache, 0) == PROMPT);
    REFUSED(0, product_step(m, &io, cache, w, for_steps));
    io.size -= sizeof(void *);
    REFUSED(REFORMER_E_SIZE, product_step(m, &io, cache, w, for_steps));
    free(cache);
    free(w);
}

static void steps(const product_t *m, unsigned char *weights) {
    product_io_t io = io_of(SHORT);
    io.logits = NULL;
    size_t bytes = product_train_bytes(SHORT, 2), memory_bytes = product_trainer_bytes(2);
    unsigned char *g = patterned(PRODUCT_GRADIENTS_BYTES), *w = patterned(bytes);
    float *gradients = (float *)(void *)g;
    REFUSED(REFORMER_E_WORKSPACE,
            product_gradients(m, &io, gradients, PRODUCT_GRADIENTS_BYTES - 1, w, bytes));
    REFUSED(REFORMER_E_WORKSPACE,
            product_gradients(m, &io, gradients, PRODUCT_GRADIENTS_BYTES, w, bytes - 64));
    CHECK(untouched(g, PRODUCT_GRADIENTS_BYTES + GUARD) && untouched(w, bytes + GUARD));
    REFUSED(0, product_gradients(m, &io, gradients, PRODUCT_GRADIENTS_BYTES, w, bytes));
    CHECK(untouched(g + PRODUCT_GRADIENTS_BYTES, GUARD) && untouched(w + bytes, GUARD));
    free(g);
    free(w);
    product_trainer_t t = {0};
    product_train_report_t report = {0};
    bytes = product_trainer_workspace(SHORT, 2);
    unsigned char *memory = patterned(memory_bytes);
    w = patterned(bytes);
    REFUSED(REFORMER_E_ARGUMENT, product_train_step(&t, &io, 1, NULL, w, bytes));
    REFUSED(REFORMER_E_WORKSPACE,
            product_trainer_begin(&t, m, weights, memory, memory_bytes - 1, 2, w, bytes));
    REFUSED(REFORMER_E_WORKSPACE,
            product_trainer_resume(&t, m, weights, memory, memory_bytes - 1, 2, 3));
    CHECK(untouched(memory, memory_bytes + GUARD));
    REFUSED(0, product_trainer_begin(&t, m, weights, memory, memory_bytes, 2, w, bytes));
    REFUSED(REFORMER_E_WORKSPACE, product_train_step(&t, &io, 1, NULL, w, 4096));
    REFUSED(REFORMER_E_SIZE, product_train_step(&t, &io, 1, &report, w, bytes));
    REFUSED(REFORMER_E_MODEL,
            other_train_step((other_trainer_t *)(void *)&t, &io, 1, NULL, w, bytes));
    io.size--;
    REFUSED(REFORMER_E_SIZE, product_train_step(&t, &io, 1, NULL, w, bytes));
    io.size++;
    CHECK(t.trainer.step == 0);
    report.size = sizeof report;
    REFUSED(0, product_train_step(&t, &io, 1, &report, w, bytes));
    CHECK(report.size == sizeof report && untouched(memory + memory_bytes, GUARD));
    free(memory);
    free(w);
}

/* ---- structures and models ---------------------------------------------------------------------- */

static void sizes(const product_t *m) {
    static const size_t wrong[] = {0, sizeof(product_io_t) - 1, sizeof(product_io_t) + 8};
    reformer_pool_t pool = {.size = 8};
    product_io_t io = io_of(SHORT);
    for (int i = 0; i < 3; i++) {
        io.size = wrong[i];
        loss = -1;
        REFUSED(REFORMER_E_SIZE, product_forward(m, &io, room, sizeof room));
        CHECK(loss == -1);
    }
    io = io_of(SHORT);
    io.pool = &pool;
    REFUSED(REFORMER_E_SIZE, product_forward(m, &io, room, sizeof room));
    reformer_tensor_t t = {.rank = -7};
    REFUSED(REFORMER_E_SIZE, product_gradient(0, &t));
    CHECK(t.rank == -7);
}

/* Compilers see to it; who casts is told by the call. */
static void models(const product_t *m, const other_t *o) {
    product_io_t io = io_of(SHORT);
    product_t none = {0}, old = *m;
    const product_t *wrong = (const product_t *)(const void *)o;
    REFUSED(REFORMER_E_MODEL, product_forward(wrong, &io, room, sizeof room));
    REFUSED(REFORMER_E_MODEL, product_check_weights(wrong));
    REFUSED(REFORMER_E_ARGUMENT, product_forward(&none, &io, room, sizeof room));
    old.model.size -= 8;
    REFUSED(REFORMER_E_SIZE, product_forward(&old, &io, room, sizeof room));
    CHECK(strcmp(product_target(&none), "none") == 0);
}

/* The file with 8 bytes of its header changed. */
static void explain(const unsigned char *weights, size_t at, uint64_t x) {
    unsigned char *p = patterned(PRODUCT_WEIGHTS_BYTES);
    char text[256], cut[20];
    memcpy(p, weights, PRODUCT_WEIGHTS_BYTES);
    memcpy(p + at, &x, sizeof x);
    product_t m;
    int code = product_explain(p, PRODUCT_WEIGHTS_BYTES, text, sizeof text);
    CHECK(code == product_bind(&m, p, PRODUCT_WEIGHTS_BYTES) && m.model.size == 0);
    printf("%d %s\n", code, text);
    CHECK(product_explain(p, PRODUCT_WEIGHTS_BYTES, cut, sizeof cut) == code);
    CHECK(strlen(cut) == sizeof cut - 1 && strncmp(cut, text, sizeof cut - 1) == 0);
    CHECK(product_explain(p, PRODUCT_WEIGHTS_BYTES, NULL, 0) == code);
    free(p);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    unsigned char *weights = load(argv[1], PRODUCT_WEIGHTS_BYTES);
    void *others = load(argv[2], OTHER_WEIGHTS_BYTES);
    product_t m = {0};
    other_t o = {0};
    for (int i = 0; i < LONG; i++) ids[i] = (i * 7 + i / 5) % PRODUCT_VOCAB;
    int code = product_bind(&m, weights, PRODUCT_WEIGHTS_BYTES);
    if (code) {
        char text[256];
        CHECK(product_explain(weights, PRODUCT_WEIGHTS_BYTES, text, sizeof text) == code);
        return printf("%d %s\n", code, text), 1;
    }
    if (argc > 3) {
        printf("%s\n%s\n%s %d\n", product_target(&m), product_version(), reformer_version(),
               (int)reformer_abi());
        explain(weights, offsetof(reformer_weights_header_t, version), 77);
        explain(weights, offsetof(reformer_weights_header_t, fingerprint), 0xABC);
        explain(weights, offsetof(reformer_weights_header_t, bytes), 1);
        return 0;
    }
    REFUSED(0, other_bind(&o, others, OTHER_WEIGHTS_BYTES));
    macro_is_enough();
    forwards(&m);
    texts(&m);
    sizes(&m);
    models(&m, &o);
    steps(&m, weights);
    free(weights);
    free(others);
    return 0;
}
