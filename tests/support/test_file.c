/* Files: reading with limits, mapping, outputs that appear whole or not at all. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/file.h"
#include "support/sbuf.h"

static char folder[300];

static const char *in_folder(const char *name) {
    static char path[8][600];
    static int next;
    char *out = path[next++ % 8];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static int make_folder(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/reformerc-file-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[700];
    snprintf(command, sizeof command, "chmod -R u+w '%s' && rm -rf '%s'", folder, folder);
    return system(command);
}

static int entries(void) {
    DIR *d = opendir(folder);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void assert_content(const char *path, const char *want) {
    diag_t *d = diag_new();
    size_t n;
    char *text = file_read(path, 0, &n, d);
    assert_non_null(text);
    assert_int_equal(n, strlen(want));
    assert_string_equal(text, want);
    free(text);
    diag_free(d);
}

static void assert_error(diag_t *d, const char *part) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    assert_non_null(f);
    diag_print(d, f);
    fclose(f);
    if (!strstr(text, part)) fail_msg("'%s' is not in:\n%s", part, text);
    free(text);
}

/* ---- reading ------------------------------------------------------------------------------------ */

static void reads_whole_files(void **state) {
    (void)state;
    diag_t *d = diag_new();
    sbuf_t big = {0};
    for (int i = 0; i < 50000; i++) sbuf_printf(&big, "line %d\n", i);
    assert_true(file_write(in_folder("big"), big.data, big.size, d));
    assert_content(in_folder("big"), big.data);
    assert_true(file_write(in_folder("empty"), NULL, 0, d));
    assert_content(in_folder("empty"), "");
    size_t n;
    char *text = file_read(in_folder("big"), big.size, &n, d);
    assert_non_null(text);
    free(text);
    assert_null(file_read(in_folder("big"), big.size - 1, &n, d));
    assert_error(d, "bytes, the limit here");
    sbuf_free(&big);
    assert_null(file_read(folder, 0, &n, d));
    assert_error(d, "is a directory, a file is needed here");
    assert_null(file_read(in_folder("absent"), 0, &n, d));
    assert_error(d, "absent: error: cannot open: No such file");
    assert_null(file_read("/dev/zero", 1 << 20, &n, d)); /* no end */
    assert_error(d, "/dev/zero: error: is a device");
    assert_int_equal(mkfifo(in_folder("silent"), 0600), 0);
    assert_null(file_read(in_folder("silent"), 0, &n, d)); /* nobody will ever write */
    assert_error(d, "silent: error: is a pipe that nobody writes to");
    assert_int_equal(diag_errors(d), 5);
    diag_free(d);
}

/* A file that loses its end between opening and reading. */
static void notices_a_shorter_file(void **state) {
    (void)state;
    diag_t *d = diag_new();
    input_t in;
    char bytes[8];
    assert_true(file_write(in_folder("shrinks"), "12345678", 8, d));
    assert_true(input_open(in_folder("shrinks"), &in, d));
    assert_int_equal(in.bytes, 8);
    assert_true(input_read(&in, 2, bytes, 4, d));
    assert_memory_equal(bytes, "3456", 4);
    assert_int_equal(truncate(in_folder("shrinks"), 5), 0);
    assert_false(input_read(&in, 0, bytes, 8, d));
    assert_error(d, "shrinks: error: became shorter while it was read");
    input_close(&in);
    diag_free(d);
}

/* A pipe with a writer is read to its end, however slow it is. */
static void reads_a_slow_pipe(void **state) {
    (void)state;
    assert_int_equal(mkfifo(in_folder("slow"), 0600), 0);
    pid_t child = fork();
    if (child == 0) {
        FILE *f = fopen(in_folder("slow"), "w");
        if (!f) _exit(1);
        for (int i = 0; i < 3; i++) {
            usleep(100000);
            fputs("tick", f);
            fflush(f);
        }
        fclose(f);
        _exit(0);
    }
    assert_content(in_folder("slow"), "tickticktick");
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void loads_files(void **state) {
    (void)state;
    diag_t *d = diag_new();
    content_t m;
    assert_true(file_write(in_folder("loaded"), "weights", 7, d));
    assert_true(file_load(in_folder("loaded"), &m, d));
    assert_int_equal(m.bytes, 7);
    assert_memory_equal(m.data, "weights", 7);
    assert_int_equal(truncate(in_folder("loaded"), 0), 0); /* what was read stays */
    assert_memory_equal(m.data, "weights", 7);
    file_unload(&m);
    assert_null(m.data);
    file_unload(&m); /* again is fine */
    assert_true(file_write(in_folder("loaded"), "", 0, d));
    assert_true(file_load(in_folder("loaded"), &m, d));
    assert_int_equal(m.bytes, 0);
    file_unload(&m);
    assert_int_equal(diag_errors(d), 0);
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_false(file_load(in_folder("pipe"), &m, d)); /* and does not wait for a writer */
    assert_error(d, "pipe: error: is not a regular file but a pipe");
    assert_false(file_load("/dev/zero", &m, d));
    assert_false(file_load(folder, &m, d));
    assert_false(file_load(in_folder("absent"), &m, d));
    assert_null(m.data);
    diag_free(d);
}

/* Whole pages of a part go, and nothing beside it. */
static void forgets_parts(void **state) {
    (void)state;
    enum { PAGES = 8 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    diag_t *d = diag_new();
    content_t m;
    char *text = malloc(PAGES * page);
    assert_non_null(text);
    memset(text, 'w', PAGES * page);
    assert_true(file_write(in_folder("parts"), text, PAGES * page, d));
    assert_true(file_load(in_folder("parts"), &m, d));
    file_forget(&m, m.data + page + 1, 3 * page);
    for (size_t i = 0; i < PAGES; i++) {
        bool gone = i == 2 || i == 3;
        assert_int_equal(m.data[i * page], gone ? 0 : 'w');
        assert_int_equal(m.data[i * page + page - 1], gone ? 0 : 'w');
    }
    file_forget(&m, m.data, page - 1); /* no whole page */
    assert_int_equal(m.data[0], 'w');
    file_unload(&m);
    free(text);
    diag_free(d);
}

/* ---- outputs ------------------------------------------------------------------------------------- */

static void output_appears_at_commit(void **state) {
    (void)state;
    diag_t *d = diag_new();
    int before = entries();
    output_t *o = output_open(in_folder("out"), d);
    assert_non_null(o);
    assert_true(output_write(o, "ab", 2));
    assert_true(output_write(o, NULL, 0));
    assert_false(file_exists(in_folder("out")));
    assert_true(output_write(o, "cd", 2));
    assert_true(output_commit(o));
    assert_content(in_folder("out"), "abcd");
    assert_int_equal(entries(), before + 1); /* no temporary file is left */
    o = output_open(in_folder("out"), d);
    assert_true(output_write(o, "new", 3));
    output_abort(o);
    assert_content(in_folder("out"), "abcd");
    assert_int_equal(entries(), before + 1);
    output_abort(NULL);
    assert_true(file_write(in_folder("out"), "new", 3, d));
    assert_content(in_folder("out"), "new");
    assert_int_equal(diag_errors(d), 0);
    diag_free(d);
}

/* The last of a set cannot be renamed: those before it are as they were. */
static void sets_are_whole(void **state) {
    (void)state;
    diag_t *d = diag_new();
    const char *old = in_folder("set-old"), *fresh = in_folder("set-fresh"),
               *bad = in_folder("set-bad");
    assert_true(file_write(old, "old", 3, d));
    int before = entries();
    output_t *o[] = {output_open(old, d), output_open(fresh, d), output_open(bad, d)};
    for (int k = 0; k < 3; k++) assert_true(o[k] && output_write(o[k], "new", 3));
    assert_int_equal(mkdir(bad, 0700), 0);
    assert_false(output_commit_all(o, 3));
    assert_error(d, "set-bad: error: cannot create: Is a directory");
    assert_content(old, "old");
    assert_false(file_exists(fresh));
    assert_int_equal(entries(), before + 1);
    assert_int_equal(rmdir(bad), 0);
    for (int k = 0; k < 2; k++) {
        o[k] = output_open(k ? fresh : old, d);
        assert_true(o[k] && output_write(o[k], "new", 3));
    }
    assert_true(output_commit_all(o, 2));
    assert_content(old, "new");
    assert_content(fresh, "new");
    assert_int_equal(entries(), before + 1);
    diag_free(d);
}

static void output_follows_links(void **state) {
    (void)state;
    diag_t *d = diag_new();
    struct stat st;
    const char *link = in_folder("link");
    assert_int_equal(symlink("link-end", link), 0);
    for (int k = 0; k < 2; k++) { /* it leads nowhere at first */
        assert_true(file_write(link, "data", 4, d));
        assert_int_equal(lstat(link, &st), 0);
        assert_true(S_ISLNK(st.st_mode));
        assert_content(in_folder("link-end"), "data");
    }
    assert_int_equal(diag_errors(d), 0);
    diag_free(d);
}

/* Through links, too, and whoever asks: root could. */
static void read_only_stays(void **state) {
    (void)state;
    diag_t *d = diag_new();
    const char *kept = in_folder("kept"), *link = in_folder("to-kept");
    assert_true(file_write(kept, "mine", 4, d));
    assert_int_equal(chmod(kept, 0444), 0);
    assert_int_equal(symlink(kept, link), 0);
    assert_false(file_write(kept, "other", 5, d));
    assert_error(d, "kept: error: is read-only");
    assert_false(file_write(link, "other", 5, d));
    assert_int_equal(diag_errors(d), 2);
    assert_content(kept, "mine");
    assert_int_equal(chmod(kept, 0600), 0);
    assert_true(file_write(kept, "other", 5, d));
    assert_content(kept, "other");
    diag_free(d);
}

static void output_has_usual_permissions(void **state) {
    (void)state;
    diag_t *d = diag_new();
    mode_t old = umask(027);
    assert_true(file_write(in_folder("mode"), "x", 1, d));
    umask(old);
    struct stat st;
    assert_int_equal(stat(in_folder("mode"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    diag_free(d);
}

static void output_onto_devices(void **state) {
    (void)state;
    diag_t *d = diag_new();
    assert_true(file_write("/dev/null", "x", 1, d));
    assert_int_equal(diag_errors(d), 0);
    assert_false(file_write("/dev/full", "x", 1, d));
    assert_error(d, "/dev/full: error: cannot write: No space left on device");
    struct stat st;
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode)); /* not replaced by a file */
    diag_free(d);
}

/* A full disk, by way of a limit on the size of files: small writes fail only when flushed. */
static void full_disk(void **state) {
    (void)state;
    int before = entries();
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit = {100, 100};
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
        diag_t *d = diag_new();
        static char data[1 << 20];
        int bad = file_write(in_folder("small"), data, 200, d) ||
                  file_write(in_folder("large"), data, sizeof data, d) || diag_errors(d) != 2 ||
                  file_exists(in_folder("small")) || file_exists(in_folder("large"));
        diag_free(d);
        _exit(bad);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(entries(), before);
}

static void output_into_nowhere(void **state) {
    (void)state;
    diag_t *d = diag_new();
    assert_null(output_open(in_folder("absent/out"), d));
    assert_error(d, "absent/out: error: cannot create: No such file or directory");
    assert_false(file_write(folder, "x", 1, d)); /* a directory */
    assert_int_equal(diag_errors(d), 2);
    assert_int_equal(mkdir(in_folder("locked"), 0500), 0);
    if (geteuid() != 0) {
        assert_null(output_open(in_folder("locked/out"), d));
        assert_error(d, "cannot create: Permission denied");
    }
    diag_free(d);
}

static void output_to_stdout(void **state) {
    (void)state;
    fflush(NULL);
    int saved = dup(1);
    assert_non_null(freopen(in_folder("stdout"), "w", stdout));
    diag_t *d = diag_new();
    output_t *o = output_open("-", d);
    int aborted = o && output_write(o, "never", 5);
    output_abort(o);
    o = output_open("-", d);
    int ok = o && output_write(o, "da", 2) && output_write(o, "ta", 2);
    fflush(stdout);
    struct stat st;
    int early = stat(in_folder("stdout"), &st) == 0 && st.st_size > 0; /* held until commit */
    ok = ok && output_commit(o);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    assert_true(aborted && ok && !early);
    assert_content(in_folder("stdout"), "data");
    diag_free(d);
}

/* ---- folders -------------------------------------------------------------------------------------- */

static void folders(void **state) {
    (void)state;
    assert_true(is_directory(folder));
    assert_true(make_directories(folder, 0700));
    assert_true(make_directories(in_folder("a/b/c"), 0700));
    assert_true(is_directory(in_folder("a/b/c")));
    assert_true(make_directories(in_folder("a//b/d/"), 0700));
    assert_true(is_directory(in_folder("a/b/d")));
    diag_t *d = diag_new();
    assert_true(file_write(in_folder("a/file"), "", 0, d));
    diag_free(d);
    assert_false(make_directories(in_folder("a/file"), 0700));
    assert_int_equal(errno, EEXIST);
    assert_false(make_directories(in_folder("a/file/below"), 0700));
    assert_int_equal(errno, ENOTDIR);
    assert_false(make_directories("", 0700));
    assert_int_equal(errno, ENOENT);
    assert_false(is_directory(in_folder("a/file")));
    assert_true(file_exists(in_folder("a/file")));
    assert_false(file_exists(in_folder("a/none")));
    struct stat st;
    assert_int_equal(stat(in_folder("a/b"), &st), 0);
    assert_int_equal(st.st_mode & 0077, 0);
    mode_t mask = umask(0027);
    assert_true(make_directories(in_folder("a/shared/with"), 0777));
    (void)umask(mask);
    assert_int_equal(stat(in_folder("a/shared"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_whole_files),
        cmocka_unit_test(loads_files),
        cmocka_unit_test(forgets_parts),
        cmocka_unit_test(notices_a_shorter_file),
        cmocka_unit_test(reads_a_slow_pipe),
        cmocka_unit_test(output_appears_at_commit),
        cmocka_unit_test(sets_are_whole),
        cmocka_unit_test(output_follows_links),
        cmocka_unit_test(read_only_stays),
        cmocka_unit_test(output_has_usual_permissions),
        cmocka_unit_test(output_onto_devices),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(output_into_nowhere),
        cmocka_unit_test(output_to_stdout),
        cmocka_unit_test(folders),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
