/* Whose folders hold code that is run: this user's alone, at every level. As root, folders are given to another user;
 * as anybody else those checks are left out, with a line that says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>

#include "support/trust.h"

enum { ANOTHER = 65534 }; /* a user's number, whether or not it has a name */

static arena_t *arena;
static char base[200]; /* a private folder without links, .../reformerc-trust-xxxxxx */

static int make_base(void **state) {
    (void)state;
    char made[] = "/tmp/reformerc-trust-XXXXXX";
    arena = arena_new();
    return mkdtemp(made) && realpath(made, base) ? 0 : -1;
}

static int remove_base(void **state) {
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    arena_free(arena);
    return system(command);
}

/* base/NAME of this mode, whatever the umask. */
static const char *folder(const char *name, mode_t mode) {
    const char *path = arena_printf(arena, "%s/%s", base, name);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static bool can_give_away(void) {
    if (geteuid() == 0) return true;
    print_message("not root: folders of another user are not tried\n");
    return false;
}

static void give_away(const char *path) {
    assert_int_equal(lchown(path, ANOTHER, ANOTHER), 0);
}

static void expect_trusted(const char *path, const char *own) {
    const char *why = NULL, *got = trusted_folder(arena, path, &why);
    if (!got) fail_msg("%s is not trusted: %s", path, why);
    assert_string_equal(got, own);
}

/* The reason is WHO's: the level that is at fault, by name. */
static void expect_refused(const char *path, const char *why_not) {
    const char *why = NULL;
    assert_null(trusted_folder(arena, path, &why));
    assert_non_null(why);
    if (!strstr(why, why_not)) fail_msg("expected '%s' in '%s'", why_not, why);
}

static const char *written(const char *path, int mode) {
    return arena_printf(arena, "other users may write to %s (mode %03o)", path, (unsigned)mode);
}

static void modes(void **state) {
    (void)state;
    static const mode_t fine[] = {0700, 0755, 0750, 0711, 0500};
    static const mode_t open[] = {0770, 0702, 0777, 0720, 0775};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        const char *path = folder(arena_printf(arena, "fine-%o", fine[i]), fine[i]);
        expect_trusted(path, path);
    }
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        const char *path = folder(arena_printf(arena, "open-%o", open[i]), open[i]);
        expect_refused(path, written(path, (int)open[i]));
    }
    /* the sticky bit keeps others from renaming, not from putting files of known names there first */
    const char *sticky = folder("sticky", 01777);
    expect_refused(sticky, written(sticky, 0777));
}

static void levels_above(void **state) {
    (void)state;
    const char *open = folder("above", 0777), *below = folder("above/a", 0700);
    const char *deep = folder("above/a/b", 0700);
    expect_refused(below, written(open, 0777));
    expect_refused(deep, written(open, 0777));
    assert_int_equal(chmod(open, 01777), 0); /* as /tmp is */
    expect_trusted(deep, deep);
    assert_int_equal(chmod(open, 0755), 0);
    assert_int_equal(chmod(below, 0770), 0); /* in the middle */
    expect_refused(deep, written(below, 0770));
}

static void owners(void **state) {
    (void)state;
    if (!can_give_away()) return;
    const char *own = folder("theirs", 0755), *below = folder("theirs/mine", 0700);
    give_away(own);
    const char *why = arena_printf(arena, "%s belongs to user %d", own, ANOTHER);
    expect_refused(own, why);
    expect_refused(below, why); /* its owner may put another folder in the place of ours */
    const char *sticky = folder("their-sticky", 01777);
    const char *in_it = folder("their-sticky/mine", 0700);
    give_away(sticky); /* the owner of a sticky folder may remove what others have there */
    expect_refused(in_it, arena_printf(arena, "%s belongs to user %d", sticky, ANOTHER));
}

/* What a link names is judged, and the path that is given back has no link in it. */
static void links(void **state) {
    (void)state;
    const char *mine = folder("mine", 0700), *open = folder("anybody", 0777);
    const char *to_mine = arena_printf(arena, "%s/to-mine", base);
    const char *to_open = arena_printf(arena, "%s/to-open", base);
    const char *nowhere = arena_printf(arena, "%s/nowhere", base);
    assert_int_equal(symlink("mine", to_mine), 0);
    assert_int_equal(symlink(open, to_open), 0);
    assert_int_equal(symlink("not-there", nowhere), 0);
    expect_trusted(to_mine, mine);
    expect_trusted(arena_printf(arena, "%s/./mine/../mine//", base), mine);
    expect_refused(to_open, written(open, 0777));
    expect_refused(nowhere, "No such file");
    /* a link of anybody's into a folder of ours leads where only we can change anything */
    const char *planted = arena_printf(arena, "%s/planted", open);
    assert_int_equal(symlink(mine, planted), 0);
    expect_trusted(planted, mine);
}

static void no_folders(void **state) {
    (void)state;
    const char *file = arena_printf(arena, "%s/file", base);
    assert_int_equal(close(open(file, O_WRONLY | O_CREAT | O_EXCL, 0600)), 0);
    expect_refused(file, "Not a directory");
    expect_refused(arena_printf(arena, "%s/file/below", base), "Not a directory");
    expect_refused(arena_printf(arena, "%s/absent", base), "No such file");
}

static bool trusted(const char *path) {
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    bool ok = trusted_file(fd);
    close(fd);
    return ok;
}

static void files(void **state) {
    (void)state;
    const char *file = arena_printf(arena, "%s/code", base);
    assert_int_equal(close(open(file, O_WRONLY | O_CREAT | O_EXCL, 0600)), 0);
    assert_true(trusted(file));
    assert_int_equal(chmod(file, 0755), 0);
    assert_true(trusted(file)); /* others may read it */
    assert_int_equal(chmod(file, 0620), 0);
    assert_false(trusted(file));
    assert_int_equal(chmod(file, 0602), 0);
    assert_false(trusted(file));
    assert_int_equal(chmod(file, 0600), 0);
    assert_true(trusted(file));
    const char *pipe = arena_printf(arena, "%s/pipe", base);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_false(trusted(pipe));
    assert_false(trusted(base));
    if (!can_give_away()) return;
    give_away(file);
    assert_false(trusted(file));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes), cmocka_unit_test(levels_above), cmocka_unit_test(owners),
        cmocka_unit_test(links), cmocka_unit_test(no_folders),   cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
