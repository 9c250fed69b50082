/* Why a model is not bound, in words: what was expected and what was found. In: what bind takes.
 * Out: one line in the caller's memory, without printf or allocation. */
#include "rt_int.h"

typedef struct {
    char *text;
    size_t at, room;
} line_t;

static void put(line_t *l, const char *text) {
    for (; *text && l->at + 1 < l->room; text++) l->text[l->at++] = *text;
}

static void put_digits(line_t *l, uint64_t x, unsigned base, int min) {
    char digits[24];
    int n = 0;
    do {
        digits[n++] = "0123456789abcdef"[x % base];
        x /= base;
    } while (x || n < min);
    while (n > 0) put(l, (char[]){digits[--n], 0});
}

static void put_number(line_t *l, uint64_t x) {
    put_digits(l, x, 10, 1);
}

static void put_runtime(line_t *l) {
    put(l, "this runtime is " REFORMER_VERSION " with ABI ");
    put_number(l, REFORMER_ABI);
}

/* ---- generated code ------------------------------------------------------------------------- */

/* One whose ABI is not ours has fields that we do not know; before ABI 6 that
 * number stood first. */
static void put_desc(line_t *l, const reformer_desc_t *desc) {
    int ours = REFORMER_SIZED(desc);
    uint32_t abi = ours ? desc->abi : (uint32_t)desc->size;
    put(l, "the model's code was compiled ");
    if (ours || abi < 6) {
        put(l, "with ABI ");
        put_number(l, abi);
    } else {
        put(l, "with a description of ");
        put_number(l, desc->size);
        put(l, " bytes instead of ");
        put_number(l, sizeof *desc);
    }
    put(l, ", ");
    put_runtime(l);
    if (ours && desc->abi == REFORMER_ABI) put(l, ", whose structures have other sizes");
    put(l, ": take header, model and runtime of one version");
}

static void put_targets(line_t *l, const reformer_desc_t *desc) {
    put(l, "this CPU, or REFORMER_CPU, has none of");
    for (int i = 0, n = 0; i < desc->n_variants; i++) {
        if (i > 0 && desc->variants[i].target == desc->variants[i - 1].target) continue;
        const char *name = reformer_target_name(desc->variants[i].target);
        put(l, n++ ? ", " : " ");
        put(l, name ? name : "an unknown target");
    }
}

/* ---- weights -------------------------------------------------------------------------------- */

static void put_bytes(line_t *l, const reformer_desc_t *desc, size_t bytes) {
    put_number(l, bytes);
    put(l, " bytes were given, the model's weights file has ");
    put_number(l, desc->weights_bytes);
}

static void put_version(line_t *l, const unsigned char *weights) {
    put(l, "the weights file is of version ");
    put_number(l, reformer_weights_field(weights, offsetof(reformer_weights_header_t, version)));
    put(l, ", this runtime (" REFORMER_VERSION ") reads ");
    put_number(l, REFORMER_WEIGHTS_VERSION);
    put(l, ": pack the weights again (reformerc pack)");
}

/* Sections tell the number types; the rest of what a fingerprint is of is not in the file. */
static void put_fingerprint(line_t *l, const reformer_desc_t *desc, const unsigned char *weights,
                            size_t bytes) {
    put(l, "the weights are of model ");
    put_digits(l, reformer_weights_field(weights, offsetof(reformer_weights_header_t, fingerprint)),
               16, 16);
    put(l, " (float32");
    if (reformer_weights_field(weights, offsetof(reformer_weights_header_t, bf16_at)))
        put(l, ", bfloat16");
    if (reformer_weights_field(weights, offsetof(reformer_weights_header_t, integers_at)))
        put(l, ", integers");
    put(l, "), this is model ");
    put_digits(l, desc->fingerprint, 16, 16);
    put(l, "; ");
    put_bytes(l, desc, bytes);
}

static void put_reason(line_t *l, const reformer_desc_t *desc, const void *weights, size_t bytes,
                       int code) {
    const unsigned char *p = (const unsigned char *)weights;
    if (code == REFORMER_E_VERSION && reformer_check_desc(desc)) put_desc(l, desc);
    else if (code == REFORMER_E_VERSION) put_version(l, p);
    else if (code == REFORMER_E_FINGERPRINT) put_fingerprint(l, desc, p, bytes);
    else if (code == REFORMER_E_CPU) put_targets(l, desc);
    else if (code == REFORMER_E_WEIGHTS) {
        put(l, reformer_strerror(code));
        put(l, ": ");
        put_bytes(l, desc, bytes);
    } else put(l, reformer_strerror(code));
}

int reformer_explain(const reformer_desc_t *desc, const void *weights, size_t bytes, char *text,
                     size_t room) {
    reformer_model_t m;
    line_t l = {text, 0, text ? room : 0};
    int code = reformer_bind(&m, desc, weights, bytes);
    put_reason(&l, desc, weights, bytes, code);
    if (l.room) text[l.at] = 0;
    return code;
}

const char *reformer_translator(const reformer_desc_t *desc) {
    return reformer_check_desc(desc) || !desc->version ? "unknown" : desc->version;
}

const char *reformer_target(const reformer_model_t *m) {
    const char *name =
        REFORMER_SIZED(m) && m->variants ? reformer_target_name(m->variants->target) : NULL;
    return name ? name : "none";
}
