/* What a translation costs grows with the number of layers, not with its square: a model four times as deep takes less than
 * seven times the processor's time from its spec to C (16 times would be the square), with generation, and with a train step.
 * Both are measured here and now, so that no machine is too slow, or too busy, for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cost/advice.h"
#include "emit/emit.h"
#include "plan_of.h"

enum { TIMES = 4, MAX = 7, TRIES = 3 };

static const char model_text[] =
    "architectures: [ReformerModelWithLMHead]\nis_decoder: true\nhidden_size: 16\n"
    "num_attention_heads: 1\nattention_head_size: 16\nfeed_forward_size: 16\nvocab_size: 64\n"
    "axial_pos_embds: false\nmax_position_embeddings: 64\nlsh_attn_chunk_length: 16\n"
    "local_attn_chunk_length: 16\nnum_buckets: 4\nhash_seed: 1\n"
    "compile: {sequence_length: 64}\nattn_layers: [";

/* Layers of both kinds in turn. */
static char *text_of(int layers) {
    sbuf_t s = {0};
    sbuf_puts(&s, model_text);
    for (int i = 0; i < layers; i++) sbuf_puts(&s, i % 2 ? "lsh, " : "local, ");
    sbuf_puts(&s, "]\n");
    return s.data;
}

static double process_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void translate(const char *text, bool trains) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    plan_options_t o = {.name = "model",
                        .n_targets = 1,
                        .targets = {&targets[T_X86_64_V3]},
                        .decodes = !trains,
                        .train = trains ? TRAIN_ALONE : TRAIN_NOT};
    plan_t *p = plan_of(a, text, &o, d);
    bool ok = p && plan_lower(p, &(pass_options_t){.verify_each = false}, d);
    sbuf_t source = {0}, header = {0};
    emit_c_options_t eo = {.header_name = "model.h"};
    if (ok) advise(p, ADVICE_ALL, d);
    if (ok) emit_c(p, &eo, &source, &header);
    if (!ok) diag_print(d, stderr);
    sbuf_free(&source);
    sbuf_free(&header);
    diag_free(d);
    arena_free(a);
    assert_true(ok);
}

static double seconds_of(const char *text, bool trains) {
    double start = process_seconds();
    translate(text, trains);
    return process_seconds() - start;
}

/* A machine may be slow for a moment: the first try that is quick enough counts. */
static void check_growth(int layers, bool trains) {
    char *shallow = text_of(layers), *deep = text_of(TIMES * layers);
    double min = 1e9;
    for (int i = 0; i < TRIES && min > MAX; i++) {
        double few = seconds_of(shallow, trains), many = seconds_of(deep, trains);
        printf("%d layers: %.3f s, %d layers: %.3f s\n", layers, few, TIMES * layers, many);
        if (many / few < min) min = many / few;
    }
    free(shallow);
    free(deep);
    if (min > MAX) fail_msg("%d times the layers take %.1f times as long", TIMES, min);
}

static void generation(void **state) {
    (void)state;
    check_growth(MAX_LAYERS / TIMES, false);
}

static void train_steps(void **state) {
    (void)state;
    check_growth(MAX_LAYERS / TIMES / 2, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(generation), cmocka_unit_test(train_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
