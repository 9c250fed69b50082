/* How many threads a process of this machine should use.
 *
 * In: the CPUs that the scheduler lets it run on, and the quota of its control group, of version 1
 * (cpu.cfs_quota_us) or 2 (cpu.max): of the group itself and of every one above it that can be seen
 * from here. Out: a number of threads; those beyond it would stand still in every
 * period of the quota.
 *
 * /proc/self/cgroup says which group this is, /proc/self/mountinfo where groups are
 * mounted and from which one on. */
#define _GNU_SOURCE /* sched_getaffinity; strict C11 otherwise */
#include "rt_int.h"

#if defined(REFORMER_SERIAL) /* nothing of the system is there to be asked */
int reformer_default_threads(void) {
    return 1;
}
#else
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 4096 + 512, PATH = 4096 };

/* ---- files, line by line --------------------------------------------------------------------- */

typedef struct {
    int fd;
    size_t at, n;
    char data[1024];
} lines_t;

/* `root` stands before every path: "" but in tests. */
static int open_lines(lines_t *f, const char *root, const char *path) {
    char full[PATH];
    size_t n = strlen(root), m = strlen(path);
    *f = (lines_t){.fd = -1};
    if (n + m >= sizeof full) return 0;
    for (size_t i = 0; i < n; i++) full[i] = root[i];
    memcpy(full + n, path, m + 1);
    f->fd = open(full, O_RDONLY | O_CLOEXEC);
    return f->fd >= 0;
}

/* 0: the end. A line that is too long is cut. */
static int next_line(lines_t *f, char line[LINE]) {
    for (size_t n = 0;;) {
        if (f->at == f->n) {
            ssize_t got = read(f->fd, f->data, sizeof f->data);
            f->at = 0;
            f->n = got > 0 ? (size_t)got : 0;
            if (f->n == 0) return line[n] = 0, n > 0;
        }
        char c = f->data[f->at++];
        if (c == '\n') return line[n] = 0, 1;
        if (n < LINE - 1) line[n++] = c;
    }
}

static int first_line(const char *root, const char *path, char line[LINE]) {
    lines_t f;
    if (!open_lines(&f, root, path)) return 0;
    int some = next_line(&f, line);
    (void)close(f.fd);
    return some;
}

/* The word at *text, which is ended, and *text behind it; "": there is none. */
static char *word(char **text, char end) {
    char *w = *text, *stop = strchr(w, end);
    *text = stop ? stop + 1 : w + strlen(w);
    if (stop) *stop = 0;
    return w;
}

/* Is `name` one of the words of "rw,cpu,cpuacct"? */
static int lists(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *w = list; w; w = strchr(w, ',') ? strchr(w, ',') + 1 : NULL)
        if (strncmp(w, name, n) == 0 && (w[n] == ',' || w[n] == 0)) return 1;
    return 0;
}

/* mountinfo writes blanks and the like as \040. */
static void unescape(char *text) {
    char *to = text;
    for (const char *c = text; *c; c++) {
        int octal = c[0] == '\\' && c[1] >= '0' && c[1] <= '3' && c[2] >= '0' && c[2] <= '7' &&
                    c[3] >= '0' && c[3] <= '7';
        char byte = *c;
        if (octal) {
            byte = (char)((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0'));
            c += 3;
        }
        *to++ = byte;
    }
    *to = 0;
}

/* -1: no number stands there ("max"). */
static long long number(const char *text) {
    long long x = 0;
    if (*text < '0' || *text > '9') return -1;
    for (; *text >= '0' && *text <= '9' && x < INT64_MAX / 100; text++) x = 10 * x + (*text - '0');
    return x;
}

/* ---- a group's quota ------------------------------------------------------------------------- */

typedef struct {
    int version;                 /* 1 or 2 */
    char folder[LINE];           /* where the groups are mounted; "": nowhere */
    char above[LINE];            /* the group that is mounted there */
    char group[LINE];            /* of this process */
    char path[PATH + LINE + 32]; /* at work, and the name of a file in it */
} groups_t;

/* "36 25 0:30 /above /folder rw,nosuid shared:9 - cgroup2 cgroup2 rw": fields, any number
 * of optional ones, a dash. */
static void read_mount(groups_t *g, char *line) {
    for (int i = 0; i < 3; i++) (void)word(&line, ' ');
    char *above = word(&line, ' '), *folder = word(&line, ' ');
    while (*line && strcmp(word(&line, ' '), "-") != 0) continue;
    const char *type = word(&line, ' ');
    (void)word(&line, ' ');
    if (strcmp(type, g->version == 2 ? "cgroup2" : "cgroup") != 0) return;
    if (g->version == 1 && !lists(line, "cpu")) return;
    unescape(above);
    unescape(folder);
    memcpy(g->above, above, strlen(above) + 1);
    memcpy(g->folder, folder, strlen(folder) + 1);
}

/* "0::/group" of version 2, "4:cpu,cpuacct:/group" of version 1. */
static void read_group(groups_t *g, char *line) {
    const char *number_of = word(&line, ':'), *controllers = word(&line, ':');
    int mine = g->version == 2 ? strcmp(number_of, "0") == 0 && *controllers == 0
                               : lists(controllers, "cpu");
    if (mine) memcpy(g->group, line, strlen(line) + 1);
}

static void read_all(groups_t *g, const char *root, const char *path,
                     void (*take)(groups_t *g, char *line)) {
    lines_t f;
    char line[LINE];
    if (!open_lines(&f, root, path)) return;
    while (next_line(&f, line)) take(g, line);
    (void)close(f.fd);
}

/* First line of a file of the group that g->path names, whose length is n. */
static int read_setting(groups_t *g, const char *root, size_t n, const char *name,
                        char line[LINE]) {
    memcpy(g->path + n, name, strlen(name) + 1);
    int some = first_line(root, g->path, line);
    g->path[n] = 0;
    return some;
}

/* Whole CPUs that the group at g->path may use; INT_MAX: as many as there are. */
static int quota_here(groups_t *g, const char *root, size_t n) {
    char line[LINE], *rest = line;
    long long quota = -1, period = -1;
    if (g->version == 2 && read_setting(g, root, n, "/cpu.max", line)) {
        quota = number(word(&rest, ' '));
        period = number(rest);
    } else if (g->version == 1 && read_setting(g, root, n, "/cpu.cfs_quota_us", line)) {
        quota = number(line);
        if (read_setting(g, root, n, "/cpu.cfs_period_us", line)) period = number(line);
    }
    if (quota < 0 || period <= 0 || quota / period >= INT32_MAX) return INT32_MAX;
    return quota < period ? 1 : (int)(quota / period);
}

static int quota(const char *root, int version) {
    static const char up[] = "/..";
    groups_t g = {.version = version};
    read_all(&g, root, "/proc/self/mountinfo", read_mount);
    read_all(&g, root, "/proc/self/cgroup", read_group);
    if (!*g.folder || strlen(g.folder) >= PATH) return INT32_MAX;
    /* what is mounted may begin with a group of its own, as in a container */
    size_t n = strlen(g.folder), above = strcmp(g.above, "/") == 0 ? 0 : strlen(g.above);
    const char *below = g.group;
    if (strncmp(below, g.above, above) == 0 && (below[above] == '/' || !below[above]))
        below += above;
    if (strncmp(below, up, sizeof up - 1) == 0) below = ""; /* it cannot be seen from here */
    memcpy(g.path, g.folder, n + 1);
    memcpy(g.path + n, below, strlen(below) + 1);
    int min = INT32_MAX;
    for (size_t end = strlen(g.path); end >= n && end > 0; end--) {
        if (end > n && g.path[end] && g.path[end] != '/') continue;
        g.path[end] = 0;
        int here = quota_here(&g, root, end);
        min = here < min ? here : min;
    }
    return min;
}

int reformer_threads_within(const char *root, int cpus) {
    for (int version = 1; version <= 2; version++) {
        int max = quota(root, version);
        cpus = max < cpus ? max : cpus;
    }
    return cpus < 1 ? 1 : cpus > REFORMER_MAX_THREADS ? REFORMER_MAX_THREADS : cpus;
}

/* ---- the CPUs -------------------------------------------------------------------------------- */

int reformer_default_threads(void) {
    int cpus = 1;
#if defined(CPU_COUNT)
    cpu_set_t mine;
    if (sched_getaffinity(0, sizeof mine, &mine) == 0) cpus = CPU_COUNT(&mine);
    else /* more CPUs than the set has room for */
#endif
    {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        cpus = online > REFORMER_MAX_THREADS ? REFORMER_MAX_THREADS : (int)online;
    }
    return reformer_threads_within("", cpus);
}
#endif
