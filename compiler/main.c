/* reformerc: arguments → command. The commands are in commands/, what compiles in libreformerc,
 * what commands share in the rooms between.
 *
 * Exit: 0 ok; 1 a bad value in a spec, file, tensor or option, or too little memory; 2 usage; 70 a
 * defect of reformerc; 141 without a word when who read stdout has seen enough (reformerc … |
 * head), as where SIGPIPE kills. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "cli/apart.h"
#include "commands/commands.h"
#include "machine/tuning.h"
#include "support/guard.h"
#include "support/temporary.h"

/* A closed stdin, stdout or stderr must not be reopened by accident as some output file. Writing to
 * a stdout that was closed fails, as it should: the stand-in is open for reading only. */
static void occupy_standard_streams(void) {
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY) < 0)
            _exit(1);
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is a write error, not a kill, … */
    signal(SIGXFSZ, SIG_IGN); /* … and so is the limit of a file's size */
}

/* Translations, the reference and readers of weights make and drop memory a hundred times: what they
 * drop is not given back to the system in between, which would be a page fault again for each page
 * (a sixth of the reference's time). Above 32 MiB it is. */
static void keep_memory(void) {
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 25);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 26);
    (void)mallopt(M_TOP_PAD, 1 << 20);
#endif
}

typedef struct {
    int argc;
    char **argv;
    int code;
} command_line_t;

static int run(int argc, char **argv) {
    arena_t *a = arena_new();
    diag_t *d = diag_new();
    options_t o;
    int code = options_parse(a, commands, argc, argv, &o, d);
    if (code == 0 && !o.given[OPT_HELP]) (void)outputs_apart(&o, d);
    if (code == 0 && o.given[OPT_TUNING] && !o.given[OPT_HELP]) (void)tuning_open(&o, d);
    if (code == 0 && diag_errors(d) == 0) code = o.command->run(&o, d);
    if (code == 0 && diag_errors(d) > 0) code = EXIT_VALUE;
    if (code == EXIT_VALUE && diag_errors(d) == 0 && ferror(stdout)) code = 128 + SIGPIPE;
    diag_print(d, stderr);
    diag_free(d);
    arena_free(a);
    return code;
}

static void run_guarded(void *arg) {
    command_line_t *c = arg;
    c->code = run(c->argc, c->argv);
}

/* Out of memory is an error like others: what was half-written is removed, then
 * the line is printed. */
int main(int argc, char **argv) {
    command_line_t c = {argc, argv, 0};
    guard_report_t report;
    occupy_standard_streams();
    keep_memory();
    temporary_catch_signals();
    if (!guard_run(run_guarded, &c, &report)) guard_give_up(&report);
    return c.code;
}
