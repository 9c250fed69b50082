/* Tokens of the .rir text. In: bytes of any kind. Out: one token of look-ahead; after the first
 * error, reported through diag, only TK_END, so that parsers need no error paths of their own. */
#ifndef REFORMERC_LOOPS_LEX_H
#define REFORMERC_LOOPS_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/arena.h"
#include "support/diag.h"

typedef enum {
    TK_END,
    TK_NAME,   /* [A-Za-z_][A-Za-z0-9_]* */
    TK_VALUE,  /* %name  %12  %name.12 : text without the % */
    TK_NUMBER, /* 12  1.5e-3 : unsigned */
    TK_STRING, /* "…" : text still escaped, without the quotes */
    TK_PUNCT   /* one character, or RANGE or ARROW */
} token_kind_t;

enum { RANGE = 256 /* .. */, ARROW /* -> */ };

typedef struct {
    token_kind_t kind;
    int punct;
    const char *text;
    size_t n;
    int line;
} token_t;

typedef struct {
    arena_t *arena;
    diag_t *diag;
    const char *file, *begin, *end, *at;
    int line;
    token_t token; /* the one to look at */
    int last_line; /* where the token before it ended */
    bool failed;
} lexer_t;

void lex_open(lexer_t *x, arena_t *a, const char *file, const char *text, size_t n, diag_t *d);
void lex_next(lexer_t *x);
/* Reports at the present token, or at a place in the text; only the first one counts. */
void lex_error(lexer_t *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void lex_error_at(lexer_t *x, const token_t *t, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

bool lex_is(const lexer_t *x, int punct);
bool lex_is_name(const lexer_t *x, const char *name);
bool lex_accept(lexer_t *x, int punct);
bool lex_accept_name(lexer_t *x, const char *name);
void lex_expect(lexer_t *x, int punct);
void lex_expect_name(lexer_t *x, const char *name);
const char *lex_take_name(lexer_t *x, const char *what);   /* "" after an error */
const char *lex_take_string(lexer_t *x, const char *what); /* unescaped; "" after an error */
int64_t lex_take_int(lexer_t *x);   /* with an optional '-'; 0 after an error */
double lex_take_number(lexer_t *x); /* also inf, nan */

#endif
