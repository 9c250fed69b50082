/* File names → stems, suffixes and names of sibling files. Rule: name.h. */
#include "cli/name.h"

#include <string.h>

static size_t stem_start(const char *path, size_t end) {
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    return start;
}

const char *path_stem(arena_t *a, const char *path) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t start = stem_start(path, end);
    for (size_t i = end; i > start + 1; i--)
        if (path[i - 1] == '.') return arena_strndup(a, path + start, i - 1 - start);
    return arena_strndup(a, path + start, end - start);
}

const char *path_suffix(const char *path) {
    size_t end = strlen(path), start = stem_start(path, end);
    for (size_t i = end; i > start + 1; i--)
        if (path[i - 1] == '.') return path + i - 1;
    return "";
}

const char *replace_suffix(arena_t *a, const char *path, const char *suffix) {
    size_t n = strlen(path) - strlen(path_suffix(path));
    return arena_printf(a, "%.*s%s", (int)n, path, suffix);
}
