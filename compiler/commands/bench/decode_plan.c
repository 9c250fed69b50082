/* What `bench --decode` is asked for, and the plans for it; all that can be wrong is found
 * before anything is compiled. */
#include "commands/bench/decode.h"
#include "session/timed.h"

enum { DEFAULT_TOKENS = 64, MAX_TOKENS = 1 << 20 };

bool decode_tokens(bench_t *b) {
    const char *text = b->o->text[OPT_DECODE_TOKENS];
    int64_t list[MAX_LIST] = {DEFAULT_TOKENS};
    int n = 1;
    if (text && !list_numbers("--tokens", text, MAX_TOKENS, list, &n, b->d)) return false;
    if (n != 1) diag_error(b->d, IN_FILE("--tokens"), "one number, not %d", n);
    b->tokens = (int)list[0];
    return n == 1;
}

/* Steps that follow a context, one of every round and turn unmeasured. */
int64_t decode_steps(const bench_t *b) {
    return (int64_t)b->n_threads * b->repeat * (b->tokens + 1);
}

void decode_lengths(bench_t *b, int64_t positions) {
    static const int64_t usual[] = {1000, 16000, 64000};
    int64_t max = positions - decode_steps(b);
    for (size_t k = 0; k < sizeof usual / sizeof *usual; k++)
        if (usual[k] <= max) b->lengths[b->n_lengths++] = usual[k];
    if (b->n_lengths == 0) b->lengths[b->n_lengths++] = max > 1 ? max : 1;
}

/* One artefact holds contexts of all lengths: no length is compiled in. */
options_t decode_options(const bench_t *b, arena_t *a, int batch, int target) {
    options_t o = timed_options(b->o, a, 1, b->batches[batch], b->targets[target], b->max_threads);
    options_set(&o, "compile.sequence_length", "dynamic");
    return o;
}

bool decode_plan(session_t *s) {
    session_plan_t want = {.name = "model", .runs = true, .decodes = true};
    if (!session_spec(s)) return false;
    if (s->model.facts.head == ARCH_CAUSAL_LM && !session_plan(s, &want)) return false;
    if (s->plan && s->plan->step) return true;
    diag_error(s->d, IN_FILE("--decode"), "%s is no causal language model: it does not generate",
               s->o->model);
    diag_hint(s->d, "`is_decoder: true` and `architectures: [ReformerModelWithLMHead]` make one");
    return false;
}

static bool check_lengths(const bench_t *b, const plan_t *p, diag_t *d) {
    bool ok = true;
    int64_t longest = p->prefills[p->n_variants - 1].max_length, steps = decode_steps(b);
    for (int k = 0; k < b->n_lengths; k++) {
        bool fits = b->lengths[k] <= longest && b->lengths[k] <= p->positions - steps;
        if (fits) continue;
        ok = false;
        diag_error(d, IN_FILE("--lengths"),
                   "%lld tokens and %lld steps are more than the %lld positions hold",
                   (long long)b->lengths[k], (long long)steps, (long long)p->positions);
    }
    if (!ok)
        diag_hint(d, "fewer --tokens or --repeat, or more positions: max_position_embeddings, "
                     "axial_pos_shape");
    return ok;
}

/* Of the first plan all that there is to say, of the others what is an error. */
static bool check_plan(bench_t *b, int batch, int target) {
    bool first = batch == 0 && target == 0;
    diag_t *d = first ? b->d : diag_new();
    options_t o = decode_options(b, b->arena, batch, target);
    session_t s = session_new(&o, d);
    bool ok = decode_plan(&s) && (!first || check_lengths(b, s.plan, d));
    for (int l = 0; ok && l < b->n_lengths; l++)
        for (int t = 0; t < b->n_threads; t++)
            bench_case(b, l, batch, target, t)->target = s.plan->targets[0];
    session_free(&s);
    if (!first && !ok) diag_append(b->d, d);
    if (!first) diag_free(d);
    return ok;
}

bool decode_each_plan(bench_t *b, decode_plan_fn *fn) {
    for (int n = 0; n < b->n_batches; n++)
        for (int t = 0; t < b->n_targets; t++)
            if (!fn(b, n, t)) return false;
    return true;
}

bool decode_check(bench_t *b) {
    return decode_each_plan(b, check_plan);
}
