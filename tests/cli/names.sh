#!/bin/sh
# Code that the JIT made bears names: Linux perf finds them in its map, gdb stops at them and knows its callers.
. "$(dirname "$0")/lib.sh"
r=$REFORMERC
if "$r" --version | grep -q 'no LLVM'; then
    echo 'SKIPPED: no LLVM'
    exit 0
fi
head -c 2000 "$CHECKPOINT/validation.txt" >text

check perf-map 0 '' sh -c 'echo $$ >pid; exec "$@"' sh "$r" eval "$CHECKPOINT" --text text --perf-map --backend jit
map=/tmp/perf-$(cat pid).map
present "$map"
for symbol in reformer.schedule reformer.embed reformer.lsh_hash reformer.layer1.lsh.hash reformer.layer3.feed_forward; do
    checks=$((checks + 1))
    grep -Eq "^[0-9a-f]+ [0-9a-f]+ $symbol\$" "$map" || fail "$symbol is not in the map"
done
rm -f "$map"

if command -v gdb >/dev/null && gdb -batch -nx -ex run --args true 2>&1 | grep -q 'exited normally'; then
    cat >commands <<'END'
set breakpoint pending on
set confirm off
break 'reformer.layer3.lsh.hash'
run
set language c
backtrace 6
kill
END
    gdb -batch -nx -x commands --args "$r" eval "$CHECKPOINT" --text text --threads 1 --backend jit >gdb.out 2>&1
    name=gdb
    for frame in '#0 .*reformer.layer3.lsh.hash' '#2 .*reformer.schedule' '#[345] .*reformer_forward'; do
        checks=$((checks + 1))
        grep -q "$frame" gdb.out || fail "gdb does not show $frame: $(tail -n 5 gdb.out)"
    done
else
    echo 'SKIPPED gdb: not installed, or it may not trace here'
fi
finish
