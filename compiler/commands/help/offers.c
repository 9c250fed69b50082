/* What shells offer in the place of an argument. An option that is not named here is judged
 * by its argument's name. */
#include <string.h>

#include "commands/help/manual.h"

/* Words that a table of the program has; `key`: those of this key of the spec. */
static const struct {
    option_id_t id;
    const char *key;
} word_rows[] = {{OPT_TARGET, "compile.targets"},
                 {OPT_TARGETS, "compile.targets"},
                 {OPT_DTYPE, "compile.dtype"},
                 {OPT_TASK, "train.task"},
                 {OPT_BACKEND, NULL},
                 {OPT_BACKENDS, NULL}};
enum { N_WORD_ROWS = sizeof word_rows / sizeof *word_rows };

static int word_row(option_id_t id) {
    for (int i = 0; i < N_WORD_ROWS; i++)
        if (word_rows[i].id == id) return i;
    return -1;
}

static bool among(const char *word, const char *const *words) {
    while (*words && strcmp(word, *words) != 0) words++;
    return *words != NULL;
}

offer_t option_offer(option_id_t id) {
    /* names of arguments that are no files; a letter alone may be one */
    static const char *const typed[] = {"N",    "N[,N...]", "X",   "K", "GFLOPS", "GBS",
                                        "TEXT", "NAME",     "CPU", "F", "STAGE",  NULL};
    const char *argument = option_rows[id].argument;
    if (!argument) return OFFER_NOTHING;
    if (id == OPT_SET) return OFFER_SETTINGS;
    if (word_row(id) >= 0) return OFFER_WORDS;
    if (strcmp(argument, "DIR") == 0) return OFFER_FOLDERS;
    if (id == OPT_CALIBRATE) return OFFER_FILES; /* its TEXT is a file */
    bool number =
        id == OPT_TEMPERATURE || id == OPT_TOP_P || id == OPT_REPETITION_PENALTY || id == OPT_BEAMS;
    return number || among(argument, typed) ? OFFER_NOTHING : OFFER_FILES;
}

bool option_is_list(option_id_t id) {
    return option_rows[id].argument && strstr(option_rows[id].argument, "[,");
}

void option_words(option_id_t id, sbuf_t *out) {
    int row = word_row(id);
    if (id == OPT_SET) {
        sbuf_t keys = {0};
        spec_list_keys(&keys);
        for (const char *p = keys.data; *p; p++) sbuf_printf(out, *p == '\n' ? "=%c" : "%c", *p);
        sbuf_free(&keys);
    } else if (row >= 0 && word_rows[row].key) {
        spec_list_words(word_rows[row].key, out);
    } else if (row >= 0) {
        for (int b = 0; b < BACKEND_COUNT; b++) sbuf_printf(out, "%s\n", backend_names[b]);
    }
}

/* To the end of the first clause, or of the last word that has room. */
void short_doc(const char *doc, sbuf_t *out) {
    enum { MAX = 72 };
    size_t n = strcspn(doc, ";");
    const char *colon = strstr(doc, ": ");
    if (colon && (size_t)(colon - doc) < n && colon - doc > MAX / 3) n = (size_t)(colon - doc);
    bool cut = n > MAX;
    if (cut)
        for (n = MAX; n > 0 && doc[n] != ' ';) n--;
    while (n > 0 && strchr(" ,:(", doc[n - 1])) n--;
    sbuf_write(out, doc, n);
    if (cut) sbuf_puts(out, " …");
}
