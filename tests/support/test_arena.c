/* The arena and the growing string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/arena.h"
#include "support/sbuf.h"

static void zeroed_aligned_apart(void **state) {
    (void)state;
    arena_t *a = arena_new();
    static const size_t sizes[] = {0, 1, 15, 16, 17, 65535, 65536, 65537, 1 << 20, 3};
    unsigned char *p[10];
    for (int i = 0; i < 10; i++) {
        p[i] = arena_alloc(a, sizes[i]);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(p[i][k], 0);
        memset(p[i], i + 1, sizes[i]);
    }
    for (int i = 0; i < 10; i++)
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(p[i][k], i + 1);
    arena_free(a);
    arena_free(NULL);
}

static void strings(void **state) {
    (void)state;
    arena_t *a = arena_new();
    assert_string_equal(arena_strdup(a, ""), "");
    assert_string_equal(arena_strdup(a, "chunk"), "chunk");
    assert_string_equal(arena_strndup(a, "chunk", 2), "ch");
    assert_string_equal(arena_printf(a, "%s-%d", "layers", 12), "layers-12");
    char *big = arena_printf(a, "%0100000d", 7);
    assert_int_equal(strlen(big), 100000);
    assert_int_equal(big[99999], '7');
    assert_memory_equal(arena_copy(a, "a\0b", 4), "a\0b", 4);
    assert_non_null(arena_copy(a, NULL, 0));
    arena_free(a);
}

static void pushing(void **state) {
    (void)state;
    arena_t *a = arena_new();
    int *list = NULL, n = 0;
    size_t cap = 0;
    for (int i = 0; i < 10000; i++) ARENA_PUSH(a, list, n, cap) = i * i;
    assert_int_equal(n, 10000);
    assert_true(cap >= 10000);
    for (int i = 0; i < n; i++) assert_int_equal(list[i], i * i);
    arena_free(a);
}

static void growing_string(void **state) {
    (void)state;
    sbuf_t s = {0};
    sbuf_free(&s); /* nothing written yet */
    sbuf_puts(&s, "");
    assert_string_equal(s.data, "");
    for (int i = 0; i < 5000; i++) sbuf_printf(&s, "%d,", i % 10);
    assert_int_equal(s.size, 10000);
    assert_int_equal(strlen(s.data), 10000);
    sbuf_write(&s, "\0x", 2);
    assert_int_equal(s.size, 10002);
    assert_int_equal(s.data[10000], 0);
    assert_int_equal(s.data[10001], 'x');
    assert_int_equal(s.data[10002], 0);
    sbuf_printf(&s, "%0200000d", 1);
    assert_int_equal(s.size, 210002);
    sbuf_free(&s);
    assert_null(s.data);
    assert_int_equal(s.size, 0);
}

/* Either way round, of nothing too. */
static void joined_strings(void **state) {
    (void)state;
    for (int head = 0; head < 5; head++)
        for (int tail = 0; tail < 5; tail++) {
            sbuf_t s = {0}, t = {0};
            char want[16] = "";
            for (int i = 0; i < head; i++) sbuf_puts(&s, "a");
            for (int i = 0; i < tail; i++) sbuf_puts(&t, "b");
            snprintf(want, sizeof want, "%.*s%.*s", head, "aaaaa", tail, "bbbbb");
            sbuf_join(&s, &t);
            assert_int_equal(s.size, head + tail);
            assert_string_equal(s.data ? s.data : "", want);
            assert_null(t.data);
            sbuf_puts(&s, "c");
            assert_int_equal(s.size, head + tail + 1);
            sbuf_free(&s);
        }
    sbuf_t s = {0}, t = {0};
    sbuf_puts(&s, "short ");
    for (int i = 0; i < 4000; i++) sbuf_puts(&t, "long ");
    sbuf_join(&s, &t);
    assert_int_equal(s.size, 20006);
    assert_memory_equal(s.data, "short long ", 11);
    assert_string_equal(s.data + 20001, "long ");
    sbuf_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_aligned_apart),
        cmocka_unit_test(strings),
        cmocka_unit_test(pushing),
        cmocka_unit_test(growing_string),
        cmocka_unit_test(joined_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
