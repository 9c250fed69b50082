/* Files by their first bytes (format.h). Nothing is named that is not certain: magics
 * of two bytes are read on. */
#include "support/format.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "support/file.h"
#include "support/utf8.h"

typedef enum {
    HINT_NONE,
    HINT_PICKLE,
    HINT_NUMPY,
    HINT_NPZ,
    HINT_LFS,
    HINT_INDEX,
    HINT_DOWNLOAD,
    HINT_FOREIGN,
    HINT_TABLE,
    HINT_UNPACK,
    HINT_UTF16,
    HINT_PIECES,
    HINT_TOKENIZER
} hint_t;

typedef enum {
    NUMBERS, /* weights, arrays, tables: no text of any language */
    ARCHIVE, /* what may hold anything; to a model of bytes, bytes */
    WRITING  /* reads as text; a spec cannot be it, a text may */
} content_class_t;

typedef struct {
    const char *magic;
    size_t n;
    const char *what;
    hint_t hint;
    content_class_t class;
} format_t;

#define MAGIC(text) text, sizeof text - 1

static const format_t formats[] = {
    {MAGIC("\223NUMPY"), "a NumPy array (.npy)", HINT_NUMPY, NUMBERS},
    {MAGIC("GGUF"), "a GGUF file, of llama.cpp", HINT_FOREIGN, NUMBERS},
    {MAGIC("\211HDF\r\n\032\n"), "an HDF5 file, perhaps of TensorFlow", HINT_FOREIGN, NUMBERS},
    {MAGIC("RFMWGT\x1a\n"), "a packed weights file of reformerc", HINT_NONE, NUMBERS},
    {MAGIC("PAR1"), "a Parquet table", HINT_TABLE, NUMBERS},
    {MAGIC("ARROW1"), "an Arrow table", HINT_TABLE, NUMBERS},
    {MAGIC("\177ELF"), "an object file, library or program (ELF)", HINT_NONE, ARCHIVE},
    {MAGIC("\037\213\010"), "a gzip archive", HINT_UNPACK, ARCHIVE},
    {MAGIC("BZh91AY&SY"), "a bzip2 archive", HINT_UNPACK, ARCHIVE},
    {MAGIC("\375"
           "7zXZ"),
     "an xz archive", HINT_UNPACK, ARCHIVE},
    {MAGIC("\050\265\057\375"), "a zstd archive", HINT_UNPACK, ARCHIVE},
    {MAGIC("7z\274\257\047\034"), "a 7-Zip archive", HINT_UNPACK, ARCHIVE},
    {MAGIC("%PDF-"), "a PDF document", HINT_NONE, ARCHIVE},
    {MAGIC("\377\376"), "text in UTF-16", HINT_UTF16, ARCHIVE},
    {MAGIC("\376\377"), "text in UTF-16", HINT_UTF16, ARCHIVE},
    {MAGIC("version https://git-lfs"), "a Git LFS pointer", HINT_LFS, WRITING},
    {MAGIC("<!DOCTYPE"), "a web page", HINT_DOWNLOAD, WRITING},
    {MAGIC("<!doctype"), "a web page", HINT_DOWNLOAD, WRITING},
    {MAGIC("<html"), "a web page", HINT_DOWNLOAD, WRITING},
};

/* Those that take more than a comparison. */
static const format_t safetensors = {MAGIC(""), "a safetensors file", HINT_NONE, NUMBERS};
static const format_t pickle = {MAGIC(""), "a Python pickle, perhaps a PyTorch checkpoint",
                                HINT_PICKLE, NUMBERS};
static const format_t torch_zip = {MAGIC(""), "a zip archive, perhaps a PyTorch checkpoint",
                                   HINT_PICKLE, NUMBERS};
static const format_t numpy_zip = {MAGIC(""), "a file of NumPy arrays (.npz)", HINT_NPZ, NUMBERS};
static const format_t zip = {MAGIC(""), "a zip archive", HINT_UNPACK, ARCHIVE};
static const format_t tar = {MAGIC(""), "a tar archive", HINT_UNPACK, ARCHIVE};
static const format_t flax = {MAGIC(""), "a MessagePack file, perhaps of Flax", HINT_FOREIGN,
                              NUMBERS};
static const format_t tensorflow = {MAGIC(""), "a checkpoint of TensorFlow (its index)",
                                    HINT_FOREIGN, NUMBERS};
static const format_t weights_index = {MAGIC(""), "an index of weights in several files",
                                       HINT_INDEX, WRITING};
static const format_t tokenizer = {MAGIC(""), "a tokenizer.json", HINT_TOKENIZER, WRITING};
static const format_t json = {MAGIC(""), "JSON", HINT_NONE, WRITING};
static const format_t pieces = {MAGIC(""), "a SentencePiece model", HINT_PIECES, NUMBERS};
static const format_t text = {MAGIC(""), "text", HINT_NONE, WRITING};

/* ---- recognising ----------------------------------------------------------------------------- */

static bool has_word(const unsigned char *p, size_t n, const char *word) {
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= n; i++)
        if (memcmp(p + i, word, length) == 0) return true;
    return false;
}

static bool looks_like_safetensors(const unsigned char *p, size_t n) {
    if (n < 9 || p[8] != '{') return false;
    uint64_t header = 0;
    for (int i = 0; i < 8; i++) header |= (uint64_t)p[i] << (8 * i);
    return header >= 2 && header < 100u * 1000 * 1000 && p[4] == 0;
}

/* Protocols 2 to 5, and what a pickle of a dictionary, a list, an object, a number
 * or a frame goes on with. */
static bool looks_like_pickle(const unsigned char *p, size_t n) {
    return n > 2 && p[0] == 0200 && p[1] >= 2 && p[1] <= 5 && p[2] &&
           strchr("}](cXKJNMq\212\225", p[2]);
}

/* The name of the first file in it tells, where it can be read. */
static const format_t *zip_kind(const unsigned char *p, size_t n) {
    enum { NAME_BYTES = 26, NAME = 30 };
    if (n < 4 || memcmp(p, "PK\003\004", 4) != 0) return NULL;
    if (n <= NAME || !isprint(p[NAME])) return &torch_zip;
    size_t bytes = p[NAME_BYTES] + 256u * p[NAME_BYTES + 1];
    const unsigned char *name = p + NAME;
    if (bytes > n - NAME) bytes = n - NAME;
    if (bytes > 4 && memcmp(name + bytes - 4, ".npy", 4) == 0) return &numpy_zip;
    return has_word(name, bytes, "data.pkl") ? &torch_zip : &zip;
}

/* A map whose first key is a short name. */
static bool looks_like_flax(const unsigned char *p, size_t n) {
    if (n < 3 || p[0] < 0x81 || p[0] > 0x8F || (p[1] & 0xE0) != 0xA0) return false;
    size_t bytes = p[1] & 0x1F;
    if (bytes == 0 || bytes > n - 2) return false;
    for (size_t i = 0; i < bytes; i++)
        if (!isalnum(p[2 + i]) && !strchr("_./-", p[2 + i])) return false;
    return true;
}

/* The first entry of a TensorFlow index: no key, and a header that ends with version 1. */
static bool looks_like_tensorflow(const unsigned char *p, size_t n) {
    return n > 16 && p[0] == 0 && p[1] == 0 && p[2] < 16 && p[3] == 8 &&
           has_word(p + 4, 12, "\032\002\010\001");
}

static bool looks_like_tar(const unsigned char *p, size_t n) {
    enum { MAGIC_AT = 257 };
    return n > MAGIC_AT + 5 && memcmp(p + MAGIC_AT, "ustar", 5) == 0;
}

static bool looks_like_pieces(const unsigned char *p, size_t n) {
    return n > 8 && p[0] == '\n' && p[1] < 32 && has_word(p, n < 64 ? n : 64, "<unk>");
}

static const format_t *json_kind(const unsigned char *p, size_t n) {
    size_t i = 0;
    while (i < n && p[i] && strchr(" \t\r\n", p[i])) i++;
    if (i == n || p[i] != '{') return NULL;
    for (i++; i < n && p[i] && strchr(" \t\r\n", p[i]);) i++;
    if (i == n || (p[i] != '"' && p[i] != '}')) return NULL; /* text in braces */
    bool map = has_word(p, n, "\"weight_map\"") ||
               (has_word(p, n, "\"metadata\"") && has_word(p, n, "\"total_size\""));
    if (map) return &weights_index;
    return has_word(p, n, "\"added_tokens\"") ? &tokenizer : &json;
}

/* A header's length may read as a short magic: 896 bytes are those of a pickle. */
static const format_t *format_of(const unsigned char *p, size_t n) {
    const format_t *archive = zip_kind(p, n);
    if (looks_like_safetensors(p, n)) return &safetensors;
    if (looks_like_pickle(p, n)) return &pickle;
    if (archive) return archive;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (n >= formats[i].n && memcmp(p, formats[i].magic, formats[i].n) == 0) return &formats[i];
    if (looks_like_pieces(p, n)) return &pieces;
    if (looks_like_flax(p, n)) return &flax;
    if (looks_like_tensorflow(p, n)) return &tensorflow;
    if (looks_like_tar(p, n)) return &tar;
    return json_kind(p, n);
}

/* Valid UTF-8 without control characters, but for a character that is cut at the end. */
static bool looks_like_text(const char *p, size_t n) {
    const char *end = p + n;
    while (p < end) {
        size_t c = utf8_char(p, end);
        if (c == 0) return end - p < 4 && end - p < (long)n;
        if (c == 1 && (iscntrl((unsigned char)*p) && !isspace((unsigned char)*p))) return false;
        p += c;
    }
    return n > 0;
}

/* ---- what to do ------------------------------------------------------------------------------ */

void format_pickle_hint(diag_t *d, const char *file) {
    diag_hint(d,
              "convert it: in Python, safetensors.torch.save_file({k: v.clone() for k, v in "
              "torch.load(\"%s\", map_location=\"cpu\").items()}, \"model.safetensors\")",
              file);
}

static void npz_hint(diag_t *d, const char *file) {
    diag_hint(d,
              "tensors come as safetensors: in Python, safetensors.numpy.save_file("
              "dict(numpy.load(\"%s\")), \"in.safetensors\")",
              file);
}

static void numpy_hint(diag_t *d, const char *file) {
    diag_hint(d,
              "tensors come as safetensors: in Python, safetensors.numpy.save_file({\"input_ids\": "
              "numpy.load(\"%s\")}, \"in.safetensors\")",
              file);
}

/* What needs no name of a file. transformers has no Reformer but PyTorch's. */
static const char *const hints[] = {
    [HINT_LFS] = "the file itself was not downloaded: git lfs pull brings it",
    [HINT_INDEX] = "it stands for weights: --weights takes it; the model is its folder",
    [HINT_DOWNLOAD] = "the download got a page about the file instead of the file",
    [HINT_FOREIGN] =
        "only safetensors are read: write its arrays, under the names and in the shapes "
        "of transformers' PyTorch Reformer, with safetensors.numpy.save_file",
    [HINT_TABLE] = "write the text out: in Python, open(\"text.txt\", \"w\").write(\"\\n\".join("
                   "table[\"text\"]))",
    [HINT_UNPACK] = "unpack it first",
    [HINT_UTF16] = "in UTF-8 it is read: iconv -f UTF-16 -t UTF-8",
    [HINT_PIECES] = "it tells how text becomes ids: --set compile.text=sentencepiece:FILE",
    [HINT_TOKENIZER] = "it is not read; the SentencePiece model that it was made from is "
                       "(spiece.model, tokenizer.model)",
};

static void give_hint(const char *path, hint_t hint, diag_t *d) {
    const char *file = file_name(path);
    if (hint == HINT_PICKLE) format_pickle_hint(d, file);
    else if (hint == HINT_NUMPY) numpy_hint(d, file);
    else if (hint == HINT_NPZ) npz_hint(d, file);
    else if (hint != HINT_NONE) diag_hint(d, "%s", hints[hint]);
}

static bool fits(const format_t *f, format_want_t want) {
    switch (want) {
    case WANT_SAFETENSORS: return f == &safetensors;
    case WANT_SPEC: return f == &json || f == &text;
    case WANT_TEXT:
    case WANT_BYTES: return f->class == WRITING && f->hint == HINT_NONE;
    case WANT_PIECES: return f == &pieces;
    case WANT_TUNING:
    case WANT_RECORD: return f == &text;
    }
    return true;
}

/* Text that is something else too is read, and so are the bytes of an archive by who reads
 * bytes: they may be meant. */
static bool goes_on(const format_t *f, format_want_t want) {
    if (f->class == WRITING) return want == WANT_TEXT || want == WANT_BYTES;
    return f->class == ARCHIVE && want == WANT_BYTES;
}

bool format_fits(const char *path, const void *begin, size_t n, format_want_t want, diag_t *d) {
    static const char *const wanted[] = {[WANT_SAFETENSORS] = "safetensors",
                                         [WANT_SPEC] = "a spec (YAML or a config.json)",
                                         [WANT_TEXT] = "text",
                                         [WANT_BYTES] = "text",
                                         [WANT_PIECES] = "a SentencePiece model",
                                         [WANT_TUNING] = "a file of tuning",
                                         [WANT_RECORD] = "the record of a sweep"};
    if (n > FORMAT_BYTES) n = FORMAT_BYTES;
    const format_t *f = format_of(begin, n);
    if (!f && looks_like_text(begin, n)) f = &text;
    if (!f || fits(f, want)) return true;
    bool taken = goes_on(f, want);
    if (taken)
        diag_warning(d, IN_FILE(path), "is %s; its %s", f->what,
                     f->class == WRITING ? "text is read as it stands"
                                         : "bytes are read as they are");
    else diag_error(d, IN_FILE(path), "is %s, not %s", f->what, wanted[want]);
    bool tensors = want == WANT_SAFETENSORS || want == WANT_SPEC; /* how to make some of it */
    if (f->class != NUMBERS || f->hint == HINT_TABLE || tensors) give_hint(path, f->hint, d);
    return taken;
}

/* ---- checkpoint folders --- */

static const char *inside(arena_t *a, const char *folder, const char *name) {
    size_t n = strlen(folder);
    return arena_printf(a, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name);
}

bool folder_weights(arena_t *a, const char *folder, const char **weights, diag_t *d) {
    static const char *const read[] = {"model.safetensors", "model.safetensors.index.json"};
    static const struct {
        const char *name;
        hint_t hint;
    } other[] = {{"pytorch_model.bin", HINT_PICKLE},   {"pytorch_model.bin.index.json", HINT_NONE},
                 {"flax_model.msgpack", HINT_FOREIGN}, {"tf_model.h5", HINT_FOREIGN},
                 {"model.ckpt.index", HINT_FOREIGN},   {"model.ckpt", HINT_FOREIGN},
                 {"model.gguf", HINT_FOREIGN},         {"model.onnx", HINT_FOREIGN}};
    *weights = NULL;
    for (int i = 0; i < 2 && !*weights; i++)
        if (file_exists(inside(a, folder, read[i]))) *weights = inside(a, folder, read[i]);
    if (*weights) return true;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        if (!file_exists(inside(a, folder, other[i].name))) continue;
        diag_error(d, IN_FILE(folder), "holds %s but no model.safetensors", other[i].name);
        if (other[i].hint) give_hint(other[i].name, other[i].hint, d);
        else
            diag_hint(d, "convert it: in Python, AutoModel.from_pretrained(DIR)"
                         ".save_pretrained(DIR), with the class of the model's head");
        return false;
    }
    return true;
}

const char *folder_pieces(arena_t *a, const char *folder, bool *only_json) {
    static const char *const names[] = {"spiece.model", "tokenizer.model",
                                        "sentencepiece.bpe.model"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (file_exists(inside(a, folder, names[i]))) return names[i];
    *only_json = file_exists(inside(a, folder, "tokenizer.json"));
    return NULL;
}
