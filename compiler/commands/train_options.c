/* Options of `reformerc train` that are keys of the spec's section `train:`.
 *
 * In: the command line. Out: its settings, those of these options behind those of --set, since they are the more
 * particular word; errors name the option. */
#include <string.h>

#include "commands/train.h"

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

/* What YAML has a meaning for between double quotes: quotes, and the ends of lines, which it would fold. */
static const struct {
    const char *bytes, *escape;
} escapes[] = {{"\"", "\\\""},      {"\\", "\\\\"},          {"\n", "\\n"},          {"\r", "\\r"},
               {"\xc2\x85", "\\N"}, {"\xe2\x80\xa8", "\\L"}, {"\xe2\x80\xa9", "\\P"}};

/* One character; how many bytes it has. All others stay, and what is no text is told by who reads it. */
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
