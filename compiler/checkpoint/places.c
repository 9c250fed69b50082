/* The places of a training's folder, and how checkpoints get into them.
 *
 * In: checkpoints that are written beside their places. Out: DIR/last, DIR/best, DIR/step-N. Rule:
 * whatever is cut off where, `last` and `best` are whole, or the next process makes them so
 * before it looks at them. */
#define _GNU_SOURCE /* renameat2 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/checkpoint_int.h"
#include "support/file.h"

const char *const checkpoint_files[] = {
    CONFIG_FILE, MODEL_FILE, OPTIMIZER_FILE, STATE_FILE, PIECES_FILE, GRAPH_FILE, NULL};
static const char *const places[] = {"last", "best"};
enum { N_PLACES = 2 };

const char *inside(const checkpoints_t *c, const char *name) {
    size_t n = strlen(c->folder);
    return arena_printf(c->arena, "%s%s%s", c->folder, c->folder[n - 1] == '/' ? "" : "/", name);
}

bool checkpoint_has(const checkpoints_t *c, const char *name) {
    return file_exists(inside(c, arena_printf(c->arena, "%s/" STATE_FILE, name)));
}

static bool is_there(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

/* ---- taking away ----------------------------------------------------------------------------- */

/* A file of a checkpoint, or the beginning of one under the name of an output that was cut off. */
static bool is_ours(const char *name) {
    for (int i = 0; checkpoint_files[i]; i++) {
        size_t n = strlen(checkpoint_files[i]);
        if (strncmp(name, checkpoint_files[i], n) == 0 &&
            (!name[n] || strncmp(name + n, ".tmp-", 5) == 0))
            return true;
    }
    return false;
}

static void remove_entry(int from, int to, const char *name) {
    struct stat st;
    if (is_ours(name)) (void)unlinkat(from, name, 0);
    else if (to >= 0 && fstatat(to, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        (void)renameat(from, name, to, name); /* somebody put it there */
}

void checkpoint_remove(const char *folder, const char *heir) {
    DIR *dir = opendir(folder);
    if (!dir) {
        if (errno == ENOTDIR || errno == ELOOP) (void)unlink(folder);
        return;
    }
    int to = heir ? open(heir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove_entry(dirfd(dir), to, e->d_name);
    if (to >= 0) (void)close(to);
    (void)closedir(dir);
    if (rmdir(folder) != 0 && errno == ENOTDIR) (void)unlink(folder); /* a link to a folder */
}

/* ---- earlier ones ---------------------------------------------------------------------------- */

/* Steps of the checkpoint there; -1: it is none. Asked for at every save: what
 * it takes does not stay. */
static int64_t step_at(const char *folder) {
    arena_t *a = arena_new();
    diag_t *quiet = diag_new();
    saved_state_t state;
    const char *path = arena_printf(a, "%s/" STATE_FILE, folder);
    int64_t step = file_exists(path) && state_load(a, path, &state, quiet) ? state.step : -1;
    diag_free(quiet);
    arena_free(a);
    return step;
}

static int ascending(const void *pa, const void *pb) {
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return a < b ? -1 : a > b;
}

/* "step-N", with nothing before the number. -1: no such name. */
int64_t checkpoint_step_of(const char *name) {
    static const char prefix[] = "step-";
    const char *digits = name + sizeof prefix - 1;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0) return -1;
    size_t n = strspn(digits, "0123456789");
    return n > 0 && n < 18 && !digits[n] && *digits != '0' ? strtoll(digits, NULL, 10)
           : strcmp(digits, "0") == 0                      ? 0
                                                           : -1;
}

/* Those beyond `keep`, the earliest first, go. */
static void prune(checkpoints_t *c) {
    DIR *dir = opendir(c->folder);
    int64_t *steps = NULL;
    size_t n = 0, cap = 0;
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));) {
        int64_t step = checkpoint_step_of(e->d_name);
        if (step >= 0) ARENA_PUSH(c->arena, steps, n, cap) = step;
    }
    (void)closedir(dir);
    if (n) qsort(steps, n, sizeof *steps, ascending);
    for (size_t i = 0; i < n && (int64_t)(n - i) > c->keep; i++)
        checkpoint_remove(inside(c, arena_printf(c->arena, "step-%" PRId64, steps[i])), NULL);
}

/* What stood in a place before: kept as a step of its own, or gone. */
static void retire(checkpoints_t *c, const char *place, const char *before) {
    int64_t step = strcmp(place, "last") == 0 && c->keep > 0 ? step_at(before) : -1;
    if (step < 0 || step == step_at(inside(c, place))) {
        checkpoint_remove(before, inside(c, place));
        return;
    }
    const char *to = inside(c, arena_printf(c->arena, "step-%" PRId64, step));
    if (is_there(to)) checkpoint_remove(to, before);
    if (rename(before, to) != 0) checkpoint_remove(before, inside(c, place));
    prune(c);
}

/* ---- into place ------------------------------------------------------------------------------ */

static bool sync_folder(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = fsync(fd) == 0 || errno == EINVAL ||
              errno == EROFS; /* some file systems have no such thing */
    (void)close(fd);
    return ok;
}

/* The new one and the one before change places, which cannot be seen half done. *before: where that
 * one is now, NULL: there was none. A file system without this call gets two renames, and recover()
 * knows the gap between them. */
static bool exchange(checkpoints_t *c, const char *new, const char *place, const char *old,
                     const char **before) {
    *before = NULL;
    if (!is_there(place)) return rename(new, place) == 0;
    *before = new;
    if (renameat2(AT_FDCWD, new, AT_FDCWD, place, RENAME_EXCHANGE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false;
    *before = old;
    if (is_there(old)) checkpoint_remove(old, NULL);
    if (rename(place, old) != 0) return false;
    (void)sync_folder(c->folder);
    if (rename(new, place) == 0) return true;
    int why = errno;
    (void)rename(old, place);
    errno = why;
    return false;
}

bool checkpoint_place(checkpoints_t *c, const char *name, diag_t *d) {
    const char *new = inside(c, arena_printf(c->arena, ".%s.new", name)),
               *old = inside(c, arena_printf(c->arena, ".%s.old", name)), *place = inside(c, name),
               *before;
    if (!sync_folder(new) || !exchange(c, new, place, old, &before)) {
        diag_error(d, IN_FILE(place), "cannot be put into its place: %s", strerror(errno));
        return false;
    }
    bool ok = sync_folder(c->folder);
    if (!ok)
        diag_error(d, IN_FILE(c->folder), "cannot be written to the disk: %s", strerror(errno));
    if (before) retire(c, name, before);
    return ok;
}

/* What a process that was cut off has left. */
void checkpoint_recover(checkpoints_t *c) {
    for (int i = 0; i < N_PLACES; i++) {
        const char *place = inside(c, places[i]),
                   *new = inside(c, arena_printf(c->arena, ".%s.new", places[i])),
                   *old = inside(c, arena_printf(c->arena, ".%s.old", places[i]));
        if (is_there(old) && !is_there(place)) (void)rename(old, place);
        if (is_there(old)) retire(c, places[i], old);
        /* whole, and of an earlier step: it has changed places already */
        bool earlier = is_there(new) && step_at(new) >= 0 && step_at(new) < step_at(place);
        if (earlier) retire(c, places[i], new);
        else if (is_there(new)) checkpoint_remove(new, is_there(place) ? place : NULL);
    }
}
