"""What the library makes of a model: contexts of calls, things that are freed before it, and what a forward shows."""

import ctypes as c
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from ._abi import TRACED_F32, Code, TraceFn
from ._arrays import Array
from ._errors import error_of
from ._library import check, lib, strerror

if TYPE_CHECKING:
    from ._handle import Handle


class Context:
    """A context of the library: workspace and threads of one call at a time."""

    def __init__(self, model: c.c_void_p, threads: int) -> None:
        self.handle = c.c_void_p()
        check(lib.reformerc_context_new(c.byref(self.handle), model, threads))

    def check(self, code: int, said: str = "") -> None:
        if code == 0:
            return
        message = lib.reformerc_context_message(self.handle)
        text = message.decode("utf-8", "replace").rstrip("\n") if message else strerror(code)
        raise error_of(code, f"{text}{said}{advice(code)}")

    def close(self) -> None:
        lib.reformerc_context_free(self.handle)
        self.handle = c.c_void_p()


def advice(code: int) -> str:
    """How a model is compiled that can do what this one cannot."""
    wanted = _COMPILED.get(code)
    return f"; compile(…, {wanted})" if wanted else ""


_COMPILED: dict[int, str] = {
    Code.BATCH: 'settings={"compile.batch_size": ROWS}',
    Code.DECODE: "generate=True",
    Code.TRAIN: "train=True",
}


class Owned:
    """Something that the library made of a model: freed once, and before the model."""

    def __init__(self, model: "Handle", free: Callable[[], None]) -> None:
        self._life, self._owned = model._life, model._owned
        self._free: Optional[Callable[[], None]] = free
        with self._life:
            self._owned.add(self)

    @property
    def there(self) -> bool:
        return self._free is not None

    def free(self) -> None:
        with self._life:
            free, self._free = self._free, None
            self._owned.discard(self)
            if free:
                free()


class Trace:
    """Copies what a forward shows, which lives until the callback returns."""

    def __init__(self) -> None:
        self.seen: dict[str, Array] = {}
        self.problem: Optional[BaseException] = None
        self.callback = TraceFn(self._take)

    def _take(
        self, ctx: Any, name: bytes, data: Any, dtype: int, shape: Any, rank: int
    ) -> None:
        try:
            self._copy(name.decode(), data, dtype, shape, rank)
        except BaseException as problem:  # must not leave a C callback
            self.problem = self.problem or problem

    def _copy(self, name: str, data: Any, dtype: int, shape: Any, rank: int) -> None:
        kind = np.float32 if dtype == TRACED_F32 else np.int32
        sizes = tuple(shape[:rank])
        n = int(np.prod(sizes, dtype=np.int64)) * 4
        self.seen[name] = np.frombuffer(c.string_at(data, n), kind).reshape(sizes)
