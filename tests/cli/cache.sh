#!/bin/sh
# The compile cache: how much it may hold, what `reformerc cache` says of it and clears; folders and disks that hold
# nothing cost time, not the run.
. "$(dirname "$0")/lib.sh"
SHOW_JSON=$6
r=$REFORMERC
small_spec >tiny.yaml
printf '#!/bin/sh\nexec cc "$@" -O0\n' >quick-cc # the last -O counts
chmod +x quick-cc
CC=$PWD/quick-cc
"$FORGE" make in.st 'input_ids:I32:1,32=3*'
run='run tiny.yaml --weights random --input in.st --output out.st'
REFORMERC_CACHE=$PWD/cache
export REFORMERC_CACHE CC
unset REFORMERC_CACHE_SIZE
backends='jit c'
"$r" $run --backend jit >/dev/null 2>.err || { grep -q 'jit is not built in' .err && backends=c; }
rm -rf cache out.st

state() { # PATH WANT: what --json says
    "$r" cache --json >state.json 2>.err || fail "exit $? of cache --json"
    json state.json "$1" "$2"
}
entries() {
    "$r" cache --json >state.json
    value state.json entries
}

# ---- what it says
name='nothing yet'
state entries 0
state bytes 0
state limit 1073741824
state folder "\"$PWD/cache\""
state oldest_use null
check 'as text' 0 - "$r" cache
says "^folder  *$PWD/cache\$"
says '^limit  *1,073,741,824 \(1.*GiB\)$'
absent cache
for b in $backends; do
    check "fills it, back end $b" 0 - "$r" $run --backend $b
    mv out.st "want-$b.st"
done
n=$(entries)
holds 'entries' "$n >= 1"
equal 'all there are' "$n" "$(ls cache | wc -l | tr -d ' ')"
equal 'bytes' "$(value state.json bytes)" "$(cat cache/* | wc -c | tr -d ' ')"
check 'as text' 0 - "$r" cache
says "^entries  *$n\$"
says '^oldest use  *20[0-9-]*T[0-9:]*Z$'
says '^newest use  *20[0-9-]*T[0-9:]*Z$'
for b in $backends; do
    check "from it, back end $b" 0 - "$r" $run --backend $b
    same "the same from the cache, $b" out.st "want-$b.st"
done
equal 'none were added' "$(entries)" "$n"

# ---- clearing
echo mine >cache/README
check 'clear' 0 - "$r" cache --clear
says "^removed  *$n entr(y|ies), [0-9,]+ bytes \\("
says '^entries  *0$'
present cache/README
check 'clear nothing' 0 - "$r" cache --clear --json
cp .out state.json
name='clear nothing'
json state.json removed_entries 0
json state.json entries 0
rm cache/README
check 'an operand' 2 'unexpected argument' "$r" cache it

# ---- sizes
export REFORMERC_CACHE_SIZE
REFORMERC_CACHE_SIZE=24K
for b in $backends; do
    check "of 24 KiB, back end $b" 0 - "$r" $run --backend $b
    same "the same, $b" out.st "want-$b.st"
done
n=$(entries)
name='24 KiB'
json state.json limit 24576
holds 'no more than fits' "$n > 0 && $(value state.json bytes) <= 24576"
REFORMERC_CACHE_SIZE=0
for b in $backends; do
    check "nothing is kept, back end $b" 0 - "$r" $run --backend $b
    same "the same, $b" out.st "want-$b.st"
done
equal 'nor removed' "$(entries)" "$n"
rm -f out.st
for size in lots -1 1.5.2G '10 pounds'; do
    REFORMERC_CACHE_SIZE=$size
    for b in $backends; do
        check "a size of $size, back end $b" 1 "error: the variable REFORMERC_CACHE_SIZE is '$size', which is no size" \
            "$r" $run --backend $b
        absent out.st
    done
    check "a size of $size" 1 'hint: a size is a number with B, K, M' "$r" cache
done
check 'reference asks for none' 0 - "$r" $run --backend reference
unset REFORMERC_CACHE_SIZE

# ---- many at once, in a cache for a few entries
name='at once'
"$r" cache --clear >/dev/null
REFORMERC_CACHE_SIZE=24K
export REFORMERC_CACHE_SIZE
pids=
for k in 1 2 3 4 5 6 7 8; do
    b=${backends%% *}
    [ $((k % 4)) -ne 0 ] || b=c
    "$r" run tiny.yaml --weights random --input in.st --output "out$k.st" --backend $b --set hidden_size=$((64 + k % 2 * 64)) \
        --set attention_head_size=8 --threads 1 --set axial_pos_embds=false >"said$k" 2>&1 &
    pids="$pids $!"
done
checks=$((checks + 8))
for pid in $pids; do wait "$pid" || fail 'one of eight failed'; done
for k in 1 2 3 4 5 6 7 8; do [ ! -s "said$k" ] || fail "said: $(head -n 3 "said$k")"; done
for k in 3 5 7; do same 'one of them' out1.st out$k.st; done
for k in 4 6 8; do same 'one of the others' out2.st out$k.st; done
entries >/dev/null
holds 'no more than fits' "$(value state.json entries) > 0 && $(value state.json bytes) <= 24576"
equal 'nothing else is left' "$(ls cache | wc -l | tr -d ' ')" "$(value state.json entries)"
unset REFORMERC_CACHE_SIZE

# ---- folders that are not this user's, and disks
REFORMERC_CACHE=$PWD/others
mkdir -m 777 others
chmod 777 others
check 'not ours' 0 'warning: the compile cache is not used, it must be a folder of this user.s alone: other users may write to' "$r" cache
check 'not cleared' 1 'others: error: is not cleared: other users may write to' "$r" cache --clear
check 'no folder' 1 'error: no folder is named for the compile cache' env -u REFORMERC_CACHE -u HOME -u XDG_CACHE_HOME "$r" cache
REFORMERC_CACHE=$PWD/mounted
if unshare -rm true 2>.err; then
    mkdir mounted
    for b in $backends; do
        check "a disk without room, back end $b" 0 - unshare -rm sh -c '
            mount -t tmpfs -o size=16k,mode=700 tmpfs mounted && { head -c 12000 /dev/zero >mounted/full; "$@" && ls mounted >kept.txt; }' \
            sh "$r" $run --backend $b
        same "the same, $b" out.st "want-$b.st"
        equal 'nothing half is left' "$(grep -c '\.[a-zA-Z0-9]\{6\}$' kept.txt)" 0
    done
    b=${backends%% *}
    check "a disk that cannot be written" 0 - unshare -rm sh -c '
        mount -t tmpfs -o ro,mode=700 tmpfs mounted && "$@"' sh "$r" $run --backend $b
    same "the same, $b" out.st "want-$b.st"
    check 'entries that cannot be removed' 1 'mounted: error: 1 entry cannot be removed' unshare -rm sh -c '
        mount -t tmpfs -o mode=700 tmpfs mounted && echo x >mounted/0123456789abcdef0123456789abcdef.o &&
        mount -o remount,ro mounted && "$@"' sh "$r" cache --clear
else
    echo "no mounts here, disks are not tried: $(cat .err)"
fi
check help 0 - "$r" cache --help
says 'REFORMERC_CACHE_SIZE'
: >file
REFORMERC_CACHE=$PWD/file check 'no folder' 0 'file: warning: the compile cache is not used, it must be a folder of' "$r" cache
finish
