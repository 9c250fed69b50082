/* The bound of json.h. A value costs the parser up to two hundred bytes, and a text of
 * them as little as two each. */
#include "weights/json.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "support/guard.h"

enum { MAX_VALUES = 4000000 }; /* a tensor's entry has about ten */

/* Where the string that opens at p ends. */
static const char *skip_string(const char *p, const char *end) {
    for (p++; p < end && *p != '"'; p++) p += *p == '\\' && end - p > 1;
    return p;
}

/* Commas and openings: at least as many as values but one. *at: where there are too many. */
static bool too_many(const char *text, size_t bytes, size_t *at) {
    size_t n = 0;
    for (const char *p = text, *end = text + bytes; p < end; p++) {
        if (*p == '"') p = skip_string(p, end);
        else n += *p == ',' || *p == '[' || *p == '{';
        if (n <= MAX_VALUES) continue;
        *at = (size_t)(p - text);
        return true;
    }
    return false;
}

static void drop(void *json, size_t bytes) {
    (void)bytes;
    json_decref(json);
}

void json_free(json_t *root) {
    guard_disown(root);
    json_decref(root);
}

json_t *json_load_bounded(const char *text, size_t bytes, json_error_t *error) {
    size_t at;
    if (!too_many(text, bytes, &at)) {
        json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, error);
        if (!root && json_error_code(error) == json_error_out_of_memory) guard_no_memory(0);
        if (root) guard_own(root, 0, drop);
        return root;
    }
    *error = (json_error_t){.position = (int)at};
    snprintf(error->text, sizeof error->text, "more than %d values", MAX_VALUES);
    return NULL;
}
