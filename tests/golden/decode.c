/* Compares generation with Hugging Face's, token by token, through any back end.
 *
 *   decode cached FOLDER TOKENS [run options]     prefill, then steps, along the tokens that Hugging Face's cached
 *                                                 decoding chose
 *   decode uncached FOLDER TOKENS [run options]   a full forward for each token: along the same tokens, and along
 *                                                 those that Hugging Face chose by full forwards
 *
 * TOKENS: how many to compare, 0 for all. FOLDER is a case of cases/, or a checkpoint with decode.safetensors. Each
 * token must be the one that the logits before it choose, and the logits be within tolerance. The model is compiled
 * as `dynamic`, which equals Hugging Face for inputs that nobody padded. Exit 0: equal; 1: not, or an error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/commands.h"
#include "compare/compare.h"
#include "session/session.h"

enum { MAX_ARGS = 32 };

typedef struct {
    const char *folder;
    int64_t limit; /* tokens to compare, 0: all */
    session_t s;
    arena_t *arena;
    diag_t *d;
    st_file_t *inputs, *outputs;
    int64_t prompt; /* its length */
} case_t;

/* ---- opening ------------------------------------------------------------------------------------- */

static bool open_model(case_t *c, options_t *o, int n_options, char **options) {
    const char *argv[MAX_ARGS] = {"reformerc", "run", c->folder, "--set",
                                  "compile.sequence_length=dynamic"};
    int n = 5;
    for (int i = 0; i < n_options; i++) argv[n++] = options[i];
    if (options_parse(c->arena, commands, n, (char **)argv, o, c->d) || diag_errors(c->d))
        return false;
    c->s = session_new(o, c->d);
    session_plan_t want = {.name = "model", .runs = true, .decodes = true};
    return session_spec(&c->s) && session_plan(&c->s, &want) && session_open(&c->s);
}

static bool open_tensors(case_t *c) {
    const char *both = arena_printf(c->arena, "%s/decode.safetensors", c->folder);
    bool one = file_exists(both);
    const char *in = one ? both : arena_printf(c->arena, "%s/inputs.safetensors", c->folder);
    const char *out = one ? both : arena_printf(c->arena, "%s/outputs.safetensors", c->folder);
    c->inputs = st_open(in, c->d);
    c->outputs = st_open(out, c->d);
    return c->inputs && c->outputs;
}

/* [1][n] or NULL; *n: how many. */
static int32_t *integers(case_t *c, const st_file_t *f, const char *name, int64_t *n) {
    const st_tensor_t *t = st_find(f, name);
    if (!t) {
        diag_error(c->d, IN_FILE(st_path(f)), "no tensor '%s'", name);
        return NULL;
    }
    int32_t *x = ARENA_ARRAY(c->arena, int32_t, t->elements);
    *n = t->elements;
    return st_to_i32(t, x, st_path(f), c->d) ? x : NULL;
}

/* ---- a path: tokens, and the logits that chose them ---------------------------------------------- */

typedef struct {
    const char *tokens, *logits; /* names */
    bool greedy;                 /* these logits chose these tokens */
    int32_t *ids;                /* [prompt + n]: the prompt, then tokens */
    int64_t n;
    result_t want, got; /* [1][n][vocab] */
} path_t;

static float *at_step(const path_t *p, int64_t step) {
    return (float *)p->got.data + step * p->got.shape[2];
}

static bool read_path(case_t *c, path_t *p) {
    int64_t n = 0;
    const int32_t *prompt = integers(c, c->inputs, "input_ids", &c->prompt);
    const int32_t *tokens = integers(c, c->outputs, p->tokens, &n);
    const st_tensor_t *t = st_find(c->outputs, p->logits);
    if (!prompt || !tokens || !t || t->rank != 3) return false;
    p->n = c->limit && c->limit < n ? c->limit : n;
    p->ids = ARENA_ARRAY(c->arena, int32_t, c->prompt + n);
    memcpy(p->ids, prompt, sizeof *prompt * (size_t)c->prompt);
    memcpy(p->ids + c->prompt, tokens, sizeof *tokens * (size_t)n);
    p->want = (result_t){.name = "logits", .dtype = REFORMER_F32, .rank = 3};
    memcpy(p->want.shape, (int64_t[]){1, p->n, t->shape[2]}, 3 * sizeof(int64_t));
    p->want.data = ARENA_ARRAY(c->arena, float, t->elements);
    p->want.bytes = sizeof(float) * (size_t)(p->n * t->shape[2]);
    p->got = p->want;
    p->got.data = ARENA_ARRAY(c->arena, float, t->elements);
    return st_to_f32(t, p->want.data, st_path(c->outputs), c->d);
}

static int32_t choice(const float *logits, int64_t n) {
    int32_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = (int32_t)i;
    return best;
}

static bool judge(const case_t *c, const path_t *p, const char *what) {
    int64_t wrong = 0, first = -1;
    for (int64_t s = 0; p->greedy && s < p->n; s++) {
        if (choice(at_step(p, s), p->got.shape[2]) == p->ids[c->prompt + s]) continue;
        if (wrong++ == 0) first = s;
    }
    difference_t x = compare_tensors(&p->want, &p->got);
    bool ok = p->n > 0 && wrong == 0 && difference_allowed(&x, "logits");
    printf("%s %-36s %lld tokens", ok ? "ok  " : "FAIL", what, (long long)p->n);
    if (p->greedy) printf(", %lld others", (long long)wrong);
    if (wrong) printf(" (from %lld on)", (long long)first);
    printf("; logits within %.3g of %.3g\n", x.absolute, x.magnitude);
    if (!ok)
        printf("     step %lld: %.9g, Hugging Face has %.9g\n", (long long)(x.at / p->got.shape[2]),
               x.got, x.want);
    return ok;
}

/* ---- cached -------------------------------------------------------------------------------------- */

static bool went_well(case_t *c, int code) {
    if (code > REFORMER_OK) diag_error(c->d, NOWHERE, "%s", reformer_strerror(code));
    return code == REFORMER_OK;
}

static bool generate(case_t *c, const path_t *p, exec_cache_t *cache) {
    reformer_decode_t io = {.size = sizeof io,
                            .input_ids = p->ids,
                            .length = (size_t)c->prompt,
                            .threads = c->s.threads,
                            .pool = pool_interface(c->s.pool)};
    io.logits = at_step(p, 0);
    if (!went_well(c, exec_prefill(cache, &io, c->d))) return false;
    for (int64_t s = 1; s < p->n; s++) {
        io.input_ids = p->ids + c->prompt + s - 1;
        io.logits = at_step(p, s);
        if (!went_well(c, exec_step(cache, &io, c->d))) return false;
    }
    size_t tokens = exec_cache_tokens(cache, 0), want = (size_t)(c->prompt + p->n - 1);
    if (tokens != want) printf("FAIL the cache holds %zu tokens, not %zu\n", tokens, want);
    return tokens == want;
}

static bool cached(case_t *c) {
    bool checkpoint = st_find(c->outputs, "tokens");
    path_t p = {.tokens = checkpoint ? "tokens" : "cached_tokens",
                .logits = checkpoint ? "logits" : "cached_logits",
                .greedy = true};
    if (!read_path(c, &p)) return false;
    exec_cache_t *cache =
        exec_cache_new(c->s.exec, (size_t)(c->prompt + p.n), (size_t)c->prompt, c->s.threads, c->d);
    bool ok = cache && generate(c, &p, cache) && judge(c, &p, "cached");
    exec_cache_free(cache);
    return ok;
}

/* ---- uncached ------------------------------------------------------------------------------------ */

static bool recompute(case_t *c, path_t *p, const char *what) {
    if (!read_path(c, p)) return false;
    int64_t vocab = p->got.shape[2];
    float *all = ARENA_ARRAY(c->arena, float, (c->prompt + p->n) * vocab);
    for (int64_t s = 0; s < p->n; s++) {
        int64_t length = c->prompt + s;
        reformer_io_t io = {.size = sizeof io,
                            .input_ids = p->ids,
                            .batch = 1,
                            .length = (size_t)length,
                            .threads = c->s.threads,
                            .pool = pool_interface(c->s.pool),
                            .logits = all};
        if (!exec_forward(c->s.exec, &io, c->d)) return false;
        memcpy(at_step(p, s), all + (length - 1) * vocab, sizeof *all * (size_t)vocab);
    }
    return judge(c, p, what);
}

static bool uncached(case_t *c) {
    path_t greedy = {.tokens = "uncached_tokens", .logits = "uncached_logits", .greedy = true};
    path_t along = {.tokens = "cached_tokens", .logits = "uncached_logits_on_cached_path"};
    bool ok = recompute(c, &greedy, "full forwards");
    return recompute(c, &along, "full forwards along the cached path") && ok;
}

/* ---- main ---------------------------------------------------------------------------------------- */

static bool compare(case_t *c, const char *mode, int n_options, char **options) {
    static const struct {
        const char *name;
        bool (*check)(case_t *c);
    } modes[] = {{"cached", cached}, {"uncached", uncached}};
    options_t o;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(mode, modes[i].name) == 0)
            return open_model(c, &o, n_options, options) && open_tensors(c) && modes[i].check(c);
    diag_error(c->d, NOWHERE, "no mode '%s'", mode);
    return false;
}

int main(int argc, char **argv) {
    if (argc < 4 || argc > MAX_ARGS / 2) {
        fputs("usage: decode cached|uncached FOLDER TOKENS [run options]\n", stderr);
        return 2;
    }
    case_t c = {.folder = argv[2], .limit = atoll(argv[3]), .arena = arena_new(), .d = diag_new()};
    bool ok = compare(&c, argv[1], argc - 4, argv + 4) && diag_errors(c.d) == 0;
    diag_print(c.d, stderr);
    session_free(&c.s);
    if (c.inputs) st_close(c.inputs);
    if (c.outputs) st_close(c.outputs);
    diag_free(c.d);
    arena_free(c.arena);
    return !ok;
}
