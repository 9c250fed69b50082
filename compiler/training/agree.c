/* Whether all ranks train the same (training.h). Ranks exchange gradients and nothing else, so that
 * one with another seed, text or rate would drift away from the others unnoticed, and one with
 * another number of steps would leave them waiting for ever.
 *
 * In: what decides a step, as names and values, on each rank. Rank 0's go to all; a rank that has
 * others says which one, and ends the rest with itself. What rank 0 alone does (evaluations,
 * checkpoints, logs) and the threads of each rank may differ. */
#include <inttypes.h>
#include <string.h>

#include "cli/product.h"
#include "training/training.h"
#include "weights/weights.h"

typedef struct {
    arena_t *arena;
    spec_value_t *all;
    size_t n, room;
} terms_t;

/* ---- comparing ------------------------------------------------------------------------------- */

static void add(terms_t *to, const char *key, srcloc_t at, const char *value) {
    ARENA_PUSH(to->arena, to->all, to->n, to->room) =
        (spec_value_t){.key = key, .value = value, .at = at};
}

static void add_number(terms_t *to, const char *key, srcloc_t at, int64_t value) {
    add(to, key, at, arena_printf(to->arena, "%" PRId64, value));
}

static void add_hash(terms_t *to, const char *key, uint64_t hash) {
    add(to, key, NOWHERE, arena_printf(to->arena, "%016" PRIx64, hash));
}

static const spec_value_t *find(const terms_t *in, const char *key) {
    for (size_t i = 0; i < in->n; i++)
        if (strcmp(in->all[i].key, key) == 0) return &in->all[i];
    return NULL;
}

/* Each name and each value with the 0 behind it. */
static void print(const terms_t *terms, sbuf_t *out) {
    for (size_t i = 0; i < terms->n; i++) {
        sbuf_write(out, terms->all[i].key, strlen(terms->all[i].key) + 1);
        sbuf_write(out, terms->all[i].value, strlen(terms->all[i].value) + 1);
    }
}

static void parse(const char *text, size_t size, terms_t *to) {
    for (const char *p = text, *end = text + size; p < end;) {
        const char *key = p, *value = key + strlen(key) + 1;
        add(to, key, NOWHERE, value);
        p = value + strlen(value) + 1;
    }
}

/* Rank 0's terms, on all ranks. */
static bool share(const training_t *t, const terms_t *mine, terms_t *first) {
    sbuf_t text = {0};
    print(mine, &text);
    size_t size = text.size;
    bool ok = ranks_share(t->ranks, &size, sizeof size, t->d);
    char *all = ARENA_ARRAY(mine->arena, char, size);
    if (!t->follows) memcpy(all, text.data, size);
    sbuf_free(&text);
    ok = ok && ranks_share(t->ranks, all, size, t->d);
    if (ok) parse(all, size, first);
    return ok;
}

static bool differ(const training_t *t, srcloc_t at, const char *key, const char *mine,
                   const char *first) {
    diag_error(t->d, at, "'%s' of rank %d is %s, that of rank 0 is %s", key, t->feed.rank,
               mine ? mine : "absent", first ? first : "absent");
    return false;
}

static bool same(const training_t *t, const terms_t *mine, const terms_t *first) {
    bool ok = true;
    for (size_t i = 0; i < mine->n; i++) {
        const spec_value_t *m = &mine->all[i], *f = find(first, m->key);
        if (!f || strcmp(f->value, m->value) != 0)
            ok = differ(t, m->at, m->key, m->value, f ? f->value : NULL);
    }
    for (size_t i = 0; i < first->n; i++)
        if (!find(mine, first->all[i].key))
            ok = differ(t, NOWHERE, first->all[i].key, NULL, first->all[i].value);
    if (!ok)
        diag_hint(
            t->d,
            "all ranks of a training need the same command line, the same files, and the same "
            "reformerc");
    return ok;
}

/* A rank that agrees waits here for the others, and is ended by one that does not. */
static bool wait_for_all(const training_t *t) {
    double mine = 0, *all = ARENA_ARRAY(t->arena, double, t->feed.ranks);
    return ranks_numbers(t->ranks, &mine, all, 1, t->d);
}

static bool agree(const training_t *t, const terms_t *mine) {
    terms_t first = {.arena = mine->arena};
    return share(t, mine, &first) && same(t, mine, &first) && wait_for_all(t);
}

/* ---- what must be the same ------------------------------------------------------------------- */

/* What the ranks do at all: each exchange needs all of them. */
static void add_options(const training_t *t, terms_t *to) {
    static const struct {
        option_id_t id;
        const char *shown;
    } rows[] = {{OPT_OUT, "--out"},
                {OPT_RESUME, "--resume"},
                {OPT_DRY_RUN, "--dry-run"},
                {OPT_EVAL_ONLY, "--eval-only"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        add(to, rows[i].shown, IN_FILE(rows[i].shown),
            t->o->given[rows[i].id] ? "given" : "absent");
}

bool agree_on_training(training_t *t) {
    terms_t mine = {.arena = t->arena};
    spec_value_t *values;
    sbuf_t version = {0};
    if (t->feed.ranks == 1) return true;
    product_version(&version);
    add(&mine, "version", NOWHERE,
        arena_strndup(t->arena, version.data, strcspn(version.data, "\n")));
    sbuf_free(&version);
    add(&mine, "--backend", IN_FILE("--backend"), backend_names[t->o->backend]);
    add_options(t, &mine);
    size_t n = spec_fixed_values(t->arena, t->spec, &values);
    for (size_t i = 0; i < n; i++) add(&mine, values[i].key, values[i].at, values[i].value);
    const char *graph = graphs_text(t);
    if (graph) add_hash(&mine, "graph", reformer_checksum(graph, strlen(graph)));
    add(&mine, "data", NOWHERE, data_print(t));
    if (t->steps == INT64_MAX) add(&mine, "train.steps", NOWHERE, "any number");
    else add_number(&mine, "train.steps", t->spec->at[KEY_train_steps], t->steps);
    return agree(t, &mine);
}

/* Checkpoints may be copies, or of another moment. */
bool agree_on_state(training_t *t) {
    terms_t mine = {.arena = t->arena};
    uint64_t sum = 0;
    if (t->feed.ranks == 1) return true;
    for (size_t i = 0; i < exec_learner_arrays(t->learner); i++) {
        exec_array_t a;
        exec_learner_array(t->learner, i, &a);
        sum = print_add(sum, a.data, (size_t)a.elements * sizeof *a.data);
    }
    add(&mine, "target", NOWHERE, t->s->plan->targets[0]->name);
    add_number(&mine, "steps done", NOWHERE, t->step);
    add_hash(&mine, "weights", sum);
    add_hash(&mine, "rotations", rotations_print(t));
    return agree(t, &mine);
}
