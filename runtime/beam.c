/* Beam search of reformer_generate.h: one prompt, a row of the cache per beam. Ranks as
 * GenerationMixin._beam_search of transformers 4.57 does.
 *
 * A step takes the best continuations of all beams; the best of them that do not end are the next
 * beams, by descending score. A beam's first continuation stays in its row, further ones take rows
 * of beams that have none: what is copied from is never what was copied to. Texts are kept as a
 * tree: of every step and beam the token, and which beam of the step before it continues. */
#include "generate_int.h"

#include <float.h>

enum { NOT_ENDED = -1 }; /* instead of an eos */

typedef struct {
    double score; /* sum of log-probabilities */
    int32_t token, beam;
} candidate_t;

typedef struct {
    double score;
    size_t row; /* of the cache */
} beam_t;

/* The first n tokens of the text that ends in beam `beam` of step n-1, then eos where it is one. */
typedef struct {
    double rank;
    size_t n;
    int32_t beam, eos;
} hypothesis_t;

typedef struct {
    const reformer_decoder_t *d;
    const reformer_generate_t *g;
    const reformer_beams_t *b;
    size_t beams, vocab, prompt;
    float *logits;           /* [beams][vocab], by row */
    float *likely, *changed; /* [vocab] log-probabilities; with the penalty */
    int32_t *ids;            /* [vocab] */
    int32_t *history;        /* [length + max_tokens]: the prompt, then a beam's text */
    int32_t *token, *parent; /* [max_tokens][beams] */
    int32_t *input;          /* [beams], by row */
    uint8_t *active;         /* [beams], by row: 1 = a beam's */
    candidate_t *candidate;  /* [most], best first */
    beam_t *beam, *next;     /* [beams], best first */
    hypothesis_t *ended;     /* [beams + 1], in the order of their ends */
    size_t max;              /* candidates: beams enough are left if all that may end do */
    size_t n_candidates, n_beams, n_ended, bytes;
    const reformer_pool_t *pool;
    reformer_end_t why; /* no further token was wanted */
    int error;
} search_t;

/* ---- scratch and checks ---------------------------------------------------------------------- */

/* Continuations that a step looks at: those of all end tokens, and a beam's next for each beam. */
static size_t max_candidates(const reformer_generate_t *g, size_t beams, size_t vocab) {
    size_t ends = g->n_eos_tokens > 1 ? g->n_eos_tokens : 1;
    if (ends > vocab) ends = vocab;
    return beams * (1 + ends);
}

static int lay_out(const reformer_decoder_t *d, const reformer_generate_t *g,
                   const reformer_beams_t *b, unsigned char *base, search_t *s) {
    reformer_room_t r = {0, 0};
    size_t beams = b->beams, vocab = (size_t)d->vocab;
    *s = (search_t){
        .d = d, .g = g, .b = b, .beams = beams, .vocab = vocab, .why = REFORMER_END_NONE};
    s->max = max_candidates(g, beams, vocab);
    if (g->max_tokens > SIZE_MAX / 16 || g->length > SIZE_MAX / 16) return 0;
    size_t logits = reformer_take(&r, beams, vocab * sizeof(float));
    size_t likely = reformer_take(&r, vocab, sizeof(float));
    size_t changed = reformer_take(&r, vocab, sizeof(float));
    size_t ids = reformer_take(&r, vocab, sizeof(int32_t));
    size_t history = reformer_take(&r, g->length + g->max_tokens, sizeof(int32_t));
    size_t token = reformer_take(&r, g->max_tokens, beams * sizeof(int32_t));
    size_t parent = reformer_take(&r, g->max_tokens, beams * sizeof(int32_t));
    size_t input = reformer_take(&r, beams, sizeof(int32_t));
    size_t active = reformer_take(&r, beams, 1);
    size_t candidate = reformer_take(&r, s->max, sizeof(candidate_t));
    size_t beam = reformer_take(&r, beams, sizeof(beam_t));
    size_t next = reformer_take(&r, beams, sizeof(beam_t));
    size_t ended = reformer_take(&r, beams + 1, sizeof(hypothesis_t));
    s->bytes = r.bytes;
    if (r.full || !base) return !r.full;
    s->logits = (float *)(void *)(base + logits);
    s->likely = (float *)(void *)(base + likely);
    s->changed = (float *)(void *)(base + changed);
    s->ids = (int32_t *)(void *)(base + ids);
    s->history = (int32_t *)(void *)(base + history);
    s->token = (int32_t *)(void *)(base + token);
    s->parent = (int32_t *)(void *)(base + parent);
    s->input = (int32_t *)(void *)(base + input);
    s->active = base + active;
    s->candidate = (candidate_t *)(void *)(base + candidate);
    s->beam = (beam_t *)(void *)(base + beam);
    s->next = (beam_t *)(void *)(base + next);
    s->ended = (hypothesis_t *)(void *)(base + ended);
    return 1;
}

/* Powers of a length stay normal numbers within these bounds. */
static int is_penalty(float p) {
    return p >= -32 && p <= 32;
}

static int check(const reformer_decoder_t *d, const reformer_generate_t *g,
                 const reformer_beams_t *b) {
    int error = reformer_check_generate(d, g);
    if (error) return error;
    if (b && !REFORMER_SIZED(b)) return REFORMER_E_SIZE;
    if (!b || b->beams == 0 || g->batch > 1 || !is_penalty(b->length_penalty))
        return REFORMER_E_ARGUMENT;
    if (b->early_stopping < 0 || b->early_stopping > REFORMER_NEVER_EARLY)
        return REFORMER_E_ARGUMENT;
    if (b->beams > d->batch) return REFORMER_E_BATCH;
    return b->beams > 1 && !d->copy_row ? REFORMER_E_ARGUMENT : REFORMER_OK;
}

size_t reformer_beam_bytes(const reformer_decoder_t *d, const reformer_generate_t *g,
                           const reformer_beams_t *b) {
    search_t s;
    return !check(d, g, b) && lay_out(d, g, b, NULL, &s) ? s.bytes : 0;
}

/* ---- continuations --------------------------------------------------------------------------- */

/* The first n tokens of the text that ends in `beam`. */
static void trace_back(const search_t *s, size_t n, int32_t beam, int32_t *text) {
    while (n-- > 0) {
        size_t at = n * s->beams + (size_t)beam;
        text[n] = s->token[at];
        beam = s->parent[at];
    }
}

/* Keeps the best in order, of equal ones the earlier first; 0: this one is not among them. */
static int offer(search_t *s, candidate_t c) {
    size_t at = s->n_candidates, max = s->max;
    if (at == max && !(c.score > s->candidate[at - 1].score)) return 0;
    if (at < max) s->n_candidates++;
    else at--;
    for (; at > 0 && c.score > s->candidate[at - 1].score; at--)
        s->candidate[at] = s->candidate[at - 1];
    s->candidate[at] = c;
    return 1;
}

static int log_softmax(const search_t *s, const float *logits) {
    int32_t best = reformer_greatest(logits, s->vocab);
    if (best < 0) return REFORMER_E_LOGITS;
    double top = logits[best], sum = 0;
    for (size_t i = 0; i < s->vocab; i++) sum += reformer_exp(logits[i] - top);
    double norm = reformer_log(sum);
    for (size_t i = 0; i < s->vocab; i++) s->likely[i] = (float)(logits[i] - top - norm);
    return REFORMER_OK;
}

/* Offers what may follow the beam's n tokens, likely ones first, until one is not good enough. */
static int expand(search_t *s, size_t n, int32_t beam) {
    const beam_t *from = &s->beam[beam];
    int error = log_softmax(s, s->logits + from->row * s->vocab);
    if (error) return error;
    const float *key = s->likely;
    float penalty = s->g->sampling ? s->g->sampling->repetition_penalty : 0;
    if (penalty != 0 && penalty != 1) {
        trace_back(s, n, beam, s->history + s->prompt);
        error =
            reformer_penalise(penalty, s->likely, s->vocab, s->history, s->prompt + n, s->changed);
        if (error) return error;
        key = s->changed;
    }
    reformer_heap_t h;
    reformer_heap_make(&h, key, s->ids, s->vocab);
    while (h.n > 0) {
        int32_t id = reformer_heap_pop(&h);
        if (!(key[id] >= -FLT_MAX) || !offer(s, (candidate_t){from->score + key[id], id, beam}))
            break;
    }
    return REFORMER_OK;
}

/* ---- hypotheses ------------------------------------------------------------------------------ */

/* score by length ^ length_penalty; the length is that of what was written, its eos
 * included, without the prompt. */
static double rank_of(const search_t *s, double score, size_t length) {
    double p = s->b->length_penalty, exponent = p * reformer_log((double)length);
    REFORMER_SETTLE(exponent);
    return score / (p == 1 ? (double)length : reformer_exp(exponent));
}

static size_t worst(const search_t *s) {
    size_t at = 0;
    for (size_t i = 1; i < s->n_ended; i++)
        if (s->ended[i].rank < s->ended[at].rank) at = i;
    return at;
}

/* A text has ended; the best `beams` are kept, of equal ones those that ended first. */
static void end_text(search_t *s, double score, hypothesis_t h) {
    h.rank = rank_of(s, score, h.n + (h.eos != NOT_ENDED));
    if (s->n_ended == s->beams && !(h.rank > s->ended[worst(s)].rank)) return;
    s->ended[s->n_ended++] = h;
    if (s->n_ended <= s->beams) return;
    s->n_ended--;
    for (size_t i = worst(s); i < s->n_ended; i++) s->ended[i] = s->ended[i + 1];
}

/* Candidates become ended texts or, in s->next, beams of n + 1 tokens. Of texts that end only those
 * among the best `beams` count; with the last token all do. */
static void divide(search_t *s, size_t n, int last) {
    size_t beams = 0;
    for (size_t i = 0; i < s->n_candidates && (i < s->beams || beams < s->beams); i++) {
        candidate_t c = s->candidate[i];
        int counts = i < s->beams;
        if (reformer_is_eos(s->g, c.token)) {
            if (counts) end_text(s, c.score, (hypothesis_t){0, n, c.beam, c.token});
            continue;
        }
        s->token[n * s->beams + beams] = c.token;
        s->parent[n * s->beams + beams] = c.beam;
        s->next[beams] = (beam_t){c.score, 0};
        if (last && counts)
            end_text(s, c.score, (hypothesis_t){0, n + 1, (int32_t)beams, NOT_ENDED});
        beams++;
    }
    s->n_beams = beams;
}

/* With n + 1 tokens in s->next: nothing is expected to become better. A positive penalty may make
 * longer texts better: REFORMER_NEVER_EARLY looks at the longest. */
static int is_done(const search_t *s, size_t n) {
    if (s->n_beams == 0) return 1;
    if (s->n_ended < s->beams) return 0;
    if (s->b->early_stopping == 1) return 1;
    int longest = s->b->early_stopping == REFORMER_NEVER_EARLY && s->b->length_penalty > 0;
    size_t length = longest ? s->g->max_tokens : n + 1;
    return s->ended[worst(s)].rank >= rank_of(s, s->next[0].score, length);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* Gives s->next rows of the cache, and makes them the beams. */
static int settle(search_t *s, size_t n) {
    const int32_t *token = s->token + n * s->beams, *parent = s->parent + n * s->beams;
    size_t nowhere = s->beams, empty = 0;
    for (size_t r = 0; r < s->beams; r++) s->active[r] = 0, s->input[r] = 0;
    for (size_t i = 0; i < s->n_beams; i++) {
        size_t row = s->beam[parent[i]].row;
        s->next[i].row = s->active[row] ? nowhere : row;
        s->active[row] = 1;
    }
    for (size_t i = 0; i < s->n_beams; i++) {
        if (s->next[i].row == nowhere) {
            while (s->active[empty]) empty++;
            int error = s->d->copy_row(s->d->ctx, s->beam[parent[i]].row, empty);
            if (error) return error;
            s->active[empty] = 1;
            s->next[i].row = empty;
        }
        s->input[s->next[i].row] = token[i];
    }
    beam_t *last = s->beam;
    s->beam = s->next;
    s->next = last;
    return REFORMER_OK;
}

static int read_prompt(search_t *s) {
    s->prompt = reformer_prompt(s->g, 0, s->history);
    if (s->prompt == 0) return REFORMER_E_EMPTY;
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = s->g->input_ids,
                            .attention_mask = s->g->attention_mask,
                            .batch = 1,
                            .length = s->g->length,
                            .threads = s->g->threads,
                            .pool = s->pool,
                            .logits = s->logits};
    s->beam[0] = (beam_t){0, 0};
    s->n_beams = 1;
    return s->d->prefill(s->d->ctx, &io);
}

static int step(search_t *s, size_t n) {
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = s->input,
                            .attention_mask = s->active,
                            .batch = s->beams,
                            .threads = s->g->threads,
                            .pool = s->pool,
                            .logits = s->logits};
    int error = settle(s, n);
    return error ? error : s->d->step(s->d->ctx, &io);
}

/* Until nothing better is expected, or as *why says there is no place for another token. */
static int search(search_t *s, reformer_end_t *why) {
    int error = read_prompt(s);
    for (size_t n = 0; !error; n++) {
        s->n_candidates = 0;
        for (size_t i = 0; i < s->n_beams && !error; i++) error = expand(s, n, (int32_t)i);
        if (error) break;
        *why = n + 1 == s->g->max_tokens            ? REFORMER_END_LENGTH
               : s->prompt + n + 1 > s->d->capacity ? REFORMER_END_FULL
                                                    : REFORMER_END_NONE;
        divide(s, n, *why != REFORMER_END_NONE);
        if (*why != REFORMER_END_NONE || is_done(s, n)) break;
        error = step(s, n);
    }
    return error;
}

/* On threads that live as long as it takes. */
static void search_all(void *ctx, const reformer_pool_t *pool) {
    search_t *s = (search_t *)ctx;
    s->pool = pool;
    s->error = search(s, &s->why);
}

/* The best; of equal ones that which ended first. */
static void write(const search_t *s, reformer_end_t why) {
    const reformer_generate_t *g = s->g;
    const hypothesis_t *best = s->ended;
    for (size_t i = 1; i < s->n_ended; i++)
        if (s->ended[i].rank > best->rank) best = &s->ended[i];
    size_t n = best->n;
    trace_back(s, n, best->beam, g->tokens);
    if (best->eos != NOT_ENDED) g->tokens[n++] = best->eos;
    for (size_t i = n; i < g->max_tokens; i++) g->tokens[i] = g->pad_token;
    if (g->counts) *g->counts = n;
    if (g->ends) *g->ends = best->eos == NOT_ENDED ? (int)why : (int)REFORMER_END_EOS;
    if (s->b->score) *s->b->score = best->rank;
}

int reformer_beam_search(const reformer_decoder_t *d, const reformer_generate_t *g,
                         const reformer_beams_t *b, void *scratch, size_t bytes) {
    search_t s;
    int error = check(d, g, b);
    if (error) return error;
    if (!scratch || (uintptr_t)scratch % sizeof(double)) return REFORMER_E_ARGUMENT;
    if (!lay_out(d, g, b, (unsigned char *)scratch, &s)) return REFORMER_E_LENGTH;
    if (s.bytes > bytes) return REFORMER_E_WORKSPACE;
    if (g->counts) *g->counts = 0;
    uint64_t host = reformer_enter();
    reformer_on_threads(g->pool, g->threads, search_all, &s);
    error = s.error;
    if (!error && s.n_ended == 0) error = REFORMER_E_LOGITS; /* no continuation was possible */
    if (!error) write(&s, s.why);
    reformer_leave(host);
    return error;
}
