/* reformerc score: how likely each line of a text is (lines.h), for ranking and
 * to find what is odd.
 *
 * In: a model, its weights, a text. Out: a row per line; progress on stderr. */
#include "commands/score/lines.h"

#include <math.h>
#include <string.h>

#include "cli/help.h"
#include "cli/interrupt.h"
#include "commands/commands.h"
#include "report/document.h"
#include "session/score.h"
#include "support/file.h"

static void announce(const score_lines_t *s) {
    const session_t *x = s->session;
    fprintf(
        stderr,
        "%lld line%s, %lld token%s, up to %lld row%s at once; back end %s, target %s, %d thread%s\n",
        (long long)s->n_lines, text_plural(s->n_lines), (long long)s->tokens,
        text_plural(s->tokens), (long long)x->plan->batch, text_plural(x->plan->batch),
        backend_names[x->o->backend], x->plan->targets[0]->name, x->threads,
        text_plural(x->threads));
}

static void conclude(const score_lines_t *s) {
    if (s->rest)
        fprintf(stderr, "interrupted: %lld of %lld lines are scored\n",
                (long long)(s->n_lines - s->rest), (long long)s->n_lines);
    if (s->scored)
        fprintf(stderr, "%lld token%s scored: %.6f bits per token, %.0f tokens/s\n",
                (long long)s->scored, text_plural(s->scored),
                s->nats / (double)s->scored / log(2.0), (double)s->read / s->seconds);
}

static bool score_lines(score_lines_t *s) {
    if (!score_plan_lines(s)) return false;
    score_cut_lines(s);
    score_check_buckets(s);
    if (!session_open(s->session)) return false;
    announce(s);
    interrupt_catch();
    if (!score_run_windows(s)) return false;
    conclude(s);
    output_set_t set = {0};
    bool ok = session_profile_put(s->session, &set) && score_lines_report(s, &set) &&
              output_set_commit(&set);
    output_set_abort(&set);
    return ok;
}

static bool score_session(score_lines_t *s) {
    session_t *x = s->session;
    if (!session_profile_open(x) || !score_lines_check_outputs(s) || !score_spec(x)) return false;
    text_t *text = text_open(&x->model, x->d);
    bool ok = text && score_read_lines(s, text) && score_lines(s);
    text_free(text);
    return ok;
}

int command_score(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    static const option_id_t needed[] = {OPT_TEXT};
    int missing = check_needed(o, needed, 1);
    if (missing) return missing;
    session_t x = session_new(o, d);
    x.advises = true;
    bool piped = strcmp(o->text[OPT_TEXT], "-") == 0;
    score_lines_t s = {.session = &x, .path = piped ? "/dev/stdin" : o->text[OPT_TEXT]};
    bool ok = score_session(&s);
    for (int64_t i = 0; i < s.n_lines; i++) tokens_free(&s.lines[i].tokens);
    session_free(&x);
    if (ok && s.rest) return 128 + interrupt_caught();
    return ok ? 0 : EXIT_VALUE;
}
