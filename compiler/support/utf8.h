/* Where a character of UTF-8 ends. */
#ifndef REFORMERC_SUPPORT_UTF8_H
#define REFORMERC_SUPPORT_UTF8_H

#include <stddef.h>

/* Length of the UTF-8 character at p (1 … 4), 0 where it is broken. */
size_t utf8_char(const char *p, const char *end);

#endif
