/* Files by their first bytes (format.h). */
#include "support/format.h"

#include <stdint.h>
#include <string.h>

#include "support/file.h"

typedef enum { HINT_NONE, HINT_PICKLE, HINT_NUMPY, HINT_LFS, HINT_INDEX, HINT_DOWNLOAD } hint_t;

typedef struct {
    const char *magic;
    size_t n;
    const char *what;
    hint_t hint;
    bool text; /* reads as text: a spec cannot be it, a text may */
} format_t;

#define MAGIC(text) text, sizeof text - 1

static const format_t formats[] = {
    {MAGIC("PK\003\004"), "a zip archive, perhaps a PyTorch checkpoint", HINT_PICKLE, false},
    {MAGIC("\200\002"), "a Python pickle, perhaps a PyTorch checkpoint", HINT_PICKLE, false},
    {MAGIC("\200\003"), "a Python pickle, perhaps a PyTorch checkpoint", HINT_PICKLE, false},
    {MAGIC("\200\004"), "a Python pickle, perhaps a PyTorch checkpoint", HINT_PICKLE, false},
    {MAGIC("\200\005"), "a Python pickle, perhaps a PyTorch checkpoint", HINT_PICKLE, false},
    {MAGIC("\223NUMPY"), "a NumPy array (.npy)", HINT_NUMPY, false},
    {MAGIC("GGUF"), "a GGUF file, of llama.cpp", HINT_NONE, false},
    {MAGIC("\211HDF\r\n\032\n"), "an HDF5 file, perhaps of TensorFlow", HINT_NONE, false},
    {MAGIC("RFMWGT\x1a\n"), "a packed weights file of reformerc", HINT_NONE, false},
    {MAGIC("\177ELF"), "an object file, library or program (ELF)", HINT_NONE, false},
    {MAGIC("\037\213"), "a gzip archive", HINT_NONE, false},
    {MAGIC("\375"
           "7zXZ"),
     "an xz archive", HINT_NONE, false},
    {MAGIC("\050\265\057\375"), "a zstd archive", HINT_NONE, false},
    {MAGIC("version https://git-lfs"), "a Git LFS pointer", HINT_LFS, true},
    {MAGIC("<!DOCTYPE"), "a web page", HINT_DOWNLOAD, true},
    {MAGIC("<!doctype"), "a web page", HINT_DOWNLOAD, true},
    {MAGIC("<html"), "a web page", HINT_DOWNLOAD, true},
};
static const format_t safetensors = {MAGIC(""), "a safetensors file", HINT_NONE, false};
static const format_t weights_index = {MAGIC(""), "an index of weights in several files",
                                       HINT_INDEX, true};
static const format_t json = {MAGIC(""), "JSON", HINT_NONE, true};
static const format_t pieces = {MAGIC(""), "a SentencePiece model", HINT_NONE, false};

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

static const format_t *json_kind(const unsigned char *p, size_t n) {
    size_t i = 0;
    while (i < n && p[i] && strchr(" \t\r\n", p[i])) i++;
    if (i == n || p[i] != '{') return NULL;
    for (i++; i < n && p[i] && strchr(" \t\r\n", p[i]);) i++;
    if (i == n || (p[i] != '"' && p[i] != '}')) return NULL; /* text in braces */
    bool map = has_word(p, n, "\"weight_map\"") ||
               (has_word(p, n, "\"metadata\"") && has_word(p, n, "\"total_size\""));
    return map ? &weights_index : &json;
}

/* A header's length may read as a short magic: 896 bytes are those of a pickle. */
static const format_t *format_of(const unsigned char *p, size_t n) {
    if (looks_like_safetensors(p, n)) return &safetensors;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (n >= formats[i].n && memcmp(p, formats[i].magic, formats[i].n) == 0) return &formats[i];
    if (n > 8 && p[0] == '\n' && p[1] < 32 && has_word(p, n < 64 ? n : 64, "<unk>")) return &pieces;
    return json_kind(p, n);
}

static bool fits(const format_t *f, format_want_t want) {
    switch (want) {
    case WANT_SAFETENSORS: return f == &safetensors;
    case WANT_SPEC: return f == &json;
    case WANT_TEXT: return f->text;
    case WANT_PIECES: return f == &pieces;
    }
    return true;
}

void format_pickle_hint(diag_t *d, const char *file) {
    diag_hint(d,
              "convert it: in Python, safetensors.torch.save_file({k: v.clone() for k, v in "
              "torch.load(\"%s\", map_location=\"cpu\").items()}, \"model.safetensors\")",
              file);
}

static void give_hint(const char *path, hint_t hint, diag_t *d) {
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    switch (hint) {
    case HINT_NONE: return;
    case HINT_PICKLE: format_pickle_hint(d, file); return;
    case HINT_NUMPY:
        diag_hint(
            d,
            "tensors come as safetensors: in Python, safetensors.numpy.save_file({\"input_ids\": "
            "numpy.load(\"%s\")}, \"in.safetensors\")",
            file);
        return;
    case HINT_LFS:
        diag_hint(d, "the file itself was not downloaded: git lfs pull brings it");
        return;
    case HINT_INDEX:
        diag_hint(d, "it stands for weights: --weights takes it; the model is its folder");
        return;
    case HINT_DOWNLOAD:
        diag_hint(d, "the download got a page about the file instead of the file");
        return;
    }
}

bool format_fits(const char *path, const void *begin, size_t n, format_want_t want, diag_t *d) {
    static const char *const wanted[] = {"safetensors", "a spec (YAML or a config.json)", "text",
                                         "a SentencePiece model"};
    const format_t *f = format_of(begin, n < FORMAT_BYTES ? n : FORMAT_BYTES);
    if (!f || fits(f, want)) return true;
    diag_error(d, IN_FILE(path), "is %s, not %s", f->what, wanted[want]);
    give_hint(path, f->hint, d);
    return false;
}

/* ---- checkpoint folders --- */

static const char *inside(arena_t *a, const char *folder, const char *name) {
    size_t n = strlen(folder);
    return arena_printf(a, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name);
}

bool folder_weights(arena_t *a, const char *folder, const char **weights, diag_t *d) {
    static const char *const read[] = {"model.safetensors", "model.safetensors.index.json"};
    static const char *const other[] = {"pytorch_model.bin", "pytorch_model.bin.index.json"};
    *weights = NULL;
    for (int i = 0; i < 2 && !*weights; i++)
        if (file_exists(inside(a, folder, read[i]))) *weights = inside(a, folder, read[i]);
    if (*weights) return true;
    for (int i = 0; i < 2; i++) {
        if (!file_exists(inside(a, folder, other[i]))) continue;
        diag_error(d, IN_FILE(folder), "holds %s but no model.safetensors", other[i]);
        if (i == 0) format_pickle_hint(d, other[i]);
        else
            diag_hint(d, "convert it: in Python, AutoModel.from_pretrained(DIR)"
                         ".save_pretrained(DIR), with the class of the model's head");
        return false;
    }
    return true;
}
