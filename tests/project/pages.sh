#!/bin/sh
# README and docs/ hold together.   pages.sh SOURCE
#
# Links lead to files of the repository and to headings in them; README keeps to its size, lines end at their column;
# every op of both IRs stands in its page, every page in README or in one that README names; documents that comments
# cite exist.
set -u
SOURCE=$1
cd "$SOURCE" || exit 1
export LC_ALL=C
most_lines=130
most_columns=100
faults=0
fault() {
    echo "$*"
    faults=$((faults + 1))
}

pages=$(ls README.md docs/*.md tests/golden/README.md)
[ "$(echo "$pages" | wc -l)" -ge 14 ] || fault "only these pages were found: $pages"

# ---- links ----
# Text outside of code: fenced and indented blocks and `spans` are left out.
prose() {
    awk '/^```/ { code = !code; next } code || /^    / { next } { gsub(/`[^`]*`/, "`"); print }' "$1"
}
# [text](target), also broken over two lines
targets() { prose "$1" | tr '\n' ' ' | grep -o '\](\(<[^>]*>\|[^) ]*\))' | sed 's/^](<*//; s/>*)$//'; }
# As GitHub names a heading: lower case, blanks are dashes, what is no letter, digit, dash or _ is dropped.
anchors() {
    awk '/^```/ { code = !code; next } !code && /^#+ / { sub(/^#+ */, ""); print }' "$1" |
        tr 'A-Z ' 'a-z-' | sed 's/[^a-z0-9_-]//g'
}
links=0
reached=
for page in $pages; do
    folder=$(dirname "$page")
    for target in $(targets "$page"); do
        links=$((links + 1))
        file_name=${target%%#*}
        reached="$reached docs/${file_name##*/}"
        case $target in
        http://* | https://*) continue ;;
        '#'*) file=$page ;;
        *) file=$folder/${target%%#*} ;;
        esac
        if [ ! -e "$file" ]; then
            fault "$page: a link to $target, which does not exist"
            continue
        fi
        case $target in
        *'#'*) anchors "$file" | grep -qx -e "${target#*#}" || fault "$page: $file has no heading for $target" ;;
        esac
    done
done
[ $links -ge 50 ] || fault "only $links links were found"

# Every page can be reached: a page has a link to it.
for page in docs/*.md; do
    case " $reached " in
    *" $page "*) ;;
    *) fault "nothing links to $page" ;;
    esac
done

# ---- sizes ----
columns() { # FILE, what may be longer: lines of code, tables and pictures (1), nothing (0)
    tr -d '\200-\277' <"$1" | awk -v file="$1" -v lenient="$2" -v most=$most_columns '
        /^```/ { code = !code }
        lenient && (code || /^    / || /^\|/ || /^!\[/) { next }
        length($0) > most { print file ":" NR ": has " length($0) " columns, " most " at most" }'
}
long=$(
    columns README.md 0
    for page in docs/*.md; do columns "$page" 1; done
)
[ -z "$long" ] || fault "$long"
lines=$(wc -l <README.md)
[ "$lines" -le $most_lines ] || fault "README.md has $lines lines, $most_lines at most"

# ---- references are whole ----
ops() { sed -nE 's/^X\([A-Z0-9_]+, *"([a-z0-9_]+)".*/\1/p' "$1"; }
whole() { # OPS PAGE: each op stands as `op` or **op**, or begins an indented form
    count=0
    for op in $(ops "$1"); do
        count=$((count + 1))
        grep -Eq "\`$op\`|\*\*$op\*\*|^    (%[a-z, %]+ = )?$op([. ]|\$)" "$2" || fault "$2: says nothing of $op"
    done
    [ $count -ge 30 ] || fault "only $count ops were found in $1"
}
whole compiler/graph/ops.def docs/graph.md
whole compiler/loops/ops.def docs/loops.md

# ---- places in the tree ----
# `compiler/data/task.h` and `tests/lower/right*.c` in a page: there is such a file or folder.
for page in $pages; do
    for place in $(grep -oE '`(compiler|runtime|tests|cmake|python|scripts|specs|generated)/[A-Za-z0-9_/.*-]*`' "$page" | tr -d '`'); do
        case $place in *NAME* | *FILE*) continue ;; esac # stands for any
        ls -d $place >/dev/null 2>&1 || fault "$page: names $place, which does not exist"
    done
done

# ---- documents that sources cite ----
# By their path from the repository.
sources=$(find compiler runtime tests cmake scripts specs generated -type f \
    \( -name '*.[ch]' -o -name '*.def' -o -name '*.cc' -o -name '*.cmake' -o -name '*.sh' -o -name '*.py' -o -name '*.yaml' \
    -o -name CMakeLists.txt \) ! -name pages.sh)
for cited in $(grep -ohE '[A-Za-z0-9_/.-]+\.md\b' $sources | sed 's|^/||; s|^\.\./||; s|^.*SOURCE_DIR/||' | sort -u); do
    [ -e "$cited" ] || fault "sources cite $cited: $(grep -lF "$cited" $sources | head -n 3 | tr '\n' ' ')"
done
others=$(grep -nE '(HF_SEMANTICS|\(DESIGN\b|\bDESIGN[:,])' $sources | head -n 5)
[ -z "$others" ] || fault "documents that are not in the repository: $others"
# "docs/semantics.md 6.3": the section is there; Q1 … : the quirk is.
for section in $(grep -ohE 'semantics\.md [0-9]+(\.[0-9]+)?' $sources | sed 's/.* //' | sort -u); do
    grep -qE "^#+ $section\.? " docs/semantics.md || fault "docs/semantics.md has no section $section"
done
for quirk in $(grep -ohE '\bQ[0-9]+\b' $(echo "$sources" | grep -E '^(compiler|tests/graph|tests/lower)/') | sort -u); do
    grep -qF "**$quirk**" docs/semantics.md || fault "docs/semantics.md has no $quirk"
done

echo "$(echo "$pages" | wc -l) pages, $links links, $faults faults"
[ $faults -eq 0 ]
