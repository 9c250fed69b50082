/* Whether a model generates, where its texts end, and the plan for its prompts (generate.h). */
#include "commands/generate/generate.h"
#include "report/document.h"

static bool check_model(const generate_t *g) {
    const session_t *s = g->session;
    if (s->model.facts.head != ARCH_CAUSAL_LM) {
        diag_error(s->d, IN_FILE(s->spec->path),
                   "is a %s; only causal language models continue texts",
                   arch_hf_name(s->model.facts.head));
        return false;
    }
    return true;
}

/* Tokens outside the vocabulary are no error: they are never written. Without a padding token rows
 * end as Hugging Face's do, in the first end token. */
static bool find_ends(generate_t *g) {
    const session_t *s = g->session;
    const ends_t *e = &g->ends;
    if (!spec_ends(s->arena, s->spec, &g->ends, s->d)) return false;
    g->pad = (int32_t)(e->has_pad_token ? e->pad_token : e->n_eos_tokens ? e->eos_tokens[0] : 0);
    if (!s->o->given[OPT_STOP_AT_EOS]) return true;
    g->eos = ARENA_ARRAY(s->arena, int32_t, e->n_eos_tokens);
    for (int i = 0; i < e->n_eos_tokens; i++)
        if (e->eos_tokens[i] >= 0 && e->eos_tokens[i] < s->model.facts.vocab)
            g->eos[g->n_eos++] = (int32_t)e->eos_tokens[i];
    if (g->n_eos > 0) return true;
    bool file = s->spec->generation_path && !s->spec->set[KEY_eos_token_id];
    diag_error(s->d, IN_FILE(file ? s->spec->generation_path : s->spec->path),
               e->n_eos_tokens
                   ? "has an eos_token_id outside the vocabulary, nothing for --stop-at-eos"
                   : "has no eos_token_id for --stop-at-eos");
    diag_hint(s->d, "--set eos_token_id=N, or --stop TEXT");
    return false;
}

static bool check_batch(const generate_t *g) {
    const session_t *s = g->session;
    int64_t batch = s->spec->compile.batch_size, rows = g->prompts.batch;
    if (!s->spec->compile.has_batch) return true;
    if (rows > batch)
        diag_error(s->d, IN_FILE(g->prompts.path), "%lld %ss; compile.batch_size is %lld",
                   (long long)rows, g->prompts.row, (long long)batch);
    else if (g->beams > batch)
        diag_error(s->d, IN_FILE("--beams"), "%lld; compile.batch_size is %lld",
                   (long long)g->beams, (long long)batch);
    else return true;
    return false;
}

/* Without a cache rows are read one by one. */
static bool plan_generation(generate_t *g) {
    session_t *s = g->session;
    bool cached = !s->o->given[OPT_NO_CACHE];
    int64_t rows = g->beams > g->prompts.batch ? g->beams : g->prompts.batch;
    if (!check_batch(g)) return false;
    if (s->spec->compile.length_mode == LENGTH_ABSENT)
        s->spec->compile.length_mode = LENGTH_DYNAMIC;
    session_plan_t want = {
        .name = "model", .runs = true, .exact_batch = cached ? rows : 1, .decodes = cached};
    if (!session_plan(s, &want)) return false;
    if (!cached || s->plan->step) return true;
    diag_error(s->d, IN_FILE(s->spec->path), "has attention that does not go on token by token");
    diag_hint(s->d, "--no-cache computes a forward for each token");
    return false;
}

/* Prompt and text have positions enough. The last token is picked, not read. */
static bool check_length(const generate_t *g) {
    const session_t *s = g->session;
    const plan_t *p = s->plan;
    int64_t prompt = g->prompts.length, longest = p->variants[p->n_variants - 1].max_length;
    int64_t max = p->step ? p->positions : longest;
    if (prompt > longest || prompt > max) {
        if (prompt > max) longest = max;
        diag_error(s->d, IN_FILE(g->prompts.path),
                   "a %s of %lld token%s: the longest this model takes is %lld", g->prompts.row,
                   (long long)prompt, text_plural(prompt), (long long)longest);
        return false;
    }
    int64_t over = prompt + g->max_tokens - 1 - max;
    if (over <= 0) return true;
    diag_error(
        s->d, IN_FILE("--tokens"),
        "%lld token%s behind a %s of %lld: %lld too many for the %lld positions of this model",
        (long long)g->max_tokens, text_plural(g->max_tokens), g->prompts.row, (long long)prompt,
        (long long)over, (long long)max);
    diag_hint(s->d, "--tokens %lld at most, or a shorter prompt", (long long)(max - prompt + 1));
    return false;
}

/* Hugging Face's number comes from the prompt; a prompt that is too short to be hashed has none
 * with its cache, and without one takes that of the first text that is hashed. */
static void check_bucket_number(const generate_t *g) {
    const session_t *s = g->session;
    const prompts_t *p = &g->prompts;
    buckets_taken_t taken = session_buckets(s);
    for (int64_t r = 0; r < p->batch && taken.n; r++) {
        int64_t length = p->tokens[r];
        const char *of = p->batch > 1
                             ? arena_printf(s->arena, "%s %lld", p->row, (long long)(r + 1))
                             : arena_printf(s->arena, "the %s", p->row);
        if (s->o->given[OPT_NO_CACHE]) {
            int64_t first = buckets_first_hashed(&taken, length);
            if (first > length) of = "the first text that it hashes";
            if (first < length + g->max_tokens) length = first;
        }
        if (buckets_warn(&taken, length, of, s->d)) return;
    }
}

bool generate_read_model(generate_t *g) {
    session_t *s = g->session;
    return session_spec(s) && check_model(g) && find_ends(g) && session_need_weights(s);
}

bool generate_plan(generate_t *g) {
    if (!plan_generation(g) || !check_length(g)) return false;
    check_bucket_number(g);
    return true;
}
