"""Rows of tokens with what stands beside them, in the library's terms."""

from typing import Optional

import numpy as np

from ._abi import Code, Head, Io
from ._arrays import Array, ArrayLike, Shape, address, array_of, rows_of_ids, taken
from ._errors import InputError


class Batch:
    """Rows of tokens and their labels: a call's input, or a micro-batch of a train step.

    input_ids: int32 [batch, length], or [length]; attention_mask: uint8 or bool, 1 is a token; labels, start_positions,
    end_positions: as Hugging Face takes them, -100 is ignored. positions: int32 [batch], of each row's first token, for train
    steps of rows that are shorter than the model's positions. Arrays are neither copied nor changed.
    """

    def __init__(
        self,
        input_ids: ArrayLike,
        attention_mask: Optional[ArrayLike] = None,
        labels: Optional[ArrayLike] = None,
        start_positions: Optional[ArrayLike] = None,
        end_positions: Optional[ArrayLike] = None,
        positions: Optional[ArrayLike] = None,
    ) -> None:
        self.input_ids = rows_of_ids(input_ids)
        rows, length = self.input_ids.shape
        self.attention_mask: Optional[Array] = None
        if attention_mask is not None:
            mask = taken_rows(attention_mask, np.uint8, (rows, length), "attention_mask")
            self.attention_mask = mask
        self._given_labels = labels
        self.start_positions = _ids(start_positions, (rows,), "start_positions")
        self.end_positions = _ids(end_positions, (rows,), "end_positions")
        self.positions = _ids(positions, (rows,), "positions")

    @property
    def has_labels(self) -> bool:
        return self._given_labels is not None or self.start_positions is not None

    def _labels(self, head: Head, classes: int) -> Optional[Array]:
        value = self._given_labels
        if value is None:
            return None
        rows, length = self.input_ids.shape
        if head in (Head.CAUSAL_LM, Head.MASKED_LM):
            return taken_rows(value, np.int32, (rows, length), "labels")
        if head != Head.CLASSIFIER:
            raise InputError(f"labels: a model of head {head.name} takes none")
        kind = np.array(value) if isinstance(value, (list, tuple)) else array_of(value, "labels")[0]
        if kind.dtype.kind in "iu":
            return taken(value, np.int32, (rows,), "labels")
        return taken(value, np.float32, (rows,) if classes == 1 else (rows, classes), "labels")

    def io(self, head: Head, classes: int) -> Io:
        """A forward's io, which holds the arrays."""
        rows, length = self.input_ids.shape
        if (self.start_positions is None) != (self.end_positions is None):
            raise InputError("start_positions and end_positions go together")
        labels = self._labels(head, classes)
        io = Io(batch=rows, length=length, input_ids=address(self.input_ids))
        io.held = (self, labels)
        io.attention_mask = address(self.attention_mask)
        if labels is not None and labels.dtype == np.float32:
            io.labels_f32 = address(labels)
        else:
            io.labels = address(labels)
        io.start_positions = address(self.start_positions)
        io.end_positions = address(self.end_positions)
        io.positions = address(self.positions)
        return io

    def fault(self, code: int, vocab: int) -> str:
        """Where it stands what a code is about."""
        if code == Code.ARGUMENT and not self.has_labels:
            return ": there are no labels"  # what else a batch may lack is checked before
        if code != Code.TOKEN:
            return ""
        bad = np.argwhere((self.input_ids < 0) | (self.input_ids >= vocab))
        if not bad.size:
            return ""
        at = tuple(int(i) for i in bad[0])
        return f": input_ids[{at[0]}, {at[1]}] is {self.input_ids[at]}, vocab_size {vocab}"


def _ids(value: Optional[ArrayLike], shape: Shape, name: str) -> Optional[Array]:
    return None if value is None else taken(value, np.int32, shape, name)


def taken_rows(value: ArrayLike, dtype: type, shape: tuple[int, int], name: str) -> Array:
    """[batch, length]; of a single row also [length]."""
    if isinstance(value, (list, tuple)):
        single = bool(value) and not isinstance(value[0], (list, tuple, np.ndarray))
    else:
        single = array_of(value, name)[0].ndim == 1
    if shape[0] == 1 and single:
        return taken(value, dtype, shape[1:], name)
    return taken(value, dtype, shape, name)
