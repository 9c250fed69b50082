/* A product: maps a model's weights, reads ids from argv, prints the last row of logits. No reformerc inside.
 * The prefix is MODEL's, here `product`. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "product.h"

static int die(const char *what, int code) {
    fprintf(stderr, "%s: %s\n", what, product_strerror(code));
    return 1;
}

int main(int argc, char **argv) {
    enum { VOCAB = 258, MAX = 512 };
    struct stat st;
    int fd = argc > 2 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0 || fstat(fd, &st) != 0) return 2;
    const void *weights = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (weights == MAP_FAILED) return 2;

    product_t model = {0};
    int code = product_bind(&model, weights, (size_t)st.st_size);
    if (code) return die("bind", code);
    if ((code = product_check_weights(&model))) return die("check", code);

    static int32_t ids[MAX];
    static float logits[MAX * VOCAB];
    size_t length = (size_t)argc - 2;
    if (length > MAX) return 2;
    for (size_t i = 0; i < length; i++) ids[i] = (int32_t)atoi(argv[i + 2]);
    product_io_t io = {.size = sizeof io};
    io.input_ids = ids;
    io.batch = 1;
    io.length = length;
    io.threads = 2;
    io.logits = logits;
    size_t bytes = product_workspace_bytes(length, 2);
    void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!workspace) return 2;
    if ((code = product_forward(&model, &io, workspace, bytes))) return die("forward", code);
    for (int v = 0; v < VOCAB; v++)
        printf("%a\n", (double)logits[(length - 1) * VOCAB + (size_t)v]);
    free(workspace);
    return 0;
}
