/* Walks the limits of every key of the schema through all that a translation does: spec, graph, plan, lowering,
 * verification, passes, advice, C and LLVM.
 *
 *     limits short|long|keys|pairs|random SEED [NUMBER]
 *
 * In: the rows of schema.def, a value or a few for each end of each. Out: a line for each combination that fails; its
 * settings are those of --set. Every combination either becomes code or is refused by an error that stands at a key,
 * within limits of time, memory and size of code, and what lies beyond a range is refused by the name of its key. Time
 * is counted in translations of a small model, of which the machine is asked how long it takes for one.
 * They run in processes of their own, so that one that ends its process (bug(), a signal, the clock) hides no other.
 *
 *   short   each value of each key in a model of one kind, the kinds in turn; a few random combinations of many keys
 *   long    each value of each key in models of a dozen kinds; all pairs of values of two keys that make shapes; many
 *           random combinations; code for LLVM too, verified after each pass
 *
 * and its parts. With NUMBER, as FAIL tells it, that combination alone, in this process. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cost/advice.h"
#include "cost/budget.h"
#include "emit/llvm.h"
#include "random_model.h"
#include "spec/schema.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SLOWDOWN 20
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOWDOWN 20
#endif
#endif
#ifndef SLOWDOWN
#define SLOWDOWN 1
#endif

/* Machines are busy, so it is the time of the process that counts. */
enum {
    MAX_UNITS = 120,
    UNITS = 8, /* that are measured together */
    MAX_MEGABYTES = 1024,
    MAX_CODE = 64 << 20, /* of C for one target, 64 lengths of it */
    MAX_SETS = 24,
    TOGETHER = 24 /* in one process, as long as all goes well */
};

typedef struct {
    setting_t set[MAX_SETS];
    int n;
    const char *beyond; /* the key whose value must be refused; NULL: none */
    bool only_read;     /* as a spec: no code depends on it */
    int target;
} walk_t;

/* ---- models ------------------------------------------------------------------------------------------------- */

static const char model_text[] =
    "hidden_size: 32\nnum_attention_heads: 2\nattention_head_size: 16\n"
    "feed_forward_size: 40\nvocab_size: 64\nmax_position_embeddings: 256\n"
    "axial_pos_shape: [16, 16]\naxial_pos_embds_dim: [12, 20]\n"
    "lsh_attn_chunk_length: 16\nlocal_attn_chunk_length: 8\nnum_hashes: 2\n"
    "hash_seed: 1\n";

static const struct {
    const char *name, *decoder;
} kinds[] = {{"[ReformerModelWithLMHead]", "true"},
             {"[ReformerForMaskedLM]", "false"},
             {"[ReformerForSequenceClassification]", "false"},
             {"[ReformerForQuestionAnswering]", "true"},
             {"[ReformerModel]", "false"}};
static const char *const layers[] = {"[local, lsh]", "[lsh]", "[local]"};
static const char *const lengths[] = {"dynamic", "100", "[7, 60, 200]", "null"};
static const char *const positions[] = {"true", "false"};
enum {
    N_KINDS = sizeof kinds / sizeof *kinds,
    N_LAYERS = sizeof layers / sizeof *layers,
    N_LENGTHS = sizeof lengths / sizeof *lengths,
    N_POSITIONS = sizeof positions / sizeof *positions,
    N_MODELS = N_KINDS * N_LAYERS * N_LENGTHS * N_POSITIONS
};

static void set(walk_t *w, const char *key, const char *value) {
    for (int k = 0; k < w->n; k++)
        if (strcmp(w->set[k].key, key) == 0) {
            w->set[k].value = value;
            return;
        }
    w->set[w->n++] = (setting_t){.key = key, .value = value};
}

/* One of N_MODELS; each kind in turn, as causal LMs do the most. */
static void set_model(walk_t *w, int model) {
    int kind = model % N_KINDS;
    model /= N_KINDS;
    set(w, "architectures", kinds[kind].name);
    set(w, "is_decoder", kinds[kind].decoder);
    set(w, "compile.sequence_length", lengths[model % N_LENGTHS]);
    model /= N_LENGTHS;
    set(w, "attn_layers", layers[model % N_LAYERS]);
    set(w, "axial_pos_embds", positions[model / N_LAYERS % N_POSITIONS]);
}

/* ---- values of a key ------------------------------------------------------------------------------------------ */

enum { MAX_VALUES = 64 };

typedef struct {
    arena_t *a;
    const key_info_t *k;
    bool few; /* both ends, and what is cheap */
    struct {
        const char *text;
        bool beyond;
    } v[MAX_VALUES];
    int n;
} values_t;

static void add(values_t *v, const char *text, bool beyond) {
    for (int k = 0; k < v->n; k++)
        if (strcmp(v->v[k].text, text) == 0) return;
    if (v->n == MAX_VALUES) return;
    v->v[v->n].text = text;
    v->v[v->n++].beyond = beyond;
}

static const char *integer(values_t *v, double x) {
    return arena_printf(v->a, "%.0f", x);
}

static double clip(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

/* Both ends, the numbers beside them, and some between. */
static void integers(values_t *v) {
    double low = clip(v->k->low, -9.2e18, 9.2e18), high = clip(v->k->high, -9.2e18, 9.2e18);
    const double inside[] = {low, high, low + 1, 17, 136, high - 1, 0, 1, 2, 3, 64, 1023, 65536};
    for (size_t i = 0; i < (v->few ? 5 : sizeof inside / sizeof *inside); i++)
        if (inside[i] >= low && inside[i] <= high) add(v, integer(v, inside[i]), false);
    if (isfinite(v->k->low)) add(v, integer(v, low - 1), true);
    if (isfinite(v->k->high)) add(v, integer(v, high + 1), true);
    add(v, "99999999999999999999", true);
    add(v, "1.5", true);
}

static void nullable(values_t *v) {
    integers(v);
    add(v, "null", false);
}

static void reals(values_t *v) {
    double low = v->k->low, high = v->k->high;
    const double inside[] = {low, high, (low + high) / 2, low + 1e-300, low + 1e-45};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        add(v, arena_printf(v->a, "%.17g", inside[i]), false);
    add(v, arena_printf(v->a, "%.17g", low - 1e-9), true);
    add(v, arena_printf(v->a, "%.17g", high * 1.001), true);
    add(v, ".nan", true);
    add(v, ".inf", true);
}

static void booleans(values_t *v) {
    add(v, "true", false);
    add(v, "false", false);
    add(v, "2", true);
}

static void words(values_t *v) {
    for (const word_t *w = v->k->words; w->word; w++) add(v, w->word, false);
    add(v, "nothing_of_the_kind", true);
}

/* `n` times the same, as a list. */
static const char *repeated(values_t *v, const char *item, int n) {
    sbuf_t s = {0};
    for (int i = 0; i < n; i++) sbuf_printf(&s, "%s%s", i ? ", " : "[", item);
    sbuf_puts(&s, n ? "]" : "[]");
    char *text = arena_strdup(v->a, s.data);
    sbuf_free(&s);
    return text;
}

static void lists(values_t *v) {
    const char *low = integer(v, v->k->low), *high = integer(v, v->k->high);
    for (int n = 0; n <= MAX_AXIAL; n += v->few ? MAX_AXIAL : 1) {
        add(v, repeated(v, low, n), false);
        add(v, repeated(v, high, n), false);
    }
    add(v, "[256, 1]", false);
    add(v, "[16, 16]", false);
    add(v, "[1, 31]", false);
    add(v, "[2, 2, 2, 2, 24]", false);
    add(v, repeated(v, low, MAX_AXIAL + 1), true);
    add(v, repeated(v, integer(v, v->k->high + 1), 2), true);
    add(v, repeated(v, integer(v, v->k->low - 1), 2), true);
}

static void buckets(values_t *v) {
    const char *high = integer(v, v->k->high);
    static const char *const inside[] = {"null", "1",  "2",         "3",           "64",
                                         "4096", "[]", "[2, 4, 8]", "[1024, 1024]"};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) add(v, inside[i], false);
    add(v, repeated(v, "2", MAX_FACTORS), false);
    add(v, high, false);
    add(v, repeated(v, high, 1), false);
    add(v, repeated(v, high, 2), false);
    add(v, repeated(v, high, MAX_FACTORS), false);
    add(v, "[2, 1048576]", false);
    add(v, "[8, 1048576]", false);
    add(v, "[4096, 4096]", false);
    add(v, "0", true);
    add(v, integer(v, v->k->high + 2), true);
    add(v, repeated(v, "2", MAX_FACTORS + 1), true);
}

static void tokens(values_t *v) {
    nullable(v);
    add(v, "[]", false);
    add(v, repeated(v, "3", 1000), false);
}

static void layer_lists(values_t *v) {
    static const int counts[] = {1, 2, 17, MAX_LAYERS};
    for (size_t i = 0; i < (v->few ? 3 : sizeof counts / sizeof *counts); i++)
        for (const word_t *w = layer_words; w->word; w++)
            add(v, repeated(v, w->word, counts[i]), false);
    add(v, repeated(v, "local, lsh", MAX_LAYERS / 2), false);
    add(v, "[]", true);
    add(v, repeated(v, "lsh", MAX_LAYERS + 1), true);
}

/* Each setting of a layer of its own, at both ends of what the model's own key takes, in the first layer. */
static void layer_settings(values_t *v) {
    for (const spec_key_t *key = layer_keys; *key != KEY_COUNT; key++) {
        const key_info_t *k = &schema[*key];
        if (!k->words && isfinite(k->low))
            add(v, arena_printf(v->a, "[{%s: %.0f}]", k->name, k->low), false);
        if (!k->words && isfinite(k->high)) {
            add(v, arena_printf(v->a, "[{%s: %.0f}]", k->name, k->high), false);
            add(v, arena_printf(v->a, "[{%s: %.0f}]", k->name, k->high + 2), true);
        }
        if (v->few && v->n >= 12) break;
    }
    add(v, "[{hidden_act: gelu}]", false);
    add(v, "[]", false);
    add(v, "[null]", false);
    add(v, "[{hidden_size: 8}]", true);
    add(v, repeated(v, "null", MAX_LAYERS + 1), true);
}

static void labels(values_t *v) {
    add(v, "{0: a}", false);
    add(v, "{0: a, 1: b}", false);
    add(v, "{0: a, 1: b, 2: c, 3: d, 4: e}", false);
    add(v, "{a: a}", true);
}

static const char *ascending(values_t *v, int n, int step) {
    sbuf_t s = {0};
    for (int i = 0; i < n; i++) sbuf_printf(&s, "%s%d", i ? ", " : "[", 1 + i * step);
    sbuf_puts(&s, "]");
    char *text = arena_strdup(v->a, s.data);
    sbuf_free(&s);
    return text;
}

static void length_lists(values_t *v) {
    integers(v);
    static const int ns[] = {1, 2, 10, MAX_LENGTHS};
    for (size_t i = 0; i < sizeof ns / sizeof *ns; i++) {
        if (!v->few || ns[i] < MAX_LENGTHS) add(v, ascending(v, ns[i], 1), false);
        add(v, ascending(v, ns[i], 4), false);
    }
    add(v, "dynamic", false);
    add(v, "null", false);
    add(v, ascending(v, MAX_LENGTHS + 1, 1), true);
    add(v, "[5, 5]", true);
}

static void texts(values_t *v) {
    add(v, v->k->kind == KIND_NAME ? "m" : "bytes", false);
    add(v, v->k->kind == KIND_NAME ? repeated(v, "m", 1) : "[]", true);
}

static void budgets(values_t *v) {
    add(v, "\"<= 64 k\"", v->k->kind == KIND_BYTES);
    add(v, "\"<= 1e300\"", false);
    add(v, "\"<= 64 MiB\"", v->k->kind == KIND_FLOPS);
    add(v, "\"<= nan\"", true);
}

static void memories(values_t *v) {
    add(v, "reversible", false);
    add(v, "auto", false);
    add(v, "1e300 TiB", true); /* no number of bytes */
    add(v, "1e300", false);
    add(v, "64 MiB", false);
    add(v, "0", true);
}

static void patterns(values_t *v) {
    add(v, "null", false);
    add(v, "[]", false);
    add(v, "'*'", false);
    add(v, "[a, 'b?', '[']", false);
    add(v, "[[a]]", true);
    add(v, "[null]", true);
    add(v, "{a: b}", true);
}

static void pairs(values_t *v) {
    add(v, "[0, 0]", false);
    add(v, "[0.5, 1e-300]", false);
    add(v, "0.5", v->k->kind == KIND_PAIR);
    add(v, "[0.5]", true);
    add(v, "[0.5, 2]", true);
    add(v, "[0.5, 0.5, 0.5]", true);
}

static void factors(values_t *v) {
    for (const word_t *w = v->k->words; w->word; w++) add(v, w->word, false);
    add(v, "constant * rsqrt_decay", false);
    add(v, repeated(v, "constant", REFORMER_FACTORS), false);
    add(v, repeated(v, "constant", REFORMER_FACTORS + 1), true);
    add(v, "constant *", true);
    add(v, "[]", true);
}

static void nothing(values_t *v) {
    add(v, "{}", false);
    add(v, "{1: [2]}", true);
}

static void anything(values_t *v) {
    add(v, "{a: [1, null]}", false);
}

static void model_type(values_t *v) {
    add(v, "reformer", false);
    add(v, "bert", true);
}

static void architectures(values_t *v) {
    for (const word_t *w = architecture_words; w->word; w++)
        add(v, arena_printf(v->a, "[%s]", w->word), false);
    add(v, "null", false);
    add(v, "[GPT2Model]", true);
}

/* A kind that is not here makes every walk fail: limits must be thought of for a new one too. */
typedef void values_fn(values_t *v);
static values_fn *const values_of_kind[] = {
    [KIND_INT] = integers,
    [KIND_INT_NULL] = nullable,
    [KIND_REAL] = reals,
    [KIND_REAL_NULL] = reals,
    [KIND_BOOL] = booleans,
    [KIND_WORD] = words,
    [KIND_INTS] = lists,
    [KIND_BUCKETS] = buckets,
    [KIND_TOKENS] = tokens,
    [KIND_LAYERS] = layer_lists,
    [KIND_ARCHITECTURES] = architectures,
    [KIND_LAYER_SETTINGS] = layer_settings,
    [KIND_LAYER_COUNT] = integers,
    [KIND_MODEL_TYPE] = model_type,
    [KIND_LABELS] = labels,
    [KIND_NAME] = texts,
    [KIND_STRING] = texts,
    [KIND_LENGTH] = length_lists,
    [KIND_TARGETS] = words,
    [KIND_TEXT] = texts,
    [KIND_PATTERNS] = patterns,
    [KIND_PAIR] = pairs,
    [KIND_EPS] = pairs,
    [KIND_FACTORS] = factors,
    [KIND_MEMORY] = memories,
    [KIND_BYTES] = budgets,
    [KIND_FLOPS] = budgets,
    [KIND_NOTHING] = nothing,
    [KIND_ANYTHING] = anything,
};

static values_t values_of(arena_t *a, int key, bool few) {
    values_t v = {.a = a, .k = &schema[key], .few = few};
    size_t n = sizeof values_of_kind / sizeof *values_of_kind;
    if ((size_t)v.k->kind >= n || !values_of_kind[v.k->kind]) {
        printf("%s: a kind of values that this test knows no limits of\n", v.k->full);
        exit(1);
    }
    values_of_kind[v.k->kind](&v);
    return v;
}

/* ---- one combination -------------------------------------------------------------------------------------------- */

/* What a translation to code for one target does. */
static bool translate(arena_t *a, const walk_t *w, bool thorough, diag_t *d) {
    spec_t *s = spec_parse(a, "model.yaml", model_text, strlen(model_text), w->set, w->n, d);
    if (!s || !spec_resolve_architecture(s, false, false, false, d)) return false;
    if (w->only_read) return true;
    plan_options_t o = {.name = "model", .n_targets = 1, .decodes = true};
    o.targets[0] = &targets[w->target];
    plan_t *p = plan_make(a, s, &o, d);
    pass_options_t passes = {.verify_each = thorough};
    if (!p || !plan_lower(p, &passes, d)) return false;
    advise(p, ADVICE_ALL, d);
    measure_plan(p, 2);
    emit_c_options_t eo = {.header_name = "model.h"};
    sbuf_t source = {0}, header = {0};
    emit_c(p, &eo, &source, &header);
    if (source.size > MAX_CODE) {
        printf("%zu bytes of C\n", source.size);
        exit(3);
    }
    sbuf_free(&source);
    sbuf_free(&header);
    llvm_units_t units = {0};
    if (thorough && llvm_version() && reformer_cpu_supports(w->target))
        llvm_units_make(p, a, &units);
    return true;
}

/* model.yaml:3:5: error: …, or --set KEY: error: … */
static bool stands_somewhere(const char *line) {
    static const char file[] = "model.yaml:", setting[] = "--set ";
    if (strncmp(line, setting, sizeof setting - 1) == 0) return true;
    return strncmp(line, file, sizeof file - 1) == 0 && line[sizeof file - 1] >= '0' &&
           line[sizeof file - 1] <= '9';
}

static int located_errors(char *text, const char *beyond) {
    bool named = beyond == NULL;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (!strstr(line, "error: ")) continue;
        if (!stands_somewhere(line)) {
            printf("no place: %s\n", line);
            return 3;
        }
        named = named || strstr(line, beyond);
    }
    if (!named) printf("the error does not name %s\n", beyond);
    return named ? 1 : 3;
}

/* Exit code: 0 code was made, 1 refused by errors as they should be, 3 anything that is wrong. */
static int walk_one(const walk_t *w, bool thorough) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    bool ok = translate(a, w, thorough, d);
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    diag_print(d, f);
    fclose(f);
    int code = ok ? 0 : 3;
    if (ok && w->beyond) printf("%s is taken beyond its range\n", w->beyond), code = 3;
    if (ok && diag_errors(d) > 0) printf("code in spite of errors:\n%s", text), code = 3;
    if (!ok && diag_errors(d) == 0) printf("refused without a word\n");
    if (!ok && diag_errors(d) > 0) code = located_errors(text, w->beyond);
    free(text);
    diag_free(d);
    arena_free(a);
    return code;
}

/* ---- in processes of their own --------------------------------------------------------------- */

/* What a child tells of each. */
typedef struct {
    bool done;
    int code;
    double seconds;
} told_t;

typedef struct {
    arena_t *arena;
    bool thorough;
    walk_t waiting[TOGETHER];
    int n_waiting, first;            /* first: the number of waiting[0] */
    told_t *told;                    /* [TOGETHER], shared with children */
    int code, refused, failed, only; /* only: of this number; -1: all */
    double unit;                     /* seconds that a small model takes */
    int again;                       /* the number of the last one that had to be tried again */
    double slowest;
    long largest;
} count_t;

static double process_seconds(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* A language model of two layers. */
static double unit_seconds(bool thorough) {
    walk_t w = {.target = T_X86_64_V3};
    set_model(&w, 0);
    double start = process_seconds();
    for (int i = 0; i < UNITS; i++)
        if (walk_one(&w, thorough) != 0) bug("the model that others are measured by is refused");
    return (process_seconds() - start) / UNITS;
}

static struct timeval max_time(const count_t *c) {
    double seconds = MAX_UNITS * c->unit;
    return (struct timeval){(time_t)seconds, (suseconds_t)(1e6 * fmod(seconds, 1))};
}

static void print_walk(const walk_t *w) {
    printf("    --target %s", targets[w->target].name);
    for (int k = 0; k < w->n; k++) {
        int n = (int)strlen(w->set[k].value);
        printf(" --set '%s=%.*s%s'", w->set[k].key, n > 200 ? 200 : n, w->set[k].value,
               n > 200 ? "…" : "");
    }
    printf("\n");
}

static void fail(count_t *c, int at, const char *why, long number) {
    printf("FAIL %d: %s %ld\n", c->first + at, why, number);
    print_walk(&c->waiting[at]);
    c->failed++;
}

_Noreturn static void be_child(count_t *c, int from) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    for (int k = from; k < c->n_waiting; k++) {
        struct itimerval clock = {.it_value = max_time(c)};
        setitimer(ITIMER_PROF, &clock, NULL);
        double start = process_seconds();
        int code = walk_one(&c->waiting[k], c->thorough);
        c->told[k] = (told_t){true, code, process_seconds() - start};
        if (code > 1) break;
    }
    fflush(stdout);
    _exit(0);
}

static void judge(count_t *c, int k) {
    const told_t *t = &c->told[k];
    if (t->seconds > c->slowest) c->slowest = t->seconds;
    if (t->code == 0) c->code++;
    else if (t->code == 1) c->refused++;
    else fail(c, k, "exit", t->code);
}

/* One process for as many as go well; returns the first that is not done. */
static int run_child(count_t *c, int from) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) be_child(c, from);
    int status = 0, k = from;
    struct rusage used;
    if (child < 0 || wait4(child, &status, 0, &used) != child) {
        perror("fork");
        exit(1);
    }
    for (; k < c->n_waiting && c->told[k].done; k++) judge(c, k);
    if (used.ru_maxrss > c->largest) c->largest = used.ru_maxrss;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return k;
    bool slow = WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
    if (slow && c->again != c->first + k) { /* or the machine has become so */
        c->again = c->first + k;
        c->unit = unit_seconds(c->thorough);
        return k;
    }
    if (WIFSIGNALED(status)) fail(c, k, "signal", WTERMSIG(status));
    else fail(c, k, "exit", WEXITSTATUS(status));
    return k + 1;
}

static void run_waiting(count_t *c) {
    memset(c->told, 0, TOGETHER * sizeof *c->told);
    for (int k = 0; k < c->n_waiting;) k = run_child(c, k);
    c->first += c->n_waiting;
    c->n_waiting = 0;
}

static void walk(count_t *c, const walk_t *w) {
    if (c->only >= 0) {
        if (c->first++ != c->only) return;
        c->first = c->only;
        print_walk(w);
        printf("exit %d\n", walk_one(w, c->thorough));
        c->first++;
        return;
    }
    c->waiting[c->n_waiting++] = *w;
    if (c->n_waiting == TOGETHER) run_waiting(c);
}

/* ---- the walks ----------------------------------------------------------------------------- */

/* What only training and bookkeeping read has no part in code: one value of it is translated, in the long form. */
static bool decides_code(const key_info_t *k) {
    bool trains = k->role == ROLE_TRAIN || strncmp(k->section, "train", 5) == 0;
    return !trains && k->role != ROLE_IGNORED && k->role != ROLE_PLAIN;
}

static void walk_value(count_t *c, const values_t *v, int value, int models, int turn) {
    bool beyond = v->v[value].beyond, code = decides_code(v->k) || (value == 0 && models > 1);
    for (int m = 0; m < (code && !beyond ? models : 1); m++) {
        walk_t w = {.target = turn % T_LEVELS, .only_read = !code};
        int any = turn + m * N_KINDS, decoder = turn / 2 / N_KINDS * N_KINDS;
        set_model(&w, models == 1 && turn % 2 == 0 ? decoder % N_MODELS : any % N_MODELS);
        set(&w, v->k->full, v->v[value].text);
        w.beyond = beyond ? v->k->name : NULL;
        walk(c, &w);
    }
}

static void walk_keys(count_t *c, int models) {
    int turn = 0;
    for (int key = 0; key < KEY_COUNT; key++) {
        values_t v = values_of(c->arena, key, models == 1);
        for (int k = 0; k < v.n; k++) walk_value(c, &v, k, models, turn++);
    }
}

/* Keys that two of make shapes, and what of them is trouble. */
static const struct {
    const char *key, *values[6];
} shapes[] = {
    {"attn_layers", {"[local]", "[lsh]", "[lsh, local, lsh]"}},
    {"hidden_size", {"1", "32", "1023", "65536"}},
    {"num_attention_heads", {"1", "7", "4096"}},
    {"attention_head_size", {"1", "17", "136", "1023", "4096"}},
    {"feed_forward_size", {"1", "33", "1048576"}},
    {"vocab_size", {"1", "33", "16777216"}},
    {"max_position_embeddings", {"1", "17", "4096", "1073741824"}},
    {"axial_pos_shape", {"[1, 1]", "[64, 64]", "[2, 4, 8, 16, 32]", "[1073741824, 1073741824]"}},
    {"lsh_attn_chunk_length", {"1", "17", "4096", "1048576"}},
    {"lsh_num_chunks_before", {"0", "3", "63", "1024"}},
    {"lsh_num_chunks_after", {"0", "3", "1024"}},
    {"local_attn_chunk_length", {"1", "17", "4096", "1048576"}},
    {"local_num_chunks_before", {"0", "3", "63", "1024"}},
    {"local_num_chunks_after", {"0", "3", "1024"}},
    {"num_hashes", {"1", "65", "256"}},
    {"num_buckets", {"null", "2", "1048576", "[2, 2, 2, 2, 2, 2, 2, 2]", "[4096, 4096]"}},
    {"num_labels", {"1", "2", "33", "1048576"}},
    {"compile.sequence_length", {"dynamic", "1", "100", "null", "[1, 16, 17, 256]"}},
    {"compile.batch_size", {"1", "3", "65536"}},
    {"compile.decode", {"corrected", "huggingface"}},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes, MAX_SHAPE_VALUES = 6 };

static void walk_pairs(count_t *c) {
    int turn = 0;
    for (int x = 0; x < N_SHAPES; x++)
        for (int y = x + 1; y < N_SHAPES; y++)
            for (int i = 0; i < MAX_SHAPE_VALUES && shapes[x].values[i]; i++)
                for (int j = 0; j < MAX_SHAPE_VALUES && shapes[y].values[j]; j++, turn++) {
                    walk_t w = {.target = turn % T_LEVELS};
                    set_model(&w,
                              turn % 3 ? turn % (N_MODELS / N_KINDS) * N_KINDS : turn % N_MODELS);
                    set(&w, "axial_pos_embds",
                        shapes[x].key[0] == 'a' && shapes[x].key[1] == 'x' ? "true" : "false");
                    set(&w, shapes[x].key, shapes[x].values[i]);
                    set(&w, shapes[y].key, shapes[y].values[j]);
                    walk(c, &w);
                }
}

/* As wide as the ranges are, small more often than large. */
static void draw_value(count_t *c, walk_t *w, const key_info_t *k) {
    double low = k->low, high = k->high;
    double x = low + pow(high - low + 1, (double)draw(1000) / 1000 * (double)(1 + draw(3)) / 3) - 1;
    set(w, k->full, arena_printf(c->arena, "%.0f", clip(x, low, high)));
}

static void walk_random(count_t *c, uint64_t seed, int n) {
    for (int i = 0; i < n; i++) {
        draw_begin(seed, i);
        walk_t w = {.target = (int)draw(T_LEVELS)};
        set_model(&w, (int)draw(N_MODELS));
        if (draw(2)) set(&w, "axial_pos_embds", "false");
        for (int k = 0; k < KEY_COUNT; k++)
            if (schema[k].role == ROLE_MODEL && schema[k].kind == KIND_INT && draw(3) == 0 &&
                w.n < MAX_SETS)
                draw_value(c, &w, &schema[k]);
        if (draw(3) == 0) set(&w, "num_buckets", shapes[15].values[draw(5)]);
        walk(c, &w);
    }
}

static const struct {
    const char *name;
    int models, random;
    bool pairs;
} walks[] = {
    {"short", 1, 30, false}, {"long", 12, 3000, true},   {"keys", 12, 0, false},
    {"pairs", 0, 0, true},   {"random", 0, 3000, false},
};
enum { N_WALKS = sizeof walks / sizeof *walks };

int main(int argc, char **argv) {
    int which = 0;
    while (argc > 2 && which < N_WALKS && strcmp(argv[1], walks[which].name) != 0) which++;
    if (argc < 3 || which == N_WALKS) {
        fprintf(stderr, "limits short|long|keys|pairs|random SEED [NUMBER]\n");
        return 2;
    }
    count_t c = {.arena = arena_new(),
                 .thorough = which > 0,
                 .only = argc > 3 ? atoi(argv[3]) : -1,
                 .again = -1,
                 .told = mmap(NULL, TOGETHER * sizeof *c.told, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    if (c.told == MAP_FAILED) return 1;
    if (c.only < 0) c.unit = unit_seconds(c.thorough);
    if (walks[which].models) walk_keys(&c, walks[which].models);
    if (walks[which].pairs) walk_pairs(&c);
    walk_random(&c, strtoull(argv[2], NULL, 10), walks[which].random);
    run_waiting(&c);
    printf(
        "%d combinations: %d became code, %d were refused, %d failed; at most %.2f s, %.0f times a "
        "small model's, %ld MB\n",
        c.first, c.code, c.refused, c.failed, c.slowest, c.slowest / c.unit, c.largest >> 10);
    arena_free(c.arena);
    return c.failed > 0 || (SLOWDOWN == 1 && c.largest >> 10 > MAX_MEGABYTES);
}
