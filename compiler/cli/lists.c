/* The parsers and checks of lists.h. */
#include "cli/lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/targets.h"

/* One number of a list; *p moves behind it. */
static bool parse_number(const char **p, int64_t max, int64_t *x) {
    char *end;
    errno = 0;
    if (**p < '0' || **p > '9') return false;
    long long value = strtoll(*p, &end, 10);
    if (errno || value < 1 || value > max || (*end && *end != ',')) return false;
    *x = value;
    *p = end;
    return true;
}

static bool add_number(const char *where, int64_t x, int64_t *list, int *n, diag_t *d) {
    for (int k = 0; k < *n; k++) {
        if (list[k] != x) continue;
        diag_error(d, IN_FILE(where), "%lld stands twice", (long long)x);
        return false;
    }
    if (*n == MAX_LIST) {
        diag_error(d, IN_FILE(where), "more than %d numbers", MAX_LIST);
        return false;
    }
    list[(*n)++] = x;
    return true;
}

bool list_numbers(const char *where, const char *text, int64_t max, int64_t list[MAX_LIST], int *n,
                  diag_t *d) {
    *n = 0;
    for (const char *p = text;; p++) {
        int64_t x;
        if (!parse_number(&p, max, &x)) {
            diag_error(d, IN_FILE(where), "'%s' is no list of numbers from 1 to %lld", text,
                       (long long)max);
            return false;
        }
        if (!add_number(where, x, list, n, d)) return false;
        if (!*p) return true;
    }
}

bool list_repeat(const options_t *o, int usual, int *repeat, diag_t *d) {
    const char *text = o->text[OPT_REPEAT], *p = text;
    int64_t n = usual;
    bool ok = !text || (parse_number(&p, MAX_REPEAT, &n) && !*p);
    if (!ok)
        diag_error(d, IN_FILE("--repeat"), "'%s' is not a number from 1 to %d", text, MAX_REPEAT);
    *repeat = (int)n;
    return ok;
}

bool check_target_runs(const char *name, const char *where, diag_t *d) {
    const target_t *native = native_target(DTYPE_FLOAT32);
    const target_t *t = strcmp(name, "native") == 0 ? native : target_find(name);
    if (t && reformer_cpu_takes((int)t->id)) return true;
    bool capped = t && reformer_cpu_supports((int)t->id);
    diag_error(d, IN_FILE(where), "%s does not run %s; it runs %s",
               capped ? "this CPU, as far as REFORMER_CPU lets it," : "this CPU", name,
               native->name);
    return false;
}

bool list_targets(const options_t *o, const char *names[MAX_TARGETS], int *n, diag_t *d) {
    const char *text = o->text[OPT_TARGETS];
    bool ok = true;
    names[0] = NULL;
    *n = 1;
    if (!text) return true;
    if (!targets_parse(o->arena, text, "--targets", names, n, d)) return false;
    for (int k = 0; k < *n; k++) ok = check_target_runs(names[k], "--targets", d) && ok;
    return ok;
}

bool check_model_rereadable(const options_t *o, diag_t *d) {
    if (strcmp(o->model, "-") != 0) return true;
    diag_error(d, IN_FILE("MODEL"), "'-' can be read once only; %s needs a file or a folder",
               o->command->name);
    return false;
}
