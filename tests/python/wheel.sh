#!/bin/sh
# `pip install .` of a fresh environment builds a wheel that needs nothing of this tree, and writes text.   wheel.sh PYTHON SOURCE WORK
# Needs the network, or pip's cache, for the build backend.
set -eu
python=$1 source=$2 work=$3
rm -rf "$work" && mkdir -p "$work/source" && cd "$work"
"$python" -m venv "$work/environment" || { echo 'no venv: install python3-venv'; exit 77; }
# A copy: the build leaves nothing in the tree, and what git does not know stays out.
(cd "$source" && git ls-files -z --cached --others --exclude-standard | xargs -0 tar cf - --ignore-failed-read) |
    tar xf - -C "$work/source"
unset PYTHONPATH REFORMERC_LIBRARY
pip="$work/environment/bin/python -m pip --disable-pip-version-check"
$pip wheel -q --no-deps -w "$work/wheels" "$work/source" >log 2>&1 || {
    cat log
    grep -q 'No matching distribution\|NewConnectionError' log && { echo 'the build backend cannot be had'; exit 77; }
    exit 1
}
wheel=$(ls "$work"/wheels/*.whl)
case $wheel in */reformerc-*-py3-none-linux_*.whl) ;; *) echo "a wheel called $wheel"; exit 1 ;; esac
$pip install -q numpy "$wheel"
rm -rf "$work/source"
"$work/environment/bin/python" -m zipfile -l "$wheel" | awk 'NR > 1 { print $1 }' >files
for file in reformerc/py.typed reformerc/libreformerc.so.0 reformerc/_abi.py; do
    grep -qx "$file" files || { echo "no $file in the wheel:"; cat files; exit 1; }
done
if grep -v '^reformerc/[_a-z]*\.py$\|^reformerc/py.typed$\|^reformerc/libreformerc\.so\.[0-9]*$\|^reformerc-[0-9.]*\.dist-info/' files; then
    echo 'stands in the wheel too'
    exit 1
fi
ls -l "$wheel"
"$work/environment/bin/python" "$source/tests/python/example.py"
"$work/environment/bin/python" - "$source" <<'END'
import sys, importlib.metadata
import reformerc
assert reformerc.__version__ == importlib.metadata.version("reformerc")
text = "".join(reformerc.compile(sys.argv[1] + "/specs/tiny-shakespeare", generate=True).generate("ROMEO:", 20))
print(text)
assert len(text) == 20
END
