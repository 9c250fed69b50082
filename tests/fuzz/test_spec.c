/* The short form of fuzz_spec for every build: the cases of tests/spec and the shipped specs,
 * mutated by a seeded generator for a fixed number of rounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>

#include "mutate.h"
#include "spec_input.h"
#include "support/file.h"

enum { MAX_FILES = 256, ROUNDS = 400, MAX_BYTES = 1 << 16 };

static input_case_t inputs[MAX_FILES];
static int n_inputs;

static void collect(const char *folder) {
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    diag_t *d = diag_new();
    for (struct dirent *e; (e = readdir(dir)) && n_inputs < MAX_FILES;) {
        size_t length = strlen(e->d_name);
        if (length < 5 || strcmp(e->d_name + length - 5, ".yaml") != 0) continue;
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        inputs[n_inputs].text = file_read(path, 0, &inputs[n_inputs].bytes, d);
        assert_non_null(inputs[n_inputs].text);
        n_inputs++;
    }
    closedir(dir);
    diag_free(d);
}

/* Pieces that matter to YAML, JSON or the schema. */
static const char *const pieces[] = {"\n",
                                     " ",
                                     "\t",
                                     ":",
                                     ": ",
                                     "- ",
                                     "{",
                                     "}",
                                     "[",
                                     "]",
                                     ",",
                                     "\"",
                                     "'",
                                     "#",
                                     "&a ",
                                     "*a",
                                     "<<: ",
                                     "---\n",
                                     "|\n",
                                     ">\n",
                                     "? ",
                                     "!",
                                     "%",
                                     "\\",
                                     "\\ud83d",
                                     "\\ude00",
                                     "\\u0000",
                                     "\xff",
                                     "\xe2\x80\xa8",
                                     "\x7f",
                                     "0",
                                     "-1",
                                     "1e999",
                                     "null",
                                     "true",
                                     "~",
                                     "9999999999999999999",
                                     "0x10",
                                     "1e-12",
                                     ".5",
                                     "hidden_size: ",
                                     "attn_layers: ",
                                     "num_buckets: ",
                                     "compile: ",
                                     "model_type: reformer\n",
                                     "id2label: "};

static void mutate(sbuf_t *s) {
    size_t at = draw(s->size + 1), left = s->size - at;
    switch (draw(6)) {
    case 0: { /* one byte */
        char c = (char)draw(256);
        replace_range(s, at, left > 0, &c, 1);
        break;
    }
    case 1: { /* a piece, put in or over others */
        const char *piece = pieces[draw(sizeof pieces / sizeof pieces[0])];
        size_t over = draw(2) ? 0 : strlen(piece);
        replace_range(s, at, over < left ? over : left, piece, strlen(piece));
        break;
    }
    case 2: replace_range(s, at, left ? draw(left < 20 ? left : 20) : 0, "", 0); break;
    case 3: replace_range(s, at, left, "", 0); break; /* cut off */
    case 4: {                                         /* a part of another file */
        const input_case_t *other = &inputs[draw((uint64_t)n_inputs)];
        size_t from = draw(other->bytes + 1), n = draw(other->bytes - from + 1);
        replace_range(s, at, 0, other->text + from, n);
        break;
    }
    default: { /* a part of itself, again */
        size_t n = left ? draw(left) : 0;
        char *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, s->data + at, n);
        replace_range(s, draw(s->size + 1), 0, copy, n);
        free(copy);
        break;
    }
    }
}

static void test_mutations(void **unused) {
    (void)unused;
    state = 20200113;
    collect(SOURCE_DIR "/tests/spec/cases");
    collect(SOURCE_DIR "/specs");
    assert_true(n_inputs > 80);
    int accepted = 0, refused = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < n_inputs; i++) {
            sbuf_t s = {0};
            sbuf_write(&s, inputs[i].text, inputs[i].bytes);
            for (uint64_t n = draw(4); n-- > 0 && s.size < MAX_BYTES;) mutate(&s);
            char *exact = malloc(s.size ? s.size : 1); /* so that a read behind the end is seen */
            assert_non_null(exact);
            memcpy(exact, s.data, s.size);
            if (spec_one_input(exact, s.size)) accepted++;
            else refused++;
            free(exact);
            sbuf_free(&s);
        }
    /* Both outcomes must be exercised, or the mutations are no test. */
    assert_true(accepted > 1000 && refused > 10000);
    for (int i = 0; i < n_inputs; i++) free(inputs[i].text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
