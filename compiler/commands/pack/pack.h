/* reformerc pack, and its table of what rounding cost. */
#ifndef REFORMERC_COMMANDS_PACK_PACK_H
#define REFORMERC_COMMANDS_PACK_PACK_H

#include "session/session.h"

/* Whether the layout has weights that are not float32. */
bool pack_rounds(const session_t *s);
/* Of such a layout: on stdout, how far each weight of the packed file is from the store's; with
 * --calibrate, what that does to a text. False after errors in d. */
bool pack_report(const session_t *s, const unsigned char *file);

#endif
