/* Pages of man 1, in troff's man macros: reformerc(1), and one of each command. No date stands in
 * them: the same program prints the same page. */
#include "commands/help/manual.h"

#include <ctype.h>
#include <string.h>

#include "cli/help.h"
#include "cli/product.h"

/* Text as troff takes it: dashes that can be copied, no line that reads as a
 * request, `code` in bold. */
static void put_text(sbuf_t *out, const char *text) {
    bool line_start = true, code = false;
    for (const char *p = text; *p; p++) {
        if (line_start && (*p == '.' || *p == '\'')) sbuf_puts(out, "\\&");
        line_start = *p == '\n';
        switch (*p) {
        case '\\': sbuf_puts(out, "\\e"); break;
        case '-': sbuf_puts(out, "\\-"); break;
        case '`': sbuf_puts(out, (code = !code) ? "\\fB" : "\\fR"); break;
        default: sbuf_write(out, p, 1);
        }
    }
}

static void put_line(sbuf_t *out, const char *before, const char *text, const char *behind) {
    sbuf_puts(out, before);
    put_text(out, text);
    sbuf_puts(out, behind);
}

static void put_paragraph(sbuf_t *out, const char *text) {
    put_line(out, ".PP\n", text, text[strlen(text) - 1] == '\n' ? "" : "\n");
}

static void put_option(sbuf_t *out, const command_t *all, const command_t *c,
                       const option_row_t *row) {
    sbuf_t doc = {0};
    option_doc(row, all, c, &doc);
    sbuf_puts(out, ".TP\n");
    if (row->letter) sbuf_printf(out, "\\fB\\-%c\\fR, ", row->letter);
    put_line(out, "\\fB\\-\\-", row->name, "\\fR");
    if (row->argument) put_line(out, " \\fI", row->argument, "\\fR");
    put_line(out, "\n", doc.data, "\n");
    sbuf_free(&doc);
}

static void put_options(sbuf_t *out, const command_t *all, const command_t *c) {
    int n = 0;
    for (int i = 0; i < OPT_COUNT; i++) {
        if (!(option_rows[i].commands & c->mask)) continue;
        if (n++ == 0) sbuf_puts(out, ".SH OPTIONS\n");
        put_option(out, all, c, &option_rows[i]);
    }
}

static void put_head(sbuf_t *out, const command_t *c) {
    bool all = !*c->name;
    sbuf_puts(out, ".TH REFORMERC");
    if (!all) sbuf_puts(out, "\\-");
    for (const char *p = c->name; *p; p++) sbuf_printf(out, "%c", toupper((unsigned char)*p));
    put_line(out, " 1 \"\" \"reformerc ", program_version(), "\" \"User Commands\"\n");
    sbuf_printf(out, ".SH NAME\nreformerc%s%s \\- ", all ? "" : "\\-", c->name);
    put_line(out, "", all ? "compiler for Reformer models" : c->summary, "\n");
}

static void put_usage(sbuf_t *out, const command_t *c) {
    sbuf_printf(out, ".PP\n\\fBreformerc%s%s\\fR ", *c->name ? " " : "", c->name);
    put_line(out, "", c->usage, "\n");
}

static void put_commands(sbuf_t *out, const command_t *commands) {
    sbuf_puts(out, ".SH COMMANDS\n");
    for (const command_t *c = commands + 1; c->run; c++) {
        put_line(out, ".TP\n\\fBreformerc\\-", c->name, "\\fR(1)\n");
        put_line(out, "", c->summary, "\n");
    }
}

void manual_page(const command_t *commands, const command_t *c, sbuf_t *out) {
    bool all = !*c->name;
    put_head(out, c);
    sbuf_puts(out, ".SH SYNOPSIS\n");
    put_usage(out, c);
    if (all) sbuf_puts(out, ".PP\n\\fBreformerc\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n");
    sbuf_puts(out, ".SH DESCRIPTION\n");
    put_paragraph(out, all ? help_title : c->summary);
    if (all || c->operand != OPERAND_NONE) put_paragraph(out, help_model);
    put_options(out, commands, c);
    if (all) put_commands(out, commands);
    sbuf_puts(out, ".SH EXIT STATUS\n");
    put_paragraph(out, help_exit + strlen("Exit: "));
    if (all || strcmp(c->name, "cache") == 0) {
        sbuf_puts(out, ".SH FILES\n");
        put_paragraph(out, help_cache);
    }
    if (!all) sbuf_puts(out, ".SH SEE ALSO\n\\fBreformerc\\fR(1)\n");
}
