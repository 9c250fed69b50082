/* Alternatives and points of grid.h. Values are only cut here; what they mean
 * is the spec's business. */
#include "commands/sweep/grid.h"

#include <string.h>

#include "support/shorten.h"

/* ---- alternatives ---------------------------------------------------------------------------- */

static srcloc_t place(arena_t *a, const char *key) {
    return IN_FILE(arena_printf(a, "--set %s", key));
}

/* The quote that closes the one at p, or NULL. Doubled single quotes read as two texts in a row. */
static const char *closing_quote(const char *p) {
    char quote = *p++;
    while (*p && *p != quote) p += *p == '\\' && quote == '"' && p[1] ? 2 : 1;
    return *p ? p : NULL;
}

/* YAML: a quote opens a text only where a value may begin; inside a word it is a character. */
static bool begins_value(const char *start, const char *p) {
    while (p > start && (p[-1] == ' ' || p[-1] == '\t')) p--;
    return p == start || strchr("[{,:'\"", p[-1]);
}

/* The comma or the end that follows the alternative at `start`; NULL after an error. */
static const char *alternative_end(const char *start, arena_t *a, const char *key, diag_t *d) {
    char closing[64]; /* of the brackets that are open */
    size_t depth = 0;
    for (const char *p = start; p; p++) {
        if (depth == 0 && (!*p || *p == ',')) return p;
        if (!*p) {
            diag_error(d, place(a, key), "a '%c' is missing in '%s'", closing[depth - 1], start);
            return NULL;
        }
        if ((*p == '"' || *p == '\'') && begins_value(start, p)) {
            p = closing_quote(p);
            if (!p) break;
        } else if ((*p == '[' || *p == '{') && depth < sizeof closing) {
            closing[depth++] = *p == '[' ? ']' : '}';
        } else if (depth && *p == closing[depth - 1]) {
            depth--;
        }
    }
    diag_error(d, place(a, key), "a quote in '%s' is not closed", start);
    return NULL;
}

static const char *trimmed(arena_t *a, const char *from, const char *to) {
    while (from < to && (*from == ' ' || *from == '\t')) from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) to--;
    return arena_strndup(a, from, (size_t)(to - from));
}

static bool too_many(diag_t *d) {
    diag_error(d, IN_FILE("--set"), "the alternatives make more than %d points", MAX_POINTS);
    return false;
}

static bool add_value(axis_t *x, size_t *cap, arena_t *a, const char *value, diag_t *d) {
    if (x->n == MAX_POINTS) return too_many(d);
    for (int i = 0; i < x->n; i++) {
        if (strcmp(x->values[i], value) != 0) continue;
        diag_error(d, place(a, x->key), "the alternative '%s' stands twice", value);
        return false;
    }
    ARENA_PUSH(a, x->values, x->n, *cap) = value;
    return true;
}

/* "KEY=" sets the key to nothing, as everywhere; between commas nothing is a slip. */
bool axis_split(axis_t *x, arena_t *a, const char *key, const char *text, diag_t *d) {
    *x = (axis_t){.key = key};
    size_t cap = 0;
    for (const char *p = text;; p++) {
        const char *end = alternative_end(p, a, key, d);
        if (!end) return false;
        const char *value = trimmed(a, p, end);
        if (!*value && (*end || p > text)) {
            diag_error(d, place(a, key), "an alternative in '%s' is empty", text);
            return false;
        }
        if (!add_value(x, &cap, a, value, d)) return false;
        p = end;
        if (!*p) return true;
    }
}

/* ---- points ---------------------------------------------------------------------------------- */

static bool count_points(grid_t *g, diag_t *d) {
    g->n_points = 1;
    for (int i = 0; i < g->n_axes; i++) {
        if (!__builtin_mul_overflow(g->n_points, g->axes[i].n, &g->n_points) &&
            g->n_points <= MAX_POINTS)
            continue;
        return too_many(d);
    }
    return true;
}

static bool set_again(const setting_t *sets, int n, int i) {
    for (int j = i + 1; j < n; j++)
        if (strcmp(sets[i].key, sets[j].key) == 0) return true;
    return false;
}

bool grid_make(grid_t *g, arena_t *a, const setting_t *sets, int n, diag_t *d) {
    *g = (grid_t){.axes = ARENA_ARRAY(a, axis_t, n)};
    bool ok = true;
    for (int i = 0; i < n; i++)
        if (!set_again(sets, n, i))
            ok = axis_split(&g->axes[g->n_axes++], a, sets[i].key, sets[i].value, d) && ok;
    return ok && count_points(g, d);
}

const char *grid_value(const grid_t *g, int point, int axis) {
    for (int i = g->n_axes - 1; i > axis; i--) point /= g->axes[i].n;
    return g->axes[axis].values[point % g->axes[axis].n];
}

setting_t *grid_settings(const grid_t *g, arena_t *a, int point) {
    setting_t *sets = ARENA_ARRAY(a, setting_t, g->n_axes);
    for (int i = 0; i < g->n_axes; i++)
        sets[i] = (setting_t){.key = g->axes[i].key, .value = grid_value(g, point, i)};
    return sets;
}

const char *grid_label(const grid_t *g, arena_t *a, int point) {
    const char *label = "";
    for (int i = 0; i < g->n_axes; i++)
        if (g->axes[i].n > 1 || g->n_points == 1)
            label = arena_printf(a, "%s%s%s=%s", label, *label ? " " : "", g->axes[i].key,
                                 shortened(a, grid_value(g, point, i)));
    return *label ? label : "the model as it is";
}
