/* forbid COMMAND…: runs it where memory cannot be made executable (forbid.h). 77: that cannot be had here. */
#include "forbid.h"

#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    if (!forbid_code()) {
        perror("forbid: seccomp");
        return 77;
    }
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 1;
}
