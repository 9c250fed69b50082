/* Patterns against names (patterns.h). fnmatch() would do, but for the locale of the program that
 * links us, and for patterns that take exponential time; here a text is looked
 * at once for each star. */
#include "spec/patterns.h"

#include <string.h>

#include "spec/schema.h"
#include "spec/tree.h"

/* Behind the ']' that ends the set at p, behind its '['; NULL: there is none, and '[' is itself. */
static const char *end_of_set(const char *p) {
    p += *p == '!' || *p == '^';
    p += *p == ']';
    p = strchr(p, ']');
    return p ? p + 1 : NULL;
}

static bool in_set(const char *p, const char *end, unsigned char c) {
    bool inverse = *p == '!' || *p == '^', found = false;
    for (p += inverse; p < end - 1; p++) {
        unsigned char low = (unsigned char)*p, high = low;
        if (p[1] == '-' && p + 2 < end - 1) high = (unsigned char)p[2], p += 2;
        found |= c >= low && c <= high;
    }
    return found != inverse;
}

/* Whether one character is matched by what stands at *p, which moves behind it. */
static bool matches_one(const char **p, char c) {
    const char *at = *p, *end = *at == '[' ? end_of_set(at + 1) : NULL;
    if (!c) return false;
    if (end) {
        *p = end;
        return in_set(at + 1, end, (unsigned char)c);
    }
    if (*at == '\\' && at[1]) at++;
    else if (*at == '?') c = '?';
    *p = at + 1;
    return *at == c;
}

bool pattern_matches(const char *pattern, const char *name) {
    const char *star = NULL, *from = NULL; /* the last star, and where its text ends for now */
    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            from = name;
            continue;
        }
        if (!*pattern && !*name) return true;
        if (*pattern && matches_one(&pattern, *name)) {
            name++;
            continue;
        }
        if (!star || !*from) return false;
        pattern = star;
        name = ++from;
    }
}

static void refuse(arena_t *a, spec_key_t key, const char *pattern, srcloc_t at,
                   const char *const *names, size_t n, diag_t *d) {
    bool special = strpbrk(pattern, "*?[\\") != NULL;
    const char *shown = node_show(a, tree_scalar(a, at, pattern));
    diag_error(d, at, "'%s': no tensor of the model is called '%s'%s", schema[key].full, shown,
               special ? ", or like it" : "");
    const char *near = did_you_mean(pattern, (const char **)names, n);
    if (near) diag_hint(d, "did you mean '%s'?", near);
    else if (n) diag_hint(d, "its names are like '%s'", names[n / 2]);
}

bool spec_choose(arena_t *a, const spec_t *s, spec_key_t key, const char *const *names, size_t n,
                 bool *chosen, diag_t *d) {
    const spec_patterns_t *p = key == KEY_train_freeze ? &s->train.freeze : &s->train.no_decay;
    bool ok = true;
    memset(chosen, 0, n * sizeof *chosen);
    for (int i = 0; i < p->n; i++) {
        bool any = false;
        for (size_t k = 0; k < n; k++) {
            bool matches = pattern_matches(p->items[i], names[k]);
            chosen[k] |= matches;
            any |= matches;
        }
        if (!any) refuse(a, key, p->items[i], p->at[i], names, n, d);
        ok = ok && any;
    }
    return ok;
}
