/* Ctrl-C, SIGTERM and SIGHUP as a question that long work asks between its steps, so that it can
 * keep what it has. The second signal of a kind ends the process as usual. */
#ifndef REFORMERC_CLI_INTERRUPT_H
#define REFORMERC_CLI_INTERRUPT_H

void interrupt_catch(void); /* from now on; a signal that was ignored stays ignored */
int interrupt_caught(void); /* the signal that came, 0: none */

#endif
