/* No memory of this process, nor of those it starts, becomes executable unless a file is mapped so: what SELinux
 * without execmem, systemd's MemoryDenyWriteExecute= and hardened containers do. */
#ifndef FORBID_H
#define FORBID_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LOAD(at)               BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(at))
#define LOAD_ARGUMENT(k)       LOAD(offsetof(struct seccomp_data, args) + 8 * (k)) /* little-endian */
#define IF_CALL(nr, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(nr), 0, otherwise)
#define IF_BITS(bits, otherwise)                                                                   \
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (unsigned)(bits), 0, otherwise)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (unsigned)(what))

/* False, with errno: this system has no such filters, or lets nobody set one. */
static inline bool forbid_code(void) {
    enum { PROTECTION = 2, FLAGS = 3 };
    struct sock_filter steps[] = {
        /* 0 */ LOAD(offsetof(struct seccomp_data, nr)),
        /* 1 */ IF_CALL(SYS_mprotect, 2), /* else 4 */
        /* 2 */ LOAD_ARGUMENT(PROTECTION),
        /* 3 */ IF_BITS(PROT_EXEC, 6), /* else 10; then 9 */
        /* 4 */ IF_CALL(SYS_mmap, 5),  /* else 10 */
        /* 5 */ LOAD_ARGUMENT(PROTECTION),
        /* 6 */ IF_BITS(PROT_EXEC, 3), /* else 10 */
        /* 7 */ LOAD_ARGUMENT(FLAGS),
        /* 8 */ IF_BITS(MAP_ANONYMOUS, 1), /* else 10 */
        /* 9 */ RETURN(SECCOMP_RET_ERRNO | EACCES),
        /* 10 */ RETURN(SECCOMP_RET_ALLOW),
    };
    steps[3].jt = 5;
    struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#endif
