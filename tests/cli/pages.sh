#!/bin/sh
# Commands in README and docs/ are what they say: blocks marked `sh` run, each page's in a folder of its own (docs/design.md
# tells the convention); in all other code a line with reformerc names a command that there is, and options that it has.
. "$(dirname "$0")/lib.sh"
pages="$SOURCE/README.md $(ls "$SOURCE"/docs/*.md)"
mkdir bin
ln -s "$REFORMERC" bin/reformerc
PATH=$WORK/bin:$PATH

# ---- what there is ----
name="list of commands"
: >.err
reformerc --help | sed -nE 's/^  reformerc ([a-z]+) ?.*/\1/p' >known
[ "$(wc -l <known)" -ge 12 ] || fail 'no list of commands'
options_of() { # COMMAND, '' : the one without a name; into a file, once
    list=$WORK/options-${1:-none}
    if [ ! -e "$list" ]; then
        reformerc ${1:+"$1"} --help | grep -E '^ {2,6}-' |
            grep -oE '(^ *|, )(--?[a-z][a-z0-9-]*)' | tr -d ', ' >"$list"
    fi
}

# ---- lines that are not run ----
# Code of a page as lines: fenced and indented blocks, continued lines joined, and `spans`; without comments.
code_lines() {
    awk '
        function show(line) { sub(/ +# .*/, "", line); print line }
        /^```/ { code = !code; next }
        code || /^    / {
            line = held $0
            held = ""
            if (line ~ /\\$/) { sub(/\\$/, " ", line); held = line } else show(line)
            next
        }
        { n = split($0, part, "`"); for (i = 2; i <= n; i += 2) show(part[i]) }' "$1"
}
# From the name of the program on, up to what the shell would end it by.
calls() {
    code_lines "$1" | grep -E '^ *(mpirun .*|.*[|(] *)?reformerc [^ ]' |
        sed -E 's/.*(^|[ |(])reformerc /reformerc /; s/ [|<>;&].*//; s/\).*//'
}
check_call() { # PAGE WORD…
    page=$1
    shift 2
    name="$page: reformerc $*"
    checks=$((checks + 1))
    command=
    case ${1-} in
    -* | *[A-Z./…]*) ;;
    *)
        command=$1
        if ! grep -qx -e "$command" known; then
            fail "there is no command '$command'"
            return
        fi
        ;;
    esac
    [ "$command" = help ] && return
    options_of "$command"
    for word in "$@"; do
        word=${word%%=*}
        word=$(printf '%s' "$word" | tr -d "\"'[],")
        case $word in
        - | --) ;;
        -*) grep -qx -e "$word" "$list" || fail "'${command:-reformerc MODEL}' has no option $word" ;;
        esac
    done
}
set -f
for page in $pages; do
    calls "$page" >lines
    while read -r line; do
        check_call "${page#"$SOURCE"/}" $line
    done <lines
done
set +f
name='lines of pages'
[ "$checks" -ge 60 ] || fail "only $checks were found"

# ---- blocks that run ----
blocks() { # PAGE FOLDER: block-01 … as scripts
    awk -v folder="$2" '
        /^```sh$/ { file = sprintf("%s/block-%02d", folder, ++n); next }
        /^```/ { file = "" }
        file { print >file }' "$1"
}
if reformerc --version | grep -q 'no LLVM'; then
    echo 'without LLVM blocks of pages are not run'
    finish
fi
# The tests are shown with a text that is read in a tenth of the time; golden_checkpoint_eval reads all of it.
mkdir -p tests/golden/checkpoint
for from in . golden golden/checkpoint; do
    for shown in "$SOURCE/tests/$from"/*; do
        to=tests/$from/$(basename "$shown")
        [ -e "$to" ] || ln -s "$shown" "$to"
    done
done
rm tests/golden/checkpoint/validation.txt
head -c 3000 "$CHECKPOINT/validation.txt" >tests/golden/checkpoint/validation.txt
ran=0
for page in $pages; do
    folder=$WORK/of-$(basename "$page" .md)
    mkdir "$folder" "$folder/scripts"
    for shown in specs runtime generated; do ln -sn "$SOURCE/$shown" "$folder/$shown"; done
    ln -sn "$WORK/tests" "$folder/tests"
    blocks "$page" "$folder/scripts"
    cd "$folder" || exit 1
    case $page in # one of them measures as its readers do
    */performance.md) unset QUICK_CLOCK ;;
    *) export QUICK_CLOCK=1 ;;
    esac
    for script in scripts/block-*; do
        [ -e "$script" ] || continue
        ran=$((ran + 1))
        check "${page#"$SOURCE"/}, block ${script#scripts/block-}" 0 '' bash -eu -o pipefail "$script"
    done
    cd "$WORK" || exit 1
done
name='blocks of pages'
[ $ran -ge 15 ] || fail "only $ran were found"
finish
