/* reformerc help [COMMAND]: as --help says it, or in a form that others read. */
#include <stdio.h>
#include <string.h>

#include "cli/help.h"
#include "commands/commands.h"
#include "commands/help/manual.h"

static void put_plain(const command_t *all, const command_t *c, sbuf_t *out) {
    if (*c->name) options_help(all, c, out);
    else help_overview(all, out);
}

static void put_commands(const command_t *all, const command_t *c, sbuf_t *out) {
    (void)c;
    for (const command_t *one = all + 1; one->run; one++) sbuf_printf(out, "%s\n", one->name);
}

static void put_bash(const command_t *all, const command_t *c, sbuf_t *out) {
    (void)c;
    completion_bash(all, out);
}

static void put_zsh(const command_t *all, const command_t *c, sbuf_t *out) {
    (void)c;
    completion_zsh(all, out);
}

static void put_fish(const command_t *all, const command_t *c, sbuf_t *out) {
    (void)c;
    completion_fish(all, out);
}

static const struct {
    const char *name;
    bool of_command; /* not of the whole program alone */
    void (*put)(const command_t *all, const command_t *c, sbuf_t *out);
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
    const command_t *c = o->model ? command_find(o->commands, o->model) : o->commands;
    if (!c) {
        fprintf(stderr, "reformerc: error: '%s' is not a command\n    see: reformerc --help\n",
                o->model);
        return EXIT_USAGE;
    }
    int format = find_format(o, d);
    if (format < 0) return EXIT_VALUE;
    sbuf_t out = {0};
    formats[format].put(o->commands, c, &out);
    int code = print_out(&out, d) ? 0 : EXIT_VALUE;
    sbuf_free(&out);
    return code;
}
