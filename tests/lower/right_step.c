/* Attention of a step: one token of each row against those that the row holds (docs/semantics.md 11), whom it joins. See
 * right.h. Of a bf16 state the factors of attention are rounded, and what is hashed is not. */
#include <math.h>
#include <string.h>

#include "right.h"

/* A row as if it were a batch of one, whose last token asks. */
typedef struct {
    right_ctx_t c;
    struct right_row *row;
    bool rounds;
    right_t query;        /* [tokens][heads * head_size], of which the last is filled in */
    right_t keys, values; /* the row's, as factors */
    int64_t last, out;
    score_t *seen;
    int64_t n_seen;
    double longest; /* key that was seen */
} step_t;

static void append(right_t *to, int64_t at, const right_t *from, int64_t row, int64_t width) {
    size_t bytes = (size_t)width * sizeof *to->v;
    memcpy(to->v + at * width, from->v + row * width, bytes);
    memcpy(to->e + at * width, from->e + row * width, bytes);
}

static right_t room(const right_ctx_t *c, int64_t elements) {
    return (right_t){ARENA_ARRAY(c->k->arena, double, elements),
                     ARENA_ARRAY(c->k->arena, double, elements), elements};
}

/* The first n elements as factors of products. */
static right_t factors(const step_t *s, const right_t *x, int64_t n) {
    if (!s->rounds) return *x;
    right_t y = room(&s->c, n);
    for (int64_t i = 0; i < n; i++) right_round_element(x, i, &y);
    return y;
}

static step_t begin(const right_ctx_t *c, int64_t b, int key, int value) {
    const gnode_t *n = c->n;
    int64_t width = n->heads * n->head_size,
            keys = MAX_TOKENS + n->rounds * n->chunk * (1 + n->before + n->after);
    struct right_row *row = &c->k->rows[b];
    step_t s = {.c = *c, .row = row, .last = row->tokens++, .out = b * width};
    if (row->tokens > MAX_TOKENS) bug("a row of more than %d tokens", MAX_TOKENS);
    append(&row->k, s.last, right_input(c, key), b, width);
    append(&row->v, s.last, right_input(c, value), b, width);
    s.query = room(c, MAX_TOKENS * width);
    append(&s.query, s.last, right_input(c, 0), b, width);
    s.c.padded = row->tokens;
    s.rounds = n->in[value + 2]->type == G_BF16;
    s.query = factors(&s, &s.query, row->tokens * width);
    s.keys = factors(&s, &row->k, row->tokens * width);
    s.values = factors(&s, &row->v, row->tokens * width);
    s.seen = ARENA_ARRAY(c->k->arena, score_t, keys);
    return s;
}

static void see(step_t *s, int64_t head, int64_t token, bool lsh) {
    if (lsh && token == s->last) return;
    s->longest =
        fmax(s->longest, right_norm(&s->keys, right_at(&s->c, 0, token, head), s->c.n->head_size));
    s->seen[s->n_seen++] = right_score(&s->c, &s->query, &s->keys, 0, head, s->last, token, lsh);
}

/* A token that saw no other sees itself. */
static void end(step_t *s, int64_t head, bool lsh) {
    int64_t d = s->c.n->head_size, out = s->out + head * d;
    double norm = right_norm(&s->query, right_at(&s->c, 0, s->last, head), d), shift = norm;
    bool alone = s->n_seen == 0;
    if (!lsh) shift *= s->longest / sqrt((double)d);
    if (alone) s->seen[s->n_seen++] = (score_t){0, 0, s->last};
    if (s->rounds && !alone) {
        shift = right_shift(s->seen, s->n_seen, lsh ? norm : INFINITY, lsh ? s->c.n->rounds : 1);
        right_rounded_softmax(&s->c, &s->values, 0, head, s->seen, s->n_seen, shift, out);
    } else right_softmax(&s->c, &s->values, 0, head, s->seen, s->n_seen, shift, out);
    s->n_seen = 0;
    s->longest = 0;
}

/* Its chunk and those before. */
void right_local_step(const right_ctx_t *c) {
    for (int64_t b = 0; b < c->batch; b++) {
        step_t s = begin(c, b, 1, 2);
        int64_t start = (s.last / c->n->chunk - c->n->before) * c->n->chunk;
        for (int64_t head = 0; head < c->n->heads; head++) {
            for (int64_t t = start < 0 ? 0 : start; t <= s.last; t++) see(&s, head, t, false);
            end(&s, head, false);
        }
    }
}

/* Whether the test would see that what is hashed was rounded. */
static void note_rounding(const step_t *s, int64_t head, int64_t round, int64_t t, int64_t bucket) {
    bool tie = false;
    kernels_t k = *s->c.k;
    right_ctx_t c = s->c;
    if (!s->rounds || !k.rounding) return;
    k.near_tie = &tie; /* which the bounds of rounded numbers make of it, if one may be another */
    c.k = &k;
    int64_t of_rounded = right_bucket(&c, &s->keys, s->c.n->in[4], 0, head, round, t, -1);
    if (of_rounded != bucket && !tie) *s->c.k->rounding = true;
}

/* A window of one round, around the new token's place among all tokens in the order of their buckets. */
static void see_round(step_t *s, int64_t head, int64_t round) {
    const gnode_t *n = s->c.n;
    int64_t order[MAX_TOKENS], bucket[MAX_TOKENS], tokens = s->row->tokens, place = 0;
    for (int64_t t = 0; t < tokens; t++) {
        bucket[t] = right_bucket(&s->c, &s->row->k, n->in[4], 0, head, round, t, -1);
        note_rounding(s, head, round, t, bucket[t]);
        int64_t to = t;
        for (; to > 0 && bucket[order[to - 1]] > bucket[t]; to--) order[to] = order[to - 1];
        order[to] = t;
    }
    while (order[place] != s->last) place++;
    int64_t first = (place / n->chunk - n->before) * n->chunk;
    for (int64_t j = 0; j < n->chunk * (1 + n->before + n->after); j++)
        see(s, head, order[((first + j) % tokens + tokens) % tokens], true);
}

/* Without buckets every token is seen; from a chunk of them on they have some, for the next step. */
void right_lsh_step(const right_ctx_t *c) {
    for (int64_t b = 0; b < c->batch; b++) {
        step_t s = begin(c, b, 0, 1);
        for (int64_t head = 0; head < c->n->heads; head++) {
            for (int64_t t = 0; t <= s.last && !s.row->hashed; t++) see(&s, head, t, true);
            for (int64_t r = 0; r < c->n->rounds && s.row->hashed; r++) see_round(&s, head, r);
            end(&s, head, true);
        }
        s.row->hashed = s.row->hashed || (s.row->tokens >= c->n->chunk && c->n->in[4]);
    }
}
