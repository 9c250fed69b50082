#!/bin/sh
# Folders of the compiler call each other one way only: layers.cmake says so of headers, this of symbols, which a declaration
# of one's own would get around. A folder of a command is a folder.
#   circles.sh NM OBJECT…      OBJECT: …/compiler/FOLDER/FILE.c.o
set -eu
nm=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$nm" -A -g "$@" | awk '
    { folder = $1; sub(/.*\/compiler\//, "", folder); sub(/\/[^\/]*$/, "", folder) }
    $(NF - 1) == "U" { calls[folder " " $NF] }
    $(NF - 1) != "U" { home[$NF] = folder }
    END { for (c in calls) { split(c, x, " "); if (x[2] in home && home[x[2]] != x[1]) print x[1], home[x[2]] } }
' | sort -u >"$work/calls"
echo "$(tr ' ' '\n' <"$work/calls" | sort -u | wc -l) folders, $(wc -l <"$work/calls") times one calls another"
[ "$(wc -l <"$work/calls")" -gt 100 ]
tsort "$work/calls" >"$work/order" || exit 1 # it names those of a loop
# would one be found?
echo "support commands/run" | cat - "$work/calls" >"$work/broken"
if tsort "$work/broken" >"$work/order" 2>"$work/said"; then
    echo "a circle is not found"
    exit 1
fi
