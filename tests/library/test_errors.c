/* What a caller does wrong: a code, a text that says where, nothing on the streams, nothing kept, and a host that
 * finds its process as it left it. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library_test.h"

static const char good[] =
    "attn_layers: [lsh]\nis_decoder: true\nhidden_size: 32\nnum_attention_heads: 2\n"
    "attention_head_size: 16\nfeed_forward_size: 64\nvocab_size: 40\n"
    "axial_pos_embds: false\nlsh_attn_chunk_length: 8\nnum_buckets: 4\n"
    "max_position_embeddings: 64\n";

typedef struct {
    const char *model, *text;
    reformerc_options_t options;
    int code;
    const char *says[3]; /* parts of the message */
} wrong_t;

static const char *const settings_bad_key[] = {"num_hashs=2"};
static const char *const settings_no_value[] = {"num_hashes"};
static const char *const settings_bad_value[] = {"num_hashes=0"};
static const float few[2] = {1, 2};
static const reformerc_tensor_t one_tensor[] = {{.size = sizeof(reformerc_tensor_t),
                                                 .name = "lm_head.bias",
                                                 .rank = 1,
                                                 .shape = {2},
                                                 .data = few}};
static const reformerc_tensor_t twins[] = {{.size = sizeof(reformerc_tensor_t),
                                            .name = "lm_head.bias",
                                            .rank = 1,
                                            .shape = {2},
                                            .data = few},
                                           {.size = sizeof(reformerc_tensor_t),
                                            .name = "lm_head.bias",
                                            .rank = 1,
                                            .shape = {2},
                                            .data = few}};
static const reformerc_tensor_t nameless[] = {
    {.size = sizeof(reformerc_tensor_t), .rank = 1, .shape = {2}, .data = few}};
static const reformerc_tensor_t bad_dtype[] = {{.size = sizeof(reformerc_tensor_t),
                                                .name = "x",
                                                .dtype = 9,
                                                .rank = 1,
                                                .shape = {2},
                                                .data = few}};
static const reformerc_tensor_t bad_rank[] = {
    {.size = sizeof(reformerc_tensor_t), .name = "x", .rank = 9, .data = few}};
static const reformerc_tensor_t no_data[] = {
    {.size = sizeof(reformerc_tensor_t), .name = "x", .rank = 1, .shape = {2}}};
static const reformerc_tensor_t huge[] = {{.size = sizeof(reformerc_tensor_t),
                                           .name = "x",
                                           .rank = 2,
                                           .shape = {INT64_C(1) << 40, INT64_C(1) << 40},
                                           .data = few}};

static const wrong_t wrongs[] = {
    {"my.yaml",
     "vocab_size: 40\nnum_hashes: many\n",
     {0},
     REFORMERC_E_SPEC,
     {"my.yaml:2:13: error: ", "\n    num_hashes: many\n                ^\n"}},
    {NULL, "vocab_sise: 40\n", {0}, REFORMERC_E_SPEC, {"spec:1:1: error: ", "vocab_size"}},
    {NULL, "", {0}, REFORMERC_E_SPEC, {"spec: error: "}},
    {"/dev/null/model.yaml", NULL, {0}, REFORMERC_E_SPEC, {"/dev/null/model.yaml: error: "}},
    {NULL, NULL, {0}, REFORMER_E_ARGUMENT, {"neither a model"}},
    {NULL,
     good,
     {.settings = settings_bad_key, .n_settings = 1},
     REFORMERC_E_SPEC,
     {"--set num_hashs", "num_hashes"}},
    {NULL,
     good,
     {.settings = settings_no_value, .n_settings = 1},
     REFORMERC_E_OPTION,
     {"options.settings: error: 'num_hashes' is not KEY=VALUE"}},
    {NULL,
     good,
     {.settings = settings_bad_value, .n_settings = 1},
     REFORMERC_E_SPEC,
     {"--set num_hashes", "error"}},
    {NULL, good, {.n_settings = 1}, REFORMERC_E_OPTION, {"options.settings"}},
    {NULL,
     good,
     {.backend = "jti"},
     REFORMERC_E_OPTION,
     {"options.backend: error: 'jti'", "did you mean 'jit'?"}},
    {NULL,
     good,
     {.target = "x86-64-v5"},
     REFORMERC_E_OPTION,
     {"options.target: error: 'x86-64-v5'", "did you mean"}},
    {NULL, good, {.target = ""}, REFORMERC_E_OPTION, {"options.target: error: '' is not a target"}},
    {NULL, good, {.threads = -1}, REFORMERC_E_OPTION, {"options.threads: error: -1"}},
    {NULL, good, {.threads = 1025}, REFORMERC_E_OPTION, {"options.threads: error: 1025"}},
    {NULL, good, {.weights = "random:x"}, REFORMERC_E_WEIGHTS, {"random:x"}},
    {NULL,
     good,
     {.weights = "/dev/null/model.safetensors"},
     REFORMERC_E_WEIGHTS,
     {"/dev/null/model.safetensors: error: cannot open"}},
    {NULL,
     good,
     {.weights = SOURCE_DIR "/README.md"},
     REFORMERC_E_WEIGHTS,
     {"README.md: error: is text, not safetensors"}},
    {NULL,
     good,
     {.weights = SOURCE_DIR "/tests/golden/cases/b_clm_alt_4hash_factorised/model.safetensors"},
     REFORMERC_E_WEIGHTS,
     {"has shape", "this model needs"}},
    {NULL,
     good,
     {.weights = "random", .tensors = one_tensor, .n_tensors = 1},
     REFORMERC_E_OPTION,
     {"options.weights: error: 'random', and tensors"}},
    {NULL,
     good,
     {.tensors = one_tensor, .n_tensors = 1},
     REFORMERC_E_WEIGHTS,
     {"tensors: error: tensor 'lm_head.bias' has shape [2], this model needs [40]", "is missing"}},
    {NULL, good, {.tensors = twins, .n_tensors = 2}, REFORMERC_E_WEIGHTS, {"stands twice"}},
    {NULL, good, {.tensors = nameless, .n_tensors = 1}, REFORMERC_E_WEIGHTS, {"has no name"}},
    {NULL, good, {.tensors = bad_dtype, .n_tensors = 1}, REFORMERC_E_WEIGHTS, {"no dtype 9"}},
    {NULL, good, {.tensors = bad_rank, .n_tensors = 1}, REFORMERC_E_WEIGHTS, {"9 dimensions"}},
    {NULL, good, {.tensors = no_data, .n_tensors = 1}, REFORMERC_E_WEIGHTS, {"has no data"}},
    {NULL,
     good,
     {.tensors = huge, .n_tensors = 1},
     REFORMERC_E_WEIGHTS,
     {"more elements than fit"}},
    {NULL, good, {.n_tensors = 1}, REFORMERC_E_WEIGHTS, {"1 tensors, but no list"}},
    {NULL,
     good,
     {.weights = "random", .rotations = "/dev/null/rotations.st"},
     REFORMERC_E_WEIGHTS,
     {"/dev/null/rotations.st: error: cannot open"}},
    {NULL,
     good,
     {.backend = "c", .cc = "/dev/null/cc"},
     REFORMERC_E_COMPILE,
     {"cannot run the C compiler '/dev/null/cc'"}},
    {NULL, good, {.backend = "c", .cc = "false"}, REFORMERC_E_COMPILE, {"the C compiler failed"}},
};
enum { N_WRONGS = sizeof wrongs / sizeof *wrongs };

/* Structures of a program that was compiled with another header, or that set no size. */
static void sizes_are_checked(void **state) {
    (void)state;
    reformerc_model_t *m = NULL;
    reformerc_context_t *c = NULL;
    char *message = NULL;
    reformerc_options_t o = {.backend = "reference", .weights = "random"};
    assert_int_equal(reformerc_compile(&m, NULL, good, &o, &message), REFORMER_E_SIZE);
    assert_non_null(strstr(message, "options: error: its size is not set"));
    free(message);
    o.size = sizeof o - 8;
    assert_int_equal(reformerc_compile(&m, NULL, good, &o, NULL), REFORMER_E_SIZE);
    o.size = sizeof o;
    assert_int_equal(reformerc_compile(&m, NULL, good, &o, NULL), REFORMER_OK);
    reformerc_tensor_t t = {.name = "lm_head.bias", .rank = 1, .shape = {2}, .data = few};
    assert_int_equal(reformerc_bind_tensors(m, &t, 1, &message), REFORMERC_E_WEIGHTS);
    assert_non_null(strstr(message, "tensors: error: the size of number 0 is not set"));
    free(message);
    reformerc_info_t info = {0};
    assert_int_equal(reformerc_info(m, &info), REFORMER_E_SIZE);
    assert_int_equal(reformerc_context_new(&c, m, 1), REFORMER_OK);
    int32_t ids[8] = {1};
    float logits[8 * 40];
    reformer_io_t io = {.input_ids = ids, .batch = 1, .length = 8, .logits = logits};
    assert_int_equal(reformerc_forward(c, &io), REFORMER_E_SIZE);
    io.size = sizeof io + 8;
    assert_int_equal(reformerc_forward(c, &io), REFORMER_E_SIZE);
    io.size = sizeof io;
    assert_int_equal(reformerc_forward(c, &io), REFORMER_OK);
    reformerc_context_free(c);
    reformerc_free(m);
}

static void test_table(void **state) {
    (void)state;
    for (int i = 0; i < N_WRONGS; i++) {
        const wrong_t *w = &wrongs[i];
        reformerc_options_t o = w->options;
        o.size = sizeof o;
        reformerc_model_t *m = (reformerc_model_t *)(uintptr_t)1;
        char *message = NULL;
        int code = reformerc_compile(&m, w->model, w->text, &o, &message);
        if (code != w->code || !message)
            fail_msg("row %d: code %d, %s", i, code, message ? message : "no message");
        assert_null(m);
        for (int k = 0; k < 3 && w->says[k]; k++)
            if (!strstr(message, w->says[k]))
                fail_msg("row %d: no '%s' in:\n%s", i, w->says[k], message);
        assert_int_equal(message[strlen(message) - 1], '\n');
        free(message);
        /* and without anybody who reads it */
        assert_int_equal(reformerc_compile(&m, w->model, w->text, &o, NULL), w->code);
    }
    assert_int_equal(reformerc_compile(NULL, NULL, good, NULL, NULL), REFORMER_E_ARGUMENT);
}

/* A failed bind leaves the earlier weights; a model without any says so. */
static void test_binding(void **state) {
    (void)state;
    static const char *const backends[] = {NULL, "reference"};
    for (int i = 0; i < 2; i++) {
        reformerc_model_t *m = NULL;
        reformerc_options_t o = {.size = sizeof o, .backend = backends[i]};
        char *message = NULL;
        assert_int_equal(reformerc_compile(&m, NULL, good, &o, &message), REFORMER_OK);
        assert_null(message);
        reformerc_info_t info = {.size = sizeof info};
        reformerc_info(m, &info);
        assert_int_equal(info.bound, 0);
        reformerc_context_t *c = NULL;
        assert_int_equal(reformerc_context_new(&c, m, 1025), REFORMER_E_ARGUMENT);
        assert_null(c);
        assert_int_equal(reformerc_context_new(&c, m, 0), REFORMER_OK);
        int32_t ids[8] = {1, 2, 3, 4, 5, 6, 7, 8};
        float before[8 * 40], after[8 * 40];
        reformer_io_t io = {
            .size = sizeof io, .input_ids = ids, .batch = 1, .length = 8, .logits = before};
        assert_int_equal(reformerc_forward(c, &io), REFORMERC_E_UNBOUND);
        assert_non_null(reformerc_context_message(c));
        assert_int_equal(reformerc_bind(m, NULL, &message), REFORMERC_E_WEIGHTS);
        assert_non_null(strstr(message, "no weights given"));
        free(message);
        assert_int_equal(reformerc_bind(m, "random:5", &message), REFORMER_OK);
        assert_null(message);
        assert_int_equal(reformerc_forward(c, &io), REFORMER_OK);
        assert_int_equal(reformerc_bind(m, "/dev/null/x", &message), REFORMERC_E_WEIGHTS);
        assert_non_null(message);
        free(message);
        assert_int_equal(reformerc_bind_tensors(m, one_tensor, 1, NULL), REFORMERC_E_WEIGHTS);
        io.logits = after;
        assert_int_equal(reformerc_forward(c, &io), REFORMER_OK);
        assert_memory_equal(before, after, sizeof before);
        assert_int_equal(reformerc_forward(c, NULL), REFORMER_E_ARGUMENT);
        io.threads = -1;
        if (i == 0) assert_int_equal(reformerc_forward(c, &io), REFORMER_E_ARGUMENT);
        reformerc_context_free(c);
        reformerc_free(m);
    }
}

static void test_codes(void **state) {
    (void)state;
    for (int code = REFORMERC_E_SPEC; code <= REFORMERC_E_DEFECT; code++)
        assert_string_not_equal(reformerc_strerror(code), reformerc_strerror(-1));
    assert_string_equal(reformerc_strerror(REFORMER_E_TOKEN), reformer_strerror(REFORMER_E_TOKEN));
    assert_string_equal(reformerc_strerror(REFORMERC_E_DEFECT + 1), reformerc_strerror(-1));
    assert_string_equal(reformerc_version(), REFORMERC_VERSION);
    assert_string_equal(REFORMER_VERSION, REFORMERC_VERSION); /* they are released together */
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", REFORMERC_VERSION_NUMBER / 10000,
             REFORMERC_VERSION_NUMBER / 100 % 100, REFORMERC_VERSION_NUMBER % 100);
    assert_string_equal(version, REFORMERC_VERSION);
    reformerc_free(NULL);
    reformerc_context_free(NULL);
}

/* ---- the host ------------------------------------------------------------------------------------------ */

typedef struct {
    struct sigaction signals[65];
    mode_t mask;
    char folder[4096];
    int descriptors;
} host_t;

/* How many are open; with close_on_exec, how many of them a child would not inherit. */
static int count_descriptors(int *close_on_exec) {
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        int fd = atoi(e->d_name);
        if (e->d_name[0] == '.' || fd == dirfd(dir)) continue;
        if (close_on_exec) *close_on_exec += (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
        n++;
    }
    closedir(dir);
    return n;
}

/* Descriptors that a child inherits. */
static int inherited(void) {
    int closed = 0, n = count_descriptors(&closed);
    return n - closed;
}

static host_t look_at_host(void) {
    host_t h;
    memset(&h, 0, sizeof h);
    for (int s = 1; s < 65; s++) (void)sigaction(s, NULL, &h.signals[s]);
    h.mask = umask(0);
    umask(h.mask);
    assert_non_null(getcwd(h.folder, sizeof h.folder));
    h.descriptors = count_descriptors(NULL);
    return h;
}

static bool same_handlers(const host_t *a, const host_t *b) {
    for (int s = 1; s < 65; s++)
        if (a->signals[s].sa_handler != b->signals[s].sa_handler) return false;
    return true;
}

static void work(void) {
    int before = inherited();
    static const char *const backends[] = {NULL, "reference", "c"};
    for (int i = 0; i < 3; i++) {
        reformerc_model_t *m = NULL;
        reformerc_context_t *c = NULL;
        reformerc_options_t o = {.size = sizeof o,
                                 .backend = backends[i],
                                 .weights = "random",
                                 .threads = 2,
                                 .no_cache = 1};
        int32_t ids[8] = {1};
        float logits[8 * 40];
        reformer_io_t io = {
            .size = sizeof io, .input_ids = ids, .batch = 1, .length = 8, .logits = logits};
        assert_int_equal(reformerc_compile(&m, NULL, good, &o, NULL), REFORMER_OK);
        assert_int_equal(reformerc_context_new(&c, m, 2), REFORMER_OK);
        assert_int_equal(reformerc_forward(c, &io), REFORMER_OK);
        assert_int_equal(inherited(), before);
        reformerc_context_free(c);
        reformerc_free(m);
    }
    for (int i = 0; i < N_WRONGS; i++) {
        reformerc_model_t *m = NULL;
        char *message = NULL;
        (void)reformerc_compile(&m, wrongs[i].model, wrongs[i].text, &wrongs[i].options, &message);
        free(message);
        (void)reformerc_compile(&m, wrongs[i].model, wrongs[i].text, &wrongs[i].options, NULL);
    }
}

static void test_host_is_left_alone(void **state) {
    (void)state;
    char name[] = "/tmp/library-said-XXXXXX";
    work(); /* what is opened once (LLVM, OpenMP) is open now */
    host_t before = look_at_host();
    int said = mkstemp(name), out = dup(1), err = dup(2);
    assert_true(said >= 0 && out >= 0 && err >= 0);
    fflush(stdout);
    dup2(said, 1);
    dup2(said, 2);
    work();
    fflush(stdout);
    off_t bytes = lseek(said, 0, SEEK_END);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    close(said);
    unlink(name);
    assert_int_equal(bytes, 0);
    host_t after = look_at_host();
    assert_true(same_handlers(&before, &after));
    assert_int_equal(before.mask, after.mask);
    assert_string_equal(before.folder, after.folder);
    assert_int_equal(before.descriptors, after.descriptors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(test_binding),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_host_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
