#!/bin/sh
# Files that are written: over nothing that is read, through links, a set whole or not at all, nothing left behind by
# signals, a quiet end behind a closed pipe, and only names that C can include.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
quiet='--no-warnings --backend reference'
cp -r "$CASES/a_clm_lsh_1hash" model
chmod -R u+w model
rm -f model/model-00001-of-00002.safetensors
cp -r model kept
cp model/config.json small.c
cp model/config.json small.yaml
cp small.c small.o
"$FORGE" make ids.st 'input_ids:I32:1,4=1*'
"$FORGE" make empty.st
cp -r ids.st empty.st small.c small.yaml small.o kept

# ---- an output over an input
over() { # NAME FILE COMMAND…
    title=$1 file=$2
    shift 2
    check "$title" 1 'is an input of this [a-z]+ and would be overwritten' "$@"
    same "$title" "$file" "kept/${file#model/}"
}
run="$r run model $quiet --input ids.st"
over run-weights model/model.safetensors $run --output model/model.safetensors
over run-config model/config.json $run --output model/config.json
over run-input ids.st $run --output ids.st
over run-rotations empty.st $run --rotations empty.st --output empty.st
over trace model/model.safetensors "$r" run model --no-warnings --input ids.st --output o.st --instrument model/model.safetensors
absent o.st
ln -s ids.st by-link.st
ln ids.st by-hard-link.st
over run-link ids.st $run --output by-link.st
over run-hard-link ids.st $run --output by-hard-link.st
over run-spelling ids.st $run --output "$PWD/model/../ids.st"
over run-stdout ids.st sh -c 'exec "$@" 1<>ids.st' sh $run --output -
over append small.yaml sh -c 'exec "$@" >>small.yaml' sh "$r" small.yaml --no-warnings -o -
cp text kept 2>/dev/null || { printf 'some text\n' >text; cp text kept; }
over eval-trace text "$r" eval model --no-warnings --text text --instrument text
over prompt text "$r" generate model $quiet --prompt-file text --tokens 2 --output text
over prompt-stdin text sh -c 'exec "$@" <text' sh "$r" generate model $quiet --tokens 2 --output text
over explain small.yaml "$r" explain small.yaml --no-warnings --peak 1 --bandwidth 1 --html small.yaml
over translation small.c "$r" small.c --no-warnings -o small.c
over header small.c "$r" model --no-warnings --buckets small.c -o small.c
cp small.c beside.h
cp beside.h kept
over spec-as-header beside.h "$r" beside.h --no-warnings -o beside.c
absent beside.c
cp model/model.safetensors kept/packed.weights
cp kept/packed.weights packed.weights
over weights-beside packed.weights "$r" model/config.json --no-warnings --weights packed.weights -o packed.c
absent packed.c packed.h
over tuning small.yaml "$r" tune small.yaml --tuning small.yaml
cp small.c model/model-00001-of-00002.safetensors
cp small.c kept/model-00001-of-00002.safetensors
over shard model/model-00001-of-00002.safetensors $run --output model/model-00001-of-00002.safetensors
rm model/model-00001-of-00002.safetensors

# ---- two outputs to one file
twice='would go to this one file'
check two-outputs 1 "$twice" "$r" run model --no-warnings --input ids.st --output o.st --instrument ./o.st
ln -s o.st o-link
check two-outputs-link 1 "$twice" "$r" run model --no-warnings --input ids.st --output o.st --instrument o-link
absent o.st
check fine 0 '' $run --output o.st
check fine-again 0 '' $run --output o.st
present o.st

# ---- links
mkdir away
ln -s ../linked/here.c away/chain.c
ln -s away/chain.c linked.c
mkdir linked
check link 0 - "$r" small.yaml --no-warnings -o linked.c --set compile.sequence_length=64
[ -L linked.c ] && [ -L away/chain.c ] || fail 'a link was replaced'
present linked/here.c linked.h
checks=$((checks + 1))
[ ! -L linked/here.c ] || fail 'the end of the links is a link'
check link-again 0 - "$r" small.yaml --no-warnings -o linked.c --set compile.sequence_length=64
tidy . away linked
ln -s circle.c circle.c
check circle 1 'circle.c: error: cannot create: Too many levels' "$r" small.yaml --no-warnings -o circle.c
check descriptor 0 '' sh -c 'exec "$@" >captured' sh $run --output /dev/stdout
same descriptor captured o.st

# ---- a set is whole or absent
mkdir set
for file in m.c m.h; do echo old >set/$file; done
mkdir set/m.weights
check set-folder 1 'm.weights: error: is a directory' "$r" model --no-warnings -o set/m.c
equal set-folder "$(cat set/m.c set/m.h)" "old
old"
rmdir set/m.weights
check set-limit 1 'cannot write: File too large' sh -c 'ulimit -f 64; exec "$@"' sh "$r" model --no-warnings -o set/m.c
equal set-limit "$(cat set/m.c set/m.h)" "old
old"
absent set/m.weights
tidy set
check set 0 - "$r" model --no-warnings -o set/m.c
present set/m.c set/m.h set/m.weights
tidy set

# The outputs of every command are a set: a full disk under one of them leaves the others as they were.
mkdir several
ln -s /dev/full several/full.json
ln -s /dev/full several/full.csv
ln -s /dev/full several/full.st
ln -s /dev/full several/full.trace
head -c 120 "$CHECKPOINT/validation.txt" >several/text
few="--no-warnings --threads 1 --set compile.sequence_length=64"
none() { # NAME FILE… ← COMMAND: fails for a full disk, and none of the files changes
    title=$1 full=$2 file=$3
    shift 3
    echo old >"several/$file"
    check "$title" 1 "several/$full: error: cannot write: No space left on device" "$@"
    equal "$title" "$(cat "several/$file")" old
    rm "several/$file"
    checks=$((checks + 1))
    "$@" >/dev/null 2>&1
    [ -e "several/$file" ] && fail "several/$file appeared"
    tidy several
}
score="$r score $CHECKPOINT $few --backend reference --text several/text"
none score full.json s.tsv $score --output several/s.tsv --output several/full.json
none score-other-order full.json s.tsv $score --output several/full.json --output several/s.tsv
none sweep full.json w.csv "$r" sweep "$CHECKPOINT" $few --backend reference --text several/text --set num_hashes=1 \
    --output several/w.csv --output several/full.json
rm -f several/*.partial
none bench full.csv b.json "$r" bench small.yaml --no-warnings --repeat 1 --threads 1 --lengths 16 \
    --output several/b.json --output several/full.csv
set_of="--no-warnings --threads 1"
none run full.trace o.st "$r" run model $set_of --input ids.st --output several/o.st --instrument several/full.trace
none run-other full.st t.trace "$r" run model $set_of --input ids.st --output several/full.st --instrument several/t.trace
none generate full.trace g.st "$r" generate model $set_of --input ids.st --tokens 2 --output several/g.st --instrument several/full.trace
none generate-other full.st t.trace "$r" generate model $set_of --input ids.st --tokens 2 --output several/full.st --instrument several/t.trace
none score-trace full.trace s.tsv "$r" score "$CHECKPOINT" $few --text several/text --output several/s.tsv --instrument several/full.trace
check eval-full 1 'stdout: error: cannot write' sh -c 'exec "$@" >/dev/full' sh "$r" eval "$CHECKPOINT" $few --text several/text --instrument several/e.trace
absent several/e.trace
check eval-trace 0 '' "$r" eval "$CHECKPOINT" $few --text several/text --instrument several/e.trace
present several/e.trace
if unshare -rm true 2>.err; then
    # one page holds the one file or the other, not both
    mkdir disk
    check full-disk 1 'error: cannot write: No space left on device' unshare -rm sh -c '
        mount -t tmpfs -o size=4k tmpfs disk && "$@"; code=$?; ls -A disk >left.txt; exit $code' sh \
        "$r" run model $set_of --input ids.st --output disk/o.st --instrument disk/t.trace
    equal full-disk "$(cat left.txt)" ''
else
    echo "no mounts here, a small disk is not tried: $(cat .err)"
fi

# ---- signals
mkdir struck tmp
for signal in INT TERM HUP; do
    for wait in 0.02 0.05 0.08 0.12; do
        TMPDIR=$PWD/tmp timeout -s $signal $wait "$r" model --no-warnings -o struck/m.c >/dev/null 2>&1
        rm -f struck/m.c struck/m.h struck/m.weights
    done
done
tidy struck
# A compiler that never ends: the folder that it works in goes with the signal.
printf '#!/bin/sh\ncase " $* " in *" --version "*) exit 0 ;; esac\n: >"$STARTED"\nexec sleep 20\n' >slow-cc
chmod +x slow-cc
for signal in INT TERM HUP; do
    name="folder after $signal"
    checks=$((checks + 1))
    rm -f started
    mkdir -p cache
    REFORMERC_CACHE=$PWD/cache STARTED=$PWD/started TMPDIR=$PWD/tmp env --default-signal=INT "$r" run model --no-warnings --backend c \
        --cc "$PWD/slow-cc" --input ids.st --output o2.st >/dev/null 2>.err </dev/null &
    pid=$!
    end_when "$signal" [ -e started ]
    [ -e started ] || fail 'the compiler was not started'
    for folder in cache/making-* tmp/*; do if [ -e "$folder" ]; then fail "$folder is left"; fi; done
done
absent o2.st
printf '#!/bin/sh\ncase " $* " in *" --version "*) exit 0 ;; esac\nkill -TERM $$\n' >slow-cc
check killed-compiler 1 'error: the C compiler was ended by a signal \(Terminated\): ' "$r" run model --no-warnings --backend c \
    --cc "$PWD/slow-cc" --input ids.st --output o2.st

# ---- a reader that has seen enough
for command in '--help-spec' schema 'explain small.yaml --no-warnings --peak 1 --bandwidth 1' 'small.yaml --no-warnings -o -'; do
    name="closed pipe: $command"
    checks=$((checks + 1))
    { "$r" $command 2>.err; echo $? >code; } | true
    # the pipe may still be open, and what is short fits in it
    code=$(cat code)
    [ "$code" -eq 141 ] || [ "$code" -eq 0 ] || fail "exit $code"
    [ -s .err ] && fail 'not quiet'
done

# ---- names
names() { # PATTERN NAME…
    text=$1
    shift
    for out in "$@"; do
        check "name $out" 1 "$text" "$r" small.yaml --no-warnings -o "$out"
        absent "$out" "${out%.c}.h"
    done
}
names 'stands in an #include of the code' 'a"b.c' 'a\b.c' 'a
int b;
.c' "$(printf 'a\rb.c')" 'what??.c' "$(printf 'a\342\200\256b.c')" "$(printf 'a\377.c')"
names "would hide the system's" stdint.c features.c immintrin.c avx9intrin.c pthread.c arm_neon.c string.c
names "before the runtime's own" reformer_rt.c reformer_generate.c
check plain-names 0 - "$r" small.yaml --no-warnings -o "it's a <model> \$(x).c" --set compile.sequence_length=64
check include 0 - with_flags cc -std=c11 -fsyntax-only "./it's a <model> \$(x).c"
cp small.yaml math.yaml
check stdout-header 0 - "$r" math.yaml --no-warnings -o - --set compile.sequence_length=64
says '#include "m_math.h"'
finish
