#!/bin/sh
# The product that writes text (writer.c), built as its opening comment says: what it writes is what Hugging Face
# wrote with the same weights and prompt, from C and from an object; with a temperature it is something else.
. "$(dirname "$0")/lib.sh"
TENSOR=${8:?tensor}
r=$REFORMERC
strict='-Wall -Wextra -Werror -Wconversion'
"$TENSOR" text "$CHECKPOINT/decode.safetensors" input_ids >prompt
"$TENSOR" text "$CHECKPOINT/decode.safetensors" tokens >want
[ "$(wc -c <want)" -eq 256 ] || fail 'no text to compare with'

check translate 0 - "$r" "$CHECKPOINT" --target native -o writer.c
for compiler in cc clang; do
    command -v $compiler >/dev/null || continue
    check "build $compiler" 0 - with_libs $compiler -O2 $strict -I. "$SOURCE/tests/cli/writer.c" writer.c -o write-$compiler
done
if ! "$r" --version | grep -q 'no LLVM'; then
    mkdir object
    check object 0 - "$r" "$CHECKPOINT" --target native -o object/writer.o
    check 'build object' 0 - with_libs cc -O2 -I. "$SOURCE/tests/cli/writer.c" object/writer.o -o write-object
fi
for program in write-*; do
    checks=$((checks + 1))
    name=$program
    ./$program writer.weights 256 <prompt >got || fail 'ended with an error'
    cmp -s want got || fail 'wrote something else'
    ./$program writer.weights 256 0.8 <prompt >got || fail 'ended with an error'
    cmp -s want got && fail 'a temperature changes nothing'
done
check no-prompt 1 'generate: the length is 0' ./write-cc writer.weights 4 </dev/null
check too-many 1 'prompt and tokens' ./write-cc writer.weights 1000 <prompt
check no-weights 1 'nothing: ' ./write-cc nothing 4 <prompt
finish
