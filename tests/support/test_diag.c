/* Messages as users see them: places, order, carets, hints, hostile text; bug(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/diag.h"
#include "support/printable.h"

static void assert_prints(diag_t *d, const char *want) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    assert_non_null(f);
    diag_print(d, f);
    fclose(f);
    assert_string_equal(text, want);
    free(text);
}

static const char yaml[] = "hidden_size: 64\nnum_hashs: 2\n\tvocab_size: x\nlast: 1";

static srcloc_t at(int line, int col) {
    return (srcloc_t){"model.yaml", line, col};
}

static diag_t *with_source(const char *text) {
    diag_t *d = diag_new();
    diag_source(d, "model.yaml", text, strlen(text));
    return d;
}

static void places_and_carets(void **state) {
    (void)state;
    diag_t *d = with_source(yaml);
    diag_error(d, at(2, 1), "unknown key '%s'", "num_hashs");
    diag_hint(d, "did you mean '%s'?", "num_hashes");
    assert_int_equal(diag_errors(d), 1);
    assert_prints(d, "model.yaml:2:1: error: unknown key 'num_hashs'\n"
                     "    num_hashs: 2\n"
                     "    ^\n"
                     "    hint: did you mean 'num_hashes'?\n");
    assert_prints(d, ""); /* once */
    diag_warning(d, at(4, 7), "here");
    assert_int_equal(diag_errors(d), 1);
    assert_prints(d, "model.yaml:4:7: warning: here\n"
                     "    last: 1\n"
                     "          ^\n");
    diag_error(d, at(3, 14), "tab");
    assert_prints(d, "model.yaml:3:14: error: tab\n"
                     "     vocab_size: x\n"
                     "                 ^\n");
    diag_free(d);
    diag_free(NULL);
}

static void without_place(void **state) {
    (void)state;
    diag_t *d = with_source(yaml);
    diag_hint(d, "nothing to attach to");
    assert_prints(d, "");
    diag_error(d, NOWHERE, "no weights");
    diag_error(d, IN_FILE("a.safetensors"), "truncated");
    diag_error(d, at(99, 1), "beyond the end");
    diag_error(d, IN_FILE("model.yaml"), "empty");
    assert_prints(d, "reformerc: error: no weights\n"
                     "a.safetensors: error: truncated\n"
                     "model.yaml: error: empty\n"
                     "model.yaml:99:1: error: beyond the end\n");
    diag_free(d);
}

/* By file in order of first report, then by place, then as reported. */
static void file_order(void **state) {
    (void)state;
    diag_t *d = diag_new();
    diag_error(d, (srcloc_t){"b", 9, 1}, "1");
    diag_error(d, (srcloc_t){"a", 5, 1}, "2");
    diag_error(d, (srcloc_t){"b", 2, 8}, "3");
    diag_error(d, (srcloc_t){"b", 2, 3}, "4");
    diag_error(d, (srcloc_t){"b", 2, 3}, "5");
    diag_warning(d, (srcloc_t){"a", 1, 1}, "6");
    assert_int_equal(diag_errors(d), 5);
    assert_prints(d, "b:2:3: error: 4\nb:2:3: error: 5\nb:2:8: error: 3\nb:9:1: error: 1\n"
                     "a:1:1: warning: 6\na:5:1: error: 2\n");
    diag_free(d);
}

/* File names may be freed right after the report. */
static void names_are_copied(void **state) {
    (void)state;
    diag_t *d = diag_new();
    for (int i = 0; i < 2; i++) {
        char *name = strdup("short-lived");
        assert_non_null(name);
        diag_error(d, IN_FILE(name), "%d", i);
        memset(name, 'x', strlen(name));
        free(name);
    }
    assert_prints(d, "short-lived: error: 0\nshort-lived: error: 1\n");
    diag_free(d);
}

/* Columns count characters; the caret stands under them, not under bytes. */
static void utf8(void **state) {
    (void)state;
    diag_t *d = with_source("näme: ü\n日本: x");
    diag_error(d, at(1, 7), "umlaut");
    diag_error(d, at(2, 5), "kanji");
    assert_prints(d, "model.yaml:1:7: error: umlaut\n"
                     "    näme: ü\n"
                     "          ^\n"
                     "model.yaml:2:5: error: kanji\n"
                     "    日本: x\n"
                     "        ^\n");
    diag_free(d);
}

static void long_lines_are_cut(void **state) {
    (void)state;
    char line[3001];
    memset(line, 'a', 3000);
    line[3000] = 0;
    line[1999] = 'X';
    diag_t *d = with_source(line);
    diag_error(d, at(1, 2000), "far out");
    char *text = NULL, *quote, *caret;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    diag_print(d, f);
    fclose(f);
    quote = strchr(text, '\n') + 1;
    caret = strchr(quote, '\n') + 1;
    assert_true(caret - quote <= 4 + 100 + 1);
    assert_int_equal(quote[strchr(caret, '^') - caret], 'X');
    free(text);
    diag_free(d);
}

static void hostile_text_is_tamed(void **state) {
    (void)state;
    diag_t *d = with_source("a\x1b[2J\xc2\x9b\xff\xe2\x82z\r\n");
    diag_error(d, at(1, 1), "key '%s'", "\x1b]0;title\x07");
    diag_hint(d, "%s", "\x7f");
    diag_error(d, IN_FILE("\x1b[31m"), "two\nlines");
    assert_prints(d, "model.yaml:1:1: error: key '?]0;title?'\n"
                     "    a?[2J???z\n"
                     "    ^\n"
                     "    hint: ?\n"
                     "?[31m: error: two\nlines\n");
    diag_free(d);
}

static void printable_characters(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
        bool ok;
    } cases[] = {
        {"a", 1, true},
        {"\x1f", 1, false},
        {"\x7f", 1, false},
        {"\xc3\xa9", 2, true},
        {"\xc2\x80", 2, false}, /* C1 */
        {"\xc2\xa0", 2, true},
        {"\xc0\x80", 1, false},     /* overlong */
        {"\xe0\x80\x80", 3, false}, /* overlong */
        {"\xe2\x82\xac", 3, true},
        {"\xe2\x82", 2, false},     /* cut */
        {"\xed\xa0\x80", 3, false}, /* surrogate */
        {"\xf0\x9f\x98\x80", 4, true},
        {"\xf4\x90\x80\x80", 4, false}, /* beyond U+10FFFF */
        {"\xf8\x88\x80\x80\x80", 1, false},
        {"\x80", 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool ok;
        const char *p = cases[i].text;
        assert_int_equal(printable(p, p + strlen(p), &ok), cases[i].bytes);
        assert_int_equal(ok, cases[i].ok);
    }
}

/* A dropped warning takes its hint along, and none of it ends up with the message before. */
static void silenced_warnings(void **state) {
    (void)state;
    diag_t *d = diag_new(), *other = diag_new();
    diag_warning(d, NOWHERE, "before");
    diag_silence_warnings(d);
    diag_warning(d, NOWHERE, "dropped");
    diag_hint(d, "dropped too");
    diag_warning(other, NOWHERE, "of another");
    diag_hint(other, "and its hint");
    diag_append(d, other);
    diag_error(d, NOWHERE, "stays");
    diag_hint(d, "with its hint");
    assert_int_equal(diag_errors(d), 1);
    assert_prints(d, "reformerc: warning: before\n"
                     "reformerc: error: stays\n"
                     "    hint: with its hint\n");
    diag_free(other);
    diag_free(d);
}

static void nearest_words(void **state) {
    (void)state;
    static const char *const keys[] = {"num_hashes", "num_buckets", "hidden_size", "hash_seed",
                                       "lr"};
    static const struct {
        const char *word, *want;
    } cases[] = {
        {"num_hashs", "num_hashes"},   {"num_hahses", "num_hashes"},
        {"hiden_sise", "hidden_size"}, {"bucket", NULL},
        {"hash_seed", "hash_seed"},    {"x", NULL},
        {"num_bucket", "num_buckets"}, {"", NULL},
        {"qqqqqqqqqq", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = did_you_mean(cases[i].word, keys, 5);
        if (!cases[i].want) assert_null(got);
        else {
            assert_non_null(got);
            assert_string_equal(got, cases[i].want);
        }
    }
    char huge[5000];
    memset(huge, 'n', sizeof huge - 1);
    huge[sizeof huge - 1] = 0;
    assert_null(did_you_mean(huge, keys, 5));
    assert_null(did_you_mean("num_hashes", keys, 0));
}

static void bug_exits_70(void **state) {
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        bug("%s", "on purpose");
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 70);
}

static void printed_messages_are_bounded(void **state) {
    (void)state;
    diag_t *d = diag_new();
    for (int i = 0; i < 50000; i++) diag_error(d, NOWHERE, "no");
    assert_int_equal(diag_errors(d), 50000);
    char want[50 * 32 + 64] = "";
    for (int i = 0; i < 50; i++) strcat(want, "reformerc: error: no\n");
    strcat(want, "reformerc: … and 49950 more errors\n");
    assert_prints(d, want);
    diag_free(d);
}

/* Parts of one work meet the same warnings: they are told once, what differs is told too, and errors always. */
static void appended_once(void **state) {
    (void)state;
    diag_t *d = with_source(yaml), *from = diag_new();
    diag_warning(d, at(1, 1), "said");
    diag_warning(from, at(1, 1), "said");
    diag_hint(from, "not again");
    diag_warning(from, at(1, 2), "said");
    diag_warning(from, NOWHERE, "said");
    diag_error(from, IN_FILE("x"), "wrong");
    diag_append(d, from);
    diag_append(d, from);
    assert_prints(d, "model.yaml:1:1: warning: said\n    hidden_size: 64\n    ^\n"
                     "model.yaml:1:2: warning: said\n    hidden_size: 64\n     ^\n"
                     "reformerc: warning: said\n"
                     "x: error: wrong\nx: error: wrong\n");
    assert_int_equal(diag_errors(d), 2);
    diag_silence_warnings(d);
    diag_warning(from, NOWHERE, "more");
    diag_append(d, from);
    assert_prints(d, "x: error: wrong\n");
    diag_free(from);
    diag_free(d);
}

/* What a word holds that nobody sees is said by name, in messages, file names and hints. */
static void unseen_characters(void **state) {
    (void)state;
    diag_t *d = with_source(
        "a\u200bb: \u2003\u2003x # \u201cno\u201d\n\u043A\u0430\u043B: 1\nn\u0430: \uff12\n");
    diag_error(d, at(1, 1), "unknown key '%s'", "a\u200b\u200bb\u00ad");
    diag_hint(d, "or '%s'", "\ufeff");
    assert_prints(d, "model.yaml:1:1: error: unknown key 'a<U+200B ZERO WIDTH SPACE, 2 times>b"
                     "<U+00AD SOFT HYPHEN>'\n"
                     "    a?b: ??x # \u201cno\u201d\n"
                     "    ^\n"
                     "    note: column 2 is U+200B ZERO WIDTH SPACE, column 6 is U+2003 EM SPACE\n"
                     "    hint: or '<U+FEFF ZERO WIDTH NO-BREAK SPACE (BYTE ORDER MARK)>'\n");
    diag_error(d, at(2, 1), "words of other scripts are usual");
    diag_error(d, at(3, 1), "letters among others are not");
    assert_prints(d, "model.yaml:2:1: error: words of other scripts are usual\n"
                     "    \u043A\u0430\u043B: 1\n"
                     "    ^\n"
                     "model.yaml:3:1: error: letters among others are not\n"
                     "    n\u0430: \uff12\n"
                     "    ^\n"
                     "    note: column 2 is U+0430 CYRILLIC SMALL LETTER A, column 5 is U+FF12 "
                     "FULLWIDTH DIGIT TWO\n");
    diag_error(d, IN_FILE("x\u202ey"), "'%s', 1 \u2026 2",
               "\uff11 \uff1a\uff1a \u2212 \u2018 \u2019");
    assert_prints(d, "x<U+202E RIGHT-TO-LEFT OVERRIDE>y: error: "
                     "'\uff11 \uff1a\uff1a \u2212 \u2018 \u2019', 1 \u2026 2\n"
                     "    note: it quotes U+FF11 FULLWIDTH DIGIT ONE, U+FF1A FULLWIDTH COLON, "
                     "U+FF1A FULLWIDTH COLON, and 3 more\n");
    diag_warning(d, NOWHERE, "broken \xe2\x80 and \U000E0100\U000E0041\U000E0001");
    assert_prints(d, "reformerc: warning: broken ? and <U+E0100 VARIATION SELECTOR-17>"
                     "<U+E0041 TAG LATIN CAPITAL LETTER A><U+E0001 LANGUAGE TAG>\n");
    diag_free(d);
}

/* What a message prints of `unit` n times in quotes. */
static char *quoted(const char *unit, int n, size_t *bytes) {
    diag_t *d = diag_new();
    size_t step = strlen(unit);
    char *word = malloc(step * (size_t)n + 1), *text = NULL;
    assert_non_null(word);
    for (int i = 0; i < n; i++) memcpy(word + step * (size_t)i, unit, step);
    word[step * (size_t)n] = 0;
    diag_error(d, IN_FILE("--seed"), "'%s' is not a number", word);
    diag_hint(d, "what about '%s'?", word);
    free(word);
    FILE *f = open_memstream(&text, bytes);
    diag_print(d, f);
    fclose(f);
    diag_free(d);
    return text;
}

static void long_words_are_cut(void **state) {
    (void)state;
    char want[800], sixty[61], *text;
    size_t bytes;
    memset(sixty, 'x', 60);
    sixty[60] = 0;
    snprintf(want, sizeof want,
             "--seed: error: '%s… (1000000 bytes)' is not a number\n"
             "    hint: what about '%s… (1000000 bytes)'?\n",
             sixty, sixty);
    assert_string_equal(text = quoted("x", 1000000, &bytes), want);
    free(text);
    /* characters stay whole: 60 bytes are 30 of these, or 20 of those */
    text = quoted("é日", 100000, &bytes);
    assert_non_null(strstr(text, "é日é日é日é日é日é日é日é日é日é日é日é日… (500000 bytes)' is not"));
    free(text);
    assert_null(strstr(text = quoted("x", 200, &bytes), "…")); /* nothing is long here */
    free(text);
    assert_null(strstr(text = quoted("folder/", 100, &bytes), "…")); /* a path */
    free(text);
    static const char *const others[] = {"\xff", "\x01", "a b ", "'", "/x", "{}", "x\n"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        text = quoted(others[i], 300000, &bytes);
        assert_true(bytes < 2 * 20000 + 1000);
        assert_non_null(strstr(text, " is not a number"));
        free(text);
    }
}

/* Fifty errors at the end of a long text, and in one long line, are found in one walk over it. */
static void places_far_behind(void **state) {
    (void)state;
    size_t bytes = 64 << 20, n;
    char *text = malloc(bytes + 1), *printed = NULL;
    assert_non_null(text);
    memset(text, 'a', bytes);
    text[bytes] = 0;
    for (size_t i = 0; i < bytes / 2; i += 2) text[i] = '\n';
    diag_t *d = diag_new();
    diag_source(d, "model.yaml", text, bytes);
    int last = (int)(bytes / 4) + 1;
    for (int i = 0; i < 25; i++) diag_error(d, at(last - 25 + i, 1), "line");
    for (int i = 0; i < 25; i++) diag_error(d, at(last, (int)(bytes / 2) - 50 + i), "column");
    clock_t start = clock();
    FILE *f = open_memstream(&printed, &n);
    diag_print(d, f);
    fclose(f);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    print_message("%.2f s of processor time\n", seconds);
    assert_true(seconds < 4); /* fifty walks take more than 10 */
    assert_non_null(strstr(printed, "error: column\n    aaaaaa"));
    free(printed);
    diag_free(d);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unseen_characters),
        cmocka_unit_test(appended_once),
        cmocka_unit_test(places_and_carets),
        cmocka_unit_test(without_place),
        cmocka_unit_test(file_order),
        cmocka_unit_test(names_are_copied),
        cmocka_unit_test(utf8),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(hostile_text_is_tamed),
        cmocka_unit_test(printable_characters),
        cmocka_unit_test(silenced_warnings),
        cmocka_unit_test(nearest_words),
        cmocka_unit_test(printed_messages_are_bounded),
        cmocka_unit_test(bug_exits_70),
        cmocka_unit_test(long_words_are_cut),
        cmocka_unit_test(places_far_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
