/* What a spec says of text, and where the files stand that it names. In: a spec, a key's
 * value. Out: a kind, a path. */
#include <string.h>

#include "spec/spec.h"
#include "support/file.h"
#include "support/sbuf.h"

text_kind_t spec_text_kind(const spec_t *s, int64_t vocab) {
    if (s->compile.text != TEXT_UNSET) return s->compile.text;
    return vocab == TEXT_BYTE_VOCABULARY ? TEXT_BYTES : TEXT_UNSET;
}

char *spec_file_path(const spec_t *s, spec_key_t key, const char *name) {
    const char *slash = is_directory(s->path) ? s->path + strlen(s->path) : strrchr(s->path, '/');
    const char *from = s->at[key].file;
    bool set = from && strncmp(from, "--set", 5) == 0, option = from && *from == '-' && !set;
    sbuf_t path = {0};
    if (*name != '/' && slash && !option)
        sbuf_printf(&path, "%.*s/", (int)(slash - s->path), s->path);
    sbuf_puts(&path, name);
    if (!set || file_exists(path.data) || !file_exists(name)) return path.data;
    sbuf_free(&path);
    sbuf_puts(&path, name);
    return path.data;
}

char *text_model_path(const spec_t *s) {
    return spec_file_path(s, KEY_compile_text, s->compile.sentencepiece);
}
