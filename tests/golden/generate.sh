#!/bin/sh
# generate.sh REFORMERC CHECKPOINT TENSOR [long]: beam search and repetition penalty write what Hugging Face's `generate`
# writes (generate.tsv: first byte and bytes of the prompt in validation.txt, options, score of beams or -, the text in
# hexadecimal). Scores agree to 1e-4 of their size. Each set of options is tried on one prompt, the prompts in turn;
# `long`: on all.
set -eu
r=$1 checkpoint=$2 tensor=$3 form=${4:-short}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tab=$(printf '\t')
awk -F "$tab" -v form="$form" '
    !($1 in prompt) { prompt[$1] = prompts++ }
    count[$1]++ % 3 == prompt[$1] || form == "long"' "$checkpoint/generate.tsv" >"$scratch/lines"
lines=0
failures=0
fail() {
    failures=$((failures + 1))
    printf 'FAIL %s bytes from %s, %s: %s\n' "$length" "$start" "$options" "$1"
}
while IFS=$tab read -r start length options score want; do
    lines=$((lines + 1))
    tail -c "+$((start + 1))" "$checkpoint/validation.txt" | head -c "$length" >"$scratch/prompt"
    # Options are words. shellcheck disable=SC2086
    "$r" generate "$checkpoint" --prompt-file "$scratch/prompt" $options --output "$scratch/out" 2>"$scratch/err" ||
        fail "$(cat "$scratch/err")"
    if [ "$score" != - ]; then
        is=$("$tensor" show "$scratch/out" scores | tail -n 1)
        awk -v is="$is" -v want="$score" 'BEGIN { d = is - want; exit !(d * d <= 1e-8 * want * want + 1e-10) }' ||
            fail "score $is, not $score"
    fi
    # Bytes up to an end token; behind one, padding.
    got=$("$tensor" show "$scratch/out" tokens | tail -n 1 | tr , '\n' | awk -v options="$options" '
        BEGIN { if (match(options, /eos_token_id=[^ ]*/)) {
            n = split(substr(options, RSTART + 13, RLENGTH - 13), list, /[][,]/)
            for (i = 1; i <= n; i++) if (list[i] != "") ends[list[i]] = options ~ /--stop-at-eos/ } }
        ends[$1] { exit }
        { printf "%02x", $1 - 2 }')
    [ "$got" = "$want" ] || fail "wrote $got, not $want"
done <"$scratch/lines"
printf '%d texts, %d failures\n' "$lines" "$failures"
[ "$failures" -eq 0 ] && [ "$lines" -gt 0 ]
