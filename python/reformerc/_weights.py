"""Weights in memory, as the library reads them."""

import ctypes as c
import os
from collections.abc import Mapping
from typing import Any, Union

import numpy as np

from ._abi import MAX_RANK, Tensor, WeightType
from ._arrays import ArrayLike, address, array_of
from ._errors import InputError
from ._library import encoded

#: A path ("model.safetensors", a checkpoint folder), "random" or "random:SEED", or arrays by Hugging Face's names.
Weights = Union[str, "os.PathLike[str]", Mapping[str, ArrayLike]]
_WEIGHT_TYPES = {
    np.dtype(np.float32): WeightType.F32,
    np.dtype(np.float16): WeightType.F16,
    np.dtype(np.float64): WeightType.F64,
}


class Tensors:
    """Weights in memory as the library reads them; holds the arrays meanwhile."""

    def __init__(self, weights: Mapping[str, ArrayLike]) -> None:
        self.n = len(weights)
        self.items = (Tensor * max(self.n, 1))()
        self._held: list[Any] = []
        for item, (name, value) in zip(self.items, weights.items()):
            self._fill(item, name, value)

    def _fill(self, item: Tensor, name: str, value: ArrayLike) -> None:
        array, bfloat16 = array_of(value, name)
        dtype = WeightType.BF16 if bfloat16 else _WEIGHT_TYPES.get(array.dtype)
        if dtype is None:
            raise InputError(f"{name}: of type {array.dtype.name}, not of floating point")
        if array.ndim > MAX_RANK or not array.flags.c_contiguous:
            raise InputError(f"{name}: not contiguous in memory, or of more than {MAX_RANK} dimensions")
        text = encoded(name, "weights")
        item.size, item.rank = c.sizeof(Tensor), array.ndim
        item.name, item.dtype = text, dtype
        item.shape[: array.ndim] = list(array.shape)
        item.data = address(array)
        self._held += [text, array]
