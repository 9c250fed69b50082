"""A model's life and facts: opened, asked, freed once and after what was made of it."""

import ctypes as c
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Optional, TypeVar

from ._abi import Head, Info
from ._context import Context, Owned
from ._errors import InputError
from ._gate import Gate
from ._library import check, lib

if TYPE_CHECKING:
    from ._train import Learner

Self = TypeVar("Self", bound="Handle")


class Handle:
    """The part of a Model that is not its work."""

    def __init__(self, handle: c.c_void_p, threads: int, activations: bool) -> None:
        self._handle = handle
        self._threads = threads
        self._activations = activations
        self._gate = Gate()
        self._life = threading.RLock()
        self._idle: list[Context] = []
        self._owned: set[Owned] = set()  # caches
        self._learner: Optional[Learner] = None
        self._info = Info()
        check(lib.reformerc_info(handle, c.byref(self._info)))
        text = lib.reformerc_text(handle)
        self._text: Optional[str] = os.fsdecode(text) if text else None

    # ---- life

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    def close(self) -> None:
        """Waits for calls of other threads, and frees the model, its caches and its trainer. May be called again."""
        with self._gate.writing(), self._life:
            if self._learner:
                self._learner.free()
                self._learner = None
            for owned in list(self._owned):
                owned.free()
            while self._idle:
                self._idle.pop().close()
            if self._handle:
                lib.reformerc_free(self._handle)
            self._handle = c.c_void_p()

    def __reduce__(self) -> str:
        raise TypeError("a model can be neither copied nor pickled")

    def _open(self) -> c.c_void_p:
        """The handle of a model that is not closed."""
        if not self._handle:
            raise InputError("the model is closed")
        return self._handle

    @contextmanager
    def _reading(self) -> Iterator[c.c_void_p]:
        with self._gate.reading():
            yield self._open()

    @contextmanager
    def _writing(self) -> Iterator[c.c_void_p]:
        with self._gate.writing():
            yield self._open()

    def _take_context(self, handle: c.c_void_p) -> Context:
        with self._life:
            if self._idle:
                return self._idle.pop()
        return Context(handle, self._threads)

    @contextmanager
    def _context(self) -> Iterator[Context]:
        """A context of one's own, for one call."""
        with self._reading() as handle:
            context = self._take_context(handle)
            try:
                yield context
            finally:
                with self._life:
                    self._idle.append(context)

    # ---- what it is

    @property
    def head(self) -> Head:
        """What stands on top of it."""
        return Head(self._info.head)

    @property
    def backend(self) -> str:
        """What runs it: "jit", "c", "reference" or "interpreter"."""
        name: bytes = self._info.backend
        self._open()
        return name.decode()

    @property
    def target(self) -> str:
        """What it was compiled for: "x86-64-v4"."""
        self._open()
        name: bytes = self._info.target
        return name.decode()

    @property
    def batch(self) -> int:
        """Rows of one call, at most: compile.batch_size."""
        return int(self._info.batch)

    @property
    def max_length(self) -> int:
        """Tokens per row, at most."""
        return int(self._info.max_length)

    @property
    def hidden(self) -> int:
        """hidden_size"""
        return int(self._info.hidden)

    @property
    def vocab(self) -> int:
        """vocab_size"""
        return int(self._info.vocab)

    @property
    def labels(self) -> int:
        """num_labels"""
        return int(self._info.labels)

    @property
    def pad_token(self) -> int:
        """pad_token_id"""
        return int(self._info.pad_token)

    @property
    def positions(self) -> int:
        """Tokens that a row of a cache holds, at most; 0: it does not generate."""
        return int(self._info.positions)

    @property
    def text(self) -> Optional[str]:
        """How text becomes ids: "bytes", "sentencepiece:PATH"; None: unknown."""
        return self._text

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Of a model that generates: what ends its texts."""
        found: list[int] = []
        with self._reading() as handle:
            while (token := int(lib.reformerc_end_token(handle, len(found)))) >= 0:
                found.append(token)
        return tuple(found)

    @property
    def bound(self) -> bool:
        """Whether it has weights."""
        info = Info()
        with self._reading() as handle:
            check(lib.reformerc_info(handle, c.byref(info)))
        return bool(info.bound)

    def __repr__(self) -> str:
        if not self._handle:
            return "<reformerc.Model, closed>"
        return f"<reformerc.Model {self.head.name} of {self.max_length} tokens, {self.backend}, {self.target}>"
