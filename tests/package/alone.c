/* Two models that bring what they need of the runtime, and their weights: prints what consumer/main.c does. With an argument
 * it writes the first model's file of weights, as it is inside, instead. */
#include <stdio.h>
#include <stdlib.h>

#include "first.h"
#include "second.h"

enum { LENGTH = 12 };

static void must(int code) {
    if (!code) return;
    fprintf(stderr, "%s\n", first_strerror(code));
    exit(1);
}

int main(int argc, char **argv) {
    (void)argv;
    static const int32_t ids[LENGTH] = {3, 1, 4, 15, 9, 26, 5, 35, 8, 9, 7, 9};
    static float logits[LENGTH * FIRST_VOCAB], labels[SECOND_LABELS];
    first_t first = {0};
    second_t second = {0};
    size_t bytes = 0, others = 0;
    const void *weights = first_embedded_weights(&bytes);
    const void *more_weights = second_embedded_weights(&others);
    must(first_bind(&first, weights, bytes));
    must(second_bind(&second, more_weights, others));
    if (argc > 1) return fwrite(weights, 1, bytes, stdout) != bytes;

    size_t size = first_workspace_bytes(LENGTH, 1), more = second_workspace_bytes(LENGTH, 1);
    if (more > size) size = more;
    void *workspace = aligned_alloc(64, (size + 63) / 64 * 64);
    if (!workspace) return 2;
    first_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = LENGTH, .logits = logits};
    must(first_forward(&first, &io, workspace, size));
    second_io_t other = {
        .size = sizeof other, .input_ids = ids, .batch = 1, .length = LENGTH, .logits = labels};
    must(second_forward(&second, &other, workspace, size));
    for (int i = 0; i < FIRST_VOCAB; i++)
        printf("%a\n", (double)logits[(LENGTH - 1) * FIRST_VOCAB + i]);
    for (int i = 0; i < SECOND_LABELS; i++) printf("%a\n", (double)labels[i]);
    free(workspace);
    return 0;
}
