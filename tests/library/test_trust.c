/* A program whose compile cache others may write to, and one that may not make memory executable: both get the same
 * numbers as ever, or a code, with a message that says once what is wrong and what to do. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cli/forbid.h"
#include "reformerc.h"

enum { LENGTH = 16, VOCAB = 40 };

static const char spec[] =
    "attn_layers: [local]\nis_decoder: true\nhidden_size: 16\nnum_attention_heads: 1\n"
    "attention_head_size: 16\nfeed_forward_size: 16\nvocab_size: 40\naxial_pos_embds: false\n"
    "local_attn_chunk_length: 8\nmax_position_embeddings: 16\ncompile: {sequence_length: 16}\n";

static char base[] = "/tmp/reformerc-library-XXXXXX";
static float want[LENGTH * VOCAB];

/* The code of compile; what it says in *message. */
static int compute(const char *backend, float *logits, char **message) {
    reformerc_options_t o = {.size = sizeof o, .backend = backend, .weights = "random:7"};
    reformerc_model_t *m = NULL;
    reformerc_context_t *c = NULL;
    int code = reformerc_compile(&m, "tiny", spec, &o, message);
    if (code) return code;
    int32_t ids[LENGTH];
    for (int i = 0; i < LENGTH; i++) ids[i] = i % VOCAB;
    reformer_io_t io = {
        .size = sizeof io, .input_ids = ids, .batch = 1, .length = LENGTH, .logits = logits};
    assert_int_equal(reformerc_context_new(&c, m, 1), REFORMER_OK);
    assert_int_equal(reformerc_forward(c, &io), REFORMER_OK);
    reformerc_context_free(c);
    reformerc_free(m);
    return REFORMER_OK;
}

static int count(const char *text, const char *part) {
    int n = 0;
    for (const char *p = text; p && (p = strstr(p, part)); p += strlen(part)) n++;
    return n;
}

static void expect_same(const char *backend, const char *part) {
    float got[LENGTH * VOCAB] = {0};
    char *message = NULL;
    assert_int_equal(compute(backend, got, &message), REFORMER_OK);
    if (count(message, part) != 1) fail_msg("expected '%s' once in: %s", part, message);
    assert_memory_equal(got, want, sizeof want);
    free(message);
}

static int set_up(void **state) {
    (void)state;
    char *message = NULL;
    if (!mkdtemp(base)) return -1;
    setenv("REFORMERC_CACHE", base, 1);
    unsetenv("CC");
    int code = compute(NULL, want, &message);
    if (message) printf("%s", message);
    free(message);
    return code;
}

static int tear_down(void **state) {
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command);
}

static void cache_of_others(void **state) {
    (void)state;
    char path[60];
    snprintf(path, sizeof path, "%s/open", base);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 0777), 0);
    setenv("REFORMERC_CACHE", path, 1);
    expect_same(NULL, "the compile cache is not used");
    assert_int_equal(rmdir(path), 0); /* nothing is in it */
    setenv("REFORMERC_CACHE", base, 1);
}

static bool has_jit(void) {
    float logits[LENGTH * VOCAB];
    char *message = NULL;
    bool yes = compute("jit", logits, &message) == REFORMER_OK;
    if (!yes && !count(message, "is not built in")) fail_msg("%s", message);
    free(message);
    return yes;
}

/* In a process of its own, since there is no way back. */
static int without_executable_memory(void) {
    if (!forbid_code()) return 77;
    expect_same(NULL, "back end c runs in place of jit");
    expect_same("jit", "back end c runs in place of jit");
    setenv("CC", "no-such-compiler", 1);
    float got[LENGTH * VOCAB];
    char *message = NULL;
    assert_int_equal(compute(NULL, got, &message), REFORMERC_E_COMPILE);
    assert_int_equal(count(message, "error: "), 1);
    assert_non_null(strstr(message, "make memory executable"));
    assert_non_null(strstr(message, "hint: take back end c"));
    free(message);
    return 0;
}

static void no_executable_memory(void **state) {
    (void)state;
    if (!has_jit()) return;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int code = without_executable_memory();
        fflush(NULL);
        _exit(code);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("memory cannot be made unexecutable here, which is not tried\n");
        return;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cache_of_others),
                                       cmocka_unit_test(no_executable_memory)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
