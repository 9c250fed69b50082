/* reformerc cache: what the compile cache holds, and clears it.
 *
 * In: the variables that name it and bound it (exec/cache.h). Out: on stdout where it is, how much
 * it holds of how much it may, when its entries were last used; with --clear what was removed.
 * Nothing but its own entries is counted or removed, and the folder is not made. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/help.h"
#include "commands/commands.h"
#include "exec/cache.h"
#include "report/document.h"
#include "report/fields.h"
#include "support/file.h"
#include "support/trust.h"

typedef struct {
    arena_t *arena;
    const char *folder;  /* as it is named */
    const char *trusted; /* where that leads, links followed; NULL: to what is not this user's */
    uint64_t limit;
    bool cleared;
    cache_list_t removed, held; /* removed: by --clear; held: now */
} state_t;

/* ---- how it is shown ------------------------------------------------------------------------- */

/* NULL: of no entry. */
static const char *used_text(const state_t *s, size_t entry) {
    char text[64];
    struct tm tm;
    if (s->held.n == 0) return NULL;
    time_t t = (time_t)s->held.entry[entry].used_s;
    if (!gmtime_r(&t, &tm) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return NULL;
    return arena_strdup(s->arena, text);
}

static const char *oldest(const state_t *s) {
    return used_text(s, 0);
}

static const char *newest(const state_t *s) {
    return used_text(s, s->held.n - 1);
}

static const char *bytes_text(const state_t *s, uint64_t bytes) {
    return arena_printf(s->arena, "%s (%s)", text_integer(s->arena, (double)bytes),
                        text_bytes(s->arena, (double)bytes));
}

static void show_text(const state_t *s, sbuf_t *out) {
    sbuf_printf(out, "%-12s %s\n", "folder", s->folder);
    if (s->cleared)
        sbuf_printf(out, "%-12s %zu entr%s, %s bytes (%s)\n", "removed", s->removed.n,
                    s->removed.n == 1 ? "y" : "ies",
                    text_integer(s->arena, (double)s->removed.bytes),
                    text_bytes(s->arena, (double)s->removed.bytes));
    sbuf_printf(out, "%-12s %zu\n", "entries", s->held.n);
    sbuf_printf(out, "%-12s %s\n", "bytes", bytes_text(s, s->held.bytes));
    sbuf_printf(out, "%-12s %s\n", "limit", bytes_text(s, s->limit));
    if (s->held.n == 0) return;
    sbuf_printf(out, "%-12s %s\n", "oldest use", oldest(s));
    sbuf_printf(out, "%-12s %s\n", "newest use", newest(s));
}

static void put_time(sbuf_t *out, const char *key, const char *time) {
    sbuf_printf(out, ", \"%s\": ", key);
    if (time) put_json(out, time);
    else sbuf_puts(out, "null");
}

static void show_json(const state_t *s, sbuf_t *out) {
    sbuf_puts(out, "{\"folder\": ");
    put_json(out, s->folder);
    if (s->cleared)
        sbuf_printf(out, ", \"removed_entries\": %zu, \"removed_bytes\": %" PRIu64, s->removed.n,
                    s->removed.bytes);
    sbuf_printf(out, ", \"entries\": %zu, \"bytes\": %" PRIu64 ", \"limit\": %" PRIu64, s->held.n,
                s->held.bytes, s->limit);
    put_time(out, "oldest_use", oldest(s));
    put_time(out, "newest_use", newest(s));
    sbuf_puts(out, "}\n");
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool find_folder(state_t *s, diag_t *d) {
    s->folder = cache_named(s->arena);
    if (s->folder) return cache_limit(&s->limit, d);
    diag_error(d, NOWHERE, "no folder is named for the compile cache");
    diag_hint(d, "the variable REFORMERC_CACHE names one");
    return false;
}

/* Others' folders are looked at, not touched. */
static bool check_trust(state_t *s, bool clears, diag_t *d) {
    const char *why;
    if (!file_exists(s->folder)) return true;
    s->trusted = trusted_folder(s->arena, s->folder, &why);
    if (s->trusted) return true;
    if (clears) diag_error(d, IN_FILE(s->folder), "is not cleared: %s", why);
    else cache_distrust(d, s->folder, why);
    return !clears;
}

static bool holds(const cache_list_t *l, const cache_entry_t *e) {
    for (size_t k = 0; k < l->n; k++)
        if (l->entry[k].used_s == e->used_s && l->entry[k].used_ns == e->used_ns &&
            strcmp(l->entry[k].name, e->name) == 0)
            return true;
    return false;
}

/* Entries that others used meanwhile are met by the next round; what they make behind the last one
 * is no failure, but what stood there before it and still does. What was judged is what is cleared,
 * wherever a link leads by now. */
static bool clear(state_t *s, diag_t *d) {
    cache_list_t before = {0};
    size_t kept = 0;
    s->cleared = true;
    for (cache_list_t gone = {.n = s->trusted != NULL}; gone.n > 0;) {
        before = cache_list(s->arena, s->trusted);
        gone = cache_trim(s->arena, s->trusted, 0);
        s->removed.n += gone.n;
        s->removed.bytes += gone.bytes;
    }
    s->held = cache_list(s->arena, s->folder);
    for (size_t k = 0; k < s->held.n; k++) kept += holds(&before, &s->held.entry[k]);
    if (kept == 0) return true;
    diag_error(d, IN_FILE(s->folder), "%zu entr%s cannot be removed", kept,
               kept == 1 ? "y" : "ies");
    return false;
}

int command_cache(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    state_t s = {.arena = o->arena};
    bool clears = o->given[OPT_CLEAR];
    if (!find_folder(&s, d) || !check_trust(&s, clears, d)) return EXIT_VALUE;
    bool ok = !clears || clear(&s, d);
    s.held = cache_list(s.arena, s.folder);
    sbuf_t out = {0};
    if (o->given[OPT_JSON]) show_json(&s, &out);
    else show_text(&s, &out);
    ok = print_out(&out, d) && ok;
    sbuf_free(&out);
    return ok ? 0 : EXIT_VALUE;
}
