/* Processes of process.h, by posix_spawn: no shell ever sees an argument. */
#define _GNU_SOURCE /* pipe2: a child that another thread starts must not inherit our ends */
#include "support/process.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/guard.h"

extern char **environ;

enum { ERROR_LINES = 12 };

int process_words(arena_t *a, const char *line, const char **words, int max) {
    int n = 0;
    for (const char *p = line; *p;) {
        size_t length = strcspn(p, " \t\n");
        if (length && n == max) break;
        if (length) words[n++] = arena_strndup(a, p, length);
        p += length + (p[length] != 0);
    }
    return n;
}

static bool read_all(int fd, sbuf_t *out) {
    char chunk[4096];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n == 0;
        sbuf_write(out, chunk, (size_t)n);
    }
}

static int spawn(char *const *argv, int out, pid_t *pid) {
    posix_spawn_file_actions_t fa;
    int e = posix_spawn_file_actions_init(&fa);
    if (e) return e;
    e = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    if (!e) e = posix_spawn_file_actions_adddup2(&fa, out, 1);
    if (!e) e = posix_spawn_file_actions_adddup2(&fa, out, 2);
    if (!e) e = posix_spawnp(pid, argv[0], &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    return e;
}

static int wait_for(pid_t pid, int *status) {
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR) return errno;
    return 0;
}

typedef struct {
    pid_t pid;
    int out;
} child_t;

/* Its output cannot be held: without a reader it ends. */
static void give_up(void *child, size_t bytes) {
    const child_t *c = child;
    int status;
    (void)bytes;
    (void)guard_close(c->out);
    (void)wait_for(c->pid, &status);
}

int process_run(const char *const *argv, sbuf_t *said, int *status) {
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0) return errno;
    (void)guard_open(fd[0]);
    pid_t pid;
    int e = spawn((char *const *)argv, fd[1], &pid);
    close(fd[1]);
    if (e) {
        (void)guard_close(fd[0]);
        return e;
    }
    child_t child = {pid, fd[0]};
    guard_own(&child, 0, give_up);
    bool whole = read_all(fd[0], said);
    (void)guard_close(fd[0]);
    guard_disown(&child);
    int waited = wait_for(pid, status);
    return whole ? waited : EIO;
}

static const char *command_text(arena_t *a, const char *const *argv) {
    const char *text = "";
    for (int k = 0; argv[k]; k++) text = arena_printf(a, "%s%s%s", text, k ? " " : "", argv[k]);
    return text;
}

/* Indented. */
static const char *first_lines(arena_t *a, const char *said) {
    const char *text = "";
    for (int k = 0; k < ERROR_LINES && *said; k++) {
        size_t n = strcspn(said, "\n");
        text = arena_printf(a, "%s\n    %.*s", text, (int)n, said);
        said += n + (said[n] != 0);
    }
    return *said ? arena_printf(a, "%s\n    …", text) : text;
}

bool process_must(arena_t *a, const char *const *argv, const char *what, const char *hint,
                  sbuf_t *said, diag_t *d) {
    int status = 0, e = process_run(argv, said, &status);
    if (e) {
        diag_error(d, NOWHERE, "cannot run %s '%s': %s", what, argv[0], strerror(e));
        if (hint) diag_hint(d, "%s", hint);
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    const char *how = "failed";
    if (WIFSIGNALED(status))
        how = arena_printf(a, "was ended by a signal (%s)", strsignal(WTERMSIG(status)));
    diag_error(d, NOWHERE, "%s %s: %s%s", what, how, command_text(a, argv),
               first_lines(a, said->data ? said->data : ""));
    return false;
}
