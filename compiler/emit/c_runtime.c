/* What a model needs of the runtime, as a part of model.c (--standalone).
 *
 * In: the text of model.c, and the runtime's files (runtime_files.h). Out: the pieces of those files
 * that the text mentions, and what these mention in turn, in the runtime's order and words. Everything
 * is static, but for the functions that a product calls itself; names of one file get a prefix, since
 * two files may have one name, and all stand behind macros with the model's, as those of kernels do.
 *
 * Types and constants of the public headers stand in model.h, as a whole: headers of several models,
 * and the library's own, may be read together, and the first one serves all. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "emit/c_int.h"
#include "emit/c_scan.h"
#include "emit/runtime_files.h"

/* Functions of the runtime that products call by their own names. */
static const struct {
    duty_t duty;
    const char *name;
} exports[] = {
    {DUTY_ALL, "reformer_take_tasks"},
    {DUTY_ALL, "reformer_pool_begin"},
    {DUTY_ALL, "reformer_pool_end"},
    {DUTY_ALL, "reformer_pool_threads"},
    {DUTY_ALL, "reformer_default_threads"},
    {DUTY_ALL, "reformer_checksum"},
    {DUTY_ALL, "reformer_version"},
    {DUTY_ALL, "reformer_abi"},
    {DUTY_GENERATES, "reformer_decoder_of"},
    {DUTY_GENERATES, "reformer_generate"},
    {DUTY_GENERATES, "reformer_generate_bytes"},
    {DUTY_GENERATES, "reformer_beam_search"},
    {DUTY_GENERATES, "reformer_beam_bytes"},
    {DUTY_GENERATES, "reformer_sample"},
    {DUTY_GENERATES, "reformer_sample_bytes"},
    {DUTY_LEARNS, "reformer_train_accumulate"},
    {DUTY_LEARNS, "reformer_train_update"},
    {DUTY_LEARNS, "reformer_items"},
    {DUTY_LEARNS, "reformer_learning_rate"},
};
enum { N_EXPORTS = sizeof exports / sizeof *exports };

static bool is_exported(const plan_t *p, word_t name) {
    for (size_t i = 0; i < N_EXPORTS; i++)
        if (word_is(name, exports[i].name)) return plan_has_duty(p, exports[i].duty);
    return false;
}

/* With parentheses: a structure may be called as a function is. */
static void put_export_name(const char *prefix, const char *name, sbuf_t *out) {
    sbuf_printf(out, "#define %s(...) \\\n    %s_%s(__VA_ARGS__)\n", name, prefix, name);
}

/* ---- the public headers, in model.h ------------------------------------------------------------------ */

static const char *text_of(const char *file) {
    for (const runtime_file_t *f = runtime_files; f->name; f++)
        if (strcmp(f->name, file) == 0) return f->text;
    bug("the runtime has no file %s", file);
}

/* Without its includes of our own headers. */
static void put_header_text(const char *text, sbuf_t *out) {
    for (const char *end; *text; text = end) {
        end = strchr(text, '\n');
        end = end ? end + 1 : text + strlen(text);
        if (strncmp(text, "#include \"", 10) != 0) sbuf_write(out, text, (size_t)(end - text));
    }
}

void put_runtime_header(const emitter_t *c, sbuf_t *out) {
    const plan_t *p = c->plan;
    put_comment(
        out, 0,
        "The runtime's header, which all models share. Of several models' headers the first "
        "one brings it.");
    sbuf_printf(out,
                "#ifdef REFORMER_RT_H\n#if REFORMER_ABI != %d\n"
                "#error \"a header of another version of reformerc stands before this one\"\n"
                "#endif\n#else\n",
                REFORMER_ABI);
    for (size_t i = 0; i < N_EXPORTS; i++)
        if (plan_has_duty(p, exports[i].duty)) put_export_name(p->name, exports[i].name, out);
    sbuf_puts(out, "#endif\n");
    put_header_text(text_of("reformer_rt.h"), out);
    sbuf_puts(out, "\n");
    if (!plan_has_duty(p, DUTY_GENERATES)) return;
    put_header_text(text_of("reformer_generate.h"), out);
    sbuf_puts(out, "\n");
}

/* ---- files and names --------------------------------------------------------------------------------- */

typedef struct {
    const char *name, *text;
    piece_t *piece; /* [n] */
    size_t n;
    bool *needed; /* [n] */
    bool header, put;
} file_t;

/* A name that a piece defines. */
typedef struct {
    word_t name;
    int file;
    size_t piece;
    bool local;        /* to its file */
    bool tag;          /* struct NAME */
    const char *shown; /* in model.c */
} entry_t;

struct runtime {
    emitter_t *c;
    arena_t *arena;
    file_t *file; /* [n_files] */
    int n_files;
    entry_t *entry; /* [n_entries], sorted by name */
    size_t n_entries, cap_entries;
    const char **own; /* names that stand behind macros */
    size_t n_own, cap_own;
};

static int compare_words(word_t a, word_t b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int order = memcmp(a.at, b.at, n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_entries(const void *a, const void *b) {
    const entry_t *x = a, *y = b;
    int order = compare_words(x->name, y->name);
    if (order) return order;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    return (x->piece > y->piece) - (x->piece < y->piece);
}

static bool is_public_header(const char *name) {
    return strcmp(name, "reformer_rt.h") == 0 || strcmp(name, "reformer_generate.h") == 0;
}

static void add_entry(runtime_t *r, size_t piece, word_t name, bool tag) {
    const file_t *f = &r->file[r->n_files];
    const piece_t *x = &f->piece[piece];
    bool local = !f->header && (x->is_static || x->kind != PIECE_FUNCTION);
    ARENA_PUSH(r->arena, r->entry, r->n_entries, r->cap_entries) =
        (entry_t){.name = name, .file = r->n_files, .piece = piece, .local = local, .tag = tag};
}

static void add_file(runtime_t *r, const runtime_file_t *from) {
    file_t *f = &r->file[r->n_files];
    *f = (file_t){.name = from->name, .text = from->text};
    f->header = from->name[strlen(from->name) - 1] == 'h';
    f->piece = c_scan(r->arena, from->text, &f->n);
    f->needed = ARENA_ARRAY(r->arena, bool, f->n);
    for (size_t i = 0; i < f->n; i++) {
        const piece_t *x = &f->piece[i];
        if (x->kind == PIECE_PROTOTYPE) continue;
        for (size_t k = 0; k < x->n_names; k++) add_entry(r, i, x->names[k], false);
        for (size_t k = 0; k < x->n_tags; k++) add_entry(r, i, x->tags[k], true);
    }
    r->n_files++;
}

/* The first entry of that name, if it has one: those of other files, or parts of one #if, follow. */
static const entry_t *first_entry(const runtime_t *r, word_t name) {
    size_t low = 0, high = r->n_entries;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_words(r->entry[middle].name, name) < 0) low = middle + 1;
        else high = middle;
    }
    bool found = low < r->n_entries && compare_words(r->entry[low].name, name) == 0;
    return found ? &r->entry[low] : NULL;
}

/* Whether an entry is what a word means that stands in this file (-1: in model.c) behind that one. */
static bool entry_fits(const entry_t *e, int file, word_t w, word_t before) {
    if (compare_words(e->name, w) != 0 || e->tag != word_opens_tag(before)) return false;
    return e->file == file || !e->local;
}

static bool is_field(word_t before) {
    return word_is(before, ".") || word_is(before, "->");
}

/* NULL: it means nothing of the runtime's own files. */
static const entry_t *find_entry(const runtime_t *r, int file, word_t w, word_t before) {
    const entry_t *end = r->entry + r->n_entries;
    if (!word_is_name(w) || is_field(before)) return NULL;
    for (const entry_t *e = first_entry(r, w); e && e < end && compare_words(e->name, w) == 0; e++)
        if (e->file == file && entry_fits(e, file, w, before)) return e;
    for (const entry_t *e = first_entry(r, w); e && e < end && compare_words(e->name, w) == 0; e++)
        if (entry_fits(e, file, w, before)) return e;
    return NULL;
}

static bool is_runtime_name(const char *name) {
    return strncmp(name, "reformer_", 9) == 0 || strncmp(name, "REFORMER_", 9) == 0;
}

/* "lay_out" of update.c → "rt_lay_out", "rt_update_lay_out" where another file has one, too. */
static const char *shown_name(const runtime_t *r, const entry_t *e) {
    const char *name = arena_strndup(r->arena, e->name.at, e->name.n);
    if (is_runtime_name(name)) return name;
    bool shared = false;
    for (size_t i = 0; i < r->n_entries; i++)
        shared |= compare_words(r->entry[i].name, e->name) == 0 && r->entry[i].file != e->file;
    const char *file = r->file[e->file].name;
    const char *stem = arena_printf(r->arena, "%.*s_", (int)(strchr(file, '.') - file), file);
    const char *prefix = arena_printf(r->arena, "rt_%s", shared ? stem : "");
    return arena_printf(r->arena, "%s%s",
                        isupper((unsigned char)*name) ? upper_case(r->arena, prefix) : prefix,
                        name);
}

/* ---- what is needed ---------------------------------------------------------------------------------- */

static void need_text(runtime_t *r, int file, const char *text, const char *end);

/* With all of its group. */
static void need_piece(runtime_t *r, int file, size_t i) {
    file_t *f = &r->file[file];
    if (f->needed[i]) return;
    int group = f->piece[i].group;
    for (size_t k = 0; k < f->n; k++)
        if (k == i || (group >= 0 && f->piece[k].group == group)) f->needed[k] = true;
    for (size_t k = 0; k < f->n; k++)
        if (k == i || (group >= 0 && f->piece[k].group == group))
            need_text(r, file, f->piece[k].begin, f->piece[k].end);
}

/* Parts of one #if, and files that are instead of each other, have one name: all of them are needed. */
static void need_word(runtime_t *r, int file, word_t w, word_t before) {
    const entry_t *e = find_entry(r, file, w, before), *end = r->entry + r->n_entries;
    if (!e) return;
    if (e->local) {
        need_piece(r, e->file, e->piece);
        return;
    }
    for (e = first_entry(r, w); e < end && compare_words(e->name, w) == 0; e++)
        if (!e->local && entry_fits(e, file, w, before)) need_piece(r, e->file, e->piece);
}

static void need_text(runtime_t *r, int file, const char *text, const char *end) {
    for (word_t w, before = {0}; text < end && (w = c_next_word(&text)).n; before = w)
        if (w.at < end) need_word(r, file, w, before);
}

static bool file_is_needed(const file_t *f) {
    for (size_t i = 0; i < f->n; i++)
        if (f->needed[i]) return true;
    return false;
}

/* With what headers declare of it. */
static void need_prototypes(runtime_t *r) {
    for (int i = 0; i < r->n_files; i++)
        for (size_t k = 0; r->file[i].header && k < r->file[i].n; k++) {
            const piece_t *x = &r->file[i].piece[k];
            if (x->kind != PIECE_PROTOTYPE) continue;
            const entry_t *e = find_entry(r, i, x->names[0], (word_t){0});
            if (e && r->file[e->file].needed[e->piece]) need_piece(r, i, k);
        }
}

/* ---- text -------------------------------------------------------------------------------------------- */

/* A field may be called as a function or a table is. */
static bool is_renamed(const runtime_t *r, const entry_t *e, bool among_fields) {
    piece_kind_t kind = r->file[e->file].piece[e->piece].kind;
    return !among_fields || kind == PIECE_TYPE || kind == PIECE_MACRO;
}

static void put_text(const runtime_t *r, int file, const char *text, const char *end,
                     bool among_fields, sbuf_t *out) {
    const char *from = text;
    for (word_t w, before = {0}; text < end && (w = c_next_word(&text)).n; before = w) {
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
    const entry_t *e = find_entry(r, file, x->names[0], (word_t){0});
    return e && r->file[e->file].needed[e->piece];
}

static bool is_feature_macro(const piece_t *x) { /* _GNU_SOURCE */
    return x->kind == PIECE_MACRO && x->group < 0 && *x->names[0].at == '_';
}

/* Its opening comment stands before a piece that may be left out. */
static void put_file(runtime_t *r, int file, sbuf_t *out) {
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
static void put_headers(runtime_t *r, int file, sbuf_t *out) {
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

static bool is_declared(const runtime_t *r, word_t function) {
    for (int i = 0; i < r->n_files; i++)
        for (size_t k = 0; r->file[i].header && k < r->file[i].n; k++) {
            const piece_t *x = &r->file[i].piece[k];
            if (x->kind == PIECE_PROTOTYPE && compare_words(x->names[0], function) == 0)
                return true;
        }
    return false;
}

/* Of functions that the public headers declare: files may call each other in any order. */
static void put_prototypes(const runtime_t *r, sbuf_t *out) {
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

/* ---- macros ------------------------------------------------------------------------------------------ */

static bool is_macro(const runtime_t *r, const entry_t *e) {
    return r->file[e->file].piece[e->piece].kind == PIECE_MACRO;
}

/* A public header has given an exported function the name already, but where another header came first. */
static void put_export(const runtime_t *r, const char *name, bool define, sbuf_t *out) {
    if (!define) {
        sbuf_printf(out, "#undef %s\n#pragma pop_macro(\"%s\")\n", name, name);
        return;
    }
    sbuf_printf(out, "#pragma push_macro(\"%s\")\n#undef %s\n", name, name);
    put_export_name(r->c->plan->name, name, out);
}

typedef enum { OF_THE_RUNTIME, OF_A_FILE } owner_t; /* reformer_…; rt_… */

static void put_macros(const runtime_t *r, owner_t owner, bool define, sbuf_t *out) {
    const char *last = "";
    for (size_t i = 0; i < r->n_entries; i++) {
        const entry_t *e = &r->entry[i];
        if (!r->file[e->file].needed[e->piece] || strcmp(e->shown, last) == 0) continue;
        if (is_runtime_name(e->shown) != (owner == OF_THE_RUNTIME)) continue;
        if (is_macro(r, e) && (define || *e->name.at == '_')) continue;
        last = e->shown;
        if (is_exported(r->c->plan, e->name)) put_export(r, last, define, out);
        else put_own_name(r->c, last, define, out);
    }
}

/* ---- the whole --------------------------------------------------------------------------------------- */

runtime_t *runtime_of(emitter_t *c, const char *body) {
    runtime_t *r = ARENA_NEW(c->arena, runtime_t);
    int n = 0;
    while (runtime_files[n].name) n++;
    r->c = c;
    r->arena = c->arena;
    r->file = ARENA_ARRAY(c->arena, file_t, n);
    for (int i = 0; i < n; i++)
        if (!is_public_header(runtime_files[i].name)) add_file(r, &runtime_files[i]);
    qsort(r->entry, r->n_entries, sizeof *r->entry, compare_entries);
    for (size_t i = 0; i < r->n_entries; i++) r->entry[i].shown = shown_name(r, &r->entry[i]);
    need_text(r, -1, body, body + strlen(body));
    for (size_t i = 0; i < N_EXPORTS; i++)
        if (plan_has_duty(c->plan, exports[i].duty))
            need_word(r, -1, (word_t){exports[i].name, strlen(exports[i].name)}, (word_t){0});
    need_prototypes(r);
    return r;
}

void put_runtime_features(const runtime_t *r, sbuf_t *out) {
    for (int i = 0; i < r->n_files; i++) {
        const file_t *f = &r->file[i];
        for (size_t k = 0; k < f->n && file_is_needed(f); k++) {
            const piece_t *x = &f->piece[k];
            if (!is_feature_macro(x)) continue;
            sbuf_printf(out, "#ifndef %.*s\n", (int)x->names[0].n, x->names[0].at);
            sbuf_write(out, x->begin, (size_t)(x->end - x->begin));
            sbuf_puts(out, "#endif\n");
        }
    }
}

void put_runtime(runtime_t *r, sbuf_t *out) {
    put_comment(
        out, 0,
        "---- runtime "
        "---------------------------------------------------------------\n"
        "What this model needs of it. Calls without a pool start threads themselves (POSIX's: "
        "-pthread); with -DREFORMER_OPENMP -fopenmp they are OpenMP's, with "
        "-DREFORMER_SERIAL there are none but those of a pool that is handed in.");
    put_macros(r, OF_THE_RUNTIME, true, out);
    put_macros(r, OF_A_FILE, true, out);
    sbuf_puts(out, "\n");
    for (int i = 0; i < r->n_files; i++)
        if (file_is_needed(&r->file[i])) put_headers(r, i, out);
    put_prototypes(r, out);
    for (int i = 0; i < r->n_files; i++)
        if (!r->file[i].header && file_is_needed(&r->file[i])) put_file(r, i, out);
    put_macros(r, OF_A_FILE, false, out);
    sbuf_puts(out, "\n");
}

void put_runtime_end(const runtime_t *r, sbuf_t *out) {
    put_macros(r, OF_THE_RUNTIME, false, out);
}
