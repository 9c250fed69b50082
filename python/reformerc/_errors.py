"""Codes of the library as exceptions, with the text that the command line prints."""

from ._abi import Code


class Error(Exception):
    """A call of the library failed; the text is the command line's. `code`: REFORMER_E_… or REFORMERC_E_…"""

    def __init__(self, text: str, code: int = Code.ARGUMENT) -> None:
        super().__init__(text)
        self.code = int(code)


class InputError(Error, ValueError):
    """What was handed in cannot be: an array's type, shape or values, or something that is closed."""


class SpecError(InputError):
    """The spec: not there, wrong, or asking for what cannot be."""


class WeightsError(InputError):
    """Weights that are not there, damaged, or of another model."""


class CompileError(Error, RuntimeError):
    """The C compiler, LLVM, or the loading of what they made failed."""


class OutOfMemoryError(Error, MemoryError):
    """Out of memory, or of threads."""


class CompilerWarning(UserWarning):
    """A warning of the compiler about a spec or weights."""


_KINDS: dict[int, type[Error]] = {
    Code.LIBRARY_SPEC: SpecError,
    Code.LIBRARY_OPTION: InputError,
    Code.LIBRARY_WEIGHTS: WeightsError,
    Code.LIBRARY_COMPILE: CompileError,
    Code.LIBRARY_MEMORY: OutOfMemoryError,
    Code.ARGUMENT: InputError,
    Code.TOKEN: InputError,
    Code.LENGTH: InputError,
    Code.BATCH: InputError,
    Code.LABEL: InputError,
    Code.OUTPUT: InputError,
    Code.FULL: InputError,
    Code.EMPTY: InputError,
    Code.DECODE: InputError,
    Code.TRAIN: InputError,
    Code.POSITION: InputError,
}


def error_of(code: int, text: str) -> Error:
    """The exception of a code that is not 0."""
    return _KINDS.get(code, Error)(text.rstrip("\n"), code)
