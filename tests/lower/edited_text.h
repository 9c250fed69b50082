/* A graph's text, edited line by line as by hand. */
#ifndef REFORMERC_TESTS_EDITED_TEXT_H
#define REFORMERC_TESTS_EDITED_TEXT_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "support/sbuf.h"
#include "weights/weights.h"

/* Of the node's line; in `with`, '@' is the line as it was, and "" is nothing. No node: all lines lose their traces. */
typedef struct {
    const char *node, *with;
} edit_t;

static inline void put_line(sbuf_t *out, const char *line, size_t bytes, const char *with) {
    for (const char *p = with; *p; p++) {
        if (*p == '@') sbuf_printf(out, "%.*s", (int)bytes, line);
        else sbuf_printf(out, "%c", *p);
    }
    if (*with) sbuf_puts(out, "\n");
}

static inline char *edited_line(arena_t *a, const char *text, const edit_t *edit) {
    sbuf_t out = {0};
    size_t name = strlen(edit->node);
    int found = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        size_t bytes = strcspn(line, "\n");
        bool this = strncmp(line, edit->node, name) == 0 && strncmp(line + name, " = ", 3) == 0;
        put_line(&out, line, bytes, this ? edit->with : "@");
        found += this;
    }
    char *result = found == 1 ? arena_strdup(a, out.data) : NULL;
    if (!result) printf("%d nodes %s\n", found, edit->node);
    sbuf_free(&out);
    return result;
}

/* Nothing is shown: values that are shown under other names are of other classes. */
static inline char *without_traces(arena_t *a, const char *text) {
    sbuf_t out = {0};
    for (const char *trace; (trace = strstr(text, " trace=")); text = trace + strcspn(trace, "\n"))
        sbuf_printf(&out, "%.*s", (int)(trace - text), text);
    sbuf_puts(&out, text);
    char *result = arena_strdup(a, out.data);
    sbuf_free(&out);
    return result;
}

/* NULL after a message: an edit of no node, or of several. */
static inline char *edited_text(arena_t *a, const char *text, const edit_t *edits, size_t n) {
    char *result = arena_strdup(a, text);
    for (size_t i = 0; i < n && result; i++)
        result = edits[i].node ? edited_line(a, result, &edits[i]) : without_traces(a, result);
    return result;
}

/* Weights that are vectors are ones and zeros, which would hide that another layer's were taken. */
static inline void vary_vectors(const graph_t *g, const store_t *store) {
    uint32_t bits = 1;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const tensor_t *t =
            g->nodes[i]->op == G_PARAM ? store_find(store, g->nodes[i]->name) : NULL;
        float *values = t && t->rank == 1 ? (float *)(uintptr_t)t->data : NULL;
        for (int64_t k = 0; values && k < t->elements; k++) {
            bits = bits * 1664525 + 1013904223;
            values[k] += (float)(bits >> 16) / 65536 - 0.5F;
        }
    }
}

#endif
