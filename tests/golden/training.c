/* Whole trainings against Hugging Face's: `reformerc train` over the micro-batches of a trajectory.
 *
 *   golden_training FOLDER SCRATCH BACKEND…
 *
 * FOLDER: config.json, model.safetensors, rotations.safetensors (where it hashes), inputs.safetensors, trajectory.json,
 * whose first keys are those of a spec's section `train:`, word for word, and final.safetensors. SCRATCH: a folder of our
 * own. BACKEND: reference, interpreter, jit, c:gcc … (c and a compiler). Each back end is held against Hugging Face: the loss
 * of each step to 1e-5, the gradient's norm to 2e-5, the last parameters to 1e-5 of their tensor's largest magnitude; those
 * that run loops give the same bits as each other. Exit 0: so it is; 1: not, or an error. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "support/heap.h"
#include "weights/weights.h"

static const double loss_tolerance = 1e-5, norm_tolerance = 2e-5, tolerance = 1e-5;

enum { MAX_STEPS = 1000 };

typedef struct {
    arena_t *a;
    diag_t *d;
    const char *folder, *scratch;
    char *wanted; /* trajectory.json */
    const char *model;
    int failed;
} case_t;

static const char *in_case(const case_t *c, const char *file) {
    return arena_printf(c->a, "%s/%s", c->folder, file);
}

/* ---- the spec ------------------------------------------------------------------------------------- */

/* config.json with the trajectory's keys, all before its results, as the section `train`. */
static bool write_spec(case_t *c) {
    size_t bytes;
    char *config = file_read(in_case(c, "config.json"), 0, &bytes, c->d);
    c->wanted = file_read(in_case(c, "trajectory.json"), 0, &bytes, c->d);
    if (!config || !c->wanted) return false;
    char *end = strrchr(config, '}'), *begin = strchr(c->wanted, '{');
    char *results = strstr(c->wanted, "\"loss\":");
    if (!end || !begin || !results) return false;
    int keys = (int)(results - begin);
    while (keys > 0 && begin[keys] != ',') keys--;
    c->model = arena_printf(c->a, "%s/model.json", c->scratch);
    const char *text = arena_printf(c->a, "%.*s,\n\"train\": %.*s}\n}\n", (int)(end - config),
                                    config, keys, begin);
    heap_free(config);
    return file_write(c->model, text, strlen(text), c->d);
}

/* ---- one training ---------------------------------------------------------------------------------- */

/* What an earlier run of this test has left, which `train` would not write over. */
static void remove_old(const case_t *c, const char *out) {
    static const char *const files[] = {"last/config.json",
                                        "last/model.safetensors",
                                        "last/optimizer.safetensors",
                                        "last/trainer_state.json",
                                        "metrics.csv",
                                        "loss.svg",
                                        ".lock"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        (void)unlink(arena_printf(c->a, "%s/%s", out, files[i]));
    (void)rmdir(arena_printf(c->a, "%s/last", out));
}

static bool train(case_t *c, const char *backend, const char *out, const char *trajectory) {
    const char *cc = strchr(backend, ':'), *rotations = in_case(c, "rotations.safetensors");
    const char *name = cc ? arena_strndup(c->a, backend, (size_t)(cc - backend)) : backend;
    const char *argv[24] = {"reformerc",
                            "train",
                            c->model,
                            "--weights",
                            in_case(c, "model.safetensors"),
                            "--batches",
                            in_case(c, "inputs.safetensors"),
                            "--trajectory",
                            trajectory,
                            "--out",
                            out,
                            "--backend",
                            name,
                            "--threads",
                            "2",
                            "--no-warnings"};
    int n = 16;
    if (cc) argv[n++] = "--cc";
    if (cc) argv[n++] = cc + 1;
    if (file_exists(rotations)) argv[n++] = "--rotations";
    if (file_exists(rotations)) argv[n++] = rotations;
    options_t o;
    return options_parse(c->a, commands, n, (char **)argv, &o, c->d) == 0 &&
           diag_errors(c->d) == 0 && o.command->run(&o, c->d) == 0;
}

/* ---- comparing ------------------------------------------------------------------------------------- */

static int numbers(const char *text, const char *name, double *x) {
    const char *at = strstr(text, name);
    int n = 0;
    if (!at || !(at = strchr(at, '['))) return 0;
    do {
        char *end;
        x[n] = strtod(at + 1, &end);
        if (end == at + 1) break;
        n++;
        at = end;
    } while (*at == ',' && n < MAX_STEPS);
    return n;
}

static void fail(case_t *c, const char *backend, const char *what, double error) {
    printf("  %s: %s: off by %.3g\n", backend, what, error);
    c->failed++;
}

/* The larger one; what is no number is larger than all. */
static double worse(double error, double than) {
    if (isnan(error)) return INFINITY;
    return error > than ? error : than;
}

static void compare_list(case_t *c, const char *backend, const char *text, const char *name,
                         double within) {
    static double got[MAX_STEPS], wanted[MAX_STEPS];
    int n = numbers(text, name, got), m = numbers(c->wanted, name, wanted);
    double worst = n != m || n == 0 ? INFINITY : 0;
    for (int i = 0; i < n && n == m; i++)
        worst = worse(fabs(got[i] - wanted[i]) / fmax(fabs(wanted[i]), 1e-30), worst);
    printf("%s %s %.3g\n", backend, name, worst);
    if (!(worst <= within)) fail(c, backend, name, worst);
}

static double distance(case_t *c, const st_tensor_t *wanted, const st_tensor_t *got) {
    float *x = ARENA_ARRAY(c->a, float, wanted->elements),
          *y = ARENA_ARRAY(c->a, float, wanted->elements);
    double largest = 0, error = 0;
    if (got->elements != wanted->elements || !st_to_f32(wanted, x, "final", c->d) ||
        !st_to_f32(got, y, "last", c->d))
        return INFINITY;
    for (int64_t i = 0; i < wanted->elements; i++) {
        largest = fmax(largest, fabs((double)x[i]));
        error = worse(fabs((double)x[i] - (double)y[i]), error);
    }
    if (!isfinite(largest)) return INFINITY;
    return error / fmax(largest, 1e-30);
}

static bool compare_weights(case_t *c, const char *backend, const char *path) {
    st_file_t *wanted = st_open(in_case(c, "final.safetensors"), c->d), *got = st_open(path, c->d);
    double worst = 0;
    if (!wanted || !got) return false;
    for (size_t i = 0; i < st_count(wanted); i++) {
        const st_tensor_t *t = st_at(wanted, i), *g = st_find(got, t->name);
        double error = g ? distance(c, t, g) : INFINITY;
        if (!(error <= tolerance)) fail(c, backend, t->name, error);
        worst = worse(error, worst);
    }
    printf("%s parameters %.3g\n", backend, worst);
    st_close(wanted);
    st_close(got);
    return true;
}

static bool same_bytes(case_t *c, const char *path, const char *other) {
    size_t n, m;
    char *x = file_read(path, 0, &n, c->d), *y = file_read(other, 0, &m, c->d);
    bool same = x && y && n == m && memcmp(x, y, n) == 0;
    heap_free(x);
    heap_free(y);
    return same;
}

/* What the first back end of loops made, every later one makes to the bit. */
static bool run(case_t *c, const char *backend, const char **first) {
    const char *out = arena_printf(c->a, "%s/%s", c->scratch, backend);
    const char *path = arena_printf(c->a, "%s.json", out);
    const char *weights = arena_printf(c->a, "%s/last/model.safetensors", out);
    size_t bytes;
    remove_old(c, out);
    if (!train(c, backend, out, path)) return false;
    char *text = file_read(path, 0, &bytes, c->d);
    if (!text) return false;
    compare_list(c, backend, text, "\"loss\"", loss_tolerance);
    compare_list(c, backend, text, "\"grad_norm\"", norm_tolerance);
    compare_list(c, backend, text, "\"items\"", 0);
    heap_free(text);
    if (!compare_weights(c, backend, weights)) return false;
    if (strcmp(backend, "reference") == 0) return true;
    if (*first && !same_bytes(c, weights, *first)) fail(c, backend, "other bits", NAN);
    *first = weights;
    return true;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    case_t c = {.a = arena_new(), .d = diag_new(), .folder = argv[1], .scratch = argv[2]};
    const char *first = NULL;
    bool ok = make_directories(c.scratch, 0700) && write_spec(&c);
    for (int i = 3; i < argc && ok; i++) ok = run(&c, argv[i], &first);
    diag_print(c.d, stderr);
    heap_free(c.wanted);
    diag_free(c.d);
    arena_free(c.a);
    return ok && c.failed == 0 ? 0 : 1;
}
