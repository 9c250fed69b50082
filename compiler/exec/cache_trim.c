/* The size of the cache of cache.h: what it may hold, what it holds, and what goes.
 *
 * An entry's time is that of its last use, since whoever reads one sets it; the time of reading
 * that file systems keep is a day late where they keep it at all. Two processes may trim at once:
 * each removes what it saw as the longest unused, a name that is gone already counts as removed,
 * and one that was used meanwhile stays. So whoever writes last leaves no more than fits. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "exec/cache.h"
#include "spec/numbers.h"
#include "support/guard.h"

/* ---- what it may hold ------------------------------------------------------------------------ */

static const uint64_t usual_limit = UINT64_C(1) << 30;

/* As programs for files write them: a letter alone is binary, with "B" alone it is decimal. */
static const struct {
    const char *name;
    double bytes;
} units[] = {{"", 1},       {"B", 1},        {"K", 0x1p10},   {"KiB", 0x1p10}, {"kB", 1e3},
             {"M", 0x1p20}, {"MiB", 0x1p20}, {"MB", 1e6},     {"G", 0x1p30},   {"GiB", 0x1p30},
             {"GB", 1e9},   {"T", 0x1p40},   {"TiB", 0x1p40}, {"TB", 1e12}};

/* "512M", "1.5 GiB", "0". */
static bool parse_size(const char *text, uint64_t *bytes) {
    char digits[32];
    double number;
    size_t n = strspn(text, "0123456789.");
    if (n == 0 || n >= sizeof digits) return false;
    memcpy(digits, text, n);
    digits[n] = 0;
    const char *unit = text + n + strspn(text + n, " ");
    if (parse_real(digits, &number) != NUMBER_OK) return false;
    for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
        if (strcmp(units[k].name, unit) != 0) continue;
        number *= units[k].bytes;
        if (number >= 0x1p63) return false;
        *bytes = (uint64_t)number;
        return true;
    }
    return false;
}

bool cache_limit(uint64_t *bytes, diag_t *d) {
    const char *text = getenv("REFORMERC_CACHE_SIZE");
    *bytes = usual_limit;
    if (!text || !*text || parse_size(text, bytes)) return true;
    diag_error(d, NOWHERE, "the variable REFORMERC_CACHE_SIZE is '%s', which is no size", text);
    diag_hint(
        d,
        "a size is a number with B, K, M, G or T (or KiB … TiB, kB … TB) behind it, such as 512M; "
        "with 0 nothing is kept");
    return false;
}

/* ---- what it holds --------------------------------------------------------------------------- */

enum { KEY_DIGITS = 32, TEMPORARY_SUFFIX = 7, STALE_SECONDS = 24 * 60 * 60 };

/* What stands behind the key in a name of this cache's; NULL: it is none. */
static const char *behind_key(const char *name) {
    if (strspn(name, "0123456789abcdef") != KEY_DIGITS || name[KEY_DIGITS] != '.') return NULL;
    const char *p = name + KEY_DIGITS + 1;
    if (*p == 's') p++;
    return *p == 'o' ? p + 1 : NULL;
}

static bool is_entry(const char *name) {
    const char *rest = behind_key(name);
    return rest && !*rest;
}

static void release(void *dir, size_t bytes) {
    (void)bytes;
    (void)closedir(dir);
}

static DIR *open_folder(const char *folder) {
    DIR *dir = opendir(folder);
    guard_own(dir, 0, release);
    return dir;
}

static void close_folder(DIR *dir) {
    guard_disown(dir);
    (void)closedir(dir);
}

/* Of mkostemp(), beside the entry that it was to become. */
static bool is_temporary(const char *name) {
    const char *rest = behind_key(name);
    return rest && *rest == '.' && strlen(rest) == TEMPORARY_SUFFIX;
}

static bool file_of_ours(int folder, const char *name, struct stat *st) {
    return fstatat(folder, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode) &&
           st->st_uid == geteuid();
}

static int by_use(const void *pa, const void *pb) {
    const cache_entry_t *a = pa, *b = pb;
    if (a->used_s != b->used_s) return a->used_s < b->used_s ? -1 : 1;
    if (a->used_ns != b->used_ns) return a->used_ns < b->used_ns ? -1 : 1;
    return strcmp(a->name, b->name);
}

static cache_entry_t entry_of(arena_t *a, const char *name, const struct stat *st) {
    return (cache_entry_t){.name = arena_strdup(a, name),
                           .bytes = (uint64_t)st->st_size,
                           .used_s = st->st_mtim.tv_sec,
                           .used_ns = st->st_mtim.tv_nsec};
}

static cache_list_t read_folder(arena_t *a, DIR *dir, bool (*wanted)(const char *name)) {
    cache_list_t l = {0};
    size_t room = 0;
    struct stat st;
    rewinddir(dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        if (!wanted(e->d_name) || !file_of_ours(dirfd(dir), e->d_name, &st)) continue;
        ARENA_PUSH(a, l.entry, l.n, room) = entry_of(a, e->d_name, &st);
        l.bytes += (uint64_t)st.st_size;
    }
    if (l.n) qsort(l.entry, l.n, sizeof *l.entry, by_use);
    return l;
}

cache_list_t cache_list(arena_t *a, const char *folder) {
    DIR *dir = open_folder(folder);
    if (!dir) return (cache_list_t){0};
    cache_list_t l = read_folder(a, dir, is_entry);
    close_folder(dir);
    return l;
}

/* ---- what goes ------------------------------------------------------------------------------- */

/* Whether it is gone, by us or by others: one that was used since it was listed stays. */
static bool remove_unused(int folder, const cache_entry_t *e) {
    struct stat st;
    if (!file_of_ours(folder, e->name, &st)) return true;
    if (st.st_mtim.tv_sec != e->used_s || st.st_mtim.tv_nsec != e->used_ns) return false;
    return unlinkat(folder, e->name, 0) == 0 || errno == ENOENT;
}

/* What most writers have to know: nothing is sorted for it. */
typedef struct {
    uint64_t bytes;   /* of entries */
    bool empty;       /* some have none: what a crash of the system has left */
    bool temporaries; /* there are some */
} census_t;

static census_t count_all(DIR *dir) {
    census_t c = {0};
    struct stat st;
    for (const struct dirent *e; (e = readdir(dir));) {
        if (is_temporary(e->d_name)) c.temporaries = true;
        else if (is_entry(e->d_name) && file_of_ours(dirfd(dir), e->d_name, &st)) {
            c.bytes += (uint64_t)st.st_size;
            c.empty |= st.st_size == 0;
        }
    }
    return c;
}

static void remove_stale(arena_t *a, DIR *dir) {
    cache_list_t l = read_folder(a, dir, is_temporary);
    int64_t now = time(NULL);
    for (size_t k = 0; k < l.n && l.entry[k].used_s < now - STALE_SECONDS; k++)
        (void)remove_unused(dirfd(dir), &l.entry[k]);
}

/* Files without a byte never make room, so they go whatever the limit: their entries are damaged. */
static cache_list_t remove_oldest(arena_t *a, DIR *dir, uint64_t limit) {
    cache_list_t l = read_folder(a, dir, is_entry), gone = {0};
    gone.entry = ARENA_ARRAY(a, cache_entry_t, l.n + 1);
    for (size_t k = 0; k < l.n; k++) {
        if (l.bytes - gone.bytes <= limit && l.entry[k].bytes > 0) continue;
        if (!remove_unused(dirfd(dir), &l.entry[k])) continue;
        gone.entry[gone.n++] = l.entry[k];
        gone.bytes += l.entry[k].bytes;
    }
    return gone;
}

cache_list_t cache_trim(arena_t *a, const char *folder, uint64_t limit) {
    cache_list_t gone = {0};
    DIR *dir = open_folder(folder);
    if (!dir) return gone;
    census_t c = count_all(dir);
    if (c.bytes > limit || c.empty) gone = remove_oldest(a, dir, limit);
    if (c.temporaries) remove_stale(a, dir);
    close_folder(dir);
    return gone;
}
