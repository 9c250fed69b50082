/* Needed pieces of the runtime's files as text. */
#include <string.h>

#include "emit/c_runtime.h"

/* A field may be called as a function or a table is. */
static bool is_renamed(const runtime_t *r, const entry_t *e, bool among_fields) {
    piece_kind_t kind = r->file[e->file].piece[e->piece].kind;
    return !among_fields || kind == PIECE_TYPE || kind == PIECE_MACRO;
}

static void put_text(const runtime_t *r, int file, const char *text, const char *end,
                     bool among_fields, sbuf_t *out) {
    const char *from = text;
    for (c_word_t w, before = {0}; text < end && (w = c_next_word(&text)).n; before = w) {
        if (w.at >= end) break;
        const entry_t *e = find_entry(r, file, w, before);
        if (!e || !is_renamed(r, e, among_fields)) continue;
        sbuf_write(out, from, (size_t)(w.at - from));
        sbuf_puts(out, e->shown);
        from = w.at + w.n;
    }
    if (from < end) sbuf_write(out, from, (size_t)(end - from));
}

static bool becomes_static(const runtime_t *r, const piece_t *x) {
    if (x->kind != PIECE_FUNCTION && x->kind != PIECE_PROTOTYPE) return false;
    return !x->is_static && !is_exported(r->c->plan, x->names[0]);
}

static bool has_fields(const piece_t *x) {
    return x->kind == PIECE_TYPE && strncmp(x->begin, "enum", 4) != 0;
}

static void put_piece(const runtime_t *r, int file, const piece_t *x, sbuf_t *out) {
    sbuf_write(out, x->lead, (size_t)(x->begin - x->lead));
    if (becomes_static(r, x)) sbuf_puts(out, "static ");
    if (x->kind == PIECE_INCLUDE) sbuf_write(out, x->begin, (size_t)(x->end - x->begin));
    else put_text(r, file, x->begin, x->end, has_fields(x), out);
}

/* A prototype of what is there. */
static bool piece_is_put(const runtime_t *r, int file, size_t i) {
    const file_t *f = &r->file[file];
    const piece_t *x = &f->piece[i];
    if (x->kind == PIECE_OWN) return false;
    if (f->needed[i] || (x->kind == PIECE_INCLUDE && x->group < 0)) return true;
    if (x->group >= 0 || x->kind != PIECE_PROTOTYPE) return false;
    const entry_t *e = find_entry(r, file, x->names[0], (c_word_t){0});
    return e && r->file[e->file].needed[e->piece];
}

bool is_feature_macro(const piece_t *x) { /* _GNU_SOURCE */
    return x->kind == PIECE_MACRO && x->group < 0 && *x->names[0].at == '_';
}

/* Its opening comment stands before a piece that may be left out. */
void put_file(runtime_t *r, int file, sbuf_t *out) {
    file_t *f = &r->file[file];
    if (f->put) return;
    f->put = true;
    put_comment(out, 0, "---- runtime: %s %.*s", f->name, (int)(61 - strlen(f->name)),
                "-------------------------------------------------------------------------");
    const char *p = f->text;
    if (*p == '/') {
        p = strstr(p, "*/") + 3;
        sbuf_write(out, f->text, (size_t)(p - f->text));
    }
    for (size_t i = 0; i < f->n; i++) {
        piece_t x = f->piece[i];
        if (!piece_is_put(r, file, i) || is_feature_macro(&x)) continue;
        if (x.lead < p) x.lead = p;
        put_piece(r, file, &x, out);
    }
    sbuf_puts(out, "\n");
}

static int file_named(const runtime_t *r, const char *text, size_t n) {
    for (int i = 0; i < r->n_files; i++)
        if (strlen(r->file[i].name) == n && memcmp(r->file[i].name, text, n) == 0) return i;
    return -1;
}

/* Headers that a file includes stand before it. */
void put_headers(runtime_t *r, int file, sbuf_t *out) {
    file_t *f = &r->file[file];
    for (size_t i = 0; i < f->n; i++) {
        if (f->piece[i].kind != PIECE_OWN) continue;
        const char *name = strchr(f->piece[i].begin, '"') + 1;
        int header = file_named(r, name, (size_t)(strchr(name, '"') - name));
        if (header < 0) continue;
        put_headers(r, header, out);
        if (file_is_needed(&r->file[header])) put_file(r, header, out);
    }
}

static bool is_declared(const runtime_t *r, c_word_t function) {
    for (int i = 0; i < r->n_files; i++)
        for (size_t k = 0; r->file[i].header && k < r->file[i].n; k++) {
            const piece_t *x = &r->file[i].piece[k];
            if (x->kind == PIECE_PROTOTYPE && compare_words(x->names[0], function) == 0)
                return true;
        }
    return false;
}

/* Of functions that the public headers declare: files may call each other in any order. */
void put_prototypes(const runtime_t *r, sbuf_t *out) {
    const entry_t *last = NULL;
    for (size_t i = 0; i < r->n_entries; i++) {
        const entry_t *e = &r->entry[i];
        const piece_t *x = &r->file[e->file].piece[e->piece];
        if (x->kind != PIECE_FUNCTION || x->is_static || !r->file[e->file].needed[e->piece])
            continue;
        if (last && compare_words(last->name, e->name) == 0) continue;
        last = e;
        if (is_declared(r, e->name)) continue;
        const char *body = strchr(x->begin, '{');
        while (body[-1] == ' ') body--;
        if (becomes_static(r, x)) sbuf_puts(out, "static ");
        put_text(r, e->file, x->begin, body, false, out);
        sbuf_puts(out, ";\n");
    }
    sbuf_puts(out, "\n");
}
