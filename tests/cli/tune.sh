#!/bin/sh
# tune: what it measures goes into a file that keeps what others wrote; commands use it, say so, and compute the
# same bits; stale entries are warned of, wrong lines refused. No check here asks for a speed.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
tiny=$CASES/b_clm_alt_4hash_factorised # 64 positions, both kinds of layers
small=$CASES/p_base_model_local_only
magic='# reformerc tuning 1'
t() { # NAME CODE PATTERN ARGUMENTS…
    title=$1 want_code=$2 text=$3
    shift 3
    check "$title" "$want_code" "$text" "$r" tune "$tiny" --repeat 1 --threads 1 "$@"
}
ok() { # WHAT COMMAND…
    checks=$((checks + 1))
    what=$1
    shift
    "$@" || fail "$what"
}
lines() { grep -c "$1" "$2" || true; }
sorted() { grep -v '^#' "$1" | LC_ALL=C sort -c 2>/dev/null; }

# ---- what it finds ----
check help 0 - "$r" tune --help
says '\-\-tuning FILE'
t figures 0 '^1 target on ".*", at most [0-9]+ rounds; back end [a-z]+, 1 thread$' --tuning t.tuning
says '^.*, length 64, batch 1, 1 thread, back end [a-z]+, 1 round$'
says '^ +tried +tile +block +run +time +quartiles'
says '^ +analytic +[1-4]x[0-9]+ +96 +8 +1.000'
says '^ +tile +[1-4]x[0-9]+ +96 +8 +[0-9.]+ +[0-9.]+ … [0-9.]+'
says '^ +block +[1-4]x[0-9]+ +32 +8 +[0-9.]+ '
says ' Alternatives that make the code of another: [0-9]+\.$'
says '^ +run +[1-4]x[0-9]+ +[0-9]+ +2 +[0-9.]+ '
present t.tuning
tidy .
ok 'the version is missing' [ "$(head -n 1 t.tuning)" = "$magic" ]
head=$(sed -n 's/^\([a-z0-9-]*, h48-3x16-ff64-lsh8x2-local8x2 on ".*"\)$/\1/p' .out)
target=${head%%,*}
shapes=${head#*, }
shapes=${shapes%% on *}
cpu=${head#*\"}
cpu=${cpu%\"}
ok 'the table does not say what it is of' [ -n "$target$cpu" ]
mine="cpu=\"$cpu\" target=$target shapes=$shapes"
kept=$(lines '^t.tuning: .*: kept$' .err)
ok 'what it says and what it wrote differ' [ "$kept" -eq "$(lines "^$mine " t.tuning)" ]
ok 'more than one entry' [ "$(wc -l <t.tuning)" -eq $((1 + kept)) ]

# Nothing is written that was not asked for.
mkdir quiet && cd quiet || exit 1
check no-file 0 '' "$r" tune "$small" --repeat 1 --threads 1 --lengths 16
cd .. || exit 1
ok 'a file nobody asked for' [ -z "$(ls quiet)" ]
check lengths 0 '' "$r" tune "$small" --repeat 1 --threads 1 --lengths 16,48
says 'length 16, 48, batch 1'

# ---- merging ----
other='cpu="A Z80" target=x86-64 shapes=h1-1x1-ff1-lsh8x2 tile=1x2 block=32 run=1 gain=1.5% lowering=1'
old="cpu=\"A Z80\" target=$target shapes=$shapes tile=1x2 block=32 run=1 gain=1.5% lowering=0"
printf '%s\n' "$magic" "$other" '# as found in spring' "$mine tile=1x1 block=2 run=1 gain=99.9% lowering=1" "$old" >m.tuning
t merge 0 'm.tuning:5:1: warning: the entry is not used: it is of lowering 0' --tuning m.tuning
ok 'the entry of another key is gone' grep -qxF "$other" m.tuning
ok 'the entry of an older lowering is gone' grep -qxF "$old" m.tuning
ok 'the comment is gone' grep -qx '# as found in spring' m.tuning
ok 'the old entry of this key stays' [ "$(lines 'gain=99.9%' m.tuning)" -eq 0 ]
ok 'lines are not sorted' sorted m.tuning
kept=$(lines '^m.tuning: .*: kept$' .err)
ok 'it does not say what became of the old entry' \
    [ $((kept + $(lines '^m.tuning: .*: the entry is taken out$' .err))) -eq 1 ]
printf '%s\n' "$magic" "$other" >a.tuning
printf '%s\n' "$magic" "$mine tile=1x2 block=32 run=1 gain=1.0% lowering=1" >b.tuning
cat b.tuning a.tuning >c.tuning
check cat 0 'c.tuning:2: .*: tile 1x2, block 32, run 1' "$r" run "$tiny" --input "$tiny/inputs.safetensors" \
    --output /dev/null --tuning c.tuning

# ---- use: named once, the same bits ----
printf '%s\n' "$magic" >none.tuning
printf '%s\n' "$magic" "$mine tile=1x3 block=5 run=3 gain=1.0% lowering=1" >u.tuning
in="--input $tiny/inputs.safetensors"
check run-without 0 - "$r" run "$tiny" $in --output without.safetensors
for back in interpreter c jit; do
    "$r" run --help --backend $back 2>&1 | grep -q 'not built in' && continue
    check "run $back" 0 "^u.tuning:2: $target, $shapes: tile 1x3, block 5, run 3\$" "$r" run "$tiny" $in \
        --output with.safetensors --tuning u.tuning --backend $back
    ok "other bits by $back" cmp -s without.safetensors with.safetensors
done
check run-none 0 "^none.tuning: nothing for $target, $shapes on \".*\": the analytic choice\$" "$r" run "$tiny" $in \
    --output with.safetensors --tuning none.tuning
check run-reference 0 - "$r" run "$tiny" $in --output with.safetensors --tuning u.tuning --backend reference
# The type of products is of the key: of any layer, of trainings that of the training.
types() { # NAME SUFFIX ARGUMENTS…
    title=$1 suffix=$2
    shift 2
    check "$title" 0 "^none.tuning: nothing for [a-z0-9+_-]+, $suffix on " "$r" run --no-warnings --tuning none.tuning --threads 1 "$@"
}
layer='--set extensions.layers.0.dtype'
types 'a layer of bfloat16' "$shapes-bfloat16" "$tiny" $in --output t.safetensors $layer=bfloat16
types 'a layer of int8' "$shapes-int8" "$tiny" $in --output t.safetensors $layer=int8 --set compile.dtype=bfloat16
types 'a layer of floats' "$shapes-bfloat16" "$tiny" $in --output t.safetensors $layer=float32 --set compile.dtype=bfloat16
train=$CASES/k_train_clm_lsh_1hash
gradients="$train --input $train/inputs.safetensors --gradients t.safetensors"
types 'a training' 'h[a-z0-9-]*lsh[0-9]+x[0-9]+' $gradients
types 'a training of bfloat16' 'h[a-z0-9-]*lsh[0-9]+x[0-9]+-bfloat16' $gradients --set train.dtype=bfloat16
types 'its forward' 'h[a-z0-9-]*lsh[0-9]+x[0-9]+' "$train" --input "$train/inputs.safetensors" --output t.safetensors --set train.dtype=bfloat16
for command in "verify $in" 'explain --peak 1 --bandwidth 1' 'bench --repeat 1 --threads 1 --lengths 16,32'; do
    check "$command" 0 '' "$r" ${command%% *} "$tiny" ${command#* } --tuning u.tuning --no-warnings
    ok 'an entry is not named, or twice' [ "$(lines '^u.tuning:2: .* tile 1x3, block 5, run 3$' .err)" -eq 1 ]
done

head -c 300 "$CHECKPOINT/validation.txt" >text.txt
e="--text text.txt --threads 1 --set compile.sequence_length=128"
check eval-none 0 '^none.tuning: nothing for' "$r" eval "$CHECKPOINT" $e --tuning none.tuning
grep per_byte .out >want
key=$(sed -n "s/^none.tuning: nothing for \(.*\), \(.*\) on \"\(.*\)\": .*/cpu=\"\3\" target=\1 shapes=\2/p" .err)
printf '%s\n' "$magic" "$key tile=1x4 block=24 run=1 gain=1.0% lowering=1" >e.tuning
check eval 0 '^e.tuning:2: .*: tile 1x4, block 24, run 1$' "$r" eval "$CHECKPOINT" $e --tuning e.tuning
grep per_byte .out >got
ok 'eval scores otherwise' cmp -s want got
check sweep 0 '' "$r" sweep "$CHECKPOINT" $e --tuning e.tuning --set num_hashes=1,2
ok 'an entry is not named, or twice' [ "$(lines '^e.tuning:2: .* tile 1x4, block 24, run 1$' .err)" -eq 1 ]

# Translation: code of its own, and without the option the same as ever.
check plain 0 - "$r" "$tiny" -o model.c --target "$target" --no-warnings
mv model.c plain.c
check tuned 0 '^u.tuning:2: ' "$r" "$tiny" -o model.c --target "$target" --no-warnings --tuning u.tuning
ok 'the entry changes no code' [ -n "$(diff plain.c model.c)" ]
check tuned-none 0 '^none.tuning: nothing' "$r" "$tiny" -o model.c --target "$target" --no-warnings --tuning none.tuning
ok 'a file without entries changes code' cmp -s plain.c model.c
printf '%s\n' "$magic" "cpu=\"A Z80\" target=aarch64 shapes=$shapes tile=2x7 block=64 run=4 gain=1.0% lowering=1" >z.tuning
check other-cpu 0 'z.tuning:2:1: warning: the entry is not used: it is of another CPU, "A Z80"' "$r" "$tiny" -o z.c \
    --target aarch64 --tuning z.tuning
check named-cpu 0 '^z.tuning:2: aarch64, .*: tile 2x7, block 64, run 4$' "$r" "$tiny" -o z.c --target aarch64 \
    --tuning z.tuning --tuning-cpu 'A Z80' --no-warnings

# ---- entries that are not used: a warning for each reason, with their number ----
{
    echo "$magic"
    for n in 1 2 3; do echo "cpu=\"Z$n\" target=x86-64 shapes=h1 tile=2x4 block=96 run=8 gain=1.0% lowering=1"; done
    for n in 1 2; do echo "cpu=\"$cpu\" target=x86-64 shapes=h$n tile=2x4 block=96 run=8 gain=1.0% lowering=99"; done
    echo "$mine tile=2x99 block=96 run=8 gain=1.0% lowering=1"
} >s.tuning
check stale 0 's.tuning:2:1: warning: 3 entries are not used; the first is of another CPU, "Z1"' "$r" run "$tiny" $in \
    --output with.safetensors --tuning s.tuning
ok 'other lowering' grep -q 's.tuning:5:1: warning: 2 entries are not used; the first is of lowering 99' .err
ok 'illegal tile' grep -q 's.tuning:7:1: warning: the entry is not used: it is more than .* holds (tile 2x99' .err
ok 'a warning too many' [ "$(lines 'warning:' .err)" -eq 3 ]
ok 'other bits' cmp -s without.safetensors with.safetensors
check silent 0 '' "$r" run "$tiny" $in --output with.safetensors --tuning s.tuning --no-warnings
ok 'warnings in spite of --no-warnings' [ "$(lines 'warning:' .err)" -eq 0 ]

# ---- files that are wrong: nothing is computed, nothing written ----
wrong() { # NAME PATTERN LINE…: a file that all commands refuse
    title=$1 text=$2
    shift 2
    printf '%s\n' "$@" >w.tuning
    cp w.tuning kept.tuning
    rm -f out.safetensors
    check "$title" 1 "$text" "$r" run "$tiny" $in --output out.safetensors --tuning w.tuning
    absent out.safetensors
    t "$title, tune" 1 "$text" --tuning w.tuning
    ok 'a refusal changed the file' cmp -s w.tuning kept.tuning
}
wrong version "w.tuning:1:1: error: of another version: this program reads '$magic'" '# reformerc tuning 2'
wrong no-version 'w.tuning:1:1: error: is no file of tuning' "$other"
wrong doubled 'w.tuning:4:1: error: this CPU, target and shapes stand in line 2 too' "$magic" "$other" '' "$other"
wrong field "w.tuning:2:11: error: 'taget' is no field of an entry" "$magic" 'cpu="Z80" taget=x86-64'
wrong value "w.tuning:2:20: error: '2by4' is not a tile of VECTORSxROWS" "$magic" 'target=x86-64 tile=2by4'
wrong conflict "w.tuning:3:1: error: '<<<<<<<' is not KEY=VALUE" "$magic" "$other" '<<<<<<< HEAD'
wrong short "w.tuning:2:1: error: lacks 'target='" "$magic" 'cpu="Z80"'
check absent-file 1 'nowhere.tuning: error: cannot open' "$r" run "$tiny" $in --output out.safetensors --tuning nowhere.tuning
check help-reads-nothing 0 - "$r" run --help --tuning nowhere.tuning

# ---- what tune refuses ----
t place 1 'nowhere/t.tuning: error: cannot create' --tuning nowhere/t.tuning
t folder 1 'quiet: error: is a directory' --tuning quiet
t stdout 1 "^--tuning: error: '-' cannot be read and written" --tuning -
t interpreter 1 '^--backend: error: interpreter compiles nothing' --backend interpreter
t zero 1 "^--lengths: error: '0'" --lengths 0
t too-long 1 'more than the positions hold' --lengths 65
t target 1 "^--targets: error: 'x86' is not a target" --targets x86
t repeat 1 "^--repeat: error: 'often'" --repeat often
check stdin 1 "^MODEL: error: '-' can be read once only" "$r" tune -
check no-model 2 'missing MODEL' "$r" tune
absent nowhere

# ---- interrupted: the file is as it was ----
cp m.tuning i.tuning
name=interrupt
checks=$((checks + 1))
"$r" tune "$tiny" --repeat 1000 --threads 1 --tuning i.tuning >.out 2>.err &
pid=$!
end_when TERM grep -q 'at most' .err
[ $code -eq 143 ] || fail "exit $code, not 143"
ok 'it does not say so' grep -q '^interrupted$' .err
ok 'the file changed' cmp -s m.tuning i.tuning
tidy .
finish
