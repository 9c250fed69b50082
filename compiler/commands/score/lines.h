/* The log-likelihood of every line of a text: what `score` computes (run.c) of
 * what it reads (lines.c), and writes (report.c).
 *
 * A line is a text of its own, without its newline. Its tokens 2 … L are scored from those before
 * them in the line. A line longer than the model is cut into consecutive windows of the greatest
 * length, each scored on its own tokens 2 …, as `eval` cuts a text; a last window
 * of one token is left out. */
#ifndef REFORMERC_COMMANDS_SCORE_LINES_H
#define REFORMERC_COMMANDS_SCORE_LINES_H

#include "session/session.h"
#include "text/text.h"

typedef struct {
    int64_t number; /* from 1 */
    tokens_t tokens;
    int64_t windows; /* that it is scored in; 0: fewer than two tokens */
    int64_t missing; /* of these, not scored yet */
    int64_t scored;  /* tokens */
    double nats;
} line_t;

/* A part of a line that one row of a forward takes. */
typedef struct {
    line_t *line;
    const int32_t *ids;
    int64_t length;
    /* That the runtime picks, and the length that it pads this one to */
    const variant_plan_t *variant;
    int64_t padded;
    double nats;
    bool done;
} line_window_t;

typedef struct {
    session_t *session;
    const char *path; /* of the text, to be opened */
    line_t *lines;    /* [n_lines], in the order of the text */
    int64_t n_lines;
    line_window_t *windows; /* [n_windows], in the order of the text */
    int64_t n_windows;
    int64_t tokens, longest;    /* of all lines; of one */
    int64_t read, scored, rest; /* tokens so far; lines without a figure */
    double nats, seconds;       /* so far */
} score_lines_t;

/* lines.c, in this order. The lines of s->path; false after errors. The plan for their windows; the
 * windows; a warning, where the number of buckets is another one than Hugging Face's. */
bool score_read_lines(score_lines_t *s, const text_t *text);
bool score_plan_lines(score_lines_t *s);
void score_cut_lines(score_lines_t *s);
void score_check_buckets(const score_lines_t *s);
int64_t score_longest_window(const score_lines_t *s); /* tokens, at most */

/* run.c: all windows, until Ctrl-C; the figures of all lines that are done. False
 * after an error. */
bool score_run_windows(score_lines_t *s);

/* report.c: log p of the tokens scored; bits of each, NaN where there are none. */
double line_log_likelihood(const line_t *l);
double line_bits(const line_t *l);

/* What --output names can be written; before the work. */
bool score_lines_check_outputs(const score_lines_t *s);
/* All lines that have a figure, in their order or, with --sort, the least likely first: to the
 * files of --output, which join the set, without them to stdout. */
bool score_lines_report(const score_lines_t *s, output_set_t *set);

#endif
