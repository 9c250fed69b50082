#!/usr/bin/env python3
"""Circles of files: what each uses of the other, by the symbols of their objects.

    circles.py [--nm NM] SOURCE BUILD [ALLOWED]

A file uses another when its object needs a symbol that the other's defines; files that can each be reached from the
other are a circle. None may span two folders, and folders are in no circle either. Within a folder a circle is right
where things call each other by nature (statements within statements): ALLOWED lists those, a line each,

    FOLDER: file file …   # the reason

and one that is not in it, or one in it that is no more, is a fault. Without ALLOWED circles are only shown.
"""
import os
import subprocess
import sys


def objects(source, build):
    """{file of the sources, without compiler/: its object}. Objects of sources that are gone are old ones."""
    found = {}
    for folder, _, names in os.walk(os.path.join(build, "CMakeFiles")):
        _, mark, path = folder.partition(".dir" + os.sep)
        if not mark or not (path + os.sep).startswith(("compiler" + os.sep, "runtime" + os.sep)):
            continue
        for name in names:
            stem, suffix = os.path.splitext(name)
            file = os.path.join(path, stem)
            if suffix == ".o" and os.path.exists(os.path.join(source, file)):
                found[file.removeprefix("compiler" + os.sep)] = os.path.join(folder, name)
    return found


def symbols(nm, files):
    """(definitions {symbol: file}, needs {file: set of symbols}) of {file: object}."""
    defined, needed = {}, {file: set() for file in files}
    by_object = {path: file for file, path in files.items()}
    text = subprocess.run([nm, "-A", "-P", "-g", *by_object], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        path, _, rest = line.partition(": ")
        symbol, kind = rest.split()[:2]
        file = by_object[path]
        if kind in "Uwv":
            needed[file].add(symbol)
        else:
            defined.setdefault(symbol, file)
    return defined, needed


def components(graph):
    """Strongly connected components of {node: set of nodes}, those of one node left out (Tarjan, without recursion)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []
    for root in sorted(graph):
        if root in index:
            continue
        work = [(root, iter(sorted(graph[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, others = work[-1]
            for other in others:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(graph[other]))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    circle, stack = stack[at:], stack[:at]
                    on_stack.difference_update(circle)
                    if len(circle) > 1:
                        found.append(sorted(circle))
    return found


def show(circle, uses):
    """The lines of a circle: who needs what of whom."""
    for one in circle:
        for other in circle:
            names = sorted(uses.get((one, other), ()))
            if names:
                more = f" and {len(names) - 6} more" if len(names) > 6 else ""
                print(f"    {one} needs {', '.join(names[:6])}{more} of {other}")


def allowed_circles(path):
    found = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            text, mark, reason = line.partition("#")
            if not text.strip():
                continue
            folder, colon, names = text.partition(":")
            if not mark or not colon or not reason.strip():
                sys.exit(f"{path}:{number}: expected FOLDER: file file … # reason")
            found[tuple(sorted(f"{folder.strip()}/{name}.c" for name in names.split()))] = number
    return found


def main(arguments):
    nm = "nm"
    if arguments[:1] == ["--nm"]:
        nm, arguments = arguments[1], arguments[2:]
    if len(arguments) not in (2, 3):
        sys.exit(__doc__)
    if components({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) != [["a", "b", "c"]]:
        sys.exit("a circle is not found")
    source, build = arguments[:2]
    files = objects(source, build)
    if len(files) < 100:
        sys.exit(f"only {len(files)} objects in {build}: is it built?")
    defined, needed = symbols(nm, files)
    uses, folder_uses = {}, {}
    graph = {file: set() for file in files}
    folders = {os.path.dirname(file): set() for file in files}
    for file, names in needed.items():
        for name in names:
            other = defined.get(name, file)
            if other == file:
                continue
            uses.setdefault((file, other), set()).add(name)
            graph[file].add(other)
            here, there = os.path.dirname(file), os.path.dirname(other)
            if here != there:
                folders[here].add(there)
                folder_uses.setdefault((here, there), set()).add(f"{name} ({os.path.basename(file)})")
    allowed = allowed_circles(arguments[2]) if len(arguments) == 3 else {}
    across = within = listed = 0
    for circle in components(graph):
        there = {os.path.dirname(file) for file in circle}
        across += len(there) > 1
        within += len(there) == 1
        if tuple(circle) in allowed:
            del allowed[tuple(circle)]
            listed += 1
            continue
        print(f"a circle of {len(circle)} files, {'across folders' if len(there) > 1 else 'in ' + there.pop()}:")
        show(circle, uses)
    between = components(folders)
    for circle in between:
        print(f"folders in a circle: {', '.join(circle)}")
        show(circle, folder_uses)
    for circle, number in allowed.items():
        print(f"{arguments[2]}:{number}: no such circle (any more): {' '.join(circle)}")
    print(f"{len(files)} files: {across} circles across folders, {within} within, {listed} of them listed; "
          f"{len(between)} of folders")
    return len(arguments) == 3 and (across + within > listed or between or allowed)


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
