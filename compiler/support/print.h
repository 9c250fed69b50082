/* Text by a format, as vsnprintf() writes it, for who writes much of it: a translation to C is a
 * hundred thousand short texts, of names and whole numbers. */
#ifndef REFORMERC_SUPPORT_PRINT_H
#define REFORMERC_SUPPORT_PRINT_H

#include <stdarg.h>
#include <stddef.h>

/* The same text and result as vsnprintf(), in the locale of C where a format has nothing but %s,
 * %.*s, %c, %% and whole numbers. */
int print_text(char *out, size_t room, const char *fmt, va_list ap);

#endif
