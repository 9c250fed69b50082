/* The compile cache: files of machine code named by what they depend on.
 *
 * The folder is $REFORMERC_CACHE, else $XDG_CACHE_HOME/reformerc, else ~/.cache/reformerc. An entry
 * is DIR/<key><suffix> and ends with a seal (size and checksum of what precedes), since loading
 * half a library would end the process. Entries appear whole, by rename, so that processes may
 * share a cache; one that is damaged counts as absent.
 *
 * Its entries hold $REFORMERC_CACHE_SIZE bytes at most, 1 GiB where that is not set; 0: nothing is
 * kept. Whoever has written entries removes those that were not used for the longest time, until
 * the others fit (cache_trim.c). There is no lock: an entry that is found is open, and stays what
 * it is though another process removes its name; one that is gone is absent, as if
 * it had never been made.
 *
 * Entries are code that will run: a folder that another user owns, may write to or may replace is
 * not used, and an entry counts as absent unless it is this user's alone (support/trust.h). */
#ifndef REFORMERC_EXEC_CACHE_H
#define REFORMERC_EXEC_CACHE_H

#include <stdint.h>

#include "support/arena.h"
#include "support/diag.h"

typedef struct {
    const char *folder; /* NULL: there is no cache */
    uint64_t limit;     /* bytes of all entries together, with their seals */
} compile_cache_t;

/* The cache to work with, its folder made where it is not there. There is none (and no error) where
 * no folder is named, where it cannot be written, where nothing is to be kept, or after a warning
 * in d, where it is not this user's alone. False after an error in d: what says
 * its size is none. */
bool cache_find(arena_t *a, compile_cache_t *c, diag_t *d);
/* The folder that is named, there or not; NULL: none. */
const char *cache_named(arena_t *a);
/* Warns of a folder that trusted_folder() refuses. */
void cache_distrust(diag_t *d, const char *dir, const char *why);
/* What $REFORMERC_CACHE_SIZE says. False after an error in d. */
bool cache_limit(uint64_t *bytes, diag_t *d);

/* Keys: 128 bits of FNV-1a over parts, each with its length. */
typedef struct {
    uint64_t h[2];
} cache_key_t;
cache_key_t cache_key(void);
void cache_key_add(cache_key_t *k, const void *data, size_t n);
void cache_key_text(cache_key_t *k, const char *text);
/* NULL: there is no cache. */
const char *cache_path(arena_t *a, const compile_cache_t *c, const cache_key_t *k,
                       const char *suffix);

/* The entry, opened for reading and checked, and used from now on; close() it.
 * -1: absent or damaged. */
int cache_open(const char *path);
/* What the entry holds, without its seal; heap_free() it. NULL: absent or damaged,
 * nothing is said. */
char *cache_read(const char *path, size_t *bytes);
/* Data and seal, through a temporary file. The entry, opened for reading, whatever others do to it
 * meanwhile; -1: it is not kept (no space, more than all entries may hold), which is
 * no error. `a`: for names. */
int cache_write(arena_t *a, const compile_cache_t *c, const char *path, const void *data, size_t n);

/* ---- all entries (cache_trim.c) -------------------------------------------------------------- */

typedef struct {
    const char *name; /* in the folder */
    uint64_t bytes;
    int64_t used_s, used_ns; /* when last, since 1970 */
} cache_entry_t;
typedef struct {
    cache_entry_t *entry; /* [n], the longest unused first */
    size_t n;
    uint64_t bytes;
} cache_list_t;

/* What stands in the folder: files of this cache's names that are this user's, nothing else. */
cache_list_t cache_list(arena_t *a, const char *folder);
/* Removes what was longest unused till the others take `limit` bytes at most, and temporary files
 * that writers left behind a day ago. What it has removed. */
cache_list_t cache_trim(arena_t *a, const char *folder, uint64_t limit);

#endif
