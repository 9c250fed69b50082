/* Beam search against values worked out by hand, against an exhaustive search where the beams are enough for one, and
 * against a plain form of Hugging Face's scorer that keeps whole texts and sorts all continuations. */
#include "chain.h"

enum { MAX_NEW = 8, MAX_ENDS = 3 };

typedef struct {
    int32_t tokens[MAX_NEW];
    size_t count;
    int end;
    double score;
} found_t;

static int beam_search(chain_t *c, size_t rows, reformer_generate_t g, reformer_beams_t b,
                       found_t *out) {
    reformer_decoder_t d = chain_decoder(c, rows);
    memset(out, 0x77, sizeof *out);
    g.tokens = out->tokens;
    g.counts = &out->count;
    g.ends = &out->end;
    b.score = &out->score;
    size_t bytes = reformer_beam_bytes(&d, &g, &b);
    unsigned char *scratch = scratch_new(bytes);
    int error = reformer_beam_search(&d, &g, &b, scratch, bytes);
    scratch_free(scratch, bytes);
    return error;
}

/* ---- the plain way ------------------------------------------------------------------------------- */

typedef struct {
    int32_t text[MAX_TOKENS]; /* prompt and what follows */
    size_t n;
    double score; /* sum, or what hypotheses are ranked by */
    int eos;
} text_t;

typedef struct {
    const chain_t *c;
    const reformer_generate_t *g;
    const reformer_beams_t *b;
    text_t beam[MAX_ROWS], ended[MAX_ROWS + 1], all[MAX_ROWS * IDS];
    size_t n_beams, n_ended;
} plain_t;

static void likelihoods(const plain_t *p, const text_t *t, double *likely) {
    float logits[IDS], penalty = p->g->sampling ? p->g->sampling->repetition_penalty : 0;
    double top = -INFINITY, sum = 0;
    chain_logits(p->c, t->text, t->n, logits);
    for (int v = 0; v < IDS; v++) top = fmax(top, logits[v]);
    for (int v = 0; v < IDS; v++) sum += exp(logits[v] - top);
    for (int v = 0; v < IDS; v++) {
        int seen = 0;
        for (size_t i = 0; i < t->n; i++) seen |= t->text[i] == v;
        likely[v] = (float)(logits[v] - top - log(sum));
        if (penalty != 0 && seen) likely[v] = (float)likely[v] * penalty; /* never above 0 */
    }
}

static size_t worst(const plain_t *p) {
    size_t at = 0;
    for (size_t i = 1; i < p->n_ended; i++)
        if (p->ended[i].score < p->ended[at].score) at = i;
    return at;
}

static double rank_of(const plain_t *p, double score, size_t n) {
    return score / pow((double)n, p->b->length_penalty);
}

static void add(plain_t *p, text_t t, int eos) {
    t.score = rank_of(p, t.score, t.n - p->g->length);
    t.eos = eos;
    if (p->n_ended == p->b->beams && t.score <= p->ended[worst(p)].score) return;
    p->ended[p->n_ended++] = t;
    if (p->n_ended <= p->b->beams) return;
    size_t out = worst(p);
    p->n_ended--;
    memmove(&p->ended[out], &p->ended[out + 1], (p->n_ended - out) * sizeof(text_t));
}

static int is_end(const reformer_generate_t *g, int32_t token) {
    int is = g->n_eos_tokens == 0 && token == g->eos_token;
    for (size_t i = 0; i < g->n_eos_tokens; i++) is |= token == g->eos_tokens[i];
    return is && g->stop_at_eos;
}

/* All continuations, best first; of equal ones in the order of beams and ids. */
static size_t continuations(plain_t *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->n_beams; i++) {
        double likely[IDS];
        likelihoods(p, &p->beam[i], likely);
        for (int v = 0; v < IDS; v++) {
            text_t t = p->beam[i];
            t.text[t.n++] = v;
            t.score += likely[v];
            size_t at = n++;
            for (; at > 0 && p->all[at - 1].score < t.score; at--) p->all[at] = p->all[at - 1];
            p->all[at] = t;
        }
    }
    size_t ends = p->g->n_eos_tokens, max = (ends > 1 ? 1 + ends : 2) * p->b->beams;
    return n < max ? n : max;
}

/* Nothing better is to be expected of the best beam, `written` tokens in. */
static int plain_is_done(const plain_t *p, size_t written) {
    if (p->n_beams == 0) return 1;
    if (p->n_ended < p->b->beams) return 0;
    if (p->b->early_stopping == 1) return 1;
    if (p->b->early_stopping == REFORMER_NEVER_EARLY && p->b->length_penalty > 0)
        written = p->g->max_tokens;
    return p->ended[worst(p)].score >= rank_of(p, p->beam[0].score, written);
}

/* The prompt has no padding. */
static found_t plain_search(const chain_t *c, const reformer_generate_t *g,
                            const reformer_beams_t *b) {
    static plain_t p;
    p = (plain_t){.c = c, .g = g, .b = b, .n_beams = 1};
    p.beam[0].n = g->length;
    memcpy(p.beam[0].text, g->input_ids, g->length * sizeof(int32_t));
    for (size_t step = 0, done = 0; step < g->max_tokens && !done; step++) {
        size_t n = continuations(&p);
        int last = step + 1 == g->max_tokens;
        p.n_beams = 0;
        for (size_t i = 0; i < n; i++) {
            const text_t *t = &p.all[i];
            int ends = is_end(g, t->text[t->n - 1]);
            if ((ends || last) && i < b->beams) add(&p, *t, ends);
            if (!ends && p.n_beams < b->beams) p.beam[p.n_beams++] = *t;
        }
        done = (size_t)plain_is_done(&p, step + 1);
    }
    text_t best = p.ended[0];
    for (size_t i = 1; i < p.n_ended; i++)
        if (p.ended[i].score > best.score) best = p.ended[i];
    found_t f = {.count = best.n - g->length,
                 .score = best.score,
                 .end = best.eos ? REFORMER_END_EOS : REFORMER_END_LENGTH};
    memcpy(f.tokens, best.text + g->length, f.count * sizeof(int32_t));
    return f;
}

static void assert_found(const found_t *got, const found_t *want) {
    assert_int_equal(got->count, want->count);
    assert_int_equal(got->end, want->end);
    assert_memory_equal(got->tokens, want->tokens, want->count * sizeof(int32_t));
    if (!(fabs(got->score - want->score) <= 1e-6 * fmax(1, fabs(want->score))))
        fail_msg("score %.9g, not %.9g", got->score, want->score);
}

static void against_the_plain_way(void **state) {
    (void)state;
    static const float penalties[] = {1, 0, 2, 0.5f, -1, 7};
    int ends[2] = {0}, shorter = 0, copies = 0;
    for (uint32_t trial = 0; trial < 4000; trial++) {
        uint32_t r = trial * 2654435761u;
        r = (r ^ r >> 15) * 2246822519u;
        int32_t prompt[4];
        for (uint32_t i = 0; i < 4; i++) prompt[i] = (int32_t)((r >> (4 + 2 * i) & 3) + (i & 1));
        reformer_generate_t g = {
            .size = sizeof g,
            .input_ids = prompt,
            .length = 1 + (r & 3),
            .max_tokens = 1 + (r >> 13) % MAX_NEW,
            .sampling = &(reformer_sampling_t){.size = sizeof(reformer_sampling_t),
                                               .repetition_penalty = r >> 16 & 1 ? 1.3f : 0},
            .stop_at_eos = r >> 17 & 1 || r >> 18 & 1,
            .eos_token = (int32_t)((r >> 19) % IDS),
            .pad_token = -4};
        int32_t ends_with[MAX_ENDS];
        for (uint32_t i = 0; i < MAX_ENDS; i++) ends_with[i] = (int32_t)((r >> (5 + 4 * i)) % IDS);
        g.eos_tokens = ends_with;
        g.n_eos_tokens = (r >> 9) % (MAX_ENDS + 1);
        reformer_beams_t b = {.size = sizeof b,
                              .beams = 1 + (r >> 22) % 8,
                              .length_penalty = penalties[(r >> 25) % 6],
                              .early_stopping = (int)(r >> 28) % 3};
        chain_t c = chain_new(NULL);
        found_t got, want = plain_search(&c, &g, &b);
        assert_int_equal(beam_search(&c, 8, g, b, &got), REFORMER_OK);
        assert_found(&got, &want);
        for (size_t i = got.count; i < g.max_tokens; i++) assert_int_equal(got.tokens[i], -4);
        ends[want.end == REFORMER_END_EOS]++;
        shorter += want.end == REFORMER_END_EOS && c.steps + 1 < (int)g.max_tokens;
        copies += c.copies;
    }
    assert_true(ends[0] > 500 && ends[1] > 500 && shorter > 300 && copies > 10000);
}

/* With beams for all texts but the last token's there is nothing that could be missed. */
static void exhaustive(void **state) {
    (void)state;
    for (int32_t start = 0; start < IDS; start++)
        for (int32_t second = 0; second < IDS; second++) {
            const int32_t prompt[] = {start, second};
            chain_t c = chain_new(NULL);
            plain_t p = {.c = &c, .g = &(reformer_generate_t){.size = sizeof(reformer_generate_t)}};
            double best = -INFINITY;
            int32_t want[3] = {0};
            for (int code = 0; code < IDS * IDS * IDS; code++) {
                text_t t = {.text = {start, second}, .n = 2};
                double sum = 0;
                for (int i = 0, rest = code; i < 3; i++, rest /= IDS) {
                    double likely[IDS];
                    likelihoods(&p, &t, likely);
                    t.text[t.n++] = rest % IDS;
                    sum += likely[rest % IDS];
                }
                if (sum > best) best = sum, memcpy(want, t.text + 2, sizeof want);
            }
            reformer_generate_t g = {
                .size = sizeof g, .input_ids = prompt, .length = 2, .max_tokens = 3};
            found_t got;
            assert_int_equal(
                beam_search(&c, MAX_ROWS, g,
                            (reformer_beams_t){.size = sizeof(reformer_beams_t), .beams = 25},
                            &got),
                REFORMER_OK);
            assert_memory_equal(got.tokens, want, sizeof want);
            assert_true(fabs(got.score - best) < 1e-6);
        }
}

/* ---- by hand --------------------------------------------------------------------------------------- */

static void logs(const double p[IDS][IDS], float table[IDS][IDS]) {
    for (int i = 0; i < IDS; i++)
        for (int j = 0; j < IDS; j++) table[i][j] = (float)log(p[i][j]);
}

/* After 0: 1 is likelier than 2, but what follows 2 is surer. One beam goes wrong, two do not. */
static void two_beams_see_further(void **state) {
    (void)state;
    static const double p[IDS][IDS] = {{0, 0.6, 0.4, 0, 0},
                                       {0, 0, 0, 0.55, 0.45},
                                       {0, 0.1, 0, 0, 0.9},
                                       {1, 0, 0, 0, 0},
                                       {1, 0, 0, 0, 0}};
    float table[IDS][IDS];
    logs(p, table);
    static const int32_t prompt[] = {3, 0};
    reformer_generate_t g = {.size = sizeof g, .input_ids = prompt, .length = 2, .max_tokens = 2};
    for (size_t beams = 1; beams <= 4; beams++) {
        chain_t c = chain_new(table);
        found_t got, want = {.tokens = {2, 4}, .count = 2, .end = REFORMER_END_LENGTH};
        want.score = log(0.36) / 2; /* the prompt's two do not count */
        if (beams == 1) want.tokens[0] = 1, want.tokens[1] = 3, want.score = log(0.33) / 2;
        reformer_beams_t b = {.size = sizeof b, .beams = beams, .length_penalty = 1};
        assert_int_equal(beam_search(&c, 4, g, b, &got), REFORMER_OK);
        assert_found(&got, &want);
        assert_int_equal(c.copies, beams > 1); /* of the prompt: of 4 beams only 2 are possible */
    }
}

/* 0 leads to 1 or to the end (4), evenly, so that texts of all lengths have the scores log(1/2) n; what is best is a
 * matter of the length alone. A hypothesis of n tokens, its eos included: log(1/2) n / n^p. */
static void length_penalty_by_hand(void **state) {
    (void)state;
    static const double p[IDS][IDS] = {{0, 0.5, 0, 0, 0.5},
                                       {0.5, 0, 0, 0, 0.5},
                                       {0, 0, 1, 0, 0},
                                       {0, 0, 0, 1, 0},
                                       {0, 0, 0, 0, 1}};
    float table[IDS][IDS];
    logs(p, table);
    static const int32_t prompt[] = {0};
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompt,
                             .length = 1,
                             .max_tokens = 4,
                             .stop_at_eos = 1,
                             .eos_token = 4};
    /* p 0: the shortest; p 2: as long as there are tokens; one with an eos, which is as good, comes after it: 4 log(1/2) / 4^2 */
    chain_t c = chain_new(table);
    found_t got, want = {.tokens = {4}, .count = 1, .end = REFORMER_END_EOS, .score = log(0.5)};
    assert_int_equal(beam_search(&c, 2, g,
                                 (reformer_beams_t){.size = sizeof(reformer_beams_t), .beams = 2},
                                 &got),
                     REFORMER_OK);
    assert_found(&got, &want);
    c = chain_new(table);
    want = (found_t){.tokens = {1, 0, 1, 0}, .count = 4, .end = REFORMER_END_LENGTH};
    want.score = 4 * log(0.5) / 16;
    reformer_beams_t b = {.size = sizeof b, .beams = 4, .length_penalty = 2};
    assert_int_equal(beam_search(&c, 4, g, b, &got), REFORMER_OK);
    assert_found(&got, &want);
    /* ended early: the first two hypotheses are eos and 1 eos, log(1/2) and 2 log(1/2) / 4 */
    c = chain_new(table);
    want = (found_t){.tokens = {1, 4}, .count = 2, .end = REFORMER_END_EOS};
    want.score = 2 * log(0.5) / 4;
    b = (reformer_beams_t){
        .size = sizeof(reformer_beams_t), .beams = 2, .length_penalty = 2, .early_stopping = 1};
    assert_int_equal(beam_search(&c, 2, g, b, &got), REFORMER_OK);
    assert_found(&got, &want);
    assert_int_equal(c.steps, 1);
}

/* Nothing but an eos can follow: no beam is left, and that is the end. */
static void no_beam_left(void **state) {
    (void)state;
    static const double p[IDS][IDS] = {
        {0, 0, 0, 0, 1}, {1, 0, 0, 0, 0}, {1, 0, 0, 0, 0}, {1, 0, 0, 0, 0}, {1, 0, 0, 0, 0}};
    float table[IDS][IDS];
    logs(p, table);
    static const int32_t prompt[] = {1};
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompt,
                             .length = 1,
                             .max_tokens = 5,
                             .stop_at_eos = 1,
                             .eos_token = 4};
    chain_t c = chain_new(table);
    found_t got, want = {.tokens = {0, 4}, .count = 2, .end = REFORMER_END_EOS};
    assert_int_equal(beam_search(&c, 4, g,
                                 (reformer_beams_t){.size = sizeof(reformer_beams_t), .beams = 4},
                                 &got),
                     REFORMER_OK);
    assert_found(&got, &want);
    assert_int_equal(c.copies, 0);
}

/* Everything is equally likely: the lower beam and id go on, and of hypotheses the one that ended first is taken. */
static void ties(void **state) {
    (void)state;
    static const float flat[IDS][IDS] = {{0}};
    static const int32_t prompt[] = {3};
    reformer_generate_t g = {.size = sizeof g, .input_ids = prompt, .length = 1, .max_tokens = 2};
    for (int32_t beams = 1; beams <= 4; beams++) {
        chain_t c = chain_new(flat);
        found_t got, want = {.tokens = {0, 0}, .count = 2, .end = REFORMER_END_LENGTH};
        want.score = 2 * log(0.2);
        reformer_beams_t b = {.size = sizeof b, .beams = (size_t)beams};
        assert_int_equal(beam_search(&c, 4, g, b, &got), REFORMER_OK);
        assert_found(&got, &want);
    }
}

/* Two beams that are equally good: what the second offers is no better than the last of what the first did, and is not
 * taken. After 3 come 1 or 2; after both an end (4), or 0 or 1; what follows 1 is surer than what follows 0. */
static void the_earlier_of_equal_candidates(void **state) {
    (void)state;
    static const double p[IDS][IDS] = {{0.4, 0.3, 0.2, 0.1, 0},
                                       {0.25, 0.25, 0, 0, 0.5},
                                       {0.25, 0.25, 0, 0, 0.5},
                                       {0, 0.5, 0.5, 0, 0},
                                       {1, 0, 0, 0, 0}};
    float table[IDS][IDS];
    logs(p, table);
    static const int32_t prompt[] = {3};
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompt,
                             .length = 1,
                             .max_tokens = 3,
                             .stop_at_eos = 1,
                             .eos_token = 4};
    reformer_beams_t b = {
        .size = sizeof b, .beams = 2, .length_penalty = 7, .early_stopping = REFORMER_NEVER_EARLY};
    chain_t c = chain_new(table);
    found_t got, want = {.tokens = {1, 1, 4}, .count = 3, .end = REFORMER_END_EOS};
    want.score = log(0.0625) / pow(3, 7);
    assert_int_equal(beam_search(&c, 4, g, b, &got), REFORMER_OK);
    assert_found(&got, &want);
}

/* Of texts of one rank that which ended first: an end (0) at once, of log(1/2), or after one token more, of 2 log(1/2) / 2. */
static void the_earlier_of_equal_texts(void **state) {
    (void)state;
    static const double p[IDS][IDS] = {{0.5, 0.5, 0, 0, 0},
                                       {0.5, 0.5, 0, 0, 0},
                                       {1, 0, 0, 0, 0},
                                       {0.5, 0.5, 0, 0, 0},
                                       {1, 0, 0, 0, 0}};
    float table[IDS][IDS];
    logs(p, table);
    static const int32_t prompt[] = {3};
    reformer_generate_t g = {.size = sizeof g,
                             .input_ids = prompt,
                             .length = 1,
                             .max_tokens = 2,
                             .stop_at_eos = 1,
                             .eos_token = 0};
    reformer_beams_t b = {
        .size = sizeof b, .beams = 1, .length_penalty = 1, .early_stopping = REFORMER_NEVER_EARLY};
    chain_t c = chain_new(table);
    found_t got, want = {.tokens = {0}, .count = 1, .end = REFORMER_END_EOS, .score = log(0.5)};
    assert_int_equal(beam_search(&c, 4, g, b, &got), REFORMER_OK);
    assert_found(&got, &want);
    assert_int_equal(c.steps, 1); /* it did go on */
}

/* Padding is no part of the prompt, nor of its length. */
static void padded_prompts(void **state) {
    (void)state;
    static const int32_t plain[] = {2, 0, 3}, padded[] = {-1, 2, 99, 0, 3, 7};
    static const uint8_t mask[] = {0, 1, 0, 1, 1, 0};
    reformer_generate_t g = {.size = sizeof g, .input_ids = plain, .length = 3, .max_tokens = 5};
    reformer_beams_t b = {.size = sizeof b, .beams = 3, .length_penalty = 1};
    chain_t c = chain_new(NULL);
    found_t want, got;
    assert_int_equal(beam_search(&c, 3, g, b, &want), REFORMER_OK);
    g.input_ids = padded;
    g.attention_mask = mask;
    g.length = 6;
    c = chain_new(NULL);
    assert_int_equal(beam_search(&c, 5, g, b, &got), REFORMER_OK);
    assert_found(&got, &want);
    assert_true(got.score == want.score);
}

static void full(void **state) {
    (void)state;
    static const int32_t prompt[] = {2, 0, 3};
    reformer_generate_t g = {
        .size = sizeof g, .input_ids = prompt, .length = 3, .max_tokens = 3, .pad_token = -4};
    reformer_beams_t b = {.size = sizeof b, .beams = 3};
    chain_t c = chain_new(NULL);
    found_t want, got;
    assert_int_equal(beam_search(&c, 3, g, b, &want), REFORMER_OK);
    g.max_tokens = 7;
    c = chain_new(NULL);
    c.capacity = 5; /* two more are read, a third is known */
    assert_int_equal(beam_search(&c, 3, g, b, &got), REFORMER_OK);
    want.end = REFORMER_END_FULL;
    assert_found(&got, &want);
    for (int i = 3; i < 7; i++) assert_int_equal(got.tokens[i], -4);
}

/* One beam is greedy. */
static void one_beam(void **state) {
    (void)state;
    static const int32_t prompt[] = {1, 4};
    chain_t c = chain_new(NULL);
    reformer_decoder_t d = chain_decoder(&c, 1);
    d.copy_row = NULL; /* not needed */
    int32_t greedy[6], beam[6];
    reformer_generate_t g = {
        .size = sizeof g, .input_ids = prompt, .length = 2, .max_tokens = 6, .tokens = greedy};
    reformer_beams_t b = {.size = sizeof b, .beams = 1};
    size_t bytes = reformer_generate_bytes(&d, &g);
    unsigned char *scratch = scratch_new(bytes);
    assert_int_equal(reformer_generate(&d, &g, scratch, bytes), REFORMER_OK);
    scratch_free(scratch, bytes);
    g.tokens = beam;
    bytes = reformer_beam_bytes(&d, &g, &b);
    scratch = scratch_new(bytes);
    assert_int_equal(reformer_beam_search(&d, &g, &b, scratch, bytes), REFORMER_OK);
    scratch_free(scratch, bytes);
    assert_memory_equal(beam, greedy, sizeof greedy);
}

/* ---- errors ------------------------------------------------------------------------------------------ */

static void errors_on_the_way(void **state) {
    (void)state;
    static const int32_t prompt[] = {1, 4};
    static const uint8_t none[] = {0, 0};
    reformer_generate_t g = {.size = sizeof g, .input_ids = prompt, .length = 2, .max_tokens = 6};
    reformer_beams_t b = {.size = sizeof b, .beams = 3};
    found_t got;
    for (int which = 0; which < 5; which++) {
        chain_t c = chain_new(NULL);
        int want = 1000 + which;
        if (which == 0) c.fail_prefill = want;
        if (which == 1) c.fail_step = want, c.good_steps = 2;
        if (which == 2) c.fail_copy = want;
        if (which == 3) c.nan_row = 0, c.nan_after = 4, want = REFORMER_E_LOGITS;
        if (which == 4) g.attention_mask = none, want = REFORMER_E_EMPTY;
        assert_int_equal(beam_search(&c, 3, g, b, &got), want);
        assert_int_equal(got.count, 0);
    }
}

static void bad_arguments(void **state) {
    (void)state;
    static const int32_t prompt[] = {1, 4};
    int32_t tokens[4];
    chain_t c = chain_new(NULL);
    const reformer_decoder_t good = chain_decoder(&c, 3);
    const reformer_generate_t g = {.size = sizeof g,
                                   .input_ids = prompt,
                                   .batch = 1,
                                   .length = 2,
                                   .max_tokens = 4,
                                   .tokens = tokens};
    const struct {
        reformer_beams_t b;
        int want;
    } cases[] = {
        {{.size = sizeof(reformer_beams_t), .beams = 0}, REFORMER_E_ARGUMENT},
        {{.size = sizeof(reformer_beams_t), .beams = 4}, REFORMER_E_BATCH},
        {{.size = sizeof(reformer_beams_t), .beams = SIZE_MAX}, REFORMER_E_BATCH},
        {{.size = sizeof(reformer_beams_t), .beams = 2, .length_penalty = 33}, REFORMER_E_ARGUMENT},
        {{.size = sizeof(reformer_beams_t), .beams = 2, .length_penalty = -33},
         REFORMER_E_ARGUMENT},
        {{.size = sizeof(reformer_beams_t), .beams = 2, .length_penalty = NAN},
         REFORMER_E_ARGUMENT},
        {{.size = sizeof(reformer_beams_t), .beams = 2, .early_stopping = -1}, REFORMER_E_ARGUMENT},
        {{.size = sizeof(reformer_beams_t), .beams = 2, .early_stopping = 3}, REFORMER_E_ARGUMENT}};
    _Alignas(64) unsigned char scratch[4096];
    const reformer_beams_t two = {.size = sizeof two, .beams = 2};
    assert_in_range(reformer_beam_bytes(&good, &g, &two), 1, sizeof scratch);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(reformer_beam_search(&good, &g, &cases[i].b, scratch, sizeof scratch),
                         cases[i].want);
        assert_int_equal(reformer_beam_bytes(&good, &g, &cases[i].b), 0);
    }
    assert_int_equal(reformer_beam_search(&good, &g, NULL, scratch, sizeof scratch),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_beam_search(&good, &g, &two, NULL, sizeof scratch),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(reformer_beam_search(&good, &g, &two, scratch + 4, sizeof scratch),
                     REFORMER_E_ARGUMENT);
    reformer_generate_t bad = g;
    bad.batch = 2;
    assert_int_equal(reformer_beam_search(&good, &bad, &two, scratch, sizeof scratch),
                     REFORMER_E_ARGUMENT);
    bad = g;
    bad.n_eos_tokens = 1;
    assert_int_equal(reformer_beam_search(&good, &bad, &two, scratch, sizeof scratch),
                     REFORMER_E_ARGUMENT);
    bad = g;
    bad.max_tokens = SIZE_MAX / 4;
    assert_int_equal(reformer_beam_search(&good, &bad, &two, scratch, sizeof scratch),
                     REFORMER_E_LENGTH);
    size_t bytes = reformer_beam_bytes(&good, &g, &two);
    assert_int_equal(reformer_beam_search(&good, &g, &two, scratch, bytes - 1),
                     REFORMER_E_WORKSPACE);
    const reformer_beams_t unsized = {.beams = 2};
    assert_int_equal(reformer_beam_search(&good, &g, &unsized, scratch, bytes), REFORMER_E_SIZE);
    reformer_decoder_t without = good;
    without.copy_row = NULL;
    assert_int_equal(reformer_beam_search(&without, &g, &two, scratch, sizeof scratch),
                     REFORMER_E_ARGUMENT);
    assert_int_equal(c.prefills, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_the_plain_way),
                                       cmocka_unit_test(exhaustive),
                                       cmocka_unit_test(two_beams_see_further),
                                       cmocka_unit_test(length_penalty_by_hand),
                                       cmocka_unit_test(no_beam_left),
                                       cmocka_unit_test(ties),
                                       cmocka_unit_test(the_earlier_of_equal_candidates),
                                       cmocka_unit_test(the_earlier_of_equal_texts),
                                       cmocka_unit_test(padded_prompts),
                                       cmocka_unit_test(full),
                                       cmocka_unit_test(one_beam),
                                       cmocka_unit_test(errors_on_the_way),
                                       cmocka_unit_test(bad_arguments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
