/* JSON out of files that nobody vouches for: parsed when its tree is of a size
 * that memory is there for. */
#ifndef REFORMERC_WEIGHTS_JSON_H
#define REFORMERC_WEIGHTS_JSON_H

#include <stddef.h>

struct json_t; /* of <jansson.h> */
struct json_error_t;

/* NULL, and why in *error, also where it holds more values than any model has use for. No name may
 * stand twice in an object. On record (support/guard.h) until json_free(). */
struct json_t *json_load_bounded(const char *text, size_t bytes, struct json_error_t *error);
void json_free(struct json_t *root); /* NULL is fine */

#endif
