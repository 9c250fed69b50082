/* The compile cache: made once, found again, made again when damaged, shared by processes, and done
 * without where no folder can be written or the folder is not this user's alone; nor is an entry taken that another
 * may have put there. What a compiler says when it fails reaches the user. */
#include "../emit/emit_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "exec/cache.h"
#include "exec/cc.h"

static module_t *a_module(bench_t *b) {
    return bench_parse(b,
                       "module \"m\" target \"x86-64\"\nbuffer out: output i32 [1] slot 5\n"
                       "kernel work() tasks(%t < 1) {\n  %c = const.i32 41\n  store out[0], %c\n}\n"
                       "entry run {\n  launch work()\n}\n");
}

static void open_cache(bench_t *b, const char *name) {
    bench_open(b, name);
    module_t *m = a_module(b);
    bench_modules(b, &m, 1);
    assert_int_equal(setenv("REFORMERC_CACHE", b->folder, 1), 0);
    unsetenv("CC");
}

/* Entries of the folder; the last one's path is left in `path`. Anything else there is a failure. */
static int count_entries(const char *folder, char path[256]) {
    DIR *d = opendir(folder);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (*e->d_name == '.') continue;
        size_t l = strlen(e->d_name);
        if (l != 35 || strcmp(e->d_name + l - 3, ".so") != 0)
            fail_msg("left behind: %s", e->d_name);
        snprintf(path, 256, "%s/%.60s", folder, e->d_name);
        n++;
    }
    closedir(d);
    return n;
}

/* Loads, binds and runs: 41. */
static void expect_works(bench_t *b, const char *cc) {
    compiled_t code;
    must(b, cc_load(&b->plan, cc, false, &code, b->diag));
    reformer_model_t m = {0};
    _Alignas(64) static unsigned char weights[REFORMER_WEIGHTS_HEADER];
    assert_int_equal(code.bind(&m, weights, sizeof weights), REFORMER_E_WEIGHTS); /* ours answers */
    cc_unload(&code);
    assert_null(code.library);
}

/* Another one after the entry was made anew, beside the earlier; its time is that of its last use. */
static long long changed(const char *path) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (long long)st.st_ino;
}

static void made_once(void **state) {
    (void)state;
    bench_t b;
    char path[256], again[256];
    open_cache(&b, "once");
    expect_works(&b, NULL);
    assert_int_equal(count_entries(b.folder, path), 1);
    long long before = changed(path);
    expect_works(&b, NULL);
    assert_int_equal(count_entries(b.folder, again), 1);
    assert_true(before == changed(path));
    expect_works(&b, "cc -DANOTHER=1"); /* arguments are part of the key, and reach the compiler */
    assert_int_equal(count_entries(b.folder, again), 2);
    bench_close(&b);
}

static void damage_is_mended(void **state) {
    (void)state;
    bench_t b;
    char path[256];
    open_cache(&b, "damage");
    expect_works(&b, NULL);
    assert_int_equal(count_entries(b.folder, path), 1);
    long long before = changed(path);
    assert_int_equal(truncate(path, 1000), 0);
    expect_works(&b, NULL);
    assert_true(before != changed(path));
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, 600, SEEK_SET);
    fputs("damage", f);
    fclose(f);
    before = changed(path);
    expect_works(&b, NULL);
    assert_true(before != changed(path));
    assert_int_equal(truncate(path, 0), 0);
    expect_works(&b, NULL);
    assert_int_equal(count_entries(b.folder, path), 1);
    bench_close(&b);
}

static void processes_share(void **state) {
    (void)state;
    bench_t b;
    char path[256];
    open_cache(&b, "share");
    pid_t child[4];
    for (int k = 0; k < 4; k++) {
        child[k] = fork();
        if (child[k] != 0) continue;
        compiled_t code;
        _exit(cc_load(&b.plan, NULL, false, &code, b.diag) ? 0 : 1);
    }
    for (int k = 0; k < 4; k++) {
        int status = 1;
        assert_int_equal(waitpid(child[k], &status, 0), child[k]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(count_entries(b.folder, path), 1);
    bench_close(&b);
}

static void works_without_a_folder(void **state) {
    (void)state;
    bench_t b;
    char path[256], file[128];
    open_cache(&b, "nowhere");
    snprintf(file, sizeof file, "%s/plain", b.folder);
    must(&b, file_write(file, "x", 1, b.diag));
    snprintf(path, sizeof path, "%.100s/below", file); /* a folder inside of a file */
    setenv("REFORMERC_CACHE", path, 1);
    setenv("TMPDIR", b.folder, 1);
    expect_works(&b, NULL);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(count_entries(b.folder, path), 0); /* the private folder is gone */
    unsetenv("TMPDIR");
    bench_close(&b);
}

/* ---- trust ------------------------------------------------------------------------------------------- */

enum { ANOTHER = 65534 };

static void spoil_truncated(const char *path) {
    assert_int_equal(truncate(path, 20), 0);
}
static void spoil_emptied(const char *path) {
    assert_int_equal(truncate(path, 0), 0);
}
static void spoil_longer(const char *path) {
    shell("echo more >>%s", path);
}
static void spoil_garbage(const char *path) {
    shell("head -c 5000 /dev/urandom >%s", path);
}
/* Bytes that are right, in a file whose name is a link. */
static void spoil_link(const char *path) {
    shell("mv %s %s.kept && ln -s %s.kept %s", path, path, path, path);
}
static void spoil_pipe(const char *path) {
    shell("rm %s && mkfifo -m 600 %s", path, path);
}
static void spoil_group(const char *path) {
    assert_int_equal(chmod(path, 0620), 0);
}
static void spoil_others(const char *path) {
    assert_int_equal(chmod(path, 0602), 0);
}
static void spoil_owner(const char *path) {
    assert_int_equal(chown(path, ANOTHER, ANOTHER), 0);
}

static const struct {
    const char *what;
    void (*spoil)(const char *path);
} spoilers[] = {
    {"truncated", spoil_truncated},   {"emptied", spoil_emptied},  {"longer", spoil_longer},
    {"garbage", spoil_garbage},       {"a link", spoil_link},      {"a pipe", spoil_pipe},
    {"the group's too", spoil_group}, {"anybody's", spoil_others}, {"another's", spoil_owner},
};

static void expect_absent(const char *path, const char *what) {
    size_t n;
    char *data = cache_read(path, &n);
    int fd = cache_open(path);
    if (data || fd >= 0) fail_msg("an entry that is %s was taken", what);
}

/* Keeps "some code", and finds it again. */
static void expect_kept(bench_t *b, const char *path) {
    static const char code[] = "some code";
    size_t n = 0;
    struct stat st;
    compile_cache_t cache = {b->folder, 1 << 20};
    int made = cache_write(b->arena, &cache, path, code, sizeof code);
    assert_true(made >= 0);
    close(made);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode) && (st.st_mode & 077) == 0 && st.st_uid == geteuid());
    char *data = cache_read(path, &n);
    assert_non_null(data);
    assert_int_equal(n, sizeof code);
    assert_string_equal(data, code);
    free(data);
    int fd = cache_open(path);
    assert_true(fd >= 0);
    close(fd);
}

static void entries_of_others(void **state) {
    (void)state;
    bench_t b;
    open_cache(&b, "entries");
    for (size_t k = 0; k < sizeof spoilers / sizeof *spoilers; k++) {
        if (spoilers[k].spoil == spoil_owner && geteuid() != 0) {
            print_message("not root: an entry of another user is not tried\n");
            continue;
        }
        const char *path = arena_printf(b.arena, "%s/entry%zu.o", b.folder, k);
        expect_absent(path, "absent");
        expect_kept(&b, path);
        spoilers[k].spoil(path);
        expect_absent(path, spoilers[k].what);
        expect_kept(&b, path);
    }
    bench_close(&b);
}

/* The library that loads is the one made anew. */
static void libraries_of_others(void **state) {
    (void)state;
    bench_t b;
    char path[256];
    open_cache(&b, "libraries");
    expect_works(&b, NULL);
    assert_int_equal(count_entries(b.folder, path), 1);
    struct stat st;
    spoil_link(path);
    expect_works(&b, NULL);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode) && (st.st_mode & 022) == 0);
    bench_close(&b);
}

static char *said(bench_t *b) {
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    diag_print(b->diag, f);
    fclose(f);
    return text;
}

/* Works without it, writes nothing there, and says why, naming the level. */
static void expect_not_used(bench_t *b, const char *cache, const char *why) {
    char path[256];
    setenv("REFORMERC_CACHE", cache, 1);
    expect_works(b, NULL);
    char *text = said(b);
    if (!strstr(text, why) || !strstr(text, "the compile cache is not used") ||
        !strstr(text, "REFORMERC_CACHE names another"))
        fail_msg("expected '%s' in: %s", why, text);
    free(text);
    diag_free(b->diag);
    b->diag = diag_new();
    assert_int_equal(count_entries(cache, path), 0);
}

static void folders_of_others(void **state) {
    (void)state;
    bench_t b;
    open_cache(&b, "folders");
    const char *cache = arena_printf(b.arena, "%s/cache", b.folder);
    assert_int_equal(mkdir(cache, 0700), 0);
    assert_int_equal(chmod(cache, 0770), 0);
    expect_not_used(&b, cache, "other users may write to ");
    assert_int_equal(chmod(cache, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(cache, ANOTHER, ANOTHER), 0);
        expect_not_used(&b, cache, "belongs to user 65534");
    } else {
        print_message("not root: a folder of another user is not tried\n");
    }
    bench_close(&b);
}

static void expect_error(bench_t *b, const char *cc, const char *part) {
    compiled_t code;
    assert_false(cc_load(&b->plan, cc, false, &code, b->diag));
    assert_null(code.library);
    char *text = said(b);
    if (!strstr(text, part)) fail_msg("expected '%s' in: %s", part, text);
    free(text);
}

static void failures_are_told(void **state) {
    (void)state;
    bench_t b;
    char path[256];
    open_cache(&b, "told");
    expect_error(&b, "no-such-compiler", "no-such-compiler");
    expect_error(&b, "false", "false --version");
    expect_error(&b, "cc -DREFORMER_RT_H", "error:"); /* the runtime's header is not read */
    expect_error(&b, "   ", "is given as");
    expect_error(&b, "cc; touch x", "cc;"); /* never a shell */
    assert_int_equal(count_entries(b.folder, path), 0);
    setenv("CC", "no-such-compiler-either", 1);
    expect_error(&b, NULL, "no-such-compiler-either");
    unsetenv("CC");
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_once),           cmocka_unit_test(damage_is_mended),
        cmocka_unit_test(processes_share),     cmocka_unit_test(works_without_a_folder),
        cmocka_unit_test(failures_are_told),   cmocka_unit_test(entries_of_others),
        cmocka_unit_test(libraries_of_others), cmocka_unit_test(folders_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
