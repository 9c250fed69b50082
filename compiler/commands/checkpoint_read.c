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

/* Whether they are the same; otherwise an error at the new value. */
static bool same(reading_t *r, srcloc_t at, const char *key, const char *was, const char *is) {
    is = state_text(r->arena, is);
    if (!was || strcmp(was, is) == 0) return true; /* a key that came later is what it always was */
    diag_error(r->d, at, "'%s' was %s in %s, now it is %s", key, was, r->folder, is);
    return false;
}

static void explain(reading_t *r, const spec_t *now, bool course_alone) {
    const char *total = find_fact(r->saved.keys, r->saved.n_keys, "train.schedule.total");
    if (course_alone)
        diag_hint(r->d, "train.schedule.total=%s keeps the course of the rate; behind that end %s",
                  total, schedule_behind_end(now->train.schedule.type));
    else
        diag_hint(
            r->d,
            "a training that goes on is the one that was interrupted, to the bit; a new one from "
            "its weights: --weights %s, and another folder",
            r->folder);
}

static bool same_training(reading_t *r, const checkpoint_t *now) {
    int changed = 0;
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
        changed += !same(r, NOWHERE, now->facts[i].key, was, now->facts[i].text);
    }
    if (changed) explain(r, now->spec, course && changed == 1);
    return changed == 0;
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
