#!/bin/sh
# generate.sh REFORMERC CHECKPOINT: beam search and repetition penalty write what Hugging Face's `generate` writes
# (generate.tsv: first byte and bytes of the prompt in validation.txt, options, score of beams or -, the text in
# hexadecimal). Scores agree to 1e-4 of their size.
set -eu
r=$1 checkpoint=$2 tensor=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tab=$(printf '\t')
lines=0
failures=0
while IFS=$tab read -r start length options score want; do
    tail -c "+$((start + 1))" "$checkpoint/validation.txt" | head -c "$length" >"$scratch/prompt"
    # Options are words. shellcheck disable=SC2086
    got=$("$r" generate "$checkpoint" --prompt-file "$scratch/prompt" $options 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
    lines=$((lines + 1))
    if [ "$score" != - ]; then
        # shellcheck disable=SC2086
        "$r" generate "$checkpoint" --prompt-file "$scratch/prompt" $options --output "$scratch/out" 2>/dev/null
        is=$("$tensor" show "$scratch/out" scores | tail -n 1)
        awk -v is="$is" -v want="$score" 'BEGIN { d = is - want; exit !(d * d <= 1e-8 * want * want + 1e-10) }' || {
            failures=$((failures + 1))
            printf 'FAIL %s bytes from %s, %s: score %s, not %s\n' "$length" "$start" "$options" "$is" "$score"
        }
    fi
    [ "$got" = "$want" ] && continue
    failures=$((failures + 1))
    printf 'FAIL %s bytes from %s, %s:\n    wrote %s\n    not   %s\n' "$length" "$start" "$options" "$got" "$want"
done <"$checkpoint/generate.tsv"
printf '%d texts, %d differ\n' "$lines" "$failures"
[ "$failures" -eq 0 ] && [ "$lines" -gt 0 ]
