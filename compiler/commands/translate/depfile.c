/* The text of depfile.h: one rule, the first output before the colon, as compilers
 * write it with -MMD.
 *
 * Make knows no quotes: blanks are escaped by a backslash, and backslashes before them too; '#' and
 * ':' likewise; '$' is doubled; '%' means something in a target alone. A line break
 * cannot be written at all. */
#include "commands/translate/depfile.h"

#include <string.h>

bool depfile_check(const options_t *o, diag_t *d) {
    const char *out = o->text[OPT_OUTPUT], *depfile = o->text[OPT_DEPFILE];
    if (!o->given[OPT_DEPFILE]) return true;
    if (out && strcmp(out, "-") != 0 && strcmp(out, depfile) != 0) return true;
    diag_error(d, IN_FILE("--depfile"),
               "says what a file is made of: -o FILE, another one than this");
    return false;
}

static void put_name(const char *name, bool target, sbuf_t *out) {
    size_t slashes = 0;
    for (const char *c = name; *c; c++) {
        if (*c == ' ' || *c == '\t')
            for (size_t i = 0; i <= slashes; i++) sbuf_puts(out, "\\");
        else if (*c == '#' || *c == ':' || (target && *c == '%')) sbuf_puts(out, "\\");
        else if (*c == '$') sbuf_puts(out, "$");
        sbuf_write(out, c, 1);
        slashes = *c == '\\' ? slashes + 1 : 0;
    }
}

static bool fits(const options_t *o, const char *name, diag_t *d) {
    if (strcmp(name, o->text[OPT_DEPFILE]) == 0)
        diag_error(d, IN_FILE(name), "is read, and --depfile would write over it");
    else if (strchr(name, '\n'))
        diag_error(d, IN_FILE(name), "has a line break in its name, which no --depfile can hold");
    else return true;
    return false;
}

bool depfile_put(const options_t *o, diag_t *d, sbuf_t *out) {
    if (!fits(o, o->text[OPT_OUTPUT], d)) return false;
    put_name(o->text[OPT_OUTPUT], true, out);
    sbuf_puts(out, ":");
    for (size_t i = 0; diag_input(d, i); i++) {
        if (!fits(o, diag_input(d, i), d)) return false;
        sbuf_puts(out, " \\\n  ");
        put_name(diag_input(d, i), false, out);
    }
    sbuf_puts(out, "\n");
    return true;
}
