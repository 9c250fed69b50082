/* What the program says about itself on --help: all of it, or one command with its options. */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

const char help_title[] = "A compiler for Reformer models.";
const char help_model[] =
    "MODEL is a spec (YAML), a Hugging Face config.json, a checkpoint folder (which brings its\n"
    "weights), a .graph file, as -o FILE.graph writes it, or '-' for a spec or a graph on stdin.\n";
const char help_exit[] =
    "Exit: 0 ok; 1 a bad value in a spec, file, tensor or option, or too little memory; 2 usage;\n"
    "70 a defect of reformerc.\n";
const char help_cache[] =
    "The compile cache: $REFORMERC_CACHE, else $XDG_CACHE_HOME/reformerc, else\n"
    "~/.cache/reformerc; of $REFORMERC_CACHE_SIZE bytes at most, such as 512M, else 1 GiB.\n";

/* Words of `text` from column `indent` on, at most 100 columns. */
static void wrap(sbuf_t *out, int indent, const char *text) {
    int column = indent;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " ");
        if (column > indent && column + (int)n >= 100) {
            sbuf_printf(out, "\n%*s", indent, "");
            column = indent;
        }
        sbuf_printf(out, "%s%.*s", column > indent ? " " : "", (int)n, p);
        column += (int)n + 1;
        p += n + (p[n] == ' ');
    }
    sbuf_puts(out, "\n");
}

/* The end of the part of a doc that begins at `p`: a semicolon outside of brackets, or the end. */
static const char *part_end(const char *p) {
    for (int depth = 0; *p; p++) {
        depth += (*p == '(' || *p == '[') - (*p == ')' || *p == ']');
        if (depth == 0 && p[0] == ';' && p[1] == ' ') break;
    }
    return p;
}

/* Names of commands at the start of a part: the text behind "run, eval: ", with *is_for, whether
 * `c` is one of them. The part itself where it begins with anything else. */
static const char *part_text(const char *part, const command_t *commands, const command_t *c,
                             bool *is_for) {
    *is_for = false;
    for (const char *p = part;;) {
        size_t n = strcspn(p, ",: ");
        const command_t *named = commands; /* "-o" */
        if (n != 2 || strncmp(p, "-o", 2) != 0)
            for (named++; named->run; named++)
                if (strlen(named->name) == n && strncmp(named->name, p, n) == 0) break;
        if (!named->run) break;
        *is_for |= named == c;
        if (strncmp(p + n, ": ", 2) == 0) return p + n + 2;
        if (strncmp(p + n, ", ", 2) != 0) break;
        p += n + 2;
    }
    *is_for = true;
    return part;
}

void option_doc(const option_row_t *row, const command_t *commands, const command_t *c,
                sbuf_t *out) {
    size_t before = out->size;
    for (const char *part = row->doc, *end; *part; part = end + (*end ? 2 : 0)) {
        bool is_for;
        end = part_end(part);
        const char *text = part_text(part, commands, c, &is_for);
        if (is_for)
            sbuf_printf(out, "%s%.*s", out->size > before ? "; " : "", (int)(end - text), text);
    }
}

void options_usage(const command_t *c, sbuf_t *out) {
    sbuf_puts(out, "reformerc");
    if (*c->name) sbuf_printf(out, " %s", c->name);
    if (*c->usage) sbuf_printf(out, " %s", c->usage);
}

void options_help(const command_t *commands, const command_t *c, sbuf_t *out) {
    enum { INDENT = 30 };
    options_usage(c, out);
    sbuf_printf(out, "\n    %s\n", c->summary);
    for (int i = 0; i < OPT_COUNT; i++) {
        if (!(option_rows[i].commands & c->mask)) continue;
        char head[64], letter[8] = "    ";
        if (option_rows[i].letter) snprintf(letter, sizeof letter, "-%c, ", option_rows[i].letter);
        int n = snprintf(head, sizeof head, "  %s--%s%s%s", letter, option_rows[i].name,
                         option_rows[i].argument ? " " : "",
                         option_rows[i].argument ? option_rows[i].argument : "");
        sbuf_printf(out, "%s%*s", head, n < INDENT ? INDENT - n : 1, "");
        sbuf_t doc = {0};
        option_doc(&option_rows[i], commands, c, &doc);
        wrap(out, INDENT, doc.data);
        sbuf_free(&doc);
    }
}

int print_command_help(const options_t *o, diag_t *d) {
    sbuf_t out = {0};
    options_help(o->commands, o->command, &out);
    if (strcmp(o->command->name, "cache") == 0) sbuf_printf(&out, "\n%s", help_cache);
    int code = print_out(&out, d) ? 0 : EXIT_VALUE;
    sbuf_free(&out);
    return code;
}

void help_overview(const command_t *commands, sbuf_t *out) {
    sbuf_printf(out, "%s\n\nUsage:\n", help_title);
    for (const command_t *c = commands; c->run; c++) {
        sbuf_puts(out, "  ");
        options_usage(c, out);
        sbuf_printf(out, "\n        %s\n", c->summary);
    }
    sbuf_printf(out, "\n%s%s\n", help_model, help_exit);
    options_help(commands, commands, out);
    sbuf_printf(
        out,
        "\nThe options of a command: reformerc COMMAND --help. The keys of a spec: --help-spec.\n%s",
        help_cache);
}
