/* Tensors of safetensors files, for the tests of what generates.
 *
 *   tensor show FILE NAME                 its shape in a line, then its integers, separated by commas
 *   tensor text FILE NAME                 the bytes that its ids stand for (id = byte + 2)
 *   tensor same A NAME B NAME WITHIN      elements in their order differ by at most WITHIN times the greater of 1 and
 *                                         the greatest magnitude of B's; 0: bit for bit. NAME@R: row R of the first
 *                                         dimension, NAME:N the first N elements of every row, NAME@R:N both. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/weights.h"

typedef struct {
    const st_tensor_t *t;
    int64_t n;
    float *x; /* [n] */
} part_t;

static part_t read_part(arena_t *a, const char *path, const char *text, diag_t *d) {
    char name[64];
    long row = -1, first = -1;
    part_t p = {0};
    const char *at = strchr(text, '@'), *colon = strchr(text, ':');
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "@:"), text);
    if (at) row = atol(at + 1);
    if (colon) first = atol(colon + 1);
    const st_file_t *f = st_open(path, d);
    p.t = f ? st_find(f, name) : NULL;
    if (!p.t || p.t->rank < 1 || row >= p.t->shape[0]) return (part_t){0};
    float *all = ARENA_ARRAY(a, float, p.t->elements);
    int32_t *ids = ARENA_ARRAY(a, int32_t, p.t->elements);
    bool real = p.t->dtype == ST_F32;
    if (real ? !st_to_f32(p.t, all, path, d) : !st_to_i32(p.t, ids, path, d)) return (part_t){0};
    int64_t each = p.t->elements / p.t->shape[0], take = first >= 0 && first < each ? first : each;
    p.x = ARENA_ARRAY(a, float, p.t->elements);
    for (int64_t r = row < 0 ? 0 : row; r < (row < 0 ? p.t->shape[0] : row + 1); r++)
        for (int64_t i = r * each; i < r * each + take; i++)
            p.x[p.n++] = real ? all[i] : (float)ids[i];
    return p;
}

static int show(arena_t *a, char **argv, bool text, diag_t *d) {
    part_t p = read_part(a, argv[2], argv[3], d);
    if (!p.t) return 1;
    for (int i = 0; !text && i < p.t->rank; i++)
        printf("%s%lld", i ? "," : "", (long long)p.t->shape[i]);
    if (!text) putchar('\n');
    for (int64_t i = 0; i < p.n; i++)
        if (!text) printf("%s%.9g", i ? "," : "", p.x[i]);
        else if (p.x[i] >= 2) putchar((int)p.x[i] - 2);
    if (!text) putchar('\n');
    return 0;
}

static int compare(arena_t *a, char **argv, diag_t *d) {
    part_t x = read_part(a, argv[2], argv[3], d), y = read_part(a, argv[4], argv[5], d);
    double most = 1, worst = 0, within = atof(argv[6]);
    if (!x.t || !y.t || x.n != y.n || x.n == 0) {
        fprintf(stderr, "%s has %lld elements, %s %lld\n", argv[3], (long long)x.n, argv[5],
                (long long)y.n);
        return 1;
    }
    if (within == 0) return memcmp(x.x, y.x, sizeof *x.x * (size_t)x.n) != 0;
    for (int64_t i = 0; i < x.n; i++) {
        most = fmax(most, fabs((double)y.x[i]));
        double apart = fabs((double)x.x[i] - (double)y.x[i]);
        worst = apart > worst || isnan(apart) ? apart : worst;
    }
    fprintf(stderr, "within %g of %g\n", worst, most);
    return !(worst <= within * most);
}

int main(int argc, char **argv) {
    diag_t *d = diag_new();
    arena_t *a = arena_new();
    int code = 2;
    if (argc == 4 && strcmp(argv[1], "show") == 0) code = show(a, argv, false, d);
    else if (argc == 4 && strcmp(argv[1], "text") == 0) code = show(a, argv, true, d);
    else if (argc == 7 && strcmp(argv[1], "same") == 0) code = compare(a, argv, d);
    diag_print(d, stderr);
    diag_free(d);
    arena_free(a);
    return code;
}
