#!/bin/sh
# Every model in specs/ translates, compiles cleanly as C, and runs with random weights on a short input.
. "$(dirname "$0")/lib.sh"
"$FORGE" make in.st 'input_ids:I32:1,512=5*'
for spec in "$SOURCE"/specs/*.yaml; do
    model=$(basename "$spec" .yaml)
    check "$model translates" 0 - "$REFORMERC" "$spec" -o "$model.c"
    check "$model translates for this CPU" 0 - "$REFORMERC" "$spec" -o "$model.c" --target native
    check "$model compiles" 0 - with_flags cc -std=c11 -O1 -Wall -Wextra -Werror -Wconversion -c "$model.c" -o "$model.o"
    check "$model runs" 0 '' "$REFORMERC" run "$spec" --weights random:1 --input in.st --output "$model.st"
    present "$model.st"
    rm -f "$model.st"
done
finish
