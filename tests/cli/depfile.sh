#!/bin/sh
# --depfile: a rule that make reads, whatever stands in the names; of every file that was read, and of no other.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
small_spec >model.yaml
translate() { "$r" "$@" --target native --set compile.sequence_length=32; }

check plain 0 - translate model.yaml --weights random:1 -o model.c --depfile model.d
equal 'of a spec' "$(tr -s ' \\\n' ' ' <model.d)" 'model.c: model.yaml '
check rir 0 - "$r" model.yaml --target native --set compile.sequence_length=32 -o model.rir --depfile rir.d
equal 'of loop IR' "$(tr -s ' \\\n' ' ' <rir.d)" 'model.rir: model.yaml '

# All that is read: weights, rotations; a checkpoint folder's files.
check pack 0 '' "$r" pack model.yaml --weights random:1 -o "w.safetensors"
"$FORGE" make none.st
check weights 0 - translate model.yaml --weights w.safetensors --rotations none.st -o model.c --depfile model.d
for file in model.yaml w.safetensors none.st; do
    checks=$((checks + 1))
    name=$file
    grep -q " $file" model.d || fail 'is not in the rule'
done
check folder 0 - "$r" "$CHECKPOINT" --target native --set compile.sequence_length=32 -o folder.rir --depfile folder.d
checks=$((checks + 1)); name=folder
grep -q "$CHECKPOINT/config.json" folder.d || fail 'config.json is not in the rule'

# Make comes to do it again when a file is newer, and only then.
odd='a b#c$d:e%f\'
mkdir "$odd"
cp model.yaml "$odd/x \\ y.yaml"
check odd 0 - translate "$odd/x \\ y.yaml" -o "$odd/out put.c" --depfile "$odd/d" --set compile.name=m
if command -v make >/dev/null; then
    cat >Makefile <<'MAKE'
include rule
%put.c:
	touch done
MAKE
    cp "$odd/d" rule
    out=$(sed 's/: .*//; q' rule)
    would() { make -rq -f Makefile "$odd/out put.c" >.out 2>.err; echo $?; }
    touch -d '2020-01-01' "$odd/x \\ y.yaml"
    equal 'up to date' "$(would)" 0
    touch -d '2040-01-01' "$odd/x \\ y.yaml"
    equal 'out of date' "$(would)" 1
    rm "$odd/x \\ y.yaml"
    equal 'gone' "$(would)" 2
    checks=$((checks + 1)); name='gone'
    grep -qF "x \\ y.yaml" .err || fail 'make speaks of another file'
fi

# What cannot be.
check stdout 1 'says what a file is made of' translate model.yaml -o - --depfile d
check nothing 1 'says what a file is made of' "$r" model.yaml --verify --depfile d
check itself 1 'says what a file is made of' translate model.yaml -o x.c --depfile x.c
check input 1 'model.yaml: error: is read, and --depfile would write over it' translate model.yaml -o x.c --depfile model.yaml
absent x.c x.h d
cp model.yaml 'line
break.yaml'
check break 1 'a line break in its name' translate 'line
break.yaml' -o x.c --depfile d --set compile.name=m
check no-folder 1 'no/where' translate model.yaml -o x.c --depfile no/where
absent x.c x.h d
finish
