"""A compiled model: forwards, losses, activations, gradients."""

import ctypes as c
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Optional, Union

import numpy as np

from ._abi import Code, Gradient, Head
from ._arrays import Array, ArrayLike, Floats, Shape, address, aligned_floats, given, whole
from ._batch import Batch
from ._context import Context, Trace, advice
from ._errors import InputError, error_of
from ._handle import Handle
from ._library import encoded, lib, strerror, take_message, tell
from ._weights import Tensors, Weights

if TYPE_CHECKING:
    from ._generate import Cache, Text, Tokens
    from ._train import Trainer


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


class Model(Handle):
    """A model that was compiled (`reformerc.compile`). Any number of threads may call it at once.

    Use it in a `with` statement, or `close()` it, to give its memory back at once; it goes with its last reference otherwise.
    """

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
                raise error_of(Code.TRAIN, strerror(Code.TRAIN) + advice(Code.TRAIN))
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
