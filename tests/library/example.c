/* The next token: example MODEL WEIGHTS ID… compiles a causal language model and prints the likeliest id after these.
 * WEIGHTS: a safetensors file, a checkpoint folder, or random. */
#include <reformerc.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what, int code, char *message) {
    fprintf(stderr, "%s: %s\n%s", what, reformerc_strerror(code), message ? message : "");
    free(message);
    return 1;
}

static void print_best(const float *logits, int64_t vocab) {
    int64_t best = 0;
    for (int64_t k = 1; k < vocab; k++)
        if (logits[k] > logits[best]) best = k;
    printf("%lld\n", (long long)best);
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: example MODEL WEIGHTS ID...\n"), 2;
    reformerc_options_t options = {.size = sizeof options, .weights = argv[2]};
    reformerc_model_t *model = NULL;
    char *message = NULL;
    int code = reformerc_compile(&model, argv[1], NULL, &options, &message);
    if (code) return fail(argv[1], code, message);
    free(message); /* warnings */

    reformerc_info_t info = {.size = sizeof info};
    reformerc_info(model, &info);
    size_t n = (size_t)argc - 3;
    int32_t *ids = malloc(n * sizeof *ids);
    float *logits = malloc(n * (size_t)info.vocab * sizeof *logits);
    if (!ids || !logits) return fail("example", REFORMERC_E_MEMORY, NULL);
    for (size_t i = 0; i < n; i++) ids[i] = atoi(argv[3 + i]);

    reformerc_context_t *context = NULL;
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = n, .logits = logits};
    code = reformerc_context_new(&context, model, 2);
    if (!code) code = reformerc_forward(context, &io);
    if (code) return fail("forward", code, NULL);
    print_best(logits + (n - 1) * (size_t)info.vocab, info.vocab);

    reformerc_context_free(context);
    reformerc_free(model);
    free(ids);
    free(logits);
    return 0;
}
