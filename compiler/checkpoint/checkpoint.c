/* The folder of a training (checkpoint.h): who holds it, and how checkpoints get into their places.
 *
 * In: a folder, and checkpoints that are written in it beside their places. Out: DIR/last, DIR/best, DIR/step-N. Rule:
 * whatever is cut off where, `last` and `best` are whole, or the next process makes them so before it looks at them. */
#define _GNU_SOURCE /* renameat2 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/checkpoint_int.h"
#include "checkpoint/metrics.h"
#include "support/file.h"

const char *const checkpoint_files[] = {
    CONFIG_FILE, MODEL_FILE, OPTIMIZER_FILE, STATE_FILE, PIECES_FILE, GRAPH_FILE, NULL};
static const char *const places[] = {"last", "best"};
enum { N_PLACES = 2, MODE = 0777 }; /* less the umask */

const char *inside(const checkpoints_t *c, const char *name) {
    size_t n = strlen(c->folder);
    return arena_printf(c->arena, "%s%s%s", c->folder, c->folder[n - 1] == '/' ? "" : "/", name);
}

static bool is_there(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

/* ---- taking away --------------------------------------------------------------------------------------- */

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

/* ---- earlier ones ---------------------------------------------------------------------------------------- */

/* Steps of the checkpoint there; -1: it is none. Asked for at every save: what it takes does not stay. */
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
static int64_t step_of_name(const char *name) {
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
        int64_t step = step_of_name(e->d_name);
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

/* ---- into place ------------------------------------------------------------------------------------------ */

static bool sync_folder(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = fsync(fd) == 0 || errno == EINVAL ||
              errno == EROFS; /* some file systems have no such thing */
    (void)close(fd);
    return ok;
}

/* The new one and the one before change places, which cannot be seen half done. *before: where that one is now, NULL:
 * there was none. A file system without this call gets two renames, and recover() knows the gap between them. */
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
static void recover(checkpoints_t *c) {
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

/* ---- who holds the folder -------------------------------------------------------------------------------- */

static bool make_folder(const char *path, diag_t *d) {
    if (make_directories(path, MODE)) return true;
    diag_error(d, IN_FILE(path), "cannot make this folder: %s",
               errno == EEXIST ? "a file stands there" : strerror(errno));
    return false;
}

static void report_holder(const checkpoints_t *c, int fd, diag_t *d) {
    char pid[24] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? strspn(pid, "0123456789") : 0] = 0;
    diag_error(d, IN_FILE(c->folder), "another training writes into this folder%s%s%s",
               *pid ? " (process " : "", pid, *pid ? ")" : "");
    diag_hint(d, "wait until it has ended, or take another folder");
}

/* A lock of the system's, which ends with the process however that ends. */
static bool take_lock(checkpoints_t *c, diag_t *d) {
    const char *path = inside(c, ".lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        diag_error(d, IN_FILE(c->folder), "cannot write into this folder: %s", strerror(errno));
        return false;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) report_holder(c, fd, d);
        else diag_error(d, IN_FILE(path), "cannot be locked: %s", strerror(errno));
        (void)close(fd);
        return false;
    }
    c->lock = fd;
    char pid[24];
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)n, 0) == n) return true;
    diag_error(d, IN_FILE(c->folder), "cannot write into this folder: %s", strerror(errno));
    return false;
}

static checkpoints_t *new_checkpoints(const char *folder) {
    arena_t *a = arena_new();
    checkpoints_t *c = ARENA_NEW(a, checkpoints_t);
    *c = (checkpoints_t){.arena = a, .folder = arena_strdup(a, folder), .lock = -1};
    return c;
}

/* Beginning anew over a training, or going on with none. */
static bool check_begin(checkpoints_t *c, bool resume, diag_t *d) {
    bool has = checkpoint_has(c, "last");
    int64_t steps = has ? checkpoint_step(c, "last", d) : 0;
    if (steps < 0) {
        const char *there = inside(c, checkpoint_has(c, "best") ? "best" : "last");
        diag_hint(d,
                  "what was trained here is not known, so it neither goes on nor is replaced; "
                  "another folder, and --weights %s, begin anew with its weights",
                  there);
        return false;
    }
    if (has && !resume && steps != 0) { /* of no step nothing is lost */
        diag_error(d, IN_FILE(c->folder), "holds a training already, of %" PRId64 " steps", steps);
        diag_hint(d, "--resume goes on with it; a new one needs another folder");
        return false;
    }
    if (!has && resume)
        diag_warning(d, IN_FILE(c->folder),
                     "holds no checkpoint to resume: the training begins at its first step");
    return true;
}

/* What there is of a training beside `last`. *newest: the checkpoint of most steps, NULL: none. */
static const char *list_rest(checkpoints_t *c, int64_t rows, const char **newest) {
    sbuf_t out = {0};
    int64_t most = -1;
    DIR *dir = opendir(c->folder);
    *newest = NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (strcmp(e->d_name, "best") != 0 && step_of_name(e->d_name) < 0) continue;
        if (!checkpoint_has(c, e->d_name)) continue;
        diag_t *quiet = diag_new();
        int64_t step = checkpoint_step(c, e->d_name, quiet);
        diag_free(quiet);
        if (step > most) *newest = arena_strdup(c->arena, e->d_name);
        if (step > most) most = step;
        sbuf_printf(&out, "%s%s", out.size ? ", " : "", e->d_name);
    }
    if (dir) (void)closedir(dir);
    if (rows > 0)
        sbuf_printf(&out, "%smetrics.csv with %" PRId64 " row%s", out.size ? ", " : "", rows,
                    rows == 1 ? "" : "s");
    const char *text = out.size ? arena_strdup(c->arena, out.data) : NULL;
    sbuf_free(&out);
    return text;
}

static void hint_rest(checkpoints_t *c, const char *newest, diag_t *d) {
    if (!newest) {
        diag_hint(d, "move that away, or take another folder");
        return;
    }
    const char *from = inside(c, newest);
    diag_hint(d,
              "mv %s %s, and --resume goes on from there; a new training needs another folder and "
              "may begin with --weights %s",
              from, inside(c, "last"), from);
}

/* Without `last`, or with one of no step, what else a training has left would be written over. */
static bool check_rest(checkpoints_t *c, bool resume, diag_t *d) {
    bool has = checkpoint_has(c, "last");
    if (has && resume) return true;
    diag_t *quiet = diag_new();
    int64_t steps = has ? checkpoint_step(c, "last", quiet) : 0;
    diag_free(quiet);
    if (steps != 0) return true; /* check_begin's */
    int64_t rows = metrics_rows(inside(c, "metrics.csv"), d);
    if (rows < 0) return false;
    const char *newest, *rest = list_rest(c, has ? 0 : rows, &newest);
    if (!rest) return true;
    diag_error(d, IN_FILE(c->folder), "holds a training already (%s), %s", rest,
               has ? "whose 'last' is of no step" : "but no 'last'");
    if (has) diag_hint(d, "--resume begins with its first step; a new one needs another folder");
    else hint_rest(c, newest, d);
    return false;
}

/* A checkpoint is no folder of a training, nor is what stands in one: the next checkpoint takes its place. */
static bool inside_checkpoint(const char *folder, diag_t *d) {
    arena_t *a = arena_new();
    char *path = arena_strdup(a, folder);
    size_t n = strlen(path);
    bool found = false;
    while (n > 1 && path[n - 1] == '/') path[--n] = 0;
    for (int up = 0; !found && n > 0 && up < 2; up++) {
        found = file_exists(arena_printf(a, "%s/" STATE_FILE, path));
        size_t parent = n;
        while (parent > 0 && path[parent - 1] != '/') parent--;
        while (parent > 1 && path[parent - 1] == '/') parent--;
        const char *above = parent                   ? arena_strndup(a, path, parent)
                            : strcmp(path, ".") == 0 ? ".."
                                                     : ".";
        if (found) {
            diag_error(d, IN_FILE(folder), "%s a checkpoint of a training",
                       up ? "would stand in" : "is");
            diag_hint(d, "the training is that of %s: --out %s --resume goes on with it", above,
                      above);
        }
        path[n = parent] = 0;
    }
    arena_free(a);
    return found;
}

checkpoints_t *checkpoint_open(const char *folder, bool resume, int64_t keep, diag_t *d) {
    if (!*folder) {
        diag_error(d, NOWHERE, "the folder of a training needs a name");
        return NULL;
    }
    if (inside_checkpoint(folder, d)) return NULL;
    if (resume && !is_directory(folder)) {
        diag_error(d, IN_FILE(folder), "there is no such folder, and so no training to resume");
        return NULL;
    }
    if (!make_folder(folder, d)) return NULL;
    checkpoints_t *c = new_checkpoints(folder);
    c->keep = keep;
    if (take_lock(c, d)) {
        recover(c);
        if (check_rest(c, resume, d) && check_begin(c, resume, d)) return c;
    }
    checkpoint_close(c);
    return NULL;
}

checkpoints_t *checkpoint_look(const char *folder, diag_t *d) {
    if (is_directory(folder)) return new_checkpoints(folder);
    diag_error(d, IN_FILE(folder), "there is no such folder");
    return NULL;
}

void checkpoint_close(checkpoints_t *c) {
    if (!c) return;
    if (c->lock >= 0) (void)close(c->lock);
    arena_free(c->arena);
}

bool checkpoint_has(const checkpoints_t *c, const char *name) {
    return file_exists(inside(c, arena_printf(c->arena, "%s/" STATE_FILE, name)));
}
