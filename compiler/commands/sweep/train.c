/* Sweeps that train (sweep.h): every point is trained as `train` would, and then evaluated, with
 * other rounds of hashing, too.
 *
 * In: a point's options. Out: what it cost and how well it does (trained_t). The budget is the
 * spec's and the command line's, the same for all points; what is evaluated are the weights of the
 * last step. With --out each point has a folder of its own there, from which a training that
 * was interrupted goes on. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/outputs.h"
#include "commands/sweep/sweep.h"
#include "support/heap.h"

/* ---- what is asked for ----------------------------------------------------------------------- */

static const struct {
    option_id_t id;
    const char *shown;
} only_training[] = {{OPT_SWEEP_EVAL_HASHES, "--eval-hashes"},
                     {OPT_SWEEP_OUT, "--out"},
                     {OPT_EVAL_TEXT, "--eval-text"},
                     {OPT_EVAL_FRACTION, "--eval-fraction"},
                     {OPT_STEPS, "--steps"},
                     {OPT_EPOCHS, "--epochs"},
                     {OPT_MINUTES, "--minutes"},
                     {OPT_BATCH_SIZE, "--batch-size"},
                     {OPT_ACCUMULATE, "--accumulate"},
                     {OPT_LENGTH, "--length"},
                     {OPT_LR, "--lr"},
                     {OPT_EVAL_EVERY, "--eval-every"},
                     {OPT_EVAL_WINDOWS, "--eval-windows"},
                     {OPT_SAVE_EVERY, "--save-every"},
                     {OPT_SAVE_MINUTES, "--save-minutes"}};
enum { N_ONLY_TRAINING = sizeof only_training / sizeof only_training[0] };

bool sweep_trains(const options_t *o) {
    return o->given[OPT_SWEEP_TRAIN] || o->given[OPT_TASK];
}

static bool check_untrained(const options_t *o, diag_t *d) {
    bool ok = true;
    for (int i = 0; i < N_ONLY_TRAINING; i++) {
        if (!o->given[only_training[i].id]) continue;
        diag_error(d, IN_FILE(only_training[i].shown), "is for sweeps that train");
        diag_hint(d, "--train, or --task NAME");
        ok = false;
    }
    return ok;
}

static bool wrong_hashes(const char *text, const char *why, diag_t *d) {
    diag_error(d, IN_FILE("--eval-hashes"), "'%s' %s", text, why);
    return false;
}

static bool add_hashes(sweep_t *s, size_t *room, const char *text) {
    enum { MAX = 256 };
    char *end;
    bool number = isdigit((unsigned char)*text) != 0;
    long n = number ? strtol(text, &end, 10) : 0;
    if (strcmp(text, HASHING_FULL) != 0 && (!number || *end || n < 1 || n > MAX))
        return wrong_hashes(text, "is neither a number of rounds, from 1 to 256, nor full", s->d);
    const char *hashes = number ? arena_printf(s->arena, "%ld", n) : HASHING_FULL;
    for (int i = 0; i < s->n_evals; i++)
        if (strcmp(s->evals[i], hashes) == 0) return wrong_hashes(text, "stands twice", s->d);
    ARENA_PUSH(s->arena, s->evals, s->n_evals, *room) = hashes;
    return true;
}

static bool take_hashes(sweep_t *s) {
    size_t room = 0;
    const char *text = s->o->text[OPT_SWEEP_EVAL_HASHES];
    if (!text) {
        ARENA_PUSH(s->arena, s->evals, s->n_evals, room) = AS_TRAINED;
        return true;
    }
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, ",");
        if (!add_hashes(s, &room, arena_strndup(s->arena, p, n))) return false;
        p += n;
        if (!*p) return true;
    }
}

static bool exclude(const sweep_t *s, const char *shown, const char *why) {
    diag_error(s->d, IN_FILE(shown), "%s", why);
    return false;
}

bool sweep_train_options(sweep_t *s) {
    const options_t *o = s->o;
    s->trains = sweep_trains(o);
    if (!s->trains) return check_untrained(o, s->d);
    if (o->given[OPT_TASK] && o->given[OPT_TEXT]) return exclude(s, "--task", "excludes --text");
    if (o->given[OPT_REPEAT])
        return exclude(s, "--repeat",
                       "a training is not repeated: it would be the same to the bit");
    if (ranks_launched() > 1)
        return exclude(s, "mpirun", "a sweep is one process; `train` is what several do together");
    return take_hashes(s) &&
           (!o->given[OPT_SWEEP_OUT] || output_folder_check(o->text[OPT_SWEEP_OUT], s->d));
}

/* ---- a point's options ----------------------------------------------------------------------- */

/* The setting num_hashes=full is no spec's: it goes, and means exact attention. */
static bool take_full(options_t *o) {
    bool full = false;
    int n = 0;
    for (int i = 0; i < o->n_sets; i++) {
        setting_t *x = &o->sets[i];
        bool is = strcmp(x->key, "num_hashes") == 0 && strcmp(x->value, HASHING_FULL) == 0;
        full = full || is;
        if (!is) o->sets[n++] = *x;
    }
    o->n_sets = n;
    return full;
}

/* A folder's name, of the label's characters that no shell minds; where that loses something
 * its key tells it apart. */
static const char *folder_of(const sweep_t *s, arena_t *a, int point) {
    enum { LONGEST = 120 };
    const point_t *p = &s->points[point];
    char *name = arena_strdup(a, p->label);
    bool lost = strlen(name) > LONGEST;
    for (char *c = name; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("._=,+-", *c)) continue;
        lost = lost || *c != ' ';
        *c = *c == ' ' ? ',' : '_';
    }
    if (lost) name = arena_printf(a, "%.*s-%.16s", LONGEST, name, p->key);
    return arena_printf(a, "%s/%s", s->o->text[OPT_SWEEP_OUT], name);
}

/* plain: without num_hashes=full, which evaluations with other hashing begin from. */
typedef struct {
    options_t plain, mine;
} variant_t;

static void take_variant(const sweep_t *s, attempt_t *t, int point, bool keeps, variant_t *v) {
    options_t *o = &t->o;
    bool full = take_full(o);
    o->text[OPT_TRAIN_TEXT] = o->text[OPT_TEXT];
    o->given[OPT_TRAIN_TEXT] = o->given[OPT_TEXT];
    if (keeps && o->given[OPT_SWEEP_OUT]) {
        o->given[OPT_OUT] = true;
        o->text[OPT_OUT] = folder_of(s, t->arena, point);
        o->given[OPT_RESUME] = is_directory(o->text[OPT_OUT]);
    }
    v->plain = training_options(o);
    if (full) hashing_settings(o, HASHING_FULL);
    v->mine = training_options(o);
}

static training_t begin(attempt_t *t, const variant_t *v) {
    t->session = session_new(&v->mine, t->d);
    return training_new(&t->session, NULL);
}

/* ---- before anything is trained -------------------------------------------------------------- */

static bool check_held_out(const training_t *x) {
    if (train_evaluates(x)) return true;
    diag_error(x->d, x->spec->at[KEY_train_eval_fraction],
               "no part of the data is held out, so nothing would be learnt about this point");
    diag_hint(x->d, "--eval-fraction X, or --eval-text FILE");
    return false;
}

static bool check_hashes(const sweep_t *s, training_t *x, const variant_t *v) {
    for (int i = 0; i < s->n_evals; i++) {
        if (strcmp(s->evals[i], AS_TRAINED) == 0) continue;
        hashing_t *h = hashing_plan(x, &v->plain, s->evals[i], IN_FILE("--eval-hashes"));
        if (!h) return false;
        hashing_close(h);
    }
    return true;
}

/* What stands in its folder is its own training, to go on with. */
static bool check_folder(const sweep_t *s, training_t *x, int point) {
    if (!s->o->given[OPT_SWEEP_OUT]) return true;
    const char *folder = folder_of(s, x->arena, point);
    return !is_directory(folder) || save_agrees(x, folder);
}

static const char *kept(const sweep_t *s, const char *text) {
    return text ? arena_strdup(s->arena, text) : NULL;
}

bool sweep_train_check(sweep_t *s, attempt_t *t, int point) {
    variant_t v;
    take_variant(s, t, point, false, &v);
    training_t x = begin(t, &v);
    s->threads = t->session.threads;
    bool ok = training_open(&x) && check_held_out(&x) && check_hashes(s, &x, &v) &&
              check_folder(s, &x, point);
    if (ok) {
        s->weights = kept(s, t->session.weights);
        s->data = kept(s, x.spec->train.text);
        s->eval_data = kept(s, x.spec->train.eval_text);
        s->task = x.spec->train.task;
    }
    training_free(&x);
    return ok;
}

/* ---- one point ------------------------------------------------------------------------------- */

static bool evaluate(training_t *x, const variant_t *v, const char *hashes, trained_eval_t *e) {
    bool own = strcmp(hashes, AS_TRAINED) == 0 && !x->hashing;
    hashing_t *h = NULL;
    if (strcmp(hashes, AS_TRAINED) == 0) h = x->hashing;
    else if (!(h = hashing_plan(x, &v->plain, hashes, IN_FILE("--eval-hashes")))) return false;
    exec_t *by = own ? x->s->exec : hashing_bind(x, h);
    metric_t row = metric_none();
    bool ok = by && train_eval(x, by, &row);
    if (h != x->hashing) hashing_close(h);
    if (ok)
        *e = (trained_eval_t){true,          row.eval_loss, row.accuracy,
                              row.sequences, row.f1,        row.eval_bits};
    return ok;
}

static bool evaluate_all(const sweep_t *s, training_t *x, const variant_t *v, point_t *p) {
    bool ok = true;
    exec_learner_evaluates(x->learner, true);
    for (int i = 0; ok && i < s->n_evals && !interrupt_caught(); i++)
        ok = evaluate(x, v, s->evals[i], &p->trained.evals[i]);
    return ok;
}

static void take_course(const training_t *x, trained_t *y) {
    const counters_t *c = &x->count;
    y->steps = x->step;
    y->tokens = c->tokens;
    y->seconds = c->seconds;
    y->loss = c->weight > 0 ? c->smoothed / c->weight : NAN;
}

bool sweep_train_point(sweep_t *s, attempt_t *t, int point) {
    variant_t v;
    point_t *p = &s->points[point];
    take_variant(s, t, point, true, &v);
    training_t x = begin(t, &v);
    bool ok = training_open(&x) && training_run(&x);
    if (ok && !x.signal) ok = evaluate_all(s, &x, &v, p);
    bool whole = ok && !x.signal && !interrupt_caught();
    if (whole) {
        take_course(&x, &p->trained);
        p->target = arena_strdup(s->arena, t->session.plan->targets[0]->name);
        point_learnt(p);
    }
    training_free(&x);
    return ok;
}

void point_learnt(point_t *p) {
    p->state = POINT_DONE;
    p->n_passes = 1;
}
