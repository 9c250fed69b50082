/* Text by a format: the same as the C library's, whatever fits. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/arena.h"
#include "support/print.h"
#include "support/sbuf.h"

static void expect_room(size_t room, const char *fmt, va_list ap) {
    char want[128], is[128];
    va_list again;
    va_copy(again, ap);
    memset(want, '#', sizeof want);
    memset(is, '#', sizeof is);
    int n = vsnprintf(room ? want : NULL, room, fmt, ap);
    if (print_text(room ? is : NULL, room, fmt, again) != n) fail_msg("the length of '%s'", fmt);
    if (memcmp(want, is, sizeof is) != 0) fail_msg("'%s' in %zu: %.60s", fmt, room, is);
    va_end(again);
}

static void expect(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void expect(const char *fmt, ...) {
    for (size_t room = 0; room <= 128; room += room < 24 ? 1 : 52) {
        va_list ap;
        va_start(ap, fmt);
        expect_room(room, fmt, ap);
        va_end(ap);
    }
}

static void as_the_library(void **state) {
    (void)state;
    char twelve[] = "twelve bytes without an end";
    expect("%s", "");
    expect("plain text");
    expect("%s = %s(%s);", "const float x", "load_f32x8", "&weights[i * 16 + 3]");
    expect("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    expect("%u %u", 0u, UINT_MAX);
    expect("%ld %ld %lu", LONG_MAX, LONG_MIN, ULONG_MAX);
    expect("%lld %lld %llu", LLONG_MAX, LLONG_MIN, ULLONG_MAX);
    expect("%zu %zu", (size_t)0, SIZE_MAX);
    expect("%c%c%%", 'a', '\xff');
    expect("%.*s|%.*s|%.*s", 6, twelve, 0, twelve, 100, "less");
    expect("%s, %s", "twice", "the argument");
    /* what is left to the library */
    expect("%s %5d %s", "a", 7, "b");
    expect("%.3s %-4s|", "abcdef", "x");
    expect("%s %g %s", "a", 0.1, "b");
    expect("%d %x %016llx", 1, 255u, 0x1234ULL);
    expect("%.*s", -1, "all of it");
    expect("%hd %hhd %jd %td", (short)-3, (signed char)-4, (intmax_t)-5, (ptrdiff_t)-6);
    expect("%i%p", 3, (void *)twelve);
}

/* Into what is left of a block, and beyond it; zeroed where nothing was written. */
static void in_an_arena(void **state) {
    (void)state;
    arena_t *a = arena_new();
    sbuf_t all = {0};
    for (int k = 0; k < 3000; k++) {
        const char *text = arena_printf(a, "%d:%.*s:%s", k, k % 300, "", k % 7 ? "short" : "");
        char want[64];
        snprintf(want, sizeof want, "%d::%s", k, k % 7 ? "short" : "");
        assert_string_equal(text, want);
        char *room = arena_alloc(a, (size_t)k % 90);
        for (int i = 0; i < k % 90; i++) assert_int_equal(room[i], 0);
        memset(room, 'x', (size_t)k % 90);
        sbuf_printf(&all, "%s\n", text);
    }
    char *large = arena_alloc(a, 1 << 20);
    for (int i = 0; i < 1 << 20; i++) assert_int_equal(large[i], 0);
    assert_int_equal(strlen(all.data), all.size);
    assert_non_null(strstr(all.data, "2999::short\n"));
    sbuf_free(&all);
    arena_free(a);
    for (int k = 0; k < 300; k++) { /* of memory that was used before */
        a = arena_new();
        unsigned char *x = arena_alloc(a, 3000);
        for (int i = 0; i < 3000; i++) assert_int_equal(x[i], 0);
        memset(x, 255, 3000);
        int *list = NULL;
        size_t n = 0, cap = 0;
        for (int i = 0; i < 100; i++) ARENA_PUSH(a, list, n, cap) = -1;
        for (size_t i = n; i < cap; i++) assert_int_equal(list[i], 0);
        arena_free(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_library),
                                       cmocka_unit_test(in_an_arena)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
