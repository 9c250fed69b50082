/* The rules of header.h. A product compiles with -I FOLDER, and that folder comes
 * before the system's. */
#include "commands/translate/header.h"

#include <string.h>

#include "cli/name.h"
#include "support/file.h"
#include "support/printable.h"

/* C and POSIX, then what glibc, gcc and clang bring and include from one another. */
static const char taken[] =
    " __stddef_max_align_t a.out acc_prof aio aliases alloca altivec ar argp argz arm64intr "
    "arm_acle arm_bf16 arm_cde arm_cmse arm_fp16 arm_mve arm_mve_types arm_neon "
    "arm_neon_sve_bridge arm_sme arm_sve arm_vector_types armintr assert builtins byteswap "
    "cet complex cpio cpuid cross-stdarg crypt ctype dirent dlfcn elf endian envz err errno "
    "error execinfo fcntl features features-time64 fenv float fmtmsg fnmatch fplimits "
    "fpu_control fstab fts ftw gconv gcov getopt glob gnu-versions grp gshadow iconv ieee754 "
    "ifaddrs inttypes iso646 langinfo lastlog libgen libintl limits link locale malloc math "
    "mcheck memory mm3dnow mm_malloc mntent monetary mqueue msa ndbm netdb nl_types nss "
    "obstack omp omp-tools ompt openacc opencl-c paths poll ppc-asm printf proc_service "
    "pthread pty pwd quadmath quadmath_weak re_comp regex regexp resolv riscv_vector sched "
    "search semaphore setjmp sgtty shadow signal spawn stab stdalign stdarg stdatomic stdbit "
    "stdbool stdc-predef stdckdint stdcountof stddef stdfix stdint stdint-gcc stdio stdio_ext "
    "stdlib stdnoreturn string strings stropts syscall sysexits syslimits syslog tar term "
    "termcap termio termios tgmath thread_db threads time ttyent uchar ucontext ulimit unistd "
    "unwind utime utmp utmpx values varargs wait wasm_simd128 wchar wctype wordexp xlocale ";

static const char runtime[] = " reformer_rt reformer_generate rt_int generate_int ";

static bool is_listed(const char *list, const char *name) {
    size_t n = strlen(name);
    if (n == 0 || strchr(name, ' ')) return false;
    for (const char *p = list; (p = strstr(p, name)); p++)
        if (p[-1] == ' ' && p[n] == ' ') return true;
    return false;
}

/* Compilers have dozens of immintrin, avx2intrin, wmmintrin … , and another few
 * with every version. */
static bool is_system_header(const char *stem) {
    return is_listed(taken, stem) || ends_with(stem, "intrin");
}

/* Characters that turn the text after them, where an editor shows it: compilers warn of them. */
static bool turns_text(const char *p, size_t n) {
    if (n != 3 || memcmp(p, "\xE2", 1) != 0) return false;
    unsigned char second = (unsigned char)p[1], third = (unsigned char)p[2];
    return (second == 0x80 && third >= 0xA8 && third <= 0xAE) ||
           (second == 0x81 && third >= 0xA6 && third <= 0xA9);
}

/* Between quotes C has no escapes; "??/" is a backslash in C11. What cannot be; NULL: all can. */
static const char *unwritable(const char *name) {
    for (const char *p = name, *end = p + strlen(p); p < end;) {
        bool ok;
        size_t n = printable(p, end, &ok);
        if (!ok) return "a control character, or one that is not UTF-8";
        if (turns_text(p, n)) return "a character that turns the direction of text";
        if (*p == '"') return "a double quote";
        if (*p == '\\') return "a backslash";
        if (p[0] == '?' && p[1] == '?') return "'\?\?'";
        p += n;
    }
    return NULL;
}

bool header_name_check(arena_t *a, const char *out, diag_t *d) {
    const char *slash = strrchr(out, '/'), *stem = path_stem(a, out);
    const char *bad = unwritable(slash ? slash + 1 : out);
    if (bad)
        diag_error(d, IN_FILE(out),
                   "its name stands in an #include of the code, where %s cannot be", bad);
    else if (is_listed(runtime, stem))
        diag_error(d, IN_FILE(out), "its header would stand before the runtime's own %s.h", stem);
    else if (is_system_header(stem))
        diag_error(d, IN_FILE(out), "its header would hide the system's <%s.h>", stem);
    else return true;
    diag_hint(d, "give it another name");
    return false;
}

const char *header_name_for(arena_t *a, const char *name) {
    bool hides = is_listed(runtime, name) || is_system_header(name);
    return arena_printf(a, "%s%s.h", hides ? "m_" : "", name);
}
