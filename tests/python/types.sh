#!/bin/sh
# The package's type hints hold, and so does the example that uses them.   types.sh PYTHON SOURCE CACHE
set -eu
python=$1 source=$2 cache=$3
mypy=$("$python" -m mypy --version 2>/dev/null) || { echo 'there is no mypy: install mypy'; exit 77; }
export MYPYPATH="$source/python"
"$python" -m mypy --strict --cache-dir "$cache" "$source/python/reformerc" "$source/tests/python/example.py"
# A wrong use is found.
wrong=$cache/wrong.py
mkdir -p "$cache"
printf 'import reformerc\nreformerc.compile(5)\nx: str = reformerc.compile("a").vocab\n' >"$wrong"
if found=$("$python" -m mypy --strict --cache-dir "$cache" "$wrong"); then echo "$mypy finds nothing"; exit 1; fi
[ "$(echo "$found" | grep -c ': error: ')" -eq 2 ] || { echo "$found"; exit 1; }
