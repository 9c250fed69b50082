/* reformerc bench: how fast compiled code is, and how much of this machine it uses. Of forwards, or
 * with --decode of steps of generation.
 *
 * In: a model, lists of lengths, batches, targets and threads. Out: for each combination the speed,
 * the share of the fma peak that was measured between the runs, memory, and the same per kind of
 * kernel; tables on stdout and files by suffix. All combinations are checked
 * before the first is measured. */
#include "commands/bench/bench.h"

#include <string.h>

#include "cli/help.h"
#include "cli/interrupt.h"
#include "commands/bench/decode.h"
#include "commands/commands.h"
#include "exec/targets.h"
#include "session/timed.h"
#include "support/file.h"

enum { DEFAULT_REPEAT = 7, MAX_BATCH = 1 << 20 };

/* ---- options --------------------------------------------------------------------------------- */

/* "backend=c", "target=x86-64-v3", "num_hashes=2", else a spec. */
static bool parse_vs(bench_t *b) {
    const char *text = b->o->text[OPT_VS], *equals = text ? strchr(text, '=') : NULL;
    if (!text) return true;
    b->vs = VS_MODEL;
    if (!equals || equals == text || file_exists(text) || is_directory(text)) return true;
    b->vs_setting = (setting_t){.key = arena_strndup(b->arena, text, (size_t)(equals - text)),
                                .value = equals + 1};
    int n;
    b->vs = VS_SETTING;
    if (strcmp(b->vs_setting.key, "backend") == 0) {
        b->vs = VS_BACKEND;
        return backend_parse(equals + 1, "--vs", &b->vs_backend, b->d);
    }
    if (strcmp(b->vs_setting.key, "target") != 0) return true;
    b->vs = VS_TARGET;
    if (!targets_parse(b->arena, equals + 1, "--vs", b->vs_target, &n, b->d)) return false;
    if (n == 1) return check_target_runs(b->vs_target[0], "--vs", b->d);
    diag_error(b->d, IN_FILE("--vs"), "one target, not %d", n);
    return false;
}

static bool check_backend(bench_t *b) {
    const backend_t asked[] = {b->o->backend, b->vs == VS_BACKEND ? b->vs_backend : b->o->backend};
    static const char *const where[] = {"--backend", "--vs"};
    for (int k = 0; k < 2; k++)
        if (!timed_backend(asked[k], where[k], b->d)) return false;
    return true;
}

static bool parse_threads(bench_t *b) {
    const char *text = b->o->text[OPT_THREAD_COUNTS];
    b->n_threads = 1;
    b->threads[0] = session_threads(b->o);
    if (text && !list_numbers("--threads", text, MAX_THREADS, b->threads, &b->n_threads, b->d))
        return false;
    for (int k = 0; k < b->n_threads; k++)
        if (b->threads[k] > b->max_threads) b->max_threads = (int)b->threads[k];
    return true;
}

/* The spec is read for every case. */
static bool check_model(const bench_t *b) {
    if (!check_model_rereadable(b->o, b->d)) return false;
    if (b->vs != VS_MODEL || strcmp(b->o->text[OPT_VS], "-") != 0) return true;
    diag_error(b->d, IN_FILE("--vs"), "'-' can be read once only; a file or a folder is needed");
    return false;
}

static bool parse_decode(bench_t *b) {
    const options_t *o = b->o;
    b->decodes = o->given[OPT_DECODE];
    if (!b->decodes && o->given[OPT_DECODE_TOKENS]) {
        diag_error(b->d, IN_FILE("--tokens"), "are steps of generation");
        diag_hint(b->d, "--decode measures them");
        return false;
    }
    if (b->decodes && o->given[OPT_TRAIN]) {
        diag_error(b->d, IN_FILE("--train"),
                   "measures train steps, and --decode those of generation");
        return false;
    }
    if (b->decodes && o->given[OPT_VS]) {
        diag_error(b->d, IN_FILE("--vs"), "compares forwards, not steps of generation");
        return false;
    }
    return decode_tokens(b);
}

static bool parse_options(bench_t *b) {
    bool ok = list_repeat(b->o, DEFAULT_REPEAT, &b->repeat, b->d);
    ok = parse_vs(b) && ok; /* all that is wrong is told at once */
    ok = parse_decode(b) && ok;
    ok = parse_threads(b) && ok;
    ok = list_targets(b->o, b->targets, &b->n_targets, b->d) && ok;
    return ok && check_backend(b) && check_model(b);
}

/* ---- lengths and batches --------------------------------------------------------------------- */

/* What the model says; where it leaves the length open, some that it allows. */
static void lengths_of(bench_t *b, const loaded_model_t *m) {
    static const int64_t usual[] = {1024, 4096, 16384};
    int64_t lengths[MAX_GRAPHS], max = m->facts.longest;
    int n = model_lengths(m, lengths);
    b->n_lengths = 0;
    for (int k = 0; k < n && b->n_lengths < MAX_LIST; k++) b->lengths[b->n_lengths++] = lengths[k];
    for (size_t k = 0; n == 0 && k < sizeof usual / sizeof *usual; k++)
        if (usual[k] <= max) b->lengths[b->n_lengths++] = usual[k];
    if (b->n_lengths == 0) b->lengths[b->n_lengths++] = max;
}

static bool choose_sizes(bench_t *b) {
    const options_t *o = b->o;
    const char *lengths = o->text[OPT_LENGTHS], *batches = o->text[OPT_BATCHES];
    if (lengths && !list_numbers("--lengths", lengths, MAX_LENGTH, b->lengths, &b->n_lengths, b->d))
        return false;
    if (batches && !list_numbers("--batches", batches, MAX_BATCH, b->batches, &b->n_batches, b->d))
        return false;
    if (lengths && batches) return true;
    loaded_model_t m;
    if (!model_load(b->arena, &m, o->model, o->sets, o->n_sets, b->d)) return false;
    if (!lengths && b->decodes) decode_lengths(b, m.facts.positions);
    else if (!lengths) lengths_of(b, &m);
    if (!batches) b->batches[b->n_batches++] = model_batch(&m);
    return true;
}

/* ---- cases ----------------------------------------------------------------------------------- */

/* The first one's messages with all that they quote, of the others what is an error. */
static bool check_side(bench_t *b, const bench_case_t *c, const char *target, bool other,
                       const target_t **found) {
    options_t o = bench_options(b, b->arena, c->length, c->batch, target, other);
    if (c == b->cases) return bench_check(b, &o, c->length, other, found, b->d);
    diag_t *d = diag_new();
    bool ok = bench_check(b, &o, c->length, other, found, d);
    if (!ok) diag_append(b->d, d);
    diag_free(d);
    return ok;
}

/* The cases of one build, one per number of threads. */
static bool check_build(bench_t *b, bench_case_t *cases, const char *target) {
    const target_t *mine = NULL, *theirs = NULL;
    if (!check_side(b, cases, target, false, &mine)) return false;
    if (b->vs != VS_NOTHING && !check_side(b, cases, target, true, &theirs)) {
        diag_error(b->d, IN_FILE("--vs"), "'%s' is no model that can be measured",
                   b->o->text[OPT_VS]);
        return false;
    }
    for (int t = 0; t < b->n_threads; t++) cases[t].target = mine;
    return true;
}

typedef bool build_fn(bench_t *b, bench_case_t *cases, const char *target);

static bool each_build(bench_t *b, build_fn *fn) {
    bench_case_t *c = b->cases;
    for (int k = 0; k < b->n_lengths * b->n_batches; k++)
        for (int t = 0; t < b->n_targets; t++, c += b->n_threads)
            if (!fn(b, c, b->targets[t])) return false;
    return true;
}

static void make_cases(bench_t *b) {
    b->n_cases = b->n_lengths * b->n_batches * b->n_targets * b->n_threads;
    b->cases = ARENA_ARRAY(b->arena, bench_case_t, b->n_cases);
    b->machines = ARENA_ARRAY(b->arena, bench_machine_t, b->n_targets * b->n_threads);
    bench_case_t *c = b->cases;
    for (int l = 0; l < b->n_lengths; l++)
        for (int n = 0; n < b->n_batches; n++)
            for (int k = 0; k < b->n_targets * b->n_threads; k++, c++)
                *c = (bench_case_t){.length = b->lengths[l],
                                    .batch = b->batches[n],
                                    .threads = (int)b->threads[k % b->n_threads]};
}

/* ---- the run --------------------------------------------------------------------------------- */

static bool check_all(bench_t *b) {
    return b->decodes ? decode_check(b) : each_build(b, check_build);
}

static bool measure_all(bench_t *b) {
    return b->decodes ? decode_measure(b) : each_build(b, bench_measure);
}

static bool make_pools(bench_t *b) {
    for (int k = 0; k < b->n_threads; k++) {
        b->pools[k] = pool_new((int)b->threads[k]);
        if (pool_threads(b->pools[k]) == b->threads[k]) continue;
        diag_error(b->d, IN_FILE("--threads"), "the system does not give %lld threads",
                   (long long)b->threads[k]);
        return false;
    }
    return true;
}

static void announce(const bench_t *b) {
    fprintf(stderr, "%d case%s, %d rounds each", b->n_cases, b->n_cases == 1 ? "" : "s", b->repeat);
    if (b->decodes) fprintf(stderr, " of %d steps", b->tokens);
    fprintf(stderr, "; back end %s\n", backend_names[b->o->backend]);
}

static bool report(bench_t *b) {
    sbuf_t tables = {0};
    render_bench(b, &tables);
    bool printed = print_out(&tables, b->d);
    sbuf_free(&tables);
    return bench_write_outputs(b) && printed;
}

/* What is done is told in any case. */
static int finish(bench_t *b, bool measured) {
    int signal = interrupt_caught();
    bool ok = measured || signal;
    if (some_case_is_done(b)) ok = report(b) && ok;
    if (signal) fprintf(stderr, "interrupted\n");
    return signal ? 128 + signal : ok ? 0 : EXIT_VALUE;
}

static int bench(bench_t *b) {
    if (!parse_options(b) || !bench_check_outputs(b) || !choose_sizes(b)) return EXIT_VALUE;
    make_cases(b);
    if (!check_all(b) || !make_pools(b)) return EXIT_VALUE;
    announce(b);
    b->steps = (int64_t)b->n_cases * b->repeat;
    b->bar = progress_new("rounds", 5);
    interrupt_catch();
    return finish(b, measure_all(b));
}

int command_bench(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    int missing = check_needed(o, NULL, 0);
    if (missing) return missing;
    bench_t b = {.o = o, .d = d, .arena = o->arena};
    int code = bench(&b);
    for (int k = 0; k < b.n_threads; k++) pool_free(b.pools[k]);
    return code;
}
