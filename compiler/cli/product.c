/* The version, and what a product adds to its compile and link line, as a shell reads it. */
#include "cli/product.h"

#include <string.h>

#include "emit/llvm.h"
#include "support/install.h"

const char *program_version(void) {
    return REFORMERC_PROGRAM_VERSION;
}

void product_version(sbuf_t *out) {
    sbuf_printf(out, "reformerc %s (%s%s)\n", program_version(),
                llvm_version() ? "LLVM " : "no LLVM", llvm_version() ? llvm_version() : "");
}

/* One word of a shell line: quoted where it needs to be. */
static void put_word(sbuf_t *out, const char *prefix, const char *path) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+=:@%,";
    sbuf_puts(out, prefix);
    if (strspn(path, plain) == strlen(path)) {
        sbuf_puts(out, path);
        return;
    }
    sbuf_puts(out, "'");
    for (const char *p = path; *p; p++) sbuf_printf(out, *p == '\'' ? "'\\''" : "%c", *p);
    sbuf_puts(out, "'");
}

void product_cflags(sbuf_t *out) {
    install_t i = install_find();
    put_word(out, "-I", i.include);
    sbuf_puts(out, "\n");
}

void product_libs(sbuf_t *out) {
    install_t i = install_find();
    put_word(out, "", i.library);
    sbuf_printf(out, "%s%s\n", *i.link_flags ? " " : "", i.link_flags);
}
