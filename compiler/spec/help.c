/* The schema for people: --help-spec and the reference page. Everything comes from schema.def. */
#include <string.h>

#include "spec/schema.h"

static const struct {
    const char *section, *title, *intro;
} titles[] = {
    {"", "Model", "Hugging Face's keys; a config.json is a spec as it stands."},
    {"compile", "compile:", "How the model is specialised. Unknown keys are errors here."},
    {"train", "train:", "How it is trained."},
    {"expect", "expect:",
     "Budgets: a build that breaks one fails. \"<\" excludes the number, \"<=\" or "
     "nothing includes it."},
};
enum { N_TITLES = sizeof titles / sizeof titles[0], WIDTH = 96, INDENT = 6 };

/* Words of `text` in lines of WIDTH characters, all indented. Backquotes are for Markdown only. */
static void wrap(sbuf_t *out, const char *text) {
    size_t column = WIDTH;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " "), chars = 0;
        for (size_t i = 0; i < n; i++) chars += ((unsigned char)p[i] & 0xC0) != 0x80 && p[i] != '`';
        if (column + 1 + chars > WIDTH) {
            sbuf_printf(out, "%s%*s", p == text ? "" : "\n", INDENT, "");
            column = INDENT;
        } else {
            sbuf_puts(out, " ");
            column++;
        }
        for (size_t i = 0; i < n; i++)
            if (p[i] != '`') sbuf_write(out, &p[i], 1);
        column += chars;
        p += n + (p[n] == ' ');
    }
    sbuf_puts(out, "\n");
}

static void help_key(sbuf_t *out, spec_key_t key) {
    const key_info_t *k = &schema[key];
    sbuf_printf(out, "  %s", k->full);
    if (k->standard) sbuf_printf(out, " = %s", k->standard);
    sbuf_puts(out, "\n");
    wrap(out, k->doc);
    sbuf_t range = {0};
    print_range(key, &range);
    wrap(out, range.data);
    sbuf_free(&range);
}

static void help_ignored(sbuf_t *out) {
    sbuf_t names = {0};
    for (int k = 0; k < KEY_COUNT; k++)
        if (schema[k].role == ROLE_IGNORED)
            sbuf_printf(&names, "%s%s", names.size ? " " : "", schema[k].name);
    sbuf_puts(out, "\nRead over (Hugging Face's bookkeeping, old Reformer files)\n");
    wrap(out, names.data);
    sbuf_free(&names);
}

void spec_help(sbuf_t *out) {
    sbuf_puts(out, "A spec is YAML (or JSON) with these keys; --set KEY=VALUE sets one of them.\n");
    for (size_t t = 0; t < N_TITLES; t++) {
        sbuf_printf(out, "\n%s  %s\n", titles[t].title, titles[t].intro);
        for (int k = 0; k < KEY_COUNT; k++)
            if (strcmp(schema[k].section, titles[t].section) == 0 && schema[k].role != ROLE_IGNORED)
                help_key(out, (spec_key_t)k);
    }
    help_ignored(out);
}

/* ---- Markdown ---------------------------------------------------------------------------------- */

static const char preamble[] =
    "# The keys of a spec\n"
    "\n"
    "<!-- Written by `reformerc schema --format markdown` from compiler/spec/schema.def; do not edit. -->\n"
    "\n"
    "A spec is a YAML mapping. JSON is YAML, so a Hugging Face `config.json` is a spec, and a checkpoint\n"
    "folder (config.json + model.safetensors) may stand wherever a spec may. `--set KEY=VALUE` sets any\n"
    "key, `compile.name` and the like with a dot; VALUE is one YAML value, the last setting wins.\n"
    "\n"
    "Numbers are decimal as in JSON (`1e-12` is one, `0x10`, `017` and `1_000` are errors, a number in\n"
    "quotes is a text); booleans are `true` and `false`. Anchors, aliases and merge keys (`<<`) work;\n"
    "a name that stands twice, a second document, a tag or nesting deeper than 64 levels is an error.\n"
    "An unknown key is an error, in a file that says `model_type: reformer` a warning, in `compile:`,\n"
    "`train:` and `expect:` always an error. A model key without effect in a configuration is fine.\n"
    "The section `extensions:` is reserved and must be empty.\n";

static void page_key(sbuf_t *out, spec_key_t key) {
    const key_info_t *k = &schema[key];
    sbuf_t range = {0};
    print_range(key, &range);
    const char *tick = k->standard ? "`" : "";
    sbuf_printf(out, "| `%s` | %s%s%s | %s | %s |\n", k->full, tick,
                k->standard ? k->standard : "—", tick, range.data, k->doc);
    sbuf_free(&range);
}

void spec_reference_page(sbuf_t *out) {
    sbuf_puts(out, preamble);
    for (size_t t = 0; t < N_TITLES; t++) {
        sbuf_printf(out,
                    "\n## %s\n\n%s\n\n| key | default | takes | meaning |\n|---|---|---|---|\n",
                    titles[t].title, titles[t].intro);
        for (int k = 0; k < KEY_COUNT; k++)
            if (strcmp(schema[k].section, titles[t].section) == 0 && schema[k].role != ROLE_IGNORED)
                page_key(out, (spec_key_t)k);
    }
    sbuf_puts(
        out,
        "\n## Read over\n\nKnown, and without effect whatever their value.\n\n| key | why |\n|---|---|\n");
    for (int k = 0; k < KEY_COUNT; k++)
        if (schema[k].role == ROLE_IGNORED)
            sbuf_printf(out, "| `%s` | %s |\n", schema[k].name, schema[k].doc);
}
