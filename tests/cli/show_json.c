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

/* The exit code. */
static int show(json_t *at, char *path) {
    for (char *name = path ? strtok(path, ".") : NULL; at && name; name = strtok(NULL, ".")) {
        if (strcmp(name, "#") == 0) return printf("%zu\n", json_array_size(at)) < 0;
        at = step(at, name);
    }
    if (!at) fprintf(stderr, "no such value\n");
    if (!at || json_dumpf(at, stdout, JSON_ENCODE_ANY | JSON_COMPACT) != 0) return 1;
    return putchar('\n') < 0;
}

int main(int argc, char **argv) {
    json_error_t e = {.text = "usage: show_json FILE [PATH]"};
    json_t *root = argc > 1 ? json_load_file(argv[1], JSON_REJECT_DUPLICATES, &e) : NULL;
    if (!root) fprintf(stderr, "%s\n", e.text);
    int code = root ? show(root, argc > 2 ? argv[2] : NULL) : 1;
    json_decref(root);
    return code;
}
