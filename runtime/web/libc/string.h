/* All of libc that the runtime and compiled C ask for; host.c has it. */
#ifndef REFORMER_WEB_STRING_H
#define REFORMER_WEB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

#endif
