/* Completion for bash, zsh and fish: `reformerc help --format SHELL` prints a
 * script that the shell reads.
 *
 * All three say the same: commands first, then the options of the command, what stands in the place
 * of an option's argument (offers.c), and files where MODEL is. */
#include <string.h>

#include "cli/help.h"
#include "commands/help/manual.h"

/* In single quotes, as the shell needs it: `escapes` get a backslash, and a quote
 * the text `quote`. */
static void put_quoted(sbuf_t *out, const char *text, const char *escapes, const char *quote) {
    for (const char *p = text; *p; p++) {
        if (*p == '\'') sbuf_puts(out, quote);
        else sbuf_printf(out, strchr(escapes, *p) ? "\\%c" : "%c", *p);
    }
}

static void put_words(sbuf_t *out, option_id_t id) {
    sbuf_t words = {0};
    option_words(id, &words);
    for (size_t i = 0; i + 1 < words.size; i++)
        sbuf_printf(out, "%c", words.data[i] == '\n' ? ' ' : words.data[i]);
    sbuf_free(&words);
}

/* A case of the shell for each key of the spec whose values are known: its name between `before`
 * and `between`, its values, `after`. */
static void put_values(sbuf_t *out, const char *before, const char *between, const char *after) {
    sbuf_t lines = {0};
    spec_list_values(&lines);
    for (char *key = lines.data; *key;) {
        char *values = strchr(key, '='), *end = strchr(key, '\n');
        *values = *end = 0;
        sbuf_printf(out, "%s%s%s%s%s", before, key, between, values + 1, after);
        key = end + 1;
    }
    sbuf_free(&lines);
}

static void put_command_names(sbuf_t *out, const command_t *all, char between) {
    for (const command_t *c = all + 1; c->run; c++) {
        sbuf_puts(out, c->name);
        if (c[1].run) sbuf_printf(out, "%c", between);
    }
}

static bool takes(const command_t *c, int option) {
    return option_rows[option].commands & c->mask;
}

/* ---- bash ------------------------------------------------------------------------------------ */

static const char bash_head[] =
    "_reformerc() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local command='' options='' words='' head='' key=''\n"
    "    local -i at=COMP_CWORD-1\n"
    "    COMPREPLY=()\n"
    "    # bash makes three words of --option=VALUE, and of KEY=VALUE\n"
    "    if [[ $current == = ]]; then current=''\n"
    "    elif [[ $before == = ]]; then before=${COMP_WORDS[--at]}\n"
    "    fi\n"
    "    if ((at > 1)) && [[ ${COMP_WORDS[at+1]} == = ]]; then\n"
    "        [[ ${COMP_WORDS[at-1]} == = ]] && at+=-1\n"
    "        if [[ ${COMP_WORDS[at-1]} == --set ]]; then key=$before before=--set; fi\n"
    "    fi\n";
static const char bash_tail[] =
    "    if [[ $words ]]; then\n"
    "        COMPREPLY=($(compgen -P \"$head\" -W \"$words\" -- \"${current#\"$head\"}\"))\n"
    "    elif [[ $current == -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
    "    elif [[ $COMP_CWORD -eq 1 ]]; then\n"
    "        compopt -o filenames\n"
    "        COMPREPLY=($(compgen -W \"$commands\" -- \"$current\") $(compgen -f -- \"$current\"))\n"
    "    fi\n"
    "}\n"
    "complete -o bashdefault -o default -F _reformerc reformerc\n";

static void bash_offer(const command_t *c, offer_t wanted, const char *does, sbuf_t *out) {
    int n = 0;
    for (int i = 0; i < OPT_COUNT; i++) {
        const option_row_t *row = &option_rows[i];
        if (!takes(c, i) || !row->argument || option_offer((option_id_t)i) != wanted) continue;
        sbuf_printf(out, "%s--%s", n++ ? " | " : "        ", row->name);
        if (row->letter) sbuf_printf(out, " | -%c", row->letter);
    }
    if (n) sbuf_printf(out, ") %s ;;\n", does);
}

static void bash_words(const command_t *c, sbuf_t *out) {
    for (int i = 0; i < OPT_COUNT; i++) {
        if (!takes(c, i) || option_offer((option_id_t)i) != OFFER_WORDS) continue;
        sbuf_printf(out, "        --%s) words='", option_rows[i].name);
        put_words(out, (option_id_t)i);
        sbuf_puts(out, option_is_list((option_id_t)i) ? "'; head=${current%\"${current##*,}\"} ;;\n"
                                                      : "' ;;\n");
    }
}

static void bash_command(const command_t *c, sbuf_t *out) {
    sbuf_printf(out, "    %s)\n        options='", *c->name ? c->name : "''");
    const char *between = "";
    for (int i = 0; i < OPT_COUNT; i++) {
        if (!takes(c, i)) continue;
        sbuf_printf(out, "%s--%s", between, option_rows[i].name);
        between = " ";
    }
    sbuf_puts(out, "'\n        case $before in\n");
    bash_words(c, out);
    bash_offer(c, OFFER_SETTINGS, "_reformerc_settings", out);
    bash_offer(c, OFFER_NOTHING, "compopt +o default +o bashdefault; return", out);
    bash_offer(c, OFFER_FOLDERS,
               "compopt -o filenames; COMPREPLY=($(compgen -d -- \"$current\")); return", out);
    bash_offer(c, OFFER_FILES, "return", out);
    if (c->operand == OPERAND_COMMAND)
        sbuf_puts(out, "        *) [[ $current == -* ]] || words=$commands ;;\n");
    sbuf_puts(out, "        esac ;;\n");
}

/* Of a key, or of a --set whose KEY=VALUE is one word. */
static void bash_settings(sbuf_t *out) {
    sbuf_puts(out, "_reformerc_settings() {\n"
                   "    [[ ! $key && $current == *=* ]] && key=${current%%=*}\n"
                   "    case $key in\n"
                   "        '') words=$settings; compopt -o nospace; return ;;\n");
    put_values(out, "        ", ") words='", "' ;;\n");
    sbuf_puts(out, "    esac\n    head=${current%\"${current##*[=,]}\"}\n}\n");
}

void completion_bash(const command_t *all, sbuf_t *out) {
    sbuf_puts(out,
              "# Completion of reformerc for bash, printed by: reformerc help --format bash\n");
    bash_settings(out);
    sbuf_puts(out, bash_head);
    sbuf_puts(out, "    local commands='");
    put_command_names(out, all, ' ');
    sbuf_puts(out, "'\n    local settings='");
    put_words(out, OPT_SET);
    sbuf_puts(out, "'\n    case ${COMP_WORDS[1]} in ");
    put_command_names(out, all, '|');
    sbuf_puts(out, ") [[ $COMP_CWORD -gt 1 ]] && command=${COMP_WORDS[1]} ;; esac\n"
                   "    case $command in\n");
    for (const command_t *c = all; c->run; c++) bash_command(c, out);
    sbuf_puts(out, "    esac\n");
    sbuf_puts(out, bash_tail);
}

/* ---- zsh ------------------------------------------------------------------------------------- */

static const char zsh_quote[] = "'\\''", zsh_escapes[] = "[]:\\";

static void zsh_doc(sbuf_t *out, const char *doc) {
    sbuf_t text = {0};
    short_doc(doc, &text);
    put_quoted(out, text.data, zsh_escapes, zsh_quote);
    sbuf_free(&text);
}

static void zsh_argument(sbuf_t *out, int option) {
    const char *argument = option_rows[option].argument;
    bool list = option_is_list((option_id_t)option);
    if (!argument) return;
    sbuf_puts(out, ":");
    put_quoted(out, argument, ":\\", zsh_quote);
    switch (option_offer((option_id_t)option)) {
    case OFFER_NOTHING: sbuf_puts(out, ": "); break;
    case OFFER_FILES: sbuf_puts(out, ":_files"); break;
    case OFFER_FOLDERS: sbuf_puts(out, ":_files -/"); break;
    case OFFER_SETTINGS: sbuf_puts(out, ":_reformerc_settings"); break;
    case OFFER_WORDS:
        sbuf_puts(out, list ? ": _reformerc_list " : ":(");
        put_words(out, (option_id_t)option);
        if (!list) sbuf_puts(out, ")");
    }
}

static void zsh_option(const command_t *all, const command_t *c, int option, sbuf_t *out) {
    const option_row_t *row = &option_rows[option];
    sbuf_t doc = {0};
    option_doc(row, all, c, &doc);
    for (int as_letter = 0; as_letter <= (row->letter != 0); as_letter++) {
        if (as_letter)
            sbuf_printf(out, " \\\n      '*-%c%s[", row->letter, row->argument ? "+" : "");
        else sbuf_printf(out, " \\\n      '*--%s%s[", row->name, row->argument ? "=" : "");
        zsh_doc(out, doc.data);
        sbuf_puts(out, "]");
        zsh_argument(out, option);
        sbuf_puts(out, "'");
    }
    sbuf_free(&doc);
}

static void zsh_command(const command_t *all, const command_t *c, sbuf_t *out) {
    sbuf_printf(out, "  (%s) _arguments -s -S", *c->name ? c->name : "''");
    for (int i = 0; i < OPT_COUNT; i++)
        if (takes(c, i)) zsh_option(all, c, i, out);
    if (c->operand != OPERAND_NONE)
        sbuf_puts(out, c->operand == OPERAND_COMMAND ? " \\\n      '1:command:_reformerc_commands'"
                                                     : " \\\n      '1:MODEL:_files'");
    sbuf_puts(out, " ;;\n");
}

static void zsh_lists(sbuf_t *out, const command_t *all) {
    sbuf_puts(out, "_reformerc_commands() {\n  local -a commands=(");
    for (const command_t *c = all + 1; c->run; c++) {
        sbuf_printf(out, "\n    '%s:", c->name);
        put_quoted(out, c->summary, "\\", zsh_quote);
        sbuf_puts(out, "'");
    }
    sbuf_puts(out, ")\n  _describe -t commands command commands\n}\n"
                   "_reformerc_list() {\n  compset -P '*,'\n  compadd -S '' -- \"$@\"\n}\n"
                   "_reformerc_settings() {\n  local key=${PREFIX%%=*}\n"
                   "  if [[ $PREFIX != *=* ]]; then compadd -S '' -- ");
    put_words(out, OPT_SET);
    sbuf_puts(out, "\n    return\n  fi\n  compset -P '*[=,]'\n  case $key in\n");
    put_values(out, "    (", ") compadd -- ", " ;;\n");
    sbuf_puts(out, "  esac\n}\n");
}

void completion_zsh(const command_t *all, sbuf_t *out) {
    sbuf_puts(out, "#compdef reformerc\n"
                   "# Completion of reformerc for zsh, printed by: reformerc help --format zsh\n");
    zsh_lists(out, all);
    sbuf_puts(out, "_reformerc() {\n  local command=''\n"
                   "  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
                   "    _alternative 'commands:command:_reformerc_commands' 'files:MODEL:_files'\n"
                   "    return\n  fi\n  case $words[2] in (");
    put_command_names(out, all, '|');
    sbuf_puts(out,
              ") command=$words[2]; shift words; (( CURRENT-- )) ;; esac\n  case $command in\n");
    for (const command_t *c = all; c->run; c++) zsh_command(all, c, out);
    sbuf_puts(out, "  esac\n}\n"
                   "if [[ $funcstack[1] == _reformerc ]]; then _reformerc \"$@\"\n"
                   "else compdef _reformerc reformerc\nfi\n");
}

/* ---- fish ------------------------------------------------------------------------------------ */

static const char fish_quote[] = "\\'", fish_escapes[] = "\\";

static void fish_argument(sbuf_t *out, int option) {
    bool list = option_is_list((option_id_t)option);
    if (!option_rows[option].argument) return;
    switch (option_offer((option_id_t)option)) {
    case OFFER_NOTHING: sbuf_puts(out, " -x"); break;
    case OFFER_FILES: sbuf_puts(out, " -r -F"); break;
    case OFFER_FOLDERS: sbuf_puts(out, " -x -a '(__fish_complete_directories)'"); break;
    case OFFER_SETTINGS: sbuf_puts(out, " -x -a '(__reformerc_settings)'"); break;
    case OFFER_WORDS:
        sbuf_puts(out, list ? " -x -a '(__reformerc_list " : " -x -a '");
        put_words(out, (option_id_t)option);
        sbuf_puts(out, list ? ")'" : "'");
    }
}

static void fish_line(sbuf_t *out, const char *command) {
    sbuf_printf(out, "complete -c reformerc -n '__reformerc_is \"%s\"'", command);
}

static void fish_doc(sbuf_t *out, const char *doc) {
    sbuf_t text = {0};
    short_doc(doc, &text);
    sbuf_puts(out, " -d '");
    put_quoted(out, text.data, fish_escapes, fish_quote);
    sbuf_puts(out, "'\n");
    sbuf_free(&text);
}

static void fish_command(const command_t *all, const command_t *c, sbuf_t *out) {
    if (*c->name) {
        sbuf_printf(out, "complete -c reformerc -n __fish_is_first_arg -a %s", c->name);
        fish_doc(out, c->summary);
    }
    for (int i = 0; i < OPT_COUNT; i++) {
        if (!takes(c, i)) continue;
        fish_line(out, c->name);
        sbuf_printf(out, " -l %s", option_rows[i].name);
        if (option_rows[i].letter) sbuf_printf(out, " -s %c", option_rows[i].letter);
        fish_argument(out, i);
        sbuf_t doc = {0};
        option_doc(&option_rows[i], all, c, &doc);
        fish_doc(out, doc.data);
        sbuf_free(&doc);
    }
    if (c->operand != OPERAND_COMMAND) return;
    fish_line(out, c->name);
    sbuf_puts(out, " -f -a '");
    put_command_names(out, all, ' ');
    sbuf_puts(out, "'\n");
}

void completion_fish(const command_t *all, sbuf_t *out) {
    sbuf_puts(out, "# Completion of reformerc for fish, printed by: reformerc help --format fish\n"
                   "function __reformerc_settings -d 'KEY=, or its values'\n"
                   "    set -l typed (commandline -ct | string replace -r '^--[a-z-]*=' '')\n"
                   "    set -l head (string replace -r '[^=,]*$' '' -- \"$typed\")\n"
                   "    set -l key (string replace -r '=.*' '' -- \"$typed\")\n"
                   "    if not string match -q '*=*' -- \"$typed\"\n        printf '%s\\n' ");
    put_words(out, OPT_SET);
    sbuf_puts(out, "\n        return\n    end\n    set -l values\n    switch $key\n");
    put_values(out, "        case '", "'\n            set values ", "\n");
    sbuf_puts(out, "    end\n    set -q values[1]; and printf '%s\\n' \"$head\"$values\nend\n"
                   "function __reformerc_is -d 'the command of the line is this one'\n"
                   "    set -l line (commandline -opc)\n    set -l command ''\n"
                   "    if contains -- \"$line[2]\" ");
    put_command_names(out, all, ' ');
    sbuf_puts(out, "\n        set command $line[2]\n    end\n    test \"$command\" = \"$argv[1]\"\n"
                   "end\n"
                   "function __reformerc_list -d 'these words, behind those that stand there'\n"
                   "    set -l typed (commandline -ct | string replace -r '^--[a-z-]*=' '')\n"
                   "    set -l head (string replace -r '[^,]*$' '' -- \"$typed\")\n"
                   "    printf '%s\\n' \"$head\"$argv\nend\n");
    for (const command_t *c = all; c->run; c++) fish_command(all, c, out);
}
