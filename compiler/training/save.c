/* Checkpoints of training.h: the learner's arrays, the counters, and what must be the
 * same where a run goes on. */
#include <dirent.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "support/clock.h"
#include "support/heap.h"
#include "training/training.h"

/* ---- what is kept ---------------------------------------------------------------------------- */

static const struct {
    const char *key;
    size_t offset;
} counters[] = {{"tokens", offsetof(counters_t, tokens)},
                {"seconds", offsetof(counters_t, seconds)},
                {"smoothed", offsetof(counters_t, smoothed)},
                {"smoothed_weight", offsetof(counters_t, weight)},
                {"best_eval_loss", offsetof(counters_t, best)},
                {"best_step", offsetof(counters_t, best_step)},
                {"evaluations_since_best", offsetof(counters_t, worse)}};
enum { N_COUNTERS = sizeof counters / sizeof counters[0], N_FACTS = 5 };

static double *counter(counters_t *c, int i) {
    return (double *)(void *)((char *)c + counters[i].offset);
}

uint64_t rotations_print(const training_t *t) {
    const graph_t *g = t->s->plan->trains[0].derived;
    uint64_t sum = 0;
    for (const gnode_t *n = NULL; (n = graph_next(g, G_LSH_HASH, n));) {
        char name[64];
        snprintf(name, sizeof name, "layers.%d.rotations", n->layer);
        const tensor_t *r = store_find(t->s->store, name);
        if (r) sum = sum * 31 + reformer_checksum(r->data, (size_t)r->elements * sizeof *r->data);
    }
    return sum;
}

const char *data_print(const training_t *t) {
    const feed_t *f = &t->feed;
    sbuf_t out = {0};
    if (f->data) data_describe(f->data, &out);
    else
        sbuf_printf(&out, "%lld micro-batches of %lld x %lld tokens", (long long)f->n_batches,
                    (long long)f->rows, (long long)f->length);
    sbuf_printf(&out, " (%016llx)",
                (unsigned long long)(f->data ? data_fingerprint(f->data) : f->print));
    const char *text = arena_strdup(t->arena, out.data);
    sbuf_free(&out);
    return text;
}

/* Evaluations are compared with each other. NULL: a file of batches has none. */
static const char *evaluation_print(const training_t *t) {
    const data_t *data = t->feed.data;
    if (!data) return NULL;
    return arena_printf(t->arena, "%lld windows (%016llx)", (long long)data_eval_windows(data),
                        (unsigned long long)data_eval_fingerprint(data));
}

/* Of a model that is made of graphs; NULL: a spec's. */
const char *graphs_text(const training_t *t) {
    const loaded_model_t *m = &t->s->model;
    sbuf_t out = {0};
    if (!m->graphs) return NULL;
    model_print(m->spec, m->graphs, m->n_graphs, &out);
    const char *text = arena_strdup(t->arena, out.data);
    sbuf_free(&out);
    return text;
}

static const char *text_print(const training_t *t, const char *text) {
    uint64_t hash = reformer_checksum(text, strlen(text));
    return arena_printf(t->arena, "%016llx", (unsigned long long)hash);
}

/* Names are the learner's. */
static void take_arrays(const training_t *t, checkpoint_t *state) {
    state->n_arrays = exec_learner_arrays(t->learner);
    state->arrays = ARENA_ARRAY(t->arena, checkpoint_array_t, state->n_arrays);
    for (size_t i = 0; i < state->n_arrays; i++) {
        exec_array_t a;
        exec_learner_array(t->learner, i, &a);
        checkpoint_array_t *to = &state->arrays[i];
        *to =
            (checkpoint_array_t){.name = a.name, .state = a.state, .rank = a.rank, .data = a.data};
        memcpy(to->shape, a.shape, sizeof to->shape);
    }
}

/* How many of them there are. */
static size_t list_facts(const training_t *t, const char *graph, checkpoint_fact_t *facts) {
    const char *rotations = NULL; /* before there are weights */
    if (t->s->store)
        rotations = arena_printf(t->arena, "%016llx", (unsigned long long)rotations_print(t));
    const checkpoint_fact_t all[N_FACTS] = {{"data", data_print(t)},
                                            {"evaluation", evaluation_print(t)},
                                            {"rotations", rotations},
                                            {"ranks", arena_printf(t->arena, "%d", t->feed.ranks)},
                                            {"graph", graph ? text_print(t, graph) : NULL}};
    size_t n = 0;
    for (int i = 0; i < N_FACTS; i++)
        if (all[i].text) facts[n++] = all[i];
    return n;
}

/* What stays the same for the whole run. */
static void describe_state(training_t *t) {
    keeper_t *k = t->keeper;
    checkpoint_t *state = &k->state;
    checkpoint_fact_t *facts = ARENA_ARRAY(t->arena, checkpoint_fact_t, N_FACTS);
    const char *graph = graphs_text(t);
    *state = (checkpoint_t){.spec = t->spec,
                            .graph = graph,
                            .pieces = k->pieces,
                            .numbers = k->numbers,
                            .n_numbers = N_COUNTERS,
                            .facts = facts,
                            .n_facts = list_facts(t, graph, facts)};
    take_arrays(t, state);
}

/* ---- the folder ------------------------------------------------------------------------------ */

/* What a process that was killed had begun to write beside the checkpoints. Nobody
 * else is at work here. */
static void remove_unfinished(const training_t *t) {
    static const char *const names[] = {"loss.svg.tmp-", "metrics.csv.tmp-"};
    DIR *folder = opendir(t->out);
    for (struct dirent *e; folder && (e = readdir(folder));)
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (strncmp(e->d_name, names[i], strlen(names[i])) == 0)
                (void)unlink(arena_printf(t->arena, "%s/%s", t->out, e->d_name));
    if (folder) (void)closedir(folder);
}

bool save_open(training_t *t) {
    if (!t->out) return true;
    keeper_t *k = t->keeper = ARENA_NEW(t->arena, keeper_t);
    k->numbers = ARENA_ARRAY(t->arena, checkpoint_number_t, N_COUNTERS);
    for (int i = 0; i < N_COUNTERS; i++) k->numbers[i].key = counters[i].key;
    if (t->spec->compile.text == TEXT_SENTENCEPIECE) k->pieces = text_model_path(t->spec);
    bool resume = t->o->given[OPT_RESUME];
    if (!t->follows) k->folder = checkpoint_open(t->out, resume, t->spec->train.keep, t->d);
    if (k->folder) remove_unfinished(t);
    bool open = k->folder != NULL; /* rank 0 has made it before others look */
    if ((!t->follows && !open) || !ranks_share(t->ranks, &open, sizeof open, t->d)) return false;
    if (t->follows) k->folder = checkpoint_look(t->out, t->d);
    return k->folder != NULL;
}

bool save_resume(training_t *t) {
    keeper_t *k = t->keeper;
    if (!k) return true;
    describe_state(t);
    if (!t->o->given[OPT_RESUME] || !checkpoint_has(k->folder, "last")) return true;
    if (!checkpoint_read(k->folder, "last", &k->state, t->d)) return false;
    for (int i = 0; i < N_COUNTERS; i++) *counter(&t->count, i) = k->numbers[i].value;
    t->step = k->state.step;
    exec_learner_set_step(t->learner, t->step);
    return exec_learner_restore(t->learner, t->d);
}

bool save_agrees(training_t *t, const char *folder) {
    checkpoint_fact_t facts[N_FACTS];
    const char *graph = graphs_text(t);
    checkpoint_t now = {.spec = t->spec, .graph = graph, .facts = facts};
    now.n_facts = list_facts(t, graph, facts);
    checkpoints_t *c = checkpoint_look(folder, t->d);
    bool ok = c && (!checkpoint_has(c, "last") || checkpoint_agrees(c, "last", &now, t->d));
    checkpoint_close(c);
    return ok;
}

/* Rows of metrics first: a run that goes on from this checkpoint counts on them. */
static bool save(training_t *t, const char *name) {
    keeper_t *k = t->keeper;
    if (!k || t->follows) return true;
    counters_t now = t->count;
    now.seconds += clock_now() - t->started;
    for (int i = 0; i < N_COUNTERS; i++) k->numbers[i].value = *counter(&now, i);
    k->state.step = t->step;
    return metrics_sync(&t->metrics, t->d) && checkpoint_write(k->folder, name, &k->state, t->d);
}

bool save_last(training_t *t) {
    bool ok = save(t, "last");
    t->saved = clock_now();
    return ok;
}

bool save_best(training_t *t) {
    return save(t, "best");
}

void save_close(training_t *t) {
    if (!t->keeper) return;
    checkpoint_close(t->keeper->folder);
    heap_free(t->keeper->pieces);
}
