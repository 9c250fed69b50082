#!/bin/sh
# Rows of mutations edit what is there: files move and lines change, and a row that edits nothing finds nothing.
#   rows.sh SOURCE
set -u
source=$1 rows=0 stale=0
while IFS='|' read -r file program edit why; do
    case $file in '' | '#'*) continue ;; esac
    rows=$((rows + 1))
    if [ -e "$source/$file" ] && ! sed "$edit" "$source/$file" | cmp -s - "$source/$file"; then continue; fi
    stale=$((stale + 1))
    echo "FAIL $file ($program): nothing is edited: $why"
done <"$source/tests/mutate/mutations"
echo "$rows rows, $stale that edit nothing"
[ "$stale" -eq 0 ] && [ "$rows" -gt 0 ]
