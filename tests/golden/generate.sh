#!/bin/sh
# generate.sh REFORMERC CHECKPOINT: beam search and repetition penalty write what Hugging Face's `generate` writes
# (generate.tsv: first byte and bytes of the prompt in validation.txt, options, the text in hexadecimal).
set -eu
r=$1 checkpoint=$2
tab=$(printf '\t')
lines=0
failures=0
while IFS=$tab read -r start length options want; do
    # Options are words. shellcheck disable=SC2086
    got=$(tail -c "+$((start + 1))" "$checkpoint/validation.txt" | head -c "$length" |
        "$r" generate "$checkpoint" $options 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
    lines=$((lines + 1))
    [ "$got" = "$want" ] && continue
    failures=$((failures + 1))
    printf 'FAIL %s bytes from %s, %s:\n    wrote %s\n    not   %s\n' "$length" "$start" "$options" "$got" "$want"
done <"$checkpoint/generate.tsv"
printf '%d texts, %d differ\n' "$lines" "$failures"
[ "$failures" -eq 0 ] && [ "$lines" -gt 0 ]
