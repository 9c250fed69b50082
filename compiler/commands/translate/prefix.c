/* The C prefix of what a translation writes. */
#include "commands/translate/prefix.h"

#include <ctype.h>
#include <string.h>

#include "cli/name.h"

enum { MAX_NAME = 63 };

/* PREFIX_t would be a type of the C library, of <sys/types.h> (which <stdlib.h>, and so
 * <immintrin.h>, brings) or of C++. */
static const char library_types[] =
    " blkcnt blkcnt64 blksize caddr char16 char32 char8 clock clockid cnd constraint_handler"
    " daddr dev div double fenv fexcept float fpos fsblkcnt fsblkcnt64 fsfilcnt fsfilcnt64"
    " fsid gid id imaxdiv ino ino64 key ldiv lldiv locale loff max_align mbstate mode mtx"
    " nlink nullptr off off64 once_flag pid pthread pthread_attr pthread_barrier"
    " pthread_barrierattr pthread_cond pthread_condattr pthread_key pthread_mutex"
    " pthread_mutexattr pthread_once pthread_rwlock pthread_rwlockattr pthread_spinlock"
    " ptrdiff quad register rsize sig_atomic sigset size ssize suseconds thrd time timer tss"
    " u_char u_int u_int16 u_int32 u_int64 u_int8 u_long u_quad u_short uid useconds wchar"
    " wctrans wctype wint ";

static bool is_library_type(const char *name) {
    size_t n = strlen(name);
    for (const char *p = library_types; (p = strstr(p, name)); p++)
        if (p[-1] == ' ' && p[n] == ' ') return true;
    return false;
}

/* int8, uint_least16, intptr …: PREFIX_t is a type of <stdint.h>. */
static bool is_integer_type(const char *name) {
    if (*name == 'u') name++;
    if (strncmp(name, "int", 3) != 0) return false;
    name += 3;
    return isdigit((unsigned char)*name) || strcmp(name, "ptr") == 0 || strcmp(name, "max") == 0 ||
           strncmp(name, "_least", 6) == 0 || strncmp(name, "_fast", 5) == 0;
}

/* The runtime's own names are reformer_*; a model of that prefix would redefine them. */
static bool clashes(const char *name) {
    return strcmp(name, "reformer") == 0 || strncmp(name, "reformer_", 9) == 0 ||
           is_library_type(name) || is_integer_type(name);
}

static const char *prefix_from_path(arena_t *a, const char *path) {
    const char *stem = path_stem(a, path);
    char *name = arena_printf(a, "%.*s", MAX_NAME, stem);
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) || (unsigned char)*p >= 0x80) *p = '_';
    if (isalpha((unsigned char)name[0]) && !is_c_keyword(name) && !clashes(name)) return name;
    if (strspn(name, "_") == strlen(name)) return "model";
    return arena_printf(a, "m_%.*s", MAX_NAME - 2, name);
}

const char *prefix_name(arena_t *a, const spec_t *s, const char *path, diag_t *d) {
    const char *name = s->compile.name;
    if (!name) return prefix_from_path(a, path);
    if (!clashes(name) && !is_c_keyword(name)) return name;
    diag_error(d, s->at[KEY_compile_name],
               "'%s' clashes with names of the C library or the runtime", name);
    return NULL;
}
