/* Tensors of safetensors files, for the tests of what generates.
 *
 *   tensor show FILE NAME                 its shape in a line, then its integers, separated by commas
 *   tensor text FILE NAME                 the bytes that its ids stand for (id = byte + 2)
 *   tensor same A NAME B NAME WITHIN      elements in their order differ by at most WITHIN times the greater of 1 and
 *                                         the greatest magnitude of B's; 0: bit for bit. NAME@R: row R of the first
 *                                         dimension, NAME:N the first N elements of every row, NAME@R:N both
 *   tensor near A B WITHIN                both files have the same tensors of the same shapes, whose elements differ by at
 *                                         most WITHIN times the greatest magnitude of B's; below 1e-7 that is noise
 *   tensor some A B WITHIN                the same, of those that A has: some, and fewer than B */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/weights.h"

typedef struct {
    st_file_t *file;
    const st_tensor_t *t; /* NULL: there is none */
    int64_t n;
    float *x; /* [n] */
} part_t;

/* All of a tensor as float: ids are small. */
static float *read_all(arena_t *a, const st_tensor_t *t, const char *path, diag_t *d) {
    float *x = ARENA_ARRAY(a, float, t->elements);
    if (t->dtype >= ST_F16 && t->dtype <= ST_F64) return st_to_f32(t, x, path, d) ? x : NULL;
    int32_t *ids = ARENA_ARRAY(a, int32_t, t->elements);
    if (!st_to_i32(t, ids, path, d)) return NULL;
    for (int64_t i = 0; i < t->elements; i++) x[i] = (float)ids[i];
    return x;
}

static part_t read_part(arena_t *a, const char *path, const char *text, diag_t *d) {
    part_t p = {.file = st_open(path, d)};
    const char *at = strchr(text, '@'), *colon = strchr(text, ':');
    const char *name = arena_strndup(a, text, strcspn(text, "@:"));
    const st_tensor_t *t = p.file ? st_find(p.file, name) : NULL;
    int64_t row = at ? atoll(at + 1) : 0, all_rows = t && t->rank > 0 ? t->shape[0] : 1;
    if (!t || row >= all_rows) return p;
    int64_t rows = at ? 1 : all_rows, each = t->elements / all_rows;
    int64_t take = colon && atoll(colon + 1) < each ? atoll(colon + 1) : each;
    const float *all = read_all(a, t, path, d);
    if (!all) return p;
    p.t = t;
    p.x = ARENA_ARRAY(a, float, rows *take);
    for (int64_t r = row; r < row + rows; r++)
        for (int64_t i = r * each; i < r * each + take; i++) p.x[p.n++] = all[i];
    return p;
}

static void part_free(part_t *p) {
    if (p->file) st_close(p->file);
}

static int show(arena_t *a, char **argv, diag_t *d) {
    part_t p = read_part(a, argv[2], argv[3], d);
    bool ok = p.t != NULL, text = strcmp(argv[1], "text") == 0;
    for (int i = 0; ok && !text && i < p.t->rank; i++)
        printf("%s%lld", i ? "," : "", (long long)p.t->shape[i]);
    if (!text) putchar('\n');
    for (int64_t i = 0; i < p.n; i++)
        if (!text) printf("%s%.9g", i ? "," : "", (double)p.x[i]);
        else if (p.x[i] >= 2) putchar((int)p.x[i] - 2);
    if (!text) putchar('\n');
    part_free(&p);
    return !ok;
}

static bool within(const part_t *x, const part_t *y, double share) {
    double max = 1, worst = 0;
    if (share == 0) return memcmp(x->x, y->x, sizeof *x->x * (size_t)x->n) == 0;
    for (int64_t i = 0; i < x->n; i++) {
        double apart = fabs((double)x->x[i] - (double)y->x[i]);
        max = fmax(max, fabs((double)y->x[i]));
        if (!(apart <= worst)) worst = apart;
    }
    fprintf(stderr, "within %g of %g\n", worst, max);
    return worst <= share * max;
}

static int compare(arena_t *a, char **argv, diag_t *d) {
    part_t x = read_part(a, argv[2], argv[3], d), y = read_part(a, argv[4], argv[5], d);
    bool ok = x.t && y.t && x.n == y.n && x.n > 0;
    if (!ok)
        fprintf(stderr, "%s has %lld elements, %s %lld\n", argv[3], (long long)x.n, argv[5],
                (long long)y.n);
    ok = ok && within(&x, &y, atof(argv[6]));
    part_free(&x);
    part_free(&y);
    return !ok;
}

static bool same_shape(const st_tensor_t *x, const st_tensor_t *y) {
    return x->rank == y->rank &&
           memcmp(x->shape, y->shape, sizeof *x->shape * (size_t)x->rank) == 0;
}

static bool is_near(arena_t *a, const st_tensor_t *x, const st_tensor_t *y, double share,
                    diag_t *d) {
    static const double noise = 1e-7;
    const float *got = read_all(a, x, "A", d), *want = read_all(a, y, "B", d);
    double largest = 0, worst = 0;
    for (int64_t i = 0; got && want && i < y->elements; i++) {
        double apart = fabs((double)got[i] - (double)want[i]);
        largest = fmax(largest, fabs((double)want[i]));
        if (!(apart <= worst)) worst = apart;
    }
    bool ok = got && want && worst <= (largest < noise ? noise : share * largest);
    if (!ok) fprintf(stderr, "%s: off by %g of %g\n", y->name, worst, largest);
    return ok;
}

static int near(arena_t *a, char **argv, diag_t *d) {
    st_file_t *x = st_open(argv[2], d), *y = st_open(argv[3], d);
    bool some = strcmp(argv[1], "some") == 0;
    size_t n = x ? st_count(x) : 0;
    bool ok = y && n > 0 && (some ? n < st_count(y) : n == st_count(y));
    if (!ok) fputs("the files have other numbers of tensors\n", stderr);
    for (size_t i = 0; ok && i < n; i++) {
        const st_tensor_t *got = st_at(x, i), *want = st_find(y, got->name);
        ok = want && same_shape(got, want);
        if (!ok) fprintf(stderr, "%s: %s\n", got->name, want ? "another shape" : "not in both");
        ok = ok && is_near(a, got, want, atof(argv[4]), d);
    }
    if (x) st_close(x);
    if (y) st_close(y);
    return !ok;
}

int main(int argc, char **argv) {
    diag_t *d = diag_new();
    arena_t *a = arena_new();
    int code = 2;
    if (argc == 4) code = show(a, argv, d);
    else if (argc == 7 && strcmp(argv[1], "same") == 0) code = compare(a, argv, d);
    else if (argc == 5 && (strcmp(argv[1], "near") == 0 || strcmp(argv[1], "some") == 0))
        code = near(a, argv, d);
    diag_print(d, stderr);
    diag_free(d);
    arena_free(a);
    return code;
}
