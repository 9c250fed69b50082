/* Random causal models, random rows: what back ends generate, against the reference, token by token.
 *
 *     differential_decode BACKEND[,BACKEND] COUNT SEED [CC]     BACKEND: interpreter | c | jit
 *     random_steps …                                            the same of edited graphs (random_steps.h)
 *     differential_decode_bf16 …                                the same of products, caches or both of bf16
 *
 * Rows begin with prompts of different lengths (one token, around a chunk, longer than windows; padded on either side,
 * with holes, or none at all) and are continued by steps in which some rest; now and then a row begins anew or becomes
 * another's copy. The tokens are random: what would be chosen does not matter. Logits and hidden states of every step
 * are compared; compiled ones are equal to the bit. A prefill is also compared with a forward, and the last step
 * where Hugging Face's cache gives what a forward over all tokens gives.
 *
 * A row may depart from the reference only if one of its hashes came so near to a tie that a last bit decides, which
 * the reference tells; it is then left out until it begins anew. Every model prints one line; a failing one prints its
 * spec.
 *
 * Of bf16 a last bit decides now and then which of two neighbours a factor becomes (docs/dtype.md), and so back ends miss the
 * reference by up to some thousandths. What is kept so is read by all later steps. So the reference alone is held to
 * the tolerance, by its own forwards: of the others few elements may miss it, and none by much. What a factor that is
 * rounded where it should not be, or is not, does to the elements is as small, but it does it to all of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare.h"
#include "plan_of.h"
#include "random_model.h"
#include "random_steps.h"

#ifndef EDITS
#define EDITS 0
#endif

#ifndef BF16
#define BF16 0
#endif

enum { MAX_ROWS = 20 };

/* Of bf16: by how much of its magnitude a tensor may miss the reference, below which margin a hash may depart, and how many
 * elements of a hundred may miss the tolerance. */
#define TOLERANCE_BF16 2e-2
#define NEAR_TIE_BF16  1e-2
enum { MAX_BEYOND = 10 };
static int64_t n_elements, n_beyond;
/* What is hashed is not rounded: of eight models, so many rows may depart. */
enum { MAX_DEPARTURES = 1 };
static int n_departures, n_models;

/* ---- a model ------------------------------------------------------------------------------------------- */

typedef struct {
    char *text;
    int64_t batch, vocab, hidden, local, lsh;
    int64_t prompt; /* longest */
    int64_t steps;
    int layers, hashing;
    bool as_huggingface; /* compile.decode: huggingface */
    const char *dtype, *cache;
} sample_t;

static void write_lengths(sbuf_t *s, const sample_t *m) {
    uint32_t mode = draw(4);
    long long max = m->prompt, some = 1 + draw((uint32_t)max);
    sbuf_printf(s, "compile: {batch_size: %lld, decode: %s, dtype: %s, cache_dtype: %s, ",
                (long long)m->batch, m->as_huggingface ? "huggingface" : "corrected", m->dtype,
                m->cache);
    sbuf_puts(s, "sequence_length: ");
    if (mode <= 1 && !EDITS) sbuf_puts(s, "dynamic}\n"); /* edits are for literal lengths */
    else if (mode == 2 || some == max) sbuf_printf(s, "%lld}\n", max);
    else sbuf_printf(s, "[%lld, %lld]}\n", some, max);
}

/* Most often both are bf16. */
static void draw_types(sample_t *m) {
    uint32_t kind = BF16 ? draw(5) : 0;
    m->dtype = BF16 && kind != 1 ? "bfloat16" : "float32";
    m->cache = kind == 0 ? "null" : kind == 2 ? "float32" : "bfloat16";
}

static sample_t make_sample(arena_t *a) {
    sample_t m = {.vocab = PICK(11, 64, 258)};
    sbuf_t s = {0};
    /* Sharp softmaxes; deeper, they would leave the next layer less than the tolerance. Local scores grow with the
     * square of the weights and are rounded in single precision: of 0.6, steps and forwards of three targets missed
     * the reference by 1.2e-5 to 2.1e-5 at one token. */
    bool large = !EDITS && !BF16 && draw(4) == 0; /* rows without a norm are large enough */
    m.hidden = PICK(8, 19, 32, 40, 67);
    m.as_huggingface = draw(3) == 0;
    m.batch = m.as_huggingface ? 1 : PICK(1, 1, 2, 3, 5, 9, 18);
    m.local = PICK(1, 2, 3, 4, 5, 8, 12, 16);
    m.lsh = PICK(1, 2, 3, 4, 5, 8, 12, 16);
    m.prompt = PICK(1, 8, 40, 96);
    m.steps = PICK(20, 60, 90);
    m.layers = large ? 1 : 1 + (int)draw(4);
    draw_types(&m);
    sbuf_puts(&s, "architectures: [ReformerModelWithLMHead]\nis_decoder: true\n");
    m.hashing = random_layers(&s, m.layers);
    random_chunks(&s, true, m.local, m.lsh);
    int64_t unit = min_common_multiple(m.local, m.lsh);
    random_positions(&s, m.hidden, (m.prompt + unit - 1) / unit * unit + m.steps);
    random_buckets(&s);
    random_widths(&s);
    sbuf_printf(&s, "vocab_size: %lld\n", (long long)m.vocab);
    random_norms(&s, large ? m.hashing ? "1.5" : "0.4" : "0.15");
    if (!large) random_extensions(&s, true, unit, true);
    write_lengths(&s, &m);
    m.text = arena_strdup(a, s.data);
    sbuf_free(&s);
    return m;
}

/* ---- sides --------------------------------------------------------------------------------------------- */

typedef struct {
    exec_t *exec;
    exec_cache_t *cache;
    float *logits, *hidden; /* [rows][…], of the last call */
} side_t;

typedef struct {
    const sample_t *m;
    arena_t *arena;
    diag_t *d;
    plan_t *plan;
    store_t *store;
    side_t sides[1 + MAX_BACKENDS]; /* the reference, the others */
    int n, threads;
    int64_t capacity;
    int32_t *text[MAX_ROWS];                    /* what each row holds, [capacity] */
    int64_t tokens[MAX_ROWS], prompt[MAX_ROWS]; /* it holds, it began with */
    bool tied[MAX_ROWS];                        /* left out */
    double worst;
    int near_ties, forwards;
} run_t;

static bool open_side(run_t *r, const exec_options_t *o) {
    side_t *x = &r->sides[r->n++];
    size_t rows = (size_t)r->m->batch;
    x->logits = ARENA_ARRAY(r->arena, float, rows *(size_t)r->m->vocab);
    x->hidden = ARENA_ARRAY(r->arena, float, rows * 2 * (size_t)r->m->hidden);
    x->exec = exec_open(r->plan, r->store, o, r->d);
    if (!x->exec) return false;
    if (r->n == 1) { /* sometimes as many as there are positions, so that rows fill up */
        int64_t max = exec_positions(x->exec), usual = r->m->prompt + r->m->steps;
        r->capacity = draw(3) && usual < max ? usual : max;
    }
    x->cache = exec_cache_new(x->exec, (size_t)r->capacity, (size_t)r->m->prompt, r->threads, r->d);
    return x->cache != NULL;
}

static bool open_model(run_t *r, const others_t *o) {
    const sample_t *m = r->m;
    plan_options_t po = {.name = "model", .decodes = true, .n_targets = 1};
    po.targets[0] = random_target(BF16 ? DTYPE_BFLOAT16 : DTYPE_FLOAT32);
    r->plan = plan_of(r->arena, m->text, &po, r->d);
    if (!r->plan || (EDITS && !edit_plan(r->plan, r->d))) return false;
    store_options_t so = {.path = "random:7"};
    r->store = store_load(r->plan->variants[r->plan->n_variants - 1].graph, &so, r->d);
    exec_options_t eo = {.backend = BACKEND_REFERENCE};
    if (!r->store || !open_side(r, &eo)) return false;
    for (int i = 0; i < o->n; i++) {
        eo = (exec_options_t){.backend = o->backend[i], .cc = o->cc};
        if (!open_side(r, &eo)) return false;
    }
    for (int64_t b = 0; b < m->batch; b++) r->text[b] = ARENA_ARRAY(r->arena, int32_t, r->capacity);
    return true;
}

static void close_model(run_t *r) {
    for (int i = 0; i < r->n; i++) {
        exec_cache_free(r->sides[i].cache);
        exec_close(r->sides[i].exec);
    }
    store_free(r->store);
}

/* ---- comparing ----------------------------------------------------------------------------------------- */

static difference_t difference(float *want, float *got, int64_t n) {
    result_t x = {.name = "x", .dtype = REFORMER_F32, .rank = 1, .shape = {n}, .data = want};
    result_t y = {.name = "x", .dtype = REFORMER_F32, .rank = 1, .shape = {n}, .data = got};
    x.bytes = y.bytes = (size_t)n * sizeof(float);
    return compare_tensors(&x, &y);
}

static void complain(const run_t *r, const char *what, int64_t row, const difference_t *x) {
    printf("  row %lld of %lld tokens, %s: %.9g, not %.9g, of magnitude %.3g\n", (long long)row,
           (long long)r->tokens[row], what, x->got, x->want, x->magnitude);
}

static bool is_allowed(const difference_t *x, const char *what) {
    return BF16 ? difference_relative(x) <= TOLERANCE_BF16 : difference_allowed(x, what);
}

static void count_beyond(const float *want, const float *got, int64_t n, double magnitude) {
    n_elements += n;
    for (int64_t i = 0; i < n; i++)
        n_beyond +=
            !(fabs((double)want[i] - (double)got[i]) <= TENSOR_TOLERANCE * fmax(1, magnitude));
}

/* One tensor of a row on all sides. */
static bool compare_row(run_t *r, int64_t row, const char *what, float *const *of_sides,
                        int64_t n) {
    for (int i = 2; i < r->n; i++) {
        difference_t x = difference(of_sides[1] + row * n, of_sides[i] + row * n, n);
        if (difference_none(&x)) continue;
        printf("  back ends differ: ");
        complain(r, what, row, &x);
        return false;
    }
    difference_t x = difference(of_sides[0] + row * n, of_sides[1] + row * n, n);
    if (r->tied[row]) return true;
    if (BF16) count_beyond(of_sides[0] + row * n, of_sides[1] + row * n, n, x.magnitude);
    if (is_allowed(&x, what)) {
        if (difference_relative(&x) > r->worst) r->worst = difference_relative(&x);
        return true;
    }
    double margin = exec_cache_margin(r->sides[0].cache, (size_t)row);
    if (margin < (BF16 ? NEAR_TIE_BF16 : NEAR_TIE)) {
        printf("  row %lld: a hash with a margin of %.1e, left out from token %lld on\n",
               (long long)row, margin, (long long)r->tokens[row]);
        r->tied[row] = true;
        r->near_ties++;
        n_departures++;
        return true;
    }
    complain(r, what, row, &x);
    return false;
}

/* Rows that got tokens. */
static bool compare_rows(run_t *r, const bool *wrote) {
    float *logits[1 + MAX_BACKENDS], *hidden[1 + MAX_BACKENDS];
    for (int i = 0; i < r->n; i++) {
        logits[i] = r->sides[i].logits;
        hidden[i] = r->sides[i].hidden;
    }
    for (int64_t b = 0; b < r->m->batch; b++) {
        if (!wrote[b]) continue;
        if (!compare_row(r, b, "logits", logits, r->m->vocab) ||
            !compare_row(r, b, "last_hidden_state", hidden, 2 * r->m->hidden))
            return false;
    }
    return true;
}

/* Runs a call on all sides: they return the same code, which is `expected`. */
typedef int call_fn(exec_cache_t *c, const reformer_decode_t *io, diag_t *d);
static bool call_all(run_t *r, call_fn *call, reformer_decode_t io, int expected) {
    io.threads = r->threads;
    for (int i = 0; i < r->n; i++) {
        io.logits = r->sides[i].logits;
        io.last_hidden_state = r->sides[i].hidden;
        int code = call(r->sides[i].cache, &io, r->d);
        if (code == expected) continue;
        printf("  side %d returned %d (%s), not %d\n", i, code,
               code < 0 ? "see below" : reformer_strerror(code), expected);
        return false;
    }
    return true;
}

static bool lengths_agree(const run_t *r) {
    for (int64_t b = 0; b < r->m->batch; b++)
        for (int i = 0; i < r->n; i++) {
            int64_t held = (int64_t)exec_cache_tokens(r->sides[i].cache, (size_t)b);
            if (held == r->tokens[b]) continue;
            printf("  side %d: row %lld holds %lld tokens, not %lld\n", i, (long long)b,
                   (long long)held, (long long)r->tokens[b]);
            return false;
        }
    return true;
}

/* A forward over all that a row holds, against the logits of the last call. `identical`: by the same code. */
static bool equals_forward(run_t *r, int side, int64_t row, bool identical) {
    int64_t n = r->tokens[row], vocab = r->m->vocab;
    float *all = ARENA_ARRAY(r->arena, float, n *vocab);
    reformer_io_t io = {.size = sizeof io,
                        .input_ids = r->text[row],
                        .batch = 1,
                        .length = (size_t)n,
                        .threads = r->threads,
                        .logits = all};
    if (!exec_forward(r->sides[side].exec, &io, r->d)) return false;
    difference_t x = difference(all + (n - 1) * vocab, r->sides[side].logits + row * vocab, vocab);
    r->forwards++;
    bool near = side == 0 ? difference_allowed(&x, "logits") : is_allowed(&x, "logits");
    if (identical ? difference_none(&x) : near) return true;
    printf("  side %d, a forward gives others: ", side);
    complain(r, "logits", row, &x);
    return false;
}

/* ---- prompts ------------------------------------------------------------------------------------------- */

static int64_t prompt_length(const sample_t *m) {
    int64_t n = draw(3) ? 1 + draw((uint32_t)m->prompt)
                        : PICK(1, 2, m->lsh - 1, m->lsh, m->lsh + 1, m->local + 1, 2 * m->lsh);
    return n < 1 ? 1 : n > m->prompt ? m->prompt : n;
}

/* Lays the rows' texts out in [batch][length]; where they are no tokens, ids are nonsense. */
static void lay_out(const run_t *r, const bool *begins, int64_t length, int32_t *ids,
                    uint8_t *mask) {
    for (int64_t b = 0; b < r->m->batch; b++) {
        int64_t n = begins[b] ? r->tokens[b] : 0, place = draw(3), done = 0;
        for (int64_t t = 0; t < length; t++) {
            int64_t left = n - done, room = length - t;
            bool fits = left > 0 && (room <= left || draw(2));
            bool token = place == 0 ? t < n : place == 1 ? room <= left : fits;
            mask[b * length + t] = token;
            ids[b * length + t] = token ? r->text[b][done++] : -7 - (int32_t)draw(9999);
        }
    }
}

static bool begin_rows(run_t *r, const bool *begins) {
    const sample_t *m = r->m;
    int64_t length = 1;
    bool full = true;
    for (int64_t b = 0; b < m->batch; b++) {
        if (!begins[b]) {
            full = false;
            continue;
        }
        r->tokens[b] = r->prompt[b] = prompt_length(m);
        r->tied[b] = false;
        for (int64_t t = 0; t < r->tokens[b]; t++)
            r->text[b][t] = (int32_t)draw((uint32_t)m->vocab);
        if (r->tokens[b] > length) length = r->tokens[b];
    }
    if (!m->as_huggingface && draw(3) == 0) length += draw(5);
    int32_t *ids = ARENA_ARRAY(r->arena, int32_t, m->batch * length);
    uint8_t *mask = ARENA_ARRAY(r->arena, uint8_t, m->batch * length);
    lay_out(r, begins, length, ids, mask);
    for (int64_t i = 0; i < m->batch * length; i++) full &= mask[i];
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .attention_mask = full ? NULL : mask,
                            .batch = (size_t)m->batch,
                            .length = (size_t)length};
    if (!call_all(r, exec_prefill, io, REFORMER_OK) || !lengths_agree(r)) return false;
    if (!compare_rows(r, begins)) return false;
    for (int64_t b = 0; b < m->batch; b++)
        if (begins[b]) return equals_forward(r, 1, b, true);
    return true;
}

/* ---- steps --------------------------------------------------------------------------------------------- */

static bool step(run_t *r) {
    const sample_t *m = r->m;
    int32_t ids[MAX_ROWS];
    uint8_t mask[MAX_ROWS];
    bool wrote[MAX_ROWS], all = true, full = false;
    for (int64_t b = 0; b < m->batch; b++) {
        bool rests = r->tokens[b] == 0 || (m->batch > 1 && draw(8) == 0);
        ids[b] = rests ? -1 : (int32_t)draw((uint32_t)m->vocab);
        mask[b] = !rests;
        wrote[b] = !rests;
        all &= !rests;
        full |= !rests && r->tokens[b] >= r->capacity;
    }
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = ids,
                            .attention_mask = all ? NULL : mask,
                            .batch = (size_t)m->batch};
    if (!call_all(r, exec_step, io, full ? REFORMER_E_FULL : REFORMER_OK)) return false;
    for (int64_t b = 0; b < m->batch && !full; b++)
        if (wrote[b]) r->text[b][r->tokens[b]++] = ids[b];
    return lengths_agree(r) && (full || compare_rows(r, wrote));
}

/* Now and then, of several rows: one begins anew, or becomes a copy of another. */
static bool disturb(run_t *r) {
    uint32_t max =
        r->m->batch < 3 ? (uint32_t)r->m->batch : 3; /* few: the same two again and again */
    int64_t row = draw(max), from = draw(max);
    bool begins[MAX_ROWS] = {false};
    if (draw(3) == 0) {
        begins[row] = true;
        return begin_rows(r, begins);
    }
    for (int i = 0; i < r->n; i++)
        if (exec_cache_copy_row(r->sides[i].cache, (size_t)from, (size_t)row)) return false;
    memmove(r->text[row], r->text[from], sizeof(int32_t) * (size_t)r->tokens[from]);
    r->tokens[row] = r->tokens[from];
    r->prompt[row] = r->prompt[from];
    r->tied[row] = r->tied[from];
    return lengths_agree(r);
}

/* Whether a forward over so many tokens shows each layer all tokens before one, once: it has a single chunk, or is
 * local and its windows do not come around. */
static bool sees_once(const run_t *r, int64_t n) {
    const sample_t *m = r->m;
    const variant_plan_t *v = plan_fitting(r->plan, (size_t)n);
    if (!v || EDITS) return false; /* edits: windows are of many lengths */
    bool cache_bf16 = strcmp(m->cache, "bfloat16") == 0, bf16 = strcmp(m->dtype, "bfloat16") == 0;
    if (strcmp(m->cache, "null") != 0 && cache_bf16 != bf16) return false; /* it rounds otherwise */
    int64_t padded = variant_padded(v, n), before = r->plan->spec->local_num_chunks_before;
    bool local = padded <= m->local || (padded / m->local > before && !m->as_huggingface);
    return (m->hashing == 0 || padded <= m->lsh) && (m->hashing == m->layers || local);
}

static bool check_model(run_t *r) {
    const sample_t *m = r->m;
    bool begins[MAX_ROWS], alone[MAX_ROWS] = {true}, calm = draw(2);
    begins[0] = true;
    for (int64_t b = 1; b < m->batch; b++) begins[b] = draw(6) != 0;
    if (!begin_rows(r, begins)) return false;
    for (int64_t s = 0; s < m->steps; s++) {
        if (m->batch > 1 && draw(calm ? 25 : 4) == 0 && !disturb(r)) return false;
        if (!step(r)) return false;
    }
    if (r->tokens[0] == 0 || r->tokens[0] >= r->capacity) return true;
    /* a last step of the first row alone, so that the logits are its */
    int32_t id = (int32_t)draw((uint32_t)m->vocab);
    reformer_decode_t io = {.size = sizeof io, .input_ids = &id, .batch = 1};
    if (!call_all(r, exec_step, io, REFORMER_OK)) return false;
    r->text[0][r->tokens[0]++] = id;
    if (!compare_rows(r, alone)) return false;
    if (!sees_once(r, r->prompt[0]) || !sees_once(r, r->tokens[0])) return true;
    return equals_forward(r, 0, 0, false) && equals_forward(r, 1, 0, false);
}

static bool run_one(int index, uint64_t seed, const others_t *o) {
    draw_begin(seed, index);
    n_models++;
    run_t r = {.arena = arena_new(), .d = diag_new(), .threads = 1 + (int)draw(2)};
    sample_t m = make_sample(r.arena);
    r.m = &m;
    bool ok = open_model(&r, o) && check_model(&r);
    printf("%s %4d  %s, %lld rows, prompts to %lld, %lld steps, %d forwards: %.1e\n",
           ok ? "ok  " : "FAIL", index, r.plan ? r.plan->targets[0]->name : "?", (long long)m.batch,
           (long long)m.prompt, (long long)m.steps, r.forwards, r.worst);
    if (!ok) {
        printf("%s\n", m.text);
        diag_print(r.d, stdout);
    }
    close_model(&r);
    diag_free(r.d);
    arena_free(r.arena);
    return ok;
}

int main(int argc, char **argv) {
    int code = run_models(argc, argv, run_one);
    if (!BF16) return code;
    printf("%lld of %lld elements beyond the tolerance\n", (long long)n_beyond,
           (long long)n_elements);
    printf("%d rows left out, of %d models\n", n_departures, n_models);
    if (8 * n_departures > MAX_DEPARTURES * n_models + 8) code = 1;
    return 100 * n_beyond > MAX_BEYOND * n_elements ? 1 : code;
}
