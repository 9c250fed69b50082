/* Which pieces of the runtime's files a text needs, and what these need in turn. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "emit/c_runtime.h"
#include "emit/runtime_files.h"

/* Functions of the runtime that products call by their own names. */
const runtime_export_t runtime_exports[] = {{DUTY_ALL, "reformer_take_tasks"},
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
                                            {DUTY_ALL, NULL}};

bool is_exported(const plan_t *p, c_word_t name) {
    for (const runtime_export_t *x = runtime_exports; x->name; x++)
        if (word_is(name, x->name)) return plan_has_duty(p, x->duty);
    return false;
}

/* ---- files and names ------------------------------------------------------------------------- */

int compare_words(c_word_t a, c_word_t b) {
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

static void add_entry(runtime_t *r, size_t piece, c_word_t name, bool tag) {
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

/* The first entry of that name, if it has one: those of other files, or parts
 * of one #if, follow. */
static const entry_t *first_entry(const runtime_t *r, c_word_t name) {
    size_t low = 0, high = r->n_entries;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_words(r->entry[middle].name, name) < 0) low = middle + 1;
        else high = middle;
    }
    bool found = low < r->n_entries && compare_words(r->entry[low].name, name) == 0;
    return found ? &r->entry[low] : NULL;
}

/* Whether an entry is what a word means that stands in this file (-1: in model.c)
 * behind that one. */
static bool entry_fits(const entry_t *e, int file, c_word_t w, c_word_t before) {
    if (compare_words(e->name, w) != 0 || e->tag != word_opens_tag(before)) return false;
    return e->file == file || !e->local;
}

static bool is_field(c_word_t before) {
    return word_is(before, ".") || word_is(before, "->");
}

/* NULL: it means nothing of the runtime's own files. */
const entry_t *find_entry(const runtime_t *r, int file, c_word_t w, c_word_t before) {
    const entry_t *end = r->entry + r->n_entries;
    if (!word_is_name(w) || is_field(before)) return NULL;
    for (const entry_t *e = first_entry(r, w); e && e < end && compare_words(e->name, w) == 0; e++)
        if (e->file == file && entry_fits(e, file, w, before)) return e;
    for (const entry_t *e = first_entry(r, w); e && e < end && compare_words(e->name, w) == 0; e++)
        if (entry_fits(e, file, w, before)) return e;
    return NULL;
}

bool is_runtime_name(const char *name) {
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

/* ---- what is needed -------------------------------------------------------------------------- */

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

/* Parts of one #if, and files that are instead of each other, have one name:
 * all of them are needed. */
static void need_word(runtime_t *r, int file, c_word_t w, c_word_t before) {
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
    for (c_word_t w, before = {0}; text < end && (w = c_next_word(&text)).n; before = w)
        if (w.at < end) need_word(r, file, w, before);
}

bool file_is_needed(const file_t *f) {
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
            const entry_t *e = find_entry(r, i, x->names[0], (c_word_t){0});
            if (e && r->file[e->file].needed[e->piece]) need_piece(r, i, k);
        }
}

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
    for (const runtime_export_t *x = runtime_exports; x->name; x++)
        if (plan_has_duty(c->plan, x->duty))
            need_word(r, -1, (c_word_t){x->name, strlen(x->name)}, (c_word_t){0});
    need_prototypes(r);
    return r;
}
