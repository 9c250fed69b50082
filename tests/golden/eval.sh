#!/bin/sh
# eval.sh REFORMERC CHECKPOINT: the score of the checkpoint's validation text is Hugging Face's.
set -eu
out=$("$1" eval "$2" --text "$2/validation.txt")
printf '%s\n' "$out"
want=$(sed -n 's/.*"bits_per_byte": *\([0-9.]*\).*/\1/p' "$2/eval.json")
printf '%s\n' "$out" | awk -v want="$want" '
    $1 == "bits_per_byte" { got = $2 }
    $1 == "scored_tokens" { scored = $2 }
    END {
        error = got - want; if (error < 0) error = -error
        printf "Hugging Face: %s bits per byte; difference %.6f, allowed 0.0001\n", want, error
        exit !(got != "" && want != "" && error <= 1e-4 && scored == 234 * 511)
    }'
