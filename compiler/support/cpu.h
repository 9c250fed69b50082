/* The CPU's name, as the operating system tells it. */
#ifndef REFORMERC_SUPPORT_CPU_H
#define REFORMERC_SUPPORT_CPU_H

#include "support/arena.h"

/* "AMD EPYC 9654 96-Core Processor": as cpu_plain() leaves it; "unknown" where
 * the system does not say. */
const char *cpu_name(arena_t *a);
/* A name that fits between quotes on one line: printable ASCII, single blanks. */
const char *cpu_plain(arena_t *a, const char *name);

#endif
