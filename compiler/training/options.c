/* Options of `reformerc train` that are keys of the spec's section `train:`.
 *
 * In: the command line. Out: its settings, those of these options behind those of --set, since they
 * are the more particular word; errors name the option. */
#include <string.h>

#include "training/training.h"

static const struct {
    option_id_t id;
    const char *key, *shown;
} keys[] = {
    {OPT_TRAIN_TEXT, "train.text", "--text"},
    {OPT_TASK, "train.task", "--task"},
    {OPT_EVAL_TEXT, "train.eval_text", "--eval-text"},
    {OPT_EVAL_FRACTION, "train.eval_fraction", "--eval-fraction"},
    {OPT_STEPS, "train.steps", "--steps"},
    {OPT_EPOCHS, "train.epochs", "--epochs"},
    {OPT_MINUTES, "train.minutes", "--minutes"},
    {OPT_BATCH_SIZE, "train.batch_size", "--batch-size"},
    {OPT_ACCUMULATE, "train.accumulate", "--accumulate"},
    {OPT_LENGTH, "train.sequence_length", "--length"},
    {OPT_LR, "train.optimizer.lr", "--lr"},
    {OPT_EVAL_EVERY, "train.eval_every", "--eval-every"},
    {OPT_EVAL_WINDOWS, "train.eval_windows", "--eval-windows"},
    {OPT_EVAL_HASHES, "train.eval_num_hashes", "--eval-hashes"},
    {OPT_SAVE_EVERY, "train.save_every", "--save-every"},
    {OPT_SAVE_MINUTES, "train.save_minutes", "--save-minutes"},
    {OPT_KEEP, "train.keep", "--keep"},
    {OPT_PATIENCE, "train.patience", "--patience"},
    {OPT_LOG_EVERY, "train.log_every", "--log-every"},
    {OPT_SAMPLE_EVERY, "train.sample_every", "--sample-every"},
    {OPT_SAMPLE_PROMPT, "train.sample_prompt", "--sample-prompt"},
    {OPT_SAMPLE_TOKENS, "train.sample_tokens", "--sample-tokens"},
    {OPT_SEED, "train.seed", "--seed"}, /* of a sweep */
    {OPT_TRAIN_SEED, "train.seed", "--seed"},
};
enum { N_KEYS = sizeof keys / sizeof keys[0] };

/* What YAML has a meaning for between double quotes: quotes, and the ends of
 * lines, which it would fold. */
static const struct {
    const char *bytes, *escape;
} escapes[] = {{"\"", "\\\""},      {"\\", "\\\\"},          {"\n", "\\n"},          {"\r", "\\r"},
               {"\xc2\x85", "\\N"}, {"\xe2\x80\xa8", "\\L"}, {"\xe2\x80\xa9", "\\P"}};

/* One character; how many bytes it has. All others stay, and what is no text
 * is told by who reads it. */
static size_t put_quoted(sbuf_t *out, const char *p) {
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        size_t n = strlen(escapes[i].bytes);
        if (strncmp(p, escapes[i].bytes, n) != 0) continue;
        sbuf_puts(out, escapes[i].escape);
        return n;
    }
    sbuf_printf(out, "%c", *p);
    return 1;
}

/* Text of a command line as a YAML value. */
static const char *quoted(arena_t *a, const char *text) {
    sbuf_t out = {0};
    sbuf_puts(&out, "\"");
    while (*text) text += put_quoted(&out, text);
    sbuf_puts(&out, "\"");
    const char *value = arena_strdup(a, out.data);
    sbuf_free(&out);
    return value;
}

static bool is_text(option_id_t id) {
    return id == OPT_TRAIN_TEXT || id == OPT_EVAL_TEXT || id == OPT_SAMPLE_PROMPT;
}

static void take(options_t *o, int k) {
    const char *value = o->text[keys[k].id];
    if (!value) return;
    options_set(o, keys[k].key, is_text(keys[k].id) ? quoted(o->arena, value) : value);
    o->sets[o->n_sets - 1].shown = keys[k].shown;
}

static bool excludes(const options_t *o, option_id_t a, const char *shown, option_id_t b,
                     const char *other, diag_t *d) {
    if (!o->given[a] || !o->given[b]) return false;
    diag_error(d, IN_FILE(shown), "excludes %s", other);
    return true;
}

/* ---- options without effect ------------------------------------------------------------------ */

typedef struct {
    option_id_t id;
    const char *shown, *why; /* NULL: the reason that they share */
} idle_t;

static const idle_t of_batches[] = {
    {OPT_BATCH_SIZE, "--batch-size", "a micro-batch has the rows that the file of --batches says"},
    {OPT_LENGTH, "--length", "rows are as long as the file of --batches says"},
    {OPT_EPOCHS, "--epochs", "the micro-batches of --batches are learnt once, --steps of them"},
    {OPT_EVAL_TEXT, "--eval-text", NULL},
    {OPT_EVAL_FRACTION, "--eval-fraction", NULL},
    {OPT_EVAL_EVERY, "--eval-every", NULL},
    {OPT_EVAL_WINDOWS, "--eval-windows", NULL},
    {OPT_EVAL_HASHES, "--eval-hashes", NULL},
    {OPT_PATIENCE, "--patience", NULL},
};

static const idle_t of_judging[] = {
    {OPT_STEPS, "--steps", NULL},
    {OPT_EPOCHS, "--epochs", NULL},
    {OPT_MINUTES, "--minutes", NULL},
    {OPT_ACCUMULATE, "--accumulate", NULL},
    {OPT_OVERFIT_BATCH, "--overfit-batch", NULL},
    {OPT_LR, "--lr", NULL},
    {OPT_EVAL_EVERY, "--eval-every", NULL},
    {OPT_PATIENCE, "--patience", NULL},
    {OPT_LOG_EVERY, "--log-every", NULL},
    {OPT_SAMPLE_EVERY, "--sample-every", NULL},
    {OPT_SAMPLE_PROMPT, "--sample-prompt", NULL},
    {OPT_SAMPLE_TOKENS, "--sample-tokens", NULL},
    {OPT_TRAJECTORY, "--trajectory", NULL},
    {OPT_SAVE_EVERY, "--save-every", "--eval-only writes nothing"},
    {OPT_SAVE_MINUTES, "--save-minutes", "--eval-only writes nothing"},
    {OPT_KEEP, "--keep", "--eval-only writes nothing"},
    {OPT_OUT, "--out", "--eval-only writes nothing; the weights are those of MODEL or --weights"},
    {OPT_RESUME, "--resume", "--eval-only learns nothing; train DIR/last --eval-only judges DIR"},
    {OPT_BATCHES_FILE, "--batches",
     "--eval-only learns nothing, and of a file nothing is held out"},
};

/* The key that an option is; NULL: it is none. */
static const char *key_of(option_id_t id) {
    for (int k = 0; k < N_KEYS; k++)
        if (keys[k].id == id) return keys[k].key;
    return NULL;
}

/* Given as an option, or as a setting. What the file of the spec says is for
 * its other uses, too. */
static const char *shown_where(const options_t *o, const idle_t *x) {
    const char *key = key_of(x->id);
    if (o->given[x->id]) return x->shown;
    for (int i = 0; key && i < o->n_sets; i++)
        if (strcmp(o->sets[i].key, key) == 0) return arena_printf(o->arena, "--set %s", key);
    return NULL;
}

static bool has_idle(const options_t *o, const idle_t *list, size_t n, const char *why, diag_t *d) {
    int before = diag_errors(d);
    for (size_t i = 0; i < n; i++) {
        const char *where = shown_where(o, &list[i]);
        if (!where) continue;
        diag_error(d, IN_FILE(where), "has no effect: %s", list[i].why ? list[i].why : why);
    }
    return diag_errors(d) > before;
}

#define HAS_IDLE(o, list, why, d) has_idle(o, list, sizeof(list) / sizeof *(list), why, d)

bool train_options_idle(const options_t *o, diag_t *d) {
    if (o->given[OPT_EVAL_ONLY]) return HAS_IDLE(o, of_judging, "--eval-only learns nothing", d);
    return o->given[OPT_BATCHES_FILE] &&
           HAS_IDLE(o, of_batches, "of --batches nothing is held out to be evaluated", d);
}

/* ---- what excludes what ---------------------------------------------------------------------- */

bool train_goes_on(const options_t *o) {
    return o->given[OPT_RESUME] &&
           is_directory(arena_printf(o->arena, "%s/last", o->text[OPT_OUT]));
}

bool train_excludes(const options_t *o, diag_t *d) {
    static const struct {
        option_id_t a, b;
        const char *shown, *other;
    } pairs[] = {{OPT_TASK, OPT_TRAIN_TEXT, "--task", "--text"},
                 {OPT_BATCHES_FILE, OPT_TRAIN_TEXT, "--batches", "--text"},
                 {OPT_BATCHES_FILE, OPT_TASK, "--batches", "--task"}};
    bool fine = !train_goes_on(o) || !excludes(o, OPT_RESUME, "--resume", OPT_WEIGHTS,
                                               "--weights: the weights are those of DIR/last", d);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (excludes(o, pairs[i].a, pairs[i].shown, pairs[i].b, pairs[i].other, d)) fine = false;
    return fine;
}

void train_settings(options_t *o) {
    for (int k = 0; k < N_KEYS; k++) take(o, k);
    if (!o->given[OPT_OVERFIT_BATCH]) return;
    options_set(o, "train.overfit_batch", "true");
    o->sets[o->n_sets - 1].shown = "--overfit-batch";
}
