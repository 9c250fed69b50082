/* Regions of a target: what lies in between is compiled for it. */
#include "emit/c_int.h"

/* What gcc calls them. Of arm "+bf16+i8mm" behind the first architecture that may have them: gcc 12
 * passes them on to the assembler, which refuses usdot for an older one. */
static void put_gcc_features(const target_t *t, sbuf_t *out) {
    const char *p = target_features[t->id];
    if (!target_is_arm(t)) {
        sbuf_puts(out, p);
        return;
    }
    sbuf_puts(out, "arch=armv8.2-a+");
    for (; *p; p++) sbuf_printf(out, "%c", *p == ',' ? '+' : *p);
}

void put_target_open(const target_t *t, sbuf_t *out) {
    if (!target_features[t->id]) return;
    sbuf_printf(out,
                "#ifdef __clang__\n"
                "#pragma clang attribute push(__attribute__((target( \\\n"
                "    \"%s\"))), apply_to = function)\n"
                "#else\n"
                "#pragma GCC push_options\n"
                "#pragma GCC target(\"",
                target_features[t->id]);
    put_gcc_features(t, out);
    sbuf_puts(out, "\")\n#endif\n");
}

void put_target_close(const target_t *t, sbuf_t *out) {
    if (!target_features[t->id]) return;
    sbuf_puts(out, "#ifdef __clang__\n#pragma clang attribute pop\n#else\n"
                   "#pragma GCC pop_options\n#endif\n");
}
