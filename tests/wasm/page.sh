#!/bin/sh
# The page, in headless Chromium: it writes what the command line writes, greedily and drawn, stays responsive meanwhile,
# and shows its errors. Under WORK: what it wrote, and page.png.
. "$(dirname "$0")/../cli/lib.sh"
. "$SOURCE/tests/wasm/lib_wasm.sh"
needs clang clang wasm-ld lld node nodejs chromium chromium
r=$REFORMERC
model=$SOURCE/specs/tiny-shakespeare
tokens=400
check folder 0 '' "$web/build.sh" "$model" site
check page 0 - timeout 300 node "$SOURCE/tests/wasm/page.mjs" chromium site . $tokens
cat .out
says '^tokens_per_second [1-9]'
says '^ticks ([5-9]|[1-9][0-9])' # ten milliseconds each
says '^too_many 6 \+ 100000 tokens: the model has 512 positions$'
says '^stopped [0-9]+ tokens, .*, stopped\.$'
# the same vectors and roundings as wasm32
here='--target x86-64 --threads 1'
[ "$(uname -m)" = x86_64 ] || here='--target wasm32 --backend interpreter'
check 'the command line, greedy' 0 '' "$r" generate "$model" -p ROMEO: -n $tokens $here
same 'the same text' greedy.txt .out
check 'drawn' 0 '' "$r" generate "$model" -p ROMEO: -n $tokens $here --temperature 0.7 --seed 7
same 'the same text drawn' sampled.txt .out
cmp -s greedy.txt sampled.txt && fail 'nothing was drawn'
present page.png
finish
