/* The command line, parsed: which command, and the value of every option.
 *
 * options.def lists the options, the table in options.c the commands; nothing else does. */
#ifndef REFORMERC_CLI_OPTIONS_H
#define REFORMERC_CLI_OPTIONS_H

#include "exec/exec.h"

enum {
    EXIT_VALUE = 1,
    EXIT_USAGE = 2,
    MAX_THREADS = 1024,
    MAX_CCS = 4,
    MAX_SETS = 1000,
    MAX_OUTPUTS = 100
};

typedef enum {
#define X(id, ...) OPT_##id,
#include "cli/options.def"
#undef X
    OPT_COUNT
} option_id_t;

struct options;

typedef struct {
    const char *name;  /* "" for translation, the command without a name */
    const char *usage; /* what follows `reformerc` */
    const char *summary;
    unsigned mask;                                  /* its bit in options.def */
    int max_operands;                               /* 1: takes MODEL */
    int (*run)(const struct options *o, diag_t *d); /* exit code; errors in d make it EXIT_VALUE */
} command_t;

typedef struct options {
    arena_t *arena; /* outlives the command and its diagnostics */
    const command_t *command;
    const char *model; /* the operand, NULL: none */
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
int options_parse(arena_t *a, int argc, char **argv, options_t *o, diag_t *d);

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

/* All commands, the nameless one first; *n of them. */
const command_t *command_table(size_t *n);
const command_t *command_find(const char *name);     /* NULL: none */
void options_usage(const command_t *c, sbuf_t *out); /* "reformerc run MODEL …" */
void options_help(const command_t *c, sbuf_t *out);

int command_compile(const options_t *o, diag_t *d);
int command_run(const options_t *o, diag_t *d);
int command_eval(const options_t *o, diag_t *d);
int command_score(const options_t *o, diag_t *d);
int command_generate(const options_t *o, diag_t *d);
int command_train(const options_t *o, diag_t *d);
int command_tokenize(const options_t *o, diag_t *d);
int command_pack(const options_t *o, diag_t *d);
int command_inspect(const options_t *o, diag_t *d);
int command_verify(const options_t *o, diag_t *d);
int command_sweep(const options_t *o, diag_t *d);
int command_explain(const options_t *o, diag_t *d);
int command_bench(const options_t *o, diag_t *d);
int command_tune(const options_t *o, diag_t *d);
int command_schema(const options_t *o, diag_t *d);
int command_help(const options_t *o, diag_t *d);

/* --help of a command, on stdout; the exit code. */
int print_command_help(const options_t *o, diag_t *d);
/* 0 when MODEL and all of these options are there, else EXIT_USAGE after a message. */
int check_needed(const options_t *o, const option_id_t *needed, int n);

/* Writes to stdout and makes sure that it arrived: a full disk is an error in d, a closed pipe ends the
 * command without one. */
bool print_out(const sbuf_t *text, diag_t *d);

#endif
