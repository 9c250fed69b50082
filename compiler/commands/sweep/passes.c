/* What repeated passes over a text say of a point, and of points against each other.
 *
 * In: passes, of which only the times differ. Out: medians, the spread of the speed, the Pareto
 * front: no other point is at least as fast and predicts at least as well, and is better in one of
 * the two. Where the quartiles of two speeds overlap their order may be an accident;
 * what hangs on it is marked. */
#include "commands/sweep/sweep.h"

#include <string.h>

#include "support/heap.h"

/* ---- one point ------------------------------------------------------------------------------- */

static bool same_sums(const score_t *x, const score_t *y) {
    return x->window == y->window && x->batch == y->batch && x->scored == y->scored &&
           x->read == y->read && x->bytes == y->bytes && x->nats == y->nats;
}

static sweep_pass_t *new_pass(arena_t *a, point_t *p) {
    if (p->n_passes == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 1;
        sweep_pass_t *grown = ARENA_ARRAY(a, sweep_pass_t, p->cap);
        if (p->n_passes) memcpy(grown, p->passes, (size_t)p->n_passes * sizeof *grown);
        p->passes = grown;
    }
    return &p->passes[p->n_passes++];
}

static double seconds_of(const sweep_pass_t *x) {
    return x->seconds;
}

static double compile_seconds_of(const sweep_pass_t *x) {
    return x->compile_seconds;
}

static double peak_of(const sweep_pass_t *x) {
    return (double)x->peak_rss;
}

static spread_t spread_over(const point_t *p, double (*figure)(const sweep_pass_t *x)) {
    double *x = heap_new((size_t)p->n_passes, sizeof *x);
    for (int i = 0; i < p->n_passes; i++) x[i] = figure(&p->passes[i]);
    spread_t s = spread_of(x, p->n_passes);
    heap_free(x);
    return s;
}

void point_conclude(point_t *p) {
    spread_t seconds = spread_over(p, seconds_of);
    double tokens = (double)p->score.read;
    p->score.seconds = seconds.median;
    p->speed = (spread_t){tokens / seconds.median, tokens / seconds.high, tokens / seconds.low};
    p->compile_seconds = spread_over(p, compile_seconds_of).median;
    p->peak_rss = (size_t)spread_over(p, peak_of).median;
}

bool point_add_pass(arena_t *a, point_t *p, const score_t *score, double compile_seconds,
                    size_t peak_rss) {
    if (p->n_passes && !same_sums(&p->score, score)) return false;
    if (!p->n_passes) p->score = *score;
    p->state = POINT_DONE;
    *new_pass(a, p) = (sweep_pass_t){score->seconds, compile_seconds, peak_rss};
    return true;
}

/* ---- all points ------------------------------------------------------------------------------ */

int sweep_count(const sweep_t *s, point_state_t state) {
    int n = 0;
    for (int i = 0; i < s->grid.n_points; i++) n += s->points[i].state == state;
    return n;
}

int sweep_passes(const sweep_t *s, int max) {
    int n = 0;
    for (int i = 0; i < s->grid.n_points; i++) {
        const point_t *p = &s->points[i];
        if (p->state == POINT_DONE) n += p->n_passes < max ? p->n_passes : max;
    }
    return n;
}

bool sweep_is_complete(const sweep_t *s) {
    int valid = s->grid.n_points - sweep_count(s, POINT_INVALID);
    return sweep_passes(s, s->repeat) == valid * s->repeat;
}

/* ---- the front ------------------------------------------------------------------------------- */

static bool dominates(const point_t *a, const point_t *b) {
    double bits_a = score_bits(&a->score), bits_b = score_bits(&b->score);
    double speed_a = a->speed.median, speed_b = b->speed.median;
    return bits_a <= bits_b && speed_a >= speed_b && (bits_a < bits_b || speed_a > speed_b);
}

static bool spreads_meet(const point_t *a, const point_t *b) {
    return a->speed.low <= b->speed.high && b->speed.low <= a->speed.high;
}

/* A point that predicts at least as well decides about the other if it is faster. */
static bool may_decide(const point_t *a, const point_t *b) {
    return score_bits(&a->score) <= score_bits(&b->score);
}

/* On the front: some other would drive it off if it were as fast as its spread says. Not on it: of
 * those that drive it off none is faster beyond doubt. */
static void mark(sweep_t *s, point_t *p) {
    bool surely_off = false, near = false;
    p->front = true;
    for (int j = 0; j < s->grid.n_points; j++) {
        const point_t *q = &s->points[j];
        if (q == p || q->state != POINT_DONE || !may_decide(q, p)) continue;
        if (dominates(q, p)) p->front = false;
        if (spreads_meet(q, p)) near = true;
        else if (dominates(q, p)) surely_off = true;
    }
    p->unsettled = near && !surely_off && p->n_passes > 1;
}

/* One pass has no spread: nothing is known of what it settles. */
void sweep_mark_front(sweep_t *s) {
    for (int i = 0; i < s->grid.n_points; i++) {
        point_t *p = &s->points[i];
        p->front = p->unsettled = false;
        if (p->state == POINT_DONE) mark(s, p);
    }
}
