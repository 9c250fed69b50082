/* reformerc generate: continues texts (generate.h), one token after the other, as they come.
 *
 * In: a model, its weights, prompts. Out: text on stdout, or a file of tokens and of the logits
 * that they were picked from; what was done, in a line on stderr. */
#include "commands/generate/generate.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/outputs.h"
#include "commands/commands.h"
#include "report/document.h"
#include "support/clock.h"
#include "support/heap.h"
#include "support/pages.h"

/* Tensors need no text, unless something is to be read in it. */
static bool open_text(generate_t *g) {
    const session_t *s = g->session;
    bool ids_only = s->o->given[OPT_INPUT] && s->o->given[OPT_OUTPUT] && !s->o->given[OPT_STOP];
    if (ids_only) return true;
    g->text = text_open(&s->model, s->d);
    return g->text != NULL;
}

/* ---- results --------------------------------------------------------------------------------- */

/* Rows that no search comes to are padding. */
static bool make_results(generate_t *g) {
    session_t *s = g->session;
    int64_t shape[3] = {g->prompts.batch, g->max_tokens, s->model.facts.vocab};
    result_t *t = results_add(&g->results, "tokens", REFORMER_I32, 2, shape, s->d);
    if (!t) return false;
    g->tokens = t->data;
    for (int64_t i = 0; i < shape[0] * shape[1]; i++) g->tokens[i] = g->pad;
    g->counts = ARENA_ARRAY(s->arena, size_t, shape[0]);
    g->ended = ARENA_ARRAY(s->arena, int, shape[0]);
    if (!s->o->given[OPT_OUTPUT]) return true;
    if (g->beams == 1)
        return results_add(&g->results, "logits", REFORMER_F32, 3, shape, s->d) != NULL;
    return results_add(&g->results, "scores", REFORMER_F32, 1, shape, s->d) != NULL;
}

static int64_t max_tokens(const generate_t *g) {
    size_t max = 0;
    for (int64_t r = 0; r < g->prompts.batch; r++)
        if (g->counts[r] > max) max = g->counts[r];
    return (int64_t)max;
}

/* Of a result [batch][n]… the first `steps` of each row. */
static void cut(result_t *t, int64_t steps) {
    size_t before = t->bytes / (size_t)t->shape[0];
    size_t after = before / (size_t)t->shape[1] * (size_t)steps;
    for (int64_t r = 0; r < t->shape[0]; r++)
        memmove((char *)t->data + (size_t)r * after, (char *)t->data + (size_t)r * before, after);
    t->shape[1] = steps;
    t->bytes = after * (size_t)t->shape[0];
}

/* What was interrupted has the tokens that are there, if any. */
static bool put_results(generate_t *g, output_set_t *set) {
    const session_t *s = g->session;
    int64_t steps = max_tokens(g);
    if (!s->o->given[OPT_OUTPUT] || steps == 0) return true;
    for (size_t i = 0; g->interrupted && i < g->results.n; i++)
        if (g->results.items[i].rank > 1) cut(&g->results.items[i], steps);
    return results_put(&g->results, set, s->o->text[OPT_OUTPUT], s->d);
}

/* ---- generating ------------------------------------------------------------------------------ */

/* A long prompt is one forward, of which nothing is seen. */
static void tell_prompt_read(generate_t *g) {
    int64_t n = 0;
    for (int64_t r = 0; r < g->prompts.batch; r++) n += g->prompts.tokens[r];
    if (g->prompt_seconds > 1)
        fprintf(stderr, "read %lld token%s in %.1f s\n", (long long)n, text_plural(n),
                g->prompt_seconds);
    g->prompt_told = true;
}

static int on_token(void *ctx, size_t row, int32_t token, const float *logits) {
    (void)logits;
    generate_t *g = ctx;
    if (!g->prompt_told) tell_prompt_read(g);
    bool stopped = texts_take(g, row, token);
    if (!texts_write(g)) return REFORMER_STOP_ALL;
    g->interrupted = interrupt_caught() != 0;
    return g->interrupted ? REFORMER_STOP_ALL : stopped ? REFORMER_STOP_ROW : REFORMER_GO_ON;
}

/* The row that was in hand: rows before it have a token more. */
static int64_t row_in_hand(const generate_t *g) {
    int64_t at = -1;
    for (int64_t r = 0; r < g->prompts.batch; r++)
        if (g->ended[r] == REFORMER_END_NONE && (at < 0 || g->counts[r] < g->counts[at])) at = r;
    return at;
}

/* Where an error came up: which row, and after which token. */
static const char *place_of(const generate_t *g, int64_t row) {
    arena_t *a = g->session->arena;
    const char *of = "", *after = "";
    if (g->prompts.batch > 1)
        of = arena_printf(a, "%s %lld: ", g->prompts.row, (long long)(row + 1));
    int64_t n = (int64_t)g->counts[row];
    if (n > 0) after = arena_printf(a, "after %lld token%s ", (long long)n, text_plural(n));
    return arena_printf(a, "%s%s", of, after);
}

/* row: of a search; -1: all were in hand. */
static bool went_well(const generate_t *g, int code, int64_t row) {
    diag_t *d = g->session->d;
    if (row < 0) row = row_in_hand(g);
    const char *place = code == REFORMER_E_LOGITS && row >= 0 ? place_of(g, row) : "";
    if (code > REFORMER_OK)
        diag_error(d, IN_FILE(g->session->spec->path), "%s%s", place, reformer_strerror(code));
    if (code == REFORMER_E_LOGITS)
        diag_hint(d, "the weights overflow: they are damaged, or of another model");
    return code == REFORMER_OK || g->interrupted;
}

/* NULL after an error in d. */
static void *scratch_new(const generate_t *g, size_t bytes) {
    void *p = bytes ? pages_alloc(bytes) : NULL;
    if (!p)
        diag_no_memory(g->session->d, NOWHERE, "not enough memory to pick tokens: %zu bytes",
                       bytes);
    return p;
}

/* What generation and beam search share, of row `row`. */
static reformer_generate_t request(const generate_t *g, int64_t row) {
    const session_t *s = g->session;
    const prompts_t *p = &g->prompts;
    return (reformer_generate_t){.size = sizeof(reformer_generate_t),
                                 .input_ids = p->ids + row * p->length,
                                 .attention_mask = p->mask + row * p->length,
                                 .batch = 1,
                                 .length = (size_t)p->length,
                                 .max_tokens = (size_t)g->max_tokens,
                                 .sampling = &g->sampling,
                                 .stop_at_eos = s->o->given[OPT_STOP_AT_EOS],
                                 .eos_tokens = g->eos,
                                 .n_eos_tokens = g->n_eos,
                                 .pad_token = g->pad,
                                 .tokens = g->tokens + row * g->max_tokens,
                                 .counts = g->counts + row,
                                 .ends = g->ended + row};
}

static bool generate_rows(generate_t *g) {
    reformer_generate_t all = request(g, 0);
    all.batch = (size_t)g->prompts.batch;
    all.on_token = on_token;
    all.on_token_ctx = g;
    if (g->results.n > 1) all.logits = g->results.items[1].data;
    size_t bytes = reformer_generate_bytes(&g->decoder, &all);
    void *scratch = scratch_new(g, bytes);
    bool ok = scratch && went_well(g, reformer_generate(&g->decoder, &all, scratch, bytes), -1);
    heap_free(scratch);
    return ok;
}

static int early_stopping(const options_t *o) {
    if (o->given[OPT_EARLY_STOPPING_NEVER]) return REFORMER_NEVER_EARLY;
    return o->given[OPT_EARLY_STOPPING];
}

/* The best text of each prompt, one prompt after the other. */
static bool search(generate_t *g, int64_t row) {
    double score = 0;
    reformer_generate_t one = request(g, row);
    reformer_beams_t b = {.size = sizeof b,
                          .beams = (size_t)g->beams,
                          .length_penalty = (float)g->length_penalty,
                          .early_stopping = early_stopping(g->session->o),
                          .score = &score};
    size_t bytes = reformer_beam_bytes(&g->decoder, &one, &b);
    void *scratch = scratch_new(g, bytes);
    bool ok =
        scratch && went_well(g, reformer_beam_search(&g->decoder, &one, &b, scratch, bytes), row);
    heap_free(scratch);
    if (!ok) return false;
    if (!g->prompt_told) tell_prompt_read(g);
    if (g->results.n > 1) ((float *)g->results.items[1].data)[row] = (float)score;
    for (size_t t = 0; t < g->counts[row]; t++) (void)texts_take(g, (size_t)row, one.tokens[t]);
    return true;
}

static bool search_rows(generate_t *g) {
    bool ok = true;
    for (int64_t r = 0; ok && r < g->prompts.batch && !g->interrupted; r++) ok = search(g, r);
    return ok;
}

/* ---- what was done --------------------------------------------------------------------------- */

static void conclude(const generate_t *g) {
    const session_t *s = g->session;
    int64_t n = 0, prompt = 0;
    for (int64_t r = 0; r < g->prompts.batch; r++) {
        n += (int64_t)g->counts[r];
        prompt += g->prompts.tokens[r];
    }
    if (g->interrupted) fprintf(stderr, "interrupted: ");
    fprintf(stderr, "%lld token%s in %.3f s", (long long)n, text_plural(n), g->seconds);
    if (n > g->prompts.batch && g->seconds > g->prompt_seconds)
        fprintf(stderr, ", %.1f tokens/s",
                (double)(n - g->prompts.batch) / (g->seconds - g->prompt_seconds));
    if (g->prompt_seconds > 0)
        fprintf(stderr, "; prompt of %lld token%s in %.3f s, %.0f tokens/s", (long long)prompt,
                text_plural(prompt), g->prompt_seconds, (double)prompt / g->prompt_seconds);
    fprintf(stderr, "; back end %s, target %s, %d thread%s\n", backend_names[s->o->backend],
            s->plan->targets[0]->name, s->threads, text_plural(s->threads));
}

/* After an error or a closed pipe, too: what was written stays, and is counted. */
static bool run(generate_t *g) {
    interrupt_catch();
    double start = clock_now();
    bool ok = texts_write(g) && (g->beams > 1 ? search_rows(g) : generate_rows(g));
    g->seconds = clock_now() - start;
    ok = texts_finish(g) && ok;
    conclude(g);
    return ok && diag_errors(g->session->d) == 0;
}

static bool generate(generate_t *g) {
    session_t *s = g->session;
    if (!generate_plan(g) || !session_open(s) || !decoder_open(g) || !make_results(g)) return false;
    texts_open(g);
    output_set_t set = {0};
    bool ok =
        run(g) && session_profile_put(s, &set) && put_results(g, &set) && output_set_commit(&set);
    output_set_abort(&set);
    return ok;
}

static bool generate_session(generate_t *g) {
    session_t *s = g->session;
    const char *output = s->o->text[OPT_OUTPUT];
    if (!generate_read_options(g) || !session_profile_open(s)) return false;
    if (output && !output_place_check(output, s->d)) return false;
    return generate_read_model(g) && open_text(g) && prompts_read(g) && generate(g);
}

static void generate_free(generate_t *g) {
    texts_free(g);
    results_free(&g->results);
    decoder_close(g);
    text_free(g->text);
    session_free(g->session);
}

int command_generate(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    static const option_id_t needed[] = {OPT_TOKENS, OPT_PROMPT};
    bool piped = prompts_given(o) || !isatty(STDIN_FILENO);
    int missing = check_needed(o, needed, piped ? 1 : 2);
    if (missing) return missing;
    session_t s = session_new(o, d);
    s.advises = true;
    generate_t g = {.session = &s};
    bool ok = generate_session(&g);
    bool interrupted = g.interrupted, closed = g.closed;
    generate_free(&g);
    if (diag_errors(d)) return EXIT_VALUE;
    if (closed) return 128 + SIGPIPE;
    if (interrupted) return 128 + interrupt_caught();
    return ok ? 0 : EXIT_VALUE;
}
