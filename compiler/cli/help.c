/* reformerc help [COMMAND], --help, --version. */
#include <string.h>

#include "cli/manual.h"
#include "cli/product.h"
#include "emit/llvm.h"

const char help_title[] = "A compiler for Reformer models.";
const char help_model[] =
    "MODEL is a spec (YAML), a Hugging Face config.json, a checkpoint folder (which brings its\n"
    "weights), a .graph file, as -o FILE.graph writes it, or '-' for a spec or a graph on stdin.\n";
const char help_exit[] =
    "Exit: 0 ok; 1 a bad value in a spec, file, tensor or option, or too little memory; 2 usage;\n"
    "70 a defect of reformerc.\n";
const char help_cache[] =
    "The compile cache: $REFORMERC_CACHE, else $XDG_CACHE_HOME/reformerc, else\n"
    "~/.cache/reformerc.\n";

const char *program_version(void) {
    return REFORMERC_PROGRAM_VERSION;
}

void product_version(sbuf_t *out) {
    sbuf_printf(out, "reformerc %s (%s%s)\n", program_version(),
                llvm_version() ? "LLVM " : "no LLVM", llvm_version() ? llvm_version() : "");
}

void help_overview(sbuf_t *out) {
    size_t n;
    const command_t *c = command_table(&n);
    sbuf_printf(out, "%s\n\nUsage:\n", help_title);
    for (size_t i = 0; i < n; i++) {
        sbuf_puts(out, "  ");
        options_usage(&c[i], out);
        sbuf_printf(out, "\n        %s\n", c[i].summary);
    }
    sbuf_printf(out, "\n%s%s\n", help_model, help_exit);
    options_help(&c[0], out);
    sbuf_printf(
        out,
        "\nThe options of a command: reformerc COMMAND --help. The keys of a spec: --help-spec.\n%s",
        help_cache);
}

/* ---- help ---------------------------------------------------------------------------------------- */

static void put_plain(const command_t *c, sbuf_t *out) {
    if (*c->name) options_help(c, out);
    else help_overview(out);
}

static void put_commands(const command_t *c, sbuf_t *out) {
    size_t n;
    const command_t *all = command_table(&n);
    (void)c;
    for (size_t i = 1; i < n; i++) sbuf_printf(out, "%s\n", all[i].name);
}

static void put_bash(const command_t *c, sbuf_t *out) {
    (void)c;
    completion_bash(out);
}

static void put_zsh(const command_t *c, sbuf_t *out) {
    (void)c;
    completion_zsh(out);
}

static void put_fish(const command_t *c, sbuf_t *out) {
    (void)c;
    completion_fish(out);
}

static const struct {
    const char *name;
    bool of_command; /* not of the whole program alone */
    void (*put)(const command_t *c, sbuf_t *out);
} formats[] = {{"text", true, put_plain},         {"man", true, manual_page},
               {"commands", false, put_commands}, {"bash", false, put_bash},
               {"zsh", false, put_zsh},           {"fish", false, put_fish}};
enum { N_FORMATS = sizeof formats / sizeof *formats };

/* The row of `formats`, or -1 after an error. */
static int find_format(const options_t *o, diag_t *d) {
    const char *name = o->given[OPT_HELP_FORMAT] ? o->text[OPT_HELP_FORMAT] : "text";
    for (int i = 0; i < N_FORMATS; i++) {
        if (strcmp(formats[i].name, name) != 0) continue;
        if (formats[i].of_command || !o->model) return i;
        diag_error(d, IN_FILE("--format"), "%s is of all commands together", name);
        diag_hint(d, "without '%s'", o->model);
        return -1;
    }
    diag_error(d, IN_FILE("--format"), "'%s' is not one of text, man, commands, bash, zsh, fish",
               name);
    return -1;
}

int command_help(const options_t *o, diag_t *d) {
    if (o->given[OPT_HELP]) return print_command_help(o, d);
    const command_t *c = o->model ? command_find(o->model) : command_table(&(size_t){0});
    if (!c) {
        fprintf(stderr, "reformerc: error: '%s' is not a command\n    see: reformerc --help\n",
                o->model);
        return EXIT_USAGE;
    }
    int format = find_format(o, d);
    if (format < 0) return EXIT_VALUE;
    sbuf_t out = {0};
    formats[format].put(c, &out);
    int code = print_out(&out, d) ? 0 : EXIT_VALUE;
    sbuf_free(&out);
    return code;
}
