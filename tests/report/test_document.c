/* What reports are made of: numbers for readers, tables as text and as HTML, the drawing's helpers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/document.h"
#include "report/svg.h"

static void test_numbers(void **state) {
    (void)state;
    arena_t *a = arena_new();
    assert_string_equal(text_bytes(a, 512), "512 B");
    assert_string_equal(text_bytes(a, 1536), "1.50 KiB");
    assert_string_equal(text_bytes(a, 64.0 * (1 << 20)), "64.0 MiB");
    assert_string_equal(text_integer(a, 0), "0");
    assert_string_equal(text_integer(a, 999), "999");
    assert_string_equal(text_integer(a, 1000), "1,000");
    assert_string_equal(text_integer(a, 149182722), "149,182,722");
    assert_string_equal(text_seconds(a, 3.214e-3), "3.21 ms");
    assert_string_equal(text_seconds(a, 90), "90.0 s");
    assert_string_equal(text_share(a, 0.1234), "12.3 %");
    arena_free(a);
}

static document_t sample(arena_t *a) {
    document_t d = {.arena = a, .title = "a <model>"};
    section_t *s = document_section(&d, "first");
    s->text = "words & more";
    s->table = table_new(a, 3, (column_t[]){{"name", true}, {"n", false}, {"of", true}});
    table_row(a, s->table, (const char *const[]){"x", "1,000", "y\033[2J"});
    table_row(a, s->table, (const char *const[]){"ein Mörtel", "2", ""});
    s->table->totals = true;
    return d;
}

static void test_text(void **state) {
    (void)state;
    arena_t *a = arena_new();
    document_t d = sample(a);
    sbuf_t out = {0};
    document_text(&d, &out);
    assert_string_equal(out.data, "a <model>\n"
                                  "\n"
                                  "first\n"
                                  "  words & more\n"
                                  "  name            n  of\n"
                                  "  x           1,000  y?[2J\n"
                                  "  ein Mörtel      2\n");
    sbuf_free(&out);
    arena_free(a);
}

static void test_html(void **state) {
    (void)state;
    arena_t *a = arena_new();
    document_t d = sample(a);
    sbuf_t out = {0};
    document_html(&d, &out);
    assert_non_null(strstr(out.data, "<title>a &lt;model&gt;</title>"));
    assert_non_null(strstr(out.data, "<p>words &amp; more</p>"));
    assert_non_null(strstr(out.data, "<td class=\"l\">y?[2J</td>"));
    assert_non_null(
        strstr(out.data, "<tr class=\"sum\"><td class=\"l\">ein Mörtel</td><td>2</td>"));
    assert_null(strchr(out.data, 033));
    sbuf_free(&out);
    arena_free(a);
}

static void test_long_lines(void **state) {
    (void)state;
    arena_t *a = arena_new();
    sbuf_t words = {0}, out = {0};
    for (int k = 0; k < 200; k++) sbuf_printf(&words, "%sword%d", k ? " " : "", k);
    document_t d = {.arena = a, .title = "t"};
    document_section(&d, "s")->note = words.data;
    document_text(&d, &out);
    size_t longest = 0;
    for (const char *p = out.data; *p; p += strcspn(p, "\n") + 1)
        if (strcspn(p, "\n") > longest) longest = strcspn(p, "\n");
    assert_true(longest > 90 && longest <= 100);
    assert_non_null(strstr(out.data, "word199\n"));
    sbuf_free(&words);
    sbuf_free(&out);
    arena_free(a);
}

static void test_steps(void **state) {
    (void)state;
    static const double rows[][3] = {
        {8, 8, 1}, {23.8, 8, 5}, {0.7, 8, 0.1}, {1000, 6, 200}, {100, 3, 50}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        assert_float_equal(nice_step(rows[k][0], (int)rows[k][1]), rows[k][2], 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_text), cmocka_unit_test(test_html),
        cmocka_unit_test(test_long_lines), cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
