/* reformerc tokenize: a text as a file of token ids, for training on the same text again and again.
 *
 * In: a model, whose spec says how text becomes ids, and a text of any size. Out: a .bin as nanoGPT
 * reads it (uint16, no header) or llm.c (a header of 256 int32; uint16, or uint32 for more than
 * 65,536 ids), or a .npy (uint16 or uint32). What data/source.h reads. The text is
 * never in memory as a whole. */
#include <string.h>

#include "cli/help.h"
#include "cli/name.h"
#include "cli/outputs.h"
#include "commands/commands.h"
#include "report/progress.h"
#include "session/session.h"
#include "support/clock.h"
#include "support/heap.h"
#include "text/parts.h"

enum { NARROW = 1 << 16 }; /* ids that a uint16 holds */
enum { LLMC_NARROW = 20240520, LLMC_WIDE = 20240801, LLMC_WORDS = 256 };
enum { NPY_HEADER = 128 }; /* bytes, in which the number of tokens has room */

typedef struct writer {
    const struct token_format *format;
    output_t *out;
    int width; /* bytes of a token */
    int64_t n; /* tokens so far */
    unsigned char *bytes;
    size_t room;
    progress_t progress;
} writer_t;

/* ---- formats --------------------------------------------------------------------------------- */

static size_t no_header(const writer_t *w, unsigned char *out) {
    (void)w;
    (void)out;
    return 0;
}

static void put_word(unsigned char *at, int64_t x, int bytes) {
    for (int i = 0; i < bytes; i++) at[i] = (unsigned char)((uint64_t)x >> 8 * i);
}

static size_t llmc_header(const writer_t *w, unsigned char *out) {
    put_word(out, w->width == 2 ? LLMC_NARROW : LLMC_WIDE, 4);
    put_word(out + 4, w->width == 2 ? 1 : 7, 4);
    put_word(out + 8, w->n, 4);
    return LLMC_WORDS * 4;
}

/* Filled with blanks up to a line feed, as NumPy does it, so that the tokens are aligned. */
static size_t npy_header(const writer_t *w, unsigned char *out) {
    static const char magic[] = "\223NUMPY\1";
    enum { LENGTH = 8, TEXT = 10 };
    char text[NPY_HEADER];
    int n =
        snprintf(text, sizeof text, "{'descr': '<u%d', 'fortran_order': False, 'shape': (%lld,), }",
                 w->width, (long long)w->n);
    memset(out, ' ', NPY_HEADER);
    memcpy(out, magic, LENGTH);
    put_word(out + LENGTH, NPY_HEADER - TEXT, 2);
    memcpy(out + TEXT, text, (size_t)n);
    out[NPY_HEADER - 1] = '\n';
    return NPY_HEADER;
}

typedef struct token_format {
    const char *name, *suffix;
    size_t (*header)(const writer_t *w, unsigned char *out);
    bool wide;     /* more than 65,536 ids are possible */
    int64_t limit; /* tokens that its header can tell; 0: any number */
} token_format_t;

static const token_format_t formats[] = {{"nanogpt", ".bin", no_header, false, 0},
                                         {"llmc", ".bin", llmc_header, true, INT32_MAX},
                                         {"npy", ".npy", npy_header, true, 0}};
enum { FORMATS = sizeof formats / sizeof *formats };

/* By --format, else by the suffix; NULL after an error in d. */
static const token_format_t *find_format(const options_t *o, diag_t *d) {
    const char *name = o->text[OPT_TOKENS_FORMAT], *path = o->text[OPT_OUTPUT];
    const char *suffix = path_suffix(path), *names[FORMATS];
    for (int i = 0; i < FORMATS; i++) {
        names[i] = formats[i].name;
        if (name ? strcmp(name, formats[i].name) == 0 : strcmp(suffix, formats[i].suffix) == 0) {
            if (strcmp(suffix, formats[i].suffix) == 0) return &formats[i];
            diag_error(d, IN_FILE(path), "--format %s is written to a file that ends in %s", name,
                       formats[i].suffix);
            return NULL;
        }
    }
    if (!name) {
        diag_error(d, IN_FILE(path), "the suffix decides what is written: .bin or .npy");
        return NULL;
    }
    diag_error(d, IN_FILE("--format"), "'%s' is none of nanogpt, llmc, npy", name);
    const char *near = did_you_mean(name, names, FORMATS);
    if (near) diag_hint(d, "did you mean '%s'?", near);
    return NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool put_header(writer_t *w, bool again) {
    unsigned char header[LLMC_WORDS * 4] = {0};
    size_t n = w->format->header(w, header);
    if (n == 0) return true;
    return again ? output_patch(w->out, 0, header, n) : output_write(w->out, header, n);
}

static void show_progress(writer_t *w, uint64_t read, uint64_t total) {
    char said[64];
    snprintf(said, sizeof said, "%lld tokens", (long long)w->n);
    if (total >= read && total > 0)
        progress_show(&w->progress, (int64_t)read, (int64_t)total, said);
}

static bool put_tokens(void *ctx, const tokens_t *next, uint64_t read, uint64_t total, diag_t *d) {
    writer_t *w = ctx;
    size_t bytes = (size_t)next->n * (size_t)w->width;
    if (bytes > w->room) {
        w->bytes = heap_resize(w->bytes, bytes);
        w->room = bytes;
    }
    for (int64_t i = 0; i < next->n; i++) put_word(w->bytes + i * w->width, next->ids[i], w->width);
    w->n += next->n;
    if (w->format->limit && w->n > w->format->limit) {
        diag_error(d, NOWHERE, "llm.c's header counts no more than %lld tokens",
                   (long long)w->format->limit);
        diag_hint(d, "a .npy holds any number");
        return false;
    }
    show_progress(w, read, total);
    return output_write(w->out, w->bytes, bytes);
}

static bool check_width(writer_t *w, int64_t vocabulary, const char *path, diag_t *d) {
    w->width = vocabulary > NARROW ? 4 : 2;
    if (w->width == 2 || w->format->wide) return true;
    diag_error(d, IN_FILE(path), "nanoGPT's .bin has ids below %d, the model has %lld", NARROW,
               (long long)vocabulary);
    diag_hint(d, "--format llmc, or a .npy");
    return false;
}

static bool write_tokens(writer_t *w, const session_t *s, const text_t *text, const char *path) {
    w->out = output_open(s->o->text[OPT_OUTPUT], s->d);
    if (!w->out) return false;
    bool ok = put_header(w, false) && text_encode_parts(text, path, put_tokens, w, s->d);
    progress_finish(&w->progress);
    if (ok && w->n == 0) diag_error(s->d, IN_FILE(path), "has no tokens");
    ok = ok && w->n > 0 && put_header(w, true);
    output_t *out = w->out;
    w->out = NULL;
    if (ok) return output_commit(out);
    output_abort(out);
    return false;
}

static bool tokenize(session_t *s) {
    const options_t *o = s->o;
    bool piped = strcmp(o->text[OPT_TEXT], "-") == 0;
    const char *path = piped ? "/dev/stdin" : o->text[OPT_TEXT];
    writer_t w = {.format = find_format(o, s->d), .progress = progress_new("bytes", 0)};
    if (!w.format || !output_place_check(o->text[OPT_OUTPUT], s->d) || !session_spec(s))
        return false;
    text_t *text = text_open(&s->model, s->d);
    double begin = clock_now();
    bool ok = text && check_width(&w, s->model.facts.vocab, o->text[OPT_OUTPUT], s->d) &&
              write_tokens(&w, s, text, path);
    if (ok)
        fprintf(stderr, "%lld token%s as uint%d, %.0f tokens/s\n", (long long)w.n,
                w.n == 1 ? "" : "s", 8 * w.width, (double)w.n / (clock_now() - begin));
    heap_free(w.bytes);
    text_free(text);
    return ok;
}

int command_tokenize(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    static const option_id_t needed[] = {OPT_TEXT, OPT_OUTPUT};
    int missing = check_needed(o, needed, 2);
    if (missing) return missing;
    session_t s = session_new(o, d);
    bool ok = tokenize(&s);
    session_free(&s);
    return ok ? 0 : EXIT_VALUE;
}
