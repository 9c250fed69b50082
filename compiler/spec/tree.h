/* The tree of a YAML or JSON text: what yaml.c makes and values.c reads.
 *
 * Rules that no reader needs to know of any more: aliases are resolved (a node may be reached
 * twice, never from itself), merge keys `<<` are expanded, no name stands twice in a mapping,
 * nesting and size are bounded. Everything lives in the arena. */
#ifndef REFORMERC_SPEC_TREE_H
#define REFORMERC_SPEC_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "support/arena.h"
#include "support/diag.h"

typedef enum { NODE_SCALAR, NODE_LIST, NODE_MAP } node_kind_t;

typedef struct node node_t;
struct node {
    node_kind_t kind;
    srcloc_t at;
    bool plain;       /* scalar without quotes: may be a number, true, false, null */
    const char *text; /* scalar, NUL-terminated; only the first MAX_TEXT bytes of a longer one */
    size_t length;    /* scalar: bytes, the whole of it */
    size_t n; /* list: items; map: pairs, items[2i] is a scalar key, items[2i + 1] its value */
    node_t **items;
};

enum {
    MAX_TEXT = 4096,     /* bytes kept of one scalar: no value may be longer */
    MAX_DEPTH = 64,      /* levels of nesting */
    MAX_NODES = 1000000, /* values in one file, those that merge keys repeat included */
    MAX_ANCHORS = 1000,
    MAX_ERRORS = DIAG_MAX_PRINTED /* reported for one file */
};

/* The tree of `text`; NULL after an error in d that ended the reading (others leave a tree: compare
 * diag_errors() before and after). `path` stands in the locations and must live as long
 * as they. With `lines` false locations name no line (for one-line values of options). */
node_t *tree_read(arena_t *a, const char *path, const char *text, size_t bytes, bool lines,
                  diag_t *d);

node_t *tree_scalar(arena_t *a, srcloc_t at, const char *text); /* a plain scalar */
bool node_is(const node_t *n, const char *text);                /* a scalar of this text */
bool node_null(const node_t *n);                                /* null, ~, or nothing, unquoted */

/* The scalar's beginning, safe to print: control characters and broken UTF-8 are '?'. */
const char *node_show(arena_t *a, const node_t *n);

#endif
