/* show_row FILE: the last row of `logits` in an output file of run, as product.c prints it. */
#include <stdio.h>

#include "weights/weights.h"

int main(int argc, char **argv) {
    diag_t *d = diag_new();
    st_file_t *f = argc == 2 ? st_open(argv[1], d) : NULL;
    const st_tensor_t *t = f ? st_find(f, "logits") : NULL;
    arena_t *a = arena_new();
    float *x = t ? ARENA_ARRAY(a, float, t->elements) : NULL;
    bool ok = x && st_to_f32(t, x, argv[1], d);
    for (int64_t i = ok ? t->elements - t->shape[2] : 0; ok && i < t->elements; i++)
        printf("%a\n", (double)x[i]);
    diag_print(d, stderr);
    if (f) st_close(f);
    arena_free(a);
    diag_free(d);
    return !ok;
}
