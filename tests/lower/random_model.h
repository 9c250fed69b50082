/* Random specs for the differential tests: sizes are drawn so that nothing divides nicely. A seed means the same
 * models on every machine. */
#ifndef REFORMERC_TESTS_RANDOM_MODEL_H
#define REFORMERC_TESTS_RANDOM_MODEL_H

#include "exec/exec.h"
#include "support/sbuf.h"

void draw_begin(uint64_t seed, int index);
uint32_t draw(uint32_t n); /* 0 … n-1 */
int64_t draw_one(const int64_t *from, size_t n);
#define PICK(...)                                                                                  \
    draw_one((const int64_t[]){__VA_ARGS__},                                                       \
             sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* Each writes keys of a spec. */
int random_layers(sbuf_t *s, int n); /* how many are LSH */
void random_chunks(sbuf_t *s, bool causal, int64_t local, int64_t lsh);
void random_positions(sbuf_t *s, int64_t hidden,
                      int64_t longest); /* for so many tokens, at least */
void random_buckets(sbuf_t *s);
void random_widths(sbuf_t *s);
void random_norms(sbuf_t *s, const char *initializer_range);

/* extensions: or nothing, for the layers that random_layers() drew last. Chunks of layers divide `unit`. Without
 * `attention` layers differ in their feed-forward alone. */
void random_extensions(sbuf_t *s, bool causal, int64_t unit, bool attention);

/* That this machine has, and models of this number type have a use for. */
const target_t *random_target(dtype_t dtype);
int64_t min_common_multiple(int64_t a, int64_t b);

/* What is compared with the reference. */
enum { MAX_BACKENDS = 3 };
typedef struct {
    backend_t backend[MAX_BACKENDS];
    int n;
    const char *cc; /* NULL: the default */
} others_t;
bool others_parse(const char *text, others_t *o); /* "jit,c"; false after a message */
/* PROGRAM BACKEND[,BACKEND] COUNT SEED [CC]: runs models 0 … COUNT-1 and says how many passed; SEED `fresh`: another one
 * each time, which is printed. Returns the exit code. */
int run_models(int argc, char **argv, bool (*run)(int index, uint64_t seed, const others_t *o));

#endif
