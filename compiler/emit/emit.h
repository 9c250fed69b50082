/* Back ends: how to write one loop op. Nothing here decides; a Loops module says everything. */
#ifndef REFORMERC_EMIT_H
#define REFORMERC_EMIT_H

#include "lower/lower.h"
#include "reformer_rt.h"

/* emit/c.c: the text of model.c and model.h. The first comment holds the compile line. The plan is
 * lowered. Same plan, same text, byte for byte. */
typedef struct {
    const char *header_name; /* "model.h" */
    bool trace, impose_buckets;
} emit_c_options_t;
void emit_c(const plan_t *p, const emit_c_options_t *o, sbuf_t *source, sbuf_t *header);
/* The header alone: that of model.o and model.so. */
void emit_header(const plan_t *p, const emit_c_options_t *o, sbuf_t *header);

/* emit/features.c: "avx2,fma"; NULL: nothing but the architecture's baseline. */
extern const char *const target_features[T_COUNT];
bool target_is_arm(const target_t *t);

/* emit/describe.c: the runtime's descriptor of a lowered plan, in memory, with run == NULL; generated
 * code is this in text. `variants` has room for plan_parts(p): forwards, better targets first, each by
 * ascending max_length; then prefills in the same order, where they are not the forwards; then the
 * step of each target. Strings are the plan's. */
int plan_count(const plan_t *p);                               /* forwards */
int plan_parts(const plan_t *p);                               /* all */
const module_t *plan_module(const plan_t *p, int part);        /* in the order of `variants` */
const variant_plan_t *plan_variant(const plan_t *p, int part); /* of forwards and prefills */
typedef enum { PART_FORWARD, PART_PREFILL, PART_STEP } part_t;
part_t plan_part(const plan_t *p, int part);
int plan_target(const plan_t *p, int part); /* its place among targets: 0 is the best one */
/* What tells the parts of one target apart, in names: "", "L4096", "U4096", "prefill_L4096", "step". */
const char *plan_part_name(const plan_t *p, int part, arena_t *a);
void plan_describe_model(const plan_t *p,
                         reformer_desc_t *desc); /* without variants; not lowered */
void plan_describe(const plan_t *p, reformer_desc_t *desc, reformer_variant_t *variants);

#endif
