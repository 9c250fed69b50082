"""libreformerc, found and opened: beside this file, as a wheel has it, or where REFORMERC_LIBRARY says, or on the system.

Calls through ctypes.CDLL release the GIL: other threads of Python go on meanwhile.
"""

import ctypes
import ctypes.util
import os
import warnings
from pathlib import Path
from typing import Any, Union

from ._abi import PROTOTYPES
from ._errors import CompilerWarning, InputError, error_of

_NAME = "libreformerc.so.0"
_FITS = "0.1."  # what structures and functions are of


def _find() -> str:
    named = os.environ.get("REFORMERC_LIBRARY")
    if named:
        return named
    beside = Path(__file__).with_name(_NAME)
    return str(beside) if beside.exists() else _NAME


def _open() -> ctypes.CDLL:
    path = _find()
    try:
        library = ctypes.CDLL(path)
        for name, (returned, taken) in PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = returned, taken
        there = library.reformerc_version().decode()
        if not there.startswith(_FITS):
            raise OSError(f"it is version {there}, and this package wants {_FITS}…: {path}")
    except (OSError, AttributeError) as problem:
        raise ImportError(
            f"libreformerc cannot be used: {problem}; REFORMERC_LIBRARY may name its file"
        ) from problem
    return library


# Of the functions ctypes knows what they take; what they return is said where they are called.
lib: Any = _open()
_libc: Any = ctypes.CDLL(None)
_libc.free.restype, _libc.free.argtypes = None, [ctypes.c_void_p]

version: str = lib.reformerc_version().decode()


def strerror(code: int) -> str:
    text: bytes = lib.reformerc_strerror(code)
    return text.decode()


def take_message(message: ctypes.c_void_p) -> str:
    """The text of a message that the library allocated, which is freed."""
    if not message.value:
        return ""
    text = ctypes.string_at(message.value).decode("utf-8", "replace")
    _libc.free(message)
    return text


def check(code: int, text: str = "") -> None:
    """Raises what a code says."""
    if code != 0:
        raise error_of(code, text or strerror(code))


def tell(code: int, text: str) -> None:
    """An error is raised, a warning is Python's."""
    check(code, text)
    if text:
        warnings.warn(text.rstrip("\n"), CompilerWarning, stacklevel=3)


def encoded(text: Union[str, "os.PathLike[str]"], what: str) -> bytes:
    """As the library takes it: no NUL inside."""
    data = os.fsencode(text)
    if b"\0" in data:
        raise InputError(f"{what}: a NUL byte in it")
    return data
