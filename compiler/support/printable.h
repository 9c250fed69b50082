/* Text from files that nobody vouches for, on its way to a terminal: control characters (C0, DEL
 * and the C1 set, which terminals obey in UTF-8 too) and broken UTF-8 must not get there. */
#ifndef REFORMERC_SUPPORT_PRINTABLE_H
#define REFORMERC_SUPPORT_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at p < end. *ok: it is valid UTF-8 and no control character; otherwise the
 * bytes to replace by one '?'. */
size_t printable(const char *p, const char *end, bool *ok);

#endif
