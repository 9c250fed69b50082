/* Time, in seconds. */
#ifndef REFORMERC_SUPPORT_CLOCK_H
#define REFORMERC_SUPPORT_CLOCK_H

double clock_now(void); /* monotonic */
double clock_cpu(void); /* of processor, that all threads of this process took so far */
/* Since this process began, loading of libraries included; to 10 ms, as Linux tells it. */
double clock_process(void);

#endif
