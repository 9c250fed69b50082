/* Small questions about nodes of a tree. */
#include "spec/tree.h"

#include <string.h>

#include "support/printable.h"

node_t *tree_scalar(arena_t *a, srcloc_t at, const char *text) {
    node_t *n = ARENA_NEW(a, node_t);
    *n = (node_t){
        .kind = NODE_SCALAR, .at = at, .plain = true, .text = text, .length = strlen(text)};
    return n;
}

bool node_is(const node_t *n, const char *text) {
    return n->kind == NODE_SCALAR && n->length == strlen(text) && strcmp(n->text, text) == 0;
}

bool node_null(const node_t *n) {
    return n->kind == NODE_SCALAR && n->plain &&
           (n->length == 0 || node_is(n, "~") || node_is(n, "null") || node_is(n, "Null") ||
            node_is(n, "NULL"));
}

const char *node_show(arena_t *a, const node_t *n) {
    enum { SHOWN = 60 };
    if (n->kind == NODE_LIST) return n->n ? "a list" : "an empty list";
    if (n->kind == NODE_MAP) return n->n ? "a mapping" : "an empty mapping";
    const char *end = n->text + (n->length < MAX_TEXT ? n->length : MAX_TEXT);
    char *out = arena_alloc(a, SHOWN + 8), *to = out;
    for (const char *p = n->text; p < end;) {
        bool ok;
        size_t c = printable(p, end, &ok);
        if ((size_t)(to - out) + c > SHOWN) {
            memcpy(to, "…", sizeof "…" - 1);
            break;
        }
        if (ok) memcpy(to, p, c), to += c;
        else *to++ = '?';
        p += c;
    }
    return out;
}
