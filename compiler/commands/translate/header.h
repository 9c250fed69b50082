/* Names that may stand in the #include of generated code. */
#ifndef REFORMERC_COMMANDS_TRANSLATE_HEADER_H
#define REFORMERC_COMMANDS_TRANSLATE_HEADER_H

#include "support/arena.h"
#include "support/diag.h"

/* Whether code named `out` can have a header beside it: its name can be written between the quotes
 * of an #include, and it hides no header of the system or the runtime. False
 * after an error in d. */
bool header_name_check(arena_t *a, const char *out, diag_t *d);
/* NAME.h, for a name that is a C identifier: with "m_" before it where it would hide one. */
const char *header_name_for(arena_t *a, const char *name);

#endif
