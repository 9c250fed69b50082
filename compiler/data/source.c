/* Reading of source.h: one description of where the elements stand and what they
 * are, for all formats. */
#include "data/source.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/file.h"
#include "support/format.h"
#include "support/hash.h"
#include "support/heap.h"

enum {
    AT_ONCE = 1 << 14,     /* bytes that are read at once */
    CHECKED = 64 << 20,    /* tokens that source_check looks at */
    LLMC_HEADER = 256 * 4, /* bytes */
    SAMPLES = 256,         /* parts of a large file that its fingerprint is of … */
    SAMPLE = 1 << 16 /* … and the bytes of one; a file of no more than all of them counts whole */
};

struct source {
    const char *path;
    input_t in;            /* fd -1: the tokens are in memory */
    unsigned char *memory; /* heap memory; NULL: in the file */
    uint64_t at;           /* byte of the first element */
    int64_t n;
    int size; /* bytes of an element: 1, 2, 4 or 8 */
    bool is_signed, big_endian;
    int32_t offset;  /* added to each */
    bool headerless; /* .bin of nanoGPT, which says nothing of itself */
    bool is_text;    /* a token is a byte */
    int64_t *ends;
};

static source_t *new_source(const char *path) {
    source_t *s = heap_new(1, sizeof *s);
    s->path = path;
    s->in.fd = -1;
    return s;
}

void source_free(source_t *s) {
    if (!s) return;
    if (s->in.fd >= 0) input_close(&s->in);
    heap_free(s->memory);
    heap_free(s->ends);
    heap_free(s);
}

void source_tokens_are_bytes(source_t *s) {
    s->is_text = true;
}

const char *source_path(const source_t *s) {
    return s->path;
}

int64_t source_count(const source_t *s) {
    return s->n;
}

int64_t source_bytes(const source_t *s, int64_t from, int64_t to) {
    if (s->is_text) return to - from;
    if (!s->ends || from >= to) return 0;
    return s->ends[to - 1] - (from > 0 ? s->ends[from - 1] : 0);
}

/* ---- formats -------------------------------------------------------------------------------- */

static const struct {
    uint32_t magic, version;
    int size;
} llmc_kinds[] = {{20240520, 1, 2}, {20240801, 7, 4}};
enum { LLMC_KINDS = sizeof llmc_kinds / sizeof *llmc_kinds };
static const char npy_magic[] = "\223NUMPY";
enum { NPY_MAGIC = sizeof npy_magic - 1, NPY_MAX = 1 << 16 };

static uint64_t little(const unsigned char *p, int bytes) {
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++) x |= (uint64_t)p[i] << 8 * i;
    return x;
}

static int llmc_kind(const unsigned char *begin, size_t n) {
    for (int i = 0; n >= 4 && i < LLMC_KINDS; i++)
        if (little(begin, 4) == llmc_kinds[i].magic) return i;
    return -1;
}

static bool is_npy(const unsigned char *begin, size_t n) {
    return n >= NPY_MAGIC && memcmp(begin, npy_magic, NPY_MAGIC) == 0;
}

/* The elements end before or behind the end of the file. */
static bool fits(const source_t *s, bool exactly, diag_t *d) {
    uint64_t rest = s->in.bytes - s->at, max = rest / (uint64_t)s->size;
    if ((uint64_t)s->n <= max && (!exactly || (uint64_t)s->n * (uint64_t)s->size == rest))
        return true;
    diag_error(d, IN_FILE(s->path), "is %s: its header says %lld tokens, there are %llu",
               (uint64_t)s->n > max ? "cut off" : "longer than it should be", (long long)s->n,
               (unsigned long long)max);
    return false;
}

static bool open_llmc(source_t *s, int kind, diag_t *d) {
    unsigned char header[12];
    if (s->in.bytes < LLMC_HEADER) {
        diag_error(d, IN_FILE(s->path), "is cut off within llm.c's header of %d bytes",
                   LLMC_HEADER);
        return false;
    }
    if (!input_read(&s->in, 0, header, sizeof header, d)) return false;
    if (little(header + 4, 4) != llmc_kinds[kind].version) {
        diag_error(d, IN_FILE(s->path), "has version %llu of llm.c's format; %u is read",
                   (unsigned long long)little(header + 4, 4), llmc_kinds[kind].version);
        return false;
    }
    s->at = LLMC_HEADER;
    s->size = llmc_kinds[kind].size;
    s->n = (int64_t)little(header + 8, 4);
    return fits(s, true, d);
}

static bool open_plain(source_t *s, diag_t *d) {
    s->size = 2;
    s->headerless = true;
    s->n = (int64_t)(s->in.bytes / 2);
    if (s->in.bytes % 2 == 0) return true;
    diag_error(d, IN_FILE(s->path), "has an odd number of bytes: it is no array of uint16");
    diag_hint(d, "what ends in .bin and has no header of llm.c is read as nanoGPT writes it");
    return false;
}

/* What stands behind 'key': in the dictionary of Python that a .npy begins with. */
static const char *npy_value(const char *header, const char *key) {
    const char *p = strstr(header, key);
    if (!p) return "";
    p += strlen(key);
    while (*p == ' ' || *p == ':') p++;
    return p;
}

static bool npy_type(source_t *s, const char *p, diag_t *d) {
    int n = (int)strcspn(p, ",}");
    bool quoted = n >= 5 && *p == '\'' && p[4] == '\'' && strchr("<>|=", p[1]);
    if (!quoted || !strchr("iu", p[2]) || !strchr("1248", p[3])) {
        diag_error(d, IN_FILE(s->path), "is an array of %.*s; tokens are integers", n, p);
        return false;
    }
    s->big_endian = p[1] == '>';
    s->is_signed = p[2] == 'i';
    s->size = p[3] - '0';
    return true;
}

static bool npy_shape(source_t *s, const char *p, bool fortran, diag_t *d) {
    int dimensions = 0;
    bool ok = *p++ == '(';
    s->n = 1;
    while (ok && *p && *p != ')') {
        char *end;
        unsigned long long x = strtoull(p, &end, 10);
        ok = end != p && isdigit((unsigned char)*p) && x <= (uint64_t)INT64_MAX &&
             !__builtin_mul_overflow(s->n, (int64_t)x, &s->n);
        dimensions += x > 1;
        for (p = end; *p == ',' || *p == ' '; p++) continue;
    }
    if (!ok) diag_error(d, IN_FILE(s->path), "has a damaged header: no shape");
    else if (fortran && dimensions > 1)
        diag_error(d, IN_FILE(s->path), "is in Fortran's order: its rows do not follow each other");
    if (ok && fortran && dimensions > 1) diag_hint(d, "numpy.save(F, numpy.ascontiguousarray(A))");
    return ok && !(fortran && dimensions > 1);
}

static bool open_npy(source_t *s, diag_t *d) {
    unsigned char begin[12] = {0};
    size_t have = s->in.bytes < sizeof begin ? (size_t)s->in.bytes : sizeof begin;
    if (!input_read(&s->in, 0, begin, have, d)) return false;
    int wide =
        begin[NPY_MAGIC] >= 2 ? 4 : 2; /* bytes of the header's length, by the major version */
    uint64_t from = NPY_MAGIC + 2 + (uint64_t)wide, bytes = little(begin + NPY_MAGIC + 2, wide);
    if (bytes > NPY_MAX || s->in.bytes < from + bytes) {
        diag_error(d, IN_FILE(s->path), "is cut off within its header, or damaged");
        return false;
    }
    char *header = heap_new(1, (size_t)bytes + 1);
    s->at = from + bytes;
    bool ok = input_read(&s->in, from, header, (size_t)bytes, d) &&
              npy_type(s, npy_value(header, "'descr'"), d) &&
              npy_shape(s, npy_value(header, "'shape'"),
                        strncmp(npy_value(header, "'fortran_order'"), "True", 4) == 0, d) &&
              fits(s, false, d);
    heap_free(header);
    return ok;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* The first bytes, as many as there are. */
static bool read_begin(const input_t *in, unsigned char begin[FORMAT_BYTES], size_t *n, diag_t *d) {
    *n = in->bytes < FORMAT_BYTES ? (size_t)in->bytes : FORMAT_BYTES;
    return input_read(in, 0, begin, *n, d);
}

/* Asked of the name: a pipe that is opened and closed again kills who writes to it. */
static bool is_regular(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool source_is_tokens(const char *path) {
    if (ends_with(path, ".bin") || ends_with(path, ".npy")) return true;
    if (!is_regular(path)) return false;
    diag_t *silent = diag_new();
    unsigned char begin[FORMAT_BYTES];
    size_t n;
    input_t in;
    bool is = false;
    if (input_open(path, &in, silent)) {
        is = read_begin(&in, begin, &n, silent) && (is_npy(begin, n) || llmc_kind(begin, n) >= 0);
        input_close(&in);
    }
    diag_free(silent);
    return is;
}

source_t *source_tokens(const char *path, diag_t *d) {
    unsigned char begin[FORMAT_BYTES];
    size_t n = 0;
    source_t *s = new_source(path);
    bool ok = input_open(path, &s->in, d) && read_begin(&s->in, begin, &n, d);
    int kind = llmc_kind(begin, n);
    if (ok)
        ok = is_npy(begin, n) ? open_npy(s, d)
             : kind >= 0      ? open_llmc(s, kind, d)
                              : open_plain(s, d);
    if (ok) return s;
    source_free(s);
    return NULL;
}

/* A pipe has no places to read at: it is read to its end, and so is what cannot
 * be opened, for its error. */
static bool open_text(source_t *s, diag_t *d) {
    unsigned char begin[FORMAT_BYTES];
    size_t n = 0;
    if (!is_regular(s->path)) {
        s->memory = (unsigned char *)file_read(s->path, 0, &n, d);
        s->n = (int64_t)n;
        return s->memory && format_fits(s->path, s->memory, n, WANT_BYTES, d);
    }
    bool ok = input_open(s->path, &s->in, d) && read_begin(&s->in, begin, &n, d) &&
              format_fits(s->path, begin, n, WANT_BYTES, d);
    s->n = (int64_t)s->in.bytes;
    return ok;
}

source_t *source_bytes_file(const char *path, int32_t offset, diag_t *d) {
    source_t *s = new_source(path);
    s->size = 1;
    s->offset = offset;
    s->is_text = true;
    if (open_text(s, d)) return s;
    source_free(s);
    return NULL;
}

source_t *source_array(const char *path, int32_t *ids, int64_t *ends, int64_t n) {
    source_t *s = new_source(path);
    s->memory = (unsigned char *)ids;
    s->size = sizeof *ids;
    s->is_signed = true;
    s->ends = ends;
    s->n = n;
    return s;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool read_bytes(const source_t *s, uint64_t at, void *out, size_t bytes, diag_t *d) {
    if (!s->memory) return input_read(&s->in, s->at + at, out, bytes, d);
    memcpy(out, s->memory + at, bytes);
    return true;
}

/* Eight bytes with a sign are all that an int64_t takes; without, the high half
 * is out of any vocabulary. */
static int64_t element(const source_t *s, const unsigned char *p) {
    uint64_t x = 0;
    for (int i = 0; i < s->size; i++)
        x |= (uint64_t)p[s->big_endian ? s->size - 1 - i : i] << 8 * i;
    int shift = 64 - 8 * s->size;
    return s->is_signed ? (int64_t)(x << shift) >> shift : (int64_t)x;
}

static bool outside(const source_t *s, int64_t at, int64_t id, int64_t vocabulary, diag_t *d) {
    diag_error(d, IN_FILE(s->path), "token %lld (from 0) is %lld; the vocabulary has ids 0 … %lld",
               (long long)at, (long long)id, (long long)vocabulary - 1);
    if (s->headerless)
        diag_hint(
            d,
            "what ends in .bin and has no header of llm.c is read as uint16, as nanoGPT writes it");
    return false;
}

bool source_read(const source_t *s, int64_t from, int64_t n, int64_t vocabulary, int32_t *ids,
                 diag_t *d) {
    unsigned char part[AT_ONCE];
    for (int64_t done = 0; done < n;) {
        int64_t max = AT_ONCE / s->size, now = n - done < max ? n - done : max;
        uint64_t at = (uint64_t)(from + done) * (uint64_t)s->size;
        if (!read_bytes(s, at, part, (size_t)now * (size_t)s->size, d)) return false;
        for (int64_t i = 0; i < now; i++) {
            int64_t id = element(s, part + i * s->size);
            id = id > INT32_MAX ? id : id + s->offset;
            if (id < 0 || id >= vocabulary) return outside(s, from + done + i, id, vocabulary, d);
            ids[done + i] = (int32_t)id;
        }
        done += now;
    }
    return true;
}

bool source_check(const source_t *s, int64_t vocabulary, diag_t *d) {
    enum { IDS = 4096 };
    int32_t ids[IDS];
    int64_t n = s->n < CHECKED ? s->n : CHECKED;
    if (s->size == 1 && !s->is_signed && UINT8_MAX + (int64_t)s->offset < vocabulary) return true;
    for (int64_t at = 0; at < n; at += IDS)
        if (!source_read(s, at, n - at < IDS ? n - at : IDS, vocabulary, ids, d)) return false;
    return true;
}

/* ---- its fingerprint ------------------------------------------------------------------------ */

static uint64_t hash_part(const source_t *s, uint64_t h, uint64_t at, uint64_t bytes) {
    unsigned char part[AT_ONCE];
    diag_t *silent = diag_new(); /* what cannot be read now is told where it is needed */
    while (bytes > 0) {
        size_t now = bytes < AT_ONCE ? (size_t)bytes : AT_ONCE;
        if (!read_bytes(s, at, part, now, silent)) break;
        h = hash64(h, part, now);
        at += now;
        bytes -= now;
    }
    diag_free(silent);
    return h;
}

uint64_t source_fingerprint(const source_t *s) {
    uint64_t bytes = (uint64_t)s->n * (uint64_t)s->size;
    uint64_t h = hash64(HASH64_INIT, &s->n, sizeof s->n);
    h = hash64(h, &s->size, sizeof s->size);
    h = hash64(h, &s->offset, sizeof s->offset);
    if (bytes <= (uint64_t)SAMPLES * SAMPLE) return hash_part(s, h, 0, bytes);
    for (uint64_t i = 0; i < SAMPLES; i++)
        h = hash_part(s, h, (bytes - SAMPLE) * i / (SAMPLES - 1), SAMPLE);
    return h;
}
