/* The folder of a training (checkpoint.h): who holds it, and whether what stands in it may be gone
 * on with, or written over. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "checkpoint/checkpoint_int.h"
#include "checkpoint/metrics.h"
#include "support/file.h"

enum { MODE = 0777 }; /* less the umask */

/* ---- who holds the folder -------------------------------------------------------------------- */

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
    int64_t max = -1;
    DIR *dir = opendir(c->folder);
    *newest = NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (strcmp(e->d_name, "best") != 0 && checkpoint_step_of(e->d_name) < 0) continue;
        if (!checkpoint_has(c, e->d_name)) continue;
        diag_t *quiet = diag_new();
        int64_t step = checkpoint_step(c, e->d_name, quiet);
        diag_free(quiet);
        if (step > max) *newest = arena_strdup(c->arena, e->d_name);
        if (step > max) max = step;
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

/* A checkpoint is no folder of a training, nor is what stands in one: the next
 * checkpoint takes its place. */
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
        checkpoint_recover(c);
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
