#!/bin/sh
# From a fresh clone to a real model that reads real text: installs what is missing, builds, and scores the
# trained checkpoint of tests/golden on text it has never seen. May be run any number of times, from anywhere.
set -eu
root=$(cd "$(dirname "$0")" && pwd)
"$root/scripts/packages.sh" gcc libc6-dev cmake ninja-build pkg-config libyaml-dev libjansson-dev \
    libcmocka-dev llvm-19-dev gnuplot-nox
"$root/scripts/packages.sh" g++ libsentencepiece-dev || echo "Going on without SentencePiece: text is bytes only." >&2
"$root/scripts/build.sh" release reformerc

model=$root/tests/golden/checkpoint
text=$model/validation.txt
cat <<EOF

The model: a Reformer of 1.86 million parameters, trained with Hugging Face on "Crime and Punishment".
The text: $(wc -c <"$text") bytes of the book that it was not trained on.
Compiling the model for this CPU and reading the text:

  reformerc eval ${model#"$root"/} --text ${text#"$root"/}

EOF
"$root/build/release/bin/reformerc" eval "$model" --text "$text"
cat <<EOF

Hugging Face's own score of the same model on the same text: bits_per_byte $(sed -n \
    's/.*"bits_per_byte": *\([0-9]*\.[0-9]\{6\}\).*/\1/p' "$model/eval.json")
The compiler is build/release/bin/reformerc; --help shows what else it does.
EOF
