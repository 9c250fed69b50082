/* The file of tuning.h: text ↔ entries. Everything wrong in it is reported at
 * its line and column. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/tuning.h"
#include "support/cpu.h"
#include "support/file.h"
#include "support/format.h"
#include "support/hash.h"
#include "support/heap.h"

static const char magic[] = "# reformerc tuning 1", any_version[] = "# reformerc tuning ";
enum { MAX_BYTES = 16 << 20, MAX_NUMBER = 1000000 };

/* ---- values ---------------------------------------------------------------------------------- */

static bool take_number(const char *text, int *x) {
    char *stop;
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    long value = strtol(text, &stop, 10);
    if (errno || *stop || value > MAX_NUMBER) return false;
    *x = (int)value;
    return true;
}

static bool take_cpu(arena_t *a, const char *value, tuning_entry_t *e) {
    size_t n = strlen(value);
    if (n < 3 || value[0] != '"' || value[n - 1] != '"') return false;
    e->cpu = arena_strndup(a, value + 1, n - 2);
    return strcmp(e->cpu, cpu_plain(a, e->cpu)) == 0;
}

static bool take_target(arena_t *a, const char *value, tuning_entry_t *e) {
    (void)a;
    e->target = target_find(value);
    return e->target != NULL;
}

static bool take_shapes(arena_t *a, const char *value, tuning_entry_t *e) {
    e->shapes = arena_strdup(a, value);
    return *value && strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(value);
}

static bool take_tile(arena_t *a, const char *value, tuning_entry_t *e) {
    const char *x = strchr(value, 'x');
    return x && take_number(arena_strndup(a, value, (size_t)(x - value)), &e->tiles.vectors) &&
           take_number(x + 1, &e->tiles.rows);
}

static bool take_block(arena_t *a, const char *value, tuning_entry_t *e) {
    (void)a;
    return take_number(value, &e->tiles.block);
}

static bool take_run(arena_t *a, const char *value, tuning_entry_t *e) {
    (void)a;
    return take_number(value, &e->tiles.chunks_per_task);
}

static bool take_gain(arena_t *a, const char *value, tuning_entry_t *e) {
    const char *point = strchr(value, '.');
    int whole, tenths;
    if (!point || point[1] < '0' || point[1] > '9' || strcmp(point + 2, "%") != 0) return false;
    if (!take_number(arena_strndup(a, value, (size_t)(point - value)), &whole)) return false;
    tenths = point[1] - '0';
    e->gain = whole + tenths / 10.0;
    return true;
}

static bool take_lowering(arena_t *a, const char *value, tuning_entry_t *e) {
    (void)a;
    return take_number(value, &e->lowering);
}

static const struct {
    const char *key;
    bool (*take)(arena_t *a, const char *value, tuning_entry_t *e);
    const char *is; /* what its value has to be */
} fields[] = {
    {"cpu", take_cpu, "the name of a CPU in quotes"},
    {"target", take_target, "a target"},
    {"shapes", take_shapes, "shapes such as h512-8x64-ff2048"},
    {"tile", take_tile, "a tile of VECTORSxROWS"},
    {"block", take_block, "a number of rows"},
    {"run", take_run, "a number of chunks"},
    {"gain", take_gain, "a gain such as 3.4%"},
    {"lowering", take_lowering, "a version of the lowering"},
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

/* ---- lines ----------------------------------------------------------------------------------- */

typedef struct {
    tuning_t *t;
    const char *line; /* a copy of its own */
    int number;
    int *slots; /* entries by key, from 1; 0: free. Open addressing */
    size_t n_slots;
    bool versioned, foreign; /* a version was read; it is not ours */
    diag_t *d;
} tuning_reader_t;

static srcloc_t place(const tuning_reader_t *r, const char *at) {
    return (srcloc_t){r->t->path, r->number, 1 + (int)(at - r->line)};
}

/* Where the value at p ends: at a blank outside of quotes. */
static const char *value_end(const char *p) {
    if (*p == '"') {
        const char *quote = strchr(p + 1, '"');
        if (quote) p = quote + 1;
    }
    return p + strcspn(p, " \t");
}

static int field_find(const char *p, size_t n) {
    for (int f = 0; f < N_FIELDS; f++)
        if (strncmp(fields[f].key, p, n) == 0 && !fields[f].key[n]) return f;
    return -1;
}

static bool refuse_key(const tuning_reader_t *r, const char *p, size_t n, bool equals) {
    const char *names[N_FIELDS], *word = arena_strndup(r->t->arena, p, n);
    for (int f = 0; f < N_FIELDS; f++) names[f] = fields[f].key;
    diag_error(r->d, place(r, p), equals ? "'%s' is no field of an entry" : "'%s' is not KEY=VALUE",
               word);
    const char *near = equals ? did_you_mean(word, names, N_FIELDS) : NULL;
    if (near) diag_hint(r->d, "did you mean '%s'?", near);
    return false;
}

/* KEY=VALUE at *p, which moves behind it. */
static bool read_field(const tuning_reader_t *r, const char **p, tuning_entry_t *e, bool *seen) {
    const char *at = *p;
    size_t n = strcspn(at, "= \t");
    *p = at + n;
    int f = at[n] == '=' ? field_find(at, n) : -1;
    if (f < 0) return refuse_key(r, at, n, at[n] == '=');
    const char *value = at + n + 1;
    *p = value_end(value);
    if (seen[f]) {
        diag_error(r->d, place(r, at), "'%s' stands twice", fields[f].key);
        return false;
    }
    seen[f] = true;
    char *text = arena_strndup(r->t->arena, value, (size_t)(*p - value));
    if (fields[f].take(r->t->arena, text, e)) return true;
    diag_error(r->d, place(r, value), "'%s' is not %s", text, fields[f].is);
    return false;
}

static bool same_key(const tuning_entry_t *a, const tuning_entry_t *b) {
    return a->target == b->target && strcmp(a->cpu, b->cpu) == 0 &&
           strcmp(a->shapes, b->shapes) == 0;
}

static tuning_entry_t *find_key(tuning_t *t, const tuning_entry_t *e) {
    for (size_t i = 0; i < t->n; i++)
        if (same_key(&t->entries[i], e)) return &t->entries[i];
    return NULL;
}

static uint64_t key_hash(const tuning_entry_t *e) {
    uint64_t h = hash64(HASH64_INIT, e->cpu, strlen(e->cpu) + 1);
    return hash64(h, e->shapes, strlen(e->shapes));
}

/* Where the entry of this key stands, or would: a file of many lines takes linear time. */
static int *slot_of(const tuning_reader_t *r, const tuning_entry_t *e) {
    size_t at = (size_t)key_hash(e) & (r->n_slots - 1);
    while (r->slots[at] && !same_key(&r->t->entries[r->slots[at] - 1], e))
        at = (at + 1) & (r->n_slots - 1);
    return &r->slots[at];
}

static void add_entry(const tuning_reader_t *r, const tuning_entry_t *e) {
    int *slot = slot_of(r, e);
    if (*slot) {
        const tuning_entry_t *other = &r->t->entries[*slot - 1];
        diag_error(r->d, place(r, r->line), "this CPU, target and shapes stand in line %d too",
                   other->line);
        diag_hint(r->d, "keep one of the two");
        return;
    }
    ARENA_PUSH(r->t->arena, r->t->entries, r->t->n, r->t->cap) = *e;
    *slot = (int)r->t->n;
}

static void read_entry(const tuning_reader_t *r) {
    tuning_entry_t e = {.line = r->number};
    bool seen[N_FIELDS] = {false};
    for (const char *p = r->line; *(p += strspn(p, " \t"));)
        if (!read_field(r, &p, &e, seen)) return; /* one error per line says enough */
    for (int f = 0; f < N_FIELDS; f++) {
        if (seen[f]) continue;
        diag_error(r->d, place(r, r->line), "lacks '%s='", fields[f].key);
        return;
    }
    add_entry(r, &e);
}

/* A blank line, a comment, or a version. */
static bool is_idle(const char *line) {
    line += strspn(line, " \t");
    return !*line || *line == '#';
}

/* Files that were put one behind the other have more than one of these. */
static void read_version(tuning_reader_t *r) {
    r->versioned = true;
    r->foreign = strcmp(r->line, magic) != 0;
    if (r->foreign)
        diag_error(r->d, place(r, r->line), "of another version: this program reads '%s'", magic);
}

static void read_line(tuning_reader_t *r) {
    if (strncmp(r->line, any_version, sizeof any_version - 1) == 0) read_version(r);
    else if (r->line[strspn(r->line, " \t")] == '#')
        ARENA_PUSH(r->t->arena, r->t->comments, r->t->n_comments, r->t->cap_comments) = r->line;
    else if (!is_idle(r->line)) read_entry(r);
}

/* Blank lines and comments may stand before the version, nothing else: what is no file of tuning
 * gets one message. */
static void read_lines(tuning_t *t, const char *text, diag_t *d) {
    tuning_reader_t r = {.t = t, .d = d, .n_slots = 2};
    size_t lines = 1;
    for (const char *p = text; (p = strchr(p, '\n')); p++) lines++;
    while (r.n_slots < 2 * lines) r.n_slots *= 2;
    r.slots = ARENA_ARRAY(t->arena, int, r.n_slots);
    for (const char *p = text; *p && !r.foreign;) {
        size_t n = strcspn(p, "\n");
        r.line = arena_strndup(t->arena, p, n);
        r.number++;
        if (!r.versioned && !is_idle(r.line)) break;
        read_line(&r);
        p += n + (p[n] != 0);
    }
    if (r.versioned) return;
    diag_error(d, (srcloc_t){t->path, r.number ? r.number : 1, 1},
               "is no file of tuning: it does not begin with '%s'", magic);
}

tuning_t *tuning_read(arena_t *a, const char *path, bool may_lack, diag_t *d) {
    tuning_t *t = ARENA_NEW(a, tuning_t);
    *t = (tuning_t){.arena = a, .path = path};
    if (may_lack && !file_exists(path)) return t;
    size_t bytes;
    int before = diag_errors(d);
    char *read = file_read(path, MAX_BYTES, &bytes, d);
    if (!read) return NULL;
    char *text = arena_copy(a, read, bytes + 1); /* messages quote it */
    heap_free(read);
    if (!format_fits(path, text, bytes, WANT_TUNING, d)) return NULL;
    diag_source(d, path, text, bytes);
    if (strlen(text) != bytes) diag_error(d, IN_FILE(path), "is no text: it holds a zero byte");
    else read_lines(t, text, d);
    return diag_errors(d) == before ? t : NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

void tuning_put(tuning_t *t, const tuning_entry_t *e) {
    tuning_entry_t *old = find_key(t, e);
    if (old) *old = *e;
    else ARENA_PUSH(t->arena, t->entries, t->n, t->cap) = *e;
}

bool tuning_drop(tuning_t *t, const tuning_entry_t *e) {
    tuning_entry_t *old = find_key(t, e);
    if (!old) return false;
    *old = t->entries[--t->n]; /* sorted when written */
    return true;
}

static const char *entry_text(arena_t *a, const tuning_entry_t *e) {
    return arena_printf(a,
                        "cpu=\"%s\" target=%s shapes=%s tile=%dx%d block=%d run=%d gain=%.1f%% "
                        "lowering=%d",
                        e->cpu, e->target->name, e->shapes, e->tiles.vectors, e->tiles.rows,
                        e->tiles.block, e->tiles.chunks_per_task, e->gain, e->lowering);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void tuning_print(const tuning_t *t, sbuf_t *out) {
    const char **lines = ARENA_ARRAY(t->arena, const char *, t->n);
    for (size_t i = 0; i < t->n; i++) lines[i] = entry_text(t->arena, &t->entries[i]);
    if (t->n > 1) qsort(lines, t->n, sizeof *lines, by_text);
    sbuf_printf(out, "%s\n", magic);
    for (size_t i = 0; i < t->n_comments; i++) sbuf_printf(out, "%s\n", t->comments[i]);
    for (size_t i = 0; i < t->n; i++) sbuf_printf(out, "%s\n", lines[i]);
}

bool tuning_write(const tuning_t *t, diag_t *d) {
    sbuf_t out = {0};
    tuning_print(t, &out);
    bool ok = file_write(t->path, out.data, out.size, d);
    sbuf_free(&out);
    return ok;
}
