/* A training from its model and data to the learner, and its end (training.h): which length, how
 * many steps, what is checked before anything is written. */

#include "training/training.h"

#include "cli/interrupt.h"
#include "session/gradients.h"
#include "support/heap.h"

/* ---- how long -------------------------------------------------------------------------------- */

static bool more_than_there_are(const training_t *t, int64_t there) {
    diag_error(t->d, t->spec->at[KEY_train_steps], "%lld steps; %s has micro-batches for %lld",
               (long long)t->steps, t->feed.path, (long long)there);
    return false;
}

static bool steps_of_file(training_t *t) {
    int64_t there = t->feed.n_batches / feed_micros(t);
    if (!t->spec->given[KEY_train_steps]) t->steps = there;
    return t->steps <= there || t->feed.same || more_than_there_are(t, there);
}

static bool steps_of_epochs(training_t *t) {
    const spec_t *s = t->spec;
    if (s->train.epochs < 0) return true;
    if (data_epoch_rows(t->feed.data) == 0) {
        diag_error(t->d, s->at[KEY_train_epochs], "a task has no epochs: every row is new");
        return false;
    }
    int64_t steps = data_epoch_steps(t->feed.data, s->train.epochs);
    if (steps < t->steps) t->steps = steps;
    return true;
}

/* Of the rate behind the end of its schedule: nobody asks for that on purpose. */
static void warn_of_end(const training_t *t) {
    const spec_t *s = t->spec;
    const reformer_schedule_t *c = &s->train.schedule;
    if (!schedule_ends(c->type) || c->total <= 0) return;
    if (t->steps == INT64_MAX || t->steps <= c->total) return;
    spec_key_t key =
        s->given[KEY_train_schedule_total] ? KEY_train_schedule_total : KEY_train_schedule_type;
    diag_warning(t->d, s->at[key],
                 "the schedule ends after %lld steps, the training after %lld: behind that end %s",
                 (long long)c->total, (long long)t->steps, schedule_behind_end(c->type));
    if (t->o->given[OPT_RESUME])
        diag_hint(t->d,
                  "a longer course is one of a new training: --weights %s/last, and another "
                  "folder",
                  t->out);
    else diag_hint(t->d, "train.schedule.total=%lld, or fewer steps", (long long)t->steps);
}

/* A schedule that ends must know when, and a clock is no number that a run could
 * be repeated with. */
static bool count_steps(training_t *t) {
    reformer_schedule_t *s = &t->spec->train.schedule;
    t->steps = t->spec->train.steps > 0 ? t->spec->train.steps : INT64_MAX;
    if (!(t->feed.file ? steps_of_file(t) : steps_of_epochs(t))) return false;
    warn_of_end(t);
    if (s->total > 0 || !schedule_ends(s->type)) return true;
    if (t->steps < INT64_MAX) {
        s->total = t->steps;
        return true;
    }
    diag_error(t->d, t->spec->at[KEY_train_schedule_type],
               "the rate falls until the last step, and nothing says how many there are");
    diag_hint(t->d, "--steps N, --set train.schedule.total=N, or the schedule constant");
    return false;
}

/* ---- the model ------------------------------------------------------------------------------- */

static bool check_data(const training_t *t) {
    const spec_t *s = t->spec;
    if (t->o->given[OPT_BATCHES_FILE] || s->train.text || s->train.task) return true;
    diag_error(t->d, IN_FILE(s->path), "says no data to learn");
    diag_hint(t->d, "--text FILE, --task NAME, or --batches B.safetensors");
    return false;
}

/* What would change nothing is a mistake. */
static bool check_new_head(const training_t *t) {
    uint64_t seed;
    bool bad, judges = t->o->given[OPT_EVAL_ONLY];
    if (!t->spec->train.new_head || !t->spec->set[KEY_train_new_head]) return true;
    if (!judges && !names_random(t->s->weights, &seed, &bad)) return true;
    diag_error(t->d, t->spec->at[KEY_train_new_head], "has no effect: %s",
               judges
                   ? "--eval-only judges the head that there is"
                   : "all weights are drawn; --weights FILE, or a checkpoint folder, has others");
    return false;
}

static bool open_model(training_t *t) {
    session_t *s = t->s;
    if (!session_spec(s) || !gradients_possible(s)) return false;
    t->spec = s->spec;
    if (t->o->given[OPT_EVAL_ONLY] && !session_need_weights(s)) return false;
    if (!s->weights)
        s->weights = arena_printf(t->arena, "random:%lld", (long long)t->spec->train.seed);
    return check_new_head(t) && check_data(t);
}

/* The first token of a row is no label of a causal LM: a row of one has none. */
static bool check_length(const training_t *t) {
    int64_t max = t->s->model.facts.longest, length = t->feed.length;
    srcloc_t at = t->feed.file ? IN_FILE(t->feed.path) : t->spec->at[KEY_train_sequence_length];
    if (length > max) {
        diag_error(t->d, at, "rows of %lld tokens; the longest this model takes is %lld",
                   (long long)length, (long long)max);
        return false;
    }
    if (length > 1 || t->s->model.facts.head != ARCH_CAUSAL_LM) return true;
    diag_error(t->d, at, "rows of one token: a %s learns to tell the next one, 2 at least",
               arch_hf_name(ARCH_CAUSAL_LM));
    return false;
}

static bool open_text_for_samples(training_t *t) {
    if (t->spec->train.sample_every <= 0 || t->text) return true;
    t->text = text_open(&t->s->model, t->d);
    return t->text != NULL;
}

static bool open_learner(training_t *t) {
    session_t *s = t->s;
    if (t->o->backend != BACKEND_REFERENCE && !session_lower(s)) return false;
    if (!session_compile(s) || !session_weights(s)) return false;
    t->learner = exec_learner_new(s->exec, s->store, t->d);
    return t->learner && buckets_open(t);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void describe(const training_t *t) {
    sbuf_t out = {0};
    double n = 0;
    if (t->follows) return;
    for (size_t i = 0; i < exec_learner_arrays(t->learner); i++) {
        exec_array_t a;
        exec_learner_array(t->learner, i, &a);
        if (!a.state) n += (double)a.elements;
    }
    sbuf_printf(&out, "%.0f parameters; ", n);
    if (t->feed.data) data_describe(t->feed.data, &out);
    else sbuf_printf(&out, "%lld micro-batches", (long long)t->feed.n_batches);
    const char *ranks =
        t->feed.ranks > 1 ? arena_printf(t->arena, "%d ranks, each ", t->feed.ranks) : "";
    fprintf(stderr,
            "%s; steps of %lld x %lld x %lld tokens; back end %s, target %s, %s%d thread%s\n",
            out.data, (long long)feed_micros(t), (long long)t->feed.rows, (long long)t->feed.length,
            backend_names[t->o->backend], t->s->plan->targets[0]->name, ranks, t->s->threads,
            t->s->threads == 1 ? "" : "s");
    sbuf_free(&out);
}

static bool learn(training_t *t) {
    const char *rows = t->out ? arena_printf(t->arena, "%s/metrics.csv", t->out) : NULL;
    if (!open_learner(t) || !save_resume(t) || !agree_on_state(t)) return false;
    if (t->follows) rows = t->out = NULL; /* what is left to write there is rank 0's */
    if (!metrics_open(&t->metrics, t->arena, rows, t->step, t->d)) return false;
    peak_open(t);
    describe(t);
    interrupt_catch();
    return train_loop(t);
}

/* ---- the parts of a run ---------------------------------------------------------------------- */

training_t training_new(session_t *s, ranks_t *ranks) {
    s->advises = s->trains = true;
    s->resumes = train_goes_on(s->o);
    return (training_t){.s = s,
                        .o = s->o,
                        .d = s->d,
                        .arena = s->arena,
                        .out = s->o->text[OPT_OUT],
                        .ranks = ranks,
                        .follows = ranks_rank(ranks) > 0,
                        .patient = true};
}

static bool fits_ranks(const training_t *t) {
    const layout_t *g = t->s->plan->gradients; /* --eval-only has none */
    return !g || ranks_take(t->ranks, (size_t)g->data_end / sizeof(float), t->d);
}

bool training_open(training_t *t) {
    bool learns = !t->o->given[OPT_EVAL_ONLY];
    if (!open_model(t) || !feed_open(t) || !check_length(t)) return false;
    if (learns && !count_steps(t)) return false;
    if (!agree_on_training(t)) return false;
    return open_text_for_samples(t) && training_plan(t) && (!learns || train_sample_check(t)) &&
           fits_ranks(t) && hashing_of_spec(t);
}

bool training_run(training_t *t) {
    return save_open(t) && learn(t);
}

void training_free(training_t *t) {
    buckets_close(t);
    hashing_close(t->hashing);
    peak_close(t);
    exec_learner_free(t->learner);
    save_close(t);
    metrics_close(&t->metrics);
    feed_close(&t->feed);
    text_free(t->text);
    session_free(t->s);
}

options_t training_options(const options_t *o) {
    options_t mine = *o;
    mine.seed = 0;
    mine.cap_sets = (size_t)mine.n_sets; /* o keeps its list to itself */
    train_settings(&mine);
    if (!train_goes_on(o)) return mine;
    mine.given[OPT_WEIGHTS] = true;
    mine.text[OPT_WEIGHTS] = arena_printf(o->arena, "%s/last", o->text[OPT_OUT]);
    return mine;
}
