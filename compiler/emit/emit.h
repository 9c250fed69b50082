/* Back ends: how to write one loop op. Nothing here decides; a Loops module says everything. */
#ifndef REFORMERC_EMIT_H
#define REFORMERC_EMIT_H

#include "emit/selftest.h"
#include "plan/plan.h"
#include "reformer_rt.h"

/* emit/c.c: the text of model.c and model.h. The first comment holds the compile line. The plan is
 * lowered. Same plan, same text, byte for byte. */
typedef struct {
    const char *header_name; /* "model.h" */
    bool trace, impose_buckets;
    bool standalone;            /* with the runtime inside, in both files */
    const char *weights_file;   /* "model.weights", embedded; NULL: none is */
    const selftest_t *selftest; /* a program that tests the model, at its end; NULL: none */
} emit_c_options_t;
void emit_c(const plan_t *p, const emit_c_options_t *o, sbuf_t *source, sbuf_t *header);
/* The header alone: that of model.o and model.so. */
void emit_header(const plan_t *p, const emit_c_options_t *o, sbuf_t *header);

/* Weights as a part of what LLVM writes: NAME_embedded_weights() finds them. */
typedef struct {
    const char *file; /* "model.weights": where texts take them from when they are assembled */
    const void *data; /* [bytes] packed: what objects hold */
    size_t bytes;
} emit_weights_t;
/* Relocations of small code reach 2 GiB. */
#define EMBEDDED_BYTES_MAX ((UINT64_C(2) << 30) - (UINT64_C(64) << 20))
/* Assembly that takes the file in. */
const char *emit_weights_section(arena_t *a, const char *prefix, const char *file);

/* Who has a function of those that a product calls. */
typedef enum { DUTY_ALL, DUTY_GENERATES, DUTY_TRAINS, DUTY_LEARNS } duty_t;
bool plan_has_duty(const plan_t *p, duty_t duty);

/* emit/features.c: "avx2,fma"; NULL: nothing but the architecture's baseline. */
extern const char *const target_features[T_COUNT];
bool target_is_arm(const target_t *t);

#endif
