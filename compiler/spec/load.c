/* MODEL as the user names it → bytes → spec: a file, "-", or a checkpoint folder. */
#include <string.h>

#include "spec/spec.h"
#include "support/file.h"
#include "support/format.h"
#include "support/heap.h"

enum { FILE_LIMIT = 256 << 20 }; /* a device or a wrong file ends here, not with the memory */

static const char *inside(arena_t *a, const char *folder, const char *name) {
    size_t n = strlen(folder);
    return arena_printf(a, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name);
}

spec_t *spec_from_text(arena_t *a, const char *shown, const char *text, size_t bytes,
                       const setting_t *sets, int n_sets, diag_t *d) {
    if (!format_fits(shown, text, bytes, WANT_SPEC, d)) return NULL;
    return spec_parse(a, shown, text, bytes, sets, n_sets, d);
}

static spec_t *load_file(arena_t *a, const char *path, const char *shown, const setting_t *sets,
                         int n_sets, diag_t *d) {
    size_t bytes;
    char *text = file_read(path, FILE_LIMIT, &bytes, d);
    if (!text) return NULL;
    char *kept = arena_copy(a, text, bytes + 1); /* diagnostics quote it later */
    heap_free(text);
    return spec_from_text(a, shown, kept, bytes, sets, n_sets, d);
}

spec_t *spec_load(arena_t *a, const char *path, const setting_t *sets, int n_sets, diag_t *d) {
    if (strcmp(path, "-") == 0) return load_file(a, "/dev/stdin", "<stdin>", sets, n_sets, d);
    if (!is_directory(path)) {
        if (file_exists(path)) return load_file(a, path, path, sets, n_sets, d);
        diag_error(d, IN_FILE(path), "there is no such file or folder");
        diag_hint(d, "MODEL is a spec (YAML), a config.json, a checkpoint folder or a .graph file");
        return NULL;
    }
    const char *config = inside(a, path, "config.json"), *weights;
    if (!file_exists(config)) {
        diag_error(d, IN_FILE(path), "is a folder without config.json");
        return NULL;
    }
    bool ok = folder_weights(a, path, &weights, d);
    spec_t *s = load_file(a, config, config, sets, n_sets, d);
    if (!s || !ok) return NULL;
    s->path = arena_strdup(a, path);
    s->weights_path = weights;
    const char *generation = inside(a, path, "generation_config.json");
    if (file_exists(generation)) s->generation_path = generation;
    return s;
}
