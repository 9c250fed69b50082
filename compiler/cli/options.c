/* The command line → options_t. In: argv. Out: the command, its operand and every option's value,
 * checked as far as the option alone can tell. Unknown options and missing arguments are usage
 * errors (exit 2), bad values ordinary ones (exit 1). POSIX and GNU conventions, by getopt_long. */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/settle.h"
#include "exec/targets.h"

enum { FIRST_LONG = 1024 }; /* getopt's codes */

/* Columns of options.def. */
enum {
    C = FOR_TRANSLATE,
    R = FOR_RUN,
    E = FOR_EVAL,
    S = FOR_SCHEMA,
    H = FOR_HELP,
    V = FOR_VERIFY,
    W = FOR_SWEEP,
    L = FOR_EXPLAIN,
    B = FOR_BENCH,
    T = FOR_TUNE,
    P = FOR_SCORE,
    G = FOR_GENERATE,
    A = FOR_TRAIN,
    K = FOR_TOKENIZE,
    Z = FOR_PACK,
    I = FOR_INSPECT,
    D = FOR_CACHE
};

const option_row_t option_rows[OPT_COUNT] = {
#define X(id, name, letter, argument, commands, doc)                                               \
    [OPT_##id] = {name, letter, argument, commands, doc},
#include "cli/options.def"
#undef X
};

const command_t *command_find(const command_t *commands, const char *name) {
    for (const command_t *c = commands + 1; c->run; c++)
        if (strcmp(c->name, name) == 0) return c;
    return NULL;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool parse_unsigned(const char *text, uint64_t max, uint64_t *value) {
    if (!isdigit((unsigned char)text[0])) return false;
    char *end;
    errno = 0;
    unsigned long long x = strtoull(text, &end, 10);
    if (errno || *end || x > max) return false;
    *value = x;
    return true;
}

static void set_threads(options_t *o, const char *text, diag_t *d) {
    uint64_t n;
    if (parse_unsigned(text, MAX_THREADS, &n) && n >= 1) o->threads = (int)n;
    else
        diag_error(d, IN_FILE("--threads"), "'%s' is not a number from 1 to %d", text, MAX_THREADS);
}

static void set_seed(options_t *o, const char *text, diag_t *d) {
    if (!parse_unsigned(text, UINT64_MAX, &o->seed))
        diag_error(d, IN_FILE("--seed"), "'%s' is not a number from 0 to 2^64-1", text);
}

void options_set(options_t *o, const char *key, const char *value) {
    ARENA_PUSH(o->arena, o->sets, o->n_sets, o->cap_sets) = (setting_t){.key = key, .value = value};
}

/* What is compared with all others of its list must not be without end; one error is enough. */
static bool too_many(int n, int max, option_id_t id, diag_t *d) {
    if (n < max) return false;
    const char *where = option_rows[id].name;
    if (n == max) diag_error(d, NOWHERE, "--%s is given more than %d times", where, max);
    return true;
}

static void add_setting(arena_t *a, options_t *o, const char *text, diag_t *d) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        diag_error(d, IN_FILE("--set"), "'%s' is not KEY=VALUE", text);
        return;
    }
    if (too_many(o->n_sets, MAX_SETS, OPT_SET, d)) return;
    options_set(o, arena_strndup(a, text, (size_t)(equals - text)), equals + 1);
}

static void check_not_empty(option_id_t id, const char *text, diag_t *d) {
    if (text && !*text) diag_error(d, NOWHERE, "--%s: an empty argument", option_rows[id].name);
}

static void add_cc(options_t *o, const char *text, diag_t *d) {
    if (!*text) diag_error(d, NOWHERE, "--cc: an empty argument");
    else if (o->n_ccs < MAX_CCS) o->ccs[o->n_ccs++] = text;
    else diag_error(d, IN_FILE("--cc"), "more than %d compilers", MAX_CCS);
}

static void set_option(arena_t *a, options_t *o, option_id_t id, const char *text, diag_t *d) {
    o->given[id] = true;
    o->text[id] = text;
    switch (id) {
    case OPT_THREADS: set_threads(o, text, d); break;
    case OPT_SEED: set_seed(o, text, d); break;
    case OPT_BACKEND: (void)backend_parse(text, "--backend", &o->backend, d); break;
    case OPT_TARGET: (void)targets_parse(a, text, "--target", o->targets, &o->n_targets, d); break;
    case OPT_SET: add_setting(a, o, text, d); break;
    case OPT_OUTPUT:
        check_not_empty(id, text, d);
        if (!too_many(o->n_outputs, MAX_OUTPUTS, id, d))
            ARENA_PUSH(a, o->outputs, o->n_outputs, o->cap_outputs) = text;
        break;
    case OPT_PROMPT: ARENA_PUSH(a, o->prompts, o->n_prompts, o->cap_prompts) = text; break;
    case OPT_STOP:
        check_not_empty(id, text, d);
        ARENA_PUSH(a, o->stops, o->n_stops, o->cap_stops) = text;
        break;
    case OPT_NO_WARNINGS: diag_silence_warnings(d); break;
    case OPT_CC: add_cc(o, text, d); break;
    default: check_not_empty(id, text, d);
    }
}

/* ---- the line -------------------------------------------------------------------------------- */

static int usage_hint(const command_t *c) {
    fprintf(stderr, "    see: reformerc %s%s--help\n", c->name, *c->name ? " " : "");
    return EXIT_USAGE;
}

/* At once, in the form of all errors: what was typed may hold anything, and be of any length. */
static void complain(const char *before, const char *typed, const char *behind) {
    diag_t *d = diag_new();
    diag_error(d, NOWHERE, "%s '%s'%s", before, typed, behind);
    diag_print(d, stderr);
    diag_free(d);
}

static int unknown_option(const command_t *c, const char *typed) {
    const char *names[OPT_COUNT];
    size_t n = 0;
    for (int i = 0; i < OPT_COUNT; i++)
        if (option_rows[i].commands & c->mask) names[n++] = option_rows[i].name;
    complain("unknown option", typed, "");
    if (strncmp(typed, "--", 2) == 0) {
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
        size_t alike = 0; /* those that begin with it: it is cut too short */
        for (size_t i = 0; i < n && *word; i++)
            if (strncmp(names[i], word, strlen(word)) == 0)
                fprintf(stderr, "%s'--%s'", alike++ ? ", " : "    hint: did you mean ", names[i]);
        if (alike) fputs("?\n", stderr);
        const char *near = alike ? NULL : did_you_mean(word, names, n);
        if (near) fprintf(stderr, "    hint: did you mean '--%s'?\n", near);
    }
    return usage_hint(c);
}

/* getopt's '?' and ':' → a message. `typed` is the word of the line that it stopped at. */
static int bad_option(const command_t *c, int code, const char *typed) {
    if (code == ':') {
        complain("option", typed, " needs an argument");
        return usage_hint(c);
    }
    if (optopt >= FIRST_LONG) {
        fprintf(stderr, "reformerc: error: option '--%s' takes no argument\n",
                option_rows[optopt - FIRST_LONG].name);
        return usage_hint(c);
    }
    if (optopt && strncmp(typed, "--", 2) != 0) {
        char letter[3] = {'-', (char)optopt, 0};
        return unknown_option(c, letter);
    }
    return unknown_option(c, typed);
}

static int find_letter(const command_t *c, int letter) {
    for (int i = 0; i < OPT_COUNT; i++)
        if (option_rows[i].letter == letter && option_rows[i].commands & c->mask) return i;
    bug("option -%c has no row", letter);
}

/* The option tables of one command for getopt_long. */
static void getopt_tables(const command_t *c, struct option *longs, char *shorts) {
    *shorts++ = ':';
    for (int i = 0; i < OPT_COUNT; i++) {
        if (!(option_rows[i].commands & c->mask)) continue;
        int has = option_rows[i].argument ? required_argument : no_argument;
        *longs++ = (struct option){option_rows[i].name, has, NULL, FIRST_LONG + i};
        if (!option_rows[i].letter) continue;
        *shorts++ = option_rows[i].letter;
        if (option_rows[i].argument) *shorts++ = ':';
    }
    *longs = (struct option){0};
    *shorts = 0;
}

/* A word that is no operand here may be the name of a command, mistyped. */
static void suggest_command(const options_t *o) {
    const char *names[MAX_COMMANDS];
    size_t n = 0;
    for (const command_t *c = o->commands + 1; c->run; c++) names[n++] = c->name;
    const char *near = did_you_mean(o->model, names, n);
    if (near) fprintf(stderr, "    hint: did you mean the command '%s'?\n", near);
    else
        fprintf(
            stderr,
            "    hint: '%s' is not a command, and was taken for MODEL; `reformerc MODEL -o OUT` "
            "compiles\n",
            o->model);
}

static int take_operands(options_t *o, int argc, char **argv) {
    int max = o->command->operand != OPERAND_NONE;
    if (optind < argc) o->model = argv[optind];
    if (argc - optind <= max) return 0;
    complain("unexpected argument", argv[optind + max], "");
    if (!*o->command->name) suggest_command(o);
    return usage_hint(o->command);
}

int options_parse(arena_t *a, const command_t *commands, int argc, char **argv, options_t *o,
                  diag_t *d) {
    *o = (options_t){.arena = a,
                     .commands = commands,
                     .command = argc > 1 ? command_find(commands, argv[1]) : NULL,
                     .backend = backend_default()};
    if (o->command) {
        argc--;
        argv++;
    } else {
        o->command = commands;
    }
    struct option longs[OPT_COUNT + 1];
    char shorts[2 * OPT_COUNT + 2];
    getopt_tables(o->command, longs, shorts);
    opterr = 0;
    optind = 1;
    for (int code; (code = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        if (code == '?' || code == ':') return bad_option(o->command, code, argv[optind - 1]);
        int id = code >= FIRST_LONG ? code - FIRST_LONG : find_letter(o->command, code);
        set_option(a, o, (option_id_t)id, optarg, d);
    }
    if (option_rows[OPT_BACKEND].commands & o->command->mask && !diag_errors(d))
        o->backend = backend_settle(o->backend, o->text[OPT_CC], d);
    return take_operands(o, argc, argv);
}

int no_such_operand(const options_t *o) {
    complain("there is no command, file or folder", o->model, "");
    suggest_command(o);
    return usage_hint(o->command);
}

int check_needed(const options_t *o, const option_id_t *needed, int n) {
    const char *missing = NULL;
    for (int i = n - 1; i >= 0; i--)
        if (!o->given[needed[i]]) missing = option_rows[needed[i]].name;
    if (!o->model) missing = "MODEL";
    if (!missing) return 0;
    fprintf(stderr, "reformerc: error: missing %s%s\n", o->model ? "--" : "", missing);
    return usage_hint(o->command);
}

bool print_out(const sbuf_t *text, diag_t *d) {
    bool ok = text->size == 0 || fwrite(text->data, 1, text->size, stdout) == text->size;
    if (ok && fflush(stdout) == 0) return true;
    if (errno == EPIPE) return false; /* who read it has seen enough */
    diag_error(d, IN_FILE("stdout"), "cannot write: %s", strerror(errno));
    return false;
}
