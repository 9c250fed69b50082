/* show_json FILE [PATH]: the value at a path like points.0.settings.num_hashes, as JSON on one line; with
 * "#" as the last part of PATH the number of elements of an array. Fails on what is not JSON, and on a
 * path that leads nowhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static json_t *step(json_t *at, const char *name) {
    return json_is_array(at) ? json_array_get(at, (size_t)strtoul(name, NULL, 10))
                             : json_object_get(at, name);
}

int main(int argc, char **argv) {
    json_error_t e;
    json_t *at = argc > 1 ? json_load_file(argv[1], JSON_REJECT_DUPLICATES, &e) : NULL;
    if (!at) {
        fprintf(stderr, "%s: %s\n", argc > 1 ? argv[1] : "usage", argc > 1 ? e.text : "FILE PATH");
        return 1;
    }
    for (char *name = argc > 2 ? strtok(argv[2], ".") : NULL; at && name;
         name = strtok(NULL, ".")) {
        if (strcmp(name, "#") == 0) return printf("%zu\n", json_array_size(at)) < 0;
        at = step(at, name);
    }
    if (!at) fprintf(stderr, "no such value\n");
    if (!at || json_dumpf(at, stdout, JSON_ENCODE_ANY | JSON_COMPACT) != 0) return 1;
    return putchar('\n') < 0;
}
