/* The signals of interrupt.h. In: SIGINT, SIGTERM, SIGHUP. Out: which one came. */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

#include "support/temporary.h"

/* The one variable of the program that changes: a handler has no other way to tell. */
static volatile sig_atomic_t caught;

static void remember(int number) {
    if (caught == number) temporary_end(number);
    caught = number;
}

void interrupt_catch(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction old, new = {.sa_handler = remember, .sa_flags = SA_RESTART};
        sigemptyset(&new.sa_mask);
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &new, NULL);
    }
}

int interrupt_caught(void) {
    return caught;
}
