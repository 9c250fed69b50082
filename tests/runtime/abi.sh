#!/bin/sh
# abi.sh CC SOURCE [write]: everything that crosses the border between product, generated code, runtime and library, as
# the compiler sees it in the public headers, beside what it was when REFORMER_ABI got its number (abi.txt).
#
# Fails when it has changed and the number has not: raise REFORMER_ABI, then call this with `write`, which keeps the record
# of a number that is known. A new function is a change, too: code that calls it asks for a runtime that has it.
#
# A model's own functions are those of a generated header.
#
# The record: each structure with its fields in order, each enumeration with its values, each type and function, each macro,
# one a line, without comments. Layouts follow from it on any machine.
set -u
cc=$1 source=$2
record=$source/tests/runtime/abi.txt
new=$(mktemp)
trap 'rm -f "$new"' EXIT
export LC_ALL=C

# The preprocessor's output: only what our headers say, comments gone, white space made one blank, a declaration a line.
declarations() {
    printf '#include "reformerc.h"\n#include "reformer_generate.h"\n#include "crime-and-punishment-bytes.h"\n' |
        $cc -E -I"$source/runtime" -I"$source/compiler" -I"$source/generated" -x c -std=c11 - 2>/dev/null |
        awk '/^# [0-9]+ "/ { ours = $3 ~ /\/(reformer(c|_rt|_generate)|crime-and-punishment-bytes)\.h"$/; next } ours' |
        tr -s ' \t\n' '   ' |
        awk 'BEGIN { RS = "" }
             { n = length($0)
               for (i = 1; i <= n; i++) {
                   c = substr($0, i, 1)
                   depth += (c == "{") - (c == "}")
                   printf "%s", c
                   if (c == ";" && depth == 0) print ""
               } }' | sed -e 's/^ *//' -e 's/ *\([][(){},;*=]\) */\1/g'
}

# What they define, but for include guards, the number itself and the versions.
macros() {
    printf '#include "reformerc.h"\n#include "reformer_generate.h"\n' |
        $cc -E -dD -I"$source/runtime" -I"$source/compiler" -x c -std=c11 - 2>/dev/null |
        awk '/^# [0-9]+ "/ { ours = $3 ~ /\/reformer(c|_rt|_generate)\.h"$/; next } ours && /^#define REFORMERC?_/' |
        grep -Ev '^#define REFORMERC?_([A-Z]+_)?(H|ABI|VERSION|VERSION_NUMBER|KERNEL|REFUSAL|REFUSE_FAST_MATH.*|SETTLE.*)( |$)' |
        tr -s ' \t' ' ' | sed 's/ *$//'
}

number=$(sed -n 's/^#define REFORMER_ABI *\([0-9]*\).*/\1/p' "$source/runtime/reformer_rt.h")
{ echo "ABI $number"; declarations; macros; } >"$new"
[ "$(wc -l <"$new")" -gt 100 ] || { echo "$cc says nothing about the headers"; exit 1; }
if cmp -s "$new" "$record"; then
    echo "ABI $number: $(wc -l <"$record") lines, $(cksum <"$record" | cut -d ' ' -f 1)"
    exit 0
fi
known=$(sed -n 's/^ABI //p;q' "$record" 2>/dev/null)
diff "$record" "$new" | head -n 40
if [ "$number" = "$known" ]; then
    echo "what crosses the border has changed, and REFORMER_ABI is $number still: raise it (docs/stability.md)"
    exit 1
fi
if [ "${3:-}" = write ]; then
    cp "$new" "$record" && echo "written: ABI $number"
    exit
fi
echo "REFORMER_ABI is $number, the record is of $known: sh tests/runtime/abi.sh cc . write"
exit 1
