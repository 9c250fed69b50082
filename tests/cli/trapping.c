/* A host that lets exceptions of floating point trap, all of them: whatever a model's functions compute, they raise no signal
 * and leave the host's mode as it is. Of a model that generates and learns, of any length, with all that it needs inside.
 *
 * It runs on a stack of STACK_KIB KiB.
 *
 *   trapping         prints a checksum of what was computed, the same with `trap`
 *   trapping trap */
#define _GNU_SOURCE
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"

enum { LONG = 60, PROMPT = 5, MICRO = 3, TRAPS = FE_ALL_EXCEPT };
static const char *volatile doing;
static uint64_t sum;

static void trapped(int signal) {
    (void)signal;
    const char *text = doing;
    if (write(2, text, strlen(text)) < 0 || write(2, ": SIGFPE\n", 9) < 0) _exit(3);
    _exit(2);
}

static void *aligned(size_t bytes) {
    void *p = bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
    if (!p) exit(1);
    return memset(p, 0, (bytes + 63) / 64 * 64);
}

static void note(const void *data, size_t bytes) {
    sum = (sum << 7 | sum >> 57) ^ reformer_checksum(data, bytes);
}

#define DO(call)                                                                                   \
    do {                                                                                           \
        int code = (doing = #call, (call));                                                        \
        if (code) return fprintf(stderr, "%s: %s\n", #call, model_strerror(code)), 1;              \
    } while (0)

static int32_t ids[LONG];
static float logits[LONG * MODEL_VOCAB], loss, losses[LONG];

static model_io_t io_of(size_t length) {
    return (model_io_t){.size = sizeof(model_io_t),
                        .input_ids = ids,
                        .labels = ids,
                        .length = length,
                        .threads = 2,
                        .logits = logits,
                        .loss = &loss,
                        .token_losses = losses};
}

static int forward(const model_t *m) {
    static const size_t lengths[] = {1, 3, 8, 9, 31, LONG};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        model_io_t io = io_of(lengths[k]);
        size_t room = (doing = "model_workspace_bytes", model_workspace_bytes(lengths[k], 2));
        void *workspace = aligned(room);
        DO(model_forward(m, &io, workspace, room));
        note(logits, lengths[k] * MODEL_VOCAB * sizeof *logits);
        if (lengths[k] > 1) note(&loss, sizeof loss);
        free(workspace);
    }
    return 0;
}

static int generate(const model_t *m) {
    enum { TOKENS = 20 };
    int32_t tokens[TOKENS];
    reformer_sampling_t sampling = {.size = sizeof sampling};
    reformer_bound_decoder_t bound = {
        .size = sizeof bound, .model = &m->model, .length = PROMPT + TOKENS};
    size_t bytes = (doing = "model_cache_bytes", model_cache_bytes(bound.length));
    bound.cache = aligned(bytes);
    bound.workspace_bytes = (doing = "model_decode_bytes", model_decode_bytes(PROMPT, 2));
    bound.workspace = aligned(bound.workspace_bytes);
    reformer_decoder_t decoder = reformer_decoder_of(&bound);
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = ids,
                             .batch = 1,
                             .length = PROMPT,
                             .max_tokens = TOKENS,
                             .threads = 2,
                             .sampling = &sampling,
                             .tokens = tokens};
    reformer_beams_t beams = {.size = sizeof beams, .beams = 1, .length_penalty = 0.7f};
    size_t room = reformer_generate_bytes(&decoder, &g);
    void *scratch = aligned(room);
    for (int k = 0; k < 2; k++) {
        DO(model_cache_init(bound.cache, bytes, bound.length));
        DO(reformer_generate(&decoder, &g, scratch, room));
        note(tokens, sizeof tokens);
        sampling.temperature = 0.8f, sampling.top_k = 40, sampling.top_p = 0.9f;
        sampling.repetition_penalty = 1.3f;
    }
    g.sampling = NULL;
    size_t more = (doing = "reformer_beam_bytes", reformer_beam_bytes(&decoder, &g, &beams));
    scratch = aligned(more);
    DO(model_cache_init(bound.cache, bytes, bound.length));
    DO(reformer_beam_search(&decoder, &g, &beams, scratch, more));
    note(tokens, sizeof tokens);
    return 0;
}

static int learn(const model_t *m, void *weights) {
    model_trainer_t trainer;
    model_train_report_t report = {.size = sizeof report};
    model_io_t io[MICRO];
    size_t bytes = (doing = "model_trainer_bytes", model_trainer_bytes(MICRO));
    size_t room = (doing = "model_trainer_workspace", model_trainer_workspace(LONG, 2));
    void *memory = aligned(bytes), *workspace = aligned(room);
    for (size_t k = 0; k < MICRO; k++) io[k] = io_of(LONG - 7 * k), io[k].logits = NULL;
    DO(model_trainer_begin(&trainer, m, weights, memory, bytes, MICRO, workspace, room));
    for (int k = 0; k < 3; k++) DO(model_train_step(&trainer, io, MICRO, &report, workspace, room));
    note(&report.loss, sizeof report.loss);
    DO(model_sign_weights(weights, MODEL_WEIGHTS_BYTES));
    note(weights, MODEL_WEIGHTS_BYTES);
    return 0;
}

static int traps;

static int run(void) {
    size_t bytes;
    const void *given = model_embedded_weights(&bytes);
    void *weights = memcpy(aligned(bytes), given, bytes);
    for (int k = 0; k < LONG; k++) ids[k] = 2 + k * 37 % 256;
    signal(SIGFPE, trapped);
    if (traps) feenableexcept(TRAPS);
    model_t m = {0};
    DO(model_bind(&m, weights, bytes));
    DO(model_check_weights(&m));
    int code = forward(&m);
    if (!code) code = generate(&m);
    if (!code) code = learn(&m, weights);
    if (!code && traps && fegetexcept() != TRAPS) code = fprintf(stderr, "the mode is lost\n") > 0;
    fedisableexcept(TRAPS);
    if (!code) printf("%s %016llx\n", model_target(&m), (unsigned long long)sum);
    return code;
}

static void *begin(void *code) {
    *(int *)code = run();
    return NULL;
}

/* On the stack that the header asks for. */
int main(int argc, char **argv) {
    int code = 1;
    pthread_t thread;
    pthread_attr_t attributes;
    traps = argc > 1 && strcmp(argv[1], "trap") == 0;
    if (pthread_attr_init(&attributes) != 0) return 1;
    if (pthread_attr_setstacksize(&attributes, STACK_KIB * (size_t)1024) != 0) return 1;
    if (pthread_create(&thread, &attributes, begin, &code) != 0) return 1;
    return pthread_join(thread, NULL) != 0 || code;
}
