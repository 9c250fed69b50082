/* The linking of link.h: in a private temporary folder, so that nothing half-made stands where the
 * library will. The runtime comes along and stays hidden: a product needs the library and the
 * headers, and several models live side by side in it. */
#include "commands/translate/link.h"

#include <unistd.h>

#include "exec/cc.h" /* cc_words */
#include "support/file.h"
#include "support/heap.h"
#include "support/install.h"
#include "support/process.h"

enum { MORE = 24 };

static bool run_linker(arena_t *a, const char *cc, const char *object, const char *library,
                       diag_t *d) {
    const char *argv[CC_MAX_WORDS + MORE] = {0};
    install_t i = install_find();
    int n = cc_words(a, cc, argv, d);
    if (n == 0) return false;
    argv[n++] = "-shared";
    argv[n++] = "-o";
    argv[n++] = library;
    argv[n++] = object;
    argv[n++] = i.library;
    argv[n++] = "-Wl,--exclude-libs,ALL";
    argv[n++] = "-Wl,-z,defs"; /* whatever is missing is found now, not by the product */
    process_words(a, i.link_flags, argv + n, CC_MAX_WORDS + MORE - 1 - n);
    sbuf_t said = {0};
    bool ok = process_must(a, argv, "the C compiler, as linker,",
                           "--cc PROG, or the variable CC, names another one", &said, d);
    sbuf_free(&said);
    return ok;
}

static bool read_library(const char *path, sbuf_t *library, diag_t *d) {
    size_t n = 0;
    char *data = file_read(path, 0, &n, d);
    if (data) sbuf_write(library, data, n);
    heap_free(data);
    return data != NULL;
}

bool link_library(arena_t *a, const char *cc, const sbuf_t *object, sbuf_t *library, diag_t *d) {
    const char *folder = temporary_folder(a, "to link in", d);
    if (!folder) return false;
    const char *in = arena_printf(a, "%s/model.o", folder);
    const char *out = arena_printf(a, "%s/model.so", folder);
    bool ok = file_write(in, object->data, object->size, d) && run_linker(a, cc, in, out, d) &&
              read_library(out, library, d);
    (void)unlink(in);
    (void)unlink(out);
    temporary_folder_end(folder);
    return ok;
}
