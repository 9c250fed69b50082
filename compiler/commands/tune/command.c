/* reformerc tune: which tiles, rows and chunks per task suit this machine better
 * than the analytic choice.
 *
 * In: a model, lengths, targets. Out: a table of what was measured on stdout, and in the file of
 * --tuning an entry for each target where something is faster beyond the noise (tuning.h). The file
 * is read and checked first, read again and written whole after every target. */
#include "commands/tune/tune.h"

#include <string.h>

#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/outputs.h"
#include "commands/commands.h"
#include "session/session.h"
#include "session/timed.h"
#include "support/cpu.h"

enum { DEFAULT_REPEAT = 9, DEFAULT_LENGTH = 4096 };

/* ---- options --------------------------------------------------------------------------------- */

static bool parse_options(tune_t *t) {
    const options_t *o = t->o;
    const char *names[MAX_TARGETS], *lengths = o->text[OPT_TUNE_LENGTHS];
    bool ok = list_repeat(o, DEFAULT_REPEAT, &t->repeat, t->d);
    ok = list_targets(o, names, &t->n_targets, t->d) && ok;
    if (lengths)
        ok = list_numbers("--lengths", lengths, MAX_LENGTH, t->lengths, &t->n_lengths, t->d) && ok;
    if (!ok || !timed_backend(o->backend, "--backend", t->d) || !check_model_rereadable(o, t->d))
        return false;
    t->targets = ARENA_ARRAY(t->arena, tuned_t, t->n_targets);
    for (int k = 0; k < t->n_targets; k++) t->targets[k].name = names[k];
    return true;
}

/* The greatest length that the model names; where it leaves that open, some that it allows. */
static int64_t usual_length(const loaded_model_t *m) {
    int64_t lengths[MAX_GRAPHS];
    int n = model_lengths(m, lengths);
    if (n > 0) return lengths[n - 1];
    return m->facts.longest < DEFAULT_LENGTH ? m->facts.longest : DEFAULT_LENGTH;
}

static bool choose_sizes(tune_t *t) {
    const options_t *o = t->o;
    diag_t *d = diag_new(); /* the checks say it again */
    loaded_model_t m;
    bool ok = model_load(t->arena, &m, o->model, o->sets, o->n_sets, d);
    if (!ok) diag_append(t->d, d);
    diag_free(d);
    if (!ok) return false;
    if (t->n_lengths == 0) t->lengths[t->n_lengths++] = usual_length(&m);
    t->batch = model_batch(&m);
    return true;
}

/* The first one's messages with all that they quote, of the others what is an error. */
static bool check_targets(tune_t *t) {
    bool ok = tune_check(t, &t->targets[0], t->d);
    for (int k = 1; ok && k < t->n_targets; k++) {
        diag_t *d = diag_new();
        ok = tune_check(t, &t->targets[k], d);
        if (!ok) diag_append(t->d, d);
        diag_free(d);
    }
    return ok;
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool check_file(const tune_t *t) {
    const char *path = t->o->text[OPT_TUNING_FILE];
    if (!path) return true;
    if (strcmp(path, "-") == 0) {
        diag_error(t->d, IN_FILE("--tuning"), "'-' cannot be read and written; a file is needed");
        return false;
    }
    if (!output_place_check(path, t->d)) return false;
    const tuning_t *f = tuning_read(t->arena, path, true, t->d);
    if (f) tuning_warn(f, NULL, t->d);
    return f != NULL;
}

/* Others may have written to it meanwhile. An entry that is no longer better goes. */
static bool keep(const tune_t *t, const tuned_t *x) {
    const char *path = t->o->text[OPT_TUNING_FILE];
    if (!path) return true;
    tuning_t *f = tuning_read(t->arena, path, true, t->d);
    if (!f) return false;
    bool dropped = !x->better && tuning_drop(f, &x->entry);
    if (x->better) tuning_put(f, &x->entry);
    if (!tuning_write(f, t->d)) return false;
    fprintf(stderr, "%s: %s, %s: %s\n", path, x->target->name, x->shapes,
            x->better ? "kept"
            : dropped ? "the entry is taken out"
                      : "no entry");
    return true;
}

/* ---- the run --------------------------------------------------------------------------------- */

static bool make_pool(tune_t *t) {
    t->pool = pool_new(session_threads(t->o));
    t->threads = pool_threads(t->pool);
    return true;
}

static bool tune_all(tune_t *t) {
    for (int k = 0; k < t->n_targets; k++) {
        tuned_t *x = &t->targets[k];
        if (!tune_measure(t, x) || !keep(t, x)) return false;
        t->step = 0;
        for (int i = 0; i <= k; i++) t->step += tune_rounds(t, &t->targets[i]);
    }
    return true;
}

static bool report(const tune_t *t) {
    sbuf_t tables = {0};
    render_tune(t, &tables);
    bool printed = print_out(&tables, t->d);
    sbuf_free(&tables);
    return printed;
}

/* What is done is told in any case. */
static int finish(tune_t *t, bool measured) {
    int signal = interrupt_caught();
    bool ok = measured || signal;
    if (t->targets[0].done) ok = report(t) && ok;
    if (signal) fprintf(stderr, "interrupted\n");
    return signal ? 128 + signal : ok ? 0 : EXIT_VALUE;
}

static int tune(tune_t *t) {
    if (!parse_options(t) || !check_file(t) || !choose_sizes(t)) return EXIT_VALUE;
    if (!check_targets(t) || !make_pool(t)) return EXIT_VALUE;
    for (int k = 0; k < t->n_targets; k++) t->steps += tune_rounds(t, &t->targets[k]);
    fprintf(stderr, "%d target%s on \"%s\", at most %lld rounds; back end %s, %d thread%s\n",
            t->n_targets, t->n_targets == 1 ? "" : "s", t->cpu, (long long)t->steps,
            backend_names[t->o->backend], t->threads, t->threads == 1 ? "" : "s");
    t->bar = progress_new("rounds", 5);
    interrupt_catch();
    return finish(t, tune_all(t));
}

int command_tune(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    int missing = check_needed(o, NULL, 0);
    if (missing) return missing;
    tune_t t = {.o = o, .d = d, .arena = o->arena, .cpu = cpu_name(o->arena)};
    int code = tune(&t);
    pool_free(t.pool);
    return code;
}
