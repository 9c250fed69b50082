/* A checkpoint → the state of a run that goes on (checkpoint.h), if it is the same training: what decides a later step must
 * be as it was, key by key. */
#include <inttypes.h>
#include <string.h>

#include "commands/checkpoint_int.h"
#include "support/file.h"
#include "weights/weights.h"

typedef struct {
    const checkpoints_t *c;
    arena_t *arena;
    const char *folder;
    saved_state_t saved;
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

/* ---- what has changed ------------------------------------------------------------------------------------ */

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

/* As `same`, of a fact: in words where they differ, else that it is the content which does. */
static bool same_fact(reading_t *r, const char *key, const char *was, const char *is) {
    is = state_text(r->arena, is);
    if (!was || strcmp(was, is) == 0) return true;
    const char *before = words(r->arena, was), *now = words(r->arena, is);
    if (strcmp(before, now) != 0)
        diag_error(r->d, NOWHERE, "'%s' was %s in %s, now it is %s", key, before, r->folder, now);
    else if (*now)
        diag_error(r->d, NOWHERE, "'%s' has another content than in %s, though it is again %s", key,
                   r->folder, now);
    else diag_error(r->d, NOWHERE, "'%s' has another content than in %s", key, r->folder);
    return false;
}

/* Whether they are the same; otherwise an error at the new value. */
static bool same(reading_t *r, srcloc_t at, const char *key, const char *was, const char *is) {
    is = state_text(r->arena, is);
    if (!was || strcmp(was, is) == 0) return true; /* a key that came later is what it always was */
    diag_error(r->d, at, "'%s' was %s in %s, now it is %s", key, was, r->folder, is);
    return false;
}

static void explain_course(reading_t *r, const spec_t *now) {
    diag_hint(r->d, "train.schedule.total=%s keeps the course of the rate; behind that end %s",
              find_fact(r->saved.keys, r->saved.n_keys, "train.schedule.total"),
              schedule_behind_end(now->train.schedule.type));
}

static void explain(reading_t *r) {
    diag_hint(r->d,
              "a training that goes on is the one that was interrupted, to the bit; a new one from "
              "its weights: --weights %s, and another folder",
              r->folder);
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
static void explain_settings(reading_t *r, const spec_value_t *values, size_t n) {
    sbuf_t out = {0};
    for (size_t i = 0; i < n; i++) {
        const char *was = find_fact(r->saved.keys, r->saved.n_keys, values[i].key);
        if (!was || strcmp(was, state_text(r->arena, values[i].value)) == 0) continue;
        sbuf_puts(&out, " --set ");
        put_word(arena_printf(r->arena, "%s=%s", values[i].key, was), &out);
    }
    diag_hint(r->d,
              "it goes on as it began with%s; a new training from its weights: --weights %s, and "
              "another folder",
              out.data, r->folder);
    sbuf_free(&out);
}

static bool same_training(reading_t *r, const checkpoint_t *now) {
    int changed = 0, other = 0;
    bool course = false;
    spec_value_t *values;
    size_t n = spec_fixed_values(r->arena, now->spec, &values);
    for (size_t i = 0; i < n; i++) {
        const char *was = find_fact(r->saved.keys, r->saved.n_keys, values[i].key);
        if (same(r, values[i].at, values[i].key, was, values[i].value)) continue;
        course = strcmp(values[i].key, "train.schedule.total") == 0 || course;
        changed++;
    }
    for (size_t i = 0; i < now->n_facts; i++) {
        const char *was = find_fact(r->saved.facts, r->saved.n_facts, now->facts[i].key);
        other += !same_fact(r, now->facts[i].key, was, now->facts[i].text);
    }
    if (course && changed == 1 && !other) explain_course(r, now->spec);
    else if (changed && !other) explain_settings(r, values, n);
    else if (other) explain(r);
    return !changed && !other;
}

/* ---- tensors --------------------------------------------------------------------------------------------- */

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
