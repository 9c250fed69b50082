"""Reformer models, compiled: a spec or a checkpoint in, a model that runs in this process out.

    import reformerc

    model = reformerc.compile("specs/tiny-shakespeare", generate=True)
    for piece in model.generate("ROMEO:", 260, temperature=0.7, seed=7):
        print(piece, end="", flush=True)

Arrays of NumPy, and of whatever speaks DLPack, go in and out without copies; calls release the GIL; errors are exceptions with
the text that the command line prints. docs/python.md tells more.
"""

from ._abi import Head
from ._batch import Batch
from ._compile import compile
from ._errors import (
    CompileError,
    CompilerWarning,
    Error,
    InputError,
    OutOfMemoryError,
    SpecError,
    WeightsError,
)
from ._generate import Cache, Text, Tokens
from ._library import version as __version__
from ._model import Model, Output
from ._train import Report, Trainer

__all__ = [
    "Batch",
    "Cache",
    "CompileError",
    "CompilerWarning",
    "Error",
    "Head",
    "InputError",
    "Model",
    "OutOfMemoryError",
    "Output",
    "Report",
    "SpecError",
    "Text",
    "Tokens",
    "Trainer",
    "WeightsError",
    "__version__",
    "compile",
]
