/* Names that clash with nothing. */
#include <string.h>

#include "emit/c_int.h"

typedef struct {
    const char *name;
    bool used;
    int next; /* suffix to try next */
} name_t;

typedef struct {
    size_t slot;
    bool used;
    int next;
} undo_t;

struct names {
    arena_t *arena;
    const names_t *outer; /* NULL: these are the global ones */
    name_t *table;
    size_t n, cap; /* cap: a power of two */
    undo_t *log;
    size_t n_log, cap_log;
};

/* Keywords of C (gcc's included), macros of gcc in its GNU mode, parameters of kernels. */
static const char *const reserved[] = {
    "asm",     "auto",    "break",  "call",   "case",   "char",     "const",    "continue",
    "default", "do",      "double", "else",   "enum",   "extern",   "float",    "for",
    "goto",    "if",      "inline", "int",    "linux",  "long",     "register", "restrict",
    "return",  "scratch", "short",  "signed", "sizeof", "static",   "struct",   "switch",
    "task",    "typedef", "typeof", "union",  "unix",   "unsigned", "void",     "volatile",
    "while",   "arg",     "bool",   "true",   "false",  "nullptr",  "constexpr"};

names_t *names_new(arena_t *a, const names_t *outer) {
    names_t *n = ARENA_NEW(a, names_t);
    n->arena = a;
    n->outer = outer;
    n->cap = 64;
    n->table = ARENA_ARRAY(a, name_t, n->cap);
    return n;
}

static uint64_t hash_name(const char *s) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    while (*s) h = (h ^ (unsigned char)*s++) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

static size_t find(const names_t *n, const char *name) {
    size_t at = hash_name(name) & (n->cap - 1);
    while (n->table[at].name && strcmp(n->table[at].name, name) != 0) at = (at + 1) & (n->cap - 1);
    return at;
}

/* Slots move, so the log is kept as names: growing is only done outside of scopes' logs. */
static void grow(names_t *n) {
    name_t *old = n->table;
    size_t *moved = ARENA_ARRAY(n->arena, size_t, n->cap), cap = n->cap;
    n->cap *= 2;
    n->table = ARENA_ARRAY(n->arena, name_t, n->cap);
    for (size_t i = 0; i < cap; i++) {
        if (!old[i].name) continue;
        moved[i] = find(n, old[i].name);
        n->table[moved[i]] = old[i];
    }
    for (size_t i = 0; i < n->n_log; i++) n->log[i].slot = moved[n->log[i].slot];
}

static name_t *entry(names_t *n, const char *name) {
    if (2 * (n->n + 1) > n->cap) grow(n);
    size_t at = find(n, name);
    if (!n->table[at].name) {
        n->table[at].name = arena_strdup(n->arena, name);
        n->n++;
    }
    name_t *e = &n->table[at];
    ARENA_PUSH(n->arena, n->log, n->n_log, n->cap_log) = (undo_t){at, e->used, e->next};
    return e;
}

/* f32, i32x8, u16x4_u: names of vector types, and what ends in one, are the prelude's. */
static bool is_type_name(const char *s) {
    if (!strchr("fbiu", *s)) return false;
    static const char *const elems[] = {"f32", "f64", "bf16", "i8", "u8",
                                        "i32", "u32", "i64",  "u64"};
    for (size_t i = 0; i < sizeof elems / sizeof *elems; i++) {
        size_t n = strlen(elems[i]);
        if (strncmp(s, elems[i], n) != 0) continue;
        if (s[n] == 'x') n += 1 + strspn(s + n + 1, "0123456789");
        if (!s[n] || strcmp(s + n, "_u") == 0) return true;
    }
    return false;
}

/* Locals end in no type at all, so that they hide neither helpers nor functions like exp_f32x16. */
static bool is_reserved(const names_t *n, const char *name) {
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (*name == *reserved[i] && strcmp(name, reserved[i]) == 0) return true;
    if (is_type_name(name) || is_short_helper_name(name)) return true;
    const char *last = strrchr(name, '_');
    if (!last || last == name || !is_type_name(last + 1)) return false;
    return n->outer || is_helper_name(name);
}

bool names_taken(const names_t *n, const char *name) {
    for (; n; n = n->outer) {
        const name_t *e = &n->table[find(n, name)];
        if (e->name && e->used) return true;
    }
    return false;
}

void names_reserve(names_t *n, const char *name) {
    entry(n, name)->used = true;
}

/* In any locale. */
static bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

const char *names_make(names_t *n, const char *base) {
    char *clean = arena_strdup(n->arena, base);
    for (char *p = clean; *p; p++)
        if (!is_name_character(*p)) *p = '_';
    const char *name = clean;
    if (is_reserved(n, clean) || !*clean || *clean == '_')
        name = arena_printf(n->arena, "v_%s", clean);
    if (name != clean && is_reserved(n, name)) name = arena_printf(n->arena, "%s_", name);
    const char *root = name;
    while (names_taken(n, name)) {
        int k = ++entry(n, root)->next;
        name = arena_printf(n->arena, "%s_%d", root, k);
    }
    names_reserve(n, name);
    return name;
}

size_t names_enter(const names_t *n) {
    return n->n_log;
}

void names_leave(names_t *n, size_t mark) {
    while (n->n_log > mark) {
        undo_t u = n->log[--n->n_log];
        n->table[u.slot].used = u.used;
        n->table[u.slot].next = u.next;
    }
}
