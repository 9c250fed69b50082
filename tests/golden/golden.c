/* Compares a model with what Hugging Face computed, and builds of it with each other.
 *
 *   golden compare CASE [run options]     every tensor of CASE/outputs.safetensors, within tolerance:
 *                                         once traced, rotations drawn from hash_seed, and once plain with
 *                                         CASE/rotations.safetensors
 *   golden targets CASE [run options]     the same, traced for each target that this CPU runs, plain for the best
 *   golden identical CASE                 the JIT, gcc, clang, 1 and 2 threads, traced and plain: one of them
 *                                         within tolerance, all equal to the bit, for each target of this CPU
 *   golden turns CASE                     a part of that: of each target of this CPU the JIT and one of the C builds,
 *                                         which take turns
 *   golden one CASE gcc|clang FORM        a part of that: of the best target of this CPU, C that this compiler
 *                                         built in this FORM (traced, plain), beside all of the JIT
 *   golden window CHECKPOINT [run opt.]   logits of the first window of CHECKPOINT/validation.txt
 *
 * Everything goes through the function behind `reformerc run`. Exit 0: equal; 1: not, or an error. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "commands/run/forward.h"
#include "compare/compare.h"

enum { MAX_ARGS = 32 };

typedef struct {
    const char *folder;
    const char *input; /* NULL: the folder's inputs.safetensors */
    char **options;    /* further options of the command line */
    int n_options;
} case_t;

/* ---- one run ------------------------------------------------------------------------------------- */

static const char *in_case(arena_t *a, const case_t *c, const char *file) {
    return arena_printf(a, "%s/%s", c->folder, file);
}

/* `reformerc run CASE …` in this process. */
static bool run_case(const case_t *c, bool traced, int n_more, const char *const *more,
                     results_t *r) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    const char *argv[MAX_ARGS] = {"reformerc", "run", c->folder, "--input"};
    int n = 4;
    argv[n++] = c->input ? c->input : in_case(a, c, "inputs.safetensors");
    const char *rotations = in_case(a, c, "rotations.safetensors");
    if (traced) {
        argv[n++] = "--dump-activations";
    } else if (file_exists(rotations)) {
        argv[n++] = "--rotations";
        argv[n++] = rotations;
    }
    for (int i = 0; i < c->n_options; i++) argv[n++] = c->options[i];
    for (int i = 0; i < n_more; i++) argv[n++] = more[i];
    options_t o;
    *r = (results_t){0};
    output_set_t none = {0}; /* nothing is instrumented */
    bool ok = options_parse(a, commands, n, (char **)argv, &o, d) == 0 && diag_errors(d) == 0 &&
              forward_file(&o, r, &none, d);
    diag_print(d, stderr);
    diag_free(d);
    arena_free(a);
    return ok;
}

/* ---- comparing with Hugging Face ------------------------------------------------------------------- */

typedef struct {
    int compared, failed;
    double worst; /* largest error over its tolerance */
    const char *worst_name;
} tally_t;

static void fail(tally_t *t, const char *name, const char *why) {
    printf("  %-32s %s\n", name, why);
    t->failed++;
}

/* Rows of `got` [batch, padded, …] that `ref` [batch, positions, …] keeps. */
typedef struct {
    const int32_t *positions; /* NULL: all rows */
    int64_t n_positions;
} sample_t;

static int64_t source_index(const st_tensor_t *ref, const result_t *got, const sample_t *s,
                            int64_t i) {
    if (!s->positions) return i;
    int64_t row = 1;
    for (int k = 2; k < ref->rank; k++) row *= ref->shape[k];
    int64_t b = i / (ref->shape[1] * row), p = i / row % ref->shape[1];
    return (b * got->shape[1] + s->positions[p]) * row + i % row;
}

static bool is_sampled(const st_tensor_t *ref, const result_t *got, const sample_t *s) {
    return s->positions && ref->rank >= 2 && ref->shape[1] == s->n_positions &&
           got->shape[1] != s->n_positions;
}

static bool same_shape(const st_tensor_t *ref, const result_t *got, const sample_t *s) {
    if (ref->rank != got->rank) return false;
    for (int k = 0; k < ref->rank; k++)
        if (ref->shape[k] != got->shape[k] && !(k == 1 && is_sampled(ref, got, s))) return false;
    return true;
}

/* A loss is held to its tolerance whatever its magnitude. */
static double allowed_difference(const difference_t *x, const char *name) {
    double tolerance = tolerance_of(name);
    return strcmp(name, "loss") == 0 ? tolerance : tolerance * fmax(1, x->magnitude);
}

static void judge(tally_t *t, const char *name, const difference_t *x, int64_t elements) {
    char why[160];
    if (x->integer) {
        if (difference_none(x)) return;
        snprintf(why, sizeof why,
                 "%lld of %lld differ; element %lld is %.0f, Hugging Face has %.0f",
                 (long long)x->different, (long long)elements, (long long)x->at, x->got, x->want);
        fail(t, name, why);
        return;
    }
    double allowed = allowed_difference(x, name);
    if (x->absolute / allowed > t->worst) {
        t->worst = x->absolute / allowed;
        t->worst_name = name;
    }
    if (x->absolute <= allowed) return;
    snprintf(why, sizeof why,
             "element %lld is %.9g, Hugging Face has %.9g (error %.3g, allowed %.3g)",
             (long long)x->at, x->got, x->want, x->absolute, allowed);
    fail(t, name, why);
}

static void *room_for(const st_tensor_t *ref) {
    void *p = malloc((size_t)ref->elements * 4 + 1);
    if (!p) bug("out of memory");
    return p;
}

/* The elements of `got` that Hugging Face's tensor keeps. */
static result_t kept_of(const st_tensor_t *ref, const result_t *got, const sample_t *s) {
    static const sample_t all = {NULL, 0};
    if (!is_sampled(ref, got, s)) s = &all;
    result_t kept = *got;
    memcpy(kept.shape, ref->shape, sizeof kept.shape);
    kept.data = room_for(ref);
    for (int64_t i = 0; i < ref->elements; i++)
        memcpy((char *)kept.data + 4 * i,
               (const char *)got->data + 4 * source_index(ref, got, s, i), 4);
    return kept;
}

static void compare_tensor(tally_t *t, const st_tensor_t *ref, const result_t *got,
                           const sample_t *s, diag_t *d) {
    t->compared++;
    if (!same_shape(ref, got, s)) {
        fail(t, ref->name, "has another shape");
        return;
    }
    bool integer = ref->dtype == ST_I32;
    if (integer != (got->dtype == REFORMER_I32)) {
        fail(t, ref->name, "has another dtype");
        return;
    }
    result_t kept = kept_of(ref, got, s), want = kept;
    want.data = room_for(ref);
    if (integer ? st_to_i32(ref, want.data, "outputs", d)
                : st_to_f32(ref, want.data, "outputs", d)) {
        difference_t x = compare_tensors(&want, &kept);
        judge(t, ref->name, &x, ref->elements);
    }
    free(want.data);
    free(kept.data);
}

/* The tensor of a run that a golden one is compared with; NULL: none, it belongs to decoding. */
static const char *result_name(const st_file_t *outputs, const char *name) {
    if (strcmp(name, "positions") == 0) return NULL;
    if (strcmp(name, "first_window_logits") == 0 || strcmp(name, "prefill_logits") == 0)
        return "logits";
    bool decode = st_find(outputs, "prefill_logits") || st_find(outputs, "first_window_logits");
    return decode ? NULL : name;
}

static bool compare_results(const case_t *c, const char *file, const results_t *r, bool traced,
                            const char *what) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    tally_t t = {.worst_name = "nothing"};
    st_file_t *outputs = st_open(in_case(a, c, file), d);
    sample_t sample = {0};
    const st_tensor_t *p = outputs ? st_find(outputs, "positions") : NULL;
    if (p) {
        int32_t *positions = ARENA_ARRAY(a, int32_t, p->elements);
        if (st_to_i32(p, positions, file, d)) sample = (sample_t){positions, p->elements};
    }
    for (size_t i = 0; outputs && i < st_count(outputs); i++) {
        const st_tensor_t *ref = st_at(outputs, i);
        const char *name = result_name(outputs, ref->name);
        if (!name || (!traced && is_activation(name))) continue;
        const result_t *got = results_find(r, name);
        if (got) compare_tensor(&t, ref, got, &sample, d);
        else fail(&t, name, "is missing");
    }
    bool ok = outputs && diag_errors(d) == 0 && t.failed == 0 && t.compared > 0;
    printf("%s %-24s %2d tensors, %d wrong; worst %.3f of its tolerance (%s)\n",
           ok ? "ok  " : "FAIL", what, t.compared, t.failed, t.worst, t.worst_name);
    diag_print(d, stderr);
    if (outputs) st_close(outputs);
    diag_free(d);
    arena_free(a);
    return ok;
}

static bool run_and_compare(const case_t *c, bool traced, int n_more, const char *const *more,
                            const char *what) {
    results_t r;
    bool ok =
        run_case(c, traced, n_more, more, &r) &&
        compare_results(c, c->input ? "eval.safetensors" : "outputs.safetensors", &r, traced, what);
    results_free(&r);
    return ok;
}

static bool compare(const case_t *c) {
    bool traced = run_and_compare(c, true, 0, NULL, "traced");
    bool plain = run_and_compare(c, false, 0, NULL, "plain");
    return traced && plain;
}

/* ---- targets ------------------------------------------------------------------------------------------ */

/* The targets of this CPU's family; says which ones it cannot run. */
static int usable_targets(const target_t *out[T_LEVELS]) {
    int n = 0;
    bool arm = reformer_cpu_supports(REFORMER_CPU_AARCH64);
    for (int i = 0; i < T_LEVELS; i++) {
        if ((targets[i].id == T_AARCH64) != arm) continue;
        if (reformer_cpu_supports(i)) out[n++] = &targets[i];
        else printf("SKIPPED %s: this CPU does not run it\n", targets[i].name);
    }
    return n;
}

static bool compare_targets(const case_t *c) {
    const target_t *usable[T_LEVELS];
    int n = usable_targets(usable);
    bool ok = n > 0;
    for (int i = 0; i < n; i++) {
        const char *more[] = {"--target", usable[i]->name};
        char what[64];
        snprintf(what, sizeof what, "%s traced", usable[i]->name);
        ok &= run_and_compare(c, true, 2, more, what);
        if (i < n - 1) continue; /* compilers are slow: `identical` has the others plain */
        snprintf(what, sizeof what, "%s plain", usable[i]->name);
        ok &= run_and_compare(c, false, 2, more, what);
    }
    return ok;
}

/* ---- identity -------------------------------------------------------------------------------------------- */

/* Tensors of `b` are those of `a`, bit for bit; a plain run lacks the activations. */
static bool same_bits(const results_t *a, const results_t *b, bool b_traced, const char *what) {
    size_t equal = 0;
    bool ok = true;
    for (size_t i = 0; i < a->n; i++) {
        const result_t *x = &a->items[i], *y = results_find(b, x->name);
        if (!y && !b_traced && is_activation(x->name)) continue;
        bool same = y && x->bytes == y->bytes && memcmp(x->data, y->data, x->bytes) == 0;
        if (!same) printf("  %-32s %s\n", x->name, y ? "differs" : "is missing");
        equal += same;
        ok &= same;
    }
    printf("%s %-36s %zu tensors equal to the bit\n", ok ? "ok  " : "FAIL", what, equal);
    return ok && equal > 0;
}

/* Builds of one target. They are run in this order; the first one is compared with Hugging Face, the others with it. */
static const struct {
    const char *cc, *threads; /* cc NULL: the JIT */
    bool traced;
} builds[] = {{NULL, "2", true},    {NULL, "1", true},     {NULL, "2", false},
              {NULL, "1", false},   {"gcc", "1", true},    {"gcc", "2", true},
              {"clang", "1", true}, {"clang", "2", true},  {"gcc", "1", false},
              {"gcc", "2", false},  {"clang", "1", false}, {"clang", "2", false}};
enum { N_BUILDS = sizeof builds / sizeof *builds };

/* Which of the C builds; NULL: all. */
typedef struct {
    const char *cc;
    bool traced;
} choice_t;

static bool is_chosen(size_t i, const choice_t *only) {
    const char *cc = builds[i].cc;
    if (!cc) return backend_is_built_in(BACKEND_JIT);
    return !only || (strcmp(cc, only->cc) == 0 && builds[i].traced == only->traced);
}

static bool run_build(const case_t *c, const target_t *target, size_t i, results_t *r, char *what,
                      size_t room) {
    const char *cc = builds[i].cc, *threads = builds[i].threads;
    const char *more[] = {"--threads", threads,          "--target", target->name,
                          "--backend", cc ? "c" : "jit", "--cc",     cc};
    snprintf(what, room, "%s %s, %s thread%s, %s", target->name, cc ? cc : "jit", threads,
             *threads == '1' ? "" : "s", builds[i].traced ? "traced" : "plain");
    return run_case(c, builds[i].traced, cc ? 8 : 6, more, r);
}

static bool identical_on(const case_t *c, const target_t *target, const choice_t *only) {
    results_t first = {0};
    bool ok = true, any = false;
    for (size_t i = 0; ok && i < N_BUILDS; i++) {
        if (!is_chosen(i, only)) continue;
        bool traced = builds[i].traced;
        char what[96];
        results_t r;
        ok = run_build(c, target, i, &r, what, sizeof what);
        if (ok && any) ok = same_bits(&first, &r, traced, what);
        else if (ok) ok = compare_results(c, "outputs.safetensors", &r, traced, what);
        if (any) results_free(&r);
        else first = r;
        any = true;
    }
    results_free(&first);
    return ok && any;
}

static bool identical(const case_t *c) {
    const target_t *usable[T_LEVELS];
    int n = usable_targets(usable);
    bool ok = n > 0;
    for (int i = 0; i < n; i++) ok &= identical_on(c, usable[i], NULL);
    return ok;
}

static bool turns(const case_t *c) {
    static const choice_t turn[] = {
        {"gcc", true}, {"clang", false}, {"gcc", false}, {"clang", true}};
    const target_t *usable[T_COUNT];
    int n = usable_targets(usable);
    bool ok = n > 0;
    for (int i = 0; i < n; i++) ok &= identical_on(c, usable[i], &turn[i % 4]);
    return ok;
}

static bool one(const case_t *c) {
    const target_t *usable[T_LEVELS];
    int n = usable_targets(usable);
    if (c->n_options != 2 || n == 0) return false;
    case_t bare = {.folder = c->folder};
    choice_t only = {.cc = c->options[0], .traced = strcmp(c->options[1], "traced") == 0};
    bool compiled = false;
    for (size_t i = 0; i < N_BUILDS; i++) compiled |= builds[i].cc && is_chosen(i, &only);
    return compiled && identical_on(&bare, usable[n - 1], &only);
}

/* ---- the trained checkpoint --------------------------------------------------------------------------------- */

enum { WINDOW = 512, BYTE_OFFSET = 2 };

static bool write_window(const case_t *c, const char *path) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    size_t bytes = 0;
    char *text = file_read(in_case(a, c, "validation.txt"), 0, &bytes, d);
    int32_t ids[WINDOW];
    for (size_t i = 0; text && bytes >= WINDOW && i < WINDOW; i++)
        ids[i] = (unsigned char)text[i] + BYTE_OFFSET;
    st_writer_t *w = st_writer_new();
    st_writer_add(w, "input_ids", ST_I32, 2, (int64_t[]){1, WINDOW}, ids);
    bool ok = text && bytes >= WINDOW && st_writer_save(w, path, d);
    st_writer_free(w);
    diag_print(d, stderr);
    free(text);
    diag_free(d);
    arena_free(a);
    return ok;
}

static bool window(const case_t *folder) {
    char path[] = "/tmp/golden-window-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0) return false;
    close(fd);
    case_t c = *folder;
    c.input = path;
    bool ok = write_window(&c, path) && run_and_compare(&c, false, 0, NULL, "first window");
    unlink(path);
    return ok;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        bool (*check)(const case_t *c);
    } modes[] = {{"compare", compare},
                 {"targets", compare_targets},
                 {"identical", identical},
                 {"turns", turns},
                 {"one", one},
                 {"window", window}};
    if (argc < 3 || argc > MAX_ARGS / 2) {
        fputs("usage: golden compare|targets|identical|turns|one|window FOLDER [options]\n",
              stderr);
        return 2;
    }
    case_t c = {.folder = argv[2], .options = argv + 3, .n_options = argc - 3};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(argv[1], modes[i].name) == 0) return !modes[i].check(&c);
    fprintf(stderr, "golden: no mode '%s'\n", argv[1]);
    return 2;
}
