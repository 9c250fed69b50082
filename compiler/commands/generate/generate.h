/* reformerc generate: what its parts share.
 *
 * command.c  the command: tokens row by row or by beam search, what was done
 * plan.c     the model, its limits, the plan
 * options.c  the command line, checked
 * prompts.c  texts or tensors → ids
 * decoder.c  an executor as what runtime/reformer_generate.h writes texts with
 * text.c     tokens → text on stdout, stop texts */
#ifndef REFORMERC_COMMANDS_GENERATE_GENERATE_H
#define REFORMERC_COMMANDS_GENERATE_GENERATE_H

#include "reformer_generate.h"
#include "session/session.h"
#include "tensors/tensors.h"
#include "text/text.h"

/* What is continued. */
typedef struct {
    const char *path;      /* where it comes from, for messages */
    const char *row;       /* what one of them is called there: "prompt", "row" */
    int64_t batch, length; /* rows; tokens of the longest one */
    int32_t *ids;          /* [batch][length], shorter rows at the right */
    uint8_t *mask;         /* [batch][length], 1 = token */
    int64_t *tokens;       /* [batch]: of each row */
} prompts_t;

/* A row's text, on its way out. */
typedef struct {
    text_stream_t stream;
    size_t prompt; /* bytes to come that are the prompt's */
    sbuf_t held;   /* generated; may be the beginning of a stop text */
    sbuf_t out;    /* certain, to be written */
    bool stopped;  /* a stop text came; it and what follows are left out */
} row_text_t;

typedef struct {
    session_t *session;
    text_t *text; /* NULL: ids go in and out, and nothing stops at a text */
    ends_t ends;
    int32_t *eos; /* [ends.n_eos_tokens] those of the vocabulary */
    size_t n_eos; /* 0 without --stop-at-eos */
    int32_t pad;  /* behind a row's end */
    prompts_t prompts;
    row_text_t *rows; /* [prompts.batch] */

    int64_t max_tokens, beams; /* beams 1: no beam search */
    double length_penalty;
    reformer_sampling_t sampling;

    reformer_decoder_t decoder;
    results_t results;              /* of --output */
    int32_t *tokens;                /* [batch][max_tokens] */
    size_t *counts;                 /* [batch] */
    int *ended;                     /* [batch]: reformer_end_t */
    double prompt_seconds, seconds; /* that prompts took, and all of it */
    bool interrupted, closed;       /* by a signal; stdout, by who read it */
    bool prompt_told;               /* how long it took, where that was long */
    bool line_end;                  /* what was written so far ends a line */
} generate_t;

/* False after errors in d: values out of range, options that exclude each other. */
bool generate_read_options(generate_t *g);

/* The spec and what it says of the ends of texts; then the plan for the prompts.
 * False after errors in d. */
bool generate_read_model(generate_t *g);
bool generate_plan(generate_t *g);

/* Whether the command line says what to continue. */
bool prompts_given(const options_t *o);
/* From --input, --prompt, --prompt-file or stdin. */
bool prompts_read(generate_t *g);

/* g->decoder over the open session, for all that --tokens asks for; with --no-cache every step is a
 * forward over each row's whole text. Frees with decoder_close(), where it was opened. */
bool decoder_open(generate_t *g);
void decoder_close(generate_t *g);

/* Rows of text, the prompts told to them; with --echo they are written too. */
void texts_open(generate_t *g);
void texts_free(generate_t *g);
/* The next token of a row. True: a stop text is complete. */
bool texts_take(generate_t *g, size_t row, int32_t token);
/* Writes what is certain, of one prompt; of several all waits for texts_finish. False: stdout is
 * closed, or an error is in d. */
bool texts_write(generate_t *g);
/* Writes the rest. */
bool texts_finish(generate_t *g);

#endif
