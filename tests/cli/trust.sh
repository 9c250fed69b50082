#!/bin/sh
# Where code may come from and run: a compile cache that others may write to is not used, one on a file system without
# executable files is; without executable memory the JIT gives way to back end c, or says what to do. Numbers stay right.
. "$(dirname "$0")/lib.sh"
FORBID=$9
r=$REFORMERC
mkdir -m 700 first cache
small_spec >tiny.yaml
printf '#!/bin/sh\nexec cc "$@" -O0\n' >quick-cc # the last -O counts
chmod +x quick-cc
CC=$PWD/quick-cc
"$FORGE" make in.st 'input_ids:I32:1,32=3*'
run='run tiny.yaml --weights random --input in.st --output out.st'
REFORMERC_CACHE=$PWD/first
export REFORMERC_CACHE CC
backends='jit c'
"$r" $run --backend jit >/dev/null 2>.err || { grep -q 'jit is not built in' .err && backends=c; }
check first 0 - "$r" $run --backend c
present out.st
mv out.st want.st

right() { # the last run's numbers are those of the first
    same "$name" out.st want.st
    rm -f out.st
}
once() { # PATTERN: on one line of stderr
    checks=$((checks + 1))
    lines=$(grep -Ec -e "$1" .err)
    [ "$lines" -eq 1 ] || fail "$lines lines of: $1"
}

# ---- folders that others may write to, own or could replace
REFORMERC_CACHE=$PWD/cache/code
distrusted() { # WHY BACKENDS: as `cache` and `cache/code` are now
    for b in $2; do
        check "$1, back end $b" 0 "warning: the compile cache is not used, it must be a folder of this user's alone: $1" "$r" $run --backend $b
        once 'not used'
        once 'hint: the variable REFORMERC_CACHE names another folder'
        right
        equal "$1, $b: nothing is written there" "$(ls -A cache/code)" ''
    done
}
mkdir cache/code
chmod 775 cache/code
distrusted 'other users may write to .*/cache/code \(mode 775\)' "$backends"
chmod 700 cache/code
chmod 707 cache
distrusted 'other users may write to .*/cache \(mode 707\)' ${backends%% *}
check verify 0 'the compile cache is not used' "$r" verify tiny.yaml --weights random --input in.st
once 'not used'
if [ "$backends" != c ]; then
    check bench 0 'the compile cache is not used' "$r" bench tiny.yaml --lengths 16,32 --threads 1,2 --repeat 1
    once 'not used'
fi
chmod 1777 cache # as /tmp is
for b in $backends; do
    check "below a sticky folder, back end $b" 0 - "$r" $run --backend $b
    right
done
checks=$((checks + 1))
[ -n "$(ls cache/code)" ] || fail 'nothing was kept'
chmod 700 cache
rm -rf cache/code
mkdir -m 700 cache/code
if [ "$(id -u)" -eq 0 ]; then
    chown 65534:65534 cache/code
    distrusted '.*/cache/code belongs to user 65534' ${backends%% *}
    chown 0:0 cache/code
    chown 65534:65534 cache
    distrusted '.*/cache belongs to user 65534' ${backends%% *}
    chown 0:0 cache
else
    echo 'not root: folders of another user are not tried'
fi

# ---- no executable files in the cache
if unshare -rm true 2>.err; then
    mkdir mounted
    for b in $backends; do
        note='is mounted noexec: compiled code runs from a copy in memory'
        [ $b = c ] || note=-
        check "noexec, back end $b" 0 "$note" unshare -rm sh -c '
            mount -t tmpfs -o noexec,mode=700 tmpfs mounted && REFORMERC_CACHE=$PWD/mounted && export REFORMERC_CACHE &&
            "$@" && ls mounted >kept.txt' sh "$r" $run --backend $b
        right
        present kept.txt
        [ $b = jit ] || once 'noexec'
    done
else
    echo "no mounts here, a cache without executable files is not tried: $(cat .err)"
fi

# ---- no executable memory
REFORMERC_CACHE=$PWD/cache/code
"$FORBID" true 2>.err
if [ $? -ne 77 ]; then
    [ "$backends" = c ] || {
        taken='warning: this system does not let a process make memory executable \(mprotect: Permission denied\): back end c runs in place of jit'
        check 'no executable memory' 0 "$taken" "$FORBID" "$r" $run
        once executable
        right
        check 'no executable memory, jit' 0 "$taken" "$FORBID" "$r" $run --backend jit
        right
        refused='error: this system does not let a process make memory executable \(mprotect: Permission denied\), which the JIT needs'
        check 'no compiler either' 1 "$refused" env -u CC PATH=/dev/null "$FORBID" "$r" $run
        once 'error'
        once 'hint: .*back end c.*C compiler.*--cc'
        absent out.st
        check 'no such compiler' 1 "$refused" "$FORBID" "$r" $run --cc no-such-compiler
        absent out.st
        check 'verify leaves the JIT out' 0 '' "$FORBID" "$r" verify tiny.yaml --weights random --input in.st
        check 'generate' 0 "$taken" "$FORBID" "$r" generate tiny.yaml --weights random --prompt abc --tokens 3
        cp .out forbidden.txt
        check 'generate by c' 0 '' "$r" generate tiny.yaml --weights random --prompt abc --tokens 3 --backend c
        same 'the same text' .out forbidden.txt
    }
    check 'back end c needs none' 0 - "$FORBID" "$r" $run --backend c
    right
else
    echo "memory cannot be made unexecutable here, which is not tried: $(cat .err)"
fi
finish
