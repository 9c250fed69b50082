#!/bin/sh
# Faults that are sown on purpose, one by one: the test that is named beside each has to fail. mutations says which; a
# fault of another kind gets a row. Nothing but the edited file is compiled: its object stands in the place of its own, or
# before the libraries, when the test is linked again.
#   mutate.sh NINJA BUILD SOURCE WORK [PATTERN]       PATTERN: of the rows to be sown, all by default
set -u
ninja=$1 build=$2 source=$3 work=$4 pattern=${5:-}
rm -rf "$work" && mkdir -p "$work/cache" && cd "$build" || exit 1
export REFORMERC_CACHE="$work/cache"
commands() { "$ninja" -C "$build" -t commands "$1" | tail -n 1; }
sown=0 lived=0
complain() {
    lived=$((lived + 1))
    echo "FAIL $*"
}
while IFS='|' read -r file program edit why; do
    case $file in '' | '#'*) continue ;; esac
    printf '%s' "$file|$program|$edit|$why" | grep -q -e "$pattern" || continue
    sown=$((sown + 1))
    name="$file: $why"
    sed "$edit" "$source/$file" >"$work/sown.c"
    if cmp -s "$source/$file" "$work/sown.c"; then
        complain "$name: nothing was edited"
        continue
    fi
    object=$("$ninja" -C "$build" -t targets all | sed -n "s#^\(CMakeFiles/[^ ]*/$file\.o\):.*#\1#p" | head -n 1)
    compile=$(commands "$object" | sed "s# -c [^ ]*# -c $work/sown.c#; s# -o [^ ]*# -o $work/sown.o -O1 -w#; s# -M[FT] [^ ]*##g; s# -MD##")
    link=$(commands "bin/$program" | sed "s# -o bin/$program # -o $work/program $work/sown.o #; s# $object # #")
    sh -c "$compile" >"$work/said" 2>&1 && sh -c "$link" >>"$work/said" 2>&1 || {
        complain "$name: cannot be built"
        cat "$work/said"
        continue
    }
    if [ ! -e "$work/whole-$program" ]; then # what fails anyway shows nothing
        "bin/$program" >"$work/said" 2>&1 || complain "$program fails as it is"
        : >"$work/whole-$program"
    fi
    if timeout 300 "$work/program" >"$work/said" 2>&1; then complain "$name: $program is content"; else echo "found  $name"; fi
done <"$source/tests/mutate/mutations"
echo "$sown faults, $lived not found"
[ "$lived" -eq 0 ] && [ "$sown" -gt 0 ]
