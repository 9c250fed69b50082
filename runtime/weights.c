/* The packed weights file: binding reads its header only, checking reads everything.
 *
 * In: the file, mapped or read into 64-byte aligned memory, which must stay as it is while the
 * model is in use. Out: a bound model. The file is little-endian, as are all targets; header and
 * checksum are read byte by byte, so that they mean the same on any machine. */
#include "rt_int.h"

/* ---- checksum ----------------------------------------------------------------------------------
 * Four lanes take the 8-byte words in turn: lane ← mix(lane ^ word), where mix is a bijection. So
 * damage within one word always changes the sum; wider damage could cancel, as
 * in any 64-bit sum. */

/* Written out: gcc 12 makes one load of this, but eight of a loop. */
static uint64_t load64(const unsigned char *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static uint64_t mix(uint64_t x) {
    x *= UINT64_C(0x9E3779B97F4A7C15); /* odd: 2^64 over the golden ratio */
    return x ^ (x >> 32);
}

uint64_t reformer_checksum(const void *data, size_t bytes) {
    const unsigned char *p = (const unsigned char *)data;
    uint64_t lane[4] = {1, 2, 3, 4};
    size_t at = 0;
    for (; at + 32 <= bytes; at += 32) {
        lane[0] = mix(lane[0] ^ load64(p + at));
        lane[1] = mix(lane[1] ^ load64(p + at + 8));
        lane[2] = mix(lane[2] ^ load64(p + at + 16));
        lane[3] = mix(lane[3] ^ load64(p + at + 24));
    }
    unsigned char tail[32] = {0};
    for (size_t i = 0; i < bytes - at; i++) tail[i] = p[at + i];
    uint64_t sum = mix((uint64_t)bytes);
    for (int i = 0; i < 4; i++) sum = mix(sum ^ mix(lane[i] ^ load64(tail + 8 * (size_t)i)));
    return sum;
}

/* ---- header --------------------------------------------------------------------------------- */

#define FIELD(p, name) load64((p) + offsetof(reformer_weights_header_t, name))

uint64_t reformer_weights_field(const unsigned char *header, size_t at) {
    return load64(header + at);
}

static int check_header(const reformer_desc_t *desc, const unsigned char *p, size_t bytes) {
    static const char magic[] = REFORMER_WEIGHTS_MAGIC;
    if (bytes < REFORMER_WEIGHTS_HEADER) return REFORMER_E_WEIGHTS;
    for (size_t i = 0; i < sizeof magic - 1; i++)
        if (p[i] != (unsigned char)magic[i]) return REFORMER_E_WEIGHTS;
    /* together with `reserved`, which is 0 in this version */
    if (FIELD(p, version) != REFORMER_WEIGHTS_VERSION) return REFORMER_E_VERSION;
    if (FIELD(p, fingerprint) != desc->fingerprint) return REFORMER_E_FINGERPRINT;
    uint64_t data_end = FIELD(p, data_end);
    if (FIELD(p, bytes) != bytes || desc->weights_bytes != bytes) return REFORMER_E_WEIGHTS;
    if (data_end < REFORMER_WEIGHTS_HEADER || data_end > bytes) return REFORMER_E_WEIGHTS;
    return REFORMER_OK;
}

/* The best target this CPU runs: its variants stand together, better targets first. */
static int choose_target(reformer_model_t *m, const reformer_desc_t *desc) {
    int first = 0, n = 0;
    for (int i = 0; i < desc->n_variants; i++) {
        int same = i > 0 && desc->variants[i].target == desc->variants[i - 1].target;
        if (same && n) n++;
        else if (!same && n) break;
        else if (!same && reformer_cpu_takes(desc->variants[i].target)) first = i, n = 1;
    }
    m->variants = desc->variants + first;
    m->n_variants = n;
    if (n && desc->steps) {
        m->prefills = desc->prefills + first;
        m->step = desc->steps + first / n; /* targets have equally many variants */
    }
    if (n && desc->trains) m->trains = desc->trains + first;
    if (n && desc->updates) m->update = desc->updates + first / n;
    return n ? REFORMER_OK : REFORMER_E_CPU;
}

/* Of 64 bits, as reformer_rt.h promises. */
_Static_assert(sizeof(void *) != 8 || (sizeof(reformer_model_t) == REFORMER_MODEL_BYTES &&
                                       sizeof(reformer_trainer_t) == REFORMER_MODEL_BYTES),
               "the reserved words of models and trainers fill them up");

/* Before anything else of desc is read: code of ABI 5 and earlier begins with that
 * number in place of a size. */
int reformer_check_desc(const reformer_desc_t *desc) {
    static const size_t sizes[] = REFORMER_SIZES;
    _Static_assert(sizeof sizes == sizeof desc->sizes, "REFORMER_SHARED counts them");
    if (!desc) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(desc) || desc->abi != REFORMER_ABI) return REFORMER_E_VERSION;
    for (size_t i = 0; i < REFORMER_SHARED; i++)
        if (desc->sizes[i] != sizes[i]) return REFORMER_E_VERSION;
    return REFORMER_OK;
}

int reformer_check_model(const reformer_desc_t *desc, const reformer_model_t *m) {
    if (!m || !desc || m->size == 0) return REFORMER_E_ARGUMENT;
    if (!REFORMER_SIZED(m)) return REFORMER_E_SIZE;
    if (!m->desc || !m->weights) return REFORMER_E_ARGUMENT;
    return m->desc == desc ? REFORMER_OK : REFORMER_E_MODEL;
}

int reformer_bind(reformer_model_t *m, const reformer_desc_t *desc, const void *weights,
                  size_t bytes) {
    if (!m) return REFORMER_E_ARGUMENT;
    m->size =
        /* Not bound. No more of it, before it is known whose it is: a model of ABI 5 is smaller */
        0;
    int error = reformer_check_desc(desc);
    if (error) return error;
    *m = (reformer_model_t){0};
    if (!weights || !desc->variants) return REFORMER_E_ARGUMENT;
    if ((uintptr_t)weights % 64) return REFORMER_E_ALIGNMENT;
    error = check_header(desc, (const unsigned char *)weights, bytes);
    if (error) return error;
    reformer_model_t bound = {.size = sizeof bound,
                              .desc = desc,
                              .weights = (const unsigned char *)weights,
                              .bytes = bytes};
    error = choose_target(&bound, desc);
    if (!error) *m = bound;
    return error;
}

static void store64(unsigned char *p, uint64_t x) {
    for (int i = 0; i < 8; i++, x >>= 8) p[i] = (unsigned char)x;
}

/* Of numbers of `each` bytes, float32 or bfloat16: their last two tell. */
static uint64_t count_nonfinite(const unsigned char *p, const unsigned char *end, size_t each) {
    uint64_t n = 0;
    for (; (size_t)(end - p) >= each; p += each) {
        unsigned top = (unsigned)p[each - 2] | (unsigned)p[each - 1] << 8;
        n += (top & 0x7F80) == 0x7F80;
    }
    return n;
}

/* Where a section begins that the file may lack; then there is nothing between it and the next. */
static uint64_t section_begin(uint64_t at, uint64_t next) {
    return at >= REFORMER_WEIGHTS_HEADER && at < next ? at : next;
}

/* Section by section: a pair of bfloat16 is no float32, and integers are always finite. */
static uint64_t count_all_nonfinite(const unsigned char *p) {
    uint64_t integers = section_begin(FIELD(p, integers_at), FIELD(p, data_end));
    uint64_t halves = section_begin(FIELD(p, bf16_at), integers);
    return count_nonfinite(p + REFORMER_WEIGHTS_HEADER, p + halves, 4) +
           count_nonfinite(p + halves, p + integers, 2);
}

int reformer_sign_weights(const reformer_desc_t *desc, void *weights, size_t bytes) {
    if (!desc || !weights) return REFORMER_E_ARGUMENT;
    unsigned char *p = (unsigned char *)weights;
    int error = check_header(desc, p, bytes);
    if (error) return error;
    uint64_t bad = count_all_nonfinite(p);
    uint64_t sum = reformer_checksum(p + REFORMER_WEIGHTS_HEADER, bytes - REFORMER_WEIGHTS_HEADER);
    store64(p + offsetof(reformer_weights_header_t, checksum), sum);
    store64(p + offsetof(reformer_weights_header_t, nonfinite), bad);
    return REFORMER_OK;
}

int reformer_check_weights(const reformer_desc_t *desc, const reformer_model_t *m) {
    int error = reformer_check_model(desc, m);
    if (error) return error;
    const unsigned char *data = m->weights + REFORMER_WEIGHTS_HEADER;
    if (reformer_checksum(data, m->bytes - REFORMER_WEIGHTS_HEADER) != FIELD(m->weights, checksum))
        return REFORMER_E_CHECKSUM;
    /* The writer counted them; the sum says that these are the values it counted. */
    return FIELD(m->weights, nonfinite) ? REFORMER_E_NAN : REFORMER_OK;
}
