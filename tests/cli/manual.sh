#!/bin/sh
# Pages of man and completion of shells: all commands and options stand in them, man formats them without a word, and the
# shells that are installed read them and offer what they should.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
PATH=$(dirname "$r"):$PATH
program=$(basename "$r") # the tests' own has another name

check commands 0 - "$r" help --format commands
commands=$(cat .out)
for command in run train help; do says "^$command\$"; done

# ---- pages ----
check man 0 - "$r" help --format man
cp .out reformerc.1
for command in $commands; do
    grep -q "fBreformerc.-$command.fR.1" reformerc.1 || fail "reformerc(1) does not name $command"
    check "man $command" 0 - "$r" help "$command" --format man
    cp .out "reformerc-$command.1"
    check "help $command" 0 - "$r" help "$command" # each option of it stands on the page, and no other
    sed -nE 's/^  (-., |    )--([a-z-]+).*/\2/p' .out | sort >wanted
    sed -nE '/^\.SH OPTIONS/,/^\.SH EXIT/s/^(.fB.-..fR, )?.fB.-.-([^ ]*).fR( .*)?$/\2/p' "reformerc-$command.1" |
        sed 's/\\-/-/g' | sort >found
    same "options of $command" found wanted
    present wanted
done
for page in reformerc.1 reformerc-cache.1; do
    grep -q REFORMERC_CACHE_SIZE $page || fail "$page does not tell how the compile cache is bounded"
done
if command -v man >/dev/null; then
    for page in reformerc*.1; do
        check "format $page" 0 - env LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l -Tutf8 "./$page"
        says '^REFORMERC'
    done
fi
equal 'requests of troff' "$(cat ./*.1 | grep -E '^[.]|^\x27' | grep -Ev '^[.](TH|SH|PP|TP)( |$)')" ''

# ---- shells ----
for shell in bash zsh fish; do
    check "$shell" 0 - "$r" help --format $shell
    cp .out completion.$shell
    for command in $commands; do says "$command"; done
done
check 'of one command' 1 'bash is of all commands together' "$r" help run --format bash
check 'unknown format' 1 "'csh' is not one of text, man" "$r" help --format csh

mkdir folder
touch model.yaml input.safetensors
# LINE|what stands in the line after a tab (zsh and bash add a blank, or not)
cat >lines <<'END'
reformerc gen|reformerc generate
reformerc mod|reformerc model.yaml
reformerc help ver|reformerc help verify
reformerc pack --dt|reformerc pack --dtype
reformerc pack --dtype b|reformerc pack --dtype bfloat16
reformerc pack --set num_ha|reformerc pack --set num_hashes=
reformerc pack --set compile.dtype=bf|reformerc pack --set compile.dtype=bfloat16
reformerc run --set axial_pos_embds=tr|reformerc run --set axial_pos_embds=true
reformerc model.yaml --set compile.sequence_length=|reformerc model.yaml --set compile.sequence_length=dynamic
reformerc pack --set extensions.layers.12.hidden_act=sig|reformerc pack --set extensions.layers.12.hidden_act=sigmoid
reformerc pack --set=train.memory=rev|reformerc pack --set=train.memory=reversible
reformerc sweep --set compile.dtype=float32,int|reformerc sweep --set compile.dtype=float32,int8
reformerc run --input inp|reformerc run --input input.safetensors
reformerc train --out fol|reformerc train --out folder/
reformerc train --task dupl|reformerc train --task duplicate
reformerc pack --target x86-64,aarch64+|reformerc pack --target x86-64,aarch64+bf16
reformerc verify --backends jit,c,inter|reformerc verify --backends jit,c,interpreter
reformerc model.yaml --lib|reformerc model.yaml --libs
END

in_bash() { # LINE: bash cuts words at =
    complete_in_bash "$1" "$(echo "$1" | sed 's/=/ = /g')"
}
complete_in_bash() { # LINE WORDS
    bash --norc -c '
        compopt() { :; }
        . ./completion.bash
        read -ra COMP_WORDS <<<"$2"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _reformerc
        [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[-1]}"))
        word=${COMPREPLY[*]}
        [ ! -d "$word" ] || word=$word/
        last=${COMP_WORDS[-1]}
        echo "${1%"${last#=}"}$word"' bash "$@"
}
in_fish() {
    XDG_CONFIG_HOME=$WORK/config HOME=$WORK fish -c '
        source completion.fish
        set offered (complete -C $argv[1] | string replace -r "\t.*" "")
        string replace -r -- "[^ ]*\$" (string join -- " " $offered) $argv[1]' "$1"
}
# One shell for all lines: its start is what takes time.
zsh_lines() {
    zsh -f -c '
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "autoload -U compinit; compinit -u -D; source ./completion.zsh"
        zpty -w shell "save() { print -r -- \$BUFFER >new; mv new buffer; BUFFER= }; zle -N save; bindkey ^X save"
        zpty -w shell "print rea""dy"
        zpty -r shell said "*ready*"
        while IFS="|" read -r line wanted; do
            zpty -n -w shell "$line"$'"'\\t\\x18'"'
            for try in {1..200}; do [[ -s buffer ]] && break; sleep 0.02; done
            cat buffer
            rm -f buffer
        done
        zpty -d shell' <lines 2>&1 | sed 's/ $//; s/\(--[a-z]*\)=$/\1/' >said.zsh
}
in_zsh() {
    [ -e said.zsh ] || zsh_lines
    sed -n "$(grep -nF "$1|" lines | cut -d: -f1)p" said.zsh
}
for shell in bash fish zsh; do
    command -v $shell >/dev/null || { echo "no $shell"; continue; }
    while IFS='|' read -r line wanted; do
        equal "$shell: $line" "$(in_$shell "$line" 2>&1)" "$wanted"
    done <lines
done
if command -v bash >/dev/null; then # whose COMP_WORDBREAKS has no =
    line='reformerc pack --set compile.dtype=float32,bf'
    equal 'bash, one word' "$(complete_in_bash "$line" "$line" 2>&1)" "${line}loat16"
fi
equal 'units, which are no values' "$(grep -c 'case .expect' completion.fish)" 0
finish
