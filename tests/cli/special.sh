#!/bin/sh
# What is no file, in place of each file that a command reads: an error at once, whatever stands there, and no wait for
# what may never come.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
model=$CASES/a_clm_lsh_1hash
"$FORGE" make ids.st 'input_ids:I32:1,64=1*'
echo hello >text.txt
echo '# reformerc tuning 1' >tuning
mkdir folder weights index sharded generation
cp "$model/config.json" weights
cp "$model/config.json" index
cp "$model/config.json" sharded
cp "$model/config.json" "$model/model.safetensors" generation
mkfifo pipe
"$FORGE" socket socket
: >empty
echo secret >unreadable
chmod 000 unreadable
kinds='pipe folder socket /dev/zero empty absent'
[ -r unreadable ] || kinds="$kinds unreadable" # root reads all

soon() { # NAME CODE PATTERN COMMAND…
    title=$1 wanted=$2 text=$3
    shift 3
    check "$title" "$wanted" "$text" timeout 60 "$@"
}

# A pipe is given a second to find its writer: all who wait do so at once, and are judged afterwards.
waiting=0
wait_at_once() { # NAME PATTERN COMMAND…
    waiting=$((waiting + 1))
    printf '%s\n' "$1" >waits.$waiting.name
    printf '%s\n' "$2" >waits.$waiting.pattern
    shift 2
    (
        timeout 60 "$@" >/dev/null 2>waits.$waiting.err </dev/null
        echo $? >waits.$waiting.code
    ) &
}
all_waited() {
    wait
    while [ $waiting -gt 0 ]; do
        check "$(cat waits.$waiting.name)" 1 "$(cat waits.$waiting.pattern)" \
            sh -c 'cat "waits.$1.err" >&2; exit "$(cat "waits.$1.code")"' sh $waiting
        waiting=$((waiting - 1))
    done
}

# FILE stands for what is no file; each line is a way to name one.
while read -r command; do
    for kind in $kinds; do
        line=$(printf '%s\n' "$command" | sed "s|FILE|$kind|g; s|MODEL|$model|g; s|CHECKPOINT|$CHECKPOINT|g")
        case "$kind $command" in
        'folder FILE '* | 'folder eval FILE '*) pattern='folder: error: holds no config.json|folder.*config.json' ;;
        'folder '*'--weights'*) pattern='folder: error: ' ;;
        *) pattern="($kind|stdin)(:1:1)?: error: " ;;
        esac
        if [ $kind = pipe ]; then wait_at_once "$line" "$pattern" "$r" $line; else soon "$line" 1 "$pattern" "$r" $line; fi
    done
done <<'END'
FILE -o m.c
eval FILE --weights random --text text.txt
MODEL --weights FILE -o m.c
MODEL --rotations FILE -o m.c
MODEL --buckets FILE -o m.c
MODEL --tuning FILE -o m.c
run MODEL --backend reference --input FILE --output o.st
run MODEL --backend reference --input ids.st --output o.st --weights FILE
run MODEL --backend reference --input ids.st --output o.st --rotations FILE
run MODEL --backend reference --input ids.st --output o.st --buckets FILE
eval CHECKPOINT --backend reference --text FILE
score CHECKPOINT --backend reference --text FILE
sweep CHECKPOINT --backend reference --text FILE
generate CHECKPOINT --backend reference --tokens 1 --prompt-file FILE
generate CHECKPOINT --backend reference --tokens 1 --input FILE
verify MODEL --backends reference,interpreter --input FILE
bench MODEL --lengths 64 --repeat 1 --vs FILE
explain MODEL --tuning FILE
END
all_waited
absent m.c o.st

# Files that go by their names.
printf '{"weight_map": {"a": "shard"}}' >sharded/model.safetensors.index.json
at() { # PLACE COMMAND…: each of $kinds stands at PLACE
    place=$1
    shift
    for kind in $kinds; do
        rm -rf "$place"
        case $kind in
        pipe) mkfifo "$place" ;;
        folder) mkdir "$place" ;;
        socket) "$FORGE" socket "$place" ;;
        zero) ln -s /dev/zero "$place" ;;
        empty) : >"$place" ;;
        esac
        how=soon code='1'
        [ $kind = pipe ] && how=wait_at_once code=''
        # No code is no word. shellcheck disable=SC2086
        $how "$kind at $place" $code "$place(:1:1)?: error: " "$r" "$@"
    done
}
for kinds in pipe 'folder socket zero empty'; do
    at x.rir x.rir
    at x.yaml x.yaml -o m.c
    at weights/model.safetensors weights -o m.c
    at index/model.safetensors.index.json index -o m.c
    at sharded/shard sharded -o m.c
    at generation/generation_config.json generate generation --backend reference --tokens 1 --input ids.st --stop-at-eos --output o.st
    at tuned tune "$model" --lengths 64 --tuning tuned --repeat 1
    at go.csv.partial sweep "$CHECKPOINT" --backend reference --text text.txt -o go.csv
    all_waited
done
absent m.c

# Entries of the cache are made again, whatever stands in their place.
REFORMERC_CACHE=$WORK/cache
export REFORMERC_CACHE
compiled() { soon "$1" 0 '' "$r" run "$model" --input ids.st --output "$2"; } # NAME OUTPUT
compiled 'a cache' first.st
entries=$(cd cache && find . -type f)
checks=$((checks + 1))
[ "$entries" ] || fail 'no entries'
for kind in pipe folder socket zero empty; do
    for entry in $entries; do
        entry=cache/$entry
        rm -rf "$entry"
        case $kind in
        pipe) mkfifo "$entry" ;;
        folder) mkdir "$entry" ;;
        socket) (cd "$(dirname "$entry")" && "$FORGE" socket "$(basename "$entry")") ;;
        zero) ln -s /dev/zero "$entry" ;;
        empty) : >"$entry" ;;
        esac
    done
    compiled "$kind for an entry" again.st
    same "the same figures, $kind" again.st first.st
    rm -f again.st
done
finish
