/* How well a causal language model predicts a text: what `eval` prints and `sweep` compares.
 *
 * The text is cut into consecutive windows of the compiled length; each is scored on its tokens 2 …
 * L, as Hugging Face's loss does. The last, shorter window counts if it has two tokens. */
#ifndef REFORMERC_SESSION_SCORE_H
#define REFORMERC_SESSION_SCORE_H

#include "session/session.h"
#include "text/text.h"

/* The tokens of a file; false after an error in d: it cannot be read or has nothing to score. */
bool score_read(const text_t *text, const char *path, tokens_t *t, diag_t *d);

typedef struct {
    int64_t window, batch;
    int64_t scored, read; /* tokens so far */
    int64_t bytes;        /* of the text, that the tokens scored stand for */
    double nats, seconds; /* sums so far */
} score_t;

double score_nats(const score_t *sc); /* per byte of the text scored */
double score_bits(const score_t *sc);
double score_token_nats(const score_t *sc); /* per token scored */
double score_token_bits(const score_t *sc);
double score_speed(const score_t *sc); /* tokens read per second */

/* Called after every step with the tokens that are behind us; false ends the scoring. */
typedef bool score_watch_fn(void *ctx, const score_t *sc, int64_t done, int64_t total);

/* session_spec, and the checks that this model can score a text. */
bool score_spec(session_t *s);
/* session_plan for whole windows; t: the text, NULL where it is not read yet. */
bool score_plan(session_t *s, const tokens_t *t);
/* The empty score of the session's plan. */
score_t score_new(const session_t *s);
/* Of an open session. False after an error, which a loss that is no finite number is too,
 * or when `watch` ended it. */
bool score_text(session_t *s, score_t *sc, const tokens_t *t, score_watch_fn *watch, void *ctx);

#endif
