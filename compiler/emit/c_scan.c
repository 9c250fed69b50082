/* The pieces of c_scan.h. */
#include "emit/c_scan.h"

#include <ctype.h>
#include <string.h>

#include "support/diag.h"

/* ---- tokens ---------------------------------------------------------------------------------- */

bool word_is(c_word_t w, const char *text) {
    return strlen(text) == w.n && memcmp(w.at, text, w.n) == 0;
}

bool word_is_name(c_word_t w) {
    return w.n > 0 && (isalpha((unsigned char)*w.at) || *w.at == '_');
}

static const char *skip_comment(const char *p) {
    const char *end = strstr(p + 2, p[1] == '*' ? "*/" : "\n");
    if (!end) bug("a comment of the runtime without an end");
    return p[1] == '*' ? end + 2 : end;
}

static const char *skip_trivia(const char *p) {
    for (;;) {
        if (isspace((unsigned char)*p)) p++;
        else if (*p == '\\' && p[1] == '\n') p += 2;
        else if (*p == '/' && (p[1] == '*' || p[1] == '/')) p = skip_comment(p);
        else return p;
    }
}

static const char *end_of_text(const char *p) {
    char quote = *p++;
    while (*p != quote) p += *p == '\\' ? 2 : 1;
    return p + 1;
}

c_word_t c_next_word(const char **p) {
    const char *at = skip_trivia(*p), *end = at;
    if (isalnum((unsigned char)*at) || *at == '_')
        while (isalnum((unsigned char)*end) || *end == '_' ||
               (*end == '.' && isdigit((unsigned char)*at)))
            end++;
    else if (*at == '"' || *at == '\'') end = end_of_text(at);
    else if (*at == '-' && at[1] == '>') end += 2;
    else if (*at) end++;
    *p = end;
    return (c_word_t){at, (size_t)(end - at)};
}

/* ---- names ----------------------------------------------------------------------------------- */

bool word_opens_tag(c_word_t w) {
    return word_is(w, "struct") || word_is(w, "enum") || word_is(w, "union");
}

static void add_name(arena_t *a, piece_t *x, c_word_t w) {
    ARENA_PUSH(a, x->names, x->n_names, x->cap_names) = w;
}

/* Tags, enumerators, and the name of a typedef. */
static void name_type(arena_t *a, piece_t *x) {
    const char *p = x->begin;
    int depth = 0, of_enum = 0;
    c_word_t before = {0}, last = {0}, w;
    bool is_typedef = strncmp(x->begin, "typedef", 7) == 0, done = false;
    for (c_word_t tag = {0}; p < x->end && (w = c_next_word(&p)).n; tag = before, before = w) {
        if (word_is(w, "{")) {
            depth++;
            bool named = word_is_name(before) && word_opens_tag(tag);
            if (named) ARENA_PUSH(a, x->tags, x->n_tags, x->cap_tags) = before;
            if (word_is(before, "enum") || (named && word_is(tag, "enum"))) of_enum = depth;
        } else if (word_is(w, "}")) {
            if (of_enum == depth--) of_enum = 0;
        } else if (of_enum == depth && depth > 0 && word_is_name(w)) {
            if (word_is(before, "{") || word_is(before, ",")) add_name(a, x, w);
        } else if (depth == 0 && is_typedef && !done) {
            done = word_is(w, "(") || word_is(w, ";");
            if (done) add_name(a, x, last);
        }
        if (depth == 0 && word_is_name(w)) last = w;
    }
}

/* Of a declaration of several: what stands behind each comma. */
static void name_data(arena_t *a, piece_t *x) {
    const char *p = x->begin;
    int depth = 0;
    bool done = false;
    for (c_word_t w, last = {0}; p < x->end && (w = c_next_word(&p)).n;) {
        if (word_is(w, "{") || word_is(w, "(") || word_is(w, "[")) {
            if (depth++ == 0 && word_is(w, "[") && !done) add_name(a, x, last), done = true;
        } else if (word_is(w, "}") || word_is(w, ")") || word_is(w, "]")) depth--;
        else if (depth > 0) continue;
        else if (word_is(w, "=") || word_is(w, ";") || word_is(w, ",")) {
            if (!done) add_name(a, x, last);
            done = !word_is(w, ",");
        } else if (word_is_name(w)) last = w;
    }
}

/* What a declaration is, from its words in front of the first body, list or end. */
static void classify(arena_t *a, piece_t *x, bool body) {
    const char *p = x->begin;
    c_word_t first = c_next_word(&p), last = {0}, w = first;
    if (word_is(first, "typedef") || (word_opens_tag(first) && !body)) {
        x->kind = PIECE_TYPE;
        name_type(a, x);
        return;
    }
    x->kind = PIECE_DATA;
    for (p = x->begin; !word_is(w, "(") && !word_is(w, "=") && !word_is(w, "{");) {
        w = c_next_word(&p);
        if (word_is(w, ";") || word_is(w, "[")) break;
        if (word_is(w, "static")) x->is_static = true;
        if (word_is_name(w)) last = w;
    }
    if (!word_is(w, "(")) {
        name_data(a, x);
        return;
    }
    x->kind = body ? PIECE_FUNCTION : PIECE_PROTOTYPE;
    add_name(a, x, last);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* A comment behind it on its last line belongs to it. */
static const char *end_of_line(const char *p) {
    while (*p == ' ') p++;
    while (*p == '/' && (p[1] == '*' || p[1] == '/')) p = skip_comment(p);
    return *p == '\n' ? p + 1 : p;
}

static const char *end_of_directive(const char *p) {
    while (*p && *p != '\n') {
        if (*p == '/' && p[1] == '*') p = skip_comment(p);
        else p += *p == '\\' && p[1] == '\n' ? 2 : 1;
    }
    return *p ? p + 1 : p;
}

/* MACRO(…) or _Static_assert(…); returns what is behind it, NULL: it is something else. */
static const char *skip_macro_call(const char *p) {
    c_word_t first = c_next_word(&p), w = c_next_word(&p);
    if (!word_is_name(first) || word_is(first, "__attribute__") || !word_is(w, "(")) return NULL;
    for (int depth = 1; depth > 0;) {
        w = c_next_word(&p);
        depth += word_is(w, "(") - word_is(w, ")");
    }
    return *p == ';' ? p + 1 : p;
}

static void scan_declaration(arena_t *a, piece_t *x) {
    const char *p = x->begin;
    int braces = 0, parens = 0;
    bool body = false;
    x->end = skip_macro_call(p);
    if (x->end) {
        x->kind = PIECE_DIRECTIVE;
        return;
    }
    for (c_word_t w, last = {0};; last = w) {
        w = c_next_word(&p);
        if (!w.n) bug("a declaration of the runtime without an end: %.40s", x->begin);
        if (word_is(w, "(")) parens++;
        else if (word_is(w, ")")) parens--;
        else if (word_is(w, "{") && braces++ == 0) body = word_is(last, ")");
        else if (word_is(w, "}") && --braces == 0 && body) break;
        else if (word_is(w, ";") && !braces && !parens) break;
    }
    x->end = end_of_line(p);
    classify(a, x, body);
}

static void scan_directive(arena_t *a, piece_t *x, int *depth, int *groups) {
    const char *p = x->begin + 1;
    c_word_t what = c_next_word(&p);
    x->end = end_of_directive(x->begin);
    x->kind = PIECE_DIRECTIVE;
    if (what.n >= 2 && memcmp(what.at, "if", 2) == 0 && (*depth)++ == 0) ++*groups;
    if (*depth) x->group = *groups - 1;
    if (word_is(what, "endif")) --*depth;
    if (word_is(what, "include")) x->kind = *skip_trivia(p) == '<' ? PIECE_INCLUDE : PIECE_OWN;
    if (!word_is(what, "define")) return;
    x->kind = PIECE_MACRO;
    add_name(a, x, c_next_word(&p));
}

/* #ifndef NAME, #define NAME … #endif */
static const char *skip_guard(const char *text) {
    const char *p = skip_trivia(text), *q = p + strlen("#ifndef");
    if (strncmp(p, "#ifndef", strlen("#ifndef")) != 0) return NULL;
    c_word_t guard = c_next_word(&q);
    q = skip_trivia(q);
    if (strncmp(q, "#define", strlen("#define")) != 0) return NULL;
    q += strlen("#define");
    c_word_t defined = c_next_word(&q);
    return guard.n == defined.n && memcmp(guard.at, defined.at, guard.n) == 0 ? q : NULL;
}

piece_t *c_scan(arena_t *a, const char *text, size_t *n) {
    piece_t *all = NULL;
    size_t count = 0, cap = 0;
    int depth = 0, groups = 0;
    const char *guard = skip_guard(text), *p = guard ? guard : text;
    for (;;) {
        piece_t x = {.lead = p, .begin = skip_trivia(p), .group = -1};
        if (!*x.begin) break;
        if (*x.begin == '#') scan_directive(a, &x, &depth, &groups);
        else {
            if (depth) x.group = groups - 1;
            scan_declaration(a, &x);
        }
        p = x.end;
        if (depth < 0) break; /* the guard's #endif */
        ARENA_PUSH(a, all, count, cap) = x;
    }
    if (depth != (guard ? -1 : 0)) bug("#if and #endif of the runtime do not match");
    *n = count;
    return all;
}
