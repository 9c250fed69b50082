/* --selftest: an input for model.c's own test, and what the reference makes of it. */
#ifndef REFORMERC_COMMANDS_TRANSLATE_SELFTEST_H
#define REFORMERC_COMMANDS_TRANSLATE_SELFTEST_H

#include "session/session.h"

/* Of a session with a plan and weights; memory: the session's. One forward of the reference, or a
 * few where hashes are near-ties. NULL after an error in d. */
const selftest_t *selftest_record(session_t *s);

#endif
