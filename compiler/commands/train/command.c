/* reformerc train: learns what a text, a table of labelled texts, a task or a file of batches
 * holds (training/training.h).
 *
 * In: a model, data, weights to begin with (random ones, a checkpoint's, or those where an earlier
 * run was interrupted). Out: checkpoints, metrics and a drawing in DIR; how it goes on
 * stderr, how it went on stdout. */
#include <stdio.h>

#include "cli/help.h"
#include "cli/outputs.h"
#include "commands/commands.h"
#include "commands/train/dry.h"

/* ---- --trajectory ---------------------------------------------------------------------------- */

static void put_list(sbuf_t *out, const char *name, const double *x, int n, const char *end) {
    sbuf_printf(out, " \"%s\": [", name);
    for (int i = 0; i < n; i++) sbuf_printf(out, "%s%.17g", i ? ", " : "", x[i]);
    sbuf_printf(out, "]%s\n", end);
}

static bool put_trajectory(training_t *t) {
    const char *path = t->o->text[OPT_TRAJECTORY];
    if (!path) return true;
    sbuf_t out = {0};
    sbuf_printf(&out, "{\n \"steps\": %d,\n", t->n[0]);
    put_list(&out, "loss", t->losses, t->n[0], ",");
    put_list(&out, "grad_norm", t->norms, t->n[1], ",");
    put_list(&out, "learning_rate", t->rates, t->n[2], ",");
    put_list(&out, "items", t->items, t->n[3], "");
    sbuf_puts(&out, "}\n");
    bool ok = file_write(path, out.data, out.size, t->d);
    sbuf_free(&out);
    return ok;
}

/* ---- --eval-only ----------------------------------------------------------------------------- */

static bool something_to_evaluate(const training_t *t) {
    if (train_evaluates(t)) return true;
    diag_error(t->d, IN_FILE("--eval-only"), "nothing is held out to be evaluated");
    diag_hint(t->d, "--eval-text FILE, or --eval-fraction X above 0");
    return false;
}

static bool judge(training_t *t) {
    session_t *s = t->s;
    metric_t row = metric_none();
    if (!something_to_evaluate(t)) return false;
    if (t->o->backend != BACKEND_REFERENCE && !session_lower(s)) return false;
    if (!session_compile(s) || !session_weights(s) || !exec_bind(s->exec, s->store, t->d))
        return false;
    return buckets_open(t) && train_eval_held(t, &row) && buckets_look(t, &row) &&
           show_judgement(t, &row);
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool train(training_t *t) {
    const char *trajectory = t->o->text[OPT_TRAJECTORY];
    if (trajectory && !output_place_check(trajectory, t->d)) return false;
    if (!training_open(t)) return false;
    if (t->o->given[OPT_DRY_RUN]) return t->follows || train_dry(t);
    if (t->o->given[OPT_EVAL_ONLY]) return t->follows || judge(t);
    return training_run(t) && (t->follows || (put_trajectory(t) && show_summary(t)));
}

/* Who ends the others does not come back to say why. */
static void end_ranks(ranks_t *r, bool well, diag_t *d) {
    if (!well && ranks_size(r) > 1) diag_print(d, stderr);
    ranks_close(r, well);
}

int command_train(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    static const option_id_t needed[] = {OPT_OUT};
    bool keeps = !o->given[OPT_TRAJECTORY] && !o->given[OPT_DRY_RUN] && !o->given[OPT_EVAL_ONLY];
    int missing = check_needed(o, needed, keeps || o->given[OPT_RESUME]);
    if (missing) return missing;
    if (!train_excludes(o, d) || train_options_idle(o, d)) return EXIT_VALUE;
    ranks_t *ranks = ranks_open(d);
    if (!ranks) return EXIT_VALUE;
    options_t mine = training_options(o);
    session_t s = session_new(&mine, d);
    training_t t = training_new(&s, ranks);
    bool ok = train(&t);
    int signal = t.signal;
    training_free(&t);
    end_ranks(ranks, ok && diag_errors(d) == 0, d);
    if (diag_errors(d)) return EXIT_VALUE;
    if (ok && signal) return 128 + signal;
    return ok ? 0 : EXIT_VALUE;
}
