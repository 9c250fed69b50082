/* reformerc schema: the table of spec keys, for editors, readers and fuzzers. */
#include <string.h>

#include "cli/help.h"
#include "commands/commands.h"

int command_schema(const options_t *o, diag_t *d) {
    static const struct {
        const char *name;
        void (*print)(sbuf_t *out);
    } formats[] = {{"json", spec_json_schema},
                   {"markdown", spec_reference_page},
                   {"dictionary", spec_fuzz_dictionary}};
    const char *name = o->given[OPT_FORMAT] ? o->text[OPT_FORMAT] : "json";
    sbuf_t out = {0};
    if (o->given[OPT_HELP]) options_help(o->commands, o->command, &out);
    for (size_t i = 0; !o->given[OPT_HELP] && i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(name, formats[i].name) == 0) formats[i].print(&out);
    if (!out.data) {
        diag_error(d, IN_FILE("--format"), "'%s' is not one of json, markdown, dictionary", name);
        return EXIT_VALUE;
    }
    int code = print_out(&out, d) ? 0 : EXIT_VALUE;
    sbuf_free(&out);
    return code;
}
