"""A compiled model: forwards, losses, activations, gradients."""

import ctypes as c
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Optional, Union

import numpy as np

from ._abi import Code, Gradient, Head, Info
from ._arrays import Array, ArrayLike, Floats, Shape, address, aligned_floats, given, whole
from ._batch import Batch
from ._context import Context, Owned, Trace
from ._errors import InputError, error_of
from ._gate import Gate
from ._library import check, encoded, lib, strerror, take_message, tell
from ._weights import Tensors, Weights

if TYPE_CHECKING:
    from ._generate import Cache, Text, Tokens
    from ._train import Learner, Trainer


@dataclass
class Output:
    """What a forward computed; None: not asked for, or the model has none."""

    logits: Optional[Floats] = None  #: LMs [batch, length, vocab], classifiers [batch, labels]
    last_hidden_state: Optional[Floats] = None  #: [batch, length, 2 * hidden]
    start_logits: Optional[Floats] = None  #: [batch, length]
    end_logits: Optional[Floats] = None  #: [batch, length]
    loss: Optional[float] = None  #: the mean over labels that count
    token_losses: Optional[Floats] = None  #: [batch, length]; 0 where a token predicts no label
    #: By the names of --dump-activations ("layers.0.y1", "layers.1.buckets").
    activations: dict[str, Array] = field(default_factory=dict)


_USUAL = {
    Head.NONE: ("last_hidden_state",),
    Head.CAUSAL_LM: ("logits",),
    Head.MASKED_LM: ("logits",),
    Head.CLASSIFIER: ("logits",),
    Head.QA: ("start_logits", "end_logits"),
}
_OUTPUTS = ("logits", "last_hidden_state", "start_logits", "end_logits", "token_losses")


class Model:
    """A model that was compiled (`reformerc.compile`). Any number of threads may call it at once.

    Use it in a `with` statement, or `close()` it, to give its memory back at once; it goes with its last reference otherwise.
    """

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

    def __enter__(self) -> "Model":
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

    # ---- weights

    def bind(self, weights: Weights) -> None:
        """Other weights, or the first: waits until no call of another thread is at work. After an error the earlier ones are
        still bound. Arrays are read during the call, and copied."""
        message = c.c_void_p()
        tensors = Tensors(weights) if isinstance(weights, Mapping) else None
        with self._writing() as handle:
            if self._learner:
                raise InputError("the model learns: close its trainer first")
            if tensors:
                code = lib.reformerc_bind_tensors(handle, tensors.items, tensors.n, c.byref(message))
            else:
                path = encoded(weights, "weights")  # type: ignore[arg-type]
                code = lib.reformerc_bind(handle, path, c.byref(message))
        tell(code, take_message(message))

    # ---- forwards

    def _shape_of(self, name: str, rows: int, length: int) -> Shape:
        lm = self.head in (Head.CAUSAL_LM, Head.MASKED_LM)
        return {
            "logits": (rows, length, self.vocab) if lm else (rows, self.labels),
            "last_hidden_state": (rows, length, 2 * self.hidden),
        }.get(name, (rows, length))

    def _room(
        self, names: Iterable[str], out: Mapping[str, Array], batch: Batch
    ) -> dict[str, Floats]:
        room = {}
        for name in [*names, *out]:
            if not isinstance(name, str) or name not in _OUTPUTS:
                raise InputError(f"outputs: '{name}' is none of {', '.join(_OUTPUTS)}")
            shape = self._shape_of(name, *batch.input_ids.shape)
            if name in out:
                room[name] = given(out[name], shape, name)
            elif name not in room:
                room[name] = np.empty([n or 0 for n in shape], np.float32)
        return room

    def forward(
        self,
        input_ids: ArrayLike,
        attention_mask: Optional[ArrayLike] = None,
        *,
        labels: Optional[ArrayLike] = None,
        start_positions: Optional[ArrayLike] = None,
        end_positions: Optional[ArrayLike] = None,
        outputs: Optional[Sequence[str]] = None,
        out: Optional[Mapping[str, Array]] = None,
        activations: bool = False,
    ) -> Output:
        """One forward.

        input_ids: int32 [batch, length], or [length] of a single row; attention_mask: of the same shape, uint8 or bool, 1 is a
        token. labels, start_positions and end_positions: as Hugging Face takes them (LMs int32 [batch, length], classes int32
        [batch], regression float32 [batch], several labels float32 [batch, labels]); -100 is ignored; they ask for the loss.

        outputs: names of what is wanted; the head's by default, or what `out` names. out: arrays of float32 by such a name,
        which the forward writes in place of new ones. activations: all that a model shows that was compiled with
        activations=True. Nothing is copied on the way in or out, but lists of numbers and activations.
        """
        batch = Batch(input_ids, attention_mask, labels, start_positions, end_positions)
        if outputs is None:
            outputs = () if out else _USUAL[self.head]
        room = self._room(outputs, out or {}, batch)
        trace = Trace() if activations else None
        if trace and not self._activations:
            raise InputError("activations: the model was compiled without; compile(…, activations=True)")
        io = batch.io(self.head, self.labels)
        loss = np.zeros(1, np.float32)
        if batch.has_labels:
            io.loss = address(loss)
        for name, array in room.items():
            setattr(io, name, address(array))
        if trace:
            io.trace = trace.callback
        with self._context() as context:
            code = lib.reformerc_forward(context.handle, c.byref(io))
            if trace and trace.problem:
                raise trace.problem
            context.check(code, batch.fault(code, self.vocab))
        return Output(
            **room,
            loss=float(loss[0]) if batch.has_labels else None,
            activations=trace.seen if trace else {},
        )

    __call__ = forward

    # ---- training

    def _gradient_views(self, handle: c.c_void_p, memory: Floats) -> dict[str, Floats]:
        views: dict[str, Floats] = {}
        tensor, i = Gradient(), 0
        while lib.reformerc_gradient(handle, i, c.byref(tensor)) == Code.OK:
            part = memory[tensor.offset : tensor.offset + tensor.elements]
            views[tensor.name.decode()] = part.reshape(tensor.shape[: tensor.rank])
            i += 1
        return views

    def gradients(
        self,
        batch: Batch,
        *,
        dropout_seed: int = 0,
        dropout_step: int = 0,
        dropout_row: int = 0,
    ) -> tuple[float, dict[str, Floats]]:
        """A train step without its update, of a model that was compiled with train=True: the loss, and its gradient by every
        tensor of the weights, under Hugging Face's names. All of them lie in one piece of memory."""
        io = batch.io(self.head, self.labels)
        io.dropout_seed = whole(dropout_seed, "dropout_seed", 0, 2**64 - 1)
        io.dropout_step = whole(dropout_step, "dropout_step", 0, 2**32 - 1)
        io.dropout_row = whole(dropout_row, "dropout_row", 0, 2**32 - 1)
        loss = np.zeros(1, np.float32)
        io.loss = address(loss)
        with self._context() as context:
            size = lib.reformerc_gradients_bytes(self._handle)
            if size == 0:
                raise error_of(Code.TRAIN, strerror(Code.TRAIN))
            memory = aligned_floats(size)
            code = lib.reformerc_gradients(context.handle, c.byref(io), address(memory), size)
            context.check(code, batch.fault(code, self.vocab))
            return float(loss[0]), self._gradient_views(self._handle, memory)

    def trainer(self) -> "Trainer":
        """What lets a model learn that has weights and was compiled with train=True. It has one, until that is closed."""
        from ._train import Learner, Trainer

        with self._writing() as handle:
            if not self._learner:
                self._learner = Learner(Context(handle, self._threads))
            return Trainer(self, self._learner)

    # ---- generation

    def cache(self, length: int, prompt: int) -> "Cache":
        """Rows of up to `length` tokens that the model has read, and goes on from; prompts of up to `prompt`."""
        from ._generate import Cache

        return Cache(self, length, prompt)

    def generate(
        self,
        prompt: str,
        tokens: int,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 0.0,
        repetition_penalty: float = 0.0,
        seed: int = 0,
        stop: Union[str, Sequence[str]] = (),
        stop_at_eos: bool = False,
    ) -> "Text":
        """Goes on with a text, of a model that was compiled with generate=True: an iterator over pieces of text as they come,
        of `tokens` tokens at most.

        Greedy, unless temperature, top_k or top_p is given: then tokens are drawn, the same for the same seed, and the same as
        `reformerc generate` draws. stop: texts that end it, and are no part of it. stop_at_eos: ends with an end token.
        """
        from ._generate import Text, sampling_of

        sampling = sampling_of(temperature, top_k, top_p, repetition_penalty, seed)
        stops = (stop,) if isinstance(stop, str) else tuple(stop)
        return Text(self, prompt, tokens, sampling, stops, stop_at_eos)

    def generate_ids(
        self,
        prompt: ArrayLike,
        tokens: int,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 0.0,
        repetition_penalty: float = 0.0,
        seed: int = 0,
        stop_at_eos: bool = False,
    ) -> "Tokens":
        """generate() of token ids, int32 [length]: an iterator over ids."""
        from ._generate import Tokens, sampling_of

        sampling = sampling_of(temperature, top_k, top_p, repetition_penalty, seed)
        return Tokens(self, prompt, tokens, sampling, stop_at_eos)

    def complete(
        self,
        prompts: Sequence[str],
        tokens: int,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 0.0,
        repetition_penalty: float = 0.0,
        seed: int = 0,
        stop_at_eos: bool = False,
        beams: int = 1,
        length_penalty: float = 1.0,
        early_stopping: Union[bool, str] = False,
    ) -> "list[str]":
        """What generate() writes, of several prompts side by side (compile.batch_size of them at most), all at once. With
        several `beams` (at most so many) the best continuation that a beam search finds, one prompt after the other;
        length_penalty and early_stopping (False, True, "never") are Hugging Face's."""
        from ._complete import Search, complete
        from ._generate import sampling_of

        sampling = sampling_of(temperature, top_k, top_p, repetition_penalty, seed)
        search = Search(beams, length_penalty, early_stopping)
        return complete(self, prompts, tokens, sampling, stop_at_eos, search)

    def complete_ids(
        self,
        prompts: Sequence[ArrayLike],
        tokens: int,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 0.0,
        repetition_penalty: float = 0.0,
        seed: int = 0,
        stop_at_eos: bool = False,
        beams: int = 1,
        length_penalty: float = 1.0,
        early_stopping: Union[bool, str] = False,
    ) -> "list[Array]":
        """complete() of rows of token ids, int32 [length] each: for each an array of ids."""
        from ._complete import Search, complete_ids
        from ._generate import sampling_of

        sampling = sampling_of(temperature, top_k, top_p, repetition_penalty, seed)
        search = Search(beams, length_penalty, early_stopping)
        return complete_ids(self, prompts, tokens, sampling, stop_at_eos, search)
