#!/usr/bin/env python3
"""One name, one type: no typedef, struct, union or enum of the compiler has the name of another.

    types.py FOLDER

A file NAME_none.c stands in the place of NAME.c where a library is not installed, and may declare the same."""
import collections
import os
import re
import sys

QUIET = re.compile(r"/\*.*?\*/|\"(?:[^\"\\\n]|\\.)*\"|//[^\n]*", re.S)
TAG = re.compile(r"\b(struct|union|enum)\s+(\w+)\s*\{")
TYPEDEF = re.compile(r"^[ \t]*typedef\b", re.M)
POINTER = re.compile(r"\(\s*\*\s*(\w+)\s*\)\s*\(")
FUNCTION = re.compile(r"(\w+)\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*$")
PLAIN = re.compile(r"(\w+)(?:\s*\[[^\]]*\])*\s*$")


def statement(text, at):
    """What stands from here to the semicolon that ends it, without what is in braces."""
    depth, kept = 0, []
    for c in text[at:]:
        if c == ";" and depth == 0:
            break
        depth += c == "{"
        if depth == 0:
            kept.append(c)
        depth -= c == "}"
    return "".join(kept)


def types(text):
    text = QUIET.sub(" ", text)
    for match in TAG.finditer(text):
        yield f"{match[1]} {match[2]}"
    for match in TYPEDEF.finditer(text):
        body = statement(text, match.end())
        name = POINTER.search(body) or FUNCTION.search(body) or PLAIN.search(body)
        if not name:
            sys.exit(f"which name is this: typedef {body.strip()}")
        yield name[1]


def main(folder):
    places = collections.defaultdict(set)
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".c", ".h", ".cc", ".hpp")):
                with open(os.path.join(path, name), encoding="utf-8") as file:
                    for found in types(file.read()):
                        places[found].add(os.path.join(path, name.replace("_none.c", ".c")))
    if len(places) < 100:
        sys.exit(f"only {len(places)} types in {folder}")
    twice = {name: files for name, files in places.items() if len(files) > 1}
    for name, files in sorted(twice.items()):
        print(f"{name} is declared in {', '.join(sorted(files))}")
    print(f"{len(places)} types, {len(twice)} of them declared twice")
    return 1 if twice else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
