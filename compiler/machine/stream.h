/* How much memory a calibration streams. A file of its own: tests stream less (tests/quick.c). */
#ifndef REFORMERC_MACHINE_STREAM_H
#define REFORMERC_MACHINE_STREAM_H

#include <stdint.h>

/* Of an array that no cache holds: twice the last cache, as far as the system tells. */
int64_t stream_array_bytes(void);

#endif
