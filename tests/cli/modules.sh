#!/bin/sh
# Parts of the program in files of their own: found beside it wherever it stands, and only when they are needed; one that is
# missing, no library, of another version or without what it is linked with is told by its name.
. "$(dirname "$0")/lib.sh"
lib=${10:?lib} cc=${11:?cc}
mkdir -p moved/bin "moved/$lib/reformerc"
cp "$REFORMERC" moved/bin/reformerc
moved=$WORK/moved/bin/reformerc
small_spec >model.yaml
printf '\n\1\2\377' >text.model
printf 'words' >words
printf 'const char *const reformerc_module[] = {"0.0.9"};\n' >old.c
"$cc" -shared -fPIC -o libgone.so old.c
check 'what needs none' 0 '' "$moved" model.yaml -o model.c

broken() { # NAME NEEDS COMMAND…
    module=$1 needs=$2
    shift 2
    file=$WORK/moved/$lib/reformerc/$module.so
    hint='hint: install reformerc again, with all of its files'
    check "$module is missing" 1 "$file: error: is missing: the part of reformerc that uses $needs" "$@"
    checks=$((checks + 1))
    grep -q "$hint" .err || fail 'no hint'
    printf 'damaged' >"$file"
    check "$module is damaged" 1 "$file: error: cannot be loaded: (file too short|invalid ELF header)" "$@"
    "$cc" -shared -fPIC -o "$file" old.c -Wl,--no-as-needed -L. -lgone
    check "$module lacks a library" 1 "$file: error: cannot be loaded: libgone.so: cannot open" "$@"
    checks=$((checks + 1))
    grep -q "hint: it needs $needs (Debian: lib[a-z0-9]*)" .err || fail 'no hint of what it needs'
    "$cc" -shared -fPIC -o "$file" old.c
    check "$module of another version" 1 "$file: error: is no part of reformerc [0-9.]*\$" "$@"
    rm "$file"
}
reading="$moved tokenize model.yaml --set compile.text=sentencepiece:text.model --text words -o words.bin"
if [ "${12}" = TRUE ]; then
    broken sentencepiece SentencePiece $reading
    cp "$(dirname "$REFORMERC")/../$lib/reformerc/sentencepiece.so" "moved/$lib/reformerc"
    check 'sentencepiece is there' 1 'text.model: error: is damaged, or no SentencePiece model' $reading
fi
[ "${13}" != TRUE ] || broken mpi MPI env PMI_SIZE=2 "$moved" train model.yaml --text words --out out
absent words.bin out
finish
