/* The compile cache's size: what says it, what goes first, what is not touched, and processes that write, find and
 * remove the same entries at once. */
#include "../emit/emit_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "exec/cache.h"
#include "exec/cc.h"
#include "support/heap.h"

enum { SEAL = 24, BYTES = 1000, ENTRY = BYTES + SEAL };

/* ---- sizes ----------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    uint64_t bytes;
} sizes[] = {{"", 1 << 30},
             {"0", 0},
             {"4096", 4096},
             {"12B", 12},
             {"1K", 1024},
             {"1KiB", 1024},
             {"1kB", 1000},
             {"512M", UINT64_C(512) << 20},
             {"512 MiB", UINT64_C(512) << 20},
             {"3MB", 3000000},
             {"1.5G", UINT64_C(3) << 29},
             {"2GiB", UINT64_C(2) << 30},
             {"2GB", 2000000000},
             {"1T", UINT64_C(1) << 40},
             {"1TiB", UINT64_C(1) << 40},
             {"1TB", 1000000000000}};

static const char *const no_sizes[] = {"-1",  "+1",    "a lot",    "1X",     "1 0",
                                       "M",   "1.2.3", "0x10",     "1e9",    "1GiBs",
                                       "1m ", "nan",   "9999999T", "1\nKiB", " 1"};

static void sizes_are_read(void **state) {
    (void)state;
    diag_t *d = diag_new();
    uint64_t bytes;
    unsetenv("REFORMERC_CACHE_SIZE");
    assert_true(cache_limit(&bytes, d) && bytes == 1 << 30);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        setenv("REFORMERC_CACHE_SIZE", sizes[k].text, 1);
        if (!cache_limit(&bytes, d) || bytes != sizes[k].bytes)
            fail_msg("'%s' is %llu", sizes[k].text, (unsigned long long)bytes);
    }
    assert_int_equal(diag_errors(d), 0);
    for (size_t k = 0; k < sizeof no_sizes / sizeof *no_sizes; k++) {
        setenv("REFORMERC_CACHE_SIZE", no_sizes[k], 1);
        if (cache_limit(&bytes, d))
            fail_msg("'%s' is %llu", no_sizes[k], (unsigned long long)bytes);
    }
    assert_int_equal(diag_errors(d), sizeof no_sizes / sizeof *no_sizes);
    diag_free(d);
    unsetenv("REFORMERC_CACHE_SIZE");
}

/* ---- entries of a folder ------------------------------------------------------------------------------ */

typedef struct {
    bench_t b;
    compile_cache_t cache;
    char path[8][128]; /* of entries, not made yet */
} folder_t;

static void open_folder(folder_t *f, uint64_t limit) {
    bench_open(&f->b, "m");
    f->cache = (compile_cache_t){f->b.folder, limit};
    for (int k = 0; k < 8; k++) {
        cache_key_t key = cache_key();
        cache_key_add(&key, &k, sizeof k);
        strcpy(f->path[k], cache_path(f->b.arena, &f->cache, &key, k % 2 ? ".so" : ".o"));
    }
}

static bool put(folder_t *f, int k) {
    char data[BYTES];
    memset(data, 'a' + k, sizeof data);
    arena_t *a = arena_new();
    int fd = cache_write(a, &f->cache, f->path[k], data, sizeof data);
    arena_free(a);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

/* Absent, or whole and the right one. */
static bool get(folder_t *f, int k) {
    size_t n = 0;
    char *data = cache_read(f->path[k], &n);
    bool right = data && n == BYTES;
    for (size_t i = 0; right && i < n; i++) right = data[i] == 'a' + k;
    if (data && !right) fail_msg("entry %d holds something else", k);
    heap_free(data);
    return right;
}

static void age(const char *path, int seconds) {
    struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW), 0);
}

static bool there(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

static void expect(folder_t *f, const char *which) {
    for (int k = 0; k < 8; k++)
        if (there(f->path[k]) != (which[k] == '1')) fail_msg("entry %d, expected %s", k, which);
}

static cache_list_t trim(folder_t *f) {
    return cache_trim(f->b.arena, f->cache.folder, f->cache.limit);
}

static void longest_unused_go_first(void **state) {
    (void)state;
    folder_t f;
    open_folder(&f, 3 * ENTRY);
    for (int k = 0; k < 5; k++) {
        assert_true(put(&f, k));
        age(f.path[k], 100 - k);
    }
    assert_true(get(&f, 1)); /* used now */
    int fd = cache_open(f.path[2]);
    assert_true(fd >= 0);
    cache_list_t l = cache_list(f.b.arena, f.b.folder);
    assert_int_equal(l.n, 5);
    assert_int_equal(l.bytes, 5 * ENTRY);
    assert_non_null(strstr(f.path[0], l.entry[0].name));
    cache_list_t gone = trim(&f);
    assert_int_equal(gone.n, 2);
    assert_int_equal(gone.bytes, 2 * ENTRY);
    expect(&f, "01101000");
    assert_int_equal(trim(&f).n, 0);
    f.cache.limit = ENTRY - 1; /* less than one */
    assert_false(put(&f, 6));
    assert_int_equal(trim(&f).n, 3);
    expect(&f, "00000000");
    char byte; /* what was found stays, though its name is gone */
    assert_int_equal(pread(fd, &byte, 1, 0), 1);
    assert_int_equal(byte, 'a' + 2);
    close(fd);
    bench_close(&f.b);
}

/* ---- what is not an entry -------------------------------------------------------------------------------- */

static void only_its_own(void **state) {
    (void)state;
    static const char *const others[] = {"README",
                                         "0123456789abcdef0123456789abcdef",
                                         "0123456789abcdef0123456789abcdef.c",
                                         "0123456789abcdef0123456789abcdef.s",
                                         "0123456789abcdef0123456789abcde.o",
                                         "0123456789abcdef0123456789abcdef0.so",
                                         "0123456789ABCDEF0123456789ABCDEF.o",
                                         "0123456789abcdef0123456789abcdef-o",
                                         "0123456789abcdef0123456789abcdef.o.bak",
                                         "0123456789abcdef0123456789abcdef.so.1234567"};
    folder_t f;
    open_folder(&f, 0);
    const char *dir = f.b.folder;
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        const char *path = arena_printf(f.b.arena, "%s/%s", dir, others[k]);
        shell("echo mine >%s", path);
        age(path, 1000000);
    }
    shell("mkdir %s && ln -s README %s", f.path[0], f.path[1]);
    f.cache.limit = ENTRY;
    bool root = geteuid() == 0;
    assert_true(put(&f, 2) && put(&f, 3));
    if (root) assert_int_equal(chown(f.path[2], 65534, 65534), 0);
    f.cache.limit = 0;
    assert_int_equal(cache_list(f.b.arena, dir).n, root ? 1 : 2);
    assert_int_equal(trim(&f).n, root ? 1 : 2);
    expect(&f, root ? "11100000" : "11000000");
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        if (!there(arena_printf(f.b.arena, "%s/%s", dir, others[k])))
            fail_msg("%s is gone", others[k]);
    assert_int_equal(cache_trim(f.b.arena, "/no/such/folder", 0).n, 0);
    shell("rmdir %s", f.path[0]);
    bench_close(&f.b);
}

static void temporaries_of_crashed_writers(void **state) {
    (void)state;
    folder_t f;
    open_folder(&f, 1 << 20);
    const char *old = arena_printf(f.b.arena, "%s.abcdef", f.path[0]);
    const char *young = arena_printf(f.b.arena, "%s.ghijkl", f.path[1]);
    shell("echo half >%s && echo half >%s", old, young);
    age(old, 25 * 60 * 60);
    age(young, 23 * 60 * 60);
    assert_int_equal(trim(&f).n, 0);
    assert_false(there(old));
    assert_true(there(young));
    bench_close(&f.b);
}

/* A system that crashed may have kept a name and nothing else: it counts for no bytes, and goes. */
static void entries_without_a_byte(void **state) {
    (void)state;
    folder_t f;
    open_folder(&f, 2 * ENTRY);
    assert_true(put(&f, 0) && put(&f, 1));
    shell(": >%s", f.path[2]);
    assert_false(get(&f, 2));
    assert_int_equal(trim(&f).n, 1);
    expect(&f, "11000000");
    shell(": >%s", f.path[2]);
    f.cache.limit = 0;
    assert_int_equal(trim(&f).n, 3);
    expect(&f, "00000000");
    bench_close(&f.b);
}

/* A disk without room, as far as writing knows: nothing is kept, and nothing half. */
static void no_room(void **state) {
    (void)state;
    folder_t f;
    open_folder(&f, 1 << 20);
    struct rlimit was, little = {BYTES / 2, RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    little.rlim_max = was.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    bool kept = put(&f, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_false(kept);
    assert_int_equal(rmdir(f.b.folder), 0); /* it is empty */
    assert_false(put(&f, 0));               /* not there */
    assert_int_equal(mkdir(f.b.folder, 0700), 0);
    assert_true(put(&f, 0));
    bench_close(&f.b);
}

/* ---- processes ------------------------------------------------------------------------------------------- */

enum { PROCESSES = 8, ROUNDS = 150, KEYS = 5 };

static void use_entries(folder_t *f, unsigned seed) {
    arena_t *a = arena_new();
    for (int k = 0; k < ROUNDS; k++) {
        seed = seed * 1664525 + 1013904223;
        int key = (int)(seed >> 16) % KEYS;
        if (get(f, key)) continue;
        if (!put(f, key)) fail_msg("entry %d cannot be written", key);
        (void)cache_trim(a, f->cache.folder, f->cache.limit);
    }
    arena_free(a);
}

/* The status of all that were forked is 0. */
static void wait_for(pid_t *child, int n) {
    for (int k = 0; k < n; k++) {
        int status = 1;
        assert_int_equal(waitpid(child[k], &status, 0), child[k]);
        assert_int_equal(status, 0);
    }
}

static void processes_at_once(void **state) {
    (void)state;
    folder_t f;
    pid_t child[PROCESSES];
    open_folder(&f, 2 * ENTRY);
    for (int k = 0; k < PROCESSES; k++) {
        child[k] = fork();
        if (child[k] != 0) continue;
        use_entries(&f, (unsigned)k + 1);
        _exit(0);
    }
    wait_for(child, PROCESSES);
    cache_list_t l = cache_list(f.b.arena, f.b.folder);
    assert_in_range(l.n, 1, 2);
    DIR *d = opendir(f.b.folder);
    size_t files = 0;
    for (const struct dirent *e; (e = readdir(d));) files += *e->d_name != '.';
    closedir(d);
    assert_int_equal(files, l.n); /* no temporaries */
    bench_close(&f.b);
}

/* Libraries: each process makes, keeps, loads and removes what the others are about to load. */
static void libraries_at_once(void **state) {
    (void)state;
    static const char *const cc[] = {"cc -O0", "cc -O0 -DB"};
    bench_t b;
    pid_t child[3];
    bench_open(&b, "m");
    module_t *m = bench_parse(
        &b, "module \"m\" target \"x86-64\"\nbuffer out: output i32 [1] slot 5\n"
            "kernel work() tasks(%t < 1) {\n  %c = const.i32 41\n  store out[0], %c\n}\n"
            "entry run {\n  launch work()\n}\n");
    bench_modules(&b, &m, 1);
    setenv("REFORMERC_CACHE", b.folder, 1);
    setenv("REFORMERC_CACHE_SIZE", "24K", 1); /* of one library */
    for (int k = 0; k < 3; k++) {
        child[k] = fork();
        if (child[k] != 0) continue;
        bool ok = true;
        compiled_t code;
        for (int r = 0; r < 2; r++) {
            ok = ok && cc_load(&b.plan, cc[(k + r) % 2], false, &code, b.diag);
            cc_unload(&code);
        }
        _exit(ok ? 0 : 1);
    }
    wait_for(child, 3);
    assert_int_equal(cache_list(b.arena, b.folder).n, 1);
    setenv("REFORMERC_CACHE_SIZE", "0", 1); /* neither read nor written */
    compiled_t code;
    must(&b, cc_load(&b.plan, cc[0], false, &code, b.diag));
    cc_unload(&code);
    assert_int_equal(cache_list(b.arena, b.folder).n, 1);
    setenv("REFORMERC_CACHE_SIZE", "much", 1);
    assert_false(cc_load(&b.plan, cc[0], false, &code, b.diag));
    assert_int_equal(diag_errors(b.diag), 1);
    must(&b, cc_load(&b.plan, cc[0], true, &code, b.diag)); /* nobody asks */
    cc_unload(&code);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read),         cmocka_unit_test(longest_unused_go_first),
        cmocka_unit_test(only_its_own),           cmocka_unit_test(temporaries_of_crashed_writers),
        cmocka_unit_test(entries_without_a_byte), cmocka_unit_test(no_room),
        cmocka_unit_test(processes_at_once),      cmocka_unit_test(libraries_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
