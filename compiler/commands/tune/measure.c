/* The choice for one target. In: the analytic choice. Out: what was tried, and what is better.
 *
 * Coordinate descent: tiles, then rows per task, then chunks per task, each held against the best
 * so far. In every round the analytic choice, the best so far and the candidate run in turns, so
 * that what else the machine does hits all three, and only ratios of one round are looked at. What
 * won in the end is measured once more: the best of many is also the luckiest. */
#include <math.h>

#include "cli/interrupt.h"
#include "commands/tune/tune.h"
#include "session/timed.h"
#include "support/hash.h"

const double min_gain = 0.01;

/* ---- code ------------------------------------------------------------------------------------ */

/* Code cut one way, on all lengths. */
typedef struct {
    arena_t *arena;
    diag_t *d;
    tiles_t tiles;
    timed_t *side;  /* [n_lengths] */
    uint64_t print; /* of its loop IR */
} code_t;

static uint64_t print_of(const plan_t *p, uint64_t h) {
    for (int k = 0; k < p->n_variants * p->n_targets; k++) {
        sbuf_t text = {0};
        module_print(p->modules[k], &text);
        h = hash64(h, text.data, text.size);
        sbuf_free(&text);
    }
    return h;
}

static bool code_lower(const tune_t *t, const tuned_t *x, code_t *c, const tiles_t *tiles) {
    *c = (code_t){.arena = arena_new(), .d = diag_new(), .tiles = *tiles, .print = HASH64_INIT};
    c->side = ARENA_ARRAY(c->arena, timed_t, t->n_lengths);
    for (int l = 0; l < t->n_lengths; l++) {
        timed_t *s = &c->side[l];
        s->o = timed_options(t->o, c->arena, t->lengths[l], t->batch, x->name, t->threads);
        s->s = session_new(&s->o, c->d);
        if (!timed_lower(s, tiles)) return false;
        c->print = print_of(s->s.plan, c->print);
    }
    return true;
}

static bool code_compile(const tune_t *t, code_t *c, const code_t *like) {
    for (int l = 0; l < t->n_lengths; l++)
        if (!timed_compile(&c->side[l], like ? &like->side[l] : NULL)) return false;
    return true;
}

/* What it says is told, unless the checks or another code have said it. */
static void code_close(const tune_t *t, code_t *c) {
    for (int l = 0; l < t->n_lengths; l++) timed_close(&c->side[l]);
    diag_append(t->d, c->d);
    diag_free(c->d);
    arena_free(c->arena);
}

bool tune_check(tune_t *t, tuned_t *x, diag_t *d) {
    bool ok = true;
    for (int l = 0; ok && l < t->n_lengths; l++) {
        options_t o = timed_options(t->o, t->arena, t->lengths[l], t->batch, x->name, t->threads);
        session_t s = session_new(&o, d);
        ok = timed_plan(&s, NULL);
        if (ok) {
            x->target = s.plan->targets[0];
            x->analytic = s.plan->tiles[0];
            x->shapes = tuning_shapes_of(t->arena, &s.model, false);
        }
        session_free(&s);
    }
    return ok;
}

/* ---- alternatives ---------------------------------------------------------------------------- */

/* Of the analytic width fewer rows: less to spill, other heights that blocks are cut into. Of other
 * widths as many rows as fit, and three quarters. */
static int tile_candidates(const target_t *t, const tiles_t *from, tiles_t *list) {
    int n = 0;
    for (int v = 1; v <= MAX_VECTORS; v++) {
        int max = tile_rows(t, v), step = max < 14 ? 1 : max / 7;
        bool same_width = v == from->vectors;
        for (int k = same_width; k < 4 && max - k * step >= 1; k += same_width ? 1 : 2) {
            list[n] = *from;
            list[n].vectors = v;
            list[n++].rows = max - k * step;
        }
    }
    return n;
}

static int block_candidates(const target_t *t, const tiles_t *from, tiles_t *list) {
    static const int blocks[] = {32, 48, 64, 128, 192, 256};
    enum { N = sizeof blocks / sizeof *blocks };
    (void)t;
    for (int k = 0; k < N; k++) {
        list[k] = *from;
        list[k].block = blocks[k];
    }
    return N;
}

static int run_candidates(const target_t *t, const tiles_t *from, tiles_t *list) {
    static const int runs[] = {2, 4, 16, 32};
    enum { N = sizeof runs / sizeof *runs };
    (void)t;
    for (int k = 0; k < N; k++) {
        list[k] = *from;
        list[k].chunks_per_task = runs[k];
    }
    return N;
}

typedef int candidates_fn(const target_t *t, const tiles_t *from, tiles_t *list);
static candidates_fn *const stages[] = {
    [TRIED_TILE] = tile_candidates, [TRIED_BLOCK] = block_candidates, [TRIED_RUN] = run_candidates};
enum { N_STAGES = sizeof stages / sizeof *stages };

int64_t tune_rounds(const tune_t *t, const tuned_t *x) {
    tiles_t list[MAX_TRIED];
    int64_t n = AGAIN;
    for (int k = 0; k < N_STAGES; k++) n += stages[k](x->target, &x->analytic, list);
    return n * t->repeat;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

typedef struct {
    tune_t *t;
    tuned_t *x;
    code_t *analytic, *best, *candidate, *spare; /* best: so far; may be the analytic one */
    int inner[MAX_LIST];                         /* forwards of one measurement, by length */
    uint64_t prints[1 + MAX_TRIED];              /* of what was measured */
    int n_prints;
} tuner_t;

static void say(tuner_t *u, const code_t *c, const char *what) {
    char text[96];
    (void)snprintf(text, sizeof text, "%s, %dx%d, block %d, run %d: %s", u->x->target->name,
                   c->tiles.vectors, c->tiles.rows, c->tiles.block, c->tiles.chunks_per_task, what);
    progress_show(&u->t->bar, u->t->step, u->t->steps, text);
}

static double forward(const tuner_t *u, code_t *c, int l, int inner) {
    return timed_forward(&c->side[l], inner, u->t->threads, u->t->pool);
}

/* Logarithms of seconds, their mean over the lengths: differences are ratios. Whose turn is first
 * changes from round to round. */
static bool run_round(const tuner_t *u, code_t *const *codes, int n, int round, double *logs) {
    for (int k = 0; k < n; k++) logs[k] = 0;
    for (int l = 0; l < u->t->n_lengths; l++) {
        for (int k = 0; k < n; k++) {
            int turn = (k + round) % n;
            double seconds = forward(u, codes[turn], l, u->inner[l]);
            if (seconds <= 0 || interrupt_caught()) return false;
            logs[turn] += log(seconds) / u->t->n_lengths;
        }
    }
    return true;
}

static bool warm_up(const tuner_t *u, code_t *c) {
    for (int l = 0; l < u->t->n_lengths; l++)
        if (forward(u, c, l, 1) <= 0) return false;
    return true;
}

/* ratio[k]: time of codes[0] by that of codes[k], k > 0. */
static bool run_rounds(tuner_t *u, code_t *const *codes, int n, int rounds, spread_t *ratio) {
    enum { MAX = 3 };
    double *samples[MAX], logs[MAX];
    for (int k = 0; k < n; k++) samples[k] = ARENA_ARRAY(codes[0]->arena, double, rounds);
    for (int r = 0; r < rounds; r++) {
        say(u, codes[0], "measuring");
        if (!run_round(u, codes, n, r, logs)) return false;
        for (int k = 1; k < n; k++) samples[k][r] = exp(logs[0] - logs[k]);
        u->t->step++;
    }
    for (int k = 1; k < n; k++) ratio[k] = spread_of(samples[k], rounds);
    return true;
}

bool tune_is_better(spread_t ratio) {
    return ratio.high < 1 && ratio.median <= 1 - min_gain;
}

/* ---- one alternative ------------------------------------------------------------------------- */

static bool is_known(tuner_t *u, uint64_t print) {
    for (int k = 0; k < u->n_prints; k++)
        if (u->prints[k] == print) return true;
    u->prints[u->n_prints++] = print;
    return false;
}

static void take_candidate(tuner_t *u) {
    code_t *place = u->spare; /* for the next one */
    if (u->best != u->analytic) {
        code_close(u->t, u->best);
        place = u->best;
    }
    u->best = u->candidate;
    u->candidate = place;
}

static bool measure_candidate(tuner_t *u, tried_t *y) {
    code_t *codes[] = {u->candidate, u->analytic, u->best};
    spread_t ratio[3];
    int n = u->best == u->analytic ? 2 : 3;
    say(u, u->candidate, "compiling");
    if (!code_compile(u->t, u->candidate, u->analytic) || !warm_up(u, u->candidate)) return false;
    if (!run_rounds(u, codes, n, u->t->repeat, ratio)) return false;
    y->ratio = ratio[1];
    y->taken = tune_is_better(ratio[n - 1]);
    return true;
}

static bool try_candidate(tuner_t *u, tried_what_t what, const tiles_t *tiles) {
    tried_t *y = &u->x->tried[u->x->n++];
    *y = (tried_t){.what = what, .tiles = *tiles};
    bool ok = code_lower(u->t, u->x, u->candidate, tiles);
    y->same = ok && is_known(u, u->candidate->print);
    if (y->same) u->t->step += u->t->repeat;
    else ok = ok && measure_candidate(u, y);
    if (y->taken) take_candidate(u);
    else code_close(u->t, u->candidate);
    return ok;
}

static bool try_stage(tuner_t *u, tried_what_t what) {
    tiles_t list[MAX_TRIED], from = u->best->tiles;
    int n = stages[what](u->x->target, &from, list);
    for (int k = 0; k < n; k++)
        if (!try_candidate(u, what, &list[k])) return false;
    return true;
}

/* ---- one target ------------------------------------------------------------------------------ */

static bool open_analytic(tuner_t *u) {
    say(u, u->analytic, "compiling");
    if (!code_compile(u->t, u->analytic, NULL) || !warm_up(u, u->analytic)) return false;
    for (int l = 0; l < u->t->n_lengths; l++) {
        u->inner[l] = timed_inner(forward(u, u->analytic, l, 1));
        if (u->inner[l] == 0) return false;
    }
    (void)is_known(u, u->analytic->print);
    return true;
}

static bool measure_again(tuner_t *u) {
    tuned_t *x = u->x;
    int rounds = AGAIN * u->t->repeat;
    code_t *codes[] = {u->best, u->analytic};
    spread_t ratio[2];
    if (u->best == u->analytic) {
        u->t->step += rounds;
        return true;
    }
    if (!run_rounds(u, codes, 2, rounds, ratio)) return false;
    x->better = tune_is_better(ratio[1]);
    x->tried[x->n++] = (tried_t){
        .what = TRIED_AGAIN, .tiles = u->best->tiles, .ratio = ratio[1], .taken = x->better};
    x->entry.tiles = u->best->tiles;
    x->entry.gain = 100 * (1 / ratio[1].median - 1);
    return true;
}

static void say_done(const tuner_t *u) {
    const tuned_t *x = u->x;
    if (x->better)
        progress_line(&u->t->bar, "%s: %s, %.1f %% faster than the analytic choice",
                      x->target->name, tiles_text(u->t->arena, &x->entry.tiles), x->entry.gain);
    else
        progress_line(&u->t->bar, "%s: nothing is better than the analytic choice, %s",
                      x->target->name, tiles_text(u->t->arena, &x->analytic));
}

static bool choose(tuner_t *u) {
    bool ok = code_lower(u->t, u->x, u->analytic, &u->x->analytic) && open_analytic(u);
    for (int k = 0; ok && k < N_STAGES; k++) ok = try_stage(u, (tried_what_t)k);
    return ok && measure_again(u);
}

bool tune_measure(tune_t *t, tuned_t *x) {
    code_t codes[3];
    tuner_t u = {.t = t, .x = x, .analytic = &codes[0], .best = &codes[0]};
    u.candidate = &codes[1];
    u.spare = &codes[2];
    x->entry = (tuning_entry_t){
        .cpu = t->cpu, .shapes = x->shapes, .target = x->target, .lowering = LOWERING_VERSION};
    x->done = choose(&u);
    progress_clear(&t->bar);
    if (u.best != u.analytic) code_close(t, u.best);
    code_close(t, u.analytic);
    if (x->done) say_done(&u);
    return x->done;
}
