/* The highest resident memory of this process: Linux keeps it, and can be told to start anew. */
#ifndef REFORMERC_SUPPORT_RESIDENT_H
#define REFORMERC_SUPPORT_RESIDENT_H

#include <stdbool.h>
#include <stddef.h>

bool resident_reset_peak(void); /* false: the system cannot */
size_t resident_peak(void);     /* bytes; 0: the system does not tell */

#endif
