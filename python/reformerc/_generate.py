"""Writing: caches, and tokens and texts as they come."""

import ctypes as c
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Optional

import numpy as np

from ._abi import Code, Decode, Sampling
from ._arrays import Array, ArrayLike, Floats, address, given, rows_of_ids, taken, whole
from ._batch import taken_rows
from ._errors import InputError, error_of
from ._library import lib, strerror
from ._context import Context, Owned, advice
from ._model import Model
from ._text import StopTexts, codec_of


_MOST = float(np.finfo(np.float32).max)


def sampling_of(
    temperature: float, top_k: int, top_p: float, repetition_penalty: float, seed: int
) -> Sampling:
    """reformer_sampling_t says what the numbers do, and which the library refuses."""
    for name, number, most in (
        ("temperature", temperature, _MOST),
        ("top_p", top_p, 1.0),
        ("repetition_penalty", repetition_penalty, _MOST),
    ):
        if not 0 <= number <= most:  # so that a NaN is out of range
            raise InputError(f"{name}: {number} is not from 0 to {most:g}")
    sampling = Sampling(top_k=whole(top_k, "top_k", 0, 2**31 - 1), seed=whole(seed, "seed", 0, 2**64 - 1))
    sampling.temperature, sampling.top_p = float(temperature), float(top_p)
    sampling.repetition_penalty = float(repetition_penalty)
    return sampling


def check_generates(model: Model) -> None:
    if model.positions == 0:
        raise error_of(Code.DECODE, strerror(Code.DECODE) + advice(Code.DECODE))


# ---- caches ------------------------------------------------------------------------------------------------


class Cache:
    """Rows of tokens that a model has read (Model.cache): prompts are read into it, steps append. Calls of several threads
    wait for each other."""

    def __init__(self, model: Model, length: int, prompt: int) -> None:
        self._model = model
        self._lock = threading.RLock()
        length = whole(length, "length", 1, 2**48)
        prompt = whole(prompt, "prompt", 1, 2**48)
        with model._reading() as handle:
            context = Context(handle, model._threads)
            cache = c.c_void_p()
            code = lib.reformerc_cache_new(c.byref(cache), context.handle, length, prompt)
            try:
                context.check(code)
            except BaseException:
                context.close()
                raise

            def free() -> None:
                lib.reformerc_cache_free(cache)
                context.close()

            self._context, self._handle = context, cache
            self._owned = Owned(model, free)

    def __del__(self) -> None:
        owned = getattr(self, "_owned", None)
        if owned:
            owned.free()  # nobody calls it

    def close(self) -> None:
        """Frees it. May be called again."""
        with self._lock, self._model._gate.reading():
            self._owned.free()

    def __enter__(self) -> "Cache":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __reduce__(self) -> str:
        raise TypeError("a cache can be neither copied nor pickled")

    def _open(self) -> c.c_void_p:
        """Behind the gate."""
        if not self._owned.there:
            raise InputError("the cache is closed")
        return self._handle

    def _run(self, function: Any, io: Decode, ids: Array) -> None:
        with self._lock, self._model._reading():
            code = function(self._open(), c.byref(io))
            self._context.check(code, fault(code, ids, self._model.vocab))

    def _io(
        self, ids: Array, mask: Optional[Array], rows: int, out: Optional[Mapping[str, Array]]
    ) -> tuple[Decode, Floats]:
        shapes = {"logits": (rows, self._model.vocab), "last_hidden_state": (rows, 2 * self._model.hidden)}
        out = out or {}
        if any(name not in shapes for name in out):
            raise InputError("out: holds logits and last_hidden_state")
        logits = given(out["logits"], shapes["logits"], "logits") if "logits" in out else None
        if logits is None:
            logits = np.zeros(shapes["logits"], np.float32)
        io = Decode(input_ids=address(ids), attention_mask=address(mask), batch=rows)
        io.logits = address(logits)
        if "last_hidden_state" in out:
            hidden = given(out["last_hidden_state"], shapes["last_hidden_state"], "last_hidden_state")
            io.last_hidden_state = address(hidden)
        return io, logits

    def prefill(
        self,
        input_ids: ArrayLike,
        attention_mask: Optional[ArrayLike] = None,
        *,
        out: Optional[Mapping[str, Array]] = None,
    ) -> Floats:
        """Reads prompts, int32 [batch, length], into the first rows, and returns the logits [batch, vocab] of what follows.
        A row whose mask is 0 everywhere stays as it is, its logits 0. out: arrays to write, "logits" and
        "last_hidden_state" [batch, 2 * hidden]."""
        ids = rows_of_ids(input_ids)
        rows, length = ids.shape
        mask = None
        if attention_mask is not None:
            mask = taken_rows(attention_mask, np.uint8, (rows, length), "attention_mask")
        io, logits = self._io(ids, mask, rows, out)
        io.length = length
        self._run(lib.reformerc_prefill, io, ids)
        return logits

    def step(
        self,
        tokens: ArrayLike,
        attention_mask: Optional[ArrayLike] = None,
        *,
        out: Optional[Mapping[str, Array]] = None,
    ) -> Floats:
        """Appends a token, int32 [batch], to each of the first rows; as prefill otherwise."""
        ids = taken(tokens, np.int32, (None,), "tokens")
        rows = int(ids.shape[0])
        if rows == 0:
            raise InputError("tokens: there is nothing in it")
        mask = None
        if attention_mask is not None:
            mask = taken(attention_mask, np.uint8, (rows,), "attention_mask")
        io, logits = self._io(ids, mask, rows, out)
        self._run(lib.reformerc_step, io, ids)
        return logits

    def copy_row(self, source: int, target: int) -> None:
        """Row `target` becomes a copy of row `source`."""
        last = self._model.batch - 1
        rows = whole(source, "source", 0, last), whole(target, "target", 0, last)
        with self._lock, self._model._reading():
            self._context.check(lib.reformerc_cache_copy_row(self._open(), *rows))

    def tokens(self, row: int = 0) -> int:
        """How many tokens a row holds."""
        row = whole(row, "row", 0, self._model.batch - 1)
        with self._lock, self._model._reading():
            return int(lib.reformerc_cache_tokens(self._open(), row))

    def sample(
        self, sampling: Sampling, logits: Floats, history: Array, known: int, step: int
    ) -> int:
        """Chooses a token after `known` tokens of the history."""
        token = c.c_int32()
        with self._lock, self._model._reading():
            self._open()
            code = lib.reformerc_sample(
                self._context.handle,
                c.byref(sampling),
                address(logits),
                address(history),
                known,
                0,
                step,
                c.byref(token),
            )
            self._context.check(code)
        return token.value


def fault(code: int, ids: Array, vocab: int) -> str:
    bad = ids[(ids < 0) | (ids >= vocab)] if code == Code.TOKEN else ids[:0]
    return f": {bad.flat[0]}, vocab_size {vocab}" if bad.size else ""


# ---- one prompt ---------------------------------------------------------------------------------------------


class Tokens(Iterator[int]):
    """Token ids that go on with a prompt, as they come. What has written its last token gives its cache back; so does
    close()."""

    def __init__(
        self, model: Model, prompt: ArrayLike, tokens: int, sampling: Sampling, stop_at_eos: bool
    ) -> None:
        check_generates(model)
        ids = rows_of_ids(prompt, "prompt")
        if ids.shape[0] != 1:
            raise InputError(f"prompt: of {ids.shape[0]} rows; complete() writes several texts")
        self._prompt = ids
        self._most = whole(tokens, "tokens", 1, 2**48)
        self._known = ids.shape[1]
        over = self._known + self._most - 1 - model.positions
        if over > 0:
            raise InputError(
                f"tokens: {self._most} behind a prompt of {self._known}: {over} too many for the "
                f"{model.positions} positions of this model"
            )
        self._history = np.empty(self._known + self._most, np.int32)
        self._history[: self._known] = ids[0]
        self._sampling, self._model = sampling, model
        self._ends = frozenset(model.end_tokens) if stop_at_eos else frozenset()
        self._written = 0
        self._cache: Optional[Cache] = model.cache(self._known + self._most - 1, self._known)
        #: Of the last token: the logits [vocab] that it was chosen from.
        self.logits: Floats = np.zeros(model.vocab, np.float32)

    def __iter__(self) -> "Tokens":
        return self

    def __next__(self) -> int:
        if not self._cache:
            raise StopIteration
        try:
            token = self._choose(self._cache)
        except BaseException:
            self.close()
            raise
        self._history[self._known] = token
        self._known += 1
        self._written += 1
        if self._written == self._most or token in self._ends:
            self.close()
        return token

    def _choose(self, cache: Cache) -> int:
        out = {"logits": self.logits.reshape(1, -1)}
        if self._written == 0:
            cache.prefill(self._prompt, out=out)
        else:
            cache.step(self._history[self._known - 1 : self._known], out=out)
        return cache.sample(self._sampling, self.logits, self._history, self._known, self._written)

    @property
    def is_end(self) -> bool:
        """Whether the last token is an end token that ended it."""
        return self._written > 0 and int(self._history[self._known - 1]) in self._ends

    def close(self) -> None:
        """Ends it."""
        if self._cache:
            self._cache.close()
            self._cache = None


class Text(Iterator[str]):
    """Pieces of the text that goes on with a prompt, as they come."""

    def __init__(
        self,
        model: Model,
        prompt: str,
        tokens: int,
        sampling: Sampling,
        stops: tuple[str, ...],
        stop_at_eos: bool,
    ) -> None:
        if not isinstance(prompt, str):
            raise InputError(f"prompt: {type(prompt).__name__} is no text; generate_ids takes ids")
        if not all(isinstance(stop, str) and stop for stop in stops):
            raise InputError("stop: texts that are not empty")
        ids = codec_of(model.text).encode(prompt)
        if not ids:
            raise InputError("prompt: there is nothing in it")
        self._reader = codec_of(model.text).reader(ids)
        self._stops = StopTexts(stops)
        #: The ids behind it.
        self.tokens = Tokens(model, ids, tokens, sampling, stop_at_eos)
        self._ended = False

    def __iter__(self) -> "Text":
        return self

    def __next__(self) -> str:
        while not self._ended:
            piece = self._piece()
            if piece:
                return piece
        raise StopIteration

    def _piece(self) -> str:
        token = next(self.tokens, None)
        if token is None:
            self._ended = True
            return self._stops.feed(self._reader.finish()) + self._stops.finish()
        if self.tokens.is_end:
            return ""
        piece = self._stops.feed(self._reader.feed(token))
        if self._stops.ended:
            self.close()
        return piece

    def close(self) -> None:
        """Ends it."""
        self._ended = True
        self.tokens.close()
