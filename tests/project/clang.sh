#!/bin/sh
# clang reads the compiler and the runtime as well, with its warnings as errors: whatever compiler builds them. What it says it
# says before it makes code, and all files are read by one process, since starting one for each would take most of the time.
#   clang.sh CLANG SOURCE WITHOUT FLAG…      WITHOUT: an extended regular expression of files that nothing builds here
set -eu
clang=$1 source=$2 without=$3
shift 3
warnings='-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -ffp-contract=off -fno-math-errno'
folders="-I$source/compiler -I$source/runtime"
read_all() { # FOLDER DEPTH FLAG…
    folder=$1 depth=$2
    shift 2
    files=$(find "$source/$folder" -maxdepth $depth -name '*.c' | grep -Ev "$without" | sort)
    [ "$(echo "$files" | wc -l)" -gt 10 ]
    # What the program for one file would be called with, less that file. They are words, quoted as a shell reads them.
    # shellcheck disable=SC2086
    alone=$("$clang" $warnings $folders "$@" -fsyntax-only '-###' -x c /dev/null 2>&1 | tail -n 1 |
        sed 's# "-main-file-name" "[^"]*"##; s# "/dev/null"$##')
    eval "$alone \$files" && echo "$folder: $(echo "$files" | wc -l) files"
}
read_all runtime 1 -std=c11 -Wconversion -fno-fast-math "$@"
read_all compiler 3 -std=gnu11 "$@"
