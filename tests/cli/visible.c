/* visible FLAGS WEIGHTS LIBRARY…: opens shared libraries that all have a model called `model`, each with a runtime of its
 * own, by dlopen() with FLAGS ("local", "global"), runs each, and prints of each what its runtime calls no error and the
 * sum of its logits. A program that has functions of the runtime's names, which none of them is to find. */
#include "model.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 8, TOKENS = 8, VOCAB = 258 };

#define NOBODYS(name)                                                                              \
    __attribute__((visibility("default"))) void name(void);                                        \
    void name(void) {                                                                              \
        puts("a library has called the program's " #name);                                         \
        exit(3);                                                                                   \
    }
#if defined(OWN_NAMES) /* the header's would be others */
NOBODYS(reformer_numbered_name)
NOBODYS(reformer_on_threads)
NOBODYS(reformer_run)
NOBODYS(reformer_fill_slots)
NOBODYS(reformer_workers)
#endif

typedef struct {
    int (*bind)(model_t *m, const void *weights, size_t bytes);
    size_t (*workspace_bytes)(size_t length, int threads);
    int (*forward)(const model_t *m, const model_io_t *io, void *workspace, size_t bytes);
    const char *(*strerror)(int code);
} api_t;

static void find(void *library, const char *name, void *function, size_t bytes) {
    void *s = dlsym(library, name);
    if (!s) exit(4);
    memcpy(function, &s, bytes);
}

static void open_one(const char *path, int flags, api_t *a) {
    void *library = dlopen(path, flags);
    if (!library) {
        puts(dlerror());
        exit(4);
    }
    find(library, "model_bind", &a->bind, sizeof a->bind);
    find(library, "model_workspace_bytes", &a->workspace_bytes, sizeof a->workspace_bytes);
    find(library, "model_forward", &a->forward, sizeof a->forward);
    find(library, "model_strerror", &a->strerror, sizeof a->strerror);
    if (dlsym(library, "reformer_forward")) puts("the runtime is exported");
}

static int run(const api_t *a, const void *weights, size_t bytes) {
    static int32_t ids[TOKENS] = {75, 118, 34, 121, 99, 117, 34, 99};
    static float logits[TOKENS * VOCAB];
    model_t m = {0};
    int error = a->bind(&m, weights, bytes);
    model_io_t io = {.size = sizeof io,
                     .input_ids = ids,
                     .batch = 1,
                     .length = TOKENS,
                     .threads = 2,
                     .logits = logits};
    size_t room = a->workspace_bytes(TOKENS, 2);
    void *workspace = aligned_alloc(64, (room + 63) / 64 * 64);
    double sum = 0;
    if (!error) error = a->forward(&m, &io, workspace, room);
    for (int i = 0; i < TOKENS * VOCAB; i++) sum += (double)logits[i];
    free(workspace);
    printf("%s %a\n", error ? "error" : a->strerror(0), sum);
    return error;
}

int main(int argc, char **argv) {
    int flags = RTLD_NOW | (strcmp(argv[1], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL), errors = 0;
    static _Alignas(64) unsigned char weights[1 << 20];
    api_t api[MAX];
    FILE *f = fopen(argv[2], "rb");
    size_t bytes = f ? fread(weights, 1, sizeof weights, f) : 0;
    if (!f || fclose(f) != 0 || argc - 3 > MAX) return 2;
    for (int i = 3; i < argc; i++) open_one(argv[i], flags, &api[i - 3]);
    for (int i = 3; i < argc; i++) errors += run(&api[i - 3], weights, bytes) != 0;
    return errors != 0;
}
