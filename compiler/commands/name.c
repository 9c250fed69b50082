/* File names → C prefixes and names of sibling files. Rule: name.h. */
#include "commands/name.h"

#include <ctype.h>
#include <string.h>

enum { MAX_NAME = 63 };

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

/* PREFIX_t would be a type of the C library. */
static const char *const library_types[] = {"clock",   "cnd",        "constraint_handler",
                                            "div",     "double",     "fenv",
                                            "fexcept", "float",      "fpos",
                                            "imaxdiv", "ldiv",       "lldiv",
                                            "mbstate", "max_align",  "mtx",
                                            "nullptr", "once_flag",  "ptrdiff",
                                            "rsize",   "sig_atomic", "size",
                                            "ssize",   "thrd",       "time",
                                            "tss",     "wchar",      "wctrans",
                                            "wctype",  "wint"};

static bool listed(const char *word, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0) return true;
    return false;
}
#define LISTED(word, list) listed((word), (list), sizeof(list) / sizeof(list)[0])

/* int8, uint_least16, intptr …: PREFIX_t is a type of <stdint.h>. */
static bool is_integer_type(const char *name) {
    if (*name == 'u') name++;
    if (strncmp(name, "int", 3) != 0) return false;
    name += 3;
    return isdigit((unsigned char)*name) || strcmp(name, "ptr") == 0 || strcmp(name, "max") == 0 ||
           strncmp(name, "_least", 6) == 0 || strncmp(name, "_fast", 5) == 0;
}

/* The runtime's own names are reformer_*; a model of that prefix would redefine them. */
static bool clashes(const char *name) {
    return strcmp(name, "reformer") == 0 || strncmp(name, "reformer_", 9) == 0 ||
           LISTED(name, library_types) || is_integer_type(name);
}

const char *prefix_from_path(arena_t *a, const char *path) {
    const char *stem = path_stem(a, path);
    char *name = arena_printf(a, "%.*s", MAX_NAME, stem);
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) || (unsigned char)*p >= 0x80) *p = '_';
    if (isalpha((unsigned char)name[0]) && !is_c_keyword(name) && !clashes(name)) return name;
    if (strspn(name, "_") == strlen(name)) return "model";
    return arena_printf(a, "m_%.*s", MAX_NAME - 2, name);
}

const char *prefix_name(arena_t *a, const spec_t *s, const char *path, diag_t *d) {
    const char *name = s->compile.name;
    if (!name) return prefix_from_path(a, path);
    if (!clashes(name) && !is_c_keyword(name)) return name;
    diag_error(d, s->at[KEY_compile_name],
               "'%s' clashes with names of the C library or the runtime", name);
    return NULL;
}
