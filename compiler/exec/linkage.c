/* Between a library made of generated C and this process: models call the runtime, and in here they
 * call this process's one, through pointers that a second small source file holds, which is
 * compiled with the model's. So a library needs nothing at link time and shares our workers. */
#include "exec/cc_int.h"
#include "reformer_rt.h"

/* What generated code asks of the runtime. */
struct linkage {
    size_t (*workspace_bytes)(const reformer_desc_t *desc, size_t length, int threads);
    int (*bind)(reformer_model_t *m, const reformer_desc_t *desc, const void *weights,
                size_t bytes);
    int (*explain)(const reformer_desc_t *desc, const void *weights, size_t bytes, char *text,
                   size_t room);
    int (*check_weights)(const reformer_desc_t *desc, const reformer_model_t *m);
    const char *(*target)(const reformer_model_t *m);
    int (*forward)(const reformer_desc_t *desc, const reformer_model_t *m, const reformer_io_t *io,
                   void *workspace, size_t bytes);
    const char *(*strerror)(int code);
    const char *(*translator)(const reformer_desc_t *desc);
    void (*launch)(const reformer_call_t *call, reformer_kernel_fn *kernel, int64_t tasks,
                   const int64_t *arg);
    void (*trace)(const reformer_call_t *call, const char *name, int64_t layer, const void *data,
                  int dtype, const int64_t *shape, int rank);
    void (*ready)(const reformer_call_t *call, int64_t first, int64_t floats);
    void (*launch_labelled)(const reformer_call_t *call, reformer_kernel_fn *kernel, int64_t tasks,
                            const int64_t *arg, const char *name, int64_t layer);
    size_t (*cache_bytes)(const reformer_desc_t *desc, size_t length);
    int (*cache_init)(const reformer_desc_t *desc, void *cache, size_t bytes, size_t length);
    int (*cache_check)(const reformer_desc_t *desc, const void *cache, size_t bytes);
    size_t (*cache_tokens)(const void *cache, size_t row);
    int (*cache_copy_row)(const reformer_desc_t *desc, void *cache, size_t from, size_t to);
    size_t (*decode_bytes)(const reformer_desc_t *desc, size_t length, int threads);
    int (*prefill)(const reformer_desc_t *desc, const reformer_model_t *m,
                   const reformer_decode_t *io, void *cache, void *workspace, size_t bytes);
    int (*step)(const reformer_desc_t *desc, const reformer_model_t *m, const reformer_decode_t *io,
                void *cache, void *workspace, size_t bytes);
    size_t (*gradients_bytes)(const reformer_desc_t *desc);
    int (*gradient)(const reformer_desc_t *desc, size_t i, reformer_tensor_t *t);
    size_t (*train_bytes)(const reformer_desc_t *desc, size_t length, int threads);
    int (*gradients)(const reformer_desc_t *desc, const reformer_model_t *m,
                     const reformer_io_t *io, float *gradients, size_t gradients_bytes,
                     void *workspace, size_t bytes);
    size_t (*trainer_bytes)(const reformer_desc_t *desc, size_t micro_batches);
    size_t (*trainer_workspace)(const reformer_desc_t *desc, size_t length, int threads);
    int (*trainer_begin)(const reformer_desc_t *desc, reformer_trainer_t *t,
                         const reformer_model_t *m, void *weights, void *memory,
                         size_t memory_bytes, size_t micro_batches, void *workspace, size_t bytes);
    int (*trainer_resume)(const reformer_desc_t *desc, reformer_trainer_t *t,
                          const reformer_model_t *m, void *weights, void *memory,
                          size_t memory_bytes, size_t micro_batches, int64_t step);
    int (*train_step)(const reformer_desc_t *desc, reformer_trainer_t *t, const reformer_io_t *io,
                      size_t n, reformer_train_report_t *report, void *workspace, size_t bytes);
    int (*sign_weights)(const reformer_desc_t *desc, void *weights, size_t bytes);
};

const linkage_t our_runtime = {reformer_workspace_bytes, reformer_bind,
                               reformer_explain,         reformer_check_weights,
                               reformer_target,          reformer_forward,
                               reformer_strerror,        reformer_translator,
                               reformer_launch,          reformer_trace,
                               reformer_ready,           reformer_launch_labelled,
                               reformer_cache_bytes,     reformer_cache_init,
                               reformer_cache_check,     reformer_cache_tokens,
                               reformer_cache_copy_row,  reformer_decode_bytes,
                               reformer_prefill,         reformer_step,
                               reformer_gradients_bytes, reformer_gradient,
                               reformer_train_bytes,     reformer_gradients,
                               reformer_trainer_bytes,   reformer_trainer_workspace,
                               reformer_trainer_begin,   reformer_trainer_resume,
                               reformer_train_step,      reformer_sign_weights};

/* One pointer, set whole: a library that two threads load at once is one library. */
const char linkage_source[] =
    "#include \"reformer_rt.h\"\n"
    "typedef struct {\n"
    "    size_t (*workspace_bytes)(const reformer_desc_t *, size_t, int);\n"
    "    int (*bind)(reformer_model_t *, const reformer_desc_t *, const void *, size_t);\n"
    "    int (*explain)(const reformer_desc_t *, const void *, size_t, char *, size_t);\n"
    "    int (*check_weights)(const reformer_desc_t *, const reformer_model_t *);\n"
    "    const char *(*target)(const reformer_model_t *);\n"
    "    int (*forward)(const reformer_desc_t *, const reformer_model_t *, const reformer_io_t *,\n"
    "                   void *, size_t);\n"
    "    const char *(*strerror)(int);\n"
    "    const char *(*translator)(const reformer_desc_t *);\n"
    "    void (*launch)(const reformer_call_t *, reformer_kernel_fn *, int64_t, const int64_t *);\n"
    "    void (*trace)(const reformer_call_t *, const char *, int64_t, const void *, int,\n"
    "                  const int64_t *, int);\n"
    "    void (*ready)(const reformer_call_t *, int64_t, int64_t);\n"
    "    void (*launch_labelled)(const reformer_call_t *, reformer_kernel_fn *, int64_t,\n"
    "                            const int64_t *, const char *, int64_t);\n"
    "    size_t (*cache_bytes)(const reformer_desc_t *, size_t);\n"
    "    int (*cache_init)(const reformer_desc_t *, void *, size_t, size_t);\n"
    "    int (*cache_check)(const reformer_desc_t *, const void *, size_t);\n"
    "    size_t (*cache_tokens)(const void *, size_t);\n"
    "    int (*cache_copy_row)(const reformer_desc_t *, void *, size_t, size_t);\n"
    "    size_t (*decode_bytes)(const reformer_desc_t *, size_t, int);\n"
    "    int (*prefill)(const reformer_desc_t *, const reformer_model_t *,\n"
    "                   const reformer_decode_t *, void *, void *, size_t);\n"
    "    int (*step)(const reformer_desc_t *, const reformer_model_t *, const reformer_decode_t *,\n"
    "                void *, void *, size_t);\n"
    "    size_t (*gradients_bytes)(const reformer_desc_t *);\n"
    "    int (*gradient)(const reformer_desc_t *, size_t, reformer_tensor_t *);\n"
    "    size_t (*train_bytes)(const reformer_desc_t *, size_t, int);\n"
    "    int (*gradients)(const reformer_desc_t *, const reformer_model_t *,\n"
    "                     const reformer_io_t *, float *, size_t, void *, size_t);\n"
    "    size_t (*trainer_bytes)(const reformer_desc_t *, size_t);\n"
    "    size_t (*trainer_workspace)(const reformer_desc_t *, size_t, int);\n"
    "    int (*trainer_begin)(const reformer_desc_t *, reformer_trainer_t *,\n"
    "                         const reformer_model_t *, void *, void *, size_t, size_t, void *,\n"
    "                         size_t);\n"
    "    int (*trainer_resume)(const reformer_desc_t *, reformer_trainer_t *,\n"
    "                          const reformer_model_t *, void *, void *, size_t, size_t,\n"
    "                          int64_t);\n"
    "    int (*train_step)(const reformer_desc_t *, reformer_trainer_t *, const reformer_io_t *,\n"
    "                      size_t, reformer_train_report_t *, void *, size_t);\n"
    "    int (*sign_weights)(const reformer_desc_t *, void *, size_t);\n"
    "} linkage_t;\n"
    "static const linkage_t *linked;\n"
    "static const linkage_t *rt(void) { return __atomic_load_n(&linked, __ATOMIC_ACQUIRE); }\n"
    "void reformerc_link(const linkage_t *l);\n"
    "void reformerc_link(const linkage_t *l) { __atomic_store_n(&linked, l, __ATOMIC_RELEASE); }\n"
    "size_t reformer_workspace_bytes(const reformer_desc_t *d, size_t n, int t) {\n"
    "    return rt()->workspace_bytes(d, n, t);\n"
    "}\n"
    "int reformer_bind(reformer_model_t *m, const reformer_desc_t *d, const void *w, size_t n) {\n"
    "    return rt()->bind(m, d, w, n);\n"
    "}\n"
    "int reformer_explain(const reformer_desc_t *d, const void *w, size_t n, char *t, size_t r) {\n"
    "    return rt()->explain(d, w, n, t, r);\n"
    "}\n"
    "int reformer_check_weights(const reformer_desc_t *d, const reformer_model_t *m) {\n"
    "    return rt()->check_weights(d, m);\n"
    "}\n"
    "const char *reformer_target(const reformer_model_t *m) { return rt()->target(m); }\n"
    "int reformer_forward(const reformer_desc_t *d, const reformer_model_t *m,\n"
    "                     const reformer_io_t *io, void *w, size_t n) {\n"
    "    return rt()->forward(d, m, io, w, n);\n"
    "}\n"
    "const char *reformer_translator(const reformer_desc_t *d) { return rt()->translator(d); }\n"
    "const char *reformer_strerror(int code) { return rt()->strerror(code); }\n"
    "void reformer_launch(const reformer_call_t *c, reformer_kernel_fn *k, int64_t n,\n"
    "                     const int64_t *a) {\n"
    "    rt()->launch(c, k, n, a);\n"
    "}\n"
    "void reformer_trace(const reformer_call_t *c, const char *n, int64_t l, const void *p, int t,\n"
    "                    const int64_t *s, int r) {\n"
    "    rt()->trace(c, n, l, p, t, s, r);\n"
    "}\n"
    "void reformer_ready(const reformer_call_t *c, int64_t first, int64_t n) {\n"
    "    rt()->ready(c, first, n);\n"
    "}\n"
    "void reformer_launch_labelled(const reformer_call_t *c, reformer_kernel_fn *k, int64_t n,\n"
    "                              const int64_t *a, const char *name, int64_t layer) {\n"
    "    rt()->launch_labelled(c, k, n, a, name, layer);\n"
    "}\n"
    "size_t reformer_cache_bytes(const reformer_desc_t *d, size_t n) {\n"
    "    return rt()->cache_bytes(d, n);\n"
    "}\n"
    "int reformer_cache_init(const reformer_desc_t *d, void *c, size_t b, size_t n) {\n"
    "    return rt()->cache_init(d, c, b, n);\n"
    "}\n"
    "int reformer_cache_check(const reformer_desc_t *d, const void *c, size_t b) {\n"
    "    return rt()->cache_check(d, c, b);\n"
    "}\n"
    "size_t reformer_cache_tokens(const void *c, size_t r) { return rt()->cache_tokens(c, r); }\n"
    "int reformer_cache_copy_row(const reformer_desc_t *d, void *c, size_t f, size_t t) {\n"
    "    return rt()->cache_copy_row(d, c, f, t);\n"
    "}\n"
    "size_t reformer_decode_bytes(const reformer_desc_t *d, size_t n, int t) {\n"
    "    return rt()->decode_bytes(d, n, t);\n"
    "}\n"
    "int reformer_prefill(const reformer_desc_t *d, const reformer_model_t *m,\n"
    "                     const reformer_decode_t *io, void *c, void *w, size_t n) {\n"
    "    return rt()->prefill(d, m, io, c, w, n);\n"
    "}\n"
    "int reformer_step(const reformer_desc_t *d, const reformer_model_t *m,\n"
    "                  const reformer_decode_t *io, void *c, void *w, size_t n) {\n"
    "    return rt()->step(d, m, io, c, w, n);\n"
    "}\n"
    "size_t reformer_gradients_bytes(const reformer_desc_t *d) {\n"
    "    return rt()->gradients_bytes(d);\n"
    "}\n"
    "int reformer_gradient(const reformer_desc_t *d, size_t i, reformer_tensor_t *t) {\n"
    "    return rt()->gradient(d, i, t);\n"
    "}\n"
    "size_t reformer_train_bytes(const reformer_desc_t *d, size_t n, int t) {\n"
    "    return rt()->train_bytes(d, n, t);\n"
    "}\n"
    "int reformer_gradients(const reformer_desc_t *d, const reformer_model_t *m,\n"
    "                       const reformer_io_t *io, float *g, size_t b, void *w, size_t n) {\n"
    "    return rt()->gradients(d, m, io, g, b, w, n);\n"
    "}\n"
    "size_t reformer_trainer_bytes(const reformer_desc_t *d, size_t n) {\n"
    "    return rt()->trainer_bytes(d, n);\n"
    "}\n"
    "size_t reformer_trainer_workspace(const reformer_desc_t *d, size_t n, int t) {\n"
    "    return rt()->trainer_workspace(d, n, t);\n"
    "}\n"
    "int reformer_trainer_begin(const reformer_desc_t *d, reformer_trainer_t *t,\n"
    "                           const reformer_model_t *m, void *x, void *y, size_t b, size_t n,\n"
    "                           void *w, size_t o) {\n"
    "    return rt()->trainer_begin(d, t, m, x, y, b, n, w, o);\n"
    "}\n"
    "int reformer_trainer_resume(const reformer_desc_t *d, reformer_trainer_t *t,\n"
    "                            const reformer_model_t *m, void *x, void *y, size_t b, size_t n,\n"
    "                            int64_t s) {\n"
    "    return rt()->trainer_resume(d, t, m, x, y, b, n, s);\n"
    "}\n"
    "int reformer_train_step(const reformer_desc_t *d, reformer_trainer_t *t,\n"
    "                        const reformer_io_t *io, size_t n, reformer_train_report_t *r,\n"
    "                        void *w, size_t b) {\n"
    "    return rt()->train_step(d, t, io, n, r, w, b);\n"
    "}\n"
    "int reformer_sign_weights(const reformer_desc_t *d, void *x, size_t n) {\n"
    "    return rt()->sign_weights(d, x, n);\n"
    "}\n";
