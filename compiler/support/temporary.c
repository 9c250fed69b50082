/* The list of temporary.h. A handler may neither wait nor free: it touches the list only where
 * nobody holds signals.
 *
 * Rule of the two flags: the handler writes `waiting` before it looks at `state`, go_on() writes
 * `state` before it looks at `waiting`; so one of the two sees the signal. */
#define _GNU_SOURCE /* getdents64 */
#include "support/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX = 64 }; /* one more than fits is not removed by a signal, nothing worse */
enum { FREE, HELD, ENDING };

static char *names[MAX];          /* NULL: free */
static atomic_int state, waiting; /* of what the rule says; waiting: a signal, 0: none */
static atomic_bool catching;

/* ---- removing, as a handler may -------------------------------------------------------------- */

/* opendir() allocates. True: something was removed, there may be more. */
static bool empty_folder(int fd) {
    _Alignas(struct dirent64) char buffer[4096];
    bool removed = false;
    long n;
    (void)lseek(fd, 0, SEEK_SET);
    while ((n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < n;) {
            const struct dirent64 *e = (const struct dirent64 *)(const void *)(buffer + at);
            removed |= unlinkat(fd, e->d_name, 0) == 0;
            at += e->d_reclen;
        }
    }
    return removed;
}

static void remove_one(const char *path) {
    if (unlink(path) == 0 || errno == ENOENT) return;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    while (empty_folder(fd)) continue;
    (void)close(fd);
    (void)rmdir(path);
}

/* Later ones first: a folder may hold another. */
static void remove_all(void) {
    for (int k = MAX; k-- > 0;)
        if (names[k]) remove_one(names[k]);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void die_of(int number) {
    sigset_t this;
    remove_all();
    (void)signal(number, SIG_DFL);
    sigemptyset(&this);
    sigaddset(&this, number);
    (void)pthread_sigmask(SIG_UNBLOCK, &this, NULL);
    (void)raise(number);
}

void temporary_end(int number) {
    int kept = errno, expected = FREE;
    atomic_store(&waiting, number);
    if (atomic_compare_exchange_strong(&state, &expected, ENDING)) die_of(number);
    errno = kept;
}

void temporary_catch_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU};
    atomic_store(&catching, true);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        struct sigaction old, new = {.sa_handler = temporary_end, .sa_flags = SA_RESTART};
        sigemptyset(&new.sa_mask);
        if (sigaction(numbers[k], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(numbers[k], &new, NULL);
    }
}

/* Holding is for one thread at a time, and short. While another ends the process
 * no new file may be made. */
void temporary_hold(void) {
    if (!atomic_load(&catching)) return;
    int expected = FREE;
    while (!atomic_compare_exchange_strong(&state, &expected, HELD)) {
        if (expected == ENDING) (void)pause();
        else (void)sched_yield();
        expected = FREE;
    }
}

void temporary_go_on(void) {
    if (!atomic_load(&catching)) return;
    atomic_store(&state, FREE);
    int number = atomic_load(&waiting);
    if (number) temporary_end(number);
}

/* ---- the list -------------------------------------------------------------------------------- */

void temporary_note(const char *path) {
    if (!atomic_load(&catching)) return; /* nobody holds: the list is nobody's */
    char *copy = strdup(path);
    int k = 0;
    while (k < MAX && names[k]) k++;
    if (k < MAX) names[k] = copy;
    else free(copy);
}

void temporary_forget(const char *path) {
    if (!atomic_load(&catching)) return;
    for (int k = 0; k < MAX; k++) {
        if (!names[k] || strcmp(names[k], path) != 0) continue;
        free(names[k]);
        names[k] = NULL;
    }
}

bool temporary_make_folder(char *pattern) {
    temporary_hold();
    bool made = mkdtemp(pattern) != NULL;
    int why = errno;
    if (made) temporary_note(pattern);
    temporary_go_on();
    errno = why;
    return made;
}
