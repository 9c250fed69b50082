/* A product that writes text: a prompt on stdin, its continuation on stdout as it comes. No reformerc inside.
 *
 *     reformerc CHECKPOINT -o writer.c
 *     cc -O2 tests/cli/writer.c writer.c $(reformerc --cflags --libs) -o write
 *     ./write writer.weights 256 [TEMPERATURE] <prompt
 *
 * The model reads and writes bytes: id = byte + 2. */
#include <stdio.h>
#include <stdlib.h>

#include "reformer_generate.h"
#include "writer.h"

enum { BYTE = 2, MAX = WRITER_MAX_LENGTH, THREADS = 2 };

static int fail(const char *what, int code) {
    fprintf(stderr, "%s: %s\n", what, code ? writer_strerror(code) : "no memory");
    return 1;
}

/* 64-byte aligned memory; NULL: there is none. */
static void *allocate(size_t bytes) {
    return bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
}

static void *read_file(const char *path, size_t *bytes) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) return NULL;
    *bytes = (size_t)ftell(f);
    rewind(f);
    void *data = allocate(*bytes);
    if (data && fread(data, 1, *bytes, f) != *bytes) data = NULL;
    fclose(f);
    return data;
}

static int show(void *ctx, size_t row, int32_t token, const float *logits) {
    (void)ctx, (void)row, (void)logits;
    if (token < BYTE) return REFORMER_GO_ON;
    putchar(token - BYTE);
    return fflush(stdout) == 0 ? REFORMER_GO_ON : REFORMER_STOP_ALL;
}

int main(int argc, char **argv) {
    if (argc < 3) return fail("write WEIGHTS TOKENS [TEMPERATURE] <prompt", REFORMER_E_ARGUMENT);
    size_t bytes = 0, tokens = strtoul(argv[2], NULL, 10);
    void *weights = read_file(argv[1], &bytes);
    if (!weights) return fail(argv[1], REFORMER_E_WEIGHTS);
    writer_t model = {0};
    int code = writer_bind(&model, weights, bytes);
    if (code) return fail(argv[1], code);

    static int32_t prompt[MAX];
    size_t length = 0;
    for (int c; length < MAX && (c = getchar()) != EOF;) prompt[length++] = c + BYTE;

    reformer_bound_decoder_t bound = {
        .size = sizeof bound, .model = &model.model, .length = length + tokens};
    size_t cache_bytes = writer_cache_bytes(bound.length);
    bound.cache = allocate(cache_bytes);
    bound.workspace_bytes = writer_decode_bytes(length, THREADS);
    bound.workspace = allocate(bound.workspace_bytes);
    if (!bound.cache || !bound.workspace) return fail("prompt and tokens", REFORMER_E_LENGTH);
    if ((code = writer_cache_init(bound.cache, cache_bytes, bound.length)))
        return fail("cache", code);

    reformer_sampling_t sampling = {.size = sizeof sampling};
    if (argc > 3) sampling.temperature = strtof(argv[3], NULL);
    reformer_decoder_t decoder = reformer_decoder_of(&bound);
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompt,
                             .batch = 1,
                             .length = length,
                             .max_tokens = tokens,
                             .threads = THREADS,
                             .on_token = show,
                             .tokens = malloc((tokens + 1) * sizeof(int32_t))};
    g.sampling = &sampling;
    size_t scratch_bytes = reformer_generate_bytes(&decoder, &g);
    void *scratch = allocate(scratch_bytes);
    if (!scratch || !g.tokens) return fail("scratch", 0);
    if ((code = reformer_generate(&decoder, &g, scratch, scratch_bytes)))
        return fail("generate", code);
    free(scratch);
    free(g.tokens);
    free(bound.workspace);
    free(bound.cache);
    free(weights);
    return 0;
}
