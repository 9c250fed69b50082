/* The command line, parsed: which command, and the value of every option.
 *
 * options.def lists the options, commands/table.c the commands; nothing else does. */
#ifndef REFORMERC_CLI_OPTIONS_H
#define REFORMERC_CLI_OPTIONS_H

#include "exec/exec.h"

enum {
    EXIT_VALUE = 1,
    EXIT_USAGE = 2,
    MAX_THREADS = 1024,
    MAX_CCS = 4,
    MAX_SETS = 1000,
    MAX_OUTPUTS = 100,
    MAX_COMMANDS = 32
};

/* A bit for each command: who takes an option. */
enum {
    FOR_TRANSLATE = 1 << 0,
    FOR_RUN = 1 << 1,
    FOR_EVAL = 1 << 2,
    FOR_SCHEMA = 1 << 3,
    FOR_HELP = 1 << 4,
    FOR_VERIFY = 1 << 5,
    FOR_SWEEP = 1 << 6,
    FOR_EXPLAIN = 1 << 7,
    FOR_BENCH = 1 << 8,
    FOR_TUNE = 1 << 9,
    FOR_SCORE = 1 << 10,
    FOR_GENERATE = 1 << 11,
    FOR_TRAIN = 1 << 12,
    FOR_TOKENIZE = 1 << 13,
    FOR_PACK = 1 << 14,
    FOR_INSPECT = 1 << 15,
    FOR_CACHE = 1 << 16
};

typedef enum {
#define X(id, ...) OPT_##id,
#include "cli/options.def"
#undef X
    OPT_COUNT
} option_id_t;

struct options;

/* What stands on the line beside options: one word at most. */
typedef enum { OPERAND_NONE, OPERAND_MODEL, OPERAND_COMMAND } operand_t;

/* A row of the table of commands, which begins with the one without a name, and ends
 * with a row without `run`. */
typedef struct {
    const char *name;  /* "" for translation */
    const char *usage; /* what follows `reformerc` */
    const char *summary;
    unsigned mask; /* its FOR_… */
    operand_t operand;
    int (*run)(const struct options *o, diag_t *d); /* exit code; errors in d make it EXIT_VALUE */
} command_t;

typedef struct options {
    arena_t *arena;            /* outlives the command and its diagnostics */
    const command_t *commands; /* all of them */
    const command_t *command;  /* the one that was typed */
    const char *model;         /* the operand, NULL: none */
    bool given[OPT_COUNT];
    const char *text[OPT_COUNT]; /* arguments as typed, NULL: not given */
    setting_t *sets;             /* [n_sets], in order */
    int n_sets;
    size_t cap_sets, cap_outputs, cap_prompts, cap_stops; /* room of the lists */
    const char **outputs; /* [n_outputs] every --output; most commands take the last */
    int n_outputs;
    const char **prompts, **stops; /* [n_prompts] every --prompt; [n_stops] every --stop */
    int n_prompts, n_stops;
    backend_t backend;
    int n_ccs; /* every --cc; most commands take the last */
    const char *ccs[MAX_CCS];
    int threads; /* 0: not given */
    uint64_t seed;
    int n_targets; /* as typed, "native" included; 0: not given */
    const char *targets[MAX_TARGETS];
    struct tuning *tuning; /* --tuning of commands that compile (tuning.h); NULL: none */
} options_t;

/* 0, or the exit code after a message on stderr (bad values are errors in d instead). */
int options_parse(arena_t *a, const command_t *commands, int argc, char **argv, options_t *o,
                  diag_t *d);

/* One more --set; key and value stay the caller's. */
void options_set(options_t *o, const char *key, const char *value);

/* A row of options.def. */
typedef struct {
    const char *name;     /* without its dashes */
    char letter;          /* 0: none */
    const char *argument; /* NULL: a flag */
    unsigned commands;    /* their masks */
    const char *doc;
} option_row_t;
extern const option_row_t option_rows[OPT_COUNT];

const command_t *command_find(const command_t *commands, const char *name); /* NULL: none */

/* After a message: MODEL is none, and may be the name of a command, mistyped. */
int no_such_operand(const options_t *o);

/* 0 when MODEL and all of these options are there, else EXIT_USAGE after a message. */
int check_needed(const options_t *o, const option_id_t *needed, int n);

/* Writes to stdout and makes sure that it arrived: a full disk is an error in d, a closed pipe ends
 * the command without one. */
bool print_out(const sbuf_t *text, diag_t *d);

#endif
