"""The structures, values and functions of _abi.py are those of the headers, as the C compiler reads them."""

import ctypes as c
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from reformerc import _abi, _library

SOURCE = Path(os.environ["SOURCE_DIR"])
CC = os.environ.get("CC", "cc").split()
INCLUDES = [f"-I{SOURCE}/compiler", f"-I{SOURCE}/runtime"]
HEADERS = ["compiler/reformerc.h", "runtime/reformer_rt.h", "runtime/reformer_generate.h"]

VALUES = {f"REFORMER_E_{code.name}": code for code in _abi.Code if code < 100 and code}
VALUES |= {code.name.replace("LIBRARY_", "REFORMERC_E_"): code for code in _abi.Code if code >= 100}
VALUES["REFORMER_OK"] = _abi.Code.OK
VALUES |= {f"REFORMER_HEAD_{head.name}": head for head in _abi.Head}
VALUES |= {f"REFORMER_END_{end.name}": end for end in _abi.End}
VALUES |= {f"REFORMERC_{kind.name}": kind for kind in _abi.WeightType}
VALUES |= {
    "REFORMER_GO_ON": _abi.GO_ON,
    "REFORMER_STOP_ROW": _abi.STOP_ROW,
    "REFORMER_STOP_ALL": _abi.STOP_ALL,
    "REFORMER_NEVER_EARLY": _abi.NEVER_EARLY,
    "REFORMER_MAX_THREADS": _abi.MAX_THREADS,
    "REFORMER_TENSOR_RANK": _abi.MAX_RANK,
    "REFORMER_F32": _abi.TRACED_F32,
    "REFORMER_I32": _abi.TRACED_I32,
}


def text_of(headers=HEADERS):
    text = "".join((SOURCE / header).read_text() for header in headers)
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def compiles(body, *flags):
    done = subprocess.run(
        [*CC, *INCLUDES, "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *flags, "-xc", "-"],
        input=f"#include <stddef.h>\n#include <reformerc.h>\n{body}\n".encode(),
        capture_output=True,
        check=False,
    )
    return done.returncode == 0, done.stderr.decode()


class Abi(unittest.TestCase):
    def test_sizes_offsets_and_values(self):
        asserts = []
        for structure, name in _abi.C_NAMES.items():
            asserts.append((f"sizeof({name})", c.sizeof(structure)))
            for field, _ in structure._fields_:
                place = getattr(structure, field)
                asserts.append((f"offsetof({name}, {field})", place.offset))
                asserts.append((f"sizeof((({name} *)0)->{field})", place.size))
        asserts += [(name, int(value)) for name, value in VALUES.items()]
        text = "\n".join(f'_Static_assert({left} == {right}, "{left}: {right}");' for left, right in asserts)
        self.assertGreater(len(asserts), 200)
        well, said = compiles(text)
        self.assertTrue(well, said)
        well, _ = compiles('_Static_assert(REFORMER_OK == 1, "");')
        self.assertFalse(well, "the compiler agrees to everything")

    def test_no_field_is_missing(self):
        """As many initialisers as there are fields are right, one more is too many."""
        for structure, name in _abi.C_NAMES.items():
            values = ["{0}" if hasattr(kind, "_length_") or issubclass(kind, c.Structure) else "0"
                      for _, kind in structure._fields_]  # fmt: skip
            for row, right in ((values, True), ([*values, "0"], False)):
                well, said = compiles(f"{name} f(void); {name} f(void) {{ {name} x = {{{', '.join(row)}}}; return x; }}")
                self.assertEqual(well, right, f"{name} has not {len(row)} fields: {said}")

    def test_no_code_is_missing(self):
        there = set(re.findall(r"\b(REFORMERC?_E_[A-Z0-9]+) = \d+", text_of()))
        self.assertGreater(len(there), 25)
        self.assertEqual(there - set(VALUES), set())

    def test_functions(self):
        """Arguments one by one: pointers are pointers, numbers have their size."""
        text = text_of(HEADERS[:1])
        sizes = {"int": 4, "int32_t": 4, "size_t": 8, "uint64_t": 8, "int64_t": 8}
        for name, (returned, taken) in _abi.PROTOTYPES.items():
            found = re.search(rf"([a-z0-9_ ]+[\s*]+){name}\(([^()]*)\);", text)
            self.assertIsNotNone(found, f"{name} is not declared")
            given = [] if found[2] == "void" else [p.strip() for p in found[2].split(",")]
            self.assertEqual(len(given), len(taken), f"{name}: {found[2]}")
            for parameter, kind in zip([found[1] + " returned", *given], [returned, *taken]):
                pointer = "*" in parameter
                words = [w for w in parameter.replace("*", " ").split() if w != "const"]
                if words[0] == "void" and not pointer:
                    self.assertIsNone(kind, name)
                elif pointer:
                    fits = kind in (c.c_void_p, c.c_char_p) or issubclass(kind, c._Pointer)
                    self.assertTrue(fits, f"{name}: {parameter}")
                else:
                    self.assertEqual(c.sizeof(kind), sizes[words[0]], f"{name}: {parameter}")
                    self.assertNotIn(kind, (c.c_void_p, c.c_char_p), f"{name}: {parameter}")

    def test_version(self):
        version = re.search(r'#define REFORMERC_VERSION +"([0-9.]+)"', text_of(HEADERS[:1]))[1]
        self.assertEqual(_library.version, version)

    def test_another_library_is_refused(self):
        """Where there is none, where it is none, where it is of another version."""
        with tempfile.TemporaryDirectory() as folder:
            other = Path(folder, "libreformerc.so")
            names = "".join(f"void {name}(void) {{}}\n" for name in _abi.PROTOTYPES if name != "reformerc_version")
            code = names + 'const char *reformerc_version(void) { return "0.0.1"; }\n'
            subprocess.run([*CC, "-shared", "-fPIC", "-xc", "-", "-o", other], input=code.encode(), check=True)
            for path, says in (
                (Path(folder, "none.so"), "none.so: cannot open shared object file"),
                ("libc.so.6", "undefined symbol: reformerc_"),
                (other, "it is version 0.0.1"),
            ):
                environment = {**os.environ, "REFORMERC_LIBRARY": str(path)}
                done = subprocess.run(
                    [sys.executable, "-c", "import reformerc"], env=environment, capture_output=True, check=False
                )
                self.assertEqual(done.returncode, 1)
                self.assertIn("ImportError: libreformerc cannot be used: ", done.stderr.decode())
                self.assertIn(says, done.stderr.decode())


if __name__ == "__main__":
    unittest.main()
