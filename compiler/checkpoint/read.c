/* A checkpoint → the state of a run that goes on (checkpoint.h), if it is the same training: what
 * decides a later step must be as it was, key by key. */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/checkpoint_int.h"
#include "support/file.h"
#include "weights/weights.h"

typedef struct {
    const checkpoints_t *c;
    arena_t *arena;
    const char *folder;
    saved_state_t saved;
    sbuf_t changes; /* a line each, behind its end of line */
    diag_t *d;
} reading_t;

static bool open_state(reading_t *r, const checkpoints_t *c, const char *name, diag_t *d) {
    *r = (reading_t){.c = c, .arena = arena_new(), .d = d};
    r->folder = inside(c, name);
    return state_load(r->arena, arena_printf(r->arena, "%s/" STATE_FILE, r->folder), &r->saved, d);
}

int64_t checkpoint_step(const checkpoints_t *c, const char *name, diag_t *d) {
    reading_t r;
    int64_t step = open_state(&r, c, name, d) ? r.saved.step : -1;
    arena_free(r.arena);
    return step;
}

/* ---- what has changed ------------------------------------------------------------------------ */

static const char *find_fact(const checkpoint_fact_t *facts, size_t n, const char *key) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(facts[i].key, key) == 0) return facts[i].text;
    return NULL;
}

/* A print of content, by which what is described alike is told apart, says nothing to a person. */
enum { PRINT = 16 };
static bool is_print(const char *text, size_t n) {
    return n == PRINT && strspn(text, "0123456789abcdef") >= PRINT;
}

/* Of "words (print)" the words, of a print alone "". */
static const char *words(arena_t *a, const char *text) {
    size_t n = strlen(text), tail = PRINT + 3;
    if (is_print(text, n)) return "";
    if (n < tail || strncmp(text + n - tail, " (", 2) != 0 || text[n - 1] != ')') return text;
    return is_print(text + n - tail + 2, PRINT) ? arena_strndup(a, text, n - tail) : text;
}

/* ---- the list of it -------------------------------------------------------------------------- */

static void put_place(srcloc_t at, sbuf_t *out) {
    if (!at.file) return;
    sbuf_printf(out, " (%s", at.file);
    if (at.line > 0) sbuf_printf(out, ":%d:%d", at.line, at.col);
    sbuf_puts(out, ")");
}

/* A fact: in words where they differ, else (prints) that it is the content which does.
 * Whether it is the same. */
static bool same_fact(reading_t *r, const char *key, const char *was, const char *is, bool prints) {
    is = state_text(r->arena, is);
    if (!was || strcmp(was, is) == 0) return true;
    const char *before = words(r->arena, was), *now = words(r->arena, is);
    if (!prints && strcmp(before, now) == 0) return true;
    sbuf_printf(&r->changes, "\n    '%s' ", key);
    if (strcmp(before, now) != 0) sbuf_printf(&r->changes, "was %s, now it is %s", before, now);
    else sbuf_puts(&r->changes, "has another content");
    if (*now && strcmp(before, now) == 0) sbuf_printf(&r->changes, ", though it is again %s", now);
    return false;
}

static bool same_key(reading_t *r, const spec_value_t *v, const char *was) {
    const char *is = state_text(r->arena, v->value);
    if (!was && v->before) was = state_text(r->arena, v->before);
    if (!was || strcmp(was, is) == 0) return true; /* a key that came later is what it always was */
    sbuf_printf(&r->changes, "\n    '%s' was %s, now it is %s", v->key, was, is);
    put_place(v->at, &r->changes);
    return false;
}

static void explain_course(reading_t *r, const spec_t *now) {
    diag_hint(r->d, "train.schedule.total=%s keeps the course of the rate; behind that end %s",
              find_fact(r->saved.keys, r->saved.n_keys, "train.schedule.total"),
              schedule_behind_end(now->train.schedule.type));
}

/* Quoted for a shell, if one would read more than a word in it. */
static void put_word(const char *text, sbuf_t *out) {
    bool plain = !text[strcspn(text, " \t\n\"'\\$`&|;<>()[]{}*?!#~")];
    if (!plain) sbuf_puts(out, "'");
    for (; *text; text++)
        if (*text == '\'') sbuf_puts(out, "'\\''");
        else sbuf_printf(out, "%c", *text);
    if (!plain) sbuf_puts(out, "'");
}

/* What of a command line makes these keys what they were. */
static void put_settings(reading_t *r, const spec_value_t *values, size_t n, sbuf_t *out) {
    for (size_t i = 0; i < n; i++) {
        const char *was = find_fact(r->saved.keys, r->saved.n_keys, values[i].key);
        if (!was || strcmp(was, state_text(r->arena, values[i].value)) == 0) continue;
        sbuf_puts(out, " --set ");
        put_word(arena_printf(r->arena, "%s=%s", values[i].key, was), out);
    }
}

static void explain(reading_t *r, const spec_value_t *values, size_t n, bool keys_alone) {
    sbuf_t out = {0};
    if (keys_alone) {
        sbuf_puts(&out, "it goes on as it began with");
        put_settings(r, values, n, &out);
        sbuf_puts(&out, "; ");
    }
    sbuf_puts(&out, "what may change of train: ");
    spec_free_keys(&out);
    sbuf_printf(&out, "; a new training from its weights: --weights %s, and another folder",
                r->folder);
    diag_hint(r->d, "%s", out.data);
    sbuf_free(&out);
}

static void refuse_changes(reading_t *r, const checkpoint_t *now, const spec_value_t *values,
                           size_t n, int keys, int facts, bool course) {
    diag_error(r->d, IN_FILE(r->folder), "is of another training, %d thing%s:%s", keys + facts,
               keys + facts > 1 ? "s differ" : " differs", r->changes.data);
    if (course && keys == 1 && !facts) explain_course(r, now->spec);
    else explain(r, values, n, !facts);
}

/* Of another seed rows are others, of other layers rotations: where a key differs, contents
 * say nothing of their own. */
static bool same_training(reading_t *r, const checkpoint_t *now) {
    int keys = 0, facts = 0;
    spec_value_t *values;
    size_t n = spec_fixed_values(r->arena, now->spec, &values);
    bool course = false;
    for (size_t i = 0; i < n; i++) {
        if (same_key(r, &values[i], find_fact(r->saved.keys, r->saved.n_keys, values[i].key)))
            continue;
        course = course || strcmp(values[i].key, "train.schedule.total") == 0;
        keys++;
    }
    for (size_t i = 0; i < now->n_facts; i++)
        facts += !same_fact(r, now->facts[i].key,
                            find_fact(r->saved.facts, r->saved.n_facts, now->facts[i].key),
                            now->facts[i].text, keys == 0);
    if (keys + facts) refuse_changes(r, now, values, n, keys, facts, course);
    sbuf_free(&r->changes);
    return keys + facts == 0;
}

bool checkpoint_agrees(const checkpoints_t *c, const char *name, const checkpoint_t *state,
                       diag_t *d) {
    reading_t r;
    bool ok = open_state(&r, c, name, d) && same_training(&r, state);
    arena_free(r.arena);
    return ok;
}

/* ---- tensors --------------------------------------------------------------------------------- */

static bool same_shape(const checkpoint_array_t *a, const st_tensor_t *t) {
    return t->rank == a->rank &&
           (a->rank == 0 || memcmp(t->shape, a->shape, (size_t)a->rank * sizeof *a->shape) == 0);
}

static bool take_array(const checkpoint_array_t *a, const st_file_t *f, diag_t *d) {
    const st_tensor_t *t = st_find(f, a->name);
    if (!t) diag_error(d, IN_FILE(st_path(f)), "tensor '%s' is missing", a->name);
    else if (!same_shape(a, t))
        diag_error(d, IN_FILE(st_path(f)), "tensor '%s' has another shape than this training's",
                   a->name);
    else return st_to_f32(t, a->data, st_path(f), d);
    return false;
}

static bool take_arrays(reading_t *r, checkpoint_t *to, const char *file, bool state) {
    st_file_t *f = st_open(arena_printf(r->arena, "%s/%s", r->folder, file), r->d);
    bool ok = f != NULL;
    for (size_t i = 0; ok && i < to->n_arrays; i++)
        if (to->arrays[i].state == state) ok = take_array(&to->arrays[i], f, r->d);
    st_close(f);
    return ok;
}

static void take_numbers(const saved_state_t *saved, checkpoint_t *to) {
    for (size_t i = 0; i < to->n_numbers; i++)
        for (size_t k = 0; k < saved->n_numbers; k++)
            if (strcmp(saved->numbers[k].key, to->numbers[i].key) == 0)
                to->numbers[i].value = saved->numbers[k].value;
}

bool checkpoint_read(const checkpoints_t *c, const char *name, checkpoint_t *state, diag_t *d) {
    reading_t r;
    bool ok = open_state(&r, c, name, d) && same_training(&r, state) &&
              take_arrays(&r, state, MODEL_FILE, false) &&
              take_arrays(&r, state, OPTIMIZER_FILE, true);
    if (ok && arrays_hash(state->arrays, state->n_arrays) != r.saved.hash) {
        diag_error(d, IN_FILE(r.folder),
                   "its tensors are not those that were written with its " STATE_FILE);
        diag_hint(
            d,
            "model.safetensors or optimizer.safetensors has changed, or is of another checkpoint");
        ok = false;
    }
    if (ok) {
        take_numbers(&r.saved, state);
        state->step = r.saved.step;
    }
    arena_free(r.arena);
    return ok;
}
