#!/bin/sh
# Names that would be code where they are written: specs, texts and settings with quotes, line feeds, signs of comments,
# shells, C, gnuplot, HTML, SVG and JSON. What is written compiles, draws and parses, and says the name.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
r=$REFORMERC
small_spec >tiny.yaml
few='--no-warnings --threads 1'
gnuplot --version >/dev/null 2>&1 || echo 'no gnuplot here, plots are not tried'

# ---- everywhere at once, a folder per name
number=0
hostile() { # NAME OF A SPEC, ITS TEXT AND A FOLDER
    number=$((number + 1))
    mkdir "$number" "$number/$1"
    cp tiny.yaml "$number/$1.yaml"
    printf 'a text of some bytes, more than two\n' >"$number/$1.txt"
    spec="./$number/$1.yaml" text="./$number/$1.txt"
    check "C: $1" 0 - "$r" "$spec" $few -o "$number/m.c"
    check "compiles: $1" 0 - with_flags cc -std=c11 -Wall -Wextra -Werror -Wcomment -fsyntax-only "$number/m.c"
    check "C on stdout: $1" 0 - "$r" "$spec" $few -o -
    says '^#include "[A-Za-z][A-Za-z0-9_]*\.h"$'
    check "loops: $1" 0 - "$r" "$spec" $few -o "$number/m.rir"
    check "loops again: $1" 0 - "$r" "$number/m.rir" $few -o "$number/again.rir"
    check "graph: $1" 0 '' "$r" "$spec" $few --dump graph
    check "page: $1" 0 - "$r" explain "$spec" $few --peak 1 --bandwidth 1 --html "$number/page.html"
    equal "no element of the name's: $1" "$(grep -c -e '<b>' -e '<script' -e '</text> ' "$number/page.html")" 0
    check "score: $1" 0 '' "$r" score "$spec" $few --backend reference --weights random --text "$text" --output "$number/s.json"
    equal "model: $1" "$(value "$number/s.json" model | tr -d '\n' | tail -c 6)" '.yaml"'
    plot="--output $number/w.svg"
    gnuplot --version >/dev/null 2>&1 || plot=
    check "sweep: $1" 0 '' "$r" sweep "$spec" $few --backend reference --weights random --text "$text" \
        --set 'num_hashes=1,2' $plot --output $number/w.json --output $number/w.csv
    json "$number/w.json" complete true
    if [ "$plot" ]; then
        equal "elements of the plot: $1" "$(grep -c -e '<b>' -e '<script' "$number/w.svg")" 0
        equal "title: $1" "$(sed -n 's/^.*<text>\(.*\): quality against speed<\/text>$/\1/p' "$number/w.svg")" "$2"
    fi
    absent pwned
}
hostile "'); system('touch pwned') #" "'); system('touch pwned') #"
hostile "''\" . system(\"touch pwned\") . \"" "''\" . system(\"touch pwned\") . \""
hostile 'a"b\n%s$(touch pwned)`touch pwned`@{x}^_2' 'a"b\n%s$(touch pwned)`touch pwned`@{x}^_2'
hostile '<b>&amp;<script>*' '&lt;b>&amp;amp;&lt;script>*'
hostile 'x
*'"$(printf '\r')"'
#error evil
system "touch pwned"
' 'x?*??#error evil?system "touch pwned"?'
turned=$(printf '\342\200\256')
hostile "a${turned}b$(printf '\357\277\277c\377d\033e')" "a${turned}b?c?d?e"
hostile 'what??' 'what??'
finish
