/* The guards of guard.h: a table of records for each, found by address. Paper:
 * none; open addressing. */
#include "support/guard.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_MEMORY = 1, EXIT_DEFECT = 70, FEWEST = 64 };

typedef struct {
    const void *what; /* NULL: free; &gone: was in use, others may stand behind it */
    guard_release_fn *release;
    size_t bytes;
    uint64_t age;
    bool plain;
} record_t;

typedef struct guard {
    struct guard *outer;
    record_t *table; /* [cap], a power of two */
    size_t cap, used, live;
    uint64_t age;
    bool releasing; /* the table is a list in the order of releases */
    guard_report_t *report;
    jmp_buf back;
} guard_t;

static _Thread_local guard_t *current;
static _Thread_local const char *doing;
static const char gone;

/* ---- the table ------------------------------------------------------------------------------- */

static size_t place_of(const guard_t *g, const void *what) {
    uint64_t h = (uint64_t)(uintptr_t)what * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h >> 20) & (g->cap - 1);
}

static record_t *find(guard_t *g, const void *what) {
    if (g->releasing) {
        for (size_t k = 0; k < g->cap; k++)
            if (g->table[k].what == what) return &g->table[k];
        return NULL;
    }
    if (g->cap == 0) return NULL;
    for (size_t k = place_of(g, what); g->table[k].what; k = (k + 1) & (g->cap - 1))
        if (g->table[k].what == what) return &g->table[k];
    return NULL;
}

static void put(guard_t *g, record_t r) {
    size_t k = place_of(g, r.what);
    while (g->table[k].what) k = (k + 1) & (g->cap - 1);
    g->table[k] = r;
    g->used++;
    g->live++;
}

/* Half of the table stays free, counting what is gone. */
static bool make_room(guard_t *g) {
    if (2 * (g->used + 1) <= g->cap) return true;
    guard_t bigger = *g;
    bigger.cap = FEWEST;
    while (bigger.cap < 4 * (g->live + 1)) bigger.cap *= 2;
    bigger.used = bigger.live = 0;
    bigger.table = calloc(bigger.cap, sizeof *g->table);
    if (!bigger.table) return false;
    for (size_t k = 0; k < g->cap; k++)
        if (g->table[k].what && g->table[k].what != &gone) put(&bigger, g->table[k]);
    free(g->table);
    g->table = bigger.table;
    g->cap = bigger.cap;
    g->used = bigger.used;
    return true;
}

bool guard_make_room(void) {
    return !current || make_room(current);
}

bool guard_owns(const void *what) {
    return current && what && find(current, what);
}

static void own(record_t r) {
    guard_t *g = current;
    if (!g || !r.what) return;
    if (!make_room(g)) {
        r.release((void *)(uintptr_t)r.what, r.bytes);
        guard_no_memory(0);
    }
    r.age = g->age++;
    put(g, r);
}

void guard_own(void *what, size_t bytes, guard_release_fn *release) {
    own((record_t){.what = what, .bytes = bytes, .release = release});
}

void guard_own_plain(void *what, size_t bytes, guard_release_fn *release) {
    own((record_t){.what = what, .bytes = bytes, .release = release, .plain = true});
}

void guard_disown(const void *what) {
    record_t *r = current && what ? find(current, what) : NULL;
    if (!r) return;
    r->what = &gone;
    current->live--;
}

/* ---- giving up ------------------------------------------------------------------------------- */

static int by_turn(const void *pa, const void *pb) {
    const record_t *a = pa, *b = pb;
    if (a->plain != b->plain) return a->plain ? 1 : -1;
    return a->age > b->age ? -1 : a->age < b->age;
}

static void release_all(guard_t *g) {
    size_t n = 0;
    for (size_t k = 0; k < g->cap; k++)
        if (g->table[k].what && g->table[k].what != &gone) g->table[n++] = g->table[k];
    if (n) qsort(g->table, n, sizeof *g->table, by_turn);
    g->cap = n;
    g->releasing = true;
    for (size_t k = 0; k < n; k++) {
        record_t r = g->table[k];
        if (r.what == &gone) continue;
        g->table[k].what = &gone;
        r.release((void *)(uintptr_t)r.what, r.bytes);
    }
}

static _Noreturn void end_process(const guard_report_t *r) {
    bool defect = r->how == GUARD_DEFECT;
    fprintf(stderr, "reformerc: %s%s\n", defect ? "" : "error: ", r->text);
    if (!defect)
        fputs(
            "    hint: a smaller length (sequence_length), batch_size or model needs less; so do fewer "
            "--threads. Limits of the system (ulimit -v, containers) count too\n",
            stderr);
    else
        fputs(
            "    This is a defect of reformerc, not of your input. Please report it with the command "
            "line.\n",
            stderr);
    exit(defect ? EXIT_DEFECT : EXIT_MEMORY);
}

_Noreturn void guard_give_up(const guard_report_t *report) {
    guard_t *g = current;
    if (!g || g->releasing) end_process(report);
    *g->report = *report;
    if (report->how == GUARD_NO_MEMORY) release_all(g);
    longjmp(g->back, 1);
}

_Noreturn void guard_no_memory(size_t bytes) {
    guard_report_t r = {.how = GUARD_NO_MEMORY};
    int n = snprintf(r.text, sizeof r.text, "out of memory%s%s", doing ? " while " : "",
                     doing ? doing : "");
    if (bytes && n > 0 && (size_t)n < sizeof r.text)
        snprintf(r.text + n, sizeof r.text - (size_t)n, ": %zu more bytes could not be had", bytes);
    guard_give_up(&r);
}

const char *guard_doing(const char *what) {
    const char *before = doing;
    doing = what;
    return before;
}

/* ---- a guard --------------------------------------------------------------------------------- */

/* A function of its own: what it is given lies outside of the frame that longjmp()
 * comes back to. */
static void enter(guard_t *g, void (*work)(void *), void *arg) {
    if (setjmp(g->back) == 0) work(arg);
}

bool guard_run(void (*work)(void *arg), void *arg, guard_report_t *report) {
    *report = (guard_report_t){.how = GUARD_WENT_WELL};
    guard_t g = {.outer = current, .report = report};
    const char *before = doing;
    current = &g;
    enter(&g, work, arg);
    current = g.outer;
    doing = before;
    free(g.table);
    return report->how == GUARD_WENT_WELL;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Small numbers are no addresses of anything else. */
static void *key_of(int fd) {
    return (void *)((uintptr_t)fd + 1);
}

static void release_descriptor(void *what, size_t bytes) {
    (void)bytes;
    (void)close((int)((uintptr_t)what - 1));
}

int guard_open(int fd) {
    if (fd >= 0) guard_own_plain(key_of(fd), 0, release_descriptor);
    return fd;
}

int guard_close(int fd) {
    if (fd < 0) return 0;
    guard_disown(key_of(fd));
    return close(fd);
}
