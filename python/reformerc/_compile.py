"""Specs into models."""

import ctypes as c
import json
import os
from collections.abc import Mapping
from typing import Any, Optional, Union

import numpy as np

from ._abi import MAX_THREADS, Options
from ._arrays import whole
from ._errors import InputError
from ._library import encoded, lib, take_message, tell
from ._model import Model
from ._weights import Tensors, Weights

#: A path of a spec or of a checkpoint folder, the text of a spec (which has more than a line), or its keys.
Spec = Union[str, "os.PathLike[str]", Mapping[str, Any]]


def _json(value: Any, what: str) -> str:
    """NumPy's numbers are numbers, too."""

    def plain(item: Any) -> Any:
        if isinstance(item, (np.generic, np.ndarray)):
            return item.tolist()
        raise InputError(f"{what}: {item!r} is neither a number, nor a text, nor a list or mapping of these")

    try:
        return json.dumps(value, allow_nan=False, default=plain)
    except ValueError as problem:  # NaN, infinity, circles; InputErrors, too
        raise problem if isinstance(problem, InputError) else InputError(f"{what}: {problem}") from None
    except TypeError as problem:  # keys
        raise InputError(f"{what}: {problem}") from None


def _setting(key: str, value: Any) -> bytes:
    text = value if isinstance(value, str) else _json(value, f"settings: {key}")
    return encoded(f"{key}={text}", "settings")


def _is_text(spec: str) -> bool:
    return "\n" in spec or spec.lstrip().startswith("{")


def _source(spec: Spec, name: Optional[str]) -> tuple[Optional[bytes], Optional[bytes]]:
    """`model` and `text` of reformerc_compile."""
    shown = encoded(name, "name") if name is not None else None
    if isinstance(spec, Mapping):
        return shown, encoded(_json(dict(spec), "spec"), "spec")
    if isinstance(spec, str) and _is_text(spec):
        return shown, encoded(spec, name or "spec")
    if isinstance(spec, (str, os.PathLike)):
        return encoded(spec, "spec"), None
    raise InputError(f"spec: {type(spec).__name__} is neither a path, nor a text, nor a mapping")


def _usable_cores() -> int:
    return min(len(os.sched_getaffinity(0)), MAX_THREADS)


def compile(  # noqa: A001 - as re.compile
    spec: Spec,
    *,
    weights: Optional[Weights] = None,
    settings: Optional[Mapping[str, Any]] = None,
    generate: bool = False,
    train: bool = False,
    activations: bool = False,
    backend: Optional[str] = None,
    target: Optional[str] = None,
    rotations: Optional[Union[str, "os.PathLike[str]"]] = None,
    seed: int = 0,
    threads: Optional[int] = None,
    cc: Optional[str] = None,
    cache: bool = True,
    verify: bool = False,
    name: Optional[str] = None,
) -> Model:
    """Compiles a model.

    spec: the path of a spec (YAML), a config.json, a .graph file or a checkpoint folder; or the text of a spec, which has more
    than one line or begins with "{"; or its keys and values. name: what messages call a text; a relative path in it starts in
    the folder of this name.
    weights: a safetensors or packed file, a checkpoint folder, "random" or "random:SEED", or arrays by Hugging Face's names
    (float16, float32, float64, or bfloat16 through DLPack), which are read during the call; those of a checkpoint folder by
    default, else none yet (Model.bind).
    settings: keys of the spec and their values, as --set takes ({"compile.batch_size": 4}).
    generate, train, activations: compiles generation, train steps, and code that shows activations, too.
    backend: "jit" (default), "c", "reference", "interpreter". target: "x86-64-v3"; the CPU's by default. threads: workers,
    all cores that this process may use by default; they never change a result.

    What the command line prints of an error is the text of SpecError, WeightsError, InputError or CompileError.
    """
    workers = _usable_cores() if threads is None else whole(threads, "threads", 1, MAX_THREADS)
    seed = whole(seed, "seed", 0, 2**64 - 1)
    model, text = _source(spec, name)
    pairs = [_setting(key, value) for key, value in (settings or {}).items()]
    options = Options(
        n_settings=len(pairs), threads=workers, seed=seed, decode=generate, train=train
    )
    options.trace, options.no_cache, options.verify = activations, not cache, verify
    options.settings = (c.c_char_p * max(len(pairs), 1))(*pairs)
    for key, value in (("backend", backend), ("target", target), ("rotations", rotations), ("cc", cc)):
        if value is not None:
            setattr(options, key, encoded(value, key))
    tensors = Tensors(weights) if isinstance(weights, Mapping) else None
    if tensors:
        options.tensors, options.n_tensors = tensors.items, tensors.n
    elif weights is not None:
        options.weights = encoded(weights, "weights")  # type: ignore[arg-type]
    handle, message = c.c_void_p(), c.c_void_p()
    code = lib.reformerc_compile(
        c.byref(handle), model, text, c.byref(options), c.byref(message)
    )
    tell(code, take_message(message))
    return Model(handle, workers, activations)
