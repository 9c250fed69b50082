/* The compile cache: files of machine code named by what they depend on.
 *
 * The folder is $REFORMERC_CACHE, else $XDG_CACHE_HOME/reformerc, else ~/.cache/reformerc. An entry is
 * DIR/<key><suffix> and ends with a seal (size and checksum of what precedes), since loading half a
 * library would end the process. Entries appear whole, by rename, so that processes may share a
 * cache; one that is damaged counts as absent.
 *
 * Entries are code that will run: a folder that another user owns, may write to or may replace is not used, and an
 * entry counts as absent unless it is this user's alone (support/trust.h). */
#ifndef REFORMERC_EXEC_CACHE_H
#define REFORMERC_EXEC_CACHE_H

#include <stdint.h>

#include "support/arena.h"
#include "support/diag.h"

/* NULL: no folder is named, or it cannot be written; or after a warning in d, it is not this user's alone. */
const char *cache_folder(arena_t *a, diag_t *d);

/* Keys: 128 bits of FNV-1a over parts, each with its length. */
typedef struct {
    uint64_t h[2];
} cache_key_t;
cache_key_t cache_key(void);
void cache_key_add(cache_key_t *k, const void *data, size_t n);
void cache_key_text(cache_key_t *k, const char *text);
const char *cache_path(arena_t *a, const char *folder, const cache_key_t *k, const char *suffix);

/* The entry, opened for reading and checked; close() it. -1: absent or damaged. */
int cache_open(const char *path);
/* What the entry holds, without its seal; heap_free() it. NULL: absent or damaged, nothing is said. */
char *cache_read(const char *path, size_t *bytes);
/* Data and seal, through a temporary file; an entry that cannot be kept is no error. `a`: for names. */
bool cache_write(arena_t *a, const char *path, const void *data, size_t n);
/* Seals a file made elsewhere in the folder and gives it its name. */
bool cache_install(const char *made, const char *path, diag_t *d);

#endif
