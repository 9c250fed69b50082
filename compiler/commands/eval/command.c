/* reformerc eval: how well a causal language model predicts a text (score.h).
 *
 * In: a model, its weights, a text. Out: the mean over all scored tokens on stdout; progress on
 * stderr. */
#include "cli/help.h"
#include "commands/commands.h"
#include "report/progress.h"
#include "session/score.h"

static bool show(void *ctx, const score_t *sc, int64_t done, int64_t total) {
    char said[64];
    snprintf(said, sizeof said, "%.4f bits per token", score_token_bits(sc));
    progress_show(ctx, done, total, said);
    if (done == total) progress_finish(ctx);
    return true;
}

static bool print_score(const score_t *sc, bool per_token, diag_t *d) {
    sbuf_t out = {0};
    sbuf_printf(&out, "nats_per_byte %.6f\nbits_per_byte %.6f\n", score_nats(sc), score_bits(sc));
    if (per_token)
        sbuf_printf(&out, "nats_per_token %.6f\nbits_per_token %.6f\n", score_token_nats(sc),
                    score_token_bits(sc));
    sbuf_printf(&out, "scored_tokens %lld\ntokens_per_second %.6f\n", (long long)sc->scored,
                score_speed(sc));
    bool ok = print_out(&out, d);
    sbuf_free(&out);
    return ok;
}

static bool eval_text(session_t *s, const text_t *text, const tokens_t *t) {
    if (!score_plan(s, t) || !session_open(s)) return false;
    score_t sc = score_new(s);
    fprintf(stderr, "%lld tokens in windows of %lld; back end %s, target %s, %d thread%s\n",
            (long long)t->n, (long long)sc.window, backend_names[s->o->backend],
            s->plan->targets[0]->name, s->threads, s->threads == 1 ? "" : "s");
    progress_t p = progress_new("tokens", 0);
    output_set_t set = {0};
    bool ok = score_text(s, &sc, t, show, &p) && session_profile_put(s, &set) &&
              output_set_finish(&set) && print_score(&sc, !text_is_bytes(text), s->d) &&
              output_set_commit(&set);
    output_set_abort(&set);
    return ok;
}

static bool eval_session(session_t *s) {
    if (!session_profile_open(s) || !score_spec(s)) return false;
    text_t *text = text_open(&s->model, s->d);
    tokens_t t = {0};
    bool ok = text && score_read(text, s->o->text[OPT_TEXT], &t, s->d) && eval_text(s, text, &t);
    tokens_free(&t);
    text_free(text);
    return ok;
}

int command_eval(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    static const option_id_t needed[] = {OPT_TEXT};
    int missing = check_needed(o, needed, 1);
    if (missing) return missing;
    session_t s = session_new(o, d);
    s.advises = true;
    bool ok = eval_session(&s);
    session_free(&s);
    return ok ? 0 : EXIT_VALUE;
}
