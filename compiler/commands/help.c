/* reformerc help [COMMAND], --help, --version. */
#include "commands/options.h"
#include "commands/product.h"
#include "emit/llvm.h"

void product_version(sbuf_t *out) {
    sbuf_printf(out, "reformerc %s (%s%s)\n", REFORMERC_VERSION,
                llvm_version() ? "LLVM " : "no LLVM", llvm_version() ? llvm_version() : "");
}

void help_overview(sbuf_t *out) {
    size_t n;
    const command_t *c = command_table(&n);
    sbuf_puts(out, "A compiler for Reformer models.\n\nUsage:\n");
    for (size_t i = 0; i < n; i++) {
        sbuf_puts(out, "  ");
        options_usage(&c[i], out);
        sbuf_printf(out, "\n        %s\n", c[i].summary);
    }
    sbuf_puts(
        out,
        "\nMODEL is a spec (YAML), a Hugging Face config.json, a checkpoint folder (which brings its\n"
        "weights), a .graph file, as -o FILE.graph writes it, or '-' for a spec or a graph on stdin.\n"
        "Exit: 0 ok; 1 a bad value in a spec, file, tensor or option, or too little memory; 2 usage;\n"
        "70 a defect of reformerc.\n\n");
    options_help(&c[0], out);
    sbuf_puts(
        out,
        "\nThe options of a command: reformerc COMMAND --help. The keys of a spec: --help-spec.\n"
        "The compile cache: $REFORMERC_CACHE, else $XDG_CACHE_HOME/reformerc, else\n"
        "~/.cache/reformerc.\n");
}

int command_help(const options_t *o, diag_t *d) {
    sbuf_t out = {0};
    const command_t *c = o->model ? command_find(o->model) : NULL;
    if (o->model && !c) {
        fprintf(stderr, "reformerc: error: '%s' is not a command\n    see: reformerc --help\n",
                o->model);
        return EXIT_USAGE;
    }
    if (c) options_help(c, &out);
    else help_overview(&out);
    int code = print_out(&out, d) ? 0 : EXIT_VALUE;
    sbuf_free(&out);
    return code;
}
