/* C text as its pieces at file scope: enough of C's syntax for the runtime's own files, which are
 * formatted by one tool and define nothing by macros.
 *
 * In: a file's text. Out: declarations, definitions and directives in order, each with the comment
 * before it and the names that it defines. What stands between #if and its #endif is one group: it
 * is taken or left as a whole. */
#ifndef REFORMERC_EMIT_C_SCAN_H
#define REFORMERC_EMIT_C_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "support/arena.h"

typedef struct {
    const char *at;
    size_t n; /* 0: the end */
} c_word_t;

bool word_is(c_word_t w, const char *text);
bool word_is_name(c_word_t w);   /* an identifier or keyword */
bool word_opens_tag(c_word_t w); /* struct, union, enum */
/* The next token from *p on; *p is behind it then. Comments and white space are passed over. */
c_word_t c_next_word(const char **p);

typedef enum {
    PIECE_FUNCTION,
    PIECE_PROTOTYPE,
    PIECE_TYPE, /* with enumerators and tags */
    PIECE_DATA,
    PIECE_MACRO,    /* #define */
    PIECE_INCLUDE,  /* of the system */
    PIECE_OWN,      /* #include of another file of ours */
    PIECE_DIRECTIVE /* any other; a macro's call */
} piece_kind_t;

typedef struct {
    piece_kind_t kind;
    const char *lead, *begin, *end; /* white space and comments before it; itself, to its newline */
    c_word_t *names, *tags;         /* [n_names]; [n_tags]: of structures, unions and enums */
    size_t n_names, n_tags, cap_names, cap_tags;
    bool is_static;
    int group; /* -1: none */
} piece_t;

/* Without the guard of a header, if there is one; *n of them. */
piece_t *c_scan(arena_t *a, const char *text, size_t *n);

#endif
