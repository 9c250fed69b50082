/* reformerc sweep: the same model and text under every combination of settings.
 *
 * In: a model, its weights, a text, `--set KEY=A,B,C`. Out: for each point what it predicts (bits
 * per byte, as eval computes it), how fast, in how much memory, and how long compiling took; a
 * table on stdout and files by suffix. A point that cannot be compiled is reported and skipped. All
 * points are checked before the first is evaluated, so that mistakes show at once and not hours
 * later. With --repeat all points take turns, so that no time of the day favours one. A sweep may
 * train each point first (train.c). */
#include "commands/sweep/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/lists.h"
#include "commands/commands.h"
#include "report/progress.h"
#include "support/clock.h"
#include "support/heap.h"
#include "support/resident.h"

/* ---- what is said about points --------------------------------------------------------------- */

/* The messages as diag_print writes them; NULL: none. */
static const char *render_messages(arena_t *a, diag_t *d) {
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (!f) guard_no_memory(0);
    diag_print(d, f);
    fclose(f);
    const char *kept = n ? arena_strndup(a, text, n) : NULL;
    heap_free(text);
    return kept;
}

/* "FILE: error: …", without the lines that quote and hint. */
static const char *first_error(arena_t *a, const char *message) {
    for (const char *p = message; p && *p;) {
        size_t n = strcspn(p, "\n");
        const char *line = arena_strndup(a, p, n);
        if (*line != ' ' && strstr(line, ": error: ")) return line;
        p += n + (p[n] != 0);
    }
    return "error";
}

static void conclude(sweep_t *s, point_t *p, bool ok, diag_t *d) {
    ok = ok && diag_errors(d) == 0;
    const char *message = render_messages(s->arena, d);
    if (message && (!p->message || strcmp(p->message, message) != 0)) {
        p->message = message;
        p->said = false;
    }
    if (ok) return;
    p->state = POINT_INVALID;
    p->reason = first_error(s->arena, message);
}

static bool same_message(const point_t *a, const point_t *b) {
    return a->message && b->message && strcmp(a->message, b->message) == 0;
}

/* "skipped: num_hashes=0, num_hashes=-1 and 4 more" */
static void say_skipped(const sweep_t *s, int first) {
    enum { NAMED = 3 };
    int n = 0;
    for (int i = first; i < s->grid.n_points; i++) {
        if (!same_message(&s->points[i], &s->points[first]) || s->points[i].said) continue;
        if (n < NAMED) fprintf(stderr, "%s%s", n ? ", " : "skipped: ", s->points[i].label);
        n++;
    }
    if (n > NAMED) fprintf(stderr, " and %d more", n - NAMED);
    fputc('\n', stderr);
}

static bool said_before(const sweep_t *s, int point) {
    for (int i = 0; i < s->grid.n_points; i++)
        if (s->points[i].said && same_message(&s->points[i], &s->points[point])) return true;
    return false;
}

/* Each text once, behind the points that it is about. */
static void say_new_messages(sweep_t *s) {
    for (int i = 0; i < s->grid.n_points; i++) {
        point_t *p = &s->points[i];
        if (!p->message || p->said) continue;
        bool known = said_before(s, i);
        if (p->state == POINT_INVALID) say_skipped(s, i);
        if (!known) fputs(p->message, stderr);
        for (int j = i; j < s->grid.n_points; j++)
            if (same_message(p, &s->points[j])) s->points[j].said = true;
    }
}

/* ---- one point ------------------------------------------------------------------------------- */

static void attempt_begin(attempt_t *t, const sweep_t *s, int point) {
    t->arena = arena_new();
    t->d = diag_new();
    t->o = *s->o;
    t->o.arena = t->arena;
    t->o.sets = grid_settings(&s->grid, t->arena, point);
    t->o.n_sets = s->grid.n_axes;
    t->o.cap_sets = (size_t)t->o.n_sets;
    t->session = session_new(&t->o, t->d);
    t->session.no_cache = true; /* compile time is a result */
}

static void attempt_end(attempt_t *t) {
    session_free(&t->session);
    diag_free(t->d);
    arena_free(t->arena);
}

/* The text becomes tokens once, as the first point reads it. */
static bool check_text(sweep_t *s, const session_t *session) {
    if (s->text) return text_fits(s->text, &session->model, session->d);
    s->text = text_open(&session->model, session->d);
    return s->text != NULL;
}

static bool check_score(sweep_t *s, attempt_t *t) {
    bool ok =
        score_spec(&t->session) && check_text(s, &t->session) && score_plan(&t->session, NULL);
    if (ok) s->weights = arena_strdup(s->arena, t->session.weights);
    s->threads = t->session.threads;
    return ok;
}

static void check_point(sweep_t *s, int i) {
    attempt_t t;
    attempt_begin(&t, s, i);
    bool ok = s->trains ? sweep_train_check(s, &t, i) : check_score(s, &t);
    conclude(s, &s->points[i], ok, t.d);
    attempt_end(&t);
}

typedef struct {
    const sweep_t *s;
    progress_t *bar;
    int point, pass; /* pass: from 1 */
} watch_t;

static void show(const watch_t *w, int64_t done, int64_t total, const char *said) {
    char text[96];
    if (w->s->repeat > 1)
        snprintf(text, sizeof text, "pass %d of %d, point %d of %d  %s", w->pass, w->s->repeat,
                 w->point + 1, w->s->grid.n_points, said);
    else snprintf(text, sizeof text, "point %d of %d  %s", w->point + 1, w->s->grid.n_points, said);
    progress_show(w->bar, done, total, text);
}

static bool watch(void *ctx, const score_t *sc, int64_t done, int64_t total) {
    char said[48];
    snprintf(said, sizeof said, "%.4f bits", score_bits(sc)); /* 80 columns */
    show(ctx, done, total, said);
    return !interrupt_caught();
}

typedef struct {
    score_t score;
    const char *target;
    double compile_seconds;
    size_t workspace;
} attempt_score_t;

/* The weights are looked at before the compiler runs: what is wrong with them shows early, and what
 * reading them takes is not its time. They are read per point, since shapes and rotations may
 * depend on the settings; the file is mapped. */
static bool measure(session_t *s, attempt_score_t *x, const tokens_t *text, watch_t *w) {
    double start = clock_now();
    if (!score_spec(s) || !score_plan(s, text)) return false;
    x->compile_seconds = clock_now() - start;
    if (!session_weights(s)) return false;
    start = clock_now();
    if (!session_compile(s)) return false;
    x->compile_seconds += clock_now() - start;
    if (!exec_bind(s->exec, s->store, s->d)) return false;
    x->score = score_new(s);
    x->target = s->plan->targets[0]->name;
    x->workspace = exec_workspace_bytes(s->exec, (size_t)x->score.window, s->threads);
    return score_text(s, &x->score, text, watch, w);
}

static bool keep_pass(sweep_t *s, point_t *p, const attempt_score_t *x, size_t peak, diag_t *d) {
    p->target = x->target;
    p->workspace = x->workspace;
    if (point_add_pass(s->arena, p, &x->score, x->compile_seconds, peak)) {
        point_conclude(p);
        return true;
    }
    diag_error(d, NOWHERE,
               "model, weights or text changed since the pass before: %.6f bits per "
               "byte became %.6f",
               score_bits(&p->score), score_bits(&x->score));
    return false;
}

static void say_done(const watch_t *w, const point_t *p, const attempt_score_t *x) {
    const sweep_t *s = w->s;
    const char *pass =
        s->repeat > 1 ? arena_printf(s->arena, "pass %d of %d, ", w->pass, s->repeat) : "";
    progress_line(w->bar,
                  "%spoint %d of %d: %s: %.4f bits per byte, %.0f tokens/s, compiled in %.2f s",
                  pass, w->point + 1, s->grid.n_points, p->label, score_bits(&p->score),
                  score_speed(&x->score), x->compile_seconds);
}

static void evaluate_point(sweep_t *s, int i, progress_t *bar) {
    attempt_t t;
    attempt_score_t x = {0};
    point_t *p = &s->points[i];
    watch_t w = {s, bar, i, p->n_passes + 1};
    attempt_begin(&t, s, i);
    show(&w, 0, s->tokens.n, "compiling");
    bool knows_peak = resident_reset_peak();
    bool ok = measure(&t.session, &x, &s->tokens, &w) &&
              keep_pass(s, p, &x, knows_peak ? resident_peak() : 0, t.d);
    progress_clear(bar);
    if (ok || !interrupt_caught()) conclude(s, p, ok, t.d); /* its errors are the interruption's */
    attempt_end(&t);
    say_new_messages(s);
    if (ok) say_done(&w, p, &x);
}

static void train_point(sweep_t *s, int i) {
    attempt_t t;
    sbuf_t said = {0};
    point_t *p = &s->points[i];
    fprintf(stderr, "point %d of %d: %s\n", i + 1, s->grid.n_points, p->label);
    attempt_begin(&t, s, i);
    bool ok = sweep_train_point(s, &t, i);
    conclude(s, p, ok, t.d);
    attempt_end(&t);
    say_new_messages(s);
    if (p->state != POINT_DONE) return;
    learnt_line(s, p, &said);
    fprintf(stderr, "point %d of %d: %s: %s\n", i + 1, s->grid.n_points, p->label, said.data);
    sbuf_free(&said);
}

/* ---- all points ------------------------------------------------------------------------------ */

static bool make_points(sweep_t *s) {
    if (!grid_make(&s->grid, s->arena, s->o->sets, s->o->n_sets, s->d)) return false;
    s->points = ARENA_ARRAY(s->arena, point_t, s->grid.n_points);
    for (int i = 0; i < s->grid.n_points; i++) {
        s->points[i].label = grid_label(&s->grid, s->arena, i);
        s->points[i].trained.evals = ARENA_ARRAY(s->arena, trained_eval_t, s->n_evals);
    }
    return true;
}

static bool none_is_left(const sweep_t *s) {
    if (sweep_count(s, POINT_INVALID) < s->grid.n_points) return false;
    diag_error(s->d, NOWHERE, "none of the %d points can be evaluated", s->grid.n_points);
    return true;
}

static bool check_points(sweep_t *s) {
    for (int i = 0; i < s->grid.n_points; i++) check_point(s, i);
    bool all_alike = true; /* then there is no point to name: MODEL or an option is wrong */
    for (int i = 0; i < s->grid.n_points; i++)
        all_alike = all_alike && s->points[i].state == POINT_INVALID &&
                    same_message(&s->points[i], &s->points[0]);
    if (all_alike) fputs(s->points[0].message, stderr);
    else say_new_messages(s);
    return !none_is_left(s);
}

static void announce(const sweep_t *s) {
    int done = sweep_passes(s, s->repeat), skipped = sweep_count(s, POINT_INVALID);
    fprintf(stderr, "%d point%s, ", s->grid.n_points, s->grid.n_points == 1 ? "" : "s");
    if (s->repeat > 1) fprintf(stderr, "%d passes of ", s->repeat);
    if (s->trains) fprintf(stderr, "trained one after the other");
    else fprintf(stderr, "%lld tokens each", (long long)s->tokens.n);
    fprintf(stderr, "; back end %s, %d thread%s\n", backend_names[s->o->backend], s->threads,
            s->threads == 1 ? "" : "s");
    if (skipped)
        fprintf(stderr, "%d of them cannot be %s\n", skipped, s->trains ? "trained" : "compiled");
    if (done && s->repeat > 1)
        fprintf(stderr, "%d passes are done already (%s)\n", done, s->record);
    else if (done) fprintf(stderr, "%d of them are done already (%s)\n", done, s->record);
}

/* Every point once, but those that an earlier run did; every other round backwards, so that what
 * slows the machine down over a round does not always meet the same points. */
static bool evaluate_round(sweep_t *s, int round, progress_t *bar) {
    int n = s->grid.n_points;
    for (int k = 0; k < n && !interrupt_caught(); k++) {
        int i = round % 2 ? n - 1 - k : k;
        point_t *p = &s->points[i];
        int before = p->n_passes;
        if (p->state == POINT_INVALID || before > round) continue;
        if (s->trains) train_point(s, i);
        else evaluate_point(s, i, bar);
        if (p->n_passes > before && !record_write(s)) return false;
    }
    return true;
}

static bool evaluate_all(sweep_t *s) {
    progress_t bar = progress_new("tokens", 5);
    bool ok = true;
    for (int round = 0; ok && round < s->repeat; round++) ok = evaluate_round(s, round, &bar);
    return ok;
}

static void say_interrupted(const sweep_t *s) {
    int done = sweep_passes(s, s->repeat), n = s->grid.n_points - sweep_count(s, POINT_INVALID);
    fprintf(stderr, "interrupted: %d of %d %s are done", done, n * s->repeat,
            s->repeat > 1 ? "passes" : "points");
    const char *kept = s->record && done ? s->record : s->o->text[OPT_SWEEP_OUT];
    if (kept) fprintf(stderr, "; the same command continues (%s)", kept);
    fputc('\n', stderr);
}

static bool report(sweep_t *s) {
    sbuf_t table = {0};
    if (!s->trains) sweep_mark_front(s);
    (s->trains ? learnt_table : render_table)(s, &table);
    bool printed = print_out(&table, s->d);
    sbuf_free(&table);
    return sweep_write_outputs(s) && printed;
}

/* What is done is told in any case; the record goes when nothing could be lost with it. */
static int finish(sweep_t *s, bool recorded) {
    int signal = interrupt_caught();
    bool some = sweep_count(s, POINT_DONE) > 0, ok = recorded;
    if (some) ok = report(s) && ok;
    if (signal) say_interrupted(s);
    else if (none_is_left(s)) ok = false;
    if (!some || (ok && !signal)) record_remove(s);
    return signal ? 128 + signal : ok ? 0 : EXIT_VALUE;
}

static bool read_text(sweep_t *s) {
    return s->trains || score_read(s->text, s->o->text[OPT_TEXT], &s->tokens, s->d);
}

static int sweep(sweep_t *s) {
    if (!list_repeat(s->o, 1, &s->repeat, s->d) || !check_model_rereadable(s->o, s->d) ||
        !sweep_train_options(s) || !make_points(s) || !sweep_check_outputs(s))
        return EXIT_VALUE;
    if (!check_points(s) || !read_text(s) || !record_begin(s)) return EXIT_VALUE;
    announce(s);
    interrupt_catch();
    return finish(s, evaluate_all(s));
}

int command_sweep(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    static const option_id_t needed[] = {OPT_TEXT};
    int missing = check_needed(o, needed, sweep_trains(o) ? 0 : 1);
    if (missing) return missing;
    sweep_t s = {.o = o, .d = d, .arena = o->arena};
    int code = sweep(&s);
    tokens_free(&s.tokens);
    text_free(s.text);
    return code;
}
