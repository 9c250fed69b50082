/* Checkpoints: what is written reads back to the bit, wherever the writer was killed; who may write; what may not change;
 * what a full disk, a link and files of others do to it. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "support/file.h"
#include "weights/weights.h"

#define MODEL "is_decoder: true\narchitectures: [ReformerModelWithLMHead]\nattn_layers: [local]\n"
#define TRAIN "train: {steps: 10, seed: 3, schedule: {type: cosine}}\n"

/* ---- a training ---------------------------------------------------------------------------------------- */

enum { SMALL = 3, LARGE = 1000 };
typedef struct {
    arena_t *arena;
    diag_t *d;
    checkpoint_array_t arrays[3];
    checkpoint_number_t numbers[3];
    checkpoint_fact_t facts[1];
    checkpoint_t state;
    float small[SMALL], large[LARGE], moment[LARGE];
} training_t;

static void *begin(training_t *t, const char *spec) {
    *t = (training_t){.arena = arena_new(), .d = diag_new()};
    t->state.spec = spec_parse(t->arena, "s.yaml", spec, strlen(spec), NULL, 0, t->d);
    assert_non_null(t->state.spec);
    t->arrays[0] = (checkpoint_array_t){"lm_head.bias", false, 1, {SMALL}, t->small};
    t->arrays[1] = (checkpoint_array_t){"reformer.w", false, 3, {10, 1, LARGE / 10}, t->large};
    t->arrays[2] =
        (checkpoint_array_t){"exp_avg.reformer.w", true, 3, {10, 1, LARGE / 10}, t->moment};
    t->numbers[0] = (checkpoint_number_t){"tokens", 0};
    t->numbers[1] = (checkpoint_number_t){"best", INFINITY};
    t->numbers[2] = (checkpoint_number_t){"smoothed", NAN};
    t->facts[0] = (checkpoint_fact_t){"data", "a \"text\"\xc2\x85 of 3 bytes"};
    t->state.arrays = t->arrays, t->state.n_arrays = 3;
    t->state.numbers = t->numbers, t->state.n_numbers = 3;
    t->state.facts = t->facts, t->state.n_facts = 1;
    return t;
}

static void fill(training_t *t, int64_t step) {
    t->state.step = step;
    for (int i = 0; i < SMALL; i++) t->small[i] = (float)step / 3 + (float)i;
    for (int i = 0; i < LARGE; i++) t->large[i] = (float)step * 7 - (float)i;
    for (int i = 0; i < LARGE; i++) t->moment[i] = 1 / (float)(step + i + 1);
    t->numbers[0].value = (double)step * 0.1;
}

static void end(training_t *t) {
    diag_free(t->d);
    arena_free(t->arena);
}

static const char *said(training_t *t) {
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    diag_print(t->d, f);
    fclose(f);
    const char *kept = arena_strdup(t->arena, text);
    free(text);
    return kept;
}

static void assert_says(training_t *t, const char *what) {
    const char *all = said(t);
    if (!strstr(all, what)) fail_msg("no '%s' in:\n%s", what, all);
}

/* ---- folders ------------------------------------------------------------------------------------------- */

static char root[256];

static const char *folder(training_t *t, const char *name) {
    return arena_printf(t->arena, "%s/%s", root, name);
}

static const char *in(training_t *t, const char *name, const char *rest) {
    return arena_printf(t->arena, "%s/%s/%s", root, name, rest);
}

static int make_root(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/reformerc-test-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(root) ? 0 : 1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static int remove_root(void **state) {
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(training_t *t, const char *path, const char *text) {
    assert_true(file_write(path, text, strlen(text), t->d));
}

static void put(training_t *t, checkpoints_t *c, const char *name, int64_t step) {
    fill(t, step);
    if (!checkpoint_write(c, name, &t->state, t->d)) fail_msg("%s", said(t));
}

/* ---- there and back ------------------------------------------------------------------------------------ */

static void comes_back_to_the_bit(void **state) {
    (void)state;
    training_t t, u;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "deep/er"), false, 0, t.d);
    if (!c) fail_msg("%s", said(&t));
    assert_false(checkpoint_has(c, "last"));
    put(&t, c, "last", 5);
    put(&t, c, "best", 4);
    put(&t, c, "last", 6);
    checkpoint_close(c);
    begin(&u, MODEL TRAIN);
    c = checkpoint_open(folder(&u, "deep/er"), true, 0, u.d);
    assert_true(c && checkpoint_has(c, "last") && checkpoint_has(c, "best"));
    if (!checkpoint_read(c, "last", &u.state, u.d)) fail_msg("%s", said(&u));
    assert_int_equal(u.state.step, 6);
    assert_memory_equal(u.large, t.large, sizeof t.large);
    assert_memory_equal(u.small, t.small, sizeof t.small);
    assert_memory_equal(u.moment, t.moment, sizeof t.moment);
    assert_true(u.numbers[0].value == t.numbers[0].value && isinf(u.numbers[1].value) &&
                isnan(u.numbers[2].value));
    assert_int_equal(checkpoint_step(c, "best", u.d), 4);
    assert_string_equal(said(&u), "");
    checkpoint_close(c);
    end(&u);
    end(&t);
}

/* The folder is one of Hugging Face's: config.json describes the model, model.safetensors has its tensors alone. */
static void is_a_checkpoint_folder(void **state) {
    (void)state;
    training_t t;
    begin(&t, MODEL
          "compile: {text: \"sentencepiece:deep/my.model\"}\nid2label: {0: no, 1: \"y\\\"es\"}\n");
    write_file(&t, folder(&t, "my.model"), "pieces");
    t.state.pieces = folder(&t, "my.model");
    checkpoints_t *c = checkpoint_open(folder(&t, "hf"), false, 0, t.d);
    put(&t, c, "last", 1);
    checkpoint_close(c);
    spec_t *s = spec_load(t.arena, folder(&t, "hf/last"), NULL, 0, t.d);
    if (!s) fail_msg("%s", said(&t));
    assert_string_equal(s->weights_path, folder(&t, "hf/last/model.safetensors"));
    assert_int_equal(s->architecture, ARCH_CAUSAL_LM);
    assert_int_equal(s->n_layers, 1);
    assert_int_equal(s->compile.text, TEXT_SENTENCEPIECE);
    assert_string_equal(s->compile.sentencepiece, "spiece.model");
    assert_string_equal(s->label_names[1], "y\"es");
    char *copy = file_read(folder(&t, "hf/last/spiece.model"), 0, NULL, t.d);
    assert_string_equal(copy, "pieces");
    free(copy);
    st_file_t *f = st_open(s->weights_path, t.d);
    assert_int_equal(st_count(f), 2);
    assert_non_null(st_find(f, "reformer.w"));
    st_close(f);
    end(&t);
}

static void keeps_earlier_ones(void **state) {
    (void)state;
    training_t t;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "kept"), false, 2, t.d);
    for (int step = 8; step <= 12; step++) {
        put(&t, c, "last", step);
        put(&t, c, "best", step);
        put(&t, c, "last", step); /* again: nothing earlier */
    }
    assert_false(file_exists(in(&t, "kept", "step-9")));
    assert_false(file_exists(in(&t, "kept", "step-12")));
    assert_int_equal(checkpoint_step(c, "step-10", t.d), 10);
    assert_int_equal(checkpoint_step(c, "step-11", t.d), 11);
    assert_int_equal(checkpoint_step(c, "last", t.d), 12);
    checkpoint_close(c);
    end(&t);
}

static size_t memory_held(void) {
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* However often a training saves. */
static void holds_no_memory_of_earlier_ones(void **state) {
    (void)state;
    enum { WARM = 4, SAVES = 40, MAX = 64 << 10 };
    training_t t;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "often"), false, 1, t.d);
    size_t before = 0;
    for (int step = 1; step <= WARM + SAVES; step++) {
        put(&t, c, "last", step);
        if (step == WARM) before = memory_held();
    }
    size_t now = memory_held();
    if (now > before + MAX) fail_msg("%d saves hold %zu bytes more", SAVES, now - before);
    checkpoint_close(c);
    end(&t);
}

/* Files that somebody puts into a checkpoint stay with it. */
static void leaves_files_of_others(void **state) {
    (void)state;
    training_t t;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "others"), false, 0, t.d);
    put(&t, c, "last", 1);
    write_file(&t, in(&t, "others", "last/generation_config.json"), "{}");
    put(&t, c, "last", 2);
    put(&t, c, "last", 3);
    assert_true(file_exists(in(&t, "others", "last/generation_config.json")));
    assert_false(file_exists(in(&t, "others", ".last.new")));
    checkpoint_close(c);
    end(&t);
}

/* ---- who may begin ------------------------------------------------------------------------------------- */

static void begins_once(void **state) {
    (void)state;
    training_t t;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "one"), false, 0, t.d);
    assert_null(checkpoint_open(folder(&t, "one"), false, 0, t.d));
    assert_says(&t, arena_printf(t.arena,
                                 "/one: error: another training writes into this folder "
                                 "(process %ld)",
                                 (long)getpid()));
    checkpoints_t *looking = checkpoint_look(folder(&t, "one"), t.d);
    put(&t, c, "last", 7);
    assert_int_equal(checkpoint_step(looking, "last", t.d), 7);
    checkpoint_close(looking);
    checkpoint_close(c);
    assert_null(checkpoint_open(folder(&t, "one"), false, 0, t.d));
    assert_says(&t, "/one: error: holds a training already, of 7 steps\n");
    assert_null(checkpoint_open(folder(&t, "nowhere"), true, 0, t.d));
    assert_says(&t, "/nowhere: error: there is no such folder");
    assert_false(file_exists(folder(&t, "nowhere")));
    assert_int_equal(mkdir(folder(&t, "empty"), 0700), 0);
    c = checkpoint_open(folder(&t, "empty"), true, 0, t.d);
    assert_non_null(c);
    assert_says(&t, "/empty: warning: holds no checkpoint to resume");
    checkpoint_close(c);
    write_file(&t, folder(&t, "file"), "");
    assert_null(checkpoint_open(folder(&t, "file"), false, 0, t.d));
    assert_says(&t, "/file: error: cannot make this folder: a file stands there\n");
    assert_null(checkpoint_open(folder(&t, "file/below"), false, 0, t.d));
    assert_says(&t, "/file/below: error: cannot make this folder: Not a directory\n");
    end(&t);
}

/* Without `last` what else a training has left stays as it is. */
static void begins_over_nothing(void **state) {
    (void)state;
    training_t t;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "rest"), false, 0, t.d);
    put(&t, c, "step-4", 4);
    checkpoint_close(c);
    assert_null(checkpoint_open(folder(&t, "rest"), false, 0, t.d));
    assert_says(&t, "/rest: error: holds a training already (step-4), but no 'last'\n");
    assert_null(checkpoint_open(folder(&t, "rest"), true, 0, t.d));
    assert_says(&t, "/rest/step-4 ");
    assert_int_equal(mkdir(folder(&t, "sales"), 0700), 0);
    write_file(&t, in(&t, "sales", "metrics.csv"), "day,sales\n");
    assert_null(checkpoint_open(folder(&t, "sales"), false, 0, t.d));
    assert_says(&t, "/sales/metrics.csv: error: has other columns\n");
    end(&t);
}

/* ---- what may change ----------------------------------------------------------------------------------- */

static const char *resumed(const char *spec, const char *data, bool fine) {
    static char text[8192];
    training_t u;
    begin(&u, spec);
    if (data) u.facts[0].text = data;
    checkpoints_t *c = checkpoint_open(folder(&u, "rules"), true, 0, u.d);
    assert_non_null(c);
    if (checkpoint_read(c, "last", &u.state, u.d) != fine) fail_msg("%s: %s", spec, said(&u));
    snprintf(text, sizeof text, "%s", said(&u));
    checkpoint_close(c);
    end(&u);
    return text;
}

static void what_may_change(void **state) {
    (void)state;
    training_t t;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "rules"), false, 0, t.d);
    put(&t, c, "last", 5);
    checkpoint_close(c);
    (void)resumed(
        MODEL
        "train: {steps: 20, seed: 3, schedule: {type: cosine, total: 10}, eval_every: 3, "
        "save_every: 1, save_minutes: 1, keep: 2, patience: 3, minutes: 3, sample_every: 2}\n",
        NULL, true);
    const char *text =
        resumed(MODEL "hidden_dropout_prob: 0.2\ntrain: {steps: 10, seed: 4, batch_size: 9, "
                      "optimizer: {lr: 1}, schedule: {type: cosine}, freeze: a}\n",
                "another", false);
    assert_non_null(strstr(text, "rules/last: error: is of another training, 6 things differ:\n"));
    assert_non_null(strstr(text, "\n    'hidden_dropout_prob' was 0.05, now it is 0.2 ("));
    assert_non_null(strstr(text, "s.yaml:4:22)\n"));
    assert_non_null(strstr(text, "'train.seed' was 3, now it is 4 ("));
    assert_non_null(strstr(text, "'train.batch_size' was 8, now it is 9 ("));
    assert_non_null(strstr(text, "'train.optimizer.lr' was 0.001, now it is 1.0 ("));
    assert_non_null(strstr(text, "'train.freeze' was null, now it is "));
    assert_non_null(
        strstr(text, "'data' was a \"text\"\xef\xbf\xbd of 3 bytes, now it is another\n"));
    assert_non_null(strstr(text, "hint: what may change of train: text, eval_text, "));
    assert_non_null(strstr(text, ", minutes, eval_every, "));
    assert_null(strstr(strstr(text, "error: ") + 1, "error: ")); /* all in one */
    text = resumed(MODEL "train: {steps: 20, seed: 3, schedule: {type: cosine}}\n", NULL, false);
    assert_non_null(strstr(text, "'train.schedule.total' was 10, now it is 20"));
    assert_non_null(strstr(text,
                           "hint: train.schedule.total=10 keeps the course of the rate; behind "
                           "that end its wave goes on, and does not stay low\n"));
    end(&t);
}

/* A schedule without an end has no total, whoever wrote one. */
static void steps_may_change(void **state) {
    (void)state;
    training_t t, u;
    begin(&t, MODEL);
    begin(&u, MODEL "train: {steps: 77}\n");
    ((spec_t *)t.state.spec)->train.schedule.total = 1000;
    ((spec_t *)u.state.spec)->train.schedule.total = 77;
    checkpoints_t *c = checkpoint_open(folder(&t, "steps"), false, 0, t.d);
    put(&t, c, "last", 5);
    if (!checkpoint_read(c, "last", &u.state, u.d)) fail_msg("%s", said(&u));
    checkpoint_close(c);
    end(&u);
    end(&t);
}

/* Tensors of two checkpoints, of other shapes, or none. */
static void tensors_belong_to_their_state(void **state) {
    (void)state;
    training_t t;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "mixed"), false, 0, t.d);
    put(&t, c, "last", 5);
    put(&t, c, "best", 4);
    assert_int_equal(rename(in(&t, "mixed", "best/model.safetensors"),
                            in(&t, "mixed", "last/model.safetensors")),
                     0);
    assert_false(checkpoint_read(c, "last", &t.state, t.d));
    assert_says(
        &t,
        "/last: error: its tensors are not those that were written with its trainer_state.json");
    assert_false(checkpoint_read(c, "best", &t.state, t.d));
    assert_says(&t, "best/model.safetensors: error: cannot open");
    put(&t, c, "best", 4);
    t.arrays[1].shape[0] = 5, t.arrays[1].shape[1] = 2;
    assert_false(checkpoint_read(c, "best", &t.state, t.d));
    assert_says(&t, "tensor 'reformer.w' has another shape");
    t.arrays[2].name = "exp_avg.x";
    t.arrays[1].shape[0] = 10, t.arrays[1].shape[1] = 1;
    assert_false(checkpoint_read(c, "best", &t.state, t.d));
    assert_says(&t, "best/optimizer.safetensors: error: tensor 'exp_avg.x' is missing");
    write_file(&t, in(&t, "mixed", "best/trainer_state.json"), "{\"format\": \"x\"}");
    assert_false(checkpoint_read(c, "best", &t.state, t.d));
    assert_says(&t, "trainer_state.json:1:12: error: is no trainer state that reformerc wrote");
    checkpoint_close(c);
    end(&t);
}

/* ---- what goes wrong ----------------------------------------------------------------------------------- */

/* A file may not become larger than this, as on a full disk. */
static void full_disk_keeps_the_last_one(void **state) {
    (void)state;
    training_t t;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "full"), false, 3, t.d);
    put(&t, c, "last", 5);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4000; /* model.safetensors is larger */
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    fill(&t, 6);
    bool written = checkpoint_write(c, "last", &t.state, t.d);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_false(written);
    const char *all = said(&t);
    assert_non_null(
        strstr(all, ".last.new/model.safetensors: error: cannot write: File too large"));
    assert_non_null(strstr(all, "/full/last is as it was, of step 5\n"));
    assert_false(file_exists(in(&t, "full", ".last.new")));
    assert_int_equal(checkpoint_step(c, "last", t.d), 5);
    put(&t, c, "last", 7); /* later there is room */
    assert_int_equal(checkpoint_step(c, "last", t.d), 7);
    assert_int_equal(checkpoint_step(c, "step-5", t.d), 5);
    checkpoint_close(c);
    end(&t);
}

/* Where a writer can be cut off, one by one. */
static void recovers(void **state) {
    (void)state;
    training_t t;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "cut"), false, 2, t.d);
    put(&t, c, "last", 5);
    put(&t, c, "best", 6);
    checkpoint_close(c);
    /* while the new one is written */
    assert_int_equal(mkdir(in(&t, "cut", ".last.new"), 0700), 0);
    write_file(&t, in(&t, "cut", ".last.new/config.json.tmp-1-2"), "{");
    /* between two renames, where the file system cannot exchange */
    assert_int_equal(rename(in(&t, "cut", "best"), in(&t, "cut", ".best.old")), 0);
    c = checkpoint_open(folder(&t, "cut"), true, 2, t.d);
    assert_non_null(c);
    assert_int_equal(checkpoint_step(c, "last", t.d), 5);
    assert_int_equal(checkpoint_step(c, "best", t.d), 6);
    assert_false(file_exists(in(&t, "cut", ".last.new")));
    assert_false(file_exists(in(&t, "cut", ".best.old")));
    put(&t, c, "best", 7);
    checkpoint_close(c);
    /* after they have changed places, before the one before was put away */
    assert_int_equal(rename(in(&t, "cut", "best"), in(&t, "cut", ".last.new")), 0);
    assert_int_equal(rename(in(&t, "cut", "last"), in(&t, "cut", "best")), 0);
    assert_int_equal(rename(in(&t, "cut", ".last.new"), in(&t, "cut", "last")), 0);
    assert_int_equal(rename(in(&t, "cut", "best"), in(&t, "cut", ".last.new")), 0);
    c = checkpoint_open(folder(&t, "cut"), true, 2, t.d);
    assert_int_equal(checkpoint_step(c, "last", t.d), 7);
    assert_int_equal(checkpoint_step(c, "step-5", t.d), 5);
    assert_false(file_exists(in(&t, "cut", ".last.new")));
    checkpoint_close(c);
    end(&t);
}

/* Writes one after the other, until it is killed. */
static void write_for_ever(int keep) {
    training_t t;
    begin(&t, MODEL TRAIN);
    checkpoints_t *c = checkpoint_open(folder(&t, "killed"), true, keep, t.d);
    if (!c) _exit(1);
    int64_t step = checkpoint_has(c, "last") ? checkpoint_step(c, "last", t.d) : 0;
    for (;;) {
        fill(&t, ++step);
        if (!checkpoint_write(c, "last", &t.state, t.d) ||
            !checkpoint_write(c, "best", &t.state, t.d))
            _exit(1);
    }
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* How long a pair of checkpoints takes here and now. */
static double time_of_writing(training_t *t) {
    checkpoints_t *c = checkpoint_open(folder(t, "timed"), false, 0, t->d);
    double start = seconds();
    put(t, c, "last", 1);
    put(t, c, "best", 1);
    put(t, c, "last", 2);
    put(t, c, "best", 2);
    checkpoint_close(c);
    return (seconds() - start) / 2;
}

static void kill_writer_after(double time, int keep) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) write_for_ever(keep);
    struct timespec wait = {.tv_sec = (time_t)time, .tv_nsec = (long)(fmod(time, 1) * 1e9)};
    (void)nanosleep(&wait, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status)) fail_msg("a writer gave up with status %d", status);
}

/* What stands there is whole, and no earlier than before; -1: nothing does. */
static int64_t look_for_step(training_t *t, int64_t before) {
    training_t u;
    begin(&u, MODEL TRAIN);
    int64_t step = -1;
    checkpoints_t *c = checkpoint_open(folder(&u, "killed"), true, 0, u.d);
    assert_non_null(c);
    if (checkpoint_has(c, "last")) {
        if (!checkpoint_read(c, "last", &u.state, u.d)) fail_msg("%s", said(&u));
        step = u.state.step;
        fill(t, step);
        assert_memory_equal(u.large, t->large, sizeof t->large);
        assert_memory_equal(u.moment, t->moment, sizeof t->moment);
    }
    assert_true(step >= before);
    if (checkpoint_has(c, "best") && !checkpoint_read(c, "best", &u.state, u.d))
        fail_msg("%s", said(&u));
    checkpoint_close(c);
    end(&u);
    return step;
}

/* At moments that lie anywhere in the writing of a few, until there was a number of kills among written ones. */
static void survives_kill(void **state) {
    (void)state;
    enum { KILLS = 25, MAX = 1000 };
    training_t t;
    begin(&t, MODEL TRAIN);
    assert_int_equal(mkdir(folder(&t, "killed"), 0700), 0);
    double longest = 4 * time_of_writing(&t);
    int64_t step = -1;
    for (int i = 0, counted = 0; counted<KILLS; i++, counted += step> 0) {
        assert_true(i < MAX);
        kill_writer_after(longest * (i * 29 % KILLS) / KILLS, i % 3);
        step = look_for_step(&t, step);
    }
    end(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_to_the_bit),
        cmocka_unit_test(is_a_checkpoint_folder),
        cmocka_unit_test(keeps_earlier_ones),
        cmocka_unit_test(holds_no_memory_of_earlier_ones),
        cmocka_unit_test(leaves_files_of_others),
        cmocka_unit_test(begins_once),
        cmocka_unit_test(begins_over_nothing),
        cmocka_unit_test(what_may_change),
        cmocka_unit_test(steps_may_change),
        cmocka_unit_test(tensors_belong_to_their_state),
        cmocka_unit_test(full_disk_keeps_the_last_one),
        cmocka_unit_test(recovers),
        cmocka_unit_test(survives_kill),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
