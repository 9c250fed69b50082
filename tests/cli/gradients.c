/* A product that trains: gradients of one step of product.c, as a safetensors file.
 *
 *   gradients WEIGHTS SEED OUT ID…     labels are the ids, which begin at position SEED mod 3; the loss goes to stdout
 *
 * One thread and two give the same bits; what is asked wrongly is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "product.h"

static void fail(const char *what, int code) {
    fprintf(stderr, "%s: %s\n", what, product_strerror(code));
    exit(1);
}

static void *aligned(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) exit(1);
    return p;
}

static void *read_weights(const char *path) {
    unsigned char *p = aligned(PRODUCT_WEIGHTS_BYTES);
    FILE *f = fopen(path, "rb");
    if (!f || fread(p, 1, PRODUCT_WEIGHTS_BYTES, f) != PRODUCT_WEIGHTS_BYTES) exit(1);
    fclose(f);
    return p;
}

static void put(FILE *f, const void *data, size_t bytes) {
    if (fwrite(data, 1, bytes, f) != bytes) exit(1);
}

/* Tensors of the table in its order. */
static void write_tensors(const char *path, const float *gradients) {
    static char header[1 << 16];
    size_t at = 1, n = 0, bytes = 0;
    reformer_tensor_t t = {.size = sizeof t};
    header[0] = '{';
    for (; product_gradient(n, &t) == REFORMER_OK; n++) {
        at += (size_t)snprintf(header + at, sizeof header - at,
                               "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", n ? "," : "", t.name);
        for (int i = 0; i < t.rank; i++)
            at += (size_t)snprintf(header + at, sizeof header - at, "%s%lld", i ? "," : "",
                                   (long long)t.shape[i]);
        at += (size_t)snprintf(header + at, sizeof header - at, "],\"data_offsets\":[%zu,%zu]}",
                               bytes, bytes + 4 * t.elements);
        bytes += 4 * t.elements;
    }
    if (n != PRODUCT_GRADIENTS || at + 10 > sizeof header) exit(1);
    header[at++] = '}';
    while (at % 8) header[at++] = ' ';
    FILE *f = fopen(path, "wb");
    if (!f) exit(1);
    unsigned char length[8] = {(unsigned char)at, (unsigned char)(at >> 8),
                               (unsigned char)(at >> 16)};
    put(f, length, sizeof length);
    put(f, header, at);
    for (size_t i = 0; product_gradient(i, &t) == REFORMER_OK; i++)
        put(f, gradients + t.offset, 4 * t.elements);
    if (fclose(f)) exit(1);
}

static void check_refusals(const product_t *m, product_io_t io, float *gradients, void *workspace,
                           size_t bytes) {
    if (product_gradients(m, &io, gradients + 1, PRODUCT_GRADIENTS_BYTES, workspace, bytes) !=
        REFORMER_E_ALIGNMENT)
        exit(1);
    if (product_gradients(m, &io, NULL, PRODUCT_GRADIENTS_BYTES, workspace, bytes) !=
        REFORMER_E_ARGUMENT)
        exit(1);
    io.labels = NULL;
    if (product_gradients(m, &io, gradients, PRODUCT_GRADIENTS_BYTES, workspace, bytes) !=
        REFORMER_E_ARGUMENT)
        exit(1);
    io.labels = io.input_ids;
    static const int32_t elsewhere = 1 << 20;
    io.positions = &elsewhere;
    if (product_gradients(m, &io, gradients, PRODUCT_GRADIENTS_BYTES, workspace, bytes) !=
        REFORMER_E_POSITION)
        exit(1);
    if (product_forward(m, &io, workspace, bytes) != REFORMER_E_ARGUMENT) exit(1);
    io.length = PRODUCT_MAX_LENGTH + 1;
    if (product_gradients(m, &io, gradients, PRODUCT_GRADIENTS_BYTES, workspace, bytes) !=
        REFORMER_E_LENGTH)
        exit(1);
}

int main(int argc, char **argv) {
    static int32_t ids[PRODUCT_MAX_LENGTH];
    float loss;
    product_t m = {0};
    if (argc < 5) return 2;
    product_io_t io = {.size = sizeof io, .input_ids = ids, .labels = ids, .loss = &loss};
    for (int i = 4; i < argc && io.length < PRODUCT_MAX_LENGTH; i++)
        ids[io.length++] = (int32_t)strtol(argv[i], NULL, 10);
    io.dropout_seed = strtoull(argv[2], NULL, 10);
    const int32_t begin = (int32_t)(io.dropout_seed % 3);
    io.positions = &begin;
    int error = product_bind(&m, read_weights(argv[1]), PRODUCT_WEIGHTS_BYTES);
    if (error) fail("bind", error);
    if (product_gradients_bytes() != PRODUCT_GRADIENTS_BYTES) exit(1);
    float *gradients[3];
    for (int threads = 1; threads <= 2; threads++) {
        size_t bytes = product_train_bytes(io.length, threads);
        void *workspace = aligned(bytes);
        gradients[threads] = aligned(PRODUCT_GRADIENTS_BYTES);
        memset(gradients[threads], 0, PRODUCT_GRADIENTS_BYTES); /* what stands between tensors */
        io.threads = threads;
        error = product_gradients(&m, &io, gradients[threads], PRODUCT_GRADIENTS_BYTES, workspace,
                                  bytes);
        if (error) fail("gradients", error);
        check_refusals(&m, io, gradients[threads], workspace, bytes);
        free(workspace);
    }
    if (memcmp(gradients[1], gradients[2], PRODUCT_GRADIENTS_BYTES) != 0) return 1;
    write_tensors(argv[3], gradients[1]);
    printf("%.9g\n", (double)loss);
    return 0;
}
